//! What a role may, as the lines below its name in the file of roles say it.
//!
//! ```text
//! ana SCRAM-SHA-256$...
//!   profile analyst
//!   standard
//!   read raw.regions (region, country)
//!   hide crm.contacts (mobile)
//!   rows crm.opportunities owner_id = current_user
//!   mask crm.contacts.email partial
//!   limit queries_running_max 2
//!   own ana
//!   member emea
//! ```
//!
//! Every line is one right, so that a line that is wrong can be named, and taking it away takes away
//! nothing else.
//! A role without lines is an analyst with the standard rights, as roles were before they had any.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::lake::TableName;
use crate::session::{Limits, Mask, Profile, Scope, check_condition};

/// What one role's lines say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// What the role is there for.
    pub profile: Profile,
    /// Whether it reads what every new role does.
    pub is_standard: bool,
    /// What it reads besides.
    pub reads: Vec<Scope>,
    /// What it does not read, whatever else it does.
    pub hides: Vec<Scope>,
    /// Conditions on the rows of relations.
    pub rows: BTreeMap<TableName, String>,
    /// Masked columns.
    pub masks: BTreeMap<(TableName, String), Mask>,
    /// Its own limits; what they leave open the profile settles, and then the configuration.
    pub limits: Limits,
    /// Schemas it keeps tables of its own in.
    pub owned: BTreeSet<String>,
    /// Roles whose rights it has besides.
    pub member_of: BTreeSet<String>,
}

impl Default for Rights {
    fn default() -> Self {
        Self { is_standard: true, ..Self::none() }
    }
}

/// Names of the limits, in the order they are written.
pub const LIMITS: [&str; 6] = [
    "connections_max",
    "queries_running_max",
    "statement_timeout_ms_max",
    "memory_query_bytes_max",
    "result_rows_max",
    "scratch_bytes_max",
];

impl Rights {
    /// An analyst who reads nothing.
    pub fn none() -> Self {
        Self {
            profile: Profile::default(),
            is_standard: false,
            reads: vec![],
            hides: vec![],
            rows: BTreeMap::new(),
            masks: BTreeMap::new(),
            limits: Limits::default(),
            owned: BTreeSet::new(),
            member_of: BTreeSet::new(),
        }
    }

    /// Adds what one line says; `None` if it says nothing that is known.
    pub(super) fn add(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "profile" => self.profile = Profile::named(rest)?,
            "standard" if rest.is_empty() => self.is_standard = true,
            "read" => self.reads.push(scope(rest)?),
            "hide" => self.hides.push(scope(rest)?),
            "rows" => {
                let mut words = Words(rest);
                let relation = words.relation()?;
                let condition = words.0.trim();
                check_condition(condition).ok()?;
                self.rows.insert(relation, condition.to_owned());
            }
            "mask" => {
                let mut words = Words(rest);
                let relation = words.relation()?;
                words.mark('.')?;
                let column = words.name()?;
                self.masks.insert((relation, column), Mask::named(words.0.trim())?);
            }
            "limit" => {
                let (name, value) = rest.split_once(' ')?;
                self.limit(name, Some(value.trim().parse().ok()?))?;
            }
            "own" => self.owned.extend([whole_name(rest)?]),
            "member" if !rest.is_empty() => self.member_of.extend([rest.to_owned()]),
            _ => return None,
        }
        Some(())
    }

    /// Sets the limit called `name`, or takes it away.
    pub fn limit(&mut self, name: &str, value: Option<u64>) -> Option<()> {
        let limits = &mut self.limits;
        let count = || value.map_or(Some(None), |n| usize::try_from(n).ok().map(Some));
        match name {
            "connections_max" => limits.connections_max = count()?,
            "queries_running_max" => limits.queries_running_max = count()?,
            "statement_timeout_ms_max" => limits.statement_timeout_ms_max = value,
            "memory_query_bytes_max" => limits.memory_query_bytes_max = count()?,
            "result_rows_max" => limits.result_rows_max = value,
            "scratch_bytes_max" => limits.scratch_bytes_max = value,
            _ => return None,
        }
        Some(())
    }

    /// The limits that are set, by name.
    pub fn limits_set(&self) -> Vec<(&'static str, u64)> {
        of(&self.limits).into_iter().filter_map(|(name, n)| Some((name, n?))).collect()
    }

    /// Its own limits, and those of its profile where it has none.
    pub(super) fn limits_resolved(&self) -> Limits {
        let (own, profile) = (&self.limits, self.profile.limits());
        Limits {
            connections_max: own.connections_max.or(profile.connections_max),
            queries_running_max: own.queries_running_max.or(profile.queries_running_max),
            statement_timeout_ms_max: own
                .statement_timeout_ms_max
                .or(profile.statement_timeout_ms_max),
            memory_query_bytes_max: own.memory_query_bytes_max.or(profile.memory_query_bytes_max),
            result_rows_max: own.result_rows_max.or(profile.result_rows_max),
            scratch_bytes_max: own.scratch_bytes_max.or(profile.scratch_bytes_max),
        }
    }

    /// Its lines, as the file has them.
    pub fn lines(&self) -> String {
        let mut text = format!("  profile {}\n", self.profile.name());
        let mut line = |word: &str, rest: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {word} {rest}");
        };
        if self.is_standard {
            line("standard", String::new());
        }
        self.reads.iter().for_each(|scope| line("read", scope_text(scope)));
        self.hides.iter().for_each(|scope| line("hide", scope_text(scope)));
        for (relation, condition) in &self.rows {
            line("rows", format!("{} {condition}", relation_text(relation)));
        }
        for ((relation, column), mask) in &self.masks {
            let column = format!("{}.{}", relation_text(relation), quoted(column));
            line("mask", format!("{column} {}", mask.name()));
        }
        for (name, value) in self.limits_set() {
            line("limit", format!("{name} {value}"));
        }
        self.owned.iter().for_each(|schema| line("own", quoted(schema)));
        self.member_of.iter().for_each(|role| line("member", role.clone()));
        text.replace(" \n", "\n")
    }
}

