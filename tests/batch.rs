//! `llm batch`: a data set through models, and never an answer paid twice.

#[cfg(unix)]
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Gateway, Home, Outcome, Reply, process::Run};

/// JSONL of so many rows: `{"n": 1, "text": "row 1", "label": "odd"}`.
fn rows(count: usize) -> String {
    let label = |n: usize| if n % 2 == 1 { "odd" } else { "even" };
    (1..=count).map(|n| json!({"n": n, "text": format!("row {n}"), "label": label(n)}).to_string() + "\n").collect()
}

fn lines(path: impl AsRef<Path>) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("an output");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn numbers(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["row"].as_u64().expect("a number")).collect()
}

/// Answers every prompt with the prompt.
fn echo() -> Gateway {
    Gateway::by(|request| Reply::stream(&[&request.prompt()]))
}

/// `llm batch rows.jsonl '{{ text }}' --out out.jsonl` with further arguments.
fn batch(home: &Home, further: &[&str]) -> Run {
    home.llm(["batch", "rows.jsonl", "{{ text }}", "--out", "out.jsonl"]).args(further)
}

#[test]
fn a_data_set_without_rows_is_told() {
    let home = Home::with(&echo());
    home.file("rows.jsonl", "\n\n");
    for further in [&[][..], &["--resume"], &["--resume", "--via", "api"]] {
        batch(&home, further).output().exits(0).says("rows.jsonl has no row that is asked");
    }
    home.llm(["batch", "-", "{{ line }}"]).stdin("").output().exits(0).says("has no row that is asked");
}

#[test]
fn the_null_of_a_row_is_not_asked() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", "{\"text\": null}\n{\"text\": \"yes\"}\n");
    batch(&home, &[]).output().exits(8);
    let found = lines(home.path().join("out.jsonl"));
    assert!(
        found[0]["error"]["message"].as_str().is_some_and(|message| message.contains("a value is null")),
        "{found:?}"
    );
    assert_eq!((&found[1]["text"], gateway.requests().len()), (&json!("yes"), 1));
}

#[test]
fn every_row_is_asked_of_every_model_and_the_summary_says_who_is_right() {
    let gateway = Gateway::by(|request| {
        let n: u64 = request.prompt().trim_start_matches("row ").parse().expect("a number");
        let right = if n % 2 == 1 { "Odd." } else { "even" };
        Reply::stream(&[if request.model() == "good" { right } else { "odd" }])
    });
    let home = Home::with(&gateway);
    home.file("rows.csv", "text,label\nrow 1,odd\nrow 2,even\nrow 3,odd\nrow 4,even\n");
    let outcome = home
        .llm([
            "batch",
            "rows.csv",
            "{{ text }}",
            "-m",
            "good,bad",
            "--out",
            "out.jsonl",
            "--expect",
            "label",
            "-o",
            "json",
        ])
        .output();
    outcome.exits(0);
    let found = lines(home.path().join("out.jsonl"));
    let order: Vec<(u64, &str)> =
        found.iter().map(|line| (line["row"].as_u64().unwrap_or(0), line["model"].as_str().unwrap_or(""))).collect();
    let expected: Vec<_> = (1..=4).flat_map(|row| [(row, "good"), (row, "bad")]).collect();
    assert_eq!(order, expected, "in the order of rows and models");
    assert_eq!((&found[0]["expected"], &found[0]["correct"]), (&json!("odd"), &json!(true)));
    let summary = outcome.json();
    let accuracy = |model: usize| summary["models"][model]["accuracy"]["share"].as_f64();
    assert_eq!((accuracy(0), accuracy(1)), (Some(1.0), Some(0.5)));
    assert_eq!(summary["models"][1]["confusion"], json!({"labels": ["even", "odd"], "counts": [[0, 2, 0], [0, 2, 0]]}));
    assert_eq!(summary["models"][0]["ok"], 4);
    assert_eq!(home.log().len(), 8, "the ledger has every call");
    let tags = &home.log()[0]["tags"];
    assert!(tags["batch"].is_string(), "{tags}");
}

#[test]
fn without_an_output_file_lines_go_to_stdout_and_the_summary_to_stderr() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let outcome = home.llm(["batch", "-", "--order", "input"]).stdin("one\ntwo\n\nthree\n").output();
    outcome.exits(0).says("took");
    let found: Vec<Value> = outcome.stdout().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(numbers(&found), [1, 2, 3]);
    assert_eq!(found[2]["text"], "three");
    assert_eq!(found[2]["line"], 4);
}

#[test]
fn rows_of_a_pipe_are_asked_as_they_come() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let mut running = home.llm(["batch", "-", "--input-format", "jsonl"]).stdin_open().start();
    let mut pipe = running.stdin.take().expect("a pipe");
    for n in 1..=3 {
        writeln!(pipe, "{}", json!({"prompt": format!("p{n}")})).expect("written");
        gateway.await_requests(n);
        running.await_stdout(&format!("\"text\":\"p{n}\""));
    }
    drop(pipe);
    running.finish().exits(0);
}

#[test]
fn gzip_files_attachments_ids_and_samples() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("data/note.txt", "attached text");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let text: String =
        (0..20).map(|n| json!({"id": format!("r{n}"), "prompt": "p", "doc": "note.txt"}).to_string() + "\n").collect();
    encoder.write_all(text.as_bytes()).expect("written");
    home.file("data/rows.jsonl.gz", encoder.finish().expect("compressed"));
    let run = |out: &str, further: &[&str]| {
        let all = ["batch", "data/rows.jsonl.gz", "--out", out, "--id-field", "id", "--file-field", "doc"];
        home.llm(all).args(further).output().exits(0);
        lines(home.path().join(out))
            .iter()
            .map(|line| line["row_id"].as_str().unwrap_or("").to_owned())
            .collect::<Vec<_>>()
    };
    let sample = run("a.jsonl", &["--sample", "5"]);
    assert_eq!((sample.len(), &sample), (5, &run("b.jsonl", &["--sample", "5"])));
    assert_ne!(sample, run("c.jsonl", &["--sample", "5", "--sample-seed", "1"]));
    assert_eq!(run("d.jsonl", &["--limit", "2"]), ["r0", "r1"]);
    assert!(gateway.requests()[0].prompt().contains("attached text"));
}

#[cfg(unix)]
#[test]
fn a_row_gets_no_file_that_may_hold_keys() {
    let gateway = echo();
    let home = Home::with(&gateway).config("");
    home.file("data/keys.toml", "");
    home.file("note.txt", "attached text");
    std::os::unix::fs::symlink(home.path().join("llm.toml"), home.path().join("innocent.txt")).expect("linked");
    let private = ["data/keys.toml", "./data/../llm.toml", "innocent.txt", "/dev/null"];
    let row = |doc: &str| json!({"prompt": "p", "doc": doc}).to_string() + "\n";
    home.file("rows.jsonl", private.map(row).concat() + &row("note.txt"));
    home.llm(["batch", "rows.jsonl", "--out", "out.jsonl", "--file-field", "doc"]).output().exits(8);
    for line in &lines(home.path().join("out.jsonl"))[..4] {
        let error = line["error"]["message"].as_str().unwrap_or_default();
        assert!(error.contains("may hold keys"), "{line}");
    }
    assert_eq!(gateway.requests().len(), 1);
}

// L31
#[test]
fn a_bad_row_is_an_error_of_its_line_and_the_others_are_asked() {
    let gateway = echo();
    let home = Home::with(&gateway);
    let mut bytes = b"{\"id\":1,\"text\":\"a\"}\nnot json\n{\"id\":3}\n{\"id\":1,\"text\":\"again\"}\n{\"id\":5,\"text\":\"\xff\"}\n".to_vec();
    bytes.extend(format!("{{\"id\":6,\"text\":\"{}\"}}\n", "x".repeat(10 << 20)).bytes());
    bytes.extend(b"{\"id\":7,\"text\":\"g\"}\n");
    home.file("rows.jsonl", bytes);
    let outcome = batch(&home, &["--id-field", "id"]).output();
    outcome.exits(8).says("line 2: it is not valid JSON");
    let found = lines(home.path().join("out.jsonl"));
    assert_eq!(numbers(&found), [1, 2, 3, 4, 5, 6, 7], "nothing is lost");
    let error = |row: usize| found[row - 1]["error"]["message"].as_str().unwrap_or("ok").to_owned();
    assert_eq!((error(1), error(7)), ("ok".into(), "ok".into()));
    assert!(error(3).starts_with("line 3: its prompt cannot be made: undefined value"), "{}", error(3));
    assert_eq!(error(4), "line 4: its id `1` is that of an earlier row");
    assert_eq!(error(5), "line 5: it is not UTF-8: there is a bad byte at offset 16 in it");
    assert_eq!(error(6), "line 6: it is 10 MiB long, and a row may have 8 MiB");
    assert_eq!(gateway.requests().len(), 2);
    // The user mends a row, and only that one is asked.
    let text = "{\"id\":1,\"text\":\"a\"}\n{\"id\":2,\"text\":\"mended\"}\n{\"id\":3}\n";
    home.file("rows.jsonl", text);
    home.file("out.jsonl", found[..3].iter().map(|line| format!("{line}\n")).collect::<String>());
    batch(&home, &["--id-field", "id", "--resume"]).output().exits(8);
    assert_eq!(gateway.requests().last().expect("one more").prompt(), "mended");
    assert_eq!(gateway.requests().len(), 3);
}

