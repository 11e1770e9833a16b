//! The reports of `sql/`: loaded, registered as views, materialized.
