//! Every resource that runs out at every point, and kills at every point: whatever fails, nothing is kept in part, nothing is
//! claimed wrongly, and no budget is exceeded.
//!
//! A command that sends prompts is swept once it is a line of [`COMMANDS`].

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Gateway, Home, Outcome, Reply};

/// A command that sends prompts.
struct Command {
    arguments: &'static str,
    /// What it reads from stdin.
    input: &'static str,
    /// How many requests it sends if all goes well.
    requests: usize,
    /// How many of them it sends before the first is answered.
    at_once: usize,
    /// The answers that it has shown as whole.
    answers: fn(&Outcome) -> Vec<String>,
}

const COMMANDS: [Command; 5] = [ASK, COMPARE, PIPELINE, BATCH, CHAT];

const ASK: Command =
    Command { arguments: "ask --retries 0 --max-tokens 10 hi", input: "", requests: 1, at_once: 1, answers: printed };

const COMPARE: Command = Command {
    arguments: "compare -m a,b,c --retries 0 --max-tokens 10 -o json hi",
    input: "",
    requests: 3,
    at_once: 3,
    answers: whole,
};

const PIPELINE: Command = Command {
    arguments: "pipeline run p --retries 0 --max-tokens 10 -o json hi",
    input: "",
    requests: 2,
    at_once: 1,
    answers: whole,
};

const BATCH: Command = Command {
    arguments: "batch - --retries 0 --max-tokens 10",
    input: "one\ntwo\nthree\n",
    requests: 3,
    at_once: 3,
    answers: lines,
};

const CHAT: Command = Command {
    arguments: "chat --retries 0 --max-tokens 10",
    input: "one\ntwo\n",
    requests: 2,
    at_once: 1,
    answers: turns,
};

const CONFIG: &str = r#"
[pipeline.p]
steps = [{ name = "draft", prompt = "{{ input }}" }, { name = "final", prompt = "Improve {{ draft | length }}." }]
"#;

/// A call of ten tokens costs a dollar at most, and just that if it is answered.
const BUDGET: &str = "[[budget]]\nlimit = 100\nper = \"day\"\n[price.\"*\"]\ninput = 0\noutput = 100000\n";

/// stdout is the answer if the command says that all went well.
fn printed(outcome: &Outcome) -> Vec<String> {
    let stdout = outcome.stdout();
    if outcome.code() == Some(0) { vec![stdout.strip_suffix('\n').unwrap_or(&stdout).to_owned()] } else { Vec::new() }
}

