//! Commands that change the config file, and prompts without a command.

use serde_json::json;

use crate::support::{Gateway, Home, Reply};

fn text(home: &Home) -> String {
    std::fs::read_to_string(home.path().join("llm.toml")).expect("the config file")
}

#[test]
fn a_prompt_without_a_command_is_asked_with_all_flags_of_ask() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let home = Home::with(&gateway);
    let asked = |args: &[&str], stdin: &str| {
        home.llm(args).stdin(stdin).output().exits(0).prints("ok\n");
        gateway.requests().last().map(|request| (request.model(), request.prompt())).expect("a request")
    };
    let with = |model: &str, prompt: &str| (model.to_owned(), prompt.to_owned());
    assert_eq!(asked(&["why is the sky blue?"], ""), with("test-model", "why is the sky blue?"));
    assert_eq!(asked(&["write a message"], "diff\n"), with("test-model", "write a message\n\ndiff\n"));
    assert_eq!(asked(&["summarize"], "text"), with("test-model", "summarize\n\ntext"));
    assert_eq!(asked(&["-m", "other", "--temperature", "0", "hi there"], ""), with("other", "hi there"));
    assert_eq!(asked(&["-q", "-"], "piped"), with("test-model", "piped"));
    assert_eq!(asked(&["-m", "other"], "piped"), with("other", "piped"));
    let count = gateway.requests().len();
    home.llm(["modles"]).output().exits(2).says("'models'").says("`llm ask modles` sends it as a prompt");
    home.llm(["version"]).output().exits(2).says("`llm --version`");
    home.llm(["explain", "this"]).output().exits(2).says("quoted");
    home.llm(["sk-or-v1-0123456789abcdef0123456789abcdef"]).output().exits(2).never_says("0123456789abcdef");
    assert_eq!(gateway.requests().len(), count);
}

#[test]
fn settings_are_set_read_and_removed_and_comments_stay() {
    let home = Home::new().config("# mine\ngateway = \"demo\" # why\n\n[set]\nx = [\"a\"] # one\n");
    for (key, value, got) in [
        ("model", "demo/quick", "demo/quick\n"),
        ("log", "metadata", "metadata\n"),
        ("gateway.demo.markup", "0.05", "0.05\n"),
        ("gateway.corp.base_url", "https://corp.example/v1", "https://corp.example/v1\n"),
        ("gateway.corp.models", "[\"a\", \"b\"]", "[\"a\", \"b\"]\n"),
        ("cache.enabled", "true", "true\n"),
        ("keyring_timeout", "30", "30s\n"),
        ("task.coding", "5", "5\n"),
        ("price.\"a/b.c\".input", "1.5", "1.5\n"),
    ] {
        home.llm(["config", "set", key, value]).output().exits(0).says("llm.toml");
        home.llm(["config", "get", key]).output().exits(0).prints(got);
    }
    let after = text(&home);
    let more = "[[budget]]\nlimit = 5\nper = \"day\"\n[store]\nurl = \"postgres://u:secret@localhost/db\"\n\
                [otel]\nendpoint = \"https://u:secret@collector.example\"\nheaders = { x-key = \"secret\" }\n";
    home.file("llm.toml", format!("{after}{more}"));
    assert!(home.llm(["config", "get", "budget"]).output().exits(0).stdout().contains("limit = 5"));
    home.llm(["config", "get", "store.url"]).output().exits(0).prints("***\n");
    for key in ["otel.endpoint", "otel.headers.x-key"] {
        home.llm(["config", "get", key]).output().exits(0).prints("***\n");
    }
    home.llm(["config", "get", "key_class"]).output().exits(1).says("key_class is not set");
    home.file("llm.toml", &after);
    for kept in ["# mine\n", "# why\n", "x = [\"a\"] # one\n"] {
        assert!(after.contains(kept), "{after}");
    }
    home.llm(["config", "check"]).output().exits(0);
    home.llm(["config", "unset", "model"]).output().exits(0);
    home.llm(["config", "get", "model"]).output().exits(1).prints("");
    home.llm(["config", "unset", "model"]).output().exits(1);
    home.llm(["config", "set", "model", "-"]).stdin("from stdin\n").output().exits(0);
    let long = "x".repeat((1 << 20) + 1);
    home.llm(["config", "set", "model", "-"]).stdin(long).output().exits(2).says("a value may have 1 MiB at most");
    home.llm(["config", "get", "model"]).output().prints("from stdin\n");
}

