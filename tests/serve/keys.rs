//! The keys of clients and what limits them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Server, home};
use crate::support::{Gateway, Home, KEY, Reply};

#[test]
fn a_missing_or_wrong_key_is_401_on_every_path() {
    let gateway = Gateway::always(Reply::unary("no"));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    for path in [
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/embeddings",
        "/v1/completions",
        "/v1beta/models/m:generateContent",
        "/v1/models/m:streamGenerateContent",
    ] {
        for headers in [
            &[][..],
            &[("authorization", "Bearer lk-wrong")],
            &[("x-api-key", "lk-wrong")],
            &[("authorization", "Bearer ")],
        ] {
            let answer = server.open("POST", path, headers, br#"{"model":"m"}"#).answer();
            assert_eq!(answer.status, 401, "{path} {headers:?}");
            let said = answer.json();
            // Google's stream without `alt=sse` is a list.
            assert!(said.get(0).unwrap_or(&said)["error"].is_object());
        }
    }
    for path in ["/v1/models", "/v1beta/models", "/v1/models/m", "/metrics"] {
        assert_eq!(server.open("GET", path, &[], b"").answer().status, 401, "{path}");
    }
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(server.open("GET", path, &[], b"").answer().status, 200, "{path}");
    }
    assert!(gateway.requests().is_empty());
}

