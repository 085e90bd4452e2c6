//! Unified request → chat completion request.

use serde::Serialize;
use serde_json::Value;

use super::reasoning::Echo;
use crate::adapter::media::{audio_format, data_url};
use crate::adapter::{WireRequest, body};
use crate::chat::{Image, ImageSource, Message, Part, Request, ResponseFormat, Role, Tool, ToolCall, ToolChoice};

#[derive(Debug, Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WireToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<WireFormat<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Debug, Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    /// `null` for an assistant that only called tools.
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireToolCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Parts(Vec<ContentPart<'a>>),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
    File { file: WireFile<'a> },
    InputAudio { input_audio: WireAudio<'a> },
}

#[derive(Debug, Serialize)]
struct ImageUrl<'a> {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct WireFile<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    file_data: String,
}

#[derive(Debug, Serialize)]
struct WireAudio<'a> {
    data: &'a str,
    format: &'a str,
}

#[derive(Debug, Serialize)]
struct WireToolCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: CalledFunction<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Value>,
}

#[derive(Debug, Serialize)]
struct CalledFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Debug, Serialize)]
struct WireTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WireToolChoice<'a> {
    Word(&'static str),
    Function {
        #[serde(rename = "type")]
        kind: &'static str,
        function: Named<'a>,
    },
}

#[derive(Debug, Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: JsonSchema<'a> },
}

#[derive(Debug, Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    schema: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

pub(super) fn request(request: &Request) -> WireRequest {
    let body = Body {
        model: &request.model,
        messages: request.messages.iter().flat_map(messages).collect(),
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: request.tool_choice.as_ref().map(tool_choice),
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        top_p: request.top_p,
        stop: &request.stop,
        seed: request.seed,
        reasoning_effort: request.reasoning_effort.as_deref(),
        response_format: request.response_format.as_ref().map(response_format),
        stream: request.stream,
        // Without it most gateways say nothing of usage in a stream.
        stream_options: request.stream.then_some(StreamOptions { include_usage: true }),
    };
    WireRequest { path: "chat/completions".into(), headers: Vec::new(), body: body::encode(&body, &request.extra) }
}

/// One message, or more where it holds tool results: each of those is a message on this wire.
fn messages(message: &Message) -> Vec<WireMessage<'_>> {
    let mut wire = Vec::new();
    let mut content = Vec::new();
    let mut tool_calls = Vec::new();
    let mut echo = Echo::default();
    for part in &message.parts {
        match part {
            Part::ToolResult { id, content } => wire.push(WireMessage {
                content: Some(Content::Text(content)),
                tool_call_id: Some(id),
                ..WireMessage::new("tool")
            }),
            Part::ToolCall(call) => tool_calls.push(tool_call(call)),
            Part::Reasoning { text, signature } => echo = Echo::new(text, signature.as_deref()),
            Part::Text(text) => content.push(ContentPart::Text { text }),
            Part::Image(image) => content.push(ContentPart::ImageUrl { image_url: image_url(image) }),
            Part::File(file) => content.push(ContentPart::File {
                file: WireFile { filename: file.name.as_deref(), file_data: data_url(&file.media_type, &file.base64) },
            }),
            Part::Audio(audio) => content.push(ContentPart::InputAudio {
                input_audio: WireAudio { data: &audio.base64, format: audio_format(&audio.media_type) },
            }),
        }
    }
    if !wire.is_empty() && content.is_empty() && tool_calls.is_empty() {
        return wire;
    }
    if let Some(first) = tool_calls.first_mut() {
        first.extra_content = echo.extra_content.take();
    }
    let role = match message.role {
        Role::System => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    };
    let content = match content[..] {
        [] if message.role == Role::Assistant => None,
        [ContentPart::Text { text }] => Some(Content::Text(text)),
        _ => Some(Content::Parts(content)),
    };
    wire.push(WireMessage {
        content,
        reasoning_content: echo.reasoning_content,
        reasoning_details: echo.reasoning_details,
        tool_calls,
        ..WireMessage::new(role)
    });
    wire
}

impl WireMessage<'_> {
    fn new(role: &'static str) -> Self {
        Self {
            role,
            content: None,
            reasoning_content: None,
            reasoning_details: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }
}

fn image_url(image: &Image) -> ImageUrl<'_> {
    let url = match &image.source {
        ImageSource::Url(url) => url.clone(),
        ImageSource::Data { media_type, base64 } => data_url(media_type, base64),
    };
    ImageUrl { url, detail: image.detail.as_deref() }
}

fn tool_call(call: &ToolCall) -> WireToolCall<'_> {
    let function = CalledFunction { name: &call.name, arguments: &call.arguments };
    WireToolCall { id: &call.id, kind: "function", function, extra_content: None }
}

fn tool(tool: &Tool) -> WireTool<'_> {
    let function = Function {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters: tool.parameters.as_ref(),
        strict: tool.strict,
    };
    WireTool { kind: "function", function }
}

fn tool_choice(choice: &ToolChoice) -> WireToolChoice<'_> {
    match choice {
        ToolChoice::Auto => WireToolChoice::Word("auto"),
        ToolChoice::None => WireToolChoice::Word("none"),
        ToolChoice::Required => WireToolChoice::Word("required"),
        ToolChoice::Tool(name) => WireToolChoice::Function { kind: "function", function: Named { name } },
    }
}

fn response_format(format: &ResponseFormat) -> WireFormat<'_> {
    match format {
        ResponseFormat::JsonObject => WireFormat::JsonObject,
        ResponseFormat::JsonSchema { name, schema, strict } => {
            WireFormat::JsonSchema { json_schema: JsonSchema { name, schema, strict: *strict } }
        }
    }
}
