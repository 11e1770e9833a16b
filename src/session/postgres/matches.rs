//! Regular expressions: `regexp_split_to_array`, all matches, `regexp_count`, `regexp_substr` and
//! their like, `substring(text from pattern)`, and patterns of SIMILAR TO.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue, exec_err};
use regex::{Regex, RegexBuilder};

use super::{Definition, Kind, integer, text};
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
    Definition::of(
        "regexp_count",
        2,
        &[T, T, I, T],
        |_| DataType::Int32,
        |given, _| {
            let (regex, subject) = (of_flags(given, 3)?, from_place(given, 2)?);
            Ok(ScalarValue::Int32(i32::try_from(regex.find_iter(subject).count()).ok()))
        },
    ),
    Definition::of(
        "regexp_substr",
        2,
        &[T, T, I, I, T, I],
        |_| DataType::Utf8,
        |given, _| {
            let found = nth(given, [2, 3, 4, 5])?;
            Ok(ScalarValue::Utf8(found.map(|(_, found)| found.to_owned())))
        },
    ),
    Definition::of(
        "regexp_instr",
        2,
        &[T, T, I, I, I, T, I],
        |_| DataType::Int32,
        |given, _| {
            let Some((start, found)) = nth(given, [2, 3, 5, 6])? else {
                return Ok(ScalarValue::Int32(Some(0)));
            };
            let end = given.get(4).map_or(0, integer);
            if !(0..=1).contains(&end) {
                return exec_err!("invalid value for parameter \"endoption\": {end}");
            }
            let at = start + if end == 1 { found.len() } else { 0 };
            let before = text(&given[0])[..at].chars().count();
            Ok(ScalarValue::Int32(i32::try_from(before + 1).ok()))
        },
    ),
    Definition::of(
        "regexp_like",
        2,
        &[T, T, T],
        |_| DataType::Boolean,
        |given, _| Ok(ScalarValue::Boolean(Some(of_flags(given, 2)?.is_match(text(&given[0]))))),
    ),
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

const T: Kind = Kind::Text;
const I: Kind = Kind::Integer;

/// The first argument from the character that argument `at` counts, the first being 1.
fn from_place(given: &[ScalarValue], at: usize) -> Result<&str> {
    let subject = text(&given[0]);
    let start = given.get(at).map_or(1, integer);
    let Some(skipped) = usize::try_from(start).ok().and_then(|start| start.checked_sub(1)) else {
        return exec_err!("invalid value for parameter \"start\": {start}");
    };
    let start = subject.char_indices().nth(skipped).map_or(subject.len(), |(start, _)| start);
    Ok(&subject[start..])
}

/// The N-th match, or the part of it in a pair of parentheses: its place in bytes, and its text.
///
/// `places` are the arguments that say the start, N, the flags and the pair.
fn nth<'a>(given: &'a [ScalarValue], places: [usize; 4]) -> Result<Option<(usize, &'a str)>> {
    let [start, count, flags, group] = places;
    let (regex, rest) = (of_flags(given, flags)?, from_place(given, start)?);
    let count = given.get(count).map_or(1, integer);
    let group = given.get(group).map_or(0, integer);
    let (Some(skipped), Ok(group)) =
        (usize::try_from(count).ok().and_then(|n| n.checked_sub(1)), usize::try_from(group))
    else {
        return exec_err!("invalid value for parameter \"N\" or \"subexpr\": {count}, {group}");
    };
    let skipped_bytes = text(&given[0]).len() - rest.len();
    let found = regex.captures_iter(rest).nth(skipped).and_then(|found| found.get(group));
    Ok(found.map(|found| (skipped_bytes + found.start(), found.as_str())))
}

/// The pattern, which is the second argument, with the flags of the third.
fn compiled(given: &[ScalarValue]) -> Result<Regex> {
    of_flags(given, 2)
}

/// The pattern, which is the second argument, with the flags of argument `flags`.
fn of_flags(given: &[ScalarValue], flags: usize) -> Result<Regex> {
    let pattern = dialect::regular(text(&given[1]));
    let flags = given.get(flags).map(text).unwrap_or_default();
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
    fn the_match_that_is_counted_is_found() {
        let words = |n| [ScalarValue::from("äb ab abb"), ScalarValue::from("(a)b+"), n];
        let found = |n: i64| {
            let given: Vec<_> =
                words(ScalarValue::from(1_i64)).into_iter().chain([n.into()]).collect();
            nth(&given, [2, 3, 4, 5]).expect("sound").map(|(at, text)| (at, text.to_owned()))
        };
        assert_eq!(found(1), Some((4, "ab".into())));
        assert_eq!(found(2), Some((7, "abb".into())));
        assert_eq!(found(3), None);
        let from = words(ScalarValue::from(5_i64));
        assert_eq!(from_place(&from, 2).expect("sound"), "b abb");
        assert!(from_place(&words(ScalarValue::from(0_i64)), 2).is_err());
    }

    #[test]
    fn texts_are_split_at_matches() {
        let of = |subject, pattern: &str| split(subject, &Regex::new(pattern).expect(pattern));
        assert_eq!(of("a, b,c", ",\\s*"), ["a", "b", "c"]);
        assert_eq!(of("abc", ""), ["a", "b", "c"]);
        assert_eq!(of("a,", ","), ["a", ""]);
    }
}
