//! Finds a secret however each of its letters is written: as it is, escaped, or as a number.

use std::ops::Range;

use super::forms::large_part;
use super::{LONG, Place, SHORTEST_PART};

/// As many backslashes are read as one escape: JSON in JSON in JSON has seven.
const MOST_SLASHES: usize = 8;

/// The most bytes of an escape that is not complete.
const LONGEST_ESCAPE: usize = 20;

/// How each character of a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// As it is, or escaped as URLs, JSON, source code, HTML or mail do.
    Escaped,
    /// As two hexadecimal digits.
    Hex,
    /// As a decimal number.
    Decimal,
}

/// The styles that are searched for. A list of numbers in JSON is left as it is: it would be no list afterwards.
pub(super) fn styles(secret: &[u8], place: Place) -> &'static [Style] {
    match place {
        _ if secret.len() < LONG => &[Style::Escaped],
        Place::Text => &[Style::Escaped, Style::Hex, Style::Decimal],
        Place::Json => &[Style::Escaped, Style::Hex],
    }
}

/// Where the secret is written in this style.
pub(super) fn spellings(text: &[u8], secret: &[u8], style: Style, place: Place) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    let Some(first) = secret.first() else { return found };
    // A large part of a long secret may begin at any of these letters. Those that stand for themselves are found by another
    // search.
    let within = 1..secret.len().saturating_sub(large_part(secret.len())) + 1;
    let is_within = is_one_of(&secret[within.clone()]);
    let begins = begins(*first, &secret[within.clone()], style);
    while let Some(skipped) = text[at..].iter().position(|byte| begins[usize::from(*byte)]) {
        at += skipped;
        let range = spelled_at(text, at, secret, 0, style, place).map(|end| at..end).or_else(|| match style {
            Style::Escaped => around_escape(text, at, secret, place),
            Style::Hex | Style::Decimal => {
                let byte = written(&text[at..], style).filter(|(byte, _)| is_within[usize::from(*byte)])?.0;
                let starts = within.clone().filter(|start| secret[*start].eq_ignore_ascii_case(&byte));
                starts.filter_map(|start| spelled_at(text, at, secret, start, style, place)).max().map(|end| at..end)
            }
        });
        let next = range.as_ref().map_or(at + 1, |range| range.end);
        found.extend(range.map(|range| {
            // The escape of an escape is masked as a whole, so that none is left half.
            let escapes = text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
            let start = if text[at] == b'\\' { at - escapes } else { at };
            range.start.min(start)..range.end
        }));
        at = next;
    }
    found
}

/// A large part of a long secret with the escape in it that begins at this place, if it is the first one of that part: the letters
/// before it stand for themselves.
fn around_escape(text: &[u8], at: usize, secret: &[u8], place: Place) -> Option<Range<usize>> {
    if secret.len() < LONG {
        return None;
    }
    let slashes = text[at..].iter().take(MOST_SLASHES).take_while(|byte| **byte == b'\\').count();
    let any = || text.get(at + slashes).copied().filter(|_| slashes > 0);
    let byte = written(&text[at..], Style::Escaped).map(|(byte, _)| byte).or_else(any)?;
    let starts = (0..secret.len()).filter(|start| secret[*start].eq_ignore_ascii_case(&byte));
    let parts = starts.filter_map(|start| {
        let letters = text[..at].iter().rev().zip(secret[..start].iter().rev());
        let before = letters.take_while(|(found, letter)| found.eq_ignore_ascii_case(letter)).count();
        let (end, read) = run(text, at, (secret, start), Style::Escaped, place);
        (before + read >= large_part(secret.len())).then_some(at - before..end)
    });
    parts.max_by_key(Range::len)
}

/// Which bytes are one of these letters, in any case.
fn is_one_of(letters: &[u8]) -> [bool; 256] {
    let mut is_one = [false; 256];
    for letter in letters {
        is_one[usize::from(letter.to_ascii_lowercase())] = true;
        is_one[usize::from(letter.to_ascii_uppercase())] = true;
    }
    is_one
}

