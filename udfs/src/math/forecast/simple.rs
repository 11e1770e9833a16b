//! Methods with intervals of their own: √(Σe²/(n−K)) times the growth of the error with the step.

use super::smoothing;

/// A method fitted to a series.
pub(super) struct Fit {
    /// Forecasts, one a step.
    pub forecasts: Vec<f64>,
    /// One-step errors over the history.
    pub errors: Vec<f64>,
    /// Parameters estimated.
    pub parameters: usize,
    /// Growth of the standard error, one a step.
    pub growth: Vec<f64>,
}

impl Fit {
    /// Standard deviation of the one-step errors; unknown without a spare error.
    pub(super) fn deviation(&self) -> Option<f64> {
        let squares: f64 = self.errors.iter().map(|e| e * e).sum();
        let spare = self.errors.len().checked_sub(self.parameters).filter(|n| *n > 0);
        match spare {
            Some(spare) => Some((squares / spare as f64).sqrt()),
            None if !self.errors.is_empty() && squares == 0.0 => Some(0.0),
            None => None,
        }
    }
}

fn steps(horizon: usize) -> impl Iterator<Item = f64> {
    (1..=horizon).map(|step| step as f64)
}

pub(super) fn naive(series: &[f64], horizon: usize) -> Fit {
    Fit {
        forecasts: vec![series[series.len() - 1]; horizon],
        errors: series.windows(2).map(|pair| pair[1] - pair[0]).collect(),
        parameters: 0,
        growth: steps(horizon).map(f64::sqrt).collect(),
    }
}

pub(super) fn drift(series: &[f64], horizon: usize) -> Fit {
    let spans = (series.len() - 1) as f64;
    let last = series[series.len() - 1];
    let slope = (last - series[0]) / spans;
    Fit {
        forecasts: steps(horizon).map(|h| last + slope * h).collect(),
        errors: series.windows(2).map(|pair| pair[1] - pair[0] - slope).collect(),
        parameters: 1,
        growth: steps(horizon).map(|h| (h * (1.0 + h / spans)).sqrt()).collect(),
    }
}

pub(super) fn mean(series: &[f64], horizon: usize) -> Fit {
    let count = series.len() as f64;
    let middle = series.iter().sum::<f64>() / count;
    Fit {
        forecasts: vec![middle; horizon],
        errors: series.iter().map(|value| value - middle).collect(),
        parameters: 1,
        growth: vec![(1.0 + 1.0 / count).sqrt(); horizon],
    }
}

/// One season before; with `is_drifting`, plus the mean change over a season for each season ahead.
pub(super) fn seasonal_naive(
    series: &[f64],
    horizon: usize,
    season: usize,
    is_drifting: bool,
) -> Fit {
    let count = series.len();
    let changes: Vec<f64> = (season..count).map(|t| series[t] - series[t - season]).collect();
    let change = match is_drifting {
        true => changes.iter().sum::<f64>() / changes.len() as f64,
        false => 0.0,
    };
    let seasons_ahead = |step: usize| (step / season + 1) as f64;
    Fit {
        forecasts: (0..horizon)
            .map(|step| series[count - season + step % season] + change * seasons_ahead(step))
            .collect(),
        errors: changes.iter().map(|e| e - change).collect(),
        parameters: usize::from(is_drifting),
        growth: (0..horizon).map(|step| seasons_ahead(step).sqrt()).collect(),
    }
}

/// Least squares of a line and an index for each place in the season.
///
/// The slope is that of the values less the mean of their place in the season.
pub(super) fn linear_season(series: &[f64], horizon: usize, season: usize) -> Fit {
    let count = series.len();
    let mut means = vec![(0.0, 0.0, 0.0); season];
    for (t, value) in series.iter().enumerate() {
        let (number, times, values) = &mut means[t % season];
        *number += 1.0;
        *times += t as f64;
        *values += value;
    }
    let centre = |t: usize| {
        let (number, times, values) = means[t % season];
        (times / number, values / number)
    };
    let (mut above, mut below) = (0.0, 0.0);
    for (t, value) in series.iter().enumerate() {
        let (time, mean) = centre(t);
        above += (t as f64 - time) * (value - mean);
        below += (t as f64 - time).powi(2);
    }
    let slope = if below > 0.0 { above / below } else { 0.0 };
    let at = |t: usize| {
        let (time, mean) = centre(t);
        mean + slope * (t as f64 - time)
    };
    // Variance of a new value: its own, that of its place's mean, and that of the slope.
    let growth = |step: usize| {
        let (number, times, _) = means[(count + step) % season];
        let away = (count + step) as f64 - times / number;
        (1.0 + 1.0 / number + away * away / below).sqrt()
    };
    let mut widest = 0.0_f64;
    Fit {
        forecasts: (0..horizon).map(|step| at(count + step)).collect(),
        errors: series.iter().enumerate().map(|(t, value)| value - at(t)).collect(),
        parameters: season + 1,
        // Places with a value more are known a little better: the interval does not shrink for it.
        growth: (0..horizon)
            .map(|step| {
                widest = widest.max(growth(step));
                widest
            })
            .collect(),
    }
}

/// Holt-Winters with an additive or a multiplicative season.
///
/// The start uses up the first two seasons: with no more values than those the errors say nothing,
/// and the interval is that of the seasonal naive with drift.
pub(super) fn holt_winters(
    series: &[f64],
    horizon: usize,
    season: usize,
    form: smoothing::Form,
) -> Fit {
    let fit = smoothing::holt_winters(series, horizon, season, form);
    if series.len() >= 2 * season + 2 {
        return fit;
    }
    let plain = seasonal_naive(series, horizon, season, true);
    Fit { forecasts: fit.forecasts, ..plain }
}
