//! What every store of budgets must do, and what the one in the ledger does besides.

use proptest::prelude::*;

use super::memory::MemoryBudgets;
use super::*;
use crate::config::Budget;
use crate::ledger::{LedgerWriter, Mode, Store};
use crate::policy::budget::balances;

pub(crate) fn account(budget: &str, limit: i64) -> Account {
    Account { budget: budget.into(), began: 0, limit: Usd::from_picos(limit), strict: true }
}

pub(crate) fn entry(id: &str, amount: i64, accounts: &[Account]) -> Entry {
    Entry { id: id.into(), accounts: accounts.to_vec(), amount: picos(amount), expires: i64::MAX }
}

fn picos(picos: i64) -> Usd {
    Usd::from_picos(picos)
}

pub(crate) fn cost(cost: i64) -> Spent {
    Spent { cost: picos(cost), estimated: Usd::ZERO }
}

pub(crate) async fn reserve(store: &impl BudgetStore, entry: &Entry) -> Decision {
    store.reserve(entry).await.expect("it works")
}

async fn what_is_reserved_is_not_there_for_others_until_it_is_settled(store: &impl BudgetStore) {
    let accounts = [account("a", 100)];
    let first = entry("a1", 60, &accounts);
    assert_eq!(reserve(store, &first).await, Decision::default());
    let lacks = Some(Shortfall { account: 0, left: picos(40) });
    assert_eq!(reserve(store, &entry("a2", 60, &accounts)).await.refused, lacks);
    store.settle(&first, cost(10));
    assert_eq!(reserve(store, &entry("a3", 90, &accounts)).await.refused, None);
    assert!(reserve(store, &entry("a4", 1, &accounts)).await.refused.is_some());
}

// L07
async fn what_cost_more_than_was_reserved_counts_in_full(store: &impl BudgetStore) {
    let accounts = [account("b", 100)];
    let dear = entry("b1", 10, &accounts);
    reserve(store, &dear).await;
    store.settle(&dear, cost(150));
    let lacks = Some(Shortfall { account: 0, left: Usd::ZERO });
    assert_eq!(reserve(store, &entry("b2", 1, &accounts)).await.refused, lacks);
}

// L06
async fn what_nobody_settles_counts_for_ever(store: &impl BudgetStore) {
    let accounts = [account("c", 100)];
    let abandoned = Entry { expires: 0, ..entry("c1", 70, &accounts) };
    reserve(store, &abandoned).await;
    let lacks = Some(Shortfall { account: 0, left: picos(30) });
    assert_eq!(reserve(store, &entry("c2", 31, &accounts)).await.refused, lacks);
    store.settle(&abandoned, cost(20));
    assert_eq!(reserve(store, &entry("c3", 80, &accounts)).await.refused, None, "its owner was only late");
}

async fn all_accounts_pay_or_none_and_a_warning_refuses_nothing(store: &impl BudgetStore) {
    let (large, small) = (account("d", 100), account("e", 5));
    let refused = reserve(store, &entry("d1", 10, &[large.clone(), small.clone()])).await.refused;
    assert_eq!(refused, Some(Shortfall { account: 1, left: picos(5) }));
    assert_eq!(reserve(store, &entry("d2", 100, &[large])).await.refused, None);
    let soft = Account { strict: false, ..small };
    let warned = reserve(store, &entry("d3", 10, &[soft])).await;
    assert_eq!(warned, Decision { refused: None, warned: vec![Shortfall { account: 0, left: picos(5) }] });
}

// L09
async fn each_window_has_its_own_sum_which_no_clock_takes_back(store: &impl BudgetStore) {
    let window = |began| [Account { began, ..account("f", 100) }];
    let today = entry("f1", 100, &window(86_400));
    reserve(store, &today).await;
    store.settle(&today, cost(100));
    // The clock is set forward by 400 days, and back again.
    let later = entry("f2", 100, &window(401 * 86_400));
    assert_eq!(reserve(store, &later).await.refused, None);
    store.settle(&later, cost(100));
    assert!(reserve(store, &entry("f3", 1, &window(86_400))).await.refused.is_some());
}

