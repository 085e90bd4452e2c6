//! What happens on the way to an answer, in one line each: retries, fallbacks, pieces that could not be read.

use crate::call::{Event, RunEvent, Target};
use crate::error::{Failure, FailureKind};

use super::format;

/// Follows the calls of a run and puts into words what a user should hear at once.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Where each call is now, by its place in the run.
    targets: Vec<Option<Target>>,
}

impl Notices {
    /// The line for this event, unescaped, if it deserves one. Costs next to nothing for a piece of an answer.
    pub(super) fn line(&mut self, event: &RunEvent) -> Option<String> {
        match &event.event {
            Event::Stream(_) => None,
            Event::Attempt { target } => {
                if self.targets.len() <= event.call {
                    self.targets.resize(event.call + 1, None);
                }
                self.targets[event.call] = Some(target.clone());
                None
            }
            Event::Retry { after, cause } => {
                let wait = format::duration(*after);
                Some(format!("{}: {}, trying again in {wait}", self.model(event.call), short(cause)))
            }
            Event::Adjusted { parameter, instead } => {
                let instead = instead.map(|instead| format!("with {instead} instead"));
                let how = instead.as_deref().unwrap_or("without it");
                Some(format!("{} refuses {parameter}: asking again {how}", self.model(event.call)))
            }
            Event::Hedge { slow, to } => Some(format!("{}: slow to begin, asking {} as well", slow.model, to.model)),
            Event::Fallback { to, cause } => {
                Some(format!("{}: {}, trying {}", self.model(event.call), short(cause), to.model))
            }
            Event::Malformed { message } => {
                Some(format!("{}: skipped a piece that could not be read: {message}", self.model(event.call)))
            }
            Event::Notice { message } => Some(message.clone()),
            Event::Cached { .. }
            | Event::Connected { .. }
            | Event::Headers { .. }
            | Event::AttemptFailed { .. }
            | Event::Done(_) => None,
        }
    }

    fn model(&self, call: usize) -> &str {
        self.targets.get(call).and_then(Option::as_ref).map_or("?", |target| &target.model)
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

/// The message, with the HTTP status where it does not name it itself.
pub(super) fn with_status(failure: &Failure) -> String {
    match failure.status {
        Some(status) if !failure.message.contains(&status.to_string()) => format!("{status} {}", failure.message),
        _ => failure.message.clone(),
    }
}
