//! Trees ready to score: a tree's leaf is what is left when every feature has struck out the leaves that
//! its bin rules out.
//!
//! Source: C. Lucchese and others, QuickScorer, 2015.

use crate::math::model::trees::{LEAVES_MAX, Tree};

/// Bins that a table has a place for.
const BINS: usize = 64;
/// Rows that go through all trees together, so that what they need stays near.
const BLOCK: usize = 512;

/// The trees of a model.
pub(super) struct Forest(Vec<Ready>);

struct Ready {
    /// For each feature that is asked, the leaves that each of its bins leaves.
    tables: Vec<(usize, [u16; BINS])>,
    points: [f64; LEAVES_MAX],
    /// What each feature adds on the way to each leaf.
    ways: Vec<Vec<(usize, f64)>>,
}

impl Forest {
    pub(super) fn new(trees: &[Tree]) -> Self {
        Self(trees.iter().map(Ready::new).collect())
    }

    /// Adds the points of the trees to `logits`.
    pub(super) fn add(&self, codes: &[Vec<u16>], logits: &mut [f64]) {
        self.visit(codes, logits.len(), |row, tree, leaf| logits[row] += tree.points[leaf]);
    }

    /// What each feature adds in each of `rows` rows: a row after the other.
    pub(super) fn shares(&self, codes: &[Vec<u16>], rows: usize) -> Vec<f64> {
        let width = codes.len();
        let mut shares = vec![0.0; rows * width];
        self.visit(codes, rows, |row, tree, leaf| {
            let shares = &mut shares[row * width..][..width];
            tree.ways[leaf].iter().for_each(|(feature, points)| shares[*feature] += points);
        });
        shares
    }

    /// Shows `see` the leaf of each row in each tree.
    fn visit(&self, codes: &[Vec<u16>], rows: usize, mut see: impl FnMut(usize, &Ready, usize)) {
        let mut left = [0_u16; BLOCK];
        for start in (0..rows).step_by(BLOCK) {
            let count = BLOCK.min(rows - start);
            for tree in &self.0 {
                let left = &mut left[..count];
                left.fill(u16::MAX);
                for (feature, table) in &tree.tables {
                    let codes = &codes[*feature][start..start + count];
                    let both = left.iter_mut().zip(codes);
                    both.for_each(|(left, code)| *left &= table[*code as usize % BINS]);
                }
                for (row, left) in left.iter().enumerate() {
                    see(start + row, tree, left.trailing_zeros() as usize % LEAVES_MAX);
                }
            }
        }
    }
}

impl Ready {
    fn new(tree: &Tree) -> Self {
        let mut ready = Self { tables: vec![], points: [0.0; LEAVES_MAX], ways: vec![] };
        ready.below(tree, 0, &mut vec![]);
        // Bits without a leaf must not be taken for one.
        let leaves = (1_u32 << ready.ways.len()) - 1;
        if ready.tables.is_empty() {
            ready.tables.push((0, [u16::MAX; BINS]));
        }
        let cells = ready.tables.iter_mut().flat_map(|(_, table)| table);
        cells.for_each(|cell| *cell &= leaves as u16);
        ready
    }

    /// Adds the leaves below `node`, and gives a bit for each of them; `way` leads to it.
    fn below(&mut self, tree: &Tree, node: usize, way: &mut Vec<(usize, f64)>) -> u16 {
        let found = &tree.nodes[node];
        let Some(split) = found.split else {
            let leaf = self.ways.len();
            self.points[leaf] = found.points;
            self.ways.push(way.clone());
            return 1 << leaf;
        };
        let [left, right] = split.to.map(|to| {
            way.push((split.feature, tree.nodes[to].points - found.points));
            let leaves = self.below(tree, to, way);
            way.pop();
            leaves
        });
        let known = self.tables.iter().position(|(feature, _)| *feature == split.feature);
        let place = known.unwrap_or_else(|| {
            self.tables.push((split.feature, [u16::MAX; BINS]));
            self.tables.len() - 1
        });
        for (bin, cell) in self.tables[place].1.iter_mut().enumerate() {
            *cell &= if split.left_bins >> bin & 1 == 1 { !right } else { !left };
        }
        left | right
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::math::model::rounded;
    use crate::math::model::trees::{Node, Split};

    /// A tree of three leaves: feature 0 is asked first, then feature 1 on its right.
    fn tree() -> Tree {
        let leaf = |points: f64| Node { points, split: None };
        let split = |points: f64, feature: usize, left_bins: u64, to: [usize; 2]| Node {
            points,
            split: Some(Split { feature, left_bins, to }),
        };
        Tree {
            nodes: vec![
                split(0.0, 0, 0b011, [1, 2]),
                leaf(rounded(-0.7)),
                split(rounded(0.3), 1, 0b101, [3, 4]),
                leaf(rounded(0.1)),
                leaf(rounded(0.9)),
            ],
        }
    }

    proptest! {
        #[test]
        fn shares_add_up_to_the_points_of_the_leaf(
            rows in prop::collection::vec((0_u16..3, 0_u16..3), 1..1_200),
        ) {
            let forest = Forest::new(&[tree(), tree()]);
            let codes: [Vec<u16>; 2] = rows.iter().copied().unzip().into();
            let mut logits = vec![0.0; rows.len()];
            forest.add(&codes, &mut logits);
            let shares = forest.shares(&codes, rows.len());
            for (row, (a, b)) in rows.iter().enumerate() {
                let leaf: f64 = if *a < 2 { -0.7 } else if *b == 1 { 0.9 } else { 0.1 };
                prop_assert_eq!(logits[row], 2.0 * rounded(leaf));
                prop_assert_eq!(shares[2 * row] + shares[2 * row + 1], logits[row]);
            }
        }
    }
}
