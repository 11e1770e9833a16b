//! Workbooks as spreadsheet programs write them, from the XML of their cells.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Styles by number: 0 general, 1 a date, 2 a date with time, 3 `00000`, 4 hours beyond a day.
const STYLES: &str = r#"<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">
<numFmts count="3"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd\ hh:mm:ss"/>
<numFmt numFmtId="165" formatCode="00000"/><numFmt numFmtId="166" formatCode="[h]:mm:ss"/></numFmts>
<fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders>
<cellXfs count="5"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/>
<xf numFmtId="164" applyNumberFormat="1"/><xf numFmtId="165" applyNumberFormat="1"/>
<xf numFmtId="166" applyNumberFormat="1"/></cellXfs></styleSheet>"#;

/// A workbook with `sheets`: the name on the tab and the `<row>` elements.
pub fn workbook(sheets: &[(&str, &str)], texts: &[&str], is_1904: bool) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const REL: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    let (mut tabs, mut links) = (String::new(), String::new());
    for (n, (name, _)) in sheets.iter().enumerate() {
        let id = n + 1;
        tabs += &format!("<sheet name=\"{name}\" sheetId=\"{id}\" r:id=\"rId{id}\"/>");
        links += &format!(
            "<Relationship Id=\"rId{id}\" Type=\"{REL}/worksheet\" Target=\"worksheets/sheet{id}.xml\"/>"
        );
    }
    links += &format!("<Relationship Id=\"rIdS\" Type=\"{REL}/styles\" Target=\"styles.xml\"/>");
    links += &format!(
        "<Relationship Id=\"rIdT\" Type=\"{REL}/sharedStrings\" Target=\"sharedStrings.xml\"/>"
    );
    let shared: String = texts.iter().map(|text| format!("<si><t>{text}</t></si>")).collect();
    let mut parts = vec![
        (
            "_rels/.rels".to_owned(),
            format!(
                "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"rId1\" \
                 Type=\"{REL}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml".to_owned(),
            format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{REL}\"><workbookPr date1904=\"{}\"/>\
                 <sheets>{tabs}</sheets></workbook>",
                u8::from(is_1904)
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels".to_owned(),
            format!("<Relationships xmlns=\"{PACKAGE}\">{links}</Relationships>"),
        ),
        ("xl/styles.xml".to_owned(), STYLES.to_owned()),
        ("xl/sharedStrings.xml".to_owned(), format!("<sst xmlns=\"{MAIN}\">{shared}</sst>")),
    ];
    for (n, (_, rows)) in sheets.iter().enumerate() {
        let name = format!("xl/worksheets/sheet{}.xml", n + 1);
        let text = format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>");
        parts.push((name, text));
    }
    let mut out = ZipWriter::new(Cursor::new(vec![]));
    for (name, text) in parts {
        out.start_file(name, SimpleFileOptions::default()).expect("starts");
        out.write_all(text.as_bytes()).expect("writes");
    }
    out.finish().expect("ends").into_inner()
}

/// A `<row>` of texts.
pub fn texts(line: u32, cells: &[&str]) -> String {
    let cells: String = cells
        .iter()
        .enumerate()
        .map(|(n, text)| {
            let column = char::from(b'A' + n as u8);
            format!("<c r=\"{column}{line}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
        })
        .collect();
    format!("<row r=\"{line}\">{cells}</row>")
}
