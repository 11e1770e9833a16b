//! Numbers, bytes and quoting in Postgres' text form.

use datafusion::arrow::datatypes::i256;

/// Two digits of every number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut at) = ([[0; 2]; 100], 0);
    while at < 100 {
        pairs[at] = [b'0' + (at / 10) as u8, b'0' + (at % 10) as u8];
        at += 1;
    }
    pairs
};

/// `value`, which is below 100, in two digits.
pub(super) fn pair(value: u64) -> [u8; 2] {
    PAIRS[(value % 100) as usize]
}

/// Any integer.
pub(super) fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The shortest digits that read back; with an exponent below 1e-4 and from 1e15 on.
pub(super) fn push_f64(out: &mut Vec<u8>, value: f64) {
    if push_special(out, value) {
        return;
    }
    push_shortest(out, ryu::Buffer::new().format_finite(value), value.abs() < 1e15);
}

/// As [`push_f64`], but a `float4` has its exponent from 1e6 on, as in Postgres.
pub(super) fn push_f32(out: &mut Vec<u8>, value: f32) {
    if push_special(out, f64::from(value)) {
        return;
    }
    push_shortest(out, ryu::Buffer::new().format_finite(value), value.abs() < 1e6);
}

/// Zeros and what is not finite.
fn push_special(out: &mut Vec<u8>, value: f64) -> bool {
    let text: &[u8] = if value.is_nan() {
        b"NaN"
    } else if value == f64::INFINITY {
        b"Infinity"
    } else if value == f64::NEG_INFINITY {
        b"-Infinity"
    } else if value == 0.0 {
        if value.is_sign_negative() { b"-0" } else { b"0" }
    } else {
        return false;
    };
    out.extend_from_slice(text);
    true
}

