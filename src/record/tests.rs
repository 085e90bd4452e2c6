//! Records from events made by hand.

use std::sync::Arc;

use super::*;
use crate::call::{Call, Event, Meta, RunEvent, Target};
use crate::chat::{Request, StreamEvent};
use crate::error::FailureKind;

/// The record of a call with these events, each at so many milliseconds.
fn fold(events: impl IntoIterator<Item = (u64, Event)>) -> Record {
    let target = Target { gateway: "g".into(), model: "m".into() };
    fold_all(std::iter::once((0, Event::Attempt { target })).chain(events))
}

/// The same, but the first request is among the events.
fn fold_all(events: impl IntoIterator<Item = (u64, Event)>) -> Record {
    let target = Target { gateway: "g".into(), model: "m".into() };
    let call = Call { id: "id".into(), ..Call::new(0, "m", vec![target.into()], Arc::new(Request::default())) };
    let mut recorder = Recorder::new("run", &call, Duration::ZERO);
    for (at, event) in events {
        recorder.event(&RunEvent { call: 0, at: Duration::from_millis(at), event });
    }
    recorder.finish(Duration::from_secs(99))
}

fn text() -> Event {
    Event::Stream(StreamEvent::TextDelta("Hi".into()))
}

fn finish(reason: FinishReason) -> Event {
    Event::Stream(StreamEvent::Finish(reason))
}

fn usage(output: u64) -> Event {
    Event::Stream(StreamEvent::Usage(Usage { output: Some(output), ..Usage::default() }))
}

const fn ms(ms: u64) -> Option<Duration> {
    Some(Duration::from_millis(ms))
}

#[test]
fn an_answer_ends_with_its_own_last_event_whether_it_is_complete_or_cut() {
    let record = fold([(100, text()), (200, finish(FinishReason::Stop)), (210, usage(12)), (900, Event::Done(Ok(())))]);
    assert_eq!((record.status, record.timing.total), (Status::Ok, ms(210)));
    assert_eq!(record.attempts[0].duration, Duration::from_millis(210));

    let cut = Failure::new(FailureKind::Truncated, "cut at the token limit");
    let record = fold([
        (100, text()),
        (200, finish(FinishReason::Length)),
        (210, usage(12)),
        (900, Event::AttemptFailed { failure: cut.clone() }),
        (901, Event::Done(Err(cut))),
    ]);
    assert_eq!((record.status, record.timing.total), (Status::Truncated, ms(210)));
    assert_eq!(record.attempts[0].duration, Duration::from_millis(210));
    assert_eq!(record.timing.tokens_per_second, Some(100.0));
}

#[test]
fn an_answer_that_broke_off_ends_when_it_was_given_up() {
    let late = Failure::new(FailureKind::Truncated, "nothing more came");
    let record =
        fold([(100, text()), (900, Event::AttemptFailed { failure: late.clone() }), (901, Event::Done(Err(late)))]);
    assert_eq!((record.status, record.timing.total), (Status::Truncated, ms(901)));
    assert_eq!(record.attempts[0].duration, Duration::from_millis(900));
}

#[test]
fn an_answer_that_broke_off_or_told_no_usage_may_be_billed_and_one_that_was_cut_with_its_usage_is_told() {
    let billed = |heard: Vec<(u64, Event)>| {
        let failure = Failure::new(FailureKind::Truncated, "over");
        let end = [(900, Event::AttemptFailed { failure: failure.clone() }), (901, Event::Done(Err(failure)))];
        fold(heard.into_iter().chain(end)).maybe_billed()
    };
    assert_eq!(billed(vec![]), 0, "no model has worked for it");
    assert_eq!(billed(vec![(10, usage(1))]), 1);
    assert_eq!(billed(vec![(10, usage(1)), (100, text())]), 1, "more was said than was told");
    assert_eq!(billed(vec![(100, text()), (200, finish(FinishReason::Length))]), 1, "nothing was told");
    assert_eq!(billed(vec![(100, text()), (200, finish(FinishReason::Length)), (210, usage(12))]), 0);
}

#[test]
fn times_count_from_the_ready_connection() {
    let record = fold([
        (40, Event::Connected { took: Duration::from_millis(40) }),
        (90, Event::Stream(StreamEvent::ReasoningDelta("hm".into()))),
        (140, text()),
        (240, finish(FinishReason::Stop)),
        (240, Event::Done(Ok(()))),
    ]);
    let timing = record.timing;
    assert_eq!((timing.connect, timing.first_reasoning), (ms(40), ms(50)));
    assert_eq!((timing.first_token, timing.total), (ms(100), ms(200)));
}

