//! `regex:PATTERN`: 1 for an answer in which the pattern is found, else 0. `(?i)` before it ignores case, `^…$` means the
//! whole answer.

use super::{Answers, Score, Scorer};

#[derive(Debug)]
pub(super) struct Regex {
    pattern: fancy_regex::Regex,
}

impl Regex {
    /// # Errors
    /// What is wrong with the pattern.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let pattern = fancy_regex::Regex::new(pattern).map_err(|error| error.to_string())?;
        Ok(Self { pattern })
    }
}

impl Scorer for Regex {
    fn score(&self, answers: &Answers<'_>) -> Vec<Score> {
        let score = |text: &str| match self.pattern.is_match(text) {
            Ok(found) => Score::passes(found),
            // A pattern that goes back too often is given up.
            Err(error) => Score::unknown(error.to_string()),
        };
        answers.records.iter().map(|record| score(record.text.trim_end())).collect()
    }
}
