//! Members that regress changes on the changes before them.
//!
//! All orders are fitted on one sample and averaged by their Akaike weights, so that no order wins
//! by a hair.
//! Source: K. P. Burnham and D. R. Anderson, Model Selection and Multimodel Inference, 2002.

/// Most regressors of one model.
const WIDTH: usize = 10;

/// One model: the lags it looks back, and whether it has a mean.
struct Model {
    lags: Vec<usize>,
    has_mean: bool,
}

/// A fitted model: its weights (mean first), and its Akaike criterion.
struct Fitted {
    model: Model,
    weights: Vec<f64>,
    criterion: f64,
}

/// Forecasts from autoregressions of orders 0 to `order` on the changes from value to value.
pub(super) fn on_changes(series: &[f64], horizon: usize, order: usize) -> Vec<f64> {
    let changes: Vec<f64> = series.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let order = order.min(changes.len().saturating_sub(6) / 3);
    let models = (0..=order)
        .flat_map(|p| [true, false].map(|has_mean| Model { lags: (1..=p).collect(), has_mean }));
    let ahead = averaged(&changes, horizon, models, order);
    let mut level = series[series.len() - 1];
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
    let order = 3.min(changes.len() / 6);
    if changes.len() < 2 * season.min(8) + 2 {
        return None;
    }
    let has_seasonal_lag = changes.len() >= 2 * season + 8;
    let mut models = vec![];
    for p in 0..=order {
        for has_mean in [true, false] {
            let lags: Vec<usize> = (1..=p).collect();
            if has_seasonal_lag {
                let lags = lags.iter().copied().chain([season]).collect();
                models.push(Model { lags, has_mean });
            }
            models.push(Model { lags, has_mean });
        }
    }
    let longest = if has_seasonal_lag { season.max(order) } else { order };
    let ahead = averaged(&changes, horizon, models.into_iter(), longest);
    let mut values = series[series.len() - season..].to_vec();
    for (step, change) in ahead.into_iter().enumerate() {
        values.push(values[step] + change);
    }
    Some(values.split_off(season))
}

/// Forecasts of all models, averaged by their Akaike weights.
fn averaged(
    changes: &[f64],
    horizon: usize,
    models: impl Iterator<Item = Model>,
    longest: usize,
) -> Vec<f64> {
    let fitted: Vec<Fitted> = models.filter_map(|model| fit(changes, model, longest)).collect();
    let least = fitted.iter().map(|fit| fit.criterion).fold(f64::INFINITY, f64::min);
    let limit = 2.0 * changes.iter().fold(0.0_f64, |most, change| most.max(change.abs()));
    let mut sum = vec![0.0; horizon];
    let mut total = 0.0;
    for fit in &fitted {
        let weight = (0.5 * (least - fit.criterion)).exp();
        if weight < 1e-3 {
            continue;
        }
        total += weight;
        for (sum, value) in sum.iter_mut().zip(ahead(changes, horizon, fit, limit)) {
            *sum += weight * value;
        }
    }
    if total > 0.0 {
        sum.iter_mut().for_each(|value| *value /= total);
    }
    sum
}

fn fit(changes: &[f64], model: Model, longest: usize) -> Option<Fitted> {
    let width = model.lags.len() + usize::from(model.has_mean);
    let rows = changes.len().checked_sub(longest)?;
    if width > WIDTH || rows <= width + 2 {
        return None;
    }
    let mut moments = [[0.0; WIDTH]; WIDTH];
    let mut products = [0.0; WIDTH];
    let mut squares = 0.0;
    let mut row = [1.0; WIDTH];
    for t in longest..changes.len() {
        let lags = &mut row[usize::from(model.has_mean)..width];
        lags.iter_mut().zip(&model.lags).for_each(|(x, lag)| *x = changes[t - lag]);
        for i in 0..width {
            products[i] += row[i] * changes[t];
            for j in 0..=i {
                moments[i][j] += row[i] * row[j];
            }
        }
        squares += changes[t] * changes[t];
    }
    let weights = solved(&mut moments, &products, width)?;
    let explained: f64 = weights.iter().zip(&products).map(|(w, p)| w * p).sum();
    let rest = (squares - explained).max(1e-10 * squares).max(f64::MIN_POSITIVE);
    let sum: f64 = weights[usize::from(model.has_mean)..].iter().sum();
    if sum.abs() >= 1.0 {
        return None;
    }
    let (rows, parameters) = (rows as f64, (width + 1) as f64);
    let penalty = 2.0 * parameters * rows / (rows - parameters - 1.0).max(0.5);
    Some(Fitted { model, weights, criterion: rows * (rest / rows).ln() + penalty })
}

fn ahead(changes: &[f64], horizon: usize, fit: &Fitted, limit: f64) -> Vec<f64> {
    let (mean, weights) = match fit.model.has_mean {
        true => (fit.weights[0], &fit.weights[1..]),
        false => (0.0, &fit.weights[..]),
    };
    let mut known = changes.to_vec();
    for _ in 0..horizon {
        let lagged = fit.model.lags.iter().map(|lag| known[known.len() - lag]);
        let value = mean + lagged.zip(weights).map(|(x, w)| x * w).sum::<f64>();
        known.push(value.clamp(-limit, limit));
    }
    known.split_off(changes.len())
}

/// Solves the symmetric system whose lower triangle is in `moments`, by Cholesky with a little ridge.
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
