//! Sends traces to a collector.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::transport;
use crate::config::{Env, Otel};
use crate::error::{Failure, FailureKind};

/// How long a collector may take for a request.
const LIMIT: Duration = Duration::from_secs(10);

/// The collector of the config.
#[derive(Debug)]
pub struct Collector {
    http: reqwest::Client,
    otel: Otel,
    headers: HeaderMap,
}

impl Collector {
    /// # Errors
    /// A header of the config cannot be sent, TLS cannot be set up, or a proxy variable holds no address.
    pub fn new(otel: Otel, env: &Env) -> Result<Self, Failure> {
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        for (name, value) in &otel.headers {
            let bad =
                || Failure::new(FailureKind::InvalidRequest, format!("the header `{name}` of [otel] cannot be sent"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let http = transport::plain_client(&otel.endpoint, LIMIT, env)?;
        Ok(Self { http, otel, headers })
    }

    /// Sends one document of traces. The body of the answer is not read.
    ///
    /// # Errors
    /// The collector cannot be reached, or does not take it.
    pub async fn send(&self, document: String) -> Result<(), Failure> {
        let request = self.http.post(self.otel.endpoint.clone()).headers(self.headers.clone()).body(document);
        let failed = |error: reqwest::Error| {
            let failure = Failure::new(FailureKind::Network, "the collector cannot be reached");
            failure.with_cause(transport::chain(&error.without_url()))
        };
        let status = request.send().await.map_err(failed)?.status();
        if status.is_success() {
            return Ok(());
        }
        let kind = FailureKind::from_status(status.as_u16());
        Err(Failure::new(kind, format!("the collector answered with status {}", status.as_u16()))
            .with_status(status.as_u16()))
    }
}
