//! Budgets, allow-lists and `--max-cost`: what may cost too much is not sent.

use crate::support::{Gateway, Home, Reply};

/// An answer that costs a dollar at [`PRICE`].
fn dollar() -> Reply {
    Reply::sse().role().text("Hello.").finish("stop").usage(1, 10).done()
}

/// A token of answer costs ten cents.
const PRICE: &str = "[price.\"*\"]\ninput = 0\noutput = 100000\n";

fn home(gateway: &Gateway, config: &str) -> Home {
    Home::with(gateway).config(&format!("{config}\n{PRICE}"))
}

const ASK: [&str; 4] = ["ask", "--max-tokens", "10", "hi"];

#[test]
fn a_budget_that_is_spent_is_5_and_says_what_is_left_and_until_when() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "[[budget]]\nlimit = 2.5\nper = \"day\"\n");
    home.llm(ASK).output().exits(0).never_says("set aside");
    home.llm(ASK).output().exits(0).never_says("set aside");
    let outcome = home.llm(ASK).output();
    outcome.exits(5).prints("").says("budget of $2.50 a day for everything: $0.50 left").says("it begins anew at ");
    assert_eq!(gateway.requests().len(), 2);
    let record = home.llm(ASK).args(["-o", "json"]).output().exits(5).json();
    assert_eq!((&record["status"], &record["error"]["kind"]), (&"refused".into(), &"refused".into()));
}

#[test]
fn a_budget_is_for_what_it_matches() {
    let gateway = Gateway::by(|_| dollar());
    let config = "[[budget]]\nlimit = 0\nper = \"hour\"\nmatch = { model = \"claude-*\", tag.app = \"bot\" }\n\
                  [[budget]]\nlimit = 0\nper = \"month\"\nmatch = { model = \"watched\" }\naction = \"warn\"\n\
                  [[budget]]\nlimit = 0\nper = \"week\"\nmatch = { task = \"toys\" }\n[task]\ntoys = \"plain\"\n";
    let home = home(&gateway, config);
    let ask = |more: &[&str]| home.llm(ASK).args(more.iter().copied()).output();
    ask(&["-m", "anthropic/claude-x", "--tag", "app=bot"]).exits(5);
    ask(&["-m", "anthropic/claude-x", "--tag", "app=other"]).exits(0);
    ask(&["-m", "watched"]).exits(0).says("budget of $0.00 a month for model watched");
    ask(&["-t", "toys"]).exits(5);
    ask(&["-m", "plain"]).exits(0);
}

#[test]
fn a_refusal_is_the_users_to_mend_and_no_reason_to_try_another_model() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "[allow]\nLLM_API_KEY = [\"gpt-*-mini\"]\n");
    let outcome = home.llm(ASK).args(["-m", "gpt-5.4", "--fallback", "gpt-5.4-mini"]).output();
    outcome.exits(5).says("the key LLM_API_KEY may not be used for gpt-5.4");
    assert!(gateway.requests().is_empty());
    home.llm(ASK).args(["-m", "openai/gpt-5.4-mini"]).output().exits(0);
}

#[test]
fn a_tool_with_a_model_of_its_own_is_refused_where_a_key_may_use_some_models_only() {
    let gateway = Gateway::by(|_| dollar());
    let free = home(&gateway, "");
    let limited = home(&gateway, "[allow]\nLLM_API_KEY = [\"test-*\"]\n");
    for parameter in [
        r#"tools=[{"type":"image_generation","model":"dear"}]"#,
        r#"plugins=[{"id":"auto-router","allowed_models":["dear"]}]"#,
    ] {
        limited.llm(ASK).args(["-p", parameter]).output().exits(5).says("names a model of its own");
        free.llm(ASK).args(["-p", parameter]).output().exits(0);
    }
    assert_eq!(gateway.requests().len(), 2);
    limited.llm(ASK).args(["-p", r#"tools=[{"type":"web_search"}]"#]).output().exits(0);
    for name in ["test-model@preset/dear", "test-model,dear"] {
        limited.llm(ASK).args(["-m", name]).output().exits(5).says("a model that no limit knows of");
    }
    for name in ["preset", "engine", "deployment_id", "fallback_models"] {
        limited.llm(ASK).args(["-p", &format!("{name}=dear")]).output().exits(2).says("-p cannot set");
    }
}

#[test]
fn a_command_costs_no_more_than_it_may() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "");
    home.llm(ASK).args(["--max-cost", "0.99"]).output().exits(5).says("this call may cost up to $1.00");
    home.llm(ASK).args(["--max-cost", "1"]).output().exits(0);
    home.llm(["ask", "hi", "--max-cost", "1"]).output().exits(5).says("--max-tokens sets a limit");
    home.llm(ASK).args(["--max-cost", "cheap"]).output().exits(2);
    let arguments = ["compare", "-m", "a,b,c", "--max-tokens", "10", "--max-cost", "2", "hi"];
    home.llm(arguments).output().exits(8);
    assert_eq!(gateway.requests().len(), 3);
}

