//! Usage as one web page with a bar for each group. It loads nothing and runs nothing.

use serde::Serialize;

use super::format::UNKNOWN;
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
}

#[derive(Serialize)]
struct Group<'a> {
    key: Vec<&'a str>,
    /// The group's part of the whole cost, with one decimal.
    bar_percent: String,
    figures: Vec<String>,
}

/// The page.
///
/// # Errors
///
/// [`Error::Output`] if the page cannot be made.
pub fn page(usage: &Usage, by: &[Dimension]) -> Result<Text, Error> {
    let (headings, mut rows) = figures(usage);
    // The last row is the total.
    let total = rows.pop().unwrap_or_default();
    let groups = usage.groups.iter().zip(rows).map(|(group, figures)| Group {
        key: group.key.iter().map(|key| key.as_deref().unwrap_or(UNKNOWN)).collect(),
        bar_percent: format!("{:.1}", share(group, usage).unwrap_or(0.0) * 100.0),
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
    };
    page::render(page::source!("html/usage.html"), values)
}
