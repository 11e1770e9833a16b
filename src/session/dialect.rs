//! What Postgres says and the parser does not know, said in words that it knows, token by token.
//!
//! `FETCH` and `MOVE` may leave out almost everything, `MOVE` is a `FETCH` that gives nothing back,
//! `TABLE t` is a query, `x ISNULL` is `x IS NULL`, and `trim(leading from x)` trims blanks.
//! What the parser knows and the engine does not, or takes for something else, is reworded in the
//! syntax tree, part by part from the inside: see [`reword`].

mod binding;
mod calls;
mod casts;
mod expressions;
mod literals;
mod names;
mod patterns;
mod phrase;
mod relations;
mod selects;
pub(super) mod versions;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, Statement, TableFactor, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

use crate::error::{Error, Result};

pub(super) use binding::bind;
pub use literals::array_elements;
pub use names::{column_name, folded, outermost};
pub(super) use patterns::{regular, similar};
pub(super) use phrase::{made, string};

/// Stands before the first bound of a BETWEEN whose bounds may be in either order.
const SYMMETRIC: &str = "runrate.symmetric";

/// Target of a FETCH that stands for a MOVE.
pub const MOVED: &str = "runrate.moved";

/// `tokens` in words that the parser knows.
pub(super) fn reworded(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let tokens = small_words(tokens);
    let is_known = |token: &TokenWithSpan| {
        !["FETCH", "MOVE", "TABLE", "REFRESH", "ALTER"]
            .iter()
            .any(|word| is_word(&token.token, word))
    };
    if tokens.iter().all(is_known) {
        return tokens;
    }
    let statements = tokens.split_inclusive(|token| token.token == Token::SemiColon);
    statements.flat_map(statement).collect()
}

/// `ISNULL`, `NOTNULL`, and blanks where `trim` does not say what it trims.
fn small_words(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_any = |token: &Token, words: &[&str]| words.iter().any(|word| is_word(token, word));
    let mut made: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let mut before = made.iter().rev().map(|token| &token.token);
        let before = before.find(|token| !matches!(token, Token::Whitespace(_)));
        let span = token.span;
        let ends_value = before.is_some_and(|before| match before {
            Token::Word(word) => word.keyword == Keyword::NoKeyword || word.quote_style.is_some(),
            Token::RParen | Token::RBracket | Token::Number(..) => true,
            Token::SingleQuotedString(_) => true,
            _ => false,
        });
        let sides = ["LEADING", "TRAILING", "BOTH"];
        if ends_value && is_any(&token.token, &["ISNULL", "NOTNULL"]) {
            let middle = if is_word(&token.token, "ISNULL") { vec![] } else { vec![word("NOT")] };
            let words = std::iter::once(word("IS")).chain(middle).chain([word("NULL")]);
            made.extend(words.map(|word| placed(word, span)));
        } else if is_word(&token.token, "SYMMETRIC")
            && before.is_some_and(|before| is_word(before, "BETWEEN"))
        {
            // A mark that holds faster than any operator behind it; see `expressions::between`.
            let mark = Token::Word(Word {
                value: SYMMETRIC.to_owned(),
                quote_style: Some('"'),
                keyword: Keyword::NoKeyword,
            });
            made.extend([placed(mark, span), placed(Token::Caret, span)]);
        } else if is_word(&token.token, "FROM") && before.is_some_and(|b| is_any(b, &sides)) {
            made.push(placed(Token::SingleQuotedString(" ".into()), span));
            made.push(token);
        } else {
            made.push(token);
        }
    }
    made
}

fn statement(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let is_blank = |token: &TokenWithSpan| matches!(token.token, Token::Whitespace(_));
    let is_end = |token: &Token| matches!(token, Token::SemiColon | Token::EOF);
    let Some(start) = tokens.iter().position(|token| !is_blank(token)) else {
        return tokens.to_vec();
    };
    let (first, span) = (&tokens[start].token, tokens[start].span);
    let end = tokens.iter().position(|token| is_end(&token.token)).unwrap_or(tokens.len());
    let rest = &tokens[(start + 1).min(end)..end];
    let mut made: Vec<Token> = if is_word(first, "REFRESH") || is_word(first, "ALTER") {
        let words: Vec<&Token> =
            rest.iter().filter(|token| !is_blank(token)).map(|token| &token.token).collect();
        let Some(made) = of_views(first, &words) else { return tokens.to_vec() };
        made
    } else if is_word(first, "TABLE") {
        let select = [word("SELECT"), Token::Mul, word("FROM")];
        select.into_iter().chain(rest.iter().map(|token| token.token.clone())).collect()
    } else if is_word(first, "FETCH") || is_word(first, "MOVE") {
        let words: Vec<&Token> =
            rest.iter().filter(|token| !is_blank(token)).map(|token| &token.token).collect();
        let Some(mut made) = fetch(&words) else { return tokens.to_vec() };
        if is_word(first, "MOVE") {
            let name = Token::Word(Word {
                value: MOVED.to_owned(),
                quote_style: Some('"'),
                keyword: Keyword::NoKeyword,
            });
            made.extend([word("INTO"), name]);
        }
        made
    } else {
        return tokens.to_vec();
    };
    made.extend(tokens[end..].iter().map(|token| token.token.clone()));
    made.into_iter().map(|token| placed(token, span)).collect()
}

