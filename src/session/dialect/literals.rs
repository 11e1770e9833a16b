//! Dates, instants and spans of time as Postgres reads them from text.
//!
//! The engine reads ISO 8601 only; people also write `2026-01-31 10:00`, `Jan 31, 2026` and
//! `1 year 2 months 3 days 04:05:06`.
//! What is no value is refused as Postgres refuses it: 22007 for its form, 22008 for its range.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::error::{Error, Result};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A date, a time and an offset from UTC or a zone, as far as they are given.
#[derive(Debug, Default, PartialEq)]
struct Parts {
    date: Option<NaiveDate>,
    time: Option<NaiveTime>,
    /// Days that the time adds: `24:00` is the next midnight.
    days: i64,
    zone: Option<Zone>,
}

#[derive(Debug, PartialEq)]
enum Zone {
    Offset(i64),
    Named(Tz),
}

enum Fault {
    Syntax,
    Range,
}

fn refused(fault: &Fault, kind: &str, text: &str) -> Error {
    match fault {
        Fault::Syntax => {
            let message = format!("invalid input syntax for type {kind}: \"{text}\"");
            // Times have a class of their own among texts that do not read.
            Error::statement("22007", message)
        }
        Fault::Range => {
            let message = format!("date/time field value out of range: \"{text}\"");
            Error::statement("22008", message)
        }
    }
}

/// `text` as `2026-01-31`.
///
/// # Errors
/// 22007 and 22008 as Postgres says them.
pub(super) fn date(text: &str) -> Result<String> {
    let parts = parts(text).map_err(|fault| refused(&fault, "date", text))?;
    match parts.date {
        Some(date) => Ok(date.format("%Y-%m-%d").to_string()),
        None => Err(refused(&Fault::Syntax, "date", text)),
    }
}

/// `text` as `10:20:30.5`.
///
/// # Errors
/// As [`date`].
pub(super) fn time(text: &str) -> Result<String> {
    let parts = parts(text).map_err(|fault| refused(&fault, "time", text))?;
    match parts.time {
        Some(time) => Ok(time.format("%H:%M:%S%.f").to_string()),
        None => Err(refused(&Fault::Syntax, "time", text)),
    }
}

/// `text` as `2026-01-31T10:20:30.5`, in UTC with a `Z` if it is of a zone and has one.
///
/// # Errors
/// As [`date`].
pub(super) fn timestamp(text: &str, is_zoned: bool) -> Result<String> {
    let kind = if is_zoned { "timestamp with time zone" } else { "timestamp" };
    let refuse = |fault| refused(&fault, kind, text);
    let parts = parts(text).map_err(refuse)?;
    let date = parts.date.ok_or_else(|| refuse(Fault::Syntax))?;
    let local = date.and_time(parts.time.unwrap_or_default()) + TimeDelta::days(parts.days);
    let shown = |instant: NaiveDateTime| instant.format("%Y-%m-%dT%H:%M:%S%.f").to_string();
    match parts.zone {
        Some(zone) if is_zoned => {
            let utc = match zone {
                Zone::Offset(seconds) => local.checked_sub_signed(TimeDelta::seconds(seconds)),
                Zone::Named(zone) => {
                    zone.from_local_datetime(&local).earliest().map(|at| at.naive_utc())
                }
            };
            Ok(format!("{}Z", shown(utc.ok_or_else(|| refuse(Fault::Range))?)))
        }
        _ => Ok(shown(local)),
    }
}

