//! `lead_model`: a model of which leads convert, learnt from leads whose end is known.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion_doc::Documentation;
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use super::features::table;
use crate::function::coercion::{Kind, targets};
use crate::function::page::Page;
use crate::math::model::{Method, train};

pub(crate) const PAGE: Page = Page {
    name: "lead_model",
    syntax: "lead_model(label, features [, method [, version]])",
    summary: "Model of which leads convert, learnt from leads whose end is known (JSON, for lead_probability).",
    formula: "scorecard: logistic regression on bins (24 quantiles of a number, words with 10 rows or more), ridge penalty by 4-fold cross-validation; gbdt: boosted trees of up to 12 leaves on up to 62 bins, their number by the same folds; naive_bayes: the share of each bin among won and among lost rows; auto: gbdt if it beats scorecard on the folds by more than a standard error; slope and intercept are calibrated on the folds; a model that does not beat the base rate by two standard errors (gbdt three) is the base rate, with status no_signal",
    nulls: "a row with NULL label is not learnt from; a NULL feature is a value of its own; no row gives NULL; labels that are all the same give a model with status one_class, whose probabilities are NULL",
    errors: "features that are no struct of numbers, texts and booleans, an unknown method, a method or version that differs within a group",
    source: "L. C. Thomas, Consumer credit models, 2009 (scorecards); J. H. Friedman, 2001, and G. Ke and others, LightGBM, 2017 (trees); J. Platt, 1999 (calibration)",
    example: (
        "SELECT strpos(lead_model(l, named_struct('source', s)), 'one_class') > 0 FROM (VALUES (true, 'web'), (true, 'fair')) AS t(l, s)",
        "true",
    ),
    arguments: &[
        (
            "label",
            "true for a lead that converted, false for one that did not, NULL for one that is open",
        ),
        (
            "features",
            "what was known when the lead was to be scored, never later: named_struct('name', column, ...) of numbers, texts and booleans",
        ),
        ("method", "auto (default), scorecard, gbdt or naive_bayes"),
        ("version", "name of this version, kept in the model"),
    ],
};

const PARAMETERS: [(&str, Kind); 4] = [
    ("label", Kind::Boolean),
    ("features", Kind::Features),
    ("method", Kind::Text),
    ("version", Kind::Text),
];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable)
        .with_parameter_names(PAGE.argument_names())?;
    Ok(AggregateUDF::from(LeadModel { signature, documentation: PAGE.documentation() }))
}

#[derive(Debug)]
struct LeadModel {
    signature: Signature,
    documentation: Documentation,
}

// There is one function of this name.
impl PartialEq for LeadModel {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for LeadModel {}

impl Hash for LeadModel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        PAGE.name.hash(state);
    }
}

/// A row as it is kept: label, features, method, version.
fn row_type(types: &[DataType]) -> DataType {
    let fields =
        PARAMETERS.iter().zip(types).map(|((name, _), kind)| Field::new(*name, kind.clone(), true));
    DataType::Struct(fields.collect())
}

impl AggregateUDFImpl for LeadModel {
    fn name(&self) -> &str {
        PAGE.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        targets(PAGE.name, &PARAMETERS, 2, given)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        // Views: a join with leads must not copy the model for each of them.
        Ok(DataType::Utf8View)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types: Vec<DataType> =
            args.input_fields.iter().map(|field| field.data_type().clone()).collect();
        let item = Field::new_list_field(row_type(&types), true);
        Ok(vec![Arc::new(Field::new_list("rows", item, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let types: Vec<DataType> =
            args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Box::new(Rows { item: row_type(&types), batches: vec![] }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// All rows of a group.
#[derive(Debug)]
struct Rows {
    item: DataType,
    batches: Vec<ArrayRef>,
}

impl Rows {
    fn all(&self) -> Result<ArrayRef> {
        if self.batches.is_empty() {
            return Ok(new_empty_array(&self.item));
        }
        let batches: Vec<&dyn Array> = self.batches.iter().map(AsRef::as_ref).collect();
        Ok(concat(&batches)?)
    }

    fn model(&self) -> Result<Option<String>> {
        let rows = self.all()?;
        if rows.is_empty() {
            return Ok(None);
        }
        let rows = rows.as_struct();
        let method = one(rows, 2)?.unwrap_or_else(|| "auto".into());
        let method = Method::parse(&method)
            .map_err(|fault| exec_datafusion_err!("{}: {}", PAGE.name, fault.0))?;
        let labels = rows.column(0).as_boolean().iter().collect();
        let model = train(&table(rows.column(1).as_struct(), labels), method, one(rows, 3)?);
        let text = serde_json::to_string(&model);
        text.map(Some).map_err(|error| exec_datafusion_err!("{}: {error}", PAGE.name))
    }
}

/// The one text in a column of options; NULL says nothing.
fn one(rows: &StructArray, column: usize) -> Result<Option<String>> {
    let Some(texts) = rows.columns().get(column) else { return Ok(None) };
    let mut known: Option<&str> = None;
    for text in texts.as_string::<i32>().iter().flatten() {
        if known.is_some_and(|known| known != text) {
            let name = PARAMETERS[column].0;
            return plan_err!("{}: {name} must be the same in a group", PAGE.name);
        }
        known = Some(text);
    }
    Ok(known.map(str::to_owned))
}

impl Accumulator for Rows {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let DataType::Struct(fields) = &self.item else { return Ok(()) };
        let rows = StructArray::try_new(fields.clone(), values.to_vec(), None)?;
        self.batches.push(Arc::new(rows));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        self.batches.extend(lists.iter().flatten());
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let rows = self.all()?;
        let field = Arc::new(Field::new_list_field(self.item.clone(), true));
        let offsets = OffsetBuffer::from_lengths([rows.len()]);
        Ok(vec![ScalarValue::List(Arc::new(ListArray::try_new(field, offsets, rows, None)?))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Utf8View(self.model()?))
    }

    fn size(&self) -> usize {
        let held: usize = self.batches.iter().map(|batch| batch.get_array_memory_size()).sum();
        size_of::<Self>() + held
    }
}
