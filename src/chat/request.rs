//! A request for one answer, in terms that all wire formats share.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::response::ToolCall;

/// One request, whichever model it goes to. A field that is `None` or empty is not sent, so that the model's own default
/// applies.
///
/// Its JSON form is our own and serves to keep requests; adapters write the forms that are sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The conversation so far, oldest message first. System messages stand where they were said.
    pub messages: Vec<Message>,
    /// The functions that the model may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Which tools the model may or must call; `None` leaves it to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may call several tools at once; `None` leaves it to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The upper bound of output tokens, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// The sampling temperature, from 0 to 1 or 2 depending on the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The probability mass from which tokens are sampled, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Texts at which the model stops.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// The seed for sampling, which makes answers repeatable where the model supports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Asks for the log-probability of each token of the answer, with this many alternatives to each; 0 asks for the chosen
    /// tokens alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u8>,
    /// `none`, `minimal`, `low`, `medium`, `high` or any other word that the model knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// The form that the answer must have; `None` is free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// Whether the answer is wanted as a stream of events.
    pub stream: bool,
    /// Further fields of the body, which are passed on as they are (`-p KEY=JSON`).
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message that holds nothing but text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())] }
    }
}

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whoever set up the conversation. OpenAI's `developer` is read as this too, since every gateway knows `system`.
    System,
    /// The person who asks.
    User,
    /// The model.
    Assistant,
    /// The results of tool calls.
    Tool,
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Plain text.
    Text(String),
    /// A picture.
    Image(Image),
    /// A document.
    File(File),
    /// A recording.
    Audio(Audio),
    /// The model's reasoning in an earlier turn.
    Reasoning {
        /// The reasoning as it was shown.
        text: String,
        /// The signature without which some vendors refuse the reasoning on the next turn.
        signature: Option<String>,
    },
    /// A call of a function for which the model asked.
    ToolCall(ToolCall),
    /// The result of a tool call.
    ToolResult {
        /// The id of the call.
        id: String,
        /// What the function returned, as text.
        content: String,
    },
}

impl Part {
    /// How long its content is, in bytes.
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Image(Image { source: ImageSource::Url(url), .. }) => url.len(),
            Self::Image(Image { source: ImageSource::Data { base64, .. }, .. }) => base64.len(),
            Self::File(file) => file.base64.len(),
            Self::Audio(audio) => audio.base64.len(),
            Self::Reasoning { text, signature } => text.len() + signature.as_ref().map_or(0, String::len),
            Self::ToolCall(call) => call.arguments.len(),
            Self::ToolResult { content, .. } => content.len(),
        }
    }
}

impl Request {
    /// How long its messages are, with the files in them, in bytes.
    pub fn size(&self) -> usize {
        self.messages.iter().flat_map(|message| &message.parts).map(Part::size).sum()
    }
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Where the picture is.
    pub source: ImageSource,
    /// How closely the model reads it: OpenAI's `low`, `high` or `auto`. Other formats have no such setting.
    pub detail: Option<String>,
}

/// Where a picture is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageSource {
    /// At this address, from which the gateway fetches it.
    Url(String),
    /// In the request itself.
    Data {
        /// The media type, such as `image/png`.
        media_type: String,
        /// The content in base64.
        base64: String,
    },
}

/// A document such as a PDF.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// The name of the file; not every wire format has a field for it.
    pub name: Option<String>,
    /// The media type, such as `application/pdf`.
    pub media_type: String,
    /// The content in base64.
    pub base64: String,
}

/// A recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audio {
    /// The media type: `audio/wav` or `audio/mpeg`.
    pub media_type: String,
    /// The content in base64.
    pub base64: String,
}

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// The name by which the model calls it.
    pub name: String,
    /// What the function does, for the model.
    pub description: Option<String>,
    /// The JSON Schema of the arguments.
    pub parameters: Option<Value>,
    /// Whether the arguments must follow the schema exactly; `None` leaves it to the gateway.
    pub strict: Option<bool>,
}

/// Which tools the model may or must call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// The model must call none.
    None,
    /// The model must call at least one.
    Required,
    /// The model must call the tool of this name.
    Tool(String),
}

/// The form of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// The name of the schema, which some formats demand.
        name: String,
        /// The JSON Schema.
        schema: Value,
        /// Whether the gateway must enforce the schema; `None` leaves it to the gateway.
        strict: Option<bool>,
    },
}
