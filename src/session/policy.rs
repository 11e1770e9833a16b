//! Row policies and masks of a role: what of a table's rows and values reaches it, at all.
//!
//! A policy is a SQL condition over the columns of its relation; a row for which it is not true does
//! not exist for the role.
//! A mask puts something else in the place of a column's values.
//! Both hold wherever the relation is read from, views of the system included; several policies on
//! one relation must all hold.
//! [`super::barrier`] applies them below everything that a client wrote.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, ExprWithAlias, GroupByExpr, Query, SetExpr, Statement, Value, Visit, VisitMut,
    Visitor, VisitorMut,
};

use super::limits;
use crate::error::{Error, Result};
use crate::lake::TableName;

/// Longest condition of a policy (bytes).
const CONDITION_BYTES_MAX: usize = 4_096;

/// What is shown instead of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mask {
    /// The start of an e-mail address and its domain, the last four of anything longer than eight.
    Partial,
    /// 32 digits that stand for the value: equal where values are equal, and no way back.
    Hash,
    /// NULL.
    Null,
}

impl Mask {
    /// All of them, by name, the ones that show more first.
    pub const ALL: [(&'static str, Self); 3] =
        [("partial", Self::Partial), ("hash", Self::Hash), ("null", Self::Null)];

    /// Its name in the file of roles.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// The one called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, mask)| *mask)
    }
}

/// The policies and masks of one relation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Policy {
    /// Conditions that a row must meet, each of them.
    pub rows: Vec<String>,
    /// Masked columns.
    pub masks: BTreeMap<String, Mask>,
}

/// All policies and masks that hold for one role.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Policies {
    /// What `current_user` is.
    user: String,
    /// Key of hashed values, the same for all roles of a server.
    key: Vec<u8>,
    relations: BTreeMap<TableName, Policy>,
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("relations", &self.relations).finish_non_exhaustive()
    }
}

impl Policies {
    /// None yet, for `user`; values are hashed with `key`.
    pub fn new(user: &str, key: &[u8]) -> Self {
        Self { user: user.to_owned(), key: key.to_vec(), relations: BTreeMap::new() }
    }

    /// Adds a condition on the rows of `relation`.
    pub fn add_rows(&mut self, relation: TableName, condition: &str) {
        self.relations.entry(relation).or_default().rows.push(condition.to_owned());
    }

    /// Masks `column` of `relation`; of two masks the one that shows less holds.
    pub fn add_mask(&mut self, relation: TableName, column: &str, mask: Mask) {
        let masks = &mut self.relations.entry(relation).or_default().masks;
        let held = masks.entry(column.to_owned()).or_insert(mask);
        *held = mask.max(*held);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.relations.is_empty()
    }

    /// Those of each relation that has some.
    pub fn relations(&self) -> impl Iterator<Item = (&TableName, &Policy)> {
        self.relations.iter()
    }

    /// Those of `relation`.
    pub(super) fn of(&self, relation: &TableName) -> Option<&Policy> {
        self.relations.get(relation)
    }

    /// Key of hashed values.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The conditions of `policy` over `schema`, as one.
    pub(super) fn condition(
        &self,
        policy: &Policy,
        state: &SessionState,
        schema: &DFSchema,
    ) -> Result<Option<Expr>> {
        let mut all: Option<Expr> = None;
        for text in &policy.rows {
            let expr = planned(parsed(text, &self.user)?, state, schema)?;
            all = Some(match all {
                Some(others) => others.and(expr),
                None => expr,
            });
        }
        Ok(all)
    }
}

/// Refuses a condition that is not one SQL expression over columns of its own relation.
///
/// # Errors
/// 42601 for a syntax error, 0A000 for subqueries and for what has no value in a single row.
pub fn check_condition(text: &str) -> Result<()> {
    parsed(text, "nobody").map(drop)
}

