//! The command line, as clap types and nothing else.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The sales-operations warehouse you query in SQL.
#[derive(Debug, Parser)]
#[command(name = "runrate", version, about, max_term_width = 100)]
pub struct Cli {
    /// TOML file with settings; see `runrate check --example`
    #[arg(long, global = true, value_name = "FILE", env = "RUNRATE_CONFIG")]
    pub config: Option<PathBuf>,

    /// Directory or s3:// URL that holds the tables [default: runrate-lake]
    #[arg(long, global = true, value_name = "DIR|URL")]
    pub lake: Option<String>,

    /// How log lines on stderr are written [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<crate::config::LogFormat>,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load CRM exports into the canonical tables, or any file into schema raw
    Ingest(IngestArgs),
    /// Read a source that the configuration file names: what changed in it since the last time
    Sync(SyncArgs),
    /// Read rows of quarantine again, after what was wrong was put right
    Requeue(RequeueArgs),
    /// Serve the tables over the Postgres protocol
    Serve(ServeArgs),
    /// Make a whole small company, load it and serve it
    Demo(DemoArgs),
    /// Run one SQL statement in this process and print the result
    Query(QueryArgs),
    /// Write one report, or all of them, as tables of schema mart
    Materialize(MaterializeArgs),
    /// Take a person out of every table, with its old versions, and write a receipt
    Erase(EraseArgs),
    /// Join small files, put them in order, checkpoint logs and remove what no reader can need
    Upkeep(UpkeepArgs),
    /// Copy the whole lake to a directory or bucket; the next time only what is new
    Backup(BackupArgs),
    /// Look whether a lake or a backup is whole: its tables, files, rows and ledger
    Verify(VerifyArgs),
    /// Copy a backup into an empty place, or put tables back to what they held earlier
    Restore(RestoreArgs),
    /// Bring the lake to the newest layout; there is no way back
    Upgrade,
    /// Add, list and remove the roles that may log in
    Role {
        /// What to do with roles
        #[command(subcommand)]
        action: RoleAction,
    },
    /// List the sales-operations functions, or explain one
    Functions {
        /// Name of a function
        name: Option<String>,
        /// Write Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Check the configuration, the mappings, the reports and the lake
    Check {
        /// Print an example configuration file instead
        #[arg(long)]
        example: bool,
        /// Print which canonical columns the mappings of each CRM fill, column by column
        #[arg(long)]
        coverage: bool,
    },
}

/// `runrate requeue`.
#[derive(Debug, Args)]
pub struct RequeueArgs {
    /// Only the rows of this batch; see ops.quarantine
    #[arg(long, value_name = "ID")]
    pub batch: Option<String>,

    /// Write them to DIR/CRM as files to correct and ingest, and load nothing
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,

    /// Zone of times that name none, for rows of older releases; others are read as they were
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
}

/// `runrate ingest`.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Load into raw.NAME as it is, instead of through a CRM's mapping
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// CRM name (crm_sales_opportunities, hubspot, salesforce), then files or directories;
    /// with --table only files
    #[arg(required_unless_present = "all", value_name = "CRM|PATH|URL")]
    pub arguments: Vec<String>,
    /// Read every source of the configuration file, one after the other
    #[arg(long, conflicts_with_all = ["arguments", "table"])]
    pub all: bool,
    /// Read and check, but write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Types of raw columns, as `column:type,...` (text, integer, number, money, date, timestamp, boolean)
    #[arg(long, value_name = "TYPES", requires = "table")]
    pub types: Option<String>,
    /// Encoding of files without a byte-order mark that are not UTF-8, such as windows-1252
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// Field delimiter, instead of finding it
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<char>,
    /// Sheet to read of a workbook, instead of all of them
    #[arg(long, value_name = "NAME")]
    pub sheet: Option<String>,
    /// Decimal sign of numbers, which may then be grouped: point (1,234.56) or comma (1.234,56)
    #[arg(long, value_name = "SIGN")]
    pub decimal: Option<String>,
    /// Order of dates that are not like 2024-12-31: dmy or mdy
    #[arg(long, value_name = "ORDER")]
    pub date_order: Option<String>,
    /// Read plain numbers in columns of dates as days that a spreadsheet counted from 1900 or 1904
    #[arg(long, value_name = "YEAR")]
    pub serials: Option<String>,
    /// Time zone of timestamps that name none [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Name of the system where there are two of one CRM: its rows are of CRM:NAME
    #[arg(long, value_name = "NAME", conflicts_with = "table")]
    pub system: Option<String>,
    /// Commit even if the share of bad rows is above quarantine_ratio_max
    #[arg(long)]
    pub force: bool,
}

