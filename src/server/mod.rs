//! The Postgres protocol: the only room that knows it.

pub mod encode;
mod fault;
mod framing;
mod login;
mod names;
mod outbox;
pub mod roles;
mod settings;
mod statement;
mod tls;
