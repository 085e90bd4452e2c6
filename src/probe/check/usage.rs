//! Whether token counts are reported.

use super::{Answer, Check, Verdict, no, yes};

pub(super) struct Usage;

impl Check for Usage {
    fn sent(&self) -> &'static str {
        "a prompt, with its usage asked for where the format has a field for that"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let usage = &answers[0].usage;
        match (usage.input, usage.output) {
            (Some(input), Some(output)) => yes(format!("{input} tokens in, {output} out")),
            (None, None) => no("no count of tokens"),
            (input, _) => {
                no(format!("a count of tokens for the {} alone", if input.is_some() { "prompt" } else { "answer" }))
            }
        }
    }
}
