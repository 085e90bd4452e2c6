//! The money of one request, from the moment before it is sent until its cost is known.

use std::sync::Arc;

use jiff::Timestamp;

use super::store::{Account, Decision, Entry, Shortfall, Spent};
use super::{Current, SpendingLimits, account, refused, unknown_balance};
use crate::call::{Call, CostLimit, Observer, Target};
use crate::chat::{Response, Usage};
use crate::error::Failure;
use crate::ids::new_id;
use crate::money::Usd;
use crate::record::Cost;

/// What to do where a call does not fit the limit of its command.
const CHEAPER: &str = "--max-tokens makes a call cheaper";

/// The time by which a reservation outlives the time limit of its call, in seconds.
const GRACE: i64 = 60;

/// The most that one request may cost, reserved in its budgets and in the limit of its caller. However the request ends,
/// its cost takes the place of that when this is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    limits: Arc<SpendingLimits>,
    target: Target,
    /// The model as messages name it.
    name: String,
    entry: Entry,
    /// For each account of the entry, the budget in words, and what to do where it lacks the amount.
    words: Vec<(String, String)>,
    max_cost: Option<Arc<CostLimit>>,
    /// Whether the amount is reserved in `max_cost`.
    is_in_limit: bool,
    /// Whether the amount is reserved everywhere, so that the request may be sent.
    is_made: bool,
    observer: Observer,
    /// What earlier requests of the call had cost, as far as they told, and how many may have been billed.
    earlier: (Usd, usize),
}

impl Reservation {
    /// A reservation that is still to be [made](Self::make).
    pub(super) fn new(
        limits: &Arc<SpendingLimits>,
        call: &Call,
        budgets: &[Current<'_>],
        amount: Usd,
        now: Timestamp,
        observer: Observer,
    ) -> Self {
        let words = budgets.iter().map(|(budget, window)| {
            let hint = match window.ends {
                Some(ends) => format!("it begins anew at {ends:.0}; {CHEAPER}"),
                None => "it never begins anew: raise its limit in the config".to_owned(),
            };
            (format!("budget of {}", budget.describe()), hint)
        });
        let mut accounts: Vec<Account> = budgets.iter().map(account).collect();
        let mut words: Vec<(String, String)> = words.collect();
        let max_cost = call.caller.max_cost.clone();
        if let Some((limit, (budget, began))) = max_cost.as_ref().and_then(|limit| Some((limit, limit.account()?))) {
            accounts.push(Account { budget: budget.to_owned(), began, limit: limit.most, strict: true });
            words.push((format!("--max-cost {}", limit.most), CHEAPER.to_owned()));
        }
        let lasts = i64::try_from(call.limits.timeout.as_secs()).unwrap_or(i64::MAX).saturating_add(GRACE);
        let entry =
            Entry { id: new_id().to_string(), accounts, amount, expires: now.as_second().saturating_add(lasts) };
        let earlier = {
            let mut observed = observer.observed();
            // The answer to an earlier request is settled.
            (observed.response, observed.cost, observed.is_final) = (Response::default(), None, false);
            (observed.failed_cost, observed.lost.len())
        };
        Self {
            limits: Arc::clone(limits),
            target: call.target().clone(),
            name: call.target().name_among(call.told_apart()),
            entry,
            words,
            max_cost,
            is_in_limit: false,
            is_made: false,
            observer,
            earlier,
        }
    }

    /// Reserves the amount, or fails with what lacks it. Returns what the user should read.
    pub(super) async fn make(&mut self) -> Result<Vec<String>, Failure> {
        let amount = self.entry.amount;
        if let Some(limit) = &self.max_cost {
            let short = |left| refused(shortfall_of(&format!("--max-cost {}", limit.most), left, amount), CHEAPER);
            limit.reserve(amount).map_err(short)?;
            self.is_in_limit = true;
        }
        let mut notices = Vec::new();
        if !self.entry.accounts.is_empty() {
            let store = self.limits.store.as_ref().ok_or_else(|| {
                let message = "a budget applies, and there is no home directory to keep account in".to_owned();
                refused(message, "LLM_DATA_DIR names one")
            })?;
            let is_strict = self.entry.accounts.iter().any(|account| account.strict);
            let decision = match store.reserve(&self.entry).await {
                Err(error) if is_strict => return Err(unknown_balance(&error)),
                // What refuses nothing stops nothing. What the call cost counts if the store can take it then.
                Err(_) => Decision::default(),
                Ok(decision) => decision,
            };
            if let Some(shortfall) = &decision.refused {
                return Err(refused(self.describe(shortfall), &*self.words[shortfall.account].1));
            }
            let warned = decision.warned.iter();
            notices.extend(warned.map(|shortfall| format!("{}: {}", self.name, self.describe(shortfall))));
        }
        self.is_made = true;
        Ok(notices)
    }

    fn describe(&self, shortfall: &Shortfall) -> String {
        shortfall_of(&self.words[shortfall.account].0, shortfall.left, self.entry.amount)
    }

    /// Replaces the amount by what the request cost. Returns what the user should read.
    pub(super) fn settle(&mut self) -> Option<String> {
        let is_made = std::mem::take(&mut self.is_made);
        let spent = if is_made { self.spent() } else { Spent::default() };
        if let Some(limit) = &self.max_cost
            && std::mem::take(&mut self.is_in_limit)
        {
            limit.settle(self.entry.amount, spent.cost);
        }
        let store = self.limits.store.as_ref().filter(|_| is_made && !self.entry.accounts.is_empty())?;
        store.settle(&self.entry, spent);
        let (cost, amount) = (spent.cost, self.entry.amount);
        (cost > amount).then(|| format!("{} cost {cost}, more than the {amount} set aside for it", self.name))
    }

    /// What the request cost. One that may have been billed although nothing says so has cost the whole amount, and so has one of
    /// which only a lower bound is known, unless that is more.
    fn spent(&self) -> Spent {
        let observed = self.observer.observed();
        let response = &observed.response;
        // The usage that an answer tells before its end is not all that it takes.
        let told = self.cost(response.model.as_deref(), &response.usage, response.usage.cost.or(observed.cost));
        let known = told.filter(|_| observed.is_final);
        let (failed_cost, lost) = self.earlier;
        let failed_cost = Usd::from_picos(observed.failed_cost.picos() - failed_cost.picos());
        let lost = observed.lost[lost..].iter().map(|lost| self.cost(lost.model.as_deref(), &lost.usage, None));
        let is_unknown = (observed.is_running || observed.is_final) && known.is_none();
        let in_doubt = lost.chain(is_unknown.then_some(told));
        let least = |cost: Option<Cost>| cost.map_or(Usd::ZERO, |cost| cost.usd);
        let mut estimated: Usd = in_doubt.map(|told| least(told).max(self.entry.amount)).sum();
        if known.is_some_and(|cost| cost.partial) && least(known) < self.entry.amount {
            estimated += self.entry.amount - least(known);
        }
        Spent { cost: least(known) + failed_cost + estimated, estimated }
    }

    /// The cost of this much usage.
    fn cost(&self, answered: Option<&str>, usage: &Usage, reported: Option<Usd>) -> Option<Cost> {
        let gateway = self.limits.gateways.get(&self.target.gateway)?;
        self.limits.pricing.of_answer(gateway, &self.target.model, answered, usage, reported)
    }
}

/// What is said where this much is left of a limit, and a call may cost more.
fn shortfall_of(limit: &str, left: Usd, amount: Usd) -> String {
    format!("{limit}: {left} left, and this call may cost up to {amount}")
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.settle();
    }
}
