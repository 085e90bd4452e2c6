//! Gives parts of a batch to gateways.

use std::sync::Arc;

use super::clients::{Clients, Requests};
use super::settle::{Settled, settle};
use super::standing::giving_up;
use super::{custom_id, mark, seal, tag, temporary_file};
use crate::batch::RowInfo;
use crate::batch::api::{self, BatchApi, Gathered, Gathering, Part as Handover};
use crate::call::{Call, Target};
use crate::chat::Request;
use crate::cmd::Context;
use crate::cmd::batch::jobs::unreadable;
use crate::cmd::batch::plan::BatchPlan;
use crate::cmd::batch::short_id;
use crate::error::{Error, Failure, FailureKind};
use crate::ledger::Store;
use crate::ledger::jobs::{self, Part, PartState};
use crate::run::Notices;

/// The requests to one model that wait to be a part.
struct Opened {
    /// The place of the name by which the model was asked for. An alias may lead rows to several models.
    place: usize,
    target: Target,
    /// The path of the endpoint for single requests.
    endpoint: String,
    gathering: Gathering,
}

/// Hands over parts.
pub(super) struct Handovers<'a> {
    clients: &'a Clients,
    requests: Requests,
    store: Store,
    job: &'a str,
    names: &'a [String],
    /// The parts that the gateway has, as far as they are not collected.
    existing: Vec<Part>,
    next: u64,
    open: Vec<Opened>,
    handed: (u64, u64),
}

impl<'a> Handovers<'a> {
    pub(super) fn new(
        context: &'a Context,
        clients: &'a Clients,
        store: Store,
        job: &'a str,
        plan: &'a BatchPlan,
    ) -> Result<Self, Error> {
        let known = jobs::parts(&store, job).map_err(|error| unreadable(&error))?;
        let next = known.iter().map(|part| part.part + 1).max().unwrap_or(0);
        let requests = Requests::new()?;
        let mut handovers = Self {
            clients,
            requests,
            store,
            job,
            names: &plan.names,
            existing: Vec::new(),
            next,
            open: Vec::new(),
            handed: (0, 0),
        };
        for part in known {
            match part.state {
                PartState::Collected => {}
                PartState::Submitted => handovers.existing.push(part),
                PartState::Submitting => {
                    clients.of_part(&part)?;
                    let Handovers { requests, store, .. } = &mut handovers;
                    let settled = settle(context, clients, requests, store, (job, part)).inspect_err(|_| {
                        context.notice(&format!("it is not known whether the gateway has a batch; {}", giving_up(job)));
                    })?;
                    match settled {
                        Settled::There(part) | Settled::InDoubt(part) => handovers.existing.push(part),
                        Settled::Nowhere => {}
                    }
                }
            }
        }
        Ok(handovers)
    }

    fn save(&mut self, part: &Part) -> Result<(), Error> {
        let job = self.job;
        self.store.write(|transaction| jobs::save_part(transaction, job, part)).map_err(|error| unreadable(&error))
    }

    /// Whether the gateway has this row already.
    pub(super) fn has(&self, row: u64, place: usize) -> bool {
        let name = &self.names[place];
        self.existing.iter().any(|part| part.model == *name && (part.rows.0..=part.rows.1).contains(&row))
    }

    /// What tells the requests to a model from those of other batches, where the gateway keeps no tag that does it.
    fn mark(&self, form: &dyn BatchApi, place: usize) -> Option<String> {
        (!form.keeps_tag()).then(|| mark(self.job, &self.names[place]))
    }

