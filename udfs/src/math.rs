//! The arithmetic, on plain numbers: no Arrow, no engine, no clock.

pub mod assign;
pub mod capacity;
pub mod commission;
pub mod company;
pub mod exact;
pub mod fiscal;
pub mod forecast;
pub mod growth;
pub mod identity;
pub mod model;
pub mod money;
pub mod normal;
pub mod period;
pub mod pipeline;
pub mod power;
pub mod rate;
pub mod score;
pub mod spread;
pub mod wide;

/// What is wrong with an argument, to be shown after the name of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(pub String);

/// A number, NULL (`None`), or a fault.
pub type Answer = Result<Option<f64>, Fault>;

/// `value`, if it lies from `low` to `high`.
pub(crate) fn within(name: &str, value: f64, low: f64, high: f64) -> Result<f64, Fault> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(Fault(format!("{name} must be from {low} to {high}, got {value}")))
}

/// `value`, if it is above zero.
pub(crate) fn positive(name: &str, value: f64) -> Result<f64, Fault> {
    if value > 0.0 { Ok(value) } else { Err(Fault(format!("{name} must be above 0, got {value}"))) }
}

/// `value`, if it is zero or more.
pub(crate) fn not_negative(name: &str, value: f64) -> Result<f64, Fault> {
    if value >= 0.0 {
        Ok(value)
    } else {
        Err(Fault(format!("{name} must not be negative, got {value}")))
    }
}

/// `dividend / divisor`, unknown where the divisor is zero.
pub(crate) fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    (divisor != 0.0).then(|| dividend / divisor)
}
