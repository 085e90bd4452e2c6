//! What happens on the way to an answer, in one line each: retries, fallbacks, pieces that could not be read.

use std::collections::BTreeSet;

use super::format;
use crate::call::{Event, RunEvent, Target};
use crate::error::{Failure, FailureKind};

/// So many pieces of one answer that could not be read are each named in a line. The others are counted.
const NAMED: u64 = 3;

/// The names of models in messages, as the events of a run tell: with the gateway where several may be asked for a model.
#[derive(Debug, Default)]
pub struct Names {
    /// The models that several gateways may be asked for.
    several: BTreeSet<String>,
}

impl Names {
    /// Takes in an event.
    pub fn take(&mut self, event: &Event) {
        if let Event::SeveralGateways { model } = event {
            self.several.insert(model.clone());
        }
    }

    /// The unescaped line for a step to another request or to another model; `None` for every other event.
    pub fn step(&self, event: &Event) -> Option<String> {
        match event {
            Event::Adjusted { target, parameter, instead } => {
                let instead = instead.map(|instead| format!("with {instead} instead"));
                let how = instead.as_deref().unwrap_or("without it");
                Some(format!("{} refuses {parameter}: asking again {how}", self.of(target)))
            }
            Event::Hedge { slow: Some(slow), to } => {
                Some(format!("{}: slow to begin, asking {} as well", self.of(slow), self.of(to)))
            }
            Event::Hedge { slow: None, to } => Some(format!("asking {} as well", self.of(to))),
            Event::Fallback { from, to, cause } => {
                Some(format!("{}: {}, trying {}", self.of(from), short(cause), self.of(to)))
            }
            _ => None,
        }
    }

    /// The name of this model.
    pub(super) fn of(&self, target: &Target) -> String {
        if self.several.contains(&target.model) { target.to_string() } else { target.model.clone() }
    }
}

/// Follows the calls of a run and puts into words what a user is told at once.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// By the call's index in the run.
    calls: Vec<Call>,
    names: Names,
}

#[derive(Debug, Default)]
struct Call {
    /// The target that is asked now; `None` before the first request.
    target: Option<Target>,
    /// How many pieces of its answers could not be read.
    malformed: u64,
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
        match &event.event {
            Event::Attempt { target } => {
                self.calls[event.call].target = Some(target.clone());
                None
            }
            Event::SeveralGateways { .. } => {
                self.names.take(&event.event);
                None
            }
            Event::Retry { after, cause } => {
                let wait = format::duration(*after);
                Some(format!("{}: {}, trying again in {wait}", self.asked(event.call), short(cause)))
            }
            step @ (Event::Adjusted { .. } | Event::Hedge { .. } | Event::Fallback { .. }) => self.names.step(step),
            Event::Malformed { message } => {
                let malformed = &mut self.calls[event.call].malformed;
                *malformed += 1;
                let is_named = *malformed <= NAMED;
                let line = || format!("{}: skipped a piece that could not be read: {message}", self.asked(event.call));
                is_named.then(line)
            }
            Event::Notice { message } | Event::NotTried { message } => Some(message.clone()),
            Event::Done(_) => {
                let malformed = std::mem::take(&mut self.calls[event.call].malformed);
                let more = malformed.checked_sub(NAMED).filter(|more| *more > 0)?;
                let pieces = format::count(more, "more piece", "more pieces");
                Some(format!("{}: skipped {pieces} that could not be read", self.asked(event.call)))
            }
            Event::Bytes { .. }
            | Event::Cached { .. }
            | Event::Connected { .. }
            | Event::Headers { .. }
            | Event::AttemptFailed { .. }
            | Event::Stream(_) => None,
        }
    }

    /// The names of models as they are told.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// The name of the target that a call asks now.
    fn asked(&self, call: usize) -> String {
        self.calls[call].target.as_ref().map_or_else(|| "?".to_owned(), |target| self.names.of(target))
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
        FailureKind::Auth => "access refused",
        FailureKind::Credits => "no credit left",
        FailureKind::ContextLength => "prompt too long",
        _ => return with_status(failure),
    };
    failure.status.map_or_else(|| words.to_owned(), |status| format!("{status} {words}"))
}

/// The message, with the HTTP status where the message does not name it.
pub fn with_status(failure: &Failure) -> String {
    match failure.status {
        Some(status) if !failure.message.contains(&status.to_string()) => format!("{status} {}", failure.message),
        _ => failure.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_gateway_is_named_where_several_may_be_asked_for_the_model() {
        let mut notices = Notices::default();
        let mut told = |call, event| notices.line(&RunEvent { call, at: Duration::ZERO, event });
        let target = |gateway: &str, model: &str| Target { gateway: gateway.into(), model: model.into() };
        let cause = || Failure::new(FailureKind::RateLimited, "slow down").with_status(429);
        let retry = || Event::Retry { after: Duration::from_secs(1), cause: cause() };
        told(0, Event::Attempt { target: target("one", "m") });
        assert_eq!(told(0, retry()).as_deref(), Some("m: 429 rate limited, trying again in 1.0 s"));
        assert_eq!(told(7, Event::SeveralGateways { model: "m".into() }), None);
        let fallback = told(0, Event::Fallback { from: target("one", "m"), to: target("two", "m"), cause: cause() });
        assert_eq!(fallback.as_deref(), Some("one::m: 429 rate limited, trying two::m"));
        let hedge = told(0, Event::Hedge { slow: Some(target("one", "m")), to: target("two", "m") });
        assert_eq!(hedge.as_deref(), Some("one::m: slow to begin, asking two::m as well"));
        let late = told(0, Event::Hedge { slow: None, to: target("two", "m") });
        assert_eq!(late.as_deref(), Some("asking two::m as well"));
        assert_eq!(told(0, retry()).as_deref(), Some("one::m: 429 rate limited, trying again in 1.0 s"));
        let other = told(0, Event::Fallback { from: target("one", "m"), to: target("two", "n"), cause: cause() });
        assert_eq!(other.as_deref(), Some("one::m: 429 rate limited, trying n"));
    }

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
