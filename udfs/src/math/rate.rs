//! Rates and ratios of a pipeline: Wilson interval, coverage, velocity, run rate.

use super::{Answer, Fault, normal, not_negative, ratio, within};

/// Lower and upper bound of a share seen as `hits` of `count`, by Wilson's score interval.
///
/// NULL for a count of zero.
/// Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927).
///
/// # Errors
/// Counts that are negative or not whole, more hits than counts, a level outside 0 to 1.
pub fn wilson(hits: f64, count: f64, level: f64) -> Result<Option<(f64, f64)>, Fault> {
    let hits = not_negative("won_count", hits)?;
    let count = not_negative("closed_count", count)?;
    if let Some((name, bad)) =
        [("won_count", hits), ("closed_count", count)].into_iter().find(|(_, n)| n.fract() != 0.0)
    {
        return Err(Fault(format!("{name} must be a whole number, got {bad}")));
    }
    if hits > count {
        let message = format!("won_count must not exceed closed_count, got {hits} of {count}");
        return Err(Fault(message));
    }
    if !(level > 0.0 && level < 1.0) {
        return Err(Fault(format!("level must be between 0 and 1, got {level}")));
    }
    if count == 0.0 {
        return Ok(None);
    }
    let (p, z2) = (hits / count, normal::half_width(level).powi(2));
    let middle = (p + z2 / (2.0 * count)) / (1.0 + z2 / count);
    let spread = (z2 * (p * (1.0 - p) / count + z2 / (4.0 * count * count))).sqrt();
    let half = spread / (1.0 + z2 / count);
    Ok(Some(((middle - half).max(0.0), (middle + half).min(1.0))))
}

/// Open pipeline over what is left of the quota; NULL once nothing is left.
///
/// # Errors
/// A negative quota.
pub fn coverage(open: f64, quota: f64, closed: f64) -> Answer {
    let left = not_negative("quota", quota)? - closed;
    Ok(if left > 0.0 { ratio(open, left) } else { None })
}

/// Money a day that flows out of the pipeline: `count · deal · win rate / cycle`.
///
/// NULL for a cycle of zero days or less.
///
/// # Errors
/// A negative count, a win rate outside 0 to 1.
pub fn velocity(count: f64, deal: f64, win_rate: f64, cycle_days: f64) -> Answer {
    let count = not_negative("opportunity_count", count)?;
    let win_rate = within("win_rate", win_rate, 0.0, 1.0)?;
    Ok((cycle_days > 0.0).then(|| count * deal * win_rate / cycle_days))
}

/// What a period ends at if it goes on as it did: `closed / elapsed`; NULL before anything elapsed.
///
/// # Errors
/// A share outside 0 to 1.
pub fn run_rate(closed: f64, elapsed: f64) -> Answer {
    Ok(ratio(closed, within("elapsed_ratio", elapsed, 0.0, 1.0)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn worked_numbers() {
        let (low, high) = wilson(6.0, 10.0, 0.95).expect("no fault").expect("known");
        assert!((low - 0.3127).abs() < 5e-5 && (high - 0.8318).abs() < 5e-5, "{low} {high}");
        let money = velocity(50.0, 10e3, 0.2, 30.0).expect("no fault").expect("known");
        assert!((money - 3_333.33).abs() < 0.005);
        assert_eq!(run_rate(300.0, 0.5), Ok(Some(600.0)));
        let curve = run_rate(300.0, 0.35).expect("no fault").expect("known");
        assert!((curve - 857.1).abs() < 0.05);
        assert_eq!(coverage(300.0, 150.0, 50.0), Ok(Some(3.0)));
    }

    #[test]
    fn what_cannot_be_divided_is_unknown() {
        assert_eq!(wilson(0.0, 0.0, 0.95), Ok(None));
        assert_eq!(coverage(300.0, 150.0, 150.0), Ok(None));
        assert_eq!(velocity(1.0, 1.0, 0.5, 0.0), Ok(None));
        assert_eq!(run_rate(300.0, 0.0), Ok(None));
        assert!(wilson(3.0, 2.0, 0.95).is_err());
        assert!(run_rate(300.0, 1.5).is_err());
    }

    proptest! {
        #[test]
        fn the_share_lies_in_its_interval(
            hits in 0_u32..1000,
            more in 0_u32..1000,
            level in 0.01..0.999,
        ) {
            let (hits, count) = (f64::from(hits), f64::from(hits + more));
            if let Some((low, high)) = wilson(hits, count, level).expect("in range") {
                prop_assert!(low <= hits / count + 1e-12 && hits / count <= high + 1e-12);
                prop_assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
            }
        }
    }
}
