//! How a command ends: every exit code of the contract, and who is told what.

use std::net::TcpListener;

use crate::support::{Gateway, Home, KEY, Reply};

/// What one `ask` ends with when its gateway always replies so, and how many requests it made.
#[track_caller]
fn ends(reply: Reply, arguments: &[&str]) -> (Option<i32>, usize) {
    let gateway = Gateway::always(reply);
    let outcome = Home::with(&gateway).llm(["ask", "hi"]).args(arguments).output();
    if outcome.code() != Some(0) {
        outcome.says("error: ");
    }
    (outcome.code(), gateway.requests().len())
}

// H32
#[test]
fn each_status_has_its_exit_code_and_a_refusal_is_asked_once() {
    for (status, code) in [(400, 1), (401, 4), (402, 1), (403, 4), (404, 1), (413, 1), (422, 1)] {
        assert_eq!(ends(Reply::error(status, "no"), &[]), (Some(code), 1), "{status}");
    }
}

#[test]
fn a_failure_that_may_pass_ends_by_its_kind_once_the_tries_are_used_up() {
    for (status, code) in [(408, 7), (429, 6), (500, 1), (502, 6), (503, 6), (504, 7), (529, 6)] {
        let reply = Reply::error_with(status, &[("retry-after-ms", "1")], "later");
        assert_eq!(ends(reply.clone(), &["--retries", "0"]), (Some(code), 1), "{status}");
        assert_eq!(ends(reply, &["--retries", "2"]), (Some(code), 3), "{status}");
    }
}

// H40
#[test]
fn a_status_that_is_no_answer_is_an_error() {
    let empty = |status| Reply::with_headers(status, &[], "");
    for reply in [empty(206), empty(304), Reply::raw("HTTP/1.1 204 No Content\r\n\r\n"), empty(200)] {
        let (code, requests) = ends(reply.clone(), &["--retries", "0"]);
        assert_eq!((code, requests), (Some(1), 1), "{reply:?}");
    }
}

#[test]
fn a_complete_answer_is_0() {
    assert_eq!(ends(Reply::stream(&["Hello."]), &[]), (Some(0), 1));
}

#[test]
fn an_answer_cut_by_the_token_limit_is_8() {
    let gateway = Gateway::always(Reply::sse().role().text("Half a").finish("length").done());
    Home::with(&gateway).llm(["ask", "hi"]).output().exits(8).prints("Half a\n");
}

#[test]
fn a_word_that_makes_no_sense_is_2() {
    let home = Home::new();
    for arguments in [&["ask", "--no-such-flag"][..], &["comparee"], &["ask", "--retries", "many", "hi"]] {
        let outcome = home.llm(arguments).output();
        outcome.exits(2).prints("").says("error: ");
    }
}

// P16
#[test]
fn a_config_that_makes_no_sense_is_3_and_names_file_line_and_the_nearest_key() {
    let home = Home::new().config("model = \"m\"\n\n[gateway.corp]\nbase_ulr = \"https://x.example\"\n");
    let outcome = home.llm(["ask", "hi"]).output();
    outcome.exits(3).prints("").says("llm.toml:4").says("base_ulr").says("`base_url`");
}

#[test]
fn a_config_that_is_named_but_missing_is_3() {
    let home = Home::new().env("LLM_CONFIG", "/no/such/llm.toml");
    home.llm(["ask", "hi"]).output().exits(3).says("/no/such/llm.toml");
}

// P17
#[cfg(unix)]
#[test]
fn the_path_of_a_config_file_need_not_be_text() {
    let home = Home::new();
    let file = home.path().join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"not \xff UTF-8.toml"));
    std::fs::write(&file, "nonsense = 1").expect("a file of the home");
    home.env("LLM_CONFIG", &file).llm(["config", "check"]).output().exits(3).says("nonsense");
}

