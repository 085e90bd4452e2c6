//! Hedged requests under a paused clock.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::chat::StreamEvent;
use crate::policy::testing::{Canned, Reply, call, record, run, run_for};
use crate::record::Status;

/// A call to these models, each hedged after 800 ms.
fn quick(models: &[&str]) -> Call {
    let mut call = call(models);
    call.choices.iter_mut().for_each(|choice| choice.hedge = Some(Duration::from_millis(800)));
    call
}

fn fallback(gateway: &Arc<Canned>) -> Fallback<Arc<Canned>> {
    Fallback::new(gateway.clone(), Box::new(|_| None))
}

async fn hedged(gateway: &Arc<Canned>, models: &[&str]) -> (Result<(), Failure>, Vec<RunEvent>, Call) {
    let call = quick(models);
    let (result, events) = run(&fallback(gateway), &call).await;
    (result, events, call)
}

fn text(events: &[RunEvent]) -> String {
    let text = events.iter().filter_map(|event| match &event.event {
        Event::Stream(StreamEvent::TextDelta(text)) => Some(text.as_str()),
        _ => None,
    });
    text.collect()
}

#[tokio::test(start_paused = true)]
async fn a_model_that_begins_in_time_runs_alone() {
    let gateway = Canned::new([("a", vec![Reply::answer().after(500).lasts(5_000)])]);
    let (result, events, _) = hedged(&gateway, &["a", "b"]).await;
    assert_eq!((result, text(&events)), (Ok(()), "a".to_owned()));
    assert_eq!(gateway.asked(), ["a"]);
}

// H43
#[tokio::test(start_paused = true)]
async fn the_first_to_begin_is_shown_the_other_is_stopped_and_both_are_recorded() {
    let answer = |after| vec![Reply::answer().after(after).lasts(2_000)];
    for (a, b, winner, loser, winner_began) in [(10_000, 300, "b", "a", 1_100), (1_000, 10_000, "a", "b", 1_000)] {
        let gateway = Canned::new([("a", answer(a)), ("b", answer(b))]);
        let began = Instant::now();
        let (result, events, call) = hedged(&gateway, &["a", "b"]).await;
        assert_eq!((result.clone(), text(&events)), (Ok(()), winner.to_owned()));
        let stopped = gateway.ended(loser).expect("dropped") - began;
        assert!(
            stopped <= Duration::from_millis(winner_began + 50),
            "{stopped:?}, but the other began at {winner_began} ms"
        );
        assert_eq!((gateway.most_at_once(), gateway.running()), (2, 0));
        let record = record(&call, &events, Some(result));
        assert_eq!((record.text.as_str(), record.attempts.len()), (winner, 2));
        let lost: Vec<_> = record.attempts.iter().filter(|attempt| attempt.maybe_billed()).collect();
        assert!(lost.len() == 1 && lost[0].model == loser, "{:?}", record.attempts);
    }
}