#[test]
fn a_field_that_no_row_has_is_found_before_anything_is_sent() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.csv", "id,text\n1,a\n");
    for (arguments, message, hint) in [
        (&["{{ txt }}"][..], "the template uses `txt`, which the rows do not have", "did you mean `text`?"),
        (&[], "there is no template, and no field `prompt`", "--template \"… {{ id }}\""),
        (
            &["{{ text }}", "--expect", "label"],
            "--expect names `label`, which the rows do not have",
            "their fields: id, text",
        ),
        (&["{{ text"], "the template: syntax error", ""),
    ] {
        let outcome = home.llm(["batch", "rows.csv", "--out", "out.jsonl"]).args(arguments).output();
        outcome.exits(2).says(message).says(hint);
    }
    assert_eq!(gateway.requests().len(), 0);
}

/// The ids of the records of all lines.
#[cfg(unix)]
fn ids(home: &Home) -> BTreeSet<String> {
    let text = std::fs::read_to_string(home.path().join("out.jsonl")).unwrap_or_default();
    let whole = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    whole.map(|line| line["id"].as_str().expect("an id").to_owned()).collect()
}

// L27
#[cfg(unix)]
#[test]
fn a_batch_that_is_killed_fifty_times_loses_no_paid_row_and_repeats_none_but_those_in_flight() {
    const ROWS: usize = 600;
    const KILLS: usize = 50;
    const CONCURRENCY: usize = 4;
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(ROWS));
    let concurrency = CONCURRENCY.to_string();
    let run = |resume: bool| {
        let further = ["--concurrency", &concurrency, "--resume"];
        batch(&home, if resume { &further } else { &further[..2] })
    };
    let mut random = fastrand::Rng::with_seed(27);
    let mut written = BTreeSet::new();
    for kill in 0..KILLS {
        let running = run(kill > 0).start();
        gateway.await_requests(gateway.requests().len() + random.usize(1..12));
        running.signal(rustix::process::Signal::KILL);
        running.finish().dies_by(9);
        let now = ids(&home);
        assert!(written.is_subset(&now), "kill {kill}: a line was lost");
        written = now;
    }
    assert!(written.len() < ROWS, "the last kill came before the end");
    run(true).output().exits(0);
    let found = lines(home.path().join("out.jsonl"));
    assert_eq!(numbers(&found), (1..=ROWS as u64).collect::<Vec<_>>(), "each row once, in order");
    assert!(found.iter().all(|line| line["text"] == format!("row {}", line["row"])));
    assert!(written.is_subset(&ids(&home)));
    let mut asked = BTreeMap::<String, usize>::new();
    gateway.requests().iter().for_each(|request| *asked.entry(request.prompt()).or_default() += 1);
    let again: usize = asked.values().map(|times| times - 1).sum();
    assert!(again <= KILLS * CONCURRENCY, "{again} requests were repeated");
    // A request that is repeated has the key of the first one, by which a gateway can know it.
    let mut keys = BTreeMap::<String, BTreeSet<String>>::new();
    for request in gateway.requests() {
        let key = request.header("idempotency-key").expect("a key").to_owned();
        keys.entry(request.prompt()).or_default().insert(key);
    }
    assert!(keys.values().all(|keys| keys.len() == 1));
}

// L28
#[test]
fn a_whole_last_line_without_its_end_is_kept_and_a_part_of_a_line_is_asked_again() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(3));
    batch(&home, &[]).output().exits(0);
    let whole = std::fs::read_to_string(home.path().join("out.jsonl")).expect("an output");
    home.file("out.jsonl", whole.trim_end());
    batch(&home, &["--resume"]).output().exits(0).says("the end of the last line of out.jsonl was missing");
    assert_eq!(gateway.requests().len(), 3);
    home.file("out.jsonl", &whole[..whole.len() - 40]);
    batch(&home, &["--resume", "--log", "off"]).output().exits(0).says("ended in a part of a line");
    assert_eq!(numbers(&lines(home.path().join("out.jsonl"))), [1, 2, 3]);
}

#[test]
fn a_file_that_is_no_output_of_a_batch_is_refused_and_left_as_it_is() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(2));
    batch(&home, &[]).output().exits(0);
    let ours = std::fs::read_to_string(home.path().join("out.jsonl")).expect("an output");
    let first = ours.lines().next().expect("a line");
    for content in [
        "first line\nmy last line, without a line end".to_owned(),
        "one line".to_owned(),
        "x".repeat(100_000),
        "[1, 2".to_owned(),
        format!("{first}\nnotes\nmore notes"),
        format!("notes\n{}", &first[..40]),
    ] {
        home.file("out.jsonl", &content);
        for flag in ["--resume", "--retry-failed"] {
            batch(&home, &[flag]).output().exits(2).says("is not a line of a batch");
            let now = std::fs::read_to_string(home.path().join("out.jsonl")).expect("still there");
            assert_eq!(now, content, "{flag}");
        }
    }
    // Nor is a part of a line removed where the batch is another one.
    let torn = ours[..ours.len() - 40].to_owned();
    home.file("out.jsonl", &torn);
    batch(&home, &["--resume", "--temperature", "1"]).output().exits(2);
    assert_eq!(std::fs::read_to_string(home.path().join("out.jsonl")).expect("still there"), torn);
    assert_eq!(gateway.requests().len(), 2, "nothing was sent");
}

// L29
#[test]
fn a_data_set_template_or_model_that_changed_is_noticed() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(5));
    batch(&home, &["-m", "a", "--limit", "4"]).output().exits(0);
    let sent = gateway.requests().len();
    let changed = rows(5).replace("row 3", "row three");
    home.file("rows.jsonl", &changed);
    let outcome = batch(&home, &["-m", "a", "--resume"]).output();
    outcome.exits(2).says("rows.jsonl was changed since the earlier run: row 3 (line 3) is not the row that was asked");
    home.file("rows.jsonl", rows(2));
    batch(&home, &["-m", "a", "--resume"]).output().exits(2).says("it has 2 rows, and the output has row 4");
    home.file("rows.jsonl", rows(6));
    let other =
        home.llm(["batch", "rows.jsonl", "Say {{ text }}", "-m", "a", "--out", "out.jsonl", "--resume"]).output();
    other.exits(2).says("this batch has another template than the one by which out.jsonl was made");
    batch(&home, &["-m", "a", "--resume", "--temperature", "1"])
        .output()
        .exits(2)
        .says("this batch has other parameters than those by which out.jsonl was made");
    assert_eq!(gateway.requests().len(), sent, "nothing was sent");
    // Rows at the end and further models are asked; what is there is kept.
    let outcome = batch(&home, &["-m", "b", "--resume"]).output();
    outcome.exits(0).says("b is new in this batch").says("a is not asked any more; its 4 lines in the output are kept");
    assert_eq!(gateway.requests().len(), sent + 6);
    batch(&home, &["-m", "a,b", "--resume"]).output().exits(0);
    assert_eq!(gateway.requests().len(), sent + 8);
}

// L30
#[cfg(unix)]
#[test]
fn two_batches_do_not_write_to_one_output() {
    let gateway = Gateway::always(Reply::sse().role().gate().text("x").finish("stop").usage(9, 4).done());
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(3));
    let first = batch(&home, &[]).start();
    gateway.await_gated(3);
    batch(&home, &["--resume"]).output().exits(2).says("another batch is writing to out.jsonl");
    assert!(home.llm(["batch", "list"]).output().exits(0).stdout().contains("running"));
    first.signal(rustix::process::Signal::KILL);
    first.finish().dies_by(9);
    assert!(home.llm(["batch", "list"]).output().exits(0).stdout().contains("killed"));
    gateway.release();
    let outcome = batch(&home, &["--resume"]).output();
    outcome.exits(0).says("the last run was killed; at most 8 calls in flight then may be paid twice");
    assert_eq!(lines(home.path().join("out.jsonl")).len(), 3);
}

/// A config in which a call costs $0.0001 and 10 output tokens may cost $0.1 at most.
const PRICED: &str = "[price.test-model]\ninput = 0\noutput = 10000\n";

// L32
#[test]
fn a_batch_that_reaches_its_limit_of_cost_stops_and_can_go_on() {
    let gateway = Gateway::by(|request| Reply::sse().role().text(&request.prompt()).finish("stop").usage(9, 5).done());
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(10));
    let run = |further: &[&str]| batch(&home, &["--max-tokens", "10", "--concurrency", "1"]).args(further).output();
    // Each answer costs $0.05, and $0.10 are reserved for it.
    let outcome = run(&["--max-cost", "0.21"]);
    outcome.exits(5).says("to go on: llm batch rows.jsonl '{{ text }}'").says("--resume");
    assert_eq!((numbers(&lines(home.path().join("out.jsonl"))), gateway.requests().len()), (vec![1, 2, 3], 3));
    // What was spent before counts.
    run(&["--max-cost", "0.21", "--resume"]).exits(5);
    assert_eq!(gateway.requests().len(), 3);
    run(&["--max-cost", "9", "--resume"]).exits(0);
    assert_eq!((lines(home.path().join("out.jsonl")).len(), gateway.requests().len()), (10, 10));
}

