//! Masks whatever looks like a key in texts that others wrote. Gateways often repeat the key that they refuse.

use std::borrow::Cow;

/// What stands in the place of a key.
const MASK: &str = "***";

/// How keys of the common vendors begin.
const PREFIXES: [&str; 10] = ["sk-", "sk_", "pk-", "rk-", "gsk_", "AIza", "xai-", "hf_", "pplx-", "nvapi-"];

/// The shortest word that counts as a key, prefix included: long enough to spare words like `sk-learn`.
const SHORTEST: usize = 12;

/// The text with everything masked that looks like a vendor's key or follows `Bearer`. Keys that are already shortened
/// (`sk-…abcd`) are masked as well, so that not even their last letters show. The gateway masks its own key, which may look
/// like anything, by itself.
pub fn mask_keys(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut kept = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let word_starts = !text[..at].chars().next_back().is_some_and(is_key_char);
        let secret = if word_starts { secret_at(rest) } else { None };
        match secret {
            Some((start, end)) => {
                masked.push_str(&text[kept..at + start]);
                masked.push_str(MASK);
                kept = at + end;
                at = kept;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[kept..]);
    Cow::Owned(masked)
}

/// The range of the secret in bytes, if one begins here.
fn secret_at(text: &str) -> Option<(usize, usize)> {
    if let Some(token) = text.get(..7).filter(|word| word.eq_ignore_ascii_case("bearer ")).map(|_| &text[7..]) {
        let length = key_length(token);
        return (length >= SHORTEST).then_some((7, 7 + length));
    }
    let prefix = PREFIXES.iter().find(|prefix| text.starts_with(**prefix))?;
    let length = key_length(text);
    let shortened = text[..length].contains(['*', '…']) || text[..length].contains("..");
    // Some other words begin like keys (`hf_hub_download`), but they have no digits.
    let is_key = length >= SHORTEST && (*prefix == "sk-" || text[..length].contains(|c: char| c.is_ascii_digit()));
    (is_key || (shortened && length > prefix.len())).then_some((0, length))
}

/// The number of bytes that can belong to one key. A full stop at the end of a sentence does not belong to it.
fn key_length(text: &str) -> usize {
    let end = text.find(|c| !is_key_char(c)).unwrap_or(text.len());
    text[..end].trim_end_matches('.').len()
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '.' | '…')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_survive() {
        for (text, masked) in [
            ("Incorrect API key provided: sk-proj-****abcd. You can", "Incorrect API key provided: ***. You can"),
            ("Received API Key = sk-...1234, Key Hash", "Received API Key = ***, Key Hash"),
            ("key sk-or-v1-0123456789abcdef", "key ***"),
            ("'AIzaSyA0123456789'", "'***'"),
            ("Authorization: Bearer abc.def-0123456789", "Authorization: Bearer ***"),
            ("é gsk_0123456789ab é sk-0123456789ab", "é *** é ***"),
        ] {
            assert_eq!(mask_keys(text), masked);
        }
    }

    #[test]
    fn other_words_stay() {
        let text = "use sk-learn with task-sk-0123456789abc, the bearer token and hf_hub_download";
        assert!(matches!(mask_keys(text), Cow::Borrowed(same) if same == text));
    }
}
