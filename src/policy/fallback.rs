//! Asks the next model when a model fails, and leaves out models that are known not to do what a request needs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::hedge;
use crate::call::{Call, Choice, Event, Events, Service, Target};
use crate::chat::Request;
use crate::deadline;
use crate::error::{Failure, FailureKind, RefusedKey};

/// Returns the context window of a model in tokens, if it is known. It is called only when a prompt was too long for a model.
pub type Windows = Box<dyn Fn(&Target) -> Option<u64> + Send + Sync>;

/// Says what a model lacks of what a request needs, in words that follow its name; `None` where nothing is known to be
/// missing.
pub type Lacks = Box<dyn Fn(&Target, &Request) -> Option<String> + Send + Sync>;

/// Tries the choices of a call in order until one answers.
pub struct Fallback<S> {
    pub(super) inner: S,
    windows: Windows,
    lacks: Lacks,
}

impl<S> fmt::Debug for Fallback<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").finish_non_exhaustive()
    }
}

impl<S> Fallback<S> {
    pub fn new(inner: S, windows: Windows) -> Self {
        Self { inner, windows, lacks: Box::new(|_, _| None) }
    }

    /// Leaves out models that lack something, as far as others are left.
    pub fn avoiding(self, lacks: Lacks) -> Self {
        Self { lacks, ..self }
    }

    /// The call without the choices that lack what it needs, each of which is reported to the user. If all lack something,
    /// all are kept, since the request may be answered all the same.
    ///
    /// # Errors
    /// The run was stopped, so no event can be sent.
    async fn suited<'c>(&self, call: &'c Call, events: &Events) -> Result<Cow<'c, Call>, Failure> {
        let lacks: Vec<Option<String>> =
            call.choices.iter().map(|choice| (self.lacks)(&choice.target, &call.request)).collect();
        let Some(first) = lacks.iter().position(Option::is_none).filter(|_| lacks.iter().any(Option::is_some)) else {
            return Ok(Cow::Borrowed(call));
        };
        let name = |choice: &Choice| choice.target.name_among(call.told_apart());
        for (place, (choice, lack)) in call.choices.iter().zip(&lacks).enumerate() {
            let Some(lack) = lack else { continue };
            // Another call of the run may ask it all the same.
            let after = if place < first { String::new() } else { format!(" after {}", name(&call.choices[first])) };
            let message = format!("{} is not asked{after}: {lack}", name(choice));
            events.emit(Event::NotTried { message }).await?;
        }
        let suited = call.choices.iter().zip(&lacks).filter(|(_, lack)| lack.is_none());
        Ok(Cow::Owned(Call { choices: suited.map(|(choice, _)| choice.clone()).collect(), ..call.clone() }))
    }

    /// The sender for a choice, which says what the choice lacks when it is asked.
    pub(super) fn telling(&self, call: &Call, choice: &Choice, events: &Events) -> Events {
        let Some(lack) = (self.lacks)(&choice.target, &call.request) else { return events.clone() };
        let model = choice.target.name_among(call.told_apart());
        events.announcing(Event::Notice { message: format!("{model} is asked, although {lack}") })
    }

    /// Removes choices from `left` up to the next one that is to be tried after this failure, and returns that one. A choice
    /// that is skipped is reported to the user with the reason.
    ///
    /// # Errors
    /// The run was stopped, so no event can be sent.
    pub(super) async fn next<'a>(
        &self,
        failed: &Choice,
        failure: &Failure,
        left: &mut Left<'a>,
    ) -> Result<Option<&'a Choice>, Failure> {
        let events = left.events;
        let mut reason = reason_to_stop(failure, events.has_output());
        while let Some(next) = left.take() {
            if reason.is_none() && failure.kind == FailureKind::ContextLength {
                reason = self.is_no_larger(&next.target, &failed.target).then_some("it takes no longer prompts");
            }
            let Some(skip_reason) = reason else { return Ok(Some(next)) };
            if failure.kind != FailureKind::Interrupted {
                events.emit(Event::not_tried(left.call, &next.target, skip_reason)).await?;
            }
            reason = reason_to_stop(failure, events.has_output());
        }
        Ok(None)
    }

    /// Whether a prompt that is too long for one model is known to be too long for the other.
    fn is_no_larger(&self, next: &Target, failed: &Target) -> bool {
        if next == failed {
            return true;
        }
        match ((self.windows)(next), (self.windows)(failed)) {
            (Some(next), Some(failed)) => next <= failed,
            _ => false,
        }
    }
}