/// `shortest` as ryu writes it (`12.5`, `1e20`, `0.00001`) in the form Postgres chooses.
fn push_shortest(out: &mut Vec<u8>, shortest: &str, is_below_exponents: bool) {
    let (sign, unsigned) = match shortest.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", shortest),
    };
    out.extend_from_slice(sign.as_bytes());
    let has_exponent = unsigned.contains('e');
    if is_below_exponents && !has_exponent && !unsigned.starts_with("0.0000") {
        let plain = unsigned.strip_suffix(".0").unwrap_or(unsigned);
        return out.extend_from_slice(plain.as_bytes());
    }
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(part.bytes()).collect();
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    let mut digits = &digits[leading..];
    while let [rest @ .., b'0'] = digits {
        digits = rest;
    }
    let written: i32 = exponent.parse().unwrap_or(0);
    let exponent = written + whole.len() as i32 - 1 - leading as i32;
    if let [first, rest @ ..] = digits {
        out.push(*first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.unsigned_abs() >= 100 {
        return push_integer(out, exponent.unsigned_abs());
    }
    out.extend_from_slice(&pair(u64::from(exponent.unsigned_abs())));
}

/// A decimal with all `scale` places.
pub(super) fn push_numeric(out: &mut Vec<u8>, value: i128, scale: i8) {
    match (u64::try_from(value.unsigned_abs()), u8::try_from(scale)) {
        // Nearly all money: eight bytes of units and few places.
        (Ok(units), Ok(places)) if places < 19 => push_money(out, value < 0, units, places),
        _ => with_digits(value, |sign, digits| push_decimal(out, sign, digits, scale)),
    }
}

/// As [`push_decimal`], two digits at a time from the end.
fn push_money(out: &mut Vec<u8>, is_negative: bool, mut units: u64, places: u8) {
    // A sign, a point and 20 digits.
    let (mut text, mut at) = ([b'0'; 22], 22);
    for _ in 0..places / 2 {
        at -= 2;
        text[at..at + 2].copy_from_slice(&pair(units));
        units /= 100;
    }
    if places % 2 == 1 {
        at -= 1;
        text[at] = b'0' + (units % 10) as u8;
        units /= 10;
    }
    if places > 0 {
        at -= 1;
        text[at] = b'.';
    }
    while units >= 10 {
        at -= 2;
        text[at..at + 2].copy_from_slice(&pair(units));
        units /= 100;
    }
    // An even number of digits is written now, but the zero in front of a point is not.
    if units > 0 || text.get(at).is_none_or(|next| *next == b'.') {
        at -= 1;
        text[at] = b'0' + units as u8;
    }
    if is_negative {
        at -= 1;
        text[at] = b'-';
    }
    out.extend_from_slice(&text[at..]);
}

/// Calls `put` with the sign of `value` and its digits, most significant first.
pub(super) fn with_digits<R>(value: i128, put: impl FnOnce(bool, &[u8]) -> R) -> R {
    let mut buffer = itoa::Buffer::new();
    // Eight bytes suffice for nearly all money, and print several times faster than sixteen.
    let digits = match u64::try_from(value.unsigned_abs()) {
        Ok(small) => buffer.format(small),
        Err(_) => buffer.format(value.unsigned_abs()),
    };
    put(value < 0, digits.as_bytes())
}

/// As [`with_digits`], for the widest decimals.
pub(super) fn with_wide_digits<R>(value: i256, put: impl FnOnce(bool, &[u8]) -> R) -> R {
    let text = value.to_string();
    let digits = text.trim_start_matches('-');
    put(digits.len() < text.len(), digits.as_bytes())
}

/// A decimal of `digits` with all `scale` places; a negative scale appends zeros.
pub(super) fn push_decimal(out: &mut Vec<u8>, is_negative: bool, digits: &[u8], scale: i8) {
    if is_negative {
        out.push(b'-');
    }
    let Ok(places) = usize::try_from(scale) else {
        out.extend_from_slice(digits);
        let zeros = if digits == b"0" { 0 } else { usize::from(scale.unsigned_abs()) };
        return out.resize(out.len() + zeros, b'0');
    };
    if places == 0 {
        return out.extend_from_slice(digits);
    }
    let (whole, part) = digits.split_at(digits.len().saturating_sub(places));
    if whole.is_empty() {
        out.push(b'0');
    }
    out.extend_from_slice(whole);
    out.push(b'.');
    if part.len() < places {
        out.resize(out.len() + places - part.len(), b'0');
    }
    out.extend_from_slice(part);
}

/// `\x` and two digits a byte.
pub(super) fn push_bytea(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\x");
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
}

/// Quotes the element that begins at `start` if an array could not be read back without.
pub(super) fn quote_element(out: &mut Vec<u8>, start: usize) {
    let text = &out[start..];
    let is_plain = !text.is_empty()
        && !text.eq_ignore_ascii_case(b"null")
        && !text.iter().any(|b| matches!(b, b'{' | b'}' | b',' | b'"' | b'\\') || is_space(*b));
    if is_plain {
        return;
    }
    let text = out.split_off(start);
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Quotes the field that begins at `start` if a record could not be read back without.
pub(super) fn quote_field(out: &mut Vec<u8>, start: usize) {
    let text = &out[start..];
    let is_plain = !text.is_empty()
        && !text.iter().any(|b| matches!(b, b'(' | b')' | b',' | b'"' | b'\\') || is_space(*b));
    if is_plain {
        return;
    }
    let text = out.split_off(start);
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = vec![];
        write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn floats_print_as_postgres_prints_them() {
        for (value, expected) in [
            (1.0, "1"),
            (0.1, "0.1"),
            (-12.5, "-12.5"),
            (1e14, "100000000000000"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e15, "1e+15"),
            (1.5e20, "1.5e+20"),
            (1e100, "1e+100"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (-0.0, "-0"),
        ] {
            assert_eq!(text(|o| push_f64(o, value)), expected);
        }
        assert_eq!(text(|o| push_f32(o, 123_456.0)), "123456");
        assert_eq!(text(|o| push_f32(o, 1_234_567.5)), "1.2345675e+06");
        assert_eq!(text(|o| push_f32(o, 0.1)), "0.1");
    }

    #[test]
    fn decimals_keep_their_scale() {
        let of = |value, scale| {
            text(|o| with_digits(value, |sign, digits| push_decimal(o, sign, digits, scale)))
        };
        assert_eq!(of(5, 2), "0.05");
        assert_eq!(of(-12_345, 2), "-123.45");
        assert_eq!(of(0, 2), "0.00");
        assert_eq!(of(7, 0), "7");
        assert_eq!(of(12, -3), "12000");
        assert_eq!(of(0, -3), "0");
        let widest = i128::MIN;
        assert_eq!(of(widest, 38), "-1.70141183460469231731687303715884105728");
        let wider = text(|o| {
            with_wide_digits(i256::MIN, |sign, digits| push_decimal(o, sign, digits, 76));
        });
        assert_eq!(wider.len(), "-5.".len() + 76);
    }

    #[test]
    fn money_prints_as_any_decimal_does() {
        let mut value: i128 = 1;
        for at in 0..4_000_i128 {
            value = (value * 6_364_136_223_846_793_005 + at) % 20_000_000_000_000_000_000;
            let value = if at % 3 == 0 { -(value >> (at % 65)) } else { value >> (at % 65) };
            for scale in [-2, 0, 1, 2, 3, 4, 9, 17, 18, 19, 38] {
                let short = text(|o| push_numeric(o, value, scale));
                let long = text(|o| with_digits(value, |s, d| push_decimal(o, s, d, scale)));
                assert_eq!(short, long, "{value} with {scale} places");
            }
        }
        assert_eq!(text(|o| push_numeric(o, -i128::from(u64::MAX), 18)), "-18.446744073709551615");
    }

    #[test]
    fn quoting_follows_arrays_and_records() {
        let element = |value: &str| {
            text(|o| {
                o.extend_from_slice(value.as_bytes());
                quote_element(o, 0);
            })
        };
        assert_eq!(element("a"), "a");
        assert_eq!(element("b c"), "\"b c\"");
        assert_eq!(element("Null"), "\"Null\"");
        assert_eq!(element(""), "\"\"");
        assert_eq!(element("a\"\\"), "\"a\\\"\\\\\"");
        let field = |value: &str| {
            text(|o| {
                o.extend_from_slice(value.as_bytes());
                quote_field(o, 0);
            })
        };
        assert_eq!(field("null"), "null");
        assert_eq!(field("a\"b\\"), "\"a\"\"b\\\\\"");
        assert_eq!(field("(a)"), "\"(a)\"");
    }
}
