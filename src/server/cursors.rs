//! Cursors of SQL: DECLARE, FETCH, MOVE and CLOSE.
//!
//! A cursor goes forward; back it goes to its beginning only, where its query starts again, within
//! its transaction on the same snapshot.

use std::collections::BTreeMap;
use std::time::Instant;

use chrono::{DateTime, Utc};
use datafusion::sql::sqlparser::ast::{
    Declare, Expr, FetchDirection, Query as SqlQuery, Statement, Value,
};

use super::catalog::OpenCursor;
use super::connection::Connection;
use super::encode::{Form, Format};
use super::fault::Fault;
use super::names::folded;
use super::outbox::TransactionStatus;
use super::prepared::{Columns, Query};
use super::rows::{Progress, Rows, Sending, guarded};
use super::settings;
use crate::error::{Error, Result};

/// What DECLARE asks for.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    name: String,
    is_binary: bool,
    is_held: bool,
    query: Box<SqlQuery>,
    /// Values of its parameters.
    pub(super) values: BTreeMap<usize, Expr>,
}

/// What FETCH and MOVE ask for.
#[derive(Debug, Clone)]
pub(super) struct Fetch {
    /// The cursor.
    pub(super) name: String,
    way: Way,
    /// Whether rows are passed over and not sent.
    pub(super) is_move: bool,
}

/// Where a cursor goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// So many rows ahead; `None` is all.
    Ahead(Option<u64>),
    /// To the row of this number, counted from 1, and that row; 0 is before the first.
    To(u64),
    /// Past so many rows, and the last of them.
    Past(u64),
    /// Before the first row.
    Beginning,
    /// Anywhere else behind.
    Back,
}

/// An open cursor.
pub(super) struct Cursor {
    query: Query,
    values: BTreeMap<usize, Expr>,
    pub(super) columns: Columns,
    is_binary: bool,
    /// Whether it outlives its transaction.
    is_held: bool,
    /// Whether the transaction that declared it is open.
    is_new: bool,
    /// The rows, from the first FETCH on.
    rows: Option<Rows>,
    /// Rows that it is past.
    position: u64,
    is_done: bool,
    /// When it was declared.
    declared_at: DateTime<Utc>,
}

impl Declared {
    /// The cursor that `declare` asks for.
    ///
    /// # Errors
    /// 42601 for a declaration of anything else.
    pub(super) fn of(mut declared: Vec<Declare>) -> Result<Self> {
        let (Some(declare), true) = (declared.pop(), declared.is_empty()) else {
            return Err(Error::statement("42601", "one cursor is declared at a time"));
        };
        let (Some(name), Some(query)) = (declare.names.first(), declare.for_query) else {
            return Err(Error::statement("42601", "a cursor needs a name and a query"));
        };
        Ok(Self {
            name: folded(name),
            is_binary: declare.binary.unwrap_or(false),
            is_held: declare.hold.unwrap_or(false),
            query,
            values: BTreeMap::new(),
        })
    }

    /// The query whose rows it goes through.
    pub(super) fn statement(&self) -> Statement {
        Statement::Query(self.query.clone())
    }
}

impl Fetch {
    /// The way that FETCH (or MOVE) `direction` goes.
    pub(super) fn of(name: String, direction: FetchDirection, is_move: bool) -> Result<Self> {
        let count = |value: &Value| match value {
            Value::Number(text, _) => text
                .to_string()
                .parse::<u64>()
                .map_err(|_| Error::statement("22023", format!("{text} is no number of rows"))),
            other => Err(Error::statement("22023", format!("{other} is no number of rows"))),
        };
        use FetchDirection as D;
        let way = match &direction {
            D::Next => Way::Ahead(Some(1)),
            D::Count { limit } => Way::Ahead(Some(count(&limit.value)?)),
            D::Forward { limit: Some(limit) } => Way::Ahead(Some(count(&limit.value)?)),
            D::Forward { limit: None } => Way::Ahead(Some(1)),
            D::All | D::ForwardAll => Way::Ahead(None),
            D::First => Way::To(1),
            D::Absolute { limit } => Way::To(count(&limit.value)?),
            D::Relative { limit } => Way::Past(count(&limit.value)?),
            D::BackwardAll if is_move => Way::Beginning,
            D::Last | D::Prior | D::Backward { .. } | D::BackwardAll => Way::Back,
        };
        Ok(Self { name, way, is_move })
    }
}

impl Connection {
    /// Opens a cursor.
    pub(super) async fn declare(&mut self, declared: Declared) -> Result<(), Fault> {
        if !declared.is_held && self.status == TransactionStatus::Idle {
            let message = "DECLARE CURSOR can only be used in transaction blocks";
            return Err(Fault::error("25P01", message));
        }
        if self.cursors.contains_key(&declared.name) {
            let message = format!("cursor \"{}\" already exists", declared.name);
            return Err(Fault::error("42P03", message));
        }
        Self::check_room(self.cursors.len(), "cursors")?;
        let query = Query::new(Statement::Query(declared.query), None);
        // Planned once now, so that what is wrong is told now; nothing runs before the first FETCH.
        let planned = guarded(query.plan(&self.session, &declared.values)).await?;
        let (_, columns) = planned?;
        let cursor = Cursor {
            query,
            values: declared.values,
            columns,
            is_binary: declared.is_binary,
            is_held: declared.is_held,
            is_new: self.status != TransactionStatus::Idle,
            rows: None,
            position: 0,
            is_done: false,
            declared_at: Utc::now(),
        };
        self.cursors.insert(declared.name, cursor);
        Ok(())
    }

