//! How an answer ends that is not whole, for the client that waits for it.

use serde_json::{Value, json};

use super::{Server, home};
use crate::support::{Gateway, KEY, Reply};

/// The wire formats: their name, the path and the body of a request for a stream, and a piece of an answer.
fn wires(text: &str) -> [(&'static str, &'static str, Value, String); 4] {
    let messages = json!([{"role": "user", "content": "hi"}]);
    let chunk = json!({"choices": [{"index": 0, "delta": {"content": text}}]});
    let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    let output = json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "delta": text});
    let part = json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}]});
    [
        (
            "openai-chat",
            "/v1/chat/completions",
            json!({"model": "m", "stream": true, "messages": messages}),
            format!("data: {chunk}\n\n"),
        ),
        (
            "anthropic",
            "/v1/messages",
            json!({"model": "m", "stream": true, "max_tokens": 9, "messages": messages}),
            format!("event: content_block_delta\ndata: {delta}\n\n"),
        ),
        (
            "openai-responses",
            "/v1/responses",
            json!({"model": "m", "stream": true, "input": "hi"}),
            format!("event: response.output_text.delta\ndata: {output}\n\n"),
        ),
        (
            "gemini",
            "/v1beta/models/m:streamGenerateContent?alt=sse",
            json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
            format!("data: {part}\n\n"),
        ),
    ]
}

/// The errors that a stream of events tells.
fn errors(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: ")?.parse::<Value>().ok());
    let error =
        |event: Value| [&event["error"], &event["response"]["error"]].into_iter().find(|e| e.is_object()).cloned();
    data.filter_map(error).collect()
}

