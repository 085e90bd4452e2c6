//! Requests are the same after they were encoded and decoded.

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

/// Reasoning, then text, then tool calls: the order that every format can express.
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

/// A conversation in the order that every format can express: the system message first, then turns.
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
            prop::option::of(0u8..21),
        ),
        prop::collection::vec(id(), 0..3),
        prop::option::of(prop::sample::select(vec!["low", "medium", "high"])),
        prop::option::of(format),
        any::<bool>(),
        prop::option::of(0i64..100),
    )
        .prop_map(
            |(
                messages,
                tools,
                choice,
                (max_tokens, temperature, top_p, logprobs),
                stop,
                effort,
                format,
                stream,
                extra,
            )| {
                Request {
                    messages,
                    tool_choice: if tools.is_empty() { None } else { choice },
                    tools,
                    parallel_tool_calls: None,
                    max_tokens: Some(max_tokens),
                    temperature,
                    top_p,
                    stop,
                    seed: None,
                    logprobs,
                    reasoning_effort: effort.map(str::to_owned),
                    response_format: format,
                    stream,
                    extra: extra.into_iter().map(|value| ("odd_field".to_owned(), json!(value))).collect(),
                }
            },
        )
}

/// The request as far as the format can express it: Gemini has no names for files.
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
            let wire = adapter.encode_request("vendor/model-1", &request);
            let NamedRequest { model, request: decoded } =
                adapter.decode_request(&wire.path, &wire.body).expect("our own request");
            prop_assert_eq!((&*model, &decoded), ("vendor/model-1", &canonical(api, request.clone())), "{:?}", api);
            prop_assert_eq!(adapter.encode_request(&model, &decoded), wire, "{:?}", api);
        }
    }
}

#[test]
fn no_name_of_a_model_leads_away_from_the_base_url() {
    let adapter = Api::Gemini.adapter();
    for model in [
        "gemini-3-pro",
        "vendor/model",
        "../../../v1/other",
        "models/../../secret",
        "a/../../b",
        "..;/..;/b",
        "a/./b",
        "..",
        "..\\..\\b",
        "%2e%2e/%2e%2e/b",
        "a?key=b#c",
        "a:b@c;d=e&f g",
        "tab\t\nü",
    ] {
        let wire = adapter.encode_request(model, &Request::default());
        let url = url::Url::parse(&format!("https://host/base/v1beta/{}", wire.path)).expect("an address");
        let name = url.path().strip_prefix("/base/v1beta/models/").expect(model).strip_suffix(":generateContent");
        assert!(name.is_some() && url.query().is_none() && url.fragment().is_none(), "{model}: {url}");
        let decoded = adapter.decode_request(url.path(), &wire.body).expect("our own request");
        assert_eq!(decoded.model, model.strip_prefix("models/").unwrap_or(model));
    }
}

fn decode(api: Api, body: &serde_json::Value) -> Result<Request, String> {
    api.adapter()
        .decode_request("models/m:generateContent", body.to_string().as_bytes())
        .map(|named| named.request)
        .map_err(|error| error.to_string())
}

#[test]
fn clients_may_spell_a_request_in_several_ways() {
    let request = decode(
        Api::OpenaiChat,
        &json!({
            "model": "m",
            "messages": [
                {"role": "developer", "content": [{"type": "text", "text": "s"}]},
                {"role": "user", "content": "u", "name": "someone"},
                {"role": "assistant", "content": null, "refusal": "no"},
            ],
            "max_tokens": 1, "max_completion_tokens": 2, "stop": "END", "temperature": null,
            "response_format": {"type": "text"},
        }),
    )
    .expect("a request");
    assert_eq!(request.messages[0], Message::text(Role::System, "s"));
    assert_eq!(request.messages[2], Message::text(Role::Assistant, "no"));
    assert_eq!((request.max_tokens, request.stop, request.temperature), (Some(2), vec!["END".to_owned()], None));
    assert_eq!((request.response_format, request.extra.len()), (None, 0));

    let request = decode(Api::OpenaiResponses, &json!({"model": "m", "input": "u"})).expect("a request");
    assert_eq!(request.messages, [Message::text(Role::User, "u")]);
    // The client did not forbid to keep the answer, so that our request does not either.
    assert!(
        !String::from_utf8_lossy(&Api::OpenaiResponses.adapter().encode_request("m", &request).body).contains("store")
    );

    let body = json!({"model": "m", "max_tokens": 1, "messages": [
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}], "is_error": false},
            {"type": "text", "text": "u", "cache_control": {"type": "ephemeral"}},
        ]},
    ]});
    let request = decode(Api::Anthropic, &body).expect("a request");
    let result = Part::ToolResult { id: "t".into(), content: "r".into() };
    let result = Message { role: Role::Tool, parts: vec![result] };
    assert_eq!(request.messages, [result, Message::text(Role::User, "u")]);
}

