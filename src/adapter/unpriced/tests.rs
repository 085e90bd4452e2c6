use serde_json::json;

use crate::adapter::{Api, WireRequest};
use crate::chat::{Message, Request, ResponseFormat, Role, Tool, ToolChoice};

const ALL: [Api; 4] = [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini];

fn found(api: Api, extra: &serde_json::Value) -> Option<String> {
    let request = Request {
        messages: vec![Message::text(Role::System, "service_tier"), Message::text(Role::User, "plugins")],
        extra: extra.as_object().cloned().expect("an object"),
        ..Request::default()
    };
    let adapter = api.adapter();
    adapter.unpriced_field(&adapter.encode_request("m", &request))
}

#[test]
fn whatever_llm_itself_sends_changes_no_price() {
    let request = Request {
        messages: vec![Message::text(Role::System, "s"), Message::text(Role::User, "u")],
        tools: vec![Tool { name: "f".into(), description: None, parameters: None, strict: Some(true) }],
        tool_choice: Some(ToolChoice::Auto),
        parallel_tool_calls: Some(false),
        max_tokens: Some(1),
        temperature: Some(0.5),
        top_p: Some(0.5),
        stop: vec!["x".into()],
        seed: Some(1),
        logprobs: Some(2),
        reasoning_effort: Some("high".into()),
        response_format: Some(ResponseFormat::JsonSchema { name: "n".into(), schema: json!({}), strict: None }),
        stream: true,
        extra: serde_json::Map::new(),
    };
    for api in ALL {
        let adapter = api.adapter();
        assert_eq!(adapter.unpriced_field(&adapter.encode_request("m", &request)), None, "{api:?}");
    }
}

#[test]
fn what_may_cost_more_than_its_tokens_is_found_by_its_name() {
    for (field, value) in [
        ("service_tier", json!("priority")),
        ("serviceTier", json!("priority")),
        ("SERVICE_TIER", json!("Priority")),
        ("service_tier", json!(["default"])),
        ("plugins", json!([{"id": "web"}])),
        ("web_search_options", json!({})),
        ("modalities", json!(["text", "audio"])),
        ("audio", json!({"voice": "a"})),
        ("prediction", json!({"type": "content"})),
        ("provider", json!({"sort": "throughput"})),
        ("preset", json!("dear")),
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("speed", json!("fast")),
        ("background", json!(true)),
        ("container", json!("c")),
        ("mcp_servers", json!([])),
        ("cachedContent", json!("cachedContents/1")),
        ("context_management", json!({"edits": [{"type": "compact_20260112"}]})),
        ("tools", json!([{"type": "function", "function": {"name": "f"}}, {"type": "web_search_preview"}])),
        ("tools", json!([{"type": "web_search_20250305", "name": "web_search"}])),
        ("tools", json!([{"functionDeclarations": []}, {"googleSearch": {}}])),
        ("tools", json!([{"functionDeclarations": [], "google_search": {}}])),
        ("tools", json!("web")),
        ("tools", json!([{"type": 5, "name": "f", "input_schema": {}}])),
        ("of_tomorrow", json!(1)),
        ("", json!(1)),
    ] {
        for api in ALL {
            assert_eq!(found(api, &json!({field: value})), Some(field.to_owned()), "{api:?} {value}");
            assert_eq!(found(api, &json!({field: null})), None, "{api:?} {field}");
        }
    }
    let speech = json!({"generationConfig": {"temperature": 1, "speechConfig": {}}});
    assert_eq!(found(Api::Gemini, &speech), Some("generationConfig.speechConfig".into()));
    let images = json!({"generation_config": {"responseModalities": ["TEXT", "IMAGE"]}});
    assert_eq!(found(Api::Gemini, &images), Some("generation_config.responseModalities".into()));
}

