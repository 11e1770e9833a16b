//! Messages to the client, collected in one buffer that is written when a turn ends.

use super::encode::Format;
use super::encode::types::PgType;
use super::fault::Fault;

/// Bytes on their way to the client.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Whole messages, one after the other.
    pub(super) bytes: Vec<u8>,
}

/// One column as RowDescription announces it.
#[derive(Debug, Clone)]
pub(super) struct ColumnDescription {
    pub(super) name: String,
    pub(super) pg_type: PgType,
}

/// What ReadyForQuery says of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionStatus {
    /// None is open.
    Idle = b'I' as isize,
    /// One is open.
    Open = b'T' as isize,
    /// One is open and failed: it takes nothing but its end.
    Failed = b'E' as isize,
}

impl Outbox {
    /// Appends a message of `kind` whose body `write` appends.
    fn message(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.push(kind);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        write(&mut self.bytes);
        // Only DataRow messages grow large, and those check their length themselves.
        let length = (self.bytes.len() - start) as i32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    pub(super) fn authentication(&mut self, code: i32, data: &[u8]) {
        self.message(b'R', |body| {
            body.extend_from_slice(&code.to_be_bytes());
            body.extend_from_slice(data);
        });
    }

    pub(super) fn parameter_status(&mut self, name: &str, value: &str) {
        self.message(b'S', |body| {
            push_text(body, name);
            push_text(body, value);
        });
    }

    pub(super) fn key_data(&mut self, process: i32, secret: &[u8]) {
        self.message(b'K', |body| {
            body.extend_from_slice(&process.to_be_bytes());
            body.extend_from_slice(secret);
        });
    }

    pub(super) fn negotiate_version(&mut self, minor: i32, unknown_options: &[String]) {
        self.message(b'v', |body| {
            // The whole version, as Postgres sends it and libpq reads it.
            body.extend_from_slice(&(3 << 16 | minor).to_be_bytes());
            body.extend_from_slice(&(unknown_options.len() as i32).to_be_bytes());
            unknown_options.iter().for_each(|option| push_text(body, option));
        });
    }

    pub(super) fn ready(&mut self, status: TransactionStatus) {
        self.message(b'Z', |body| body.push(status as u8));
    }

    pub(super) fn error(&mut self, fault: &Fault) {
        self.message(b'E', |body| push_fault(body, fault));
    }

    pub(super) fn notice(&mut self, fault: &Fault) {
        self.message(b'N', |body| push_fault(body, fault));
    }

    pub(super) fn complete(&mut self, tag: &str) {
        self.message(b'C', |body| push_text(body, tag));
    }

    pub(super) fn row_description(&mut self, columns: &[ColumnDescription], formats: &[Format]) {
        self.message(b'T', |body| {
            body.extend_from_slice(&(columns.len() as i16).to_be_bytes());
            for (at, column) in columns.iter().enumerate() {
                push_text(body, &column.name);
                // Table and column number: results are not traced back to tables.
                body.extend_from_slice(&[0; 6]);
                body.extend_from_slice(&column.pg_type.oid.to_be_bytes());
                body.extend_from_slice(&column.pg_type.width.to_be_bytes());
                body.extend_from_slice(&column.pg_type.modifier.to_be_bytes());
                let is_binary = formats.get(at) == Some(&Format::Binary);
                body.extend_from_slice(&i16::from(is_binary).to_be_bytes());
            }
        });
    }

    /// Asks for the rows of a COPY.
    pub(super) fn copy_in(&mut self, columns: usize, is_binary: bool) {
        self.message(b'G', |body| {
            body.push(u8::from(is_binary));
            body.extend_from_slice(&(columns as i16).to_be_bytes());
            (0..columns).for_each(|_| body.extend_from_slice(&i16::from(is_binary).to_be_bytes()));
        });
    }

    /// Says that rows of COPY follow.
    pub(super) fn copy_out(&mut self, columns: usize, is_binary: bool) {
        self.message(b'H', |body| {
            body.push(u8::from(is_binary));
            body.extend_from_slice(&(columns as i16).to_be_bytes());
            (0..columns).for_each(|_| body.extend_from_slice(&i16::from(is_binary).to_be_bytes()));
        });
    }

    /// Says that they are over.
    pub(super) fn copy_done(&mut self) {
        self.message(b'c', |_| {});
    }

    pub(super) fn parameter_description(&mut self, oids: &[u32]) {
        self.message(b't', |body| {
            body.extend_from_slice(&(oids.len() as i16).to_be_bytes());
            oids.iter().for_each(|oid| body.extend_from_slice(&oid.to_be_bytes()));
        });
    }

    /// A row of texts, for answers that come from no plan.
    pub(super) fn text_row(&mut self, values: &[Option<&str>]) {
        self.message(b'D', |body| {
            body.extend_from_slice(&(values.len() as i16).to_be_bytes());
            for value in values {
                match value {
                    None => body.extend_from_slice(&(-1_i32).to_be_bytes()),
                    Some(text) => {
                        body.extend_from_slice(&(text.len() as i32).to_be_bytes());
                        body.extend_from_slice(text.as_bytes());
                    }
                }
            }
        });
    }

    pub(super) fn parse_complete(&mut self) {
        self.message(b'1', |_| {});
    }

    pub(super) fn bind_complete(&mut self) {
        self.message(b'2', |_| {});
    }

    pub(super) fn close_complete(&mut self) {
        self.message(b'3', |_| {});
    }

    pub(super) fn no_data(&mut self) {
        self.message(b'n', |_| {});
    }

    pub(super) fn portal_suspended(&mut self) {
        self.message(b's', |_| {});
    }

    pub(super) fn empty_query(&mut self) {
        self.message(b'I', |_| {});
    }
}

/// Text up to its first zero byte, which ends it on the wire.
fn push_text(body: &mut Vec<u8>, text: &str) {
    let end = text.bytes().position(|byte| byte == 0).unwrap_or(text.len());
    body.extend_from_slice(&text.as_bytes()[..end]);
    body.push(0);
}

fn push_fault(body: &mut Vec<u8>, fault: &Fault) {
    let severity = fault.severity.as_str();
    let position = fault.position.map(|position| position.to_string());
    let fields = [
        (b'S', Some(severity)),
        (b'V', Some(severity)),
        (b'C', Some(fault.sqlstate.as_str())),
        (b'M', Some(fault.message.as_str())),
        (b'D', fault.detail.as_deref()),
        (b'H', fault.hint.as_deref()),
        (b'P', position.as_deref()),
        (b'W', fault.context.as_deref()),
    ];
    for (field, text) in fields {
        if let Some(text) = text {
            body.push(field);
            push_text(body, text);
        }
    }
    body.push(0);
}
