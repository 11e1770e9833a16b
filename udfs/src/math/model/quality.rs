//! How good probabilities are, against what came.
//!
//! All take pairs of a probability and what came in ascending order of both, so that the order of
//! rows cannot change a bit.

use super::loss;

/// Area under the ROC curve: the chance that a true one has the higher probability; ties count half.
///
/// NULL unless both outcomes occur.
pub fn auc(sorted: &[(f64, bool)]) -> Option<f64> {
    let positives = sorted.iter().filter(|pair| pair.1).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    let (mut wins, mut below, mut start) = (0.0, 0.0, 0);
    while start < sorted.len() {
        let tied = sorted[start..].iter().take_while(|pair| pair.0 == sorted[start].0).count();
        let group = &sorted[start..start + tied];
        let true_ones = group.iter().filter(|pair| pair.1).count() as f64;
        let false_ones = tied as f64 - true_ones;
        wins += true_ones * (below + false_ones / 2.0);
        below += false_ones;
        start += tied;
    }
    (positives > 0.0 && negatives > 0.0).then(|| wins / (positives * negatives))
}

/// Mean squared distance of probabilities from what came; NULL without rows.
pub fn brier(sorted: &[(f64, bool)]) -> Option<f64> {
    mean(sorted.iter().map(|(p, is_true)| (p - f64::from(u8::from(*is_true))).powi(2)))
}

/// Mean logarithmic loss (nats a row); NULL without rows.
pub fn log_loss(sorted: &[(f64, bool)]) -> Option<f64> {
    mean(sorted.iter().map(|(p, is_true)| loss(*is_true, *p)))
}

/// Expected calibration error: the distance between the mean probability and the share of true ones
/// in each of `bins` bins of equal width, weighted by rows.
///
/// NULL without rows. Source: C. Guo, G. Pleiss, Y. Sun and K. Weinberger, 2017.
pub fn ece(sorted: &[(f64, bool)], bins: usize) -> Option<f64> {
    let (mut sum, mut start) = (0.0, 0);
    for bin in 1..=bins {
        let end = sorted.partition_point(|pair| pair.0 < bin as f64 / bins as f64);
        let end = if bin == bins { sorted.len() } else { end };
        let rows = &sorted[start..end];
        let said: f64 = rows.iter().map(|pair| pair.0).sum();
        let came = rows.iter().filter(|pair| pair.1).count() as f64;
        sum += (said - came).abs();
        start = end;
    }
    (!sorted.is_empty()).then(|| sum / sorted.len() as f64)
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len() as f64;
    (count > 0.0).then(|| values.sum::<f64>() / count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn worked_numbers() {
        let pairs = [(0.1_f64, false), (0.4, false), (0.35, true), (0.8, true)];
        let mut sorted = pairs;
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!(auc(&sorted), Some(0.75));
        let close = |found: Option<f64>, wanted: f64| {
            assert!((found.expect("known") - wanted).abs() < 1e-9, "{found:?} is not {wanted}");
        };
        close(brier(&sorted), (0.01 + 0.16 + 0.4225 + 0.04) / 4.0);
        close(log_loss(&sorted), 0.472_287_953_8);
        close(ece(&sorted, 2), (0.15 + 0.2) / 4.0);
        assert_eq!(auc(&[(0.5, false), (0.5, true)]), Some(0.5));
    }

    #[test]
    fn nothing_is_unknown() {
        assert_eq!((auc(&[]), brier(&[]), log_loss(&[]), ece(&[], 10)), (None, None, None, None));
        assert_eq!(auc(&[(0.5, true)]), None);
        assert!(log_loss(&[(0.0, true)]).expect("known").is_finite());
    }

    proptest! {
        #[test]
        fn measures_keep_their_bounds(
            mut pairs in prop::collection::vec((0.0..=1.0_f64, any::<bool>()), 1..60),
        ) {
            pairs.sort_by(|a: &(f64, bool), b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for value in [auc(&pairs), brier(&pairs), ece(&pairs, 10)].into_iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&value), "{}", value);
            }
            // Whatever keeps the order keeps the area.
            let squared: Vec<(f64, bool)> = pairs.iter().map(|(p, t)| (p * 0.5, *t)).collect();
            prop_assert_eq!(auc(&pairs), auc(&squared));
        }
    }
}
