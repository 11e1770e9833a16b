//! Reports written as tables over SQL: `CALL materialize('supply.capacity')`.

use std::time::Instant;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value,
};

use super::connection::Connection;
use super::fault::Fault;
use super::masking::Masked;
use super::outbox::TransactionStatus;
use super::rows::guarded;
use crate::error::{Error, Result};
use crate::reports;

/// What is to be written.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The report, or the table that it is written to.
    name: String,
    /// Whether `name` is that of the table.
    is_table: bool,
}

impl Asked {
    /// The report that `call` names.
    ///
    /// # Errors
    /// 42883 for another procedure or other arguments.
    pub(super) fn of(call: &Function) -> Result<Self> {
        let procedure = call.name.to_string().to_lowercase();
        let is_table = match procedure.as_str() {
            "materialize" => false,
            "refresh_materialized_view" => true,
            _ => {
                let message = format!("procedure {procedure} does not exist");
                return Err(Error::statement("42883", message));
            }
        };
        let arguments = match &call.args {
            FunctionArguments::List(list) => list.args.as_slice(),
            _ => &[],
        };
        if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = arguments
            && let Value::SingleQuotedString(name) = &value.value
        {
            return Ok(Self { name: name.clone(), is_table });
        }
        Err(Error::statement("42883", "materialize takes the name of a report, as text"))
    }
}

impl Connection {
    /// Writes a report into `mart`; the tag of the answer.
    pub(super) async fn materialize(&mut self, asked: &Asked) -> Result<&'static str, Fault> {
        let tag = if asked.is_table { "REFRESH MATERIALIZED VIEW" } else { "CALL" };
        if !self.session.access().may_refresh() {
            let message = "permission denied: this role does not write reports";
            return Err(Fault::error("42501", message)
                .with_hint("A role that may is made with runrate role."));
        }
        if self.status != TransactionStatus::Idle {
            let message = format!("{tag} cannot run inside a transaction block");
            return Err(Fault::error("25001", message));
        }
        let engine = self.shared.engine.clone();
        let report = engine
            .views()
            .iter()
            .find(|view| match asked.is_table {
                true => {
                    let table = format!("{}_{}", view.schema, view.name);
                    asked.name.split_once('.').is_some_and(|(schema, name)| {
                        schema == crate::schema::MART && name == table
                    })
                }
                false => format!("{}.{}", view.schema, view.name) == asked.name,
            })
            .map(|view| format!("{}.{}", view.schema, view.name));
        let Some(report) = report else {
            return Err(Fault::error("42P01", format!("there is no report \"{}\"", asked.name)));
        };
        let begun = Instant::now();
        let stops = self.begin_said(Masked::of(&self.source))?;
        let outcome = async {
            let _turn = self.shared.turns.take(&stops, &mut self.wire.frames).await?;
            let as_of = self.session.show("runrate.as_of").and_then(|day| day.parse().ok());
            let writing = Box::pin(reports::materialize(&engine, Some(&report), as_of));
            let written = tokio::select! {
                biased;
                fault = stops.stopped(&mut self.wire.frames) => return Err(fault),
                written = guarded(writing) => written??,
            };
            let mut notices = vec![];
            for done in written.reports {
                let (table, rows) = (done.table, done.result?.rows_loaded);
                notices.push((format!("{table} has {rows} rows"), rows));
            }
            engine.refresh().await?;
            Ok(notices)
        };
        match outcome.await {
            Ok(notices) => {
                self.ended(begun, notices.iter().map(|(_, rows)| rows).sum(), 0, None);
                for (notice, _) in notices {
                    self.wire.outbox.notice(&Fault::notice("00000", notice));
                }
                Ok(tag)
            }
            Err(fault) => {
                self.ended(begun, 0, 0, Some(&fault));
                Err(fault)
            }
        }
    }
}
