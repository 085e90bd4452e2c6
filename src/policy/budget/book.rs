//! What budgets have spent and promised: every decision is one transaction, so that no two processes spend the same
//! money.

use std::path::Path;

use rusqlite::{OptionalExtension, Transaction, params};

use super::process::Process;
use crate::ledger::{Mode, Store, StoreError};
use crate::money::Usd;

/// How long a window is kept after it began, in seconds: longer than any lasts, should the clock be set back.
const KEPT: i64 = 400 * 86_400;

/// One budget that a call falls under, in its present window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// [`crate::config::Budget::id`].
    pub(super) budget: String,
    /// Of the window, in seconds since 1970.
    pub(super) began: i64,
    pub(super) limit: Usd,
    /// Whether what does not fit is refused.
    pub(super) strict: bool,
}

/// Why a call may not be sent, or may though it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short {
    /// Which of the accounts.
    pub(super) place: usize,
    pub(super) left: Usd,
}

/// The outcome of asking for money.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reserved {
    /// The account that refuses; then nothing is reserved.
    pub(super) refused: Option<Short>,
    /// Accounts that only warn.
    pub(super) warned: Vec<Short>,
    /// What processes had reserved that are gone.
    pub(super) freed: Usd,
}

#[derive(Debug)]
pub(super) struct Book {
    store: Store,
}

impl Book {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        Ok(Self { store: Store::open(dir, Mode::ACCOUNT)? })
    }

    /// Reserves `picos` in every account, or in none. `now` and `expires` are seconds since 1970.
    pub(super) fn reserve(
        &mut self,
        lease: &str,
        accounts: &[Account],
        amount: Usd,
        now: i64,
        expires: i64,
    ) -> Result<Reserved, StoreError> {
        let own = Process::this();
        self.store.write(|transaction| {
            let mut reserved = Reserved { freed: free_the_dead(transaction, now)?, ..Reserved::default() };
            // The window of a budget that never begins anew began with time itself.
            let old = "DELETE FROM budget_spent WHERE began > 0 AND began < ?";
            transaction.execute(old, [now.saturating_sub(KEPT)])?;
            for (place, account) in accounts.iter().enumerate() {
                let left = account.limit.picos().saturating_sub(used(transaction, account)?);
                if amount.picos() <= left {
                    continue;
                }
                let short = Short { place, left: Usd::from_picos(left.max(0)) };
                if account.strict {
                    reserved.refused = Some(short);
                    return Ok(reserved);
                }
                reserved.warned.push(short);
            }
            for account in accounts {
                transaction.execute(
                    "INSERT INTO budget_leases (lease, budget, began, picos, expires, process) VALUES (?, ?, ?, ?, ?, ?)",
                    params![lease, account.budget, account.began, amount.picos(), expires, own.to_string()],
                )?;
            }
            Ok(reserved)
        })
    }

    /// Puts what a call cost, part of it `estimated`, in the place of what was reserved for it, even if that has expired
    /// meanwhile.
    pub(super) fn settle(
        &mut self,
        lease: &str,
        accounts: &[Account],
        cost: Usd,
        estimated: Usd,
    ) -> Result<(), StoreError> {
        self.store.write(|transaction| {
            transaction.execute("DELETE FROM budget_leases WHERE lease = ?", [lease])?;
            for account in accounts.iter().filter(|_| cost != Usd::ZERO) {
                transaction.execute(
                    "INSERT INTO budget_spent (budget, began, picos, estimated) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET picos = picos + ?3, estimated = estimated + ?4",
                    params![account.budget, account.began, cost.picos(), estimated.picos()],
                )?;
            }
            Ok(())
        })
    }
}

/// Whether what such a process reserved until `expires` is nobody's any more.
pub(super) fn is_dead(expires: i64, process: &str, now: i64) -> bool {
    expires < now || !Process::parse(process).is_none_or(|process| process.may_live())
}

fn used(transaction: &Transaction<'_>, account: &Account) -> rusqlite::Result<i64> {
    let key = params![account.budget, account.began];
    let spent: Option<i64> = transaction
        .query_row("SELECT picos FROM budget_spent WHERE budget = ? AND began = ?", key, |row| row.get(0))
        .optional()?;
    let promised: i64 = transaction.query_row(
        "SELECT coalesce(sum(picos), 0) FROM budget_leases WHERE budget = ? AND began = ?",
        key,
        |row| row.get(0),
    )?;
    Ok(spent.unwrap_or(0).saturating_add(promised))
}

