//! The results of a batch, as a service that answers its calls from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use super::clients::Requests;
use super::row_of;
use crate::adapter::{Adapter, DecodeError, stream};
use crate::batch::api::{self, BatchApi, Fate, Results, Standing};
use crate::call::{Call, Event, Events, Meta, Service};
use crate::cmd::Context;
use crate::cmd::batch::plan::BatchPlan;
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::Client;
use crate::ledger::jobs::Part;
use crate::run::Notices;

/// The largest document of results, in bytes.
const LARGEST_RESULTS: u64 = 8 << 30;

/// The results of a batch, as a service that answers its calls from them.
#[derive(Debug)]
pub(in crate::cmd) struct ApiResults {
    /// All results, in a file without a name.
    file: Mutex<File>,
    length: u64,
    models: usize,
    /// By row and place of the model, where the result is, and from which gateway.
    index: HashMap<(u64, usize), (u64, u64, String)>,
    clients: BTreeMap<String, Arc<Client>>,
    /// How many requests of batches that are over have no result.
    missing: u64,
}

impl ApiResults {
    pub(super) fn new(models: usize) -> Result<Self, Error> {
        let file =
            tempfile::tempfile().map_err(|source| Error::Output { target: "a temporary file".into(), source })?;
        let (index, clients) = Default::default();
        Ok(Self { file: Mutex::new(file), length: 0, models, index, clients, missing: 0 })
    }

    /// The numbers of the rows that have a result, in order.
    pub(super) fn rows(&self) -> Vec<u64> {
        let rows: BTreeSet<u64> = self.index.keys().map(|(row, _)| *row).collect();
        rows.into_iter().collect()
    }

    /// How many requests of batches that are over have no result: neither an answer nor a failure.
    pub(in crate::cmd::batch) fn missing(&self) -> u64 {
        self.missing
    }

    /// Fetches the results of a part that is over.
    pub(super) fn add(
        &mut self,
        plan: &BatchPlan,
        client: &Arc<Client>,
        part: &Part,
        standing: &Standing,
        requests: &Requests,
    ) -> Result<(), Error> {
        let Some(place) = plan.names.iter().position(|name| *name == part.model) else { return Ok(()) };
        let form = api::of(client.config().api_of(&part.model));
        let before = self.index.len();
        for results in &standing.results {
            let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
            let cannot = |source| Error::Output { target: "a temporary file".into(), source };
            file.seek(SeekFrom::Start(self.length)).map_err(cannot)?;
            match results {
                Results::At(path) => {
                    requests.download(client, path, LARGEST_RESULTS, file)?;
                }
                Results::Inline(lines) => std::io::Write::write_all(file, lines).map_err(cannot)?,
            }
            self.index_from(form, place, &part.gateway).map_err(cannot)?;
        }
        self.clients.insert(part.gateway.clone(), Arc::clone(client));
        self.missing += part.count.saturating_sub((self.index.len() - before) as u64);
        Ok(())
    }

    /// Notes where each result is from the end of those that are known. A line that is no result is left out: its row has
    /// no answer then, and is asked again.
    fn index_from(&mut self, form: &dyn BatchApi, place: usize, gateway: &str) -> std::io::Result<()> {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.length))?;
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)? as u64;
            if length == 0 {
                return Ok(());
            }
            if let Ok((id, _)) = form.result(&line)
                && let Some(row) = row_of(&id)
            {
                self.index.insert((row, place), (self.length, length, gateway.to_owned()));
            }
            self.length += length;
        }
    }

    /// Says where the price of a batch is not known.
    pub(super) fn tell_price(&self, context: &Context) {
        for client in self.clients.values().filter(|client| !crate::run::halves_batch_prices(client.config())) {
            let name = &client.config().name;
            context.notice(&format!("the price of batches at {name} is not known: costs are those of single calls"));
        }
    }

    fn line(&self, row: u64, place: usize) -> Option<(Vec<u8>, &str)> {
        let (offset, length, gateway) = self.index.get(&(row, place))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = vec![0; usize::try_from(*length).ok()?];
        file.seek(SeekFrom::Start(*offset)).and_then(|_| file.read_exact(&mut line)).ok()?;
        Some((line, gateway))
    }
}

impl Service for ApiResults {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let (row, place) = ((call.index / self.models) as u64 + 1, call.index % self.models);
        let not_asked = |why: &str| Err(Failure::new(FailureKind::Interrupted, why));
        let Some((line, gateway)) = self.line(row, place) else { return not_asked("there is no result yet") };
        let Some(client) = self.clients.get(gateway) else { return not_asked("its gateway is not there") };
        let target = call.target().clone();
        let wire_format = client.config().api_of(&target.model);
        let (_, fate) = api::of(wire_format).result(&line)?;
        let body = match fate {
            Fate::NotAsked(why) => return not_asked(why),
            Fate::Failed(failure) => {
                let failure = client.reported(failure);
                events.emit(Event::Attempt { target }).await?;
                events.emit(Event::AttemptFailed { failure: failure.clone() }).await?;
                return Err(failure);
            }
            Fate::Answer(body) => client.masked(body),
        };
        events.emit(Event::Attempt { target }).await?;
        events.emit(Event::Headers { status: 200, meta: Meta::default() }).await?;
        answered(wire_format.adapter(), &body, events).await
    }
}

/// Sends the events of a whole answer.
async fn answered(adapter: &dyn Adapter, body: &[u8], events: &Events) -> Result<(), Failure> {
    let answer = match adapter.decode_response(body) {
        Ok(answer) => answer,
        Err(DecodeError::Failed(failure)) => return Err(failure),
        Err(DecodeError::Malformed(why)) => {
            return Err(Failure::new(FailureKind::Protocol, "the result cannot be read").with_cause(why));
        }
    };
    let outcome = stream::complete(answer.finish.as_ref());
    for event in answer.into_events() {
        events.emit(Event::Stream(event)).await?;
    }
    outcome
}
