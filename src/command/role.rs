//! `runrate role`: who may log in.

use std::fs;
use std::io::{BufRead, IsTerminal};
use std::path::Path;

use super::say;
use crate::cli::RoleAction;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::server::roles;

/// Adds, lists or removes a role of the file that `config` names.
pub(super) fn run(action: RoleAction, config: &Config) -> Result<u8> {
    let path = config.roles_path();
    match action {
        RoleAction::Add { name, password_file } => {
            let password = match password_file {
                Some(file) => of_file(&file)?,
                None => of_person(&name)?,
            };
            let is_new = roles::add(&path, &name, &password)?;
            let what = if is_new { "added" } else { "has a new password" };
            say(&format!("role {name} {what} in {}\n", path.display()))?;
        }
        RoleAction::List => {
            for name in roles::list(&path)? {
                say(&format!("{name}\n"))?;
            }
        }
        RoleAction::Remove { name } => {
            roles::remove(&path, &name)?;
            say(&format!("role {name} removed from {}\n", path.display()))?;
        }
    }
    Ok(0)
}

/// The first line of `path`.
fn of_file(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|e| Error::file("read", path, e))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Asks on the terminal, twice and without showing it; takes one line from anything else.
fn of_person(name: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        let mut text = String::new();
        let read = std::io::stdin().lock().read_line(&mut text);
        read.map_err(|e| Error::file("read", "standard input", e))?;
        return Ok(text.trim_end_matches(['\n', '\r']).to_owned());
    }
    let first = ask(&format!("Password of {name}: "))?;
    if first == ask("The same again: ")? {
        return Ok(first);
    }
    Err(Error::Role { name: name.into(), reason: "needs the same password twice".into() })
}

fn ask(question: &str) -> Result<String> {
    rpassword::prompt_password(question).map_err(|e| Error::file("ask on", "the terminal", e))
}
