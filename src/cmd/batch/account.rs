//! What a batch spends of `--max-cost`, as the ledger of this user keeps it beside the budgets: for all its runs together, and with what
//! was in flight when a process was killed.

use jiff::Timestamp;

use crate::call::CostLimit;
use crate::cmd::{Context, process};
use crate::config::{Action, Budget, Match, Period};
use crate::error::Error;
use crate::ids::new_id;
use crate::ledger::LedgerWriter;
use crate::money::Usd;
use crate::policy::budget::{self, Account, BudgetStore as _, Entry, Spent, SqliteBudgets};

/// The account of one job.
pub(super) struct JobAccount {
    budget: Budget,
    /// What runs of the job have spent and reserved.
    used: Usd,
}

impl JobAccount {
    /// The account of a job that begins.
    pub(super) fn new(job: &str) -> Self {
        let budget = Budget {
            name: Some(format!("batch {job}")),
            limit: Usd::from_picos(i64::MAX),
            per: Period::Total,
            matches: Match::default(),
            action: Action::Warn,
            line: 0,
        };
        Self { budget, used: Usd::ZERO }
    }

    /// The account of a job that goes on.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(super) fn of(context: &Context, job: &str) -> Result<Self, Error> {
        let mut account = Self::new(job);
        let data = context.settings.dirs.data.as_deref();
        let balances = budget::balances(data, std::slice::from_ref(&account.budget), Timestamp::now())?;
        account.used = balances.iter().map(|balance| balance.spent + balance.reserved).sum();
        Ok(account)
    }

    /// Whether a run of the job had a limit, so that what was spent since then is in the account.
    pub(super) fn is_kept(&self) -> bool {
        self.used > Usd::ZERO
    }

    /// The account as a budget that refuses nothing, by which a run without a limit counts.
    pub(super) fn budget(&self) -> Budget {
        self.budget.clone()
    }

    /// Counts what the account has where that is more than `limit` has counted.
    pub(super) fn count_in(&self, limit: &CostLimit) {
        let more = self.used.picos().saturating_sub(limit.used().picos());
        limit.settle(Usd::ZERO, Usd::from_picos(more.max(0)));
    }

    /// Keeps account of what `limit` has counted, and of all that it counts from now on.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(super) fn keep(&self, ledger: Option<LedgerWriter>, limit: &CostLimit) -> Result<(), Error> {
        let now = Timestamp::now();
        let (Some(ledger), Some(window)) = (ledger, self.budget.per.window(now)) else { return Ok(()) };
        let (budget, began) = (self.budget.id(), window.began.as_second());
        let missing = Usd::from_picos(limit.used().picos().saturating_sub(self.used.picos()).max(0));
        if missing > Usd::ZERO {
            let store = SqliteBudgets::new(ledger);
            let account = Account { budget: budget.clone(), began, limit: limit.most, strict: true };
            let id = new_id().to_string();
            let entry = Entry { id, accounts: vec![account], amount: missing, expires: now.as_second() };
            store.settle(&entry, Spent { cost: missing, estimated: Usd::ZERO });
            process::runtime()?.block_on(store.flush())?;
        }
        limit.keep_in(budget, began);
        Ok(())
    }
}
