//! What one role may see and change: settled at login, asked by every statement.
//!
//! A right is a [`Scope`]: a schema or a relation, and perhaps some of its columns.
//! A role sees a column if one of its [`Sight`]s reads it and does not hide it: what is hidden stays
//! hidden however wide the grant around it is, and a role that is a member of another sees what that
//! one sees besides.
//! Row policies and masks are in [`Policies`], because views see through them too.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::RwLock;

use super::policy::Policies;
use crate::schema::{CRM, MART, OPS, REPORTS};

/// What a role is held to; `None` leaves what the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once (count).
    pub connections_max: Option<usize>,
    /// Queries that run at once (count).
    pub queries_running_max: Option<usize>,
    /// Time a statement may run (ms); a session can lower it and not raise it.
    pub statement_timeout_ms_max: Option<u64>,
    /// Memory one query may hold (bytes).
    pub memory_query_bytes_max: Option<usize>,
    /// Rows of one result (count).
    pub result_rows_max: Option<u64>,
    /// Tables in the schemas the role owns, together (bytes).
    pub scratch_bytes_max: Option<u64>,
}

/// What a role is there for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// A person who reads.
    #[default]
    Analyst,
    /// A BI tool: many short queries under one login.
    Bi,
    /// A job that may also refresh reports.
    Batch,
    /// An operator, who sees everything.
    Admin,
}

impl Profile {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("analyst", Self::Analyst),
        ("bi", Self::Bi),
        ("batch", Self::Batch),
        ("admin", Self::Admin),
    ];

    /// Its name in the file of roles.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// The one called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, profile)| *profile)
    }

    /// What a role of this kind is held to unless its own limits say otherwise.
    pub fn limits(self) -> Limits {
        match self {
            // A dashboard that waits longer, or draws more, was asked the wrong question.
            Self::Bi => Limits {
                statement_timeout_ms_max: Some(60_000),
                result_rows_max: Some(1_000_000),
                ..Limits::default()
            },
            Self::Analyst | Self::Batch | Self::Admin => Limits::default(),
        }
    }
}

/// A schema, or a relation in it, and perhaps only some of its columns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// The schema.
    pub schema: String,
    /// The relation; `None` is everything in the schema, what comes later included.
    pub relation: Option<String>,
    /// The columns; `None` is all of them, those that come later included.
    pub columns: Option<BTreeSet<String>>,
}

impl Scope {
    /// All of `schema`.
    pub fn schema(schema: &str) -> Self {
        Self { schema: schema.into(), relation: None, columns: None }
    }

    /// All columns of `schema.relation`.
    pub fn relation(schema: &str, relation: &str) -> Self {
        Self { schema: schema.into(), relation: Some(relation.into()), columns: None }
    }

    /// Only `columns` of it.
    #[must_use]
    pub fn only<'a>(mut self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.columns = Some(columns.into_iter().map(str::to_owned).collect());
        self
    }

    /// Whether `schema.relation` is in it, wholly or in part.
    pub fn covers(&self, schema: &str, relation: &str) -> bool {
        self.schema == schema && self.relation.as_deref().is_none_or(|own| own == relation)
    }

    fn covers_column(&self, schema: &str, relation: &str, column: &str) -> bool {
        self.covers(schema, relation)
            && self.columns.as_ref().is_none_or(|columns| columns.contains(column))
    }
}

/// What one role's own lines let it see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// What it reads.
    pub reads: Vec<Scope>,
    /// What it does not, whatever else it reads.
    pub hides: Vec<Scope>,
}

impl Sight {
    /// What a new role reads: the canonical tables, the reports, and how loading went, but not the
    /// bytes of rows that were not loaded.
    ///
    /// Materialized reports are made of all rows, so that a role with policies (`is_limited`) does not
    /// read them unless somebody says so.
    pub fn standard(is_limited: bool) -> Self {
        let mut reads: Vec<Scope> = vec![Scope::schema(CRM)];
        reads.extend(REPORTS.iter().map(|schema| Scope::schema(schema)));
        reads.extend((!is_limited).then(|| Scope::schema(MART)));
        let ops = ["as_of", "freshness", "fx_rates", "quarters", "ingest_runs", "quarantine"];
        reads.extend(ops.map(|relation| Scope::relation(OPS, relation)));
        Self { reads, hides: vec![] }
    }

