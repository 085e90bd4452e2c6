//! The steps of a pipeline that has run: as a table of figures, as JSON and as Markdown.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::dry_run::Planned;
use super::table::{self, Cells};
use super::term::{Output, Text};
use super::{Comparison, escape, format, json, markdown, notes};
use crate::record::{Record, TotalCost};

/// One run of a pipeline.
#[derive(Debug, Clone, Copy)]
pub struct PipelineRun<'a> {
    pub run: &'a str,
    pub pipeline: &'a str,
    /// The input of the user.
    pub input: &'a str,
    pub steps: &'a [StepName],
    /// One for each step, in order.
    pub records: &'a [Record],
    /// How long it took until the last step had ended.
    pub elapsed: Duration,
}

/// The name of a step, and those of the steps whose answers its prompt uses.
#[derive(Debug, Clone)]
pub struct StepName {
    pub name: String,
    pub needs: Vec<String>,
}

impl StepName {
    /// The step and the model that was asked for: `draft (fast-chat)`.
    pub fn label(&self, model: &str) -> String {
        format!("{} ({model})", self.name)
    }
}

impl PipelineRun<'_> {
    /// A row for each step by [`columns`], and one with the time and the cost of the run.
    fn rows(&self) -> Vec<Vec<String>> {
        let comparison = Comparison::new(self.run, self.input, self.records);
        let cells = Cells::of(&comparison);
        let mut rows: Vec<Vec<String>> = Vec::new();
        for (i, (step, record)) in self.steps.iter().zip(self.records).enumerate() {
            let answered = notes::other_name(record).unwrap_or_default();
            let mut row = vec![step.name.clone(), record.model.clone(), answered.to_owned(), cells.status[i].clone()];
            // No step competes with another, so nothing is marked as the best.
            row.extend(cells.columns.iter().map(|values| values.texts[i].clone()));
            row.push(notes::without_name(record).join("; "));
            rows.push(row);
        }
        let mut total = vec!["total".to_owned()];
        total.resize(5, String::new());
        total.extend(table::totals(self.records));
        total[5] = format::duration(self.elapsed);
        total.push(String::new());
        rows.push(total);
        rows
    }
}

/// The columns of a comparison, with the name of the step before them and the model that answered behind the model.
fn columns() -> Vec<(&'static str, bool)> {
    let (model, figures) = table::COLUMNS.split_at(1);
    [&[("step", false)], model, &[("answered by", false)], figures].concat()
}

/// The table of figures, ending with a line break.
pub fn table(run: &PipelineRun<'_>, out: &Output) -> Text {
    table::figures(&columns(), run.rows(), out)
}

/// `{"run", "pipeline", "input", "steps": […], "elapsed_ms", "total_cost"}`.
pub fn json(run: &PipelineRun<'_>, out: &Output) -> Text {
    #[derive(Serialize)]
    struct Document<'a> {
        run: &'a str,
        pipeline: &'a str,
        input: &'a str,
        steps: Vec<Step<'a, Record>>,
        elapsed_ms: f64,
        total_cost: TotalCost,
    }
    let steps = run.steps.iter().zip(run.records).map(|(step, record)| Step::new(step, record)).collect();
    let document = Document {
        run: run.run,
        pipeline: run.pipeline,
        input: run.input,
        steps,
        elapsed_ms: (run.elapsed.as_secs_f64() * 10_000.0).round() / 10.0,
        total_cost: run.records.iter().collect(),
    };
    json::document(&document, out)
}

/// The requests of a pipeline that is not run (`--dry-run`), each with its step. With `as_json` they are one document.
pub fn planned(pipeline: &str, steps: &[StepName], requests: &[Planned], as_json: bool, out: &Output) -> Text {
    #[derive(Serialize)]
    struct Document<'a> {
        pipeline: &'a str,
        requests: Vec<Step<'a, Planned>>,
    }
    let requests = steps.iter().zip(requests);
    if as_json {
        let requests = requests.map(|(step, request)| Step::new(step, request)).collect();
        return json::document(&Document { pipeline, requests }, out);
    }
    let text = |(step, request): (&StepName, &Planned)| {
        let after = if step.needs.is_empty() { String::new() } else { format!(", after {}", step.needs.join(" and ")) };
        let heading = format!("# step {}{after}", step.label(&request.model));
        Text::from(escape::line(&heading).into_owned()) + "\n" + request.to_text()
    };
    Text::join(requests.map(text), "\n")
}

/// One step as a line of JSON.
pub fn line(step: &StepName, record: &Record) -> Text {
    json::line(&Step::new(step, record))
}

/// What is said of a step, with the names of the step and of those that it needs.
#[derive(Serialize)]
struct Step<'a, T> {
    step: &'a str,
    needs: &'a [String],
    #[serde(flatten)]
    of: &'a T,
}

impl<'a, T> Step<'a, T> {
    fn new(step: &'a StepName, of: &'a T) -> Self {
        Self { step: &step.name, needs: &step.needs, of }
    }
}

/// A document with the input, the figures and the answer of every step.
pub fn markdown(run: &PipelineRun<'_>) -> Text {
    let mut page = String::new();
    if !run.input.is_empty() {
        page.push_str("## Input\n\n");
        markdown::fenced(&mut page, run.input);
        page.push('\n');
    }
    page.push_str("## Figures\n\n");
    markdown::table(&mut page, &columns(), &run.rows());
    page.push_str("\n## Answers\n");
    for (step, record) in run.steps.iter().zip(run.records) {
        _ = writeln!(page, "\n### {}", escape::markdown_line(&step.label(&record.model)));
        markdown::body(&mut page, record);
    }
    page.into()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{failed, ms, three};
    use super::*;
    use crate::record::Status;

    #[test]
    fn a_row_a_step_and_the_time_of_all() {
        let mut records = three();
        records[1].model = "strong".into();
        records[2] = failed("checker");
        let mut skipped = failed("last");
        (skipped.status, skipped.timing.total) = (Status::Skipped, None);
        records.push(skipped);
        let steps = ["draft", "refine", "check", "end"].map(|name| StepName { name: name.into(), needs: Vec::new() });
        let run = PipelineRun {
            run: "run-1",
            pipeline: "p",
            input: "The text.",
            steps: &steps,
            records: &records,
            elapsed: ms(4100),
        };
        insta::assert_snapshot!(table(&run, &Output::terminal(100)), @r"
         step    model              answered by   status   first token   total  tok/s  in  out       cost
         draft   claude-sonnet-4-6                ok            412 ms   1.9 s     61  14    9  $0.000177
         refine  strong             gpt-5.4-mini  ok            198 ms  600 ms     88  14    8  $0.000013
         check   checker                          failed             –  310 ms      –   –    –          –
         end     last                             skipped            –       –      –   –    –          –
         total                                                           4.1 s         28   17   $0.00019
         check: 503 no provider is available for this model
         end: 503 no provider is available for this model
        ");
    }
}
