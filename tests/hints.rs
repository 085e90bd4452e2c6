//! What the command says to those who mistype: the flag, the variable, the command that was meant.

use serde_json::json;

use crate::support::{Gateway, Home, KEY, Reply};

#[test]
fn a_mistyped_command_line_is_told_what_was_meant() {
    let home = Home::new().config("gateway = \"demo\"\n[set]\nfrontier = [\"a\"]\n");
    for (arguments, words) in [
        (&["aks", "hi"][..], "'ask'"),
        (&["ask", "hello", "world"], "quoted"),
        (&["compare", "--set", "x", "hi"], "known sets: frontier"),
        (&["usage", "--by", "tag"], "tag:NAME"),
        (&["log", "purge"], "--all"),
        (&["ask", "--timeout", "5x", "hi"], "--timeout"),
        (&["ask", "-s", "@nope", "hi"], "--system: cannot read nope"),
        (&["ask", "--tag", "x", "hi"], "--tag takes KEY=VALUE"),
        (&["ask", "-n"], "-n leaves stdin alone"),
        (&["ask", "-m", "a,b", "hi"], "llm compare -m a,b"),
        (&["ask", "--out", "/nope/x", "hi"], "No such file or directory"),
    ] {
        let outcome = home.llm(arguments).output();
        outcome.says(words);
        assert!(!outcome.stderr().contains("demo-gateway"), "{outcome}");
        assert_ne!(outcome.status.code(), Some(0), "{outcome}");
    }
    let hidden = home.llm(["demo-gatewa"]).output();
    assert!(!hidden.exits(2).stderr().contains("'demo-gateway'"), "{hidden}");
}

#[test]
fn a_refusal_with_status_200_is_told_by_every_command() {
    let refusal = "Invalid API key: nobody knows it";
    for (kind, body) in [
        ("application/json", json!({"error": {"message": refusal, "code": 401}}).to_string()),
        ("application/json", json!({"error": {"error": {"message": refusal}}}).to_string()),
        ("application/json", json!({"success": false, "message": refusal}).to_string()),
        ("application/json", json!({"code": "InvalidApiKey", "message": refusal, "request_id": "x"}).to_string()),
        ("application/json", json!(refusal).to_string()),
        ("text/plain", refusal.to_owned()),
        // It begins with the letter of a field of a stream.
        ("text/plain", format!("error: {refusal}\n")),
    ] {
        let gateway = Gateway::always(Reply::with_body(200, kind, &*body));
        let home = Home::new().env("CORP_KEY", KEY).config(&format!(
            "default_gateway = \"corp\"\nmodel = \"m\"\n[gateway.corp]\nbase_url = \"{}\"\nkey_env = [\"CORP_KEY\"]\n\
             price_provider = \"openrouter\"\n",
            gateway.base_url()
        ));
        home.file("rows.txt", "one\n");
        let batch = ["batch", "rows.txt", "{{ line }}", "--via", "api", "--out", "out.jsonl"];
        for arguments in
            [&["key", "test"][..], &["models"], &["models", "show", "m"], &["doctor"], &["usage", "--check"], &batch]
                .into_iter()
                .chain([&["ask", "hi"][..], &["ask", "hi", "--no-stream"], &["compare", "-m", "m,n", "hi"]])
        {
            let outcome = home.llm(arguments).output();
            let said = outcome.exits(4).stdout() + &outcome.stderr();
            assert!(said.contains("Invalid API key: nobody knows it") && !said.contains("base_url"), "{outcome}");
        }
    }
}

#[test]
fn nobody_waits_for_the_rest_of_a_stream_that_refuses_the_key() {
    let refusal = json!({"success": false, "message": "Invalid API key: nobody knows it"});
    let gateway = Gateway::always(Reply::sse().event(&refusal).hold());
    let home = Home::with(&gateway);
    // Without the end of the stream, the default limits would come first.
    home.llm(["ask", "hi", "--timeout", "40s"]).output().exits(4).says("Invalid API key: nobody knows it");
}