/// With which bytes a text can begin that spells the first letter of a secret, or in another way than as it is one of those
/// `within`. All others are passed over at once.
fn begins(first: u8, within: &[u8], style: Style) -> [bool; 256] {
    let both = |byte: &u8| [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
    let letters = std::slice::from_ref(&first).iter().chain(within).flat_map(both);
    let mut begins = is_one_of(&match style {
        Style::Escaped => vec![first],
        // Of both cases, the high digit is one less in capitals.
        Style::Hex => letters.map(|byte| b"0123456789abcdef"[usize::from(byte >> 4)]).collect(),
        Style::Decimal => letters.map(|byte| byte.to_string().as_bytes()[0]).collect(),
    });
    let escapes: &[u8] = if style == Style::Escaped { br"\%=&" } else { b"0" };
    for byte in escapes {
        begins[usize::from(*byte)] = true;
    }
    begins
}

/// Where the secret ends of which the letters from `first` on begin at this place, whatever its case and however its characters
/// are written. Of a long one, half is enough, and less than that of its beginning at the end of the text.
fn spelled_at(text: &[u8], start: usize, secret: &[u8], first: usize, style: Style, place: Place) -> Option<usize> {
    let (end, read) = run(text, start, (secret, first), style, place);
    let is_whole = first + read == secret.len();
    let is_enough = || {
        read >= large_part(secret.len()) || first == 0 && read >= SHORTEST_PART && is_end(&text[end..], style, place)
    };
    (is_whole || secret.len() >= LONG && is_enough()).then_some(end)
}

/// Whether nothing follows but dots for what was cut off, and before them a gap and a part of the next character.
fn is_end(rest: &[u8], style: Style, place: Place) -> bool {
    let mut begun = rest.strip_suffix(b"...").or_else(|| rest.strip_suffix("…".as_bytes())).unwrap_or(rest);
    if begun.len() > LONGEST_ESCAPE {
        return false;
    }
    while let Some(length) = gap(begun, style, place) {
        begun = &begun[length..];
    }
    let is_of_escape = |byte: &u8| byte.is_ascii_alphanumeric() || br"\%=&#{".contains(byte);
    let is_begun = |first: &u8| match style {
        Style::Escaped => br"\%=&".contains(first),
        Style::Hex | Style::Decimal => first.is_ascii_digit() || begun.len() == 1 && first.is_ascii_hexdigit(),
    };
    begun.first().is_none_or(is_begun) && begun.iter().all(is_of_escape)
}

/// Where the letters of a secret end that begin at this place, from the `first` on, and how many of them there are.
fn run(text: &[u8], start: usize, (secret, first): (&[u8], usize), style: Style, place: Place) -> (usize, usize) {
    let widest = if secret.len() >= LONG { WIDEST_GAP } else { 0 };
    let mut at = start;
    for (read, byte) in secret[first..].iter().enumerate() {
        match next_spelled(text, at, *byte, style, place, if read > 0 { widest } else { 0 }) {
            Some(end) => at = end,
            None => return (at, read),
        }
    }
    (at, secret.len() - first)
}

/// The length of what the text begins with if that is this byte.
fn spelled(text: &[u8], byte: u8, style: Style) -> Option<usize> {
    let is_it = |found: &(u8, usize)| found.0.eq_ignore_ascii_case(&byte);
    let as_it_is = || text.first().filter(|_| style == Style::Escaped).map(|first| (*first, 1));
    written(text, style).filter(is_it).or_else(|| as_it_is().filter(is_it)).map(|(_, length)| length)
}

/// The byte that the text begins with in this style, and the length of what stands for it.
fn written(text: &[u8], style: Style) -> Option<(u8, usize)> {
    match style {
        Style::Escaped => escaped(text),
        Style::Hex => number(text, 0..2, 16).map(|byte| (byte, 2)),
        Style::Decimal => {
            let digits = text.iter().take(3).take_while(|digit| digit.is_ascii_digit()).count();
            number(text, 0..digits, 10).map(|byte| (byte, digits))
        }
    }
}

/// The most bytes that may stand between two characters of a secret.
pub(super) const WIDEST_GAP: usize = 12;

/// Where the byte ends that stands at this place, or behind a gap that is not wider than that.
fn next_spelled(text: &[u8], start: usize, byte: u8, style: Style, place: Place, widest: usize) -> Option<usize> {
    let escaped = || after_backslashes(&text[start..], byte).filter(|_| style == Style::Escaped);
    behind_gap(text, start, byte, style, place, widest).or_else(|| Some(start + escaped()?))
}

/// The length of backslashes and this byte. Markdown and shells may escape any letter.
fn after_backslashes(text: &[u8], byte: u8) -> Option<usize> {
    let slashes = text.iter().take(MOST_SLASHES).take_while(|byte| **byte == b'\\').count();
    let is_it = text.get(slashes).is_some_and(|found| found.eq_ignore_ascii_case(&byte));
    (slashes > 0 && is_it).then_some(slashes + 1)
}

fn behind_gap(text: &[u8], start: usize, byte: u8, style: Style, place: Place, widest: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let rest = &text[at..];
        if let Some(length) = spelled(rest, byte, style) {
            return Some(at + length);
        }
        at += gap(rest, style, place)?;
        if at - start > widest {
            return None;
        }
    }
}

