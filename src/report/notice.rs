//! What happens on the way to an answer, in one line each: retries, fallbacks, pieces that could not be read.

use super::format;
use crate::call::{Event, RunEvent};
use crate::error::{Failure, FailureKind};

/// So many pieces of one answer that could not be read are each named in a line. The others are counted.
const NAMED: u64 = 3;

/// Follows the calls of a run and puts into words what a user is told at once.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// By the call's index in the run.
    calls: Vec<Call>,
}

#[derive(Debug, Default)]
struct Call {
    /// The model that is asked now; `None` before the first request.
    model: Option<String>,
    /// How many pieces of its answers could not be read.
    malformed: u64,
}

impl Call {
    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or("?")
    }
}

impl Notices {
    /// Returns the unescaped line for this event, or None where it has none. Costs next to nothing for a piece of an
    /// answer.
    pub(super) fn line(&mut self, event: &RunEvent) -> Option<String> {
        if matches!(event.event, Event::Stream(_)) {
            return None;
        }
        if self.calls.len() <= event.call {
            self.calls.resize_with(event.call + 1, Call::default);
        }
        let call = &mut self.calls[event.call];
        match &event.event {
            Event::Attempt { target } => {
                call.model = Some(target.model.clone());
                None
            }
            Event::Retry { after, cause } => {
                Some(format!("{}: {}, trying again in {}", call.model(), short(cause), format::duration(*after)))
            }
            Event::Adjusted { parameter, instead } => {
                let instead = instead.map(|instead| format!("with {instead} instead"));
                let how = instead.as_deref().unwrap_or("without it");
                Some(format!("{} refuses {parameter}: asking again {how}", call.model()))
            }
            Event::Hedge { slow, to } => Some(format!("{}: slow to begin, asking {} as well", slow.model, to.model)),
            Event::Fallback { to, cause } => Some(format!("{}: {}, trying {}", call.model(), short(cause), to.model)),
            Event::Malformed { message } => {
                call.malformed += 1;
                let line = || format!("{}: skipped a piece that could not be read: {message}", call.model());
                (call.malformed <= NAMED).then(line)
            }
            Event::Notice { message } => Some(message.clone()),
            Event::Done(_) => {
                let more = std::mem::take(&mut call.malformed).checked_sub(NAMED).filter(|more| *more > 0)?;
                let pieces = format::count(more, "more piece", "more pieces");
                Some(format!("{}: skipped {pieces} that could not be read", call.model()))
            }
            Event::Cached { .. }
            | Event::Connected { .. }
            | Event::Headers { .. }
            | Event::AttemptFailed { .. }
            | Event::Stream(_) => None,
        }
    }
}

/// The failure in a few words: `429 rate limited`.
pub(super) fn short(failure: &Failure) -> String {
    let words = match failure.kind {
        FailureKind::RateLimited => "rate limited",
        FailureKind::Unavailable if failure.status == Some(502) => "bad gateway",
        FailureKind::Unavailable => "overloaded",
        FailureKind::Timeout => "timed out",
        FailureKind::NotFound => "not found",
        FailureKind::Auth => "key refused",
        FailureKind::Credits => "no credit left",
        FailureKind::ContextLength => "prompt too long",
        _ => return with_status(failure),
    };
    failure.status.map_or_else(|| words.to_owned(), |status| format!("{status} {words}"))
}

/// The message, with the HTTP status where the message does not name it.
pub(super) fn with_status(failure: &Failure) -> String {
    match failure.status {
        Some(status) if !failure.message.contains(&status.to_string()) => format!("{status} {}", failure.message),
        _ => failure.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Target;
    use std::time::Duration;

    #[test]
    fn the_same_notice_is_said_three_times_then_counted_and_told_once() {
        let mut notices = Notices::default();
        let mut told = |call, event| notices.line(&RunEvent { call, at: Duration::ZERO, event });
        let malformed = |n: usize| Event::Malformed { message: format!("no JSON at byte {n}") };
        for call in 0..2 {
            told(call, Event::Attempt { target: Target { gateway: "g".into(), model: format!("m{call}") } });
        }
        let said: Vec<String> = (0..1_000).filter_map(|n| told(0, malformed(n))).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(said[2], "m0: skipped a piece that could not be read: no JSON at byte 2");
        assert!(told(1, malformed(0)).is_some(), "each call is counted by itself");
        assert_eq!(told(0, Event::Done(Ok(()))).as_deref(), Some("m0: skipped 997 more pieces that could not be read"));
        assert_eq!(told(1, Event::Done(Ok(()))), None);
    }
}
