//! The translation: unified requests and events to and from each wire format. Bytes in, values out; no IO.
//!
//! A wire format is a folder beside this file, and its lines in [`Api`]. Each folder has four files: `encode_request` and
//! `decode_response` talk to gateways, `decode_request` and `encode_response` to clients of a server of ours. What is
//! written is literal JSON; what is read is typed and lenient.

#![warn(missing_docs)]

mod anthropic;
mod body;
mod client_body;
pub mod error_body;
mod field_names;
mod frame;
mod gemini;
mod lenient;
mod list;
mod logprobs;
mod mask;
mod media;
mod missing;
mod object;
mod openai;
mod openai_chat;
mod openai_responses;
mod output_bound;
pub(crate) mod signature;
pub mod sse;
mod start;
pub mod stream;
mod surrogates;
mod tool_calls;
mod tree;
mod unpriced;
mod usage;
pub mod verdict;
mod whole;

#[cfg(test)]
mod tests;

pub use client_body::{ClientBody, Operation};
pub use field_names::{is_same_field, may_name_others, names_other_model};
pub use gemini::path as gemini_path;
pub use mask::mask_keys;
pub(crate) use openai_chat::usage_of;
pub use output_bound::{OutputBound, wants_several};
pub(crate) use sse::MAX_EVENT;
pub use unpriced::{asks_for_background, naming_model};
pub use whole::Whole;

use serde::{Deserialize, Serialize};

use crate::chat::{Request, Response, StreamEvent, Usage};
use crate::error::Failure;

/// The wire formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// OpenAI's chat completions, which almost every gateway speaks.
    #[default]
    OpenaiChat,
    /// OpenAI's responses.
    OpenaiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Google's own format for Gemini.
    Gemini,
}

impl Api {
    /// The name used in configs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The translation for this wire format.
    pub fn adapter(self) -> &'static dyn Adapter {
        match self {
            Self::OpenaiChat => &openai_chat::OpenaiChat,
            Self::OpenaiResponses => &openai_responses::OpenaiResponses,
            Self::Anthropic => &anthropic::Anthropic,
            Self::Gemini => &gemini::Gemini,
        }
    }

    /// Whether the answer at this path, errors included, is one JSON list.
    pub(crate) fn is_list(self, path: &str) -> bool {
        self == Self::Gemini && gemini::is_list(path)
    }
}

/// The name of a schema that was received in a format in which schemas have none.
const SCHEMA_NAME: &str = "answer";

/// An HTTP request as plain data: it can be sent again, and a dry run prints it. It never holds the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireRequest {
    /// The path below the gateway's base URL, without a leading slash; it may have a query.
    pub path: String,
    /// The JSON body.
    pub body: Vec<u8>,
}

/// A request as it came in, and the model that it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedRequest {
    /// The model as the client names it.
    pub model: String,
    /// Everything but the model.
    pub request: Request,
}

/// Both directions of one wire format.
pub trait Adapter: Sync {
    /// The names and values of the headers in which the key travels.
    fn auth_headers(&self, key: &str) -> Vec<(&'static str, String)>;
    /// The headers that the format itself demands in every request.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
    /// Unified request to this model → wire request.
    fn encode_request(&self, model: &str, request: &Request) -> WireRequest;
    /// The most that the body of a wire request of this format, as it is sent, lets the model write.
    fn output_bound(&self, wire: &WireRequest) -> OutputBound;
    /// The name of a field in the body of a wire request of this format for which a gateway may bill more than the price of the
    /// model says. `None` where there is no such field.
    fn unpriced_field(&self, wire: &WireRequest) -> Option<String>;
    /// Wire stream → unified events.
    fn decoder(&self) -> Box<dyn Decoder + Send>;
    /// A whole answer that did not come as a stream → unified response.
    ///
    /// # Errors
    /// The body does not follow the format, holds no answer or too much of one, or reports a failure of the gateway without a
    /// part of the answer.
    fn decode_response(&self, body: &[u8]) -> Result<Whole, DecodeError>;
    /// The body of a failed response, or an error in a stream → failure. Every body gives a failure.
    fn decode_error(&self, status: u16, body: &[u8]) -> Failure {
        error_body::decode(status, body)
    }
    /// Wire request → unified request, for servers. Some formats name the model in the path.
    ///
    /// # Errors
    /// The path or the body does not follow the format, or has a part that no unified request can hold.
    fn decode_request(&self, path: &str, body: &[u8]) -> Result<NamedRequest, DecodeError>;
    /// Unified events → wire stream, for servers. The query of the path decides between two forms of stream in some
    /// formats; `model` is the model that the client asked for.
    fn encoder(&self, path: &str, model: &str, request: &Request) -> Box<dyn Encoder + Send>;
    /// Unified response → wire body, for servers.
    fn encode_response(&self, response: &Response) -> Vec<u8>;
    /// Failure → the body of a failed response, for servers.
    fn encode_error(&self, failure: &Failure) -> Vec<u8>;
}

/// Decodes the frames of one stream, in order.
pub trait Decoder {
    /// Appends the events of a frame to `events`. The data of the frame is trimmed, and neither empty nor `[DONE]`.
    ///
    /// # Errors
    /// The frame does not follow the format, or reports a failure of the gateway.
    fn decode(&mut self, frame: &sse::Frame<'_>, events: &mut Vec<StreamEvent>) -> Result<Flow, DecodeError>;
    /// Appends the events that `[DONE]` implies. It ends a stream in every format.
    fn done(&mut self, _events: &mut Vec<StreamEvent>) {}

    /// About how many bytes of the answer are kept here, for events that are told later.
    fn held(&self) -> usize {
        0
    }
}

/// Whether a stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More may follow.
    Continue,
    /// The stream's own terminal event came: nothing that follows belongs to the answer.
    Done,
}

/// Why a frame or a body gave no events.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// It does not follow the format. In a stream, the next frame may be good again.
    #[error("{0}")]
    Malformed(String),
    /// A whole answer follows the format, and nothing is in it but what it took.
    #[error("there is no answer in the body")]
    Empty(Box<Usage>),
    /// It reports an error of the gateway inside of an answer.
    #[error("{0}")]
    Failed(#[from] Failure),
}

/// Encodes one answer as a stream.
pub trait Encoder {
    /// The media type of the stream.
    fn content_type(&self) -> &'static str {
        "text/event-stream"
    }
    /// Takes in that others wrote the beginning of the stream.
    fn follow(&mut self) {}
    /// Appends the bytes of an event to `out`.
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>);
    /// Appends the bytes that end a complete answer.
    fn finish(&mut self, out: &mut Vec<u8>);
    /// Appends the bytes of a failure that came after the answer had begun.
    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>);
}
