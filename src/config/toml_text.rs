//! Reads TOML for all files of this program: only values that a setting can have, and each mistake with its line.

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::strict::Strict;

/// What is wrong in a text of TOML. Its message may repeat what stands there.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    pub message: String,
    /// The line, from 1; `None` where no line has it.
    pub line: Option<usize>,
}

/// The values in a text.
///
/// # Errors
/// It is not TOML, or says something else than what is asked for. A date is never asked for, and neither is an infinity or
/// NaN: JSON has none of them, and no amount, limit or span is one.
pub fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, Mistake> {
    let mistake = |error: toml::de::Error| {
        let at = error.span().map(|span| line(text, span.start));
        Mistake { line: at.or_else(|| line_without_place(text, error.message())), message: error.message().to_owned() }
    };
    let table = DeTable::parse(text).map_err(mistake)?;
    if let Some((at, message)) = table.get_ref().iter().filter_map(|(_, value)| unusable(value)).min() {
        return Err(Mistake { message, line: Some(line(text, at)) });
    }
    T::deserialize(Strict(Deserializer::from(table))).map_err(mistake)
}

/// The line, from 1, in which this byte is.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// The line of a mistake of which the parser does not say the place, such as a key with too many parts: the first with which
/// the text above it and itself has the mistake.
pub fn line_without_place(text: &str, message: &str) -> Option<usize> {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).chain([text.len()]).collect();
    let has = |end: &usize| {
        let (_, errors) = DeTable::parse_recoverable(&text[..*end]);
        errors.iter().any(|error| error.span().is_none() && error.message() == message)
    };
    let above = ends.partition_point(|end| !has(end));
    (above < ends.len()).then_some(above + 1)
}

/// The first value in this one that no setting can have: where it begins, and what is wrong with it.
fn unusable(value: &toml::Spanned<DeValue<'_>>) -> Option<(usize, String)> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::Datetime(date) => Some((at, format!("a date such as {date} is no setting; in quotes it is a text"))),
        DeValue::Float(float) if ["inf", "nan"].iter().any(|word| float.as_str().ends_with(word)) => {
            Some((at, format!("`{float}` is no number that a setting can have")))
        }
        DeValue::Array(values) => values.iter().find_map(unusable),
        // Its order is not that of the text.
        DeValue::Table(table) => table.iter().filter_map(|(_, value)| unusable(value)).min(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json};
    use toml::Spanned;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Yes,
        No,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Table {
        word: Option<Word>,
        tables: Vec<Spanned<Table>>,
        table: Option<Box<Table>>,
        numbers: (Option<f64>, Option<i64>),
        json: BTreeMap<String, Value>,
        whole: Option<u64>,
        flag: bool,
    }

    fn read(text: &str) -> Result<Table, Mistake> {
        from_toml(text)
    }

    #[test]
    fn values_are_what_they_are() {
        let table = read(
            "word = \"no\"\nnumbers = [1.5, -3]\nwhole = 18446744073709551615\nflag = true\n\
             json = { a = [1, 1e300, \"x\", true], b.c = -1 }\ntable.table.word = \"yes\"\n[[tables]]\nflag = true\n",
        )
        .expect("good");
        assert_eq!((table.word, table.numbers), (Some(Word::No), (Some(1.5), Some(-3))));
        assert_eq!((table.whole, table.flag), (Some(u64::MAX), true));
        assert_eq!(table.json["a"], json!([1, 1e300, "x", true]));
        assert_eq!(table.json["b"], json!({ "c": -1 }));
        assert_eq!(table.table.and_then(|table| table.table).and_then(|table| table.word), Some(Word::Yes));
        assert!(table.tables[0].get_ref().flag && table.tables[0].span().start > 0);
    }

    #[test]
    fn neither_a_date_nor_an_infinity_is_a_value_anywhere() {
        for value in ["1979-05-27T07:32:00Z", "1979-05-27", "07:32:00", "inf", "-inf", "+inf", "nan", "-nan"] {
            for text in [
                format!("\njson = {value}"),
                format!("flag = true\njson.a = {value}"),
                format!("\njson.a = [1, {value}, {value}]"),
                format!("\njson.a.b = [[{{ c = {value} }}]]"),
                format!("\ntable = {value}\nwhole = {value}"),
                format!("[[tables]]\nnumbers = [{value}, 1]"),
            ] {
                let mistake = read(&text).expect_err(&text);
                let is_named = mistake.message.contains("is no number") || mistake.message.contains("is no setting");
                assert!(is_named && mistake.line == Some(2), "{text}: {mistake:?}");
            }
        }
        // In a text they are letters.
        assert_eq!(read("json.a = \"inf\"\njson.b = \"1979-05-27\"").expect("good").json["a"], "inf");
        // What is too large for a number is not made one.
        for value in ["1e400", "-1e400", "18446744073709551616", "340282366920938463463374607431768211456"] {
            assert_eq!(read(&format!("\njson.a = {value}")).expect_err(value).line, Some(2));
        }
    }

    #[test]
    fn a_list_is_no_table_and_a_table_is_no_word() {
        for text in [
            "table = []",
            "table = [\"no\"]",
            "tables = [[]]",
            "table.table = [\"no\", []]",
            "tables = [{ table = [] }]",
            "word = { no = {} }",
            "word = { no = [] }",
            "word = [\"no\"]",
            "word = 1",
            "json = []",
        ] {
            let mistake = read(&format!("\n{text}")).expect_err(text);
            assert!(mistake.message.starts_with("invalid type: ") && mistake.line == Some(2), "{text}: {mistake:?}");
        }
        assert!(read("word = \"maybe\"").expect_err("unknown").message.starts_with("unknown variant `maybe`"));
    }

    #[test]
    fn what_is_nested_too_deep_is_named_with_its_line() {
        let deep = "a.".repeat(300);
        for text in [
            format!("# c\n\n{deep}b = 1\nflag = true\n"),
            format!("# c\n\n{deep}b = 1"),
            format!("flag = true\n# c\n[{deep}b]\n[x]\n"),
            format!("flag = true\n\n[[{deep}b]]"),
            format!("json.a = \"\"\"\n\"\"\"\njson.b = {}", "[".repeat(300)),
            format!("\n\njson = {{ {deep}b = 1 }}"),
        ] {
            assert_eq!(read(&text).expect_err("too deep").line, Some(3), "{text}");
        }
    }
}
