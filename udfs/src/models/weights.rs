//! The bins of a model as reasons: their names and values, and their order by weight.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewArray};

use crate::math::model::Model;

/// Name and value of every bin of every feature, and of the base behind them.
pub(super) struct Texts {
    pub owners: ArrayRef,
    pub labels: ArrayRef,
    /// Place of the first bin of each feature among all.
    pub starts: Vec<usize>,
    /// Place of the base.
    pub base: usize,
}

impl Texts {
    pub(super) fn new(model: &Model) -> Self {
        let (mut owners, mut labels, mut starts) = (vec![], vec![], vec![]);
        for feature in &model.features {
            starts.push(owners.len());
            let bins = 0..feature.points.len();
            owners.extend(bins.clone().map(|_| feature.name.as_str()));
            labels.extend(bins.map(|bin| feature.bins.label(bin)));
        }
        let base = owners.len();
        owners.push("(base)");
        labels.push(String::new());
        Self {
            owners: Arc::new(StringViewArray::from_iter_values(owners)),
            labels: Arc::new(StringViewArray::from_iter_values(labels)),
            starts,
            base,
        }
    }
}

/// All bins in the order of their weight: the reasons of a row are those of least rank.
pub(super) struct Order {
    /// Rank of each bin of each feature; of bins of one weight those of the first feature are first.
    pub ranks: Vec<Vec<i16>>,
    /// Place among all bins, and points, of the bin of each rank.
    pub places: Vec<(u32, f64)>,
}

impl Order {
    /// The order of the bins of `model`; `None` with trees, by which points differ from row to row, and
    /// with more bins than there are ranks.
    pub(super) fn new(model: &Model) -> Option<Self> {
        let bins = model.features.iter().flat_map(|feature| &feature.points);
        let mut places: Vec<(u32, f64)> = (0..).zip(bins.copied()).collect();
        if !model.trees.is_empty() || places.len() >= i16::MAX as usize {
            return None;
        }
        // Places follow features: of one weight, the first feature is first.
        places.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let mut by_place = vec![0; places.len()];
        places.iter().enumerate().for_each(|(rank, (at, _))| by_place[*at as usize] = rank as i16);
        let mut rest = &by_place[..];
        let ranks = model.features.iter().map(|feature| {
            let (ranks, others) = rest.split_at(feature.points.len());
            rest = others;
            ranks.to_vec()
        });
        Some(Self { ranks: ranks.collect(), places })
    }
}
