//! Members that regress changes on the changes before them.
//!
//! All orders are fitted on one sample and averaged by their Akaike weights, so that no order wins
//! by a hair.
//! Source: K. P. Burnham and D. R. Anderson, Model Selection and Multimodel Inference, 2002.

/// Most regressors of one model.
const WIDTH: usize = 10;
/// A level pulls back only where a unit root is refused at 5 %.
///
/// Source: W. A. Fuller, Introduction to Statistical Time Series, 1976.
const UNIT_ROOT: f64 = -2.86;

/// What a change is regressed on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Regressor {
    /// A constant.
    Mean,
    /// The change so many steps before.
    Lag(usize),
    /// The level before the change.
    Level,
}

/// All regressors of a family of models over one sample, and their cross products.
struct Sample<'a> {
    changes: &'a [f64],
    /// The level before each change; empty if no model looks at it.
    levels: &'a [f64],
    regressors: Vec<Regressor>,
    moments: [[f64; WIDTH]; WIDTH],
    products: [f64; WIDTH],
    squares: f64,
    rows: f64,
}

/// A fitted model: places of its regressors in the sample, their weights, its Akaike criterion.
struct Fitted {
    places: Vec<usize>,
    weights: Vec<f64>,
    criterion: f64,
}

/// Forecasts from autoregressions of orders 0 to `order` on the changes from value to value, with
/// and without mean, and with a pull back to a level where there is one.
pub(super) fn on_changes(series: &[f64], horizon: usize, order: usize) -> Vec<f64> {
    let changes: Vec<f64> = series.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let order = order.min(changes.len().saturating_sub(6) / 3);
    let mut regressors = vec![Regressor::Mean];
    regressors.extend((1..=order).map(Regressor::Lag));
    regressors.push(Regressor::Level);
    // Levels around zero: their products lose no digits.
    let centre = series.iter().sum::<f64>() / series.len() as f64;
    let levels: Vec<f64> = series.iter().map(|value| value - centre).collect();
    let sample = Sample::of(&changes, &levels, regressors, order);
    let models = (0..=order).flat_map(|p| {
        let lags: Vec<usize> = (1..=p).collect();
        let with_mean: Vec<usize> = (0..=p).collect();
        let with_level = with_mean.iter().copied().chain([order + 1]).collect();
        [lags, with_mean, with_level]
    });
    let mut level = series[series.len() - 1];
    let ahead = sample.averaged(horizon, models);
    ahead
        .into_iter()
        .map(|change| {
            level += change;
            level
        })
        .collect()
}

/// Forecasts from autoregressions on the changes from season to season; `None` if history is short.
pub(super) fn on_seasons(series: &[f64], horizon: usize, season: usize) -> Option<Vec<f64>> {
    let changes: Vec<f64> =
        series.iter().skip(season).zip(series).map(|(now, before)| now - before).collect();
    if changes.len() < 2 * season.min(8) + 2 {
        return None;
    }
    let order = 3.min(changes.len() / 6);
    let has_seasonal_lag = season > order && changes.len() >= 2 * season + 8;
    let mut regressors = vec![Regressor::Mean];
    regressors.extend((1..=order).map(Regressor::Lag));
    if has_seasonal_lag {
        regressors.push(Regressor::Lag(season));
    }
    let longest = if has_seasonal_lag { season } else { order };
    let sample = Sample::of(&changes, &[], regressors, longest);
    let seasonal: &[&[usize]] = if has_seasonal_lag { &[&[], &[order + 1]] } else { &[&[]] };
    let models = (0..=order).flat_map(|p| [0, 1].map(|first| first..=p)).flat_map(|places| {
        seasonal.iter().map(move |last| places.clone().chain(last.iter().copied()).collect())
    });
    let ahead = sample.averaged(horizon, models);
    let mut values = series[series.len() - season..].to_vec();
    for (step, change) in ahead.into_iter().enumerate() {
        values.push(values[step] + change);
    }
    Some(values.split_off(season))
}

impl<'a> Sample<'a> {
    /// The changes after the first `longest`, so that every model has the same.
    fn of(
        changes: &'a [f64],
        levels: &'a [f64],
        regressors: Vec<Regressor>,
        longest: usize,
    ) -> Self {
        let mut sample = Self {
            changes,
            levels,
            regressors,
            moments: [[0.0; WIDTH]; WIDTH],
            products: [0.0; WIDTH],
            squares: 0.0,
            rows: changes.len().saturating_sub(longest) as f64,
        };
        let mut row = [0.0; WIDTH];
        for t in longest..changes.len() {
            for (x, regressor) in row.iter_mut().zip(&sample.regressors) {
                *x = match regressor {
                    Regressor::Mean => 1.0,
                    Regressor::Lag(lag) => changes[t - lag],
                    Regressor::Level => levels[t],
                };
            }
            for i in 0..sample.regressors.len() {
                sample.products[i] += row[i] * changes[t];
                for j in 0..=i {
                    sample.moments[i][j] += row[i] * row[j];
                }
            }
            sample.squares += changes[t] * changes[t];
        }
        sample
    }

