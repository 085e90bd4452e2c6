//! A request for one answer, in the terms all wire formats share.

use serde_json::{Map, Value};

/// One request to one model. Fields that are `None` or empty are not sent: the model's own default applies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// The model as the gateway calls it.
    pub model: String,
    /// The conversation so far, oldest first; system messages stand where they were said.
    pub messages: Vec<Message>,
    /// Functions the model may call.
    pub tools: Vec<Tool>,
    /// Whether it may, must or must not call one; `None` leaves it to the model.
    pub tool_choice: Option<ToolChoice>,
    /// Upper bound of output tokens, reasoning included.
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    /// Texts at which the model stops.
    pub stop: Vec<String>,
    pub seed: Option<i64>,
    /// `none`, `minimal`, `low`, `medium`, `high` or whatever else the model understands.
    pub reasoning_effort: Option<String>,
    /// The form that the answer must have; `None` is free text.
    pub response_format: Option<ResponseFormat>,
    /// Whether the answer is wanted as a stream of events.
    pub stream: bool,
    /// Further fields of the body, passed on as they are (`-p KEY=JSON`).
    pub extra: Map<String, Value>,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub role: Role,
    pub parts: Vec<Part>,
}

impl Message {
    /// A message that holds nothing but text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())] }
    }
}

/// Who speaks. `developer` messages of OpenAI are system messages here; every gateway takes `system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    System,
    User,
    Assistant,
    /// The results of tool calls.
    Tool,
}

/// One piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Text(String),
    Image(Image),
    File(File),
    Audio(Audio),
    /// What the model thought, with the signature that some vendors demand back on the next turn.
    Reasoning {
        text: String,
        signature: Option<String>,
    },
    /// The model asks for a function; `arguments` is JSON text, kept as it came because it may be cut short.
    ToolCall(ToolCall),
    /// What the function said.
    ToolResult {
        id: String,
        content: String,
    },
}

use super::response::ToolCall;

/// A picture, and how closely to look at it (`low`, `high`, `auto`; OpenAI's word, others ignore it).
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub source: ImageSource,
    pub detail: Option<String>,
}

/// Where a picture is.
#[derive(Debug, Clone, PartialEq)]
pub enum ImageSource {
    Url(String),
    /// Base64 of the file, and its media type (`image/png`).
    Data {
        media_type: String,
        base64: String,
    },
}

/// A document such as a PDF, base64-encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    pub name: Option<String>,
    pub media_type: String,
    pub base64: String,
}

/// A recording, base64-encoded, with its media type (`audio/wav`, `audio/mpeg`).
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    pub media_type: String,
    pub base64: String,
}

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: Option<String>,
    /// JSON Schema of the arguments.
    pub parameters: Option<Value>,
    /// Whether the arguments must follow the schema to the letter; `None` leaves it to the gateway.
    pub strict: Option<bool>,
}

/// Which tools the model may or must call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    None,
    /// At least one, whichever.
    Required,
    /// This one.
    Tool(String),
}

/// The form of the answer.
#[derive(Debug, Clone, PartialEq)]
pub enum ResponseFormat {
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema { name: String, schema: Value, strict: Option<bool> },
}