// L05
#[cfg(unix)]
#[test]
fn many_processes_at_once_never_spend_more_than_the_budget() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "[[budget]]\nlimit = 10\nper = \"total\"\n");
    // Those that are refused end with 5, which is no failure of the script.
    let script = "seq 32 | xargs -P 32 -I{} sh -c '\"$llm\" ask --max-tokens 10 hi -q || [ $? = 5 ]'";
    home.shell(script).output().exits(0);
    assert_eq!(gateway.requests().len(), 10);
    home.llm(ASK).output().exits(5).says("$0.00 left");
}

// L06
#[cfg(target_os = "linux")]
#[test]
fn what_a_process_was_killed_for_counts_once_it_was_sent() {
    let gateway = Gateway::by(|request| if request.prompt() == "hang" { Reply::silence().hold() } else { dollar() });
    let home = home(&gateway, "[[budget]]\nlimit = 3\nper = \"total\"\n");
    for sent in 1..=3 {
        let hanging = home.llm(["ask", "--max-tokens", "10", "hang"]).start();
        gateway.await_requests(sent);
        hanging.signal(rustix::process::Signal::KILL);
        hanging.finish();
    }
    for _ in 0..3 {
        home.llm(ASK).output().exits(5).says("$0.00 left");
    }
    assert_eq!(gateway.requests().len(), 3);
    let balance = &home.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json()[0];
    let sums = ["spent_usd", "estimated_usd", "stale_usd", "reserved_usd", "left_usd"];
    assert_eq!(sums.map(|name| balance[name].to_string()), ["3", "3", "3", "0", "0"]);
}

// L06
#[cfg(unix)]
#[test]
fn a_process_that_is_killed_while_it_waits_for_its_next_try_has_nothing_reserved() {
    let busy = || Reply::error_with(429, &[("retry-after", "50")], "slow down");
    let gateway = Gateway::in_turn([busy(), dollar()]);
    let home = home(&gateway, "[[budget]]\nlimit = 1\nper = \"total\"\n");
    let waiting = home.llm(ASK).start();
    waiting.await_stderr("429");
    let reserved =
        || home.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json()[0]["reserved_usd"].clone();
    // The refusal is settled while the process waits.
    while reserved() != 0 {}
    waiting.signal(rustix::process::Signal::KILL);
    waiting.finish();
    home.llm(ASK).output().exits(0);
}

/// Holds the ledger's lock until it is dropped.
#[cfg(target_os = "linux")]
struct Lock {
    _connection: rusqlite::Connection,
}

#[cfg(target_os = "linux")]
impl Lock {
    fn new(home: &Home) -> Self {
        let connection = rusqlite::Connection::open(home.ledger()).expect("the ledger");
        connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        Self { _connection: connection }
    }

    /// Waits until the process has the ledger open, after which nothing but the lock keeps it from going on.
    fn await_waiter(&self, process: &crate::support::process::Running, home: &Home) {
        let began = std::time::Instant::now();
        let files = format!("/proc/{}/fd", process.id());
        let ledger = home.ledger().canonicalize().expect("the ledger");
        let is_open = || {
            let files = std::fs::read_dir(&files).expect("the process lives");
            files.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|path| path == ledger))
        };
        while !is_open() {
            assert!(began.elapsed() < crate::support::process::PATIENCE, "the ledger is never opened");
            std::thread::yield_now();
        }
    }
}