/// `runrate sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Name of the source: `[source.NAME]` in the configuration file
    pub name: String,
    /// Read all of it, not only what changed
    #[arg(long)]
    pub full: bool,
    /// Read and check, but write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Commit even if the share of bad rows is above quarantine_ratio_max
    #[arg(long)]
    pub force: bool,
}

/// `runrate erase`.
#[derive(Debug, Args)]
pub struct EraseArgs {
    /// E-mail address of the person; may be repeated
    #[arg(long = "email", value_name = "ADDRESS")]
    pub emails: Vec<String>,
    /// Id of a contact; may be repeated
    #[arg(long = "contact", value_name = "ID")]
    pub contacts: Vec<String>,
    /// Id of a lead; may be repeated
    #[arg(long = "lead", value_name = "ID")]
    pub leads: Vec<String>,
    /// Look for the person's full name in every text too; somebody else may have the same
    #[arg(long)]
    pub with_names: bool,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// File to write the receipt to, as JSON
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
}

/// `runrate upkeep`.
#[derive(Debug, Args)]
pub struct UpkeepArgs {
    /// Table such as crm.activities, instead of those that are due
    #[arg(value_name = "SCHEMA.TABLE", conflicts_with = "all")]
    pub table: Option<String>,
    /// Every table, due or not
    #[arg(long)]
    pub all: bool,
    /// Say what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `runrate backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Empty, or with an earlier backup of the same lake
    #[arg(value_name = "DIR|URL")]
    pub to: String,
    /// Copy the roles file too, with the verifiers of passwords; into a directory only
    #[arg(long)]
    pub with_roles: bool,
}

/// `runrate verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Lake or backup, instead of the lake of the configuration
    #[arg(value_name = "DIR|URL")]
    pub place: Option<String>,
    /// Read every page of every table, and compare the checksums of a backup
    #[arg(long)]
    pub deep: bool,
}

/// `runrate restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Backup to copy
    #[arg(value_name = "BACKUP", requires = "to")]
    pub backup: Option<String>,
    /// Empty place to copy it into
    #[arg(long, value_name = "DIR|URL", requires = "backup")]
    pub to: Option<String>,
    /// Put every table of the lake back to what it held then, such as 2026-03-31T18:00:00Z
    #[arg(long, value_name = "INSTANT", conflicts_with_all = ["backup", "version"])]
    pub at: Option<String>,
    /// Put one table back to a version, as SCHEMA.TABLE=N; may be repeated
    #[arg(long, value_name = "TABLE=N", conflicts_with = "backup")]
    pub version: Vec<String>,
}

/// `runrate serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address of the Postgres protocol [default: 127.0.0.1:5433]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Address of health and metrics [default: 127.0.0.1:8433]
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<String>,
}

/// `runrate demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the exports, the lake and the password are kept
    #[arg(long, value_name = "DIR", default_value = "runrate-demo")]
    pub dir: PathBuf,
    /// Size of the company: 1 is some 20 reps and three years
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub scale: u32,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
    /// Address of the Postgres protocol [default: 127.0.0.1:5433]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Address of health and metrics [default: 127.0.0.1:8433]
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<String>,
    /// Make and load the company, but do not serve it
    #[arg(long)]
    pub no_serve: bool,
}

/// `runrate query`.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The statement
    pub sql: String,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: OutputFormat,
}

