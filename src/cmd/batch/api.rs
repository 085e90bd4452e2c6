//! `--via api`: hands a batch over to the gateway's own Batch API, asks how it stands, collects the answers, cancels it.
//!
//! The ledger knows each part before it is handed over, and its id as soon as that was received. The answers then go the way
//! of every other call: through the schedule of the batch, with a service that takes them from the results.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::jobs::{find, unreadable};
use super::lines::LineMaker;
use super::make::CallMaker;
use super::plan::{BatchPlan, PlannedWork};
use super::session::Session;
use super::{Batch, jobs as commands, short_id};
use crate::adapter::{Adapter, DecodeError, stream};
use crate::batch::api::{self, BatchApi, Fate, Part as Handover, Post, Results, Standing};
use crate::batch::output::State;
use crate::batch::{Cook, Maker, RowInfo, Work};
use crate::call::{Call, Event, Events, Meta, Service, Target};
use crate::chat::Request;
use crate::cli::{BatchRunArgs, SummaryFormat};
use crate::cmd::{Context, process};
use crate::config::Gateway;
use crate::demo::Demo;
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::Client;
use crate::ledger::jobs::{self, Job, JobState, Part, PartState};
use crate::ledger::{Mode, Store};
use crate::record::Recorder;
use crate::report::format::count;
use crate::report::term::print;
use crate::run::Notices;

/// The largest answer to an upload or a submission, and the largest standing, in bytes. A standing may have the results in it.
const LARGEST_STANDING: usize = 512 << 20;

/// The largest document of results, in bytes.
const LARGEST_RESULTS: u64 = 8 << 30;

/// How long `--wait` waits between two questions, at first and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The gateways of a batch, by name.
struct Clients {
    by_name: BTreeMap<String, Arc<Client>>,
    _demo: Option<Demo>,
}

impl Clients {
    fn new(context: &Context, names: &BTreeSet<String>, key: Option<&str>) -> Result<Self, Error> {
        let preparation = context.preparation();
        let targets: Vec<Target> =
            names.iter().map(|name| Target { gateway: name.clone(), model: String::new() }).collect();
        let (gateways, demo) = preparation.gateways(&targets)?;
        let mut by_name = BTreeMap::new();
        for (name, gateway) in gateways {
            let found = preparation.key(&gateway, key)?;
            let client = Client::new(gateway, &context.settings.env)?;
            by_name.insert(name, Arc::new(preparation.with_key(client, Ok(found))?));
        }
        Ok(Self { by_name, _demo: demo })
    }

    fn of(&self, gateway: &str) -> Result<&Arc<Client>, Error> {
        self.by_name.get(gateway).ok_or_else(|| Error::config(format!("no gateway is called {gateway}")))
    }
}

/// The URL of a path at a gateway.
fn url(gateway: &Gateway, path: &str) -> String {
    gateway.base_url.endpoints(gateway.api, path).next().unwrap_or_default()
}

/// A runtime for single requests to gateways.
struct Requests {
    runtime: tokio::runtime::Runtime,
}

impl Requests {
    fn post(&self, client: &Client, post: Post, key: &str) -> Result<Vec<u8>, Failure> {
        let url = url(client.config(), &post.path);
        let sent = client.post(&url, &post.content_type, post.body, key, LARGEST_STANDING);
        self.runtime.block_on(sent).map(|fetched| fetched.body)
    }

    fn get(&self, client: &Client, path: &str) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        self.runtime.block_on(client.download(&url(client.config(), path), LARGEST_STANDING as u64, &mut body))?;
        Ok(body)
    }
}

/// The ledger, for writing. Without it, a batch that was handed over could not be found again.
fn ledger(context: &Context) -> Result<Store, Error> {
    let Some(dir) = context.settings.dirs.data.as_deref() else {
        return Err(Error::usage("--via api needs the ledger, which has no directory; LLM_DATA_DIR names one"));
    };
    Store::open(dir, Mode::ACCOUNT).map_err(|error| unreadable(&error))
}

fn model_routes(plan: &BatchPlan) -> Result<&[crate::route::NamedRoute], Error> {
    match &plan.work {
        PlannedWork::Models(routes) => Ok(routes),
        PlannedWork::Pipeline(..) => Err(Error::usage_hint(
            "a pipeline cannot go through the Batch API, because its steps need each other",
            "run it without --via api",
        )),
    }
}

