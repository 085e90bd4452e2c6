//! The key goes to the gateway that it is for, and nowhere else. That no output and no file holds it is checked after every process of every
//! test; see `support::canary`.

use std::net::TcpListener;

use base64::Engine as _;

use crate::support::{Gateway, Home, KEY, Reply};

fn hello() -> Gateway {
    Gateway::always(Reply::stream(&["Hello."]))
}

// S01
#[test]
fn no_argument_takes_a_key() {
    let home = Home::new();
    for arguments in [&["key", "set", "openrouter", KEY][..], &["ask", "--api-key", KEY, "hi"]] {
        home.llm(arguments).output().exits(2);
        home.holds_no_key();
    }
}

// S22
#[test]
fn what_looks_like_a_key_in_the_place_of_a_name_is_not_repeated() {
    // Not the key of the tests, which no file may hold.
    const PASTED: &str = "sk-pasted-0123456789abcdef";
    let repeats_nothing = |home: &Home, arguments: &[&str]| {
        let outcome = home.llm(arguments).output();
        let said = outcome.stdout() + &outcome.stderr();
        assert!(!said.contains(PASTED), "{arguments:?}: {said}");
        said
    };
    let address = format!(
        "model = \"m\"\ndefault_gateway = \"g\"\n[gateway.g]\nbase_url = \"{}\"\nauth = \"required\"\n",
        hello().base_url()
    );
    for setting in [
        format!("key_command = [\"echo\", \"{PASTED}\"]"),
        format!("key_command = [\"curl\", \"-H\", \"Authorization: Bearer {PASTED}\", \"https://vault.example\"]"),
        format!("key_command = [\"{PASTED}\"]"),
        format!("key_env = [\"{PASTED}\"]"),
        format!("key_env = \"{PASTED}\""),
        format!("key_name = \"{PASTED}\""),
    ] {
        let home = Home::new().config(&format!("{address}{setting}\n"));
        for arguments in [&["config", "show"][..], &["config", "check"], &["doctor"], &["key", "list"], &["ask", "hi"]]
        {
            repeats_nothing(&home, arguments);
        }
    }
    let (home, asked) = (Home::new().config(&address), format!("{PASTED}::m"));
    for arguments in [["-g", PASTED], ["--key", PASTED], ["-m", &asked]] {
        let said = repeats_nothing(&home, &[&["ask", "hi"], &arguments[..]].concat());
        assert!(said.contains("***"), "{said}");
    }
    let home = Home::new().config(&format!("default_gateway = \"{PASTED}\"\n"));
    assert!(repeats_nothing(&home, &["ask", "hi"]).contains("no gateway is called `***`"));
}

// S04
#[test]
fn no_output_log_or_file_ever_holds_the_key() {
    let gateways = [
        hello(),
        Gateway::always(Reply::error(400, "no")),
        Gateway::always(Reply::sse().role().text("Half").close()),
        Gateway::always(Reply::raw("garbage\r\n\r\n").close()),
    ];
    for gateway in &gateways {
        let home = Home::with(gateway).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
        for arguments in [&["ask", "hi"][..], &["ask", "-o", "json", "hi"], &["compare", "-m", "a,b", "hi"]] {
            home.llm(arguments).args(["-v", "--retries", "0"]).output();
            home.holds_no_key();
        }
        home.llm(["ask", "--dry-run", "hi"]).output();
        home.holds_no_key();
        assert!(gateway.requests().iter().all(|r| r.header("authorization").is_some_and(|value| value.contains(KEY))));
    }
}

