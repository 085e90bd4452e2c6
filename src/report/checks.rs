//! What `llm doctor` has found.

use serde::Serialize;

use super::escape::line;
use super::term::{Output, Text};
use crate::adapter::mask_keys;
use crate::error::Error;

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub outcome: Outcome,
    pub detail: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Warning,
    Failed,
}

impl Check {
    pub fn good(name: &'static str, detail: String) -> Self {
        Self { name, outcome: Outcome::Ok, detail: mask_keys(&detail).into_owned(), hint: None }
    }

    pub fn failed(name: &'static str, error: &Error) -> Self {
        let detail = match error.cause() {
            Some(cause) => format!("{error} ({cause})"),
            None => error.to_string(),
        };
        let masked = |text: String| mask_keys(&text).into_owned();
        Self { name, outcome: Outcome::Failed, detail: masked(detail), hint: error.hint().map(masked) }
    }
}

/// A line for each check. Below what is wrong stands what the user can do about it.
pub fn text(checks: &[Check], out: &Output) -> Text {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = Text::new();
    for check in checks {
        let mark = match check.outcome {
            Outcome::Ok => out.style.green("✓"),
            Outcome::Warning => out.style.yellow("!"),
            Outcome::Failed => out.style.red("✗"),
        };
        text += mark + &format!(" {:width$}  {}\n", check.name, line(&check.detail));
        if let Some(hint) = &check.hint {
            text += format!("  {:width$}  hint: {}\n", "", line(hint)).as_str();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_is_a_line_with_what_to_do_below_it() {
        let error = Error::config_hint("no gateway is called `x`", "did you mean `y`?");
        let checks = [Check::good("config", "~/c.toml".into()), Check::failed("gateway", &error)];
        let expected = "✓ config   ~/c.toml\n✗ gateway  no gateway is called `x`\n           hint: did you mean `y`?\n";
        assert_eq!(text(&checks, &Output::plain(80)).to_string(), expected);
        let forged = [Check::failed("answers", &Error::config("bad\n✓ key  fine\nhint: run x"))];
        assert_eq!(text(&forged, &Output::plain(80)).to_string().lines().count(), 1);
    }
}
