//! What a command leaves in the ledger, what can be seen of it, and that no answer depends on it.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Gateway, Home, Reply};

const CANARY: &str = "CANARY-prompt-7c21";

fn hello() -> Gateway {
    Gateway::always(Reply::sse().role().text("Hello.").finish("stop").usage(12, 5).done().end())
}

fn ledger(home: &Home) -> PathBuf {
    home.path().join("data/ledger.db")
}

/// The recorded calls, newest first.
fn log(home: &Home) -> Vec<Value> {
    let outcome = home.llm(["log", "-n", "0", "-o", "json"]).output();
    outcome.exits(0);
    outcome.json().as_array().expect("a list").clone()
}

/// Whether any file of the home holds this text.
fn holds(home: &Home, text: &str) -> bool {
    let found = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    };
    home.files().iter().any(found)
}

#[test]
fn a_call_is_recorded_with_all_that_became_of_it() {
    let gateway = Gateway::in_turn([
        Reply::error_with(503, &[("retry-after-ms", "1")], "overloaded"),
        Reply::sse().role().reasoning("hm").text("Hel").text("lo.").finish("stop").usage(12, 5).done().end(),
    ]);
    let prices = "[price.test-model]\ninput = 1\noutput = 2\n";
    let home = Home::with(&gateway).config(prices);
    let asked = home.llm(["ask", "--tag", "app=bot", "-s", "be brief", "why?"]).output();
    asked.exits(0).prints("Hello.\n").says("calls are recorded from now on");
    let call = &log(&home)[0];
    assert_eq!(call["text"], "Hello.");
    assert_eq!(call["reasoning"], "hm");
    assert_eq!(
        (&call["status"], &call["command"], &call["model"]),
        (&json!("ok"), &json!("ask"), &json!("test-model"))
    );
    assert_eq!(call["key"], "LLM_API_KEY");
    assert_eq!(call["tags"], json!({"app": "bot"}));
    assert_eq!(call["usage"]["input_tokens"], 12);
    assert_eq!(call["cost"], json!({"usd": 0.000022, "origin": "config"}));
    assert_eq!(call["price"], json!({"input": 1, "output": 2}));
    assert_eq!(call["attempts"][0]["status"], 503);
    assert_eq!(call["attempts"].as_array().map(Vec::len), Some(2));
    assert_eq!(call["messages"][0], json!({"role": "system", "parts": [{"text": "be brief"}]}));
    let shown = home.llm(["log", "show"]).output();
    shown.exits(0);
    for part in
        ["test-model at env, key LLM_API_KEY", "app=bot", "overloaded", "answered", "be brief", "why?", "Hello."]
    {
        assert!(shown.stdout().contains(part), "{part}: {shown}");
    }
    let id = call["id"].as_str().expect("an id");
    for part in [id, &id[28..], &id[..13]] {
        home.llm(["log", "show", part]).output().exits(0);
    }
    home.llm(["log", "show", "ffffff"]).output().exits(2).says("no recorded call has an id like ffffff");
}

#[test]
fn failed_and_interrupted_calls_are_recorded_too() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "down" => Reply::error(400, "no such thing"),
        _ => Reply::sse().role().text("Half").hold(),
    });
    let home = Home::with(&gateway);
    home.llm(["ask", "-m", "down", "hi"]).output().exits(1);
    #[cfg(unix)]
    {
        let running = home.llm(["ask", "-m", "slow", "hi"]).start();
        running.await_stdout("Half");
        running.signal(rustix::process::Signal::INT);
        running.finish().dies_by(2);
        let calls = log(&home);
        assert_eq!((&calls[0]["status"], &calls[0]["text"]), (&json!("interrupted"), &json!("Half")));
        assert_eq!((&calls[1]["status"], &calls[1]["error"]["kind"]), (&json!("failed"), &json!("invalid_request")));
    }
    let failed = home.llm(["log", "--status", "failed", "-o", "jsonl"]).output();
    assert_eq!(failed.stdout().lines().count(), 1, "{failed}");
}

