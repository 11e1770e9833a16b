//! JSON: the operators and functions of Postgres on JSON that is kept as text.
//!
//! `x::jsonb` is text in the one form that Postgres shows it in; the column's type goes along in
//! the field's metadata.

use std::sync::Arc;

use chrono_tz::Tz;
use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue, exec_err};

use super::json_text::{Json, Style};
use super::{Definition, Kind, integer, text};

/// `json` and `jsonb` in `pg_type`.
pub(super) const JSON: u32 = 114;
pub(super) const JSONB: u32 = 3802;

/// The type of a function's result, beyond that it is text; 0 is the type of its argument.
pub(super) const TYPES: &[(&str, u32)] = &[
    ("json_value", JSON),
    ("jsonb_value", JSONB),
    ("json_field", 0),
    ("json_path", 0),
    ("json_extract_path", 0),
    ("json_without", JSONB),
    ("json_concat", JSONB),
    ("jsonb_set", JSONB),
    ("jsonb_strip_nulls", JSONB),
    ("to_json", JSON),
    ("json_list", JSON),
    ("to_jsonb", JSONB),
    ("json_build_object", JSON),
    ("jsonb_build_object", JSONB),
    ("json_build_array", JSON),
    ("jsonb_build_array", JSONB),
    ("json_strip_nulls", JSON),
    ("json_object_of", JSON),
    ("jsonb_object_of", JSONB),
];

type Answer = fn(&[ScalarValue], Tz) -> Result<ScalarValue>;

const TEXT: fn(&[DataType]) -> DataType = |_| DataType::Utf8;
const TEXTS: fn(&[DataType]) -> DataType = |_| of_items();
const BOOLEAN: fn(&[DataType]) -> DataType = |_| DataType::Boolean;

/// A list of texts; that they are JSON is said of its elements, where they are taken out.
fn of_items() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

const fn of(
    name: &'static str,
    kinds: &'static [Kind],
    returns: fn(&[DataType]) -> DataType,
    answer: Answer,
) -> Definition {
    let (needed, is_open, takes_null) = (kinds.len(), false, false);
    Definition { name, needed, kinds, is_open, takes_null, returns, answer }
}

const fn open(name: &'static str, answer: Answer) -> Definition {
    let (needed, is_open, takes_null) = (0, true, true);
    Definition { name, needed, kinds: &[Kind::Any], is_open, takes_null, returns: TEXT, answer }
}

const ONE: &[Kind] = &[Kind::Text];
const TWO: &[Kind] = &[Kind::Text, Kind::Text];
const WITH_ANY: &[Kind] = &[Kind::Text, Kind::Any];

