//! The answer of a demo model: sentences of the prompt, calls of the tools that the prompt names, or JSON by a schema.

use serde_json::{Value, json};

use super::model::Skill;
use super::{judge, sample};
use crate::chat::{
    Alternative, FinishReason, Message, Part, Request, ResponseFormat, Role, StreamEvent, TokenLogprob, Tool,
    ToolChoice,
};
use crate::words::on_one_line;

/// An answer, token by token.
#[derive(Debug)]
pub(super) struct Reply {
    /// The tokens of its reasoning.
    pub(super) thoughts: Vec<String>,
    /// The pieces of its text or of its tool calls.
    pub(super) pieces: Vec<StreamEvent>,
    /// Why it ends, unless a limit cuts it.
    pub(super) finish: FinishReason,
}

/// What a system message says before the word with which answers are to begin.
const BEGIN_WITH: &str = "Begin every answer with the word ";

/// The answer of this model, which has these skills, to a request.
pub(super) fn to(model: &str, skills: &[Skill], request: &Request) -> Reply {
    let last = request.messages.iter().rev().find(|message| matches!(message.role, Role::User | Role::Tool));
    let prompt = last.map(text).unwrap_or_default();
    let (thought, answer) = words(model, &prompt);
    let thoughts = tokens(&thought).into_iter().map(str::to_owned).collect();
    let mut called = if last.is_some_and(is_results) { Vec::new() } else { called(request, &prompt) };
    if !skills.contains(&Skill::ParallelTools) {
        called.truncate(1);
    }
    if !called.is_empty() {
        // No two calls of a conversation have the same id.
        let earlier = request.messages.iter().flat_map(|message| &message.parts);
        let earlier = earlier.filter(|part| matches!(part, Part::ToolCall(_))).count();
        let pieces = called.into_iter().enumerate().flat_map(|(index, tool)| call(tool, index, earlier)).collect();
        return Reply { thoughts, pieces, finish: FinishReason::ToolCalls };
    }
    let answer = match &request.response_format {
        Some(ResponseFormat::JsonSchema { schema, .. }) if judge::is_judge(model, schema) => {
            judge::verdict(model, &prompt, schema)
        }
        None => worded(answer, skills, request),
        Some(ResponseFormat::JsonObject) => json!({"answer": answer}).to_string(),
        Some(ResponseFormat::JsonSchema { schema, .. }) => sample::of(schema).to_string(),
    };
    let pieces = tokens(&answer).into_iter().map(|token| StreamEvent::TextDelta(token.to_owned())).collect();
    Reply { thoughts, pieces, finish: FinishReason::Stop }
}

/// The text of an answer, after the request's system message, seed and stop texts as far as the model obeys them.
fn worded(mut answer: String, skills: &[Skill], request: &Request) -> String {
    if let Some(seed) = request.seed.filter(|_| skills.contains(&Skill::Seed)) {
        answer = rotated(&answer, seed);
    }
    if skills.contains(&Skill::System) {
        let systems = request.messages.iter().filter(|message| message.role == Role::System).map(text);
        let asked = systems.filter_map(|system| Some(system.split_once(BEGIN_WITH)?.1.to_owned())).next();
        let word = asked.as_deref().and_then(|rest| rest.split(|letter: char| !letter.is_alphanumeric()).next());
        answer = word.map_or(answer.clone(), |word| format!("{word} {answer}"));
    }
    if skills.contains(&Skill::Stop)
        && let Some(end) = request.stop.iter().filter_map(|stop| answer.find(stop.as_str())).min()
    {
        answer.truncate(end);
    }
    answer
}

/// The words of a text, beginning with another one for each seed.
fn rotated(text: &str, seed: i64) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    if let Some(by) = seed.unsigned_abs().checked_rem(words.len() as u64) {
        words.rotate_left(usize::try_from(by).unwrap_or(0));
    }
    words.join(" ")
}

