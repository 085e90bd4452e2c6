//! `llm pipeline`.

use clap::{Args, Subcommand};

use super::prompt::{AskFormat, PromptArgs};
use super::shared::{OutputArgs, TextOrJson};

#[derive(Debug, Args)]
pub struct PipelineArgs {
    #[command(subcommand)]
    pub command: PipelineCommand,
}

#[derive(Debug, Subcommand)]
pub enum PipelineCommand {
    /// Run the steps and print the answer of the last one; steps that do not use one another run at once
    Run(Box<PipelineRunArgs>),
    /// List the pipelines of the config
    List {
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
    /// Show the steps of a pipeline, their models, and which steps each of them uses
    Show {
        name: String,
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "What the flags say of the request holds for every step and wins over the config; --schema and \
                        --tools are for the last step alone."
)]
pub struct PipelineRunArgs {
    /// The pipeline; `llm pipeline list` has them all
    pub name: String,
    #[command(flatten)]
    pub prompt: PromptArgs,
    /// Print the answer of this step instead of the last one's
    #[arg(long, value_name = "NAME", help_heading = "What to print")]
    pub step: Option<String>,
    /// Print a table of steps, times and costs on stderr (the default on a terminal)
    #[arg(long, help_heading = "What to print")]
    pub stats: bool,
    #[command(flatten, next_help_heading = "What to print")]
    pub output: OutputArgs<AskFormat>,
}
