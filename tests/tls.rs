//! TLS: whom `llm` trusts, and what it says when it does not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::{Gateway, Home, KEY, Outcome, Reply};

/// An authority of the test's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// What a server of this name shows, good until the end of that year.
    pub fn server(&self, name: &str, until: i32) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions that it knows")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .expect("a certificate and its key")
    }
}

/// Serves `Hello.` over TLS, for as many clients as come; gives its port.
fn serve(config: ServerConfig) -> u16 {
    let config = Arc::new(config);
    listen(move |stream| {
        let connection = ServerConnection::new(config.clone()).expect("a good config");
        let mut stream = StreamOwned::new(connection, stream);
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        // A client that does not trust us leaves in the middle of the handshake.
        while !request.ends_with(b"}") {
            match stream.read(&mut buffer) {
                Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
                _ => return,
            }
        }
        let sent = stream.write_all(&Reply::stream(&["Hello."]).as_bytes()).and_then(|()| stream.flush());
        sent.expect("a client that asked takes the answer");
        stream.conn.send_close_notify();
        drop(stream.flush());
    })
}

/// Does this with every connection to a free port; gives the port.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    port
}

fn ask(base_url: &str, more: &str) -> Outcome {
    ask_from(Home::new().env("LLM_API_KEY", KEY), base_url, more)
}

fn ask_from(home: Home, base_url: &str, more: &str) -> Outcome {
    let table = format!("[gateway.corp]\nbase_url = \"{base_url}\"\nkey_env = [\"LLM_API_KEY\"]\n{more}");
    let home = home.config(&format!("gateway = \"corp\"\n{table}"));
    home.llm(["ask", "-m", "m", "--retries", "0", "hi"]).output()
}

/// The authority's certificate as `ca_file`, with a home that keeps it.
pub fn trusting(authority: &Authority) -> (Home, String) {
    let home = Home::new().env("LLM_API_KEY", KEY);
    let path: PathBuf = home.file("ca.pem", &authority.pem);
    (home, format!("ca_file = \"{}\"\n", path.display()))
}

#[test]
fn a_gateway_of_an_authority_named_in_the_config_is_trusted() {
    let authority = Authority::new();
    let port = serve(authority.server("localhost", 2090));
    let (home, ca_file) = trusting(&authority);
    ask_from(home, &format!("https://localhost:{port}/v1"), &ca_file).exits(0).prints("Hello.\n");
    // Editors of some systems put a byte order mark before all text.
    let (home, ca_file) = trusting(&authority);
    home.file("ca.pem", format!("\u{feff}{}", authority.pem));
    ask_from(home, &format!("https://localhost:{port}/v1"), &ca_file).exits(0).prints("Hello.\n");
}

// S16
#[test]
fn an_unknown_authority_is_7_and_the_way_out_is_named() {
    let port = serve(Authority::new().server("localhost", 2090));
    let home = Home::new().config(&format!(
        "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"https://localhost:{port}/v1\"\nauth = \"none\"\n"
    ));
    let outcome = home.llm(["ask", "-m", "m", "--retries", "2", "hi"]).output();
    outcome.exits(7).prints("").says("ca_file").says("SSL_CERT_FILE").never_says("trying again");
    // Commands with several calls say as much in the line of each, and records say it too.
    home.file("rows.jsonl", "{\"prompt\":\"hi\"}\n");
    let why = "its certificate is of an authority that is not trusted (ca_file names one)";
    for command in [
        &["compare", "-m", "m,n", "hi"][..],
        &["batch", "rows.jsonl", "-m", "m", "--out", "out.jsonl"],
        &["bench", "-m", "m", "--requests", "2", "hi"],
        &["probe", "-m", "m", "--only", "stream"],
    ] {
        let outcome = home.llm(command).output();
        let said = outcome.stderr().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(why), "{outcome}");
        let message = home.log()[0]["error"]["message"].to_string();
        assert!(message.contains(why), "{message}");
    }
}

// S16
#[test]
fn a_certificate_that_has_expired_or_is_anothers_is_7_and_said() {
    let authority = Authority::new();
    for (name, until, word) in [
        ("localhost", 2021, "its certificate has expired"),
        ("other.test", 2090, "its certificate is for another host"),
    ] {
        let port = serve(authority.server(name, until));
        let (home, ca_file) = trusting(&authority);
        let outcome = ask_from(home, &format!("https://localhost:{port}/v1"), &ca_file);
        outcome.exits(7).prints("").says(word).says("SSL_CERT_FILE");
    }
}

