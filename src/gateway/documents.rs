//! Requests that ask no model: lists, checks, files and batches.

use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderValue, IF_NONE_MATCH};
use reqwest::{RequestBuilder, Response};
use tokio::time::{Instant, timeout_at};

use super::deadlines::Deadlines;
use super::{Client, Content, body, request_headers, response_headers, transport};
use crate::adapter::error_body::{self, LARGEST as LARGEST_ERROR};
use crate::chat::check_values;
use crate::deadline;
use crate::error::{Failure, FailureKind};

/// How long a document may take after the connection.
const DOCUMENT: Duration = Duration::from_secs(30);

/// A body that was fetched, for lists and checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub status: u16,
    pub body: Vec<u8>,
    pub etag: Option<String>,
}

impl Client {
    /// Fetches a JSON document of at most `max` bytes. With an `etag`, the gateway sends it only if it has changed, and
    /// answers 304 otherwise.
    ///
    /// # Errors
    /// The gateway cannot be reached, refuses, redirects, sends more, or takes longer than 30 s after the connection.
    pub async fn get(&self, url: &str, etag: Option<&str>, max: usize) -> Result<Fetched, Failure> {
        let mut request = self.asking(self.http.get(url))?;
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let limit = self.gateway.timeouts.connect.saturating_add(DOCUMENT);
        self.fetched(request, max, limit).await
    }

    /// Sends a document and returns the answer, of at most `max` bytes. `key` is sent as `Idempotency-Key`. The limit of time is
    /// that of a whole call, since a large body takes as long as the connection does.
    ///
    /// # Errors
    /// The gateway cannot be reached, refuses, redirects, or answers more.
    pub async fn post(
        &self,
        url: &str,
        content_type: &str,
        content: Content,
        key: &str,
        max: usize,
    ) -> Result<Fetched, Failure> {
        let request = self.asking(self.http.post(url))?;
        let request = request.header("content-type", content_type).header("idempotency-key", key);
        let request = request.body(reqwest::Body::wrap(content));
        self.fetched(request, max, self.gateway.timeouts.total).await
    }

    /// Writes a document of at most `max` bytes to `file`, as it comes. It may take any time, as long as it goes on.
    ///
    /// # Errors
    /// As for [`Client::post`], and where the document does not begin or go on in the time that an answer has for it, or the
    /// file cannot be written.
    pub async fn download(&self, url: &str, max: u64, file: &mut (dyn Write + Send)) -> Result<(), Failure> {
        let limits = Deadlines::new(&self.gateway.timeouts, None);
        let copied = async {
            let response = timeout_at(limits.first, self.accepted(self.asking(self.http.get(url))?)).await;
            let response = response.unwrap_or_else(|_| Err(limits.exceeded(false)))?;
            self.copy(response, max, file, &limits).await
        };
        copied.await.map_err(|failure| self.reported(failure))
    }

    /// The request with the headers that every request has.
    fn asking(&self, request: RequestBuilder) -> Result<RequestBuilder, Failure> {
        Ok(request.headers(request_headers::common(&self.gateway, self.gateway.api, self.key.as_ref())?))
    }

    async fn fetched(&self, request: RequestBuilder, max: usize, limit: Duration) -> Result<Fetched, Failure> {
        let fetch = async {
            let mut response = self.accepted(request).await?;
            let status = response.status().as_u16();
            let etag = response.headers().get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
            // An etag that holds a secret is dropped, because it would be kept with the body.
            let etag = etag.filter(|etag| self.mask.message(etag) == *etag);
            let mut body = Vec::new();
            match body::read(&mut response, &mut body, max).await {
                Ok(true) => {}
                Ok(false) => return Err(too_long(&response, max as u64)),
                Err(error) => return Err(transport::failure(error, self)),
            }
            if let Some(failure) = error_body::failure_instead(&body) {
                return Err(failure);
            }
            check_document(response.url().as_str(), &body)?;
            Ok(Fetched { status, body: self.mask.body(body), etag })
        };
        let late = || format!("{} did not answer in time", self.gateway.base_url.origin());
        let fetched = timeout_at(deadline::after(limit), fetch).await;
        let fetched = fetched.unwrap_or_else(|_| Err(Failure::new(FailureKind::Timeout, late())));
        fetched.map_err(|failure| self.reported(failure))
    }

    /// Sends a request, and returns the response if its status is one of success, or says that nothing has changed.
    async fn accepted(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let mut response = request.send().await.map_err(|error| transport::failure(error, self))?;
        let status = response.status().as_u16();
        match status {
            300..=303 | 305..=399 => Err(response_headers::redirect(&response, &self.gateway, &self.mask)),
            400.. => {
                let mut body = Vec::new();
                let advice = response_headers::retry_advice(response.headers(), status);
                // The beginning of a refusal says enough, and even without it the status does.
                drop(body::read(&mut response, &mut body, LARGEST_ERROR).await);
                let failure = self.gateway.api.adapter().decode_error(status, &body);
                let retry_after = advice.retry_after.or(failure.retry_after);
                Err(Failure { retry_after, ..failure }.without_retries(Timestamp::now()))
            }
            _ => Ok(response),
        }
    }

    /// Writes the body of a response to `to`. It must go on in the time of these limits.
    async fn copy(
        &self,
        mut response: Response,
        max: u64,
        to: &mut (dyn Write + Send),
        limits: &Deadlines,
    ) -> Result<(), Failure> {
        let (mut length, mut beginning) = (0, Vec::new());
        loop {
            let until = if length == 0 { limits.first } else { limits.next_piece(Instant::now()) };
            let chunk = timeout_at(until, response.chunk()).await.map_err(|_| limits.exceeded(length > 0))?;
            let Some(chunk) = chunk.map_err(|error| transport::failure(error, self))? else { break };
            length += chunk.len() as u64;
            if length > max {
                return Err(too_long(&response, max));
            }
            // What is longer is no failure.
            if length <= LARGEST_ERROR as u64 {
                beginning.extend_from_slice(&chunk);
            }
            to.write_all(&chunk).map_err(|error| {
                Failure::new(FailureKind::Protocol, "the answer cannot be kept").with_cause(error.to_string())
            })?;
        }
        let whole = Some(beginning).filter(|beginning| beginning.len() as u64 == length);
        whole.and_then(|body| error_body::failure_instead(&body)).map_or(Ok(()), Err)
    }
}

/// Checks that the JSON of a document can be held in memory.
///
/// # Errors
/// It has too many values.
pub fn check_document(url: &str, body: &[u8]) -> Result<(), Failure> {
    check_values(body).map_err(|why| Failure::new(FailureKind::Protocol, format!("{url} cannot be read: {why}")))
}

fn too_long(response: &Response, max: u64) -> Failure {
    Failure::new(FailureKind::Protocol, format!("{} holds more than {} MiB", response.url(), max >> 20))
}
