//! Training: bins, what cross-validation chooses, the gate against the base rate, calibration, warnings.

use serde::{Deserialize, Serialize};

use super::bins::Bins;
use super::calibration::platt;
use super::evidence::{Evidence, evidence, mean_points};
use super::quality;
use super::scorecard::{Design, Weights, fit};
use super::table::{Ranked, Sorted, Table, fold};
use super::trees::{self, Codes, Tree};
use super::{FORMAT, Feature, Model, Status, bayes, logit, loss, rounded, sigmoid};
use crate::math::Fault;

/// How a model is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Logistic regression on bins.
    Scorecard,
    /// Boosted trees.
    Gbdt,
    /// Shares of each bin among the rows of each end, as if features told nothing of each other.
    NaiveBayes,
}

impl Method {
    /// The method called `name`; `None` for `auto`.
    ///
    /// # Errors
    /// Another name.
    pub fn parse(name: &str) -> Result<Option<Self>, Fault> {
        match name {
            "auto" => Ok(None),
            "scorecard" => Ok(Some(Self::Scorecard)),
            "gbdt" => Ok(Some(Self::Gbdt)),
            "naive_bayes" => Ok(Some(Self::NaiveBayes)),
            other => Err(Fault(format!(
                "method must be auto, scorecard, gbdt or naive_bayes, got \"{other}\""
            ))),
        }
    }

    /// Standard errors by which it must beat the base rate: less is luck as often as not, and what
    /// can learn more by heart must beat it by more.
    fn gain_min(self) -> f64 {
        match self {
            Self::Gbdt => 3.0,
            Self::Scorecard | Self::NaiveBayes => 2.0,
        }
    }
}

/// Bins of a number, of a word with trees and without.
const BINS: usize = 24;
const WORDS_MAX: usize = 4_096;
/// Inner folds.
const FOLDS: usize = 4;
/// Most rows that a choice is tried on.
const TRIED_MAX: usize = 100_000;
/// Penalties to choose from, the largest first: it leaves nothing but the base rate.
const LAMBDAS: [f64; 8] = [1e7, 4_096.0, 1_024.0, 256.0, 64.0, 16.0, 4.0, 1.0];
/// Most trees, and how many without a gain are enough.
const TREES_MAX: usize = 400;
const PATIENCE: usize = 40;
/// Rows added to each bin by naive Bayes.
const ALPHA: f64 = 1.0;
/// Fewest rows of each outcome that anything can be learnt from.
const EACH_MIN: usize = 10;
/// Area under the curve at which one feature alone is too good to be true.
pub(crate) const LEAK_AUC: f64 = 0.9;

