//! How many tokens a PDF may take: its pages, of which vendors add pictures, and its text, which is compressed in it.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::ZlibDecoder;
use memchr::{memchr, memchr_iter, memmem};

use self::encodings::{ascii85, hex, is_zlib};
use crate::chat::decode_base64;

mod encodings;

/// As much is decompressed of the documents of one request, in bytes; what follows counts by its length.
pub(super) const MOST_INFLATED: u64 = 16 << 20;

/// More pages are not believed.
const MOST_PAGES: u64 = 1_000_000;

/// The most pages that a vendor takes (Google). Where pages may be hidden, a document counts as so many.
const MOST_TAKEN: u64 = 1_000;

/// How far from a number or a list of pages the other fields of its object are looked for, in bytes.
const NEARBY: usize = 256;

/// A stream may be encoded so many times.
const MOST_ENCODINGS: usize = 4;

/// The most tokens of a usual PDF whose pages take so many tokens each besides their text. Those of the most pages that are taken
/// where its pages cannot be counted. As much as `left` says may be decompressed, in bytes.
pub(super) fn most_tokens(base64: &str, page: u64, left: &Cell<u64>) -> u64 {
    let document = match decode_base64(base64) {
        Some(pdf) => Document::read(&pdf, left),
        None => Document { is_hidden: true, ..Document::new(base64.len(), left) },
    };
    document.tokens(page)
}

/// What was found in a PDF.
#[derive(Debug)]
struct Document<'a> {
    /// All of it, in bytes.
    length: u64,
    /// The pages that stand in it.
    pages: u64,
    /// The most pages that it says to have.
    count: u64,
    /// The references in its lists of pages by their objects, which later parts of the file may replace, and those of lists
    /// whose objects have no number before them.
    listed: BTreeMap<u64, u64>,
    others: Vec<u64>,
    /// The most tokens of its text.
    text: u64,
    /// How much may still be decompressed, in bytes.
    left: &'a Cell<u64>,
    /// Whether there may be pages that could not be found.
    is_hidden: bool,
}

/// What a stream of bytes in a PDF is, by the dictionary before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Objects, among them pages.
    Objects,
    /// A picture or a font, which holds no text.
    NoText,
    /// What pages show, or anything else.
    Other,
}

impl<'a> Document<'a> {
    /// One of this length, in bytes, of which nothing is known.
    fn new(length: usize, left: &'a Cell<u64>) -> Self {
        let (listed, others) = (BTreeMap::new(), Vec::new());
        Self { length: length as u64, pages: 0, count: 0, listed, others, text: 0, left, is_hidden: false }
    }

    fn read(pdf: &[u8], left: &'a Cell<u64>) -> Self {
        let mut document = Self::new(pdf.len(), left);
        let mut rest = pdf;
        while let Some(at) = start_of_stream(rest) {
            let (head, body) = rest.split_at(at);
            let body = &body[b"stream".len()..];
            let end = memmem::find(body, b"endstream").unwrap_or(body.len());
            document.count_pages(head);
            document.stream(dictionary(head), body[..end].trim_ascii_start());
            rest = &body[end..];
            rest = rest.strip_prefix(b"endstream").unwrap_or(rest);
        }
        document.count_pages(rest);
        document.is_hidden |= memmem::find(pdf, b"/Encrypt").is_some();
        document
    }

    fn tokens(&self, page: u64) -> u64 {
        let pages = self.pages.max(self.count).max(self.listed());
        let pages = if self.is_hidden { pages.max(MOST_TAKEN) } else { pages };
        let tokens = pages.saturating_mul(page).saturating_add(self.text);
        if pages == 0 || self.is_hidden { tokens.max(self.length) } else { tokens }
    }

    /// The pages in lists. All lists but one stand in others.
    fn listed(&self) -> u64 {
        let lists = (self.listed.len() + self.others.len()) as u64;
        let references = self.listed.values().chain(&self.others).fold(0_u64, |sum, list| sum.saturating_add(*list));
        references.saturating_sub(lists.saturating_sub(1))
    }

