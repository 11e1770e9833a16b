//! Aggregates: a recipe says what a row adds to a state; one group, many groups, two phases and
//! windows follow from it.

use std::fmt;
use std::hash::{Hash, Hasher};

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{DataFusionError, Result, ScalarValue, exec_datafusion_err};
use datafusion_doc::Documentation;
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use crate::function::coercion::{Kind, targets};
use crate::function::page::Page;
use crate::function::row::{Cell, Column, Row};
use crate::math::Fault;

/// Whether a row comes in or, as a window moves on, goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

/// How an aggregate is computed.
pub(crate) trait Recipe: Copy + Send + Sync + 'static {
    /// What is known of a group.
    type State: Default + Send + Sync + fmt::Debug;
    /// What is given for a group.
    type Output: Cell;

    /// Fields that a state is saved in.
    fn fields(&self) -> Vec<FieldRef>;
    /// States as columns of those fields.
    fn save(&self, states: &[Self::State]) -> Result<Vec<ArrayRef>>;
    /// Adds a saved state, the `row`-th of `saved`.
    fn merge(
        &self,
        state: &mut Self::State,
        saved: &[ArrayRef],
        row: usize,
    ) -> std::result::Result<(), Fault>;
    /// Adds a row, or takes it away.
    fn pass(
        &self,
        state: &mut Self::State,
        row: &Row<'_>,
        way: Way,
    ) -> std::result::Result<(), Fault>;
    /// Whether rows can be taken away.
    fn can_go_out(&self) -> bool;
    /// The result for a group.
    fn finish(&self, state: &mut Self::State) -> std::result::Result<Option<Self::Output>, Fault>;
    /// Folds for many groups, where there is a quicker way than a row at a time.
    fn groups(&self, head: Head, kind: DataType) -> Box<dyn GroupsAccumulator> {
        Box::new(Many::with(head, *self, kind, vec![]))
    }
    /// Memory that a state holds beside its own size (bytes).
    fn heap_bytes(&self, _state: &Self::State) -> usize {
        0
    }
}

struct Aggregate<R> {
    head: Head,
    recipe: R,
    signature: Signature,
    documentation: Documentation,
}

/// The page and the parameters of an aggregate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    page: &'static Page,
    kinds: &'static [Kind],
    needed: usize,
}

/// The aggregate of `page`, whose arguments hold `kinds` and of which the first `needed` must be given.
pub(crate) fn aggregate<R: Recipe>(
    page: &'static Page,
    kinds: &'static [Kind],
    needed: usize,
    recipe: R,
) -> Result<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable)
        .with_parameter_names(page.argument_names())?;
    let documentation = page.documentation();
    let head = Head { page, kinds, needed };
    Ok(AggregateUDF::from(Aggregate { head, recipe, signature, documentation }))
}

// A name stands for one function: the rest follows from it.
impl<R> PartialEq for Aggregate<R> {
    fn eq(&self, other: &Self) -> bool {
        self.head.page.name == other.head.page.name
    }
}

impl<R> Eq for Aggregate<R> {}

impl<R> Hash for Aggregate<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.head.page.name.hash(state);
    }
}

impl<R> fmt::Debug for Aggregate<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Aggregate").field(&self.head.page.name).finish()
    }
}

impl<R: Recipe> AggregateUDFImpl for Aggregate<R> {
    fn name(&self) -> &str {
        self.head.page.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let page = self.head.page;
        let names = page.arguments.iter().map(|(name, _)| *name);
        let parameters: Vec<_> = names.zip(self.head.kinds.iter().copied()).collect();
        targets(page.name, &parameters, self.head.needed, given)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(R::Output::data_type(given))
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(self.recipe.fields())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let (head, recipe) = (self.head, self.recipe);
        let kind = args.return_field.data_type().clone();
        Ok(Box::new(One { head, recipe, kind, state: R::State::default() }))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(self.recipe.groups(self.head, args.return_field.data_type().clone()))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

impl Head {
    fn columns(&self, values: &[ArrayRef]) -> Result<Vec<Column>> {
        let arguments = self.page.arguments.iter().zip(self.kinds);
        values
            .iter()
            .zip(arguments)
            .map(|(array, ((name, _), kind))| Column::of(self.page, name, array, *kind))
            .collect()
    }

    fn row<'a>(&self, columns: &'a [Column], place: usize) -> Row<'a> {
        Row { columns, names: self.page.arguments, place }
    }

