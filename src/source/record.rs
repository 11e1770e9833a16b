//! Where one CSV record ends: the rules on quotes, lengths and NUL, apart from any I/O.

use super::{FIELD_BYTES_MAX, QUOTED_LINES_MAX, ROW_BYTES_MAX};

/// What stands at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// A record of `length` bytes; the next one starts at `next`, `lines` further down.
    Record { length: usize, next: usize, lines: u64, fault: Option<Fault> },
    /// More bytes are needed to tell.
    Unfinished,
    /// A row longer than [`ROW_BYTES_MAX`] on one line; the caller skips to the next line.
    Endless,
}

/// Why a record is not a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A quote that opens `line` lines into the record is never closed, or closed amid a field.
    Quote { line: u64, is_closed: bool },
    /// A field is longer than [`FIELD_BYTES_MAX`].
    FieldLength,
    /// It holds a NUL byte.
    Nul,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote within a quoted field: its end, or the first half of an escaped quote.
    QuoteSeen,
}

/// The quote that is open.
#[derive(Clone, Copy, Default)]
struct Opening {
    /// Lines between the start of the record and the quote.
    line: u64,
    /// End of the line the quote stands on, and start of the next, once they have been seen.
    line_end: Option<(usize, usize)>,
}

/// Finds the end of the record that starts at `bytes[0]`.
///
/// A quote opens a field only at its start.
/// After the quote that closes it only a delimiter or the end of the line may follow; otherwise the
/// quote was not meant as one, and the record ends with the line that the quote opened on, so that
/// a stray quote never swallows the rows after it.
pub(super) fn scan(bytes: &[u8], delimiter: u8, is_at_end: bool) -> Scan {
    let mut state = State::FieldStart;
    let (mut lines, mut field, mut fault) = (0, 0, None);
    let mut opening = Opening::default();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let is_line_end = byte == b'\n' || byte == b'\r';
        if is_line_end {
            let Some(next) = after_line_end(bytes, at, is_at_end) else { return Scan::Unfinished };
            if state != State::Quoted {
                let fault = fault.or(too_long(at - field));
                return Scan::Record { length: at, next, lines: lines + 1, fault };
            }
            lines += 1;
            opening.line_end.get_or_insert((at, next));
            if lines - opening.line >= QUOTED_LINES_MAX || next > ROW_BYTES_MAX {
                return broken(opening, false);
            }
            at = next;
            continue;
        }
        if byte == 0 {
            fault = fault.or(Some(Fault::Nul));
        }
        match (state, byte) {
            (State::FieldStart, b'"') => {
                state = State::Quoted;
                opening = Opening { line: lines, line_end: None };
            }
            (State::Quoted, b'"') => state = State::QuoteSeen,
            (State::Quoted, _) => {}
            (State::QuoteSeen, b'"') => state = State::Quoted,
            (_, b) if b == delimiter => {
                fault = fault.or(too_long(at - field));
                state = State::FieldStart;
                field = at + 1;
            }
            (State::QuoteSeen, _) => match opening.line_end {
                Some(_) => return broken(opening, true),
                None => return rest_of_line(bytes, at, opening, is_at_end),
            },
            (_, _) => state = State::Plain,
        }
        at += 1;
    }
    at_buffer_end(bytes, is_at_end, state, opening, lines, fault.or(too_long(at - field)))
}

fn at_buffer_end(
    bytes: &[u8],
    is_at_end: bool,
    state: State,
    opening: Opening,
    lines: u64,
    fault: Option<Fault>,
) -> Scan {
    let length = bytes.len();
    if !is_at_end && length <= ROW_BYTES_MAX {
        return Scan::Unfinished;
    }
    if state == State::Quoted {
        if opening.line_end.is_some() {
            return broken(opening, false);
        }
        if is_at_end {
            let fault = Some(Fault::Quote { line: opening.line, is_closed: false });
            return Scan::Record { length, next: length, lines: opening.line + 1, fault };
        }
    }
    if is_at_end {
        Scan::Record { length, next: length, lines: lines + 1, fault }
    } else {
        Scan::Endless
    }
}