/// The choices of a call that have not been asked yet. If the call is dropped because its time is over, the user is told of them.
pub(super) struct Left<'a> {
    choices: &'a [Choice],
    call: &'a Call,
    /// When the time of the call is over.
    pub(super) deadline: Instant,
    events: &'a Events,
}

/// The time of the call began so long before this was noted, at most.
const BEGAN_BEFORE: Duration = Duration::from_millis(20);

impl<'a> Left<'a> {
    /// All choices of the call but the first.
    pub(super) fn new(call: &'a Call, events: &'a Events, deadline: Instant) -> Self {
        Self { choices: &call.choices[1..], call, deadline, events }
    }

    /// The next one, which is asked or skipped now.
    pub(super) fn take(&mut self) -> Option<&'a Choice> {
        let (next, rest) = self.choices.split_first()?;
        self.choices = rest;
        Some(next)
    }

    /// The call has an answer, so that none of them is needed.
    pub(super) fn drop_all(&mut self) {
        self.choices = &[];
    }
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if self.choices.is_empty() || Instant::now() + BEGAN_BEFORE < self.deadline {
            return;
        }
        let why = if self.events.has_output() { HAS_BEGUN } else { "the time limit of the call has passed" };
        let now = std::time::Instant::now();
        let told = self.choices.iter().map(|next| Event::not_tried(self.call, &next.target, why));
        self.events.keep_undelivered(told.map(|event| self.events.event(now, event)));
    }
}

/// Why no other model is asked where a part of an answer has come.
const HAS_BEGUN: &str = "an answer that has begun is not replaced";

/// The same where a key is wrong or missing.
const WRONG_KEY: &str = "the key of the model before it has to be corrected first";

/// The reason why no other model is asked after this failure; `None` where another model may answer. An answer that has begun
/// is never replaced. A mistake that the user can correct is reported, and not hidden by another model's answer.
pub(super) fn reason_to_stop(failure: &Failure, has_output: bool) -> Option<&'static str> {
    if has_output {
        return Some(HAS_BEGUN);
    }
    match failure.kind {
        FailureKind::Truncated => Some(HAS_BEGUN),
        FailureKind::NoKey => Some(WRONG_KEY),
        FailureKind::Auth => Some(match failure.refused_key {
            RefusedKey::Sent => WRONG_KEY,
            RefusedKey::Missing => "the gateway of the model before it wants a key first",
            RefusedKey::OfUpstream => {
                "whoever runs the gateway of the model before it has to correct that gateway's own key"
            }
        }),
        FailureKind::Refused => Some("a limit of yours refused the call"),
        FailureKind::Interrupted | FailureKind::Skipped => Some("the call was stopped"),
        FailureKind::Credits
        | FailureKind::NotFound
        | FailureKind::InvalidRequest
        | FailureKind::ContextLength
        | FailureKind::ContentFilter
        | FailureKind::RateLimited
        | FailureKind::Unavailable
        | FailureKind::ServerError
        | FailureKind::Timeout
        | FailureKind::Network
        | FailureKind::Protocol
        | FailureKind::Schema => None,
    }
}

/// The failure of this choice. Where its request was never sent, the record names a model before it, so the message names its own.
pub(super) fn named(failure: Failure, choice: &Choice, call: &Call) -> Failure {
    let is_sent = !matches!(failure.kind, FailureKind::NoKey | FailureKind::Refused);
    if is_sent || choice.target == *call.target() {
        return failure;
    }
    let name = choice.target.name_among(call.told_apart());
    Failure { message: format!("{name}: {}", failure.message), ..failure }
}

