//! Recorded calls as OpenTelemetry traces in OTLP JSON, with the GenAI attributes: a span for each call and each attempt.

use serde_json::{Value, json};

use super::term::Text;
use crate::chat::Request;
use crate::ledger::{AttemptRow, Row};
use crate::money::Usd;
use crate::record::Status;

/// `SPAN_KIND_CLIENT`.
const CLIENT: u8 = 3;
/// `STATUS_CODE_OK` and `STATUS_CODE_ERROR`.
const OK: u8 = 1;
const ERROR: u8 = 2;

/// A document of calls that is written call by call; each run is a trace. Prompts and answers are not in it.
#[derive(Debug)]
pub struct Traces {
    /// What comes before the next call.
    before: String,
    after: String,
}

impl Traces {
    pub fn new() -> Self {
        const SPANS: &str = "\"spans\":[";
        let name = env!("CARGO_PKG_NAME");
        let version = env!("CARGO_PKG_VERSION");
        let document = json!({"resourceSpans": [{
            "resource": {"attributes": [text("service.name", "llm"), text("service.version", version)]},
            "scopeSpans": [{"scope": {"name": name, "version": version}, "spans": []}],
        }]});
        let document = document.to_string();
        let (before, after) = document.split_once(SPANS).unwrap_or((&document, ""));
        Self { before: format!("{before}{SPANS}"), after: format!("{after}\n") }
    }

    /// The spans of the next call.
    pub fn call(&mut self, row: &Row) -> Text {
        let spans = spans(row).iter().map(Value::to_string).collect::<Vec<_>>().join(",");
        Text::json(std::mem::replace(&mut self.before, ",".to_owned()) + &spans)
    }

    /// The end of the document.
    pub fn end(self) -> Text {
        let is_empty = self.before != ",";
        Text::json(if is_empty { self.before + &self.after } else { self.after })
    }
}

/// A document of these calls, each with the id of the span that called it, if another program has told it.
pub(crate) fn document<'a>(calls: impl IntoIterator<Item = (&'a Row, Option<&'a str>)>) -> String {
    let Traces { before, after } = Traces::new();
    let spans = calls.into_iter().flat_map(|(row, parent)| {
        let mut spans = spans(row);
        if let (Some(first), Some(parent)) = (spans.first_mut(), parent) {
            first["parentSpanId"] = parent.into();
        }
        spans
    });
    let spans: Vec<String> = spans.map(|span| span.to_string()).collect();
    format!("{before}{}{after}", spans.join(","))
}

impl Default for Traces {
    fn default() -> Self {
        Self::new()
    }
}

fn spans(row: &Row) -> Vec<Value> {
    let trace = hex(&row.run, 32);
    let call = hex(&row.id, 16);
    let mut spans = vec![json!({
        "traceId": trace,
        "spanId": call,
        "name": format!("chat {}", row.asked),
        "kind": CLIENT,
        "startTimeUnixNano": nanos(row.at_ms, 0),
        "endTimeUnixNano": nanos(row.at_ms, row.times.total.unwrap_or(0)),
        "attributes": attributes(row),
        "status": status(row),
    })];
    for (place, attempt) in row.attempts.iter().enumerate() {
        spans.push(json!({
            "traceId": trace,
            "spanId": child(&call, place),
            "parentSpanId": call,
            "name": format!("chat {}", attempt.model),
            "kind": CLIENT,
            "startTimeUnixNano": nanos(row.at_ms, attempt.start_us),
            "endTimeUnixNano": nanos(row.at_ms, attempt.start_us.saturating_add(attempt.duration_us)),
            "attributes": attempt_attributes(attempt),
            "status": match &attempt.error {
                None => json!({"code": OK}),
                Some(error) => json!({"code": ERROR, "message": error.kind.as_str()}),
            },
        }));
    }
    spans
}

