//! `llm pipeline`: prompts of the config that build on each other's answers.

mod run;

use super::Context;
use crate::cli::{PipelineCommand, TextOrJson};
use crate::error::Error;
use crate::pipeline::{self, Wired};
use crate::report::pipelines as report;
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
    if pipelines.is_empty() {
        context.notice("the config file has no [pipeline.NAME]");
    }
    let out = &context.terminal.stdout;
    print(match output {
        TextOrJson::Text => report::list(pipelines, out),
        TextOrJson::Json => report::list_json(pipelines, out),
    })
}

fn show(context: &Context, name: &str, output: TextOrJson) -> Result<(), Error> {
    let steps = pipeline::load(&context.settings, name)?;
    let steps: Vec<(&Wired, Vec<String>)> = steps.iter().map(|wired| (wired, needs(wired, &steps))).collect();
    let out = &context.terminal.stdout;
    print(match output {
        TextOrJson::Text => report::steps(&steps, out),
        TextOrJson::Json => report::steps_json(name, &steps, out),
    })
}

/// The names of the steps that a step builds on.
fn needs(wired: &Wired, steps: &[Wired]) -> Vec<String> {
    wired.needs.iter().map(|place| steps[*place].step.name.clone()).collect()
}