#[test]
fn no_key_is_4_and_names_the_ways_to_give_one() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::new().config(&format!(
        "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"{}\"\nauth = \"required\"\n",
        gateway.base_url()
    ));
    let outcome = home.llm(["ask", "-m", "m", "hi"]).output();
    outcome.exits(4).prints("").says("LLM_API_KEY").says("llm key set");
    assert_eq!(gateway.connections(), 0);
}

// H02
#[test]
fn a_closed_port_is_7_and_names_the_address() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let home = Home::new().env("LLM_BASE_URL", format!("http://127.0.0.1:{port}/v1")).env("LLM_API_KEY", KEY);
    let outcome = home.llm(["ask", "-m", "m", "--retries", "0", "hi"]).output();
    outcome.exits(7).prints("").says(&port.to_string());
}

// H01
#[test]
fn a_name_that_does_not_resolve_is_7_and_is_said() {
    // Longer than a name may be, so that no resolver has to be asked.
    let name = format!("{}.invalid", "x".repeat(64));
    let home = Home::new().config(&format!(
        "gateway = \"far\"\n[gateway.far]\nbase_url = \"http://{name}/v1\"\nallow_http = true\nauth = \"none\"\n"
    ));
    home.llm(["ask", "-m", "m", "--retries", "0", "hi"]).output().exits(7).prints("").says(&name);
}

#[test]
fn an_error_reads_as_all_do() {
    let gateway = Gateway::always(Reply::error(404, "The model `gtp` does not exist"));
    let outcome = Home::with(&gateway).llm(["ask", "-m", "gtp", "hi"]).output();
    outcome.exits(1).prints("").says("error: ").says("The model `gtp` does not exist").says("\nhint: ");
}

#[test]
fn version_and_help_are_data() {
    let home = Home::new();
    let outcome = home.llm(["--version"]).output();
    outcome.exits(0).prints(&format!("llm {}\n", env!("CARGO_PKG_VERSION")));
    let outcome = home.llm(["--help"]).output();
    outcome.exits(0).never_says("error");
    assert!(outcome.stdout().contains("ask") && outcome.stdout().contains("compare"), "{outcome}");
}

#[test]
fn a_database_that_takes_connections_and_says_nothing_is_7() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let parameters = "sslmode=disable&connect_timeout=1&tcp_user_timeout=1";
    let home = Home::new().config(&format!("[store]\nurl = \"postgres://u:p@127.0.0.1:{port}/x?{parameters}\"\n"));
    home.llm(["usage"]).output().exits(7).says("does not answer within 2 s").says("does the database run");
}

// P20
#[cfg(target_os = "linux")]
#[test]
fn too_few_open_files_are_71_in_every_command() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    let home = Home::with(&gateway);
    home.file("rows.txt", "one\n");
    let commands = [
        "ask hi",
        "compare -m a,b hi",
        "batch rows.txt x --out out.jsonl",
        "log",
        "usage",
        "usage --budgets",
        "config set model m",
        "alias set a m",
        "models",
        "key set openai --store file",
        "key list",
        "key test",
        "key rm openai",
        "cache clear",
        "serve key list",
        "log purge --all",
    ];
    for files in 4..13 {
        home.llm(["ask", "hi"]).output().exits(0);
        for command in commands {
            let script = format!("ulimit -n {files} && exec \"$llm\" {command}");
            let outcome = home.shell(&script).stdin("sk-of-nobody-0123456789").output();
            match outcome.code() {
                Some(0) => {}
                Some(71) => _ = outcome.says("Too many open files").says("ulimit -n"),
                code => panic!("{files} files: {command}: {code:?}: {outcome}"),
            }
        }
    }
    for command in ["batch rows.txt x --out out.jsonl", "key set openai --store file", "log purge --all"] {
        let script = format!("ulimit -n 4 && exec \"$llm\" {command}");
        home.shell(&script).stdin("sk-of-nobody-0123456789").output().exits(71);
    }
}
