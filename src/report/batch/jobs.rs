//! The list of batches, and how one stands.

use jiff::Timestamp;
use serde_json::json;

use super::Summary;
use super::shards::{Entry, extend, progress_value};
use crate::ledger::jobs::{Job, JobProgress, JobState};
use crate::money::Usd;
use crate::report::format;
use crate::report::grid::{Column, Grid};
use crate::report::json as documents;
use crate::report::term::{Output, Text};

/// A job, and whether a process works on it now.
#[derive(Debug, Clone)]
pub struct Shown {
    pub job: Job,
    pub is_alive: bool,
}

impl Shown {
    /// How the job stands, in a word or two. One whose process was killed still says that it runs.
    pub fn state(&self) -> &'static str {
        match self.job.state {
            JobState::Running if !self.is_alive => "killed",
            state => state.as_str(),
        }
    }

    /// The end of its id, by which commands find it.
    pub fn short_id(&self) -> &str {
        short(&self.job.id)
    }
}

/// `120/300`, or `120` where the total is not known.
pub(super) fn done(progress: &JobProgress) -> String {
    let done = format::thousands(progress.ok + progress.failed + progress.truncated);
    match progress.total {
        Some(total) => format!("{done}/{}", format::thousands(total)),
        None => done,
    }
}

/// The last eight characters of an id.
pub(super) fn short(id: &str) -> &str {
    id.char_indices().rev().nth(7).map_or(id, |(at, _)| &id[at..])
}

pub(super) fn cost(picos: Option<i64>) -> String {
    format::or_unknown(picos, |picos| Usd::from_picos(picos).to_string())
}

pub(super) fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

/// A row for each job, and for each shard of those that several machines do.
pub fn list(jobs: &[Entry], out: &Output) -> Text {
    let mut grid = Grid::new(vec![
        Column::left("id"),
        Column::left("began (UTC)"),
        Column::left("state"),
        Column::right("done"),
        Column::right("failed"),
        Column::right("cost"),
        Column::left("models").wraps(12),
        Column::left("output").wraps(12),
    ]);
    for entry in jobs {
        let shown = match entry {
            Entry::Own(shown) => shown,
            Entry::Shared(shared) => {
                shared.rows().into_iter().for_each(|row| grid.row(row));
                continue;
            }
        };
        let job = &shown.job;
        let failed = job.progress.failed;
        grid.row(vec![
            shown.short_id().to_owned(),
            time(job.began_ms),
            shown.state().to_owned(),
            done(&job.progress),
            if failed == 0 { String::new() } else { format::thousands(failed) },
            cost(job.progress.picos),
            job.models.join(", "),
            job.output.clone().unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    grid.render(out)
}

fn value(shown: &Shown) -> serde_json::Value {
    let job = &shown.job;
    let mut value = json!({
        "id": job.id, "began_ms": job.began_ms, "seen_ms": job.seen_ms, "state": shown.state(),
        "via": if job.via_api { "api" } else { "calls" }, "input": job.input, "output": job.output,
        "models": job.models,
    });
    extend(&mut value, progress_value(&job.progress));
    extend(
        &mut value,
        json!({ "directory": job.directory, "command": job.command, "shard_count": null, "shards": null }),
    );
    value
}

/// All jobs as one JSON document.
pub fn list_json(jobs: &[Entry], out: &Output) -> Text {
    let value = |entry: &Entry| match entry {
        Entry::Own(shown) => value(shown),
        Entry::Shared(shared) => shared.value(),
    };
    documents::document(&jobs.iter().map(value).collect::<Vec<_>>(), out)
}

/// How a job stands, and its summary where there is one.
pub fn status(shown: &Shown, summary: Option<&Summary<'_>>, out: &Output) -> Text {
    let job = &shown.job;
    let line = format!(
        "batch {}: {}, {} done, began {} UTC, {}\n",
        shown.short_id(),
        shown.state(),
        done(&job.progress),
        time(job.began_ms),
        job.output.as_deref().unwrap_or("written to standard output"),
    );
    let mut text: Text = line.into();
    if let Some(summary) = summary {
        text += Text::from("\n") + super::text(summary, out);
    }
    text
}
