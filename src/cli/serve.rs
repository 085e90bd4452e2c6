//! `llm serve` and its keys.

use std::net::SocketAddr;

use clap::{Args, Subcommand};

use super::shared::{OutputArgs, RecordArgs, TextOrJson};
use super::values::at_least;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ServeArgs {
    #[command(subcommand)]
    pub command: Option<ServeCommand>,
    #[command(flatten)]
    pub run: ServeRunArgs,
}

#[derive(Debug, Args)]
pub struct ServeRunArgs {
    /// Gateway to ask where no name says another (`GATEWAY::MODEL`)
    #[arg(short, long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// Address to listen on
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:4100")]
    pub listen: SocketAddr,
    /// Name in the header `host` that clients may use, besides this machine's
    #[arg(long = "host", value_name = "NAME")]
    pub hosts: Vec<String>,
    /// Requests that run at once; others wait, fair by key
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least(1_usize))]
    pub max_in_flight: usize,
    /// Requests that wait at most; further ones get 503
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least(0_usize))]
    pub max_waiting: usize,
    /// Connections at once
    #[arg(long, value_name = "N", default_value_t = 20000, value_parser = at_least(1_usize))]
    pub max_connections: usize,
    /// Largest body of a request, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 32, value_parser = at_least(1_usize))]
    pub max_body: usize,
    /// How long a client may be silent where something is awaited from it
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub idle: String,
    /// How long running requests may go on after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub drain: String,
    #[command(flatten)]
    pub log: RecordArgs,
}

#[derive(Debug, Subcommand)]
pub enum ServeCommand {
    /// Make, change and revoke the keys of clients
    Key {
        #[command(subcommand)]
        command: ServeKeyCommand,
    },
}

#[derive(Debug, Subcommand)]
pub enum ServeKeyCommand {
    /// Make a key; it is shown once
    New {
        /// The name by which budgets and the ledger know it
        name: String,
        #[command(flatten)]
        rules: KeyRulesArgs,
    },
    /// List the keys
    List {
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
    /// Show what a key may do
    Show {
        /// The name of the key
        name: String,
        #[command(flatten)]
        output: OutputArgs<TextOrJson>,
    },
    /// Change what a key may do; `none` removes a limit
    Edit {
        /// The name of the key
        name: String,
        #[command(flatten)]
        rules: KeyRulesArgs,
    },
    /// Give a key a new secret, which is shown once
    Rotate {
        /// The name of the key
        name: String,
        /// How long the old secret is still good; `none` ends it now
        #[arg(long, value_name = "TIME", default_value = "1h")]
        grace: String,
    },
    /// End a key for good
    Revoke {
        /// The name of the key
        name: String,
    },
}

/// What a key may do.
#[derive(Debug, Args)]
pub struct KeyRulesArgs {
    /// Models and aliases that it may be used for; `*` is any text
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub models: Option<Vec<String>>,
    /// Those that it may not be used for
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub refuse: Option<Vec<String>>,
    /// Most that it may spend: `5/day`; hour, day, week, month, total
    #[arg(long, value_name = "USD/SPAN", value_delimiter = ',')]
    pub budget: Option<Vec<String>>,
    /// Send requests of unknown price although a budget applies
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub allow_unpriced: Option<bool>,
    /// Requests a minute
    #[arg(long, value_name = "N")]
    pub rpm: Option<String>,
    /// Tokens a minute: `200k`
    #[arg(long, value_name = "N")]
    pub tpm: Option<String>,
    /// Requests at once
    #[arg(long, value_name = "N")]
    pub in_flight: Option<String>,
    /// When it ends: `30d`, or a date or time (UTC)
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<String>,
    /// Tags of all of its calls
    #[arg(long = "tag", value_name = "NAME=VALUE", value_delimiter = ',')]
    pub tags: Option<Vec<String>>,
    /// Rules of `[key_class.NAME]` in the config, where it has none of its own
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// It may administer the server
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub admin: Option<bool>,
    /// What to remember of it
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}
