//! The arguments of the process: a command, or a prompt without one, which means `ask`.

use std::ffi::{OsStr, OsString};

use clap::Command;
use strsim::damerau_levenshtein;

use crate::secret::looks_like_key;

/// The arguments as the parser takes them. `llm help COMMAND` becomes `llm COMMAND --help`, and `llm PROMPT` becomes
/// `llm ask PROMPT`.
pub(super) fn completed(mut arguments: Vec<OsString>, command: &Command) -> Vec<OsString> {
    if arguments.get(1).is_some_and(|first| first == "help") {
        arguments.remove(1);
        arguments.push("--help".into());
    } else if let Some(at) = first_of_command(&arguments)
        && is_prompt(&arguments[at], command)
    {
        arguments.insert(at, "ask".into());
    }
    arguments
}

/// The place of the first argument that is no option of all commands; `None` where there is none, or where help or the
/// version is asked for.
fn first_of_command(arguments: &[OsString]) -> Option<usize> {
    let mut at = 1;
    loop {
        match arguments.get(at)?.to_str() {
            Some("-q" | "-v" | "--quiet" | "--verbose") => at += 1,
            Some("--color") => at += 2,
            Some(option) if option.starts_with("--color=") => at += 1,
            Some("-h" | "--help" | "-V" | "--version") => return None,
            _ => return Some(at),
        }
    }
}

/// Whether `ask` is meant: this is a flag of `ask`, or a text that neither is a command nor looks like a mistyped one.
fn is_prompt(argument: &OsStr, command: &Command) -> bool {
    let Some(text) = argument.to_str() else { return false };
    if text.len() > 1 && text.starts_with('-') {
        return text == "--" || is_flag_of_ask(text, command);
    }
    let is_word =
        !matches!(text, "" | "-") && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if looks_like_key(text) && !text.trim().contains(char::is_whitespace) {
        return false;
    }
    if !is_word {
        return true;
    }
    let names = command.get_subcommands().map(Command::get_name).chain(["help", "version"]);
    names.into_iter().all(|name| !is_like(text, name))
}

fn is_flag_of_ask(text: &str, command: &Command) -> bool {
    let Some(ask) = command.find_subcommand("ask") else { return false };
    match text.strip_prefix("--") {
        Some(long) => {
            let name = long.split('=').next().unwrap_or(long);
            ask.get_arguments().any(|flag| flag.get_long() == Some(name))
        }
        None => ask.get_arguments().any(|flag| flag.get_short().is_some() && flag.get_short() == text.chars().nth(1)),
    }
}

/// Whether the word is a command, the beginning of one, or one with few mistakes: one in a short word, two from six letters
/// on, three from nine on.
fn is_like(word: &str, name: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let mistakes = match word.len().max(name.len()) {
        0..6 => 1,
        6..9 => 2,
        _ => 3,
    };
    (word.len() >= 3 && name.starts_with(&word)) || damerau_levenshtein(&word, name) <= mistakes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn run(arguments: &[&str]) -> Vec<String> {
        let all = std::iter::once("llm").chain(arguments.iter().copied()).map(OsString::from).collect();
        let completed = completed(all, &cli::command(str::to_owned));
        completed.into_iter().skip(1).map(|argument| argument.into_string().expect("text")).collect()
    }

    #[test]
    fn a_prompt_without_a_command_is_asked() {
        for arguments in [
            &["why is the sky blue?"][..],
            &["summarize"],
            &["why?"],
            &["Übersetze"],
            &["explain", "this"],
            &["-m", "x", "hi"],
            &["-mx", "hi"],
            &["--model=x"],
            &["--template", "commit"],
            &["-s", "short", "-"],
            &["-"],
            &[""],
            &["--", "--help"],
        ] {
            assert_eq!(run(arguments)[0], "ask", "{arguments:?}");
            assert_eq!(&run(arguments)[1..], arguments);
        }
        assert_eq!(run(&["-q", "--color", "never", "hi there"]), ["-q", "--color", "never", "ask", "hi there"]);
        assert_eq!(run(&["-v", "--color=never", "-m", "x"]), ["-v", "--color=never", "ask", "-m", "x"]);
    }

    #[test]
    fn a_command_or_what_looks_like_one_is_left_as_it_is() {
        for arguments in [
            &["ask", "hi"][..],
            &["demo-gateway"],
            &["aks"],
            &["modles"],
            &["conf"],
            &["usages"],
            &["pip"],
            &["Compare"],
            &["version"],
            &["hlep"],
            &["demo-gatewa"],
            &["--help"],
            &["-V"],
            &["-q", "--version"],
            &["--unknown"],
            &["-Z"],
            &["sk-or-v1-0123456789abcdef0123456789abcdef"],
            &["-q"],
            &[],
        ] {
            assert_eq!(run(arguments), arguments, "{arguments:?}");
        }
        assert_eq!(run(&["help", "log", "show"]), ["log", "show", "--help"]);
    }
}
