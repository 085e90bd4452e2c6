//! The command line: clap types only.

use std::path::PathBuf;

use clap::{Args, ColorChoice, CommandFactory, Parser, Subcommand, ValueEnum};

/// One gateway key, many models: ask and compare language models from the terminal.
#[derive(Debug, Parser)]
#[command(name = "llm", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// How to talk.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Common {
    /// Say nothing but errors on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say on stderr where keys come from, and each request and response
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    pub color: ColorChoice,
}

// The order is that of `llm --help`, where `GROUPS` puts the headings.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask one model and stream its answer
    Ask(Box<AskArgs>),
    /// Ask several models at once and show their answers side by side
    Compare(Box<CompareArgs>),
    /// Run prompts that build on each other's answers, as the config describes them
    Pipeline(PipelineArgs),
    /// Send a recorded prompt again, elsewhere, and show the answers beside the recorded one
    Rerun(Box<RerunArgs>),
    /// List what the gateway offers, with prices
    Models(ModelsArgs),
    /// Show what was used and what it cost, and where money leaks
    Usage(Box<UsageArgs>),
    /// List recorded calls, show the life of one, export or purge them
    Log(Box<LogArgs>),
    /// Check config, key, gateway and terminal, and say what to do
    Doctor(DoctorArgs),
    /// Keep gateway keys in the keyring
    Key(KeyArgs),
    /// Show, check or create the config file
    Config(ConfigArgs),
    /// Show how much is in the answer cache, or empty it
    Cache(CacheArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
    /// Run the demo gateway until stdin ends; prints its base URL
    #[command(hide = true)]
    DemoGateway,
}

/// Headings of `llm --help` and the commands below each.
const GROUPS: [(&str, &[&str]); 3] = [
    ("Prompt", &["ask", "compare", "pipeline", "rerun"]),
    ("Look", &["models", "usage", "log", "doctor"]),
    ("Set up", &["key", "config", "cache", "completions", "man"]),
];

/// The whole command line, its commands grouped for `--help`.
pub fn command() -> clap::Command {
    let command = Cli::command();
    let mut help = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (heading, names) in GROUPS {
        help.push_str(&format!("\n{heading}:\n"));
        for name in names {
            let about = command.find_subcommand(name).and_then(|command| command.get_about());
            help.push_str(&format!("  {name:<12} {}\n", about.map(ToString::to_string).unwrap_or_default()));
        }
    }
    help.push_str("\n{all-args}\n\n`llm COMMAND --help` says more about a command.\n");
    let template = help.replace("{all-args}", "Options:\n{options}");
    command.help_template(template)
}

