//! When a request is made again, when another model is asked, and when neither.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use crate::support::{Gateway, Home, Reply};

/// An error that asks to come back at once.
fn soon(status: u16) -> Reply {
    Reply::error_with(status, &[("retry-after-ms", "1")], "later")
}

fn hello() -> Reply {
    Reply::stream(&["Hello."])
}

/// The replies, by model.
fn by_model(replies: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Gateway {
    Gateway::by(move |request| replies(&request.model()))
}

// H27
#[test]
fn a_rate_limit_is_waited_for_as_long_as_the_gateway_asks_and_said() {
    let reply = Reply::error_with(429, &[("retry-after-ms", "120")], "slow down");
    let gateway = Gateway::in_turn([reply, hello()]);
    Home::with(&gateway).llm(["ask", "hi"]).output().exits(0).prints("Hello.\n").says("429");
    let requests = gateway.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].at - requests[0].at >= Duration::from_millis(120));
}

// H29
#[test]
fn a_wait_longer_than_anyone_would_is_not_begun() {
    let gateway = Gateway::always(Reply::error_with(429, &[("retry-after", "86400")], "slow down"));
    let outcome = Home::with(&gateway).llm(["ask", "hi"]).output();
    outcome.exits(6).says("slow down");
    assert_eq!(gateway.requests().len(), 1, "{outcome}");
}

// H29
#[test]
fn a_wait_too_long_goes_to_the_next_model_at_once() {
    let gateway = by_model(|model| match model {
        "busy" => Reply::error_with(429, &[("retry-after", "86400")], "slow down"),
        _ => hello(),
    });
    let outcome = Home::with(&gateway).llm(["ask", "-m", "busy", "--fallback", "free", "hi"]).output();
    outcome.exits(0).prints("Hello.\n").says("busy").says("free");
    assert_eq!(gateway.requests().len(), 2);
}

// H29
#[test]
fn a_wait_longer_than_the_call_may_take_is_not_begun() {
    let gateway = by_model(|model| match model {
        "busy" => Reply::error_with(429, &[("retry-after", "30")], "slow down"),
        _ => hello(),
    });
    let home = Home::with(&gateway);
    home.llm(["ask", "-m", "busy", "--timeout", "20s", "hi"]).output().exits(6).says("come back in 30 s");
    let outcome = home.llm(["ask", "-m", "busy", "--timeout", "20s", "--fallback", "free", "hi"]).output();
    outcome.exits(0).prints("Hello.\n");
    assert_eq!(gateway.requests().len(), 3);
}

#[test]
fn the_same_call_carries_the_same_idempotency_key_over_all_tries() {
    let gateway = Gateway::in_turn([soon(503), soon(503), hello()]);
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    home.llm(["ask", "hi"]).output().exits(0);
    let keys: Vec<_> = gateway.requests().iter().map(|r| r.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys[0].is_some());
    assert!(keys[..3].iter().all(|key| key == &keys[0]), "{keys:?}");
    assert_ne!(keys[3], keys[0], "another call has another key");
}

#[test]
fn another_request_for_the_same_call_has_an_idempotency_key_of_its_own() {
    // A gateway that answers by the key what it answered before.
    let known = Mutex::new(std::collections::HashMap::new());
    let gateway = Gateway::by(move |request| {
        let key = request.header("idempotency-key").expect("a key").to_owned();
        let answer = match (&*request.model(), request.json()["max_tokens"].is_null()) {
            ("first", _) => Reply::error(404, "no such model"),
            (_, false) => Reply::error(400, "Unsupported parameter: 'max_tokens' is not supported with this model."),
            _ => hello(),
        };
        known.lock().expect("no reply panics").entry(key).or_insert(answer).clone()
    });
    let arguments = ["ask", "-m", "first", "--fallback", "second", "--max-tokens", "9", "hi"];
    Home::with(&gateway).llm(arguments).output().exits(0).prints("Hello.\n");
    assert_eq!(gateway.requests().len(), 3);
}

#[test]
fn the_gateways_own_word_on_retrying_wins_over_the_status() {
    let never = Reply::error_with(503, &[("x-should-retry", "false")], "gone");
    let gateway = Gateway::always(never);
    Home::with(&gateway).llm(["ask", "hi"]).output().exits(6);
    assert_eq!(gateway.requests().len(), 1);
}

