//! Chat completion request → unified request, for servers.

use serde::Deserialize;
use serde_json::Value;

use super::reasoning::Echo;
use crate::adapter::DecodeError;
use crate::adapter::body::{Fields, malformed};
use crate::adapter::media::{audio_media_type, parse_data_url};
use crate::chat::{
    Audio, File, Image, ImageSource, Message, Part, Request, ResponseFormat, Role, Tool, ToolCall, ToolChoice,
};

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
    InputAudio { input_audio: WireAudio },
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
struct WireAudio {
    data: String,
    format: String,
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

#[derive(Debug, Deserialize)]
struct WireTool {
    #[serde(rename = "type")]
    kind: String,
    function: Function,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Value>,
    #[serde(default)]
    strict: Option<bool>,
}

pub(super) fn decode(body: &[u8]) -> Result<Request, DecodeError> {
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
    if stream {
        stream_options(&mut fields);
    }
    Ok(Request {
        model,
        messages: read_messages(messages)?,
        tools: fields.take_if("tools", tools).unwrap_or_default(),
        tool_choice: fields.take_if("tool_choice", tool_choice),
        max_tokens,
        temperature: fields.take("temperature")?,
        top_p: fields.take("top_p")?,
        stop: stop.unwrap_or_default(),
        seed: fields.take("seed")?,
        reasoning_effort: fields.take("reasoning_effort")?,
        response_format: fields.take_if("response_format", response_format).flatten(),
        stream,
        extra: fields.0,
    })
}

/// A client that wants usage in its stream has what every stream of ours asks for; one that does not is marked by
/// `stream_options` among the extra fields.
fn stream_options(fields: &mut Fields) {
    let wanted = serde_json::json!({"include_usage": true});
    let options = fields.0.entry("stream_options").or_insert(Value::Null);
    if *options == wanted {
        fields.0.remove("stream_options");
    } else if options.is_null() {
        *options = serde_json::json!({"include_usage": false});
    }
}

/// The tool results that stand together become one message.
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
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => return tool_result(wire),
        other => return Err(malformed(format!("no message can have the role `{other}`"))),
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
        ContentPart::ImageUrl { image_url: ImageUrl { url, detail } } => {
            let source = match parse_data_url(&url) {
                Some((media_type, base64)) => {
                    ImageSource::Data { media_type: media_type.into(), base64: base64.into() }
                }
                None => ImageSource::Url(url),
            };
            Part::Image(Image { source, detail })
        }
        ContentPart::File { file } => {
            let data = file.file_data.as_deref().and_then(parse_data_url);
            let (media_type, base64) =
                data.ok_or_else(|| malformed("a file must come with `file_data` as a base64 data URL"))?;
            Part::File(File { media_type: media_type.into(), base64: base64.into(), name: file.filename })
        }
        ContentPart::InputAudio { input_audio: WireAudio { data, format } } => {
            Part::Audio(Audio { media_type: audio_media_type(&format), base64: data })
        }
    })
}

/// Nothing if there are other tools than functions: those are passed on as they are.
fn tools(value: &Value) -> Option<Vec<Tool>> {
    let tools: Vec<WireTool> = serde_json::from_value(value.clone()).ok()?;
    let is_all_functions = tools.iter().all(|tool| tool.kind == "function");
    let tool = |WireTool { function: Function { name, description, parameters, strict }, .. }| Tool {
        name,
        description,
        parameters,
        strict,
    };
    is_all_functions.then(|| tools.into_iter().map(tool).collect())
}

fn tool_choice(value: &Value) -> Option<ToolChoice> {
    match value {
        Value::String(word) => match word.as_str() {
            "auto" => Some(ToolChoice::Auto),
            "none" => Some(ToolChoice::None),
            "required" => Some(ToolChoice::Required),
            _ => None,
        },
        choice if choice["type"] == "function" => {
            choice["function"]["name"].as_str().map(|name| ToolChoice::Tool(name.into()))
        }
        _ => None,
    }
}

/// `Some(None)` is free text.
fn response_format(value: &Value) -> Option<Option<ResponseFormat>> {
    match value["type"].as_str()? {
        "text" => Some(None),
        "json_object" => Some(Some(ResponseFormat::JsonObject)),
        "json_schema" => {
            let format = &value["json_schema"];
            let schema = format["schema"].clone();
            let name = format["name"].as_str()?.to_owned();
            (!schema.is_null())
                .then(|| Some(ResponseFormat::JsonSchema { name, schema, strict: format["strict"].as_bool() }))
        }
        _ => None,
    }
}
