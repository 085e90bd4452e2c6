//! A file for each command. A command makes calls from its arguments, runs them, and shows what they gave.

mod alias;
mod arguments;
mod ask;
mod at_prompt;
mod attach;
mod batch;
mod bench;
mod cache;
mod calls;
mod change;
mod chat;
mod check;
mod clipboard;
mod compare;
mod complete;
mod config;
mod conversation;
mod demo_gateway;
mod doctor;
mod dry_run;
mod editor;
mod estimate;
mod explain;
mod generated;
mod judges;
mod key;
mod last;
mod live;
mod log;
mod models;
mod pipeline;
mod probe;
mod process;
mod request;
mod rerun;
mod run;
mod serve;
mod shared;
mod signals;
mod template;
mod usage;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ColorChoice, FromArgMatches};

use self::signals::Signals;
use crate::adapter::mask_keys;
use crate::catalog;
use crate::cli::{self, Cli, Command};
use crate::config::{Env, Gateway, Render, Settings, nearest};
use crate::error::Error;
use crate::gateway::Client;
use crate::private;
use crate::report::destination::Destination;
use crate::report::progress::Waiting;
use crate::report::term::{self, Output, Terminal, TerminalEnv, Text, print, say};
use crate::report::{self, escape};
use crate::resolve::Resolver;
use crate::run::{Notices, Preparation, ShownWait};
use crate::secret::{Found, Stores, Timeout, looks_like_key};

/// The settings and the terminal, which every command needs.
#[derive(Debug)]
struct Context {
    settings: Settings,
    terminal: Terminal,
    quiet: bool,
    verbose: bool,
}

impl Context {
    /// The preparation of gateways. Where stderr is a terminal, a user can unlock the keyring, so the wait for it is longer.
    fn preparation(&self) -> Preparation<'_> {
        let timeout = Timeout::new(self.terminal.stderr.tty, self.settings.keyring_timeout);
        let stores = Stores::system(&self.settings.dirs, timeout);
        Preparation { settings: &self.settings, stores, notices: self }
    }

    /// The terminal, if lines may be drawn on it again and again: not if the user wants no talk, and not with `--verbose`,
    /// whose traces would be overwritten.
    fn live_terminal(&self) -> Option<Terminal> {
        (self.terminal.live && !self.quiet && !self.verbose).then_some(self.terminal)
    }

    /// Waits for this, and shows what is waited for where lines can be drawn. A signal ends the wait, so that no line is left.
    ///
    /// # Errors
    /// The signal, or the system lacks what waiting takes.
    fn wait_for<T>(&self, text: &str, work: impl Future<Output = T>) -> Result<T, Error> {
        let runtime = process::runtime()?;
        let _shown = self.live_terminal().and_then(|terminal| Waiting::start(text, &terminal));
        runtime.block_on(async {
            let mut signals = Signals::new();
            let done = tokio::select! {
                biased;
                signal = signals.next() => Err(Error::Signalled(signal)),
                done = work => Ok(done),
            };
            signals.end_at_once();
            done
        })
    }

    /// Says where other users can change the config, which names programs that are run, and where keys are sent; or that nobody can
    /// tell whether there is one, whose limits do not hold then.
    fn tell_exposed_config(&self) {
        if self.settings.is_config_out_of_reach()
            && let Some(path) = &self.settings.config_path
        {
            self.urgent(&format!(
                "the config {} cannot be looked at, and is not used: permission denied",
                path.display()
            ));
        }
        let path = self.settings.config_path.as_deref().filter(|_| self.settings.config_found);
        if let Some((place, why)) = path.and_then(private::exposed) {
            let place = place.display();
            self.notice(&format!("{place} {why}, who could make the config run programs and send keys elsewhere"));
        }
    }

    /// Where the output of a command goes. The reader of a named pipe is waited for no longer than `limit`; `None` is without an end.
    ///
    /// # Errors
    /// It cannot be written, or is a file of `llm` itself.
    fn destination(&self, out: Option<&Path>, limit: Option<Duration>) -> Result<Destination, Error> {
        out.map_or(Ok(()), |path| self.check_output(path))?;
        Destination::within(limit, out, self.terminal.stdout)
    }

    /// # Errors
    /// The output would replace a file of `llm` itself.
    fn check_output(&self, path: &Path) -> Result<(), Error> {
        if !self.settings.is_own_file(path) {
            return Ok(());
        }
        let message = format!("{} is a file of llm itself, which no output may replace", path.display());
        Err(Error::usage_hint(message, "write to another file"))
    }

    /// Finds the models of names. `gateway` is the value of a flag, for model names without a gateway.
    fn resolver<'a>(&'a self, gateway: Option<&'a str>) -> Resolver<'a> {
        Resolver::new(&self.settings, gateway)
    }
}

