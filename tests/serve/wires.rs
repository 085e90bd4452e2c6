//! What goes through a server and what is translated.

use std::path::Path;

use serde_json::{Value, json};

use super::{Server, home};
use crate::support::{Gateway, Home, KEY, Reply};

/// Every wire format: its name, the path of a client, a body full of fields that nobody knows with `MODEL` in the place of
/// the model, and the folder of its fixtures.
const WIRES: [(&str, &str, &str); 4] = [
    (
        "openai-chat",
        "/v1/chat/completions",
        "{ \"future\" : {\"b\":1.50,\"a\":[ ]},\"model\":\"MODEL\",\n \"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\
         \"text\":\"caf\\u00e9\",\"cache_control\":{\"type\":\"ephemeral\"}},{\"type\":\"hologram\",\"x\":1e2}]}],\"stream\":STREAM,\
         \"stream_options\":{\"include_usage\":true} }",
    ),
    (
        "openai-responses",
        "/v1/responses",
        "{\"model\":\"MODEL\",\"input\":[{\"type\":\"hologram\"}],\"previous_response_id\":\"r\",\"stream\":STREAM , \"z\":[1,  2]}",
    ),
    (
        "anthropic",
        "/v1/messages",
        "{\"max_tokens\":9,\"model\":\"MODEL\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"hologram\",\"cache_control\":{}}]}],\
         \"context_management\":{\"edits\":[]},\"stream\":STREAM}",
    ),
    (
        "gemini",
        "/v1beta/models/MODEL:METHOD",
        "{\"contents\":[{\"parts\":[{\"hologram\":1}]}],  \"safetySettings\":[{\"category\":\"X\"}]}",
    ),
];

fn path_of(path: &str, model: &str, stream: bool) -> String {
    let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    path.replace("MODEL", model).replace("METHOD", method)
}

fn body_of(body: &str, model: &str, stream: bool) -> String {
    body.replace("MODEL", model).replace("STREAM", if stream { "true" } else { "false" })
}

fn fixtures(api: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(api);
    let mut all = Vec::new();
    for case in std::fs::read_dir(dir).expect("fixtures").flatten() {
        for file in ["answer.sse", "answer.json"] {
            if let Ok(bytes) = std::fs::read(case.path().join(file)) {
                all.push((format!("{}/{file}", case.file_name().to_string_lossy()), bytes));
            }
        }
    }
    all.sort();
    assert!(!all.is_empty());
    all
}

/// Sends answers through a server, one after the other, and compares what comes out.
fn passes_through(api: &str, path: &str, body: &str, answers: Vec<(String, Vec<u8>)>) {
    let replies: Vec<Reply> = answers
        .iter()
        .map(|(name, bytes)| {
            let media =
                if name.ends_with(".sse") { "text/event-stream; charset=utf-8" } else { "application/json; x=y" };
            // In three pieces, which need not end where events do.
            let cut = bytes.len() / 3;
            let head =
                Reply::with_headers(200, &[("content-type", media), ("content-length", &bytes.len().to_string())], "");
            let head = String::from_utf8(head.as_bytes()).expect("a head").replace("content-length: 0\r\n", "");
            let reply = Reply::raw(head).bytes(&bytes[..cut]).bytes(&bytes[cut..2 * cut]);
            reply.bytes(&bytes[2 * cut..])
        })
        .collect();
    let gateway = Gateway::in_turn(replies);
    let home = home(&gateway, api);
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[alias.once]\nmodels = [\"up::m/1\"]\nretries = 0\n");
    let server = Server::start(&home, &["--log", "metadata"]);
    for (index, (name, bytes)) in answers.iter().enumerate() {
        let stream = name.ends_with(".sse");
        let answer = server.send(
            &server.key,
            &path_of(path, "once", stream),
            &[("x-api-key", "")],
            body_of(body, "once", stream),
        );
        let request = gateway.requests().pop().expect("it was sent");
        assert_eq!(gateway.requests().len(), index + 1, "{api} {name}: nothing is tried again");
        let sent = String::from_utf8_lossy(&request.body).into_owned();
        assert_eq!(sent, body_of(body, "m/1", stream), "{api} {name}");
        assert!(request.path.ends_with(&path_of(path, "m/1", stream).replace("/v1beta", "")), "{}", request.path);
        if answer.status == 200 {
            assert!(
                answer.body.starts_with(bytes),
                "{api} {name}:\n{}\nand not\n{}",
                answer.text(),
                String::from_utf8_lossy(bytes)
            );
            let media = answer.header("content-type").expect("a media type");
            assert_eq!(media.starts_with("text/event-stream"), stream, "{api} {name}");
        } else {
            let text = String::from_utf8_lossy(bytes);
            let is_failure =
                ["rror", "ends-early", "only-comments", "done-", "blocked", "fail", "incomplete", "malformed"];
            let is_failure = is_failure.iter().any(|word| name.contains(word)) || text.contains("error");
            assert!(is_failure, "{api} {name}: {}", answer.text());
            assert!(answer.json()["error"].is_object(), "{api} {name}: {}", answer.text());
        }
        assert_eq!(answer.header("x-llm-gateway"), Some("up"), "{api} {name}");
    }
}

#[test]
fn what_a_client_and_its_gateway_say_in_one_format_passes_unchanged() {
    for (api, path, body) in WIRES {
        passes_through(api, path, body, fixtures(api));
    }
}

/// Where `LLM_RECORDED_WIRE` names a directory of recorded answers, sorted by host, all of them are sent through a server.
#[test]
fn recorded_traffic_passes_unchanged() {
    let Some(dir) = std::env::var_os("LLM_RECORDED_WIRE") else { return };
    let index = std::fs::read_to_string(Path::new(&dir).join("index.tsv")).expect("an index");
    let mut count = 0;
    for (api, path, body) in WIRES {
        let is_of = |url: &str| match api {
            "openai-chat" => url.ends_with("/chat/completions"),
            "openai-responses" => url.ends_with("/responses"),
            "anthropic" => url.ends_with("/v1/messages"),
            _ => url.ends_with(":generateContent") || url.ends_with(":streamGenerateContent"),
        };
        let answers: Vec<_> = index
            .lines()
            .filter_map(|line| {
                let mut cells = line.split('\t');
                let (file, url, status) = (cells.next()?, cells.next()?, cells.next()?);
                let bytes =
                    (status == "200" && is_of(url)).then(|| std::fs::read(Path::new(&dir).join(file)).ok())??;
                Some((file.to_owned(), bytes))
            })
            .collect();
        count += answers.len();
        passes_through(api, path, body, answers);
    }
    assert!(count > 20, "{count} answers");
}

