//! Hedged requests: if a model has not begun its answer after a set time, the next model is asked as well. The answer that
//! begins first is shown, and the other requests are stopped.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::fallback::{Fallback, Left, reason_to_stop};
use crate::call::{Call, Choice, Event, Events, RunEvent, Service};
use crate::deadline;
use crate::error::{Failure, FailureKind};

/// A choice that is running. Dropping the candidate stops the request, and keeps the events that it has not sent yet.
struct Candidate<'a> {
    choice: &'a Choice,
    future: Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>,
    receiver: mpsc::Receiver<Vec<RunEvent>>,
    /// The candidate's events, which are kept until it is known which candidate is shown.
    buffered: Vec<RunEvent>,
    /// Whether a request of the candidate is running.
    is_running: bool,
    /// Whether a request of the candidate was ever sent.
    is_asked: bool,
    /// What the user is told when the first request of the candidate is sent.
    announcement: Option<Event>,
    /// Whether the candidate's result is the result of the call.
    is_chosen: bool,
    events: &'a Events,
}

/// The next thing that happens to the candidates.
enum Next {
    /// The first request of a candidate was sent.
    Asked,
    /// This candidate began its answer.
    Began(usize),
    /// This candidate ended without having begun.
    Ended(usize, Result<(), Failure>),
    /// It is time to ask the next choice as well.
    HedgeDue,
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
        Self {
            choice,
            future,
            receiver,
            buffered: Vec::new(),
            is_running: false,
            is_asked: false,
            announcement: None,
            is_chosen: false,
            events,
        }
    }

    fn announced_by(mut self, event: Event) -> Self {
        self.announcement = Some(event);
        self
    }

    /// Is ready when the first request of a candidate that is to be announced is sent, and when it begins its answer or ends. The
    /// events are received before the result. `index` is that of the candidate.
    fn poll(&mut self, index: usize, context: &mut Context<'_>) -> Poll<Next> {
        let ended = self.future.as_mut().poll(context);
        while let Poll::Ready(Some(events)) = self.receiver.poll_recv(context) {
            let has_output = events.iter().any(|event| event.event.is_output());
            self.buffer(events);
            if has_output && ended.is_pending() {
                return Poll::Ready(Next::Began(index));
            }
        }
        if ended.is_pending() && self.is_asked && self.announcement.is_some() {
            return Poll::Ready(Next::Asked);
        }
        ended.map(|result| Next::Ended(index, result))
    }

    /// Tells the user of this candidate if its request is sent, and has not been announced.
    async fn announce(&mut self) -> Result<(), Failure> {
        match self.announcement.take_if(|_| self.is_asked) {
            Some(event) => Ok(self.events.emit(event).await?),
            None => Ok(()),
        }
    }

    fn buffer(&mut self, events: Vec<RunEvent>) {
        for event in &events {
            match event.event {
                Event::Attempt { .. } => (self.is_running, self.is_asked) = (true, true),
                Event::AttemptFailed { .. } => self.is_running = false,
                _ => {}
            }
        }
        self.buffered.extend(events);
    }

    /// Sends the buffered events. None is lost if this is dropped.
    async fn send_buffered(&mut self) -> Result<(), Failure> {
        Ok(self.events.forward(&mut self.buffered).await?)
    }

    /// Stops the candidate. If one of its requests is running, that attempt ends for this reason.
    fn stop(&mut self, why: &str) {
        // Dropping the request comes first, so that no more of it is paid for.
        self.future = Box::pin(std::future::ready(Ok(())));
        while let Ok(events) = self.receiver.try_recv() {
            self.buffer(events);
        }
        // What it has answered so far is not part of the answer.
        self.buffered.retain(|event| !matches!(event.event, Event::Stream(_)));
        if std::mem::take(&mut self.is_running) {
            let failure = Failure::new(FailureKind::Interrupted, why).maybe_billed();
            self.buffered.push(self.events.event(std::time::Instant::now(), Event::AttemptFailed { failure }));
        }
    }

    /// Stops the candidate because another one has begun its answer, and sends the events of its attempts.
    async fn discard(mut self) -> Result<(), Failure> {
        self.stop("stopped: another model began its answer first");
        self.send_buffered().await
    }

    /// Sends the events of the candidate until it ends, and returns its result.
    async fn finish(mut self) -> Result<(), Failure> {
        self.is_chosen = true;
        self.send_buffered().await?;
        loop {
            let ended = poll_fn(|context| match self.receiver.poll_recv(context) {
                Poll::Ready(Some(events)) => Poll::Ready(Ok(events)),
                // No event is waiting, so the candidate continues.
                Poll::Ready(None) | Poll::Pending => self.future.as_mut().poll(context).map(Err),
            });
            match ended.await {
                Ok(events) => {
                    self.buffered = events;
                    self.send_buffered().await?;
                }
                Err(result) => {
                    while let Ok(events) = self.receiver.try_recv() {
                        self.buffered.extend(events);
                    }
                    self.send_buffered().await?;
                    return result;
                }
            }
        }
    }
}

