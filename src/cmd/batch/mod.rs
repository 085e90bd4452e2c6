//! `llm batch`: asks every row of a data set, and what belongs to that: list, status, cancel, retry, merge.

mod account;
mod api;
mod dry_run;
mod jobs;
mod judging;
mod keeper;
mod lines;
mod make;
mod merge;
mod plan;
mod session;
mod share;
mod unpriced;
mod view;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use self::account::JobAccount;
pub(super) use self::api::ApiResults;
use self::judging::Judging;
use self::keeper::Keeper;
use self::lines::LineMaker;
use self::make::CallMaker;
use self::plan::BatchPlan;
use self::session::{Lines, Session, absolute};
use self::share::{ShardTeller, Told};
use self::unpriced::Earlier;
use self::view::{BatchView, ViewState};
use super::run::{LIMIT_AFTER_SIGNAL, RunOptions, SHARE_LIMIT, run_schedule};
use super::shared;
use super::{Context, process};
use crate::adapter::mask_keys;
use crate::batch::limit::Limit;
use crate::batch::{BatchSchedule, Control, Feed, StopReason};
use crate::cli::{BatchArgs, BatchCommand, BatchRunArgs, OnError, Order, Via};
use crate::config::LogLevel;
use crate::error::{Error, Failure, STDOUT};
use crate::ids::new_id;
use crate::ledger::LedgerWriter;
use crate::ledger::jobs::{Job, JobProgress, JobState, set_state};
use crate::money::Usd;
use crate::report::batch::BatchProgress;
use crate::report::notice::with_status;
use crate::report::term;
use crate::run::Notices;

/// The name of the tag that holds the end of the job's id.
const BATCH_TAG: &str = "batch";

/// So many results of a batch that was handed over are taken at once.
const RESULTS_AT_ONCE: usize = 64;

/// Where lines are printed in the order of rows, so many rows are asked ahead of the first that has not ended.
const AHEAD_OF_FIRST: usize = 1_024;

/// While so many bytes of lines wait for the reader of standard output, no further row is taken.
const MOST_UNREAD: usize = 1 << 20;

/// The same while so many bytes of lines wait for the line of an earlier row (`--order input`).
const MOST_HELD: usize = 64 << 20;

pub(super) fn run(context: &Context, args: BatchArgs) -> Result<u8, Error> {
    match args.command {
        None => run_batch(context, &args.run, command_line()),
        Some(BatchCommand::List { output }) => jobs::list(context, output.format),
        Some(BatchCommand::Status { job, output }) => jobs::status(context, job.id.as_deref(), output.format),
        Some(BatchCommand::RetryFailed { job, output }) => {
            jobs::retry_failed(context, job.id.as_deref(), output.format)
        }
        Some(BatchCommand::Cancel { job }) => jobs::cancel(context, job.id.as_deref()),
        Some(BatchCommand::Collect { job, wait, give_up, output }) => {
            api::collect(context, job.id.as_deref(), (wait, give_up), output.format)
        }
        Some(BatchCommand::Merge { outputs, out, output }) => merge::run(context, &outputs, &out, output.format),
    }
}

/// The arguments of this process after the name of the program, without keys.
fn command_line() -> Vec<String> {
    std::env::args_os().skip(1).map(|argument| mask_keys(&argument.to_string_lossy()).into_owned()).collect()
}

/// Runs a batch. `command` is the command line, by which the batch can go on later.
fn run_batch(context: &Context, args: &BatchRunArgs, command: Vec<String>) -> Result<u8, Error> {
    if args.via == Some(Via::Api) {
        api::check_flags(args)?;
    }
    let mut plan = BatchPlan::new(context, args)?;
    plan.draw(args)?;
    if args.prompt.dry_run {
        return dry_run::run(context, args, &plan);
    }
    let by_calls = args.via != Some(Via::Api);
    let (output, session) = Session::open(context, args, &mut plan, by_calls)?;
    let batch = Batch::new(context, args, &plan, command);
    match args.via {
        Some(Via::Api) => api::submit(&batch, output, session),
        Some(Via::Calls) | None => batch.run(output, session, None),
    }
}

