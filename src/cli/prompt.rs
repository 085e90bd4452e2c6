//! Commands that send a prompt.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::shared::{GatewayArgs, OutArgs, OutputArgs, RecordArgs, TakeArgs};
use super::values::{at_least, decimal, finite, not_empty, signed, whole};

/// The value of `-m` where none is given. No argument of a process can be this.
pub const PICK: &str = "\0";

/// What to send, and where: shared by everything that sends a prompt.
#[derive(Debug, Args)]
pub struct PromptArgs {
    /// The prompt; `-` or nothing reads it from stdin, and stdin beside a prompt is appended to it (or put where
    /// `{input}` stands)
    pub prompt: Option<String>,
    /// Do not read stdin
    #[arg(short, long)]
    pub no_stdin: bool,
    #[command(flatten, next_help_heading = "Where to")]
    pub to: GatewayArgs,
    /// Next model or alias when the one before fails; repeatable, in order
    #[arg(long, value_name = "NAME", help_heading = "Where to")]
    pub fallback: Vec<String>,
    /// Time limit of a call with all its retries (`30s`, `2m`)
    #[arg(long, value_name = "DURATION", help_heading = "Where to")]
    pub timeout: Option<String>,
    /// Retries after a failure that may pass
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Where to", value_parser = at_least(0u32))]
    pub retries: Option<u32>,
    /// Use the answer cache: print the stored answer to the same request, or store the new one
    #[arg(long, overrides_with = "no_cache", help_heading = "Where to")]
    pub cache: bool,
    /// Do not use the answer cache, even if the config enables it
    #[arg(long, overrides_with = "cache", help_heading = "Where to")]
    pub no_cache: bool,
    /// Send nothing that could cost the whole command more than this, in US dollars; needs --max-tokens, which bounds
    /// the answer
    #[arg(long, value_name = "USD", help_heading = "Where to")]
    pub max_cost: Option<String>,
    /// Send requests of unknown price even where a budget or --max-cost applies
    #[arg(long, help_heading = "Where to")]
    pub allow_unpriced: bool,
    /// System prompt; `@FILE` reads a file
    #[arg(short, long, value_name = "TEXT", help_heading = "What to send")]
    pub system: Option<String>,
    /// Attach a text file, image, PDF or audio file, recognised by its content; `-` is stdin, a directory all of its text
    /// files that .gitignore does not name, a URL its text or image; repeatable
    #[arg(short, long, value_name = "PATH", help_heading = "What to send")]
    pub file: Vec<String>,
    /// Write the prompt in $VISUAL or $EDITOR
    #[arg(short, long, help_heading = "What to send")]
    pub edit: bool,
    /// Sampling temperature, from 0 to 2
    #[arg(long, value_name = "T", allow_negative_numbers = true, help_heading = "What to send", value_parser = decimal(0.0..=2.0))]
    pub temperature: Option<f64>,
    /// Nucleus sampling: the share of probability to choose from, from 0 to 1
    #[arg(long, value_name = "P", allow_negative_numbers = true, help_heading = "What to send", value_parser = decimal(0.0..=1.0))]
    pub top_p: Option<f64>,
    /// Most output tokens
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "What to send", value_parser = at_least(1u64))]
    pub max_tokens: Option<u64>,
    /// Stop at this text; repeatable
    #[arg(long, value_name = "TEXT", help_heading = "What to send", value_parser = not_empty)]
    pub stop: Vec<String>,
    /// Seed, for models that can repeat an answer
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "What to send", value_parser = signed)]
    pub seed: Option<i64>,
    /// Add the log probability of each token to -o json, with N alternatives to each
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "0", help_heading = "What to send", value_parser = at_least(0u8))]
    pub logprobs: Option<u8>,
    /// Reasoning effort: none, minimal, low, medium, high or another level that the model has
    #[arg(long, value_name = "LEVEL", help_heading = "What to send")]
    pub effort: Option<String>,
    /// Ask for the answer in one piece instead of a stream; the same as `-p stream=false`
    #[arg(long, help_heading = "What to send")]
    pub no_stream: bool,
    /// Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable
    #[arg(short, long, value_name = "KEY=JSON", help_heading = "What to send")]
    pub param: Vec<String>,
    /// JSON Schema that the answer must follow; exit 9 if it does not
    #[arg(long, value_name = "FILE", help_heading = "What to send")]
    pub schema: Option<PathBuf>,
    /// JSON array of functions that the model may call; -o json has its calls
    #[arg(long, value_name = "FILE", help_heading = "What to send")]
    pub tools: Option<PathBuf>,
    /// Tag of the record, by which costs can be grouped (`app=bot`); repeatable
    #[arg(long, value_name = "KEY=VALUE", help_heading = "What to print")]
    pub tag: Vec<String>,
    #[command(flatten, next_help_heading = "What to print")]
    pub log: RecordArgs,
    #[command(flatten, next_help_heading = "What to print")]
    pub out: OutArgs,
    /// Print the HTTP request that would be sent, with its estimated cost; send nothing
    #[arg(long, help_heading = "What to print")]
    pub dry_run: bool,
}

impl PromptArgs {
    /// Whether the flags turn the cache on or off; `None` where they say nothing of it.
    pub fn cached(&self) -> Option<bool> {
        if self.no_cache { Some(false) } else { self.cache.then_some(true) }
    }
}

