//! What ingest keeps of itself: its runs, and the rows it could not load.

use super::Kind::{Integer, Money, Text, Timestamp};
use super::{Table, optional, required};

/// The tables of schema `ops`; they have no lineage columns.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "ingest_runs",
        meaning: "one object of one batch, as far as it went into one table",
        key: &["batch_id", "object", "table_name"],
        columns: &[
            required("batch_id", Text, "hash of the files' names and bytes, and of the mapping"),
            required("object", Text, "object of the export: the stem of its files' names"),
            required("table_name", Text, "table the rows went into, such as crm.accounts"),
            required("source_system", Text, "system of the export, such as salesforce"),
            required("file", Text, "names of the object's files"),
            required("rows_read", Integer, "rows the object makes for the table (count)"),
            required(
                "rows_loaded",
                Integer,
                "rows that are new or took an older one's place (count)",
            ),
            required(
                "rows_quarantined",
                Integer,
                "rows left out as bad; see ops.quarantine (count)",
            ),
            required("rows_duplicate", Integer, "rows the table or the batch had already (count)"),
            required("status", Text, "loaded or refused"),
            required("started_at", Timestamp, "when the batch was begun"),
            optional("finished_at", Timestamp, "when the line was written"),
            required("mapping_version", Text, "hash of the CRM's mappings"),
            optional("error", Text, "why the batch was refused"),
            optional("table_version", Integer, "version of the table that holds the rows"),
            optional(
                "columns",
                Text,
                "columns of the object that the mappings take, comma-separated",
            ),
        ],
        references: &[],
    },
    Table {
        name: "reconciliation",
        meaning: "the money of one column and currency that one batch brought to one table: what was read is what was loaded, quarantined or known",
        key: &["batch_id", "table_name", "column_name", "currency"],
        columns: &[
            required("batch_id", Text, "batch; see ops.ingest_runs"),
            required("table_name", Text, "table the rows went into, such as crm.opportunities"),
            required("column_name", Text, "column of money"),
            required("currency", Text, "ISO 4217 code of the amounts; empty where rows name none"),
            required("source_system", Text, "system of the export"),
            required("read_amount", Money, "sum of all rows read"),
            required(
                "loaded_amount",
                Money,
                "sum of the rows that are new or took an older one's place",
            ),
            required("quarantined_amount", Money, "sum of the rows left out as bad"),
            required(
                "duplicate_amount",
                Money,
                "sum of the rows the table or the batch had already",
            ),
            required("settled_at", Timestamp, "when the sums were made"),
        ],
        references: &[],
    },
    Table {
        name: "quarantine",
        meaning: "one row of an export that was not loaded, and why",
        key: &["batch_id", "object", "file", "line", "byte_offset"],
        columns: &[
            required("batch_id", Text, "batch that met the row"),
            required("object", Text, "object of the export"),
            required("file", Text, "path of the file"),
            required("line", Integer, "line the fault begins on, 1 first"),
            required("byte_offset", Integer, "offset of the row's first byte in the file"),
            required("source_system", Text, "system of the export"),
            optional("table_name", Text, "table whose check found the fault"),
            optional("column_name", Text, "canonical column concerned"),
            required("reason_code", Text, "short name of the rule broken"),
            required("reason", Text, "what is wrong"),
            required("raw_base64", Text, "the row as UTF-8, base64; at most its first 64 KiB"),
            required("quarantined_at", Timestamp, "when it was left out"),
            optional("header", Text, "header line of its file, for formats that have one"),
            optional("requeued_batch_id", Text, "batch that read it again; see runrate requeue"),
            optional("reading", Text, "what was declared for its file and its time zone, as JSON"),
        ],
        references: &[],
    },
];