    fn stream(&mut self, dictionary: &[u8], body: &[u8]) {
        let kind = Kind::of(dictionary);
        if kind == Kind::NoText {
            return;
        }
        let (content, is_whole) = self.decoded(body);
        if kind == Kind::Objects {
            // They begin with their numbers.
            self.is_hidden |= !is_whole || !content.trim_ascii_start().first().is_some_and(u8::is_ascii_digit);
            self.count_pages(&content);
            return;
        }
        // A token has four bytes of text, and compressed text no less than one byte and a half.
        let compressed = (body.len() as u64).saturating_mul(2) / 3;
        self.text = self.text.saturating_add(compressed.max(content.len() as u64 / 4));
    }

    /// What a stream holds, and whether that is all. It is known by its content how it is encoded: its dictionary may say so in
    /// another object.
    fn decoded<'b>(&mut self, body: &'b [u8]) -> (Cow<'b, [u8]>, bool) {
        let mut content = Cow::Borrowed(body);
        for _ in 0..MOST_ENCODINGS {
            let inflated = is_zlib(&content).then(|| self.inflated(&content));
            let decoded = match inflated {
                Some((inflated, true)) => inflated,
                Some((inflated, false)) if self.left.get() == 0 || inflated.len() > content.len() => {
                    return (inflated.into(), false);
                }
                // Text may begin in the same way.
                _ => match self.read_letters(&content) {
                    Some(decoded) => decoded,
                    None => return (content, true),
                },
            };
            content = decoded.into();
        }
        (content, false)
    }

    /// What is written in letters, if that is how it is encoded and no more than may be decompressed.
    fn read_letters(&self, content: &[u8]) -> Option<Vec<u8>> {
        let is_small = content.len() as u64 <= self.left.get();
        let decoded = is_small.then(|| ascii85(content).or_else(|| hex(content)))??;
        self.left.set(self.left.get().saturating_sub(decoded.len() as u64));
        Some(decoded)
    }

    /// Decompresses as much as it may. Returns whether that is all.
    fn inflated(&mut self, body: &[u8]) -> (Vec<u8>, bool) {
        let mut content = Vec::new();
        let read = ZlibDecoder::new(body).take(self.left.get()).read_to_end(&mut content);
        self.left.set(self.left.get().saturating_sub(content.len() as u64));
        (content, read.is_ok() && self.left.get() > 0)
    }

    fn count_pages(&mut self, objects: &[u8]) {
        let is_page = |at: usize| name_at(&objects[at..]) == Some(b"Page");
        self.pages += values(objects, b"/Type").filter(|at| is_page(*at)).count() as u64;
        for at in values(objects, b"/Count") {
            // A table of contents has numbers of its own.
            let around = &objects[at.saturating_sub(NEARBY)..objects.len().min(at + NEARBY)];
            if object_around(around, at.min(NEARBY)).is_some_and(is_outline) || objects[at] == b'-' {
                continue;
            }
            match whole_number(&objects[at..]) {
                Some(number) => self.count = self.count.max(number.min(MOST_PAGES)),
                None => self.is_hidden = true,
            }
        }
        self.count_listed(objects);
        self.is_hidden |= has_escaped_names(objects);
    }

    /// Counts the references in lists of pages. A page may stand in one several times, or say nothing of its type.
    fn count_listed(&mut self, objects: &[u8]) {
        let mut read = 0;
        for at in values(objects, b"/Kids") {
            if at < read {
                continue;
            }
            let begin = memmem::rfind(&objects[at.saturating_sub(NEARBY)..at], b"<<")
                .map_or(at, |before| at.saturating_sub(NEARBY) + before);
            let list = objects[at..].strip_prefix(b"[");
            let Some((list, length)) = list.and_then(|list| Some((list, memchr(b']', list)?))) else {
                // It is in another object, or has no end.
                self.is_hidden |= is_of_pages(&objects[begin..objects.len().min(at + NEARBY)]);
                read = if list.is_some() { objects.len() } else { at };
                continue;
            };
            read = at + 1 + length;
            let behind = &objects[read..objects.len().min(read + NEARBY)];
            let behind = &behind[..memmem::find(behind, b">>").unwrap_or(behind.len())];
            if is_of_pages(&objects[begin..at]) || is_of_pages(behind) {
                let references = list[..length].iter().filter(|byte| **byte == b'R').count() as u64;
                match number_of_object(&objects[..begin]) {
                    Some(number) => {
                        let listed = self.listed.entry(number).or_default();
                        *listed = references.max(*listed);
                    }
                    None => self.others.push(references),
                }
            }
        }
    }
}

