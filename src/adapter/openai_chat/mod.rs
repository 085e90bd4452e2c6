//! OpenAI's chat completions, in the dialects of OpenAI and of everybody who copied the format.

mod decode_request;
mod decode_response;
mod encode_request;
mod encode_response;
mod reasoning;
mod usage;

pub(crate) use usage::usage_of;

use super::{
    Adapter, DecodeError, Decoder, Encoder, NamedRequest, OutputBound, Whole, WireRequest, body, openai, output_bound,
    unpriced, whole,
};
use crate::chat::{Request, Response};
use crate::error::Failure;

/// The wire format of `POST …/chat/completions`.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenaiChat;

/// The fields that bound an answer. Some gateways that run models themselves know `best_of`: they write that many
/// answers and return the best.
const BOUNDS: output_bound::Names =
    output_bound::Names { max_tokens: &[&["max_tokens"], &["max_completion_tokens"]], prompts: Some("prompt") };

/// The fields that change no price, besides those of most formats.
const KNOWN: unpriced::Known = unpriced::Known {
    fields: &["function_call", "max_completion_tokens", "prompt", "prompt_cache_retention", "suffix"],
    settings: None,
    prompt: unpriced::Prompt { fields: &["messages"], parts: "content" },
};

/// The same for texts to embed or to continue: pictures beside them are not counted.
const KNOWN_OF_TEXTS: unpriced::Known =
    unpriced::Known { prompt: unpriced::Prompt { fields: &[], parts: "content" }, ..KNOWN };

impl Adapter for OpenaiChat {
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
        let is_of_texts = ["embeddings", "completions"].iter().any(|path| wire.path.starts_with(path));
        if is_of_texts { KNOWN_OF_TEXTS } else { KNOWN }.unpriced_field(&wire.body)
    }

    fn decoder(&self) -> Box<dyn Decoder + Send> {
        Box::new(decode_response::ChatDecoder::default())
    }

    fn decode_response(&self, body: &[u8]) -> Result<Whole, DecodeError> {
        whole::decode(&mut decode_response::ChatDecoder::default(), body, whole::Ends::Closed)
    }

    fn decode_request(&self, _path: &str, body: &[u8]) -> Result<NamedRequest, DecodeError> {
        decode_request::decode(body)
    }

    fn encoder(&self, _path: &str, model: &str, request: &Request) -> Box<dyn Encoder + Send> {
        Box::new(encode_response::ChatEncoder::new(model, request))
    }

    fn encode_response(&self, response: &Response) -> Vec<u8> {
        encode_response::whole(response)
    }

    fn encode_error(&self, failure: &Failure) -> Vec<u8> {
        body::to_vec(&openai::error(failure))
    }
}
