//! Limits of time and memory: no gateway can hold `llm` for ever or make it grow.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::reply::{Step, chunk, head};
use crate::support::{Gateway, Home, Outcome, Reply};

/// `ask` with these time limits, and how long it took.
fn ask_within(gateway: &Gateway, timeouts: &str) -> (Outcome, Duration) {
    let home = Home::new().config(&format!(
        "gateway = \"slow\"\n[gateway.slow]\nbase_url = \"{}\"\nauth = \"none\"\ntimeouts = {{ {timeouts} }}\n",
        gateway.base_url()
    ));
    let began = Instant::now();
    let outcome = home.llm(["ask", "-m", "m", "--retries", "0", "hi"]).output();
    (outcome, began.elapsed())
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// 256 MiB of one letter, compressed.
#[cfg(target_os = "linux")]
fn bomb() -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&[b'x'; 1 << 20]).and_then(|()| encoder.flush()).expect("memory takes everything");
    // A flushed block ends at a byte and refers to nothing before it, so it can stand any number of times.
    let block = encoder.get_ref().repeat(256);
    [b"\x1f\x8b\x08\0\0\0\0\0\0\xff".as_slice(), &block].concat()
}

// H03
#[cfg(target_os = "linux")]
#[test]
fn a_connection_that_nobody_takes_up_is_7_at_the_limit_for_connecting() {
    use rustix::net::{AddressFamily, SocketType, bind, connect, getsockname, listen, socket};
    let any: std::net::SocketAddrV4 = "127.0.0.1:0".parse().expect("an address");
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&listener, &any).expect("a free port");
    listen(&listener, 0).expect("a socket");
    let address = std::net::SocketAddrV4::try_from(getsockname(&listener).expect("a name")).expect("of the kind it is");
    // Fills the queue of those that wait; whoever comes after is not answered at all.
    let waiting = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    connect(&waiting, &address).expect("room for one");
    let home = Home::new().config(&format!(
        "gateway = \"full\"\n[gateway.full]\nbase_url = \"http://{address}/v1\"\nauth = \"none\"\n\
         timeouts = {{ connect = \"200ms\" }}\n"
    ));
    home.llm(["ask", "-m", "m", "--retries", "0", "hi"]).output().exits(7).prints("").says(&address.to_string());
}

// H05
#[test]
fn no_reply_at_all_is_7_at_the_limit_for_the_first_token() {
    let gateway = Gateway::always(Reply::silence().hold());
    let (outcome, took) = ask_within(&gateway, "first_token = \"200ms\"");
    outcome.exits(7).prints("");
    assert!(took >= Duration::from_millis(200), "{took:?}");
    gateway.await_left(1);
}

// H06
#[test]
fn headers_that_dribble_do_not_move_the_limit() {
    let byte = Step::Drip(b"x".to_vec(), Duration::from_millis(20));
    let gateway = Gateway::always(Reply::raw("HTTP/1.1 200 OK\r\nx-slow: ").then(byte));
    ask_within(&gateway, "first_token = \"200ms\"").0.exits(7).prints("");
}

// H07
#[test]
fn a_stream_that_stalls_keeps_what_came_and_is_8() {
    let gateway = Gateway::always(Reply::sse().role().text("Half").hold());
    ask_within(&gateway, "idle = \"200ms\"").0.exits(8).prints("Half\n").says("error: ");
    gateway.await_left(1);
}

// H08
#[test]
fn comments_and_empty_pieces_are_no_sign_of_life() {
    let comment = chunk(b": ping\n\n");
    let empty = chunk(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}\n\n");
    for noise in [comment, empty] {
        let drip = Step::Drip(noise, Duration::from_millis(20));
        let gateway = Gateway::always(Reply::sse().role().then(drip.clone()));
        ask_within(&gateway, "first_token = \"100ms\"").0.exits(7).prints("");
        let gateway = Gateway::always(Reply::sse().role().text("Half").then(drip));
        ask_within(&gateway, "idle = \"100ms\"").0.exits(8).prints("Half\n");
    }
}

