//! The figures of models that were each asked several times (`--repeat`): medians, ranges, intervals, and which models
//! cannot be told apart by them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::grid::{Column, Grid};
use super::term::{Output, Text};
use super::{Comparison, choosing, format};
use crate::money::Usd;
use crate::record::{Record, Status, TotalCost};
use crate::stats::{self, Interval, Statistic};

/// How many cells the column of names keeps at least when it is wrapped.
const MIN_MODEL: usize = 16;

/// A figure that is measured in each round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    FirstToken,
    Total,
    Rate,
    Output,
    Cost,
    Score,
}

pub(super) const METRICS: [Metric; 6] =
    [Metric::FirstToken, Metric::Total, Metric::Rate, Metric::Output, Metric::Cost, Metric::Score];

/// The figures of the table, from the widest table to the narrowest.
const DETAIL: [&[Metric]; 3] = [
    &METRICS,
    &[Metric::FirstToken, Metric::Total, Metric::Rate, Metric::Cost, Metric::Score],
    &[Metric::FirstToken, Metric::Total, Metric::Rate, Metric::Score],
];

impl Metric {
    /// The heading of its column.
    fn name(self) -> &'static str {
        match self {
            Self::FirstToken => "first token",
            Self::Total => "total",
            Self::Rate => "tok/s",
            Self::Output => "out",
            Self::Cost => "cost",
            Self::Score => "score",
        }
    }

    /// Its name in JSON and CSV, with its unit.
    fn field(self) -> &'static str {
        match self {
            Self::FirstToken => "first_token_ms",
            Self::Total => "total_ms",
            Self::Rate => "tokens_per_second",
            Self::Output => "output_tokens",
            Self::Cost => "cost_usd",
            Self::Score => "score",
        }
    }

    /// The names of the parts of a figure in JSON and CSV.
    fn names(self) -> [&'static str; 5] {
        [if self == Self::Score { "mean" } else { "median" }, "least", "most", "low", "high"]
    }

    /// Scores have a mean, because many are only 0 or 1. All other figures have a median, because a few may be very large.
    fn statistic(self) -> Statistic {
        if self == Self::Score { Statistic::Mean } else { Statistic::Median }
    }

    /// The figure of one record: a time in milliseconds, a cost in picodollars. The floats of costs are for medians and
    /// intervals only; costs are summed as integers.
    fn of(self, record: &Record, score: Option<f64>) -> Option<f64> {
        let ms = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1000.0);
        match self {
            Self::FirstToken => ms(record.timing.first_token),
            Self::Total => ms(record.timing.total),
            Self::Rate => record.timing.tokens_per_second,
            Self::Output => record.usage.output.map(|tokens| tokens as f64),
            Self::Cost => record.cost.filter(|cost| !cost.partial).map(|cost| cost.usd.picos() as f64),
            Self::Score => score,
        }
    }

    /// The figure for people.
    fn text(self, value: f64) -> String {
        match self {
            Self::FirstToken | Self::Total => format::duration(Duration::from_secs_f64(value.max(0.0) / 1000.0)),
            Self::Rate => format::rate(value),
            Self::Output if value.fract() == 0.0 => format!("{value}"),
            Self::Output => format!("{value:.1}"),
            Self::Cost => usd(value).to_string(),
            Self::Score => format::score(value),
        }
    }

    /// The figure for programs.
    fn number(self, value: f64) -> Number {
        match self {
            Self::FirstToken | Self::Total | Self::Rate | Self::Output => Number::Float((value * 10.0).round() / 10.0),
            Self::Cost => Number::Usd(usd(value)),
            Self::Score => Number::Float((value * 1e6).round() / 1e6),
        }
    }
}

/// A figure for programs.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum Number {
    Float(f64),
    Usd(Usd),
}

impl Number {
    fn text(self) -> String {
        match self {
            Self::Float(value) => value.to_string(),
            Self::Usd(usd) => usd.to_decimal(),
        }
    }
}

fn usd(picos: f64) -> Usd {
    // A cost is far below 2⁶³ picodollars, which are nine million dollars.
    Usd::from_picos(picos.round() as i64)
}

/// Several measurements of the same figure.
#[derive(Debug, Clone, Copy)]
struct Figure {
    /// The median, or of scores the mean.
    middle: f64,
    least: f64,
    most: f64,
    /// `None` where there are too few values.
    interval: Option<Interval>,
}