// L06
#[cfg(target_os = "linux")]
#[test]
fn a_process_that_is_killed_before_it_sends_has_nothing_reserved() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "[[budget]]\nlimit = 2\nper = \"total\"\n");
    home.llm(ASK).output().exits(0);
    let lock = Lock::new(&home);
    let waiting = home.llm(ASK).start();
    lock.await_waiter(&waiting, &home);
    waiting.signal(rustix::process::Signal::KILL);
    waiting.finish();
    drop(lock);
    home.llm(ASK).output().exits(0);
    home.llm(ASK).output().exits(5).says("$0.00 left");
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_waits_for_a_locked_ledger_ends_when_it_is_interrupted() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "[[budget]]\nlimit = 2\nper = \"total\"\n");
    home.llm(ASK).output().exits(0);
    let lock = Lock::new(&home);
    let waiting = home.llm(ASK).args(["--log", "off"]).start();
    lock.await_waiter(&waiting, &home);
    let began = std::time::Instant::now();
    waiting.signal(rustix::process::Signal::INT);
    waiting.finish().dies_by(rustix::process::Signal::INT.as_raw());
    assert!(began.elapsed() < std::time::Duration::from_secs(1), "{:?}", began.elapsed());
    drop(lock);
    home.llm(ASK).output().exits(0);
    assert_eq!(gateway.requests().len(), 2);
}

/// What `unshare` needs to run a program in a PID namespace of its own; `None` where that is not permitted.
#[cfg(target_os = "linux")]
fn other_namespace() -> Option<&'static str> {
    let command = "unshare --pid --fork --kill-child";
    let permitted = std::process::Command::new("sh").args(["-c", &format!("{command} true 2>&1")]).output();
    permitted.is_ok_and(|output| output.status.success()).then_some(command)
}

#[cfg(target_os = "linux")]
#[test]
#[expect(clippy::print_stdout, reason = "the one who runs the tests should know what was not tested")]
fn a_process_of_another_pid_namespace_is_not_taken_for_dead() {
    let Some(unshare) = other_namespace() else {
        println!("skipped: making a PID namespace takes root and `unshare`");
        return;
    };
    let gateway = Gateway::by(|request| if request.prompt() == "hang" { Reply::silence().hold() } else { dollar() });
    let home = home(&gateway, "[[budget]]\nlimit = 2\nper = \"total\"\n");
    let balance = |prefix: &str| {
        let shown = home.shell(&format!("{prefix} $llm usage --budgets -o json")).output().exits(0).json();
        ["reserved_usd", "stale_usd", "left_usd"].map(|name| shown[0][name].to_string())
    };
    let _inside = home.shell(&format!("{unshare} $llm ask --max-tokens 10 hang")).start();
    gateway.await_requests(1);
    let _outside = home.llm(["ask", "--max-tokens", "10", "hang"]).start();
    gateway.await_requests(2);
    for prefix in ["", unshare, &format!("{unshare} --mount-proc")] {
        assert_eq!(balance(prefix), ["2", "0", "0"], "{prefix}");
    }
    home.llm(ASK).output().exits(5).says("$0.00 left");
    home.shell(&format!("{unshare} $llm ask --max-tokens 10 hi")).output().exits(5);
    assert_eq!(gateway.requests().len(), 2);
}

