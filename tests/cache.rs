//! The answer cache: the same question to the same model twice is one request.

use crate::support::{Gateway, Home, KEY, Reply};

fn usage() -> Reply {
    Reply::sse().role().text("Hello.").finish("stop").usage(1_000, 1_000).done()
}

const PRICE: &str = "[price.test-model]\ninput = 1\noutput = 2\n";

// L24
#[test]
fn the_second_time_takes_no_request_no_key_and_no_money() {
    let gateway = Gateway::always(usage());
    let home = Home::with(&gateway).config(PRICE);
    let first = home.llm(["ask", "--cache", "-o", "json", "hi"]).output().exits(0).json();
    assert_eq!((&first["cached"], &first["saved"]), (&false.into(), &().into()));
    let second = home.llm(["ask", "--cache", "-o", "json", "hi"]).output().exits(0).json();
    assert_eq!(
        (&second["cached"], &second["text"], &second["usage"]),
        (&true.into(), &"Hello.".into(), &first["usage"])
    );
    assert_eq!((second["cost"]["usd"].to_string(), second["saved"]["usd"].to_string()), ("0".into(), "0.003".into()));
    assert_eq!(second["attempts"], serde_json::json!([]));
    home.llm(["ask", "--cache", "--stats", "hi"]).output().exits(0).prints("Hello.\n").says("cached, saved ~$0.003");
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn what_the_gateway_told_is_saved_exactly_although_no_tokens_are_known() {
    let usage = serde_json::json!({"cost": 0.25});
    let answer = Reply::sse().role().text("Hello.").finish("stop").usage_json(&usage).done();
    let gateway = Gateway::always(answer);
    let home = Home::with(&gateway);
    let ask = || home.llm(["ask", "--cache", "--stats", "hi"]).output();
    ask().exits(0);
    ask().exits(0).says("cached, saved $0.25");
    let saved = &home.log()[0]["saved"];
    assert_eq!((saved["usd"].to_string(), &saved["partial"]), ("0.25".into(), &().into()), "{saved}");
    let used = home.llm(["usage"]).output();
    assert!(used.exits(0).stdout().contains("caches saved $0.25"), "{used}");
}

#[test]
fn the_second_time_tells_the_same_log_probabilities() {
    let token = serde_json::json!({"token": "Hi", "logprob": -0.0026326179503142833, "top_logprobs": []});
    let choice = serde_json::json!({"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [token]}});
    let answer = Reply::sse().role().event(&serde_json::json!({"choices": [choice]})).finish("stop").done();
    let gateway = Gateway::always(answer);
    let home = Home::with(&gateway);
    let ask = || home.llm(["ask", "--cache", "--logprobs", "-o", "json", "hi"]).output().exits(0).json();
    let (first, second) = (ask(), ask());
    assert_eq!(first["logprobs"][0]["logprob"].to_string(), "-0.0026326179503142833");
    assert_eq!((&second["cached"], &second["logprobs"]), (&true.into(), &first["logprobs"]));
    // The ledger does not keep them.
    let shown = home.llm(["log", "show", "-o", "json"]).output().exits(0).json();
    assert_eq!((&shown["text"], &shown["logprobs"]), (&"Hi".into(), &().into()));
    // Asked for in another way, it is another question.
    home.llm(["ask", "--cache", "--logprobs=1", "hi"]).output().exits(0);
    assert_eq!(gateway.requests().len(), 2);
    assert_eq!(gateway.requests()[1].json()["top_logprobs"], 1);
}

#[test]
fn it_is_only_used_where_it_is_wanted() {
    let gateway = Gateway::always(usage());
    let home = Home::with(&gateway);
    for _ in 0..2 {
        home.llm(["ask", "hi"]).output().exits(0);
    }
    let home = home.config("[cache]\nenabled = true\nttl = \"7d\"\nmax_size = \"1MiB\"\n");
    for arguments in [["ask", "hi", "-q"], ["ask", "hi", "-q"], ["ask", "hi", "--no-cache"], ["ask", "ho", "-q"]] {
        home.llm(arguments).output().exits(0);
    }
    assert_eq!(gateway.requests().len(), 2 + 1 + 1 + 1);
}

// L24
#[cfg(unix)]
#[test]
fn the_second_time_asks_nobody_for_a_key_and_opens_no_connection() {
    let gateway = Gateway::always(usage());
    let home = Home::new();
    let asked = home.path().join("asked");
    let config = format!(
        "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"{}\"\n\
         key_command = [\"sh\", \"-c\", \"echo >> {}; echo {KEY}\"]\n",
        gateway.base_url(),
        asked.display()
    );
    let home = home.config(&config);
    home.may_hold_the_key("llm.toml");
    home.llm(["ask", "--cache", "-m", "m", "hi"]).output().exits(0);
    // Whoever still asks finds nobody.
    drop(gateway);
    home.llm(["ask", "--cache", "-m", "m", "hi"]).output().exits(0).prints("Hello.\n");
    assert_eq!(std::fs::read_to_string(asked).expect("asked once"), "\n");
}

// L25
#[test]
fn another_key_or_gateway_has_its_own_answers() {
    let (one, two) = (Gateway::always(usage()), Gateway::always(usage()));
    let home = Home::with(&one);
    home.llm(["ask", "--cache", "hi"]).output().exits(0);
    home.llm(["ask", "--cache", "hi"]).env("LLM_API_KEY", format!("{KEY}-another")).output().exits(0);
    home.llm(["ask", "--cache", "hi"]).env("LLM_BASE_URL", two.base_url()).output().exits(0);
    assert_eq!((one.requests().len(), two.requests().len()), (2, 1));
}

#[test]
fn it_can_be_looked_at_and_emptied() {
    let gateway = Gateway::always(usage());
    let home = Home::with(&gateway);
    home.llm(["cache", "clear"]).output().exits(0).prints("forgot 0 answers, 0 B\n");
    home.llm(["compare", "--cache", "-m", "a,b", "hi"]).output().exits(0);
    let stats = home.llm(["cache", "stats", "-o", "json"]).output().exits(0).json();
    assert_eq!(stats["answers"], 2);
    home.llm(["cache", "clear"]).output().exits(0);
    assert_eq!(home.llm(["cache", "stats", "-o", "json"]).output().json()["answers"], 0);
}

#[test]
fn an_answer_that_fails_its_schema_is_asked_for_again() {
    let gateway = Gateway::in_turn([Reply::stream(&["{}"]), Reply::stream(&["{\"city\":\"Oslo\"}"])]);
    let home = Home::with(&gateway);
    let schema = home.file("schema.json", r#"{"type":"object","required":["city"]}"#);
    let ask = || home.llm(["ask", "--cache", "hi", "--schema"]).arg(&schema).output();
    ask().exits(9);
    ask().exits(0).prints("{\"city\":\"Oslo\"}\n");
    ask().exits(0).prints("{\"city\":\"Oslo\"}\n");
    assert_eq!(gateway.requests().len(), 2, "what follows the schema is kept");
}

// L23
#[cfg(unix)]
#[test]
fn many_processes_share_one_answer() {
    let gateway = Gateway::always(usage());
    let home = Home::with(&gateway);
    let script = "seq 32 | xargs -P 32 -I{} \"$llm\" ask --cache hi";
    let outcome = home.shell(script).output();
    outcome.exits(0);
    assert_eq!(outcome.stdout().matches("Hello.").count(), 32, "{outcome}");
    let stats = home.llm(["cache", "stats", "-o", "json"]).output().json();
    assert_eq!(stats["answers"], 1);
    assert!(gateway.requests().len() <= 32);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = Gateway::always(usage());
    let home = Home::with(&gateway);
    home.shell("umask 000; \"$llm\" ask --cache hi").output().exits(0);
    let answers: Vec<_> = home.files().into_iter().filter(|path| path.to_string_lossy().contains("answers")).collect();
    assert_eq!(answers.len(), 1);
    let mode = |path: &std::path::Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&answers[0]), 0o600);
    assert_eq!(mode(answers[0].parent().expect("a directory")), 0o700);
}

#[test]
fn who_repeats_wants_to_measure_and_gets_no_answer_twice() {
    let gateway = Gateway::always(usage());
    let home = Home::with(&gateway).config("[cache]\nenabled = true\n");
    let repeat = ["compare", "-m", "a,b", "--repeat", "3", "-o", "json", "hi"];
    for (flags, said) in [(&["--cache"][..], true), (&[], false)] {
        let before = gateway.requests().len();
        let outcome = home.llm(repeat).args(flags).output();
        let answers = outcome.exits(0).json();
        assert_eq!(gateway.requests().len() - before, 6);
        assert!(answers["answers"].as_array().is_some_and(|all| all.iter().all(|answer| answer["cached"] == false)));
        assert_eq!(outcome.stderr().contains("the answer cache is not used"), said, "{outcome}");
    }
    assert_eq!(home.llm(["cache", "stats", "-o", "json"]).output().json()["answers"], 0);
}
