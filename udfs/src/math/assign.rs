//! Who gets a lead: weighted rendezvous hashing.
//!
//! Every candidate draws a number from the key and its own name, and the largest wins; a heavier
//! candidate wins as much more often as it weighs more. The draw of one candidate knows nothing of
//! the others, so that whoever leaves moves only what was theirs.
//! Source: D. Thaler and C. Ravishankar, 1998; weights as in J. Resch, 2015.

use super::Fault;

/// The place of the winner among `names`; `None` if all weights are 0.
///
/// # Errors
/// Names and weights that differ in number, a weight that is negative or not finite.
pub fn winner<'a>(
    key: &str,
    names: impl ExactSizeIterator<Item = &'a str>,
    weights: &[f64],
) -> Result<Option<usize>, Fault> {
    if names.len() != weights.len() {
        let (names, weights) = (names.len(), weights.len());
        return Err(Fault(format!("weights must be one a rep, got {weights} for {names} reps")));
    }
    if let Some(bad) = weights.iter().find(|weight| !weight.is_finite() || **weight < 0.0) {
        return Err(Fault(format!("weights must be finite and not negative, got {bad}")));
    }
    let mut best: Option<(f64, &str, usize)> = None;
    for (place, name) in names.enumerate().filter(|(place, _)| weights[*place] > 0.0) {
        let score = -weights[place] / draw(key, name).ln();
        // Of two that draw the same the name decides, not the place in the list.
        let is_better = best.is_none_or(|(most, who, _)| (score, who) > (most, name));
        if is_better {
            best = Some((score, name, place));
        }
    }
    Ok(best.map(|(_, _, place)| place))
}

/// A number above 0 and below 1, the same for the same key and name.
fn draw(key: &str, name: &str) -> f64 {
    // FNV-1a over the key, a separator and the name, then the finaliser of SplitMix64.
    let bytes = key.bytes().chain([0xff]).chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let hash = hash ^ (hash >> 31);
    ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPS: [&str; 4] = ["ana", "bea", "cid", "dan"];

    fn pick(key: usize, names: &[&'static str], weights: &[f64]) -> &'static str {
        let place = winner(&format!("lead-{key}"), names.iter().copied(), weights);
        names[place.expect("in range").expect("somebody")]
    }

    #[test]
    fn shares_follow_the_weights() {
        let weights = [1.0, 2.0, 3.0, 0.0];
        let mut counts = [0_u32; 4];
        for key in 0..30_000 {
            let who = pick(key, &REPS, &weights);
            counts[REPS.iter().position(|rep| *rep == who).expect("a rep")] += 1;
        }
        for (count, weight) in counts.iter().zip(weights) {
            assert!((f64::from(*count) / 5_000.0 - weight).abs() < 0.1, "{counts:?}");
        }
    }

    #[test]
    fn who_leaves_moves_only_what_was_theirs() {
        for key in 0..2_000 {
            let before = pick(key, &REPS, &[1.0; 4]);
            let after = pick(key, &["dan", "ana", "cid"], &[1.0; 3]);
            assert!(before == "bea" || before == after, "{key}");
        }
    }

    #[test]
    fn nobody_can_be_chosen() {
        assert_eq!(winner("k", REPS.into_iter(), &[0.0; 4]), Ok(None));
        assert_eq!(winner("k", [].into_iter(), &[]), Ok(None));
        assert!(winner("k", REPS.into_iter(), &[1.0]).is_err());
        assert!(winner("k", REPS.into_iter(), &[1.0, -1.0, 1.0, 1.0]).is_err());
    }
}
