//! What OpenAI's two formats have in common: the header of the key, and most of what servers need.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::{Value, json};

use super::DecodeError;
use super::body::malformed;
use super::media::{audio_media_type, parse_data_url};
use crate::chat::{Audio, File, Image, ImageSource, Part, ResponseFormat, Role, Tool, ToolChoice};
use crate::error::{Failure, FailureKind};

/// The header in which OpenAI expects its key.
pub(super) fn bearer(key: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {key}"))
}

/// A failure as OpenAI writes it.
pub(super) fn error(failure: &Failure) -> Value {
    let (kind, code) = words(failure.kind);
    json!({"error": {"message": failure.message, "type": kind, "param": failure.param, "code": code}})
}

/// OpenAI's words for the family of an error and, where it has one, for the error itself.
pub(super) fn words(kind: FailureKind) -> (&'static str, Option<&'static str>) {
    match kind {
        FailureKind::Auth | FailureKind::NoKey => ("authentication_error", Some("invalid_api_key")),
        FailureKind::Credits => ("insufficient_quota", Some("insufficient_quota")),
        FailureKind::NotFound => ("invalid_request_error", Some("model_not_found")),
        FailureKind::InvalidRequest => ("invalid_request_error", None),
        FailureKind::ContextLength => ("invalid_request_error", Some("context_length_exceeded")),
        FailureKind::ContentFilter => ("invalid_request_error", Some("content_filter")),
        FailureKind::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        FailureKind::Unavailable => ("overloaded_error", Some("unavailable")),
        FailureKind::Timeout => ("timeout_error", Some("timeout")),
        kind => ("api_error", Some(kind.as_str())),
    }
}

/// The current time in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

pub(super) fn role(role: &str) -> Result<Role, DecodeError> {
    match role {
        "system" | "developer" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        other => Err(malformed(format!("no message can have the role `{other}`"))),
    }
}

/// A picture, from a URL that either names its address or holds its content.
pub(super) fn image(url: String, detail: Option<String>) -> Part {
    let source = match parse_data_url(&url) {
        Some((media_type, base64)) => ImageSource::Data { media_type: media_type.into(), base64: base64.into() },
        None => ImageSource::Url(url),
    };
    Part::Image(Image { source, detail })
}

/// A file from a data URL. The id of a file that a server keeps is refused.
pub(super) fn file(name: Option<String>, data: Option<&str>) -> Result<Part, DecodeError> {
    let (media_type, base64) = data
        .and_then(parse_data_url)
        .ok_or_else(|| malformed("a file must come with `file_data` as a base64 data URL"))?;
    Ok(Part::File(File { name, media_type: media_type.into(), base64: base64.into() }))
}

/// The content of an `input_audio` part.
#[derive(Debug, Deserialize)]
pub(super) struct InputAudio {
    data: String,
    format: String,
}

impl From<InputAudio> for Part {
    fn from(InputAudio { data, format }: InputAudio) -> Self {
        Part::Audio(Audio { media_type: audio_media_type(&format), base64: data })
    }
}

/// Gives the function that an object of type `function` describes: it is in a field of the object, or the object
/// itself.
pub(super) type FunctionIn = fn(&Value) -> &Value;

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

/// Returns `None` where there are tools other than functions; these are passed on as they are.
pub(super) fn tools(value: &Value, function_in: FunctionIn) -> Option<Vec<Tool>> {
    let tool = |tool: &Value| {
        let function = (tool["type"] == "function").then(|| function_in(tool))?;
        let Function { name, description, parameters, strict } = Function::deserialize(function).ok()?;
        Some(Tool { name, description, parameters, strict })
    };
    value.as_array()?.iter().map(tool).collect()
}

pub(super) fn tool_choice(value: &Value, function_in: FunctionIn) -> Option<ToolChoice> {
    match value {
        Value::String(word) => match word.as_str() {
            "auto" => Some(ToolChoice::Auto),
            "none" => Some(ToolChoice::None),
            "required" => Some(ToolChoice::Required),
            _ => None,
        },
        choice if choice["type"] == "function" => {
            function_in(choice)["name"].as_str().map(|name| ToolChoice::Tool(name.into()))
        }
        _ => None,
    }
}

/// The form of the answer. `schema` is the object that describes the schema; `Some(None)` is free text.
pub(super) fn response_format(value: &Value, schema: &Value) -> Option<Option<ResponseFormat>> {
    Some(match value["type"].as_str()? {
        "text" => None,
        "json_object" => Some(ResponseFormat::JsonObject),
        "json_schema" => Some(ResponseFormat::JsonSchema {
            name: schema["name"].as_str()?.to_owned(),
            schema: schema.get("schema").filter(|schema| !schema.is_null())?.clone(),
            strict: schema["strict"].as_bool(),
        }),
        _ => return None,
    })
}
