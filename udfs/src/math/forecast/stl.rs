//! The season of a series by STL: season and trend take turns, each smoothed by local regression.
//!
//! The places of a series lie equally far apart and no value is weighed down, so what a local
//! regression makes of the values depends on their places alone: its weights are worked out once
//! for all series of a length.
//!
//! Source: R. B. Cleveland, W. S. Cleveland, J. E. McRae and I. Terpenning, STL: A Seasonal-Trend
//! Decomposition Procedure Based on Loess, 1990.

/// Turns of season and trend.
const ROUNDS: usize = 2;

/// STL for series of one length and one season.
pub(super) struct Stl {
    count: usize,
    season: usize,
    /// Over the values of one place in the season: of those that the last cycle has, of the others.
    cycles: [Loess; 2],
    low_pass: Loess,
    trend: Loess,
}

/// The degree of a local regression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Degree {
    Constant,
    Line,
}

/// Local regression over places 0 to n-1: fitted at some of them, straight between those.
struct Loess {
    fits: Vec<Fit>,
    /// Weights, each with the place in them that they are for.
    kernels: Vec<(f64, Vec<f64>)>,
}

/// The value at `place` is that of a kernel laid on the values from `from` on.
struct Fit {
    place: usize,
    from: usize,
    kernel: usize,
}

impl Stl {
    /// For series of `count` values; `None` below two seasons.
    pub(super) fn new(count: usize, season: usize) -> Option<Self> {
        if season < 2 || count < 2 * season {
            return None;
        }
        let span = if season == 4 { 7 } else { 11 };
        let cycles = [count.div_ceil(season), count / season];
        let trend = (3 * season * span).div_ceil(2 * span - 3);
        Some(Self {
            count,
            season,
            cycles: cycles.map(|cycles| Loess::with_ends(cycles, span, Degree::Constant)),
            low_pass: Loess::new(count, odd(season.max(3)), Degree::Line),
            trend: Loess::new(count, odd(trend.max(3)), Degree::Line),
        })
    }

    /// The season of `series`, which has the length this was made for.
    pub(super) fn season_of(&self, series: &[f64]) -> Vec<f64> {
        let (count, season) = (self.count, self.season);
        let mut seasonal = vec![0.0; count];
        let mut trend = vec![0.0; count];
        // One cycle more at either end.
        let mut wide = vec![0.0; count + 2 * season];
        let (mut own, mut smooth) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            for place in 0..season {
                own.clear();
                own.extend((place..count).step_by(season).map(|at| series[at] - trend[at]));
                let is_longer = place < count % season;
                self.cycles[usize::from(!is_longer)].smooth(&own, &mut smooth);
                for (at, value) in wide[place..].iter_mut().step_by(season).zip(&smooth) {
                    *at = *value;
                }
            }
            let level = moving_mean(&moving_mean(&moving_mean(&wide, season), season), 3);
            self.low_pass.smooth(&level, &mut smooth);
            for (at, value) in seasonal.iter_mut().enumerate() {
                *value = wide[season + at] - smooth[at];
            }
            if round + 1 < ROUNDS {
                own.clear();
                own.extend(series.iter().zip(&seasonal).map(|(value, season)| value - season));
                self.trend.smooth(&own, &mut trend);
            }
        }
        seasonal
    }
}

impl Loess {
    /// Looks at `span` of `count` values at once; every tenth of a span is fitted.
    fn new(count: usize, span: usize, degree: Degree) -> Self {
        let mut made = Self { fits: vec![], kernels: vec![] };
        let step = span.div_ceil(10).min(count - 1).max(1);
        let places = (0..count - 1).step_by(step).chain([count - 1]);
        for place in places {
            let from = (place + 1).saturating_sub(span.div_ceil(2));
            let from = from.min(count.saturating_sub(span));
            made.add(place, place as f64, from, (count, span, degree));
        }
        made
    }

    /// As [`Loess::new`], with a value before the first and one after the last.
    fn with_ends(count: usize, span: usize, degree: Degree) -> Self {
        let Self { mut fits, kernels } = Self::new(count, span, degree);
        fits.iter_mut().for_each(|fit| fit.place += 1);
        let mut made = Self { fits: vec![], kernels };
        made.add(0, -1.0, 0, (count, span, degree));
        made.fits.append(&mut fits);
        made.add(count + 1, count as f64, count.saturating_sub(span), (count, span, degree));
        made
    }

