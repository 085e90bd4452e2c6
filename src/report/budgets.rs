//! What is left of each budget, as a table, as JSON and as CSV.

use jiff::Timestamp;
use serde::Serialize;

use super::grid::{Column, Grid};
use super::term::{Output, Text};
use super::{csv as csv_format, json as json_format, wrap};
use crate::config::{Action, Match, Period};
use crate::money::Usd;
use crate::policy::budget::Balance;
use crate::words;

/// The columns of CSV. New columns are added at the end only, since scripts may read them by position.
const HEADINGS: [&str; 11] = [
    "budget",
    "limit_usd",
    "per",
    "action",
    "spent_usd",
    "estimated_usd",
    "reserved_usd",
    "stale_usd",
    "left_usd",
    "resets_at",
    "serve_key",
];

/// What is left of budgets.
#[derive(Debug)]
pub struct Balances {
    /// Of those that the config sets.
    pub of_config: Vec<Balance>,
    /// Of those that keys of `llm serve` have.
    pub of_keys: Vec<Balance>,
}

impl Balances {
    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.of_config.iter().map(Entry::new).chain(self.of_keys.iter().map(Entry::of_key))
    }
}

/// A line for each budget. Below them, how many calls there are whose cost is `unknown`: without a price, nothing of them is in the
/// sums.
pub fn text(balances: &Balances, unknown: usize, out: &Output) -> Text {
    let mut grid = Grid::new(vec![
        Column::left("budget").wraps(16),
        Column::right("spent"),
        Column::right("reserved"),
        Column::right("left"),
        Column::left("begins anew (UTC)"),
        Column::left("note").wraps(16).remarks(),
    ]);
    for balance in balances.of_config.iter().chain(&balances.of_keys) {
        grid.row(vec![
            balance.budget.describe(),
            balance.spent.to_string(),
            balance.reserved.to_string(),
            balance.left().to_string(),
            balance.window.ends.map_or_else(|| "never".to_owned(), |ends| ends.strftime("%Y-%m-%d %H:%M").to_string()),
            note(balance),
        ]);
    }
    let mut page = grid.render(out);
    if unknown > 0 {
        let calls = words::count(unknown as u64, "call has", "calls have");
        let line = format!(
            "{calls} a cost that is unknown, or known in part: a call without a price counts as nothing here (`llm usage`)"
        );
        page += "\n";
        for line in wrap::wrap(&line, out.columns.max(1)) {
            page += line.as_str();
            page += "\n";
        }
    }
    page
}

fn note(balance: &Balance) -> String {
    let mut notes = Vec::new();
    if balance.estimated > Usd::ZERO {
        notes.push(format!("{} of what is spent is a guess", balance.estimated));
    }
    if balance.stale > Usd::ZERO {
        notes.push(format!("{} of it was set aside by a process that is gone", balance.stale));
    }
    if balance.budget.action == Action::Warn {
        notes.push("warns only".to_owned());
    }
    notes.join("; ")
}

/// What JSON and CSV say of a budget.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    budget: String,
    pub(super) limit_usd: Usd,
    pub(super) per: Period,
    r#match: &'a Match,
    action: &'static str,
    pub(super) spent_usd: Usd,
    estimated_usd: Usd,
    pub(super) reserved_usd: Usd,
    stale_usd: Usd,
    pub(super) left_usd: Usd,
    began_at: String,
    resets_at: Option<String>,
    /// The key of `llm serve` whose budget it is; `None` where the config sets it.
    serve_key: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// The entry of a budget that a key of `llm serve` has.
    pub(super) fn of_key(balance: &'a Balance) -> Self {
        Self { serve_key: balance.budget.matches.key.as_deref(), ..Self::new(balance) }
    }

    fn new(balance: &'a Balance) -> Self {
        let moment = |at: Timestamp| format!("{at:.0}");
        let Balance { budget, window, spent, estimated, reserved, stale } = balance;
        Self {
            budget: budget.describe(),
            limit_usd: budget.limit,
            per: budget.per,
            r#match: &budget.matches,
            action: match budget.action {
                Action::Refuse => "refuse",
                Action::Warn => "warn",
            },
            spent_usd: *spent,
            estimated_usd: *estimated,
            reserved_usd: *reserved,
            stale_usd: *stale,
            left_usd: balance.left(),
            began_at: moment(window.began),
            resets_at: window.ends.map(moment),
            serve_key: None,
        }
    }
}

/// A JSON array.
pub fn json(balances: &Balances, out: &Output) -> Text {
    json_format::document(&balances.entries().collect::<Vec<_>>(), out)
}

/// A table in the format of RFC 4180, with a heading.
pub fn csv(balances: &Balances) -> Text {
    csv_format::table(
        &HEADINGS,
        balances.entries().map(|entry| {
            [
                entry.budget,
                entry.limit_usd.to_decimal(),
                entry.per.as_str().to_owned(),
                entry.action.to_owned(),
                entry.spent_usd.to_decimal(),
                entry.estimated_usd.to_decimal(),
                entry.reserved_usd.to_decimal(),
                entry.stale_usd.to_decimal(),
                entry.left_usd.to_decimal(),
                entry.resets_at.unwrap_or_default(),
                entry.serve_key.unwrap_or_default().to_owned(),
            ]
        }),
    )
}
