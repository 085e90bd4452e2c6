//! How the parts of a batch stand at the gateway, and their cancellation.

use super::clients::{Clients, Requests};
use super::{ledger, tag};
use crate::batch::api::{self, Standing};
use crate::cli::BatchRunArgs;
use crate::cmd::Context;
use crate::cmd::batch::jobs::{arguments, unreadable};
use crate::cmd::batch::short_id;
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::Client;
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
            results: Vec::new(),
            failure: None,
        });
    };
    let standing = form.standing(remote, &requests.get(client, &form.status_path(remote))?);
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

/// The parts of a job that the gateway still has, and the clients for them.
pub(super) struct Open {
    pub(super) parts: Vec<Part>,
    pub(super) clients: Clients,
    pub(super) requests: Requests,
}

impl Open {
    pub(super) fn of(context: &Context, job: &Job, args: &BatchRunArgs) -> Result<Self, Error> {
        let store = ledger(context)?;
        let parts = jobs::parts(&store, &job.id).map_err(|error| unreadable(&error))?;
        let parts: Vec<Part> = parts.into_iter().filter(|part| part.state == PartState::Submitted).collect();
        let names = parts.iter().map(|part| part.gateway.clone()).collect();
        let clients = Clients::new(context, &names, args.prompt.to.key.as_deref())?;
        Ok(Self { parts, clients, requests: Requests::new()? })
    }
}

/// Says how the parts of a job stand at the gateway.
pub(in crate::cmd::batch) fn tell_standing(context: &Context, job: &Job) -> Result<(), Error> {
    let args = arguments(job)?;
    let open = Open::of(context, job, &args)?;
    for part in &open.parts {
        let standing = standing(&open.requests, open.clients.of(&part.gateway)?, part)?;
        context.notice(&described(part, &standing));
    }
    Ok(())
}

/// Asks the gateway to cancel what it has of a job.
pub(in crate::cmd::batch) fn cancel(context: &Context, job: &Job) -> Result<(), Error> {
    let args = arguments(job)?;
    let open = Open::of(context, job, &args)?;
    for part in &open.parts {
        let client = open.clients.of(&part.gateway)?;
        let form = api::of(client.config().api_of(&part.model));
        if let Some(remote) = &part.remote {
            open.requests.post(client, form.cancel(remote), None, &format!("{}-cancel", tag(&job.id, part.part)))?;
        }
    }
    let batches = count(open.parts.len() as u64, "batch", "batches");
    context.notice(&format!(
        "the gateway was asked to cancel {batches}; `llm batch collect {}` gets what was answered before",
        short_id(&job.id)
    ));
    Ok(())
}
