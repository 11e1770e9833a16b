//! Random calls of every function: whatever comes in, nothing panics, and no infinity and no NaN
//! comes out.
//!
//! `RANDOM_CALLS=10000000 cargo test --release -p runrate-udfs random_calls` makes more of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Float64Type, TimeUnit};
use datafusion::config::ConfigOptions;
use datafusion_common::ScalarValue;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::{Accumulator, AggregateUDF, ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use super::{Function, Made, functions};

/// Calls that are made unless `RANDOM_CALLS` says otherwise.
const CALLS: usize = 300_000;

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.bits() % count as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn number(&mut self) -> f64 {
        const EDGES: &[f64] = &[
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            30.0,
            100.0,
            100.000_001,
            1e-300,
            -1e-300,
            1e300,
            -1e300,
            1e18,
            1e15,
            -1e15,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            f64::EPSILON,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        match self.below(8) {
            0 => self.pick(EDGES),
            1 => f64::from_bits(self.bits()),
            2 => self.below(200) as f64 - 50.0,
            3 => (self.bits() >> 11) as f64 / (1_u64 << 53) as f64 * 1e7,
            _ => (self.bits() >> 11) as f64 / (1_u64 << 53) as f64,
        }
    }

    fn day(&mut self) -> i32 {
        match self.below(6) {
            0 => self.bits() as i32,
            1 => self.pick(&[0, i32::MIN, i32::MAX, -719_162, 2_932_896]),
            _ => 20_000 + self.below(1_000) as i32,
        }
    }

    fn whole(&mut self) -> i64 {
        match self.below(6) {
            0 => self.bits() as i64,
            1 => self.pick(&[0, -1, i64::MIN, i64::MAX, 13]),
            _ => self.below(13) as i64,
        }
    }

    fn text(&mut self) -> &'static str {
        self.pick(&[
            "",
            "a",
            "auto",
            "naive",
            "marginal",
            "cliff",
            "start",
            "end",
            "ensemble",
            "zero",
            "month",
            "drop",
            "scorecard",
            "The Ünïcode & Co. 株式会社",
            "x@y.zz",
            "@",
            "\u{301}",
            "{}",
            "null",
            "\"",
            "ß",
            "lead-7",
            super::tests::MODEL,
            super::tests::MODEL,
        ])
    }

    fn texts(&mut self, count: usize) -> ArrayRef {
        let values = (0..count).map(|_| (self.below(9) > 0).then(|| self.text()));
        Arc::new(values.collect::<Vec<_>>().into_iter().collect::<StringArray>())
    }

    fn numbers(&mut self, count: usize) -> ArrayRef {
        let values = (0..count).map(|_| (self.below(9) > 0).then(|| self.number()));
        Arc::new(values.collect::<Vec<_>>().into_iter().collect::<Float64Array>())
    }

    /// A value of `kind`, now and then NULL.
    fn value(&mut self, kind: &DataType) -> ScalarValue {
        if self.below(12) == 0 {
            return ScalarValue::try_from(kind).expect("a NULL of any type");
        }
        match kind {
            DataType::Float64 => ScalarValue::Float64(Some(self.number())),
            DataType::Int64 => ScalarValue::Int64(Some(self.whole())),
            DataType::Date32 => ScalarValue::Date32(Some(self.day())),
            DataType::Boolean => ScalarValue::Boolean(Some(self.below(2) == 0)),
            DataType::Utf8 => ScalarValue::Utf8(Some(self.text().into())),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let instant = if self.below(4) == 0 { self.bits() as i64 } else { self.whole() };
                ScalarValue::TimestampMicrosecond(Some(instant), zone.clone())
            }
            DataType::Decimal128(precision, scale) => {
                let digits = i128::from(self.whole()) * i128::from(self.bits() as u32);
                ScalarValue::Decimal128(Some(digits), *precision, *scale)
            }
            DataType::List(item) => self.list(item.data_type()),
            DataType::Struct(fields) => {
                let columns = fields.iter().map(|field| self.column(field.data_type(), 1));
                let columns = columns.collect();
                let value = StructArray::new(fields.clone(), columns, None);
                ScalarValue::Struct(Arc::new(value))
            }
            _ => ScalarValue::try_from(kind).expect("a NULL of any type"),
        }
    }

    fn column(&mut self, kind: &DataType, count: usize) -> ArrayRef {
        let values = (0..count).map(|_| self.value(kind)).collect::<Vec<_>>();
        ScalarValue::iter_to_array(values).expect("values of one type")
    }

    fn list(&mut self, item: &DataType) -> ScalarValue {
        let count = self.below(5);
        let items: ArrayRef = match item {
            DataType::Utf8 => self.texts(count),
            DataType::Date32 => {
                Arc::new(Date32Array::from_iter_values((0..count).map(|_| self.day())))
            }
            DataType::Struct(fields) => {
                let columns = fields.iter().map(|_| self.numbers(count)).collect();
                Arc::new(StructArray::try_new(fields.clone(), columns, None).expect("two columns"))
            }
            _ => self.numbers(count),
        };
        let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([items.len()]);
        let list = arrow::array::ListArray::new(field, offsets, items, None);
        ScalarValue::List(Arc::new(list))
    }
}

