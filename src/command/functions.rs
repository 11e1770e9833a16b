//! `runrate functions`: what the functions say of themselves.

use super::say;
use crate::error::{Error, Result};
use crate::reports;
use crate::session::{FunctionPage, function_pages};

/// Lists the functions, explains those called `name`, or writes the whole page in Markdown.
pub(super) fn run(name: Option<&str>, is_markdown: bool) -> Result<u8> {
    let pages = function_pages(&reports::load()?.functions);
    let text = match name {
        None if is_markdown => markdown(&pages),
        None => list(&pages),
        Some(name) => {
            let called: Vec<&FunctionPage> =
                pages.iter().filter(|page| page.name == name).collect();
            if called.is_empty() {
                return Err(Error::Statement {
                    sqlstate: "42883",
                    message: format!("function {name} does not exist"),
                    hint: Some("runrate functions lists them all.".into()),
                });
            }
            let told =
                |page: &&FunctionPage| if is_markdown { page.markdown() } else { page.text() };
            called.iter().map(told).collect::<Vec<_>>().join("\n")
        }
    };
    say(&text)?;
    Ok(0)
}

fn list(pages: &[FunctionPage]) -> String {
    let width = pages.iter().map(|page| page.name.len()).max().unwrap_or(0);
    let line =
        |page: &FunctionPage| format!("{:width$}  {:9}  {}\n", page.name, page.kind, page.summary);
    pages.iter().map(line).collect()
}

fn markdown(pages: &[FunctionPage]) -> String {
    let mut text =
        "# Functions\n\nMade by `runrate functions --markdown`; a test keeps it up to date.\n\
        Ratios are fractions (0.25 is 25 %), scores run from 0 to 100.\n\
        Periods include both their ends.\n\
        Every argument can be named: `lead_score(fit => 80, engagement => 60)`.\n\n"
            .to_owned();
    for (kind, title) in
        [("scalar", "Scalar functions"), ("aggregate", "Aggregates"), ("table", "Table functions")]
    {
        text.push_str(&format!("## {title}\n\n"));
        for page in pages.iter().filter(|page| page.kind == kind) {
            text.push_str(&page.markdown());
            text.push('\n');
        }
    }
    text.trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_page_is_what_the_functions_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/functions.md");
        let said = markdown(&function_pages(&reports::load().expect("sound reports").functions));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &said).expect("a writable checkout");
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == said, "docs/functions.md is old: run this test with BLESS=1");
    }
}