#[test]
fn the_usual_fields_of_gateways_change_no_price() {
    for extra in [
        json!({"top_k": 40, "min_p": 0.1, "repetition_penalty": 1.1, "logit_bias": {"1": 2}, "user": "u"}),
        json!({"service_tier": "flex", "metadata": {"a": "b"}, "store": true, "stream_options": {}}),
        json!({"modalities": ["text"], "usage": {"include": true}, "reasoning": {"effort": "low"}, "background": false}),
        json!({"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "name": "g"}]}),
        json!({"tools": [{"name": "f", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}]}),
        json!({"tools": [{"functionDeclarations": [{"name": "f"}]}], "TOP_P": 1}),
    ] {
        for api in ALL {
            assert_eq!(found(api, &extra), None, "{api:?} {extra}");
        }
    }
    let edits = json!({"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}, "speed": "standard"});
    assert_eq!(found(Api::Anthropic, &edits), None);
    let settings = json!({"generationConfig": {"topK": 1, "responseModalities": ["TEXT"]}, "safetySettings": []});
    assert_eq!(found(Api::Gemini, &settings), None);
}

#[test]
fn a_film_elsewhere_may_have_any_length() {
    for (file, is_priced) in [
        (r#"{"fileUri":"https://x/a.PNG?size=1"}"#, true),
        (r#"{"mimeType":"image/png","fileUri":"https://x/a"}"#, true),
        (r#"{"mimeType":"video/mp4","fileUri":"https://x/a.png"}"#, false),
        (r#"{"mime_type":"application/pdf","file_uri":"https://x/a.png"}"#, false),
        (r#"{"fileUri":"https://films.example/watch?v=1.png"}"#, false),
        (r"{}", false),
    ] {
        for name in ["fileData", "file_data"] {
            let body = format!(r#"{{"contents":[{{"parts":[{{"text":"t"}},{{"{name}":{file}}}]}}]}}"#);
            let wire = WireRequest { path: String::new(), body: body.clone().into_bytes() };
            assert_eq!(Api::Gemini.adapter().unpriced_field(&wire).is_none(), is_priced, "{body}");
        }
    }
}

/// What is found in a body as it stands.
fn found_in(api: Api, body: &str) -> Option<String> {
    let wire = WireRequest { path: String::new(), body: body.as_bytes().to_vec() };
    api.adapter().unpriced_field(&wire)
}

#[test]
fn pictures_that_are_not_counted_have_no_price() {
    let picture = r#"{"type":"image_url","image_url":{"url":"https://x/a.png"}}"#;
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{picture}]}}]}}"#);
    for (path, is_priced) in [("chat/completions", true), ("embeddings", false), ("completions", false)] {
        let wire = WireRequest { path: path.to_owned(), body: body.clone().into_bytes() };
        assert_eq!(Api::OpenaiChat.adapter().unpriced_field(&wire).is_none(), is_priced, "{path}");
    }
    for name in ["mediaResolution", "media_resolution"] {
        let part = format!(r#"{{"fileData":{{"fileUri":"https://x/a.png"}},"{name}":{{"level":"ULTRA_HIGH"}}}}"#);
        let found = found_in(Api::Gemini, &format!(r#"{{"contents":[{{"parts":[{part}]}}]}}"#));
        assert_eq!(found, Some(format!("contents.0.parts.0.{name}")));
    }
}

#[test]
fn a_tool_is_read_as_every_gateway_may_read_it() {
    for tool in [
        r#"{"type":"web_search","type":"function"}"#,
        r#"{"type":"function","name":"f","Type":"web_search"}"#,
        r#"{"type":"function","name":"f","t\u0079pe":"web_search"}"#,
        r#"{"input_schema":{},"name":"web_search","Type":"web_search_20250305"}"#,
        r#"{"input_schema":{},"googleSearch":{}}"#,
        r#"{"type":"function","function":{"name":"f"},"google_search":{}}"#,
        r#"{"type":"function","name":"f","model":"dear"}"#,
        r#"{"name":"f","input_schema":{},"Cache_Control":{"type":"ephemeral","ttl":"1h"}}"#,
        r#"["web_search"]"#,
    ] {
        for api in ALL {
            let body = format!(r#"{{"tools":[{tool}]}}"#);
            assert_eq!(found_in(api, &body).as_deref(), Some("tools"), "{api:?} {body}");
        }
    }
    for tool in [
        r#"{"type":"function","function":{"name":"f","description":"d","strict":true,"parameters":{"properties":{"model":{}}}}}"#,
        r#"{"type":"function","name":"f","parameters":{"type":"object"},"strict":null}"#,
        r#"{"name":"f","description":"d","input_schema":{},"cache_control":{"type":"ephemeral"},"input_examples":[{}]}"#,
        r#"{"type":"custom","name":"f","format":{"type":"grammar"}}"#,
        r#"{"type":"computer_20250124","name":"computer","display_width_px":1,"display_height_px":1}"#,
        r#"{"function_declarations":[{"name":"f"}],"googleSearch":null}"#,
    ] {
        for api in ALL {
            let body = format!(r#"{{"tools":[{tool}]}}"#);
            assert_eq!(found_in(api, &body), None, "{api:?} {body}");
        }
    }
}

#[test]
fn an_edit_of_the_conversation_is_read_as_every_gateway_may_read_it() {
    for (edit, is_priced) in [
        (r#"{"type":"clear_tool_uses_20250919"}"#, true),
        (r#"{"type":"clear_tool_uses_20250919","Type":"compact_20260112"}"#, false),
        (r#"{"type":"compact_20260112","type":"clear_tool_uses_20250919"}"#, false),
        (r#"{"type":"clear_tool_uses_20250919","type":"compact_20260112"}"#, false),
        (r#""clear_""#, false),
    ] {
        let body = format!(r#"{{"context_management":{{"edits":[{edit}]}}}}"#);
        assert_eq!(found_in(Api::Anthropic, &body).is_none(), is_priced, "{body}");
    }
}

#[test]
fn what_a_part_refers_to_is_not_counted_by_the_length_of_its_address() {
    for (part, path) in [
        (r#"{"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}}"#, None),
        (r#"{"type":"input_audio","input_audio":{"data":"https://x/a.wav","format":"wav"}}"#, Some("input_audio")),
        (r#"{"type":"text","text":"t","attachments":[{"url":"https://x/a.wav"}]}"#, Some("attachments")),
        (r#"{"type":"text","text":"t","file_ids":["f"]}"#, Some("file_ids")),
    ] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        let path = path.map(|path| format!("messages.0.content.0.{path}"));
        assert_eq!(found_in(Api::OpenaiChat, &body), path, "{body}");
    }
}

#[test]
fn a_picture_is_nothing_else_and_is_where_pictures_are_counted() {
    let url = |url: &str| {
        let chat =
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]});
        let responses = json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]});
        let message = json!({"messages": [{"role": "user", "content":
            [{"type": "image", "source": {"type": "url", "url": url}}]}]});
        [(Api::OpenaiChat, chat), (Api::OpenaiResponses, responses), (Api::Anthropic, message)]
            .map(|(api, body)| found_in(api, &body.to_string()).is_none())
    };
    for (format, is_counted) in [("image/png", true), ("video/mp4", false), ("application/pdf", false)] {
        let picture = json!({"type": "image_url", "image_url": {"url": "gs://x/a", "format": format}});
        let body = json!({"messages": [{"role": "user", "content": [picture]}]}).to_string();
        assert_eq!(found_in(Api::OpenaiChat, &body).is_none(), is_counted, "{format}");
    }
    for picture in [
        "https://x/a.png",
        "https://x/a",
        "http://x/show?id=5",
        "data:image/png;base64,iVBORw0KGgo=",
        "data:image/jpeg;base64,_9j_4AAQ",
        "data:image/jpeg;base64,%2F9j%2F4AAQ",
        "data:image/avif;base64,AAAAIGZ0eXBhdmlmAAAA",
    ] {
        assert_eq!(url(picture), [true; 3], "{picture}");
    }
    for other in [
        "https://x/film.mp4",
        "https://x/FILM.MP4?a=b.png",
        "https://x/a.pdf",
        "data:video/mp4;base64,QUJD",
        "data:application/pdf;base64,QUJD",
        "data:text/plain;base64,QUJD",
        "data:image/png;base64,AAAAGGZ0eXBtcDQyAAAAAG1wNDJpc29t",
        "data:image/png;base64,JVBERi0xLjQK",
        "data:image/png,plain",
        "DATA:text/plain,hi",
    ] {
        assert_eq!(url(other), [false; 3], "{other}");
    }
    for (source, is_priced) in [
        (r#"{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}"#, true),
        (r#"{"type":"base64","media_type":"application/pdf","data":"QUJD"}"#, false),
        (r#"{"type":"base64","media_type":"image/png","data":"JVBERi0xLjQK"}"#, false),
        (r#"{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo=","url":"https://x/a.pdf"}"#, false),
        (r#"{"type":"file","file_id":"f"}"#, false),
        (r#"{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo=","file_id":"f"}"#, false),
    ] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{{"type":"image","source":{source}}}]}}]}}"#);
        assert_eq!(found_in(Api::Anthropic, &body).is_none(), is_priced, "{body}");
    }
    let picture = r#"{"type":"image_url","image_url":{"url":"https://x/a.png"}}"#;
    for (body, path) in [
        (format!(r#"{{"messages":[{{"role":"assistant","images":[{picture}]}}]}}"#), "messages.0.images.0.image_url"),
        (
            format!(r#"{{"messages":[{{"content":[{{"type":"text","text":"t","content":[{picture}]}}]}}]}}"#),
            "messages.0.content.0.content.0.image_url",
        ),
        (
            r#"{"messages":[{"content":[{"type":"text","text":"t","image_url":"https://x/a.png"}]}]}"#.to_owned(),
            "messages.0.content.0.image_url",
        ),
        (format!(r#"{{"input":[{{"content":[{picture}]}}]}}"#), "input.0.content.0.image_url"),
    ] {
        assert_eq!(found_in(Api::OpenaiChat, &body).as_deref(), Some(path), "{body}");
    }
}

#[test]
fn what_is_embedded_is_texts_and_nothing_that_may_name_a_file() {
    for texts in [
        r#""a""#,
        "[1,2]",
        "[[1],[2]]",
        r#"["a","b"]"#,
        r#"[{"text":"a"}]"#,
        r#"[{"content":[{"type":"text","text":"a"}]}]"#,
    ] {
        assert_eq!(found_in(Api::OpenaiChat, &format!(r#"{{"input":{texts}}}"#)), None, "{texts}");
    }
    for name in ["pdf", "url", "document", "image_uri", "docs", "multi_images", "new"] {
        let body = format!(r#"{{"input":[{{"text":"a"}},{{"{name}":"https://x/big.pdf"}}]}}"#);
        assert_eq!(found_in(Api::OpenaiChat, &body).as_deref(), Some("input"), "{body}");
    }
    let typed = r#"{"input":[{"type":"image","content":"https://x/a"}]}"#;
    assert!(found_in(Api::OpenaiChat, typed).is_some());
}

#[test]
fn a_reference_has_no_price_whatever_is_beside_it() {
    let part = |part: &str| format!(r#"[{{"role":"user","content":[{part}]}}]"#);
    for (body, path) in [
        (
            r#"{"type":"file","file":{"file_id":"file-1","file_data":"data:application/pdf;base64,eA=="}}"#,
            "content.0.file.file_id",
        ),
        (r#"{"type":"file","file":{"file_data":"data:video/mp4;base64,eA=="}}"#, "content.0.file.file_data"),
        (r#"{"type":"text","text":"t","video_url":{"url":"https://x/a"}}"#, "content.0.video_url"),
    ] {
        let body = format!(r#"{{"messages":{}}}"#, part(body));
        assert_eq!(found_in(Api::OpenaiChat, &body), Some(format!("messages.0.{path}")), "{body}");
    }
    let both = r#"{"type":"input_file","file_url":"https://x/a.pdf","file_data":"data:application/pdf;base64,eA=="}"#;
    let body = format!(r#"{{"input":{}}}"#, part(both));
    assert_eq!(found_in(Api::OpenaiResponses, &body).as_deref(), Some("input.0.content.0.file_url"));
    let earlier = r#"{"messages":[{"role":"assistant","audio":{"id":"audio_1"}}]}"#;
    assert_eq!(found_in(Api::OpenaiChat, earlier).as_deref(), Some("messages.0.audio"));
}

#[test]
fn other_spellings_of_a_prompt_may_be_another_prompt() {
    for (api, body, path) in [
        (Api::OpenaiChat, r#"{"messages":[],"Messages":[]}"#, "Messages"),
        (Api::OpenaiChat, r#"{"messages":[],"messages":[],"prompt":"a"}"#, "messages"),
        (Api::OpenaiChat, r#"{"me\u017f\u017fages":[]}"#, "me\u{17f}\u{17f}ages"),
        (Api::OpenaiChat, r#"{"messages":[{"role":"user","content":"a","Content":[]}]}"#, "messages.0"),
        (Api::OpenaiChat, r#"{"messages":[{"role":"user","Content":[]}]}"#, "messages.0.Content"),
        (
            Api::OpenaiChat,
            r#"{"messages":[{"content":[{"type":"text","text":"t","File":{}}]}]}"#,
            "messages.0.content.0.File",
        ),
        (Api::OpenaiResponses, r#"{"input":"a","INPUT":[]}"#, "INPUT"),
        (Api::Anthropic, r#"{"messages":[],"system":[],"System":[]}"#, "System"),
        (Api::Anthropic, r#"{"messages":[],"Cache_Control":{"type":"ephemeral"}}"#, "Cache_Control"),
        (Api::Gemini, r#"{"contents":[],"system_instruction":{},"systemInstruction":{}}"#, "systemInstruction"),
        (Api::Gemini, r#"{"Contents":[]}"#, "Contents"),
    ] {
        assert_eq!(found_in(api, body).as_deref(), Some(path), "{body}");
    }
    for (api, body) in [
        (Api::Gemini, r#"{"contents":[],"system_instruction":{"parts":[{"text":"s"}]}}"#),
        (Api::OpenaiChat, r#"{"prompt":["a",[1,2],3],"TEMPERATURE":1}"#),
        // What tools are called with is no part of the prompt's form.
        (
            Api::Anthropic,
            r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f",
                "input":{"Type":1,"file_id":"f","a":1,"A":2}}]},{"role":"user","content":[{"type":"tool_result",
                "tool_use_id":"1","is_error":false,"content":[{"type":"text","text":"t"}]}]}]}"#,
        ),
        (
            Api::OpenaiResponses,
            r#"{"input":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"t",
                "annotations":[{"type":"file_citation","file_id":"f"}]}]},
                {"type":"function_call_output","call_id":"1","output":"x"}]}"#,
        ),
        (
            Api::OpenaiChat,
            r#"{"messages":[{"role":"assistant","content":null,"audio":null,"name":"n","reasoning_content":"r",
                "tool_calls":[{"id":"1","type":"function","index":0,"function":{"name":"f","arguments":"{}"}}]},
                {"role":"user","content":[{"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}}]}]}"#,
        ),
    ] {
        assert_eq!(found_in(api, body), None, "{body}");
    }
    let deep = format!(r#"{{"messages":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(found_in(Api::OpenaiChat, &deep).as_deref(), Some("messages"));
}

#[test]
fn files_of_gemini_are_checked_wherever_they_are() {
    let film = r#"{"fileData":{"mimeType":"video/mp4","fileUri":"https://x/a"}}"#;
    let picture = r#"{"file_data":{"mime_type":"image/png","file_uri":"https://x/a"}}"#;
    for (body, is_priced) in [
        (format!(r#"{{"contents":[{{"parts":[{picture}]}}]}}"#), true),
        (format!(r#"{{"systemInstruction":{{"parts":[{picture}]}}}}"#), true),
        (format!(r#"{{"systemInstruction":{{"parts":[{film}]}}}}"#), false),
        (format!(r#"{{"system_instruction":{{"parts":[{film}]}}}}"#), false),
        (format!(r#"{{"contents":[{{"parts":[{{"functionResponse":{{"name":"f","parts":[{film}]}}}}]}}]}}"#), false),
        (r#"{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"a":1,"A":2}}}]}]}"#.into(), true),
        (r#"{"contents":[{"parts":[{"text":"t","fileData":{"mimeType":"image/png","fileUri":"u"}}]}]}"#.into(), false),
        (r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"application/pdf","data":"QUJD"}}]}]}"#.into(), true),
        (r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"video/mp4","data":"QUJD"}}]}]}"#.into(), false),
        (r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]}]}"#.into(), false),
        (r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/gif","data":"R0lGODlh"}}]}]}"#.into(), true),
        (
            r#"{"contents":[{"parts":[{"fileData":{"mimeType":"image/png","fileUri":"https://x/a.mp4"}}]}]}"#.into(),
            false,
        ),
    ] {
        assert_eq!(found_in(Api::Gemini, &body).is_none(), is_priced, "{body}");
    }
}

#[test]
fn what_names_a_model_of_its_own_is_known() {
    use super::naming_model;
    for (body, path) in [
        (r#"{"tools":[{"type":"image_generation","model":"dear"}]}"#, "tools.0"),
        (
            r#"{"tools":[{"type":"function","name":"f"},{"type":"advisor_20260301","name":"a","model":"dear"}]}"#,
            "tools.1",
        ),
        (r#"{"tools":[{"type":"openrouter:fusion","parameters":{"models":["dear"]}}]}"#, "tools.0"),
        (r#"{"tools":[{"type":"function","Type":"fusion","parameters":{"models":["dear"]}}]}"#, "tools.0"),
        (r#"{"Tools":[{"type":"image_generation","Model":"dear"}],"tools":[]}"#, "Tools.0"),
        (r#"{"plugins":[{"id":"auto-router","allowed_models":["dear"]}]}"#, "plugins.0"),
        (r#"{"plugins":[{"id":"a","with":[{"model":"dear"}]}]}"#, "plugins.0"),
        (r#"{"plugins":[{"id":"a","preset":"general-high"}]}"#, "plugins.0"),
        (r#"{"plugins":[{"id":"web"},{"id":"fusion"}]}"#, "plugins.1"),
        (r#"{"tools":[{"type":"openrouter:fusion"}]}"#, "tools.0"),
        (r#"{"tools":[{"type":"function","type":"x","parameters":{"preset":"dear"}}]}"#, "tools.0"),
        (r#"{"tools":[{"type":"function","Type":"x","parameters":{"preset":"dear"}}]}"#, "tools.0"),
        (r#"{"plugins":[{"Id":"a","preset":"p"}]}"#, "plugins.0"),
        (r#"{"plugins":{"web":{"preset":"p"}}}"#, "plugins"),
        (r#"{"tools":[{"type":"openrouter:x","parameters":{"preset":"general-high"}}]}"#, "tools.0"),
        (r#"{"tools":{"type":"image_generation","model":"dear"}}"#, "tools"),
        (r#"{"providerOptions":{"gateway":{"order":["a"],"models":["dear"]}}}"#, "providerOptions.gateway.models"),
        (r#"{"config":{"targets":[{"override_params":{"model":"dear"}}]}}"#, "config.targets"),
        (r#"{"config":[{"x":{"model":"dear"}}]}"#, "config.0.x.model"),
        (r#"{"generationConfig":{"routingConfig":{"autoMode":{}}}}"#, "generationConfig.routingConfig"),
        (r#"{"x":{"manualMode":{"modelName":"dear"}}}"#, "x.manualMode.modelName"),
        (r#"{"provider":{"order":["a"],"fallbacks":[]}}"#, "provider.fallbacks"),
        (r#"{"functions":[{"name":"x"},{"name":"y","model":"dear"}]}"#, "functions.model"),
        (r#"{"tool_choice":{"type":"auto","model":"dear"}}"#, "tool_choice.model"),
        (r#"{"prompt":{"id":"pmpt_1","model":"dear"}}"#, "prompt.model"),
        (r#"{"prediction":{"type":"content","content":"x","models":["dear"]}}"#, "prediction.models"),
    ] {
        assert_eq!(naming_model(body.as_bytes()).as_deref(), Some(path), "{body}");
    }
    for body in [
        r#"{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"model":{}}}}}]}"#,
        r#"{"tools":[{"name":"f","input_schema":{"properties":{"model":{"type":"string"}}}}]}"#,
        r#"{"tools":[{"functionDeclarations":[{"name":"f","parameters":{"properties":{"model":{}}}}],"googleSearch":{}}]}"#,
        r#"{"tools":[{"type":"web_search"},{"type":"image_generation","model":null}],"plugins":[{"id":"web","engine":"exa"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"model":"x"}]}],"metadata":{"model":"x"},"input":[{"models":[]}]}"#,
        r#"{"response_format":{"type":"json_schema","json_schema":{"schema":{"properties":{"model":{}}}}},"model":"m"}"#,
        r#"{"text":{"format":{"schema":{"properties":{"models":{}}}}},"output_config":{"format":{"schema":{"model":{}}}}}"#,
        r#"{"generationConfig":{"responseSchema":{"properties":{"model":{}}},"responseJsonSchema":{"model":1}}}"#,
        r#"{"provider":{"order":["a"],"allow_fallbacks":false},"reasoning":{"effort":"low"},"x":{"model":null}}"#,
        r#"{"functions":[{"name":"f","parameters":{"properties":{"model":{}}}}],"stream_options":{"include_usage":true}}"#,
        r#"{"tools":[{"name":"deploy","input_schema":{},"input_examples":[{"target":"prod","preset":"x"}]}]}"#,
        "[]",
    ] {
        assert_eq!(naming_model(body.as_bytes()), None, "{body}");
    }
}