pub(super) const DEFINITIONS: &[Definition] = &[
    of("json_value", ONE, TEXT, |given, _| {
        read(&given[0])?;
        Ok(given[0].clone())
    }),
    of("jsonb_value", ONE, TEXT, |given, _| kept(read(&given[0])?)),
    of("json_field", WITH_ANY, TEXT, |given, _| Ok(written(step(&read(&given[0])?, &given[1])))),
    of("json_field_text", WITH_ANY, TEXT, |given, _| Ok(shown(step(&read(&given[0])?, &given[1])))),
    of("json_path", WITH_ANY, TEXT, |given, _| {
        Ok(written(read(&given[0])?.at(&texts(&given[1])?)))
    }),
    of("json_path_text", WITH_ANY, TEXT, |given, _| {
        Ok(shown(read(&given[0])?.at(&texts(&given[1])?)))
    }),
    Definition {
        needed: 2,
        is_open: true,
        ..of("json_extract_path", TWO, TEXT, |given, _| {
            Ok(written(read(&given[0])?.at(&steps(given))))
        })
    },
    Definition {
        needed: 2,
        is_open: true,
        ..of("json_extract_path_text", TWO, TEXT, |given, _| {
            Ok(shown(read(&given[0])?.at(&steps(given))))
        })
    },
    of("json_has", TWO, BOOLEAN, |given, _| {
        Ok(ScalarValue::Boolean(Some(has(&read(&given[0])?, text(&given[1])))))
    }),
    of("json_has_any", WITH_ANY, BOOLEAN, |given, _| {
        let (value, keys) = (read(&given[0])?, texts(&given[1])?);
        Ok(ScalarValue::Boolean(Some(keys.iter().any(|key| has(&value, key)))))
    }),
    of("json_has_all", WITH_ANY, BOOLEAN, |given, _| {
        let (value, keys) = (read(&given[0])?, texts(&given[1])?);
        Ok(ScalarValue::Boolean(Some(keys.iter().all(|key| has(&value, key)))))
    }),
    of("json_contains", TWO, BOOLEAN, |given, _| {
        Ok(ScalarValue::Boolean(Some(read(&given[0])?.contains(&read(&given[1])?))))
    }),
    of("json_concat", TWO, TEXT, |given, _| kept(joined(read(&given[0])?, read(&given[1])?))),
    of("json_without", WITH_ANY, TEXT, |given, _| without(read(&given[0])?, &given[1])),
    of("json_typeof", ONE, TEXT, |given, _| {
        let name = match read(&given[0])? {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::Text(_) => "string",
            Json::List(_) => "array",
            Json::Object(_) => "object",
        };
        Ok(ScalarValue::Utf8(Some(name.into())))
    }),
    of(
        "json_array_length",
        ONE,
        |_| DataType::Int32,
        |given, _| match read(&given[0])? {
            Json::List(items) => Ok(ScalarValue::Int32(i32::try_from(items.len()).ok())),
            _ => exec_err!("cannot get array length of a non-array"),
        },
    ),
    of("json_elements", ONE, TEXTS, |given, _| elements(given, |item| Some(spaced(item)))),
    of("json_elements_text", ONE, TEXTS, |given, _| {
        elements(given, |item| item.shown(Style::Spaced))
    }),
    of("json_keys", ONE, TEXTS, |given, _| {
        Ok(list(fields(given)?.iter().map(|(key, _)| Some(key.clone()))))
    }),
    of("json_values", ONE, TEXTS, |given, _| {
        Ok(list(fields(given)?.iter().map(|(_, value)| Some(spaced(value)))))
    }),
    of("json_values_text", ONE, TEXTS, |given, _| {
        Ok(list(fields(given)?.iter().map(|(_, value)| value.shown(Style::Spaced))))
    }),
    of("jsonb_equal", TWO, BOOLEAN, |given, _| {
        let is_equal = read(&given[0])?.comparable() == read(&given[1])?.comparable();
        Ok(ScalarValue::Boolean(Some(is_equal)))
    }),
    of("jsonb_strip_nulls", ONE, TEXT, |given, _| kept(stripped(read(&given[0])?))),
    of("json_strip_nulls", ONE, TEXT, |given, _| {
        let stripped = stripped(read(&given[0])?);
        Ok(ScalarValue::Utf8(Some(stripped.written(Style::Tight))))
    }),
    of("jsonb_pretty", ONE, TEXT, |given, _| {
        Ok(ScalarValue::Utf8(Some(read(&given[0])?.canonical().pretty())))
    }),
    Definition {
        needed: 3,
        ..of("jsonb_set", &[Kind::Text, Kind::Any, Kind::Text, Kind::Any], TEXT, |given, _| {
            let adds = given.get(3) != Some(&ScalarValue::Boolean(Some(false)));
            kept(set(read(&given[0])?, &texts(&given[1])?, read(&given[2])?, adds))
        })
    },
    of("json_object_of", &[Kind::Any, Kind::Any], TEXT, |given, zone| {
        let fields = paired(given, zone)?.into_iter().map(|(key, value)| {
            let mut out = String::new();
            super::json_text::quote(&key, &mut out);
            format!("{out} : {}", value.written(Style::Tight))
        });
        let fields: Vec<String> = fields.collect();
        Ok(ScalarValue::Utf8(Some(format!("{{ {} }}", fields.join(", ")))))
    }),
    of("jsonb_object_of", &[Kind::Any, Kind::Any], TEXT, |given, zone| {
        kept(Json::Object(paired(given, zone)?))
    }),
    of("to_json", &[Kind::Any], TEXT, |given, zone| {
        Ok(ScalarValue::Utf8(Some(value_of(&given[0], zone)?.written(Style::Tight))))
    }),
    of("json_list", &[Kind::Any], TEXT, |given, zone| {
        let written = match value_of(&given[0], zone)? {
            Json::List(items) => {
                // Rows and lists stand in lines of their own.
                let is_large =
                    items.iter().any(|item| matches!(item, Json::List(_) | Json::Object(_)));
                let between = if is_large { ", \n " } else { ", " };
                let items: Vec<_> = items.iter().map(|item| item.written(Style::Tight)).collect();
                format!("[{}]", items.join(between))
            }
            other => other.written(Style::Tight),
        };
        Ok(ScalarValue::Utf8(Some(written)))
    }),
    of("to_jsonb", &[Kind::Any], TEXT, |given, zone| kept(value_of(&given[0], zone)?)),
    open("json_build_object", |given, zone| {
        let fields = object(given, zone)?;
        let parts: Vec<String> = fields
            .iter()
            .map(|(key, value)| {
                let mut out = String::new();
                super::json_text::quote(key, &mut out);
                format!("{out} : {}", value.written(Style::Tight))
            })
            .collect();
        Ok(ScalarValue::Utf8(Some(format!("{{{}}}", parts.join(", ")))))
    }),
    open("jsonb_build_object", |given, zone| kept(Json::Object(object(given, zone)?))),
    open("json_build_array", |given, zone| {
        let items = given.iter().map(|value| value_of(value, zone)).collect::<Result<_>>()?;
        Ok(ScalarValue::Utf8(Some(Json::List(items).written(Style::Spaced))))
    }),
    open("jsonb_build_array", |given, zone| {
        let items = given.iter().map(|value| value_of(value, zone)).collect::<Result<_>>()?;
        kept(Json::List(items))
    }),
];