/// Learns from the labelled rows of `table`; without a `method` by trees if they do better than a
/// scorecard by more than a standard error, else by that.
pub fn train(table: &Table, method: Option<Method>, version: Option<String>) -> Model {
    let sorted = table.sorted();
    let (rows, positives) =
        (sorted.labels.len(), sorted.labels.iter().filter(|label| **label).count());
    let base_rate = if rows > 0 { positives as f64 / rows as f64 } else { 0.0 };
    let mut model = Model {
        format: FORMAT,
        method: method.unwrap_or(Method::Scorecard),
        version,
        status: Status::OneClass,
        rows,
        positives,
        unlabelled: sorted.unlabelled,
        base_rate,
        log_loss: None,
        base_log_loss: None,
        auc: None,
        brier: None,
        ece: None,
        trained_through: None,
        recalibrated: None,
        lambda: None,
        warnings: vec![],
        intercept: rounded(logit(base_rate)),
        features: vec![],
        trees: vec![],
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
    let folds = Folds::new(&sorted.labels);
    let task = Task { folds, evidence: said(&sorted, base_rate), sorted: &sorted, base_rate };
    model.warnings = task.warnings();
    let methods = method.map_or(vec![Method::Scorecard, Method::Gbdt], |method| vec![method]);
    let trials: Vec<Trial> = methods.into_iter().map(|method| task.trial(method)).collect();
    let chosen = task.best(&trials);
    model.method = chosen.method;
    model.log_loss = Some(chosen.worth.log_loss);
    model.base_log_loss = Some(chosen.worth.base_log_loss);
    (model.auc, model.brier) = (chosen.worth.auc, chosen.worth.brier);
    model.ece = chosen.worth.ece;
    model.status = if chosen.has_signal() { Status::Ok } else { Status::NoSignal };
    task.finish(chosen, &mut model);
    model
}

/// Rows by the fold they are in.
struct Folds {
    /// Of very many rows, as many as a choice needs, evenly from all that there are.
    rows: Vec<usize>,
    /// Rows that teach, and rows that are told, of each fold.
    parts: Vec<(Vec<usize>, Vec<usize>)>,
    /// Loss of the base rate at each row (nats).
    base: Vec<f64>,
}

impl Folds {
    fn new(labels: &[bool]) -> Self {
        let step = labels.len().div_ceil(TRIED_MAX).max(1);
        let rows: Vec<usize> = (0..labels.len()).step_by(step).collect();
        let part = |at: usize| rows.iter().partition(|row| fold(**row, FOLDS) != at);
        let parts: Vec<(Vec<usize>, Vec<usize>)> = (0..FOLDS).map(part).collect();
        let mut base = vec![0.0; labels.len()];
        for (taught, told) in &parts {
            let rate = share(labels, taught);
            told.iter().for_each(|row| base[*row] = loss(labels[*row], rate));
        }
        Self { rows, parts, base }
    }
}

fn share(labels: &[bool], rows: &[usize]) -> f64 {
    rows.iter().filter(|row| labels[**row]).count() as f64 / f64::max(rows.len() as f64, 1.0)
}

/// What cross-validation chose of one method.
enum Chosen {
    /// A ridge penalty.
    Lambda(f64),
    /// A number of trees.
    Trees(usize),
    /// There is nothing to choose.
    Nothing,
}

/// One method, tried: what it learns on, what was chosen, and what that is worth.
struct Trial {
    method: Method,
    bins: Vec<Bins>,
    design: Design,
    chosen: Chosen,
    worth: Worth,
}

/// What logits by cross-validation are worth.
struct Worth {
    log_loss: f64,
    base_log_loss: f64,
    auc: Option<f64>,
    brier: Option<f64>,
    ece: Option<f64>,
    /// Gain over the base rate at each row (nats), its mean, and its standard error.
    gains: Vec<f64>,
    gain: f64,
    gain_error: f64,
    /// Logits are to be multiplied by this, and shifted by that, to be calibrated.
    slope: f64,
    shift: f64,
}

impl Trial {
    fn has_signal(&self) -> bool {
        // Without a tree or with the largest penalty the gain is rounding.
        self.worth.gain > f64::max(1e-6, self.method.gain_min() * self.worth.gain_error)
    }
}

/// Rows to learn from.
struct Task<'a> {
    sorted: &'a Sorted,
    folds: Folds,
    /// What each feature says by itself.
    evidence: Vec<Evidence>,
    base_rate: f64,
}

