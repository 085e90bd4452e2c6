//! The command line: clap types only, a file for each group of commands in `llm --help`.

mod batch;
mod chat;
mod inspect;
mod measure;
mod pipeline;
mod prompt;
mod serve;
mod setup;
mod shared;
mod template;
mod values;

use clap::{Args, ColorChoice, CommandFactory, Parser, Subcommand};

pub use batch::{BatchArgs, BatchCommand, BatchRunArgs, InputFormat, JobArgs, OnError, Order, SummaryFormat, Via};
pub use chat::ChatArgs;
pub use inspect::{
    CallFilter, CallStatus, DoctorArgs, ExportFormat, LastArgs, ListFormat, LogArgs, LogCommand, LogFormat,
    LogListArgs, ModelSort, ModelsArgs, ModelsCommand, ModelsListArgs, ModelsShowArgs, UsageArgs, UsageFormat,
};
pub use measure::{BenchArgs, BenchFormat, MeasureLimits, ProbeArgs, ProbeFormat};
pub use pipeline::{PipelineArgs, PipelineCommand, PipelineRunArgs};
pub use prompt::{
    AskArgs, AskFormat, ChosenTemplate, CompareArgs, CompareFormat, Layout, OneModelArgs, PICK, PromptArgs, RerunArgs,
    SortBy,
};
pub use serve::{KeyRulesArgs, ServeArgs, ServeCommand, ServeKeyCommand, ServeRunArgs};
pub use setup::{
    AliasArgs, AliasCommand, AliasStrategy, CacheArgs, CacheCommand, CompletionsArgs, ConfigArgs, ConfigCommand,
    KeyArgs, KeyCommand, KeyStore,
};
pub use shared::{GatewayArgs, LogLevel, OutArgs, OutputArgs, RecordArgs, Render, TakeArgs, TextOrJson};
pub use template::{TemplateArgs, TemplateCommand};

/// One gateway key, many models: ask and compare language models from the terminal.
#[derive(Debug, Parser)]
#[command(name = "llm", bin_name = "llm", version, max_term_width = WIDEST, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// Options of all commands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Common {
    /// Print only errors on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print on stderr where keys come from, and each request and response
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    pub color: ColorChoice,
    /// How answers in Markdown are shown; rendered on a terminal by default
    #[arg(long, global = true, value_name = "HOW")]
    pub render: Option<Render>,
}

// The order is that of `llm --help`, where `GROUPS` puts the headings.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask one model and stream its answer
    Ask(Box<AskArgs>),
    /// Talk with a model, turn by turn
    Chat(Box<ChatArgs>),
    /// Ask several models at once and show their answers side by side
    Compare(Box<CompareArgs>),
    /// Ask every row of a data set, and go on where an earlier run has stopped
    Batch(Box<BatchArgs>),
    /// Run prompts that build on each other's answers, as the config describes them
    Pipeline(PipelineArgs),
    /// Send a recorded prompt again, elsewhere, and show the answers beside the recorded one
    Rerun(Box<RerunArgs>),
    /// Be a gateway for other programs, with keys, budgets and limits for each
    Serve(Box<ServeArgs>),
    /// List what the gateway offers, with prices
    Models(Box<ModelsArgs>),
    /// Show calls, tokens and costs, and where money could be saved
    Usage(Box<UsageArgs>),
    /// Print the last answer again, or a code block of it
    Last(LastArgs),
    /// List recorded calls, show one with its attempts, export or delete them
    Log(Box<LogArgs>),
    /// Find out by small requests what models can really do here: tools, images, seeds and more
    Probe(Box<ProbeArgs>),
    /// Measure how fast models and gateways are, against each other and against earlier runs
    Bench(Box<BenchArgs>),
    /// Check config, key, gateway and terminal, and say how to solve what is wrong
    Doctor(DoctorArgs),
    /// Keep gateway keys in the keyring
    Key(KeyArgs),
    /// Show, change, check or create the config file
    Config(ConfigArgs),
    /// List, show, set and remove names for models
    Alias(AliasArgs),
    /// List, show, make and edit templates of prompts
    Template(TemplateArgs),
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
const GROUPS: [(&str, &[&str]); 4] = [
    ("Prompt", &["ask", "chat", "compare", "batch", "pipeline", "rerun"]),
    ("Serve", &["serve"]),
    ("Inspect", &["models", "usage", "last", "log", "probe", "bench", "doctor"]),
    ("Set up", &["key", "config", "alias", "template", "cache", "completions", "man"]),
];