#[test]
fn what_has_no_common_form_is_passed_on() {
    let chat = json!({"model": "m", "messages": [], "tools": [{"type": "custom", "custom": {}}], "tool_choice": {"type": "custom"}, "n": 2});
    let request = decode(Api::OpenaiChat, &chat).expect("a request");
    assert_eq!(request.extra.keys().collect::<Vec<_>>(), ["tools", "tool_choice", "n"]);
    let sent = Api::OpenaiChat.adapter().encode_request("m", &request).body;
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&sent).expect("JSON"), chat);

    let config = json!({"topK": 4, "thinkingConfig": {"thinkingBudget": 99}});
    let gemini = json!({"contents": [], "generationConfig": config, "tools": [{"googleSearch": {}}]});
    let request = decode(Api::Gemini, &gemini).expect("a request");
    assert_eq!(request.extra["generationConfig"], config);
    assert_eq!(request.extra["tools"], gemini["tools"]);
}

#[test]
fn log_probabilities_are_asked_for_in_a_field_of_their_own() {
    let include = json!(["reasoning.encrypted_content", "message.output_text.logprobs"]);
    let body = json!({"model": "m", "input": "u", "include": include, "top_logprobs": 3});
    let request = decode(Api::OpenaiResponses, &body).expect("a request");
    assert_eq!((request.logprobs, &request.extra["include"]), (Some(3), &json!(["reasoning.encrypted_content"])));
    let sent = Api::OpenaiResponses.adapter().encode_request("m", &request).body;
    let sent: serde_json::Value = serde_json::from_slice(&sent).expect("JSON");
    assert_eq!(sent["include"], json!(["message.output_text.logprobs", "reasoning.encrypted_content"]));

    for (body, logprobs, left) in [
        (json!({"logprobs": true}), Some(0), json!({})),
        (json!({"logprobs": true, "top_logprobs": 0}), Some(0), json!({})),
        // Fields that ask for nothing, or in another way, are passed on as they are.
        (json!({"logprobs": false}), None, json!({"logprobs": false})),
        (json!({"logprobs": 5}), None, json!({"logprobs": 5})),
        (json!({"top_logprobs": 5}), None, json!({"top_logprobs": 5})),
    ] {
        let mut all = json!({"model": "m", "messages": []});
        all.as_object_mut().expect("an object").extend(body.as_object().expect("an object").clone());
        let request = decode(Api::OpenaiChat, &all).expect("a request");
        assert_eq!((request.logprobs, serde_json::Value::Object(request.extra)), (logprobs, left), "{body}");
    }
    let config = json!({"responseLogprobs": true, "topK": 4});
    let request = decode(Api::Gemini, &json!({"contents": [], "generationConfig": config})).expect("a request");
    assert_eq!((request.logprobs, &request.extra["generationConfig"]), (Some(0), &json!({"topK": 4})));
}

#[test]
fn a_request_that_makes_no_sense_is_refused_with_the_reason() {
    for (api, body, reason) in [
        (Api::OpenaiChat, json!([]), "the request body is not a JSON object"),
        (Api::OpenaiChat, json!({"messages": []}), "`model` is missing"),
        (Api::OpenaiChat, json!({"model": "m", "messages": null}), "`messages` is missing"),
        (
            Api::OpenaiChat,
            json!({"model": "m", "messages": [{"role": "robot", "content": "x"}]}),
            "no message can have the role `robot`",
        ),
        (
            Api::OpenaiChat,
            json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]}),
            "a tool message has no `tool_call_id`",
        ),
        (Api::OpenaiResponses, json!({"model": "m"}), "`input` is missing"),
        (Api::Gemini, json!({"contents": [{"parts": [{}]}]}), "a part is of no kind that is known here"),
    ] {
        assert_eq!(decode(api, &body), Err(reason.to_owned()));
    }
    let error = decode(Api::OpenaiChat, &json!({"model": "m", "messages": [], "temperature": "hot"}));
    assert!(error.is_err_and(|reason| reason.starts_with("`temperature` is not as it should be")));
}

#[test]
fn usage_is_streamed_to_clients_that_ask_for_it() {
    for (options, wanted) in [(json!({"include_usage": true}), true), (json!(null), false), (json!({}), false)] {
        let body = json!({"model": "m", "messages": [], "stream": true, "stream_options": options});
        let request = decode(Api::OpenaiChat, &body).expect("a request");
        let mut encoder = Api::OpenaiChat.adapter().encoder("", "m", &request);
        let mut out = Vec::new();
        encoder.encode(&StreamEvent::Usage(Usage { input: Some(1), output: Some(2), ..Usage::default() }), &mut out);
        encoder.finish(&mut out);
        assert_eq!(String::from_utf8_lossy(&out).contains("\"usage\""), wanted, "{options}");
    }
}

