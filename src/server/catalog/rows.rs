//! Tables of the catalog in the making, column by column.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int16Array, Int32Array, RecordBatch, RecordBatchOptions, StringArray,
    new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::Result;

use crate::server::encode::types::{self, OID_KEY};

/// Type `name`, and the one-byte type `"char"`.
pub(super) const NAME: u32 = 19;
pub(super) const CHAR: u32 = 18;

/// Columns of a table in the making, all of one length.
pub(super) struct Rows {
    count: usize,
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl Rows {
    pub(super) fn new(count: usize) -> Self {
        Self { count, fields: vec![], columns: vec![] }
    }

    /// Adds a column, announced as type `oid` where Arrow has no such type.
    pub(super) fn push(&mut self, name: &str, array: ArrayRef, oid: Option<u32>) {
        let mut field = Field::new(name, array.data_type().clone(), true);
        if let Some(oid) = oid {
            field.set_metadata([(OID_KEY.to_owned(), oid.to_string())].into());
        }
        self.fields.push(field);
        self.columns.push(array);
    }

    pub(super) fn oid(&mut self, name: &str, values: impl Iterator<Item = i32>) {
        self.push(name, Arc::new(Int32Array::from_iter_values(values)), Some(types::OID));
    }

    pub(super) fn oid_of(&mut self, name: &str, value: i32) {
        self.oid(name, std::iter::repeat_n(value, self.count));
    }

    pub(super) fn int4(&mut self, name: &str, value: i32) {
        self.push(name, Arc::new(Int32Array::from(vec![value; self.count])), None);
    }

    pub(super) fn int2(&mut self, name: &str, value: i16) {
        self.push(name, Arc::new(Int16Array::from(vec![value; self.count])), None);
    }

    pub(super) fn boolean(&mut self, name: &str, value: bool) {
        self.push(name, Arc::new(BooleanArray::from(vec![value; self.count])), None);
    }

    pub(super) fn text(&mut self, name: &str, oid: u32, values: Vec<String>) {
        self.push(name, Arc::new(StringArray::from(values)), Some(oid));
    }

    pub(super) fn char(&mut self, name: &str, value: &str) {
        self.text(name, CHAR, vec![value.to_owned(); self.count]);
    }

    /// A column with one text in every row.
    pub(super) fn same(&mut self, name: &str, value: &str) {
        let values = vec![value.to_owned(); self.count];
        self.texts(name, values);
    }

    pub(super) fn texts(&mut self, name: &str, values: Vec<String>) {
        self.push(name, Arc::new(StringArray::from(values)), None);
    }

    pub(super) fn null(&mut self, name: &str) {
        self.push(name, new_null_array(&DataType::Utf8, self.count), None);
    }

    pub(super) fn no_list(&mut self, name: &str) {
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        self.push(name, new_null_array(&list, self.count), None);
    }

    pub(super) fn finish(self) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        let schema = Arc::new(Schema::new(self.fields));
        Ok(RecordBatch::try_new_with_options(schema, self.columns, &options)?)
    }
}