impl Kind {
    fn of(dictionary: &[u8]) -> Self {
        let subtype = values(dictionary, b"/Subtype").next().and_then(|at| name_at(&dictionary[at..]));
        if values(dictionary, b"/Type").any(|at| name_at(&dictionary[at..]) == Some(b"ObjStm")) {
            Self::Objects
        } else if matches!(subtype, Some(b"Image" | b"Type1C" | b"CIDFontType0C" | b"OpenType"))
            || memmem::find(dictionary, b"/Length1").is_some()
        {
            Self::NoText
        } else {
            Self::Other
        }
    }
}

/// Where the next stream begins: the word is followed by the end of its line.
fn start_of_stream(pdf: &[u8]) -> Option<usize> {
    let word = b"stream";
    memmem::find_iter(pdf, word).find(|at| matches!(pdf.get(at + word.len()), Some(b'\r' | b'\n')))
}

/// The dictionary at the end of this text.
fn dictionary(head: &[u8]) -> &[u8] {
    &head[memmem::rfind(head, b"obj").unwrap_or(0)..]
}

/// Where the values of this field begin.
fn values<'a>(text: &'a [u8], field: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    memmem::find_iter(text, field).filter_map(move |at| {
        let value = at + field.len();
        let white = text[value..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let begins = text.get(value + white)?;
        // Another field may begin with the same letters.
        (white > 0 || !begins.is_ascii_alphanumeric()).then_some(value + white)
    })
}

/// The name that stands at the beginning of the text.
fn name_at(text: &[u8]) -> Option<&[u8]> {
    let name = text.strip_prefix(b"/")?;
    Some(&name[..name.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()])
}

/// As much of the object around this place as stands in the text.
fn object_around(text: &[u8], at: usize) -> Option<&[u8]> {
    let (before, after) = text.split_at_checked(at)?;
    let begin = memmem::rfind(before, b"<<").unwrap_or(0);
    let end = memmem::find(after, b">>").unwrap_or(after.len());
    text.get(begin..at + end)
}

/// Whether a name that is looked for is written with escapes, which it does not need.
fn has_escaped_names(objects: &[u8]) -> bool {
    const NAMES: [&[u8]; 8] = [b"Count", b"Encrypt", b"Filter", b"Kids", b"ObjStm", b"Page", b"Pages", b"Type"];
    /// With all of its letters as escapes.
    const LONGEST: usize = 3 * b"Encrypt".len();
    memchr_iter(b'/', objects).any(|at| {
        let rest = &objects[at + 1..objects.len().min(at + 2 + LONGEST)];
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#').count();
        let name = &rest[..length];
        name.contains(&b'#') && NAMES.contains(&&*unescaped(name))
    })
}

/// The name that is meant: two hexadecimal digits behind `#` are one letter.
fn unescaped(mut name: &[u8]) -> Vec<u8> {
    let mut meant = Vec::with_capacity(name.len());
    while let Some((first, rest)) = name.split_first() {
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let letter = digits.filter(|_| *first == b'#').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        meant.push(letter.unwrap_or(*first));
        name = &rest[if letter.is_some() { 2 } else { 0 }..];
    }
    meant
}

/// The number of the object that begins behind this text: `12 0 obj`.
fn number_of_object(before: &[u8]) -> Option<u64> {
    let head = before.trim_ascii_end().strip_suffix(b"obj")?;
    let head = &head[head.len().saturating_sub(NEARBY)..];
    let mut words = head.rsplit(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (_, number) = (words.next()?, words.next()?);
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Whether the type of a list of pages stands in this part of an object.
fn is_of_pages(object: &[u8]) -> bool {
    values(object, b"/Type").any(|at| name_at(&object[at..]) == Some(b"Pages"))
}

/// The number that the text begins with; `None` where it is something else, such as a reference to another object.
fn whole_number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = text[digits..].trim_ascii_start();
    let is_whole = matches!(behind.first(), None | Some(b'/' | b'>')) && digits > 0;
    let number = std::str::from_utf8(&text[..digits]).ok().filter(|_| is_whole)?;
    Some(number.parse().unwrap_or(u64::MAX))
}

fn is_outline(object: &[u8]) -> bool {
    memmem::find(object, b"/First").is_some()
}

#[cfg(test)]
mod tests;
