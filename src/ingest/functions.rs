//! The functions of mappings: text to text, so that nothing is lost on the way.
//!
//! A mapping stays text until its rows are checked.
//! A function that cannot read its argument returns the argument as it is: the check then finds it
//! in its column, quarantines the row and names the text, where a NULL would have hidden it.
//!
//! | function | from | to |
//! |---|---|---|
//! | `percent(x)` | `25` | `0.25` |
//! | `shift_decimal(x, n)` | `1100.04`, 6 | `1100040000` |
//! | `whole_seconds(ms)` | `93500` | `94` |
//! | `seconds_between(a, b)` | two instants | `5400` |
//! | `instant(x)` | epoch milliseconds, or ISO 8601 | ISO 8601 |
//! | `day(x)` | an instant or a date | its date in the time zone of the ingest |
//! | `months(x)` | `P12M`, `P1Y` | `12` |
//! | `reciprocal(x)` | `0.8` | `1.25` |
//! | `salesforce_id(x)` | 15-character id | 18-character id |
//! | `utc(x)` | a time without a zone | the same in UTC, ISO 8601 |
//! | `flag(x)` | `t`, `f`, `yes`, `no`, `Y`, `N` | `true`, `false` |
//! | `json_text(x, path)` | `{"a":[{"b":1}]}`, `a.0.b` | `1` |
//! | `sales_role(x)` | `Senior Account Executive` | `ae`; NULL where it does not show |
//! | `merged_into(extra, id)` | `{"a":1}`, `7` | `{"a":1,"merged_into":"7"}` |
//! | `clock_seconds(x)` | `01:30` or `01:30:15` | `5415` |
//!
//! `corporate_currency()`, for amounts that name no currency, is every session's.

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use datafusion::logical_expr::ScalarUDF;
use serde_json::Value;

use super::decimal::Decimal;
use super::parse;
use super::row_function::{self, Entry};

const FUNCTIONS: &[Entry<String>] = &[
    ("percent", 1, |args, _| shift(args[0]?, -2)),
    ("shift_decimal", 2, |args, _| match args[1]?.parse() {
        Ok(places) => shift(args[0]?, places),
        Err(_) => Some(args[0]?.to_owned()),
    }),
    ("whole_seconds", 1, |args, _| whole_seconds(args[0]?)),
    ("seconds_between", 2, |args, zone| seconds_between(args[0]?, args[1]?, zone)),
    ("instant", 1, |args, zone| instant(args[0]?, zone)),
    ("day", 1, |args, zone| {
        Some(
            parse::day(args[0]?, zone)
                .map_or_else(|_| args[0].unwrap_or("").into(), |d| d.to_string()),
        )
    }),
    ("months", 1, |args, _| months(args[0]?)),
    ("reciprocal", 1, |args, _| Some(reciprocal(args[0]?))),
    ("salesforce_id", 1, |args, _| Some(salesforce_id(args[0]?))),
    ("utc", 1, |args, _| instant(args[0]?, Tz::UTC)),
    ("flag", 1, |args, _| Some(flag(args[0]?))),
    ("json_text", 2, |args, _| json_text(args[0]?, args[1]?)),
    ("sales_role", 1, |args, _| sales_role(args[0]?)),
    ("clock_seconds", 1, |args, _| Some(clock_seconds(args[0]?))),
    ("merged_into", 2, |args, _| merged_into(args[0], args[1])),
];

/// `extra` with the id of the record that a merge left, if there is one.
fn merged_into(extra: Option<&str>, id: Option<&str>) -> Option<String> {
    let Some(id) = id.filter(|id| !id.is_empty()) else { return extra.map(str::to_owned) };
    let known = extra.and_then(|extra| serde_json::from_str::<Value>(extra).ok());
    let mut object = match known {
        Some(Value::Object(object)) => object,
        _ => serde_json::Map::new(),
    };
    object.insert("merged_into".into(), id.into());
    Some(Value::Object(object).to_string())
}

/// The functions, for an ingest whose unmarked times are of `zone`.
pub(super) fn all(zone: Tz) -> impl Iterator<Item = ScalarUDF> {
    row_function::all(FUNCTIONS, zone)
}

fn shift(text: &str, places: i32) -> Option<String> {
    Some(Decimal::parse(text).map_or_else(|| text.to_owned(), |n| n.shifted(places).text()))
}

