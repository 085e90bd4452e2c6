//! Completions: what the shells' scripts get from the program, and what a real bash makes of it.

use crate::support::{Gateway, Home, Reply};

const CONFIG: &str = r#"
default_gateway = "corp"
[gateway.corp]
base_url = "http://127.0.0.1:9/v1"
auth = "none"
models = ["gpt-5.4", "gpt-5.4-mini", "qwen"]
[gateway.west]
base_url = "http://127.0.0.1:9/v1"
auth = "none"
models = ["far"]
[alias.fast]
models = ["qwen"]
[task]
coding = "fast"
[set]
frontier = ["gpt-5.4"]
[template.commit]
description = "A commit message"
prompt = "x"
[pipeline.summary]
steps = [{ name = "draft", prompt = "x" }]
"#;

/// What fish is offered for the last of these words: the values, without what is said about them.
fn offered(home: &Home, words: &[&str]) -> Vec<String> {
    let asked = ["--", "llm"].into_iter().chain(words.iter().copied());
    let outcome = home.llm(asked).env("LLM_COMPLETE", "fish").output();
    let lines = outcome.exits(0).stdout();
    let values = lines.lines().map(|line| line.split('\t').next().unwrap_or(line).to_owned());
    // Where a value may stand, a flag may stand too.
    let wants_flags = words.last().is_some_and(|word| word.starts_with('-'));
    values.filter(|value| wants_flags || !value.starts_with('-')).collect()
}

#[test]
fn values_come_from_the_config() {
    let home = Home::new().config(CONFIG);
    for (words, expected) in [
        (&["ask", "-m", "gp"][..], &["gpt-5.4", "gpt-5.4-mini"][..]),
        (&["ask", "--fallback", "fa"], &["fast"]),
        (&["ask", "-m", "west::"], &["west::far"]),
        (&["-m", "qw"], &["qwen"]),
        (&["ask", "-t", ""], &["coding"]),
        (&["compare", "--set", ""], &["frontier"]),
        (&["ask", "-T", "c"], &["commit"]),
        (&["template", "show", ""], &["commit"]),
        (&["pipeline", "run", "s"], &["summary"]),
        (&["alias", "rm", ""], &["fast"]),
        (&["key", "set", "co"], &["corp"]),
        (&["ask", "-g", "wes"], &["west"]),
        (&["models", "default", "fas"], &["fast"]),
        (&["config", "set", "cache.t"], &["cache.ttl"]),
        (&["ask", "--log", "m"], &["metadata"]),
        (&["rer"], &["rerun"]),
    ] {
        assert_eq!(offered(&home, words), expected, "{words:?}");
    }
    assert!(!offered(&home, &[""]).iter().any(|name| name.starts_with("demo")), "hidden commands stay hidden");
    assert!(offered(&home, &["ask", "--templ"]).contains(&"--template".to_owned()));
}

#[test]
fn values_come_from_the_ledger_and_from_cached_lists_and_never_from_the_network() {
    let list = serde_json::json!({"object": "list", "data": [{"id": "listed/model"}, {"id": "bad\u{1b}[2J"}]});
    let gateway = Gateway::by(move |request| match request.path.as_str() {
        "/v1/models" => Reply::json(200, &list),
        _ => Reply::stream(&["ok"]),
    });
    let home = Home::with(&gateway);
    assert_eq!(offered(&home, &["ask", "-m", "lis"]), [""; 0]);
    home.llm(["models"]).output().exits(0);
    home.llm(["ask", "hi"]).output().exits(0);
    let requests = gateway.requests().len();
    assert_eq!(offered(&home, &["ask", "-m", "lis"]), ["listed/model"]);
    assert!(offered(&home, &["ask", "-m", "bad"]).iter().all(|name| !name.contains('\u{1b}')));
    let id = home.log()[0]["id"].as_str().expect("an id").to_owned();
    for words in [&["log", "show", ""][..], &["rerun", ""], &["last", ""], &["ask", "-c", ""]] {
        assert_eq!(offered(&home, words)[0], &id[id.len() - 8..], "{words:?}");
    }
    assert_eq!(gateway.requests().len(), requests);
    // A config that makes no sense offers what needs none.
    let broken = Home::new().config("model = 3\n");
    assert_eq!(offered(&broken, &["ask", "-m", ""]), [""; 0]);
    assert_eq!(offered(&broken, &["comp"]), ["compare", "completions"]);
}

