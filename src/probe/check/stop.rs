//! Whether an answer ends at a stop text.

use super::{Answer, Check, Question, Verdict, has_in_order, no, prompt, unknown, yes};
use crate::chat::Request;

pub(crate) fn request() -> Request {
    let prompt = prompt("Say these words in this order and nothing else: alpha bravo charlie delta echo foxtrot golf.");
    Request { stop: vec!["echo".to_owned()], ..prompt }
}

pub(super) struct Stop;

impl Check for Stop {
    fn questions(&self) -> &'static [Question] {
        &[Question::Stop]
    }

    fn parameter(&self) -> Option<&'static str> {
        Some("stop")
    }

    fn sent(&self) -> &'static str {
        "seven words to repeat, with the fifth, “echo”, as stop text"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        if has_in_order(&answer.text, &["echo", "foxtrot"]) {
            no("an answer that goes on after it")
        } else if has_in_order(&answer.text, &["charlie", "delta"]) {
            yes("an answer that ends before it")
        } else {
            unknown(format!("{}, not the words", answer.said()))
        }
    }
}
