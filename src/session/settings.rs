//! What a session may set for itself, and the function through which views read it.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::{ConfigExtension, ConfigOptions};
use datafusion::common::{ScalarValue, extensions_options};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, create_udf,
};
use datafusion::prelude::SessionContext;

use super::past::instant;
use crate::error::{Error, Result};
use crate::schema;

extensions_options! {
    /// Settings of a session under the prefix `runrate.`.
    pub struct SessionSettings {
        /// Date that reports are made for; empty is the newest date in the data.
        pub as_of: String, default = String::new()
        /// Instant that the lake is read at; empty is now
        pub lake_at: String, default = String::new()
    }
}

impl ConfigExtension for SessionSettings {
    const PREFIX: &'static str = "runrate";
}

fn as_of(options: &ConfigOptions) -> &str {
    options.extensions.get::<SessionSettings>().map_or("", |settings| settings.as_of.as_str())
}

pub(super) fn set(context: &SessionContext, name: &str, value: &str) -> Result<()> {
    let key = match name.to_ascii_lowercase().as_str() {
        "runrate.as_of" => {
            if !value.is_empty() && value.parse::<NaiveDate>().is_err() {
                let message = format!("invalid value for \"runrate.as_of\": \"{value}\"");
                let hint = Some("Give a date such as 2026-06-30, or '' for the newest.".into());
                return Err(Error::Statement { sqlstate: "22023", message, hint });
            }
            "runrate.as_of"
        }
        "runrate.lake_at" => {
            if !value.is_empty() && instant(value).is_none() {
                let message = format!("invalid value for \"runrate.lake_at\": \"{value}\"");
                let hint =
                    "Give an instant with its zone, such as 2026-06-30T18:00:00Z, or '' for now.";
                let hint = Some(hint.into());
                return Err(Error::Statement { sqlstate: "22023", message, hint });
            }
            "runrate.lake_at"
        }
        "search_path" => return set_search_path(context, value),
        "timezone" => {
            if value.parse::<chrono_tz::Tz>().is_err() {
                let message = format!("invalid value for \"TimeZone\": \"{value}\"");
                return Err(Error::statement("22023", message));
            }
            "datafusion.execution.time_zone"
        }
        _ => {
            let message = format!("unrecognized configuration parameter \"{name}\"");
            return Err(Error::statement("42704", message));
        }
    };
    let state = context.state_ref();
    let mut state = state.write();
    Ok(state.config_mut().options_mut().set(key, value)?)
}

/// The instant that this session reads the lake at, if it is not now.
pub(super) fn lake_at(context: &SessionContext) -> Option<DateTime<Utc>> {
    let state = context.state_ref();
    let state = state.read();
    let settings = state.config().options().extensions.get::<SessionSettings>()?;
    instant(&settings.lake_at)
}

/// Names without a schema are those of the first schema in `value` that exists.
fn set_search_path(context: &SessionContext, value: &str) -> Result<()> {
    let names = value.split(',').map(|name| name.trim().trim_matches('"'));
    let names: Vec<&str> = names.filter(|name| !name.is_empty() && *name != "$user").collect();
    let catalog = context.catalog(super::CATALOG);
    let exists = |name: &&&str| catalog.as_ref().is_some_and(|c| c.schema(name).is_some());
    let chosen = names.iter().find(exists).or(names.first()).copied().unwrap_or(schema::CRM);
    let state = context.state_ref();
    let mut state = state.write();
    Ok(state.config_mut().options_mut().set("datafusion.catalog.default_schema", chosen)?)
}

pub(super) fn show(context: &SessionContext, name: &str) -> Option<String> {
    let state = context.state_ref();
    let state = state.read();
    let options = state.config().options();
    match name.to_ascii_lowercase().as_str() {
        "runrate.as_of" => Some(as_of(options).to_owned()),
        "runrate.lake_at" => {
            options.extensions.get::<SessionSettings>().map(|settings| settings.lake_at.clone())
        }
        "timezone" => Some(options.execution.time_zone.clone().unwrap_or_else(|| "UTC".into())),
        _ => None,
    }
}

/// `session_as_of()`: the date set as `runrate.as_of`, or NULL.
///
/// A function and not a literal in the view, because one plan of a view serves all sessions.
pub(super) fn session_as_of() -> ScalarUDF {
    ScalarUDF::from(SessionAsOf { signature: Signature::nullary(Volatility::Stable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SessionAsOf {
    signature: Signature,
}

impl ScalarUDFImpl for SessionAsOf {
    fn name(&self) -> &str {
        "session_as_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> datafusion::error::Result<DataType> {
        Ok(DataType::Date32)
    }

    fn invoke_with_args(
        &self,
        args: ScalarFunctionArgs,
    ) -> datafusion::error::Result<ColumnarValue> {
        let options: &Arc<ConfigOptions> = &args.config_options;
        let date = as_of(options).parse::<NaiveDate>().ok();
        let days = date.map(|d| d.signed_duration_since(NaiveDate::default()).num_days() as i32);
        Ok(ColumnarValue::Scalar(ScalarValue::Date32(days)))
    }
}

/// `corporate_currency()`: the configured one, which reports convert to and which amounts are in
/// that name none.
pub(super) fn corporate_currency(code: &str) -> ScalarUDF {
    let code = ColumnarValue::Scalar(ScalarValue::from(code));
    create_udf(
        "corporate_currency",
        vec![],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(move |_| Ok(code.clone())),
    )
}
