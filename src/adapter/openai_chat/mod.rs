//! OpenAI's chat completions, as OpenAI and everybody who copied it speak it.

mod answer;
mod decode;
mod encode;
mod reasoning;
mod request;
mod usage;

use super::{Adapter, DecodeError, Decoder, Encoder, WireRequest, body, openai, whole};
use crate::chat::{Request, Response};
use crate::error::Failure;

/// The wire format of `POST …/chat/completions`.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenaiChat;

impl Adapter for OpenaiChat {
    fn auth_headers(&self, key: &str) -> Vec<(&'static str, String)> {
        vec![openai::bearer(key)]
    }

    fn encode_request(&self, request: &Request) -> WireRequest {
        encode::request(request)
    }

    fn decoder(&self) -> Box<dyn Decoder + Send> {
        Box::new(decode::ChatDecoder::default())
    }

    fn decode_response(&self, body: &[u8]) -> Result<Response, DecodeError> {
        whole::decode(&mut decode::ChatDecoder::default(), body)
    }

    fn decode_request(&self, _path: &str, body: &[u8]) -> Result<Request, DecodeError> {
        request::decode(body)
    }

    fn encoder(&self, _path: &str, request: &Request) -> Box<dyn Encoder + Send> {
        Box::new(answer::ChatEncoder::new(request))
    }

    fn encode_response(&self, response: &Response) -> Vec<u8> {
        answer::whole(response)
    }

    fn encode_error(&self, failure: &Failure) -> Vec<u8> {
        body::to_vec(&openai::error(failure))
    }
}
