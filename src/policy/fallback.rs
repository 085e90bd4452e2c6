//! The next choice when one fails.

use std::fmt;

use tokio::time::Instant;

use super::hedge;
use crate::call::Service;
use crate::call::{Call, Choice, Event, Events, Target};
use crate::deadline;
use crate::error::{Failure, FailureKind};

/// How many tokens a model takes, where that is known. Only asked when a prompt was too long for another.
pub type Windows = Box<dyn Fn(&Target) -> Option<u64> + Send + Sync>;

/// Tries a call's choices in order until one answers.
pub struct Fallback<S> {
    pub(super) inner: S,
    windows: Windows,
}

impl<S> fmt::Debug for Fallback<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").finish_non_exhaustive()
    }
}

impl<S> Fallback<S> {
    pub fn new(inner: S, windows: Windows) -> Self {
        Self { inner, windows }
    }

    /// What to try after this failure; drops from `left` what would be no better.
    pub(super) fn next<'a>(&self, failed: &Choice, failure: &Failure, left: &mut &'a [Choice]) -> Option<&'a Choice> {
        loop {
            let (next, rest) = left.split_first()?;
            *left = rest;
            if failure.kind != FailureKind::ContextLength || self.is_larger(&next.target, &failed.target) {
                return Some(next);
            }
        }
    }

    /// Whether a prompt that is too long for one model may fit the other: unless it is known not to.
    fn is_larger(&self, next: &Target, failed: &Target) -> bool {
        if next == failed {
            return false;
        }
        match ((self.windows)(next), (self.windows)(failed)) {
            (Some(next), Some(failed)) => next > failed,
            _ => true,
        }
    }
}

/// Whether another model may do better. What is the user's to mend (exit codes 2 to 5) is for the user to hear, and what
/// arrived stays: an answer that has begun is never replaced.
pub(super) fn falls_back(failure: &Failure, spoke: bool) -> bool {
    let begun = spoke || failure.kind == FailureKind::Truncated;
    !begun && failure.kind != FailureKind::Interrupted && !matches!(failure.exit_code(), 2..=5)
}

impl<S: Service> Service for Fallback<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        if call.choices.len() > 1 && call.choices.iter().any(|choice| choice.hedge.is_some()) {
            return hedge::race(self, call, events).await;
        }
        let deadline = deadline::after(call.limits.timeout);
        let mut left = &call.choices[1..];
        let mut choice = call.choice();
        loop {
            let narrowed = call.narrowed(choice, deadline.saturating_duration_since(Instant::now()));
            let failure = match self.inner.call(&narrowed, events).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let goes_on = falls_back(&failure, events.has_output());
            let Some(next) = goes_on.then(|| self.next(choice, &failure, &mut left)).flatten() else {
                return Err(failure);
            };
            choice = next;
            events.emit(Event::Fallback { to: choice.target.clone(), cause: failure }).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Canned, Reply, call, run};
    use super::*;

    fn fallback(inner: std::sync::Arc<Canned>, windows: &'static [(&str, u64)]) -> Fallback<std::sync::Arc<Canned>> {
        let known = |target: &Target| windows.iter().find(|(model, _)| *model == target.model).map(|(_, size)| *size);
        Fallback::new(inner, Box::new(known))
    }

    // H36, H37
    #[tokio::test(start_paused = true)]
    async fn the_next_choice_is_tried_when_one_fails_and_each_step_is_told() {
        let gateway = Canned::new([
            ("a", vec![Reply::status(500)]),
            ("b", vec![Reply::status(404)]),
            ("c", vec![Reply::answer()]),
        ]);
        let (result, events) = run(&fallback(gateway.clone(), &[]), &call(&["a", "b", "c"])).await;
        assert_eq!(result, Ok(()));
        assert_eq!(gateway.asked(), ["a", "b", "c"]);
        let told: Vec<(&str, Option<u16>)> = events
            .iter()
            .filter_map(|event| match &event.event {
                Event::Fallback { to, cause } => Some((&*to.model, cause.status)),
                _ => None,
            })
            .collect();
        assert_eq!(told, [("b", Some(500)), ("c", Some(404))]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_failure_of_the_last_choice_is_the_calls() {
        let gateway = Canned::new([("a", vec![Reply::status(500)]), ("b", vec![Reply::status(429)])]);
        let (result, _) = run(&fallback(gateway, &[]), &call(&["a", "b"])).await;
        assert_eq!(result.expect_err("all failed").exit_code(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_user_must_mend_is_not_papered_over() {
        for kind in [FailureKind::NoKey, FailureKind::Auth, FailureKind::Interrupted] {
            let gateway = Canned::new([("a", vec![Reply::kind(kind)])]);
            let (result, _) = run(&fallback(gateway.clone(), &[]), &call(&["a", "b"])).await;
            assert_eq!(result.expect_err("failed").kind, kind);
            assert_eq!(gateway.asked(), ["a"]);
        }
    }

    // H34
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_began_is_never_replaced() {
        for reply in [Reply::status(500).speaks(), Reply::kind(FailureKind::Truncated)] {
            let gateway = Canned::new([("a", vec![reply])]);
            let (result, _) = run(&fallback(gateway.clone(), &[]), &call(&["a", "b"])).await;
            assert!(result.is_err());
            assert_eq!(gateway.asked(), ["a"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_prompt_that_is_too_long_goes_to_a_larger_window_alone() {
        let long = || vec![Reply::kind(FailureKind::ContextLength)];
        let gateway =
            Canned::new([("a", long()), ("small", long()), ("large", vec![Reply::answer()]), ("unknown", long())]);
        let windows = &[("a", 8_000), ("small", 4_000), ("large", 128_000)];
        let (result, _) = run(&fallback(gateway.clone(), windows), &call(&["a", "small", "large"])).await;
        assert_eq!((result, gateway.asked()), (Ok(()), vec!["a".to_owned(), "large".to_owned()]));
        let (result, _) = run(&fallback(gateway.clone(), windows), &call(&["a", "small", "unknown"])).await;
        assert_eq!(result.expect_err("too long for both").kind, FailureKind::ContextLength);
        assert_eq!(gateway.asked()[2..], ["a", "unknown"], "what may be larger is tried");
    }
}
