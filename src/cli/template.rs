//! `llm template`.

use clap::{Args, Subcommand};

use super::shared::{OutputArgs, TextOrJson};

#[derive(Debug, Args)]
pub struct TemplateArgs {
    #[command(subcommand)]
    pub command: TemplateCommand,
}

#[derive(Debug, Subcommand)]
pub enum TemplateCommand {
    /// List the templates of the config, with their variables
    List {
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
    /// Show a template, its variables and where it leads
    Show {
        name: String,
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
}