/// The number of models that the gateway lists. Getting it shows that the gateway can be reached and accepts the key.
///
/// # Errors
/// The gateway cannot be reached, refuses the key, or answers something that is not a list.
fn count_models(context: &Context, gateway: &Gateway, key: Option<Found>) -> Result<usize, Error> {
    let client = Client::new(gateway.clone(), &context.settings.env)?;
    let client = context.preparation().with_key(client, Ok(key))?;
    let load = catalog::load(gateway, &client, None, true, SystemTime::now());
    let list = context.wait_for(&waiting_for_list(&gateway.name), load)??;
    Ok(list.models.len())
}

/// What is said while a gateway lists its models.
fn waiting_for_list(gateway: &str) -> String {
    format!("waiting for the models of {gateway}")
}

impl Notices for Context {
    fn notice(&self, text: &str) {
        if !self.quiet {
            self.urgent(text);
        }
    }

    fn urgent(&self, text: &str) {
        say(report::error::notice(text, &self.terminal.stderr));
    }

    fn detail(&self, text: &str) {
        if self.verbose {
            self.notice(text);
        }
    }

    fn waiting(&self, text: &str) -> ShownWait {
        let shown = self.live_terminal().and_then(|terminal| Waiting::start(text, &terminal));
        if shown.is_none() {
            self.urgent(text);
        }
        shown.map(|shown| Box::new(shown) as Box<_>)
    }
}

/// Runs the program: parses the arguments, runs the command, and returns its exit code. A run that was stopped by a signal
/// does not return: the process dies by that signal.
pub fn main() -> ExitCode {
    process::protect();
    let env = Env::of_process();
    let with_help = || cli::command(|about| term::fit(about, cli::MARGIN, cli::WIDEST));
    if let Some(shell) = env.get(complete::VARIABLE) {
        return match complete::run(shell, &env, with_help()) {
            Ok(code) => ExitCode::from(code),
            Err(error) => fail(&error, &Output::plain(80)),
        };
    }
    let parser = cli::parser();
    let arguments = arguments::completed(std::env::args_os().collect(), &parser);
    let cli = match parse(parser, &arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let end = help_or_usage(in_full(error, &arguments, with_help), &env);
            return end.unwrap_or_else(|error| fail(&error, &Output::plain(80)));
        }
    };
    let terminal = Terminal::detect(cli.common.color, &terminal_env(&env));
    match run(cli, env, terminal) {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(&error, &terminal.stderr),
    }
}

fn parse(command: clap::Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// The error of the parser with all that it says to people: the arguments are parsed once more by the command line with its
/// help, which is not made for the runs that need none.
fn in_full(error: clap::Error, arguments: &[OsString], with_help: impl Fn() -> clap::Command) -> clap::Error {
    if error.kind() == ErrorKind::DisplayVersion {
        return error;
    }
    let command = with_help();
    match parse(command.clone(), arguments) {
        Ok(_) => error,
        Err(error) => hinted(error, &command),
    }
}

fn fail(error: &Error, stderr: &Output) -> ExitCode {
    if let Error::Signalled(signal) = error {
        return process::die_by(*signal);
    }
    say(report::error::error(error, stderr));
    ExitCode::from(error.exit_code())
}

/// Adds the hints that clap does not give: the nearest command that is not hidden, and that a prompt of several words needs
/// quotes.
fn hinted(error: clap::Error, command: &clap::Command) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        _ => String::new(),
    };
    let usage = text(ContextKind::Usage);
    let word = text(ContextKind::InvalidArg);
    if error.kind() == ErrorKind::UnknownArgument && usage.contains("[PROMPT]") && !word.starts_with('-') {
        let hint = "a prompt of several words is quoted: \"first second\"".to_owned();
        let mut error = error;
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
        return error;
    }
    if error.kind() != ErrorKind::InvalidSubcommand || !usage.contains("llm [OPTIONS] <COMMAND>") {
        return error;
    }
    let mut hinted = clap::Error::new(error.kind()).with_cmd(command);
    for (kind, value) in error.context().filter(|(kind, _)| *kind != ContextKind::SuggestedSubcommand) {
        hinted.insert(kind, value.clone());
    }
    let word = text(ContextKind::InvalidSubcommand);
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name);
    if let Some(near) = nearest(&word, shown) {
        hinted.insert(ContextKind::SuggestedSubcommand, ContextValue::String(near.to_owned()));
    }
    if !looks_like_key(&word) {
        let hint = match word.as_str() {
            "version" => "`llm --version` prints the version".to_owned(),
            word => format!("`llm ask {word}` sends it as a prompt"),
        };
        hinted.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
    }
    hinted
}

