use serde_json::json;

use super::*;
use crate::error::FailureKind;

const WIRE: &str = r#"{"model":"m","messages":[]}"#;

fn entry(api: Api, path: &str) -> String {
    let wire = WireRequest { path: path.into(), body: WIRE.into() };
    String::from_utf8(of(api).entry("r1-0", &wire)).expect("text")
}

const PART: Part<'_> = Part { model: "m", endpoint: "chat/completions", tag: "job-1" };

/// The whole body with two entries.
fn text(api: Api, post: &Post) -> String {
    let before = String::from_utf8(post.body.clone()).expect("text");
    match &post.after_entries {
        Some(after) => {
            let (between, after) = (char::from(of(api).separator()), String::from_utf8_lossy(after));
            format!("{before}{{\"a\":1}}{between}{{\"a\":2}}{after}")
        }
        None => before,
    }
}

#[test]
fn a_request_stands_in_a_batch_as_it_would_be_sent() {
    let line: Value = serde_json::from_str(&entry(Api::OpenaiChat, "chat/completions")).expect("json");
    assert_eq!(
        line,
        json!({"custom_id": "r1-0", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": []}})
    );
    let line: Value = serde_json::from_str(&entry(Api::Anthropic, "messages")).expect("json");
    assert_eq!(line["params"]["model"], "m");
    let line: Value = serde_json::from_str(&entry(Api::Gemini, "models/m:generateContent")).expect("json");
    assert_eq!((&line["metadata"]["key"], &line["request"]["model"]), (&json!("r1-0"), &json!("m")));
}

#[test]
fn a_batch_is_submitted_in_the_form_of_its_gateway() {
    let upload = text(Api::OpenaiChat, &of(Api::OpenaiChat).upload().expect("a file"));
    let boundary = upload.lines().next().expect("a line");
    assert!(upload.contains("\r\n\r\n{\"a\":1}\n{\"a\":2}\n\r\n--"), "{upload}");
    assert!(upload.ends_with(&format!("\r\n{boundary}--\r\n")), "{upload}");
    let json = |api, file| {
        let submit = of(api).submit(&PART, file);
        let body: Value = serde_json::from_str(&text(api, &submit)).expect("json");
        (submit.path, body)
    };
    let (_, body) = json(Api::OpenaiChat, Some("file-1"));
    assert_eq!((&body["input_file_id"], &body["endpoint"]), (&json!("file-1"), &json!("/v1/chat/completions")));
    assert_eq!(json(Api::Anthropic, None).1["requests"], json!([{"a": 1}, {"a": 2}]));
    let (path, body) = json(Api::Gemini, None);
    assert_eq!(path, "models/m:batchGenerateContent");
    assert_eq!(body["batch"]["input_config"]["requests"]["requests"], json!([{"a": 1}, {"a": 2}]));
    assert_eq!(body["batch"]["display_name"], "job-1");
    let away = Part { model: "../../admin?a#b", ..PART };
    let path = of(Api::Gemini).submit(&away, None).path;
    assert_eq!(path, "models/..%2F..%2Fadmin%3Fa%23b:batchGenerateContent");
}

#[test]
fn every_state_of_openai_is_known() {
    let standing = |status: &str, further: Value| {
        let mut body =
            json!({"id": "b", "status": status, "request_counts": {"total": 3, "completed": 1, "failed": 1}});
        body.as_object_mut().expect("an object").extend(further.as_object().expect("an object").clone());
        of(Api::OpenaiChat).standing("b", body.to_string().as_bytes()).expect("a standing")
    };
    for status in ["validating", "in_progress", "finalizing", "cancelling"] {
        let found = standing(status, json!({}));
        assert!(!found.is_over && found.results.is_empty() && found.done == Some((2, 3)), "{status}");
    }
    let files = json!({"output_file_id": "f1", "error_file_id": "f2"});
    for status in ["completed", "expired", "cancelled"] {
        let found = standing(status, files.clone());
        let paths = [Results::At("files/f1/content".into()), Results::At("files/f2/content".into())];
        assert!(found.is_over && found.results == paths, "{status}");
    }
    let failed = standing("failed", json!({"errors": {"data": [{"message": "line 3 is bad"}]}}));
    assert_eq!(failed.failure.expect("a failure").message, "line 3 is bad");
    // An id that would lead elsewhere is not followed.
    assert_eq!(standing("completed", json!({"output_file_id": "../../secret"})).results, []);
}

#[test]
fn results_are_told_apart_whatever_became_of_them() {
    let openai = |line: Value| of(Api::OpenaiChat).result(line.to_string().as_bytes()).expect("a result").1;
    let answer = json!({"choices": []});
    let ok = openai(json!({"custom_id": "a", "response": {"status_code": 200, "body": answer}, "error": null}));
    assert_eq!(ok, Fate::Answer(answer.to_string().into_bytes()));
    let error = json!({"error": {"message": "too long", "type": "invalid_request_error"}});
    match openai(json!({"custom_id": "a", "response": {"status_code": 400, "body": error}, "error": null})) {
        Fate::Failed(failure) => assert_eq!((failure.message.as_str(), failure.status), ("too long", Some(400))),
        other => panic!("{other:?}"),
    }
    let expired =
        openai(json!({"custom_id": "a", "response": null, "error": {"code": "batch_expired", "message": "x"}}));
    assert_eq!(expired, Fate::NotAsked("the batch expired"));
    let anthropic = |result: Value| {
        let line = json!({"custom_id": "a", "result": result}).to_string();
        of(Api::Anthropic).result(line.as_bytes()).expect("a result").1
    };
    assert_eq!(anthropic(json!({"type": "succeeded", "message": {"x": 1}})), Fate::Answer(b"{\"x\":1}".to_vec()));
    assert_eq!(anthropic(json!({"type": "expired"})), Fate::NotAsked("the batch expired"));
    assert_eq!(anthropic(json!({"type": "canceled"})), Fate::NotAsked("the batch was cancelled"));
    match anthropic(
        json!({"type": "errored", "error": {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}}),
    ) {
        Fate::Failed(failure) => {
            assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::RateLimited, "slow"))
        }
        other => panic!("{other:?}"),
    }
    let gemini = |line: Value| of(Api::Gemini).result(line.to_string().as_bytes()).expect("a result").1;
    let ok = gemini(json!({"metadata": {"key": "a"}, "response": {"candidates": []}}));
    assert_eq!(ok, Fate::Answer(b"{\"candidates\":[]}".to_vec()));
    for (code, kind) in [
        (8, FailureKind::RateLimited),
        (429, FailureKind::RateLimited),
        (16, FailureKind::Auth),
        (401, FailureKind::Auth),
        (3, FailureKind::InvalidRequest),
        (13, FailureKind::ServerError),
    ] {
        match gemini(json!({"metadata": {"key": "a"}, "error": {"code": code, "message": "q"}})) {
            Fate::Failed(failure) => assert_eq!(failure.kind, kind, "{code}"),
            other => panic!("{code}: {other:?}"),
        }
    }
    // So long an error is not read, and the request has failed all the same.
    let long = json!({"message": "x".repeat(70_000)});
    let failed = [
        openai(json!({"custom_id": "a", "response": {"status_code": 429, "body": {"error": long}}})),
        anthropic(json!({"type": "errored", "error": long})),
        gemini(json!({"metadata": {"key": "a"}, "error": long})),
    ];
    for fate in failed {
        assert!(matches!(&fate, Fate::Failed(failure) if failure.message.len() < 1_000), "{fate:?}");
    }
    for api in [Api::OpenaiChat, Api::Anthropic, Api::Gemini] {
        of(api).result(b"{}").expect_err("whose?");
        of(api).result(b"<html>").expect_err("not JSON");
    }
}

