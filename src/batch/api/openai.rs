//! OpenAI's form: a file of lines is uploaded to `/files`, and `/batches` says what becomes of it. Groq, Together and LiteLLM have
//! it too.

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    BatchApi, Fate, Part, PartLimits, Post, Raw, Results, Standing, bytes, custom_id, error, failure, ids, in_path,
    malformed, parse, part, unwrapped,
};
use crate::adapter::{Api, WireRequest};
use crate::error::{Failure, FailureKind};

#[derive(Debug)]
pub(super) struct OpenAi;

/// The words of gateways for batches that change no more, in small letters. Together's are in capitals.
const ENDS: [&str; 8] = ["completed", "success", "succeeded", "failed", "error", "expired", "cancelled", "canceled"];

/// Their words for batches that are still to be written down.
const BEFORE_THE_END: [&str; 2] = ["finalizing", "cancelling"];

/// Whether there is an id. Some gateways write an empty one for none.
fn is_named(id: &Value) -> bool {
    !id.is_null() && id != ""
}

/// Parts the fields of an upload. It is so long that no prompt has it by chance.
const BOUNDARY: &str = "llm-batch-7f9c2ba4e88f827d616045507605853e";

/// The key of our tag in the metadata of a batch.
const TAG: &str = "llm_part";

/// A batch that is not answered after this time expires. It is the only window that the gateways have.
const WINDOW: &str = "24h";

/// A line of results.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    custom_id: Raw<'a>,
    response: Raw<'a>,
    error: Raw<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Response<'a> {
    #[serde(borrow)]
    status_code: Raw<'a>,
    body: Raw<'a>,
}

impl BatchApi for OpenAi {
    fn limits(&self) -> PartLimits {
        // OpenAI's own: 50,000 requests and 200 MB. The rest is for what stands around the lines.
        PartLimits { requests: 50_000, bytes: 199_000_000 }
    }

    fn entry(&self, id: &str, wire: &WireRequest) -> Vec<u8> {
        // The body is put in as it is, so that it is the one that single requests have.
        let body = std::str::from_utf8(&wire.body).unwrap_or("null");
        let body: Box<RawValue> = RawValue::from_string(body.to_owned()).unwrap_or_default();
        let url = format!("/v1/{}", wire.path);
        let entry = json!({"custom_id": id, "method": "POST", "url": url});
        let mut line = entry.to_string();
        line.pop();
        format!("{line},\"body\":{}}}", body.get()).into_bytes()
    }

    fn separator(&self) -> u8 {
        b'\n'
    }

    fn upload(&self) -> Option<Post> {
        let body = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--{BOUNDARY}\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"batch.jsonl\"\r\n\
             content-type: application/jsonl\r\n\r\n"
        )
        .into_bytes();
        // The end of the last line, and of the upload.
        let end = format!("\n\r\n--{BOUNDARY}--\r\n").into_bytes();
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        Some(Post { path: "files".into(), content_type, body, after_entries: Some(end) })
    }

    fn submit(&self, part: &Part<'_>, file: Option<&str>) -> Post {
        Post::json(
            "batches",
            &json!({
                "input_file_id": file, "endpoint": format!("/v1/{}", part.endpoint), "completion_window": WINDOW,
                "metadata": {TAG: part.tag},
            }),
        )
    }

    fn status_path(&self, id: &str) -> String {
        format!("batches/{id}")
    }

    fn standing(&self, _: &str, body: &[u8]) -> Result<Standing, Failure> {
        let whole: Value = parse(body)?;
        let batch = unwrapped(&whole);
        let word = batch["status"].as_str().ok_or_else(|| malformed("the gateway did not say how the batch stands"))?;
        let counts = &batch["request_counts"];
        let count = |name: &str| counts[name].as_u64();
        let done = count("total").map(|total| (count("completed").unwrap_or(0) + count("failed").unwrap_or(0), total));
        let state = word.to_lowercase();
        // What has a file of results, and has come to every request, is over, whatever it is called.
        let has_all =
            is_named(&batch["output_file_id"]) && done.is_some_and(|(done, total)| total > 0 && done >= total);
        let is_over = ENDS.contains(&&*state) || (has_all && !BEFORE_THE_END.contains(&&*state));
        let named = || ["output_file_id", "error_file_id"].iter().map(|name| &batch[*name]).filter(|id| is_named(id));
        let results = named().filter_map(in_path).map(|file| Results::At(format!("files/{file}/content"))).collect();
        let failure = matches!(&*state, "failed" | "error").then(|| {
            let message = batch["errors"]["data"][0]["message"].as_str().unwrap_or("the gateway refused the batch");
            Failure::new(FailureKind::InvalidRequest, message)
        });
        let failure = failure.or_else(|| {
            let is_strange = named().any(|id| in_path(id).is_none());
            is_strange.then(|| malformed("the gateway named a file of results that cannot stand in a path"))
        });
        // Not every gateway has a file of the requests that failed.
        let answered = count("completed").unwrap_or(0);
        Ok(Standing { word: word.to_owned(), is_over, done, answered, results, failure })
    }

    fn result(&self, line: &[u8]) -> Result<(String, Fate), Failure> {
        let line: Line<'_> = parse(line)?;
        let id = custom_id(line.custom_id)?;
        let response: Response<'_> = part(line.response);
        let status = part::<Value>(response.status_code).as_u64().and_then(|status| u16::try_from(status).ok());
        if let Some(200..=299) = status {
            return Ok((id, Fate::Answer(bytes(response.body))));
        }
        let reason = error(line.error);
        let fate = match (reason["code"].as_str(), status) {
            (Some("batch_expired"), _) => Fate::NotAsked("the batch expired"),
            (Some("batch_cancelled"), _) => Fate::NotAsked("the batch was cancelled"),
            (_, Some(status)) => {
                let body = error(response.body);
                Fate::Failed(failure(
                    Api::OpenaiChat,
                    status,
                    if body["error"].is_null() { &body } else { &body["error"] },
                ))
            }
            (_, None) => Fate::Failed(failure(Api::OpenaiChat, 500, &reason)),
        };
        Ok((id, fate))
    }

    fn cancel(&self, id: &str) -> Post {
        Post::json(format!("batches/{id}/cancel"), &Value::Object(serde_json::Map::new()))
    }

    fn list_path(&self) -> String {
        "batches?limit=100".to_owned()
    }

    fn find(&self, list: &[u8], tag: &str, _: usize) -> Result<Vec<String>, Failure> {
        let list: Value = parse(list)?;
        // Together lists them without an object around them.
        let batches = if list.is_array() { Some(&list) } else { list.get("data") };
        ids(batches, "id", |batch| batch["metadata"][TAG] == tag)
    }
}
