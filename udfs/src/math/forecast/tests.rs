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
        which in 0_usize..13, horizon in 1_usize..20,
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
        series in prop::collection::vec(1.0..1e4, 6..30), which in 0_usize..13,
        factor in prop::sample::select(vec![1024.0, 0.125, 3.7, 1e-6]),
    ) {
        let method = Method::ALL[which];
        let plain = run(&series, 6, method, 0.8, 4);
        let scaled: Vec<f64> = series.iter().map(|value| value * factor).collect();
        let scaled = run(&scaled, 6, method, 0.8, 4);
        prop_assert_eq!(plain.method, scaled.method);
        for (a, b) in plain.values.iter().zip(&scaled.values) {
            // Another rounding may end a search one neighbour further.
            prop_assert!((a * factor - b).abs() <= 0.01 * b.abs().max(factor * 10.0), "{a} {b}");
        }
    }

    #[test]
    fn a_shifted_series_has_a_shifted_forecast(
        series in prop::collection::vec(-1e3..1e3, 6..30),
        which in prop::sample::select(vec![0_usize, 1, 2, 3, 4, 5, 6, 7, 9, 10, 12]),
    ) {
        // The ensemble takes no logarithms here: there are values below zero before and after.
        let method = Method::ALL[which];
        let series: Vec<f64> = series.into_iter().chain([-2e3]).collect();
        let plain = run(&series, 6, method, 0.8, 4);
        let shifted: Vec<f64> = series.iter().map(|value| value + 512.0).collect();
        let shifted = run(&shifted, 6, method, 0.8, 4);
        for (a, b) in plain.values.iter().zip(&shifted.values) {
            prop_assert!((a + 512.0 - b).abs() <= 20.0, "{} {a} {b}", method.name());
        }
    }

    #[test]
    fn a_longer_forecast_begins_like_a_shorter(
        series in prop::collection::vec(0.0..1e3, 1..60), short in 1_usize..6,
    ) {
        let few = forecast(&series, short, None, 0.8, 4).expect("not empty");
        let many = forecast(&series, 24, None, 0.8, 4).expect("not empty");
        prop_assert_eq!(&few.values[..], &many.values[..short]);
        prop_assert_eq!(&few.upper[..], &many.upper[..short]);
        prop_assert_eq!(few.method, many.method);
    }

    #[test]
    fn any_numbers_have_finite_forecasts(
        series in prop::collection::vec(any::<f64>(), 0..40), which in 0_usize..14,
        season in prop::sample::select(vec![1_usize, 4, 7, 12]),
    ) {
        let method = Method::ALL.get(which).copied();
        check(&series, method, season);
    }
}

/// Every number of the forecast is finite, and its interval holds it.
fn check(series: &[f64], method: Option<Method>, season: usize) {
    let Some(done) = forecast(series, 14, method, 0.95, season) else {
        assert!(series.iter().all(|value| !value.is_finite()));
        return;
    };
    assert_eq!(done, forecast(series, 14, method, 0.95, season).expect("the same again"));
    for step in 0..14 {
        assert!(done.values[step].is_finite(), "{method:?} {series:?}");
        if let (Some(low), Some(high)) = (done.lower[step], done.upper[step]) {
            assert!(low.is_finite() && high.is_finite(), "{method:?} {series:?}");
            assert!(low <= done.values[step] && done.values[step] <= high);
        }
    }
    let info = info(series, method, season).expect("not empty");
    assert_eq!((info.method, info.status), (done.method, done.status));
    assert!(info.mase.is_none_or(|mase| mase.is_finite() && mase >= 0.0));
}

fn noisy(count: usize) -> Vec<f64> {
    (0..count).map(|t| 15.0 + (t * 7 % 5) as f64 - 0.7 * (t * 3 % 4) as f64).collect()
}

#[test]
fn edge_series() {
    let mut spiked = noisy(48);
    spiked[47] = 1e6;
    let intermittent: Vec<f64> =
        (0..40).map(|t| if t % 5 == 0 { f64::from(t % 3 + 1) } else { 0.0 }).collect();
    let mut holes = noisy(30);
    (holes[0], holes[7], holes[29]) = (f64::NAN, f64::INFINITY, f64::NEG_INFINITY);
    let mut edges: Vec<Vec<f64>> = (0..7).map(noisy).collect();
    edges.extend([
        vec![5.0; 40],
        vec![0.0; 40],
        holes,
        vec![f64::NAN; 9],
        noisy(40).iter().map(|value| value * 1e300).collect(),
        noisy(40).iter().map(|value| value * 1e-300).collect(),
        noisy(40).iter().map(|value| -value).collect(),
        (0..40).map(|t| if t % 2 == 0 { f64::MAX } else { f64::MIN }).collect(),
        intermittent,
        spiked,
        (0..2_000).map(|t| f64::from(t).sin()).collect(),
    ]);
    for series in &edges {
        for method in Method::ALL.into_iter().map(Some).chain([None]) {
            check(series, method, 12);
        }
    }
}

