//! From values to bins, a block of rows at a time, without a search through text or a branch that
//! cannot be foreseen.

use arrow::array::{Array, Float64Array, StringArray, StringViewArray};
use arrow::buffer::NullBuffer;

use super::features::Given;
use crate::math::model::bins::Bins;

/// How the values of a feature become bins.
pub(super) enum Coder {
    /// Up to 31 edges, and infinities behind them.
    Short(Box<[f64; 32]>),
    /// Up to 63.
    Long(Box<[f64; 64]>),
    /// Any number of them.
    Edges(Vec<f64>),
    Words(Words),
}

impl Coder {
    pub(super) fn new(bins: &Bins) -> Self {
        match bins {
            Bins::Text { levels } => Self::Words(Words::new(levels)),
            Bins::Number { edges } => match edges.len() {
                0..32 => Self::Short(Box::new(padded(edges))),
                32..64 => Self::Long(Box::new(padded(edges))),
                _ => Self::Edges(edges.clone()),
            },
        }
    }

    /// Whether values are words.
    pub(super) fn is_words(&self) -> bool {
        matches!(self, Self::Words(_))
    }

    /// Bin of what is missing.
    pub(super) fn missing(&self) -> usize {
        usize::from(self.is_words())
    }

    /// Writes what `by_bin` has for the bins of the rows from `start` on into `out`.
    #[inline]
    pub(super) fn fill<T: Copy>(
        &self,
        given: Option<&Given<'_>>,
        start: usize,
        by_bin: &[T],
        out: &mut [T],
    ) {
        match (given, self) {
            (Some(Given::Numbers(numbers)), Self::Short(edges)) => {
                numbers_into(numbers, start, by_bin, out, |value| bin(edges, value));
            }
            (Some(Given::Numbers(numbers)), Self::Long(edges)) => {
                numbers_into(numbers, start, by_bin, out, |value| bin(edges, value));
            }
            (Some(Given::Numbers(numbers)), Self::Edges(edges)) => {
                let bin = |value: f64| match value.is_finite() {
                    true => 1 + edges.partition_point(|edge| *edge <= value),
                    false => 0,
                };
                numbers_into(numbers, start, by_bin, out, bin);
            }
            (Some(Given::Words(texts)), Self::Words(words)) => {
                words_into(texts, words, start, by_bin, out);
            }
            (Some(Given::Views(texts)), Self::Words(words)) => {
                views_into(texts, words, start, by_bin, out);
            }
            // A feature that is not given is missing.
            _ => out.fill(by_bin[self.missing()]),
        }
    }
}

fn padded<const N: usize>(edges: &[f64]) -> [f64; N] {
    let mut padded = [f64::INFINITY; N];
    padded[..edges.len()].copy_from_slice(edges);
    padded
}

/// Bin of a number: 0 for what is none, else one more than edges at or below it, of up to N - 1.
#[inline]
fn bin<const N: usize>(edges: &[f64; N], value: f64) -> usize {
    let mut below = 0;
    let mut step = N / 2;
    while step > 0 {
        let is_below = edges[(below | (step - 1)) & (N - 1)] <= value;
        below |= if is_below { step } else { 0 };
        step /= 2;
    }
    if value.is_finite() { below + 1 } else { 0 }
}

#[inline]
fn numbers_into<T: Copy>(
    numbers: &Float64Array,
    start: usize,
    by_bin: &[T],
    out: &mut [T],
    bin: impl Fn(f64) -> usize,
) {
    let values = &numbers.values()[start..start + out.len()];
    out.iter_mut().zip(values).for_each(|(out, value)| *out = by_bin[bin(*value)]);
    missing_into(numbers.nulls(), start, by_bin[0], out);
}

/// Writes `missing` where `nulls` say that there is nothing.
pub(super) fn missing_into<T: Copy>(
    nulls: Option<&NullBuffer>,
    start: usize,
    missing: T,
    out: &mut [T],
) {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return };
    for (place, out) in out.iter_mut().enumerate() {
        if nulls.is_null(start + place) {
            *out = missing;
        }
    }
}

fn words_into<T: Copy>(
    texts: &StringArray,
    words: &Words,
    start: usize,
    by_bin: &[T],
    out: &mut [T],
) {
    let data = texts.value_data();
    let offsets = &texts.value_offsets()[start..=start + out.len()];
    for (out, bounds) in out.iter_mut().zip(offsets.windows(2)) {
        let (from, to) = (bounds[0] as usize, bounds[1] as usize);
        *out = by_bin[words.bin(data, from, to - from)];
    }
    missing_into(texts.nulls(), start, by_bin[1], out);
}

