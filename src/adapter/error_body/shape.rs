//! The shapes of error bodies, and where each has its message.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::asked_wait;
use crate::words::on_one_line;

/// The content of an error body, whatever its shape.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) message: Option<String>,
    /// Further words: those of the gateway around an upstream's message, or the upstream's name.
    pub(super) cause: Option<String>,
    /// The code of the error: `context_length_exceeded`, `invalid_api_key`.
    pub(super) code: Option<String>,
    /// The family of the error: `invalid_request_error`, `RESOURCE_EXHAUSTED`.
    pub(super) kind: Option<String>,
    pub(super) param: Option<String>,
    /// The status that the body claims.
    pub(super) status: Option<u16>,
    /// The limit that caused a 402 of OpenRouter.
    pub(super) limit_source: Option<String>,
    /// The wait before another try that is asked for.
    pub(super) retry_after: Option<Duration>,
    /// Whether the body has the results of a filter, as OpenRouter's and Azure's do.
    pub(super) moderated: bool,
}

impl Said {
    pub(super) fn from_json(value: &Value) -> Self {
        match value {
            Value::Array(items) => items.first().map(Self::from_json).unwrap_or_default(),
            Value::String(text) => Self { message: Some(plain_text(text)), ..Self::default() },
            Value::Object(_) => Self::from_object(value),
            _ => Self::default(),
        }
    }

    fn from_object(body: &Value) -> Self {
        // A failed answer of the Responses format has its error one level down, as those of some proxies do.
        let error =
            [&body["error"], &body["response"]["error"], &body["errors"][0], &body["fault"], &body["base_resp"]]
                .into_iter()
                .find(|error| !error.is_null() && **error != Value::Bool(true))
                .unwrap_or(body);
        // Some proxies put the error of another one into their own, and more of it beside that.
        if !std::ptr::eq(error, body) && is_error(&error["error"]) && message(error).is_none() {
            let inner = Self::from_object(error);
            return Self {
                code: inner.code.or_else(|| word(&error["code"])),
                kind: inner.kind.or_else(|| word(&error["type"])).or_else(|| word(&error["status"])),
                param: inner.param.or_else(|| word(&error["param"])),
                ..inner
            }
            .with_status_of(body);
        }
        if let Value::String(text) = error {
            // As OAuth has it: a code, and what it means beside it. Frameworks such as NestJS have the words of the status there.
            let is_code = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let described = message(body).filter(|_| is_code || is_reason_phrase(text));
            let code = word(&body["code"]).or_else(|| is_code.then(|| text.clone()));
            let kind = word(&body["type"]);
            return Self { message: described.or_else(|| Some(nested(text))), code, kind, ..Self::default() }
                .with_status_of(body);
        }
        let metadata = &error["metadata"];
        let mut said = Self {
            message: several(&body["errors"])
                .or_else(|| message(error))
                .or_else(|| message(body))
                .or_else(|| text(&body["text"]).filter(|_| !body["error_code"].is_null())),
            code: word(&error["details"]["error_code"])
                .or_else(|| reason(&error["details"]))
                .or_else(|| word(&error["code"]))
                .or_else(|| word(&error["innererror"]["code"]))
                .or_else(|| word(&error["detail"]["errorcode"]))
                .or_else(|| word(&body["code"])),
            kind: word(&error["type"]).or_else(|| word(&error["status"])),
            param: word(&error["param"]).or_else(|| location(&body["detail"])),
            limit_source: word(&metadata["limit_source"]),
            retry_after: retry_delay(&error["details"]),
            moderated: !metadata["flagged_input"].is_null()
                || !error["innererror"]["content_filter_result"].is_null()
                || !error["content_filter_result"].is_null(),
            ..Self::default()
        }
        .with_status(&error["code"])
        .with_status(&error["status_code"])
        .with_status(&error["http_code"])
        .with_status(&error["status"])
        .with_status_of(body);
        said.add_upstream(metadata);
        if let Some(generation) = error["failed_generation"].as_str().filter(|text| !text.is_empty()) {
            said.cause = Some(format!("the model wrote: {generation}"));
        }
        said
    }

    /// Takes the message of OpenRouter's upstream in the place of its own, which only says that a provider returned an
    /// error.
    fn add_upstream(&mut self, metadata: &Value) {
        let provider = metadata["provider_name"].as_str();
        let upstream = match &metadata["raw"] {
            Value::String(raw) if !raw.trim().is_empty() => Some(super::read(raw.trim())),
            raw @ Value::Object(_) => Some(Self::from_json(raw)),
            _ => None,
        };
        if let Some(upstream) = upstream
            && upstream.message.is_some()
        {
            self.cause = match (self.message.take(), provider) {
                (Some(message), Some(provider)) => Some(format!("{message} ({provider})")),
                (Some(message), None) => Some(message),
                (None, provider) => provider.map(str::to_owned),
            };
            self.message = upstream.message;
            // The gateway's code repeats the status; the code of the upstream says more.
            let is_number = self.code.as_deref().is_none_or(|code| code.parse::<u16>().is_ok());
            self.code = if is_number { upstream.code } else { self.code.take() };
            self.kind = self.kind.take().or(upstream.kind);
            self.param = self.param.take().or(upstream.param);
        } else if let Some(provider) = provider {
            self.cause = Some(format!("from {provider}"));
        }
    }

    /// Keeps the first paragraph as the message. Gateways add advice for their operators, and stack traces.
    pub(super) fn split_message(&mut self) {
        if let Some(message) = self.message.take() {
            let (first, rest) = message.trim().split_once("\n\n").unwrap_or((message.trim(), ""));
            self.message = Some(first.trim_end().to_owned());
            self.cause = self.cause.take().or_else(|| Some(rest.trim().to_owned()).filter(|rest| !rest.is_empty()));
        }
    }

