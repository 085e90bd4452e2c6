//! The beginning of a batch: its output is opened, what is done in it is found, and a changed data set, template or list of
//! models is noticed before anything is sent.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::ErrorKind;
use std::path::Path;

use super::api;
use super::jobs::unreadable;
use super::lines::LineMaker;
use super::plan::BatchPlan;
use super::short_id;
use super::unpriced::{Earlier, UnknownLine};
use crate::batch::output::State;
use crate::batch::{Cook, Done, OutputError, OutputFile, Repaired, Tally};
use crate::cli::{BatchRunArgs, Via};
use crate::cmd::{Context, request};
use crate::error::Error;
use crate::ids::new_id;
use crate::ledger::{Store, StoreError, jobs};
use crate::money::Usd;
use crate::report::destination::Destination;
use crate::report::format::count;
use crate::run::Notices;

/// Where the lines of a batch go.
pub(super) enum Lines {
    /// A file, which keeps what is done.
    File(OutputFile),
    /// Standard output, or the pipe or device that `--out` names.
    Stream(Destination),
}

impl Lines {
    /// `resume` is whether the batch goes on with what is there.
    ///
    /// # Errors
    /// They cannot be written there.
    fn open(context: &Context, args: &BatchRunArgs, resume: bool) -> Result<Self, Error> {
        let out = args.prompt.out.path.as_deref();
        let is_other = |path: &Path| path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        let is_handed_over = args.via == Some(Via::Api);
        match out {
            Some(path) if resume || is_handed_over || !is_other(path) => {
                context.check_output(path)?;
                OutputFile::open(path, resume).map(Self::File).map_err(output_error)
            }
            _ => request::destination(context, &args.prompt).map(Self::Stream),
        }
    }

    /// What `--out` names; `None` is standard output.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file.path()),
            Self::Stream(stream) => stream.path(),
        }
    }

    pub(super) fn file(&self) -> Option<&OutputFile> {
        match self {
            Self::File(file) => Some(file),
            Self::Stream(_) => None,
        }
    }

    pub(super) fn file_mut(&mut self) -> Option<&mut OutputFile> {
        match self {
            Self::File(file) => Some(file),
            Self::Stream(_) => None,
        }
    }
}

/// What a batch begins with.
pub(super) struct Session {
    pub(super) done: Done,
    pub(super) tally: Tally,
    /// What earlier runs have cost, where that is limited.
    pub(super) earlier: Earlier,
    /// The id of the job.
    pub(super) job: String,
    /// Whether an earlier run has begun the job.
    pub(super) is_resumed: bool,
}

impl Session {
    /// Opens the output and finds out what is done. `by_calls` is whether single calls ask what is not done.
    ///
    /// # Errors
    /// The output cannot be used, or what is asked differs from what was asked in it, or calls would ask what the gateway has.
    pub(super) fn open(
        context: &Context,
        args: &BatchRunArgs,
        plan: &mut BatchPlan,
        by_calls: bool,
    ) -> Result<(Lines, Self), Error> {
        let mut session = Self {
            done: Done::new(&plan.names),
            tally: Tally::new(&plan.names),
            earlier: Earlier::default(),
            job: new_id().to_string(),
            is_resumed: false,
        };
        let resume = args.resume || args.retry_failed;
        let mut output = Lines::open(context, args, resume)?;
        match output.file_mut() {
            Some(output) if resume => session.resume(context, args, (plan, by_calls), output)?,
            Some(output) => check_not_handed_over(context, output.path())?,
            None => {}
        }
        Ok((output, session))
    }

