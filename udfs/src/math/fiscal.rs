//! Fiscal years that start in any month, and working days. Days are counted from 1970-01-01.

use super::Fault;
use super::forecast::calendar::{civil, day_number};

/// The month a fiscal year starts in, 1 to 12.
///
/// # Errors
/// Another month.
pub fn start_month(month: i64) -> Result<i64, Fault> {
    match month {
        1..=12 => Ok(month),
        other => Err(Fault(format!("start_month must be from 1 to 12, got {other}"))),
    }
}

/// Which of its two calendar years a fiscal year is called after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameBy {
    /// The year it starts in.
    Start,
    /// The year it ends in.
    End,
}

impl NameBy {
    /// The way called `name`.
    ///
    /// # Errors
    /// Another name.
    pub fn parse(name: &str) -> Result<Self, Fault> {
        match name {
            "start" => Ok(Self::Start),
            "end" => Ok(Self::End),
            other => Err(Fault(format!("name_by must be start or end, got \"{other}\""))),
        }
    }
}

/// Calendar year in which the fiscal year of `day` starts, and the months gone by since (0 to 11).
fn place(day: i32, start: i64) -> (i64, i64) {
    let (year, month, _) = civil(day.into());
    let gone = (month - start).rem_euclid(12);
    (if month < start { year - 1 } else { year }, gone)
}

/// Number of the fiscal year of `day`.
///
/// # Errors
/// A start month outside 1 to 12.
pub fn year(day: i32, start: i64, name_by: NameBy) -> Result<i64, Fault> {
    let start = start_month(start)?;
    let (year, _) = place(day, start);
    Ok(year + i64::from(name_by == NameBy::End && start > 1))
}

/// Quarter (1 to 4) of `day` in its fiscal year.
///
/// # Errors
/// A start month outside 1 to 12.
pub fn quarter(day: i32, start: i64) -> Result<i64, Fault> {
    Ok(place(day, start_month(start)?).1 / 3 + 1)
}

/// Month (1 to 12) of `day` in its fiscal year.
///
/// # Errors
/// A start month outside 1 to 12.
pub fn period(day: i32, start: i64) -> Result<i64, Fault> {
    Ok(place(day, start_month(start)?).1 + 1)
}

/// First and last day of the fiscal quarter of `day`; `None` beyond the calendar.
///
/// # Errors
/// A start month outside 1 to 12.
pub fn quarter_days(day: i32, start: i64) -> Result<Option<(i32, i32)>, Fault> {
    let (year, gone) = place(day, start_month(start)?);
    let first = |month: i64| {
        let months = year * 12 + start - 1 + month;
        day_number(months.div_euclid(12), months.rem_euclid(12) + 1, 1)
    };
    let (from, next) = (first(gone / 3 * 3), first(gone / 3 * 3 + 3));
    Ok(i32::try_from(from).ok().zip(i32::try_from(next - 1).ok()))
}

/// Days from Monday to Friday in a span, both ends included, that are not in `holidays`.
///
/// Nothing if the span ends before it starts.
pub fn workdays(start: i32, end: i32, holidays: &[i32]) -> i64 {
    if start > end {
        return 0;
    }
    let (start, end) = (i64::from(start), i64::from(end));
    // 1970-01-01 was a Thursday: day -3 a Monday.
    let weekdays_before = |day: i64| {
        let days = day + 3;
        days.div_euclid(7) * 5 + days.rem_euclid(7).min(5)
    };
    let mut off: Vec<i64> = holidays.iter().map(|day| i64::from(*day)).collect();
    off.retain(|day| (start..=end).contains(day) && (day + 3).rem_euclid(7) < 5);
    off.sort_unstable();
    off.dedup();
    weekdays_before(end + 1) - weekdays_before(start) - off.len() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(year: i64, month: i64, day: i64) -> i32 {
        i32::try_from(day_number(year, month, day)).expect("in the calendar")
    }

    #[test]
    fn worked_numbers() {
        let february = day(2026, 2, 1);
        assert_eq!(year(february, 2, NameBy::End), Ok(2027));
        assert_eq!(year(february, 2, NameBy::Start), Ok(2026));
        assert_eq!(year(day(2026, 1, 31), 2, NameBy::End), Ok(2026));
        assert_eq!(year(february, 1, NameBy::End), Ok(2026));
        assert_eq!(quarter(day(2026, 4, 30), 2), Ok(1));
        assert_eq!(quarter(day(2026, 1, 31), 2), Ok(4));
        assert_eq!(period(day(2026, 1, 31), 2), Ok(12));
        assert_eq!(
            quarter_days(day(2026, 1, 15), 2),
            Ok(Some((day(2025, 11, 1), day(2026, 1, 31))))
        );
        assert!(quarter(0, 13).is_err());
    }

    #[test]
    fn working_days_are_counted_with_both_ends() {
        assert_eq!(workdays(day(2026, 7, 1), day(2026, 9, 30), &[]), 66);
        assert_eq!(workdays(day(2026, 7, 4), day(2026, 7, 5), &[]), 0);
        let holidays = [day(2026, 7, 3), day(2026, 7, 3), day(2026, 7, 4), day(2030, 1, 1)];
        assert_eq!(workdays(day(2026, 7, 1), day(2026, 7, 31), &holidays), 22);
        assert_eq!(workdays(5, 4, &[]), 0);
        assert!(workdays(i32::MIN, i32::MAX, &[]) > 0);
    }

    proptest! {
        #[test]
        fn counting_days_one_by_one_gives_the_same(
            start in -40_000_i32..40_000,
            length in 0_i32..400,
        ) {
            let one_by_one = (start..=start + length)
                .filter(|day| (day + 3).rem_euclid(7) < 5)
                .count();
            prop_assert_eq!(workdays(start, start + length, &[]), one_by_one as i64);
        }

        #[test]
        fn any_day_lies_in_its_quarter(any: i32, start in 1_i64..=12) {
            if let Some((from, to)) = quarter_days(any, start).expect("a month") {
                prop_assert!(from <= any && any <= to);
                prop_assert_eq!(quarter(from, start), quarter(any, start));
                prop_assert!((89..=92).contains(&(to - from + 1)));
            }
            prop_assert!((1..=12).contains(&period(any, start).expect("a month")));
        }
    }
}