// H43
#[tokio::test(start_paused = true)]
async fn a_hedged_call_that_is_stopped_records_every_request() {
    let slow = || vec![Reply::status(503).after(100), Reply::answer().after(60_000)];
    let cases = [(700, vec!["a"], 1), (1_500, vec!["a", "b", "b"], 2), (9_000, vec!["a", "b", "b", "c", "c"], 3)];
    for (ms, asked, under_way) in cases {
        let never = vec![Reply::answer().after(u64::MAX / 2)];
        let gateway = Canned::new([("a", never), ("b", slow()), ("c", slow())]);
        let call = quick(&["a", "b", "c"]);
        let service = Fallback::new(crate::policy::Retry::new(gateway.clone()), Box::new(|_| None));
        let (result, events) = run_for(&service, &call, Duration::from_millis(ms)).await;
        assert_eq!((result, gateway.running()), (None, 0));
        let record = record(&call, &events, None);
        let mut recorded: Vec<_> = record.attempts.iter().map(|attempt| attempt.model.as_str()).collect();
        recorded.sort_unstable();
        assert_eq!((recorded, record.status), (asked, Status::Interrupted), "after {ms} ms");
        assert!(record.attempts.iter().all(|attempt| attempt.error.is_some()), "{:?}", record.attempts);
        // These are the requests that were running; requests that had been refused are not among them.
        assert_eq!(record.maybe_billed(), under_way);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_next_choice_that_is_not_running_is_asked_at_once() {
    let gateway = Canned::new([
        ("a", vec![Reply::status(500).after(900)]),
        ("b", vec![Reply::status(503).after(900)]),
        ("c", vec![Reply::answer().after(100)]),
    ]);
    let (result, events, _) = hedged(&gateway, &["a", "b", "c"]).await;
    assert_eq!((result, text(&events)), (Ok(()), "c".to_owned()));
    assert_eq!(gateway.asked(), ["a", "b", "c"]);
    let hedges = events.iter().filter(|event| matches!(event.event, Event::Hedge { .. })).count();
    let fallbacks = events.iter().filter(|event| matches!(event.event, Event::Fallback { .. })).count();
    assert_eq!((hedges, fallbacks), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_may_not_be_asked_stops_no_other_and_is_reported_if_none_answers() {
    use FailureKind::{Auth, NoKey, Refused, Truncated};
    for kind in [NoKey, Auth, Refused, Truncated] {
        let gateway = |a| Canned::new([("a", vec![a]), ("b", vec![Reply::kind(kind).after(10)])]);
        let works = gateway(Reply::answer().after(2_000));
        let (result, events, call) = hedged(&works, &["a", "b"]).await;
        assert_eq!((result.clone(), text(&events)), (Ok(()), "a".to_owned()), "{kind:?}");
        let attempts = record(&call, &events, Some(result)).attempts;
        assert!(attempts.iter().any(|attempt| attempt.error.as_ref().is_some_and(|error| error.kind == kind)));

        let fails = gateway(Reply::status(500).after(2_000));
        let (result, _, _) = hedged(&fails, &["a", "b"]).await;
        assert_eq!(result.expect_err("none answered").kind, kind);
    }
    // If it is the only or the last one, its failure ends the call.
    let alone = Canned::new([("a", vec![Reply::kind(NoKey)])]);
    assert_eq!(hedged(&alone, &["a", "b"]).await.0.expect_err("no key").kind, NoKey);
}

/// Refuses these models before any request.
struct Refusing(Arc<Canned>, &'static [&'static str]);

impl Service for Refusing {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        match self.1.contains(&&*call.target().model) {
            true => Err(Failure::new(FailureKind::Refused, "it may not be used")),
            false => self.0.call(call, events).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_is_announced_when_its_request_is_sent_and_otherwise_is_said_not_to_be_tried() {
    let gateway = Canned::new([("a", vec![Reply::answer().after(2_000)]), ("b", vec![Reply::status(500).after(5)])]);
    let said = async |refused| {
        let service = Fallback::new(Refusing(gateway.clone(), refused), Box::new(|_| None));
        let (result, events) = run(&service, &quick(&["a", "b"])).await;
        assert_eq!((result, text(&events)), (Ok(()), "a".to_owned()));
        let said = events.iter().filter_map(|event| match &event.event {
            Event::Hedge { to, .. } => Some(format!("asking {}", to.model)),
            other => other.message().map(str::to_owned),
        });
        said.collect::<Vec<_>>()
    };
    assert_eq!(said(&[]).await, ["asking b"]);
    assert_eq!(said(&["b"]).await, ["b is not tried: it may not be used"]);
}

/// What the user is told of models that are asked, in order.
fn told(events: &[RunEvent]) -> Vec<String> {
    let told = events.iter().filter_map(|event| match &event.event {
        Event::Hedge { slow, to } => Some(match slow {
            Some(slow) => format!("{} is slow, asking {}", slow.model, to.model),
            None => format!("asking {}", to.model),
        }),
        Event::Fallback { from, to, .. } => Some(format!("{} failed, asking {}", from.model, to.model)),
        other => other.message().map(str::to_owned),
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn a_model_whose_key_is_refused_is_told_once_another_one_answers() {
    let refused = || vec![Reply::status(401)];
    let gateway = Canned::new([("a", vec![Reply::answer().after(2_000)]), ("b", refused())]);
    let (result, events, _) = hedged(&gateway, &["a", "b"]).await;
    assert_eq!(result, Ok(()));
    let said = told(&events);
    assert!(
        matches!(&said[..], [asked, refused] if asked.ends_with("asking b") && refused.starts_with("b: ")),
        "{said:?}"
    );
    // It is the error of the call if none answers.
    let gateway = Canned::new([("a", vec![Reply::status(500).after(2_000)]), ("b", refused())]);
    let (result, events, _) = hedged(&gateway, &["a", "b"]).await;
    assert_eq!(result.expect_err("none answers").kind, FailureKind::Auth);
    assert_eq!(told(&events).len(), 1, "{:?}", told(&events));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_not_tried_is_named_with_its_gateway_and_told_once() {
    let other = |model: &str| crate::call::Target { gateway: "h".into(), model: model.into() };
    let call = Call { beside: [other("b")].into(), ..quick(&["a", "b"]) };
    let calls = async |a: Reply, limit| {
        let gateway = Canned::new([("a", vec![a.after(2_000)])]);
        let service = Fallback::new(Refusing(gateway, &["b"]), Box::new(|_| None));
        let (result, events) = run_for(&service, &call, limit).await;
        (result, told(&events))
    };
    let told = ["g::b is not tried: it may not be used"];
    let (answered, said) = calls(Reply::answer(), Duration::MAX).await;
    assert_eq!((answered, &*said), (Some(Ok(())), &told.map(str::to_owned)[..]));
    // If none answers, it is the error of the call.
    let (failed, said) = calls(Reply::status(500), Duration::MAX).await;
    let failed = failed.expect("it ended").expect_err("none answered");
    assert_eq!((&*failed.message, failed.kind), ("g::b: it may not be used", FailureKind::Refused));
    assert!(said.is_empty(), "{said:?}");
    // A failure that has to be corrected as well, or the end of the time.
    let (failed, said) = calls(Reply::kind(FailureKind::Truncated), Duration::MAX).await;
    assert_eq!(
        (failed.expect("it ended").expect_err("cut").kind, &*said),
        (FailureKind::Truncated, &told.map(str::to_owned)[..])
    );
    let (stopped, said) = calls(Reply::answer(), Duration::from_millis(1_500)).await;
    assert_eq!((stopped, &*said), (None, &told.map(str::to_owned)[..]));
}

/// Lets this model wait for its turn before its request is sent.
struct Late(Arc<Canned>, &'static str, Duration);

impl Service for Late {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        if call.target().model == self.1 {
            tokio::time::sleep(self.2).await;
        }
        self.0.call(call, events).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_has_ended_is_not_called_slow_when_another_gets_its_turn() {
    let said = async |a: Reply| {
        let slow = || vec![Reply::answer().after(2_000)];
        let gateway = Canned::new([("a", vec![a]), ("b", slow()), ("c", slow())]);
        let service = Fallback::new(Late(gateway, "b", Duration::from_millis(500)), Box::new(|_| None));
        let mut call = quick(&["a", "b", "c"]);
        call.choices[1].hedge = None;
        let (result, events) = run(&service, &call).await;
        assert_eq!(result, Ok(()));
        told(&events)
    };
    assert_eq!(said(Reply::answer().after(9_000)).await, ["a is slow, asking b"]);
    assert_eq!(said(Reply::status(500).after(1_000)).await, ["a failed, asking c", "asking b"]);
}

#[tokio::test(start_paused = true)]
async fn if_all_fail_the_last_failure_is_the_result() {
    let gateway = Canned::new([("a", vec![Reply::status(500).after(5_000)]), ("b", vec![Reply::status(503)])]);
    let (result, _, _) = hedged(&gateway, &["a", "b"]).await;
    assert_eq!(result.expect_err("all failed").status, Some(500));
    assert_eq!(gateway.asked(), ["a", "b"]);
}
