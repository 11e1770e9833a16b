//! Bytes of an export to raw text columns; knows formats, not CRMs.
