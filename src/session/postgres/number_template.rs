//! Numbers by a template, as `to_char` of Postgres shows them: `9`, `0`, `.`, `,`, signs and `FM`.

use datafusion::common::{Result, ScalarValue, exec_err};

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    /// A digit; a zero is shown where the flag is set.
    Digit(bool),
    Point,
    Group,
    /// `S`: a sign before or after the number.
    Sign,
    /// `MI`, `PL`, `SG`.
    Minus,
    Plus,
    PlusMinus,
    /// `PR`: a negative number in angle brackets.
    Brackets,
    /// `TH`, in the case that it is written in: the ending of an ordinal.
    Ordinal(bool),
    Text(String),
}

struct Template {
    pieces: Vec<Piece>,
    is_tight: bool,
}

impl Template {
    fn of(template: &str) -> Result<Self> {
        let mut read = Self { pieces: vec![], is_tight: false };
        let mut rest = template;
        while let Some(first) = rest.chars().next() {
            let two = rest.get(..2).unwrap_or_default().to_uppercase();
            let (piece, length) = match (first, two.as_str()) {
                (_, "FM") => {
                    read.is_tight = true;
                    rest = &rest[2..];
                    continue;
                }
                (_, "MI") => (Piece::Minus, 2),
                (_, "PL") => (Piece::Plus, 2),
                (_, "SG") => (Piece::PlusMinus, 2),
                (_, "PR") => (Piece::Brackets, 2),
                (_, "TH") => (Piece::Ordinal(first == 'T'), 2),
                (_, "EE" | "RN") | ('V' | 'v', _) => {
                    return exec_err!(
                        "to_char: \"{template}\" has a pattern that is not known here"
                    );
                }
                ('9', _) => (Piece::Digit(false), 1),
                ('0', _) => (Piece::Digit(true), 1),
                ('.' | 'D' | 'd', _) => (Piece::Point, 1),
                (',' | 'G' | 'g', _) => (Piece::Group, 1),
                ('S' | 's', _) => (Piece::Sign, 1),
                // The currency of the locale C is a blank.
                ('L' | 'l', _) => (Piece::Text(" ".to_owned()), 1),
                ('"', _) => {
                    let inside = rest[1..].split('"').next().unwrap_or_default();
                    (Piece::Text(inside.to_owned()), (inside.len() + 2).min(rest.len()))
                }
                (other, _) => (Piece::Text(other.to_string()), other.len_utf8()),
            };
            read.pieces.push(piece);
            rest = &rest[length..];
        }
        let points = read.pieces.iter().filter(|piece| **piece == Piece::Point).count();
        if points > 1 {
            return exec_err!("to_char: \"{template}\" has more than one decimal point");
        }
        Ok(read)
    }
}

/// Sign, whole digits without leading zeros, and `places` digits after the point.
fn digits(number: &ScalarValue, places: usize) -> Option<(bool, String, String)> {
    let text = match number {
        ScalarValue::Int64(Some(number)) => number.to_string(),
        ScalarValue::Float64(Some(number)) if number.is_finite() => format!("{number:.places$}"),
        ScalarValue::Decimal128(Some(value), _, scale) => decimal(*value, *scale, places),
        _ => return None,
    };
    let (is_negative, bare) = match text.strip_prefix('-') {
        Some(bare) => (true, bare),
        None => (false, text.as_str()),
    };
    let (whole, part) = bare.split_once('.').unwrap_or((bare, ""));
    let whole = whole.trim_start_matches('0').to_owned();
    let part = format!("{part:0<places$}");
    let is_zero = whole.is_empty() && part.bytes().all(|digit| digit == b'0');
    Some((is_negative && !is_zero, whole, part))
}

