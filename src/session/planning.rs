//! From a statement to its plan: rights, words, the planner, and what is done to what it answers.
//!
//! All of it is one trip to a thread with a large stack: rewording walks the tree as deep as planning.

use std::collections::HashMap;

use datafusion::arrow::datatypes::DataType;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::Statement;

use super::{Profile, Session, Write};
use super::{analyzed, dialect, gate, lateral, limits, names, numbered, repeats, whole_rows};
use crate::error::{Error, Result};

impl Session {
    /// The plan of a reading `statement`, its types settled.
    ///
    /// # Errors
    /// 42501 for anything that does not only read, 54001 if planning takes too long, and what the
    /// planner finds wrong.
    pub async fn plan(&self, statement: Statement) -> Result<LogicalPlan> {
        self.check_readable(&statement)?;
        // The types are settled: before, `CASE ... THEN 1 ELSE 0.5 END` says that it is a whole
        // number.
        self.planned_in_its_words(statement, |state, plan| analyzed(state, checked(plan)?)).await
    }

    /// Types that the planner finds for the placeholders of `statement`, by `$1`, `$2`, ...
    ///
    /// # Errors
    /// As [`Session::plan`].
    pub async fn parameter_types(
        &self,
        statement: Statement,
    ) -> Result<HashMap<String, Option<DataType>>> {
        if let Some(write) = Write::of(&statement) {
            return self.write_parameter_types(statement, write).await;
        }
        Ok(self.planned(statement).await?.get_parameter_types()?)
    }

    pub(super) async fn planned(&self, statement: Statement) -> Result<LogicalPlan> {
        self.check_readable(&statement)?;
        self.planned_in_its_words(statement, |_, plan| checked(plan)).await
    }

    /// Refuses a statement that does not only read, or that shows more than its role is to see.
    fn check_readable(&self, statement: &Statement) -> Result<()> {
        gate::check_statement(statement)?;
        match self.access.profile() {
            Profile::Bi => gate::check_not_measured(statement),
            _ => Ok(()),
        }
    }

    /// The planner's answer to `statement` in its own words, on the tables as they are now, and what
    /// `then` makes of it.
    pub(super) async fn planned_in_its_words<F>(
        &self,
        mut statement: Statement,
        then: F,
    ) -> Result<LogicalPlan>
    where
        F: FnOnce(&SessionState, LogicalPlan) -> Result<LogicalPlan> + Send + 'static,
    {
        self.arrive().await?;
        let (told, search) = (self.told.clone(), self.search());
        let state = self.state(self.planning());
        let table_functions = self.engine.table_functions.clone();
        self.on_planning_thread(async move {
            let planned = async |statement: Statement| {
                let statement = EngineStatement::Statement(Box::new(statement));
                state.statement_to_plan(statement).await
            };
            let worded = |statement: &mut Statement| {
                dialect::reword(statement)?;
                table_functions.expand(statement)?;
                repeats::tell_apart(statement);
                names::qualify(statement, &search);
                Ok::<_, Error>(())
            };
            told.substitute(&mut statement)?;
            let mut columns = HashMap::new();
            for mut row in whole_rows::asked(&statement)? {
                worded(&mut row.query)?;
                // What cannot be planned so is told where the statement itself is.
                if let Ok(plan) = planned(row.query).await {
                    let fields = plan.schema().fields().iter();
                    columns.insert(row.name, fields.map(|f| f.name().clone()).collect());
                }
            }
            whole_rows::write_out(&mut statement, &columns)?;
            worded(&mut statement)?;
            let plan = match planned(statement.clone()).await {
                // Two items that say the same otherwise have one name to the engine only.
                Err(error) if repeats::is_one_name_twice(&error) => {
                    repeats::tell_all_apart(&mut statement);
                    planned(statement).await?
                }
                outcome => outcome?,
            };
            then(&state, lateral::flattened(numbered::numbered(plan)?)?)
        })
        .await
    }
}

/// `plan`, if it only reads and is not too large.
fn checked(plan: LogicalPlan) -> Result<LogicalPlan> {
    gate::check_plan(&plan)?;
    limits::check_plan(&plan)?;
    Ok(plan)
}
