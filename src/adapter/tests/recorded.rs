//! Recorded traffic of real gateways, where it lies beside the project; without it nothing is checked here.

use std::fs;
use std::path::Path;

use super::*;

/// The wire format of a path.
fn api_of(path: &str) -> Option<Api> {
    let apis = [
        ("/chat/completions", Api::OpenaiChat),
        ("/responses", Api::OpenaiResponses),
        ("/messages", Api::Anthropic),
        ("enerateContent", Api::Gemini),
        ("enerateContent?alt=sse", Api::Gemini),
    ];
    apis.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, api)| api)
}

/// Checks what must hold for every recorded answer. Returns its outcome.
fn check(name: &str, api: Api, status: u16, is_stream: bool, body: &[u8]) -> Outcome {
    if status != 200 {
        let failure = api.adapter().decode_error(status, body);
        let says_nothing = failure.message.starts_with("the gateway answered");
        assert!(!says_nothing || body.is_empty(), "{name}: {failure:?}");
        return Outcome { failure: Some(failure), ..Outcome::default() };
    }
    let outcome = if is_stream { decode_stream(api, [body]) } else { decode_whole(api, body) };
    if is_stream {
        for size in [1, 7, 1000] {
            assert_eq!(decode_stream(api, body.chunks(size)), outcome, "{name} in pieces of {size}");
        }
    }
    assert_eq!(outcome.malformed, 0, "{name}");
    if outcome.is_ok() {
        for (api, _) in APIS {
            let mut response = canonical(api, outcome.response.clone());
            response.id.get_or_insert_with(|| "unnamed".into());
            response.model.get_or_insert_with(|| "unnamed".into());
            // Calls without an id have one before they are encoded.
            for (place, call) in response.tool_calls.iter_mut().enumerate().filter(|(_, call)| call.id.is_empty()) {
                call.id = format!("call_{place}");
            }
            let served = decode_stream(api, [&encode_stream(api, "?alt=sse", &response)[..]]);
            assert_eq!(canonical(api, served.response), response, "{name} over {api:?}");
        }
    }
    outcome
}

/// Whether a body with status 200 reports something that keeps the answer from being complete.
fn may_fail(outcome: &Outcome, body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    outcome.response.finish == Some(FinishReason::Length)
        || body.contains("\"error\":{")
        || body.contains("\"error\": {")
}

#[test]
fn answers_of_vendors_decode_however_they_are_cut() {
    let folder = manifest("../shared/wire/recorded");
    let Ok(index) = fs::read_to_string(folder.join("index.tsv")) else { return };
    for line in index.lines().skip(1) {
        let columns: Vec<_> = line.split('\t').collect();
        let [file, url, status] = columns[..] else { panic!("a short line: {line}") };
        let Some(api) = api_of(url) else { continue };
        let body = fs::read(folder.join(file)).expect("a recorded body");
        let outcome = check(file, api, status.parse().expect("a status"), file.ends_with(".sse"), &body);
        if status == "200" {
            assert!(outcome.is_ok() || may_fail(&outcome, &body), "{file}: {:?}", outcome.failure);
            assert!(!outcome.is_ok() || outcome.response.usage.output.is_some(), "{file}");
        }
    }
}

#[test]
fn exchanges_with_gateways_decode_however_they_are_cut() {
    let Ok(gateways) = fs::read_dir(manifest("../shared/wire/observed")) else { return };
    for gateway in gateways {
        for file in fs::read_dir(gateway.expect("a folder").path()).expect("a folder") {
            let path = file.expect("a file").path();
            let Some(exchange) = path.to_str().and_then(|path| path.strip_suffix(".request.txt")) else { continue };
            let request = fs::read_to_string(&path).expect("a request");
            let Some(api) = request.split(' ').nth(1).and_then(api_of) else { continue };
            let Some((status, is_stream, body)) = read_http(Path::new(&format!("{exchange}.response.raw"))) else {
                continue;
            };
            let outcome = check(exchange, api, status, is_stream, &body);
            // The models of some of these gateways end at any time, so that only what must never happen is checked.
            let kind = outcome.failure.map(|failure| failure.kind);
            assert_ne!(kind, Some(FailureKind::Protocol), "{exchange}");
        }
    }
}

/// The status, content type and body of a raw HTTP response; `None` where its body is compressed.
fn read_http(path: &Path) -> Option<(u16, bool, Vec<u8>)> {
    let raw = fs::read(path).expect("a response");
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").expect("headers") + 4;
    let head = String::from_utf8_lossy(&raw[..end]).to_ascii_lowercase();
    if head.contains("content-encoding:") {
        return None;
    }
    let status = head.split(' ').nth(1)?.parse().expect("a status");
    let mut rest = &raw[end..];
    let mut body = Vec::new();
    if head.contains("transfer-encoding: chunked") {
        while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
            let size =
                usize::from_str_radix(str::from_utf8(&rest[..line]).expect("a size").trim(), 16).expect("a size");
            let start = line + 2;
            let stop = (start + size).min(rest.len());
            body.extend_from_slice(&rest[start..stop]);
            rest = rest.get(stop + 2..).unwrap_or_default();
        }
    } else {
        body.extend_from_slice(rest);
    }
    Some((status, head.contains("text/event-stream"), body))
}
