//! Text to typed values, strictly: what is not plainly a value of the type is not one.
//!
//! Locale-bound spellings (`1.234,56`, `03/04/2024`) are refused rather than guessed.

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::decimal::Decimal;

/// Why a text is not a value, as the end of a sentence that starts with the text.
pub(super) type Reason = &'static str;

/// A whole number; `12.0` is one.
pub(super) fn integer(text: &str) -> Result<i64, Reason> {
    let number = Decimal::parse(text).ok_or("is not a number")?;
    number.whole().ok_or("is not a whole number of 64 bits")
}

/// A finite number.
pub(super) fn number(text: &str) -> Result<f64, Reason> {
    Decimal::parse(text).ok_or("is not a number")?;
    let value: f64 = text.trim().parse().map_err(|_| "is not a number")?;
    if value.is_finite() { Ok(value) } else { Err("is too large for a number") }
}

/// Money in hundredths, rounded half away from zero.
pub(super) fn money(text: &str) -> Result<i128, Reason> {
    let number = Decimal::parse(text).ok_or("is not an amount")?;
    match number.at_scale(2) {
        Some(cents) if cents.abs() < 10_i128.pow(18) => Ok(cents),
        _ => Err("does not fit 18 digits, two of them decimals"),
    }
}

/// `true`, `false`, `1`, `0`, in any case.
pub(super) fn boolean(text: &str) -> Result<bool, Reason> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") || text == "1" {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") || text == "0" {
        Ok(false)
    } else {
        Err("is not true, false, 1 or 0")
    }
}

/// `YYYY-MM-DD`; a time of day is accepted only if it is midnight.
pub(super) fn date(text: &str) -> Result<NaiveDate, Reason> {
    let text = text.trim();
    let day = text.get(..10).unwrap_or(text);
    let date = iso_date(day)
        .ok_or("is not a date like 2024-12-31; other orders are declared by --date-order")?;
    let rest = text.get(10..).unwrap_or("");
    let is_midnight = rest.is_empty()
        || rest
            .trim_start_matches(['T', ' '])
            .trim_end_matches('Z')
            .split([':', '.', '+'])
            .all(|part| !part.is_empty() && part.bytes().all(|b| b == b'0'));
    if is_midnight { Ok(date) } else { Err("has a time of day where a date is expected") }
}

/// An instant: ISO 8601 with an offset, or local time of `zone`; a date alone is its first moment.
pub(super) fn timestamp(text: &str, zone: Tz) -> Result<DateTime<Utc>, Reason> {
    const NO: Reason = "is not a timestamp like 2024-12-31T23:59:59Z";
    let text = text.trim();
    let day = text.get(..10).ok_or(NO)?;
    let date = iso_date(day).ok_or(NO)?;
    let rest = &text[10..];
    if rest.is_empty() {
        return local(date.and_hms_opt(0, 0, 0).ok_or(NO)?, zone);
    }
    let clock = rest.strip_prefix(['T', ' ']).ok_or(NO)?;
    let (clock, offset) = split_offset(clock);
    let clock = clock.trim_end();
    let form = match clock.len() {
        5 => "%H:%M",
        _ => "%H:%M:%S%.f",
    };
    let time = chrono::NaiveTime::parse_from_str(clock, form).map_err(|_| NO)?;
    let moment = date.and_time(time);
    match offset {
        None => local(moment, zone),
        Some(offset) => {
            let minutes = offset_minutes(offset).ok_or(NO)?;
            Ok((moment - chrono::Duration::minutes(minutes)).and_utc())
        }
    }
}

/// The calendar day of a date or an instant in `zone`.
pub(super) fn day(text: &str, zone: Tz) -> Result<NaiveDate, Reason> {
    match date(text) {
        // Midnight with an offset is an instant like any other.
        Ok(date) if text.trim().len() == 10 => Ok(date),
        _ => timestamp(text, zone).map(|at| at.with_timezone(&zone).date_naive()),
    }
}

fn iso_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = text.get(range)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    NaiveDate::from_ymd_opt(number(0..4)? as i32, number(5..7)?, number(8..10)?)
        .filter(|date| date.year() > 0)
}

/// The clock and what follows it: `Z`, `+02:00`, `-0330`, `UTC`.
fn split_offset(clock: &str) -> (&str, Option<&str>) {
    match clock.find(['Z', 'z', '+', '-', 'U']) {
        Some(at) => (&clock[..at], Some(&clock[at..])),
        None => (clock, None),
    }
}

