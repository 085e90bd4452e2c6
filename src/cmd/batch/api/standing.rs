//! How the parts of a batch stand at the gateway, and their cancellation.

use super::clients::{Clients, Requests};
use super::settle::{Settled, settle};
use super::{ledger, tag};
use crate::batch::api::{self, Standing};
use crate::cli::BatchRunArgs;
use crate::cmd::Context;
use crate::cmd::batch::jobs::{arguments, unreadable};
use crate::cmd::batch::short_id;
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::Client;
use crate::ledger::Store;
use crate::ledger::jobs::{self, Job, Part, PartState};
use crate::report::format::count;
use crate::run::Notices;
use crate::words::shortened;

/// Asks the gateway how a part stands. What is shown of it has no secrets of the gateway in it, and is not long.
pub(super) fn standing(requests: &Requests, client: &Client, part: &Part) -> Result<Standing, Error> {
    let form = api::of(client.config().api_of(&part.model));
    let Some(remote) = &part.remote else {
        return Ok(Standing {
            word: "not handed over".into(),
            is_over: false,
            done: None,
            answered: 0,
            results: Vec::new(),
            failure: None,
        });
    };
    let standing = form.standing(remote, &requests.get(client, form, &form.status_path(remote))?);
    let standing = standing.map_err(|failure| client.reported(failure))?;
    let shown = |kind, text: &str| client.reported(Failure::new(kind, shortened(text, LONGEST_TEXT)));
    Ok(Standing {
        word: shortened(&shown(FailureKind::Protocol, &standing.word).message, LONGEST_WORD).into_owned(),
        failure: standing.failure.map(|failure| shown(failure.kind, &failure.message)),
        ..standing
    })
}

/// So much of what the gateway says of a batch is shown, in characters.
const LONGEST_TEXT: usize = 2_000;

/// So much of the gateway's word for how a batch stands is shown, in characters.
const LONGEST_WORD: usize = 64;

pub(super) fn described(part: &Part, standing: &Standing) -> String {
    let done = standing.done.map_or_else(String::new, |(done, of)| format!(", {done} of {of}"));
    let (first, last) = part.rows;
    format!("{}, rows {first} to {last}: {}{done}", part.model, standing.word)
}

/// The parts of a job that are not collected, and the clients for them.
pub(super) struct Open {
    /// Those that the gateway has.
    pub(super) parts: Vec<Part>,
    /// Those that it may have, because their handover broke off.
    pub(super) in_doubt: Vec<Part>,
    pub(super) clients: Clients,
    pub(super) requests: Requests,
    pub(super) store: Store,
}

impl Open {
    pub(super) fn of(context: &Context, job: &Job, args: &BatchRunArgs) -> Result<Self, Error> {
        let store = ledger(context)?;
        let parts = jobs::parts(&store, &job.id).map_err(|error| unreadable(&error))?;
        let open: Vec<Part> = parts.into_iter().filter(|part| part.state != PartState::Collected).collect();
        let names = open.iter().map(|part| part.gateway.clone()).collect();
        let clients = Clients::new(context, &names, args.prompt.to.key.as_deref())?;
        let (parts, in_doubt) = open.into_iter().partition(|part| part.state == PartState::Submitted);
        Ok(Self { parts, in_doubt, clients, requests: Requests::new()?, store })
    }

    /// Finds out whether the gateway has the parts that are in doubt. Returns those for which that failed, and why.
    pub(super) fn settle(&mut self, context: &Context, job: &str) -> Vec<(Part, Error)> {
        let mut failed = Vec::new();
        for part in std::mem::take(&mut self.in_doubt) {
            let settled = settle(context, &self.clients, &self.requests, &mut self.store, (job, part.clone()));
            match settled {
                Ok(Settled::There(part)) => self.parts.push(part),
                Ok(Settled::InDoubt(part)) => self.in_doubt.push(part),
                Ok(Settled::Nowhere) => {}
                Err(error) => failed.push((part, error)),
            }
        }
        failed
    }

    /// Says what can be done about parts of which the gateway does not say whether it has them.
    pub(super) fn tell_in_doubt(&self, context: &Context, job: &str) {
        // At another address, nobody can know.
        let in_doubt = self.in_doubt.iter().filter(|part| self.clients.of_part(part).is_ok()).count();
        if in_doubt > 0 {
            let batches = count(in_doubt as u64, "batch", "batches");
            context.notice(&format!("it is not known whether the gateway has {batches}; {}", giving_up(job)));
        }
    }

