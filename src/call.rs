//! What travels: a call on its way down through the policies, and the events of its life on their way up.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::chat::{Request, Response, StreamEvent};
use crate::error::Failure;
use crate::money::Usd;

/// One prompt to one model, with everything that is done to get it answered.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its place in the run, from 0.
    pub index: usize,
    /// Unique for good; also sent as `Idempotency-Key`, the same over all tries. A policy that sends something else in
    /// the place of the first request gives that [another](Call::id_of).
    pub id: String,
    /// The model or alias as the user asked for it.
    pub asked: String,
    /// The task that led there, if one did.
    pub task: Option<String>,
    /// Where it may be answered, in order of preference; never empty.
    pub choices: Vec<Choice>,
    pub request: Arc<Request>,
    pub limits: Limits,
}

impl Call {
    /// The first choice. A policy that narrows a call to one choice leaves just that one in it.
    pub fn choice(&self) -> &Choice {
        &self.choices[0]
    }

    /// Where this call goes first.
    pub fn target(&self) -> &Target {
        &self.choice().target
    }

    /// The id of another request that is made for this call, always the same for the same: a gateway that answers what
    /// it knows from memory must not take it for the first.
    pub fn id_of(&self, other: &str) -> String {
        let hash = Sha256::new().chain_update(&self.id).chain_update("\n").chain_update(other).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// This call, to be answered at one of its choices alone, with what is left of its time.
    pub fn narrowed(&self, choice: &Choice, timeout: Duration) -> Self {
        let is_first = choice.target == *self.target();
        Self {
            index: self.index,
            id: if is_first { self.id.clone() } else { self.id_of(&choice.target.to_string()) },
            asked: self.asked.clone(),
            task: self.task.clone(),
            choices: vec![choice.clone()],
            request: Arc::clone(&self.request),
            limits: Limits { retries: self.limits.retries.or(choice.retries), timeout, ..self.limits },
        }
    }

    /// Everywhere that this call may go, in order.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.choices.iter().map(|choice| &choice.target)
    }
}

/// One place where a call may be answered, and how much patience it gets there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub target: Target,
    /// Further tries after a failure that may pass; what the call's own limits say wins.
    pub retries: Option<u32>,
    /// How long one try may stay silent, where that is less than the gateway's own limits allow.
    pub patience: Option<Duration>,
    /// After how long without a first piece the next choice starts as well.
    pub hedge: Option<Duration>,
}

/// With the usual patience.
impl From<Target> for Choice {
    fn from(target: Target) -> Self {
        Self { target, retries: None, patience: None, hedge: None }
    }
}

/// One model at one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The gateway's name in the config.
    pub gateway: String,
    /// The model as that gateway calls it.
    pub model: String,
}

/// `GATEWAY::MODEL`, as users write it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.gateway, self.model)
    }
}

/// What one call may take. The gateway's own time limits are in its config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Further tries after a failure that may pass; `None` leaves it to the kind of failure.
    pub retries: Option<u32>,
    /// Whether money is set aside for an answer of `max_tokens` and no more may be spent: that limit is not given up.
    pub bounded: bool,
    /// For the whole call, all tries and waits included; below a policy that narrows the call, what is left of it.
    pub timeout: Duration,
}

/// One thing that happened to one call of a run.
#[derive(Debug, Clone)]
pub struct RunEvent {
    /// The call's place in the run.
    pub call: usize,
    /// When, since the run began. Monotonic.
    pub at: Duration,
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// An HTTP request is about to be made.
    Attempt { target: Target },
    /// A connection was made for it, which took this long (DNS, TCP, TLS). Missing where one was reused.
    Connected { took: Duration },
    /// The status line and headers arrived.
    Headers { status: u16, meta: Meta },
    /// A piece of the answer.
    Stream(StreamEvent),
    /// One event of the stream could not be read and was skipped.
    Malformed { message: String },
    /// The attempt failed; whether another follows is for the next event to say.
    AttemptFailed { failure: Failure },
    /// The model refuses a parameter: it is asked again without it, or with something else in its place.
    Adjusted { parameter: &'static str, instead: Option<&'static str> },
    /// The same model will be tried again after a wait.
    Retry { after: Duration, cause: Failure },
    /// The answer was given before, and is given again: no request is made.
    Cached { target: Target },
    /// Something that the user should hear at once.
    Notice { message: String },
    /// The models asked so far are slow to begin: another is asked as well, and the first to speak is heard.
    Hedge { slow: Target, to: Target },
    /// The next model is tried instead.
    Fallback { to: Target, cause: Failure },
    /// The call is over.
    Done(Result<(), Failure>),
}

impl Event {
    /// Whether it is a piece of an answer that the user gets to see.
    pub fn is_heard(&self) -> bool {
        matches!(
            self,
            Self::Stream(
                StreamEvent::TextDelta(_) | StreamEvent::ReasoningDelta(_) | StreamEvent::ToolCallStart { .. }
            )
        )
    }
}

/// What the response headers say that the body does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// What the answer cost, where the gateway says so in a header (LiteLLM, not in streams).
    pub cost: Option<Usd>,
    /// The gateway's id of the request, for its support.
    pub request_id: Option<String>,
    /// Tries and fallbacks that the gateway made by itself.
    pub upstream_retries: Option<u32>,
    pub upstream_fallbacks: Option<u32>,
}

