//! The translation: unified requests and events to and from each wire format. Bytes in, values out; no IO.
//!
//! A wire format is a folder beside this file, and its lines in [`Api`]. Each folder has four files: `encode_request` and
//! `decode_response` talk to gateways, `decode_request` and `encode_response` to clients of a server of ours. What is
//! written is literal JSON; what is read is typed and lenient.

mod anthropic;
mod body;
pub mod error_body;
mod frame;
mod gemini;
mod lenient;
mod list;
mod logprobs;
mod mask;
mod media;
mod openai;
mod openai_chat;
mod openai_responses;
mod output_bound;
mod signature;
pub mod sse;
mod start;
pub mod stream;
mod tool_calls;
mod usage;
mod whole;

#[cfg(test)]
mod tests;

pub use mask::mask_keys;
pub use output_bound::OutputBound;

use serde::{Deserialize, Serialize};

use crate::chat::{Request, Response, StreamEvent};
use crate::error::Failure;

/// The wire formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// OpenAI chat completions, which every gateway speaks.
    #[default]
    OpenaiChat,
    /// OpenAI responses.
    OpenaiResponses,
    /// Anthropic messages.
    Anthropic,
    /// Google Gemini, natively.
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
}

/// What a schema is called that comes from a format in which schemas have no name.
const SCHEMA_NAME: &str = "answer";

/// An HTTP request as plain data: a retry is a clone, a dry run prints it. It never holds the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireRequest {
    /// Path below the gateway's base URL, without a leading slash; may carry a query.
    pub path: String,
    /// The JSON body.
    pub body: Vec<u8>,
}

/// A request as it came in, and the model that it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedRequest {
    /// The model as the client names it.
    pub model: String,
    /// Everything else.
    pub request: Request,
}

/// Both directions of one wire format.
pub trait Adapter: Sync {
    /// The names and values of the headers in which the key travels.
    fn auth_headers(&self, key: &str) -> Vec<(&'static str, String)>;
    /// Headers of the format itself, which every request needs.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
    /// Unified request to this model → wire request.
    fn encode_request(&self, model: &str, request: &Request) -> WireRequest;
    /// What the body of a wire request of this format, as it is sent, lets the model write at most.
    fn output_bound(&self, wire: &WireRequest) -> OutputBound;
    /// Wire stream → unified events.
    fn decoder(&self) -> Box<dyn Decoder + Send>;
    /// A whole answer that did not come as a stream → unified response.
    fn decode_response(&self, body: &[u8]) -> Result<Response, DecodeError>;
    /// The body of a failed response, or an error in a stream → failure. Never fails itself.
    fn decode_error(&self, status: u16, body: &[u8]) -> Failure {
        error_body::decode(status, body)
    }
    /// Wire request → unified request, for servers. The path is for formats that name the model there.
    fn decode_request(&self, path: &str, body: &[u8]) -> Result<NamedRequest, DecodeError>;
    /// Unified events → wire stream, for servers. The path and its query are for formats that have two forms of stream;
    /// `model` is the model that was asked for.
    fn encoder(&self, path: &str, model: &str, request: &Request) -> Box<dyn Encoder + Send>;
    /// Unified response → wire body, for servers.
    fn encode_response(&self, response: &Response) -> Vec<u8>;
    /// Failure → the body of a failed response, for servers.
    fn encode_error(&self, failure: &Failure) -> Vec<u8>;
}

/// Decodes the frames of one stream, in order.
pub trait Decoder {
    /// Appends what the frame holds to `events`. Its data is trimmed and neither empty nor `[DONE]`.
    fn decode(&mut self, frame: &sse::Frame<'_>, events: &mut Vec<StreamEvent>) -> Result<Flow, DecodeError>;
    /// Appends what it means that the stream says `[DONE]`, which is the end of it in every format.
    fn done(&mut self, _events: &mut Vec<StreamEvent>) {}
}

/// Whether a stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// The stream's own terminal event: nothing that follows belongs to the answer.
    Done,
}

/// Why something from the wire gave no events.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// It is not what the format says. In a stream, the next frame may still be good.
    #[error("{0}")]
    Malformed(String),
    /// It is an error that the gateway reports inside of an answer.
    #[error("{0}")]
    Failed(#[from] Failure),
}

/// Encodes one answer as a stream.
pub trait Encoder {
    /// The media type of the stream.
    fn content_type(&self) -> &'static str {
        "text/event-stream"
    }
    /// Appends the bytes that tell of the event to `out`.
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>);
    /// Appends the bytes that end a complete answer.
    fn finish(&mut self, out: &mut Vec<u8>);
    /// Appends the bytes that tell of a failure after the answer began.
    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>);
}
