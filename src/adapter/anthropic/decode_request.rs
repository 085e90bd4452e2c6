//! Message request → unified request, for servers.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::adapter::body::{Fields, arguments_text, malformed};
use crate::adapter::{DecodeError, NamedRequest, SCHEMA_NAME, logprobs, signature};
use crate::chat::{
    Audio, File, Image, ImageSource, Message, Part, Request, ResponseFormat, Role, Tool, ToolCall, ToolChoice,
};

#[derive(Debug, Deserialize)]
struct WireMessage {
    role: String,
    content: Content,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    Image {
        source: Source,
    },
    Document {
        source: Source,
        #[serde(default)]
        title: Option<String>,
    },
    Thinking {
        thinking: String,
        #[serde(default)]
        signature: String,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(default)]
        content: Option<Content>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source {
    Base64 { media_type: String, data: String },
    Url { url: String },
}

#[derive(Debug, Deserialize)]
struct WireTool {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    input_schema: Option<Value>,
    #[serde(default)]
    strict: Option<bool>,
}

pub(super) fn decode(body: &[u8]) -> Result<NamedRequest, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let mut messages = Vec::new();
    if let Some(system) = fields.take::<Content>("system")? {
        messages.push(Message { role: Role::System, parts: parts(system)? });
    }
    for message in fields.require::<Vec<WireMessage>>("messages")? {
        read_message(message, &mut messages)?;
    }
    let mut output = fields.open("output_config");
    let mut effort = output.take("effort")?;
    let response_format = output.take_if("format", response_format);
    fields.put_back("output_config", output);
    if effort.is_some() {
        // An effort implies adaptive thinking.
        fields.take_if("thinking", |thinking| (*thinking == json!({"type": "adaptive"})).then_some(()));
    } else {
        let disabled = |thinking: &Value| (thinking["type"] == "disabled").then(|| "none".to_owned());
        effort = fields.take_if("thinking", disabled);
    }
    let logprobs = logprobs::asked(&mut fields, "logprobs", "top_logprobs")?;
    let (tool_choice, parallel_tool_calls) = fields.take_if("tool_choice", tool_choice).unzip();
    let model = fields.require("model")?;
    let request = Request {
        messages,
        tools: fields.take_if("tools", tools).unwrap_or_default(),
        tool_choice,
        parallel_tool_calls: parallel_tool_calls.flatten(),
        max_tokens: fields.take("max_tokens")?,
        temperature: fields.take("temperature")?,
        top_p: fields.take("top_p")?,
        stop: fields.take("stop_sequences")?.unwrap_or_default(),
        seed: fields.take("seed")?,
        logprobs,
        reasoning_effort: effort,
        response_format,
        stream: fields.take("stream")?.unwrap_or(false),
        extra: fields.0,
    };
    Ok(NamedRequest { model, request })
}

/// Reads one message. The tool results in a user's message become a message of their own before the rest.
fn read_message(wire: WireMessage, messages: &mut Vec<Message>) -> Result<(), DecodeError> {
    let role = match wire.role.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => return Err(malformed(format!("no message can have the role `{other}`"))),
    };
    let all = parts(wire.content)?;
    let (results, parts): (Vec<_>, Vec<_>) = all.into_iter().partition(|part| matches!(part, Part::ToolResult { .. }));
    let is_all_results = !results.is_empty() && parts.is_empty();
    if !results.is_empty() {
        messages.push(Message { role: Role::Tool, parts: results });
    }
    if !is_all_results {
        messages.push(Message { role, parts });
    }
    Ok(())
}

fn parts(content: Content) -> Result<Vec<Part>, DecodeError> {
    let blocks = match content {
        Content::Text(text) => return Ok(vec![Part::Text(text)]),
        Content::Blocks(blocks) => blocks,
    };
    let mut parts: Vec<Part> = Vec::with_capacity(blocks.len());
    for block in blocks {
        let part = part(block)?;
        match (parts.last_mut(), part) {
            // Redacted thinking belongs to the thinking before it.
            (
                Some(Part::Reasoning { text, signature: Some(signature) }),
                Part::Reasoning { text: more, signature: Some(redacted) },
            ) if more.is_empty() => {
                *signature = join(signature, &redacted);
                text.push_str(&more);
            }
            (_, part) => parts.push(part),
        }
    }
    Ok(parts)
}