/// Hands over the rows that are not done, in parts that the gateway takes.
pub(super) fn submit(batch: &Batch<'_>, session: Session) -> Result<u8, Error> {
    let (context, args, plan) = (batch.context, batch.args, batch.plan);
    let Session { output: Some(mut output), done, tally, job, .. } = session else {
        return Err(Error::usage_hint("--via api needs --out", "the answers come later, and are written there"));
    };
    model_routes(plan)?;
    if !batch.keeps_texts {
        let hint = "its command is kept in the ledger until the answers are collected";
        return Err(Error::usage_hint("--via api needs --log full", hint));
    }
    check_limits(context, args)?;
    let mut store = ledger(context)?;
    let mut row = batch.job(&job, 0, &tally);
    (row.via_api, row.state) = (true, JobState::Submitted);
    store.write(|transaction| row.save(transaction)).map_err(|error| unreadable(&error))?;
    let base = batch.base(&job, None);
    let mut maker = CallMaker::new(&context.settings, &base, &plan.work, &plan.names, job.clone());
    let gateways = maker.samples()?.iter().map(|call| call.target().gateway.clone()).collect();
    let clients = Clients::new(context, &gateways, args.prompt.to.key.as_deref())?;
    let mut handover = Handovers::new(context, &clients, store, &job, plan)?;
    let lines = LineMaker::new(plan, &job);
    let mut cook = Cook::new(&plan.recipe)?;
    let mut rows = plan.source.rows()?;
    let mut left = plan.selection.limit.unwrap_or(u64::MAX);
    while left > 0
        && let Some(row) = rows.read().map_err(|source| plan.source.unreadable(source))?
    {
        if !plan.selection.has(row.number) {
            continue;
        }
        left -= 1;
        let (info, asked) = cook.cook(&row);
        for place in 0..plan.names.len() {
            if done.state(row.number, place) != State::Open || handover.has(row.number, place) {
                continue;
            }
            match &asked {
                Ok(asked) => match maker.make(&info, asked.clone(), place)? {
                    Work::Call(call) => handover.add(&info, place, &call)?,
                    Work::Steps(_) => {}
                },
                Err(why) => {
                    let record = unusable(&info, why, maker.unusable(place));
                    let (line, _) = lines.line(&info, &record)?;
                    let target = output.path().display().to_string();
                    let written = output.append(&line, (info.number, place));
                    written.map_err(|source| Error::Output { target, source })?;
                }
            }
        }
    }
    let (requests, parts) = handover.finish()?;
    let id = short_id(&job);
    if parts == 0 {
        context.notice("every row is done or handed over already");
        return Ok(0);
    }
    let (requests, parts) = (count(requests, "request", "requests"), count(parts, "batch", "batches"));
    context.notice(&format!("{requests} handed over in {parts}; `llm batch collect {id}` gets the answers"));
    print(format!("{job}\n").into())?;
    Ok(0)
}

/// Refuses what could not be kept: the requests are paid when the gateway comes to them, which nothing here can stop.
fn check_limits(context: &Context, args: &BatchRunArgs) -> Result<(), Error> {
    let refused = |what: &str| {
        let failure =
            Failure::new(FailureKind::Refused, format!("{what} cannot be kept by a batch that is handed over"));
        Err(Error::Call(failure.with_advice("`--dry-run` estimates the cost; without --via api, limits of cost hold")))
    };
    if args.prompt.max_cost.is_some() {
        return refused("--max-cost");
    }
    let is_strict = |budget: &crate::config::Budget| budget.action == crate::config::Action::Refuse;
    if context.settings.budgets.iter().any(is_strict) { refused("a budget of the config") } else { Ok(()) }
}

/// The record of a row that cannot be used.
fn unusable(info: &RowInfo, why: &str, call: Call) -> crate::record::Record {
    let mut recorder = Recorder::new("", &call, Duration::ZERO);
    let failure = Failure::new(FailureKind::InvalidRequest, format!("line {}: {why}", info.line));
    recorder.event(&crate::call::RunEvent { call: 0, at: Duration::ZERO, event: Event::Done(Err(failure)) });
    recorder.finish(Duration::ZERO)
}

