//! `exact:TEXT`: 1 for an answer that is this text, else 0. Space around both is not looked at.

use super::{Answers, Score, Scorer};

#[derive(Debug)]
pub(super) struct Exact {
    /// `None` takes the expected text of each prompt.
    pub(super) text: Option<String>,
}

impl Scorer for Exact {
    fn score(&self, answers: &Answers<'_>) -> Vec<Score> {
        super::contains::against(self.text.as_deref(), answers, |answer, text| answer.trim() == text.trim())
    }

    fn needs_expected(&self) -> bool {
        self.text.is_none()
    }
}
