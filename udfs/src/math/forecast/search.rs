//! The least of a function of a few parameters, several candidates at a time.
//!
//! Smoothing a series is one long chain of dependent steps; running [`LANES`] candidates abreast
//! costs little more than one.

/// Candidates abreast.
pub(super) const LANES: usize = 8;
/// One number for each candidate.
pub(super) type Lane = [f64; LANES];

/// Where to look: a first grid, bounds, and the step around the best of the grid.
pub(super) struct Space<const P: usize> {
    /// Lowest values.
    pub low: [f64; P],
    /// Highest values.
    pub high: [f64; P],
    /// Distance to the first neighbours; halved when none of them is better.
    pub step: [f64; P],
    /// Rounds of neighbours.
    pub rounds: usize,
}

/// The candidate of the least cost: the best of `grid`, then of its neighbours, ever nearer.
///
/// Deterministic; a cost that is not a number never wins.
pub(super) fn least<const P: usize>(
    grid: &[[f64; P]],
    space: &Space<P>,
    cost: impl Fn(&[Lane; P]) -> Lane,
) -> [f64; P] {
    let mut best = (grid.first().copied().unwrap_or(space.low), f64::INFINITY);
    for chunk in grid.chunks(LANES) {
        better(&mut best, chunk, &cost);
    }
    let mut step = space.step;
    for _ in 0..space.rounds {
        let around = neighbours(&best.0, &step, space);
        if !better(&mut best, &around, &cost) {
            step.iter_mut().for_each(|width| *width /= 2.0);
        }
    }
    best.0
}

/// Tries up to [`LANES`] candidates; says whether one of them is better than `best`.
fn better<const P: usize>(
    best: &mut ([f64; P], f64),
    candidates: &[[f64; P]],
    cost: &impl Fn(&[Lane; P]) -> Lane,
) -> bool {
    let Some(last) = candidates.last() else { return false };
    let at = |lane: usize| candidates.get(lane).unwrap_or(last);
    let lanes: [Lane; P] = std::array::from_fn(|p| std::array::from_fn(|lane| at(lane)[p]));
    let before = best.1;
    for (lane, cost) in cost(&lanes).into_iter().enumerate() {
        if cost < best.1 {
            *best = (*at(lane), cost);
        }
    }
    best.1 < before
}

/// Both ways along each parameter, then along the diagonals, as many as there are lanes.
fn neighbours<const P: usize>(
    centre: &[f64; P],
    step: &[f64; P],
    space: &Space<P>,
) -> [[f64; P]; LANES] {
    std::array::from_fn(|lane| {
        let mut moved = *centre;
        let sign = if lane % 2 == 0 { 1.0 } else { -1.0 };
        if P == 1 {
            // One parameter: four distances either way.
            moved[0] += sign * step[0] * (lane / 2 + 1) as f64 / 4.0;
        } else if lane / 2 < P {
            moved[lane / 2] += sign * step[lane / 2];
        } else {
            let against = if lane / 2 % 2 == 0 { 1.0 } else { -1.0 };
            moved[0] += sign * step[0];
            moved[1] += sign * against * step[1];
        }
        std::array::from_fn(|p| moved[p].clamp(space.low[p], space.high[p]))
    })
}
