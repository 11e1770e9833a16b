//! JSON as text: read, compared and written as Postgres does, numbers with every digit.

use std::fmt::Write;

/// How deep values may be inside each other.
const DEPTH_MAX: usize = 128;

/// A JSON value; numbers are their digits.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// What stands between the parts of a written value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `{"a": 1, "b": 2}`, as `jsonb` is shown.
    Spaced,
    /// `{"a":1,"b":2}`, as `row_to_json` writes.
    Tight,
}

impl Json {
    /// The value that `text` is; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let value = reader.value(DEPTH_MAX)?;
        reader.blanks();
        reader.rest.is_empty().then_some(value)
    }

    /// As `jsonb` keeps it: keys once, the last of them, shorter ones first.
    pub(super) fn canonical(self) -> Self {
        match self {
            Self::List(items) => Self::List(items.into_iter().map(Self::canonical).collect()),
            Self::Object(fields) => {
                let mut kept: Vec<(String, Self)> = vec![];
                for (key, value) in fields {
                    let value = value.canonical();
                    match kept.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, other)) => *other = value,
                        None => kept.push((key, value)),
                    }
                }
                kept.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
                Self::Object(kept)
            }
            Self::Number(digits) => Self::Number(plain(&digits)),
            other => other,
        }
    }

    /// The value under `key` of an object.
    pub(super) fn field(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The item at `place` of a list, from the end if it is negative.
    pub(super) fn item(&self, place: i64) -> Option<&Self> {
        let Self::List(items) = self else { return None };
        let at = if place < 0 { place + items.len() as i64 } else { place };
        items.get(usize::try_from(at).ok()?)
    }

    /// The value at `steps`, each a key or a place.
    pub(super) fn at<'a>(&'a self, steps: &[String]) -> Option<&'a Self> {
        steps.iter().try_fold(self, |value, step| match value {
            Self::List(_) => value.item(step.parse().ok()?),
            _ => value.field(step),
        })
    }

    /// The text of a scalar; written out for lists and objects, `None` for null.
    pub(super) fn shown(&self, style: Style) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text.clone()),
            other => Some(other.written(style)),
        }
    }

    /// Whether this has all that `other` has, as `@>` says.
    pub(super) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(_), Self::Object(wanted)) => wanted
                .iter()
                .all(|(key, value)| self.field(key).is_some_and(|own| own.contains(value))),
            (Self::List(items), Self::List(wanted)) => {
                wanted.iter().all(|wanted| items.iter().any(|item| item.contains(wanted)))
            }
            (Self::List(items), scalar) => items.iter().any(|item| item.is_equal(scalar)),
            (own, other) => own.is_equal(other),
        }
    }

    /// In a form that is the same for values that are equal as `jsonb`.
    pub(super) fn comparable(self) -> Self {
        fn without_zeros(json: Json) -> Json {
            match json {
                Json::Number(digits) => Json::Number(trimmed(&digits)),
                Json::List(items) => Json::List(items.into_iter().map(without_zeros).collect()),
                Json::Object(fields) => Json::Object(
                    fields.into_iter().map(|(key, value)| (key, without_zeros(value))).collect(),
                ),
                other => other,
            }
        }
        without_zeros(self.canonical())
    }

    fn is_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => trimmed(a) == trimmed(b),
            (a, b) => a == b,
        }
    }

    /// As text.
    pub(super) fn written(&self, style: Style) -> String {
        let mut out = String::new();
        self.write(style, &mut out);
        out
    }

    /// As text of many lines, each part indented by four blanks more than what it is in.
    pub(super) fn pretty(&self) -> String {
        let mut out = String::new();
        self.write_pretty(0, &mut out);
        out
    }

    fn write_pretty(&self, depth: usize, out: &mut String) {
        let line = |depth: usize, out: &mut String| {
            out.push('\n');
            out.push_str(&"    ".repeat(depth));
        };
        match self {
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    line(depth + 1, out);
                    item.write_pretty(depth + 1, out);
                }
                line(depth, out);
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (at, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    line(depth + 1, out);
                    quote(key, out);
                    out.push_str(": ");
                    value.write_pretty(depth + 1, out);
                }
                line(depth, out);
                out.push('}');
            }
            other => other.write(Style::Spaced, out),
        }
    }

    fn write(&self, style: Style, out: &mut String) {
        let (comma, colon) = match style {
            Style::Spaced => (", ", ": "),
            Style::Tight => (",", ":"),
        };
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(is) => out.push_str(if *is { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => quote(text, out),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { comma } else { "" });
                    item.write(style, out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (at, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if at > 0 { comma } else { "" });
                    quote(key, out);
                    out.push_str(colon);
                    value.write(style, out);
                }
                out.push('}');
            }
        }
    }
}