fn read(value: &ScalarValue) -> Result<Json> {
    match Json::parse(text(value)) {
        Some(json) => Ok(json),
        None => exec_err!("invalid input syntax for type json"),
    }
}

fn kept(json: Json) -> Result<ScalarValue> {
    Ok(ScalarValue::Utf8(Some(json.canonical().written(Style::Spaced))))
}

fn written(json: Option<&Json>) -> ScalarValue {
    ScalarValue::Utf8(json.map(|json| json.written(Style::Spaced)))
}

fn shown(json: Option<&Json>) -> ScalarValue {
    ScalarValue::Utf8(json.and_then(|json| json.shown(Style::Spaced)))
}

/// `-> key` or `-> place`.
fn step<'a>(json: &'a Json, step: &ScalarValue) -> Option<&'a Json> {
    match step.cast_to(&DataType::Int64) {
        Ok(place) if step.data_type().is_integer() => json.item(integer(&place)),
        _ => json.field(text(step)),
    }
}

fn steps(given: &[ScalarValue]) -> Vec<String> {
    given[1..].iter().map(|step| text(step).to_owned()).collect()
}

/// The texts of a list, or of a text as `{a,b}`.
fn texts(value: &ScalarValue) -> Result<Vec<String>> {
    let elements = match value {
        ScalarValue::List(list) => {
            let values = list.value(0);
            (0..values.len())
                .map(|at| Ok(ScalarValue::try_from_array(&values, at)?))
                .map(|value: Result<_>| Ok(text(&value?.cast_to(&DataType::Utf8)?).to_owned()))
                .collect::<Result<Vec<_>>>()?
        }
        other => match crate::session::dialect::array_elements(text(other)) {
            Some(elements) => elements.into_iter().flatten().collect(),
            None => return exec_err!("malformed array literal: \"{}\"", text(other)),
        },
    };
    Ok(elements)
}

fn has(json: &Json, key: &str) -> bool {
    match json {
        Json::List(items) => items.iter().any(|item| matches!(item, Json::Text(t) if t == key)),
        Json::Text(text) => text == key,
        other => other.field(key).is_some(),
    }
}

fn fields(given: &[ScalarValue]) -> Result<Vec<(String, Json)>> {
    match read(&given[0])?.canonical() {
        Json::Object(fields) => Ok(fields),
        _ => exec_err!("cannot call json_object_keys on a value that is no object"),
    }
}

fn elements(given: &[ScalarValue], text: fn(&Json) -> Option<String>) -> Result<ScalarValue> {
    match read(&given[0])? {
        Json::List(items) => Ok(list(items.iter().map(text))),
        _ => exec_err!("cannot extract elements from a value that is no array"),
    }
}

fn spaced(json: &Json) -> String {
    json.written(Style::Spaced)
}

fn list(texts: impl Iterator<Item = Option<String>>) -> ScalarValue {
    let values: Vec<_> = texts.map(ScalarValue::Utf8).collect();
    ScalarValue::List(ScalarValue::new_list(&values, &DataType::Utf8, true))
}

fn joined(a: Json, b: Json) -> Json {
    match (a, b) {
        (Json::Object(mut a), Json::Object(b)) => {
            a.extend(b);
            Json::Object(a)
        }
        (Json::List(mut a), Json::List(b)) => {
            a.extend(b);
            Json::List(a)
        }
        (Json::List(mut a), b) => {
            a.push(b);
            Json::List(a)
        }
        (a, Json::List(mut b)) => {
            b.insert(0, a);
            Json::List(b)
        }
        (a, b) => Json::List(vec![a, b]),
    }
}

