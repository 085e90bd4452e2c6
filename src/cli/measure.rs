//! Commands that measure models: what they can do, and how fast they are.

use clap::{Args, ValueEnum};

use super::prompt::PromptArgs;
use super::shared::{GatewayArgs, OutArgs, OutputArgs, RecordArgs};
use super::values::{at_least, positive};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    llm probe -g demo                                  every model that the demo gateway names\n  \
    llm probe -m gpt-5.4-mini --max-cost 0.05          what one model can do, for five cents at most\n  \
    llm probe -m corp::qwen --only tools,json_schema   two features alone\n  \
    llm probe -m corp::qwen --deep                     also how long a prompt it really accepts\n  \
    llm models --supports tools,stop                   the models that were found to have both")]
pub struct ProbeArgs {
    /// Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`; by default those that the
    /// gateway's settings name
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',', help_heading = "Where to", display_order = 0)]
    pub model: Vec<String>,
    #[command(flatten, next_help_heading = "Where to")]
    pub to: GatewayArgs,
    /// Only these features: stream, system, stop, seed, max_tokens, tools, parallel_tools, json_schema, image, pdf,
    /// logprobs, reasoning, usage, cost
    #[arg(long, value_name = "FEATURES", value_delimiter = ',', help_heading = "What to find out")]
    pub only: Vec<String>,
    /// Find out as well how long a prompt is really accepted, with long prompts of at most TOKENS, or of the length that
    /// the gateway lists
    #[arg(long, value_name = "TOKENS", num_args = 0..=1, require_equals = true, default_missing_value = "0", help_heading = "What to find out", value_parser = at_least(0u64))]
    pub deep: Option<u64>,
    #[command(flatten, next_help_heading = "Limits")]
    pub limits: MeasureLimits,
    /// How many requests run at once
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = "Limits", value_parser = at_least(1u32))]
    pub concurrency: u32,
    /// Show for each finding what was sent and what came back
    #[arg(long, help_heading = "What to print")]
    pub evidence: bool,
    #[command(flatten, next_help_heading = "What to print")]
    pub log: RecordArgs,
    #[command(flatten, next_help_heading = "What to print")]
    pub out: OutArgs,
    #[command(flatten, next_help_heading = "What to print")]
    pub output: OutputArgs<ProbeFormat>,
    /// Print the HTTP requests that would be sent, with their estimated costs; send nothing
    #[arg(long, help_heading = "What to print")]
    pub dry_run: bool,
}

/// What a measurement may take.
#[derive(Debug, Args)]
pub struct MeasureLimits {
    /// Refuse what is expected to cost more than this, in US dollars, and send no request with which it could cost more
    #[arg(long, value_name = "USD")]
    pub max_cost: Option<String>,
    /// Send requests of unknown price even where a budget or --max-cost applies
    #[arg(long)]
    pub allow_unpriced: bool,
    /// Time limit of a request with all its retries (`30s`, `2m`)
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Retries after a failure that may pass
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least(0u32))]
    pub retries: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProbeFormat {
    Text,
    Json,
    Csv,
    Markdown,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    llm bench -m gpt-5.4-mini,claude-haiku-4-5                      20 requests to each, one at a time\n  \
    llm bench -m openai::gpt-5.4-mini,openrouter::openai/gpt-5.4-mini --requests 100   what a gateway adds\n  \
    llm bench -m corp::qwen --requests 600 --rate 10                ten requests a second, for a minute\n  \
    llm bench -m corp::qwen --compare-with last                     before and after a change\n  \
    llm bench -g demo -o html --out bench.html                      a page with plots")]
pub struct BenchArgs {
    #[command(flatten)]
    pub prompt: PromptArgs,
    /// Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`; by default those that the
    /// gateway's settings name
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',', help_heading = "Where to", display_order = 0)]
    pub model: Vec<String>,
    /// How many requests each model gets
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "How to measure", value_parser = at_least(1u64))]
    pub requests: u64,
    /// How many requests to each model run at once; the next one is sent when one is over
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "rate", help_heading = "How to measure", value_parser = at_least(1u32))]
    pub concurrency: u32,
    /// How many requests a second each model gets, whether or not earlier ones are over; times then count from the
    /// moment when a request is due, so that waiting is counted
    #[arg(long, value_name = "PER_SECOND", help_heading = "How to measure", value_parser = positive)]
    pub rate: Option<f64>,
    /// How many requests each model gets before, which are not counted
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "How to measure", value_parser = at_least(0u64))]
    pub warmup: u64,
    /// Compare with an earlier run: the beginning or the end of its id, or `last`
    #[arg(long, value_name = "RUN", help_heading = "How to measure")]
    pub compare_with: Option<String>,
    #[command(flatten, next_help_heading = "What to print")]
    pub output: OutputArgs<BenchFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchFormat {
    Text,
    Json,
    Csv,
    Markdown,
    Html,
}
