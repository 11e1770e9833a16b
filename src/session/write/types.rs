//! Types of columns: as Postgres spells them, and as Delta stores them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, ColumnOption, CreateTable, DataType as SqlType,
    ExactNumberInfo, TimezoneInfo,
};

use super::ask::folded;
use crate::error::{Error, Result};

/// Key of a field's metadata: most characters of its texts.
const LENGTH_KEY: &str = "runrate.length";
/// Precision and scale of a numeric that names none.
const NUMERIC: (u8, i8) = (38, 10);

/// A column of CREATE TABLE.
#[derive(Debug, Clone)]
pub struct Column {
    name: String,
    data_type: DataType,
    length: Option<u64>,
    is_nullable: bool,
}

impl Column {
    /// The columns of `create`.
    ///
    /// # Errors
    /// 0A000 for a type or constraint that cannot be held, 42701 for a name given twice.
    pub(super) fn of_all(create: &CreateTable) -> Result<Vec<Self>> {
        let mut columns: Vec<Self> = vec![];
        for column in &create.columns {
            let name = folded(&column.name);
            if columns.iter().any(|other| other.name == name) {
                return Err(twice(&name));
            }
            let mut is_nullable = true;
            for option in &column.options {
                match &option.option {
                    ColumnOption::Null | ColumnOption::Collation(_) => {}
                    ColumnOption::NotNull | ColumnOption::PrimaryKey(_) => is_nullable = false,
                    // See `rules`.
                    ColumnOption::Unique(_) | ColumnOption::Default(_) => {}
                    other => return Err(unheld(&other.to_string())),
                }
            }
            let (data_type, length) = of_sql(&column.data_type)?;
            columns.push(Self { name, data_type, length, is_nullable });
        }
        let rules = super::rules::of(create)?;
        for key in &rules.keys {
            for name in &key.columns {
                let column = columns.iter_mut().find(|column| column.name == *name);
                let Some(column) = column else {
                    let message = format!("column \"{name}\" named in key does not exist");
                    return Err(Error::statement("42703", message));
                };
                column.is_nullable &= !key.is_primary;
            }
        }
        Ok(columns)
    }

    /// `columns` as Arrow has them.
    pub(super) fn schema(columns: &[Self]) -> SchemaRef {
        let field = |column: &Self| {
            let field = Field::new(&column.name, column.data_type.clone(), column.is_nullable);
            match column.length {
                None => field,
                Some(length) => field
                    .with_metadata(HashMap::from([(LENGTH_KEY.to_owned(), length.to_string())])),
            }
        };
        Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
    }
}

pub(super) fn unheld(what: &str) -> Error {
    let word = what.split('(').next().unwrap_or(what).trim();
    Error::Statement {
        sqlstate: "0A000",
        message: format!("{word} cannot be held to by a table"),
        hint: Some("Tables keep types, NOT NULL, keys and defaults; leave the rest out.".into()),
    }
}

/// 42701.
pub(super) fn twice(name: &str) -> Error {
    Error::statement("42701", format!("column \"{name}\" specified more than once"))
}

/// The Arrow type of `sql`, and the most characters of its texts.
fn of_sql(sql: &SqlType) -> Result<(DataType, Option<u64>)> {
    use SqlType as S;
    let plain = match sql {
        S::Bool | S::Boolean => DataType::Boolean,
        S::SmallInt(_) | S::Int2(_) => DataType::Int16,
        S::Int(_) | S::Int4(_) | S::Integer(_) => DataType::Int32,
        S::BigInt(_) | S::Int8(_) => DataType::Int64,
        S::Real | S::Float4 => DataType::Float32,
        S::Float(ExactNumberInfo::Precision(bits)) if *bits <= 24 => DataType::Float32,
        S::Float(_) | S::Float8 | S::Double(_) | S::DoublePrecision => DataType::Float64,
        S::Numeric(info) | S::Decimal(info) | S::Dec(info) => numeric(info)?,
        S::Text | S::Uuid | S::JSON | S::JSONB | S::String(_) => DataType::Utf8,
        S::Varchar(length) | S::CharacterVarying(length) | S::CharVarying(length) => {
            return Ok((DataType::Utf8, characters(length.as_ref())));
        }
        S::Char(length) | S::Character(length) => {
            return Ok((DataType::Utf8, Some(characters(length.as_ref()).unwrap_or(1))));
        }
        S::Bytea => DataType::Binary,
        S::Date => DataType::Date32,
        S::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        S::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, None),
        S::Array(ArrayElemTypeDef::SquareBracket(element, _)) => {
            DataType::List(Arc::new(Field::new("element", of_sql(element)?.0, true)))
        }
        S::Custom(name, _) => match name.to_string().to_lowercase().as_str() {
            "name" | "citext" | "oid" => DataType::Utf8,
            other => {
                return Err(Error::statement("42704", format!("type \"{other}\" does not exist")));
            }
        },
        other => return Err(unstored(&other.to_string().to_lowercase())),
    };
    Ok((plain, None))
}

