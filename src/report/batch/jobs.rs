//! The list of batches, and how one stands.

use jiff::Timestamp;
use serde_json::json;

use super::Summary;
use crate::ledger::jobs::{Job, JobState};
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

    fn done(&self) -> String {
        let progress = &self.job.progress;
        let done = format::thousands(progress.ok + progress.failed + progress.truncated);
        match progress.total {
            Some(total) => format!("{done}/{}", format::thousands(total)),
            None => done,
        }
    }
}

/// The last eight characters of an id.
fn short(id: &str) -> &str {
    id.char_indices().rev().nth(7).map_or(id, |(at, _)| &id[at..])
}

fn cost(picos: Option<i64>) -> String {
    format::or_unknown(picos, |picos| Usd::from_picos(picos).to_string())
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

/// A row for each job.
pub fn list(jobs: &[Shown], out: &Output) -> Text {
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
    for shown in jobs {
        let job = &shown.job;
        let failed = job.progress.failed;
        grid.row(vec![
            shown.short_id().to_owned(),
            time(job.began_ms),
            shown.state().to_owned(),
            shown.done(),
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
    json!({
        "id": job.id, "began_ms": job.began_ms, "seen_ms": job.seen_ms, "state": shown.state(),
        "via": if job.via_api { "api" } else { "calls" }, "input": job.input, "output": job.output,
        "models": job.models, "total": job.progress.total, "ok": job.progress.ok, "failed": job.progress.failed,
        "truncated": job.progress.truncated, "cost_usd": job.progress.picos.map(Usd::from_picos),
        "directory": job.directory, "command": job.command,
    })
}

/// All jobs as one JSON document.
pub fn list_json(jobs: &[Shown], out: &Output) -> Text {
    documents::document(&jobs.iter().map(value).collect::<Vec<_>>(), out)
}

/// How a job stands, and its summary where there is one.
pub fn status(shown: &Shown, summary: Option<&Summary<'_>>, out: &Output) -> Text {
    let job = &shown.job;
    let line = format!(
        "batch {}: {}, {} done, began {} UTC, {}\n",
        shown.short_id(),
        shown.state(),
        shown.done(),
        time(job.began_ms),
        job.output.as_deref().unwrap_or("written to standard output"),
    );
    let mut text: Text = line.into();
    if let Some(summary) = summary {
        text += Text::from("\n") + super::text(summary, out);
    }
    text
}
