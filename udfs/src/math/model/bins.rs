//! Bins: where the values of a feature fall.

use serde::{Deserialize, Serialize};

use super::table::{MISSING, Ranked};

/// Fewest rows that a word, or a missing value, needs for a bin of its own.
const ROWS_MIN: usize = 10;

/// The bins of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Bins {
    /// Numbers: bin 0 is missing, bin `k` begins at `edges[k - 2]` and holds it.
    Number {
        /// Lower bounds of the second bin of numbers and those after it, ascending.
        #[serde(with = "exact")]
        edges: Vec<f64>,
    },
    /// Words: bin 0 holds words that are rare or new, bin 1 missing ones, the others `levels`.
    Text {
        /// Words with a bin of their own, ascending; the first is bin 2.
        levels: Vec<String>,
    },
}

/// Numbers as text: JSON readers may be off by the last bit, and a value on an edge would fall
/// into another bin.
mod exact {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Number(f64),
    }

    pub fn serialize<S: Serializer>(edges: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(edges.iter().map(f64::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let edges = Vec::<Written>::deserialize(deserializer)?;
        let number = |edge: Written| match edge {
            Written::Number(number) => Ok(number),
            Written::Text(text) => text.parse().map_err(D::Error::custom),
        };
        edges.into_iter().map(number).collect()
    }
}

impl Bins {
    /// Bins of a column: for numbers up to `most` that hold about as many rows each, for words one
    /// for each of the `words_most` that come most often.
    pub(crate) fn of(column: &Ranked, most: usize, words_most: usize) -> Self {
        match column {
            Ranked::Numbers(values) => {
                let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
                sorted.sort_by(f64::total_cmp);
                let mut edges = vec![];
                if !sorted.is_empty() {
                    edges.extend((1..most).map(|k| sorted[k * sorted.len() / most]));
                }
                edges.dedup();
                // Below the first edge there must be something.
                if edges.first() == sorted.first() && !edges.is_empty() {
                    edges.remove(0);
                }
                Self::Number { edges }
            }
            Ranked::Words(places, words) => {
                let mut counts = vec![0_usize; words.len()];
                places.iter().filter(|p| **p != MISSING).for_each(|p| counts[*p as usize] += 1);
                let levels = words.iter().zip(counts).filter(|(_, count)| *count >= ROWS_MIN);
                let mut levels: Vec<(&String, usize)> = levels.collect();
                levels.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
                levels.truncate(words_most);
                let mut levels: Vec<String> = levels.into_iter().map(|(w, _)| w.clone()).collect();
                levels.sort_unstable();
                Self::Text { levels }
            }
        }
    }

    /// How many bins there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Number { edges } => edges.len() + 2,
            Self::Text { levels } => levels.len() + 2,
        }
    }

    /// Never: there is always a bin for what is missing.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Bin of a number.
    pub fn of_number(&self, value: f64) -> usize {
        match self {
            Self::Number { edges } if value.is_finite() => {
                1 + edges.partition_point(|edge| *edge <= value)
            }
            Self::Number { .. } => 0,
            Self::Text { .. } => 1,
        }
    }

    /// Bin of a word.
    pub fn of_word(&self, word: Option<&str>) -> usize {
        match (self, word) {
            (Self::Text { levels }, Some(word)) => {
                levels.binary_search_by(|level| level.as_str().cmp(word)).map_or(0, |at| at + 2)
            }
            (Self::Text { .. }, None) => 1,
            (Self::Number { .. }, _) => 0,
        }
    }

    /// Bins of all rows of a column.
    pub(crate) fn codes(&self, column: &Ranked) -> Vec<u16> {
        match column {
            Ranked::Numbers(values) => values.iter().map(|v| self.of_number(*v) as u16).collect(),
            Ranked::Words(places, words) => {
                let by_place: Vec<u16> =
                    words.iter().map(|word| self.of_word(Some(word)) as u16).collect();
                let code = |p: &u32| if *p == MISSING { 1 } else { by_place[*p as usize] };
                places.iter().map(code).collect()
            }
        }
    }

    /// What the values of `bin` have in common, for people.
    pub fn label(&self, bin: usize) -> String {
        match self {
            Self::Number { edges } => match (bin.checked_sub(2), edges.get(bin.wrapping_sub(1))) {
                _ if bin == 0 => "(missing)".into(),
                (None, None) => "any".into(),
                (None, Some(to)) => format!("below {to}"),
                (Some(from), None) => format!("{} or more", edges.get(from).unwrap_or(&0.0)),
                (Some(from), Some(to)) => format!("{} to {to}", edges[from]),
            },
            Self::Text { levels } => match bin {
                0 => "(other)".into(),
                1 => "(missing)".into(),
                _ => levels.get(bin - 2).cloned().unwrap_or_default(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fall_between_quantiles() {
        let bins = Bins::of(&Ranked::Numbers((0..100).map(f64::from).collect()), 4, 9);
        assert_eq!(bins, Bins::Number { edges: vec![25.0, 50.0, 75.0] });
        let places: Vec<usize> =
            [-5.0, 24.9, 25.0, 75.0, 1e9, f64::NAN].map(|v| bins.of_number(v)).to_vec();
        assert_eq!(places, [1, 1, 2, 4, 4, 0]);
        let labels: Vec<String> = (0..5).map(|bin| bins.label(bin)).collect();
        assert_eq!(labels, ["(missing)", "below 25", "25 to 50", "50 to 75", "75 or more"]);
        let flat = Bins::of(&Ranked::Numbers(vec![3.0; 50]), 24, 9);
        assert_eq!((flat.len(), flat.of_number(3.0), flat.label(1)), (2, 1, "any".into()));
        assert_eq!(Bins::of(&Ranked::Numbers(vec![f64::NAN]), 24, 9).len(), 2);
    }

    #[test]
    fn rare_words_share_a_bin() {
        let mut places = vec![0; 12];
        places.extend([1, MISSING]);
        let column = Ranked::Words(places, vec!["often".into(), "rare".into()]);
        let bins = Bins::of(&column, 24, 9);
        assert_eq!(bins, Bins::Text { levels: vec!["often".into()] });
        assert_eq!(bins.of_word(Some("often")), 2);
        assert_eq!((bins.of_word(Some("rare")), bins.of_word(Some("new"))), (0, 0));
        assert_eq!((bins.of_word(None), bins.label(1)), (1, "(missing)".into()));
        assert_eq!(bins.codes(&column)[11..], [2, 0, 1]);
        let most = Ranked::Words([[0; 12], [1; 12]].concat(), vec!["a".into(), "b".into()]);
        assert_eq!(Bins::of(&most, 24, 1), Bins::Text { levels: vec!["a".into()] });
    }
}
