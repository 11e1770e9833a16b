//! The Postgres protocol: the only room that knows it.

pub mod encode;