/// What is gathered for one model until it is a whole part.
#[derive(Default)]
struct Gathered {
    entries: Vec<Vec<u8>>,
    bytes: usize,
    rows: Option<(u64, u64)>,
    target: Option<Target>,
    endpoint: String,
}

/// Hands over parts.
struct Handovers<'a> {
    context: &'a Context,
    clients: &'a Clients,
    requests: Requests,
    store: Store,
    job: &'a str,
    names: &'a [String],
    /// The parts that the gateway has, as far as they are not collected.
    existing: Vec<Part>,
    next: u64,
    gathered: BTreeMap<usize, Gathered>,
    handed: (u64, u64),
}

impl<'a> Handovers<'a> {
    fn new(
        context: &'a Context,
        clients: &'a Clients,
        store: Store,
        job: &'a str,
        plan: &'a BatchPlan,
    ) -> Result<Self, Error> {
        let known = jobs::parts(&store, job).map_err(|error| unreadable(&error))?;
        let next = known.iter().map(|part| part.part + 1).max().unwrap_or(0);
        let requests = Requests { runtime: process::runtime()? };
        let mut handovers = Self {
            context,
            clients,
            requests,
            store,
            job,
            names: &plan.names,
            existing: Vec::new(),
            next,
            gathered: BTreeMap::new(),
            handed: (0, 0),
        };
        for part in known {
            match part.state {
                PartState::Collected => {}
                PartState::Submitted => handovers.existing.push(part),
                PartState::Submitting => handovers.settle(part)?,
            }
        }
        Ok(handovers)
    }

    /// Finds out whether the gateway has a part during whose handover the process ended.
    fn settle(&mut self, mut part: Part) -> Result<(), Error> {
        let client = self.clients.of(&part.gateway)?;
        let form = api::of(client.config().api_of(&part.model));
        let list = self.requests.get(client, &form.list_path())?;
        let tag = tag(self.job, part.part);
        let found = form.find(&list, &tag, usize::try_from(part.count).unwrap_or(usize::MAX));
        let job = self.job;
        match found {
            Some(remote) => {
                self.context
                    .notice(&format!("batch {remote} was handed over before the process ended; it is not sent again"));
                (part.remote, part.state) = (Some(remote), PartState::Submitted);
                self.save(&part)?;
                self.existing.push(part);
            }
            None => {
                let removed = self.store.write(|transaction| jobs::remove_part(transaction, job, part.part));
                removed.map_err(|error| unreadable(&error))?;
            }
        }
        Ok(())
    }

    fn save(&mut self, part: &Part) -> Result<(), Error> {
        let job = self.job;
        self.store.write(|transaction| jobs::save_part(transaction, job, part)).map_err(|error| unreadable(&error))
    }

    /// Whether the gateway has this row already.
    fn has(&self, row: u64, place: usize) -> bool {
        let name = &self.names[place];
        self.existing.iter().any(|part| part.model == *name && (part.rows.0..=part.rows.1).contains(&row))
    }

    fn add(&mut self, info: &RowInfo, place: usize, call: &Call) -> Result<(), Error> {
        let target = call.target().clone();
        let client = self.clients.of(&target.gateway)?;
        let wire_format = client.config().api_of(&target.model);
        let form = api::of(wire_format);
        // Whole answers, because nobody watches them come.
        let request = Request { stream: false, ..Request::clone(&call.request) };
        let wire = wire_format.adapter().encode_request(&target.model, &request);
        let entry = form.entry(&custom_id(info.number), &wire);
        let limits = form.limits();
        let full = self.gathered.get(&place).is_some_and(|gathered| {
            gathered.entries.len() >= limits.requests || gathered.bytes + entry.len() + 1 > limits.bytes
        });
        if full {
            self.hand_over(place)?;
        }
        let gathered = self.gathered.entry(place).or_default();
        gathered.bytes += entry.len() + 1;
        gathered.entries.push(entry);
        let first = gathered.rows.map_or(info.number, |(first, _)| first);
        gathered.rows = Some((first, info.number));
        gathered.endpoint = wire.path;
        gathered.target = Some(target);
        Ok(())
    }

