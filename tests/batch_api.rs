//! `llm batch --via api`: the same job through the gateway's own Batch API.

use std::sync::atomic::Ordering::SeqCst;

use serde_json::{Value, json};

use crate::support::{Gateway, Home, KEY, Reply};

fn rows(count: usize) -> String {
    (1..=count).map(|n| json!({"text": format!("row {n}")}).to_string() + "\n").collect()
}

fn lines(home: &Home) -> Vec<Value> {
    let text = std::fs::read_to_string(home.path().join("out.jsonl")).expect("an output");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn numbers(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["row"].as_u64().expect("a number")).collect()
}

const SUBMIT: [&str; 7] = ["batch", "rows.jsonl", "{{ text }}", "--out", "out.jsonl", "--via", "api"];

/// A home whose gateway is a demo gateway of another process, in this wire format.
fn home_of_demo(demo: &crate::support::process::Running, api: &str) -> Home {
    demo.await_stdout("/v1\n");
    let address = demo.stdout().trim().to_owned();
    let base = if api == "gemini" { address.trim_end_matches("/v1").to_owned() } else { address };
    let gateway = format!("[gateway.far]\nbase_url = \"{base}\"\napi = \"{api}\"\nauth = \"none\"\n");
    Home::new().config(&format!("default_gateway = \"far\"\n{gateway}"))
}

#[test]
fn a_job_goes_through_the_batches_of_the_demo_gateway_in_every_form() {
    let server = Home::new();
    let running = server.llm(["demo-gateway"]).stdin_open().start();
    let forms = [
        ("openai-chat", "in_progress", "completed"),
        ("openai-responses", "in_progress", "completed"),
        ("anthropic", "in_progress", "ended"),
        ("gemini", "BATCH_STATE_RUNNING", "BATCH_STATE_SUCCEEDED"),
    ];
    for (api, first, last) in forms {
        let home = home_of_demo(&running, api);
        home.file("rows.jsonl", rows(12) + "not json\n");
        let models = ["-m", "demo/quick,demo/steady", "--max-tokens", "50"];
        let outcome = home.llm(SUBMIT).args(models).output();
        outcome
            .exits(8)
            .says("24 requests handed over in 2 batches; `llm batch collect")
            .says("row 13 (line 13) cannot be used");
        assert_eq!(numbers(&lines(&home)), [13, 13], "{api}: a row that cannot be used is told at once");
        let again = home.llm(SUBMIT).args(models).args(["--resume"]).output();
        again.exits(0).says("every row is done or handed over already");
        let listed = home.llm(["batch", "list", "-o", "json"]).output().json();
        assert_eq!((listed[0]["state"].as_str(), listed[0]["via"].as_str()), (Some("submitted"), Some("api")));
        home.llm(["batch", "status"]).output().exits(0).says(&format!("demo/quick, rows 1 to 12: {first}, 0 of 12"));
        let outcome = home.llm(["batch", "collect", "--wait", "-o", "json"]).output();
        outcome.exits(8).says(&format!("rows 1 to 12: {last}, 12 of 12"));
        let found = lines(&home);
        let expected: Vec<u64> = (1..=13).flat_map(|row| [row, row]).collect();
        assert_eq!(numbers(&found), expected, "{api}: each row and model once, in order");
        assert_eq!((&found[0]["text"], &found[0]["status"]), (&json!("Row 1"), &json!("ok")), "{api}");
        assert_eq!(found[0]["timing"]["first_token_ms"], Value::Null, "a batch has no latency of single calls");
        let summary = outcome.json();
        let counts = (summary["models"][0]["ok"].as_u64(), summary["models"][0]["failed"].as_u64());
        assert_eq!(counts, (Some(12), Some(1)), "{api}");
        assert!(found[0]["usage"]["output_tokens"].as_u64() > Some(0), "{api}: {}", found[0]);
        assert_eq!(home.log().len(), 24, "{api}: the ledger has every answer");
        home.llm(["batch", "collect"]).output().exits(8);
        assert_eq!(lines(&home).len(), 26, "{api}: a second time adds nothing");
    }
}

#[test]
fn a_batch_of_any_form_that_is_cancelled_can_be_handed_over_again() {
    let server = Home::new();
    let running = server.llm(["demo-gateway"]).stdin_open().start();
    for api in ["openai-chat", "anthropic", "gemini"] {
        let home = home_of_demo(&running, api);
        home.file("rows.jsonl", rows(3));
        let models = ["-m", "demo/quick", "--max-tokens", "50"];
        home.llm(SUBMIT).args(models).output().exits(0).says("3 requests handed over");
        home.llm(["batch", "cancel"]).output().exits(0).says("the gateway was asked to cancel 1 batch");
        home.llm(["batch", "collect", "--wait"]).output().exits(8).says("to go on: llm batch rows.jsonl");
        assert_eq!(lines(&home).len(), 0, "{api}: nothing was answered");
        home.llm(SUBMIT).args(models).arg("--resume").output().exits(0).says("3 requests handed over");
        home.llm(["batch", "collect", "--wait"]).output().exits(0);
        assert_eq!(numbers(&lines(&home)), [1, 2, 3], "{api}");
    }
}

#[test]
fn a_batch_that_is_over_without_results_is_not_taken_for_a_whole_one() {
    for word in ["expired", "cancelled"] {
        let gateway = openai(move |_| json!({"id": "batch-1", "status": word}), &[]);
        let home = Home::with(&gateway);
        home.file("rows.jsonl", rows(3));
        home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
        let outcome = home.llm(["batch", "collect"]).output();
        outcome.exits(8).says("3 requests have neither an answer nor a failure").says("to go on: llm batch");
        let listed = home.llm(["batch", "list", "-o", "json"]).output().json();
        assert_eq!(listed[0]["state"], "stopped", "{word}");
        let again = home.llm(SUBMIT).args(["--max-tokens", "5", "--resume"]).output();
        again.exits(0).says("3 requests handed over in 1 batch");
    }
}

/// A gateway with OpenAI's batches. `standing` is the body of the batch's status at the n-th question.
fn openai(
    standing: impl Fn(usize) -> Value + Send + Sync + 'static,
    files: &'static [(&'static str, &'static str)],
) -> Gateway {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    Gateway::by(move |request| {
        let path = request.path.trim_start_matches("/v1/");
        match (request.method.as_str(), path) {
            ("POST", "files") => Reply::json(200, &json!({"id": "file-in"})),
            ("POST", "batches") => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
            ("POST", "batches/batch-1/cancel") => Reply::json(200, &json!({"id": "batch-1", "status": "cancelling"})),
            ("GET", "batches/batch-1") => {
                let nth = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                Reply::json(200, &standing(nth))
            }
            ("GET", path) => match files.iter().find(|(name, _)| path == format!("files/{name}/content")) {
                Some((_, content)) => Reply::with_body(200, "application/jsonl", content),
                None => Reply::error(404, "nothing here"),
            },
            _ => Reply::error(404, "nothing here"),
        }
    })
}

fn posts(gateway: &Gateway, path: &str) -> usize {
    gateway.requests().iter().filter(|request| request.method == "POST" && request.path == path).count()
}

const PARTIAL: &str = concat!(
    r#"{"custom_id":"row-3","error":null,"response":{"status_code":200,"body":{"model":"test-model","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"three"}}],"usage":{"prompt_tokens":9,"completion_tokens":4}}}}"#,
    "\n",
    r#"{"custom_id":"row-1","error":null,"response":{"status_code":200,"body":{"model":"test-model","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"one"}}],"usage":{"prompt_tokens":9,"completion_tokens":4}}}}"#,
    "\n"
);

const ERRORS: &str = concat!(
    r#"{"custom_id":"row-2","error":null,"response":{"status_code":400,"body":{"error":{"message":"too long","type":"invalid_request_error"}}}}"#,
    "\n",
    r#"{"custom_id":"row-4","response":null,"error":{"code":"batch_expired","message":"expired"}}"#,
    "\n"
);

