//! Quotas over periods of days: proration, attainment, pace. Days are counted from 1970-01-01.

use super::{Answer, Fault, not_negative, ratio, within};

/// First and last day, both included.
pub type Days = (i32, i32);

fn checked((start, end): Days) -> Result<Days, Fault> {
    if start > end {
        let message =
            format!("period_start must not be after period_end, got {}", span(start, end));
        return Err(Fault(message));
    }
    Ok((start, end))
}

fn span(start: i32, end: i32) -> String {
    format!("{} days after", i64::from(start) - i64::from(end))
}

fn length((start, end): Days) -> f64 {
    (f64::from(end) - f64::from(start) + 1.0).max(0.0)
}

/// Share of the days of `period` in which someone was active (0 to 1).
///
/// `None` as a bound of `active` leaves that side open.
///
/// # Errors
/// A period that starts after it ends.
pub fn prorate(period: Days, active: (Option<i32>, Option<i32>)) -> Result<f64, Fault> {
    let period = checked(period)?;
    let start = active.0.map_or(period.0, |from| from.max(period.0));
    let end = active.1.map_or(period.1, |to| to.min(period.1));
    Ok(length((start, end)) / length(period))
}

/// `actual / (quota · ramp · share of days active)`.
///
/// NULL for a quota of zero or without an active day: there is nothing to attain.
///
/// # Errors
/// A negative quota, a ramp outside 0 to 1, a period that starts after it ends.
pub fn attainment(
    actual: f64,
    quota: f64,
    period: Option<Days>,
    active: (Option<i32>, Option<i32>),
    ramp: f64,
) -> Answer {
    let quota = not_negative("quota", quota)?;
    let ramp = within("ramp", ramp, 0.0, 1.0)?;
    let share = period.map_or(Ok(1.0), |period| prorate(period, active))?;
    Ok(ratio(actual, quota * ramp * share))
}

/// Attainment over the share of the period gone by: 1 is on pace.
///
/// NULL before the period starts and for a quota of zero.
///
/// # Errors
/// As [`attainment`].
pub fn pace(actual: f64, quota: f64, period: Days, as_of: i32) -> Answer {
    let elapsed = prorate(period, (None, Some(as_of)))?;
    let attained = attainment(actual, quota, None, (None, None), 1.0)?;
    Ok(attained.and_then(|attained| ratio(attained, elapsed)))
}

/// What is missing to a quota; below zero what was sold beyond it.
pub fn quota_gap(actual: f64, quota: f64) -> f64 {
    quota - actual
}

/// What must be sold on each working day after `as_of`, up to and including `end`.
///
/// 0 once the quota is attained; NULL if no working day is left.
///
/// # Errors
/// A negative quota.
pub fn required_run_rate(
    actual: f64,
    quota: f64,
    as_of: i32,
    end: i32,
    holidays: &[i32],
) -> Answer {
    let missing = not_negative("quota", quota)? - actual;
    if missing <= 0.0 {
        return Ok(Some(0.0));
    }
    let days = match as_of.checked_add(1) {
        Some(from) => super::fiscal::workdays(from, end, holidays),
        None => 0,
    };
    Ok(ratio(missing, days as f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Days from 1970-01-01 to a day of 2026 given as month and day.
    fn day(month: i32, day: i32) -> i32 {
        const BEFORE: [i32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        20_454 + BEFORE[month as usize - 1] + day - 1
    }

    fn q3() -> Days {
        (day(7, 1), day(9, 30))
    }

    fn close(answer: Answer, wanted: f64) {
        let value = answer.expect("no fault").expect("known");
        assert!((value - wanted).abs() < 5e-5, "{value} is not {wanted}");
    }

    #[test]
    fn worked_numbers() {
        close(attainment(250e3, 250e3, None, (None, None), 1.0), 1.0);
        close(attainment(312.5e3, 250e3, None, (None, None), 1.0), 1.25);
        let hired = (Some(day(8, 15)), None);
        close(attainment(120e3, 300e3, Some(q3()), hired, 1.0), 0.7830);
        let share = prorate(q3(), hired).expect("a period");
        assert!((300e3 * share - 153_260.87).abs() < 0.01);
        let share = prorate(q3(), (None, Some(day(8, 31)))).expect("a period");
        assert!((300e3 * share - 202_173.91).abs() < 0.01);
        close(pace(120e3, 300e3, q3(), day(8, 15)), 0.8);
        close(attainment(120e3, 300e3, None, (None, None), 0.5), 0.8);
        close(attainment(-20e3, 300e3, None, (None, None), 1.0), -0.0667);
        close(attainment(200.0, 300.0, None, (None, None), 1.0), 0.6667);
    }

    #[test]
    fn what_is_left_is_spread_over_the_working_days_left() {
        // 2026-09-24 is a Thursday: Friday, Monday, Tuesday and Wednesday are left.
        let rate = |actual, as_of| required_run_rate(actual, 300e3, as_of, day(9, 30), &[]);
        assert_eq!(rate(260e3, day(9, 24)), Ok(Some(10e3)));
        assert_eq!(rate(300e3, day(9, 30)), Ok(Some(0.0)));
        assert_eq!(rate(260e3, day(9, 30)), Ok(None));
        assert_eq!(rate(0.0, i32::MAX), Ok(None));
        assert_eq!(quota_gap(120e3, 300e3), 180e3);
    }

    #[test]
    fn nothing_to_attain_is_unknown() {
        assert_eq!(attainment(1.0, 0.0, None, (None, None), 1.0), Ok(None));
        let later = (Some(day(10, 1)), None);
        assert_eq!(attainment(1.0, 5.0, Some(q3()), later, 1.0), Ok(None));
        assert_eq!(pace(1.0, 5.0, q3(), day(6, 30)), Ok(None));
        assert!(attainment(1.0, -5.0, None, (None, None), 1.0).is_err());
        assert!(prorate((5, 4), (None, None)).is_err());
    }

    proptest! {
        #[test]
        fn a_transfer_divides_the_period(
            start in -10_000_i32..10_000,
            length in 1_i32..2_000,
            cut in 0_i32..2_000,
        ) {
            let period = (start, start + length);
            let cut = start + cut.min(length);
            let before = prorate(period, (None, Some(cut - 1))).expect("a period");
            let after = prorate(period, (Some(cut), None)).expect("a period");
            prop_assert!((before + after - 1.0).abs() < 1e-12);
        }

        #[test]
        fn any_days_give_a_share(a: i32, b: i32, from: Option<i32>, to: Option<i32>) {
            if let Ok(share) = prorate((a, b), (from, to)) {
                prop_assert!((0.0..=1.0).contains(&share));
            }
        }
    }
}
