//! `runrate role`: who may log in, and what each role may.

use std::fs;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use super::say;
use crate::cli::{RoleAction, RoleAddArgs, RoleGrantArgs, RoleRevokeArgs};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::lake::TableName;
use crate::server::roles::rights::{self, Rights, scope_text};
use crate::server::roles::{self, Roles};
use crate::session::{Mask, Policies, Profile, Scope, check_condition};

/// Changes or shows the roles of the file that `config` names.
pub(super) async fn run(action: RoleAction, config: Config) -> Result<u8> {
    let path = config.roles_path();
    match action {
        RoleAction::Add(arguments) => add(&path, &arguments)?,
        RoleAction::Grant(arguments) => {
            check_fit(&arguments, config).await?;
            roles::change(&path, &arguments.name, |rights| grant(rights, &arguments))?;
            say(&format!("role {} changed in {}\n", arguments.name, path.display()))?;
        }
        RoleAction::Revoke(arguments) => {
            roles::change(&path, &arguments.name, |rights| revoke(rights, &arguments))?;
            say(&format!("role {} changed in {}\n", arguments.name, path.display()))?;
        }
        RoleAction::Show { name } => {
            let all = Roles::load(&path)?;
            say(&shown(&all, &name)?)?;
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

fn add(path: &Path, arguments: &RoleAddArgs) -> Result<()> {
    let name = &arguments.name;
    let known = Roles::load(path)?.role(name).map(|role| role.rights.clone());
    let profile = arguments.profile.as_deref().map(|text| profile(name, text)).transpose()?;
    let mut rights = match (known, arguments.bare) {
        (Some(_), true) => return Err(wrong(name, "is there already; --bare is for a new one")),
        (Some(known), false) => known,
        (None, true) => Rights::none(),
        (None, false) => Rights::default(),
    };
    rights.profile = profile.unwrap_or(rights.profile);
    let password = match (&arguments.password_file, arguments.no_login) {
        (_, true) => None,
        (Some(file), false) => Some(of_file(file)?),
        (None, false) => Some(of_person(name)?),
    };
    let is_new = roles::add_with(path, name, password.as_deref(), Some(rights))?;
    let what = match (is_new, arguments.no_login) {
        (true, _) => "added",
        (false, true) => "cannot log in any more, as written",
        (false, false) => "has a new password",
    };
    say(&format!("role {name} {what} in {}\n", path.display()))
}

/// Refuses what does not fit the tables of the lake, before anything is written.
async fn check_fit(arguments: &RoleGrantArgs, config: Config) -> Result<()> {
    let Some(on) = &arguments.on else { return Ok(()) };
    let name = &arguments.name;
    let scope = scope(name, on, arguments.columns.as_deref())?;
    let mut policies = Policies::new(name, b"only its length matters, not what is in it");
    let relation = scope.relation.as_ref().map(|r| TableName::new(scope.schema.clone(), r.clone()));
    if arguments.rows.is_some() || !arguments.mask.is_empty() || scope.columns.is_some() {
        let Some(relation) = &relation else {
            return Err(wrong(name, "needs --on SCHEMA.RELATION for --rows, --mask and --columns"));
        };
        if let Some(condition) = &arguments.rows {
            check_condition(condition)?;
            policies.add_rows(relation.clone(), condition);
        }
        for text in &arguments.mask {
            let (column, mask) = mask(name, text)?;
            policies.add_mask(relation.clone(), &column, mask);
        }
        for column in scope.columns.iter().flatten() {
            policies.add_mask(relation.clone(), column, Mask::Null);
        }
    }
    let engine = super::engine(config).await?;
    if let Some(relation) = relation {
        if !engine.knows(&relation) {
            let reason = "does not exist".into();
            return Err(Error::NoTable { table: relation.to_string(), reason });
        }
    }
    engine.check_policies(&Arc::new(policies)).await
}

fn grant(rights: &mut Rights, arguments: &RoleGrantArgs) -> Result<()> {
    let name = &arguments.name;
    if let Some(on) = &arguments.on {
        let scope = scope(name, on, arguments.columns.as_deref())?;
        let is_only_policy = arguments.rows.is_some() || !arguments.mask.is_empty();
        let relation =
            scope.relation.as_ref().map(|r| TableName::new(scope.schema.clone(), r.clone()));
        if let Some(relation) = relation {
            if let Some(condition) = &arguments.rows {
                rights.rows.insert(relation.clone(), condition.trim().to_owned());
            }
            for text in &arguments.mask {
                let (column, mask) = mask(name, text)?;
                rights.masks.insert((relation.clone(), column), mask);
            }
        }
        // A policy on what the role reads already grants nothing more.
        if !is_only_policy || scope.columns.is_some() || !reads(rights, &scope) {
            rights.hides.retain(|hidden| !is_within(hidden, &scope));
            if !rights.reads.contains(&scope) {
                rights.reads.push(scope);
            }
        }
    }
    rights.is_standard |= arguments.standard;
    if let Some(schema) = &arguments.own {
        let schema = rights::whole_name(schema)
            .ok_or_else(|| wrong(name, "needs the name of one schema"))?;
        check_own(name, &schema)?;
        rights.owned.insert(schema);
    }
    rights.member_of.extend(arguments.member_of.iter().cloned());
    for text in &arguments.limit {
        let parsed = text
            .split_once('=')
            .and_then(|(key, value)| rights.limit(key.trim(), Some(value.trim().parse().ok()?)));
        parsed.ok_or_else(|| {
            wrong(name, &format!("takes limits as NAME=NUMBER: {}", rights::LIMITS.join(", ")))
        })?;
    }
    if let Some(text) = &arguments.profile {
        rights.profile = profile(name, text)?;
    }
    Ok(())
}

fn revoke(rights: &mut Rights, arguments: &RoleRevokeArgs) -> Result<()> {
    let name = &arguments.name;
    if let Some(on) = &arguments.on {
        let scope = scope(name, on, arguments.columns.as_deref())?;
        let relation =
            scope.relation.as_ref().map(|r| TableName::new(scope.schema.clone(), r.clone()));
        match (relation, arguments.rows, arguments.mask.is_empty()) {
            (Some(relation), true, _) => {
                rights.rows.remove(&relation).ok_or_else(|| wrong(name, "has no such policy"))?;
            }
            (Some(relation), _, false) => {
                for column in &arguments.mask {
                    let key = (relation.clone(), column.clone());
                    rights.masks.remove(&key).ok_or_else(|| wrong(name, "has no such mask"))?;
                }
            }
            _ => {
                rights.reads.retain(|granted| !is_within(granted, &scope));
                if reads(rights, &scope) && !rights.hides.contains(&scope) {
                    rights.hides.push(scope);
                }
            }
        }
    }
    rights.is_standard &= !arguments.standard;
    if let Some(schema) = &arguments.own {
        let is_gone = rights.owned.remove(schema);
        is_gone.then_some(()).ok_or_else(|| wrong(name, "owns no such schema"))?;
    }
    if let Some(group) = &arguments.member_of {
        let is_gone = rights.member_of.remove(group);
        is_gone.then_some(()).ok_or_else(|| wrong(name, "is no member of it"))?;
    }
    for limit in &arguments.limit {
        rights.limit(limit, None).ok_or_else(|| {
            wrong(name, &format!("has these limits: {}", rights::LIMITS.join(", ")))
        })?;
    }
    Ok(())
}

/// Whether `inner` lies wholly within `outer`.
fn is_within(inner: &Scope, outer: &Scope) -> bool {
    let has_columns = match (&inner.columns, &outer.columns) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => inner.is_subset(outer),
    };
    let is_covered = match &inner.relation {
        Some(relation) => outer.covers(&inner.schema, relation),
        None => outer.relation.is_none() && outer.schema == inner.schema,
    };
    is_covered && has_columns
}

/// Whether `rights` read any of `scope`.
fn reads(rights: &Rights, scope: &Scope) -> bool {
    let standard = crate::session::Sight::standard(false).reads;
    let standard = standard.iter().filter(|_| rights.is_standard);
    standard.chain(&rights.reads).any(|granted| match (&granted.relation, &scope.relation) {
        (Some(a), Some(b)) => granted.schema == scope.schema && a == b,
        _ => granted.schema == scope.schema,
    })
}

/// Refuses to give away what the system keeps.
fn check_own(name: &str, schema: &str) -> Result<()> {
    use crate::schema::{CRM, MART, OPS, RAW, REPORTS};
    let kept = [CRM, OPS, RAW, MART, "pg_catalog", "information_schema", "public"];
    match kept.contains(&schema) || REPORTS.contains(&schema) {
        true => Err(wrong(name, &format!("cannot own {schema}: it is the system's"))),
        false => Ok(()),
    }
}

fn scope(name: &str, on: &str, columns: Option<&str>) -> Result<Scope> {
    let text = match columns {
        Some(columns) => format!("{on} ({columns})"),
        None => on.to_owned(),
    };
    rights::scope(&text)
        .ok_or_else(|| wrong(name, "takes --on SCHEMA or SCHEMA.RELATION, and --columns A,B"))
}

fn mask(name: &str, text: &str) -> Result<(String, Mask)> {
    let (column, how) = text.split_once('=').unwrap_or((text, "null"));
    let masks: Vec<&str> = Mask::ALL.iter().map(|(known, _)| *known).collect();
    let mask = Mask::named(how.trim());
    let column = rights::whole_name(column);
    column.zip(mask).ok_or_else(|| {
        wrong(name, &format!("takes masks as COLUMN=HOW, where HOW is one of {}", masks.join(", ")))
    })
}

fn profile(name: &str, text: &str) -> Result<Profile> {
    let names: Vec<&str> = Profile::ALL.iter().map(|(known, _)| *known).collect();
    Profile::named(text)
        .ok_or_else(|| wrong(name, &format!("takes one of these profiles: {}", names.join(", "))))
}

fn wrong(name: &str, reason: &str) -> Error {
    Error::Role { name: name.into(), reason: reason.into() }
}

/// What `name` may, with what comes to it from the roles it is a member of.
fn shown(all: &Roles, name: &str) -> Result<String> {
    let role = all.role(name).ok_or_else(|| roles::unknown(name))?;
    let access = all.access(name).ok_or_else(|| roles::unknown(name))?;
    let login = if all.verifier(name).is_some() { "logs in" } else { "nobody logs in as it" };
    let mut text = format!("{name}: {login}\n{}", role.rights.lines());
    for group in access.memberships() {
        let Some(group_role) = all.role(group) else { continue };
        text.push_str(&format!("and as a member of {group}:\n{}", group_role.rights.lines()));
    }
    if role.rights.is_standard {
        let is_limited = !access.policies().is_empty();
        let reads = crate::session::Sight::standard(is_limited).reads;
        let reads: Vec<String> = reads.iter().map(scope_text).collect();
        text.push_str(&format!("standard: {}\n", reads.join(", ")));
        if is_limited {
            text.push_str(
                "mart holds reports made of all rows: a role with policies reads it only if granted\n",
            );
        }
    }
    if access.is_admin() {
        text.push_str(
            "an admin sees everything, without policies, and logs in from this machine only\n",
        );
    }
    Ok(text)
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