fn offset_minutes(offset: &str) -> Option<i64> {
    if offset.eq_ignore_ascii_case("z") || offset == "UTC" {
        return Some(0);
    }
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits: String = offset[1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 2 | 4) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 =
        digits.get(2..).filter(|m| !m.is_empty()).map_or(Some(0), |m| m.parse().ok())?;
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// A wall clock in `zone`: the earlier of two readings, an error where clocks skip it.
fn local(moment: NaiveDateTime, zone: Tz) -> Result<DateTime<Utc>, Reason> {
    match zone.from_local_datetime(&moment) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Ok(at.with_timezone(&Utc)),
        LocalResult::None => Err("is a time of day that its time zone skips"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_booleans_are_strict() {
        assert_eq!(integer("2822.0"), Ok(2822));
        assert_eq!(integer("-7"), Ok(-7));
        assert!(integer("1.5").is_err() && integer("99999999999999999999").is_err());
        assert_eq!(number(" 0.25 "), Ok(0.25));
        assert!(number("NaN").is_err() && number("1e399").is_err() && number("1,5").is_err());
        assert_eq!(money("-4514.005"), Ok(-451_401));
        assert_eq!(money("9999999999999999.99"), Ok(999_999_999_999_999_999));
        assert!(money("10000000000000000").is_err() && money("$5").is_err());
        assert_eq!((boolean("TRUE"), boolean("0")), (Ok(true), Ok(false)));
        assert!(boolean("yes").is_err());
    }

    #[test]
    fn dates_are_dates() {
        let day = NaiveDate::from_ymd_opt(2017, 3, 1).expect("a date");
        assert_eq!(date("2017-03-01"), Ok(day));
        assert_eq!(date("2017-03-01 00:00:00"), Ok(day));
        assert_eq!(date("2017-03-01T00:00:00.000Z"), Ok(day));
        for text in [
            "2017-02-30",
            "03/01/2017",
            "2017-3-1",
            "17-03-01",
            "2017-03-01T10:00",
            "",
            "20170301xx",
        ] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instants_need_an_offset_or_take_the_zone() {
        let at = |text: &str| timestamp(text, Tz::UTC).map(|at| at.to_rfc3339());
        assert_eq!(at("2024-03-10T01:30:00.000Z").as_deref(), Ok("2024-03-10T01:30:00+00:00"));
        assert_eq!(at("2024-03-10T01:30:00.000+0000").as_deref(), Ok("2024-03-10T01:30:00+00:00"));
        assert_eq!(at("2024-03-10 01:30:05-03:30").as_deref(), Ok("2024-03-10T05:00:05+00:00"));
        assert_eq!(at("2024-03-10 01:30").as_deref(), Ok("2024-03-10T01:30:00+00:00"));
        assert_eq!(at("2024-03-10").as_deref(), Ok("2024-03-10T00:00:00+00:00"));
        let madrid = |text: &str| timestamp(text, Tz::Europe__Madrid).map(|at| at.to_rfc3339());
        assert_eq!(madrid("2024-07-01 10:00:00").as_deref(), Ok("2024-07-01T08:00:00+00:00"));
        assert!(madrid("2024-03-31 02:30:00").expect_err("skipped").contains("skips"));
        assert_eq!(madrid("2024-10-27 02:30:00").as_deref(), Ok("2024-10-27T00:30:00+00:00"));
        for text in
            ["10:00", "2024-03-10T25:00:00Z", "2024-03-10Tx", "1700000000000", "ñandú-2024-03"]
        {
            assert!(at(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_day_of_an_instant_is_that_of_the_zone() {
        let text = "2024-06-30T23:30:00Z";
        assert_eq!(day(text, Tz::UTC).map(|d| d.to_string()).as_deref(), Ok("2024-06-30"));
        let there = day(text, Tz::Asia__Kathmandu).map(|d| d.to_string());
        assert_eq!(there.as_deref(), Ok("2024-07-01"));
        let midnight = day("2024-07-01T00:00:00Z", Tz::America__Sao_Paulo).map(|d| d.to_string());
        assert_eq!(midnight.as_deref(), Ok("2024-06-30"));
        assert_eq!(day("2024-07-01", Tz::America__Sao_Paulo).map(|d| d.day()), Ok(1));
    }
}
