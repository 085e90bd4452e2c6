//! Slow, large, odd and many requests: each has its bound, and other clients are unharmed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{Server, home};
use crate::fuzz::{damage, laws, requests};
use crate::support::{Gateway, Home, Reply};

#[test]
fn what_is_too_large_too_odd_or_too_slow_has_a_status_of_its_own() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &["--max-body", "1", "--idle", "500ms"]);
    let bearer = format!("Bearer {}", server.key);
    let large = format!(r#"{{"model":"m","messages":[],"x":"{}"}}"#, "a".repeat(1 << 20));
    assert_eq!(server.send(&server.key, "/v1/chat/completions", &[], large).status, 413);
    let many = format!("{{\"model\":\"m\",\"messages\":[{}0]}}", "{},".repeat(150_000));
    let refused = server.send(&server.key, "/v1/chat/completions", &[], many);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("it has more than 500000 values"), "{}", refused.text());
    let named = server.ask(&server.key, &"m".repeat(3_000));
    assert_eq!((named.status, named.json()["error"]["param"].as_str()), (400, Some("model")));
    for (body, status) in [(&b"{"[..], 400), (b"[]", 400), (b"", 400), (b"{\"model\":1}", 400), (b"\xff{}", 400)] {
        assert_eq!(server.send(&server.key, "/v1/chat/completions", &[], body).status, status);
    }
    let packed = server.send(&server.key, "/v1/chat/completions", &[("content-encoding", "gzip")], b"\x1f\x8b");
    assert_eq!(packed.status, 415);
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let plain = server.send(&server.key, "/v1/chat/completions", &[("content-encoding", "identity")], body);
    assert_eq!(plain.status, 200, "{}", plain.text());
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/v1/../etc/passwd"),
        ("DELETE", "/v1/models/m"),
        ("PUT", "/v1/messages"),
        ("GET", "/v1/messages"),
    ] {
        assert_eq!(
            server.open(method, path, &[("authorization", &bearer)], b"").answer().status,
            404,
            "{method} {path}"
        );
    }
    // A flood of headers, and a head without an end.
    let mut flood = TcpStream::connect(&server.address).expect("the server listens");
    flood.write_all(b"GET /v1/models HTTP/1.1\r\n").expect("sent");
    for n in 0..3_000 {
        if flood.write_all(format!("x-{n}: {}\r\n", "v".repeat(50)).as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = String::new();
    let _ = flood.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let mut slow = TcpStream::connect(&server.address).expect("the server listens");
    slow.write_all(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n").expect("sent");
    let mut rest = Vec::new();
    slow.set_read_timeout(Some(Duration::from_secs(20))).expect("not zero");
    let _ = slow.read_to_end(&mut rest);
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&rest));
    // A body that does not come.
    let mut slow = TcpStream::connect(&server.address).expect("the server listens");
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nauthorization: {bearer}\r\ncontent-length: 100\r\n\r\n{{",
        server.address
    );
    slow.write_all(head.as_bytes()).expect("sent");
    let mut line = [0; 12];
    slow.read_exact(&mut line).expect("an answer");
    assert_eq!(&line, b"HTTP/1.1 408");
    assert_eq!(server.ask(&server.key, "m").status, 200, "others are unharmed");
    assert_eq!(gateway.requests().len(), 2);
}

#[test]
fn two_lengths_of_one_body_are_refused() {
    let home = Home::new();
    let server = Server::start(&home, &["-g", "demo"]);
    for ambiguous in [
        "content-length: 3\r\ncontent-length: 4\r\n",
        "content-length: 3\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
    ] {
        let mut stream = TcpStream::connect(&server.address).expect("the server listens");
        let head = format!("POST /v1/messages HTTP/1.1\r\nhost: {}\r\n{ambiguous}\r\n", server.address);
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(b"0\r\n\r\n").expect("sent");
        let mut line = [0; 12];
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("not zero");
        stream.read_exact(&mut line).expect("an answer");
        // hyper reads the second form as RFC 9112 allows it: chunked, and the connection is closed afterwards.
        assert!(matches!(&line[9..], b"400" | b"401"), "{ambiguous}: {}", String::from_utf8_lossy(&line));
    }
}

#[test]
fn a_page_or_a_foreign_host_cannot_reach_a_server_of_this_machine() {
    let home = Home::new();
    let server = Server::start(&home, &["-g", "demo"]);
    let port = server.address.rsplit_once(':').expect("a port").1.to_owned();
    let status_at = |target: &str, headers: &str| {
        let mut stream = TcpStream::connect(&server.address).expect("the server listens");
        let head = format!("GET {target} HTTP/1.1\r\n{headers}connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).expect("a status")
    };
    let status = |headers: &str| status_at("/health/live", headers);
    assert_eq!(status("host: localhost\r\nhost: localhost\r\n"), 400);
    assert_eq!(status("host: localhost\r\nhost: evil.example\r\n"), 400);
    assert_eq!(status("host: \u{e4}\r\n"), 400);
    for (target, expected) in [
        ("http://evil.example/health/live".to_owned(), 403),
        ("http://localhost@evil.example/health/live".to_owned(), 403),
        (format!("http://localhost:{port}/health/live"), 200),
        (format!("http://[::1]:{port}/health/live"), 200),
    ] {
        assert_eq!(status_at(&target, "host: localhost\r\n"), expected, "{target}");
    }
    assert_eq!(status(&format!("host: localhost:{port}\r\n")), 200);
    assert_eq!(status(&format!("host: 127.0.0.1:{port}\r\n")), 200);
    assert_eq!(status("host: evil.example\r\n"), 403);
    assert_eq!(status(&format!("host: localhost:{port}\r\norigin: https://evil.example\r\n")), 403);
    assert_eq!(status(&format!("host: localhost:{port}\r\norigin: http://localhost:{port}\r\n")), 200);
    let other = Server::start(&home, &["-g", "demo", "--host", "llm.corp.example"]);
    let mut stream = TcpStream::connect(&other.address).expect("the server listens");
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nhost: llm.corp.example\r\nconnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn requests_beyond_the_limit_wait_in_a_bounded_line() {
    let gateway = Gateway::by(|request| {
        if request.index == 0 { Reply::sse().role().text("a").gate().finish("stop").done() } else { Reply::unary("b") }
    });
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &["--max-in-flight", "1", "--max-waiting", "1"]);
    let bearer = format!("Bearer {}", server.key);
    let headers = [("authorization", &*bearer)];
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
    let first = server.open("POST", "/v1/chat/completions", &headers, body);
    gateway.await_requests(1);
    let other = [
        server.open("POST", "/v1/chat/completions", &headers, br#"{"model":"m","messages":[]}"#),
        server.open("POST", "/v1/chat/completions", &headers, br#"{"model":"m","messages":[]}"#),
    ];
    let statuses = std::thread::scope(|scope| {
        let waiting = other.map(|connection| {
            scope.spawn(|| {
                let answer = connection.answer();
                (answer.status, answer.header("retry-after").is_some())
            })
        });
        // One of them waits, and the other one is refused at once.
        while !waiting.iter().any(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::yield_now();
        }
        gateway.release();
        waiting.map(|thread| thread.join().expect("an answer"))
    });
    assert_eq!(first.answer().status, 200);
    let mut statuses = statuses;
    statuses.sort_unstable();
    assert_eq!(statuses, [(200, false), (503, true)]);
}

#[test]
fn bodies_that_come_slowly_hold_up_their_own_key_alone() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let key = Server::new_key(&home, "slow", &["--in-flight", "1"]);
    let other = Server::new_key(&home, "other", &[]);
    let server = Server::start(&home, &["--max-body", "1", "--idle", "60s", "--log", "off"]);
    let admin = Server::new_key(&home, "figures", &["--admin"]);
    server.wait_until("the new key", |server| server.get(&admin, "/metrics").status == 200);
    let waiting = |count: usize| server.get(&admin, "/metrics").text().contains(&format!("llm_waiting {count}\n"));
    let begin = || {
        let mut stream = TcpStream::connect(&server.address).expect("the server listens");
        let length = 1 << 20;
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n{{",
            server.address
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    };
    // There is room for eight bodies, and a key gets no more than it leaves: four of these wait.
    let slow: Vec<_> = (0..8).map(|_| begin()).collect();
    server.wait_until("what is beyond", |_| waiting(4));
    assert_eq!(server.ask(&other, "m").status, 200, "another key is not held up");
    assert_eq!(gateway.requests().len(), 1);
    // What is sent at once has its turn when the others have left.
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| server.ask(&key, "m").status);
        server.wait_until("the next", |_| waiting(5));
        drop(slow);
        assert_eq!(answer.join().expect("an answer"), 200);
    });
}

#[test]
fn a_client_that_reads_nothing_is_left_and_does_not_fill_the_memory() {
    let gateway =
        Gateway::always(Reply::sse().role().then(crate::support::reply::Step::Flood(crate::support::reply::chunk(
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "x".repeat(4_000)).as_bytes(),
        ))));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &["--idle", "700ms"]);
    let connection = server.begin_stream(&server.key);
    gateway.await_left(1);
    drop(connection);
    server.wait_until("the record", |_| home.log().len() == 1);
}

