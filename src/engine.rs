//! Runs calls at once: a task for each call, and one channel from which one consumer takes their events. No other module
//! spawns tasks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time;

use crate::call::{Call, Event, Events, RunEvent, Service, Undelivered};
use crate::error::{Failure, FailureKind};

/// The capacity of the channel, in messages. When it is full, calls wait for the consumer. It is small, because one message
/// may hold 64 KiB of an answer.
const CHANNEL: usize = 8;

/// Calls that are running. More can be started at any time. Dropping the engine cancels them all.
#[derive(Debug)]
pub struct Engine {
    sender: mpsc::Sender<Vec<RunEvent>>,
    events: mpsc::Receiver<Vec<RunEvent>>,
    /// The tasks. Each returns the index of its call.
    calls: JoinSet<usize>,
    /// By index of the call, the events that a running call has kept and not sent, for the case that it is stopped.
    undelivered: HashMap<usize, Undelivered>,
    began: Instant,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An engine without calls. Times are counted from now.
    pub fn new() -> Self {
        let (sender, events) = mpsc::channel(CHANNEL);
        Self { sender, events, calls: JoinSet::new(), undelivered: HashMap::new(), began: Instant::now() }
    }

    /// Starts a call. Must be called inside a tokio runtime.
    #[expect(clippy::disallowed_methods, reason = "tasks are spawned here and nowhere else")]
    pub fn start<S: Service + 'static>(&mut self, service: &Arc<S>, call: Arc<Call>) {
        let service = Arc::clone(service);
        let events = Events::new(call.index, self.began, self.sender.clone());
        self.undelivered.insert(call.index, events.undelivered());
        self.calls.spawn(async move {
            // The state of a call is tens of kilobytes. In a box of its own it is not moved into the task and out of it.
            let answered = Box::pin(service.call(&call, &events));
            let result = within(call.limits.timeout, answered).await;
            let _ = events.forward(&mut events.undelivered().take()).await;
            // Sending fails only after the run was stopped, when nobody receives events any more.
            let _ = events.emit(Event::Done(result)).await;
            call.index
        });
    }

    /// Waits for events and appends all that have arrived to `batch`. Returns `false` when every call is over and all events
    /// have been returned.
    ///
    /// # Panics
    /// If a call has panicked, because such a call has no result to report.
    pub async fn next(&mut self, batch: &mut Vec<RunEvent>) -> bool {
        loop {
            tokio::select! {
                biased;
                // The channel is never closed, because the engine itself holds a sender.
                Some(events) = self.events.recv() => {
                    add(batch, events);
                    // Yielding lets the other calls send what they have ready, so that it is shown with one write.
                    tokio::task::yield_now().await;
                    self.take_ready(batch);
                    return true;
                }
                ended = self.calls.join_next() => match ended {
                    Some(ended) => self.end(ended),
                    None => {
                        let before = batch.len();
                        self.take_ready(batch);
                        return batch.len() > before;
                    }
                },
            }
        }
    }

    /// Stops all calls, and appends to `batch` the events that they have not sent yet.
    ///
    /// # Panics
    /// As for [`Engine::next`].
    pub async fn stop(&mut self, batch: &mut Vec<RunEvent>) {
        self.calls.abort_all();
        let running = std::mem::take(&mut self.undelivered);
        while let Some(ended) = self.calls.join_next().await {
            self.end(ended);
        }
        self.take_ready(batch);
        batch.extend(running.values().flat_map(Undelivered::take));
    }

    /// Appends the events that have arrived to `batch`, without waiting.
    pub fn take_ready(&mut self, batch: &mut Vec<RunEvent>) {
        while let Ok(events) = self.events.try_recv() {
            add(batch, events);
        }
    }

    /// The time since the engine was made.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn end(&mut self, ended: Result<usize, JoinError>) {
        match ended.map_err(JoinError::try_into_panic) {
            Ok(index) => _ = self.undelivered.remove(&index),
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The task was aborted by `stop`.
            Err(Err(_)) => {}
        }
    }
}

/// Appends the events, without copying them where there are no others.
fn add(batch: &mut Vec<RunEvent>, mut events: Vec<RunEvent>) {
    if batch.is_empty() {
        *batch = events;
    } else {
        batch.append(&mut events);
    }
}

/// The tasks of a server: connections and calls, which nobody waits for one by one.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    running: Arc<watch::Sender<usize>>,
}

/// Counts a task until it is dropped.
struct Counted(Arc<watch::Sender<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Tasks {
    /// Starts a task. Must be called inside a tokio runtime.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.send_modify(|count| *count += 1);
        let counted = Counted(Arc::clone(&self.running));
        self.spawn_aside(async move {
            let _counted = counted;
            task.await;
        });
    }

    /// Starts a task that [`Tasks::idle`] does not wait for.
    #[expect(clippy::disallowed_methods, reason = "tasks are spawned here and nowhere else")]
    pub fn spawn_aside(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::spawn(task));
    }

    /// Waits until no task runs.
    pub async fn idle(&self) {
        // The sender lives as long as this value.
        let _ = self.running.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Ends the call with a failure if it takes longer than `limit`.
async fn within(limit: Duration, call: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    time::timeout(limit, call).await.unwrap_or_else(|_| {
        let message = format!("the call took longer than {} s", limit.as_secs_f64());
        let advice = "--timeout, or timeouts.total of the gateway in the config, sets this limit";
        Err(Failure::new(FailureKind::Timeout, message).with_advice(advice).maybe_billed())
    })
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

    fn call(index: usize, timeout: u64) -> Arc<Call> {
        let target = Target { gateway: "g".into(), model: "m".into() };
        let mut call = Call::new(index, format!("m{index}"), vec![target.into()], Arc::new(Request::default()));
        call.limits.timeout = Duration::from_secs(timeout);
        Arc::new(call)
    }

    fn started<S: Service + 'static>(service: S, calls: impl IntoIterator<Item = Arc<Call>>) -> Engine {
        let service = Arc::new(service);
        let mut engine = Engine::new();
        calls.into_iter().for_each(|call| engine.start(&service, call));
        engine
    }

    async fn finished(mut engine: Engine) -> Vec<(usize, bool)> {
        let mut batch = Vec::new();
        while engine.next(&mut batch).await {}
        assert!(engine.undelivered.is_empty(), "nothing is kept of calls that are over");
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
        let engine = started(Slow, [call(3, 60), call(1, 60), call(2, 60)]);
        assert_eq!(finished(engine).await, [(1, true), (2, true), (3, true)]);
        assert_eq!(began.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_at_its_time_limit_and_does_not_hold_up_others() {
        let engine = started(Slow, [call(5, 2), call(1, 60)]);
        assert_eq!(finished(engine).await, [(1, true), (5, false)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_may_be_started_when_another_is_over() {
        let service = Arc::new(Slow);
        let mut engine = Engine::new();
        engine.start(&service, call(1, 60));
        let mut ends = Vec::new();
        let mut batch = Vec::new();
        while engine.next(&mut batch).await {
            for event in batch.drain(..).filter(|event| matches!(event.event, Event::Done(_))) {
                ends.push(event.call);
                if event.call == 1 {
                    engine.start(&service, call(2, 60));
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
    async fn a_call_that_panics_is_not_taken_for_one_that_was_stopped() {
        finished(started(Broken, [call(0, 60)])).await;
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_the_engine_cancels_its_calls() {
        let service = Arc::new(Slow);
        let mut engine = Engine::new();
        engine.start(&service, call(9, 60));
        drop(engine);
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&service), 1);
    }
}
