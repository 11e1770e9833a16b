//! Values of every kind into literals, from both formats.

use super::*;

fn parsed(sql: &str) -> Statement {
    Parser::parse_sql(&PostgreSqlDialect {}, sql).expect(sql).remove(0)
}

fn text(oid: u32, text: &str) -> Result<String> {
    let sent = Sent { format: Format::Text, bytes: Some(Bytes::copy_from_slice(text.as_bytes())) };
    value(oid, &sent, 1).map(|expr| expr.to_string())
}

fn binary(oid: u32, bytes: &[u8]) -> Result<String> {
    let sent = Sent { format: Format::Binary, bytes: Some(Bytes::copy_from_slice(bytes)) };
    value(oid, &sent, 1).map(|expr| expr.to_string())
}

#[test]
fn every_type_name_parses_and_leads_back() {
    for (oid, name) in SQL_TYPES {
        let found = oid_of_name(name).expect(name);
        assert!(found == *oid || *oid == types::OID || [1014, 1015].contains(oid), "{name}");
    }
}

#[test]
fn text_values_become_literals_of_their_type() {
    assert_eq!(text(types::INT8, "41").expect("a number"), "41");
    assert_eq!(text(types::INT4, "-5").expect("a number"), "CAST('-5' AS INTEGER)");
    assert_eq!(text(types::TEXT, "it's $1").expect("text"), "'it''s $1'");
    assert_eq!(text(types::BOOL, "t").expect("a boolean"), "true");
    assert_eq!(text(types::DATE, "2026-06-30").expect("a date"), "CAST('2026-06-30' AS DATE)");
    assert_eq!(text(types::DATE, "2026-06-30 +02").expect("a date"), "CAST('2026-06-30' AS DATE)");
    assert_eq!(text(types::BYTEA, "\\xDEad").expect("bytes"), "X'DEad'");
    assert_eq!(text(1009, r#"{a,"b, c",NULL}"#).expect("an array"), {
        "CAST(ARRAY['a', 'b, c', CAST(NULL AS VARCHAR)] AS VARCHAR[])"
    });
    for (oid, wrong) in [
        (types::INT4, "3000000000"),
        (types::INT8, "1; DROP"),
        (types::NUMERIC, "1.2.3"),
        (types::BOOL, "maybe"),
        (types::BYTEA, "\\xabc"),
        (1007, "{1,"),
        (1007, "{1,x}"),
    ] {
        assert_eq!(text(oid, wrong).expect_err(wrong).sqlstate(), "22P02");
    }
}

#[test]
fn decimals_keep_every_digit() {
    let of = |digits| text(types::NUMERIC, digits).expect(digits);
    assert_eq!(of("1.50"), "CAST('1.50' AS DECIMAL(3,2))");
    assert_eq!(of("-0.05"), "CAST('-0.05' AS DECIMAL(2,2))");
    assert_eq!(of("1.5e3"), "CAST('1500' AS DECIMAL(4,0))");
    assert_eq!(of("15e-3"), "CAST('0.015' AS DECIMAL(3,3))");
    let long = "99999999999999999999999999.99";
    assert_eq!(of(long), format!("CAST('{long}' AS DECIMAL(28,2))"));
}

#[test]
fn binary_values_are_read_as_they_were_sent() {
    assert_eq!(binary(types::INT8, &41_i64.to_be_bytes()).expect("a number"), "41");
    assert_eq!(binary(types::DATE, &0_i32.to_be_bytes()).expect("a date"), {
        "CAST('2000-01-01' AS DATE)"
    });
    let instant = binary(types::TIMESTAMPTZ, &1_500_000_i64.to_be_bytes()).expect("an instant");
    assert_eq!(instant, "CAST('2000-01-01 00:00:01.5+00' AS TIMESTAMP WITH TIME ZONE)");
    let words: [u16; 7] = [3, 1, 0x4000, 2, 12, 3456, 7800];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    assert_eq!(binary(types::NUMERIC, &bytes).expect("a decimal"), {
        "CAST('-123456.78' AS DECIMAL(8,2))"
    });
    let parts: [i32; 7] = [1, 0, 23, 1, 1, 4, 7];
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_be_bytes()).collect();
    assert_eq!(binary(1007, &bytes).expect("an array"), {
        "CAST(ARRAY[CAST('7' AS INTEGER)] AS INTEGER[])"
    });
    for (oid, wrong) in [(types::INT8, &[1][..]), (types::NUMERIC, &[0; 9]), (1007, &[0; 11])] {
        assert_eq!(binary(oid, wrong).expect_err("malformed").sqlstate(), "22P03");
    }
}

#[test]
fn syntax_tells_some_types_and_values_take_their_places() {
    let sql = "SELECT $1::int8, $2 FROM t WHERE a = ANY($3) LIMIT $4 OFFSET $5";
    let mut statement = parsed(sql);
    assert_eq!(count(&mut statement).expect("sound"), 5);
    let told = told_by_syntax(&mut statement);
    assert_eq!(told, BTreeMap::from([(1, 20), (4, 20), (5, 20)]));
    let mut inferring = statement.clone();
    assert_eq!(any_to_in(&mut inferring), [3]);
    assert!(inferring.to_string().contains("a IN ($3)"));
    let values = BTreeMap::from([(1, null(types::INT8)), (2, string("x"))]);
    substitute(&mut statement, &values);
    assert_eq!(statement.to_string(), {
        "SELECT CAST(NULL AS BIGINT)::BIGINT, 'x' FROM t WHERE a = ANY($3) LIMIT $4 OFFSET $5"
            .replace("::BIGINT", "::int8")
            .replace("int8", "INT8")
    });
    assert_eq!(count(&mut parsed("SELECT $0")).expect_err("no $0").sqlstate(), "42P02");
}