    fn resume(
        &mut self,
        context: &Context,
        args: &BatchRunArgs,
        (plan, by_calls): (&mut BatchPlan, bool),
        output: &mut OutputFile,
    ) -> Result<(), Error> {
        let dir = context.settings.dirs.data.as_deref();
        let store = dir.and_then(|dir| Store::open_to_read(dir).ok().flatten());
        let earlier_plan = self.scan(plan, output)?;
        let known = |store: &Store| match self.is_resumed {
            true => jobs::find(store, &self.job).ok().and_then(|jobs| jobs.into_iter().next()),
            false => jobs::of_output(store, &absolute(output.path())).ok().flatten(),
        };
        let earlier = store.as_ref().and_then(known);
        // What was handed over has no line yet.
        let is_in_work = |store: &Store, job: &jobs::Job| {
            let parts = jobs::parts(store, &job.id).unwrap_or_default();
            parts.iter().any(|part| part.state != jobs::PartState::Collected)
        };
        let in_work = store.as_ref().zip(earlier.as_ref()).filter(|(store, job)| is_in_work(store, job));
        if earlier_plan.is_some_and(|hash| hash != plan.hash())
            || in_work.is_some_and(|(_, job)| job.plan != plan.parts)
        {
            return Err(changed_plan(plan, earlier.as_ref(), output.path()));
        }
        if let Some(job) = &earlier {
            self.job.clone_from(&job.id);
            self.is_resumed = true;
        }
        if by_calls && self.is_resumed {
            // Before anything is changed in the output.
            api::check_collected(context, &self.job)?;
        }
        // Only now it is known that every whole line is one of this batch.
        repair(context, output)?;
        if let Some(job) = earlier.as_ref().filter(|job| job.state == jobs::JobState::Running) {
            let most = count(job.progress.concurrency, "call", "calls");
            context.notice(&format!("the last run was killed; at most {most} in flight then may be paid twice"));
        }
        if !self.is_resumed {
            return Ok(());
        }
        self.tell_models(context, plan);
        plan.source.keep()?;
        let changed = self.check_rows(plan)?;
        let paid = store.as_ref().map(|store| jobs::cost(store, &self.job)).transpose();
        let paid = paid.map_err(|error| unreadable(&error))?.unwrap_or_default();
        // Also what is asked again was paid for.
        if plan.base.caller.max_cost.is_some() {
            self.earlier = self.earlier(output, store.as_ref(), paid.usd)?;
        }
        if args.retry_failed || !changed.is_empty() {
            self.forget(plan, output, |row, state| {
                state == State::Failed && (args.retry_failed || changed.contains(&row))
            })?;
        }
        if let Some(store) = &store {
            self.recover(context, plan, output, store)?;
            self.tally.note_paid(paid);
        }
        Ok(())
    }

    /// What earlier runs have cost: the calls that the ledger has, which cost this much as far as it is known, and the lines of other runs, which came from another machine or were
    /// not to be recorded.
    fn earlier(&mut self, output: &mut OutputFile, store: Option<&Store>, paid: Option<Usd>) -> Result<Earlier, Error> {
        let mut earlier = Earlier { recorded: paid.unwrap_or(Usd::ZERO), ..Earlier::default() };
        let mut runs = HashSet::new();
        if let Some(store) = store {
            let read = || Ok((jobs::unknown_tries(store, &self.job)?, jobs::runs(store, &self.job)?));
            (earlier.tries, runs) = read().map_err(|error: StoreError| unreadable(&error))?;
        }
        let mut known = HashSet::new();
        let mut recorded = Usd::ZERO;
        output
            .scan(|line| {
                let place = self.done.place(&line.model);
                // A line that comes a second time does not count.
                if !known.insert((line.row, place)) {
                    return;
                }
                let cost = [line.ended.cost, line.ended.judge_cost].into_iter().flatten().map(|cost| cost.usd).sum();
                if runs.contains(&*line.run) {
                    recorded += cost;
                    return;
                }
                earlier.elsewhere += cost;
                let has_unknown = line.ended.has_unknown_cost();
                let verdicts = line.ended.judge_cost.is_some_and(|cost| cost.partial);
                if has_unknown || verdicts {
                    let tries = if has_unknown { line.unknown_tries } else { Vec::new() };
                    let answer = has_unknown && tries.is_empty();
                    earlier.lines.push(UnknownLine { row: line.row, place, tries, answer, verdicts });
                }
            })
            .map_err(output_error)?;
        // Calls may have been deleted from the ledger.
        earlier.recorded = earlier.recorded.max(recorded);
        Ok(earlier)
    }

    /// Finds what is done. Returns the hash of the plan by which it was asked; `None` where there is no line.
    fn scan(&mut self, plan: &BatchPlan, output: &mut OutputFile) -> Result<Option<crate::batch::RowHash>, Error> {
        let (mut done, mut tally) = (Done::new(&plan.names), Tally::new(&plan.names));
        let first = output.first(|line| (line.plan, line.job.clone().into_owned())).map_err(output_error)?;
        let mut last = (0, 0);
        let mut is_in_order = true;
        output
            .scan(|line| {
                if done.add(line.row, line.hash, &line.model, line.ended.status) {
                    tally.add(&line.model, &line.ended);
                }
                let place = (line.row, done.place(&line.model));
                is_in_order &= place > last;
                last = place;
            })
            .map_err(output_error)?;
        if !is_in_order {
            output.note_place((0, 0));
        }
        if last > (0, 0) {
            output.note_place(last);
        }
        self.is_resumed = first.is_some();
        let earlier = first.map(|(plan, job)| {
            self.job = job;
            plan
        });
        (self.done, self.tally) = (done, tally);
        Ok(earlier)
    }