// L32
#[test]
fn a_limit_of_cost_counts_the_failed_tries_of_rows_that_are_asked_again() {
    let gateway = Gateway::by(|_| Reply::sse().role().finish("content_filter").usage(9, 10).done());
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(2));
    let run = |further: &[&str]| {
        let limits = ["--max-tokens", "10", "--concurrency", "1", "--max-cost", "0.5", "-o", "json"];
        batch(&home, &limits).args(further).output()
    };
    // Each try costs $0.1.
    let costs = |said: Value| (said["total_cost"]["usd"].clone(), said["earlier_cost"]["usd"].clone());
    assert_eq!(costs(run(&[]).json()), (json!(0.2), Value::Null));
    let retry = ["--resume", "--retry-failed"];
    assert_eq!(costs(run(&retry).json()), (json!(0.4), json!(0.2)));
    let outcome = run(&retry);
    outcome.exits(5).says("--max-cost $0.50");
    assert_eq!((costs(outcome.json()), gateway.requests().len()), ((json!(0.5), json!(0.4)), 5));
    for _ in 0..2 {
        run(&retry).exits(5);
        assert_eq!(gateway.requests().len(), 5, "all is spent");
    }
    let status = home.llm(["batch", "status"]).output();
    assert!(status.exits(0).stdout().contains("with earlier tries, all cost ~$0.50"), "{}", status.stdout());
    let listed = home.llm(["batch", "list", "-o", "json"]).output().json();
    assert_eq!(listed[0]["cost_usd"], json!(0.5));
}

// L32
#[test]
fn answers_of_unknown_cost_count_as_the_most_that_they_may_have_cost_in_every_run() {
    let gateway = Gateway::by(|_| Reply::sse().role().text("yes").finish("stop").done());
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(10));
    let run = |further: &[&str]| {
        let limits = ["--max-tokens", "10", "--concurrency", "1", "--max-cost", "0.35"];
        batch(&home, &limits).args(further).output()
    };
    // Each may cost $0.1.
    for further in [&[][..], &["--resume"], &["--resume"]] {
        run(further).exits(5).says("left, and this call may cost up to $0.10");
        assert_eq!(gateway.requests().len(), 3);
    }
    batch(&home, &["--max-tokens", "10", "--resume", "--max-cost", "0.55"]).output().exits(5);
    assert_eq!(gateway.requests().len(), 5);
}

#[test]
fn failed_tries_of_unknown_cost_count_beside_answers_of_unknown_cost() {
    let gateway = Gateway::by(|request| match request.prompt().as_str() {
        "row 2" => Reply::error(504, "too late"),
        _ => Reply::sse().role().text("yes").finish("stop").done(),
    });
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(2));
    let run = |further: &[&str]| {
        batch(&home, &["--max-tokens", "10", "--concurrency", "1", "--retries", "0"]).args(further).output()
    };
    run(&[]).exits(8);
    run(&["--retry-failed"]).exits(8);
    assert_eq!(gateway.requests().len(), 3);
    // The answer and both tries may have cost $0.1 each.
    for _ in 0..2 {
        let outcome = run(&["--retry-failed", "--max-cost", "0.35"]);
        outcome.exits(5).says("--max-cost $0.35: $0.05 left, and this call may cost up to $0.10");
        assert_eq!(gateway.requests().len(), 3);
    }
    run(&["--retry-failed", "--max-cost", "0.45"]).exits(8);
    assert_eq!(gateway.requests().len(), 4);
}

#[test]
fn every_try_of_earlier_runs_counts_by_the_model_that_was_tried() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "dear" if request.prompt() != "row 4" => Reply::sse().role().text("yes").finish("stop").usage(9, 5).done(),
        _ => Reply::error(504, "too late"),
    });
    let home = cheap_and_dear(&gateway, 4);
    let run =
        |most: &str, further: &[&str]| batch(&home, CHEAP_OR_DEAR).args(["--max-cost", most]).args(further).output();
    // Each row takes $0.05, and $0.01 that nobody told.
    run("0.13", &["--limit", "2"]).exits(0);
    run("0.19", &["--resume", "--limit", "3"]).exits(0);
    assert_eq!(gateway.requests().len(), 6);
    // Of the last row, both may be billed.
    run("0.24", &["--resume"]).exits(8);
    for _ in 0..2 {
        run("0.24", &["--resume", "--retry-failed"]).exits(5).says("--max-cost $0.24: $0.00 left");
    }
    assert_eq!(gateway.requests().len(), 8);
}

// L32
#[cfg(unix)]
#[test]
fn a_limit_of_cost_counts_what_was_in_flight_when_a_batch_was_killed() {
    let gateway = Gateway::by(|_| Reply::silence().hold());
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(2));
    let run = |further: &[&str]| batch(&home, &["--max-tokens", "10", "--concurrency", "1"]).args(further);
    // Each may cost $0.1.
    for sent in 1..=3 {
        let running = run(&["--max-cost", "0.35", "--resume"]).start();
        gateway.await_requests(sent);
        running.signal(rustix::process::Signal::KILL);
        running.finish();
    }
    run(&["--max-cost", "0.35", "--resume"]).output().exits(5).says("$0.05 left, and this call may cost up to $0.10");
    assert_eq!(gateway.requests().len(), 3);
}

/// Each row takes $0.05, and $0.01 that nobody told, or also the $0.05.
fn cheap_and_dear(gateway: &Gateway, count: usize) -> Home {
    let price = |name, rate| format!("[price.{name}]\ninput = 0\noutput = 0\nrequest = {rate}\n");
    let home = Home::with(gateway).config(&(price("cheap", 0.01) + &price("dear", 0.05)));
    home.file("rows.jsonl", rows(count));
    home
}

const CHEAP_OR_DEAR: &[&str] =
    &["-m", "cheap", "--fallback", "dear", "--max-tokens", "5", "--concurrency", "1", "--retries", "0"];

// L32
#[test]
fn a_limit_of_cost_counts_every_run_by_what_it_may_have_cost() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "cheap" => Reply::error(504, "too late"),
        _ => Reply::sse().role().text("yes").finish("stop").done(),
    });
    let home = cheap_and_dear(&gateway, 6);
    let run = |further: &[&str]| batch(&home, CHEAP_OR_DEAR).args(further).output();
    run(&["--max-cost", "0.07", "--limit", "1"]).exits(0);
    // Neither a run without a limit nor one that is not recorded is forgotten.
    run(&["--resume", "--limit", "2"]).exits(0);
    run(&["--resume", "--limit", "3", "--log", "off"]).exits(0);
    for _ in 0..2 {
        run(&["--resume", "--max-cost", "0.185"]).exits(5).says("--max-cost $0.185: $0.005 left");
        assert_eq!(gateway.requests().len(), 6);
    }
    run(&["--resume", "--max-cost", "0.245"]).exits(5).says("--max-cost $0.245: $0.005 left");
    assert_eq!(gateway.requests().len(), 8);
}

#[test]
fn tries_before_an_answer_of_unknown_cost_count_beside_it() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "cheap" => Reply::error(504, "too late"),
        _ => Reply::sse().role().text("yes").finish("stop").done(),
    });
    let home = cheap_and_dear(&gateway, 6);
    let run = |further: &[&str]| batch(&home, CHEAP_OR_DEAR).args(further).output();
    run(&["--limit", "2"]).exits(0);
    // The answers are those of the dear model.
    run(&["--resume", "--max-cost", "0.125"]).exits(5).says("--max-cost $0.125: $0.005 left");
    assert_eq!(gateway.requests().len(), 4);
}

#[test]
fn answers_of_unknown_cost_that_do_not_follow_the_schema_are_not_free() {
    let gateway = Gateway::by(|_| Reply::sse().role().text("no JSON").finish("stop").done());
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(3));
    home.file("schema.json", r#"{"type": "object"}"#);
    let schema = ["--schema", "schema.json", "--max-tokens", "10", "--concurrency", "1"];
    let run = |further: &[&str]| batch(&home, &schema).args(further).output();
    run(&["--limit", "2"]);
    run(&["--resume", "--retry-failed", "--max-cost", "0.25"]).exits(5).says("--max-cost $0.25: $0.05 left");
    assert_eq!(gateway.requests().len(), 2);
    let usage = home.llm(["usage", "-o", "json"]).output().exits(0).json();
    assert_eq!(usage["total"]["cost"]["unknown"], 2, "{usage}");
}

#[test]
fn failed_tries_of_judges_count_as_verdicts() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "judge" => Reply::error(504, "too late"),
        _ => Reply::sse().role().text("yes").finish("stop").usage(9, 1).done(),
    });
    let price = |name| format!("[price.{name}]\ninput = 0\noutput = 10\n");
    let home = Home::with(&gateway).config(&(price("judge") + &price("test-model")));
    home.file("rows.jsonl", rows(3));
    let judged =
        ["--max-tokens", "10", "--concurrency", "1", "--retries", "0", "--judge", "judge", "--criteria", "good"];
    let run = |further: &[&str]| batch(&home, &judged).args(further).output();
    run(&["--limit", "1"]);
    // An answer takes a hundredth of a cent, and a verdict some cents.
    run(&["--resume", "--max-cost", "0.01"]).exits(5).says("--max-cost $0.01: $0.00 left");
    assert_eq!(gateway.requests().len(), 2);
}

