//! `schema:FILE`: 1 for an answer that is JSON and follows the JSON Schema of the file, else 0.

use super::{Answers, Score, Scorer};

#[derive(Debug)]
pub(super) struct Schema {
    pub(super) schema: crate::schema::Schema,
}

impl Scorer for Schema {
    fn score(&self, answers: &Answers<'_>) -> Vec<Score> {
        let score = |text: &str| match self.schema.check(text) {
            Ok(()) => Score::passes(true),
            Err(failure) => Score::passes(false).because(failure.message),
        };
        answers.records.iter().map(|record| score(&record.text)).collect()
    }
}