impl Task<'_> {
    fn trial(&self, method: Method) -> Trial {
        let (most, words_most) = match method {
            Method::Gbdt => (trees::BINS - 2, trees::BINS - 2),
            Method::Scorecard | Method::NaiveBayes => (BINS, WORDS_MAX),
        };
        let columns = self.sorted.columns.iter();
        let bins: Vec<Bins> = columns.map(|column| Bins::of(column, most, words_most)).collect();
        let design = design(self.sorted, &bins);
        let (chosen, logits) = match method {
            Method::Scorecard => self.penalty(&design),
            Method::Gbdt => self.tree_count(&design),
            Method::NaiveBayes => (Chosen::Nothing, self.shares(&design)),
        };
        Trial { method, bins, design, chosen, worth: self.worth(&logits) }
    }

    /// The first trial that has signal, or a later one that does better by more than a standard error;
    /// the first if none has.
    fn best<'t>(&self, trials: &'t [Trial]) -> &'t Trial {
        let mut best = &trials[0];
        for other in trials.iter().skip(1).filter(|trial| trial.has_signal()) {
            let pairs = other.worth.gains.iter().zip(&best.worth.gains);
            let (mean, error) = mean_and_error(&pairs.map(|(a, b)| a - b).collect::<Vec<_>>());
            best = if !best.has_signal() || mean > error { other } else { best };
        }
        best
    }

    /// Writes what `trial` learns from all rows into `model`.
    fn finish(&self, trial: &Trial, model: &mut Model) {
        let labels = &self.sorted.labels;
        let all: Vec<usize> = (0..labels.len()).collect();
        let (design, start) = (&trial.design, flat(&trial.design, self.base_rate));
        let (slope, shift) = (trial.worth.slope, trial.worth.shift);
        let weights = match trial.chosen {
            _ if !trial.has_signal() => start,
            Chosen::Lambda(lambda) => {
                model.lambda = Some(lambda);
                stretched(fit(design, labels, &all, lambda, &start), slope, shift)
            }
            Chosen::Nothing => stretched(bayes::weights(design, labels, &all, ALPHA), slope, shift),
            Chosen::Trees(count) => {
                let mut weights = stretched(start, slope, shift);
                let codes = trees_codes(design, self.sorted);
                let mut boost = Boost::new(&codes, labels, all, logit(self.base_rate));
                for _ in 0..count {
                    let (tree, root) = boost.grow().stretched(slope);
                    weights.intercept += root;
                    model.trees.push(tree);
                }
                weights
            }
        };
        model.intercept = weights.intercept;
        for (at, (name, bins)) in self.sorted.names.iter().zip(&trial.bins).enumerate() {
            let points = weights.points[design.offsets[at]..design.offsets[at + 1]].to_vec();
            let Evidence { iv, auc } = self.evidence[at];
            let (name, bins) = (name.clone(), bins.clone());
            let (iv, auc) = (Some(rounded(iv)), Some(rounded(auc)));
            model.features.push(Feature { name, bins, points, weight: None, iv, auc });
        }
        let sizes = mean_points(model, &design.codes, labels.len());
        for (feature, weight) in model.features.iter_mut().zip(sizes) {
            feature.weight = Some(rounded(weight));
        }
    }

    /// The penalty of least loss, and the logits that folds have by it.
    fn penalty(&self, design: &Design) -> (Chosen, Vec<f64>) {
        let labels = &self.sorted.labels;
        let mut starts: Vec<Weights> = vec![flat(design, self.base_rate); FOLDS];
        let mut best: Option<(f64, f64, Vec<f64>)> = None;
        for lambda in LAMBDAS {
            let mut logits = vec![0.0; labels.len()];
            for ((taught, told), start) in self.folds.parts.iter().zip(&mut starts) {
                *start = fit(design, labels, taught, lambda, start);
                told.iter().for_each(|row| logits[*row] = start.logit(design, *row));
            }
            let total = self.total(&logits);
            if best.as_ref().is_none_or(|(least, ..)| total < *least) {
                best = Some((total, lambda, logits));
            } else if best.as_ref().is_some_and(|(least, ..)| total > least * 1.02) {
                break;
            }
        }
        let none = || (0.0, LAMBDAS[0], vec![logit(self.base_rate); labels.len()]);
        let (_, lambda, logits) = best.unwrap_or_else(none);
        (Chosen::Lambda(lambda), logits)
    }

    /// The number of trees of least loss, and the logits that folds have by it.
    fn tree_count(&self, design: &Design) -> (Chosen, Vec<f64>) {
        let labels = &self.sorted.labels;
        let codes = trees_codes(design, self.sorted);
        let parts = self.folds.parts.iter();
        let mut boosts: Vec<Boost> = parts
            .map(|(taught, _)| {
                Boost::new(&codes, labels, taught.clone(), logit(share(labels, taught)))
            })
            .collect();
        let mut logits = vec![0.0; labels.len()];
        for ((_, told), boost) in self.folds.parts.iter().zip(&boosts) {
            told.iter().for_each(|row| logits[*row] = boost.logits[*row]);
        }
        let mut best = (self.total(&logits), 0, logits.clone());
        for count in 1..=TREES_MAX {
            for ((_, told), boost) in self.folds.parts.iter().zip(&mut boosts) {
                let tree = boost.grow();
                told.iter().for_each(|row| logits[*row] += tree.points(&codes, *row));
            }
            let total = self.total(&logits);
            if total < best.0 {
                best = (total, count, logits.clone());
            } else if count >= best.1 + PATIENCE {
                break;
            }
        }
        (Chosen::Trees(best.1), best.2)
    }

    fn shares(&self, design: &Design) -> Vec<f64> {
        let labels = &self.sorted.labels;
        let mut logits = vec![0.0; labels.len()];
        for (taught, told) in &self.folds.parts {
            let weights = bayes::weights(design, labels, taught, ALPHA);
            told.iter().for_each(|row| logits[*row] = weights.logit(design, *row));
        }
        logits
    }

    /// Loss of `logits` (nats), over all rows of the folds.
    fn total(&self, logits: &[f64]) -> f64 {
        let rows = self.folds.rows.iter();
        rows.map(|row| loss(self.sorted.labels[*row], sigmoid(logits[*row]))).sum()
    }

    fn worth(&self, logits: &[f64]) -> Worth {
        let (rows, labels) = (&self.folds.rows, &self.sorted.labels);
        let known: Vec<(f64, bool)> = rows.iter().map(|row| (logits[*row], labels[*row])).collect();
        let (slope, shift) = platt(&known);
        let gain = |row: &usize| self.folds.base[*row] - loss(labels[*row], sigmoid(logits[*row]));
        let gains: Vec<f64> = rows.iter().map(gain).collect();
        let base = rows.iter().map(|row| self.folds.base[*row]).sum::<f64>();
        let base_log_loss = base / rows.len() as f64;
        let (gain, gain_error) = mean_and_error(&gains);
        let log_loss = base_log_loss - gain;
        let said = |(logit, label): &(f64, bool)| (sigmoid(*logit), *label);
        let mut pairs: Vec<(f64, bool)> = known.iter().map(said).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let auc = quality::auc(&pairs);
        let (brier, ece) = (quality::brier(&pairs), quality::ece(&pairs, 10));
        Worth { log_loss, base_log_loss, auc, brier, ece, gains, gain, gain_error, slope, shift }
    }

    fn warnings(&self) -> Vec<String> {
        let mut found = vec![];
        for (name, Evidence { auc: area, .. }) in self.sorted.names.iter().zip(&self.evidence) {
            if *area > LEAK_AUC {
                found.push(format!(
                    "{name} alone tells the ends apart (area under the curve {area:.3}): \
                     was it written after the end was known?"
                ));
            }
        }
        for at in &self.sorted.never_open {
            let name = &self.sorted.names[*at];
            found.push(format!("{name} is missing in every row without a label: it will not help"));
        }
        found
    }
}