#[test]
fn a_batch_whose_id_was_not_received_is_found_again() {
    let asked = |api, list: &Value, tag| of(api).find(list.to_string().as_bytes(), tag, 2);
    let find = |api, list: &Value, tag| asked(api, list, tag).expect("a list");
    let list = json!({"data": [{"id": "b0", "metadata": null}, {"id": "b1", "metadata": {"llm_part": "job-1"}}]});
    assert_eq!(find(Api::OpenaiChat, &list, "job-1"), ["b1"]);
    assert!(find(Api::OpenaiChat, &list, "job-2").is_empty());
    let counts = |done| json!({"processing": 2 - done, "succeeded": done});
    let list = json!({"data": [{"id": "m0", "request_counts": {"processing": 5, "succeeded": 0}},
                               {"id": "m1", "request_counts": counts(1)}, {"id": "../m2", "request_counts": counts(2)},
                               {"id": "m3", "request_counts": counts(2)}]});
    assert_eq!(find(Api::Anthropic, &list, "job-1"), ["m1", "m3"], "all that it may be, the newest first");
    let list = json!({"operations": [{"name": "batches/7", "metadata": {"displayName": "job-1"}}]});
    assert_eq!(find(Api::Gemini, &list, "job-1"), ["batches/7"]);
    for api in [Api::OpenaiChat, Api::Anthropic, Api::Gemini] {
        // Where the gateway does not list its batches, nobody knows that it has none.
        for answer in [json!("no list"), json!({"data": null}), json!({"error": {"message": "later"}}), Value::Null] {
            asked(api, &answer, "job-1").expect_err("not known");
        }
        of(api).find(b"<html>", "job-1", 2).expect_err("no JSON");
        let none = if api == Api::Gemini { json!({}) } else { json!({"data": []}) };
        assert!(find(api, &none, "job-1").is_empty());
        assert_eq!(of(api).keeps_tag(), api != Api::Anthropic);
    }
}