fn without(json: Json, what: &ScalarValue) -> Result<ScalarValue> {
    if what.data_type().is_integer() {
        let Json::List(mut items) = json else {
            return exec_err!("cannot delete from a value that is no array by its place");
        };
        let place = integer(&what.cast_to(&DataType::Int64)?);
        let at = if place < 0 { place + items.len() as i64 } else { place };
        if let Some(at) = usize::try_from(at).ok().filter(|at| *at < items.len()) {
            items.remove(at);
        }
        return kept(Json::List(items));
    }
    let keys = match what {
        ScalarValue::List(_) => texts(what)?,
        other => vec![text(other).to_owned()],
    };
    kept(match json {
        Json::Object(fields) => {
            Json::Object(fields.into_iter().filter(|(key, _)| !keys.contains(key)).collect())
        }
        Json::List(items) => Json::List(
            items.into_iter().filter(|i| !matches!(i, Json::Text(t) if keys.contains(t))).collect(),
        ),
        other => other,
    })
}

fn stripped(json: Json) -> Json {
    match json {
        Json::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| *value != Json::Null);
            Json::Object(kept.map(|(key, value)| (key, stripped(value))).collect())
        }
        Json::List(items) => Json::List(items.into_iter().map(stripped).collect()),
        other => other,
    }
}

/// Keys of one list with the values of another.
fn paired(given: &[ScalarValue], zone: Tz) -> Result<Vec<(String, Json)>> {
    let items = |value: &ScalarValue| -> Result<Vec<ScalarValue>> {
        let ScalarValue::List(list) = value else { return Ok(vec![]) };
        let values = list.value(0);
        (0..values.len()).map(|at| ScalarValue::try_from_array(&values, at)).collect()
    };
    let pairs = items(&given[0])?.into_iter().zip(items(&given[1])?);
    pairs
        .map(|(key, value)| match key.is_null() {
            true => exec_err!("field name must not be null"),
            false => Ok((super::texts::text_of(&key, zone)?, value_of(&value, zone)?)),
        })
        .collect()
}

/// `json` with `value` at the end of `steps`, where it is put if nothing is there and `adds` is set.
fn set(json: Json, steps: &[String], value: Json, adds: bool) -> Json {
    let Some((first, rest)) = steps.split_first() else { return value };
    match json {
        Json::Object(mut fields) => {
            match fields.iter().position(|(key, _)| key == first) {
                Some(at) => {
                    let old = std::mem::replace(&mut fields[at].1, Json::Null);
                    fields[at].1 = set(old, rest, value, adds);
                }
                None if rest.is_empty() && adds => fields.push((first.clone(), value)),
                None => {}
            }
            Json::Object(fields)
        }
        Json::List(mut items) => {
            let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let place = first.parse::<i64>().unwrap_or(i64::MAX);
            let place = if place < 0 { place + count } else { place };
            match usize::try_from(place) {
                Ok(at) if at < items.len() => {
                    let old = std::mem::replace(&mut items[at], Json::Null);
                    items[at] = set(old, rest, value, adds);
                }
                Ok(_) if rest.is_empty() && adds => items.push(value),
                Err(_) if rest.is_empty() && adds => items.insert(0, value),
                _ => {}
            }
            Json::List(items)
        }
        other => other,
    }
}

/// Keys and values in turns.
fn object(given: &[ScalarValue], zone: Tz) -> Result<Vec<(String, Json)>> {
    if given.len() % 2 != 0 {
        return exec_err!("argument list must have even number of elements");
    }
    given
        .chunks(2)
        .map(|pair| match pair[0].is_null() {
            true => exec_err!("null value not allowed for object key"),
            false => Ok((super::texts::text_of(&pair[0], zone)?, value_of(&pair[1], zone)?)),
        })
        .collect()
}

/// Any value as JSON.
fn value_of(value: &ScalarValue, zone: Tz) -> Result<Json> {
    if value.is_null() {
        return Ok(Json::Null);
    }
    Ok(match value {
        ScalarValue::Boolean(Some(is)) => Json::Bool(*is),
        ScalarValue::List(list) => {
            let values = list.value(0);
            let items = (0..values.len())
                .map(|at| value_of(&ScalarValue::try_from_array(&values, at)?, zone));
            Json::List(items.collect::<Result<_>>()?)
        }
        ScalarValue::Struct(record) => {
            let fields = record.fields().iter().zip(record.columns()).map(|(field, column)| {
                let value = ScalarValue::try_from_array(column, 0)?;
                Ok((field.name().clone(), value_of(&value, zone)?))
            });
            Json::Object(fields.collect::<Result<_>>()?)
        }
        other if other.data_type().is_numeric() => {
            let shown = super::texts::text_of(other, zone)?;
            match shown.bytes().all(|b| b.is_ascii_digit() || b"+-.e".contains(&b)) {
                true => Json::Number(shown),
                // Infinity and NaN.
                false => Json::Text(shown),
            }
        }
        other => {
            let shown = super::texts::text_of(other, zone)?;
            let is_instant = matches!(other.data_type(), DataType::Timestamp(..));
            Json::Text(if is_instant { shown.replacen(' ', "T", 1) } else { shown })
        }
    })
}