fn characters(length: Option<&CharacterLength>) -> Option<u64> {
    match length? {
        CharacterLength::IntegerLength { length, .. } => Some(*length),
        CharacterLength::Max => None,
    }
}

fn numeric(info: &ExactNumberInfo) -> Result<DataType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (i64::from(NUMERIC.0), i64::from(NUMERIC.1)),
        ExactNumberInfo::Precision(precision) => (i64::try_from(*precision).unwrap_or(0), 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => {
            (i64::try_from(*precision).unwrap_or(0), *scale)
        }
    };
    if !(1..=38).contains(&precision) || !(0..=precision).contains(&scale) {
        let message = format!("numeric({precision}, {scale}) cannot be stored");
        let hint = Some("Precision goes from 1 to 38, scale from 0 to the precision.".into());
        return Err(Error::Statement { sqlstate: "22023", message, hint });
    }
    Ok(DataType::Decimal128(precision as u8, scale as i8))
}

fn unstored(name: &str) -> Error {
    Error::Statement {
        sqlstate: "0A000",
        message: format!("values of type {name} cannot be stored in a table"),
        hint: Some("Cast them to text, or to a number of seconds.".into()),
    }
}

/// The columns of a query's `schema`, called `names` if given, as Delta stores them.
///
/// # Errors
/// 0A000 for a type that is not stored, 42701 for a name twice, 42P10 for another number of names.
pub(super) fn storable(schema: &Schema, names: Option<&[String]>) -> Result<SchemaRef> {
    if names.is_some_and(|names| names.len() > schema.fields().len()) {
        return Err(Error::statement("42601", "too many column names were specified"));
    }
    let mut fields: Vec<Field> = vec![];
    for (at, field) in schema.fields().iter().enumerate() {
        let name = names.and_then(|names| names.get(at)).unwrap_or(field.name());
        if fields.iter().any(|other| other.name() == name) {
            return Err(twice(name));
        }
        fields.push(Field::new(name, stored_type(field.data_type())?, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn stored_type(kind: &DataType) -> Result<DataType> {
    use DataType as D;
    let element = |field: &FieldRef| -> Result<FieldRef> {
        Ok(Arc::new(Field::new("element", stored_type(field.data_type())?, true)))
    };
    Ok(match kind {
        D::Null | D::Utf8 | D::Utf8View | D::LargeUtf8 => D::Utf8,
        D::Int8 | D::UInt8 => D::Int16,
        D::UInt16 => D::Int32,
        D::UInt32 => D::Int64,
        D::UInt64 => D::Decimal128(20, 0),
        D::Float16 => D::Float32,
        D::Decimal32(p, s) | D::Decimal64(p, s) | D::Decimal128(p, s) | D::Decimal256(p, s) => {
            D::Decimal128((*p).min(38), (*s).clamp(0, 38))
        }
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => D::Binary,
        D::Date32 | D::Date64 => D::Date32,
        D::Timestamp(_, None) => D::Timestamp(TimeUnit::Microsecond, None),
        D::Timestamp(_, Some(_)) => D::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        D::Dictionary(_, value) => stored_type(value)?,
        D::List(field) | D::LargeList(field) | D::FixedSizeList(field, _) => {
            D::List(element(field)?)
        }
        D::Struct(fields) => {
            let fields: Result<Vec<Field>> = fields
                .iter()
                .map(|field| Ok(Field::new(field.name(), stored_type(field.data_type())?, true)))
                .collect();
            D::Struct(fields?.into())
        }
        D::Boolean | D::Int16 | D::Int32 | D::Int64 | D::Float32 | D::Float64 => kind.clone(),
        D::Interval(_) | D::Duration(_) => return Err(unstored("interval")),
        D::Time32(_) | D::Time64(_) => return Err(unstored("time")),
        other => return Err(unstored(&other.to_string())),
    })
}

/// `batch`, column by column, as rows of `table` with `schema`.
///
/// # Errors
/// 22P02, 22003 for a value that does not fit, 23502 for NULL where none may be, 22001 for a text
/// that is too long.
pub(super) fn fit(table: &str, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        let column = match column.data_type() == field.data_type() {
            true => column.clone(),
            false => cast(column, field.data_type())?,
        };
        if !field.is_nullable() && column.null_count() > 0 {
            let message = format!(
                "null value in column \"{}\" of relation \"{table}\" violates not-null constraint",
                field.name()
            );
            return Err(Error::statement("23502", message));
        }
        check_length(&column, field)?;
        Ok(column)
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let options =
        datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

fn check_length(column: &ArrayRef, field: &Field) -> Result<()> {
    let Some(most) = field.metadata().get(LENGTH_KEY).and_then(|text| text.parse::<usize>().ok())
    else {
        return Ok(());
    };
    let Some(texts) = column.as_string_opt::<i32>() else { return Ok(()) };
    let is_long = |text: &str| text.len() > most && text.chars().count() > most;
    if texts.iter().flatten().any(is_long) {
        let message = format!("value too long for type character varying({most})");
        return Err(Error::statement("22001", message));
    }
    Ok(())
}