/// A decimal rounded half away from zero to `places`.
fn decimal(value: i128, scale: i8, places: usize) -> String {
    let scale = i32::from(scale);
    let drop = scale - places as i32;
    let mut value = value;
    if drop > 0 {
        let step = 10_i128.checked_pow(drop as u32).unwrap_or(i128::MAX);
        value = (value / step) + (value % step * 2 / step);
    }
    let scale = scale.min(places as i32).max(0) as usize;
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// `number` by `template`.
pub(super) fn show(template: &str, number: &ScalarValue) -> Result<String> {
    if let Some(shown) = roman(template, number).or_else(|| scientific(template, number)) {
        return Ok(shown);
    }
    let template = Template::of(template)?;
    let point = template.pieces.iter().position(|piece| *piece == Piece::Point);
    let point = point.unwrap_or(template.pieces.len());
    let count = |pieces: &[Piece]| pieces.iter().filter(|p| matches!(p, Piece::Digit(_))).count();
    let (before, after) = template.pieces.split_at(point);
    let (whole_places, places) = (count(before), count(after));
    let Some((is_negative, whole, part)) = digits(number, places) else {
        return Ok("#".repeat(whole_places.max(1)));
    };
    let is_over = whole.len() > whole_places;
    let shown = Shown { whole: &whole, part: &part, is_over, whole_places };
    Ok(shown.write(&template, is_negative))
}

/// `RN`: Roman numerals up to 3999, to the right of 15 places.
fn roman(template: &str, number: &ScalarValue) -> Option<String> {
    const DIGITS: [(usize, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let is_tight = template.len() == 4 && template.to_uppercase().starts_with("FM");
    let bare = if is_tight { &template[2..] } else { template };
    if !bare.eq_ignore_ascii_case("RN") {
        return None;
    }
    let (is_negative, whole, _) = digits(number, 0)?;
    let mut rest = whole.parse::<usize>().unwrap_or(0);
    if is_negative || !(1..4_000).contains(&rest) {
        return Some("#".repeat(15));
    }
    let mut out = String::new();
    for (value, digit) in DIGITS {
        while rest >= value {
            out.push_str(digit);
            rest -= value;
        }
    }
    let out = if bare.starts_with('r') { out.to_lowercase() } else { out };
    Some(if is_tight { out } else { format!("{out:>15}") })
}

/// `9.99EEEE`: one digit, as many places, and the power of ten.
fn scientific(template: &str, number: &ScalarValue) -> Option<String> {
    let upper = template.to_uppercase();
    let (is_tight, bare) = match upper.strip_prefix("FM") {
        Some(bare) => (true, bare),
        None => (false, upper.as_str()),
    };
    let mantissa = bare.strip_suffix("EEEE")?;
    let (whole, part) = mantissa.split_once(['.', 'D']).unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte == b'9' || byte == b'0');
    if whole.len() != 1 || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let value = match number {
        ScalarValue::Int64(Some(value)) => *value as f64,
        ScalarValue::Float64(Some(value)) => *value,
        ScalarValue::Decimal128(Some(value), _, scale) => {
            super::conversions::nearest(*value, *scale)
        }
        _ => return None,
    };
    let written = format!("{value:.places$e}", places = part.len());
    let (mantissa, power) = written.split_once('e')?;
    let power: i32 = power.parse().ok()?;
    let sign = if power < 0 { '-' } else { '+' };
    let blank = if is_tight || value < 0.0 { "" } else { " " };
    Some(format!("{blank}{mantissa}e{sign}{:02}", power.abs()))
}

/// The ending of the ordinal of a number that ends in `whole`.
fn ordinal(whole: &str) -> &'static str {
    let tens = whole.len().checked_sub(2).map(|at| &whole[at..=at]);
    match whole.chars().next_back() {
        _ if tens == Some("1") => "th",
        Some('1') => "st",
        Some('2') => "nd",
        Some('3') => "rd",
        _ => "th",
    }
}

struct Shown<'a> {
    whole: &'a str,
    part: &'a str,
    is_over: bool,
    whole_places: usize,
}