    /// Says what differs in the list of models.
    fn tell_models(&self, context: &Context, plan: &BatchPlan) {
        let lines = |place: usize| self.done.lines(place);
        let has_lines = (0..self.done.models().len()).any(|place| lines(place) > 0);
        for (place, model) in self.done.models().iter().enumerate() {
            if place >= plan.names.len() {
                let answers = count(lines(place), "line", "lines");
                context.notice(&format!("{model} is not asked any more; its {answers} in the output are kept"));
            } else if has_lines && lines(place) == 0 {
                context.notice(&format!("{model} is new in this batch: it is asked every row"));
            }
        }
        if self.done.repeated > 0 {
            let text = match self.done.repeated {
                1 => "a line of the output comes a second time for its row and model, and does not count".to_owned(),
                lines => {
                    let lines = count(lines, "line", "lines");
                    format!("{lines} of the output come a second time for their row and model, and do not count")
                }
            };
            context.notice(&text);
        }
    }

    /// Compares the rows with those that were asked. Returns the numbers of those that differ and have no answer.
    ///
    /// # Errors
    /// A row differs that has an answer.
    fn check_rows(&self, plan: &BatchPlan) -> Result<Vec<u64>, Error> {
        let last = self.done.last_row();
        let mut changed = Vec::new();
        let mut rows = plan.source.rows()?;
        let mut number = 0;
        while number < last
            && let Some(row) = rows.read().map_err(|source| plan.source.unreadable(source))?
        {
            number = row.number;
            if self.done.hash(row.number).is_none_or(|hash| hash == row.hash()) {
                continue;
            }
            if self.done.is_answered(row.number) {
                let message = format!("row {} (line {}) is not the row that was asked", row.number, row.line);
                return Err(changed_rows(plan, message));
            }
            changed.push(row.number);
        }
        if number < last {
            return Err(changed_rows(plan, format!("it has {number} rows, and the output has row {last}")));
        }
        Ok(changed)
    }

