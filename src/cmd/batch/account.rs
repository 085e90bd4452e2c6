//! What a batch spends of `--max-cost`, as the ledger of this user keeps it beside the budgets: for all its runs together, and with what
//! was in flight when a process was killed.

use jiff::Timestamp;

use super::session::Lines;
use crate::call::CostLimit;
use crate::cmd::{Context, process};
use crate::config::{Action, Budget, Match, Period};
use crate::error::{Error, Failure, FailureKind};
use crate::ledger::LedgerWriter;
use crate::ledger::jobs::ACCOUNT;
use crate::money::Usd;
use crate::policy::budget::{self, SqliteBudgets};

/// The account of one job.
pub(super) struct JobAccount {
    budget: Budget,
    /// What runs of the job have spent and reserved since a run of it had a limit; `None` where none had.
    used: Option<Usd>,
    /// Whether the ledger of this user can keep it: the batch may go on later, and budgets are not in a database that may be lost while
    /// it goes on.
    can_be_kept: bool,
}

impl JobAccount {
    /// The account of a job that begins.
    pub(super) fn new(job: &str) -> Self {
        let budget = Budget {
            name: Some(format!("{ACCOUNT}{job}")),
            limit: Usd::from_picos(i64::MAX),
            per: Period::Total,
            matches: Match::default(),
            action: Action::Warn,
            line: 0,
        };
        Self { budget, used: None, can_be_kept: false }
    }

    /// The account of a job that writes to this output, and goes on where `is_resumed`.
    ///
    /// # Errors
    /// The ledger cannot be read, and the job `is_limited`.
    pub(super) fn open(
        context: &Context,
        (job, output): (&str, &Lines),
        is_resumed: bool,
        is_limited: bool,
    ) -> Result<Self, Error> {
        let can_be_kept = output.file().is_some() && context.settings.store.is_none();
        let mut account = Self { can_be_kept, ..Self::new(job) };
        if let Some((budget, began)) = account.place().filter(|_| is_resumed && can_be_kept) {
            account.used = match budget::used(context.settings.dirs.data.as_deref(), &budget, began) {
                // A ledger that cannot be read stops no batch without a limit.
                Err(_) if !is_limited => None,
                used => used?,
            };
        }
        Ok(account)
    }

    /// Whether a run of the job had a limit, so that what was spent since then is in the account.
    pub(super) fn is_kept(&self) -> bool {
        self.used.is_some()
    }

    /// The account as a budget that refuses nothing, by which a run without a limit counts.
    pub(super) fn budget(&self) -> Budget {
        self.budget.clone()
    }

    /// The most that recorded calls may have cost, of which this much is `known`, or estimated where there is no account.
    pub(super) fn recorded(&self, known: Usd) -> Usd {
        self.used.map_or(known, |used| used.max(known))
    }

    /// Keeps account of all that `limit` counts from now on, beside what `recorded` calls have cost, if it can.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(super) fn keep(&self, ledger: &LedgerWriter, limit: &CostLimit, recorded: Usd) -> Result<(), Error> {
        let Some((budget, began)) = self.place().filter(|_| self.can_be_kept) else { return Ok(()) };
        let missing = recorded.picos().saturating_sub(self.used.unwrap_or(Usd::ZERO).picos()).max(0);
        let store = SqliteBudgets::new(ledger.clone());
        let begun = process::runtime()?.block_on(store.begin(&budget, began, Usd::from_picos(missing)));
        begun.map_err(|error| {
            let failure = Failure::new(FailureKind::Refused, format!("--max-cost cannot be kept: {error}"));
            let failure = Failure { cause: error.cause(), ..failure };
            Error::Call(failure.with_advice("with --log off, the lines of the output alone count"))
        })?;
        limit.keep_in(budget, began);
        Ok(())
    }

    /// The name of the account, and the beginning of its only window in seconds since 1970.
    fn place(&self) -> Option<(String, i64)> {
        let window = self.budget.per.window(Timestamp::now())?;
        Some((self.budget.id(), window.began.as_second()))
    }
}