#[test]
fn a_batch_that_expires_gives_what_it_has_and_the_rest_is_handed_over_again() {
    let gateway = openai(
        |nth| match nth {
            0 => {
                json!({"id": "batch-1", "status": "in_progress", "request_counts": {"total": 4, "completed": 1, "failed": 0}})
            }
            _ => json!({"id": "batch-1", "status": "expired", "output_file_id": "out", "error_file_id": "err",
                        "request_counts": {"total": 4, "completed": 2, "failed": 2}}),
        },
        &[("out", PARTIAL), ("err", ERRORS)],
    );
    let home = Home::with(&gateway).config("[price.test-model]\ninput = 1\noutput = 1\n");
    home.file("rows.jsonl", rows(4));
    home.llm(SUBMIT).output().exits(0).says("4 requests handed over in 1 batch");
    let upload = gateway.requests().into_iter().find(|request| request.path == "/v1/files").expect("an upload");
    let body = String::from_utf8(upload.body.clone()).expect("text");
    assert!(body.contains(r#"{"custom_id":"row-2-"#), "{body}");
    assert!(body.contains(r#"","method":"POST","url":"/v1/chat/completions","body":{"#), "{body}");
    assert!(body.contains("\"content\":\"row 2\"") && body.contains("\r\n\r\nbatch\r\n"), "{body}");
    home.llm(["batch", "collect"]).output().exits(8).says("in_progress, 1 of 4").says("1 batch is not ready");
    let outcome = home.llm(["batch", "collect"]).output();
    outcome.exits(8).says("expired, 4 of 4").says("the price of batches at env is not known");
    let found = lines(&home);
    assert_eq!(numbers(&found), [1, 2, 3], "in order, however they came; what expired is not done");
    assert_eq!((&found[0]["text"], &found[1]["error"]["message"]), (&json!("one"), &json!("too long")));
    assert_eq!(found[0]["cost"]["usd"], json!(0.000013));
    home.llm(SUBMIT).args(["--resume"]).output().exits(0).says("1 request handed over in 1 batch");
    let uploads: Vec<String> = gateway
        .requests()
        .iter()
        .filter(|request| request.path == "/v1/files")
        .map(|request| String::from_utf8_lossy(&request.body).into_owned())
        .collect();
    assert!(uploads[1].contains("row-4") && !uploads[1].contains("row-1"), "{}", uploads[1]);
    home.llm(["batch", "cancel"]).output().exits(0).says("the gateway was asked to cancel 1 batch");
    assert_eq!(posts(&gateway, "/v1/batches/batch-1/cancel"), 1);
}

#[cfg(unix)]
#[test]
fn a_batch_whose_handover_was_killed_is_found_and_not_paid_twice() {
    let tag = std::sync::Arc::new(std::sync::Mutex::new(Value::Null));
    let received = std::sync::Arc::clone(&tag);
    let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
        ("POST", "/v1/batches") => {
            *received.lock().expect("no panic") = request.json()["metadata"].clone();
            // The gateway has the batch, and the client never hears of it.
            Reply::silence().hold()
        }
        ("GET", "/v1/batches?limit=100") => {
            let metadata = received.lock().expect("no panic").clone();
            Reply::json(
                200,
                &json!({"data": [{"id": "other", "metadata": null}, {"id": "batch-9", "metadata": metadata}]}),
            )
        }
        ("GET", "/v1/batches/batch-9") => {
            Reply::json(200, &json!({"id": "batch-9", "status": "completed", "output_file_id": "out"}))
        }
        ("GET", "/v1/files/out/content") => Reply::with_body(200, "application/jsonl", PARTIAL),
        _ => Reply::error(404, "nothing here"),
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(3));
    let running = home.llm(SUBMIT).start();
    gateway.await_held(1);
    running.signal(rustix::process::Signal::KILL);
    running.finish().dies_by(9);
    let outcome = home.llm(SUBMIT).args(["--resume"]).output();
    outcome.exits(0).says("batch batch-9 was handed over before the process ended; it is not sent again");
    assert_eq!(posts(&gateway, "/v1/batches"), 1);
    home.llm(["batch", "collect"]).output().exits(8).says("1 request has neither an answer nor a failure");
    assert_eq!(numbers(&lines(&home)), [1, 3]);
}

#[test]
fn a_handover_that_failed_at_the_gateway_is_looked_for_and_one_that_was_refused_is_not() {
    for (status, may_be_there) in [(408, true), (503, true), (504, true), (400, false), (429, false)] {
        let received = std::sync::Mutex::new(None);
        let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
            ("POST", "/v1/batches") => {
                let before = received.lock().expect("no panic").replace(request.json()["metadata"].clone());
                match before {
                    None => Reply::error(status, "not now"),
                    Some(_) => Reply::json(200, &json!({"id": "batch-2", "status": "validating"})),
                }
            }
            ("GET", "/v1/batches?limit=100") => {
                let metadata = received.lock().expect("no panic").clone();
                Reply::json(200, &json!({"data": [{"id": "batch-1", "metadata": metadata}]}))
            }
            _ => Reply::error(404, "nothing here"),
        });
        let home = Home::with(&gateway);
        home.file("rows.jsonl", rows(3));
        let submit = |further: &[&str]| home.llm(SUBMIT).args(["--max-tokens", "5"]).args(further).output();
        assert_ne!(submit(&[]).says("not now").code(), Some(0), "{status}");
        let outcome = submit(&["--resume"]);
        let said = if may_be_there { "batch batch-1 was handed over before" } else { "3 requests handed over" };
        outcome.exits(0).says(said);
        assert_eq!(posts(&gateway, "/v1/batches"), if may_be_there { 1 } else { 2 }, "{status}");
    }
}

#[test]
fn a_batch_that_the_gateway_cannot_look_for_can_be_given_up_and_counts_as_the_most_that_it_may_have_cost() {
    let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
        ("POST", "/v1/batches") => Reply::error(502, "not now"),
        ("POST", _) => Reply::unary("one by one"),
        _ => Reply::error(404, "nothing here"),
    });
    let budget = "[[budget]]\nlimit = 1\nper = \"total\"\naction = \"warn\"\n";
    let home = Home::with(&gateway).config(&format!("[price.test-model]\ninput = 0\noutput = 1000\n{budget}"));
    home.file("rows.jsonl", rows(4) + "not json\n");
    let sample = ["--max-tokens", "5", "--sample", "3", "--sample-seed", "1"];
    let outcome = home.llm(SUBMIT).args(sample).output();
    outcome.says("not now");
    assert_ne!(outcome.code(), Some(0));
    let has_bad_row = lines(&home).len() as u64;
    let open = 3 - has_bad_row;
    // What ends in doubt says what can be done.
    for command in [&["batch", "collect"][..], &["batch", "cancel"]] {
        let outcome = home.llm(command).output();
        outcome.says("nothing here").says("--give-up` lets its rows be asked again");
        assert_ne!(outcome.code(), Some(0));
    }
    home.llm(SUBMIT).args(sample).arg("--resume").output().says("--give-up` lets its rows be asked again");
    let one_by_one = ["batch", "rows.jsonl", "{{ text }}", "--out", "out.jsonl", "--resume"];
    let single = |more: &[&str]| home.llm(one_by_one).args(sample).args(more).output();
    single(&[]).exits(2).says("the gateway may have 1 batch of these rows");

    let outcome = home.llm(["batch", "collect", "--give-up"]).output();
    outcome.exits(8).says("given up; if the gateway has it").says("to go on: llm batch rows.jsonl");
    let spent = home.llm(["usage", "--budgets", "-o", "json"]).output().json()[0]["spent_usd"].clone();
    assert_eq!(spent, json!(0.005 * open as f64), "five tokens for each row");
    // What may have been paid counts for the limit of the job.
    single(&["--max-cost", "0.015"]).exits(5);
    single(&["--max-cost", "0.5"]).exits(if has_bad_row == 0 { 0 } else { 8 });
    assert_eq!(lines(&home).len(), 3);
    let status = home.llm(["batch", "status", "-o", "json"]).output().json();
    assert_eq!(status["total_cost"]["unknown"], json!(open), "{status}");
}