// L19
#[test]
fn what_is_not_to_be_kept_is_nowhere() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "--log", "metadata", CANARY]).output().exits(0);
    assert!(!holds(&home, CANARY));
    assert_eq!(log(&home)[0]["messages"], Value::Null);
    home.llm(["log", "show"]).output().exits(0).never_says(CANARY);
    home.llm(["ask", "--log", "off", CANARY]).output().exits(0);
    assert_eq!(log(&home).len(), 1);
    let home = home.config("log = \"off\"\n");
    home.llm(["ask", CANARY]).output().exits(0);
    assert_eq!(log(&home).len(), 1);
    home.llm(["ask", "--log", "full", CANARY]).output().exits(0);
    assert!(holds(&home, CANARY));
    home.llm(["log", "purge"]).output().exits(2);
    home.llm(["log", "purge", "--before", "1d"]).output().exits(0).says("0 calls deleted");
    home.llm(["log", "purge", "--all"]).output().exits(0).says("2 calls deleted");
    assert!(!holds(&home, CANARY), "purged for good");
    assert_eq!(log(&home).len(), 0);
}

#[test]
fn commands_that_need_no_ledger_make_none() {
    let gateway = hello();
    let home = Home::with(&gateway);
    for arguments in [&["--help"][..], &["config", "show"], &["log"], &["usage"], &["ask", "--log", "off", "hi"]] {
        home.llm(arguments).output().exits(0);
        assert!(!ledger(&home).exists(), "{arguments:?}");
    }
}

// L01, L02
#[test]
fn many_runs_at_once_lose_no_call() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let running: Vec<_> = (0..32).map(|_| home.llm(["ask", "hi"]).start()).collect();
    for run in running {
        run.finish().exits(0).prints("Hello.\n");
    }
    home.llm(["ask", "hi"]).output().exits(0);
    assert_eq!(log(&home).len(), 33);
}

// L04
#[cfg(unix)]
#[test]
fn a_kill_at_any_moment_damages_nothing() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "slow" => Reply::sse().role().text("Half").hold(),
        _ => Reply::stream(&["Hello."]),
    });
    let home = Home::with(&gateway);
    for n in 0..20u64 {
        home.llm(["ask", "hi"]).output().exits(0);
        // From before the first request to the middle of writing.
        let script = "\"$llm\" ask hi & pid=$!; sleep \"$wait\"; kill -9 $pid; wait $pid";
        home.shell(script).env("wait", format!("0.{:03}", n * 3)).output();
        let calls = log(&home);
        assert!(calls.len() as u64 > n, "what was acknowledged is there");
    }
    let running = home.llm(["ask", "-m", "slow", "hi"]).start();
    running.await_stdout("Half");
    running.signal(rustix::process::Signal::KILL);
    running.finish();
    assert!(log(&home).iter().all(|call| call["status"] == "ok"));
    assert!(!home.files().iter().any(|path| path.to_string_lossy().contains("corrupt")));
}

// L12
#[cfg(unix)]
#[test]
fn a_full_disk_costs_no_answer() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let outcome = home.shell("ulimit -f 16; exec \"$llm\" ask hi").output();
    outcome.exits(0).prints("Hello.\n").says("the ledger").says("cannot be used");
    home.llm(["ask", "hi"]).output().exits(0);
    assert!(!log(&home).is_empty());
}

// L13
#[cfg(unix)]
#[test]
fn a_home_that_cannot_be_written_costs_no_answer() {
    let gateway = hello();
    let home = Home::with(&gateway).env("LLM_DATA_DIR", "/proc/nowhere/data");
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n").says("this call is not recorded");
    home.llm(["ask", "-q", "hi"]).output().exits(0).prints("Hello.\n").never_says("recorded");
    home.llm(["usage"]).output().exits(0).says("no calls have been recorded yet");
}

// L14
#[test]
fn a_damaged_ledger_costs_no_answer_and_is_kept() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.file("data/ledger.db", "this is no database. ".repeat(500));
    home.llm(["log"]).output().exits(3).says("is damaged").says("the next call sets it aside");
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n").says("the ledger was damaged; it is now ");
    assert_eq!(log(&home).len(), 1);
    let aside = home.files().into_iter().find(|path| path.to_string_lossy().contains("ledger.db.corrupt-"));
    assert_eq!(fs::read_to_string(aside.expect("kept")).expect("text"), "this is no database. ".repeat(500));
}

// L15
#[test]
fn a_newer_ledger_costs_no_answer_and_is_left_alone() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    let open = || rusqlite::Connection::open(ledger(&home)).expect("a database");
    let set = |version: i64| open().pragma_update(None, "user_version", version).expect("set");
    let ours: i64 = open().pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    set(99);
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n").says("version 99");
    home.llm(["usage"]).output().exits(3).says("version 99").says("update llm");
    set(ours);
    home.llm(["ask", "hi"]).output().exits(0);
    assert_eq!(log(&home).len(), 3, "what could not be recorded then is recorded now");
}