/// The length of what the text begins with if that means nothing between two characters of a secret: white space, ends of
/// lines and control characters, what joins the parts of a text, characters that cannot be seen, and the other half of UTF-16.
fn gap(text: &[u8], style: Style, place: Place) -> Option<usize> {
    Some(match text {
        [b'"', ..] if place == Place::Json => return None,
        [b'0', b'x' | b'0', ..] if style == Style::Hex => 2,
        [b'0', b',' | b' ', ..] if style == Style::Decimal => 2,
        [b'\0' | b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\'' | b'+' | b':' | b',', ..] => 1,
        [b'.' | b'-' | b'_' | b'|' | b';' | b'/', ..] => 1,
        // Control characters.
        [0x01..=0x1F | 0x7F, ..] => 1,
        [0xC2, 0x80..=0x9F, ..] => 2,
        [b'=' | b'\\', b'\n', ..] | [b'\\', b'n' | b'r' | b't', ..] => 2,
        // Soft hyphens, spaces without a break, characters without width, fillers, byte order marks, tags.
        [0xC2, 0xA0 | 0xAD, ..] | [0xD8, 0x9C, ..] => 2,
        // Marks that are put on the letter before them.
        [0xCC, 0x80..=0xBF, ..] | [0xCD, 0x80..=0xAF, ..] => 2,
        [0xE1, 0xA0, 0x8B..=0x8F, ..] | [0xE2, 0x80, 0x80..=0x8F | 0xA8..=0xAF, ..] | [0xE2, 0x81, 0x9F..=0xAF, ..] => {
            3
        }
        [0xE1, 0x85, 0x9F | 0xA0, ..] | [0xE3, 0x80, 0x80, ..] | [0xE3, 0x85, 0xA4, ..] | [0xE2, 0xA0, 0x80, ..] => 3,
        [0xEF, 0xB8, 0x80..=0x8F, ..] | [0xEF, 0xBB, 0xBF, ..] | [0xEF, 0xBE, 0xA0, ..] => 3,
        [0xF3, 0xA0, 0x80..=0x87, 0x80..=0xBF, ..] => 4,
        // The same as JSON writes them.
        [b'\\', b'u', b'2', b'0', b'0', b'b'..=b'f' | b'B'..=b'F', ..] => 6,
        _ => escaped(text).filter(|(byte, _)| matches!(byte, 0..=b' ' | b'"' | 0x7F..=0xA0 | 0xAD))?.1,
    })
}

/// The number of these digits, if it is a byte.
fn number(text: &[u8], range: Range<usize>, radix: u32) -> Option<u8> {
    let digits = text.get(range).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_u8, |number, digit| {
        let digit = u8::try_from(char::from(*digit).to_digit(radix)?).ok()?;
        number.checked_mul(u8::try_from(radix).ok()?)?.checked_add(digit)
    })
}

