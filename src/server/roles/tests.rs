//! Roles as they are kept: private, whole, and what their lines mean.

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
    for (name, password) in [("a b", "correct horse"), ("", "correct horse"), ("ana", "short")] {
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

#[test]
fn a_role_without_lines_has_the_standard_rights() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("roles");
    add(&path, "ana", "correct horse").expect("adds");
    let text = fs::read_to_string(&path).expect("reads");
    let bare: String =
        text.lines().filter(|line| !line.starts_with(' ')).map(|l| format!("{l}\n")).collect();
    assert_ne!(text, bare);
    let roles = Roles::parse(&bare).expect("as it was before there were rights");
    let access = roles.access("ana").expect("ana");
    assert!(access.sees("crm", "accounts") && !access.sees("raw", "regions"));
    assert!(access.policies().is_empty() && !access.is_admin());
    assert_eq!(roles, Roles::load(&path).expect("loads"));
}

#[test]
fn a_line_that_is_wrong_is_named_and_not_shown() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("roles");
    add(&path, "ana", "correct horse").expect("adds");
    let text = fs::read_to_string(&path).expect("reads");
    for (more, reason) in [
        ("  read secret.", "line 4 is not a right of a role"),
        ("  rows crm.a secret IN (SELECT 1)", "line 4 is not a right of a role"),
        ("bob secret", "line 4 is not a role and its verifier"),
        (&text, "line 4 is not the only one of its role"),
        ("=mask-key ?", "line 4 is not a key in base64"),
        ("  member secret", "role ana is a member of secret, which does not exist"),
        ("  mask crm.a.b hash", "has hashed columns and no `=mask-key` line"),
    ] {
        let error = Roles::parse(&format!("{text}{more}")).expect_err(more);
        assert_eq!(error, reason, "{more}");
    }
    assert_eq!(Roles::parse("  standard").expect_err("no role"), "line 1 is not below a role");
}

#[test]
fn groups_add_grants_and_their_policies_all_hold() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("roles");
    add_with(&path, "emea", None, Some(Rights::none())).expect("adds");
    add_with(&path, "ana", Some("correct horse"), Some(Rights::none())).expect("adds");
    let table = crate::lake::TableName::new("crm", "deals");
    change(&path, "emea", |rights| {
        rights.reads.push(crate::session::Scope::schema("crm"));
        rights.rows.insert(table.clone(), "region = 'emea'".into());
        rights.masks.insert((table.clone(), "name".into()), crate::session::Mask::Hash);
        Ok(())
    })
    .expect("changes");
    change(&path, "ana", |rights| {
        rights.rows.insert(table.clone(), "owner = current_user".into());
        rights.member_of.insert("emea".into());
        Ok(())
    })
    .expect("changes");
    let roles = Roles::load(&path).expect("loads");
    let ana = roles.access("ana").expect("ana");
    assert!(ana.sees("crm", "deals") && ana.acts_as("emea") && !ana.acts_as("amer"));
    let (_, policy) = ana.policies().relations().next().expect("policies");
    assert_eq!(policy.rows, ["owner = current_user", "region = 'emea'"]);
    assert!(roles.verifier("emea").is_none());
    assert!(!format!("{ana:?} {roles:?}").contains("SCRAM"), "{ana:?}");
    remove(&path, "emea").expect("removes");
    let ana = Roles::load(&path).expect("loads").access("ana").expect("ana");
    assert!(!ana.sees("crm", "deals") && !ana.acts_as("emea"));
    let error = change(&path, "emea", |_| Ok(())).expect_err("gone");
    assert_eq!(error.to_string(), "role \"emea\" does not exist");
}
