//! Boosted trees: small trees one after another, each on what those before it missed.
//!
//! A tree grows leaf by leaf where it gains most, on bins of which a feature has at most 64: a split
//! is the set of bins that go left.
//! Every node has points of its own, and a step from a node to one below adds the difference to the
//! feature that was asked: the points of the features add up to those of the leaf.
//! Sources: J. H. Friedman, 2001 (gradient boosting), 2002 (row samples); G. Ke and others, 2017 (leaf-wise
//! growth on histograms); A. Saabas, 2014 (points along the path).

use serde::{Deserialize, Serialize};

use super::{rounded, sigmoid};

/// Most bins of a feature.
pub(crate) const BINS: usize = 64;
/// Most leaves of a tree.
pub const LEAVES_MAX: usize = 16;
const LEAVES: usize = 12;
/// Share of what a tree finds that is taken.
const RATE: f64 = 0.06;
/// Added to the curvature of a leaf.
const RIDGE: f64 = 5.0;
/// Fewest rows of a leaf.
const ROWS_MIN: f64 = 10.0;
/// Added to the curvature of a bin of words when bins are put in order.
const WORD_RIDGE: f64 = 4.0;
/// Least gain of a split.
const GAIN_MIN: f64 = 1e-3;
/// Rows of five that a tree sees.
const ROWS_OF_FIVE: u64 = 4;
/// Features of a hundred that a tree sees, and the fewest: one alone says nothing of another.
const FEATURES_OF_HUNDRED: usize = 50;
const FEATURES_MIN: usize = 4;

/// A node of a tree: a split if `to` is there, else a leaf.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// What the rows that come here are worth, in steps of the logit.
    pub points: f64,
    /// The split.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub split: Option<Split>,
}

/// Where the rows of a node go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Place of the feature.
    pub feature: usize,
    /// Bins that go left, a bit each.
    pub left_bins: u64,
    /// Places of the nodes to the left and to the right, both after this one.
    pub to: [usize; 2],
}

/// A tree; its first node is the root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// Its nodes.
    pub nodes: Vec<Node>,
}

/// Rows as bins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Codes {
    /// One column a feature.
    pub columns: Vec<Vec<u8>>,
    /// Whether bins after the first follow each other as numbers do; the first is what is missing.
    pub is_ordered: Vec<bool>,
}

impl Tree {
    /// Points of the leaf of `row`.
    pub(crate) fn points(&self, codes: &Codes, row: usize) -> f64 {
        let mut node = &self.nodes[0];
        while let Some(split) = node.split {
            let is_left = split.left_bins >> codes.columns[split.feature][row] & 1 == 1;
            node = &self.nodes[split.to[usize::from(!is_left)]];
        }
        node.points
    }

    /// Adds what each feature adds on the way of `row` to its leaf to `shares`.
    pub(super) fn share(&self, codes: &[Vec<u16>], row: usize, shares: &mut [f64]) {
        let mut node = &self.nodes[0];
        while let Some(split) = node.split {
            let is_left = split.left_bins >> codes[split.feature][row] & 1 == 1;
            let next = &self.nodes[split.to[usize::from(!is_left)]];
            shares[split.feature] += next.points - node.points;
            node = next;
        }
    }

    /// The tree with its points times `slope`, and those of its root, which all rows share, apart.
    pub(crate) fn stretched(mut self, slope: f64) -> (Self, f64) {
        let root = rounded(self.nodes[0].points * slope);
        let nodes = self.nodes.iter_mut();
        nodes.for_each(|node| node.points = rounded(node.points * slope) - root);
        (self, root)
    }

    /// What keeps it from being a tree over `features` features; `None` for a sound one.
    pub(super) fn damage(&self, features: usize) -> Option<&'static str> {
        let leaves = self.nodes.iter().filter(|node| node.split.is_none()).count();
        if leaves == 0 || leaves > LEAVES_MAX {
            return Some("a tree has no leaf, or too many");
        }
        let splits = self.nodes.iter().enumerate().filter_map(|(at, node)| Some((at, node.split?)));
        let mut parents = vec![0; self.nodes.len()];
        for (at, split) in splits {
            if split.feature >= features {
                return Some("a tree asks for a feature that is not there");
            }
            for to in split.to {
                match parents.get_mut(to) {
                    Some(count) if to > at => *count += 1,
                    _ => return Some("a tree has a branch that leads nowhere"),
                }
            }
        }
        let is_tree = parents.iter().skip(1).all(|count| *count == 1);
        (!is_tree).then_some("a tree has branches that meet")
    }
}