fn attributes(row: &Row) -> Vec<Value> {
    let mut all = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", &row.gateway),
        text("gen_ai.request.model", &row.asked),
    ];
    if row.answered {
        all.push(text("gen_ai.response.model", &row.model));
    }
    if let Some(request) = row.request.request() {
        all.extend(parameters(&request));
    }
    if let Some(finish) = &row.finish {
        all.push(texts("gen_ai.response.finish_reasons", [finish.as_str()]));
    }
    for (key, count) in [
        ("gen_ai.usage.input_tokens", row.tokens.input),
        ("gen_ai.usage.output_tokens", row.tokens.output),
        ("gen_ai.usage.cache_read.input_tokens", row.tokens.cache_read),
        ("gen_ai.usage.cache_creation.input_tokens", row.tokens.cache_write),
        ("gen_ai.usage.reasoning.output_tokens", row.tokens.reasoning),
    ] {
        all.extend(count.map(|count| number(key, count)));
    }
    if let Some(first) = row.times.first_token {
        all.push(decimal("gen_ai.response.time_to_first_chunk", first as f64 / 1e6));
    }
    if let Some(error) = &row.error {
        all.push(text("error.type", error.kind.as_str()));
    }
    if let Some(first) = &row.conversation {
        all.push(text("gen_ai.conversation.id", first));
    }
    all.extend([
        text("llm.call.id", &row.id),
        text("llm.command", &row.command),
        text("llm.status", row.status.as_str()),
    ]);
    if let Some(cost) = row.cost {
        // Money is never a float, so it is the text of a decimal.
        all.push(text("llm.cost.usd", &Usd::from_picos(cost.picos).to_decimal()));
        all.push(text("llm.cost.origin", cost.origin.as_str()));
        all.push(json!({"key": "llm.cost.partial", "value": {"boolValue": cost.partial}}));
    }
    for (key, value) in [("llm.key", &row.key), ("llm.task", &row.task)] {
        all.extend(value.as_ref().map(|value| text(key, value)));
    }
    all.extend(row.tags.iter().map(|(key, value)| text(&format!("llm.tag.{key}"), value)));
    all
}

/// What the request asked for besides its prompt.
fn parameters(request: &Request) -> Vec<Value> {
    let mut all = Vec::new();
    all.extend(request.max_tokens.map(|count| number("gen_ai.request.max_tokens", count)));
    all.extend(request.temperature.map(|value| decimal("gen_ai.request.temperature", value)));
    all.extend(request.top_p.map(|value| decimal("gen_ai.request.top_p", value)));
    all.extend(request.seed.map(|seed| number("gen_ai.request.seed", seed)));
    if !request.stop.is_empty() {
        all.push(texts("gen_ai.request.stop_sequences", request.stop.iter().map(String::as_str)));
    }
    if request.response_format.is_some() {
        all.push(text("gen_ai.output.type", "json"));
    }
    all
}

fn attempt_attributes(attempt: &AttemptRow) -> Vec<Value> {
    let mut all = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", &attempt.gateway),
        text("gen_ai.request.model", &attempt.model),
    ];
    all.extend(attempt.status.map(|status| number("http.response.status_code", u64::from(status))));
    all.extend(attempt.error.as_ref().map(|error| text("error.type", error.kind.as_str())));
    all.extend(attempt.maybe_billed.map(|may| json!({"key": "llm.maybe_billed", "value": {"boolValue": may}})));
    all.extend(attempt.request_id.as_ref().map(|id| text("llm.request.id", id)));
    all
}

fn status(row: &Row) -> Value {
    match (row.status, &row.error) {
        (Status::Ok, _) => json!({"code": OK}),
        (status, error) => {
            json!({"code": ERROR, "message": error.as_ref().map_or(status.as_str(), |error| error.kind.as_str())})
        }
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn texts<'a>(key: &str, values: impl IntoIterator<Item = &'a str>) -> Value {
    let values: Vec<Value> = values.into_iter().map(|value| json!({"stringValue": value})).collect();
    json!({"key": key, "value": {"arrayValue": {"values": values}}})
}

/// 64-bit integers are strings in OTLP JSON.
fn number(key: &str, value: impl ToString) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

fn decimal(key: &str, value: f64) -> Value {
    json!({"key": key, "value": {"doubleValue": value}})
}

fn nanos(at_ms: i64, after_us: u64) -> String {
    (i128::from(at_ms) * 1_000_000 + i128::from(after_us) * 1_000).to_string()
}

/// The last hexadecimal digits of an id, which are its random ones.
fn hex(id: &str, digits: usize) -> String {
    let all: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    format!("{:0>digits$}", &all[all.len().saturating_sub(digits)..])
}

/// The id of an attempt: that of its call, of which the first digits are changed by the number of the attempt.
fn child(call: &str, place: usize) -> String {
    let id = u64::from_str_radix(call, 16).unwrap_or(1);
    format!("{:016x}", id ^ ((place as u64 + 1) << 48))
}
