//! Every Arrow type in both formats, against what PostgreSQL 15 prints and sends.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::*;

use super::types::TIMESTAMPTZ;
use super::*;

fn shown(array: &dyn Array) -> Vec<Option<String>> {
    (0..array.len()).map(|row| text_value(array, row)).collect()
}

fn one(array: &dyn Array) -> String {
    text_value(array, 0).expect("not NULL")
}

/// The bytes of the first value in binary, or `None` for NULL.
fn sent(array: ArrayRef) -> Option<Vec<u8>> {
    let batch = RecordBatch::try_from_iter_with_nullable([("c", array, true)]).expect("a batch");
    let encoder =
        RowEncoder::new(&batch, Form::Rows(&[Format::Binary]), Tz::UTC).expect("encodable");
    let mut out = vec![];
    encoder.encode(0, 1, &mut out).expect("encodes");
    let length = i32::from_be_bytes(out[7..11].try_into().expect("four bytes"));
    assert_eq!(i32::from_be_bytes(out[1..5].try_into().expect("four bytes")), {
        out.len() as i32 - 1
    });
    (length >= 0).then(|| out[11..].to_vec())
}

#[test]
fn scalars_print_as_psql_prints_them() {
    assert_eq!(
        shown(&BooleanArray::from(vec![Some(true), None, Some(false)])),
        [Some("t".into()), None, Some("f".into())]
    );
    assert_eq!(one(&Int8Array::from(vec![-128])), "-128");
    assert_eq!(one(&UInt64Array::from(vec![u64::MAX])), "18446744073709551615");
    assert_eq!(one(&Float64Array::from(vec![1e20])), "1e+20");
    let halves = cast(&Float32Array::from(vec![0.5]), &DataType::Float16).expect("casts");
    assert_eq!(one(&halves), "0.5");
    assert_eq!(one(&StringViewArray::from(vec!["a,b"])), "a,b");
    assert_eq!(one(&BinaryArray::from(vec![&[0xde_u8, 0xad][..]])), "\\xdead");
    assert_eq!(shown(&NullArray::new(2)), [None, None]);
    let money = Decimal128Array::from(vec![-1_050]).with_precision_and_scale(18, 2);
    assert_eq!(one(&money.expect("fits")), "-10.50");
    assert_eq!(one(&Date64Array::from(vec![-1])), "1969-12-31");
    assert_eq!(one(&Time64NanosecondArray::from(vec![1_500_000_000])), "00:00:01.5");
    assert_eq!(one(&DurationMillisecondArray::from(vec![90_061_001])), "1 day 01:01:01.001");
    let interval = IntervalMonthDayNano::new(1, -2, 3_000_000_000);
    let interval = IntervalMonthDayNanoArray::from(vec![Some(interval), None]);
    assert_eq!(shown(&interval), [Some("1 mon -2 days +00:00:03".into()), None]);
}

#[test]
fn instants_show_the_session_zone() {
    let array = TimestampMicrosecondArray::from(vec![1_719_733_530_000_000]).with_timezone("UTC");
    let column = Column::new(&array, TIMESTAMPTZ).expect("encodable");
    let text = |zone| String::from_utf8(column.text(0, zone).expect("not NULL")).expect("ASCII");
    assert_eq!(text(Tz::UTC), "2024-06-30 07:45:30+00");
    assert_eq!(text(Tz::Asia__Kathmandu), "2024-06-30 13:30:30+05:45");
    assert_eq!(text(Tz::America__Sao_Paulo), "2024-06-30 04:45:30-03");
}

