//! Halves of characters in JSON. Programs that cut a text in the middle of an emoji write its first half as an escape (`\ud83d`),
//! which is no character. JavaScript and Python read that; here it is read as the character for what is none.

use std::borrow::Cow;

use memchr::memmem;

/// The JSON with U+FFFD for each half of a character.
pub(super) fn mended(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut mended = String::new();
    // How much of the JSON is in `mended`, and how much was looked at.
    let (mut taken, mut at) = (0, 0);
    while let Some(found) = memmem::find(&bytes[at..], b"\\u") {
        let start = at + found;
        // After an odd number of further backslashes, this one is a character of the text.
        let before = bytes[..start].iter().rev().take_while(|byte| **byte == b'\\').count();
        at = start + 2;
        let Some(unit) = unit(bytes, start).filter(|_| before % 2 == 0) else { continue };
        at = start + 6;
        match unit {
            0xd800..0xdc00 if unit_is_second(bytes, at) => at += 6,
            0xd800..0xe000 => {
                mended.push_str(&json[taken..start]);
                mended.push_str("\\ufffd");
                taken = at;
            }
            _ => {}
        }
    }
    if taken == 0 {
        return Cow::Borrowed(json);
    }
    mended.push_str(&json[taken..]);
    Cow::Owned(mended)
}

/// The number of an escape that begins here.
fn unit(bytes: &[u8], start: usize) -> Option<u16> {
    let escape = bytes.get(start..start + 6).filter(|escape| escape.starts_with(b"\\u"))?;
    let digits =
        str::from_utf8(&escape[2..]).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

fn unit_is_second(bytes: &[u8], start: usize) -> bool {
    unit(bytes, start).is_some_and(|unit| (0xdc00..0xe000).contains(&unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_replaced_and_whole_characters_and_backslashes_stay() {
        for (json, meant) in [
            (r#""a\ud83d\ude00b""#, None),
            (r#""\u0041\uFFFD""#, None),
            (r#""\\ud83d""#, None),
            (r#""C:\\ud83d\ud83d""#, Some(r#""C:\\ud83d\ufffd""#)),
            (r#""\\\ud83d""#, Some(r#""\\\ufffd""#)),
            (r#""x\uD83D""#, Some(r#""x\ufffd""#)),
            (r#""\ude00 \ud83d\ud83d\ude00\ud83d""#, Some(r#""\ufffd \ufffd\ud83d\ude00\ufffd""#)),
            // These are no escapes, which whoever reads the JSON says.
            (r#""\ud8""#, None),
            (r#""\u+123\ud83""#, None),
            ("é\\u", None),
        ] {
            assert_eq!(mended(json), meant.unwrap_or(json), "{json}");
            assert_eq!(matches!(mended(json), Cow::Owned(_)), meant.is_some(), "{json}");
        }
        let text: String = serde_json::from_str(&mended(r#""a\ud83d""#)).expect("JSON");
        assert_eq!(text, "a\u{fffd}");
    }
}