#[test]
fn models_outside_of_a_key_are_refused_without_a_request() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[alias.fast]\nmodels = [\"big-1\", \"small-2\"]\n");
    let key = Server::new_key(&home, "bot", &["--models", "small-*,fast", "--refuse", "small-secret"]);
    let server = Server::start(&home, &[]);
    assert!(server.key.is_empty(), "there is a key already");
    assert_eq!(server.ask(&key, "small-1").status, 200);
    let through_alias = server.ask(&key, "fast");
    assert_eq!(
        (through_alias.status, through_alias.header("x-llm-model")),
        (200, Some("big-1")),
        "whoever may use an alias"
    );
    for model in ["big-1", "small-secret", "up::big-1"] {
        let answer = server.ask(&key, model);
        assert_eq!(answer.status, 403, "{model}: {}", answer.text());
        assert!(answer.text().contains("the key bot may not be used for"), "{}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!((&error["type"], &error["code"]), (&"permission_error".into(), &"model_not_allowed".into()));
    }
    let body = r#"{"model":"big-1","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let messages = server.send(&key, "/v1/messages", &[], body);
    assert_eq!((messages.status, &messages.json()["error"]["type"]), (403, &"permission_error".into()));
    let gemini = server.send(&key, "/v1beta/models/big-1:generateContent", &[], r#"{"contents":[]}"#).json();
    assert_eq!(gemini["error"]["status"], "PERMISSION_DENIED", "{gemini}");
    assert_eq!(gateway.requests().len(), 2);
}

#[test]
fn no_field_leads_a_key_to_another_model_than_it_may_use() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[alias.fast]\nmodels = [\"small-2\"]\n");
    let keys = [
        Server::new_key(&home, "listed", &["--models", "small-*,fast"]),
        Server::new_key(&home, "barred", &["--refuse", "dear"]),
    ];
    let free = Server::new_key(&home, "free", &[]);
    let server = Server::start(&home, &[]);
    let ask = |key: &str, model: &str, field: &str| {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}],{field}}}"#);
        server.send(key, "/v1/chat/completions", &[], body)
    };
    for field in [
        r#""tools":[{"type":"image_generation","model":"dear"}]"#,
        r#""tools":[{"type":"function","Type":"fusion","parameters":{"models":["dear"]}}]"#,
        r#""plugins":[{"id":"auto-router","allowed_models":["dear"]}]"#,
        r#""providerOptions":{"gateway":{"models":["dear"]}}"#,
        r#""config":{"targets":[{"override_params":{"model":"dear"}}]}"#,
    ] {
        for (key, model) in [(&keys[0], "small-1"), (&keys[0], "fast"), (&keys[1], "small-1")] {
            let answer = ask(key, model, field);
            assert_eq!(answer.status, 403, "{field}: {}", answer.text());
            assert!(answer.text().contains("names a model of its own"), "{}", answer.text());
        }
        assert_eq!(ask(&free, "small-1", field).status, 200, "{field}");
    }
    assert_eq!(gateway.requests().len(), 5);
    for name in [
        "backup_models",
        "alternate_models",
        "model_name",
        "override_params",
        "deployment_id",
        "engine",
        "preset",
        "fallback",
        "fallback_models",
        "litellm_params",
    ] {
        let answer = ask(&free, "small-1", &format!(r#""{name}":"dear""#));
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
    }
    for spelling in ["DEAR", "dear:nitro", "dear?x", "dear\u{200b}", "vendor/dear"] {
        assert_eq!(ask(&keys[1], spelling, r#""n":1"#).status, 403, "{spelling}");
    }
    for preset in ["@preset/dear", "small-1@preset/dear", "small-1,dear"] {
        assert_eq!(ask(&free, preset, r#""n":1"#).status, 400, "{preset}");
    }
    let function = r#""tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"model":{}}}}}]"#;
    assert_eq!(ask(&keys[0], "small-1", function).status, 200);
    let gemini = |model: &str| {
        let body = format!(r#"{{"model":"{model}","contents":[{{"parts":[{{"text":"hi"}}]}}]}}"#);
        server.send(&keys[0], "/v1beta/models/small-1:generateContent", &[], body).status
    };
    assert_eq!((gemini("models/dear"), gemini("models/small-1")), (400, 400), "the second cannot be translated");
}

#[test]
fn each_prompt_of_a_list_is_reserved() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    // Two USD a million: a hundred tokens of a thousand answers are 0.2 USD.
    let key = Server::new_key(&home, "bot", &["--budget", "0.15/day"]);
    let server = Server::start(&home, &[]);
    let complete = |prompts: usize| {
        let body = json!({"model": "m", "max_tokens": 100, "prompt": vec!["a"; prompts]});
        server.send(&key, "/v1/completions", &[], body.to_string())
    };
    let refused = complete(1_000);
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(gateway.requests().is_empty());
    assert_eq!(complete(100).status, 200);
}

// H25
#[test]
fn a_text_that_the_gateway_does_not_count_is_not_free() {
    let choice = json!({"index": 0, "text": "a long text", "finish_reason": "stop"});
    let body = |usage: &Value| json!({"id": "c", "object": "text_completion", "model": "m", "choices": [choice], "usage": usage});
    for usage in [json!({"prompt_tokens": 9, "completion_tokens": 0}), json!({"prompt_tokens": 9})] {
        for stream in [false, true] {
            let reply = if stream { Reply::sse().event(&body(&usage)).done() } else { Reply::json(200, &body(&usage)) };
            let gateway = Gateway::always(reply);
            let home = home(&gateway, "openai-chat");
            let key = Server::new_key(&home, "bot", &["--budget", "1/day"]);
            let server = Server::start(&home, &[]);
            let asked = json!({"model": "m", "prompt": "a", "max_tokens": 1_000, "stream": stream});
            let answer = server.send(&key, "/v1/completions", &[], asked.to_string());
            assert_eq!((answer.status, answer.header("x-llm-cost-usd")), (200, None), "{usage}");
            drop(server);
            let balances = home.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json();
            // Two USD a million.
            assert!(balances[0]["estimated_usd"].as_f64().is_some_and(|usd| usd >= 0.002), "{usage}: {balances}");
        }
    }
}

#[test]
fn a_spent_budget_refuses_in_the_words_of_each_format() {
    // Nine tokens in and four out, at 1 and 2 USD a million.
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let key = Server::new_key(&home, "bot", &["--budget", "0.00025/day,1/total"]);
    let server = Server::start(&home, &[]);
    let body = |n: u8| format!(r#"{{"model":"m","max_tokens":50,"messages":[{{"role":"user","content":"{n}"}}]}}"#);
    let first = server.send(&key, "/v1/chat/completions", &[], body(1));
    assert_eq!((first.status, first.header("x-llm-cost-usd")), (200, Some("0.000017")), "{}", first.text());
    let mut refused = None;
    for n in 2..40 {
        let answer = server.send(&key, "/v1/chat/completions", &[], body(n));
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the budget is spent");
    let error = &refused.json()["error"];
    assert_eq!((refused.status, &error["code"]), (429, &json!("insufficient_quota")), "{error}");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("a day for key bot") && message.contains("it begins anew at"), "{message}");
    let sent = gateway.requests().len();
    let anthropic = server.send(&key, "/v1/messages", &[], body(1));
    assert_eq!(
        (anthropic.status, &anthropic.json()["error"]["type"]),
        (402, &json!("billing_error")),
        "{}",
        anthropic.text()
    );
    assert_eq!(gateway.requests().len(), sent, "a refusal costs no request");
}

// L08, V07
#[cfg(unix)]
#[test]
fn what_is_left_of_the_budgets_of_keys_can_be_looked_at() {
    // Nine tokens in and four out, at 1 and 2 USD a million.
    let gateway = Gateway::by(|request| match request.prompt().as_str() {
        "hang" => Reply::silence().hold(),
        _ => Reply::unary("yes"),
    });
    let home = home(&gateway, "openai-chat");
    let none = home.llm(["usage", "--budgets"]).output();
    none.exits(0).says("no budget is set");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file("llm.toml", config + "[key_class.free]\nbudgets = [\"2/month\"]\n");
    let key = Server::new_key(&home, "bot", &["--budget", "0.01/day,1/total"]);
    for (name, rules) in [("of-class", &["--class", "free"][..]), ("unlimited", &[]), ("over", &["--budget", "1/day"])]
    {
        Server::new_key(&home, name, rules);
    }
    home.llm(["serve", "key", "revoke", "over"]).output().exits(0);
    let server = Server::start(&home, &[]);
    let body = |text: &str| json!({"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": text}]});
    assert_eq!(server.send(&key, "/v1/chat/completions", &[], body("hi").to_string()).status, 200);
    let hanging = server.open(
        "POST",
        "/v1/chat/completions",
        &[("authorization", &format!("Bearer {key}"))],
        body("hang").to_string().as_bytes(),
    );
    gateway.await_requests(2);
    let sums = |balance: &serde_json::Value| {
        ["spent_usd", "reserved_usd", "stale_usd", "limit_usd"].map(|name| balance[name].to_string())
    };
    let list = || home.llm(["usage", "--budgets", "-o", "json"]).output().exits(0).json();
    // The server writes what a call has cost after the end of its answer.
    while list()[0]["spent_usd"] != 0.000017 {}
    let found = list();
    let of_keys: Vec<_> =
        found.as_array().expect("a list").iter().map(|found| (&found["serve_key"], &found["per"])).collect();
    assert_eq!(
        of_keys,
        [("bot", "day"), ("bot", "total"), ("of-class", "month")]
            .map(|(key, per)| (json!(key), json!(per)))
            .iter()
            .map(|(key, per)| (key, per))
            .collect::<Vec<_>>(),
        "neither keys without a budget nor those that have ended"
    );
    let reserved = found[0]["reserved_usd"].as_f64().expect("an amount");
    assert!(reserved > 0.0 && found[0]["left_usd"].as_f64().is_some_and(|left| left < 0.01 - reserved), "{found}");
    let shown = home.llm(["serve", "key", "show", "bot", "-o", "json"]).output().exits(0).json();
    assert_eq!([sums(&shown["budgets"][0]), sums(&shown["budgets"][1])], [sums(&found[0]), sums(&found[1])]);
    let text = home.llm(["serve", "key", "show", "bot"]).output().exits(0).stdout();
    assert!(text.contains("in this day       $0.000017 spent") && text.contains("left of $1.00"), "{text}");
    let text = home.llm(["usage", "--budgets"]).output().exits(0).stdout();
    assert!(text.contains("$0.01 a day for key bot ") && !text.contains("(key bot)"), "{text}");
    let csv = home.llm(["usage", "--budgets", "-o", "csv"]).output().exits(0).stdout();
    assert!(csv.lines().nth(1).is_some_and(|line| line.ends_with(",bot")), "{csv}");
    // What a server that is gone had reserved is as good as spent.
    server.running.signal(rustix::process::Signal::KILL);
    server.running.finish().dies_by(9);
    drop(hanging);
    let found = list();
    assert_eq!((&found[0]["reserved_usd"], &found[0]["stale_usd"]), (&json!(0), &json!(reserved)), "{found}");
}

#[test]
fn a_request_that_may_cost_more_than_its_tokens_is_refused_under_a_budget() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let limited = Server::new_key(&home, "bot", &["--budget", "1/day"]);
    let trusted = Server::new_key(&home, "chief", &["--budget", "1/day", "--allow-unpriced"]);
    let free = Server::new_key(&home, "free", &[]);
    let server = Server::start(&home, &[]);
    let body = |field: &str| {
        format!(r#"{{"model":"m","max_tokens":5,{field},"messages":[{{"role":"user","content":"hi"}}]}}"#)
    };
    // One that a client brings with a file which the vendor keeps is larger than it looks.
    let kept = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}"#;
    let fields = [
        r#""service_tier":"priority""#,
        r#""plugins":[{"id":"web"}]"#,
        r#""service_tier":"priority","service_tier":"default""#,
        r#""\u0070lugins":[]"#,
        r#""tools":[{"type":"web_search"}]"#,
        r#""of_tomorrow":1"#,
    ];
    let film = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/film.mp4"}}]}]}"#;
    let twice = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}],"Messages":[]}"#;
    let more = [kept, film, twice].map(str::to_owned);
    for body in fields.into_iter().map(body).chain(more) {
        let sent = gateway.requests().len();
        let refused = server.send(&limited, "/v1/chat/completions", &[], &body);
        assert_eq!(refused.status, 429, "{body}: {}", refused.text());
        assert!(refused.text().contains("nobody knows what "), "{}", refused.text());
        assert_eq!(gateway.requests().len(), sent, "{body}");
        for key in [&trusted, &free] {
            assert_eq!(server.send(key, "/v1/chat/completions", &[], &body).status, 200, "{body}");
        }
    }
    // The client is told what is wrong with its request, where that is why nobody knows.
    let refused = server.send(&limited, "/v1/chat/completions", &[], body(r#""max_completion_tokens":5.5"#));
    assert!(refused.text().contains("its cost is limited: `max_completion_tokens` is not"), "{}", refused.text());
    for field in
        [r#""top_k":5"#, r#""service_tier":"auto""#, r#""tools":[{"type":"function","function":{"name":"f"}}]"#]
    {
        let answer = server.send(&limited, "/v1/chat/completions", &[], body(field));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[test]
fn what_a_key_refuses_is_refused_by_every_way_to_it() {
    let gateway = Gateway::by(|request| match request.json()["model"].as_str() {
        Some("other-1") => Reply::error(503, "down"),
        _ => Reply::unary("yes"),
    });
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    let more = "[alias.fast]\nmodels = [\"big-1\"]\n[alias.mix]\nmodels = [\"other-1\", \"fast\"]\nretries = 0\n\
                [task]\ncoding = \"fast\"\n";
    home.file("llm.toml", config + more);
    let of_gateway = Server::new_key(&home, "of-gateway", &["--refuse", "UP::big*"]);
    let of_alias = Server::new_key(&home, "of-alias", &["--refuse", "fast"]);
    let elsewhere = Server::new_key(&home, "elsewhere", &["--refuse", "other::*"]);
    let server = Server::start(&home, &[]);
    for (key, names) in [
        (&of_gateway, &["big-1", "up::big-1", " up::big-1", "up ::Big-2", "fast", "coding"][..]),
        (&of_alias, &["fast", "FAST", "coding", "mix"]),
    ] {
        for name in names {
            assert_eq!(server.ask(key, name).status, 403, "{name}");
        }
    }
    assert!(gateway.requests().is_empty());
    // The fallback of an alias is left out.
    assert_eq!(server.ask(&of_gateway, "mix").status, 503);
    assert!(gateway.requests().iter().all(|request| request.json()["model"] == "other-1"));
    for name in ["big-1", "fast", "mix"] {
        assert_eq!(server.ask(&elsewhere, name).status, 200, "{name}");
    }
    let listed = |key: &str| server.get(key, "/v1/models").text();
    assert!(listed(&elsewhere).contains("\"coding\"") && listed(&of_gateway).contains("\"mix\""));
    for (key, name) in [(&of_gateway, "fast"), (&of_gateway, "coding"), (&of_alias, "coding"), (&of_alias, "mix")] {
        assert!(!listed(key).contains(&format!("\"{name}\"")), "{name}: {}", listed(key));
    }
}

#[test]
fn rates_are_told_and_kept_by_all_servers_of_a_store() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let key = Server::new_key(&home, "bot", &["--rpm", "4", "--tpm", "100k"]);
    let servers = [Server::start(&home, &[]), Server::start(&home, &[])];
    let statuses: Vec<u16> = (0..6).map(|n| servers[n % 2].ask(&key, "m").status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429]);
    let refused = servers[0].ask(&key, "m");
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
    let wait: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((1..=15).contains(&wait), "{wait}");
    let other = Server::new_key(&home, "other", &["--rpm", "9"]);
    servers[0].wait_until("the key", |server| server.get(&other, "/v1/models").status == 200);
    let answer = servers[0].ask(&other, "m");
    assert_eq!(
        (answer.header("x-ratelimit-limit-requests"), answer.header("x-ratelimit-remaining-requests")),
        (Some("9"), Some("8"))
    );
    assert_eq!(gateway.requests().len(), 5);
}

#[test]
fn limits_of_the_gateways_key_hold_for_clients() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    let budget = "[[budget]]\nlimit = 0\nper = \"day\"\nmatch = { key = \"UP_KEY\", model = \"small-2\" }\n";
    home.file("llm.toml", config + "[allow]\nUP_KEY = [\"small-*\"]\n" + budget);
    let key = Server::new_key(&home, "bot", &[]);
    let server = Server::start(&home, &[]);
    let statuses = ["small-1", "big", "small-2"].map(|model| server.ask(&key, model).status);
    assert_eq!(statuses, [200, 403, 429]);
    assert_eq!(gateway.requests().len(), 1);
}

#[test]
fn a_gateway_that_a_key_is_refused_is_not_reached_by_another_name() {
    let (gateway, other) = (Gateway::always(Reply::unary("yes")), Gateway::always(Reply::unary("no")));
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    let more = format!(
        "[gateway.an]\nbase_url = \"{}\"\nauth = \"optional\"\n[alias.by]\nmodels = [\"an::m\"]\n\
         [alias.both]\nmodels = [\"an::m\", \"m\"]\n[task]\ncoding = \"by\"\n",
        other.base_url()
    );
    home.file("llm.toml", config + &more);
    let keys = [("a", "an::*"), ("b", "*::m"), ("c", "by")];
    let keys = keys.map(|(name, refused)| Server::new_key(&home, name, &["--refuse", refused]));
    let listed = Server::new_key(&home, "listed", &["--models", "by"]);
    let server = Server::start(&home, &[]);
    let statuses =
        |key: &str| ["an::m", " an::m", "by", "coding", "both", "m"].map(|name| server.ask(key, name).status);
    assert_eq!(statuses(&keys[0]), [403, 403, 403, 403, 200, 200]);
    assert_eq!(statuses(&keys[1]), [403; 6]);
    assert_eq!(other.requests().len(), 0);
    assert_eq!(statuses(&keys[2]), [200, 200, 403, 403, 200, 200], "the alias alone is refused");
    assert_eq!(["by", "an::m", "up::by"].map(|name| server.ask(&listed, name).status), [200, 403, 403]);
}

#[test]
fn tokens_are_reserved_by_estimate_and_settled_by_usage() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let key = Server::new_key(&home, "bot", &["--tpm", "1000"]);
    let server = Server::start(&home, &[]);
    let body =
        |limit: u64| format!(r#"{{"model":"m","max_tokens":{limit},"messages":[{{"role":"user","content":"hi"}}]}}"#);
    let remaining = |answer: &super::Answer| -> u64 {
        answer.header("x-ratelimit-remaining-tokens").expect("a header").parse().expect("a number")
    };
    let first = server.send(&key, "/v1/chat/completions", &[], body(400));
    let reserved = 1000 - remaining(&first);
    assert!((400..420).contains(&reserved), "{reserved}");
    // Thirteen tokens were used, and the others come back with the record.
    server.wait_until("what was not used", |server| {
        let level = remaining(&server.send(&key, "/v1/chat/completions", &[], body(1)));
        level > 900
    });
}

#[test]
fn requests_at_once_are_limited_and_a_place_comes_back() {
    let gateway = Gateway::by(|request| {
        if request.index == 0 { Reply::sse().role().text("a").gate().finish("stop").done() } else { Reply::unary("b") }
    });
    let home = home(&gateway, "openai-chat");
    let key = Server::new_key(&home, "bot", &["--in-flight", "1"]);
    let server = Server::start(&home, &[]);
    let first = server.begin_stream(&key);
    gateway.await_requests(1);
    let second = server.ask(&key, "m");
    assert_eq!(second.status, 429);
    assert!(second.text().contains("1 requests at once"), "{}", second.text());
    gateway.release();
    assert_eq!(first.answer().status, 200);
    server.wait_until("a place", |server| server.ask(&key, "m").status == 200);
}

#[test]
fn a_revoked_rotated_or_edited_key_counts_within_a_second() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let within_a_second = |what: &str, mut holds: Box<dyn FnMut() -> bool + '_>| {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_millis(1500), "{what}");
        }
    };
    let key = Server::new_key(&home, "bot", &["--expires", "30d"]);
    within_a_second("made", Box::new(|| server.ask(&key, "m").status == 200));
    home.llm(["serve", "key", "edit", "bot", "--models", "other"]).output().exits(0);
    within_a_second("edited", Box::new(|| server.ask(&key, "m").status == 403));
    home.llm(["serve", "key", "edit", "bot", "--models", "none"]).output().exits(0);
    let rotated = home.llm(["serve", "key", "rotate", "bot", "--grace", "1h"]).output();
    rotated.exits(0);
    let new = rotated.stdout().trim().to_owned();
    assert_ne!(new, key);
    within_a_second("rotated", Box::new(|| server.ask(&new, "m").status == 200));
    assert_eq!(server.ask(&key, "m").status, 200, "the old one is good for an hour");
    let again = home.llm(["serve", "key", "rotate", "bot"]).output();
    again.exits(2).says("its secret before this one is good until").says("--grace none");
    assert_eq!(server.ask(&key, "m").status, 200, "nor does another rotation end it");
    let last =
        home.llm(["serve", "key", "rotate", "bot", "--grace", "none"]).output().exits(0).stdout().trim().to_owned();
    within_a_second("rotated at once", Box::new(|| server.ask(&last, "m").status == 200));
    assert_eq!((server.ask(&key, "m").status, server.ask(&new, "m").status), (401, 401));
    let new = last;
    home.llm(["serve", "key", "revoke", "bot"]).output().exits(0);
    within_a_second("revoked", Box::new(|| server.ask(&new, "m").status == 401));
    assert_eq!(server.ask(&key, "m").status, 401);
    for args in [&["rotate", "bot"][..], &["rotate", "bot", "--grace", "none"], &["edit", "bot", "--rpm", "9"]] {
        let refused = home.llm([&["serve", "key"], args].concat()).output();
        assert_eq!(refused.exits(2).says("the key `bot` is revoked").stdout(), "");
    }

    let log = home.llm(["log", "--audit", "-o", "json"]).output();
    log.exits(0);
    let entries = log.json();
    let actions: Vec<_> = entries
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| (entry["action"].clone(), entry["key"].clone()))
        .collect();
    let expected = [
        ("revoke", "bot"),
        ("rotate", "bot"),
        ("rotate", "bot"),
        ("edit", "bot"),
        ("edit", "bot"),
        ("new", "bot"),
        ("new", "admin"),
    ];
    assert_eq!(actions, expected.map(|(action, key)| (json!(action), json!(key))));
    // Keys are kept as hashes, and shown nowhere.
    for secret in [&key, &new, &server.key] {
        assert!(!home.holds(secret), "a file holds a secret");
        for args in [&["serve", "key", "list"][..], &["serve", "key", "show", "bot", "-o", "json"], &["log", "--audit"]]
        {
            let shown = home.llm(args).output();
            shown.exits(0);
            assert!(!shown.stdout().contains(&**secret));
        }
    }
    let shown = home.llm(["serve", "key", "show", "bot", "-o", "json"]).output().json();
    assert_eq!((&shown["state"], &shown["last_four"]), (&json!("revoked"), &json!(&new[new.len() - 4..])));
}

