//! A call on its way down through the policies, the trait that answers it, and the events that it sends back.
#![warn(missing_docs)]

mod events;
pub(crate) mod origin;

pub use events::{Event, Events, Meta, Observed, Observer, Passed, RunEvent, Stopped, Told, Undelivered};

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::adapter::{Api, ClientBody, Operation, WireRequest};
use crate::chat::Request;
use crate::config::{Budget, model_may_fit, name_may_fit};
use crate::error::Failure;
use crate::ids::new_id;
use crate::money::Usd;
use crate::schema::Schema;

/// The tag that names the step of a pipeline.
pub const STEP_TAG: &str = "step";

/// The tag of the calls of judges, with the value [`JUDGE`].
pub const ROLE_TAG: &str = "role";

/// See [`ROLE_TAG`].
pub const JUDGE: &str = "judge";

/// Gets a call answered: a gateway, or a policy around another service.
pub trait Service: Send + Sync {
    /// Sends what arrives to `events`, and returns when the call is over.
    ///
    /// # Errors
    /// The answer is missing or not complete. What arrived of it was sent to `events` all the same.
    fn call(&self, call: &Call, events: &Events) -> impl Future<Output = Result<(), Failure>> + Send;
}

impl<S: Service> Service for Arc<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        S::call(self, call, events).await
    }
}

/// One prompt to one model, alias or task, with everything that is done to get it answered.
#[derive(Debug, Clone)]
pub struct Call {
    /// The position in the run, from 0. Events carry it.
    pub index: usize,
    /// The id of the call and of its record. No other call has the same.
    pub id: String,
    /// Sent as `Idempotency-Key`: the same for all tries of one request. It is the id, unless a client of the server
    /// chose a key of its own, or a policy [sends another request](Call::key_for) for this call.
    pub idempotency_key: String,
    /// Who makes the call.
    pub caller: Arc<Caller>,
    /// What the answer is for.
    pub role: Role,
    /// What tells the call from others of its run: the name of a step, the row of a batch.
    pub label: Option<String>,
    /// The model or alias as the user wrote it.
    pub asked: String,
    /// The task that was resolved to `asked`, if the user named a task.
    pub task: Option<String>,
    /// The models that may answer, in order of preference. Never empty.
    pub choices: Vec<Choice>,
    /// The models of the other calls that the user sees beside it: those of its run, and in a chat those of the turns before.
    pub beside: Arc<[Target]>,
    /// What is sent, whatever the model.
    pub request: Arc<Request>,
    /// The same in the wire format of the client of a server, for gateways that speak it.
    pub body: Option<Arc<ClientBody>>,
    /// Whether the answer may not come from the cache, nor go into it.
    pub uncached: bool,
    /// The header `traceparent` of the trace that the call belongs to.
    pub trace: Option<Arc<str>>,
    /// The schema that the answer must follow, if one was given.
    pub schema: Option<Arc<Schema>>,
    /// Time and retries.
    pub limits: Limits,
    /// When the call was to be made, since the run began, where its schedule says so. The times of its record count from
    /// then, so that they include every wait for a place among the running calls.
    pub due: Option<Duration>,
}

impl Call {
    /// A call with a new id, for an answer that is neither judged nor a step.
    pub fn new(index: usize, asked: impl Into<String>, choices: Vec<Choice>, request: Arc<Request>) -> Self {
        let id = new_id().to_string();
        Self {
            index,
            idempotency_key: id.clone(),
            id,
            caller: Arc::default(),
            role: Role::default(),
            label: None,
            asked: asked.into(),
            task: None,
            choices,
            beside: Arc::default(),
            request,
            body: None,
            uncached: false,
            trace: None,
            schema: None,
            limits: Limits::default(),
            due: None,
        }
    }

    /// The first choice. A policy that tries one choice passes on a call that has only this one.
    pub fn choice(&self) -> &Choice {
        &self.choices[0]
    }

    /// The model that is asked first.
    pub fn target(&self) -> &Target {
        &self.choice().target
    }

