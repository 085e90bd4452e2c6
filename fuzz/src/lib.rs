//! What must hold for all input: nothing panics, and the outcome does not depend on how the bytes are cut.
//!
//! The fuzz targets call these functions with their input. `tests/fuzz.rs` of the main package includes this file and
//! calls them with damaged fixtures.

use bytes::Bytes;
use onekey::adapter::sse::{FrameError, Parser};
use onekey::adapter::stream::{Decoded, Stream};
use onekey::adapter::{Api, ClientBody, Flow, NamedRequest, Operation, error_body};
use onekey::chat::{Request, Response};
use onekey::error::Failure;

/// Reads the input as a stream, a whole answer and a request of this format.
pub fn api(api: Api, input: &[u8]) {
    // The first byte is the size of the pieces.
    let (size, body) = match input.split_first() {
        Some((first, body)) => (usize::from(*first).max(1), body),
        None => (1, input),
    };
    let whole = decode(api, [body]);
    assert_eq!(decode(api, body.chunks(size)), whole, "in pieces of {size}");
    if let (response, 0, None) = whole {
        served_again(api, response);
    }
    if let Ok(response) = api.adapter().decode_response(body) {
        served_again(api, response);
    }
    client_body(api, body);
    for path in ["", "models/m:generateContent"] {
        if let Ok(named) = api.adapter().decode_request(path, body) {
            again(api, &named);
        }
    }
}

/// Takes the input for the body of a client of a server: what is sent on differs in the model alone, and whatever is changed can be
/// read again.
fn client_body(api: Api, body: &[u8]) {
    let path = if api == Api::Gemini { "models/m:generateContent" } else { "path" };
    let read = |body: &[u8]| ClientBody::read(api, Operation::Generate, path, Bytes::copy_from_slice(body));
    let Ok(received) = read(body) else { return };
    let sent = received.wire("another").body;
    let again = read(&sent).expect("what is sent on can be read");
    if api != Api::Gemini {
        assert_eq!(again.model(), "another");
    }
    let value = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body);
    if let Ok(expected) = value(body) {
        assert_eq!(value(&again.wire(received.model()).body).expect("JSON"), expected, "all but the model stays");
    }
    for changed in [received.with_usage(), received.without(&["id", "model"]), received.renamed("id", "name")] {
        serde_json::from_slice::<&serde_json::value::RawValue>(&changed.wire("m").body).expect("JSON");
    }
}

/// Reads the input as server-sent events.
pub fn sse(input: &[u8]) {
    let (size, body) = match input.split_first() {
        Some((first, body)) => (usize::from(*first).max(1), body),
        None => (1, input),
    };
    assert_eq!(frames(body.chunks(size)), frames([body]), "in pieces of {size}");
}

/// Reads the input as a status and the body of a failed answer.
pub fn error(input: &[u8]) {
    let (status, body) = match input {
        [high, low, body @ ..] => (400 + (u16::from(*high) << 8 | u16::from(*low)) % 200, body),
        _ => (500, input),
    };
    let failure = error_body::decode(status, body);
    assert!(!failure.message.trim().is_empty(), "a failure says something");
    assert!(failure.message.chars().count() <= 700, "and not too much: {}", failure.message.len());
    for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini] {
        let served = api.adapter().encode_error(&failure);
        serde_json::from_slice::<serde_json::Value>(&served).expect("what is served is JSON");
        // A body that we serve can be read again.
        let _ = api.adapter().decode_error(status, &served);
    }
}

fn decode<'a>(api: Api, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Response, usize, Option<Failure>) {
    let mut stream = Stream::new(api.adapter());
    let mut out = Vec::new();
    let mut failure = None;
    for piece in pieces {
        match stream.push(piece, &mut out) {
            Ok(Flow::Continue) => {}
            Ok(Flow::Done) => break,
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    if failure.is_none() {
        failure = stream.end(&mut out).err();
    }
    let mut malformed = 0;
    let mut response = Response::default();
    for decoded in out {
        match decoded {
            Decoded::Event(event) => response.apply(&event),
            Decoded::Malformed(_) => malformed += 1,
        }
    }
    (response, malformed, failure)
}

/// A complete answer is complete, and has the same text, after we have served it.
fn served_again(api: Api, response: Response) {
    let request = Request { stream: true, ..Request::default() };
    let text = response.text.clone();
    for query in ["?alt=sse", ""] {
        let mut encoder = api.adapter().encoder(query, "m", &request);
        let mut bytes = Vec::new();
        for event in response.clone().into_events() {
            encoder.encode(&event, &mut bytes);
        }
        encoder.finish(&mut bytes);
        let (again, malformed, _) = decode(api, [&bytes[..]]);
        assert_eq!((&again.text, malformed), (&text, 0), "what we serve can be read");
    }
}

/// A request that was read can be written again.
fn again(api: Api, NamedRequest { model, request }: &NamedRequest) {
    let wire = api.adapter().encode_request(model, request);
    // A bound can be read whatever the fields hold.
    let _ = api.adapter().output_bound(&wire);
    serde_json::from_slice::<serde_json::Value>(&wire.body).expect("what is sent is JSON");
}

fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Result<(String, String), FrameError>> {
    let mut parser = Parser::new();
    let mut frames = Vec::new();
    for piece in pieces {
        parser.push(piece);
        while let Some(frame) = parser.next() {
            frames.push(frame.map(|frame| (frame.event.to_owned(), frame.data.to_owned())));
        }
    }
    frames.extend(parser.finish().map(|frame| frame.map(|frame| (frame.event.to_owned(), frame.data.to_owned()))));
    frames
}
