//! Workbooks: what each kind of cell becomes, and which workbooks are refused.

use super::*;
use crate::source::locale::DecimalSign;
use crate::source::reading::{Table, whole};

#[path = "../../tests/harness/workbook.rs"]
mod books;

use books::{texts, workbook};

fn saved(bytes: &[u8]) -> (tempfile::TempDir, Input) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.xlsx");
    std::fs::write(&path, bytes).expect("writes");
    (folder, Input::file(path))
}

fn read_with(bytes: &[u8], options: &Options) -> Result<Table> {
    let (_folder, input) = saved(bytes);
    let sheet = input.expand(options)?.swap_remove(0);
    let reader = XlsxReader::open(&sheet, options)?;
    whole(reader)
}

fn read(rows: &str) -> Table {
    read_with(&workbook(&[("Sheet1", rows)], &["shared"], false), &Options::default())
        .expect("reads")
}

fn refusal(bytes: &[u8]) -> String {
    read_with(bytes, &Options::default()).expect_err("must be refused").to_string()
}

/// The text of one cell below a header.
fn cell(xml: &str) -> Option<String> {
    let rows = format!("{}<row r=\"2\">{xml}<c r=\"B2\"><v>1</v></c></row>", texts(1, &["a", "b"]));
    let (_, rows, rejected) = read(&rows);
    assert!(rejected.is_empty(), "{xml}: {rejected:?}");
    rows[0][0].clone()
}

