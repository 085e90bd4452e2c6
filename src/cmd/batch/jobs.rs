//! `llm batch list`, `status`, `cancel` and `retry-failed`.

use std::path::Path;

use clap::FromArgMatches;
use jiff::Timestamp;

use super::view::render;
use super::{api, run_batch, session};
use crate::batch::output::is_locked;
use crate::batch::{Done, OutputFile, Tally};
use crate::cli::{BatchRunArgs, Cli, Command, SummaryFormat, TextOrJson};
use crate::cmd::{Context, shared};
use crate::error::Error;
use crate::ledger::jobs::{self, Job, JobState, SILENT_MS};
use crate::ledger::{Mode, Store, StoreError};
use crate::report::batch::{self as report, Entry, SharedShown, Shown, Summary};
use crate::report::term::print;
use crate::run::Notices;

/// The ledger, for reading; `None` where there is none yet.
fn store(context: &Context) -> Result<Option<Store>, Error> {
    let Some(dir) = context.settings.dirs.data.as_deref() else { return Ok(None) };
    Store::open_to_read(dir).map_err(|error| unreadable(&error))
}

pub(super) fn unreadable(error: &StoreError) -> Error {
    error.clone().into()
}

fn shown(job: Job) -> Shown {
    let is_locked = job.output.as_deref().is_some_and(|output| is_locked(Path::new(output)));
    let is_recent = Timestamp::now().as_millisecond() - job.seen_ms < SILENT_MS;
    let is_alive = match job.output {
        Some(_) => is_locked,
        None => is_recent,
    };
    Shown { job, is_alive }
}

/// The jobs of this machine, the newest first.
fn own(context: &Context) -> Result<Vec<Job>, Error> {
    let jobs = store(context)?.map(|store| jobs::list(&store)).transpose().map_err(|error| unreadable(&error))?;
    Ok(jobs.unwrap_or_default())
}

/// All jobs, the newest first, with those that several machines do. Where the store of these cannot be read, a notice says so.
fn all(context: &Context) -> Result<Vec<Entry>, Error> {
    let own = own(context)?.into_iter().map(shown).collect();
    let remote = shared::remote_ledger(&context.settings)?;
    let found = remote.map_or(Ok(Vec::new()), |remote| remote.shards().jobs());
    let shared = found.unwrap_or_else(|error| {
        context.notice(&format!("only batches of this machine are shown: {}", error.sentence()));
        Vec::new()
    });
    Ok(report::entries(own, shared))
}

pub(super) fn list(context: &Context, format: TextOrJson) -> Result<u8, Error> {
    let jobs = all(context)?;
    if jobs.is_empty() {
        context.notice("the ledger has no batches yet");
    }
    let out = &context.terminal.stdout;
    print(match format {
        TextOrJson::Text => report::list(&jobs, out),
        TextOrJson::Json => report::list_json(&jobs, out),
    })?;
    Ok(0)
}

/// The job that is meant: the one with this id, or the last.
pub(super) fn find(context: &Context, id: Option<&str>) -> Result<Job, Error> {
    let store = store(context)?;
    let found = match (&store, id) {
        (None, _) => Ok(Vec::new()),
        (Some(store), Some(id)) => jobs::find(store, id),
        (Some(store), None) => jobs::list(store).map(|jobs| jobs.into_iter().take(1).collect()),
    };
    let mut found = found.map_err(|error| unreadable(&error))?;
    match (found.len(), id) {
        (0, None) => Err(Error::usage("the ledger has no batches yet")),
        (0, Some(id)) => {
            let hint = match context.settings.store {
                None => "`llm batch list` shows their ids",
                Some(_) => "`llm batch list` shows their ids; a shard is handled on the machine that began it",
            };
            Err(Error::usage_hint(format!("no batch has the id `{id}`"), hint))
        }
        (1, _) => Ok(found.remove(0)),
        (_, id) => Err(several(id.unwrap_or_default())),
    }
}

fn several(id: &str) -> Error {
    Error::usage(format!("several batches have an id like `{id}`"))
}

/// The job of several machines that is meant; `None` where one of this machine is.
fn find_shared(context: &Context, id: Option<&str>) -> Result<Option<SharedShown>, Error> {
    if context.settings.store.is_none() {
        return Ok(None);
    }
    let Some(id) = id else {
        return Ok(match all(context)?.into_iter().max_by_key(Entry::last_began_ms) {
            Some(Entry::Shared(shared)) => Some(shared),
            Some(Entry::Own(_)) | None => None,
        });
    };
    if own(context)?.iter().any(|job| job.id.starts_with(id) || job.id.ends_with(id)) {
        return Ok(None);
    }
    let mut found = all(context)?.into_iter().filter_map(|entry| match entry {
        Entry::Shared(shared) if shared.is_named(id) => Some(shared),
        _ => None,
    });
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(several(id)),
        (found, None) => Ok(found),
    }
}

