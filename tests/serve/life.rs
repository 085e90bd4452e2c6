//! How a server starts, takes over a changed config, and ends.

use std::time::Instant;

use super::{Server, home};
use crate::support::process::PATIENCE;
use crate::support::{Gateway, Home, Reply};

#[test]
fn a_client_that_leaves_ends_its_upstream_request_and_is_billed_for_what_came() {
    let gateway = Gateway::always(Reply::sse().role().text("some").hold());
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let mut connection = server.begin_stream(&server.key);
    assert_eq!(connection.head().0, 200);
    connection.chunk().expect("the beginning");
    gateway.await_held(1);
    drop(connection);
    gateway.await_left(1);
    server.wait_until("the record", |_| home.log().len() == 1);
    let call = &home.log()[0];
    assert_eq!((&call["status"], &call["text"]), (&"interrupted".into(), &"some".into()), "{call}");
    assert_eq!(call["attempts"][0]["maybe_billed"], true);

    // One that leaves before the answer has begun.
    let gateway = Gateway::always(Reply::silence().hold());
    let home = super::home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let bearer = format!("Bearer {}", server.key);
    let connection = server.open(
        "POST",
        "/v1/messages",
        &[("authorization", &bearer)],
        br#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#,
    );
    gateway.await_held(1);
    drop(connection);
    gateway.await_left(1);
}

#[test]
fn a_client_that_leaves_when_it_has_the_end_of_its_answer_has_not_stopped_it() {
    // The usage comes after the end, and the client does not wait for it.
    let gateway = Gateway::always(Reply::sse().role().text("some").finish("stop").gate().usage(7, 3).done());
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let mut connection = server.begin_stream(&server.key);
    assert_eq!(connection.head().0, 200);
    while !String::from_utf8_lossy(&connection.chunk().expect("the end of the answer")).contains(r#""stop""#) {}
    drop(connection);
    // Meanwhile the server has seen that it left.
    (0..3).for_each(|_| assert_eq!(server.get(&server.key, "/v1/models").status, 200));
    gateway.release();
    server.wait_until("the record", |_| home.log().len() == 1);
    let call = &home.log()[0];
    assert_eq!((&call["status"], &call["usage"]["output_tokens"]), (&"ok".into(), &3.into()), "{call}");
}

#[test]
fn the_first_key_is_made_once() {
    let home = Home::new();
    let server = Server::start(&home, &["-g", "demo"]);
    assert!(server.key.starts_with("lk-"));
    let second = Server::start(&home, &["-g", "demo"]);
    assert_eq!(second.key, "");
    assert_eq!(second.ask(&server.key, "demo/quick").status, 200);
}

#[cfg(target_os = "linux")]
#[test]
fn a_first_key_that_nobody_has_seen_is_told() {
    let serve = Home::new().shell("exec \"$llm\" serve -g demo --listen 127.0.0.1:0 > /dev/full").output();
    serve.exits(74).says("`llm serve key rotate admin` makes another");
}

#[test]
fn a_server_needs_a_gateway() {
    let outcome = Home::new().llm(["serve", "--listen", "127.0.0.1:0"]).output();
    outcome.exits(3);
    assert!(outcome.stderr().contains("no gateway is set up yet"), "{outcome}");
}

#[test]
fn a_changed_config_is_taken_over_and_a_bad_one_changes_nothing() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let before = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    let server = Server::start(&home, &[]);
    // The file is looked at every second.
    home.file("llm.toml", format!("{before}[alias.new]\nmodels = [\"n\"]\n"));
    server.wait_until("the alias", |server| server.ask(&server.key, "new").header("x-llm-model") == Some("n"));
    home.file("llm.toml", format!("{before}[alias.new]\nmodels = [\"other\"]\nnonsense = 1\n"));
    server.running.await_stderr("goes on with the config that it had");
    assert_eq!(server.ask(&server.key, "new").header("x-llm-model"), Some("n"));
    // What was read at the start is not taken over in silence.
    home.file("llm.toml", format!("log = \"off\"\n{before}"));
    server.running.await_stderr("`log` has changed, which counts when the server is started again");
}

#[cfg(feature = "postgres")]
#[test]
fn a_changed_config_whose_store_makes_no_sense_changes_nothing() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let before = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    let server = Server::start(&home, &[]);
    let with_store = |url: &str| format!("{before}[alias.new]\nmodels = [\"n\"]\n[store]\nurl = \"{url}\"\n");
    home.file("llm.toml", with_store("postgres://me:s3cret@h:99999/d"));
    server.running.await_stderr("the url of [store] cannot be read");
    server.running.await_stderr("goes on with the config that it had");
    assert_ne!(server.ask(&server.key, "new").header("x-llm-model"), Some("n"));
    home.file("llm.toml", with_store("postgres://h/d"));
    server.running.await_stderr("`[store]` has changed, which counts when the server is started again");
    server.wait_until("the alias", |server| server.ask(&server.key, "new").header("x-llm-model") == Some("n"));
}

