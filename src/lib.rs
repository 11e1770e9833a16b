//! Runrate: the sales-operations warehouse that you query in SQL.
//!
//! # Bird's eye
//!
//! A CRM export enters at [`source`] as raw text columns, is named and checked by [`ingest`] through
//! a mapping (a SELECT of `datasets/`), rests in [`lake`] as Delta tables, is seen through
//! [`session`] as tables, views and functions, and is answered by [`server`] over the Postgres
//! protocol. Nothing flows back.
//!
//! ```text
//! export -> source -> ingest -> lake -> session -> server -> psql, BI tools, drivers
//!                       |                  |
//!                  datasets/*.sql     sql/*.sql, runrate-udfs
//! ```
//!
//! # Map
//!
//! | room | holds |
//! |---|---|
//! | [`cli`] | the command line as clap types |
//! | [`command`] | what each subcommand does |
//! | [`telemetry`] | logs |
//! | [`server`] | accept, TLS, login, statements, encoding, pg_catalog, health; alone knows pgwire |
//! | [`reports`] | the SELECTs of `sql/`, their order, materializing them |
//! | [`ingest`] | mapping, checking, quarantine, the ledger of batches |
//! | [`demo`] | a whole small company made from a seed |
//! | [`cluster`] | the wiring of the distributed engine |
//! | [`query`] | `runrate query`: results on stdout |
//! | [`session`] | the only maker of query contexts: catalog, limits, allow-list, functions |
//! | [`lake`] | the only writer of Delta tables; snapshots and scans |
//! | [`source`] | bytes of an export to raw text columns |
//! | [`schema`] | the canonical tables as data |
//! | [`config`] | every setting, resolved once; alone reads the environment |
//! | [`error`] | every error, and the one table to SQLSTATE |
//!
//! The functions themselves are the crate `runrate_udfs`, which any DataFusion program can use;
//! `runrate_plugin` is the same as a shared library with a C interface.
//!
//! # Invariants
//!
//! Each is held by `tests/tidy.rs`.
//!
//! - A room imports only rooms below it in the map.
//! - `udfs` knows no Runrate, no files, no clock: `as_of` is an argument. Its `math` knows no Arrow.
//! - `lake` knows no SQL; `source` knows no CRM; `server` touches no table file.
//! - SQL names only canonical tables, views and functions, and never asks for the time.
//! - Only [`config`] reads the environment, only `main` exits, only [`session`] makes contexts, only
//!   [`lake`] writes tables.
//! - Money stays decimal in SQL and storage; floats are for ratios, scores and models.
//!
//! # Decisions
//!
//! - **Own scan over Delta's log.** The pinned snapshot's file list becomes a plain Parquet scan with
//!   statistics and order, which delta-rs' own provider drops; see [`lake`].
//! - **Own wire loop.** pgwire decodes and encodes messages; reading, login, streaming, cancelling and
//!   encoding rows are ours, because cancel and time limits must stop the row stream; see [`server`].
//! - **Queries on threads of their own.** An operator that computes for minutes must not keep a socket
//!   from being read; joins yield, and their filters ask whether anybody still waits; see [`session`].
//! - **Own catalog tables.** Schemas, tables, columns and functions keep their numbers for the life of
//!   the process; types and operators are those of datafusion-pg-catalog; see [`server`].
//! - **Table functions are macros.** `FROM capacity_gap(...)` is expanded in the syntax tree, so that
//!   the planner sees an ordinary subquery; see [`session`].
//! - **Keys repeat above an unnest.** The engine believes otherwise and drops what follows a key in
//!   ORDER BY; a rule of ours makes it forget; see [`session`].
//! - **What is hidden is not there.** A session's catalog holds what its role is granted, and a relation
//!   with a row policy or mask is a leaf of every plan: what a client wrote runs above it; see [`session`].
//! - **One file commits a transaction.** Tables made over SQL are Delta tables, but which of them
//!   there are, under which names and at which versions, is one small file: putting it is the
//!   commit, so that a crash leaves all of a transaction or nothing; see [`lake`].
//! - **History is kept by the horizon.** Upkeep keeps each version that an instant within
//!   `versions_kept_days` has, reading the log itself; an instant before it is an error, never an
//!   empty table; see [`lake`].
//! - **One generation of tables.** All tables are pinned together after each commit, and a statement
//!   reads one generation; see [`session`].

pub mod cli;
pub mod command;
pub mod telemetry;

pub mod cluster;
pub mod reports;
pub mod server;

pub mod demo;
pub mod ingest;
pub mod query;

pub mod session;

pub mod lake;
pub mod source;

pub mod config;
pub mod error;
pub mod schema;
