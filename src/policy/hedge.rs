//! Two models at once, when the first is slow to begin: the first to speak is heard, the other is stopped.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::fallback::{Fallback, falls_back};
use crate::call::Service;
use crate::call::{Call, Choice, Event, Events, RunEvent};
use crate::deadline;
use crate::error::{Failure, FailureKind};

/// One of the choices that are under way. Dropping it stops it; what it has not told yet is left behind.
struct Racer<'a> {
    choice: &'a Choice,
    future: Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>,
    inbox: mpsc::Receiver<RunEvent>,
    /// What happened so far. Told when it is known whether it counts.
    held: VecDeque<RunEvent>,
    /// Whether a request of it is under way.
    under_way: bool,
    /// Whether its end is the call's.
    counts: bool,
    /// To whom it is told.
    events: &'a Events,
}

/// What came next.
enum Next {
    /// This racer spoke.
    Spoke(usize),
    /// This racer came to its end without a word.
    Ended(usize, Result<(), Failure>),
    /// The one that started last is slow.
    Slow,
}

impl<'a> Racer<'a> {
    fn start<S: Service>(
        fallback: &'a Fallback<S>,
        call: &Call,
        choice: &'a Choice,
        deadline: Instant,
        events: &'a Events,
    ) -> Self {
        let (own, inbox) = events.buffered();
        let narrowed = call.narrowed(choice, deadline.saturating_duration_since(Instant::now()));
        let future = Box::pin(async move { fallback.inner.call(&narrowed, &own).await });
        Self { choice, future, inbox, held: VecDeque::new(), under_way: false, counts: false, events }
    }

    /// Ready once it has spoken or ended. Its words are taken in before its end.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(), Failure>>> {
        let ended = self.future.as_mut().poll(context);
        while let Poll::Ready(Some(event)) = self.inbox.poll_recv(context) {
            let speaks = event.event.is_output();
            self.take_in(event);
            if speaks && ended.is_pending() {
                return Poll::Ready(None);
            }
        }
        ended.map(Some)
    }

    fn take_in(&mut self, event: RunEvent) {
        match event.event {
            Event::Attempt { .. } => self.under_way = true,
            Event::AttemptFailed { .. } => self.under_way = false,
            _ => {}
        }
        self.held.push_back(event);
    }

    /// Tells what is held; what is not told when this is dropped is still held.
    async fn tell(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.held.front() {
            self.events.forward(event.clone()).await?;
            self.held.pop_front();
        }
        Ok(())
    }

    /// Stops it: its request, if one is under way, ends for this reason.
    fn stop(&mut self, why: &str) {
        // First of all, so that no more of it is paid for.
        self.future = Box::pin(std::future::ready(Ok(())));
        while let Ok(event) = self.inbox.try_recv() {
            self.take_in(event);
        }
        // Its beginning of an answer is not part of the answer.
        self.held.retain(|event| !matches!(event.event, Event::Stream(_)));
        if std::mem::take(&mut self.under_way) {
            let failure = Failure::new(FailureKind::Interrupted, why).maybe_billed();
            self.held.push_back(self.events.event(std::time::Instant::now(), Event::AttemptFailed { failure }));
        }
    }

    /// Stops it for another, and tells what it had done.
    async fn lose(mut self) -> Result<(), Failure> {
        self.stop("stopped: another model spoke first");
        self.tell().await
    }

    /// Tells all from now on, as it comes.
    async fn win(mut self) -> Result<(), Failure> {
        self.counts = true;
        self.tell().await?;
        loop {
            let ended = poll_fn(|context| match self.inbox.poll_recv(context) {
                Poll::Ready(Some(event)) => Poll::Ready(Ok(event)),
                // Nothing is waiting to be told.
                Poll::Ready(None) | Poll::Pending => self.future.as_mut().poll(context).map(Err),
            });
            match ended.await {
                Ok(event) => self.events.forward(event).await?,
                Err(result) => {
                    while let Ok(event) = self.inbox.try_recv() {
                        self.events.forward(event).await?;
                    }
                    return result;
                }
            }
        }
    }
}

/// The whole call may be stopped, or its time may be up.
impl Drop for Racer<'_> {
    fn drop(&mut self) {
        if !self.counts {
            self.stop("interrupted");
        }
        self.events.keep_undelivered(self.held.drain(..).filter(|event| !matches!(event.event, Event::Stream(_))));
    }
}

/// As [`Fallback`] without haste, but whenever a choice is silent for longer than its `hedge`, the next starts as well.
pub(super) async fn race<S: Service>(fallback: &Fallback<S>, call: &Call, events: &Events) -> Result<(), Failure> {
    let deadline = deadline::after(call.limits.timeout);
    let mut left = &call.choices[1..];
    let mut latest = call.choice();
    let mut racers = vec![Racer::start(fallback, call, latest, deadline, events)];
    let mut slow = hedge_of(latest);
    // What keeps a model from running that is the user's to mend, and that others ran on in spite of.
    let mut to_mend = None;
    loop {
        let (place, result) = match next(&mut racers, slow).await {
            Next::Slow => {
                slow = None;
                if let Some((choice, rest)) = left.split_first() {
                    events.emit(Event::Hedge { slow: latest.target.clone(), to: choice.target.clone() }).await?;
                    (latest, left) = (choice, rest);
                    racers.push(Racer::start(fallback, call, latest, deadline, events));
                    slow = hedge_of(latest);
                }
                continue;
            }
            Next::Spoke(winner) => {
                let winner = racers.remove(winner);
                for loser in racers {
                    loser.lose().await?;
                }
                return winner.win().await;
            }
            Next::Ended(place, result) => (place, result),
        };
        let mut ended = racers.remove(place);
        let spoke = ended.held.iter().any(|event| event.event.is_output());
        let failure = match result {
            Err(failure) if falls_back(&failure, spoke) => failure,
            // Those that run need not suffer for it; nor does anything start in its place.
            Err(failure) if !spoke && failure.kind != FailureKind::Interrupted && !racers.is_empty() => {
                ended.tell().await?;
                latest = racers.last().map_or(latest, |racer| racer.choice);
                to_mend.get_or_insert(failure);
                continue;
            }
            result => {
                ended.counts = true;
                for loser in racers {
                    loser.lose().await?;
                }
                ended.tell().await?;
                return result;
            }
        };
        ended.tell().await?;
        if let Some(choice) = fallback.next(ended.choice, &failure, &mut left) {
            latest = choice;
            events.emit(Event::Fallback { to: latest.target.clone(), cause: failure }).await?;
            racers.push(Racer::start(fallback, call, latest, deadline, events));
            slow = hedge_of(latest);
        } else if racers.is_empty() {
            return Err(to_mend.unwrap_or(failure));
        }
    }
}