async fn a_sum_that_no_integer_holds_is_the_largest_one(store: &impl BudgetStore) {
    let accounts = [account("g", i64::MAX)];
    for id in ["g1", "g2"] {
        let dear = entry(id, 1, &accounts);
        reserve(store, &dear).await;
        store.settle(&dear, Spent { cost: picos(i64::MAX - 1), estimated: picos(i64::MAX - 1) });
        store.flush().await.expect("settled");
    }
    let lacks = Some(Shortfall { account: 0, left: Usd::ZERO });
    assert_eq!(reserve(store, &entry("g3", 1, &accounts)).await.refused, lacks);
    let soft = [Account { strict: false, ..accounts[0].clone() }];
    for id in ["g4", "g5"] {
        assert_eq!(reserve(store, &entry(id, i64::MAX, &soft)).await.warned.len(), 1);
    }
    assert_eq!(reserve(store, &entry("g6", 1, &accounts)).await.refused, lacks);
}

/// What holds for every store; `store` is empty.
pub(crate) async fn keeps_its_promises(store: &impl BudgetStore) {
    what_is_reserved_is_not_there_for_others_until_it_is_settled(store).await;
    what_cost_more_than_was_reserved_counts_in_full(store).await;
    what_nobody_settles_counts_for_ever(store).await;
    all_accounts_pay_or_none_and_a_warning_refuses_nothing(store).await;
    each_window_has_its_own_sum_which_no_clock_takes_back(store).await;
    a_sum_that_no_integer_holds_is_the_largest_one(store).await;
}

fn in_ledger() -> (tempfile::TempDir, SqliteBudgets) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = SqliteBudgets::new(LedgerWriter::new(dir.path()));
    (dir, store)
}

#[tokio::test]
async fn every_store_keeps_its_promises() {
    keeps_its_promises(&MemoryBudgets::default()).await;
    let (_dir, store) = in_ledger();
    keeps_its_promises(&store).await;
}

#[tokio::test]
async fn two_stores_of_one_ledger_share_their_sums() {
    let (dir, store) = in_ledger();
    let other = SqliteBudgets::new(LedgerWriter::new(dir.path()));
    let accounts = [account("a", 100)];
    reserve(&store, &entry("1", 60, &accounts)).await;
    let lacks = Some(Shortfall { account: 0, left: picos(40) });
    assert_eq!(reserve(&other, &entry("2", 60, &accounts)).await.refused, lacks);
}

#[tokio::test]
async fn nothing_stays_reserved_for_whoever_stops_waiting() {
    let (dir, store) = in_ledger();
    let accounts = [account("a", 100)];
    reserve(&store, &entry("0", 10, &accounts)).await;
    let lock = rusqlite::Connection::open(dir.path().join(crate::ledger::FILE_NAME)).expect("the ledger");
    for locked in [true, false] {
        if locked {
            lock.execute_batch("BEGIN IMMEDIATE").expect("locked");
        }
        for id in ["1", "2", "3"] {
            let entry = entry(id, 10, &accounts);
            let mut waiting = store.reserve(&entry);
            assert!(futures_util::poll!(&mut waiting).is_pending());
            drop(waiting);
        }
        if locked {
            lock.execute_batch("COMMIT").expect("unlocked");
        }
        assert_eq!(
            reserve(&store, &entry("4", 91, &accounts)).await.refused,
            Some(Shortfall { account: 0, left: picos(90) })
        );
    }
}

#[tokio::test]
async fn a_window_is_kept_however_old_it_is_and_takes_one_row() {
    let (dir, store) = in_ledger();
    for day in 0..500 {
        let entry = entry(&day.to_string(), 1, &[Account { began: day * 86_400, ..account("a", 100) }]);
        reserve(&store, &entry).await;
        store.settle(&entry, cost(1));
    }
    reserve(&store, &entry("last", 1, &[account("b", 100)])).await;
    let ledger = Store::open_to_read(dir.path()).expect("readable").expect("there");
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        ledger.read(|connection| connection.query_row(&sql, [], |row| row.get(0))).expect("counted")
    };
    assert_eq!((count("budget_windows"), count("budget_reservations")), (500, 1));
}

