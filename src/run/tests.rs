//! Tests of runs with a scripted service, under a paused clock.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::time;

use super::*;
use crate::call::{Events, Target};
use crate::chat::{FinishReason, StreamEvent};
use crate::error::{Failure, FailureKind};

/// Answers with the name that was asked for, after as many seconds as the call's index. Remembers how many calls ran at once.
#[derive(Default)]
struct Slow {
    running: Mutex<(usize, usize)>,
}

impl Service for Slow {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        {
            let mut running = self.running.lock().expect("no test panics here");
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        time::sleep(Duration::from_secs(call.index as u64)).await;
        self.running.lock().expect("no test panics here").0 -= 1;
        if call.asked == "down" {
            return Err(Failure::new(FailureKind::Unavailable, "down"));
        }
        events.emit(Event::Stream(StreamEvent::TextDelta(call.asked.clone()))).await?;
        events.emit(Event::Stream(StreamEvent::Finish(FinishReason::Stop))).await?;
        Ok(())
    }
}

/// Collects what a run shows. Fails when it has this many records.
#[derive(Default)]
struct Seen {
    records: Vec<(usize, Status, String)>,
    fails_at: Option<usize>,
}

impl Reporter for Seen {
    fn events(&mut self, _: &[RunEvent]) -> Result<(), Error> {
        Ok(())
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.records.push((call.index, record.status, record.text));
        if self.fails_at == Some(self.records.len()) { Err(Error::Signalled(SIGPIPE)) } else { Ok(()) }
    }
}

fn call(index: usize, asked: &str) -> Call {
    let target = Target { gateway: "g".into(), model: "m".into() };
    Call::new(index, asked, vec![target.into()], Arc::default())
}

/// Runs the schedule with so many calls at once; stops it after so many seconds.
async fn run(schedule: &mut dyn Schedule, concurrency: usize, stop_after: u64, seen: &mut Seen) -> (Outcome, usize) {
    let service = Arc::new(Slow::default());
    let spec = RunSpec { schedule, concurrency, models: Arc::default(), prices: None, recording: None };
    let stop = async {
        time::sleep(Duration::from_secs(stop_after)).await;
        Error::Signalled(2)
    };
    let outcome = execute(&service, spec, seen, stop).await;
    let most = service.running.lock().expect("no test panics here").1;
    (outcome, most)
}

#[tokio::test(start_paused = true)]
async fn fewer_calls_run_at_once_where_their_prompts_are_large() {
    use crate::chat::{Message, Request, Role};
    let text = "x".repeat(LARGEST_PROMPTS / 2);
    let request =
        || Arc::new(Request { messages: vec![Message::text(Role::User, text.clone())], ..Request::default() });
    let one = request();
    let shared = |index| Call { request: Arc::clone(&one), ..call(index, "m") };
    let measured = |index| Call { role: crate::call::Role::Measurement, ..shared(index) };
    let own = |index| Call { request: request(), ..call(index, "m") };
    let of_own: Vec<Call> = (0..4).map(own).collect();
    for (calls, expected) in [
        (of_own, 2),
        ((0..20).map(shared).collect(), LARGEST_BODIES / text.len()),
        // The first one ends at once.
        ((0..20).map(measured).collect(), 19),
    ] {
        let (mut seen, count) = (Seen::default(), calls.len());
        let (_, most) = run(&mut Calls::from(calls), 20, 1_000, &mut seen).await;
        assert_eq!((most, seen.records.len()), (expected, count));
    }
}

/// Always has calls ready, as a data set on a disk has.
struct Ready(VecDeque<Call>, usize);

impl Schedule for Ready {
    fn next(&mut self) -> Option<Step> {
        self.0.pop_front().map(Step::Call)
    }

    fn is_waiting(&self) -> bool {
        !self.0.is_empty()
    }