#[test]
fn what_can_be_done_about_a_failure_is_said_by_every_command() {
    let gateway = Gateway::by(|request| match &*request.model() {
        "good" => Reply::stream(&["ok"]),
        "large" => Reply::with_body(413, "text/plain", "too large"),
        _ => Reply::error(401, "nobody knows it"),
    });
    let home = Home::with(&gateway);
    home.file("rows.txt", "one\n");
    home.llm(["ask", "-m", "good", "hi"]).output().exits(0);
    for command in [&["compare", "hi"][..], &["rerun"], &["bench", "-n", "2"], &["batch", "rows.txt", "{{ line }}"]] {
        let outcome = home.llm(command).args(["-m", "bad"]).output();
        outcome.exits(4).says("hint: the gateway refused the key").says("`llm key test env` checks it");
        assert_eq!(outcome.stderr().matches("hint: ").count(), 1, "{outcome}");
        let outcome = home.llm(command).args(["-m", "large"]).output();
        outcome.says("hint: the request is larger than the gateway");
    }
    let busy = Gateway::by(|_| Reply::error_with(429, &[("retry-after", "90")], "later"));
    let many = Home::with(&busy).llm(["bench", "-m", "m", "-n", "20", "--retries", "0"]).output();
    assert_eq!(many.stderr().matches("hint: ").count(), 1, "{many}");
    #[cfg(unix)]
    home.shell("\"$llm\" compare -m good,bad hi 2>err | true; grep -c hint: err").output().prints("0\n");
    let home = Home::new().config(&format!(
        "default_gateway = \"open\"\n[gateway.open]\nbase_url = \"{}\"\nauth = \"none\"\n",
        gateway.base_url()
    ));
    let outcome = home.llm(["compare", "-m", "bad,worse", "hi"]).output();
    outcome.exits(4).says("401 access refused").says("no key was sent").never_says("key refused");
}

#[test]
fn help_is_a_command_too() {
    let home = Home::new();
    for (long, short) in [(&["help"][..], &["--help"][..]), (&["help", "log", "show"], &["log", "show", "--help"])] {
        let help = home.llm(short).output().exits(0).stdout();
        home.llm(long).output().exits(0).prints(&help);
    }
}

#[test]
fn a_variable_that_makes_no_sense_is_named() {
    Home::new().env("LLM_BASE_URL", "foo").llm(["ask", "hi"]).output().exits(3).says("LLM_BASE_URL: base_url");
    Home::new().env("LLM_DATA_DIR", "rel/dir").llm(["log"]).output().exits(3).says("LLM_DATA_DIR takes an absolute");
}

/// What LiteLLM without a database says of every key but its own.
fn no_database() -> Reply {
    let error = json!({"message": "No connected db.", "type": "no_db_connection", "param": null, "code": "400"});
    Reply::json(400, &json!({"error": error}))
}

#[test]
fn headers_in_the_place_of_the_key_are_blamed_for_it() {
    let gateway = Gateway::by(|request| match request.path.ends_with("/models") {
        true => Reply::json(200, &json!({"data": [{"id": "m"}]})),
        false => Reply::error(401, "Incorrect API key provided"),
    });
    let config = format!(
        "default_gateway = \"g\"\n[gateway.g]\nbase_url = \"{}\"\nkey_env = [\"TEST_KEY\"]\n\
         headers = {{ Authorization = \"Bearer another-one-of-the-config\" }}\n",
        gateway.base_url()
    );
    let home = Home::new().config(&config).env("TEST_KEY", "sk-never-sent-0123456789");
    let outcome = home.llm(["ask", "-m", "m", "hi"]).output();
    outcome.exits(4).says("the gateway refused what the headers of g in the config hold").never_says("TEST_KEY");
    home.llm(["key", "test", "g"]).output().exits(0).prints(
        "g takes what its headers in the config hold, which are sent in the place of a key, and lists 1 model\n",
    );
}

