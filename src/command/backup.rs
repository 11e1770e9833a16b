//! `runrate backup`: the lake to another place, and the roles with it if they are asked for.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{say, size};
use crate::cli::BackupArgs;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::lake::Lake;

/// The roles file of a backup.
pub(super) const ROLES: &str = "_roles";

/// Copies; the exit code is 0 if all of it was.
pub(super) async fn run(arguments: BackupArgs, config: Config) -> Result<u8> {
    let BackupArgs { to, with_roles } = arguments;
    let roles = config.roles_path();
    if with_roles && to.contains("://") {
        let reason =
            "roles are copied into a directory only, where their file is its owner's alone";
        return Err(Error::Place { place: to, reason: reason.to_owned() });
    }
    let lake = Lake::open_existing(&config).await?;
    let done = lake.backup(&to).await?;
    if with_roles {
        copy_private(&roles, &Path::new(&to).join(ROLES))?;
    }
    say(&format!(
        "{to}: {} tables, {} files, {}; copied {} files, {}; removed {}\n",
        done.tables,
        done.files,
        size(done.bytes),
        done.files_copied,
        size(done.bytes_copied),
        done.files_removed
    ))?;
    let word = if with_roles { "with" } else { "without (--with-roles copies them)" };
    say(&format!("roles: {word}\n"))?;
    Ok(0)
}

/// Copies `from` to `to`, whole or not at all, readable by its owner only.
pub(super) fn copy_private(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).map_err(|e| Error::file("read", from, e))?;
    let part = to.with_extension("part");
    let failed = |e| Error::file("write", &part, e);
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    let mut file = options.open(&part).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&part, to).map_err(|e| Error::file("write", to, e))
}
