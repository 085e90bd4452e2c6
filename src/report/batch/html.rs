//! The summary of a batch as one web page with plots. It loads nothing and runs nothing.

use serde::Serialize;

use super::{Summary, columns, confusion_table, interval, remarks, rows};
use crate::batch::tally::ModelTally;
use crate::error::Error;
use crate::report::term::Text;
use crate::report::{format, page};

/// The size of a plot, in its own units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;

/// A curve of times has no more points than this.
const POINTS: usize = 200;

/// The colours of curves, which repeat where there are more models.
const COLOURS: [&str; 6] = ["#3b82f6", "#f97316", "#10b981", "#a855f7", "#ef4444", "#64748b"];

#[derive(Serialize)]
struct Page {
    title: String,
    headings: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
    remarks: Vec<String>,
    /// The longest time in the plot of times; empty where there are no times.
    longest: String,
    curves: Vec<Curve>,
    bars: Vec<Bar>,
    accuracies: Vec<Accuracy>,
    confusions: Vec<Table>,
    width: f64,
    height: f64,
}

/// How many answers had come by which time.
#[derive(Serialize)]
struct Curve {
    name: String,
    colour: &'static str,
    /// The points of an SVG polyline.
    points: String,
}

/// What became of the rows, in percent.
#[derive(Serialize)]
struct Bar {
    name: String,
    ok: String,
    truncated: String,
    failed: String,
}

/// The share of right answers with its interval, as places in the plot.
#[derive(Serialize)]
struct Accuracy {
    name: String,
    text: String,
    y: f64,
    low: String,
    high: String,
    at: String,
    colour: &'static str,
}

#[derive(Serialize)]
struct Table {
    name: String,
    headings: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Serialize)]
struct Cell {
    text: String,
    /// How dark it is, from 0 to 1: its share of the row.
    shade: String,
}

/// The page.
///
/// # Errors
///
/// [`Error::Output`] if the page cannot be made.
pub fn page(summary: &Summary<'_>) -> Result<Text, Error> {
    let models = &summary.tally.models;
    let longest = models.iter().filter_map(|(_, model)| model.times().last().copied()).max();
    let named = || models.iter().enumerate().map(|(at, (name, model))| (name, model, COLOURS[at % COLOURS.len()]));
    let values = Page {
        title: format!("Batch of {}", summary.input),
        headings: columns(summary.tally),
        rows: rows(summary),
        remarks: remarks(summary),
        longest: longest.map_or_else(String::new, format::duration),
        curves: named().map(|(name, model, colour)| curve(name, model, colour, longest.unwrap_or_default())).collect(),
        bars: named().map(|(name, model, _)| bar(name, model)).collect(),
        accuracies: named()
            .enumerate()
            .filter_map(|(at, (name, model, colour))| place(at, name, model, colour))
            .collect(),
        confusions: named().filter_map(|(name, model, _)| confusion(name, model)).collect(),
        width: WIDTH,
        height: HEIGHT,
    };
    page::render(page::source!(up "html/batch.html"), values)
}

fn curve(name: &str, model: &ModelTally, colour: &'static str, longest: std::time::Duration) -> Curve {
    let times = model.times();
    let step = times.len().div_ceil(POINTS).max(1);
    let scale = longest.as_secs_f64().max(f64::MIN_POSITIVE);
    let point = |(at, time): (usize, &std::time::Duration)| {
        let x = time.as_secs_f64() / scale * WIDTH;
        let y = HEIGHT - (at + 1) as f64 / times.len() as f64 * HEIGHT;
        format!("{x:.1},{y:.1}")
    };
    // The last point is always shown.
    let points = times.iter().enumerate().filter(|(at, _)| at % step == 0 || at + 1 == times.len()).map(point);
    Curve { name: name.to_owned(), colour, points: points.collect::<Vec<_>>().join(" ") }
}

fn bar(name: &str, model: &ModelTally) -> Bar {
    let share = |count: u64| format!("{:.2}", count as f64 / model.rows().max(1) as f64 * 100.0);
    Bar { name: name.to_owned(), ok: share(model.ok), truncated: share(model.truncated), failed: share(model.failed) }
}

fn place(at: usize, name: &str, model: &ModelTally, colour: &'static str) -> Option<Accuracy> {
    let (share, interval) = (model.accuracy()?, interval(model)?);
    let x = |share: f64| format!("{:.1}", share * WIDTH);
    Some(Accuracy {
        name: name.to_owned(),
        text: super::accuracy(model),
        y: 20.0 + at as f64 * 24.0,
        low: x(interval.low),
        high: x(interval.high),
        at: x(share),
        colour,
    })
}

fn confusion(name: &str, model: &ModelTally) -> Option<Table> {
    let confusion = model.confusion()?;
    let (headings, rows) = confusion_table(&confusion);
    let cell = |counts: &[u64], at: usize, text: String| {
        let sum: u64 = counts.iter().sum();
        let share = at.checked_sub(1).map_or(0.0, |at| counts[at] as f64 / sum.max(1) as f64);
        Cell { text, shade: format!("{share:.2}") }
    };
    let rows = rows
        .into_iter()
        .zip(&confusion.counts)
        .map(|(row, counts)| row.into_iter().enumerate().map(|(at, text)| cell(counts, at, text)).collect());
    Some(Table { name: name.to_owned(), headings, rows: rows.collect() })
}