#[test]
fn a_spike_at_the_end_does_not_carry_the_forecast_away() {
    for count in [8, 24, 48, 120] {
        let mut series = noisy(count);
        series[count - 1] = 1e6;
        let done = forecast(&series, 12, None, 0.95, 12).expect("not empty");
        assert_eq!(done.status, Status::OutlierGuarded);
        assert!(done.values.iter().all(|value| *value < 45.0), "{:?}", done.values);
    }
    let mut level = noisy(48);
    level[45..].iter_mut().for_each(|value| *value += 1000.0);
    let done = forecast(&level, 3, None, 0.95, 12).expect("not empty");
    assert!(done.values[0] > 500.0, "three values are a new level: {:?}", done.values);
}

#[test]
fn what_auto_takes() {
    let plan = |series: &[f64], season: usize| {
        let done = forecast(series, 3, None, 0.8, season).expect("not empty");
        (done.method, done.status)
    };
    assert_eq!(plan(&[7.0], 12), (Method::Naive, Status::ShortHistory));
    assert_eq!(plan(&[7.0, 9.0, 8.0], 12), (Method::Naive, Status::ShortHistory));
    assert_eq!(plan(&[7.0; 9], 12), (Method::Naive, Status::Constant));
    assert_eq!(plan(&[0.0; 9], 12), (Method::Naive, Status::Constant));
    let rare = [0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 2.0, 0.0];
    assert_eq!(plan(&rare, 12), (Method::Tsb, Status::Intermittent));
    assert_eq!(plan(&noisy(30), 12), (Method::Ensemble, Status::Ok));
    let done = forecast(&rare, 2, None, 0.8, 12).expect("not empty");
    assert!(done.values[0] > 0.0 && done.values[0] < 2.0 && done.values[0] == done.values[1]);
}

#[test]
fn a_short_history_is_in_doubt() {
    let done = forecast(&[10.0, 12.0], 2, None, 0.8, 1).expect("not empty");
    let half = done.upper[0].expect("known") - 12.0;
    // Student's 90 % point of three degrees of freedom, times the one change there is.
    assert!((half - 2.0 * 1.6377).abs() < 0.02, "{half}");
    assert!((conformal::student(1.959_964, 5.0) - 2.5706).abs() < 0.005);
    assert!((conformal::student(1.959_964, 30.0) - 2.0423).abs() < 1e-4);
}

#[test]
fn a_line_with_a_season_is_met() {
    let wanted = |t: i32| 10.0 + 2.0 * f64::from(t) + [5.0, -3.0, 0.0, -2.0][t as usize % 4];
    let series: Vec<f64> = (0..13).map(wanted).collect();
    let done = run(&series, 6, Method::LinearSeason, 0.8, 4);
    let next: Vec<f64> = (13..19).map(wanted).collect();
    close(&done.values, &next, 1e-9);
    assert_eq!(done.method, Method::LinearSeason);
    let line = run(&[1.0, 3.0, 5.0, 7.0], 2, Method::LinearSeason, 0.8, 1);
    close(&line.values, &[9.0, 11.0], 1e-12);
    // Residuals 0.1, -0.2, 0.1 about 1 + 0.95 t: σ √(1 + 1/3 + 2²/2) at the next place.
    let line = run(&[1.05, 1.7, 2.95], 1, Method::LinearSeason, 0.8, 1);
    let half = (line.upper[0].expect("known") - line.values[0]) / normal::half_width(0.8);
    assert!((half - 0.06_f64.sqrt() * (1.0 + 1.0 / 3.0 + 2.0_f64).sqrt()).abs() < 1e-9, "{half}");
}

#[test]
fn holt_winters_needs_two_seasons() {
    let two = run(&QUARTERS, 4, Method::HoltWinters, 0.8, 4);
    assert_eq!((two.method, two.status), (Method::HoltWinters, Status::Ok));
    let plain = run(&QUARTERS, 4, Method::SeasonalNaiveDrift, 0.8, 4);
    let half = |done: &Forecast| done.upper[0].expect("known") - done.values[0];
    assert!((half(&two) - half(&plain)).abs() < 1e-9, "the start used up the history");
    let one = run(&QUARTERS[..7], 1, Method::HoltWinters, 0.8, 4);
    assert_eq!((one.method, one.status), (Method::Drift, Status::ShortHistory));
    let growing: Vec<f64> =
        (0..16).map(|t| (10.0 + f64::from(t)) * [1.2, 0.8, 1.1, 0.9][t as usize % 4]).collect();
    let done = run(&growing, 4, Method::HoltWintersMul, 0.8, 4);
    close(&done.values, &[31.2, 21.6, 30.8, 26.1], 0.6);
    let below: Vec<f64> = growing.iter().map(|value| value - 15.0).collect();
    let done = run(&below, 4, Method::HoltWintersMul, 0.8, 4);
    assert_eq!((done.method, done.status), (Method::HoltWinters, Status::NotPositive));
}
