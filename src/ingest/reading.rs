//! How the rows of a batch were read, as a text that stands beside those that were put aside: read
//! again in another way, `1.234` would be another number and `10:00` another moment.

use std::collections::BTreeMap;

use super::Request;
use crate::error::{Error, Result};
use crate::source::locale::{DateOrder, DecimalSign};
use crate::source::serial::DaySystem;

/// What was declared for `request`, as JSON.
///
/// Rows are kept as UTF-8, so that the encoding is none of it.
pub(super) fn text(request: &Request) -> String {
    let locale = &request.options.locale;
    let decimal = locale.decimal.map(|sign| match sign {
        DecimalSign::Point => "point",
        DecimalSign::Comma => "comma",
    });
    let order = locale.date_order.map(|order| match order {
        DateOrder::DayMonth => "dmy",
        DateOrder::MonthDay => "mdy",
    });
    let serials = locale.serials.map(|system| match system {
        DaySystem::From1900 => "1900",
        DaySystem::From1904 => "1904",
    });
    let delimiter = request.options.delimiter.map(|byte| char::from(byte).to_string());
    let declared = [
        ("time_zone", Some(request.time_zone.name().to_owned())),
        ("delimiter", delimiter),
        ("decimal", decimal.map(str::to_owned)),
        ("date_order", order.map(str::to_owned)),
        ("serials", serials.map(str::to_owned)),
    ];
    let declared: BTreeMap<&str, String> =
        declared.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    serde_json::to_string(&declared).unwrap_or_default()
}

/// `request`, read as `text` says.
///
/// # Errors
/// [`Error::Definition`] for a text that [`text`] did not make.
pub(super) fn again(request: Request, text: &str) -> Result<Request> {
    let wrong = |reason: &str| Error::Definition {
        name: "ops.quarantine.reading".into(),
        reason: format!("\"{text}\": {reason}"),
    };
    let declared: BTreeMap<String, String> =
        serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
    let mut request = request;
    for (key, value) in &declared {
        let locale = &mut request.options.locale;
        match key.as_str() {
            "time_zone" => request = request.in_time_zone(value)?,
            "delimiter" => request.options.delimiter = value.bytes().next(),
            "decimal" => locale.set_decimal(value).map_err(wrong)?,
            "date_order" => locale.set_date_order(value).map_err(wrong)?,
            "serials" => locale.set_serials(value).map_err(wrong)?,
            _ => return Err(wrong("says more than this release knows")),
        }
    }
    Ok(request)
}

/// The same for a person at the command line, such as `--decimal comma`.
pub(super) fn flags(text: &str) -> String {
    let declared: BTreeMap<String, String> = serde_json::from_str(text).unwrap_or_default();
    let is_default = |key: &str, value: &str| key == "time_zone" && value == "UTC";
    let flags: Vec<String> = declared
        .iter()
        .filter(|(key, value)| !is_default(key, value))
        .map(|(key, value)| format!("--{} '{value}'", key.replace('_', "-")))
        .collect();
    flags.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_declared_is_declared_again() {
        let mut request =
            Request::crm("template", vec![]).in_time_zone("Asia/Kathmandu").expect("");
        request.options.delimiter = Some(b'\t');
        let locale = &mut request.options.locale;
        locale.set_decimal("comma").expect("known");
        locale.set_date_order("mdy").expect("known");
        locale.set_serials("1904").expect("known");
        let plain = Request::crm("template", vec![]);
        let same = again(plain.clone(), &text(&request)).expect("known");
        assert_eq!((same.options, same.time_zone), (request.options.clone(), request.time_zone));
        let plain_again = again(plain.clone(), &text(&plain)).expect("known");
        assert_eq!(plain_again.options, plain.options);
        assert_eq!(
            flags(&text(&request)),
            "--date-order 'mdy' --decimal 'comma' --delimiter '\t' --serials '1904' \
             --time-zone 'Asia/Kathmandu'"
        );
        assert!(again(plain, "{\"colour\":\"teal\"}").is_err());
    }
}
