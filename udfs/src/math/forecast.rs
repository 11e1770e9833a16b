//! Forecasts of one regular series: methods, intervals, and what `auto` makes of a series.
//!
//! The simple methods have intervals of their own, `forecast ± z·σ·c(h)` with σ = √(Σe²/(n−K)) over
//! the one-step errors e, K parameters, and c(h) the growth of the error with the horizon.
//! The others take theirs from what they missed at past origins ([`conformal`]).
//! Source: R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd edition.
//!
//! A series times c has its forecast times c.
//! A series plus c has its forecast plus c by every method but those that look at ratios:
//! `holt_winters_mul`, `tsb`, and `ensemble` where it takes logarithms.

mod autoregression;
pub mod calendar;
mod conformal;
mod ensemble;
pub mod grid;
mod guard;
mod intermittent;
mod method;
mod search;
mod season;
mod simple;
mod smoothing;
mod stl;
mod trend;
mod winters;

use std::borrow::Cow;

use super::normal;
use conformal::{Misses, misses, student};
pub use method::Method;
use simple::Fit;
use stl::Stl;

/// What a forecast rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Enough history, and the method that was asked for.
    Ok,
    /// Too little history for the method that was asked for, or for `auto` to learn from.
    ShortHistory,
    /// All values are the same.
    Constant,
    /// More than half of the values are zero.
    Intermittent,
    /// Single values far out of line were taken as what is usual at their place.
    OutlierGuarded,
    /// The method needs values above zero, and another took its place.
    NotPositive,
}

impl Status {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ShortHistory => "short_history",
            Self::Constant => "constant",
            Self::Intermittent => "intermittent",
            Self::OutlierGuarded => "outlier_guarded",
            Self::NotPositive => "not_positive",
        }
    }
}

/// A forecast; all vectors have one entry a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The method that was used.
    pub method: Method,
    /// What it rests on.
    pub status: Status,
    /// Middle.
    pub values: Vec<f64>,
    /// Lower bounds; `None` where the history says nothing of the error.
    pub lower: Vec<Option<f64>>,
    /// Upper bounds.
    pub upper: Vec<Option<f64>>,
}

/// What [`forecast`] would do with a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// The method.
    pub method: Method,
    /// What it rests on.
    pub status: Status,
    /// Steps in the season that the method uses; 1 without.
    pub season: usize,
    /// Mean absolute scaled error from past origins; `None` if there is none or no scale.
    pub mase: Option<f64>,
}

/// Fewest values that `auto` learns from; below, a simple method takes its place.
const LEARNING_MIN: usize = 6;
/// Least past origins that an interval of misses rests on.
const ORIGINS_MIN: usize = 2;
/// Only so many of the last values count for what is fitted again at every origin, or seasons.
const VALUES_MAX: usize = 400;
const SEASONS_MAX: usize = 6;

/// Forecasts `horizon` steps of `series` (oldest first) with intervals of chance `level`; a level of
/// 0 asks for none, which takes less time and changes no value.
///
/// `method` of `None` is the ensemble; below six values the simple method that erred least, and
/// where more than half of the values are zero, `tsb`.
/// A method that needs more history gives way to drift, or to naive below three values.
/// Values that are not finite count as the value before them.
/// `None` for an empty series.
pub fn forecast(
    series: &[f64],
    horizon: usize,
    method: Option<Method>,
    level: f64,
    season: usize,
) -> Option<Forecast> {
    let (series, scale) = unit(series)?;
    let done = Done::of(&series, horizon, method, level, season);
    let widths = done.widths;
    let finite = |value: f64| (value * scale).clamp(-f64::MAX, f64::MAX);
    let bound = |sign: f64| {
        let widths = widths.as_ref().filter(|_| level > 0.0);
        let at = |(step, value): (usize, &f64)| Some(finite(value + sign * widths?[step]));
        done.values.iter().enumerate().map(at).collect()
    };
    let (lower, upper) = (bound(-1.0), bound(1.0));
    let values = done.values.iter().map(|value| finite(*value)).collect();
    Some(Forecast { method: done.method, status: done.status, values, lower, upper })
}