#[test]
fn tries_of_earlier_runs_count_by_their_rows() {
    let gateway = Gateway::by(|_| Reply::error(504, "too late"));
    let home = Home::with(&gateway).config("[price.test-model]\ninput = 1\noutput = 0\n");
    // The first row cannot be used, the second takes some cents, and the third next to nothing.
    let row = |text: &str| json!({"text": text}).to_string();
    let rows = ["{}", &row(&"a ".repeat(20_000)), &row("short"), &row(&"b ".repeat(200_000))].join("\n");
    home.file("rows.jsonl", rows);
    let run = |further: &[&str]| {
        let one = ["--max-tokens", "10", "--concurrency", "1", "--retries", "0", "--limit", "3"];
        batch(&home, &one).args(further).output()
    };
    run(&[]).exits(1);
    assert_eq!(gateway.requests().len(), 2);
    run(&["--retry-failed", "--max-cost", "0.01"]).exits(5).says("--max-cost $0.01: $0.00 left");
    assert_eq!(gateway.requests().len(), 2, "the first try may have cost more");
    run(&["--retry-failed", "--max-cost", "0.2"]).exits(1);
    assert_eq!(gateway.requests().len(), 4, "the last row is not asked, and counts for nothing");
}

#[test]
fn lines_of_other_ledgers_count_beside_the_account() {
    let gateway = Gateway::by(|_| Reply::sse().role().text("yes").finish("stop").done());
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(9));
    let run = |out: &str, further: &[&str]| {
        let cheap = ["--max-tokens", "10", "--concurrency", "1", "--out", out];
        home.llm(["batch", "rows.jsonl", "{{ text }}"]).args(cheap).args(further).output()
    };
    // Each may cost $0.1. The joined output has the id of one shard.
    for shard in ["1", "2"] {
        let out = format!("{shard}.jsonl");
        run(&out, &["--shard", &format!("{shard}/2"), "--limit", "4", "--max-cost", "1"]).exits(0);
    }
    let asked = gateway.requests().len();
    home.llm(["batch", "merge", "1.jsonl", "2.jsonl", "--out", "all.jsonl"]).output().exits(0);
    let limit = format!("{}", asked as f64 / 10.0 + 0.05);
    for _ in 0..2 {
        run("all.jsonl", &["--resume", "--max-cost", &limit]).exits(5).says("$0.05 left");
        assert_eq!(gateway.requests().len(), asked);
    }
}

#[test]
fn a_job_whose_ledger_was_purged_counts_by_its_lines() {
    let gateway = Gateway::by(|_| Reply::sse().role().text("yes").finish("stop").done());
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(4));
    let run = |further: &[&str]| batch(&home, &["--max-tokens", "10", "--concurrency", "1"]).args(further).output();
    run(&["--max-cost", "1", "--limit", "2"]).exits(0);
    home.llm(["log", "purge", "--all"]).output().exits(0);
    run(&["--resume", "--max-cost", "0.35"]).exits(5).says("$0.05 left, and this call may cost up to $0.10");
    assert_eq!(gateway.requests().len(), 3);
}

#[test]
fn answers_of_which_a_part_is_not_known_count_as_the_most_they_may_have_cost() {
    // A count of zero beside a text is none, so that the cost of the input is a lower bound.
    let gateway = Gateway::by(|_| Reply::sse().role().text("yes").finish("stop").usage(9, 0).done());
    let home = Home::with(&gateway).config("[price.test-model]\ninput = 1\noutput = 10000\n");
    home.file("rows.jsonl", rows(4));
    let run = |further: &[&str]| batch(&home, &["--max-tokens", "10", "--concurrency", "1"]).args(further).output();
    run(&["--limit", "3"]).exits(0);
    run(&["--resume", "--max-cost", "0.35"]).exits(5);
    assert_eq!(gateway.requests().len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn a_limit_of_cost_that_the_ledger_cannot_keep_is_refused() {
    let gateway = Gateway::by(|_| Reply::sse().role().text("yes").finish("stop").usage(9, 1).done());
    let home = Home::with(&gateway).config(PRICED).env("LLM_DATA_DIR", "/sys/llm");
    home.file("rows.jsonl", rows(2));
    let run = |further: &[&str]| batch(&home, &["--max-tokens", "10"]).args(further).output();
    run(&["--max-cost", "1"]).exits(5).says("--max-cost cannot be kept").says("--log off");
    assert_eq!(gateway.requests().len(), 0);
    run(&["--max-cost", "1", "--log", "off", "--resume"]).exits(0);
}

#[test]
fn what_is_asked_again_counts_also_where_it_was_not_recorded() {
    let gateway = Gateway::by(|_| Reply::error(504, "too late"));
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(2));
    let one = ["--max-tokens", "10", "--concurrency", "1", "--retries", "0", "--log", "off"];
    let run = |further: &[&str]| batch(&home, &one).args(further).output();
    run(&[]);
    run(&["--retry-failed", "--max-cost", "0.25"]).exits(5).says("$0.05 left");
    assert_eq!(gateway.requests().len(), 2);
}

#[test]
fn a_job_whose_output_was_renamed_keeps_its_account_when_no_line_is_left() {
    let gateway = Gateway::by(|_| Reply::error(504, "too late"));
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(5));
    let run = |out: &str, further: &[&str]| {
        let one = ["--max-tokens", "10", "--concurrency", "1", "--retries", "0", "--max-cost", "0.25", "--out", out];
        home.llm(["batch", "rows.jsonl", "{{ text }}"]).args(one).args(further).output()
    };
    run("a.jsonl", &[]).exits(5);
    std::fs::rename(home.path().join("a.jsonl"), home.path().join("b.jsonl")).expect("renamed");
    // The first of these removes the failed lines.
    for _ in 0..3 {
        run("b.jsonl", &["--resume", "--retry-failed"]).exits(5).says("$0.05 left");
        assert_eq!(gateway.requests().len(), 2);
    }
}

#[test]
fn every_try_that_a_line_tells_counts_by_the_model_that_was_tried() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "dear" => Reply::error(504, "too late"),
        _ => Reply::sse().role().text("yes").finish("stop").usage(9, 1).done(),
    });
    let alias = |models: &str| {
        format!(
            "[price.dear]\ninput = 0\noutput = 10000\n[price.cheap]\ninput = 0\noutput = 1000\n[alias]\nmine = {models}\n"
        )
    };
    let one = ["-m", "mine", "--max-tokens", "10", "--concurrency", "1", "--retries", "1", "--log", "off"];
    let run = |home: &Home, further: &[&str]| batch(home, &one).args(further).output();
    let home = Home::with(&gateway).config(&alias("{ models = [\"dear\", \"cheap\"] }"));
    home.file("rows.jsonl", rows(2));
    run(&home, &["--limit", "1"]).exits(0);
    let tries = gateway.requests().iter().filter(|request| request.model() == "dear").count();
    let home = home.config(&alias("{ models = [\"cheap\"] }"));
    // Each try of `dear` may have cost $0.1, and the answer of `cheap` has cost $0.001.
    let limit = format!("{}", tries as f64 / 10.0 + 0.005);
    run(&home, &["--resume", "--max-cost", &limit]).exits(5).says("$0.004 left, and this call may cost up to $0.01");
    assert_eq!((tries, gateway.requests().len()), (2, 3));
}

#[cfg(unix)]
#[test]
fn a_job_has_its_account_before_anything_is_spent() {
    let gateway = Gateway::by(|_| Reply::silence().hold());
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(2));
    let run = |further: &[&str]| batch(&home, &["--max-tokens", "10", "--concurrency", "1"]).args(further);
    run(&["--max-cost", "0.05"]).output().exits(5);
    let running = run(&["--resume"]).start();
    gateway.await_requests(1);
    running.signal(rustix::process::Signal::KILL);
    running.finish();
    run(&["--resume", "--max-cost", "0.15"]).output().exits(5).says("$0.05 left");
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn answers_of_unknown_cost_count_of_models_that_are_not_asked_any_more() {
    let gateway = Gateway::by(|_| Reply::sse().role().text("yes").finish("stop").done());
    let home = Home::with(&gateway)
        .config("[price.dear]\ninput = 0\noutput = 10000\n[price.cheap]\ninput = 0\noutput = 1000\n");
    home.file("rows.jsonl", rows(3));
    let run = |further: &[&str]| batch(&home, &["--max-tokens", "10", "--concurrency", "1"]).args(further).output();
    run(&["-m", "cheap,dear"]).exits(0);
    // Those of `dear` may have cost $0.1 each, and those of `cheap` $0.01.
    home.file("rows.jsonl", rows(4));
    run(&["-m", "cheap", "--resume", "--max-cost", "0.32"]).exits(5).says("this call may cost up to $0.01");
    assert_eq!(gateway.requests().len(), 6);
    run(&["-m", "cheap", "--resume", "--max-cost", "0.35"]).exits(0);
    assert_eq!(gateway.requests().len(), 7);
}

#[test]
fn answers_of_unknown_cost_count_that_only_the_ledger_has() {
    let gateway = Gateway::by(|_| Reply::sse().role().text("yes").finish("stop").done());
    let home = Home::with(&gateway).config(PRICED);
    home.file("rows.jsonl", rows(2));
    let run = |further: &[&str]| batch(&home, &["--max-tokens", "10", "--concurrency", "1"]).args(further).output();
    run(&[]).exits(0);
    let path = home.path().join("out.jsonl");
    let text = std::fs::read_to_string(&path).expect("an output");
    let (first, _) = text.split_once('\n').expect("lines");
    std::fs::write(&path, format!("{first}\n")).expect("written");
    home.file("rows.jsonl", rows(3));
    let outcome = run(&["--resume", "--max-cost", "0.25"]);
    outcome.exits(5).says("1 answer that the ledger has and the output lacked").says("--max-cost $0.25: $0.05 left");
    assert_eq!(gateway.requests().len(), 2);
    run(&["--resume", "--max-cost", "0.35"]).exits(0);
    assert_eq!(numbers(&lines(&path)), [1, 2, 3]);
}