/// The text of every record that is called `ok` in a document on stdout. A command that could not start prints none.
fn whole(outcome: &Outcome) -> Vec<String> {
    if outcome.stdout.is_empty() || outcome.code() == Some(74) {
        assert_ne!(outcome.code(), Some(0), "{outcome}");
        return Vec::new();
    }
    let document = outcome.json();
    let records = document["answers"].as_array().or_else(|| document["steps"].as_array()).expect("a list of records");
    let ok = records.iter().filter(|record| record["status"] == "ok");
    ok.map(|record| record["text"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The text of every line of a batch that is called `ok`.
fn lines(outcome: &Outcome) -> Vec<String> {
    let stdout = outcome.stdout();
    // Only a batch that failed may have been stopped in a line.
    let whole =
        stdout.lines().map(serde_json::from_str::<Value>).filter(|line| outcome.code() == Some(0) || line.is_ok());
    let lines = whole.map(|line| line.expect("a line of JSON"));
    lines
        .filter(|line| line["status"] == "ok")
        .map(|line| line["text"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Every answer of a chat that says that all went well is a line.
fn turns(outcome: &Outcome) -> Vec<String> {
    if outcome.code() == Some(0) { outcome.stdout().lines().map(str::to_owned).collect() } else { Vec::new() }
}

fn answer(text: &str) -> Reply {
    Reply::sse().role().text(text).finish("stop").usage(1, 10).done()
}

/// The calls in the ledger that have been answered, if there is a ledger. Fails the test where it is damaged or holds a call in part.
#[track_caller]
fn recorded(home: &Home, about: &str) -> BTreeSet<String> {
    if !home.ledger().exists() {
        return BTreeSet::new();
    }
    let database = Connection::open(home.ledger()).expect("a database");
    let check: String = database.pragma_query_value(None, "quick_check", |row| row.get(0)).expect(about);
    assert_eq!(check, "ok", "{about}");
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0)).expect(about);
    if version == 0 {
        return BTreeSet::new();
    }
    let sql = "SELECT (SELECT count(*) FROM calls) - (SELECT count(*) FROM details)";
    let in_part: i64 = database.query_row(sql, [], |row| row.get(0)).expect(about);
    assert_eq!(in_part, 0, "{about}: a call is recorded whole or not at all");
    let mut calls = database.prepare("SELECT id FROM calls WHERE status = 'ok'").expect(about);
    let calls = calls.query_map([], |row| row.get(0)).expect(about);
    calls.collect::<Result<_, _>>().expect(about)
}

/// What must hold after each process, whatever it was short of.
#[track_caller]
fn holds(home: &Home, command: &Command, gateway: &Gateway, outcome: &Outcome, text: &str, limit: &str) {
    let about = format!("{limit}: {}: {}", command.arguments, outcome.stderr());
    assert_ne!(outcome.code(), Some(101), "{about}");
    let answers = (command.answers)(outcome);
    assert!(answers.iter().all(|answer| answer == text), "{about}: no part of an answer is called the answer");
    if outcome.code() == Some(0) {
        assert_eq!(answers.len(), command.requests, "{about}");
    }
    let sent = gateway.requests().len();
    assert!(sent <= command.requests, "{about}: {sent} requests");
    if outcome.code() == Some(5) {
        assert!(sent < command.requests, "{about}: refused, and sent all the same");
    }
    assert!(recorded(home, &about).len() <= sent, "{about}");
}

/// Runs the command once within each limit of the shell, in a home that is fresh each time; the exit codes.
fn sweep(command: &Command, limits: impl IntoIterator<Item = String>, config: &str, text: &str) -> Vec<Option<i32>> {
    let mut codes = Vec::new();
    let mut before = None;
    for limit in limits {
        let gateway = Gateway::always(answer(text));
        let home = Home::with(&gateway).config(&format!("{config}{CONFIG}"));
        let outcome =
            home.shell(&format!("{limit} && exec \"$llm\" {}", command.arguments)).stdin(command.input).output();
        holds(&home, command, &gateway, &outcome, text, &limit);
        // With enough of everything the next one finds all in order. What ended like the one before has left the same behind.
        let end = Some((outcome.code(), outcome.stderr()));
        if end != before {
            home.llm(ASK.arguments.split(' ')).output().exits(0);
            home.llm(["log", "-o", "json"]).output().exits(0);
            before = end;
        }
        codes.push(outcome.code());
    }
    codes
}

// P18, L12
#[test]
fn files_that_cannot_grow_at_any_point_cost_no_answer() {
    let limits = |step| {
        (0..12).chain((12..300).step_by(16)).step_by(step).chain([4096]).map(|blocks| format!("ulimit -f {blocks}"))
    };
    for (command, step) in COMMANDS.iter().zip([1].into_iter().chain(std::iter::repeat(3))) {
        assert!(sweep(command, limits(step), "", "Hello.").iter().all(|code| *code == Some(0)));
        let codes = sweep(command, limits(step), BUDGET, "Hello.");
        // Where some calls are refused and others answered, the end is 8.
        assert!(codes.iter().all(|code| matches!(code, Some(0 | 5 | 8))), "{codes:?}");
        assert_eq!((codes.first(), codes.last()), (Some(&Some(5)), Some(&Some(0))), "both ends are met");
    }
}

// P18
#[test]
fn files_that_cannot_be_opened_at_any_point_are_an_error_or_no_loss() {
    let limits = || (4..32).map(|files| format!("ulimit -n {files}"));
    assert_eq!(sweep(&ASK, limits(), "", "Hello.").last(), Some(&Some(0)));
    for command in &COMMANDS {
        let codes = sweep(command, limits(), BUDGET, "Hello.");
        assert_eq!(codes.last(), Some(&Some(0)), "{codes:?}");
    }
}

// P14
#[test]
fn memory_that_ends_at_any_point_leaves_nothing_in_part() {
    // What an answer takes grows with it, so that memory ends in the middle of things.
    let text = "x".repeat(2 << 20);
    let megabytes = |sizes: Vec<u32>| sizes.into_iter().map(|size| format!("ulimit -d {}", size << 10));
    for command in &COMMANDS {
        // About 15 are enough for one request. How many that are depends on what the threads do at the same moment.
        let sizes = if command.requests == 1 {
            (4..20).chain([64]).collect()
        } else {
            (2..=8).map(|power| 1 << power).collect()
        };
        let codes = sweep(command, megabytes(sizes), BUDGET, &text);
        assert_eq!(codes.last(), Some(&Some(0)), "{codes:?}");
        assert_ne!(codes.first(), Some(&Some(0)), "{codes:?}");
    }
}

/// What of the only budget is spent and reserved, in dollars.
fn spent(home: &Home) -> (f64, f64) {
    let balance = &home.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json()[0];
    let sum = |name: &str| balance[name].as_f64().expect("a sum");
    (sum("spent_usd"), sum("reserved_usd"))
}

/// Every command is killed after each of its requests: before the answer, in it, and at moments in which it is taken, recorded and
/// settled.
// L04, L05, L06
#[test]
fn a_kill_at_any_point_spends_no_more_than_the_budget_and_loses_nothing_that_was_recorded() {
    let mut random = fastrand::Rng::with_seed(9);
    for command in &COMMANDS {
        // Enough for all that is killed, and for something after it.
        let limit = 13 * command.requests + 2;
        let arguments = || command.arguments.split(' ');
        let gateway = Gateway::by(|request| match request.header("x-phase") {
            Some("hang") => Reply::silence().hold(),
            Some("half") => Reply::sse().role().text("Hel").hold(),
            _ => answer("Hello."),
        });
        let config = format!("{}{CONFIG}", BUDGET.replace("100\n", &format!("{limit}\n")).replace("day", "total"));
        let phase = |phase: &str| {
            let base_url = gateway.base_url();
            format!("[gateway.env]\nbase_url = \"{base_url}\"\nheaders = {{ X-Phase = \"{phase}\" }}\n{config}")
        };
        let home = |name: &str, home: Home| home.config(&phase(name));
        let mut fresh = home(
            "",
            Home::with(&gateway)
                .env("LLM_GATEWAY", "env")
                .without_env("LLM_BASE_URL")
                .env("ENV_API_KEY", crate::support::KEY),
        );
        let mut known = BTreeSet::new();
        for (name, rounds) in [("hang", 1), ("half", 1), ("", 3)] {
            fresh = home(name, fresh);
            let reached = if name.is_empty() { command.requests } else { command.requests.min(2) };
            for sent in (1..=reached).flat_map(|sent| std::iter::repeat_n(sent, rounds)) {
                // What waits for one that hangs is never sent.
                let sent = if name.is_empty() { sent } else { sent.min(command.at_once) };
                let before = gateway.requests().len();
                let running = fresh.llm(arguments()).stdin(command.input).start();
                gateway.await_requests(before + sent);
                let end = Instant::now() + Duration::from_micros(random.u64(0..15_000));
                while Instant::now() < end {
                    std::hint::spin_loop();
                }
                running.signal(rustix::process::Signal::KILL);
                running.finish();
                let now = recorded(&fresh, command.arguments);
                assert!(known.is_subset(&now), "{}: a call is lost", command.arguments);
                known = now;
            }
        }
        let requests = gateway.requests().len();
        let (sum, reserved) = spent(&fresh);
        assert!(reserved == 0.0 && sum >= requests as f64, "{}: {requests} sent, ${sum} spent", command.arguments);
        // Whoever goes on spends what is left and no more.
        while fresh.llm(arguments()).stdin(command.input).output().code() == Some(0) {}
        let requests = gateway.requests().len();
        let (sum, reserved) = spent(&fresh);
        assert!(requests <= limit && sum <= limit as f64 && reserved == 0.0, "{}: {requests} sent", command.arguments);
        assert!(sum > (limit - command.requests) as f64, "{}: what is left can be spent", command.arguments);
        assert!(known.is_subset(&recorded(&fresh, command.arguments)));
    }
}
