//! `llm ask` where nothing goes wrong: what is sent, what is printed, what is recorded.

use serde_json::json;

use crate::support::{Gateway, Home, KEY, Reply};

fn hello() -> Gateway {
    Gateway::always(Reply::stream(&["Hel", "lo."]))
}

#[test]
fn the_answer_is_printed_and_nothing_else() {
    let gateway = hello();
    let home = Home::with(&gateway);
    // The first run of all says that it records calls.
    home.llm(["ask", "hi"]).output().exits(0);
    let outcome = home.llm(["ask", "hi"]).output();
    outcome.exits(0).prints("Hello.\n");
    assert_eq!(outcome.stderr(), "", "{outcome}");
}

#[test]
fn the_request_carries_prompt_model_and_key() {
    let gateway = hello();
    Home::with(&gateway).llm(["ask", "-m", "some/model", "hi"]).output().exits(0);
    let request = gateway.request();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let body = request.json();
    assert_eq!(body["model"], "some/model");
    assert_eq!(body["messages"], json!([{"role": "user", "content": "hi"}]));
    assert_eq!(body["stream"], true);
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
}

#[test]
fn parameters_are_sent_only_when_given() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    home.llm([
        "ask",
        "--temperature",
        "0.5",
        "--top-p",
        "0.9",
        "--max-tokens",
        "7",
        "--seed",
        "3",
        "--stop",
        "END",
        "hi",
    ])
    .output()
    .exits(0);
    home.llm(["ask", "-s", "Be brief.", "-p", "logit_bias={\"50256\":-100}", "hi"]).output().exits(0);
    let requests = gateway.requests();
    for name in ["temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "stop"] {
        assert!(requests[0].json().get(name).is_none(), "{name} was not asked for");
    }
    let body = requests[1].json();
    assert_eq!((&body["temperature"], &body["top_p"], &body["seed"]), (&json!(0.5), &json!(0.9), &json!(3)));
    assert!(body["max_tokens"] == 7 || body["max_completion_tokens"] == 7, "{body}");
    let body = requests[2].json();
    assert_eq!(body["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(body["logit_bias"], json!({"50256": -100}));
}

#[test]
fn an_answer_in_one_piece_is_as_good_as_a_stream() {
    let gateway = Gateway::always(Reply::unary("Hello."));
    Home::with(&gateway).llm(["ask", "-p", "stream=false", "hi"]).output().exits(0).prints("Hello.\n");
    assert_ne!(gateway.request().json()["stream"], true);
}

#[test]
fn no_stream_asks_for_one_piece_and_changes_nothing_else() {
    let gateway = Gateway::by(|request| match request.json()["stream"] == true {
        true => Reply::stream(&["Hel", "lo."]),
        false => Reply::unary("Hello."),
    });
    let home = Home::with(&gateway)
        .config("[pipeline.p]\nsteps = [{ name = \"s\", model = \"m\", prompt = \"{{ input }}\" }]\n");
    for command in [&["ask", "-m", "m"][..], &["compare", "-m", "m", "-o", "json"], &["pipeline", "run", "p"]] {
        let [streamed, whole, parameter] = [&[][..], &["--no-stream"], &["-p", "stream=false"]].map(|flags| {
            let outcome = home.llm(command).args(flags).arg("hi").output();
            let stdout = outcome.exits(0).stdout();
            if command[0] == "compare" { outcome.json()["answers"][0]["text"].to_string() } else { stdout }
        });
        assert_eq!((&whole, &parameter), (&streamed, &streamed), "{command:?}");
    }
    for requests in gateway.requests().chunks(3) {
        let mut streamed = requests[0].json();
        let fields = streamed.as_object_mut().expect("an object");
        assert_eq!(fields.remove("stream"), Some(json!(true)));
        fields.remove("stream_options");
        assert_eq!((requests[1].json(), requests[2].json()), (streamed.clone(), streamed));
    }
    let both = home.llm(["ask", "-m", "m", "--no-stream", "-p", "stream=true", "hi"]).output();
    both.exits(2).says("--no-stream");
}

#[test]
fn the_record_says_what_happened() {
    let gateway = hello();
    let outcome = Home::with(&gateway).llm(["ask", "-o", "json", "hi"]).output();
    let record = outcome.exits(0).json();
    assert_eq!(record["status"], "ok");
    assert_eq!(record["text"], "Hello.");
    assert_eq!(record["finish_reason"], "stop");
    assert_eq!(record["model"], "test-model");
    assert_eq!(record["usage"]["input_tokens"], 9);
    assert_eq!(record["usage"]["output_tokens"], 4);
    assert_eq!(record["error"], json!(null));
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1));
    assert_eq!(record["attempts"][0]["status"], 200);
    let (first, total) = (&record["timing"]["first_token_ms"], &record["timing"]["total_ms"]);
    assert!(first.as_f64() <= total.as_f64() && first.is_number(), "{outcome}");
}

