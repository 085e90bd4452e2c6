//! Batches that several machines do in shards.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::jobs::{Shown, cost, done, short, time};
use crate::ledger::jobs::{JobProgress, JobState};
use crate::ledger::shards::{Shard, SharedJob};
use crate::money::Usd;
use crate::report::format;
use crate::report::grid::{Column, Grid};
use crate::report::json as documents;
use crate::report::term::{Output, Text};

#[cfg(test)]
mod tests;

/// A batch of several machines, as the store and the ledger of this machine know it.
#[derive(Debug, Clone)]
pub struct SharedShown {
    job: SharedJob,
    /// The jobs of its shards on this machine, by their ids.
    own: BTreeMap<String, Shown>,
}

/// A job of a list.
#[derive(Debug, Clone)]
pub enum Entry {
    /// One of this machine.
    Own(Shown),
    /// One of several machines.
    Shared(SharedShown),
}

impl Entry {
    fn began_ms(&self) -> i64 {
        match self {
            Self::Own(shown) => shown.job.began_ms,
            Self::Shared(shared) => shared.job.began_ms,
        }
    }

    /// When it, or its last shard, began, in milliseconds since 1970.
    pub fn last_began_ms(&self) -> i64 {
        match self {
            Self::Own(shown) => shown.job.began_ms,
            Self::Shared(shared) => shared.job.shards.iter().map(|shard| shard.began_ms).max().unwrap_or(0),
        }
    }
}

/// All jobs, the newest first. Those of this machine that are shards are in the jobs that they are shards of.
pub fn entries(own: Vec<Shown>, shared: Vec<SharedJob>) -> Vec<Entry> {
    let mut own: BTreeMap<String, Shown> = own.into_iter().map(|shown| (shown.job.id.clone(), shown)).collect();
    let mut entries: Vec<Entry> = Vec::new();
    for mut job in shared {
        let mut here = BTreeMap::new();
        for shard in &mut job.shards {
            if let Some(shown) = own.remove(&shard.id) {
                // What this machine knows is never older than what it has told.
                shard.progress = shown.job.progress;
                shard.state = shown.job.state;
                shard.is_silent = shard.state == JobState::Running && !shown.is_alive;
                here.insert(shard.id.clone(), shown);
            }
        }
        entries.push(Entry::Shared(SharedShown { job, own: here }));
    }
    entries.extend(own.into_values().map(Entry::Own));
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.began_ms()));
    entries
}

impl SharedShown {
    /// Whether this is the beginning or the end of the id of the job, or of one of its shards.
    pub fn is_named(&self, part: &str) -> bool {
        let mut ids = self.job.shards.iter().map(|shard| &shard.id).chain([&self.job.id]);
        ids.any(|id| id.starts_with(part) || id.ends_with(part))
    }