/// The log-probability of the token at this place. The number is invented, and the same for every request.
pub(super) fn logprob(token: &str, place: usize, alternatives: u8) -> TokenLogprob {
    let logprob = -0.125 * (1 + place % 4) as f64;
    let alternative = |rank: u8| Alternative {
        token: if rank == 0 { token.to_owned() } else { format!("{token}?{rank}") },
        logprob: logprob - 2.0 * f64::from(rank),
    };
    TokenLogprob { token: token.to_owned(), logprob, top: (0..alternatives).map(alternative).collect() }
}

/// The number of tokens of a request's texts.
pub(super) fn input_tokens(request: &Request) -> u64 {
    request.messages.iter().map(|message| tokens(&text(message)).len() as u64).sum()
}

fn text(message: &Message) -> String {
    let texts = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::ToolResult { content, .. } => Some(content.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Whether this message holds results of tools, after which the tools are not called again.
fn is_results(message: &Message) -> bool {
    message.parts.iter().any(|part| matches!(part, Part::ToolResult { .. }))
}

/// The tools to call: those that the prompt names. If it names none and the request demands a call, the first tool.
fn called<'a>(request: &'a Request, prompt: &str) -> Vec<&'a Tool> {
    match &request.tool_choice {
        Some(ToolChoice::None) => return Vec::new(),
        Some(ToolChoice::Tool(name)) => return request.tools.iter().filter(|tool| tool.name == *name).collect(),
        Some(ToolChoice::Auto | ToolChoice::Required) | None => {}
    }
    let named: Vec<&Tool> = request.tools.iter().filter(|tool| prompt.contains(&tool.name)).collect();
    let must = request.tool_choice == Some(ToolChoice::Required);
    if named.is_empty() && must { request.tools.iter().take(1).collect() } else { named }
}

fn call(tool: &Tool, index: usize, earlier: usize) -> Vec<StreamEvent> {
    let schema = tool.parameters.clone().unwrap_or_else(|| json!({"type": "object"}));
    let arguments = match sample::of(&schema) {
        object @ Value::Object(_) => object,
        // Arguments must be an object, even if the schema allows something else.
        _ => json!({}),
    };
    let arguments = arguments.to_string();
    let id = format!("call_{}", earlier + index);
    let mut pieces = vec![StreamEvent::ToolCallStart { index, id, name: tool.name.clone() }];
    let split = arguments.split_inclusive([':', ',', ' ']);
    pieces.extend(split.map(|piece| StreamEvent::ToolCallDelta { index, arguments: piece.to_owned() }));
    pieces
}

/// The reasoning and the text of a model's answer to a prompt.
fn words(model: &str, prompt: &str) -> (String, String) {
    let sentences = sentences(material(prompt));
    let first = sentences.first().cloned().unwrap_or_else(|| "There is nothing to go by.".to_owned());
    match model {
        "demo/steady" => (String::new(), sentences.iter().take(2).cloned().collect::<Vec<_>>().join(" ")),
        "demo/thinker" => {
            let words = prompt.split_whitespace().count();
            let thought = format!(
                "{words} words, {} to go by. What comes first usually matters most.",
                plural(sentences.len(), "sentence")
            );
            (thought, format!("In short: {first}"))
        }
        _ => (String::new(), first),
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("{count} {noun}") } else { format!("{count} {noun}s") }
}

/// The prompt without the instruction before a colon, if it has one: `Summarize: …`.
fn material(prompt: &str) -> &str {
    match prompt.split_once(':') {
        Some((instruction, text)) if instruction.split_whitespace().count() <= 4 && !text.trim().is_empty() => text,
        _ => prompt,
    }
}

fn sentences(text: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    for piece in text.split_inclusive(['.', '!', '?', '\n']) {
        let piece = on_one_line(piece);
        let mut letters = piece.chars();
        if let Some(first) = letters.next().filter(|_| piece.chars().any(char::is_alphanumeric)) {
            sentences.push(first.to_uppercase().chain(letters).collect());
        }
    }
    sentences
}