    /// Every model that may be asked, in order.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.choices.iter().map(|choice| &choice.target)
    }

    /// The models from which a message about this call must tell its own: those that may be asked, here and beside it.
    pub fn told_apart(&self) -> impl Iterator<Item = &Target> {
        self.targets().chain(self.beside.iter())
    }

    /// What the call asks for.
    pub fn operation(&self) -> Operation {
        self.body.as_ref().map_or(Operation::Generate, |body| body.operation())
    }

    /// The wire format in which a gateway of this format is asked.
    pub fn api(&self, api: Api) -> Api {
        match &self.body {
            // These have a format of their own, which is not the gateway's for chats.
            Some(body) if body.operation() != Operation::Generate => body.api(),
            _ => api,
        }
    }

    /// The client's own body, if the first choice gets it. The client then gets the bytes of the answer.
    pub fn passed(&self) -> Option<&ClientBody> {
        self.body.as_deref().filter(|_| self.choice().passes)
    }

    /// The request as it is sent to the first choice in this format.
    pub fn wire(&self, api: Api) -> WireRequest {
        let model = &self.target().model;
        match self.passed() {
            Some(body) => body.wire(model),
            None => api.adapter().encode_request(model, &self.request),
        }
    }

    /// The tags of the call: those of the caller, the name of the step, and the role of a judge.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.caller.tags.clone();
        if let (Role::Step, Some(step)) = (self.role, &self.label) {
            tags.insert(STEP_TAG.to_owned(), step.clone());
        }
        if self.role == Role::Judge {
            tags.insert(ROLE_TAG.to_owned(), JUDGE.to_owned());
        }
        tags
    }

    /// The idempotency key of a request that differs from the first one of this call. A gateway answers a key that it
    /// knows from memory, so another request needs another key; the same `other` always gives the same key.
    pub fn key_for(&self, other: &str) -> String {
        let hash = Sha256::new().chain_update(&self.idempotency_key).chain_update("\n").chain_update(other).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// This call with only one of its choices, and with the time that is left.
    pub fn narrowed(&self, choice: &Choice, timeout: Duration) -> Self {
        let is_first = choice.target == *self.target();
        Self {
            idempotency_key: if is_first {
                self.idempotency_key.clone()
            } else {
                self.key_for(&choice.target.to_string())
            },
            choices: vec![choice.clone()],
            request: match self.body.is_some() && !choice.passes {
                true => origin::for_target(&self.request, &choice.target),
                false => Arc::clone(&self.request),
            },
            limits: Limits { retries: self.limits.retries.or(choice.retries), timeout, ..self.limits },
            ..self.clone()
        }
    }
}

/// Who makes a call: the person at the terminal, or the owner of a scoped key. Budgets, the cache and the ledger read
/// it, and cached answers are never given to another caller.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The name of the scoped key; `None` for the person at the terminal.
    pub key: Option<String>,
    /// What the caller's costs are attributed to.
    pub tags: BTreeMap<String, String>,
    /// The models that the caller may use, as patterns; `None` where nothing is forbidden.
    pub allow: Option<Vec<String>>,
    /// The models that the caller may not use, as patterns.
    pub refuse: Vec<String>,
    /// The budgets of this caller alone.
    pub budgets: Vec<Budget>,
    /// The most that the caller's calls may cost together, if there is a limit besides the budgets.
    pub max_cost: Option<Arc<CostLimit>>,
    /// Whether models without a known price may be used where the cost is limited.
    pub allow_unpriced: bool,
}

impl Caller {
    /// The pattern by which the caller may not use this model.
    pub fn refused(&self, target: &Target) -> Option<&str> {
        let refused = self.refuse.iter().find(|pattern| model_may_fit(pattern, &target.gateway, &target.model));
        refused.map(String::as_str)
    }

    /// Whether the caller may not use this name of a model, an alias or a task, whatever it stands for.
    pub fn is_refused(&self, name: &str) -> bool {
        self.refuse.iter().any(|pattern| name_may_fit(pattern, name))
    }
}

/// An amount that several calls may spend together.
#[derive(Debug)]
pub struct CostLimit {
    /// The most that may be spent.
    pub most: Usd,
    /// What is spent or reserved by now.
    used: Mutex<Usd>,
    /// Where it is kept beyond this process.
    account: OnceLock<(String, i64)>,
}

