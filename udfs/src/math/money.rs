//! Exact amounts: integers of a millionth of a unit of currency, rounded once, at the end.

use super::Fault;

/// Largest amount: 1e15 units.
const LARGEST: i128 = 1_000_000_000_000_000_000_000;
const MICROS: f64 = 1e6;

/// An amount in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub i128);

/// An amount in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cents(pub i128);

impl Micros {
    /// The amount that `digits` with `scale` places behind the point are; half a millionth goes
    /// away from zero.
    ///
    /// # Errors
    /// An amount beyond 1e15.
    pub fn of_decimal(name: &str, digits: i128, scale: i8) -> Result<Self, Fault> {
        let places = i32::from(scale) - 6;
        let power = 10_i128.checked_pow(places.unsigned_abs()).unwrap_or(i128::MAX);
        let micros = match places > 0 {
            true => Some(divided(digits, power)),
            false => digits.checked_mul(power),
        };
        match micros.filter(|micros| micros.abs() <= LARGEST) {
            Some(micros) => Ok(Self(micros)),
            None => Err(Fault(format!("{name} must be within 1e15"))),
        }
    }

    /// The amount that `value` is, to the nearest millionth.
    ///
    /// # Errors
    /// A value that is not finite or beyond 1e15.
    pub fn of_float(name: &str, value: f64) -> Result<Self, Fault> {
        match value.abs() <= 1e15 {
            true => Ok(Self((value * MICROS).round() as i128)),
            false => Err(Fault(format!("{name} must be finite and within 1e15, got {value}"))),
        }
    }
}

/// `dividend / divisor` to the nearest whole, half away from zero; `divisor` above zero.
pub fn divided(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let is_up = rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
    quotient + if is_up { dividend.signum() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_away_from_zero() {
        for (dividend, divisor, wanted) in
            [(5, 10, 1), (-5, 10, -1), (4, 10, 0), (14, 5, 3), (12, 5, 2), (7, 1, 7), (0, 3, 0)]
        {
            assert_eq!(divided(dividend, divisor), wanted, "{dividend} / {divisor}");
        }
    }

    #[test]
    fn decimals_and_floats_are_the_same_amount() {
        assert_eq!(Micros::of_decimal("a", 123_456, 2), Ok(Micros(1_234_560_000)));
        assert_eq!(Micros::of_float("a", 1_234.56), Ok(Micros(1_234_560_000)));
        assert_eq!(Micros::of_decimal("a", 15, 7), Ok(Micros(2)));
        assert!(Micros::of_decimal("a", i128::MAX, 0).is_err());
        assert!(Micros::of_float("a", f64::NAN).is_err());
        assert!(Micros::of_float("a", 1e300).is_err());
    }
}
