//! Server-sent events, by the WHATWG rules, on bytes.

/// One event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `event:` field; empty where the server named none.
    pub event: &'a str,
    /// The `data:` lines, joined with newlines.
    pub data: &'a str,
}