/// A template of the config, and values for it.
#[derive(Debug, Clone, Default, Args)]
pub struct ChosenTemplate {
    /// Fill in this template of the config; the prompt and stdin are its input
    #[arg(short = 'T', long = "template", value_name = "NAME", help_heading = "What to send")]
    pub name: Option<String>,
    /// Value of a variable of the template; repeatable
    #[arg(long, value_name = "NAME=VALUE", requires = "name", help_heading = "What to send")]
    pub var: Vec<String>,
}

/// The model of a prompt or of a conversation, and what is continued.
#[derive(Debug, Args)]
pub struct OneModelArgs {
    #[command(flatten)]
    pub template: ChosenTemplate,
    /// Model, alias or `GATEWAY::MODEL`; on a terminal, -m alone lets you choose one
    #[arg(short, long, value_name = "NAME", num_args = 0..=1, default_missing_value = PICK, help_heading = "Where to", display_order = 0)]
    pub model: Option<String>,
    /// Task of the config, which leads to a model or alias
    #[arg(short, long, value_name = "NAME", conflicts_with = "model", help_heading = "Where to")]
    pub task: Option<String>,
    /// Continue the last conversation, or the one of the call with this id, with its model unless -m names another
    #[arg(short, long = "continue", value_name = "ID", num_args = 0..=1, default_missing_value = "", help_heading = "What to send")]
    pub continue_: Option<String>,
}

#[derive(Debug, Args)]
pub struct AskArgs {
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub one: OneModelArgs,
    /// Print a line of time, tokens and cost on stderr (the default on a terminal)
    #[arg(long, help_heading = "What to print")]
    pub stats: bool,
    /// Print the model's reasoning on stderr
    #[arg(long, help_heading = "What to print")]
    pub show_reasoning: bool,
    #[command(flatten, next_help_heading = "What to print")]
    pub take: TakeArgs,
    #[command(flatten, next_help_heading = "What to print")]
    pub output: OutputArgs<AskFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AskFormat {
    Text,
    Json,
    Jsonl,
    Markdown,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub template: ChosenTemplate,
    /// Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',', help_heading = "Where to", display_order = 0)]
    pub model: Vec<String>,
    /// Tasks of the config, each of which leads to a model or alias; comma-separated or repeated
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',', help_heading = "Where to")]
    pub task: Vec<String>,
    /// A list of models from the config
    #[arg(long, value_name = "NAME", help_heading = "Where to")]
    pub set: Option<String>,
    /// How many calls run at once; all by default
    #[arg(long, value_name = "N", help_heading = "Where to", value_parser = at_least(1u32))]
    pub concurrency: Option<u32>,
    /// Ask each model N times without the answer cache, and show median and spread
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true, help_heading = "Where to", value_parser = whole(1..=1000u32))]
    pub repeat: u32,
    /// Score the answers: exact:TEXT, contains:TEXT, regex:PATTERN, schema:FILE, agreement, confidence, shortest, fastest,
    /// cheapest or command:PROGRAM; `*N` after it is its weight beside others; repeatable
    #[arg(long, value_name = "SPEC[*WEIGHT]", help_heading = "Choosing")]
    pub score: Vec<String>,
    /// Let this model score the answers, without their names and in changing order; several make a panel; repeatable
    #[arg(long, value_name = "MODEL", value_delimiter = ',', help_heading = "Choosing")]
    pub judge: Vec<String>,
    /// What judges score by; `@FILE` reads a file
    #[arg(long, value_name = "TEXT", requires = "judge", help_heading = "Choosing")]
    pub criteria: Option<String>,
    /// Let judges score answers of their own model as well
    #[arg(long, requires = "judge", help_heading = "Choosing")]
    pub judge_own: bool,
    /// Show the reasons for the scores
    #[arg(long, help_heading = "Choosing")]
    pub reasons: bool,
    /// Print the text of the best answer alone
    #[arg(long, help_heading = "Choosing")]
    pub best: bool,
    /// Exit with 9 if the best score is below this, or not known
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true, help_heading = "Choosing", value_parser = finite)]
    pub fail_under: Option<f64>,
    /// Show the answers as A, B, C, ask which is best, then show their names; `usage --by wins` counts the votes
    #[arg(long, conflicts_with_all = ["best", "repeat", "diff"], help_heading = "Choosing")]
    pub vote: bool,
    /// Show how the answers differ from the first one, word by word on a terminal
    #[arg(long, help_heading = "What to print")]
    pub diff: bool,
    /// Show how they differ from the answer of this model
    #[arg(long, value_name = "NAME", requires = "diff", help_heading = "What to print")]
    pub against: Option<String>,
    /// Order of the answers; as asked by default
    #[arg(long, value_name = "BY", help_heading = "What to print")]
    pub sort: Option<SortBy>,
    /// Answers side by side or below each other; by width by default
    #[arg(long, value_name = "LAYOUT", help_heading = "What to print")]
    pub layout: Option<Layout>,
    #[command(flatten, next_help_heading = "What to print")]
    pub output: OutputArgs<CompareFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// Total time
    Latency,
    FirstToken,
    Cost,
    /// The best first
    Score,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    Columns,
    Stacked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    Text,
    Json,
    Jsonl,
    Markdown,
    Csv,
    Html,
}

#[derive(Debug, Args)]
pub struct RerunArgs {
    /// The beginning or the end of the id of a recorded call; the last one if none is given
    pub id: Option<String>,
    /// Models, comma-separated or repeated; the same as then if none is named
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',')]
    pub model: Vec<String>,
    #[command(flatten)]
    pub to: GatewayArgs,
    #[command(flatten)]
    pub log: RecordArgs,
    #[command(flatten)]
    pub out: OutArgs,
    #[command(flatten)]
    pub output: OutputArgs<CompareFormat>,
}
