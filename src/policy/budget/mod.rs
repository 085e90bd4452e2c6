//! What calls may cost: budgets, allow-lists and `--max-cost`, decided before anything is sent.

mod balance;
mod book;
mod process;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

pub use self::balance::{Balance, balances};
use self::book::{Account, Book, Short};
use crate::call::Service;
use crate::call::{Call, Event, Events, Observed, Observer};
use crate::chat::Usage;
use crate::config::{Action, Budget, Gateway, Subject, Window, model_fits};
use crate::error::{Failure, FailureKind};
use crate::ledger::StoreError;
use crate::money::Usd;
use crate::pricing::{Pricing, estimate};

/// Tokens of an answer that nobody limited, for what is set aside for it.
const UNLIMITED_ANSWER: u64 = 4_096;

/// How long a reservation outlives the time limit of its call, in seconds.
const GRACE: i64 = 60;

/// What a run may spend, and on what.
#[derive(Debug)]
pub struct Purse {
    pub budgets: Vec<Budget>,
    /// By the name of a key: the models that it may be used for. Keys that are not there may be used for all.
    pub allow: BTreeMap<String, Vec<String>>,
    /// What the whole run may cost.
    pub max_cost: Option<Usd>,
    /// Whether calls may be made whose price nobody knows.
    pub allow_unpriced: bool,
    pub tags: BTreeMap<String, String>,
    /// The name of the key that is used at each gateway.
    pub keys: BTreeMap<String, String>,
    pub gateways: BTreeMap<String, Gateway>,
    pub pricing: Arc<Pricing>,
    /// Where the ledger is; `None` where there is no home directory.
    pub data: Option<PathBuf>,
    /// What the run has spent and reserved so far.
    pub spent: Mutex<Usd>,
}

/// Refuses what may cost too much.
#[derive(Debug)]
pub struct Spend<S> {
    inner: S,
    purse: Option<Arc<Purse>>,
}

impl<S> Spend<S> {
    /// Without a `purse`, every call goes through as it is.
    pub fn new(inner: S, purse: Option<Arc<Purse>>) -> Self {
        Self { inner, purse }
    }
}

/// Money that is set aside for a call under way. However that ends, what it cost is put in its place.
struct Lease {
    purse: Arc<Purse>,
    id: String,
    accounts: Vec<Account>,
    amount: Usd,
    /// Whether something refuses what does not fit.
    strict: bool,
    gateway: String,
    model: String,
    overheard: Observer,
    settled: bool,
}

impl<S: Service> Service for Spend<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let Some(purse) = &self.purse else {
            return self.inner.call(call, events).await;
        };
        purse.allows(call)?;
        let (events, overheard) = events.observed();
        let Some((mut lease, notices)) = purse.reserve(call, overheard)? else {
            return self.inner.call(call, &events).await;
        };
        for message in notices {
            events.emit(Event::Notice { message }).await?;
        }
        let mut bounded = call.clone();
        bounded.limits.bounded = lease.strict;
        let result = self.inner.call(&bounded, &events).await;
        if let Some(message) = lease.settle() {
            events.emit(Event::Notice { message }).await?;
        }
        result
    }
}

fn refused(message: String, hint: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Refused, message).with_advice(hint)
}

fn broken(error: &StoreError) -> Failure {
    let failure = refused(format!("a budget applies, and {error}"), error.hint().unwrap_or_default());
    Failure { cause: error.cause(), advice: error.hint(), ..failure }
}

impl Purse {
    fn key(&self, gateway: &str) -> &str {
        self.keys.get(gateway).map_or("", String::as_str)
    }

    fn allows(&self, call: &Call) -> Result<(), Failure> {
        let target = call.target();
        let key = self.key(&target.gateway);
        match self.allow.get(key) {
            Some(patterns) if !patterns.iter().any(|pattern| model_fits(pattern, &target.model)) => {
                let may = if patterns.is_empty() { "no model".into() } else { patterns.join(", ") };
                let message = format!("the key {key} may not be used for {}", target.model);
                Err(refused(message, format!("[allow] in the config lets it be used for {may}")))
            }
            _ => Ok(()),
        }
    }

    /// Sets aside what this call may cost; `None` where nothing limits it. Also gives what the user should hear.
    fn reserve(self: &Arc<Self>, call: &Call, overheard: Observer) -> Result<Option<(Lease, Vec<String>)>, Failure> {
        let target = call.target();
        let now = Timestamp::now();
        let subject = Subject {
            key: self.key(&target.gateway),
            gateway: &target.gateway,
            model: &target.model,
            task: call.task.as_deref(),
            tags: &self.tags,
        };
        let found: Vec<(&Budget, Window)> = self
            .budgets
            .iter()
            .filter(|budget| budget.matches.fits(&subject))
            .filter_map(|budget| Some((budget, budget.per.window(now)?)))
            .collect();
        if found.is_empty() && self.max_cost.is_none() {
            return Ok(None);
        }
        let strict = self.max_cost.is_some() || found.iter().any(|(budget, _)| budget.action == Action::Refuse);
        let amount = self.worst_case(call, strict)?;
        let mut lease = Lease {
            purse: Arc::clone(self),
            id: uuid::Uuid::now_v7().to_string(),
            accounts: Vec::new(),
            amount: Usd::ZERO,
            strict,
            gateway: target.gateway.clone(),
            model: target.model.clone(),
            overheard,
            settled: false,
        };
        self.reserve_of_run(amount)?;
        lease.amount = amount;
        if found.is_empty() {
            return Ok(Some((lease, Vec::new())));
        }
        let accounts: Vec<Account> = found
            .iter()
            .map(|(budget, window)| Account {
                budget: budget.id(),
                began: window.began.as_second(),
                limit: budget.limit,
                strict: budget.action == Action::Refuse,
            })
            .collect();
        let expires = i64::try_from(call.limits.timeout.as_secs()).unwrap_or(i64::MAX / 2);
        let expires = now.as_second().saturating_add(expires).saturating_add(GRACE);
        let reserved = self.book().and_then(|mut book| {
            book.reserve(&lease.id, &accounts, amount, now.as_second(), expires).map_err(|e| broken(&e))
        });
        let reserved = match reserved {
            Ok(reserved) => reserved,
            Err(failure) => {
                lease.release();
                return Err(failure);
            }
        };
        let says = |short: &Short| {
            let (budget, _) = found[short.place];
            format!("budget of {}: {} left, and this call may cost up to {amount}", budget.describe(), short.left)
        };
        if let Some(short) = &reserved.refused {
            lease.release();
            let hint = match found[short.place].1.ends {
                Some(ends) => format!("it begins anew at {ends:.0}; --max-tokens makes a call cheaper"),
                None => "it never begins anew: raise its limit in the config".to_owned(),
            };
            return Err(refused(says(short), hint));
        }
        lease.accounts = accounts;
        let mut notices: Vec<String> = reserved.warned.iter().map(says).collect();
        if reserved.freed > Usd::ZERO {
            notices.push(format!("{} that a process which is gone had reserved is free again", reserved.freed));
        }
        Ok(Some((lease, notices)))
    }

