//! `shortest`: 1 for the answer with the fewest characters, 0.5 for one that is twice as long.

use super::{Answers, Score, Scorer, relative};

#[derive(Debug)]
pub(super) struct Shortest;

impl Scorer for Shortest {
    fn score(&self, answers: &Answers<'_>) -> Vec<Score> {
        let length = |text: &str| match text.trim().chars().count() {
            0 => Err("the answer is empty"),
            characters => Ok(characters as f64),
        };
        relative(answers.records.iter().map(|record| length(&record.text)).collect())
    }
}
