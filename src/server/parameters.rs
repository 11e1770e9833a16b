//! Parameters of prepared statements: what types they have, and values into the statement.
//!
//! A value is put in the place of its `$n` as a literal of the parameter's type, in the syntax tree
//! and never in text; the statement is then planned anew, on the tables as they are now.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::{Buf, Bytes};
use datafusion::arrow::array::{Date32Array, Time64MicrosecondArray, TimestampMicrosecondArray};
use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, LimitClause, Query, Statement, Value, VisitMut, VisitorMut,
    visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::encode::{Format, text_value, types};
use crate::error::{Error, Result};
use crate::session::array_elements;

/// As many as Bind can carry.
const PARAMETERS_MAX: usize = 65_535;

/// A value as the client sent it.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) format: Format,
    /// `None` is NULL.
    pub(super) bytes: Option<Bytes>,
}

/// How many parameters `statement` has: the largest number behind a `$`.
///
/// # Errors
/// 42P02 for `$0`, or anything else that is not a number.
pub(super) fn count(statement: &mut Statement) -> Result<usize> {
    let mut largest = 0;
    let outcome = visit_expressions_mut(statement, |expr| match placeholder(expr) {
        None => ControlFlow::Continue(()),
        Some(text) => match text[1..].parse::<usize>() {
            Ok(number) if (1..=PARAMETERS_MAX).contains(&number) => {
                largest = largest.max(number);
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(text.to_owned()),
        },
    });
    match outcome {
        ControlFlow::Continue(()) => Ok(largest),
        ControlFlow::Break(text) => {
            Err(Error::statement("42P02", format!("there is no parameter {text}")))
        }
    }
}

fn placeholder(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(text) if text.starts_with('$') => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn number(expr: &Expr) -> Option<usize> {
    placeholder(expr)?[1..].parse().ok()
}

/// Types that the syntax alone tells: `$1::int8`, `CAST($1 AS date)`, `LIMIT $1`.
pub(super) fn told_by_syntax(statement: &mut Statement) -> BTreeMap<usize, u32> {
    let mut syntax = Syntax::default();
    let _: ControlFlow<()> = statement.visit(&mut syntax);
    syntax.told
}

#[derive(Default)]
struct Syntax {
    told: BTreeMap<usize, u32>,
}

impl VisitorMut for Syntax {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause {
            let counts = limit.iter().chain(offset.iter().map(|offset| &offset.value));
            self.told.extend(counts.filter_map(number).map(|number| (number, types::INT8)));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr, data_type, .. } = expr
            && let (Some(number), Some(oid)) = (number(expr), oid_of(data_type))
        {
            self.told.insert(number, oid);
        }
        self.of_places(expr);
        ControlFlow::Continue(())
    }
}

/// Arguments of functions that have one type: name, place, type.
const ARGUMENTS: &[(&str, usize, u32)] = &[
    ("left", 1, types::INT4),
    ("right", 1, types::INT4),
    ("repeat", 1, types::INT4),
    ("lpad", 1, types::INT4),
    ("rpad", 1, types::INT4),
    ("split_part", 2, types::INT4),
    ("round", 0, types::NUMERIC),
    ("round", 1, types::INT4),
    ("to_char", 1, types::TEXT),
    ("date_trunc", 0, types::TEXT),
    ("date_part", 0, types::TEXT),
];

/// Functions whose arguments are of one type, that of a number written out among them.
const ALIKE: &[&str] = &["generate_series", "coalesce", "greatest", "least", "nullif"];

impl Syntax {
    /// Types that the place of a parameter tells: conditions, and arguments of known functions.
    fn of_places(&mut self, expr: &Expr) {
        let mut tell = |expr: &Expr, oid: u32| {
            if let Some(number) = number(expr) {
                self.told.entry(number).or_insert(oid);
            }
        };
        match expr {
            Expr::Case { operand: None, conditions, .. } => {
                conditions.iter().for_each(|when| tell(&when.condition, types::BOOL));
            }
            Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                tell(left, types::BOOL);
                tell(right, types::BOOL);
            }
            Expr::Substring { substring_from, substring_for, .. } => {
                substring_from.iter().chain(substring_for).for_each(|at| tell(at, types::INT4));
            }
            Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) => {
                let name = name.to_string().to_lowercase();
                let given = list.args.iter().map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                    _ => None,
                });
                let given: Vec<_> = given.flatten().collect();
                let is_whole = |expr: &Expr| {
                    matches!(expr, Expr::Value(value) if matches!(&value.value,
                        Value::Number(text, _) if text.parse::<i32>().is_ok()))
                };
                if ALIKE.contains(&name.as_str()) && given.iter().any(|expr| is_whole(expr)) {
                    given.iter().for_each(|expr| tell(expr, types::INT4));
                }
                for (_, place, oid) in ARGUMENTS.iter().filter(|(known, ..)| *known == name) {
                    if let Some(expr) = given.get(*place) {
                        tell(expr, *oid);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Writes `x = ANY($1)` as `x IN ($1)`, whose parameter the planner can tell; the numbers changed.
///
/// For finding types only: the type of such a parameter is the array of what is found.
pub(super) fn any_to_in(statement: &mut Statement) -> Vec<usize> {
    let mut changed = vec![];
    let _: ControlFlow<()> = visit_expressions_mut(statement, |expr| {
        if let Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } = expr
            && let Some(at) = number(right)
        {
            changed.push(at);
            *expr = Expr::InList { expr: left.clone(), list: vec![*right.clone()], negated: false };
        } else if let Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } = expr
            && let Some(at) = number(right)
        {
            changed.push(at);
            *expr = Expr::InList { expr: left.clone(), list: vec![*right.clone()], negated: true };
        }
        ControlFlow::Continue(())
    });
    changed
}

/// Puts `values` in the places of `$1`, `$2`, ...; a number without one stays.
pub(super) fn substitute(statement: &mut Statement, values: &BTreeMap<usize, Expr>) {
    let _: ControlFlow<()> = visit_expressions_mut(statement, |expr| {
        if let Some(value) = number(expr).and_then(|number| values.get(&number)) {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
    });
}

/// `expr` as a value of type `oid`.
pub(super) fn typed(expr: Expr, oid: u32) -> Expr {
    cast(expr, sql_type(oid))
}

/// NULL of type `oid`, for planning before values are known.
pub(super) fn null(oid: u32) -> Expr {
    cast(literal(Value::Null), sql_type(oid))
}

/// The literal of `sent` as a value of type `oid`; `number` is for messages.
///
/// # Errors
/// 22P02 for text, 22P03 for bytes, that are no value of the type.
pub(super) fn value(oid: u32, sent: &Sent, number: usize) -> Result<Expr> {
    let Some(bytes) = &sent.bytes else { return Ok(null(oid)) };
    if let Some((element, _)) = types::ARRAYS.iter().find(|(_, array)| *array == oid) {
        let elements = match sent.format {
            Format::Text => array_elements(utf8(bytes, number)?),
            Format::Binary => elements_of_binary(bytes.clone(), *element),
        };
        let elements = elements.ok_or_else(|| refuse(oid, sent, number))?;
        let elem = elements.into_iter().map(|element_text| match element_text {
            None => Ok(null(*element)),
            Some(text) => of_text(*element, &text).ok_or_else(|| refuse(oid, sent, number)),
        });
        let list = Expr::Array(Array { elem: elem.collect::<Result<_>>()?, named: true });
        return Ok(cast(list, sql_type(oid)));
    }
    let text = match sent.format {
        Format::Text => Some(utf8(bytes, number)?.to_owned()),
        Format::Binary => text_of_binary(oid, bytes),
    };
    text.and_then(|text| of_text(oid, &text)).ok_or_else(|| refuse(oid, sent, number))
}

fn utf8(bytes: &Bytes, number: usize) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| {
        let message = format!("parameter ${number}: invalid byte sequence for encoding \"UTF8\"");
        Error::statement("22021", message)
    })
}

