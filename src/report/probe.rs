//! What a probe found: a table of models and features, JSON, CSV and Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::format::{self, UNKNOWN};
use super::grid::{Column, Grid};
use super::term::{Output, Text};
use super::{csv as csv_format, escape, json as json_format, markdown as markdown_format};
use crate::probe::{Feature, Finding, Value};
use crate::record::TotalCost;

/// The names of the columns of CSV. New columns are added at the end only, since scripts may read them by position.
const HEADINGS: [&str; 6] = ["gateway", "model", "feature", "value", "sent", "received"];

/// What was found out about one model.
#[derive(Debug, Clone)]
pub struct Probed {
    pub gateway: String,
    pub model: String,
    pub findings: BTreeMap<Feature, Finding>,
    /// The longest prompt that was accepted and read, in tokens.
    pub context: Option<u64>,
}

/// What a probe found.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    pub run: &'a str,
    /// What was to be found out.
    pub features: &'a [Feature],
    pub models: &'a [Probed],
    pub total_cost: TotalCost,
    /// Whether the table of several models is followed by the evidence for it.
    pub evidence: bool,
}

impl Report<'_> {
    /// The names of the models, with their gateways where there are several.
    fn labels(&self) -> Vec<String> {
        let gateways = self.models.iter().any(|probed| probed.gateway != self.models[0].gateway);
        let label = |probed: &Probed| match gateways {
            true => format!("{}::{}", probed.gateway, probed.model),
            false => probed.model.clone(),
        };
        self.models.iter().map(label).collect()
    }
}

impl Probed {
    fn value(&self, feature: Feature) -> Value {
        self.findings.get(&feature).map_or(Value::Unknown, |finding| finding.value)
    }
}

/// The value in a table.
fn word(value: Value) -> String {
    match value {
        Value::Unknown => UNKNOWN.to_owned(),
        value => value.as_str().to_owned(),
    }
}

/// A table: of one model with what came back, of several with a row or a column for each.
pub fn text(report: &Report<'_>, out: &Output) -> Text {
    let labels = report.labels();
    let mut page = Text::new();
    if report.models.len() > 1 {
        let by_model = by_model(report, &labels);
        let by_feature = by_feature(report, &labels);
        let grid = if by_model.fits(out) || !by_feature.fits(out) { by_model } else { by_feature };
        page += grid.render(out);
    }
    if report.models.len() == 1 || report.evidence {
        for (label, probed) in labels.iter().zip(report.models) {
            page += if page.is_empty() { "" } else { "\n" };
            page += out.style.bold(escape::line(label)) + "\n";
            page += evidence(report, probed).render(out);
        }
    }
    page + cost(report).as_str() + "\n"
}

fn cost(report: &Report<'_>) -> String {
    format!("\n this probe cost {}", format::total_cost(report.total_cost))
}

/// A row for each model.
fn by_model(report: &Report<'_>, labels: &[String]) -> Grid {
    let features = report.features.iter().map(|feature| Column::left(feature.as_str()));
    let mut grid = Grid::new(std::iter::once(Column::left("model")).chain(features).collect());
    for (label, probed) in labels.iter().zip(report.models) {
        let values = report.features.iter().map(|feature| word(probed.value(*feature)));
        grid.row(std::iter::once(label.clone()).chain(values).collect());
    }
    grid
}

/// A row for each feature.
fn by_feature(report: &Report<'_>, labels: &[String]) -> Grid {
    let models = labels.iter().map(|label| Column::left(label));
    let mut grid = Grid::new(std::iter::once(Column::left("feature")).chain(models).collect());
    for feature in report.features {
        let values = report.models.iter().map(|probed| word(probed.value(*feature)));
        grid.row(std::iter::once(feature.as_str().to_owned()).chain(values).collect());
    }
    grid
}

/// What came back from one model, and with `--evidence` what was sent.
fn evidence(report: &Report<'_>, probed: &Probed) -> Grid {
    let mut columns = vec![Column::left("feature"), Column::left("value")];
    if report.evidence {
        columns.push(Column::left("sent").wraps(20));
    }
    columns.push(Column::left("came back").wraps(20));
    let mut grid = Grid::new(columns);
    for feature in report.features {
        let Some(finding) = probed.findings.get(feature) else { continue };
        let mut cells = vec![feature.as_str().to_owned(), word(finding.value)];
        if report.evidence {
            cells.push(finding.sent.clone());
        }
        cells.push(finding.received.clone());
        grid.row(cells);
    }
    grid
}

#[derive(Serialize)]
struct ReportJson<'a> {
    run: &'a str,
    models: Vec<ProbedJson<'a>>,
    total_cost: TotalCost,
}

#[derive(Serialize)]
struct ProbedJson<'a> {
    gateway: &'a str,
    model: &'a str,
    features: &'a BTreeMap<Feature, Finding>,
    context_accepted: Option<u64>,
}

/// `{"run", "models": [{"gateway", "model", "features": {…}, "context_accepted"}], "total_cost"}`.
pub fn json(report: &Report<'_>, out: &Output) -> Text {
    let models = report.models.iter().map(|probed| ProbedJson {
        gateway: &probed.gateway,
        model: &probed.model,
        features: &probed.findings,
        context_accepted: probed.context,
    });
    json_format::document(&ReportJson { run: report.run, models: models.collect(), total_cost: report.total_cost }, out)
}

