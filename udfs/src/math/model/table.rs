//! Rows to learn from: columns of numbers and of words, in an order of their own.

use std::collections::BTreeMap;

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers; NaN and infinities are missing.
    Numbers(Vec<f64>),
    /// Words; `None` is missing.
    Words(Vec<Option<String>>),
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Words(values) => values.len(),
        }
    }

    fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Numbers(values) => !values[row].is_finite(),
            Self::Words(values) => values[row].is_none(),
        }
    }
}

/// Named columns and a label for each row; `None` is not known yet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Names of the columns.
    pub names: Vec<String>,
    /// The columns, of one length.
    pub columns: Vec<Column>,
    /// Labels, of the same length.
    pub labels: Vec<Option<bool>>,
}

/// A column whose values are ranks: numbers as they are, words by their place among all words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ranked {
    /// NaN is missing.
    Numbers(Vec<f64>),
    /// Place among the sorted words of the column, `u32::MAX` for missing; and those words.
    Words(Vec<u32>, Vec<String>),
}

/// Place of a missing word.
pub(crate) const MISSING: u32 = u32::MAX;

/// Labelled rows in the order of their content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sorted {
    pub names: Vec<String>,
    pub columns: Vec<Ranked>,
    pub labels: Vec<bool>,
    /// Rows without a label.
    pub unlabelled: usize,
    /// Features that no unlabelled row has a value of, though most labelled rows do.
    pub never_open: Vec<usize>,
}

impl Table {
    pub(crate) fn sorted(&self) -> Sorted {
        let labelled: Vec<usize> =
            (0..self.labels.len()).filter(|row| self.labels[*row].is_some()).collect();
        let ranked: Vec<Ranked> = self.columns.iter().map(ranked).collect();
        let mut order = labelled.clone();
        order.sort_by(|a, b| {
            let by = ranked.iter().map(|column| match column {
                Ranked::Numbers(values) => values[*a].total_cmp(&values[*b]),
                Ranked::Words(places, _) => places[*a].cmp(&places[*b]),
            });
            let content = by.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then);
            content.then(self.labels[*a].cmp(&self.labels[*b]))
        });
        let columns = ranked.iter().map(|column| match column {
            Ranked::Numbers(values) => {
                Ranked::Numbers(order.iter().map(|row| values[*row]).collect())
            }
            Ranked::Words(places, words) => {
                Ranked::Words(order.iter().map(|row| places[*row]).collect(), words.clone())
            }
        });
        Sorted {
            names: self.names.clone(),
            columns: columns.collect(),
            labels: order.iter().filter_map(|row| self.labels[*row]).collect(),
            unlabelled: self.labels.len() - labelled.len(),
            never_open: self.never_open(&labelled),
        }
    }

    fn never_open(&self, labelled: &[usize]) -> Vec<usize> {
        let open: Vec<usize> =
            (0..self.labels.len()).filter(|row| self.labels[*row].is_none()).collect();
        let known = |column: &Column, rows: &[usize]| {
            rows.iter().filter(|row| !column.is_missing(**row)).count()
        };
        let is_suspect = |column: &Column| {
            known(column, &open) == 0 && 2 * known(column, labelled) > labelled.len()
        };
        let places = 0..self.columns.len();
        places.filter(|at| open.len() >= 10 && is_suspect(&self.columns[*at])).collect()
    }

    /// Adds the rows of `other`, which has the same columns.
    pub fn append(&mut self, other: Self) {
        if self.columns.is_empty() && self.labels.is_empty() {
            *self = other;
            return;
        }
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            match (column, more) {
                (Column::Numbers(values), Column::Numbers(more)) => values.extend(more),
                (Column::Words(values), Column::Words(more)) => values.extend(more),
                (column, more) => debug_assert_eq!(column.len(), more.len(), "columns of one kind"),
            }
        }
        self.labels.extend(other.labels);
    }
}

fn ranked(column: &Column) -> Ranked {
    match column {
        Column::Numbers(values) => {
            let clean = |value: &f64| if value.is_finite() { *value + 0.0 } else { f64::NAN };
            Ranked::Numbers(values.iter().map(clean).collect())
        }
        Column::Words(values) => {
            let mut places: BTreeMap<&str, u32> =
                values.iter().flatten().map(|word| (word.as_str(), 0)).collect();
            places.values_mut().enumerate().for_each(|(place, value)| *value = place as u32);
            let ranks =
                values.iter().map(|word| word.as_ref().map_or(MISSING, |w| places[w.as_str()]));
            let ranks = ranks.collect();
            Ranked::Words(ranks, places.into_keys().map(str::to_owned).collect())
        }
    }
}

/// Which of `count` folds the `row`-th row of a sorted table is in.
pub(crate) fn fold(row: usize, count: usize) -> usize {
    let mixed = (row as u64 ^ (row as u64 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) % count as u64) as usize
}
