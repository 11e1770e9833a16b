//! Calls of functions that the engine has under another name, of other types, or not at all.

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, OrderByExpr,
};

use super::casts::cast;
use super::expressions::is_integer;
use super::phrase::{arguments, made, renamed, string, text_of};
use super::{literals, patterns};
use crate::error::{Error, Result};
use crate::session::postgres::years_of;

/// The engine's functions whose unsigned numbers Postgres has as bigint.
const AS_BIGINT: &[&str] = &["row_number", "rank", "dense_rank", "regr_count"];
/// And as integer.
const AS_INTEGER: &[&str] = &["ntile", "cardinality", "array_ndims", "array_position"];

/// Postgres' name of what the engine calls otherwise.
const NAMES: &[(&str, &str)] = &[
    ("every", "bool_and"),
    ("variance", "var_samp"),
    ("ceiling", "ceil"),
    ("array_remove", "array_remove_all"),
    ("array_replace", "array_replace_all"),
    ("clock_timestamp", "now"),
    ("statement_timestamp", "now"),
    ("transaction_timestamp", "now"),
    ("row_to_json", "to_json"),
    ("jsonb_typeof", "json_typeof"),
    ("jsonb_array_length", "json_array_length"),
    ("jsonb_extract_path", "json_extract_path"),
    ("jsonb_extract_path_text", "json_extract_path_text"),
    ("jsonb_build_array", "jsonb_build_array"),
    ("session_user", "current_user"),
    ("user", "current_user"),
];

/// Functions that give rows, and those that give the rows as a list.
const ROWS: &[(&str, &str)] = &[
    ("generate_series", "generate_series"),
    ("regexp_split_to_table", "regexp_split_to_array"),
    ("string_to_table", "string_to_array"),
    ("regexp_matches", "regexp_all_matches"),
    ("jsonb_array_elements", "json_elements"),
    ("json_array_elements", "json_elements"),
    ("jsonb_array_elements_text", "json_elements_text"),
    ("json_array_elements_text", "json_elements_text"),
    ("jsonb_object_keys", "json_keys"),
    ("json_object_keys", "json_keys"),
];

/// The function that gives a list where `name` gives rows.
pub(super) fn list_function(name: &str) -> Option<&'static str> {
    ROWS.iter().find(|(rows, _)| *rows == name).map(|(_, list)| *list)
}

/// The name of `function`, in lower case and without `pg_catalog`.
pub(super) fn called(function: &Function) -> String {
    let name = function.name.to_string().to_lowercase();
    name.strip_prefix("pg_catalog.").map_or(name.clone(), str::to_owned)
}

/// What `function` is in the engine's words; `None` if it is the same.
pub(super) fn reworded(function: &Function) -> Result<Option<Expr>> {
    let name = called(function);
    if name == "array"
        && let FunctionArguments::Subquery(query) = &function.args
    {
        return super::selects::list_of(query).map(Some);
    }
    if name == "make_interval" {
        return Ok(Some(made_interval(function)?));
    }
    if !function.within_group.is_empty() {
        return ordered_set(&name, function);
    }
    let plain = || Expr::Function(function.clone());
    if AS_BIGINT.contains(&name.as_str()) {
        return Ok(Some(cast(plain(), DataType::BigInt(None))));
    }
    let Some(given) = arguments(function) else { return Ok(None) };
    if let Some(list) = list_function(&name) {
        return Ok(Some(unnested(&name, list, &given)?));
    }
    if let Some(made) = aggregate(&name, function, &given)? {
        return Ok(Some(made));
    }
    if let Some(made) = of_time(&name, &given)? {
        return Ok(Some(made));
    }
    if AS_INTEGER.contains(&name.as_str()) {
        return Ok(Some(cast(plain(), DataType::Integer(None))));
    }
    if let Some(made) = of_arrays(&name, function, &given)? {
        return Ok(Some(made));
    }
    Ok(match (name.as_str(), given.as_slice()) {
        ("ln" | "log" | "log10", [value]) => {
            let value = made("for_logarithm($1)", std::slice::from_ref(value))?;
            Some(Expr::Function(renamed(function, &name, vec![value])))
        }
        ("concat" | "concat_ws", [_, ..]) => {
            let shown = |value: &Expr| match text_of(value) {
                Some(_) => Ok(value.clone()),
                None => made("shown_text($1)", std::slice::from_ref(value)),
            };
            let given = given.iter().map(shown).collect::<Result<_>>()?;
            Some(Expr::Function(renamed(function, &name, given)))
        }
        ("mod", [_, _]) => Some(made("($1 % $2)", &given)?),
        ("round", [_]) => Some(made("round(whole_number($1))", &given)?),
        ("regexp_replace", [_, _, with, ..]) if text_of(with).is_some() => {
            let with = text_of(with).unwrap_or_default().replace("\\&", "${0}");
            let mut given = given.clone();
            given[2] = string(&with);
            if let Some(pattern) = text_of(&given[1]) {
                given[1] = string(&patterns::regular(pattern));
            }
            Some(Expr::Function(renamed(function, "regexp_replace", given)))
        }
        _ => NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, other)| Expr::Function(renamed(function, other, given))),
    })
}

