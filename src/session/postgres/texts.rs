//! Texts and types: `format`, `quote_literal`, `quote_nullable`, `pg_typeof`.

use chrono::{DateTime, Offset};
use chrono_tz::Tz;
use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};

use super::{Definition, Kind, text};

pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "text_of",
        needed: 1,
        kinds: &[Kind::Any],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Utf8,
        answer: |given, zone| Ok(ScalarValue::Utf8(Some(text_of(&given[0], zone)?))),
    },
    Definition {
        name: "format",
        needed: 1,
        kinds: &[Kind::Text, Kind::Any],
        is_open: true,
        takes_null: true,
        returns: |_| DataType::Utf8,
        answer: formatted,
    },
    Definition {
        name: "quote_literal",
        needed: 1,
        kinds: &[Kind::Any],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Utf8,
        answer: |given, zone| Ok(ScalarValue::Utf8(Some(literal(&shown(&given[0], zone)?)))),
    },
    Definition {
        name: "quote_nullable",
        needed: 1,
        kinds: &[Kind::Any],
        is_open: false,
        takes_null: true,
        returns: |_| DataType::Utf8,
        answer: |given, zone| {
            Ok(ScalarValue::Utf8(Some(match given[0].is_null() {
                true => "NULL".into(),
                false => literal(&shown(&given[0], zone)?),
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
pub(super) fn shown(value: &ScalarValue, zone: Tz) -> Result<String> {
    if let ScalarValue::Boolean(Some(is)) = value {
        return Ok(if *is { "t" } else { "f" }.into());
    }
    text_of(value, zone)
}

/// A value as a cast to text shows it.
pub(super) fn text_of(value: &ScalarValue, zone: Tz) -> Result<String> {
    if value.is_null() {
        return Ok(String::new());
    }
    Ok(match value {
        ScalarValue::Boolean(Some(is)) => is.to_string(),
        ScalarValue::Float64(Some(number)) => float(*number, &format!("{number:e}")),
        ScalarValue::Float32(Some(number)) => float(f64::from(*number), &format!("{number:e}")),
        ScalarValue::Dictionary(_, value) => text_of(value, zone)?,
        ScalarValue::List(list) => {
            let values = list.value(0);
            let elements = (0..values.len())
                .map(|at| element(&ScalarValue::try_from_array(&values, at)?, zone));
            format!("{{{}}}", elements.collect::<Result<Vec<_>>>()?.join(","))
        }
        ScalarValue::IntervalMonthDayNano(Some(span)) => {
            interval(span.months, span.days, span.nanoseconds / 1_000)
        }
        other => match other.data_type() {
            DataType::Timestamp(_, of_zone) => {
                let us = DataType::Timestamp(TimeUnit::Microsecond, of_zone.clone());
                let (us, _) = super::moment(&other.cast_to(&us)?);
                instant(us, of_zone.is_some().then_some(zone))
            }
            DataType::Duration(_) => {
                let us = other.cast_to(&DataType::Duration(TimeUnit::Microsecond))?;
                let us = match us {
                    ScalarValue::DurationMicrosecond(Some(us)) => us,
                    _ => 0,
                };
                interval(0, (us / super::DAY_US) as i32, us % super::DAY_US)
            }
            _ => text(&other.cast_to(&DataType::Utf8)?).to_owned(),
        },
    })
}

/// The shortest digits that read back, with an exponent where Postgres has one.
fn float(number: f64, scientific: &str) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        return match mantissa.parse::<f64>() {
            Ok(_) => scientific.parse::<f64>().map_or(number.to_string(), |n| n.to_string()),
            Err(_) => number.to_string(),
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn element(value: &ScalarValue, zone: Tz) -> Result<String> {
    if value.is_null() {
        return Ok("NULL".into());
    }
    let shown = match value {
        ScalarValue::Boolean(Some(is)) => if *is { "t" } else { "f" }.into(),
        other => text_of(other, zone)?,
    };
    let is_plain = !shown.is_empty()
        && !shown.eq_ignore_ascii_case("null")
        && !shown.contains(|c: char| "{},\"\\".contains(c) || c.is_whitespace())
        || matches!(value, ScalarValue::List(_));
    Ok(match is_plain {
        true => shown,
        false => format!("\"{}\"", shown.replace('\\', "\\\\").replace('"', "\\\"")),
    })
}

/// `2026-01-31 10:00:00.5`, with the offset of a zone behind.
fn instant(us: i64, zone: Option<Tz>) -> String {
    let Some(utc) = DateTime::from_timestamp_micros(us) else { return us.to_string() };
    let shown = |text: String, micros: u32| match micros {
        0 => text,
        micros => format!("{text}.{}", format!("{micros:06}").trim_end_matches('0')),
    };
    let micros = utc.timestamp_subsec_micros();
    match zone {
        None => shown(utc.naive_utc().format("%Y-%m-%d %H:%M:%S").to_string(), micros),
        Some(zone) => {
            let local = utc.with_timezone(&zone);
            let text = shown(local.format("%Y-%m-%d %H:%M:%S").to_string(), micros);
            let seconds = local.offset().fix().local_minus_utc();
            let sign = if seconds < 0 { '-' } else { '+' };
            let (hours, minutes) = (seconds.abs() / 3_600, seconds.abs() / 60 % 60);
            match minutes {
                0 => format!("{text}{sign}{hours:02}"),
                _ => format!("{text}{sign}{hours:02}:{minutes:02}"),
            }
        }
    }
}

/// `1 year 2 mons 3 days 04:05:06`.
fn interval(months: i32, days: i32, us: i64) -> String {
    let mut parts: Vec<String> = vec![];
    let mut is_before_negative = false;
    let units = [(months / 12, "year"), (months % 12, "mon"), (days, "day")];
    for (count, unit) in units.into_iter().filter(|(count, _)| *count != 0) {
        let plus = if is_before_negative && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        parts.push(format!("{plus}{count} {unit}{plural}"));
        is_before_negative = count < 0;
    }
    if us != 0 || parts.is_empty() {
        let sign = match (us < 0, is_before_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let (seconds, micros) = (us.unsigned_abs() / 1_000_000, us.unsigned_abs() % 1_000_000);
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let clock = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
        parts.push(match micros {
            0 => clock,
            micros => format!("{clock}.{}", format!("{micros:06}").trim_end_matches('0')),
        });
    }
    parts.join(" ")
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
fn formatted(given: &[ScalarValue], zone: Tz) -> Result<ScalarValue> {
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
            ('s', false) => shown(value, zone)?,
            ('I', false) => identifier(&shown(value, zone)?),
            ('I', true) => return exec_err!("format: null cannot be an SQL identifier"),
            ('L', true) => "NULL".into(),
            ('L', false) => literal(&shown(value, zone)?),
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
pub(super) fn type_name(data_type: &DataType) -> String {
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
