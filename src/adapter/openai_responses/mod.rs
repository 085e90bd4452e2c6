//! OpenAI's responses.

mod decode_request;
mod decode_response;
mod encode_request;
mod encode_response;
mod wire;
mod written;

use super::{
    Adapter, DecodeError, Decoder, Encoder, NamedRequest, OutputBound, Whole, WireRequest, body, openai, output_bound,
    unpriced, whole,
};
use crate::chat::{Request, Response};
use crate::error::Failure;

/// The wire format of `POST …/responses`.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenaiResponses;

/// The fields that bound an answer. `n` is not in the format, but some gateways pass it on to a format that has it.
const BOUNDS: output_bound::Names = output_bound::Names { max_tokens: &[&["max_output_tokens"]], prompts: None };

/// The fields that change no price, besides those of most formats. The others bring in what the vendor keeps: a conversation, a
/// prompt.
const KNOWN: unpriced::Known = unpriced::Known {
    fields: &[
        "include",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "prompt_cache_retention",
        "text",
        "truncation",
    ],
    settings: None,
    prompt: unpriced::Prompt { fields: &["input"], parts: "content" },
};

impl Adapter for OpenaiResponses {
    fn auth_headers(&self, key: &str) -> Vec<(&'static str, String)> {
        vec![openai::bearer(key)]
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
        Box::new(decode_response::ResponseDecoder::default())
    }

    fn decode_response(&self, body: &[u8]) -> Result<Whole, DecodeError> {
        whole::decode(&mut decode_response::ResponseDecoder::default(), body, whole::Ends::Closed)
    }

    fn decode_request(&self, _path: &str, body: &[u8]) -> Result<NamedRequest, DecodeError> {
        decode_request::decode(body)
    }

    fn encoder(&self, _path: &str, model: &str, _request: &Request) -> Box<dyn Encoder + Send> {
        Box::new(encode_response::ResponseEncoder::new(model))
    }

    fn encode_response(&self, response: &Response) -> Vec<u8> {
        encode_response::whole(response)
    }

    fn encode_error(&self, failure: &Failure) -> Vec<u8> {
        body::to_vec(&openai::error(failure))
    }
}