#[test]
fn an_unknown_price_is_not_zero() {
    let gateway = hello();
    let record = Home::with(&gateway).llm(["ask", "-o", "json", "-m", "house/unheard-of", "hi"]).output().json();
    assert_eq!(record["cost"]["usd"], json!(null));
}

#[test]
fn a_cost_that_the_gateway_reports_is_taken_digit_for_digit() {
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cost": 9.4e-6});
    let reply = Reply::sse().role().text("Hi.").finish("stop").usage_json(&usage).done();
    let gateway = Gateway::always(reply);
    let record = Home::with(&gateway).llm(["ask", "-o", "json", "hi"]).output().json();
    assert_eq!(record["cost"], json!({"usd": 0.000_009_4, "origin": "reported"}));
}

#[test]
fn reasoning_is_no_part_of_the_answer() {
    let reply = Reply::sse().role().reasoning("Hmm. ").reasoning("Yes.").text("Hello.").finish("stop").done();
    let gateway = Gateway::always(reply);
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n").never_says("Hmm");
    home.llm(["ask", "--show-reasoning", "hi"]).output().exits(0).prints("Hello.\n").says("Hmm. Yes.");
    let record = home.llm(["ask", "-o", "json", "hi"]).output().json();
    assert_eq!((&record["text"], &record["reasoning"]), (&json!("Hello."), &json!("Hmm. Yes.")));
}

// H44
#[test]
fn a_model_other_than_the_one_asked_for_is_named() {
    let gateway = hello();
    let prices = "[price.asked]\ninput = 900\noutput = 900\n[price.test-model]\ninput = 1\noutput = 1\n";
    let home = Home::with(&gateway).config(prices);
    let record = home.llm(["ask", "-o", "json", "-m", "asked", "hi"]).output().json();
    assert_eq!((&record["model"], &record["answered_by"]), (&json!("asked"), &json!("test-model")));
    assert_eq!(record["cost"]["usd"].to_string(), "0.000013", "at the price of what answered");
    home.llm(["ask", "--stats", "-m", "asked", "hi"]).output().exits(0).says("test-model (asked asked)");
}

#[test]
fn a_dry_run_sends_nothing_and_shows_no_key() {
    let gateway = hello();
    let outcome = Home::with(&gateway).llm(["ask", "--dry-run", "a prompt to see"]).output();
    outcome.exits(0);
    assert!(
        outcome.stdout().contains("a prompt to see") && outcome.stdout().contains("/chat/completions"),
        "{outcome}"
    );
    assert!(!outcome.stdout().contains(KEY), "{outcome}");
    assert_eq!(gateway.connections(), 0);
}

#[test]
fn nothing_configured_explains_both_ways_to_go_on() {
    let outcome = Home::new().llm(["ask", "hi"]).output();
    outcome.says("llm key set").says("demo");
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(outcome.stdout(), "", "{outcome}");
}

#[test]
fn the_demo_needs_neither_key_nor_network() {
    let outcome = Home::new().llm(["ask", "-g", "demo", "The cat sat on the mat."]).output();
    outcome.exits(0).says("demo");
    assert!(outcome.stdout().trim().len() > 3, "{outcome}");
}

#[test]
fn the_demo_takes_prompts_of_any_length() {
    let prompt = format!("Summarize: Short. {}", "long ".repeat(600_000));
    Home::new().llm(["ask", "-g", "demo"]).stdin(prompt).output().exits(0).prints("Short.\n");
}

#[test]
fn a_response_may_have_hundreds_of_headers_and_one_that_has_too_many_may_be_billed() {
    let body = r#"{"choices":[{"message":{"content":"Hello."},"finish_reason":"stop"}]}"#;
    for (count, code) in [(300, 0), (2_000, 1)] {
        let headers: String = (0..count).map(|n| format!("llm_provider-x-{n}: a\r\n")).collect();
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n");
        let gateway = Gateway::always(Reply::raw(format!("{head}{body}")));
        let outcome = Home::with(&gateway).llm(["ask", "--retries", "0", "-o", "json", "hi"]).output();
        outcome.exits(code);
        assert_eq!(outcome.json()["attempts"][0]["maybe_billed"], code == 1, "{outcome}");
    }
}