/// Trees that are grown one after another on the same rows.
struct Boost<'a> {
    codes: &'a Codes,
    labels: &'a [bool],
    rows: Vec<usize>,
    logits: Vec<f64>,
    round: usize,
}

impl<'a> Boost<'a> {
    fn new(codes: &'a Codes, labels: &'a [bool], rows: Vec<usize>, start: f64) -> Self {
        Self { codes, labels, rows, logits: vec![start; labels.len()], round: 0 }
    }

    fn grow(&mut self) -> Tree {
        let tree = trees::grow(self.codes, self.labels, &self.rows, &self.logits, self.round);
        self.rows.iter().for_each(|row| self.logits[*row] += tree.points(self.codes, *row));
        self.round += 1;
        tree
    }
}

/// What each feature of `sorted` says by itself.
fn said(sorted: &Sorted, base_rate: f64) -> Vec<Evidence> {
    let columns = sorted.columns.iter();
    let codes = columns.map(|column| Bins::of(column, BINS, WORDS_MAX).codes(column));
    codes.map(|codes| evidence(&codes, &sorted.labels, base_rate)).collect()
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let spread: f64 = values.iter().map(|each| (each - mean).powi(2)).sum();
    (mean, (spread / count / f64::max(count - 1.0, 1.0)).sqrt())
}

fn is_ordered(sorted: &Sorted) -> Vec<bool> {
    sorted.columns.iter().map(|column| matches!(column, Ranked::Numbers(_))).collect()
}

fn design(sorted: &Sorted, bins: &[Bins]) -> Design {
    let codes = bins.iter().zip(&sorted.columns).map(|(bins, column)| bins.codes(column));
    let sizes: Vec<usize> = bins.iter().map(Bins::len).collect();
    Design::new(codes.collect(), &sizes, &is_ordered(sorted))
}

/// The bins of `design`, none of which has more than 64, for trees.
fn trees_codes(design: &Design, sorted: &Sorted) -> Codes {
    let narrow = |codes: &Vec<u16>| codes.iter().map(|code| *code as u8).collect();
    Codes { columns: design.codes.iter().map(narrow).collect(), is_ordered: is_ordered(sorted) }
}

fn flat(design: &Design, base_rate: f64) -> Weights {
    Weights { points: vec![0.0; design.width()], intercept: logit(base_rate) }
}

