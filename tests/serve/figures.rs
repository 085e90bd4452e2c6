//! What a server tells of itself: metrics, and traces for a collector.

use serde_json::{Value, json};

use super::{Server, home};
use crate::support::{Gateway, KEY, Reply};

#[test]
fn metrics_count_what_each_key_used_and_are_for_administrators() {
    let gateway =
        Gateway::by(
            |request| if request.model() == "gone" { Reply::error(404, "no such model") } else { Reply::unary("yes") },
        );
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let key = Server::new_key(&home, "bot", &["--models", "m,gone"]);
    server.wait_until("the key", |server| server.get(&key, "/v1/models").status == 200);
    assert_eq!(server.get(&key, "/metrics").status, 403);
    for model in ["m", "m", "gone", "other"] {
        server.ask(&key, model);
    }
    let labels = "key=\"bot\",gateway=\"up\",model=\"m\"";
    server.wait_until("the figures", |server| {
        server.get(&server.key, "/metrics").text().contains(&format!("llm_requests_total{{{labels},status=\"ok\"}} 2"))
    });
    let answer = server.get(&server.key, "/metrics");
    assert!(answer.header("content-type").expect("a type").starts_with("application/openmetrics-text"));
    let text = answer.text();
    for line in [
        format!("llm_tokens_total{{{labels},kind=\"input\"}} 18"),
        format!("llm_cost_usd_total{{{labels}}} 0.000034"),
        // What a client invents is no label.
        "llm_requests_total{key=\"bot\",gateway=\"up\",model=\"other\",status=\"failed\"} 1".to_owned(),
        "llm_refusals_total{reason=\"model\"} 1".to_owned(),
        "llm_request_duration_seconds_count{gateway=\"up\",model=\"m\"} 2".to_owned(),
        "llm_in_flight 0".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n") && !text.contains("lk-") && !text.contains(KEY), "{text}");
}

#[test]
fn every_call_is_sent_to_the_collector_with_the_span_that_called_it() {
    let gateway = Gateway::always(Reply::unary("a secret answer"));
    let collector = Gateway::in_turn([Reply::error(503, "busy"), Reply::json(200, &json!({}))]);
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    let otel =
        format!("[otel]\nendpoint = \"{}\"\nheaders = {{ authorization = \"Bearer collect\" }}\n", collector.origin());
    home.file("llm.toml", config + &otel);
    let server = Server::start(&home, &[]);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a secret prompt"}]}"#;
    server.send(&server.key, "/v1/chat/completions", &[("traceparent", trace)], body);
    collector.await_requests(2);
    let sent = collector.requests().pop().expect("sent again");
    assert_eq!((sent.path.as_str(), sent.header("authorization")), ("/v1/traces", Some("Bearer collect")));
    let spans = sent.json()["resourceSpans"][0]["scopeSpans"][0]["spans"].clone();
    assert_eq!(spans[0]["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(spans[0]["parentSpanId"], "b7ad6b7169203331");
    assert_eq!((&spans[1]["parentSpanId"], &spans[2]), (&spans[0]["spanId"], &Value::Null));
    let text = sent.json().to_string();
    assert!(text.contains("\"llm.key\"") && !text.contains("secret"), "{text}");
}

#[cfg(unix)]
#[test]
fn what_waits_for_the_collector_is_sent_before_the_end() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let collector = Gateway::always(Reply::json(200, &json!({})));
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + &format!("[otel]\nendpoint = \"{}\"\n", collector.origin()));
    let server = Server::start(&home, &[]);
    for _ in 0..3 {
        assert_eq!(server.ask(&server.key, "m").status, 200);
    }
    server.running.signal(rustix::process::Signal::TERM);
    server.running.finish().exits(0);
    let spans: usize = collector
        .requests()
        .iter()
        .map(|request| request.json()["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(spans, 6, "a span for each call and each attempt");
}

#[test]
fn what_clients_have_spent_is_spent_with_the_key_of_the_gateway() {
    let gateway = Gateway::by(|request| match request.path.as_str() {
        "/v1/key" => Reply::json(200, &json!({"data": {"usage": 0.02}})),
        _ => Reply::sse().text("yes").finish("stop").usage_json(&json!({"cost": 0.01})).done().end(),
    });
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config.replace("api =", "price_provider = \"openrouter\"\napi ="));
    let server = Server::start(&home, &[]);
    for name in ["bot", "app"] {
        let key = Server::new_key(&home, name, &[]);
        server.wait_until("the key", |server| server.get(&key, "/v1/models").status == 200);
        let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
        assert_eq!(server.send(&key, "/v1/chat/completions", &[], body).status, 200);
    }
    server.recorded(&home, 2);
    let checked = home.llm(["usage", "--check", "-o", "json"]).output().json();
    let total = &checked[0]["periods"][0];
    assert_eq!((&total["ledger"]["usd"], &total["difference_usd"]), (&json!(0.02), &json!(0)), "{checked}");
}
