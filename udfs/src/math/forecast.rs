//! Forecasts of one regular series: members, intervals, and the choice between members.
//!
//! Intervals are `forecast ± z·σ·c(h)` with σ = √(Σe²/(n−K)) over the one-step errors e of the
//! member, K its parameters, and c(h) the growth of the error with the horizon.
//! Source: R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd edition.

pub mod calendar;
mod smoothing;

use super::Fault;
use super::normal;

/// A way to forecast, simplest first: ties between members go to the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The last value.
    Naive,
    /// The value one season before.
    SeasonalNaive,
    /// The mean of all values.
    Mean,
    /// The last value, and the mean change for each step.
    Drift,
    /// One season before, and the mean change over a season.
    SeasonalNaiveDrift,
    /// Simple exponential smoothing.
    Ses,
    /// Holt's linear trend.
    Holt,
    /// Holt and Winters, additive season.
    HoltWinters,
}

impl Method {
    /// All of them, simplest first.
    pub const ALL: [Self; 8] = [
        Self::Naive,
        Self::SeasonalNaive,
        Self::Mean,
        Self::Drift,
        Self::SeasonalNaiveDrift,
        Self::Ses,
        Self::Holt,
        Self::HoltWinters,
    ];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::SeasonalNaive => "snaive",
            Self::Mean => "mean",
            Self::Drift => "drift",
            Self::SeasonalNaiveDrift => "snaive_drift",
            Self::Ses => "ses",
            Self::Holt => "holt",
            Self::HoltWinters => "holt_winters",
        }
    }

    /// The method called `name`; `None` for `auto`.
    ///
    /// # Errors
    /// A name that is neither.
    pub fn parse(name: &str) -> Result<Option<Self>, Fault> {
        if name == "auto" {
            return Ok(None);
        }
        Self::ALL.into_iter().find(|method| method.name() == name).map(Some).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|method| method.name()).collect();
            Fault(format!("method must be auto, {}, got \"{name}\"", known.join(", ")))
        })
    }

    /// Fewest values it needs with a season of `season` steps.
    fn values_min(self, season: usize) -> usize {
        match self {
            Self::Naive | Self::Mean => 1,
            Self::Drift => 3,
            Self::SeasonalNaive => season + 1,
            Self::SeasonalNaiveDrift => season + 2,
            Self::Ses => 4,
            Self::Holt => 6,
            Self::HoltWinters => 2 * season + 2,
        }
    }

    fn is_seasonal(self) -> bool {
        matches!(self, Self::SeasonalNaive | Self::SeasonalNaiveDrift | Self::HoltWinters)
    }
}

/// A member fitted to a series.
pub(crate) struct Fit {
    /// Forecasts, one a step.
    pub forecasts: Vec<f64>,
    /// One-step errors over the history.
    pub errors: Vec<f64>,
    /// Parameters estimated.
    pub parameters: usize,
    /// Growth of the standard error, one a step.
    pub growth: Vec<f64>,
}

/// A forecast; all vectors have one entry a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The method that was used.
    pub method: Method,
    /// Middle.
    pub values: Vec<f64>,
    /// Lower bounds; `None` where the history says nothing of the error.
    pub lower: Vec<Option<f64>>,
    /// Upper bounds.
    pub upper: Vec<Option<f64>>,
}

/// Forecasts `horizon` steps of `series` (oldest first) with intervals of chance `level`.
///
/// `method` of `None` picks the member with the least weighted absolute error over rolling origins.
/// A member that needs more history gives way to drift, or to naive below three values.
/// `None` for an empty series.
pub fn forecast(
    series: &[f64],
    horizon: usize,
    method: Option<Method>,
    level: f64,
    season: usize,
) -> Option<Forecast> {
    if series.is_empty() {
        return None;
    }
    let method = match method {
        Some(method) if can(method, series.len(), season) => method,
        Some(_) if series.len() >= Method::Drift.values_min(season) => Method::Drift,
        Some(_) => Method::Naive,
        None => choose(series, season),
    };
    let fit = fit(method, series, horizon, season);
    let spread = deviation(&fit).map(|sigma| sigma * normal::half_width(level));
    let bound = |sign: f64| {
        let steps = fit.forecasts.iter().zip(&fit.growth);
        steps.map(|(value, growth)| Some(value + sign * spread? * growth)).collect()
    };
    let (lower, upper) = (bound(-1.0), bound(1.0));
    Some(Forecast { method, values: fit.forecasts, lower, upper })
}

