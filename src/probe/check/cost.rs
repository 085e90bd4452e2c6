//! Whether the cost of an answer is reported.

use super::{Answer, Check, Verdict, no, yes};

pub(super) struct Cost;

impl Check for Cost {
    fn sent(&self) -> &'static str {
        "a prompt"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        if answers[0].reports_cost { yes("its cost") } else { no("no cost that can be believed") }
    }
}