impl CostLimit {
    /// Nothing is spent yet.
    pub fn new(most: Usd) -> Self {
        Self { most, used: Mutex::new(Usd::ZERO), account: OnceLock::new() }
    }

    /// Keeps what is spent from now on in this account of the store of budgets, too: its name, and the beginning of its window in
    /// seconds since 1970.
    pub fn keep_in(&self, account: String, began: i64) {
        // Only the first one counts.
        _ = self.account.set((account, began));
    }

    /// The account that keeps what is spent, and the beginning of its window; `None` where only this process knows it.
    pub fn account(&self) -> Option<(&str, i64)> {
        self.account.get().map(|(name, began)| (&**name, *began))
    }

    /// Reserves an amount.
    ///
    /// # Errors
    /// The amount is more than what is left, which is returned; nothing is reserved then.
    pub fn reserve(&self, amount: Usd) -> Result<(), Usd> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let left = Usd::from_picos(self.most.picos().saturating_sub(used.picos()).max(0));
        if amount > left {
            return Err(left);
        }
        *used += amount;
        Ok(())
    }

    /// Replaces a reserved amount by what was spent.
    pub fn settle(&self, reserved: Usd, spent: Usd) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = *used - reserved + spent;
    }
}

/// What an answer is for. Costs count for all roles; exit codes and comparisons look at answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// The user asked for it.
    #[default]
    Answer,
    /// It compares the answers of others.
    Judge,
    /// It is a step of a pipeline.
    Step,
    /// It shows what a model can do, or how fast it is. Whether it is good does not matter.
    Measurement,
}

/// One model that may answer a call, and the limits that hold there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The model and its gateway.
    pub target: Target,
    /// Further tries after a failure that may pass. The limits of the call come first.
    pub retries: Option<u32>,
    /// The longest that one attempt may take to begin its answer, or to go on with it, where the gateway's own timeouts
    /// are longer.
    pub timeout: Option<Duration>,
    /// The time without a first piece after which the next choice is asked as well.
    pub hedge: Option<Duration>,
    /// Whether it gets the [body](Call::body) of the client as it is, because it speaks the client's wire format.
    pub passes: bool,
}

/// A choice with the gateway's own limits.
impl From<Target> for Choice {
    fn from(target: Target) -> Self {
        Self { target, retries: None, timeout: None, hedge: None, passes: false }
    }
}

/// One model at one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The gateway's name in the config.
    pub gateway: String,
    /// The model as that gateway calls it.
    pub model: String,
}

impl Target {
    /// The name in a message that also speaks of these others: that of the model; with its gateway where another has the same
    /// model.
    pub fn name_among<'a>(&self, others: impl IntoIterator<Item = &'a Self>) -> String {
        if self.is_twice(others) { self.to_string() } else { self.model.clone() }
    }

    /// Whether another gateway has the same model among these.
    pub fn is_twice<'a>(&self, others: impl IntoIterator<Item = &'a Self>) -> bool {
        others.into_iter().any(|other| other.model == self.model && other.gateway != self.gateway)
    }

    /// Says why it is not tried beside these others.
    pub fn not_tried<'a>(&self, others: impl IntoIterator<Item = &'a Self>, why: &str) -> String {
        format!("{} is not tried: {why}", self.name_among(others))
    }
}

/// `GATEWAY::MODEL`, as users write it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.gateway, self.model)
    }
}

/// The limits of one call. The gateway's own timeouts are in its config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Further tries after a failure that may pass; `None` leaves the number to the kind of failure.
    pub retries: Option<u32>,
    /// Whether money is reserved for an answer of `max_tokens`: then that parameter is never left out.
    pub bounded: bool,
    /// For the whole call with all tries and waits; below a policy that narrows the call, what is left of it.
    pub timeout: Duration,
}

/// No more than the ten minutes that clients of most vendors allow.
impl Default for Limits {
    fn default() -> Self {
        Self { retries: None, bounded: false, timeout: Duration::from_secs(600) }
    }
}
