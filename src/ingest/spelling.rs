//! Numbers and dates as a locale spells them, led back to the one spelling that [`super::parse`] reads.
//!
//! Only what was declared is read: with a declared decimal sign also groups of thousands, a currency
//! sign, brackets or a sign behind for what is below zero; with a declared order also `31.12.2024`.
//! A value that only the other declaration could read is evidence against the declared one, and the
//! batch is refused for it: the other values would be read wrongly without anybody noticing.

use std::borrow::Cow;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::parse::Reason;
use crate::source::locale::{DateOrder, DecimalSign, Locale};
use crate::source::serial;

/// Reason for a number that has the decimal sign which was not declared.
pub(super) const OTHER_SIGN: Reason = "is a number only with the other decimal sign";
/// Reason for a date that has day and month in the order which was not declared.
pub(super) const OTHER_ORDER: Reason = "is a date only with day and month the other way round";
const NO_NUMBER: Reason = "is not a number in the declared spelling";
const NO_DATE: Reason = "is not a date in the declared order";
const SHORT_YEAR: Reason = "has a year of two digits, which says no century";

/// Code of a fault that is evidence against a declaration.
pub(super) const EVIDENCE: &str = "declaration";

/// Short name of the rule that a value breaks for `reason`.
pub(super) fn code(reason: Reason) -> &'static str {
    if reason == OTHER_SIGN || reason == OTHER_ORDER { EVIDENCE } else { "type" }
}

/// What a column of texts holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Numbers.
    Number,
    /// Dates or instants.
    Date,
}

/// Stands before a text that could not be led back, so that it is read by nobody on its way to the
/// check, which says why; no export holds this character of the private area.
const UNREAD: char = '\u{f8f0}';

/// `text` without the mark of what could not be led back.
pub(super) fn unmarked(text: &str) -> &str {
    text.strip_prefix(UNREAD).unwrap_or(text)
}

/// How the texts of an ingest are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spelling {
    /// Zone of times that name none.
    pub zone: Tz,
    /// What was declared.
    pub locale: Locale,
    /// True once a mapping had them: what was declared was led back before.
    is_led_back: bool,
}

impl Spelling {
    pub(super) fn new(zone: Tz, locale: Locale) -> Self {
        Self { zone, locale, is_led_back: false }
    }

    /// The same for texts that went through [`Self::lead_back`].
    pub(super) fn led_back(self) -> Self {
        Self { is_led_back: true, ..self }
    }

    /// `text` in the one spelling that is always read, or marked as a text that is not.
    pub(super) fn lead_back(self, text: &str, quantity: Quantity) -> Cow<'_, str> {
        let read = match quantity {
            Quantity::Number => self.number(text),
            Quantity::Date => self.date(text),
        };
        read.unwrap_or_else(|_| Cow::Owned(format!("{UNREAD}{text}")))
    }

    /// `text` as a plain number, if it is one in the declared spelling.
    pub(super) fn number(self, text: &str) -> Result<Cow<'_, str>, Reason> {
        if self.is_led_back {
            let Some(marked) = text.strip_prefix(UNREAD) else { return Ok(Cow::Borrowed(text)) };
            return Self { is_led_back: false, ..self }.number(marked);
        }
        let Some(sign) = self.locale.decimal else { return Ok(Cow::Borrowed(text)) };
        let other = match sign {
            DecimalSign::Point => DecimalSign::Comma,
            DecimalSign::Comma => DecimalSign::Point,
        };
        match (plain(text, sign), plain(text, other)) {
            (Some(number), _) => Ok(Cow::Owned(number)),
            (None, Some(_)) => Err(OTHER_SIGN),
            (None, None) => Err(NO_NUMBER),
        }
    }

    /// `text` as a date or an instant in ISO 8601, if it is one in the declared order.
    pub(super) fn date(self, text: &str) -> Result<Cow<'_, str>, Reason> {
        if self.is_led_back {
            let Some(marked) = text.strip_prefix(UNREAD) else { return Ok(Cow::Borrowed(text)) };
            return Self { is_led_back: false, ..self }.date(marked);
        }
        let trimmed = text.trim();
        if let Some(system) = self.locale.serials
            && let Ok(number) = self.number(trimmed)
            && let Ok(day) = number.parse::<f64>()
        {
            return serial::date_text(day, system).map(Cow::Owned);
        }
        let Some(order) = self.locale.date_order else { return Ok(Cow::Borrowed(text)) };
        if trimmed.as_bytes().get(4) == Some(&b'-') {
            return Ok(Cow::Borrowed(text)); // ISO 8601 leaves no doubt
        }
        ordered(trimmed, order).map(Cow::Owned)
    }
}

