//! HTTP/2: what ends a stream or a connection there means what it means on HTTP/1.1.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{self, Connection};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::{Home, Outcome};
use crate::tls::{Authority, trusting};

type Wire = Connection<TlsStream<TcpStream>, Bytes>;

/// What the gateway does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Answers `Hello.`, whole.
    Answer,
    /// Breaks off the stream before any of the answer.
    Reset,
    /// Sends a piece and breaks off the stream.
    ResetAfterAPiece,
    /// Sends a piece and says goodbye to the whole connection.
    GoAwayAfterAPiece,
    /// Says that it is busy, and that no more requests are taken on this connection.
    BusyAndGoAway,
    /// Sends a piece and then nothing more.
    StallAfterAPiece,
    /// Takes nothing of the request's body.
    NeverReads,
}

/// A gateway that speaks HTTP/2 alone and does the n-th of these with the n-th request, and the last with all further.
struct Gateway {
    port: u16,
    requests: Arc<AtomicUsize>,
    home: Home,
    ca_file: String,
}

/// A window that holds any request of these tests.
const WIDE: u32 = 64 << 10;

const HELLO: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello.\"}}]}\n\n\
                     data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const HALF: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Half\"}}]}\n\n";

impl Gateway {
    /// `window` is how much of a request's body it takes before it is asked to wait.
    fn new(window: u32, acts: &'static [Act]) -> Self {
        let authority = Authority::new();
        let mut config = authority.server("localhost", 2090);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let requests = Arc::new(AtomicUsize::new(0));
        let (counted, (sender, port)) = (Arc::clone(&requests), mpsc::channel());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(tokio::task::LocalSet::new().run_until(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                sender.send(listener.local_addr().expect("bound").port()).expect("the test waits");
                while let Ok((stream, _)) = listener.accept().await {
                    let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
                    tokio::task::spawn_local(async move {
                        let stream = acceptor.accept(stream).await.expect("a client that trusts us");
                        let wire = server::Builder::new().initial_window_size(window).handshake(stream).await;
                        serve(wire.expect("a client that speaks HTTP/2"), acts, &counted).await;
                    });
                }
            }));
        });
        let (home, ca_file) = trusting(&authority);
        Self { port: port.recv().expect("bound"), requests, home, ca_file }
    }

    fn ask(self, arguments: &[&str]) -> (Outcome, usize) {
        let table = format!(
            "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"https://localhost:{}/v1\"\nauth = \"none\"\n{}\
             timeouts = {{ first_token = \"400ms\", idle = \"200ms\" }}\n",
            self.port, self.ca_file
        );
        let home = self.home.config(&table);
        let outcome = home.llm(["ask", "-m", "m", "hi"]).args(arguments).output();
        (outcome, self.requests.load(Ordering::SeqCst))
    }
}

/// Serves one connection until it ends.
async fn serve(mut wire: Wire, acts: &[Act], counted: &AtomicUsize) {
    // What is dropped is reset; bodies that are not read are not let flow either.
    let mut held = Vec::new();
    while let Some(Ok((request, mut respond))) = wire.accept().await {
        let nth = counted.fetch_add(1, Ordering::SeqCst);
        let act = acts[nth.min(acts.len() - 1)];
        let mut send = |status: u16, body: &'static str, whole: bool| {
            let head = http::Response::builder().status(status).header("content-type", "text/event-stream");
            let mut stream = respond.send_response(head.body(()).expect("a head"), false).expect("an open stream");
            stream.send_data(Bytes::from_static(body.as_bytes()), whole).expect("an open stream");
            stream
        };
        match act {
            Act::Answer => drop(send(200, HELLO, true)),
            Act::Reset => respond.send_reset(Reason::INTERNAL_ERROR),
            Act::ResetAfterAPiece => {
                let mut stream = send(200, HALF, false);
                flush(&mut wire).await;
                stream.send_reset(Reason::INTERNAL_ERROR);
            }
            Act::GoAwayAfterAPiece => {
                held.push((request, Some(send(200, HALF, false))));
                flush(&mut wire).await;
                wire.abrupt_shutdown(Reason::INTERNAL_ERROR);
            }
            Act::BusyAndGoAway => {
                drop(send(429, "", true));
                wire.graceful_shutdown();
            }
            Act::StallAfterAPiece => held.push((request, Some(send(200, HALF, false)))),
            Act::NeverReads => held.push((request, None)),
        }
    }
}

/// Lets what was sent go out: a reset would overtake it.
async fn flush(wire: &mut Wire) {
    let closed = std::future::poll_fn(|context| wire.poll_closed(context));
    tokio::time::timeout(Duration::from_millis(30), closed).await.expect_err("still open");
}

#[test]
fn an_answer_is_an_answer() {
    let (outcome, requests) = Gateway::new(WIDE, &[Act::Answer]).ask(&[]);
    outcome.exits(0).prints("Hello.\n");
    assert_eq!(requests, 1);
}

// H39
#[test]
fn an_answer_that_is_cut_by_the_stream_or_the_connection_keeps_what_came() {
    for act in [&[Act::ResetAfterAPiece][..], &[Act::GoAwayAfterAPiece]] {
        let (outcome, requests) = Gateway::new(WIDE, act).ask(&["--retries", "3", "--fallback", "other"]);
        outcome.exits(8).prints("Half\n").says("error: ");
        assert_eq!(requests, 1, "{act:?}: nothing is asked again after a piece");
    }
}

// H39
#[test]
fn an_answer_that_stalls_ends_at_the_limit_and_keeps_what_came() {
    let (outcome, requests) = Gateway::new(WIDE, &[Act::StallAfterAPiece]).ask(&[]);
    outcome.exits(8).prints("Half\n").says("nothing more came for 0.2 s");
    assert_eq!(requests, 1);
}

// H39
#[test]
fn a_request_that_is_not_let_flow_ends_at_the_limit() {
    let (outcome, requests) = Gateway::new(8, &[Act::NeverReads]).ask(&[]);
    outcome.exits(7).prints("").says("no answer began within 0.4 s");
    assert_eq!(requests, 1);
}

// H39
#[test]
fn a_stream_that_is_reset_before_its_answer_is_asked_for_once_more() {
    let (outcome, requests) = Gateway::new(WIDE, &[Act::Reset, Act::Answer]).ask(&["-o", "json"]);
    let record = outcome.exits(0).json();
    assert_eq!((&record["text"], requests), (&"Hello.".into(), 2));
    assert_eq!(record["attempts"][0]["maybe_billed"], true, "{record}");
    let (outcome, requests) = Gateway::new(WIDE, &[Act::Reset]).ask(&["-o", "json"]);
    assert_eq!(outcome.exits(7).json()["attempts"].as_array().map(Vec::len), Some(2));
    assert_eq!(requests, 2);
}

// H39
#[test]
fn a_connection_that_takes_no_more_is_left_for_a_new_one() {
    let gateway = Gateway::new(WIDE, &[Act::BusyAndGoAway, Act::Answer]);
    let (outcome, requests) = gateway.ask(&["--retries", "0", "--fallback", "other"]);
    outcome.exits(0).prints("Hello.\n");
    assert_eq!(requests, 2);
}
