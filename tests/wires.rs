//! The demo gateway over all four wires: the same answer, the same errors, whatever carries them.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::process::Running;
use crate::support::reply::{chunk, head};
use crate::support::{Gateway, Home, Outcome, Reply};

const APIS: [(&str, &str); 4] =
    [("chat", "openai-chat"), ("responses", "openai-responses"), ("messages", "anthropic"), ("gemini", "gemini")];

/// A home with one gateway for each wire, all of them the same demo gateway, which runs as long as the second value.
fn four_wires() -> (Home, Running) {
    let home = Home::new();
    let (demo, v1) = demo();
    let mut config = String::new();
    for (name, api) in APIS {
        let base_url = if api == "gemini" { v1.replace("/v1", "/v1beta") } else { v1.clone() };
        config.push_str(&format!("[gateway.{name}]\nbase_url = \"{base_url}\"\napi = \"{api}\"\nauth = \"none\"\n"));
    }
    (home.config(&config), demo)
}

/// The records of one question to one model over the four wires, without what tells them apart by right.
#[track_caller]
fn answers(home: &Home, model: &str, arguments: &[&str]) -> Vec<Value> {
    let names: Vec<String> = APIS.iter().map(|(name, _)| format!("{name}::{model}")).collect();
    let outcome = home.llm(["compare", "-m", &names.join(","), "-o", "json"]).args(arguments).output();
    let mut answers = outcome.json()["answers"].as_array().cloned().unwrap_or_else(|| panic!("no answers:\n{outcome}"));
    assert_eq!(answers.len(), 4);
    for answer in &mut answers {
        // Gemini's format has no place for what an answer cost.
        for field in ["id", "run", "model", "gateway", "timing", "cost"] {
            answer.as_object_mut().expect("a record").remove(field);
        }
        for attempt in answer["attempts"].as_array_mut().expect("a list") {
            for field in ["gateway", "start_ms", "duration_ms", "request_id", "cost"] {
                attempt.as_object_mut().expect("an attempt").remove(field);
            }
        }
    }
    answers
}

#[track_caller]
fn same(answers: &[Value]) -> &Value {
    for (answer, (name, _)) in answers.iter().zip(APIS) {
        assert_eq!(answer, &answers[0], "{name}");
    }
    &answers[0]
}

#[test]
fn the_same_question_gives_the_same_record_over_every_wire() {
    let (home, _demo) = four_wires();
    let question = ["-s", "Be brief.", "Summarize: the cat sat on the mät. It purred. 😀"];
    for model in ["demo/quick", "demo/thinker"] {
        for whole in [&[][..], &["-p", "stream=false"]] {
            let answers = answers(&home, model, &[&question[..], whole].concat());
            let answer = same(&answers);
            assert_eq!(answer["status"], "ok");
            assert_eq!(answer["finish_reason"], "stop");
            assert!(answer["text"].as_str().is_some_and(|text| text.ends_with("he cat sat on the mät.")), "{answer}");
            assert_eq!(answer["reasoning"].is_string(), model == "demo/thinker");
            assert!(answer["usage"]["input_tokens"].as_u64() > Some(8), "{answer}");
        }
    }
}

#[test]
fn tokens_are_as_likely_over_every_wire_that_can_say_so() {
    let (home, _demo) = four_wires();
    for stream in ["stream=true", "stream=false"] {
        let question = ["-p", stream, "--logprobs=2", "The cat sat."];
        let mut answers = answers(&home, "demo/quick", &question);
        let told = answers[0]["logprobs"].clone();
        let text: String =
            told.as_array().expect("a list").iter().filter_map(|token| token["token"].as_str()).collect();
        assert_eq!(json!(text), answers[0]["text"]);
        assert_eq!((&told[1]["logprob"], &told[1]["top"][1]["logprob"]), (&json!(-0.25), &json!(-2.25)));
        assert_eq!(answers[2]["logprobs"], json!(null), "Anthropic's format has no place for them");
        answers[2]["logprobs"] = told;
        same(&answers);
    }
    let alone = answers(&home, "demo/quick", &["--logprobs", "The cat sat."]);
    assert_eq!(alone[0]["logprobs"][0], json!({"token": "The", "logprob": -0.125, "top": []}));
    let unasked = answers(&home, "demo/quick", &["The cat sat."]);
    assert_eq!(same(&unasked)["logprobs"], json!(null));
}

#[test]
fn an_answer_that_is_cut_is_cut_alike() {
    let (home, _demo) = four_wires();
    let answers = answers(&home, "demo/quick", &["--max-tokens", "2", "The cat sat on the mat."]);
    let answer = same(&answers);
    assert_eq!((&answer["status"], &answer["text"]), (&json!("truncated"), &json!("The cat")));
}