// H33
#[test]
fn a_reply_lost_after_the_request_was_sent_is_asked_for_again_once_at_most() {
    let gateway = Gateway::always(Reply::silence().close());
    let record = Home::with(&gateway).llm(["ask", "-o", "json", "hi"]).output().exits(7).json();
    let requests = gateway.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].header("idempotency-key").is_some());
    assert_eq!(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
    let may: Vec<_> = record["attempts"].as_array().into_iter().flatten().map(|a| a["maybe_billed"].clone()).collect();
    assert_eq!(may, [true, true]);
    Home::with(&gateway).llm(["ask", "--retries", "0", "hi"]).output().exits(7);
    assert_eq!(gateway.requests().len(), 3, "on a new connection nothing is sent twice unasked");
}

// H34
#[test]
fn nothing_is_asked_again_once_a_piece_of_the_answer_came() {
    let gateway = by_model(|_| Reply::sse().role().text("Half").error_event(503, "overloaded").done());
    let outcome = Home::with(&gateway).llm(["ask", "--retries", "3", "--fallback", "other", "hi"]).output();
    outcome.exits(8).prints("Half\n");
    assert_eq!(gateway.requests().len(), 1);
}

// H22
#[test]
fn an_error_inside_a_200_before_the_answer_is_retried_like_a_status() {
    let busy = Reply::sse().bytes(": ping\n\n").error_event(503, "overloaded").done();
    let gateway = Gateway::in_turn([busy, hello()]);
    Home::with(&gateway).llm(["ask", "hi"]).output().exits(0).prints("Hello.\n");
    assert_eq!(gateway.requests().len(), 2);
}

const BUSY_THEN_FREE: [&str; 9] = ["ask", "-m", "busy", "--retries", "0", "--fallback", "free", "-o", "json"];

// H35
#[test]
fn a_connection_that_went_stale_is_no_failure_and_no_attempt() {
    // Closed in time to be noticed, and in the moment in which it is used again.
    for reply in [Reply::silence().close(), hello()] {
        let gateway = Gateway::by(move |request| match (&*request.model(), request.on_connection) {
            ("busy", _) if reply.steps().len() > 1 => soon(429).close(),
            ("busy", _) => soon(429),
            (_, 0) => hello(),
            _ => reply.clone(),
        });
        let record = Home::with(&gateway).llm(BUSY_THEN_FREE).arg("hi").output().exits(0).json();
        assert_eq!((&record["text"], record["attempts"].as_array().map(Vec::len)), (&"Hello.".into(), Some(2)));
        assert_eq!(gateway.connections(), 2);
    }
}

// H35
#[test]
fn what_a_gateway_may_have_worked_on_before_it_closed_the_connection_counts() {
    let gateway = Gateway::by(|request| match (&*request.model(), request.on_connection) {
        ("busy", _) => soon(429),
        (_, 0) => hello(),
        _ => Reply::silence().gate().close(),
    });
    let home = Home::with(&gateway);
    let running = home.llm(BUSY_THEN_FREE).arg("hi").start();
    gateway.await_gated(1);
    // As long as this call takes.
    let silent = Gateway::always(Reply::silence().hold());
    Home::with(&silent).llm(["ask", "--timeout", "300ms", "--retries", "0", "hi"]).output().exits(7);
    gateway.release();
    let record = running.finish().exits(7).json();
    assert_eq!(record["attempts"][1]["maybe_billed"], true, "{record}");
    assert_eq!(gateway.requests().len(), 2);
}

// H35
#[test]
fn what_broke_after_it_had_begun_is_not_sent_again_unasked() {
    let begun = Reply::raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\n").close();
    let gateway = Gateway::by(move |request| if request.model() == "busy" { soon(429) } else { begun.clone() });
    let record = Home::with(&gateway).llm(BUSY_THEN_FREE).arg("hi").output().exits(7).json();
    assert_eq!(record["attempts"][1]["maybe_billed"], true, "{record}");
    assert_eq!(gateway.requests().len(), 2);
}

// H31
#[test]
fn a_storm_is_not_answered_with_a_storm() {
    let gateway = Gateway::always(Reply::error(500, "down"));
    let models: Vec<String> = (0..20).map(|n| format!("m{n}")).collect();
    Home::with(&gateway).llm(["compare", "-m", &models.join(","), "hi"]).output().exits(1);
    let requests = gateway.requests();
    assert!((21..=24).contains(&requests.len()), "{} requests for 20 calls", requests.len());
    let mut keys: Vec<_> = requests.iter().filter_map(|request| request.header("idempotency-key")).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 20);
}