fn parsed(text: &str, user: &str) -> Result<SqlExpr> {
    let wrong = |reason: &str| Error::statement("42601", format!("a row policy {reason}"));
    if text.chars().any(char::is_control) {
        return Err(wrong("is one line of SQL"));
    }
    // Behind a comment the closing parenthesis, and with it half of a condition, would be lost.
    if text.contains("--") || text.contains("/*") {
        return Err(wrong("has no comments"));
    }
    let sql = format!("SELECT 1 WHERE ({text})");
    let mut statements = limits::parse(&sql, CONDITION_BYTES_MAX)?;
    let (Some(Statement::Query(query)), true) = (statements.pop(), statements.is_empty()) else {
        return Err(wrong("is one condition"));
    };
    let is_bare = query.order_by.is_none() && query.limit_clause.is_none() && query.with.is_none();
    let SetExpr::Select(select) = *query.body else { return Err(wrong("is one condition")) };
    let has_groups = match &select.group_by {
        GroupByExpr::Expressions(by, modifiers) => !by.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    let is_bare = is_bare && !has_groups && select.having.is_none() && select.qualify.is_none();
    let Some(mut condition) = select.selection.filter(|_| is_bare) else {
        return Err(wrong("is one condition"));
    };
    if Visit::visit(&condition, &mut Subqueries).is_break() {
        return Err(Error::statement("0A000", "a row policy cannot have a subquery"));
    }
    let _ = VisitMut::visit(&mut condition, &mut CurrentUser(user));
    Ok(condition)
}

struct Subqueries;

impl Visitor for Subqueries {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

/// Puts the role's name in the place of `current_user` and `session_user`.
struct CurrentUser<'a>(&'a str);

impl VisitorMut for CurrentUser<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut SqlExpr) -> ControlFlow<()> {
        let name = match expr {
            SqlExpr::Function(function) => function.name.to_string(),
            SqlExpr::Identifier(ident) if ident.quote_style.is_none() => ident.value.clone(),
            _ => return ControlFlow::Continue(()),
        };
        if ["current_user", "session_user"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
            *expr = SqlExpr::Value(Value::SingleQuotedString(self.0.to_owned()).into());
        }
        ControlFlow::Continue(())
    }
}

fn planned(condition: SqlExpr, state: &SessionState, schema: &DFSchema) -> Result<Expr> {
    let aliased = ExprWithAlias { expr: condition, alias: None };
    let expr = state.create_logical_expr_from_sql_expr(aliased, schema)?;
    let refused =
        |what: &str| Error::statement("0A000", format!("a row policy cannot have {what}"));
    if expr.is_volatile() {
        return Err(refused("a function that changes from call to call"));
    }
    let mut misplaced = None;
    expr.apply(|part| {
        let what = match part {
            Expr::AggregateFunction(_) => "an aggregate",
            Expr::WindowFunction(_) => "a window function",
            Expr::Placeholder(_) => "a parameter",
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        misplaced = Some(what);
        Ok(TreeNodeRecursion::Stop)
    })?;
    if let Some(what) = misplaced {
        return Err(refused(what));
    }
    // The planner of expressions settles types; what it cannot settle is refused here.
    state.create_physical_expr(expr.clone(), schema)?;
    match expr.get_type(schema)? {
        datafusion::arrow::datatypes::DataType::Boolean => Ok(expr),
        other => Err(Error::statement(
            "42804",
            format!("a row policy must be true or false, not {other}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_one_expression() {
        for sound in ["owner_id = 'x'", "a = 1 OR b IN (2, 3)", "current_user = owner", "x IS NULL"]
        {
            check_condition(sound).expect(sound);
        }
        for (text, sqlstate) in [
            ("", "42601"),
            ("a = 1; SELECT 2", "42601"),
            ("a = 1) UNION SELECT 1 WHERE (true", "42601"),
            ("a = 1) GROUP BY (b", "42601"),
            ("a = 1) LIMIT (1", "42601"),
            ("true) -- (", "42601"),
            ("a IN (SELECT 1)", "0A000"),
            ("EXISTS (SELECT 1)", "0A000"),
            ("a = 1\nOR true", "42601"),
        ] {
            let error = check_condition(text).expect_err(text);
            assert_eq!(error.sqlstate(), sqlstate, "{text}: {error}");
        }
    }

    #[test]
    fn current_user_is_the_role_whatever_it_is_called() {
        let condition =
            parsed("owner = CURRENT_USER OR \"current_user\" = 1", "o'hara").expect("sound");
        assert_eq!(condition.to_string(), "(owner = 'o''hara' OR \"current_user\" = 1)");
    }

    #[test]
    fn the_mask_that_shows_less_holds() {
        let mut policies = Policies::default();
        let table = TableName::new("crm", "contacts");
        policies.add_mask(table.clone(), "email", Mask::Hash);
        policies.add_mask(table.clone(), "email", Mask::Partial);
        assert_eq!(policies.of(&table).expect("some").masks["email"], Mask::Hash);
        policies.add_mask(table.clone(), "email", Mask::Null);
        assert_eq!(policies.of(&table).expect("some").masks["email"], Mask::Null);
    }
}
