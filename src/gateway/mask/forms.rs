//! The forms of a secret that are searched for letter by letter: as it is, reversed, and its encodings. A large part of any of
//! them is enough: what a gateway repeats has often been cut.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

use super::{LONG, SHORTEST_PART};

/// The forms of one long secret, and where to look for them.
pub(super) struct Forms {
    forms: Vec<Form>,
    /// Pieces of the forms, by their hash. They are as close together as it takes for each large part of a form to hold one.
    pieces: Vec<Piece>,
    /// A bit for each hash of a piece. Next to all places of a text are passed over by it.
    known: Vec<u64>,
}

struct Form {
    text: SecretString,
    /// How many of its letters are enough.
    enough: usize,
    /// Whether no letter of it stands for itself. It may then be broken into lines, and what stands around it without a gap
    /// encodes the letters before and behind.
    is_encoded: bool,
    /// Whether it may be written without its middle. Nobody shortens what is encoded twice.
    is_shortened: bool,
}

#[derive(Clone, Copy)]
struct Piece {
    hash: u16,
    form: usize,
    at: usize,
}

/// The length of a piece in bytes.
const PIECE: usize = SHORTEST_PART;

/// As many letters on either side of an encoded secret are masked with it, if they stand there without a gap.
const MOST_AROUND: usize = 64;

impl Forms {
    /// Those of this secret, and its `reversed`. A short secret has none.
    pub(super) fn new(secret: &str, reversed: &str) -> Self {
        if secret.len() < LONG {
            return Self { forms: Vec::new(), pieces: Vec::new(), known: Vec::new() };
        }
        let plain = [secret, reversed].map(|text| (SecretString::from(text), false));
        let encoded = encodings(secret).into_iter().map(|text| (text, true));
        let part_of = |length: usize| length * large_part(secret.len()) / secret.len();
        let form = |(text, is_encoded): (SecretString, bool)| {
            let length = text.expose_secret().len();
            Form { enough: part_of(length), is_encoded, is_shortened: length <= 2 * secret.len(), text }
        };
        let forms: Vec<Form> = plain.into_iter().chain(encoded).map(form).collect();
        let mut pieces: Vec<Piece> = forms
            .iter()
            .enumerate()
            .flat_map(|(index, form)| form.pieces().map(move |at| (index, at, form)))
            .map(|(form, at, of)| Piece { hash: hash_of(&of.bytes()[at..at + PIECE]), form, at })
            .collect();
        pieces.sort_unstable_by_key(|piece| piece.hash);
        let mut known = vec![0; (1 << u16::BITS) / 64];
        for Piece { hash, .. } in &pieces {
            known[usize::from(*hash) / 64] |= 1 << (hash % 64);
        }
        Self { forms, pieces, known }
    }

    /// Where large parts of the forms stand in the text, in bytes.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let bytes = text.as_bytes();
        let mut found: Vec<Range<usize>> = Vec::new();
        if self.pieces.is_empty() {
            return found;
        }
        let mut last = 0;
        for (end, byte) in bytes.iter().enumerate() {
            last = shifted(last, *byte);
            let hash = hash(last);
            if self.known[usize::from(hash) / 64] & (1 << (hash % 64)) == 0 || end + 1 < PIECE {
                continue;
            }
            let first = self.pieces.partition_point(|piece| piece.hash < hash);
            for piece in self.pieces[first..].iter().take_while(|piece| piece.hash == hash) {
                found.extend(self.forms[piece.form].around(bytes, end + 1 - PIECE, piece.at));
            }
        }
        found
            .extend(self.forms.iter().filter(|form| form.is_encoded).filter_map(|form| cut_at_end(text, form.bytes())));
        let short = || self.forms.iter().filter(|form| form.is_shortened);
        found.extend(ellipses(text).flat_map(|gap| short().filter_map(move |form| form.around_ellipsis(bytes, &gap))));
        found
    }
}

/// The last bytes of a text, as many as a piece has, in one number. Letters of both cases are alike.
fn shifted(last: u64, byte: u8) -> u64 {
    (last << 8 | u64::from(byte | 0x20)) & ((1 << (8 * PIECE)) - 1)
}