fn can(method: Method, count: usize, season: usize) -> bool {
    count >= method.values_min(season) && (season >= 2 || !method.is_seasonal())
}

/// Standard deviation of the one-step errors; unknown without a spare error.
fn deviation(fit: &Fit) -> Option<f64> {
    let squares: f64 = fit.errors.iter().map(|e| e * e).sum();
    let spare = fit.errors.len().checked_sub(fit.parameters).filter(|n| *n > 0);
    match spare {
        Some(spare) => Some((squares / spare as f64).sqrt()),
        None if !fit.errors.is_empty() && squares == 0.0 => Some(0.0),
        None => None,
    }
}

/// Most origins that a choice rolls over.
const ORIGINS_MAX: usize = 8;
/// Most steps ahead that a choice looks.
const STEPS_MAX: usize = 4;

/// The member with the least Σ|error| over rolling origins; ties go to the simpler one.
fn choose(series: &[f64], season: usize) -> Method {
    let count = series.len();
    if count < 4 {
        return if count == 3 { Method::Drift } else { Method::Naive };
    }
    let origins = (count / 3).clamp(1, ORIGINS_MAX);
    let first = count - origins;
    let candidates =
        Method::ALL.into_iter().filter(|method| can(*method, first.saturating_sub(0), season));
    let mut best: Option<(f64, Method)> = None;
    for method in candidates {
        let mut error = 0.0;
        for origin in first..count {
            let ahead = (count - origin).min(STEPS_MAX);
            let fit = fit(method, &series[..origin], ahead, season);
            let actual = &series[origin..origin + ahead];
            error += fit.forecasts.iter().zip(actual).map(|(f, a)| (f - a).abs()).sum::<f64>();
        }
        if error.is_finite() && best.is_none_or(|(least, _)| error < least * (1.0 - 1e-9)) {
            best = Some((error, method));
        }
    }
    best.map_or(Method::Naive, |(_, method)| method)
}

fn fit(method: Method, series: &[f64], horizon: usize, season: usize) -> Fit {
    match method {
        Method::Naive => naive(series, horizon),
        Method::SeasonalNaive => seasonal_naive(series, horizon, season, false),
        Method::SeasonalNaiveDrift => seasonal_naive(series, horizon, season, true),
        Method::Mean => mean(series, horizon),
        Method::Drift => drift(series, horizon),
        Method::Ses => smoothing::ses(series, horizon),
        Method::Holt => smoothing::holt(series, horizon),
        Method::HoltWinters => smoothing::holt_winters(series, horizon, season),
    }
}

fn steps(horizon: usize) -> impl Iterator<Item = f64> {
    (1..=horizon).map(|step| step as f64)
}

fn naive(series: &[f64], horizon: usize) -> Fit {
    Fit {
        forecasts: vec![series[series.len() - 1]; horizon],
        errors: series.windows(2).map(|pair| pair[1] - pair[0]).collect(),
        parameters: 0,
        growth: steps(horizon).map(f64::sqrt).collect(),
    }
}

fn drift(series: &[f64], horizon: usize) -> Fit {
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

fn mean(series: &[f64], horizon: usize) -> Fit {
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
fn seasonal_naive(series: &[f64], horizon: usize, season: usize, is_drifting: bool) -> Fit {
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

#[cfg(test)]
mod tests;
