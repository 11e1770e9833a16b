//! Aggregates that need whole rows of a group at once: they are kept as they come, and shown as one
//! table at the end.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, StringViewArray, StructArray, UInt32Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat, filter, prep_null_mask_filter, take};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::{Result, ScalarValue};
use datafusion_doc::Documentation;
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use crate::function::coercion::{Kind, targets};
use crate::function::page::Page;

/// What such an aggregate is made of; its result is a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub page: &'static Page,
    pub kinds: &'static [Kind],
    /// Arguments that must be given.
    pub needed: usize,
    /// Columns that are kept, for arguments of these types.
    pub kept: fn(&[DataType]) -> Fields,
    /// Those columns of a batch of arguments.
    pub keep: fn(&[ArrayRef]) -> Result<Vec<ArrayRef>>,
    /// The result for the rows of a group, one or more of them, in no order.
    pub finish: fn(&StructArray) -> Result<Option<String>>,
}

/// The aggregate that `parts` describe.
pub(crate) fn udaf(parts: Parts) -> Result<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable)
        .with_parameter_names(parts.page.argument_names())?;
    let documentation = parts.page.documentation();
    Ok(AggregateUDF::from(Gather { parts, signature, documentation }))
}

#[derive(Debug)]
struct Gather {
    parts: Parts,
    signature: Signature,
    documentation: Documentation,
}

// A name stands for one function: the rest follows from it.
impl PartialEq for Gather {
    fn eq(&self, other: &Self) -> bool {
        self.parts.page.name == other.parts.page.name
    }
}

impl Eq for Gather {}

impl Hash for Gather {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts.page.name.hash(state);
    }
}