    /// The open cursor called `name`.
    pub(super) fn cursor(&self, name: &str) -> Result<&Cursor, Fault> {
        self.cursors.get(name).ok_or_else(|| no_cursor(name))
    }

    /// Sends rows of a cursor, or passes over them; the tag of the answer. `formats` are those that
    /// Bind asked for; without any the rows are announced here.
    pub(super) async fn fetch(
        &mut self,
        fetch: &Fetch,
        formats: Option<&[Format]>,
    ) -> Result<String, Fault> {
        if formats.is_none() && !fetch.is_move {
            let (columns, formats) = self.cursor(&fetch.name)?.announced();
            self.wire.outbox.row_description(&columns, &formats);
        }
        let mut cursor = self.cursors.remove(&fetch.name).ok_or_else(|| no_cursor(&fetch.name))?;
        let (_, own) = cursor.announced();
        let formats = match formats {
            Some(formats) if !cursor.is_binary => formats,
            _ => &own[..],
        };
        let begun = Instant::now();
        let moved = Box::pin(self.advance(&mut cursor, fetch, formats)).await;
        match &moved {
            Ok(progress) => self.ended(begun, progress.rows, progress.bytes, None),
            Err(fault) => self.ended(begun, 0, 0, Some(fault)),
        }
        // A cursor that failed is not gone on with: what it would give next is not known.
        let progress = moved?;
        self.cursors.insert(fetch.name.clone(), cursor);
        let word = if fetch.is_move { "MOVE" } else { "FETCH" };
        Ok(format!("{word} {}", progress.rows))
    }

    async fn advance(
        &mut self,
        cursor: &mut Cursor,
        fetch: &Fetch,
        formats: &[Format],
    ) -> Result<Progress, Fault> {
        let (skipped, wanted) = match fetch.way {
            Way::Ahead(count) => (0, count),
            Way::Past(count) => (count.saturating_sub(1), Some(count.min(1))),
            Way::Beginning | Way::To(0) => {
                let passed = cursor.position;
                cursor.rewind();
                return Ok(Progress { rows: passed, bytes: 0, is_end: false });
            }
            Way::To(row) => {
                if row <= cursor.position {
                    cursor.rewind();
                }
                (row - 1 - cursor.position, Some(1))
            }
            Way::Back => {
                return Err(Fault::error("55000", "cursor can only scan forward")
                    .with_hint("MOVE BACKWARD ALL goes back to its beginning."));
            }
        };
        let nothing = Progress { rows: 0, bytes: 0, is_end: cursor.is_done };
        if cursor.is_done || wanted == Some(0) {
            return Ok(nothing);
        }
        let stops = self.begin_query(&cursor.query)?;
        let (mut rows, mut turn) = match cursor.rows.take() {
            Some(rows) => {
                let turn = self.go_on(rows.watch(), &stops).await?;
                (rows, turn)
            }
            None => {
                let started = Box::pin(self.start(&cursor.query, &cursor.values, &stops));
                let (rows, _, turn) = started.await?;
                (rows, turn)
            }
        };
        let mut passed = rows.pass(skipped, &stops, &mut self.wire).await?;
        cursor.position += passed.rows;
        if !passed.is_end {
            let rows_max = wanted.unwrap_or(0);
            passed = match fetch.is_move {
                true => rows.pass(wanted.unwrap_or(u64::MAX), &stops, &mut self.wire).await?,
                false => {
                    let zone = settings::zone(&self.session);
                    let sending = Sending { form: Form::Rows(formats), zone, rows_max };
                    Box::pin(rows.send(sending, &mut self.wire, &stops, &mut turn)).await?
                }
            };
            cursor.position += passed.rows;
        } else {
            passed.rows = 0;
        }
        cursor.is_done = passed.is_end;
        cursor.rows = (!passed.is_end).then_some(rows);
        Ok(passed)
    }

    /// Closes one cursor, or all.
    pub(super) fn close_cursor(&mut self, name: Option<&str>) -> Result<(), Fault> {
        match name {
            None => self.cursors.clear(),
            Some(name) => drop(self.cursors.remove(name).ok_or_else(|| no_cursor(name))?),
        }
        Ok(())
    }

    /// Ends the cursors that end with their transaction.
    pub(super) fn end_cursors(&mut self, has_failed: bool) {
        self.cursors.retain(|_, cursor| cursor.is_held && !(has_failed && cursor.is_new));
        self.cursors.values_mut().for_each(|cursor| cursor.is_new = false);
    }
}

impl Cursor {
    /// Its columns and their formats, as RowDescription says them.
    pub(super) fn announced(&self) -> (Columns, Vec<Format>) {
        let format = if self.is_binary { Format::Binary } else { Format::Text };
        (self.columns.clone(), vec![format; self.columns.len()])
    }

    /// What `pg_cursors` says of it, which is called `name`.
    pub(super) fn shown(&self, name: &str) -> OpenCursor {
        OpenCursor {
            name: name.to_owned(),
            statement: self.query.source().to_owned(),
            is_held: self.is_held,
            is_binary: self.is_binary,
            declared_at: self.declared_at,
        }
    }

    fn rewind(&mut self) {
        (self.rows, self.position, self.is_done) = (None, 0, false);
    }
}

fn no_cursor(name: &str) -> Fault {
    Fault::error("34000", format!("cursor \"{name}\" does not exist"))
}