fn hash(last: u64) -> u16 {
    // 2^64 divided by the golden ratio, after Knuth: the high bits depend on all bits of the number.
    (last.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - u16::BITS)) as u16
}

fn hash_of(piece: &[u8]) -> u16 {
    hash(piece.iter().fold(0, |last, byte| shifted(last, *byte)))
}

impl Form {
    fn bytes(&self) -> &[u8] {
        self.text.expose_secret().as_bytes()
    }

    /// Where the pieces begin that are searched for.
    fn pieces(&self) -> impl Iterator<Item = usize> + use<> {
        // Each part that is large enough holds one, or three where the end of a line may be in the midst of one.
        let apart = self.enough - PIECE + 1;
        let apart = if self.is_encoded { apart.div_ceil(3) } else { apart };
        (0..=self.bytes().len() - PIECE).step_by(apart)
    }

    /// What of the text is a part of this form that is large enough, if the piece at `own` stands at `at`.
    fn around(&self, text: &[u8], at: usize, own: usize) -> Option<Range<usize>> {
        let form = self.bytes();
        let (before, rest) = form.split_at(own);
        let (mut start, mut end, mut letters) = (at, at, 0);
        for letter in rest {
            let next = end + if self.is_encoded { line_break(&text[end..]) } else { 0 };
            if !text.get(next).is_some_and(|found| found.eq_ignore_ascii_case(letter)) {
                break;
            }
            (end, letters) = (next + 1, letters + 1);
        }
        if letters < PIECE {
            return None;
        }
        for letter in before.iter().rev() {
            let next = start - if self.is_encoded { line_break_before(&text[..start]) } else { 0 };
            if !text[..next].last().is_some_and(|found| found.eq_ignore_ascii_case(letter)) {
                break;
            }
            (start, letters) = (next - 1, letters + 1);
        }
        if letters < self.enough {
            return None;
        }
        if self.is_encoded {
            let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
            start -= text[..start].iter().rev().take(MOST_AROUND).take_while(is_part).count();
            end += text[end..].iter().take(MOST_AROUND).take_while(is_part).count();
        }
        Some(start..end)
    }

    /// The beginning and the end of this form, on both sides of an ellipsis, if they are a large part of it together.
    fn around_ellipsis(&self, text: &[u8], ellipsis: &Range<usize>) -> Option<Range<usize>> {
        /// The fewest letters of each.
        const FEWEST: usize = 4;
        let form = self.bytes();
        let start = text[..ellipsis.start].trim_ascii_end().len();
        let end = text.len() - text[ellipsis.end..].trim_ascii_start().len();
        let is_first = |length: &usize| {
            let at = start.checked_sub(*length);
            at.is_some_and(|at| text[at..start].eq_ignore_ascii_case(&form[..*length]))
        };
        let is_last = |length: &usize| {
            let found = text.get(end..end + length);
            found.is_some_and(|found| found.eq_ignore_ascii_case(&form[form.len() - length..]))
        };
        let last = (FEWEST..form.len()).rev().find(is_last)?;
        let first = (FEWEST..form.len()).rev().find(is_first)?;
        (first + last >= self.enough).then(|| start - first..end + last)
    }
}

/// How many bytes of a long secret are masked without the rest of it.
pub(super) fn large_part(length: usize) -> usize {
    LONG.max(length / 2)
}

/// The secret in base64, also in the midst of a longer text and encoded twice, as UTF-16 in base64, and in hexadecimal.
fn encodings(secret: &str) -> Vec<SecretString> {
    let mut all = base64(secret.as_bytes());
    let twice: Vec<String> = all.iter().flat_map(|once| base64(once.as_bytes())).collect();
    all.extend(twice);
    for utf16 in [u16::to_le_bytes, u16::to_be_bytes] {
        all.extend(base64(&secret.encode_utf16().flat_map(utf16).collect::<Vec<u8>>()));
    }
    all.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(SecretString::from).collect()
}

/// What of these bytes is the same in every base64 text that holds them.
fn base64(bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    for shift in 0..3 {
        let padded = [&[0; 2][..shift], bytes].concat();
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            // Only letters that stand for bits of the secret alone are the same in every text.
            let inner = (shift * 8).div_ceil(6)..padded.len() * 8 / 6;
            all.push(text[inner].to_owned());
        }
    }
    all
}

