//! Google's form: the requests are in the submission itself, and the results in the batch that has ended.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    BatchApi, Fate, Part, PartLimits, Post, Raw, Results, Standing, bytes, custom_id, error, failure, ids, malformed,
    parse, part,
};
use crate::adapter::{Api, WireRequest, gemini_path};
use crate::error::{Failure, FailureKind};

#[derive(Debug)]
pub(super) struct Gemini;

/// One of the results.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    metadata: Raw<'a>,
    response: Raw<'a>,
    error: Raw<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    key: Raw<'a>,
}

impl BatchApi for Gemini {
    fn limits(&self) -> PartLimits {
        // Google takes 20 MB in a request.
        PartLimits { requests: 50_000, bytes: 19_000_000 }
    }

    fn entry(&self, id: &str, wire: &WireRequest) -> Vec<u8> {
        let body = std::str::from_utf8(&wire.body).unwrap_or("null");
        format!("{{\"request\":{body},\"metadata\":{{\"key\":{}}}}}", json!(id)).into_bytes()
    }

    fn separator(&self) -> u8 {
        b','
    }

    fn upload(&self) -> Option<Post> {
        None
    }

    fn submit(&self, part: &Part<'_>, _: Option<&str>) -> Post {
        let mut body = format!("{{\"batch\":{{\"display_name\":{},", json!(part.tag)).into_bytes();
        body.extend_from_slice(b"\"input_config\":{\"requests\":{\"requests\":[");
        let path = gemini_path(part.model, "batchGenerateContent");
        Post { path, content_type: "application/json".into(), body, after_entries: Some(b"]}}}}".to_vec()) }
    }

    fn status_path(&self, id: &str) -> String {
        id.to_owned()
    }

    fn standing(&self, _: &str, body: &[u8]) -> Result<Standing, Failure> {
        let batch: Value = parse(body)?;
        let metadata = &batch["metadata"];
        let word =
            metadata["state"].as_str().ok_or_else(|| malformed("the gateway did not say how the batch stands"))?;
        let end = ["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"].iter().any(|end| word.ends_with(end));
        // Numbers of 64 bits are texts in Google's JSON.
        let count = |name: &str| {
            let value = &metadata["batchStats"][name];
            value.as_u64().or_else(|| value.as_str()?.parse().ok())
        };
        let done = count("requestCount").map(|total| {
            let done = count("successfulRequestCount").unwrap_or(0) + count("failedRequestCount").unwrap_or(0);
            (done, total)
        });
        let responses = [&batch["response"], &metadata["output"]];
        let inline = responses.iter().find_map(|response| response["inlinedResponses"]["inlinedResponses"].as_array());
        let lines = inline.map(|all| {
            let lines: Vec<String> = all.iter().map(|response| format!("{response}\n")).collect();
            Results::Inline(lines.concat().into_bytes())
        });
        let failure = batch["error"]["message"].as_str();
        let failure = failure.filter(|_| lines.is_none()).map(|why| Failure::new(FailureKind::InvalidRequest, why));
        // Whether those that failed have a result is not told.
        let answered = count("successfulRequestCount").unwrap_or(0);
        let results = lines.into_iter().collect();
        Ok(Standing { word: word.to_owned(), is_over: end, done, answered, results, failure })
    }

    fn result(&self, line: &[u8]) -> Result<(String, Fate), Failure> {
        let line: Line<'_> = parse(line)?;
        let id = custom_id(part::<Metadata<'_>>(line.metadata).key)?;
        if line.error.is_none() {
            return Ok((id, Fate::Answer(bytes(line.response))));
        }
        let error = error(line.error);
        // A code of gRPC, or one of HTTP.
        let status = match error["code"].as_u64().and_then(|code| u16::try_from(code).ok()) {
            Some(status @ 400..600) => status,
            Some(3 | 9 | 11) => 400,
            Some(4) => 504,
            Some(5) => 404,
            Some(7) => 403,
            Some(8) => 429,
            Some(14) => 503,
            Some(16) => 401,
            _ => 500,
        };
        Ok((id, Fate::Failed(failure(Api::Gemini, status, &error))))
    }

    fn holds_results(&self) -> bool {
        true
    }

    fn cancel(&self, id: &str) -> Post {
        Post::json(format!("{id}:cancel"), &json!({}))
    }

    fn list_path(&self) -> String {
        "batches?pageSize=100".to_owned()
    }

    fn find(&self, list: &[u8], tag: &str, _: usize) -> Result<Vec<String>, Failure> {
        let list: Value = parse(list)?;
        // Where there are none, Google leaves the list out.
        if list.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(Vec::new());
        }
        let batches = list.get("operations").or_else(|| list.get("batches"));
        ids(batches, "name", |batch| batch["metadata"]["displayName"] == tag)
    }
}
