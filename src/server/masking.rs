//! What is written down of a statement: its text without values, and the relations it names.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use sha2::{Digest, Sha256};

/// Text that is kept (bytes); what is longer is cut.
const TEXT_BYTES_MAX: usize = 4_096;
/// Relations that are named (count).
const RELATIONS_MAX: usize = 256;

/// A statement without its values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Masked {
    /// Its text with `?` for every literal, without comments, cut.
    pub(super) text: String,
    /// The same for statements that differ in values only: 16 hexadecimal digits.
    pub(super) hash: String,
    /// Relations named in it, sorted; those of its own WITH are left out.
    pub(super) relations: Vec<String>,
}

impl Masked {
    /// Masks `sql`.
    pub(super) fn of(sql: &str) -> Arc<Self> {
        Arc::new(Self::new(sql, vec![]))
    }

    /// Masks `sql`, which says `statement`.
    pub(super) fn of_statement(sql: &str, statement: &Statement) -> Arc<Self> {
        Arc::new(Self::new(sql, relations(statement)))
    }

    fn new(sql: &str, relations: Vec<String>) -> Self {
        let mut text = masked(sql);
        let digest = Sha256::digest(text.as_bytes());
        let hash = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        if text.len() > TEXT_BYTES_MAX {
            text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
            text.push_str(" ...");
        }
        Self { text, hash, relations }
    }
}

/// `sql` with `?` for every literal; a list of literals is `?...`.
///
/// What cannot be read as tokens is not shown at all: where a literal ends is not known.
fn masked(sql: &str) -> String {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize() else {
        return format!("<{} bytes that are no statement>", sql.len());
    };
    let mut text = String::with_capacity(sql.len().min(TEXT_BYTES_MAX * 4));
    for token in tokens {
        match token {
            Token::Whitespace(_) if text.ends_with(' ') || text.is_empty() => {}
            Token::Whitespace(_) => text.push(' '),
            token if is_literal(&token) => {
                let before = text.trim_end();
                let list = before.strip_suffix(',').map(str::trim_end);
                match list.filter(|list| list.ends_with('?') || list.ends_with("?...")) {
                    Some(list) if list.ends_with('?') => {
                        text.truncate(list.len());
                        text.push_str("...");
                    }
                    Some(list) => text.truncate(list.len()),
                    None => text.push('?'),
                }
            }
            Token::EOF => {}
            token => text.push_str(&token.to_string()),
        }
    }
    text.trim_end().to_owned()
}

fn is_literal(token: &Token) -> bool {
    use Token as T;
    match token {
        T::Word(_) | T::Placeholder(_) | T::Whitespace(_) | T::EOF => false,
        T::Comma | T::Period | T::SemiColon | T::LParen | T::RParen => false,
        // A token that is no sign and no name holds a value.
        T::Number(..) | T::Char(_) | T::SingleQuotedString(_) | T::DoubleQuotedString(_) => true,
        T::TripleSingleQuotedString(_) | T::TripleDoubleQuotedString(_) => true,
        T::DollarQuotedString(_) | T::SingleQuotedByteStringLiteral(_) => true,
        T::DoubleQuotedByteStringLiteral(_) | T::SingleQuotedRawStringLiteral(_) => true,
        T::DoubleQuotedRawStringLiteral(_) | T::NationalStringLiteral(_) => true,
        T::EscapedStringLiteral(_) | T::UnicodeStringLiteral(_) | T::HexStringLiteral(_) => true,
        T::CustomBinaryOperator(_) => false,
        other => other.to_string().contains('\''),
    }
}

/// Relations that `statement` names, without the names of its own WITH.
fn relations(statement: &Statement) -> Vec<String> {
    let mut names = Names::default();
    let _: ControlFlow<()> = Visit::visit(statement, &mut names);
    let own = names.own;
    names.found.into_iter().filter(|name| !own.contains(name)).take(RELATIONS_MAX).collect()
}

#[derive(Default)]
struct Names {
    found: BTreeSet<String>,
    own: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.own.extend(tables.map(|table| table.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let parts = relation.0.iter().map(|part| match part.as_ident() {
            Some(ident) if ident.quote_style.is_none() => ident.value.to_lowercase(),
            Some(ident) => ident.value.clone(),
            None => part.to_string(),
        });
        self.found.insert(parts.collect::<Vec<_>>().join("."));
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn no_value_stays_in_the_text() {
        for (sql, expected) in [
            ("SELECT  'secret', 42 -- secret\n FROM t", "SELECT ?... FROM t"),
            ("SELECT * FROM t WHERE a IN (1, 2,3)", "SELECT * FROM t WHERE a IN (?...)"),
            ("SELECT E'sec\\'ret', $$secret$$, $x$secret$x$", "SELECT ?..."),
            ("SELECT U&'secret' || X'5ec7e7' || B'01'", "SELECT ? || ? || ?"),
            ("SELECT N'secret', -1.5e3, $1", "SELECT ?, -?, $1"),
            (
                "/* secret */ SELECT \"a b\", x.y::date + DATE '2026-01-01'",
                "SELECT \"a b\", x.y::date + DATE ?",
            ),
            ("SET application_name = 'secret'", "SET application_name = ?"),
            ("SELECT 'secret", "<14 bytes that are no statement>"),
        ] {
            let masked = Masked::of(sql);
            assert_eq!(masked.text, expected, "{sql}");
            assert!(!masked.text.contains("secret"), "{sql}");
        }
    }

    #[test]
    fn statements_that_differ_in_values_have_one_hash_and_long_ones_are_cut() {
        let hash = |sql: &str| Masked::of(sql).hash.clone();
        assert_eq!(
            hash("SELECT 1 FROM t WHERE a IN (1,2)"),
            hash("SELECT 2  FROM t WHERE a IN ('x', 2, 3)")
        );
        assert_ne!(hash("SELECT 1 FROM t"), hash("SELECT 1 FROM u"));
        assert_eq!(hash("SELECT 1").len(), 16);
        let long = Masked::of(&format!("SELECT {}", "é, ".repeat(5_000)));
        assert!(long.text.len() <= TEXT_BYTES_MAX + 4 && long.text.ends_with(" ..."));
    }

    #[test]
    fn relations_are_named_without_those_of_with() {
        let sql = "WITH a AS (SELECT * FROM CRM.Leads) SELECT * FROM a JOIN mart.b USING (x) \
                   WHERE y IN (SELECT y FROM \"C\")";
        let statement = Parser::parse_sql(&PostgreSqlDialect {}, sql).expect("parses").remove(0);
        assert_eq!(Masked::of_statement(sql, &statement).relations, ["C", "crm.leads", "mart.b"]);
    }
}
