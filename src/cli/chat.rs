//! `llm chat`.

use clap::Args;

use super::prompt::{ChosenTemplate, PICK, PromptArgs};

#[derive(Debug, Args)]
pub struct ChatArgs {
    #[command(flatten)]
    pub prompt: PromptArgs,
    /// Model, alias or `GATEWAY::MODEL`; on a terminal, -m alone lets you choose one
    #[arg(short, long, value_name = "NAME", num_args = 0..=1, default_missing_value = PICK, help_heading = "Where to", display_order = 0)]
    pub model: Option<String>,
    /// Task of the config, which leads to a model or alias
    #[arg(short, long, value_name = "NAME", conflicts_with = "model", help_heading = "Where to")]
    pub task: Option<String>,
    #[command(flatten)]
    pub template: ChosenTemplate,
    /// Continue the last conversation, or the one of the call with this id, with its model unless -m names another
    #[arg(short, long = "continue", value_name = "ID", num_args = 0..=1, default_missing_value = "", help_heading = "What to send")]
    pub continue_: Option<String>,
    /// List the conversations whose calls have this text, or the latest ones; -c ID continues one
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "", help_heading = "What to print")]
    pub list: Option<String>,
    /// Print the model's reasoning on stderr
    #[arg(long, help_heading = "What to print")]
    pub show_reasoning: bool,
}