fn whole_seconds(milliseconds: &str) -> Option<String> {
    let seconds = Decimal::parse(milliseconds).and_then(|n| n.shifted(-3).at_scale(0));
    Some(seconds.map_or_else(|| milliseconds.to_owned(), |s| s.to_string()))
}

fn seconds_between(from: &str, to: &str, zone: Tz) -> Option<String> {
    let at = |text| parse::timestamp(instant(text, zone).as_deref().unwrap_or(text), zone);
    Some(match (at(from), at(to)) {
        (Ok(from), Ok(to)) => (to - from).num_seconds().to_string(),
        (Err(_), _) => from.to_owned(),
        (_, Err(_)) => to.to_owned(),
    })
}

/// Epoch milliseconds (12 or 13 digits: 1973 to 2286) become ISO 8601; other text stays.
pub(super) fn instant(text: &str, zone: Tz) -> Option<String> {
    let text = text.trim();
    if matches!(text.len(), 12 | 13) && text.bytes().all(|b| b.is_ascii_digit()) {
        let at = text.parse().ok().and_then(DateTime::from_timestamp_millis);
        return Some(at.map_or_else(
            || text.to_owned(),
            |at| at.to_rfc3339_opts(SecondsFormat::Micros, true),
        ));
    }
    // A local time keeps its zone: it would be read again as UTC by whoever sees only the text.
    match parse::timestamp(text, zone) {
        Ok(at) => Some(at.to_rfc3339_opts(SecondsFormat::Micros, true)),
        Err(_) => Some(text.to_owned()),
    }
}

/// `P12M`, `P1Y`, `P1Y6M` as months.
fn months(text: &str) -> Option<String> {
    let read = || {
        let mut rest = text.trim().strip_prefix('P')?;
        let mut total = 0_u32;
        if let Some((years, after)) = rest.split_once('Y') {
            total += years.parse::<u32>().ok()?.checked_mul(12)?;
            rest = after;
        }
        if let Some(months) = rest.strip_suffix('M') {
            total = total.checked_add(months.parse().ok()?)?;
            rest = "";
        }
        (rest.is_empty() && total > 0).then_some(total)
    };
    Some(read().map_or_else(|| text.to_owned(), |months| months.to_string()))
}

/// One over a number; of zero, a text that is none.
fn reciprocal(text: &str) -> String {
    match parse::number(text) {
        Ok(0.0) => format!("1/{text}"),
        Ok(number) => (1.0 / number).to_string(),
        Err(_) => text.to_owned(),
    }
}

/// The 18-character form of a Salesforce id, whose last three characters say which letters of the
/// first fifteen are capitals, so that it survives systems that ignore case.
///
/// Each suffix character covers five characters, the first as the lowest bit.
fn salesforce_id(text: &str) -> String {
    const SUFFIX: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let text = text.trim();
    if text.len() != 15 || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return text.to_owned();
    }
    let mut id = text.to_owned();
    for five in text.as_bytes().chunks(5) {
        let capitals = five
            .iter()
            .enumerate()
            .filter(|(_, b)| b.is_ascii_uppercase())
            .fold(0, |bits, (n, _)| bits | 1 << n);
        id.push(char::from(SUFFIX[capitals]));
    }
    id
}

/// The words and letters that systems write for true and false.
fn flag(text: &str) -> String {
    match text.trim().to_ascii_lowercase().as_str() {
        "t" | "true" | "yes" | "y" | "1" => "true".to_owned(),
        "f" | "false" | "no" | "n" | "0" => "false".to_owned(),
        _ => text.to_owned(),
    }
}

/// A JSON value as the text a column holds; null is none.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The value at a dotted path of JSON; text that is no JSON object or list is its own value.
fn json_text(text: &str, path: &str) -> Option<String> {
    let Ok(whole @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) else {
        return Some(text.to_owned());
    };
    let step = |value: &Value, key: &str| match value {
        Value::Array(list) => list.get(key.parse::<usize>().ok()?).cloned(),
        value => value.get(key).cloned(),
    };
    text_of(&path.split('.').try_fold(whole, |value, key| step(&value, key))?)
}

/// The words that tell what somebody does, the more telling first: an account manager is no manager.
const ROLES: &[(&str, &[&str])] = &[
    ("sdr", &["sdr", "bdr", "sales development", "business development"]),
    ("csm", &["csm", "customer success"]),
    ("am", &["account manager", "am", "key account"]),
    ("se", &["sales engineer", "solution engineer", "solutions engineer", "presales", "pre-sales"]),
    ("ops", &["sales operations", "revenue operations", "sales ops", "revops"]),
    ("manager", &["manager", "head", "director", "vp", "vice president", "chief", "cro", "lead"]),
    ("ae", &["ae", "account executive", "sales rep", "sales representative", "salesperson"]),
];

