//! Budgets in the ledger of one user.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{BoxFuture, FutureExt as _};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::super::owner;
use super::{Account, BudgetStore, Decision, Entry, Reserved, Spent, Sums};
use crate::ledger::{LedgerWriter, Store, StoreError};
use crate::money::Usd;

/// The budgets of all processes that write to one ledger.
#[derive(Debug)]
pub struct SqliteBudgets {
    ledger: LedgerWriter,
    /// The owner of the reservations.
    process: Arc<str>,
}

impl SqliteBudgets {
    /// Budgets in this ledger. Nothing is opened yet.
    pub fn new(ledger: LedgerWriter) -> Self {
        Self { ledger, process: owner().into() }
    }

    /// Begins an account with this much, or adds it: what was spent before there was one. It is there then, even if that is nothing.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn begin(&self, budget: &str, began: i64, spent: Usd) -> Result<(), StoreError> {
        let budget = budget.to_owned();
        self.ledger
            .transact(move |transaction| add(transaction, &budget, began, Spent { cost: spent, estimated: spent }))
            .await
    }
}

/// What an account has spent and reserved, by the ledger in this directory; `None` where it was never begun.
///
/// # Errors
/// The ledger cannot be read.
pub fn used(data: Option<&Path>, budget: &str, began: i64) -> Result<Option<Usd>, StoreError> {
    let Some(store) = data.map(Store::open_to_read).transpose()?.flatten() else { return Ok(None) };
    store.read(|connection| {
        let is_begun = connection
            .prepare("SELECT EXISTS (SELECT 1 FROM budget_windows WHERE budget = ? AND began = ?)")?
            .query_row(params![budget, began], |row| row.get::<_, bool>(0))?;
        Ok(is_begun.then_some(sums(connection, budget, began)?.used()))
    })
}

impl BudgetStore for SqliteBudgets {
    fn reserve(&self, entry: &Entry) -> BoxFuture<'_, Result<Decision, StoreError>> {
        let (entry, process) = (entry.clone(), Arc::clone(&self.process));
        async move {
            let mut undo = Undo { ledger: &self.ledger, entry: Some(entry.clone()), begun: Arc::default() };
            let begun = Arc::clone(&undo.begun);
            let decision = self.ledger.transact(move |transaction| {
                if begun.swap(true, Ordering::SeqCst) {
                    return Ok(Decision::default());
                }
                reserve(transaction, &entry, &process)
            });
            let decision = decision.await;
            undo.entry = None;
            decision
        }
        .boxed()
    }

    fn settle(&self, entry: &Entry, spent: Spent) {
        let entry = entry.clone();
        self.ledger.submit(move |transaction| settle(transaction, &entry, spent));
    }

    /// Jobs are done in order.
    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.ledger.transact(|_| Ok(())).boxed()
    }
}

/// Takes a reservation back when nobody waits for it any more.
struct Undo<'a> {
    ledger: &'a LedgerWriter,
    /// `None` once the decision is known.
    entry: Option<Entry>,
    /// Set by whichever comes first, the work of the reservation or the end of the wait for it. Work that comes second is
    /// not done.
    begun: Arc<AtomicBool>,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take()
            && self.begun.swap(true, Ordering::SeqCst)
        {
            self.ledger.submit(move |transaction| settle(transaction, &entry, Spent::default()));
        }
    }
}

fn reserve(transaction: &Transaction<'_>, entry: &Entry, process: &str) -> rusqlite::Result<Decision> {
    let decision = entry.decide(|account| {
        Ok::<_, rusqlite::Error>(sums(transaction, &account.budget, account.began)?.used().picos())
    })?;
    if decision.refused.is_some() {
        return Ok(decision);
    }
    let mut insert = transaction.prepare_cached(
        "INSERT INTO budget_reservations (budget, began, reservation, picos, expires, process)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    for Account { budget, began, .. } in &entry.accounts {
        insert.execute(params![budget, began, entry.id, entry.amount.picos(), entry.expires, process])?;
    }
    Ok(decision)
}

fn settle(transaction: &Transaction<'_>, entry: &Entry, spent: Spent) -> rusqlite::Result<()> {
    for Account { budget, began, .. } in &entry.accounts {
        transaction
            .prepare_cached("DELETE FROM budget_reservations WHERE budget = ? AND began = ? AND reservation = ?")?
            .execute(params![budget, began, entry.id])?;
        if spent.cost != Usd::ZERO {
            add(transaction, budget, *began, spent)?;
        }
    }
    Ok(())
}

fn add(transaction: &Transaction<'_>, budget: &str, began: i64, spent: Spent) -> rusqlite::Result<()> {
    // A sum that is too large for an integer is a float, and becomes the largest integer again.
    let sql = "INSERT INTO budget_windows (budget, began, picos, estimated) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET picos = CAST(picos + ?3 AS INTEGER), estimated = CAST(estimated + ?4 AS INTEGER)";
    let values = params![budget, began, spent.cost.picos(), spent.estimated.picos()];
    transaction.prepare_cached(sql)?.execute(values).map(drop)
}

/// Reads the window of a budget that began then, in seconds since 1970.
pub(in super::super) fn sums(connection: &Connection, budget: &str, began: i64) -> rusqlite::Result<Sums> {
    let spent = connection
        .prepare_cached("SELECT picos, estimated FROM budget_windows WHERE budget = ? AND began = ?")?
        .query_row(params![budget, began], |row| {
            Ok(Spent { cost: Usd::from_picos(row.get(0)?), estimated: Usd::from_picos(row.get(1)?) })
        })
        .optional()?;
    let reservations = connection
        .prepare_cached("SELECT picos, expires, process FROM budget_reservations WHERE budget = ? AND began = ?")?
        .query_map(params![budget, began], |row| {
            Ok(Reserved { amount: Usd::from_picos(row.get(0)?), expires: row.get(1)?, process: row.get(2)? })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Sums { spent: spent.unwrap_or_default(), reservations })
}