fn refuse(oid: u32, sent: &Sent, number: usize) -> Error {
    let name = sql_type(oid).to_lowercase();
    match (sent.format, sent.bytes.as_ref().map(|bytes| std::str::from_utf8(bytes))) {
        (Format::Text, Some(Ok(text))) => {
            let message =
                format!("parameter ${number}: invalid input syntax for type {name}: \"{text}\"");
            Error::statement("22P02", message)
        }
        _ => {
            let message = format!("parameter ${number}: incorrect binary data for type {name}");
            Error::statement("22P03", message)
        }
    }
}

/// The literal of `text` as a value of type `oid`; `None` if it is none.
fn of_text(oid: u32, text: &str) -> Option<Expr> {
    let trimmed = text.trim();
    Some(match oid {
        types::INT8 | types::INT4 | types::INT2 | types::OID => {
            let whole: i64 = trimmed.parse().ok()?;
            let fits = match oid {
                types::INT4 => i32::try_from(whole).is_ok(),
                types::INT2 => i16::try_from(whole).is_ok(),
                types::OID => u32::try_from(whole).is_ok(),
                _ => true,
            };
            if !fits {
                return None;
            }
            // The smallest number has no positive counterpart to put a minus before.
            match oid == types::INT8 && whole >= 0 {
                true => literal(Value::Number(whole.to_string(), false)),
                false => cast(string(trimmed), sql_type(oid)),
            }
        }
        types::FLOAT4 | types::FLOAT8 => {
            trimmed.parse::<f64>().ok()?;
            cast(string(trimmed), sql_type(oid))
        }
        types::NUMERIC => decimal(trimmed)?,
        types::BOOL => match trimmed.to_ascii_lowercase().as_str() {
            "t" | "true" | "on" | "yes" | "y" | "1" => literal(Value::Boolean(true)),
            "f" | "false" | "off" | "no" | "n" | "0" => literal(Value::Boolean(false)),
            _ => return None,
        },
        types::BYTEA => {
            let hex = text.strip_prefix("\\x")?;
            let is_hex = hex.len() % 2 == 0 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| literal(Value::HexStringLiteral(hex.to_owned())))?
        }
        types::DATE if is_day_with_more(trimmed) => cast(string(&trimmed[..10]), sql_type(oid)),
        types::DATE | types::TIME | types::TIMESTAMP | types::TIMESTAMPTZ | types::INTERVAL => {
            cast(string(trimmed), sql_type(oid))
        }
        _ => string(text),
    })
}

