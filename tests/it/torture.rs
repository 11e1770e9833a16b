//! The torture corpus: files as people and programs really send them.
//!
//! Each ends in rows, in quarantine by line and reason, or in a refusal that names both.
//! What a reader does with each byte is tested beside the readers (`src/source`); here whole files
//! go through an ingest, and their rows are counted.

use runrate::error::Error;
use runrate::ingest::{Request, Summary, exit_code};
use runrate::source::locale::{DateOrder, DecimalSign, Locale};
use runrate::source::serial::DaySystem;

use crate::archives::{gzip, zipped};
use crate::harness::workbook::{texts, workbook};
use crate::ingest::Bench;

/// Header of a file of products.
const HEADER: &str = "product_id,name,list_price\n";
const ROWS: &str = "SELECT product_id, name, list_price FROM crm.products ORDER BY product_id";

async fn load(
    bench: &Bench,
    name: &str,
    bytes: impl AsRef<[u8]>,
    set: impl Fn(&mut Request),
) -> Result<Summary, Error> {
    let mut request = Request::crm("template", vec![bench.write(name, bytes)]);
    set(&mut request);
    bench.load(&request).await
}

/// The refusal of a file, after making sure that it is one and that nothing was loaded.
async fn refused(name: &str, bytes: impl AsRef<[u8]>, set: impl Fn(&mut Request)) -> String {
    let bench = Bench::new().await;
    let outcome = load(&bench, name, bytes, set).await;
    assert_eq!(exit_code(&outcome), 4, "{name}: {outcome:?}");
    assert_eq!(bench.query("SELECT count(*) FROM crm.products").await, ["0"]);
    outcome.expect_err(name).to_string()
}

/// The rows that a file of products becomes.
async fn rows(name: &str, bytes: impl AsRef<[u8]>, set: impl Fn(&mut Request)) -> Vec<String> {
    let bench = Bench::new().await;
    let summary = load(&bench, name, bytes, set).await.expect(name);
    assert_eq!(summary.quarantined, 0, "{summary}");
    bench.query(ROWS).await
}

fn utf16(text: &str, mark: &[u8], unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    mark.iter().copied().chain(text.encode_utf16().flat_map(unit)).collect()
}

#[tokio::test]
async fn encodings_and_line_ends_that_can_be_told_become_rows() {
    let text = format!("{HEADER}a,Café,1.50\nb,\"Ñandú, S.A.\",2\n");
    let wanted = ["a|Café|1.50", "b|Ñandú, S.A.|2.00"];
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    let mark = "\u{feff}";
    for (what, bytes) in [
        ("UTF-8", text.clone().into_bytes()),
        ("byte-order mark", format!("{mark}{text}").into_bytes()),
        ("UTF-16 little", utf16(&text, &[0xFF, 0xFE], u16::to_le_bytes)),
        ("UTF-16 big", utf16(&text, &[0xFE, 0xFF], u16::to_be_bytes)),
        ("CR", text.replace('\n', "\r").into_bytes()),
        ("CRLF", text.replace('\n', "\r\n").into_bytes()),
        ("semicolons", text.replace(',', ";").replace("Ñandú;", "Ñandú,").into_bytes()),
    ] {
        assert_eq!(rows("products.csv", bytes, |_| {}).await, wanted, "{what}");
    }
    let declared = |request: &mut Request| request.options.encoding = Some("latin1".into());
    assert_eq!(rows("products.csv", &latin, declared).await, wanted);
    let error = refused("products.csv", &latin, |_| {}).await;
    assert!(error.contains("products.csv:2: byte 32 of the file is not UTF-8 text"), "{error}");
    let bare = utf16(&text, &[], u16::to_le_bytes);
    let error = refused("products.csv", bare, |_| {}).await;
    assert!(error.contains("products.csv:1: header: NUL byte"), "{error}");
    let tabs = text.replace("Ñandú, S.A.", "Ñandú; S.A.").replace(',', "\t");
    let wanted = ["a|Café|1.50", "b|Ñandú; S.A.|2.00"];
    assert_eq!(rows("products.tsv", tabs, |_| {}).await, wanted);
}

