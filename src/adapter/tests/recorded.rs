//! Traffic recorded from real gateways, where it lies beside the project; without it there is nothing to check here.

use std::fs;

use super::*;

/// The wire format of a recorded body, by the path of its URL.
fn api_of(url: &str) -> Option<Api> {
    let apis = [
        ("/chat/completions", Api::OpenaiChat),
        ("/responses", Api::OpenaiResponses),
        ("/messages", Api::Anthropic),
        ("enerateContent", Api::Gemini),
    ];
    apis.into_iter().find(|(path, _)| url.ends_with(path)).map(|(_, api)| api)
}

#[test]
fn recorded_traffic_decodes_however_it_is_cut() {
    let folder = manifest("../shared/wire/recorded");
    let Ok(index) = fs::read_to_string(folder.join("index.tsv")) else { return };
    let mut decoded = 0;
    for line in index.lines().skip(1) {
        let mut columns = line.split('\t');
        let (Some(file), Some(url), Some(status)) = (columns.next(), columns.next(), columns.next()) else {
            panic!("a short line: {line}");
        };
        let Some(api) = api_of(url) else { continue };
        let body = fs::read(folder.join(file)).expect("a recorded body");
        if status != "200" {
            let failure = api.adapter().decode_error(status.parse().expect("a status"), &body);
            assert!(!failure.message.starts_with("the gateway answered"), "{file}: {failure:?}");
            continue;
        }
        let outcome = match file.ends_with(".sse") {
            true => {
                let whole = decode_stream(api, [&body[..]]);
                for size in [1, 7, 1000] {
                    assert_eq!(decode_stream(api, body.chunks(size)), whole, "{file} in pieces of {size}");
                }
                whole
            }
            false => decode_whole(api, &body),
        };
        assert_eq!(outcome.malformed, 0, "{file}");
        let body = String::from_utf8_lossy(&body);
        let may_fail = outcome.response.finish == Some(FinishReason::Length) || body.contains("\"error\":{");
        assert!(outcome.is_ok() || may_fail, "{file}: {:?}", outcome.failure);
        if outcome.is_ok() {
            assert!(outcome.response.usage.output.is_some(), "{file}");
            for (api, _) in APIS {
                let mut response = canonical(api, outcome.response.clone());
                response.id.get_or_insert_with(|| "unnamed".into());
                let served = decode_stream(api, [&encode_stream(api, &response)[..]]);
                assert_eq!(canonical(api, served.response), response, "{file} over {api:?}");
            }
        }
        decoded += 1;
    }
    assert!(decoded > 0);
}