#[cfg(unix)]
#[test]
fn sighup_reads_the_config_again_and_calls_keep_what_they_began_with() {
    use rustix::process::Signal;
    let gateway = Gateway::always(Reply::sse().role().text("a").gate().text("b").finish("stop").done());
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let connection = server.begin_stream(&server.key);
    gateway.await_requests(1);
    server.running.signal(Signal::HUP);
    server.running.await_stderr("the config was read again");
    gateway.release();
    let answer = connection.answer();
    assert!(answer.text().contains("\"b\""), "{}", answer.text());
}

#[cfg(unix)]
#[test]
fn sigterm_lets_streams_end_and_the_record_is_kept() {
    use rustix::process::Signal;
    let gateway = Gateway::always(Reply::sse().role().text("a").gate().text("b").finish("stop").usage(1, 2).done());
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let connection = server.begin_stream(&server.key);
    gateway.await_requests(1);
    server.running.signal(Signal::TERM);
    server.running.await_stderr("no new connections are taken");
    gateway.release();
    assert!(connection.answer().text().contains("\"b\""));
    let outcome = server.running.finish();
    outcome.exits(0);
    assert_eq!(home.log()[0]["status"], "ok");
}

#[cfg(unix)]
#[test]
fn a_stderr_that_nobody_reads_holds_up_neither_clients_nor_the_config_nor_the_end() {
    use rustix::process::Signal;
    use std::io::Write as _;
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let (_unread, mut full) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&full, true).expect("a pipe can be so");
    while full.write(&[b'x'; 4096]).is_ok() {}
    let process = home.llm(["serve", "--listen", "127.0.0.1:0", "--verbose"]).stderr(full).start();
    let server = Server::of(process);
    let config = std::fs::read_to_string(home.path().join("llm.toml")).expect("a config");
    // Each is told on stderr.
    for name in ["first", "second"] {
        home.file("llm.toml", format!("{config}[alias.new]\nmodels = [\"{name}\"]\n"));
        server.running.signal(Signal::HUP);
        server.wait_until("the alias", |server| server.ask(&server.key, "new").header("x-llm-model") == Some(name));
    }
    server.running.signal(Signal::TERM);
    server.running.finish().exits(0);
}

#[cfg(unix)]
#[test]
fn what_takes_longer_than_the_drain_is_stopped_and_recorded() {
    use rustix::process::Signal;
    let gateway = Gateway::always(Reply::sse().role().text("a").hold());
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &["--drain", "200ms"]);
    let mut connection = server.begin_stream(&server.key);
    assert_eq!(connection.head().0, 200);
    server.running.signal(Signal::TERM);
    let outcome = server.running.finish();
    outcome.exits(0);
    assert!(outcome.stderr().contains("1 requests were stopped"), "{outcome}");
    assert_eq!(home.log()[0]["status"], "interrupted");
    // The stream does not look finished.
    let mut told = Vec::new();
    while let Some(mut chunk) = connection.chunk() {
        told.append(&mut chunk);
    }
    let told = String::from_utf8(told).expect("UTF-8");
    assert!(told.contains("the server was stopped"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_second_server_takes_the_port_before_the_first_ends() {
    use rustix::process::Signal;
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let first = Server::start_at(&home, &port.to_string(), &[]);
    let key = first.key.clone();
    assert_eq!(first.ask(&key, "m").status, 200);
    let second = Server::start_at(&home, &port.to_string(), &[]);
    first.running.signal(Signal::TERM);
    first.running.finish().exits(0);
    for _ in 0..5 {
        assert_eq!(second.ask(&key, "m").status, 200);
    }
    // Another program's port is an error.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let outcome = home.llm(["serve", "--listen", &address]).output();
    outcome.exits(71);
    assert!(outcome.stderr().contains(&format!("cannot listen on {address}")), "{outcome}");
}

#[test]
fn a_store_that_cannot_be_written_is_no_spent_budget() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    let limited = Server::new_key(&home, "limited", &["--budget", "5/day", "--rpm", "1000", "--in-flight", "9"]);
    server.wait_until("the key", |server| server.get(&limited, "/v1/models").status == 200);
    assert_eq!((server.ask(&limited, "m").status, server.get("", "/health/ready").status), (200, 200));
    server.recorded(&home, 1);

    let other = rusqlite::Connection::open(home.ledger()).expect("the ledger");
    other.busy_timeout(PATIENCE).expect("a limit");
    other.execute_batch("BEGIN IMMEDIATE").expect("it is free now and then");
    let began = Instant::now();
    let first = server.ask(&limited, "m");
    let waited = began.elapsed();
    assert_eq!((first.status, first.header("retry-after")), (503, Some("5")), "{}", first.text());
    assert!(!first.text().contains("ledger") && !first.text().contains("quota"), "{}", first.text());
    let ready = server.get("", "/health/ready");
    assert_eq!((ready.status, &*ready.text()), (503, "the store cannot be written\n"));
    // Nobody waits for long once it is known.
    let body = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let began = Instant::now();
    let second = server.send(&limited, "/v1/messages", &[], body);
    let error = &second.json()["error"];
    assert_eq!((second.status, &error["type"]), (503, &"overloaded_error".into()), "{}", second.text());
    assert!(began.elapsed() < waited, "it has waited as long as the first one, {waited:?}");
    // What needs no account is answered.
    assert_eq!(server.ask(&server.key, "m").status, 200);

    other.execute_batch("ROLLBACK").expect("it goes on");
    server.wait_until("the store", |server| server.get("", "/health/ready").status == 200);
    assert_eq!(server.ask(&limited, "m").status, 200);
}

// L17
#[cfg(unix)]
#[test]
fn a_server_says_which_findings_it_does_not_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let finding = home.file("data/probes/up/m.json", "{}");
    std::fs::set_permissions(finding, std::fs::Permissions::from_mode(0o666)).expect("ours");
    let server = Server::start(&home, &[]);
    server.running.await_stderr("what `llm probe` found about models of up is not read: ");
}

