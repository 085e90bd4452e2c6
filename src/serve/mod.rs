//! `llm serve`: the engine of all commands as a gateway for programs. A request becomes a [call](crate::call::Call), and the
//! policies, prices and records are those of every command.

mod answer;
mod auth;
mod bodies;
mod connections;
mod front;
mod hosts;
mod ignored;
mod keys;
mod limits;
mod line;
mod loaded_config;
mod metrics;
mod models;
mod readable;
mod refusal;
mod request;
mod running;
mod told_cost;
mod traceparent;
mod traces;
mod translation;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use self::bodies::Bodies;
pub(crate) use self::hosts::Hosts;
use self::keys::Keys;
use self::line::Line;
pub(crate) use self::loaded_config::{FirstToken, LoadedConfig, Speeds};
use self::metrics::Metrics;
use self::traces::Traces;
use crate::config::{MissingClass, Otel};
use crate::engine::Tasks;
use crate::error::Failure;
use crate::ledger::StoreError;
use crate::run::Recording;
use crate::store::{KeyStore, MemoryRates, RateStore};

/// How long a change of a key may take to count.
const KEYS_READ: Duration = Duration::from_millis(250);

/// How often a server says in the store that it lives.
const BEAT: Duration = Duration::from_secs(10);
/// How often it tries to, while the store cannot be written.
const RETRY: Duration = Duration::from_secs(1);

/// Requests that do not run yet hold as much memory as so many of the largest bodies.
const BODIES: usize = 8;

/// The bounds of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The requests that run at once; others wait in a line.
    pub(crate) max_in_flight: usize,
    /// The requests that wait at most.
    pub(crate) max_waiting: usize,
    /// How long a request waits at most, for room for its body and for its turn.
    pub(crate) max_wait: Duration,
    /// The largest body of a request, in bytes.
    pub(crate) max_body: usize,
    /// The connections at once.
    pub(crate) max_connections: usize,
    /// How long a client may send nothing, or take nothing of what it is sent, while that is awaited.
    pub(crate) idle: Duration,
}

/// What a server keeps outside of itself.
pub(crate) struct ServerStores {
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) rates: Arc<dyn RateStore>,
    /// How calls are recorded; `None` where they are not.
    pub(crate) recording: Option<Recording>,
}

/// Where a server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Requests that run go on, and no new ones are taken.
    Draining,
    /// Requests that run are stopped.
    Stopping,
}

/// How long requests that are stopped may take to be recorded.
const LAST: Duration = Duration::from_secs(2);

/// A server, shared by all of its connections.
pub(crate) struct Server {
    /// What is replaced when the config changes. A call keeps what it began with.
    loaded: RwLock<Arc<LoadedConfig>>,
    keys: Keys,
    stores: ServerStores,
    /// Whether the store could not be written when that was last tried.
    is_store_lost: AtomicBool,
    /// Used while the store cannot be.
    own_rates: Arc<MemoryRates>,
    /// Room for the bodies of requests that do not run yet.
    bodies: Arc<Bodies>,
    line: Arc<Line>,
    bounds: Bounds,
    hosts: Hosts,
    connections: Arc<Semaphore>,
    /// Connections and calls.
    tasks: Tasks,
    /// What sends spans.
    senders: Tasks,
    phase: watch::Sender<Phase>,
    /// The gateway that has refused its key last.
    refused_key: watch::Sender<String>,
    metrics: Metrics,
    /// Where spans go; `None` where the config names no collector.
    traces: RwLock<Option<(Otel, Arc<Traces>)>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn new(loaded: LoadedConfig, stores: ServerStores, bounds: Bounds, hosts: Hosts) -> Arc<Self> {
        Arc::new(Self {
            loaded: RwLock::new(Arc::new(loaded)),
            keys: Keys::default(),
            stores,
            is_store_lost: AtomicBool::new(false),
            own_rates: Arc::default(),
            bodies: Bodies::new(bounds.max_body.saturating_mul(BODIES), bounds.max_waiting, bounds.max_wait),
            line: Line::new(bounds.max_in_flight, bounds.max_waiting, bounds.max_wait),
            bounds,
            hosts,
            connections: Arc::new(Semaphore::new(bounds.max_connections.min(Semaphore::MAX_PERMITS))),
            tasks: Tasks::default(),
            senders: Tasks::default(),
            phase: watch::Sender::new(Phase::Serving),
            refused_key: watch::Sender::default(),
            metrics: Metrics::new(),
            traces: RwLock::default(),
        })
    }