/// The byte that the text begins with, and the length of its escape, if URLs, JSON, source code, HTML or mail write it so.
fn escaped(text: &[u8]) -> Option<(u8, usize)> {
    let (first, rest) = text.split_first()?;
    match first {
        b'\\' => {
            // JSON within JSON escapes the backslashes of its escapes.
            let slashes = text.iter().take(MOST_SLASHES).take_while(|byte| **byte == b'\\').count();
            let (byte, length) = after_slashes(&text[slashes..])?;
            Some((byte, slashes + length))
        }
        b'%' => {
            // URLs within URLs escape the per cent signs of their escapes.
            let again = rest.chunks(2).take_while(|digits| digits == b"25").count() * 2;
            let whole = number(rest, again..again + 2, 16).map(|byte| (byte, again + 3));
            let utf16 = || number(rest.strip_prefix(b"u")?, 0..4, 16).map(|byte| (byte, 6));
            let whole = whole.or_else(utf16);
            whole.or_else(|| number(rest, 0..2, 16).map(|byte| (byte, 3)))
        }
        b'=' => number(rest, 0..2, 16).map(|byte| (byte, 3)),
        b'&' => {
            // HTML within HTML escapes the ampersands of its escapes.
            let again = rest.chunks(4).take_while(|word| word == b"amp;").count() * 4;
            let (byte, length) = entity(&rest[again..])?;
            Some((byte, 1 + again + length))
        }
        _ => None,
    }
}

/// What stands after the backslashes of an escape.
fn after_slashes(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'u', b'{', rest @ ..] => {
            let end = memchr::memchr(b'}', &rest[..7.min(rest.len())])?;
            Some((number(rest, 0..end, 16)?, end + 3))
        }
        [b'u', ..] => number(text, 1..5, 16).map(|byte| (byte, 5)),
        [b'U', ..] => number(text, 1..9, 16).map(|byte| (byte, 9)),
        [b'x', ..] => number(text, 1..3, 16).map(|byte| (byte, 3)),
        [b'0'..=b'3', b'0'..=b'7', b'0'..=b'7', ..] => number(text, 0..3, 8).map(|byte| (byte, 3)),
        [byte @ (b'/' | b'"'), ..] => Some((*byte, 1)),
        _ => {
            // As style sheets do: a space ends the number.
            let digits = text.iter().take(6).take_while(|digit| digit.is_ascii_hexdigit()).count();
            let byte = number(text, 0..digits, 16).filter(|_| digits > 1)?;
            Some((byte, digits + usize::from(text.get(digits) == Some(&b' '))))
        }
    }
}

/// The rest of an entity after its ampersand: those that have names, and those of numbers. Browsers need no semicolon.
fn entity(text: &[u8]) -> Option<(u8, usize)> {
    const NAMED: [(&[u8], u8); 38] = [
        (b"Hat;", b'^'),
        (b"NewLine;", b'\n'),
        (b"Tab;", b'\t'),
        (b"UnderBar;", b'_'),
        (b"VerticalLine;", b'|'),
        (b"apos;", b'\''),
        (b"ast;", b'*'),
        (b"bsol;", b'\\'),
        (b"colon;", b':'),
        (b"comma;", b','),
        (b"commat;", b'@'),
        (b"dollar;", b'$'),
        (b"equals;", b'='),
        (b"excl;", b'!'),
        (b"grave;", b'`'),
        (b"gt;", b'>'),
        (b"lbrace;", b'{'),
        (b"lbrack;", b'['),
        (b"lcub;", b'{'),
        (b"lowbar;", b'_'),
        (b"lpar;", b'('),
        (b"lsqb;", b'['),
        (b"lt;", b'<'),
        (b"midast;", b'*'),
        (b"nbsp;", 0xA0),
        (b"num;", b'#'),
        (b"percnt;", b'%'),
        (b"period;", b'.'),
        (b"plus;", b'+'),
        (b"quest;", b'?'),
        (b"quot;", b'"'),
        (b"rbrace;", b'}'),
        (b"rbrack;", b']'),
        (b"rcub;", b'}'),
        (b"rpar;", b')'),
        (b"semi;", b';'),
        (b"sol;", b'/'),
        (b"verbar;", b'|'),
    ];
    if let Some((name, byte)) = NAMED.into_iter().find(|(name, _)| text.starts_with(name)) {
        return Some((byte, name.len()));
    }
    let (radix, digits) = match text {
        [b'#', b'x' | b'X', ..] => (16, 2),
        [b'#', ..] => (10, 1),
        _ => return None,
    };
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
    let end = digits + text.get(digits..)?.iter().take(8).take_while(is_digit).count();
    let byte = number(text, digits..end, radix)?;
    Some((byte, end + usize::from(text.get(end) == Some(&b';'))))
}
