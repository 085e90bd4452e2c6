//! The rates of a client: what a request takes from them, and what the client is told of them.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};

use super::Server;
use super::keys::Client;
use crate::call::Call;
use crate::config::KeyRules;
use crate::error::{Failure, FailureKind};
use crate::pricing::estimate;
use crate::record::Record;
use crate::store::{Admission, Demand, Held, Level, Limit, RateStore};

/// What a request has taken from the rates of its client. It is settled when the request is over.
pub(super) struct Taken {
    /// `None` where it has no rates.
    held: Option<Held>,
    admission: Admission,
}

/// Takes what a call needs from the rates of its client.
///
/// # Errors
/// A rate is used up.
pub(super) async fn take(server: &Arc<Server>, client: &Client, call: &Call) -> Result<Taken, Failure> {
    let rules = &client.rules;
    let KeyRules { requests_per_minute: requests, tokens_per_minute, in_flight, .. } = *rules;
    if requests.is_none() && tokens_per_minute.is_none() && in_flight.is_none() {
        return Ok(Taken { held: None, admission: Admission::default() });
    }
    let expected = || {
        let usage = estimate::expected(&call.request, "");
        usage.input.unwrap_or(0).saturating_add(usage.output.unwrap_or(0))
    };
    let tokens = tokens_per_minute.map(|limit| (limit, expected()));
    let demand = Demand { id: call.id.clone(), key: client.name.clone(), requests, tokens, in_flight };
    let own = |demand| Held::admit(Arc::clone(&server.own_rates) as Arc<dyn RateStore>, demand);
    // Without the store, the server goes on and keeps to the rates by itself. Nobody waits for one that is lost.
    let admitted = if server.is_store_lost() {
        own(demand).await
    } else {
        match Held::admit(Arc::clone(&server.stores.rates), demand.clone()).await {
            Ok(admitted) => Ok(admitted),
            Err(_) => {
                server.note_store(true);
                own(demand).await
            }
        }
    };
    let (held, admission) = admitted.map_err(|error| Failure::new(FailureKind::Unavailable, error.to_string()))?;
    match admission.refused {
        None => Ok(Taken { held: Some(held), admission }),
        Some((limit, wait)) => Err(too_many(client, limit, wait)),
    }
}

fn too_many(client: &Client, limit: Limit, wait: Duration) -> Failure {
    let rules = &client.rules;
    let what = match limit {
        Limit::Requests => format!("{} requests a minute", rules.requests_per_minute.unwrap_or(0)),
        Limit::Tokens => format!("{} tokens a minute", rules.tokens_per_minute.unwrap_or(0)),
        Limit::InFlight => format!("{} requests at once", rules.in_flight.unwrap_or(0)),
    };
    let failure = Failure::new(FailureKind::RateLimited, format!("the key {} may have {what}", client.name));
    Failure { retry_after: Some(wait.max(Duration::from_millis(1))), ..failure.with_status(429) }
}

impl Taken {
    /// Puts the tokens that were used in the place of those that were expected.
    pub(super) fn settle(&mut self, record: &Record) {
        if let Some(held) = &mut self.held {
            held.settle(
                record.usage.input.zip(record.usage.output).map(|(input, output)| input.saturating_add(output)),
            );
        }
    }

    /// Tells the client what is left of its rates, as OpenAI does.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        for (level, names) in [(self.admission.requests, REQUESTS), (self.admission.tokens, TOKENS)] {
            let Some(Level { limit, remaining, reset }) = level else { continue };
            let values = [limit.to_string(), remaining.to_string(), format!("{:.3}s", reset.as_secs_f64())];
            for (name, value) in names.into_iter().zip(values) {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    headers.insert(name, value);
                }
            }
        }
    }
}

const REQUESTS: [&str; 3] =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const TOKENS: [&str; 3] = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
