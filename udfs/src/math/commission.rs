//! Commissions by tiers of attainment, exact to the cent.
//!
//! Source: tiered commission plans, marginal (as tax brackets) or cliff (retroactive).

use super::Fault;
use super::money::{Cents, Micros, divided};

/// How tiers pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Each slice at the rate of its own tier.
    Marginal,
    /// Everything at the rate of the tier that was reached.
    Cliff,
}

impl Method {
    /// The method called `name`.
    ///
    /// # Errors
    /// Another name.
    pub fn parse(name: &str) -> Result<Self, Fault> {
        match name {
            "marginal" => Ok(Self::Marginal),
            "cliff" => Ok(Self::Cliff),
            other => Err(Fault(format!("method must be marginal or cliff, got \"{other}\""))),
        }
    }
}

/// Attainments are held in millionths, rates in thousand-millionths.
const ATTAINMENT_STEPS: f64 = 1e6;
const RATE_STEPS: f64 = 1e9;
/// Highest attainment at which a tier may begin.
const FROM_MAX: f64 = 1e3;

/// A tier: attainment at which it begins (millionths), and its rate (thousand-millionths).
type Tier = (i128, i128);

fn checked(tiers: &[(f64, f64)]) -> Result<Vec<Tier>, Fault> {
    if tiers.is_empty() {
        return Err(Fault("tiers must have at least one tier".into()));
    }
    let mut before = -1.0;
    for (from, rate) in tiers {
        if !(0.0..=FROM_MAX).contains(from) {
            let message = format!("tiers must begin at attainments from 0 to 1000, got {from}");
            return Err(Fault(message));
        }
        if !(0.0..=1.0).contains(rate) {
            return Err(Fault(format!("tiers must have rates from 0 to 1, got {rate}")));
        }
        if *from <= before {
            let message = format!("tiers must begin at rising attainments, got {from}");
            return Err(Fault(message));
        }
        before = *from;
    }
    let steps = |value: f64, steps: f64| (value * steps).round() as i128;
    Ok(tiers.iter().map(|(f, r)| (steps(*f, ATTAINMENT_STEPS), steps(*r, RATE_STEPS))).collect())
}

/// What `total` of credited bookings pays in all, in 1e-21 of a unit.
///
/// `total` and `quota` are in millionths. Below zero the first tier's rate holds, so that a clawback
/// takes back what was paid.
fn paid(total: i128, quota: i128, tiers: &[Tier], method: Method) -> i128 {
    let total = total * ATTAINMENT_STEPS as i128;
    let starts = |tier: &Tier| quota * tier.0;
    let first = if tiers[0].0 == 0 { tiers[0].1 } else { 0 };
    if total < 0 {
        return total * first;
    }
    if method == Method::Cliff {
        let reached = tiers.iter().rev().find(|tier| starts(tier) <= total);
        return total * reached.map_or(0, |tier| tier.1);
    }
    let mut sum = 0;
    for (place, tier) in tiers.iter().enumerate() {
        let end = tiers.get(place + 1).map_or(total, |next| starts(next).min(total));
        sum += (end - starts(tier)).max(0) * tier.1;
    }
    sum
}

/// Commission on `credited` bookings after `prior` ones of the same period; NULL for a quota of 0.
///
/// `tiers` are pairs of the attainment at which a tier begins and its rate; `cap` is the most that
/// the period pays in all.
///
/// # Errors
/// A negative quota or cap; no tiers, or tiers that do not rise, or rates outside 0 to 1.
pub fn commission(
    credited: Micros,
    quota: Micros,
    prior: Micros,
    tiers: &[(f64, f64)],
    method: Method,
    cap: Option<Micros>,
) -> Result<Option<Cents>, Fault> {
    let tiers = checked(tiers)?;
    if quota.0 < 0 {
        return Err(Fault("quota must not be negative".into()));
    }
    if cap.is_some_and(|cap| cap.0 < 0) {
        return Err(Fault("cap must not be negative".into()));
    }
    if quota.0 == 0 {
        return Ok(None);
    }
    // 1e-21 of a unit: millionths, times attainment steps, times rate steps.
    let limit = cap.map_or(i128::MAX, |cap| cap.0.saturating_mul(1_000_000_000_000_000));
    let upto = |total: i128| paid(total, quota.0, &tiers, method).min(limit);
    let due = upto(prior.0 + credited.0) - upto(prior.0);
    Ok(Some(Cents(divided(due, 10_000_000_000_000_000_000))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIERS: [(f64, f64); 4] = [(0.0, 0.0), (0.5, 0.08), (1.0, 0.12), (1.25, 0.15)];

    fn pay(credited: f64, quota: f64, prior: f64, method: Method, cap: Option<f64>) -> i128 {
        let money = |value: f64| Micros::of_float("x", value).expect("in range");
        commission(money(credited), money(quota), money(prior), &TIERS, method, cap.map(money))
            .expect("in range")
            .expect("a quota")
            .0
    }

    #[test]
    fn worked_numbers() {
        assert_eq!(pay(325e3, 250e3, 0.0, Method::Marginal, None), 1_937_500);
        assert_eq!(pay(325e3, 250e3, 0.0, Method::Cliff, None), 4_875_000);
        // In two deals the same in all.
        let first = pay(200e3, 250e3, 0.0, Method::Marginal, None);
        assert_eq!(first + pay(125e3, 250e3, 200e3, Method::Marginal, None), 1_937_500);
        assert_eq!(pay(325e3, 250e3, 0.0, Method::Marginal, Some(15e3)), 1_500_000);
        assert_eq!(pay(10e3, 250e3, 325e3, Method::Marginal, Some(15e3)), 0);
    }

    #[test]
    fn a_clawback_takes_back_what_was_paid() {
        assert_eq!(pay(-125e3, 250e3, 325e3, Method::Marginal, None), 600_000 - 1_937_500);
    }

    #[test]
    fn plans_that_make_no_sense_are_refused() {
        let of = |tiers: &[(f64, f64)]| {
            commission(Micros(1), Micros(1), Micros(0), tiers, Method::Marginal, None)
        };
        for tiers in [&[][..], &[(0.5, 0.1), (0.5, 0.2)], &[(0.0, 15.0)], &[(-1.0, 0.1)]] {
            assert!(of(tiers).is_err(), "{tiers:?}");
        }
        assert!(Method::parse("retro").is_err());
    }

    proptest! {
        #[test]
        fn slices_add_up_and_more_never_pays_less(
            cents in prop::collection::vec(0_i64..1_000_000_000, 1..8),
            quota in 1_i64..1_000_000_000,
        ) {
            let money = |cents: i64| Micros(i128::from(cents) * 10_000);
            let (mut prior, mut sum) = (0, 0);
            for amount in &cents {
                let slice = commission(
                    money(*amount), money(quota), money(prior), &TIERS, Method::Marginal, None,
                );
                sum += slice.expect("in range").expect("a quota").0;
                prior += amount;
            }
            let whole = commission(
                money(prior), money(quota), Micros(0), &TIERS, Method::Marginal, None,
            );
            let whole = whole.expect("in range").expect("a quota").0;
            // Each slice is rounded to the cent by itself.
            prop_assert!((whole - sum).abs() <= cents.len() as i128);
            prop_assert!(sum >= 0);
        }
    }
}