// L16
#[cfg(unix)]
#[test]
fn nobody_else_can_read_it_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = hello();
    let home = Home::with(&gateway);
    let directory = home.path().join("new/data");
    let home = home.env("LLM_DATA_DIR", &directory);
    home.shell("umask 000; \"$llm\" ask hi").output().exits(0);
    let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = fs::read_dir(&directory).expect("listed").map(|entry| entry.expect("one").path()).collect();
    let files: Vec<_> = files.into_iter().filter(|path| path.is_file()).collect();
    assert!(files.len() >= 2, "{files:?}");
    for path in files {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_conversation_goes_on_and_may_change_its_model() {
    let gateway = Gateway::by(|request| {
        let count = request.json()["messages"].as_array().map_or(0, Vec::len);
        Reply::stream(&[&format!("answer after {count}")])
    });
    let home = Home::with(&gateway);
    home.llm(["ask", "-c", "hi"]).output().exits(2).says("no calls have been recorded yet");
    home.llm(["ask", "-m", "one", "-s", "be brief", "first"]).output().exits(0);
    home.llm(["ask", "-c", "second"]).output().exits(0).prints("answer after 4\n");
    let requests = gateway.requests();
    assert_eq!(requests[1].model(), "one", "the conversation's model");
    assert_eq!(
        requests[1].json()["messages"],
        json!([
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "answer after 2"},
            {"role": "user", "content": "second"},
        ])
    );
    home.llm(["ask", "-m", "two", "third", "--continue"]).output().exits(0).prints("answer after 6\n");
    assert_eq!(gateway.requests()[2].model(), "two");
    let calls = log(&home);
    let (first, second) = (calls[2]["id"].as_str().expect("an id"), calls[1]["id"].as_str().expect("an id"));
    assert_eq!((&calls[0]["conversation"], &calls[0]["parent"]), (&json!(first), &json!(second)));
    assert_eq!(calls[0]["messages"], json!([{"role": "user", "parts": [{"text": "third"}]}]), "each turn is kept once");
    home.llm(["ask", "-c", &first[24..], "other"]).output().exits(0).prints("answer after 4\n");
    home.llm(["ask", "-c", "ffff0000", "other"]).output().exits(2).says("no recorded call has an id like ffff0000");
    let shown = home.llm(["log", "show", second, "--conversation"]).output();
    shown.exits(0);
    for text in ["be brief", "first", "answer after 2", "second", "answer after 4", "third", "answer after 6"] {
        assert!(shown.stdout().contains(text), "{text}: {shown}");
    }
    home.llm(["ask", "--log", "metadata", "-c", "secret"]).output().exits(0);
    home.llm(["ask", "-c", "more"]).output().exits(2).says("only metadata was kept");
}

#[test]
fn a_recorded_prompt_is_sent_again_beside_its_answer() {
    let gateway = Gateway::by(|request| Reply::stream(&["by ", &request.model()]));
    let home = Home::with(&gateway);
    home.llm(["ask", "--temperature", "0.5", "why?"]).output().exits(0);
    let again = home.llm(["rerun", "-m", "other,third", "-o", "json"]).output();
    again.exits(0);
    let answers: Vec<_> =
        again.json()["answers"].as_array().expect("a list").iter().map(|a| a["text"].clone()).collect();
    assert_eq!(answers, ["by test-model", "by other", "by third"]);
    assert_eq!(again.json()["answers"][0]["model"], "test-model (recorded)");
    let requests = gateway.requests();
    assert_eq!((requests[1].prompt().as_str(), &requests[1].json()["temperature"]), ("why?", &json!(0.5)));
    let same = home.llm(["rerun", log(&home)[2]["id"].as_str().expect("an id")]).output();
    same.exits(0);
    assert!(same.stdout().contains("test-model (recorded)"), "{same}");
    assert_eq!(log(&home).len(), 4, "what is sent again is recorded, too");
}