#[test]
fn no_parameter_walks_around_a_limit() {
    let gateway = Gateway::by(|_| dollar());
    let budget = "[[budget]]\nlimit = 2\nper = \"total\"\n";
    let template = "[pipeline.p]\nsteps = [{ name = \"s\", prompt = \"{{ input }}\", max_tokens = 100000 }]\n";
    let limited = home(&gateway, &format!("{budget}{template}"));
    let free = home(&gateway, template);
    for way in [
        &["ask", "hi", "-p", "max_tokens=100000"][..],
        &["ask", "hi", "-p", "max_tokens=100000", "--max-tokens", "10"],
        &["ask", "hi", "-p", "max_completion_tokens=100000"],
        &["ask", "hi", "-p", "max_completion_tokens=100000", "--max-tokens", "10"],
        &["ask", "hi", "-p", "max_tokens=\"100000\"", "--max-tokens", "10"],
        &["ask", "hi", "-p", "max_tokens=1e5", "--max-tokens", "10"],
        &["ask", "hi", "-p", "n=50", "--max-tokens", "10"],
        &["compare", "-m", "a,b", "hi", "-p", "n=50", "--max-tokens", "10"],
        &["pipeline", "run", "p", "hi"],
    ] {
        limited.llm(way).output().exits(5).says("left, and this call may cost up to");
        free.llm(way).args(["--max-cost", "2"]).output().exits(5).says("left, and this call may cost up to");
    }
    // Some gateways read these as the fields that they look like.
    for name in ["Model", "MODELS", "me\u{17f}\u{17f}ages", " model", "extraBody"] {
        limited
            .llm(["ask", "hi", "--max-tokens", "10", "-p", &format!("{name}=x")])
            .output()
            .exits(2)
            .says("-p cannot set");
    }
    for parameter in ["Max_Tokens=100000", "max_to\u{212a}ens=100000", "N=50", "n=[50]", "n=\"5_0\""] {
        limited.llm(["ask", "hi", "--max-tokens", "10", "-p", parameter]).output().exits(5);
    }
    free.llm(["ask", "hi", "-p", "max_tokens=null", "--max-tokens", "10", "--max-cost", "2"])
        .output()
        .exits(5)
        .says("the answer may be of any length");
    // What is larger than any amount is no unknown price.
    let unpriced = |home: &Home, more: &[&str]| {
        home.llm(["ask", "hi", "-q", "--allow-unpriced"])
            .args(more)
            .output()
            .exits(5)
            .says("this call may cost up to $9223372");
    };
    for huge in ["1000000000000000", "18446744073709551615"] {
        unpriced(&limited, &["--max-tokens", huge]);
        unpriced(&free, &["--max-tokens", huge, "--max-cost", "2"]);
    }
    unpriced(&limited, &["--max-tokens", "10000", "-p", "n=1000000000"]);
    assert!(gateway.requests().is_empty());
    limited.llm(ASK).output().exits(0);
    free.llm(ASK).args(["--max-cost", "2"]).output().exits(0);
}

// L08
#[test]
fn a_field_that_may_cost_more_is_5_where_a_limit_applies_however_it_is_said() {
    let gateway = Gateway::by(|_| dollar());
    let field = "plugins = [{ id = \"web\" }]";
    let said = format!(
        "[template.t]\nprompt = \"{{{{ input }}}}\"\nmax_tokens = 10\nparams = {{ {field} }}\n\
         [pipeline.p]\nsteps = [{{ name = \"s\", prompt = \"{{{{ input }}}}\" }}]\n"
    );
    let budget = "[[budget]]\nlimit = 20\nper = \"total\"\n";
    let limited = home(&gateway, &format!("{budget}{said}"));
    let watched = home(&gateway, &format!("{budget}action = \"warn\"\n{said}"));
    let free = home(&gateway, &said);
    let parameter = &["-p", "plugins=[{\"id\":\"web\"}]", "--max-tokens", "10"][..];
    for (way, parameters) in [
        (&["ask", "hi"][..], parameter),
        (&["ask", "hi", "-T", "t"], &[]),
        (&["compare", "-m", "a,b", "hi"], parameter),
        (&["compare", "-m", "a", "hi", "-T", "t"], &[]),
        (&["pipeline", "run", "p", "hi"], parameter),
        (&["batch", "-"], parameter),
        (&["batch", "-", "-T", "t"], &[]),
        (&["chat"], parameter),
    ] {
        let run = |home: &Home, more: &[&str]| {
            home.llm(way).args(parameters.iter().chain(more).copied()).stdin("hi\n").output()
        };
        let before = gateway.requests().len();
        for refused in [run(&limited, &[]), run(&free, &["--max-cost", "9"])] {
            let told = refused.exits(5).stderr() + &refused.stdout();
            assert!(told.contains("nobody knows what a request with `plugins` costs"), "{way:?}: {told}");
        }
        assert_eq!(gateway.requests().len(), before, "{way:?}");
        for sent in [
            run(&limited, &["--allow-unpriced"]),
            run(&free, &["--max-cost", "9", "--allow-unpriced"]),
            run(&watched, &[]),
            run(&free, &[]),
        ] {
            sent.exits(0);
        }
        let requests = gateway.requests();
        assert!(requests.len() >= before + 4, "{way:?}");
        assert!(requests[before..].iter().all(|request| request.json()["plugins"][0]["id"] == "web"), "{way:?}");
    }
    // What was sent all the same is counted by its tokens.
    let balance = &limited.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json()[0];
    assert_eq!(balance["spent_usd"], 9);
    for harmless in ["service_tier=flex", "top_k=4", "user=me", "logit_bias={}", "plugins=null"] {
        limited.llm(ASK).args(["-p", harmless]).output().exits(0);
    }
    for costly in ["service_tier=priority", "web_search_options={}", "provider={\"sort\":\"latency\"}", "of_tomorrow=1"]
    {
        limited.llm(ASK).args(["-p", costly]).output().exits(5).says("or say --allow-unpriced");
    }
}

