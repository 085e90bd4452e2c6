//! Flags that several commands have.

use std::path::PathBuf;

use clap::builder::EnumValueParser;
use clap::{Args, ValueEnum};

/// Which gateway, paid with which key.
#[derive(Debug, Clone, Args)]
pub struct GatewayArgs {
    /// Gateway to ask where no name says another (`GATEWAY::MODEL`)
    #[arg(short, long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// Use the gateway's saved key of this name
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
}

/// The format of the output; `text` by default.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs<F: ValueEnum + Send + Sync + 'static> {
    /// Format of the output
    #[arg(
        id = "output",
        short = 'o',
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        value_parser = EnumValueParser::<F>::new()
    )]
    pub format: F,
}

/// Where the output goes.
#[derive(Debug, Clone, Args)]
pub struct OutArgs {
    /// Write there instead of stdout, atomically
    #[arg(id = "out", long, value_name = "FILE")]
    pub path: Option<PathBuf>,
}

/// What is taken of an answer.
#[derive(Debug, Clone, Default, Args)]
pub struct TakeArgs {
    /// Print only the last code block, or the last one in this language; exit 9 if there is none
    #[arg(short = 'x', long, value_name = "LANG", num_args = 0..=1, default_missing_value = "")]
    pub extract: Option<String>,
    /// Copy what is printed to the clipboard too
    #[arg(long)]
    pub copy: bool,
}

/// What is kept of what was sent and answered.
#[derive(Debug, Clone, Copy, Args)]
pub struct RecordArgs {
    /// What the ledger keeps of this run; everything by default
    #[arg(id = "log", long, value_name = "WHAT")]
    pub level: Option<LogLevel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Everything, prompt and answer included
    Full,
    /// Hashes, lengths and figures, but no text
    Metadata,
    /// Nothing
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Render {
    /// Rendered on a terminal, and as they are elsewhere
    Auto,
    /// Rendered everywhere
    Markdown,
    /// As they are
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    Text,
    Json,
}
