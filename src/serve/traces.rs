//! Sends the spans of calls to a collector of OpenTelemetry, in groups. A collector that is slow or gone holds up nobody: what
//! does not fit into the queue, or cannot be sent, is counted and lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::Server;
use crate::config::Otel;
use crate::error::Failure;
use crate::gateway::Collector;
use crate::ledger::Row;
use crate::report::otel::document;

/// The calls that wait at most.
const QUEUE: usize = 4096;

/// The calls of one document at most.
const GROUP: usize = 512;

/// How long a document waits for further calls.
const GATHER: Duration = Duration::from_millis(500);

/// The waits between the tries of one document.
const WAITS: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];

/// A call, and the id of the span that called it, if another program has told it.
pub(super) type Traced = (Row, Option<String>);

/// Where calls go that are to be traced.
pub(super) struct Traces {
    queue: mpsc::Sender<Traced>,
}

impl Traces {
    /// The sending end, and what has to run for it.
    ///
    /// # Errors
    /// The collector's headers cannot be sent.
    pub(super) fn new(otel: &Otel) -> Result<(Self, Sender), Failure> {
        let collector = Collector::new(otel.clone())?;
        let (queue, calls) = mpsc::channel(QUEUE);
        Ok((Self { queue }, Sender { collector, calls }))
    }

    /// Hands over a call. Returns `false` where there is no room.
    pub(super) fn add(&self, call: Traced) -> bool {
        self.queue.try_send(call).is_ok()
    }
}

/// The end that sends.
pub(super) struct Sender {
    collector: Collector,
    calls: mpsc::Receiver<Traced>,
}

impl Sender {
    /// Sends until no more calls can come.
    pub(super) async fn run(mut self, server: Arc<Server>) {
        let mut group = Vec::new();
        while self.calls.recv_many(&mut group, GROUP).await > 0 {
            let more = async { while group.len() < GROUP && self.calls.recv_many(&mut group, GROUP).await > 0 {} };
            // The group is complete when the time is over, or when it is full.
            let _ = timeout(GATHER, more).await;
            if self.send(&group).await.is_err() {
                server.metrics.unsent(group.len());
            }
            group.clear();
        }
    }

    async fn send(&self, group: &[Traced]) -> Result<(), Failure> {
        let text = document(group.iter().map(|(row, parent)| (row, parent.as_deref())));
        for wait in WAITS {
            match self.collector.send(text.clone()).await {
                Err(failure) if failure.is_transient() => sleep(wait).await,
                sent => return sent,
            }
        }
        self.collector.send(text).await
    }
}