#[test]
fn of_changes_at_once_none_is_lost() {
    let home = Home::new().config("# mine\n");
    let at_once = 12;
    std::thread::scope(|scope| {
        for i in 0..at_once {
            let home = &home;
            scope.spawn(move || {
                let (name, price) = (format!("a{i}"), format!("price.p{i}.input"));
                let args = if i % 2 == 0 { ["alias", "set", &name, "m"] } else { ["config", "set", &price, "1"] };
                home.llm(args).output().exits(0);
            });
        }
    });
    let text = text(&home);
    for i in 0..at_once {
        let entry = if i % 2 == 0 { format!("[alias.a{i}]") } else { format!("[price.p{i}]") };
        assert!(text.contains(&entry), "{entry}: {text}");
    }
}

#[test]
fn a_bad_value_changes_nothing() {
    let config = "model = \"m\"\n\n[alias.a]\nmodels = [\"m\"]\nretries = 1\n";
    let home = Home::new().config(config);
    for (args, said) in [
        (&["config", "set", "log", "sometimes"][..], "unknown variant `sometimes`"),
        (&["config", "set", "modle", "x"], "did you mean `model`?"),
        (&["config", "set", "gateway.openai.markup", "-3"], "markup"),
        (&["config", "set", "template.t.temperature", "3"], "temperature takes a number from 0 to 2"),
        (&["config", "set", "template.t.prompt", "{{ x"], "syntax error"),
        (&["config", "set", "model.x", "1"], "`model` is no table"),
        (&["config", "set", "a b", "1"], "is no key"),
        (&["config", "set", "default_gateway", "nowhere"], "no gateway is called `nowhere`"),
        (&["config", "unset", "alias.a.models"], "missing field"),
        (&["alias", "set", "a", "b", "nowhere::x"], "no gateway is called `nowhere`"),
        (&["alias", "set", "b", "b"], "leads back to itself"),
        (&["alias", "rm", "zzz"], "no alias is called `zzz`"),
        (&["models", "default", "nowhere::x"], "no gateway is called `nowhere`"),
        (&["template", "new", "t", "--prompt", "{{ x"], "syntax error"),
        (&["template", "edit", "t"], "no template is called `t`"),
    ] {
        let outcome = home.llm(args).output();
        assert_ne!(outcome.code(), Some(0), "{args:?} {outcome}");
        outcome.says(said).never_says("llm.toml:");
        assert_eq!(text(&home), config, "{args:?}");
    }
    // A mistake that is in the file already is named with its line there.
    let broken = "model = \"m\"\n[alias.a]\nmodels = [\"m\"]\nretries = 1\n[pipeline.p]\nsteps = [{name = \"s\", prompt = \"{{ nope }}\"}]\n";
    home.file("llm.toml", broken);
    for args in
        [&["config", "set", "log", "off"][..], &["alias", "rm", "a"], &["template", "new", "t", "--prompt", "x"]]
    {
        home.llm(args).output().exits(3).says("llm.toml:6");
        assert_eq!(text(&home), broken, "{args:?}");
    }
    home.file("llm.toml", config);
    let key = "sk-or-v1-fedcba98765432100123456789abcdef";
    home.llm(["config", "set", "gateway.openai.headers.X-Key", key]).output().exits(2).never_says("fedcba");
    assert_eq!(text(&home), config);
}

#[test]
fn the_default_model_is_kept_and_used() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let home = Home::with(&gateway).without_env("LLM_MODEL").config("# mine\n");
    home.llm(["models", "default"]).output().exits(2).says("which model?");
    home.llm(["models", "default", "best"]).output().exits(0).says("llm.toml");
    assert_eq!(text(&home), "# mine\nmodel = \"best\"\n");
    home.llm(["models", "default"]).output().exits(0).prints("best\n");
    home.llm(["hi there"]).output().exits(0);
    assert_eq!(gateway.request().model(), "best");
    let home = home.env("LLM_MODEL", "other");
    home.llm(["models", "default", "third"]).output().exits(0).says("LLM_MODEL is set and comes first");
}

#[test]
fn who_names_no_model_is_told_models_of_the_gateway() {
    let model = |id: &str, created: u64| json!({"id": id, "object": "model", "created": created});
    let list = json!({"object": "list", "data": [model("openai/gpt-5", 2), model("openai/gpt-4o", 1), model("deepseek/deepseek-chat", 3)]});
    let gateway = Gateway::by(move |request| match request.path.as_str() {
        "/v1/models" => Reply::json(200, &list),
        _ => Reply::stream(&["ok"]),
    });
    let home = Home::with(&gateway).without_env("LLM_MODEL");
    home.llm(["ask", "hi"]).output().exits(2).says("which model?");
    assert_eq!(gateway.requests().len(), 0, "a script is not made to wait for a list");
    home.llm(["models"]).output().exits(0);
    let outcome = home.llm(["ask", "hi"]).output();
    outcome.exits(2).says("env has 3 models, such as deepseek/deepseek-chat, openai/gpt-5;");
    outcome.says("`llm models default deepseek/deepseek-chat`");
}

