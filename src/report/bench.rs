//! What a benchmark measured: as tables with small plots, as JSON, as CSV, as Markdown, and as a page with plots.

use std::time::Duration;

use serde::Serialize;

pub use super::bench_html::page as html;
use super::format::{self, or_unknown};
use super::grid::{self, Column, Grid};
use super::term::{Output, Text};
use super::{csv as csv_format, json as json_format, markdown as markdown_format};
use crate::bench::compare::Difference;
use crate::bench::{Figures, Load, Plan, Times, ranges};
use crate::record::TotalCost;
use crate::stats::{self, Interval};

/// How many cells a small plot of a distribution has.
const PLOT: usize = 24;

/// From nothing to the most, in eighths of a cell.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The names of the columns of CSV. New columns are added at the end only, since scripts may read them by position.
const HEADINGS: [&str; 26] = [
    "run",
    "name",
    "gateway",
    "model",
    "requests",
    "concurrency",
    "rate",
    "answered",
    "failed",
    "interrupted",
    "first_token_p50_ms",
    "first_token_p50_low_ms",
    "first_token_p50_high_ms",
    "first_token_p90_ms",
    "first_token_p99_ms",
    "total_p50_ms",
    "total_p50_low_ms",
    "total_p50_high_ms",
    "total_p90_ms",
    "total_p99_ms",
    "tokens_per_second",
    "answers_per_second",
    "output_tokens",
    "seconds",
    "cost_usd",
    "failures",
];

/// What a benchmark measured.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    pub run: &'a str,
    pub plan: Plan,
    pub figures: &'a [Figures],
    /// What gateways add to the same model.
    pub gateways: &'a [Difference],
    /// What has changed since an earlier run, if one is compared with.
    pub before: Option<&'a Before>,
}

/// The differences from an earlier run.
#[derive(Debug, Clone, Serialize)]
pub struct Before {
    pub run: String,
    /// When it ended.
    pub at: String,
    pub differences: Vec<Difference>,
}

/// A table: its headings, each with whether its column has numbers, and its rows.
pub(super) struct Table {
    pub(super) headings: Vec<(String, bool)>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    fn render(&self, out: &Output) -> Text {
        let column = |(n, (name, number)): (usize, &(String, bool))| match number {
            true => Column::right(name),
            false if n == 0 => Column::left(name).wraps(12),
            false => Column::left(name),
        };
        let mut grid = Grid::new(self.headings.iter().enumerate().map(column).collect());
        self.rows.iter().for_each(|row| grid.row(row.clone()));
        grid.render(out)
    }
}

/// Both times of the report, with their names.
pub(super) fn both_times<'a>(report: &Report<'a>) -> [(&'static str, Vec<&'a Times>); 2] {
    [
        ("first token", report.figures.iter().map(|figures| &figures.first_token_ms).collect()),
        ("total", report.figures.iter().map(|figures| &figures.total_ms).collect()),
    ]
}

/// The lowest and the highest time of several models, in milliseconds, a little apart at least.
pub(super) fn extent(times: &[&Times]) -> Option<(f64, f64)> {
    let low = times.iter().filter_map(|times| times.min).reduce(f64::min)?.max(0.01);
    let high = times.iter().filter_map(|times| times.max).reduce(f64::max)?;
    Some((low, high.max(low * 1.01)))
}

pub(super) fn ms(ms: f64) -> String {
    format::duration(Duration::from_secs_f64(ms.max(0.0) / 1_000.0))
}

/// The table of a time, without plots.
pub(super) fn times_table(report: &Report<'_>, name: &str, times: &[&Times]) -> Table {
    let headings = [(name, false), ("p50", true), ("95 % of p50", true), ("p90", true), ("p99", true)];
    let time = |time: Option<f64>| or_unknown(time, ms);
    let row = |(figures, times): (&Figures, &&Times)| {
        let between =
            or_unknown(times.p50_interval, |interval| format!("{} – {}", ms(interval.low), ms(interval.high)));
        vec![figures.name.clone(), time(times.p50), between, time(times.p90), time(times.p99)]
    };
    Table {
        headings: headings.map(|(name, number)| (name.to_owned(), number)).to_vec(),
        rows: report.figures.iter().zip(times).map(row).collect(),
    }
}