fn parts(text: &str) -> Result<Parts, Fault> {
    let mut found = Parts::default();
    let mut words: Vec<String> = vec![];
    let lower = text.trim().to_lowercase();
    for word in lower.split([' ', ',']).filter(|word| !word.is_empty()) {
        // The T between date and time.
        let cut = word.find('t').filter(|at| {
            *at > 7 && word[..*at].bytes().all(|b| b.is_ascii_digit() || b"-/".contains(&b))
        });
        match cut {
            Some(at) => words.extend([word[..at].to_owned(), word[at + 1..].to_owned()]),
            None => words.push(word.to_owned()),
        }
    }
    let mut loose: Vec<&str> = vec![];
    for word in &words {
        if found.time.is_some() && word.starts_with(['+', '-']) {
            found.zone = Some(zone(word).ok_or(Fault::Syntax)?);
        } else if word.contains(':') {
            clock(word, &mut found)?;
        } else if let ("am" | "pm", Some(time)) = (word.as_str(), found.time) {
            found.time = Some(half(time, word == "pm")?);
        } else if found.time.is_some() && zone(word).is_some() {
            found.zone = zone(word);
        } else if found.date.is_none() && (word.contains('-') || word.contains('/')) {
            found.date = Some(numbers(word)?);
        } else if found.date.is_none() && word.len() == 8 && is_digits(word) {
            found.date =
                Some(made(number(&word[..4])?, number(&word[4..6])?, number(&word[6..])?)?);
        } else if ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            .iter()
            .any(|d| word.starts_with(d))
        {
            // The day of the week says nothing that the date does not.
        } else {
            loose.push(word);
        }
    }
    if !loose.is_empty() {
        if found.date.is_some() {
            return Err(Fault::Syntax);
        }
        found.date = Some(worded(&loose)?);
    }
    Ok(found)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(text: &str) -> Result<u32, Fault> {
    if !is_digits(text) {
        return Err(Fault::Syntax);
    }
    text.parse().map_err(|_| Fault::Range)
}

fn made(year: u32, month: u32, day: u32) -> Result<NaiveDate, Fault> {
    let year = i32::try_from(year).map_err(|_| Fault::Range)?;
    NaiveDate::from_ymd_opt(year, month, day).ok_or(Fault::Range)
}

/// `2026-01-31`, `2026/1/31`, `1/31/2026`, `31-jan-2026`.
fn numbers(word: &str) -> Result<NaiveDate, Fault> {
    let parts: Vec<&str> = word.split(['-', '/']).collect();
    let [a, b, c] = parts.as_slice() else { return Err(Fault::Syntax) };
    match (month(b), a.len()) {
        (Some(month), 4..) => made(number(a)?, month, number(c)?),
        (Some(month), _) => made(number(c)?, month, number(a)?),
        (None, 4..) => made(number(a)?, number(b)?, number(c)?),
        // Month first, as DateStyle says.
        (None, _) => made(number(c)?, number(a)?, number(b)?),
    }
}

fn month(word: &str) -> Option<u32> {
    let at = MONTHS.iter().position(|month| word.len() >= 3 && word.starts_with(month))?;
    word.bytes().all(|byte| byte.is_ascii_alphabetic()).then_some(at as u32 + 1)
}

/// `jan 31 2026`, `31 jan 2026`, `2026 jan 31`.
fn worded(words: &[&str]) -> Result<NaiveDate, Fault> {
    let [a, b, c] = words else { return Err(Fault::Syntax) };
    match (month(a), month(b)) {
        (Some(month), _) => made(number(c)?, month, number(b)?),
        (_, Some(month)) if a.len() == 4 => made(number(a)?, month, number(c)?),
        (_, Some(month)) => made(number(c)?, month, number(a)?),
        _ => Err(Fault::Syntax),
    }
}

fn half(time: NaiveTime, is_afternoon: bool) -> Result<NaiveTime, Fault> {
    use chrono::Timelike;
    let hour = time.hour();
    if !(1..=12).contains(&hour) {
        return Err(Fault::Range);
    }
    time.with_hour(hour % 12 + if is_afternoon { 12 } else { 0 }).ok_or(Fault::Range)
}

/// `10:20`, `10:20:30.5`, with `am`, `z`, `+02` or `-05:30` behind.
fn clock(word: &str, found: &mut Parts) -> Result<(), Fault> {
    let end = word.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.');
    let (clock, rest) = word.split_at(end.unwrap_or(word.len()));
    let mut fields = clock.split(':');
    let hour = number(fields.next().unwrap_or_default())?;
    let minute = number(fields.next().unwrap_or_default())?;
    let second = fields.next().unwrap_or("0");
    if fields.next().is_some() {
        return Err(Fault::Syntax);
    }
    let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
    let second = number(second)?;
    if !fraction.is_empty() && !is_digits(fraction) {
        return Err(Fault::Syntax);
    }
    let digits: String = format!("{fraction:0<6}").chars().take(6).collect();
    let mut micros = number(&digits)?;
    // Postgres rounds what a microsecond cannot say.
    micros += u32::from(fraction.as_bytes().get(6).is_some_and(|digit| *digit >= b'5'));
    if (hour, minute, second, micros) == (24, 0, 0, 0) {
        (found.days, found.time) = (1, Some(NaiveTime::MIN));
    } else {
        let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micros);
        found.time = Some(time.ok_or(Fault::Range)?);
    }
    match rest {
        "" => Ok(()),
        "am" | "pm" => {
            let time = found.time.ok_or(Fault::Syntax)?;
            found.time = Some(half(time, rest == "pm")?);
            Ok(())
        }
        rest => {
            found.zone = Some(zone(rest).ok_or(Fault::Syntax)?);
            Ok(())
        }
    }
}