#[test]
fn a_stream_that_the_server_gives_up_tells_its_client_so_in_every_format() {
    for (api, path, body, piece) in wires("some") {
        let reply = |rest: &[u8]| Reply::sse_until_close().bytes(&piece).bytes(rest).close();
        let megabyte = wires(&"x".repeat(1 << 20)).into_iter().find(|wire| wire.0 == api).expect("a piece").3;
        let gateway = Gateway::in_turn(vec![
            reply(&megabyte.repeat(17).into_bytes()),
            reply(&format!("data: {}\n\n", "x".repeat((4 << 20) + 1)).into_bytes()),
            reply(&[b"data: {bad\n\n".repeat(1_000), piece.clone().into_bytes()].concat()),
            // The gateway's own word for it is enough.
            reply(b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n"),
        ]);
        let home = home(&gateway, api);
        let server = Server::start(&home, &[]);
        let told = ["the answer is longer than 16 MiB", "an event is longer than 4 MiB", "1000 events", "busy"];
        for message in told {
            let answer = server.send(&server.key, path, &[], body.to_string());
            let errors = errors(&answer.text());
            assert_eq!((answer.status, errors.len()), (200, 1), "{api}, {message}: {errors:?}");
            assert!(errors[0]["message"].as_str().expect("a message").contains(message), "{api}: {errors:?}");
        }
    }
}

#[test]
fn an_answer_that_lost_a_piece_has_no_end_in_the_words_of_another_format() {
    let chunks = || Reply::sse().role().text("do ").bytes("data: {\"choices\":[{\"index\"\n\n").text("delete it");
    let whole = r#"{"choices":[{"index":0,"message":{"content":"do"},"finish_reason":"stop"}]}"#;
    let gateway = Gateway::by(move |request| match request.json()["stream"] == true {
        true => chunks().finish("stop").usage(9, 4).done(),
        false => Reply::with_body(200, "application/json", whole),
    });
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let ends = ["end_turn", "message_stop", "response.completed", "STOP"];
    for (api, path, body, _) in wires("") {
        let answer = server.send(&server.key, path, &[], body.to_string());
        let (text, errors) = (answer.text(), errors(&answer.text()));
        if api == "openai-chat" {
            // The client reads the gateway's own bytes, the damaged ones among them.
            assert!(text.contains("{\"choices\":[{\"index\"\n") && errors.is_empty(), "{text}");
            continue;
        }
        assert_eq!((answer.status, errors.len()), (200, 1), "{api}: {text}");
        assert!(errors[0]["message"].as_str().expect("a message").contains("some of it may be missing"), "{errors:?}");
        assert!(text.contains("delete it") && !ends.iter().any(|end| text.contains(end)), "{api}: {text}");
    }
}

#[test]
fn an_error_follows_a_line_that_was_cut_as_an_event_of_its_own() {
    let cut = "data: {\"id\":\"c1\",\"choices\":[{\"in";
    let gateway = Gateway::always(Reply::sse_until_close().text("some").bytes(cut).close());
    // With a key, lines are handed on as a whole; without one, as they come.
    let mut without = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(without.path().join("llm.toml")).expect("a config");
    without.file("llm.toml", config.replace("key_env = [\"UP_KEY\"]", "auth = \"none\""));
    without = without.env("UP_KEY", "");
    for home in [home(&gateway, "openai-chat"), without] {
        let server = Server::start(&home, &[]);
        let (_, path, body, _) = wires("").into_iter().next().expect("a format");
        let text = server.send(&server.key, path, &[], body.to_string()).text();
        assert_eq!(errors(&text).len(), 1, "{text}");
        assert!(text.contains("\n\ndata: {\"error\""), "{text}");
    }
}

#[test]
fn what_is_no_answer_is_refused_where_a_stream_was_asked_for() {
    let gateway = Gateway::always(Reply::with_body(200, "application/json", "{}"));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    for (_, path, body, _) in wires("") {
        let answer = server.send(&server.key, path, &[], body.to_string());
        assert_eq!(answer.status, 502, "{path}: {}", answer.text());
        assert!(answer.json()["error"].is_object(), "{}", answer.text());
    }
}

#[test]
fn a_picture_that_another_format_does_not_get_is_an_error_and_no_empty_answer() {
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}});
    let message = |text: Value| json!({"role": "assistant", "content": text, "images": [picture]});
    let choice = |part: &str, text: Value| json!({"index": 0, part: message(text), "finish_reason": "stop"});
    let of = |choice: Value| json!({"id": "c", "model": "m", "choices": [choice]});
    let (streamed, whole) = (of(choice("delta", "Here: ".into())), of(choice("message", Value::Null)));
    let gateway = Gateway::by(move |request| match request.json()["stream"] == true {
        true => Reply::sse().bytes(format!("data: {streamed}\n\n")).done(),
        false => Reply::json(200, &whole),
    });
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let ends = ["end_turn", "response.completed", "\"STOP\""];
    for (api, path, mut body, _) in wires("") {
        let streamed = server.send(&server.key, path, &[], body.to_string());
        assert_eq!(streamed.status, 200, "{}", streamed.text());
        if body.get("stream").is_some() {
            body["stream"] = false.into();
        }
        let path = path.replace("streamGenerateContent?alt=sse", "generateContent");
        let whole = server.send(&server.key, &path, &[], body.to_string());
        if api == "openai-chat" {
            // It gets the bytes.
            assert!(streamed.text().contains("QUJD") && errors(&streamed.text()).is_empty(), "{}", streamed.text());
            assert_eq!((whole.status, whole.text().contains("QUJD")), (200, true));
            continue;
        }
        let told = errors(&streamed.text());
        let text = streamed.text();
        assert!(text.contains("Here: ") && !ends.iter().any(|end| text.contains(end)), "{api}: {text}");
        assert!(told.len() == 1 && told[0]["message"].to_string().contains("holds a picture"), "{api}: {told:?}");
        assert_eq!((whole.status, whole.text().contains("holds a picture")), (502, true), "{api}: {}", whole.text());
    }
    let recorded = server.recorded(&home, 8);
    let with = |status: &str| recorded.iter().filter(|call| call["status"] == status).count();
    assert_eq!((with("ok"), gateway.requests().len()), (2, 8), "{recorded:?}");
    home.llm(["ask", "-m", "up::m", "draw"]).output().exits(8).says("holds a picture");
}

/// The text of a stream of chat completions and of messages, joined as a client does.
fn joined(stream: &str) -> String {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: ")?.parse::<Value>().ok());
    let text = |event: Value| {
        let paths = ["/choices/0/delta/content", "/delta/text", "/delta", "/candidates/0/content/parts/0/text"];
        paths.iter().find_map(|path| Some(event.pointer(path)?.as_str()?.to_owned()))
    };
    data.filter_map(text).collect()
}