    fn sees_column(&self, schema: &str, relation: &str, column: &str) -> bool {
        let covers = |scope: &&Scope| scope.covers_column(schema, relation, column);
        self.reads.iter().any(|scope| covers(&scope)) && !self.hides.iter().any(|s| covers(&s))
    }

    fn sees(&self, schema: &str, relation: &str) -> bool {
        let is_hidden = |s: &Scope| s.columns.is_none() && s.covers(schema, relation);
        self.reads.iter().any(|s| s.covers(schema, relation)) && !self.hides.iter().any(is_hidden)
    }

    fn sees_schema(&self, schema: &str) -> bool {
        let is_hidden = |s: &Scope| *s == Scope::schema(schema);
        self.reads.iter().any(|s| s.schema == schema) && !self.hides.iter().any(is_hidden)
    }
}

/// The column that holds the bytes of rows that were not loaded.
const RAW_BYTES: (&str, &str, &str) = (OPS, "quarantine", "raw_base64");

/// The rights of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    role: String,
    profile: Profile,
    /// What it sees; `None` is everything.
    sights: Option<Vec<Sight>>,
    /// Schemas whose tables and views the role makes, changes and drops.
    owned: BTreeSet<String>,
    /// Roles it is a member of.
    member_of: BTreeSet<String>,
    policies: Arc<Policies>,
    limits: Limits,
}

impl Access {
    /// Reads everything and writes nothing, as `role`.
    pub fn reading(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            profile: Profile::Admin,
            sights: None,
            owned: BTreeSet::new(),
            member_of: BTreeSet::new(),
            policies: Arc::default(),
            limits: Limits::default(),
        }
    }

    /// Sees what one of `sights` sees, through `policies`, and writes nothing, as `role`.
    pub fn seeing(role: &str, profile: Profile, sights: Vec<Sight>, policies: Policies) -> Self {
        Self {
            profile,
            sights: Some(sights),
            policies: Arc::new(policies),
            limits: profile.limits(),
            ..Self::reading(role)
        }
    }

    /// The same rights, and `schema` to keep tables and views of its own in.
    #[must_use]
    pub fn owning(mut self, schema: &str) -> Self {
        self.owned.insert(schema.to_owned());
        self
    }

    /// The same rights, as a member of `role`.
    #[must_use]
    pub fn member(mut self, role: &str) -> Self {
        self.member_of.insert(role.to_owned());
        self
    }

    /// The same rights within `limits`.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What views of the system read for this role: every column, through the role's policies.
    pub(super) fn of_definer(policies: &Arc<Policies>) -> Self {
        Self { policies: policies.clone(), ..Self::reading("") }
    }

    /// What the role is held to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Name of the role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// What the role is there for.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Whether the role operates the server: sees every session, stops any query.
    pub fn is_admin(&self) -> bool {
        self.profile == Profile::Admin
    }

    /// Whether the role may have reports materialized.
    pub fn may_refresh(&self) -> bool {
        matches!(self.profile, Profile::Batch | Profile::Admin)
    }

    /// Whether it is `role`, or a member of it.
    pub fn acts_as(&self, role: &str) -> bool {
        self.role == role || self.member_of.contains(role)
    }

    /// Roles it is a member of, sorted.
    pub fn memberships(&self) -> impl Iterator<Item = &str> {
        self.member_of.iter().map(String::as_str)
    }

    /// Whether the role makes and drops what is in `schema`.
    pub fn owns(&self, schema: &str) -> bool {
        self.owned.contains(schema)
    }

    /// Schemas that the role owns, sorted.
    pub fn owned(&self) -> impl Iterator<Item = &str> {
        self.owned.iter().map(String::as_str)
    }

    /// Its row policies and masks.
    pub fn policies(&self) -> &Arc<Policies> {
        &self.policies
    }

    /// Whether `schema` exists for it.
    pub fn sees_schema(&self, schema: &str) -> bool {
        self.owns(schema) || self.sights().is_none_or(|mut all| all.any(|s| s.sees_schema(schema)))
    }

    /// Whether `schema.relation` exists for it, if it exists at all.
    pub fn sees(&self, schema: &str, relation: &str) -> bool {
        self.owns(schema)
            || self.sights().is_none_or(|mut all| all.any(|s| s.sees(schema, relation)))
    }

    /// Whether `column` of `schema.relation` exists for it, if it exists at all.
    pub fn sees_column(&self, schema: &str, relation: &str, column: &str) -> bool {
        if self.owns(schema) {
            return true;
        }
        let Some(mut sights) = self.sights() else { return true };
        if !self.is_admin() && RAW_BYTES == (schema, relation, column) {
            // A grant that names the column is meant; one that happens to be wide is not.
            return sights.any(|sight| {
                let is_named = |s: &Scope| s.columns.is_some();
                let named: Vec<Scope> =
                    sight.reads.iter().filter(|s| is_named(s)).cloned().collect();
                let named = Sight { reads: named, hides: sight.hides.clone() };
                named.sees_column(schema, relation, column)
            });
        }
        sights.any(|sight| sight.sees_column(schema, relation, column))
    }

    fn sights(&self) -> Option<impl Iterator<Item = &Sight>> {
        self.sights.as_ref().map(|all| all.iter())
    }
}

