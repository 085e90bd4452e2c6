//! What the strings in the fields of an answer end with that may be the beginning of a secret.

use std::borrow::Cow;
use std::collections::HashMap;

use memchr::memchr;

use crate::gateway::json_text::{Unescaped, unescaped};
use crate::gateway::mask::{Mask, Rest, SHORTEST_PART};

/// The ends of the last strings, by their fields.
#[derive(Debug, Default)]
pub(super) struct Ends {
    open: HashMap<Field, Vec<Beginning>>,
    /// What the fields that this event has had went on from. An event may have a field twice: then some readers take the first one,
    /// and others the last.
    earlier: HashMap<Field, Vec<Beginning>>,
}

/// A field of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Field {
    name: Vec<u8>,
    /// The numbers of the choice, the block and the tool call that it belongs to, as its event has them or by its place in lists, or the
    /// name of the object that it is in; empty for the field wherever it is.
    place: Vec<u8>,
}

/// So many bytes of a name tell fields apart.
pub(super) const LONGEST_NAME: usize = 256;

impl Field {
    pub(super) fn new(name: &[u8], place: &[u8]) -> Self {
        Self { name: name[..name.len().min(LONGEST_NAME)].to_vec(), place: place.to_vec() }
    }
}

/// What a string is, which decides what is masked in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// All but the words of an answer: parts of a secret are masked in it.
    Other,
    /// Words of a whole answer.
    Words,
    /// Words of a stream: these may be the arguments of a tool, which are JSON again. Escapes in them are not masked.
    WordsOfStream,
}

/// The ends of so many fields are kept, unless they are long ones.
pub(super) const MOST_OPEN: usize = 1024;

/// As many ends are kept of one field, the longest ones.
const MOST_OF_FIELD: usize = 8;

/// What a text may have told of a secret so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Beginning {
    /// The letters of the secret, up to where the text goes on.
    pub(super) letters: Vec<u8>,
    /// How many of them were told. All others are masked.
    pub(super) told: usize,
    is_masked: bool,
    /// Whether escapes in the text were read. It may have had none so far.
    is_unescaped: bool,
    /// The beginning of an escape that such a text ended with.
    cut: Vec<u8>,
}

/// What comes of a beginning.
pub(super) enum Next {
    /// More of a secret is told than may be.
    Split,
    More(Beginning),
    Other,
}

impl Beginning {
    /// What a text ends with that may be the beginning of a secret. Parts of one may stay in it as they are where `is_answer`.
    pub(super) fn at_end(mask: &Mask, text: &[u8], is_answer: bool) -> Option<Self> {
        if let Some(letters) = mask.masked_at_end(text).filter(|_| !is_answer) {
            return Some(Self { letters: letters.to_vec(), is_masked: true, ..Self::default() });
        }
        let told = mask.open_at_end(text);
        (told > 0).then(|| Self { letters: text[text.len() - told..].to_vec(), told, ..Self::default() })
    }

    /// How this goes on in the text that comes next.
    pub(super) fn next(&self, mask: &Mask, text: &[u8], is_answer: bool) -> Next {
        let Some(rest) = mask.rest(&self.letters, text) else { return Next::Other };
        let part = if let Rest::Whole(length) = rest { &text[..length] } else { text };
        let is_large = !is_answer && mask.is_large_part(part);
        let told = self.told + if is_large { 0 } else { part.len() };
        let is_masked = self.is_masked || is_large;
        match rest {
            _ if is_masked && told >= SHORTEST_PART => Next::Split,
            Rest::Whole(_) if is_masked => Next::Other,
            Rest::Whole(_) => Next::Split,
            Rest::More(start) => {
                let letters = [&self.letters[start..], text].concat();
                Next::More(Self { told: told.min(letters.len()), letters, is_masked, ..Self::default() })
            }
        }
    }

    fn is_long(&self) -> bool {
        self.is_masked || self.told >= SHORTEST_PART
    }
}