impl Shown<'_> {
    fn write(&self, template: &Template, is_negative: bool) -> String {
        let point = template.pieces.iter().position(|piece| *piece == Piece::Point);
        let zero_from = template.pieces.iter().filter(|p| matches!(p, Piece::Digit(_)));
        let zero_from = zero_from.take(self.whole_places).position(|p| *p == Piece::Digit(true));
        // How many of the digits after the point FM keeps: up to the last that counts.
        let after: Vec<bool> = template.pieces[point.unwrap_or(template.pieces.len())..]
            .iter()
            .filter_map(
                |piece| if let Piece::Digit(is_kept) = piece { Some(*is_kept) } else { None },
            )
            .collect();
        let counts = |at: &usize| after[*at] || self.part.as_bytes().get(*at) != Some(&b'0');
        let kept = (0..after.len()).rev().find(counts).map_or(0, |at| at + 1);
        let (mut out, mut number_at) = (String::new(), None);
        let (mut before, mut behind, mut has_sign) = (0, 0, false);
        for (at, piece) in template.pieces.iter().enumerate() {
            match piece {
                Piece::Digit(_) if point.is_none_or(|point| at < point) => {
                    let digit = self.whole_digit(before, zero_from, after.is_empty());
                    before += 1;
                    match digit {
                        Some(digit) => {
                            number_at.get_or_insert(out.len());
                            out.push(digit);
                        }
                        None if !template.is_tight => out.push(' '),
                        None => {}
                    }
                }
                Piece::Digit(_) => {
                    let digit = self.part.as_bytes().get(behind).copied().unwrap_or(b'0');
                    behind += 1;
                    if !template.is_tight || behind <= kept {
                        out.push(if self.is_over { '#' } else { char::from(digit) });
                    }
                }
                Piece::Point => {
                    number_at.get_or_insert(out.len());
                    out.push('.');
                }
                Piece::Group => match number_at {
                    Some(_) => out.push(','),
                    None if !template.is_tight => out.push(' '),
                    None => {}
                },
                Piece::Sign if before == 0 && point.is_none_or(|point| at < point) => {}
                Piece::Sign | Piece::PlusMinus => {
                    has_sign |= *piece == Piece::PlusMinus;
                    out.push(if is_negative { '-' } else { '+' });
                }
                Piece::Minus if is_negative => out.push('-'),
                Piece::Plus if !is_negative => out.push('+'),
                Piece::Minus | Piece::Plus if !template.is_tight => out.push(' '),
                Piece::Minus | Piece::Plus | Piece::Brackets => {}
                Piece::Ordinal(_) if is_negative || !after.is_empty() => {}
                Piece::Ordinal(is_upper) => out.push_str(&match is_upper {
                    true => ordinal(self.whole).to_uppercase(),
                    false => ordinal(self.whole).to_owned(),
                }),
                Piece::Text(text) => out.push_str(text),
            }
        }
        has_sign |= template.pieces.iter().any(|p| matches!(p, Piece::Minus));
        self.signed(out, number_at.unwrap_or(0), template, is_negative, has_sign)
    }

    /// The digit at a place before the point; `None` is blank.
    fn whole_digit(&self, place: usize, zero_from: Option<usize>, is_whole: bool) -> Option<char> {
        if self.is_over {
            return Some('#');
        }
        let empty = self.whole_places - self.whole.len();
        if place >= empty {
            return self.whole.as_bytes().get(place - empty).copied().map(char::from);
        }
        let is_only_zero = self.whole.is_empty() && is_whole && place + 1 == self.whole_places;
        (is_only_zero || zero_from.is_some_and(|from| place >= from)).then_some('0')
    }

    /// `out` with its sign: before the number, where the template says nothing else.
    fn signed(
        &self,
        mut out: String,
        number_at: usize,
        template: &Template,
        is_negative: bool,
        has_sign: bool,
    ) -> String {
        let first =
            template.pieces.iter().position(|p| matches!(p, Piece::Digit(_) | Piece::Point));
        let sign_at = template.pieces.iter().position(|piece| *piece == Piece::Sign);
        let leads = sign_at.is_some_and(|at| first.is_none_or(|first| at < first));
        if template.pieces.contains(&Piece::Brackets) {
            let (open, close) = if is_negative { ("<", ">") } else { (" ", " ") };
            if template.is_tight && !is_negative {
                return out;
            }
            out.insert_str(number_at, open);
            out.push_str(close);
            return out;
        }
        if has_sign || (sign_at.is_some() && !leads) {
            return out;
        }
        let sign = match (is_negative, leads) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) if template.is_tight => "",
            (false, false) => " ",
        };
        out.insert_str(number_at, sign);
        out
    }
}