    fn changed(&mut self) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>> {
        self.1 += 1;
        assert!(self.1 < 1_000, "asked without end");
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_ready_is_not_asked_while_no_call_may_begin() {
    let mut seen = Seen::default();
    let mut schedule = Ready((0..6).map(|index| call(index, "m")).collect(), 0);
    let (_, most) = run(&mut schedule, 2, 1_000, &mut seen).await;
    assert_eq!((most, seen.records.len()), (2, 6));
}

#[tokio::test(start_paused = true)]
async fn calls_are_pulled_as_others_end_and_each_record_leaves_at_once() {
    let mut seen = Seen::default();
    let mut calls = Calls::from((0..6).map(|index| call(index, "m")).collect::<Vec<_>>());
    let (outcome, most) = run(&mut calls, 2, 1_000, &mut seen).await;
    assert_eq!(most, 2);
    assert_eq!(seen.records.iter().map(|(index, ..)| *index).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(outcome.exit_code.code(), 0);
    assert!(outcome.stopped.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_run_has_a_record_for_every_call_in_order() {
    let mut seen = Seen::default();
    let mut calls = Calls::from((0..4).rev().map(|index| call(index, "m")).collect::<Vec<_>>());
    let (mut outcome, _) = run(&mut calls, 2, 2, &mut seen).await;
    let statuses: Vec<_> = seen.records.iter().map(|(index, status, _)| (*index, *status)).collect();
    let interrupted = |index| (index, Status::Interrupted);
    assert_eq!(statuses, [interrupted(0), interrupted(1), interrupted(2), interrupted(3)]);
    assert!(outcome.output_error().is_none());
    assert!(matches!(outcome.stopped, Some(Error::Signalled(2))));
}

#[tokio::test(start_paused = true)]
async fn output_that_fails_stops_the_run_and_is_shown_nothing_more() {
    let mut seen = Seen { fails_at: Some(2), ..Seen::default() };
    let mut calls = Calls::from((0..9).map(|index| call(index, "m")).collect::<Vec<_>>());
    let (mut outcome, _) = run(&mut calls, 9, 1_000, &mut seen).await;
    assert_eq!(seen.records.len(), 2);
    assert!(matches!(outcome.output_error(), Some(Error::Signalled(SIGPIPE))));
}

/// Skips every call that comes after a failure.
struct AfterFailure(VecDeque<Call>, bool);

impl Schedule for AfterFailure {
    fn next(&mut self) -> Option<Step> {
        let call = self.0.pop_front()?;
        let failure = || Failure::new(FailureKind::Skipped, "one before it failed");
        Some(if self.1 { Step::Skip(call, failure()) } else { Step::Call(call) })
    }

    fn ended(&mut self, _: &Call, record: &Record) {
        self.1 |= record.status == Status::Failed;
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_sees_each_end_before_it_gives_the_next_call() {
    let mut seen = Seen::default();
    let calls = [call(0, "m"), call(1, "down"), call(2, "m"), call(3, "m")];
    let (outcome, _) = run(&mut AfterFailure(calls.into(), false), 1, 1_000, &mut seen).await;
    let statuses: Vec<_> = seen.records.iter().map(|(_, status, _)| *status).collect();
    assert_eq!(statuses, [Status::Ok, Status::Failed, Status::Skipped, Status::Skipped]);
    assert_eq!(outcome.exit_code.code(), 8, "one is complete, one failed; what was never made does not count");
}

/// Three calls that are due 5 ms apart.
#[derive(Default)]
struct Timed {
    made: usize,
    now: Duration,
}

impl Schedule for Timed {
    fn due_in(&mut self, elapsed: Duration) -> Option<Duration> {
        self.now = elapsed;
        let due = Duration::from_millis(5 * self.made as u64);
        (self.made < 3).then(|| due.saturating_sub(elapsed))
    }

    fn next(&mut self) -> Option<Step> {
        let due = Duration::from_millis(5 * self.made as u64);
        (self.made < 3 && due <= self.now).then(|| {
            self.made += 1;
            Step::Call(Call { due: Some(due), ..call(0, "now") })
        })
    }
}

#[tokio::test]
async fn calls_that_are_due_at_times_are_made_then_and_never_before() {
    let mut seen = Seen::default();
    let service = Arc::new(Slow::default());
    let mut schedule = Timed::default();
    let spec =
        RunSpec { schedule: &mut schedule, concurrency: 1, models: Arc::default(), prices: None, recording: None };
    let outcome = execute(&service, spec, &mut seen, std::future::pending()).await;
    assert_eq!(seen.records.len(), 3);
    assert!(outcome.elapsed >= Duration::from_millis(10), "{:?}", outcome.elapsed);
}
