//! How long one attempt may take to begin its answer, and to go on with it.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Timeouts;
use crate::deadline;
use crate::error::{Failure, FailureKind};

/// The time limits of one attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// When the answer must have begun.
    pub(super) first: Instant,
    first_token: Duration,
    idle: Duration,
    /// The timeout of the alias, which can only shorten the gateway's.
    alias: Option<Duration>,
}

impl Deadlines {
    /// The limits of an attempt that begins now.
    pub(super) fn new(timeouts: &Timeouts, alias: Option<Duration>) -> Self {
        let least = |limit: Duration| alias.map_or(limit, |alias| alias.min(limit));
        let first_token = least(timeouts.first_token);
        Self { first: deadline::after(first_token), first_token, idle: least(timeouts.idle), alias }
    }

    /// When the next piece must have come after one that arrived at this time.
    pub(super) fn next_piece(&self, arrived: Instant) -> Instant {
        deadline::since(arrived, self.idle)
    }

    /// The failure of an attempt that took too long; `spoke` says whether its answer had begun.
    pub(super) fn exceeded(&self, spoke: bool) -> Failure {
        let (limit, setting, message) = if spoke {
            (self.idle, "idle", format!("nothing more came for {} s", self.idle.as_secs_f64()))
        } else {
            let limit = self.first_token;
            (limit, "first_token", format!("no answer began within {} s", limit.as_secs_f64()))
        };
        let advice = if self.alias == Some(limit) {
            "timeout of the alias in the config sets this limit".to_owned()
        } else {
            format!("timeouts.{setting} of the gateway in the config sets this limit")
        };
        Failure::new(FailureKind::Timeout, message).with_advice(advice).maybe_billed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_shortens_the_limits_of_its_gateway_and_never_lengthens_them() {
        let timeouts = Timeouts { first_token: Duration::from_secs(20), ..Timeouts::default() };
        let deadlines = Deadlines::new(&timeouts, Some(Duration::from_secs(30)));
        assert_eq!(deadlines.exceeded(false).message, "no answer began within 20 s");
        assert!(deadlines.exceeded(false).advice.expect("advice").starts_with("timeouts.first_token"));
        assert_eq!(deadlines.exceeded(true).message, "nothing more came for 30 s");
        assert!(deadlines.exceeded(true).advice.expect("advice").starts_with("timeout of the alias"));
        let deadlines = Deadlines::new(&timeouts, None);
        assert_eq!(deadlines.exceeded(true).message, "nothing more came for 60 s");
        assert!(deadlines.exceeded(true).advice.expect("advice").starts_with("timeouts.idle"));
    }
}