#[test]
fn a_refusal_is_the_same_kind_of_failure_over_every_wire() {
    let (home, _demo) = four_wires();
    let answers = answers(&home, "demo/nobody", &["hi"]);
    let error = &same(&answers)["error"];
    assert_eq!((&error["kind"], &error["status"]), (&json!("not_found"), &json!(404)));
    let down = self::answers(&home, "demo/down", &["hi", "--retries", "0"]);
    assert_eq!(same(&down)["error"]["kind"], "unavailable");
}

#[test]
fn tools_are_called_alike_over_every_wire() {
    let (home, _demo) = four_wires();
    let tools = home.file(
        "tools.json",
        r#"[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":
            {"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}},{"name":"clock"}]"#,
    );
    let tools = tools.to_str().expect("UTF-8");
    for stream in ["stream=true", "stream=false"] {
        let mut answers =
            answers(&home, "demo/thinker", &["-p", stream, "--tools", tools, "Ask weather and clock for me."]);
        for answer in &mut answers {
            for call in answer["tool_calls"].as_array_mut().expect("a list") {
                assert!(call["id"].as_str().is_some_and(|id| !id.is_empty()), "{call}");
                call.as_object_mut().expect("a call").remove("id");
                // The text of a JSON value is another matter.
                let arguments: Value = serde_json::from_str(call["arguments"].as_str().expect("a text")).expect("JSON");
                call["arguments"] = arguments;
            }
        }
        let answer = same(&answers);
        let expected = json!([
            {"name": "weather", "arguments": {"city": "city", "days": 1}},
            {"name": "clock", "arguments": {}},
        ]);
        assert_eq!((&answer["tool_calls"], &answer["finish_reason"]), (&expected, &json!("tool_calls")));
        assert!(answer["reasoning"].is_string());
    }
}

#[test]
fn an_answer_follows_its_schema_over_every_wire() {
    let (home, _demo) = four_wires();
    let schema = home.file("schema.json", r#"{"type":"object","properties":{"n":{"type":"integer","minimum":7}}}"#);
    let answers = answers(&home, "demo/steady", &["--schema", schema.to_str().expect("UTF-8"), "Give a number."]);
    let answer = same(&answers);
    assert_eq!((&answer["status"], &answer["text"]), (&json!("ok"), &json!(r#"{"n":7}"#)));
}

/// The demo gateway, which runs as long as the first value, and its base URL.
fn demo() -> (Running, String) {
    let demo = Home::new().llm(["demo-gateway"]).stdin_open().start();
    demo.await_stdout("\n");
    let base_url = demo.stdout().trim().to_owned();
    (demo, base_url)
}

/// What the demo gateway answers to a request (`POST /path`) with these lines of the head: the head of the response,
/// and its body without the chunks' sizes.
fn exchange(base_url: &str, request: &str, headers: &[&str], body: &str) -> (String, String) {
    let (host, _) = base_url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a base URL");
    let mut connection = TcpStream::connect(host).expect("the demo gateway");
    let length = body.len();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head =
        format!("{request} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n");
    connection.write_all((head + body).as_bytes()).expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    let (head, mut rest) = answer.split_once("\r\n\r\n").expect("a head");
    let head = head.to_lowercase();
    if !head.contains("transfer-encoding: chunked") {
        return (head, rest.to_owned());
    }
    let mut body = String::new();
    while let Some((size, chunks)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
        body.push_str(&chunks[..size]);
        rest = &chunks[size + 2..];
    }
    (head, body)
}

fn post(base_url: &str, path: &str, body: &Value) -> (String, String) {
    exchange(base_url, &format!("POST {path}"), &[], &body.to_string())
}

/// The status of an answer in one piece, and its body.
fn json_of((head, body): (String, String)) -> (u16, Value) {
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {head}\n{body}")))
}

#[test]
fn the_list_of_models_has_the_form_of_the_wire_that_asks() {
    let (_demo, v1) = demo();
    let get = |path: &str, headers: &[&str]| json_of(exchange(&v1, &format!("GET {path}"), headers, ""));
    let (version, key) = (&["Anthropic-Version: 2023-06-01"][..], &["x-goog-api-key: k"][..]);
    let (_, openai) = get("/v1/models", &[]);
    assert_eq!((&openai["object"], &openai["data"][0]["object"]), (&json!("list"), &json!("model")));
    let ids: Vec<&str> =
        openai["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str()).collect();
    let (_, anthropic) = get("/v1/models?limit=100", version);
    let (first, last) = (&anthropic["first_id"], &anthropic["last_id"]);
    assert_eq!((first, last, &anthropic["has_more"]), (&json!(ids[0]), &json!(ids[ids.len() - 1]), &json!(false)));
    assert_eq!(anthropic["data"].as_array().map(Vec::len), Some(ids.len()));
    let model = &anthropic["data"][0];
    assert_eq!((&model["type"], &model["created_at"]), (&json!("model"), &json!("1970-01-01T00:00:00Z")));
    assert_eq!(&get("/v1/models/demo%2Fquick", version).1, model);
    for (path, headers) in [("/v1/models", key), ("/v1/models?pageSize=5&key=k", &[]), ("/v1beta/models", &[])] {
        let (_, gemini) = get(path, headers);
        assert_eq!(gemini["models"].as_array().map(Vec::len), Some(ids.len()), "{path}");
        assert_eq!(gemini["models"][0]["name"], format!("models/{}", ids[0]));
    }
    assert_eq!(get("/v1/models/demo/quick", key).1["name"], "models/demo/quick");
    assert_eq!(get("/v1/models/demo/quick", &[]).1["id"], "demo/quick");

    let (status, error) = get("/v1/models/nobody", version);
    assert_eq!((status, &error["error"]["type"]), (404, &json!("not_found_error")));
    let (status, error) = get("/v1/models/nobody", key);
    assert_eq!((status, &error["error"]["status"]), (404, &json!("NOT_FOUND")));
    assert_eq!(get("/v1/nowhere", version).1["type"], "error");
}

#[test]
fn tokens_are_counted_as_answers_report_them() {
    let (_demo, v1) = demo();
    let ask = |path: &str, body: &Value| json_of(post(&v1, path, body));
    let messages = json!([{"role": "user", "content": "The cat sat on the mat."}]);
    let mut request = json!({"model": "demo/quick", "system": "Be brief.", "messages": messages});
    let (status, count) = ask("/v1/messages/count_tokens", &request);
    request["max_tokens"] = json!(5);
    let (_, answer) = ask("/v1/messages", &request);
    assert_eq!((status, &count), (200, &json!({"input_tokens": answer["usage"]["input_tokens"]})));
    assert_eq!(count["input_tokens"], 8);

    let contents = json!([{"role": "user", "parts": [{"text": "The cat sat on the mat."}]}]);
    let system = json!({"parts": [{"text": "Be brief."}]});
    let whole = json!({"model": "models/demo/quick", "contents": contents, "systemInstruction": system});
    for prefix in ["/v1", "/v1beta"] {
        let path = format!("{prefix}/models/demo/quick:");
        let count = |body: &Value| ask(&format!("{path}countTokens"), body).1["totalTokens"].clone();
        assert_eq!(count(&json!({"contents": contents})), 6);
        let (_, answer) = ask(&format!("{path}generateContent"), &whole);
        assert_eq!(count(&json!({"generateContentRequest": whole})), answer["usageMetadata"]["promptTokenCount"]);
    }
    let (status, error) = ask("/v1/models/demo/nobody:countTokens", &json!({"contents": contents}));
    assert_eq!((status, &error["error"]["status"]), (404, &json!("NOT_FOUND")));
    let (status, error) = ask("/v1/messages/count_tokens", &json!({"model": "demo/quick"}));
    assert_eq!((status, &error["error"]["type"]), (400, &json!("invalid_request_error")));
}

#[test]
fn a_text_has_the_same_vector_in_both_encodings() {
    let (_demo, v1) = demo();
    let embed = |body: &Value| json_of(post(&v1, "/v1/embeddings", body));
    for wrong in [json!(["demo/quick", "a", 2, null]), Value::Null] {
        let (status, error) = embed(&wrong);
        assert_eq!((status, &error["error"]["message"]), (400, &json!("the request body is not a JSON object")));
    }
    let texts = json!(["the cat sat", "It rains."]);
    let (status, floats) = embed(&json!({"model": "demo/quick", "input": texts, "dimensions": 3}));
    assert_eq!((status, &floats["object"], &floats["data"][1]["index"]), (200, &json!("list"), &json!(1)));
    assert_eq!(floats["usage"], json!({"prompt_tokens": 5, "total_tokens": 5}));
    let question =
        json!({"model": "demo/steady", "input": "the cat sat", "dimensions": 3, "encoding_format": "base64"});
    let (_, coded) = embed(&question);
    let bytes = BASE64.decode(coded["data"][0]["embedding"].as_str().expect("a text")).expect("base64");
    let components: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let expected: Vec<f32> = serde_json::from_value(floats["data"][0]["embedding"].clone()).expect("numbers");
    assert_eq!((components.len(), &components), (3, &expected));
    let (_, tokens) = embed(&json!({"model": "demo/quick", "input": [[1, 2], [3]], "encoding_format": null}));
    assert_eq!(tokens["data"][1]["embedding"].as_array().map(Vec::len), Some(256));
    assert_eq!(tokens["usage"]["prompt_tokens"], 3);

    for (body, expected) in [
        (json!({"model": "demo/nobody", "input": "a"}), 404),
        (json!({"model": "demo/down", "input": "a"}), 503),
        (json!({"model": "demo/quick", "input": []}), 400),
        (json!({"model": "demo/quick", "input": ["a", ""]}), 400),
        (json!({"model": "demo/quick", "input": {"a": 1}}), 400),
        (json!({"model": "demo/quick", "input": "a", "dimensions": 0}), 400),
        (json!({"model": "demo/quick", "input": "a", "encoding_format": "hex"}), 400),
    ] {
        let (status, error) = embed(&body);
        assert_eq!((status, error["error"]["message"].is_string()), (expected, true), "{body}: {error}");
    }
}

#[test]
fn a_repeated_idempotency_key_is_a_try_of_the_same_request_and_every_answer_has_a_new_id() {
    let (_demo, v1) = demo();
    let messages = json!([{"role": "user", "content": "The cat sat."}]);
    let contents = json!([{"role": "user", "parts": [{"text": "The cat sat."}]}]);
    let mut ids = Vec::new();
    for (path, body, id) in [
        ("/v1/chat/completions", json!({"model": "demo/flaky", "messages": messages}), "id"),
        ("/v1/responses", json!({"model": "demo/flaky", "input": messages}), "id"),
        ("/v1/messages", json!({"model": "demo/flaky", "max_tokens": 9, "messages": messages}), "id"),
        ("/v1/models/demo/flaky:generateContent", json!({"contents": contents}), "responseId"),
    ] {
        let ask = |key: &str| {
            let header = format!("idempotency-key: {key}{path}");
            json_of(exchange(&v1, &format!("POST {path}"), &[&header], &body.to_string()))
        };
        let statuses = ["one", "one", "one", "two", "two"].map(|key| {
            let (status, answer) = ask(key);
            ids.extend(answer[id].as_str().map(str::to_owned));
            status
        });
        assert_eq!(statuses, [503, 200, 200, 503, 200], "{path}");
    }
    assert_eq!(ids.len(), 12, "{ids:?}");
    assert!(ids.iter().all(|id| !id.contains("one") && !id.contains("two")), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 12, "{ids:?}");
}

#[test]
fn geminis_stream_is_a_list_unless_events_are_asked_for() {
    let (_demo, v1) = demo();
    let question = json!({"contents": [{"role": "user", "parts": [{"text": "The cat sat on the mat."}]}]});
    let path = "/v1beta/models/demo/quick:streamGenerateContent";
    let (head, list) = post(&v1, path, &question);
    assert!(head.contains("content-type: application/json"), "{head}");
    let pieces: Vec<Value> = serde_json::from_str(&list).expect("a list");
    assert!(pieces.len() > 3, "in pieces: {list}");
    let (head, events) = post(&v1, &format!("{path}?alt=sse"), &question);
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    let events: Vec<Value> = events
        .split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").expect("an event")).expect("JSON"))
        .collect();
    let texts = |pieces: &[Value]| -> String {
        pieces.iter().filter_map(|piece| piece["candidates"][0]["content"]["parts"][0]["text"].as_str()).collect()
    };
    assert_eq!(texts(&pieces), texts(&events));
    assert!(texts(&pieces).contains("The cat sat on the mat."), "{list}");
    assert_eq!(pieces.last().expect("an end")["candidates"][0]["finishReason"], "STOP");
}

#[test]
fn a_stream_that_comes_as_a_list_is_told_piece_by_piece() {
    let piece = |text: &str, reason: Value| {
        json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": reason}]}).to_string()
    };
    let head = head(200, &[("content-type", "application/json"), ("transfer-encoding", "chunked")]);
    let begin = Reply::raw([head, b"\r\n".to_vec(), chunk(b"[")].concat());
    let say = |bytes: String| Reply::raw(chunk(bytes.as_bytes()));
    let first = piece("One ", Value::Null);
    let last = piece("two.", json!("STOP"));
    let (cut, rest) = last.split_at(30);
    let reply = begin
        .and(say(first))
        .gate()
        .and(say(format!(",\r\n{cut}")))
        .and(say(format!("{rest}\n")))
        // The list is closed; the connection stays open.
        .and(say("]".to_owned()))
        .hold();
    let gateway = Gateway::always(reply);
    let config = format!("[gateway.g]\nbase_url = \"{}\"\napi = \"gemini\"\nauth = \"none\"\n", gateway.base_url());
    let home = Home::new().config(&config);
    let running = home.llm(["ask", "-m", "g::m", "hi"]).start();
    // Nothing more is sent until this was told.
    running.await_stdout("One ");
    gateway.release();
    running.finish().exits(0).prints("One two.\n");
}

/// Two questions to a gateway for Gemini's format with these replies below these paths, and the paths that were asked.
fn ask_versions(base: &str, replies: [(&'static str, Reply); 2]) -> (Outcome, Vec<String>) {
    let gateway = Gateway::by(move |request| {
        let reply = replies.iter().find(|(start, _)| request.path.starts_with(start));
        reply.map_or_else(|| Reply::error(404, "Not Found"), |(_, reply)| reply.clone())
    });
    let url = format!("{}{base}", gateway.origin());
    let home = Home::new().config(&format!("[gateway.g]\nbase_url = \"{url}\"\napi = \"gemini\"\nauth = \"none\"\n"));
    let outcome = home.llm(["compare", "-m", "g::m,g::n", "-o", "json", "--concurrency", "1", "hi"]).output();
    let place = |path: &str| path.split_once("models/").map(|(place, _)| place.to_owned());
    (outcome, gateway.requests().iter().filter_map(|request| place(&request.path)).collect())
}

#[test]
fn the_version_is_found_out_by_each_command_and_leaves_no_file() {
    let gateway = Gateway::by(|request| match request.path.starts_with("/v1/") {
        true => Reply::json(
            200,
            &json!({"candidates": [{"content": {"parts": [{"text": "Hello."}]}, "finishReason": "STOP"}]}),
        ),
        false => Reply::error(404, "Not Found"),
    });
    let url = gateway.origin();
    let home = Home::new().config(&format!("[gateway.g]\nbase_url = \"{url}\"\napi = \"gemini\"\nauth = \"none\"\n"));
    for _ in 0..2 {
        home.llm(["ask", "-m", "g::m", "-o", "json", "hi"]).output().exits(0);
    }
    let asked: Vec<bool> = gateway.requests().iter().map(|request| request.path.starts_with("/v1/")).collect();
    assert_eq!(asked, [false, true, false, true]);
    assert!(home.files().iter().all(|path| !path.starts_with(home.path().join("cache"))), "{:?}", home.files());
}

#[test]
fn an_address_without_a_version_is_asked_for_one_and_then_for_another() {
    let answer = || {
        let candidate = json!({"content": {"parts": [{"text": "Hello."}]}, "finishReason": "STOP"});
        Reply::json(200, &json!({"candidates": [candidate]}))
    };
    let unknown = || Reply::error(404, "models/m is not found for API version v1beta. Call ListModels.");
    let not_allowed = || Reply::error(405, "Method Not Allowed");
    for (base, replies, code, paths) in [
        ("", [("/v1beta/", answer()), ("/v1/", answer())], 0, &["/v1beta/", "/v1beta/"][..]),
        // What was found out is known from then on.
        ("", [("/v1beta/", not_allowed()), ("/v1/", answer())], 0, &["/v1beta/", "/v1/", "/v1/"]),
        (
            "/at/corp",
            [("/at/corp/v1/", answer()), ("-", answer())],
            0,
            &["/at/corp/v1beta/", "/at/corp/v1/", "/at/corp/v1/"],
        ),
        ("", [("/models/", answer()), ("-", answer())], 0, &["/v1beta/", "/v1/", "/", "/"]),
        // A model that is not there is not there, and an address that is given is given.
        ("", [("/v1beta/", unknown()), ("/v1/", answer())], 1, &["/v1beta/", "/v1beta/"]),
        ("/v1beta", [("/v1/", answer()), ("-", answer())], 1, &["/v1beta/", "/v1beta/"]),
        ("", [("-", answer()), ("-", answer())], 1, &["/v1beta/", "/v1/", "/", "/v1beta/", "/v1/", "/"]),
    ] {
        let (outcome, asked) = ask_versions(base, replies);
        assert_eq!(
            (outcome.code(), asked),
            (Some(code), paths.iter().map(|path| (*path).to_owned()).collect()),
            "{base}\n{outcome}"
        );
    }
}