/// Whether a day is followed by a zone or a time, which pgjdbc writes and a date leaves out.
fn is_day_with_more(text: &str) -> bool {
    let mut parts = text.bytes().enumerate();
    let is_day = parts.by_ref().take(10).all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    is_day && matches!(parts.next(), Some((_, b' ' | b'+' | b'T')))
}

/// A decimal of exactly the digits of `text`.
fn decimal(text: &str) -> Option<Expr> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut digits = format!("{whole}{part}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let scale = i32::try_from(part.len()).ok()? - exponent;
    if !(-76..=76).contains(&scale) {
        return None;
    }
    // 1.5e3 is 1500: digits behind the last one written are zeros.
    digits.extend(std::iter::repeat_n('0', (-scale).max(0) as usize));
    let scale = scale.max(0) as usize;
    let missing = (scale + 1).saturating_sub(digits.len());
    let digits = format!("{}{digits}", "0".repeat(missing));
    let (whole, part) = digits.split_at(digits.len() - scale);
    let significant = whole.trim_start_matches('0').len() + scale;
    if significant > 76 {
        return None;
    }
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    let text = format!("{sign}{whole}{point}{part}");
    Some(cast(string(&text), &format!("DECIMAL({}, {scale})", significant.max(1))))
}

/// The text form of a value in binary; `None` if it is none.
fn text_of_binary(oid: u32, bytes: &Bytes) -> Option<String> {
    let mut rest = bytes.clone();
    let array = |bytes: &Bytes| <[u8; 8]>::try_from(&bytes[..]).ok().map(i64::from_be_bytes);
    Some(match (oid, bytes.len()) {
        (types::BOOL, 1) => (rest.get_u8() != 0).to_string(),
        (types::INT2, 2) => rest.get_i16().to_string(),
        (types::INT4, 4) => rest.get_i32().to_string(),
        (types::INT8, 8) => rest.get_i64().to_string(),
        (types::OID, 4) => rest.get_u32().to_string(),
        (types::FLOAT4, 4) => rest.get_f32().to_string(),
        (types::FLOAT8, 8) => rest.get_f64().to_string(),
        (types::DATE, 4) => {
            let days = rest.get_i32().checked_add(10_957)?;
            text_value(&Date32Array::from(vec![days]), 0)?
        }
        (types::TIME, 8) => text_value(&Time64MicrosecondArray::from(vec![array(bytes)?]), 0)?,
        (types::TIMESTAMP | types::TIMESTAMPTZ, 8) => {
            let micros = array(bytes)?.checked_add(946_684_800_000_000)?;
            let text = text_value(&TimestampMicrosecondArray::from(vec![micros]), 0)?;
            if oid == types::TIMESTAMPTZ { format!("{text}+00") } else { text }
        }
        (types::INTERVAL, 16) => {
            let (micros, days, months) = (rest.get_i64(), rest.get_i32(), rest.get_i32());
            format!("{months} months {days} days {micros} microseconds")
        }
        (types::NUMERIC, 8..) => numeric_of_binary(rest)?,
        (types::BYTEA, _) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\\x{hex}")
        }
        (oid, _) if width_is_fixed(oid) || oid == types::NUMERIC => return None,
        _ => String::from_utf8(bytes.to_vec()).ok()?,
    })
}

