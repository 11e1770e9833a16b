//! `pg_proc`: the functions of Postgres that are the same everywhere, and ours with their arguments.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int16Array, Int32Array, Int32Builder, ListBuilder, RecordBatch,
    StringArray, StringBuilder, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::error::Result;

use super::fixed::Fixed;
use super::oids::{Object, Oids};
use super::{PUBLIC, Pages};
use crate::session::FunctionPage;

/// Type of an argument that takes more than one, and of what a table function gives.
const ANY: i32 = 2283;
const RECORD: i32 = 2249;
/// Language of functions that are part of the server.
const INTERNAL: i32 = 12;

/// The fixed functions and ours behind them.
pub(super) fn pg_proc(fixed: &Fixed, pages: &Pages, oids: &Oids) -> Result<Vec<RecordBatch>> {
    let pages = &pages.0;
    let columns = fixed.schema.fields().iter().map(|field| column(field, pages, oids));
    let ours = RecordBatch::try_new(fixed.schema.clone(), columns.collect())?;
    let mut batches = fixed.batches.clone();
    batches.push(ours);
    Ok(batches)
}

fn column(field: &Field, pages: &[FunctionPage], oids: &Oids) -> ArrayRef {
    let texts = |text: &dyn Fn(&FunctionPage) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(pages.iter().map(text)))
    };
    let numbers = |number: &dyn Fn(usize) -> i32| -> ArrayRef {
        Arc::new(Int32Array::from_iter_values((0..pages.len()).map(number)))
    };
    let is_set = |page: &FunctionPage| page.kind == "table";
    match field.name().as_str() {
        "oid" => numbers(&|place| oids.of(Object::Function(place))),
        "proname" => texts(&|page| page.name.clone()),
        "pronamespace" => numbers(&|_| oids.of(Object::Schema(PUBLIC.into()))),
        "proowner" => numbers(&|_| 10),
        "prolang" => numbers(&|_| INTERNAL),
        "prorettype" => numbers(&|place| if is_set(&pages[place]) { RECORD } else { ANY }),
        "prokind" => texts(&|page| if page.kind == "aggregate" { "a".into() } else { "f".into() }),
        "provolatile" => texts(&|page| if is_set(page) { "s".into() } else { "i".into() }),
        "proparallel" => texts(&|_| "s".into()),
        "prosrc" => texts(&|page| page.name.clone()),
        "proretset" => Arc::new(pages.iter().map(|p| Some(is_set(p))).collect::<BooleanArray>()),
        "pronargs" => {
            let counts = pages.iter().map(|page| page.arguments.len() as i16);
            Arc::new(Int16Array::from_iter_values(counts))
        }
        "proargtypes" => texts(&|page| vec![ANY.to_string(); page.arguments.len()].join(" ")),
        "proallargtypes" => list(field, pages, &|page| vec![ANY; page.arguments.len()]),
        "proargnames" => names(field, pages),
        _ => filler(field, pages.len()),
    }
}

fn names(field: &Field, pages: &[FunctionPage]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    if let DataType::List(element) = field.data_type() {
        builder = builder.with_field(element.clone());
    }
    for page in pages {
        builder.append_value(page.arguments.iter().map(|(name, _)| Some(name)));
    }
    Arc::new(builder.finish())
}

fn list(
    field: &Field,
    pages: &[FunctionPage],
    values: &dyn Fn(&FunctionPage) -> Vec<i32>,
) -> ArrayRef {
    let mut builder = ListBuilder::new(Int32Builder::new());
    if let DataType::List(element) = field.data_type() {
        builder = builder.with_field(element.clone());
    }
    for page in pages {
        builder.append_value(values(page).into_iter().map(Some));
    }
    Arc::new(builder.finish())
}

/// A column that says nothing: zeros and `false` where Postgres has no NULL.
fn filler(field: &Field, count: usize) -> ArrayRef {
    match field.data_type() {
        DataType::Boolean => Arc::new(BooleanArray::from(vec![false; count])),
        DataType::Int16 => Arc::new(Int16Array::from(vec![0; count])),
        DataType::Int32 => Arc::new(Int32Array::from(vec![0; count])),
        other => new_null_array(other, count),
    }
}
