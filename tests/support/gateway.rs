//! A gateway that does as it is told: a raw TCP server that records what it is asked and plays a scripted reply.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Reply;
use super::process::PATIENCE;
use super::reply::Step;

/// Listens on a free port of the loopback until dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    log: Mutex<Log>,
    changed: Condvar,
    stopped: AtomicBool,
}

#[derive(Debug, Default)]
struct Log {
    requests: Vec<Request>,
    connections: usize,
    /// How many clients closed their end while a reply was being held.
    left: usize,
    /// How many replies have come to a [`Step::Hold`].
    held: usize,
    /// How many replies have come to a [`Step::Gate`].
    gated: usize,
    /// Whether the test has opened the gate.
    open: bool,
}

/// One request as it was received.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its place among all requests to this gateway, from 0.
    pub index: usize,
    /// Its place among the requests on its connection, from 0.
    pub on_connection: usize,
    pub at: Instant,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The model that was asked for.
    pub fn model(&self) -> String {
        self.json()["model"].as_str().unwrap_or_default().to_owned()
    }

    /// The text of the last message.
    pub fn prompt(&self) -> String {
        let body = self.json();
        let content = body["messages"].as_array().and_then(|all| all.last()).map(|last| last["content"].clone());
        match content {
            Some(serde_json::Value::String(text)) => text,
            Some(serde_json::Value::Array(parts)) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
            _ => String::new(),
        }
    }
}

impl Gateway {
    /// Answers every request alike.
    pub fn always(reply: Reply) -> Self {
        Self::by(move |_| reply.clone())
    }

    /// Answers the n-th request with the n-th reply, and every further one with the last.
    pub fn in_turn(replies: impl Into<Vec<Reply>>) -> Self {
        let replies = replies.into();
        Self::by(move |request| replies[request.index.min(replies.len() - 1)].clone())
    }

    /// Answers as the function says.
    pub fn by(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let log = Mutex::new(Log::default());
        let shared = Arc::new(Shared { log, changed: Condvar::new(), stopped: AtomicBool::new(false) });
        let accepting = Arc::clone(&shared);
        let reply = Arc::new(reply);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&accepting);
                let reply = Arc::clone(&reply);
                thread::spawn(move || Connection::new(stream, shared).serve(&*reply));
            }
        });
        Self { address, shared }
    }

    /// With `/v1`, as gateways have it.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// `http://host:port`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.log().requests.clone()
    }

    /// How many connections were made so far, with or without a request.
    pub fn connections(&self) -> usize {
        self.log().connections
    }

    /// The only request there was.
    #[track_caller]
    pub fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "requests: {requests:#?}");
        requests[0].clone()
    }

    /// Waits until this many requests have come.
    #[track_caller]
    pub fn await_requests(&self, count: usize) {
        self.wait("requests", |log| log.requests.len() >= count);
    }

    /// Waits until this many clients have left while their reply was held.
    #[track_caller]
    pub fn await_left(&self, count: usize) {
        self.wait("clients to leave", |log| log.left >= count);
    }

    /// Waits until this many replies have been sent as far as their [`Step::Hold`].
    #[track_caller]
    pub fn await_held(&self, count: usize) {
        self.wait("replies to be held", |log| log.held >= count);
    }

    /// Waits until this many replies stand at their [`Step::Gate`].
    #[track_caller]
    pub fn await_gated(&self, count: usize) {
        self.wait("replies to reach the gate", |log| log.gated >= count);
    }

    /// Opens the gate for every reply that stands at [`Step::Gate`] or will come to it.
    pub fn release(&self) {
        self.log().open = true;
        self.shared.changed.notify_all();
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[track_caller]
    fn wait(&self, what: &str, mut come: impl FnMut(&Log) -> bool) {
        let (log, late) = self
            .shared
            .changed
            .wait_timeout_while(self.log(), PATIENCE, |log| !come(log))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!late.timed_out(), "waited in vain for {what}: {log:#?}");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        // Wakes the accepting thread, so that it sees the word; if it cannot be reached it has ended already.
        drop(TcpStream::connect(self.address));
    }
}

/// One client.
struct Connection {
    stream: TcpStream,
    shared: Arc<Shared>,
}

impl Connection {
    fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        shared.log.lock().unwrap_or_else(PoisonError::into_inner).connections += 1;
        // Small pieces leave at once, or the client would see other pieces than those scripted.
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream, shared }
    }

    fn serve(mut self, reply: &dyn Fn(&Request) -> Reply) {
        let mut reader = BufReader::new(self.stream.try_clone().expect("a further descriptor"));
        let mut count = 0..;
        while let Some(request) = self.receive(&mut reader, count.next().unwrap_or(0)) {
            if !self.play(&reply(&request)) {
                return;
            }
        }
    }

    /// Reads one whole request and logs it; `None` at the end of the connection.
    fn receive(&self, reader: &mut impl BufRead, on_connection: usize) -> Option<Request> {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut log = self.shared.log.lock().unwrap_or_else(PoisonError::into_inner);
        let index = log.requests.len();
        let at = Instant::now();
        let mut request = Request { index, on_connection, at, method, path, headers, body: Vec::new() };
        let length = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).ok()?;
        log.requests.push(request.clone());
        self.shared.changed.notify_all();
        Some(request)
    }

    /// Whether the connection can serve another request afterwards.
    fn play(&mut self, reply: &Reply) -> bool {
        for step in reply.steps() {
            let sent = match step {
                Step::Send(bytes) => self.stream.write_all(bytes).is_ok(),
                Step::Flood(bytes) => {
                    while self.stream.write_all(bytes).is_ok() {}
                    self.leave()
                }
                Step::Drip(bytes, every) => {
                    while !self.client_leaves_within(*every) && self.stream.write_all(bytes).is_ok() {}
                    self.leave()
                }
                Step::Hold => {
                    self.note(|log| log.held += 1);
                    while !self.client_leaves_within(PATIENCE) && !self.stopped() {}
                    self.leave()
                }
                Step::Gate => self.wait_for_release(),
                Step::Close => {
                    // The other side may have closed first, which is as good.
                    drop(self.stream.shutdown(Shutdown::Both));
                    false
                }
                #[cfg(unix)]
                Step::Reset => {
                    let at_once = Some(Duration::ZERO);
                    rustix::net::sockopt::set_socket_linger(&self.stream, at_once).expect("a TCP socket");
                    false
                }
            };
            if !sent {
                return false;
            }
        }
        true
    }

    fn stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::SeqCst)
    }

    /// Notes that the client has left.
    fn leave(&self) -> bool {
        self.note(|log| log.left += 1);
        false
    }

    fn note(&self, change: impl FnOnce(&mut Log)) {
        change(&mut self.shared.log.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.changed.notify_all();
    }

    fn client_leaves_within(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("not zero");
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        }
    }

    fn wait_for_release(&self) -> bool {
        self.note(|log| log.gated += 1);
        let log = self.shared.log.lock().unwrap_or_else(PoisonError::into_inner);
        let shut = |log: &mut Log| !log.open && !self.stopped();
        let (log, _) =
            self.shared.changed.wait_timeout_while(log, PATIENCE, shut).unwrap_or_else(PoisonError::into_inner);
        log.open
    }
}