#[test]
fn a_named_budget_keeps_what_it_has_spent_when_its_match_changes() {
    let gateway = Gateway::by(|_| dollar());
    let home = home(&gateway, "[[budget]]\nname = \"all\"\nlimit = 1\nper = \"total\"\n");
    home.llm(ASK).output().exits(0);
    let changed = "[[budget]]\nname = \"all\"\nlimit = 1\nper = \"total\"\nmatch = { model = \"test-*\" }\n";
    let home = home.config(&format!("{changed}{PRICE}"));
    home.llm(ASK).output().exits(5).says("budget of $1.00 in total for model test-* (all): $0.00 left");
    let home =
        home.config(&format!("[[budget]]\nlimit = 1\nper = \"day\"\n{PRICE}\n[[budget]]\nlimit = 2\nper = \"day\"\n"));
    home.llm(ASK).output().exits(3).says("llm.toml:8: ").says("the budget in line 1 has the same `per` and `match`");
}

// L11
#[cfg(unix)]
#[test]
fn a_call_that_was_interrupted_counts_as_what_was_set_aside() {
    let gateway = Gateway::always(Reply::sse().role().text("Half").hold());
    let home = home(&gateway, "[[budget]]\nlimit = 1.5\nper = \"total\"\n");
    let running = home.llm(ASK).start();
    running.await_stdout("Half");
    running.signal(rustix::process::Signal::TERM);
    running.finish();
    home.llm(ASK).output().exits(5).says("$0.50 left");
}

#[test]
fn calls_that_count_as_nothing_are_told_below_the_budgets() {
    let gateway = Gateway::by(|_| Reply::stream(&["Hello."]));
    for (action, more) in [("warn", None), ("refuse", Some("--allow-unpriced"))] {
        let home =
            Home::with(&gateway).config(&format!("[[budget]]\nlimit = 5\nper = \"day\"\naction = \"{action}\"\n"));
        let text = || home.llm(["usage", "--budgets"]).output().exits(0).never_says("recorded").stdout();
        assert!(!text().contains("unknown"), "{}", text());
        home.llm(["ask", "-m", "unpriced", "hi"]).args(more).output().exits(0);
        assert!(text().contains("\n1 call has a cost that is unknown"), "{}", text());
    }
}

#[test]
fn the_warning_of_a_budget_names_the_model_and_its_gateway_where_two_have_it() {
    let gateway = Gateway::by(|_| dollar());
    let table = |name| format!("[gateway.{name}]\nbase_url = \"{}\"\nauth = \"none\"\n", gateway.base_url());
    let budget = "[[budget]]\nlimit = 0.1\nper = \"total\"\naction = \"warn\"\nmatch = { gateway = \"two\" }\n";
    let price = "[price.m]\ninput = 10000\noutput = 100000\n";
    let home = Home::new().config(&format!("{}{}{budget}{price}", table("one"), table("two")));
    let outcome = home.llm(["compare", "-m", "one::m,two::m", "--max-tokens", "10", "hi"]).output();
    outcome.exits(0).says("two::m: budget of $0.10").never_says("one::m: budget");
}

