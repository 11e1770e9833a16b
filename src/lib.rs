//! Runrate: the sales-operations warehouse that you query in SQL.

pub mod cli;
pub mod telemetry;

pub mod cluster;
pub mod reports;
pub mod server;

pub mod demo;
pub mod ingest;

pub mod session;

pub mod lake;
pub mod source;

pub mod config;
pub mod error;
pub mod schema;
