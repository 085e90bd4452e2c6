//! Names of the config that lead to models: aliases, tasks, and what happens when a model fails.

use std::time::{Duration, Instant};

use crate::support::reply::{Step, chunk};
use crate::support::{Gateway, Home, KEY, Reply};

/// A home whose default gateway is this one, with this config besides.
fn home(gateway: &Gateway, config: &str) -> Home {
    Home::new().config(&format!(
        "gateway = \"house\"\n{config}\n[gateway.house]\nbase_url = \"{}\"\nauth = \"none\"\n",
        gateway.base_url()
    ))
}

fn models(gateway: &Gateway) -> Vec<String> {
    gateway.requests().iter().map(|request| request.model()).collect()
}

const REASONER: &str = "\
[alias.code-reasoner]
models = [\"deepseek-v4\", \"qwen-coder\"]
retries = 1
timeout = \"150ms\"
[task]
default = \"talker\"
coding = \"code-reasoner\"
";

#[test]
fn try_one_retry_it_once_when_it_times_out_then_the_other_and_keep_both() {
    let gateway = Gateway::by(|request| match &*request.model() {
        "deepseek-v4" => Reply::silence().hold(),
        _ => Reply::stream(&["Hello."]),
    });
    let home = home(&gateway, REASONER);
    let began = Instant::now();
    let outcome = home.llm(["ask", "-t", "coding", "-o", "json", "hi"]).output();
    assert!(began.elapsed() >= Duration::from_millis(300), "each try has its own time");
    outcome.exits(0).says("deepseek-v4: timed out, trying again").says("trying qwen-coder");
    let record = outcome.json();
    assert_eq!((&record["model"], &record["text"]), (&"code-reasoner".into(), &"Hello.".into()));
    assert_eq!(models(&gateway), ["deepseek-v4", "deepseek-v4", "qwen-coder"]);
    let attempts: Vec<_> =
        record["attempts"].as_array().into_iter().flatten().map(|a| (a["model"].clone(), a["kind"].clone())).collect();
    let attempt = |model: &str, kind: Option<&str>| (model.into(), kind.map(Into::into).unwrap_or_default());
    assert_eq!(
        attempts,
        [attempt("deepseek-v4", Some("timeout")), attempt("deepseek-v4", Some("timeout")), attempt("qwen-coder", None)]
    );
}

#[test]
fn an_answer_that_is_under_way_outlives_the_time_of_a_try() {
    let token = chunk(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n");
    let gateway = Gateway::always(Reply::sse().then(Step::Drip(token, Duration::from_millis(20))));
    let began = Instant::now();
    let arguments = ["ask", "-m", "code-reasoner", "--timeout", "500ms", "hi"];
    home(&gateway, REASONER).llm(arguments).output().exits(8).says("the call took longer than 0.5 s");
    assert!(began.elapsed() >= Duration::from_millis(500));
    assert_eq!(models(&gateway), ["deepseek-v4"]);
}

#[test]
fn a_task_without_a_name_is_the_default() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    home(&gateway, REASONER).llm(["ask", "hi"]).output().exits(0);
    assert_eq!(models(&gateway), ["talker"]);
}

#[test]
fn the_default_model_may_be_an_alias_or_a_task() {
    for (name, model) in [("code-reasoner", "deepseek-v4"), ("coding", "deepseek-v4"), ("other", "other")] {
        let gateway = Gateway::always(Reply::stream(&["Hello."]));
        home(&gateway, &format!("model = \"{name}\"\n{REASONER}")).llm(["ask", "hi"]).output().exits(0);
        assert_eq!(models(&gateway), [model]);
    }
}

#[test]
fn compare_takes_aliases_and_tasks_beside_models() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = home(&gateway, REASONER);
    let outcome = home.llm(["compare", "-m", "code-reasoner,plain", "-t", "default", "-o", "json", "hi"]).output();
    let answers = outcome.exits(0).json();
    let names: Vec<_> = answers["answers"].as_array().into_iter().flatten().map(|a| a["model"].clone()).collect();
    assert_eq!(names, ["code-reasoner", "plain", "talker"]);
}

