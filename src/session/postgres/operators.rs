//! What Postgres' operators mean between the types that a statement has, found while it is planned.
//!
//! The engine asks here first; what is not named keeps the engine's own meaning.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator as Engine, cast, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator as Op;

use super::arithmetic::{Operator, exact};
use super::conversions::{Conversion, nearest};
use super::json::{JSON, JSONB};
use super::{OID_KEY, call};

/// Plans operators as Postgres does.
#[derive(Debug)]
pub(in crate::session) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let raw = with_span(raw, schema);
        let (Ok(left), Ok(right)) = (raw.left.get_type(schema), raw.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(raw));
        };
        if left.is_null() || right.is_null() {
            return Ok(PlannerResult::Original(raw));
        }
        let oid = |expr: &Expr| -> Option<u32> {
            let field = expr.to_field(schema).ok().map(|(_, field)| field);
            // Columns of pg_catalog have types of their own too.
            field.and_then(|field| field.metadata().get(OID_KEY)?.parse().ok())
        };
        let is_json = |expr: &Expr| oid(expr).is_some_and(|oid| [JSON, JSONB].contains(&oid));
        let is_compared = matches!(raw.op, Op::Eq | Op::NotEq);
        if is_compared && (oid(&raw.left) == Some(JSONB) || oid(&raw.right) == Some(JSONB)) {
            let is_equal = call("jsonb_equal", vec![raw.left, raw.right])?;
            let planned = if raw.op == Op::Eq { is_equal } else { !is_equal };
            return Ok(PlannerResult::Planned(planned));
        }
        let name = match raw.op {
            Op::AtArrow if left.is_string() => Some(("json_contains", false)),
            Op::ArrowAt if left.is_string() => Some(("json_contains", true)),
            Op::StringConcat if is_json(&raw.left) && is_json(&raw.right) => {
                Some(("json_concat", false))
            }
            Op::StringConcat if is_json(&raw.left) && matches!(raw.right, Expr::Literal(..)) => {
                Some(("json_concat", false))
            }
            Op::Minus if is_json(&raw.left) => Some(("json_without", false)),
            _ => None,
        };
        if let Some((name, is_turned)) = name {
            let given = match is_turned {
                true => vec![raw.right, raw.left],
                false => vec![raw.left, raw.right],
            };
            return Ok(PlannerResult::Planned(call(name, given)?));
        }
        if let Some(operator) = arithmetic(&raw.op) {
            let (is_left, is_right) = (exact(&left).is_some(), exact(&right).is_some());
            let is_division = matches!(operator, Operator::Over | Operator::Modulo);
            let is_float = is_division
                && (left.is_floating() && (is_right || right.is_floating())
                    || is_left && right.is_floating());
            if is_left && is_right {
                let function = operator.function();
                return Ok(PlannerResult::Planned(function.call(vec![raw.left, raw.right])));
            }
            if is_float {
                // As floats, so that dividing by zero is an error and not infinity.
                let of = |expr| cast(expr, DataType::Float64);
                let arguments = vec![of(raw.left), of(raw.right)];
                return Ok(PlannerResult::Planned(operator.function().call(arguments)));
            }
            return temporal(raw, &left, &right);
        }
        other(raw, &left, &right)
    }
}

/// A parameter that is added to an instant is a span of time.
fn with_span(raw: RawBinaryExpr, schema: &DFSchema) -> RawBinaryExpr {
    let is_instant = matches!(raw.left.get_type(schema), Ok(DataType::Timestamp(..)));
    match &raw.right {
        Expr::Placeholder(place) if place.field.is_none() && raw.op == Op::Plus && is_instant => {
            let span = DataType::Interval(IntervalUnit::MonthDayNano);
            let field = Some(Arc::new(Field::new(&place.id, span, true)));
            let right = Expr::Placeholder(Placeholder { id: place.id.clone(), field });
            RawBinaryExpr { right, ..raw }
        }
        _ => raw,
    }
}

fn arithmetic(op: &Op) -> Option<Operator> {
    Some(match op {
        Op::Plus => Operator::Plus,
        Op::Minus => Operator::Minus,
        Op::Multiply => Operator::Times,
        Op::Divide => Operator::Over,
        Op::Modulo => Operator::Modulo,
        _ => return None,
    })
}

fn is_span(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_))
}

fn is_date(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32)
}

fn binary(left: Expr, op: Engine, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) })
}