fn join(signed: &str, redacted: &str) -> String {
    let (bare, first) = signature::split(signed);
    let (further, second) = signature::split(redacted);
    let list = |json: Option<Value>| json.and_then(|json| json.as_array().cloned()).unwrap_or_default();
    let mut blocks = list(first);
    // A further thought that nobody may read has its signature alone.
    blocks.extend((!further.is_empty()).then(|| signature::further("", further)));
    blocks.extend(list(second));
    signature::join(bare, blocks).unwrap_or_default()
}

fn part(block: Block) -> Result<Part, DecodeError> {
    Ok(match block {
        Block::Text { text } => Part::Text(text),
        Block::Image { source } => {
            let source = match source {
                Source::Url { url } => ImageSource::Url(url),
                Source::Base64 { media_type, data } => ImageSource::Data { media_type, base64: data },
            };
            Part::Image(Image { source, detail: None })
        }
        Block::Document { source: Source::Base64 { media_type, data }, title } => {
            if media_type.starts_with("audio/") {
                return Ok(Part::Audio(Audio { media_type, base64: data }));
            }
            Part::File(File { name: title, media_type, base64: data })
        }
        Block::Document { .. } => return Err(malformed("a document must come as base64")),
        Block::Thinking { thinking, signature } => {
            Part::Reasoning { text: thinking, signature: Some(signature).filter(|signature| !signature.is_empty()) }
        }
        Block::RedactedThinking { data } => {
            let block = json!({"type": "redacted_thinking", "data": data});
            Part::Reasoning { text: String::new(), signature: signature::join("", vec![block]) }
        }
        Block::ToolUse { id, name, input } => Part::ToolCall(ToolCall { id, name, arguments: arguments_text(input) }),
        Block::ToolResult { tool_use_id, content } => {
            let parts = content.map(parts).transpose()?.unwrap_or_default();
            let text = |part| match part {
                Part::Text(text) => Ok(text),
                _ => Err(malformed("a tool result can hold nothing but text")),
            };
            Part::ToolResult { id: tool_use_id, content: parts.into_iter().map(text).collect::<Result<_, _>>()? }
        }
    })
}

/// Returns `None` where there are tools of the vendor among them; these are passed on as they are.
fn tools(value: &Value) -> Option<Vec<Tool>> {
    let tools: Vec<WireTool> = serde_json::from_value(value.clone()).ok()?;
    let is_ours = |tool: &WireTool| tool.kind.as_deref().is_none_or(|kind| kind == "custom");
    let tool = |WireTool { name, description, input_schema, strict, .. }| Tool {
        name,
        description,
        parameters: input_schema,
        strict,
    };
    tools.iter().all(is_ours).then(|| tools.into_iter().map(tool).collect())
}

/// The choice of a tool, and whether several may be called at once.
fn tool_choice(value: &Value) -> Option<(ToolChoice, Option<bool>)> {
    const KNOWN: [&str; 3] = ["type", "name", "disable_parallel_tool_use"];
    if value.as_object()?.keys().any(|key| !KNOWN.contains(&&**key)) {
        return None;
    }
    let are_parallel = match &value["disable_parallel_tool_use"] {
        Value::Null => None,
        Value::Bool(disabled) => Some(!disabled),
        _ => return None,
    };
    let choice = match value["type"].as_str()? {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Tool(value["name"].as_str()?.to_owned()),
        _ => return None,
    };
    Some((choice, are_parallel))
}

fn response_format(value: &Value) -> Option<ResponseFormat> {
    match value["type"].as_str()? {
        "json_object" => Some(ResponseFormat::JsonObject),
        "json_schema" => {
            let schema = value.get("schema")?.clone();
            Some(ResponseFormat::JsonSchema { name: SCHEMA_NAME.into(), schema, strict: None })
        }
        _ => None,
    }
}
