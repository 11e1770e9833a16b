//! Doors for fuzzers: what reads bytes of clients, without a client.

use bytes::Bytes;

use super::framing::{Frame, decode};
use super::masking::Masked;
use super::statement::Command;
use crate::session::parse_statements;

/// Bytes of a statement that are taken.
const STATEMENT_BYTES_MAX: usize = 64 << 10;

/// Decodes `bytes` as one message: its type, then its body. True if it is one.
pub fn message(bytes: &[u8]) -> bool {
    let Some((kind, body)) = bytes.split_first() else { return false };
    decode(&Frame { kind: *kind, body: Bytes::copy_from_slice(body) }).is_ok()
}

/// Reads `bytes` as SQL up to where a session would run it. True if it is a statement.
pub fn statement(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let masked = Masked::of(text);
    let Ok(statements) = parse_statements(text, STATEMENT_BYTES_MAX) else { return false };
    for statement in statements {
        drop(Masked::of_statement(&statement.to_string(), &statement));
        drop(Command::of(statement));
    }
    !masked.hash.is_empty()
}
