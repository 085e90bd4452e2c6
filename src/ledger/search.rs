//! Texts to search for, in the words that the index of prompts and answers has.

use rusqlite::{Connection, Result};

/// A query of FTS5 that finds what holds all words of this text; `None` where it holds no word.
///
/// What a word is, SQLite's own tokenizer decides, as it does for the index: the index keeps no positions, so a text that
/// stands for several words, such as `don't`, would be a phrase, and an error.
pub(super) fn query(text: &str) -> Result<Option<String>> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(
        "CREATE VIRTUAL TABLE texts USING fts5 (text, content = '', detail = 'none');
         CREATE VIRTUAL TABLE words USING fts5vocab (texts, row);",
    )?;
    connection.execute("INSERT INTO texts (text) VALUES (?1)", [text])?;
    let mut select = connection.prepare("SELECT term FROM words")?;
    let words: Vec<String> =
        select.query_map([], |row| Ok(format!("\"{}\"", row.get::<_, String>(0)?)))?.collect::<Result<_>>()?;
    Ok((!words.is_empty()).then(|| words.join(" ")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::params;

    use super::*;

    /// Which of these texts hold all words of the one that is looked for; the index is as the schema has it.
    fn found(texts: &[&str], search: &str) -> Vec<i64> {
        let index = Connection::open_in_memory().expect("memory");
        let schema = crate::ledger::store::MIGRATIONS[0].sql;
        index.execute_batch(schema).expect("a schema");
        for (nth, text) in texts.iter().enumerate() {
            index
                .execute("INSERT INTO words (rowid, prompt, answer) VALUES (?1, '', ?2)", params![nth as i64, text])
                .expect("indexed");
        }
        let Some(query) = query(search).expect("a query") else { return Vec::new() };
        let mut select =
            index.prepare("SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid").expect("an index");
        let found = select.query_map([query], |row| row.get(0)).expect("no error");
        found.collect::<Result<_>>().expect("no error")
    }

    #[test]
    fn texts_of_several_words_are_found() {
        let texts =
            ["I don't know; send an e-mail to gpt-5.4-mini", "İSTANBUL and Zürich, naïve", "日本語 text_with_lines"];
        for (search, expected) in [
            ("don't", vec![0]),
            ("e-mail", vec![0]),
            ("mail GPT-5.4-mini", vec![0]),
            ("zurich NAIVE", vec![1]),
            ("text_with", vec![2]),
            ("\"know\" OR *", vec![]),
            ("know; ...", vec![0]),
            ("!? …", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(found(&texts, search), expected, "{search}");
        }
        let many: Vec<String> = (0..3000).map(|n| format!("word{n}")).collect();
        assert_eq!(found(&[&many.join(" ")], &many.join("-")), [0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn no_text_fails_and_each_is_found_where_it_stands(
            text in prop_oneof!["\\PC{0,60}", prop::collection::vec(any::<char>(), 0..60).prop_map(String::from_iter)],
            around in "\\PC{0,20}",
        ) {
            let holds_words = query(&text).expect("no text fails").is_some();
            let held = format!("{around} {text} {around}");
            prop_assert_eq!(found(&[&held], &text), if holds_words { vec![0] } else { vec![] });
        }
    }
}
