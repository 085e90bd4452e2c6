//! `contains:TEXT`: 1 for an answer in which this text stands, else 0. Upper and lower case differ.

use super::{Answers, Score, Scorer};

#[derive(Debug)]
pub(super) struct Contains {
    /// `None` takes the expected text of each prompt.
    pub(super) text: Option<String>,
}

impl Scorer for Contains {
    fn score(&self, answers: &Answers<'_>) -> Vec<Score> {
        against(self.text.as_deref(), answers, |answer, text| answer.contains(text))
    }

    fn needs_expected(&self) -> bool {
        self.text.is_none()
    }
}

/// Compares each answer with this text, or else with the expected one.
pub(super) fn against(text: Option<&str>, answers: &Answers<'_>, passes: impl Fn(&str, &str) -> bool) -> Vec<Score> {
    let text = text.or(answers.expected);
    let score = |answer: &str| match text {
        Some(text) => Score::passes(passes(answer, text)),
        None => Score::unknown("no text is expected of it"),
    };
    answers.records.iter().map(|record| score(&record.text)).collect()
}
