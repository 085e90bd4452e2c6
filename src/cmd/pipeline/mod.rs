//! `llm pipeline`: runs, lists and shows the pipelines of the config.

mod run;

use super::Context;
use crate::cli::{PipelineCommand, TextOrJson};
use crate::error::Error;
use crate::pipeline::{self, ResolvedStep};
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
    })?;
    // One that cannot run is listed all the same.
    let broken = pipelines.keys().filter_map(|name| pipeline::load(&context.settings, name).err());
    broken.for_each(|error| context.urgent(&error.to_string()));
    Ok(())
}

fn show(context: &Context, name: &str, output: TextOrJson) -> Result<(), Error> {
    let steps = pipeline::load(&context.settings, name)?;
    let steps: Vec<(&ResolvedStep, Vec<String>)> = steps.iter().map(|step| (step, needs(step, &steps))).collect();
    let out = &context.terminal.stdout;
    print(match output {
        TextOrJson::Text => report::steps(&steps, out),
        TextOrJson::Json => report::steps_json(name, &steps, out),
    })
}

/// The names of the steps whose answers a step uses.
fn needs(step: &ResolvedStep, steps: &[ResolvedStep]) -> Vec<String> {
    step.needs.iter().map(|index| steps[*index].step.name.clone()).collect()
}
