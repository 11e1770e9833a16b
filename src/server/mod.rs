//! The Postgres protocol: the only room that knows it.

pub mod encode;
mod fault;
mod framing;
mod outbox;
pub mod roles;
mod tls;
