//! `llm serve` from outside: programs that speak every wire format, before scripted gateways.

mod bounds;
mod endings;
mod figures;
mod keys;
mod life;
mod wires;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::process::{PATIENCE, Running};
use crate::support::{Gateway, Home, KEY};

/// A server that runs.
pub struct Server {
    pub running: Running,
    pub address: String,
    /// The first key; empty where there were keys already.
    pub key: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Server {
    /// Starts a server on a free port.
    #[track_caller]
    pub fn start(home: &Home, args: &[&str]) -> Self {
        Self::start_at(home, "127.0.0.1:0", args)
    }

    /// Starts a server at this address.
    #[track_caller]
    pub fn start_at(home: &Home, address: &str, args: &[&str]) -> Self {
        Self::of(home.llm([&["serve", "--listen", address], args].concat()).start())
    }

    /// The server that this process is.
    #[track_caller]
    pub fn of(running: Running) -> Self {
        running.await_stdout("\n");
        let stdout = running.stdout();
        let address =
            stdout.lines().next().and_then(|line| line.strip_prefix("http://")).expect("an address").to_owned();
        let key = stdout.lines().nth(1).and_then(|line| line.strip_prefix("admin ")).unwrap_or_default().to_owned();
        Self { running, address, key }
    }

    /// Makes a key.
    #[track_caller]
    pub fn new_key(home: &Home, name: &str, args: &[&str]) -> String {
        let outcome = home.llm([&["serve", "key", "new", name], args].concat()).output();
        outcome.exits(0);
        outcome.stdout().trim().to_owned()
    }

    /// Opens a connection with this request, whose answer is to be read.
    pub fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Connection {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).expect("the server reads");
        // A server that refuses the head need not read the body.
        let _ = stream.write_all(body);
        Connection { reader: BufReader::new(stream) }
    }

    /// Sends a request with this key and reads the answer.
    #[track_caller]
    pub fn send(&self, key: &str, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [&[("authorization", &*bearer)], headers].concat();
        self.open("POST", path, &headers, body.as_ref()).answer()
    }

    /// Asks a model for a stream over chat completions, which is to be read.
    pub fn begin_stream(&self, key: &str) -> Connection {
        let bearer = format!("Bearer {key}");
        let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
        self.open("POST", "/v1/chat/completions", &[("authorization", &bearer)], body)
    }

    /// Asks a model over chat completions.
    #[track_caller]
    pub fn ask(&self, key: &str, model: &str) -> Answer {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        self.send(key, "/v1/chat/completions", &[], body)
    }

    #[track_caller]
    pub fn get(&self, key: &str, path: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        self.open("GET", path, &[("authorization", &bearer)], b"").answer()
    }

    /// Waits until this holds.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < PATIENCE, "{what} never came");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Server {
    /// Waits until the ledger holds so many calls, and returns them.
    #[track_caller]
    pub fn recorded(&self, home: &Home, count: usize) -> Vec<Value> {
        self.wait_until("a record of every call", |_| home.log().len() >= count);
        let calls = home.log();
        assert_eq!(calls.len(), count);
        calls
    }
}

/// A connection whose answer is read as it comes.
pub struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Reads a line, without its end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("the server answers");
        line.trim_end().to_owned()
    }

    pub fn head(&mut self) -> (u16, Vec<(String, String)>) {
        let line = self.line();
        let status =
            line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { return (status, headers) };
            headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Reads the answer to its end.
    #[track_caller]
    pub fn answer(mut self) -> Answer {
        let (status, headers) = self.head();
        let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let mut body = Vec::new();
        if is_chunked {
            while let Some(mut chunk) = self.chunk() {
                body.append(&mut chunk);
            }
        } else {
            self.reader.read_to_end(&mut body).expect("the server answers");
        }
        Answer { status, headers, body }
    }

    /// The next chunk of a body; `None` at its end.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(&self.line(), 16).expect("the length of a chunk");
        let mut chunk = vec![0; length + 2];
        self.reader.read_exact(&mut chunk).expect("the whole of a chunk");
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }
}

/// A home whose default gateway `up` is this one and speaks this format.
pub fn home(gateway: &Gateway, api: &str) -> Home {
    let config = format!(
        "default_gateway = \"up\"\n[gateway.up]\nbase_url = \"{}\"\napi = \"{api}\"\nkey_env = [\"UP_KEY\"]\n\
         [price.\"*\"]\ninput = 1.0\noutput = 2.0\n",
        gateway.base_url()
    );
    Home::new().config(&config).env("UP_KEY", KEY)
}
