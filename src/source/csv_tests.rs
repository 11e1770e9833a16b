//! The torture corpus of the CSV reader.

use super::*;
use crate::source::reading::{Table, whole};

fn read_with(bytes: &[u8], options: &Options) -> Result<Table> {
    let input = Input::embedded("t.csv", bytes.to_vec().leak());
    let reader = CsvReader::open(&input, options)?;
    whole(reader)
}

fn read(bytes: &[u8]) -> Table {
    read_with(bytes, &Options::default()).expect("reads")
}

fn refusal(bytes: &[u8]) -> String {
    read_with(bytes, &Options::default()).expect_err("must be refused").to_string()
}

fn row(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|v| (!v.is_empty()).then(|| (*v).to_owned())).collect()
}

#[test]
fn line_ends_of_all_three_kinds_and_none_at_the_end() {
    for text in ["a,b\n1,2\n3,\n", "a,b\r\n1,2\r\n3,\r\n", "a,b\r1,2\r3,\r", "a,b\n\n1,2\n3,"] {
        let (names, rows, rejected) = read(text.as_bytes());
        assert_eq!(names, ["a", "b"]);
        assert_eq!(rows, [row(&["1", "2"]), row(&["3", ""])], "{text:?}");
        assert!(rejected.is_empty());
    }
}

#[test]
fn quotes_hold_delimiters_line_ends_and_quotes() {
    let (_, rows, rejected) = read(b"a,b\r\n\"x,\"\"y\"\"\r\nz\",\"\"\r\n1,2\r\n");
    assert!(rejected.is_empty(), "{rejected:?}");
    assert_eq!(rows[0], [Some("x,\"y\"\r\nz".to_owned()), Some(String::new())]);
    let options = Options { is_quoted_empty_null: true, ..Options::default() };
    let (_, rows, _) = read_with(b"a,b\n\"\",1\n", &options).expect("reads");
    assert_eq!(rows[0], row(&["", "1"]));
}

#[test]
fn encodings_are_marked_declared_or_refused() {
    let text = "ñame,b\ncafé,2\nbad\n";
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let (names, rows, rejected) = read(&utf16);
    assert_eq!((names[0].as_str(), rows[0][0].as_deref()), ("ñame", Some("café")));
    assert_eq!((rejected[0].line, rejected[0].byte_offset), (3, 2 + 2 * 14));
    let (names, ..) = read(b"\xEF\xBB\xBFa,b\n1,2\n");
    assert_eq!(names[0], "a");
    let latin = b"a,b\n1,2\ncaf\xE9,2\nbad\n";
    assert_eq!(
        refusal(latin),
        "t.csv:3: byte 11 of the file is not UTF-8 text; name its encoding with --encoding"
    );
    let options = Options { encoding: Some("latin1".into()), ..Options::default() };
    let (_, rows, rejected) = read_with(latin, &options).expect("declared");
    assert_eq!(rows[1][0].as_deref(), Some("café"));
    assert_eq!((rejected[0].line, rejected[0].byte_offset), (4, 15));
    let options = Options { encoding: Some("klingon".into()), ..Options::default() };
    assert!(read_with(latin, &options).is_err());
}

#[test]
fn delimiters_are_found_or_declared() {
    for (text, delimiter) in
        [("a;b\n1,0;2\n", b';'), ("a\tb\n1\t2\n", b'\t'), ("\"x;y\"|b\n1|2\n", b'|')]
    {
        let input = Input::embedded("t.csv", text.as_bytes());
        let reader = CsvReader::open(&input, &Options::default()).expect("opens");
        assert_eq!((reader.delimiter(), reader.schema().fields().len()), (delimiter, 2), "{text}");
    }
    let options = Options { delimiter: Some(b':'), ..Options::default() };
    assert_eq!(read_with(b"a:b\n1:2\n", &options).expect("declared").1, [row(&["1", "2"])]);
    assert_eq!(read(b"only\nx\n").1, [row(&["x"])]);
}

#[test]
fn ragged_rows_cost_themselves_only() {
    let (_, rows, rejected) = read(b"a,b\n1,2\n3\n4,5,6\n7,8\n");
    assert_eq!(rows, [row(&["1", "2"]), row(&["7", "8"])]);
    let found: Vec<_> =
        rejected.iter().map(|r| (r.row, r.line, r.byte_offset, r.reason.as_str())).collect();
    let wanted = [
        (1, 3, 8, "1 fields where the header has 2"),
        (2, 4, 10, "3 fields where the header has 2"),
    ];
    assert_eq!(found, wanted);
    assert_eq!(rejected[1].raw, b"4,5,6");
}

#[test]
fn an_unclosed_quote_swallows_no_row() {
    let mut text = "a,b\n1,\"x\n".to_owned();
    for n in 0..300 {
        text.push_str(&format!("{n},y\n"));
    }
    let (_, rows, rejected) = read(text.as_bytes());
    assert_eq!(rows.len(), 300);
    assert_eq!((rejected.len(), rejected[0].line, rejected[0].code), (1, 2, "unclosed_quote"));
    assert_eq!(rejected[0].raw, b"1,\"x");
    let (_, rows, rejected) = read(b"a,b\n1,2\n3,\"x");
    assert_eq!((rows.len(), rejected.len(), rejected[0].line), (1, 1, 3));
    let (_, rows, rejected) = read(b"a,b\n1,\"x\n2,y\n3,\"z\n4,w\n");
    assert_eq!(rows, [row(&["2", "y"]), row(&["4", "w"])]);
    let lines: Vec<_> = rejected.iter().map(|r| (r.line, r.code)).collect();
    assert_eq!(lines, [(2, "stray_quote"), (4, "unclosed_quote")]);
}

