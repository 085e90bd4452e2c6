//! The commands that set `llm` up: config, completions, manual, doctor.

use crate::support::{Gateway, Home, KEY, Reply};

#[test]
fn a_new_config_makes_sense_and_is_never_replaced_unasked() {
    let home = Home::new();
    let path = ["config", "llm", "config.toml"].iter().fold(home.path().to_owned(), |path, name| path.join(name));
    let shown = format!("{}\n", path.display());
    home.llm(["config", "path"]).output().exits(0).prints(&shown);
    home.llm(["config", "init"]).output().exits(0).prints(&shown);
    home.llm(["config", "check"]).output().exits(0);
    std::fs::write(&path, "model = \"mine\"\n").expect("a file");
    home.llm(["config", "init"]).output().exits(2).says("--force");
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "model = \"mine\"\n");
}

#[test]
fn a_new_config_that_cannot_be_written_leaves_the_old_one() {
    let mine = "# mine\nmodel = \"demo/quick\"\n";
    let home = Home::new().config(mine);
    let path = home.path().join("llm.toml");
    let before = std::fs::read_dir(home.path()).expect("a directory").count();
    home.shell("ulimit -f 1; exec \"$llm\" config init --force").output().exits(74);
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), mine);
    assert_eq!(std::fs::read_dir(home.path()).expect("a directory").count(), before, "nothing is left over");
    home.llm(["config", "init", "--force"]).output().exits(0);
    assert_ne!(std::fs::read_to_string(&path).expect("a file"), mine);
}

#[cfg(feature = "postgres")]
#[test]
fn the_address_of_a_store_that_cannot_be_read_is_named_with_its_line() {
    let home = Home::new().config("model = \"m\"\n[store]\nurl = \"postgres://me:s3cret@h:99999/d\"\n");
    for arguments in [&["config", "check"][..], &["log"], &["usage", "--budgets"]] {
        let outcome = home.llm(arguments).output();
        outcome.exits(3).says("llm.toml:3: the url of [store]");
        assert!(!outcome.stderr().contains("s3cret"), "{}", outcome.stderr());
    }
    let of_env = home.llm(["config", "check"]).env("LLM_STORE_URL", "mysql://x").output();
    of_env.exits(3).says("LLM_STORE_URL: the url of [store]");
    home.llm(["config", "check"]).env("LLM_STORE_URL", "postgres://h/d").output().exits(0);
    home.llm(["config", "set", "store.url", "mysql://x/y"]).output().exits(3).says("[store]");
}

// P16
#[test]
fn a_config_that_makes_no_sense_is_3_wherever_it_is_read() {
    let home = Home::new().config("model = 3\n");
    for arguments in [&["config", "check"][..], &["config", "show"], &["models"], &["key", "list"]] {
        home.llm(arguments).output().exits(3).says("llm.toml:1");
    }
    // What cannot depend on it goes on.
    home.llm(["config", "path"]).output().exits(0);
    home.llm(["--help"]).output().exits(0);
}

// S22
#[test]
fn nothing_that_is_shown_holds_a_key() {
    let gateway = Gateway::always(Reply::error(401, &format!("bad key {KEY}")));
    let home = Home::with(&gateway);
    let commands = [
        &["config", "show"][..],
        &["key", "list"],
        &["key", "show", "env"],
        &["key", "test", "env"],
        &["doctor"],
        &["doctor", "-o", "json"],
        &["models"],
    ];
    for arguments in commands {
        let outcome = home.llm(arguments).output();
        assert!(!format!("{outcome}").contains(KEY), "{arguments:?}\n{outcome}");
    }
}

#[test]
fn the_config_is_shown_without_what_headers_say() {
    let home = Home::new().config(&format!(
        "[gateway.corp]\nbase_url = \"https://corp.example/v1\"\nheaders = {{ X-Secret = \"{KEY}\" }}\n"
    ));
    home.may_hold_the_key("llm.toml");
    let outcome = home.llm(["config", "show"]).output();
    outcome.exits(0);
    assert!(outcome.stdout().contains("https://corp.example/v1") && !outcome.stdout().contains(KEY), "{outcome}");
}

