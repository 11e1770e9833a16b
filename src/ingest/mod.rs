//! From an export to the lake: a mapping names the columns, a check types them, and every row is
//! loaded, quarantined or counted as a duplicate.

mod check;
mod datasets;
mod decimal;
mod export;
mod functions;
mod mapping;
mod parse;
mod progress;
