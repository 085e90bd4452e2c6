//! Whether the limit of output tokens is kept.

use super::{Answer, Check, Question, Verdict, no, prompt, unknown, yes};
use crate::chat::{FinishReason, Request};

/// Some formats take no limit below 16.
const LIMIT: u64 = 24;

pub(crate) fn request() -> Request {
    let prompt = prompt(
        "Count from one to ninety in words, in this way and without leaving out a number, one, two, three, four, five, \
         six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen and so on until ninety.",
    );
    Request { max_tokens: Some(LIMIT), ..prompt }
}

pub(super) struct MaxTokens;

impl Check for MaxTokens {
    fn questions(&self) -> &'static [Question] {
        &[Question::Limit]
    }

    fn parameter(&self) -> Option<&'static str> {
        Some("max_tokens")
    }

    fn sent(&self) -> &'static str {
        "a prompt to count to ninety, with 24 output tokens at most"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        let was_cut = answer.finish == Some(FinishReason::Length);
        match answer.usage.output {
            Some(tokens) if tokens > LIMIT => no(format!("{tokens} output tokens")),
            // Where a model always ends early, its end does not come from the limit.
            Some(tokens) if was_cut && tokens >= LIMIT / 2 => yes(format!("cut after {tokens} output tokens")),
            Some(tokens) => unknown(format!("an end after {tokens} output tokens, before the limit")),
            None if was_cut => yes(format!("cut: {}", answer.said())),
            None => unknown(format!("{}, and no count of tokens", answer.said())),
        }
    }
}
