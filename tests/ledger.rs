//! What a command leaves in the ledger, and what can be seen of it.

use serde_json::{Value, json};

use crate::support::{Gateway, Home, Reply};

const CANARY: &str = "CANARY-prompt-7c21";

fn hello() -> Gateway {
    Gateway::always(Reply::sse().role().text("Hello.").finish("stop").usage(12, 5).done().end())
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
    let call = &home.log()[0];
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
        let calls = home.log();
        assert_eq!((&calls[0]["status"], &calls[0]["text"]), (&json!("interrupted"), &json!("Half")));
        assert_eq!((&calls[1]["status"], &calls[1]["error"]["kind"]), (&json!("failed"), &json!("invalid_request")));
    }
    let failed = home.llm(["log", "--status", "failed", "-o", "jsonl"]).output();
    assert_eq!(failed.stdout().lines().count(), 1, "{failed}");
}

// L19
#[test]
fn what_is_not_to_be_kept_is_nowhere() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "quotes" => Reply::error(400, &format!("this is no prompt: {}", request.prompt())),
        _ => Reply::stream(&["You said: ", &request.prompt()]),
    });
    let home = Home::with(&gateway);
    home.llm(["ask", "--log", "metadata", CANARY]).output().exits(0);
    home.llm(["ask", "--log", "metadata", "-m", "quotes", CANARY]).output().exits(1);
    let mut other = rusqlite::Connection::open(home.ledger()).expect("a database");
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("locked");
    home.llm(["ask", "--log", "metadata", CANARY]).output().exits(0).says("recorded with the next");
    assert!(!home.holds(CANARY), "nor in what waits beside the ledger");
    drop(lock);
    home.llm(["ask", "--log", "metadata", CANARY]).output().exits(0);
    assert!(!home.holds(CANARY));
    assert_eq!(home.log().len(), 4);
    assert!(home.log().iter().all(|call| call["messages"].is_null()));
    let shown = home.llm(["log", "show"]).output();
    assert!(!shown.exits(0).stdout().contains(CANARY), "{shown}");
    home.llm(["ask", "--log", "off", CANARY]).output().exits(0);
    assert_eq!(home.log().len(), 4);
    let home = home.config("log = \"off\"\n");
    home.llm(["ask", CANARY]).output().exits(0);
    assert_eq!(home.log().len(), 4);
    assert!(!home.holds(CANARY));
    home.llm(["ask", "--log", "full", CANARY]).output().exits(0);
    assert!(home.holds(CANARY));
    home.llm(["log", "purge"]).output().exits(2);
    home.llm(["log", "purge", "--before", "1d"]).output().exits(0).says("0 calls deleted");
    home.llm(["log", "purge", "--all"]).output().exits(0).says("5 calls deleted");
    assert!(!home.holds(CANARY), "purged for good");
    assert_eq!(home.log().len(), 0);
}

#[test]
fn commands_that_need_no_ledger_make_none() {
    let gateway = hello();
    let home = Home::with(&gateway);
    for arguments in [&["--help"][..], &["config", "show"], &["log"], &["usage"], &["ask", "--log", "off", "hi"]] {
        home.llm(arguments).output().exits(0);
        assert!(!home.ledger().exists(), "{arguments:?}");
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
    let calls = home.log();
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
    assert_eq!(again.json()["total_cost"]["unknown"], 2, "the total is this run's: {again}");
    let requests = gateway.requests();
    assert_eq!((requests[1].prompt().as_str(), &requests[1].json()["temperature"]), ("why?", &json!(0.5)));
    let same = home.llm(["rerun", home.log()[2]["id"].as_str().expect("an id")]).output();
    same.exits(0);
    assert!(same.stdout().contains("test-model (recorded)"), "{same}");
    assert_eq!(home.log().len(), 4, "what is sent again is recorded, too");
}

#[test]
fn a_prompt_is_sent_again_where_it_was_unless_somebody_says_otherwise() {
    let home = Home::new();
    home.llm(["ask", "-g", "demo", "-m", "demo/quick", "hi"]).output().exits(0);
    let again = home.llm(["rerun", "-m", "demo/quick"]).output();
    assert!(!again.exits(0).stdout().contains("answered by"), "it is the same model: {again}");
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
        assert!(page.stdout().contains("≥$0.0132"), "{page}");
        assert!(page.stdout().contains("dear took 83 % of the cost for 20 % of the calls"), "{page}");
    }
    home.llm(["usage", "--by", "modle"]).output().exits(2).says("did you mean model?");
    home.llm(["usage", "--since", "whenever"]).output().exits(2);
    let none = home.llm(["usage", "--before", "2020-01-01"]).output();
    none.exits(0).prints("").says("no recorded call fits");
}

