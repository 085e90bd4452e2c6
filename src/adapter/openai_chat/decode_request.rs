//! Chat completion request → unified request, for servers.

use serde::Deserialize;
use serde_json::Value;

use super::reasoning::Echo;
use crate::adapter::body::{Fields, malformed};
use crate::adapter::openai::{self, InputAudio};
use crate::adapter::{DecodeError, NamedRequest, logprobs};
use crate::chat::{Message, Part, Request, Role, ToolCall};

#[derive(Debug, Deserialize)]
struct WireMessage {
    role: String,
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    reasoning_content: Option<String>,
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    reasoning_details: Option<Value>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<WireToolCall>>,
    #[serde(default)]
    tool_call_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart {
    Text { text: String },
    Refusal { refusal: String },
    ImageUrl { image_url: ImageUrl },
    File { file: WireFile },
    InputAudio { input_audio: InputAudio },
}

#[derive(Debug, Deserialize)]
struct ImageUrl {
    url: String,
    #[serde(default)]
    detail: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WireFile {
    #[serde(default)]
    filename: Option<String>,
    #[serde(default)]
    file_data: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WireToolCall {
    #[serde(default)]
    id: String,
    function: CalledFunction,
    #[serde(default)]
    extra_content: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct CalledFunction {
    name: String,
    #[serde(default)]
    arguments: String,
}

/// The object that describes the function of a tool.
const FUNCTION: openai::FunctionIn = |holder| &holder["function"];

pub(super) fn decode(body: &[u8]) -> Result<NamedRequest, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let model = fields.require("model")?;
    let messages = fields.require("messages")?;
    let stream = fields.take("stream")?.unwrap_or(false);
    let old_limit = fields.take("max_tokens")?;
    let max_tokens = fields.take("max_completion_tokens")?.or(old_limit);
    let stop = fields.take_if("stop", |stop| match stop {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Null => Some(Vec::new()),
        texts => serde_json::from_value(texts.clone()).ok(),
    });
    let response_format =
        fields.take_if("response_format", |format| openai::response_format(format, &format["json_schema"]));
    if stream {
        stream_options(&mut fields);
    }
    let logprobs = logprobs::asked(&mut fields, "logprobs", "top_logprobs")?;
    let request = Request {
        messages: read_messages(messages)?,
        tools: fields.take_if("tools", |tools| openai::tools(tools, FUNCTION)).unwrap_or_default(),
        tool_choice: fields.take_if("tool_choice", |choice| openai::tool_choice(choice, FUNCTION)),
        parallel_tool_calls: fields.take("parallel_tool_calls")?,
        max_tokens,
        temperature: fields.take("temperature")?,
        top_p: fields.take("top_p")?,
        stop: stop.unwrap_or_default(),
        seed: fields.take("seed")?,
        logprobs,
        reasoning_effort: fields.take("reasoning_effort")?,
        response_format: response_format.flatten(),
        stream,
        extra: fields.0,
    };
    Ok(NamedRequest { model, request })
}

/// Reads whether the client wants usage in its stream. Every stream that we ask for has usage, so that only a client
/// which does not want it is marked, by `stream_options` among the extra fields.
fn stream_options(fields: &mut Fields) {
    let wanted = serde_json::json!({"include_usage": true});
    let options = fields.0.entry("stream_options").or_insert(Value::Null);
    if *options == wanted {
        fields.0.shift_remove("stream_options");
    } else if options.is_null() {
        *options = serde_json::json!({"include_usage": false});
    }
}

/// Reads the messages. Consecutive tool results become one message.
fn read_messages(wire: Vec<WireMessage>) -> Result<Vec<Message>, DecodeError> {
    let mut messages: Vec<Message> = Vec::with_capacity(wire.len());
    for wire in wire {
        let message = message(wire)?;
        match messages.last_mut() {
            Some(last) if last.role == Role::Tool && message.role == Role::Tool => last.parts.extend(message.parts),
            _ => messages.push(message),
        }
    }
    Ok(messages)
}

fn message(wire: WireMessage) -> Result<Message, DecodeError> {
    let role = match wire.role.as_str() {
        "tool" => return tool_result(wire),
        role => openai::role(role)?,
    };
    let mut parts = Vec::new();
    let mut extra_content = None;
    let mut calls = Vec::new();
    for call in wire.tool_calls.into_iter().flatten() {
        extra_content = extra_content.or(call.extra_content);
        let WireToolCall { id, function: CalledFunction { name, arguments }, .. } = call;
        calls.push(Part::ToolCall(ToolCall { id, name, arguments }));
    }
    let echo = Echo {
        reasoning_content: wire.reasoning_content.or(wire.reasoning),
        reasoning_details: wire.reasoning_details,
        extra_content,
    };
    if echo != Echo::default() {
        let (text, signature) = echo.read();
        parts.push(Part::Reasoning { text, signature });
    }
    match wire.content {
        Some(Content::Text(text)) => parts.push(Part::Text(text)),
        Some(Content::Parts(wire)) => {
            for part in wire {
                parts.push(content_part(part)?);
            }
        }
        None => {}
    }
    parts.extend(wire.refusal.map(Part::Text));
    parts.extend(calls);
    Ok(Message { role, parts })
}

fn tool_result(wire: WireMessage) -> Result<Message, DecodeError> {
    let id = wire.tool_call_id.ok_or_else(|| malformed("a tool message has no `tool_call_id`"))?;
    let mut content = String::new();
    match wire.content {
        Some(Content::Text(text)) => content = text,
        Some(Content::Parts(parts)) => {
            for part in parts {
                let ContentPart::Text { text } = part else {
                    return Err(malformed("a tool message can hold nothing but text"));
                };
                content.push_str(&text);
            }
        }
        None => {}
    }
    Ok(Message { role: Role::Tool, parts: vec![Part::ToolResult { id, content }] })
}

fn content_part(part: ContentPart) -> Result<Part, DecodeError> {
    Ok(match part {
        ContentPart::Text { text } | ContentPart::Refusal { refusal: text } => Part::Text(text),
        ContentPart::ImageUrl { image_url: ImageUrl { url, detail } } => openai::image(url, detail),
        ContentPart::File { file } => openai::file(file.filename, file.file_data.as_deref())?,
        ContentPart::InputAudio { input_audio } => input_audio.into(),
    })
}
