//! What calls may cost and which models they may use: budgets, allow-lists and `--max-cost`.
//!
//! [`Admit`] decides on a call as a whole, before the call waits for anything. [`Spend`] is the last policy before the
//! gateway: it knows the final body of each request, reserves the most that this body may cost, and replaces that by what
//! the request did cost. Nothing waits between the reservation and the request, so a reservation means that its request
//! was sent. A further try may be billed like the first one, so each try has a reservation of its own.

mod balance;
mod process;
mod reservation;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub(crate) use self::balance::balances_of;
pub use self::balance::{Balance, balances};
pub(crate) use self::process::owner;
use self::reservation::Reservation;
#[cfg(test)]
pub(crate) use self::store::tests as store_tests;
pub use self::store::{Account, BudgetStore, Decision, Entry, Shortfall, Spent, SqliteBudgets, used};
pub(crate) use self::store::{Reserved, Sums};
use crate::adapter::{Api, ClientBody, Operation, OutputBound, WireRequest, may_name_others, naming_model};
use crate::call::{Call, Event, Events, Observer, Service, Target};
use crate::config::{Action, Budget, Gateway, Match, Subject, Window, model_fits};
use crate::error::{Failure, FailureKind};
use crate::ids::new_id;
use crate::ledger::{self, StoreError};
use crate::money::Usd;
use crate::pricing::{Pricing, estimate};
use crate::record::Cost;

/// The tokens that are reserved for an answer whose length nothing limits. Most answers are shorter.
const UNLIMITED_ANSWER: u64 = 4_096;

/// What limits the spending of all calls. What limits the calls of one caller comes with [them](crate::call::Caller).
#[derive(Debug)]
pub struct SpendingLimits {
    /// The budgets of the config.
    pub budgets: Vec<Budget>,
    /// By the name of a key, the models that it may be used for. A key that is not there may be used for all.
    pub allow: BTreeMap<String, Vec<String>>,
    /// The gateways by name.
    pub gateways: BTreeMap<String, Gateway>,
    /// By gateway, the name of the key that is used there.
    pub keys: BTreeMap<String, String>,
    /// The prices of models.
    pub pricing: Arc<Pricing>,
    /// Where the sums of budgets are kept; `None` where there is no directory for them.
    pub store: Option<Arc<dyn BudgetStore>>,
}

/// Refuses calls to models that their key or caller may not use.
#[derive(Debug)]
pub struct Admit<S> {
    inner: S,
    limits: Option<Arc<SpendingLimits>>,
}

impl<S> Admit<S> {
    /// Without `limits`, every call is passed on as it is.
    pub fn new(inner: S, limits: Option<Arc<SpendingLimits>>) -> Self {
        Self { inner, limits }
    }
}

impl<S: Service> Service for Admit<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let Some(limits) = &self.limits else {
            return self.inner.call(call, events).await;
        };
        limits.check_model(call)?;
        let mut call = call.clone();
        // A limit on the length of the answer must not be left out where it limits the cost.
        call.limits.bounded |= is_strict(call.caller.max_cost.is_some(), &limits.budgets_of(&call, Timestamp::now()));
        self.inner.call(&call, events).await
    }
}

/// Sends a request only if it fits into the budgets and the limit of its caller.
#[derive(Debug)]
pub struct Spend<S> {
    inner: S,
    limits: Option<Arc<SpendingLimits>>,
}

impl<S> Spend<S> {
    /// Without `limits`, every request is sent.
    pub fn new(inner: S, limits: Option<Arc<SpendingLimits>>) -> Self {
        Self { inner, limits }
    }
}

impl<S: Service> Service for Spend<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let Some(limits) = &self.limits else {
            return self.inner.call(call, events).await;
        };
        let (events, observer) = events.observed();
        let Some(mut reservation) = limits.reservation(call, observer)? else {
            return self.inner.call(call, &events).await;
        };
        for message in reservation.make().await? {
            events.emit(Event::Notice { message }).await?;
        }
        let result = self.inner.call(call, &events).await;
        if let Some(message) = reservation.settle() {
            events.emit(Event::Notice { message }).await?;
        }
        result
    }
}

/// A budget in its present window.
type Current<'a> = (&'a Budget, Window);

/// Where a budget is kept account of in its window.
fn account((budget, window): &Current<'_>) -> Account {
    Account {
        budget: budget.id(),
        began: window.began.as_second(),
        limit: budget.limit,
        strict: budget.action == Action::Refuse,
    }
}

