//! What a run leaves in the ledger, once it is over.

use std::path::PathBuf;

use super::Context;
use super::drive::Outcome;
use super::ready::Ready;
use crate::call::Call;
use crate::cli;
use crate::config::LogLevel;
use crate::ledger::{self, Circumstances, Row, Turn};
use crate::record::{Record, Status};

/// What the ledger will be told of a run, besides its records.
#[derive(Debug)]
pub(super) struct Journal {
    command: &'static str,
    level: LogLevel,
    /// `None` where there is no place for a ledger.
    dir: Option<PathBuf>,
    keys: std::collections::BTreeMap<String, String>,
    turn: Option<Turn>,
}

/// What of a run is kept: the flag, else the config.
pub(super) fn level(context: &Context, flag: Option<cli::LogLevel>) -> LogLevel {
    match flag {
        None => context.settings.log,
        Some(cli::LogLevel::Full) => LogLevel::Full,
        Some(cli::LogLevel::Metadata) => LogLevel::Metadata,
        Some(cli::LogLevel::Off) => LogLevel::Off,
    }
}

impl Journal {
    pub(super) fn new(context: &Context, level: LogLevel, command: &'static str, ready: &Ready) -> Self {
        Self { command, level, dir: context.settings.dirs.data.clone(), keys: ready.keys.clone(), turn: None }
    }

    /// The run continues a conversation.
    pub(super) fn continuing(self, turn: Option<Turn>) -> Self {
        Self { turn, ..self }
    }

    /// Writes down what there is to keep, when nobody waits for an answer any more.
    pub(super) fn write(self, context: &Context, outcome: Outcome) {
        for notice in &outcome.notices {
            context.notice(notice);
        }
        if self.level == LogLevel::Off {
            return;
        }
        let Some(dir) = &self.dir else {
            context.notice("calls are not recorded, for lack of a home directory; LLM_DATA_DIR names another place");
            return;
        };
        let calls = outcome.records.into_iter().zip(&outcome.began).zip(&outcome.calls).enumerate();
        // What was never sent is no call.
        let calls = calls.filter(|(_, ((record, _), _))| record.status != Status::Skipped);
        let row = |(place, ((record, began), call)): (usize, ((Record, &jiff::Timestamp), &Call))| {
            let key = self.keys.get(&record.gateway).map(String::as_str);
            let about = Circumstances {
                command: self.command,
                place,
                at: *began,
                key,
                task: call.task.as_deref(),
                request: &call.request,
                turn: self.turn.as_ref(),
                texts: self.level == LogLevel::Full,
            };
            Row::new(record, &about)
        };
        let rows: Vec<Row> = calls.map(row).collect();
        for notice in ledger::record(dir, &rows) {
            context.notice(&notice);
        }
    }
}