impl Ends {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.earlier.is_empty()
    }

    /// Whether a text ends with so many letters of a secret that were told.
    pub(super) fn is_any_told(&self, shortest: usize) -> bool {
        self.open.values().flatten().any(|beginning| beginning.told >= shortest)
    }

    /// An event begins.
    pub(super) fn begin_event(&mut self) {
        self.earlier.clear();
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.earlier.clear();
    }

    /// Takes in the string of a field. Where the field is `one` in its event, it is the same one that comes again. Returns whether a
    /// secret was told in pieces, or by escapes.
    pub(super) fn add(&mut self, mask: &Mask, field: Field, string: &[u8], (kind, one): (Kind, bool)) -> bool {
        let open = self.open.remove(&field).unwrap_or_default();
        let earlier = self.earlier.get(&field).filter(|_| one);
        let is_again = earlier.is_some();
        let mut next = Goings { mask, string, kind, is_split: false, beginnings: Vec::new() };
        next.after(earlier.into_iter().flatten().chain(&open));
        let Goings { mut is_split, mut beginnings, .. } = next;
        let has_any = !open.is_empty() || !beginnings.is_empty();
        if is_again {
            beginnings.extend(open);
        } else if one && has_any {
            is_split |= thin(&mut self.earlier);
            self.earlier.insert(field.clone(), open);
        }
        if !beginnings.is_empty() {
            beginnings.sort_unstable_by(|a, b| b.letters.len().cmp(&a.letters.len()).then_with(|| a.cut.cmp(&b.cut)));
            beginnings.dedup();
            beginnings.truncate(MOST_OF_FIELD);
            is_split |= thin(&mut self.open);
            self.open.insert(field, beginnings);
        }
        is_split
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len().max(self.earlier.len())
    }
}

/// Makes room where there are many ends. Returns whether too many are long: no answer has so many texts that end with the same letters of a
/// key.
fn thin(ends: &mut HashMap<Field, Vec<Beginning>>) -> bool {
    if ends.len() < MOST_OPEN {
        return false;
    }
    ends.retain(|_, beginnings| beginnings.iter().any(Beginning::is_long));
    ends.len() >= MOST_OPEN / 2
}

/// What beginnings become by a string.
struct Goings<'s> {
    mask: &'s Mask,
    string: &'s [u8],
    kind: Kind,
    is_split: bool,
    beginnings: Vec<Beginning>,
}

impl Goings<'_> {
    /// Reads the string as it comes after these, as it is and with its escapes.
    fn after<'b>(&mut self, before: impl Iterator<Item = &'b Beginning>) {
        let alone = Beginning::default();
        let mut goes_on = false;
        for before in before {
            goes_on |= !before.is_unescaped && self.go_on(before, self.string, None);
            self.read_escapes(before);
        }
        if !goes_on {
            self.beginnings.extend(Beginning::at_end(self.mask, self.string, self.kind != Kind::Other));
        }
        self.read_escapes(&alone);
    }

    /// Reads the escapes of the string behind what ended with `before`.
    fn read_escapes(&mut self, before: &Beginning) {
        if self.kind != Kind::WordsOfStream {
            return;
        }
        let joined = match &before.cut[..] {
            [] => Cow::Borrowed(self.string),
            cut => Cow::Owned([cut, self.string].concat()),
        };
        let read = read_escapes(&joined);
        let (text, cut) = match &read {
            Some(read) => (read.text.as_bytes(), &joined[joined.len() - read.cut..]),
            None if before.is_unescaped => (&*joined, &[][..]),
            None => return,
        };
        // What is there as it is, is masked.
        self.is_split |= self.mask.tells_more(text, self.string);
        if self.go_on(before, text, Some(cut)) {
            return;
        }
        let beginning = Beginning::at_end(self.mask, text, true);
        if beginning.is_some() || !cut.is_empty() {
            let cut = cut.to_vec();
            self.beginnings.push(Beginning { is_unescaped: true, cut, ..beginning.unwrap_or_default() });
        }
    }

    /// Whether this beginning goes on with the text, of which escapes were read where there is a `cut`.
    fn go_on(&mut self, before: &Beginning, text: &[u8], cut: Option<&[u8]>) -> bool {
        match before.next(self.mask, text, self.kind != Kind::Other) {
            Next::Split => self.is_split = true,
            Next::More(beginning) => {
                let (is_unescaped, cut) = (cut.is_some(), cut.unwrap_or_default().to_vec());
                self.beginnings.push(Beginning { is_unescaped, cut, ..beginning });
                return true;
            }
            Next::Other => {}
        }
        false
    }
}

/// The text with its escapes read; `None` where it has none.
fn read_escapes(text: &[u8]) -> Option<Unescaped> {
    memchr(b'\\', text)?;
    unescaped(str::from_utf8(text).ok()?)
}