#[test]
fn the_key_goes_in_the_headers_of_the_format_that_a_model_is_asked_in() {
    let gateway = hello();
    let models = r#"{ chat = "openai-chat", messages = "anthropic", gemini = "gemini" }"#;
    for api in ["openai-chat", "anthropic", "gemini"] {
        let url = gateway.base_url();
        let config = format!("[gateway.g]\nbase_url = \"{url}\"\napi = \"{api}\"\nmodel_api = {models}\n");
        let home = Home::new().config(&config).env("LLM_API_KEY", KEY).env("LLM_GATEWAY", "g");
        for (model, headers) in [
            ("chat", &["authorization"][..]),
            ("messages", &["authorization", "x-api-key"]),
            ("gemini", &["x-goog-api-key"]),
        ] {
            home.llm(["ask", "--retries", "0", "-m", model, "hi"]).output();
            let requests = gateway.requests();
            let request = requests.last().expect("a request");
            let carries = |name: &&str| request.header(name).is_some_and(|value| value.contains(KEY));
            let carried: Vec<_> =
                ["authorization", "x-api-key", "x-goog-api-key"].into_iter().filter(carries).collect();
            assert_eq!(carried, headers, "{model} at a gateway for {api}");
        }
        assert_eq!(gateway.requests().len() % 3, 0, "each was asked");
    }
}

// S07
#[test]
fn a_gateway_that_repeats_the_key_is_not_repeated() {
    let gateway =
        Gateway::always(Reply::error(401, &format!("Incorrect API key provided: {KEY}. You can find yours at …")));
    let home = Home::with(&gateway);
    for format in ["text", "json"] {
        let outcome = home.llm(["ask", "-o", format, "hi"]).output();
        outcome.exits(4);
        home.holds_no_key();
        assert!(format!("{outcome}").contains("Incorrect API key provided"), "{outcome}");
    }
}

// S07
#[test]
fn a_body_that_is_no_answer_is_shown_without_the_key() {
    let page = format!("<html><title>Login</title>{KEY}");
    // The key stands where the excerpt ends.
    let cut = format!("{{\"x\": \"{}Key {KEY}", "word ".repeat(36));
    for (kind, body) in
        [("text/html", page), ("application/json", format!("{{\"x\": \"{KEY}\"}}")), ("application/json", cut)]
    {
        let gateway = Gateway::always(Reply::with_body(200, kind, body));
        let home = Home::with(&gateway).env("LLM_API_KEY", KEY);
        let outcome = home.llm(["ask", "-v", "hi"]).output();
        outcome.exits(1).never_says("CANARY").says("caused by");
        home.holds_no_key();
    }
}

/// The key in forms in which gateways repeat what they were sent.
fn forms() -> Vec<String> {
    let each = |escape: &dyn Fn(u8) -> String| KEY.bytes().map(escape).collect::<String>();
    let base64 = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    vec![
        KEY.to_owned(),
        KEY.chars().rev().collect(),
        base64(KEY.to_owned()),
        base64(format!("Bearer {KEY}")),
        each(&|byte| format!("%{byte:02x}")),
        KEY.replace('-', "%2D"),
        each(&|byte| format!("\\u{byte:04x}")),
        each(&|byte| format!("{byte:02x}")),
        each(&|byte| format!("%25{byte:02x}")),
        each(&|byte| format!(":{byte:02x}")).split_off(1),
        base64(base64(format!("Bearer {KEY}"))),
        format!("{} {}", &KEY[..9], &KEY[9..]),
    ]
}

