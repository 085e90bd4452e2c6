//! Unified request → request for generated content.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use crate::adapter::body::{self, arguments_value, filled, given, said};
use crate::adapter::{WireRequest, logprobs, signature};
use crate::chat::{Image, ImageSource, Message, Part, Request, ResponseFormat, Role, Tool, ToolCall, ToolChoice};

/// The fields that hold several settings.
const JOINING: [&str; 2] = ["generationConfig", "toolConfig"];

/// The characters of a model's name that are escaped in a path. Slashes stay, since gateways know names with slashes; a
/// backslash would be read as one.
// What follows a semicolon is cut off by some servers before they look for `..`.
const NOT_IN_PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'\\').add(b';');
/// The same and the slash, for names that would lead to another path.
const NOT_IN_SEGMENT: &AsciiSet = &NOT_IN_PATH.add(b'/');

pub(super) fn encode(model: &str, request: &Request) -> WireRequest {
    let (mime_type, schema) = match &request.response_format {
        None => (None, None),
        Some(ResponseFormat::JsonObject) => (Some("application/json"), None),
        Some(ResponseFormat::JsonSchema { schema, .. }) => (Some("application/json"), Some(schema)),
    };
    let generation_config = json!({
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "stopSequences": filled(json!(request.stop)),
        "seed": request.seed,
        "responseLogprobs": request.logprobs.map(|_| true),
        "logprobs": logprobs::alternatives(request),
        "thinkingConfig": request.reasoning_effort.as_deref().map(thinking_config),
        "responseMimeType": mime_type,
        "responseJsonSchema": schema,
    });
    let functions: Value = request.tools.iter().map(function).collect();
    let body = json!({
        "systemInstruction": system(request),
        "contents": contents(&request.messages),
        "tools": filled(functions).map(|functions| json!([{"functionDeclarations": functions}])),
        "toolConfig": request.tool_choice.as_ref().map(tool_config),
        "generationConfig": filled(generation_config),
    });
    let method = if request.stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    WireRequest { path: path(model, method), body: body::encode(body, &request.extra, &JOINING) }
}

/// The path of a method of this model; the method may have a query.
pub fn path(model: &str, method: &str) -> String {
    let model = model.strip_prefix("models/").unwrap_or(model);
    let leads_away = model.split('/').any(|part| matches!(part, "." | ".."));
    let model = utf8_percent_encode(model, if leads_away { NOT_IN_SEGMENT } else { NOT_IN_PATH });
    format!("models/{model}:{method}")
}

/// The configuration of reasoning, which is shown only where a request asks for it.
fn thinking_config(effort: &str) -> Value {
    match effort {
        "none" => json!({"thinkingBudget": 0}),
        effort => json!({"thinkingLevel": effort.to_uppercase(), "includeThoughts": true}),
    }
}

/// System messages go into a field of their own, wherever they were said.
fn system(request: &Request) -> Option<Value> {
    let system = request.messages.iter().filter(|message| message.role == Role::System);
    let parts: Value = system.flat_map(|message| &message.parts).filter_map(|part| content_part(part, &[])).collect();
    filled(parts).map(|parts| json!({"parts": parts}))
}

fn contents(messages: &[Message]) -> Vec<Value> {
    let turns = messages.iter().filter(|message| message.role != Role::System);
    turns
        .filter_map(|message| {
            let is_answer = message.role == Role::Assistant;
            let parts = said(is_answer, parts(message, messages), |part| part == &json!({"text": ""}))?;
            let role = if is_answer { "model" } else { "user" };
            Some(json!({"role": role, "parts": parts}))
        })
        .collect()
}

fn parts(message: &Message, conversation: &[Message]) -> Vec<Value> {
    let mut signed = None;
    let mut parts = Vec::new();
    for part in &message.parts {
        if let Part::Reasoning { text, signature } = part {
            signed = signature.as_deref().or(signed);
            if !text.is_empty() {
                parts.push(json!({"text": text, "thought": true}));
            }
            continue;
        }
        parts.extend(content_part(part, conversation));
    }
    let Some(signed) = signed else { return parts };
    let call = parts.iter().position(|part| part.get("functionCall").is_some());
    // Where the text and the first call each have one, both are sent back.
    if let (signed, Some(Value::Array(further))) = signature::split(signed)
        && let Some((_, of_call)) = further.first().and_then(signature::read_further)
    {
        let text = parts.iter().rposition(|part| part["text"].is_string() && part["thought"] != true);
        for (place, signature) in [(call, of_call), (text, signed)] {
            if let Some(place) = place.filter(|_| !signature.is_empty()) {
                parts[place]["thoughtSignature"] = signature.into();
            }
        }
        return parts;
    }
    // The signature belongs to the first call, or else to the last part of the answer.
    let place = call.or(parts.len().checked_sub(1));
    match place {
        Some(place) => parts[place]["thoughtSignature"] = bare(signed).into(),
        None => parts.push(json!({"text": "", "thought": true, "thoughtSignature": bare(signed)})),
    }
    parts
}

/// The signature in the form of this format, also where the OpenAI-compatible endpoint wrapped it.
fn bare(signed: &str) -> String {
    let (_, json) = signature::split(signed);
    let wrapped = json.as_ref().and_then(|json| json["google"]["thought_signature"].as_str());
    wrapped.unwrap_or(signed).to_owned()
}

/// Returns `None` for reasoning, which is no part of its own here.
fn content_part(part: &Part, conversation: &[Message]) -> Option<Value> {
    Some(match part {
        Part::Text(text) => json!({"text": text}),
        Part::Image(Image { source: ImageSource::Url(url), .. }) => json!({"fileData": {"fileUri": url}}),
        Part::Image(Image { source: ImageSource::Data { media_type, base64 }, .. }) => inline(media_type, base64),
        Part::File(file) => inline(&file.media_type, &file.base64),
        Part::Audio(audio) => inline(&audio.media_type, &audio.base64),
        Part::ToolCall(ToolCall { id, name, arguments }) => {
            json!({"functionCall": {"id": id, "name": name, "args": arguments_value(arguments)}})
        }
        Part::ToolResult { id, content } => {
            let response = match serde_json::from_str(content) {
                Ok(object @ Value::Object(_)) => object,
                _ => json!({"result": content}),
            };
            json!({"functionResponse": {"id": id, "name": name_of(id, conversation), "response": response}})
        }
        Part::Reasoning { .. } => return None,
    })
}

/// The name of the function that was called under this id, or the id where no call has it.
fn name_of<'a>(id: &'a str, conversation: &'a [Message]) -> &'a str {
    let parts = conversation.iter().flat_map(|message| &message.parts);
    let call = parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None });
    call.rev().find(|call| call.id == id).map_or(id, |call| &call.name)
}

fn inline(media_type: &str, base64: &str) -> Value {
    json!({"inlineData": {"mimeType": media_type, "data": base64}})
}

fn function(tool: &Tool) -> Value {
    given(json!({"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}))
}

fn tool_config(choice: &ToolChoice) -> Value {
    let config = match choice {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Tool(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    };
    json!({"functionCallingConfig": config})
}
