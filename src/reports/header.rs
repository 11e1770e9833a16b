//! The comment a report opens with: its question, then `grain:`, `unit:`, `parameter:` and `example:` lines.
//!
//! ```sql
//! -- How far is everyone with their quota?
//! -- Roll-ups are sums over sums.
//! --
//! -- parameter: start date -- first day
//! -- parameter: metric text = 'bookings'
//! -- grain: one person
//! -- unit: attainment actual over quota (ratio)
//! ```
//! A line that is indented further goes on with the one above.

use crate::error::{Error, Result};

/// What the comment says.
#[derive(Debug)]
pub(super) struct Header {
    /// The comment without its dashes.
    pub comment: String,
    /// Parameters in order, with the SQL text of their defaults.
    pub parameters: Vec<(String, Option<String>)>,
    /// A query that calls the function; a view has none.
    pub example: Option<String>,
}

impl Header {
    /// Reads the header of the report `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let wrong = |reason: &str| Error::Definition { name: name.into(), reason: reason.into() };
        let lines: Vec<&str> = text
            .lines()
            .map_while(|line| line.strip_prefix("--"))
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        if !lines.first().is_some_and(|line| line.contains('?')) {
            return Err(wrong("does not open with `-- ` and its question"));
        }
        let fields = |key: &str| {
            let prefix = format!("{key}:");
            lines.iter().filter_map(move |line| line.strip_prefix(prefix.as_str()).map(str::trim))
        };
        for key in ["grain", "unit"] {
            match fields(key).next() {
                None => return Err(wrong(&format!("has no `{key}:` line in its header"))),
                Some("") => return Err(wrong(&format!("has an empty `{key}:` line"))),
                Some(_) => {}
            }
        }
        let mut parameters: Vec<(String, Option<String>)> = vec![];
        for field in fields("parameter") {
            let (parameter, default) = parameter(field).ok_or_else(|| {
                wrong(&format!("`parameter: {field}` is not `name type [= default] [-- note]`"))
            })?;
            if default.is_none() && parameters.last().is_some_and(|(_, before)| before.is_some()) {
                return Err(wrong(&format!(
                    "parameter {parameter} needs a default, as one before"
                )));
            }
            parameters.push((parameter, default));
        }
        let example = fields("example").next().map(str::to_owned);
        Ok(Self { example, comment: lines.join("\n").trim().to_owned(), parameters })
    }
}

/// `name type [= default] [-- note]`.
fn parameter(field: &str) -> Option<(String, Option<String>)> {
    let text = field.split(" -- ").next().unwrap_or(field);
    let (declared, default) = match text.split_once('=') {
        Some((declared, default)) => (declared, Some(default.trim())),
        None => (text, None),
    };
    let mut words = declared.split_whitespace();
    let (name, _kind) = (words.next()?, words.next()?);
    let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let is_complete = words.next().is_none() && default.is_none_or(|d| !d.is_empty());
    (is_name && is_complete).then(|| (name.to_owned(), default.map(ToOwned::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_order_and_defaults() {
        let text = "-- Why?\n-- More.\n--\n-- parameter: day date -- the day\n\
                    -- parameter: kind text = 'a b'\n-- grain: x\n-- unit: y\nSELECT 1";
        let header = Header::parse("x", text).expect("a header");
        let wanted = [("day".to_owned(), None), ("kind".to_owned(), Some("'a b'".to_owned()))];
        assert_eq!(header.parameters, wanted);
        assert!(header.comment.starts_with("Why?\nMore."));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, word) in [
            ("SELECT 1", "question"),
            ("-- Statement.\n-- grain: x\n-- unit: y", "question"),
            ("-- Why?\n-- unit: y", "`grain:`"),
            ("-- Why?\n-- grain: x", "`unit:`"),
            ("-- Why?\n-- grain:\n-- unit: y", "empty `grain:`"),
            ("-- Why?\n-- grain: x\n-- unit: y\n-- parameter: day", "parameter: day"),
            ("-- Why?\n-- grain: x\n-- unit: y\n-- parameter: a int = 1\n-- parameter: b int", "b"),
        ] {
            let error = Header::parse("x", text).expect_err(text).to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