#[test]
fn a_client_gets_an_answer_over_its_own_format_from_any_gateway() {
    let client_bodies = [
        (
            "/v1/chat/completions",
            json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}),
        ),
        ("/v1/responses", json!({"model": "m", "input": "hi", "max_output_tokens": 50})),
        ("/v1/messages", json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50})),
        (
            "/v1beta/models/m:METHOD",
            json!({"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 50}}),
        ),
    ];
    for (api, ..) in WIRES {
        let of = |file: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(api).join(file);
            std::fs::read(path).expect("a fixture")
        };
        let text = if api == "openai-responses" { "text-with-summary/answer.sse" } else { "text/answer.sse" };
        let stream =
            fixtures(api).into_iter().find(|(name, _)| name == text || name.starts_with("text")).expect("a text").1;
        let whole = of("whole-answer/answer.json");
        let gateway = Gateway::by(move |request| {
            let streams = request.json()["stream"] == true || request.path.contains("stream");
            let (media, body) = if streams { ("text/event-stream", &stream) } else { ("application/json", &whole) };
            Reply::with_body(200, media, body)
        });
        let home = home(&gateway, api);
        let server = Server::start(&home, &[]);
        for (path, body) in &client_bodies {
            for streamed in [false, true] {
                let mut body = body.clone();
                if !path.contains("METHOD") {
                    body["stream"] = streamed.into();
                }
                let answer = server.send(&server.key, &path_of(path, "m", streamed), &[], body.to_string());
                assert_eq!(answer.status, 200, "{path} over {api}: {}", answer.text());
                let text = answer.text();
                assert_eq!(text.starts_with('{'), !streamed, "{path} over {api}: {text}");
                let sent = gateway.requests().pop().expect("it was sent").json();
                let limit =
                    [&sent["max_tokens"], &sent["max_output_tokens"], &sent["generationConfig"]["maxOutputTokens"]];
                let limit = limit.into_iter().chain([&sent["max_completion_tokens"]]).find(|limit| !limit.is_null());
                assert_eq!(limit, Some(&json!(50)), "{path} over {api}: {sent}");
            }
        }
        for call in server.recorded(&home, 8) {
            assert_eq!(
                (&call["command"], &call["key"], &call["status"]),
                (&json!("serve"), &json!("admin"), &json!("ok")),
                "{call}"
            );
            assert!(call["cost"]["usd"].is_number(), "{call}");
        }
    }
}

