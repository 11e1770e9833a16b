//! Sums that do not depend on the order of what is added.

use super::Fault;
use super::power::WHOLE;

/// Binary places behind the point: steps of 1e-12, up to 1e26.
const SCALE: f64 = 1_099_511_627_776.0;
/// Largest number that may be added.
const LARGEST: f64 = 1e18;

/// A sum in fixed point: the same bits whatever the order, so that scores do not depend on how
/// rows are batched or spread over threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum(pub i128);

impl Sum {
    /// Adds `value`, called `name` should it be too large.
    ///
    /// # Errors
    /// A value that is not finite or beyond 1e18.
    #[inline]
    pub fn add(&mut self, name: &str, value: f64) -> Result<(), Fault> {
        self.put(name, self.0.checked_add(fixed(name, value)?))
    }

    /// Takes `value` away again.
    ///
    /// # Errors
    /// As [`Sum::add`].
    pub fn subtract(&mut self, name: &str, value: f64) -> Result<(), Fault> {
        self.put(name, self.0.checked_sub(fixed(name, value)?))
    }

    #[inline]
    fn put(&mut self, name: &str, sum: Option<i128>) -> Result<(), Fault> {
        self.0 = sum.ok_or_else(|| Fault(format!("{name} adds up to more than can be held")))?;
        Ok(())
    }

    /// Adds what another sum holds.
    pub fn merge(&mut self, other: i128) {
        self.0 = self.0.saturating_add(other);
    }

    /// The sum as a float.
    pub fn value(self) -> f64 {
        self.0 as f64 / SCALE
    }
}

/// Largest number whose steps fit into 64 bits, with room to round.
const SMALL: f64 = 4_194_303.0;

/// Below this a number of steps is rounded by adding [`WHOLE`].
const QUICK: f64 = 2_251_799_813_685_248.0;

/// Steps of `value`, the even ones at a half; at most [`SMALL`] is right.
#[inline]
fn small(value: f64) -> i64 {
    let steps = value * SCALE;
    if steps.abs() < QUICK { whole(steps) } else { steps.round_ties_even() as i64 }
}

/// Steps of a `value` within two thousand, without a branch.
#[inline(always)]
pub(crate) fn few_steps(value: f64) -> i64 {
    whole(value * SCALE)
}

#[inline(always)]
fn whole(steps: f64) -> i64 {
    (steps + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits()) as i64
}

#[inline]
fn fixed(name: &str, value: f64) -> Result<i128, Fault> {
    if value.abs() <= SMALL {
        return Ok(i128::from(small(value)));
    }
    if value.abs() <= LARGEST {
        return Ok((value * SCALE).round() as i128);
    }
    Err(Fault(format!("{name} must be within 1e18, got {value}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn order_does_not_matter(mut values in prop::collection::vec(-1e12..1e12, 0..50)) {
            let sum = |values: &[f64]| {
                let mut sum = Sum::default();
                values.iter().for_each(|v| sum.add("x", *v).expect("in range"));
                sum
            };
            let forward = sum(&values);
            values.reverse();
            prop_assert_eq!(forward, sum(&values));
            let plain: f64 = values.iter().sum();
            let size: f64 = values.iter().map(|v| v.abs()).sum();
            prop_assert!((forward.value() - plain).abs() <= 1e-12 * (1.0 + size));
        }
    }

    proptest! {
        #[test]
        fn quick_steps_are_the_same(value in -2_047.0..2_047.0) {
            prop_assert_eq!(few_steps(value), small(value));
            prop_assert_eq!(small(value), (value * SCALE).round_ties_even() as i64);
            prop_assert_eq!(small(value * 2e3), (value * 2e3 * SCALE).round_ties_even() as i64);
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for value in [f64::NAN, f64::INFINITY, 1e300] {
            assert!(Sum::default().add("points", value).is_err());
        }
    }
}
