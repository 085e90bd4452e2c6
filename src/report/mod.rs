//! Makes texts of events and records, and writes them. No other module prints.
//!
//! There is a file for each kind of report. It returns a [`term::Text`], which [`term::print`], [`term::say`] and
//! [`destination::Destination`] alone can write: they escape it if they write to a terminal.

pub mod aliases;
pub mod answer;
mod background;
pub mod batch;
pub mod bench;
mod bench_html;
pub mod budgets;
pub mod cache;
pub mod chat;
pub mod checks;
pub mod choosing;
pub mod clipboard;
pub mod columns;
pub mod config;
mod control_echo;
pub mod csv;
pub mod destination;
mod device;
pub mod diff;
mod drawing;
pub mod dry_run;
pub mod error;
pub mod escape;
pub mod format;
pub mod grid;
pub mod html;
mod html_prose;
pub mod json;
pub mod keyboard;
pub mod keys;
mod leaks;
mod live_lines;
pub mod log;
pub mod markdown;
pub mod models;
mod notes;
pub mod notice;
pub mod otel;
pub mod page;
pub mod picker;
pub mod pipeline;
pub mod pipelines;
pub mod probe;
pub mod progress;
pub mod rates;
pub mod reconciliation;
mod render;
pub mod repeats;
pub mod route;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(unix)]
pub mod saved_modes;
pub mod scoped_keys;
pub mod table;
mod tally;
pub mod templates;
pub mod term;
mod text;
pub mod trace;
pub mod usage;
pub mod usage_html;
pub mod wins;
mod wrap;

use self::choosing::Choosing;
use crate::record::Record;

/// The answers of one run, as the reports of `compare` show them.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    pub run: &'a str,
    pub prompt: &'a str,
    /// The answers in the order in which they are shown.
    pub records: &'a [Record],
    /// How many of the first records come from an earlier run. Totals do not count them.
    pub recorded: usize,
    /// Whether each model was asked several times.
    pub is_repeated: bool,
    /// What was found of the answers, where they are scored.
    pub choosing: Option<&'a Choosing>,
    /// The place of the answer with which all others are compared word by word, if they are.
    pub diff_against: Option<usize>,
}

impl<'a> Comparison<'a> {
    /// A comparison of the answers of one run.
    pub fn new(run: &'a str, prompt: &'a str, records: &'a [Record]) -> Self {
        Self { run, prompt, records, recorded: 0, is_repeated: false, choosing: None, diff_against: None }
    }

    /// The records of this run.
    fn own(&self) -> &'a [Record] {
        self.records.get(self.recorded..).unwrap_or_default()
    }

    /// The names that were asked for, one for each record; no two are the same.
    pub fn labels(&self) -> Vec<String> {
        unique(self.records.iter().map(|record| record.model.as_str()))
    }
}

/// This follows the name of a model whose answer was recorded in an earlier run.
pub const RECORDED: &str = " (recorded)";

/// The names in their order. A name that comes again gets a number: `gpt (2)`.
pub fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: Vec<&str> = names.collect();
    let mut labels: Vec<String> = Vec::with_capacity(names.len());
    for name in &names {
        let mut label = (*name).to_owned();
        let mut n = 1;
        // A model may already be called what a number would make.
        while labels.contains(&label) || (n > 1 && names.contains(&label.as_str())) {
            n += 1;
            label = format!("{name} ({n})");
        }
        labels.push(label);
    }
    labels
}