// L33
#[cfg(unix)]
#[test]
fn an_output_that_is_deleted_stops_the_batch_and_no_paid_answer_is_lost() {
    let gateway = Gateway::by(|request| {
        let reply = Reply::sse().role();
        let reply = if request.index < 2 { reply } else { reply.gate() };
        reply.text(&request.prompt()).finish("stop").usage(9, 4).done()
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(20));
    let running = batch(&home, &["--concurrency", "4"]).start();
    gateway.await_gated(4);
    let out = home.path().join("out.jsonl");
    std::fs::rename(&out, home.path().join("moved.jsonl")).expect("renamed");
    gateway.release();
    let outcome = running.finish();
    outcome
        .exits(74)
        .says("4 answers could not be written: --resume writes those that the ledger has")
        .says("was deleted, renamed or replaced");
    assert_eq!(gateway.requests().len(), 6, "what was in flight is finished, and no further row is taken");
    std::fs::rename(home.path().join("moved.jsonl"), &out).expect("back");
    batch(&home, &["--resume"])
        .output()
        .exits(0)
        .says("4 answers that the ledger has and the output lacked: not asked again");
    assert_eq!(gateway.requests().len(), 20, "no row was asked twice");
    assert_eq!(numbers(&lines(out)), (1..=20).collect::<Vec<_>>());
}

// L33
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_in_the_middle_leaves_whole_lines_and_the_batch_can_go_on() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(60));
    let limited =
        r#"ulimit -f 16; exec "$llm" batch rows.jsonl "{{ text }}" --out out.jsonl --log off --concurrency 2"#;
    home.shell(limited).output().exits(74).says("cannot write out.jsonl");
    let kept = lines(home.path().join("out.jsonl"));
    assert!((1..60).contains(&kept.len()), "{}", kept.len());
    let sent = gateway.requests().len();
    assert!(sent <= kept.len() + 2, "{sent} requests for {} lines", kept.len());
    batch(&home, &["--resume", "--log", "off"]).output().exits(0);
    assert_eq!(numbers(&lines(home.path().join("out.jsonl"))), (1..=60).collect::<Vec<_>>());
    assert_eq!(gateway.requests().len(), sent + 60 - kept.len());
}

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_what_is_in_flight_and_a_second_one_drops_it() {
    for drops in [false, true] {
        let gateway = Gateway::by(|request| {
            let reply = Reply::sse().role();
            let reply = if request.index < 2 { reply } else { reply.gate() };
            reply.text(&request.prompt()).finish("stop").usage(9, 4).done()
        });
        let home = Home::with(&gateway);
        home.file("rows.jsonl", rows(20));
        let running = batch(&home, &["--concurrency", "3"]).start();
        gateway.await_gated(3);
        running.signal(rustix::process::Signal::INT);
        running.await_stderr("no further rows are taken; 3 calls in flight will be finished");
        if drops {
            running.signal(rustix::process::Signal::INT);
        } else {
            gateway.release();
        }
        let outcome = running.finish();
        outcome.dies_by(2).says("to go on: llm batch rows.jsonl '{{ text }}' --out out.jsonl --concurrency 3 --resume");
        assert_eq!(gateway.requests().len(), 5);
        assert_eq!(lines(home.path().join("out.jsonl")).len(), if drops { 2 } else { 5 });
        gateway.release();
        batch(&home, &["--resume"]).output().exits(0);
        assert_eq!(numbers(&lines(home.path().join("out.jsonl"))), (1..=20).collect::<Vec<_>>());
        assert_eq!(gateway.requests().len(), if drops { 23 } else { 20 });
    }
}

#[test]
fn failed_rows_are_asked_again_by_the_job() {
    let gateway = Gateway::by(|request| {
        let fails = request.prompt() == "row 2" && request.index < 4;
        if fails { Reply::error(400, "not now") } else { Reply::stream(&["fine"]) }
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(4));
    batch(&home, &[]).output().exits(8).says("row 2 (line 2): not now");
    batch(&home, &["--resume"]).output().exits(8);
    assert_eq!(gateway.requests().len(), 4, "a failed row counts as done");
    let status = home.llm(["batch", "status"]).output();
    assert!(status.exits(0).stdout().contains("1 invalid_request"), "{status}");
    home.llm(["batch", "retry-failed"]).output().exits(0);
    assert_eq!(gateway.requests().len(), 5);
    let found = lines(home.path().join("out.jsonl"));
    assert_eq!((numbers(&found), &found[1]["text"]), (vec![1, 2, 3, 4], &json!("fine")));
    let jobs = home.llm(["batch", "list", "-o", "json"]).output().json();
    assert_eq!(
        (jobs[0]["state"].as_str(), jobs[0]["ok"].as_u64(), jobs.as_array().map(Vec::len)),
        (Some("finished"), Some(4), Some(1))
    );
}

#[cfg(unix)]
#[test]
fn another_process_can_cancel_a_batch() {
    let gateway = Gateway::always(Reply::sse().role().gate().text("x").finish("stop").usage(9, 4).done());
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(20));
    let running = batch(&home, &["--concurrency", "2"]).start();
    gateway.await_gated(2);
    home.llm(["batch", "cancel"]).output().exits(0).says("takes no further rows");
    // The running process asks the ledger once a second.
    let cancelled = || {
        let jobs = home.llm(["batch", "list", "-o", "json"]).output().json();
        jobs[0]["seen_ms"].as_i64().unwrap_or(0)
    };
    let (first, began) = (cancelled(), std::time::Instant::now());
    while cancelled() == first && began.elapsed().as_secs() < 20 {}
    gateway.release();
    running.finish().exits(8);
    assert_eq!(gateway.requests().len(), 2);
    let jobs = home.llm(["batch", "list", "-o", "json"]).output().json();
    assert_eq!(jobs[0]["state"], "cancelled");
}

#[test]
fn the_ledger_keeps_no_template_where_it_keeps_no_prompt_and_none_after_a_purge() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(1));
    let run = |log: &str, out: &str| {
        let template = "A secret recipe: {{ text }}";
        home.llm(["batch", "rows.jsonl", template, "--out", out, "--log", log]).output().exits(0);
    };
    let ledger_has_it = || {
        let files = home.files().into_iter().filter(|path| path.starts_with(home.path().join("data")));
        let text = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
        files.map(text).any(|text| text.contains("secret recipe"))
    };
    run("metadata", "a.jsonl");
    assert!(!ledger_has_it());
    home.llm(["batch", "retry-failed"]).output().exits(2).says("give the command of the batch again, with --resume");
    run("full", "b.jsonl");
    assert!(ledger_has_it());
    home.llm(["log", "purge", "--all"]).output().exits(0);
    assert!(!ledger_has_it());
}

#[test]
fn on_error_stop_takes_no_further_rows() {
    let gateway = Gateway::by(|request| match request.prompt().as_str() {
        "row 3" => Reply::error(400, "no"),
        prompt => Reply::stream(&[prompt]),
    });
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(50));
    let outcome = batch(&home, &["--on-error", "stop", "--concurrency", "1"]).output();
    outcome.exits(8).says("stopped, as --on-error stop says: test-model: row 3 (line 3): no");
    assert_eq!(gateway.requests().len(), 3);
}

#[test]
fn a_refused_key_stops_the_batch_at_once() {
    let gateway = Gateway::always(Reply::error(401, "bad key"));
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(500));
    batch(&home, &["--concurrency", "2"]).output().exits(4);
    assert!(gateway.requests().len() <= 3, "{}", gateway.requests().len());
    assert_eq!(lines(home.path().join("out.jsonl")).len(), 0, "the rows are asked when the batch goes on");
}

#[test]
fn a_gateway_that_is_down_is_not_asked_every_row() {
    let gateway = echo();
    let home = Home::with(&gateway);
    drop(gateway);
    home.file("rows.jsonl", rows(500));
    let outcome = batch(&home, &["--retries", "0", "--concurrency", "4"]).output();
    outcome.exits(7).says("cannot connect").says("to go on: llm batch");
    assert!(lines(home.path().join("out.jsonl")).len() < 50);
}

#[test]
fn outputs_are_joined_only_if_their_rows_are_the_same_and_an_answer_counts_before_a_failure() {
    let gateway = Gateway::by(|request| match request.prompt().as_str() {
        "row 2" if request.header("x-fail").is_some() => Reply::error(400, "no"),
        prompt => Reply::stream(&[prompt]),
    });
    let config = |further: &str| {
        let base = gateway.base_url();
        format!("default_gateway = \"g\"\n[gateway.g]\nbase_url = \"{base}\"\nauth = \"none\"\n{further}")
    };
    let home = Home::new().config(&config("headers = { x-fail = \"1\" }\n"));
    home.file("rows.jsonl", rows(3));
    let ask = |out: &str| home.llm(["batch", "rows.jsonl", "{{ text }}", "-m", "m", "--out", out]).output();
    ask("failed.jsonl").exits(8);
    home.file("llm.toml", config(""));
    ask("good.jsonl").exits(0);
    home.file("rows.jsonl", rows(3).replace("row 3", "changed"));
    ask("other.jsonl").exits(0);
    let merge = |outputs: &[&str]| home.llm(["batch", "merge"]).args(outputs).args(["--out", "all.jsonl"]).output();
    let outcome = merge(&["good.jsonl", "other.jsonl"]);
    outcome.exits(2).says("other.jsonl was made with another row 3 than an earlier output");
    assert!(!home.path().join("all.jsonl").exists(), "nothing is written");
    merge(&["failed.jsonl", "good.jsonl"])
        .exits(0)
        .says("3 lines of rows and models that another output has, too: left out");
    let all = lines(home.path().join("all.jsonl"));
    assert_eq!((numbers(&all), &all[1]["text"]), (vec![1, 2, 3], &json!("row 2")));
}

