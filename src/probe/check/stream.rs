//! Whether an answer arrives in pieces.

use super::{Answer, Check, Verdict, no, unknown, yes};

/// An answer of fewer characters may well be one piece of a stream.
const LONG: usize = 40;

pub(super) struct Stream;

impl Check for Stream {
    fn sent(&self) -> &'static str {
        "a prompt for a sentence, as a stream"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        let length = answer.text.chars().count();
        match answer.pieces {
            0 => unknown(answer.said()),
            1 if length < LONG => unknown(format!("{length} characters in one piece, too few to tell")),
            1 => no(format!("{length} characters in one piece")),
            pieces => yes(format!("{length} characters in {pieces} pieces")),
        }
    }
}
