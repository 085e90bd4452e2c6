//! `llm pipeline`: prompts of the config that build on each other's answers.

use serde_json::{Value, json};

use crate::support::{Gateway, Home, Reply};

/// The pipeline of the manual, with names for its models.
const SUMMARY: &str = r#"
[alias.cheap]
models = ["small"]
[alias.strong]
models = ["large"]
[alias.checker]
models = ["other"]

[pipeline.summary]
steps = [
  { name = "draft",  model = "cheap",  prompt = "Summarise:\n{{ input }}" },
  { name = "refine", model = "strong", prompt = "Improve this summary of the text.\n{{ draft }}\n---\n{{ input }}" },
  { name = "check",  model = "checker", prompt = "List claims in the summary that the text does not support.\n{{ refine }}\n---\n{{ input }}" },
]
"#;

/// Two steps that can be made at once, and one that needs both.
const FAN: &str = r#"
[pipeline.fan]
steps = [
  { name = "left",  model = "a", prompt = "L {{ input }}" },
  { name = "right", model = "b", prompt = "R {{ input }}" },
  { name = "both",  model = "c", prompt = "{{ left }} and {{ right }}" },
]
"#;

fn home(gateway: &Gateway, config: &str) -> Home {
    Home::with(gateway).config(config)
}

/// Answers each model with its own name.
fn named() -> Gateway {
    Gateway::by(|request| Reply::stream(&["by ", &request.model()]))
}

fn prompts(gateway: &Gateway) -> Vec<(String, String)> {
    gateway.requests().iter().map(|request| (request.model(), request.prompt())).collect()
}

fn expected(prompts: &[(&str, &str)]) -> Vec<(String, String)> {
    prompts.iter().map(|(model, prompt)| ((*model).to_owned(), (*prompt).to_owned())).collect()
}

/// The steps of a document, each with some of its fields.
fn steps(document: &Value, fields: &[&str]) -> Vec<Vec<Value>> {
    let steps = document["steps"].as_array().expect("a list of steps");
    steps.iter().map(|step| fields.iter().map(|field| step[*field].clone()).collect()).collect()
}

#[test]
fn the_steps_build_on_each_other_and_the_last_one_answers() {
    let gateway = named();
    let outcome = home(&gateway, SUMMARY).llm(["pipeline", "run", "summary", "The text."]).output();
    outcome.exits(0).prints("by other\n");
    assert_eq!(
        prompts(&gateway),
        expected(&[
            ("small", "Summarise:\nThe text."),
            ("large", "Improve this summary of the text.\nby small\n---\nThe text."),
            ("other", "List claims in the summary that the text does not support.\nby large\n---\nThe text."),
        ])
    );
}

#[test]
fn the_config_of_the_manual_does_what_it_says() {
    let gateway = named();
    let config = format!(
        r#"
gateway = "openrouter"             # default gateway
model = "fast-chat"                # default model, alias or task
log = "full"                       # full | metadata | off

[gateway.openrouter]               # a preset: only what differs
base_url = "{}"
auth = "none"
key_name = "team-a"
markup = 0.055

[gateway.corp]
base_url = "https://llm.corp.example/v1"
api = "openai-chat"
key_command = ["op", "read", "op://vault/llm/key"]
headers = {{ X-Team = "search" }}
ca_file = "corp-ca.pem"
timeouts = {{ connect = "10s", first_token = "120s", idle = "60s", total = "600s" }}

[alias.code-reasoner]
models = ["deepseek-v4", "qwen-coder"]
strategy = "ordered"
retries = 1
timeout = "30s"

[task]
default = "fast-chat"
coding = "code-reasoner"

[set]
frontier = ["claude-sonnet-4-6", "gpt-5.4", "gemini-3.1-pro"]

[price."my-finetune"]
input = 0.40
output = 1.60

[[budget]]
limit = 5.00
per = "day"
match = {{ key = "team-a", model = "claude-*", tag.app = "bot" }}
action = "refuse"

[allow]
"team-a" = ["gpt-*-mini", "deepseek-*"]

[cache]
enabled = false
ttl = "7d"
max_size = "256MiB"
{SUMMARY}"#,
        gateway.base_url()
    );
    let home = Home::new().config(&config);
    home.llm(["config", "check"]).output().exits(0).never_says("error");
    let shown = home.llm(["config", "show"]).output().exits(0).stdout();
    assert_eq!(shown.matches("[[pipeline.summary.steps]]").count(), 3, "{shown}");
    home.llm(["pipeline", "run", "summary", "The text."]).output().exits(0).prints("by other\n");
    home.llm(["ask", "-t", "coding", "hi"]).output().exits(0).prints("by deepseek-v4\n");
    let models: Vec<String> = gateway.requests().iter().map(|request| request.model()).collect();
    assert_eq!(models, ["small", "large", "other", "deepseek-v4"]);
}