/// Sums of a set of rows.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    gradient: f64,
    curvature: f64,
    rows: f64,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            curvature: self.curvature + other.curvature,
            rows: self.rows + other.rows,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
            rows: self.rows - other.rows,
        }
    }

    fn points(self) -> f64 {
        RATE * self.gradient / (self.curvature + RIDGE)
    }

    fn worth(self) -> f64 {
        self.gradient * self.gradient / (self.curvature + RIDGE)
    }
}

type Histogram = Vec<[Sums; BINS]>;

struct Leaf {
    node: usize,
    rows: Vec<u32>,
    sums: Sums,
    histogram: Histogram,
    best: Option<Found>,
}

#[derive(Clone, Copy)]
struct Found {
    gain: f64,
    feature: usize,
    left_bins: u64,
    left: Sums,
}

/// Mixes the bits of a number: the same in every run.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Grows the tree of `round` on what `logits` miss of the labels of `rows`.
pub(crate) fn grow(
    codes: &Codes,
    labels: &[bool],
    rows: &[usize],
    logits: &[f64],
    round: usize,
) -> Tree {
    let grower = Grower::new(codes, labels, rows, logits, round);
    let seen = |row: &&usize| mixed(**row as u64 ^ (round as u64) << 40) % 5 < ROWS_OF_FIVE;
    let seen = rows.iter().filter(seen).map(|row| *row as u32);
    let mut leaves = vec![grower.leaf(0, seen.collect(), None)];
    let mut nodes = vec![Node { points: leaves[0].sums.points(), split: None }];
    while leaves.len() < LEAVES {
        let gain = |leaf: &Leaf| leaf.best.map_or(0.0, |best| best.gain);
        let mut at = 0;
        for other in 1..leaves.len() {
            at = if gain(&leaves[other]) > gain(&leaves[at]) { other } else { at };
        }
        let Some(best) = leaves[at].best else { break };
        let leaf = leaves.swap_remove(at);
        let column = &codes.columns[best.feature];
        let goes_left = |row: &u32| best.left_bins >> column[*row as usize] & 1 == 1;
        let (left, right): (Vec<u32>, Vec<u32>) = leaf.rows.iter().partition(|row| goes_left(row));
        let to = [nodes.len(), nodes.len() + 1];
        nodes.push(Node { points: best.left.points(), split: None });
        nodes.push(Node { points: leaf.sums.minus(best.left).points(), split: None });
        nodes[leaf.node].split =
            Some(Split { feature: best.feature, left_bins: best.left_bins, to });
        // The larger side is what the smaller leaves of the parent.
        let is_left_smaller = left.len() <= right.len();
        let (small, large) = if is_left_smaller { (left, right) } else { (right, left) };
        let (small_node, large_node) =
            if is_left_smaller { (to[0], to[1]) } else { (to[1], to[0]) };
        let small = grower.leaf(small_node, small, None);
        let rest = grower.less(leaf.histogram, &small.histogram);
        let large = grower.leaf(large_node, large, Some(rest));
        leaves.extend([small, large]);
    }
    Tree { nodes }
}

/// What a tree is grown from.
struct Grower<'a> {
    codes: &'a Codes,
    /// Gradient and curvature of each row.
    slopes: Vec<(f64, f64)>,
    /// Features that this tree sees.
    features: Vec<usize>,
}

impl<'a> Grower<'a> {
    fn new(
        codes: &'a Codes,
        labels: &[bool],
        rows: &[usize],
        logits: &[f64],
        round: usize,
    ) -> Self {
        let mut slopes = vec![(0.0, 0.0); labels.len()];
        for row in rows {
            let p = sigmoid(logits[*row]);
            slopes[*row] = (f64::from(u8::from(labels[*row])) - p, p * (1.0 - p));
        }
        let mut features: Vec<usize> = (0..codes.columns.len()).collect();
        features.sort_by_key(|feature| mixed((*feature as u64 + 1) << 20 ^ round as u64));
        features.truncate((features.len() * FEATURES_OF_HUNDRED).div_ceil(100).max(FEATURES_MIN));
        features.sort_unstable();
        Self { codes, slopes, features }
    }

    fn leaf(&self, node: usize, rows: Vec<u32>, histogram: Option<Histogram>) -> Leaf {
        let histogram = histogram.unwrap_or_else(|| self.histogram(&rows));
        let sums = histogram.first().map_or_else(Sums::default, |bins| {
            bins.iter().fold(Sums::default(), |sum, bin| sum.plus(*bin))
        });
        let mut leaf = Leaf { node, rows, sums, histogram, best: None };
        leaf.best = self.best(&leaf);
        leaf
    }

