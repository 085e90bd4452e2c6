//! Every command in every form of its output, on a terminal, with what a terminal would obey in every text of others.

use serde_json::json;

use crate::support::terminal::Wiring;
use crate::support::{Gateway, Home, Reply};
use crate::terminal::controls;

/// A name, a message or an answer of somebody who means harm; `end` must stay visible.
const EVIL: &str = "a\u{1b}[2J\u{1b}[31m\u{1b}]52;c;aGk=\u{7}\u{9b}1m\u{202e}b\u{200b}\u{e0041}\u{8}c\rend";

fn gateway() -> Gateway {
    Gateway::by(|request| match request.path.as_str() {
        "/v1/models" => Reply::json(
            200,
            &json!({"data": [
                {"id": EVIL, "name": EVIL, "owned_by": EVIL, "created": 1_700_000_000,
                 "context_length": 1000, "expiration_date": EVIL, "supported_parameters": [EVIL],
                 "architecture": {"input_modalities": [EVIL], "output_modalities": [EVIL]},
                 "pricing": {"prompt": "0.000003", "completion": "0.000015"}},
            ]}),
        ),
        "/v1/key" => Reply::error(400, EVIL),
        _ if request.model() == "down" => Reply::error(400, EVIL),
        _ if request.model() == "cut" => Reply::sse().role().text(EVIL).finish(EVIL).done().end(),
        _ => {
            let call = json!({"index": 0, "id": EVIL, "function": {"name": EVIL, "arguments": EVIL}});
            let tools = json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}], "model": EVIL});
            Reply::sse().role().reasoning(EVIL).text(EVIL).event(&tools).usage(10, 5).finish("stop").done().end()
        }
    })
}

/// A home with hostile names in its config, its ledger and its cache.
fn home(gateway: &Gateway) -> Home {
    let quoted = |prefix: &str, text: &str| {
        // Every character by its number, which is what TOML wants of some of them.
        let escaped: String = text.chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
        format!("\"{prefix}{escaped}\"")
    };
    let name = |prefix: &str| quoted(prefix, EVIL);
    // No tag has a name with this sign.
    let tag_name = quoted("", &EVIL.replace('=', ""));
    let (evil, alias, task, set, price) = (name(""), name("alias"), name("task"), name("set"), name("price"));
    let home = Home::with(gateway).config(&format!(
        r#"
[alias.{alias}]
models = [{evil}, "down"]
[task]
{task} = {evil}
[set]
{set} = [{evil}, "down"]
[price.{price}]
input = 1
output = 2
[allow]
k = ["*"]
[[budget]]
limit = 100
per = "day"
match = {{ tag.{tag_name} = {evil} }}
[gateway.evil]
base_url = "http://127.0.0.1:9/v1"
key_env = ["EVIL_KEY"]
key_name = "k"
price_provider = {evil}
key_command = [{evil}]
headers = {{ X-Evil = "x" }}
model_api = {{ {evil} = "anthropic" }}
[pipeline.p]
steps = [
  {{ name = "one", model = {evil}, prompt = {evil} }},
  {{ name = "two", model = "down", prompt = "{{{{ one }}}}" }},
]
"#
    ));
    let tag = format!("{EVIL}={EVIL}");
    for model in [EVIL, "down", "cut"] {
        home.llm(["ask", "--cache", "-m", model, "--tag", &tag, "--allow-unpriced", EVIL]).output();
    }
    assert_eq!(home.log().len(), 3);
    home
}

/// Each command with each of its forms.
fn commands(home: &Home) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut add = |command: &[&str], forms: &[&str]| {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        all.push(words(command));
        all.extend(forms.iter().map(|form| [words(command), words(&["-o", form])].concat()));
    };
    let ids: Vec<String> = home.log().iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect();
    let answer = ["text", "json", "jsonl", "markdown"];
    let answers = ["text", "json", "jsonl", "markdown", "csv", "html"];
    add(&["ask", "-m", EVIL, "--allow-unpriced", "--show-reasoning", "--stats", EVIL], &answer);
    add(&["ask", "-v", "-m", "down", EVIL], &answer);
    add(&["ask", "--dry-run", "-m", EVIL, EVIL], &answer);
    add(&["compare", "-m", EVIL, "-m", "down,cut", "--allow-unpriced", EVIL], &answers);
    add(&["compare", "-m", EVIL, "--repeat", "2", "--allow-unpriced", EVIL], &[]);
    add(&["compare", "--dry-run", "-m", EVIL, EVIL], &["json"]);
    add(&["pipeline", "run", "p", "--allow-unpriced", "--stats"], &answer);
    add(&["pipeline", "run", "p", "--dry-run"], &["json"]);
    add(&["pipeline", "list"], &["text", "json"]);
    add(&["pipeline", "show", "p"], &["text", "json"]);
    add(&["rerun"], &answers);
    for id in &ids {
        add(&["log", "show", id], &["text", "json"]);
        add(&["log", "show", "--conversation", id], &["text", "json"]);
    }
    add(&["log"], &["text", "json", "jsonl", "csv"]);
    add(&["log", "export"], &[]);
    add(&["usage", "--by", "model"], &["text", "json", "csv", "markdown", "html"]);
    add(&["usage", "--by", &format!("tag:{EVIL}")], &["text", "json", "csv", "markdown", "html"]);
    add(&["usage", "--budgets"], &["text", "json", "csv"]);
    add(&["usage", "--check"], &["text", "json", "csv"]);
    add(&["models"], &["text", "json", "csv"]);
    add(&["models", "show", EVIL], &["text", "json", "csv"]);
    add(&["config", "show"], &[]);
    for kind in ["alias", "task", "set", ""] {
        add(&["config", "show", "--route", &format!("{kind}{EVIL}")], &[]);
    }
    add(&["config", "check"], &[]);
    add(&["config", "path"], &[]);
    add(&["key", "list"], &["text", "json"]);
    add(&["key", "show"], &["text", "json"]);
    add(&["key", "test"], &[]);
    add(&["cache", "stats"], &["text", "json"]);
    add(&["doctor"], &["text", "json"]);
    // Whatever is wrong is said in the words of whoever got it wrong.
    for wrong in [
        &[EVIL][..],
        &["ask", "-o", EVIL, "hi"],
        &["ask", "first", EVIL],
        &[&format!("--{EVIL}")],
        &["ask", &format!("--{EVIL}"), "hi"],
        &["ask", "--timeout", EVIL, "hi"],
        &["ask", "-g", EVIL, "hi"],
        &["ask", "-f", EVIL, "hi"],
        &["ask", "-t", "missing\u{1b}[2J", "hi"],
        &["ask", "--max-cost", EVIL, "hi"],
        &["ask", "--out", &format!("no/such/{EVIL}"), "hi"],
        &["compare", "--repeat", EVIL, "hi"],
        &["compare", "--set", "missing\u{1b}[2J", "hi"],
        &["pipeline", "run", EVIL],
        &["models", "--supports", EVIL],
        &["models", "show", "missing\u{1b}[2J"],
        &["log", "show", EVIL],
        &["log", "--since", EVIL],
        &["usage", "--by", EVIL],
        &["key", "show", "x\u{1b}[2J"],
        &["key", "set", "x\u{1b}[2J"],
        &["key", "rm", "x\u{1b}[2J"],
        &["config", "show", "--route", "missing\u{1b}[2J"],
    ] {
        add(wrong, &[]);
    }
    all
}