const TEMPLATES: &str = r#"
[template.summary]
model = "large"
system = "Write in {{ lang }}."
prompt = "Summarise in {{ words }} words:\n{{ input }}"
vars = { words = "20" }
temperature = 0.5
max_tokens = 70
schema = { type = "object" }

[template.check]
prompt = "Is it true?"

[pipeline.p]
steps = [
  { name = "lang", model = "small", prompt = "Which language is this?\n{{ input }}" },
  { name = "short", template = "summary", vars = { lang = "{{ lang }}" }, max_tokens = 30 },
  { name = "checked", template = "check", model = "other", prompt = "{{ short }}" },
]
"#;

#[test]
fn a_step_fills_in_a_template_with_its_prompt_as_input_and_answers_as_values() {
    let gateway = Gateway::by(|request| match request.model().as_str() {
        "small" => Reply::stream(&["Thai {{ input }}"]),
        "large" => Reply::stream(&["{}"]),
        _ => Reply::stream(&["yes"]),
    });
    let home = home(&gateway, TEMPLATES);
    home.llm(["pipeline", "run", "p", "A text."]).output().exits(0).prints("yes\n");
    assert_eq!(
        prompts(&gateway),
        expected(&[
            ("small", "Which language is this?\nA text."),
            ("large", "Summarise in 20 words:\nA text."),
            ("other", "Is it true?\n\n{}"),
        ])
    );
    let body = gateway.requests()[1].json();
    assert_eq!(body["messages"][0]["content"], "Write in Thai {{ input }}.", "an answer is data");
    assert_eq!((&body["temperature"], &body["max_tokens"]), (&json!(0.5), &json!(30)));
    assert!(body["response_format"].is_object() && gateway.requests()[2].json()["response_format"].is_null());
    let tags: Vec<Value> = home.log().iter().map(|call| call["tags"]["template"].clone()).collect();
    assert_eq!(tags, [json!("check"), json!("summary"), Value::Null]);
    let shown = home.llm(["pipeline", "show", "p", "-o", "json"]).output().exits(0).json();
    assert_eq!(
        steps(&shown, &["model", "needs", "input", "template"])[1],
        [json!("large"), json!(["lang"]), json!(true), json!("summary")]
    );
    home.llm(["config", "show"]).output().exits(0);
    home.llm(["pipeline", "run", "p", "x", "--tag", "template=y"]).output().exits(2).says("is reserved");
}

#[test]
fn a_step_whose_template_cannot_be_filled_in_is_refused_with_its_line() {
    let gateway = named();
    for (steps, message) in [
        ("{ name = \"a\", template = \"t\" }", "step `a` of pipeline `p`: template `t` needs a value for `x`"),
        ("{ name = \"a\", template = \"t\", vars = { x = \"1\", y = \"2\" } }", "template `t` has no variable `y`"),
        (
            "{ name = \"a\", template = \"t\", vars = { x = \"{{ b }}\" } }",
            "its variable `x` uses `b`, which is no step",
        ),
        ("{ name = \"a\", template = \"u\" }", "no template is called `u`"),
    ] {
        let config = format!("[template.t]\nprompt = \"{{{{ x }}}}\"\n[pipeline.p]\nsteps = [\n{steps},\n]\n");
        let outcome = home(&gateway, &config).llm(["pipeline", "run", "p"]).output();
        outcome.exits(3).says(message).says(":5: ");
    }
    assert_eq!(gateway.requests().len(), 0);
}

