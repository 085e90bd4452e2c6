//! The instant gateway of the benchmark: a chat-completions endpoint that takes no time but what its model names say.
//!
//! Models: `instant`; `tokens-N` streams N tokens, each in a write of its own; `delay-MS` waits that long first. They
//! combine: `delay-300-tokens-20`. Compiled with `rustc` alone by `benches/run`; prints its port and serves until killed.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || serve(stream));
    }
    Ok(())
}

/// Answers one connection's requests until the client leaves, which is all that its errors can mean.
fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(body) = receive(&mut reader)? {
        let received = Instant::now();
        let model = model_of(&body);
        if let Some(ms) = number_after(model, "delay-") {
            thread::sleep(Duration::from_millis(ms).saturating_sub(received.elapsed()));
        }
        let tokens = number_after(model, "tokens-").unwrap_or(1);
        if has_stream(&body) {
            stream_answer(&mut writer, model, tokens)?
        } else {
            whole_answer(&mut writer, model, tokens)?
        }
    }
    Ok(())
}

/// The body of the next request; `None` at the end of the connection.
fn receive(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut length = 0;
    let mut lines = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        lines += 1;
        let line = line.trim_end();
        if line.is_empty() && lines > 1 {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    String::from_utf8(body).map(Some).map_err(io::Error::other)
}

/// What stands in `"model":"…"`, spaces allowed.
fn model_of(body: &str) -> &str {
    let after = body.split_once("\"model\"").map_or("", |(_, after)| after);
    after.split('"').nth(1).unwrap_or_default()
}

fn has_stream(body: &str) -> bool {
    body.split_once("\"stream\"").is_some_and(|(_, after)| after.trim_start_matches([':', ' ']).starts_with("true"))
}

fn number_after(model: &str, name: &str) -> Option<u64> {
    let after = model.split_once(name)?.1;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn whole_answer(writer: &mut impl Write, model: &str, tokens: u64) -> io::Result<()> {
    let text = "word ".repeat(tokens as usize);
    let body = format!(
        "{{\"id\":\"bench\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"{model}\",\"choices\":[{{\"index\":0,\
         \"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"finish_reason\":\"stop\"}}],{}}}",
        usage(tokens)
    );
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    writer.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes())
}

fn stream_answer(writer: &mut impl Write, model: &str, tokens: u64) -> io::Result<()> {
    writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
    let chunk = |choices: &str, more: &str| {
        let event = format!(
            "data: {{\"id\":\"bench\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"{model}\",\
             \"choices\":[{choices}]{more}}}\n\n"
        );
        format!("{:x}\r\n{event}\r\n", event.len())
    };
    let token = chunk("{\"index\":0,\"delta\":{\"content\":\"word \"},\"finish_reason\":null}", "");
    for _ in 0..tokens {
        writer.write_all(token.as_bytes())?;
    }
    let finish = chunk("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}", "");
    let usage = chunk("", &format!(",{}", usage(tokens)));
    writer.write_all(format!("{finish}{usage}e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n").as_bytes())
}

fn usage(tokens: u64) -> String {
    format!("\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{tokens},\"total_tokens\":{}}}", tokens + 5)
}
