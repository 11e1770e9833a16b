//! Expressions that only Postgres says like that, in the engine's words.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, DataType, ExactNumberInfo, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Subscript, UnaryOperator, Value, visit_expressions_mut,
};

use super::phrase::{made, number_of, string, text_of};
use super::{calls, casts, literals, names, patterns};
use crate::error::{Error, Result};

/// Says `expr`, whose parts are reworded, in the engine's words.
pub(super) fn reword(expr: &mut Expr) -> Result<()> {
    narrow_parts(expr);
    if let Some(other) = reworded(expr)? {
        *expr = other;
    }
    Ok(())
}

fn reworded(expr: &Expr) -> Result<Option<Expr>> {
    Ok(match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) if text.contains(['e', 'E']) => Some(float(text)?),
            Value::UnicodeStringLiteral(text) => Some(string(text)),
            _ => None,
        },
        Expr::Identifier(name) if name.quote_style.is_none() => word(&name.value)?,
        Expr::Collate { expr, collation } => Some(collated(expr, &collation.to_string())?),
        Expr::Cast { expr, data_type, .. } => casts::reworded(expr, data_type)?,
        Expr::TypedString(typed) => {
            let Value::SingleQuotedString(text) = &typed.value.value else { return Ok(None) };
            match casts::of_literal(text, &typed.data_type)? {
                Some(made) => Some(made),
                None => Some(casts::cast(string(text), typed.data_type.clone())),
            }
        }
        Expr::Interval(interval) => casts::of_interval(interval)?,
        Expr::Extract { field, expr, .. } => {
            Some(calls::field(&field.to_string(), expr, &DataType::Numeric(ExactNumberInfo::None))?)
        }
        Expr::AtTimeZone { timestamp, time_zone } => {
            let given = [time_zone.as_ref().clone(), timestamp.as_ref().clone()];
            Some(made("timezone($1, $2)", &given)?)
        }
        Expr::Like { negated, any, expr, pattern, escape_char } => {
            like(Matched { expr, pattern, is_negated: *negated }, "LIKE", *any, escape_char)?
        }
        Expr::ILike { negated, any, expr, pattern, escape_char } => {
            like(Matched { expr, pattern, is_negated: *negated }, "ILIKE", *any, escape_char)?
        }
        Expr::SimilarTo { negated, expr, pattern, escape_char } => {
            let mark = match escape_char.as_ref().map(|mark| &mark.value) {
                Some(Value::SingleQuotedString(mark)) => mark.chars().next(),
                _ => Some('\\'),
            };
            Some(similar(expr, pattern, *negated, mark)?)
        }
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => one_of(left, right),
        Expr::UnaryOp { op, expr } => unary(op, expr)?,
        Expr::BinaryOp { left, op, right } => binary(left, op, right)?,
        Expr::Substring { expr, substring_from: Some(from), substring_for: None, .. }
            if text_of(from).is_some() =>
        {
            let given = [expr.as_ref().clone(), from.as_ref().clone()];
            Some(made("substring_matching($1, $2)", &given)?)
        }
        Expr::CompoundFieldAccess { root, access_chain } => sliced(root, access_chain),
        Expr::Function(function) => calls::reworded(function)?,
        _ => None,
    })
}

/// `x BETWEEN SYMMETRIC a AND b`, which has a mark before `a`: between the lesser and the greater.
pub(super) fn between(expr: &mut Expr) -> Result<()> {
    let Expr::Between { expr: value, negated, low, high } = expr else { return Ok(()) };
    let mut is_marked = false;
    let _: ControlFlow<()> = visit_expressions_mut(low.as_mut(), |part| {
        if let Expr::BinaryOp { left, op: BinaryOperator::PGExp, right } = part
            && matches!(left.as_ref(), Expr::Identifier(name) if name.value == super::SYMMETRIC)
        {
            is_marked = true;
            *part = right.as_ref().clone();
        }
        ControlFlow::Continue(())
    });
    if is_marked {
        let not = if *negated { "NOT " } else { "" };
        let template = format!("({not}(($1 >= $2 AND $1 <= $3) OR ($1 >= $3 AND $1 <= $2)))");
        let given = [value, low, high].map(|part| part.as_ref().clone());
        *expr = made(&template, &given)?;
    }
    Ok(())
}

