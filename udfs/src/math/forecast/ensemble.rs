//! The ensemble: members on two scales, weighted by how they did from past origins.
//!
//! A member is fitted to the values as they are and, where all are positive, to their logarithms.
//! At each of the last origins every candidate foretells what is already known; its mean absolute
//! error ε there gives its weight, w = (1 / ε̄)⁴ · (1 / ε)²; ε̄ is the mean error of its scale.
//! The errors of the weighted forecast from the same origins give the interval
//! ([`super::conformal`]).

use super::conformal::Misses;
use super::method::Method;
use super::stl::Stl;
use super::trend::{Trend, holt, theta};
use super::{autoregression, season, simple, winters};

/// Most origins to go back to; weights look at the last of them only.
pub(super) const ORIGINS_MAX: usize = 18;
pub(super) const ORIGINS_OF_WEIGHTS: usize = 12;
/// On logarithms no forecast goes beyond so many times the largest value.
const GROWTH_MAX: f64 = 4.0;
/// Logarithms change little where the largest value is within this of the smallest.
const RATIO_MIN: f64 = 1.15;
/// Members on one scale.
const MEMBERS: usize = 6;

/// Forecasts of all members on one scale.
type Members = [Vec<f64>; MEMBERS];

/// Steps ahead that origins look, whatever the horizon: a longer forecast begins like a shorter.
pub(super) fn steps_seen(season: usize) -> usize {
    season.clamp(6, 12)
}

/// Fewest values before an origin: half of the `count` there are, and more than a season.
pub(super) fn fewest(count: usize, season: usize) -> usize {
    let seasons = if season > 1 { season + 1 } else { 0 };
    seasons.max(count - count / 2).min(count)
}

/// What the ensemble says.
pub(super) struct Ensemble {
    /// What it comes to: below two seasons, the last season with drift.
    pub method: Method,
    /// Forecasts, one a step.
    pub values: Vec<f64>,
    /// What it missed from past origins.
    pub misses: Misses,
    /// Steps in the season that was found, or 1.
    pub season: usize,
}

/// Forecasts `horizon` steps of `series` (six values at least) with a season of `season` steps, if
/// there is one, after going back to `most` origins.
pub(super) fn ensemble(series: &[f64], horizon: usize, season: usize, most: usize) -> Ensemble {
    let season = if season::is_seasonal(series, season) { season } else { 1 };
    let largest = series.iter().fold(0.0_f64, |most, value| most.max(*value));
    let least = series.iter().fold(f64::INFINITY, |least, value| least.min(*value));
    let has_logs = least > 0.0 && largest > RATIO_MIN * least;
    let logs: Vec<f64> =
        if has_logs { series.iter().map(|value| value.ln()).collect() } else { vec![] };
    let candidates = |series: &[f64], steps: usize| -> Vec<Vec<f64>> {
        let stl = Stl::new(series.len(), season);
        let mut all = Vec::from(members(series, steps, season, stl.as_ref()));
        if let Some(logs) = logs.get(..series.len()) {
            let limit = GROWTH_MAX * series.iter().fold(0.0_f64, |most, value| most.max(*value));
            all.extend(members(logs, steps, season, stl.as_ref()).map(|mut values| {
                values.iter_mut().for_each(|value| *value = value.exp().min(limit));
                values
            }));
        }
        all
    };
    let now = candidates(series, horizon);
    let origins = (series.len() - fewest(series.len(), season)).min(most);
    let past: Vec<Vec<Vec<f64>>> = (1..=origins)
        .map(|back| candidates(&series[..series.len() - back], back.min(steps_seen(season))))
        .collect();
    let weights = weights(series, &now, &past);
    let misses = past.iter().enumerate().map(|(place, candidates)| {
        let actual = &series[series.len() - place - 1..];
        actual.iter().zip(weighted(candidates, &weights)).map(|(a, f)| a - f).collect()
    });
    let misses = Misses(misses.collect());
    let is_short = series.len() < 2 * season;
    let method = if is_short { Method::SeasonalNaiveDrift } else { Method::Ensemble };
    Ensemble { method, values: weighted(&now, &weights), misses, season }
}

/// Theta, damped Holt, Holt, autoregression, Holt-Winters, seasonal autoregression.
///
/// Without a season damped Holt and autoregression stand for the last two.
fn members(series: &[f64], horizon: usize, season: usize, stl: Option<&Stl>) -> Members {
    if season > 1 && stl.is_none() {
        // No member tells season from trend in less than two seasons.
        let last = simple::seasonal_naive(series, horizon, season, true).forecasts;
        return std::array::from_fn(|_| last.clone());
    }
    let order = if season >= 12 { 6 } else { 4 };
    let adjusted = stl.map(|stl| season::adjusted(series, stl, season, horizon));
    let rest = adjusted.as_ref().map_or(series, |adjusted| &adjusted.series);
    let mut plain = [
        theta(rest, horizon),
        holt(rest, horizon, Trend::Damped),
        holt(rest, horizon, Trend::Linear),
        autoregression::on_changes(rest, horizon, order),
    ];
    let mut seasonal = None;
    if let Some(adjusted) = &adjusted {
        for values in &mut plain {
            values.iter_mut().zip(&adjusted.ahead).for_each(|(value, index)| *value += index);
        }
        let winters = winters::winters(series, horizon, &adjusted.first);
        seasonal = Some((winters, autoregression::on_seasons(series, horizon, season)));
    }
    let [theta, damped, holt, changes] = plain;
    let (winters, on_seasons) = seasonal.unwrap_or((damped.clone(), None));
    let on_seasons = on_seasons.unwrap_or_else(|| changes.clone());
    [theta, damped, holt, changes, winters, on_seasons]
}

/// Weights of the candidates, of sum 1: those that missed less from the last origins weigh more.
fn weights(series: &[f64], now: &[Vec<f64>], past: &[Vec<Vec<f64>>]) -> Vec<f64> {
    let count = now.len();
    let mut errors = vec![0.0; count];
    for (place, candidates) in past.iter().take(ORIGINS_OF_WEIGHTS).enumerate() {
        let actual = &series[series.len() - place - 1..];
        for (error, values) in errors.iter_mut().zip(candidates) {
            for (step, (value, actual)) in values.iter().zip(actual).enumerate() {
                // Steps far ahead miss by more: all steps count alike.
                *error += (value - actual).abs() / ((step + 1) as f64).powf(0.6);
            }
        }
    }
    for (error, values) in errors.iter_mut().zip(now) {
        if !values.iter().all(|value| value.is_finite()) {
            *error = f64::INFINITY;
        }
    }
    let most = errors.iter().copied().filter(|error| error.is_finite()).fold(0.0, f64::max);
    if most <= 0.0 {
        // All were right so far.
        return vec![1.0 / count as f64; count];
    }
    let error = |place: usize| (errors[place] / most).max(1e-9);
    let scale = |place: usize| {
        let first = place / MEMBERS * MEMBERS;
        let sum: f64 = (first..first + MEMBERS).map(error).sum();
        sum / MEMBERS as f64
    };
    let raw: Vec<f64> = (0..count)
        .map(|place| 1.0 / (scale(place).powi(4) * error(place).powi(2)))
        .map(|weight| if weight.is_finite() { weight } else { 0.0 })
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|weight| weight / sum).collect()
}

/// Mean of the candidates by `weights`; those of no weight may be anything.
fn weighted(candidates: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let steps = candidates.first().map_or(0, Vec::len);
    let mut sum = vec![0.0; steps];
    for (values, weight) in candidates.iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
        sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
    }
    sum
}
