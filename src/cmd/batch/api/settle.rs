//! What has become of a handover that broke off: whether the gateway has the batch.

use std::io::{self, Write};

use super::clients::{Clients, Requests};
use super::results::LONGEST_RESULT;
use super::{row_of, tag};
use crate::batch::api::{self, BatchApi, Results};
use crate::cmd::Context;
use crate::cmd::batch::jobs::unreadable;
use crate::error::Error;
use crate::gateway::Client;
use crate::ledger::Store;
use crate::ledger::jobs::{self, Part, PartState};
use crate::run::Notices;

/// Where a part is whose handover broke off.
pub(super) enum Settled {
    /// The gateway has it, and its id is known now.
    There(Part),
    /// A batch in work may be it, which its results will tell.
    InDoubt(Part),
    /// The gateway never got it, and the ledger has forgotten it.
    Nowhere,
}

/// Finds out whether the gateway has a part during whose handover the process ended.
pub(super) fn settle(
    context: &Context,
    clients: &Clients,
    requests: &Requests,
    store: &mut Store,
    (job, mut part): (&str, Part),
) -> Result<Settled, Error> {
    let client = clients.of_part(&part)?;
    let form = api::of(client.config().api_of(&part.model));
    // The id that is found in it is shown and kept.
    let list = client.masked(requests.get(client, form, &form.list_path())?);
    let found = form.find(&list, &tag(job, part.part), usize::try_from(part.count).unwrap_or(usize::MAX))?;
    let found = match form.keeps_tag() {
        true => found.into_iter().next().map(|id| (id, true)),
        false => recognized(requests, store, (client, form), &part, found)?,
    };
    match found {
        Some((id, true)) => {
            context.notice(&format!("batch {id} was handed over before the process ended; it is not sent again"));
            (part.remote, part.state) = (Some(id), PartState::Submitted);
            let saved = store.write(|transaction| jobs::save_part(transaction, job, &part));
            saved.map_err(|error| unreadable(&error))?;
            Ok(Settled::There(part))
        }
        Some((id, false)) => {
            let (model, (first, last)) = (&part.model, part.rows);
            context.notice(&format!(
                "{model}, rows {first} to {last}: batch {id}, which is in work, has as many requests and may be this one; \
                 its results will tell"
            ));
            Ok(Settled::InDoubt(part))
        }
        None => {
            let removed = store.write(|transaction| jobs::remove_part(transaction, job, part.part));
            removed.map_err(|error| unreadable(&error))?;
            Ok(Settled::Nowhere)
        }
    }
}

/// Of batches with as many requests, the one whose results are those of the part, or else, with `false`, the first that has no
/// results yet. What the ledger knows to be another part is not asked for.
fn recognized(
    requests: &Requests,
    store: &Store,
    (client, form): (&Client, &dyn BatchApi),
    part: &Part,
    found: Vec<String>,
) -> Result<Option<(String, bool)>, Error> {
    let mut in_work = None;
    for id in found {
        if jobs::is_remote_known(store, &id).map_err(|error| unreadable(&error))? {
            continue;
        }
        let standing = form.standing(&id, &requests.get(client, form, &form.status_path(&id))?)?;
        if !standing.is_over {
            in_work.get_or_insert((id, false));
            continue;
        }
        let mut first = FirstLine::default();
        for results in &standing.results {
            let fetched = match results {
                Results::At(path) => requests.download(client, path, LONGEST_RESULT, &mut first),
                Results::Inline(lines) => {
                    // It says that it has enough by an error.
                    let _ = first.write_all(lines);
                    Ok(())
                }
            };
            match fetched {
                // Results are not kept for good.
                Err(failure) if !matches!(failure.status, Some(404 | 410)) && !first.is_whole => Err(failure)?,
                _ => {}
            }
        }
        let is_own = form.result(&first.line).is_ok_and(|(id, _)| row_of(&id, part).is_some());
        if is_own {
            return Ok(Some((id, true)));
        }
    }
    Ok(in_work)
}

/// Takes the first line, and refuses to be written to from then on.
#[derive(Default)]
struct FirstLine {
    line: Vec<u8>,
    is_whole: bool,
}

impl Write for FirstLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_whole {
            return Err(io::Error::other("the first line is here"));
        }
        let end = memchr::memchr(b'\n', bytes);
        self.is_whole = end.is_some();
        self.line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        Ok(end.map_or(bytes.len(), |end| end + 1))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
