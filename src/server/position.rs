//! Where in the statement an error is: the character that psql puts its caret under.

use super::fault::Fault;

impl Fault {
    /// The same, with the place in `sql` that it is about, if it says which.
    pub(super) fn at(self, sql: &str) -> Self {
        if self.position.is_some() {
            return self;
        }
        let position = match self.sqlstate.as_str() {
            "42601" => of_line(&self.message, sql),
            "42703" | "42P01" | "42883" | "42702" | "42704" => of_name(&self.message, sql),
            _ => None,
        };
        Self { position, ..self }
    }
}

/// The place that `Line: 1, Column: 8` names.
fn of_line(message: &str, sql: &str) -> Option<usize> {
    let (_, rest) = message.rsplit_once("Line: ")?;
    let (line, rest) = rest.split_once(", Column: ")?;
    let line: usize = line.parse().ok()?;
    let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let column: usize = column.parse().ok()?;
    let before: usize =
        sql.split_inclusive('\n').take(line.checked_sub(1)?).map(|l| l.chars().count()).sum();
    let position = before + column;
    (column > 0 && position <= sql.chars().count() + 1).then_some(position)
}

/// The place of the first name that `message` quotes and `sql` holds as a whole word.
fn of_name(message: &str, sql: &str) -> Option<usize> {
    let quoted = message.split(['"', '\'', '`']).skip(1).step_by(2);
    // The engine quotes a name only where it must.
    let bare = message
        .split(" named ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| c.is_whitespace() || c == ',').next());
    let bare = bare.map(|name| name.trim_matches(['.', '"']));
    for name in bare.chain(quoted).filter(|name| !name.is_empty()) {
        // Names come with what they were found in, which the statement may not say.
        let mut rest = Some(name);
        while let Some(part) = rest {
            if let Some(position) = word(part, sql) {
                return Some(position);
            }
            rest = part.split_once('.').map(|(_, rest)| rest);
        }
    }
    None
}

/// Place of `name` in `sql`, outside of strings and comments.
fn word(name: &str, sql: &str) -> Option<usize> {
    let wanted: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
    let text: Vec<char> = sql.chars().collect();
    let is_part = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let (mut at, mut is_string) = (0, false);
    while at < text.len() {
        if text[at] == '\'' {
            is_string = !is_string;
        } else if !is_string && text[at] == '-' && text.get(at + 1) == Some(&'-') {
            while at < text.len() && text[at] != '\n' {
                at += 1;
            }
            continue;
        } else if !is_string && (at == 0 || !is_part(text.get(at - 1))) {
            let end = at + wanted.len();
            let is_same = end <= text.len()
                && text[at..end].iter().flat_map(|c| c.to_lowercase()).eq(wanted.iter().copied());
            if is_same && !is_part(text.get(end)) {
                let is_quoted = at > 0 && text[at - 1] == '"';
                return Some(if is_quoted { at } else { at + 1 });
            }
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters() {
        let at =
            |code: &str, message: &str, sql: &str| Fault::error(code, message).at(sql).position;
        let column = "column \"nothing\" does not exist";
        assert_eq!(at("42703", column, "SELECT 'é', nothing FROM t"), Some(13));
        assert_eq!(at("42703", column, "SELECT 'nothing', nothings, NOTHING"), Some(29));
        let bare = "no field named t.nothing.\nValid fields are t.a";
        assert_eq!(at("42703", bare, "SELECT nothing FROM t"), Some(8));
        assert_eq!(at("42P01", "table 'runrate.crm.no' not found", "TABLE crm.no"), Some(7));
        assert_eq!(at("42601", "found: x at Line: 2, Column: 3", "select\n  x y"), Some(10));
        assert_eq!(at("22012", "division by zero", "select 1/0"), None);
    }
}
