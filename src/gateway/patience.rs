//! How long one attempt may take to begin its answer, and to go on with it.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Timeouts;
use crate::error::{Failure, FailureKind};

/// The time limits of one attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// When the answer must have begun.
    pub(super) first: Instant,
    first_token: Duration,
    /// How long it may pause.
    pub(super) idle: Duration,
    /// What the alias allows, where that is what sets a limit.
    alias: Option<Duration>,
}

impl Patience {
    /// For an attempt that begins now. An alias may have less patience than the gateway's limits, never more.
    pub(super) fn new(timeouts: &Timeouts, alias: Option<Duration>) -> Self {
        let least = |limit: Duration| alias.map_or(limit, |alias| alias.min(limit));
        let first_token = least(timeouts.first_token);
        Self { first: Instant::now() + first_token, first_token, idle: least(timeouts.idle), alias }
    }

    /// The failure of an attempt that took too long; `spoke` once its answer had begun.
    pub(super) fn too_late(&self, spoke: bool) -> Failure {
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
    fn an_alias_has_less_patience_than_its_gateway_or_none_of_its_own() {
        let timeouts = Timeouts { first_token: Duration::from_secs(20), ..Timeouts::default() };
        let patience = Patience::new(&timeouts, Some(Duration::from_secs(30)));
        assert_eq!(patience.too_late(false).message, "no answer began within 20 s");
        assert!(patience.too_late(false).advice.expect("advice").starts_with("timeouts.first_token"));
        assert_eq!(patience.too_late(true).message, "nothing more came for 30 s");
        assert!(patience.too_late(true).advice.expect("advice").starts_with("timeout of the alias"));
        let patience = Patience::new(&timeouts, None);
        assert_eq!(patience.too_late(true).message, "nothing more came for 60 s");
        assert!(patience.too_late(true).advice.expect("advice").starts_with("timeouts.idle"));
    }
}
