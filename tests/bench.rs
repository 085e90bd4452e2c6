//! `llm bench`: how fast models and gateways are, with the waiting counted, and earlier runs to compare with.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Gateway, Home, Outcome, Reply};

fn bench(home: &Home, arguments: &[&str]) -> Outcome {
    home.llm(["bench"]).args(arguments).output()
}

fn quick() -> Gateway {
    Gateway::by(|request| match request.model().as_str() {
        "down" => Reply::error(503, "overloaded"),
        "limited" if request.index % 2 == 0 => Reply::error(429, "slow down"),
        _ => Reply::stream(&["The ", "sea."]),
    })
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn every_request_is_counted_and_the_warm_up_is_not() {
    let gateway = quick();
    let home = Home::with(&gateway);
    let run = bench(&home, &["-m", "a,b", "--requests", "10", "--concurrency", "3", "--warmup", "2", "-o", "json"]);
    let run = run.exits(0).json();
    assert_eq!(gateway.requests().len(), 24);
    for (place, name) in ["a", "b"].into_iter().enumerate() {
        let model = &run["models"][place];
        assert_eq!((model["name"].as_str(), model["answered"].as_u64()), (Some(name), Some(10)), "{model}");
        for times in [&model["first_token_ms"], &model["total_ms"]] {
            assert_eq!(times["count"], 10);
            assert!(number(&times["p50"]) > 0.0 && number(&times["p50"]) <= number(&times["p99"]), "{times}");
            assert!(number(&times["p50_interval"]["low"]) <= number(&times["p50_interval"]["high"]), "{times}");
            assert_eq!(times["p99_interval"], Value::Null, "ten values say nothing of it");
        }
        assert_eq!(model["output_tokens"], 40);
    }
    let request = gateway.requests()[0].json();
    assert_eq!(request["max_tokens"].as_u64().or(request["max_completion_tokens"].as_u64()), Some(64));
    let records = home.log();
    assert_eq!(records.len(), 24, "the warm-up is recorded as well");
}

#[test]
fn failures_are_told_by_kind_and_are_not_in_the_times() {
    let gateway = quick();
    let home = Home::with(&gateway);
    let outcome = bench(&home, &["-m", "limited", "--requests", "10", "--warmup", "0", "-o", "json"]);
    let run = outcome.exits(8).json();
    let model = &run["models"][0];
    assert_eq!((&model["answered"], &model["failed"]["rate_limited"]), (&5.into(), &5.into()), "{model}");
    assert_eq!(model["total_ms"]["count"], 5);
    assert_eq!(gateway.requests().len(), 10, "nothing is tried again unless that is asked for");
    let outcome = bench(&home, &["-m", "down", "--requests", "3"]);
    assert!(outcome.exits(6).stdout().contains("failed and not in the times: 3 unavailable"), "{outcome}");
}

#[test]
fn an_answer_that_is_cut_counts_where_the_request_asks_for_that() {
    let gateway = Gateway::always(Reply::sse().role().text("cut").finish("length").done());
    let home = Home::with(&gateway);
    for (more, code, answered, failed) in
        [(&["my own prompt"][..], 8, 0, 2), (&["my own prompt", "--max-tokens", "5"], 0, 2, 0), (&[], 0, 2, 0)]
    {
        let outcome = bench(&home, &[&["-m", "a", "--requests", "2", "-o", "json"][..], more].concat());
        outcome.exits(code);
        if code == 0 {
            outcome.never_says("the first failure");
        } else {
            outcome.says("the first failure of a: the answer was cut");
        }
        let model = &outcome.json()["models"][0];
        assert_eq!(model["answered"], answered, "{model}");
        assert_eq!(model["failed"]["truncated"].as_u64().unwrap_or(0), failed, "{model}");
    }
}

#[test]
fn an_open_loop_counts_the_waiting_while_the_gateway_stalls() {
    // Ten a second. From the 11th to the 35th, answers are held back until the 36th request comes, so the first of them waits
    // for 2.5 s and each further one for 100 ms less.
    const STALLED: std::ops::Range<usize> = 10..35;
    let gateway = Gateway::by(|request| {
        let answer = Reply::stream(&["The sea."]);
        if STALLED.contains(&request.index) { Reply::silence().gate().and(answer) } else { answer }
    });
    let home = Home::with(&gateway);
    let arguments = ["bench", "-m", "a", "--requests", "40", "--rate", "10", "--warmup", "0", "-o", "json"];
    let running = home.llm(arguments).start();
    gateway.await_requests(36);
    let released = Instant::now();
    gateway.release();
    let run = running.finish().exits(0).json();
    let model = &run["models"][0];
    assert_eq!(model["answered"], 40);
    // The request that was least late on its way shows when the first one was due.
    let due = |index: usize| Duration::from_millis(100 * index as u64);
    let began = gateway.requests().iter().map(|request| request.at - due(request.index)).min().expect("requests");
    let expected = (released - (began + due(STALLED.start))).as_secs_f64() * 1_000.0;
    for p99 in [&model["first_token_ms"]["p99"], &model["total_ms"]["p99"]] {
        let found = number(p99);
        assert!((found - expected).abs() < 0.02 * expected, "{found} instead of {expected}: {model}");
    }
    assert!(number(&model["total_ms"]["min"]) < 0.1 * expected, "the others were answered at once: {model}");
}

#[test]
fn one_model_over_two_gateways_shows_what_the_gateway_adds() {
    let (direct, proxy) = (quick(), quick());
    let home = Home::new().env("A_KEY", "k-1").env("B_KEY", "k-2").config(&format!(
        "[gateway.openai]\nbase_url = \"{}\"\nkey_env = [\"A_KEY\"]\n\
         [gateway.proxy]\nbase_url = \"{}\"\nkey_env = [\"B_KEY\"]\n",
        direct.base_url(),
        proxy.base_url()
    ));
    let models = "proxy::openai/gpt-5.4-mini,openai::gpt-5.4-mini";
    let run = bench(&home, &["-m", models, "--requests", "12", "-o", "json"]).exits(0).json();
    let added = run["gateways"].as_array().expect("differences");
    assert_eq!(added.len(), 2, "{run}");
    for difference in added {
        assert_eq!(difference["of"], "proxy::openai/gpt-5.4-mini");
        assert_eq!(difference["with"], "openai::gpt-5.4-mini");
        let interval = &difference["interval"];
        assert!(number(&interval["low"]) <= number(&interval["high"]), "{difference}");
    }
}

#[test]
fn a_run_is_compared_with_an_earlier_one() {
    let gateway = quick();
    let home = Home::with(&gateway);
    let first = bench(&home, &["-m", "a", "--requests", "8", "-o", "json"]);
    let id = first.exits(0).json()["run"].as_str().expect("an id").to_owned();
    first.says(&format!("kept as {id}"));
    // The last run is then the one that has measured both.
    for (earlier, expected) in [(id.as_str(), 2), ("last", 4)] {
        let run = bench(&home, &["-m", "a,b", "--requests", "8", "--compare-with", earlier, "-o", "json"]);
        let differences = run.exits(0).json()["before"]["differences"].clone();
        assert_eq!(differences.as_array().map(Vec::len), Some(expected), "{run}");
    }
    let other = bench(&home, &["-m", "a", "--requests", "8", "--rate", "100", "--compare-with", &id, "Another prompt"]);
    other.exits(0).says("sent another request").says("had another load");
    assert!(other.stdout().contains("before"), "{other}");
    let sent = gateway.requests().len();
    bench(&home, &["-m", "a", "--compare-with", "nothing"]).exits(2);
    assert_eq!(gateway.requests().len(), sent);
}

#[test]
fn limits_of_cost_hold_and_end_the_measurement() {
    let gateway = quick();
    let home = Home::with(&gateway).config("[price.a]\ninput = 1\noutput = 10\n");
    let outcome = bench(&home, &["-m", "a", "--requests", "1000", "--max-cost", "0.01"]);
    outcome.exits(5).says("expected to cost");
    assert!(gateway.requests().is_empty());
    // A request may cost 0.0009 dollars and costs 0.00005.
    let outcome = bench(&home, &["-m", "a", "--requests", "9", "--max-tokens", "100", "--max-cost", "0.0105", "hi"]);
    outcome.exits(0);
    let sent = gateway.requests().len();
    let budget = "[price.a]\ninput = 1\noutput = 10\n[[budget]]\nlimit = 0.0022\nper = \"day\"\naction = \"refuse\"\n";
    let outcome = bench(&Home::with(&gateway).config(budget), &["-m", "a", "--requests", "100"]);
    outcome.exits(8).says("a request to a was refused, so no further one was sent: budget of");
    assert!(gateway.requests().len() < sent + 50, "{outcome}");
    assert!(outcome.stdout().contains(" of 100"), "{outcome}");
}

#[cfg(unix)]
#[test]
fn a_signal_prints_what_was_measured() {
    let gateway = Gateway::by(|request| match request.index {
        0..7 => Reply::stream(&["The sea."]),
        _ => Reply::sse().role().text("The").hold(),
    });
    let running = Home::with(&gateway).llm(["bench", "-m", "a", "--requests", "50"]).start();
    gateway.await_held(1);
    running.signal(rustix::process::Signal::INT);
    let outcome = running.finish();
    outcome.dies_by(rustix::process::Signal::INT.as_raw());
    assert!(outcome.stdout().contains("6 of 50"), "{outcome}");
}

#[test]
fn every_format_has_the_figures() {
    let home = Home::new();
    let demo = |format: &str| {
        bench(
            &home,
            &["-g", "demo", "-m", "demo/quick,demo/steady", "--requests", "6", "--concurrency", "6", "-o", format],
        )
    };
    let text = demo("text");
    let shown = text.exits(0).stdout();
    for expected in ["first token", "total", "95 % of p50", "demo/quick", "6 of 6"] {
        assert!(shown.contains(expected), "{expected}\n{text}");
    }
    let csv = demo("csv").exits(0).stdout();
    assert_eq!(
        (csv.lines().count(), csv.lines().next().map(|line| line.starts_with("run,name,gateway"))),
        (3, Some(true))
    );
    assert!(demo("markdown").exits(0).stdout().contains("| demo/steady | 6 of 6 |"));
    let page = demo("html").exits(0).stdout();
    assert_eq!(page.matches("<polyline").count(), 4, "{page}");
    assert!(page.contains("demo/quick") && !page.contains("<script"), "{page}");
    bench(&home, &["-g", "demo", "--rate", "0"]).exits(2);
    bench(&home, &["-g", "demo", "--fallback", "demo/steady"]).exits(2);
    let dry = bench(&home, &["-g", "demo", "-m", "demo/quick", "--dry-run"]);
    assert!(dry.exits(0).stdout().contains("about the sea"), "{dry}");
}

#[test]
fn measurements_count_neither_as_times_of_use_nor_for_the_strategy_fastest() {
    let gateway = quick();
    let home = Home::with(&gateway).config("[alias.any]\nmodels = [\"a\", \"b\"]\nstrategy = \"fastest\"\n");
    let usage = || home.llm(["usage", "-o", "json"]).output().exits(0).json()["total"].clone();
    let route = || home.llm(["config", "show", "--route", "any"]).output().exits(0).stdout();
    bench(&home, &["-m", "a", "--requests", "3"]).exits(0);
    home.llm(["probe", "-m", "a"]).output();
    let measured = usage();
    assert!(measured["calls"].as_u64() >= Some(3) && measured["first_token_ms"].is_null(), "{measured}");
    assert!(!route().contains("first token usually after"), "{}", route());
    home.llm(["ask", "-m", "a", "hi"]).output().exits(0);
    assert!(usage()["first_token_ms"]["median"].as_f64() > Some(0.0), "{}", usage());
    assert!(route().contains("first token usually after"), "{}", route());
}

#[test]
fn what_is_refused_while_a_model_warms_up_counts_and_leaves_other_models_alone() {
    let gateway = quick();
    let allow = "[allow]\n\"LLM_API_KEY\" = [\"a\"]\n";
    let budget =
        "[price.big]\ninput = 1\noutput = 10\n[[budget]]\nlimit = 0.0000001\nper = \"day\"\nmatch.model = \"big\"\n";
    for (config, why) in [(allow, "may not be used for big"), (budget, "budget of")] {
        let home = Home::with(&gateway).config(config);
        for warmup in ["0", "1", "2"] {
            let before = gateway.requests().len();
            let outcome = bench(&home, &["-m", "big", "--requests", "3", "--warmup", warmup]);
            outcome.exits(5).says("a request to big was refused").says(why);
            assert!(!outcome.stderr().contains("cost refused"), "{outcome}");
            assert_eq!(gateway.requests().len(), before, "{outcome}");
            let outcome = bench(&home, &["-m", "a,big", "--requests", "3", "--warmup", warmup, "-o", "json"]);
            let models = outcome.exits(8).says(why).json()["models"].clone();
            assert_eq!((&models[0]["answered"], &models[1]["answered"]), (&3.into(), &0.into()), "{outcome}");
            assert!(models[1]["failed"]["refused"].as_u64() >= Some(1), "{outcome}");
        }
    }
}