// S14, S16
#[test]
fn a_proxy_with_a_certificate_that_is_not_trusted_is_named_and_not_the_gateway() {
    let authority = Authority::new();
    for (name, until, word) in [
        ("localhost", 2021, "its certificate has expired"),
        ("other.test", 2090, "its certificate is for another host"),
    ] {
        let port = serve(authority.server(name, until));
        let through = format!("through the proxy https://localhost:{port} of HTTPS_PROXY: {word}");
        let proxied = |home: Home| home.env("HTTPS_PROXY", format!("https://user:p4ssw0rd@localhost:{port}"));
        let (home, ca_file) = trusting(&authority);
        let outcome = ask_from(proxied(home), "https://gateway.invalid/v1", &ca_file);
        outcome.exits(7).prints("").says(&through).says("runs the proxy").says("SSL_CERT_FILE").never_says("p4ssw0rd");
    }
    let port = serve(Authority::new().server("localhost", 2090));
    let home = Home::new().env("LLM_API_KEY", KEY).env("ALL_PROXY", format!("https://user:p4ssw0rd@localhost:{port}"));
    let proxy = format!("the proxy https://localhost:{port} of ALL_PROXY");
    let home = home.env("LLM_BASE_URL", "https://gateway.invalid/v1");
    let outcome = home.llm(["ask", "-m", "m", "--retries", "0", "hi"]).output();
    outcome
        .exits(7)
        .says(&format!("through {proxy}: its certificate is of an authority"))
        .says("the proxy's certificate");
    let page = home.llm(["ask", "-m", "m", "-f", "https://page.invalid/a", "hi"]).output();
    page.exits(7).says(&format!("no connection to {proxy}")).says("hint: SSL_CERT_FILE").never_says("p4ssw0rd");
}

// S16
#[test]
fn a_proxy_before_a_plain_gateway_is_trusted_as_a_gateway_is() {
    let authority = Authority::new();
    let port = serve(authority.server("localhost", 2090));
    let (home, ca_file) = trusting(&authority);
    let home = home.env("HTTP_PROXY", format!("https://localhost:{port}"));
    ask_from(home, "http://gateway.invalid/v1", &format!("allow_http = true\n{ca_file}")).exits(0).prints("Hello.\n");
}

// S17
#[test]
fn a_machine_without_certificates_is_told_what_to_install() {
    let port = serve(Authority::new().server("localhost", 2090));
    let home =
        Home::new().env("LLM_API_KEY", KEY).env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
    ask_from(home, &format!("https://localhost:{port}/v1"), "")
        .exits(7)
        .prints("")
        .says("ca-certificates")
        .says("SSL_CERT_FILE names /nonexistent: is it there")
        .never_says("trying again");
    let home = Home::new().env("LLM_API_KEY", KEY).env("SSL_CERT_FILE", "");
    let outcome = ask_from(home, &format!("https://localhost:{port}/v1"), "");
    outcome.exits(7).says("hint: SSL_CERT_FILE is set to nothing, which is taken for a name: `unset SSL_CERT_FILE`");
}

// H04
/// A block that looks like a certificate, and holds none.
const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nzzzz\n-----END CERTIFICATE-----\n";

#[test]
fn a_ca_file_with_a_broken_certificate_is_named_also_where_others_in_it_are_good() {
    let good = Authority::new().pem;
    for (written, why) in [
        (BROKEN.to_owned(), "certificate 1 in it cannot be used"),
        (format!("{good}{BROKEN}"), "certificate 2 in it cannot be used"),
        (
            format!("{good}-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n"),
            "certificate 2 in it cannot be used",
        ),
        ("no certificate".to_owned(), "it holds no certificate"),
    ] {
        let home = Home::new().env("LLM_API_KEY", KEY).env("SSL_CERT_FILE", "/nonexistent");
        let path = home.file("corp-ca.pem", &written);
        let outcome = ask_from(home, "https://127.0.0.1:9/v1", "ca_file = \"corp-ca.pem\"\n");
        outcome.exits(7).says(&format!("the ca_file {} cannot be read", path.display())).says(why);
        outcome.never_says("SSL_CERT_FILE").never_says("ca-certificates");
    }
}

