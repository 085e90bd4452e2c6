//! Anthropic's form: the requests are in the submission itself, and the results are lines of one document.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    BatchApi, Fate, Part, PartLimits, Post, Raw, Results, Standing, bytes, custom_id, error, failure, ids, malformed,
    parse, part,
};
use crate::adapter::{Api, WireRequest};
use crate::error::Failure;

#[derive(Debug)]
pub(super) struct Anthropic;

/// A line of results.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    custom_id: Raw<'a>,
    result: Raw<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Outcome<'a> {
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
    message: Raw<'a>,
    error: Raw<'a>,
}

impl BatchApi for Anthropic {
    fn limits(&self) -> PartLimits {
        // Anthropic's own are 100,000 requests and 256 MB.
        PartLimits { requests: 50_000, bytes: 199_000_000 }
    }

    fn entry(&self, id: &str, wire: &WireRequest) -> Vec<u8> {
        let body = std::str::from_utf8(&wire.body).unwrap_or("null");
        format!("{{\"custom_id\":{},\"params\":{body}}}", json!(id)).into_bytes()
    }

    fn separator(&self) -> u8 {
        b','
    }

    fn upload(&self) -> Option<Post> {
        None
    }

    fn submit(&self, _: &Part<'_>, _: Option<&str>) -> Post {
        let body = b"{\"requests\":[".to_vec();
        let content_type = "application/json".into();
        Post { path: "messages/batches".into(), content_type, body, after_entries: Some(b"]}".to_vec()) }
    }

    fn status_path(&self, id: &str) -> String {
        format!("messages/batches/{id}")
    }

    fn standing(&self, id: &str, body: &[u8]) -> Result<Standing, Failure> {
        let batch: Value = parse(body)?;
        let word = batch["processing_status"].as_str();
        let word = word.ok_or_else(|| malformed("the gateway did not say how the batch stands"))?.to_owned();
        let counts = batch["request_counts"].as_object();
        let sum = |all: bool| {
            let counted = counts?.iter().filter(|(name, _)| all || *name != "processing");
            Some(counted.filter_map(|(_, count)| count.as_u64()).sum::<u64>())
        };
        let is_over = word == "ended";
        // The address of the results is not followed: the key belongs to the gateway.
        let results = if is_over { vec![Results::At(format!("messages/batches/{id}/results"))] } else { Vec::new() };
        let done = sum(false).zip(sum(true));
        let answered = done.map_or(0, |(done, _)| done);
        Ok(Standing { word, is_over, done, answered, results, failure: None })
    }

    fn result(&self, line: &[u8]) -> Result<(String, Fate), Failure> {
        let line: Line<'_> = parse(line)?;
        let id = custom_id(line.custom_id)?;
        let result: Outcome<'_> = part(line.result);
        let fate = match part::<Value>(result.kind).as_str() {
            Some("succeeded") => Fate::Answer(bytes(result.message)),
            Some("expired") => Fate::NotAsked("the batch expired"),
            Some("canceled") => Fate::NotAsked("the batch was cancelled"),
            _ => {
                // The error is in an object of type `error`, as in the answer to a single request.
                let outer = error(result.error);
                let error = if outer["error"].is_null() { &outer } else { &outer["error"] };
                let status = match error["type"].as_str() {
                    Some("overloaded_error") => 529,
                    Some("rate_limit_error") => 429,
                    Some("api_error") => 500,
                    _ => 400,
                };
                Fate::Failed(failure(Api::Anthropic, status, error))
            }
        };
        Ok((id, fate))
    }

    fn cancel(&self, id: &str) -> Post {
        Post::json(format!("messages/batches/{id}/cancel"), &json!({}))
    }

    fn list_path(&self) -> String {
        "messages/batches?limit=100".to_owned()
    }

    fn keeps_tag(&self) -> bool {
        false
    }

    fn find(&self, list: &[u8], _: &str, requests: usize) -> Result<Vec<String>, Failure> {
        let list: Value = parse(list)?;
        ids(list.get("data"), "id", |batch| {
            let counts = batch["request_counts"].as_object();
            let sum: u64 = counts.into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum();
            sum == requests as u64
        })
    }
}