    /// Hands over what was gathered for a model as one batch of the gateway.
    fn hand_over(&mut self, place: usize) -> Result<(), Error> {
        let Some(gathered) = self.gathered.remove(&place) else { return Ok(()) };
        let (Some(target), Some(rows)) = (gathered.target, gathered.rows) else { return Ok(()) };
        let client = Arc::clone(self.clients.of(&target.gateway)?);
        let form = api::of(client.config().api_of(&target.model));
        let number = self.next;
        self.next += 1;
        let tag = tag(self.job, number);
        let part =
            Handover { model: &target.model, endpoint: &gathered.endpoint, tag: &tag, entries: &gathered.entries };
        let file = form.upload(&part).map(|post| self.requests.post(&client, post, &format!("{tag}-file")));
        let file = file.transpose()?.map(|body| form.id(&body)).transpose()?;
        let mut kept = Part {
            part: number,
            gateway: target.gateway.clone(),
            model: self.names[place].clone(),
            rows,
            count: gathered.entries.len() as u64,
            remote: None,
            state: PartState::Submitting,
            detail: None,
        };
        // Known before it is handed over: if the process ends now, the gateway is asked whether it has it.
        self.save(&kept)?;
        let submitted = self.requests.post(&client, form.submit(&part, file.as_deref()), &tag);
        let remote = submitted.and_then(|body| form.id(&body)).inspect_err(|failure| {
            // What was refused is not there; of what broke off, that is not known.
            if failure.status.is_some() {
                let job = self.job;
                let _ = self.store.write(|transaction| jobs::remove_part(transaction, job, number));
            }
        })?;
        (kept.remote, kept.state) = (Some(remote), PartState::Submitted);
        self.save(&kept)?;
        self.handed.0 += kept.count;
        self.handed.1 += 1;
        Ok(())
    }

    /// Hands over the rest. Returns how many requests and batches were handed over.
    fn finish(mut self) -> Result<(u64, u64), Error> {
        let places: Vec<usize> = self.gathered.keys().copied().collect();
        places.into_iter().try_for_each(|place| self.hand_over(place))?;
        Ok(self.handed)
    }
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

/// Asks the gateway how a part stands.
fn standing(requests: &Requests, client: &Client, part: &Part) -> Result<Standing, Error> {
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
    Ok(form.standing(remote, &requests.get(client, &form.status_path(remote))?)?)
}

fn described(part: &Part, standing: &Standing) -> String {
    let done = standing.done.map_or_else(String::new, |(done, of)| format!(", {done} of {of}"));
    let (first, last) = part.rows;
    format!("{}, rows {first} to {last}: {}{done}", part.model, standing.word)
}

/// The parts of a job that the gateway still has, and the clients for them.
struct Open {
    parts: Vec<Part>,
    clients: Clients,
    requests: Requests,
}

impl Open {
    fn of(context: &Context, job: &Job, args: &BatchRunArgs) -> Result<Self, Error> {
        let store = ledger(context)?;
        let parts = jobs::parts(&store, &job.id).map_err(|error| unreadable(&error))?;
        let parts: Vec<Part> = parts.into_iter().filter(|part| part.state == PartState::Submitted).collect();
        let names = parts.iter().map(|part| part.gateway.clone()).collect();
        let clients = Clients::new(context, &names, args.prompt.to.key.as_deref())?;
        Ok(Self { parts, clients, requests: Requests { runtime: process::runtime()? } })
    }
}

/// Says how the parts of a job stand at the gateway.
pub(super) fn tell_standing(context: &Context, job: &Job) -> Result<(), Error> {
    let args = commands::arguments(job)?;
    let open = Open::of(context, job, &args)?;
    for part in &open.parts {
        let standing = standing(&open.requests, open.clients.of(&part.gateway)?, part)?;
        context.notice(&described(part, &standing));
    }
    Ok(())
}

/// Asks the gateway to cancel what it has of a job.
pub(super) fn cancel(context: &Context, job: &Job) -> Result<(), Error> {
    let args = commands::arguments(job)?;
    let open = Open::of(context, job, &args)?;
    for part in &open.parts {
        let client = open.clients.of(&part.gateway)?;
        let form = api::of(client.config().api_of(&part.model));
        if let Some(remote) = &part.remote {
            open.requests.post(client, form.cancel(remote), &format!("{}-cancel", tag(&job.id, part.part)))?;
        }
    }
    let batches = count(open.parts.len() as u64, "batch", "batches");
    context.notice(&format!(
        "the gateway was asked to cancel {batches}; `llm batch collect {}` gets what was answered before",
        short_id(&job.id)
    ));
    Ok(())
}

/// Gets the answers that are ready, and writes them to the output.
pub(super) fn collect(context: &Context, id: Option<&str>, wait: bool, format: SummaryFormat) -> Result<u8, Error> {
    let job = find(context, id)?;
    if !job.via_api {
        let hint = "its answers come as calls end; `llm batch status` shows them";
        return Err(Error::usage_hint("this batch was not handed over with --via api", hint));
    }
    let mut args = commands::arguments(&job)?;
    args.resume = true;
    args.output.format = format;
    let mut plan = BatchPlan::new(context, &args)?;
    let routes = model_routes(&plan)?.len();
    let session = Session::open(context, &args, &mut plan)?;
    let mut open = Open::of(context, &job, &args)?;
    let mut results = ApiResults::new(routes)?;
    let mut over = Vec::new();
    let mut pause = FIRST_WAIT;
    loop {
        let mut still = Vec::new();
        for part in std::mem::take(&mut open.parts) {
            let client = open.clients.of(&part.gateway)?;
            let standing = standing(&open.requests, client, &part)?;
            context.notice(&described(&part, &standing));
            if !standing.is_over {
                still.push(part);
                continue;
            }
            if let Some(failure) = &standing.failure {
                context.urgent(&format!("the gateway refused the batch: {failure}"));
            }
            results.add(&plan, client, &part, &standing, &open.requests)?;
            over.push(part);
        }
        open.parts = still;
        if !wait || open.parts.is_empty() {
            break;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_WAIT);
    }
    plan.selection.sample = Some(results.rows().into());
    plan.selection.limit = None;
    results.tell_price(context);
    let is_last = open.parts.is_empty();
    let batch = Batch::new(context, &args, &plan, job.command.clone());
    let ledger_of = ledger(context)?;
    let code = batch.collect(session, Arc::new(results))?;
    finish(ledger_of, &job, over, is_last)?;
    if !is_last {
        let batches = count(open.parts.len() as u64, "batch is", "batches are");
        context.notice(&format!("{batches} not ready; `llm batch collect {}` asks again", short_id(&job.id)));
        return Ok(code.max(8));
    }
    Ok(code)
}

/// Notes that the results of these parts are in the output, which was synced before.
fn finish(mut store: Store, job: &Job, over: Vec<Part>, is_last: bool) -> Result<(), Error> {
    let written = store.write(|transaction| {
        for part in over {
            jobs::save_part(transaction, &job.id, &Part { state: PartState::Collected, ..part })?;
        }
        if is_last { Ok(()) } else { jobs::set_state(transaction, &job.id, JobState::Submitted) }
    });
    written.map_err(|error| unreadable(&error))
}

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
}