#[test]
fn nul_and_sizes_are_refused_where_they_stand() {
    let (_, rows, rejected) = read(b"a,b\n1,x\0y\n2,z\n");
    assert_eq!((rows.len(), rejected[0].code, rejected[0].line), (1, "nul", 2));
    assert!(refusal(b"a\0,b\n").contains("NUL"));
    let long = "x".repeat(FIELD_BYTES_MAX + 1);
    let (_, rows, rejected) = read(format!("a,b\n1,{long}\n2,z\n").as_bytes());
    assert_eq!((rows.len(), rejected[0].code), (1, "field_too_long"));
    assert_eq!(rejected[0].raw.len(), crate::source::RAW_BYTES_MAX);
    let fits = "x".repeat(FIELD_BYTES_MAX);
    assert_eq!(read(format!("a,b\n1,{fits}\n2,z\n").as_bytes()).1.len(), 2);
    let endless = "x,".repeat(ROW_BYTES_MAX);
    let (_, rows, rejected) = read(format!("a,b\n0,1\n{endless}\r\n2,z\nbad\n").as_bytes());
    assert_eq!(rows, [row(&["0", "1"]), row(&["2", "z"])]);
    let found: Vec<_> = rejected.iter().map(|r| (r.code, r.line, r.byte_offset)).collect();
    let after = 8 + endless.len() as u64 + 2 + 4;
    assert_eq!(found, [("row_too_long", 3, 8), ("field_count", 5, after)]);
}

#[test]
fn headers_are_unique_named_and_few() {
    assert_eq!(refusal(b"Id,b,ID\n"), "t.csv:1: header: columns 1 and 3 are both called \"ID\"");
    assert_eq!(refusal(b"a,,c\n"), "t.csv:1: header: column 2 of 3 has no name");
    assert!(refusal(b"").contains("empty"));
    let wide = (0..=COLUMNS_MAX).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert!(refusal(format!("{wide}\n").as_bytes()).contains("at most 2000"));
}

#[test]
fn a_delimiter_at_the_end_of_every_line_separates_nothing() {
    let (names, rows, rejected) = read(b"a,b,\n1,2,\n3,4,x\n5,6\n");
    assert_eq!((names.len(), rows.as_slice()), (2, [row(&["1", "2"])].as_slice()));
    let codes: Vec<_> = rejected.iter().map(|r| (r.line, r.code)).collect();
    assert_eq!(codes, [(3, "unnamed_column"), (4, "field_count")]);
}

#[test]
fn a_row_is_found_again_by_its_ordinal() {
    let input = Input::embedded("t.csv", b"a,b\n1,2\nbad\n\"3\n\",4\n5,6\n");
    let mut reader = CsvReader::open(&input, &Options::default()).expect("opens");
    let found = reader.locate(&BTreeSet::from([2, 3])).expect("reads");
    let origin =
        |row, line, byte_offset, raw: &[u8]| Origin { row, line, byte_offset, raw: raw.to_vec() };
    assert_eq!(found, [origin(2, 4, 12, b"\"3\n\",4"), origin(3, 6, 19, b"5,6")]);
}

proptest::proptest! {
    #[test]
    fn what_is_written_by_the_rules_is_read_back(
        rows in proptest::collection::vec(proptest::collection::vec("[a-zñ€,;\"\r\n ]{0,6}", 3), 0..20),
        line_end in proptest::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let quoted = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
        let mut text = format!("a,b,c{line_end}");
        for row in &rows {
            text.push_str(&row.iter().map(quoted).collect::<Vec<_>>().join(","));
            text.push_str(line_end);
        }
        let (_, found, rejected) = read(text.as_bytes());
        let wanted: Vec<Vec<Option<String>>> =
            rows.into_iter().map(|row| row.into_iter().map(Some).collect()).collect();
        proptest::prop_assert!(rejected.is_empty(), "{rejected:?}");
        proptest::prop_assert_eq!(found, wanted);
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_lose_a_line(
        bytes in proptest::collection::vec(proptest::sample::select(b"ab,;\"\r\n\0\xC3\xA9".to_vec()), 0..200),
    ) {
        let mut text = b"h1,h2\n".to_vec();
        text.extend(&bytes);
        if let Ok((_, rows, rejected)) = read_with(&text, &Options::default()) {
            // A stray quote may join lines into one field, but only up to the quote that closes it.
            let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
            let lines = bytes.split(is_break).filter(|l| !l.is_empty()).count();
            let newlines: usize = rows.iter().flatten().flatten()
                .map(|v| v.split(['\r', '\n']).filter(|l| !l.is_empty()).count().saturating_sub(1))
                .sum();
            proptest::prop_assert!(rows.len() + rejected.len() <= lines + newlines + 1);
            proptest::prop_assert!(lines == 0 || rows.len() + rejected.len() > 0);
        }
    }
}
