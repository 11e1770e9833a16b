//! What the open deals of a pipeline add up to: its mean, its spread, and its interval.
//!
//! Every deal is won for its whole amount or not at all, with its probability, independently of the
//! others: expected = closed + Σ p·a, variance Σ p·(1 − p)·a².
//! Up to [`EXACT_MAX`] deals the interval is exact, from the chance of every possible sum; beyond
//! that the normal distribution is near enough.
//! Source: Poisson's binomial distribution, with amounts.

use super::normal;

/// Most deals whose sums are all taken: a million sums.
pub const EXACT_MAX: usize = 20;
/// Chances below this are rounding.
const ROUNDING: f64 = 1e-12;

/// An open deal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deal {
    /// What it brings if it is won (currency).
    pub amount: f64,
    /// Chance that it is won (0 to 1).
    pub probability: f64,
}

/// What closed and open deals add up to; all in the currency of the amounts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// Σ p·a of the open deals.
    pub weighted_open: f64,
    /// Closed, and the open deals weighted.
    pub expected: f64,
    /// Standard deviation.
    pub sd: f64,
    /// Lower end of the interval.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// Closed, and all open deals won.
    pub best: f64,
}

/// The outlook for `closed` and `open`, with an interval of chance `level`.
///
/// Sorts the deals, so that their order does not matter.
pub fn outlook(closed: f64, open: &mut [Deal], level: f64) -> Outlook {
    open.sort_by(|a, b| {
        a.amount.total_cmp(&b.amount).then(a.probability.total_cmp(&b.probability))
    });
    let weighted_open: f64 = open.iter().map(|deal| deal.probability * deal.amount).sum();
    let chance = |deal: &Deal| deal.probability * (1.0 - deal.probability);
    let variance: f64 = open.iter().map(|deal| chance(deal) * deal.amount * deal.amount).sum();
    let (expected, sd) = (closed + weighted_open, variance.sqrt());
    let tail = (1.0 - level) / 2.0;
    let (lo, hi) = if open.len() <= EXACT_MAX {
        let sums = sums(open);
        (closed + quantile(&sums, tail), closed + quantile(&sums, 1.0 - tail))
    } else {
        let half = normal::half_width(level) * sd;
        let least: f64 = open.iter().map(|deal| deal.amount.min(0.0)).sum();
        let most: f64 = open.iter().map(|deal| deal.amount.max(0.0)).sum();
        ((expected - half).max(closed + least), (expected + half).min(closed + most))
    };
    let best = closed + open.iter().map(|deal| deal.amount).sum::<f64>();
    Outlook { weighted_open, expected, sd, lo, hi, best }
}

/// Every sum that the won deals can have, rising, with its chance.
fn sums(open: &[Deal]) -> Vec<(f64, f64)> {
    let mut sums = vec![(0.0, 1.0)];
    for deal in open {
        let lost = sums.iter().map(|(sum, chance)| (*sum, chance * (1.0 - deal.probability)));
        let won = sums.iter().map(|(sum, chance)| (sum + deal.amount, chance * deal.probability));
        sums = merged(lost, won, 2 * sums.len());
    }
    sums
}

/// Two rising lists as one; chances of one sum are added, and impossible sums left out.
fn merged(
    lost: impl Iterator<Item = (f64, f64)>,
    won: impl Iterator<Item = (f64, f64)>,
    most: usize,
) -> Vec<(f64, f64)> {
    let (mut lost, mut won) = (lost.peekable(), won.peekable());
    let mut all: Vec<(f64, f64)> = Vec::with_capacity(most);
    loop {
        let is_lost = match (lost.peek(), won.peek()) {
            (Some(a), Some(b)) => a.0 <= b.0,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return all,
        };
        let Some((sum, chance)) = (if is_lost { lost.next() } else { won.next() }) else {
            return all;
        };
        match all.last_mut() {
            _ if chance == 0.0 => {}
            Some(last) if last.0 == sum => last.1 += chance,
            _ => all.push((sum, chance)),
        }
    }
}

/// The least sum that is not exceeded with chance `q`.
fn quantile(sums: &[(f64, f64)], q: f64) -> f64 {
    let mut total = 0.0;
    for (sum, chance) in sums {
        total += chance;
        if total >= q - ROUNDING {
            return *sum;
        }
    }
    sums.last().map_or(0.0, |(sum, _)| *sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deals(pairs: &[(f64, f64)]) -> Vec<Deal> {
        pairs
            .iter()
            .map(|(amount, probability)| Deal { amount: *amount, probability: *probability })
            .collect()
    }

    #[test]
    fn three_deals_as_worked() {
        let mut open = deals(&[(100.0, 0.5), (200.0, 0.25), (50.0, 0.9)]);
        let done = outlook(300.0, &mut open, 0.8);
        assert_eq!((done.expected, done.lo, done.hi, done.best), (445.0, 350.0, 650.0, 650.0));
        assert!((done.sd - 101.12).abs() < 0.005 && (done.sd * done.sd - 10_225.0).abs() < 1e-9);
        let sums = sums(&open);
        assert_eq!(300.0 + quantile(&sums, 0.5), 450.0);
        let wanted = [0.0375, 0.3375, 0.0375, 0.3375, 0.0125, 0.1125, 0.0125, 0.1125];
        assert_eq!(sums.len(), wanted.len());
        for (place, ((sum, chance), wanted)) in sums.iter().zip(wanted).enumerate() {
            assert_eq!(*sum, 50.0 * place as f64);
            assert!((chance - wanted).abs() < 1e-15);
        }
    }

    #[test]
    fn certain_and_lost_deals() {
        let done = outlook(0.0, &mut deals(&[(100.0, 0.99), (200.0, 0.0)]), 0.8);
        assert_eq!((done.expected, done.lo, done.hi, done.best), (99.0, 100.0, 100.0, 300.0));
        let none = outlook(70.0, &mut [], 0.8);
        assert_eq!((none.expected, none.sd, none.lo, none.hi), (70.0, 0.0, 70.0, 70.0));
        let sure = outlook(0.0, &mut deals(&[(10.0, 1.0); 25]), 0.8);
        assert_eq!((sure.expected, sure.lo, sure.hi), (250.0, 250.0, 250.0));
    }

    #[test]
    fn many_deals_are_nearly_normal() {
        let pairs: Vec<(f64, f64)> =
            (0..20).map(|n| (100.0 + f64::from(n * n), 0.3 + 0.02 * f64::from(n))).collect();
        let exact = outlook(0.0, &mut deals(&pairs), 0.8);
        let half = normal::half_width(0.8) * exact.sd;
        assert!((exact.lo - (exact.expected - half)).abs() < 0.1 * half, "{exact:?}");
        assert!((exact.hi - (exact.expected + half)).abs() < 0.1 * half, "{exact:?}");
    }

    proptest! {
        #[test]
        fn the_interval_stays_within_what_can_happen(
            pairs in prop::collection::vec((0.0..1e6, 0.0..=1.0), 0..30), closed in 0.0..1e6,
            level in 0.01..0.99,
        ) {
            let done = outlook(closed, &mut deals(&pairs), level);
            let far = 1e-9 * done.best;
            prop_assert!(closed <= done.lo + far && done.lo <= done.hi);
            prop_assert!(done.hi <= done.best + far);
            let turned: Vec<(f64, f64)> = pairs.iter().rev().copied().collect();
            prop_assert_eq!(done, outlook(closed, &mut deals(&turned), level));
        }
    }
}