impl AggregateUDFImpl for Gather {
    fn name(&self) -> &str {
        self.parts.page.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let names = self.parts.page.arguments.iter().map(|(name, _)| *name);
        let parameters: Vec<_> = names.zip(self.parts.kinds.iter().copied()).collect();
        targets(self.parts.page.name, &parameters, self.parts.needed, given)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        // Views: a join with leads must not copy the text for each of them.
        Ok(DataType::Utf8View)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let kept = self.kept(args.input_fields);
        let item = Field::new_list_field(DataType::Struct(kept), true);
        Ok(vec![Arc::new(Field::new_list("rows", item, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One(Rows::new(self.parts, self.kept(args.expr_fields)))))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let rows = Rows::new(self.parts, self.kept(args.expr_fields));
        Ok(Box::new(Many { rows, groups: vec![], count: 0 }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

impl Gather {
    fn kept(&self, arguments: &[FieldRef]) -> Fields {
        let types: Vec<DataType> =
            arguments.iter().map(|field| field.data_type().clone()).collect();
        (self.parts.kept)(&types)
    }
}

/// Rows that were kept, in the batches they came in.
struct Rows {
    parts: Parts,
    fields: Fields,
    batches: Vec<StructArray>,
    /// What the batches hold.
    bytes: usize,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.batches.iter().map(StructArray::len).sum();
        f.debug_tuple("Rows").field(&self.parts.page.name).field(&count).finish()
    }
}

impl Rows {
    fn new(parts: Parts, fields: Fields) -> Self {
        Self { parts, fields, batches: vec![], bytes: 0 }
    }

    fn push(&mut self, batch: StructArray) {
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
    }

    /// What is kept of a batch of arguments.
    fn of(&self, values: &[ArrayRef]) -> Result<StructArray> {
        let columns = (self.parts.keep)(values)?;
        Ok(StructArray::try_new(self.fields.clone(), columns, None)?)
    }

    fn all(&self) -> Result<StructArray> {
        match &self.batches[..] {
            [] => Ok(StructArray::new_null(self.fields.clone(), 0)),
            [one] => Ok(one.clone()),
            batches => {
                let batches: Vec<&dyn Array> = batches.iter().map(|one| one as _).collect();
                Ok(concat(&batches)?.as_struct().clone())
            }
        }
    }

    fn finish(&self, rows: &StructArray) -> Result<Option<String>> {
        if rows.is_empty() { Ok(None) } else { (self.parts.finish)(rows) }
    }

    /// `rows` as lists of the given lengths.
    fn lists(
        &self,
        rows: StructArray,
        lengths: impl IntoIterator<Item = usize>,
    ) -> Result<ListArray> {
        let field = Field::new_list_field(DataType::Struct(self.fields.clone()), true);
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(ListArray::try_new(field.into(), offsets, Arc::new(rows), None)?)
    }

    /// The rows in lists of a saved state.
    fn saved(lists: &ListArray) -> StructArray {
        let offsets = lists.value_offsets();
        let (start, end) = (offsets[0] as usize, offsets[lists.len()] as usize);
        lists.values().slice(start, end - start).as_struct().clone()
    }
}

/// The rows of one group.
#[derive(Debug)]
struct One(Rows);

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.push(self.0.of(values)?);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.push(Rows::saved(states[0].as_list()));
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let rows = self.0.all()?;
        let count = rows.len();
        Ok(vec![ScalarValue::List(Arc::new(self.0.lists(rows, [count])?))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Utf8View(self.0.finish(&self.0.all()?)?))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.0.bytes
    }
}

/// The rows of many groups.
struct Many {
    rows: Rows,
    /// Group of each row.
    groups: Vec<usize>,
    /// How many groups there are.
    count: usize,
}

impl Many {
    /// The rows of the groups to be given, group after group, and how many each has.
    fn emit(&mut self, emit_to: EmitTo) -> Result<(StructArray, Vec<usize>)> {
        let count = match emit_to {
            EmitTo::All => self.count,
            EmitTo::First(count) => count,
        };
        let all = self.rows.all()?;
        let mut lengths = vec![0; count];
        let mut kept: Vec<u32> = vec![];
        for (row, group) in self.groups.iter().enumerate() {
            match lengths.get_mut(*group) {
                Some(length) => *length += 1,
                None => kept.push(row as u32),
            }
        }
        let mut place = 0;
        let mut places: Vec<usize> = Vec::with_capacity(count);
        for length in &lengths {
            places.push(place);
            place += length;
        }
        let mut order = vec![0_u32; place];
        for (row, group) in self.groups.iter().enumerate() {
            if let Some(place) = places.get_mut(*group) {
                order[*place] = row as u32;
                *place += 1;
            }
        }
        self.groups = kept.iter().map(|row| self.groups[*row as usize] - count).collect();
        self.count -= count;
        (self.rows.batches, self.rows.bytes) = (vec![], 0);
        if !kept.is_empty() {
            self.rows.push(taken(&all, kept)?);
        }
        Ok((taken(&all, order)?, lengths))
    }
}

fn taken(rows: &StructArray, places: Vec<u32>) -> Result<StructArray> {
    Ok(take(rows, &UInt32Array::from(places), None)?.as_struct().clone())
}

impl GroupsAccumulator for Many {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        is_kept: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.count = count;
        let rows = self.rows.of(values)?;
        let Some(is_kept) = is_kept.map(known) else {
            self.rows.push(rows);
            self.groups.extend(groups);
            return Ok(());
        };
        self.rows.push(filter(&rows, &is_kept)?.as_struct().clone());
        let kept = groups.iter().zip(is_kept.values()).filter(|(_, is_kept)| *is_kept);
        self.groups.extend(kept.map(|(group, _)| *group));
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.count = count;
        let lists = values[0].as_list::<i32>();
        self.rows.push(Rows::saved(lists));
        for (row, group) in groups.iter().enumerate() {
            self.groups.extend(std::iter::repeat_n(*group, lists.value_length(row) as usize));
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (rows, lengths) = self.emit(emit_to)?;
        let mut start = 0;
        let texts = lengths.into_iter().map(|length| {
            let group = rows.slice(start, length);
            start += length;
            self.rows.finish(&group)
        });
        Ok(Arc::new(texts.collect::<Result<StringViewArray>>()?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (rows, lengths) = self.emit(emit_to)?;
        Ok(vec![Arc::new(self.rows.lists(rows, lengths)?)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        is_kept: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = self.rows.of(values)?;
        let lists = match is_kept.map(known) {
            None => {
                let count = rows.len();
                self.rows.lists(rows, std::iter::repeat_n(1, count))?
            }
            Some(is_kept) => {
                let kept = filter(&rows, &is_kept)?.as_struct().clone();
                self.rows.lists(kept, is_kept.values().iter().map(usize::from))?
            }
        };
        Ok(vec![Arc::new(lists)])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.rows.bytes + self.groups.capacity() * size_of::<usize>()
    }
}

/// `filter` with NULL as false.
fn known(filter: &BooleanArray) -> BooleanArray {
    if filter.null_count() > 0 { prep_null_mask_filter(filter) } else { filter.clone() }
}