impl Figure {
    fn of(metric: Metric, values: &[f64]) -> Option<Self> {
        let is_share = metric == Metric::Score && values.iter().all(|value| *value == 0.0 || *value == 1.0);
        let interval = match is_share && values.len() >= stats::LEAST {
            // A bootstrap of equal values would be sure of them.
            true => stats::wilson(values.iter().sum(), values.len() as f64),
            false => stats::bootstrap(values, metric.statistic()),
        };
        Some(Self {
            middle: metric.statistic().of(values)?,
            least: stats::quantile(values, 0.0)?,
            most: stats::quantile(values, 1.0)?,
            interval,
        })
    }

    /// The figure for programs, by [`Metric::names`].
    fn numbers(&self, metric: Metric) -> [Option<Number>; 5] {
        let interval = self.interval;
        let (low, high) = (interval.map(|interval| interval.low), interval.map(|interval| interval.high));
        [Some(self.middle), Some(self.least), Some(self.most), low, high]
            .map(|value| value.map(|value| metric.number(value)))
    }
}

/// The figures of one model.
#[derive(Debug)]
struct Model {
    label: String,
    /// How often it was asked, and how often its answer was complete.
    answers: usize,
    complete: usize,
    /// By [`METRICS`].
    figures: [Option<Figure>; METRICS.len()],
    cost: TotalCost,
}

/// The figures of all models, in the order of the comparison.
#[derive(Debug)]
pub struct Repeats {
    models: Vec<Model>,
    total: TotalCost,
}

impl Repeats {
    /// The figures of the complete answers of each model that came from the model itself, not from the cache.
    pub fn new(comparison: &Comparison<'_>) -> Self {
        let records = comparison.records;
        let score = |place: usize| comparison.choosing.and_then(|choosing| choosing.scored.get(place)?.score);
        let model = |(label, places): (String, Vec<usize>)| {
            let is_fair = |place: &&usize| records[**place].status == Status::Ok && !records[**place].cached;
            let fair: Vec<usize> = places.iter().filter(is_fair).copied().collect();
            let figure = |metric: Metric| {
                let values: Vec<f64> =
                    fair.iter().filter_map(|place| metric.of(&records[*place], score(*place))).collect();
                Figure::of(metric, &values)
            };
            Model {
                label,
                answers: places.len(),
                complete: fair.len(),
                figures: METRICS.map(figure),
                cost: places.iter().map(|place| &records[*place]).collect(),
            }
        };
        Self { models: comparison.models().into_iter().map(model).collect(), total: records.iter().collect() }
    }

    /// The columns of the table with these figures.
    pub(super) fn columns(metrics: &[Metric]) -> Vec<(&'static str, bool)> {
        let mut columns = vec![("model", false), ("ok", true)];
        columns.extend(metrics.iter().map(|metric| (metric.name(), true)));
        columns.push(("total cost", true));
        columns
    }