#[cfg(unix)]
#[test]
fn why_a_handover_failed_is_told_although_the_ledger_has_failed_too() {
    let ledger = std::sync::Arc::new(std::sync::OnceLock::<std::path::PathBuf>::new());
    let known = std::sync::Arc::clone(&ledger);
    let gateway = Gateway::by(move |request| match request.path.as_str() {
        "/v1/files" => Reply::json(200, &json!({"id": "file-in"})),
        _ => {
            let dir = known.get().expect("a path").parent().expect("a directory");
            std::fs::rename(dir, dir.with_extension("moved")).expect("renamed");
            std::fs::write(dir, "no directory").expect("written");
            Reply::error(400, "too many")
        }
    });
    let home = Home::with(&gateway);
    ledger.set(home.ledger()).expect("set once");
    home.file("rows.jsonl", rows(1));
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().says("error: too many").says("ledger.db");
}

/// The ids of the requests of one of Anthropic's batches.
fn custom_ids(body: &Value) -> Vec<String> {
    let requests = body["requests"].as_array().expect("requests");
    requests.iter().map(|request| request["custom_id"].as_str().expect("an id").to_owned()).collect()
}

/// An answer of Anthropic.
fn message(text: &str) -> Value {
    json!({"id": "m", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
           "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 9, "output_tokens": 4}})
}

#[test]
fn anthropics_message_batches_are_read_as_single_answers_are() {
    let ids = std::sync::Mutex::new(Vec::new());
    let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/messages/batches") => {
            *ids.lock().expect("no panic") = custom_ids(&request.json());
            Reply::json(200, &json!({"id": "msgbatch_1", "processing_status": "in_progress"}))
        }
        ("GET", "/v1/messages/batches/msgbatch_1") => Reply::json(
            200,
            &json!({"id": "msgbatch_1", "processing_status": "ended", "results_url": "https://elsewhere.test/steal",
                    "request_counts": {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 1}}),
        ),
        ("GET", "/v1/messages/batches/msgbatch_1/results") => {
            let ids = ids.lock().expect("no panic");
            let expired = json!({"custom_id": ids[0], "result": {"type": "expired"}});
            let answered = json!({"custom_id": ids[1], "result": {"type": "succeeded", "message": message("two")}});
            Reply::with_body(200, "application/x-jsonl", format!("{answered}\n{expired}"))
        }
        _ => Reply::error(404, "nothing here"),
    });
    let config = format!("[gateway.a]\nbase_url = \"{}\"\napi = \"anthropic\"\nauth = \"none\"\n", gateway.base_url());
    let home = Home::new().config(&config);
    home.file("rows.jsonl", rows(2));
    home.llm(SUBMIT).args(["-m", "a::claude", "--max-tokens", "9"]).output().exits(0).says("2 requests handed over");
    let sent = gateway.requests()[0].json();
    assert_eq!(sent["requests"][1]["params"]["max_tokens"], json!(9));
    assert!(custom_ids(&sent)[1].starts_with("row-2-"), "{sent}");
    home.llm(["batch", "collect"]).output().exits(8).says("ended, 2 of 2");
    let found = lines(&home);
    assert_eq!((numbers(&found), &found[0]["text"]), (vec![2], &json!("two")));
}

#[test]
fn a_limit_of_cost_that_could_not_be_kept_is_refused() {
    let gateway = Gateway::always(Reply::error(404, "nothing here"));
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(2));
    let outcome = home.llm(SUBMIT).args(["--max-cost", "1", "--max-tokens", "5"]).output();
    outcome.exits(5).says("--max-cost cannot be kept by a batch that is handed over");
    let budget = home.config("[[budget]]\nlimit = 5\nper = \"day\"\n");
    budget.llm(SUBMIT).args(["--resume"]).output().exits(5).says("a budget of the config cannot be kept");
    assert_eq!(gateway.requests().len(), 0);
}

#[test]
fn what_only_single_calls_do_is_refused_as_a_flag_and_told_of_the_config() {
    let gateway = openai(|_| json!({"id": "batch-1", "status": "in_progress"}), &[]);
    let home = Home::with(&gateway).config("[cache]\nenabled = true\n[alias.both]\nmodels = [\"one\", \"two\"]\n");
    home.file("rows.jsonl", rows(2));
    let flags: [&[&str]; 6] = [
        &["--fallback", "other"],
        &["--retries", "1"],
        &["--timeout", "5s"],
        &["--cache"],
        &["--concurrency", "3"],
        &["--on-error", "stop"],
    ];
    for flag in flags {
        let outcome = home.llm(SUBMIT).args(flag).output();
        outcome
            .exits(2)
            .says(&format!("error: {}", flag[0]))
            .says("is for single calls, which --via api does not make");
    }
    assert_eq!((gateway.requests().len(), home.path().join("out.jsonl").exists()), (0, false));
    let outcome = home.llm(SUBMIT).args(["-m", "both", "--no-cache", "--on-error", "skip"]).output();
    outcome.exits(0).says("the answer cache is for single calls").says("both has several models");
}

#[test]
fn what_a_gateway_says_of_a_batch_is_masked_and_short() {
    let gateway = openai(
        |nth| match nth {
            0 => json!({"id": "batch-1", "status": format!("{KEY} {}", "x".repeat(5_000))}),
            _ => json!({"id": "batch-1", "status": "failed", "errors": {"data": [
                {"message": format!("Incorrect API key provided: {KEY} {}", "y".repeat(5_000))}]}}),
        },
        &[],
    );
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(3));
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
    let long = "x".repeat(100);
    home.llm(["batch", "status"]).output().exits(0).says("rows 1 to 3: *** xxx").never_says(KEY).never_says(&long);
    let outcome = home.llm(["batch", "collect"]).output();
    outcome.exits(8).says("the batch has failed: Incorrect API key provided: ***");
    outcome.never_says(KEY).never_says(&"y".repeat(2_500)).says("3 requests have neither an answer nor a failure");
    home.holds_no_key();
}

#[test]
fn results_that_belong_to_no_request_are_told_and_not_taken_for_answers() {
    const FOREIGN: &str = concat!(
        r#"{"custom_id":"row-9","error":null,"response":{"status_code":200,"body":{}}}"#,
        "\n",
        r#"{"custom_id":"other","error":null,"response":{"status_code":200,"body":{}}}"#,
        "\nnot a result\n\n"
    );
    let over = |output: &str| json!({"id": "batch-1", "status": "completed", "output_file_id": output});
    for (output, said, count) in [
        ("foreign", "3 lines of the results: no result of a request of this batch", 3),
        ("part", "1 request has neither an answer nor a failure", 1),
        ("../../admin/keys", "the gateway named a file of results that cannot stand in a path", 3),
        ("", "3 requests have neither an answer nor a failure", 3),
    ] {
        let gateway = openai(move |_| over(output), &[("foreign", FOREIGN), ("part", PARTIAL)]);
        let home = Home::with(&gateway);
        home.file("rows.jsonl", rows(3));
        home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
        let outcome = home.llm(["batch", "collect"]).output();
        outcome.exits(8).says(said).says("neither an answer nor a failure");
        assert_eq!(lines(&home).len(), 3 - count, "{output}");
        assert!(gateway.requests().iter().all(|request| !request.path.contains("admin")));
    }
}

