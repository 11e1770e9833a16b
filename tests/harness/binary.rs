//! Postgres binary values back to the text that psql would show, for the extended lane.
//!
//! Written against the PostgreSQL documentation and not with Runrate's encoder, so that the two
//! check each other.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime};
use tokio_postgres::types::{FromSql, Kind, Type};

/// The bytes of one value, whatever its type.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn int<const N: usize>(raw: &[u8]) -> [u8; N] {
    raw.try_into().expect("a value as wide as its type")
}

/// The text of `raw`, a value of type `ty`.
pub fn text(ty: &Type, raw: &[u8]) -> String {
    if let Kind::Array(element) = ty.kind() {
        return array(element, raw);
    }
    match *ty {
        Type::BOOL => if raw == [1] { "t" } else { "f" }.to_owned(),
        Type::INT2 => i16::from_be_bytes(int(raw)).to_string(),
        Type::INT4 => i32::from_be_bytes(int(raw)).to_string(),
        Type::INT8 => i64::from_be_bytes(int(raw)).to_string(),
        Type::OID => u32::from_be_bytes(int(raw)).to_string(),
        Type::FLOAT4 => float(f64::from(f32::from_be_bytes(int(raw))), {
            let value = f32::from_be_bytes(int(raw));
            format!("{value:e}")
        }),
        Type::FLOAT8 => {
            let value = f64::from_be_bytes(int(raw));
            float(value, format!("{value:e}"))
        }
        Type::NUMERIC => numeric(raw),
        Type::DATE => date(i32::from_be_bytes(int(raw))),
        Type::TIMESTAMP => timestamp(i64::from_be_bytes(int(raw))),
        Type::TIMESTAMPTZ => format!("{}+00", timestamp(i64::from_be_bytes(int(raw)))),
        Type::BYTEA => {
            let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\\x{hex}")
        }
        _ => String::from_utf8_lossy(raw).into_owned(),
    }
}

/// Postgres prints the shortest digits that read back, with an exponent below 1e-4 and from 1e15 on.
fn float(value: f64, scientific: String) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let (mantissa, exponent) = scientific.split_once('e').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("a number");
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    if value != 0.0 && !(-4..15).contains(&exponent) {
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{mark}{:02}", exponent.abs());
    }
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let point = exponent + 1;
    let plain = if point <= 0 {
        format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    } else if digits.len() <= point as usize {
        format!("{digits}{}", "0".repeat(point as usize - digits.len()))
    } else {
        format!("{}.{}", &digits[..point as usize], &digits[point as usize..])
    };
    let trimmed = if plain.contains('.') {
        plain.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        plain
    };
    format!("{sign}{trimmed}")
}

/// Base-10,000 digits with a weight, a sign and a display scale.
fn numeric(raw: &[u8]) -> String {
    let word = |at: usize| i16::from_be_bytes([raw[at], raw[at + 1]]);
    let (count, weight) = (word(0), i32::from(word(2)));
    let (sign, scale) = (word(4) as u16, word(6) as usize);
    match sign {
        0xC000 => return "NaN".into(),
        0xD000 => return "Infinity".into(),
        0xF000 => return "-Infinity".into(),
        _ => {}
    }
    let digit = |place: i32| {
        let at = weight - place;
        if at < 0 || at >= i32::from(count) { 0 } else { word(8 + 2 * at as usize) }
    };
    let mut whole: String = (0..=weight.max(0)).rev().map(|p| format!("{:04}", digit(p))).collect();
    whole = whole.trim_start_matches('0').to_owned();
    if whole.is_empty() {
        whole.push('0');
    }
    let groups = scale.div_ceil(4) as i32;
    let mut part: String = (1..=groups).map(|p| format!("{:04}", digit(-p))).collect();
    part.truncate(scale);
    let minus = if sign == 0x4000 { "-" } else { "" };
    if scale == 0 { format!("{minus}{whole}") } else { format!("{minus}{whole}.{part}") }
}

fn date(days: i32) -> String {
    let epoch = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a date");
    (epoch + Duration::days(i64::from(days))).to_string()
}

fn timestamp(micros: i64) -> String {
    let epoch: NaiveDateTime =
        DateTime::from_timestamp(946_684_800, 0).expect("an instant").naive_utc();
    let instant = epoch + Duration::microseconds(micros);
    let text = instant.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
    text.strip_suffix(".000000")
        .map_or_else(|| text.trim_end_matches('0').to_owned(), ToOwned::to_owned)
}

/// `{a,b}`: dimensions, a null flag, the element type, then length-prefixed elements.
fn array(element: &Type, raw: &[u8]) -> String {
    let word = |at: usize| i32::from_be_bytes(int(&raw[at..at + 4]));
    if word(0) == 0 {
        return "{}".into();
    }
    let count = word(12);
    let (mut at, mut parts) = (20, vec![]);
    for _ in 0..count {
        let length = word(at);
        at += 4;
        if length < 0 {
            parts.push("NULL".to_owned());
            continue;
        }
        let value = text(element, &raw[at..at + length as usize]);
        let is_plain = !value.is_empty()
            && !value.eq_ignore_ascii_case("null")
            && !value.contains([',', '{', '}', '"', '\\', ' ']);
        parts.push(if is_plain { value } else { format!("{value:?}") });
        at += length as usize;
    }
    format!("{{{}}}", parts.join(","))
}
