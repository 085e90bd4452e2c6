//! Commands that set up: keys, config, cache, completions.

use clap::{Args, Subcommand, ValueEnum};

use super::shared::{OutputArgs, TextOrJson};

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
        /// Where to keep it; the keyring by default
        #[arg(long, value_name = "STORE", default_value = "keyring", hide_default_value = true)]
        store: KeyStore,
    },
    /// List saved keys and those in the environment
    List {
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
    /// Show where a gateway's key comes from, and its last four characters
    Show {
        /// The default gateway if none is named
        gateway: Option<String>,
        /// The key of this name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
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
        /// Gateway for names without `GATEWAY::`, with --route
        #[arg(short, long, value_name = "NAME", requires = "route")]
        gateway: Option<String>,
    },
    /// Print one setting in force
    Get {
        /// Its key, such as `model` or `gateway.corp.timeouts.total`
        key: String,
    },
    /// Set one setting in the config file, whose comments and order stay
    Set {
        /// Its key, such as `model` or `gateway.corp.base_url`
        key: String,
        /// A text, a number, `true`, `false`, or a TOML list or table; `-` reads it from stdin
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Remove one setting from the config file
    Unset {
        /// Its key
        key: String,
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
pub struct AliasArgs {
    #[command(subcommand)]
    pub command: AliasCommand,
}

#[derive(Debug, Subcommand)]
pub enum AliasCommand {
    /// List the aliases of the config
    List {
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
    /// Show an alias as the config has it
    Show {
        name: String,
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
    /// Make an alias in the config file, or change one
    Set {
        name: String,
        /// Its models, in order: models, other aliases or `GATEWAY::MODEL`
        #[arg(required = true, value_name = "MODEL", value_delimiter = ',')]
        models: Vec<String>,
        /// In which order they are tried; as written by default
        #[arg(long, value_name = "STRATEGY")]
        strategy: Option<AliasStrategy>,
    },
    /// Remove an alias from the config file
    Rm { name: String },
}

/// In which order an alias tries its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AliasStrategy {
    /// As written
    Ordered,
    /// The cheapest first
    Cheapest,
    /// The one whose answers begin soonest first
    Fastest,
    /// At random
    Balanced,
}

#[derive(Debug, Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    pub command: CacheCommand,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum CacheCommand {
    /// Show how many answers are stored, and their size
    Stats {
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
    /// Delete all stored answers
    Clear,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}