// T01 … T14
#[test]
fn no_command_in_any_form_acts_on_the_terminal() {
    let gateway = gateway();
    let home = home(&gateway);
    for command in commands(&home) {
        let outcome = home.llm(&command).env("TERM", "xterm-256color").terminal(Wiring::STDOUT).output();
        assert_eq!(controls(&outcome), "", "stdout of {command:?}\n{:?}", outcome.terminal());
        let talk = home.llm(&command).env("TERM", "xterm-256color").env("CI", "1").terminal(Wiring::STDERR).output();
        assert_eq!(controls(&talk), "", "stderr of {command:?}\n{:?}", talk.terminal());
        assert!(talk.code().is_some_and(|code| code != 101), "{command:?}\n{talk:?}");
    }
}

// T11
#[test]
fn a_config_that_makes_no_sense_is_complained_about_safely() {
    for line in ["\"EVIL\" = 1", "model = \"EVIL", "[gateway.\"EVIL\"]", "log = \"EVIL\"", "[task]\na = \"EVIL\" x"] {
        let home = Home::new().config(&line.replace("EVIL", &EVIL.replace('\r', "")));
        for command in [&["config", "check"][..], &["doctor"], &["ask", "-m", "m", "hi"]] {
            for wiring in [Wiring::STDERR, Wiring::STDOUT] {
                let outcome = home.llm(command).terminal(wiring).output();
                outcome.exits(3);
                assert_eq!(controls(&outcome), "", "{command:?} {line}\n{outcome:?}");
            }
        }
    }
}

// T13
#[test]
fn a_pipe_and_a_file_get_the_bytes_as_they_are() {
    let gateway = gateway();
    let home = home(&gateway);
    let answer = home.llm(["ask", "--allow-unpriced", "-m", "cut", "hi"]).output();
    assert_eq!(answer.stdout(), format!("{EVIL}\n"));
    for form in ["markdown", "csv"] {
        for command in [&["compare", "--allow-unpriced", "-m", "cut", "hi"][..], &["rerun", "-m", "cut"]] {
            let outcome = home.llm(command).args(["-o", form]).output();
            assert!(outcome.stdout().contains(EVIL), "{command:?} {form}\n{outcome:?}");
            home.llm(command).args(["-o", form, "--out", "page"]).terminal(Wiring::STDOUT).output();
            let page = std::fs::read_to_string(home.path().join("page")).expect("written");
            assert!(page.contains(EVIL), "{command:?} {form}\n{page:?}");
        }
    }
}

// T11
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_out_names_is_a_terminal() {
    let gateway = gateway();
    let home = home(&gateway);
    for command in ["rerun", "log export", &format!("usage --by tag:{EVIL}")] {
        let outcome = home.llm(command.split(' ')).args(["--out", "/dev/stdout"]).terminal(Wiring::STDOUT).output();
        assert_eq!(controls(&outcome), "", "{command}\n{outcome:?}");
        assert!(outcome.terminal().contains("end"), "{command}\n{outcome:?}");
    }
}

// T14
#[test]
fn json_of_every_command_means_the_same_on_a_terminal() {
    let gateway = gateway();
    let home = home(&gateway);
    for command in [
        &["log", "-o", "json"][..],
        &["log", "export"],
        &["models", "-o", "json", "-q"],
        &["usage", "--by", "model", "-o", "json"],
        &["pipeline", "show", "p", "-o", "json"],
    ] {
        let piped = home.llm(command).output();
        let shown = home.llm(command).terminal(Wiring::STDOUT).output();
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(read(&shown.exits(0).terminal()), read(&piped.stdout()), "{command:?}");
    }
}
