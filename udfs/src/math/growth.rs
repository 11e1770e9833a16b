//! Growth from one period to another.

use super::{Answer, Fault};

/// `(current - previous) / previous`; NULL for a previous value of zero or less.
pub fn rate(current: f64, previous: f64) -> Option<f64> {
    (previous > 0.0).then(|| (current - previous) / previous)
}

/// Growth a period that leads from `first` to `last` in `periods`: `(last / first)^(1 / periods) - 1`.
///
/// NULL for a first value of zero or less, or a last one below zero.
///
/// # Errors
/// Periods of zero or less.
pub fn compound(last: f64, first: f64, periods: f64) -> Answer {
    if periods <= 0.0 {
        return Err(Fault(format!("periods must be above 0, got {periods}")));
    }
    let is_known = first > 0.0 && last >= 0.0;
    Ok(is_known.then(|| (last / first).powf(1.0 / periods) - 1.0))
}

/// Seasonal indices of a series that is regular, oldest first: one for each place in a season of
/// `season` steps, with mean 1. `first` is the place of the first value.
///
/// The ratio of each value to the centred moving average over a season, averaged by place; where a
/// value is zero or negative the difference to it instead, over the mean of the series.
/// All ones with less than two seasons; NULL where the mean of such a series is not above zero.
/// Source: classical decomposition; Hyndman and Athanasopoulos, Forecasting: Principles and Practice.
pub fn seasonal_index(series: &[f64], season: usize, first: usize) -> Option<Vec<f64>> {
    if series.is_empty() || season == 0 {
        return None;
    }
    if season == 1 || series.len() < 2 * season {
        return Some(vec![1.0; season]);
    }
    let is_positive = series.iter().all(|value| *value > 0.0);
    let mean = series.iter().sum::<f64>() / series.len() as f64;
    if !is_positive && mean <= 0.0 {
        return None;
    }
    let mut sums = vec![(0.0, 0.0); season];
    for (at, average) in moving_average(series, season) {
        let effect = match is_positive {
            true => series[at] / average,
            false => 1.0 + (series[at] - average) / mean,
        };
        let place = &mut sums[(first + at) % season];
        *place = (place.0 + effect, place.1 + 1.0);
    }
    let indices: Vec<f64> = sums.iter().map(|(sum, count)| sum / f64::max(*count, 1.0)).collect();
    let mean = indices.iter().sum::<f64>() / season as f64;
    Some(match is_positive {
        true => indices.iter().map(|index| index / mean).collect(),
        false => indices.iter().map(|index| index - mean + 1.0).collect(),
    })
}

/// Centred averages over a season, each with its place; an even season takes half of both ends.
fn moving_average(series: &[f64], season: usize) -> impl Iterator<Item = (usize, f64)> {
    let half = season / 2;
    let is_even = season.is_multiple_of(2);
    (half..series.len() - half).map(move |at| {
        let window = &series[at - half..=at + half];
        let ends = if is_even { (window[0] + window[season]) / 2.0 } else { 0.0 };
        (at, (window.iter().sum::<f64>() - ends) / season as f64)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn worked_numbers() {
        assert_eq!(rate(120.0, 100.0).map(|r| (r * 1e9).round()), Some(2e8));
        assert_eq!(rate(1.0, 0.0), None);
        let monthly = compound(200.0, 100.0, 12.0).expect("in range").expect("known");
        assert!((monthly - 0.059_463_094).abs() < 1e-9);
        assert_eq!(compound(0.0, 100.0, 2.0), Ok(Some(-1.0)));
        assert!(compound(1.0, 1.0, 0.0).is_err());
    }

    #[test]
    fn a_season_without_trend_is_found_exactly() {
        let series: Vec<f64> = (0..12).map(|t| [50.0, 100.0, 150.0, 100.0][t % 4]).collect();
        assert_eq!(seasonal_index(&series, 4, 0), Some(vec![0.5, 1.0, 1.5, 1.0]));
        assert_eq!(seasonal_index(&series, 4, 1), Some(vec![1.0, 0.5, 1.0, 1.5]));
        assert_eq!(seasonal_index(&series[..7], 4, 0), Some(vec![1.0; 4]));
        let odd: Vec<f64> = (0..9).map(|t| [0.0, 3.0, 6.0][t % 3]).collect();
        assert_eq!(seasonal_index(&odd, 3, 0), Some(vec![0.0, 1.0, 2.0]));
        assert_eq!(seasonal_index(&[-1.0; 8], 4, 0), None);
    }

    proptest! {
        #[test]
        fn indices_average_one(
            values in prop::collection::vec(0.1..1e6, 8..60),
            season in 2_usize..13,
        ) {
            let indices = seasonal_index(&values, season, 0).expect("positive values");
            prop_assert_eq!(indices.len(), season);
            let mean = indices.iter().sum::<f64>() / season as f64;
            prop_assert!((mean - 1.0).abs() < 1e-9);
        }
    }
}