/// A batch that is about to begin.
struct Batch<'a> {
    context: &'a Context,
    args: &'a BatchRunArgs,
    plan: &'a BatchPlan,
    command: Vec<String>,
    ledger: Option<LedgerWriter>,
    /// Whether the ledger keeps texts.
    keeps_texts: bool,
    /// How its shard stands when this process has ended, whatever it has reached.
    shard_ends_as: Option<JobState>,
}

impl<'a> Batch<'a> {
    fn new(context: &'a Context, args: &'a BatchRunArgs, plan: &'a BatchPlan, command: Vec<String>) -> Self {
        let log = super::run::log_level(context, args.prompt.log.level);
        let dir = context.settings.dirs.data.as_deref();
        let ledger = dir.filter(|_| log != LogLevel::Off).map(LedgerWriter::new);
        Self { context, args, plan, command, ledger, keeps_texts: log == LogLevel::Full, shard_ends_as: None }
    }

    /// Writes the results of a batch that was handed over, as if its calls ended now.
    fn collect(
        mut self,
        output: Lines,
        session: Session,
        results: Arc<ApiResults>,
        is_last: bool,
    ) -> Result<u8, Error> {
        self.shard_ends_as = (!is_last).then_some(JobState::Submitted);
        self.run(output, session, Some(results))
    }

    fn run(self, output: Lines, session: Session, results: Option<Arc<ApiResults>>) -> Result<u8, Error> {
        let Session { done, tally, earlier, job, is_resumed } = session;
        let (context, args, plan) = (self.context, self.args, self.plan);
        let is_limited = plan.base.caller.max_cost.is_some();
        let account = JobAccount::open(context, (&job, &output), is_resumed, is_limited)?;
        let base = self.base(&job, &account);
        let salt = if args.retry_failed { new_id().to_string() } else { job.clone() };
        let mut maker = CallMaker::new(&context.settings, &base, &plan.work, &plan.names, salt);
        let mut samples = maker.samples()?;
        let resolver = context.resolver(args.prompt.to.gateway.as_deref());
        let judging = match results {
            None => Judging::new(context, args, &base, &samples)?,
            Some(_) => None,
        };
        let max_cost = base.caller.max_cost.clone();
        let mut recorded = Usd::ZERO;
        if let Some(limit) = &max_cost {
            let (samples, judging, models) = (&samples, judging.as_ref(), done.models());
            let pricing = unpriced::Pricing { context, resolver: &resolver, plan, models, samples, judging };
            // The account knows better what became of recorded calls.
            let earlier = if account.is_kept() { Earlier { tries: Vec::new(), ..earlier } } else { earlier };
            let most = pricing.most(&mut maker, &earlier)?;
            recorded = account.recorded(most.recorded);
            limit.settle(Usd::ZERO, recorded + most.elsewhere);
        }
        samples.extend(judging.iter().flat_map(Judging::calls).cloned());
        let maker = maker.judged(judging.as_ref());
        let control = Arc::new(Control::default());
        let concurrency = args.concurrency.map(|calls| calls as usize);
        let fixed = if results.is_some() { Some(RESULTS_AT_ONCE) } else { concurrency };
        let limit = Limit::new(fixed, process::connections());
        let mut options = self.options(limit.most(), &control);
        let is_collected = results.is_some();
        let collected = results.as_ref().map(|results| results.total_and_missing());
        options.results = results;
        if !is_collected {
            self.note_job(&job, &limit, &tally);
        }
        if let (Some(limit), Some(ledger)) = (&max_cost, &self.ledger) {
            account.keep(ledger, limit, recorded)?;
        }
        let (total, missing) = match collected {
            Some((total, missing)) => (Some(total), missing),
            None => (self.total(&done), 0),
        };
        let progress = JobProgress { total, ..progress_of(&tally, limit.now() as u64) };
        let feed = Feed::start(
            plan.source.rows()?,
            plan.recipe.clone(),
            plan.selection.clone(),
            Arc::new(done),
            plan.names.len(),
        );
        let feed = feed.map_err(|error| Error::system("the system has no thread for reading rows", &error))?;
        let position = feed.position.clone();
        let to_file = output.file().is_some();
        let order = args.order.unwrap_or(if to_file { Order::Input } else { Order::Finished });
        let window = if !to_file && order == Order::Input { AHEAD_OF_FIRST } else { usize::MAX };
        let width = judging.as_ref().map_or(plan.work.width(), Judging::width);
        let handle = output.file().and_then(|output| output.handle().ok());
        let kept = self.ledger.clone().map(|ledger| (ledger, job.clone()));
        let schedule =
            BatchSchedule::new(feed, Box::new(maker), Arc::clone(&control), limit, (plan.names.len(), width), window);
        let lines = Arc::clone(&control);
        let mut schedule =
            schedule.held_while(move || !to_file && (term::unread() > MOST_UNREAD || lines.held() > MOST_HELD));
        let teller = self.teller(&job, is_collected, JobState::Running, progress);
        let input = plan.source.path.to_string_lossy();
        let mut view = BatchView {
            context,
            lines: LineMaker::new(plan, &job),
            job: &job,
            input: &input,
            names: &plan.names,
            width,
            judging: judging.as_ref(),
            output,
            order,
            on_error: args.on_error.unwrap_or(OnError::Skip),
            format: args.output.format,
            control: Arc::clone(&control),
            open: schedule.open_rows(),
            tally,
            progress: BatchProgress::new(&context.terminal, !context.verbose, context.quiet),
            position,
            total,
            keeper: Keeper::start(handle, kept, teller.clone(), progress, (Arc::clone(&control), !is_collected)),
            ledger: self.ledger.clone(),
            is_recorded_first: is_collected,
            resume_command: resume_command(&self.command),
            state: ViewState::new(missing),
        };
        let ended = run_schedule(context, &samples, &mut schedule, &options, &mut view);
        if ended.is_err() {
            self.note_stopped(&job);
        }
        let progress = view.job_progress();
        drop(view);
        if let Some(teller) = teller {
            self.end_teller(&teller, &ended, progress);
        }
        self.result(ended, &control)
    }