#[test]
fn at_most_one_call_at_once_is_asked_for_in_each_format_that_can() {
    let tool = Tool { name: "f".into(), description: None, parameters: Some(json!({"type": "object"})), strict: None };
    let messages = vec![Message::text(Role::User, "u")];
    for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic] {
        for choice in [ToolChoice::Auto, ToolChoice::Required, ToolChoice::Tool("f".into())] {
            for are_parallel in [None, Some(true), Some(false)] {
                let request = Request {
                    messages: messages.clone(),
                    tools: vec![tool.clone()],
                    tool_choice: Some(choice.clone()),
                    parallel_tool_calls: are_parallel,
                    max_tokens: Some(1),
                    ..Request::default()
                };
                let wire = api.adapter().encode_request("m", &request);
                let read = api.adapter().decode_request(&wire.path, &wire.body).expect("our own").request;
                assert_eq!(
                    (read.tool_choice, read.parallel_tool_calls),
                    (Some(choice.clone()), are_parallel),
                    "{api:?}"
                );
            }
        }
    }
    let body = |request: &Request| {
        let wire = Api::Anthropic.adapter().encode_request("m", request);
        serde_json::from_slice::<serde_json::Value>(&wire.body).expect("JSON")["tool_choice"].clone()
    };
    let one = Request { parallel_tool_calls: Some(false), messages, ..Request::default() };
    assert_eq!(body(&one), serde_json::Value::Null, "without tools, no choice is allowed");
    let with_tool = Request { tools: vec![tool], ..one };
    assert_eq!(body(&with_tool), json!({"type": "auto", "disable_parallel_tool_use": true}));
}

/// Models write the fields of an answer in the order of the schema, so reasons that stand before the answer help it.
#[test]
fn the_fields_of_a_schema_keep_their_order() {
    let schema = json!({"type": "object", "properties": {"reasons": {"type": "string"}, "answer": {"type": "number"}}});
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": schema}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    let chat = json!({"model": "m", "messages": [], "tools": [tool], "response_format": format, "user": "u"});
    let request = decode(Api::OpenaiChat, &chat).expect("a request");
    for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini] {
        let sent = api.adapter().encode_request("m", &request).body;
        let sent = String::from_utf8(sent).expect("JSON is UTF-8");
        let properties: Vec<&str> = sent.split("\"properties\":").skip(1).collect();
        assert_eq!(properties.len(), 2, "{api:?}: {sent}");
        assert!(properties.iter().all(|text| text.starts_with("{\"reasons\":{\"type\":")), "{api:?}: {sent}");
    }
}

#[test]
fn empty_texts_are_not_sent_to_vendors_that_refuse_them() {
    let call = || Part::ToolCall(ToolCall { id: "t".into(), name: "f".into(), arguments: "{}".into() });
    let answer = |parts| Message { role: Role::Assistant, parts };
    let messages = vec![
        Message::text(Role::User, "hi"),
        answer(vec![Part::Text(String::new()), call()]),
        answer(vec![Part::Text(String::new())]),
        answer(Vec::new()),
        answer(vec![Part::Text("\n".into()), call()]),
    ];
    let request = Request { messages, ..Request::default() };
    for (api, list, last) in [(Api::Anthropic, "messages", 1), (Api::Gemini, "contents", 2)] {
        let sent: serde_json::Value =
            serde_json::from_slice(&api.adapter().encode_request("m", &request).body).expect("JSON");
        let turns = sent[list].as_array().expect("a list");
        let parts = |turn: usize| {
            let parts = turns[turn].get("content").or(turns[turn].get("parts")).and_then(|parts| parts.as_array());
            parts.map(Vec::len)
        };
        assert_eq!((turns.len(), parts(1), parts(2)), (3, Some(1), Some(last)), "{sent}");
    }
}

#[test]
fn each_thought_of_an_answer_is_sent_back_with_its_own_signature() {
    let signature = r#"S1[{"type":"thought","text":"T2","signature":"S2"}]"#;
    let call = |id: &str| Part::ToolCall(ToolCall { id: id.into(), name: "f".into(), arguments: "{}".into() });
    let thought = Part::Reasoning { text: "T1T2".into(), signature: Some(signature.into()) };
    let parts = vec![thought, Part::Text("hello".into()), call("a"), call("b")];
    let request = Request { messages: vec![Message { role: Role::Assistant, parts }], ..Request::default() };
    let sent = |api: Api| -> serde_json::Value {
        serde_json::from_slice(&api.adapter().encode_request("m", &request).body).expect("JSON")
    };
    let thinking = |text, signature| json!({"type": "thinking", "thinking": text, "signature": signature});
    let blocks = &sent(Api::Anthropic)["messages"][0]["content"];
    assert_eq!([&blocks[0], &blocks[1]], [&thinking("T1", "S1"), &thinking("T2", "S2")]);
    let item = |text, signature| json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": text}], "encrypted_content": signature});
    let items = &sent(Api::OpenaiResponses)["input"];
    assert_eq!([&items[0], &items[1]], [&item("T1", "S1"), &item("T2", "S2")]);
    let parts = &sent(Api::Gemini)["contents"][0]["parts"];
    let signed: Vec<_> = (0..4).map(|at| parts[at]["thoughtSignature"].as_str()).collect();
    assert_eq!(signed, [None, Some("S1"), Some("S2"), None], "{parts}");
    // A client of chat completions sends them back as it got them.
    let again = decode(Api::OpenaiChat, &sent(Api::OpenaiChat)).expect("a request");
    assert_eq!(again.messages, request.messages);
}
