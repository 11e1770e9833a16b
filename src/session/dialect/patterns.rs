//! Patterns: LIKE with an ESCAPE, SIMILAR TO, and what Postgres' regular expressions alone have.

/// `pattern` with backslashes where it has `mark`: the engine knows no other escape.
pub(super) fn with_backslashes(pattern: &str, mark: Option<char>) -> String {
    let mut out = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            c if Some(c) == mark => {
                out.push('\\');
                out.extend(characters.next());
            }
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
    out
}

/// The regular expression that says what `pattern` of SIMILAR TO says, for the whole text.
pub(in crate::session) fn similar(pattern: &str, mark: Option<char>) -> String {
    let mut out = String::from("^(?s:");
    let mut characters = pattern.chars();
    let mut is_class = false;
    while let Some(character) = characters.next() {
        match character {
            c if Some(c) == mark => {
                let next = characters.next().unwrap_or(c);
                if next.is_alphanumeric() {
                    out.push(next);
                } else {
                    out.extend(['\\', next]);
                }
            }
            '%' if !is_class => out.push_str(".*"),
            '_' if !is_class => out.push('.'),
            '.' | '^' | '$' | '\\' if !is_class => out.extend(['\\', character]),
            '[' => {
                is_class = true;
                out.push('[');
            }
            ']' => {
                is_class = false;
                out.push(']');
            }
            other => out.push(other),
        }
    }
    out.push_str(")$");
    out
}

/// Postgres' word marks in the words of the engine's regular expressions; a point is any character.
pub(in crate::session) fn regular(pattern: &str) -> String {
    let mut out = String::new();
    let mut characters = pattern.chars();
    let mut has_point = false;
    while let Some(character) = characters.next() {
        if character != '\\' {
            has_point |= character == '.';
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('m') => out.push_str(r"\b{start}"),
            Some('M') => out.push_str(r"\b{end}"),
            Some('y') => out.push_str(r"\b"),
            Some('Y') => out.push_str(r"\B"),
            Some('Z') => out.push_str(r"\z"),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    // The engine's point is no end of a line.
    if has_point { format!("(?s){out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_backslashes() {
        assert_eq!(with_backslashes("%!%%", Some('!')), "%\\%%");
        assert_eq!(with_backslashes("a\\b", Some('!')), "a\\\\b");
        assert_eq!(with_backslashes("a\\b", None), "a\\\\b");
    }

    #[test]
    fn similar_patterns_become_regular_expressions() {
        assert_eq!(similar("(a|b)%", Some('\\')), "^(?s:(a|b).*)$");
        assert_eq!(similar("a.c_", Some('\\')), "^(?s:a\\.c.)$");
        assert_eq!(similar("100\\%", Some('\\')), "^(?s:100\\%)$");
        assert_eq!(similar("[a-c%]+", Some('\\')), "^(?s:[a-c%]+)$");
    }

    #[test]
    fn word_marks_are_translated() {
        assert_eq!(regular(r"\mhere\M"), r"\b{start}here\b{end}");
        assert_eq!(regular(r"\d\."), r"\d\.");
        assert_eq!(regular("a.b"), "(?s)a.b");
    }
}
