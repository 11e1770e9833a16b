//! Decimal text, exactly: what CRMs write for amounts, moved by powers of ten without binary fractions.

/// A number as written: `digits` × 10^-`scale`, with its sign in `digits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: i128,
    scale: i32,
}

impl Decimal {
    /// Reads `-12.50`, `+3`, `.5`, `1.0E7`; nothing grouped, no currency sign, at most 36 digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (number, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (is_negative, number) = match number.as_bytes().first()? {
            b'-' => (true, &number[1..]),
            b'+' => (false, &number[1..]),
            _ => (false, number),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let length = whole.len() + fraction.len();
        if length == 0 || length > 36 || exponent.abs() > 400 {
            return None;
        }
        if !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let digits = if is_negative { -digits } else { digits };
        Some(Self { digits, scale: fraction.len() as i32 - exponent }.trimmed())
    }

    /// Without zeros at the end of the fraction.
    fn trimmed(mut self) -> Self {
        if self.digits == 0 {
            self.scale = 0;
        }
        while self.scale > 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.scale -= 1;
        }
        self
    }

    /// This number × 10^`places`.
    pub(super) fn shifted(self, places: i32) -> Self {
        Self { scale: self.scale - places, ..self }.trimmed()
    }

    /// The number in units of 10^-`scale`, rounded half away from zero; `None` beyond 38 digits.
    pub(super) fn at_scale(self, scale: i32) -> Option<i128> {
        let up = scale - self.scale;
        if up >= 0 {
            if self.digits == 0 {
                return Some(0);
            }
            return self.digits.checked_mul(10_i128.checked_pow(up.try_into().ok()?)?);
        }
        let Some(unit) = 10_i128.checked_pow(up.unsigned_abs()) else { return Some(0) };
        let (quotient, rest) = (self.digits / unit, self.digits % unit);
        let away = i128::from(rest.abs() >= unit - rest.abs()) * self.digits.signum();
        Some(quotient + away)
    }

    /// The number if it is whole.
    pub(super) fn whole(self) -> Option<i64> {
        if self.scale > 0 {
            return None;
        }
        self.at_scale(0)?.try_into().ok()
    }

    /// Plain notation, no exponent.
    pub(super) fn text(self) -> String {
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = self.digits.unsigned_abs().to_string();
        if self.scale <= 0 {
            return format!("{sign}{digits}{}", "0".repeat(self.scale.unsigned_abs() as usize));
        }
        let scale = self.scale as usize;
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        format!("{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shifted(text: &str, places: i32) -> String {
        Decimal::parse(text).expect("a number").shifted(places).text()
    }

    #[test]
    fn numbers_move_exactly() {
        assert_eq!(shifted("1100.04", 6), "1100040000");
        assert_eq!(shifted("25", -2), "0.25");
        assert_eq!(shifted("-0.5", -2), "-0.005");
        assert_eq!(shifted("1.25E7", 0), "12500000");
        assert_eq!(shifted("100", -2), "1");
        assert_eq!(shifted("0.00", 9), "0");
    }

    #[test]
    fn rounding_is_half_away_from_zero_and_overflow_is_seen() {
        let cents = |text: &str| Decimal::parse(text).expect("a number").at_scale(2);
        assert_eq!(cents("1.005"), Some(101));
        assert_eq!(cents("-1.005"), Some(-101));
        assert_eq!(cents("1.00499"), Some(100));
        assert_eq!(cents("7"), Some(700));
        assert_eq!(cents("1e-300"), Some(0));
        assert_eq!(cents("1e300"), None);
    }

    #[test]
    fn what_is_not_plainly_a_number_is_not_one() {
        for text in ["", "-", ".", "1,234", "1.2.3", "$5", "12x4", "1e", "NaN", "inf", "0x10", "１"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
