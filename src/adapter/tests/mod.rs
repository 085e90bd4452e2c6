//! The laws of translation, which hold for every fixture of every wire format.

mod bodies;
mod fixtures;
mod recorded;
mod requests;

use std::path::{Path, PathBuf};

use super::stream::{Decoded, Stream, complete};
use super::*;
use crate::chat::FinishReason;
use crate::error::FailureKind;

/// The queries that make a difference: Gemini streams a list unless the query asks for events.
const QUERIES: [&str; 2] = ["?alt=sse", ""];

/// Every wire format, and the folder of its fixtures.
const APIS: [(Api, &str); 4] = [
    (Api::OpenaiChat, "openai-chat"),
    (Api::OpenaiResponses, "openai-responses"),
    (Api::Anthropic, "anthropic"),
    (Api::Gemini, "gemini"),
];

/// The outcome of decoding an answer.
#[derive(Debug, Clone, PartialEq, Default)]
struct Outcome {
    response: Response,
    malformed: usize,
    failure: Option<Failure>,
}

impl Outcome {
    fn is_ok(&self) -> bool {
        self.failure.is_none()
    }
}

/// Decodes a stream that arrives in these pieces.
fn decode_stream<'a>(api: Api, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut stream = Stream::new(api.adapter());
    let mut out = Vec::new();
    let mut result = Ok(Flow::Continue);
    for piece in pieces {
        result = stream.push(piece, &mut out);
        if result.is_err() {
            break;
        }
    }
    let failure = match result {
        Ok(_) => stream.end(&mut out).err(),
        Err(failure) => Some(failure),
    };
    let mut outcome = Outcome { failure, ..Outcome::default() };
    for decoded in out {
        match decoded {
            Decoded::Event(event) => outcome.response.apply(&event),
            Decoded::Malformed(_) => outcome.malformed += 1,
        }
    }
    outcome
}

/// Decodes an answer that came whole.
fn decode_whole(api: Api, body: &[u8]) -> Outcome {
    match api.adapter().decode_response(body) {
        Ok(response) => {
            let failure = complete(response.finish.as_ref()).err();
            Outcome { response, failure, malformed: 0 }
        }
        Err(DecodeError::Failed(failure)) => Outcome { failure: Some(failure), ..Outcome::default() },
        Err(DecodeError::Malformed(message)) => {
            Outcome { failure: Some(Failure::new(FailureKind::Protocol, message)), ..Outcome::default() }
        }
    }
}

/// The stream that a server of ours would send for this answer. The query is part of the client's request.
fn encode_stream(api: Api, query: &str, response: &Response) -> Vec<u8> {
    let request = Request { stream: true, ..Request::default() };
    let mut encoder = api.adapter().encoder(query, "asked", &request);
    let mut bytes = Vec::new();
    for event in response.clone().into_events() {
        encoder.encode(&event, &mut bytes);
    }
    encoder.finish(&mut bytes);
    bytes
}

/// The answer as far as the wire format can express it. Arguments are JSON, whatever their spacing, and tool calls are
/// a finish reason. Gemini has no fields for costs and for tokens written to a cache, and Anthropic none for
/// log-probabilities.
fn canonical(api: Api, mut response: Response) -> Response {
    if api == Api::Gemini {
        response.usage.cost = None;
        response.usage.cache_write = None;
    }
    if api == Api::Anthropic {
        response.logprobs.clear();
    }
    for call in &mut response.tool_calls {
        call.arguments = body::arguments_value(&call.arguments).to_string();
    }
    if response.finish == Some(FinishReason::Stop) && !response.tool_calls.is_empty() {
        response.finish = Some(FinishReason::ToolCalls);
    }
    response
}

fn manifest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn names_in_configs_read_back() {
    for (api, folder) in APIS {
        assert_eq!(api.as_str(), folder);
        assert_eq!(serde_json::from_value::<Api>(api.as_str().into()).expect("a name"), api);
    }
}

#[test]
fn what_a_decoder_keeps_for_the_end_counts_as_part_of_the_answer() {
    let data = "x".repeat(1 << 20);
    let held = [
        (
            Api::OpenaiChat,
            format!(
                r#"{{"choices":[{{"delta":{{"reasoning_details":[{{"type":"reasoning.encrypted","data":"{data}"}}]}}}}]}}"#
            ),
        ),
        (
            Api::OpenaiChat,
            format!(
                r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":"{data}"}}}}]}}}}]}}"#
            ),
        ),
        (
            Api::Anthropic,
            format!(
                r#"{{"type":"content_block_start","index":0,"content_block":{{"type":"redacted_thinking","data":"{data}"}}}}"#
            ),
        ),
    ];
    for (api, frame) in held {
        let mut stream = Stream::new(api.adapter());
        let mut out = Vec::new();
        let frame = format!("data: {frame}\n\n");
        let ended = (0..20).position(|_| stream.push(frame.as_bytes(), &mut out).is_err());
        assert_eq!(ended, Some(15), "{api:?}: after 16 MiB");
    }
}