/// What to send, and where: shared by everything that sends a prompt.
#[derive(Debug, Args)]
pub struct PromptArgs {
    /// The prompt; `-` or nothing reads it from stdin, and stdin beside a prompt is appended to it (or put where
    /// `{input}` stands)
    pub prompt: Option<String>,
    /// Leave stdin alone
    #[arg(short, long)]
    pub no_stdin: bool,
    /// Gateway for names without `GATEWAY::`
    #[arg(short, long, value_name = "NAME", help_heading = "Where to")]
    pub gateway: Option<String>,
    /// Use this one of the gateway's named keys
    #[arg(long, value_name = "NAME", help_heading = "Where to")]
    pub key: Option<String>,
    /// Next model or alias when the one before fails; repeatable, in order
    #[arg(long, value_name = "NAME", help_heading = "Where to")]
    pub fallback: Vec<String>,
    /// Total time for a call, all tries included (`30s`, `2m`)
    #[arg(long, value_name = "DURATION", help_heading = "Where to")]
    pub timeout: Option<String>,
    /// Further tries after a failure that may pass
    #[arg(long, value_name = "N", help_heading = "Where to")]
    pub retries: Option<u32>,
    /// Give the same answer again that was given to exactly this request before, and keep this one
    #[arg(long, overrides_with = "no_cache", help_heading = "Where to")]
    pub cache: bool,
    /// Ask anew, even if the config says [cache] enabled
    #[arg(long, overrides_with = "cache", help_heading = "Where to")]
    pub no_cache: bool,
    /// Send nothing that could cost the whole command more than this, in US dollars
    #[arg(long, value_name = "USD", help_heading = "Where to")]
    pub max_cost: Option<String>,
    /// Send even what nobody knows the price of, though a budget or --max-cost applies
    #[arg(long, help_heading = "Where to")]
    pub allow_unpriced: bool,
    /// System prompt; `@FILE` reads a file
    #[arg(short, long, value_name = "TEXT", help_heading = "What to send")]
    pub system: Option<String>,
    /// Attach a text file, image, PDF or recording, told apart by content; for images also a URL; repeatable
    #[arg(short, long, value_name = "PATH", help_heading = "What to send")]
    pub file: Vec<String>,
    /// Sampling temperature
    #[arg(long, value_name = "T", allow_negative_numbers = true, help_heading = "What to send")]
    pub temperature: Option<f64>,
    /// Nucleus sampling: the share of probability to choose from
    #[arg(long, value_name = "P", allow_negative_numbers = true, help_heading = "What to send")]
    pub top_p: Option<f64>,
    /// Upper bound of output tokens
    #[arg(long, value_name = "N", help_heading = "What to send")]
    pub max_tokens: Option<u64>,
    /// Stop at this text; repeatable
    #[arg(long, value_name = "TEXT", help_heading = "What to send")]
    pub stop: Vec<String>,
    /// Seed for models that can repeat themselves
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "What to send")]
    pub seed: Option<i64>,
    /// How much to think: none, minimal, low, medium, high or what else the model knows
    #[arg(long, value_name = "LEVEL", help_heading = "What to send")]
    pub effort: Option<String>,
    /// Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable
    #[arg(short, long, value_name = "KEY=JSON", help_heading = "What to send")]
    pub param: Vec<String>,
    /// JSON Schema that the answer must follow; exit 9 if it does not
    #[arg(long, value_name = "FILE", help_heading = "What to send")]
    pub schema: Option<PathBuf>,
    /// JSON array of functions that the model may call; -o json has its calls
    #[arg(long, value_name = "FILE", help_heading = "What to send")]
    pub tools: Option<PathBuf>,
    /// Attribute the cost (`app=bot`); kept in the record; repeatable
    #[arg(long, value_name = "KEY=VALUE", help_heading = "What to print")]
    pub tag: Vec<String>,
    /// What the ledger keeps of this run; everything by default
    #[arg(long, value_name = "WHAT", help_heading = "What to print")]
    pub log: Option<LogLevel>,
    /// Write there instead of stdout, atomically
    #[arg(long, value_name = "FILE", help_heading = "What to print")]
    pub out: Option<PathBuf>,
    /// Print the HTTP request that would be sent, with its estimated cost; send nothing
    #[arg(long, help_heading = "What to print")]
    pub dry_run: bool,
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

impl PromptArgs {
    /// What the flags say of the cache, if anything.
    pub fn cached(&self) -> Option<bool> {
        if self.no_cache { Some(false) } else { self.cache.then_some(true) }
    }
}

#[derive(Debug, Args)]
pub struct AskArgs {
    #[command(flatten)]
    pub prompt: PromptArgs,
    /// Model, alias or `GATEWAY::MODEL`
    #[arg(short, long, value_name = "NAME", help_heading = "Where to")]
    pub model: Option<String>,
    /// Kind of work, which the config routes to a model or alias
    #[arg(short, long, value_name = "NAME", conflicts_with = "model", help_heading = "Where to")]
    pub task: Option<String>,
    /// Continue the last conversation, or the one of the call with this id, with its model unless -m names another
    #[arg(short, long = "continue", value_name = "ID", num_args = 0..=1, default_missing_value = "", help_heading = "What to send")]
    pub continue_: Option<String>,
    /// Print a line of time, tokens and cost on stderr (the default on a terminal)
    #[arg(long, help_heading = "What to print")]
    pub stats: bool,
    /// Print what the model thinks on stderr
    #[arg(long, help_heading = "What to print")]
    pub show_reasoning: bool,
    /// Form of the output
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        help_heading = "What to print"
    )]
    pub output: AskFormat,
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
    /// Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',', help_heading = "Where to")]
    pub model: Vec<String>,
    /// Kinds of work, which the config routes to a model or alias each; comma-separated or repeated
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',', help_heading = "Where to")]
    pub task: Vec<String>,
    /// A list of models from the config
    #[arg(long, value_name = "NAME", help_heading = "Where to")]
    pub set: Option<String>,
    /// How many calls run at once; all by default
    #[arg(long, value_name = "N", help_heading = "Where to", value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: Option<u32>,
    /// Ask each model N times and show median and spread
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true, help_heading = "Where to", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Order of the answers; as asked by default
    #[arg(long, value_name = "BY", help_heading = "What to print")]
    pub sort: Option<SortBy>,
    /// Answers side by side or below each other; by width by default
    #[arg(long, value_name = "LAYOUT", help_heading = "What to print")]
    pub layout: Option<Layout>,
    /// Form of the output
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        help_heading = "What to print"
    )]
    pub output: CompareFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// Total time
    Latency,
    FirstToken,
    Cost,
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
pub struct PipelineArgs {
    #[command(subcommand)]
    pub command: PipelineCommand,
}

