//! COPY ... TO STDOUT: what a query gives, as a stream of text, CSV or binary.

use datafusion::sql::sqlparser::ast::{
    CopyLegacyCsvOption, CopyLegacyOption, CopyOption, CopySource, CopyTarget, Ident, Query,
    Statement,
};

use super::copy_rows::Form;
use super::encode::CopyFormat;
use super::names::folded;
use super::outbox::ColumnDescription;
use crate::error::{Error, Result};

/// A COPY to the client.
#[derive(Debug, Clone)]
pub(super) struct CopyOut {
    /// What gives the rows.
    pub(super) statement: Box<Statement>,
    options: Options,
}

/// What stands in the parentheses of a COPY.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    format: Option<String>,
    delimiter: Option<char>,
    null: Option<String>,
    pub(super) has_header: bool,
    quote: Option<char>,
    escape: Option<char>,
    quoted: Vec<Ident>,
    /// Columns that COPY FROM never, or always, finds NULL.
    pub(super) not_null: Vec<Ident>,
    pub(super) null_in_quotes: Vec<Ident>,
}

impl CopyOut {
    /// The COPY that `statement` is, if it sends to the client; else the statement.
    ///
    /// # Errors
    /// 42601 and 22023 for options that no COPY TO takes.
    pub(super) fn of(statement: Statement) -> std::result::Result<Result<Self>, Box<Statement>> {
        match statement {
            Statement::Copy {
                source,
                to: true,
                target: CopyTarget::Stdout,
                options,
                legacy_options,
                ..
            } => Ok(Self::read(source, options, legacy_options)),
            other => Err(Box::new(other)),
        }
    }

    fn read(
        source: CopySource,
        options: Vec<CopyOption>,
        legacy: Vec<CopyLegacyOption>,
    ) -> Result<Self> {
        let query = match source {
            CopySource::Query(query) => query,
            CopySource::Table { table_name, columns } => {
                let columns = columns.iter().map(ToString::to_string).collect::<Vec<_>>();
                let columns = if columns.is_empty() { "*".into() } else { columns.join(", ") };
                parsed(&format!("SELECT {columns} FROM {table_name}"))?
            }
        };
        let read = Options::read(options, legacy)?;
        if !read.not_null.is_empty() || !read.null_in_quotes.is_empty() {
            return Err(unsupported("FORCE_NOT_NULL and FORCE_NULL are of COPY FROM"));
        }
        Ok(Self { statement: Box::new(Statement::Query(query)), options: read })
    }

    /// How rows of `columns` are written.
    ///
    /// # Errors
    /// 22023 for a format that is none, 0A000 for options that do not go together, 42703 for a column
    /// that is not there.
    pub(super) fn format(&self, columns: &[ColumnDescription]) -> Result<CopyFormat> {
        Ok(match self.options.form()? {
            Form::Text { delimiter, null } => CopyFormat::Text { delimiter, null },
            Form::Csv { delimiter, null, quote, escape } => {
                let quoted = self.quoted(columns)?;
                CopyFormat::Csv { delimiter, null, quote, escape, quoted }
            }
            Form::Binary => CopyFormat::Binary,
        })
    }

    fn quoted(&self, columns: &[ColumnDescription]) -> Result<Vec<bool>> {
        let wanted = &self.options.quoted;
        let is_all = wanted.iter().any(|name| name.value == "*");
        for name in wanted.iter().map(folded) {
            if !is_all && !columns.iter().any(|column| column.name == name) {
                return Err(Error::statement("42703", format!("column \"{name}\" does not exist")));
            }
        }
        let is_wanted = |column: &ColumnDescription| {
            is_all || wanted.iter().any(|name| folded(name) == column.name)
        };
        Ok(columns.iter().map(is_wanted).collect())
    }

    /// Whether a line of names comes first.
    pub(super) fn has_header(&self) -> bool {
        self.options.has_header
    }
}

impl Options {
    /// The options that are written.
    ///
    /// # Errors
    /// 42601 and 0A000 for what no COPY takes.
    pub(super) fn read(options: Vec<CopyOption>, legacy: Vec<CopyLegacyOption>) -> Result<Self> {
        let mut read = Self::default();
        options.into_iter().try_for_each(|option| read.take(option))?;
        legacy.into_iter().try_for_each(|option| read.take_legacy(option))?;
        Ok(read)
    }

