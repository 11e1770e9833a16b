//! `pg_catalog` for one session: what psql, drivers and BI tools ask before the first real question.
//!
//! The fixed part of the catalog (types, operators, casts) and the rewriting of Postgres-only syntax
//! are those of datafusion-pg-catalog.
//! What is ours is made here: schemas, tables, columns, comments and functions, with identifiers
//! that stay the same as long as the process runs, and nothing of how roles log in.

mod activity;
mod answers;
mod comments;
mod fixed;
mod functions;
mod information;
mod keys;
mod names;
mod oids;
mod open;
mod privileges;
mod procedures;
mod relations;
mod rewrite;
mod rows;
mod sizes;
mod standard;
mod system;

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion_pg_catalog::pg_catalog::PgCatalogStaticTables;
use datafusion_pg_catalog::pg_catalog::generate_series_arg_coercion::CoerceIntArgsToBigInt;
use datafusion_pg_catalog::pg_catalog::oid_type_planner::PgOidTypePlanner;

use super::cancel::Sessions;
use crate::error::{Error, Result};
use crate::session::{CATALOG, Engine, FunctionPage, Session, function_pages};

pub(super) use open::{Open, OpenCursor, OpenStatement};
pub(super) use rewrite::rewrite;

/// Schema of the catalog.
const PG_CATALOG: &str = "pg_catalog";
/// Schema of the standard's views of it.
const INFORMATION_SCHEMA: &str = "information_schema";
/// Schema that functions are shown in.
const PUBLIC: &str = "public";
/// Who owns everything.
const OWNER: &str = "runrate";

/// What all sessions share: the fixed tables, identifiers and comments.
#[derive(Debug)]
pub(super) struct Catalog {
    library: Arc<PgCatalogStaticTables>,
    fixed: Arc<fixed::FixedTables>,
    oids: Arc<oids::Oids>,
    comments: Arc<comments::Comments>,
    pages: Arc<Pages>,
    own_columns: Arc<relations::OwnColumns>,
}

/// Pages of the functions; a function's object is its place among them.
#[derive(Debug)]
struct Pages(Vec<FunctionPage>);

/// A session among the others.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    /// What clients know it as.
    pub(super) process: i32,
    /// All of them.
    pub(super) sessions: Arc<Sessions>,
    /// What it has open.
    pub(super) open: Arc<Open>,
}

impl Catalog {
    /// Reads the fixed tables and collects the comments of `engine`.
    ///
    /// # Errors
    /// If the fixed tables cannot be read.
    pub(super) fn new(engine: &Engine) -> Result<Self> {
        let library = Arc::new(PgCatalogStaticTables::try_new()?);
        Ok(Self {
            fixed: Arc::new(fixed::FixedTables::new(&library)?),
            library,
            oids: Arc::default(),
            comments: Arc::new(comments::Comments::new(engine)),
            pages: Arc::new(Pages(function_pages(engine.table_functions()))),
            own_columns: Arc::default(),
        })
    }

    /// Adds the catalog's tables and functions to `session`, which `seat` is about.
    ///
    /// # Errors
    /// If the session refuses them.
    pub(super) fn install(&self, session: &Session, seat: Seat) -> Result<()> {
        let process = seat.process;
        let context = session.context();
        let database = context.catalog(CATALOG).ok_or_else(|| {
            Error::from(DataFusionError::Internal(format!("there is no catalog {CATALOG}")))
        })?;
        let relations = Arc::new(relations::PgCatalog::new(self, &database, session, seat));
        database.register_schema(PG_CATALOG, relations.clone())?;
        let information = information::InformationSchema(relations);
        database.register_schema(INFORMATION_SCHEMA, Arc::new(information))?;
        functions::register(context, self, session, process);
        privileges::register(context, self, session);
        let state = context.state_ref();
        let mut planned = SessionStateBuilder::new_from_existing(state.read().clone())
            .with_type_planner(Arc::new(PgOidTypePlanner))
            .build();
        // The engine's own would come before ours.
        planned.config_mut().options_mut().catalog.information_schema = false;
        *state.write() = planned;
        CoerceIntArgsToBigInt::widen(context);
        Ok(())
    }
}