#[test]
fn names_that_lead_nowhere_are_3_with_the_nearest() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let outcome = home(&gateway, REASONER).llm(["ask", "-t", "codign", "hi"]).output();
    outcome.exits(3).says("no task is called `codign`").says("did you mean `coding`?");
    let circle = "[alias.a]\nmodels = [\"b\"]\n[alias.b]\nmodels = [\"a\"]";
    home(&gateway, circle).llm(["ask", "-m", "m", "hi"]).output().exits(3).says("`a` → `b` → `a`");
    let unknown = "[alias.a]\nmodels = [\"huose::m\"]";
    home(&gateway, unknown).llm(["config", "check"]).output().exits(3).says("did you mean `house::m`?");
    assert!(gateway.requests().is_empty());
}

#[test]
fn the_cheapest_model_comes_first_by_the_prices_of_the_config() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let config = "[price.dear]\ninput = 5\noutput = 20\n[price.cheap]\ninput = 0.1\noutput = 0.2\n\
                  [alias.any]\nmodels = [\"unheard-of\", \"dear\", \"cheap\"]\nstrategy = \"cheapest\"\n";
    let home = home(&gateway, config);
    home.llm(["ask", "-m", "any", "hi"]).output().exits(0);
    assert_eq!(models(&gateway), ["cheap"]);
    let explained = home.llm(["config", "show", "--route", "any"]).output();
    let text = explained.exits(0).stdout();
    let order: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split("house::").nth(1)).collect();
    assert!(order[0].starts_with("cheap") && order[1].starts_with("dear"), "{text}");
    assert!(order[2].contains("price unknown"), "{text}");
}

#[test]
fn a_route_is_explained_with_its_patience() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let outcome = home(&gateway, REASONER).llm(["config", "show", "--route", "coding"]).output();
    outcome.exits(0).prints(
        "task coding → code-reasoner\n\
         code-reasoner is an alias, ordered\n  \
         1. house::deepseek-v4  0.15 s a try; 1 retry\n  \
         2. house::qwen-coder   0.15 s a try; 1 retry\n",
    );
    assert!(gateway.requests().is_empty());
}

// H43
#[test]
fn a_model_that_is_slow_to_begin_gets_company_and_is_left_when_the_other_speaks() {
    let gateway = Gateway::by(|request| match &*request.model() {
        "slow" => Reply::silence().hold(),
        _ => Reply::stream(&["Hello."]),
    });
    let config = "[alias.quick]\nmodels = [\"slow\", \"fast\"]\nhedge = \"50ms\"\n";
    let outcome = home(&gateway, config).llm(["ask", "-m", "quick", "-o", "json", "hi"]).output();
    let record = outcome.exits(0).says("slow: slow to begin, asking fast as well").json();
    gateway.await_left(1);
    assert_eq!((&record["text"], record["attempts"].as_array().map(Vec::len)), (&"Hello.".into(), Some(2)));
    assert_eq!(record["attempts"][0]["model"], "slow");
    assert_eq!((&record["attempts"][0]["maybe_billed"], &record["attempts"][1]["error"]), (&true.into(), &().into()));
}

// H43
#[cfg(unix)]
#[test]
fn a_race_that_is_interrupted_or_out_of_time_is_recorded_with_all_of_its_requests() {
    let gateway = Gateway::always(Reply::silence().hold());
    let config = "[alias.quick]\nmodels = [\"slow\", \"slower\"]\nhedge = \"20ms\"\n";
    let home = home(&gateway, config);
    let attempts = |record: &serde_json::Value| -> Vec<String> {
        let all = record["attempts"].as_array().into_iter().flatten();
        all.map(|attempt| format!("{} {} {}", attempt["model"], attempt["kind"], attempt["maybe_billed"])).collect()
    };
    let both = ["\"slow\" \"interrupted\" true", "\"slower\" \"interrupted\" true"];
    let running = home.llm(["ask", "-m", "quick", "-o", "json", "hi"]).start();
    gateway.await_requests(2);
    running.signal(rustix::process::Signal::INT);
    let record = running.finish().json();
    assert_eq!((&record["status"], attempts(&record)), (&"interrupted".into(), both.map(str::to_owned).to_vec()));
    let kept = home.llm(["log", "show", "-o", "json"]).output().json();
    assert_eq!(attempts(&kept), both);
    let outcome = home.llm(["ask", "-m", "quick", "--timeout", "150ms", "-o", "json", "hi"]).output();
    let record = outcome.exits(7).json();
    assert_eq!((&record["error"]["kind"], attempts(&record)), (&"timeout".into(), both.map(str::to_owned).to_vec()));
    assert_eq!(gateway.requests().len(), 4);
}

