//! Unified request → message request.

use serde_json::{Value, json};

use crate::adapter::body::{self, arguments_value, filled, given, said};
use crate::adapter::{WireRequest, logprobs, signature};
use crate::chat::{Image, ImageSource, Message, Part, Request, ResponseFormat, Role, Tool, ToolCall, ToolChoice};

/// The format demands a bound. Where the user gives none, this is the number that every current model can write.
pub(super) const DEFAULT_MAX_TOKENS: u64 = 32_000;

/// The fields that hold several settings.
const JOINING: [&str; 2] = ["output_config", "thinking"];

pub(super) fn encode(model: &str, request: &Request) -> WireRequest {
    let effort = request.reasoning_effort.as_deref();
    let output_config = json!({
        "effort": effort.filter(|effort| *effort != "none").map(|effort| match effort {
            "minimal" => "low",
            other => other,
        }),
        "format": request.response_format.as_ref().map(response_format),
    });
    let body = json!({
        "model": model,
        "max_tokens": request.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        "system": system(request),
        "messages": request.messages.iter().filter(|message| message.role != Role::System).filter_map(message).collect::<Vec<_>>(),
        "tools": filled(request.tools.iter().map(tool).collect()),
        "tool_choice": tool_choice(request),
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop_sequences": filled(json!(request.stop)),
        // The format has no such parameters. They are sent all the same, so that the gateway refuses them rather than
        // ignoring them.
        "seed": request.seed,
        "logprobs": request.logprobs.map(|_| true),
        "top_logprobs": logprobs::alternatives(request),
        "thinking": effort.map(|effort| json!({"type": if effort == "none" { "disabled" } else { "adaptive" }})),
        "output_config": filled(output_config),
        "stream": request.stream.then_some(true),
    });
    WireRequest { path: "messages".into(), body: body::encode(body, &request.extra, &JOINING) }
}

/// System messages go into a field of their own, wherever they were said.
fn system(request: &Request) -> Option<Value> {
    let system = request.messages.iter().filter(|message| message.role == Role::System);
    let blocks: Vec<_> = system.flat_map(|message| &message.parts).flat_map(blocks).collect();
    filled(text_alone(blocks))
}

/// `None` for an answer that says nothing. The vendor refuses empty messages, and texts without a letter.
fn message(message: &Message) -> Option<Value> {
    let is_answer = message.role == Role::Assistant;
    let is_blank =
        |block: &Value| block["type"] == "text" && block["text"].as_str().is_none_or(|text| text.trim().is_empty());
    let blocks = said(is_answer, message.parts.iter().flat_map(blocks).collect(), is_blank)?;
    let role = if is_answer { "assistant" } else { "user" };
    Some(json!({"role": role, "content": text_alone(blocks)}))
}

/// Content that is one text is sent as a text, not as a list.
fn text_alone(mut blocks: Vec<Value>) -> Value {
    match &mut blocks[..] {
        [text] if text["type"] == "text" => text["text"].take(),
        _ => blocks.into(),
    }
}

fn blocks(part: &Part) -> Vec<Value> {
    let block = match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image(image) => json!({"type": "image", "source": image_source(image)}),
        Part::File(file) => given(
            json!({"type": "document", "source": base64_source(&file.media_type, &file.base64), "title": file.name}),
        ),
        // No model of the vendor hears recordings; the gateway will say so.
        Part::Audio(audio) => {
            json!({"type": "document", "source": base64_source(&audio.media_type, &audio.base64)})
        }
        Part::Reasoning { text, signature } => return reasoning(text, signature.as_deref()),
        Part::ToolCall(ToolCall { id, name, arguments }) => {
            json!({"type": "tool_use", "id": id, "name": name, "input": arguments_value(arguments)})
        }
        Part::ToolResult { id, content } => json!({"type": "tool_result", "tool_use_id": id, "content": content}),
    };
    vec![block]
}

/// The blocks of reasoning that are sent back. Reasoning without a signature is left out, because the vendor would
/// refuse it and does not need it.
pub(super) fn reasoning(text: &str, signed: Option<&str>) -> Vec<Value> {
    let Some(signed) = signed else { return Vec::new() };
    let (bare, json) = signature::split(signed);
    let is_ours = |block: &Value| block["type"] == "redacted_thinking" || signature::is_further(block);
    let mut others = match json {
        Some(Value::Array(blocks)) if blocks.iter().all(is_ours) => blocks,
        Some(_) => return vec![json!({"type": "thinking", "thinking": text, "signature": signed})],
        None => Vec::new(),
    };
    let mut blocks = Vec::new();
    let first = signature::first_text(text, &others);
    if !bare.is_empty() || !first.is_empty() {
        blocks.push(json!({"type": "thinking", "thinking": first, "signature": bare}));
    }
    for block in &mut others {
        if let Some((text, signature)) = signature::read_further(block) {
            *block = json!({"type": "thinking", "thinking": text, "signature": signature});
        }
    }
    blocks.extend(others);
    blocks
}

fn image_source(image: &Image) -> Value {
    match &image.source {
        ImageSource::Url(url) => json!({"type": "url", "url": url}),
        ImageSource::Data { media_type, base64 } => base64_source(media_type, base64),
    }
}

fn base64_source(media_type: &str, base64: &str) -> Value {
    json!({"type": "base64", "media_type": media_type, "data": base64})
}

fn tool(tool: &Tool) -> Value {
    let anything = json!({"type": "object"});
    given(json!({
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters.as_ref().unwrap_or(&anything),
        "strict": tool.strict,
    }))
}

/// The choice of a tool, which also says whether several may be called at once.
fn tool_choice(request: &Request) -> Option<Value> {
    // Without a choice, only what differs from the usual needs one; without tools, none is allowed.
    let differs = request.parallel_tool_calls == Some(false) && !request.tools.is_empty();
    let usual = differs.then_some(ToolChoice::Auto);
    let mut choice = match request.tool_choice.as_ref().or(usual.as_ref())? {
        ToolChoice::Auto => json!({"type": "auto"}),
        ToolChoice::None => return Some(json!({"type": "none"})),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Tool(name) => json!({"type": "tool", "name": name}),
    };
    if let Some(are_parallel) = request.parallel_tool_calls {
        choice["disable_parallel_tool_use"] = json!(!are_parallel);
    }
    Some(choice)
}

fn response_format(format: &ResponseFormat) -> Value {
    match format {
        // The vendor knows no such format; the gateway will say so.
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { schema, .. } => json!({"type": "json_schema", "schema": schema}),
    }
}
