//! Which Postgres type each Arrow type is announced as.

use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::{Error, Result};
use crate::session::SCALE_KEY;

/// A Postgres type as RowDescription and `pg_attribute` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PgType {
    /// Object identifier in `pg_type`.
    pub oid: u32,
    /// Width in bytes, or -1 if it varies.
    pub width: i16,
    /// Precision and scale of a numeric, -1 otherwise.
    pub modifier: i32,
}

/// Key of a field's metadata whose value, an object identifier, replaces the type's own.
///
/// Arrow has no type for Postgres' `oid`, `name` or `"char"`, which drivers compare by identity.
pub const OID_KEY: &str = "runrate.pg_oid";

/// `bool`.
pub const BOOL: u32 = 16;
/// `bytea`.
pub const BYTEA: u32 = 17;
/// `int8`.
pub const INT8: u32 = 20;
/// `int2`.
pub const INT2: u32 = 21;
/// `int4`.
pub const INT4: u32 = 23;
/// `text`.
pub const TEXT: u32 = 25;
/// `oid`.
pub const OID: u32 = 26;
/// `xid`.
pub const XID: u32 = 28;
/// `float4`.
pub const FLOAT4: u32 = 700;
/// `float8`.
pub const FLOAT8: u32 = 701;
/// What a client says of a parameter whose type it does not know.
pub const UNKNOWN: u32 = 705;
/// `bpchar`.
pub const BPCHAR: u32 = 1042;
/// `varchar`.
pub const VARCHAR: u32 = 1043;
/// `date`.
pub const DATE: u32 = 1082;
/// `time`.
pub const TIME: u32 = 1083;
/// `timestamp`.
pub const TIMESTAMP: u32 = 1114;
/// `timestamptz`.
pub const TIMESTAMPTZ: u32 = 1184;
/// `interval`.
pub const INTERVAL: u32 = 1186;
/// `json`.
pub const JSON: u32 = 114;
/// `jsonb`.
pub const JSONB: u32 = 3802;
/// `numeric`.
pub const NUMERIC: u32 = 1700;
/// `record`.
pub const RECORD: u32 = 2249;

/// Element type and array type, for every type that [`of`] can give.
pub const ARRAYS: &[(u32, u32)] = &[
    (BOOL, 1000),
    (BYTEA, 1001),
    (INT8, 1016),
    (INT2, 1005),
    (INT4, 1007),
    (TEXT, 1009),
    (OID, 1028),
    (XID, 1011),
    (18, 1002),
    (19, 1003),
    (FLOAT4, 1021),
    (FLOAT8, 1022),
    (BPCHAR, 1014),
    (VARCHAR, 1015),
    (DATE, 1182),
    (TIME, 1183),
    (TIMESTAMP, 1115),
    (TIMESTAMPTZ, 1185),
    (INTERVAL, 1187),
    (NUMERIC, 1231),
    (RECORD, 2287),
    (JSON, 199),
    (JSONB, 3807),
];

/// The Postgres type of `field`.
///
/// # Errors
/// 0A000 for a type that has no counterpart (union, run-end encoded).
pub fn of_field(field: &Field) -> Result<PgType> {
    match field.metadata().get(OID_KEY).and_then(|oid| oid.parse().ok()) {
        Some(oid) if may_be(field.data_type(), oid) => {
            Ok(PgType { oid, width: width(oid), modifier: -1 })
        }
        // Its places are those of each value.
        _ if field.metadata().contains_key(SCALE_KEY) => {
            Ok(PgType { modifier: -1, ..of(field.data_type())? })
        }
        _ => of(field.data_type()),
    }
}

/// Whether values of `data_type` can be sent as `oid`: a cast keeps what its operand was marked with.
fn may_be(data_type: &DataType, oid: u32) -> bool {
    match data_type {
        DataType::Int32 => oid == OID || oid == XID,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => oid != OID && oid != XID,
        other => is_list(other),
    }
}