    /// The base of the calls, with the tag of the job. Without `--max-cost`, calls count in the account of the job, if it has one and they
    /// are recorded.
    fn base(&self, job: &str, account: &JobAccount) -> crate::resolve::CallTemplate {
        let mut base = self.plan.base.clone();
        let mut caller = crate::call::Caller::clone(&base.caller);
        caller.tags.insert(BATCH_TAG.to_owned(), short_id(job).to_owned());
        if caller.max_cost.is_none() && account.is_kept() && self.ledger.is_some() {
            caller.budgets.push(account.budget());
        }
        base.caller = Arc::new(caller);
        base
    }

    fn options(&self, most: usize, control: &Arc<Control>) -> RunOptions {
        let mut options = RunOptions::new(self.context, "batch", &self.args.prompt);
        options.concurrency = most;
        options.drain = Some(Arc::clone(control));
        options.ledger.clone_from(&self.ledger);
        options
    }

    /// Notes the job in the ledger before anything is sent.
    fn note_job(&self, id: &str, limit: &Limit, tally: &crate::batch::Tally) {
        let Some(ledger) = &self.ledger else { return };
        let job = self.job(id, limit.now() as u64, tally);
        let saved = process::runtime()
            .ok()
            .map(|runtime| runtime.block_on(ledger.transact(move |transaction| job.save(transaction))));
        if let Some(Err(error)) = saved {
            self.context
                .notice(&format!("the batch is not in the ledger, and `llm batch list` will not show it: {error}"));
        }
    }

    /// The job as the ledger has it at its beginning.
    fn job(&self, id: &str, concurrency: u64, tally: &crate::batch::Tally) -> Job {
        let now = Timestamp::now().as_millisecond();
        Job {
            id: id.to_owned(),
            began_ms: now,
            seen_ms: now,
            state: JobState::Running,
            via_api: false,
            input: self.plan.source.path.to_string_lossy().into_owned(),
            output: self.args.prompt.out.path.as_deref().map(absolute),
            directory: std::env::current_dir().map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default(),
            // The command has the template, which is a prompt.
            command: if self.keeps_texts { self.command.clone() } else { Vec::new() },
            plan: self.plan.parts.clone(),
            models: self.plan.names.clone(),
            progress: progress_of(tally, concurrency),
        }
    }