#[derive(Debug, Subcommand)]
pub enum PipelineCommand {
    /// Run the steps in order, those that do not build on each other at once, and print the last one's answer
    Run(Box<PipelineRunArgs>),
    /// List the pipelines of the config
    List {
        /// Form of the output
        #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
        output: TextOrJson,
    },
    /// Show the steps of a pipeline, their models, and what each builds on
    Show {
        name: String,
        /// Form of the output
        #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
        output: TextOrJson,
    },
}

/// Flags that say what to send hold for every step and win over the config; --schema and --tools are for the last step.
#[derive(Debug, Args)]
pub struct PipelineRunArgs {
    /// The pipeline; `llm pipeline list` has them all
    pub name: String,
    #[command(flatten)]
    pub prompt: PromptArgs,
    /// Print the answer of this step, not the last one's
    #[arg(long, value_name = "NAME", help_heading = "What to print")]
    pub step: Option<String>,
    /// Print the table of steps, times and costs on stderr (the default on a terminal)
    #[arg(long, help_heading = "What to print")]
    pub stats: bool,
    /// Form of the output
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        help_heading = "What to print"
    )]
    pub output: AskFormat,
}

#[derive(Debug, Args)]
pub struct RerunArgs {
    /// The beginning or the end of the id of a recorded call; the last one if none is given
    pub id: Option<String>,
    /// Models, comma-separated or repeated; the same as then if none is named
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',')]
    pub model: Vec<String>,
    /// Gateway for names without `GATEWAY::`
    #[arg(short, long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// Use this one of the gateway's named keys
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
    /// What the ledger keeps of this run; everything by default
    #[arg(long, value_name = "WHAT")]
    pub log: Option<LogLevel>,
    /// Write there instead of stdout, atomically
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Form of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    pub output: CompareFormat,
}

#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// Only models whose id or name holds this text; `show ID` says all about one
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    /// Gateway to ask
    #[arg(short, long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// Use this one of the gateway's named keys
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
    /// Only models that can do all of these: tools, vision, json, reasoning, audio
    #[arg(long, value_name = "FEATURES", value_delimiter = ',')]
    pub supports: Vec<String>,
    /// Only models whose input and output both cost at most this many USD per million tokens
    #[arg(long, value_name = "USD")]
    pub max_price: Option<String>,
    /// Only models with a context window of at least this many tokens (`128k`)
    #[arg(long, value_name = "TOKENS")]
    pub min_context: Option<String>,
    /// Order of the list
    #[arg(long, value_name = "BY", default_value = "name", hide_default_value = true)]
    pub sort: ModelSort,
    /// Ask the gateway even if a recent list is cached
    #[arg(long)]
    pub refresh: bool,
    /// Form of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    pub output: ListFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelSort {
    Price,
    Context,
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    Text,
    Json,
    Csv,
}