/// The tokens of a text: words with the space before them. Their concatenation is the text.
pub(super) fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(' ') {
        if at > start {
            tokens.push(&text[start..at]);
            start = at;
        }
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Response;

    fn said(request: &Request) -> Response {
        to("demo/quick", &[Skill::ParallelTools], request).pieces.into_iter().collect()
    }

    fn tool(name: &str) -> Tool {
        let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        Tool { name: name.into(), description: None, parameters: Some(parameters), strict: None }
    }

    #[test]
    fn answers_come_from_the_prompt() {
        let said = |name: &str, prompt: &str| words(name, prompt).1;
        assert_eq!(said("demo/quick", "Summarize: the cat sat on the mat. It purred."), "The cat sat on the mat.");
        assert_eq!(said("demo/steady", "the cat sat.\nIt purred. It slept."), "The cat sat. It purred.");
        assert_eq!(said("demo/thinker", "why is the sky blue?"), "In short: Why is the sky blue?");
        assert_eq!(said("demo/quick", "..."), "There is nothing to go by.");
    }

    #[test]
    fn tokens_are_the_text() {
        for text in ["", "a", "a b", " a  b ", "äß 😀 c"] {
            assert_eq!(tokens(text).concat(), text);
        }
    }

    #[test]
    fn the_tools_that_the_prompt_names_are_called_once() {
        let mut request = Request {
            messages: vec![Message::text(Role::User, "Ask weather and clock, please.")],
            tools: vec![tool("weather"), tool("stocks"), tool("clock")],
            ..Request::default()
        };
        let response = said(&request);
        let calls: Vec<_> = response.tool_calls.iter().map(|call| (&*call.id, &*call.name, &*call.arguments)).collect();
        let arguments = r#"{"city":"city"}"#;
        assert_eq!(calls, [("call_0", "weather", arguments), ("call_1", "clock", arguments)]);

        let parts = response.tool_calls.into_iter().map(Part::ToolCall).collect();
        request.messages.push(Message { role: Role::Assistant, parts });
        let result = Part::ToolResult { id: "call_0".into(), content: "it rains.".into() };
        request.messages.push(Message { role: Role::Tool, parts: vec![result] });
        assert_eq!(said(&request).text, "It rains.");
        request.messages.push(Message::text(Role::User, "Ask stocks."));
        assert_eq!(said(&request).tool_calls[0].id, "call_2");
    }

    #[test]
    fn a_model_without_a_skill_ignores_what_would_take_it() {
        let request = Request {
            messages: vec![
                Message::text(Role::System, "Begin every answer with the word Ahoy."),
                Message::text(Role::User, "One two three four."),
            ],
            stop: vec!["four".into()],
            seed: Some(1),
            ..Request::default()
        };
        let said = |skills: &[Skill]| to("demo/quick", skills, &request).pieces.into_iter().collect::<Response>().text;
        assert_eq!(said(&[]), "One two three four.");
        assert_eq!(said(&[Skill::System]), "Ahoy One two three four.");
        assert_eq!(said(&[Skill::Stop]), "One two three ");
        assert_eq!(said(&[Skill::Seed]), "two three four. One");
    }

    #[test]
    fn the_choice_of_tools_is_kept_to() {
        let mut request = Request {
            messages: vec![Message::text(Role::User, "Ask weather.")],
            tools: vec![tool("clock"), tool("weather")],
            ..Request::default()
        };
        let mut called = |choice, prompt: &str| {
            request.tool_choice = Some(choice);
            request.messages = vec![Message::text(Role::User, prompt)];
            said(&request).tool_calls.into_iter().map(|call| call.name).collect::<Vec<_>>()
        };
        assert!(called(ToolChoice::None, "Ask weather.").is_empty());
        assert!(called(ToolChoice::Auto, "Hello.").is_empty());
        assert_eq!(called(ToolChoice::Required, "Hello."), ["clock"]);
        assert_eq!(called(ToolChoice::Required, "Ask weather."), ["weather"]);
        assert_eq!(called(ToolChoice::Tool("weather".into()), "Hello."), ["weather"]);
    }
}