/// Words that are calls without parentheses.
fn word(name: &str) -> Result<Option<Expr>> {
    Ok(Some(match name.to_ascii_lowercase().as_str() {
        "localtimestamp" => made("CAST(now() AS TIMESTAMP)", &[])?,
        "current_schema" => made("current_schema()", &[])?,
        "current_catalog" => made("current_database()", &[])?,
        _ => return Ok(None),
    }))
}

/// `1e10` as a decimal, as a float where it has more digits than a decimal can.
fn float(text: &str) -> Result<Expr> {
    casts::decimal(text).or_else(|_| Ok(casts::cast(string(text), DataType::DoublePrecision)))
}

fn collated(expr: &Expr, collation: &str) -> Result<Expr> {
    let bare = collation.replace("pg_catalog.", "").replace('"', "");
    match bare.as_str() {
        "C" | "POSIX" | "default" | "ucs_basic" | "C.UTF-8" | "C.utf8" => Ok(expr.clone()),
        _ => {
            let message =
                format!("collation \"{bare}\" is not supported: text is ordered by bytes");
            Err(Error::statement("0A000", message))
        }
    }
}

struct Matched<'a> {
    expr: &'a Expr,
    pattern: &'a Expr,
    is_negated: bool,
}

fn like(
    matched: Matched<'_>,
    word: &str,
    is_any: bool,
    escape: &Option<datafusion::sql::sqlparser::ast::ValueWithSpan>,
) -> Result<Option<Expr>> {
    let Matched { expr, pattern, is_negated } = matched;
    let not = if is_negated { "NOT " } else { "" };
    if is_any {
        let list = match pattern {
            Expr::Nested(inner) => inner.as_ref(),
            other => other,
        };
        let Expr::Array(array) = list else {
            let message = format!("{word} ANY takes an array that is written out");
            return Err(Error::statement("0A000", message));
        };
        let parts = (1..=array.elem.len()).map(|at| format!("$1 {word} ${}", at + 1));
        let any = format!("{not}({})", parts.collect::<Vec<_>>().join(" OR "));
        let given: Vec<_> = std::iter::once(expr.clone()).chain(array.elem.clone()).collect();
        return Ok(Some(made(&any, &given)?));
    }
    let Some(Value::SingleQuotedString(mark)) = escape.as_ref().map(|mark| &mark.value) else {
        return Ok(None);
    };
    if mark == "\\" {
        return Ok(Some(made(&format!("$1 {not}{word} $2"), &[expr.clone(), pattern.clone()])?));
    }
    let mut marks = mark.chars();
    let (mark, None) = (marks.next(), marks.next()) else {
        return Err(Error::statement("22019", "invalid escape string"));
    };
    let pattern = match text_of(pattern) {
        Some(text) => string(&patterns::with_backslashes(text, mark)),
        None => with_backslashes(pattern, mark)?,
    };
    Ok(Some(made(&format!("$1 {not}{word} $2"), &[expr.clone(), pattern])?))
}

/// A pattern that is computed, with backslashes where it has `mark`.
fn with_backslashes(pattern: &Expr, mark: Option<char>) -> Result<Expr> {
    let doubled = made("replace($1, $2, $3)", &[pattern.clone(), string("\\"), string("\\\\")])?;
    let Some(mark) = mark else { return Ok(doubled) };
    // A mark that stands for itself is put aside, so that it marks nothing.
    let aside = "\u{1}";
    let steps = [
        (format!("{mark}{mark}"), aside.to_owned()),
        (format!("{mark}_"), "\\_".to_owned()),
        (format!("{mark}%"), "\\%".to_owned()),
        (aside.to_owned(), mark.to_string()),
    ];
    steps.into_iter().try_fold(doubled, |text, (from, to)| {
        made("replace($1, $2, $3)", &[text, string(&from), string(&to)])
    })
}

fn similar(expr: &Expr, pattern: &Expr, is_negated: bool, mark: Option<char>) -> Result<Expr> {
    let op = if is_negated { "!~" } else { "~" };
    let pattern = match text_of(pattern) {
        Some(text) => string(&patterns::similar(text, mark)),
        None => made("similar_to_escape($1)", std::slice::from_ref(pattern))?,
    };
    made(&format!("$1 {op} $2"), &[expr.clone(), pattern])
}