// H43
#[test]
fn times_of_a_race_count_from_its_first_request_whichever_is_told_first() {
    let attempt = |model: &str| Event::Attempt { target: Target { gateway: "g".into(), model: model.into() } };
    let connected = |took| Event::Connected { took: Duration::from_millis(took) };
    let lost = || Event::AttemptFailed { failure: Failure::new(FailureKind::Interrupted, "lost").maybe_billed() };
    let winner = [(1_040, text()), (1_240, finish(FinishReason::Stop)), (1_240, Event::Done(Ok(())))];
    // The one that is told first, the other, when each starts and how long it takes to connect.
    for [(start, connect), (other, other_connect)] in [[(800, 20), (0, 40)], [(10, 20), (0, 40)], [(0, 40), (800, 20)]]
    {
        let told = [
            (start, attempt("loser")),
            (start + connect, connected(connect)),
            (1_045, lost()),
            (other, attempt("winner")),
            (other + other_connect, connected(other_connect)),
        ];
        let record = fold_all(told.into_iter().chain(winner.clone()));
        let timing = record.timing;
        assert_eq!((timing.connect, timing.first_token, timing.total), (ms(40), ms(1_000), ms(1_200)), "{start}");
    }
}

#[test]
fn what_a_failed_try_left_behind_is_not_part_of_the_answer() {
    let down = Failure::new(FailureKind::Unavailable, "down").with_status(503);
    let again = Event::Attempt { target: Target { gateway: "g".into(), model: "other".into() } };
    let record = fold([
        (10, usage(3)),
        (20, Event::AttemptFailed { failure: down }),
        (30, again),
        (50, text()),
        (60, finish(FinishReason::Stop)),
        (60, Event::Done(Ok(()))),
    ]);
    assert_eq!((record.usage.output, record.text.as_str()), (None, "Hi"));
    assert_eq!(record.answered_by.as_deref(), Some("other"));
    let kinds: Vec<_> = record.attempts.iter().map(|attempt| attempt.error.as_ref().map(|e| e.kind)).collect();
    assert_eq!(kinds, [Some(FailureKind::Unavailable), None]);
}

#[test]
fn what_a_header_tells_of_the_cost_of_a_failed_try_is_kept() {
    let headers = |cost: Option<&str>| {
        let meta = Meta { cost: cost.map(|cost| cost.parse().expect("dollars")), ..Meta::default() };
        Event::Headers { status: 200, meta }
    };
    let failed = || Event::AttemptFailed { failure: Failure::new(FailureKind::Unavailable, "overloaded") };
    let again = || Event::Attempt { target: Target { gateway: "g".into(), model: "m".into() } };
    let record = fold([
        (10, headers(Some("0.001"))),
        (20, failed()),
        (30, again()),
        (40, headers(None)),
        (50, failed()),
        (60, again()),
        (70, text()),
        (80, finish(FinishReason::Stop)),
        (80, Event::Done(Ok(()))),
    ]);
    let costs: Vec<_> = record.attempts.iter().map(|attempt| attempt.cost.map(|cost| cost.to_string())).collect();
    assert_eq!(costs.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false], "{costs:?}");
    assert_eq!(record.attempts[0].cost, Some("0.001".parse().expect("dollars")));
}

// H41
#[test]
fn times_that_go_backwards_are_never_negative() {
    // No clock of ours does; a suspended machine may make one seem to.
    let record = fold([
        (500, Event::Connected { took: Duration::from_millis(900) }),
        (90, text()),
        (40, finish(FinishReason::Stop)),
        (10, Event::Done(Ok(()))),
    ]);
    let timing = record.timing;
    assert_eq!((timing.first_token, timing.total, timing.tokens_per_second), (ms(0), ms(0), None));
    assert_eq!((record.attempts[0].start, record.attempts[0].duration), (Duration::ZERO, ms(40).unwrap_or_default()));
}

#[test]
fn a_call_that_has_not_ended_was_interrupted() {
    let record = fold([(100, text())]);
    assert_eq!((record.status, record.timing.total), (Status::Interrupted, ms(99_000)));
    assert_eq!(record.text, "Hi");
}