/// Types that arguments may have, the ones most functions want first.
fn candidates() -> Vec<DataType> {
    let list = |item| DataType::new_list(item, true);
    let fields = ["from", "rate"].map(|name| Field::new(name, DataType::Float64, true)).to_vec();
    let features = vec![
        Field::new("visits", DataType::Float64, true),
        Field::new("source", DataType::Utf8, true),
    ];
    vec![
        DataType::Date32,
        DataType::Float64,
        DataType::Boolean,
        DataType::Utf8,
        DataType::Int64,
        list(DataType::Float64),
        list(DataType::Utf8),
        list(DataType::Date32),
        list(DataType::Struct(fields.into())),
        DataType::Struct(features.into()),
    ]
}

/// A type for each argument of `function`, as `coerce` takes it.
fn types(
    function: &Function,
    coerce: impl Fn(&[DataType]) -> datafusion_common::Result<Vec<DataType>>,
) -> Vec<DataType> {
    let count = function.page().arguments.len();
    let place = |at: usize| {
        let fits = |kind: &DataType| {
            let mut given = vec![DataType::Null; count];
            given[at] = kind.clone();
            coerce(&given).is_ok()
        };
        let found = candidates().into_iter().find(fits);
        found.unwrap_or_else(|| panic!("{}: no type for argument {at}", function.name()))
    };
    let given: Vec<DataType> = (0..count).map(place).collect();
    coerce(&given).unwrap_or_else(|error| panic!("{}: {error}", function.name()))
}

fn assert_finite(name: &str, result: &ArrayRef) {
    match result.data_type() {
        DataType::Float64 => {
            let numbers = result.as_primitive::<Float64Type>();
            assert!(numbers.iter().flatten().all(f64::is_finite), "{name}: {result:?}");
        }
        DataType::List(_) => assert_finite(name, result.as_list::<i32>().values()),
        DataType::Struct(_) => {
            result.as_struct().columns().iter().for_each(|column| assert_finite(name, column));
        }
        _ => {}
    }
}

/// Calls a scalar function once; whether it answered.
fn call(name: &str, function: &ScalarUDF, types: &[DataType], random: &mut Random) -> bool {
    let values: Vec<ScalarValue> = types.iter().map(|kind| random.value(kind)).collect();
    let fields = types.iter().map(|kind| Arc::new(Field::new("x", kind.clone(), true)));
    let output = function.return_type(types).expect("a type");
    let answer = function.invoke_with_args(ScalarFunctionArgs {
        args: values.into_iter().map(ColumnarValue::Scalar).collect(),
        arg_fields: fields.collect(),
        number_rows: 1,
        return_field: Arc::new(Field::new("y", output, true)),
        config_options: Arc::new(ConfigOptions::default()),
    });
    let Ok(answer) = answer else { return false };
    assert_finite(name, &answer.into_array(1).expect("an array"));
    true
}

fn accumulator(function: &AggregateUDF, types: &[DataType]) -> Box<dyn Accumulator> {
    let fields: Vec<_> =
        types.iter().map(|kind| Arc::new(Field::new("x", kind.clone(), true))).collect();
    let schema = arrow::datatypes::Schema::empty();
    let output = function.return_type(types).expect("a type");
    let args = AccumulatorArgs {
        return_field: Arc::new(Field::new("y", output, true)),
        schema: &schema,
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name: function.name(),
        is_distinct: false,
        exprs: &[],
        expr_fields: &fields,
    };
    function.accumulator(args).expect("an accumulator")
}

/// Folds random rows in two parts, merges them, and lets some out again; whether it answered.
fn fold(name: &str, function: &AggregateUDF, types: &[DataType], random: &mut Random) -> bool {
    let rows = 1 + random.below(12);
    let column = |(at, kind): (usize, &DataType)| match at {
        // Options are not given, or the same in all rows, more often than not.
        3.. if random.below(3) > 0 => arrow::array::new_null_array(kind, rows),
        2.. if random.below(4) > 0 => {
            random.value(kind).to_array_of_size(rows).expect("a value, some times over")
        }
        _ => random.column(kind, rows),
    };
    let columns: Vec<ArrayRef> = types.iter().enumerate().map(column).collect();
    let (mut one, mut other) = (accumulator(function, types), accumulator(function, types));
    let outcome = one.update_batch(&columns).and_then(|()| {
        let state = one.state()?;
        let state: Vec<ArrayRef> =
            state.iter().map(ScalarValue::to_array).collect::<datafusion_common::Result<_>>()?;
        other.merge_batch(&state)?;
        if other.supports_retract_batch() {
            let cut = random.below(rows + 1);
            let out: Vec<ArrayRef> = columns.iter().map(|column| column.slice(0, cut)).collect();
            other.retract_batch(&out)?;
        }
        other.evaluate()
    });
    let Ok(value) = outcome else { return false };
    assert_finite(name, &value.to_array().expect("an array"));
    true
}

#[test]
fn nothing_panics_and_nothing_infinite_comes_out() {
    let calls = std::env::var("RANDOM_CALLS").ok().and_then(|text| text.parse().ok());
    let each = calls.unwrap_or(CALLS) / functions().len();
    for function in functions() {
        let mut random = Random(function.name().bytes().map(u64::from).sum());
        let name = function.name();
        let mut answers = 0;
        match function.make().expect(name) {
            Made::Scalar(made) => {
                let types = types(function, |given| made.inner().coerce_types(given));
                for _ in 0..each {
                    answers += usize::from(call(name, &made, &types, &mut random));
                }
            }
            Made::Aggregate(made) => {
                let types = types(function, |given| made.inner().coerce_types(given));
                let mut rows = 0;
                while rows < each {
                    answers += usize::from(fold(name, &made, &types, &mut random));
                    rows += 6;
                }
            }
        }
        assert!(answers > each / 2_000, "{name}: hardly a call was answered: {answers} of {each}");
    }
}