#[test]
fn every_shell_has_a_script_that_asks_the_program() {
    let home = Home::new().config(CONFIG);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = home.llm(["completions", shell]).output().exits(0).stdout();
        assert!(script.contains("LLM_COMPLETE"), "{shell}: {script}");
        let run = home.llm(["--", "llm", "ask", "-t", ""]).env("LLM_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", "3");
        assert!(run.env("_CLAP_IFS", "\n").output().exits(0).stdout().contains("coding"), "{shell}");
    }
    home.llm(["--", "llm", ""]).env("LLM_COMPLETE", "csh").output().exits(2).says("csh");
}

#[cfg(unix)]
#[test]
fn a_real_bash_completes() {
    let home = Home::new().config(CONFIG);
    let bin = std::path::Path::new(crate::support::home::LLM).parent().expect("a directory").display().to_string();
    let complete = |words: &str, index: usize, current: &str| {
        let script = format!(
            "PATH={bin}:$PATH; source <(llm completions bash) || exit 3
             COMP_WORDS=({words}); COMP_CWORD={index}; COMP_TYPE=9
             _llm llm '{current}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        home.shell(&script).output().exits(0).stdout()
    };
    assert_eq!(complete("llm ask -m gp", 3, "gp"), "gpt-5.4\ngpt-5.4-mini\n");
    assert_eq!(complete("llm ask -m west :: f", 5, "f"), "far\n");
    assert_eq!(complete("llm ask -m west ::", 4, "::"), "far\n");
    assert_eq!(complete("llm ask --task = c", 4, "c"), "coding\n");
    assert_eq!(complete("llm -m qw", 2, "qw"), "qwen\n");
    assert_eq!(complete("llm comp", 1, "comp"), "compare\ncompletions\n");
}

#[cfg(unix)]
#[test]
fn what_a_gateway_names_its_models_is_never_run_or_expanded_by_bash() {
    let names = ["zz$(touch ran)", "zz;touch ran", "zz `touch ran`", "zz'\"\\|&<>#!~{a,b}", "zz*"];
    let config = format!(
        "[gateway.corp]\nbase_url = \"http://127.0.0.1:9/v1\"\nauth = \"none\"\nmodels = {}\n",
        serde_json::to_string(&names).expect("a list")
    );
    let home = Home::new().config(&config);
    let bin = std::path::Path::new(crate::support::home::LLM).parent().expect("a directory").display().to_string();
    let offered = |words: &str, current: &str, each: &str| {
        let script = format!(
            "PATH={bin}:$PATH; source <(llm completions bash) || exit 3
             cd \"$HOME\"; touch 'zz1' 'zz*' '2' 'ask'
             COMP_WORDS=({words}); COMP_CWORD=3; _llm llm {current} ''
             for value in \"${{COMPREPLY[@]}}\"; do {each}; done
             [[ ! -e ran ]] || echo RAN"
        );
        home.shell(&script).output().exits(0).stdout()
    };
    // As the shell reads the line after Tab and Enter.
    let read = r#"eval "set -- $value"; printf '%s %s\n' "$#" "$1""#;
    let mut expected: Vec<String> = names.iter().map(|name| format!("1 {name}")).collect();
    let mut found: Vec<String> = offered("llm ask -m zz", "zz", read).lines().map(str::to_owned).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    // What was put in is completed further, and between quotes only what needs none is offered.
    assert_eq!(offered(r"llm ask -m zz\$", r"'zz\$'", read), "1 zz$(touch ran)\n");
    assert_eq!(offered("llm ask -m '\"zz'", "zz", read), "");
}
