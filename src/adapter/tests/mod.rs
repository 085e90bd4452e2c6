//! The laws of translation, which hold for every fixture of every wire format.

mod bodies;
mod fixtures;
mod recorded;
mod requests;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::stream::{Decoded, Stream};
use super::*;
use crate::chat::{FinishReason, Surcharge, ToolCall, Usage};
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
        Ok(whole) => Outcome { failure: whole.complete().err(), response: whole.response, malformed: 0 },
        Err(DecodeError::Failed(failure)) => Outcome { failure: Some(failure), ..Outcome::default() },
        Err(error) => {
            Outcome { failure: Some(Failure::new(FailureKind::Protocol, error.to_string())), ..Outcome::default() }
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
/// log-probabilities. Clients are not told of surcharges.
fn canonical(api: Api, mut response: Response) -> Response {
    (response.usage.cache_write_hour, response.usage.surcharge) = (None, None);
    if api == Api::Gemini {
        response.usage.cost = None;
        response.usage.cache_write = None;
    }
    if api == Api::Anthropic {
        response.logprobs.clear();
        // It demands numbers, so that none is written as 0.
        response.usage.output = response.usage.output.filter(|count| *count > 0);
        response.usage.input = response.usage.input.filter(|count| *count > 0);
        // The text of a later thought stands before its signature in a stream.
        if let Some((bare, Some(Value::Array(blocks)))) = response.reasoning_signature.as_deref().map(signature::split)
        {
            let bare_of =
                |block: &Value| signature::read_further(block).map(|(_, signed)| signature::further("", signed));
            let blocks = blocks.iter().map(|block| bare_of(block).unwrap_or_else(|| block.clone())).collect();
            response.reasoning_signature = signature::join(bare, blocks);
        }
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

#[test]
fn an_answer_in_one_piece_has_no_more_tool_calls_than_a_streamed_one() {
    let call = |n| ToolCall { id: format!("c{n}"), name: "f".into(), arguments: "{}".into() };
    let usage = Usage { input: Some(5), output: Some(9), ..Usage::default() };
    for (api, folder) in APIS {
        let read = |count: usize| {
            let tool_calls = (0..count).map(call).collect();
            let answer = Response { tool_calls, usage, finish: Some(FinishReason::ToolCalls), ..Response::default() };
            api.adapter().decode_response(&api.adapter().encode_response(&answer))
        };
        assert_eq!(
            read(tool_calls::MOST).map(|answer| answer.response.tool_calls.len()),
            Ok(tool_calls::MOST),
            "{folder}"
        );
        // Comparing each with all others would take minutes.
        for count in [tool_calls::MOST + 1, 60_000] {
            let Err(DecodeError::Failed(failure)) = read(count) else { panic!("{folder}: {count} are read") };
            let told = (failure.kind, &*failure.message, failure.usage.as_deref());
            let expected = (FailureKind::Truncated, "the answer has more than 1024 tool calls", Some(&usage));
            assert_eq!(told, expected, "{folder}");
        }
    }
}

#[test]
fn an_answer_tells_what_is_billed_besides_its_tokens() {
    let chat = |tier: &str, more: &str| {
        format!(
            r#"{{"model":"m",{tier}"choices":[{{"index":0,"message":{{"content":"x"{more}}},"finish_reason":"stop"}}],
            "usage":{{"prompt_tokens":1,"completion_tokens":1}}}}"#
        )
    };
    let response = |tier: &str, item: &str| {
        format!(
            r#"{{"object":"response","status":"completed",{tier}"output":[{item}{{"type":"message",
            "content":[{{"type":"output_text","text":"x"}}]}}],"usage":{{"input_tokens":1,"output_tokens":1}}}}"#
        )
    };
    let message = |block: &str| {
        format!(
            r#"{{"type":"message","content":[{block}{{"type":"text","text":"x"}}],"stop_reason":"end_turn",
            "usage":{{"input_tokens":1,"output_tokens":1}}}}"#
        )
    };
    let content = |grounding: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"x"}}]}},"finishReason":"STOP","groundingMetadata":{grounding}}}],
            "usageMetadata":{{"promptTokenCount":1,"candidatesTokenCount":1}}}}"#
        )
    };
    let (none, tier, parts) = (None, Some(Surcharge::Tier), Some(Surcharge::Parts));
    for (api, body, meant) in [
        (Api::OpenaiChat, chat(r#""service_tier":"default","#, r#","annotations":[]"#), none),
        (Api::OpenaiChat, chat(r#""service_tier":null,"#, r#","annotations":null,"executed_tools":null"#), none),
        (Api::OpenaiChat, chat(r#""service_tier":"priority","#, ""), tier),
        (Api::OpenaiChat, chat(r#""service_tier":"priority","#, r#","annotations":[{"type":"url_citation"}]"#), parts),
        (Api::OpenaiChat, chat("", r#","executed_tools":[{"type":"search"}]"#), parts),
        (
            Api::OpenaiChat,
            chat("", r#","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,eA=="}}]"#),
            parts,
        ),
        (Api::OpenaiChat, chat("", r#","audio":{"id":"a","data":"eA==","transcript":"x"}"#), parts),
        (Api::OpenaiChat, chat("", r#","images":[],"audio":null"#), none),
        (
            Api::OpenaiResponses,
            response(r#""service_tier":"default","#, r#"{"type":"reasoning"},{"type":"mcp_call"},"#),
            none,
        ),
        (Api::OpenaiResponses, response(r#""service_tier":"auto","#, r#"{"type":"function_call","name":"f"},"#), none),
        (Api::OpenaiResponses, response(r#""service_tier":"priority","#, ""), tier),
        (Api::OpenaiResponses, response("", r#"{"type":"web_search_call"},"#), parts),
        (Api::OpenaiResponses, response("", r#"{"type":"openrouter:web_search"},"#), parts),
        (Api::Anthropic, message(r#"{"type":"tool_use","id":"1","name":"bash_code_execution","input":{}},"#), none),
        (Api::Anthropic, message(r#"{"type":"server_tool_use","id":"1","name":"web_fetch","input":{}},"#), none),
        (
            Api::Anthropic,
            message(r#"{"type":"server_tool_use","id":"1","name":"bash_code_execution","input":{}},"#),
            parts,
        ),
        (Api::Gemini, content("{}"), none),
        (Api::Gemini, content("null"), none),
        (
            Api::Gemini,
            content(r#"{"groundingChunks":[{"retrievedContext":{}},{"web":{}}],"webSearchQueries":[]}"#),
            none,
        ),
        (Api::Gemini, content(r#"{"webSearchQueries":["a"]}"#), parts),
        (Api::Gemini, content(r#"{"groundingChunks":[{"maps":{"uri":"u"}}]}"#), parts),
    ] {
        let outcome = decode_whole(api, body.as_bytes());
        let usage = outcome.response.usage;
        assert_eq!((usage.input, usage.surcharge), (Some(1), meant), "{body}: {:?}", outcome.failure);
        if api != Api::Anthropic {
            let stream = format!("data: {}\n\n", body.replace(['\n', '\r'], " ").replace("\"message\":", "\"delta\":"));
            let usage = decode_stream(api, [stream.as_bytes()]).response.usage;
            assert_eq!((usage.input, usage.surcharge), (Some(1), meant), "{stream}");
        }
    }
    let items = |end: &str| {
        format!(
            "data: {{\"type\":\"response.output_text.delta\",\"delta\":\"x\"}}\n\n\
             data: {{\"type\":\"response.output_item.done\",\"item\":{{\"type\":\"image_generation_call\"}}}}\n\n\
             data: {{\"type\":\"response.completed\",\"response\":{{\"status\":\"completed\",{end}\
             \"usage\":{{\"input_tokens\":1,\"output_tokens\":1}}}}}}\n\n"
        )
    };
    for stream in [items(""), items("\"output\":[],")] {
        assert_eq!(
            decode_stream(Api::OpenaiResponses, [stream.as_bytes()]).response.usage.surcharge,
            parts,
            "{stream}"
        );
    }
}