#[test]
fn usage_adds_up_what_was_recorded() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "down" => Reply::error(400, "no"),
        model => {
            let usage = json!({"prompt_tokens": 1_000, "completion_tokens": 100});
            let choice = json!({"index": 0, "delta": {"content": "Hello."}, "finish_reason": "stop"});
            Reply::sse().event(&json!({"model": model, "choices": [choice], "usage": usage})).done().end()
        }
    });
    let prices = "[price.cheap]\ninput = 1\noutput = 1\n[price.dear]\ninput = 10\noutput = 10\n";
    let home = Home::with(&gateway).config(prices);
    for (model, tag) in [("cheap", "app=web"), ("cheap", "app=bot"), ("dear", "app=bot"), ("unpriced", "app=web")] {
        home.llm(["ask", "-m", model, "--tag", tag, "hi"]).output().exits(0);
    }
    home.llm(["ask", "-m", "down", "hi"]).output().exits(1);
    let usage = home.llm(["usage", "-o", "json"]).output();
    usage.exits(0);
    let usage = usage.json();
    let figures = |group: &Value| json!([group["key"]["model"], group["calls"], group["failed"], group["cost"]["usd"]]);
    let groups: Vec<Value> = usage["groups"].as_array().expect("a list").iter().map(figures).collect();
    assert_eq!(
        groups,
        [
            json!(["dear", 1, 0, 0.011]),
            json!(["cheap", 2, 0, 0.0022]),
            json!(["down", 1, 1, null]),
            json!(["unpriced", 1, 0, null]),
        ]
    );
    assert_eq!(usage["total"]["cost"], json!({"usd": 0.0132, "unknown": 1, "computed": true}));
    assert_eq!(usage["total"]["input_tokens"], 4_000);
    let tags = home.llm(["usage", "--by", "tag:app,status", "-o", "csv"]).output();
    let mut lines: Vec<String> =
        tags.stdout().lines().map(|line| line.split(',').take(3).collect::<Vec<_>>().join(" ")).collect();
    lines.sort_unstable();
    assert_eq!(lines, [" failed 1", "bot ok 2", "tag:app status calls", "web ok 2"]);
    for format in ["text", "markdown", "html"] {
        let page = home.llm(["usage", "-o", format, "--by", "model,day"]).output();
        page.exits(0);
        assert!(page.stdout().contains("≥~$0.0132"), "{page}");
        assert!(page.stdout().contains("dear took 83 % of the cost for 20 % of the calls"), "{page}");
    }
    home.llm(["usage", "--by", "modle"]).output().exits(2).says("did you mean model?");
    home.llm(["usage", "--since", "whenever"]).output().exits(2);
    let none = home.llm(["usage", "--before", "2020-01-01"]).output();
    none.exits(0).prints("").says("no recorded call fits");
}

#[test]
fn calls_are_exported_as_traces() {
    let gateway = Gateway::in_turn([
        Reply::error_with(503, &[("retry-after-ms", "1")], "overloaded"),
        Reply::sse().role().text("Hello.").finish("stop").usage(12, 5).done().end(),
    ]);
    let home = Home::with(&gateway);
    home.llm(["ask", CANARY]).output().exits(0);
    let export = home.llm(["log", "export", "--format", "otel"]).output();
    export.exits(0).never_says(CANARY);
    let spans = export.json()["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans").clone();
    assert_eq!(spans.len(), 3, "the call and two attempts");
    let is_hex = |value: &Value, digits: usize| {
        value.as_str().is_some_and(|id| {
            id.len() == digits && id.bytes().all(|b| b.is_ascii_hexdigit()) && id != "0".repeat(digits)
        })
    };
    let mut ids = std::collections::HashSet::new();
    for span in &spans {
        assert!(is_hex(&span["traceId"], 32) && is_hex(&span["spanId"], 16), "{span}");
        assert!(ids.insert(span["spanId"].clone()), "ids differ");
        let nanos = |name: &str| span[name].as_str().and_then(|text| text.parse::<u64>().ok()).expect(name);
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"), "{span}");
        for attribute in span["attributes"].as_array().expect("a list") {
            assert_eq!(attribute["value"].as_object().map(serde_json::Map::len), Some(1), "{attribute}");
        }
    }
    assert!(spans[1..].iter().all(|span| span["parentSpanId"] == spans[0]["spanId"]));
    assert_eq!((&spans[0]["kind"], &spans[1]["kind"]), (&json!(1), &json!(3)));
    assert_eq!((&spans[1]["status"]["code"], &spans[2]["status"]["code"]), (&json!(2), &json!(1)));
    let attributes = spans[0]["attributes"].as_array().expect("a list");
    let value = |key: &str| &attributes.iter().find(|a| a["key"] == key).expect(key)["value"];
    assert_eq!(value("gen_ai.request.model")["stringValue"], "test-model");
    assert_eq!(value("gen_ai.usage.input_tokens")["intValue"], "12");
    assert_eq!(value("gen_ai.response.finish_reasons")["arrayValue"]["values"][0]["stringValue"], "stop");
}