#[test]
fn an_id_that_several_calls_have_in_common_shows_none_of_them_and_tells_them_apart() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway);
    home.llm(["compare", "-m", "a,b", "hi"]).output().exits(0);
    home.llm(["ask", "hi"]).output().exits(0);
    let calls = home.log();
    let end = |place: usize| calls[place]["id"].as_str().and_then(|id| id.get(28..)).expect("an id").to_owned();
    let outcome = home.llm(["log", "show", "01"]).output();
    outcome.exits(2).prints("").says("01 may be several calls").says(&format!("{}, {}, {}", end(0), end(1), end(2)));
    let run = calls[1]["run"].as_str().expect("the id of a run");
    assert!(home.llm(["log", "show", run, "-o", "json"]).output().json().as_array().is_some_and(|all| all.len() == 2));
}

#[test]
fn a_list_of_several_calls_is_one_document_in_every_format() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let lines = |format: &str| home.llm(["log", "-n", "0", "-o", format]).output().exits(0).stdout().to_owned();
    for prompt in ["one", "two", "three"] {
        home.llm(["ask", prompt]).output().exits(0);
    }
    assert_eq!(home.log().len(), 3);
    assert_eq!(lines("jsonl").lines().count(), 3);
    let csv = lines("csv");
    assert_eq!(csv.lines().filter(|line| line.starts_with("when,id,")).count(), 1, "{csv}");
    assert_eq!(csv.lines().count(), 4, "{csv}");
    home.llm(["log", "--status", "failed", "-o", "json"]).output().exits(0).prints("[]\n");
    let none = home.llm(["log", "export", "--format", "otel", "--status", "failed"]).output().json();
    assert_eq!(none["resourceSpans"][0]["scopeSpans"][0]["spans"], json!([]));
}

#[test]
fn calls_of_the_demo_gateway_count_only_where_it_is_named() {
    let gateway = hello();
    let home = Home::with(&gateway).config(
        "[price.\"*\"]\ninput = 1\noutput = 1\n[[budget]]\nname = \"all\"\nlimit = 100\nper = \"total\"\n\
         [[budget]]\nname = \"demo\"\nlimit = 100\nper = \"total\"\nmatch = { gateway = \"demo\" }\n",
    );
    home.llm(["ask", "-g", "demo", "hi"]).output().exits(0);
    let calls = |arguments: &[&str]| home.llm(arguments).output().exits(0).json()["total"]["calls"].clone();
    assert_eq!(calls(&["usage", "-o", "json"]), 0);
    home.llm(["usage"]).output().exits(0).says("-g demo shows them");
    home.llm(["ask", "hi"]).output().exits(0);
    home.llm(["ask", "-g", "demo", "-m", "demo/down", "--retries", "0", "--fallback", "env::m", "hi"])
        .output()
        .exits(0);
    assert_eq!(calls(&["usage", "-o", "json"]), 2, "a call that ended elsewhere was paid");
    assert_eq!(calls(&["usage", "-g", "demo", "-o", "json"]), 1);
    assert_eq!(home.log().len(), 3);
    let left = home.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json();
    let spent: Vec<(String, bool)> = left
        .as_array()
        .expect("budgets")
        .iter()
        .map(|budget| {
            (
                budget["match"]["gateway"].as_str().unwrap_or("all").to_owned(),
                budget["spent_usd"].as_f64().is_some_and(|usd| usd > 0.0),
            )
        })
        .collect();
    assert_eq!(spent, [("all".to_owned(), true), ("demo".to_owned(), true)], "{left}");
    let all = &left[0]["spent_usd"];
    assert_eq!(all.as_f64(), Some(0.000_034), "two answers of 17 tokens: {left}");
}

