//! Differences between models are met, not leaked: a refused parameter is left out or spelled otherwise, once.

use serde_json::json;

use crate::support::{Gateway, Home, Reply};

/// A gateway that refuses these fields of a body, the way OpenAI does, as long as one of them is there.
fn refusing(fields: &'static [&'static str]) -> Gateway {
    Gateway::by(move |request| {
        let body = request.json();
        match fields.iter().find(|field| !body[**field].is_null()) {
            Some(field) => {
                let message = format!("Unsupported parameter: '{field}' is not supported with this model.");
                Reply::json(
                    400,
                    &json!({"error": {"message": message, "type": "invalid_request_error", "param": field}}),
                )
            }
            None => Reply::stream(&["Hello."]),
        }
    })
}

#[test]
fn max_tokens_becomes_max_completion_tokens() {
    let gateway = refusing(&["max_tokens"]);
    let outcome = Home::with(&gateway).llm(["ask", "--max-tokens", "9", "hi"]).output();
    outcome.exits(0).prints("Hello.\n");
    outcome.says("test-model refuses max_tokens: asking again with max_completion_tokens instead");
    let bodies: Vec<_> = gateway.requests().iter().map(|request| request.json()).collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[1]["max_completion_tokens"], 9);
}

#[test]
fn a_batch_tells_a_refused_parameter_once_for_all_rows() {
    let gateway = refusing(&["temperature"]);
    let home = Home::with(&gateway);
    home.file("rows.txt", "one\ntwo\nthree\n");
    let outcome = home.llm(["batch", "rows.txt", "--temperature", "0.5"]).output();
    let told = outcome.exits(0).stderr();
    assert_eq!(told.matches("test-model refuses temperature: asking again without it").count(), 1, "{told}");
}

#[test]
fn every_refused_parameter_is_left_out_in_turn() {
    let gateway = refusing(&["temperature", "top_p", "seed", "stop", "stream_options", "reasoning_effort", "logprobs"]);
    let flags =
        ["--temperature", "0.5", "--top-p", "0.5", "--seed", "1", "--stop", "x", "--effort", "low", "--logprobs"];
    let outcome = Home::with(&gateway).llm(["ask", "-o", "json", "hi"]).args(flags).output();
    outcome.exits(0).says("refuses temperature: asking again without it").says("refuses stream_options");
    let record = outcome.json();
    assert_eq!((&record["status"], record["attempts"].as_array().map(Vec::len)), (&json!("ok"), Some(8)));
    assert_eq!(record["attempts"][0]["kind"], "invalid_request");
}

#[test]
fn a_schema_that_is_refused_is_asked_for_in_words_and_still_checked() {
    let gateway = refusing(&["response_format"]);
    let home = Home::with(&gateway);
    let schema = home.file("schema.json", r#"{"type":"object","required":["city"]}"#);
    home.llm(["ask", "hi", "--schema"]).arg(schema).output().exits(9).says("refuses response_format");
    let body = gateway.requests()[1].json();
    assert!(body["messages"][0]["content"].as_str().is_some_and(|text| text.contains("\"required\":[\"city\"]")));
}

#[test]
fn what_was_refused_once_is_not_sent_again() {
    let gateway = refusing(&["max_tokens", "temperature"]);
    let arguments = ["--repeat", "3", "--concurrency", "1", "--max-tokens", "9", "--temperature", "0", "hi"];
    let outcome = Home::with(&gateway).llm(["compare", "-m", "a"]).args(arguments).output();
    outcome.exits(0);
    let refused: Vec<bool> = gateway.requests().iter().map(|request| request.json()["max_tokens"].is_null()).collect();
    assert_eq!(refused, [false, true, true, true, true], "two refusals, and then three answers");
    assert_eq!(outcome.stderr().matches("refuses").count(), 2);
}

#[test]
fn what_the_user_put_into_the_body_stays() {
    let gateway = refusing(&["temperature"]);
    Home::with(&gateway).llm(["ask", "-p", "temperature=0.5", "hi"]).output().exits(1).says("'temperature'");
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn a_refusal_that_goes_on_is_reported_after_one_more_try() {
    let gateway = Gateway::always(Reply::error(400, "Unsupported parameter: 'max_tokens' or max_completion_tokens"));
    Home::with(&gateway).llm(["ask", "--max-tokens", "9", "hi"]).output().exits(1);
    assert!(gateway.requests().len() <= 3, "{}", gateway.requests().len());
}
