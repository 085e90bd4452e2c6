//! Unified request → response request.

use serde_json::{Value, json};

use crate::adapter::body::{self, filled, given};
use crate::adapter::media::{audio_format, data_url};
use crate::adapter::{WireRequest, logprobs, signature};
use crate::chat::{ImageSource, Message, Part, Request, ResponseFormat, Role, Tool, ToolCall, ToolChoice};

/// The fields that hold several settings, in an object or a list.
const JOINING: [&str; 3] = ["include", "reasoning", "text"];

/// The item of `include` that asks for log-probabilities.
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";

pub(super) fn encode(model: &str, request: &Request) -> WireRequest {
    let (instructions, messages) = instructions(&request.messages);
    let body = json!({
        "model": model,
        "instructions": instructions,
        "input": messages.iter().flat_map(items).collect::<Vec<_>>(),
        "tools": filled(request.tools.iter().map(tool).collect()),
        "tool_choice": request.tool_choice.as_ref().map(tool_choice),
        "parallel_tool_calls": request.parallel_tool_calls,
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "include": request.logprobs.map(|_| [LOGPROBS]),
        "top_logprobs": logprobs::alternatives(request),
        // The format has no such parameters. They are sent all the same, so that the gateway refuses them rather than
        // ignoring them.
        "stop": filled(json!(request.stop)),
        "seed": request.seed,
        "reasoning": filled(json!({"effort": request.reasoning_effort})),
        "text": filled(json!({"format": request.response_format.as_ref().map(response_format)})),
        // No request refers to an answer that the vendor keeps, because each brings its whole conversation.
        "store": false,
        "stream": request.stream.then_some(true),
    });
    WireRequest { path: "responses".into(), body: body::encode(body, &request.extra, &JOINING) }
}

/// Splits off the system message that opens the conversation, which goes into a field of its own.
fn instructions(messages: &[Message]) -> (Option<&str>, &[Message]) {
    if let [first, rest @ ..] = messages
        && first.role == Role::System
        && let [Part::Text(text)] = &first.parts[..]
    {
        return (Some(text), rest);
    }
    (None, messages)
}

/// The items of a message, in order: its content is one item, and each call, result and piece of reasoning another.
fn items(message: &Message) -> Vec<Value> {
    let role = match message.role {
        Role::System => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    };
    let mut items = Vec::new();
    let mut content = Vec::new();
    for part in &message.parts {
        let item = match part {
            Part::ToolCall(ToolCall { id, name, arguments }) => {
                json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments})
            }
            Part::ToolResult { id, content } => {
                json!({"type": "function_call_output", "call_id": id, "output": content})
            }
            Part::Reasoning { text, signature: Some(signature) } => {
                items.extend(turn(role, &mut content));
                items.extend(thoughts(text, signature));
                continue;
            }
            // Reasoning without its encrypted form is left out, because the vendor would refuse it and does not need
            // it.
            Part::Reasoning { .. } => continue,
            part => {
                content.extend(content_part(message.role, part));
                continue;
            }
        };
        items.extend(turn(role, &mut content));
        items.push(item);
    }
    items.extend(turn(role, &mut content));
    items
}

/// A message of the content that was collected. Content that is one text is sent as a text.
fn turn(role: &str, content: &mut Vec<Value>) -> Option<Value> {
    let content = match &mut std::mem::take(content)[..] {
        [] => return None,
        [text] if text["text"].is_string() => text["text"].take(),
        parts => parts.to_vec().into(),
    };
    Some(json!({"type": "message", "role": role, "content": content}))
}

fn content_part(role: Role, part: &Part) -> Option<Value> {
    Some(match part {
        Part::Text(text) if role == Role::Assistant => json!({"type": "output_text", "text": text}),
        Part::Text(text) => json!({"type": "input_text", "text": text}),
        Part::Image(image) => {
            let url = match &image.source {
                ImageSource::Url(url) => url.clone(),
                ImageSource::Data { media_type, base64 } => data_url(media_type, base64),
            };
            given(json!({"type": "input_image", "image_url": url, "detail": image.detail}))
        }
        Part::File(file) => {
            let data = data_url(&file.media_type, &file.base64);
            given(json!({"type": "input_file", "filename": file.name, "file_data": data}))
        }
        Part::Audio(audio) => {
            let audio = json!({"data": audio.base64, "format": audio_format(&audio.media_type)});
            json!({"type": "input_audio", "input_audio": audio})
        }
        Part::Reasoning { .. } | Part::ToolCall(_) | Part::ToolResult { .. } => return None,
    })
}

/// The items of reasoning that are sent back, each with its own encrypted form.
fn thoughts(text: &str, signed: &str) -> Vec<Value> {
    let (bare, further) = match signature::split(signed) {
        (bare, Some(Value::Array(blocks))) if blocks.iter().all(signature::is_further) => (bare, blocks),
        _ => (signed, Vec::new()),
    };
    let first = (!bare.is_empty()).then(|| reasoning(None, signature::first_text(text, &further), Some(bare)));
    let others = further.iter().filter_map(signature::read_further);
    first.into_iter().chain(others.map(|(text, signed)| reasoning(None, text, Some(signed)))).collect()
}

/// An item of reasoning: the text that is shown and the encrypted form that is sent back.
pub(super) fn reasoning(id: Option<&str>, text: &str, encrypted: Option<&str>) -> Value {
    let summary = if text.is_empty() { json!([]) } else { json!([{"type": "summary_text", "text": text}]) };
    given(json!({"type": "reasoning", "id": id, "summary": summary, "encrypted_content": encrypted}))
}

fn tool(tool: &Tool) -> Value {
    given(json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }))
}

fn tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => json!({"type": "function", "name": name}),
    }
}

fn response_format(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, schema, strict } => {
            given(json!({"type": "json_schema", "name": name, "schema": schema, "strict": strict}))
        }
    }
}