#[test]
fn an_id_of_a_batch_that_is_too_long_is_refused() {
    let gateway = Gateway::by(|request| match request.path.as_str() {
        "/v1/files" => Reply::json(200, &json!({"id": "file-in"})),
        _ => Reply::json(200, &json!({"id": "b".repeat(600), "status": "validating"})),
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(1));
    let outcome = home.llm(SUBMIT).args(["--max-tokens", "5"]).output();
    outcome.exits(1).says("the id that the gateway gave is longer than 512 bytes").never_says("bbbb");
}

#[test]
fn a_document_of_results_that_stops_keeps_what_has_come_and_the_rest_is_collected_later() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
        ("POST", "/v1/batches") => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
        ("GET", "/v1/batches/batch-1") => Reply::json(
            200,
            &json!({"id": "batch-1", "status": "completed", "output_file_id": "out", "error_file_id": "err"}),
        ),
        ("GET", "/v1/files/out/content") => match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => {
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
                Reply::raw([head, PARTIAL, "{\"custom_id\":"].concat()).hold()
            }
            _ => Reply::with_body(200, "application/jsonl", PARTIAL),
        },
        ("GET", "/v1/files/err/content") => Reply::with_body(200, "application/jsonl", ERRORS),
        _ => Reply::error(404, "nothing here"),
    });
    let config = format!(
        "[gateway.a]\nbase_url = \"{}\"\nauth = \"none\"\ntimeouts = {{ idle = \"300ms\" }}\n",
        gateway.base_url()
    );
    let home = Home::new().config(&config);
    home.file("rows.jsonl", rows(3));
    home.llm(SUBMIT).args(["-m", "a::m"]).output().exits(0).says("3 requests handed over");
    let outcome = home.llm(["batch", "collect", "--wait"]).output();
    outcome.exits(7).says("nothing more came for 0.3 s").says("timeouts.idle of the gateway");
    outcome.says("1 batch is not ready; `llm batch collect");
    assert_eq!(numbers(&lines(&home)), [1, 3], "what has come is kept");
    home.llm(["batch", "collect"]).output().exits(8).never_says("neither an answer");
    assert_eq!(numbers(&lines(&home)), [1, 2, 3]);
}

#[test]
fn a_result_without_end_is_left_out_and_told() {
    let gateway = Gateway::by(|request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
        ("POST", "/v1/batches") => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
        ("GET", "/v1/batches/batch-1") => {
            Reply::json(200, &json!({"id": "batch-1", "status": "completed", "output_file_id": "out"}))
        }
        _ => {
            let long = format!("{{\"custom_id\":\"row-2\",\"response\":{{\"x\":\"{}\"}}}}\n", "x".repeat(65 << 20));
            Reply::with_body(200, "application/jsonl", long + PARTIAL)
        }
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(3));
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
    let outcome = home.llm(["batch", "collect"]).output();
    outcome.exits(8).says("1 result is longer than 64 MiB and left out").says("1 request has neither");
    assert_eq!(numbers(&lines(&home)), [1, 3]);
}

/// The OpenAI form of a gateway that answers every row of every batch that is handed over to it, and single calls.
fn answering() -> Gateway {
    let uploads = std::sync::Mutex::new(Vec::<String>::new());
    Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => {
            uploads.lock().expect("no panic").push(String::from_utf8_lossy(&request.body).into_owned());
            Reply::json(200, &json!({"id": "file-in"}))
        }
        ("POST", "/v1/batches") => {
            let id = format!("batch-{}", uploads.lock().expect("no panic").len());
            Reply::json(200, &json!({"id": id, "status": "validating"}))
        }
        ("GET", path) if path.starts_with("/v1/batches/") => {
            let id = path.trim_start_matches("/v1/batches/");
            Reply::json(200, &json!({"id": id, "status": "completed", "output_file_id": id}))
        }
        ("GET", path) if path.starts_with("/v1/files/") => {
            let id = path.trim_start_matches("/v1/files/batch-").trim_end_matches("/content");
            let upload = &uploads.lock().expect("no panic")[id.parse::<usize>().expect("a number") - 1];
            let entries = upload.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let result = |entry: Value| {
                json!({"custom_id": entry["custom_id"], "error": null, "response": {"status_code": 200, "body": {
                    "model": "test-model", "usage": {"prompt_tokens": 9, "completion_tokens": 4}, "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}]}}})
            };
            let results: String = entries.map(|entry| result(entry).to_string() + "\n").collect();
            Reply::with_body(200, "application/jsonl", results)
        }
        ("POST", "/v1/chat/completions") => Reply::stream(&["yes"]),
        _ => Reply::error(404, "nothing here"),
    })
}

#[test]
fn a_key_is_handed_over_for_no_model_that_it_may_not_be_used_for() {
    for api in ["openai-chat", "anthropic", "gemini"] {
        let gateway = answering();
        let config = format!(
            "[gateway.g]\nbase_url = \"{}\"\napi = \"{api}\"\n[allow]\nLLM_API_KEY = [\"small\"]\n\
             [alias]\nsome.models = [\"g::big\", \"g::small\"]\n",
            gateway.base_url()
        );
        let home = Home::new().config(&config).env("LLM_API_KEY", KEY).env("LLM_GATEWAY", "g");
        home.file("rows.jsonl", rows(2));
        for model in ["g::big", "g::small,g::big", "some"] {
            let outcome = home.llm(SUBMIT).args(["-m", model, "--max-tokens", "9"]).output();
            outcome.exits(5).says("the key LLM_API_KEY may not be used for big");
            assert_eq!(gateway.requests().len(), 0, "{api}: nothing of {model} is handed over");
        }
        assert_eq!(home.llm(["batch", "list", "-o", "json"]).output().json(), json!([]), "{api}");
    }
}

#[test]
fn a_data_set_that_could_not_be_read_again_is_not_handed_over() {
    let gateway = answering();
    let home = Home::with(&gateway);
    let arguments = ["batch", "-", "{{ line }}", "--out", "out.jsonl", "--via", "api", "--max-tokens", "5"];
    let outcome = home.llm(arguments).stdin("a\nb\n").output();
    outcome.exits(2).says("--via api needs a data set in a file");
    assert_eq!(gateway.requests().len(), 0);
}

#[test]
fn rows_that_the_gateway_has_are_not_asked_by_single_calls_too() {
    let gateway = answering();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(3));
    let calls = ["batch", "rows.jsonl", "{{ text }}", "--out", "out.jsonl", "--resume", "--max-tokens", "5"];
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
    let refused = home.llm(calls).output();
    refused.exits(2).says("the gateway has 1 batch of these rows, which would be paid twice");
    refused.says("`llm batch collect ").says("`llm batch cancel ");
    assert_eq!(posts(&gateway, "/v1/chat/completions"), 0);
    home.llm(["batch", "collect"]).output().exits(0);
    home.file("rows.jsonl", rows(4));
    home.llm(calls).output().exits(0);
    assert_eq!((numbers(&lines(&home)), posts(&gateway, "/v1/chat/completions")), (vec![1, 2, 3, 4], 1));
}

#[test]
fn a_batch_that_began_with_single_calls_can_be_handed_over_and_collected() {
    let gateway = answering();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(1));
    let calls = ["batch", "rows.jsonl", "{{ text }}", "--out", "out.jsonl", "--max-tokens", "5"];
    home.llm(calls).output().exits(0);
    home.file("rows.jsonl", rows(3));
    home.llm(SUBMIT).args(["--max-tokens", "5", "--resume"]).output().exits(0).says("2 requests handed over");
    home.llm(["batch", "collect"]).output().exits(0);
    assert_eq!(numbers(&lines(&home)), [1, 2, 3]);
}

/// A gateway with Anthropic's batches, which answers each request with its own prompt. It does not answer the first
/// `lost` hand-overs, of which it has the batches all the same, and batch N is in work until it was asked for so often.
struct Messages {
    gateway: Gateway,
    home: Home,
}

impl Messages {
    fn new(lost: usize, in_work: &'static [(usize, usize)]) -> Self {
        Self::that_hears(0, lost, in_work)
    }