#[test]
fn a_gateway_is_asked_no_more_at_once_than_its_config_allows() {
    let gateway = Gateway::by(|_| Reply::silence().gate().and(Reply::unary("Hello.")));
    let config =
        format!("[gateway.house]\nbase_url = \"{}\"\nauth = \"none\"\nmax_concurrency = 2\n", gateway.base_url());
    let home = Home::new().config(&config);
    let running = home.llm(["compare", "-m", "a,b,c,d", "-o", "jsonl", "hi"]).start();
    gateway.await_gated(2);
    assert_eq!(gateway.requests().len(), 2);
    gateway.release();
    running.finish().exits(0);
    assert_eq!(gateway.requests().len(), 4);
}

#[test]
fn the_fastest_model_comes_first_by_what_the_ledger_knows() {
    let gateway = Gateway::by(|request| match &*request.model() {
        "slow" => Reply::sse().then(Step::Gate).text("Hello.").finish("stop").done(),
        _ => Reply::stream(&["Hello."]),
    });
    let home = home(&gateway, "[alias.any]\nmodels = [\"slow\", \"fast\"]\nstrategy = \"fastest\"\n");
    home.llm(["ask", "-m", "fast", "hi"]).output().exits(0);
    let running = home.llm(["ask", "-m", "slow", "hi"]).start();
    gateway.await_gated(1);
    // Slower than all of another command.
    home.llm(["ask", "-m", "fast", "hi"]).output().exits(0);
    gateway.release();
    running.finish().exits(0);
    let explained = home.llm(["config", "show", "--route", "any"]).output();
    let text = explained.exits(0).stdout();
    assert_eq!(text.matches("first token usually after").count(), 2, "{text}");
    assert!(text.contains("1. house::fast"), "{text}");
}

/// Every table of a config but its gateway, as documented.
const EVERYTHING: &str = r#"
log = "full"                       # full | metadata | off

[gateway.openrouter]               # a preset: only what differs
key_name = "team-a"
markup = 0.055                     # on top of list prices, where the gateway does not report its own cost

[gateway.corp]
base_url = "https://llm.corp.example/v1"
api = "openai-chat"
key_command = ["op", "read", "op://vault/llm/key"]
headers = { X-Team = "search" }
ca_file = "corp-ca.pem"
timeouts = { connect = "10s", first_token = "120s", idle = "60s", total = "600s" }

[alias.code-reasoner]              # try DeepSeek; on timeout retry once; then Qwen; log both
models = ["deepseek-v4", "qwen-coder"]
strategy = "ordered"               # ordered | cheapest | fastest | balanced
retries = 1
timeout = "30s"

[alias.fast-chat]
models = ["gpt-5.4-mini", "corp::llama-4"]
strategy = "balanced"
weights = [3, 1]
hedge = "800ms"

[task]
default = "fast-chat"
coding = "code-reasoner"

[set]
frontier = ["claude-sonnet-4-6", "gpt-5.4", "gemini-3.1-pro"]

[price."my-finetune"]              # USD per million tokens
input = 0.40
output = 1.60

[[budget]]
limit = 5.00
per = "day"                        # hour | day | week | month | total (UTC)
match = { key = "team-a", model = "claude-*", tag.app = "bot" }   # all given must match
action = "refuse"                  # refuse | warn

[allow]                            # models a key may use
"team-a" = ["gpt-*-mini", "deepseek-*"]

[cache]
enabled = false
ttl = "7d"
max_size = "256MiB"
"#;