fn width_is_fixed(oid: u32) -> bool {
    use types::*;
    [BOOL, INT2, INT4, INT8, OID, FLOAT4, FLOAT8, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL]
        .contains(&oid)
}

/// Base-10,000 digits with a weight, a sign and a scale.
pub(super) fn numeric_of_binary(mut bytes: Bytes) -> Option<String> {
    let (count, weight) = (bytes.get_u16(), i32::from(bytes.get_i16()));
    let (sign, scale) = (bytes.get_u16(), usize::from(bytes.get_u16()));
    if bytes.len() != usize::from(count) * 2 || !matches!(sign, 0 | 0x4000) || scale > 76 {
        return None;
    }
    let groups: Vec<u16> = (0..count).map(|_| bytes.get_u16()).collect();
    if groups.iter().any(|group| *group > 9_999) || !(-20..=20).contains(&weight) {
        return None;
    }
    let group = |power: i32| -> u16 {
        usize::try_from(weight - power).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0)
    };
    let whole: String = (0..=weight.max(0)).rev().map(|p| format!("{:04}", group(p))).collect();
    let mut part: String =
        (1..=scale.div_ceil(4) as i32).map(|power| format!("{:04}", group(-power))).collect();
    part.truncate(scale);
    let sign = if sign == 0 { "" } else { "-" };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    Some(if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
}

/// The elements of a binary array of at most one dimension.
pub(super) fn elements_of_binary(mut bytes: Bytes, element: u32) -> Option<Vec<Option<String>>> {
    if bytes.len() < 12 {
        return None;
    }
    let (dimensions, _, sent) = (bytes.get_i32(), bytes.get_i32(), bytes.get_u32());
    if dimensions == 0 {
        return Some(vec![]);
    }
    let is_text = |oid| [types::TEXT, types::VARCHAR, types::BPCHAR].contains(&oid);
    if dimensions != 1
        || bytes.len() < 8
        || (sent != element && !(is_text(sent) && is_text(element)))
    {
        return None;
    }
    let (count, _) = (bytes.get_i32(), bytes.get_i32());
    let mut elements = vec![];
    for _ in 0..count {
        if bytes.len() < 4 {
            return None;
        }
        match usize::try_from(bytes.get_i32()) {
            Err(_) => elements.push(None),
            Ok(length) if length <= bytes.len() => {
                let value = bytes.split_to(length);
                elements.push(Some(text_of_binary(element, &value)?));
            }
            Ok(_) => return None,
        }
    }
    bytes.is_empty().then_some(elements)
}

