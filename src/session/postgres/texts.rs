//! Texts and types: `format`, `quote_literal`, `quote_nullable`, `pg_typeof`.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};

use super::{Definition, Kind, text};

pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "format",
        needed: 1,
        kinds: &[Kind::Text, Kind::Any],
        is_open: true,
        takes_null: true,
        returns: |_| DataType::Utf8,
        answer: |given, _| formatted(given),
    },
    Definition {
        name: "quote_literal",
        needed: 1,
        kinds: &[Kind::Any],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Utf8,
        answer: |given, _| Ok(ScalarValue::Utf8(Some(literal(&shown(&given[0])?)))),
    },
    Definition {
        name: "quote_nullable",
        needed: 1,
        kinds: &[Kind::Any],
        is_open: false,
        takes_null: true,
        returns: |_| DataType::Utf8,
        answer: |given, _| {
            Ok(ScalarValue::Utf8(Some(match given[0].is_null() {
                true => "NULL".into(),
                false => literal(&shown(&given[0])?),
            })))
        },
    },
    Definition {
        name: "pg_typeof",
        needed: 1,
        kinds: &[Kind::Any],
        is_open: false,
        takes_null: true,
        returns: |_| DataType::Utf8,
        answer: |given, _| Ok(ScalarValue::Utf8(Some(type_name(&given[0].data_type())))),
    },
];

/// A value as `%s` shows it.
fn shown(value: &ScalarValue) -> Result<String> {
    if let ScalarValue::Boolean(Some(is)) = value {
        return Ok(if *is { "t" } else { "f" }.into());
    }
    Ok(text(&value.cast_to(&DataType::Utf8)?).to_owned())
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!(" E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

fn identifier(text: &str) -> String {
    let is_plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// `format('%s of %2$I', ...)`: `%s`, `%I`, `%L` and `%%`, with a place and a width.
fn formatted(given: &[ScalarValue]) -> Result<ScalarValue> {
    if given[0].is_null() {
        return Ok(ScalarValue::Utf8(None));
    }
    let mut rest = text(&given[0]);
    let (mut out, mut next) = (String::new(), 1);
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let kind_at = after.find(|c: char| !c.is_ascii_digit() && c != '$' && c != '-');
        let Some(kind_at) = kind_at else { return exec_err!("format: unterminated % at the end") };
        let (mark, kind) = (&after[..kind_at], after[kind_at..].chars().next().unwrap_or(' '));
        let (place, width) = match mark.split_once('$') {
            Some((place, width)) => (place.parse().unwrap_or(0), width),
            None => (next, mark),
        };
        next = place + 1;
        let Some(value) = given.get(place).filter(|_| place > 0) else {
            return exec_err!("format: too few arguments");
        };
        let piece = match (kind, value.is_null()) {
            ('s', true) => String::new(),
            ('s', false) => shown(value)?,
            ('I', false) => identifier(&shown(value)?),
            ('I', true) => return exec_err!("format: null cannot be an SQL identifier"),
            ('L', true) => "NULL".into(),
            ('L', false) => literal(&shown(value)?),
            (other, _) => return exec_err!("format: unknown kind %{other}"),
        };
        let is_left = width.starts_with('-');
        let width: usize = width.trim_start_matches('-').parse().unwrap_or(0);
        let width = width.min(10_000);
        out.push_str(&match is_left {
            true => format!("{piece:<width$}"),
            false => format!("{piece:>width$}"),
        });
        rest = &after[kind_at + kind.len_utf8()..];
    }
    out.push_str(rest);
    Ok(ScalarValue::Utf8(Some(out)))
}

/// A type as Postgres writes it.
fn type_name(data_type: &DataType) -> String {
    use DataType as D;
    match data_type {
        D::Boolean => "boolean",
        D::Int8 | D::Int16 | D::UInt8 => "smallint",
        D::Int32 | D::UInt16 => "integer",
        D::Int64 | D::UInt32 => "bigint",
        D::Float16 | D::Float32 => "real",
        D::Float64 => "double precision",
        D::UInt64 | D::Decimal32(..) | D::Decimal64(..) => "numeric",
        D::Decimal128(..) | D::Decimal256(..) => "numeric",
        D::Date32 | D::Date64 => "date",
        D::Time32(_) | D::Time64(_) => "time without time zone",
        D::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, None) | D::Timestamp(_, None) => {
            "timestamp without time zone"
        }
        D::Timestamp(_, Some(_)) => "timestamp with time zone",
        D::Interval(_) | D::Duration(_) => "interval",
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => "bytea",
        D::Struct(_) => "record",
        D::Null => "unknown",
        D::Dictionary(_, value) => return type_name(value),
        D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) => {
            return format!("{}[]", type_name(item.data_type()));
        }
        _ => "text",
    }
    .to_owned()
}
