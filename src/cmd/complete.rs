//! Completions that know: what a shell's Tab key offers is read from the config, the cached lists of models and the ledger,
//! never from the network. The script of `llm completions` runs this program with [`VARIABLE`] set.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate, complete};
use clap_complete::env::{EnvCompleter, Shells};

use super::{arguments, models};
use crate::config::{Env, Settings};
use crate::error::Error;
use crate::ledger::{self, Filter, Store};
use crate::report::escape::is_unsafe;
use crate::report::log;
use crate::report::term::{Text, print};
use crate::secret::KeyFile;

mod quote;

/// The environment variable that holds the name of the shell that asks for completions.
pub(super) const VARIABLE: &str = "LLM_COMPLETE";

/// The script for Bash. The one of clap lets Bash run what a value holds, such as `$(…)`.
const BASH: &str = include_str!("complete.bash");

/// How many of the newest calls are offered by their ids.
const CALLS: usize = 50;

/// The script that asks this program for completions in this shell; `None` where the shell has none but the static one.
pub(super) fn script(shell: Shell) -> Option<String> {
    if shell == Shell::Bash {
        return Some(BASH.to_owned());
    }
    let mut script = Vec::new();
    let completer = Shells::builtins();
    let completer: &dyn EnvCompleter = completer.completer(&shell.to_string())?;
    completer.write_registration(VARIABLE, "llm", "llm", "llm", &mut script).ok()?;
    String::from_utf8(script).ok()
}

/// Prints what may stand where the user is, for the shell that runs this program.
///
/// # Errors
/// The output cannot be written.
pub(super) fn run(shell: &str, env: &Env, command: Command) -> Result<u8, Error> {
    let mut words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let shells = Shells::builtins();
    let name = Path::new(shell).file_stem().and_then(OsStr::to_str).unwrap_or(shell);
    let Some(completer) = shells.completer(name) else {
        return Err(Error::usage(format!("{VARIABLE}: there are no completions for the shell {shell}")));
    };
    let mut command = with_values(command, env);
    let directory = std::env::current_dir().ok();
    let failed = |error: std::io::Error| Error::system("the words cannot be completed", &error);
    let mut text = Vec::new();
    if name == "bash" {
        let index = env.get("_CLAP_COMPLETE_INDEX").and_then(|index| index.parse().ok()).unwrap_or(0);
        let is_quoted = env.get("LLM_COMPLETE_QUOTED") == Some("true");
        let words = if is_quoted { words } else { words.into_iter().map(quote::unescaped).collect() };
        let (words, index, cut) = joined(words, index);
        let (words, index) = with_ask(words, index, &command);
        let found = complete(&mut command, words, index, directory.as_deref()).map_err(failed)?;
        let values = found.iter().filter_map(|candidate| candidate.get_value().to_str()?.get(cut..));
        let values: Vec<_> = values.filter_map(|value| quote::bash(value, is_quoted)).collect();
        text = values.join(env.get("_CLAP_IFS").unwrap_or("\n")).into_bytes();
    } else {
        let last = words.len().saturating_sub(1);
        let index = env.get("_CLAP_COMPLETE_INDEX").and_then(|index| index.parse().ok()).unwrap_or(last);
        // Where a word is put in, those shells that count themselves would be one behind.
        if env.get("_CLAP_COMPLETE_INDEX").is_none() {
            words = with_ask(words, index, &command).0;
        }
        completer.write_complete(&mut command, words, directory.as_deref(), &mut text).map_err(failed)?;
    }
    let text = String::from_utf8_lossy(&text);
    // The other shells quote what they put in.
    let text = if completer.name() == "powershell" { quote::powershell_lines(&text) } else { text.into_owned() };
    print(Text::from(text.as_str()))?;
    Ok(0)
}

/// The words with `ask` in front of its flags where no command stands, and the place of the word to complete.
fn with_ask(words: Vec<OsString>, index: usize, command: &Command) -> (Vec<OsString>, usize) {
    let before = words.len();
    let begins = words.get(..index).unwrap_or_default().to_vec();
    let is_ask = arguments::completed(begins.clone(), command).len() > begins.len();
    if !is_ask {
        return (words, index);
    }
    let completed = arguments::completed(words, command);
    let added = completed.len() - before;
    (completed, index + added)
}