fn shared_status(context: &Context, shared: &SharedShown, format: SummaryFormat) -> Result<u8, Error> {
    let out = &context.terminal.stdout;
    match format {
        SummaryFormat::Text => print(report::shared_status(shared, out))?,
        SummaryFormat::Json => print(report::shared_status_json(shared, out))?,
        SummaryFormat::Markdown | SummaryFormat::Csv | SummaryFormat::Html => {
            let hint = "`llm batch merge` makes it from the outputs; text and json show how the shards stand";
            return Err(Error::usage_hint(
                "a batch of several machines has no summary before its outputs are joined",
                hint,
            ));
        }
    }
    Ok(0)
}

pub(super) fn status(context: &Context, id: Option<&str>, format: SummaryFormat) -> Result<u8, Error> {
    if let Some(shared) = find_shared(context, id)? {
        return shared_status(context, &shared, format);
    }
    let shown = shown(find(context, id)?);
    let job = &shown.job;
    let mut tally = job.output.as_deref().map(|output| tally_of(Path::new(output), &job.models)).transpose()?.flatten();
    if let (Some(tally), Some(store)) = (&mut tally, store(context)?) {
        let paid = jobs::cost(&store, &job.id).map_err(|error| unreadable(&error))?;
        tally.note_paid(paid);
    }
    let summary = tally.as_ref().map(|tally| Summary {
        job: &job.id,
        input: &job.input,
        output: job.output.as_deref(),
        expected: job.progress.total,
        tally,
        unwritten: 0,
        elapsed: None,
    });
    if job.via_api {
        api::tell_standing(context, job)?;
    }
    if let (None, Some(output)) = (&summary, &job.output) {
        context.notice(&format!("the output is not there any more: {output}"));
    }
    let out = &context.terminal.stdout;
    match (format, &summary) {
        (SummaryFormat::Text, summary) => print(report::status(&shown, summary.as_ref(), out))?,
        (format, Some(summary)) => print(render(summary, format, out)?)?,
        (_, None) => return Err(Error::usage("the output of this batch is not there, so it has no summary")),
    }
    Ok(0)
}

/// The figures of an output; `None` where there is no such file, or something else in its place.
pub(super) fn tally_of(path: &Path, models: &[String]) -> Result<Option<Tally>, Error> {
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Ok(None);
    }
    let mut file = match OutputFile::open_to_read(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
        Err(error) => return Err(session::output_error(error)),
    };
    let (mut done, mut tally) = (Done::new(models), Tally::new(models));
    file.scan(|line| {
        if done.add(line.row, line.hash, &line.model, line.ended.status) {
            tally.add(&line.model, &line.ended);
        }
    })
    .map_err(session::output_error)?;
    Ok(Some(tally))
}

pub(super) fn cancel(context: &Context, id: Option<&str>) -> Result<u8, Error> {
    let shown = shown(find(context, id)?);
    let is_running = shown.job.state == JobState::Running && shown.is_alive;
    if shown.job.via_api {
        api::cancel(context, &shown.job)?;
        return Ok(0);
    }
    let Some(dir) = context.settings.dirs.data.as_deref() else { return Err(Error::usage("there is no ledger")) };
    let mut store = Store::open(dir, Mode::ACCOUNT).map_err(|error| unreadable(&error))?;
    let job = shown.job.id.clone();
    let written = store.write(|transaction| match is_running {
        true => jobs::request_cancel(transaction, &job).map(drop),
        false => jobs::set_state(transaction, &job, JobState::Cancelled),
    });
    written.map_err(|error| unreadable(&error))?;
    context.notice(&match (is_running, shown.job.state) {
        (true, _) => format!("batch {} takes no further rows; what is in flight is finished", shown.short_id()),
        (false, JobState::Finished) => format!("batch {} had finished already", shown.short_id()),
        (false, _) => format!("batch {} was not running; it is cancelled now", shown.short_id()),
    });
    Ok(0)
}

pub(super) fn retry_failed(context: &Context, id: Option<&str>, format: SummaryFormat) -> Result<u8, Error> {
    let job = find(context, id)?;
    if job.output.is_none() {
        return Err(Error::usage("this batch was written to standard output, which cannot go on"));
    }
    let mut args = arguments(&job)?;
    args.resume = true;
    args.retry_failed = true;
    args.output.format = format;
    run_batch(context, &args, job.command)
}

/// The arguments of a job. The process goes to the directory in which the command was given.
pub(super) fn arguments(job: &Job) -> Result<BatchRunArgs, Error> {
    if job.command.is_empty() {
        let hint = "give the command of the batch again, with --resume";
        return Err(Error::usage_hint(
            "the ledger does not have the command of this batch, as --log metadata asks",
            hint,
        ));
    }
    if job.input == "-" {
        let hint = "give the command of the batch again with the data set, and with --resume";
        return Err(Error::usage_hint("the rows of this batch came from standard input", hint));
    }
    std::env::set_current_dir(&job.directory)
        .map_err(|source| Error::Input { path: job.directory.clone().into(), source })?;
    let words = std::iter::once("llm".to_owned()).chain(job.command.iter().cloned());
    let parsed = crate::cli::command(str::to_owned).try_get_matches_from(words);
    match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(Cli { command: Command::Batch(args), .. }) if args.command.is_none() => Ok(args.run),
        _ => Err(Error::usage("the command of this batch cannot be read any more")),
    }
}
