//! Response request → unified request, for servers.

use serde::Deserialize;
use serde_json::Value;

use super::encode_request::LOGPROBS;
use crate::adapter::body::{Fields, malformed};
use crate::adapter::openai::{self, InputAudio};
use crate::adapter::{DecodeError, NamedRequest};
use crate::chat::{Message, Part, Request, Role, ToolCall};

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Items(Vec<Value>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item {
    Message {
        role: String,
        content: Content,
    },
    FunctionCall {
        call_id: String,
        name: String,
        arguments: String,
    },
    FunctionCallOutput {
        call_id: String,
        output: Content,
    },
    Reasoning {
        #[serde(default)]
        summary: Vec<Thought>,
        #[serde(default)]
        encrypted_content: Option<String>,
    },
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
    #[serde(alias = "output_text", alias = "text")]
    InputText {
        text: String,
    },
    Refusal {
        refusal: String,
    },
    InputImage {
        image_url: String,
        #[serde(default)]
        detail: Option<String>,
    },
    InputFile {
        #[serde(default)]
        filename: Option<String>,
        file_data: String,
    },
    InputAudio {
        input_audio: InputAudio,
    },
}

#[derive(Debug, Deserialize)]
struct Thought {
    text: String,
}

/// The object that describes the function of a tool.
const FUNCTION: openai::FunctionIn = |holder| holder;

pub(super) fn decode(body: &[u8]) -> Result<NamedRequest, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let mut messages = Vec::new();
    if let Some(instructions) = fields.take::<String>("instructions")? {
        messages.push(Message::text(Role::System, instructions));
    }
    match fields.require("input")? {
        Input::Text(text) => messages.push(Message::text(Role::User, text)),
        Input::Items(items) => {
            for item in items {
                read_item(item, &mut messages)?;
            }
        }
    }
    // The vendor keeps answers unless a client forbids it, and our own requests forbid it.
    if fields.0.get("store") == Some(&Value::Bool(false)) {
        fields.0.shift_remove("store");
    } else {
        fields.0.entry("store").or_insert(Value::Null);
    }
    let logprobs = logprobs(&mut fields)?;
    let mut reasoning = fields.open("reasoning");
    let reasoning_effort = reasoning.take("effort")?;
    fields.put_back("reasoning", reasoning);
    let mut text = fields.open("text");
    let response_format = text.take_if("format", |format| openai::response_format(format, format)).flatten();
    fields.put_back("text", text);
    let model = fields.require("model")?;
    let request = Request {
        messages,
        tools: fields.take_if("tools", |tools| openai::tools(tools, FUNCTION)).unwrap_or_default(),
        tool_choice: fields.take_if("tool_choice", |choice| openai::tool_choice(choice, FUNCTION)),
        parallel_tool_calls: fields.take("parallel_tool_calls")?,
        max_tokens: fields.take("max_output_tokens")?,
        temperature: fields.take("temperature")?,
        top_p: fields.take("top_p")?,
        stop: fields.take("stop")?.unwrap_or_default(),
        seed: fields.take("seed")?,
        logprobs,
        reasoning_effort,
        response_format,
        stream: fields.take("stream")?.unwrap_or(false),
        extra: fields.0,
    };
    Ok(NamedRequest { model, request })
}

/// Takes the request for log-probabilities out of `include`; the other items stay.
fn logprobs(fields: &mut Fields) -> Result<Option<u8>, DecodeError> {
    let Some(Value::Array(include)) = fields.0.get_mut("include") else { return Ok(None) };
    let items = include.len();
    include.retain(|item| item != LOGPROBS);
    if include.len() == items {
        return Ok(None);
    }
    if include.is_empty() {
        fields.0.shift_remove("include");
    }
    Ok(Some(fields.take("top_logprobs")?.unwrap_or(0)))
}

/// Adds an item to the message to which it belongs: reasoning, text and calls of the assistant are one message, tool
/// results another.
fn read_item(mut item: Value, messages: &mut Vec<Message>) -> Result<(), DecodeError> {
    // A message in its short form has no type.
    if let Some(fields) = item.as_object_mut() {
        fields.entry("type").or_insert_with(|| "message".into());
    }
    let item = serde_json::from_value(item).map_err(|error| malformed(format!("an item of `input`: {error}")))?;
    let (role, parts) = match item {
        Item::Message { role, content } => (openai::role(&role)?, content_parts(content)?),
        Item::FunctionCall { call_id, name, arguments } => {
            (Role::Assistant, vec![Part::ToolCall(ToolCall { id: call_id, name, arguments })])
        }
        Item::FunctionCallOutput { call_id, output } => {
            (Role::Tool, vec![Part::ToolResult { id: call_id, content: text_of(output)? }])
        }
        Item::Reasoning { summary, encrypted_content } => {
            let thoughts: Vec<_> = summary.into_iter().map(|thought| thought.text).collect();
            (Role::Assistant, vec![Part::Reasoning { text: thoughts.join("\n\n"), signature: encrypted_content }])
        }
    };
    match messages.last_mut() {
        Some(last) if last.role == role && matches!(role, Role::Assistant | Role::Tool) => last.parts.extend(parts),
        _ => messages.push(Message { role, parts }),
    }
    Ok(())
}

fn content_parts(content: Content) -> Result<Vec<Part>, DecodeError> {
    match content {
        Content::Text(text) => Ok(vec![Part::Text(text)]),
        Content::Parts(parts) => parts.into_iter().map(content_part).collect(),
    }
}

fn content_part(part: ContentPart) -> Result<Part, DecodeError> {
    Ok(match part {
        ContentPart::InputText { text } | ContentPart::Refusal { refusal: text } => Part::Text(text),
        ContentPart::InputImage { image_url, detail } => openai::image(image_url, detail),
        ContentPart::InputFile { filename, file_data } => openai::file(filename, Some(&file_data))?,
        ContentPart::InputAudio { input_audio } => input_audio.into(),
    })
}

fn text_of(content: Content) -> Result<String, DecodeError> {
    let text = |part| match part {
        Part::Text(text) => Ok(text),
        _ => Err(malformed("the output of a function can hold nothing but text")),
    };
    content_parts(content)?.into_iter().map(text).collect()
}
