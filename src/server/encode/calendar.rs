//! Dates, times and intervals as Postgres prints them, from whole ticks and without a calendar library.

use std::sync::LazyLock;

use super::text::{pair, push_integer};

/// Days from 1970-01-01 to 2000-01-01, the day Postgres counts from.
pub(super) const EPOCH_DAYS: i64 = 10_957;
const DAY_SECONDS: i64 = 86_400;

/// Days from 1970-01-01 on whose text is kept: to the end of 2099.
const KEPT_DAYS: i64 = 47_482;
/// The text of each of them: looked up in a fifth of the time it takes to work it out.
static KEPT: LazyLock<Vec<[u8; 10]>> = LazyLock::new(|| {
    let text = |days| {
        let mut text = Vec::with_capacity(10);
        push_civil(&mut text, days);
        text.try_into().unwrap_or_default()
    };
    (0..KEPT_DAYS).map(text).collect()
});

/// `2026-06-30`; years before 1 end in ` BC`, which the caller adds through [`push_era`].
#[inline]
pub(super) fn push_date(out: &mut Vec<u8>, days: i64) -> bool {
    if let Some(text) = kept(days) {
        out.extend_from_slice(text);
        return false;
    }
    push_civil(out, days)
}

/// The text of a day that is kept.
#[inline]
fn kept(days: i64) -> Option<&'static [u8; 10]> {
    KEPT.get(usize::try_from(days).ok()?)
}

/// As [`push_date`], worked out.
fn push_civil(out: &mut Vec<u8>, days: i64) -> bool {
    let (year, month, day) = civil(days);
    let is_before_christ = year <= 0;
    let shown = if is_before_christ { 1 - year } else { year };
    let [m, n] = pair(month);
    let [d, e] = pair(day);
    if shown < 10_000 {
        let [a, b] = pair(shown.unsigned_abs() / 100);
        let [c, y] = pair(shown.unsigned_abs() % 100);
        out.extend_from_slice(&[a, b, c, y, b'-', m, n, b'-', d, e]);
    } else {
        push_integer(out, shown);
        out.extend_from_slice(&[b'-', m, n, b'-', d, e]);
    }
    is_before_christ
}

/// Ends a date or timestamp before year 1.
pub(super) fn push_era(out: &mut Vec<u8>, is_before_christ: bool) {
    if is_before_christ {
        out.extend_from_slice(b" BC");
    }
}

/// `08:15:30.25`: `ticks` since midnight, `second` ticks a second; microseconds are the finest.
pub(super) fn push_time(out: &mut Vec<u8>, ticks: i64, second: i64) {
    let (seconds, micros) = split(ticks, second);
    push_clock(out, seconds.unsigned_abs(), micros);
}

/// Whole seconds of `ticks` and the microseconds above them; what is finer is cut off.
///
/// A division by a number the compiler knows costs a tenth of one by a number it does not.
fn split(ticks: i64, second: i64) -> (i64, u64) {
    let (seconds, micros) = match second {
        1_000_000 => (ticks.div_euclid(1_000_000), ticks.rem_euclid(1_000_000)),
        1_000_000_000 => (ticks.div_euclid(1_000_000_000), ticks.rem_euclid(1_000_000_000) / 1_000),
        1_000 => (ticks.div_euclid(1_000), ticks.rem_euclid(1_000) * 1_000),
        _ => (ticks.div_euclid(second), ticks.rem_euclid(second) * (1_000_000 / second)),
    };
    (seconds, micros.unsigned_abs())
}

/// `08:15:30`; the hours without their hundreds.
#[inline]
fn clock(seconds: u64) -> [u8; 8] {
    let [h, i] = pair(seconds / 3_600);
    let [m, n] = pair(seconds / 60 % 60);
    let [s, t] = pair(seconds % 60);
    [h, i, b':', m, n, b':', s, t]
}

/// Hours, minutes and seconds, and a fraction if there is one.
fn push_clock(out: &mut Vec<u8>, seconds: u64, micros: u64) {
    let (hours, text) = (seconds / 3_600, clock(seconds));
    if hours < 100 {
        out.extend_from_slice(&text);
    } else {
        push_integer(out, hours);
        out.extend_from_slice(&text[2..]);
    }
    if micros > 0 {
        let ([a, b], [c, d], [e, f]) =
            (pair(micros / 10_000), pair(micros / 100 % 100), pair(micros % 100));
        let fraction = [b'.', a, b, c, d, e, f];
        let end = fraction.iter().rposition(|digit| *digit != b'0').map_or(0, |at| at + 1);
        out.extend_from_slice(&fraction[..end]);
    }
}

/// `2026-06-30 08:15:30.25`, and `+05:30` behind it if `offset_seconds` is given.
pub(super) fn push_timestamp(
    out: &mut Vec<u8>,
    ticks: i64,
    second: i64,
    offset_seconds: Option<i32>,
) {
    let (seconds, micros) = split(ticks, second);
    // Split before the offset is added, so that the extremes cannot overflow.
    let of_day = seconds.rem_euclid(DAY_SECONDS) + i64::from(offset_seconds.unwrap_or(0));
    let days = seconds.div_euclid(DAY_SECONDS) + of_day.div_euclid(DAY_SECONDS);
    if let (Some(date), 0, None | Some(0)) = (kept(days), micros, offset_seconds) {
        // Nearly all there are, in one piece.
        let mut text = *b"0000-00-00 00:00:00+00";
        text[..10].copy_from_slice(date);
        text[11..19].copy_from_slice(&clock(of_day.unsigned_abs()));
        out.extend_from_slice(&text);
        if offset_seconds.is_none() {
            out.truncate(out.len() - b"+00".len());
        }
        return;
    }
    let is_before_christ = push_date(out, days);
    out.push(b' ');
    push_clock(out, of_day.rem_euclid(DAY_SECONDS).unsigned_abs(), micros);
    if let Some(offset) = offset_seconds {
        push_offset(out, offset);
    }
    push_era(out, is_before_christ);
}