/// Every kind of name that a config gives, as `"NAME"`.
const NAMES: &str = r#"
[gateway."NAME"]
base_url = "http://127.0.0.1:9/v1"
auth = "none"
model_api = { "NAME" = "anthropic" }
[set]
"NAME" = ["m"]
[alias."NAME"]
models = ["m"]
[task]
"NAME" = "m"
[allow]
"NAME" = ["m"]
[price."NAME"]
input = 1
[[budget]]
limit = 1
per = "day"
name = "NAME"
match = { key = "NAME", tag."NAME" = "NAME" }
[template."NAME"]
prompt = "{{ input }}"
params = { "NAME" = { "NAME" = 1 } }
[pipeline."NAME"]
steps = [{ name = "a", prompt = "x" }]
"#;

#[test]
fn settings_are_shown_as_toml_whatever_names_there_are() {
    let names = [
        ("two\\nlines", "two\nlines"),
        ("the \\\"big\\\" model's", "the \"big\" model's"),
        ("a.b c", "a.b c"),
        ("a\\u0001b\\r", "a\u{1}b\r"),
    ];
    for (written, name) in names {
        let home = Home::new().config(&NAMES.replace("NAME", written));
        home.llm(["config", "check"]).output().exits(0);
        home.llm(["config", "get", &format!("gateway.\"{written}\".auth")]).output().exits(0).prints("none\n");
        let parse =
            |text: String| text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{name:?}: {error}\n{text}"));
        let all = parse(home.llm(["config", "show"]).output().exits(0).stdout());
        for table in ["gateway", "set", "alias", "task", "allow", "price", "template", "pipeline"] {
            assert!(all[table].get(name).is_some(), "{table} {name:?}\n{all}");
        }
        assert!(all["gateway"][name]["model_api"].get(name).is_some(), "{name:?}\n{all}");
        assert!(all["template"][name]["params"][name].get(name).is_some(), "{name:?}\n{all}");
        for command in ["alias", "template"] {
            let one = parse(home.llm([command, "show", name]).output().exits(0).stdout());
            assert!(one[command].get(name).is_some(), "{name:?}\n{one}");
        }
    }
}

#[cfg(unix)]
#[test]
fn settings_are_shown_as_toml_where_the_path_of_the_config_has_two_lines() {
    let home = Home::new();
    let path = home.file("two\nlines.toml", "model = \"m\"\n");
    home.llm(["config", "get", "model"]).env("LLM_CONFIG", path).output().exits(0).prints("m\n");
}

#[test]
fn the_doctor_tells_a_gateway_that_answers_from_one_that_does_not() {
    let models = serde_json::json!({"object": "list", "data": [{"id": "m", "object": "model"}]});
    let well = Gateway::by(move |request| match request.path.as_str() {
        "/v1/models" => Reply::json(200, &models),
        _ => Reply::stream(&["Hello."]),
    });
    Home::with(&well).llm(["doctor"]).output().exits(0);
    let ill = Gateway::always(Reply::error(401, "no such key"));
    let outcome = Home::with(&ill).llm(["doctor"]).output();
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    assert!(outcome.stdout().contains("no such key"), "{outcome}");
}

#[test]
fn the_doctor_finds_what_is_wrong_with_the_config() {
    let check = |home: &Home| {
        let outcome = home.llm(["doctor", "-o", "json"]).output();
        outcome.exits(3).says("");
        let config = outcome.json()[0].clone();
        assert_eq!((&config["name"], &config["outcome"]), (&"config".into(), &"failed".into()), "{outcome}");
        config["detail"].as_str().expect("a text").to_owned()
    };
    let home = Home::new().config("modle = \"m\"\n");
    assert!(check(&home).contains("llm.toml:1"), "{}", check(&home));
    home.llm(["doctor"]).output().exits(3);
    assert!(home.llm(["doctor"]).output().stdout().contains("hint: did you mean `model`?"));
    let pipeline = "[pipeline.p]\nsteps = [{ name = \"a\", prompt = \"{{ b }}\" }]\n";
    let home = Home::new().config(&format!("default_gateway = \"demo\"\n{pipeline}"));
    assert!(check(&home).contains("its prompt uses `b`"), "{}", check(&home));
}

