//! How large a statement may be, checked on its tokens before the recursive parser and planner see it.
//!
//! Flat chains are the danger: the parser guards nesting, but `a + a + ...` or a thousand UNION arms
//! become trees as deep as they are long, and walking or dropping those ends the process.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::{dialect, references};
use crate::error::{Error, Result};

const TOKENS_MAX: usize = 50_000;
const CHAIN_MAX: usize = 1_000;
const UNION_ARMS_MAX: usize = 256;
const JOINS_MAX: usize = 64;
/// Steps of a plan, those of its views included.
const NODES_MAX: usize = 20_000;
/// Schemas whose tables are small and in memory.
const CATALOGS: &[&str] = &["pg_catalog", "information_schema"];
const NESTING_MAX: usize = 64;

/// Statements of `sql`, at most `bytes_max` long, as every session reads them.
///
/// # Errors
/// 42601 for a syntax error, 54000 or 54001 beyond the limits on size and depth.
pub fn parse(sql: &str, bytes_max: usize) -> Result<Vec<Statement>> {
    if sql.len() > bytes_max {
        return Err(Error::Statement {
            sqlstate: "54000",
            message: format!("statement has {} bytes, the limit is {bytes_max}", sql.len()),
            hint: Some("Raise statement_bytes_max, or join with a table instead of a list.".into()),
        });
    }
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|e| Error::statement("42601", format!("syntax error: {e}")))?;
    check(&tokens)?;
    let tokens = dialect::reworded(dialect::versions::named(tokens)?);
    let mut statements = Parser::new(&dialect)
        .with_recursion_limit(NESTING_MAX)
        .with_tokens_with_locations(tokens)
        .parse_statements()
        .map_err(|e| Error::statement("42601", syntax_message(&e.to_string())))?;
    statements.iter_mut().for_each(dialect::bind);
    statements.iter().try_for_each(references::check)?;
    Ok(statements)
}

/// The parser's words without its prefix.
fn syntax_message(text: &str) -> String {
    let text = text.strip_prefix("sql parser error: ").unwrap_or(text);
    format!("syntax error: {}", text.trim())
}

/// Counts tokens, and chain lengths a nesting level at a time.
fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    if tokens.len() > TOKENS_MAX {
        return Err(too_complex(format!("more than {TOKENS_MAX} tokens")));
    }
    let (mut chains, mut unions, mut joins) = (vec![0_usize], 0_usize, 0_usize);
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => chains.push(0),
            Token::RParen | Token::RBracket => {
                chains.pop();
                if chains.is_empty() {
                    chains.push(0);
                }
            }
            Token::Comma => reset(&mut chains),
            Token::SemiColon => {
                reset(&mut chains);
                (unions, joins) = (0, 0);
            }
            Token::Word(word) => match word.keyword {
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => unions += 1,
                Keyword::JOIN => joins += 1,
                Keyword::AND | Keyword::OR | Keyword::NOT => extend(&mut chains)?,
                _ => {}
            },
            Token::Whitespace(_) | Token::Number(..) | Token::SingleQuotedString(_) => {}
            Token::Period | Token::EOF | Token::Placeholder(_) => {}
            _ => extend(&mut chains)?,
        }
    }
    if unions > UNION_ARMS_MAX {
        return Err(too_complex(format!("more than {UNION_ARMS_MAX} UNION arms")));
    }
    if joins > JOINS_MAX {
        return Err(too_complex(format!("more than {JOINS_MAX} joins")));
    }
    Ok(())
}

/// Refuses a plan with more than [`NODES_MAX`] nodes: what views and functions in FROM became of a
/// short statement.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let mut nodes = 0_usize;
    plan.apply_with_subqueries(|_| {
        nodes += 1;
        Ok(match nodes > NODES_MAX {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    if nodes > NODES_MAX {
        return Err(too_complex(format!("more than {NODES_MAX} steps with the views it names")));
    }
    Ok(())
}

/// Whether `plan` reads nothing but catalog tables, or is one row of constants.
pub(super) fn is_light(plan: &LogicalPlan) -> bool {
    let (mut is_light, mut scans, mut joins) = (true, 0, 0);
    let walked = plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) => {
                scans += 1;
                is_light &= scan.table_name.schema().is_some_and(|s| CATALOGS.contains(&s));
            }
            LogicalPlan::Join(_) => joins += 1,
            LogicalPlan::Unnest(_) | LogicalPlan::RecursiveQuery(_) | LogicalPlan::Analyze(_) => {
                is_light = false;
            }
            _ => {}
        }
        Ok(if is_light { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    // Rows of constants joined with each other can be as many as one likes.
    walked.is_ok() && is_light && (scans > 0 || joins == 0)
}

fn reset(chains: &mut [usize]) {
    if let Some(last) = chains.last_mut() {
        *last = 0;
    }
}

fn extend(chains: &mut [usize]) -> Result<()> {
    let Some(last) = chains.last_mut() else { return Ok(()) };
    *last += 1;
    if *last > CHAIN_MAX {
        return Err(too_complex(format!("more than {CHAIN_MAX} operators in a row")));
    }
    Ok(())
}

pub(super) fn too_complex(reason: String) -> Error {
    Error::statement("54001", format!("statement too complex: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 1 << 20;

    fn state(sql: &str) -> &'static str {
        match parse(sql, BYTES) {
            Ok(_) => "ok",
            Err(e) => e.sqlstate(),
        }
    }

    #[test]
    fn long_chains_are_refused_and_long_lists_are_not() {
        assert_eq!(state(&format!("select 1{}", " + 1".repeat(5_000))), "54001");
        assert_eq!(state(&format!("select 1{}", " or true".repeat(5_000))), "54001");
        assert_eq!(state(&format!("select 'a'{}", " || 'a'".repeat(5_000))), "54001");
        assert_eq!(state(&format!("select 1{}", " union select 1".repeat(500))), "54001");
        assert_eq!(state(&format!("select {}1{}", "(".repeat(500), ")".repeat(500))), "42601");
        let list = vec!["1"; 10_000].join(",");
        assert_eq!(state(&format!("select 1 where 1 in ({list})")), "ok");
    }

    #[test]
    fn size_and_syntax_have_their_codes() {
        assert_eq!(parse("select 1", 4).expect_err("too long").sqlstate(), "54000");
        assert_eq!(state("selec 1"), "42601");
        assert_eq!(state("select 'open"), "42601");
        assert_eq!(parse("select 1; select 2;", BYTES).expect("two").len(), 2);
        assert!(parse("", BYTES).expect("none").is_empty());
    }
}
