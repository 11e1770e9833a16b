//! Models of yes or no: what makes a lead convert, learnt from leads whose end is known.
//!
//! A model is made of binned features: every value falls into a bin, and every bin is worth points.
//! The points of a row and the base add up to its logit, so that a score can be explained exactly.
//! With trees, the points that a feature has on the ways of a row through them are added to its own.
//! Training sees rows in an order of their own content: neither the order in which they come nor
//! how they are batched changes a bit of the model.

pub mod bayes;
pub mod bins;
pub mod calibration;
pub mod evidence;
pub mod fit;
pub mod quality;
pub mod scorecard;
pub mod table;
pub mod trees;

pub use fit::{Method, train};

use serde::{Deserialize, Serialize};

use super::Fault;

/// Version of the format that models are written in.
pub const FORMAT: u32 = 1;

/// What came of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The features tell more than the base rate.
    Ok,
    /// They do not: every probability is the base rate.
    NoSignal,
    /// All labels are the same: nothing can be told, and every probability is unknown.
    OneClass,
}

/// A trained model, as it is written and read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Version of this format.
    pub format: u32,
    /// How it was learnt.
    pub method: Method,
    /// What the user calls this version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// What came of training.
    pub status: Status,
    /// Labelled rows (count).
    pub rows: usize,
    /// Rows whose label is true (count).
    pub positives: usize,
    /// Rows without a label, which taught nothing (count).
    pub unlabelled: usize,
    /// Share of true labels (ratio).
    pub base_rate: f64,
    /// Log-loss by cross-validation (nats a row).
    pub log_loss: Option<f64>,
    /// Log-loss of the base rate (nats a row).
    pub base_log_loss: Option<f64>,
    /// Area under the ROC curve by cross-validation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub auc: Option<f64>,
    /// Brier score by cross-validation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub brier: Option<f64>,
    /// Expected calibration error of ten bins by cross-validation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ece: Option<f64>,
    /// Last day on which the end of a labelled row was known (`2026-03-31`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trained_through: Option<String>,
    /// What became of its base since training.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recalibrated: Option<Recalibrated>,
    /// Ridge penalty that was chosen.
    pub lambda: Option<f64>,
    /// What should make its user think twice.
    pub warnings: Vec<String>,
    /// Logit of a row whose points are all zero.
    pub intercept: f64,
    /// The features, in the order of their names in training.
    pub features: Vec<Feature>,
    /// Trees over the bins of the features, whose points are added too.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub trees: Vec<trees::Tree>,
}

/// How the base of a model was set anew by a later window of labelled rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recalibrated {
    /// Labelled rows of the window (count).
    pub rows: usize,
    /// Those of them whose label is true (count).
    pub positives: usize,
    /// What was added to the intercept since training.
    pub shift: f64,
    /// Last day on which the end of a row of the window was known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub through: Option<String>,
}

/// A feature: how its values fall into bins, and what each bin is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Its bins.
    pub bins: bins::Bins,
    /// Points of each bin, added to the logit.
    pub points: Vec<f64>,
    /// Mean size of its points in the rows that taught, those of trees among them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weight: Option<f64>,
    /// Information value, by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub iv: Option<f64>,
    /// Area under the ROC curve, by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub auc: Option<f64>,
}

impl Model {
    /// The model that `text` is.
    ///
    /// # Errors
    /// A text that is no model.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let mut model: Self = serde_json::from_str(text)?;
        // A reader of JSON may be off by the last bit; points are on a grid that is much coarser.
        model.intercept = rounded(model.intercept);
        model.recalibrated.iter_mut().for_each(|known| known.shift = rounded(known.shift));
        let points = model.features.iter_mut().flat_map(|feature| &mut feature.points);
        points.for_each(|points| *points = rounded(*points));
        let nodes = model.trees.iter_mut().flat_map(|tree| &mut tree.nodes);
        nodes.for_each(|node| node.points = rounded(node.points));
        Ok(model)
    }

    /// Sets the base anew by labelled rows of a later window, so that their mean probability is the
    /// share of them that is true; the order of rows by probability stays, and so do all points.
    ///
    /// `logits` are those that the model gives the rows, in ascending order; `through` is the last day
    /// of the window. Where all labels are the same no base says so: the model stays, with a warning.
    ///
    /// # Errors
    /// A logit that is not finite.
    pub fn recalibrate(
        &mut self,
        logits: &[f64],
        positives: usize,
        through: Option<String>,
    ) -> Result<(), Fault> {
        if logits.is_empty() {
            return Ok(());
        }
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(Fault("model gives a logit that is not finite".into()));
        }
        let Some(shift) = calibration::shift(logits, positives) else {
            let rows = logits.len();
            self.warnings.push(format!(
                "not recalibrated: all labels of the window ({rows} rows) are the same"
            ));
            return Ok(());
        };
        let shift = rounded(shift);
        self.intercept += shift;
        let before = self.recalibrated.as_ref().map_or(0.0, |known| known.shift);
        let (rows, shift) = (logits.len(), before + shift);
        self.recalibrated = Some(Recalibrated { rows, positives, shift, through });
        Ok(())
    }

    /// What keeps it from being a model; `None` for a sound one.
    pub fn damage(&self) -> Option<String> {
        for feature in &self.features {
            if feature.points.len() != feature.bins.len() {
                return Some(format!("{} has not a point for each bin", feature.name));
            }
            if !self.trees.is_empty() && feature.bins.len() > trees::BINS {
                return Some(format!("{} has more bins than trees can ask for", feature.name));
            }
        }
        let trees = self.trees.iter();
        trees.filter_map(|tree| tree.damage(self.features.len())).next().map(str::to_owned)
    }
}

/// To a multiple of 2^-40: sums of such points are exact, whatever their order.
pub(crate) fn rounded(points: f64) -> f64 {
    (points * 1_099_511_627_776.0).round() / 1_099_511_627_776.0
}

/// `1 / (1 + e^-z)`.
pub fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Log-odds of a share; shares of 0 and 1 are taken as a millionth and all but a millionth.
pub fn logit(share: f64) -> f64 {
    let share = share.clamp(1e-6, 1.0 - 1e-6);
    (share / (1.0 - share)).ln()
}

/// Loss of saying `p` of what turned out `is_true` (nats); `p` is kept off 0 and 1 by 1e-15.
pub fn loss(is_true: bool, p: f64) -> f64 {
    let p = p.clamp(1e-15, 1.0 - 1e-15);
    -(if is_true { p } else { 1.0 - p }).ln()
}
