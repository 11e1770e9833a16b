//! Single values far out of line with both their neighbours and their season.
//!
//! A mistyped amount or one deal that dwarfs all others would carry level, trend and season away.
//! The limit is far beyond what series do by themselves, and three such values in a row are a new
//! level, not an accident.
//! Source: the identifier of F. R. Hampel, The Influence Curve and its Role in Robust Estimation,
//! 1974, with wide limits.

/// Values on either side that a value is compared with.
const REACH: usize = 3;
/// Limits in medians, and in ninth deciles, of the usual deviation.
const MEDIANS: f64 = 30.0;
const DECILES: f64 = 8.0;
/// Least values to judge by.
const VALUES_MIN: usize = 6;

/// `series` with its far outliers replaced by what is usual at their place; `None` without any.
pub(super) fn guarded(series: &[f64], season: usize) -> Option<Vec<f64>> {
    if series.len() < VALUES_MIN {
        return None;
    }
    // What is usual is seen from one side, as at the end of the series it can only be.
    let after: Vec<f64> = (0..series.len()).map(|t| before(series.iter().skip(t + 1))).collect();
    let usual: Vec<f64> = (0..series.len())
        .map(|t| {
            let before = before(series[..t].iter().rev());
            let seasons = [t.checked_sub(season), Some(t + season)].into_iter().flatten();
            let same =
                seasons.filter(|_| season > 1).filter_map(|place| series.get(place).copied());
            let known = same.chain([before, after[t]]).filter(|value| !value.is_nan());
            nearest(series[t], known)
        })
        .collect();
    let changes: Vec<f64> = (REACH..series.len())
        .map(|t| (series[t] - before(series[..t].iter().rev())).abs())
        .collect();
    let limit = limit(changes, series);
    let is_far = |place: usize| (series[place] - usual[place]).abs() > limit;
    if !(0..series.len()).any(is_far) {
        return None;
    }
    let value = |place: usize| if is_far(place) { usual[place] } else { series[place] };
    Some((0..series.len()).map(value).collect())
}

fn limit(mut changes: Vec<f64>, series: &[f64]) -> f64 {
    // The largest change does not speak for itself.
    changes.sort_by(f64::total_cmp);
    changes.pop();
    let limit = (MEDIANS * quantile(&changes, 0.5)).max(DECILES * quantile(&changes, 0.9));
    if limit > 0.0 {
        return limit;
    }
    // All but a few values are the same: only what is of another order stands out.
    let sizes: Vec<f64> = series.iter().map(|value| value.abs()).collect();
    MEDIANS * quantile(&sizes, 0.5)
}

/// Median of the nearest [`REACH`] values on one side; not a number where there are fewer.
fn before<'a>(side: impl Iterator<Item = &'a f64>) -> f64 {
    let near: Vec<f64> = side.take(REACH).copied().collect();
    if near.len() < REACH { f64::NAN } else { quantile(&near, 0.5) }
}

/// Of what is `known`, the one nearest to `value`.
fn nearest(value: f64, known: impl Iterator<Item = f64>) -> f64 {
    let nearer = |best: f64, other: f64| {
        if best.is_nan() || (other - value).abs() < (best - value).abs() { other } else { best }
    };
    known.fold(f64::NAN, nearer)
}

/// The value below which a share `q` of `values` lies, by rank.
fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1) as f64;
    let (below, above) = ((last * q).floor() as usize, (last * q).ceil() as usize);
    match (sorted.get(below), sorted.get(above)) {
        (Some(below), Some(above)) => f64::midpoint(*below, *above),
        _ => 0.0,
    }
}
