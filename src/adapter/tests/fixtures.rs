//! Answers that were written to show one thing each: `answer.sse` or `answer.json`, with their meaning in
//! `expected.json`.

use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::adapter::stream;
use crate::chat::TokenLogprob;

struct Fixture {
    api: Api,
    name: String,
    body: Vec<u8>,
    is_stream: bool,
    expected: Value,
}

fn fixtures() -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for (api, folder) in APIS {
        let folder = manifest("tests/fixtures").join(folder);
        for case in fs::read_dir(&folder).expect("a folder of fixtures") {
            let path = case.expect("a fixture").path();
            let has_events = path.join("answer.sse").exists();
            let body = fs::read(path.join(if has_events { "answer.sse" } else { "answer.json" })).expect("an answer");
            // A JSON list is a stream as well.
            let is_stream = has_events || body.starts_with(b"[");
            let expected = fs::read(path.join("expected.json")).expect("an expectation");
            fixtures.push(Fixture {
                api,
                name: path.display().to_string(),
                body,
                is_stream,
                expected: serde_json::from_slice(&expected).expect("JSON"),
            });
        }
    }
    assert!(fixtures.len() > 20);
    fixtures
}

fn streams() -> impl Iterator<Item = Fixture> {
    fixtures().into_iter().filter(|fixture| fixture.is_stream)
}

/// The outcome as `expected.json` has it, without fields that are empty or unknown.
fn describe(outcome: &Outcome) -> Value {
    let Response { id, model, text, logprobs, reasoning, reasoning_signature, tool_calls, missing, usage, finish } =
        &outcome.response;
    let failure = outcome.failure.as_ref().map(|failure| format!("{}: {failure}", failure.kind.as_str()));
    let cost = usage.cost.map(|cost| cost.to_decimal());
    let usage = json!({
        "input": usage.input, "cache_read": usage.cache_read, "cache_write": usage.cache_write,
        "output": usage.output, "reasoning": usage.reasoning, "cost": cost,
    });
    let all = json!({
        "id": id, "model": model, "text": text, "logprobs": logprobs, "reasoning": reasoning,
        "reasoning_signature": reasoning_signature,
        "tool_calls": tool_calls, "missing": missing, "usage": without_empty(usage), "finish": finish,
        "malformed": Some(outcome.malformed).filter(|count| *count > 0), "failure": failure,
    });
    without_empty(all)
}

fn without_empty(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let is_empty =
        |value: &Value| *value == json!(null) || *value == json!("") || *value == json!([]) || *value == json!({});
    Value::Object(fields.into_iter().filter(|(_, value)| !is_empty(value)).collect())
}

#[test]
fn every_fixture_means_what_it_says() {
    for fixture in fixtures() {
        let outcome = match fixture.is_stream {
            true => decode_stream(fixture.api, [&fixture.body[..]]),
            false => decode_whole(fixture.api, &fixture.body),
        };
        assert_eq!(describe(&outcome), fixture.expected, "{}", fixture.name);
    }
}

#[test]
fn bytes_that_arrive_one_by_one_decode_alike() {
    for fixture in streams() {
        let outcome = decode_stream(fixture.api, fixture.body.chunks(1));
        assert_eq!(outcome, decode_stream(fixture.api, [&fixture.body[..]]), "{}", fixture.name);
    }
}

#[test]
fn a_byte_order_mark_before_an_answer_is_dropped_however_it_is_cut() {
    for fixture in fixtures() {
        let marked = [sse::BOM, &fixture.body].concat();
        if !fixture.is_stream {
            assert_eq!(
                decode_whole(fixture.api, &marked),
                decode_whole(fixture.api, &fixture.body),
                "{}",
                fixture.name
            );
            continue;
        }
        let whole = decode_stream(fixture.api, [&fixture.body[..]]);
        for cut in 0..5 {
            let (first, rest) = marked.split_at(cut);
            assert_eq!(decode_stream(fixture.api, [first, rest]), whole, "{} cut at {cut}", fixture.name);
        }
        assert_eq!(decode_stream(fixture.api, marked.chunks(1)), whole, "{}", fixture.name);
    }
}

#[test]
fn a_stream_cut_anywhere_is_a_failure_unless_the_answer_was_whole() {
    for fixture in streams() {
        let whole = decode_stream(fixture.api, [&fixture.body[..]]);
        for end in 0..fixture.body.len() {
            let cut = decode_stream(fixture.api, [&fixture.body[..end]]);
            if cut.is_ok() {
                let same = |response: &Response| {
                    (
                        response.text.clone(),
                        response.logprobs.clone(),
                        response.reasoning.clone(),
                        response.tool_calls.clone(),
                        response.finish.clone(),
                    )
                };
                assert_eq!(same(&cut.response), same(&whole.response), "{} cut at {end}", fixture.name);
            } else {
                assert!(whole.response.text.starts_with(&cut.response.text), "{} cut at {end}", fixture.name);
                assert!(whole.response.logprobs.starts_with(&cut.response.logprobs), "{} cut at {end}", fixture.name);
            }
        }
    }
}