fn zone(word: &str) -> Option<Zone> {
    if matches!(word, "z" | "utc" | "gmt") {
        return Some(Zone::Offset(0));
    }
    if let Some(rest) = word.strip_prefix(['+', '-']) {
        let (hours, minutes) = match rest.split_once(':') {
            Some(parts) => parts,
            None if rest.len() == 4 => rest.split_at(2),
            None => (rest, "0"),
        };
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        let seconds = hours * 3_600 + minutes * 60;
        return (hours < 16 && minutes < 60).then_some(Zone::Offset(if word.starts_with('-') {
            -seconds
        } else {
            seconds
        }));
    }
    let named = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(word));
    named.copied().map(Zone::Named)
}

/// Months, days and microseconds.
pub(super) type Span = (i64, i64, i64);

/// The span of time that `text` says; a bare number is in `unit` (seconds if there is none).
///
/// # Errors
/// 22007 as Postgres says it, 22008 for a span that is too long.
pub(super) fn interval(text: &str, unit: Option<&str>) -> Result<Span> {
    let trimmed = text.trim().to_lowercase();
    let found = match trimmed.strip_prefix('p') {
        Some(rest) => iso(rest),
        None => spans(&trimmed, unit),
    };
    found.ok_or_else(|| refused(&Fault::Syntax, "interval", text))
}

/// Microseconds of units below a day, or months and days of the others, for one of each.
fn unit_span(unit: &str) -> Option<(f64, f64, f64)> {
    let unit = unit.trim_end_matches('.');
    Some(match unit {
        "us" | "usec" | "usecs" | "microsecond" | "microseconds" => (0., 0., 1.),
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => (0., 0., 1e3),
        "s" | "sec" | "secs" | "second" | "seconds" => (0., 0., 1e6),
        "m" | "min" | "mins" | "minute" | "minutes" => (0., 0., 6e7),
        "h" | "hr" | "hrs" | "hour" | "hours" => (0., 0., 3.6e9),
        "d" | "day" | "days" => (0., 1., 0.),
        "w" | "week" | "weeks" => (0., 7., 0.),
        "mon" | "mons" | "month" | "months" => (1., 0., 0.),
        "qtr" | "quarter" | "quarters" => (3., 0., 0.),
        "y" | "yr" | "yrs" | "year" | "years" => (12., 0., 0.),
        "dec" | "decade" | "decades" => (120., 0., 0.),
        "c" | "cent" | "century" | "centuries" => (1_200., 0., 0.),
        "mil" | "millennium" | "millennia" => (12_000., 0., 0.),
        _ => return None,
    })
}

/// `count` units more; what is no whole month becomes days of 30, what is no whole day hours.
fn add(span: &mut Span, count: f64, unit: &str) -> Option<()> {
    let (months, days, us) = unit_span(unit)?;
    let (months, mut days) = (count * months, count * days);
    let whole = if unit_span(unit)?.0 >= 12. { months.round() } else { months.trunc() };
    days += if unit_span(unit)?.0 >= 12. { 0. } else { (months - whole) * 30. };
    let us = count * us + (days - days.trunc()) * 86_400e6;
    let fits = |number: f64| number.abs() < 9e18;
    (fits(whole) && fits(days) && fits(us)).then_some(())?;
    *span = (span.0 + whole as i64, span.1 + days as i64, span.2 + us.round() as i64);
    Some(())
}