#[cfg(unix)]
#[test]
fn a_server_that_can_keep_no_call_says_so_at_its_start_and_how_many_are_lost_at_its_end() {
    use rustix::process::Signal;
    use std::os::unix::fs::PermissionsExt as _;
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let key = Server::new_key(&home, "bot", &[]);
    let ledger = home.ledger();
    let data = ledger.parent().expect("a directory");
    let permit = |mode| std::fs::set_permissions(data, std::fs::Permissions::from_mode(mode)).expect("ours");
    permit(0o777);
    for calls in [0, 2] {
        let server = Server::of(home.llm(["serve", "--listen", "127.0.0.1:0", "--drain", "1s"]).start());
        server.running.await_stderr("calls wait in memory");
        (0..calls).for_each(|_| assert_eq!(server.ask(&key, "m").status, 200));
        server.running.signal(Signal::TERM);
        let outcome = server.running.finish();
        outcome.says("every user").never_says(&format!("calls wait in {}", data.display()));
        match calls {
            0 => outcome.exits(0).never_says("lost"),
            _ => outcome.exits(74).says("error: 2 calls are lost"),
        };
    }
    permit(0o700);
    assert!(home.log().is_empty(), "nothing was kept there");
}

/// Nothing is written where every user could put another file.
#[cfg(unix)]
#[test]
fn a_server_that_keeps_calls_in_memory_alone_is_not_ready() {
    use std::os::unix::fs::PermissionsExt as _;
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &[]);
    assert_eq!(server.get("", "/health/ready").status, 200);
    let ledger = home.ledger();
    let permit = |mode| {
        let dir = ledger.parent().expect("a directory");
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)).expect("our directory");
    };
    // Neither the ledger nor a file beside it takes the call.
    let other = rusqlite::Connection::open(&ledger).expect("the ledger");
    other.busy_timeout(PATIENCE).expect("a limit");
    other.execute_batch("BEGIN IMMEDIATE").expect("it is free now and then");
    permit(0o777);
    assert_eq!(server.ask(&server.key, "m").status, 200);
    let ready = server.get("", "/health/ready");
    assert_eq!((ready.status, &*ready.text()), (503, "calls cannot be written\n"));
    permit(0o700);
    other.execute_batch("ROLLBACK").expect("it goes on");
    server.wait_until("the record", |server| server.get("", "/health/ready").status == 200);
    server.recorded(&home, 1);
}

/// Memory for the stacks of threads ends at every point, from the start of the server to its end.
// P20
#[cfg(target_os = "linux")]
#[test]
fn a_server_without_threads_is_71_and_one_with_few_serves_and_ends() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let mut codes = Vec::new();
    for megabytes in (140..230).step_by(2).chain([4096]) {
        let home = home(&gateway, "openai-chat");
        let script = format!(
            "mkfifo out; (ulimit -v {}; exec \"$llm\" serve --listen 127.0.0.1:0 >out) & exec 3<out; read -u 3 address; \
             kill -HUP $!; kill -TERM $!; wait $!",
            megabytes << 10
        );
        let outcome = home.shell(&script).output();
        assert_ne!(outcome.code(), Some(101), "{megabytes} MiB: {outcome}");
        assert!(!outcome.stderr().contains("please report"), "{megabytes} MiB: {outcome}");
        if outcome.code() == Some(71) {
            outcome.says("ulimit -v");
        }
        codes.push(outcome.code());
    }
    assert_eq!(codes.last(), Some(&Some(0)), "{codes:?}");
}