/// `REFRESH MATERIALIZED VIEW v` as the call that it is, and `ALTER VIEW v RENAME TO w` as of a table.
fn of_views(first: &Token, words: &[&Token]) -> Option<Vec<Token>> {
    if is_word(first, "ALTER") {
        let [view, rest @ ..] = words else { return None };
        let is_renamed = is_word(view, "VIEW") && rest.iter().any(|word| is_word(word, "RENAME"));
        let said = rest.iter().map(|token| (*token).clone());
        return is_renamed
            .then(|| [first.clone(), word("TABLE")].into_iter().chain(said).collect());
    }
    let [materialized, view, rest @ ..] = words else { return None };
    if !is_word(materialized, "MATERIALIZED") || !is_word(view, "VIEW") {
        return None;
    }
    let is_concurrent = rest.first().is_some_and(|word| is_word(word, "CONCURRENTLY"));
    let rest = &rest[usize::from(is_concurrent)..];
    let end = rest.iter().position(|word| is_word(word, "WITH")).unwrap_or(rest.len());
    let name: String = rest[..end]
        .iter()
        .map(|token| match token {
            Token::Word(word) if word.quote_style.is_none() => word.value.to_lowercase(),
            Token::Word(word) => word.value.clone(),
            other => other.to_string(),
        })
        .collect();
    let argument = Token::SingleQuotedString(name);
    let call = Token::Word(Word {
        value: "refresh_materialized_view".to_owned(),
        quote_style: None,
        keyword: Keyword::NoKeyword,
    });
    Some(vec![word("CALL"), call, Token::LParen, argument, Token::RParen])
}

/// A FETCH with direction, count and FROM, of the words after it; `None` if it is none.
fn fetch(words: &[&Token]) -> Option<Vec<Token>> {
    let (name, words) = words.split_last()?;
    let is_linked = words.last().is_some_and(|w| is_word(w, "FROM") || is_word(w, "IN"));
    let words = &words[..words.len() - usize::from(is_linked)];
    let number = |token: &Token| matches!(token, Token::Number(..));
    let said = |parts: &[&Token]| -> Vec<Token> { parts.iter().map(|t| (*t).clone()).collect() };
    let one = Token::Number("1".into(), false);
    let mut made = vec![word("FETCH")];
    made.extend(match words {
        [] => vec![word("NEXT")],
        [way] if is_word(way, "FORWARD") || is_word(way, "BACKWARD") => {
            vec![(*way).clone(), one]
        }
        [Token::Minus, count] if number(count) => vec![word("BACKWARD"), (*count).clone()],
        [way, Token::Minus, count] if is_word(way, "FORWARD") && number(count) => {
            vec![word("BACKWARD"), (*count).clone()]
        }
        [Token::Plus, count] => said(&[count]),
        known if known.len() <= 2 => said(known),
        _ => return None,
    });
    made.extend([word("FROM"), (*name).clone()]);
    Some(made)
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

fn word(text: &str) -> Token {
    Token::make_keyword(text)
}

fn placed(token: Token, span: Span) -> TokenWithSpan {
    TokenWithSpan { token, span }
}

/// Says in the engine's words what the parser understood and the engine would not, or otherwise.
///
/// # Errors
/// As Postgres for texts that are no value of their type; 0A000 for what is not supported.
pub(super) fn reword(statement: &mut Statement) -> Result<()> {
    match VisitMut::visit(statement, &mut Rewording { depth: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewording {
    /// Queries around the part that is looked at.
    depth: usize,
}

fn flow(outcome: Result<()>) -> ControlFlow<Error> {
    outcome.map_or_else(ControlFlow::Break, ControlFlow::Continue)
}

impl VisitorMut for Rewording {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        flow(selects::reword(query, self.depth > 1))
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        flow(relations::reword(factor))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        flow(expressions::between(expr))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        flow(expressions::reword(expr))
    }
}

#[cfg(test)]
mod tests {
    use crate::session::limits;

    #[test]
    fn short_forms_are_said_in_full() {
        for (sql, wanted) in [
            ("fetch c", "FETCH NEXT FROM c"),
            ("FETCH next c", "FETCH NEXT FROM c"),
            ("fetch from \"C d\"", "FETCH NEXT FROM \"C d\""),
            ("fetch forward in c", "FETCH FORWARD 1 FROM c"),
            ("fetch 5 c", "FETCH 5 FROM c"),
            ("fetch all c", "FETCH ALL FROM c"),
            ("fetch -3 from c", "FETCH BACKWARD 3 FROM c"),
            ("fetch forward 10 from c", "FETCH FORWARD 10 FROM c"),
            ("move absolute 7 from c", "FETCH ABSOLUTE 7 FROM c INTO \"runrate.moved\""),
            ("move backward all in c", "FETCH BACKWARD ALL FROM c INTO \"runrate.moved\""),
            ("table t order by 1", "SELECT * FROM t ORDER BY 1"),
            ("refresh materialized view Mart.x", "CALL refresh_materialized_view('mart.x')"),
            ("alter view v rename to w", "ALTER TABLE v RENAME TO w"),
            ("select fetch from move", "SELECT fetch FROM move"),
            ("select * from t fetch first 3 rows only", "SELECT * FROM t FETCH FIRST 3 ROWS ONLY"),
            ("select a isnull, b notnull", "SELECT a IS NULL, b IS NOT NULL"),
            ("select trim(leading from a)", "SELECT TRIM(LEADING ' ' FROM a)"),
        ] {
            let parsed = limits::parse(sql, 1 << 10).expect(sql);
            assert_eq!(parsed[0].to_string(), wanted, "{sql}");
        }
        let two = limits::parse(" move c ; fetch 2 from d;", 1 << 10).expect("two");
        assert_eq!(two.len(), 2);
        assert!(limits::parse("fetch", 1 << 10).is_err());
    }
}