/// Whether something refuses what does not fit.
fn is_strict(has_limit: bool, budgets: &[Current<'_>]) -> bool {
    has_limit || budgets.iter().any(|(budget, _)| budget.action == Action::Refuse)
}

fn refused(message: String, hint: impl Into<Box<str>>) -> Failure {
    Failure::new(FailureKind::Refused, message).with_advice(hint)
}

/// The failure of a call to a model that the key may not be used for.
fn no_model(key: &str, model: &str, hint: String) -> Failure {
    let failure = refused(format!("the key {key} may not be used for {model}"), hint);
    Failure { param: Some("model".to_owned()), ..failure }
}

/// Fails where a tool or a plugin of the request names a model of its own, which no list of models knows of.
fn check_named_models(key: &str, call: &Call) -> Result<(), Failure> {
    let field = match call.passed() {
        Some(body) => naming_model(body.bytes()),
        None => naming_model(&serde_json::to_vec(&call.request.extra).unwrap_or_default()),
    };
    field.map_or(Ok(()), |field| Err(other_model(key, &field)))
}

/// The failure of a call with a field that may ask a model for which the key may not be used.
pub(crate) fn other_model(key: &str, field: &str) -> Failure {
    let message = format!("`{field}` names a model of its own, and the key {key} may be used for some models only");
    Failure { param: Some("model".to_owned()), ..refused(message, "leave the name of the model out") }
}

/// The failure of a call whose budgets cannot be asked.
fn unknown_balance(error: &StoreError) -> Failure {
    let failure = Failure::new(FailureKind::Refused, format!("a budget applies, and {error}"));
    Failure { cause: error.cause(), advice: error.hint().map(Into::into), param: Some(STORE.to_owned()), ..failure }
}

/// What a refusal names where the cause is the store of budgets, and no limit.
const STORE: &str = "store";

/// Whether a call was refused because its budgets could not be asked.
pub(crate) fn is_store_lost(failure: &Failure) -> bool {
    failure.kind == FailureKind::Refused && failure.param.as_deref() == Some(STORE)
}

impl SpendingLimits {
    /// The names of the keys that the call is made with: that of a server's client, and that of the one which the gateway gets.
    /// Limits hold for both.
    fn keys<'a>(&'a self, call: &'a Call) -> Vec<&'a str> {
        let sent = self.keys.get(&call.target().gateway);
        call.caller.key.iter().chain(sent).map(String::as_str).collect()
    }

    /// Whether the key and the caller of the call may use its model.
    ///
    /// # Errors
    /// They may not.
    pub(crate) fn check_model(&self, call: &Call) -> Result<(), Failure> {
        let (keys, Target { gateway, model }) = (self.keys(call), call.target());
        let key = keys.first().copied().unwrap_or_default();
        let allowed = |key: &&str| self.allow.get(*key).map(|list| (list, "[allow] in the config lets it be used for"));
        let of_caller = call.caller.allow.as_ref().map(|list| (list, "it may be used for"));
        let lists: Vec<_> = keys.iter().filter_map(allowed).chain(of_caller).collect();
        for (patterns, hint) in &lists {
            if !patterns.iter().any(|pattern| model_fits(pattern, gateway, model)) {
                let allowed = if patterns.is_empty() { "no model".into() } else { patterns.join(", ") };
                return Err(no_model(key, model, format!("{hint} {allowed}")));
            }
        }
        if let Some(pattern) = call.caller.refused(call.target()) {
            return Err(no_model(key, model, format!("it may not be used for {pattern}")));
        }
        let is_limited = !lists.is_empty() || !call.caller.refuse.is_empty();
        // A budget for a model may be that of a model which the name hides; any other one, the call falls under or not.
        let may_limit = |budget: &&Budget| {
            let of_any_model = Match { model: None, ..budget.matches.clone() };
            budget.action == Action::Refuse && of_any_model.fits(&self.subject(call, &keys, &call.tags()))
        };
        let is_cost_limited = || {
            let mut budgets = self.budgets.iter().chain(&call.caller.budgets);
            call.caller.max_cost.is_some() || budgets.any(|budget| may_limit(&budget))
        };
        if may_name_others(model) && (is_limited || is_cost_limited()) {
            let message = format!("with the name {model}, a gateway may ask a model that no limit knows of");
            let failure = refused(message, "name one model, without a comma or a preset");
            return Err(Failure { param: Some("model".to_owned()), ..failure });
        }
        if is_limited { check_named_models(key, call) } else { Ok(()) }
    }

    /// What budgets look at of the call.
    fn subject<'a>(
        &self,
        call: &'a Call,
        keys: &'a [&'a str],
        tags: &'a std::collections::BTreeMap<String, String>,
    ) -> Subject<'a> {
        let target = call.target();
        Subject { keys, gateway: &target.gateway, model: &target.model, task: call.task.as_deref(), tags }
    }

    /// The budgets that the call falls under.
    fn budgets_of<'a>(&'a self, call: &'a Call, now: Timestamp) -> Vec<Current<'a>> {
        if self.budgets.is_empty() && call.caller.budgets.is_empty() {
            return Vec::new();
        }
        let (target, tags, keys) = (call.target(), call.tags(), self.keys(call));
        let subject = self.subject(call, &keys, &tags);
        let all = self.budgets.iter().chain(&call.caller.budgets);
        // Nothing is paid at the demo gateway, so it counts only for a budget that names it.
        let is_paid =
            |budget: &Budget| target.gateway != ledger::DEMO || budget.matches.gateway.as_deref() == Some(ledger::DEMO);
        let fitting = all.filter(|budget| is_paid(budget) && budget.matches.fits(&subject));
        fitting.filter_map(|budget| Some((budget, budget.per.window(now)?))).collect()
    }

    /// The most that this call may cost with its first model.
    ///
    /// # Errors
    /// That is not known, or is not limited.
    pub(crate) fn most(&self, call: &Call) -> Result<Usd, Failure> {
        self.highest_cost(call, true)
    }

    /// Counts what a call has cost for which nothing was reserved, because a batch handed its request over earlier. The most that
    /// it may have cost counts for what is not known.
    pub(crate) fn count(&self, call: &Call, cost: Option<Cost>) {
        let now = Timestamp::now();
        let budgets = self.budgets_of(call, now);
        let Some(store) = self.store.as_ref().filter(|_| !budgets.is_empty()) else { return };
        let known = cost.map_or(Usd::ZERO, |cost| cost.usd);
        let most = match cost {
            Some(Cost { partial: false, .. }) => known,
            // Without a price, nothing can be said.
            _ => self.highest_cost(call, false).unwrap_or(Usd::ZERO).max(known),
        };
        let accounts = budgets.iter().map(account).collect();
        let id = new_id().to_string();
        let entry = Entry { id, accounts, amount: most, expires: now.as_second() };
        let estimated = Usd::from_picos(most.picos() - known.picos());
        store.settle(&entry, Spent { cost: most, estimated });
    }

    /// The reservation that this request needs, which is not made yet. Returns None where nothing limits its cost.
    fn reservation(self: &Arc<Self>, call: &Call, observer: Observer) -> Result<Option<Reservation>, Failure> {
        let now = Timestamp::now();
        let budgets = self.budgets_of(call, now);
        let max_cost = call.caller.max_cost.clone();
        if budgets.is_empty() && max_cost.is_none() {
            return Ok(None);
        }
        let amount = self.highest_cost(call, is_strict(max_cost.is_some(), &budgets))?;
        Ok(Some(Reservation::new(self, call, &budgets, amount, now, observer)))
    }

    /// The most that the request may cost with the body that will be sent.
    fn highest_cost(&self, call: &Call, is_strict: bool) -> Result<Usd, Failure> {
        let target = call.target();
        if call.operation() == Operation::CountTokens {
            return Ok(Usd::ZERO);
        }
        let must_be_known = is_strict && !call.caller.allow_unpriced;
        let Some(gateway) = self.gateways.get(&target.gateway) else { return priced(None, target, must_be_known) };
        let api = match call.operation() {
            // Both are OpenAI's, whatever else the gateway speaks.
            Operation::Embed | Operation::Complete => Api::OpenaiChat,
            _ => call.api(gateway.api_of(&target.model)),
        };
        let wire = call.wire(api);
        if must_be_known {
            check_prices(call, api, &wire)?;
        }
        let OutputBound { max_tokens, named, answers } = match call.operation() {
            Operation::Embed => OutputBound { max_tokens: Some(0), named: 0, answers: Some(1) },
            _ => api.adapter().output_bound(&wire),
        };
        if call.caller.max_cost.is_some() && max_tokens.is_none() {
            let message = "--max-cost cannot be kept: the answer may be of any length".to_owned();
            return Err(refused(message, "--max-tokens sets a limit"));
        }
        if answers.is_none() && (must_be_known || call.caller.max_cost.is_some()) {
            let message = "nobody knows how many answers this request wants, and its cost is limited".to_owned();
            return Err(refused(message, "`n`, `best_of` and `candidateCount` are whole numbers"));
        }
        let tokens = max_tokens.unwrap_or_else(|| named.max(UNLIMITED_ANSWER));
        let input = estimate::most_input(&call.request, &wire.body, &target.model);
        let output = tokens.saturating_mul(u64::from(answers.unwrap_or(1)));
        let most = self.pricing.quote(gateway, &target.model).and_then(|quote| quote.bound(input, output));
        priced(most, target, must_be_known)
    }
}

