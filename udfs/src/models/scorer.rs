//! A model ready to score columns: bins found without a search through text where it can be helped.

use std::sync::Arc;

use arrow::array::{Array, Float64Array, StringArray, StructArray};

use super::features::{Given, columns};
use super::forest::Forest;
use crate::math::Fault;
use crate::math::model::bins::Bins;
use crate::math::model::{FORMAT, Feature, Model, Status};

/// A model that was read.
pub(super) struct Scorer {
    pub model: Model,
    words: Vec<Option<Words>>,
    forest: Option<Forest>,
}

/// Words of a feature by what tells them apart.
struct Words {
    keys: Vec<(u64, u64, usize)>,
    levels: Vec<String>,
}

/// First and last bytes of a word: they and its length say all of one of up to sixteen bytes.
#[inline]
fn key(word: &[u8]) -> (u64, u64, usize) {
    let eight = |at: usize| word[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let four = |at: usize| {
        word[at..].first_chunk().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
    };
    let length = word.len();
    match length {
        0 => (0, 0, 0),
        1..4 => {
            let [a, b, c] = [word[0], word[length / 2], word[length - 1]].map(u64::from);
            (a | b << 8 | c << 16, 0, length)
        }
        4..8 => (four(0) | four(length - 4) << 32, 0, length),
        _ => (eight(0), eight(length - 8), length),
    }
}

impl Words {
    fn new(levels: &[String]) -> Self {
        Self {
            keys: levels.iter().map(|level| key(level.as_bytes())).collect(),
            levels: levels.to_vec(),
        }
    }

    #[inline]
    fn bin(&self, word: &str) -> usize {
        let wanted = key(word.as_bytes());
        for (at, known) in self.keys.iter().enumerate() {
            if *known == wanted && (word.len() <= 16 || self.levels[at] == word) {
                return at + 2;
            }
        }
        0
    }
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
        let words = model.features.iter().map(|feature| match &feature.bins {
            Bins::Text { levels } => Some(Words::new(levels)),
            Bins::Number { .. } => None,
        });
        let forest = (!model.trees.is_empty()).then(|| Forest::new(&model.trees));
        Ok(Self { words: words.collect(), forest, model })
    }

    /// Whether the model knows nothing at all.
    pub(super) fn is_mute(&self) -> bool {
        self.model.status == Status::OneClass
    }

    /// Bins of all rows of `features`, one column a feature of the model.
    ///
    /// # Errors
    /// Numbers where the model has words, or words where it has numbers.
    pub(super) fn codes(&self, features: &StructArray) -> Result<Vec<Vec<u16>>, Fault> {
        let given = columns(features);
        let mut all = Vec::with_capacity(self.model.features.len());
        for (feature, words) in self.model.features.iter().zip(&self.words) {
            let column = given.iter().find(|(name, _)| *name == feature.name);
            let mut codes = match (column, words) {
                (Some((_, Given::Numbers(numbers))), None) => of_numbers(feature, numbers),
                (Some((_, Given::Words(texts))), Some(words)) => of_words(texts, words),
                (Some((name, given)), _) => {
                    let wanted = if words.is_some() { "text" } else { "a number" };
                    let found = if matches!(given, Given::Words(_)) { "text" } else { "a number" };
                    return Err(Fault(format!("{name} must be {wanted}, got {found}")));
                }
                // A feature that is not given is missing.
                (None, words) => vec![u16::from(words.is_some()); features.len()],
            };
            if let Some(nulls) = features.nulls() {
                let missing = u16::from(words.is_some());
                let rows = codes.iter_mut().zip(nulls.iter());
                rows.filter(|(_, is_known)| !is_known).for_each(|(code, _)| *code = missing);
            }
            all.push(codes);
        }
        Ok(all)
    }

    /// Logits of rows that have these bins.
    pub(super) fn logits(&self, codes: &[Vec<u16>], rows: usize) -> Vec<f64> {
        let mut logits = vec![self.model.intercept; rows];
        for (feature, codes) in self.model.features.iter().zip(codes) {
            let points = &feature.points;
            logits.iter_mut().zip(codes).for_each(|(logit, code)| *logit += points[*code as usize]);
        }
        if let Some(forest) = &self.forest {
            forest.add(codes, &mut logits);
        }
        logits
    }

    /// What trees add to each feature in each row, a row after the other; `None` without trees.
    pub(super) fn shares(&self, codes: &[Vec<u16>], rows: usize) -> Option<Vec<f64>> {
        self.forest.as_ref().map(|forest| forest.shares(codes, rows))
    }
}

fn of_numbers(feature: &Feature, numbers: &Float64Array) -> Vec<u16> {
    let Bins::Number { edges } = &feature.bins else { return vec![0; numbers.len()] };
    let bin = |value: f64| {
        let below: u16 = edges.iter().map(|edge| u16::from(*edge <= value)).sum();
        if value.is_finite() { below + 1 } else { 0 }
    };
    match numbers.nulls() {
        None => numbers.values().iter().map(|value| bin(*value)).collect(),
        Some(nulls) => {
            let rows = numbers.values().iter().zip(nulls.iter());
            rows.map(|(value, is_known)| if is_known { bin(*value) } else { 0 }).collect()
        }
    }
}

fn of_words(texts: &StringArray, words: &Words) -> Vec<u16> {
    let rows = 0..texts.len();
    rows.map(|row| if texts.is_null(row) { 1 } else { words.bin(texts.value(row)) as u16 })
        .collect()
}

/// The models of a column: read once where they do not change from row to row.
#[derive(Default)]
pub(super) struct Readers(Option<(String, Arc<Scorer>)>);

impl Readers {
    /// The model that `text` is.
    ///
    /// # Errors
    /// A text that is no model.
    pub(super) fn of(&mut self, text: &str) -> Result<Arc<Scorer>, Fault> {
        match &self.0 {
            Some((known, scorer)) if known == text => Ok(scorer.clone()),
            _ => {
                let scorer = Arc::new(Scorer::read(text)?);
                self.0 = Some((text.to_owned(), scorer.clone()));
                Ok(scorer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_whatever_their_length() {
        let letters = "abcdefghijklmnopqrstuvwxyz";
        let mut levels: Vec<String> = (0..=20).map(|length| letters[..length].to_owned()).collect();
        levels.extend(
            ["aXc", "abcdeXgh", "abcdefghijkXmnopq", "ß", "日本", "日木"].map(String::from),
        );
        let words = Words::new(&levels);
        for (at, level) in levels.iter().enumerate() {
            assert_eq!(words.bin(level), at + 2, "{level}");
        }
        for unknown in ["b", "abX", "abcdeXg", "abcdefghijkXmno", "abcdefghijkYmnopq", "日"] {
            assert_eq!(words.bin(unknown), 0, "{unknown}");
        }
    }
}
