//! A key that cannot be printed, and the cleaning of what people paste.

use std::fmt;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// The longest key that is taken, in bytes; tokens of identity providers come near it.
pub const MAX_KEY_BYTES: usize = 8 * 1024;

/// An API key fit for an HTTP header: visible ASCII, not empty, at most [`MAX_KEY_BYTES`] long.
///
/// Nothing prints it: `Debug` hides it and there is no `Display`. Its memory is wiped when it is dropped; copies that
/// others make of it, such as in a header, are not.
#[derive(Clone)]
pub struct Key(SecretString);

impl Key {
    /// Takes a key as people paste it: surrounding white space, byte order marks, quotes and `Bearer ` are dropped, and
    /// the second value says which of them there were.
    pub fn parse(text: &str) -> Result<(Self, Cleaned), BadKey> {
        let (bare, cleaned) = strip(text);
        if bare.is_empty() {
            return Err(BadKey::Empty);
        }
        if bare.len() > MAX_KEY_BYTES {
            return Err(BadKey::TooLong);
        }
        for character in bare.chars() {
            match character {
                '\n' | '\r' => return Err(BadKey::SeveralLines),
                c if c.is_control() => return Err(BadKey::ControlCharacter),
                c if c.is_whitespace() => return Err(BadKey::Whitespace),
                c if !c.is_ascii() => return Err(BadKey::NotAscii),
                _ => {}
            }
        }
        Ok((Self(SecretString::from(bare)), cleaned))
    }

    /// As [`Key::parse`], from bytes, which are wiped.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<(Self, Cleaned), BadKey> {
        let bytes = Zeroizing::new(bytes);
        Self::parse(std::str::from_utf8(&bytes).map_err(|_| BadKey::NotUtf8)?)
    }

    /// The key itself, for the header that carries it and the store that keeps it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The last four characters, which tell keys apart; `None` where they would give away more than a third of the key.
    pub fn last_four(&self) -> Option<&str> {
        let key = self.expose();
        if key.len() < 12 { None } else { key.get(key.len() - 4..) }
    }

    /// How a key is shown: `…` and its last four characters, if they may be.
    pub fn hint(&self) -> String {
        format!("…{}", self.last_four().unwrap_or_default())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([REDACTED])")
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Key {}

/// What was dropped around a pasted key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cleaned {
    /// Other than one line ending, which every pipe leaves.
    pub space: bool,
    pub mark: bool,
    pub quotes: bool,
    pub bearer: bool,
}

impl Cleaned {
    /// One line for the user, if there is anything to say.
    pub fn notice(self) -> Option<String> {
        let mut dropped = Vec::new();
        for (is, what) in [
            (self.space, "white space"),
            (self.mark, "a byte order mark"),
            (self.quotes, "quotes"),
            (self.bearer, "`Bearer`"),
        ] {
            if is {
                dropped.push(what);
            }
        }
        let (last, others) = dropped.split_last()?;
        let list = if others.is_empty() { (*last).to_owned() } else { format!("{} and {last}", others.join(", ")) };
        Some(format!("dropped {list} around the key"))
    }
}

/// Why a text cannot be a key. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    #[error("the key is empty")]
    Empty,
    #[error("the key is longer than {MAX_KEY_BYTES} bytes")]
    TooLong,
    #[error("there is more than one line; a key is one")]
    SeveralLines,
    #[error("there is a control character in the key")]
    ControlCharacter,
    #[error("there is white space in the key")]
    Whitespace,
    #[error("there is a character in the key that no HTTP header can carry")]
    NotAscii,
    #[error("the key is not text (UTF-8)")]
    NotUtf8,
}

/// Removes one layer after another until nothing changes, so that `Bearer "sk-…"` and `"Bearer sk-…"` give the same.
fn strip(text: &str) -> (&str, Cleaned) {
    let mut cleaned = Cleaned::default();
    let mut rest = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    loop {
        let before = rest.len();
        rest = note(&mut cleaned.space, rest, str::trim);
        rest = note(&mut cleaned.mark, rest, |text| text.trim_matches('\u{feff}'));
        rest = note(&mut cleaned.quotes, rest, unquoted);
        rest = note(&mut cleaned.bearer, rest, without_scheme);
        if rest.len() == before {
            return (rest, cleaned);
        }
    }
}

fn note<'a>(changed: &mut bool, text: &'a str, peel: impl Fn(&'a str) -> &'a str) -> &'a str {
    let peeled = peel(text);
    *changed |= peeled.len() != text.len();
    peeled
}

fn unquoted(text: &str) -> &str {
    [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”')]
        .into_iter()
        .find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close))
        .unwrap_or(text)
}

fn without_scheme(text: &str) -> &str {
    match text.split_once(char::is_whitespace) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest,
        None if text.eq_ignore_ascii_case("bearer") => "",
        _ => text,
    }
}

