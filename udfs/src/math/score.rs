//! Lead scores: fit and engagement, decay, grades.

use super::exact::few_steps;
use super::power::{WHOLE, exp2};
use super::wide::wide;
use super::{Answer, Fault, positive, ratio, within};

/// `w·fit + (1-w)·engagement·0.5^(age/half_life)`, from 0 to 100.
///
/// `age_days` below zero counts as zero: an event cannot be fresher than now.
///
/// # Errors
/// Scores outside 0 to 100, a half-life of zero or less, a weight outside 0 to 1.
pub fn lead_score(
    fit: f64,
    engagement: f64,
    age_days: f64,
    half_life_days: f64,
    fit_weight: f64,
) -> Result<f64, Fault> {
    let fit = within("fit", fit, 0.0, 100.0)?;
    let engagement = within("engagement", engagement, 0.0, 100.0)?;
    let half_life = positive("half_life_days", half_life_days)?;
    let weight = within("fit_weight", fit_weight, 0.0, 1.0)?;
    Ok(weight * fit + (1.0 - weight) * decayed(engagement, age_days, half_life))
}

/// `value` after `age_days`, halved every `half_life_days`.
#[inline(always)]
pub fn decayed(value: f64, age_days: f64, half_life_days: f64) -> f64 {
    let age = if age_days > 0.0 { age_days } else { 0.0 };
    value * exp2(-(age / half_life_days))
}

wide! {
    /// [`lead_score`] of columns of one length, into `scores`; false if a row is not in bounds, and
    /// the scores are not to be used.
    lead_scores(columns: [&[f64]; 5], scores: &mut [f64]) -> bool = lead_scores_in
}

/// Above this a row is looked at by itself.
const LARGE: f64 = 1e300;

#[inline(always)]
fn lead_scores_in(columns: [&[f64]; 5], scores: &mut [f64]) -> bool {
    let count = scores.len();
    let [fit, engagement, age, half_life, weight] = columns.map(|column| &column[..count]);
    let within = |value: f64, most: f64| (value >= 0.0) & (value <= most);
    let mut is_wrong = false;
    for row in 0..count {
        let (fit, engagement, age) = (fit[row], engagement[row], age[row]);
        let (half_life, weight) = (half_life[row], weight[row]);
        let is_right = within(fit, 100.0)
            & within(engagement, 100.0)
            & within(weight, 1.0)
            & (half_life > 0.0)
            & (half_life <= LARGE)
            & (age.abs() <= LARGE);
        is_wrong |= !is_right;
        scores[row] = weight * fit + (1.0 - weight) * decayed(engagement, age, half_life);
    }
    !is_wrong
}

/// `value` after `age_days`, less by `step_ratio` of it for every whole `every_days`; never below 0
/// of it.
///
/// # Errors
/// A step outside 0 to 1, an interval of zero or less.
pub fn stepped(value: f64, age_days: f64, step_ratio: f64, every_days: f64) -> Result<f64, Fault> {
    let step = within("step_ratio", step_ratio, 0.0, 1.0)?;
    let steps = (age_days.max(0.0) / positive("every_days", every_days)?).floor();
    Ok(value * (1.0 - step * steps).max(0.0))
}

/// How well someone fits the ideal customer, 0 to 100: the share of the weight of what is known.
///
/// `matched` holds one share (0 to 1) an attribute, `None` where the attribute is not known; NULL if
/// nothing is known that weighs anything.
///
/// # Errors
/// Lists that differ in length, a match outside 0 to 1, a weight that is negative or not finite.
pub fn icp_fit(matched: &[Option<f64>], weights: &[f64]) -> Answer {
    if matched.len() != weights.len() {
        let (matched, weights) = (matched.len(), weights.len());
        let message = format!("weights must be one a match, got {weights} for {matched}");
        return Err(Fault(message));
    }
    let (mut hit, mut known) = (0.0, 0.0);
    for (share, weight) in matched.iter().zip(weights) {
        if !weight.is_finite() || *weight < 0.0 {
            return Err(Fault(format!("weights must be finite and not negative, got {weight}")));
        }
        let Some(share) = share else { continue };
        hit += within("matched", *share, 0.0, 1.0)? * weight;
        known += weight;
    }
    Ok(ratio(hit, known).map(|fit| (fit * 100.0).clamp(0.0, 100.0)))
}

/// What is left of `points` after `age_us` microseconds, halved every `half_life_days`.
#[inline(always)]
pub fn faded(points: f64, age_us: f64, half_life_days: f64) -> f64 {
    decayed(points, age_us, DAY_US * half_life_days)
}

/// What all events of a column have in common.
#[derive(Debug, Clone, Copy)]
pub struct Fading {
    /// The moment of the score (microseconds).
    pub as_of: i64,
    /// Microseconds after it that still belong to it.
    pub rest_us: f64,
    /// Days after which points count half.
    pub half_life_days: f64,
}

wide! {
    /// Steps (see [`super::exact`]) of what is left of the `points` of each event, into `steps`; of
    /// an event after the moment nothing is.
    ///
    /// False if points are beyond two thousand or an event is decades away: the steps are wrong then.
    fade(steps: &mut [i64], points: &[f64], events: &[i64], fading: Fading) -> bool = fade_in
}

/// Ages below this many microseconds, 35 years, become floats by adding [`WHOLE`].
const NEAR_BITS: u32 = 50;

