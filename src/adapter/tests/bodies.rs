//! One request that uses every field, in each wire format.

use serde_json::{Value, json};

use super::*;
use crate::chat::*;

fn full_request() -> Request {
    let image = |source| Part::Image(Image { source, detail: None });
    let call = ToolCall { id: "t1".into(), name: "look".into(), arguments: r#"{"at":"sky"}"#.into() };
    Request {
        messages: vec![
            Message::text(Role::System, "Be brief."),
            Message {
                role: Role::User,
                parts: vec![
                    Part::Text("What is this?".into()),
                    image(ImageSource::Url("https://example.com/a.png".into())),
                    image(ImageSource::Data { media_type: "image/png".into(), base64: "QUJD".into() }),
                    Part::File(File {
                        name: Some("a.pdf".into()),
                        media_type: "application/pdf".into(),
                        base64: "REVG".into(),
                    }),
                    Part::Audio(Audio { media_type: "audio/mpeg".into(), base64: "R0hJ".into() }),
                ],
            },
            Message {
                role: Role::Assistant,
                parts: vec![
                    Part::Reasoning { text: "hm".into(), signature: Some("c2ln".into()) },
                    Part::Text("Let me see.".into()),
                    Part::ToolCall(call),
                ],
            },
            Message { role: Role::Tool, parts: vec![Part::ToolResult { id: "t1".into(), content: "blue".into() }] },
        ],
        tools: vec![Tool {
            name: "look".into(),
            description: Some("Looks.".into()),
            parameters: Some(json!({"type": "object"})),
            strict: None,
        }],
        tool_choice: Some(ToolChoice::Tool("look".into())),
        parallel_tool_calls: None,
        max_tokens: Some(100),
        temperature: Some(0.5),
        top_p: Some(0.9),
        stop: vec!["END".into()],
        seed: Some(7),
        logprobs: Some(2),
        reasoning_effort: Some("high".into()),
        response_format: Some(ResponseFormat::JsonSchema {
            name: "sky".into(),
            schema: json!({"type": "object"}),
            strict: Some(true),
        }),
        stream: true,
        extra: json!({"user": "u1"}).as_object().cloned().expect("an object"),
    }
}

fn encode(api: Api, model: &str, request: &Request) -> (String, Value) {
    let wire = api.adapter().encode_request(model, request);
    (wire.path, serde_json::from_slice(&wire.body).expect("JSON"))
}

#[test]
fn openai_chat_writes_completions() {
    let (path, body) = encode(Api::OpenaiChat, "vendor/model", &full_request());
    assert_eq!(path, "chat/completions");
    let expected = json!({
        "model": "vendor/model",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,REVG"}},
                {"type": "input_audio", "input_audio": {"data": "R0hJ", "format": "mp3"}},
            ]},
            {
                "role": "assistant",
                "content": "Let me see.",
                "reasoning_content": "hm",
                "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "c2ln"}],
                "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":\"sky\"}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "t1", "content": "blue"},
        ],
        "tools": [{"type": "function", "function": {
            "name": "look", "description": "Looks.", "parameters": {"type": "object"},
        }}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "max_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "logprobs": true,
        "top_logprobs": 2,
        "stop": ["END"],
        "seed": 7,
        "reasoning_effort": "high",
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "sky", "schema": {"type": "object"}, "strict": true,
        }},
        "stream": true,
        "stream_options": {"include_usage": true},
        "user": "u1",
    });
    assert_eq!(body, expected);
}

#[test]
fn openai_responses_writes_items() {
    let (path, body) = encode(Api::OpenaiResponses, "vendor/model", &full_request());
    assert_eq!(path, "responses");
    let expected = json!({
        "model": "vendor/model",
        "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "https://example.com/a.png"},
                {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,REVG"},
                {"type": "input_audio", "input_audio": {"data": "R0hJ", "format": "mp3"}},
            ]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "c2ln"},
            {"type": "message", "role": "assistant", "content": "Let me see."},
            {"type": "function_call", "call_id": "t1", "name": "look", "arguments": "{\"at\":\"sky\"}"},
            {"type": "function_call_output", "call_id": "t1", "output": "blue"},
        ],
        "tools": [{
            "type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"},
        }],
        "tool_choice": {"type": "function", "name": "look"},
        "max_output_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "include": ["message.output_text.logprobs"],
        "top_logprobs": 2,
        "stop": ["END"],
        "seed": 7,
        "reasoning": {"effort": "high"},
        "text": {"format": {"type": "json_schema", "name": "sky", "schema": {"type": "object"}, "strict": true}},
        "store": false,
        "stream": true,
        "user": "u1",
    });
    assert_eq!(body, expected);
}

