//! What a stream may look like, and what becomes of one that breaks.

use serde_json::{Value, json};

use crate::support::reply::{chunk, head};
use crate::support::{Gateway, Home, Outcome, Reply};

fn ask(reply: Reply) -> Outcome {
    let gateway = Gateway::always(reply);
    let outcome = Home::with(&gateway).llm(["ask", "--retries", "0", "hi"]).output();
    assert_eq!(gateway.requests().len(), 1, "asked once\n{outcome}");
    outcome
}

/// The events of an answer without their HTTP.
fn body_of(reply: &Reply) -> Vec<u8> {
    let bytes = reply.as_bytes();
    let text = String::from_utf8(bytes).expect("text");
    let events = text.lines().filter(|line| line.starts_with("data: "));
    events.flat_map(|line| format!("{line}\n\n").into_bytes()).collect()
}

// H11
#[test]
fn a_connection_cut_anywhere_keeps_what_came_and_is_8() {
    let whole = Reply::stream(&["One ", "two ", "three."]).as_bytes();
    let text = String::from_utf8(whole.clone()).expect("text");
    let first = text.find("One ").expect("the first piece") + 200;
    let last = text.find("\"finish_reason\":\"stop\"").expect("the finish reason");
    for cut in (first..last).step_by(37) {
        let outcome = ask(Reply::raw(&whole[..cut]).close());
        outcome.exits(8).says("error: ");
        let answer = outcome.stdout();
        assert!(["One \n", "One two \n", "One two three.\n"].contains(&answer.as_str()), "cut at {cut}\n{outcome}");
    }
}

// H12
#[cfg(unix)]
#[test]
fn a_reset_keeps_what_came_and_is_8() {
    let gateway = Gateway::always(Reply::sse().role().text("Half").gate().then(crate::support::reply::Step::Reset));
    let running = Home::with(&gateway).llm(["ask", "hi"]).start();
    // A reset overtakes what is still on its way.
    running.await_stdout("Half");
    gateway.release();
    running.finish().exits(8).prints("Half\n").says("error: ");
    assert_eq!(gateway.requests().len(), 1, "half an answer is never asked for again");
}

// H13
#[test]
fn a_body_that_ends_with_the_connection_is_whole_only_if_it_says_so() {
    ask(Reply::sse_until_close().role().text("Whole.").finish("stop").end()).exits(0).prints("Whole.\n");
    ask(Reply::sse_until_close().role().text("Half").end()).exits(8).prints("Half\n");
}

// H14
#[test]
fn a_body_shorter_than_it_was_announced_is_8() {
    let mut bytes = head(200, &[("content-type", "text/event-stream"), ("content-length", "100000")]);
    bytes.extend_from_slice(b"\r\n");
    ask(Reply::raw(bytes).role().text("Half").close()).exits(8).prints("Half\n");
}

// H15
#[test]
fn a_character_may_be_split_anywhere() {
    let answer = "naïve 猫 🐈‍⬛ e\u{301} العربية";
    let body = body_of(&Reply::sse().text(answer).finish("stop").done());
    let split = body.iter().fold(Reply::sse(), |reply, byte| reply.bytes([*byte])).end();
    ask(split).exits(0).prints(&format!("{answer}\n"));
}

#[test]
fn a_byte_order_mark_may_be_split_anywhere() {
    for cut in 1..5 {
        let mark = b"\xEF\xBB\xBFdata";
        let event = json!({"choices": [{"index": 0, "delta": {"content": "Hello."}, "finish_reason": "stop"}]});
        let reply =
            Reply::sse().bytes(&mark[..cut]).gate().bytes([&mark[cut..], format!(": {event}\n\n").as_bytes()].concat());
        let gateway = Gateway::always(reply.done());
        let running = Home::with(&gateway).llm(["ask", "hi"]).start();
        gateway.await_gated(1);
        gateway.release();
        running.finish().exits(0).prints("Hello.\n");
    }
    let whole = |mark: &[u8]| {
        [mark, Reply::unary("Hello.").as_bytes().rsplit(|byte| *byte == b'\n').next().expect("a body")].concat()
    };
    ask(Reply::with_body(200, "application/json", whole(b"\xEF\xBB\xBF"))).exits(0).prints("Hello.\n");
}

