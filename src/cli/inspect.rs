//! Commands that inspect: models, recorded calls, costs, and whether the set-up works.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::shared::{GatewayArgs, OutArgs, OutputArgs, TakeArgs, TextOrJson};
use super::values::at_least;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ModelsArgs {
    #[command(subcommand)]
    pub command: Option<ModelsCommand>,
    #[command(flatten)]
    pub list: ModelsListArgs,
}

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List models, as without a subcommand
    List(ModelsListArgs),
    /// Show all about one model, and what it costs at every gateway that has it
    Show(ModelsShowArgs),
    /// Print the model that is asked where none is named, or set it in the config file
    Default {
        /// Model, alias, task or `GATEWAY::MODEL`
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct ModelsShowArgs {
    /// The model, in any gateway's spelling; `GATEWAY::MODEL` is of that gateway alone
    pub id: String,
    #[command(flatten)]
    pub to: GatewayArgs,
    /// Ask the gateways even if recent lists are cached
    #[arg(long)]
    pub refresh: bool,
    #[command(flatten)]
    pub output: OutputArgs<ListFormat>,
}

#[derive(Debug, Args)]
pub struct ModelsListArgs {
    /// Only models whose id or name contains this text; all of them where several are given
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    #[command(flatten)]
    pub to: GatewayArgs,
    /// Only models that can do all of these, by `llm probe` or else by the gateway's list: tools, vision, json, reasoning,
    /// audio; and what only a probe finds out, such as stop or seed
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
    #[command(flatten)]
    pub output: OutputArgs<ListFormat>,
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
    /// Only calls with this tag, of any value if none is given; repeatable
    #[arg(long, value_name = "KEY[=VALUE]", help_heading = "Which calls")]
    pub tag: Vec<String>,
    /// Only calls with this status
    #[arg(long, value_name = "STATUS", help_heading = "Which calls")]
    pub status: Option<CallStatus>,
    /// Only calls since this time: `7d`, `12h`, a date or a time (UTC)
    #[arg(long, value_name = "WHEN", help_heading = "Which calls")]
    pub since: Option<String>,
    /// Only calls before this time
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
    /// Show one call with all of its attempts
    Show {
        /// The beginning or the end of its id, or a run's; the last call if none is given
        id: Option<String>,
        /// Show the whole conversation that it belongs to
        #[arg(long)]
        conversation: bool,
        /// Print its answer alone, as `llm last` does
        #[arg(long, conflicts_with_all = ["conversation", "output"])]
        answer: bool,
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
    /// Write calls in the format of another program
    Export {
        #[command(flatten)]
        filter: CallFilter,
        /// Which format
        #[arg(long, value_name = "FORMAT", default_value = "otel", hide_default_value = true)]
        format: ExportFormat,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Delete calls for good
    #[command(group = ArgGroup::new("which").required(true).args(["before", "all"]))]
    Purge {
        /// Those before this time: `90d`, a date or a time (UTC)
        #[arg(long, value_name = "WHEN")]
        before: Option<String>,
        /// All of them
        #[arg(long)]
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
    /// The most calls to list; 0 lists all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, help_heading = "Which calls", value_parser = at_least(0usize))]
    pub limit: usize,
    #[command(flatten)]
    pub output: OutputArgs<LogFormat>,
    /// Show who changed which key of `llm serve`, instead of calls
    #[arg(long, conflicts_with_all = ["search", "model", "gateway"])]
    pub audit: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
    Jsonl,
    Csv,
}

#[derive(Debug, Args)]
pub struct LastArgs {
    /// A part of the id of a recorded call; the last one with an answer if none is given
    pub id: Option<String>,
    #[command(flatten)]
    pub take: TakeArgs,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct UsageArgs {
    #[command(flatten)]
    pub filter: CallFilter,
    /// What to group by, comma-separated or repeated: model, gateway, provider, key, task, day, status, tag:NAME; or wins: which
    /// models people and judges prefer
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_value = "model")]
    pub by: Vec<String>,
    /// Show instead what is left of each budget of the config
    #[arg(long, conflicts_with_all = ["by", "model", "gateway", "key", "task", "tag", "status", "since", "before"])]
    pub budgets: bool,
    /// Compare the ledger with what gateways say was spent; -g and --key choose
    #[arg(long, conflicts_with_all = ["budgets", "by", "model", "task", "tag", "status", "since", "before"])]
    pub check: bool,
    #[command(flatten)]
    pub output: OutputArgs<UsageFormat>,
    #[command(flatten)]
    pub out: OutArgs,
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
    #[command(flatten)]
    pub to: GatewayArgs,
    #[command(flatten)]
    pub output: OutputArgs<TextOrJson>,
}