fn spans(text: &str, unit: Option<&str>) -> Option<Span> {
    let mut words: Vec<String> = vec![];
    for word in text.split_whitespace() {
        // `5days` is `5 days`; a clock stays whole.
        let cut = word.find(|c: char| c.is_ascii_alphabetic());
        match cut.filter(|at| *at > 0 && !word.contains(':')) {
            Some(at) => words.extend([word[..at].to_owned(), word[at..].to_owned()]),
            None => words.push(word.to_owned()),
        }
    }
    let is_ago = words.last().is_some_and(|word| word == "ago");
    if is_ago {
        words.pop();
    }
    let words: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| *word != "@" && *word != "and").collect();
    let (mut span, mut at) = ((0, 0, 0), 0);
    if words.is_empty() {
        return None;
    }
    while at < words.len() {
        let word = words[at];
        let next = words.get(at + 1).copied();
        if word.contains(':') {
            span.2 += clock_us(word)?;
            at += 1;
        } else if let Some((years, months)) = years_and_months(word) {
            span.0 += years * 12 + months;
            at += 1;
        } else {
            let count: f64 = word.parse().ok().filter(|count: &f64| count.is_finite())?;
            match next.filter(|next| unit_span(next).is_some()) {
                Some(unit) => {
                    add(&mut span, count, unit)?;
                    at += 2;
                }
                // `1 04:05:06` is a day and a time.
                None if next.is_some_and(|next| next.contains(':')) => {
                    add(&mut span, count, "day")?;
                    at += 1;
                }
                None if next.is_none() => {
                    add(&mut span, count, unit.unwrap_or("second"))?;
                    at += 1;
                }
                None => return None,
            }
        }
    }
    Some(if is_ago { (-span.0, -span.1, -span.2) } else { span })
}

/// `1-2`: a year and two months.
fn years_and_months(word: &str) -> Option<(i64, i64)> {
    let (is_negative, bare) = match word.strip_prefix('-') {
        Some(bare) => (true, bare),
        None => (false, word),
    };
    let (years, months) = bare.split_once('-')?;
    let (years, months): (i64, i64) = (years.parse().ok()?, months.parse().ok()?);
    Some(if is_negative { (-years, -months) } else { (years, months) })
}

fn clock_us(word: &str) -> Option<i64> {
    let (is_negative, bare) = match word.strip_prefix('-') {
        Some(bare) => (true, bare),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let fields: Vec<&str> = bare.split(':').collect();
    let (hours, minutes, seconds) = match fields.as_slice() {
        [hours, minutes] => (hours, minutes, "0"),
        [hours, minutes, seconds] => (hours, minutes, *seconds),
        _ => return None,
    };
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds: f64 = seconds.parse().ok()?;
    if !(0..60).contains(&minutes) || !(0. ..60.).contains(&seconds) {
        return None;
    }
    let us = hours * 3_600_000_000 + minutes * 60_000_000 + (seconds * 1e6).round() as i64;
    Some(if is_negative { -us } else { us })
}

/// `1y2m3dt4h5m6s`, after the P of ISO 8601.
fn iso(text: &str) -> Option<Span> {
    let (date, time) = text.split_once('t').unwrap_or((text, ""));
    let mut span = (0, 0, 0);
    for (part, is_time) in [(date, false), (time, true)] {
        let mut rest = part;
        while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic()) {
            let count: f64 = rest[..at].parse().ok()?;
            let unit = match (&rest[at..=at], is_time) {
                ("y", false) => "year",
                ("m", false) => "month",
                ("w", false) => "week",
                ("d", false) => "day",
                ("h", true) => "hour",
                ("m", true) => "minute",
                ("s", true) => "second",
                _ => return None,
            };
            add(&mut span, count, unit)?;
            rest = &rest[at + 1..];
        }
        if !rest.is_empty() {
            return None;
        }
    }
    Some(span)
}

