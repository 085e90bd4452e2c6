//! A benchmark as one web page with a plot of each time. It loads nothing and runs nothing.

use serde::Serialize;

use super::bench::{Report, Table, both_times, counts_table, extent, load, ms, sentences, times_table, total_cost};
use super::term::Text;
use super::{format, page};
use crate::bench::Times;
use crate::error::Error;

/// The area of a plot, in units of its picture.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;

/// So many colours are told apart; further models share them.
const COLOURS: usize = 6;

/// What the template `bench.html` shows.
#[derive(Serialize)]
struct Page<'a> {
    title: &'static str,
    run: &'a str,
    load: String,
    cost: String,
    legend: Vec<Entry<'a>>,
    plots: Vec<Plot>,
    counts: TableJson,
    sentences: Vec<String>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    colour: usize,
}

/// The shares of answers that came within a time, a line for each model.
#[derive(Serialize)]
struct Plot {
    name: &'static str,
    width: f64,
    height: f64,
    lines: Vec<Line>,
    ticks: Vec<Tick>,
    table: TableJson,
}

#[derive(Serialize)]
struct Line {
    colour: usize,
    /// The points of an SVG `polyline`.
    points: String,
}

#[derive(Serialize)]
struct Tick {
    x: f64,
    label: String,
}

#[derive(Serialize)]
struct TableJson {
    headings: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

impl From<Table> for TableJson {
    fn from(table: Table) -> Self {
        Self { headings: table.headings, rows: table.rows }
    }
}

/// The page.
///
/// # Errors
///
/// [`Error::Output`] if the page cannot be made.
pub fn page(report: &Report<'_>) -> Result<Text, Error> {
    let names = report.figures.iter().map(|figures| figures.name.as_str()).enumerate();
    let values = Page {
        title: "Benchmark of language models",
        run: report.run,
        load: load(&report.plan),
        cost: format::total_cost(total_cost(report)),
        legend: names.map(|(place, name)| Entry { name, colour: place % COLOURS }).collect(),
        plots: both_times(report).into_iter().map(|(name, times)| plot(report, name, &times)).collect(),
        counts: counts_table(report).into(),
        sentences: sentences(report),
    };
    page::render(page::source!("html/bench.html"), values)
}

fn plot(report: &Report<'_>, name: &'static str, times: &[&Times]) -> Plot {
    let (low, high) = extent(times).unwrap_or((1.0, 2.0));
    // Each factor of a time has the same width, since latencies spread over several.
    let x = |ms: f64| round((ms.max(low) / low).ln() / (high / low).ln() * WIDTH);
    let lines =
        times.iter().enumerate().map(|(place, times)| Line { colour: place % COLOURS, points: points(times, x) });
    Plot {
        name,
        width: WIDTH,
        height: HEIGHT,
        lines: lines.filter(|line| !line.points.is_empty()).collect(),
        ticks: ticks(low, high).into_iter().map(|at| Tick { x: x(at), label: ms(at) }).collect(),
        table: times_table(report, name, times).into(),
    }
}

/// The steps of the distribution.
fn points(times: &Times, x: impl Fn(f64) -> f64) -> String {
    let values = times.values();
    let mut points = String::new();
    let mut last = None;
    for (place, value) in values.iter().enumerate() {
        let at = x(*value);
        let y = round(HEIGHT * (1.0 - (place + 1) as f64 / values.len() as f64));
        let before = last.unwrap_or(HEIGHT);
        points.push_str(&format!("{at},{before} {at},{y} "));
        last = Some(y);
    }
    points.trim_end().to_owned()
}

/// Times of one significant digit (1, 2 or 5) between two others; the ends if there is none.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let mut found = Vec::new();
    for exponent in -2..8 {
        let tens = 10_f64.powi(exponent);
        found.extend([1.0, 2.0, 5.0].map(|digit| digit * tens).into_iter().filter(|at| (low..=high).contains(at)));
    }
    if found.is_empty() { vec![low, high] } else { found }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
