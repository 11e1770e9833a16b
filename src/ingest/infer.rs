//! Types of raw columns, from what stands in all of their rows; in doubt a column stays text.

use chrono_tz::Tz;

use super::parse;
use super::spelling::Spelling;
use crate::schema::Kind;

/// Names of the types a person can declare.
pub(super) const KINDS: &str = "text, integer, number, money, date, timestamp, boolean";

/// The type called `name`.
pub(super) fn kind(name: &str) -> Option<Kind> {
    Some(match name.trim() {
        "text" => Kind::Text,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "money" => Kind::Money,
        "date" => Kind::Date,
        "timestamp" => Kind::Timestamp,
        "boolean" => Kind::Boolean,
        _ => return None,
    })
}

/// What the values of one column seen so far could all be.
#[derive(Debug, Clone)]
pub(super) struct Guess {
    is_id: bool,
    has_values: bool,
    spelling: Spelling,
    /// Narrowest first: the first that is still possible wins.
    possible: Vec<Kind>,
}

impl Guess {
    /// Nothing seen yet of the column called `name`, whose values are spelled as `spelling` says.
    pub(super) fn new(name: &str, spelling: Spelling) -> Self {
        let lower = name.to_lowercase();
        let is_id = lower == "id"
            || ["_id", " id", "code", "zip", "phone"].iter().any(|end| lower.ends_with(end))
            || name.ends_with("Id")
            || name.ends_with("ID");
        let possible =
            vec![Kind::Boolean, Kind::Integer, Kind::Number, Kind::Date, Kind::Timestamp];
        Self { is_id, has_values: false, spelling, possible }
    }

    /// Takes one more value into account.
    pub(super) fn see(&mut self, value: &str) {
        self.has_values = true;
        let number = self.spelling.number(value).unwrap_or_default();
        // Days that a spreadsheet counts look like any number: they are dates only where declared.
        let is_date = |least: usize| value.len() >= least && !is_plain(value);
        let date = self.spelling.date(value).unwrap_or_default();
        self.possible.retain(|kind| match kind {
            Kind::Boolean => {
                matches!(value, "true" | "false" | "TRUE" | "FALSE" | "True" | "False")
            }
            Kind::Integer => {
                is_plain(&number) && !number.contains('.') && parse::integer(&number).is_ok()
            }
            Kind::Number => is_plain(&number) && parse::number(&number).is_ok(),
            Kind::Date => date.len() == 10 && is_date(8) && parse::date(&date).is_ok(),
            // Without an offset an instant depends on the zone it is read in.
            Kind::Timestamp => {
                date.len() > 10 && is_date(11) && parse::timestamp(&date, Tz::UTC).is_ok()
            }
            Kind::Text | Kind::Money => false,
        });
    }

    /// The type that all values are of.
    pub(super) fn kind(&self) -> Kind {
        let is_possible = self.has_values && !self.is_id;
        self.possible.first().copied().filter(|_| is_possible).unwrap_or(Kind::Text)
    }
}

/// A number that reads back as it was written: no leading zeros, no sign but minus, at most 15 digits.
fn is_plain(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let starts_plainly = digits.starts_with("0.") || !digits.starts_with('0') || digits == "0";
    starts_plainly
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.len() <= 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::locale::Locale;

    fn guess(name: &str, values: &[&str]) -> Kind {
        let spelling = Spelling::new(Tz::UTC, Locale::default());
        let mut guess = Guess::new(name, spelling);
        values.iter().for_each(|value| guess.see(value));
        guess.kind()
    }

    #[test]
    fn types_are_those_of_every_value() {
        assert_eq!(guess("n", &["1", "20", "-3"]), Kind::Integer);
        assert_eq!(guess("n", &["1", "2.5"]), Kind::Number);
        assert_eq!(guess("d", &["2024-02-29"]), Kind::Date);
        assert_eq!(guess("t", &["2024-02-29T10:00:00Z"]), Kind::Timestamp);
        assert_eq!(guess("b", &["true", "False"]), Kind::Boolean);
    }

    #[test]
    fn in_doubt_a_column_stays_text() {
        assert_eq!(guess("n", &["1", "x"]), Kind::Text);
        assert_eq!(guess("n", &["02134"]), Kind::Text);
        assert_eq!(guess("zip", &["12134"]), Kind::Text);
        assert_eq!(guess("AccountId", &["7"]), Kind::Text);
        assert_eq!(guess("n", &["1e5"]), Kind::Text);
        assert_eq!(guess("n", &["12345678901234567"]), Kind::Text);
        assert_eq!(guess("b", &["1", "true"]), Kind::Text);
        assert_eq!(guess("d", &["2024-02-29", "29/02/2024"]), Kind::Text);
        assert_eq!(guess("e", &[]), Kind::Text);
    }
}
