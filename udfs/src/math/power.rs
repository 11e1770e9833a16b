//! Powers of two, quick enough for columns: no table, no branch, the same bits on every machine.

/// Below this a power of two counts as nothing.
const LEAST: f64 = -1_022.0;
/// Adding this leaves a number rounded to a whole one in the low bits: 1.5 · 2^52.
pub(super) const WHOLE: f64 = 6_755_399_441_055_744.0;
/// ln(2)^k / k! for k from 1.
const TERMS: [f64; 13] = [
    std::f64::consts::LN_2,
    0.240_226_506_959_100_7,
    5.550_410_866_482_158e-2,
    9.618_129_107_628_477e-3,
    1.333_355_814_642_844_3e-3,
    1.540_353_039_338_161e-4,
    1.525_273_380_405_984e-5,
    1.321_548_679_014_431e-6,
    1.017_808_600_923_97e-7,
    7.054_911_620_801_123e-9,
    4.445_538_271_870_811e-10,
    2.567_843_599_348_82e-11,
    1.369_148_885_390_412_9e-12,
];

/// `2^x` for `x` of zero or less, to about one part in 2^52; exact for whole numbers.
///
/// Zero below -1022. Source: the series of e^(x·ln 2) for the part of x within a half.
#[inline(always)]
pub fn exp2(x: f64) -> f64 {
    let clamped = if x > LEAST { x } else { LEAST };
    let shifted = clamped + WHOLE;
    let part = clamped - (shifted - WHOLE);
    // In pairs, and pairs of pairs, so that few steps wait for others.
    let pair = |place: usize| TERMS[place] + TERMS[place + 1] * part;
    let (square, fourth) = (part * part, part * part * (part * part));
    let four = |place: usize| pair(place) + pair(place + 2) * square;
    let sum = four(0) + fourth * (four(4) + fourth * (four(8) + fourth * TERMS[12]));
    // 2^k: k is in the low bits of the shifted number, and belongs into the exponent.
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1_023) << 52);
    let power = (sum * part + 1.0) * scale;
    if x < LEAST { 0.0 } else { power }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_are_exact() {
        for x in 0..=1_022 {
            assert_eq!(exp2(-f64::from(x)), 2.0_f64.powi(-x), "{x}");
        }
        assert_eq!((exp2(-0.0), exp2(-1_022.5), exp2(f64::NEG_INFINITY)), (1.0, 0.0, 0.0));
    }

    proptest! {
        #[test]
        fn others_agree_with_the_library(x in -1_000.0..=0.0) {
            let (ours, theirs) = (exp2(x), f64::exp2(x));
            prop_assert!((ours / theirs - 1.0).abs() < 5e-16, "{} {}", ours, theirs);
        }
    }
}
