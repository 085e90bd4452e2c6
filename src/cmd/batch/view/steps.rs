//! The record of a row whose calls are several.

use std::collections::BTreeMap;

use crate::call::STEP_TAG;
use crate::error::Failure;
use crate::record::{Cost, Record, Status};

/// What is said of the steps that failed, or whose answer is incomplete, although the last one has answered: it uses none of them.
pub(super) fn unused_failures(records: &BTreeMap<usize, Record>) -> Vec<String> {
    let is_answered = records.values().next_back().is_some_and(|last| last.status == Status::Ok);
    let failed = records.values().filter(|_| is_answered).filter_map(at_step);
    failed.map(|failure| format!("{} (its answer is not used)", failure.message)).collect()
}

/// Why a step failed, with its name.
fn at_step(record: &Record) -> Option<Failure> {
    let failure = record.error.clone()?;
    let message = match record.tags.get(STEP_TAG) {
        Some(step) => format!("step `{step}`: {}", failure.message),
        None => failure.message,
    };
    Some(Failure { message, ..failure })
}

/// The record of a row: that of its call, or of the last step of its pipeline with the costs of all steps.
pub(super) fn of_steps(mut records: BTreeMap<usize, Record>, name: &str, width: usize) -> Option<Record> {
    let (_, mut last) = records.pop_last()?;
    if width == 1 {
        return Some(last);
    }
    let is_skipped = last.status == Status::Skipped;
    // A step that was not sent because an earlier one failed is not the reason.
    if is_skipped
        && let Some((_, failed)) =
            records.iter().find(|(_, record)| !matches!(record.status, Status::Ok | Status::Skipped))
    {
        (last.status, last.error) = (failed.status, at_step(failed));
    } else {
        last.error = at_step(&last);
    }
    // A step that was not sent took nothing.
    let sent: Vec<&Record> = records.values().filter(|record| record.status != Status::Skipped).collect();
    let is_free = |record: &Record| record.cost.is_none() && record.cost_nothing();
    let mut is_first = is_skipped || is_free(&last);
    for record in sent.iter().filter(|record| !is_free(record)) {
        if std::mem::take(&mut is_first) {
            (last.cost, last.usage) = (record.cost, record.usage);
            continue;
        }
        last.cost = match (last.cost, record.cost) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b).map(|cost| Cost { partial: true, ..cost }),
        };
        let add = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
        last.usage.input = add(last.usage.input, record.usage.input);
        last.usage.output = add(last.usage.output, record.usage.output);
    }
    for record in sent.into_iter().rev() {
        let own = last.timing.total.take();
        last.timing.total = match is_skipped && own.is_none() {
            true => record.timing.total,
            false => own.zip(record.timing.total).map(|(a, b)| a + b),
        };
        last.attempts.splice(0..0, record.attempts.iter().cloned());
    }
    last.model = name.to_owned();
    Some(last)
}