#[test]
fn another_step_may_be_the_one_that_answers() {
    let gateway = named();
    let home = home(&gateway, SUMMARY);
    let run = |more: &[&str]| home.llm(["pipeline", "run", "summary", "x"]).args(more.iter().copied()).output();
    run(&["--step", "refine"]).exits(0).prints("by large\n");
    run(&["--step", "refin"]).exits(2).says("no step is called `refin`").says("did you mean `refine`?");
    assert_eq!(gateway.requests().len(), 3);
}

#[test]
fn the_input_is_read_as_by_ask() {
    let gateway = named();
    let home = home(&gateway, "[pipeline.p]\nsteps = [{ name = \"a\", model = \"m\", prompt = \"<{{ input }}>\" }]\n");
    let notes = home.file("notes.txt", "notes");
    let run = || home.llm(["pipeline", "run", "p"]);
    run().stdin("piped").output().exits(0);
    run().arg("given").stdin("piped").output().exits(0);
    run().arg("given").arg("-f").arg(notes).output().exits(0);
    run().output().exits(2).says("there is no prompt");
    let texts: Vec<String> = gateway.requests().iter().map(|request| request.prompt()).collect();
    assert_eq!(texts, ["<piped>", "<given\n\npiped>", "<<file name=\"notes.txt\">\nnotes\n</file>\n\ngiven>"]);
}

#[test]
fn a_pipeline_that_uses_no_input_wants_none() {
    let gateway = named();
    let home = home(&gateway, "[pipeline.p]\nsteps = [{ name = \"a\", model = \"m\", prompt = \"A haiku.\" }]\n");
    home.llm(["pipeline", "run", "p"]).stdin("left alone").output().exits(0).prints("by m\n");
    home.llm(["pipeline", "run", "p", "hi"]).output().exits(2).says("no step of pipeline `p` uses its input");
    assert_eq!(prompts(&gateway), expected(&[("m", "A haiku.")]));
}

#[test]
fn steps_that_do_not_build_on_each_other_run_at_once() {
    let gateway = Gateway::by(|request| match &*request.model() {
        "c" => Reply::stream(&["c"]),
        model => Reply::silence().gate().and(Reply::stream(&[model])),
    });
    let home = home(&gateway, FAN);
    let running = home.llm(["pipeline", "run", "fan", "x"]).start();
    // Neither is answered before both are asked.
    gateway.await_gated(2);
    assert_eq!(gateway.requests().len(), 2);
    gateway.release();
    running.finish().exits(0).prints("c\n");
    assert_eq!(gateway.requests()[2].prompt(), "a and b");
}

#[test]
fn an_answer_is_data_and_never_a_template() {
    let trick = "{{ input }}{% for x in range(9) %}{{ x }}{% endfor %} <&>";
    let gateway = Gateway::by(move |_| Reply::stream(&[trick]));
    let outcome = home(&gateway, SUMMARY).llm(["pipeline", "run", "summary", "{{ draft }}"]).output();
    outcome.exits(0).prints(&format!("{trick}\n"));
    assert_eq!(gateway.requests()[0].prompt(), "Summarise:\n{{ draft }}");
    let second = gateway.requests()[1].prompt();
    assert_eq!(second, format!("Improve this summary of the text.\n{trick}\n---\n{{{{ draft }}}}"));
}

#[test]
fn a_failed_step_stops_what_builds_on_it_and_nothing_else() {
    let gateway = Gateway::by(|request| match &*request.model() {
        "a" => Reply::error(503, "overloaded"),
        model => Reply::stream(&[model]),
    });
    let home = home(&gateway, FAN);
    let run =
        |more: &[&str]| home.llm(["pipeline", "run", "fan", "x", "--retries", "0"]).args(more.iter().copied()).output();
    let outcome = run(&[]);
    outcome.exits(6).prints("").says("error: left (a): 503 overloaded").says("both (c): not sent: step `left` failed");
    outcome.says("has what the other steps answered");
    let document = run(&["-o", "json"]).exits(6).json();
    let found = steps(&document, &["step", "status", "text"]);
    assert_eq!(
        found,
        [
            [json!("left"), json!("failed"), json!("")],
            [json!("right"), json!("ok"), json!("b")],
            [json!("both"), json!("skipped"), json!("")]
        ]
    );
    assert_eq!(document["total_cost"]["unknown"], 1, "of the one that answered");
    assert_eq!(document["steps"][2]["error"]["kind"], "skipped");
    assert_eq!(document["steps"][2]["timing"]["total_ms"], Value::Null);
    // The answer that was asked for is there, though not every step is.
    run(&["--step", "right"]).exits(8).prints("b\n");
    let logged = home.llm(["log", "-o", "json"]).output().exits(0).json();
    let logged: Vec<&Value> = logged.as_array().expect("a list").iter().map(|call| &call["model"]).collect();
    assert!(!logged.contains(&&json!("c")), "what was never sent is no call: {logged:?}");
    assert_eq!(logged.len(), 6);
}

