//! How unevenly something is shared out: Gini coefficient, coefficient of variation, balance.
//!
//! All are 0 or 1 for a share-out that is even, and do not change when every share is multiplied.

use super::{Answer, Fault};

fn checked(sorted: &[f64]) -> Result<f64, Fault> {
    match sorted.first() {
        Some(least) if *least < 0.0 => {
            Err(Fault(format!("value must not be negative, got {least}")))
        }
        _ => Ok(sorted.last().copied().unwrap_or(0.0)),
    }
}

/// Gini coefficient of values in ascending order: 0 even, towards 1 all in one hand.
///
/// NULL without values; 0 if all are 0.
/// Source: C. Gini, 1912, in its sorted form (2·Σ i·x / (n·Σ x) - (n+1)/n).
///
/// # Errors
/// A negative value.
pub fn gini(sorted: &[f64]) -> Answer {
    let largest = checked(sorted)?;
    if sorted.is_empty() || largest == 0.0 {
        return Ok((!sorted.is_empty()).then_some(0.0));
    }
    let count = sorted.len() as f64;
    // Against the largest, so that sums cannot overflow.
    let (mut sum, mut ranked) = (0.0, 0.0);
    for (place, value) in sorted.iter().enumerate() {
        sum += value / largest;
        ranked += (place as f64 + 1.0) * (value / largest);
    }
    Ok(Some((2.0 * ranked / (count * sum) - (count + 1.0) / count).clamp(0.0, 1.0)))
}

/// Coefficient of variation: standard deviation (of all, not of a sample) over mean.
///
/// NULL without values; 0 if all are 0.
///
/// # Errors
/// A negative value.
pub fn variation(sorted: &[f64]) -> Answer {
    let largest = checked(sorted)?;
    if sorted.is_empty() || largest == 0.0 {
        return Ok((!sorted.is_empty()).then_some(0.0));
    }
    let count = sorted.len() as f64;
    let mean = sorted.iter().map(|value| value / largest).sum::<f64>() / count;
    let squares: f64 = sorted.iter().map(|value| (value / largest - mean).powi(2)).sum();
    Ok(Some((squares / count).sqrt() / mean))
}

/// Largest over mean: 1 is even, 2 means that somebody carries twice the mean.
///
/// NULL without values; 0 if all are 0.
///
/// # Errors
/// A negative value.
pub fn balance(sorted: &[f64]) -> Answer {
    let largest = checked(sorted)?;
    if sorted.is_empty() || largest == 0.0 {
        return Ok((!sorted.is_empty()).then_some(0.0));
    }
    let mean = sorted.iter().map(|value| value / largest).sum::<f64>() / sorted.len() as f64;
    Ok(Some(1.0 / mean))
}

/// Middle of values in ascending order; NULL without any.
pub fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count % 2 == 1 => Some(sorted[middle]),
        _ => Some(sorted[middle - 1] / 2.0 + sorted[middle] / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(answer: Answer, wanted: f64) {
        let value = answer.expect("in range").expect("known");
        assert!((value - wanted).abs() < 5e-5, "{value} is not {wanted}");
    }

    #[test]
    fn worked_numbers() {
        let values = [1.0, 2.0, 3.0, 10.0];
        close(gini(&values), 0.4375);
        close(variation(&values), 0.8839);
        close(balance(&values), 2.5);
        assert_eq!(median(&values), Some(2.5));
    }

    #[test]
    fn nothing_is_unknown_and_nothing_but_zero_is_even() {
        for measure in [gini, variation, balance] {
            assert_eq!(measure(&[]), Ok(None));
            assert_eq!(measure(&[0.0, 0.0]), Ok(Some(0.0)));
            assert!(measure(&[-1.0, 2.0]).is_err());
            assert!(measure(&[1e300, 1.7e308]).expect("in range").expect("known").is_finite());
        }
        assert_eq!(median(&[]), None);
    }

    proptest! {
        #[test]
        fn scale_does_not_matter(
            mut values in prop::collection::vec(0.0..1e6, 1..30), factor in 1e-3..1e3,
        ) {
            values.sort_by(f64::total_cmp);
            let scaled: Vec<f64> = values.iter().map(|value| value * factor).collect();
            for measure in [gini, variation, balance] {
                let (a, b) = (measure(&values), measure(&scaled));
                let (a, b) = (a.expect("ok").expect("some"), b.expect("ok").expect("some"));
                prop_assert!((a - b).abs() < 1e-9 * (1.0 + a), "{} {}", a, b);
            }
            let share = gini(&values).expect("ok").expect("some");
            prop_assert!((0.0..=1.0).contains(&share));
        }
    }
}