/// A signal or the time limit may drop the whole call. Then the events that were not sent are kept for the engine.
impl Drop for Candidate<'_> {
    fn drop(&mut self) {
        if !self.is_chosen {
            self.stop("interrupted");
        }
        let unsent = self.buffered.drain(..).filter(|event| !matches!(event.event, Event::Stream(_)));
        self.events.keep_undelivered(unsent);
    }
}

/// Does what [`Fallback`] does, and also asks the next choice if the choice that was asked last has not begun its answer after
/// its `hedge` time.
///
/// # Errors
/// The failure of the call: that of the last choice, or one that the user has to correct.
pub(super) async fn race<S: Service>(
    fallback: &Fallback<S>,
    call: &Call,
    events: &Events,
    deadline: Instant,
) -> Result<(), Failure> {
    let mut left = Left::new(call, events, deadline);
    let start = |choice| Candidate::start(fallback, call, choice, deadline, events);
    let mut latest = call.choice();
    let mut candidates = vec![start(latest)];
    let mut hedge_at = hedge_time(latest);
    // The first failure that the user has to correct. It is the result only if no other candidate answers.
    let mut to_correct = None;
    loop {
        let next = next(&mut candidates, hedge_at).await;
        for candidate in &mut candidates {
            candidate.announce().await?;
        }
        let (index, result) = match next {
            Next::Asked => continue,
            Next::HedgeDue => {
                hedge_at = None;
                if let Some(choice) = left.take() {
                    let hedge = Event::Hedge { slow: latest.target.clone(), to: choice.target.clone() };
                    latest = choice;
                    candidates.push(start(latest).announced_by(hedge));
                    hedge_at = hedge_time(latest);
                }
                continue;
            }
            Next::Began(chosen) => {
                let chosen = candidates.remove(chosen);
                discard_all(candidates).await?;
                let choice = chosen.choice;
                let result = chosen.finish().await;
                return settled(fallback, choice, result, left).await;
            }
            Next::Ended(index, result) => (index, result),
        };
        let mut ended = candidates.remove(index);
        let has_output = ended.buffered.iter().any(|event| event.event.is_output());
        let failure = match result {
            Err(failure) if reason_to_stop(&failure, has_output).is_none() => failure,
            // The other candidates continue, but no new one is started in place of this one.
            Err(failure) if !has_output && failure.kind != FailureKind::Interrupted && !candidates.is_empty() => {
                ended.send_buffered().await?;
                if !ended.is_asked {
                    let message = ended.choice.target.not_tried(call.targets(), &failure.message);
                    events.emit(Event::Notice { message }).await?;
                }
                latest = candidates.last().map_or(latest, |candidate| candidate.choice);
                to_correct.get_or_insert(failure);
                continue;
            }
            result => {
                ended.is_chosen = true;
                discard_all(candidates).await?;
                ended.send_buffered().await?;
                return settled(fallback, ended.choice, result, left).await;
            }
        };
        ended.send_buffered().await?;
        if let Some(choice) = fallback.next(ended.choice, &failure, &mut left).await? {
            latest = choice;
            let (from, to) = (ended.choice.target.clone(), latest.target.clone());
            events.emit(Event::Fallback { from, to, cause: failure }).await?;
            candidates.push(start(latest));
            hedge_at = hedge_time(latest);
        } else if candidates.is_empty() {
            return Err(to_correct.unwrap_or(failure));
        }
    }
}

/// The result of the call. Why choices that are left are not asked after a failure is told.
async fn settled<S>(
    fallback: &Fallback<S>,
    choice: &Choice,
    result: Result<(), Failure>,
    mut left: Left<'_>,
) -> Result<(), Failure> {
    match &result {
        Ok(()) => left.drop_all(),
        Err(failure) => while fallback.next(choice, failure, &mut left).await?.is_some() {},
    }
    result
}

async fn discard_all(candidates: Vec<Candidate<'_>>) -> Result<(), Failure> {
    for candidate in candidates {
        candidate.discard().await?;
    }
    Ok(())
}

/// When the next choice is asked as well; `None` if this choice sets no `hedge` time.
fn hedge_time(choice: &Choice) -> Option<Instant> {
    choice.hedge.map(deadline::after)
}

/// Waits until a candidate begins its answer or ends, or the time `hedge_at` comes.
async fn next(candidates: &mut [Candidate<'_>], hedge_at: Option<Instant>) -> Next {
    let mut timer = hedge_at.map(|at| Box::pin(sleep_until(at)));
    poll_fn(|context| {
        for (index, candidate) in candidates.iter_mut().enumerate() {
            let next = candidate.poll(index, context);
            if next.is_ready() {
                return next;
            }
        }
        match &mut timer {
            Some(timer) => timer.as_mut().poll(context).map(|()| Next::HedgeDue),
            None => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests;