fn views_into<T: Copy>(
    texts: &StringViewArray,
    words: &Words,
    start: usize,
    by_bin: &[T],
    out: &mut [T],
) {
    let views = &texts.views()[start..start + out.len()];
    // Words that come from a dictionary have one view each: the last ones are remembered.
    let mut seen = [(0, by_bin[words.find([0; 2], 0, |_| true)]); SEEN];
    for (place, (out, view)) in out.iter_mut().zip(views).enumerate() {
        let mixed = (*view as u64 ^ (*view >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let known = &mut seen[(mixed >> 60) as usize % SEEN];
        if known.0 != *view {
            let length = *view as u32;
            // Up to twelve bytes stand in the view itself, zeros behind them.
            let bin = if length <= 12 {
                words.find([*view >> 32; 2], length, |_| true)
            } else if texts.is_valid(start + place) {
                let word = texts.value(start + place).as_bytes();
                words.bin(word, 0, word.len())
            } else {
                // What stands under a NULL may be anything, the view of a word too.
                continue;
            };
            *known = (*view, by_bin[bin]);
        }
        *out = known.1;
    }
    missing_into(texts.nulls(), start, by_bin[1], out);
}

/// Views that are remembered.
const SEEN: usize = 16;

/// The words of a feature, to be found by their ends and their length.
pub(super) struct Words {
    slots: Vec<Slot>,
    levels: Vec<String>,
    seed: u64,
    shift: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// First and last sixteen bytes; of a shorter word twice all of them, zeros behind.
    ends: [u128; 2],
    length: u32,
    bin: u32,
}

/// A slot without a word: no word is so long.
const EMPTY: Slot = Slot { ends: [0; 2], length: u32::MAX, bin: 0 };
/// Ways to spread words over slots that are tried.
const SEEDS: u64 = 64;

/// Bytes that count of a word of each length.
const MASKS: [u128; 17] = {
    let mut masks = [u128::MAX; 17];
    let mut length = 0;
    while length < 16 {
        masks[length] = (1 << (8 * length)) - 1;
        length += 1;
    }
    masks
};

/// First and last sixteen bytes of the word at `from`; of a shorter word twice all of them.
#[inline]
fn ends(data: &[u8], from: usize, length: usize) -> [u128; 2] {
    let rest = &data[from..];
    let second = length.max(16) - 16;
    let mask = MASKS[length.min(16)];
    match (rest.first_chunk::<16>(), rest.get(second..second + 16)) {
        (Some(first), Some(last)) => {
            let last = last.first_chunk::<16>().unwrap_or(first);
            [*first, *last].map(|bytes| u128::from_le_bytes(bytes) & mask)
        }
        _ => {
            // A short word at the very end.
            let mut bytes = [0; 16];
            let count = length.min(16);
            bytes[..count].copy_from_slice(&rest[..count]);
            [u128::from_le_bytes(bytes); 2]
        }
    }
}

#[inline]
fn spread(ends: [u128; 2], length: u32, seed: u64) -> u64 {
    let (low, high) = (ends[0] as u64, (ends[1] >> 64) as u64);
    (low ^ high.rotate_left(32) ^ u64::from(length).rotate_left(16)).wrapping_mul(seed)
}

impl Words {
    fn new(levels: &[String]) -> Self {
        let size = (4 * levels.len()).next_power_of_two().max(4);
        let shift = 64 - size.trailing_zeros();
        let mut words = Self { slots: vec![], levels: levels.to_vec(), seed: 1, shift };
        let mut least = usize::MAX;
        for at in 1..=SEEDS {
            // Odd numbers without a pattern.
            let seed = at.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) | 1;
            let (slots, steps) = placed(levels, size, seed, shift);
            if steps < least {
                (words.slots, words.seed, least) = (slots, seed, steps);
            }
            if least == 0 {
                break;
            }
        }
        words
    }

    /// Bin of the word of `length` bytes at `from`.
    #[inline]
    fn bin(&self, data: &[u8], from: usize, length: usize) -> usize {
        let is_same = |level: &str| level.as_bytes() == &data[from..from + length];
        self.find(ends(data, from, length), length as u32, is_same)
    }

    /// Bin of the word with these ends; if there is more between them, `is_same` tells whether it is
    /// a level.
    #[inline]
    fn find(&self, ends: [u128; 2], length: u32, is_same: impl Fn(&str) -> bool) -> usize {
        let mut at = (spread(ends, length, self.seed) >> self.shift) as usize;
        loop {
            let slot = &self.slots[at & (self.slots.len() - 1)];
            if slot.ends == ends && slot.length == length {
                let bin = slot.bin as usize;
                if length <= 32 || is_same(&self.levels[bin - 2]) {
                    return bin;
                }
            }
            if slot.length == EMPTY.length {
                return 0;
            }
            at += 1;
        }
    }
}

/// Slots that hold `levels`, and by how many steps they are off their first places.
fn placed(levels: &[String], size: usize, seed: u64, shift: u32) -> (Vec<Slot>, usize) {
    let (mut slots, mut steps) = (vec![EMPTY; size], 0);
    for (at, level) in levels.iter().enumerate() {
        let ends = ends(level.as_bytes(), 0, level.len());
        let length = level.len() as u32;
        let mut place = (spread(ends, length, seed) >> shift) as usize;
        while slots[place & (size - 1)].length != EMPTY.length {
            place += 1;
            steps += 1;
        }
        slots[place & (size - 1)] = Slot { ends, length, bin: at as u32 + 2 };
    }
    (slots, steps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bins by a coder, of words in both encodings.
    fn bins(coder: &Coder, texts: &[Option<&str>]) -> Vec<u16> {
        let by_bin: Vec<u16> = (0..5_000).collect();
        let (plain, views) = (StringArray::from(texts.to_vec()), texts.iter().copied());
        let views: StringViewArray = views.collect();
        let [mut one, mut other] = [0, 1].map(|_| vec![0; texts.len()]);
        coder.fill(Some(&Given::Words(&plain)), 0, &by_bin, &mut one);
        coder.fill(Some(&Given::Views(&views)), 0, &by_bin, &mut other);
        assert_eq!(one, other, "encodings differ");
        one
    }

    #[test]
    fn words_are_told_apart_whatever_their_length() {
        let letters = "abcdefghijklmnopqrstuvwxyz";
        let mut levels: Vec<String> = (0..=20).map(|length| letters[..length].to_owned()).collect();
        levels.extend(
            ["aXc", "abcdeXgh", "abcdefghijkXmnopq", "abcdefghijklmnopX", "ß", "日本", "日木"]
                .map(String::from),
        );
        let coder = Coder::new(&Bins::Text { levels: levels.clone() });
        let texts: Vec<Option<&str>> = levels.iter().map(|level| Some(level.as_str())).collect();
        let wanted: Vec<u16> = (2..levels.len() as u16 + 2).collect();
        assert_eq!(bins(&coder, &texts), wanted);
        let unknown = ["b", "abX", "abcdeXg", "abcdefghijkXmno", "abcdefghijkYmnopq", "日", "a\0"];
        assert_eq!(bins(&coder, &unknown.map(Some)), [0; 7]);
        assert_eq!(bins(&coder, &[None, Some("a")]), [1, 3]);
    }

    proptest! {
        #[test]
        fn words_are_found_as_a_search_finds_them(
            mut levels in prop::collection::vec("[ab\0]{0,20}|a{30,36}b?", 0..40),
            others in prop::collection::vec("[ab\0]{0,20}|a{14}[ab]{3}a{14,20}", 0..40),
        ) {
            levels.sort();
            levels.dedup();
            let known = Bins::Text { levels: levels.clone() };
            let all: Vec<Option<&str>> =
                levels.iter().chain(&others).map(|word| Some(word.as_str())).collect();
            let wanted: Vec<u16> = all.iter().map(|word| known.of_word(*word) as u16).collect();
            prop_assert_eq!(bins(&Coder::new(&known), &all), wanted);
        }

        #[test]
        fn numbers_fall_where_a_search_puts_them(
            mut edges in prop::collection::vec(-50.0..50.0_f64, 0..100),
            others in prop::collection::vec(any::<f64>(), 1..30),
        ) {
            edges.sort_by(f64::total_cmp);
            let known = Bins::Number { edges: edges.clone() };
            let mut values: Vec<Option<f64>> =
                edges.iter().chain(&others).copied().map(Some).collect();
            values.extend([None, Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(f64::NAN)]);
            let wanted: Vec<u16> = values
                .iter()
                .map(|value| value.map_or(0, |value| known.of_number(value) as u16))
                .collect();
            let by_bin: Vec<u16> = (0..200).collect();
            let mut found = vec![0; values.len()];
            let numbers = Float64Array::from(values);
            Coder::new(&known).fill(Some(&Given::Numbers(&numbers)), 0, &by_bin, &mut found);
            prop_assert_eq!(found, wanted);
        }
    }
}