#[test]
fn a_class_gives_its_rules_to_the_keys_that_have_none_of_their_own() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    home.file(
        "llm.toml",
        config + "[key_class.free]\nmodels = [\"small\"]\nrequests_per_minute = 2\ntags = { plan = \"free\" }\n",
    );
    let key = Server::new_key(&home, "user", &["--class", "free"]);
    let paid = Server::new_key(&home, "payer", &["--class", "free", "--models", "*", "--rpm", "60"]);
    let server = Server::start(&home, &[]);
    assert_eq!((server.ask(&key, "big").status, server.ask(&paid, "big").status), (403, 200));
    let statuses: Vec<_> = (0..3).map(|_| server.ask(&key, "small").status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    assert!(server.recorded(&home, 3).iter().all(|call| call["tags"] == json!({"plan": "free"})));
}

#[test]
fn a_key_whose_class_is_gone_may_do_nothing() {
    let gateway = Gateway::always(Reply::unary("no"));
    let home = home(&gateway, "openai-chat");
    let without = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    let with = without.clone() + "[key_class.free]\nmodels = [\"small\"]\nbudgets = [\"1/day\"]\n";
    home.file("llm.toml", &with);
    let key = Server::new_key(&home, "user", &["--class", "free"]);
    let other = Server::new_key(&home, "other", &[]);
    let told = "all requests of the key `user` are refused: the config has no [key_class.free]";

    let server = Server::start(&home, &[]);
    assert_eq!((server.ask(&key, "big").status, server.ask(&key, "small").status), (403, 200));
    home.file("llm.toml", without.clone() + "[key_class.free-tier]\nmodels = [\"small\"]\n");
    server.running.await_stderr(told);
    let refused = server.ask(&key, "small");
    assert_eq!((refused.status, server.ask(&other, "big").status), (403, 200));
    let message = refused.json()["error"]["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("the config has no [key_class.free]"), "{message}");
    assert_eq!(gateway.requests().len(), 2, "of `small` with its class, and of the other key");
    home.file("llm.toml", with);
    server.wait_until("the class", |server| server.ask(&key, "small").status == 200);

    home.file("llm.toml", without);
    let shown = home.llm(["serve", "key", "list"]).output();
    assert!(shown.stderr().contains(told), "{}", shown.stderr());
    let again = Server::start(&home, &[]);
    again.running.await_stderr(told);
    assert_eq!(again.ask(&key, "small").status, 403);
}

#[test]
fn what_makes_no_sense_is_refused_when_a_key_is_made() {
    let gateway = Gateway::always(Reply::unary("no"));
    let home = home(&gateway, "openai-chat");
    for args in [
        &["new", ""][..],
        &["new", "a b"],
        &["new", "bot", "--budget", "five"],
        &["new", "bot", "--budget", "1/day,2/day"],
        &["new", "bot", "--rpm", "0"],
        &["new", "bot", "--tpm", "many"],
        &["new", "bot", "--expires", "2001-01-01"],
        &["new", "bot", "--tag", "x"],
        &["new", "bot", "--class", "unknown"],
        &["new", "bot", "--models", ""],
        &["new", "bot", "--refuse", "a,"],
        &["edit", "nobody", "--rpm", "1"],
        &["revoke", "nobody"],
        &["show", "nobody"],
    ] {
        let outcome = home.llm([&["serve", "key"], args].concat()).output();
        outcome.exits(2);
        assert!(outcome.stderr().starts_with("error: "), "{outcome}");
    }
    Server::new_key(&home, "bot", &[]);
    let again = home.llm(["serve", "key", "new", "bot"]).output();
    again.exits(2);
    assert!(again.stderr().contains("there is a key `bot` already"), "{again}");
}

#[cfg(unix)]
#[test]
fn a_gateway_that_refuses_a_request_without_a_key_refuses_no_key() {
    let gateway = Gateway::always(Reply::error(401, "log in first"));
    for auth in ["none", "optional"] {
        let config = format!("[gateway.up]\nbase_url = \"{}\"\nauth = \"{auth}\"\n", gateway.base_url());
        let home = Home::new().config(&format!("default_gateway = \"up\"\n{config}"));
        let server = Server::start(&home, &[]);
        let answer = server.ask(&server.key, "m");
        let message = &answer.json()["error"]["message"];
        assert_eq!((answer.status, message), (502, &json!("the gateway refused this server, which sent it no key")));
        server.recorded(&home, 1);
        server.running.signal(rustix::process::Signal::TERM);
        server.running.finish().exits(0).never_says("refuses its key");
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_its_gateway_refuses_is_read_again_and_the_former_one_stays_a_secret() {
    const OTHER: &str = "sk-Zw81mQpT4vXe7RbN2kLs9uYd";
    let is_replaced = Arc::new(AtomicBool::new(false));
    let wanted = Arc::clone(&is_replaced);
    let gateway = Gateway::by(move |request| {
        let wanted = if wanted.load(Ordering::SeqCst) { format!("Bearer {OTHER}") } else { format!("Bearer {KEY}") };
        match request.header("authorization") {
            Some(given) if given == wanted => Reply::unary(&format!("yes, {OTHER} comes after {KEY}")),
            _ => Reply::error(401, "the token has expired"),
        }
    });
    let home = home(&gateway, "openai-chat");
    home.file("token", KEY);
    let path = home.path().join("token");
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    let command = format!("key_command = [\"cat\", \"{}\"]", path.display());
    home.file("llm.toml", config.replace("key_env = [\"UP_KEY\"]", &command));
    let home = home.env("UP_KEY", "");
    let server = Server::start(&home, &[]);
    assert_eq!(server.ask(&server.key, "m").status, 200);
    is_replaced.store(true, Ordering::SeqCst);
    home.file("token", OTHER);
    assert_eq!(server.ask(&server.key, "m").status, 502);
    server.wait_until("the new key", |server| server.ask(&server.key, "m").status == 200);
    let answer = server.ask(&server.key, "m").text();
    assert!(answer.contains("yes, *** comes after ***"), "{answer}");
    std::fs::remove_file(path).expect("removed");
    server.running.signal(rustix::process::Signal::TERM);
    server.running.finish().exits(0).says("up refuses its key");
}