    /// The most that this call may cost.
    fn worst_case(&self, call: &Call, strict: bool) -> Result<Usd, Failure> {
        let target = call.target();
        if self.max_cost.is_some() && call.request.max_tokens.is_none() {
            let message = "--max-cost cannot be kept: the answer may be of any length".to_owned();
            return Err(refused(message, "--max-tokens sets a limit"));
        }
        let usage = Usage {
            input: Some(estimate::most_input_tokens(&call.request)),
            output: Some(call.request.max_tokens.unwrap_or(UNLIMITED_ANSWER)),
            ..Usage::default()
        };
        let gateway = self.gateways.get(&target.gateway);
        let quote = gateway.and_then(|gateway| self.pricing.quote(gateway, &target.model));
        match quote.and_then(|quote| quote.most(&usage)) {
            Some(cost) => Ok(cost.usd),
            None if strict && !self.allow_unpriced => Err(refused(
                format!("nobody knows what {} costs, and its cost is limited", target.model),
                format!("give it a price under [price.\"{}\"] in the config, or say --allow-unpriced", target.model),
            )),
            None => Ok(Usd::ZERO),
        }
    }

    fn reserve_of_run(&self, amount: Usd) -> Result<(), Failure> {
        let Some(most) = self.max_cost else { return Ok(()) };
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if *spent + amount > most {
            let left = Usd::from_picos((most.picos() - spent.picos()).max(0));
            let message = format!("--max-cost {most}: {left} left, and this call may cost up to {amount}");
            return Err(refused(message, "--max-tokens makes a call cheaper"));
        }
        *spent += amount;
        Ok(())
    }

    fn book(&self) -> Result<Book, Failure> {
        let dir = self.data.as_ref().ok_or_else(|| {
            refused(
                "a budget applies, and there is no home directory to keep account in".into(),
                "LLM_DATA_DIR names one",
            )
        })?;
        Book::open(dir).map_err(|error| broken(&error))
    }
}

impl Lease {
    /// Nothing was sent.
    fn release(&mut self) {
        self.settled = true;
        self.correct_run(Usd::ZERO);
    }

    /// Puts what the call cost in the place of what was set aside; what the user should hear of it.
    fn settle(&mut self) -> Option<String> {
        if self.settled {
            return None;
        }
        self.settled = true;
        let (cost, estimated) = self.cost();
        self.correct_run(cost);
        if self.accounts.is_empty() {
            return None;
        }
        let settled = self.purse.book().and_then(|mut book| {
            book.settle(&self.id, &self.accounts, cost, estimated).map_err(|error| broken(&error))
        });
        match settled {
            Err(failure) => Some(format!("what this call cost ({cost}) is missing in its budgets: {failure}")),
            Ok(()) if cost > self.amount => {
                Some(format!("{} cost {cost}, more than the {} set aside for it", self.model, self.amount))
            }
            Ok(()) => None,
        }
    }

    /// What it cost, and how much of that is a guess: each attempt that may have been billed without a word counts as
    /// all that was set aside.
    fn cost(&self) -> (Usd, Usd) {
        let heard = self.overheard.observed();
        let Observed { response, cost, failed_cost, maybe_billed, is_running } = &*heard;
        // Before its end, an answer's usage is not all that it takes.
        let answered = response.finish.is_some();
        let gateway = self.purse.gateways.get(&self.gateway);
        let known = gateway.filter(|_| answered).and_then(|gateway| {
            let reported = response.usage.cost.or(*cost);
            self.purse.pricing.of_answer(gateway, &self.model, response.model.as_deref(), &response.usage, reported)
        });
        let in_doubt = maybe_billed + u32::from((*is_running || answered) && known.is_none());
        let doubtful = self.amount.times(u64::from(in_doubt)).unwrap_or(self.amount);
        (known.unwrap_or(Usd::ZERO) + *failed_cost + doubtful, doubtful)
    }

    fn correct_run(&self, cost: Usd) {
        if self.purse.max_cost.is_some() {
            let mut spent = self.purse.spent.lock().unwrap_or_else(PoisonError::into_inner);
            *spent = Usd::from_picos(spent.picos() - self.amount.picos() + cost.picos());
        }
    }
}

/// A call that is stopped has cost what it has cost.
impl Drop for Lease {
    fn drop(&mut self) {
        self.settle();
    }
}

#[cfg(test)]
mod tests;
