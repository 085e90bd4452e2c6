//! `llm log`: lists, shows, exports and deletes recorded calls.

use std::fs;
use std::io::{self, Read};

use super::chat::HISTORY;
use super::shared::{self, Shared};
use super::{Context, calls, process};
use crate::call::{JUDGE, ROLE_TAG};
use crate::cli::{LastArgs, LogArgs, LogCommand, LogFormat, LogListArgs, OutArgs, TakeArgs, TextOrJson};
use crate::error::Error;
use crate::input;
use crate::ledger::{self, Alike, Calls, Filter, LedgerWriter, Mode, Row, Store};
use crate::report::destination::Destination;
use crate::report::format;
use crate::report::log::{self, Form};
use crate::report::term::{Text, print};
use crate::report::{otel, scoped_keys};
use crate::run::Notices;

pub(super) fn run(context: &Context, args: &LogArgs) -> Result<u8, Error> {
    match &args.command {
        None => list(context, &args.list),
        Some(LogCommand::List(args)) => list(context, args),
        Some(LogCommand::Show { id, answer: true, .. }) => {
            let (take, out) = (TakeArgs::default(), OutArgs { path: None });
            super::last::run(context, &LastArgs { id: id.clone(), take, out })
        }
        Some(LogCommand::Show { id, conversation, output, answer: false }) => {
            show(context, id.as_deref(), *conversation, output.format)
        }
        Some(LogCommand::Export { filter, format: _, out }) => {
            let destination = context.destination(out.path.as_deref(), None)?;
            export(context, &calls::filter(filter)?, destination)
        }
        Some(LogCommand::Purge { before, all: _ }) => purge(context, before.as_deref()),
    }
}

/// Shows who changed which key of the server.
fn audit(context: &Context, args: &LogListArgs) -> Result<u8, Error> {
    let shared = Shared::new(&context.settings, LedgerWriter::new)?;
    let limit = if args.limit > 0 { args.limit } else { usize::MAX };
    let entries = process::runtime()?.block_on(shared.audit.entries(limit))?;
    let out = &context.terminal.stdout;
    print(match args.output.format {
        LogFormat::Text => scoped_keys::audit(&entries, out),
        LogFormat::Json => scoped_keys::audit_json(&entries, out),
        LogFormat::Jsonl | LogFormat::Csv => return Err(Error::usage("--audit is shown as text or json")),
    })?;
    Ok(0)
}

fn list(context: &Context, args: &LogListArgs) -> Result<u8, Error> {
    if args.audit {
        return audit(context, args);
    }
    let filter = Filter { search: args.search.clone(), ..calls::filter(&args.filter)? };
    let limit = (args.limit > 0).then_some(args.limit);
    let form = match args.output.format {
        LogFormat::Text => Form::Text,
        LogFormat::Json => Form::Json,
        LogFormat::Jsonl => Form::Jsonl,
        LogFormat::Csv => Form::Csv,
    };
    let (mut found, mut all) = (0, 0);
    let mut destination = Destination::new(None, context.terminal.stdout)?;
    let mut list = log::Calls::new(form, filter.search.as_deref(), &destination.output());
    // Only a list for people says how many calls it leaves out.
    let is_for_people = form == Form::Text && context.terminal.stdout.tty;
    if let Some(calls) = calls::shared(context)? {
        ledger::for_each(&*calls, &filter, limit, |row| destination.append(list.call(row)))?;
        found = list.count as u64;
        all = if is_for_people && limit == Some(list.count) { calls.count(&filter)? } else { found };
        if found == 0 {
            context.notice("no recorded call fits");
        }
    }
    destination.append(list.end())?;
    destination.finish()?;
    // Below the list, since it is the list that people read first.
    if all > found {
        context.notice(&format!("{found} of {}; -n 0 lists all", format::count(all, "call", "calls")));
    }
    Ok(0)
}

fn export(context: &Context, filter: &Filter, mut destination: Destination) -> Result<u8, Error> {
    let mut traces = otel::Traces::new();
    if let Some(calls) = calls::shared(context)? {
        ledger::for_each(&*calls, filter, None, |row| destination.append(traces.call(&row)))?;
    }
    destination.append(traces.end())?;
    destination.finish()?;
    Ok(0)
}

fn show(context: &Context, id: Option<&str>, conversation: bool, output: TextOrJson) -> Result<u8, Error> {
    let Some(calls) = calls::shared(context)? else {
        return Err(Error::usage("there is no call to show"));
    };
    let mut rows = named(&*calls, id)?;
    if conversation && let [row] = rows.as_slice() {
        let first = row.conversation.clone().unwrap_or_else(|| row.id.clone());
        let filter = Filter { conversation: Some(first), ..Filter::default() };
        rows = ledger::find(&*calls, &filter, None)?;
        rows.reverse();
    }
    let scores = rows.iter().map(|row| calls.scores(&row.id)).collect::<Result<Vec<_>, _>>()?;
    let out = &context.terminal.stdout;
    let page = match (output, rows.as_slice()) {
        (TextOrJson::Json, [row]) if !conversation => log::one_json(row, &scores[0], out),
        (TextOrJson::Json, rows) => log::json(rows, &scores, out),
        (TextOrJson::Text, rows) if conversation => log::conversation(rows, out),
        (TextOrJson::Text, rows) => {
            Text::join(rows.iter().zip(&scores).map(|(row, scores)| log::one(row, scores, out)), "\n")
        }
    };
    // What is rendered into a pipe is for a pager.
    let is_for_pager = output == TextOrJson::Text && out.renders() && !out.tty;
    print(if is_for_pager { page.escaped() } else { page })?;
    Ok(0)
}

