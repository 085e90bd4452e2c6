//! How many tokens a PDF may take: its pages, of which vendors add pictures, and its text, which is compressed in it.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::ZlibDecoder;
use memchr::{memchr, memchr_iter, memmem};

use crate::chat::decode_base64;

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
    let hidden = || MOST_TAKEN.saturating_mul(page).max(base64.len() as u64);
    decode_base64(base64).map_or_else(hidden, |pdf| Document::read(&pdf, left).tokens(page))
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
    fn read(pdf: &[u8], left: &'a Cell<u64>) -> Self {
        let length = pdf.len() as u64;
        let mut document = Self {
            length,
            pages: 0,
            count: 0,
            listed: BTreeMap::new(),
            others: Vec::new(),
            text: 0,
            left,
            is_hidden: false,
        };
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
                _ => match ascii85(&content).or_else(|| hex(&content)) {
                    Some(decoded) => decoded,
                    None => return (content, true),
                },
            };
            content = decoded.into();
        }
        (content, false)
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

/// Whether this begins as compressed content does: two bytes that are a multiple of 31, and the method in the first.
fn is_zlib(content: &[u8]) -> bool {
    matches!(content, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

/// What is written in ASCII85, which ends with `~>`.
fn ascii85(text: &[u8]) -> Option<Vec<u8>> {
    let letters = text.trim_ascii_end().strip_suffix(b"~>")?;
    let (mut bytes, mut group, mut length) = (Vec::with_capacity(letters.len() / 5 * 4), 0_u32, 0);
    for letter in letters {
        match letter {
            b'z' if length == 0 => bytes.extend([0; 4]),
            b'!'..=b'u' => {
                group = group.wrapping_mul(85).wrapping_add(u32::from(letter - b'!'));
                length += 1;
                if length == 5 {
                    bytes.extend(group.to_be_bytes());
                    (group, length) = (0, 0);
                }
            }
            letter if letter.is_ascii_whitespace() => {}
            _ => return None,
        }
    }
    if length > 1 {
        let padded = (length..5).fold(group, |group, _| group.wrapping_mul(85).wrapping_add(84));
        bytes.extend(&padded.to_be_bytes()[..length - 1]);
    }
    Some(bytes)
}

/// What is written in hexadecimal digits, which end with `>`.
fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.trim_ascii_end().strip_suffix(b">")?.iter().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Option<Vec<u8>> = digits.map(|digit| Some(char::from(*digit).to_digit(16)? as u8)).collect();
    Some(digits?.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect())
}

fn is_outline(object: &[u8]) -> bool {
    memmem::find(object, b"/First").is_some()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const PAGE: u64 = 1_600;

    fn compressed(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).expect("written");
        encoder.finish().expect("whole")
    }

    /// An object with a stream.
    fn stream(dictionary: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("9 0 obj<<{dictionary}/Length {}>>stream\n", body.len());
        [head.as_bytes(), body, b"\nendstream endobj\n"].concat()
    }

    fn text(content: &[u8]) -> Vec<u8> {
        stream("/Filter/FlateDecode", &compressed(content))
    }

    fn tokens(parts: &[&[u8]]) -> u64 {
        let pdf = [b"%PDF-1.7\n", &*parts.concat(), b"trailer<</Root 1 0 R>>\n%%EOF"].concat();
        Document::read(&pdf, &Cell::new(MOST_INFLATED)).tokens(PAGE)
    }

    const ONE_PAGE: &[u8] = b"3 0 obj<</Type/Page/Parent 2 0 R/Contents 9 0 R>>endobj\n";

    /// Words that compress as those of a language do.
    fn words(count: usize) -> String {
        let mut random = fastrand::Rng::with_seed(7);
        let words: Vec<String> =
            (0..400).map(|_| (0..random.usize(2..10)).map(|_| random.lowercase()).collect()).collect();
        (0..count).map(|_| format!("{} ", words[random.usize(..400)])).collect()
    }

    #[test]
    fn the_text_of_a_page_counts_besides_its_picture() {
        let text_of_page = words(500);
        let real = text_of_page.len() as u64 / 4 + PAGE;
        let found = tokens(&[ONE_PAGE, &text(format!("BT ({text_of_page}) Tj ET").as_bytes())]);
        assert!((real..real * 2).contains(&found), "{found} for {real}");
        let same = "a ".repeat(500_000);
        assert!(tokens(&[ONE_PAGE, &text(same.as_bytes())]) >= 250_000, "however well it is compressed");
        let plain = stream("", text_of_page.as_bytes());
        assert!(tokens(&[ONE_PAGE, &plain]) >= real, "or not at all");
    }

    #[test]
    fn pages_are_counted_wherever_they_stand() {
        assert_eq!(tokens(&[ONE_PAGE]), PAGE);
        assert_eq!(tokens(&[ONE_PAGE, ONE_PAGE, b"2 0 obj<</Type /Pages/Kids[3 0 R]/Count 2>>endobj\n"]), 2 * PAGE);
        let used_again = b"2 0 obj << /Type /Pages /Kids [3 0 R 3 0 R 3 0 R] /Count 3 >> endobj\n";
        assert_eq!(tokens(&[ONE_PAGE, used_again]), 3 * PAGE);
        let objects = b"1 0 <</Type/Catalog>> <</Type/Pages/Count 1000>> ".to_vec();
        assert_eq!(tokens(&[&stream("/Type/ObjStm/N 2/Filter/FlateDecode", &compressed(&objects))]), 1000 * PAGE);
        let contents = b"7 0 obj<</Type/Outlines/First 8 0 R/Last 9 0 R/Count 40>>endobj\n";
        assert_eq!(tokens(&[ONE_PAGE, contents]), PAGE, "a table of contents has no pages");
        assert_eq!(tokens(&[b"<</Type/Pages/Count 99999999999999999999999>>"]), MOST_PAGES * PAGE);
    }

    #[test]
    fn pictures_and_fonts_are_no_text() {
        let noise = vec![b'x'; 100_000];
        for dictionary in ["/Subtype/Image", "/Type /XObject /Subtype /Image", "/Length1 5", "/Subtype/Type1C"] {
            assert_eq!(tokens(&[ONE_PAGE, &stream(dictionary, &noise)]), PAGE, "{dictionary}");
        }
        assert!(tokens(&[ONE_PAGE, &stream("/Subtype/Form", &noise)]) > PAGE + 60_000);
    }

    #[test]
    fn where_pages_may_be_hidden_as_many_count_as_vendors_take() {
        let pages = |fields: &str| format!("2 0 obj<</Type/Pages/Kids[3 0 R]{fields}>>endobj\n").into_bytes();
        for (hides, is_hidden) in [
            (pages("/Count 5 0 R"), true),
            (pages("/Count +100"), true),
            (pages("/Count %c\n100"), true),
            (pages("/#43ount 100"), true),
            (b"trailer<</Encrypt 8 0 R>>".to_vec(), true),
            (b"2 0 obj<</Type/P#61ges/Kids[3 0 R]>>endobj".to_vec(), true),
            (pages("/BaseFont/AB+Times#20New#20Roman/F#31/URI(https://x.example/123#41)/Title(see #30)"), false),
            (pages("/Count 1 "), false),
            (b"2 0 obj<</Type/Pages/Kids 5 0 R>>endobj".to_vec(), true),
            (b"2 0 obj<</FT/Btn/Kids 5 0 R>>endobj".to_vec(), false),
            (b"7 0 obj<</Type/Outlines/First 8 0 R/Count -4>>endobj\n".to_vec(), false),
        ] {
            let pages = if is_hidden { MOST_TAKEN } else { 1 };
            assert_eq!(tokens(&[ONE_PAGE, &hides]), pages * PAGE, "{}", String::from_utf8_lossy(&hides));
        }
        let listed = format!("2 0 obj<</Kids[{}]/Count 1/Type/Pages>>endobj", "3 0 R ".repeat(100));
        assert_eq!(tokens(&[ONE_PAGE, listed.as_bytes()]), 100 * PAGE, "one page, a hundred times");
        let saved_again = [listed.as_bytes(), b"\n2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>endobj"].concat();
        assert_eq!(tokens(&[ONE_PAGE, &saved_again]), 100 * PAGE, "the first list was replaced");
        let tree = b"2 0 obj<</Type/Pages/Kids[4 0 R 5 0 R]>>endobj 4 0 obj<</Type/Pages/Kids[3 0 R 6 0 R]>>endobj \
            5 0 obj<</Type/Pages/Kids[7 0 R 8 0 R]>>endobj";
        assert_eq!(tokens(&[ONE_PAGE, tree]), 4 * PAGE, "lists in a list");
        let fields = format!("2 0 obj<</FT/Btn/Kids[{}]>>endobj", "3 0 R ".repeat(100));
        assert_eq!(tokens(&[ONE_PAGE, fields.as_bytes()]), PAGE, "the fields of a form");
    }

    #[test]
    fn streams_are_read_however_often_and_in_whatever_way_they_are_encoded() {
        let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + ">";
        let objects = b"1 0 <</Type/Catalog>> <</Type/Pages/Count 1000>> ".to_vec();
        let same = "a ".repeat(500_000);
        for encode in [
            &|content: &[u8]| compressed(&compressed(content)) as Vec<u8>,
            &|content: &[u8]| hexadecimal(&compressed(content)).into_bytes(),
            &|content: &[u8]| hexadecimal(hexadecimal(&compressed(content)).as_bytes()).into_bytes(),
        ] as [&dyn Fn(&[u8]) -> Vec<u8>; 3]
        {
            assert_eq!(tokens(&[&stream("/Type/ObjStm/Filter 9 0 R", &encode(&objects))]), 1000 * PAGE);
            assert!(tokens(&[ONE_PAGE, &stream("/Filter 9 0 R", &encode(same.as_bytes()))]) >= 250_000);
        }
        // Text that begins as compressed content may.
        let plain = b"80 0 81 22 <</Type/Catalog>> <</Type/Pages/Count 7>> ";
        assert!(is_zlib(plain));
        for body in [plain.to_vec(), compressed(plain)] {
            assert_eq!(tokens(&[&stream("/Type/ObjStm/N 2", &body)]), 7 * PAGE);
        }
        let unread = stream("/Type/ObjStm/Filter/LZWDecode", b"\x80\x0b\x60\x50");
        assert_eq!(tokens(&[ONE_PAGE, &unread]), MOST_TAKEN * PAGE);
        assert_eq!(ascii85(b"87cURD]i,\"Eb o80~>").as_deref(), Some(&b"Hello World!"[..]));
        assert_eq!(ascii85(b"z!!~>").as_deref(), Some(&[0; 5][..]));
        assert_eq!(
            (ascii85(b"87cUR"), ascii85(b"\xff~>"), hex(b"4x>"), hex(b"4>")),
            (None, None, None, Some(vec![0x40]))
        );
    }

    #[test]
    fn what_cannot_be_read_counts_a_token_for_each_byte() {
        let base64 = STANDARD.encode("%PDF-1.7 no page");
        assert_eq!(most_tokens(&base64, PAGE, &Cell::new(MOST_INFLATED)), 16);
        assert_eq!(most_tokens("JVBERi0 !", PAGE, &Cell::new(MOST_INFLATED)), MOST_TAKEN * PAGE, "no Base64");
        let hidden = stream("/Type/ObjStm/Filter/FlateDecode", &[7; 10_000]);
        assert!(tokens(&[&hidden]) > 10_000);
        assert!(tokens(&[ONE_PAGE, &hidden]) > 10_000, "there may be more pages than one");
        let large = compressed(&vec![b' '; MOST_INFLATED as usize + 1]);
        assert!(tokens(&[ONE_PAGE, &stream("/Type/ObjStm/Filter/FlateDecode", &large)]) > large.len() as u64);
        // The documents of one request have one allowance.
        let (left, document) = (Cell::new(10_000), [ONE_PAGE, &text(&[b' '; 8_000])].concat());
        let found = [0, 1].map(|_| Document::read(&document, &left).tokens(PAGE));
        assert!(found[0] >= PAGE + 2_000 && found[1] < found[0] && left.get() == 0, "{found:?} {left:?}");
        // No order of its parts is demanded.
        for broken in [&b"stream\n"[..], b"endstream stream\r\n/Type", b"/Count", b"/Type /", b"<</Count 1", b""] {
            assert!(Document::read(broken, &Cell::new(MOST_INFLATED)).tokens(PAGE) <= PAGE.max(broken.len() as u64));
        }
    }
}
