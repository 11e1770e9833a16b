//! What functions are made of: pages, coercion, and the shapes of scalars and aggregates.

pub(crate) mod aggregate;
pub(crate) mod coercion;
pub(crate) mod constant;
pub(crate) mod gather;
pub(crate) mod numbers;
pub(crate) mod page;
pub(crate) mod row;
pub(crate) mod sums;
pub(crate) mod values;

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::{AggregateUDF, ScalarUDF};

use page::Page;

/// One function: its page, and what makes it.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    page: &'static Page,
    make: Make,
}

#[derive(Debug, Clone, Copy)]
enum Make {
    Scalar(fn() -> Result<ScalarUDF>),
    Aggregate(fn() -> Result<AggregateUDF>),
}

/// A function that was made, ready to be registered.
#[derive(Debug, Clone)]
pub enum Made {
    /// A scalar function.
    Scalar(Arc<ScalarUDF>),
    /// An aggregate.
    Aggregate(Arc<AggregateUDF>),
}

impl Function {
    /// Makes the function.
    ///
    /// # Errors
    /// If its parameters have no valid names.
    pub fn make(&self) -> Result<Made> {
        Ok(match self.make {
            Make::Scalar(make) => Made::Scalar(Arc::new(make()?)),
            Make::Aggregate(make) => Made::Aggregate(Arc::new(make()?)),
        })
    }

    /// Name in SQL.
    pub fn name(&self) -> &'static str {
        self.page.name
    }

    /// Its documentation.
    pub fn page(&self) -> &'static Page {
        self.page
    }

    /// `scalar` or `aggregate`.
    pub fn kind(&self) -> &'static str {
        match self.make {
            Make::Scalar(_) => "scalar",
            Make::Aggregate(_) => "aggregate",
        }
    }
}

pub(crate) const fn scalar(page: &'static Page, make: fn() -> Result<ScalarUDF>) -> Function {
    Function { page, make: Make::Scalar(make) }
}

pub(crate) const fn aggregate(page: &'static Page, make: fn() -> Result<AggregateUDF>) -> Function {
    Function { page, make: Make::Aggregate(make) }
}
