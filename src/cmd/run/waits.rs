//! What a run waits for: its calls, the ledger, the database that servers share, the streams. A signal ends the waiting.

use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::call::Service;
use crate::cmd::Context;
use crate::cmd::shared::SharedRecords;
use crate::cmd::signals::Signals;
use crate::error::Error;
use crate::ledger::LedgerWriter;
use crate::policy::budget::BudgetStore;
use crate::report::term::{self, WriteLimit};
use crate::resources;
use crate::run::{Notices, Outcome, Reporter, RunSpec, execute};

/// The size in bytes of the stack of a thread that only waits.
const STACK: usize = 128 << 10;

/// What a run waits for, until a signal comes.
pub(super) struct Waits {
    runtime: Runtime,
    signals: Signals,
}

impl Waits {
    /// Listens for signals from now on.
    pub(super) fn new(runtime: Runtime) -> Self {
        let inside = runtime.enter();
        let signals = Signals::new();
        drop(inside);
        Self { runtime, signals }
    }

    /// Runs the calls until they are over or a signal comes. With `drain`, which is told of the first signal, the run goes on
    /// until the second one.
    pub(super) fn execute<'a, S: Service + 'static>(
        &'a mut self,
        service: &'a Arc<S>,
        spec: RunSpec<'a>,
        reporter: &'a mut dyn Reporter,
        drain: Option<&dyn Fn(i32)>,
    ) -> Outcome {
        let signals = &mut self.signals;
        let stop = async {
            let first = signals.next().await;
            let Some(drain) = drain else { return Error::Signalled(first) };
            // This comes first: whoever reads what `drain` says may send the second signal at once.
            signals.hear_another();
            drain(first);
            Error::Signalled(signals.next().await)
        };
        self.runtime.block_on(execute(service, spec, reporter, stop))
    }

    /// Waits until the ledger is written. Returns whether it has every call.
    pub(super) fn close(&mut self, context: &Context, ledger: Option<LedgerWriter>) -> Result<bool, Error> {
        let Some(ledger) = ledger else { return Ok(false) };
        let closed = self.unless_signalled(move || ledger.close());
        if matches!(closed, Err(Error::Signalled(_))) {
            context.urgent("the ledger is not written to its end: calls of this run may be missing in it");
        }
        let closed = closed?;
        closed.notices.iter().for_each(|text| context.notice(text));
        Ok(closed.is_whole)
    }

    /// Waits until the database that servers share has what belongs there, but no longer than this. What is missing then is
    /// not lost: calls are in a file, and reservations go on to count.
    pub(super) fn share(
        &mut self,
        context: &Context,
        budgets: &dyn BudgetStore,
        records: Option<SharedRecords>,
        limit: Duration,
    ) {
        if let Some(records) = records
            && let Ok(told) = self.unless_signalled(move || records.close(limit))
        {
            told.iter().for_each(|text| context.notice(text));
        }
        let signals = &mut self.signals;
        self.runtime.block_on(async {
            tokio::select! {
                // Reservations whose end is not written go on to count.
                _ = timeout(limit, budgets.flush()) => {}
                _ = signals.next() => {}
            }
        });
    }

    /// Waits until the standard streams are written.
    pub(super) fn finish_writing(&mut self, context: &Context, limit: Option<WriteLimit>) -> Result<(), Error> {
        if !self.unless_signalled(move || term::finish_writing(limit))?? {
            context.urgent("the end of the output is lost, because it is not read");
        }
        Ok(())
    }

    /// Does work that may block, by a thread that is left alone when a signal comes first.
    pub(super) fn unless_signalled<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Clone + Send + 'static,
    ) -> Result<T, Error> {
        let thread = thread::Builder::new().name("end".into()).stack_size(STACK);
        let Ok(done) = resources::on_thread(thread, work.clone()) else { return Ok(work()) };
        let signals = &mut self.signals;
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                done = done => done.map_err(|error| Error::system("the end of the run broke off", &io::Error::other(error))),
                signal = signals.next() => Err(Error::Signalled(signal)),
            }
        })
    }

    /// Nothing is left to wait for, so a signal ends the process at once.
    pub(super) fn end(self) -> Runtime {
        self.signals.end_at_once();
        self.runtime
    }
}
