//! The Batch APIs of gateways: many requests handed over at once, answered within a day, often at half the price.
//!
//! A form is a file beside this one that implements [`BatchApi`]. It makes and reads bodies and does no IO; requests and
//! answers inside of it are those of the wire format's adapter.

mod anthropic;
mod gemini;
mod openai;
mod split;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

pub use self::split::{Gathered, Gathering};
use crate::adapter::sse::BOM;
use crate::adapter::{Api, WireRequest};
use crate::error::{Failure, FailureKind};

/// How much one batch may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartLimits {
    pub requests: usize,
    pub bytes: usize,
}

/// A request to the gateway, below its base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub path: String,
    pub content_type: String,
    /// The body, or what stands before the entries.
    pub body: Vec<u8>,
    /// What stands behind the entries, which are in a file of their own; `None` where the post has no entries.
    pub after_entries: Option<Vec<u8>>,
}

impl Post {
    fn json(path: impl Into<String>, body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        Self { path: path.into(), content_type: "application/json".into(), body, after_entries: None }
    }
}

/// What is handed over as one batch.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The model as the gateway calls it.
    pub model: &'a str,
    /// The path of the endpoint for single requests.
    pub endpoint: &'a str,
    /// By which a batch is found again whose id was not received.
    pub tag: &'a str,
}

/// How a batch stands at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The gateway's own word.
    pub word: String,
    /// Whether it changes no more.
    pub is_over: bool,
    /// How many requests have been answered or have failed, and of how many, as far as it says.
    pub done: Option<(u64, u64)>,
    /// How many requests have a result, as far as it says; 0 where it does not.
    pub answered: u64,
    /// Where the results are.
    pub results: Vec<Results>,
    /// Why the batch as a whole has failed, or has no results.
    pub failure: Option<Failure>,
}

/// Results of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Results {
    /// At this path below the base URL, a line for each.
    At(String),
    /// A line for each, in the standing itself.
    Inline(Vec<u8>),
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The body of a complete answer, in the wire format of the gateway.
    Answer(Vec<u8>),
    /// It failed.
    Failed(Failure),
    /// The gateway did not come to it: it can be asked again.
    NotAsked(&'static str),
}

/// One form of Batch API.
pub trait BatchApi: Sync {
    /// How much one batch may hold.
    fn limits(&self) -> PartLimits;

    /// A request in the form in which it is part of a batch.
    fn entry(&self, id: &str, wire: &WireRequest) -> Vec<u8>;

    /// What stands between two entries.
    fn separator(&self) -> u8;

    /// The upload of a file with the entries, where this form has one.
    fn upload(&self) -> Option<Post>;

    /// The submission of a batch; `file` is the id of the file that was uploaded.
    fn submit(&self, part: &Part<'_>, file: Option<&str>) -> Post;

    /// The id in the answer to an upload. It stands in no path.
    ///
    /// # Errors
    /// The answer has none.
    fn file_id(&self, body: &[u8]) -> Result<String, Failure> {
        let answer: Value = parse(body)?;
        let batch = unwrapped(&answer);
        let id = batch["id"].as_str().or_else(|| batch["name"].as_str());
        match id.ok_or_else(|| malformed("the gateway did not say the id of the batch"))? {
            id if id.len() > LONGEST_ID => Err(malformed("the id that the gateway gave is longer than 512 bytes")),
            id => Ok(id.to_owned()),
        }
    }

    /// The id in the answer to a submission.
    ///
    /// # Errors
    /// The answer has none that can stand in a path.
    fn id(&self, body: &[u8]) -> Result<String, Failure> {
        let id = self.file_id(body)?;
        if is_plain(&id) { Ok(id) } else { Err(malformed("the id that the gateway gave cannot stand in a path")) }
    }

    /// The path at which a batch stands.
    fn status_path(&self, id: &str) -> String;

    /// How a batch stands.
    ///
    /// # Errors
    /// The body says nothing of it.
    fn standing(&self, id: &str, body: &[u8]) -> Result<Standing, Failure>;

    /// The id of the custom request and what became of it, from a line of results.
    ///
    /// # Errors
    /// The line is not one of results.
    fn result(&self, line: &[u8]) -> Result<(String, Fate), Failure>;

    /// Whether a standing has the results in it, so that it may be as long as they are.
    fn holds_results(&self) -> bool {
        false
    }

    /// The cancellation of a batch.
    fn cancel(&self, id: &str) -> Post;

    /// The path of the list of the last batches.
    fn list_path(&self) -> String;

    /// Whether a batch that was submitted with a tag is known by it. Where it is not, the ids of its requests have to tell it
    /// from others.
    fn keeps_tag(&self) -> bool {
        true
    }

    /// The ids of the batches in a list that were submitted with this tag, or, where the form keeps no tag, of all that have so
    /// many requests, the newest first.
    ///
    /// # Errors
    /// It is no list of batches, so that nobody knows.
    fn find(&self, list: &[u8], tag: &str, requests: usize) -> Result<Vec<String>, Failure>;
}

/// The Batch API of gateways that speak this wire format.
pub fn of(api: Api) -> &'static dyn BatchApi {
    match api {
        Api::OpenaiChat | Api::OpenaiResponses => &openai::OpenAi,
        Api::Anthropic => &anthropic::Anthropic,
        Api::Gemini => &gemini::Gemini,
    }
}