    /// The same, which hears nothing of the first posts.
    fn that_hears(after: usize, lost: usize, in_work: &'static [(usize, usize)]) -> Self {
        let unheard = std::sync::atomic::AtomicUsize::new(after);
        let batches = std::sync::Mutex::new(Vec::<(Value, usize)>::new());
        let gateway = Gateway::by(move |request| {
            let mut batches = batches.lock().expect("no panic");
            let path = request.path.trim_start_matches("/v1/messages/batches");
            let stands = |number: usize, (body, asked): &(Value, usize)| {
                let is_over = in_work.iter().all(|(batch, until)| *batch != number || asked >= until);
                let count = body["requests"].as_array().expect("requests").len();
                let (word, name) = if is_over { ("ended", "succeeded") } else { ("in_progress", "processing") };
                json!({"id": format!("msgbatch_{number}"), "processing_status": word, "request_counts": {name: count}})
            };
            match (request.method.as_str(), path) {
                ("POST", "") => {
                    if unheard.load(SeqCst) > 0 {
                        unheard.fetch_sub(1, SeqCst);
                        return Reply::raw("").close();
                    }
                    batches.push((request.json(), 0));
                    let number = batches.len();
                    if number <= lost {
                        return Reply::raw("").close();
                    }
                    Reply::json(200, &stands(number, &batches[number - 1]))
                }
                ("GET", "?limit=100") => {
                    let all = batches.iter().enumerate().rev().map(|(at, batch)| stands(at + 1, batch));
                    Reply::json(200, &json!({"data": all.collect::<Vec<_>>()}))
                }
                ("GET", path) => {
                    let number = path.trim_start_matches("/msgbatch_").trim_end_matches("/results");
                    let number: usize = number.parse().expect("a number");
                    let batch = &mut batches[number - 1];
                    if !path.ends_with("/results") {
                        let standing = stands(number, batch);
                        batch.1 += 1;
                        return Reply::json(200, &standing);
                    }
                    let results = batch.0["requests"].as_array().expect("requests").iter().map(|request| {
                        let prompt = &request["params"]["messages"][0]["content"];
                        let text = prompt.as_str().or_else(|| prompt[0]["text"].as_str()).expect("a prompt");
                        let result = json!({"type": "succeeded", "message": message(text)});
                        json!({"custom_id": request["custom_id"], "result": result}).to_string() + "\n"
                    });
                    Reply::with_body(200, "application/x-jsonl", results.collect::<String>())
                }
                _ => Reply::error(404, "nothing here"),
            }
        });
        let home = Self::home(&gateway);
        Self { gateway, home }
    }

    fn home(gateway: &Gateway) -> Home {
        let gateway = format!("base_url = \"{}\"\napi = \"anthropic\"\nauth = \"none\"\n", gateway.base_url());
        let home = Home::new().config(&format!("[gateway.a]\n{gateway}"));
        home.file("mine.txt", "mine 1\nmine 2\n");
        home.file("other.txt", "other 1\nother 2\n");
        home
    }

    fn hand_over(home: &Home, rows: &str) -> crate::support::process::Run {
        let arguments = ["batch", rows, "{{ line }}", "-m", "a::claude", "--max-tokens", "9", "--via", "api"];
        home.llm(arguments).args(["--out", if rows == "mine.txt" { "out.jsonl" } else { "other.jsonl" }])
    }

    fn answers(&self) -> Vec<String> {
        lines(&self.home).iter().map(|line| line["text"].as_str().expect("a text").to_owned()).collect()
    }
}

#[test]
fn the_answers_to_another_batch_are_never_taken_for_those_that_are_looked_for() {
    for is_same_ledger in [true, false] {
        let messages = Messages::new(1, &[]);
        let home = &messages.home;
        Messages::hand_over(home, "mine.txt").output().exits(7);
        let colleague = Messages::home(&messages.gateway);
        let other = if is_same_ledger { home } else { &colleague };
        Messages::hand_over(other, "other.txt").output().exits(0);
        let outcome = Messages::hand_over(home, "mine.txt").arg("--resume").output();
        outcome.exits(0).says("batch msgbatch_1 was handed over before the process ended; it is not sent again");
        let jobs = home.llm(["batch", "list", "-o", "json"]).output().json();
        let mine = jobs.as_array().expect("jobs").iter().find(|job| job["input"] == "mine.txt").expect("the job");
        home.llm(["batch", "collect", mine["id"].as_str().expect("an id")]).output().exits(0);
        assert_eq!(messages.answers(), ["mine 1", "mine 2"], "the same ledger: {is_same_ledger}");
    }
}

#[test]
fn a_batch_that_may_be_the_lost_one_is_neither_collected_nor_handed_over_again_before_it_is_known() {
    // The batch of a colleague is over first.
    let messages = Messages::new(1, &[(1, 2), (2, 1)]);
    let home = &messages.home;
    Messages::hand_over(home, "mine.txt").output().exits(7);
    Messages::hand_over(&Messages::home(&messages.gateway), "other.txt").output().exits(0);
    let outcome = Messages::hand_over(home, "mine.txt").arg("--resume").output();
    outcome.exits(0).says("rows 1 to 2: batch msgbatch_2, which is in work, has as many requests and may be this one");
    home.llm(["batch", "status"]).output().exits(0).says("rows 1 to 2: perhaps handed over; `llm batch collect");
    let calls = ["batch", "mine.txt", "{{ line }}", "-m", "a::claude", "--max-tokens", "9", "--out", "out.jsonl"];
    home.llm(calls).arg("--resume").output().exits(2).says("the gateway may have 1 batch of these rows");
    let outcome = home.llm(["batch", "collect"]).output();
    outcome.exits(8).says("batch msgbatch_1, which is in work").says("1 batch is not ready");
    home.llm(["batch", "collect", "--wait"]).output().exits(0).says("batch msgbatch_1 was handed over before");
    assert_eq!(messages.answers(), ["mine 1", "mine 2"]);
    assert_eq!(posts(&messages.gateway, "/v1/messages/batches"), 2, "each was handed over once");
}

#[test]
fn a_batch_that_never_reached_the_gateway_is_missing_and_handed_over_again() {
    let messages = Messages::that_hears(1, 0, &[]);
    let home = &messages.home;
    Messages::hand_over(home, "mine.txt").output().exits(7);
    let outcome = home.llm(["batch", "collect"]).output();
    outcome.exits(8).says("2 requests have neither an answer nor a failure").says("to go on: llm batch mine.txt");
    Messages::hand_over(home, "mine.txt").arg("--resume").output().exits(0).says("2 requests handed over in 1 batch");
    home.llm(["batch", "collect"]).output().exits(0);
    assert_eq!(messages.answers(), ["mine 1", "mine 2"]);
}

#[test]
fn a_batch_is_looked_for_where_it_was_handed_over_and_nowhere_else() {
    for lost in [0, 1] {
        let messages = Messages::new(lost, &[]);
        let home = &messages.home;
        let handed_over = Messages::hand_over(home, "mine.txt").output();
        handed_over.exits(if lost == 0 { 0 } else { 7 });
        let other = Messages::new(0, &[]);
        let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
        home.file("llm.toml", config.replace(&messages.gateway.base_url(), &other.gateway.base_url()));
        for command in ["cancel", "collect", "status"] {
            let outcome = home.llm(["batch", command]).output();
            if (command, lost) != ("status", 1) {
                outcome.exits(2).says("this batch was handed over to a at").says(&messages.gateway.base_url());
            }
        }
        if lost == 1 {
            Messages::hand_over(home, "mine.txt")
                .arg("--resume")
                .output()
                .exits(2)
                .says("this batch was handed over to a at");
        }
        assert_eq!(other.gateway.requests().len(), 0, "it is another gateway");
        home.file("llm.toml", config);
        home.llm(["batch", "collect"]).output().exits(0);
        assert_eq!(messages.answers(), ["mine 1", "mine 2"]);
    }
}

#[test]
fn rows_without_a_line_are_told_however_often_a_batch_is_collected() {
    for (output, done) in [("part", 2), ("", 0)] {
        let over = json!({"id": "batch-1", "status": "expired", "output_file_id": output});
        let gateway = openai(move |_| over.clone(), &[("part", PARTIAL)]);
        let home = Home::with(&gateway);
        home.file("rows.jsonl", rows(3) + "not json\n");
        home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(8);
        // Rows that come later were not handed over.
        home.file("rows.jsonl", rows(3) + "not json\n{\"text\": \"new\"}\n");
        for _ in 0..3 {
            let outcome = home.llm(["batch", "collect"]).output();
            let missing = if done == 2 { "1 request has" } else { "3 requests have" };
            outcome.exits(8).says(&format!("{missing} neither an answer nor a failure")).says("to go on: llm batch");
            let status = home.llm(["batch", "status"]).output();
            assert!(status.exits(0).stdout().contains(&format!("stopped, {}/4 done", done + 1)), "{}", status.stdout());
            let listed = home.llm(["batch", "list", "-o", "json"]).output().json();
            assert_eq!((&listed[0]["state"], &listed[0]["total"]), (&json!("stopped"), &json!(4)));
        }
    }
}