// L17
#[cfg(unix)]
#[test]
fn prices_that_others_could_have_put_there_let_nothing_pass() {
    use std::os::unix::fs::PermissionsExt;

    let list = r#"{"object":"list","data":[{"id":"m","pricing":{"prompt":"0.000001","completion":"0.000001"}}]}"#;
    let gateway = Gateway::by(move |request| match request.method.as_str() {
        "GET" => Reply::with_headers(200, &[("content-type", "application/json")], list),
        _ => dollar(),
    });
    let home = Home::with(&gateway);
    let ask = || home.llm(["ask", "-m", "m", "--max-tokens", "10", "--max-cost", "1", "hi"]).output();
    home.llm(["models"]).output().exits(0);
    ask().exits(0).never_says("is not read");
    let lists = home.path().join("data/cache/models");
    std::fs::set_permissions(&lists, std::fs::Permissions::from_mode(0o777)).expect("ours");
    ask().exits(5).says("with its prices, is not read").says("can be written to by every user");
    home.llm(["models"]).output().exits(0).says("could not be kept for later");
}

// L06
#[cfg(target_os = "linux")]
#[test]
fn what_is_left_of_each_budget_can_be_looked_at() {
    let gateway = Gateway::by(|request| if request.prompt() == "hang" { Reply::silence().hold() } else { dollar() });
    let config = "[[budget]]\nlimit = 5\nper = \"day\"\n\
                  [[budget]]\nlimit = 2\nper = \"total\"\nmatch = { model = \"x-*\", tag.app = \"bot\" }\naction = \"warn\"\n";
    let home = home(&gateway, config);
    let balances = || home.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json();
    assert_eq!((&balances()[0]["spent_usd"], &balances()[0]["left_usd"]), (&0.into(), &5.into()));
    assert!(!home.files().iter().any(|path| path.ends_with("ledger.db")), "looking makes nothing");
    home.llm(ASK).output().exits(0);
    let hanging = home.llm(["ask", "--max-tokens", "10", "hang"]).start();
    gateway.await_requests(2);
    let text = home.llm(["usage", "--budgets"]).output().exits(0).stdout();
    assert!(text.contains("$5.00 a day for") && text.contains("$3.00"), "{text}");
    let day = |balances: &serde_json::Value| {
        ["spent_usd", "reserved_usd", "stale_usd", "left_usd"].map(|name| balances[0][name].to_string())
    };
    assert_eq!(day(&balances()), ["1", "1", "0", "3"]);
    hanging.signal(rustix::process::Signal::KILL);
    hanging.finish();
    let found = balances();
    assert_eq!(day(&found), ["2", "0", "1", "3"], "what a process that is gone had reserved is as good as spent");
    assert!(found[0]["resets_at"].as_str().is_some_and(|at| at.ends_with("T00:00:00Z")), "{found}");
    assert_eq!((&found[1]["resets_at"], &found[1]["action"]), (&().into(), &"warn".into()));
    assert_eq!(found[1]["match"]["tag"]["app"], "bot");
    let csv = home.llm(["usage", "--budgets", "-o", "csv"]).output().exits(0).stdout();
    assert_eq!(csv.lines().count(), 3, "{csv}");
    home.llm(["usage", "--budgets", "-o", "html"]).output().exits(2);
    home.llm(["usage", "--budgets", "--by", "key"]).output().exits(2);
}

