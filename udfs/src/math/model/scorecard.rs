//! A scorecard: logistic regression on bins, every bin with points of its own, held small by a ridge.

use super::sigmoid;

/// Most Newton steps of a fit.
const STEPS_MAX: usize = 25;
/// Largest change of a weight in one step.
const CHANGE_MAX: f64 = 3.0;
/// Change below which a fit is done.
const DONE: f64 = 1e-6;

/// Rows as bins: one column of bin numbers a feature, and how many bins each has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Design {
    pub codes: Vec<Vec<u16>>,
    /// Place of the first bin of each feature among all bins; one more at the end.
    pub offsets: Vec<usize>,
    /// Neighbouring bins whose points should not differ by much.
    pub neighbours: Vec<(usize, usize)>,
}

impl Design {
    pub(crate) fn new(codes: Vec<Vec<u16>>, sizes: &[usize], is_ordered: &[bool]) -> Self {
        let mut offsets = vec![0];
        let mut neighbours = vec![];
        for (size, is_ordered) in sizes.iter().zip(is_ordered) {
            let start = offsets[offsets.len() - 1];
            if *is_ordered {
                neighbours.extend((1..size.saturating_sub(1)).map(|b| (start + b, start + b + 1)));
            }
            offsets.push(start + size);
        }
        Self { codes, offsets, neighbours }
    }

    pub(crate) fn width(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    /// Places of a row's bins among all bins, into `places`.
    fn places(&self, row: usize, places: &mut [usize]) {
        for (place, (codes, offset)) in places.iter_mut().zip(self.codes.iter().zip(&self.offsets))
        {
            *place = offset + codes[row] as usize;
        }
    }
}

/// Points of every bin, and the logit of a row without any.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights {
    pub points: Vec<f64>,
    pub intercept: f64,
}

impl Weights {
    pub(crate) fn logit(&self, design: &Design, row: usize) -> f64 {
        let codes = design.codes.iter().zip(&design.offsets);
        self.intercept + codes.map(|(c, o)| self.points[o + c[row] as usize]).sum::<f64>()
    }
}

/// Weights that minimise the logistic loss of `rows` plus `lambda / 2 · Σ points²`, and as much for
/// the steps between neighbouring bins; by Newton's method from `start`.
pub(crate) fn fit(
    design: &Design,
    labels: &[bool],
    rows: &[usize],
    lambda: f64,
    start: &Weights,
) -> Weights {
    let width = design.width();
    let size = width + 1;
    let mut weights = start.points.clone();
    weights.push(start.intercept);
    for _ in 0..STEPS_MAX {
        let (mut hessian, mut gradient) = curvature(design, labels, rows, &weights);
        for at in 0..width {
            gradient[at] -= lambda * weights[at];
            hessian[at * size + at] += lambda;
        }
        for (a, b) in &design.neighbours {
            let step = lambda * (weights[*b] - weights[*a]);
            gradient[*a] += step;
            gradient[*b] -= step;
            hessian[a * size + a] += lambda;
            hessian[b * size + b] += lambda;
            hessian[b * size + a] -= lambda;
        }
        hessian[size * size - 1] += 1e-9;
        solve(&mut hessian, &mut gradient, size);
        let largest = gradient.iter().fold(0.0_f64, |most, change| most.max(change.abs()));
        let scale = if largest > CHANGE_MAX { CHANGE_MAX / largest } else { 1.0 };
        weights.iter_mut().zip(&gradient).for_each(|(weight, change)| *weight += scale * change);
        if largest < DONE {
            break;
        }
    }
    let intercept = weights.pop().unwrap_or(0.0);
    Weights { points: weights, intercept }
}

/// Hessian (lower triangle) and gradient of the loss at `weights`, the last of which is the intercept.
fn curvature(
    design: &Design,
    labels: &[bool],
    rows: &[usize],
    weights: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let size = weights.len();
    let mut hessian = vec![0.0; size * size];
    let mut gradient = vec![0.0; size];
    let mut places = vec![size - 1; design.codes.len() + 1];
    let features = design.codes.len();
    for row in rows {
        design.places(*row, &mut places[..features]);
        let z: f64 = places.iter().map(|place| weights[*place]).sum();
        let p = sigmoid(z);
        let error = f64::from(u8::from(labels[*row])) - p;
        let spread = (p * (1.0 - p)).max(1e-6);
        for (at, a) in places.iter().enumerate() {
            gradient[*a] += error;
            // Places rise from feature to feature, so that these are below the diagonal.
            let line = &mut hessian[a * size..][..size];
            places[..=at].iter().for_each(|b| line[*b] += spread);
        }
    }
    (hessian, gradient)
}

/// Solves `matrix · x = vector` for a positive matrix given by its lower triangle; `vector` becomes x.
fn solve(matrix: &mut [f64], vector: &mut [f64], size: usize) {
    for i in 0..size {
        for j in 0..=i {
            let (above, below) = matrix.split_at_mut(i * size);
            let row = &mut below[..size];
            let other = if j == i { &row[..j] } else { &above[j * size..][..j] };
            let dot: f64 = other.iter().zip(&row[..j]).map(|(a, b)| a * b).sum();
            let rest = row[j] - dot;
            row[j] = if i == j { rest.max(1e-12).sqrt() } else { rest / above[j * size + j] };
        }
    }
    for i in 0..size {
        let dot: f64 = (0..i).map(|k| matrix[i * size + k] * vector[k]).sum();
        vector[i] = (vector[i] - dot) / matrix[i * size + i];
    }
    for i in (0..size).rev() {
        vector[i] /= matrix[i * size + i];
        let value = vector[i];
        for k in 0..i {
            vector[k] -= matrix[i * size + k] * value;
        }
    }
}