/// The rights of a session as they are now: roles may change while it lasts.
#[derive(Debug)]
pub struct Granted(RwLock<Arc<Access>>);

impl Granted {
    /// Those of `access`.
    pub(super) fn new(access: Arc<Access>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(access)))
    }

    /// What the session may.
    pub fn now(&self) -> Arc<Access> {
        self.0.read().clone()
    }

    pub(super) fn become_now(&self, access: Arc<Access>) {
        *self.0.write() = access;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn analyst(sight: Sight) -> Access {
        Access::seeing("ana", Profile::Analyst, vec![sight], Policies::default())
    }

    #[test]
    fn a_new_role_reads_reports_and_no_rejected_bytes() {
        let ana = analyst(Sight::standard(false));
        for (schema, relation) in [("crm", "accounts"), ("collect", "win_loss"), ("mart", "x")] {
            assert!(ana.sees(schema, relation), "{schema}.{relation}");
        }
        assert!(ana.sees_column("ops", "quarantine", "reason"));
        assert!(!ana.sees_column("ops", "quarantine", "raw_base64"));
        for (schema, relation) in [("raw", "regions"), ("ops", "queries"), ("other", "x")] {
            assert!(!ana.sees(schema, relation), "{schema}.{relation}");
        }
        assert!(!ana.sees_schema("raw") && ana.sees_schema("ops"));
        assert!(!analyst(Sight::standard(true)).sees_schema("mart"));
        assert!(Access::reading("root").sees_column("ops", "quarantine", "raw_base64"));
        // Wide is not meant; named is.
        let wide = Sight { reads: vec![Scope::schema("ops")], hides: vec![] };
        assert!(!analyst(wide).sees_column("ops", "quarantine", "raw_base64"));
        let named = Scope::relation("ops", "quarantine").only(["raw_base64"]);
        let named = Sight { reads: vec![named], hides: vec![] };
        assert!(analyst(named).sees_column("ops", "quarantine", "raw_base64"));
    }

    #[test]
    fn what_is_hidden_stays_hidden_and_memberships_add() {
        let own = Sight {
            reads: vec![Scope::schema("crm")],
            hides: vec![
                Scope::relation("crm", "contacts"),
                Scope::relation("crm", "leads").only(["email"]),
            ],
        };
        let group = Sight {
            reads: vec![Scope::relation("crm", "contacts").only(["contact_id"])],
            hides: vec![],
        };
        let alone = analyst(own.clone());
        assert!(!alone.sees("crm", "contacts") && alone.sees("crm", "leads"));
        assert!(!alone.sees_column("crm", "leads", "email"));
        assert!(alone.sees_column("crm", "leads", "lead_id"));
        let both = Access::seeing("ana", Profile::Bi, vec![own, group], Policies::default());
        assert!(both.sees_column("crm", "contacts", "contact_id"));
        assert!(!both.sees_column("crm", "contacts", "email"));
        assert_eq!(both.limits().statement_timeout_ms_max, Some(60_000));
    }
}
