//! Anthropic's messages.

mod decode_request;
mod decode_response;
mod encode_request;
mod encode_response;
mod usage;

use super::{
    Adapter, DecodeError, Decoder, Encoder, NamedRequest, OutputBound, Whole, WireRequest, body, openai, output_bound,
    unpriced, whole,
};
use crate::chat::{Request, Response};
use crate::error::Failure;

/// The version of the format that is written and read. Later versions refuse all sampling parameters.
const VERSION: &str = "2023-06-01";

/// The wire format of `POST …/messages`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anthropic;

/// The field that bounds an answer.
const BOUNDS: output_bound::Names = output_bound::Names { max_tokens: &[&["max_tokens"]], prompts: None };

/// The fields that change no price, besides those of most formats.
const KNOWN: unpriced::Known = unpriced::Known {
    fields: &["output_config", "stop_sequences", "system"],
    settings: None,
    prompt: unpriced::Prompt { fields: &["messages", "system"], parts: "content" },
};

impl Adapter for Anthropic {
    /// Anthropic takes its key in either header, and its own libraries have changed from the first to the second. Many
    /// gateways know only one of them.
    fn auth_headers(&self, key: &str) -> Vec<(&'static str, String)> {
        vec![("x-api-key", key.to_owned()), openai::bearer(key)]
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", VERSION)]
    }

    fn encode_request(&self, model: &str, request: &Request) -> WireRequest {
        encode_request::encode(model, request)
    }

    fn output_bound(&self, wire: &WireRequest) -> OutputBound {
        OutputBound::read(&wire.body, &BOUNDS)
    }

    fn unpriced_field(&self, wire: &WireRequest) -> Option<String> {
        KNOWN.unpriced_field(&wire.body)
    }

    fn decoder(&self) -> Box<dyn Decoder + Send> {
        Box::new(decode_response::MessageDecoder::default())
    }

    fn decode_response(&self, body: &[u8]) -> Result<Whole, DecodeError> {
        whole::decode(&mut decode_response::MessageDecoder::default(), body, whole::Ends::Closed)
    }

    fn decode_request(&self, _path: &str, body: &[u8]) -> Result<NamedRequest, DecodeError> {
        decode_request::decode(body)
    }

    fn encoder(&self, _path: &str, model: &str, _request: &Request) -> Box<dyn Encoder + Send> {
        Box::new(encode_response::MessageEncoder::new(model))
    }

    fn encode_response(&self, response: &Response) -> Vec<u8> {
        encode_response::whole(response)
    }

    fn encode_error(&self, failure: &Failure) -> Vec<u8> {
        body::to_vec(&encode_response::error(failure))
    }
}
