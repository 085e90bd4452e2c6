//! Whether log-probabilities come with an answer.

use super::{Answer, Check, Question, Verdict, no, prompt, unknown, yes};
use crate::chat::Request;

pub(crate) fn request() -> Request {
    Request { logprobs: Some(0), ..prompt("Name three colours.") }
}

pub(super) struct Logprobs;

impl Check for Logprobs {
    fn questions(&self) -> &'static [Question] {
        &[Question::Logprobs]
    }

    fn parameter(&self) -> Option<&'static str> {
        Some("logprobs")
    }

    fn sent(&self) -> &'static str {
        "a short prompt that asks for log-probabilities"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        match answer.logprobs {
            0 if answer.text.is_empty() => unknown(answer.said()),
            0 => no(format!("{} without any", answer.said())),
            count => yes(format!("log-probabilities of {}", crate::words::count(count as u64, "token", "tokens"))),
        }
    }
}