#[test]
fn the_end_of_a_batch_is_known_in_the_words_of_other_gateways() {
    let standing = |batch: Value| of(Api::OpenaiChat).standing("b", batch.to_string().as_bytes()).expect("a standing");
    for word in ["COMPLETED", "SUCCESS", "succeeded", "FAILED", "EXPIRED", "Canceled"] {
        assert!(standing(json!({"status": word})).is_over, "{word}");
    }
    let counted = |word, done, file: Value| {
        let counts = json!({"total": 2, "completed": done, "failed": 0});
        standing(json!({"status": word, "request_counts": counts, "output_file_id": file})).is_over
    };
    assert!(counted("DONE_AT_LAST", 2, json!("f")), "it has all, and a file with it");
    assert!(!counted("DONE_AT_LAST", 1, json!("f")) && !counted("DONE_AT_LAST", 2, Value::Null));
    assert!(!counted("finalizing", 2, json!("f")) && !counted("IN_PROGRESS", 1, json!("f")));
    assert!(standing(json!({"status": "FAILED"})).failure.is_some());
    let made = json!({"job": {"id": "b-1", "status": "VALIDATING"}}).to_string();
    assert_eq!(of(Api::OpenaiChat).id(made.as_bytes()).as_deref(), Ok("b-1"));
    for (file, path) in [
        ("file-1", Some("files/file-1/content")),
        ("gs://bucket/d/a b.jsonl", Some("files/gs%3A%2F%2Fbucket%2Fd%2Fa%20b.jsonl/content")),
        ("x?y#z%2e", Some("files/x%3Fy%23z%252e/content")),
        ("../admin", None),
        ("gs://../admin", None),
        ("a\\..\\b", None),
        ("..", None),
    ] {
        let standing = standing(json!({"status": "completed", "output_file_id": file}));
        let found = standing.results.first().map(|results| match results {
            Results::At(path) => path.as_str(),
            other => panic!("{other:?}"),
        });
        assert_eq!((found, standing.failure.is_none()), (path, path.is_some()), "{file}");
    }
    let uploaded = json!({"id": "gs://bucket/rows.jsonl"}).to_string();
    assert_eq!(of(Api::OpenaiChat).file_id(uploaded.as_bytes()).as_deref(), Ok("gs://bucket/rows.jsonl"));
    assert!(of(Api::OpenaiChat).id(uploaded.as_bytes()).is_err(), "a batch stands in a path");
}
