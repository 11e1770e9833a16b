//! `runrate functions`: what the functions say of themselves.

use super::say;
use crate::error::{Error, Result};

/// Lists the functions, or explains the one called `name`.
pub(super) fn run(name: Option<&str>) -> Result<u8> {
    let functions = runrate_udfs::functions();
    let Some(name) = name else {
        let width = functions.iter().map(|function| function.name().len()).max().unwrap_or(0);
        let lines = functions.iter().map(|function| {
            format!(
                "{:width$}  {:9}  {}\n",
                function.name(),
                function.kind(),
                function.page().summary
            )
        });
        say(&lines.collect::<String>())?;
        return Ok(0);
    };
    let Some(function) = functions.iter().find(|function| function.name() == name) else {
        return Err(Error::Statement {
            sqlstate: "42883",
            message: format!("function {name} does not exist"),
            hint: Some("runrate functions lists them all.".into()),
        });
    };
    let page = function.page();
    let mut text = format!("{}\n\n  {}\n\n", page.syntax, page.summary);
    for (argument, meaning) in page.arguments {
        text.push_str(&format!("  {argument}: {meaning}\n"));
    }
    let (sql, result) = page.example;
    text.push_str(&format!(
        "\nFormula: {}\nNulls:   {}\nErrors:  {}\nSource:  {}\nExample: {sql}\n         -> {result}\n",
        page.formula, page.nulls, page.errors, page.source
    ));
    say(&text)?;
    Ok(0)
}