fn hedge_of(choice: &Choice) -> Option<Instant> {
    choice.hedge.map(deadline::after)
}

async fn next(racers: &mut [Racer<'_>], slow: Option<Instant>) -> Next {
    let mut alarm = slow.map(|at| Box::pin(sleep_until(at)));
    poll_fn(|context| {
        for (place, racer) in racers.iter_mut().enumerate() {
            match racer.poll(context) {
                Poll::Ready(None) => return Poll::Ready(Next::Spoke(place)),
                Poll::Ready(Some(result)) => return Poll::Ready(Next::Ended(place, result)),
                Poll::Pending => {}
            }
        }
        match &mut alarm {
            Some(alarm) => alarm.as_mut().poll(context).map(|()| Next::Slow),
            None => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::testing::{Canned, Reply, call, record, run, run_for};
    use super::*;
    use crate::chat::StreamEvent;
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
    async fn the_first_to_speak_wins_the_other_is_stopped_and_both_are_on_record() {
        let answer = |after| vec![Reply::answer().after(after).lasts(2_000)];
        for (a, b, winner, loser, spoke) in [(10_000, 300, "b", "a", 1_100), (1_000, 10_000, "a", "b", 1_000)] {
            let gateway = Canned::new([("a", answer(a)), ("b", answer(b))]);
            let began = Instant::now();
            let (result, events, call) = hedged(&gateway, &["a", "b"]).await;
            assert_eq!((result.clone(), text(&events)), (Ok(()), winner.to_owned()));
            let stopped = gateway.ended(loser).expect("dropped") - began;
            assert!(stopped <= Duration::from_millis(spoke + 50), "{stopped:?} though the other spoke at {spoke} ms");
            assert_eq!((gateway.most_at_once(), gateway.running()), (2, 0));
            let record = record(&call, &events, Some(result));
            assert_eq!((record.text.as_str(), record.attempts.len()), (winner, 2));
            let lost: Vec<_> = record.attempts.iter().filter(|attempt| attempt.maybe_billed()).collect();
            assert!(lost.len() == 1 && lost[0].model == loser, "{:?}", record.attempts);
        }
    }

    // H43
    #[tokio::test(start_paused = true)]
    async fn a_race_that_is_stopped_has_every_request_on_record() {
        let slow = || vec![Reply::status(503).after(100), Reply::answer().after(60_000)];
        let cases = [(700, vec!["a"], 1), (1_500, vec!["a", "b", "b"], 2), (9_000, vec!["a", "b", "b", "c", "c"], 3)];
        for (ms, asked, under_way) in cases {
            let never = vec![Reply::answer().after(u64::MAX / 2)];
            let gateway = Canned::new([("a", never), ("b", slow()), ("c", slow())]);
            let call = quick(&["a", "b", "c"]);
            let service = Fallback::new(super::super::Retry::new(gateway.clone()), Box::new(|_| None));
            let (result, events) = run_for(&service, &call, Duration::from_millis(ms)).await;
            assert_eq!((result, gateway.running()), (None, 0));
            let record = record(&call, &events, None);
            let mut recorded: Vec<_> = record.attempts.iter().map(|attempt| attempt.model.as_str()).collect();
            recorded.sort_unstable();
            assert_eq!((recorded, record.status), (asked, Status::Interrupted), "after {ms} ms");
            assert!(record.attempts.iter().all(|attempt| attempt.error.is_some()), "{:?}", record.attempts);
            // Those that were under way, and not those that had been refused.
            assert_eq!(record.maybe_billed(), under_way);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_goes_on_to_the_next_at_once_and_not_to_one_that_runs() {
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
    async fn a_model_that_may_not_be_asked_stops_no_other_and_is_told_of_when_none_answers() {
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
        // Alone, or as the last one, it ends the call as ever.
        let alone = Canned::new([("a", vec![Reply::kind(NoKey)])]);
        assert_eq!(hedged(&alone, &["a", "b"]).await.0.expect_err("no key").kind, NoKey);
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_fail_the_last_failure_is_the_calls() {
        let gateway = Canned::new([("a", vec![Reply::status(500).after(5_000)]), ("b", vec![Reply::status(503)])]);
        let (result, _, _) = hedged(&gateway, &["a", "b"]).await;
        assert_eq!(result.expect_err("all failed").status, Some(500));
        assert_eq!(gateway.asked(), ["a", "b"]);
    }
}
