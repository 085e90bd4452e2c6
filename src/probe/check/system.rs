//! Whether a system message is obeyed.

use super::{Answer, Check, Verdict, no, prompt, unknown, yes};
use crate::chat::{Message, Request, Role};

/// The word that the system message asks for, and that no answer to the prompt would begin with.
const WORD: &str = "Pelican";

pub(crate) fn request() -> Request {
    let system = Message::text(Role::System, format!("Begin every answer with the word {WORD}."));
    let mut request = prompt("Name the twelve months of the year in their order.");
    request.messages.insert(0, system);
    request
}

pub(super) struct System;

impl Check for System {
    fn parameter(&self) -> Option<&'static str> {
        Some("a system message")
    }

    fn sent(&self) -> &'static str {
        "a system message that asks for “Pelican” as the first word"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        let words = answer.text.trim_start_matches(|letter: char| !letter.is_alphanumeric());
        match words {
            "" => unknown(answer.said()),
            _ if words.to_lowercase().starts_with(&WORD.to_lowercase()) => yes(answer.said()),
            _ => no(answer.said()),
        }
    }
}
