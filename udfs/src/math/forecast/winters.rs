//! A member with level, damped trend and additive season in one: damped Holt-Winters.

use super::search::{LANES, Lane, Space, least};
use super::trend::line;

/// Level, slope and season before the first value.
struct Start {
    level: f64,
    slope: f64,
    season: Vec<f64>,
}

/// Damped Holt-Winters with an additive season of `first.len()` steps, whose indices start at
/// `first`.
///
/// On logarithms the season is multiplicative.
pub(super) fn winters(series: &[f64], horizon: usize, first: &[f64]) -> Vec<f64> {
    let season = first.len();
    let early: Vec<f64> = (series.iter().zip(first.iter().cycle()))
        .take((2 * season).max(10))
        .map(|(value, index)| value - index)
        .collect();
    let (level, slope) = line(&early);
    let start = Start { level: level - slope, slope, season: first.to_vec() };
    let mut grid = Vec::with_capacity(48);
    for alpha in [0.05, 0.2, 0.45, 0.75] {
        for share in [0.01, 0.15] {
            for gamma in [0.02, 0.15, 0.4] {
                grid.extend([0.9, 0.98].map(|damping| [alpha, share, gamma, damping]));
            }
        }
    }
    let space = Space {
        low: [0.01, 0.0001, 0.0001, 0.8],
        high: [0.99, 1.0, 1.0, 0.995],
        step: [0.12, 0.1, 0.1, 0.03],
        rounds: 6,
    };
    let best = least(&grid, &space, |weights| costs(series, &start, weights));
    ahead(series, horizon, start, best)
}

/// Squared one-step errors. The season's weight is a share of what the level leaves it.
fn costs(series: &[f64], start: &Start, weights: &[Lane; 4]) -> Lane {
    let [alpha, share, gamma, damping] = weights;
    let mut level: Lane = [start.level; LANES];
    let mut slope: Lane = [start.slope; LANES];
    let mut cost: Lane = [0.0; LANES];
    let beta: Lane = std::array::from_fn(|lane| alpha[lane] * share[lane]);
    let gamma: Lane = std::array::from_fn(|lane| gamma[lane] * (1.0 - alpha[lane]));
    let mut season: Vec<Lane> = start.season.iter().map(|index| [*index; LANES]).collect();
    for cycle in series.chunks(season.len()) {
        for (value, index) in cycle.iter().zip(&mut season) {
            for lane in 0..LANES {
                let trend = damping[lane] * slope[lane];
                let error = value - (level[lane] + trend + index[lane]);
                cost[lane] += error * error;
                level[lane] += trend + alpha[lane] * error;
                slope[lane] = trend + beta[lane] * error;
                index[lane] += gamma[lane] * error;
            }
        }
    }
    cost
}

fn ahead(series: &[f64], horizon: usize, start: Start, weights: [f64; 4]) -> Vec<f64> {
    let [alpha, share, gamma, damping] = weights;
    let Start { mut level, mut slope, mut season } = start;
    let length = season.len();
    for (place, value) in series.iter().enumerate() {
        let index = &mut season[place % length];
        let trend = damping * slope;
        let error = value - (level + trend + *index);
        level += trend + alpha * error;
        slope = trend + alpha * share * error;
        *index += gamma * (1.0 - alpha) * error;
    }
    let (mut reach, mut weight) = (0.0, 1.0);
    (0..horizon)
        .map(|step| {
            weight *= damping;
            reach += weight;
            level + reach * slope + season[(series.len() + step) % length]
        })
        .collect()
}