impl ApiResults {
    fn new(models: usize) -> Result<Self, Error> {
        let file =
            tempfile::tempfile().map_err(|source| Error::Output { target: "a temporary file".into(), source })?;
        Ok(Self { file: Mutex::new(file), length: 0, models, index: HashMap::new(), clients: BTreeMap::new() })
    }

    /// The numbers of the rows that have a result, in order.
    fn rows(&self) -> Vec<u64> {
        let rows: BTreeSet<u64> = self.index.keys().map(|(row, _)| *row).collect();
        rows.into_iter().collect()
    }

    /// Fetches the results of a part.
    fn add(
        &mut self,
        plan: &BatchPlan,
        client: &Arc<Client>,
        part: &Part,
        standing: &Standing,
        requests: &Requests,
    ) -> Result<(), Error> {
        let Some(place) = plan.names.iter().position(|name| *name == part.model) else { return Ok(()) };
        let form = api::of(client.config().api_of(&part.model));
        for results in &standing.results {
            let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
            let cannot = |source| Error::Output { target: "a temporary file".into(), source };
            file.seek(SeekFrom::Start(self.length)).map_err(cannot)?;
            match results {
                Results::At(path) => {
                    let url = url(client.config(), path);
                    requests.runtime.block_on(client.download(&url, LARGEST_RESULTS, file))?;
                }
                Results::Inline(lines) => std::io::Write::write_all(file, lines).map_err(cannot)?,
            }
            self.index_from(form, place, &part.gateway).map_err(cannot)?;
        }
        self.clients.insert(part.gateway.clone(), Arc::clone(client));
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
    fn tell_price(&self, context: &Context) {
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
