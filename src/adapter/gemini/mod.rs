//! Google's Gemini, `generateContent` and its stream.

mod decode_request;
mod decode_response;
mod encode_request;
mod encode_response;

pub(super) use decode_request::model_and_method;
pub use encode_request::path;
pub(super) use encode_response::is_list;

use super::{
    Adapter, DecodeError, Decoder, Encoder, NamedRequest, OutputBound, Whole, WireRequest, body, output_bound,
    unpriced, whole,
};
use crate::chat::{Request, Response};
use crate::error::Failure;

/// The wire format of `POST …/models/MODEL:generateContent`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gemini;

/// The fields that bound an answer, in one of their spellings: names are compared as Google reads them.
const BOUNDS: output_bound::Names =
    output_bound::Names { max_tokens: &[&["generationConfig", "maxOutputTokens"]], prompts: None };

/// The fields that change no price, besides those of most formats.
const KNOWN: unpriced::Known = unpriced::Known {
    fields: &["labels", "safetySettings", "systemInstruction", "toolConfig"],
    settings: Some((
        "generationConfig",
        &[
            "candidateCount",
            "enableEnhancedCivicAnswers",
            "frequencyPenalty",
            "logprobs",
            "maxOutputTokens",
            "presencePenalty",
            "responseJsonSchema",
            "responseLogprobs",
            "responseMimeType",
            "responseSchema",
            "seed",
            "stopSequences",
            "temperature",
            "thinkingConfig",
            "topK",
            "topP",
        ],
    )),
    prompt: unpriced::Prompt { fields: &["contents", "systemInstruction", "system_instruction"], parts: "parts" },
};

impl Adapter for Gemini {
    fn auth_headers(&self, key: &str) -> Vec<(&'static str, String)> {
        vec![("x-goog-api-key", key.to_owned())]
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
        Box::new(decode_response::ContentDecoder::default())
    }

    fn decode_response(&self, body: &[u8]) -> Result<Whole, DecodeError> {
        whole::decode(&mut decode_response::ContentDecoder::default(), body, whole::Ends::Told)
    }

    fn decode_request(&self, path: &str, body: &[u8]) -> Result<NamedRequest, DecodeError> {
        decode_request::decode(path, body)
    }

    fn encoder(&self, path: &str, model: &str, _request: &Request) -> Box<dyn Encoder + Send> {
        Box::new(encode_response::ContentEncoder::new(path, model))
    }

    fn encode_response(&self, response: &Response) -> Vec<u8> {
        encode_response::whole(response)
    }

    fn encode_error(&self, failure: &Failure) -> Vec<u8> {
        body::to_vec(&encode_response::error(failure))
    }
}