/// What [`forecast`] would do with `series`, and how it did before; `None` for an empty series.
pub fn info(series: &[f64], method: Option<Method>, season: usize) -> Option<Info> {
    let (series, _) = unit(series)?;
    let done = Done::of(&series, 1, method, 0.8, season);
    let found = done.season;
    let missed = done.misses.or_else(|| {
        let again = |history: &[f64], steps: usize| {
            Done::of(history, steps, Some(done.method), 0.8, season).values
        };
        let steps = ensemble::steps_seen(season);
        let fewest = done.method.values_min(season);
        Some(misses(&series, ensemble::ORIGINS_MAX, fewest, steps, again))
    });
    let changes: Vec<f64> = series
        .iter()
        .skip(found)
        .zip(series.iter())
        .map(|(now, then)| (now - then).abs())
        .collect();
    let usual = changes.iter().sum::<f64>() / changes.len() as f64;
    let mase = missed.and_then(|missed| missed.mean()).map(|mean| mean / usual);
    let mase = mase.filter(|mase| mase.is_finite());
    Some(Info { method: done.method, status: done.status, season: found, mase })
}

/// `series` divided by a power of two, which changes no digit, so that no square overflows; and the
/// power.
fn unit(series: &[f64]) -> Option<(Vec<f64>, f64)> {
    let mut known = *series.iter().find(|value| value.is_finite())?;
    let largest =
        series.iter().filter(|v| v.is_finite()).fold(0.0_f64, |most, v| most.max(v.abs()));
    let exponent = if largest > 0.0 { largest.log2().ceil().clamp(-900.0, 1000.0) } else { 0.0 };
    let scale = exponent.exp2();
    let values = series.iter().map(|value| {
        known = if value.is_finite() { *value } else { known };
        known / scale
    });
    Some((values.collect(), scale))
}

/// A forecast of a series of moderate size.
struct Done {
    method: Method,
    status: Status,
    season: usize,
    values: Vec<f64>,
    widths: Option<Vec<f64>>,
    misses: Option<Misses>,
}

impl Done {
    fn of(
        series: &[f64],
        horizon: usize,
        wanted: Option<Method>,
        level: f64,
        season: usize,
    ) -> Self {
        let (method, status) = plan(series, wanted, season);
        let done = Self::by(method, status, series, horizon, level, season, wanted.is_none());
        let is_finite = done.values.iter().all(|value| value.is_finite());
        let done = match is_finite {
            true => done,
            false => Self::by(Method::Naive, status, series, horizon, level, season, false),
        };
        match done.widths {
            None => Self { status: Status::ShortHistory, ..done },
            Some(_) => done,
        }
    }

    fn by(
        method: Method,
        status: Status,
        series: &[f64],
        horizon: usize,
        level: f64,
        season: usize,
        is_auto: bool,
    ) -> Self {
        match method {
            Method::Ensemble => Self::ensemble(series, horizon, level, season, status),
            Method::Theta | Method::Tsb | Method::HoltWintersMul => {
                Self::conformal(method, status, series, horizon, level, season)
            }
            _ => {
                let fit = fit(method, series, horizon, season);
                let is_guess = is_auto && status == Status::ShortHistory;
                Self::analytic(method, status, fit, level, season, is_guess)
            }
        }
    }

    /// The interval is that of the method, wider if the errors it rests on are few.
    fn analytic(
        method: Method,
        status: Status,
        fit: Fit,
        level: f64,
        season: usize,
        is_guess: bool,
    ) -> Self {
        let z = normal::half_width(level);
        let spare = fit.errors.len().saturating_sub(fit.parameters) as f64;
        let z = if is_guess { student(z, spare.max(3.0)) } else { z };
        let spread = fit.deviation().map(|sigma| sigma * z);
        let widths = spread.map(|s| fit.growth.iter().map(|growth| s * growth).collect());
        let season = if method.is_seasonal() { season } else { 1 };
        Self { method, status, season, values: fit.forecasts, widths, misses: None }
    }

    fn ensemble(series: &[f64], horizon: usize, level: f64, season: usize, status: Status) -> Self {
        let recent = recent(series, season);
        let guarded = guard::guarded(recent, season);
        let status = match guarded {
            Some(_) if status == Status::Ok => Status::OutlierGuarded,
            _ => status,
        };
        let series = guarded.map_or(Cow::Borrowed(recent), Cow::Owned);
        let origins =
            if level > 0.0 { ensemble::ORIGINS_MAX } else { ensemble::ORIGINS_OF_WEIGHTS };
        let done = ensemble::ensemble(&series, horizon, season, origins);
        let widths = done.misses.half_widths(horizon, level);
        let (method, misses) = (done.method, Some(done.misses));
        Self { method, status, season: done.season, values: done.values, widths, misses }
    }

