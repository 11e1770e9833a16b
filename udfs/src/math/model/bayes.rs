//! Naive Bayes over frequencies of values, as CRMs score leads: a yardstick, and small data's friend.

use super::scorecard::{Design, Weights};

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

/// The same as points of bins, learnt from `rows`; a bin that none of them is in has none.
pub(crate) fn weights(design: &Design, labels: &[bool], rows: &[usize], alpha: f64) -> Weights {
    let mut counts = vec![[0.0, 0.0]; design.width()];
    let mut ends = [0.0, 0.0];
    for row in rows {
        let end = usize::from(labels[*row]);
        ends[end] += 1.0;
        for (codes, offset) in design.codes.iter().zip(&design.offsets) {
            counts[offset + codes[*row] as usize][end] += 1.0;
        }
    }
    let mut points = Vec::with_capacity(counts.len());
    for bounds in design.offsets.windows(2) {
        let bins = &counts[bounds[0]..bounds[1]];
        let values = bins.iter().filter(|bin| bin[0] + bin[1] > 0.0).count() as f64;
        let share =
            |bin: &[f64; 2], end: usize| ((bin[end] + alpha) / (ends[end] + alpha * values)).ln();
        points.extend(bins.iter().map(|bin| match bin[0] + bin[1] > 0.0 {
            true => share(bin, 1) - share(bin, 0),
            false => 0.0,
        }));
    }
    Weights { points, intercept: super::logit(ends[1] / f64::max(ends[0] + ends[1], 1.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_bins_say_the_same() {
        // 40 won and 60 lost; bin 1 has 20 of the won and 15 of the lost, bin 3 nobody.
        let bin = |row: usize| match row {
            0..20 | 40..55 => 1,
            row if row % 2 == 0 => 0,
            _ => 2,
        };
        let design = Design::new(vec![(0..100).map(bin).collect()], &[4], &[false]);
        let labels: Vec<bool> = (0..100).map(|row| row < 40).collect();
        let rows: Vec<usize> = (0..100).collect();
        let weights = weights(&design, &labels, &rows, 1.0);
        let wanted = naive_bayes(40.0, 60.0, &[(20.0, 15.0, 3.0)], 1.0).expect("both ends");
        assert!((super::super::sigmoid(weights.logit(&design, 0)) - wanted).abs() < 1e-12);
        assert_eq!(weights.points[3], 0.0);
    }

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