#[test]
fn the_whole_call_has_a_limit_however_lively_it_is() {
    let token = chunk(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n");
    let gateway = Gateway::always(Reply::sse().then(Step::Drip(token, Duration::from_millis(20))));
    let outcome = Home::with(&gateway).llm(["ask", "--timeout", "300ms", "hi"]).output();
    outcome.exits(8);
    assert!(outcome.stdout().starts_with('x'), "{outcome}");
}

// H10
#[test]
fn an_answer_in_one_piece_may_take_longer_than_the_idle_limit() {
    let gateway = Gateway::always(Reply::silence().gate().and(Reply::unary("Hello.")));
    let home = Home::new().config(&format!(
        "gateway = \"slow\"\n[gateway.slow]\nbase_url = \"{}\"\nauth = \"none\"\ntimeouts = {{ idle = \"50ms\" }}\n",
        gateway.base_url()
    ));
    let running = home.llm(["ask", "-m", "m", "-p", "stream=false", "hi"]).start();
    gateway.await_requests(1);
    let began = Instant::now();
    // Passes the idle limit while nothing comes: a second gateway that never answers tells when it would have struck.
    let other = Gateway::always(Reply::sse().role().text("Half").hold());
    ask_within(&other, "idle = \"150ms\"").0.exits(8);
    assert!(began.elapsed() >= Duration::from_millis(150));
    gateway.release();
    running.finish().exits(0).prints("Hello.\n");
}

/// `ask` in a process that may hold no more than 64 MiB of data: one that wants more is killed.
#[cfg(target_os = "linux")]
fn ask_in_memory(gateway: &Gateway, mebibytes: u32) -> Outcome {
    let limit = mebibytes << 10;
    Home::with(gateway).shell(&format!("ulimit -d {limit}; exec \"$llm\" ask --retries 0 hi")).output()
}

#[cfg(target_os = "linux")]
#[test]
fn little_memory_is_enough() {
    let gateway = Gateway::always(Reply::stream(&["Hello."]));
    ask_in_memory(&gateway, 64).exits(0).prints("Hello.\n");
}

// H18
#[cfg(target_os = "linux")]
#[test]
fn a_line_without_an_end_is_given_up() {
    let gateway = Gateway::always(Reply::sse().bytes("data: ").then(Step::Flood(chunk(&[b'x'; 64 << 10]))));
    ask_in_memory(&gateway, 64).exits(1).prints("").says("error: ");
    gateway.await_left(1);
}

// H09
#[cfg(target_os = "linux")]
#[test]
fn an_answer_without_an_end_is_cut_and_kept() {
    let text = "x".repeat(60 << 10);
    let token = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let gateway = Gateway::always(Reply::sse().then(Step::Flood(chunk(token.as_bytes()))));
    // The answer itself, its record, and what a slow reader has not taken yet.
    let outcome = ask_in_memory(&gateway, 96);
    assert_eq!(outcome.code(), Some(8), "{}", outcome.stderr());
    assert!(outcome.stdout.len() > 1 << 20, "{} bytes kept", outcome.stdout.len());
    gateway.await_left(1);
}

// H21
#[test]
fn a_stream_that_nobody_can_read_is_given_up_and_does_not_fill_the_terminal() {
    let event = chunk(&b"data: {\"choices\": 5}\n\n".repeat(100));
    for (start, code) in [(Reply::sse(), 1), (Reply::sse().role().text("Half"), 8)] {
        let gateway = Gateway::always(start.then(Step::Flood(event.clone())));
        let outcome = Home::with(&gateway).llm(["ask", "--retries", "0", "hi"]).output();
        outcome.exits(code).says("1000 events of the stream could not be read");
        assert!(outcome.stderr().lines().count() < 12, "{outcome}");
        gateway.await_left(1);
    }
}

// H19
#[cfg(target_os = "linux")]
#[test]
fn a_compression_bomb_does_not_go_off() {
    let bomb = bomb();
    for status in [200, 500] {
        for content_type in ["application/json", "text/event-stream"] {
            let headers = [("content-type", content_type), ("content-encoding", "gzip")];
            let gateway = Gateway::always(Reply::with_headers(status, &headers, &bomb));
            ask_in_memory(&gateway, 64).exits(1).prints("");
        }
    }
}

// H19
#[cfg(target_os = "linux")]
#[test]
fn a_small_body_of_millions_of_values_takes_little_memory() {
    let many = "{\"\":0},".repeat(2 << 20);
    for body in [
        format!("{{\"error\":{{\"message\":\"x\",\"d\":[{many}0]}}}}"),
        format!("{{\"choices\":[{many}0]}}"),
        format!(
            "{{\"choices\":[{{\"message\":{{\"tool_calls\":[{many}0],\"reasoning_details\":[{{\"data\":\"x\",\"d\":[{many}0]}}]}}}}]}}"
        ),
    ] {
        let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
        let gateway = Gateway::always(Reply::with_headers(200, &headers, gzip(body.as_bytes())));
        ask_in_memory(&gateway, 64).exits(1).prints("");
    }
}

/// The events of a body that is compressed come without a wait between them.
#[test]
fn a_stream_of_nothing_hears_time_limits() {
    let headers = [("content-type", "text/event-stream"), ("content-encoding", "gzip")];
    let nothing = gzip("data:{}\n\n".repeat(8 << 20).as_bytes());
    let gateway = Gateway::always(Reply::with_headers(200, &headers, nothing));
    let outcome = Home::with(&gateway).llm(["ask", "--retries", "0", "--timeout", "100ms", "hi"]).output();
    outcome.exits(7).says("the call took longer than 0.1 s");
}

// H20
#[test]
fn headers_without_measure_are_1() {
    let mut one = head(200, &[("x-long", &"x".repeat(2 << 20))]);
    one.extend_from_slice(b"\r\n");
    let mut many = head(200, &[("x-n", "1"); 10_000]);
    many.extend_from_slice(b"\r\n");
    for headers in [one, many] {
        let gateway = Gateway::always(Reply::raw(headers).close());
        Home::with(&gateway).llm(["ask", "--retries", "0", "hi"]).output().exits(1).prints("").says("error: ");
    }
}

#[test]
fn each_limit_has_a_message_of_its_own_that_names_its_setting() {
    let silent = Gateway::always(Reply::silence().hold());
    let stalled = Gateway::always(Reply::sse().role().text("Half").hold());
    for (gateway, timeouts, message, setting) in [
        (&silent, "first_token = \"100ms\"", "no answer began within 0.1 s", "timeouts.first_token"),
        (&stalled, "idle = \"100ms\"", "nothing more came for 0.1 s", "timeouts.idle"),
        (&silent, "total = \"100ms\"", "the call took longer than 0.1 s", "timeouts.total"),
    ] {
        let (outcome, _) = ask_within(gateway, timeouts);
        outcome.says(message).says(setting);
        assert_eq!(outcome.stderr().matches(message).count(), 1, "{outcome}");
    }
    let home = Home::with(&silent);
    home.llm(["ask", "--timeout", "100ms", "hi"]).output().exits(7).says("longer than 0.1 s").says("--timeout");
}

#[test]
fn a_limit_beyond_what_the_clock_counts_is_as_good_as_none() {
    let hello = || Gateway::always(Reply::stream(&["Hello."]));
    let gateway = hello();
    for limit in ["1e19", "18446744073709551615 s", "584000000000 years"] {
        let timeouts = ["connect", "first_token", "idle", "total"].map(|name| format!("{name} = \"{limit}\""));
        let home = Home::with(&gateway);
        let outcome = home.llm(["ask", "--timeout", limit, "hi"]).output();
        if outcome.code() == Some(2) {
            // Some are more than a span of time can hold, and are said to be none.
            outcome.says("is not a span of time");
            continue;
        }
        outcome.exits(0).prints("Hello.\n");
        ask_within(&gateway, &timeouts.join(", ")).0.exits(0).prints("Hello.\n");
        let home = Home::new().config(&format!(
            "[gateway.g]\nbase_url = \"{}\"\nauth = \"none\"\ntimeouts = {{ {} }}\n\
             [alias.patient]\nmodels = [\"g::m\", \"g::n\"]\ntimeout = \"{limit}\"\nhedge = \"{limit}\"\n",
            gateway.base_url(),
            timeouts.join(", "),
        ));
        home.llm(["ask", "-m", "patient", "hi"]).output().exits(0).prints("Hello.\n");
        // Lists are fetched within a limit as well.
        home.llm(["models", "-g", "g"]).output().never_says("panicked");
    }
}

// H42, P11
#[cfg(unix)]
#[test]
fn a_limit_that_passed_while_the_process_slept_strikes_once_and_makes_sense() {
    use rustix::process::Signal;
    let gateway = Gateway::always(Reply::silence().hold());
    let home = Home::new().config(&format!(
        "gateway = \"slow\"\n[gateway.slow]\nbase_url = \"{}\"\nauth = \"none\"\n\
         timeouts = {{ first_token = \"150ms\" }}\n",
        gateway.base_url()
    ));
    let running = home.llm(["ask", "-m", "m", "-o", "json", "hi"]).start();
    gateway.await_requests(1);
    running.signal(Signal::STOP);
    let began = Instant::now();
    // Another command passes the time, as in H10.
    ask_within(&Gateway::always(Reply::silence().hold()), "first_token = \"400ms\"").0.exits(7);
    running.signal(Signal::CONT);
    let outcome = running.finish();
    let record = outcome.exits(7).says("no answer began within 0.15 s").json();
    assert_eq!((&record["error"]["kind"], gateway.requests().len()), (&"timeout".into(), 1));
    let took = Duration::from_secs_f64(record["timing"]["total_ms"].as_f64().expect("a time") / 1000.0);
    assert!(took > Duration::ZERO && took <= began.elapsed() + Duration::from_secs(1), "{took:?}");
}
