//! Numerics, dates and times in Postgres' binary form.

use std::ops::Range;

use super::text::with_digits;
use crate::error::{Error, Result};

/// Seconds from 1970-01-01 to 2000-01-01.
const EPOCH_SECONDS: i64 = 946_684_800;

/// A length of four zero bytes, to be set by [`end_value`] when the value is written.
pub(super) fn begin_value(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 4]);
    out.len()
}

/// Sets the length of the value that began at `start`.
///
/// # Errors
/// 54000 for a value of 1 GiB or more, which no client can take.
pub(super) fn end_value(out: &mut [u8], start: usize) -> Result<()> {
    let length = length_of(out.len() - start)?;
    out[start - 4..start].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// A length and the bytes of a value.
///
/// # Errors
/// As [`end_value`].
#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, value: &[u8]) -> Result<()> {
    let length = length_of(value.len())?;
    out.reserve(4 + value.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

/// As [`put_bytes`], of the value at `part` of `all`.
///
/// A short value is copied with the bytes behind it, which are taken back: a copy of a length that
/// the compiler knows costs a third of one of any length.
///
/// # Errors
/// As [`end_value`].
#[inline]
pub(super) fn put_part(out: &mut Vec<u8>, all: &[u8], part: Range<usize>) -> Result<()> {
    const SHORT: usize = 16;
    let length = part.len();
    let more = all.get(part.start..part.start + SHORT).filter(|_| length <= SHORT);
    let Some(more) = more.and_then(|more| <&[u8; SHORT]>::try_from(more).ok()) else {
        return put_bytes(out, &all[part]);
    };
    let mut both = [0; 4 + SHORT];
    both[..4].copy_from_slice(&(length as i32).to_be_bytes());
    both[4..].copy_from_slice(more);
    let end = out.len() + 4 + length;
    out.extend_from_slice(&both);
    out.truncate(end);
    Ok(())
}

fn length_of(bytes: usize) -> Result<i32> {
    let length = i32::try_from(bytes).ok().filter(|length| *length < 1 << 30);
    length.ok_or_else(|| Error::statement("54000", format!("a value of {bytes} bytes is too long")))
}

/// The length that says NULL.
pub(super) fn push_null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

/// A numeric: base-10,000 digits around the point, most significant first.
///
/// Zero digits at both ends are left out: `weight` says where the first one stands.
pub(super) fn push_numeric(out: &mut Vec<u8>, value: i128, scale: i8) {
    let small = u64::try_from(value.unsigned_abs()).ok();
    let is_done = small.is_some_and(|small| push_small_numeric(out, value < 0, small, scale));
    if !is_done {
        with_digits(value, |sign, digits| push_long_numeric(out, sign, digits, scale));
    }
}

/// A numeric of eight bytes by division alone; false, and nothing written, if it does not fit.
fn push_small_numeric(out: &mut Vec<u8>, is_negative: bool, magnitude: u64, scale: i8) -> bool {
    let Ok(places) = u16::try_from(scale) else { return false };
    let groups_behind_point = places.div_ceil(4);
    let shift = [1, 1_000, 100, 10][usize::from(places % 4)];
    let Some(mut rest) = magnitude.checked_mul(shift) else { return false };
    // Groups from the end of the message on; zeros that nothing follows are not written.
    let (mut digits, mut at) = ([0; 18], 18);
    let (mut groups, mut end) = (0, 18);
    while rest > 0 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&((rest % 10_000) as u16).to_be_bytes());
        rest /= 10_000;
        groups += 1;
        if end == at + 2 && digits[at..end] == [0, 0] {
            end = at;
        }
    }
    let weight = if groups == 0 { 0 } else { groups - 1 - groups_behind_point as i16 };
    let sign = if is_negative { 0x4000 } else { 0 };
    let head = numeric_head(((end - at) / 2) as i16, weight, sign, scale);
    digits[at - 8..at].copy_from_slice(&head);
    out.extend_from_slice(&digits[at - 8..end]);
    true
}

/// Digits (count), weight of the first one, sign and scale.
fn numeric_head(count: i16, weight: i16, sign: u16, scale: i8) -> [u8; 8] {
    let [a, b] = count.to_be_bytes();
    let [c, d] = weight.to_be_bytes();
    let [e, f] = sign.to_be_bytes();
    let [g, h] = i16::from(scale.max(0)).to_be_bytes();
    [a, b, c, d, e, f, g, h]
}