/// Bash takes `:` and `=` for the ends of words. Joins what belongs together; also returns how many bytes of the word to
/// complete Bash has already, so that it gets only the rest.
fn joined(words: Vec<OsString>, index: usize) -> (Vec<OsString>, usize, usize) {
    let is_break = |word: &OsString| {
        word.to_str().is_some_and(|word| !word.is_empty() && word.chars().all(|c| matches!(c, ':' | '=')))
    };
    let mut joined: Vec<OsString> = Vec::new();
    let (mut place, mut cut, mut glue) = (index, 0, false);
    for (n, word) in words.into_iter().enumerate() {
        let sticks = n > 1 && (glue || is_break(&word)) && !joined.is_empty();
        glue = is_break(&word);
        if sticks {
            let last = joined.len() - 1;
            if n == index {
                cut = joined[last].len() + if glue { word.len() } else { 0 };
            }
            joined[last].push(&word);
        } else {
            joined.push(word);
        }
        if n == index {
            place = joined.len() - 1;
        }
    }
    (joined, place, cut)
}

/// What is offered, read when it is first needed.
#[derive(Debug)]
struct Known {
    env: Env,
    settings: OnceLock<Option<Settings>>,
}

impl Known {
    fn settings(&self) -> Option<&Settings> {
        self.settings.get_or_init(|| Settings::load(self.env.clone()).ok()).as_ref()
    }

    fn gateway(&self) -> Option<String> {
        let settings = self.settings()?;
        let saved = || self.saved_keys().into_iter().map(|(gateway, _)| gateway).collect();
        settings.default_gateway(None, saved).ok()
    }

    /// The gateways and names of saved keys.
    fn saved_keys(&self) -> Vec<(String, String)> {
        let data = self.settings().and_then(|settings| settings.dirs.data.as_deref());
        let saved = data.and_then(|data| KeyFile::in_dir(data).list().ok()).unwrap_or_default();
        saved.into_iter().map(|saved| (saved.gateway, saved.name)).collect()
    }

    /// Aliases, and the models of the config and of all lists that are cached.
    fn models(&self) -> Vec<CompletionCandidate> {
        let Some(settings) = self.settings() else { return Vec::new() };
        let known = models::known(settings, self.gateway().as_deref());
        known.iter().filter_map(|choice| candidate(&choice.name, &choice.about)).collect()
    }

    fn names<'a, T>(&'a self, of: impl Fn(&'a Settings) -> T) -> Vec<CompletionCandidate>
    where
        T: Iterator<Item = (&'a str, String)> + 'a,
    {
        let names = self.settings().into_iter().flat_map(of);
        names.filter_map(|(name, about)| candidate(name, &about)).collect()
    }

    /// The newest calls, by what the list shows of their ids.
    fn calls(&self) -> Vec<CompletionCandidate> {
        let data = self.settings().and_then(|settings| settings.dirs.data.as_deref());
        let Some(Ok(Some(store))) = data.map(Store::open_to_read) else { return Vec::new() };
        let rows = ledger::find(&store, &Filter::default(), Some(CALLS)).unwrap_or_default();
        rows.iter().filter_map(|row| candidate(log::end(&row.id), &row.asked)).collect()
    }
}

/// A value, with a line about it. Shells read a candidate a line, and show it as it is: a value with a character that acts on
/// the terminal or cannot be seen is not offered.
fn candidate(value: &str, about: &str) -> Option<CompletionCandidate> {
    let is_bad = |c: char| c.is_control() || is_unsafe(c);
    let about: String = about.chars().filter(|c| !is_bad(*c)).collect();
    let value = Some(value).filter(|value| !value.contains(is_bad))?;
    Some(CompletionCandidate::new(value).help((!about.is_empty()).then(|| about.into())))
}

/// The kinds of values that arguments have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Models,
    Gateways,
    Keys,
    Tasks,
    Sets,
    Aliases,
    Templates,
    Pipelines,
    Calls,
    Settings,
}

impl Kind {
    /// What this flag takes.
    fn of_flag(arg: &Arg) -> Option<Self> {
        Some(match arg.get_long()? {
            "model" | "fallback" => Self::Models,
            "gateway" => Self::Gateways,
            "key" => Self::Keys,
            "task" => Self::Tasks,
            "set" => Self::Sets,
            "template" => Self::Templates,
            "continue" => Self::Calls,
            _ => return None,
        })
    }

    /// What a positional argument of this command takes; `path` is the command with those above it.
    fn of_positional(path: &str, id: &str) -> Option<Self> {
        Some(match (path, id) {
            ("models show", "id") | ("models default", "name") | ("alias set", "models") => Self::Models,
            ("log show" | "last" | "rerun", "id") => Self::Calls,
            ("pipeline run" | "pipeline show", "name") => Self::Pipelines,
            ("template show" | "template edit" | "template rm", "name") => Self::Templates,
            ("alias show" | "alias set" | "alias rm", "name") => Self::Aliases,
            ("key set" | "key show" | "key test" | "key rm", "gateway") => Self::Gateways,
            ("config get" | "config set" | "config unset", "key") => Self::Settings,
            _ => return None,
        })
    }