/// `x = ANY ('{1,2}')`: a list whose elements take the type of `x`.
fn one_of(left: &Expr, right: &Expr) -> Option<Expr> {
    let elements = literals::array_elements(text_of(right)?)?;
    let list = elements.into_iter().map(|element| match element {
        Some(text) => string(&text),
        None => Expr::Value(Value::Null.into()),
    });
    Some(Expr::InList { expr: Box::new(left.clone()), list: list.collect(), negated: false })
}

fn unary(op: &UnaryOperator, expr: &Expr) -> Result<Option<Expr>> {
    let given = std::slice::from_ref(expr);
    Ok(Some(match op {
        UnaryOperator::PGAbs => made("abs($1)", given)?,
        UnaryOperator::PGSquareRoot => made("sqrt($1)", given)?,
        UnaryOperator::PGCubeRoot => made("cbrt($1)", given)?,
        // The engine would turn the sign of the first of its numbers only.
        UnaryOperator::Minus => match span_of(expr) {
            Some(text) => {
                let (months, days, us) = literals::interval(text, None)?;
                casts::span((-months, -days, -us))?
            }
            None => return Ok(None),
        },
        UnaryOperator::BitwiseNot => made("((-1) - $1)", given)?,
        _ => return Ok(None),
    }))
}

/// The text of a span of time that is written out.
fn span_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Nested(inner) => span_of(inner),
        Expr::Interval(interval) => text_of(&interval.value),
        _ => None,
    }
}

fn binary(left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Option<Expr>> {
    use BinaryOperator as Op;
    let given = [left.clone(), right.clone()];
    if let (Expr::Tuple(a), Expr::Tuple(b)) = (left, right) {
        return match op {
            Op::Overlaps => Ok(Some(overlap(a, b)?)),
            _ => rows(a, op, b),
        };
    }
    Ok(match op {
        Op::PGRegexMatch | Op::PGRegexIMatch | Op::PGRegexNotMatch | Op::PGRegexNotIMatch => {
            match text_of(right) {
                Some(pattern) if pattern.contains(['\\', '.']) => {
                    let right = Box::new(string(&patterns::regular(pattern)));
                    Some(Expr::BinaryOp { left: Box::new(left.clone()), op: op.clone(), right })
                }
                _ => None,
            }
        }
        Op::Arrow => Some(made("json_field($1, $2)", &given)?),
        Op::LongArrow => Some(made("json_field_text($1, $2)", &given)?),
        Op::HashArrow => Some(made("json_path($1, $2)", &given)?),
        Op::HashLongArrow => Some(made("json_path_text($1, $2)", &given)?),
        Op::Question => Some(made("json_has($1, $2)", &given)?),
        Op::QuestionPipe => Some(made("json_has_any($1, $2)", &given)?),
        Op::QuestionAnd => Some(made("json_has_all($1, $2)", &given)?),
        _ => None,
    })
}

/// Comparisons of rows, column by column.
fn rows(a: &[Expr], op: &BinaryOperator, b: &[Expr]) -> Result<Option<Expr>> {
    use BinaryOperator as Op;
    if a.len() != b.len() || a.is_empty() {
        return Err(Error::statement("42601", "unequal number of entries in row expressions"));
    }
    let given: Vec<Expr> = a.iter().chain(b).cloned().collect();
    let pair = |at: usize, op: &str| format!("${} {op} ${}", at + 1, at + 1 + a.len());
    let each = |op: &str, with: &str| {
        let parts: Vec<_> = (0..a.len()).map(|at| pair(at, op)).collect();
        format!("({})", parts.join(with))
    };
    let ordered = |strict: &str, last: &str| {
        let end = a.len() - 1;
        (0..end).rev().fold(format!("({})", pair(end, last)), |inner, at| {
            format!("({} OR ({} AND {inner}))", pair(at, strict), pair(at, "="))
        })
    };
    let template = match op {
        Op::Eq => each("=", " AND "),
        Op::NotEq => each("<>", " OR "),
        Op::Lt => ordered("<", "<"),
        Op::LtEq => ordered("<", "<="),
        Op::Gt => ordered(">", ">"),
        Op::GtEq => ordered(">", ">="),
        _ => return Ok(None),
    };
    Ok(Some(made(&template, &given)?))
}

/// `(start, end) OVERLAPS (start, end)`; an end may be a length.
fn overlap(a: &[Expr], b: &[Expr]) -> Result<Expr> {
    let ([a_start, a_end], [b_start, b_end]) = (a, b) else {
        return Err(Error::statement("42601", "wrong number of parameters on OVERLAPS expression"));
    };
    let end = |start: &Expr, end: &Expr| match end {
        Expr::Interval(_) => made("$1 + $2", &[start.clone(), end.clone()]),
        other => Ok(other.clone()),
    };
    let given = [a_start.clone(), end(a_start, a_end)?, b_start.clone(), end(b_start, b_end)?];
    let template = "((least($1, $2) < greatest($3, $4) AND least($3, $4) < greatest($1, $2)) \
                    OR least($1, $2) = least($3, $4))";
    made(template, &given)
}

/// `a[:2]` has a lower bound.
fn sliced(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    let is_open = |access: &AccessExpr| {
        matches!(access, AccessExpr::Subscript(Subscript::Slice { lower_bound: None, .. }))
    };
    if !chain.iter().any(is_open) {
        return None;
    }
    let one = || Expr::Value(Value::Number("1".into(), false).into());
    let chain = chain.iter().cloned().map(|access| match access {
        AccessExpr::Subscript(Subscript::Slice { lower_bound: None, upper_bound, stride }) => {
            let lower_bound = Some(one());
            AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride })
        }
        other => other,
    });
    Some(Expr::CompoundFieldAccess { root: Box::new(root.clone()), access_chain: chain.collect() })
}