    /// How many parts there are.
    pub(super) fn count(&self) -> u64 {
        (self.parts.len() + self.in_doubt.len()) as u64
    }
}

/// What can be done where the gateway never says whether it has a batch.
pub(super) fn giving_up(job: &str) -> String {
    let id = short_id(job);
    format!("`llm batch collect {id} --give-up` lets its rows be asked again, which may be paid twice")
}

/// Says how the parts of a job stand at the gateway.
pub(in crate::cmd::batch) fn tell_standing(context: &Context, job: &Job) -> Result<(), Error> {
    let args = arguments(job)?;
    let open = Open::of(context, job, &args)?;
    for part in &open.parts {
        let standing = standing(&open.requests, open.clients.of_part(part)?, part)?;
        context.notice(&described(part, &standing));
    }
    for part in &open.in_doubt {
        let ((first, last), id) = (part.rows, short_id(&job.id));
        let found_out = format!("`llm batch collect {id}` finds out");
        context.notice(&format!("{}, rows {first} to {last}: perhaps handed over; {found_out}", part.model));
    }
    Ok(())
}

/// Asks the gateway to cancel what it has of a job. What it says that it does not have is given up, so that its rows can be
/// asked again.
pub(in crate::cmd::batch) fn cancel(context: &Context, job: &Job) -> Result<(), Error> {
    let args = arguments(job)?;
    let mut open = Open::of(context, job, &args)?;
    // A process that is handing the job over stops.
    let asked = open.store.write(|transaction| jobs::request_cancel(transaction, &job.id).map(drop));
    asked.map_err(|error| unreadable(&error))?;
    // What fails for one part does not keep the others.
    let mut failures = open.settle(context, &job.id);
    open.in_doubt.extend(failures.iter().map(|(part, _)| part.clone()));
    open.tell_in_doubt(context, &job.id);
    let mut asked = 0;
    for part in std::mem::take(&mut open.parts) {
        match cancel_part(context, &mut open, &job.id, &part) {
            Ok(is_asked) => asked += u64::from(is_asked),
            Err(error) => failures.push((part, error)),
        }
    }
    let mut failures = failures.into_iter();
    let first = failures.next();
    failures.for_each(|(part, error)| context.urgent(&format!("{}: {error}", part.model)));
    let (batches, id) = (count(asked, "batch", "batches"), short_id(&job.id));
    if asked == 0 && first.is_none() {
        context.notice(
            "the gateway has no batch of this job that can be cancelled; a process that is handing the job over stops",
        );
    } else if asked > 0 {
        context.notice(&format!(
            "the gateway was asked to cancel {batches}; `llm batch collect {id}` gets what was answered before"
        ));
    }
    first.map_or(Ok(()), |(_, error)| Err(error))
}

/// Asks the gateway to cancel a part. Whether it has it; if not, the part is given up.
fn cancel_part(context: &Context, open: &mut Open, job: &str, part: &Part) -> Result<bool, Error> {
    let Some(remote) = &part.remote else { return Ok(false) };
    let client = open.clients.of_part(part)?;
    let form = api::of(client.config().api_of(&part.model));
    let key = format!("{}-cancel", tag(job, part.part));
    let cancelled = open.requests.post(client, form.cancel(remote), None, &key).and_then(|body| accepted(&body));
    let is_gone = |failure: &Failure| matches!(failure.status, Some(404 | 410));
    match cancelled {
        Ok(()) => Ok(true),
        // It may be the cancellation alone that is not there.
        Err(failure) if is_gone(&failure) => {
            match open.requests.get(client, form, &form.status_path(remote)) {
                Ok(_) => {
                    let message = format!("the gateway has batch {remote}, and cannot cancel it");
                    return Err(Failure::new(failure.kind, message).with_cause(failure.message).into());
                }
                Err(other) if !is_gone(&other) => return Err(other.into()),
                Err(_) => {}
            }
            context.urgent(&format!("the gateway has no batch {remote}, which is given up: {failure}"));
            let given_up = Part { state: PartState::Collected, ..part.clone() };
            let saved = open.store.write(|transaction| jobs::save_part(transaction, job, &given_up));
            saved.map_err(|error| unreadable(&error))?;
            Ok(false)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Fails where the answer to a cancellation is none. One that is an error has failed before.
fn accepted(body: &[u8]) -> Result<(), Failure> {
    // Google answers nothing.
    if body.trim_ascii().is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Protocol, "the gateway did not say whether it cancels the batch"))
}