#[test]
fn a_handover_that_broke_off_is_not_finished_when_its_first_part_is_collected() {
    // The second model's batch is refused.
    let gateway = Gateway::by(|request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") if request.body.windows(5).any(|part| part == b"other") => Reply::error(400, "too many"),
        ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
        ("POST", "/v1/batches") => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
        ("GET", "/v1/batches/batch-1") => {
            Reply::json(200, &json!({"id": "batch-1", "status": "completed", "output_file_id": "out"}))
        }
        _ => Reply::with_body(200, "application/jsonl", PARTIAL.replace("row-3", "row-2")),
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(2));
    home.llm(SUBMIT).args(["-m", "first,other", "--max-tokens", "5"]).output().says("too many");
    for _ in 0..2 {
        let outcome = home.llm(["batch", "collect"]).output();
        outcome.exits(8).says("2 requests have neither an answer nor a failure");
    }
    assert_eq!(numbers(&lines(&home)), [1, 2]);
}

#[test]
fn a_batch_that_the_gateway_does_not_have_any_more_can_be_given_up() {
    let gateway = Gateway::by(|request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
        ("POST", "/v1/batches") => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
        ("POST", "/v1/chat/completions") => Reply::stream(&["yes"]),
        _ => Reply::error(404, "no such batch"),
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(2));
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
    home.llm(["batch", "collect"]).output().says("no such batch");
    let calls = ["batch", "rows.jsonl", "{{ text }}", "--out", "out.jsonl", "--resume", "--max-tokens", "5"];
    home.llm(calls).output().exits(2);
    home.llm(["batch", "cancel"]).output().exits(0).says("the gateway has no batch batch-1, which is given up");
    home.llm(calls).output().exits(0);
    assert_eq!(numbers(&lines(&home)), [1, 2]);
}

#[test]
fn a_batch_is_given_up_only_if_the_gateway_does_not_have_it_and_not_because_it_cannot_cancel() {
    for answer in [Reply::error(404, "no such path"), Reply::json(200, &json!({"error": {"message": "not now"}}))] {
        let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
            ("POST", "/v1/batches") => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
            ("GET", "/v1/batches/batch-1") => Reply::json(200, &json!({"id": "batch-1", "status": "in_progress"})),
            _ => answer.clone(),
        });
        let home = Home::with(&gateway);
        home.file("rows.jsonl", rows(1));
        home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
        let outcome = home.llm(["batch", "cancel"]).output();
        assert_ne!(outcome.code(), Some(0));
        outcome.says(if outcome.stderr().contains("not now") {
            "not now"
        } else {
            "the gateway has batch batch-1, and cannot cancel it"
        });
        let calls = ["batch", "rows.jsonl", "{{ text }}", "--out", "out.jsonl", "--resume", "--max-tokens", "5"];
        home.llm(calls).output().exits(2).says("the gateway has 1 batch of these rows");
    }
}

#[test]
fn a_key_that_is_refused_with_status_200_is_told_wherever_it_is_while_a_batch_is_collected() {
    for refused in ["/v1/batches/batch-1", "/v1/files/out/content"] {
        let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
            (_, path) if path == refused => Reply::json(200, &json!({"success": false, "message": "Invalid API key"})),
            ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
            ("POST", "/v1/batches") => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
            _ => Reply::json(200, &json!({"id": "batch-1", "status": "completed", "output_file_id": "out"})),
        });
        let home = Home::with(&gateway);
        home.file("rows.jsonl", rows(1));
        home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
        home.llm(["batch", "collect"]).output().exits(4).says("Invalid API key").says("refused the key");
    }
}

#[test]
fn rows_that_cannot_be_used_are_told_when_a_batch_is_handed_over() {
    for (data, code, handed_over) in [
        ("{\"x\":1}\nnot json\n", 1, "2 lines in the output"),
        ("{\"x\":1}\n{\"text\":\"yes\"}\nnot json\n", 8, "1 request handed over in 1 batch"),
    ] {
        let gateway = answering();
        let home = Home::with(&gateway);
        home.file("rows.jsonl", data);
        let outcome = home.llm(SUBMIT).args(["--max-tokens", "5"]).output();
        outcome.exits(code).says(handed_over).says("row 1 (line 1) cannot be used");
    }
}

#[test]
fn a_wait_for_answers_bears_failures_that_may_pass() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
        ("POST", "/v1/batches") => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
        ("GET", "/v1/batches/batch-1") => match asked.fetch_add(1, SeqCst) {
            0 | 1 => Reply::error(429, "slow down"),
            2 => Reply::error(503, "not now"),
            _ => Reply::json(200, &json!({"id": "batch-1", "status": "completed", "output_file_id": "part"})),
        },
        ("GET", _) => Reply::with_body(200, "application/jsonl", PARTIAL),
        _ => Reply::error(404, "nothing here"),
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(3));
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
    let outcome = home.llm(["batch", "collect"]).output();
    outcome.exits(6).says("`llm batch collect` again gets the rest");
    let outcome = home.llm(["batch", "collect", "--wait"]).output();
    outcome.exits(8).says("slow down; asked again until it passes");
    assert_eq!(numbers(&lines(&home)), [1, 3]);
}

/// A gateway with a batch that is over. Its standing and its results are others once `come` is set.
fn over(
    come: &std::sync::Arc<std::sync::atomic::AtomicBool>,
    standing: impl Fn(bool) -> Value + Send + Sync + 'static,
    results: impl Fn(bool) -> String + Send + Sync + 'static,
) -> Gateway {
    let has_come = std::sync::Arc::clone(come);
    Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
        ("POST", "/v1/batches") => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
        ("GET", "/v1/batches/batch-1") => Reply::json(200, &standing(has_come.load(SeqCst))),
        ("GET", _) => Reply::with_body(200, "application/jsonl", results(has_come.load(SeqCst))),
        _ => Reply::error(404, "nothing here"),
    })
}

#[test]
fn results_that_break_off_are_fetched_again() {
    let rest = r#"{"custom_id":"row-2","error":null,"response":{"status_code":200,"body":{"model":"test-model","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"two"}}]}}}"#;
    let whole = format!("{PARTIAL}{rest}\n");
    for (length, counts) in [
        (PARTIAL.len(), json!({"total": 3, "completed": 3, "failed": 0})),
        (PARTIAL.len() + 20, json!({"total": 3, "completed": 3, "failed": 0})),
        (PARTIAL.len() + 20, Value::Null),
    ] {
        let come = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let whole = whole.clone();
        let gateway = over(
            &come,
            move |_| json!({"id": "batch-1", "status": "completed", "output_file_id": "all", "request_counts": counts}),
            move |has_come| format!("\u{feff}{}", &whole[..if has_come { whole.len() } else { length }]),
        );
        let home = Home::with(&gateway);
        home.file("rows.jsonl", rows(3));
        home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
        let outcome = home.llm(["batch", "collect"]).output();
        outcome.says("the batch is kept: collect it again later");
        assert_eq!((outcome.code(), numbers(&lines(&home))), (Some(1), vec![1, 3]), "{outcome}");
        come.store(true, SeqCst);
        home.llm(["batch", "collect"]).output().exits(0);
        assert_eq!(numbers(&lines(&home)).len(), 3);
    }
}