/// Functions of arrays.
fn of_arrays(name: &str, function: &Function, given: &[Expr]) -> Result<Option<Expr>> {
    let plain = || Expr::Function(function.clone());
    Ok(match (name, given) {
        ("array_length", [_, _]) => {
            let length = cast(plain(), DataType::Integer(None));
            Some(made("nullif($1, 0)", &[length])?)
        }
        ("array_positions", [_, _]) => Some(made("CAST($1 AS INT[])", &[plain()])?),
        ("trim_array", [_, _]) => {
            Some(made("array_slice($1, 1, CAST(cardinality($1) AS BIGINT) - $2)", given)?)
        }
        ("array_fill", [value, Expr::Array(sizes)]) if sizes.elem.len() == 1 => {
            Some(made("array_repeat($1, $2)", &[value.clone(), sizes.elem[0].clone()])?)
        }
        _ => None,
    })
}

/// Rows of a list in the place of a call that gives rows.
fn unnested(name: &str, list: &str, given: &[Expr]) -> Result<Expr> {
    let places: Vec<_> = (1..=given.len()).map(|at| format!("${at}")).collect();
    let rows = made(&format!("unnest({list}({}))", places.join(", ")), given)?;
    let is_integer = name == "generate_series" && given.iter().all(is_integer);
    Ok(match name {
        _ if is_integer => cast(rows, DataType::Integer(None)),
        "jsonb_array_elements" => made("jsonb_value($1)", &[rows])?,
        "json_array_elements" => made("json_value($1)", &[rows])?,
        _ => rows,
    })
}

/// `avg` and `sum` with Postgres' types, and aggregates that make JSON.
fn aggregate(name: &str, function: &Function, given: &[Expr]) -> Result<Option<Expr>> {
    if let ("json_object_agg" | "jsonb_object_agg", [key, value]) = (name, given) {
        let list = |of: &Expr| Expr::Function(renamed(function, "array_agg", vec![of.clone()]));
        let of = if name == "json_object_agg" { "json_object_of" } else { "jsonb_object_of" };
        return Ok(Some(made(&format!("{of}($1, $2)"), &[list(key), list(value)])?));
    }
    let [value] = given else { return Ok(None) };
    let summand = |value: &Expr| made("summand($1)", std::slice::from_ref(value));
    Ok(match name {
        "sum" => Some(Expr::Function(renamed(function, "sum", vec![summand(value)?]))),
        "avg" => {
            let sum = Expr::Function(renamed(function, "sum", vec![summand(value)?]));
            let count = Expr::Function(renamed(function, "count", vec![value.clone()]));
            Some(made("numeric_avg($1, $2)", &[sum, count])?)
        }
        "json_agg" | "jsonb_agg" => {
            let list = Expr::Function(renamed(function, "array_agg", given.to_vec()));
            let of = if name == "json_agg" { "json_list" } else { "to_jsonb" };
            Some(made(&format!("{of}($1)"), &[list])?)
        }
        _ => None,
    })
}

