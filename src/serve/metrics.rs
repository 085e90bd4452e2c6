//! What a server counts, in the text of Prometheus. The number of label values is bounded, whatever clients ask for.

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::response::Response;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Server;
use super::answer::set_header;
use crate::error::{Failure, FailureKind};
use crate::record::Record;

/// The keys, and the models, that have figures of their own. Those beyond are counted together.
const MOST: usize = 300;

/// The longest name that has figures of its own, in bytes: it stands in some forty lines. Names of models are shorter; clients may
/// send longer ones.
const LONGEST: usize = 256;

/// What stands for the keys and models beyond.
const OTHER: &str = "other";

/// Seconds until the first token.
const FIRST: [f64; 10] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// Seconds until the end.
const TOTAL: [f64; 11] = [0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Served {
    key: String,
    gateway: String,
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    key: String,
    gateway: String,
    model: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tokens {
    key: String,
    gateway: String,
    model: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Target {
    gateway: String,
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

type Histograms = Family<Target, Histogram, fn() -> Histogram>;

/// The figures of a server since its start.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Ended, Counter>,
    tokens: Family<Tokens, Counter>,
    cost: Family<Served, Counter<f64, AtomicU64>>,
    first_token: Histograms,
    total: Histograms,
    retries: Family<Target, Counter>,
    fallbacks: Family<Target, Counter>,
    refusals: Family<Refused, Counter>,
    in_flight: Gauge,
    waiting: Gauge,
    unsent_spans: Counter,
    keys: Names,
    models: Names,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("llm");
        let metrics = Self {
            requests: Family::default(),
            tokens: Family::default(),
            cost: Family::default(),
            first_token: Family::new_with_constructor(|| Histogram::new(FIRST)),
            total: Family::new_with_constructor(|| Histogram::new(TOTAL)),
            retries: Family::default(),
            fallbacks: Family::default(),
            refusals: Family::default(),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
            unsent_spans: Counter::default(),
            keys: Names::default(),
            models: Names::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests that became calls, by how they ended", metrics.requests.clone());
        registry.register("tokens", "Tokens that gateways reported", metrics.tokens.clone());
        registry.register("cost_usd", "Known costs in US dollars", metrics.cost.clone());
        let first = "Time from the request to the first token";
        registry.register_with_unit("first_token", first, Unit::Seconds, metrics.first_token.clone());
        let total = "Time from the request to the end of the answer";
        registry.register_with_unit("request_duration", total, Unit::Seconds, metrics.total.clone());
        registry.register("retries", "Further tries of the same model", metrics.retries.clone());
        registry.register("fallbacks", "Tries of another model", metrics.fallbacks.clone());
        registry.register(
            "refusals",
            "Requests that were refused without a request to a gateway",
            metrics.refusals.clone(),
        );
        registry.register("in_flight", "Requests that run", metrics.in_flight.clone());
        registry.register("waiting", "Requests that wait for a place", metrics.waiting.clone());
        let unsent = "Calls whose spans could not be sent to the collector";
        registry.register("unsent_spans", unsent, metrics.unsent_spans.clone());
        Self { registry, ..metrics }
    }

    /// Counts a call that is over.
    pub(super) fn ended(&self, client: &str, record: &Record) {
        let key = self.keys.known(client);
        let asked = record.attempts.last().map_or(&record.model, |attempt| &attempt.model);
        // A client may invent names; those that answered are models.
        let model = if record.answered_by.is_some() { self.models.known(asked) } else { OTHER.to_owned() };
        let gateway = record.gateway.clone();
        let target = Target { gateway: gateway.clone(), model: model.clone() };
        let status = record.status.as_str();
        self.requests
            .get_or_create(&Ended { key: key.clone(), gateway: gateway.clone(), model: model.clone(), status })
            .inc();
        let usage = &record.usage;
        for (kind, count) in [
            ("input", usage.input),
            ("output", usage.output),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
            ("reasoning", usage.reasoning),
        ] {
            if let Some(count) = count {
                let labels = Tokens { key: key.clone(), gateway: gateway.clone(), model: model.clone(), kind };
                self.tokens.get_or_create(&labels).inc_by(count);
            }
        }
        if let Some(cost) = record.cost {
            #[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
            let usd = cost.usd.picos().max(0) as f64 / 1e12;
            self.cost.get_or_create(&Served { key, gateway, model }).inc_by(usd);
        }
        if let Some(time) = record.timing.first_token {
            self.first_token.get_or_create(&target).observe(time.as_secs_f64());
        }
        if let Some(time) = record.timing.total {
            self.total.get_or_create(&target).observe(time.as_secs_f64());
        }
        for pair in record.attempts.windows(2) {
            let is_other = pair[0].model != pair[1].model || pair[0].gateway != pair[1].gateway;
            let family = if is_other { &self.fallbacks } else { &self.retries };
            family.get_or_create(&target).inc();
        }
        if let Some(failure) = record.error.as_ref().filter(|_| record.attempts.is_empty()) {
            self.refused(failure);
        }
    }

    /// Counts a request that was refused.
    pub(super) fn refused(&self, failure: &Failure) {
        let reason = match failure.kind {
            FailureKind::Refused if failure.param.as_deref() == Some("model") => "model",
            FailureKind::Refused => "budget",
            FailureKind::Auth => "key",
            FailureKind::RateLimited => "rate",
            FailureKind::NotFound => "not_found",
            FailureKind::Unavailable => "busy",
            _ => "request",
        };
        self.refusals.get_or_create(&Refused { reason }).inc();
    }

    /// Counts calls that no collector will hear of.
    pub(super) fn unsent(&self, count: usize) {
        self.unsent_spans.inc_by(count as u64);
    }

    /// All figures as they are now.
    pub(super) fn respond(&self, server: &Server) -> Response {
        let (running, waiting) = server.line.counts();
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.in_flight.set(count(running));
        self.waiting.set(count(waiting + server.bodies.waiting()));
        let mut body = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut body, &self.registry);
        let mut response = Response::new(body.into());
        let headers: &mut HeaderMap = response.headers_mut();
        set_header(headers, "content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8");
        response
    }
}

/// The first names that were seen.
#[derive(Default)]
struct Names(Mutex<HashSet<String>>);

impl Names {
    /// The name, or what stands for those that came later, and for long ones.
    fn known(&self, name: &str) -> String {
        if name.len() > LONGEST {
            return OTHER.to_owned();
        }
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.contains(name) {
            if names.len() >= MOST {
                return OTHER.to_owned();
            }
            names.insert(name.to_owned());
        }
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let names = Names::default();
        for n in 0..MOST {
            assert_eq!(names.known(&format!("m{n}")), format!("m{n}"));
        }
        assert_eq!((names.known("one more").as_str(), names.known("m7").as_str()), (OTHER, "m7"));
    }

    #[test]
    fn a_long_name_has_no_figures_of_its_own() {
        let names = Names::default();
        let longest = "m".repeat(LONGEST);
        assert_eq!((names.known(&longest), names.known(&format!("{longest}m"))), (longest, OTHER.to_owned()));
    }
}