/// A gateway that says this wherever it can say something, by the model that it is asked for.
fn repeats(said: String) -> Gateway {
    Gateway::by(move |request| {
        let said = said.as_str();
        let event = |data: String| Reply::sse().bytes(format!("data: {data}\n\n"));
        let start =
            |rest: &str| event(format!(r#"{{"id":"{said}","model":"x/{said}","choices":[{{"index":0,{rest}}}]}}"#));
        let whole = |finish: &str| {
            let message =
                r#"{"content":"Hello.","tool_calls":[{"id":"T","function":{"name":"f-T","arguments":"{}"}}]}"#;
            let message = message.replace('T', said);
            format!(
                r#"{{"id":"{said}","model":"{said}","choices":[{{"index":0,"finish_reason":"{finish}","message":{message}}}]}}"#
            )
        };
        match request.model().as_str() {
            _ if request.method == "GET" => {
                Reply::with_body(200, "application/json", format!(r#"{{"data":[{{"id":"m-{said}"}}]}}"#))
            }
            "header" => Reply::sse_with(&[("x-request-id", said)]).text("Hello.").finish("stop").done(),
            "start" => start(r#""finish_reason":"stop","delta":{"content":"Hello."}"#).done(),
            "malformed" => event(format!(r#"{{"choices":"{said}"}}"#)).text("Hello.").finish("stop").done(),
            "finish" => Reply::sse().text("Hello.").finish(said).done(),
            "broken" => {
                Reply::sse().text("Hel").bytes(format!("data: {{\"error\":{{\"message\":\"{said}\"}}}}\n\n")).done()
            }
            "whole" => Reply::with_body(200, "application/json", whole("stop")),
            "whole-other" => Reply::with_body(200, "application/json", whole(said)),
            "error" => Reply::with_body(
                401,
                "application/json",
                format!(r#"{{"error":{{"message":"no: {said}","param":"{said}"}}}}"#),
            ),
            "long-error" => Reply::with_body(401, "text/plain", format!("{}{said}", "word ".repeat(97))),
            "page" => Reply::with_body(200, "text/html", format!("<html>{said}</html>")),
            "json" => Reply::with_body(200, "application/json", format!(r#"{{"x":"{said}"}}"#)),
            "redirect" => {
                Reply::with_headers(307, &[("location", &format!("https://{said}.example/{said}?{said}"))], "")
            }
            _ => Reply::with_headers(307, &[("location", &format!("/{said}?{said}"))], ""),
        }
    })
}

// S07
#[test]
fn a_key_that_a_gateway_repeats_reaches_no_output_and_no_file() {
    for said in forms() {
        let gateway = repeats(said.clone());
        let home = Home::with(&gateway);
        for model in [
            "header",
            "start",
            "malformed",
            "finish",
            "broken",
            "whole",
            "whole-other",
            "error",
            "long-error",
            "page",
            "json",
            "redirect",
            "redirect-below",
        ] {
            for format in if said == KEY { &["json", "text"][..] } else { &["json"] } {
                let outcome =
                    home.llm(["ask", "-o", format, "-v", "-m", model, "--cache", "--retries", "0", "hi"]).output();
                let seen = format!("{outcome}").to_lowercase();
                for part in [&*said, KEY, &said[..said.len() * 3 / 4]] {
                    assert!(!seen.contains(&part.to_lowercase()), "{model} says {part}\n{outcome}");
                }
            }
        }
        for arguments in
            [&["models", "-o", "json"][..], &["log", "-n", "0", "-o", "json"], &["doctor"], &["key", "test"]]
        {
            let outcome = home.llm(arguments).output();
            assert!(!format!("{outcome}").contains(&*said), "{arguments:?}\n{outcome}");
        }
        for text in [&*said, KEY, &KEY.to_lowercase()] {
            assert!(!home.holds(text), "{text} is in a file of {:?}", home.files());
        }
        // What answered is known all the same.
        let record = home.llm(["ask", "-m", "start", "-o", "json", "hi"]).output().exits(0).json();
        assert_eq!(record["text"], "Hello.");
        assert!(record["answered_by"].as_str().is_some_and(|model| model.ends_with("***")), "{record}");
    }
}

/// The headers of a dry run beside those that the gateway gets.
fn headers(gateway: &Gateway, config: &str) -> [Vec<(String, String)>; 2] {
    let url = gateway.base_url();
    let config = format!("gateway = \"g\"\n[gateway.g]\nbase_url = \"{url}\"\n{config}");
    let home = Home::new().config(&config).env("LLM_API_KEY", KEY);
    let shown = home.llm(["ask", "-m", "m", "--dry-run", "-o", "json", "hi"]).output().exits(0).json();
    let shown = shown["requests"][0]["headers"].as_object().expect("headers").clone();
    let shown = shown.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned()));
    home.llm(["ask", "-m", "m", "--retries", "0", "hi"]).output();
    let sent = gateway.requests().pop().expect("a request").headers;
    // What the HTTP client adds by itself, as docs/output.md says.
    let of_http = ["host", "content-length", "user-agent", "accept-encoding"];
    let own = sent.into_iter().filter(|(name, _)| !of_http.contains(&&*name.to_lowercase()));
    [shown.collect(), own.map(|(name, value)| (name.to_lowercase(), value)).collect()].map(|mut headers: Vec<_>| {
        headers.sort();
        headers
    })
}

#[test]
fn a_dry_run_shows_the_headers_that_are_sent() {
    let gateway = Gateway::always(Reply::error(400, "no"));
    for api in ["openai-chat", "openai-responses", "anthropic", "gemini"] {
        for auth in ["required", "none"] {
            for own in [
                "",
                "X-Team = \"a\", X-Portkey-Key = \"secret\"",
                "Authorization = \"Bearer other\", x-api-key = \"other\", X-Goog-Api-Key = \"other\"",
                "Accept = \"*/*\", Content-Type = \"text/json\", Anthropic-Version = \"2026-10-21\"",
            ] {
                let config = format!("api = \"{api}\"\nauth = \"{auth}\"\nheaders = {{ {own} }}\n");
                let [shown, sent] = headers(&gateway, &config);
                let names =
                    |headers: &[(String, String)]| headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
                assert_eq!(names(&shown), names(&sent), "{config}");
                for ((name, shown), (_, sent)) in shown.iter().zip(&sent) {
                    let hidden = shown == "***" || shown == "Bearer ***";
                    assert!(hidden || name == "idempotency-key" || shown == sent, "{name}: {shown}, not {sent}");
                    assert!(hidden || !own.contains(shown), "{name}: {shown} is of the config");
                }
            }
        }
    }
}

// S09
#[test]
fn a_redirect_is_not_followed_and_its_target_is_said() {
    let other = hello();
    for status in [301, 302, 303, 307, 308] {
        let target = format!("{}/v1/chat/completions", other.origin());
        let gateway = Gateway::always(Reply::with_headers(status, &[("location", &target)], ""));
        let home = Home::with(&gateway);
        let outcome = home.llm(["ask", "hi"]).output();
        outcome.exits(1).prints("").says(&other.origin());
        assert_eq!(gateway.requests().len(), 1, "{status}");
    }
    assert_eq!(other.connections(), 0);
}

// S10
#[test]
fn a_key_never_travels_in_the_clear() {
    let home = Home::new().env("LLM_BASE_URL", "http://gateway.example/v1").env("LLM_API_KEY", KEY);
    home.llm(["ask", "-m", "m", "hi"]).output().exits(3).says("http");
}

// S11
#[test]
fn an_address_with_a_password_is_refused_and_the_password_not_repeated() {
    let home = Home::new().env("LLM_BASE_URL", "https://user:hunter2@gateway.example/v1").env("LLM_API_KEY", KEY);
    home.llm(["ask", "-m", "m", "hi"]).output().exits(3).never_says("hunter2");
}

// S12
#[test]
fn a_gateway_on_this_machine_is_never_asked_through_a_proxy() {
    let (proxy, gateway) = (hello(), hello());
    let mut home = Home::with(&gateway);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        home = home.env(name, proxy.origin());
    }
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n");
    assert_eq!(proxy.connections(), 0);
}

// S13
#[test]
fn files_of_the_working_directory_decide_nothing() {
    let (hostile, gateway) = (hello(), hello());
    let home = Home::with(&gateway).without_env("LLM_BASE_URL").config(&format!(
        "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"{}\"\nkey_env = [\"LLM_API_KEY\"]\n",
        gateway.base_url()
    ));
    let toml = format!("gateway = \"corp\"\n[gateway.corp]\nbase_url = \"{}\"\n", hostile.base_url());
    let work = home.path().join("work");
    for name in [".llm.toml", "llm.toml", "config.toml", ".llm/config.toml", ".config/llm/config.toml"] {
        home.file(&format!("work/{name}"), &toml);
    }
    home.file("work/.env", format!("LLM_BASE_URL={}\nLLM_API_KEY=stolen\n", hostile.base_url()));
    let script = format!("cd '{}' && \"$llm\" ask -m m hi", work.display());
    home.shell(&script).output().exits(0).prints("Hello.\n");
    assert_eq!((hostile.connections(), gateway.requests().len()), (0, 1));
    // Nor does a home directory that is wherever the command is run.
    let bare = "unset LLM_CONFIG XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME";
    let script = format!("cd '{}' && {bare} && HOME=. \"$llm\" ask -m m hi; ls -A .local .cache", work.display());
    home.shell(&script).output().prints("");
    assert_eq!((hostile.connections(), gateway.requests().len()), (0, 1));
}

/// A port of this machine on which nobody listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

// S14
#[test]
fn a_proxy_that_cannot_be_reached_is_named_by_its_variable() {
    let home = Home::new().env("LLM_BASE_URL", "https://gateway.invalid/v1").env("LLM_API_KEY", KEY);
    let home = home.env("ALL_PROXY", format!("http://127.0.0.1:{}", closed_port()));
    home.llm(["ask", "-m", "m", "--retries", "0", "hi"]).output().exits(7).says("ALL_PROXY");
    // Where the proxy is passed by, it is not to blame.
    for exceptions in ["gateway.invalid", ".invalid", "other.example, gateway.invalid", "*"] {
        let run = home.llm(["ask", "-m", "m", "--retries", "0", "hi"]).env("NO_PROXY", exceptions);
        run.output().exits(7).never_says("PROXY");
    }
}

// S14
#[test]
fn a_proxy_that_does_not_speak_for_a_gateway_without_tls_is_named_by_its_variable() {
    let closing = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = format!("http://{}", closing.local_addr().expect("an address"));
    std::thread::spawn(move || closing.incoming().flatten().for_each(drop));
    let odd = Gateway::always(Reply::raw(b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n"));
    for (variable, proxy) in [("http_proxy", proxy.clone()), ("ALL_PROXY", proxy), ("http_proxy", odd.origin())] {
        let home = Home::new().config(
            "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"http://gateway.invalid/v1\"\nallow_http = true\nauth = \"none\"\n",
        );
        for command in [&["ask", "-m", "m", "--retries", "0", "hi"][..], &["models"]] {
            let outcome = home.llm(command).env(variable, &proxy).output();
            outcome.says(&format!("through the proxy {proxy} of {variable}")).says(&format!("hint: {variable} is set"));
        }
    }
}

// S14
#[test]
fn a_page_says_which_variable_names_the_proxy_that_cannot_be_used() {
    let home = Home::new().env("LLM_BASE_URL", "http://127.0.0.1:9/v1").env("LLM_API_KEY", KEY);
    let dead = format!("http://127.0.0.1:{}", closed_port());
    for (page, variable) in [("http://page.invalid/notes.txt", "http_proxy"), ("https://page.invalid/a", "HTTPS_PROXY")]
    {
        let ask = || home.llm(["ask", "-m", "m", "-f", page, "hi"]).env(variable, &dead);
        ask().output().exits(7).says(&format!("hint: {variable} is set"));
        ask().env("NO_PROXY", "page.invalid").output().exits(7).never_says(variable);
        let own = format!("http://127.0.0.1:{}/a", closed_port());
        home.llm(["ask", "-m", "m", "-f", &own, "hi"]).env(variable, &dead).output().exits(7).never_says(variable);
    }
    // An address of a private network is asked through the proxy, too.
    for (page, variable) in [("http://10.9.8.7/a", "http_proxy"), ("https://[fd00::5]/a", "HTTPS_PROXY")] {
        let ask = home.llm(["ask", "-m", "m", "-f", page, "hi"]).env(variable, &dead).output();
        ask.exits(7).says(&format!("hint: {variable} is set"));
    }
    let asks = Gateway::always(Reply::error(407, "who are you?"));
    let page = home.llm(["ask", "-m", "m", "-f", "http://page.invalid/a", "hi"]).env("http_proxy", asks.origin());
    page.output().says("a name and a password, which http_proxy may hold");
    // It is not the gateway that answers.
    let home = Home::new().env("LLM_API_KEY", KEY);
    let home = home.config("gateway = \"corp\"\n[gateway.corp]\nbase_url = \"http://gateway.invalid/v1\"\nallow_http = true\nkey_env = [\"LLM_API_KEY\"]\n");
    let refused = home.llm(["ask", "-m", "m", "hi"]).env("http_proxy", asks.origin()).output();
    refused
        .exits(7)
        .says("cannot connect to http://gateway.invalid")
        .says("which http_proxy may hold")
        .never_says("the gateway answered");
    assert_eq!(asks.requests().len(), 2, "it is not asked again");
}

// S14
#[test]
fn a_proxy_that_makes_no_sense_is_not_passed_by() {
    let home = Home::new().env("LLM_BASE_URL", "https://gateway.invalid/v1").env("LLM_API_KEY", KEY);
    for address in [
        "::garbage::",
        "http://",
        "http://exa mple",
        " http://127.0.0.1:1",
        "http://127.0.0.1:1 ",
        "'http://127.0.0.1:1'",
        "htp://127.0.0.1:1",
        "http//127.0.0.1:1",
        "socks6://127.0.0.1:1",
        "ftp://127.0.0.1:1",
    ] {
        for variable in ["ALL_PROXY", "https_proxy"] {
            let run = home.llm(["ask", "-m", "m", "--retries", "0", "hi"]).env(variable, address);
            run.output().exits(7).says(&format!("{variable} is not the address of a proxy"));
        }
        let page = home.llm(["ask", "-m", "m", "-f", "https://page.invalid/notes.txt", "hi"]).env("ALL_PROXY", address);
        page.output().exits(7).says("ALL_PROXY is not the address of a proxy");
    }
}

// S15
#[test]
fn the_password_of_a_proxy_is_not_said() {
    let proxy = format!("http://user:{KEY}@127.0.0.1:{}", closed_port());
    let home = Home::new()
        .env("LLM_BASE_URL", "https://gateway.invalid/v1")
        .env("LLM_API_KEY", KEY)
        .env("HTTPS_PROXY", proxy)
        .env("RUST_LOG", "trace");
    home.llm(["ask", "-v", "-m", "m", "--retries", "0", "hi"]).output().exits(7);
    home.holds_no_key();
}

// S15
#[test]
fn a_proxy_that_repeats_its_password_is_masked() {
    const PASSWORD: &str = "pr0xy-Passw0rd-98765";
    let proxy = Gateway::by(|request| {
        let sent = request.header("proxy-authorization").unwrap_or_default();
        let headers = [("content-type", "application/json"), ("x-request-id", PASSWORD)];
        let body = serde_json::json!({"error": {"message": format!("via {sent}: {PASSWORD}, denied")}});
        Reply::with_headers(400, &headers, body.to_string())
    });
    let address = proxy.base_url().replace("http://", &format!("http://user:{PASSWORD}@"));
    let home = Home::new().env("HTTP_PROXY", address.trim_end_matches("/v1"));
    let home = home.config("default_gateway = \"h\"\n[gateway.h]\nbase_url = \"http://nowhere.example/v1\"\nallow_http = true\nauth = \"none\"\n");
    let outcome = home.llm(["ask", "-v", "-m", "m", "-o", "json", "hi"]).output();
    outcome.exits(1).says("via Basic ***: ***, denied").never_says(PASSWORD);
    assert!(!outcome.stdout().contains(PASSWORD), "{outcome}");
}

// S17
#[test]
fn a_gateway_on_this_machine_needs_no_certificates() {
    let gateway = hello();
    let home = Home::with(&gateway).env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
    home.llm(["ask", "hi"]).output().exits(0).prints("Hello.\n");
}

/// A home whose gateway has its key from this shell command.
fn key_from(gateway: &Gateway, command: &str) -> Home {
    let home = Home::new().config(&format!(
        "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"{}\"\nauth = \"required\"\nkey_command = [\"sh\", \"-c\", '''{command}''']\n",
        gateway.base_url()
    ));
    home.may_hold_the_key("llm.toml");
    home
}

#[test]
fn a_command_may_give_the_key() {
    let gateway = hello();
    let home = key_from(&gateway, &format!("echo talk >&2; echo {KEY}"));
    home.llm(["ask", "-m", "m", "hi"]).output().exits(0).prints("Hello.\n");
    assert_eq!(gateway.request().header("authorization"), Some(format!("Bearer {KEY}").as_str()));
}

// S18
#[test]
fn a_command_that_gives_no_key_is_4_and_nothing_is_sent() {
    let gateway = hello();
    for command in ["exit 3", "true", "echo one; echo two", "echo", "head -c 2000000 /dev/zero | tr '\\0' k"] {
        let outcome = key_from(&gateway, command).llm(["ask", "-m", "m", "hi"]).output();
        outcome.exits(4).prints("").says("key_command");
    }
    assert_eq!(gateway.connections(), 0);
}

// S02
#[test]
fn a_command_that_gives_a_key_sees_no_other_key() {
    let (gateway, default) = (hello(), hello());
    let home = Home::with(&default).without_env("LLM_BASE_URL").config(&format!(
        "gateway = \"other\"\n[gateway.other]\nbase_url = \"{}\"\n\
         [gateway.corp]\nbase_url = \"{}\"\nkey_command = [\"sh\", \"-c\", \"env > seen; echo sk-of-corp\"]\n",
        default.base_url(),
        gateway.base_url()
    ));
    home.llm(["ask", "-g", "corp", "-m", "m", "hi"]).output().exits(0);
    assert_eq!(gateway.request().header("authorization"), Some("Bearer sk-of-corp"));
    let seen = std::fs::read_to_string(home.path().join("seen")).expect("what the command saw");
    assert!(!seen.contains(KEY), "{seen}");
}

// S02
#[test]
fn no_program_that_is_run_sees_a_key_of_the_config() {
    let home = Home::new().env("CORP_SECRET", "CANARY");
    let editor = format!("sh {}", home.file("edit", "env > seen\n").display());
    let corp = "[gateway.corp]\nbase_url = \"https://c.example/v1\"\nkey_env = [\"CORP_SECRET\"]\n";
    let command =
        "[gateway.other]\nbase_url = \"https://o.example/v1\"\nkey_command = [\"sh\", \"-c\", \"env > seen\"]\n";
    for (config, arguments) in [
        (format!("{corp}{command}"), &["key", "show", "other"][..]),
        (corp.to_owned(), &["config", "edit"]),
        (format!("{corp}nonsense = 1\n"), &["config", "edit"]),
    ] {
        home.file("llm.toml", config);
        let run = home.llm(arguments).env("LLM_CONFIG", home.path().join("llm.toml"));
        run.env("EDITOR", &editor).output();
        let seen = std::fs::read_to_string(home.path().join("seen")).expect("what the program saw");
        assert!(seen.contains("EDITOR=") && !seen.contains("CANARY"), "{arguments:?}: {seen}");
        std::fs::remove_file(home.path().join("seen")).expect("a file of the home");
    }
}

#[test]
fn the_key_that_belongs_to_no_gateway_yet_is_sent_to_one_at_most() {
    let gateways = [hello(), hello()];
    let table = |name: &str, gateway: &Gateway| {
        format!("[gateway.{name}]\nbase_url = \"{}\"\nauth = \"required\"\n", gateway.base_url())
    };
    let config = table("one", &gateways[0]) + &table("two", &gateways[1]);
    let with_key = || -> Vec<usize> {
        let has_key = |gateway: &Gateway| {
            let all = gateway.requests();
            all.iter().filter(|request| request.header("authorization").is_some_and(|sent| sent.contains(KEY))).count()
        };
        gateways.iter().map(has_key).collect()
    };
    let home = Home::new().config(&config).env("LLM_API_KEY", KEY);
    for arguments in [&["models", "show", "m"][..], &["usage", "--check"], &["compare", "-m", "one::m,two::m", "hi"]] {
        home.llm(arguments).output();
    }
    assert_eq!(with_key(), [0, 0], "nobody says which gateway it is for");
    let chat = home.llm(["chat", "-m", "one::m"]).stdin("hi\n/model two::m\nho\n").output();
    chat.says("LLM_API_KEY is not used");
    assert_eq!(with_key(), [1, 0], "a chat goes on with the gateway that it began with");
    home.llm(["usage", "--check", "-g", "two"]).output();
    home.llm(["ask", "-m", "two::m", "hi"]).output().exits(0);
    assert_eq!(with_key()[0], 1);
    assert!(with_key()[1] > 0, "another command may use another gateway");
}

#[test]
fn the_key_of_one_gateway_is_not_sent_to_another() {
    let (gateway, default) = (hello(), hello());
    let home = Home::with(&default).without_env("LLM_BASE_URL").config(&format!(
        "gateway = \"other\"\n[gateway.other]\nbase_url = \"{}\"\n[gateway.corp]\nbase_url = \"{}\"\n",
        default.base_url(),
        gateway.base_url()
    ));
    home.llm(["ask", "-m", "corp::m", "hi"]).output();
    assert!(gateway.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn a_key_in_the_environment_leaves_the_keyring_alone() {
    let gateway = hello();
    let home = Home::with(&gateway);
    let path = home.path().join("run/bus");
    let address = format!("unix:path={}", path.display());
    let bus = std::os::unix::net::UnixListener::bind(path).expect("a socket");
    bus.set_nonblocking(true).expect("a socket");
    let home = home.env("DBUS_SESSION_BUS_ADDRESS", address);
    home.llm(["ask", "hi"]).output().exits(0);
    home.llm(["--help"]).output().exits(0);
    assert!(bus.accept().is_err(), "nobody called");
}

#[test]
fn the_demo_gateway_takes_no_key_and_says_so() {
    let home = Home::new();
    home.llm(["key", "show", "demo"]).output().exits(0).prints("demo needs no key\n");
    let tested = home.llm(["key", "test", "demo"]).output();
    assert!(tested.exits(0).stdout().starts_with("demo needs no key, and lists "), "{tested}");
    home.llm(["key", "set", "demo", "--store", "file"]).stdin(KEY).output().exits(2).says("demo takes no key");
    assert!(!home.holds(KEY));
    // So it is never asked unless it is named.
    home.llm(["ask", "hi"]).output().exits(3);
}

/// An answer is handed on to the letter, so this is the one place where the key can be seen: the model was told it, and said it.
#[test]
fn an_answer_is_the_models_own_words_even_where_they_are_the_key() {
    let gateway = Gateway::always(Reply::stream(&["It is ", KEY, "."]));
    let home = Home::with(&gateway);
    home.llm(["ask", "--log", "off", "hi"]).may_show_the_key().output().exits(0).prints(&format!("It is {KEY}.\n"));
    home.holds_no_key();
}

// S06, S21
#[cfg(target_os = "linux")]
#[test]
fn no_core_dump_is_written_and_no_other_process_of_the_user_reads_the_memory() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::ExitStatusExt;
    // Root owns the files of all its processes in /proc, whether they may be read or not, so there the process is another user's.
    let home = Home::new().env("LLM_API_KEY", KEY);
    let Some(other_user) = home.as_other_user() else { return };
    let script =
        format!("mkdir -m 777 dump && cd dump && ulimit -c unlimited; exec {other_user} \"$llm\" demo-gateway");
    let running = home.shell(&script).stdin_open().start();
    running.await_stdout("http://");
    let process = format!("/proc/{}", running.id());
    let status = std::fs::read_to_string(format!("{process}/status")).expect("a process");
    assert!(!status.contains("Uid:\t0\t"), "the process is not root's: {status}");
    let owner = std::fs::metadata(format!("{process}/mem")).expect("a process").uid();
    assert_eq!(owner, 0, "the memory belongs to root and not to the user");
    running.signal(rustix::process::Signal::ABORT);
    let outcome = running.finish();
    assert_eq!((outcome.signal(), outcome.status.core_dumped()), (Some(6), false), "{outcome}");
}
