//! Intervals from what a method missed at past origins: no assumption on the method.
//!
//! Half-width at step h = τ · s · h^γ. s is the root mean square of the misses divided by step^γ;
//! γ, the growth with the horizon, is halfway between what the misses show and 0.6; τ is Student's
//! quantile with a quarter as many degrees of freedom as there are origins, for misses of
//! neighbouring origins are nearly the same.

use crate::math::normal;

/// What was missed (value less forecast): by origin, the last origin first, then by step.
#[derive(Debug, Default)]
pub(super) struct Misses(pub Vec<Vec<f64>>);

/// Growth of the error where the misses do not tell.
const GROWTH: f64 = 0.6;
/// Least misses of a step to learn its growth from.
const MISSES_MIN: usize = 4;

/// Misses of `ahead(history, steps)` from up to `most` past origins, none with less than `fewest`
/// values before it.
pub(super) fn misses(
    series: &[f64],
    most: usize,
    fewest: usize,
    steps: usize,
    ahead: impl Fn(&[f64], usize) -> Vec<f64>,
) -> Misses {
    let origins = most.min(series.len().saturating_sub(fewest));
    let missed = (1..=origins).map(|back| {
        let (history, actual) = series.split_at(series.len() - back);
        let middle = ahead(history, back.min(steps));
        actual.iter().zip(middle).map(|(actual, middle)| actual - middle).collect()
    });
    Misses(missed.collect())
}

impl Misses {
    /// Half-widths of the interval of chance `level`, one a step; `None` without a miss.
    pub(super) fn half_widths(&self, horizon: usize, level: f64) -> Option<Vec<f64>> {
        let growth = self.growth();
        let (mut squares, mut weights) = (0.0, 0.0);
        for (step, miss) in self.0.iter().flat_map(|row| row.iter().enumerate()) {
            let step = (step + 1) as f64;
            // Misses many steps ahead overlap more: they count for less.
            let weight = step.sqrt().recip();
            squares += weight * (miss / step.powf(growth)).powi(2);
            weights += weight;
        }
        if weights == 0.0 {
            return None;
        }
        let freedom = (self.0.len() as f64 / 4.0).max(3.0);
        let width = (squares / weights).sqrt() * student(normal::half_width(level), freedom);
        Some((1..=horizon).map(|step| width * (step as f64).powf(growth)).collect())
    }

    /// Mean absolute miss; `None` without a miss.
    pub(super) fn mean(&self) -> Option<f64> {
        let count = self.0.iter().map(Vec::len).sum::<usize>();
        let sum: f64 = self.0.iter().flatten().map(|miss| miss.abs()).sum();
        (count > 0).then(|| sum / count as f64)
    }

    /// γ: the slope of log root mean square miss on log step, by least squares, half trusted.
    fn growth(&self) -> f64 {
        let steps = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let points: Vec<[f64; 3]> = (1..=steps)
            .filter_map(|step| {
                let at: Vec<f64> =
                    self.0.iter().filter_map(|row| row.get(step - 1)).copied().collect();
                let square = at.iter().map(|miss| miss * miss).sum::<f64>() / at.len() as f64;
                let is_told = at.len() >= MISSES_MIN && square > 0.0;
                is_told.then(|| [at.len() as f64, (step as f64).ln(), square.ln() / 2.0])
            })
            .collect();
        if points.len() < 3 {
            return GROWTH;
        }
        let total: f64 = points.iter().map(|[weight, ..]| weight).sum();
        let middle = points.iter().map(|[weight, x, _]| weight * x).sum::<f64>() / total;
        let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), [weight, x, y]| {
            (above + weight * (x - middle) * y, below + weight * (x - middle).powi(2))
        });
        (f64::midpoint(above / below, GROWTH)).clamp(0.2, 1.0)
    }
}

/// Student's quantile for `freedom` degrees of freedom (3 or more) at the chance where the
/// normal's is `z`.
///
/// Source: M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 26.7.5.
pub(super) fn student(z: f64, freedom: f64) -> f64 {
    let square = z * z;
    let first = (square + 1.0) * z / 4.0;
    let second = ((5.0 * square + 16.0) * square + 3.0) * z / 96.0;
    let third = (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) * z / 384.0;
    z + (first + (second + third / freedom) / freedom) / freedom
}