/// Which recorded calls.
#[derive(Debug, Args)]
pub struct CallFilter {
    /// Only models whose name holds this text
    #[arg(short, long, value_name = "TEXT", help_heading = "Which calls")]
    pub model: Option<String>,
    /// Only calls to this gateway
    #[arg(short, long, value_name = "NAME", help_heading = "Which calls")]
    pub gateway: Option<String>,
    /// Only calls paid with this key
    #[arg(long, value_name = "NAME", help_heading = "Which calls")]
    pub key: Option<String>,
    /// Only calls of this task
    #[arg(short, long, value_name = "NAME", help_heading = "Which calls")]
    pub task: Option<String>,
    /// Only calls with this tag; with no value, whatever it is; repeatable
    #[arg(long, value_name = "KEY[=VALUE]", help_heading = "Which calls")]
    pub tag: Vec<String>,
    /// Only calls that ended so
    #[arg(long, value_name = "STATUS", help_heading = "Which calls")]
    pub status: Option<CallStatus>,
    /// Only calls since then: `7d`, `12h`, a date or a time (UTC)
    #[arg(long, value_name = "WHEN", help_heading = "Which calls")]
    pub since: Option<String>,
    /// Only calls before then
    #[arg(long, value_name = "WHEN", help_heading = "Which calls")]
    pub before: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CallStatus {
    Ok,
    Truncated,
    Failed,
    Interrupted,
    Refused,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LogArgs {
    #[command(subcommand)]
    pub command: Option<LogCommand>,
    #[command(flatten)]
    pub list: LogListArgs,
}

#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// List calls, newest first
    List(LogListArgs),
    /// Show the life of one call
    Show {
        /// The beginning or the end of its id, or a run's; the last call if none is given
        id: Option<String>,
        /// Show the whole conversation that it belongs to
        #[arg(long)]
        conversation: bool,
        /// Form of the output
        #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
        output: TextOrJson,
    },
    /// Write calls in the format of another program
    Export {
        #[command(flatten)]
        filter: CallFilter,
        /// Which format
        #[arg(long, value_name = "FORMAT", default_value = "otel", hide_default_value = true)]
        format: ExportFormat,
        /// Write there instead of stdout, atomically
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Delete calls for good
    Purge {
        /// Those before then: `90d`, a date or a time (UTC)
        #[arg(long, value_name = "WHEN", required_unless_present = "all")]
        before: Option<String>,
        /// All of them
        #[arg(long, conflicts_with = "before")]
        all: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// OpenTelemetry traces as OTLP JSON, by the GenAI conventions
    Otel,
}

#[derive(Debug, Args)]
pub struct LogListArgs {
    #[command(flatten)]
    pub filter: CallFilter,
    /// Only calls with all of these words in prompt or answer
    #[arg(long, value_name = "WORDS", help_heading = "Which calls")]
    pub search: Option<String>,
    /// At most so many; 0 is all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, help_heading = "Which calls")]
    pub limit: usize,
    /// Form of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    pub output: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
    Jsonl,
    Csv,
}

#[derive(Debug, Args)]
pub struct UsageArgs {
    #[command(flatten)]
    pub filter: CallFilter,
    /// What to group by, comma-separated or repeated: model, gateway, provider, key, task, day, status, tag:NAME
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_value = "model")]
    pub by: Vec<String>,
    /// Form of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    pub output: UsageFormat,
    /// Write there instead of stdout, atomically
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UsageFormat {
    Text,
    Json,
    Csv,
    Markdown,
    Html,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Gateway to check
    #[arg(short, long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// Form of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    pub output: TextOrJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    pub command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Save a gateway's key: asked for without echo, or read from stdin
    Set {
        /// The gateway whose key it is
        gateway: String,
        /// Keep it under this name, beside others of the same gateway
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Where to keep it
        #[arg(long, value_name = "STORE", default_value = "keyring", hide_default_value = true)]
        store: KeyStore,
    },
    /// List saved keys and those in the environment
    List {
        /// Form of the output
        #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
        output: TextOrJson,
    },
    /// Say where a gateway's key comes from, and its last four characters
    Show {
        /// The default gateway if none is named
        gateway: Option<String>,
        /// The key of this name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Form of the output
        #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
        output: TextOrJson,
    },
    /// Ask the gateway whether it takes the key
    Test {
        /// The default gateway if none is named
        gateway: Option<String>,
        /// The key of this name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Remove a saved key
    Rm {
        /// The gateway whose key it is
        gateway: String,
        /// The key of this name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyStore {
    /// The operating system's keyring
    Keyring,
    /// A file that only you can read, in plain text
    File,
}

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print where the config file is
    Path,
    /// Print the settings in force and where each comes from
    Show {
        /// Explain where this task, alias or model leads, and why in that order
        #[arg(long, value_name = "NAME")]
        route: Option<String>,
    },
    /// Open the config file in $VISUAL or $EDITOR, then check it
    Edit,
    /// Check the config file
    Check,
    /// Create a commented config file
    Init {
        /// Replace one that exists
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    pub command: CacheCommand,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum CacheCommand {
    /// Say how many answers there are, and how much room they take
    Stats {
        /// Form of the output
        #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
        output: TextOrJson,
    },
    /// Forget all answers
    Clear,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_in_one_group_of_the_help() {
        let command = command();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut all: Vec<&str> =
            command.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name).collect();
        grouped.sort_unstable();
        all.sort_unstable();
        assert_eq!(grouped, all);
    }
}