/// The record ends with the line its faulty quote opened on.
fn broken(opening: Opening, is_closed: bool) -> Scan {
    let (length, next) = opening.line_end.unwrap_or((0, 0));
    let fault = Some(Fault::Quote { line: opening.line, is_closed });
    Scan::Record { length, next, lines: opening.line + 1, fault }
}

/// The quote opened and was closed wrongly on the line that `at` is on.
fn rest_of_line(bytes: &[u8], at: usize, opening: Opening, is_at_end: bool) -> Scan {
    let found = bytes[at..].iter().position(|b| matches!(b, b'\n' | b'\r')).map(|n| at + n);
    match found {
        Some(end) => match after_line_end(bytes, end, is_at_end) {
            Some(next) => broken(Opening { line_end: Some((end, next)), ..opening }, true),
            None => Scan::Unfinished,
        },
        None if is_at_end => {
            broken(Opening { line_end: Some((bytes.len(), bytes.len())), ..opening }, true)
        }
        None if bytes.len() > ROW_BYTES_MAX => Scan::Endless,
        None => Scan::Unfinished,
    }
}

/// Where the line after the line end at `at` starts; `None` if a CR might be half of a CRLF.
fn after_line_end(bytes: &[u8], at: usize, is_at_end: bool) -> Option<usize> {
    if bytes[at] == b'\n' {
        return Some(at + 1);
    }
    match bytes.get(at + 1) {
        Some(b'\n') => Some(at + 2),
        Some(_) => Some(at + 1),
        None if is_at_end => Some(at + 1),
        None => None,
    }
}

fn too_long(length: usize) -> Option<Fault> {
    (length > FIELD_BYTES_MAX).then_some(Fault::FieldLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(length: usize, next: usize, lines: u64) -> Scan {
        Scan::Record { length, next, lines, fault: None }
    }

    #[test]
    fn records_end_at_any_line_end_outside_quotes() {
        assert_eq!(scan(b"a,b\nc", b',', false), good(3, 4, 1));
        assert_eq!(scan(b"a,b\r\nc", b',', false), good(3, 5, 1));
        assert_eq!(scan(b"a,b\rc", b',', false), good(3, 4, 1));
        assert_eq!(scan(b"a,b\r", b',', false), Scan::Unfinished);
        assert_eq!(scan(b"a,b", b',', true), good(3, 3, 1));
        assert_eq!(scan(b"\"a\r\nb\",\"c\"\"d\"\nx", b',', false), good(13, 14, 2));
    }

    #[test]
    fn a_stray_quote_costs_one_line() {
        let open = Some(Fault::Quote { line: 0, is_closed: false });
        let text = b"1,\"x\n2,y\n";
        assert_eq!(
            scan(text, b',', true),
            Scan::Record { length: 4, next: 5, lines: 1, fault: open }
        );
        let closed = Some(Fault::Quote { line: 0, is_closed: true });
        let text = b"1,\"x\n2,\"y\"\n";
        let expected = Scan::Record { length: 4, next: 5, lines: 1, fault: closed };
        assert_eq!(scan(text, b',', true), expected);
        let text = b"1,\"x\"y\n2,z\n";
        let expected = Scan::Record { length: 6, next: 7, lines: 1, fault: closed };
        assert_eq!(scan(text, b',', true), expected);
    }

    #[test]
    fn a_quoted_field_may_span_a_hundred_lines_and_no_more() {
        let fits = format!("\"{}\"\nz", "l\n".repeat(99));
        assert_eq!(scan(fits.as_bytes(), b',', false), good(fits.len() - 2, fits.len() - 1, 100));
        let long = format!("\"{}\"\nz", "l\n".repeat(100));
        let fault = Some(Fault::Quote { line: 0, is_closed: false });
        let expected = Scan::Record { length: 2, next: 3, lines: 1, fault };
        assert_eq!(scan(long.as_bytes(), b',', false), expected);
    }
}
