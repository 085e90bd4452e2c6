//! Whether several functions are called in one answer.

use super::tools::{Tools, called, list};
use super::{Answer, Check, Question, Verdict, no, yes};

pub(super) struct ParallelTools;

impl Check for ParallelTools {
    fn questions(&self) -> &'static [Question] {
        Tools.questions()
    }

    fn sent(&self) -> &'static str {
        Tools.sent()
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        match called(answer) {
            (0 | 1, None) if !answer.tool_calls.is_empty() => no(format!("{} alone", list(answer))),
            (2.., None) => yes(list(answer)),
            _ => Tools.judge(answers),
        }
    }
}
