//! Capacity of a sales team: ramp-up, ramped heads, the gap to a target, hires to close it.

use super::forecast::calendar::add_months;
use super::period::Days;
use super::{Fault, not_negative, within};

/// `demand - capacity`; above zero is a shortfall.
pub fn gap(demand: f64, capacity: f64) -> f64 {
    demand - capacity
}

/// `target - fte · productivity · utilisation · (1 - attrition)`; above zero is a shortfall.
///
/// # Errors
/// Negative heads or productivity, a utilisation or attrition outside 0 to 1.
pub fn target_gap(
    target: f64,
    fte: f64,
    productivity: f64,
    utilisation: f64,
    attrition: f64,
) -> Result<f64, Fault> {
    let fte = not_negative("ramped_fte", fte)?;
    let productivity = not_negative("productivity", productivity)?;
    let utilisation = within("utilisation", utilisation, 0.0, 1.0)?;
    let attrition = within("attrition", attrition, 0.0, 1.0)?;
    Ok(target - fte * productivity * utilisation * (1.0 - attrition))
}

/// Whole people to hire for `gap`: `ceil(gap / (productivity · mean ramp · (1 - attrition)))`.
///
/// Zero without a gap; `None` where no number of hires closes it in time.
///
/// # Errors
/// Negative productivity, a ramp or an attrition outside 0 to 1.
pub fn hires(
    gap: f64,
    productivity: f64,
    mean_ramp: f64,
    attrition: f64,
) -> Result<Option<i64>, Fault> {
    let productivity = not_negative("productivity", productivity)?;
    let mean_ramp = within("mean_ramp", mean_ramp, 0.0, 1.0)?;
    let attrition = within("attrition", attrition, 0.0, 1.0)?;
    if gap <= 0.0 {
        return Ok(Some(0));
    }
    let each = productivity * mean_ramp * (1.0 - attrition);
    // A gap of exactly n hires must not become n + 1 through the last bit of a division.
    let count = (gap / each * (1.0 - 1e-12)).ceil();
    Ok((each > 0.0 && count < 9e18).then_some(count as i64))
}

/// A ramp: the share of full productivity in each step after hiring; the last one holds.
fn checked(ramp: &[f64], step_months: i64) -> Result<i32, Fault> {
    if ramp.is_empty() {
        return Err(Fault("ramp must have at least one step".into()));
    }
    if let Some(bad) = ramp.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        return Err(Fault(format!("ramp must hold shares from 0 to 1, got {bad}")));
    }
    match i32::try_from(step_months) {
        Ok(step @ 1..=120) => Ok(step),
        _ => Err(Fault(format!("step_months must be from 1 to 120, got {step_months}"))),
    }
}

/// Share of full productivity on `day` of someone hired on `hire`.
///
/// Before the hire 0; without a hire date 1, as for someone who was always there.
///
/// # Errors
/// An empty ramp, a share outside 0 to 1, a step outside 1 to 120 months.
pub fn ramp(hire: Option<i32>, day: i32, ramp: &[f64], step_months: i64) -> Result<f64, Fault> {
    let step = checked(ramp, step_months)?;
    let Some(hire) = hire else { return Ok(1.0) };
    if day < hire {
        return Ok(0.0);
    }
    let place = (1..ramp.len()).take_while(|n| step_start(hire, *n, step) <= day).count();
    Ok(ramp[place])
}

/// Heads that `fte` of someone is worth in `period`, allowing for ramp-up and days not in the seat.
///
/// # Errors
/// As [`ramp`], and a period that starts after it ends or a negative `fte`.
pub fn ramped_fte(
    hire: Option<i32>,
    termination: Option<i32>,
    period: Days,
    ramp: &[f64],
    fte: f64,
) -> Result<f64, Fault> {
    let step = checked(ramp, 1)?;
    let fte = not_negative("fte", fte)?;
    let (start, end) = period;
    if start > end {
        return Err(Fault("period_start must not be after period_end".into()));
    }
    let days = |from: i64, to: i64| (to - from + 1).max(0) as f64;
    let last = termination.map_or(end, |day| day.min(end)).into();
    let all = days(start.into(), end.into());
    let Some(hire) = hire else { return Ok(fte * days(start.into(), last) / all) };
    let mut worth = 0.0;
    for (place, share) in ramp.iter().enumerate() {
        let from = i64::from(step_start(hire, place, step).max(start));
        let to = match ramp.len() - 1 {
            final_place if place == final_place => last,
            _ => (i64::from(step_start(hire, place + 1, step)) - 1).min(last),
        };
        worth += share * days(from, to);
    }
    Ok(fte * worth / all)
}

