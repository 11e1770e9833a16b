//! The questions of `sql/`: read, checked, put in order, planned and written as tables.
//!
//! A file `sql/<schema>/<view>.sql` is one SELECT and becomes the view `<schema>.<view>`; a file
//! `sql/functions/<name>.sql` is the body of the table function `name`.
//! Each opens with a comment that states its question, its grain and its units; a file without one
//! is refused, because a number whose grain nobody knows will be added up wrongly.

mod header;
mod materialize;
mod order;

use include_dir::{Dir, include_dir};

use crate::error::{Error, Result};
use crate::session::{Session, TableFunctionDefinition, ViewDefinition};

use header::Header;

pub use materialize::{Materialized, Outcome, materialize};

static SQL: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sql");

/// Folder of the table functions.
const FUNCTIONS: &str = "functions";

/// All reports, ready for [`crate::session::Engine::open`].
#[derive(Debug, Clone)]
pub struct Reports {
    /// Views; one that reads another comes after it.
    pub views: Vec<ViewDefinition>,
    /// Table functions, by name.
    pub functions: Vec<TableFunctionDefinition>,
}

/// Reads the reports that are built into the program.
///
/// # Errors
/// [`Error::Definition`] for a file without its header, one that is not a SELECT, one that reads
/// what does not exist, and a circle of views.
pub fn load() -> Result<Reports> {
    let mut files = vec![];
    for folder in SQL.dirs() {
        for file in folder.files() {
            let path = file.path().with_extension("");
            let name = path.to_string_lossy().replace('/', ".");
            let text = file.contents_utf8().ok_or_else(|| Error::Definition {
                name: name.clone(),
                reason: "is not UTF-8 text".into(),
            })?;
            files.push((name, text));
        }
    }
    files.sort();
    parse(&files)
}

/// The reports in `files`, each `schema.name` and its text.
fn parse(files: &[(String, &str)]) -> Result<Reports> {
    let (mut views, mut functions) = (vec![], vec![]);
    for (path, text) in files {
        let (schema, name) = path.split_once('.').unwrap_or(("", path));
        let header = Header::parse(path, text)?;
        let (name, sql) = (name.to_owned(), (*text).to_owned());
        if schema == FUNCTIONS {
            let (parameters, comment) = (header.parameters, header.comment);
            let example = header.example.ok_or_else(|| Error::Definition {
                name: path.clone(),
                reason: "has no `example:` line in its header".into(),
            })?;
            functions.push(TableFunctionDefinition { name, parameters, sql, comment, example });
        } else if header.parameters.is_empty() {
            let schema = schema.to_owned();
            views.push(ViewDefinition { schema, name, sql, comment: header.comment });
        } else {
            let reason = "a view takes no parameters; put it into sql/functions".into();
            return Err(Error::Definition { name: path.clone(), reason });
        }
    }
    Ok(Reports { views: order::by_dependency(views, &functions)?, functions })
}

/// Plans every view and every table function, and gives those that fail with their reasons.
///
/// A function is called with its defaults, and with NULL where it has none.
pub async fn check(session: &Session) -> Vec<(String, Error)> {
    let engine = session.engine();
    let views = engine.views().iter().map(|view| format!("{}.{}", view.schema, view.name));
    let calls = engine.table_functions().iter().map(|function| {
        let needed = function.parameters.iter().filter(|(_, default)| default.is_none());
        let nulls: Vec<&str> = needed.map(|_| "NULL").collect();
        format!("{}({})", function.name, nulls.join(", "))
    });
    let mut faults = vec![];
    for relation in views.chain(calls) {
        if let Err(error) = plan(session, &relation).await {
            faults.push((relation, error));
        }
    }
    faults
}

async fn plan(session: &Session, relation: &str) -> Result<()> {
    for statement in session.parse(&format!("SELECT * FROM {relation}"))? {
        session.plan(statement).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "-- example: SELECT 1\n";
    const HEAD: &str = "-- What is it?\n--\n-- grain: one row\n-- unit: none\n";

    fn reports(files: &[(&str, String)]) -> Result<Vec<String>> {
        let files: Vec<(String, &str)> =
            files.iter().map(|(name, text)| ((*name).to_owned(), text.as_str())).collect();
        Ok(parse(&files)?.views.into_iter().map(|v| format!("{}.{}", v.schema, v.name)).collect())
    }

    #[test]
    fn the_built_in_reports_are_sound() {
        let reports = load().expect("sql/ is sound");
        assert!(reports.views.iter().any(|view| view.name == "win_loss"));
        assert!(reports.functions.iter().any(|function| function.name == "quota_attainment"));
    }

    #[test]
    fn views_come_after_those_they_read() {
        let files = [
            ("a.first", format!("{HEAD}SELECT * FROM b.second")),
            ("b.second", format!("{HEAD}SELECT * FROM through(1)")),
            ("c.third", format!("{HEAD}SELECT * FROM crm.users")),
            (
                "functions.through",
                format!("{HEAD}{CALL}-- parameter: x int\nSELECT * FROM c.third"),
            ),
        ];
        let order = reports(&files).expect("an order exists");
        assert_eq!(order, ["c.third", "b.second", "a.first"]);
    }

    #[test]
    fn circles_and_unknown_tables_are_refused() {
        let circle = [
            ("a.x", format!("{HEAD}SELECT * FROM f(1)")),
            ("a.y", format!("{HEAD}WITH x AS (SELECT 1) SELECT * FROM a.x, x")),
            ("functions.f", format!("{HEAD}{CALL}-- parameter: x int\nSELECT * FROM a.y")),
        ];
        let error = reports(&circle).expect_err("a circle").to_string();
        assert!(error.contains("a.x -> f -> a.y -> a.x"), "{error}");
        for (body, word) in [
            ("SELECT * FROM crm.nothing", "crm.nothing"),
            ("SELECT * FROM raw.anything", "raw.anything"),
            ("SELECT * FROM stray", "stray"),
        ] {
            let error = reports(&[("a.x", format!("{HEAD}{body}"))]).expect_err(body).to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_view_with_parameters_is_refused() {
        let file = ("a.x", format!("{HEAD}-- parameter: day date\nSELECT 1"));
        let error = reports(&[file]).expect_err("parameters").to_string();
        assert!(error.contains("sql/functions"), "{error}");
    }
}