    #[cold]
    fn error(&self, fault: Fault) -> DataFusionError {
        exec_datafusion_err!("{}: {}", self.page.name, fault.0)
    }
}

/// The state of one group, or of a window.
struct One<R: Recipe> {
    head: Head,
    recipe: R,
    /// Type of the result.
    kind: DataType,
    state: R::State,
}

impl<R: Recipe> fmt::Debug for One<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("One").field(&self.head.page.name).field(&self.state).finish()
    }
}

impl<R: Recipe> One<R> {
    fn pass(&mut self, values: &[ArrayRef], way: Way) -> Result<()> {
        let columns = self.head.columns(values)?;
        for place in 0..values[0].len() {
            let row = self.head.row(&columns, place);
            let passed = self.recipe.pass(&mut self.state, &row, way);
            passed.map_err(|fault| self.head.error(fault))?;
        }
        Ok(())
    }
}

impl<R: Recipe> Accumulator for One<R> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.pass(values, Way::In)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.pass(values, Way::Out)
    }

    fn supports_retract_batch(&self) -> bool {
        self.recipe.can_go_out()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        (0..states[0].len())
            .try_for_each(|row| self.recipe.merge(&mut self.state, states, row))
            .map_err(|fault| self.head.error(fault))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let columns = self.recipe.save(std::slice::from_ref(&self.state))?;
        columns.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let cell = self.recipe.finish(&mut self.state);
        let cell = cell.map_err(|fault| self.head.error(fault));
        let array = R::Output::array(&self.kind, 1, std::iter::once(cell))?;
        ScalarValue::try_from_array(&array, 0)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.recipe.heap_bytes(&self.state)
    }
}

/// The states of many groups.
pub(crate) struct Many<R: Recipe> {
    head: Head,
    recipe: R,
    /// Type of the result.
    kind: DataType,
    states: Vec<R::State>,
    heap_bytes: usize,
}

impl<R: Recipe> Many<R> {
    /// Groups with `states` to begin with, which hold nothing on the heap, and results of `kind`.
    pub(crate) fn with(head: Head, recipe: R, kind: DataType, states: Vec<R::State>) -> Self {
        Self { head, recipe, kind, states, heap_bytes: 0 }
    }

    /// Lets `change` work on the state of `group`, and keeps count of its memory.
    fn at(
        &mut self,
        group: usize,
        change: impl FnOnce(&R, &mut R::State) -> std::result::Result<(), Fault>,
    ) -> Result<()> {
        let state = &mut self.states[group];
        let before = self.recipe.heap_bytes(state);
        change(&self.recipe, state).map_err(|fault| self.head.error(fault))?;
        self.heap_bytes = self.heap_bytes + self.recipe.heap_bytes(state) - before;
        Ok(())
    }

    fn emit(&mut self, emit_to: EmitTo) -> Vec<R::State> {
        let states = emit_to.take_needed(&mut self.states);
        let bytes: usize = states.iter().map(|state| self.recipe.heap_bytes(state)).sum();
        self.heap_bytes = self.heap_bytes.saturating_sub(bytes);
        states
    }
}

/// Rows that a filter lets through.
fn is_kept(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

impl<R: Recipe> GroupsAccumulator for Many<R> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.states.resize_with(count, Default::default);
        let columns = self.head.columns(values)?;
        for (place, group) in groups.iter().enumerate() {
            if !is_kept(filter, place) {
                continue;
            }
            let row = self.head.row(&columns, place);
            self.at(*group, |recipe, state| recipe.pass(state, &row, Way::In))?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.states.resize_with(count, Default::default);
        for (row, group) in groups.iter().enumerate() {
            self.at(*group, |recipe, state| recipe.merge(state, values, row))?;
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let mut states = self.emit(emit_to);
        let rows = states.len();
        let cells = states
            .iter_mut()
            .map(|state| self.recipe.finish(state).map_err(|fault| self.head.error(fault)));
        R::Output::array(&self.kind, rows, cells)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.emit(emit_to);
        self.recipe.save(&states)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let columns = self.head.columns(values)?;
        let mut states: Vec<R::State> = Vec::with_capacity(values[0].len());
        for place in 0..values[0].len() {
            let mut state = R::State::default();
            if is_kept(filter, place) {
                let row = self.head.row(&columns, place);
                let passed = self.recipe.pass(&mut state, &row, Way::In);
                passed.map_err(|fault| self.head.error(fault))?;
            }
            states.push(state);
        }
        self.recipe.save(&states)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.states.capacity() * size_of::<R::State>() + self.heap_bytes
    }
}