#[test]
fn half_an_answer_is_shown_but_not_fed_on() {
    let gateway = Gateway::by(|request| match &*request.model() {
        "small" => Reply::sse().role().text("Half").finish("length").usage(9, 4).done(),
        model => Reply::stream(&[model]),
    });
    let home = home(&gateway, SUMMARY);
    home.llm(["pipeline", "run", "summary", "x"]).output().exits(8).prints("").says("step `draft` was cut short");
    home.llm(["pipeline", "run", "summary", "x", "--step", "draft"]).output().exits(8).prints("Half\n");
    let document = home.llm(["pipeline", "run", "summary", "x", "-o", "json"]).output().exits(8).json();
    let statuses: Vec<Value> = steps(&document, &["status"]).concat();
    assert_eq!(statuses, ["truncated", "skipped", "skipped"]);
    assert_eq!(gateway.requests().len(), 3);
}

#[test]
fn what_makes_no_sense_costs_nothing_and_is_named_with_its_line() {
    let gateway = named();
    let config = "[pipeline.p]\nsteps = [\n  { name = \"draft\", model = \"m\", prompt = \"{{ input }}\" },\n  \
                  { name = \"refine\", model = \"m\", prompt = \"{{ drafft }}\" },\n]\n";
    let home = home(&gateway, config);
    for arguments in [vec!["config", "check"], vec!["pipeline", "run", "p", "x"], vec!["pipeline", "show", "p"]] {
        let outcome = home.llm(&arguments).output();
        outcome.exits(3).says("llm.toml:4: step `refine` of pipeline `p`: its prompt uses `drafft`, which is no step");
        outcome.says("did you mean `draft`?");
    }
    home.llm(["pipeline", "run", "q", "x"]).output().exits(3).says("no pipeline is called `q`");
    assert!(gateway.requests().is_empty());
    // Whoever does not use it is not held up by it.
    home.llm(["ask", "hi"]).output().exits(0);
}