    /// How the stream is written.
    ///
    /// # Errors
    /// 22023 for a format that is none, 0A000 for options that do not go together.
    pub(super) fn form(&self) -> Result<Form> {
        let name = self.format.as_deref().unwrap_or("text");
        let is_csv = name == "csv";
        let is_forced = [&self.quoted, &self.not_null, &self.null_in_quotes]
            .iter()
            .any(|columns| !columns.is_empty());
        if !is_csv && (self.quote.is_some() || self.escape.is_some() || is_forced) {
            return Err(unsupported("QUOTE, ESCAPE and FORCE options need the format csv"));
        }
        let delimiter = one_byte(self.delimiter.unwrap_or(if is_csv { ',' } else { '\t' }))?;
        match name {
            "text" => {
                if delimiter.is_ascii_alphanumeric() || b"\\.\n\r".contains(&delimiter) {
                    return Err(unsupported("this delimiter cannot be told from a value"));
                }
                let null = self.null.clone().unwrap_or_else(|| "\\N".into());
                Ok(Form::Text { delimiter, null })
            }
            "csv" => {
                let quote = one_byte(self.quote.unwrap_or('"'))?;
                if delimiter == quote || b"\n\r".contains(&delimiter) {
                    return Err(unsupported("the delimiter must not be the quote or end a line"));
                }
                let escape = self.escape.map_or(Ok(quote), one_byte)?;
                let null = self.null.clone().unwrap_or_default();
                Ok(Form::Csv { delimiter, null, quote, escape })
            }
            "binary" => {
                if self.delimiter.is_some() || self.null.is_some() || self.has_header {
                    let message = "DELIMITER, NULL and HEADER need the format text or csv";
                    return Err(unsupported(message));
                }
                Ok(Form::Binary)
            }
            other => {
                let message = format!("COPY format \"{other}\" not recognized");
                Err(Error::statement("22023", message))
            }
        }
    }

    /// Whether values are to be quoted, which only COPY TO does.
    pub(super) fn quotes(&self) -> bool {
        !self.quoted.is_empty()
    }

    fn take(&mut self, option: CopyOption) -> Result<()> {
        match option {
            CopyOption::Format(name) => self.format = Some(name.value.to_lowercase()),
            CopyOption::Delimiter(mark) => self.delimiter = Some(mark),
            CopyOption::Null(text) => self.null = Some(text),
            CopyOption::Header(is_on) => self.has_header = is_on,
            CopyOption::Quote(mark) => self.quote = Some(mark),
            CopyOption::Escape(mark) => self.escape = Some(mark),
            CopyOption::ForceQuote(columns) => self.quoted = columns,
            CopyOption::ForceNotNull(columns) => self.not_null = columns,
            CopyOption::ForceNull(columns) => self.null_in_quotes = columns,
            // Nothing here is frozen, and nothing is lost by it.
            CopyOption::Freeze(_) => {}
            CopyOption::Encoding(name) => {
                if !["utf8", "utf-8", "unicode"].contains(&name.to_lowercase().as_str()) {
                    return Err(unsupported("the only encoding is UTF8"));
                }
            }
        }
        Ok(())
    }

    fn take_legacy(&mut self, option: CopyLegacyOption) -> Result<()> {
        match option {
            CopyLegacyOption::Binary => self.format = Some("binary".into()),
            CopyLegacyOption::Delimiter(mark) => self.delimiter = Some(mark),
            CopyLegacyOption::Null(text) => self.null = Some(text),
            CopyLegacyOption::Header => self.has_header = true,
            CopyLegacyOption::Csv(options) => {
                self.format = Some("csv".into());
                for option in options {
                    match option {
                        CopyLegacyCsvOption::Header => self.has_header = true,
                        CopyLegacyCsvOption::Quote(mark) => self.quote = Some(mark),
                        CopyLegacyCsvOption::Escape(mark) => self.escape = Some(mark),
                        CopyLegacyCsvOption::ForceQuote(columns) => self.quoted = columns,
                        CopyLegacyCsvOption::ForceNotNull(columns) => self.not_null = columns,
                    }
                }
            }
            other => {
                let message = format!("COPY does not take {other}");
                return Err(Error::statement("42601", message));
            }
        }
        Ok(())
    }
}

fn parsed(sql: &str) -> Result<Box<Query>> {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;
    let wrong = |error: datafusion::sql::sqlparser::parser::ParserError| {
        Error::statement("42601", error.to_string())
    };
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).map_err(wrong)?;
    parser.parse_query().map_err(wrong)
}

fn one_byte(mark: char) -> Result<u8> {
    u8::try_from(mark)
        .ok()
        .filter(u8::is_ascii)
        .ok_or_else(|| unsupported("COPY delimiter, quote and escape must be one byte each"))
}

pub(super) fn unsupported(message: &str) -> Error {
    Error::statement("0A000", message)
}