    fn state(&self) -> &'static str {
        match self.job.state() {
            (_, true) => "silent",
            (state, false) => state.as_str(),
        }
    }

    fn shard_state(&self, shard: &Shard) -> &'static str {
        match self.own.get(&shard.id) {
            _ if shard.is_replaced => "replaced",
            Some(shown) => shown.state(),
            None if shard.is_silent => "silent",
            None => shard.state.as_str(),
        }
    }

    /// The output of a shard of this machine.
    fn output(&self, shard: &Shard) -> Option<&str> {
        self.own.get(&shard.id)?.job.output.as_deref()
    }

    fn begun(&self) -> String {
        format!("{} of {}", self.job.begun(), format::count(self.job.of, "shard", "shards"))
    }

    /// The rows of a list: one for the job, and one for each shard.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let (job, progress) = (&self.job, self.job.progress());
        let mut rows = vec![vec![
            short(&job.id).to_owned(),
            time(job.began_ms),
            self.state().to_owned(),
            done(&progress),
            or_nothing(progress.failed),
            cost(progress.picos),
            job.models().join(", "),
            self.begun(),
        ]];
        rows.extend(job.shards.iter().map(|shard| {
            let progress = &shard.progress;
            let place = format!("{}/{}", shard.shard, job.of);
            vec![
                format!("  {}", short(&shard.id)),
                time(shard.began_ms),
                self.shard_state(shard).to_owned(),
                done(progress),
                or_nothing(progress.failed),
                cost(progress.picos),
                String::new(),
                self.output(shard).map_or_else(|| place.clone(), |output| format!("{place} {output}")),
            ]
        }));
        rows
    }

    /// The job as JSON.
    pub(super) fn value(&self) -> Value {
        let job = &self.job;
        let mut value = json!({
            "id": job.id, "began_ms": job.began_ms, "seen_ms": job.seen_ms(), "state": self.state(),
            "via": via(job.is_via_api()), "input": job.input, "output": null, "models": job.models(),
        });
        let shards: Vec<Value> = job.shards.iter().map(|shard| self.shard_value(shard)).collect();
        extend(&mut value, progress_value(&job.progress()));
        extend(&mut value, json!({ "directory": null, "command": [], "shard_count": job.of, "shards": shards }));
        value
    }

    fn shard_value(&self, shard: &Shard) -> Value {
        let own = self.own.get(&shard.id).map(|shown| &shown.job);
        let mut value = json!({
            "shard": shard.shard, "id": shard.id, "began_ms": shard.began_ms, "seen_ms": shard.seen_ms,
            "state": self.shard_state(shard), "via": via(shard.via_api), "input": own.map(|job| &job.input),
            "output": self.output(shard), "models": shard.models,
        });
        extend(&mut value, progress_value(&shard.progress));
        let command = own.map(|job| job.command.as_slice()).unwrap_or_default();
        extend(&mut value, json!({ "directory": own.map(|job| &job.directory), "command": command }));
        value
    }
}

fn or_nothing(count: u64) -> String {
    if count == 0 { String::new() } else { format::thousands(count) }
}

fn via(via_api: bool) -> &'static str {
    if via_api { "api" } else { "calls" }
}

pub(super) fn progress_value(progress: &JobProgress) -> Value {
    json!({
        "total": progress.total, "ok": progress.ok, "failed": progress.failed, "truncated": progress.truncated,
        "cost_usd": progress.picos.map(Usd::from_picos),
    })
}

/// Adds the fields of another object at the end.
pub(super) fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (value, more) {
        fields.extend(more);
    }
}

/// How a batch of several machines stands, and each of its shards.
pub fn shared_status(shared: &SharedShown, out: &Output) -> Text {
    let (job, sums) = (&shared.job, shared.job.progress());
    let line = format!(
        "batch {}: {}, {} done, began {} UTC, {} of {}\n\n",
        short(&job.id),
        shared.state(),
        done(&sums),
        time(job.began_ms),
        shared.begun(),
        job.input,
    );
    let mut grid = Grid::new(vec![
        Column::right("shard"),
        Column::left("id"),
        Column::left("state"),
        Column::left("seen (UTC)"),
        Column::right("done"),
        Column::right("ok"),
        Column::right("failed"),
        Column::right("truncated"),
        Column::right("cost"),
        Column::left("output").wraps(12),
    ]);
    let row = |name: String, id: &str, state: &str, seen: String, progress: &JobProgress, output: Option<&str>| {
        vec![
            name,
            id.to_owned(),
            state.to_owned(),
            seen,
            done(progress),
            format::thousands(progress.ok),
            or_nothing(progress.failed),
            or_nothing(progress.truncated),
            cost(progress.picos),
            output.unwrap_or_default().to_owned(),
        ]
    };
    for shard in &job.shards {
        let (name, seen) = (format!("{}/{}", shard.shard, job.of), time(shard.seen_ms));
        let (state, output) = (shared.shard_state(shard), shared.output(shard));
        grid.row(row(name, short(&shard.id), state, seen, &shard.progress, output));
    }
    grid.row(row("all".to_owned(), short(&job.id), shared.state(), time(job.seen_ms()), &sums, None));
    Text::from(line) + grid.render(out)
}

/// The same as JSON, as in the list.
pub fn shared_status_json(shared: &SharedShown, out: &Output) -> Text {
    documents::document(&shared.value(), out)
}