/// Whether an argument where a gateway's name belongs is a key by the look of it: then it is already in the shell's
/// history, and must not get into an error message as well.
pub fn looks_like_key(argument: &str) -> bool {
    const PREFIXES: [&str; 9] = ["sk-", "sk_", "pk-", "gsk_", "xai-", "AIza", "eyJ", "hf_", "r8_"];
    let bare = strip(argument).0;
    PREFIXES.iter().any(|prefix| bare.starts_with(prefix))
        || argument.trim_start().get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer "))
        || (bare.len() >= 32 && bare.bytes().any(|b| b.is_ascii_digit()) && !bare.contains(['.', '/', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, Cleaned), BadKey> {
        Key::parse(text).map(|(key, cleaned)| (key.expose().to_owned(), cleaned))
    }

    #[test]
    fn what_people_paste_becomes_the_key() {
        for (pasted, notice) in [
            ("sk-abc", None),
            ("sk-abc\n", None),
            ("sk-abc\r\n", None),
            ("sk-abc\n\n", Some("dropped white space around the key")),
            ("  sk-abc\t", Some("dropped white space around the key")),
            ("\u{a0}sk-abc\u{a0}", Some("dropped white space around the key")),
            ("\u{feff}sk-abc\n", Some("dropped a byte order mark around the key")),
            ("\"sk-abc\"", Some("dropped quotes around the key")),
            ("'sk-abc'\n", Some("dropped quotes around the key")),
            ("`sk-abc`", Some("dropped quotes around the key")),
            ("“sk-abc”", Some("dropped quotes around the key")),
            ("Bearer sk-abc", Some("dropped `Bearer` around the key")),
            ("bearer\tsk-abc", Some("dropped `Bearer` around the key")),
            ("\"Bearer sk-abc\"", Some("dropped quotes and `Bearer` around the key")),
            (
                "\u{feff} Bearer  'sk-abc' \r\n",
                Some("dropped white space, a byte order mark, quotes and `Bearer` around the key"),
            ),
        ] {
            let (key, cleaned) = parse(pasted).expect(pasted);
            assert_eq!(key, "sk-abc", "{pasted:?}");
            assert_eq!(cleaned.notice().as_deref(), notice, "{pasted:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        let just_fits = "k".repeat(MAX_KEY_BYTES);
        assert!(parse(&just_fits).is_ok());
        for (text, why) in [
            ("", BadKey::Empty),
            ("\n", BadKey::Empty),
            (" \t\r\n", BadKey::Empty),
            ("\"\"", BadKey::Empty),
            ("Bearer", BadKey::Empty),
            ("Bearer \n", BadKey::Empty),
            ("\u{feff}", BadKey::Empty),
            ("sk-a\nsk-b", BadKey::SeveralLines),
            ("sk-a\rsk-b", BadKey::SeveralLines),
            ("sk-a b", BadKey::Whitespace),
            ("sk-a\tb", BadKey::ControlCharacter),
            ("sk-a\u{a0}b", BadKey::Whitespace),
            ("sk-a\0", BadKey::ControlCharacter),
            ("sk-\u{1b}[31m", BadKey::ControlCharacter),
            ("sk-a\u{7f}b", BadKey::ControlCharacter),
            ("sk-ключ", BadKey::NotAscii),
            ("sk-a\u{200b}b", BadKey::NotAscii),
            ("sk-a…", BadKey::NotAscii),
            (&format!("{just_fits}k"), BadKey::TooLong),
            (&"k".repeat(1 << 20), BadKey::TooLong),
        ] {
            let error = parse(text).expect_err("refused");
            assert_eq!(error, why, "{:?}", text.get(..20).unwrap_or(text));
            assert!(!error.to_string().contains("sk-"), "{error}");
        }
    }

    #[test]
    fn a_lone_quote_stays_part_of_the_key() {
        assert_eq!(parse("\"sk-abc").expect("a key").0, "\"sk-abc");
    }

    #[test]
    fn nothing_prints_a_key() {
        let (key, _) = Key::parse("sk-CANARY-1234567890").expect("a key");
        for shown in [format!("{key:?}"), format!("{key:#?}"), format!("{:?}", Some(key.clone()))] {
            assert!(!shown.contains("CANARY"), "{shown}");
        }
        assert_eq!((key.last_four(), key.hint().as_str()), (Some("7890"), "…7890"));
    }

    #[test]
    fn short_keys_show_nothing_of_themselves() {
        for (key, shown) in [("a", "…"), ("abcd", "…"), ("abcdefghijk", "…"), ("abcdefghijkl", "…ijkl")] {
            assert_eq!(Key::parse(key).expect("a key").0.hint(), shown);
        }
    }

    #[test]
    fn keys_are_told_from_gateway_names() {
        for key in [
            "sk-or-v1-0123456789abcdef",
            "sk-CANARY",
            "Bearer abc",
            "\"sk-x\"",
            "gsk_abc",
            "AIzaSyA-x",
            "eyJhbGciOi",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert!(looks_like_key(key), "{key}");
        }
        for name in
            ["openrouter", "corp", "my-gateway-2", "litellm", "skynet", "a-rather-long-name-for-a-gateway-indeed"]
        {
            assert!(!looks_like_key(name), "{name}");
        }
    }
}
