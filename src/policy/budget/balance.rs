//! What is left of budgets: to be looked at, nothing is changed.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::book::is_dead;
use crate::config::{Budget, Window};
use crate::ledger::{Store, StoreError};
use crate::money::Usd;

/// A budget in its present window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    pub budget: Budget,
    pub window: Window,
    pub spent: Usd,
    /// Part of what is spent that nobody told: what was set aside for calls that were stopped or lost their reply.
    pub estimated: Usd,
    /// Set aside for calls that are under way.
    pub reserved: Usd,
    /// Set aside by processes that are gone: free again with the next call.
    pub stale: Usd,
}

impl Balance {
    /// What calls may still cost in this window.
    pub fn left(&self) -> Usd {
        let left = self.budget.limit.picos().saturating_sub(self.spent.picos()).saturating_sub(self.reserved.picos());
        Usd::from_picos(left.max(0))
    }
}

/// What is left of each budget `now`, by the ledger in this directory.
pub fn balances(data: Option<&Path>, budgets: &[Budget], now: Timestamp) -> Result<Vec<Balance>, StoreError> {
    let store = data.map(Store::open_to_read).transpose()?.flatten();
    let present = |budget: &Budget| Some((budget.clone(), budget.per.window(now)?));
    let empty = |(budget, window)| Balance {
        budget,
        window,
        spent: Usd::ZERO,
        estimated: Usd::ZERO,
        reserved: Usd::ZERO,
        stale: Usd::ZERO,
    };
    let mut balances: Vec<Balance> = budgets.iter().filter_map(present).map(empty).collect();
    if let Some(store) = store {
        store.read(|connection| balances.iter_mut().try_for_each(|balance| balance.read(connection, now)))?;
    }
    Ok(balances)
}

impl Balance {
    fn read(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        let (budget, began) = (self.budget.id(), self.window.began.as_second());
        let spent = connection
            .prepare_cached("SELECT picos, estimated FROM budget_spent WHERE budget = ? AND began = ?")?
            .query_row(params![budget, began], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (spent, estimated) = spent.unwrap_or_default();
        (self.spent, self.estimated) = (Usd::from_picos(spent), Usd::from_picos(estimated));
        let mut leases = connection
            .prepare_cached("SELECT picos, expires, process FROM budget_leases WHERE budget = ? AND began = ?")?;
        let mut leases = leases.query(params![budget, began])?;
        while let Some(lease) = leases.next()? {
            let picos = Usd::from_picos(lease.get(0)?);
            let dead = is_dead(lease.get(1)?, lease.get_ref(2)?.as_str()?, now.as_second());
            *(if dead { &mut self.stale } else { &mut self.reserved }) += picos;
        }
        Ok(())
    }
}
