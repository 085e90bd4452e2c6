//! Fields inside of a request that a translation leaves out. The decoders of the wire formats read what they know of messages and
//! tools; what else is there is named to the client.

use serde_json::Value;

use crate::adapter::Api;

/// So many are named at most.
const MOST: usize = 20;

/// A place in a request, `*` for every element of an array, and the fields that are read there. Arguments of tools and schemas are
/// sent on whole, and are not listed.
type Place = (&'static str, &'static [&'static str]);

const OPENAI_CHAT: &[Place] = &[
    (
        "messages.*",
        &[
            "role",
            "content",
            "reasoning_content",
            "reasoning",
            "reasoning_details",
            "refusal",
            "tool_calls",
            "tool_call_id",
        ],
    ),
    ("messages.*.content.*", &["type", "text", "refusal", "image_url", "file", "input_audio"]),
    ("messages.*.content.*.image_url", &["url", "detail"]),
    ("messages.*.content.*.file", &["filename", "file_data"]),
    ("messages.*.content.*.input_audio", &["data", "format"]),
    ("messages.*.tool_calls.*", &["id", "type", "index", "function", "extra_content"]),
    ("messages.*.tool_calls.*.function", &["name", "arguments"]),
    ("tools.*", &["type", "function"]),
    ("tools.*.function", &["name", "description", "parameters", "strict"]),
    ("response_format.json_schema", &["name", "schema", "strict"]),
];

const OPENAI_RESPONSES: &[Place] = &[
    (
        "input.*",
        &[
            "type",
            "id",
            "status",
            "role",
            "content",
            "call_id",
            "name",
            "arguments",
            "output",
            "summary",
            "encrypted_content",
        ],
    ),
    (
        "input.*.content.*",
        &[
            "type",
            "text",
            "refusal",
            "image_url",
            "detail",
            "filename",
            "file_data",
            "input_audio",
            "annotations",
            "logprobs",
        ],
    ),
    ("tools.*", &["type", "name", "description", "parameters", "strict"]),
    ("text.format", &["type", "name", "schema", "strict"]),
];

const ANTHROPIC: &[Place] = &[
    ("system.*", &["type", "text"]),
    ("messages.*", &["role", "content"]),
    (
        "messages.*.content.*",
        &[
            "type",
            "text",
            "source",
            "title",
            "thinking",
            "signature",
            "data",
            "id",
            "name",
            "input",
            "tool_use_id",
            "content",
        ],
    ),
    ("messages.*.content.*.source", &["type", "media_type", "data", "url"]),
    ("messages.*.content.*.content.*", &["type", "text", "source", "title"]),
    ("tools.*", &["type", "name", "description", "input_schema", "strict"]),
];

const GEMINI: &[Place] = &[
    ("contents.*", &["role", "parts"]),
    (
        "contents.*.parts.*",
        &[
            "text",
            "thought",
            "thoughtSignature",
            "thought_signature",
            "inlineData",
            "inline_data",
            "fileData",
            "file_data",
            "functionCall",
            "function_call",
            "functionResponse",
            "function_response",
        ],
    ),
    ("contents.*.parts.*.inlineData", &["mimeType", "mime_type", "data"]),
    ("contents.*.parts.*.fileData", &["fileUri", "file_uri", "mimeType", "mime_type"]),
    ("contents.*.parts.*.functionCall", &["id", "name", "args"]),
    ("contents.*.parts.*.functionResponse", &["id", "name", "response", "parts"]),
    ("tools.*.functionDeclarations.*", FUNCTION),
    ("tools.*.function_declarations.*", FUNCTION),
];

const FUNCTION: &[&str] = &["name", "description", "parameters", "parametersJsonSchema", "parameters_json_schema"];

/// The paths of the fields in this body that no translation takes over, such as `messages.0.name`. Fields that are null say nothing.
pub(super) fn ignored(api: Api, body: &[u8]) -> Vec<String> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let places = match api {
        Api::OpenaiChat => OPENAI_CHAT,
        Api::OpenaiResponses => OPENAI_RESPONSES,
        Api::Anthropic => ANTHROPIC,
        Api::Gemini => GEMINI,
    };
    let mut found = Vec::new();
    for (path, known) in places {
        let parts: Vec<&str> = path.split('.').collect();
        walk(&body, &parts, &mut String::new(), known, &mut found);
    }
    found
}

fn walk(value: &Value, path: &[&str], at: &mut String, known: &[&str], found: &mut Vec<String>) {
    let end = at.len();
    let mut step = |name: &str, value: &Value, rest: &[&str], at: &mut String| {
        if !at.is_empty() {
            at.push('.');
        }
        at.push_str(name);
        walk(value, rest, at, known, found);
        at.truncate(end);
    };
    match (path, value) {
        ([], Value::Object(fields)) => {
            let unknown = fields.iter().filter(|(name, value)| !value.is_null() && !known.contains(&&***name));
            for (name, _) in unknown.take(MOST.saturating_sub(found.len())) {
                // It goes into a header.
                let shown: String = name.chars().take(60).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
                found.push(format!("{at}.{shown}"));
            }
        }
        (["*", rest @ ..], Value::Array(items)) => {
            for (place, item) in items.iter().enumerate() {
                step(&place.to_string(), item, rest, at);
            }
        }
        ([name, rest @ ..], Value::Object(fields)) => {
            if let Some(value) = fields.get(*name) {
                step(name, value, rest, at);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_no_translation_takes_over_is_named_and_nothing_else() {
        let found = |api, body: Value| ignored(api, body.to_string().as_bytes()).join(", ");
        let chat = json!({"messages": [
            {"role": "user", "name": "ada", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "x"}}]},
            {"role": "assistant", "content": null, "audio": null, "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"any\": 1}"}}]}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"any": 1}}}]});
        assert_eq!(found(Api::OpenaiChat, chat), "messages.0.name, messages.0.content.0.cache_control");
        let messages = json!({"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "is_error": true,
                "content": [{"type": "text", "text": "t"}]}]}]});
        assert_eq!(found(Api::Anthropic, messages), "system.0.cache_control, messages.0.content.0.is_error");
        let input =
            json!({"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "t"}]}]});
        assert_eq!(found(Api::OpenaiResponses, input), "");
        let contents = json!({"contents": [{"parts": [{"text": "t", "videoMetadata": {"fps": 1}}]}]});
        assert_eq!(found(Api::Gemini, contents), "contents.0.parts.0.videoMetadata");
        let many: Vec<Value> = (0..100).map(|_| json!({"role": "user", "content": "", "name": "n"})).collect();
        assert_eq!(ignored(Api::OpenaiChat, json!({"messages": many}).to_string().as_bytes()).len(), MOST);
    }
}
