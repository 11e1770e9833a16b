//! The Postgres protocol: the only room that knows it.

mod cancel;
pub mod encode;
mod fault;
mod framing;
mod login;
mod names;
mod outbox;
mod parameters;
pub mod roles;
mod settings;
mod statement;
mod tls;
