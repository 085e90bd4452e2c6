//! One file a command: arguments → calls → reporters.

mod ask;
mod compare;
mod drive;
mod dry_run;
pub mod key;
mod output;
mod process;
mod ready;
mod request;

use std::process::ExitCode;

use clap::FromArgMatches;

use crate::cli::{self, Cli, Command};
use crate::config::{Env, Settings};
use crate::error::Error;
use crate::report::term::{Terminal, TerminalEnv, say};
use crate::report::{self};

/// What every command works with.
#[derive(Debug)]
struct Context {
    settings: Settings,
    terminal: Terminal,
    quiet: bool,
}

impl Context {
    /// Tells the user something that is neither answer nor error.
    fn notice(&self, text: &str) {
        if !self.quiet {
            say(report::error::notice(text, &self.terminal.stderr));
        }
    }
}

/// The whole of the program: parses, runs, reports, and says how it ended.
pub fn main() -> ExitCode {
    process::protect();
    let cli = match cli::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help that nobody can read any more is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let env = Env::of_process();
    let terminal = Terminal::detect(cli.common.color, &terminal_env(&env));
    match run(cli, env, terminal) {
        Ok(code) => ExitCode::from(code),
        Err(Error::Signalled(signal)) => process::die_by(signal),
        Err(error) => {
            say(report::error::error(&error, &terminal.stderr));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: Cli, env: Env, terminal: Terminal) -> Result<u8, Error> {
    let context = || Ok::<_, Error>(Context { settings: Settings::load(env)?, terminal, quiet: cli.common.quiet });
    match cli.command {
        Command::Ask(args) => ask::run(&context()?, &args),
        Command::Compare(args) => compare::run(&context()?, &args),
        _ => Ok(0),
    }
}

fn terminal_env(env: &Env) -> TerminalEnv {
    TerminalEnv {
        no_color: env.get("NO_COLOR").is_some(),
        clicolor_force: env.get("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
        term_dumb: env.get("TERM") == Some("dumb"),
        ci: env.get("CI").is_some(),
        columns: env.get("COLUMNS").and_then(|columns| columns.parse().ok()),
    }
}
