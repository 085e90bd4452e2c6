//! Values as words of a shell. Names of models come from gateways, and those of files from anybody: put into the command line
//! as they are, `$(…)` or `;` in them would be run with it.

use std::borrow::Cow;
use std::ffi::OsString;

/// A value as Bash takes it for itself, without quotes around it. `None` where it cannot be put in: a line has no control
/// characters, and between quotes that were begun only what needs none is certain to stay what it is.
pub(super) fn bash(value: &str, is_quoted: bool) -> Option<Cow<'_, str>> {
    let is_plain = |c: char| c.is_alphanumeric() || "._:/@+,=%-".contains(c);
    if value.chars().all(is_plain) {
        return Some(value.into());
    }
    if is_quoted || value.contains(char::is_control) {
        return None;
    }
    let escaped = value.chars().flat_map(|c| (!is_plain(c)).then_some('\\').into_iter().chain([c]));
    Some(escaped.collect::<String>().into())
}

/// A word of Bash without the backslashes that quote its characters.
pub(super) fn unescaped(word: OsString) -> OsString {
    let Some(text) = word.to_str().filter(|text| text.contains('\\')) else { return word };
    let mut is_escaped = false;
    let keep = |c: &char| {
        is_escaped = *c == '\\' && !is_escaped;
        !is_escaped
    };
    text.chars().filter(keep).collect::<String>().into()
}

/// The lines for PowerShell, `VALUE` or `VALUE⇥HELP` each, with their values quoted.
pub(super) fn powershell_lines(lines: &str) -> String {
    let line = |line: &str| match line.split_once('\t') {
        Some((value, help)) => format!("{}\t{help}\n", powershell(value)),
        None => format!("{}\n", powershell(line)),
    };
    lines.lines().map(line).collect()
}

/// A value as PowerShell takes it for itself.
fn powershell(value: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "._:/+=-\\".contains(c);
    if value.chars().all(is_plain) {
        return value.into();
    }
    // PowerShell takes typographic quotes for quotes.
    let is_quote = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
    let doubled = value.chars().flat_map(|c| is_quote(c).then_some(c).into_iter().chain([c]));
    format!("'{}'", doubled.collect::<String>()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_gets_what_it_takes_for_the_value_itself() {
        for plain in ["gpt-5.4", "@cf/meta/llama-3:8b", "é=1", ""] {
            assert_eq!((bash(plain, false), bash(plain, true)), (Some(plain.into()), Some(plain.into())));
        }
        for (value, expected) in [
            ("a b", r"a\ b"),
            ("m$(touch x)", r"m\$\(touch\ x\)"),
            ("m;`x`", r"m\;\`x\`"),
            ("a'b\"c\\", "a\\'b\\\"c\\\\"),
            ("*[1]{a,b}~!#&|<>?", r"\*\[1\]\{a,b\}\~\!\#\&\|\<\>\?"),
        ] {
            assert_eq!(bash(value, false).as_deref(), Some(expected));
            assert_eq!(unescaped(expected.into()), value);
            assert_eq!(bash(value, true), None, "{value}");
        }
        assert_eq!((bash("a\nb", false), bash("a\x0bb", false)), (None, None));
    }

    #[test]
    fn powershell_gets_what_it_takes_for_the_value_itself() {
        let lines = "gpt-5.4\tfast\n--model\nm$(x)\thelp\n@cf/x\nit's ‘so’\n";
        assert_eq!(powershell_lines(lines), "gpt-5.4\tfast\n--model\n'm$(x)'\thelp\n'@cf/x'\n'it''s ‘‘so’’'\n");
    }
}