/// The table of a time, with a plot of each distribution over the same axis.
fn times_with_plots(report: &Report<'_>, name: &str, times: &[&Times]) -> Table {
    let mut table = times_table(report, name, times);
    if let Some((low, high)) = extent(times) {
        table.headings.push((format!("{} to {}", ms(low), ms(high)), false));
        for (row, times) in table.rows.iter_mut().zip(times) {
            row.push(plot(&ranges(times, low, high, PLOT)));
        }
    }
    table
}

/// A plot of counts, in which the highest fills a cell.
fn plot(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let bar = |count: &u64| match *count {
        0 => '·',
        count => BARS[(count * 8).div_ceil(most).min(8) as usize],
    };
    counts.iter().map(bar).collect()
}

/// The table of counts, rates and costs.
pub(super) fn counts_table(report: &Report<'_>) -> Table {
    let headings = [
        ("model", false),
        ("answered", true),
        ("failed", true),
        ("interrupted", true),
        ("tok/s", true),
        ("answers/s", true),
        ("cost", true),
    ];
    let some = |count: u64| if count > 0 { count.to_string() } else { String::new() };
    let row = |figures: &Figures| {
        vec![
            figures.name.clone(),
            format!("{} of {}", figures.answered, report.plan.requests),
            some(figures.failures()),
            some(figures.interrupted),
            or_unknown(figures.tokens_per_second, format::rate),
            or_unknown(figures.answers_per_second, rate),
            format::total_cost(figures.cost),
        ]
    };
    Table {
        headings: headings.map(|(name, number)| (name.to_owned(), number)).to_vec(),
        rows: report.figures.iter().map(row).collect(),
    }
}

fn rate(a_second: f64) -> String {
    if a_second < 9.95 { format!("{a_second:.2}") } else { format!("{a_second:.0}") }
}

/// What the figures mean, in sentences.
pub(super) fn sentences(report: &Report<'_>) -> Vec<String> {
    let mut sentences: Vec<String> = report.figures.iter().filter_map(failures).collect();
    sentences.extend(report.gateways.iter().map(|difference| {
        let with = format!("than {}", difference.with);
        sentence(difference, &with)
    }));
    sentences.extend(groups(report));
    if let Some(before) = report.before {
        sentences.extend(before.differences.iter().map(|difference| sentence(difference, "than before")));
    }
    if report.figures.iter().any(|figures| figures.total_ms.count > 0 && figures.total_ms.p99_interval.is_none()) {
        let text =
            "fewer than 368 answers do not show how high the true p99 is; it may be above every time that was measured";
        sentences.push(text.to_owned());
    }
    sentences
}

/// Why calls failed, if any did.
fn failures(figures: &Figures) -> Option<String> {
    let kinds: Vec<String> = figures.failed.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let text = format!("{}: failed and not in the times: {}", figures.name, kinds.join(", "));
    (!kinds.is_empty()).then_some(text)
}

/// The name of a figure in sentences.
fn named(figure: &str) -> &'static str {
    if figure == "first_token_ms" { "first token" } else { "total" }
}

fn sentence(difference: &Difference, with: &str) -> String {
    let Difference { of, figure, difference_ms, interval, indistinguishable, .. } = difference;
    let figure = named(figure);
    let signed = |value: f64| format!("{}{}", if value < 0.0 { "−" } else { "+" }, ms(value.abs()));
    let range = interval.map_or_else(
        || "too few answers for an interval".to_owned(),
        |Interval { low, high }| format!("95 %: {} to {}", signed(low), signed(high)),
    );
    if *indistinguishable {
        return format!("{of}: {figure} indistinguishable {} ({range})", with.replacen("than", "from", 1));
    }
    let direction = if *difference_ms < 0.0 { "earlier" } else { "later" };
    format!("{of}: {figure} {} {direction} {with} ({range})", ms(difference_ms.abs()))
}

/// Which models cannot be told apart.
fn groups(report: &Report<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, times) in both_times(report) {
        let intervals: Vec<Option<Interval>> = times.iter().map(|times| times.p50_interval).collect();
        for group in stats::indistinguishable(&intervals) {
            let names: Vec<&str> = group.iter().map(|place| report.figures[*place].name.as_str()).collect();
            found.push(format!("{}: indistinguishable by the median of {name}", names.join(", ")));
        }
    }
    found
}

/// The cost of all models.
pub(super) fn total_cost(report: &Report<'_>) -> TotalCost {
    report.figures.iter().fold(TotalCost::default(), |sum, figures| sum + figures.cost)
}