/// Help is no wider than this, however wide the terminal.
pub const WIDEST: usize = 100;

/// How far in the list of commands says what each does.
pub const MARGIN: usize = 15;

/// The commands with more flags than a short help shows.
const PROMPTING: [&str; 3] = ["ask", "chat", "compare"];

/// What the long help of commands ends with. `probe` and `bench` have their examples beside their flags.
const EXAMPLES: [(&str, &str); 18] = [
    (
        "ask",
        "Examples:
  llm \"Why is the sky blue?\"
  git diff | llm -x \"A commit message, in a code block.\"
  llm ask -m openai/gpt-5.4-mini -f report.pdf \"Sum up.\"
  llm ask --template commit --var style=short < diff
  llm ask -c \"And at night?\"",
    ),
    (
        "chat",
        "In a chat, /help lists the commands, such as /model, /file and /retry. Ctrl-C stops an answer, Ctrl-D ends the chat.
Without a terminal, each line of stdin is a turn.

Examples:
  llm chat -m sonnet -s @role.txt
  llm chat -c                      goes on with the last conversation
  llm chat --list tokio            finds conversations by their text",
    ),
    (
        "compare",
        "Examples:
  llm compare -m openai/gpt-5.4-mini,deepseek/deepseek-chat \"Why is the sky blue?\"
  llm compare --set frontier --repeat 10 -o csv --out figures.csv \"Why?\"
  llm compare -m a,b --sort cost -f notes.txt \"Sum up.\"",
    ),
    (
        "batch",
        "Examples:
  llm batch rows.jsonl 'Classify: {{ text }}' -m openai/gpt-5.4-mini --out out.jsonl
  llm batch rows.csv -T classify -m a,b --expect label --out out.jsonl
  llm batch rows.jsonl -m a --out out.jsonl --resume",
    ),
    (
        "pipeline",
        "Examples:
  llm pipeline run summary < text.txt
  llm pipeline show summary",
    ),
    (
        "rerun",
        "Examples:
  llm rerun                        the last call again
  llm rerun 950d6b35 -m a,b        this call with other models, beside its old answer",
    ),
    (
        "serve",
        "Examples:
  llm serve key new app --models 'openai/*'
  llm serve",
    ),
    (
        "models",
        "Examples:
  llm models gpt --sort price
  llm models show openai/gpt-5.4-mini
  llm models default openai/gpt-5.4-mini",
    ),
    (
        "usage",
        "Examples:
  llm usage --since 7d
  llm usage --by day,model -o html --out usage.html
  llm usage --budgets",
    ),
    (
        "last",
        "Examples:
  llm last
  llm last -x rust --copy",
    ),
    (
        "log",
        "Examples:
  llm log --since 1d --status failed
  llm log --search \"borrow checker\"
  llm log show 950d6b35",
    ),
    (
        "doctor",
        "Examples:
  llm doctor
  llm doctor -g openrouter",
    ),
    (
        "key",
        "Examples:
  llm key set openrouter
  llm key set openrouter --store file < key.txt
  llm key test openrouter",
    ),
    (
        "config",
        "Examples:
  llm config set model openai/gpt-5.4-mini
  llm config show
  llm config edit",
    ),
    (
        "alias",
        "Examples:
  llm alias set fast openai/gpt-5.4-mini,deepseek/deepseek-chat
  llm alias list",
    ),
    (
        "template",
        "Examples:
  llm template new commit --prompt \"Write a commit message for: {{ input }}\"
  llm template show commit",
    ),
    (
        "cache",
        "Examples:
  llm cache stats
  llm cache clear",
    ),
    (
        "completions",
        "Examples:
  source <(llm completions bash)
  llm completions fish > ~/.config/fish/completions/llm.fish",
    ),
];

/// The flags that a short help of these commands shows, in their order in each group of flags; `--help` shows all.
const USUAL: [&str; 30] = [
    "model",
    "gateway",
    "task",
    "set",
    "repeat",
    "fallback",
    "timeout",
    "system",
    "file",
    "continue",
    "template",
    "var",
    "edit",
    "temperature",
    "max-tokens",
    "schema",
    "score",
    "judge",
    "best",
    "vote",
    "output",
    "out",
    "extract",
    "copy",
    "sort",
    "diff",
    "list",
    "stats",
    "dry-run",
    "no-stdin",
];

