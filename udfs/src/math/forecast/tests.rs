//! Worked numbers and laws of the forecasts.

use proptest::prelude::*;

use super::*;

const QUARTERS: [f64; 8] = [100.0, 120.0, 110.0, 150.0, 110.0, 132.0, 121.0, 165.0];

fn run(series: &[f64], horizon: usize, method: Method, level: f64, season: usize) -> Forecast {
    forecast(series, horizon, Some(method), level, season).expect("not empty")
}

fn close(found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len());
    for (a, b) in found.iter().zip(wanted) {
        assert!((a - b).abs() <= tolerance, "{found:?} is not {wanted:?}");
    }
}

#[test]
fn seasonal_naive_as_worked() {
    let done = run(&QUARTERS, 5, Method::SeasonalNaive, 0.95, 4);
    close(&done.values, &[110.0, 132.0, 121.0, 165.0, 110.0], 0.0);
    close(&[done.lower[0].expect("known"), done.upper[0].expect("known")], &[86.20, 133.80], 0.005);
    close(&[done.lower[4].expect("known"), done.upper[4].expect("known")], &[76.34, 143.66], 0.005);
}

#[test]
fn seasonal_naive_with_drift_as_worked() {
    let done = run(&QUARTERS, 4, Method::SeasonalNaiveDrift, 0.95, 4);
    close(&done.values, &[122.0, 144.0, 133.0, 177.0], 1e-12);
}

#[test]
fn drift_as_worked() {
    let done = run(&[10.0, 12.0, 11.0, 15.0, 14.0], 3, Method::Drift, 0.8, 1);
    close(&done.values, &[15.0, 16.0, 17.0], 1e-12);
    let z = normal::half_width(0.8);
    let halves: Vec<f64> =
        done.upper.iter().zip(&done.values).map(|(u, v)| (u.expect("known") - v) / z).collect();
    close(&halves, &[2.739, 4.243, 5.612], 5e-4);
}

#[test]
fn short_and_constant_series() {
    assert_eq!(forecast(&[], 3, None, 0.8, 12), None);
    let one = forecast(&[7.0], 2, None, 0.8, 12).expect("not empty");
    assert_eq!((one.method, one.values, one.lower), (Method::Naive, vec![7.0; 2], vec![None; 2]));
    let short = run(&[1.0, 2.0, 3.0], 1, Method::HoltWinters, 0.8, 12);
    assert_eq!((short.method, short.values), (Method::Drift, vec![4.0]));
    for method in Method::ALL {
        let flat = run(&[5.0; 30], 3, method, 0.8, 4);
        close(&flat.values, &[5.0; 3], 1e-9);
        close(&[flat.lower[2].expect("known"), flat.upper[2].expect("known")], &[5.0, 5.0], 1e-6);
    }
}

#[test]
fn the_choice_sees_trend_and_season() {
    let trend: Vec<f64> = (0..24).map(|t| 100.0 + 3.0 * f64::from(t)).collect();
    let done = forecast(&trend, 3, None, 0.8, 12).expect("not empty");
    close(&done.values, &[172.0, 175.0, 178.0], 1e-6);
    let seasonal: Vec<f64> =
        (0..48).map(|t| 100.0 + f64::from(t) + 20.0 * f64::from(t % 12 == 11)).collect();
    let done = forecast(&seasonal, 12, None, 0.8, 12).expect("not empty");
    let wanted: Vec<f64> =
        (48..60).map(|t| 100.0 + f64::from(t) + 20.0 * f64::from(t % 12 == 11)).collect();
    close(&done.values, &wanted, 1.0);
}

#[test]
fn names_read_back() {
    for method in Method::ALL {
        assert_eq!(Method::parse(method.name()), Ok(Some(method)));
    }
    assert_eq!(Method::parse("auto"), Ok(None));
    assert!(Method::parse("prophet").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn intervals_hold_their_forecast_and_do_not_shrink(
        series in prop::collection::vec(-1e6..1e6, 2..40),
        which in 0_usize..8, horizon in 1_usize..20,
    ) {
        let done = run(&series, horizon, Method::ALL[which], 0.8, 4);
        let mut before = 0.0;
        for step in 0..horizon {
            prop_assert!(done.values[step].is_finite());
            if let (Some(low), Some(high)) = (done.lower[step], done.upper[step]) {
                prop_assert!(low <= done.values[step] && done.values[step] <= high);
                prop_assert!(high - low >= before * (1.0 - 1e-9));
                before = high - low;
            }
        }
    }

    #[test]
    fn a_scaled_series_has_a_scaled_forecast(
        series in prop::collection::vec(1.0..1e4, 6..30), which in 0_usize..8,
    ) {
        let method = Method::ALL[which];
        let plain = run(&series, 6, method, 0.8, 4);
        let doubled: Vec<f64> = series.iter().map(|v| v * 1024.0).collect();
        let scaled = run(&doubled, 6, method, 0.8, 4);
        for (a, b) in plain.values.iter().zip(&scaled.values) {
            prop_assert!((a * 1024.0 - b).abs() <= 1e-9 * b.abs().max(1.0));
        }
    }
}
