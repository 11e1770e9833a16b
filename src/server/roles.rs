//! Who may log in and see what: a file of roles, their SCRAM verifiers and their rights.
//!
//! `name SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`: from such a line nobody can log in
//! without finding the password first.
//! `name NOLOGIN` is a role for others to be members of.
//! Lines that begin with a space are [`rights`] of the role above them.
//! Changes are written beside the file, synced and renamed over it, so that a reader sees the old
//! roles or the new ones.

mod book;
pub mod rights;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use pgwire::api::auth::sasl::scram::{ScramSecret, gen_salted_password};
use sha2::Sha256;

pub(super) use book::RoleBook;
use rights::Rights;

use crate::error::{Error, Result};
use crate::session::{Access, Policies, Profile, Sight};

const MECHANISM: &str = "SCRAM-SHA-256";
/// RFC 7677 asks for 4,096 at least; a login may cost some milliseconds.
const ITERATIONS: usize = 15_000;
const ITERATIONS_MIN: usize = 4_096;
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const NAME_BYTES_MAX: usize = 63;
const PASSWORD_CHARACTERS_MIN: usize = 8;

/// What the server keeps of one password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: usize,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl Verifier {
    fn of_password(password: &str) -> Result<Self> {
        let salt = random_bytes::<SALT_BYTES>()?.to_vec();
        let salted = gen_salted_password(password, &salt, ITERATIONS);
        match ScramSecret::verifier_from_salted_password(salt, salted, ITERATIONS) {
            ScramSecret::Verifier { salt, iterations, stored_key, server_key } => {
                Ok(Self { iterations, salt, stored_key, server_key })
            }
            ScramSecret::SaltedPassword { .. } => {
                Err(Error::statement("XX000", "the password could not be hashed"))
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        let (mechanism, salting, keys) = (parts.next()?, parts.next()?, parts.next()?);
        let (iterations, salt) = salting.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let verifier = Self {
            iterations: iterations.parse().ok()?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: STANDARD.decode(stored_key).ok()?,
            server_key: STANDARD.decode(server_key).ok()?,
        };
        let is_sound = mechanism == MECHANISM
            && parts.next().is_none()
            && verifier.iterations >= ITERATIONS_MIN
            && verifier.salt.len() >= 8
            && [&verifier.stored_key, &verifier.server_key].iter().all(|k| k.len() == KEY_BYTES);
        is_sound.then_some(verifier)
    }

    fn line(&self, name: &str) -> String {
        let [salt, stored_key, server_key] =
            [&self.salt, &self.stored_key, &self.server_key].map(|bytes| STANDARD.encode(bytes));
        format!("{name} {MECHANISM}${}:{salt}${stored_key}:{server_key}\n", self.iterations)
    }

    /// What the SCRAM exchange works with.
    pub fn secret(&self) -> ScramSecret {
        ScramSecret::Verifier {
            salt: self.salt.clone(),
            iterations: self.iterations,
            stored_key: self.stored_key.clone(),
            server_key: self.server_key.clone(),
        }
    }
}

/// One role of the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Role {
    /// `None` for a role that nobody logs in as.
    verifier: Option<Verifier>,
    /// What it may.
    pub rights: Rights,
}

/// What stands in the place of a verifier for a role that nobody logs in as.
const NO_LOGIN: &str = "NOLOGIN";
/// What the line with the key of hashed values begins with; no role can be called so.
const MASK_KEY: &str = "=mask-key ";

/// The roles of a file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Roles {
    roles: BTreeMap<String, Role>,
    /// Key of hashed values; made when first needed.
    mask_key: Vec<u8>,
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.roles.keys()).finish()
    }
}