    /// Rows of the medians, the ranges and the intervals of each model, and one with the total cost.
    pub(super) fn rows(&self, metrics: &[Metric]) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for model in &self.models {
            let cells = |text: &dyn Fn(Metric, Figure) -> Option<String>| -> Vec<String> {
                let cell = |metric: &Metric| model.figures[*metric as usize].and_then(|figure| text(*metric, figure));
                metrics.iter().map(|metric| cell(metric).unwrap_or_default()).collect()
            };
            let mut middles = cells(&|metric, figure| Some(metric.text(figure.middle)));
            for (cell, _) in
                middles.iter_mut().zip(metrics).filter(|(cell, metric)| cell.is_empty() && self.has(**metric))
            {
                *cell = format::UNKNOWN.to_owned();
            }
            let counts = vec![model.label.clone(), format!("{}/{}", model.complete, model.answers)];
            rows.push([counts, middles, vec![format::total_cost(model.cost)]].concat());
            let ranges = cells(&|metric, figure| Some(range(metric, figure.least, figure.most)));
            let intervals = cells(&|metric, figure| figure.interval.map(|of| range(metric, of.low, of.high)));
            for (name, cells) in [("└ min–max", ranges), ("└ 95 %", intervals)] {
                if model.complete > 1 && cells.iter().any(|cell| !cell.is_empty()) {
                    rows.push([vec![name.to_owned(), String::new()], cells, vec![String::new()]].concat());
                }
            }
        }
        if self.models.len() > 1 {
            let mut row = vec!["total".to_owned()];
            row.resize(metrics.len() + 2, String::new());
            row.push(format::total_cost(self.total));
            rows.push(row);
        }
        rows
    }

    /// Whether any model has this figure. All but scores are always looked for.
    fn has(&self, metric: Metric) -> bool {
        metric != Metric::Score || self.models.iter().any(|model| model.figures[metric as usize].is_some())
    }

    /// Which models cannot be told apart by which figures, as sentences; and that too few answers give no interval.
    pub(super) fn findings(&self) -> Vec<String> {
        let mut found: Vec<(Vec<&'static str>, Vec<Vec<usize>>)> = Vec::new();
        for (place, metric) in METRICS.iter().enumerate() {
            let groups = self.indistinguishable(place);
            match found.iter_mut().find(|(_, same)| *same == groups) {
                _ if groups.is_empty() => {}
                Some((metrics, _)) => metrics.push(metric.name()),
                None => found.push((vec![metric.name()], groups)),
            }
        }
        let names = |group: &Vec<usize>| {
            let labels: Vec<&str> = group.iter().map(|model| self.models[*model].label.as_str()).collect();
            format::list(&labels)
        };
        let sentence = |(metrics, groups): (Vec<&str>, Vec<Vec<usize>>)| {
            let groups: Vec<String> = groups.iter().map(names).collect();
            format!("{}: {} are indistinguishable", format::list(&metrics), groups.join("; "))
        };
        let mut sentences: Vec<String> = found.into_iter().map(sentence).collect();
        if self.models.iter().any(|model| model.complete < stats::LEAST) {
            let least = stats::LEAST;
            sentences.push(format!("a model with fewer than {least} complete answers has no intervals"));
        } else if !sentences.is_empty() {
            sentences.push("(their 95 % intervals overlap)".to_owned());
        }
        sentences
    }

    /// The groups of models whose intervals of a figure overlap.
    fn indistinguishable(&self, metric: usize) -> Vec<Vec<usize>> {
        let intervals: Vec<_> =
            self.models.iter().map(|model| model.figures[metric].and_then(|figure| figure.interval)).collect();
        stats::indistinguishable(&intervals)
    }

    /// `{"models": […], "indistinguishable": {…}}`.
    pub(super) fn json(&self) -> RepeatsJson<'_> {
        let models = self.models.iter().map(|model| ModelJson {
            model: &model.label,
            answers: model.answers,
            complete: model.complete,
            figures: Figures(METRICS.map(|metric| (metric, model.figures[metric as usize]))),
            total_cost: model.cost,
        });
        let groups = METRICS.map(|metric| {
            let names = |group: Vec<usize>| group.into_iter().map(|model| self.models[model].label.as_str()).collect();
            (metric.field(), self.indistinguishable(metric as usize).into_iter().map(names).collect())
        });
        RepeatsJson { models: models.collect(), indistinguishable: groups.into_iter().collect() }
    }

    /// The headings of the columns that CSV has with `--repeat`.
    pub(super) fn csv_headings() -> Vec<String> {
        let figures = METRICS.iter().flat_map(|metric| metric.names().map(|name| format!("{}_{name}", metric.field())));
        ["answers".to_owned(), "complete".to_owned()]
            .into_iter()
            .chain(figures)
            .map(|name| format!("model_{name}"))
            .collect()
    }

    /// The cells of these columns for an answer of this model.
    pub(super) fn csv_cells(&self, label: &str) -> Vec<String> {
        let Some(model) = self.models.iter().find(|model| model.label == label) else { return Vec::new() };
        let mut cells = vec![model.answers.to_string(), model.complete.to_string()];
        for metric in METRICS {
            let numbers = model.figures[metric as usize].map(|figure| figure.numbers(metric)).unwrap_or_default();
            cells.extend(numbers.map(|number| number.map_or_else(String::new, Number::text)));
        }
        cells
    }
}

/// `198–640 ms`, `600 ms–2.2 s`.
fn range(metric: Metric, least: f64, most: f64) -> String {
    let (least, most) = (metric.text(least), metric.text(most));
    if least == most {
        return least;
    }
    match (least.rsplit_once(' '), most.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same && !number.contains(' ') => format!("{number}–{most}"),
        _ => format!("{least}–{most}"),
    }
}

/// The figures in JSON.
#[derive(Debug, Serialize)]
pub(super) struct RepeatsJson<'a> {
    models: Vec<ModelJson<'a>>,
    indistinguishable: BTreeMap<&'static str, Vec<Vec<&'a str>>>,
}

#[derive(Debug, Serialize)]
struct ModelJson<'a> {
    model: &'a str,
    answers: usize,
    complete: usize,
    #[serde(flatten)]
    figures: Figures,
    total_cost: TotalCost,
}

/// The figures of one model, by name.
#[derive(Debug)]
struct Figures([(Metric, Option<Figure>); METRICS.len()]);