/// The length of the white space that the text begins with, as it is or as JSON writes it.
pub(super) fn line_break(text: &[u8]) -> usize {
    match text {
        [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] => 1 + line_break(rest),
        [b'\\', b'n' | b'r' | b't', rest @ ..] => 2 + line_break(rest),
        _ => 0,
    }
}

/// The same at its end.
fn line_break_before(text: &[u8]) -> usize {
    match text {
        [rest @ .., b' ' | b'\n' | b'\r' | b'\t'] => 1 + line_break_before(rest),
        [rest @ .., b'\\', b'n' | b'r' | b't'] => 2 + line_break_before(rest),
        _ => 0,
    }
}

/// Where the beginning of an encoded secret stands at the end of a text, which was cut there.
pub(super) fn cut_at_end(text: &str, encoded: &[u8]) -> Option<Range<usize>> {
    let text = text.trim_end_matches(['.', '…']).as_bytes();
    let length = (SHORTEST_PART..encoded.len()).rev().find(|length| text.ends_with(&encoded[..*length]))?;
    Some(text.len() - length..text.len())
}

/// Where a secret stands whose middle is left out, as many programs shorten one: `sk-Zq7x...J0aC`, `sk-***aC9d`. Those few letters
/// are no secret, but a short key has few more.
pub(super) fn shortened(text: &str, secret: &[u8]) -> Vec<Range<usize>> {
    /// The fewest letters of the beginning and of the end that tell a secret.
    const FEWEST: (usize, usize) = (3, 4);
    let bytes = text.as_bytes();
    let longest =
        |fewest: usize, is_there: &dyn Fn(usize) -> bool| (fewest..secret.len()).rev().find(|length| is_there(*length));
    let found = ellipses(text).filter_map(|Range { start, end }| {
        let first = longest(FEWEST.0, &|length| bytes[..start].ends_with(&secret[..length]))?;
        let last = longest(FEWEST.1, &|length| bytes[end..].starts_with(&secret[secret.len() - length..]))?;
        Some(start - first..end + last)
    });
    found.collect()
}

/// Where dots or stars stand in the place of something, in bytes.
fn ellipses(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut searched = 0;
    std::iter::from_fn(move || {
        loop {
            let start = searched + memchr::memchr3(b'.', b'*', 0xE2, &text.as_bytes()[searched..])?;
            // What else begins with this byte has others behind it that are no letters.
            let end =
                text.len() - text.get(start..).map_or(0, |rest| rest.trim_start_matches(['.', '*', '…', '•']).len());
            searched = end.max(start + 1);
            if end >= start + 2 && end < text.len() {
                return Some(start..end);
            }
        }
    })
}

/// Where the beginning and the end of a secret stand near each other and are together a large part of it, whatever stands between
/// them for what was left out: `[…]`, `(redacted)`, an escaped ellipsis.
pub(super) fn apart(text: &str, secret: &[u8]) -> Vec<Range<usize>> {
    /// The fewest letters of the beginning and of the end.
    const FEWEST: usize = 6;
    /// The most bytes between them.
    const WIDEST: usize = 24;
    let (bytes, length) = (text.as_bytes(), secret.len());
    let ends = memchr::memmem::find_iter(bytes, &secret[length - FEWEST..]).map(|at| at + FEWEST);
    let found = ends.filter_map(|end| {
        let last = (FEWEST..length).rev().find(|last| bytes[..end].ends_with(&secret[length - last..]))?;
        let widest = WIDEST.min(end - last);
        (1..=widest).find_map(|gap| {
            let (before, between) = bytes[..end - last].split_at(end - last - gap);
            // The end of a text, of an item or of a field.
            if between.iter().any(|byte| matches!(byte, b'"' | b',' | b':' | b'\n')) {
                return None;
            }
            let first = (FEWEST..length).rev().find(|first| before.ends_with(&secret[..*first]))?;
            // More than all letters are two secrets, which are found by themselves.
            (large_part(length)..=length).contains(&(first + last)).then(|| before.len() - first..end)
        })
    });
    found.collect()
}