fn shortened(command: clap::Command) -> clap::Command {
    let mut later = USUAL.len();
    let command = command.mut_args(|arg| {
        let place = arg.get_long().and_then(|long| USUAL.iter().position(|usual| *usual == long));
        let is_usual = arg.is_positional() || place.is_some();
        let order = place.unwrap_or_else(|| {
            later += 1;
            later
        });
        if arg.is_positional() { arg } else { arg.display_order(order).hide_short_help(!is_usual) }
    });
    command.after_help("--help shows all flags, with examples.")
}

/// The command line as far as arguments are parsed by it, without what only its help says.
pub fn parser() -> clap::Command {
    Cli::command()
}

/// The whole command line, its commands grouped for `--help`. What is said of each begins behind [`MARGIN`] cells, and
/// `fit` breaks it into lines.
pub fn command(fit: impl Fn(&str) -> String) -> clap::Command {
    let command = PROMPTING.into_iter().fold(Cli::command(), |command, name| command.mut_subcommand(name, shortened));
    let command = EXAMPLES.into_iter().fold(command, |command, (name, examples)| {
        command.mut_subcommand(name, |shown| shown.after_long_help(examples))
    });
    let command = command.mut_subcommand("batch", for_batch);
    let mut help =
        String::from("{about-with-newline}\n{usage-heading} {usage}\n       llm [OPTIONS OF ASK] <PROMPT>\n");
    for (heading, names) in GROUPS {
        help.push_str(&format!("\n{heading}:\n"));
        for name in names {
            let about = command.find_subcommand(name).and_then(|command| command.get_about());
            let about = about.map(ToString::to_string).unwrap_or_default();
            help.push_str(&format!("  {name:<12} {}\n", fit(&about)));
        }
    }
    help.push_str("\n{all-args}\n\n`llm COMMAND --help` says more about a command.\n");
    let template = help.replace("{all-args}", "Options:\n{options}");
    command.help_template(template)
}

/// What the shared flags of a prompt mean for a batch.
fn for_batch(command: clap::Command) -> clap::Command {
    command
        .mut_arg("prompt", |prompt| {
            prompt.value_name("TEMPLATE").help(
                "The prompt of each row, a template with its fields: 'Classify: {{ text }}'; without one, the field `prompt` \
                 or the line",
            )
        })
        .mut_arg("no_stdin", |no_stdin| no_stdin.hide(true))
        .mut_arg("out", |out| {
            out.help("Write a line for each row and model there, as soon as its call has ended; the summary goes to stdout")
        })
        .mut_arg("dry_run", |dry_run| {
            dry_run.help("Print the first request that would be sent, and what all of them may cost and take; send nothing")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command(str::to_owned).debug_assert();
    }

    #[test]
    fn the_short_help_shows_the_usual_flags_and_the_long_one_all_with_examples() {
        let mut command = command(str::to_owned);
        let ask = command.find_subcommand_mut("ask").expect("ask");
        let (short, long) = (ask.render_help().to_string(), ask.render_long_help().to_string());
        assert!(short.contains("--model") && short.contains("--help shows all flags") && !short.contains("--top-p"));
        assert!(long.contains("--top-p") && long.contains("Examples:") && !long.contains("--help shows all"));
        assert!(short.lines().count() < 60, "{short}");
    }

    #[test]
    fn every_command_has_examples_that_can_be_parsed() {
        let mut shown = command(str::to_owned);
        for (_, names) in GROUPS {
            for name in names.iter().filter(|name| **name != "man") {
                let help = shown.find_subcommand_mut(name).expect("a command").render_long_help().to_string();
                assert!(help.contains("Examples:"), "{name}");
                let lines = help.lines().skip_while(|line| !line.contains("Examples:"));
                for line in lines.filter_map(|line| line.strip_prefix("  llm ")) {
                    // What stands behind a wide gap explains the example.
                    let example = line.split("   ").next().unwrap_or_default();
                    let words = shlex::split(example.split(['<', '>']).next().unwrap_or_default()).expect("words");
                    if words.first().is_some_and(|word| word == name) {
                        let parsed =
                            command(str::to_owned).try_get_matches_from(std::iter::once("llm".to_owned()).chain(words));
                        assert!(parsed.is_ok(), "{line}: {}", parsed.expect_err("refused"));
                    }
                }
            }
        }
    }

    #[test]
    fn every_command_is_in_one_group_of_the_help() {
        let command = command(str::to_owned);
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut all: Vec<&str> =
            command.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name).collect();
        grouped.sort_unstable();
        all.sort_unstable();
        assert_eq!(grouped, all);
    }
}