/// `+02`, `+05:30`, `-00:14:44`.
fn push_offset(out: &mut Vec<u8>, seconds: i32) {
    out.push(if seconds < 0 { b'-' } else { b'+' });
    let seconds = u64::from(seconds.unsigned_abs());
    out.extend_from_slice(&pair(seconds / 3_600));
    if !seconds.is_multiple_of(3_600) {
        out.push(b':');
        out.extend_from_slice(&pair(seconds / 60 % 60));
    }
    if !seconds.is_multiple_of(60) {
        out.push(b':');
        out.extend_from_slice(&pair(seconds % 60));
    }
}

/// `1 year 2 mons 3 days 04:05:06`, signs as Postgres' own style has them.
pub(super) fn push_interval(out: &mut Vec<u8>, months: i32, days: i32, ticks: i64, second: i64) {
    let mut parts = Parts { start: out.len(), was_negative: false };
    parts.push(out, months / 12, "year");
    parts.push(out, months % 12, "mon");
    parts.push(out, days, "day");
    if ticks == 0 && out.len() > parts.start {
        return;
    }
    if out.len() > parts.start {
        out.push(b' ');
    }
    if ticks < 0 {
        out.push(b'-');
    } else if parts.was_negative {
        out.push(b'+');
    }
    let (seconds, micros) = split(ticks.saturating_abs(), second);
    push_clock(out, seconds.unsigned_abs(), micros);
}

struct Parts {
    start: usize,
    was_negative: bool,
}

impl Parts {
    fn push(&mut self, out: &mut Vec<u8>, count: i32, unit: &str) {
        if count == 0 {
            return;
        }
        if out.len() > self.start {
            out.push(b' ');
        }
        if self.was_negative && count > 0 {
            out.push(b'+');
        }
        out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if count != 1 {
            out.push(b's');
        }
        self.was_negative = count < 0;
    }
}

/// Year, month and day of a day count from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years are counted from 1 March, so that the leap day is the last one of its year; eras are the
/// 400 years after which the calendar repeats.
fn civil(days: i64) -> (i64, u64, u64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month.unsigned_abs(), day.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = vec![];
        write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn civil_agrees_with_chrono_over_eight_centuries() {
        let first = NaiveDate::from_ymd_opt(1600, 1, 1).expect("a date");
        for ahead in (0..300_000).step_by(13) {
            let date = first + chrono::Days::new(ahead);
            let days = i64::from(date.num_days_from_ce()) - 719_163;
            let expected = (i64::from(date.year()), u64::from(date.month()), u64::from(date.day()));
            assert_eq!(civil(days), expected, "{date}");
        }
    }

    #[test]
    fn kept_days_are_those_that_are_worked_out() {
        for days in -2..KEPT_DAYS + 2 {
            let worked_out = text(|o| assert!(!push_civil(o, days)));
            assert_eq!(text(|o| assert!(!push_date(o, days))), worked_out, "{days}");
        }
        assert_eq!(text(|o| assert!(!push_date(o, KEPT_DAYS - 1))), "2099-12-31");
    }

    #[test]
    fn timestamps_print_no_zero_fraction_and_whole_offsets_short() {
        let at = |ticks, second, offset| text(|o| push_timestamp(o, ticks, second, offset));
        assert_eq!(at(1_719_733_530_250_000, 1_000_000, None), "2024-06-30 07:45:30.25");
        assert_eq!(at(0, 1, Some(0)), "1970-01-01 00:00:00+00");
        assert_eq!(at(-1, 1_000_000_000, None), "1969-12-31 23:59:59.999999");
        assert_eq!(at(0, 1_000, Some(19_800)), "1970-01-01 05:30:00+05:30");
        assert_eq!(at(0, 1, Some(-884)), "1969-12-31 23:45:16-00:14:44");
        assert_eq!(at(253_402_300_800, 1, None), "10000-01-01 00:00:00");
        assert_eq!(at(-62_135_596_801, 1, None), "0001-12-31 23:59:59 BC");
        text(|o| push_timestamp(o, i64::MIN, 1, Some(-50_000)));
        text(|o| push_timestamp(o, i64::MAX, 1_000_000_000, Some(50_000)));
    }

    #[test]
    fn intervals_carry_postgres_signs() {
        let of = |m, d, micros| text(|o| push_interval(o, m, d, micros, 1_000_000));
        assert_eq!(of(0, 0, 0), "00:00:00");
        assert_eq!(of(14, 3, 14_706_500_000), "1 year 2 mons 3 days 04:05:06.5");
        assert_eq!(of(-14, 3, -1_000_000), "-1 years -2 mons +3 days -00:00:01");
        assert_eq!(of(0, -1, 3_600_000_000), "-1 days +01:00:00");
        assert_eq!(of(0, 0, 360_000_000_000), "100:00:00");
    }
}