#[test]
fn nested_values_quote_what_they_must() {
    let mut texts = ListBuilder::new(StringBuilder::new());
    texts.append_value([Some("a"), Some("b c"), None, Some("")]);
    texts.append_value([] as [Option<&str>; 0]);
    texts.append_null();
    let texts = texts.finish();
    let expected = [Some(r#"{a,"b c",NULL,""}"#.to_owned()), Some("{}".into()), None];
    assert_eq!(shown(&texts), expected);
    let record = StructArray::from(vec![
        (Arc::new(Field::new("a", DataType::Int32, true)), {
            Arc::new(Int32Array::from(vec![None])) as ArrayRef
        }),
        (Arc::new(Field::new("b", DataType::Utf8, true)), {
            Arc::new(StringArray::from(vec!["x \"y\""])) as ArrayRef
        }),
    ]);
    assert_eq!(one(&record), r#"(,"x ""y""")"#);
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
        vec![None, Some(vec![Some(1), None])],
        2,
    );
    assert_eq!(shown(&fixed), [None, Some("{1,NULL}".into())]);
    let outer = ListArray::new(
        Arc::new(Field::new_list_field(fixed.data_type().clone(), true)),
        datafusion::arrow::buffer::OffsetBuffer::new(vec![0, 2].into()),
        Arc::new(fixed),
        None,
    );
    assert_eq!(one(&outer), "{NULL,{1,NULL}}");
}

#[test]
fn dictionaries_are_their_values() {
    let words: DictionaryArray<Int8Type> =
        vec![Some("x"), None, Some("y"), Some("x")].into_iter().collect();
    let expected = [Some("x"), None, Some("y"), Some("x")];
    assert_eq!(shown(&words), expected.map(|v| v.map(str::to_owned)));
    let empty: DictionaryArray<Int32Type> = vec![None::<&str>].into_iter().collect();
    assert_eq!(shown(&empty), [None]);
}

#[test]
fn binary_forms_are_those_of_the_send_functions() {
    assert_eq!(sent(Arc::new(Int8Array::from(vec![-1]))), Some(vec![255, 255]));
    assert_eq!(sent(Arc::new(UInt32Array::from(vec![1]))), Some(vec![0, 0, 0, 0, 0, 0, 0, 1]));
    assert_eq!(sent(Arc::new(BooleanArray::from(vec![true]))), Some(vec![1]));
    assert_eq!(sent(Arc::new(Int64Array::from(vec![None]))), None);
    assert_eq!(sent(Arc::new(Date32Array::from(vec![10_958]))), Some(vec![0, 0, 0, 1]));
    let second = TimestampSecondArray::from(vec![946_684_801]);
    assert_eq!(sent(Arc::new(second)), Some(1_000_000_i64.to_be_bytes().to_vec()));
    let interval = IntervalMonthDayNano::new(1, 2, 3_000);
    let interval = sent(Arc::new(IntervalMonthDayNanoArray::from(vec![interval])));
    assert_eq!(interval, Some([vec![0; 7], vec![3, 0, 0, 0, 2, 0, 0, 0, 1]].concat()));
    let mut numbers = ListBuilder::new(Int32Builder::new());
    numbers.append_value([Some(7), None]);
    let parts: [i32; 8] = [1, 1, 23, 2, 1, 4, 7, -1];
    let expected = parts.iter().flat_map(|part| part.to_be_bytes()).collect();
    assert_eq!(sent(Arc::new(numbers.finish())), Some(expected));
}

#[test]
fn rows_stop_near_the_wanted_size_and_go_on_from_there() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).expect("a batch");
    let encoder = RowEncoder::new(&batch, Form::Rows(&[Format::Text]), Tz::UTC).expect("encodable");
    let (mut row, mut pieces, mut out) = (0, 0, vec![]);
    while row < 1_000 {
        let mut piece = vec![];
        row = encoder.encode(row, 256, &mut piece).expect("encodes");
        assert!(piece.len() < 256 + 32);
        out.extend(piece);
        pieces += 1;
    }
    assert!(pieces > 10);
    assert_eq!(out.iter().filter(|byte| **byte == b'D').count(), 1_000);
}

#[test]
fn what_has_no_counterpart_is_refused() {
    let runs =
        RunArray::<Int32Type>::try_new(&Int32Array::from(vec![1]), &StringArray::from(vec!["a"]));
    let batch = RecordBatch::try_from_iter([("r", Arc::new(runs.expect("runs")) as ArrayRef)])
        .expect("a batch");
    let error =
        RowEncoder::new(&batch, Form::Rows(&[Format::Text]), Tz::UTC).expect_err("no counterpart");
    assert_eq!(error.sqlstate(), "0A000");
}