#[test]
fn the_doctor_warns_of_a_ledger_that_cannot_be_read() {
    let home = Home::new();
    let data = |home: &Home| {
        let checks = home.llm(["doctor", "-g", "demo", "-o", "json"]).output().json();
        checks.as_array().expect("checks").iter().find(|check| check["name"] == "data").expect("data").clone()
    };
    assert_eq!(data(&home)["outcome"], "ok");
    home.llm(["ask", "-g", "demo", "-m", "demo/quick", "hi"]).output().exits(0);
    assert_eq!(data(&home)["outcome"], "ok");
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(home.path().join(format!("data/ledger.db{suffix}"))));
    }
    home.file("data/ledger.db", "this is no database");
    let check = data(&home);
    assert_eq!(check["outcome"], "warning", "{check}");
    assert!(check["detail"].to_string().contains("ledger.db") && check["hint"].is_string(), "{check}");
}

// S08
#[cfg(unix)]
#[test]
fn the_doctor_warns_of_secrets_in_a_config_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let secret =
        format!("[gateway.corp]\nbase_url = \"http://127.0.0.1:9/v1\"\nheaders = {{ X-Team-Token = \"{KEY}\" }}\n");
    let plain = secret.replace("X-Team-Token", "X-Team").replace(KEY, "search");
    let of_store = |address: &str| format!("[store]\nurl = \"postgres://{address}@127.0.0.1/llm\"\n");
    let otel = "[otel]\nendpoint = \"http://127.0.0.1:4318\"\nheaders = { authorization = \"Bearer x\" }\n".to_owned();
    let command = |word: &str| {
        format!("[gateway.corp]\nbase_url = \"http://127.0.0.1:9/v1\"\nkey_command = [\"echo\", \"{word}\"]\n")
    };
    for (config, mode, outcome) in [
        (&secret, 0o644, "warning"),
        (&secret, 0o640, "warning"),
        (&secret, 0o600, "ok"),
        (&plain, 0o644, "ok"),
        (&of_store("llm:password"), 0o644, "warning"),
        (&of_store("llm"), 0o644, "ok"),
        (&otel, 0o644, "warning"),
        (&command(KEY), 0o644, "warning"),
        (&command("a-file"), 0o644, "ok"),
    ] {
        let home = Home::new().config(config);
        home.may_hold_the_key("llm.toml");
        let file = home.path().join("llm.toml");
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).expect("permitted");
        let check = home.llm(["doctor", "-o", "json"]).output().json()[0].clone();
        assert_eq!((&check["name"], &check["outcome"]), (&"config".into(), &outcome.into()), "{mode:o}: {check}");
        assert_eq!(check["hint"].as_str().is_some_and(|hint| hint.starts_with("chmod 600 ")), outcome == "warning");
    }
}

#[test]
fn the_doctor_sends_nobody_to_the_doctor() {
    let elsewhere = Gateway::always(Reply::with_body(200, "text/html", "<html>Welcome</html>"));
    let outcome = Home::with(&elsewhere).llm(["doctor"]).output();
    let page = outcome.exits(1).stdout();
    assert!(page.contains("llm config show") && !page.contains("llm doctor"), "{page}");
}

#[test]
fn every_shell_gets_completions_and_everybody_a_manual() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let outcome = home.llm(["completions", shell]).output();
        assert!(outcome.exits(0).stdout().contains("LLM_COMPLETE"), "{outcome}");
    }
    let outcome = home.llm(["man"]).output();
    assert!(outcome.exits(0).stdout().contains(".TH llm 1"), "{outcome}");
}
