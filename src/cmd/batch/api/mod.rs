//! `--via api`: hands a batch over to the gateway's own Batch API, asks how it stands, collects the answers, cancels it.
//!
//! The ledger knows each part before it is handed over, and its id as soon as that was received. The answers then go the way
//! of every other call: through the schedule of the batch, with a service that takes them from the results.

mod clients;
mod collect;
mod handover;
mod results;
mod standing;
mod submit;

use super::jobs::unreadable;
use super::plan::{BatchPlan, PlannedWork};
use crate::cmd::Context;
use crate::error::Error;
use crate::ledger::{Mode, Store};
use crate::route::NamedRoute;

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

fn custom_id(row: u64) -> String {
    format!("row-{row}")
}

fn row_of(custom_id: &str) -> Option<u64> {
    custom_id.strip_prefix("row-")?.parse().ok()
}