/// Arithmetic with dates, instants and spans of time.
fn temporal(
    raw: RawBinaryExpr,
    left: &DataType,
    right: &DataType,
) -> Result<PlannerResult<RawBinaryExpr>> {
    let RawBinaryExpr { op, left: a, right: b } = raw;
    let instant = DataType::Timestamp(TimeUnit::Microsecond, None);
    let days = |expr| cast(expr, DataType::Int64);
    let is_number = |data_type: &DataType| exact(data_type).is_some() || data_type.is_floating();
    let planned = match op {
        Op::Plus if is_date(left) && right.is_integer() => binary(a, Engine::Plus, days(b)),
        Op::Plus if left.is_integer() && is_date(right) => binary(b, Engine::Plus, days(a)),
        Op::Minus if is_date(left) && right.is_integer() => binary(a, Engine::Minus, days(b)),
        // A count of days, which Postgres has as integer.
        Op::Minus if is_date(left) && is_date(right) => {
            cast(binary(a, Engine::Minus, b), DataType::Int32)
        }
        Op::Plus if is_date(left) && is_date(right) => {
            return plan_err!("operator does not exist: date + date");
        }
        Op::Plus if is_date(left) && is_span(right) => binary(cast(a, instant), Engine::Plus, b),
        Op::Minus if is_date(left) && is_span(right) => binary(cast(a, instant), Engine::Minus, b),
        Op::Plus if is_span(left) && is_date(right) => binary(cast(b, instant), Engine::Plus, a),
        Op::Multiply if is_span(left) && is_number(right) => call("interval_mul", vec![a, b])?,
        Op::Multiply if is_number(left) && is_span(right) => call("interval_mul", vec![b, a])?,
        Op::Divide if is_span(left) && is_number(right) => call("interval_div", vec![a, b])?,
        op => return Ok(PlannerResult::Original(RawBinaryExpr { op, left: a, right: b })),
    };
    Ok(PlannerResult::Planned(planned))
}

/// Comparisons and concatenation.
fn other(
    raw: RawBinaryExpr,
    left: &DataType,
    right: &DataType,
) -> Result<PlannerResult<RawBinaryExpr>> {
    let is_list = |data_type: &DataType| matches!(data_type, DataType::List(_));
    let RawBinaryExpr { op, left: a, right: b } = raw;
    let planned = match op {
        Op::StringConcat if is_list(left) || is_list(right) => {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left: a, right: b }));
        }
        Op::StringConcat if !left.is_string() && !right.is_string() => {
            return plan_err!(
                "operator does not exist: {} || {}",
                super::texts::type_name(left),
                super::texts::type_name(right)
            );
        }
        Op::StringConcat => {
            let text = |expr, data_type: &DataType| match data_type.is_string() {
                true => Ok(expr),
                false => call("text_of", vec![expr]),
            };
            binary(text(a, left)?, Engine::StringConcat, text(b, right)?)
        }
        Op::PGOverlap if is_list(left) && is_list(right) => {
            datafusion::functions_nested::expr_fn::array_has_any(a, b)
        }
        Op::PGStartsWith => datafusion::functions::expr_fn::starts_with(a, b),
        // Spans of time are compared as Postgres does: a month has 30 days, a day 24 hours.
        op if is_span(left) && is_span(right) && comparison(&op).is_some() => {
            let of = |expr| call("interval_us", vec![expr]);
            binary(of(a)?, comparison(&op).unwrap_or(Engine::Eq), of(b)?)
        }
        // A decimal beside a float is the float nearest to it, which the engine's own cast is not.
        op if left.is_floating() && right.is_decimal() && comparison(&op).is_some() => {
            binary(a, comparison(&op).unwrap_or(Engine::Eq), float(b)?)
        }
        op if left.is_decimal() && right.is_floating() && comparison(&op).is_some() => {
            binary(float(a)?, comparison(&op).unwrap_or(Engine::Eq), b)
        }
        op => return Ok(PlannerResult::Original(RawBinaryExpr { op, left: a, right: b })),
    };
    Ok(PlannerResult::Planned(planned))
}

fn float(decimal: Expr) -> Result<Expr> {
    Ok(match decimal {
        // At once, so that files are passed over by it.
        Expr::Literal(ScalarValue::Decimal128(Some(value), _, places), _) => {
            lit(nearest(value, places))
        }
        other => Conversion::Float.function().call(vec![other]),
    })
}

fn comparison(op: &Op) -> Option<Engine> {
    Some(match op {
        Op::Eq => Engine::Eq,
        Op::NotEq => Engine::NotEq,
        Op::Lt => Engine::Lt,
        Op::LtEq => Engine::LtEq,
        Op::Gt => Engine::Gt,
        Op::GtEq => Engine::GtEq,
        _ => return None,
    })
}