impl Roles {
    /// Reads the roles of `path`; a file that does not exist has none.
    ///
    /// # Errors
    /// [`Error::Credential`] if others may read the file or a line is not what it should be,
    /// [`Error::File`] if it cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(Error::file("read", path, e)),
        };
        check_private(path, &metadata)?;
        let text = fs::read_to_string(path).map_err(|e| Error::file("read", path, e))?;
        Self::parse(&text).map_err(|reason| Error::Credential { path: path.to_owned(), reason })
    }

    /// Reads `text`; what is wrong names the line and does not show it, for it may hold a key.
    fn parse(text: &str) -> Result<Self, String> {
        let mut roles = Self::default();
        let mut current: Option<(String, Role, bool)> = None;
        for (at, line) in text.lines().enumerate() {
            let wrong = |what: &str| format!("line {} is not {what}", at + 1);
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                let Some((_, role, has_lines)) = &mut current else {
                    return Err(wrong("below a role"));
                };
                if !std::mem::replace(has_lines, true) {
                    role.rights = Rights::none();
                }
                role.rights.add(line.trim()).ok_or_else(|| wrong("a right of a role"))?;
                continue;
            }
            roles.keep(current.take());
            if let Some(key) = line.strip_prefix(MASK_KEY) {
                roles.mask_key =
                    STANDARD.decode(key.trim()).map_err(|_| wrong("a key in base64"))?;
                continue;
            }
            let role = line.split_once(' ').and_then(|(name, verifier)| match verifier.trim() {
                NO_LOGIN => Some((name, None)),
                text => Some((name, Some(Verifier::parse(text)?))),
            });
            let (name, verifier) = role.ok_or_else(|| wrong("a role and its verifier"))?;
            if roles.roles.contains_key(name) {
                return Err(wrong("the only one of its role"));
            }
            let role = Role { verifier, rights: Rights::default() };
            current = Some((name.to_owned(), role, false));
        }
        roles.keep(current);
        roles.check()?;
        Ok(roles)
    }

    fn keep(&mut self, role: Option<(String, Role, bool)>) {
        self.roles.extend(role.map(|(name, role, _)| (name, role)));
    }

    /// Refuses members of what does not exist, and hashes without a key.
    fn check(&self) -> Result<(), String> {
        for (name, role) in &self.roles {
            if let Some(group) = role.rights.member_of.iter().find(|g| !self.roles.contains_key(*g))
            {
                return Err(format!("role {name} is a member of {group}, which does not exist"));
            }
        }
        let masks = self.roles.values().flat_map(|role| role.rights.masks.values());
        let has_hashes = masks.into_iter().any(|mask| *mask == crate::session::Mask::Hash);
        match has_hashes && self.mask_key.len() < KEY_BYTES {
            true => Err(format!("has hashed columns and no `{}` line", MASK_KEY.trim())),
            false => Ok(()),
        }
    }

    /// Names of the roles, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// Whether nobody can log in.
    pub fn is_empty(&self) -> bool {
        self.roles.values().all(|role| role.verifier.is_none())
    }

    /// The verifier of `name`, if it logs in.
    pub fn verifier(&self, name: &str) -> Option<&Verifier> {
        self.roles.get(name)?.verifier.as_ref()
    }

    /// The role called `name`.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// What a session of `name` may: its own rights and those of the roles it is a member of.
    ///
    /// Grants add up; row policies and masks all hold.
    pub fn access(&self, name: &str) -> Option<Access> {
        let role = self.roles.get(name)?;
        let groups = self.memberships(name);
        let all: Vec<&Rights> = std::iter::once(name)
            .chain(groups.iter().map(String::as_str))
            .filter_map(|name| self.roles.get(name).map(|role| &role.rights))
            .collect();
        let mut policies = Policies::new(name, &self.mask_key);
        for rights in &all {
            for (relation, condition) in &rights.rows {
                policies.add_rows(relation.clone(), condition);
            }
            for ((relation, column), mask) in &rights.masks {
                policies.add_mask(relation.clone(), column, *mask);
            }
        }
        let is_limited = !policies.is_empty();
        let sights = all.iter().map(|rights| {
            let mut sight = Sight { reads: vec![], hides: rights.hides.clone() };
            if rights.is_standard {
                sight.reads = Sight::standard(is_limited).reads;
            }
            sight.reads.extend(rights.reads.iter().cloned());
            sight
        });
        let profile = role.rights.profile;
        let mut access = match profile {
            Profile::Admin => Access::reading(name),
            _ => Access::seeing(name, profile, sights.collect(), policies),
        };
        for schema in all.iter().flat_map(|rights| &rights.owned) {
            access = access.owning(schema);
        }
        for group in &groups {
            access = access.member(group);
        }
        Some(access.limited(role.rights.limits_resolved()))
    }

    /// The roles that `name` is a member of, and those that they are members of.
    fn memberships(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![name];
        while let Some(next) = open.pop() {
            let Some(role) = self.roles.get(next) else { continue };
            for group in &role.rights.member_of {
                if group != name && found.insert(group.clone()) {
                    open.push(group);
                }
            }
        }
        found
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if !self.mask_key.is_empty() {
            text = format!("{MASK_KEY}{}\n", STANDARD.encode(&self.mask_key));
        }
        for (name, role) in &self.roles {
            text.push_str(&match &role.verifier {
                Some(verifier) => verifier.line(name),
                None => format!("{name} {NO_LOGIN}\n"),
            });
            text.push_str(&role.rights.lines());
        }
        text
    }

    fn save(&self, path: &Path) -> Result<()> {
        // What could not be read again is not written.
        Self::parse(&self.text())
            .map_err(|reason| Error::Credential { path: path.to_owned(), reason })?;
        replace(path, self.text().as_bytes()).map_err(|e| Error::file("write", path, e))
    }
}

/// Adds role `name` to the file at `path`, or changes its password; true if it is new.
///
/// # Errors
/// [`Error::Role`] for a name or password that will not do, and those of [`Roles::load`].
pub fn add(path: &Path, name: &str, password: &str) -> Result<bool> {
    add_with(path, name, Some(password), None)
}

