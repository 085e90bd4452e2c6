//! What the gateway of the tests is to send, step by step, with the shapes of the chat-completions api at hand.

use std::time::Duration;

use serde_json::{Value, json};

/// One thing that the gateway does with a connection.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes again and again until the client leaves.
    Flood(Vec<u8>),
    /// Sends these bytes every so often until the client leaves.
    Drip(Vec<u8>, Duration),
    /// Sends nothing and waits until the client leaves.
    Hold,
    /// Waits until the test says [`super::Gateway::release`].
    Gate,
    /// Closes the connection.
    Close,
    /// Breaks the connection off with RST.
    #[cfg(unix)]
    Reset,
}

/// A reply; its parts are sent in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    steps: Vec<Step>,
    chunked: bool,
}

impl Reply {
    /// Bytes as they are, with no HTTP added.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { steps: vec![Step::Send(bytes.into())], chunked: false }
    }

    /// Nothing at all, so far.
    pub fn silence() -> Self {
        Self::default()
    }

    /// A whole response with this status, content type and body.
    pub fn with_body(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        Self::with_headers(status, &[("content-type", content_type)], body)
    }

    /// A whole response with these headers besides its length.
    pub fn with_headers(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = head(status, headers);
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    /// A JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::with_body(status, "application/json", body.to_string())
    }

    /// An error as OpenAI words it.
    pub fn error(status: u16, message: &str) -> Self {
        Self::error_with(status, &[], message)
    }

    /// An error with further headers.
    pub fn error_with(status: u16, headers: &[(&str, &str)], message: &str) -> Self {
        let body = json!({"error": {"message": message, "type": "test_error", "param": null, "code": null}});
        let headers = [&[("content-type", "application/json")], headers].concat();
        Self::with_headers(status, &headers, body.to_string())
    }

    /// A whole answer that is not streamed.
    pub fn unary(text: &str) -> Self {
        Self::json(
            200,
            &json!({
                "id": "chatcmpl-test", "object": "chat.completion", "created": 1_795_000_000, "model": "test-model",
                "choices": [{"index": 0, "finish_reason": "stop",
                             "message": {"role": "assistant", "content": text}}],
                "usage": usage(9, 4),
            }),
        )
    }

    /// A whole streamed answer of these pieces: role, text, finish reason, usage, `[DONE]`.
    pub fn stream(pieces: &[&str]) -> Self {
        pieces.iter().fold(Self::sse().role(), |reply, piece| reply.text(piece)).finish("stop").usage(9, 4).done()
    }

    /// The head of an event stream in chunks; events follow.
    pub fn sse() -> Self {
        Self::sse_with(&[])
    }

    /// The same with further headers.
    pub fn sse_with(headers: &[(&str, &str)]) -> Self {
        let mut bytes = head(200, &[("content-type", "text/event-stream; charset=utf-8")]);
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
        Self { steps: vec![Step::Send(bytes)], chunked: true }
    }

    /// The head of an event stream that ends when the connection does.
    pub fn sse_until_close() -> Self {
        let mut bytes = head(200, &[("content-type", "text/event-stream"), ("connection", "close")]);
        bytes.extend_from_slice(b"\r\n");
        Self::raw(bytes)
    }

    /// Body bytes, as a chunk of their own where the stream is chunked.
    pub fn bytes(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let framed = if self.chunked { chunk(bytes) } else { bytes.to_vec() };
        self.then(Step::Send(framed))
    }

    /// One event with this data.
    pub fn event(self, data: &Value) -> Self {
        self.bytes(format!("data: {data}\n\n"))
    }

    /// The first chunk, which names the role and has no text.
    pub fn role(self) -> Self {
        self.event(&completion_chunk(&json!({"role": "assistant", "content": ""}), &Value::Null))
    }

    /// A piece of the answer.
    pub fn text(self, piece: &str) -> Self {
        self.event(&completion_chunk(&json!({"content": piece}), &Value::Null))
    }

    /// A piece of reasoning.
    pub fn reasoning(self, piece: &str) -> Self {
        self.event(&completion_chunk(&json!({"reasoning_content": piece}), &Value::Null))
    }

    /// The finish reason.
    pub fn finish(self, reason: &str) -> Self {
        self.event(&completion_chunk(&json!({}), &json!(reason)))
    }

    /// The usage chunk.
    pub fn usage(self, input: u64, output: u64) -> Self {
        self.usage_json(&usage(input, output))
    }

    /// A usage chunk with this usage.
    pub fn usage_json(self, usage: &Value) -> Self {
        let mut chunk = completion_chunk(&json!({}), &Value::Null);
        chunk["choices"] = json!([]);
        chunk["usage"] = usage.clone();
        self.event(&chunk)
    }

    /// An error inside the stream.
    pub fn error_event(self, status: u16, message: &str) -> Self {
        self.event(&json!({"error": {"message": message, "code": status.to_string()}}))
    }

    /// `[DONE]` and the end of the body, in one: a connection of which the end has not come is not used again.
    pub fn done(self) -> Self {
        let last = "data: [DONE]\n\n";
        if !self.chunked {
            return self.bytes(last).end();
        }
        let end = [chunk(last.as_bytes()).as_slice(), b"0\r\n\r\n"].concat();
        self.then(Step::Send(end))
    }

    /// The end of the body, with nothing said in the stream itself.
    pub fn end(self) -> Self {
        let step = if self.chunked { Step::Send(b"0\r\n\r\n".to_vec()) } else { Step::Close };
        self.then(step)
    }

    pub fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Another reply's steps after this one's.
    pub fn and(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self.chunked = other.chunked;
        self
    }

    pub fn hold(self) -> Self {
        self.then(Step::Hold)
    }

    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    pub fn gate(self) -> Self {
        self.then(Step::Gate)
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Everything that would be sent, in one.
    pub fn as_bytes(&self) -> Vec<u8> {
        let sent = |step: &Step| if let Step::Send(bytes) = step { bytes.clone() } else { Vec::new() };
        self.steps.iter().flat_map(sent).collect()
    }
}

/// A status line and headers, still open for more.
pub fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.into_bytes()
}

/// One chunk of a chunked body.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    framed
}

fn completion_chunk(delta: &Value, finish: &Value) -> Value {
    json!({
        "id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": "test-model",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    })
}

fn usage(input: u64, output: u64) -> Value {
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
}
