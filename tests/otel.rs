//! `log export --format otel`: what leaves is OTLP's JSON with the attributes of the GenAI conventions, and no prompt.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{Gateway, Home, Reply};

const SCHEMA: &str = include_str!("fixtures/otlp/trace.schema.json");
const CANARY: &str = "CANARY-prompt-7c21";

fn problems(export: &Value) -> Vec<String> {
    let schema = serde_json::from_str(SCHEMA).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator.iter_errors(export).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// A ledger with a call of every kind: tried again, fallen back from, cut short, refused, continued, without texts.
fn ledger_of_all_kinds() -> Home {
    let gateway = Gateway::by(|request| match (request.model().as_str(), request.index) {
        ("flaky", 0) => Reply::error_with(503, &[("retry-after-ms", "1"), ("x-request-id", "req-1")], "overloaded"),
        ("down", _) => Reply::error(400, "no such thing"),
        ("cut", _) => Reply::sse().role().text("Half").finish("length").usage(12, 5).done().end(),
        _ => {
            let details = json!({"reasoning_tokens": 2});
            let usage = json!({"prompt_tokens": 12, "completion_tokens": 5, "completion_tokens_details": details,
                "prompt_tokens_details": {"cached_tokens": 8}});
            Reply::sse().role().reasoning("hm").text("Hello.").finish("stop").usage_json(&usage).done()
        }
    });
    let home = Home::with(&gateway).config("[price.\"*\"]\ninput = 1\noutput = 2\n");
    let asked = ["--temperature", "0.5", "--top-p", "0.9", "--max-tokens", "64", "--seed", "-7", "--stop", "END"];
    home.llm(["ask", "-m", "flaky", "--tag", "app=\"bot\"", "--tag", "a b=ü"])
        .args(asked)
        .arg(CANARY)
        .output()
        .exits(0);
    home.llm(["ask", "-c", CANARY]).output().exits(0);
    home.llm(["ask", "-m", "down", "--fallback", "other", CANARY]).output().exits(0);
    home.llm(["ask", "-m", "down", CANARY]).output().exits(1);
    home.llm(["ask", "-m", "cut", CANARY]).output().exits(8);
    home.llm(["ask", "--log", "metadata", CANARY]).output().exits(0);
    home.llm(["ask", "--cache", CANARY]).output().exits(0);
    home.llm(["ask", "--cache", CANARY]).output().exits(0);
    home.llm(["compare", "-m", "one,two,down", CANARY]).output().exits(8);
    home
}

fn export(home: &Home, arguments: &[&str]) -> Value {
    let outcome = home.llm(["log", "export", "--format", "otel"]).args(arguments).output();
    outcome.exits(0);
    assert!(!outcome.stdout().contains(CANARY), "{outcome}");
    outcome.json()
}

fn spans(export: &Value) -> Vec<Value> {
    export["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans").clone()
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let all = span["attributes"].as_array().expect("a list");
    &all.iter().find(|attribute| attribute["key"] == key).unwrap_or_else(|| panic!("{key} in {span}"))["value"]
}

#[test]
fn every_kind_of_call_is_valid_otlp() {
    let home = ledger_of_all_kinds();
    let export = export(&home, &[]);
    assert_eq!(problems(&export), Vec::<String>::new());
    let spans = spans(&export);
    let calls = home.log();
    let attempts: usize = calls.iter().filter_map(|call| call["attempts"].as_array()).map(Vec::len).sum();
    assert_eq!((calls.len(), spans.len()), (11, calls.len() + attempts));
    let ids: HashSet<&str> = spans.iter().filter_map(|span| span["spanId"].as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "ids differ");
    let runs: HashSet<&str> = spans.iter().filter_map(|span| span["traceId"].as_str()).collect();
    assert_eq!(runs.len(), 9, "a trace a run");
    for span in &spans {
        let nanos = |name: &str| span[name].as_str().and_then(|text| text.parse::<u64>().ok()).expect(name);
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"), "{span}");
        let keys: Vec<_> = span["attributes"].as_array().expect("a list").iter().map(|one| &one["key"]).collect();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len(), "no attribute twice: {keys:?}");
        if let Some(parent) = span.get("parentSpanId") {
            let parent = spans.iter().find(|other| other["spanId"] == *parent).expect("its call");
            assert_eq!(parent["traceId"], span["traceId"]);
        }
    }
    // It is of no use that a schema holds which holds for everything.
    for (pointer, wrong) in [
        ("/spanId", json!("0000000000000000")),
        ("/traceId", json!("not hexadecimal")),
        ("/kind", json!("SPAN_KIND_CLIENT")),
        ("/startTimeUnixNano", json!(1)),
        ("/attributes/0/value", json!({"stringValue": "chat", "intValue": "1"})),
        ("/attributes/0/key", json!("gen_ai.operation")),
        ("/attributes/0/value", json!({"intValue": "1"})),
        ("/status/code", json!("STATUS_CODE_OK")),
        ("/status/reason", json!("unknown")),
    ] {
        let mut damaged = export.clone();
        let span = &mut damaged["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        span.pointer_mut(parent).expect(pointer)[field] = wrong;
        assert_ne!(problems(&damaged), Vec::<String>::new(), "{pointer}");
    }
    let none = self::export(&home, &["--since", "2100-01-01"]);
    assert_eq!((problems(&none), self::spans(&none).len()), (Vec::new(), 0));
}

#[test]
fn a_call_and_its_attempts_say_what_became_of_them() {
    let home = ledger_of_all_kinds();
    let spans = spans(&export(&home, &["--tag", "app"]));
    let [call, first, second] = spans.as_slice() else { panic!("a call and two attempts: {spans:#?}") };
    assert_eq!((&call["name"], &call["kind"], &call["status"]["code"]), (&json!("chat flaky"), &json!(3), &json!(1)));
    assert_eq!((&first["parentSpanId"], &second["parentSpanId"]), (&call["spanId"], &call["spanId"]));
    assert_eq!(first["status"], json!({"code": 2, "message": "unavailable"}));
    assert_eq!(second["status"], json!({"code": 1}));
    for (key, value) in [
        ("gen_ai.request.model", json!({"stringValue": "flaky"})),
        ("gen_ai.request.temperature", json!({"doubleValue": 0.5})),
        ("gen_ai.request.top_p", json!({"doubleValue": 0.9})),
        ("gen_ai.request.max_tokens", json!({"intValue": "64"})),
        ("gen_ai.request.seed", json!({"intValue": "-7"})),
        ("gen_ai.request.stop_sequences", json!({"arrayValue": {"values": [{"stringValue": "END"}]}})),
        ("gen_ai.response.finish_reasons", json!({"arrayValue": {"values": [{"stringValue": "stop"}]}})),
        ("gen_ai.usage.input_tokens", json!({"intValue": "12"})),
        ("gen_ai.usage.output_tokens", json!({"intValue": "5"})),
        ("gen_ai.usage.cache_read.input_tokens", json!({"intValue": "8"})),
        ("gen_ai.usage.reasoning.output_tokens", json!({"intValue": "2"})),
        ("llm.cost.usd", json!({"stringValue": "0.000022"})),
        ("llm.cost.origin", json!({"stringValue": "config"})),
        ("llm.tag.app", json!({"stringValue": "\"bot\""})),
        ("llm.tag.a b", json!({"stringValue": "ü"})),
    ] {
        assert_eq!(attribute(call, key), &value, "{key}");
    }
    assert_eq!(attribute(first, "http.response.status_code"), &json!({"intValue": "503"}));
    assert_eq!(attribute(first, "error.type"), &json!({"stringValue": "unavailable"}));
    assert_eq!(attribute(first, "llm.request.id"), &json!({"stringValue": "req-1"}));
}