/// What somebody with this title or role does, if it shows.
fn sales_role(title: &str) -> Option<String> {
    let plain: String = title
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '-' { c } else { ' ' })
        .collect();
    let padded = format!(" {} ", plain.split_whitespace().collect::<Vec<_>>().join(" "));
    let is_named = |words: &&str| padded.contains(&format!(" {words} "));
    let found = ROLES.iter().find(|(_, words)| words.iter().any(|words| is_named(&words)));
    found.map(|(role, _)| (*role).to_owned())
}

/// `HH:MM` or `HH:MM:SS` as seconds.
fn clock_seconds(text: &str) -> String {
    let parts: Option<Vec<u32>> = text.trim().split(':').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some([hours, minutes]) => (hours * 3600 + minutes * 60).to_string(),
        Some([hours, minutes, seconds]) => (hours * 3600 + minutes * 60 + seconds).to_string(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[&str]) -> String {
        let (.., body) = FUNCTIONS.iter().find(|(n, ..)| *n == name).expect("a function");
        let arguments: Vec<Option<&str>> = arguments.iter().map(|a| Some(*a)).collect();
        body(&arguments, Tz::UTC).expect("a text")
    }

    #[test]
    fn what_can_be_read_is_changed_and_the_rest_stays() {
        for (name, arguments, wanted) in [
            ("percent", vec!["25"], "0.25"),
            ("percent", vec!["a lot"], "a lot"),
            ("shift_decimal", vec!["1100.04", "6"], "1100040000"),
            ("whole_seconds", vec!["93500"], "94"),
            ("seconds_between", vec!["2024-01-01T10:00:00Z", "2024-01-01T11:30:00Z"], "5400"),
            ("seconds_between", vec!["2024-01-01T10:00:00Z", "soon"], "soon"),
            ("instant", vec!["1717200000000"], "2024-06-01T00:00:00.000000Z"),
            ("instant", vec!["2024-06-01T00:00:00Z"], "2024-06-01T00:00:00.000000Z"),
            ("instant", vec!["17172"], "17172"),
            ("day", vec!["2024-06-01T23:00:00Z"], "2024-06-01"),
            ("day", vec!["tomorrow"], "tomorrow"),
            ("reciprocal", vec!["0.8"], "1.25"),
            ("reciprocal", vec!["0.00"], "1/0.00"),
            ("months", vec!["P12M"], "12"),
            ("months", vec!["P1Y6M"], "18"),
            ("months", vec!["yearly"], "yearly"),
            ("utc", vec!["2024-06-01 10:00:00"], "2024-06-01T10:00:00.000000Z"),
            ("flag", vec!["t"], "true"),
            ("flag", vec!["No"], "false"),
            ("flag", vec!["perhaps"], "perhaps"),
            ("json_text", vec![r#"{"en_US":"Won"}"#, "en_US"], "Won"),
            ("json_text", vec![r#"[{"id":7}]"#, "0.id"], "7"),
            ("json_text", vec!["Won", "en_US"], "Won"),
            ("sales_role", vec!["Senior Account Executive, EMEA"], "ae"),
            ("sales_role", vec!["Account Manager"], "am"),
            ("sales_role", vec!["Sales Manager"], "manager"),
            ("clock_seconds", vec!["01:30"], "5400"),
            ("clock_seconds", vec!["01:30:15"], "5415"),
            ("clock_seconds", vec!["soon"], "soon"),
        ] {
            assert_eq!(call(name, &arguments), wanted, "{name}{arguments:?}");
        }
    }

    #[test]
    fn salesforce_ids_of_both_lengths_meet() {
        assert_eq!(salesforce_id("001A0000006Vm9r"), "001A0000006Vm9rIAC");
        assert_eq!(salesforce_id("003D000000QV9n2"), "003D000000QV9n2IAD");
        assert_eq!(salesforce_id("003D000000QV9n2IAD"), "003D000000QV9n2IAD");
        assert_eq!(salesforce_id("aaaaaaaaaaaaaaa"), "aaaaaaaaaaaaaaaAAA");
        assert_eq!(salesforce_id("AAAAAAAAAAAAAAA"), "AAAAAAAAAAAAAAA555");
    }
}