#[test]
fn what_a_translation_leaves_out_is_named() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[
        {"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}"#;
    let answer = server.send(&server.key, "/v1/messages", &[], body);
    assert_eq!(answer.header("x-llm-ignored"), Some("messages.0.content.0.cache_control"));
    // What goes through as it is loses nothing.
    let body = r#"{"model":"m","messages":[{"role":"user","name":"ada","content":"hi"}]}"#;
    let answer = server.send(&server.key, "/v1/chat/completions", &[], body);
    assert_eq!((answer.status, answer.header("x-llm-ignored")), (200, None));
}

#[test]
fn a_stream_of_google_without_events_is_one_list_and_so_are_its_errors() {
    let body = r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#;
    for api in ["gemini", "anthropic"] {
        let gateway = Gateway::always(Reply::error(404, "no such model"));
        let server = Server::start(&home(&gateway, api), &[]);
        let ask = |key: &str, method: &str| server.send(key, &format!("/v1beta/models/m:{method}"), &[], body);
        for (key, status) in [(&*server.key, 404), ("lk-wrong", 401)] {
            let list = ask(key, "streamGenerateContent");
            assert_eq!(list.json()[0]["error"]["code"], status, "{}", list.text());
            assert_eq!((list.status, list.header("content-type")), (status, Some("application/json")));
            for method in ["streamGenerateContent?alt=sse", "generateContent"] {
                assert_eq!(ask(key, method).json()["error"]["code"], status, "{api} {method}");
            }
        }
    }
}

#[test]
fn a_cost_of_zero_is_told_in_other_formats_of_free_models_alone() {
    let usage = |cost: f64| json!({"prompt_tokens": 7, "completion_tokens": 3, "cost": cost});
    for (model, cost, told) in
        [("m", 0.0, None), ("m", 4e-13, None), ("test-model:free", 0.0, Some(0.0)), ("m", 0.5, Some(0.5))]
    {
        let gateway = Gateway::by(move |request| {
            if request.json()["stream"] == true {
                return Reply::sse().text("hi").finish("stop").usage_json(&usage(cost)).done();
            }
            let choice = json!({"message": {"content": "hi"}, "finish_reason": "stop"});
            Reply::json(200, &json!({"model": model, "choices": [choice], "usage": usage(cost)}))
        });
        let home = home(&gateway, "openai-chat");
        let server = Server::start(&home, &[]);
        for (path, asked) in [
            ("/v1/responses", json!({"input": "hi"})),
            ("/v1/messages", json!({"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})),
        ] {
            for stream in [false, true] {
                let mut body = asked.clone();
                (body["model"], body["stream"]) = (model.into(), stream.into());
                let answer = server.send(&server.key, path, &[], body.to_string());
                assert_eq!(answer.status, 200, "{}", answer.text());
                let text = answer.text().replace("\"cost\":null", "");
                let found = text.split_once("\"cost\":").and_then(|(_, rest)| rest.split([',', '}']).next());
                let found = found.map(|cost| cost.trim().parse::<f64>().expect("a number"));
                assert_eq!(found, told, "{model} {cost} {path} {stream}: {text}");
            }
        }
    }
}

#[test]
fn what_cannot_be_translated_is_refused_by_name_and_never_sent() {
    let gateway = Gateway::always(Reply::unary("no"));
    let home = home(&gateway, "anthropic");
    let server = Server::start(&home, &[]);
    for (path, body, param) in [
        ("/v1/chat/completions", json!({"messages": [], "logit_bias": {"5": 1}}), Some("logit_bias")),
        ("/v1/responses", json!({"input": "hi", "previous_response_id": "r"}), Some("previous_response_id")),
        ("/v1/chat/completions", json!({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}), None),
        ("/v1/embeddings", json!({"input": "hi"}), None),
    ] {
        let mut body = body;
        body["model"] = "m".into();
        let answer = server.send(&server.key, path, &[], body.to_string());
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!(error["type"], "invalid_request_error", "{error}");
        assert_eq!(error["param"].as_str(), param, "{error}");
        assert!(error["request_id"].is_string(), "{error}");
    }
    assert!(gateway.requests().is_empty());
}

#[test]
fn an_answer_that_nobody_could_fetch_is_refused_for_every_key_and_gateway() {
    for api in ["openai-responses", "openai-chat"] {
        let gateway = Gateway::always(Reply::error(500, "asked"));
        let home = home(&gateway, api);
        let server = Server::start(&home, &[]);
        let trusted = Server::new_key(&home, "trusted", &["--budget", "1/day", "--allow-unpriced"]);
        server.wait_until("the key", |server| server.get(&trusted, "/v1/models").status == 200);
        let ask = |key: &str, more: &str| {
            let body = format!(r#"{{"model":"m","input":"hi",{more}}}"#);
            server.send(key, "/v1/responses", &[], body)
        };
        for key in [&server.key, &trusted] {
            for more in [
                r#""background":true"#,
                r#""background":false,"background":true,"stream":true"#,
                r#""Background":1,"input":[{"type":"hologram"}]"#,
            ] {
                let answer = ask(key, more);
                let error = &answer.json()["error"];
                assert_eq!(answer.status, 400, "{more}: {error}");
                let param = error["param"].as_str().expect("a field");
                assert!(param.eq_ignore_ascii_case("background"), "{error}");
                assert!(error["message"].as_str().expect("words").contains("cannot fetch an answer later"), "{error}");
            }
        }
        assert!(gateway.requests().is_empty());
        ask(&server.key, r#""background":false"#);
        assert!(!gateway.requests().is_empty(), "{api}");
    }
}

#[test]
fn usage_that_the_client_did_not_ask_for_is_counted_and_not_shown() {
    let gateway = Gateway::always(Reply::stream(&["one", " two"]));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
    let answer = server.send(&server.key, "/v1/chat/completions", &[], body);
    assert_eq!(gateway.request().json()["stream_options"], json!({"include_usage": true}));
    let text = answer.text();
    assert!(text.contains(" two") && text.ends_with("data: [DONE]\n\n") && !text.contains("usage"), "{text}");
    let call = &server.recorded(&home, 1)[0];
    assert_eq!((&call["usage"]["input_tokens"], &call["usage"]["output_tokens"]), (&json!(9), &json!(4)));
}

#[test]
fn a_failure_with_status_200_instead_of_vectors_or_a_count_is_a_failure() {
    for (body, status) in [
        (r#"{"success":false,"message":"Unauthorized, invalid access token"}"#, 502),
        (r#"{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"x"}"#, 502),
        (r#"{"error":{"message":"not now","code":503}}"#, 503),
    ] {
        for (api, path) in [
            ("openai-chat", "/v1/embeddings"),
            ("openai-chat", "/v1/completions"),
            ("anthropic", "/v1/messages/count_tokens"),
        ] {
            let gateway = Gateway::always(Reply::with_body(200, "application/json", body));
            let home = home(&gateway, api);
            let server = Server::start(&home, &[]);
            let asked = r#"{"model":"e","input":["a"],"prompt":"a","messages":[{"role":"user","content":"a"}]}"#;
            let answer = server.send(&server.key, path, &[], asked);
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
            assert_eq!(server.recorded(&home, 1)[0]["status"], "failed", "{path}");
        }
    }
}

#[test]
fn embeddings_completions_and_counts_go_to_the_gateway_that_has_them() {
    let answer = "{\"data\":[{\"embedding\":[1.0,2e-3]}] , \"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}";
    let gateway = Gateway::always(Reply::with_body(200, "application/json", answer));
    let first = home(&gateway, "openai-chat");
    let server = Server::start(&first, &[]);
    for (path, body, cost) in [
        ("/v1/embeddings", r#"{"input":["a"],"model":"e","future":1}"#, Some("0.000007")),
        // How much text there is, nobody says.
        ("/v1/completions", r#"{"prompt":"a","model":"e","future":1}"#, None),
    ] {
        let passed = server.send(&server.key, path, &[], body);
        assert_eq!((passed.status, passed.text().as_str()), (200, answer));
        let request = gateway.requests().pop().expect("sent");
        assert_eq!((request.path.as_str(), &*request.body), (path, body.as_bytes()));
        assert_eq!(passed.header("x-llm-cost-usd"), cost);
    }
    assert_eq!(first.log()[0]["usage"]["input_tokens"], 7);
    let counted = server.send(
        &server.key,
        "/v1/messages/count_tokens",
        &[],
        r#"{"model":"e","messages":[{"role":"user","content":"abcdefgh"}]}"#,
    );
    assert_eq!((counted.status, counted.header("x-llm-estimated")), (200, Some("true")));
    assert!(counted.json()["input_tokens"].as_u64().expect("a count") >= 2);

    let gateway = Gateway::always(Reply::with_body(200, "application/json", r#"{"input_tokens": 31}"#));
    let second = home(&gateway, "anthropic");
    let server = Server::start(&second, &[]);
    let body = r#"{"model":"e","messages":[{"role":"user","content":[{"type":"hologram"}]}]}"#;
    let counted = server.send(&server.key, "/v1/messages/count_tokens", &[("anthropic-beta", "new-1")], body);
    assert_eq!((counted.status, counted.text().as_str()), (200, r#"{"input_tokens": 31}"#));
    let request = gateway.request();
    assert_eq!((request.path.as_str(), request.header("anthropic-beta")), ("/v1/messages/count_tokens", Some("new-1")));
    assert_eq!(second.log()[0]["cost"]["usd"], Value::Null, "a count costs nothing that is known");
}

#[test]
fn the_list_of_models_has_the_form_of_whoever_asks() {
    let server_home = Home::new().config("[alias.fast]\nmodels = [\"demo::demo/quick\"]\n");
    let server = Server::start(&server_home, &["-g", "demo"]);
    let list = server.get(&server.key, "/v1/models").json();
    assert_eq!((&list["object"], &list["data"][0]["id"]), (&json!("list"), &json!("fast")));
    assert!(
        list["data"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|model| model["id"] == "demo/quick" && model["pricing"].is_object())
    );
    let google = server.get(&server.key, "/v1beta/models").json();
    assert_eq!(google["models"][0]["name"], "models/fast");
    let headers = [("x-api-key", &*server.key), ("anthropic-version", "2023-06-01")];
    let anthropic = server.open("GET", "/v1/models", &headers, b"").answer().json();
    assert_eq!((&anthropic["data"][0]["type"], &anthropic["first_id"]), (&json!("model"), &json!("fast")));
    assert_eq!(server.get(&server.key, "/v1/models/demo/quick").json()["id"], "demo/quick");
    assert_eq!(server.get(&server.key, "/v1/models/none").status, 404);
    let limited = Server::new_key(&server_home, "limited", &["--models", "fast"]);
    server.wait_until("the key", |server| server.get(&limited, "/v1/models").status == 200);
    let ids: Vec<_> = server.get(&limited, "/v1/models").json()["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|model| model["id"].clone())
        .collect();
    assert_eq!(ids, ["fast"]);
}

#[test]
fn a_failure_has_the_shape_of_the_clients_format_and_a_status_that_is_true_for_it() {
    for (upstream, shown) in [
        (401, 502),
        (403, 502),
        (402, 502),
        (407, 502),
        (421, 502),
        (404, 404),
        (400, 400),
        (413, 413),
        (500, 500),
        (529, 529),
    ] {
        let gateway = Gateway::always(Reply::error(upstream, &format!("no, {KEY}")));
        let home = home(&gateway, "openai-chat");
        std::fs::write(
            home.path().join("llm.toml"),
            std::fs::read_to_string(home.path().join("llm.toml")).expect("a config")
                + "[alias.once]\nmodels = [\"m\"]\nretries = 0\n",
        )
        .expect("a config");
        let server = Server::start(&home, &[]);
        let answer = server.ask(&server.key, "once");
        assert_eq!(answer.status, shown, "{upstream}: {}", answer.text());
        let id = answer.header("x-request-id").expect("an id").to_owned();
        assert_eq!(answer.json()["error"]["request_id"], *id);
        let body = r#"{"model":"once","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
        let anthropic = server.send(&server.key, "/v1/messages", &[], body);
        let error = anthropic.json();
        assert_eq!((anthropic.status, &error["type"]), (shown, &json!("error")));
        assert_eq!(error["request_id"], *anthropic.header("x-request-id").expect("an id"));
        let body = r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#;
        let google = server.send(&server.key, "/v1beta/models/once:generateContent", &[], body).json();
        assert_eq!(google["error"]["code"], shown, "{google}");
        assert!(google["error"]["details"].to_string().contains("RequestInfo"), "{google}");
        for text in [answer.text(), error.to_string(), google.to_string()] {
            assert!(!text.contains(KEY), "{text}");
        }
    }
}

#[test]
fn another_model_answers_where_the_first_fails_before_its_answer() {
    let error = Reply::sse().role().error_event(503, "overloaded");
    let gateway = Gateway::by(move |request| match request.model().as_str() {
        "a" => error.clone().end(),
        _ => Reply::stream(&["from b"]),
    });
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[alias.both]\nmodels = [\"a\", \"b\"]\nretries = 0\n");
    let server = Server::start(&home, &[]);
    let body = r#"{"model":"both","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
    let answer = server.send(&server.key, "/v1/chat/completions", &[], body);
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("from b") && !answer.text().contains("overloaded"), "{}", answer.text());
    assert_eq!((answer.header("x-llm-model"), answer.header("x-llm-attempts")), (Some("b"), Some("2")));
}

#[test]
fn a_key_that_a_gateways_upstream_refuses_is_not_that_of_this_server() {
    let message = "litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided";
    let gateway = Gateway::always(Reply::error(401, message));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let body = r#"{"model":"up::m","messages":[{"role":"user","content":"hi"}]}"#;
    let answer = server.send(&server.key, "/v1/chat/completions", &[], body);
    assert!(answer.status == 502 && answer.text().contains("refused by its upstream"), "{}", answer.text());
    let ask = home.llm(["ask", "-m", "up::m", "--fallback", "up::n", "hi"]).output();
    ask.exits(4).says("n is not tried: whoever runs the gateway").says("your key is fine");
}

#[test]
fn the_next_model_is_asked_where_a_whole_answer_is_empty() {
    for (api, path, empty) in [
        (
            "openai-chat",
            "/v1/chat/completions",
            json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}}),
        ),
        (
            "openai-chat",
            "/v1/chat/completions",
            json!({"choices": [{"message": {"content": null}, "finish_reason": null}]}),
        ),
        ("anthropic", "/v1/messages", json!({"type": "message", "role": "assistant", "content": []})),
        ("gemini", "/v1beta/models/both:generateContent", json!({"usageMetadata": {"promptTokenCount": 3}})),
    ] {
        let good = match api {
            "anthropic" => {
                json!({"type": "message", "role": "assistant", "content": [{"type": "text", "text": "good"}], "stop_reason": "end_turn"})
            }
            "gemini" => json!({"candidates": [{"content": {"parts": [{"text": "good"}]}, "finishReason": "STOP"}]}),
            _ => json!({"choices": [{"message": {"content": "good"}, "finish_reason": "stop"}]}),
        };
        let bad = empty.clone();
        let gateway = Gateway::by(move |request| {
            let is_bad = request.path.contains("bad") || request.model() == "bad";
            Reply::json(200, if is_bad { &bad } else { &good })
        });
        let home = home(&gateway, api);
        let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
        home.file("llm.toml", config + "[alias.both]\nmodels = [\"up::bad\", \"up::good\"]\nretries = 0\n");
        let server = Server::start(&home, &[]);
        let body = match api {
            "gemini" => json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
            _ => json!({"model": "both", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}),
        };
        let answer = server.send(&server.key, path, &[], body.to_string());
        assert!(answer.status == 200 && answer.text().contains("good"), "{api} {empty}: {}", answer.text());
        let (path, alone) = (path.replace("both", "bad"), body.to_string().replace("both", "bad"));
        let alone = server.send(&server.key, &path, &[], alone);
        assert_eq!(alone.status, 502, "{api} {empty}: {}", alone.text());
    }
}

#[test]
fn a_model_that_is_left_out_is_named_where_the_others_fail() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "down" => Reply::error(503, "out of order"),
        _ => Reply::stream(&["yes"]),
    });
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    let more = format!(
        "[gateway.gm]\nbase_url = \"{0}\"\napi = \"gemini\"\nauth = \"none\"\n\
         [gateway.gm2]\nbase_url = \"{0}\"\napi = \"gemini\"\nauth = \"none\"\n\
         [alias.chain]\nmodels = [\"down\", \"gm::spare\", \"gm2::spare\"]\nretries = 0\n\
         [alias.well]\nmodels = [\"gm::spare\", \"up::fine\"]\n",
        gateway.base_url()
    );
    home.file("llm.toml", config + &more);
    let free = Server::new_key(&home, "free", &[]);
    let limited = Server::new_key(&home, "limited", &["--refuse", "gm::*"]);
    let server = Server::start(&home, &[]);
    let bias = json!({"logit_bias": {"1": 2}});
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}});
    let one = json!({"tools": [tool], "parallel_tool_calls": false});
    let ask = |key: &str, model: &str, more: &Value, stream: bool| {
        let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        server.send(key, "/v1/chat/completions", &[], body.to_string())
    };
    let refused = "the key limited may not be used for it";
    let untold = "cannot be translated";
    for (key, more, whys) in
        [(&free, &bias, [untold, untold]), (&free, &one, [untold, untold]), (&limited, &one, [refused, untold])]
    {
        for stream in [false, true] {
            let answer = ask(key, "chain", more, stream);
            let text = answer.text();
            assert_eq!(answer.status, 503, "{text}");
            let message = answer.json()["error"]["message"].as_str().expect("words").to_owned();
            let told: Vec<&str> = message.split("; ").collect();
            assert!(told.len() == 3 && told[0].contains("out of order"), "{message}");
            for ((said, name), why) in told[1..].iter().zip(["gm::spare", "gm2::spare"]).zip(whys) {
                assert!(said.starts_with(&format!("{name} is not tried: ")) && said.contains(why), "{message}");
            }
        }
        for stream in [false, true] {
            let answer = ask(key, "well", more, stream);
            let told = answer.header("x-llm-not-tried").unwrap_or_default();
            assert_eq!((answer.status, told.starts_with("spare is not tried: ")), (200, true), "{told}");
        }
    }
    assert!(gateway.requests().iter().all(|request| request.path.ends_with("/chat/completions")));
}

#[test]
fn an_answer_that_breaks_off_tells_its_client_so() {
    let gateway = Gateway::always(Reply::sse().role().text("half").close());
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
    let text = server.send(&server.key, "/v1/chat/completions", &[], body).text();
    assert!(text.contains("half") && text.contains("\"error\""), "{text}");
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}"#;
    let text = server.send(&server.key, "/v1/messages", &[], body).text();
    assert!(text.contains("half") && text.contains("event: error"), "{text}");
    assert_eq!(server.recorded(&home, 2)[0]["status"], "truncated");
}

#[test]
fn an_end_that_nobody_knows_means_the_same_to_every_client() {
    let gateway = Gateway::by(|request| {
        let (word, arguments) = match request.model().as_str() {
            "whole" => ("weird", Some(r#"{"a":1}"#)),
            "cut" => ("weird", Some(r#"{"a":1"#)),
            "void" => ("network_error", None),
            "stopped" => ("stop", Some("{}")),
            "none" => ("tool_calls", None),
            _ => {
                return if request.json()["stream"] == true {
                    Reply::stream(&["second"])
                } else {
                    Reply::unary("second")
                };
            }
        };
        let call = |arguments| json!([{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]);
        let said = json!({"role": "assistant", "tool_calls": arguments.map(call)});
        let choice = json!({"index": 0, "delta": said, "message": said, "finish_reason": word});
        let body = json!({"id": "i", "model": "m", "choices": [choice]});
        match request.json()["stream"] == true {
            true => Reply::with_body(200, "text/event-stream", format!("data: {body}\n\ndata: [DONE]\n\n")),
            false => Reply::json(200, &body),
        }
    });
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[alias.both]\nmodels = [\"void\", \"m\"]\nretries = 0\n");
    let server = Server::start(&home, &[]);
    let clients = [
        ("/v1/responses", json!({"input": "hi"}), "\"status\":\"completed\"", "\"status\":\"incomplete\""),
        (
            "/v1/messages",
            json!({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}),
            "\"stop_reason\":\"tool_use\"",
            "\"stop_reason\":\"weird\"",
        ),
        ("/v1/chat/completions", json!({"messages": [{"role": "user", "content": "hi"}]}), "\"weird\"", "\"weird\""),
    ];
    for (path, body, whole, cut) in clients {
        for streams in [false, true] {
            let ask = |model: &str| {
                let mut body = body.clone();
                (body["model"], body["stream"]) = (model.into(), streams.into());
                server.send(&server.key, path, &[], body.to_string())
            };
            let last = |model: &str| {
                let text = ask(model).text();
                let last = text.rsplit("data: {").find(|event| {
                    event.contains("stop_reason")
                        || event.contains("\"finish_reason\":\"")
                        || event.contains("response")
                });
                last.expect("an event").to_owned()
            };
            let told = last("whole");
            assert!(told.contains(whole) && !(whole != cut && told.contains(cut)), "{path} {streams}: {told}");
            let told = last("cut");
            assert!(told.contains(cut) && !(whole != cut && told.contains(whole)), "{path} {streams}: {told}");
            // Whole calls are calls, also where their gateway says that the answer has stopped.
            let told = last("stopped");
            let is_call = [whole, "\"finish_reason\":\"stop\""].iter().any(|end| told.contains(end));
            assert!(is_call && !told.contains("end_turn"), "{path}: {told}");
            // No other format says that calls came where none did.
            let told = last("none");
            let is_cut =
                ["\"finish_reason\":\"tool_calls\"", "\"stop_reason\":\"max_tokens\"", "\"status\":\"incomplete\""]
                    .iter()
                    .any(|end| told.contains(end));
            assert!(is_cut && !told.contains("\"tool_use\"") && !told.contains("\"completed\""), "{path}: {told}");
            let answer = ask("both");
            assert!(answer.status == 200 && answer.text().contains("second"), "{path} {streams}: {}", answer.text());
            assert_eq!((answer.header("x-llm-model"), answer.header("x-llm-attempts")), (Some("m"), Some("2")));
            let failed = ask("void");
            assert_eq!(failed.status, 502, "{path} {streams}");
            assert!(failed.text().contains("ended the answer before it began: network_error"), "{}", failed.text());
        }
    }
}

#[test]
fn what_came_of_an_answer_in_one_piece_that_failed_reaches_its_client_and_nothing_else_is_asked() {
    let gateway = Gateway::by(|request| {
        let content = match request.model().as_str() {
            "m" => return Reply::unary("second"),
            "void" => "",
            _ => "Half",
        };
        let message = json!({"role": "assistant", "content": content});
        let choice = json!({"index": 0, "message": message, "finish_reason": "error"});
        Reply::json(200, &json!({"id": "c", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 5}}))
    });
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    let alias = |name: &str, first: &str| format!("[alias.{name}]\nmodels = [\"{first}\", \"m\"]\nretries = 0\n");
    home.file("llm.toml", config + &alias("both", "half") + &alias("neither", "void"));
    let server = Server::start(&home, &[]);
    for path in ["/v1/chat/completions", "/v1/messages"] {
        for (model, expected) in [("both", "Half"), ("neither", "second")] {
            let body = json!({"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
            let answer = server.send(&server.key, path, &[], body.to_string());
            let text = answer.text();
            assert!(answer.status == 200 && text.contains(expected), "{path} {model}: {} {text}", answer.status);
        }
    }
}

#[test]
fn a_stream_that_nobody_asked_for_is_an_answer_only_if_it_is_whole() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "good" => Reply::stream(&["fine"]),
        _ => Reply::sse().role().text("part").end(),
    });
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    for (model, is_whole) in [("good", true), ("cut", false)] {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
        let answer = server.send(&server.key, "/v1/chat/completions", &[], body.to_string());
        assert_eq!(answer.status == 200, is_whole, "{model}: {} {}", answer.status, answer.text());
        assert_eq!(answer.text().contains("\"error\""), !is_whole, "{model}: {}", answer.text());
    }
}

#[test]
fn a_filter_before_any_answer_lets_the_next_model_answer_and_is_told_by_the_last() {
    let gateway = Gateway::by(|request| {
        let streams = request.json()["stream"] == true;
        if request.model() == "m" {
            return if streams { Reply::stream(&["second"]) } else { Reply::unary("second") };
        }
        let said = json!({"role": "assistant", "content": ""});
        let choice = json!({"index": 0, "delta": said, "message": said, "finish_reason": "content_filter"});
        let body = json!({"id": "filtered", "model": "m", "choices": [choice]});
        match streams {
            true => Reply::with_body(200, "text/event-stream", format!("data: {body}\n\ndata: [DONE]\n\n")),
            false => Reply::json(200, &body),
        }
    });
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[alias.both]\nmodels = [\"strict\", \"m\"]\nretries = 0\n");
    let server = Server::start(&home, &[]);
    for (path, word) in [("/v1/chat/completions", "\"content_filter\""), ("/v1/messages", "\"refusal\"")] {
        for streamed in [false, true] {
            let ask = |model: &str| {
                let body = json!({"model": model, "stream": streamed, "max_tokens": 5,
                                  "messages": [{"role": "user", "content": "hi"}]});
                server.send(&server.key, path, &[], body.to_string())
            };
            let answer = ask("both");
            let text = answer.text();
            assert!(answer.status == 200 && text.contains("second"), "{path} {streamed}: {text}");
            assert!(!text.contains("filter") && !text.contains("refusal"), "{path} {streamed}: {text}");
            let alone = ask("strict");
            assert!(alone.status == 200 && alone.text().contains(word), "{path} {streamed}: {}", alone.text());
        }
    }
}

#[test]
fn a_filtered_answer_is_no_part_of_a_cached_one_and_hides_no_other_of_several() {
    let gateway = Gateway::by(|request| {
        let choice =
            |index, text: &str, end| json!({"index": index, "message": {"content": text}, "finish_reason": end});
        let choices = match (request.model().as_str(), request.json()["n"].as_u64()) {
            ("m", _) => json!([choice(0, "second", "stop")]),
            (_, Some(2)) => json!([choice(0, "", "content_filter"), choice(1, "other", "stop")]),
            _ => json!([choice(0, "", "content_filter")]),
        };
        Reply::json(200, &json!({"id": "i", "model": "m", "choices": choices}))
    });
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file(
        "llm.toml",
        config + "[cache]\nenabled = true\n[alias.both]\nmodels = [\"strict\", \"m\"]\nretries = 0\n",
    );
    let server = Server::start(&home, &[]);
    let ask = |n: u64| {
        let body = json!({"model": "both", "n": n, "messages": [{"role": "user", "content": "hi"}]});
        server.send(&server.key, "/v1/chat/completions", &[], body.to_string())
    };
    let first = ask(1).json();
    assert_eq!(first["choices"][0]["message"]["content"], "second");
    assert_eq!(ask(1).json()["choices"], first["choices"], "from the cache");
    let several = ask(2).json();
    assert_eq!(several["choices"][1]["message"]["content"], "other", "{several}");
}

#[test]
fn a_key_in_the_media_type_of_an_answer_is_masked() {
    let gateway = Gateway::by(|request| {
        let streams = request.json()["stream"] == true;
        let kind = format!("{}; k={KEY}", if streams { "text/event-stream" } else { "application/json" });
        let choice =
            json!({"index": 0, "delta": {"content": "a"}, "message": {"content": "a"}, "finish_reason": "stop"});
        let body = json!({"choices": [choice]});
        let body = if streams { format!("data: {body}\n\ndata: [DONE]\n\n") } else { body.to_string() };
        Reply::with_body(200, &kind, body)
    });
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    for streamed in [false, true] {
        let body = json!({"model": "m", "stream": streamed, "messages": [{"role": "user", "content": "hi"}]});
        let answer = server.send(&server.key, "/v1/chat/completions", &[], body.to_string());
        let kind = answer.header("content-type").expect("a media type");
        assert!(answer.status == 200 && kind.ends_with("; k=***"), "{kind}");
    }
}

#[test]
fn the_tokens_of_a_request_in_a_request_are_counted_by_the_model_of_an_alias() {
    let gateway = Gateway::always(Reply::json(200, &json!({"totalTokens": 5})));
    let home = home(&gateway, "gemini");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[alias.fast]\nmodels = [\"gemini-x\"]\n");
    let server = Server::start(&home, &[]);
    let count = |inner: &str| {
        let body = json!({"generateContentRequest": {"model": inner, "contents": [{"parts": [{"text": "hi"}]}]}});
        server.send(&server.key, "/v1beta/models/fast:countTokens", &[], body.to_string())
    };
    assert_eq!(count("models/fast").status, 200);
    let sent = gateway.requests().pop().expect("a request");
    assert!(sent.path.contains("models/gemini-x:countTokens"), "{}", sent.path);
    assert_eq!(sent.json()["generateContentRequest"]["model"], "models/gemini-x");
    assert_eq!(count("models/dear").status, 400);
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn an_answer_that_is_cut_at_its_limit_is_an_answer() {
    let gateway = Gateway::always(Reply::with_body(
        200,
        "application/json",
        r#"{"choices":[{"message":{"content":"cut"},"finish_reason":"length"}]}"#,
    ));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#;
    let translated = server.send(&server.key, "/v1/messages", &[], body);
    assert_eq!((translated.status, &translated.json()["stop_reason"]), (200, &json!("max_tokens")));
    let passed = server.send(&server.key, "/v1/chat/completions", &[], body);
    assert_eq!((passed.status, &passed.json()["choices"][0]["finish_reason"]), (200, &json!("length")));
}

#[test]
fn a_trace_goes_on_and_the_key_of_a_clients_request_is_its_own() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let other = Server::new_key(&home, "other", &["--tag", "team=a"]);
    server.wait_until("the key", |server| server.get(&other, "/v1/models").status == 200);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers =
        [("traceparent", trace), ("idempotency-key", "mine"), ("x-llm-tag-team", "b"), ("x-llm-tag-app", "bot")];
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let first = server.send(&server.key, "/v1/chat/completions", &headers, body);
    server.send(&server.key, "/v1/chat/completions", &headers, body);
    server.send(&other, "/v1/chat/completions", &headers, body);
    let requests = gateway.requests();
    let onward = requests[0].header("traceparent").expect("a trace");
    let span: String = first.header("x-llm-call-id").expect("an id").chars().filter(char::is_ascii_hexdigit).collect();
    assert_eq!(onward, format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", &span[16..]));
    let keys: Vec<_> = requests.iter().map(|request| request.header("idempotency-key").expect("a key")).collect();
    assert_eq!(keys[0], keys[1], "the same request of the same client");
    assert_ne!(keys[0], keys[2], "another client never gets this one's answer");
    assert_eq!(
        server.recorded(&home, 3)[0]["tags"],
        json!({"team": "a", "app": "bot"}),
        "the tags of the key come first"
    );
    assert_eq!(requests[0].header("authorization"), Some(&*format!("Bearer {KEY}")));
}

#[test]
fn a_cached_answer_is_its_clients_own() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[cache]\nenabled = true\n");
    let server = Server::start(&home, &[]);
    let other = Server::new_key(&home, "other", &[]);
    server.wait_until("the key", |server| server.get(&other, "/v1/models").status == 200);
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let ask = |key: &str, headers: &[(&str, &str)]| {
        let answer = server.send(key, "/v1/chat/completions", headers, body);
        (
            answer.header("x-llm-cache").expect("a header").to_owned(),
            answer.json()["choices"][0]["message"]["content"].clone(),
        )
    };
    assert_eq!(ask(&server.key, &[]), ("miss".into(), json!("yes")));
    assert_eq!(ask(&server.key, &[]), ("hit".into(), json!("yes")));
    assert_eq!(ask(&server.key, &[("x-llm-cache", "off")]), ("off".into(), json!("yes")));
    assert_eq!(ask(&other, &[]), ("miss".into(), json!("yes")));
    assert_eq!(gateway.requests().len(), 3);
}

#[test]
fn what_a_model_refuses_in_one_request_is_kept_in_those_of_others() {
    let gateway = Gateway::by(|request| {
        let body = request.json();
        let is_refused = !body["reasoning_effort"].is_null() && !body["temperature"].is_null();
        let refusal = json!({"error": {"message": "'temperature' is not supported here", "param": "temperature"}});
        if is_refused { Reply::json(400, &refusal) } else { Reply::unary("yes") }
    });
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let ask = |fields: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{fields}}}"#);
        let answer = server.send(&server.key, "/v1/chat/completions", &[], body);
        let sent = gateway.requests().last().expect("a request").json();
        (answer.status, answer.header("x-llm-ignored").map(str::to_owned), !sent["temperature"].is_null())
    };
    let both = r#""temperature":0,"reasoning_effort":"high""#;
    let left_out = (200, Some("temperature".to_owned()), false);
    assert_eq!(ask(both), left_out, "after one refusal");
    assert_eq!(ask(both), left_out, "at once");
    assert_eq!(gateway.requests().len(), 3);
    assert_eq!(ask(r#""temperature":0"#), (200, None, true), "the model takes it alone");
}

#[test]
fn calls_that_come_without_an_id_get_one_that_no_other_has() {
    let call = json!({"functionCall": {"name": "f", "args": {}}});
    let answer = json!({"candidates": [{"index": 0, "content": {"parts": [call, call]}, "finishReason": "STOP"}]});
    let gateway = Gateway::by(move |request| match request.path.contains("stream") {
        true => Reply::sse().bytes(format!("data: {answer}\n\n")).end(),
        false => Reply::json(200, &answer),
    });
    let home = home(&gateway, "gemini");
    let server = Server::start(&home, &[]);
    let mut ids = std::collections::BTreeSet::new();
    for stream in [false, true] {
        let body = json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hi"}]});
        let answer = server.send(&server.key, "/v1/chat/completions", &[], body.to_string()).text();
        ids.extend(answer.split("\"id\":\"call_").skip(1).map(|rest| rest.split('"').next().unwrap_or("").to_owned()));
    }
    assert_eq!(ids.len(), 4, "{ids:?}");
}

#[test]
fn a_cached_answer_is_the_one_that_its_client_got() {
    let choice =
        |index: u64, text: &str| json!({"index": index, "message": {"content": text}, "finish_reason": "stop"});
    let whole = json!({"id": "c", "choices": [choice(0, "one"), choice(1, "two")], "citations": ["here"]});
    let gateway = Gateway::by(move |request| match request.json()["stream"] == true {
        true => Reply::stream(&["some ", "text"]),
        false => Reply::json(200, &whole),
    });
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[cache]\nenabled = true\n");
    let server = Server::start(&home, &[]);
    let ask = |path: &str, headers: &[(&str, &str)], fields: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let answer = server.send(&server.key, path, headers, body.to_string());
        (
            answer.header("x-llm-cache").map(str::to_owned),
            answer.header("content-type").map(str::to_owned),
            answer.text(),
        )
    };
    for fields in [json!({"n": 1}), json!({"stream": true})] {
        let first = ask("/v1/chat/completions", &[], fields.clone());
        let second = ask("/v1/chat/completions", &[], fields);
        assert_eq!((first.0.as_deref(), second.0.as_deref()), (Some("miss"), Some("hit")));
        assert_eq!((first.1, first.2), (second.1, second.2));
    }
    // What is sent on may change the answer.
    let with = |beta: &str| ask("/v1/chat/completions", &[("openai-beta", beta)], json!({"n": 1})).0;
    assert_eq!([with("a"), with("b"), with("a")].map(Option::unwrap_or_default), ["miss", "miss", "hit"]);
    // Nobody knows whether the second of two answers is whole.
    let two = || ask("/v1/chat/completions", &[], json!({"n": 2})).0;
    assert!([two(), two()].iter().flatten().all(|cache| cache != "hit"));
    // In another format, the answer is written anew.
    let translated = || ask("/v1/messages", &[], json!({"max_tokens": 9, "stream": true}));
    let (first, second) = (translated(), translated());
    assert_eq!((first.0.as_deref(), second.0.as_deref()), (Some("miss"), Some("hit")));
    assert!(second.2.contains("some ") && second.2.contains("message_stop"), "{}", second.2);
}

#[test]
fn one_part_that_is_not_known_hides_no_prompt_from_the_owner() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let parts =
        json!([{"type": "text", "text": "look at the pelican"}, {"type": "video_url", "video_url": {"url": "u"}}]);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": parts}]});
    let answer = server.send(&server.key, "/v1/chat/completions", &[], body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    server.recorded(&home, 1);
    let id = answer.header("x-llm-call-id").expect("an id");
    let found = home.llm(["log", "--search", "pelican", "-o", "json"]).output().json();
    assert_eq!(found[0]["id"], id, "{found}");
    let shown = home.llm(["log", "show", id]).output().stdout();
    assert!(shown.contains("look at the pelican") && shown.contains("[video_url]"), "{shown}");
    // What is sent again is the client's body.
    home.llm(["rerun", id, "-m", "up::m"]).output().exits(0);
    assert_eq!(gateway.requests()[1].json()["messages"], body["messages"]);
}

#[test]
fn signed_reasoning_goes_back_to_the_model_that_it_comes_from_and_to_no_other() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "down" if request.json()["messages"].as_array().map(Vec::len) > Some(1) => Reply::error(404, "no such model"),
        _ => {
            let content =
                json!([{"type": "thinking", "thinking": "T", "signature": "c2ln"}, {"type": "text", "text": "yes"}]);
            Reply::json(200, &json!({"id": "m", "type": "message", "content": content, "stop_reason": "end_turn"}))
        }
    });
    let home = home(&gateway, "anthropic");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[alias.both]\nmodels = [\"up::down\", \"up::other\"]\n");
    let server = Server::start(&home, &[]);
    let user = |text: &str| json!({"role": "user", "content": text});
    let ask = |messages: Value| {
        let body = json!({"model": "both", "messages": messages});
        server.send(&server.key, "/v1/chat/completions", &[], body.to_string()).json()
    };
    let answer = ask(json!([user("hi")]))["choices"][0]["message"].clone();
    ask(json!([user("hi"), answer, user("and?")]));
    let requests = gateway.requests();
    let signed = requests.iter().map(|request| {
        let body = String::from_utf8_lossy(&request.body);
        (request.model(), body.matches("\"signature\":\"c2ln\"").count(), body.contains("llm0"))
    });
    let meant = [("down", 0), ("down", 1), ("other", 0)].map(|(model, count)| (model.to_owned(), count, false));
    assert_eq!(signed.collect::<Vec<_>>(), meant);
}