fn stretched(mut weights: Weights, slope: f64, shift: f64) -> Weights {
    weights.points.iter_mut().for_each(|points| *points = rounded(*points * slope));
    weights.intercept = rounded(weights.intercept * slope + shift);
    weights
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
        let model = train(&leads(900), Some(Method::Scorecard), None);
        assert_eq!((model.status, model.rows, model.positives), (Status::Ok, 900, 360));
        let chance = |source| sigmoid(model.intercept + points(&model, source, 3.0));
        assert!((chance(Some("fair")) - 0.8).abs() < 0.05, "{}", chance(Some("fair")));
        assert!((chance(Some("web")) - 0.2).abs() < 0.05);
        assert_eq!(chance(Some("new")), chance(Some("newer")));
        let text = serde_json::to_string(&model).expect("a model is JSON");
        let read = Model::read(&text).expect("reads back");
        assert_eq!((read.intercept, read.features), (model.intercept, model.features));
    }

    /// Leads that convert if exactly one of two things is true: no feature alone says anything.
    fn either_or(count: usize) -> Table {
        let rows = 0..count;
        let word = |is: bool| Some(if is { "yes" } else { "no" }.to_owned());
        Table {
            names: vec!["a".into(), "b".into(), "c".into()],
            columns: vec![
                Column::Words(rows.clone().map(|row| word(row % 2 == 0)).collect()),
                Column::Words(rows.clone().map(|row| word(row / 2 % 2 == 0)).collect()),
                Column::Numbers(rows.clone().map(|row| (row % 11) as f64).collect()),
            ],
            labels: rows
                .map(|row| Some((row % 2 == 0) != (row / 2 % 2 == 0) || row % 7 == 3))
                .collect(),
        }
    }

    #[test]
    fn trees_find_what_no_feature_says_alone() {
        let table = either_or(1_200);
        let by = |method| train(&table, method, None);
        assert_eq!(by(Some(Method::Scorecard)).status, Status::NoSignal);
        let model = by(None);
        assert_eq!((model.status, model.method), (Status::Ok, Method::Gbdt));
        assert!(model.log_loss < Some(0.4), "{:?}", model.log_loss);
        assert_eq!(model.damage(), None);
        let text = serde_json::to_string(&model).expect("a model is JSON");
        assert_eq!(Model::read(&text).expect("reads back").trees, model.trees);
        // Where features add up, trees are no better: the simpler model stays.
        assert_eq!(train(&leads(900), None, None).method, Method::Scorecard);
    }

    #[test]
    fn noise_teaches_nothing_by_any_method() {
        let mut table = either_or(600);
        let bits = |row: usize| fold(row + 7, 2) == 0;
        table.labels = (0..600).map(|row| Some(bits(row))).collect();
        for method in [None, Some(Method::Gbdt), Some(Method::Scorecard), Some(Method::NaiveBayes)]
        {
            let model = train(&table, method, None);
            assert_eq!((model.status, model.trees.len()), (Status::NoSignal, 0), "{method:?}");
        }
        let bayes = train(&leads(900), Some(Method::NaiveBayes), None);
        assert_eq!((bayes.status, bayes.method), (Status::Ok, Method::NaiveBayes));
    }

    #[test]
    fn too_few_and_one_outcome_are_told() {
        assert_eq!(train(&leads(20), Some(Method::Scorecard), None).status, Status::NoSignal);
        let mut table = leads(60);
        table.labels.iter_mut().for_each(|label| *label = Some(true));
        assert_eq!(train(&table, Some(Method::Scorecard), None).status, Status::OneClass);
        assert_eq!(
            train(&Table::default(), Some(Method::Scorecard), None).status,
            Status::OneClass
        );
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
            for method in [Method::Gbdt, Method::NaiveBayes] {
                let (one, other) = (&whole, &other);
                prop_assert_eq!(
                    train(one, Some(method), None),
                    train(other, Some(method), None)
                );
            }
            let one = train(&whole, Some(Method::Scorecard), None);
            let other = train(&other, Some(Method::Scorecard), None);
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
            let trees = train(&table, Some(Method::Gbdt), None);
            prop_assert!(trees.trees.iter().flat_map(|t| &t.nodes).all(|n| n.points.is_finite()));
            let model = train(&table, Some(Method::Scorecard), None);
            prop_assert!(model.intercept.is_finite());
            for value in values {
                let bin = model.features[0].bins.of_number(value);
                prop_assert!(model.features[0].points[bin].is_finite());
            }
        }
    }
}
