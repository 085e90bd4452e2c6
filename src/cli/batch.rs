//! `llm batch`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::prompt::PromptArgs;
use super::shared::{OutputArgs, TextOrJson};
use super::values::{at_least, part_of};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BatchArgs {
    #[command(subcommand)]
    pub command: Option<BatchCommand>,
    #[command(flatten)]
    pub run: BatchRunArgs,
}

#[derive(Debug, Subcommand)]
pub enum BatchCommand {
    /// List the batches of the ledger, the newest first
    List {
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
    /// Show how far a batch is, and its summary by model
    Status {
        #[command(flatten)]
        job: JobArgs,
        #[command(flatten)]
        output: OutputArgs<SummaryFormat>,
    },
    /// Ask the rows again that have failed, as the command of the batch says
    RetryFailed {
        #[command(flatten)]
        job: JobArgs,
        #[command(flatten)]
        output: OutputArgs<SummaryFormat>,
    },
    /// Stop a batch: it takes no further rows, and what is in flight is finished
    Cancel {
        #[command(flatten)]
        job: JobArgs,
    },
    /// Get the answers of a batch that was handed over with --via api, as far as they are ready
    Collect {
        #[command(flatten)]
        job: JobArgs,
        /// Wait until the gateway has ended it
        #[arg(long)]
        wait: bool,
        /// Give up batches of which the gateway does not say whether it has them. Their rows can be asked again, and may be paid twice
        #[arg(long, conflicts_with = "wait")]
        give_up: bool,
        #[command(flatten)]
        output: OutputArgs<SummaryFormat>,
    },
    /// Join the outputs of shards, in the order of rows, and show their summary
    Merge {
        /// Outputs of `llm batch --shard`
        #[arg(required = true, value_name = "OUTPUT")]
        outputs: Vec<PathBuf>,
        /// Write the joined lines there
        #[arg(long, value_name = "FILE", required = true)]
        out: PathBuf,
        #[command(flatten)]
        output: OutputArgs<SummaryFormat>,
    },
}

/// Which batch.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// The beginning or the end of the id of a batch; the last one if none is given
    pub id: Option<String>,
}

#[derive(Debug, Args)]
pub struct BatchRunArgs {
    /// The data set: JSONL, CSV, TSV or lines of text, also compressed with gzip; `-` is stdin
    #[arg(id = "data_set", value_name = "FILE", required = true)]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub prompt: PromptArgs,
    /// Models, comma-separated or repeated; each row is asked of all of them
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',', help_heading = "Where to", display_order = 0)]
    pub model: Vec<String>,
    /// Tasks of the config, each of which leads to a model or alias; comma-separated or repeated
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',', help_heading = "Where to")]
    pub task: Vec<String>,
    /// A list of models from the config
    #[arg(long, value_name = "NAME", help_heading = "Where to")]
    pub set: Option<String>,
    /// Run this pipeline of the config on each row, with the row's prompt as its input
    #[arg(long, value_name = "NAME", conflicts_with_all = ["model", "task", "set"], help_heading = "Where to")]
    pub pipeline: Option<String>,
    /// How many calls run at once; by default as many as the gateway bears
    #[arg(long, value_name = "N", help_heading = "Where to", value_parser = at_least(1u32))]
    pub concurrency: Option<u32>,
    /// `api` hands the batch to the gateway's own Batch API, which is slower and often half the price
    #[arg(long, value_name = "WAY", help_heading = "Where to")]
    pub via: Option<Via>,
    /// The prompt of each row: a template of the config, or a text such as 'Classify: {{ text }}' with fields of the row
    #[arg(short = 'T', long, value_name = "NAME|TEXT", conflicts_with = "prompt", help_heading = "What to send")]
    pub template: Option<String>,
    /// Value of a variable of the template, for all rows; repeatable
    #[arg(long, value_name = "NAME=VALUE", help_heading = "What to send")]
    pub var: Vec<String>,
    /// Attach the file that this field of the row names, or the files that it lists
    #[arg(long, value_name = "FIELD", help_heading = "What to send")]
    pub file_field: Option<String>,
    /// Form of the data set; its name or its first character says it by default
    #[arg(long, value_name = "FORM", help_heading = "Which rows")]
    pub input_format: Option<InputFormat>,
    /// Ask the first N rows only
    #[arg(long, value_name = "N", help_heading = "Which rows", value_parser = at_least(1u64))]
    pub limit: Option<u64>,
    /// Ask N rows drawn by chance; the same rows each time
    #[arg(long, value_name = "N", help_heading = "Which rows", value_parser = at_least(1u64))]
    pub sample: Option<u64>,
    /// Draw another sample
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        requires = "sample",
        help_heading = "Which rows"
    )]
    pub sample_seed: u64,
    /// Ask the I-th of N parts of the rows (`2/4`); `llm batch merge` joins their outputs
    #[arg(long, value_name = "I/N", help_heading = "Which rows", value_parser = part_of)]
    pub shard: Option<(u64, u64)>,
    /// What happens at a row that cannot be used or has failed; it is skipped by default
    #[arg(long, value_name = "WHAT", help_heading = "Which rows")]
    pub on_error: Option<OnError>,
    /// Go on with the output of an earlier run: rows that have a line there are not asked again
    #[arg(long, requires = "out", help_heading = "Which rows")]
    pub resume: bool,
    /// The same, and ask the rows again that have failed
    #[arg(long, requires = "out", help_heading = "Which rows")]
    pub retry_failed: bool,
    /// The field with the right answer; the summary says how many answers are right
    #[arg(long, value_name = "FIELD", help_heading = "What to print")]
    pub expect: Option<String>,
    /// Score each answer: exact, exact:TEXT, contains:TEXT, regex:PATTERN, schema:FILE or confidence; repeatable. Without TEXT,
    /// exact and contains compare with the field of --expect
    #[arg(long, value_name = "SPEC", help_heading = "What to print")]
    pub score: Vec<String>,
    /// Let this model score each answer; several make a panel; repeatable. Judges see the field of --expect
    #[arg(
        long,
        value_name = "MODEL",
        value_delimiter = ',',
        conflicts_with = "pipeline",
        help_heading = "What to print"
    )]
    pub judge: Vec<String>,
    /// What judges score by; `@FILE` reads a file
    #[arg(long, value_name = "TEXT", requires = "judge", help_heading = "What to print")]
    pub criteria: Option<String>,
    /// Let judges score answers of their own model as well
    #[arg(long, requires = "judge", help_heading = "What to print")]
    pub judge_own: bool,
    /// The field that names the row; two rows with the same name are an error of the second
    #[arg(long, value_name = "FIELD", help_heading = "What to print")]
    pub id_field: Option<String>,
    /// Order of the lines: of the rows (the default with --out), or as calls end (the default without)
    #[arg(long, value_name = "ORDER", help_heading = "What to print")]
    pub order: Option<Order>,
    #[command(flatten, next_help_heading = "What to print")]
    pub output: OutputArgs<SummaryFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// Call the models one by one, many at once
    Calls,
    /// Hand over all requests in a file, and collect the answers later
    Api,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// A JSON object on each line
    Jsonl,
    /// Comma-separated values below a line of names
    Csv,
    /// The same with tabs
    Tsv,
    /// A text on each line, in the field `line`
    Lines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// Note the error in the output, and go on
    Skip,
    /// Take no further rows
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// As the rows; a file is brought into this order at the end
    Input,
    /// As calls end
    Finished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    Text,
    Json,
    Markdown,
    Csv,
    Html,
}