// H16
#[test]
fn every_line_end_comment_and_field_of_the_standard_is_read() {
    let data = |text: &str| json!({"choices": [{"index": 0, "delta": {"content": text}}]}).to_string();
    let finish = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string();
    let body = format!(
        "\u{feff}: comment\r\n\r\nevent: message\r\nid: 1\r\nretry: 5\r\ndata: {}\r\n\r\ndata:{}\r\r:\n\ndata: {}\n\ndata: {finish}\n\n",
        data("A"),
        data("B"),
        data("C").replace("\"delta\"", "\ndata: \"delta\""),
    );
    ask(Reply::sse().bytes(&body).bytes("data: [DONE]\n\n").end()).exits(0).prints("ABC\n");
}

// H17
#[test]
fn unicode_line_separators_are_no_line_ends() {
    ask(Reply::stream(&["a\u{85}b\u{2028}c\u{2029}d"])).exits(0).prints("a\u{85}b\u{2028}c\u{2029}d\n");
}

// H21
#[test]
fn an_event_that_cannot_be_read_is_skipped_said_and_makes_8() {
    let reply = Reply::sse().role().text("One ").bytes("data: {\"choices\": [\n\n").text("two.").finish("stop").done();
    let outcome = ask(reply);
    outcome.exits(8).prints("One two.\n").says("could not be read");
}

// H22
#[test]
fn an_error_inside_a_200_counts_as_what_it_says() {
    ask(Reply::sse().error_event(429, "slow down").done()).exits(6).prints("").says("slow down");
    ask(Reply::sse().error_event(500, "it broke").done()).exits(1).prints("").says("it broke");
    let outcome = ask(Reply::sse().role().text("Half").error_event(429, "slow down").done());
    outcome.exits(8).prints("Half\n").says("slow down");
}

// H23
#[test]
fn a_whole_answer_where_a_stream_was_asked_for_is_taken() {
    ask(Reply::unary("Hello.")).exits(0).prints("Hello.\n");
}

// H23
#[test]
fn a_page_where_an_answer_was_expected_is_1_and_shows_its_beginning() {
    let page = format!("<html><title>Sign in</title>\u{1b}[2J{}</html>", "x".repeat(100_000));
    let outcome = ask(Reply::with_body(200, "text/html", page));
    outcome.exits(1).prints("").says("Sign in");
    assert!(outcome.stderr.len() < 2_000, "only the beginning of it\n{outcome}");
}

#[test]
fn an_error_in_a_whole_200_is_an_error() {
    let body = json!({"error": {"message": "upstream is out", "code": 502}});
    ask(Reply::json(200, &body)).exits(6).prints("").says("upstream is out");
}

// H22
#[test]
fn a_failure_beside_a_part_of_an_answer_keeps_the_part_in_one_piece_as_streamed() {
    let gateway = Gateway::by(|request| {
        if request.model() == "other" {
            return Reply::unary("instead");
        }
        let usage = json!({"prompt_tokens": 5, "completion_tokens": 300});
        if request.json()["stream"] == true {
            return Reply::sse().role().text("Half").finish("error").usage_json(&usage).done();
        }
        let error = if request.model() == "told" { json!({"code": 502, "message": "it broke"}) } else { json!(null) };
        let message = json!({"role": "assistant", "content": "Half"});
        let choice = json!({"index": 0, "message": message, "finish_reason": "error", "error": error});
        Reply::json(200, &json!({"id": "c", "model": "m", "choices": [choice], "usage": usage}))
    });
    let home = Home::with(&gateway);
    let whole = Some("--no-stream");
    for (model, flag, says) in
        [("silent", None, "ended early: error"), ("silent", whole, "ended early: error"), ("told", whole, "it broke")]
    {
        let arguments = ["ask", "-o", "json", "--retries", "2", "-m", model, "--fallback", "other", "hi"];
        let outcome = home.llm(arguments).args(flag).output();
        outcome.exits(8);
        let record = outcome.json();
        let came = (&record["status"], &record["text"], &record["usage"]["output_tokens"]);
        assert_eq!(came, (&json!("truncated"), &json!("Half"), &json!(300)), "{outcome}");
        assert!(record["error"]["message"].to_string().contains(says), "{outcome}");
    }
    assert_eq!(gateway.requests().len(), 3, "what was paid for is not asked for again");
}