// L07
#[test]
fn what_cost_more_than_was_set_aside_is_told_and_the_next_call_is_refused() {
    let gateway = Gateway::by(|_| Reply::sse().role().text("Hello.").finish("stop").usage(1, 100).done());
    let home = home(&gateway, "[[budget]]\nlimit = 5\nper = \"total\"\n");
    home.llm(ASK).output().exits(0).says("cost $10.00, more than the $1.00 set aside for it");
    home.llm(ASK).output().exits(5).says("$0.00 left");
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn the_pages_of_a_pdf_are_set_aside() {
    let gateway = Gateway::by(|_| dollar());
    let budget = "[[budget]]\nlimit = 5\nper = \"day\"\n[price.\"*\"]\ninput = 1000\noutput = 0\n";
    let home = Home::with(&gateway).config(budget);
    let pages = "<</Type/Page>>".repeat(4);
    let pdf = home.file("four.pdf", format!("%PDF-1.4\n{pages}<</Type/Pages/Count 4>>"));
    home.llm(ASK).arg("-f").arg(pdf).output().exits(5).says("this call may cost up to $6.");
    home.llm(ASK).output().exits(0);
    assert_eq!(gateway.requests().len(), 1);
}

// L08
#[test]
fn a_price_that_nobody_knows_is_5_where_a_budget_applies() {
    let gateway = Gateway::by(|_| dollar());
    let home = Home::with(&gateway).config("[[budget]]\nlimit = 5\nper = \"day\"\n");
    home.llm(ASK).output().exits(5).says("nobody knows what test-model costs").says("--allow-unpriced");
    assert!(gateway.requests().is_empty());
    home.llm(ASK).args(["--allow-unpriced"]).output().exits(0);
}

// L11, H33
#[test]
fn a_lost_reply_counts_as_what_was_set_aside_and_makes_the_cost_a_lower_bound() {
    let gateway = Gateway::in_turn([Reply::silence().close(), dollar()]);
    let home = home(&gateway, "[[budget]]\nlimit = 5\nper = \"total\"\n");
    let record = home.llm(ASK).args(["-o", "json"]).output().exits(0).json();
    assert_eq!(record["cost"], serde_json::json!({"usd": 1, "origin": "config", "partial": true}));
    assert_eq!((&record["attempts"][0]["maybe_billed"], &record["attempts"][0]["cost"]), (&true.into(), &().into()));
    let left = home.llm(["usage", "--budgets", "-o", "json"]).output().json();
    assert_eq!([&left[0]["spent_usd"], &left[0]["estimated_usd"]].map(ToString::to_string), ["2", "1"]);
    let shown = home.llm(["log", "show"]).env("COLUMNS", "160").output().exits(0).stdout();
    assert!(shown.contains("≥$1.00") && shown.contains("may be billed all the same"), "{shown}");
    let summed = home.llm(["usage", "-o", "json"]).output().json();
    assert_eq!(summed["total"]["cost"]["unknown"], 1, "{summed}");
}

#[test]
fn an_answer_that_ends_before_its_first_word_counts_as_set_aside_or_as_what_it_told() {
    for (reply, left) in [
        (Reply::sse_until_close(), "$9.00 left"),
        (Reply::sse_until_close().role(), "$9.00 left"),
        (Reply::error(408, "too slow"), "$9.00 left"),
        (Reply::error(504, "too slow"), "$9.00 left"),
        (Reply::sse_until_close().role().usage(1, 50).text("Half"), "$5.00 left"),
    ] {
        let gateway = Gateway::always(reply.close());
        let home = home(&gateway, "[[budget]]\nlimit = 10\nper = \"total\"\n");
        home.llm(ASK).args(["--retries", "0"]).output();
        let record = home.llm(["log", "show", "-o", "json"]).output().exits(0).json();
        assert_eq!(record["attempts"][0]["maybe_billed"], true, "{record}");
        home.llm(["ask", "--max-tokens", "101", "hi"]).output().exits(5).says(left);
    }
}

#[test]
fn a_failure_that_says_what_it_took_counts_as_that() {
    let told = |status: u16| {
        let usage = serde_json::json!({"prompt_tokens": 1, "completion_tokens": 50});
        Reply::json(status, &serde_json::json!({"error": {"message": "boom"}, "usage": usage}))
    };
    for (reply, left) in [
        (Reply::error(500, "boom"), "$10.00 left"),
        (told(400), "$5.00 left"),
        (told(500), "$5.00 left"),
        (told(504), "$5.00 left"),
    ] {
        let gateway = Gateway::always(reply);
        let home = home(&gateway, "[[budget]]\nlimit = 10\nper = \"total\"\n");
        home.llm(ASK).args(["--retries", "0"]).output();
        home.llm(["ask", "--max-tokens", "101", "hi"]).output().exits(5).says(left);
    }
}

// L11
#[cfg(unix)]
#[test]
fn what_was_told_before_an_answer_was_stopped_is_a_lower_bound_and_the_budget_counts_all_that_was_set_aside() {
    let gateway = Gateway::always(Reply::sse().role().usage(1, 1).text("Half").hold());
    let home = home(&gateway, "[[budget]]\nlimit = 1.5\nper = \"total\"\n");
    let running = home.llm(ASK).start();
    running.await_stdout("Half");
    running.signal(rustix::process::Signal::TERM);
    running.finish();
    let record = home.llm(["log", "show", "-o", "json"]).output().exits(0).json();
    assert_eq!(record["cost"], serde_json::json!({"usd": 0.1, "origin": "config", "partial": true}));
    assert_eq!(record["attempts"][0]["maybe_billed"], true);
    let summed = home.llm(["usage", "-o", "json"]).output().json();
    assert_eq!(summed["total"]["cost"]["unknown"], 1, "{summed}");
    home.llm(ASK).output().exits(5).says("$0.50 left");
}

#[cfg(feature = "postgres")]
#[test]
fn a_command_answers_without_the_store_that_servers_share_but_not_under_a_budget() {
    let gateway = Gateway::by(|_| dollar());
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let store = format!("postgres://llm:a-word-of-the-store@{address}/llm");
    let home = home(&gateway, "");
    let outcome = home.llm(ASK).env("LLM_STORE_URL", &store).output();
    outcome.exits(0).prints("Hello.\n").says("calls wait in").never_says("a-word-of-the-store");
    assert_eq!(home.log().len(), 1, "the ledger of the user has the call as well");
    let budget = home.config(&format!("[[budget]]\nlimit = 9\nper = \"day\"\n{PRICE}"));
    let outcome = budget.llm(ASK).env("LLM_STORE_URL", &store).output();
    outcome.exits(5).prints("").says("cannot be used").never_says("a-word-of-the-store");
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn a_list_that_prices_the_text_of_a_model_does_not_price_its_pictures() {
    let row = |id: &str, writes: &str| {
        serde_json::json!({"id": id, "architecture": {"input_modalities": ["text"], "output_modalities": writes.split('+').collect::<Vec<_>>()},
                           "pricing": {"prompt": "0.000001", "completion": "0.00001"}})
    };
    let list = serde_json::json!({"data": [row("words", "text"), row("pictures", "text+image")]});
    let gateway = Gateway::by(move |request| if request.method == "GET" { Reply::json(200, &list) } else { dollar() });
    let home = Home::with(&gateway).config("[[budget]]\nlimit = 1\nper = \"day\"\n");
    home.llm(["models"]).output().exits(0);
    home.llm(ASK).args(["-m", "words"]).output().exits(0);
    home.llm(ASK).args(["-m", "pictures"]).output().exits(5).says("price");
}

#[test]
fn an_answer_that_cannot_be_read_counts_as_all_that_it_may_have_cost() {
    let whole = r#"{"choices":[{"index":0,"message":{"content":"all of it"},"finish_reason":"stop"}],"x":+1}"#;
    let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"all of it\"},\"finish_reason\":\"stop\",\"x\":+1}]}\n\n";
    let replies: [(i32, Reply); 4] = [
        (1, Reply::with_body(200, "text/plain", "All of it.")),
        (1, Reply::with_body(200, "application/json", whole)),
        (1, Reply::with_body(200, "application/json", format!("{} and more", whole.replace("+1", "1")))),
        (1, Reply::sse().bytes(event).done()),
    ];
    for (code, reply) in replies {
        let gateway = Gateway::by(move |_| reply.clone());
        let home = home(&gateway, "[[budget]]\nlimit = 2.5\nper = \"day\"\n");
        for _ in 0..2 {
            home.llm(ASK).output().exits(code);
        }
        home.llm(ASK).output().exits(5).says("$0.50 left");
        assert_eq!(gateway.requests().len(), 2);
    }
    let page = Gateway::always(Reply::with_body(200, "text/html", "\n<!doctype html><title>Sign in</title>"));
    let home = home(&page, "[[budget]]\nlimit = 2.5\nper = \"day\"\n");
    for _ in 0..3 {
        home.llm(ASK).output().exits(1);
    }
}

#[test]
fn what_an_error_says_that_it_cost_is_spent() {
    let billed =
        r#"{"error":{"message":"no","code":502},"usage":{"prompt_tokens":1,"completion_tokens":9,"cost":0.5}}"#;
    let gateway = Gateway::by(move |_| Reply::with_body(200, "application/json", billed));
    let home = home(&gateway, "[[budget]]\nlimit = 2\nper = \"day\"\n");
    for _ in 0..3 {
        home.llm(ASK).args(["--retries", "0"]).output().exits(6);
    }
    home.llm(ASK).output().exits(5).says("$0.50 left");
}