#[test]
fn a_file_of_the_environment_with_a_broken_certificate_alone_is_named() {
    let home = Home::new().env("LLM_API_KEY", KEY);
    let path = home.file("broken.pem", BROKEN);
    let home = home.env("SSL_CERT_FILE", &path);
    let named = format!("SSL_CERT_FILE names {}: is it there, and does it hold certificates", path.display());
    ask_from(home, "https://127.0.0.1:9/v1", "").exits(7).says(&named);
}

#[test]
fn https_to_a_plain_port_is_7_and_the_mistake_is_named() {
    let port = listen(|mut stream| {
        drop(stream.read(&mut [0; 4096]));
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"));
    });
    ask(&format!("https://127.0.0.1:{port}/v1"), "").exits(7).prints("").says("https");
}

// H04
#[test]
fn an_alert_of_the_server_is_not_asked_for_again_unless_it_may_pass() {
    const FATAL: u8 = 2;
    for (alert, said, times) in [
        (49, "it refuses the connection", 1),
        (45, "it wants a certificate of its clients", 1),
        (47, "it refuses the connection", 1),
        (80, "internal", 2),
    ] {
        let count = Arc::new(AtomicUsize::new(0));
        let connections = Arc::clone(&count);
        let port = listen(move |mut stream| {
            connections.fetch_add(1, Ordering::SeqCst);
            drop(stream.read(&mut [0; 4096]));
            drop(stream.write_all(&[0x15, 3, 3, 0, 2, FATAL, alert]));
        });
        let config = format!(
            "gateway = \"corp\"\n[gateway.corp]\nbase_url = \"https://127.0.0.1:{port}/v1\"\nauth = \"none\"\n"
        );
        let outcome = Home::new().config(&config).llm(["ask", "-m", "m", "--retries", "1", "hi"]).output();
        assert!(outcome.exits(7).stderr().to_lowercase().contains(said), "{alert}: {outcome}");
        assert_eq!(count.load(Ordering::SeqCst), times, "{alert}");
    }
}

// H04
#[test]
fn an_alert_after_the_handshake_says_that_the_connection_broke_and_is_asked_again() {
    let authority = Authority::new();
    let config = Arc::new(authority.server("localhost", 2090));
    let count = Arc::new(AtomicUsize::new(0));
    let connections = Arc::clone(&count);
    let port = listen(move |stream| {
        connections.fetch_add(1, Ordering::SeqCst);
        let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).expect("a good config"), stream);
        drop(stream.read(&mut [0; 4096]));
        // What cannot be decrypted makes the server send the alert, as if the request had been damaged on its way.
        let damaged = [&[0x17, 3, 3, 0, 32][..], &[0; 32]].concat();
        stream.conn.read_tls(&mut &damaged[..]).expect("it is in memory");
        stream.conn.process_new_packets().expect_err("it is damaged");
        drop(stream.conn.write_tls(&mut stream.sock));
    });
    let (home, ca_file) = trusting(&authority);
    let table = format!("[gateway.corp]\nbase_url = \"https://localhost:{port}/v1\"\nkey_env = [\"LLM_API_KEY\"]\n");
    let home = home.config(&format!("gateway = \"corp\"\n{table}{ca_file}"));
    let outcome = home.llm(["ask", "-m", "m", "--retries", "1", "hi"]).output();
    outcome.exits(7).says("received fatal alert: BadRecordMac").says("broke").never_says("refuses");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

// H04
#[test]
fn a_handshake_that_stalls_ends_at_the_limit_for_connecting() {
    let gateway = Gateway::always(Reply::silence().hold());
    let base_url = gateway.base_url().replace("http:", "https:");
    ask(&base_url, "timeouts = { connect = \"200ms\" }\n").exits(7).prints("");
    assert_eq!(gateway.requests().len(), 0);
}

// H04
#[test]
fn http_to_a_tls_port_sends_no_key_twice_and_ends() {
    let port = serve(Authority::new().server("localhost", 2090));
    let outcome = ask(&format!("http://127.0.0.1:{port}/v1"), "");
    assert!([Some(1), Some(7)].contains(&outcome.code()), "{outcome}");
    outcome.prints("").says("if the gateway speaks TLS there, its base_url begins with https://");
}
