//! Calibration: what makes probabilities as high as what comes, on the whole.

use super::sigmoid;

/// Most steps to a shift.
const STEPS_MAX: usize = 200;

/// Slope and shift that calibrate logits best, by what came.
///
/// Source: J. Platt, 1999; without his smoothed targets, for rows are many.
pub(super) fn platt(known: &[(f64, bool)]) -> (f64, f64) {
    let (mut slope, mut shift) = (1.0, 0.0);
    for _ in 0..20 {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
        for (z, label) in known {
            let p = sigmoid(slope * z + shift);
            let (error, spread) = (f64::from(u8::from(*label)) - p, p * (1.0 - p));
            ga += error * z;
            gb += error;
            haa += spread * z * z;
            hab += spread * z;
            hbb += spread;
        }
        let determinant = haa * hbb - hab * hab;
        if determinant <= 1e-12 {
            return (1.0, 0.0);
        }
        let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
        slope += da;
        shift += db;
        if da.abs() + db.abs() < 1e-9 {
            break;
        }
    }
    if slope.is_finite() && shift.is_finite() && slope > 0.0 { (slope, shift) } else { (1.0, 0.0) }
}

/// What is to be added to `logits` so that their mean probability is `positives / logits.len()`.
///
/// `logits` are finite and in ascending order, so that the order of rows cannot change a bit.
/// NULL if no or all rows are positive: no finite shift says so.
pub fn shift(logits: &[f64], positives: usize) -> Option<f64> {
    let (count, wanted) = (logits.len() as f64, positives as f64);
    if positives == 0 || positives >= logits.len() {
        return None;
    }
    let rate = (wanted / (count - wanted)).ln();
    // With the first every probability is at most the wanted one, with the second at least.
    let (mut low, mut high) = (rate - logits[logits.len() - 1], rate - logits[0]);
    let mut shift = low + (high - low) / 2.0;
    for _ in 0..STEPS_MAX {
        let (mut sum, mut spread) = (0.0, 0.0);
        for logit in logits {
            let p = sigmoid(logit + shift);
            sum += p;
            spread += p * (1.0 - p);
        }
        let over = sum - wanted;
        if over > 0.0 {
            high = shift
        } else {
            low = shift
        }
        let newton = shift - over / spread;
        let next = match newton > low && newton < high {
            true => newton,
            false => low + (high - low) / 2.0,
        };
        if over == 0.0 || next == shift {
            break;
        }
        shift = next;
    }
    Some(shift)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mean(logits: &[f64], shift: f64) -> f64 {
        logits.iter().map(|z| sigmoid(z + shift)).sum::<f64>() / logits.len() as f64
    }

    #[test]
    fn worked_numbers() {
        // Of one logit only, the shift leads to the logit of the rate: ln 3 of three in four.
        let found = shift(&[0.5; 4], 3).expect("both ends");
        assert!((found - (3.0_f64.ln() - 0.5)).abs() < 1e-12, "{found}");
        // Symmetric logits whose mean is a half already need none.
        assert!(shift(&[-2.0, -1.0, 1.0, 2.0], 2).expect("both ends").abs() < 1e-12);
        assert_eq!((shift(&[], 0), shift(&[1.0], 1), shift(&[1.0, 2.0], 0)), (None, None, None));
    }

    proptest! {
        #[test]
        fn the_mean_becomes_the_rate(
            mut logits in prop::collection::vec(-30.0..30.0_f64, 2..300), share in 0.0..1.0_f64,
        ) {
            logits.sort_by(f64::total_cmp);
            let most = logits.len() - 1;
            let positives = ((logits.len() as f64 * share) as usize).clamp(1, most);
            let found = shift(&logits, positives).expect("both ends");
            let wanted = positives as f64 / logits.len() as f64;
            prop_assert!((mean(&logits, found) - wanted).abs() < 1e-12, "{}", found);
        }
    }
}