#[test]
fn a_config_with_all_of_it_makes_sense() {
    let config = format!("gateway = \"openrouter\"\nmodel = \"fast-chat\"\n{EVERYTHING}");
    let home = Home::new().config(&config);
    home.llm(["config", "check"]).output().exits(0);
    home.llm(["config", "show"]).output().exits(0);
    let route = |name: &str| home.llm(["config", "show", "--route", name]).output().exits(0).stdout();
    let text = route("fast-chat");
    assert!(text.contains("first in 75 % of calls") && text.contains("corp::llama-4"), "{text}");
    let text = route("coding");
    assert!(text.contains("1. openrouter::deepseek-v4") && text.contains("2. openrouter::qwen-coder"), "{text}");
    assert_eq!(text.matches("30 s a try; 1 retry").count(), 2, "{text}");
    let text = route("frontier");
    assert!(text.starts_with("frontier is a set, for `llm compare --set frontier`: "), "{text}");
    assert!(route("frontire").ends_with("did you mean `frontier`?\n"));
    let elsewhere = home.llm(["config", "show", "--route", "x", "-g", "groq"]).output().exits(0).stdout();
    assert!(elsewhere.contains("1. groq::x"), "{elsewhere}");
}

#[test]
fn after_the_last_model_nothing_starts() {
    let config = "gateway = \"demo\"\n[alias.race]\nmodels = [\"a\", \"b\"]\nhedge = \"2s\"\n";
    let text = Home::new().config(config).llm(["config", "show", "--route", "race"]).output().exits(0).stdout();
    assert_eq!(text.matches("the next one starts as well").count(), 1, "{text}");
}

#[test]
fn a_config_with_all_of_it_is_kept_to() {
    let gateway = Gateway::by(|request| match &*request.model() {
        "deepseek-v4" => Reply::error_with(503, &[("retry-after-ms", "1")], "down"),
        _ => Reply::stream(&["Hello."]),
    });
    let house = format!("[gateway.house]\nbase_url = \"{}\"\nkey_name = \"team-a\"\n", gateway.base_url());
    let home = Home::new().config(&format!("gateway = \"house\"\nmodel = \"fast-chat\"\n{EVERYTHING}{house}"));
    for name in ["team-a", "team-b"] {
        let key = ["key", "set", "house", "--name", name, "--store", "file"];
        home.llm(key).stdin(format!("{KEY}-{name}")).output().exits(0);
    }
    let ask = |arguments: &[&str]| home.llm(["ask", "hi"]).args(arguments).output();
    let team_b = ["--key", "team-b"];
    // The task leads to the alias, whose first model is tried twice before the second; allowed is the first alone.
    ask(&["-t", "coding"]).exits(5).says("team-a may not be used for qwen-coder");
    ask(&[&["-t", "coding"][..], &team_b].concat()).exits(0).prints("Hello.\n");
    let tried = ["deepseek-v4", "deepseek-v4"];
    assert_eq!(models(&gateway), [&tried[..], &tried, &["qwen-coder"]].concat());
    ask(&["-m", "gpt-9-mini"]).exits(0);
    ask(&["-m", "my-finetune"]).exits(5).says("may not be used for my-finetune");
    let record = ask(&[&["-m", "my-finetune", "-o", "json"][..], &team_b].concat()).exits(0).json();
    assert_eq!(record["cost"]["origin"], "config", "9 tokens in and 4 out");
    assert_eq!(record["cost"]["usd"].to_string(), "0.00001", "{record}");
    let set = ["compare", "--set", "frontier", "--key", "team-b", "-o", "json", "hi"];
    assert_eq!(home.llm(set).output().exits(0).json()["answers"].as_array().map(Vec::len), Some(3));
    let balances = home.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json();
    assert_eq!(balances[0]["budget"], "$5.00 a day for key team-a, model claude-*, app bot");
}