#[test]
fn no_client_gets_the_gateways_key_from_the_words_of_a_model() {
    let (one, two) = KEY.split_at(KEY.len() - 3);
    let split = move || Reply::sse().role().text("it is ").text(&one[..5]).text(&one[5..]).text(two).text(" !");
    let gateway = Gateway::by(move |request| match (request.json()["stream"] == true, request.model().as_str()) {
        (true, "split") => split().finish("stop").usage(9, 4).done(),
        (true, _) => Reply::stream(&[&format!("it is {KEY} !")]),
        (false, _) => Reply::unary(&format!("it is {KEY} !")),
    });
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let mut calls = 0;
    for (api, path, body, _) in wires("") {
        for model in ["whole", "split"] {
            let (path, mut body) = (path.replace("models/m", &format!("models/{model}")), body.clone());
            if api != "gemini" {
                body["model"] = model.into();
            }
            let answer = server.send(&server.key, &path, &[], body.to_string()).text();
            let (said, errors) = (joined(&answer), errors(&answer));
            calls += 1;
            assert!(!said.contains(&KEY[..8]) && !answer.contains(KEY), "{api}, {model}: {answer}");
            if (api, model) == ("openai-chat", "split") {
                // The bytes of the gateway are passed on unchanged or not at all.
                assert_eq!(errors.len(), 1, "{answer}");
                assert!(answer.contains("a key of this server"), "{answer}");
            } else {
                assert!(errors.is_empty() && said.starts_with("it is ") && said.ends_with("*** !"), "{api}: {answer}");
            }
        }
        let (path, mut body) = (path.replace("streamGenerateContent?alt=sse", "generateContent"), body);
        if api != "gemini" {
            body["stream"] = false.into();
        }
        let whole = server.send(&server.key, &path, &[], body.to_string());
        calls += 1;
        assert!(whole.status == 200 && whole.text().contains("it is *** !"), "{api}: {}", whole.text());
    }
    // What is recorded is what was told.
    for call in server.recorded(&home, calls) {
        assert!(!call.to_string().contains(KEY), "{call}");
    }
}

#[test]
fn no_client_gets_the_gateways_key_from_parts_of_a_whole_answer() {
    // All of it, or an answer that was cut within it.
    for said in [KEY, &KEY[..KEY.len() - 1]] {
        let parts = said.as_bytes().chunks(5).flat_map(|piece| {
            let piece = str::from_utf8(piece).expect("ASCII");
            [json!({"text": "hm", "thought": true}), json!({"text": piece})]
        });
        let parts: Vec<Value> = parts.collect();
        let answer = json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]});
        let gateway = Gateway::always(Reply::json(200, &answer));
        let home = home(&gateway, "gemini");
        let server = Server::start(&home, &[]);
        let body = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
        let answer = server.send(&server.key, "/v1beta/models/m:generateContent", &[], body);
        assert!(answer.status == 502 && answer.text().contains("a key of this server"), "{}", answer.text());
    }
}

#[test]
fn a_stream_for_a_client_that_waits_for_a_whole_answer_has_a_largest_size() {
    let odd = format!("data: {{\"broken{}\n\n", "x".repeat(3 << 20));
    let stream = (0..12).fold(Reply::sse().role().text("start"), |reply, _| reply.bytes(&odd));
    let gateway = Gateway::always(stream.finish("stop").usage(9, 4).done());
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let answer = server.send(&server.key, "/v1/chat/completions", &[], body);
    assert!(answer.status == 502 && answer.text().contains("larger than 32 MiB"), "{}", answer.status);
}

#[test]
fn an_answer_of_one_event_without_a_line_end_reaches_its_client() {
    let event = r#"data: {"id":"c1","choices":[{"index":0,"delta":{"content":"all"},"finish_reason":"stop"}]}"#;
    for end in ["", "\n", "\n\n"] {
        let gateway = Gateway::always(Reply::sse_until_close().bytes(event).bytes(end).close());
        let home = home(&gateway, "openai-chat");
        let server = Server::start(&home, &[]);
        for (api, path, body, _) in wires("") {
            let answer = server.send(&server.key, path, &[], body.to_string());
            assert!(answer.status == 200 && answer.text().contains("all"), "{api} {end:?}: {}", answer.text());
            assert!(api != "openai-chat" || answer.text().starts_with(event), "{end:?}: {}", answer.text());
        }
    }
}