#[test]
fn a_served_answer_decodes_to_itself() {
    for fixture in fixtures() {
        let response = match fixture.is_stream {
            true => decode_stream(fixture.api, [&fixture.body[..]]).response,
            false => decode_whole(fixture.api, &fixture.body).response,
        };
        let response: Response = response.into_events().into_iter().map(stream::with_id).collect();
        // An answer that broke off is not served, nor one that has no form here.
        if response.finish.is_none() || response.missing.is_some() {
            continue;
        }
        for (api, _) in APIS {
            let response = canonical(api, response.clone());
            for query in QUERIES {
                let served = decode_stream(api, [&encode_stream(api, query, &response)[..]]);
                assert_eq!(canonical(api, served.response), response, "{} streamed over {api:?}{query}", fixture.name);
            }
            let served = decode_whole(api, &api.adapter().encode_response(&response));
            assert_eq!(canonical(api, served.response), response, "{} whole over {api:?}", fixture.name);
        }
    }
}

#[test]
fn a_served_piece_of_text_comes_with_its_log_probabilities() {
    let tokens = vec![TokenLogprob { token: "a".into(), logprob: -0.5, top: Vec::new() }];
    for (api, field, has_any) in [
        (Api::OpenaiChat, "\"logprobs\":{\"content\":[{", true),
        (Api::OpenaiResponses, "\"logprobs\":[{", true),
        (Api::Anthropic, "-0.5", false),
        (Api::Gemini, "\"logprobsResult\":{\"chosenCandidates\":[{", true),
    ] {
        let mut encoder = api.adapter().encoder("?alt=sse", "", &Request::default());
        let mut out = Vec::new();
        encoder.encode(&StreamEvent::Start { id: None, model: None }, &mut out);
        encoder.encode(&StreamEvent::Logprobs(tokens.clone()), &mut out);
        let before = out.len();
        encoder.encode(&StreamEvent::TextDelta("told".into()), &mut out);
        let piece = String::from_utf8_lossy(&out[before..]);
        let lines: Vec<_> = piece.lines().filter(|line| line.contains("\"told\"")).collect();
        assert_eq!((lines.len(), lines[0].contains(field)), (1, has_any), "{api:?}: {piece}");
        // Each token is reported once.
        let before = out.len();
        encoder.encode(&StreamEvent::TextDelta("more".into()), &mut out);
        assert!(!String::from_utf8_lossy(&out[before..]).contains("-0.5"), "{api:?}");
    }
}

#[test]
fn a_served_failure_keeps_its_kind() {
    use FailureKind::*;
    let kinds = [
        (401, Auth),
        (402, Credits),
        (404, NotFound),
        (400, InvalidRequest),
        (400, ContextLength),
        (400, ContentFilter),
        (429, RateLimited),
        (503, Unavailable),
        (500, ServerError),
        (504, Timeout),
    ];
    for (api, _) in APIS {
        let adapter = api.adapter();
        for (status, kind) in kinds {
            let failure = Failure { param: Some("seed".into()), ..Failure::new(kind, "what happened") };
            let read = adapter.decode_error(status, &adapter.encode_error(&failure));
            assert_eq!((read.kind, &*read.message), (kind, "what happened"), "{api:?}");

            for query in QUERIES {
                let mut bytes = Vec::new();
                let mut encoder = adapter.encoder(query, "", &Request::default());
                encoder.encode(&StreamEvent::Start { id: Some("a".into()), model: Some("m".into()) }, &mut bytes);
                encoder.fail(&failure, &mut bytes);
                let read = decode_stream(api, [&bytes[..]]).failure.expect("a failure");
                assert_eq!((read.kind, &*read.message), (kind, "what happened"), "{api:?}{query} streamed");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_cut_of_the_bytes_decodes_alike(cuts in prop::collection::vec(1usize..200, 1..12), mark in any::<bool>()) {
        for fixture in streams() {
            let body = if mark { [sse::BOM, &fixture.body].concat() } else { fixture.body.clone() };
            let mut rest = &body[..];
            let mut pieces = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = later;
            }
            prop_assert_eq!(
                decode_stream(fixture.api, pieces),
                decode_stream(fixture.api, [&fixture.body[..]]),
                "{}",
                fixture.name
            );
        }
    }

    #[test]
    fn damaged_bytes_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), length in 0usize..4) {
        for fixture in fixtures() {
            let mut body = fixture.body;
            let start = at.index(body.len());
            let end = (start + length).min(body.len());
            body.splice(start..end, [byte]);
            decode_stream(fixture.api, [&body[..]]);
            decode_whole(fixture.api, &body);
            fixture.api.adapter().decode_error(400, &body);
        }
    }
}