/// How the calls followed each other.
pub(super) fn load(plan: &Plan) -> String {
    match plan.load {
        Load::Concurrency(1) => "one request at a time to each model".to_owned(),
        Load::Concurrency(calls) => format!("{calls} requests at once to each model"),
        Load::Rate(a_second) => {
            format!("{a_second} requests a second to each model, times from the moment they were due")
        }
    }
}

/// Tables of both times with small plots, one of counts and costs, and sentences.
pub fn text(report: &Report<'_>, out: &Output) -> Text {
    let mut page = Text::new();
    for (name, times) in both_times(report) {
        let with_plots = times_with_plots(report, name, &times);
        page += with_plots.render(out) + "\n";
    }
    page += counts_table(report).render(out);
    if report.figures.len() > 1 {
        page += format!("\n total cost {}\n", format::total_cost(total_cost(report))).as_str();
    }
    for (n, sentence) in sentences(report).iter().enumerate() {
        page += if n == 0 { "\n" } else { "" };
        page += grid::remark(sentence, out).as_str();
    }
    page
}

#[derive(Serialize)]
struct ReportJson<'a> {
    run: &'a str,
    requests: u64,
    warmup: u64,
    load: Load,
    models: &'a [Figures],
    gateways: &'a [Difference],
    before: Option<&'a Before>,
    total_cost: TotalCost,
}

/// `{"run", "requests", "warmup", "load", "models": […], "gateways": […], "before", "total_cost"}`.
pub fn json(report: &Report<'_>, out: &Output) -> Text {
    let document = ReportJson {
        run: report.run,
        requests: report.plan.requests,
        warmup: report.plan.warmup,
        load: report.plan.load,
        models: report.figures,
        gateways: report.gateways,
        before: report.before,
        total_cost: total_cost(report),
    };
    json_format::document(&document, out)
}

/// A row for each model.
pub fn csv(report: &Report<'_>) -> Text {
    csv_format::table(&HEADINGS, report.figures.iter().map(|figures| row(report, figures)))
}

fn row(report: &Report<'_>, figures: &Figures) -> [String; HEADINGS.len()] {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let low = |times: &Times| number(times.p50_interval.map(|interval| interval.low));
    let high = |times: &Times| number(times.p50_interval.map(|interval| interval.high));
    let (concurrency, rate) = match report.plan.load {
        Load::Concurrency(calls) => (calls.to_string(), String::new()),
        Load::Rate(a_second) => (String::new(), a_second.to_string()),
    };
    let (first, total) = (&figures.first_token_ms, &figures.total_ms);
    let kinds: Vec<String> = figures.failed.iter().map(|(kind, count)| format!("{kind}={count}")).collect();
    [
        report.run.to_owned(),
        figures.name.clone(),
        figures.gateway.clone(),
        figures.model.clone(),
        report.plan.requests.to_string(),
        concurrency,
        rate,
        figures.answered.to_string(),
        figures.failures().to_string(),
        figures.interrupted.to_string(),
        number(first.p50),
        low(first),
        high(first),
        number(first.p90),
        number(first.p99),
        number(total.p50),
        low(total),
        high(total),
        number(total.p90),
        number(total.p99),
        number(figures.tokens_per_second),
        number(figures.answers_per_second),
        figures.output_tokens.map_or_else(String::new, |tokens| tokens.to_string()),
        number(figures.seconds),
        figures.cost.known().map_or_else(String::new, |usd| usd.to_decimal()),
        kinds.join(" "),
    ]
}

/// The same tables and sentences as in text, without plots.
pub fn markdown(report: &Report<'_>) -> Text {
    let mut page = format!("## Times\n\n{}\n", load(&report.plan));
    let mut add = |table: &Table| {
        page.push('\n');
        let headings: Vec<(&str, bool)> =
            table.headings.iter().map(|(name, number)| (name.as_str(), *number)).collect();
        markdown_format::table(&mut page, &headings, &table.rows);
    };
    for (name, times) in both_times(report) {
        add(&times_table(report, name, &times));
    }
    add(&counts_table(report));
    let sentences = sentences(report);
    if !sentences.is_empty() {
        page.push('\n');
    }
    for sentence in sentences {
        page.push_str(&format!("- {}\n", super::escape::markdown_line(&sentence)));
    }
    page.into()
}
