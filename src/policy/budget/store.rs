//! What budgets have spent and reserved. Every decision is one transaction, so that processes that decide at the same
//! time cannot spend the same money.
//!
//! A reservation is written in the last moment before its request is sent, so one that is there means that the request
//! may be billed. It counts until its owner replaces it by what the request cost. Where the owner ends before that, the
//! reservation stays and counts as spent, since nobody else will ever know the cost. So what calls may spend never
//! depends on whether an owner still runs; that only tells under which name a [balance](super::Balance) counts an amount.
//!
//! Nothing is deleted by the clock: where it is set forward and back again, a budget must not forget what it has spent.

#[cfg(test)]
pub(super) mod memory;
pub(super) mod sqlite;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

use futures_util::future::BoxFuture;

pub(super) use sqlite::sums;
pub use sqlite::{SqliteBudgets, used};

use crate::ledger::StoreError;
use crate::money::Usd;

/// A budget of a call, in its present window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// [`crate::config::Budget::id`].
    pub budget: String,
    /// The beginning of the window, in seconds since 1970.
    pub began: i64,
    /// The most that may be spent in the window.
    pub limit: Usd,
    /// Whether an amount that does not fit is refused.
    pub strict: bool,
}

/// An amount that is reserved for one request in each of its budgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Unique for good.
    pub id: String,
    /// The budgets.
    pub accounts: Vec<Account>,
    /// The most that the request may cost.
    pub amount: Usd,
    /// The moment by which the request is over, in seconds since 1970.
    pub expires: i64,
}

impl Entry {
    /// Decides by what each account has used: spent and reserved, in picodollars.
    ///
    /// # Errors
    /// That of `used`.
    pub(crate) fn decide<E>(&self, mut used: impl FnMut(&Account) -> Result<i64, E>) -> Result<Decision, E> {
        let mut decision = Decision::default();
        for (index, account) in self.accounts.iter().enumerate() {
            let left = account.limit.picos().saturating_sub(used(account)?).max(0);
            if self.amount.picos() <= left {
                continue;
            }
            let shortfall = Shortfall { account: index, left: Usd::from_picos(left) };
            if account.strict {
                return Ok(Decision { refused: Some(shortfall), ..decision });
            }
            decision.warned.push(shortfall);
        }
        Ok(decision)
    }
}

/// What one window of a budget holds.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// What is settled.
    pub(crate) spent: Spent,
    /// What is not.
    pub(crate) reservations: Vec<Reserved>,
}

impl Sums {
    /// All of it: what is spent and what is reserved.
    pub(super) fn used(&self) -> Usd {
        self.spent.cost + self.reservations.iter().map(|reservation| reservation.amount).sum()
    }
}

/// A reservation as it is kept.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) amount: Usd,
    /// In seconds since 1970.
    pub(crate) expires: i64,
    /// The owner, as [`super::owner`] names it.
    pub(crate) process: String,
}

/// What one request cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// All of it.
    pub cost: Usd,
    /// The part of it that the gateway did not tell.
    pub estimated: Usd,
}

/// A budget lacks the amount that was to be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortfall {
    /// The position among the accounts.
    pub account: usize,
    /// What is left of the limit.
    pub left: Usd,
}

/// What became of an amount that was to be reserved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// The strict budget that lacks the amount. Nothing is reserved then.
    pub refused: Option<Shortfall>,
    /// The other budgets that lack it.
    pub warned: Vec<Shortfall>,
}

/// Keeps the sums of budgets for all processes that share them.
pub trait BudgetStore: fmt::Debug + Send + Sync {
    /// Reserves the amount in every account, or in none. A reservation survives the loss of power from the moment in which
    /// the result is there. If the future is dropped before, nothing stays reserved.
    ///
    /// # Errors
    /// The store cannot be used. Nothing is reserved then.
    fn reserve(&self, entry: &Entry) -> BoxFuture<'_, Result<Decision, StoreError>>;

    /// Replaces a reservation by what its request cost, once; one that was not made is replaced as well. Does not wait for
    /// it: what is asked of this store later sees it done. Where it cannot be done, the reservation goes on to count.
    fn settle(&self, entry: &Entry, spent: Spent);

    /// Waits until all that was settled before is done.
    ///
    /// # Errors
    /// The store cannot be used. What was reserved goes on to count.
    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