#[test]
fn aliases_are_set_shown_and_removed() {
    let gateway = Gateway::by(|request| Reply::stream(&["by ", &request.model()]));
    let home = Home::with(&gateway).config("[alias.old]\nmodels = [\"x\"]\nretries = 3\n");
    home.llm(["alias", "set", "fast", "a,b", "--strategy", "fastest"]).output().exits(0).says("`-m fast`");
    home.llm(["alias", "set", "old", "y", "z"]).output().exits(0);
    assert_eq!(
        text(&home),
        "[alias.old]\nmodels = [\"y\", \"z\"]\nretries = 3\n\n[alias.fast]\nmodels = [\"a\", \"b\"]\nstrategy = \"fastest\"\n"
    );
    home.llm(["ask", "-m", "old", "hi"]).output().exits(0).prints("by y\n");
    let shown = home.llm(["alias", "show", "fast"]).output().exits(0).stdout();
    assert!(shown.starts_with("[alias.fast]\nmodels = [\"a\", \"b\"]\n"), "{shown}");
    let list = home.llm(["alias", "list", "-o", "json"]).output().json();
    assert_eq!(
        (&list[1]["alias"], &list[1]["models"], &list[1]["retries"]),
        (&json!("old"), &json!(["y", "z"]), &json!(3))
    );
    home.llm(["alias", "rm", "old"]).output().exits(0);
    home.llm(["alias", "show", "old"]).output().exits(3).says("llm alias set old MODEL");
}

#[test]
fn a_template_is_made_of_texts_and_removed() {
    let home = Home::new().config("# mine\n");
    let args =
        ["template", "new", "short", "--prompt", "Shorten:\n{{ input }}", "-m", "demo/quick", "--description", "d"];
    home.llm(args).output().exits(0).says("`llm ask --template short`");
    home.llm(args).output().exits(2).says("`llm template edit short`");
    home.llm(["ask", "-g", "demo", "-T", "short", "--dry-run", "a long text"]).output().exits(0);
    let shown = home.llm(["template", "show", "short", "-o", "json"]).output().json();
    assert_eq!((&shown["prompt"], &shown["needs_input"]), (&json!("Shorten:\n{{ input }}"), &json!(true)));
    home.llm(["template", "rm", "short"]).output().exits(0);
    assert_eq!(text(&home), "# mine\n");
}

/// Its limits hold for nobody otherwise, and nobody would know.
#[cfg(unix)]
#[test]
fn a_config_that_is_a_link_to_nothing_is_an_error() {
    let home = Home::new();
    let link = home.path().join("linked.toml");
    std::os::unix::fs::symlink(home.path().join("gone.toml"), &link).expect("linked");
    let usual = home.path().join("usual");
    let home = home.env("XDG_CONFIG_HOME", &usual);
    std::fs::create_dir_all(usual.join("llm")).expect("made");
    home.llm(["ask", "-g", "demo", "hi"]).output().exits(0);
    std::os::unix::fs::symlink(&link, usual.join("llm/config.toml")).expect("linked");
    for command in [&["ask", "-g", "demo", "hi"][..], &["config", "check"], &["config", "set", "model", "m"]] {
        home.llm(command)
            .output()
            .exits(3)
            .says("is a link to")
            .says("which is not there")
            .says("hint: make that file");
    }
}

#[cfg(unix)]
#[test]
fn a_template_is_made_and_changed_in_the_editor() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new().config("# mine\n[template.other]\nprompt = \"x\" # stays\n");
    let editor = home.file("editor", "#!/bin/sh\nsed -i \"$SED\" \"$1\"\n");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let home = home.env("EDITOR", editor);
    let run = |args: &[&str], sed: &str| home.llm(args).env("SED", sed).output();
    run(&["template", "new", "mine"], "s/^# temperature.*/temperature = 0.5/").exits(0);
    let shown = home.llm(["template", "show", "mine", "-o", "json"]).output().json();
    assert_eq!((&shown["temperature"], &shown["prompt"]), (&json!(0.5), &json!("{{ input }}")));
    run(&["template", "edit", "mine"], "s/0.5/0.75/").exits(0);
    assert!(text(&home).contains("temperature = 0.75") && text(&home).contains("# stays"), "{}", text(&home));
    let before = text(&home);
    run(&["template", "edit", "mine"], "").exits(0).says("nothing was changed");
    run(&["template", "edit", "mine"], "s/0.75/7/").exits(3).says("temperature takes");
    run(&["template", "edit", "mine"], "s/template.mine/template.new/").exits(3).says("[template.mine]");
    run(&["template", "edit", "mine"], "/^\\[/d").exits(3).says("[template.mine]");
    run(&["template", "edit", "mine"], "s/prompt =/prompt/").exits(3);
    assert_eq!(text(&home), before);
    assert_eq!(std::fs::read_dir(home.path().join("tmp")).expect("listed").count(), 0, "no text is left behind");
}