#[test]
fn what_the_list_shows_of_an_id_finds_the_call() {
    let gateway = hello();
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    let id = home.log()[0]["id"].as_str().expect("an id").to_owned();
    let seen = &id[id.len() - 8..];
    for part in [&id[..], seen, &seen[..4], &seen[4..], &seen[..6]] {
        home.llm(["log", "show", part]).output().exits(0).says("");
    }
    home.llm(["log", "show", &id[id.len() - 12..id.len() - 8]]).output().exits(2);
}

#[cfg(unix)]
#[test]
fn the_list_is_by_the_users_clock_and_says_how_many_there_are() {
    use crate::support::terminal::Wiring;
    let gateway = hello();
    let home = Home::with(&gateway).env("TZ", "Asia/Kolkata");
    for prompt in ["the first", "a second with the word needle in it", "third"] {
        home.llm(["ask", "-m", "env::sim/x", prompt]).output().exits(0);
    }
    let at = home.log()[0]["when"].as_str().expect("a time").to_owned();
    let list = home.llm(["log"]).output().exits(0).stdout();
    assert!(list.contains("when (IST)") && !list.contains(&at[11..16]), "{list} {at}");
    assert!(list.contains("sim/x") && !list.contains("env::sim/x"), "{list}");
    assert!(list.contains("a second with"), "{list}");
    let found = home.llm(["log", "--search", "Needle"]).output().exits(0).stdout();
    assert!(found.contains("found") && found.contains("needle in"), "{found}");
    let screen = home.llm(["log", "-n", "2"]).terminal(Wiring::ALL).output();
    assert!(screen.terminal().contains("2 of 3 calls"), "{screen}");
    home.llm(["log", "-n", "2"]).output().never_says("2 of 3");
}

#[test]
fn a_purge_deletes_the_prompts_that_a_chat_keeps() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let home = Home::with(&gateway);
    home.llm(["ask", "hi"]).output().exits(0);
    let history = home.path().join("data/chat_history");
    home.file("data/chat_history", "#V2\na secret\n");
    home.llm(["log", "purge", "--before", "30d"]).output().exits(0).says("has prompts of chats, and not their times");
    assert!(history.exists());
    home.llm(["log", "purge", "--all"]).output().exits(0).says("the prompts that `llm chat` kept are deleted, too");
    assert!(!history.exists());
    home.llm(["log", "purge", "--all"]).output().exits(0);
}

#[test]
fn the_cost_of_failed_attempts_is_unknown_only_where_one_may_have_been_billed() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "gone" => Reply::raw("").close(),
        _ => Reply::unary("fine"),
    });
    let usage = |arguments: &[&str]| {
        let home = Home::with(&gateway);
        home.llm(["ask", "-m", "gone", "hi"]).args(arguments).output();
        home.llm(["usage", "-o", "json"]).output().exits(0).json()
    };
    let alone = usage(&["--retries", "0"]);
    assert_eq!((&alone["total"]["retry_cost_usd"], &alone["total"]["retry_cost_unknown"]), (&json!(0), &json!(0)));
    let followed = usage(&["--retries", "0", "--fallback", "good"]);
    assert_eq!(
        (&followed["total"]["retry_cost_usd"], &followed["total"]["retry_cost_unknown"]),
        (&json!(null), &json!(1))
    );
    assert_eq!(followed["failed_attempts"][0]["cost_unknown"], 1);
}