#[test]
fn shards_have_each_row_once_and_are_merged_in_order() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(10));
    for shard in 1..=3 {
        let (part, out) = (format!("{shard}/3"), format!("{shard}.jsonl"));
        home.llm(["batch", "rows.jsonl", "{{ text }}", "--shard", &part, "--out", &out]).output().exits(0);
    }
    assert_eq!(gateway.requests().len(), 10);
    let merge = |first: &str| {
        home.llm(["batch", "merge", first, "2.jsonl", "1.jsonl", "--out", "all.jsonl", "-o", "json"]).output()
    };
    let outcome = merge("3.jsonl");
    assert_eq!(outcome.exits(0).json()["models"][0]["ok"], 10);
    assert_eq!(numbers(&lines(home.path().join("all.jsonl"))), (1..=10).collect::<Vec<_>>());
    home.llm(["batch", "rows.jsonl", "Say {{ text }}", "--out", "other.jsonl"]).output().exits(0);
    std::fs::remove_file(home.path().join("all.jsonl")).expect("ours");
    merge("other.jsonl").exits(2).says("was made with another template or other parameters");
    // Of what cannot be written as a whole, no part is left.
    #[cfg(unix)]
    {
        let script = "ulimit -f 1; exec \"$llm\" batch merge 3.jsonl 2.jsonl 1.jsonl --out all.jsonl";
        home.shell(script).output().exits(74).says("all.jsonl");
        assert!(!home.path().join("all.jsonl").exists());
    }
    // As after a kill in the middle of a line.
    let whole = std::fs::read(home.path().join("3.jsonl")).expect("a shard");
    home.file("cut.jsonl", &whole[..whole.len() - 9]);
    let outcome = merge("cut.jsonl");
    outcome.exits(8).says("the last line of cut.jsonl is cut off and left out");
    assert_eq!(outcome.json()["models"][0]["ok"], 9);
}

#[test]
fn the_steps_of_a_row_that_were_not_sent_cost_nothing() {
    let gateway = Gateway::by(|request| match request.prompt().as_str() {
        "1 row 1" => Reply::sse().role().text("half").finish("length").usage(9, 4).done(),
        "2 row 2" => Reply::error(400, "no"),
        _ => Reply::stream(&["row 2"]),
    });
    let steps = "steps = [{ name = \"a\", prompt = \"1 {{ input }}\" }, { name = \"b\", prompt = \"2 {{ a }}\" }]";
    let config = format!("[pipeline.two]\n{steps}\n[price.test-model]\ninput = 1\noutput = 1\n");
    let home = Home::with(&gateway).config(&config);
    home.file("rows.jsonl", rows(3));
    let limits = ["--pipeline", "two", "--max-tokens", "5", "--max-cost", "1"];
    batch(&home, &limits).args(["--limit", "2"]).output().exits(8);
    let found = lines(home.path().join("out.jsonl"));
    for line in &found {
        assert_eq!(line["cost"], json!({"usd": 0.000013, "origin": "config"}), "{line}");
        assert_eq!(line["usage"]["output_tokens"], json!(4), "{line}");
        assert!(line["timing"]["total_ms"].as_f64().is_some(), "{line}");
    }
    let counts = |line: &Value| line["attempts"].as_array().map(Vec::len);
    assert_eq!((counts(&found[0]), counts(&found[1])), (Some(1), Some(2)));
    let why = |line: &Value| line["error"]["message"].to_string();
    assert!(why(&found[0]).contains("step `a`: ") && why(&found[1]).contains("step `b`: no"), "{found:?}");
    batch(&home, &limits).arg("--resume").output().exits(8);
    assert_eq!(lines(home.path().join("out.jsonl")).len(), 3, "the limit can be kept, because all is known");
}

#[test]
fn a_step_that_fails_for_nothing_is_told_once() {
    let gateway = Gateway::by(|request| match request.prompt().as_str() {
        "side" => Reply::sse().role().text("half").finish("length").done(),
        prompt => Reply::stream(&[prompt]),
    });
    let config = "[pipeline.two]\nsteps = [{ name = \"extra\", prompt = \"side\" }, { name = \"b\", prompt = \"2 {{ input }}\" }]\n";
    let home = Home::with(&gateway).config(config);
    home.file("rows.jsonl", rows(3));
    let outcome = batch(&home, &["--pipeline", "two"]).output();
    outcome.exits(0);
    let found = lines(home.path().join("out.jsonl"));
    assert!(found.iter().all(|line| line["status"] == "ok" && line["error"].is_null()), "{found:?}");
    assert_eq!(outcome.stderr().matches("step `extra`: ").count(), 1, "{outcome}");
    outcome.says("its answer is not used");
}

#[test]
fn a_pipeline_runs_on_each_row() {
    let gateway = echo();
    let config = "[pipeline.two]\nsteps = [\n  { name = \"draft\", model = \"a\", prompt = \"d {{ input }}\" },\n  \
                  { name = \"final\", model = \"b\", prompt = \"f {{ draft }}\" },\n]\n";
    let home = Home::with(&gateway).config(config);
    home.file("rows.jsonl", rows(5));
    batch(&home, &["--pipeline", "two"]).output().exits(0);
    let found = lines(home.path().join("out.jsonl"));
    assert_eq!(numbers(&found), [1, 2, 3, 4, 5]);
    assert_eq!((&found[2]["text"], &found[2]["model"]), (&json!("f d row 3"), &json!("two")));
    assert_eq!(
        (found[2]["usage"]["input_tokens"].as_u64(), found[2]["attempts"].as_array().map(Vec::len)),
        (Some(18), Some(2))
    );
    assert_eq!(gateway.requests().len(), 10);
}

#[test]
fn a_line_that_the_ledger_gives_back_names_models_as_the_others_do() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "a" => Reply::error(404, "no such model"),
        _ => Reply::stream(&[&request.prompt()]),
    });
    let table = |name| format!("[gateway.{name}]\nbase_url = \"{}\"\nauth = \"none\"\n", gateway.base_url());
    let config = format!("[alias.first]\nmodels = [\"one::a\", \"one::b\"]\n{}{}", table("one"), table("two"));
    let home = Home::new().config(&config);
    home.file("rows.jsonl", rows(2));
    let run = |further: &[&str]| batch(&home, &["-m", "first,two::b", "--order", "input"]).args(further).output();
    run(&[]).exits(0);
    let path = home.path().join("out.jsonl");
    let whole = lines(&path);
    assert_eq!(whole[0]["fallbacks"], json!([{"from": "a", "to": "one::b", "kind": "not_found"}]), "{}", whole[0]);
    let text = std::fs::read_to_string(&path).expect("an output");
    std::fs::write(&path, text.split_inclusive('\n').skip(1).collect::<String>()).expect("written");
    let resumed = run(&["--resume", "-o", "json"]);
    let summary = resumed.exits(0).says("1 answer that the ledger has and the output lacked").json();
    let told = json!([{"from": "a", "to": "one::b", "count": 2, "failures": {"not_found": 2}}]);
    assert_eq!(summary["models"][0]["fallbacks"], told);
}

#[test]
fn rows_that_another_model_answered_are_told_once_and_counted_in_the_summary() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "a" => Reply::error(500, &format!("boom at {}", request.prompt())),
        _ => Reply::stream(&[&request.prompt()]),
    });
    let config = "[pipeline.two]\nsteps = [\n  { name = \"draft\", model = \"a\", prompt = \"d {{ input }}\" },\n  \
                  { name = \"final\", model = \"b\", prompt = \"f {{ draft }}\" },\n]\n";
    let home = Home::with(&gateway).config(config);
    home.file("rows.jsonl", rows(3));
    let tries = ["--fallback", "bee", "--retries", "0"];
    let by_model = batch(&home, &["-m", "a,b", "--limit", "2"]).args(tries).output();
    by_model.exits(0);
    // The rest, and the sums of both runs.
    let resumed = batch(&home, &["-m", "a,b", "--resume", "-o", "json"]).args(tries).output();
    let summary = resumed.exits(0).json();
    let told = json!([{"from": "a", "to": "bee", "count": 3, "failures": {"server_error": 3}}]);
    assert_eq!((&summary["models"][0]["fallbacks"], &summary["models"][1]["fallbacks"]), (&told, &json!([])));
    let found = lines(home.path().join("out.jsonl"));
    assert_eq!(found[0]["fallbacks"], json!([{"from": "a", "to": "bee", "kind": "server_error"}]));
    assert!(found[1].get("fallbacks").is_none(), "{}", found[1]);
    std::fs::remove_file(home.path().join("out.jsonl")).expect("an output");
    let of_steps = batch(&home, &["--pipeline", "two"]).args(tries).output();
    for (outcome, rows) in [(by_model, 2), (of_steps, 3)] {
        assert_eq!(outcome.stderr().matches(", trying bee\n").count(), 1, "{outcome}");
        let remark = format!("bee answered for a: {rows} (server_error)");
        assert!(outcome.stdout().contains(&remark), "{outcome}");
    }
}

