//! Hedged requests: when a model is slow to begin, the next one is asked as well. The first to begin its answer is shown,
//! and the others are stopped.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::fallback::{Fallback, reason_to_stop};
use crate::call::{Call, Choice, Event, Events, RunEvent, Service};
use crate::deadline;
use crate::error::{Failure, FailureKind};

/// One of the choices that are running. Dropping it stops it and keeps the events that it has not sent yet.
struct Candidate<'a> {
    choice: &'a Choice,
    future: Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>,
    receiver: mpsc::Receiver<RunEvent>,
    /// The events until it is known whether this candidate is the one that is shown.
    buffered: VecDeque<RunEvent>,
    /// Whether one of its requests is running.
    is_running: bool,
    /// Whether its end is the end of the call.
    is_chosen: bool,
    events: &'a Events,
}

/// What happened next.
enum Next {
    /// This candidate began its answer.
    Began(usize),
    /// This candidate ended without having begun.
    Ended(usize, Result<(), Failure>),
    /// The time until the next choice is asked has passed.
    Slow,
}

impl<'a> Candidate<'a> {
    fn start<S: Service>(
        fallback: &'a Fallback<S>,
        call: &Call,
        choice: &'a Choice,
        deadline: Instant,
        events: &'a Events,
    ) -> Self {
        let (own, receiver) = events.buffered();
        let narrowed = call.narrowed(choice, deadline.saturating_duration_since(Instant::now()));
        let future = Box::pin(async move { fallback.inner.call(&narrowed, &own).await });
        Self { choice, future, receiver, buffered: VecDeque::new(), is_running: false, is_chosen: false, events }
    }

    /// Ready with `None` when the candidate has begun its answer, and with its result when it has ended. Events that it
    /// sent are received before its end.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(), Failure>>> {
        let ended = self.future.as_mut().poll(context);
        while let Poll::Ready(Some(event)) = self.receiver.poll_recv(context) {
            let is_output = event.event.is_output();
            self.buffer(event);
            if is_output && ended.is_pending() {
                return Poll::Ready(None);
            }
        }
        ended.map(Some)
    }

    fn buffer(&mut self, event: RunEvent) {
        match event.event {
            Event::Attempt { .. } => self.is_running = true,
            Event::AttemptFailed { .. } => self.is_running = false,
            _ => {}
        }
        self.buffered.push_back(event);
    }

    /// Sends the buffered events. An event leaves the buffer only when it is sent, so none is lost if this is dropped.
    async fn send_buffered(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.buffered.front() {
            self.events.forward(event.clone()).await?;
            self.buffered.pop_front();
        }
        Ok(())
    }

    /// Stops the candidate. If one of its requests is running, that attempt ends for this reason.
    fn stop(&mut self, why: &str) {
        // Dropping the request comes first, so that no more of it is paid for.
        self.future = Box::pin(std::future::ready(Ok(())));
        while let Ok(event) = self.receiver.try_recv() {
            self.buffer(event);
        }
        // What it has answered so far is not part of the answer.
        self.buffered.retain(|event| !matches!(event.event, Event::Stream(_)));
        if std::mem::take(&mut self.is_running) {
            let failure = Failure::new(FailureKind::Interrupted, why).maybe_billed();
            self.buffered.push_back(self.events.event(std::time::Instant::now(), Event::AttemptFailed { failure }));
        }
    }

    /// Stops the candidate because another one has begun, and sends the events of its attempts.
    async fn discard(mut self) -> Result<(), Failure> {
        self.stop("stopped: another model began its answer first");
        self.send_buffered().await
    }

    /// Sends all events of the candidate, as they come, until it ends.
    async fn finish(mut self) -> Result<(), Failure> {
        self.is_chosen = true;
        self.send_buffered().await?;
        loop {
            let ended = poll_fn(|context| match self.receiver.poll_recv(context) {
                Poll::Ready(Some(event)) => Poll::Ready(Ok(event)),
                // No event is waiting, so the candidate goes on.
                Poll::Ready(None) | Poll::Pending => self.future.as_mut().poll(context).map(Err),
            });
            match ended.await {
                Ok(event) => self.events.forward(event).await?,
                Err(result) => {
                    while let Ok(event) = self.receiver.try_recv() {
                        self.events.forward(event).await?;
                    }
                    return result;
                }
            }
        }
    }
}