    pub(super) fn add(&mut self, info: &RowInfo, place: usize, call: &Call) -> Result<(), Error> {
        // An alias may lead rows to several models.
        self.clients.check_model(call)?;
        let target = call.target().clone();
        let client = self.clients.of(&target.gateway)?;
        let wire_format = client.config().api_of(&target.model);
        let form = api::of(wire_format);
        // Whole answers, because nobody watches them come.
        let request = Request { stream: false, ..Request::clone(&call.request) };
        let wire = wire_format.adapter().encode_request(&target.model, &request);
        let mark = self.mark(form, place);
        let entry = form.entry(&custom_id(info.number, seal(self.job, info.number, info.hash), mark.as_deref()), &wire);
        let is_same = |open: &Opened| open.place == place && open.target == target && open.endpoint == wire.path;
        let at = match self.open.iter().position(is_same) {
            Some(at) => at,
            None => {
                let gathering = Gathering::new(form.limits(), form.separator());
                self.open.push(Opened { place, target, endpoint: wire.path, gathering });
                self.open.len() - 1
            }
        };
        match self.open[at].gathering.add(info.number, &entry).map_err(temporary_file)? {
            Some(whole) => self.hand_over(at, whole),
            None => Ok(()),
        }
    }

    /// # Errors
    /// Another process has cancelled the job.
    fn check_wanted(&self) -> Result<(), Error> {
        if !jobs::is_cancelled(&self.store, self.job).map_err(|error| unreadable(&error))? {
            return Ok(());
        }
        let failure = Failure::new(FailureKind::Interrupted, "the batch was cancelled while it was handed over");
        let id = short_id(self.job);
        let advice = format!("what was handed over is cancelled, too: `llm batch collect {id}` gets what was answered");
        Err(failure.with_advice(advice).into())
    }

    /// Hands over a part as one batch of the gateway. `at` says whose requests these are.
    fn hand_over(&mut self, at: usize, gathered: Gathered) -> Result<(), Error> {
        let Opened { place, target, endpoint, .. } = &self.open[at];
        let (place, target, endpoint) = (*place, target.clone(), endpoint.clone());
        let client = Arc::clone(self.clients.of(&target.gateway)?);
        let form = api::of(client.config().api_of(&target.model));
        let number = self.next;
        self.next += 1;
        let tag = tag(self.job, number);
        self.check_wanted()?;
        let part = Handover { model: &target.model, endpoint: &endpoint, tag: &tag };
        let entries = Some(&gathered);
        let file = form.upload().map(|post| self.requests.post(&client, post, entries, &format!("{tag}-file")));
        let file = file.transpose()?.map(|body| form.file_id(&body)).transpose()?;
        let mut kept = Part {
            part: number,
            gateway: target.gateway.clone(),
            model: self.names[place].clone(),
            rows: gathered.rows,
            count: gathered.count,
            remote: None,
            state: PartState::Submitting,
            mark: self.mark(form, place),
            address: Some(client.config().base_url.as_str().to_owned()),
        };
        // Known before it is handed over: if the process ends now, the gateway is asked whether it has it.
        self.save(&kept)?;
        let submitted = self.requests.post(&client, form.submit(&part, file.as_deref()), entries, &tag);
        let remote = submitted.and_then(|body| form.id(&body)).inspect_err(|failure| {
            // What was refused is not there; of what broke off or failed at the gateway, that is not known.
            let is_refused = |status| status == 501 || ((400..500).contains(&status) && status != 408);
            if failure.status.is_some_and(is_refused) {
                let job = self.job;
                let _ = self.store.write(|transaction| jobs::remove_part(transaction, job, number));
            }
        })?;
        let cancel = form.cancel(&remote);
        (kept.remote, kept.state) = (Some(remote), PartState::Submitted);
        self.save(&kept)?;
        self.check_wanted().inspect_err(|_| {
            // The process that asked for the end did not know of this part. If this fails, `cancel` can be said again.
            let _ = self.requests.post(&client, cancel, None, &format!("{tag}-cancel"));
        })?;
        self.handed.0 += kept.count;
        self.handed.1 += 1;
        Ok(())
    }

    /// Hands over the rest. Returns how many requests and batches were handed over.
    pub(super) fn finish(mut self) -> Result<(u64, u64), Error> {
        for at in 0..self.open.len() {
            if let Some(rest) = self.open[at].gathering.take().map_err(temporary_file)? {
                self.hand_over(at, rest)?;
            }
        }
        Ok(self.handed)
    }
}
