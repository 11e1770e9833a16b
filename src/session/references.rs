//! How many tables a statement comes to, with every WITH in the place of its name.
//!
//! A dozen common table expressions that each name the one before twice are a statement of 700
//! bytes and a plan of thousands of nodes; the planner would find out too late.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement, TableFactor, Visit, Visitor};

use super::limits::too_complex;
use crate::error::{Error, Result};

/// Tables, subqueries and functions in FROM, those of each WITH counted wherever it is named.
const REFERENCES_MAX: u64 = 256;
/// What one SELECT may join, by JOIN or by comma.
const JOINED_MAX: usize = 65;

/// Refuses a statement that comes to too many tables.
///
/// # Errors
/// 54001, which says what there is too much of.
pub(super) fn check(statement: &Statement) -> Result<()> {
    let mut counter = Counter { frames: vec![Frame::default()] };
    match Visit::visit(statement, &mut counter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

/// One query on the way down: what it has named so far, and its WITH.
#[derive(Default)]
struct Frame {
    references: u64,
    /// References of each name of its WITH, once it is counted.
    named: HashMap<String, u64>,
    /// Names of its WITH by where the syntax tree holds their queries.
    pending: HashMap<*const Query, String>,
}

struct Counter {
    frames: Vec<Frame>,
}

impl Counter {
    /// What `name` comes to: the references of the nearest WITH that has it, and itself.
    fn cost(&self, name: &str) -> u64 {
        let named = self.frames.iter().rev().find_map(|frame| frame.named.get(name));
        named.map_or(1, |references| references.saturating_add(1))
    }

    fn add(&mut self, references: u64) -> ControlFlow<Box<Error>> {
        let Some(frame) = self.frames.last_mut() else { return ControlFlow::Continue(()) };
        frame.references = frame.references.saturating_add(references);
        if frame.references <= REFERENCES_MAX {
            return ControlFlow::Continue(());
        }
        let reason = format!("more than {REFERENCES_MAX} tables, with each WITH where it is named");
        ControlFlow::Break(Box::new(too_complex(reason)))
    }
}

impl Visitor for Counter {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let mut frame = Frame::default();
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = table.alias.name.value.to_lowercase();
            frame.pending.insert(std::ptr::from_ref(table.query.as_ref()), name);
        }
        self.frames.push(frame);
        if let SetExpr::Select(select) = query.body.as_ref() {
            let joined: usize = select.from.iter().map(|item| 1 + item.joins.len()).sum();
            if joined > JOINED_MAX {
                let reason = format!("more than {} joins", JOINED_MAX - 1);
                return ControlFlow::Break(Box::new(too_complex(reason)));
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let done = self.frames.pop().unwrap_or_default();
        let Some(outer) = self.frames.last_mut() else { return ControlFlow::Continue(()) };
        match outer.pending.remove(&std::ptr::from_ref(query)) {
            Some(name) => {
                outer.named.insert(name, done.references);
                ControlFlow::Continue(())
            }
            None => self.add(done.references),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        let cost = match factor {
            TableFactor::Table { name, .. } => match name.0.as_slice() {
                [only] => only.as_ident().map_or(1, |only| self.cost(&only.value.to_lowercase())),
                _ => 1,
            },
            _ => 1,
        };
        self.add(cost)
    }
}

#[cfg(test)]
mod tests {
    use crate::session::limits;

    fn state(sql: &str) -> &'static str {
        limits::parse(sql, 1 << 20).map_or_else(|error| error.sqlstate(), |_| "ok")
    }

    fn doubling(levels: usize) -> String {
        let mut sql = "WITH a0 AS (SELECT 1 AS x)".to_owned();
        for level in 1..=levels {
            let below = level - 1;
            sql.push_str(&format!(", a{level} AS (SELECT l.x FROM a{below} l, A{below} r)"));
        }
        sql + &format!(" SELECT count(*) FROM a{levels}")
    }

    #[test]
    fn what_doubles_is_refused_before_it_is_planned() {
        assert_eq!(state(&doubling(7)), "ok");
        assert_eq!(state(&doubling(8)), "54001");
        assert_eq!(state(&doubling(60)), "54001");
        assert_eq!(state(&format!("SELECT ({}) + 1", doubling(8))), "54001");
        assert_eq!(state(&format!("EXPLAIN {}", doubling(8))), "54001");
    }

    #[test]
    fn long_chains_of_with_and_recursion_are_not() {
        let mut sql = "WITH a0 AS (SELECT 1 AS x)".to_owned();
        for level in 1..100 {
            sql.push_str(&format!(", a{level} AS (SELECT x FROM a{})", level - 1));
        }
        assert_eq!(state(&(sql + " SELECT x FROM a99")), "ok");
        let recursive = "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t \
                         WHERE n < 5) SELECT * FROM t";
        assert_eq!(state(recursive), "ok");
        // A name of an outer query is hidden by the same name of an inner one.
        assert_eq!(
            state("WITH a AS (SELECT 1) SELECT * FROM (WITH a AS (SELECT 2) SELECT * FROM a) s"),
            "ok"
        );
    }

    #[test]
    fn joins_by_comma_count() {
        let tables = |count: usize| {
            let tables: Vec<String> = (0..count).map(|at| format!("(VALUES (1)) t{at}")).collect();
            format!("SELECT 1 FROM {}", tables.join(", "))
        };
        assert_eq!(state(&tables(60)), "ok");
        assert_eq!(state(&tables(70)), "54001");
    }
}
