//! `[template.NAME]` and `--template`: requests of the config with places to fill in.

use serde_json::{Value, json};

use crate::support::{Gateway, Home, Reply};

const CONFIG: &str = r#"
[task]
quick = "small"

[template.translate]
description = "Translate a text"
model = "large"
system = "You translate into {{ lang }}."
prompt = "Translate: {{ input }}!"
vars = { tone = "calm" }
temperature = 0.25
max_tokens = 50
stop = ["END"]
params = { top_k = 40 }

[template.commit]
task = "quick"
prompt = "Write a commit message."

[template.pirate]
system = "Speak like a pirate."

[template.city]
prompt = "Where is {{ input }}?"
schema = { type = "object", required = ["city"] }
"#;

fn home(gateway: &Gateway) -> Home {
    Home::with(gateway).config(CONFIG)
}

fn message(body: &Value, role: &str) -> String {
    let messages = body["messages"].as_array().expect("messages");
    let found = messages.iter().find(|message| message["role"] == role);
    found.map(|message| message["content"].as_str().expect("a text").to_owned()).unwrap_or_default()
}

#[test]
fn a_template_is_filled_in_and_brings_its_model_and_parameters() {
    let gateway = Gateway::always(Reply::stream(&["hola"]));
    let home = home(&gateway);
    home.llm(["ask", "--template", "translate", "--var", "lang=Spanish", "hello"]).output().exits(0).prints("hola\n");
    let body = gateway.request().json();
    assert_eq!(message(&body, "system"), "You translate into Spanish.");
    assert_eq!(message(&body, "user"), "Translate: hello!");
    assert_eq!((&body["model"], &body["temperature"], &body["top_k"]), (&json!("large"), &json!(0.25), &json!(40)));
    assert_eq!(body["stop"], json!(["END"]));
    assert_eq!(home.log()[0]["tags"]["template"], "translate");
}

#[test]
fn what_is_piped_in_is_the_input_and_stands_below_a_prompt_that_does_not_use_it() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let home = home(&gateway);
    let run = |args: &[&str], stdin: &str| {
        home.llm(args).stdin(stdin).output().exits(0);
        message(&gateway.requests().last().expect("a request").json(), "user")
    };
    assert_eq!(run(&["ask", "-T", "translate", "--var", "lang=x"], "hi\n"), "Translate: hi!");
    assert_eq!(run(&["ask", "-T", "commit"], "diff\n"), "Write a commit message.\n\ndiff");
    assert_eq!(run(&["ask", "-T", "commit", "In French."], "diff\n"), "Write a commit message.\n\nIn French.\n\ndiff");
    assert_eq!(run(&["ask", "-T", "commit", "-n"], "diff\n"), "Write a commit message.");
    assert_eq!(run(&["ask", "-T", "pirate"], "{{ not }} a template\n"), "{{ not }} a template");
    assert_eq!(gateway.requests()[1].model(), "small");
}

#[test]
fn flags_win_over_the_template() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let args = [
        "ask",
        "-T",
        "translate",
        "--var",
        "lang=x",
        "-m",
        "other",
        "-s",
        "mine",
        "--temperature",
        "1",
        "-p",
        "top_k=1",
        "hi",
    ];
    home(&gateway).llm(args).output().exits(0);
    let body = gateway.request().json();
    assert_eq!((message(&body, "system").as_str(), &body["model"]), ("mine", &json!("other")));
    assert_eq!((&body["temperature"], &body["top_k"], &body["stop"]), (&json!(1.0), &json!(1), &json!(["END"])));
}

#[test]
fn compare_fills_a_template_in_for_every_model() {
    let gateway = Gateway::by(|request| Reply::stream(&["by ", &request.model()]));
    let home = home(&gateway);
    home.llm(["compare", "-T", "translate", "--var", "lang=x", "-m", "a,b", "hi"]).output().exits(0);
    let mut models: Vec<String> = gateway.requests().iter().map(|request| request.model()).collect();
    models.sort();
    assert_eq!(models, ["a", "b"]);
    assert!(gateway.requests().iter().all(|request| request.prompt() == "Translate: hi!"));
    home.llm(["compare", "-T", "translate", "--var", "lang=x", "hi"]).output().exits(0);
    assert_eq!(gateway.requests()[2].model(), "large");
}