/// The batch in an answer. Together puts an object around one that was just made.
fn unwrapped(answer: &Value) -> &Value {
    answer.get("job").filter(|job| job.is_object()).unwrap_or(answer)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body.strip_prefix(BOM).unwrap_or(body))
        .map_err(|error| malformed("the gateway's answer is not JSON").with_cause(error.to_string()))
}

fn malformed(message: &str) -> Failure {
    Failure::new(FailureKind::Protocol, message)
}

/// The longest id of a batch or a file, in bytes. Those of the vendors have less than 100.
const LONGEST_ID: usize = 512;

/// Whether an id can stand in a path without changing it.
fn is_plain(id: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    id.len() <= LONGEST_ID
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:".contains(c))
        && id.split('/').all(is_part)
}

/// An id from a body as a part of a path, of which it changes nothing: as it is, or as a single segment. Some files are called as
/// they are in a store: `gs://bucket/results.jsonl`. `None` where it would lead elsewhere.
fn in_path(value: &Value) -> Option<Cow<'_, str>> {
    const UNUSUAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    let id = value.as_str().filter(|id| id.len() <= LONGEST_ID)?;
    let leads_away = id.split(['/', '\\']).any(|part| matches!(part, "." | ".."));
    match is_plain(id) {
        true => Some(Cow::Borrowed(id)),
        false => (!leads_away && !id.contains(char::is_control)).then(|| utf8_percent_encode(id, UNUSUAL).into()),
    }
}

/// The ids of those in a list for which `is_meant` holds, as far as they can be part of a path.
///
/// # Errors
/// There is no list.
fn ids(list: Option<&Value>, name: &str, is_meant: impl Fn(&Value) -> bool) -> Result<Vec<String>, Failure> {
    let batches = list.and_then(Value::as_array).ok_or_else(|| malformed("the gateway did not list its batches"))?;
    let meant = batches.iter().filter(|batch| is_meant(batch));
    Ok(meant.filter_map(|batch| plain(&batch[name])).map(str::to_owned).collect())
}

/// An id from a body as part of a path.
fn plain(value: &Value) -> Option<&str> {
    value.as_str().filter(|id| is_plain(id))
}

/// A part of a line that is not read further, because it may be as long as the line.
type Raw<'a> = Option<&'a RawValue>;

/// What a part holds, as far as it is of this form.
fn part<'a, T: Deserialize<'a> + Default>(raw: Raw<'a>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// The id of a request in its result.
///
/// # Errors
/// There is none.
fn custom_id(raw: Raw<'_>) -> Result<String, Failure> {
    part::<Option<String>>(raw).ok_or_else(|| malformed("a result does not say whose it is"))
}

/// A part as it stands in the line.
fn bytes(raw: Raw<'_>) -> Vec<u8> {
    raw.map_or("null", RawValue::get).as_bytes().to_vec()
}

/// An error in a line of results. As of the answer to a single request, no more than 64 KiB are read.
fn error(raw: Raw<'_>) -> Value {
    part(raw.filter(|raw| raw.get().len() <= 64 << 10))
}

/// The failure in an error of one request, as the adapter of the wire format reads it.
fn failure(api: Api, status: u16, error: &Value) -> Failure {
    api.adapter().decode_error(status, serde_json::json!({ "error": error }).to_string().as_bytes())
}