#[test]
fn thousands_of_idle_connections_keep_nobody_from_an_answer() {
    let home = Home::new();
    let server = Server::start(&home, &["-g", "demo", "--max-connections", "300", "--idle", "2s"]);
    // More than the server accepts: those beyond wait in the system's queue until idle ones are closed.
    let idle: Vec<_> = (0..400).map(|_| TcpStream::connect(&server.address).expect("a connection")).collect();
    assert_eq!(server.ask(&server.key, "demo/quick").status, 200);
    drop(idle);
}

#[test]
fn damaged_requests_of_every_format_have_a_status_and_harm_nobody() {
    let home = Home::new();
    let server = Server::start(&home, &["-g", "demo", "--idle", "60s"]);
    let mut random = fastrand::Rng::with_seed(7);
    let seeds = requests();
    let mut statuses = std::collections::BTreeMap::new();
    for _ in 0..60 {
        for ((_, path), seed) in laws::REQUESTS.iter().zip(&seeds) {
            let other = &seeds[random.usize(..seeds.len())];
            let body = damage(&mut random, seed, other);
            // Answers of the demo gateway take a while, and what is refused is what this is about.
            let model = if random.bool() { "nowhere::m" } else { "demo/quick" };
            let body = String::from_utf8_lossy(&body).replace("\"m\"", &format!("\"{model}\"")).into_bytes();
            let path = path.replace("models/m", &format!("models/{model}"));
            let answer = server.send(&server.key, &format!("/v1/{path}"), &[], &body);
            *statuses.entry(answer.status).or_insert(0) += 1;
            assert!(matches!(answer.status, 200 | 400 | 404), "{path}: {}: {}", answer.status, answer.text());
            if answer.status != 200 {
                assert!(answer.json()["error"].is_object(), "{path}: {}", answer.text());
            }
        }
    }
    assert!(statuses.keys().eq(&[200, 400, 404]), "each of them is met: {statuses:?}");
    assert_eq!(server.ask(&server.key, "demo/quick").status, 200);
}