/// A number spelled with `sign`, as digits with a point.
fn plain(text: &str, sign: DecimalSign) -> Option<String> {
    let (is_negative, text) = unsigned(text)?;
    let (number, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], &text[at..]),
        None => (text, ""),
    };
    let (decimal, group) = match sign {
        DecimalSign::Point => ('.', ','),
        DecimalSign::Comma => (',', '.'),
    };
    let (whole, fraction) = number.split_once(decimal).unwrap_or((number, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let is_exponent = exponent.is_empty() || exponent[1..].parse::<i32>().is_ok();
    if !is_digits(fraction) || !is_exponent || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = if is_digits(whole) { whole.to_owned() } else { ungrouped(whole, group)? };
    let sign = if is_negative { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { &whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}{exponent}"))
}

/// Whether a number is below zero, and the rest without brackets, signs and currency.
fn unsigned(text: &str) -> Option<(bool, &str)> {
    const CURRENCIES: [char; 4] = ['€', '$', '£', '¥'];
    let bare = |text: &str| -> Option<(usize, usize)> {
        let start = text.len() - text.trim_start_matches(CURRENCIES).len();
        let end = text.trim_end_matches(CURRENCIES).len();
        let marks = text.chars().filter(|c| CURRENCIES.contains(c)).count();
        (marks <= 1 && start <= end).then_some((start, end))
    };
    let mut text = text.trim();
    let mut is_negative = false;
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        (is_negative, text) = (true, inner.trim());
    }
    // Signs stand before or behind the currency: `-€ 5`, `€ -5`, `5- €`.
    for _ in 0..2 {
        let (start, end) = bare(text)?;
        text = text[start..end].trim();
        let signed = text.strip_prefix(['-', '−']).or_else(|| text.strip_suffix('-'));
        match signed {
            Some(_) if is_negative => return None,
            Some(rest) => (is_negative, text) = (true, rest.trim()),
            None => text = text.strip_prefix('+').unwrap_or(text),
        }
    }
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | ','))
        .then_some((is_negative, text))
}

/// Digits without what groups them by three: `group`, a space that does not break, or an apostrophe.
fn ungrouped(whole: &str, group: char) -> Option<String> {
    let separator = whole.chars().find(|c| !c.is_ascii_digit())?;
    let is_known =
        separator == group || matches!(separator, ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’');
    let mut parts = whole.split(separator);
    let first = parts.next()?;
    let is_first = (1..=3).contains(&first.len()) && !first.starts_with('0');
    let is_group = |part: &str| part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit());
    let is_sound = is_known && is_first && first.bytes().all(|b| b.is_ascii_digit());
    (is_sound && parts.all(is_group)).then(|| whole.replace(separator, ""))
}

/// A date in `order`, and the time of day behind it, in ISO 8601.
fn ordered(text: &str, order: DateOrder) -> Result<String, Reason> {
    let (day, clock) = match text.find([' ', 'T', ',']) {
        Some(at) => (&text[..at], text[at + 1..].trim()),
        None => (text, ""),
    };
    let separator = day.chars().find(|c| matches!(c, '/' | '.' | '-')).ok_or(NO_DATE)?;
    let parts: Vec<&str> = day.split(separator).collect();
    let [first, second, year] = parts[..] else { return Err(NO_DATE) };
    let is_short = |part: &str| (1..=2).contains(&part.len());
    if !is_short(first) || !is_short(second) || !parts.concat().bytes().all(|b| b.is_ascii_digit())
    {
        return Err(NO_DATE);
    }
    if year.len() == 2 {
        return Err(SHORT_YEAR);
    }
    let number = |part: &str| part.parse::<u32>().map_err(|_| NO_DATE);
    let (first, second, year) = (number(first)?, number(second)?, number(year)?);
    let date =
        |month, day| NaiveDate::from_ymd_opt(year as i32, month, day).filter(|_| year >= 1_000);
    let (declared, swapped) = match order {
        DateOrder::DayMonth => (date(second, first), date(first, second)),
        DateOrder::MonthDay => (date(first, second), date(second, first)),
    };
    let date = match (declared, swapped) {
        (Some(date), _) => date,
        (None, Some(_)) => return Err(OTHER_ORDER),
        (None, None) => return Err(NO_DATE),
    };
    Ok(if clock.is_empty() { date.to_string() } else { format!("{date}T{}", of_day(clock)?) })
}

