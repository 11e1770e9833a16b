//! Models of yes or no: what makes a lead convert, learnt from leads whose end is known.
//!
//! A model is made of binned features: every value falls into a bin, and every bin is worth points.
//! The points of a row and the base add up to its logit, so that a score can be explained exactly.
//! With trees, the points that a feature has on the ways of a row through them are added to its own.
//! Training sees rows in an order of their own content: neither the order in which they come nor
//! how they are batched changes a bit of the model.

pub mod bayes;
pub mod bins;
pub mod fit;
pub mod quality;
pub mod scorecard;
pub mod table;
pub mod trees;

pub use fit::{Method, train};

use serde::{Deserialize, Serialize};

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

/// A feature: how its values fall into bins, and what each bin is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Its bins.
    pub bins: bins::Bins,
    /// Points of each bin, added to the logit.
    pub points: Vec<f64>,
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
        let points = model.features.iter_mut().flat_map(|feature| &mut feature.points);
        points.for_each(|points| *points = rounded(*points));
        let nodes = model.trees.iter_mut().flat_map(|tree| &mut tree.nodes);
        nodes.for_each(|node| node.points = rounded(node.points));
        Ok(model)
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