/// The cost, or nothing where it need not be known.
fn priced(cost: Option<Usd>, target: &Target, must_be_known: bool) -> Result<Usd, Failure> {
    match cost {
        Some(cost) => Ok(cost),
        None if must_be_known => Err(refused(
            format!("nobody knows what {} costs, and its cost is limited", target.model),
            format!("give it a price under [price.\"{}\"] in the config, or say --allow-unpriced", target.model),
        )),
        None => Ok(Usd::ZERO),
    }
}

/// Fails where the request holds something for which a gateway may bill more than the price of the model says.
fn check_prices(call: &Call, api: Api, wire: &WireRequest) -> Result<(), Failure> {
    if let Some(field) = api.adapter().unpriced_field(wire) {
        let message = format!("nobody knows what a request with `{field}` costs, and its cost is limited");
        let hint = match &call.caller.key {
            Some(key) => format!("leave `{field}` out, or give the key {key} the rule `allow_unpriced`"),
            None => format!("leave `{field}` out, or say --allow-unpriced"),
        };
        return Err(Failure { param: Some(field), ..refused(message, hint) });
    }
    if let Some(obstacle) = call.passed().and_then(ClientBody::obstacle) {
        let message = format!("nobody knows what this request costs, and its cost is limited: {obstacle}");
        return Err(refused(message, "send what the format knows, with pictures and files in the request itself"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