#[test]
fn the_schema_of_a_template_is_asked_for_and_checked() {
    let gateway = Gateway::in_turn([Reply::stream(&["{\"city\": 1}"]), Reply::stream(&["no"])]);
    let home = home(&gateway);
    home.llm(["ask", "-T", "city", "Oslo"]).output().exits(0);
    assert_eq!(gateway.requests()[0].json()["response_format"]["type"], "json_schema");
    home.llm(["ask", "-T", "city", "Oslo"]).output().exits(9);
}

#[test]
fn limits_and_allow_lists_hold_for_what_a_template_sets() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let limited = |more: &str| Home::with(&gateway).config(&format!("{CONFIG}{more}"));
    let ask = ["ask", "-T", "translate", "--var", "lang=x", "hi"];
    limited("[allow]\nLLM_API_KEY = [\"small\"]\n").llm(ask).output().exits(5).says("large");
    let budget = "[price.large]\ninput = 1000000\noutput = 1000000\n[[budget]]\nlimit = 1\nper = \"total\"\n";
    limited(budget).llm(ask).output().exits(5);
    limited("[price.large]\ninput = 1000000\noutput = 1\n").llm(ask).args(["--max-cost", "0.01"]).output().exits(5);
    assert_eq!(gateway.requests().len(), 0);
}

#[test]
fn what_cannot_be_filled_in_is_refused_before_anything_is_sent() {
    let gateway = Gateway::always(Reply::stream(&["ok"]));
    let home = home(&gateway);
    for (args, code, said) in [
        (&["ask", "-T", "translte", "hi"][..], 3, "did you mean `translate`?"),
        (&["ask", "-T", "translate", "hi"], 2, "needs a value for `lang`"),
        (&["ask", "-T", "translate", "--var", "lang=x"], 2, "needs input"),
        (&["ask", "-T", "translate", "--var", "lnag=x", "hi"], 2, "did you mean `lang`?"),
        (&["ask", "-T", "translate", "--var", "input=x", "hi"], 2, "no variable `input`"),
        (&["ask", "-T", "translate", "--var", "lang", "hi"], 2, "--var takes NAME=VALUE"),
        (&["ask", "--var", "lang=x", "hi"], 2, "--template"),
        (&["ask", "-T", "pirate", "--tag", "template=x", "hi"], 2, "reserved"),
    ] {
        home.llm(args).output().exits(code).says(said);
    }
    let broken = Home::with(&gateway).config("[template.x]\nprompt = \"{{ a\"\n");
    broken.llm(["config", "check"]).output().exits(3).says("llm.toml:2: template `x`: its prompt: syntax error");
    broken.llm(["ask", "-T", "x"]).output().exits(3);
    broken.llm(["ask", "hi"]).output().exits(0);
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn templates_are_listed_and_shown_and_what_is_shown_is_a_config() {
    let home = Home::new().config(CONFIG);
    let list = home.llm(["template", "list"]).output().exits(0).stdout();
    assert!(list.contains("lang, tone=calm") && list.contains("task quick"), "{list}");
    let json = home.llm(["template", "list", "-o", "json"]).output().json();
    assert_eq!(json[3]["variables"], json!({ "lang": null, "tone": "calm" }));
    assert_eq!((&json[1]["needs_input"], &json[3]["needs_input"]), (&json!(false), &json!(true)));
    let shown = home.llm(["template", "show", "translate"]).output().exits(0).stdout();
    assert!(shown.contains("# llm ask --template translate --var lang=… INPUT"), "{shown}");
    let city = home.llm(["template", "show", "city"]).output().exits(0).stdout();
    let again = Home::new().config(&format!("{shown}{city}"));
    for name in ["translate", "city"] {
        let before = home.llm(["template", "show", name, "-o", "json"]).output().json();
        assert_eq!(again.llm(["template", "show", name, "-o", "json"]).output().json(), before);
    }
    let settings = home.llm(["config", "show"]).output().exits(0).stdout();
    assert!(settings.contains("[template.translate]"), "{settings}");
    home.llm(["template", "show", "nothing"]).output().exits(3).says("known templates: city");
}