#[test]
fn flags_win_over_the_config_and_a_schema_is_for_the_last_step() {
    let config = "[pipeline.p]\nsteps = [\n\
        { name = \"a\", model = \"m\", system = \"Be brief.\", max_tokens = 50, temperature = 1, prompt = \"{{ input }}\" },\n\
        { name = \"b\", model = \"m\", prompt = \"{{ a }}\" },\n]\n";
    let gateway = Gateway::always(Reply::stream(&["{\"n\":1}"]));
    let home = home(&gateway, config);
    let schema = home.file("schema.json", r#"{"type":"object","required":["n"]}"#);
    home.llm(["pipeline", "run", "p", "x"]).arg("--schema").arg(&schema).output().exits(0);
    home.llm(["pipeline", "run", "p", "x", "-s", "Be long.", "--max-tokens", "70", "--temperature", "0"])
        .output()
        .exits(0);
    let told = |index: usize| {
        let body = gateway.requests()[index].json();
        let system = body["messages"].as_array().filter(|all| all.len() > 1).map(|all| all[0]["content"].clone());
        json!([system, body["max_tokens"], body["temperature"], body.get("response_format").is_some()])
    };
    assert_eq!(told(0), json!(["Be brief.", 50, 1.0, false]));
    assert_eq!(told(1), json!([null, null, null, true]));
    assert_eq!(told(2), json!(["Be long.", 70, 0.0, false]));
    assert_eq!(told(3), json!(["Be long.", 70, 0.0, false]));
    let strict = home.file("strict.json", r#"{"type":"object","required":["m"]}"#);
    home.llm(["pipeline", "run", "p", "x"]).arg("--schema").arg(&strict).output().exits(9).prints("{\"n\":1}\n");
}

#[test]
fn the_whole_pipeline_costs_no_more_than_it_may() {
    let gateway = Gateway::by(|_| Reply::sse().role().text("Hello.").finish("stop").usage(1, 10).done());
    // A token of answer costs ten cents, so each step a dollar.
    let home = home(&gateway, &format!("{SUMMARY}\n[price.\"*\"]\ninput = 0\noutput = 100000\n"));
    let run = |most: &str| {
        home.llm(["pipeline", "run", "summary", "x", "--max-tokens", "10", "-o", "json", "--max-cost", most]).output()
    };
    let unbounded = home.llm(["pipeline", "run", "summary", "x", "--max-cost", "3"]).output();
    unbounded.exits(5).says("the answer of step `draft` may be of any length");
    let statuses = |document: &Value| steps(document, &["status"]).concat();
    assert_eq!(statuses(&run("3").exits(0).json()), ["ok", "ok", "ok"]);
    let outcome = run("2");
    outcome.exits(5).says("--max-cost $2.00: $0.00 left, and this call may cost up to $1.00");
    assert_eq!(statuses(&outcome.json()), ["ok", "ok", "refused"]);
    assert_eq!(gateway.requests().len(), 5);
}

#[test]
fn what_the_ledger_keeps_says_which_step_it_was() {
    let gateway = named();
    let home = home(&gateway, SUMMARY);
    home.llm(["pipeline", "run", "summary", "x", "--tag", "app=bot"]).output().exits(0);
    home.llm(["pipeline", "run", "summary", "x", "--tag", "step=one"]).output().exits(2).says("--tag step");
    let calls = home.llm(["log", "--tag", "pipeline=summary", "-o", "json"]).output().exits(0).json();
    let calls = calls.as_array().expect("a list").clone();
    let mut tags: Vec<Value> = calls.iter().map(|call| call["tags"].clone()).collect();
    tags.sort_by_key(|tags| tags["step"].to_string());
    let step = |name: &str| json!({"app": "bot", "pipeline": "summary", "step": name});
    assert_eq!(tags, [step("check"), step("draft"), step("refine")]);
    assert!(calls.iter().all(|call| call["run"] == calls[0]["run"] && call["command"] == "pipeline"), "{calls:#?}");
    // The prompt that was sent, not the one that was planned.
    let refined = home.llm(["log", "show", calls[1]["id"].as_str().expect("an id"), "-o", "json"]).output();
    assert!(refined.exits(0).stdout().contains("Improve this summary of the text.\\nby small"), "{refined}");
}

#[test]
fn a_budget_may_be_for_a_pipeline() {
    let gateway = named();
    let config = format!(
        "{SUMMARY}\n[[budget]]\nlimit = 0\nper = \"day\"\nmatch = {{ tag.pipeline = \"summary\" }}\n[price.\"*\"]\ninput = 1\noutput = 1\n"
    );
    home(&gateway, &config).llm(["pipeline", "run", "summary", "x"]).output().exits(5).says("for pipeline summary");
    assert!(gateway.requests().is_empty());
}

#[test]
fn cached_answers_lead_to_cached_answers() {
    let gateway = named();
    let home = home(&gateway, SUMMARY);
    for _ in 0..2 {
        home.llm(["pipeline", "run", "summary", "x", "--cache"]).output().exits(0).prints("by other\n");
    }
    assert_eq!(gateway.requests().len(), 3);
}

#[test]
fn json_has_every_step_and_what_all_of_it_took() {
    let gateway = named();
    let home = home(&gateway, FAN);
    let run = |form: &str| home.llm(["pipeline", "run", "fan", "x", "-o", form]).output();
    let document = run("json").exits(0).json();
    assert_eq!((&document["pipeline"], &document["input"]), (&json!("fan"), &json!("x")));
    assert_eq!(
        steps(&document, &["step", "needs", "text"]),
        [
            [json!("left"), json!([]), json!("by a")],
            [json!("right"), json!([]), json!("by b")],
            [json!("both"), json!(["left", "right"]), json!("by c")]
        ]
    );
    assert!(document["steps"][2]["timing"]["total_ms"].as_f64() <= document["elapsed_ms"].as_f64());
    let lines = run("jsonl").exits(0).stdout();
    let last: Value = serde_json::from_str(lines.lines().last().expect("lines")).expect("JSON");
    assert_eq!((lines.lines().count(), &last["step"]), (3, &json!("both")));
    let page = run("markdown").exits(0).stdout();
    assert!(page.starts_with("## Input\n") && page.contains("\n### both (c)\n\n```text\nby c\n```\n"), "{page}");
}

#[test]
fn a_dry_run_shows_every_step_in_order_and_where_answers_will_stand() {
    let gateway = named();
    let home = home(&gateway, FAN);
    let text = home.llm(["pipeline", "run", "fan", "x", "--dry-run"]).output().exits(0).stdout();
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("# step")).collect();
    assert_eq!(headings, ["# step left (a)", "# step right (b)", "# step both (c), after left and right"]);
    assert!(text.contains("\"content\": \"{{ left }} and {{ right }}\""), "{text}");
    let json = home.llm(["pipeline", "run", "fan", "x", "--dry-run", "-o", "json"]).output().exits(0).json();
    assert_eq!((&json["pipeline"], &json["requests"][2]["step"]), (&json!("fan"), &json!("both")));
    assert!(gateway.requests().is_empty());
}

#[test]
fn pipelines_can_be_listed_and_shown() {
    let gateway = named();
    let home = home(&gateway, &format!("{SUMMARY}{FAN}"));
    home.llm(["pipeline", "list"])
        .output()
        .exits(0)
        .prints(" pipeline  steps\n fan       left, right, both\n summary   draft, refine, check\n");
    home.llm(["pipeline", "show", "fan"])
        .output()
        .exits(0)
        .prints(" step   model  builds on\n left   a      input\n right  b      input\n both   c      left, right\n");
    let shown = home.llm(["pipeline", "show", "fan", "-o", "json"]).output().exits(0).json();
    assert_eq!(steps(&shown, &["step", "needs", "input"])[2], [json!("both"), json!(["left", "right"]), json!(false)]);
}

#[test]
fn a_config_shown_is_a_config_that_means_the_same() {
    let gateway = named();
    let config = "[task]\nt = \"m\"\n[pipeline.\"a b\"]\nsteps = [{ name = \"x\", task = \"t\", temperature = 0.5, \
                  max_tokens = 9, system = \"a\\\"b\", prompt = \"{{ input }}\\n'''\\\"\" }]\n";
    let first = home(&gateway, config).llm(["config", "show"]).output().exits(0).stdout();
    let pipelines = |text: &str| {
        let config: toml::Table = text.parse().expect("TOML");
        config["pipeline"].clone()
    };
    let given: toml::Table = config.parse().expect("TOML");
    assert_eq!(pipelines(&first), given["pipeline"]);
}

#[cfg(unix)]
#[test]
fn a_signal_keeps_what_came_and_leaves_the_rest() {
    use rustix::process::Signal;
    let gateway = Gateway::by(|request| match &*request.model() {
        "small" => Reply::stream(&["Done."]),
        _ => Reply::sse().role().text("Half").hold(),
    });
    let home = home(&gateway, SUMMARY);
    let running = home.llm(["pipeline", "run", "summary", "x", "-o", "json"]).start();
    gateway.await_held(1);
    running.signal(Signal::INT);
    let outcome = running.finish();
    outcome.dies_by(Signal::INT.as_raw());
    let statuses: Vec<Value> = steps(&outcome.json(), &["status"]).concat();
    assert_eq!(statuses, ["ok", "interrupted", "skipped"]);
    gateway.await_left(1);
    assert_eq!(gateway.requests().len(), 2);
}

#[test]
fn the_list_says_which_pipelines_cannot_run() {
    let home = Home::new().config(
        "[pipeline.good]\nsteps = [{ name = \"a\", prompt = \"{{ input }}\" }]\n\
         [pipeline.bad]\nsteps = [\n  { name = \"b\", prompt = \"{{ input|nope }}\" },\n]\n",
    );
    let outcome = home.llm(["pipeline", "list"]).output();
    outcome.exits(0).says("llm.toml:5: step `b` of pipeline `bad`").never_says("pipeline `good`");
    assert!(outcome.stdout().contains("good") && outcome.stdout().contains("bad"), "{outcome}");
}