/// The whole call may be dropped, by a signal or its time limit.
impl Drop for Candidate<'_> {
    fn drop(&mut self) {
        if !self.is_chosen {
            self.stop("interrupted");
        }
        let unsent = self.buffered.drain(..).filter(|event| !matches!(event.event, Event::Stream(_)));
        self.events.keep_undelivered(unsent);
    }
}

/// Does what [`Fallback`] does, but also asks the next choice when the last one that was asked has not begun its answer
/// within its `hedge`.
pub(super) async fn race<S: Service>(fallback: &Fallback<S>, call: &Call, events: &Events) -> Result<(), Failure> {
    let deadline = deadline::after(call.limits.timeout);
    let start = |choice| Candidate::start(fallback, call, choice, deadline, events);
    let mut left = &call.choices[1..];
    let mut latest = call.choice();
    let mut candidates = vec![start(latest)];
    let mut slow = hedge_time(latest);
    // A failure that the user has to correct, of a candidate beside which others ran on.
    let mut to_correct = None;
    loop {
        let (place, result) = match next(&mut candidates, slow).await {
            Next::Slow => {
                slow = None;
                if let Some((choice, rest)) = left.split_first() {
                    events.emit(Event::Hedge { slow: latest.target.clone(), to: choice.target.clone() }).await?;
                    (latest, left) = (choice, rest);
                    candidates.push(start(latest));
                    slow = hedge_time(latest);
                }
                continue;
            }
            Next::Began(chosen) => {
                let chosen = candidates.remove(chosen);
                discard_all(candidates).await?;
                return chosen.finish().await;
            }
            Next::Ended(place, result) => (place, result),
        };
        let mut ended = candidates.remove(place);
        let has_output = ended.buffered.iter().any(|event| event.event.is_output());
        let failure = match result {
            Err(failure) if reason_to_stop(&failure, has_output).is_none() => failure,
            // The candidates that run go on, but none is started in the place of this one.
            Err(failure) if !has_output && failure.kind != FailureKind::Interrupted && !candidates.is_empty() => {
                ended.send_buffered().await?;
                latest = candidates.last().map_or(latest, |candidate| candidate.choice);
                to_correct.get_or_insert(failure);
                continue;
            }
            result => {
                ended.is_chosen = true;
                discard_all(candidates).await?;
                ended.send_buffered().await?;
                return result;
            }
        };
        ended.send_buffered().await?;
        if let Some(choice) = fallback.next(ended.choice, &failure, &mut left, events).await? {
            latest = choice;
            events.emit(Event::Fallback { to: latest.target.clone(), cause: failure }).await?;
            candidates.push(start(latest));
            slow = hedge_time(latest);
        } else if candidates.is_empty() {
            return Err(to_correct.unwrap_or(failure));
        }
    }
}

async fn discard_all(candidates: Vec<Candidate<'_>>) -> Result<(), Failure> {
    for candidate in candidates {
        candidate.discard().await?;
    }
    Ok(())
}

/// When the next choice is asked as well.
fn hedge_time(choice: &Choice) -> Option<Instant> {
    choice.hedge.map(deadline::after)
}

async fn next(candidates: &mut [Candidate<'_>], slow: Option<Instant>) -> Next {
    let mut timer = slow.map(|at| Box::pin(sleep_until(at)));
    poll_fn(|context| {
        for (place, candidate) in candidates.iter_mut().enumerate() {
            match candidate.poll(context) {
                Poll::Ready(None) => return Poll::Ready(Next::Began(place)),
                Poll::Ready(Some(result)) => return Poll::Ready(Next::Ended(place, result)),
                Poll::Pending => {}
            }
        }
        match &mut timer {
            Some(timer) => timer.as_mut().poll(context).map(|()| Next::Slow),
            None => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests;