    /// Reads the keys for the first time.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn read_keys(&self) -> Result<usize, StoreError> {
        self.keys.read(&*self.stores.keys, &self.loaded().settings.key_classes).await
    }

    /// The keys of which all requests are refused because the config does not have their class, and what is missing.
    pub(crate) fn keys_without_class(&self) -> BTreeMap<String, MissingClass> {
        self.keys.without_class()
    }

    /// Answers requests until the server [drains](Self::drain).
    pub(crate) async fn serve(self: &Arc<Self>, listener: TcpListener) {
        let upkeep = Arc::clone(self);
        self.tasks.spawn_aside(async move { upkeep.keep_up().await });
        connections::accept(self, listener).await;
    }

    /// Replaces what the config says.
    pub(crate) async fn renew(&self, loaded: LoadedConfig) {
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        // Classes of keys may have changed. Where the store cannot be read, the keys stay as they are until it can.
        self.keys.forget();
        let _ = self.read_keys().await;
    }

    /// Sends traces where the config now says.
    ///
    /// # Errors
    /// The collector's headers cannot be sent, or TLS cannot be set up.
    pub(crate) fn trace(self: &Arc<Self>) -> Result<(), Failure> {
        let loaded = self.loaded();
        let wanted = loaded.settings.otel.as_ref();
        let mut traces = self.traces.write().unwrap_or_else(PoisonError::into_inner);
        if traces.as_ref().map(|(otel, _)| otel) == wanted {
            return Ok(());
        }
        // What waits for the collector that was named before is still sent to it.
        *traces = None;
        if let Some(otel) = wanted {
            let (queue, sender) = Traces::new(otel, &loaded.settings.env)?;
            *traces = Some((otel.clone(), Arc::new(queue)));
            let server = Arc::clone(self);
            self.senders.spawn(async move { sender.run(server).await });
        }
        Ok(())
    }

    fn traces(&self) -> Option<Arc<Traces>> {
        let traces = self.traces.read().unwrap_or_else(PoisonError::into_inner);
        traces.as_ref().map(|(_, traces)| Arc::clone(traces))
    }

    /// Takes no more requests, waits until those that run have ended, and stops them after so long. Returns how many were
    /// stopped.
    pub(crate) async fn drain(&self, limit: Duration) -> usize {
        self.phase.send_replace(Phase::Draining);
        let mut stopped = 0;
        if tokio::time::timeout(limit, self.tasks.idle()).await.is_err() {
            stopped = self.line.counts().0;
            self.phase.send_replace(Phase::Stopping);
            // Whatever takes longer is left to the end of the process.
            let _ = tokio::time::timeout(LAST, self.tasks.idle()).await;
        }
        // Without this end of the queue, its other end sends what waits, and ends.
        *self.traces.write().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = tokio::time::timeout(LAST, self.senders.idle()).await;
        stopped
    }

    /// What the server holds now.
    pub(crate) fn loaded(&self) -> Arc<LoadedConfig> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells each time which gateway has refused its key.
    pub(crate) fn refused_keys(&self) -> watch::Receiver<String> {
        self.refused_key.subscribe()
    }

    /// Takes in whether the store could be written.
    fn note_store(&self, is_lost: bool) {
        self.is_store_lost.store(is_lost, Ordering::Relaxed);
    }

    fn is_store_lost(&self) -> bool {
        self.is_store_lost.load(Ordering::Relaxed)
    }

    fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// Ready when the server drains.
    async fn drained(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Ready when requests are stopped.
    async fn stopped(&self) {
        self.reached(Phase::Stopping).await;
    }

    async fn reached(&self, phase: Phase) {
        // The sender lives as long as this value.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// Reads changed keys and says in the store that this server lives, until the server drains.
    async fn keep_up(&self) {
        let mut reads = tokio::time::interval(KEYS_READ);
        let mut beats = tokio::time::interval(RETRY);
        let mut beaten: Option<Instant> = None;
        loop {
            tokio::select! {
                () = self.drained() => return,
                _ = reads.tick() => {
                    let loaded = self.loaded();
                    self.keys.refresh(&*self.stores.keys, &loaded.settings.key_classes).await;
                }
                _ = beats.tick() => {
                    // A store that was lost is tried again soon.
                    if self.is_store_lost() || beaten.is_none_or(|at| at.elapsed() >= BEAT) {
                        beaten = Some(Instant::now());
                        self.note_store(self.stores.rates.beat().await.is_err());
                    }
                }
            }
        }
    }
}