/// Calls whose result has the type of their arguments.
const OF_ARGUMENTS: &[&str] = &[
    "sum",
    "avg",
    "min",
    "max",
    "coalesce",
    "greatest",
    "least",
    "nullif",
    "abs",
    "mod",
    "array_agg",
    "array_append",
    "array_prepend",
    "pg_typeof",
    "gcd",
    "lcm",
    "array_position",
    "array_positions",
    "array_remove",
    "array_replace",
    "json_build_object",
    "json_build_array",
    "jsonb_build_object",
    "jsonb_build_array",
    "to_hex",
    "width_bucket",
];

/// Whole numbers that are written out are integers, where that decides the type of `expr`.
fn narrow_parts(expr: &mut Expr) {
    match expr {
        Expr::BinaryOp { left, op, right } => {
            use BinaryOperator as Op;
            let is_arithmetic =
                matches!(op, Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo);
            if is_arithmetic {
                narrow(left);
                narrow(right);
            }
        }
        Expr::Case { conditions, else_result, .. } => {
            conditions.iter_mut().for_each(|when| narrow(&mut when.result));
            else_result.iter_mut().for_each(|otherwise| narrow(otherwise));
        }
        Expr::Function(Function { name, args: FunctionArguments::List(list), .. })
            if OF_ARGUMENTS.contains(&name.to_string().to_lowercase().as_str()) =>
        {
            for arg in &mut list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
                    narrow(expr);
                }
            }
        }
        _ => {}
    }
}

/// `expr` as an integer of 32 bits, if it is a whole number that is written out.
pub(super) fn narrow(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) => narrow(inner),
        other if names::is_whole_literal(other) => {
            *other = casts::cast(other.clone(), DataType::Integer(None));
        }
        _ => {}
    }
}

/// Whether `expr` is an integer of 32 bits: written out, or cast to be one.
pub(super) fn is_integer(expr: &Expr) -> bool {
    match expr {
        Expr::Cast { data_type: DataType::Integer(_) | DataType::Int(_), .. } => true,
        other => is_number(other),
    }
}

/// Whether `expr` is a number that is written out, for what must stay a constant.
pub(super) fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => is_number(expr),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_number(expr),
        other => number_of(other).is_some_and(|digits| !digits.contains(['.', 'e', 'E'])),
    }
}
