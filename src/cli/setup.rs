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