#[test]
fn cells_become_the_text_that_csv_would_have() {
    for (xml, wanted) in [
        (r#"<c r="A2"><v>0.30000000000000004</v></c>"#, Some("0.3")),
        (r#"<c r="A2"><v>1234.5699999999999</v></c>"#, Some("1234.57")),
        (r#"<c r="A2"><v>1E-3</v></c>"#, Some("0.001")),
        (r#"<c r="A2" t="s"><v>0</v></c>"#, Some("shared")),
        (r#"<c r="A2" t="b"><v>1</v></c>"#, Some("true")),
        (r#"<c r="A2" t="inlineStr"><is><t>00123</t></is></c>"#, Some("00123")),
        (r#"<c r="A2" t="str"><f>A1&amp;"x"</f><v>ax</v></c>"#, Some("ax")),
        (r#"<c r="A2"><f>1+1</f><v>2</v></c>"#, Some("2")),
        (r#"<c r="A2" t="e"><f>1/0</f><v>#DIV/0!</v></c>"#, Some("#DIV/0!")),
        (r#"<c r="A2" s="1"><v>45292</v></c>"#, Some("2024-01-01")),
        (r#"<c r="A2" s="2"><v>45292.604178240742</v></c>"#, Some("2024-01-01T14:30:01")),
        (r#"<c r="A2" s="1"><v>2958465</v></c>"#, Some("9999-12-31")),
        (r#"<c r="A2" s="3"><v>2134</v></c>"#, Some("02134")),
        (r#"<c r="A2" s="4"><v>1.5</v></c>"#, Some("36:00:00")),
        (r#"<c r="A2" t="d"><v>2024-01-01</v></c>"#, Some("2024-01-01")),
        (r#"<c r="A2" s="1"/>"#, None),
        ("", None),
    ] {
        assert_eq!(cell(xml).as_deref(), wanted, "{xml}");
    }
}

#[test]
fn a_workbook_that_counts_from_1904_is_read_so() {
    let rows =
        format!("{}<row r=\"2\"><c r=\"A2\" s=\"1\"><v>34519</v></c></row>", texts(1, &["day"]));
    let bytes = workbook(&[("Sheet1", &rows)], &[], true);
    let (_, rows, _) = read_with(&bytes, &Options::default()).expect("reads");
    assert_eq!(rows[0][0].as_deref(), Some("1998-07-05"));
}

#[test]
fn bad_rows_are_told_by_their_number_and_cell() {
    let rows = [
        texts(3, &["id", "amount"]),
        texts(4, &["a", "1"]),
        "<row r=\"5\"><c r=\"A5\" s=\"1\"><v>60</v></c></row>".to_owned(),
        texts(6, &["b", "2", "stray"]),
        "<row r=\"9\"><c r=\"B9\"><v>12345678901234567</v></c></row>".to_owned(),
        "<row r=\"10\"><c r=\"A10\" s=\"1\"/></row>".to_owned(),
        texts(11, &["c", "3, or 4"]),
    ];
    let bytes = workbook(&[("Sheet1", &rows.concat())], &[], false);
    let (names, good, rejected) = read_with(&bytes, &Options::default()).expect("reads");
    assert_eq!((names, good.len()), (vec!["id".to_owned(), "amount".to_owned()], 2));
    let found: Vec<_> = rejected.iter().map(|r| (r.line, r.code, r.reason.as_str())).collect();
    let wanted = [
        (5, "date", "cell A5 is 1900-02-29, a day that never was"),
        (6, "unnamed_column", "a value in column C, which has no name"),
        (9, "number_too_large", "cell B9 is a number too large to keep; format the column as text"),
    ];
    assert_eq!(found, wanted);
    assert_eq!(rejected[1].raw, b"b,2,stray");
    let (_folder, input) = saved(&bytes);
    let sheet = input.expand(&Options::default()).expect("sound").swap_remove(0);
    let mut reader = XlsxReader::open(&sheet, &Options::default()).expect("opens");
    let found = reader.locate(&BTreeSet::from([0, 4])).expect("reads");
    assert_eq!((found[0].line, found[1].line), (4, 11));
    assert_eq!(found[1].raw, b"c,\"3, or 4\"");
}

#[test]
fn sheets_are_objects_named_after_file_and_tab() {
    let one = texts(1, &["a"]) + &texts(2, &["x"]);
    let labels = |bytes: &[u8], sheet: Option<&str>| {
        let (_folder, input) = saved(bytes);
        let options = Options { sheet: sheet.map(str::to_owned), ..Options::default() };
        let found = input.expand(&options)?;
        Ok::<_, Error>(found.iter().map(Input::labels).collect::<Vec<_>>())
    };
    let single = workbook(&[("Deals", &one)], &[], false);
    assert_eq!(labels(&single, None).expect("sound"), [["plan", "plan_Deals", "Deals"]]);
    let two = workbook(&[("Deals", &one), ("Quotas", &one)], &[], false);
    let wanted = [["plan_Deals", "Deals"], ["plan_Quotas", "Quotas"]];
    assert_eq!(labels(&two, None).expect("sound"), wanted);
    assert_eq!(labels(&two, Some("Quotas")).expect("sound"), [["plan", "plan_Quotas", "Quotas"]]);
    let error = labels(&two, Some("Plan")).expect_err("no such sheet").to_string();
    assert!(error.contains("has no sheet \"Plan\"; its sheets: Deals, Quotas"), "{error}");
}

#[test]
fn workbooks_that_would_lose_something_are_refused() {
    let book = |rows: &str| workbook(&[("Sheet1", rows)], &[], false);
    let error = refusal(&book(&texts(2, &["Id", "b", "ID"])));
    assert!(error.contains("Sheet1:2: header: columns A and C are both called \"ID\""), "{error}");
    let rows = texts(1, &["a"]) + "<row r=\"2\"><c r=\"A2\"><f>SUM(B1:B9)</f></c></row>";
    let error = refusal(&book(&rows));
    assert!(error.contains("Sheet1:2: cell A2 is a formula without a value"), "{error}");
    let rows = texts(5, &["a"]) + &texts(7, &["x"]) + &texts(6, &["y"]);
    assert!(refusal(&book(&rows)).contains("rows are not in their order"));
    assert!(refusal(&book("")).contains("the sheet is empty"));
    assert!(refusal(b"no workbook at all").contains("is not a sound workbook"));
    let whole = book(&texts(1, &["a"]));
    assert!(refusal(&whole[..whole.len() / 2]).contains("is not a sound workbook"));
}

#[test]
fn a_workbook_that_inflates_like_a_bomb_is_refused() {
    let blank = " ".repeat(64 << 20);
    let bytes = workbook(&[("Sheet1", &(texts(1, &["a"]) + &blank))], &[], false);
    assert!(bytes.len() < 1 << 20, "{}", bytes.len());
    let error = refusal(&bytes);
    assert!(error.contains("inflates to more than 100 times its"), "{error}");
}

#[test]
fn numbers_follow_the_declared_decimal_sign_and_texts_stay() {
    let rows = format!(
        "{}<row r=\"2\"><c r=\"A2\"><v>1234.5</v></c><c r=\"B2\" t=\"inlineStr\"><is><t>1.5</t></is></c></row>",
        texts(1, &["a", "b"])
    );
    let mut options = Options::default();
    options.locale.decimal = Some(DecimalSign::Comma);
    let (_, rows, _) =
        read_with(&workbook(&[("Sheet1", &rows)], &[], false), &options).expect("reads");
    assert_eq!(rows[0], [Some("1234,5".to_owned()), Some("1.5".to_owned())]);
}
