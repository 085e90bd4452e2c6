//! Hedged requests: if a model has not begun its answer after a set time, the next model is asked as well. The answer that
//! begins first is shown, and the other requests are stopped.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::fallback::{Fallback, Left, named, reason_to_stop};
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
    /// The choice that was slow to begin, so that this one is asked as well; `None` once the user was told of it.
    slow: Option<&'a Choice>,
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
        let own = fallback.telling(call, choice, &own);
        let narrowed = call.narrowed(choice, deadline.saturating_duration_since(Instant::now()));
        let future = Box::pin(async move { fallback.inner.call(&narrowed, &own).await });
        Self {
            choice,
            future,
            receiver,
            buffered: Vec::new(),
            is_running: false,
            is_asked: false,
            slow: None,
            is_chosen: false,
            events,
        }
    }

    fn beside(mut self, slow: &'a Choice) -> Self {
        self.slow = Some(slow);
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
        if ended.is_pending() && self.is_asked && self.slow.is_some() {
            return Poll::Ready(Next::Asked);
        }
        ended.map(|result| Next::Ended(index, result))
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

/// The first failure that the user has to correct. It is the result only if no other candidate answers.
struct ToCorrect<'a> {
    failure: Failure,
    /// Says why the model does not answer, or is not tried, where the failure is not the result.
    untold: Option<Event>,
    events: &'a Events,
}

impl ToCorrect<'_> {
    /// The failure as the result of the call, which says all.
    fn into_failure(mut self) -> Failure {
        self.untold = None;
        self.failure.clone()
    }
}

/// The call may be dropped before it has a result. Then the user is told as well.
impl Drop for ToCorrect<'_> {
    fn drop(&mut self) {
        let now = std::time::Instant::now();
        self.events.keep_undelivered(self.untold.take().map(|event| self.events.event(now, event)));
    }
}

/// Tells what another result hides.
async fn tell(hidden: &mut Option<ToCorrect<'_>>) -> Result<(), Failure> {
    let Some(hidden) = hidden else { return Ok(()) };
    if let Some(event) = &hidden.untold {
        hidden.events.emit(event.clone()).await?;
    }
    hidden.untold = None;
    Ok(())
}

/// Tells the user of candidates whose requests are sent, and have not been announced.
async fn announce(candidates: &mut [Candidate<'_>]) -> Result<(), Failure> {
    for index in 0..candidates.len() {
        let candidate = &mut candidates[index];
        let Some(slow) = candidate.slow.take_if(|_| candidate.is_asked) else { continue };
        let (events, to) = (candidate.events, candidate.choice.target.clone());
        // It may have ended while this one waited for its turn.
        let is_running = candidates.iter().any(|other| std::ptr::eq(other.choice, slow));
        events.emit(Event::Hedge { slow: is_running.then(|| slow.target.clone()), to }).await?;
    }
    Ok(())
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
    let mut to_correct: Option<ToCorrect<'_>> = None;
    loop {
        let next = next(&mut candidates, hedge_at).await;
        announce(&mut candidates).await?;
        let (index, result) = match next {
            Next::Asked => continue,
            Next::HedgeDue => {
                hedge_at = None;
                if let Some(choice) = left.take() {
                    candidates.push(start(choice).beside(latest));
                    latest = choice;
                    hedge_at = hedge_time(latest);
                }
                continue;
            }
            Next::Began(chosen) => {
                let chosen = candidates.remove(chosen);
                tell(&mut to_correct).await?;
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
                let target = &ended.choice.target;
                let untold = Some(if ended.is_asked {
                    let message = format!("{}: {}", target.name_among(call.told_apart()), failure.message);
                    Event::Notice { message }
                } else {
                    Event::not_tried(call, target, &failure.message)
                });
                let mut another = Some(ToCorrect { failure: named(failure, ended.choice, call), untold, events });
                match &to_correct {
                    Some(_) => tell(&mut another).await?,
                    None => to_correct = another.take(),
                }
                latest = candidates.last().map_or(latest, |candidate| candidate.choice);
                continue;
            }
            result => {
                ended.is_chosen = true;
                tell(&mut to_correct).await?;
                discard_all(candidates).await?;
                ended.send_buffered().await?;
                let result = settled(fallback, ended.choice, result, left).await;
                return result.map_err(|failure| named(failure, ended.choice, call));
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
            return Err(to_correct.map_or(failure, ToCorrect::into_failure));
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
