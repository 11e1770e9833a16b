//! Naive Bayes over frequencies of values, as CRMs score leads: a yardstick, and small data's friend.

/// Probability of winning, from counts.
///
/// `won` and `lost` are all rows of each end; `seen` holds for each feature the rows of each end that
/// have the lead's value, and the number of values that the feature has; a feature whose value was
/// never seen is to be left out. `alpha` is added to every count of a value.
/// NULL if nothing was won or nothing was lost.
pub fn naive_bayes(won: f64, lost: f64, seen: &[(f64, f64, f64)], alpha: f64) -> Option<f64> {
    if won <= 0.0 || lost <= 0.0 {
        return None;
    }
    let share = |count: f64, all: f64, values: f64| ((count + alpha) / (all + alpha * values)).ln();
    let mut odds = won.ln() - lost.ln();
    for (in_won, in_lost, values) in seen {
        odds += share(*in_won, won, *values) - share(*in_lost, lost, *values);
    }
    Some(if odds.is_nan() { won / (won + lost) } else { super::sigmoid(odds) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_numbers() {
        let seen = [(20.0, 15.0, 3.0), (10.0, 30.0, 3.0)];
        let close = |alpha: f64, wanted: f64, step: f64| {
            let found = naive_bayes(40.0, 60.0, &seen, alpha).expect("both ends");
            assert!((found - wanted).abs() < step, "{found} is not {wanted}");
        };
        close(0.0, 0.4, 1e-12);
        close(1.0, 0.399_93, 5e-6);
        close(0.1, 0.399_999, 5e-7);
        assert_eq!(naive_bayes(0.0, 60.0, &seen, 1.0), None);
        // An unseen value alone, kept as one of three, would move the share: it is left out.
        let kept = naive_bayes(40.0, 60.0, &[(0.0, 0.0, 3.0)], 1.0).expect("both ends");
        assert!((kept - 0.494).abs() < 5e-4, "{kept}");
        let left_out = naive_bayes(40.0, 60.0, &[], 1.0).expect("both ends");
        assert!((left_out - 0.4).abs() < 1e-12);
    }
}