fn literal(value: Value) -> Expr {
    Expr::Value(value.into())
}

fn string(text: &str) -> Expr {
    literal(Value::SingleQuotedString(text.to_owned()))
}

fn cast(expr: Expr, sql_type: &str) -> Expr {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(sql_type)
        .and_then(|mut parser| parser.parse_data_type());
    match parsed {
        Ok(data_type) => Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(expr),
            data_type,
            array: false,
            format: None,
        },
        // The types come from the table below, which a test parses.
        Err(_) => expr,
    }
}

/// The engine's name of every type a parameter can have.
const SQL_TYPES: &[(u32, &str)] = &[
    (types::BOOL, "BOOLEAN"),
    (types::BYTEA, "BYTEA"),
    (types::INT8, "BIGINT"),
    (types::INT2, "SMALLINT"),
    (types::INT4, "INTEGER"),
    (types::OID, "BIGINT"),
    (types::FLOAT4, "REAL"),
    (types::FLOAT8, "DOUBLE PRECISION"),
    (types::DATE, "DATE"),
    (types::TIME, "TIME"),
    (types::TIMESTAMP, "TIMESTAMP"),
    (types::TIMESTAMPTZ, "TIMESTAMP WITH TIME ZONE"),
    (types::INTERVAL, "INTERVAL"),
    (types::NUMERIC, "DECIMAL(38, 10)"),
    (types::TEXT, "VARCHAR"),
    (1000, "BOOLEAN[]"),
    (1016, "BIGINT[]"),
    (1005, "SMALLINT[]"),
    (1007, "INTEGER[]"),
    (1021, "REAL[]"),
    (1022, "DOUBLE PRECISION[]"),
    (1182, "DATE[]"),
    (1115, "TIMESTAMP[]"),
    (1185, "TIMESTAMP WITH TIME ZONE[]"),
    (1231, "DECIMAL(38, 10)[]"),
    (1009, "VARCHAR[]"),
    (1015, "VARCHAR[]"),
    (1014, "VARCHAR[]"),
];

fn sql_type(oid: u32) -> &'static str {
    SQL_TYPES.iter().find(|(known, _)| *known == oid).map_or("VARCHAR", |(_, name)| name)
}

/// Type of a parameter that a client or PREPARE names in SQL; `None` if it is not in the table.
pub(super) fn oid_of_name(name: &str) -> Option<u32> {
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(name).ok()?;
    oid_of(&parser.parse_data_type().ok()?)
}

fn oid_of(data_type: &DataType) -> Option<u32> {
    use DataType as D;
    use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, TimezoneInfo};
    Some(match data_type {
        D::Boolean | D::Bool => types::BOOL,
        D::SmallInt(_) | D::Int2(_) => types::INT2,
        D::Int(_) | D::Integer(_) | D::Int4(_) => types::INT4,
        D::BigInt(_) | D::Int8(_) => types::INT8,
        D::Real | D::Float4 => types::FLOAT4,
        D::Double(_) | D::DoublePrecision | D::Float8 | D::Float(_) => types::FLOAT8,
        D::Numeric(_) | D::Decimal(_) | D::Dec(_) => types::NUMERIC,
        D::Text | D::Varchar(_) | D::CharacterVarying(_) | D::Char(_) | D::Character(_) => {
            types::TEXT
        }
        D::Bytea => types::BYTEA,
        D::Date => types::DATE,
        D::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => types::TIME,
        D::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => types::TIMESTAMP,
        D::Timestamp(..) | D::TimestampNtz(_) => types::TIMESTAMPTZ,
        D::Interval { .. } => types::INTERVAL,
        D::Array(ArrayElemTypeDef::SquareBracket(element, None)) => {
            let element = oid_of(element)?;
            types::ARRAYS.iter().find(|(known, _)| *known == element)?.1
        }
        D::Custom(name, _) if name.to_string().eq_ignore_ascii_case("oid") => types::OID,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
