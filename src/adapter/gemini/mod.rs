//! Google's Gemini, `generateContent` and its stream.

mod answer;
mod decode;
mod encode;
mod request;

use super::{Adapter, DecodeError, Decoder, Encoder, WireRequest, body, whole};
use crate::chat::{Request, Response};
use crate::error::Failure;

/// The wire format of `POST …/models/MODEL:generateContent`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gemini;

impl Adapter for Gemini {
    fn auth_headers(&self, key: &str) -> Vec<(&'static str, String)> {
        vec![("x-goog-api-key", key.to_owned())]
    }

    fn encode_request(&self, request: &Request) -> WireRequest {
        encode::request(request)
    }

    fn decoder(&self) -> Box<dyn Decoder + Send> {
        Box::new(decode::ContentDecoder::default())
    }

    fn decode_response(&self, body: &[u8]) -> Result<Response, DecodeError> {
        whole::decode(&mut decode::ContentDecoder::default(), body)
    }

    fn decode_request(&self, path: &str, body: &[u8]) -> Result<Request, DecodeError> {
        request::decode(path, body)
    }

    fn encoder(&self, path: &str, request: &Request) -> Box<dyn Encoder + Send> {
        Box::new(answer::ContentEncoder::new(path, request))
    }

    fn encode_response(&self, response: &Response) -> Vec<u8> {
        answer::whole(response)
    }

    fn encode_error(&self, failure: &Failure) -> Vec<u8> {
        body::to_vec(&answer::error(failure))
    }
}
