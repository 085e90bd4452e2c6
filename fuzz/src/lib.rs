//! What must hold for all input: nothing panics, and the outcome does not depend on how the bytes are cut.
//!
//! The fuzz targets call these functions with their input. `tests/fuzz.rs` of the main package includes this file and
//! calls them with damaged fixtures.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use onekey::adapter::sse::{FrameError, Parser};
use onekey::adapter::stream::{Decoded, Stream};
use onekey::adapter::{Api, ClientBody, Flow, NamedRequest, Operation, WireRequest, error_body};
use onekey::chat::{Request, Response};
use onekey::config::{Env, Settings};
use onekey::error::Failure;
use onekey::report::escape;
use onekey::{pipeline, template};

/// Reads the input as a stream and a whole answer of this format.
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
    if let Ok(answer) = api.adapter().decode_response(body) {
        served_again(api, answer.response);
    }
}

/// Reads the input as a request of this format. `path` is the end of the address that it was sent to.
pub fn request(api: Api, path: &str, body: &[u8]) {
    client_body(api, body);
    let Ok(named) = api.adapter().decode_request(path, body) else { return };
    let wire = again(api, &named);
    // What we would send can be read as well, and is then sent alike: nothing is lost on the way through.
    let read = api.adapter().decode_request(&wire.path, &wire.body).expect("our own request can be read");
    assert_eq!(again(api, &read).body, wire.body);
    // A gateway of another format gets what all formats have in common.
    let NamedRequest { model, request } = named;
    let common = NamedRequest { model, request: Request { extra: serde_json::Map::new(), ..request } };
    for (other, _) in REQUESTS {
        let wire = again(other, &common);
        other.adapter().decode_request(&wire.path, &wire.body).expect("a translated request can be read");
    }
}

/// Reads the input as a request: its first byte says in which format.
pub fn any_request(input: &[u8]) {
    let Some((first, body)) = input.split_first() else { return };
    let (api, path) = REQUESTS[usize::from(*first) % REQUESTS.len()];
    request(api, path, body);
}

/// The formats of requests, and the end of an address where each is sent.
pub const REQUESTS: [(Api, &str); 4] = [
    (Api::OpenaiChat, "chat/completions"),
    (Api::OpenaiResponses, "responses"),
    (Api::Anthropic, "messages"),
    (Api::Gemini, "models/m:streamGenerateContent?alt=sse"),
];

/// A directory that nothing is read from.
pub const NOWHERE: &str = if cfg!(windows) { r"C:\nowhere" } else { "/nowhere" };

/// Reads the input as a config file. A file that cannot be used is refused with the line of the mistake.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let env = || Env::from_pairs([("LLM_DATA_DIR", NOWHERE), ("XDG_CACHE_HOME", NOWHERE)]);
    let settings = Settings::from_text(env(), Path::new("config.toml"), text);
    let error = match settings.and_then(|settings| pipeline::check(&settings).map(|()| settings)) {
        Ok(settings) => {
            for name in settings.gateway_names() {
                settings.gateway(name).expect("every gateway of a config that was taken is complete");
            }
            return;
        }
        Err(error) => error,
    };
    assert_eq!(error.exit_code(), 3, "{error}");
    let message = error.to_string();
    let line = message.strip_prefix("config.toml:").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
    assert!(line.is_some_and(|line| (1..=text.split('\n').count()).contains(&line)), "{message}");
}

/// Reads the input as the template of a prompt, and fills it in.
pub fn template(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mentioned = template::mentions(text);
    let Ok(needed) = template::needs(text) else { return };
    for name in &needed {
        assert!(mentioned.contains(name.as_str()), "{name} is needed, and not mentioned");
    }
    let values: BTreeMap<_, _> = needed.into_iter().map(|name| (name, "{{ input }}\n<b> ".to_owned())).collect();
    if let Ok(prompt) = template::render(text, &values) {
        assert!(prompt.len() <= 16 << 20, "{} bytes", prompt.len());
    }
}

/// Shows the input in every place where a model's text is shown.
pub fn shown(input: &[u8]) {
    let (size, body) = match input.split_first() {
        Some((first, body)) => (usize::from(*first).max(1), body),
        None => (1, input),
    };
    let text = &*String::from_utf8_lossy(body);
    let harmless = |text: &str| text.chars().all(|c| matches!(c, '\n' | '\t') || !escape::is_unsafe(c));
    let terminal = escape::terminal(text);
    assert!(harmless(&terminal), "{terminal:?}");
    let mut pieces = String::new();
    let mut stream = escape::Stream::default();
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(size).for_each(|piece| stream.push(&String::from_iter(piece), &mut pieces));
    stream.finish(&mut pieces);
    assert_eq!(pieces, terminal, "in pieces of {size}");
    let line = escape::line(text);
    assert!(harmless(&line) && !line.contains(['\n', '\t']), "{line:?}");
    let document = serde_json::to_string(text).expect("a text is JSON");
    let json = escape::json(&document);
    assert!(harmless(&json), "{json:?}");
    assert_eq!(serde_json::from_str::<String>(&json).expect("still JSON"), text);
    let html = escape::html(text);
    assert!(harmless(&html) && !html.contains(['<', '>', '"', '\'']), "{html:?}");
    let fence = escape::markdown_fence(text);
    assert!(!text.contains(&fence), "{fence}");
    assert!(!escape::markdown_line(text).contains(['<', '>', '\n']));
}

/// Takes the input for the body of a client of a server: what is sent on differs in the model alone, and whatever is changed can be
/// read again.
fn client_body(api: Api, body: &[u8]) {
    let read = |model: &str, body: &[u8]| {
        let path = if api == Api::Gemini { format!("models/{model}:generateContent") } else { "path".to_owned() };
        ClientBody::read(api, Operation::Generate, &path, Bytes::copy_from_slice(body))
    };
    let Ok(received) = read("m", body) else { return };
    let sent = received.wire("another").body;
    let again = read("another", &sent).expect("what is sent on can be read");
    assert_eq!(again.model(), "another");
    let value = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body);
    if let Ok(mut expected) = value(body) {
        // Google's own spelling of a model is sent, whichever came.
        if let Some(model) = expected.get_mut("model").filter(|_| api == Api::Gemini) {
            *model = "models/m".into();
        }
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
fn again(api: Api, NamedRequest { model, request }: &NamedRequest) -> WireRequest {
    let wire = api.adapter().encode_request(model, request);
    // A bound can be read whatever the fields hold.
    let _ = api.adapter().output_bound(&wire);
    serde_json::from_slice::<serde_json::Value>(&wire.body).expect("what is sent is JSON");
    wire
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