    /// Forecasts of all models, averaged by their Akaike weights.
    fn averaged(&self, horizon: usize, models: impl Iterator<Item = Vec<usize>>) -> Vec<f64> {
        let fitted: Vec<Fitted> = models.filter_map(|places| self.fit(places)).collect();
        let least = fitted.iter().map(|fit| fit.criterion).fold(f64::INFINITY, f64::min);
        let mut sum = vec![0.0; horizon];
        let mut total = 0.0;
        for fit in &fitted {
            let weight = (0.5 * (least - fit.criterion)).exp();
            if weight < 1e-3 {
                continue;
            }
            total += weight;
            for (sum, value) in sum.iter_mut().zip(self.ahead(horizon, fit)) {
                *sum += weight * value;
            }
        }
        if total > 0.0 {
            sum.iter_mut().for_each(|value| *value /= total);
        }
        sum
    }

    /// Least squares on the regressors at `places`; `None` where that is not sound.
    fn fit(&self, places: Vec<usize>) -> Option<Fitted> {
        let width = places.len();
        let parameters = (width + 1) as f64;
        if width > WIDTH || self.rows <= parameters + 1.0 {
            return None;
        }
        let mut moments = [[0.0; WIDTH]; WIDTH];
        let mut products = [0.0; WIDTH];
        for (i, from) in places.iter().enumerate() {
            products[i] = self.products[*from];
            for (j, to) in places[..=i].iter().enumerate() {
                moments[i][j] = self.moments[*from][*to];
            }
        }
        let weights = solved(&mut moments, &products, width)?;
        let explained: f64 = weights.iter().zip(&products).map(|(w, p)| w * p).sum();
        let rest = self.squares - explained;
        let rest = rest.max(1e-10 * self.squares).max(f64::MIN_POSITIVE);
        let pairs = || places.iter().map(|place| self.regressors[*place]).zip(&weights);
        let lags = pairs().filter(|(regressor, _)| matches!(regressor, Regressor::Lag(_)));
        if lags.map(|(_, weight)| weight).sum::<f64>().abs() >= 1.0 {
            return None;
        }
        if let Some((Regressor::Level, pull)) = pairs().next_back() {
            let deviation =
                (rest / (self.rows - width as f64)).sqrt() / moments[width - 1][width - 1];
            if pull / deviation > UNIT_ROOT || *pull <= -2.0 {
                return None;
            }
        }
        let penalty = 2.0 * parameters * self.rows / (self.rows - parameters - 1.0).max(0.5);
        let criterion = self.rows * (rest / self.rows).ln() + penalty;
        Some(Fitted { places, weights, criterion })
    }

    /// Changes ahead, none more than twice as large as any before.
    fn ahead(&self, horizon: usize, fit: &Fitted) -> Vec<f64> {
        let limit = 2.0 * self.changes.iter().fold(0.0_f64, |most, change| most.max(change.abs()));
        let mut level = self.levels.last().copied().unwrap_or(0.0);
        let mut known = self.changes.to_vec();
        for _ in 0..horizon {
            let value: f64 = (fit.places.iter().zip(&fit.weights))
                .map(|(place, weight)| match self.regressors[*place] {
                    Regressor::Mean => *weight,
                    Regressor::Lag(lag) => weight * known[known.len() - lag],
                    Regressor::Level => weight * level,
                })
                .sum();
            let value = value.clamp(-limit, limit);
            level += value;
            known.push(value);
        }
        known.split_off(self.changes.len())
    }
}

/// Solves the symmetric system whose lower triangle is in `moments`: Cholesky, a little ridge.
fn solved(
    moments: &mut [[f64; WIDTH]; WIDTH],
    products: &[f64; WIDTH],
    width: usize,
) -> Option<Vec<f64>> {
    for i in 0..width {
        moments[i][i] *= 1.0 + 1e-6;
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| moments[i][k] * moments[j][k]).sum();
            let rest = moments[i][j] - dot;
            if i == j {
                // A regressor that the others explain away.
                if rest <= 1e-9 * moments[i][i].abs() || !rest.is_finite() {
                    return None;
                }
                moments[i][i] = rest.sqrt();
            } else {
                moments[i][j] = rest / moments[j][j];
            }
        }
    }
    let mut solution = products[..width].to_vec();
    for i in 0..width {
        let dot: f64 = (0..i).map(|k| moments[i][k] * solution[k]).sum();
        solution[i] = (solution[i] - dot) / moments[i][i];
    }
    for i in (0..width).rev() {
        let dot: f64 = (i + 1..width).map(|k| moments[k][i] * solution[k]).sum();
        solution[i] = (solution[i] - dot) / moments[i][i];
    }
    Some(solution)
}
