//! Days, quarters and working hours.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Weekday};

use super::random::Random;

/// `day` moved by `days`, either way.
pub(super) fn plus(day: NaiveDate, days: i64) -> NaiveDate {
    day + TimeDelta::days(days)
}

/// First and last day of the calendar quarter of `day`.
pub(super) fn quarter(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let month = day.month0() / 3 * 3 + 1;
    let start = NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
    (start, start + Months::new(3) - Days::new(1))
}

/// The quarters that touch `from`..=`to`.
pub(super) fn quarters(from: NaiveDate, to: NaiveDate) -> Vec<(NaiveDate, NaiveDate)> {
    let first = quarter(from).0;
    (0..).map(|n| quarter(first + Months::new(3 * n))).take_while(|q| q.0 <= to).collect()
}

/// Such as 2026Q2.
pub(super) fn quarter_label(start: NaiveDate) -> String {
    format!("{}Q{}", start.year(), start.month0() / 3 + 1)
}

/// True from Monday to Friday.
pub(super) fn is_workday(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// `day` itself, or the Friday before a weekend.
pub(super) fn workday_at_or_before(day: NaiveDate) -> NaiveDate {
    if is_workday(day) { day } else { workday_at_or_before(plus(day, -1)) }
}

/// An instant in the working hours of `day`, on a full second.
pub(super) fn at_work(random: &mut Random, day: NaiveDate) -> NaiveDateTime {
    let seconds = random.whole(8 * 3600, 18 * 3600 - 1);
    day.and_time(NaiveTime::MIN) + TimeDelta::seconds(seconds)
}

/// An instant some days after `from` (mean `days`, log-normal), in working hours.
pub(super) fn later(random: &mut Random, from: NaiveDateTime, days: f64) -> NaiveDateTime {
    let gap = random.log_normal(days * 0.8, 0.7).max(0.2);
    let day = plus(from.date(), gap as i64);
    let day = if is_workday(day) { day } else { plus(day, 2) };
    at_work(random, day).max(from + TimeDelta::minutes(random.whole(5, 400)))
}

/// Draws days whose frequency follows a trend and the months of the year.
#[derive(Debug)]
pub(super) struct Season {
    first: NaiveDate,
    /// Weight of all days until each day; never falls.
    cumulative: Vec<f64>,
}

impl Season {
    /// Days `first`..=`last`; weekends get none.
    pub fn new(first: NaiveDate, last: NaiveDate, growth_year: f64, months: &[f64; 12]) -> Self {
        let mut total = 0.0;
        let cumulative = first
            .iter_days()
            .take_while(|day| *day <= last)
            .map(|day| {
                let trend = 1.0 + growth_year * (day - first).num_days() as f64 / 365.25;
                let month = months[day.month0() as usize];
                total += if is_workday(day) { trend * month } else { 0.0 };
                total
            })
            .collect();
        Self { first, cumulative }
    }

    /// One day.
    pub fn day(&self, random: &mut Random) -> NaiveDate {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let mark = random.unit() * total;
        let index = self.cumulative.partition_point(|sum| *sum <= mark);
        plus(self.first, index.min(self.cumulative.len().saturating_sub(1)) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("test date")
    }

    #[test]
    fn quarters_are_closed_intervals() {
        assert_eq!(quarter(date("2026-05-31")), (date("2026-04-01"), date("2026-06-30")));
        let all = quarters(date("2025-11-30"), date("2026-04-01"));
        assert_eq!(all.len(), 3);
        assert_eq!(quarter_label(all[0].0), "2025Q4");
    }

    #[test]
    fn a_season_draws_workdays_of_heavy_months() {
        let mut months = [0.0; 12];
        months[2] = 1.0;
        let season = Season::new(date("2025-01-01"), date("2025-12-31"), 0.0, &months);
        let mut random = Random::stream(3, "season");
        for _ in 0..200 {
            let day = season.day(&mut random);
            assert!(day.month() == 3 && is_workday(day), "{day}");
        }
    }
}
