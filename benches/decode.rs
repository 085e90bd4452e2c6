//! How long decoding takes for each streamed token, for each wire format, with nothing else around it. Machines differ, so it is
//! compared with parsing the same JSON into a tree of values, which takes about a microsecond a token.
//!
//! `cargo bench --bench decode`; with `-- --check`, it fails where a token takes longer than the limit.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use onekey::adapter::Api;
use onekey::adapter::stream::{Decoded, Stream};
use onekey::chat::{FinishReason, Request, StreamEvent, Usage};

/// The most time that a token may take, in times of what its JSON takes to parse.
const LIMIT: f64 = 1.0;
const TOKENS: usize = 20_000;
const ROUNDS: usize = 15;
/// Without it, one of the formats streams otherwise.
const QUERY: &str = "?alt=sse";
/// A read from a socket brings about this much.
const CHUNK: usize = 8 * 1024;

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let mut kept = true;
    for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini] {
        let body = stream(api);
        let (mut ours, mut parsed): (Vec<Duration>, Vec<Duration>) =
            (0..ROUNDS).map(|_| (decode(api, &body), parse(&body))).unzip();
        let (ours, parsed) = (median(&mut ours), median(&mut parsed));
        let ratio = ours.as_secs_f64() / parsed.as_secs_f64();
        let within = ratio <= LIMIT;
        kept &= within;
        let per_token = |time: Duration| time.as_nanos() / TOKENS as u128;
        println!(
            "{}  decode {:<18} {:>4} ns a token of {} bytes, parsing its JSON {:>4} ns: {ratio:.2} × (limit {LIMIT:.2} ×)",
            if within { "ok  " } else { "OVER" },
            api.as_str(),
            per_token(ours),
            body.len() / TOKENS,
            per_token(parsed),
        );
    }
    if kept || !check { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A long answer as this format streams it.
fn stream(api: Api) -> Vec<u8> {
    let request = Request { stream: true, ..Request::default() };
    let mut encoder = api.adapter().encoder(QUERY, "vendor/model-1", &request);
    let mut body = Vec::new();
    let start = StreamEvent::Start { id: Some("answer-1".into()), model: Some("vendor/model-1".into()) };
    encoder.encode(&start, &mut body);
    for _ in 0..TOKENS {
        encoder.encode(&StreamEvent::TextDelta(" token".into()), &mut body);
    }
    encoder.encode(&StreamEvent::Finish(FinishReason::Stop), &mut body);
    let usage = Usage { input: Some(5), output: Some(TOKENS as u64), ..Usage::default() };
    encoder.encode(&StreamEvent::Usage(usage), &mut body);
    encoder.finish(&mut body);
    body
}

/// Decodes it as it would arrive; how long that took.
fn decode(api: Api, body: &[u8]) -> Duration {
    let mut decoded = Vec::new();
    let mut length = 0;
    let began = Instant::now();
    let mut stream = Stream::new(api.adapter());
    for chunk in body.chunks(CHUNK) {
        assert!(stream.push(chunk, &mut decoded).is_ok(), "{api:?}: a good stream");
        for event in decoded.drain(..) {
            if let Decoded::Event(StreamEvent::TextDelta(text)) = event {
                length += text.len();
            }
        }
    }
    let took = began.elapsed();
    assert_eq!(length, TOKENS * " token".len(), "{api:?}: the whole answer");
    took
}

/// Parses the JSON of every event into a tree of values; how long that took.
fn parse(body: &[u8]) -> Duration {
    let mut count = 0;
    let began = Instant::now();
    for line in body.split(|byte| *byte == b'\n') {
        let Some(json) = line.strip_prefix(b"data: ") else { continue };
        count += usize::from(serde_json::from_slice::<serde_json::Value>(json).is_ok());
    }
    let took = began.elapsed();
    assert!(count >= TOKENS, "every token is an event");
    took
}