    fn candidates(self, known: &Known) -> Vec<CompletionCandidate> {
        match self {
            Self::Models => known.models(),
            Self::Gateways => known.names(|settings| settings.gateway_names().map(|name| (name, String::new()))),
            Self::Keys => known.saved_keys().iter().filter_map(|(gateway, name)| candidate(name, gateway)).collect(),
            Self::Tasks => known.names(|all| all.tasks.iter().map(|(name, model)| (name.as_str(), model.clone()))),
            Self::Sets => known.names(|all| all.sets.iter().map(|(name, models)| (name.as_str(), models.join(", ")))),
            Self::Aliases => {
                known.names(|all| all.aliases.iter().map(|(name, alias)| (name.as_str(), alias.models.join(", "))))
            }
            Self::Templates => known.names(|all| {
                all.templates.iter().map(|(name, one)| (name.as_str(), one.description.clone().unwrap_or_default()))
            }),
            Self::Pipelines => known.names(|all| {
                all.pipelines.iter().map(|(name, one)| {
                    let steps = one.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>();
                    (name.as_str(), steps.join(", "))
                })
            }),
            Self::Calls => known.calls(),
            Self::Settings => SETTINGS.iter().filter_map(|(key, about)| candidate(key, about)).collect(),
        }
    }
}

/// The settings that people change by command.
const SETTINGS: [(&str, &str); 8] = [
    ("model", "the model where none is named"),
    ("default_gateway", "the gateway for names without one"),
    ("log", "full, metadata or off"),
    ("keyring_timeout", "a span of time such as 30s"),
    ("cache.enabled", "true or false"),
    ("cache.ttl", "a span of time such as 7d"),
    ("cache.max_size", "such as 256MiB"),
    ("task.default", "the model or alias where none is named"),
];

/// The command line, whose arguments know their values.
fn with_values(command: Command, env: &Env) -> Command {
    let known = Arc::new(Known { env: env.clone(), settings: OnceLock::new() });
    add_values(command, "", &known)
}

fn add_values(command: Command, path: &str, known: &Arc<Known>) -> Command {
    let name = path.to_owned();
    let command = command.mut_args(|arg| {
        let kind =
            if arg.is_positional() { Kind::of_positional(&name, arg.get_id().as_str()) } else { Kind::of_flag(&arg) };
        match kind {
            Some(kind) => {
                let known = Arc::clone(known);
                arg.add(ArgValueCandidates::new(move || kind.candidates(&known)))
            }
            None if arg.get_long() == Some("file") => arg.value_hint(ValueHint::AnyPath),
            None => arg,
        }
    });
    let below = |inner: &Command| {
        if path.is_empty() { inner.get_name().to_owned() } else { format!("{path} {}", inner.get_name()) }
    };
    let names: Vec<(String, String)> =
        command.get_subcommands().map(|inner| (inner.get_name().to_owned(), below(inner))).collect();
    names
        .into_iter()
        .fold(command, |command, (name, path)| command.mut_subcommand(name, |inner| add_values(inner, &path, known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_bash_takes_apart_are_joined() {
        let split = |words: &[&str], index| {
            let (words, index, cut) = joined(words.iter().map(OsString::from).collect(), index);
            (words.into_iter().map(|word| word.into_string().expect("text")).collect::<Vec<_>>(), index, cut)
        };
        let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(split(&["llm", "ask", "-m", "corp", "::", "gp"], 5), (all(&["llm", "ask", "-m", "corp::gp"]), 3, 6));
        assert_eq!(split(&["llm", "ask", "-m", "corp", "::"], 4), (all(&["llm", "ask", "-m", "corp::"]), 3, 6));
        assert_eq!(split(&["llm", "ask", "--model", "=", "g"], 4), (all(&["llm", "ask", "--model=g"]), 2, 8));
        assert_eq!(split(&["llm", "ask", "-m", "x", ":", "y", "h"], 6), (all(&["llm", "ask", "-m", "x:y", "h"]), 4, 0));
        assert_eq!(split(&["llm", ""], 1), (all(&["llm", ""]), 1, 0));
    }

    #[test]
    fn what_would_act_on_the_terminal_is_not_offered() {
        for bad in ["a\nb", "a\x1b[2J", "a\u{202e}b"] {
            assert!(candidate(bad, "").is_none(), "{bad:?}");
        }
        let good = candidate("a b", "x\ty\u{202e}").expect("a candidate");
        assert_eq!(
            (good.get_value(), good.get_help().map(ToString::to_string)),
            (OsStr::new("a b"), Some("xy".to_owned()))
        );
    }
}