/// Gives back what is reserved for processes that are gone, or longer than any call takes.
fn free_the_dead(transaction: &Transaction<'_>, now: i64) -> rusqlite::Result<Usd> {
    let mut statement =
        transaction.prepare("SELECT lease, max(picos), max(expires), process FROM budget_leases GROUP BY lease")?;
    let leases = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, String>(3)?))
    })?;
    let mut freed = Usd::ZERO;
    for lease in leases.collect::<rusqlite::Result<Vec<_>>>()? {
        let (lease, picos, expires, process) = lease;
        if is_dead(expires, &process, now) {
            transaction.execute("DELETE FROM budget_leases WHERE lease = ?", [lease])?;
            freed += Usd::from_picos(picos);
        }
    }
    Ok(freed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(limit: i64) -> Account {
        Account { budget: "b".into(), began: 0, limit: Usd::from_picos(limit), strict: true }
    }

    fn book() -> (tempfile::TempDir, Book) {
        let dir = tempfile::tempdir().expect("a directory");
        let book = Book::open(dir.path()).expect("a ledger");
        (dir, book)
    }

    fn picos(picos: i64) -> Usd {
        Usd::from_picos(picos)
    }

    #[test]
    fn what_is_reserved_is_not_there_for_others_until_it_is_settled() {
        let (_dir, mut book) = book();
        let accounts = [account(100)];
        let mut reserve = |lease: &str, amount| book.reserve(lease, &accounts, picos(amount), 0, 60).expect("works");
        assert_eq!(reserve("a", 60).refused, None);
        assert_eq!(reserve("b", 60).refused, Some(Short { place: 0, left: picos(40) }));
        book.settle("a", &accounts, picos(10), Usd::ZERO).expect("works");
        assert_eq!(book.reserve("b", &accounts, picos(90), 0, 60).expect("works").refused, None);
    }

    // L07
    #[test]
    fn what_cost_more_than_was_reserved_counts_in_full() {
        let (_dir, mut book) = book();
        let accounts = [account(100)];
        book.reserve("a", &accounts, picos(10), 0, 60).expect("works");
        book.settle("a", &accounts, picos(150), Usd::ZERO).expect("works");
        let refused = book.reserve("b", &accounts, picos(1), 0, 60).expect("works").refused;
        assert_eq!(refused, Some(Short { place: 0, left: Usd::ZERO }));
    }

    // L06
    #[test]
    fn what_a_process_reserved_that_is_gone_is_free_again() {
        let (_dir, mut book) = book();
        let accounts = [account(100)];
        book.reserve("a", &accounts, picos(100), 0, 60).expect("works");
        assert!(book.reserve("b", &accounts, picos(1), 60, 90).expect("works").refused.is_some(), "still in time");
        let reserved = book.reserve("b", &accounts, picos(1), 61, 90).expect("works");
        assert_eq!(reserved, Reserved { freed: picos(100), ..Reserved::default() });
    }

    #[test]
    fn all_accounts_pay_or_none_and_a_warning_refuses_nothing() {
        let (_dir, mut book) = book();
        let small = Account { budget: "small".into(), ..account(5) };
        let both = [account(100), small.clone()];
        assert_eq!(book.reserve("a", &both, picos(10), 0, 60).expect("works").refused.expect("refused").place, 1);
        assert_eq!(book.reserve("b", &[account(100)], picos(100), 0, 60).expect("works").refused, None);
        let soft = [Account { strict: false, ..small }];
        let warned = book.reserve("c", &soft, picos(10), 0, 60).expect("works").warned;
        assert_eq!(warned, [Short { place: 0, left: picos(5) }]);
    }

    #[test]
    fn the_file_grows_no_more_than_its_windows() {
        let (dir, mut book) = book();
        let day = |n: i64| [Account { began: n * 86_400, ..account(100) }];
        for n in 0..500 {
            let now = n * 86_400;
            book.reserve("a", &day(n), picos(1), now, now + 60).expect("works");
            book.settle("a", &day(n), picos(1), Usd::ZERO).expect("works");
        }
        let count = |table: &str| -> i64 {
            let sql = format!("SELECT count(*) FROM {table}");
            book.store.read(|connection| connection.query_row(&sql, [], |row| row.get(0))).expect("counted")
        };
        assert_eq!((count("budget_spent"), count("budget_leases")), (402, 0), "400 days, today, and what has no end");
        let log = std::fs::metadata(dir.path().join("ledger.db-wal")).expect("there").len();
        assert!(log < 5 << 20, "{log} bytes of log");
    }

    // L09
    #[test]
    fn each_window_has_its_own_sum() {
        let (_dir, mut book) = book();
        let (today, tomorrow) = (account(100), Account { began: 86_400, ..account(100) });
        book.reserve("a", std::slice::from_ref(&today), picos(100), 0, 600).expect("works");
        book.settle("a", std::slice::from_ref(&today), picos(100), Usd::ZERO).expect("works");
        assert_eq!(book.reserve("b", &[tomorrow], picos(100), 0, 600).expect("works").refused, None);
        // And when the clock goes back, the old window is as full as it was.
        assert!(book.reserve("c", &[today], picos(1), 0, 600).expect("works").refused.is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        // L10
        #[test]
        fn sums_are_exact_and_never_beyond_the_limit(costs in prop::collection::vec(1i64..1_000, 1..60)) {
            let (_dir, mut book) = book();
            let accounts = [account(10_000)];
            let mut sum = 0;
            for (nth, cost) in costs.iter().enumerate() {
                let lease = nth.to_string();
                let reserved = book.reserve(&lease, &accounts, picos(*cost), 0, 60).expect("works");
                prop_assert_eq!(reserved.refused.is_some(), sum + cost > 10_000);
                if reserved.refused.is_none() {
                    book.settle(&lease, &accounts, picos(*cost), picos(cost * (nth as i64 % 2))).expect("works");
                    sum += cost;
                }
            }
            let refused = book.reserve("last", &accounts, picos(20_000), 0, 60).expect("works").refused;
            prop_assert_eq!(refused.expect("too much").left, picos(10_000 - sum));
        }
    }
}