/// A row for each finding.
pub fn csv(report: &Report<'_>) -> Text {
    csv_format::table(&HEADINGS, report.models.iter().flat_map(rows))
}

fn rows(probed: &Probed) -> impl Iterator<Item = [String; HEADINGS.len()]> + '_ {
    probed.findings.iter().map(|(feature, finding)| {
        [
            probed.gateway.clone(),
            probed.model.clone(),
            feature.as_str().to_owned(),
            finding.value.as_str().to_owned(),
            finding.sent.clone(),
            finding.received.clone(),
        ]
    })
}

/// A table of models and features, and one of the evidence.
pub fn markdown(report: &Report<'_>) -> Text {
    let labels = report.labels();
    let mut page = String::from("## Features\n\n");
    let names = report.features.iter().map(|feature| (feature.as_str(), false));
    let headings: Vec<(&str, bool)> = std::iter::once(("model", false)).chain(names).collect();
    let values = |probed: &Probed| report.features.iter().map(|feature| word(probed.value(*feature))).collect();
    let with_label = |(label, values): (&String, Vec<String>)| [vec![label.clone()], values].concat();
    let models: Vec<Vec<String>> = labels.iter().zip(report.models.iter().map(values)).map(with_label).collect();
    markdown_format::table(&mut page, &headings, &models);
    page.push_str("\n## Evidence\n");
    let headings = [("feature", false), ("value", false), ("sent", false), ("came back", false)];
    for (label, probed) in labels.iter().zip(report.models) {
        _ = writeln!(page, "\n### {}\n", escape::markdown_line(label));
        let rows: Vec<Vec<String>> = rows(probed).map(|row| row[2..].to_vec()).collect();
        markdown_format::table(&mut page, &headings, &rows);
    }
    _ = writeln!(page, "\nThis probe cost {}.", escape::markdown_line(&format::total_cost(report.total_cost)));
    page.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(model: &str, values: &[(Feature, Value, &str)]) -> Probed {
        let finding = |value, received: &str| Finding { value, sent: "a prompt".into(), received: received.into() };
        let findings = values.iter().map(|(feature, value, received)| (*feature, finding(*value, received)));
        Probed { gateway: "corp".into(), model: model.into(), findings: findings.collect(), context: Some(7_936) }
    }

    fn shown(models: &[Probed], evidence: bool, out: &Output) -> String {
        let features = [Feature::Stop, Feature::Image];
        let report = Report { run: "r1", features: &features, models, total_cost: TotalCost::default(), evidence };
        text(&report, out).to_string()
    }

    fn three() -> Vec<Probed> {
        vec![
            probed("small", &[(Feature::Stop, Value::Yes, "an end"), (Feature::Image, Value::No, "“no|picture”")]),
            probed("large", &[(Feature::Stop, Value::Unknown, "\u{1b}[31m500"), (Feature::Image, Value::Yes, "four")]),
        ]
    }

    #[test]
    fn several_models_are_a_table_and_one_is_its_evidence() {
        insta::assert_snapshot!(shown(&three(), false, &Output::terminal(80)), @r"
         model  stop  image
         small  yes   no
         large  –     yes

         this probe cost –
        ");
        insta::assert_snapshot!(shown(&three(), false, &Output::terminal(22)), @r"
         model  stop  image
         small  yes   no
         large  –     yes

         this probe cost –
        ");
        insta::assert_snapshot!(shown(&three()[..1], false, &Output::terminal(80)), @r"
        small
         feature  value  came back
         stop     yes    an end
         image    no     “no|picture”

         this probe cost –
        ");
        let with_evidence = shown(&three(), true, &Output::terminal(80));
        assert!(with_evidence.contains(" stop     –      a prompt  ␛[31m500\n"), "{with_evidence}");
    }

    #[test]
    fn a_table_that_is_too_wide_is_turned() {
        let models: Vec<Probed> = (0..2).map(|n| probed(&format!("m{n}"), &[])).collect();
        let report = |features| Report {
            run: "r1",
            features,
            models: &models,
            total_cost: TotalCost::default(),
            evidence: false,
        };
        let wide = text(&report(&Feature::ALL), &Output::terminal(160)).to_string();
        assert!(wide.starts_with(" model  stream  system"), "{wide}");
        let narrow = text(&report(&Feature::ALL), &Output::terminal(80)).to_string();
        assert!(narrow.starts_with(" feature         m0  m1\n stream"), "{narrow}");
    }

    #[test]
    fn csv_markdown_and_json_have_every_finding() {
        let (features, models) = ([Feature::Stop, Feature::Image], three());
        let report = Report {
            run: "r1",
            features: &features,
            models: &models,
            total_cost: TotalCost::default(),
            evidence: false,
        };
        assert_eq!(csv(&report).to_string().lines().count(), 5);
        let page = markdown(&report).to_string();
        assert!(page.contains("| small | yes | no |") && page.contains(r"“no\|picture”"), "{page}");
        let document: serde_json::Value =
            serde_json::from_str(&json(&report, &Output::plain(80)).to_string()).expect("json");
        assert_eq!(document["models"][0]["features"]["image"]["value"], "no");
        assert_eq!(document["models"][1]["context_accepted"], 7_936);
    }
}