/// A number without exponent, as `numeric` has it.
fn plain(digits: &str) -> String {
    let Some((mantissa, exponent)) = digits.split_once(['e', 'E']) else {
        return digits.to_owned();
    };
    let Ok(exponent) = exponent.parse::<i32>() else { return digits.to_owned() };
    if !(-200..=200).contains(&exponent) {
        return digits.to_owned();
    }
    let (sign, bare) = match mantissa.strip_prefix('-') {
        Some(bare) => ("-", bare),
        None => ("", mantissa),
    };
    let (whole, part) = bare.split_once('.').unwrap_or((bare, ""));
    let mut all = format!("{whole}{part}");
    let point = whole.len() as i32 + exponent;
    if point <= 0 {
        all = format!("{}{all}", "0".repeat(1 + point.unsigned_abs() as usize));
        let part = &all[1..];
        return format!("{sign}0.{part}");
    }
    let point = point as usize;
    if point >= all.len() {
        all.push_str(&"0".repeat(point - all.len()));
        let whole = all.trim_start_matches('0');
        return format!("{sign}{}", if whole.is_empty() { "0" } else { whole });
    }
    format!("{sign}{}.{}", &all[..point], &all[point..])
}

/// A number without zeros that say nothing.
fn trimmed(digits: &str) -> String {
    let digits = plain(digits);
    match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits,
    }
}

/// `text` in quotation marks.
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => drop(write!(out, "\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, word: &str) -> Option<()> {
        self.blanks();
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        self.blanks();
        let depth = depth.checked_sub(1)?;
        match self.rest.chars().next()? {
            'n' => self.take("null").map(|()| Json::Null),
            't' => self.take("true").map(|()| Json::Bool(true)),
            'f' => self.take("false").map(|()| Json::Bool(false)),
            '"' => self.text().map(Json::Text),
            '[' => self.list(depth),
            '{' => self.object(depth),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        self.take("[")?;
        let mut items = vec![];
        if self.take("]").is_some() {
            return Some(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.take(",").is_none() {
                self.take("]")?;
                return Some(Json::List(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        self.take("{")?;
        let mut fields = vec![];
        if self.take("}").is_some() {
            return Some(Json::Object(fields));
        }
        loop {
            self.blanks();
            let key = self.text()?;
            self.take(":")?;
            fields.push((key, self.value(depth)?));
            if self.take(",").is_none() {
                self.take("}")?;
                return Some(Json::Object(fields));
            }
        }
    }

    fn number(&mut self) -> Option<Json> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c));
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let bare = digits.strip_prefix('-').unwrap_or(digits);
        let (mantissa, exponent) = match bare.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (bare, None),
        };
        let (whole, part) = match mantissa.split_once('.') {
            Some((whole, part)) => (whole, Some(part)),
            None => (mantissa, None),
        };
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let is_sound = is_digits(whole)
            && (whole.len() == 1 || !whole.starts_with('0'))
            && part.is_none_or(is_digits)
            && exponent.is_none_or(|e| is_digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
        self.rest = rest;
        is_sound.then(|| Json::Number(digits.to_owned()))
    }

    fn text(&mut self) -> Option<String> {
        let mut characters = self.rest.strip_prefix('"')?.chars();
        let mut out = String::new();
        let unit = |characters: &mut std::str::Chars<'_>| -> Option<u32> {
            let digits: String = characters.by_ref().take(4).collect();
            (digits.len() == 4).then(|| u32::from_str_radix(&digits, 16).ok())?
        };
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => match characters.next()? {
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'b' => out.push('\u{8}'),
                    'f' => out.push('\u{c}'),
                    'u' => {
                        let first = unit(&mut characters)?;
                        let code = match first {
                            0xd800..0xdc00 => {
                                characters.as_str().strip_prefix("\\u")?;
                                characters.nth(1)?;
                                let second = unit(&mut characters)?.checked_sub(0xdc00)?;
                                0x1_0000 + ((first - 0xd800) << 10) + second
                            }
                            other => other,
                        };
                        out.push(char::from_u32(code).filter(|c| *c != '\0')?);
                    }
                    plain @ ('"' | '\\' | '/') => out.push(plain),
                    _ => return None,
                },
                control if control < ' ' => return None,
                other => out.push(other),
            }
        }
        self.rest = characters.as_str();
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_written() {
        let of = |text: &str| Json::parse(text).expect(text).canonical().written(Style::Spaced);
        assert_eq!(of(r#" {"bb":1,"a":[true,null,"x\u00e9"],"bb":2.50} "#), {
            r#"{"a": [true, null, "xé"], "bb": 2.50}"#
        });
        assert_eq!(of("1e3"), "1000");
        assert_eq!(of("1.5e-3"), "0.0015");
        assert_eq!(of("-12.5e1"), "-125");
        for wrong in ["", "{", "[1,]", "01", "1.", "nope", "\"a", "{1:2}", "[1] 2", "+1"] {
            assert_eq!(Json::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn containment_ignores_order_and_zeros() {
        let of = |text: &str| Json::parse(text).expect(text);
        assert!(of(r#"{"a":1,"b":[1,2]}"#).contains(&of(r#"{"b":[2]}"#)));
        assert!(of("[1,2]").contains(&of("2.0")));
        assert!(!of(r#"{"a":1}"#).contains(&of(r#"{"a":2}"#)));
    }
}
