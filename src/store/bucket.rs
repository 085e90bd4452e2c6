//! Token buckets: a limit for a minute that fills up steadily.

use std::time::Duration;

use super::{Admission, Demand, Level, Limit};

/// What is in a bucket, and when that was so, in seconds by the store's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) level: f64,
    pub(crate) at: f64,
}

/// How long a request waits at most for a place among those that run.
const SOON: Duration = Duration::from_secs(1);

impl Bucket {
    /// What is in it now. A bucket that nobody has used is full. Where the clock was set back, nothing has come in.
    fn now(before: Option<Self>, now: f64, limit: u64) -> Self {
        let limit = limit as f64;
        let level = before.map_or(limit, |bucket| bucket.level + (now - bucket.at).max(0.0) * limit / 60.0);
        Self { level: level.min(limit), at: now }
    }

    fn level_of(self, limit: u64) -> Level {
        let missing = (limit as f64 - self.level).max(0.0);
        let reset = Duration::try_from_secs_f64(missing * 60.0 / limit.max(1) as f64).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least zero, at most the limit")]
        let remaining = self.level.max(0.0).floor() as u64;
        Level { limit, remaining, reset }
    }
}

/// The buckets of a key, for a decision at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Buckets {
    pub(crate) requests: Option<Bucket>,
    pub(crate) tokens: Option<Bucket>,
}

impl Buckets {
    /// Decides about a request where `running` others of its key run. Where it is admitted, what it needs is taken.
    pub(crate) fn admit(&mut self, demand: &Demand, running: u64, now: f64) -> Admission {
        let mut refused = None;
        if demand.in_flight.is_some_and(|most| running >= most) {
            refused = Some((Limit::InFlight, SOON));
        }
        let requests = demand.requests.map(|limit| (limit, 1.0));
        // A request that needs more than a minute's worth waits for a full bucket.
        let tokens = demand.tokens.map(|(limit, estimate)| (limit, estimate.min(limit) as f64));
        for (place, needed, kind) in
            [(&mut self.requests, requests, Limit::Requests), (&mut self.tokens, tokens, Limit::Tokens)]
        {
            let Some((limit, needed)) = needed else { continue };
            let bucket = Bucket::now(*place, now, limit);
            *place = Some(bucket);
            if bucket.level < needed && refused.is_none() {
                let wait = (needed - bucket.level) * 60.0 / limit.max(1) as f64;
                refused = Some((kind, Duration::try_from_secs_f64(wait).unwrap_or_default()));
            }
        }
        if refused.is_none() {
            for (place, needed) in [(&mut self.requests, requests), (&mut self.tokens, tokens)] {
                if let (Some(bucket), Some((_, needed))) = (place, needed) {
                    bucket.level -= needed;
                }
            }
        }
        let level = |bucket: Option<Bucket>, limit: Option<u64>| Some(bucket?.level_of(limit?));
        Admission {
            refused,
            requests: level(self.requests, demand.requests),
            tokens: level(self.tokens, demand.tokens.map(|(limit, _)| limit)),
        }
    }
}

/// What is to be added to the bucket of tokens when a request is over that has used so many.
pub(crate) fn correction(demand: &Demand, used: Option<u64>) -> Option<f64> {
    let (limit, estimate) = demand.tokens?;
    Some(estimate.min(limit) as f64 - used? as f64)
}
