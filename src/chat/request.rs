//! A request for one answer, in the terms all wire formats share.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One request, whichever model it goes to. Fields that are `None` or empty are not sent: the model's own default applies.
///
/// As JSON it is our own form, for keeping it; what goes over the wire is the adapters' affair.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The conversation so far, oldest first; system messages stand where they were said.
    pub messages: Vec<Message>,
    /// Functions the model may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Whether it may, must or must not call one; `None` leaves it to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Upper bound of output tokens, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Texts at which the model stops.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Asks for the log-probabilities of the answer's tokens, with so many alternatives to each; 0 is the chosen alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u8>,
    /// `none`, `minimal`, `low`, `medium`, `high` or whatever else the model understands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// The form that the answer must have; `None` is free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// Whether the answer is wanted as a stream of events.
    pub stream: bool,
    /// Further fields of the body, passed on as they are (`-p KEY=JSON`).
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    System,
    User,
    Assistant,
    /// The results of tool calls.
    Tool,
}

/// One piece of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    pub source: ImageSource,
    pub detail: Option<String>,
}

/// Where a picture is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageSource {
    Url(String),
    /// Base64 of the file, and its media type (`image/png`).
    Data {
        media_type: String,
        base64: String,
    },
}

/// A document such as a PDF, base64-encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    pub name: Option<String>,
    pub media_type: String,
    pub base64: String,
}

/// A recording, base64-encoded, with its media type (`audio/wav`, `audio/mpeg`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audio {
    pub media_type: String,
    pub base64: String,
}

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    pub description: Option<String>,
    /// JSON Schema of the arguments.
    pub parameters: Option<Value>,
    /// Whether the arguments must follow the schema to the letter; `None` leaves it to the gateway.
    pub strict: Option<bool>,
}

/// Which tools the model may or must call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    Auto,
    None,
    /// At least one, whichever.
    Required,
    /// This one.
    Tool(String),
}

/// The form of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema { name: String, schema: Value, strict: Option<bool> },
}