fn of(limits: &Limits) -> [(&'static str, Option<u64>); 6] {
    let count = |value: Option<usize>| value.map(|n| n as u64);
    let values = [
        count(limits.connections_max),
        count(limits.queries_running_max),
        limits.statement_timeout_ms_max,
        count(limits.memory_query_bytes_max),
        limits.result_rows_max,
        limits.scratch_bytes_max,
    ];
    let mut at = 0;
    LIMITS.map(|name| {
        at += 1;
        (name, values[at - 1])
    })
}

/// `schema`, `schema.relation` or `schema.relation (column, ...)`.
pub fn scope(text: &str) -> Option<Scope> {
    let mut words = Words(text.trim());
    let mut scope = Scope::schema(&words.name()?);
    if words.mark('.').is_some() {
        scope.relation = Some(words.name()?);
    }
    if words.mark('(').is_some() {
        scope.relation.as_ref()?;
        let mut columns = BTreeSet::from([words.name()?]);
        while words.mark(',').is_some() {
            columns.insert(words.name()?);
        }
        words.mark(')')?;
        scope.columns = Some(columns);
    }
    words.0.trim().is_empty().then_some(scope)
}

/// The one name that `text` is.
pub fn whole_name(text: &str) -> Option<String> {
    let mut words = Words(text.trim());
    let name = words.name()?;
    words.0.is_empty().then_some(name)
}

/// A scope as [`scope`] reads it.
pub fn scope_text(scope: &Scope) -> String {
    let mut text = quoted(&scope.schema);
    if let Some(relation) = &scope.relation {
        text.push('.');
        text.push_str(&quoted(relation));
    }
    if let Some(columns) = &scope.columns {
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        text.push_str(&format!(" ({})", names.join(", ")));
    }
    text
}

/// A relation's name as SQL has it.
pub fn relation_text(name: &TableName) -> String {
    format!("{}.{}", quoted(&name.schema), quoted(&name.table))
}

fn is_bare(character: char) -> bool {
    character.is_lowercase() || character.is_ascii_digit() || character == '_'
}

/// `name` as SQL would need it: in quotes unless it is plain.
fn quoted(name: &str) -> String {
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// What is still to be read of a line.
struct Words<'a>(&'a str);

impl Words<'_> {
    /// The next name, folded as SQL folds it.
    fn name(&mut self) -> Option<String> {
        let text = self.0.trim_start();
        let Some(mut rest) = text.strip_prefix('"') else {
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
            self.0 = &text[end..];
            return (end > 0).then(|| text[..end].to_lowercase());
        };
        let mut name = String::new();
        loop {
            let end = rest.find('"')?;
            name.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(more) => {
                    name.push('"');
                    rest = more;
                }
                None => break,
            }
        }
        self.0 = rest;
        (!name.is_empty() && !name.contains(char::is_control)).then_some(name)
    }

    fn mark(&mut self, mark: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(mark)?;
        Some(())
    }

    fn relation(&mut self) -> Option<TableName> {
        let schema = self.name()?;
        self.mark('.')?;
        Some(TableName::new(schema, self.name()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let lines = [
            "profile bi",
            "standard",
            "read raw.\"My \"\"Table\" (\"First Name\", b)",
            "read raw",
            "hide crm.contacts (mobile)",
            "rows crm.opportunities owner_id = current_user OR stage = 'won'",
            "mask crm.contacts.email partial",
            "limit connections_max 3",
            "limit scratch_bytes_max 1000000",
            "own ana",
            "member emea",
        ];
        let mut rights = Rights::none();
        for line in lines {
            rights.add(line).expect(line);
        }
        let mut again = Rights::none();
        for line in rights.lines().lines() {
            again.add(line.trim()).expect(line);
        }
        assert_eq!(rights, again);
        let written: Vec<String> =
            rights.lines().lines().map(|line| line.trim().to_owned()).collect();
        assert!(lines.iter().all(|line| written.contains(&(*line).to_owned())), "{written:?}");
        assert_eq!(rights.limits_resolved().statement_timeout_ms_max, Some(60_000));
        assert_eq!(rights.limits_resolved().connections_max, Some(3));
    }

    #[test]
    fn lines_that_say_nothing_are_refused() {
        for line in [
            "profile root",
            "standard rights",
            "read",
            "read crm.",
            "read crm (a)",
            "read crm.a b",
            "rows crm.a",
            "rows crm.a x IN (SELECT 1)",
            "mask crm.a.b blur",
            "limit connections_max many",
            "limit rows 3",
            "own",
            "member",
            "grant crm",
        ] {
            assert_eq!(Rights::none().add(line), None, "{line}");
        }
    }
}
