//! The moment at which a time limit ends.

use std::time::Duration;

use tokio::time::Instant;

/// Thirty years. A longer limit makes no difference to any call, and the clock cannot count to every limit that a user can
/// write.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The moment at which a limit ends that begins now.
pub(crate) fn after(limit: Duration) -> Instant {
    since(Instant::now(), limit)
}

/// The moment at which a limit ends that began at `start`.
pub(crate) fn since(start: Instant, limit: Duration) -> Instant {
    start + limit.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_too_long() {
        for limit in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs_f64(1e19)] {
            assert!(after(limit) > Instant::now() + LONGEST / 2);
        }
        assert!(after(Duration::ZERO) <= Instant::now());
    }
}
