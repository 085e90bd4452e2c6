//! Unified request → chat completion request.

use serde_json::{Value, json};

use super::reasoning::Echo;
use crate::adapter::body::{self, filled, given};
use crate::adapter::media::{audio_format, data_url};
use crate::adapter::{WireRequest, logprobs};
use crate::chat::{Image, ImageSource, Message, Part, Request, ResponseFormat, Role, Tool, ToolCall, ToolChoice};

pub(super) fn encode(model: &str, request: &Request) -> WireRequest {
    let body = json!({
        "model": model,
        "messages": request.messages.iter().flat_map(messages).collect::<Vec<_>>(),
        "tools": filled(request.tools.iter().map(tool).collect()),
        "tool_choice": request.tool_choice.as_ref().map(tool_choice),
        "parallel_tool_calls": request.parallel_tool_calls,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": filled(json!(request.stop)),
        "seed": request.seed,
        "logprobs": request.logprobs.map(|_| true),
        "top_logprobs": logprobs::alternatives(request),
        "reasoning_effort": request.reasoning_effort,
        "response_format": request.response_format.as_ref().map(response_format),
        "stream": request.stream.then_some(true),
        // Without this most gateways report no usage in a stream.
        "stream_options": request.stream.then(|| json!({"include_usage": true})),
    });
    WireRequest { path: "chat/completions".into(), body: body::encode(body, &request.extra, &[]) }
}

/// The messages that one message becomes: in this format each tool result is a message of its own.
fn messages(message: &Message) -> Vec<Value> {
    let mut wire = Vec::new();
    let mut content = Vec::new();
    let mut tool_calls = Vec::new();
    let mut echo = Echo::default();
    for part in &message.parts {
        match part {
            Part::ToolResult { id, content } => {
                wire.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
            }
            Part::ToolCall(call) => tool_calls.push(tool_call(call)),
            Part::Reasoning { text, signature } => echo = Echo::new(text, signature.as_deref()),
            Part::Text(text) => content.push(json!({"type": "text", "text": text})),
            Part::Image(image) => content.push(json!({"type": "image_url", "image_url": image_url(image)})),
            Part::File(file) => {
                let file = json!({"filename": file.name, "file_data": data_url(&file.media_type, &file.base64)});
                content.push(json!({"type": "file", "file": given(file)}));
            }
            Part::Audio(audio) => {
                let audio = json!({"data": audio.base64, "format": audio_format(&audio.media_type)});
                content.push(json!({"type": "input_audio", "input_audio": audio}));
            }
        }
    }
    if !wire.is_empty() && content.is_empty() && tool_calls.is_empty() {
        return wire;
    }
    if let (Some(extra), Some(first)) = (echo.extra_content, tool_calls.first_mut()) {
        first["extra_content"] = extra;
    }
    let role = match message.role {
        Role::System => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    };
    let mut turn = given(json!({
        "role": role,
        "reasoning_content": echo.reasoning_content,
        "reasoning_details": echo.reasoning_details,
        "tool_calls": filled(tool_calls.into()),
    }));
    turn["content"] = match &mut content[..] {
        [] if message.role == Role::Assistant => Value::Null,
        // Content that is one text is sent as a text, because some gateways know no lists.
        [text] if text["type"] == "text" => text["text"].take(),
        _ => content.into(),
    };
    wire.push(turn);
    wire
}

fn image_url(image: &Image) -> Value {
    let url = match &image.source {
        ImageSource::Url(url) => url.clone(),
        ImageSource::Data { media_type, base64 } => data_url(media_type, base64),
    };
    given(json!({"url": url, "detail": image.detail}))
}

fn tool_call(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

fn tool(tool: &Tool) -> Value {
    let function = json!({
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    });
    json!({"type": "function", "function": given(function)})
}

fn tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

fn response_format(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, schema, strict } => {
            let json_schema = given(json!({"name": name, "schema": schema, "strict": strict}));
            json!({"type": "json_schema", "json_schema": json_schema})
        }
    }
}