    /// Removes lines from the output, so that their rows are asked again.
    fn forget(
        &mut self,
        plan: &BatchPlan,
        output: &mut OutputFile,
        is_forgotten: impl Fn(u64, State) -> bool,
    ) -> Result<(), Error> {
        let known = self.done.models().to_vec();
        let place_of = |model: &str| known.iter().position(|known| known == model).unwrap_or(usize::MAX);
        let keep = |line: &crate::batch::line::Line<'_>| {
            let state = if line.has_answer() { State::Answered } else { State::Failed };
            !is_forgotten(line.row, state)
        };
        output.retain(keep, place_of).map_err(output_error)?;
        let (job, is_resumed) = (self.job.clone(), self.is_resumed);
        self.scan(plan, output)?;
        (self.job, self.is_resumed) = (job, is_resumed);
        Ok(())
    }

    /// Writes the answers that the ledger has and the output lacks: those that were paid for and could not be written.
    fn recover(
        &mut self,
        context: &Context,
        plan: &BatchPlan,
        output: &mut OutputFile,
        store: &Store,
    ) -> Result<(), Error> {
        if plan.work.width() > 1 {
            return Ok(());
        }
        let mut missing: HashMap<u64, BTreeMap<usize, i64>> = HashMap::new();
        for (row, model, call) in jobs::answers(store, &self.job).unwrap_or_default() {
            if let Some(place) = plan.names.iter().position(|name| *name == model)
                && self.done.state(row, place) == State::Open
            {
                missing.entry(row).or_default().insert(place, call);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let mut recovered = 0;
        let mut cook = Cook::new(&plan.recipe)?;
        let lines = LineMaker::new(plan, &self.job);
        let mut rows = plan.source.rows()?;
        while let Some(row) = rows.read().map_err(|source| plan.source.unreadable(source))? {
            let Some(calls) = missing.remove(&row.number) else { continue };
            let (info, _) = cook.cook(&row);
            for (place, call) in calls {
                let Ok(kept) = jobs::answer(store, call) else { continue };
                let record = kept.into_record();
                let fallbacks = Vec::from_iter(lines.fell_back(&record));
                let (line, ended) = lines.line(&info, &record, None, &fallbacks)?;
                let target = output.path().display().to_string();
                let written = output.append(&line, (info.number, place));
                written.map_err(|source| Error::Output { target, source })?;
                self.tally.add(&plan.names[place], &ended);
                self.done.set(info.number, place, info.hash, State::Answered);
                recovered += 1;
            }
            if missing.is_empty() {
                break;
            }
        }
        let answers = count(recovered, "answer", "answers");
        context.notice(&format!("{answers} that the ledger has and the output lacked: not asked again"));
        Ok(())
    }
}

/// That no gateway has a batch whose answers go to this output: its rows would be paid twice.
///
/// # Errors
/// One has, or may have.
fn check_not_handed_over(context: &Context, path: &Path) -> Result<(), Error> {
    let Some(dir) = context.settings.dirs.data.as_deref() else { return Ok(()) };
    // A ledger that cannot be read knows of no batch, and costs no answer. Whoever writes to it says what is wrong.
    let known = Store::open_to_read(dir).and_then(|store| match store {
        Some(store) => jobs::handed_over_for(&store, &absolute(path)),
        None => Ok(None),
    });
    match known.ok().flatten() {
        None => Ok(()),
        Some(job) => {
            let id = short_id(&job);
            let message = format!("batch {id} was handed over, and its answers go to {}", path.display());
            let hint = format!(
                "`llm batch collect {id}` gets them, `llm batch cancel {id}` stops it, --resume goes on with it"
            );
            Err(Error::usage_hint(message, hint))
        }
    }
}

/// Mends the end of the output, and says what was done.
fn repair(context: &Context, output: &mut OutputFile) -> Result<(), Error> {
    let path = output.path().display().to_string();
    match output.repair().map_err(output_error)? {
        Repaired::Nothing => {}
        Repaired::LineEnd => context.notice(&format!("the end of the last line of {path} was missing and is added")),
        Repaired::Removed(bytes) => {
            let bytes = count(bytes, "byte", "bytes");
            context.notice(&format!("{path} ended in a part of a line, of {bytes}, which is removed"));
        }
    }
    Ok(())
}

/// The path as it is from everywhere.
pub(super) fn absolute(path: &Path) -> String {
    let there = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    there.unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

pub(super) fn output_error(error: OutputError) -> Error {
    let message = error.to_string();
    match error {
        // A line that is too long was not written by a batch.
        OutputError::Io { source, .. } if source.kind() == ErrorKind::InvalidData => {
            Error::usage_hint(message, "is it the output of another program?")
        }
        OutputError::Io { path, source } => Error::Output { target: path.display().to_string(), source },
        OutputError::Locked(_) => Error::usage_hint(message, "`llm batch list` shows which one"),
        OutputError::NotEmpty(_) => {
            Error::usage_hint(message, "--resume goes on with it; another --out begins a new batch")
        }
        OutputError::Foreign { .. } => Error::usage_hint(message, "is it the output of another program?"),
    }
}

fn changed_rows(plan: &BatchPlan, message: String) -> Error {
    let name = plan.source.path.display();
    Error::usage_hint(
        format!("{name} was changed since the earlier run: {message}"),
        "another --out begins a new batch; rows may only be added at the end",
    )
}

fn changed_plan(plan: &BatchPlan, earlier: Option<&jobs::Job>, output: &Path) -> Error {
    let changed = |job: &jobs::Job| {
        let names: std::collections::BTreeSet<&String> = job.plan.keys().chain(plan.parts.keys()).collect();
        names.into_iter().filter(|name| job.plan.get(*name) != plan.parts.get(*name)).cloned().collect::<Vec<_>>()
    };
    let what = earlier.map(changed).filter(|what| !what.is_empty());
    let what = what.unwrap_or_else(|| vec!["template or parameters".to_owned()]);
    // Names such as `parameters` are of several things.
    let (another, that) = match &what[..] {
        [one] if !one.contains("parameters") => ("another", "the one"),
        _ => ("other", "those"),
    };
    let what = what.join(" and ");
    Error::usage_hint(
        format!("this batch has {another} {what} than {that} by which {} was made", output.display()),
        "another --out begins a new batch",
    )
}
