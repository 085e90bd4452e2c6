//! `llm pipeline`: prompts of the config that build on each other's answers.

mod run;

use serde_json::{Value, json};

use super::Context;
use crate::cli::{PipelineCommand, TextOrJson};
use crate::config::Step;
use crate::error::Error;
use crate::pipeline::{self, Wired};
use crate::report;
use crate::report::grid::{Column, Grid};
use crate::report::term::print;
use crate::run::Notices;

pub(super) fn run(context: &Context, command: &PipelineCommand) -> Result<u8, Error> {
    match command {
        PipelineCommand::Run(args) => return run::run_pipeline(context, args),
        PipelineCommand::List { output } => list(context, output.format)?,
        PipelineCommand::Show { name, output } => show(context, name, output.format)?,
    }
    Ok(0)
}

fn list(context: &Context, output: TextOrJson) -> Result<(), Error> {
    let pipelines = &context.settings.pipelines;
    let out = &context.terminal.stdout;
    let steps = |steps: &[Step]| steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>();
    if output == TextOrJson::Json {
        let all = pipelines.iter().map(|(name, pipeline)| json!({ "pipeline": name, "steps": steps(&pipeline.steps) }));
        return print(report::json::document(&all.collect::<Vec<Value>>(), out));
    }
    if pipelines.is_empty() {
        context.notice("the config file has no [pipeline.NAME]");
    }
    let mut grid = Grid::new(vec![Column::left("pipeline").wraps(16), Column::left("steps").wraps(20)]);
    for (name, pipeline) in pipelines {
        grid.row(vec![name.clone(), steps(&pipeline.steps).join(", ")]);
    }
    print(grid.render(out))
}

fn show(context: &Context, name: &str, output: TextOrJson) -> Result<(), Error> {
    let steps = pipeline::load(&context.settings, name)?;
    let out = &context.terminal.stdout;
    if output == TextOrJson::Json {
        let steps: Vec<Value> = steps
            .iter()
            .map(|wired| {
                let Step { name, model, task, prompt, system, max_tokens, temperature, .. } = &wired.step;
                json!({
                    "step": name, "model": model, "task": task, "needs": needs(wired, &steps), "input": wired.input,
                    "prompt": prompt, "system": system, "max_tokens": max_tokens, "temperature": temperature,
                })
            })
            .collect();
        return print(report::json::document(&json!({ "pipeline": name, "steps": steps }), out));
    }
    let mut grid =
        Grid::new(vec![Column::left("step"), Column::left("model").wraps(16), Column::left("builds on").wraps(16)]);
    for wired in &steps {
        let step = &wired.step;
        let model = match (&step.model, &step.task) {
            (Some(model), _) => model.clone(),
            (None, Some(task)) => format!("task {task}"),
            (None, None) => "the default".to_owned(),
        };
        let input = wired.input.then(|| "input".to_owned());
        let on: Vec<String> = input.into_iter().chain(needs(wired, &steps)).collect();
        grid.row(vec![step.name.clone(), model, on.join(", ")]);
    }
    print(grid.render(out))
}

/// The names of the steps that a step builds on.
fn needs(wired: &Wired, steps: &[Wired]) -> Vec<String> {
    wired.needs.iter().map(|place| steps[*place].step.name.clone()).collect()
}