/// Quota that someone on the ramp carries: `full`, month by month of the period, times the ramp.
///
/// A period of whole months gives every month the same share of `full`, whatever its length, and
/// weighs the days inside a month; another period weighs its days.
///
/// # Errors
/// As [`ramp`], a negative quota, and a period that starts after it ends.
pub fn ramped_quota(
    full: f64,
    hire: Option<i32>,
    period: Days,
    steps: &[f64],
) -> Result<f64, Fault> {
    let full = not_negative("quota", full)?;
    let mut months = vec![];
    let mut from = period.0;
    while from <= period.1 && months.len() < MONTHS_MAX {
        let next = add_months(period.0, months.len() as i32 + 1);
        months.push((from, next.saturating_sub(1)));
        from = next;
    }
    if months.last().is_none_or(|last| last.1 != period.1) {
        months = vec![period];
    }
    let mut worth = 0.0;
    for month in &months {
        worth += ramped_fte(hire, None, *month, steps, 1.0)?;
    }
    Ok(full * worth / months.len() as f64)
}

/// Longest period that is seen as months.
const MONTHS_MAX: usize = 1_200;

/// Day on which hiring must begin so that a hire is ramped on `need_by`: the ramp before it, and
/// the days that recruiting takes before that.
///
/// # Errors
/// A ramp outside 0 to 120 months, recruiting outside 0 to 3650 days.
pub fn latest_start(need_by: i32, ramp_months: i64, recruit_days: i64) -> Result<i32, Fault> {
    if !(0..=120).contains(&ramp_months) {
        return Err(Fault(format!("ramp_months must be from 0 to 120, got {ramp_months}")));
    }
    if !(0..=3650).contains(&recruit_days) {
        return Err(Fault(format!("recruit_days must be from 0 to 3650, got {recruit_days}")));
    }
    Ok(add_months(need_by, -(ramp_months as i32)).saturating_sub(recruit_days as i32))
}

/// Stock that covers demand during the lead time with the chance that `z` stands for:
/// `z · demand_sd · √lead_time`.
///
/// # Errors
/// A negative deviation or lead time.
pub fn safety_stock(z: f64, demand_sd: f64, lead_time: f64) -> Result<f64, Fault> {
    let demand_sd = not_negative("demand_sd", demand_sd)?;
    Ok(z * demand_sd * not_negative("lead_time", lead_time)?.sqrt())
}