/// The elements of `{a,"b c",NULL}`, one dimension; `None` if it is none.
pub fn array_elements(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    if inner.trim().is_empty() {
        return Some(vec![]);
    }
    let mut elements = vec![];
    let mut characters = inner.chars().peekable();
    loop {
        let (mut element, mut is_quoted) = (String::new(), false);
        while characters.next_if(|c| c.is_whitespace()).is_some() {}
        if characters.next_if_eq(&'"').is_some() {
            is_quoted = true;
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => element.push(characters.next()?),
                    other => element.push(other),
                }
            }
            while characters.next_if(|c| c.is_whitespace()).is_some() {}
        } else {
            while let Some(character) = characters.next_if(|c| *c != ',') {
                match character {
                    '{' | '}' | '"' => return None,
                    '\\' => element.push(characters.next()?),
                    other => element.push(other),
                }
            }
            element.truncate(element.trim_end().len());
        }
        let is_null = !is_quoted && element.eq_ignore_ascii_case("null");
        if !is_quoted && element.is_empty() {
            return None;
        }
        elements.push((!is_null).then_some(element));
        match characters.next() {
            None => return Some(elements),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_common_form() {
        for text in [
            "2026-01-31",
            "20260131",
            "Jan 31, 2026",
            "31 Jan 2026",
            "2026/01/31",
            "1/31/2026",
            "31-Jan-2026",
            "January 31 2026",
            "2026-01-31 10:00",
            "Sat 31 January 2026",
        ] {
            assert_eq!(date(text).expect(text), "2026-01-31", "{text}");
        }
        for (text, state) in [
            ("2026-02-30", "22008"),
            ("2026-13-01", "22008"),
            ("soon", "22007"),
            ("", "22007"),
            ("2026-01", "22007"),
            ("2026-01-31 31", "22007"),
        ] {
            assert_eq!(date(text).expect_err(text).sqlstate(), state, "{text}");
        }
    }

    #[test]
    fn instants_have_clocks_and_zones() {
        let plain = |text| timestamp(text, false).expect(text);
        assert_eq!(plain("2026-01-31 10:00"), "2026-01-31T10:00:00");
        assert_eq!(plain("2026-01-31T10:00:30.5Z"), "2026-01-31T10:00:30.500");
        assert_eq!(plain("2026-01-31 24:00"), "2026-02-01T00:00:00");
        assert_eq!(plain("Jan 31 2026 3:05 pm"), "2026-01-31T15:05:00");
        let zoned = |text| timestamp(text, true).expect(text);
        assert_eq!(zoned("2026-01-31 10:00+02"), "2026-01-31T08:00:00Z");
        assert_eq!(zoned("2026-01-31 10:00 -05:30"), "2026-01-31T15:30:00Z");
        assert_eq!(zoned("2026-07-01 10:00 Europe/Berlin"), "2026-07-01T08:00:00Z");
        assert_eq!(zoned("2026-01-31 10:00"), "2026-01-31T10:00:00");
        assert_eq!(time("8:15").expect("a time"), "08:15:00");
    }

    #[test]
    fn spans_of_time_are_months_days_and_microseconds() {
        let of = |text| interval(text, None).expect(text);
        assert_eq!(of("1 mon"), (1, 0, 0));
        assert_eq!(of("1 year 2 months 3 days 04:05:06"), (14, 3, 14_706_000_000));
        assert_eq!(of("1.5 hours"), (0, 0, 5_400_000_000));
        assert_eq!(of("1.5 days"), (0, 1, 43_200_000_000));
        assert_eq!(of("1.5 months"), (1, 15, 0));
        assert_eq!(of("3 days ago"), (0, -3, 0));
        assert_eq!(of("P1Y2M3DT4H5M6S"), (14, 3, 14_706_000_000));
        assert_eq!(of("1-2"), (14, 0, 0));
        assert_eq!(of("1 02:00"), (0, 1, 7_200_000_000));
        assert_eq!(of("-00:10:00"), (0, 0, -600_000_000));
        assert_eq!(interval("2", Some("day")).expect("days"), (0, 2, 0));
        assert_eq!(interval("soon", None).expect_err("none").sqlstate(), "22007");
    }
}