impl Serialize for Figures {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = |metric: Metric, figure: Figure| -> BTreeMap<&str, Option<Number>> {
            metric.names().into_iter().zip(figure.numbers(metric)).collect()
        };
        let figures =
            self.0.iter().map(|(metric, figure)| (metric.field(), figure.map(|figure| object(*metric, figure))));
        serializer.collect_map(figures)
    }
}

/// The table with as many figures as the page has room for, and the findings below it.
pub fn text(repeats: &Repeats, out: &Output) -> Text {
    let grids = DETAIL.iter().map(|metrics| grid(repeats, metrics));
    let fitting = grids.reduce(|wider, narrower| if wider.fits(out) { wider } else { narrower });
    let findings = repeats.findings();
    let gap = if findings.is_empty() { "" } else { "\n" };
    fitting.map(|grid| grid.render(out)).unwrap_or_default() + gap + choosing::sentences(&findings, out)
}

fn grid(repeats: &Repeats, metrics: &[Metric]) -> Grid {
    let column = |(name, is_number): &(&str, bool)| match *name {
        "model" => Column::left(name).wraps(MIN_MODEL),
        _ if *is_number => Column::right(name),
        _ => Column::left(name),
    };
    let mut grid = Grid::new(Repeats::columns(metrics).iter().map(column).collect());
    repeats.rows(metrics).into_iter().for_each(|row| grid.row(row));
    grid
}

#[cfg(test)]
mod tests {
    use super::super::samples::{failed, ms, record, three};
    use super::*;

    fn repeats(records: &[Record]) -> Repeats {
        Repeats::new(&Comparison { is_repeated: true, ..Comparison::new("run", "prompt", records) })
    }

    #[test]
    fn repeats_show_median_and_spread() {
        let mut records = three();
        records.iter_mut().for_each(|record| record.model = "gpt".into());
        records.extend([record("slow", "x"), failed("slow")]);
        insta::assert_snapshot!(text(&repeats(&records), &Output::terminal(80)), @r"
         model       ok  first token         total  tok/s  total cost
         gpt        3/3       412 ms         1.9 s     61  ~$0.000205
         └ min–max        198–640 ms  600 ms–2.2 s  31–88
         slow       1/2       412 ms         1.9 s     61   $0.000177
         total                                             ~$0.000382

         a model with fewer than 5 complete answers has no intervals
        ");
    }

    #[test]
    fn models_whose_intervals_overlap_are_indistinguishable() {
        let timed = |model: &str, total: u64| {
            let mut record = record(model, "text");
            record.timing.total = Some(ms(total));
            record
        };
        let mut records = Vec::new();
        for round in 0..6 {
            records.extend([timed("a", 900 + 10 * round), timed("b", 930 + 10 * round), timed("c", 2000 + 10 * round)]);
        }
        let repeats = repeats(&records);
        insta::assert_snapshot!(text(&repeats, &Output::terminal(120)), @r"
         model       ok  first token       total  tok/s  out       cost  total cost
         a          6/6       412 ms      925 ms     61    9  $0.000177    $0.00106
         └ min–max            412 ms  900–950 ms     61    9  $0.000177
         └ 95 %               412 ms  900–950 ms     61    9  $0.000177
         b          6/6       412 ms      955 ms     61    9  $0.000177    $0.00106
         └ min–max            412 ms  930–980 ms     61    9  $0.000177
         └ 95 %               412 ms  930–980 ms     61    9  $0.000177
         c          6/6       412 ms       2.0 s     61    9  $0.000177    $0.00106
         └ min–max            412 ms       2.0 s     61    9  $0.000177
         └ 95 %               412 ms       2.0 s     61    9  $0.000177
         total                                                             $0.00319

         first token, tok/s, out and cost: a, b and c are indistinguishable
         total: a and b are indistinguishable
         (their 95 % intervals overlap)
        ");
        let json = serde_json::to_value(repeats.json()).expect("JSON");
        assert_eq!(json["indistinguishable"]["total_ms"], serde_json::json!([["a", "b"]]));
        assert_eq!(json["models"][0]["total_ms"]["median"], 925.0);
        assert_eq!(json["models"][0]["cost_usd"]["low"], 0.000177);
        assert_eq!(json["models"][0]["score"], serde_json::Value::Null);
        let cells = repeats.csv_cells("c");
        let cell = |name: &str| &cells[Repeats::csv_headings().iter().position(|heading| heading == name).expect(name)];
        assert_eq!((cell("model_total_ms_least").as_str(), cell("model_cost_usd_high").as_str()), ("2000", "0.000177"));
        assert_eq!(cells.len(), Repeats::csv_headings().len());
    }
}