    /// Sets the status that the body has beside its error, if any, unless it is set already.
    fn with_status_of(self, body: &Value) -> Self {
        self.with_status(&body["code"])
            .with_status(&body["status"])
            .with_status(&body["status_code"])
            .with_status(&body["statusCode"])
    }

    /// Sets the status from a number or a text of digits, unless it is set already.
    fn with_status(mut self, value: &Value) -> Self {
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        self.status = self.status.or_else(|| number?.try_into().ok().filter(|status| (400..600).contains(status)));
        self
    }
}

/// The body with the names of its fields as most gateways have them: those of Amazon and of programs in C# begin with a capital.
pub(super) fn with_usual_names(body: Value) -> Value {
    match body {
        Value::Array(items) => items.into_iter().map(with_usual_names).collect(),
        Value::Object(fields) => {
            let (usual, capital): (Vec<_>, Vec<_>) =
                fields.into_iter().partition(|(name, _)| !name.starts_with(|letter: char| letter.is_ascii_uppercase()));
            let mut named: Map<String, Value> =
                usual.into_iter().map(|(name, value)| (name, with_usual_names(value))).collect();
            for (name, value) in capital {
                let name = name[..1].to_ascii_lowercase() + &name[1..];
                named.entry(name).or_insert_with(|| with_usual_names(value));
            }
            Value::Object(named)
        }
        other => other,
    }
}

/// Whether these are the words that HTTP has for a status of failure.
fn is_reason_phrase(text: &str) -> bool {
    let phrases = (400..600).filter_map(|status| http::StatusCode::from_u16(status).ok()?.canonical_reason());
    phrases.into_iter().any(|phrase| phrase.eq_ignore_ascii_case(text.trim()))
}

/// Whether this is an error that says something.
fn is_error(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::String(text) => !text.trim().is_empty(),
        _ => false,
    }
}

/// What Cloudflare says in a list of errors, each of which may have a chain of its own: all of it, if that is more than one message.
fn several(errors: &Value) -> Option<String> {
    let of = |error: &Value| {
        let chain = error["error_chain"].as_array().into_iter().flatten();
        message(error).into_iter().chain(chain.filter_map(message)).collect::<Vec<_>>()
    };
    let messages: Vec<String> = errors.as_array()?.iter().flat_map(of).collect();
    (messages.len() > 1).then(|| messages.join("; "))
}

/// The message of an object, under the first of its known names.
fn message(object: &Value) -> Option<String> {
    const NAMES: [&str; 12] = [
        "message",
        "msg",
        "detail",
        "error_description",
        "error_msg",
        "errorMessage",
        "error_message",
        "status_msg",
        "faultstring",
        "err",
        "title",
        "html-message",
    ];
    NAMES.iter().find_map(|name| text(&object[*name])).or_else(|| text(&object["header"]["message"]))
}

/// The message in a value that is a text, an object, a list (FastAPI's) or JSON in a text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(nested(text)),
        Value::Object(_) => message(value).or_else(|| text(&value["error"])),
        Value::Array(items) => {
            let lines: Vec<_> = items.iter().filter_map(complaint).collect();
            (!lines.is_empty()).then(|| lines.join("; "))
        }
        _ => None,
    }
}

/// One complaint of a FastAPI list: `stream_options: Extra inputs are not permitted`.
fn complaint(item: &Value) -> Option<String> {
    let said = text(item)?;
    let path: Vec<_> = item["loc"].as_array().into_iter().flatten().skip_while(|part| *part == "body").collect();
    if path.is_empty() {
        return Some(said);
    }
    let path: Vec<_> =
        path.into_iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect();
    Some(format!("{}: {said}", path.join(".")))
}

/// The field that is first in a FastAPI list.
fn location(detail: &Value) -> Option<String> {
    let path = detail[0]["loc"].as_array()?;
    path.iter().find(|part| *part != "body")?.as_str().map(str::to_owned)
}

/// Gemini's code, which is in a list of details.
fn reason(details: &Value) -> Option<String> {
    details.as_array()?.iter().find_map(|detail| word(&detail["reason"]))
}

/// Gemini's wait before another try, which is in the same list: `"retryDelay": "39.5s"`.
fn retry_delay(details: &Value) -> Option<Duration> {
    let delay = details.as_array()?.iter().find_map(|detail| detail["retryDelay"].as_str())?;
    asked_wait(delay.strip_suffix('s')?.parse().ok()?)
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The message in a text that is JSON; else the text itself, or the readable part of a page.
fn nested(text: &str) -> String {
    let trimmed = text.trim();
    if trimmed.starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str::<Value>(trimmed)
        && let Some(message) = Said::from_json(&value).message
    {
        return message;
    }
    plain_text(trimmed)
}

/// The readable part of a text that may be an HTML page: its title, or else its words.
pub(super) fn plain_text(text: &str) -> String {
    let text = text.trim();
    let looks_like_html = text.starts_with('<') && text.contains('>');
    if !looks_like_html {
        return text.to_owned();
    }
    let lower = text.to_ascii_lowercase();
    for (open, close) in [("<title", "</title"), ("<h1", "</h1")] {
        if let Some(inner) = between(text, &lower, open, close) {
            return inner;
        }
    }
    let mut words = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                words.push(' ');
            }
            c if !in_tag => words.push(c),
            _ => {}
        }
    }
    on_one_line(&words)
}

fn between(text: &str, lower: &str, open: &str, close: &str) -> Option<String> {
    let tag = lower.find(open)?;
    let start = tag + lower[tag..].find('>')? + 1;
    let end = start + lower[start..].find(close)?;
    let inner = on_one_line(&text[start..end]);
    (!inner.is_empty()).then_some(inner)
}