#[test]
fn results_that_have_not_come_yet_are_not_taken_for_none() {
    for (file, content) in [(json!("part"), ""), (json!("part"), "<html>log in</html>"), (Value::Null, "")] {
        let come = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let gateway = over(
            &come,
            move |has_come| {
                let file = if has_come { json!("part") } else { file.clone() };
                let counts = json!({"total": 2, "completed": 2, "failed": 0});
                json!({"id": "batch-1", "status": "completed", "output_file_id": file, "request_counts": counts})
            },
            move |has_come| if has_come { PARTIAL } else { content }.to_owned(),
        );
        let home = Home::with(&gateway);
        home.file("rows.jsonl", rows(3));
        home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
        let outcome = home.llm(["batch", "collect"]).output();
        outcome.says("it came to 2 of 2 requests, and no result has come");
        assert_ne!(outcome.code(), Some(0));
        home.llm(SUBMIT).args(["--max-tokens", "5", "--resume"]).output().exits(0).says("handed over already");
        let other = Home::with(&gateway);
        other.file("rows.jsonl", rows(3));
        other.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
        other.llm(["batch", "collect", "--give-up"]).output().exits(8).says("given up");
        assert_eq!(other.llm(["usage", "-o", "json"]).output().json()["total"]["cost"]["unknown"], json!(3));
        come.store(true, SeqCst);
        home.llm(["batch", "collect"]).output().exits(8);
        assert_eq!(numbers(&lines(&home)), [1, 3]);
    }
}

#[test]
fn a_batch_of_which_every_request_failed_and_nobody_says_why_is_over() {
    let counts = json!({"total": 2, "completed": 0, "failed": 2});
    let gateway = openai(move |_| json!({"id": "batch-1", "status": "completed", "request_counts": counts}), &[]);
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(2));
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
    home.llm(["batch", "collect"]).output().exits(8).says("2 requests have neither an answer nor a failure");
    home.llm(SUBMIT).args(["--max-tokens", "5", "--resume"]).output().exits(0).says("2 requests handed over");
}

#[test]
fn a_request_of_a_batch_that_was_refused_as_by_a_wrong_key_keeps_no_other_answer_away() {
    const REFUSED: &str = concat!(
        r#"{"custom_id":"row-2","error":null,"response":{"status_code":403,"body":{"error":{"message":"no access to this file"}}}}"#,
        "\n"
    );
    let counts = json!({"total": 3, "completed": 2, "failed": 1});
    let standing = json!({"id": "batch-1", "status": "completed", "output_file_id": "part", "error_file_id": "wrong",
        "request_counts": counts});
    let gateway = openai(move |_| standing.clone(), &[("part", PARTIAL), ("wrong", REFUSED)]);
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(3));
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
    home.llm(["batch", "collect"]).output().exits(8).says("no access to this file");
    let mut found = numbers(&lines(&home));
    found.sort_unstable();
    assert_eq!(found, [1, 2, 3]);
    home.llm(["batch", "collect"]).output().exits(8).never_says("not ready");
}

#[test]
fn the_words_of_an_answer_stay_as_they_are_also_where_it_is_collected() {
    const SAID: &str = concat!(
        r#"{"custom_id":"row-1","error":null,"response":{"status_code":200,"body":{"id":"customer-support","model":"test-model","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Ask customer-support."}}],"usage":{"prompt_tokens":9,"completion_tokens":4}}}}"#,
        "\n"
    );
    let standing = json!({"id": "batch-1", "status": "completed", "output_file_id": "part"});
    let gateway = openai(move |_| standing.clone(), &[("part", SAID)]);
    let header = "headers = { X-Auth-Team = \"customer-support\" }\nauth = \"none\"\n";
    let home = Home::new()
        .config(&format!("default_gateway = \"far\"\n[gateway.far]\nbase_url = \"{}\"\n{header}", gateway.base_url()));
    home.file("rows.jsonl", rows(1));
    home.llm(SUBMIT).args(["-m", "test-model", "--max-tokens", "5"]).output().exits(0);
    home.llm(["batch", "collect"]).output().exits(0);
    let line = &lines(&home)[0];
    assert_eq!(line["text"], "Ask customer-support.", "{line}");
    assert_eq!(line.to_string().matches("customer-support").count(), 1, "nowhere else: {line}");
}

#[test]
fn rows_that_another_batch_of_the_same_model_has_are_not_given_up() {
    let is_over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let over = std::sync::Arc::clone(&is_over);
    let submitted = std::sync::atomic::AtomicUsize::new(0);
    // Each batch has about every other row. The results of the first one never come.
    let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
        ("POST", "/v1/batches") => {
            let number = submitted.fetch_add(1, SeqCst);
            Reply::json(200, &json!({"id": format!("batch-{number}"), "status": "validating"}))
        }
        ("GET", "/v1/batches/batch-0") => {
            let counts = json!({"total": 1, "completed": 1, "failed": 0});
            Reply::json(200, &json!({"id": "batch-0", "status": "completed", "request_counts": counts}))
        }
        ("GET", "/v1/batches/batch-1") if over.load(SeqCst) => {
            Reply::json(200, &json!({"id": "batch-1", "status": "completed", "output_file_id": "answers"}))
        }
        ("GET", "/v1/batches/batch-1") => Reply::json(200, &json!({"id": "batch-1", "status": "in_progress"})),
        ("GET", "/v1/files/answers/content") => Reply::with_body(200, "application/jsonl", PARTIAL),
        _ => Reply::error(404, "nothing here"),
    });
    let home = Home::with(&gateway).config("[alias.both]\nmodels = [\"a\", \"b\"]\nstrategy = \"balanced\"\n");
    home.file("rows.jsonl", rows(60));
    home.llm(SUBMIT).args(["-m", "both", "--max-tokens", "5"]).output().exits(0).says("in 2 batches");
    let outcome = home.llm(["batch", "collect", "--give-up"]).output();
    outcome.says("not given up while another batch has some of these rows in work");
    is_over.store(true, SeqCst);
    let outcome = home.llm(["batch", "collect", "--give-up"]).output();
    outcome.says(": given up; if the gateway has it");
}

#[test]
fn a_batch_that_cannot_be_cancelled_does_not_keep_the_others_from_it() {
    let submitted = std::sync::atomic::AtomicUsize::new(0);
    let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => Reply::json(200, &json!({"id": "file-in"})),
        ("POST", "/v1/batches") => {
            let number = submitted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Reply::json(200, &json!({"id": format!("batch-{number}"), "status": "validating"}))
        }
        ("POST", "/v1/batches/batch-1/cancel") => Reply::json(200, &json!({"id": "batch-1", "status": "cancelling"})),
        ("POST", "/v1/batches/batch-0/cancel") => Reply::error(400, "too early"),
        _ => Reply::error(400, "too late"),
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(2));
    home.llm(SUBMIT).args(["-m", "a,b,c", "--max-tokens", "5"]).output().exits(0).says("in 3 batches");
    let outcome = home.llm(["batch", "cancel"]).output();
    outcome.says("too early").says("c: ").says("too late").says("the gateway was asked to cancel 1 batch;");
    assert_ne!(outcome.code(), Some(0));
    for number in 0..3 {
        assert_eq!(posts(&gateway, &format!("/v1/batches/batch-{number}/cancel")), 1);
    }
}

#[test]
fn a_retry_that_is_refused_leaves_the_output_as_it_is() {
    let gateway = answering();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(2) + "not json\n");
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(8);
    let path = home.path().join("out.jsonl");
    // The end of a line is missing.
    let kept = std::fs::read_to_string(&path).expect("an output").trim_end().to_owned();
    home.file("out.jsonl", &kept);
    let calls = ["batch", "rows.jsonl", "{{ text }}", "--out", "out.jsonl", "--retry-failed", "--max-tokens", "5"];
    home.llm(calls).output().exits(2).says("the gateway has 1 batch of these rows, which would be paid twice");
    assert_eq!(std::fs::read_to_string(&path).expect("an output"), kept);
    assert_eq!(posts(&gateway, "/v1/chat/completions"), 0);
}

