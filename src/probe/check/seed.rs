//! Whether a seed makes answers repeatable.

use super::{Answer, Check, Question, Verdict, no, prompt, unknown, yes};
use crate::chat::Request;

pub(crate) const SEED: i64 = 7;

pub(crate) fn request(seed: i64) -> Request {
    let prompt = prompt("Make up a sentence of ten random words that nobody could guess, and say it alone.");
    Request { seed: Some(seed), ..prompt }
}

pub(super) struct Seed;

impl Check for Seed {
    fn questions(&self) -> &'static [Question] {
        &[Question::Seed, Question::SeedAgain, Question::OtherSeed]
    }

    fn parameter(&self) -> Option<&'static str> {
        Some("seed")
    }

    fn sent(&self) -> &'static str {
        "a prompt for random words, twice with seed 7 and once with seed 8"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let [first, again, other] = [0, 1, 2].map(|n| answers[n]);
        let same = |a: &Answer, b: &Answer| a.text == b.text;
        if first.text.trim().is_empty() || again.text.trim().is_empty() {
            unknown(first.said())
        } else if !same(first, again) {
            no(format!("{} and {} with the same seed", first.said(), again.said()))
        } else if same(first, other) {
            unknown(format!("{}, whatever the seed", first.said()))
        } else {
            yes(format!("{} twice, and another answer with the other seed", first.said()))
        }
    }
}
