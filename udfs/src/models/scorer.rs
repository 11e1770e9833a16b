//! A model ready to score columns of features.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{Array, StringViewArray, StructArray};

use super::coder::{Coder, missing_into};
use super::features::{Given, columns};
use super::forest::Forest;
use super::weights::{Order, Texts};
use crate::math::Fault;
use crate::math::model::{FORMAT, Model, Status};

/// Rows that go through all features together, so that what they need stays near.
pub(super) const BLOCK: usize = 256;
/// Models that are kept read.
const READ_MAX: usize = 32;

/// A model that was read.
pub(super) struct Scorer {
    pub model: Model,
    coders: Vec<Coder>,
    forest: Option<Forest>,
    texts: OnceLock<Texts>,
    order: OnceLock<Option<Order>>,
}

/// The columns of a batch for each feature of a model; `None` for one that is not given.
pub(super) struct Columns<'a> {
    given: Vec<Option<Given<'a>>>,
    features: &'a StructArray,
}

impl Scorer {
    /// Reads a model.
    ///
    /// # Errors
    /// A text that is no model, or one of a format that is not known here.
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        let model = Model::read(text)
            .map_err(|error| Fault(format!("model is not what lead_model gives: {error}")))?;
        if model.format != FORMAT {
            let format = model.format;
            return Err(Fault(format!("model has format {format}, known is {FORMAT}")));
        }
        if let Some(damage) = model.damage() {
            return Err(Fault(format!("model is damaged: {damage}")));
        }
        let coders = model.features.iter().map(|feature| Coder::new(&feature.bins)).collect();
        let forest = (!model.trees.is_empty()).then(|| Forest::new(&model.trees));
        Ok(Self { model, coders, forest, texts: OnceLock::new(), order: OnceLock::new() })
    }

    /// Whether the model knows nothing at all.
    pub(super) fn is_mute(&self) -> bool {
        self.model.status == Status::OneClass
    }

    /// The columns of `features` that the model knows.
    ///
    /// # Errors
    /// Numbers where the model has words, or words where it has numbers.
    pub(super) fn columns<'a>(&self, features: &'a StructArray) -> Result<Columns<'a>, Fault> {
        let mut known = columns(features);
        let mut given = Vec::with_capacity(self.coders.len());
        for (feature, coder) in self.model.features.iter().zip(&self.coders) {
            let Some(at) = known.iter().position(|(name, _)| *name == feature.name) else {
                given.push(None);
                continue;
            };
            let (name, column) = known.swap_remove(at);
            let name_of = |is_words: bool| if is_words { "text" } else { "a number" };
            let is_words = !matches!(column, Given::Numbers(_));
            if is_words != coder.is_words() {
                let (wanted, found) = (name_of(coder.is_words()), name_of(is_words));
                return Err(Fault(format!("{name} must be {wanted}, got {found}")));
            }
            given.push(Some(column));
        }
        Ok(Columns { given, features })
    }

    /// Writes what `by_bin` has for the bins of one feature in the rows from `start` on into `out`.
    #[inline]
    pub(super) fn fill<T: Copy>(
        &self,
        columns: &Columns<'_>,
        feature: usize,
        start: usize,
        by_bin: &[T],
        out: &mut [T],
    ) {
        let coder = &self.coders[feature];
        coder.fill(columns.given[feature].as_ref(), start, by_bin, out);
        missing_into(columns.features.nulls(), start, by_bin[coder.missing()], out);
    }

    /// Bins of all rows, one column a feature of the model.
    pub(super) fn codes(&self, columns: &Columns<'_>) -> Vec<Vec<u16>> {
        let features = self.model.features.iter().enumerate();
        let codes = features.map(|(at, feature)| {
            let bins: Vec<u16> = (0..feature.points.len() as u16).collect();
            let mut codes = vec![0; columns.features.len()];
            self.fill(columns, at, 0, &bins, &mut codes);
            codes
        });
        codes.collect()
    }

    /// Logits of all rows.
    pub(super) fn logits(&self, columns: &Columns<'_>) -> Vec<f64> {
        let mut logits = vec![self.model.intercept; columns.features.len()];
        if let Some(forest) = &self.forest {
            let codes = self.codes(columns);
            for (feature, codes) in self.model.features.iter().zip(&codes) {
                let points = codes.iter().map(|code| feature.points[*code as usize]);
                logits.iter_mut().zip(points).for_each(|(logit, points)| *logit += points);
            }
            forest.add(&codes, &mut logits);
            return logits;
        }
        let mut points = [0.0; BLOCK];
        for (block, logits) in logits.chunks_mut(BLOCK).enumerate() {
            let points = &mut points[..logits.len()];
            for (at, feature) in self.model.features.iter().enumerate() {
                self.fill(columns, at, block * BLOCK, &feature.points, points);
                logits.iter_mut().zip(&*points).for_each(|(logit, points)| *logit += points);
            }
        }
        logits
    }

    /// What trees add to each feature in each row, a row after the other; `None` without trees.
    pub(super) fn shares(&self, codes: &[Vec<u16>], rows: usize) -> Option<Vec<f64>> {
        self.forest.as_ref().map(|forest| forest.shares(codes, rows))
    }

    /// Names and values of all bins, as reasons give them.
    pub(super) fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| Texts::new(&self.model))
    }

    /// All bins by their weight; `None` if points do not hang on bins alone, or bins are too many.
    pub(super) fn order(&self) -> Option<&Order> {
        self.order.get_or_init(|| Order::new(&self.model)).as_ref()
    }
}

/// Models that were read last, the latest first: a model is many times as long as a lead.
static READ: Mutex<Vec<(String, Arc<Scorer>)>> = Mutex::new(vec![]);

/// The model that `text` is.
///
/// # Errors
/// A text that is no model.
pub(super) fn scorer(text: &str) -> Result<Arc<Scorer>, Fault> {
    let find = |read: &mut Vec<(String, Arc<Scorer>)>| {
        let place = read.iter().position(|(known, _)| known == text)?;
        read[..=place].rotate_right(1);
        Some(read[0].1.clone())
    };
    if let Some(known) = find(&mut READ.lock().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(known);
    }
    let scorer = Arc::new(Scorer::read(text)?);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    read.insert(0, (text.to_owned(), scorer.clone()));
    read.truncate(READ_MAX);
    Ok(scorer)
}

/// The texts in a column of models, and which of them each row has; NULL is one too.
pub(super) fn distinct(models: &StringViewArray) -> (Vec<Option<&str>>, Vec<u32>) {
    let views = models.views();
    let text = |row: usize| models.is_valid(row).then(|| models.value(row));
    let mut texts: Vec<Option<&str>> = vec![];
    // A view that was seen is the same text; another view may be.
    let mut seen: Vec<(Option<u128>, u32)> = vec![];
    let mut places = Vec::with_capacity(models.len());
    for row in 0..models.len() {
        let view = models.is_valid(row).then(|| views[row]);
        let known = seen.iter().find(|(known, _)| *known == view).map(|(_, place)| *place);
        places.push(known.unwrap_or_else(|| {
            let text = text(row);
            let place = texts.iter().position(|known| *known == text).unwrap_or_else(|| {
                texts.push(text);
                texts.len() - 1
            });
            // Views of many copies of few texts are not worth to be remembered for ever.
            if seen.len() < READ_MAX {
                seen.push((view, place as u32));
            }
            place as u32
        }));
    }
    (texts, places)
}
