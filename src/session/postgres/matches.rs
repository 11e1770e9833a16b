//! Regular expressions: `regexp_split_to_array`, all matches, `substring(text from pattern)`,
//! and patterns of SIMILAR TO.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue, exec_err};
use regex::{Regex, RegexBuilder};

use super::{Definition, Kind, text};
use crate::session::dialect;

const LIST: fn(&[DataType]) -> DataType =
    |_| DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
const LISTS: fn(&[DataType]) -> DataType =
    |given| DataType::List(Arc::new(Field::new_list_field(LIST(given), true)));

pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "regexp_split_to_array",
        needed: 2,
        kinds: &[Kind::Text, Kind::Text, Kind::Text],
        is_open: false,
        takes_null: false,
        returns: LIST,
        answer: |given, _| {
            let (subject, regex) = (text(&given[0]), compiled(given)?);
            Ok(list(split(subject, &regex).into_iter().map(Some)))
        },
    },
    Definition {
        name: "regexp_all_matches",
        needed: 2,
        kinds: &[Kind::Text, Kind::Text, Kind::Text],
        is_open: false,
        takes_null: false,
        returns: LISTS,
        answer: |given, _| {
            let (subject, regex) = (text(&given[0]), compiled(given)?);
            let is_global = given.get(2).is_some_and(|flags| text(flags).contains('g'));
            let found = regex.captures_iter(subject).take(if is_global { usize::MAX } else { 1 });
            let found: Vec<ScalarValue> = found
                .map(|found| {
                    let from = usize::from(found.len() > 1);
                    let groups = (from..found.len()).map(|at| found.get(at).map(|m| m.as_str()));
                    list(groups.map(|group| group.map(str::to_owned)))
                })
                .collect();
            let lists = ScalarValue::new_list(&found, &LIST(&[]), true);
            Ok(ScalarValue::List(lists))
        },
    },
    Definition {
        name: "substring_matching",
        needed: 2,
        kinds: &[Kind::Text, Kind::Text],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Utf8,
        answer: |given, _| {
            let (subject, regex) = (text(&given[0]), compiled(&given[..2])?);
            let found = regex.captures(subject).and_then(|found| {
                let group = if found.len() > 1 { found.get(1) } else { found.get(0) };
                group.map(|group| group.as_str().to_owned())
            });
            Ok(ScalarValue::Utf8(found))
        },
    },
    Definition {
        name: "similar_to_escape",
        needed: 1,
        kinds: &[Kind::Text],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Utf8,
        answer: |given, _| {
            Ok(ScalarValue::Utf8(Some(dialect::similar(text(&given[0]), Some('\\')))))
        },
    },
];

fn list(texts: impl Iterator<Item = Option<String>>) -> ScalarValue {
    let values: Vec<_> = texts.map(ScalarValue::Utf8).collect();
    ScalarValue::List(ScalarValue::new_list(&values, &DataType::Utf8, true))
}

/// The pattern, which is the second argument, with the flags of the third.
fn compiled(given: &[ScalarValue]) -> Result<Regex> {
    let pattern = dialect::regular(text(&given[1]));
    let flags = given.get(2).map(text).unwrap_or_default();
    let mut builder = RegexBuilder::new(&pattern);
    builder.dot_matches_new_line(true).size_limit(1 << 20);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            'x' => builder.ignore_whitespace(true),
            'n' | 'm' => builder.multi_line(true).dot_matches_new_line(false),
            'g' | 'c' | 's' => &mut builder,
            other => return exec_err!("invalid regular expression option: \"{other}\""),
        };
    }
    match builder.build() {
        Ok(regex) => Ok(regex),
        Err(error) => exec_err!("invalid regular expression: {error}"),
    }
}

/// The texts between matches; an empty match splits only between characters.
fn split(subject: &str, regex: &Regex) -> Vec<String> {
    let (mut parts, mut start) = (vec![], 0);
    for found in regex.find_iter(subject) {
        if found.is_empty() && (found.start() == 0 || found.start() >= subject.len()) {
            continue;
        }
        parts.push(subject[start..found.start()].to_owned());
        start = found.end();
    }
    parts.push(subject[start..].to_owned());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_at_matches() {
        let of = |subject, pattern: &str| split(subject, &Regex::new(pattern).expect(pattern));
        assert_eq!(of("a, b,c", ",\\s*"), ["a", "b", "c"]);
        assert_eq!(of("abc", ""), ["a", "b", "c"]);
        assert_eq!(of("a,", ","), ["a", ""]);
    }
}