#[tokio::test]
async fn broken_records_are_quarantined_and_cost_no_other() {
    let long = "x".repeat(5 << 20);
    for (what, line, code, reason) in [
        ("ragged", "x,Short".to_owned(), "field_count", "2 fields where the header has 3"),
        ("too wide", "x,Wide,1,2".to_owned(), "field_count", "4 fields where the header has 3"),
        ("NUL", "x,N\0ul,1".to_owned(), "nul", "NUL byte"),
        (
            "5 MB field",
            format!("x,{long},1"),
            "field_too_long",
            "a field is longer than 1048576 bytes",
        ),
        (
            "unclosed quote",
            "x,\"Open,1".to_owned(),
            "unclosed_quote",
            "quote is never closed (within 100 lines)",
        ),
        (
            "stray quote",
            "x,\"St\"ray,1".to_owned(),
            "stray_quote",
            "text after the quote that closes a field",
        ),
        (
            "decimal comma",
            "x,Comma,\"1,5\"".to_owned(),
            "type",
            "list_price \"1,5\" is not an amount",
        ),
    ] {
        let bench = Bench::new().await;
        let mut text = HEADER.to_owned();
        (0..150).for_each(|n| text.push_str(&format!("a{n},Name,{n}\n")));
        text.push_str(&line);
        text.push('\n');
        (0..150).for_each(|n| text.push_str(&format!("b{n},Name,{n}\n")));
        let summary = load(&bench, "products.csv", &text, |_| {}).await.expect(what);
        let total = summary.total();
        assert_eq!((total.rows_loaded, total.rows_quarantined), (300, 1), "{what}: {summary}");
        let found = bench.query("SELECT line, reason_code, reason FROM ops.quarantine").await;
        assert_eq!(found, [format!("152|{code}|{reason}")], "{what}");
    }
}

#[tokio::test]
async fn headers_that_cannot_be_meant_are_refused_by_column() {
    let error = refused("products.csv", "product_id,Name,NAME\na,b,c\n", |_| {}).await;
    assert!(error.contains(":1: header: columns 2 and 3 are both called \"NAME\""), "{error}");
    let error = refused("products.csv", "product_id,,name\na,b,c\n", |_| {}).await;
    assert!(error.contains(":1: header: column 2 of 3 has no name"), "{error}");
    let error = refused("products.csv", "", |_| {}).await;
    assert!(error.contains(":1: the file is empty"), "{error}");
}

#[tokio::test]
async fn leading_zeros_and_far_dates_stay_what_they_are() {
    let bench = Bench::new().await;
    let text = "valid_from,valid_to,currency,rate\n0001-01-01,9999-12-31,EUR,1.1\n";
    let request = Request::table("rates", None, vec![bench.write("rates.csv", text)]);
    bench.load(&request.expect("a name")).await.expect("loads");
    let found = bench.query("SELECT valid_from, valid_to FROM raw.rates").await;
    assert_eq!(found, ["0001-01-01|9999-12-31"]);
    let text = format!("{HEADER}007,01234,1\n7,1234,2\n");
    assert_eq!(rows("products.csv", text, |_| {}).await, ["007|01234|1.00", "7|1234|2.00"]);
    let text = "product_id,name,updated_at\na,A,9999-12-31T23:59:59Z\n";
    let bench = Bench::new().await;
    load(&bench, "products.csv", text, |_| {}).await.expect("loads");
    let found = bench.query("SELECT updated_at FROM crm.products").await;
    assert_eq!(found, ["9999-12-31T23:59:59Z"]);
}

/// Users with a hire date, which is where dates of people are typed by hand.
async fn hired(dates: &[&str], locale: Locale) -> Result<Vec<String>, String> {
    let bench = Bench::new().await;
    let mut text = "user_id,name,is_active,hire_date\n".to_owned();
    for (n, date) in dates.iter().enumerate() {
        text.push_str(&format!("u{n},N,true,{date}\n"));
    }
    let set = |request: &mut Request| request.options.locale = locale;
    match load(&bench, "users.csv", text, set).await {
        Ok(_) => Ok(bench.query("SELECT hire_date FROM crm.users ORDER BY user_id").await),
        Err(error) => {
            assert_eq!(bench.query("SELECT count(*) FROM crm.users").await, ["0"]);
            Err(error.to_string())
        }
    }
}