/// `percentile_disc` and `mode`, which the engine has not.
fn ordered_set(name: &str, function: &Function) -> Result<Option<Expr>> {
    let [OrderByExpr { expr: value, options, .. }] = function.within_group.as_slice() else {
        return Ok(None);
    };
    if let ("percentile_cont" | "percentile_disc", Some([Expr::Array(shares)])) =
        (name, arguments(function).as_deref())
    {
        return several(name, function, value, &shares.elem);
    }
    let mut bare = function.clone();
    bare.within_group = vec![];
    match name {
        "mode" => {
            let FunctionArguments::List(list) = &mut bare.args else { return Ok(None) };
            list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value.clone()))];
            Ok(Some(Expr::Function(renamed(&bare, "most_common", vec![value.clone()]))))
        }
        "percentile_disc" => {
            if function.over.is_some() {
                let message = "percentile_disc is not supported as a window function";
                return Err(Error::statement("0A000", message));
            }
            let given = arguments(function).unwrap_or_default();
            let [share] = given.as_slice() else { return Ok(None) };
            let order = if options.asc == Some(false) { "DESC" } else { "ASC" };
            let known = match &function.filter {
                Some(filter) => {
                    made("$1 IS NOT NULL AND $2", &[value.clone(), Expr::Nested(filter.clone())])?
                }
                None => made("$1 IS NOT NULL", std::slice::from_ref(value))?,
            };
            let template = format!(
                "(CASE WHEN count($1) > 0 THEN array_agg($1 ORDER BY $1 {order}) \
                 FILTER (WHERE $3) END)[CAST(greatest(ceil(\
                 CAST($2 AS DOUBLE PRECISION) * count($1) FILTER (WHERE $3)), 1) AS BIGINT)]"
            );
            Ok(Some(made(&template, &[value.clone(), share.clone(), known])?))
        }
        _ => Ok(None),
    }
}

/// The values at several shares of a group: a list of calls, each for one of them.
fn several(name: &str, function: &Function, value: &Expr, shares: &[Expr]) -> Result<Option<Expr>> {
    let one = |share: &Expr| -> Result<Expr> {
        let call = renamed(function, name, vec![share.clone()]);
        Ok(ordered_set(name, &call)?.unwrap_or(Expr::Function(call)))
    };
    let values = shares.iter().map(one).collect::<Result<Vec<_>>>()?;
    let mut counted = renamed(function, "count", vec![value.clone()]);
    counted.within_group = vec![];
    let places: Vec<_> = (0..values.len()).map(|at| format!("${}", at + 2)).collect();
    let template = format!("CASE WHEN $1 > 0 THEN make_array({}) END", places.join(", "));
    let given: Vec<Expr> = std::iter::once(Expr::Function(counted)).chain(values).collect();
    made(&template, &given).map(Some)
}

/// Whether `expr` is a span of time, as far as it can be told from how it is written.
fn is_span(expr: &Expr) -> bool {
    match expr {
        Expr::Interval(_) => true,
        Expr::Nested(inner) => is_span(inner),
        Expr::Cast { data_type: DataType::Interval { .. }, .. } => true,
        Expr::Function(function) => {
            ["age", "make_interval", "justify_hours", "justify_days", "justify_interval"]
                .contains(&called(function).as_str())
        }
        _ => false,
    }
}

/// Functions of dates and instants.
fn of_time(name: &str, given: &[Expr]) -> Result<Option<Expr>> {
    Ok(match (name, given) {
        ("date_part", [field_name, value]) => match text_of(field_name) {
            Some(text) => Some(field(text, value, &DataType::DoublePrecision)?),
            None => None,
        },
        ("date_trunc", [_, value]) if is_span(value) => Some(made("span_trunc($1, $2)", given)?),
        ("date_trunc", [unit, value]) if text_of(unit).and_then(years_of).is_some() => {
            let years = text_of(unit).and_then(years_of).unwrap_or(1);
            Some(made(&format!("years_trunc({years}, $1)"), std::slice::from_ref(value))?)
        }
        ("date_trunc", [_, _, _]) => {
            Some(made("timezone($3, date_trunc($1, timezone($3, $2)))", given)?)
        }
        ("age", [value]) => {
            Some(made("age(CAST(current_date AS TIMESTAMP), $1)", std::slice::from_ref(value))?)
        }
        ("date_bin", [stride, rest @ ..]) if text_of(stride).is_some() => {
            let span = casts_span(text_of(stride).unwrap_or_default())?;
            let mut all = vec![span];
            all.extend(rest.iter().cloned());
            let places: Vec<_> = (1..=all.len()).map(|at| format!("${at}")).collect();
            Some(made(&format!("date_bin({})", places.join(", ")), &all)?)
        }
        _ => None,
    })
}