#[test]
fn anthropic_writes_messages() {
    let (path, body) = encode(Api::Anthropic, "vendor/model", &full_request());
    assert_eq!(path, "messages");
    let expected = json!({
        "model": "vendor/model",
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "REVG"},
                    "title": "a.pdf",
                },
                {"type": "document", "source": {"type": "base64", "media_type": "audio/mpeg", "data": "R0hJ"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "sky"}},
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "blue"}]},
        ],
        "tools": [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "look"},
        "max_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "logprobs": true,
        "top_logprobs": 2,
        "stop_sequences": ["END"],
        "seed": 7,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "stream": true,
        "user": "u1",
    });
    assert_eq!(body, expected);
}

#[test]
fn gemini_writes_contents() {
    let (path, body) = encode(Api::Gemini, "vendor/model", &full_request());
    assert_eq!(path, "models/vendor/model:streamGenerateContent?alt=sse");
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "What is this?"},
                {"fileData": {"fileUri": "https://example.com/a.png"}},
                {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
                {"inlineData": {"mimeType": "application/pdf", "data": "REVG"}},
                {"inlineData": {"mimeType": "audio/mpeg", "data": "R0hJ"}},
            ]},
            {"role": "model", "parts": [
                {"text": "hm", "thought": true},
                {"text": "Let me see."},
                {
                    "functionCall": {"id": "t1", "name": "look", "args": {"at": "sky"}},
                    "thoughtSignature": "c2ln",
                },
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "t1", "name": "look", "response": {"result": "blue"}}},
            ]},
        ],
        "tools": [{"functionDeclarations": [
            {"name": "look", "description": "Looks.", "parametersJsonSchema": {"type": "object"}},
        ]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
        "generationConfig": {
            "maxOutputTokens": 100,
            "temperature": 0.5,
            "topP": 0.9,
            "responseLogprobs": true,
            "logprobs": 2,
            "stopSequences": ["END"],
            "seed": 7,
            "thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": true},
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"},
        },
        "user": "u1",
    });
    assert_eq!(body, expected);
}

#[test]
fn what_was_not_asked_for_is_not_sent() {
    let request = Request { messages: vec![Message::text(Role::User, "hi")], ..Request::default() };
    let turn = json!([{"role": "user", "content": "hi"}]);
    for (api, path, expected) in [
        (Api::OpenaiChat, "chat/completions", json!({"model": "m", "messages": turn})),
        (
            Api::OpenaiResponses,
            "responses",
            json!({"model": "m", "input": [{"type": "message", "role": "user", "content": "hi"}], "store": false}),
        ),
        // The one format that demands a limit.
        (Api::Anthropic, "messages", json!({"model": "m", "messages": turn, "max_tokens": 32_000})),
        (Api::Gemini, "models/m:generateContent", json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})),
    ] {
        assert_eq!(encode(api, "m", &request), (path.to_owned(), expected), "{api:?}");
    }
}

#[test]
fn a_parameter_goes_by_its_other_name_where_the_gateway_wants_that() {
    let mut request = Request { max_tokens: Some(9), ..full_request() };
    request.extra = json!({"max_tokens": null, "max_completion_tokens": 9, "stream_options": null})
        .as_object()
        .cloned()
        .expect("an object");
    let (_, body) = encode(Api::OpenaiChat, "m", &request);
    assert_eq!(body["max_completion_tokens"], 9);
    assert!(body.get("max_tokens").is_none() && body.get("stream_options").is_none());
}

#[test]
fn thinking_can_be_forbidden() {
    let request = Request { reasoning_effort: Some("none".into()), ..Request::default() };
    assert_eq!(encode(Api::OpenaiChat, "m", &request).1["reasoning_effort"], "none");
    assert_eq!(encode(Api::OpenaiResponses, "m", &request).1["reasoning"], json!({"effort": "none"}));
    let (_, anthropic) = encode(Api::Anthropic, "m", &request);
    assert_eq!((&anthropic["thinking"], anthropic.get("output_config")), (&json!({"type": "disabled"}), None));
    assert_eq!(
        encode(Api::Gemini, "m", &request).1["generationConfig"]["thinkingConfig"],
        json!({"thinkingBudget": 0})
    );
}

#[test]
fn the_key_travels_in_the_headers_of_the_format() {
    for (api, headers) in [
        (Api::OpenaiChat, &[("authorization", "Bearer k")][..]),
        (Api::OpenaiResponses, &[("authorization", "Bearer k")]),
        (Api::Anthropic, &[("x-api-key", "k"), ("authorization", "Bearer k")]),
        (Api::Gemini, &[("x-goog-api-key", "k")]),
    ] {
        let sent = api.adapter().auth_headers("k");
        assert_eq!(sent.iter().map(|(name, value)| (*name, &**value)).collect::<Vec<_>>(), headers, "{api:?}");
    }
    assert_eq!(Api::Anthropic.adapter().headers(), [("anthropic-version", "2023-06-01")]);
}