/// How `runrate query` prints a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Boxes, for people.
    Table,
    /// RFC 4180 with a header.
    Csv,
    /// One JSON object a row, one a line.
    Json,
}

/// `runrate materialize`.
#[derive(Debug, Args)]
pub struct MaterializeArgs {
    /// Report such as collect.win_loss; all of them if left out
    pub name: Option<String>,
    /// Date the reports are made for, instead of the newest one in the data
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<chrono::NaiveDate>,
}

/// `runrate role`.
#[derive(Debug, Subcommand)]
pub enum RoleAction {
    /// Add a role, or change its password; asks for it on a terminal
    Add(RoleAddArgs),
    /// Let a role see more, or less of what it sees
    Grant(Box<RoleGrantArgs>),
    /// Take rights away from a role
    Revoke(Box<RoleRevokeArgs>),
    /// Print what a role may, and nothing secret
    Show {
        /// Name of the role
        name: String,
    },
    /// List the roles
    List,
    /// Remove a role
    Remove {
        /// Name of the role
        name: String,
    },
}

/// `runrate role add`.
#[derive(Debug, Args)]
pub struct RoleAddArgs {
    /// Name of the role
    pub name: String,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", conflicts_with = "no_login")]
    pub password_file: Option<PathBuf>,
    /// analyst, bi, batch or admin [default: analyst]
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Give it nothing to read: grants say what
    #[arg(long)]
    pub bare: bool,
    /// Make it a group: nobody logs in as it, others are members of it
    #[arg(long)]
    pub no_login: bool,
}

/// `runrate role grant`.
#[derive(Debug, Args)]
pub struct RoleGrantArgs {
    /// Name of the role
    pub name: String,
    /// Schema, or schema.relation, to read
    #[arg(long, value_name = "SCHEMA[.RELATION]")]
    pub on: Option<String>,
    /// Only these columns of it
    #[arg(long, value_name = "COLUMN,...", requires = "on")]
    pub columns: Option<String>,
    /// Only rows of it for which this SQL condition is true; may use current_user
    #[arg(long, value_name = "CONDITION", requires = "on")]
    pub rows: Option<String>,
    /// Show column NAME of it as `null`, `hash` or `partial`
    #[arg(long, value_name = "NAME=HOW", requires = "on")]
    pub mask: Vec<String>,
    /// What every new role reads: crm, the reports, the ledger of ingests
    #[arg(long)]
    pub standard: bool,
    /// A schema to keep tables of its own in
    #[arg(long, value_name = "SCHEMA")]
    pub own: Option<String>,
    /// What another role may, besides
    #[arg(long, value_name = "ROLE")]
    pub member_of: Option<String>,
    /// Hold it to a limit, such as statement_timeout_ms_max=60000
    #[arg(long, value_name = "LIMIT=NUMBER")]
    pub limit: Vec<String>,
    /// analyst, bi, batch or admin
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
}

/// `runrate role revoke`.
#[derive(Debug, Args)]
pub struct RoleRevokeArgs {
    /// Name of the role
    pub name: String,
    /// Schema, or schema.relation, not to be read any more, whatever else is granted
    #[arg(long, value_name = "SCHEMA[.RELATION]")]
    pub on: Option<String>,
    /// Only these columns of it
    #[arg(long, value_name = "COLUMN,...", requires = "on")]
    pub columns: Option<String>,
    /// Only the condition on its rows
    #[arg(long, requires = "on", conflicts_with = "columns")]
    pub rows: bool,
    /// Only the mask of column NAME of it
    #[arg(long, value_name = "NAME", requires = "on", conflicts_with_all = ["columns", "rows"])]
    pub mask: Vec<String>,
    /// What every new role reads
    #[arg(long)]
    pub standard: bool,
    /// The schema of its own; its tables stay
    #[arg(long, value_name = "SCHEMA")]
    pub own: Option<String>,
    /// What another role may
    #[arg(long, value_name = "ROLE")]
    pub member_of: Option<String>,
    /// A limit
    #[arg(long, value_name = "LIMIT")]
    pub limit: Vec<String>,
}
