//! Whether reasoning comes back.

use super::{Answer, Check, Question, Verdict, no, prompt, unknown, yes};
use crate::chat::Request;

/// Reasoning takes more tokens than other answers.
const MOST_TOKENS: u64 = 2_048;

pub(crate) fn request() -> Request {
    let prompt = prompt(
        "A bat and a ball cost 11 coins together. The bat costs 10 coins more than the ball. What does the ball cost?",
    );
    Request { reasoning_effort: Some("low".to_owned()), max_tokens: Some(MOST_TOKENS), ..prompt }
}

pub(super) struct Reasoning;

impl Check for Reasoning {
    fn questions(&self) -> &'static [Question] {
        &[Question::Reasoning]
    }

    /// A refused effort does not count: models that always reason refuse it as well.
    fn parameter(&self) -> Option<&'static str> {
        None
    }

    fn sent(&self) -> &'static str {
        "a riddle, with low reasoning effort"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        let text = answer.reasoning.chars().count();
        match (text, answer.usage.reasoning) {
            (0, None | Some(0)) if answer.is_empty() => unknown(answer.said()),
            (0, None | Some(0)) => no(format!("{}, and neither text nor tokens of reasoning", answer.said())),
            (0, Some(tokens)) => yes(format!("{tokens} tokens of reasoning, without their text")),
            (_, Some(tokens)) => yes(format!("{tokens} tokens of reasoning, with their text")),
            (_, None) => yes(format!("{text} characters of reasoning")),
        }
    }
}