/// The calls of an id on the command line: one call, or all calls of a run. Without an id, the last call that is not a judge's.
///
/// # Errors
/// No call or several calls have an id like this, or the ledger cannot be read.
pub(super) fn named(calls: &dyn Calls, id: Option<&str>) -> Result<Vec<Row>, Error> {
    let Some(id) = id else {
        let last = calls.last(&|row: &Row| row.tags.get(ROLE_TAG).is_none_or(|role| role != JUDGE))?;
        return last.map(|row| vec![row]).ok_or_else(|| Error::usage("no calls have been recorded yet"));
    };
    match calls.like(id)? {
        Alike::Calls(rows) if rows.is_empty() => {
            Err(Error::usage_hint(format!("no recorded call has an id like {id}"), "`llm log` lists them"))
        }
        Alike::Calls(rows) if rows.len() > 1 => Err(several(id, &rows)),
        Alike::Calls(rows) | Alike::Run(rows) => Ok(rows),
    }
}

/// The error that an id may mean several calls. Its hint lists the ends of their ids, in which they differ.
pub(super) fn several(id: &str, rows: &[Row]) -> Error {
    const SHOWN: usize = 10;
    let ends: Vec<&str> = rows.iter().take(SHOWN).map(|row| log::end(&row.id)).collect();
    let more = if rows.len() > SHOWN { "; `llm log` lists all" } else { "" };
    let hint = format!("the ends of their ids tell them apart: {}{more}", ends.join(", "));
    Error::usage_hint(format!("{id} may be several calls"), hint)
}

/// Deletes calls from the database of `[store]`, where there is one, and from the data directory. Calls that wait there for a
/// ledger are taken into it first.
fn purge(context: &Context, before: Option<&str>) -> Result<u8, Error> {
    let before = before.map(|text| calls::moment(text, "--before", jiff::Timestamp::now())).transpose()?;
    let before = before.map(jiff::Timestamp::as_millisecond);
    let remote = shared::remote_ledger(&context.settings)?;
    let own = if remote.is_some() { calls::own(context)? } else { calls::store(context)? };
    let count = match (own, &context.settings.dirs.data) {
        (Some(_), Some(dir)) => ledger::purge(&mut Store::open(dir, Mode::ACCOUNT)?, before)?,
        _ => 0,
    };
    let count = format::count(count as u64, "call", "calls");
    match remote {
        Some(remote) => {
            context.notice(&format!("{count} deleted in the ledger of this machine"));
            // What waits for the database would come into it afterwards.
            for text in shared::take_in(&context.settings)? {
                context.notice(&text);
            }
            let shared = format::count(remote.purge(before)?, "call", "calls");
            context.notice(&format!("{shared} deleted in the database of [store]"));
        }
        None => context.notice(&format!("{count} deleted")),
    }
    purge_history(context, before)?;
    for path in context.settings.dirs.data.iter().flat_map(|dir| ledger::left_over(dir)) {
        context.notice(&format!("{} was set aside earlier and may hold calls; delete it yourself", path.display()));
    }
    Ok(0)
}

/// Deletes the prompts that `llm chat` keeps for its next lines. They have no times: if only older ones are to be deleted, that is known
/// of all of them or of none.
fn purge_history(context: &Context, before_ms: Option<i64>) -> Result<(), Error> {
    let Some(path) = context.settings.dirs.data.as_ref().map(|dir| dir.join(HISTORY)) else { return Ok(()) };
    let failed = |source| Error::Output { target: path.display().to_string(), source };
    let metadata = match fs::metadata(&path) {
        Err(error) if input::is_missing(&error) => return Ok(()),
        metadata => metadata.map_err(failed)?,
    };
    if !metadata.is_file() {
        return Ok(());
    }
    let changed = metadata.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
    let is_older = |before: i64| changed.is_some_and(|changed| changed.as_millisecond() < before);
    if !before_ms.is_none_or(is_older) {
        let whole = "`llm log purge --all` deletes it";
        context.notice(&format!("{} has prompts of chats, and not their times; {whole}", path.display()));
        return Ok(());
    }
    // What is deleted is overwritten, as it is in the ledger.
    let overwrite = || {
        let mut file = fs::OpenOptions::new().write(true).open(&path)?;
        io::copy(&mut io::repeat(0).take(metadata.len()), &mut file)?;
        file.sync_all()?;
        fs::remove_file(&path)
    };
    overwrite().map_err(failed)?;
    context.notice("the prompts that `llm chat` kept are deleted, too");
    Ok(())
}
