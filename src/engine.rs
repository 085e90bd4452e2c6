//! Runs calls at once: one task a call, one channel, one consumer. The only place that spawns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time;

use crate::call::Service;
use crate::call::{Call, Event, Events, RunEvent, Undelivered};
use crate::error::{Failure, FailureKind};

/// Events that may wait for the consumer before the calls do: enough for one write of many tokens, few enough that large
/// pieces do not pile up.
const CHANNEL: usize = 64;

/// Calls that are running, and more may be started. Dropping it cancels them all.
#[derive(Debug)]
pub struct Run {
    permits: Arc<Semaphore>,
    sender: mpsc::Sender<RunEvent>,
    events: mpsc::Receiver<RunEvent>,
    calls: JoinSet<()>,
    left: Vec<Undelivered>,
    began: Instant,
}

async fn within(limit: Duration, call: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    time::timeout(limit, call).await.unwrap_or_else(|_| {
        let message = format!("the call took longer than {} s", limit.as_secs_f64());
        let advice = "--timeout, or timeouts.total of the gateway in the config, sets this limit";
        Err(Failure::new(FailureKind::Timeout, message).with_advice(advice).maybe_billed())
    })
}

/// Starts the calls, at most `concurrency` at a time. Must be called inside of a runtime.
pub fn start<S: Service + 'static>(service: &Arc<S>, calls: Vec<Call>, concurrency: usize) -> Run {
    let mut run = Run::new(concurrency);
    for call in calls {
        run.start(service, call);
    }
    run
}

fn pass_on_panic(ended: Result<(), JoinError>) {
    if let Err(panic) = ended.map_err(JoinError::try_into_panic)
        && let Ok(panic) = panic
    {
        std::panic::resume_unwind(panic);
    }
}

impl Run {
    fn new(concurrency: usize) -> Self {
        let (sender, events) = mpsc::channel(CHANNEL);
        Self {
            permits: Arc::new(Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS))),
            sender,
            events,
            calls: JoinSet::new(),
            left: Vec::new(),
            began: Instant::now(),
        }
    }

    /// Starts a further call. Must be called inside of a runtime.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn start<S: Service + 'static>(&mut self, service: &Arc<S>, call: Call) {
        let (service, permits) = (Arc::clone(service), Arc::clone(&self.permits));
        let events = Events::new(call.index, self.began, self.sender.clone());
        self.left.push(events.undelivered());
        self.calls.spawn(async move {
            // The semaphore is never closed.
            let _permit = permits.acquire_owned().await;
            let result = within(call.limits.timeout, service.call(&call, &events)).await;
            for event in events.undelivered().take() {
                let _ = events.forward(event).await;
            }
            // If nobody listens any more, the run was stopped.
            let _ = events.emit(Event::Done(result)).await;
        });
    }

    /// Waits for events and appends all that are there to `batch`; `false` when every call is over and all of their
    /// events were given.
    ///
    /// # Panics
    /// When a call has panicked: it has no end that could be told.
    pub async fn next(&mut self, batch: &mut Vec<RunEvent>) -> bool {
        loop {
            tokio::select! {
                biased;
                // The run keeps a sender itself, so there is always one.
                _ = self.events.recv_many(batch, CHANNEL) => return true,
                ended = self.calls.join_next() => match ended {
                    Some(ended) => pass_on_panic(ended),
                    None => {
                        let before = batch.len();
                        self.arrived(batch);
                        return batch.len() > before;
                    }
                },
            }
        }
    }

    async fn join(&mut self) {
        while let Some(ended) = self.calls.join_next().await {
            pass_on_panic(ended);
        }
    }

    /// Stops all calls, and appends to `batch` what they have not told yet.
    ///
    /// # Panics
    /// As [`Run::next`].
    pub async fn stop(&mut self, batch: &mut Vec<RunEvent>) {
        self.calls.abort_all();
        self.join().await;
        self.arrived(batch);
        batch.extend(self.left.iter().flat_map(Undelivered::take));
    }

    /// Appends the events that are there to `batch`, without waiting for any.
    pub fn arrived(&mut self, batch: &mut Vec<RunEvent>) {
        while let Ok(event) = self.events.try_recv() {
            batch.push(event);
        }
    }

    /// Since the run began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Target;
    use crate::chat::{Request, StreamEvent};

    struct Slow;

    impl Service for Slow {
        async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
            time::sleep(Duration::from_secs(call.index as u64)).await;
            events.emit(Event::Stream(StreamEvent::TextDelta(call.asked.clone()))).await?;
            Ok(())
        }
    }

    fn call(index: usize, timeout: u64) -> Call {
        let target = Target { gateway: "g".into(), model: "m".into() };
        let mut call = Call::new(index, format!("m{index}"), vec![target.into()], Arc::new(Request::default()));
        call.limits.timeout = Duration::from_secs(timeout);
        call
    }

    async fn finished(mut run: Run) -> Vec<(usize, bool)> {
        let mut batch = Vec::new();
        while run.next(&mut batch).await {}
        batch
            .into_iter()
            .filter_map(|event| match event.event {
                Event::Done(result) => Some((event.call, result.is_ok())),
                _ => None,
            })
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn calls_run_at_once_and_end_as_they_are_ready() {
        let began = time::Instant::now();
        let run = start(&Arc::new(Slow), vec![call(3, 60), call(1, 60), call(2, 60)], 8);
        assert_eq!(finished(run).await, [(1, true), (2, true), (3, true)]);
        assert_eq!(began.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn concurrency_is_bounded() {
        let began = time::Instant::now();
        let run = start(&Arc::new(Slow), vec![call(3, 60), call(1, 60), call(2, 60)], 1);
        assert_eq!(finished(run).await, [(3, true), (1, true), (2, true)]);
        assert_eq!(began.elapsed().as_secs(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_at_its_time_limit_and_does_not_hold_up_others() {
        let run = start(&Arc::new(Slow), vec![call(5, 2), call(1, 60)], 8);
        assert_eq!(finished(run).await, [(1, true), (5, false)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_may_be_started_when_another_is_over() {
        let service = Arc::new(Slow);
        let mut run = start(&service, vec![call(1, 60)], 8);
        let mut ends = Vec::new();
        let mut batch = Vec::new();
        while run.next(&mut batch).await {
            for event in batch.drain(..).filter(|event| matches!(event.event, Event::Done(_))) {
                ends.push(event.call);
                if event.call == 1 {
                    run.start(&service, call(2, 60));
                }
            }
        }
        assert_eq!(ends, [1, 2]);
    }

    struct Broken;

    impl Service for Broken {
        async fn call(&self, _: &Call, _: &Events) -> Result<(), Failure> {
            panic!("a bug")
        }
    }

    #[tokio::test]
    #[should_panic(expected = "a bug")]
    async fn a_call_that_panics_does_not_pass_for_one_that_was_stopped() {
        finished(start(&Arc::new(Broken), vec![call(0, 60)], 8)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_the_run_cancels_its_calls() {
        let service = Arc::new(Slow);
        let run = start(&service, vec![call(9, 60)], 8);
        drop(run);
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&service), 1);
    }
}