/// A ledger of the schema before the present names, in which budgets have spent and reserved.
fn of_schema_3(dir: &std::path::Path, spent: &[(&str, i64)], expires: i64) {
    let old = rusqlite::Connection::open(dir.join(crate::ledger::FILE_NAME)).expect("a database");
    for migration in [
        include_str!("../../../ledger/schema-1.sql"),
        include_str!("../../../ledger/schema-2.sql"),
        include_str!("../../../ledger/schema-3.sql"),
    ] {
        old.execute_batch(migration).expect("a schema");
    }
    old.pragma_update(None, "user_version", 3).expect("set");
    for (index, (budget, picos)) in spent.iter().enumerate() {
        old.execute("INSERT INTO budget_spent VALUES (?1, 0, ?2, 1)", rusqlite::params![budget, picos]).expect("spent");
        old.execute(
            "INSERT INTO budget_leases VALUES (?1, ?2, 0, 5, ?3, '1 boot/1'), (?1 || 'old', ?2, 0, 7, 9, '1 boot/1')",
            rusqlite::params![index.to_string(), budget, expires],
        )
        .expect("reserved");
    }
}

#[test]
fn no_budget_begins_anew_when_the_ledger_is_of_an_older_version() {
    let nothing = r#""gateway":null,"key":null,"model":null,"tag":{},"task":null"#;
    let budgets = [
        ("limit = 1\nper = \"total\"", format!(r#"{{"match":{{{nothing}}},"per":"total"}}"#)),
        (
            "limit = 1\nper = \"total\"\nmatch = { key = \"a b\", model = \"x-*\", tag = { \"b c\" = 'q\"\\', b = \"ü\", \"b!\" = \"1\" } }",
            r#"{"match":{"gateway":null,"key":"a b","model":"x-*","tag":{"b":"ü","b c":"q\"\\","b!":"1"},"task":null},"per":"total"}"#
                .to_owned(),
        ),
        (
            "limit = 1\nper = \"total\"\nmatch = { gateway = \"g\", task = \"t\" }",
            r#"{"match":{"gateway":"g","key":null,"model":null,"tag":{},"task":"t"},"per":"total"}"#.to_owned(),
        ),
    ];
    let spent: Vec<(&str, i64)> = budgets.iter().zip(100..).map(|((_, old), picos)| (old.as_str(), picos)).collect();
    let budgets: Vec<Budget> = budgets.iter().map(|(toml, _)| toml::from_str(toml).expect("a budget")).collect();
    let dir = tempfile::tempdir().expect("a directory");
    let now = jiff::Timestamp::now();
    of_schema_3(dir.path(), &spent, now.as_second() + 3_600);
    let check = || {
        let found = balances(Some(dir.path()), &budgets, now).expect("readable");
        let sums: Vec<_> = found.iter().map(|found| [found.spent, found.estimated, found.reserved]).collect();
        assert_eq!(sums, [100, 101, 102].map(|spent| [spent, 1, 5].map(picos)), "what had expired was free");
    };
    #[cfg(unix)]
    if rustix::process::geteuid().is_root() {
        // Where others may write, it is only read.
        let permit = |mode| {
            std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(mode))
                .expect("permitted");
        };
        permit(0o777);
        check();
        permit(0o700);
    }
    drop(Store::open(dir.path(), Mode::RECORD).expect("brought up to date"));
    check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    // L10
    #[test]
    fn sums_are_exact_and_never_beyond_the_limit(costs in prop::collection::vec(1i64..1_000, 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (_dir, store) = in_ledger();
        let accounts = [account("a", 10_000)];
        let reserve = |entry: &Entry| runtime.block_on(reserve(&store, entry));
        let mut sum = 0;
        for (nth, amount) in (0..).zip(&costs) {
            let entry = entry(&format!("{nth}"), *amount, &accounts);
            let refused = reserve(&entry).refused;
            prop_assert_eq!(refused.is_some(), sum + amount > 10_000);
            if refused.is_none() {
                store.settle(&entry, Spent { cost: picos(*amount), estimated: picos(amount * (nth % 2)) });
                sum += amount;
            }
        }
        let refused = reserve(&entry("last", 20_000, &accounts)).refused;
        prop_assert_eq!(refused.expect("too much").left, picos(10_000 - sum));
    }
}
