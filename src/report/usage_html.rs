//! Usage as one web page with a bar for each group. It loads nothing and runs nothing.

use serde::Serialize;

use super::format::{self, UNKNOWN};
use super::leaks::leaks;
use super::page;
use super::term::Text;
use super::usage::{figures, heading, share};
use crate::error::Error;
use crate::ledger::{Dimension, Usage};

/// What the template `usage.html` shows.
#[derive(Serialize)]
struct Page<'a> {
    title: &'static str,
    dimensions: Vec<String>,
    headings: Vec<&'static str>,
    groups: Vec<Group<'a>>,
    total: Vec<String>,
    /// How many columns the word "total" stands in.
    total_span: usize,
    leaks: Vec<String>,
    /// The cost of all.
    headline: String,
    /// How many calls it was for, and in which time.
    about: String,
    made: String,
}

/// The time that a page is about, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    pub since_ms: Option<i64>,
    pub before_ms: Option<i64>,
    /// When the page is made.
    pub now_ms: i64,
}

/// The form of a moment.
const MOMENT: &str = "%Y-%m-%d %H:%M %Z";

impl Period {
    fn words(self) -> String {
        let moment = |at_ms| format::local(at_ms, MOMENT);
        match (self.since_ms.map(moment), self.before_ms.map(moment)) {
            (None, None) => "all that is recorded".to_owned(),
            (Some(since), None) => format!("since {since}"),
            (None, Some(before)) => format!("before {before}"),
            (Some(since), Some(before)) => format!("from {since} to {before}"),
        }
    }
}

#[derive(Serialize)]
struct Group<'a> {
    key: Vec<&'a str>,
    /// The group's part of the whole cost, with one decimal; `None` where it took nothing of it.
    bar_percent: Option<String>,
    figures: Vec<String>,
}

/// The page.
///
/// # Errors
///
/// [`Error::Output`] if the page cannot be made.
pub fn page(usage: &Usage, by: &[Dimension], period: Period) -> Result<Text, Error> {
    let (headings, mut rows) = figures(usage);
    // The last row is the total.
    let total = rows.pop().unwrap_or_default();
    let groups = usage.groups.iter().zip(rows).map(|(group, figures)| Group {
        key: group.key.iter().map(|key| key.as_deref().unwrap_or(UNKNOWN)).collect(),
        bar_percent: share(group, usage).filter(|part| *part > 0.0).map(|part| format!("{:.1}", part * 100.0)),
        figures,
    });
    let values = Page {
        title: "Usage of language models",
        dimensions: by.iter().map(heading).collect(),
        headings,
        groups: groups.collect(),
        total,
        total_span: by.len().max(1),
        leaks: leaks(usage),
        headline: format::total_cost(usage.total.cost),
        about: format!("{} · {}", format::count(usage.total.calls, "call", "calls"), period.words()),
        made: format::local(period.now_ms, MOMENT),
    };
    page::render(page::source!("html/usage.html"), values)
}
