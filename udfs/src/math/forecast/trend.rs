//! Members that follow level and trend of a series without season: Theta, Holt, damped Holt.

use super::search::{LANES, Lane, Space, least};

/// Least-squares line: its value at the first place, and its slope.
pub(super) fn line(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / count;
    let (mut above, mut below) = (0.0, 0.0);
    for (place, value) in values.iter().enumerate() {
        let offset = place as f64 - middle;
        above += offset * (value - mean);
        below += offset * offset;
    }
    let slope = if below > 0.0 { above / below } else { 0.0 };
    (mean - slope * middle, slope)
}

/// Theta: simple smoothing, and half the slope of the line through all values for each step.
///
/// Source: V. Assimakopoulos and K. Nikolopoulos (2000), in the form of R. J. Hyndman and
/// B. Billah (2003).
pub(super) fn theta(series: &[f64], horizon: usize) -> Vec<f64> {
    let slope = line(series).1 / 2.0;
    let (alpha, level) = smoothed(series);
    let start = (1.0 - (1.0 - alpha).powi(series.len() as i32)) / alpha;
    (0..horizon).map(|step| level + slope * (step as f64 + start)).collect()
}

/// Weight and last level of simple smoothing, started at the first value.
fn smoothed(series: &[f64]) -> (f64, f64) {
    const GRID: [[f64; 1]; 8] = [[0.05], [0.15], [0.3], [0.45], [0.6], [0.75], [0.88], [0.99]];
    let space = Space { low: [0.02], high: [0.999], step: [0.1], rounds: 4 };
    let [alpha] = least(&GRID, &space, |[alpha]| {
        let (mut level, mut cost): (Lane, Lane) = ([series[0]; LANES], [0.0; LANES]);
        for value in &series[1..] {
            for lane in 0..LANES {
                let error = value - level[lane];
                cost[lane] += error * error;
                level[lane] += alpha[lane] * error;
            }
        }
        cost
    });
    let last = series[1..].iter().fold(series[0], |level, value| level + alpha * (value - level));
    (alpha, last)
}

/// How Holt's trend goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trend {
    /// As it is.
    Linear,
    /// Less with each step.
    Damped,
}

/// Holt's linear trend, started at a line through the first ten values.
pub(super) fn holt(series: &[f64], horizon: usize, trend: Trend) -> Vec<f64> {
    let (first, slope) = line(&series[..series.len().min(10)]);
    let start = (first - slope, slope);
    let (low, high) = match trend {
        Trend::Linear => (1.0, 1.0),
        Trend::Damped => (0.8, 0.98),
    };
    let mut grid = Vec::with_capacity(40);
    for alpha in [0.05, 0.2, 0.4, 0.6, 0.8, 0.95] {
        for share in [0.01, 0.1, 0.35] {
            let dampings: &[f64] = if low < high { &[0.85, 0.95] } else { &[1.0] };
            grid.extend(dampings.iter().map(|damping| [alpha, share, *damping]));
        }
    }
    let space = Space {
        low: [0.01, 0.0001, low],
        high: [0.999, 1.0, high],
        step: [0.1, 0.1, 0.04],
        rounds: 6,
    };
    let best = least(&grid, &space, |weights| costs(series, start, weights));
    let (mut level, mut slope) = start;
    let [alpha, share, damping] = best;
    for value in series {
        let ahead = level + damping * slope;
        let error = value - ahead;
        level = ahead + alpha * error;
        slope = damping * slope + alpha * share * error;
    }
    let mut reach = 0.0;
    let mut weight = 1.0;
    (0..horizon)
        .map(|_| {
            weight *= damping;
            reach += weight;
            level + reach * slope
        })
        .collect()
}

/// Squared one-step errors of damped Holt; weights of level, of slope (a share of it), damping.
fn costs(series: &[f64], start: (f64, f64), [alpha, share, damping]: &[Lane; 3]) -> Lane {
    let mut level: Lane = [start.0; LANES];
    let mut slope: Lane = [start.1; LANES];
    let mut cost: Lane = [0.0; LANES];
    let beta: Lane = std::array::from_fn(|lane| alpha[lane] * share[lane]);
    for value in series {
        for lane in 0..LANES {
            let trend = damping[lane] * slope[lane];
            let error = value - (level[lane] + trend);
            cost[lane] += error * error;
            level[lane] += trend + alpha[lane] * error;
            slope[lane] = trend + beta[lane] * error;
        }
    }
    cost
}
