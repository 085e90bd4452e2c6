//! The demo gateway over all four wires: the same answer, the same errors, whatever carries them.

use serde_json::{Value, json};

use crate::support::Home;
use crate::support::process::Running;

const APIS: [(&str, &str); 4] =
    [("chat", "openai-chat"), ("responses", "openai-responses"), ("messages", "anthropic"), ("gemini", "gemini")];

/// A home with one gateway for each wire, all of them the same demo gateway, which runs as long as the second value.
fn four_wires() -> (Home, Running) {
    let home = Home::new();
    let demo = home.llm(["demo-gateway"]).stdin_open().start();
    demo.await_stdout("\n");
    let v1 = demo.stdout().trim().to_owned();
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