#[tokio::test]
async fn dates_are_read_in_the_declared_order_and_evidence_against_it_refuses_the_file() {
    let dmy = Locale { date_order: Some(DateOrder::DayMonth), ..Locale::default() };
    let mdy = Locale { date_order: Some(DateOrder::MonthDay), ..Locale::default() };
    let dates = ["03/04/2024", "31/12/2024", "2024-05-06"];
    let wanted = ["2024-04-03", "2024-12-31", "2024-05-06"].map(str::to_owned).to_vec();
    assert_eq!(hired(&dates, dmy).await, Ok(wanted));
    let error = hired(&dates, mdy).await.expect_err("31 is no month");
    assert!(
        error.contains("users.csv:3: hire_date \"31/12/2024\" is a date only with day and"),
        "{error}"
    );
    // One in a hundred is enough: the other ninety-nine would be wrong and nobody would know.
    let mut many = vec!["03/04/2024"; 99];
    many.push("04/13/2024");
    let error = hired(&many, dmy).await.expect_err("evidence");
    assert!(
        error.contains("users.csv:101: hire_date \"04/13/2024\" is a date only with"),
        "{error}"
    );
    let error = hired(&dates, Locale::default()).await.expect_err("undeclared");
    assert!(error.contains("other orders are declared by --date-order"), "{error}");
    let error = hired(&["01/02/24"], dmy).await.expect_err("which century");
    assert!(
        error.contains("users.csv:2: hire_date \"01/02/24\" has a year of two digits"),
        "{error}"
    );
}

#[tokio::test]
async fn days_of_spreadsheets_are_dates_only_where_they_are_declared() {
    let from = |system| Locale { serials: Some(system), ..Locale::default() };
    let found = hired(&["35981", "2024-01-01"], from(DaySystem::From1900)).await;
    assert_eq!(found, Ok(["1998-07-05", "2024-01-01"].map(str::to_owned).to_vec()));
    let found = hired(&["34519"], from(DaySystem::From1904)).await;
    assert_eq!(found, Ok(vec!["1998-07-05".to_owned()]));
    let error = hired(&["60"], from(DaySystem::From1900)).await.expect_err("no such day");
    assert!(error.contains("hire_date \"60\" is 1900-02-29, a day that never was"), "{error}");
    let error = hired(&["35981"], Locale::default()).await.expect_err("undeclared");
    assert!(error.contains("hire_date \"35981\" is not a date"), "{error}");
}

#[tokio::test]
async fn numbers_are_read_with_the_declared_sign_and_evidence_against_it_refuses_the_file() {
    let comma = |request: &mut Request| request.options.locale.decimal = Some(DecimalSign::Comma);
    let point = |request: &mut Request| request.options.locale.decimal = Some(DecimalSign::Point);
    let text = "product_id;name;list_price\n\
        1.5;Versión 1.234;1.234,56\nb;B;(1.234)\nc;C;€ 1.234\nd;D;1\u{a0}234,5\n";
    let wanted = ["1.5|Versión 1.234|1234.56", "b|B|-1234.00", "c|C|1234.00", "d|D|1234.50"];
    assert_eq!(rows("products.csv", text, comma).await, wanted);
    let english = "product_id,name,list_price\na,A,\"$1,234.56\"\n";
    assert_eq!(rows("products.csv", english, point).await, ["a|A|1234.56"]);
    let error = refused("products.csv", text, point).await;
    assert!(
        error.contains("products.csv:2: list_price \"1.234,56\" is a number only with"),
        "{error}"
    );
    // Types that a format carries are no spelling.
    let json = "{\"product_id\":\"a\",\"name\":\"A\",\"list_price\":1234.5}\n";
    assert_eq!(rows("products.jsonl", json, comma).await, ["a|A|1234.50"]);
    let sheet = texts(1, &["product_id", "name", "list_price"])
        + "<row r=\"2\"><c r=\"A2\" t=\"inlineStr\"><is><t>a</t></is></c>\
           <c r=\"B2\" t=\"inlineStr\"><is><t>A</t></is></c><c r=\"C2\"><v>1234.5</v></c></row>";
    let book = workbook(&[("Sheet1", &sheet)], &[], false);
    assert_eq!(rows("products.xlsx", &book, comma).await, ["a|A|1234.50"]);
    let bench = Bench::new().await;
    // A mapping that computes sees the number that was meant.
    let path = bench.write("Product2.csv", "Id;Name\n01tA0000001AbccIAC;P\n");
    let prices = bench.write(
        "PricebookEntry.csv",
        "Id;Product2Id;UnitPrice;IsActive\n01uA0000001AbccIAC;01tA0000001AbccIAC;1.234,56;true\n",
    );
    let mut request = Request::crm("salesforce", vec![path, prices]);
    comma(&mut request);
    bench.load(&request).await.expect("loads");
    assert_eq!(bench.query("SELECT list_price FROM crm.products").await, ["1234.56"]);
}

