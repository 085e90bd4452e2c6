//! Budgets that this process keeps for itself, for tests under a paused clock.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::future::{BoxFuture, FutureExt as _, ready};

use super::{BudgetStore, Decision, Entry, Shortfall, Spent};
use crate::ledger::StoreError;
use crate::money::Usd;

/// The windows, by budget and beginning.
#[derive(Debug, Default)]
pub(in super::super) struct MemoryBudgets(Mutex<BTreeMap<(String, i64), Window>>);

#[derive(Debug, Default)]
struct Window {
    spent: Usd,
    /// By id.
    reserved: BTreeMap<String, Usd>,
}

impl BudgetStore for MemoryBudgets {
    fn reserve(&self, entry: &Entry) -> BoxFuture<'_, Result<Decision, StoreError>> {
        let mut windows = self.0.lock().expect("no test panics here");
        let mut decision = Decision::default();
        for (index, account) in entry.accounts.iter().enumerate() {
            let window = windows.entry((account.budget.clone(), account.began)).or_default();
            let used = window.spent + window.reserved.values().copied().sum();
            let left = Usd::from_picos((account.limit.picos() - used.picos()).max(0));
            match (Shortfall { account: index, left }) {
                _ if entry.amount <= left => {}
                shortfall if account.strict => {
                    decision.refused = Some(shortfall);
                    return ready(Ok(decision)).boxed();
                }
                shortfall => decision.warned.push(shortfall),
            }
        }
        for account in &entry.accounts {
            let window = windows.entry((account.budget.clone(), account.began)).or_default();
            window.reserved.insert(entry.id.clone(), entry.amount);
        }
        ready(Ok(decision)).boxed()
    }

    fn settle(&self, entry: &Entry, spent: Spent) {
        let mut windows = self.0.lock().expect("no test panics here");
        for account in &entry.accounts {
            let window = windows.entry((account.budget.clone(), account.began)).or_default();
            window.reserved.remove(&entry.id);
            window.spent += spent.cost;
        }
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        ready(Ok(())).boxed()
    }
}
