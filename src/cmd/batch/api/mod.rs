//! `--via api`: hands a batch over to the gateway's own Batch API, asks how it stands, collects the answers, cancels it.
//!
//! The ledger knows each part before it is handed over, and its id as soon as that was received. The answers then go the way
//! of every other call: through the schedule of the batch, with a service that takes them from the results.

mod clients;
mod collect;
mod handover;
mod results;
mod settle;
mod standing;
mod submit;

use super::jobs::unreadable;
use super::plan::{BatchPlan, PlannedWork};
use super::short_id;
use crate::batch::RowHash;
use crate::call::Call;
use crate::cli::{BatchRunArgs, OnError};
use crate::cmd::Context;
use crate::error::Error;
use crate::ledger::jobs::{self, Part, PartState};
use crate::ledger::{Mode, Store};
use crate::report::format::count;
use crate::route::NamedRoute;
use crate::run::Notices;

pub(super) use collect::collect;
pub(in crate::cmd) use results::ApiResults;
pub(super) use standing::{cancel, tell_standing};
pub(super) use submit::submit;

/// The ledger, for writing. Without it, a batch that was handed over could not be found again.
fn ledger(context: &Context) -> Result<Store, Error> {
    let Some(dir) = context.settings.dirs.data.as_deref() else {
        return Err(Error::usage("--via api needs the ledger, which has no directory; LLM_DATA_DIR names one"));
    };
    Store::open(dir, Mode::ACCOUNT).map_err(|error| unreadable(&error))
}

/// That the gateway has nothing of the batch whose rows single calls would pay for a second time.
///
/// # Errors
/// It has.
pub(super) fn check_collected(context: &Context, job: &str) -> Result<(), Error> {
    let Some(dir) = context.settings.dirs.data.as_deref() else { return Ok(()) };
    let Some(store) = Store::open_to_read(dir).map_err(|error| unreadable(&error))? else { return Ok(()) };
    let parts = jobs::parts(&store, job).map_err(|error| unreadable(&error))?;
    let open = |state| parts.iter().filter(|part| part.state == state).count() as u64;
    let (known, in_doubt) = (open(PartState::Submitted), open(PartState::Submitting));
    if known + in_doubt == 0 {
        return Ok(());
    }
    let (batches, id) = (count(known + in_doubt, "batch", "batches"), short_id(job));
    let has = if in_doubt == 0 { "has" } else { "may have" };
    let hint = format!("`llm batch collect {id}` gets the answers; `llm batch cancel {id}` asks the gateway to stop");
    Err(Error::usage_hint(format!("the gateway {has} {batches} of these rows, which would be paid twice"), hint))
}

/// That no flag is given which only single calls can keep.
///
/// # Errors
/// One is given.
pub(super) fn check_flags(args: &BatchRunArgs) -> Result<(), Error> {
    let prompt = &args.prompt;
    let given = [
        ("--fallback", !prompt.fallback.is_empty()),
        ("--retries", prompt.retries.is_some()),
        ("--timeout", prompt.timeout.is_some()),
        ("--cache", prompt.cached() == Some(true)),
        ("--concurrency", args.concurrency.is_some()),
        ("--on-error stop", args.on_error == Some(OnError::Stop)),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((flag, _)) => {
            let hint = format!("leave {flag} out, or --via api");
            Err(Error::usage_hint(format!("{flag} is for single calls, which --via api does not make"), hint))
        }
    }
}

/// Says what the config wants of calls that a batch which is handed over does not do.
fn tell_unkept(context: &Context, calls: &[Call]) {
    if context.settings.cache.enabled {
        context.notice("the answer cache is for single calls: --via api neither reads nor writes it");
    }
    for call in calls.iter().filter(|call| call.choices.len() > 1) {
        context.notice(&format!(
            "{} has several models: --via api asks each row of the first one alone, and no other one if that fails",
            call.asked
        ));
    }
}

fn model_routes(plan: &BatchPlan) -> Result<&[NamedRoute], Error> {
    match &plan.work {
        PlannedWork::Models(routes) => Ok(routes),
        PlannedWork::Pipeline(..) => Err(Error::usage_hint(
            "a pipeline cannot go through the Batch API, because its steps need each other",
            "run it without --via api",
        )),
    }
}

/// That a temporary file cannot be made, written or read.
fn temporary_file(source: std::io::Error) -> Error {
    Error::Output { target: "a temporary file".into(), source }
}

/// By which a batch of the gateway is found again.
fn tag(job: &str, part: u64) -> String {
    format!("{job}-{part}")
}

/// What the ids of requests to this model have besides the rows.
fn mark(job: &str, model: &str) -> String {
    RowHash::of([job.as_bytes(), model.as_bytes()]).to_string()
}

/// What the id of a request says of the content of its row, by which it is noticed that the data set was changed since.
fn seal(job: &str, row: u64, hash: RowHash) -> RowHash {
    RowHash::of([job.as_bytes(), &row.to_le_bytes(), &hash.0.to_le_bytes()])
}

/// The id of a request, by which its result is known. No vendor takes more than 64 characters.
fn custom_id(row: u64, seal: RowHash, mark: Option<&str>) -> String {
    match mark {
        None => format!("row-{row}-{seal}"),
        Some(mark) => format!("row-{row}-{seal}-{mark}"),
    }
}

/// The row and the seal of a request of this part; `None` where the id is none of it. Earlier versions had ids without a seal.
fn row_of(custom_id: &str, part: &Part) -> Option<(u64, Option<RowHash>)> {
    let mut pieces = custom_id.strip_prefix("row-")?.split('-');
    let row = pieces.next()?.parse().ok().filter(|row| (part.rows.0..=part.rows.1).contains(row))?;
    let seal = pieces.next().map(|seal| u64::from_str_radix(seal, 16).map(RowHash)).transpose().ok()?;
    (pieces.next() == part.mark.as_deref() && pieces.next().is_none()).then_some((row, seal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_known_by_the_id_of_its_request_alone() {
        let part = |mark: Option<String>| Part {
            part: 0,
            gateway: "g".into(),
            model: "model".into(),
            rows: (3, 1_000_000_000),
            count: 2,
            remote: None,
            state: PartState::Submitted,
            mark,
            address: None,
        };
        let own = mark("job", "model");
        let (plain, marked) = (part(None), part(Some(own.clone())));
        for row in [3, 1_000_000_000] {
            let seal = seal("job", row, RowHash(7));
            let (id, marked_id) = (custom_id(row, seal, None), custom_id(row, seal, Some(&own)));
            assert_eq!(row_of(&id, &plain), Some((row, Some(seal))));
            assert_eq!(row_of(&marked_id, &marked), Some((row, Some(seal))));
            assert_eq!((row_of(&marked_id, &plain), row_of(&id, &marked)), (None, None));
            for other in [mark("job", "other"), mark("another job", "model")] {
                assert_eq!(row_of(&custom_id(row, seal, Some(&other)), &marked), None);
            }
            assert_eq!(row_of(&format!("{marked_id}-0"), &marked), None);
            assert!(marked_id.len() <= 64 && marked_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            assert_eq!(row_of(&format!("row-{row}"), &plain), Some((row, None)), "as earlier versions handed it over");
            assert_eq!(row_of(&format!("row-{row}"), &marked), None);
        }
        assert_eq!(row_of("row-2", &plain), None, "a row of another part");
        assert_eq!((row_of("row-", &plain), row_of("row-3-x", &plain)), (None, None));
    }
}