#[test]
fn a_template_of_the_config_is_filled_in_from_each_row() {
    let gateway = echo();
    let config = "[template.classify]\nprompt = \"{{ tone }}: {{ text }}\"\nsystem = \"You like {{ label }}.\"\nmodel = \"small\"\n\
                  max_tokens = 7\nvars = { tone = \"dry\" }\n";
    let home = Home::with(&gateway).config(config);
    home.file("rows.jsonl", rows(1));
    let outcome = home.llm(["batch", "rows.jsonl", "-T", "classify", "--out", "out.jsonl"]).output();
    outcome.exits(0);
    let sent = gateway.request();
    let body = sent.json();
    assert_eq!((sent.prompt(), sent.model(), &body["max_tokens"]), ("dry: row 1".into(), "small".into(), &json!(7)));
    assert_eq!(body["messages"][0]["content"], "You like odd.");
}

#[test]
fn a_dry_run_sends_nothing_and_estimates_cost() {
    let gateway = echo();
    let home = Home::with(&gateway).config("[price.test-model]\ninput = 1\noutput = 10\n");
    home.file("rows.jsonl", rows(100) + "broken\n");
    let outcome = batch(&home, &["--dry-run", "--max-tokens", "20", "-o", "json"]).output();
    outcome.exits(0);
    let estimate = outcome.json();
    assert_eq!((estimate["rows"].as_u64(), estimate["bad_rows"].as_array().map(Vec::len)), (Some(101), Some(1)));
    assert_eq!(estimate["models"][0]["calls"], 100);
    // 100 answers of 20 tokens cost $0.02, and two tokens of each prompt $0.0002.
    assert_eq!(estimate["models"][0]["usual_usd"], json!(0.0202));
    assert_eq!(gateway.requests().len(), 0);
    assert!(!home.path().join("out.jsonl").exists());
}

#[test]
fn scores_are_in_the_lines_and_in_the_summary() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(4));
    let outcome =
        batch(&home, &["--score", "contains:row 3", "--score", "exact", "--expect", "text", "-o", "json"]).output();
    outcome.exits(0);
    assert_eq!(outcome.json()["models"][0]["scores"], json!({"contains:row 3": 0.25, "exact": 1.0}));
    let found = lines(home.path().join("out.jsonl"));
    assert_eq!(found[2]["scores"], json!([{"by": "contains:row 3", "score": 1.0}, {"by": "exact", "score": 1.0}]));
    let refused: Outcome = batch(&home, &["--score", "fastest", "--resume"]).output();
    refused.exits(2).says("compares answers with each other");
}

// L34
#[cfg(unix)]
#[test]
fn what_never_ends_is_no_data_set_and_no_output() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.llm(["batch", "/dev/zero"]).output().exits(2).says("it is a device, not a file");
    home.llm(["batch", "/dev/zero", "--sample", "2"]).output().exits(2).says("it is a device, not a file");
    for sample in ["", " --sample 2"] {
        let command = format!("exec \"$llm\" batch -{sample} < /dev/zero");
        home.shell(&command).output().exits(2).says("it is a device, not a file");
    }
    home.llm(["batch", "merge", "/dev/zero", "--out", "all.jsonl"])
        .output()
        .exits(2)
        .says("it is a device, not a file");
    let directory = home.path().to_owned();
    home.llm(["batch", "merge"]).arg(directory).args(["--out", "more.jsonl"]).output().exits(2).says("cannot read");
    home.llm(["batch", "/dev/null"]).output().exits(0);
    home.file("rows.jsonl", rows(1));
    let run = ["batch", "rows.jsonl", "{{ text }}", "--out", "/dev/zero"];
    home.llm(run).arg("--resume").output().exits(74);
    assert!(gateway.requests().is_empty());
    home.llm(run).output().exits(0);
    assert_eq!(gateway.requests().len(), 1);
}

// L34
#[cfg(unix)]
#[test]
fn a_file_without_line_ends_is_no_output_and_is_not_read_as_a_whole() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(1));
    // A file with a hole takes no room on the disk.
    let hole = std::fs::File::create(home.path().join("hole.jsonl")).expect("a file");
    hole.set_len(300 << 20).expect("a file system with holes");
    let said = "a line is longer than 256 MiB";
    home.llm(["batch", "merge", "hole.jsonl", "--out", "all.jsonl"]).output().exits(2).says(said);
    home.llm(["batch", "rows.jsonl", "{{ text }}", "--out", "hole.jsonl", "--resume"]).output().exits(2).says(said);
    assert_eq!((hole.metadata().expect("a file").len(), gateway.requests().len()), (300 << 20, 0));
    drop(hole);
    // Searching the home would read it.
    std::fs::remove_file(home.path().join("hole.jsonl")).expect("there");
}

/// The line with another value in the place of one of its figures.
fn damaged(line: &str, path: &[&str], value: &str) -> String {
    let mut line: Value = serde_json::from_str(line).expect("JSON");
    let place = path.iter().fold(&mut line, |value, name| &mut value[*name]);
    *place = serde_json::from_str(value).expect("JSON");
    line.to_string()
}

// L34
#[test]
fn a_damaged_output_is_refused_or_summed_and_never_a_crash() {
    let gateway = echo();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(2));
    batch(&home, &[]).output().exits(0);
    let whole = std::fs::read_to_string(home.path().join("out.jsonl")).expect("an output");
    let (first, rest) = whole.split_once('\n').expect("two lines");
    for (path, value, is_refused) in [
        (&["row"][..], "0", true),
        (&["row"], "9223372036854775807", true),
        (&["row"], "18446744073709551615", true),
        (&["row"], "1000000000000000", true),
        (&["row"], "-1", true),
        (&["usage", "input_tokens"], "18446744073709551615", false),
        (&["usage", "output_tokens"], "18446744073709551615", false),
        (&["timing", "first_token_ms"], "1e300", false),
        (&["timing", "total_ms"], "1e300", false),
        (&["timing", "total_ms"], "-1e300", false),
    ] {
        home.file("bad.jsonl", damaged(first, path, value) + "\n" + rest);
        let merged = format!("{}-{value}.jsonl", path.join("-"));
        let outcome = home.llm(["batch", "merge", "bad.jsonl", "--out", &merged, "-o", "json"]).output();
        if is_refused {
            outcome.exits(2).says("line 1 of bad.jsonl is not a line of a batch");
        } else {
            outcome.exits(0);
        }
        std::fs::copy(home.path().join("bad.jsonl"), home.path().join("out.jsonl")).expect("copied");
        batch(&home, &["--resume"]).output().exits(if is_refused { 2 } else { 0 });
    }
    assert_eq!(gateway.requests().len(), 2, "nothing is asked again");
}

/// Answers rows with themselves. As a judge, gives 8 of 10 to what says `row 1`, nonsense to what says `row 3`, and 4 of 10 to
/// everything else.
fn judged_gateway() -> Gateway {
    Gateway::by(|request| {
        let prompt = request.prompt();
        if request.model() != "judge" && !prompt.contains(" begins]") {
            return Reply::stream(&[&prompt]);
        }
        if prompt.contains("row 3") {
            return Reply::stream(&["I like it."]);
        }
        let score = if prompt.contains("row 1") { 8 } else { 4 };
        let verdict = json!({"A": {"reason": "It is so.", "score": score}}).to_string();
        Reply::stream(&[&verdict])
    })
}

const PRICES: &str = "[price.\"*\"]\ninput = 1\noutput = 1\n";

#[test]
fn judges_score_each_answer_of_a_batch_and_their_cost_stands_apart() {
    let gateway = judged_gateway();
    let home = Home::with(&gateway).config(PRICES);
    home.file("rows.jsonl", rows(3));
    let judged = ["-m", "a,b", "--judge", "judge", "--criteria", "brevity", "--expect", "label", "-o", "json"];
    let outcome = batch(&home, &judged).output();
    outcome.exits(0).says("judge judge: ");
    let found = lines(home.path().join("out.jsonl"));
    assert_eq!(numbers(&found), [1, 1, 2, 2, 3, 3]);
    let scores: Vec<&Value> = found.iter().map(|line| &line["scores"][0]["score"]).collect();
    assert_eq!(scores, [&json!(0.8), &json!(0.8), &json!(0.4), &json!(0.4), &Value::Null, &Value::Null]);
    assert_eq!((&found[0]["scores"][0]["by"], &found[0]["text"]), (&json!("judge"), &json!("row 1")));
    assert!(found.iter().all(|line| line["judge_cost"]["usd"].as_f64() > Some(0.0)), "{}", found[0]);
    let seen: Vec<String> = gateway
        .requests()
        .iter()
        .filter(|request| request.model() == "judge")
        .map(|request| request.prompt())
        .collect();
    assert_eq!(seen.len(), 6, "each answer by itself, once");
    assert!(seen.iter().all(|prompt| prompt.starts_with("Criteria: brevity") && prompt.contains("[right answer ")));
    let model = &outcome.json()["models"][0];
    assert!((model["scores"]["judge"].as_f64().expect("a mean") - 0.6).abs() < 1e-9, "{model}");
    let interval = &model["score_intervals"]["judge"];
    assert_eq!(interval["count"], 2);
    assert!(interval["low"].as_f64() < Some(0.6) && interval["high"].as_f64() > Some(0.6), "{interval}");
    assert!(model["judge_cost"]["usd"].as_f64() > Some(0.0), "{model}");
    assert_eq!(home.log().iter().filter(|call| call["tags"]["role"] == "judge").count(), 6);
    batch(&home, &judged).args(["--resume"]).output().exits(0);
    assert_eq!(gateway.requests().len(), 12, "nothing is asked or judged twice");
    let status = home.llm(["batch", "status"]).output();
    assert!(status.exits(0).stdout().contains("0.60 ("), "{status}");
}

