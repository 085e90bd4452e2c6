use std::io::{Cursor, Write};

use super::*;
use crate::chat::MOST_VALUES;

fn rows(bytes: &[u8], format: Option<RowFormat>) -> Vec<RawRow> {
    let mut rows = Rows::new(Box::new(Cursor::new(bytes.to_vec())), None, format).expect("readable");
    std::iter::from_fn(|| rows.read().expect("readable")).collect()
}

fn field(row: &RawRow, name: &str) -> Value {
    row.fields().expect("a good row")[name].clone()
}

fn why(row: &RawRow) -> String {
    row.fields().expect_err("a bad row")
}

#[test]
fn blank_lines_are_no_rows_and_lines_keep_their_numbers() {
    let found = rows(b"\xef\xbb\xbf{\"a\": 1}\r\n\n  \n{\"a\": 2}", None);
    assert_eq!(found.iter().map(|row| (row.number, row.line)).collect::<Vec<_>>(), [(1, 1), (2, 4)]);
    assert_eq!(found.iter().map(|row| field(row, "a")).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn text_is_lines_and_a_named_format_wins() {
    let found = rows(b"one\ntwo words\n", None);
    assert_eq!(found.iter().map(|row| field(row, LINE_FIELD)).collect::<Vec<_>>(), ["one", "two words"]);
    assert_eq!(why(&rows(b"one\n", Some(RowFormat::Jsonl))[0]), "it is not valid JSON: expected value at column 1");
}

#[test]
fn csv_has_names_quotes_and_line_numbers() {
    let found = rows(b"id,text\n1,\"a, \"\"b\"\"\nsecond line\"\n2,plain\n", Some(RowFormat::Csv));
    assert_eq!(field(&found[0], "text"), "a, \"b\"\nsecond line");
    assert_eq!((found[1].number, found[1].line, field(&found[1], "id")), (2, 4, "2".into()));
    assert_eq!(field(&rows(b"a\tb\n1\t2\n", Some(RowFormat::Tsv))[0], "b"), "2");
    let twice = Rows::new(Box::new(&b"a,a\n1,2\n"[..]), None, Some(RowFormat::Csv)).expect_err("refused");
    assert_eq!(twice.to_string(), "two columns are called `a`");
    // Each column takes far more memory than its bytes.
    let wide = std::io::Cursor::new([vec![b','; 2 << 20], b"\n1,2\n".to_vec()].concat());
    let error = Rows::new(Box::new(wide), None, Some(RowFormat::Csv)).expect_err("refused");
    assert_eq!(error.to_string(), "its first line, which has the names of the columns, is longer than 1 MiB");
}

// L31
#[test]
fn a_bad_row_is_told_and_the_next_one_is_read() {
    let mut bytes = b"{\"a\": 1}\nnot json\n[1]\n{\"a\": \"\xff\"}\n{\"a\": \"".to_vec();
    bytes.extend(vec![b'x'; 10 << 20]);
    bytes.extend(b"\"}\n{\"a\": 2}\n");
    let found = rows(&bytes, Some(RowFormat::Jsonl));
    assert_eq!(found.len(), 6);
    assert_eq!(why(&found[1]), "it is not valid JSON: expected ident at column 2");
    assert_eq!(why(&found[2]), "it is not a JSON object");
    assert_eq!(why(&found[3]), "it is not UTF-8: there is a bad byte at offset 7 in it");
    assert_eq!(why(&found[4]), "it is 10 MiB long, and a row may have 8 MiB");
    assert_eq!((found[5].line, field(&found[5], "a")), (6, 2.into()));
    let found = rows(b"a,b\n1\n1,2\n1,\xff\n", Some(RowFormat::Csv));
    assert_eq!(why(&found[0]), "it has 1 fields, but the header has 2");
    assert_eq!(field(&found[1], "b"), "2");
    assert_eq!(why(&found[2]), "it is not UTF-8: there is a bad byte at offset 0 in it");
}

// L31
#[test]
fn a_quote_that_is_never_closed_does_not_take_all_memory() {
    let endless = Box::new(Cursor::new(b"a\n\"".to_vec()).chain(io::repeat(b'x')));
    let mut rows = Rows::new(endless, None, Some(RowFormat::Csv)).expect("a header");
    assert!(rows.read().expect_err("too large").to_string().contains("is a quote never closed?"));
}

// L31
#[test]
fn a_line_that_never_ends_ends_the_data_set() {
    for format in [RowFormat::Jsonl, RowFormat::Lines] {
        let endless = Box::new(Cursor::new(b"{}\n".to_vec()).chain(io::repeat(0)));
        let mut rows = Rows::new(endless, None, Some(format)).expect("a beginning");
        assert!(rows.read().expect("read").is_some());
        assert!(rows.read().expect_err("too long").to_string().contains("a line is longer than 256 MiB"));
    }
}

#[test]
fn gzip_is_recognised_by_its_bytes() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"{\"a\": 1}\n").expect("written");
    let mut bytes = encoder.finish().expect("written");
    // Several members in one file are one stream.
    bytes.extend(bytes.clone());
    assert_eq!(rows(&bytes, None).iter().map(|row| field(row, "a")).collect::<Vec<_>>(), [1, 1]);
    let mut cut =
        Rows::new(Box::new(Cursor::new(bytes[..20].to_vec())), None, Some(RowFormat::Jsonl)).expect("a beginning");
    let end = std::iter::repeat_with(|| cut.read()).find(|next| !matches!(next, Ok(Some(_))));
    assert!(matches!(end, Some(Err(_))), "a damaged file is an error, not its end");
    let dir = tempfile::tempdir().expect("a directory");
    let empty = dir.path().join("rows.jsonl.gz");
    std::fs::write(&empty, "").expect("written");
    assert!(Rows::open(&empty, None).is_err_and(|error| error.to_string().contains("it is empty")));
}

#[test]
fn a_hash_tells_rows_apart_and_their_numbers_do_not_matter() {
    let [a, b, c] =
        [&b"x,y\nab,c\n"[..], b"x,y\na,bc\n", b"x,z\nab,c\n"].map(|csv| rows(csv, Some(RowFormat::Csv))[0].hash());
    assert!(a != b && a != c);
    assert_eq!(rows(b"1\n2\n1\n", None)[0].hash(), rows(b"1\n2\n1\n", None)[2].hash());
    let text = serde_json::to_string(&a).expect("json");
    assert_eq!(serde_json::from_str::<RowHash>(&text).expect("a hash"), a);
}

#[test]
fn a_row_of_very_many_values_is_not_held_in_memory() {
    let many = format!("{{\"prompt\":\"x\",\"a\":[{}0]}}\n", "[],".repeat(MOST_VALUES));
    let text = format!("{{\"prompt\":\"{}\"}}\n", "a,[{\\\"".repeat(MOST_VALUES / 2));
    let row = |line: &str| RawRow { number: 1, line: 1, content: Content::Json(line.as_bytes().to_vec()) };
    assert_eq!(row(&many).fields().expect_err("too many"), "it has more than 500000 values");
    assert_eq!(row(&text).fields().expect("one text").len(), 1);
}
