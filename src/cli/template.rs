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
    /// Make a template in the config file: with these texts, or in $VISUAL or $EDITOR
    New {
        name: String,
        /// The prompt; `{{ input }}` stands for the input
        #[arg(long, value_name = "TEXT")]
        prompt: Option<String>,
        /// The system prompt
        #[arg(short, long, value_name = "TEXT")]
        system: Option<String>,
        /// Model, alias or `GATEWAY::MODEL`
        #[arg(short, long, value_name = "NAME")]
        model: Option<String>,
        /// One line that says what it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Change a template in $VISUAL or $EDITOR
    Edit { name: String },
    /// Remove a template from the config file
    Rm { name: String },
}