/// First day of step `place`: that many steps of months after `hire`, or the month's last day.
fn step_start(hire: i32, place: usize, step_months: i32) -> i32 {
    let months = i32::try_from(place).unwrap_or(i32::MAX).saturating_mul(step_months);
    add_months(hire, months)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JAN_1_2026: i32 = 20_454;

    #[test]
    fn worked_numbers() {
        let gap = target_gap(1_200e3, 8.2, 150e3, 0.85, 0.0).expect("in range");
        assert!((gap - 154_500.0).abs() < 1e-6);
        assert!((gap / 127_500.0 - 1.2118).abs() < 5e-5);
        assert_eq!(hires(gap, 127_500.0, 0.25, 0.0), Ok(Some(5)));
        let year = target_gap(13_000e3, 42.5987, 300e3, 1.0, 0.0).expect("in range");
        assert!((year - 220_390.0).abs() < 1e-6);
        assert_eq!(super::gap(2_360.0, 1_512.0), 848.0);
        assert_eq!(hires(848.0, 4.0 * 63.0 * 1.5, 1.0, 0.0), Ok(Some(3)));
    }

    #[test]
    fn a_surplus_needs_no_hire_and_a_ramp_of_zero_cannot_close_a_gap() {
        assert_eq!(hires(-1.0, 1.0, 1.0, 0.0), Ok(Some(0)));
        assert_eq!(hires(5.0, 1.0, 0.0, 0.0), Ok(None));
        assert_eq!(hires(5.0, 1.0, 1.0, 1.0), Ok(None));
        assert_eq!(hires(3.0 * 0.1, 0.1, 1.0, 0.0), Ok(Some(3)));
        assert!(target_gap(1.0, 1.0, 1.0, 1.5, 0.0).is_err());
    }

    #[test]
    fn ramps_hold_their_last_step() {
        let steps = [0.0, 0.25, 0.5, 1.0];
        let hired = Some(JAN_1_2026);
        for (day, wanted) in [(-1, 0.0), (0, 0.0), (30, 0.0), (31, 0.25), (59, 0.5), (5_000, 1.0)] {
            assert_eq!(ramp(hired, JAN_1_2026 + day, &steps, 1), Ok(wanted), "day {day}");
        }
        assert_eq!(ramp(None, 0, &steps, 1), Ok(1.0));
        assert_eq!(ramp(hired, JAN_1_2026 + 100, &steps, 3), Ok(0.25));
        assert!(ramp(hired, 0, &[], 1).is_err());
    }

    #[test]
    fn quotas_on_the_ramp() {
        let quarter = |hire, steps: &[f64]| ramped_quota(300e3, hire, (20_635, 20_726), steps);
        // July to September 2026: 25, 50 and 75 % of 100k a month.
        assert_eq!(quarter(Some(20_635), &[0.25, 0.5, 0.75]), Ok(150e3));
        assert_eq!(quarter(None, &[0.25]), Ok(300e3));
        assert_eq!(quarter(Some(20_727), &[1.0]), Ok(0.0));
        assert_eq!(ramped_quota(100.0, Some(0), (0, 9), &[0.5]), Ok(50.0));
        assert!(ramped_quota(1.0, None, (1, 0), &[1.0]).is_err());
        assert!(ramped_quota(-1.0, None, (0, 1), &[1.0]).is_err());
        assert!(ramped_quota(1.0, None, (i32::MIN, i32::MAX), &[1.0]).is_ok());
    }

    #[test]
    fn hiring_begins_before_ramp_and_recruiting() {
        // 2026-10-01, three months, 45 days: 2026-05-17.
        assert_eq!(latest_start(20_727, 3, 45), Ok(20_590));
        assert!(latest_start(0, -1, 0).is_err());
        assert!(latest_start(0, 0, 3_651).is_err());
        let stock = safety_stock(1.645, 40.0, 2.0).expect("in range");
        assert!((stock - 93.06).abs() < 0.005, "{stock}");
    }

    #[test]
    fn ramped_heads_count_days_in_the_seat() {
        let quarter = (JAN_1_2026, JAN_1_2026 + 89);
        let fte = |hire, term, share| ramped_fte(hire, term, quarter, &[0.0, 0.5, 1.0], share);
        assert_eq!(fte(None, None, 1.0), Ok(1.0));
        assert_eq!(fte(None, Some(JAN_1_2026 - 1), 1.0), Ok(0.0));
        assert_eq!(fte(None, Some(JAN_1_2026 + 44), 1.0), Ok(0.5));
        let hired = fte(Some(JAN_1_2026), None, 1.0).expect("in range");
        assert!((hired - (28.0 * 0.5 + 31.0) / 90.0).abs() < 1e-12);
        assert_eq!(fte(Some(JAN_1_2026 + 90), None, 1.0), Ok(0.0));
    }

    proptest! {
        #[test]
        fn any_days_are_answered_within_bounds(
            hire: Option<i32>, term: Option<i32>, a: i32, b: i32,
            steps in prop::collection::vec(0.0..=1.0, 1..6),
        ) {
            if let Ok(worth) = ramped_fte(hire, term, (a, b), &steps, 1.0) {
                prop_assert!((0.0..=1.0 + 1e-9).contains(&worth), "{worth}");
            }
            let now = ramp(hire, a, &steps, 1).expect("valid steps");
            prop_assert!((0.0..=1.0).contains(&now));
        }

        #[test]
        fn heads_are_the_mean_of_the_days(offset in -200_i32..200, length in 1_i32..200) {
            let (hire, steps) = (JAN_1_2026 + offset, [0.0, 0.25, 0.5, 1.0]);
            let period = (JAN_1_2026, JAN_1_2026 + length);
            let days: f64 = (period.0..=period.1)
                .map(|day| ramp(Some(hire), day, &steps, 1).expect("valid"))
                .sum();
            let worth = ramped_fte(Some(hire), None, period, &steps, 1.0).expect("valid");
            prop_assert!((worth - days / f64::from(length + 1)).abs() < 1e-9);
        }
    }
}
