//! The commands of a chat: lines that begin with `/`.

use crate::config::nearest;
use crate::error::Error;
use crate::report::chat as report;
use crate::report::term::{Output, Text};

/// What a line that begins with `/` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Exit,
    Model(Option<String>),
    System(Option<String>),
    File(String),
    Compare(Vec<String>),
    Retry(Option<String>),
    Edit(String),
    Save {
        path: String,
        /// Whether a file that is there is replaced.
        replaces: bool,
    },
    Cost,
    Undo,
}

/// The only command with a mark behind its name.
const REPLACE: &str = "save!";

/// Every command with what follows it, and what it does.
const ALL: [(&str, &str, &str); 12] = [
    ("model", "[NAME]", "ask this model from now on, or say which one is asked"),
    ("system", "[TEXT]", "send this system prompt with the next turn (@FILE reads a file), or show the one that waits"),
    ("file", "PATH", "attach a file or the URL of an image to the next turn"),
    ("compare", "A,B", "ask these models at the next turn, and choose whose answer goes on"),
    ("retry", "[NAME]", "ask the last prompt again, here or another model"),
    ("edit", "[TEXT]", "write the next prompt in $VISUAL or $EDITOR"),
    ("undo", "", "take the last turn back"),
    ("cost", "", "show what each model of this chat has cost"),
    ("save", "FILE", "write the conversation to a new file"),
    ("save!", "FILE", "write the conversation to a file, and replace what is there"),
    ("help", "", "show this list"),
    ("exit", "", "end the chat, as Ctrl-D does"),
];

/// The names of all commands, each with its `/`, and with a space where something may follow.
pub(super) fn names() -> impl Iterator<Item = String> {
    ALL.iter().map(|(name, takes, _)| format!("/{name}{}", if takes.is_empty() { "" } else { " " }))
}

pub(super) fn help(out: &Output) -> Text {
    let rows = ALL.iter().map(|(name, takes, does)| (format!("/{name} {takes}"), (*does).to_owned()));
    let keys = [
        ("Alt-Enter", "a further line; a line that ends with \\ goes on as well"),
        ("\"\"\" … \"\"\"", "a prompt of several lines"),
        ("Ctrl-C", "stop the answer and keep what has come; at the prompt, drop the line"),
        ("//…", "a prompt that begins with /"),
    ];
    report::help(rows.chain(keys.map(|(key, does)| (key.to_owned(), does.to_owned()))), out)
}

impl Command {
    /// The command of a line; `None` where it is a prompt. `/` and a path, such as `/etc/hosts`, begin a prompt.
    ///
    /// # Errors
    /// There is no such command, or it needs something else behind its name.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, Error> {
        let Some(rest) = line.trim().strip_prefix('/') else { return Ok(None) };
        let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_name && name != REPLACE {
            return Ok(None);
        }
        let argument = argument.trim();
        let text = || argument.to_owned();
        let optional = || (!argument.is_empty()).then(text);
        let needed = |what: &str| match optional() {
            Some(text) => Ok(text),
            None => Err(Error::usage(format!("/{name} needs {what}"))),
        };
        Ok(Some(match name {
            "help" => Self::Help,
            "exit" | "quit" => Self::Exit,
            "model" => Self::Model(optional()),
            "system" => Self::System(optional()),
            "file" => Self::File(needed("a path or a URL")?),
            "compare" => {
                let names = needed("models, as in /compare A,B")?;
                Self::Compare(names.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect())
            }
            "retry" => Self::Retry(optional()),
            "edit" => Self::Edit(text()),
            "save" | REPLACE => Self::Save { path: needed("the name of a file")?, replaces: name == REPLACE },
            "cost" => Self::Cost,
            "undo" => Self::Undo,
            unknown => {
                let known = ALL.iter().map(|(name, _, _)| *name);
                let hint = match nearest(unknown, known) {
                    Some(near) => format!("did you mean /{near}?"),
                    None => "/help lists them; a prompt that begins with / is written with two, as in //etc".to_owned(),
                };
                return Err(Error::usage_hint(format!("there is no command /{unknown}"), hint));
            }
        }))
    }
}

/// The prompt of a line: `//` at its beginning stands for `/`, and `"""` around it is left out.
pub(super) fn unescaped(line: &str) -> &str {
    let line = line.trim();
    let quoted = line.strip_prefix(QUOTES).and_then(|line| line.strip_suffix(QUOTES));
    match (quoted, line.strip_prefix("//")) {
        (Some(quoted), _) => quoted.trim_matches('\n'),
        (None, Some(_)) => &line[1..],
        (None, None) => line,
    }
}

/// What begins and ends a prompt of several lines.
pub(super) const QUOTES: &str = "\"\"\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_or_a_prompt() {
        let parse = |line| Command::parse(line).expect("no error");
        assert_eq!(parse("/model  gpt "), Some(Command::Model(Some("gpt".into()))));
        assert_eq!(parse("/compare a,b, c"), Some(Command::Compare(vec!["a".into(), "b".into(), "c".into()])));
        assert_eq!(parse("/quit"), Some(Command::Exit));
        assert_eq!(parse("/save a b"), Some(Command::Save { path: "a b".into(), replaces: false }));
        assert_eq!(parse("/save! a"), Some(Command::Save { path: "a".into(), replaces: true }));
        for prompt in ["/wow! a", "hello", "//model", "/etc/hosts is empty", "/", "a /model"] {
            assert_eq!(parse(prompt), None, "{prompt}");
        }
        assert_eq!(Command::parse("/modle x").expect_err("unknown").hint().as_deref(), Some("did you mean /model?"));
        assert!(Command::parse("/save").is_err());
    }

    #[test]
    fn every_command_in_the_help_is_known() {
        for (name, takes, _) in ALL {
            let argument = if takes.is_empty() { "" } else { "x" };
            assert!(matches!(Command::parse(&format!("/{name} {argument}")), Ok(Some(_))), "{name}");
        }
    }

    #[test]
    fn marks_around_a_prompt_are_no_part_of_it() {
        assert_eq!(unescaped("//etc"), "/etc");
        assert_eq!(unescaped("\"\"\"\na\n\nb\n\"\"\""), "a\n\nb");
        assert_eq!(unescaped(" a \"quote\" "), "a \"quote\"");
    }
}