#[test]
fn judges_of_unknown_cost_are_told_and_count_as_the_most_that_they_may_have_cost() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "judge" => {
            let verdict = json!({"A": {"reason": "It is so.", "score": 8}}).to_string();
            Reply::sse().role().text(&verdict).finish("stop").done()
        }
        _ => Reply::sse().role().text("yes").finish("stop").usage(9, 1).done(),
    });
    let home = Home::with(&gateway)
        .config("[price.\"*\"]\ninput = 0\noutput = 0\n[price.judge]\ninput = 0\noutput = 0\nrequest = 1\n");
    home.file("rows.jsonl", rows(3));
    let run = |further: &[&str]| {
        let judged = ["-m", "a", "--judge", "judge", "--max-tokens", "10", "--max-cost", "1.5", "--concurrency", "1"];
        batch(&home, &judged).args(["-o", "json"]).args(further).output()
    };
    let summary = run(&["--limit", "1"]).exits(0).json();
    assert_eq!(summary["models"][0]["judge_cost"], json!({"usd": null, "unknown": 1, "computed": false}), "{summary}");
    assert_eq!(lines(home.path().join("out.jsonl"))[0]["judge_cost"]["partial"], json!(true));
    // The second verdict may cost another dollar.
    for _ in 0..2 {
        run(&["--resume"]).exits(5);
    }
    assert_eq!(gateway.requests().iter().filter(|request| request.model() == "judge").count(), 1);
}

#[test]
fn an_answer_that_is_not_judged_yet_is_kept_and_a_verdict_is_not_taken_for_an_answer() {
    let gateway = judged_gateway();
    let home = Home::with(&gateway);
    home.file("rows.jsonl", rows(2));
    let judged = ["-m", "judge", "--judge", "judge", "--judge-own"];
    batch(&home, &["-m", "judge", "--judge", "judge"]).output().exits(2).says("--judge-own");
    std::fs::remove_file(home.path().join("out.jsonl")).ok();
    let refused = batch(&home, &judged).args(["--via", "api"]).output();
    refused.exits(2).says("--judge needs the answers");
    std::fs::remove_file(home.path().join("out.jsonl")).ok();
    let home_gateway = Gateway::by(|request| match request.prompt().contains(" begins]") {
        true => Reply::stream(&[r#"{"A": {"reason": "x", "score": 5}}"#]),
        false => Reply::stream(&[&request.prompt()]),
    });
    let home = Home::with(&home_gateway);
    home.file("rows.jsonl", rows(2));
    batch(&home, &judged).output().exits(0);
    let path = home.path().join("out.jsonl");
    let text = std::fs::read_to_string(&path).expect("an output");
    let (first, _) = text.split_once('\n').expect("lines");
    std::fs::write(&path, format!("{first}\n")).expect("written");
    let outcome = batch(&home, &judged).args(["--resume"]).output();
    outcome.exits(0).says("1 answer that the ledger has and the output lacked");
    let found = lines(&path);
    assert_eq!((numbers(&found), &found[1]["text"]), (vec![1, 2], &json!("row 2")), "not what a judge said");
    assert_eq!(home_gateway.requests().len(), 4);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_an_output_stops_no_command() {
    let home = Home::new();
    home.file("rows.jsonl", "{\"text\":\"one\"}\n");
    home.llm(["batch", "rows.jsonl", "{{ text }}", "-g", "demo", "-m", "demo/quick", "--out", "out.jsonl"])
        .output()
        .exits(0);
    let out = home.path().join("out.jsonl");
    std::fs::remove_file(&out).expect("an output");
    assert!(std::process::Command::new("mkfifo").arg(&out).status().expect("mkfifo runs").success());
    let listed = home.llm(["batch", "list", "-o", "json"]).output().exits(0).json();
    assert_eq!(listed[0]["state"], "finished");
    home.llm(["batch", "status"]).output().exits(0).says("the output is not there any more");
    home.llm(["batch", "status", "-o", "json"]).output().exits(2).says("the output of this batch is not there");
    home.llm(["batch", "merge", "out.jsonl", "--out", "all.jsonl"]).output().exits(2).says("it is a pipe, not a file");
    home.llm(["batch", "retry-failed"]).output().exits(74).says("it is a pipe, not a file");
    for flag in [&["--resume"][..], &["--via", "api"]] {
        let run =
            home.llm(["batch", "rows.jsonl", "{{ text }}", "-g", "demo", "-m", "demo/quick", "--out", "/dev/null"]);
        run.args(flag).output().exits(74).says("it is a device, not a file");
    }
    // Nobody reads or writes it.
    let run = || home.llm(["batch", "rows.jsonl", "{{ text }}", "-g", "demo", "-m", "demo/quick", "--timeout", "50ms"]);
    run().args(["--out", "out.jsonl"]).output().exits(7).says("no program has opened");
    run().args(["--score", "schema:out.jsonl"]).output().exits(7).says("no program has written");
    // Lines go through a device in the order that is wanted, and the summary to standard output.
    home.file("two.jsonl", "{\"text\":\"one\"}\n{\"text\":\"two\"}\n");
    let run = "exec \"$llm\" batch two.jsonl '{{ text }}' -g demo -m demo/quick --order input --out /dev/fd/3 3>&1 >summary | cat";
    let outcome = home.shell(run).output();
    outcome.exits(0);
    let rows: Vec<u64> =
        outcome.stdout().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()?["row"].as_u64()).collect();
    assert_eq!(rows, [1, 2], "{outcome}");
    assert!(std::fs::read_to_string(home.path().join("summary")).expect("a summary").contains("demo/quick"));
}

#[test]
fn a_fallback_that_is_refused_stops_no_batch_whose_model_failed_over_one_row() {
    let gateway = Gateway::by(|request| match request.prompt().contains("bad") {
        true => Reply::error(400, "this prompt is not accepted"),
        false => Reply::stream(&["ok"]),
    });
    let home = Home::with(&gateway).config("[allow]\nLLM_API_KEY = [\"cheap\"]\n");
    home.file("rows.txt", "one\nbad\nthree\nfour\n");
    let run = ["batch", "rows.txt", "{{ line }}", "-m", "cheap", "--fallback", "strong", "--out", "o.jsonl"];
    let outcome = home.llm(run).args(["--concurrency", "1"]).output();
    outcome.says("strong");
    let lines = std::fs::read_to_string(home.path().join("o.jsonl")).expect("lines");
    assert_eq!((lines.lines().count(), outcome.code().is_some_and(|code| code > 0)), (4, true), "{outcome}");
}

#[test]
fn a_batch_stops_where_the_model_itself_would_fail_for_every_row_whatever_its_fallback_is_refused_for() {
    for (status, said, asked) in [(402, "no credits", 1), (404, "no such model", 1)] {
        let gateway = Gateway::by(move |_| Reply::error(status, said));
        let home = Home::with(&gateway).config("[allow]\nLLM_API_KEY = [\"cheap\"]\n");
        home.file("rows.txt", "one\ntwo\nthree\nfour\n");
        let run = ["batch", "rows.txt", "{{ line }}", "-m", "cheap", "--fallback", "strong", "--out", "o.jsonl"];
        let outcome = home.llm(run).args(["--concurrency", "1"]).output();
        outcome.says("to go on: ").says(said);
        assert_eq!(gateway.requests().len(), asked, "{outcome}");
    }
}

#[test]
fn a_row_whose_further_try_does_not_fit_the_limit_is_asked_when_the_batch_goes_on() {
    let gateway = Gateway::by(|request| match request.index {
        0 => Reply::silence().close(),
        _ => Reply::sse().role().text("ok").finish("stop").usage(1, 10).done(),
    });
    let price = "[price.\"*\"]\ninput = 0\noutput = 100000\n";
    let home = Home::with(&gateway).config(price);
    home.file("rows.txt", "one\ntwo\n");
    let run = ["batch", "rows.txt", "{{ line }}", "--out", "o.jsonl", "--max-tokens", "10", "--concurrency", "1"];
    let outcome = home.llm(run).args(["--max-cost", "1.5"]).output();
    outcome.says("to go on: ");
    assert_eq!(gateway.requests().len(), 1, "it may have cost $1, and so may another try: {outcome}");
    home.llm(run).args(["--max-cost", "9", "--resume"]).output().exits(0);
    let lines = std::fs::read_to_string(home.path().join("o.jsonl")).expect("lines");
    assert_eq!(lines.matches("\"ok\"").count() / 2, 2, "{lines}");
}

#[test]
fn a_fallback_that_is_not_tried_is_told_once_for_all_rows() {
    let gateway = Gateway::always(Reply::sse().role().text("cut").finish("length").done());
    let home = Home::with(&gateway);
    home.file("rows.txt", "one\ntwo\nthree\n");
    let fallbacks = ["--fallback", "gpt-4.1", "--fallback", "gpt-5.2"];
    let outcome = home.llm(["batch", "rows.txt", "{{ line }}", "--out", "o.jsonl"]).args(fallbacks).output();
    outcome.exits(8);
    for name in ["gpt-4.1", "gpt-5.2"] {
        let told = format!("{name} is not tried: an answer that has begun is not replaced");
        assert_eq!(outcome.stderr().matches(&told).count(), 1, "{outcome}");
    }
}
