//! What one feature says by itself, and what a model makes of it.

use super::Model;
use super::quality::auc;

/// Most rows that the weight of features is taken from.
const ROWS_MAX: usize = 10_000;

/// What a feature says of the ends by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// Area under the ROC curve.
    pub auc: f64,
    /// Information value.
    pub iv: f64,
}

/// What the bins of a feature say: `codes` and `labels` of the rows, whose base rate is `base_rate`.
pub(super) fn evidence(codes: &[u16], labels: &[bool], base_rate: f64) -> Evidence {
    let bins = codes.iter().max().map_or(0, |most| *most as usize + 1);
    let mut counts = vec![[0.0, 0.0]; bins];
    for (code, label) in codes.iter().zip(labels) {
        counts[*code as usize][usize::from(*label)] += 1.0;
    }
    // Each bin has ten rows of the base rate mixed in, so that rare ones do not learn by heart.
    let rate = |code: &u16| {
        let [lost, won] = counts[*code as usize];
        (won + 10.0 * base_rate) / (won + lost + 10.0)
    };
    let mut pairs: Vec<(f64, bool)> = codes.iter().map(rate).zip(labels.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    Evidence { auc: auc(&pairs).unwrap_or(0.5), iv: information_value(&counts) }
}

/// Information value of a feature, from the rows of each bin that were lost and won.
///
/// sum over bins of (share of the won - share of the lost) * ln(share of the won / share of the lost);
/// half a row is added to both ends of each bin, so that one without an end is not infinite.
/// Source: S. Kullback and R. A. Leibler, 1951; as used for scorecards by L. C. Thomas, 2009.
pub fn information_value(counts: &[[f64; 2]]) -> f64 {
    let filled = || counts.iter().filter(|[lost, won]| lost + won > 0.0);
    let [all_lost, all_won] = [0, 1].map(|end| filled().map(|bin| bin[end] + 0.5).sum::<f64>());
    let value = filled().map(|[lost, won]| {
        let (won, lost) = ((won + 0.5) / all_won, (lost + 0.5) / all_lost);
        (won - lost) * (won / lost).ln()
    });
    value.sum()
}

/// Mean size of the points that each feature of `model` gives, over up to ten thousand of the rows
/// that have these bins (one column a feature).
pub(super) fn mean_points(model: &Model, codes: &[Vec<u16>], rows: usize) -> Vec<f64> {
    let step = rows.div_ceil(ROWS_MAX).max(1);
    let mut sums = vec![0.0; codes.len()];
    let mut count = 0.0;
    for row in (0..rows).step_by(step) {
        let features = model.features.iter().zip(codes);
        let mut shares: Vec<f64> =
            features.map(|(f, codes)| f.points[codes[row] as usize]).collect();
        model.trees.iter().for_each(|tree| tree.share(codes, row, &mut shares));
        sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share.abs());
        count += 1.0;
    }
    sums.iter().map(|sum| sum / f64::max(count, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_numbers() {
        // Of 39 won and 59 lost, the first bin has 29.5 and 9.5 with the half rows, the second 10.5 and 50.5.
        let (won, lost) = ((29.5 / 40.0, 10.5 / 40.0), (9.5 / 60.0, 50.5 / 60.0));
        let wanted =
            (won.0 - lost.0) * f64::ln(won.0 / lost.0) + (won.1 - lost.1) * f64::ln(won.1 / lost.1);
        let found = information_value(&[[9.0, 29.0], [50.0, 10.0], [0.0, 0.0]]);
        assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
        assert_eq!(information_value(&[]), 0.0);
        assert!(information_value(&[[10.0, 10.0], [20.0, 20.0]]).abs() < 1e-12);
    }

    #[test]
    fn a_feature_that_is_the_end_says_all() {
        let labels: Vec<bool> = (0..100).map(|row| row < 40).collect();
        let codes: Vec<u16> = labels.iter().map(|label| u16::from(*label)).collect();
        let found = evidence(&codes, &labels, 0.4);
        assert_eq!(found.auc, 1.0);
        assert!(found.iv > 3.0, "{}", found.iv);
        let nothing = evidence(&vec![1; 100], &labels, 0.4);
        assert_eq!((nothing.auc, nothing.iv), (0.5, 0.0));
    }
}