/// The same with `rights`, if the role is new or they are given; without a password nobody logs in
/// as the role.
///
/// # Errors
/// Those of [`add`].
pub fn add_with(
    path: &Path,
    name: &str,
    password: Option<&str>,
    rights: Option<Rights>,
) -> Result<bool> {
    check_name(name)?;
    if password.is_some_and(|text| text.chars().count() < PASSWORD_CHARACTERS_MIN) {
        let reason = format!("needs a password of {PASSWORD_CHARACTERS_MIN} characters or more");
        return Err(Error::Role { name: name.into(), reason });
    }
    let verifier = password.map(Verifier::of_password).transpose()?;
    let mut roles = Roles::load(path)?;
    let former = roles.roles.get(name).map(|role| role.rights.clone());
    let is_new = former.is_none();
    let rights = rights.or(former).unwrap_or_default();
    roles.roles.insert(name.to_owned(), Role { verifier, rights });
    roles.save(path)?;
    Ok(is_new)
}

/// Changes the rights of role `name` in the file at `path`, as `change` does.
///
/// # Errors
/// [`Error::Role`] if there is no such role, that of `change`, and those of [`Roles::load`].
pub fn change(
    path: &Path,
    name: &str,
    change: impl FnOnce(&mut Rights) -> Result<()>,
) -> Result<()> {
    let mut roles = Roles::load(path)?;
    let role = roles.roles.get_mut(name).ok_or_else(|| unknown(name))?;
    change(&mut role.rights)?;
    if role.rights.masks.values().any(|mask| *mask == crate::session::Mask::Hash)
        && roles.mask_key.is_empty()
    {
        roles.mask_key = random_bytes::<KEY_BYTES>()?.to_vec();
    }
    roles.save(path)
}

/// Removes role `name` from the file at `path`, and from the roles that are members of it.
///
/// # Errors
/// [`Error::Role`] if there is no such role, and those of [`Roles::load`].
pub fn remove(path: &Path, name: &str) -> Result<()> {
    let mut roles = Roles::load(path)?;
    roles.roles.remove(name).ok_or_else(|| unknown(name))?;
    for role in roles.roles.values_mut() {
        role.rights.member_of.remove(name);
    }
    roles.save(path)
}

/// That there is no role called `name`.
pub fn unknown(name: &str) -> Error {
    Error::Role { name: name.into(), reason: "does not exist".into() }
}

/// Names of the roles in the file at `path`, sorted.
///
/// # Errors
/// Those of [`Roles::load`].
pub fn list(path: &Path) -> Result<Vec<String>> {
    Ok(Roles::load(path)?.names().map(str::to_owned).collect())
}

/// Makes up verifiers for unknown users, so that they cannot be told from known ones.
///
/// The same name gets the same salt as long as the process runs.
pub struct Pretender {
    secret: [u8; KEY_BYTES],
}

impl fmt::Debug for Pretender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pretender")
    }
}

impl Pretender {
    /// One with a secret of its own.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new() -> Result<Self> {
        Ok(Self { secret: random_bytes()? })
    }

    /// A verifier that no password fits.
    pub fn verifier(&self, name: &str) -> Verifier {
        let derive = |purpose: &str| {
            // HMAC takes keys of any length, so this cannot fail.
            Hmac::<Sha256>::new_from_slice(&self.secret).map_or_else(
                |_| vec![0; KEY_BYTES],
                |mac| {
                    let mac = mac.chain_update(purpose).chain_update([0]).chain_update(name);
                    mac.finalize().into_bytes().to_vec()
                },
            )
        };
        let mut salt = derive("salt");
        salt.truncate(SALT_BYTES);
        Verifier {
            iterations: ITERATIONS,
            salt,
            stored_key: derive("stored key"),
            server_key: derive("server key"),
        }
    }
}

/// A password nobody can foresee: 24 letters, digits, `-` and `_`.
///
/// # Errors
/// If the system has no randomness.
pub fn random_password() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<18>()?))
}

/// Bytes nobody can foresee.
///
/// # Errors
/// If the system has no randomness.
pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::file("read", "the system's randomness", io::Error::other(e)))?;
    Ok(bytes)
}

/// Refuses a secret file that anyone but its owner may read.
///
/// # Errors
/// [`Error::Credential`] naming the mode it has.
pub(super) fn check_private(path: &Path, metadata: &fs::Metadata) -> Result<()> {
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let reason = format!("has mode {mode:04o}, which lets others read it; set it to 0600");
    Err(Error::Credential { path: path.to_owned(), reason })
}

fn check_name(name: &str) -> Result<()> {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@'));
    if is_plain && !name.is_empty() && name.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    let reason = format!(
        "is not a name: letters, digits, and _ - . @ are allowed, up to {NAME_BYTES_MAX} bytes"
    );
    Err(Error::Role { name: name.into(), reason })
}

/// Puts `bytes` in the place of `path`, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
