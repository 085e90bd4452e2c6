//! `llm compare`: several models at once, each in its place, none hidden or delayed by another.

use serde_json::{Value, json};

use crate::support::{Gateway, Home, Outcome, Reply};

/// Every model answers with its own name, except those whose name says how they fail.
fn by_name() -> Gateway {
    Gateway::by(|request| {
        let model = request.model();
        match model.strip_prefix("error-").and_then(|status| status.parse().ok()) {
            Some(status) => Reply::error(status, "as asked"),
            None => Reply::stream(&["I am ", &model, "."]),
        }
    })
}

fn compare(gateway: &Gateway, models: &str, arguments: &[&str]) -> Outcome {
    Home::with(gateway).llm(["compare", "--retries", "0", "-m", models]).args(arguments).arg("hi").output()
}

fn texts(run: &Value) -> Vec<String> {
    let answers = run["answers"].as_array().expect("answers");
    answers.iter().map(|answer| answer["text"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn answers_stand_in_the_order_asked() {
    let gateway = by_name();
    let run = compare(&gateway, "c,a,b", &["-o", "json"]).exits(0).json();
    assert_eq!(texts(&run), ["I am c.", "I am a.", "I am b."]);
    assert_eq!(run["prompt"], "hi");
    assert_eq!(run["total_cost"]["unknown"], 3);
    let runs: Vec<_> = run["answers"].as_array().into_iter().flatten().map(|answer| answer["run"].clone()).collect();
    assert!(runs.iter().all(|id| id == &run["run"]), "{run}");
}

#[test]
fn the_same_model_may_stand_twice() {
    let gateway = by_name();
    let outcome = compare(&gateway, "a,a", &[]);
    outcome.exits(0);
    assert_eq!(gateway.requests().len(), 2);
    assert_eq!(outcome.stdout().matches("I am a.").count(), 2, "{outcome}");
}

#[test]
fn everything_is_shown_nothing_is_cut() {
    let long = "a-model-with-a-name-that-is-far-longer-than-any-column-would-be/and-a-variant-2026-11-20";
    let models = format!("{long}-a,{long}-b");
    let outcome = compare(&by_name(), &models, &[]);
    let shown: String = outcome.exits(0).stdout().split_whitespace().collect();
    for end in ["-a", "-b"] {
        assert!(shown.contains(&format!("{long}{end}")), "{outcome}");
    }
}

#[test]
fn some_failures_are_8_and_hide_nothing() {
    let outcome = compare(&by_name(), "a,error-400,b", &[]);
    outcome.exits(8);
    for expected in ["I am a.", "I am b.", "error-400", "as asked"] {
        let all = format!("{}{}", outcome.stdout(), outcome.stderr());
        assert!(all.contains(expected), "{expected}\n{outcome}");
    }
    let run = compare(&by_name(), "a,error-400,b", &["-o", "json"]).exits(8).json();
    assert_eq!(texts(&run), ["I am a.", "", "I am b."]);
    assert_eq!(run["answers"][1]["status"], "failed");
    assert_eq!(run["answers"][1]["error"]["message"], "as asked");
}

#[test]
fn an_answer_cut_short_is_8() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "cut" => Reply::sse().role().text("Half").finish("length").done(),
        _ => Reply::stream(&["Whole."]),
    });
    let run = compare(&gateway, "whole,cut", &["-o", "json"]).exits(8).json();
    assert_eq!(run["answers"][1]["status"], "truncated");
    assert_eq!(texts(&run), ["Whole.", "Half"]);
}

#[test]
fn failures_all_of_one_kind_end_as_one_would() {
    compare(&by_name(), "error-401,error-403", &[]).exits(4);
    compare(&by_name(), "error-429,error-503", &[]).exits(6);
    compare(&by_name(), "error-400,error-404", &[]).exits(1);
}

// H38
#[test]
fn one_model_that_hangs_delays_no_other() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "slow" => Reply::silence().gate().and(Reply::stream(&["At last."])),
        model => Reply::stream(&["I am ", model, "."]),
    });
    let running = Home::with(&gateway).llm(["compare", "-m", "slow,a,b,c,d", "-o", "jsonl", "hi"]).start();
    for model in ["a", "b", "c", "d"] {
        running.await_stdout(&format!("I am {model}."));
    }
    gateway.release();
    let outcome = running.finish();
    outcome.exits(0);
    let last = outcome.stdout().lines().last().map(str::to_owned).expect("five lines");
    let last: Value = serde_json::from_str(&last).expect("a record");
    assert_eq!((&last["model"], &last["text"]), (&json!("slow"), &json!("At last.")));
}