#[test]
fn a_fallback_that_time_or_a_schema_keeps_from_being_tried_is_named() {
    let slow = Gateway::by(|request| match &*request.model() {
        "wrong" => Reply::stream(&["no JSON"]),
        "begun" => Reply::sse().role().text("abc").hold(),
        _ => Reply::silence().hold(),
    });
    let home = home(&slow, "[pipeline.p]\nsteps = [{ name = \"x\", model = \"silent\", prompt = \"{{ input }}\" }]\n");
    home.file("schema.json", r#"{"type": "object"}"#);
    home.file("rows.txt", "one\n");
    for (arguments, why) in [
        (&["ask", "-m", "silent", "--timeout", "50ms", "hi"][..], "the time limit of the call has passed"),
        (&["compare", "-m", "silent", "--timeout", "50ms", "hi"], "the time limit of the call has passed"),
        (
            &["batch", "rows.txt", "{{ line }}", "-m", "silent", "--timeout", "50ms"],
            "the time limit of the call has passed",
        ),
        (&["pipeline", "run", "p", "--timeout", "50ms", "hi"], "the time limit of the call has passed"),
        (&["ask", "-m", "begun", "--timeout", "50ms", "hi"], "an answer that has begun is not replaced"),
        (&["ask", "-m", "wrong", "--schema", "schema.json", "hi"], "an answer that is whole is not replaced"),
        (&["compare", "-m", "wrong", "--schema", "schema.json", "hi"], "an answer that is whole is not replaced"),
    ] {
        let outcome = home.llm(arguments).args(["--fallback", "other"]).output();
        outcome.says(&format!("other is not tried: {why}"));
        assert_eq!(outcome.stderr().matches("is not tried").count(), 1, "{outcome}");
    }
    assert!(slow.requests().iter().all(|request| request.model() != "other"));
    // A model that was asked as well, and left when the other began its answer.
    let hedged = Gateway::by(|request| match &*request.model() {
        "late" => Reply::sse().gate().role().text("no JSON").finish("stop").done(),
        _ => Reply::silence().hold(),
    });
    let home = self::home(&hedged, "[alias.both]\nmodels = [\"late\", \"other\"]\nhedge = \"10ms\"\n");
    home.file("schema.json", r#"{"type": "object"}"#);
    let running = home.llm(["ask", "-m", "both", "--schema", "schema.json", "hi"]).start();
    hedged.await_requests(2);
    hedged.release();
    running.finish().exits(9).never_says("is not tried");
}

/// A home with the gateways `g1`, which is the default, and `g2`.
fn home_of_two(one: &Gateway, two: &Gateway) -> Home {
    Home::new().config(&format!(
        "default_gateway = \"g1\"\n[gateway.g1]\nbase_url = \"{}\"\nauth = \"none\"\n[gateway.g2]\nbase_url = \"{}\"\nauth = \"none\"\n",
        one.base_url(),
        two.base_url()
    ))
}

#[test]
fn the_gateway_is_named_where_two_have_the_model_that_failed() {
    let (one, two) = (Gateway::always(Reply::error(503, "down")), Gateway::always(Reply::error(503, "down")));
    let home = home_of_two(&one, &two);
    let outcome = home.llm(["ask", "--retries", "0", "-m", "m", "--fallback", "g2::m", "hi"]).output();
    outcome.exits(6).says("error: g2::m: 503 down").says("tried g1::m: 503").says("tried g2::m: 503");
    let outcome = home.llm(["probe", "-m", "g1::m,g2::m", "--retries", "0"]).output();
    outcome.says("g1::m: down").says("g2::m: down");
}

#[test]
fn the_gateway_is_named_where_the_model_of_another_one_is_asked_in_the_same_session() {
    let (one, two) = (Gateway::always(Reply::stream(&["Hello."])), Gateway::always(Reply::error(503, "down")));
    let home = home_of_two(&one, &two);
    let tries = ["--retries", "0", "--fallback", "g2::other"];
    let turns = "one\n/model g2::m\ntwo\n";
    let chat = home.llm(["chat", "-m", "m"]).args(tries).stdin(turns).output();
    chat.says("\ng2::m: 503 overloaded, trying other\n").says("tried g2::m: 503").says("tried other: 503");
    // The first to be asked: nothing has been heard of the other one then.
    let compare = home.llm(["compare", "-m", "g2::m,m", "--concurrency", "1"]).args(tries).arg("hi").output();
    compare.says("g2::m: 503 overloaded, trying other\n");
    let alone = home.llm(["ask", "-m", "g2::m"]).args(tries).arg("hi").output();
    alone.says("m: 503 overloaded, trying other\n").never_says("g2::m: 503");
}

#[test]
fn the_model_that_is_named_is_the_one_that_failed_last_and_advice_comes_last() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "down" => Reply::error(503, "overloaded"),
        _ => Reply::error(404, "no such model"),
    });
    let outcome = Home::with(&gateway)
        .llm(["ask", "-m", "down", "--fallback", "nope", "--log", "off", "--retries", "0", "hi"])
        .output();
    outcome.exits(1);
    let said = outcome.stderr();
    assert!(said.contains("error: nope: 404 no such model\n"), "{said}");
    assert!(said.lines().last().is_some_and(|line| line.starts_with("hint: ")), "{said}");
}
