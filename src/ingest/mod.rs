//! Raw rows through a mapping into the canonical tables, losing none.