    /// What tells the store that machines share how far this shard is; `None` where there is no such store, or the batch is no
    /// shard, or is not to be recorded.
    fn teller(&self, job: &str, via_api: bool, state: JobState, progress: JobProgress) -> Option<ShardTeller> {
        self.ledger.as_ref()?;
        let told = Told::new(job, self.args, self.plan)?.via_api(via_api);
        let started = shared::remote_ledger(&self.context.settings).transpose()?.and_then(|remote| {
            ShardTeller::start(told, remote.shards(), self.shard_ends_as)
                .map_err(|error| Error::system("the system has no thread for [store]", &error))
        });
        let teller =
            started.map_err(|error| self.context.notice(&format!("[store] does not know of this shard: {error}")));
        let teller = teller.ok()?;
        teller.note(state, progress);
        Some(teller)
    }

    /// Waits until the store knows how the shard ended.
    fn end_teller(&self, teller: &ShardTeller, ended: &Result<u8, Error>, progress: JobProgress) {
        if ended.is_err() {
            teller.end(JobState::Stopped, progress);
        }
        let limit = if matches!(ended, Err(Error::Signalled(_))) { LIMIT_AFTER_SIGNAL } else { SHARE_LIMIT };
        teller.close(limit).iter().for_each(|text| self.context.notice(text));
    }

    /// Where the view could not end the job, because its output failed.
    fn note_stopped(&self, job: &str) {
        let Some(ledger) = &self.ledger else { return };
        let job = job.to_owned();
        ledger.submit(move |transaction| set_state(transaction, &job, JobState::Stopped));
        ledger.clone().close().notices.iter().for_each(|text| self.context.notice(text));
    }

    /// How many lines the output will have; `None` where only reading all rows would tell.
    fn total(&self, done: &crate::batch::Done) -> Option<u64> {
        Some(self.plan.lines(self.plan.count()?, done))
    }

    /// The exit code, or why the batch stopped before its end.
    fn result(&self, ended: Result<u8, Error>, control: &Control) -> Result<u8, Error> {
        let code = ended?;
        match control.take_reason() {
            None | Some(StopReason::Cancelled) => Ok(code),
            Some(StopReason::Signal(signal)) => Err(Error::Signalled(signal)),
            Some(StopReason::Call(asked, failure)) => {
                Err(Error::Call(Failure { message: format!("{asked}: {}", with_status(&failure)), ..failure }))
            }
            Some(StopReason::Input(source)) => Err(self.plan.source.unreadable(source)),
            Some(StopReason::Output(source)) => {
                let path = self.args.prompt.out.path.as_deref();
                let target = path.map_or_else(|| STDOUT.to_owned(), |path: &Path| path.display().to_string());
                Err(Error::Output { target, source })
            }
            Some(StopReason::Row(why)) => {
                self.context.urgent(&format!("stopped, as --on-error stop says: {why}"));
                Ok(code)
            }
        }
    }
}

/// How far a batch is by its output.
fn progress_of(tally: &crate::batch::Tally, concurrency: u64) -> JobProgress {
    let (ok, failed, truncated) = tally.counts();
    JobProgress { total: None, ok, failed, truncated, picos: tally.cost().usd.map(Usd::picos), concurrency }
}

/// The end of an id, by which commands find the job.
fn short_id(id: &str) -> &str {
    id.char_indices().rev().nth(7).map_or(id, |(at, _)| &id[at..])
}

/// The command with `--resume`, as a shell reads it.
fn resume_command(command: &[String]) -> String {
    let mut words = vec!["llm".to_owned()];
    words.extend(command.iter().filter(|word| *word != "--retry-failed").map(|word| quoted(word)));
    if !command.iter().any(|word| word == "--resume") {
        words.push("--resume".to_owned());
    }
    words.join(" ")
}

/// The word as a POSIX shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_goes_on_can_be_pasted_into_a_shell() {
        let command = |words: &[&str]| resume_command(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(command(&["batch", "a b.csv", "it's {{ x }}"]), r"llm batch 'a b.csv' 'it'\''s {{ x }}' --resume");
        assert_eq!(command(&["batch", "x", "--resume", "--retry-failed"]), "llm batch x --resume");
    }
}
