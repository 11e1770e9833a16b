//! Aggregates: one shape for all, so that a function file holds only its page and its state.

use std::hash::{Hash, Hasher};

use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{DataFusionError, Result, exec_datafusion_err};
use datafusion_doc::Documentation;
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use crate::function::coercion::{Kind, targets};
use crate::function::page::Page;
use crate::math::Fault;

/// What an aggregate is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub page: &'static Page,
    pub kinds: &'static [Kind],
    /// Arguments that must be given.
    pub needed: usize,
    pub output: fn(&[DataType]) -> DataType,
    pub state: fn() -> Vec<FieldRef>,
    pub accumulator: fn(&[DataType]) -> Box<dyn Accumulator>,
}

#[derive(Debug)]
struct Fold {
    parts: Parts,
    signature: Signature,
    documentation: Documentation,
}

/// The aggregate that `parts` describe.
pub(crate) fn udaf(parts: Parts) -> Result<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable)
        .with_parameter_names(parts.page.argument_names())?;
    let documentation = parts.page.documentation();
    Ok(AggregateUDF::from(Fold { parts, signature, documentation }))
}

/// `fault` as an error of `page`'s function.
pub(crate) fn error(page: &Page, fault: Fault) -> DataFusionError {
    exec_datafusion_err!("{}: {}", page.name, fault.0)
}

// A name stands for one function: the rest follows from it.
impl PartialEq for Fold {
    fn eq(&self, other: &Self) -> bool {
        self.parts.page.name == other.parts.page.name
    }
}

impl Eq for Fold {}

impl Hash for Fold {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts.page.name.hash(state);
    }
}

impl AggregateUDFImpl for Fold {
    fn name(&self) -> &str {
        self.parts.page.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let names = self.parts.page.arguments.iter().map(|(name, _)| *name);
        let parameters: Vec<_> = names.zip(self.parts.kinds.iter().copied()).collect();
        targets(self.parts.page.name, &parameters, self.parts.needed, given)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok((self.parts.output)(given))
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok((self.parts.state)())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let types: Vec<DataType> =
            args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok((self.parts.accumulator)(&types))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// An argument that must be the same in every row of a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Constant<T>(Option<T>);

impl<T: PartialEq + Clone + std::fmt::Debug> Constant<T> {
    /// Sees the value of one more row; NULL says nothing.
    pub(crate) fn see(&mut self, name: &str, value: Option<T>) -> std::result::Result<(), Fault> {
        match (&self.0, value) {
            (Some(known), Some(value)) if *known != value => {
                let message =
                    format!("{name} must be the same in a group, got {known:?} and {value:?}");
                Err(Fault(message))
            }
            (None, Some(value)) => {
                self.0 = Some(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The value, if any row had one.
    pub(crate) fn get(&self) -> Option<T> {
        self.0.clone()
    }

    /// The value by reference.
    pub(crate) fn known(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl Constant<String> {
    /// Sees the text of one more row, and copies only the first.
    pub(crate) fn see_text(&mut self, name: &str, value: &str) -> std::result::Result<(), Fault> {
        match &self.0 {
            Some(known) if known == value => Ok(()),
            _ => self.see(name, Some(value.to_owned())),
        }
    }
}