/// A numeric of any length from its decimal digits.
pub(super) fn push_long_numeric(out: &mut Vec<u8>, is_negative: bool, ascii: &[u8], scale: i8) {
    let places = i32::from(scale);
    let digit_at = |power: i32| -> u16 {
        // The digit that counts 10^power.
        let from_end = power + places;
        match usize::try_from(from_end) {
            Ok(index) if index < ascii.len() => u16::from(ascii[ascii.len() - 1 - index] - b'0'),
            _ => 0,
        }
    };
    let group = |weight: i32| -> u16 {
        (0..4).rev().fold(0, |sum, place| sum * 10 + digit_at(weight * 4 + place))
    };
    let highest = (ascii.len() as i32 - 1 - places).div_euclid(4);
    let lowest = (-places).div_euclid(4);
    let first = (lowest..=highest).rev().find(|weight| group(*weight) != 0);
    let last = (lowest..=highest).find(|weight| group(*weight) != 0);
    let (count, weight) = match (first, last) {
        (Some(first), Some(last)) => (first - last + 1, first),
        _ => (0, 0),
    };
    let sign: u16 = if is_negative { 0x4000 } else { 0 };
    out.extend_from_slice(&numeric_head(count as i16, weight as i16, sign, scale));
    for place in 0..count {
        out.extend_from_slice(&group(weight - place).to_be_bytes());
    }
}

/// Microseconds of `ticks`, `second` of them a second; what is finer is cut off.
///
/// # Errors
/// 22008 beyond what 64 bits of microseconds hold.
pub(super) fn micros(ticks: i64, second: i64) -> Result<i64> {
    if second >= 1_000_000 {
        return Ok(ticks.div_euclid(second / 1_000_000));
    }
    ticks.checked_mul(1_000_000 / second).ok_or_else(out_of_range)
}

/// Microseconds since 2000-01-01.
///
/// # Errors
/// 22008 beyond what 64 bits of microseconds hold.
pub(super) fn timestamp(ticks: i64, second: i64) -> Result<i64> {
    micros(ticks, second)?.checked_sub(EPOCH_SECONDS * 1_000_000).ok_or_else(out_of_range)
}

/// Days since 2000-01-01.
///
/// # Errors
/// 22008 beyond what 32 bits hold.
pub(super) fn date(days: i64) -> Result<i32> {
    i32::try_from(days - super::calendar::EPOCH_DAYS).map_err(|_| out_of_range())
}

fn out_of_range() -> Error {
    Error::statement("22008", "date or time out of the range of the binary format")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(value: i128, scale: i8) -> Vec<i16> {
        let mut out = vec![];
        push_numeric(&mut out, value, scale);
        out.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn numerics_group_by_four_digits_around_the_point() {
        assert_eq!(words(12_345_678, 2), [3, 1, 0, 2, 12, 3456, 7800]);
        assert_eq!(words(-5, 2), [1, -1, 0x4000, 2, 500]);
        assert_eq!(words(0, 2), [0, 0, 0, 2]);
        assert_eq!(words(10_000, 0), [1, 1, 0, 0, 1]);
        assert_eq!(words(1, 9), [1, -3, 0, 9, 1000]);
        assert_eq!(words(12, -3), [2, 1, 0, 0, 1, 2000]);
        assert_eq!(words(100, 4), [1, -1, 0, 4, 100]);
    }

    #[test]
    fn short_and_long_numerics_are_the_same_bytes() {
        let mut value: i128 = 1;
        for at in 0..4_000_i128 {
            value = (value * 6_364_136_223_846_793_005 + at) % 20_000_000_000_000_000_000;
            let magnitude = value >> (at % 64);
            for scale in [0, 1, 2, 3, 4, 5, 8, 9, 18] {
                let (mut short, mut long) = (vec![], vec![]);
                push_numeric(&mut short, magnitude, scale);
                with_digits(magnitude, |s, digits| push_long_numeric(&mut long, s, digits, scale));
                assert_eq!(short, long, "{magnitude} with {scale} places");
            }
        }
    }

    #[test]
    fn instants_out_of_range_are_errors() {
        assert_eq!(timestamp(946_684_800, 1).expect("the epoch"), 0);
        assert_eq!(micros(-1, 1_000_000_000).expect("floored"), -1);
        assert_eq!(timestamp(i64::MAX, 1).expect_err("too late").sqlstate(), "22008");
        assert_eq!(date(0).expect("in range"), -10_957);
    }
}
