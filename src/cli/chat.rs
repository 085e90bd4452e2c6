//! `llm chat`.

use clap::Args;

use super::prompt::{OneModelArgs, PromptArgs};

#[derive(Debug, Args)]
pub struct ChatArgs {
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub one: OneModelArgs,
    /// List the conversations whose calls have this text, or the latest ones; -c ID continues one
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "", help_heading = "What to print")]
    pub list: Option<String>,
    /// Print the model's reasoning on stderr
    #[arg(long, help_heading = "What to print")]
    pub show_reasoning: bool,
}
