//! Series that are zero most of the time: how often something comes, and how much.
//!
//! Source: R. H. Teunter, A. A. Syntetos and M. Z. Babai, Intermittent Demand: Linking Forecasting
//! to Inventory Obsolescence, 2011.

use super::search::{LANES, Lane, Space, least};

/// Whether more than half of the values are zero, and not all.
pub(super) fn is_intermittent(series: &[f64]) -> bool {
    let zeros = series.iter().filter(|value| **value == 0.0).count();
    2 * zeros > series.len() && zeros < series.len()
}

/// The TSB method: smoothed chance of a value, times smoothed size of the values; the same at every
/// step.
pub(super) fn tsb(series: &[f64], horizon: usize) -> Vec<f64> {
    let values: Vec<f64> = series.iter().copied().filter(|value| *value != 0.0).collect();
    if values.is_empty() {
        return vec![0.0; horizon];
    }
    let start = (
        values.len() as f64 / series.len() as f64,
        values.iter().sum::<f64>() / values.len() as f64,
    );
    const GRID: [[f64; 2]; 8] = [
        [0.02, 0.02],
        [0.02, 0.1],
        [0.05, 0.05],
        [0.1, 0.02],
        [0.1, 0.1],
        [0.1, 0.2],
        [0.2, 0.1],
        [0.3, 0.2],
    ];
    // Fast smoothing follows single orders: the weights stay small.
    let space = Space { low: [0.01, 0.01], high: [0.3, 0.3], step: [0.05, 0.05], rounds: 5 };
    let [chance_weight, size_weight] = least(&GRID, &space, |weights| {
        let (mut chance, mut size): (Lane, Lane) = ([start.0; LANES], [start.1; LANES]);
        let mut cost: Lane = [0.0; LANES];
        for value in series {
            let came = f64::from(u8::from(*value != 0.0));
            for lane in 0..LANES {
                let error = value - chance[lane] * size[lane];
                cost[lane] += error * error;
                chance[lane] += weights[0][lane] * (came - chance[lane]);
                size[lane] += weights[1][lane] * came * (value - size[lane]);
            }
        }
        cost
    });
    let (mut chance, mut size) = start;
    for value in series {
        let came = f64::from(u8::from(*value != 0.0));
        chance += chance_weight * (came - chance);
        size += size_weight * came * (value - size);
    }
    vec![chance * size; horizon]
}
