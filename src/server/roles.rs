//! Who may log in: a file of roles and SCRAM verifiers, one a line, as Postgres stores them.
//!
//! `name SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`: from such a line nobody can log in
//! without finding the password first.
//! Changes are written beside the file, synced and renamed over it, so that a reader sees the old
//! roles or the new ones.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use pgwire::api::auth::sasl::scram::{ScramSecret, gen_salted_password};
use sha2::Sha256;

use crate::error::{Error, Result};

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

/// The roles of a file.
#[derive(Clone, Default)]
pub struct Roles {
    verifiers: BTreeMap<String, Verifier>,
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.verifiers.keys()).finish()
    }
}

impl Roles {
    /// Reads the roles of `path`; a file that does not exist has none.
    ///
    /// # Errors
    /// [`Error::Credential`] if others may read the file or a line is not a role,
    /// [`Error::File`] if it cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(Error::file("read", path, e)),
        };
        check_private(path, &metadata)?;
        let text = fs::read_to_string(path).map_err(|e| Error::file("read", path, e))?;
        let mut verifiers = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let role = line.split_once(' ').and_then(|(name, verifier)| {
                Some((name.to_owned(), Verifier::parse(verifier.trim())?))
            });
            let Some((name, verifier)) = role else {
                // The line itself is not shown: it may hold a key.
                let reason = format!("line {} is not a role and its verifier", at + 1);
                return Err(Error::Credential { path: path.to_owned(), reason });
            };
            verifiers.insert(name, verifier);
        }
        Ok(Self { verifiers })
    }

    /// Names of the roles, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.verifiers.keys().map(String::as_str)
    }

    /// Whether nobody can log in.
    pub fn is_empty(&self) -> bool {
        self.verifiers.is_empty()
    }

    /// The verifier of `name`.
    pub fn verifier(&self, name: &str) -> Option<&Verifier> {
        self.verifiers.get(name)
    }

    fn save(&self, path: &Path) -> Result<()> {
        let text: String = self.verifiers.iter().map(|(name, v)| v.line(name)).collect();
        replace(path, text.as_bytes()).map_err(|e| Error::file("write", path, e))
    }
}

/// Adds role `name` to the file at `path`, or changes its password; true if it is new.
///
/// # Errors
/// [`Error::Role`] for a name or password that will not do, and those of [`Roles::load`].
pub fn add(path: &Path, name: &str, password: &str) -> Result<bool> {
    check_name(name)?;
    if password.chars().count() < PASSWORD_CHARACTERS_MIN {
        let reason = format!("needs a password of {PASSWORD_CHARACTERS_MIN} characters or more");
        return Err(Error::Role { name: name.into(), reason });
    }
    let mut roles = Roles::load(path)?;
    let former = roles.verifiers.insert(name.to_owned(), Verifier::of_password(password)?);
    roles.save(path)?;
    Ok(former.is_none())
}

/// Removes role `name` from the file at `path`.
///
/// # Errors
/// [`Error::Role`] if there is no such role, and those of [`Roles::load`].
pub fn remove(path: &Path, name: &str) -> Result<()> {
    let mut roles = Roles::load(path)?;
    if roles.verifiers.remove(name).is_none() {
        return Err(Error::Role { name: name.into(), reason: "does not exist".into() });
    }
    roles.save(path)
}

/// Names of the roles in the file at `path`, sorted.
///
/// # Errors
/// Those of [`Roles::load`].
pub fn list(path: &Path) -> Result<Vec<String>> {
    Ok(Roles::load(path)?.names().map(str::to_owned).collect())
}

/// The roles of a file, read again when it changes, so that a new role can log in at once.
#[derive(Debug)]
pub(super) struct RoleBook {
    path: PathBuf,
    read: Mutex<(Stamp, Arc<Roles>)>,
}

/// When a file was changed and how long it is.
type Stamp = Option<(SystemTime, u64)>;

impl RoleBook {
    /// Reads the roles of `path`.
    ///
    /// # Errors
    /// Those of [`Roles::load`], and [`Error::Credential`] if there is no role at all.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let stamp = stamp(&path);
        let roles = Roles::load(&path)?;
        if roles.is_empty() {
            let reason =
                "holds no role, so nobody could log in; add one with `runrate role add NAME`";
            return Err(Error::Credential { path, reason: reason.into() });
        }
        Ok(Self { path, read: Mutex::new((stamp, Arc::new(roles))) })
    }

    /// The roles as they are now; those read last if the file can no longer be trusted.
    pub(super) fn current(&self) -> Arc<Roles> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.path);
        if now != read.0 {
            match Roles::load(&self.path) {
                Ok(roles) => *read = (now, Arc::new(roles)),
                Err(error) => {
                    tracing::error!(error = error.chain(), "the roles cannot be read again");
                }
            }
        }
        read.1.clone()
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
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
mod tests {
    use super::*;

    #[test]
    fn roles_are_kept_private_and_found_again() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("lake/_roles");
        assert!(add(&path, "ana", "correct horse").expect("adds"));
        assert!(!add(&path, "ana", "battery staple").expect("changes"));
        assert!(add(&path, "bob", "correct horse").expect("adds"));
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(list(&path).expect("lists"), ["ana", "bob"]);
        let roles = Roles::load(&path).expect("loads");
        let verifier = roles.verifier("ana").expect("ana");
        assert_eq!(Verifier::parse(verifier.line("").trim()).as_ref(), Some(verifier));
        remove(&path, "ana").expect("removes");
        assert_eq!(list(&path).expect("lists"), ["bob"]);
        let error = remove(&path, "ana").expect_err("gone");
        assert_eq!(error.to_string(), "role \"ana\" does not exist");
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("roles");
        add(&path, "ana", "correct horse").expect("adds");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        let error = Roles::load(&path).expect_err("too open");
        assert!(error.to_string().contains("0640"), "{error}");
    }

    #[test]
    fn lines_that_are_not_roles_are_refused_without_being_shown() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("roles");
        for line in [
            "ana secret",
            "ana SCRAM-SHA-256$10:AAAAAAAAAAAAAAAA$AA:AA",
            "ana SCRAM-SHA-256$15000:c2FsdHNhbHQ=$c2hvcnQ=:c2hvcnQ=",
        ] {
            replace(&path, line.as_bytes()).expect("writes");
            let error = Roles::load(&path).expect_err(line);
            assert!(error.to_string().ends_with("line 1 is not a role and its verifier"));
        }
    }

    #[test]
    fn weak_names_and_passwords_are_refused() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("roles");
        for (name, password) in [("a b", "correct horse"), ("", "correct horse"), ("ana", "short")]
        {
            let error = add(&path, name, password).expect_err(name);
            assert!(matches!(error, Error::Role { .. }), "{error}");
        }
        assert!(!path.exists());
    }

    #[test]
    fn unknown_users_get_a_stable_salt_and_nothing_prints_keys() {
        let pretender = Pretender::new().expect("randomness");
        assert_eq!(pretender.verifier("eve"), pretender.verifier("eve"));
        assert_ne!(pretender.verifier("eve").salt, pretender.verifier("eva").salt);
        let shown = format!("{:?} {:?}", pretender.verifier("eve"), pretender);
        assert_eq!(shown, format!("Verifier {{ iterations: {ITERATIONS}, .. }} Pretender"));
    }
}