impl<S: Service> Service for Fallback<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let deadline = deadline::after(call.limits.timeout);
        let call = &*self.suited(call, events).await?;
        let twice: BTreeSet<&str> =
            call.targets().filter(|target| target.is_twice(call.told_apart())).map(|target| &*target.model).collect();
        for model in twice {
            events.emit(Event::SeveralGateways { model: model.to_owned() }).await?;
        }
        if call.choices.len() > 1 && call.choices.iter().any(|choice| choice.hedge.is_some()) {
            // In a box, so that calls that do not race have no room for it.
            return Box::pin(hedge::race(self, call, events, deadline)).await;
        }
        let mut left = Left::new(call, events, deadline);
        let mut choice = call.choice();
        loop {
            let narrowed = call.narrowed(choice, left.deadline.saturating_duration_since(Instant::now()));
            let failure = match self.inner.call(&narrowed, &self.telling(call, choice, events)).await {
                Ok(()) => {
                    left.drop_all();
                    return Ok(());
                }
                Err(failure) => failure,
            };
            let Some(next) = self.next(choice, &failure, &mut left).await? else {
                return Err(named(failure, choice, call));
            };
            let (from, to) = (choice.target.clone(), next.target.clone());
            choice = next;
            events.emit(Event::Fallback { from, to, cause: failure }).await?;
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

    #[tokio::test(start_paused = true)]
    async fn a_model_that_lacks_what_is_needed_is_left_out_if_another_is_there() {
        let gateway = Canned::new([("a", vec![Reply::answer()]), ("b", vec![Reply::answer()])]);
        let blind = |target: &Target, _: &Request| (target.model == "a").then(|| "it sees no images".to_owned());
        let fallback = fallback(gateway.clone(), &[]).avoiding(Box::new(blind));
        let notices = |events: &[crate::call::RunEvent]| {
            let notice = |event: &crate::call::RunEvent| event.event.message().map(str::to_owned);
            events.iter().filter_map(notice).collect::<Vec<_>>()
        };
        let (result, events) = run(&fallback, &call(&["a", "b"])).await;
        assert_eq!((result, gateway.asked()), (Ok(()), vec!["b".to_owned()]));
        assert_eq!(notices(&events), ["a is not asked: it sees no images"]);
        let (result, events) = run(&fallback, &call(&["a"])).await;
        assert_eq!((result, gateway.asked()), (Ok(()), vec!["b".to_owned(), "a".to_owned()]));
        assert_eq!(notices(&events), ["a is asked, although it sees no images"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_of_models_that_lack_something_is_true_whoever_answers() {
        let told = async |replies: [Reply; 3], models: &[&str], hedge: Option<u64>| {
            let [a, b, c] = replies;
            let gateway = Canned::new([("a", vec![a]), ("b", vec![b]), ("good", vec![c])]);
            let blind = |target: &Target, _: &Request| (target.model != "good").then(|| "it is blind".to_owned());
            let fallback = fallback(gateway.clone(), &[]).avoiding(Box::new(blind));
            let mut call = call(models);
            call.choices.iter_mut().for_each(|choice| choice.hedge = hedge.map(Duration::from_millis));
            let (_, events) = run(&fallback, &call).await;
            let told: Vec<String> =
                events.iter().filter_map(|event| event.event.message()).map(str::to_owned).collect();
            let asked: Vec<String> =
                gateway.asked().iter().map(|model| format!("{model} is asked, although it is blind")).collect();
            (told, asked)
        };
        let (good, bad) = (Reply::answer, || Reply::status(500));
        for hedge in [None, Some(50)] {
            let (said, asked) = told([good(), good(), good()], &["a", "b"], hedge).await;
            assert_eq!((&said, said.len()), (&asked, 1), "b is never asked");
            let (said, asked) = told([bad(), good(), good()], &["a", "b"], hedge).await;
            assert_eq!((&said, said.len()), (&asked, 2));
            let (said, _) = told([bad(), good(), bad()], &["a", "good", "b"], hedge).await;
            assert_eq!(said, ["a is not asked: it is blind", "b is not asked after good: it is blind"]);
        }
        let (said, asked) = told([good().after(60), good().after(60), good()], &["a", "b"], Some(50)).await;
        assert_eq!((said.len(), asked.len()), (2, 2), "{said:?}");
    }

    /// Sends nothing, as where the answer is known already.
    struct Silent;

    impl Service for Silent {
        async fn call(&self, _: &Call, _: &Events) -> Result<(), Failure> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_said_of_a_model_that_need_not_be_asked() {
        let fallback = Fallback::new(Silent, Box::new(|_| None)).avoiding(Box::new(|_, _| Some("it is blind".into())));
        let (result, events) = run(&fallback, &call(&["a", "b"])).await;
        assert!(result.is_ok() && events.is_empty(), "{events:?}");
    }

    // H36, H37
    #[tokio::test(start_paused = true)]
    async fn the_next_choice_is_tried_when_one_fails_and_each_step_is_reported() {
        let gateway = Canned::new([
            ("a", vec![Reply::status(500)]),
            ("b", vec![Reply::status(404)]),
            ("c", vec![Reply::answer()]),
        ]);
        let (result, events) = run(&fallback(gateway.clone(), &[]), &call(&["a", "b", "c"])).await;
        assert_eq!(result, Ok(()));
        assert_eq!(gateway.asked(), ["a", "b", "c"]);
        let reported: Vec<(&str, Option<u16>)> = events
            .iter()
            .filter_map(|event| match &event.event {
                Event::Fallback { to, cause, .. } => Some((&*to.model, cause.status)),
                _ => None,
            })
            .collect();
        assert_eq!(reported, [("b", Some(500)), ("c", Some(404))]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_failure_of_the_last_choice_is_the_calls() {
        let gateway = Canned::new([("a", vec![Reply::status(500)]), ("b", vec![Reply::status(429)])]);
        let (result, _) = run(&fallback(gateway, &[]), &call(&["a", "b"])).await;
        assert_eq!(result.expect_err("all failed").exit_code(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_the_user_must_correct_is_not_hidden_by_another_model() {
        for kind in [FailureKind::NoKey, FailureKind::Auth, FailureKind::Interrupted] {
            let gateway = Canned::new([("a", vec![Reply::kind(kind)])]);
            let (result, _) = run(&fallback(gateway.clone(), &[]), &call(&["a", "b"])).await;
            assert_eq!(result.expect_err("failed").kind, kind);
            assert_eq!(gateway.asked(), ["a"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_that_is_not_tried_is_named_with_the_reason() {
        let kinds = [FailureKind::NoKey, FailureKind::Refused, FailureKind::Truncated, FailureKind::ContextLength];
        for (kind, why) in kinds.into_iter().zip(["corrected first", "refused the call", "has begun", "longer prompts"])
        {
            let gateway = Canned::new([("a", vec![Reply::kind(kind)])]);
            let windows = &[("a", 8_000), ("b", 8_000), ("c", 4_000)];
            let (_, events) = run(&fallback(gateway.clone(), windows), &call(&["a", "b", "c"])).await;
            let notices = events.iter().filter_map(|event| event.event.message());
            let notices: Vec<_> = notices.collect();
            assert!(notices.len() == 2 && notices[0].starts_with("b is not tried: "), "{notices:?}");
            assert!(notices[0].contains(why), "{notices:?}");
            assert_eq!(gateway.asked(), ["a"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_of_what_was_never_sent_names_its_model() {
        for (kind, message) in [(FailureKind::NoKey, "b: "), (FailureKind::NotFound, "")] {
            let gateway = Canned::new([("a", vec![Reply::status(503)]), ("b", vec![Reply::kind(kind)])]);
            let failure = run(&fallback(gateway, &[]), &call(&["a", "b"])).await.0.expect_err("no answer");
            assert_eq!(failure.message.starts_with("b: "), !message.is_empty(), "{failure}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_for_which_several_gateways_may_be_asked_is_told_first() {
        let gateway = Canned::new([("a", vec![Reply::status(503), Reply::answer()])]);
        let mut call = call(&["a", "a", "b"]);
        call.choices[1].target.gateway = "h".into();
        let (_, events) = run(&fallback(gateway, &[]), &call).await;
        let told: Vec<_> = events
            .iter()
            .map(|event| &event.event)
            .take_while(|event| !matches!(event, Event::Attempt { .. }))
            .collect();
        assert!(matches!(told[..], [Event::SeveralGateways { model }] if model == "a"), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_that_another_gateway_has_beside_the_call_is_told_and_named_with_its_gateway() {
        let gateway = Canned::new([("a", vec![Reply::status(503)]), ("b", vec![Reply::kind(FailureKind::NoKey)])]);
        let other = |model: &str| Target { gateway: "h".into(), model: model.into() };
        let call = Call { beside: [other("b"), other("c")].into(), ..call(&["a", "b", "c"]) };
        let (result, events) = run(&fallback(gateway, &[]), &call).await;
        assert!(result.as_ref().is_err_and(|failure| failure.message.starts_with("g::b: ")), "{result:?}");
        let told = events.iter().filter_map(|event| match &event.event {
            Event::SeveralGateways { model } => Some(model.as_str()),
            event => event.message(),
        });
        let told: Vec<&str> = told.collect();
        assert_eq!(told[..2], ["b", "c"], "{told:?}");
        assert!(told[2].starts_with("g::c is not tried: "), "{told:?}");
    }

    // H34
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_began_is_never_replaced() {
        for reply in [Reply::status(500).begins(), Reply::kind(FailureKind::Truncated)] {
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
