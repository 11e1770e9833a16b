//! Whether a series has a season, and the series without it.

use super::stl::Stl;

/// A series without its season, and the season.
pub(super) struct Adjusted {
    /// The series less its season.
    pub series: Vec<f64>,
    /// The season at each step ahead.
    pub ahead: Vec<f64>,
    /// The season of the first cycle, to start another model with.
    pub first: Vec<f64>,
}

/// Correlations of `values` with themselves at lags 1 to `most`.
fn autocorrelations(values: &[f64], most: usize) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let offsets: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let variance: f64 = offsets.iter().map(|offset| offset * offset).sum();
    let at = |lag: usize| -> f64 {
        offsets[lag..].iter().zip(&offsets).map(|(now, before)| now * before).sum()
    };
    (1..=most).map(|lag| if variance > 0.0 { at(lag) / variance } else { 0.0 }).collect()
}

/// Whether the changes of `series` repeat after `season` steps, by Bartlett's test of their
/// correlation at that lag.
///
/// The limit is 0.7 of the usual one for 90 %: a season that is missed costs more than one that is
/// not there.
pub(super) fn is_seasonal(series: &[f64], season: usize) -> bool {
    if season < 2 || series.len() < season + 1 + (season / 2).max(4) {
        return false;
    }
    let changes: Vec<f64> = series.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let correlations = autocorrelations(&changes, season);
    let squares: f64 = correlations[..season - 1].iter().map(|r| r * r).sum();
    // Of short series only few changes have one a season before.
    let pairs = (changes.len() - season) as f64;
    let deviation = ((1.0 + 2.0 * squares) / pairs).sqrt();
    let correlation = correlations[season - 1] * changes.len() as f64 / pairs;
    correlation > 0.7 * 1.645 * deviation
}

/// `series` less the season that `stl`, made for its length, finds.
pub(super) fn adjusted(series: &[f64], stl: &Stl, season: usize, horizon: usize) -> Adjusted {
    let count = series.len();
    let indices = stl.season_of(series);
    let ahead = (0..horizon)
        .map(|step| {
            let last = count - season + step % season;
            // The season before the last one steadies it.
            let before = last.checked_sub(season).unwrap_or(last);
            0.75 * indices[last] + 0.25 * indices[before]
        })
        .collect();
    let rest = series.iter().zip(&indices).map(|(value, index)| value - index).collect();
    Adjusted { series: rest, ahead, first: indices[..season].to_vec() }
}