#[test]
fn a_gateway_that_has_too_much_in_flight_is_asked_less_at_once_until_all_is_answered() {
    const BODY: &str = r#"{"error":{"code":402,"message":"too much in flight",
                           "metadata":{"limit_source":"openrouter_in_flight_budget"}}}"#;
    #[derive(Default)]
    struct Load {
        running: usize,
        retrying: usize,
        most_retrying: usize,
        calls: HashSet<String>,
    }
    let load = std::sync::Arc::new(Mutex::new(Load::default()));
    let seen = std::sync::Arc::clone(&load);
    let gateway = Gateway::by(move |request| {
        let load = || seen.lock().expect("no reply panics");
        let key = request.header("idempotency-key").expect("a key").to_owned();
        let (is_retry, fits) = {
            let mut load = load();
            let is_retry = !load.calls.insert(key);
            load.running += 1;
            load.retrying += usize::from(is_retry);
            load.most_retrying = load.most_retrying.max(load.retrying);
            (is_retry, load.running <= 3)
        };
        // What a model takes to answer.
        std::thread::sleep(Duration::from_millis(15));
        load().running -= 1;
        load().retrying -= usize::from(is_retry);
        let headers = [("content-type", "application/json"), ("retry-after-ms", "20")];
        if fits { hello() } else { Reply::with_headers(402, &headers, BODY) }
    });
    let models: Vec<String> = (0..12).map(|n| format!("m{n}")).collect();
    let home = Home::with(&gateway);
    let outcome = home.llm(["compare", "-o", "json", "-m", &models.join(","), "hi"]).output();
    let answers = outcome.exits(0).json();
    let answers = answers["answers"].as_array().expect("records");
    assert!(answers.iter().all(|answer| answer["text"] == "Hello."), "{outcome}");
    let attempts: usize = answers.iter().map(|answer| answer["attempts"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(attempts, gateway.requests().len());
    let most = load.lock().expect("no reply panics").most_retrying;
    assert!((1..=6).contains(&most), "{most} of 12 again at once");
    // Where there is no credit, nobody comes again.
    let broke = Gateway::always(Reply::with_body(402, "application/json", BODY.replace("in_flight_budget", "credits")));
    Home::with(&broke).llm(["ask", "hi"]).output().exits(1);
    assert_eq!(broke.requests().len(), 1);
}

// H36
#[test]
fn when_every_model_fails_each_is_named_and_the_last_decides() {
    let gateway = by_model(|model| match model {
        "first" => soon(500),
        "second" => soon(503),
        _ => Reply::error(401, "no such key"),
    });
    let home = Home::with(&gateway);
    let arguments = ["ask", "-m", "first", "--fallback", "second", "--fallback", "third", "--retries", "0", "hi"];
    let outcome = home.llm(arguments).output();
    outcome.exits(4).prints("").says("first").says("second").says("third").says("no such key");
    let record = home.llm(arguments).args(["-o", "json"]).output().json();
    let statuses: Vec<_> = record["attempts"].as_array().into_iter().flatten().map(|a| a["status"].clone()).collect();
    assert_eq!(statuses, [500, 503, 401]);
}

// H37
#[test]
fn a_fallback_that_answers_is_named_and_every_attempt_is_kept() {
    let gateway = by_model(|model| if model == "first" { soon(500) } else { hello() });
    let home = Home::with(&gateway);
    let arguments = ["ask", "-m", "first", "--fallback", "second", "--retries", "1", "-o", "json", "hi"];
    let record = home.llm(arguments).output().exits(0).json();
    assert_eq!(record["model"], "first");
    let models: Vec<_> = record["attempts"].as_array().into_iter().flatten().map(|a| a["model"].clone()).collect();
    assert_eq!(models, ["first", "first", "second"]);
    assert_eq!(record["attempts"][2]["error"], json!(null));
}

// H28
#[test]
fn a_wait_that_makes_no_sense_is_no_wait_that_hangs() {
    let odd = ["-5", "NaN", "1e308", "soon", "", "18446744073709551616"];
    let known = Mutex::new(HashSet::new());
    let gateway = Gateway::by(move |request| {
        let model = request.model();
        let nth: usize = model.trim_start_matches('m').parse().expect("a number");
        if known.lock().expect("no reply panics").insert(model) {
            Reply::error_with(503, &[("retry-after", odd[nth])], "later")
        } else {
            hello()
        }
    });
    let models = "m0,m1,m2,m3,m4,m5";
    Home::with(&gateway).llm(["compare", "-m", models, "--retries", "1", "hi"]).output().exits(0);
    assert_eq!(gateway.requests().len(), 2 * odd.len());
}