#[tokio::test]
async fn compressed_files_archives_and_workbooks_load_like_the_files_in_them() {
    let text = format!("{HEADER}a,A,1\nb,B,2\n");
    let wanted = ["a|A|1.00", "b|B|2.00"];
    assert_eq!(rows("products.csv.gz", gzip(text.as_bytes()), |_| {}).await, wanted);
    let zip = zipped(&[("out/products.csv", text.as_bytes()), ("out/unknown.csv", b"a\n1\n")]);
    let bench = Bench::new().await;
    let summary = load(&bench, "export.zip", &zip, |_| {}).await.expect("loads");
    assert_eq!(bench.query(ROWS).await, wanted);
    let notice = &summary.notices[0];
    assert!(notice.contains("export.zip/out/unknown.csv was not read"), "{notice}");
    let bad = format!("{HEADER}a,A,1\nragged\n") + &"b,B,1\n".repeat(40);
    let summary =
        load(&bench, "two.zip", zipped(&[("products.csv", bad.as_bytes())]), |_| {}).await;
    assert_eq!(summary.expect("loads").quarantined, 1);
    let found = bench.query("SELECT line, byte_offset, reason_code FROM ops.quarantine").await;
    assert_eq!(found, [format!("3|{}|field_count", HEADER.len() + 6)]);
    // The same bytes are the same batch, however they are packed.
    let packed = load(&bench, "products.csv.gz", gzip(text.as_bytes()), |_| {}).await;
    assert!(packed.expect("loads").is_repeated);
    let sheet = texts(1, &["product_id", "name"]) + &texts(2, &["x", "X"]);
    let quotas = texts(1, &["something"]) + &texts(2, &["else"]);
    let book = workbook(&[("products", &sheet), ("Notes", &quotas)], &[], false);
    let bench = Bench::new().await;
    let summary = load(&bench, "plan.xlsx", &book, |_| {}).await.expect("loads");
    assert_eq!(bench.query("SELECT product_id FROM crm.products").await, ["x"]);
    assert!(summary.notices[0].contains("plan.xlsx/Notes was not read"), "{summary}");
}

#[tokio::test]
async fn hostile_archives_are_refused_by_entry_and_nothing_is_written_elsewhere() {
    let bomb = vec![b'x'; 64 << 20];
    for (name, bytes, wanted) in [
        ("products.csv.gz", gzip(&bomb), "products.csv.gz:0: inflates to more than 100 times"),
        ("a.zip", zipped(&[("products.csv", &bomb)]), "entry \"products.csv\" inflates to more"),
        ("b.zip", zipped(&[("../products.csv", b"x")]), "entry \"../products.csv\" leads out of"),
        ("c.zip", zipped(&[("/tmp/products.csv", b"x")]), "has an absolute path"),
        ("d.zip", zipped(&[("in/products.zip", b"x")]), "is an archive or a workbook itself"),
        ("e.zip", zipped(&[("readme.md", b"x")]), "has no file to read"),
        ("products.xlsx", b"PK\x03\x04 no".to_vec(), "is not a sound workbook"),
    ] {
        let error = refused(name, bytes, |_| {}).await;
        assert!(error.contains(wanted), "{name}: {error}");
    }
}