/// A time of day of 12 or 24 hours, as one of 24; what follows the seconds stays.
fn of_day(clock: &str) -> Result<String, Reason> {
    let upper = clock.to_ascii_uppercase();
    let (text, afternoon) = match (upper.strip_suffix("AM"), upper.strip_suffix("PM")) {
        (Some(rest), _) => (rest.trim(), Some(0)),
        (_, Some(rest)) => (rest.trim(), Some(12)),
        _ => (upper.as_str(), None),
    };
    let (hour, rest) = text.split_once(':').ok_or(NO_DATE)?;
    let mut hour: u32 = hour.parse().map_err(|_| NO_DATE)?;
    if let Some(afternoon) = afternoon {
        if !(1..=12).contains(&hour) {
            return Err(NO_DATE);
        }
        hour = hour % 12 + afternoon;
    }
    Ok(format!("{hour:02}:{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelling(declare: impl Fn(&mut Locale)) -> Spelling {
        let mut locale = Locale::default();
        declare(&mut locale);
        Spelling::new(Tz::UTC, locale)
    }

    #[test]
    fn numbers_follow_the_declared_sign() {
        let comma = spelling(|l| l.decimal = Some(DecimalSign::Comma));
        for (text, wanted) in [
            ("1.234,56", "1234.56"),
            ("1234,5", "1234.5"),
            ("1.234.567", "1234567"),
            ("1\u{a0}234,5", "1234.5"),
            ("1'234,5", "1234.5"),
            ("(1.234)", "-1234"),
            ("€ 1.234", "1234"),
            ("-5,00 €", "-5.00"),
            ("€ -5", "-5"),
            ("5,5-", "-5.5"),
            (",5", "0.5"),
            ("1,5e3", "1.5e3"),
            ("007", "007"),
        ] {
            assert_eq!(comma.number(text).as_deref(), Ok(wanted), "{text}");
        }
        for (text, reason) in [
            ("1,234.56", OTHER_SIGN),
            ("12.5", OTHER_SIGN),
            ("0.125", OTHER_SIGN),
            ("1.23.456", NO_NUMBER),
            ("1.234.56,7", NO_NUMBER),
            ("€€5", NO_NUMBER),
            ("(-5)", NO_NUMBER),
            ("abc", NO_NUMBER),
            ("", NO_NUMBER),
            ("-", NO_NUMBER),
        ] {
            assert_eq!(comma.number(text), Err(reason), "{text}");
        }
        let point = spelling(|l| l.decimal = Some(DecimalSign::Point));
        assert_eq!(point.number("$1,234.56").as_deref(), Ok("1234.56"));
        assert_eq!(point.number("1.234,56"), Err(OTHER_SIGN));
        // Nothing declared: whatever it is, it is not touched.
        assert_eq!(spelling(|_| {}).number("1.234,56").as_deref(), Ok("1.234,56"));
    }

    #[test]
    fn what_is_led_back_is_read_once_and_what_is_not_says_why() {
        let comma = spelling(|l| l.decimal = Some(DecimalSign::Comma));
        let once = comma.lead_back("1.234,5", Quantity::Number);
        assert_eq!(once, "1234.5");
        assert_eq!(comma.led_back().number(&once).as_deref(), Ok("1234.5"));
        let never = comma.lead_back("1,234.5", Quantity::Number);
        assert_eq!(unmarked(&never), "1,234.5");
        assert_eq!(comma.led_back().number(&never), Err(OTHER_SIGN));
        assert!(super::super::parse::money(&never).is_err());
    }

    #[test]
    fn dates_follow_the_declared_order() {
        let dmy = spelling(|l| l.date_order = Some(DateOrder::DayMonth));
        for (text, wanted) in [
            ("31/12/2024", "2024-12-31"),
            ("3.4.2024", "2024-04-03"),
            ("03-04-2024 9:05", "2024-04-03T09:05"),
            ("3/4/2024, 12:30 AM", "2024-04-03T00:30"),
            ("3/4/2024 2:30:15 pm", "2024-04-03T14:30:15"),
            ("2024-04-03", "2024-04-03"),
            ("31/12/9999", "9999-12-31"),
        ] {
            assert_eq!(dmy.date(text).as_deref(), Ok(wanted), "{text}");
        }
        for (text, reason) in [
            ("12/31/2024", OTHER_ORDER),
            ("31/12/24", SHORT_YEAR),
            ("32/13/2024", NO_DATE),
            ("31.12", NO_DATE),
            ("soon", NO_DATE),
            ("3/4/2024 13:00 PM", NO_DATE),
        ] {
            assert_eq!(dmy.date(text), Err(reason), "{text}");
        }
        let mdy = spelling(|l| l.date_order = Some(DateOrder::MonthDay));
        assert_eq!(mdy.date("03/04/2024").as_deref(), Ok("2024-03-04"));
        assert_eq!(mdy.date("31/12/2024"), Err(OTHER_ORDER));
        assert_eq!(spelling(|_| {}).date("03/04/2024").as_deref(), Ok("03/04/2024"));
    }

    #[test]
    fn days_of_spreadsheets_are_dates_only_if_declared() {
        let serials = spelling(|l| l.serials = Some(serial::DaySystem::From1900));
        assert_eq!(serials.date("45292").as_deref(), Ok("2024-01-01"));
        assert_eq!(serials.date("45292.5").as_deref(), Ok("2024-01-01T12:00:00"));
        assert!(serials.date("60").is_err());
        assert_eq!(serials.date("2024-01-01").as_deref(), Ok("2024-01-01"));
        assert_eq!(spelling(|_| {}).date("45292").as_deref(), Ok("45292"));
    }
}