    fn add(&mut self, place: usize, at: f64, from: usize, of: (usize, usize, Degree)) {
        let offset = at - from as f64;
        // In the middle all are the same.
        if self.kernels.last().is_none_or(|(known, _)| *known != offset) {
            self.kernels.push((offset, kernel(offset, of)));
        }
        self.fits.push(Fit { place, from, kernel: self.kernels.len() - 1 });
    }

    fn smooth(&self, values: &[f64], smooth: &mut Vec<f64>) {
        smooth.clear();
        for fit in &self.fits {
            let (_, kernel) = &self.kernels[fit.kernel];
            let pairs = kernel.iter().zip(&values[fit.from..]);
            let value: f64 = pairs.map(|(weight, value)| weight * value).sum();
            if let Some(before) = smooth.last().copied() {
                let steps = fit.place + 1 - smooth.len();
                let slope = (value - before) / steps as f64;
                smooth.extend((1..steps).map(|step| before + slope * step as f64));
            }
            smooth.push(value);
        }
    }
}

/// Weights of the values that are looked at for the regression at `at`, a place counted from the
/// first of them.
fn kernel(at: f64, (count, span, degree): (usize, usize, Degree)) -> Vec<f64> {
    let width = span.min(count);
    let reach = at.max((width - 1) as f64 - at) + (span.saturating_sub(count) / 2) as f64;
    let mut weights: Vec<f64> = (0..width)
        .map(|place| match (place as f64 - at).abs() {
            far if far > 0.999 * reach => 0.0,
            near if near <= 0.001 * reach => 1.0,
            distance => (1.0 - (distance / reach).powi(3)).powi(3),
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    if degree == Degree::Line {
        let places = || (0..width).map(|place| place as f64);
        let middle: f64 = weights.iter().zip(places()).map(|(weight, place)| weight * place).sum();
        let offsets = || places().map(|place| place - middle);
        let spread: f64 = weights.iter().zip(offsets()).map(|(weight, x)| weight * x * x).sum();
        if spread.sqrt() > 0.001 * (count - 1) as f64 {
            let slope = (at - middle) / spread;
            for (weight, offset) in weights.iter_mut().zip(offsets()) {
                *weight *= slope * offset + 1.0;
            }
        }
    }
    weights
}

/// Means of `width` neighbours, `width - 1` fewer than there are values.
fn moving_mean(values: &[f64], width: usize) -> Vec<f64> {
    let mut sum: f64 = values[..width].iter().sum();
    let first = [sum / width as f64];
    let others = values.iter().zip(&values[width..]).map(|(gone, new)| {
        sum += new - gone;
        sum / width as f64
    });
    first.into_iter().chain(others).collect()
}

/// The next odd number.
fn odd(number: usize) -> usize {
    number | 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn seasons_are_those_of_the_reference(
            season in prop::sample::select(vec![2, 3, 4, 5, 7, 12, 13, 24, 52]),
            cycles in 2..9_usize,
            more in 0..52_usize,
            seed in 0..u32::MAX,
        ) {
            let count = season * cycles + more % season;
            let noise = |at: usize| (seed as usize + at * at * 7919) % 97;
            let series: Vec<f64> =
                (0..count).map(|at| (3 * at + 40 * (at % season) + noise(at)) as f64).collect();
            let span = if season == 4 { 7 } else { 11 };
            let reference = stlrs::Stl::params().seasonal_length(span).fit(&series, season);
            let ours = Stl::new(count, season).expect("two seasons").season_of(&series);
            for (at, theirs) in reference.expect("two seasons").seasonal().iter().enumerate() {
                prop_assert!((ours[at] - theirs).abs() < 1e-8, "{at}: {} {theirs}", ours[at]);
            }
        }
    }

    #[test]
    fn less_than_two_seasons_have_none() {
        assert!(Stl::new(23, 12).is_none() && Stl::new(9, 1).is_none());
        assert!(Stl::new(24, 12).is_some());
    }
}