/// Prints clap's text and returns its exit code. Help and version go to stdout, because they are what was asked for. A usage
/// error goes to stderr; keys in the arguments are masked in it.
///
/// # Errors
/// stdout cannot be written.
fn help_or_usage(mut error: clap::Error, env: &Env) -> Result<ExitCode, Error> {
    // Escape sequences in an argument are escaped, so that only clap's own colors reach the terminal.
    let safe = |text: &str| escape::line(&mask_keys(text)).into_owned();
    let context: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(safe(text)))),
            ContextValue::Strings(texts) => {
                Some((kind, ContextValue::Strings(texts.iter().map(|text| safe(text)).collect())))
            }
            ContextValue::StyledStrs(texts) => {
                let plain = texts.iter().map(|text| safe(&text.to_string()).into()).collect();
                Some((kind, ContextValue::StyledStrs(plain)))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in context {
        error.insert(kind, value);
    }
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    let terminal = Terminal::detect(ColorChoice::Auto, &terminal_env(env));
    let text = |output: Output| Text::of_ansi(&error.render().ansi().to_string(), output.style);
    if error.use_stderr() {
        say(text(terminal.stderr));
    } else {
        print(text(terminal.stdout))?;
    }
    Ok(code)
}

fn run(cli: Cli, env: Env, terminal: Terminal) -> Result<u8, Error> {
    process::check_clock(SystemTime::now())?;
    let cli::Common { quiet, verbose, render, .. } = cli.common;
    let context = |env| {
        let settings = Settings::load(env)?;
        let terminal = terminal.rendering(render.map_or(settings.render, render_of));
        let context = Context { settings, terminal, quiet, verbose };
        context.tell_exposed_config();
        Ok::<_, Error>(context)
    };
    match cli.command {
        Command::Ask(args) => ask::run_ask(&context(env)?, *args),
        Command::Chat(args) => chat::run_chat(&context(env)?, *args),
        Command::Compare(args) => compare::run_compare(&context(env)?, &args),
        Command::Batch(args) => batch::run(&context(env)?, *args),
        Command::Pipeline(args) => pipeline::run(&context(env)?, &args.command),
        Command::Rerun(args) => rerun::run_rerun(&context(env)?, &args),
        Command::Serve(args) => serve::run(context(env)?, &args),
        Command::Models(args) => models::run(&context(env)?, &args),
        Command::Usage(args) => usage::run(&context(env)?, &args),
        Command::Log(args) => log::run(&context(env)?, &args),
        Command::Last(args) => last::run(&context(env)?, &args),
        Command::Probe(args) => probe::run_probe(&context(env)?, &args),
        Command::Bench(args) => bench::run_bench(&context(env)?, &args),
        Command::Doctor(args) => doctor::run(context(env), &args, &terminal),
        Command::Key(args) => key::run(&context(env)?, &args),
        Command::Config(args) => config::run(&args.command, env, context),
        Command::Alias(args) => alias::run(&context(env)?, &args.command),
        Command::Template(args) => template::run(&context(env)?, &args.command),
        Command::Cache(args) => cache::run(&context(env)?, args.command),
        Command::Completions(args) => print(generated::completions(args.shell).into()).map(|()| 0),
        Command::Man => {
            let page = generated::man().map_err(|source| Error::Output { target: "the manual".into(), source })?;
            print(page.into()).map(|()| 0)
        }
        Command::DemoGateway => demo_gateway::run(),
    }
}

fn render_of(flag: cli::Render) -> Render {
    match flag {
        cli::Render::Auto => Render::Auto,
        cli::Render::Markdown => Render::Markdown,
        cli::Render::Plain => Render::Plain,
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