    fn histogram(&self, rows: &[u32]) -> Histogram {
        let mut histogram = vec![[Sums::default(); BINS]; self.features.len()];
        for (bins, feature) in histogram.iter_mut().zip(&self.features) {
            let column = &self.codes.columns[*feature];
            for row in rows {
                let (gradient, curvature) = self.slopes[*row as usize];
                let bin = &mut bins[column[*row as usize] as usize % BINS];
                bin.gradient += gradient;
                bin.curvature += curvature;
                bin.rows += 1.0;
            }
        }
        histogram
    }

    fn less(&self, mut whole: Histogram, part: &Histogram) -> Histogram {
        let bins = whole.iter_mut().flatten().zip(part.iter().flatten());
        bins.for_each(|(bin, part)| *bin = bin.minus(*part));
        whole
    }

    fn best(&self, leaf: &Leaf) -> Option<Found> {
        if leaf.sums.rows < 2.0 * ROWS_MIN {
            return None;
        }
        let mut best: Option<Found> = None;
        for (bins, feature) in leaf.histogram.iter().zip(&self.features) {
            let filled = (0..BINS).filter(|bin| bins[*bin].rows > 0.5);
            let mut order: Vec<usize> = filled.collect();
            let is_ordered = self.codes.is_ordered[*feature];
            if !is_ordered {
                let rate = |bin: &usize| bins[*bin].gradient / (bins[*bin].curvature + WORD_RIDGE);
                order.sort_by(|a, b| rate(a).total_cmp(&rate(b)).then(a.cmp(b)));
            }
            let mut consider = |order: &[usize], start: u64| {
                let (mut left, mut left_bins) = (Sums::default(), start);
                for bin in order.iter().take(order.len().saturating_sub(1)) {
                    left = left.plus(bins[*bin]);
                    left_bins |= 1 << bin;
                    let right = leaf.sums.minus(left);
                    if left.rows < ROWS_MIN || right.rows < ROWS_MIN {
                        continue;
                    }
                    let gain = left.worth() + right.worth() - leaf.sums.worth();
                    if gain > best.map_or(GAIN_MIN, |best| best.gain) {
                        best = Some(Found { gain, feature: *feature, left_bins, left });
                    }
                }
            };
            consider(&order, 0);
            // What is missing comes first of numbers, and may go with the largest too.
            if is_ordered && order.first() == Some(&0) && order.len() > 2 {
                order.rotate_left(1);
                consider(&order, 0);
            }
        }
        best.map(|best| self.closed(leaf, best))
    }

    /// `best` with bins between those of numbers that no row of the leaf is in on the nearer side.
    fn closed(&self, leaf: &Leaf, mut best: Found) -> Found {
        let place = self.features.iter().position(|feature| *feature == best.feature);
        let Some(bins) = place.map(|place| &leaf.histogram[place]) else { return best };
        let is_empty = |bin: usize| bins[bin].rows < 0.5;
        if self.codes.is_ordered[best.feature] {
            let highest = (1..BINS).rev().find(|bin| best.left_bins >> bin & 1 == 1);
            let highest = highest.unwrap_or(0);
            (1..highest).filter(|bin| is_empty(*bin)).for_each(|bin| best.left_bins |= 1 << bin);
        }
        // What nobody has goes with most.
        if is_empty(0) && 2.0 * best.left.rows > leaf.sums.rows {
            best.left_bins |= 1;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_tree_is_told() {
        let leaf = Node { points: 1.0, split: None };
        let ask = |feature: usize, to: [usize; 2]| Node {
            points: 0.0,
            split: Some(Split { feature, left_bins: 1, to }),
        };
        let damage = |nodes: Vec<Node>| Tree { nodes }.damage(2);
        assert_eq!(damage(vec![ask(1, [1, 2]), leaf.clone(), leaf.clone()]), None);
        assert_eq!(damage(vec![leaf.clone()]), None);
        for (nodes, words) in [
            (vec![], "no leaf"),
            (vec![ask(2, [1, 2]), leaf.clone(), leaf.clone()], "a feature that is not there"),
            (vec![ask(0, [1, 9]), leaf.clone(), leaf.clone()], "leads nowhere"),
            (vec![ask(0, [0, 1]), leaf.clone()], "leads nowhere"),
            (vec![ask(0, [1, 1]), leaf.clone()], "meet"),
            (vec![ask(0, [1, 2]), leaf.clone(), leaf.clone(), leaf.clone()], "meet"),
            (vec![leaf; LEAVES_MAX + 1], "too many"),
        ] {
            let found = damage(nodes.clone()).expect(words);
            assert!(found.contains(words), "{nodes:?}: {found}");
        }
    }
}