#[inline(always)]
fn fade_in(steps: &mut [i64], points: &[f64], events: &[i64], fading: Fading) -> bool {
    let count = steps.len();
    let (points, events) = (&points[..count], &events[..count]);
    let (mut is_small, mut far) = (true, 0);
    for row in 0..count {
        let age = fading.as_of.wrapping_sub(events[row]);
        far |= (age.wrapping_add(1 << NEAR_BITS) as u64) >> (NEAR_BITS + 1);
        let age_us = f64::from_bits((age as u64).wrapping_add(WHOLE.to_bits())) - WHOLE;
        let left = faded(points[row], age_us, fading.half_life_days);
        let left = if age_us >= -fading.rest_us { left } else { 0.0 };
        steps[row] = few_steps(left);
        is_small &= points[row].abs() <= FEW;
    }
    is_small & (far == 0)
}

/// Most points that the quick way takes.
const FEW: f64 = 2_000.0;

/// Microseconds of a day.
pub const DAY_US: f64 = 86_400_000_000.0;

/// Letter by fit, digit by engagement: at or above `hi` A and 1, at or above `lo` B and 2, else C and 3.
///
/// # Errors
/// Scores or thresholds outside 0 to 100, or `lo` above `hi`.
pub fn lead_grade(fit: f64, engagement: f64, hi: f64, lo: f64) -> Result<&'static str, Fault> {
    const GRADES: [[&str; 3]; 3] = [["A1", "A2", "A3"], ["B1", "B2", "B3"], ["C1", "C2", "C3"]];
    let hi = within("hi", hi, 0.0, 100.0)?;
    let lo = within("lo", lo, 0.0, 100.0)?;
    if lo > hi {
        return Err(Fault(format!("lo must not be above hi, got {lo} and {hi}")));
    }
    let place = |value: f64| usize::from(value < hi) + usize::from(value < lo);
    let fit = place(within("fit", fit, 0.0, 100.0)?);
    Ok(GRADES[fit][place(within("engagement", engagement, 0.0, 100.0)?)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn worked_numbers() {
        assert_eq!(lead_score(80.0, 60.0, 0.0, 30.0, 0.5), Ok(70.0));
        assert_eq!(lead_score(80.0, 60.0, 30.0, 30.0, 0.5), Ok(55.0));
        assert_eq!(lead_score(30.0, 100.0, 60.0, 30.0, 0.6), Ok(28.0));
        assert_eq!(lead_score(80.0, 60.0, -5.0, 30.0, 0.5), Ok(70.0));
        assert_eq!(lead_score(100.0, 0.0, 0.0, 30.0, 0.5), Ok(50.0));
    }

    #[test]
    fn faults_name_the_argument() {
        let text = |outcome: Result<f64, Fault>| outcome.expect_err("refused").0;
        assert_eq!(
            text(lead_score(120.0, 1.0, 0.0, 30.0, 0.5)),
            "fit must be from 0 to 100, got 120"
        );
        assert!(text(lead_score(1.0, -1.0, 0.0, 30.0, 0.5)).starts_with("engagement"));
        assert!(text(lead_score(1.0, 1.0, 0.0, 0.0, 0.5)).starts_with("half_life_days"));
        assert!(text(lead_score(1.0, 1.0, 0.0, 30.0, 1.5)).starts_with("fit_weight"));
    }

    #[test]
    fn fit_is_of_what_is_known() {
        let (yes, no) = (Some(1.0), Some(0.0));
        assert_eq!(icp_fit(&[yes, no, None], &[3.0, 1.0, 6.0]), Ok(Some(75.0)));
        assert_eq!(icp_fit(&[None], &[1.0]), Ok(None));
        assert_eq!(icp_fit(&[], &[]), Ok(None));
        assert_eq!(icp_fit(&[yes], &[0.0]), Ok(None));
        assert!(icp_fit(&[yes], &[]).is_err());
        assert!(icp_fit(&[Some(50.0)], &[1.0]).is_err());
        assert!(icp_fit(&[yes], &[-1.0]).is_err());
    }

    #[test]
    fn steps_take_away_whole_intervals() {
        assert_eq!(stepped(80.0, 65.0, 0.5, 30.0), Ok(0.0));
        assert_eq!(stepped(80.0, 59.9, 0.5, 30.0), Ok(40.0));
        assert_eq!(stepped(80.0, -3.0, 0.5, 30.0), Ok(80.0));
        assert!(stepped(1.0, 1.0, 1.5, 30.0).is_err());
        assert!(stepped(1.0, 1.0, 0.5, 0.0).is_err());
    }

    #[test]
    fn grades_stand_at_their_thresholds() {
        assert_eq!(lead_grade(70.0, 70.0, 70.0, 40.0), Ok("A1"));
        assert_eq!(lead_grade(69.9, 40.0, 70.0, 40.0), Ok("B2"));
        assert_eq!(lead_grade(39.9, 100.0, 70.0, 40.0), Ok("C1"));
        assert!(lead_grade(1.0, 1.0, 40.0, 70.0).is_err());
    }

    proptest! {
        #[test]
        fn scores_stay_in_bounds_and_fall_with_age(
            fit in 0.0..=100.0, engagement in 0.0..=100.0, age in 0.0..1e4,
            half_life in 1e-3..1e4, weight in 0.0..=1.0,
        ) {
            let now = lead_score(fit, engagement, age, half_life, weight).expect("in range");
            let later = lead_score(fit, engagement, age + 1.0, half_life, weight).expect("in range");
            prop_assert!((0.0..=100.0 + 1e-9).contains(&now));
            prop_assert!(later <= now + 1e-9);
        }
    }
}