#[test]
fn all_calls_start_at_once() {
    let gateway = Gateway::always(Reply::silence().gate().and(Reply::stream(&["Hi."])));
    let models: Vec<String> = (0..32).map(|n| format!("m{n}")).collect();
    let running = Home::with(&gateway).llm(["compare", "-o", "json", "-m", &models.join(","), "hi"]).start();
    gateway.await_requests(32);
    gateway.release();
    assert_eq!(texts(&running.finish().exits(0).json()).len(), 32);
}

#[test]
fn a_limit_on_how_many_run_at_once_is_kept() {
    let gateway = Gateway::always(Reply::silence().gate().and(Reply::stream(&["Hi."])));
    let running =
        Home::with(&gateway).llm(["compare", "--concurrency", "2", "-m", "a,b,c,d", "-o", "json", "hi"]).start();
    gateway.await_requests(2);
    gateway.await_gated(2);
    assert_eq!(gateway.requests().len(), 2);
    gateway.release();
    assert_eq!(texts(&running.finish().exits(0).json()).len(), 4);
}

// P13
#[cfg(unix)]
#[test]
fn more_models_than_files_may_be_open_are_queued() {
    let gateway = by_name();
    let models: Vec<String> = (0..50).map(|n| format!("m{n}")).collect();
    let script = format!("ulimit -n 32; \"$llm\" compare -o json -m {} hi", models.join(","));
    let run = Home::with(&gateway).shell(&script).output().exits(0).json();
    assert!(texts(&run).iter().all(|text| text.starts_with("I am m")), "{run}");
}

#[test]
fn prices_of_the_config_are_multiplied_exactly_and_summed() {
    let gateway = Gateway::by(|request| {
        let usage = json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010});
        Reply::sse().role().text(&request.model()).finish("stop").usage_json(&usage).done()
    });
    let home = Home::with(&gateway).config("[price.a]\ninput = 0.1\noutput = 0.3\n[price.b]\ninput = 3\noutput = 15\n");
    let run = home.llm(["compare", "-m", "a,b", "-o", "json", "hi"]).output().exits(0).json();
    assert_eq!(run["answers"][0]["cost"], json!({"usd": 0.000_103, "origin": "config"}), "{run}");
    assert_eq!(run["answers"][1]["cost"], json!({"usd": 0.003_15, "origin": "config"}), "{run}");
    assert_eq!((&run["total_cost"]["usd"], &run["total_cost"]["unknown"]), (&json!(0.003_253), &json!(0)), "{run}");
}

#[test]
fn one_model_is_a_comparison_too_and_none_is_2() {
    compare(&by_name(), "a", &["-o", "json"]).exits(0);
    compare(&by_name(), ",", &[]).exits(2);
}

#[test]
fn the_demo_compares_without_key_or_network() {
    let outcome = Home::new().llm(["compare", "--gateway", "demo", "Summarize: the cat sat on the mat."]).output();
    let shown = outcome.stdout();
    outcome.says("demo");
    for expected in ["demo/quick", "demo/steady", "first token", "total", "cost"] {
        assert!(shown.contains(expected), "{expected}\n{outcome}");
    }
}

#[test]
fn repeats_are_sorted_by_their_medians_and_shown_by_their_first_round() {
    // In turn: a, b, a, b, a, b. The cheapest answer is one of a's; by the median, b is cheaper.
    let costs = [0.9, 0.5, 0.1, 0.5, 0.9, 0.5];
    let gateway = Gateway::by(move |request| {
        let usage = json!({"prompt_tokens": 1, "completion_tokens": 1, "cost": costs[request.index]});
        let text = format!("{} in round {}", request.model(), request.index / 2 + 1);
        Reply::sse().role().text(&text).finish("stop").usage_json(&usage).done()
    });
    let outcome = compare(&gateway, "a,b", &["--repeat", "3", "--concurrency", "1", "--sort", "cost"]);
    let shown = outcome.exits(0).stdout();
    let place = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text} is not there\n{outcome}"));
    assert!(place("b in round 1") < place("a in round 1"), "{outcome}");
}