fn casts_span(text: &str) -> Result<Expr> {
    super::casts::span(literals::interval(text, None)?)
}

/// A field of a date, an instant or a span of time, as a number of `data_type`.
pub(super) fn field(name: &str, value: &Expr, data_type: &DataType) -> Result<Expr> {
    let lower = name.to_lowercase().trim_matches('\'').to_owned();
    let simple: String;
    let template = match lower.trim_end_matches('s') {
        "second" => "CAST(date_part('microsecond', $1) AS DECIMAL(18, 0)) * 0.000001",
        "millisecond" => "CAST(date_part('microsecond', $1) AS DECIMAL(18, 0)) * 0.001",
        "microsecond" => "CAST(date_part('microsecond', $1) AS DECIMAL(18, 0))",
        "epoch" => "CAST(date_part('epoch', $1) AS DECIMAL(22, 6))",
        "decade" => "CAST(floor(date_part('year', $1) / 10.0) AS DECIMAL(10, 0))",
        "century" | "centurie" => "CAST(ceil(date_part('year', $1) / 100.0) AS DECIMAL(10, 0))",
        "millennium" | "millennia" => {
            "CAST(ceil(date_part('year', $1) / 1000.0) AS DECIMAL(10, 0))"
        }
        "julian" => {
            "CAST(date_part('epoch', CAST($1 AS DATE)) / 86400 + 2440588 AS DECIMAL(10, 0))"
        }
        // ISO counts from Monday as 1, the engine as 0.
        "isodow" => "CAST((date_part('dow', $1) + 6) % 7 + 1 AS DECIMAL(10, 0))",
        "timezone" | "timezone_hour" | "timezone_minute" => {
            let message = format!("extract({lower} from ...) is not supported");
            return Err(Error::statement("0A000", message));
        }
        plain @ ("year" | "month" | "day" | "hour" | "minute" | "dow" | "doy" | "week"
        | "quarter" | "isoyear") => {
            simple = format!("CAST(date_part('{plain}', $1) AS DECIMAL(10, 0))");
            &simple
        }
        _ => {
            let message = format!("unit \"{lower}\" not recognized for type timestamp");
            return Err(Error::statement("22023", message));
        }
    };
    let part = made(template, &[made("span_of($1)", std::slice::from_ref(value))?])?;
    Ok(match data_type {
        DataType::DoublePrecision => cast(part, DataType::DoublePrecision),
        _ => part,
    })
}

/// `make_interval` with its arguments in their places.
fn made_interval(function: &Function) -> Result<Expr> {
    const NAMES: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];
    let FunctionArguments::List(list) = &function.args else {
        return Ok(Expr::Function(function.clone()));
    };
    let mut given: Vec<Expr> = NAMES.iter().map(|_| made("0", &[])).collect::<Result<_>>()?;
    for (at, arg) in list.args.iter().enumerate() {
        let (at, arg) = match arg {
            FunctionArg::Unnamed(arg) => (Some(at), arg),
            FunctionArg::Named { name, arg, .. } => {
                (NAMES.iter().position(|known| name.value.eq_ignore_ascii_case(known)), arg)
            }
            FunctionArg::ExprNamed { name, arg, .. } => {
                let name = name.to_string().to_lowercase();
                (NAMES.iter().position(|known| *known == name), arg)
            }
        };
        let (Some(place), FunctionArgExpr::Expr(expr)) = (at.and_then(|at| given.get_mut(at)), arg)
        else {
            return Err(Error::statement("42883", "function make_interval has no such argument"));
        };
        *place = expr.clone();
    }
    Ok(Expr::Function(renamed(function, "make_interval", given)))
}
