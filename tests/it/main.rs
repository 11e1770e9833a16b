//! The one integration binary: whole rooms together, over files and sockets.

mod access;
#[path = "../harness/mod.rs"]
mod harness;
mod ingest;
mod ingest_crm;
mod ingest_kill;
mod raw;
mod reports;
mod role_command;
mod secrets;
mod wire;
mod wire_login;
mod wire_write;