#[test]
fn a_client_that_sends_slowly_is_waited_for_as_long_as_it_sends() {
    let gateway = Gateway::always(Reply::unary("yes"));
    let home = home(&gateway, "openai-chat");
    let server = Server::start(&home, &["--idle", "60s"]);
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let mut stream = TcpStream::connect(&server.address).expect("the server listens");
    stream.set_nodelay(true).expect("a socket");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n",
        server.address, server.key
    );
    let sent = [head.as_bytes(), format!("content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    // Another client between any two bytes: the server does nothing but wait for the first one.
    for (at, byte) in sent.iter().enumerate() {
        stream.write_all(std::slice::from_ref(byte)).expect("sent");
        if at % 64 == 0 {
            assert_eq!(server.get(&server.key, "/health/live").status, 200);
        }
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("yes"), "{answer}");
}

#[test]
fn a_refusal_reaches_a_client_whose_body_comes_after_its_head() {
    let home = Home::new();
    let server = Server::start(&home, &["-g", "demo"]);
    let body = vec![b' '; 300_000];
    for (path, key, status) in [
        ("/v1/messages", "lk-of-nobody", "401"),
        ("/v1/nothing", &*server.key, "404"),
        ("/v1/messages", &*server.key, "400"),
    ] {
        let mut stream = TcpStream::connect(&server.address).expect("the server listens");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n",
            server.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        // Another request is answered meanwhile, so that the server has read this head.
        assert_eq!(server.get(&server.key, "/health/live").status, 200);
        stream.write_all(&body).expect("the server reads the body, or a reset would end this");
        let mut line = [0; 12];
        stream.read_exact(&mut line).expect("an answer");
        assert_eq!(&line[9..], status.as_bytes(), "{path}");
    }
}