/// The Postgres type of an Arrow type.
///
/// Integers without sign widen to the next type that holds them all.
/// A list of lists is announced as text: a Postgres array must be rectangular, an Arrow list need
/// not be.
///
/// # Errors
/// 0A000 for a type that has no counterpart (union, run-end encoded).
pub fn of(data_type: &DataType) -> Result<PgType> {
    use DataType as D;
    let oid = match data_type {
        D::Null | D::Utf8 | D::LargeUtf8 | D::Utf8View => TEXT,
        D::Boolean => BOOL,
        D::Int8 | D::UInt8 | D::Int16 => INT2,
        D::UInt16 | D::Int32 => INT4,
        D::UInt32 | D::Int64 => INT8,
        D::UInt64 => NUMERIC,
        D::Float16 | D::Float32 => FLOAT4,
        D::Float64 => FLOAT8,
        D::Decimal32(p, s) | D::Decimal64(p, s) | D::Decimal128(p, s) | D::Decimal256(p, s) => {
            return Ok(PgType { oid: NUMERIC, width: -1, modifier: numeric_modifier(*p, *s) });
        }
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => BYTEA,
        D::Date32 | D::Date64 => DATE,
        D::Time32(_) | D::Time64(_) => TIME,
        D::Timestamp(_, None) => TIMESTAMP,
        D::Timestamp(_, Some(_)) => TIMESTAMPTZ,
        D::Duration(_) | D::Interval(_) => INTERVAL,
        D::List(field) | D::LargeList(field) | D::FixedSizeList(field, _) => array(field)?,
        D::ListView(field) | D::LargeListView(field) | D::Map(field, _) => array(field)?,
        D::Struct(_) => RECORD,
        D::Dictionary(_, value) => return of(value),
        D::Union(..) | D::RunEndEncoded(..) => {
            let message = format!("results of type {data_type} cannot be sent");
            return Err(Error::statement("0A000", message));
        }
    };
    Ok(PgType { oid, width: width(oid), modifier: -1 })
}

/// Array type of a list's element.
fn array(element: &Field) -> Result<u32> {
    if is_list(element.data_type()) {
        return Ok(TEXT);
    }
    let element = of_field(element)?.oid;
    Ok(ARRAYS.iter().find(|(oid, _)| *oid == element).map_or(TEXT, |(_, array)| *array))
}

pub(super) fn is_list(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::List(_)
            | D::LargeList(_)
            | D::FixedSizeList(..)
            | D::ListView(_)
            | D::LargeListView(_)
            | D::Map(..)
    )
}

/// Postgres packs precision and scale in one number, 4 above zero; it cannot say a negative scale.
fn numeric_modifier(precision: u8, scale: i8) -> i32 {
    match u8::try_from(scale) {
        Ok(scale) => ((i32::from(precision) << 16) | i32::from(scale)) + 4,
        Err(_) => -1,
    }
}

/// Bytes of a type's binary form, -1 if they vary.
fn width(oid: u32) -> i16 {
    match oid {
        BOOL | 18 => 1,
        INT2 => 2,
        INT4 | OID | XID | FLOAT4 | DATE => 4,
        INT8 | FLOAT8 | TIME | TIMESTAMP | TIMESTAMPTZ => 8,
        INTERVAL => 16,
        19 => 64,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn numbers_keep_precision_and_scale() {
        let money = of(&DataType::Decimal128(18, 2)).expect("numeric");
        assert_eq!((money.oid, money.modifier), (NUMERIC, (18 << 16 | 2) + 4));
        assert_eq!(of(&DataType::Decimal128(5, -2)).expect("numeric").modifier, -1);
        assert_eq!(of(&DataType::UInt64).expect("numeric").oid, NUMERIC);
    }

    #[test]
    fn lists_become_arrays_and_lists_of_lists_text() {
        let item = |data_type| Arc::new(Field::new_list_field(data_type, true));
        let texts = DataType::List(item(DataType::Utf8View));
        assert_eq!(of(&texts).expect("text[]").oid, 1009);
        assert_eq!(of(&DataType::LargeList(item(texts))).expect("text").oid, TEXT);
    }

    #[test]
    fn metadata_names_the_type() {
        let field = Field::new("oid", DataType::Int32, false)
            .with_metadata([(OID_KEY.to_owned(), "26".to_owned())].into());
        assert_eq!(of_field(&field).expect("oid"), PgType { oid: OID, width: 4, modifier: -1 });
        let cast = field.with_data_type(DataType::Int64);
        assert_eq!(of_field(&cast).expect("int8").oid, INT8);
    }
}