#[test]
fn a_refused_key_is_4_without_fallback_and_blamed_only_if_it_was_sent() {
    for reply in [Reply::error(401, "no"), Reply::error(403, "no"), no_database()] {
        let gateway = Gateway::always(reply);
        let home = Home::with(&gateway);
        home.llm(["ask", "--fallback", "other", "hi"]).output().exits(4).never_says("no key was sent");
        assert_eq!(gateway.requests().len(), 1, "no other model is asked with the same key");

        let keyless = Home::with(&gateway).without_env("LLM_API_KEY");
        for arguments in [&["ask", "hi"][..], &["models"]] {
            let outcome = keyless.llm(arguments).output();
            outcome.exits(4).says("no key was sent: `llm key set env`").never_says("refused the key");
        }
        let of_config = |more: &str| {
            let home = Home::new().config(&format!("[gateway.g]\nbase_url = \"{}\"\n{more}\n", gateway.base_url()));
            home.llm(["ask", "-m", "g::m", "hi"]).output()
        };
        of_config("auth = \"none\"").exits(4).says("auth = \"none\"").never_says("refused the key");
        of_config("auth = \"none\"\nheaders = { X-Api-Key = \"secret\" }").exits(4).says("the headers of g");
    }
    let gateway = Gateway::always(no_database());
    Home::with(&gateway).llm(["ask", "hi"]).output().exits(4).says("the gateway refused the key");
}

#[test]
fn what_a_gateway_cannot_take_or_will_not_take_for_long_is_said_in_plain_words() {
    let large = Gateway::always(Reply::with_body(413, "text/html", "<html><title>413 Too Large</title></html>"));
    Home::with(&large).llm(["ask", "hi"]).output().exits(1).says("send less, or smaller attachments");
    let busy = Gateway::always(Reply::error_with(429, &[("retry-after", "20000000")], "later"));
    Home::with(&busy).llm(["ask", "hi"]).output().exits(6).says("come back in 231 d 11 h");
    assert_eq!(busy.requests().len(), 1);
    // Time since an epoch is no time to wait.
    let confused = Gateway::always(Reply::error_with(429, &[("retry-after", "2300979581")], "later"));
    Home::with(&confused).llm(["ask", "--retries", "1", "hi"]).output().exits(6).never_says("come back");
    assert_eq!(confused.requests().len(), 2);
}

#[test]
fn a_redirect_is_told_with_its_target() {
    for (location, target) in
        [("https://sso.example/login?next=x", "https://sso.example;"), ("/login?next=x", "its own path /login;")]
    {
        let gateway = Gateway::always(Reply::with_headers(302, &[("location", location)], ""));
        for arguments in [&["ask", "hi"][..], &["models"]] {
            let outcome = Home::with(&gateway).llm(arguments).output();
            outcome.exits(1).says(&format!("redirects to {target}")).never_says("next");
        }
    }
    let head =
        |location: &str| format!("HTTP/1.1 302 Found\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n");
    for (location, said) in [
        ("Location: https://sso.example/\u{e9}t\u{e9}\r\n", "redirects to https://sso.example;"),
        ("Location: /\u{e9}t\u{e9}\r\n", "redirects to its own path /%C3%A9t%C3%A9;"),
        ("", "redirects, and does not say where;"),
    ] {
        let gateway = Gateway::always(Reply::raw(head(location)).close());
        Home::with(&gateway).llm(["ask", "hi"]).output().exits(1).says(said);
    }
}

#[test]
fn each_gateway_is_named_where_they_ask_for_different_waits() {
    let (soon, late) = (
        Gateway::always(Reply::error_with(429, &[("retry-after", "900")], "slow")),
        Gateway::always(Reply::error_with(429, &[("retry-after", "7200")], "slow")),
    );
    let gateway = |name: &str, gateway: &Gateway| {
        format!("[gateway.{name}]\nbase_url = \"{}\"\nauth = \"none\"\n", gateway.base_url())
    };
    let home = Home::new().config(&(gateway("soon", &soon) + &gateway("late", &late)));
    let outcome = home.llm(["compare", "-m", "soon::m,late::m", "hi"]).output();
    outcome.exits(6).says("hint: soon asks to come back in 15 m").says("hint: late asks to come back in 2 h");
    let outcome = home.llm(["compare", "-m", "soon::m,soon::n", "hi"]).output();
    outcome.exits(6).says("hint: the gateway asks to come back in 15 m");
}
