//! Training: bins, the penalty chosen by cross-validation, the gate against the base rate, warnings.

use serde::{Deserialize, Serialize};

use super::bins::Bins;
use super::quality::auc;
use super::scorecard::{Design, Weights, fit};
use super::table::{Ranked, Sorted, Table, fold};
use super::{FORMAT, Feature, Model, Status, logit, loss, rounded, sigmoid};
use crate::math::Fault;

/// How a model is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Logistic regression on bins.
    Scorecard,
}

impl Method {
    /// The method called `name`.
    ///
    /// # Errors
    /// Another name.
    pub fn parse(name: &str) -> Result<Self, Fault> {
        match name {
            "scorecard" => Ok(Self::Scorecard),
            other => Err(Fault(format!("method must be scorecard, got \"{other}\""))),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        "scorecard"
    }
}

/// Bins of a number.
const BINS: usize = 24;
/// Inner folds.
const FOLDS: usize = 4;
/// Most rows that a penalty is tried on.
const TRIED_MAX: usize = 100_000;
/// Penalties to choose from, the largest first: it leaves nothing but the base rate.
const LAMBDAS: [f64; 8] = [1e7, 4_096.0, 1_024.0, 256.0, 64.0, 16.0, 4.0, 1.0];
/// Fewest rows of each outcome that anything can be learnt from.
const EACH_MIN: usize = 10;
/// Standard errors by which a model must beat the base rate: less is luck as often as not.
const GAIN_MIN: f64 = 2.0;
/// Area under the curve at which one feature alone is too good to be true.
const LEAK_AUC: f64 = 0.9;

/// Learns from the labelled rows of `table`.
pub fn train(table: &Table, method: Method, version: Option<String>) -> Model {
    let sorted = table.sorted();
    let (rows, positives) =
        (sorted.labels.len(), sorted.labels.iter().filter(|label| **label).count());
    let base_rate = if rows > 0 { positives as f64 / rows as f64 } else { 0.0 };
    let mut model = Model {
        format: FORMAT,
        method,
        version,
        status: Status::OneClass,
        rows,
        positives,
        unlabelled: sorted.unlabelled,
        base_rate,
        log_loss: None,
        base_log_loss: None,
        lambda: None,
        warnings: vec![],
        intercept: rounded(logit(base_rate)),
        features: vec![],
    };
    if positives == 0 || positives == rows {
        return model;
    }
    if positives.min(rows - positives) < EACH_MIN {
        model.status = Status::NoSignal;
        model.warnings =
            vec![format!("fewer than {EACH_MIN} rows of one outcome: too few to learn from")];
        return model;
    }
    let bins: Vec<Bins> = sorted.columns.iter().map(|column| Bins::of(column, BINS)).collect();
    let design = design(&sorted, &bins);
    model.warnings = warnings(&sorted, &design, base_rate);
    let trial = cross_validated(&design, &sorted.labels, base_rate);
    model.log_loss = Some(trial.log_loss);
    model.base_log_loss = Some(trial.base_log_loss);
    model.lambda = Some(trial.lambda);
    let is_better = trial.gain > GAIN_MIN * trial.gain_error;
    model.status = if is_better { Status::Ok } else { Status::NoSignal };
    let all: Vec<usize> = (0..rows).collect();
    let start = flat(&design, base_rate);
    let weights = if is_better {
        stretched(
            fit(&design, &sorted.labels, &all, trial.lambda, &start),
            trial.slope,
            trial.shift,
        )
    } else {
        start
    };
    model.intercept = weights.intercept;
    for (at, (name, bins)) in sorted.names.iter().zip(bins).enumerate() {
        let points = weights.points[design.offsets[at]..design.offsets[at + 1]].to_vec();
        model.features.push(Feature { name: name.clone(), bins, points });
    }
    model
}

fn design(sorted: &Sorted, bins: &[Bins]) -> Design {
    let codes = bins.iter().zip(&sorted.columns).map(|(bins, column)| bins.codes(column));
    let sizes: Vec<usize> = bins.iter().map(Bins::len).collect();
    let is_number = |column: &Ranked| matches!(column, Ranked::Numbers(_));
    let is_ordered: Vec<bool> = sorted.columns.iter().map(is_number).collect();
    Design::new(codes.collect(), &sizes, &is_ordered)
}

fn flat(design: &Design, base_rate: f64) -> Weights {
    let width = design.offsets[design.offsets.len() - 1];
    Weights { points: vec![0.0; width], intercept: logit(base_rate) }
}

fn stretched(mut weights: Weights, slope: f64, shift: f64) -> Weights {
    weights.points.iter_mut().for_each(|points| *points = rounded(*points * slope));
    weights.intercept = rounded(weights.intercept * slope + shift);
    weights
}

/// What cross-validation chose, and what it is worth.
struct Trial {
    lambda: f64,
    log_loss: f64,
    base_log_loss: f64,
    /// Mean gain over the base rate (nats a row), and its standard error.
    gain: f64,
    gain_error: f64,
    /// Logits are to be multiplied by this, and shifted by that, to be calibrated.
    slope: f64,
    shift: f64,
}

fn cross_validated(design: &Design, labels: &[bool], base_rate: f64) -> Trial {
    // Of very many rows, as many as a choice needs, evenly from all that there are.
    let step = labels.len().div_ceil(TRIED_MAX).max(1);
    let rows: Vec<usize> = (0..labels.len()).step_by(step).collect();
    let parts = |fold_at: usize| -> (Vec<usize>, Vec<usize>) {
        rows.iter().partition(|row| fold(**row, FOLDS) != fold_at)
    };
    let parts: Vec<_> = (0..FOLDS).map(parts).collect();
    let share = |rows: &[usize]| {
        rows.iter().filter(|row| labels[**row]).count() as f64 / f64::max(rows.len() as f64, 1.0)
    };
    let mut base = vec![0.0; labels.len()];
    for (train, test) in &parts {
        let rate = share(train);
        test.iter().for_each(|row| base[*row] = loss(labels[*row], rate));
    }
    let mut starts: Vec<Weights> = vec![flat(design, base_rate); FOLDS];
    let mut best: Option<(f64, f64, Vec<f64>)> = None;
    for lambda in LAMBDAS {
        let mut logits = vec![0.0; labels.len()];
        for ((train, test), start) in parts.iter().zip(&mut starts) {
            *start = fit(design, labels, train, lambda, start);
            test.iter().for_each(|row| logits[*row] = start.logit(design, *row));
        }
        let total: f64 = rows.iter().map(|row| loss(labels[*row], sigmoid(logits[*row]))).sum();
        if best.as_ref().is_none_or(|(least, ..)| total < *least) {
            best = Some((total, lambda, logits));
        } else if best.as_ref().is_some_and(|(least, ..)| total > least * 1.02) {
            break;
        }
    }
    let flat = || vec![logit(base_rate); labels.len()];
    let (_, lambda, logits) = best.unwrap_or_else(|| (0.0, LAMBDAS[0], flat()));
    let known: Vec<(f64, bool)> = rows.iter().map(|row| (logits[*row], labels[*row])).collect();
    let (slope, shift) = platt(&known);
    let gain_of = |row: &usize| base[*row] - loss(labels[*row], sigmoid(logits[*row]));
    let gains: Vec<f64> = rows.iter().map(gain_of).collect();
    let count = rows.len() as f64;
    let base_log_loss = rows.iter().map(|row| base[*row]).sum::<f64>() / count;
    let gain = gains.iter().sum::<f64>() / count;
    let spread: f64 = gains.iter().map(|each| (each - gain).powi(2)).sum();
    let gain_error = (spread / count / f64::max(count - 1.0, 1.0)).sqrt();
    let log_loss = base_log_loss - gain;
    Trial { lambda, log_loss, base_log_loss, gain, gain_error, slope, shift }
}

/// Slope and shift that calibrate logits best, by what came.
///
/// Source: J. Platt, 1999; without his smoothed targets, for rows are many.
fn platt(known: &[(f64, bool)]) -> (f64, f64) {
    let (mut slope, mut shift) = (1.0, 0.0);
    for _ in 0..20 {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
        for (z, label) in known {
            let p = sigmoid(slope * z + shift);
            let (error, spread) = (f64::from(u8::from(*label)) - p, p * (1.0 - p));
            ga += error * z;
            gb += error;
            haa += spread * z * z;
            hab += spread * z;
            hbb += spread;
        }
        let determinant = haa * hbb - hab * hab;
        if determinant <= 1e-12 {
            return (1.0, 0.0);
        }
        let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
        slope += da;
        shift += db;
        if da.abs() + db.abs() < 1e-9 {
            break;
        }
    }
    if slope.is_finite() && shift.is_finite() && slope > 0.0 { (slope, shift) } else { (1.0, 0.0) }
}

fn warnings(sorted: &Sorted, design: &Design, base_rate: f64) -> Vec<String> {
    let mut found = vec![];
    for (name, codes) in sorted.names.iter().zip(&design.codes) {
        let area = auc(&single(codes, &sorted.labels, base_rate)).unwrap_or(0.5);
        if area > LEAK_AUC {
            found.push(format!(
                "{name} alone tells the ends apart (area under the curve {area:.3}): \
                 was it written after the end was known?"
            ));
        }
    }
    for at in &sorted.never_open {
        let name = &sorted.names[*at];
        found.push(format!("{name} is missing in every row without a label: it will not help"));
    }
    found
}

/// Rate of each row's bin, with ten rows of the base rate mixed in, and its label; in order.
fn single(codes: &[u16], labels: &[bool], base_rate: f64) -> Vec<(f64, bool)> {
    let bins = codes.iter().max().map_or(0, |most| *most as usize + 1);
    let mut counts = vec![(10.0 * base_rate, 10.0); bins];
    for (code, label) in codes.iter().zip(labels) {
        let bin = &mut counts[*code as usize];
        *bin = (bin.0 + f64::from(u8::from(*label)), bin.1 + 1.0);
    }
    let rate = |code: &u16| counts[*code as usize].0 / counts[*code as usize].1;
    let mut pairs: Vec<(f64, bool)> = codes.iter().map(rate).zip(labels.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    pairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::table::Column;
    use super::*;

    /// Leads of which those from the fair convert in eight of ten cases, the others in two.
    fn leads(count: usize) -> Table {
        let rows = 0..count;
        let words = rows.clone().map(|row| (row % 3 < 2).then(|| ["fair", "web"][row % 3].into()));
        Table {
            names: vec!["source".into(), "visits".into()],
            columns: vec![
                Column::Words(words.collect()),
                Column::Numbers(rows.clone().map(|row| (row % 7) as f64).collect()),
            ],
            labels: rows.map(|row| Some(row % 10 < if row % 3 == 0 { 8 } else { 2 })).collect(),
        }
    }

    fn points(model: &Model, source: Option<&str>, visits: f64) -> f64 {
        let [words, numbers] = &model.features[..] else { panic!("two features") };
        words.points[words.bins.of_word(source)] + numbers.points[numbers.bins.of_number(visits)]
    }

    #[test]
    fn what_makes_leads_convert_is_found() {
        let model = train(&leads(900), Method::Scorecard, None);
        assert_eq!((model.status, model.rows, model.positives), (Status::Ok, 900, 360));
        let chance = |source| sigmoid(model.intercept + points(&model, source, 3.0));
        assert!((chance(Some("fair")) - 0.8).abs() < 0.05, "{}", chance(Some("fair")));
        assert!((chance(Some("web")) - 0.2).abs() < 0.05);
        assert_eq!(chance(Some("new")), chance(Some("newer")));
        let text = serde_json::to_string(&model).expect("a model is JSON");
        let read = Model::read(&text).expect("reads back");
        assert_eq!((read.intercept, read.features), (model.intercept, model.features));
    }

    #[test]
    fn too_few_and_one_outcome_are_told() {
        assert_eq!(train(&leads(20), Method::Scorecard, None).status, Status::NoSignal);
        let mut table = leads(60);
        table.labels.iter_mut().for_each(|label| *label = Some(true));
        assert_eq!(train(&table, Method::Scorecard, None).status, Status::OneClass);
        assert_eq!(train(&Table::default(), Method::Scorecard, None).status, Status::OneClass);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn neither_order_nor_batches_change_a_bit(cut in 0_usize..300, turn in 1_usize..300) {
            let whole = leads(300);
            let part = |from: usize, to: usize| Table {
                names: whole.names.clone(),
                columns: whole.columns.iter().map(|column| match column {
                    Column::Numbers(values) => Column::Numbers(values[from..to].to_vec()),
                    Column::Words(values) => Column::Words(values[from..to].to_vec()),
                }).collect(),
                labels: whole.labels[from..to].to_vec(),
            };
            let mut other = part(cut.max(turn), 300);
            other.append(part(cut.min(turn), cut.max(turn)));
            other.append(part(0, cut.min(turn)));
            let one = train(&whole, Method::Scorecard, None);
            let other = train(&other, Method::Scorecard, None);
            prop_assert_eq!(&one, &other);
            // Points are exact: their sum is the same in any order.
            let (a, b) = (one.features[0].points[2], one.features[1].points[1]);
            prop_assert_eq!((one.intercept + a) + b, one.intercept + (a + b));
        }

        #[test]
        fn any_numbers_are_learnt_from(values in prop::collection::vec(any::<f64>(), 60)) {
            let table = Table {
                names: vec!["x".into()],
                columns: vec![Column::Numbers(values.clone())],
                labels: (0..60).map(|row| Some(row % 3 == 0)).collect(),
            };
            let model = train(&table, Method::Scorecard, None);
            prop_assert!(model.intercept.is_finite());
            for value in values {
                let bin = model.features[0].bins.of_number(value);
                prop_assert!(model.features[0].points[bin].is_finite());
            }
        }
    }
}
