//! Whether functions are called.

use serde_json::{Value, json};

use super::{Answer, Check, Question, Verdict, excerpt, no, prompt, unknown, yes};
use crate::chat::{Request, Tool};

const NAMES: [&str; 2] = ["get_weather", "get_time"];

pub(crate) fn request() -> Request {
    let tool = |name: &str| Tool {
        name: name.to_owned(),
        description: None,
        parameters: Some(json!({
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        })),
        strict: None,
    };
    let prompt = prompt(
        "What is the weather in Paris, and what time is it there? Call get_weather and get_time, both at once, now.",
    );
    Request { tools: NAMES.map(tool).to_vec(), ..prompt }
}

/// How many of the functions were called as their schema demands, and what was wrong with the others.
pub(super) fn called(answer: &Answer) -> (usize, Option<String>) {
    let (mut good, mut wrong) = (0, None);
    for call in &answer.tool_calls {
        let arguments: Option<Value> = serde_json::from_str(&call.arguments).ok();
        if !NAMES.contains(&call.name.as_str()) {
            wrong = Some(format!("a call of {}, which was not offered", excerpt(&call.name)));
        } else if arguments.is_some_and(|arguments| arguments["city"].is_string()) {
            good += 1;
        } else {
            wrong = Some(format!("{} with {}", call.name, excerpt(&call.arguments)));
        }
    }
    (good, wrong)
}

/// The calls, for evidence.
pub(super) fn list(answer: &Answer) -> String {
    let calls = answer.tool_calls.iter().map(|call| format!("{}({})", call.name, excerpt(&call.arguments)));
    calls.collect::<Vec<_>>().join(", ")
}

pub(super) struct Tools;

impl Check for Tools {
    fn questions(&self) -> &'static [Question] {
        &[Question::Tools]
    }

    fn sent(&self) -> &'static str {
        "a prompt to call get_weather and get_time"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        match called(answer) {
            (_, Some(wrong)) => no(wrong),
            (0, None) if answer.is_empty() => unknown(answer.said()),
            (0, None) => no(format!("no call, but {}", answer.said())),
            (_, None) => yes(list(answer)),
        }
    }
}
