//! The header `traceparent` of the W3C: which trace a request belongs to.

use axum::http::HeaderMap;

use crate::ids::new_id;

/// The trace that a call belongs to.
pub(super) struct Trace {
    /// The id of the run: the id of the client's trace, if it has one.
    pub(super) run: String,
    /// The id of the client's span.
    pub(super) parent: Option<String>,
}

impl Trace {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(|value| {
            let mut parts = value.trim().split('-');
            let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
            let is_span = span.len() == 16 && span.bytes().all(|byte| byte.is_ascii_hexdigit());
            let trace = (trace.len() == 32).then(|| uuid::Uuid::try_parse(trace).ok()).flatten()?;
            (is_span && !trace.is_nil()).then(|| (trace, span.to_ascii_lowercase()))
        });
        let (run, parent) = given.unzip();
        Self { run: run.unwrap_or_else(new_id).to_string(), parent }
    }

    /// What the gateway gets as `traceparent`: the span of this call, which is the end of its id.
    pub(super) fn onward(&self, call: &str) -> String {
        let digits = |id: &str| -> String { id.chars().filter(char::is_ascii_hexdigit).collect() };
        let (trace, span) = (digits(&self.run), digits(call));
        format!("00-{trace}-{}-01", span.get(span.len().saturating_sub(16)..).unwrap_or_default())
    }
}