/// L29
#[test]
fn answers_are_not_collected_for_rows_or_a_template_that_changed_since_they_were_handed_over() {
    let gateway = answering();
    let home = Home::with(&gateway);
    home.file("rows.csv", "text,label\na,yes\nb,no\nc,yes\n");
    home.file("template.txt", "{{ text }}");
    let arguments = ["batch", "rows.csv", "@template.txt", "--expect", "label", "--out", "out.jsonl", "--via", "api"];
    home.llm(arguments).args(["--max-tokens", "5"]).output().exits(0);
    for (changed, said) in [
        ("text,label\na,yes\nB,no\nc,yes\n", "row 2 (line 3) is not the row that was handed over"),
        ("text,label\na,yes\nb,yes\nc,yes\n", "row 2 (line 3) is not the row that was handed over"),
        ("text,label\nnew,no\na,yes\nb,no\nc,yes\n", "row 1 (line 2) is not the row that was handed over"),
        ("text,label\na,yes\n", "it has 1 rows, and row 3 was handed over"),
    ] {
        home.file("rows.csv", changed);
        let outcome = home.llm(["batch", "collect"]).output();
        outcome.exits(2).says("rows.csv was changed since it was handed over").says(said);
        assert_eq!(lines(&home).len(), 0);
    }
    home.file("rows.csv", "text,label\na,yes\nb,no\nc,yes\nadded,no\n");
    home.file("template.txt", "other {{ text }}");
    for command in [vec!["batch", "collect"], [&arguments[..], &["--max-tokens", "5", "--resume"]].concat()] {
        home.llm(command).output().exits(2).says("this batch has another template than the one");
    }
    home.file("template.txt", "{{ text }}");
    home.llm(["batch", "collect"]).output().exits(0);
    assert_eq!(numbers(&lines(&home)), [1, 2, 3]);
}

#[test]
fn the_same_command_does_not_pay_twice_for_rows_that_the_gateway_has() {
    let gateway = answering();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(2));
    let calls = ["batch", "rows.jsonl", "{{ text }}", "--out", "out.jsonl", "--max-tokens", "5"];
    home.llm(calls).args(["--via", "api"]).output().exits(0);
    let asked = gateway.requests().len();
    for further in [&["--via", "api"][..], &[]] {
        let outcome = home.llm(calls).args(further).output();
        outcome.exits(2).says("was handed over, and its answers go to out.jsonl");
    }
    assert_eq!(gateway.requests().len(), asked);
    home.llm(["batch", "collect"]).output().exits(0);
    std::fs::remove_file(home.path().join("out.jsonl")).expect("removed");
    home.llm(calls).output().exits(0);
}

#[test]
fn a_job_that_is_cancelled_while_it_is_handed_over_stops() {
    let home = std::sync::Arc::new(std::sync::OnceLock::<Home>::new());
    let known = std::sync::Arc::clone(&home);
    let gateway = Gateway::by(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/files") => {
            let cancelled = known.get().expect("a home").llm(["batch", "cancel"]).output();
            cancelled.exits(0).says("a process that is handing the job over stops");
            Reply::json(200, &json!({"id": "file-in"}))
        }
        ("POST", "/v1/batches") => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
        ("POST", "/v1/batches/batch-1/cancel") => Reply::json(200, &json!({"id": "batch-1", "status": "cancelled"})),
        ("GET", "/v1/batches/batch-1") => Reply::json(200, &json!({"id": "batch-1", "status": "cancelled"})),
        _ => Reply::error(404, "nothing here"),
    });
    assert!(home.set(Home::with(&gateway)).is_ok());
    let home = home.get().expect("a home");
    home.file("rows.jsonl", rows(2));
    let outcome = home.llm(SUBMIT).args(["-m", "one,two", "--max-tokens", "5"]).output();
    outcome.says("the batch was cancelled while it was handed over");
    assert_ne!(outcome.code(), Some(0));
    assert_eq!((posts(&gateway, "/v1/batches"), posts(&gateway, "/v1/batches/batch-1/cancel")), (1, 1));
    home.llm(["batch", "collect"]).output().exits(8).says("to go on: llm batch rows.jsonl");
}

#[cfg(unix)]
#[test]
fn a_collection_that_is_killed_has_written_no_line_whose_call_is_not_recorded() {
    let gateway = answering();
    let home = Home::with(&gateway).config("[price.test-model]\ninput = 1\noutput = 1\n");
    home.file("rows.jsonl", rows(3000));
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
    let output = home.path().join("out.jsonl");
    let length = || std::fs::metadata(&output).map_or(0, |file| file.len());
    for _ in 0..3 {
        let before = length();
        if before > 0 && lines(&home).len() == 3000 {
            break;
        }
        let began = std::time::Instant::now();
        let running = home.llm(["batch", "collect"]).start();
        while length() == before {
            assert!(began.elapsed().as_secs() < 120, "no line is written");
            std::thread::yield_now();
        }
        running.signal(rustix::process::Signal::KILL);
        running.finish();
    }
    home.llm(["batch", "collect"]).output().exits(0);
    assert_eq!(lines(&home).len(), 3000);
    let usage = home.llm(["usage", "-o", "json"]).output().json();
    assert_eq!((&usage["total"]["calls"], &usage["total"]["cost"]["usd"]), (&json!(3000), &json!(0.039)), "{usage}");
}

#[test]
fn answers_are_collected_whatever_has_become_of_the_files_that_were_handed_over() {
    let gateway = answering();
    let home = Home::with(&gateway);
    home.file(
        "rows.jsonl",
        "{\"text\": \"row 1\", \"file\": \"a.txt\"}\n{\"text\": \"row 2\", \"file\": [\"b.txt\"]}\n",
    );
    home.file("a.txt", "the content of a");
    home.file("b.txt", "the content of b");
    home.llm(SUBMIT).args(["--file-field", "file", "--max-tokens", "5"]).output().exits(0);
    std::fs::remove_file(home.path().join("a.txt")).expect("removed");
    home.file("b.txt", "SOMETHING ELSE");
    home.llm(["batch", "collect"]).output().exits(0);
    let found = lines(&home);
    assert_eq!((numbers(&found), &found[0]["status"]), (vec![1, 2], &json!("ok")));
    let recorded: String = home
        .log()
        .iter()
        .map(|call| {
            let id = call["id"].as_str().expect("an id");
            home.llm(["log", "show", id, "-o", "json"]).output().json()["messages"].to_string()
        })
        .collect();
    assert!(recorded.contains("(as it was handed over)") && !recorded.contains("SOMETHING ELSE"), "{recorded}");
}

#[test]
fn what_a_batch_has_cost_counts_in_the_budgets_that_let_it_through() {
    let gateway = answering();
    let budget = "[[budget]]\nlimit = 0.00005\nper = \"total\"\naction = \"warn\"\n";
    let home = Home::with(&gateway).config(&format!("[price.test-model]\ninput = 1\noutput = 1\n{budget}"));
    home.file("rows.jsonl", rows(3));
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
    let spent = |home: &Home| {
        let budgets = home.llm(["usage", "--budgets", "-o", "json"]).output().json();
        budgets[0]["spent_usd"].clone()
    };
    assert_eq!(spent(&home), json!(0));
    home.llm(["batch", "collect"]).output().exits(0);
    assert_eq!(spent(&home), json!(0.000039));
    home.llm(["batch", "collect"]).output().exits(0);
    assert_eq!(spent(&home), json!(0.000039), "once");
}

#[test]
fn results_that_never_end_are_an_error() {
    let gateway = Gateway::by(move |request| match request.path.as_str() {
        "/v1/files" => Reply::json(200, &json!({"id": "file-in"})),
        "/v1/batches" => Reply::json(200, &json!({"id": "batch-1", "status": "validating"})),
        "/v1/batches/batch-1" => {
            Reply::json(200, &json!({"id": "batch-1", "status": "completed", "output_file_id": "x"}))
        }
        _ => Reply::with_body(200, "application/jsonl", "x".repeat((128 << 20) + 1)),
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(1));
    home.llm(SUBMIT).args(["--max-tokens", "5"]).output().exits(0);
    home.llm(["batch", "collect"]).output().exits(1).says("holds more than 128 MiB");
}