/// The sending end of a run's one channel, for one call.
#[derive(Debug, Clone)]
pub struct Events {
    call: usize,
    began: Instant,
    sender: mpsc::Sender<RunEvent>,
    spoke: Arc<AtomicBool>,
    overheard: Option<Overheard>,
    leftover: Leftover,
}

/// What a call had not told yet when it was stopped, and could not wait to tell.
#[derive(Debug, Clone, Default)]
pub struct Leftover(Arc<Mutex<Vec<RunEvent>>>);

impl Leftover {
    /// All of it, once.
    pub fn take(&self) -> Vec<RunEvent> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, events: impl IntoIterator<Item = RunEvent>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
    }
}

/// Shared with a policy that wants to know what its call gave.
#[derive(Debug, Clone, Default)]
pub struct Overheard(Arc<Mutex<Heard>>);

/// What a call gave so far.
#[derive(Debug, Default)]
pub struct Heard {
    /// The answer, as far as it has arrived.
    pub response: Response,
    /// Its cost, where a header said so.
    pub cost: Option<Usd>,
    /// What failed attempts cost, as far as they said.
    pub failed_cost: Usd,
    /// Attempts that may be billed though they did not say so.
    pub maybe_billed: u32,
    /// Whether an attempt is under way.
    pub under_way: bool,
}

impl Heard {
    /// What this attempt cost will never be told.
    fn doubt(&mut self) {
        self.maybe_billed += 1;
        self.response = Response::default();
    }
}

impl Overheard {
    /// What was heard until now.
    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        // What was heard before a panic was heard all the same.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, event: &Event) {
        let mut heard = self.heard();
        match event {
            Event::Attempt { .. } => {
                (heard.response, heard.cost, heard.under_way) = (Response::default(), None, true);
            }
            Event::Headers { meta, .. } => heard.cost = meta.cost,
            Event::Stream(event) => heard.response.apply(event),
            Event::AttemptFailed { failure } => {
                heard.under_way = false;
                match heard.response.usage.cost.or(heard.cost) {
                    Some(cost) => {
                        heard.failed_cost += cost;
                        (heard.response, heard.cost) = (Response::default(), None);
                    }
                    None if heard.response.bill_is_open() => heard.doubt(),
                    // It came to its end, so its usage is final: it is an answer, if not the wanted one.
                    None if heard.response.finish.is_some() => {}
                    None if failure.maybe_billed => heard.doubt(),
                    None => {}
                }
            }
            _ => {}
        }
    }
}

/// Events that may wait to be taken in by a policy.
const HELD: usize = 256;

/// Nobody listens any more: the run was stopped, so the call must end at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl From<Stopped> for Failure {
    fn from(_: Stopped) -> Self {
        Failure::new(crate::error::FailureKind::Interrupted, "interrupted")
    }
}

impl Events {
    /// `began` is the instant from which the run's times are counted.
    pub fn new(call: usize, began: Instant, sender: mpsc::Sender<RunEvent>) -> Self {
        Self { call, began, sender, spoke: Arc::default(), overheard: None, leftover: Leftover::default() }
    }

    /// Tells the run's consumer; waits while it is behind.
    pub async fn emit(&self, event: Event) -> Result<(), Stopped> {
        self.emit_at(Instant::now(), event).await
    }

    /// As [`Events::emit`], of something that happened a little earlier.
    pub async fn emit_at(&self, when: Instant, event: Event) -> Result<(), Stopped> {
        self.forward(self.event(when, event)).await
    }

    /// Something that happened to this call.
    pub fn event(&self, when: Instant, event: Event) -> RunEvent {
        RunEvent { call: self.call, at: when.saturating_duration_since(self.began), event }
    }

    /// Leaves to whoever stopped this call what it can no longer wait to tell.
    pub fn leave(&self, events: impl IntoIterator<Item = RunEvent>) {
        self.leftover.add(events);
    }

    /// Where such things are left.
    pub fn leftover(&self) -> Leftover {
        self.leftover.clone()
    }

    /// Hands on what was told to another, as it was told.
    pub async fn forward(&self, event: RunEvent) -> Result<(), Stopped> {
        if event.event.is_heard() {
            self.spoke.store(true, Ordering::Relaxed);
        }
        if let Some(overheard) = &self.overheard {
            overheard.hear(&event.event);
        }
        self.sender.send(event).await.map_err(|_| Stopped)
    }

    /// The same sender, and what will be told through it.
    pub fn overheard(&self) -> (Self, Overheard) {
        let overheard = self.overheard.clone().unwrap_or_default();
        (Self { overheard: Some(overheard.clone()), ..self.clone() }, overheard)
    }

    /// A sender for a part of this call, whose events go to the receiver until it is known whether they count.
    pub fn held(&self) -> (Self, mpsc::Receiver<RunEvent>) {
        let (sender, receiver) = mpsc::channel(HELD);
        (Self::new(self.call, self.began, sender), receiver)
    }

    /// Whether any part of an answer has reached the user: from then on nothing is tried again or replaced.
    pub fn spoke(&self) -> bool {
        self.spoke.load(Ordering::Relaxed)
    }
}
