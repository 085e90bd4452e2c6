//! What is left of budgets, for reports. Nothing is changed.

use std::path::Path;

use jiff::Timestamp;

use super::process::Process;
use super::store::{Sums, sums};
use crate::config::{Budget, Window};
use crate::ledger::{Store, StoreError};
use crate::money::Usd;

/// A budget in its present window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The budget.
    pub budget: Budget,
    /// Its present window.
    pub window: Window,
    /// What calls of this window cost.
    pub spent: Usd,
    /// The part of `spent` that no gateway told: what was reserved for requests that were stopped or lost their reply.
    pub estimated: Usd,
    /// What is reserved for requests that are being answered.
    pub reserved: Usd,
    /// The part of `estimated` that is still a reservation: its process ended, or its time is over, before the cost was
    /// known.
    pub stale: Usd,
}

impl Balance {
    /// What calls may still cost in this window.
    pub fn left(&self) -> Usd {
        let left = self.budget.limit.picos().saturating_sub(self.spent.picos()).saturating_sub(self.reserved.picos());
        Usd::from_picos(left.max(0))
    }

    fn add(&mut self, sums: &Sums, now: i64) {
        self.spent += sums.spent.cost;
        self.estimated += sums.spent.estimated;
        for row in &sums.reservations {
            let has_ended = || Process::parse(&row.process).is_some_and(|process| process.has_ended());
            if row.expires < now || has_ended() {
                self.spent += row.amount;
                self.estimated += row.amount;
                self.stale += row.amount;
            } else {
                self.reserved += row.amount;
            }
        }
    }
}

/// What is left of each budget `now`, by the ledger in this directory. Budgets whose window would reach beyond the last
/// moment that can be told are missing.
///
/// # Errors
/// The ledger cannot be read.
pub fn balances(data: Option<&Path>, budgets: &[Budget], now: Timestamp) -> Result<Vec<Balance>, StoreError> {
    let store = data.map(Store::open_to_read).transpose()?.flatten();
    balances_of(budgets, now, |budget, began| match &store {
        Some(store) => store.read(|connection| sums(connection, budget, began)),
        None => Ok(Sums::default()),
    })
}

/// The same by the sums that `read` returns for the id of a budget and the beginning of its window.
///
/// # Errors
/// The first of `read`.
pub(crate) fn balances_of(
    budgets: &[Budget],
    now: Timestamp,
    mut read: impl FnMut(&str, i64) -> Result<Sums, StoreError>,
) -> Result<Vec<Balance>, StoreError> {
    let balance = |budget: &Budget| {
        let window = budget.per.window(now)?;
        let [spent, estimated, reserved, stale] = [Usd::ZERO; 4];
        let mut balance = Balance { budget: budget.clone(), window, spent, estimated, reserved, stale };
        let sums = read(&budget.id(), balance.window.began.as_second());
        Some(sums.map(|sums| {
            balance.add(&sums, now.as_second());
            balance
        }))
    };
    budgets.iter().filter_map(balance).collect()
}

#[cfg(test)]
mod tests {
    use super::super::store::{Reserved, Spent};
    use super::*;
    use crate::config::{Env, Settings};

    #[test]
    fn what_is_reserved_counts_as_spent_once_its_time_or_its_process_is_over() {
        let config = "[[budget]]\nlimit = 10\nper = \"total\"\n";
        let settings = Settings::from_text(Env::default(), Path::new("config.toml"), config).expect("a config");
        let budget = settings.budgets[0].clone();
        let window = budget.per.window(Timestamp::UNIX_EPOCH).expect("a window");
        let usd = |amount: i64| Usd::from_picos(amount * 1_000_000_000_000);
        let [spent, estimated, reserved, stale] = [Usd::ZERO; 4];
        let mut balance = Balance { budget, window, spent, estimated, reserved, stale };
        let ours = Process::this().to_string();
        let row = |amount, expires, process: &str| Reserved { amount: usd(amount), expires, process: process.into() };
        let reservations = vec![row(1, 100, &ours), row(2, 99, &ours), row(4, 101, "not known")];
        balance.add(&Sums { spent: Spent { cost: usd(2), estimated: usd(1) }, reservations }, 100);
        let sums = [balance.spent, balance.estimated, balance.reserved, balance.stale, balance.left()];
        assert_eq!(sums, [4, 3, 5, 2, 1].map(usd));
        balance.reserved += usd(2);
        assert_eq!(balance.left(), Usd::ZERO, "there is never less than nothing");
    }
}
