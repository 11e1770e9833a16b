//! The regular grid of a series: its grain found from its dates, and the dates that come next.
//!
//! Instants are microseconds and days counted from 1970-01-01, in the proleptic Gregorian calendar.

pub(super) const DAY_US: i64 = 86_400_000_000;

/// Year, month (1 to 12) and day of a day number.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let part = (5 * day_of_year + 2) / 153;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * part + 2) / 5 + 1)
}

/// A day number as it is written: `2026-03-31`.
pub fn written(days: i64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Day number of a date; a day past the end of its month is the month's last.
pub fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let day = day.min(month_length(year, month));
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn month_length(year: i64, month: i64) -> i64 {
    let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => 31,
    }
}

/// `days` moved by `months`, to the month's last day where it has no such day; saturating.
pub fn add_months(days: i32, months: i32) -> i32 {
    let moved = months_later(i64::from(days), i64::from(months), false);
    i32::try_from(moved).unwrap_or(if months < 0 { i32::MIN } else { i32::MAX })
}

fn months_later(days: i64, months: i64, is_month_end: bool) -> i64 {
    let (year, month, day) = civil(days);
    let count = year * 12 + month - 1 + months;
    let day = if is_month_end { 31 } else { day };
    day_number(count.div_euclid(12), count.rem_euclid(12) + 1, day)
}

/// Distance between the points of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// So many months; at month ends if the flag is set.
    Months(i64, bool),
    /// So many microseconds.
    Micros(i64),
}

impl Grain {
    /// The grain of `instants`, sorted and distinct.
    ///
    /// Points on one day of the month are months, quarters or years apart; points on one weekday,
    /// weeks; other whole days are daily; instants within a day are as far apart as their greatest
    /// common divisor.
    pub fn of(instants: &[i64]) -> Self {
        let days: Vec<i64> = instants.iter().map(|us| us.div_euclid(DAY_US)).collect();
        let time_of_day = |us: &i64| us.rem_euclid(DAY_US);
        if instants.windows(2).any(|pair| time_of_day(&pair[0]) != time_of_day(&pair[1])) {
            let gaps = instants.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
            return Self::Micros(gaps.fold(0, gcd).max(1));
        }
        let dates: Vec<(i64, i64, i64)> = days.iter().map(|day| civil(*day)).collect();
        let is_one_day = dates.iter().all(|date| date.2 == dates[0].2) && dates[0].2 <= 28;
        let is_month_end = dates.iter().all(|(y, m, d)| *d == month_length(*y, *m));
        if is_one_day || is_month_end {
            let count = |date: &(i64, i64, i64)| date.0 * 12 + date.1;
            let gaps = dates.windows(2).map(|pair| count(&pair[1]) - count(&pair[0]));
            let common = gaps.fold(0, gcd);
            let step = if common == 0 {
                1
            } else {
                [12, 3].into_iter().find(|n| common % n == 0).unwrap_or(1)
            };
            return Self::Months(step, is_month_end);
        }
        let common = days.windows(2).map(|pair| pair[1] - pair[0]).fold(0, gcd);
        Self::Micros(DAY_US * if common > 0 && common % 7 == 0 { 7 } else { 1 })
    }

    /// The usual season of this grain, in steps.
    pub fn season(self) -> usize {
        match self {
            Self::Months(12, _) => 1,
            Self::Months(3, _) => 4,
            Self::Months(..) => 12,
            Self::Micros(us) if us == 7 * DAY_US => 52,
            Self::Micros(us) if us == DAY_US => 7,
            Self::Micros(us) if us == DAY_US / 24 => 24,
            Self::Micros(_) => 1,
        }
    }

    /// The instant `steps` after `from`; `None` beyond the calendar.
    pub fn later(self, from: i64, steps: i64) -> Option<i64> {
        match self {
            Self::Micros(us) => from.checked_add(us.checked_mul(steps)?),
            Self::Months(months, is_month_end) => {
                let (days, time) = (from.div_euclid(DAY_US), from.rem_euclid(DAY_US));
                let day = months_later(days, months.checked_mul(steps)?, is_month_end);
                day.checked_mul(DAY_US)?.checked_add(time)
            }
        }
    }

    /// The last day of the period that `label` stands for: a month-end closes its period, every
    /// other label opens it.
    pub fn last_day(self, label: i64) -> i64 {
        let day = label.div_euclid(DAY_US);
        match self {
            Self::Months(_, true) => day,
            _ => self.later(label, 1).map_or(day, |next| (next - 1).div_euclid(DAY_US).max(day)),
        }
    }

    /// Whole steps from `from` to `to`, both on the grid.
    pub(super) fn between(self, from: i64, to: i64) -> i64 {
        match self {
            Self::Micros(us) => to.saturating_sub(from) / us,
            Self::Months(months, _) => {
                let count = |us: i64| {
                    let (year, month, _) = civil(us.div_euclid(DAY_US));
                    year * 12 + month
                };
                (count(to) - count(from)) / months
            }
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(year: i64, month: i64, day: i64) -> i64 {
        day_number(year, month, day) * DAY_US
    }

    #[test]
    fn grains_are_found() {
        let months: Vec<i64> = [1, 2, 4, 5].map(|m| at(2026, m, 1)).to_vec();
        assert_eq!(Grain::of(&months), Grain::Months(1, false));
        let quarters: Vec<i64> = [1, 4, 10].map(|m| at(2026, m, 1)).to_vec();
        assert_eq!(Grain::of(&quarters), Grain::Months(3, false));
        let years: Vec<i64> = [2020, 2021, 2024].map(|y| at(y, 1, 1)).to_vec();
        assert_eq!(Grain::of(&years), Grain::Months(12, false));
        let ends = [at(2026, 1, 31), at(2026, 2, 28), at(2026, 4, 30)];
        assert_eq!(Grain::of(&ends), Grain::Months(1, true));
        let weeks = [at(2026, 1, 5), at(2026, 1, 12), at(2026, 1, 26)];
        assert_eq!(Grain::of(&weeks), Grain::Micros(7 * DAY_US));
        let days = [at(2026, 1, 5), at(2026, 1, 6), at(2026, 1, 9)];
        assert_eq!(Grain::of(&days), Grain::Micros(DAY_US));
        assert_eq!(Grain::of(&[at(2026, 1, 1)]), Grain::Months(1, false));
    }

    #[test]
    fn the_next_dates_follow_the_calendar() {
        let ends = Grain::Months(1, true);
        assert_eq!(ends.later(at(2026, 1, 31), 1), Some(at(2026, 2, 28)));
        assert_eq!(ends.later(at(2026, 2, 28), 1), Some(at(2026, 3, 31)));
        assert_eq!(Grain::Months(3, false).later(at(2026, 10, 1), 2), Some(at(2027, 4, 1)));
        assert_eq!(add_months(day_number(2026, 1, 31) as i32, 1), day_number(2026, 2, 28) as i32);
    }

    proptest! {
        #[test]
        fn dates_read_back(days in -10_000_000_i64..10_000_000) {
            let (year, month, day) = civil(days);
            prop_assert_eq!(day_number(year, month, day), days);
        }

        #[test]
        fn any_instants_have_a_grain(instants in prop::collection::btree_set(any::<i64>(), 1..20)) {
            let instants: Vec<i64> = instants.into_iter().collect();
            let grain = Grain::of(&instants);
            let _ = grain.later(instants[0], 120);
            let _ = grain.last_day(instants[0]);
        }
    }
}