// H24
#[test]
fn the_finish_reason_decides_not_the_done_marker() {
    let begun = || Reply::sse().role().text("Hi.");
    ask(begun().finish("stop").end()).exits(0).prints("Hi.\n");
    ask(begun().finish("stop").bytes("data: [DONE] \n\n").bytes("data: [DONE]\n\n").end()).exits(0).prints("Hi.\n");
    ask(begun().finish("stop").bytes("data: [DONE]\n\n").text(" More.").end()).exits(0).prints("Hi.\n");
    ask(begun().end()).exits(8).prints("Hi.\n");
}

// H24
#[test]
fn an_answer_ends_with_its_own_end_not_with_the_connections() {
    let held = Reply::sse().role().text("Hi.").finish("stop").usage(1, 1).bytes("data: [DONE]\n\n").hold();
    let gateway = Gateway::always(held);
    Home::with(&gateway).llm(["ask", "hi"]).output().exits(0).prints("Hi.\n");
    gateway.await_left(1);
}

// H25
#[test]
fn usage_that_makes_no_sense_is_unknown_and_never_zero() {
    let number = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    for odd in ["null", "-1", "9223372036854775808999", "\"7\"", "[]"] {
        let usage = json!({"prompt_tokens": number(odd), "completion_tokens": number(odd)});
        let gateway = Gateway::always(Reply::sse().role().text("Hi.").finish("stop").usage_json(&usage).done());
        let outcome = Home::with(&gateway).llm(["ask", "-o", "json", "hi"]).output();
        let record = outcome.json();
        assert_eq!(record["text"], "Hi.", "{outcome}");
        for field in ["input_tokens", "output_tokens"] {
            assert_ne!(record["usage"][field], 0, "{odd}\n{outcome}");
        }
        assert_eq!(record["cost"]["usd"], json!(null), "{odd}\n{outcome}");
    }
}

// H26
#[test]
fn odd_choices_are_survived() {
    let event = |choices| json!({"id": "x", "choices": choices});
    let reply = Reply::sse()
        .event(&event(json!([])))
        .event(&event(json!(null)))
        .event(&event(json!([{"index": 0, "delta": {"role": "assistant", "content": null}}])))
        .event(&event(json!([{"index": 1, "delta": {"content": "another answer"}}])))
        .event(&event(json!([{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}])))
        .event(&event(json!([{"index": 0, "delta": null}])))
        .event(&event(json!([{"index": 0, "delta": {"content": "."}, "finish_reason": ""}])))
        .finish("stop")
        .done();
    ask(reply).exits(0).prints("Hi.\n");
}

#[test]
fn a_compressed_stream_is_read_as_it_comes() {
    let body = super::limits::gzip(&body_of(&Reply::stream(&["Hello."])));
    let mut bytes = head(200, &[("content-type", "text/event-stream"), ("content-encoding", "gzip")]);
    bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    bytes.extend_from_slice(&chunk(&body));
    bytes.extend_from_slice(b"0\r\n\r\n");
    ask(Reply::raw(bytes)).exits(0).prints("Hello.\n");
}

/// Whatever follows the end of a single answer is no part of it, but of several answers, others may still be coming.
#[test]
fn a_connection_that_breaks_after_the_first_of_several_answers_is_no_end() {
    let part = |index: u8, delta: Value, finish: Option<&str>| json!({"choices": [{"index": index, "delta": delta, "finish_reason": finish}]});
    let reply = Reply::sse()
        .event(&part(0, json!({"content": "First."}), None))
        .event(&part(0, json!({}), Some("stop")))
        .event(&part(1, json!({"content": "Sec"}), None));
    let gateway = Gateway::always(reply.close());
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0).prints("First.\n");
    home.llm(["ask", "-p", "n=2", "hi"]).output().exits(8).prints("First.\n");
}
