//! Exponential smoothing: simple, with trend, with trend and season.
//!
//! Smoothing parameters minimise the sum of squared one-step errors, by a grid and then a search
//! that halves its step: deterministic, and good to three digits, which is more than they mean.

use super::simple::Fit;
use super::trend::line;

/// Bounds of every smoothing parameter.
const LOW: f64 = 1e-4;
const HIGH: f64 = 0.9999;
/// Step at which the search stops.
const STEP_MIN: f64 = 1e-3;

/// How level and season make a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Added.
    Additive,
    /// Multiplied.
    Multiplicative,
}

/// One-step errors, and the state after the last value.
struct Run {
    errors: Vec<f64>,
    level: f64,
    slope: f64,
    season: Vec<f64>,
    form: Form,
}

impl Run {
    /// The start of a smoothing without season.
    fn at(level: f64, slope: f64) -> Self {
        Self { errors: vec![], level, slope, season: vec![], form: Form::Additive }
    }
}

/// Smooths `series` from `start`; `weights` are those of level, slope and season.
fn run(series: &[f64], start: &Run, weights: [f64; 3]) -> Run {
    let [alpha, beta, gamma] = weights;
    let (mut level, mut slope) = (start.level, start.slope);
    let mut season = start.season.clone();
    let mut errors = Vec::with_capacity(series.len());
    for (t, value) in series.iter().enumerate() {
        let place = if season.is_empty() { 0 } else { t % season.len() };
        let seasonal = season.get(place).copied().unwrap_or(0.0);
        // What one unit of level and of the index is in the value.
        let (error, unit, weight) = match start.form {
            Form::Additive => (value - (level + slope + seasonal), 1.0, 1.0),
            Form::Multiplicative => (value - (level + slope) * seasonal, seasonal, level + slope),
        };
        errors.push(error);
        level += slope + alpha * error / unit;
        slope += beta * error / unit;
        if let Some(index) = season.get_mut(place) {
            *index += gamma * error / weight;
        }
    }
    Run { errors, level, slope, season, form: start.form }
}

/// Weights of the least squared error among those that `is_free` lets move; the rest stay zero.
fn search(series: &[f64], start: &Run, is_free: [bool; 3]) -> [f64; 3] {
    let cost = |weights: [f64; 3]| -> f64 {
        // A slope that moves faster than the level, or a season faster than what the level
        // leaves it, makes the smoothing unstable.
        if weights[1] > weights[0] || weights[2] > 1.0 - weights[0] {
            return f64::INFINITY;
        }
        run(series, start, weights).errors.iter().map(|e| e * e).sum()
    };
    let grid = |free: bool, points: &'static [f64]| if free { points } else { &[0.0][..] };
    let mut best = ([0.0; 3], f64::INFINITY);
    for alpha in [0.05, 0.2, 0.4, 0.6, 0.8, 0.95] {
        for beta in grid(is_free[1], &[LOW, 0.02, 0.1, 0.3]) {
            for gamma in grid(is_free[2], &[LOW, 0.05, 0.15, 0.4]) {
                let weights = [alpha, *beta, *gamma];
                let cost = cost(weights);
                if cost < best.1 {
                    best = (weights, cost);
                }
            }
        }
    }
    let mut step = 0.1;
    while step > STEP_MIN {
        let before = best.1;
        for place in (0..3).filter(|place| is_free[*place]) {
            for sign in [-1.0, 1.0] {
                let mut weights = best.0;
                weights[place] = (weights[place] + sign * step).clamp(LOW, HIGH);
                let cost = cost(weights);
                if cost < best.1 {
                    best = (weights, cost);
                }
            }
        }
        if best.1 >= before {
            step /= 2.0;
        }
    }
    best.0
}

/// Growth of the standard error: √(1 + Σ_{j<h} c_j²), c_j = α + β·j + γ·[j is whole seasons].
fn growth(weights: [f64; 3], season: usize, horizon: usize) -> Vec<f64> {
    let mut sum = 1.0;
    (1..=horizon)
        .map(|step| {
            let now = f64::sqrt(sum);
            let is_season = season > 0 && step % season == 0;
            let c =
                weights[0] + weights[1] * step as f64 + if is_season { weights[2] } else { 0.0 };
            sum += c * c;
            now
        })
        .collect()
}

fn fitted(
    series: &[f64],
    start: Run,
    is_free: [bool; 3],
    horizon: usize,
    parameters: usize,
) -> Fit {
    let weights = search(series, &start, is_free);
    let end = run(series, &start, weights);
    let count = series.len();
    let seasonal = |step: usize, trend: f64| match (end.season.len(), end.form) {
        (0, _) => trend,
        (length, Form::Additive) => trend + end.season[(count + step) % length],
        (length, Form::Multiplicative) => trend * end.season[(count + step) % length],
    };
    let forecasts = (0..horizon)
        .map(|step| seasonal(step, end.level + end.slope * (step + 1) as f64))
        .collect();
    let growth = growth(weights, end.season.len(), horizon);
    Fit { forecasts, errors: end.errors, parameters, growth }
}

/// Simple exponential smoothing: a level, started at the first value.
pub(super) fn ses(series: &[f64], horizon: usize) -> Fit {
    let start = Run::at(series[0], 0.0);
    let mut fit = fitted(series, start, [true, false, false], horizon, 1);
    // The first error is zero by the choice of the start and says nothing.
    fit.errors.remove(0);
    fit
}

/// Holt's linear trend: level and slope, started at a line through the first values.
pub(super) fn holt(series: &[f64], horizon: usize) -> Fit {
    let (level, slope) = line(&series[..series.len().min(8)]);
    let start = Run::at(level - slope, slope);
    fitted(series, start, [true, true, false], horizon, 4)
}

/// Holt and Winters, started at the first two seasons.
pub(super) fn holt_winters(series: &[f64], horizon: usize, season: usize, form: Form) -> Fit {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (first, second) = (mean(&series[..season]), mean(&series[season..2 * season]));
    let slope = (second - first) / season as f64;
    let middle = (season as f64 - 1.0) / 2.0;
    let level = first - slope * (middle + 1.0);
    let index = |t: usize| {
        let trend = level + slope * (t + 1) as f64;
        match form {
            Form::Additive => series[t] - trend,
            Form::Multiplicative => series[t] / trend,
        }
    };
    let mut indices: Vec<f64> =
        (0..season).map(|place| f64::midpoint(index(place), index(place + season))).collect();
    let balance = mean(&indices);
    let (level, slope) = match form {
        Form::Additive => {
            indices.iter_mut().for_each(|index| *index -= balance);
            (level + balance, slope)
        }
        Form::Multiplicative => {
            indices.iter_mut().for_each(|index| *index /= balance);
            (level * balance, slope * balance)
        }
    };
    let start = Run { level, slope, season: indices, form, errors: vec![] };
    fitted(series, start, [true, true, true], horizon, 3)
}