    fn conformal(
        method: Method,
        status: Status,
        series: &[f64],
        horizon: usize,
        level: f64,
        season: usize,
    ) -> Self {
        let series = recent(series, season);
        let is_known = series.len() >= 2 * season;
        let found = match method {
            Method::Theta if is_known && season::is_seasonal(series, season) => season,
            Method::HoltWintersMul => season,
            _ => 1,
        };
        let ahead = |history: &[f64], steps: usize| points(method, history, steps, found);
        let steps = ensemble::steps_seen(found);
        let fewest = method.values_min(found).max(ensemble::fewest(series.len(), found));
        let origins = if level > 0.0 { ensemble::ORIGINS_MAX } else { ORIGINS_MIN };
        let misses = misses(series, origins, fewest, steps, ahead);
        let mut widths = misses.half_widths(horizon, level);
        if misses.0.len() < ORIGINS_MIN {
            let plain = Self::analytic(
                Method::Naive,
                status,
                simple::naive(series, horizon),
                level,
                1,
                true,
            );
            widths = plain.widths;
        }
        let values = ahead(series, horizon);
        Self { method, status, season: found, values, widths, misses: Some(misses) }
    }
}

/// The last values of `series`: as many as count.
fn recent(series: &[f64], season: usize) -> &[f64] {
    let most = VALUES_MAX.max(SEASONS_MAX * season);
    &series[series.len().saturating_sub(most)..]
}

/// The method for `series`, and its status.
fn plan(series: &[f64], wanted: Option<Method>, season: usize) -> (Method, Status) {
    let count = series.len();
    let is_constant = count > 1 && series.iter().all(|value| *value == series[0]);
    let status = if is_constant { Status::Constant } else { Status::Ok };
    match wanted {
        Some(method) if method.can(series, season) => (method, status),
        Some(Method::HoltWintersMul) if Method::HoltWinters.can(series, season) => {
            (Method::HoltWinters, Status::NotPositive)
        }
        Some(_) if count >= Method::Drift.values_min(season) => {
            (Method::Drift, Status::ShortHistory)
        }
        Some(_) => (Method::Naive, Status::ShortHistory),
        None if is_constant => (Method::Naive, status),
        None if count < LEARNING_MIN => (choose(series, season), Status::ShortHistory),
        None if intermittent::is_intermittent(series) => (Method::Tsb, Status::Intermittent),
        None => (Method::Ensemble, Status::Ok),
    }
}

/// The simple method with the least Σ|error| at the last origin; ties go to the simpler one.
fn choose(series: &[f64], season: usize) -> Method {
    let Some(origin) = series.len().checked_sub(1).filter(|origin| *origin >= 3) else {
        return Method::Naive;
    };
    let (history, actual) = (&series[..origin], series[origin]);
    let mut best = (Method::Naive, f64::INFINITY);
    for method in [Method::Naive, Method::SeasonalNaive, Method::Mean, Method::Drift] {
        if method.can(history, season) {
            let error = (fit(method, history, 1, season).forecasts[0] - actual).abs();
            if error < best.1 * (1.0 - 1e-9) {
                best = (method, error);
            }
        }
    }
    best.0
}

fn fit(method: Method, series: &[f64], horizon: usize, season: usize) -> Fit {
    match method {
        Method::SeasonalNaive => simple::seasonal_naive(series, horizon, season, false),
        Method::SeasonalNaiveDrift => simple::seasonal_naive(series, horizon, season, true),
        Method::Mean => simple::mean(series, horizon),
        Method::Drift => simple::drift(series, horizon),
        Method::Ses => smoothing::ses(series, horizon),
        Method::Holt => smoothing::holt(series, horizon),
        Method::HoltWinters => {
            simple::holt_winters(series, horizon, season, smoothing::Form::Additive)
        }
        Method::HoltWintersMul => {
            simple::holt_winters(series, horizon, season, smoothing::Form::Multiplicative)
        }
        Method::LinearSeason => simple::linear_season(series, horizon, season),
        Method::Naive | Method::Theta | Method::Tsb | Method::Ensemble => {
            simple::naive(series, horizon)
        }
    }
}

/// Forecasts of a method without an interval of its own.
fn points(method: Method, series: &[f64], horizon: usize, season: usize) -> Vec<f64> {
    match method {
        Method::Tsb => intermittent::tsb(series, horizon),
        // At origins that have not seen two seasons.
        Method::Theta if season > 1 && series.len() < 2 * season => {
            simple::seasonal_naive(series, horizon, season, true).forecasts
        }
        Method::Theta => match Stl::new(series.len(), season) {
            Some(stl) => {
                let adjusted = season::adjusted(series, &stl, season, horizon);
                let rest = trend::theta(&adjusted.series, horizon);
                rest.iter().zip(&adjusted.ahead).map(|(value, index)| value + index).collect()
            }
            None => trend::theta(series, horizon),
        },
        _ => fit(method, series, horizon, season).forecasts,
    }
}

#[cfg(test)]
mod tests;
