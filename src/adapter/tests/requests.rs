//! Requests survive the way over each wire and back.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::chat::*;

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "Hé 😀", "line\nline", "\"quoted\"", "<think>"]).prop_map(str::to_owned)
}

fn id() -> impl Strategy<Value = String> {
    "[a-z]{1,6}"
}

fn base64() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["QUJD", "AA=="]).prop_map(str::to_owned)
}

fn image() -> impl Strategy<Value = Part> {
    let source = prop_oneof![
        Just(ImageSource::Url("https://example.com/a.png".into())),
        base64().prop_map(|base64| ImageSource::Data { media_type: "image/png".into(), base64 }),
    ];
    source.prop_map(|source| Part::Image(Image { source, detail: None }))
}

fn user() -> impl Strategy<Value = Message> {
    let part = prop_oneof![
        text().prop_map(Part::Text),
        image(),
        base64().prop_map(|base64| Part::File(File {
            name: Some("a.pdf".into()),
            media_type: "application/pdf".into(),
            base64
        })),
    ];
    prop::collection::vec(part, 1..4).prop_map(|parts| Message { role: Role::User, parts })
}

fn tool_call() -> impl Strategy<Value = ToolCall> {
    (id(), id(), prop::sample::select(vec![r#"{"a":1}"#, "{}"])).prop_map(|(id, name, arguments)| ToolCall {
        id,
        name,
        arguments: arguments.into(),
    })
}

/// Reasoning, then text, then tool calls: the order that every wire can tell.
fn assistant() -> impl Strategy<Value = Message> {
    let reasoning = prop::option::of((text(), Just(Some("c2ln".to_owned()))));
    let parts = (reasoning, prop::option::of(text()), prop::collection::vec(tool_call(), 0..3));
    parts.prop_map(|(reasoning, text, calls)| {
        let mut parts: Vec<Part> = Vec::new();
        parts.extend(reasoning.map(|(text, signature)| Part::Reasoning { text, signature }));
        parts.extend(text.map(Part::Text));
        parts.extend(calls.into_iter().map(Part::ToolCall));
        if parts.is_empty() {
            parts.push(Part::Text("ok".into()));
        }
        Message { role: Role::Assistant, parts }
    })
}

fn results() -> impl Strategy<Value = Message> {
    let result = (id(), text()).prop_map(|(id, content)| Part::ToolResult { id, content });
    prop::collection::vec(result, 1..3).prop_map(|parts| Message { role: Role::Tool, parts })
}

/// A conversation in the order that every wire can tell: the system first, then turns.
fn conversation() -> impl Strategy<Value = Vec<Message>> {
    let system = prop::option::of(text().prop_map(|text| Message::text(Role::System, text)));
    (system, user(), prop::collection::vec((assistant(), results(), user()), 0..3)).prop_map(
        |(system, first, turns)| {
            let mut messages: Vec<Message> = system.into_iter().collect();
            messages.push(first);
            for (assistant, results, user) in turns {
                let calls_tools = assistant.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
                messages.push(assistant);
                messages.push(if calls_tools { results } else { user });
            }
            messages
        },
    )
}

fn tool() -> impl Strategy<Value = Tool> {
    (id(), prop::option::of(text())).prop_map(|(name, description)| Tool {
        name,
        description,
        parameters: Some(json!({"type": "object"})),
        strict: None,
    })
}

fn request() -> impl Strategy<Value = Request> {
    let choice = prop::option::of(prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        id().prop_map(ToolChoice::Tool),
    ]);
    let format =
        Just(ResponseFormat::JsonSchema { name: "answer".into(), schema: json!({"type": "object"}), strict: None });
    (
        conversation(),
        prop::collection::vec(tool(), 0..3),
        choice,
        (
            1u64..10_000,
            prop::option::of((0..200).prop_map(|hundredths| f64::from(hundredths) / 100.0)),
            prop::option::of(Just(0.9)),
        ),
        prop::collection::vec(id(), 0..3),
        prop::option::of(prop::sample::select(vec!["low", "medium", "high"])),
        prop::option::of(format),
        any::<bool>(),
        prop::option::of(0i64..100),
    )
        .prop_map(
            |(messages, tools, choice, (max_tokens, temperature, top_p), stop, effort, format, stream, extra)| {
                Request {
                    model: "vendor/model-1".into(),
                    messages,
                    tool_choice: if tools.is_empty() { None } else { choice },
                    tools,
                    max_tokens: Some(max_tokens),
                    temperature,
                    top_p,
                    stop,
                    seed: None,
                    reasoning_effort: effort.map(str::to_owned),
                    response_format: format,
                    stream,
                    extra: extra.into_iter().map(|value| ("odd_field".to_owned(), json!(value))).collect(),
                }
            },
        )
}

/// The request as far as a wire can tell it: Gemini has no names for files.
fn canonical(api: Api, mut request: Request) -> Request {
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let (Api::Gemini, Part::File(file)) = (api, part) {
            file.name = None;
        }
    }
    request
}

proptest! {
    #[test]
    fn a_request_decodes_to_itself(request in request()) {
        for (api, _) in APIS {
            let adapter = api.adapter();
            let wire = adapter.encode_request(&request);
            let decoded = adapter.decode_request(&wire.path, &wire.body).expect("our own request");
            prop_assert_eq!(&decoded, &canonical(api, request.clone()), "{:?}", api);
            prop_assert_eq!(adapter.encode_request(&decoded), wire, "{:?}", api);
        }
    }
}
