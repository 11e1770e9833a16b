//! `FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '...'`, and `t TIMESTAMP AS OF '...'`: one table of a
//! statement as the lake had it at an instant.
//!
//! The parser does not know it, so the instant becomes part of the table's name, which the catalog
//! takes apart again; see [`super::super::past`]. Without an alias the table keeps its own name.

use datafusion::sql::sqlparser::keywords::{Keyword, RESERVED_FOR_TABLE_ALIAS};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::{is_word, placed, word};
use crate::error::{Error, Result};
use crate::session::past;

/// `tokens` with every table at an instant named as such.
///
/// # Errors
/// 42601 where no table stands before or no text behind it, 22023 for a text that is no instant.
pub(in crate::session) fn named(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let is_of = |token: &TokenWithSpan| is_word(&token.token, "OF");
    if !tokens.iter().any(is_of) {
        return Ok(tokens);
    }
    let mut made: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let Some((instant, next)) = version(&tokens, at)? else {
            made.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let place = made.iter().rposition(|token| !is_blank(token));
        let Some((place, name)) = place.and_then(|n| Some((n, name(&made[n].token)?))) else {
            return Err(wrong("42601", "AS OF stands behind the name of a table"));
        };
        let span = made[place].span;
        made[place] = placed(quoted(past::named(&name, instant)), span);
        if !has_alias(&tokens[next..]) {
            let blank = tokens[at - 1].clone();
            made.extend([placed(word("AS"), span), blank.clone(), placed(quoted(name), span)]);
            if !made.last().is_some_and(is_blank) && is_blank(&blank) {
                made.push(blank);
            }
        }
        at = next;
    }
    Ok(made)
}

/// The instant that the words from `at` on name, and where they end.
fn version(
    tokens: &[TokenWithSpan],
    at: usize,
) -> Result<Option<(chrono::DateTime<chrono::Utc>, usize)>> {
    let solid: Vec<usize> = (at..tokens.len()).filter(|n| !is_blank(&tokens[*n])).take(7).collect();
    if solid.first() != Some(&at) {
        return Ok(None);
    }
    let starts = |words: &[&str]| {
        words.len() <= solid.len()
            && words.iter().zip(&solid).all(|(word, n)| is_word(&tokens[*n].token, word))
    };
    let is_short = starts(&["TIMESTAMP", "AS", "OF"]);
    let mut rest = match () {
        () if starts(&["FOR", "SYSTEM_TIME", "AS", "OF"]) => &solid[4..],
        () if is_short => &solid[3..],
        () => return Ok(None),
    };
    if let [first, ..] = rest
        && ["TIMESTAMP", "TIMESTAMPTZ"].iter().any(|word| is_word(&tokens[*first].token, word))
    {
        rest = &rest[1..];
    }
    let Some((Token::SingleQuotedString(text), last)) =
        rest.first().map(|n| (&tokens[*n].token, *n))
    else {
        // `SELECT timestamp AS of FROM t` is something else.
        return match is_short {
            true => Ok(None),
            false => Err(wrong("42601", "AS OF takes an instant as a text, TIMESTAMP '...'")),
        };
    };
    let instant = past::instant(text)
        .ok_or_else(|| wrong("22023", &format!("invalid instant for AS OF: \"{text}\"")))?;
    Ok(Some((instant, last + 1)))
}

fn wrong(sqlstate: &'static str, message: &str) -> Error {
    let hint = "Write FROM crm.accounts FOR SYSTEM_TIME AS OF TIMESTAMP '2026-06-30T18:00:00Z', \
                with a zone.";
    Error::Statement { sqlstate, message: message.to_owned(), hint: Some(hint.into()) }
}

/// The name that a token is, folded as Postgres does.
fn name(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
        Token::Word(word) => Some(word.value.clone()),
        _ => None,
    }
}

/// Whether an alias is what comes first.
fn has_alias(tokens: &[TokenWithSpan]) -> bool {
    match tokens.iter().find(|token| !is_blank(token)).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => {
            word.keyword == Keyword::AS || !RESERVED_FOR_TABLE_ALIAS.contains(&word.keyword)
        }
        Some(Token::Word(_)) => true,
        _ => false,
    }
}

fn quoted(value: String) -> Token {
    Token::Word(Word { value, quote_style: Some('"'), keyword: Keyword::NoKeyword })
}

fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

#[cfg(test)]
mod tests {
    use crate::session::limits;

    #[test]
    fn a_table_at_an_instant_is_a_name() {
        let at = "FOR SYSTEM_TIME AS OF 2026-01-02T03:04:05.000000Z";
        for (sql, wanted) in [
            (
                "select a.name from crm.Accounts for system_time as of timestamp '2026-01-02T03:04:05Z' a",
                format!("SELECT a.name FROM crm.\"accounts {at}\" a"),
            ),
            (
                "select * from accounts FOR SYSTEM_TIME AS OF '2026-01-02 04:04:05+01:00' where 1=1",
                format!("SELECT * FROM \"accounts {at}\" AS \"accounts\" WHERE 1 = 1"),
            ),
            (
                "select * from a timestamp as of '2026-01-02T03:04:05Z' join b using (x)",
                format!("SELECT * FROM \"a {at}\" AS \"a\" JOIN b USING(x)"),
            ),
            (
                "select (select 1 from a for system_time as of timestamptz '2026-01-02T03:04:05Z')",
                format!("SELECT (SELECT 1 FROM \"a {at}\" AS \"a\")"),
            ),
            ("select timestamp as of from t", "SELECT timestamp AS of FROM t".to_owned()),
        ] {
            let parsed = limits::parse(sql, 1 << 10).expect(sql);
            assert_eq!(parsed[0].to_string(), wanted, "{sql}");
        }
        for (sql, state) in [
            ("select * from t for system_time as of '2026-01-02'", "22023"),
            ("select * from t for system_time as of timestamp '2026-01-02 10:00:00'", "22023"),
            ("select * from t for system_time as of now()", "42601"),
            ("select * from f(1) for system_time as of '2026-01-02T03:04:05Z'", "42601"),
        ] {
            let error = limits::parse(sql, 1 << 10).expect_err(sql);
            assert_eq!(error.sqlstate(), state, "{sql}");
        }
    }
}
