//! What a chat says besides its answers: the line before a prompt, lists, costs.

use super::format;
use super::grid::{Column, Grid};
use super::log;
use super::term::{Output, Text};
use super::{escape, wrap};
use crate::ledger::Row;
use crate::record::{Record, TotalCost};

/// The beginning of a prompt in a list takes so many cells at most.
const PROMPT: usize = 60;

/// Where a chat stands.
#[derive(Debug, Clone)]
pub struct Status {
    /// The name of the model that is asked.
    pub model: String,
    /// What the chat has cost; `None` before its first call.
    pub cost: Option<TotalCost>,
    /// How many tokens the conversation takes.
    pub used: Option<u64>,
    /// How many tokens the model takes.
    pub window: Option<u64>,
}

/// What ends the line of a prompt that nobody finishes, and the marks that a terminal puts around what is pasted.
pub const PROMPT_LEFT: &str = "\x1b[?2004l\n";

/// What stands before the line that is typed.
#[derive(Debug, Clone)]
pub struct Prompt {
    pub plain: String,
    /// The same with colours.
    pub coloured: String,
    /// Whether the line is put into the history.
    pub is_kept: bool,
}

/// The prompt of a chat: `gpt · $0.0021 · 1240 tokens (1 %)> `. What has no room is left out.
pub fn prompt(status: &Status, out: &Output) -> Prompt {
    let mut parts = vec![escape::line(&status.model).into_owned()];
    parts.extend(status.cost.filter(|cost| cost.usd.is_some()).map(format::total_cost));
    parts.extend(status.used.map(|used| {
        let share = status.window.filter(|window| *window > 0).map(|window| used.saturating_mul(100) / window);
        let share = share.map(|share| format!(" ({share} %)")).unwrap_or_default();
        format!("{}{share}", format::count(used, "token", "tokens"))
    }));
    // At least half of the row is for what is typed.
    while parts.len() > 1 && wrap::width(&parts.join(" · ")) + 2 > out.columns / 2 {
        parts.pop();
    }
    let words = parts.join(" · ");
    let words = if wrap::width(&words) + 2 > out.columns / 2 { String::new() } else { words };
    let coloured = out.style.dim(words.as_str()) + out.style.cyan("> ");
    Prompt { plain: format!("{words}> "), coloured: coloured.shown(true).into_owned(), is_kept: true }
}

/// The prompt of a question of ours.
pub fn plain_prompt(text: &str) -> Prompt {
    Prompt { plain: text.to_owned(), coloured: String::new(), is_kept: false }
}

/// A line of an answer to a command.
pub fn line(text: &str) -> Text {
    Text::from(escape::line(text).into_owned()) + "\n"
}

/// Commands and what they do.
pub fn help(rows: impl Iterator<Item = (String, String)>, out: &Output) -> Text {
    let mut grid = Grid::new(vec![Column::left("type"), Column::left("to").wraps(20)]);
    rows.for_each(|(name, does)| grid.row(vec![name, does]));
    grid.render(out)
}

/// What each model of a chat has cost.
pub fn costs(records: &[Record], out: &Output) -> Text {
    let columns = [Column::left("model").wraps(12), Column::right("turns"), Column::right("in"), Column::right("out")];
    let mut grid = Grid::new(columns.into_iter().chain([Column::right("cost")]).collect());
    let mut models: Vec<&str> = records.iter().map(|record| record.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    let row = |name: &str, records: Vec<&Record>| {
        let sum = |count: fn(&Record) -> Option<u64>| {
            let known: Vec<u64> = records.iter().filter_map(|record| count(record)).collect();
            match known.len() {
                0 => format::UNKNOWN.to_owned(),
                all if all == records.len() => known.iter().sum::<u64>().to_string(),
                _ => format!("≥{}", known.iter().sum::<u64>()),
            }
        };
        let cost: TotalCost = records.iter().copied().collect();
        let (input, output) = (sum(|record| record.usage.input), sum(|record| record.usage.output));
        vec![name.to_owned(), records.len().to_string(), input, output, format::total_cost(cost)]
    };
    for model in &models {
        grid.row(row(model, records.iter().filter(|record| record.model == *model).collect()));
    }
    grid.row(row("total", records.iter().collect()));
    grid.render(out)
}

/// A line for each conversation, whose calls are given newest first.
pub fn list(conversations: &[Vec<Row>], out: &Output) -> Text {
    let columns =
        [Column::left("last (UTC)"), Column::left("id"), Column::right("turns"), Column::left("model").wraps(12)];
    let columns = columns.into_iter().chain([Column::right("cost"), Column::left("begins with").wraps(16)]);
    let mut grid = Grid::new(columns.collect());
    for rows in conversations {
        let (Some(last), Some(first)) = (rows.first(), rows.last()) else { continue };
        let records: Vec<Record> = rows.iter().cloned().map(Row::into_record).collect();
        let begins = log::prompt(first).unwrap_or_else(|| "(not kept)".to_owned());
        grid.row(vec![
            log::when(last.at_ms, "%m-%d %H:%M"),
            log::end(&last.id).to_owned(),
            rows.len().to_string(),
            last.asked.clone(),
            format::total_cost(records.iter().collect()),
            wrap::beginning(&escape::line(&begins), PROMPT),
        ]);
    }
    if conversations.is_empty() { Text::new() } else { grid.render(out) }
}
