//! Hands the bytes of an answer on to a client that speaks the gateway's wire format.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memrchr, memrchr_iter};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json_text::{end_of_string, holds_text};
use super::mask::Mask;
use super::spelling::Spelling;
use crate::adapter::ClientBody;
use crate::call::{Event, Told};

/// The bytes of one answer on their way. They are held back until the answer has begun: before that, a failure can still be
/// answered by another try or another model.
pub(super) struct Relay<'a> {
    mask: &'a Mask,
    content_type: Option<Arc<str>>,
    /// Leaves out the usage that the client did not ask for.
    usage: Option<UsageFilter>,
    /// The end of what has come, which may be a part of a secret.
    undecided: BytesMut,
    /// What ends a part of the body in which no secret goes on. Unknown before the first byte.
    boundary: Option<Boundary>,
    masked: MaskedLines,
    /// Secrets that come in several pieces.
    spelling: Spelling,
    held: Vec<Bytes>,
    is_open: bool,
}

impl<'a> Relay<'a> {
    pub(super) fn new(mask: &'a Mask, body: &ClientBody, content_type: Option<Arc<str>>) -> Self {
        Self {
            mask,
            content_type,
            usage: body.hides_usage().then(UsageFilter::default),
            undecided: BytesMut::new(),
            boundary: None,
            masked: MaskedLines::default(),
            spelling: Spelling::of_stream(),
            held: Vec::new(),
            is_open: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether a secret came in several pieces, so that it is not masked.
    pub(super) fn has_split_secret(&self) -> bool {
        self.spelling.is_split()
    }

    /// From now on, nothing is held back but what may be spelling a secret.
    pub(super) fn open(&mut self) {
        self.is_open = true;
    }

    /// Takes in bytes as they arrived.
    pub(super) fn add(&mut self, bytes: Bytes) {
        let bytes = match &mut self.usage {
            Some(filter) => Bytes::from(filter.push(&bytes)),
            None => bytes,
        };
        let bytes = self.masked(bytes);
        if !bytes.is_empty() {
            self.held.push(bytes);
        }
    }

    /// The events that hand on what is held, once nothing is held back any more, and what these bytes tell.
    pub(super) fn take(&mut self, told: Told) -> impl Iterator<Item = Event> {
        let bytes: usize = self.held.iter().map(Bytes::len).sum();
        let held =
            if self.is_open && !self.spelling.is_open(bytes) { std::mem::take(&mut self.held) } else { Vec::new() };
        let content_type = &mut self.content_type;
        held.into_iter().map(move |bytes| Event::Bytes { bytes, content_type: content_type.take(), told })
    }

    /// Takes in that nothing more comes. Where the answer `is_cut`, a last line without its end is left out: what the client is
    /// told next would be taken for the rest of it.
    pub(super) fn end(&mut self, is_cut: bool) {
        let rest = self.usage.as_mut().map(UsageFilter::finish).unwrap_or_default();
        let rest = self.masked(rest.into());
        self.held.push(rest);
        let undecided = self.undecided.split().freeze();
        if !is_cut {
            self.spelling.read(self.mask, &undecided);
            let rest = self.masked.mask(self.mask, undecided);
            self.held.push(rest);
        }
        self.spelling.end();
        self.held.retain(|bytes| !bytes.is_empty());
    }

    /// The bytes without the gateway's secrets, up to the last boundary. What follows is kept for the next time.
    fn masked(&mut self, bytes: Bytes) -> Bytes {
        if self.mask.is_empty() {
            return bytes;
        }
        if self.boundary.is_none() {
            let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
            self.boundary = first.map(|first| if *first == b'[' { Boundary::Brace } else { Boundary::BlankLine });
        }
        let last = match self.boundary {
            None => None,
            Some(Boundary::Brace) => memrchr(b'}', &bytes),
            Some(Boundary::BlankLine) => last_blank_line(&self.undecided, &bytes),
        };
        let whole = match last {
            Some(last) if self.undecided.is_empty() => {
                self.undecided.extend_from_slice(&bytes[last + 1..]);
                bytes.slice(..=last)
            }
            Some(last) => {
                let until = self.undecided.len() + last + 1;
                self.undecided.extend_from_slice(&bytes);
                self.undecided.split_to(until).freeze()
            }
            None => {
                self.undecided.extend_from_slice(&bytes);
                if self.undecided.len() <= LONGEST_PART {
                    return Bytes::new();
                }
                self.undecided.split_to(self.undecided.len() - self.mask.open_at_end(&self.undecided)).freeze()
            }
        };
        self.spelling.read(self.mask, &whole);
        self.masked.mask(self.mask, whole)
    }
}

/// What ends a part of a body.
#[derive(Debug, Clone, Copy)]
enum Boundary {
    /// The end of a server-sent event: before it, nobody has read what the event says.
    BlankLine,
    /// The end of an item in a JSON list.
    Brace,
}

/// Where the last blank line ends in these bytes, which follow others.
fn last_blank_line(before: &[u8], bytes: &[u8]) -> Option<usize> {
    let mut ends = memrchr_iter(b'\n', bytes);
    ends.find(|end| {
        let mut earlier = bytes[..*end].iter().rev().chain(before.iter().rev());
        let last = earlier.next();
        matches!(if last == Some(&b'\r') { earlier.next() } else { last }, None | Some(b'\n'))
    })
}

/// A part of a body is not kept longer than this for its end. A stream with a longer line is no answer any more.
const LONGEST_PART: usize = crate::adapter::MAX_EVENT;

/// Masks secrets in the lines of a stream, in every form in which they could come back, but not in the text of the answer.
///
/// Searching for all forms takes far longer than handing a line on. Most lines of a stream differ in the text of the answer
/// alone, so the others are recognized by the rest, which is searched once.
#[derive(Default)]
struct MaskedLines {
    /// The rests of the last lines in which no secret was found, oldest first. Some formats have lines of two kinds by turns.
    known: VecDeque<Vec<u8>>,
    /// Kept for its memory.
    envelope: Vec<u8>,
}

impl MaskedLines {
    fn mask(&mut self, mask: &Mask, lines: Bytes) -> Bytes {
        let lines = mask.exactly(lines);
        let mut out: Option<Vec<u8>> = None;
        let mut at = 0;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            match self.masked(mask, line) {
                Some(masked) => out.get_or_insert_with(|| lines[..at].to_vec()).extend(masked),
                None => out.iter_mut().for_each(|out| out.extend_from_slice(line)),
            }
            at += line.len();
        }
        out.map_or(lines, Bytes::from)
    }

    /// The line without the secrets in it; `None` where it has none.
    fn masked(&mut self, mask: &Mask, line: &[u8]) -> Option<Vec<u8>> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        self.envelope.clear();
        envelope(line, &mut self.envelope);
        if self.known.contains(&self.envelope) {
            return None;
        }
        let masked = mask.line(line);
        if masked.is_none() {
            let memory = if self.known.len() < KINDS { None } else { self.known.pop_front() };
            self.known.push_back(std::mem::replace(&mut self.envelope, memory.unwrap_or_default()));
        }
        masked
    }
}

/// So many kinds of lines are recognized.
const KINDS: usize = 4;

/// Adds what of a line is neither the text of an answer nor a number.
fn envelope(line: &[u8], out: &mut Vec<u8>) {
    let mut field: &[u8] = b"";
    let mut at = 0;
    while let Some(quote) = memchr(b'"', &line[at..]) {
        out.extend(line[at..at + quote].iter().filter(|byte| !byte.is_ascii_digit()));
        let start = at + quote + 1;
        let end = end_of_string(line, start);
        let string = &line[start..end];
        at = (end + 1).min(line.len());
        let is_name = line.get(at) == Some(&b':');
        if is_name {
            field = string;
        }
        if is_name || !holds_text(field) {
            out.push(b'"');
            out.extend_from_slice(string);
        }
    }
    out.extend(line[at..].iter().filter(|byte| !byte.is_ascii_digit()));
}

/// Leaves out the event of a stream of chat completions that holds nothing but usage.
#[derive(Debug, Default)]
struct UsageFilter {
    /// An event of which the end has not come.
    event: Vec<u8>,
}

/// As much of a chunk as says whether it holds nothing but usage.
#[derive(Deserialize)]
struct Chunk {
    choices: Vec<IgnoredAny>,
    #[serde(default)]
    usage: Option<IgnoredAny>,
}

/// The longest event of usage alone, in bytes.
const LONGEST_USAGE: usize = 64 << 10;

impl UsageFilter {
    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut passed = Vec::with_capacity(bytes.len() + self.event.len());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_new_line = self.event.is_empty() || self.event.ends_with(b"\n");
            self.event.extend_from_slice(line);
            // An event that holds nothing but usage is small. What is not is passed on as it comes.
            if self.event.len() > LONGEST_USAGE {
                passed.append(&mut self.event);
            }
            if is_new_line && matches!(line, b"\n" | b"\r\n") {
                passed.append(&mut self.finish());
            }
        }
        passed
    }

    /// What has come of the last event.
    fn finish(&mut self) -> Vec<u8> {
        let event = std::mem::take(&mut self.event);
        if is_usage(&event) { Vec::new() } else { event }
    }
}

fn is_usage(event: &[u8]) -> bool {
    let is_chunk = |line: &&[u8]| line.starts_with(b"data:");
    let data = event.split(|byte| *byte == b'\n').find(is_chunk).map(|line| &line[5..]);
    let may_be = |data: &&[u8]| memchr::memmem::find(data, b"\"usage\"").is_some();
    let chunk = data.filter(may_be).and_then(|data| serde_json::from_slice::<Chunk>(data).ok());
    chunk.is_some_and(|chunk| chunk.choices.is_empty() && chunk.usage.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{}}],\"usage\":null}\r\n\r\n: a comment\n\n\
         data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: {\"choices\":[]}\n\ndata: [DONE]\n\n";

    #[test]
    fn only_the_event_that_holds_nothing_but_usage_is_left_out_however_the_bytes_are_cut() {
        let left = STREAM.replace("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n", "");
        for cut in 0..=STREAM.len() {
            let mut filter = UsageFilter::default();
            let mut passed = filter.push(&STREAM.as_bytes()[..cut]);
            passed.extend(filter.push(&STREAM.as_bytes()[cut..]));
            passed.extend(filter.finish());
            assert_eq!(String::from_utf8(passed).expect("UTF-8"), left, "cut at {cut}");
        }
    }

    const KEY: &str = "sk-0123456789abcdef";

    fn mask() -> Mask {
        Mask::new(&crate::secret::testing::gateway("g"), Some(&KEY.into()))
    }

    /// The request of a client that does not hide usage.
    fn request() -> ClientBody {
        let (api, operation) = (crate::adapter::Api::Anthropic, crate::adapter::Operation::Generate);
        let body = ClientBody::read(api, operation, "messages", Bytes::from_static(b"{\"model\":\"m\"}"));
        body.expect("a request")
    }

    /// What is passed on of a body that comes in these pieces.
    fn passed<'p>(mask: &Mask, pieces: impl IntoIterator<Item = &'p [u8]>) -> String {
        let body = request();
        let mut relay = Relay::new(mask, &body, None);
        pieces.into_iter().for_each(|piece| relay.add(Bytes::copy_from_slice(piece)));
        relay.end(false);
        String::from_utf8(relay.held.concat()).expect("UTF-8")
    }

    #[test]
    fn a_secret_is_masked_however_the_bytes_are_cut() {
        let mask = mask();
        let text = "data: sk-0123456789abcdef and sk-01234567 and sk-0123456789abcdefsk-0";
        let shown = text.replace(KEY, "***");
        for cut in 0..=text.len() {
            let (first, last) = text.as_bytes().split_at(cut);
            assert_eq!(passed(&mask, [first, last]), shown, "cut at {cut}");
        }
    }

    /// The key as gateways could repeat it in JSON.
    fn forms() -> Vec<String> {
        let each = |escape: &dyn Fn(char) -> String| KEY.chars().map(escape).collect::<String>();
        vec![
            KEY.to_owned(),
            KEY.replace('-', "\\u002d"),
            each(&|c| format!("\\u{:04x}", c as u32)),
            each(&|c| format!("%{:02X}", c as u32)),
            each(&|c| format!("{:02x}", c as u32)),
            KEY.to_uppercase(),
            KEY.chars().rev().collect(),
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("Bearer {KEY}")),
        ]
    }

    #[test]
    fn a_stream_has_the_key_in_no_form_and_the_text_of_the_answer_as_it_is() {
        let mask = mask();
        for form in forms() {
            let piece = |id: &str, text: &str| {
                format!(
                    "event: chunk\ndata: {{\"id\":\"{id}\",\"n\":1,\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
                )
            };
            let error = |message: &str| format!("data: {{\"error\":{{\"message\":\"{message}\"}}}}\n\n");
            let told = |secret: &str| {
                let pieces =
                    [piece("a", "one"), piece("a", "two \\\" three"), piece(secret, "four"), piece("a", "five")];
                pieces.concat() + &error(&format!("wrong key {secret} !")) + &piece("b", "six")
            };
            let (sent, shown) = (told(&form), told("***"));
            for size in [1, 7, 100, sent.len()] {
                assert_eq!(passed(&mask, sent.as_bytes().chunks(size)), shown, "{form} in pieces of {size}");
            }
            let list = |secret: &str| format!("[{{\"responseId\":\"{secret}\"}}\n,{{\"text\":\"x\"}}]");
            for size in [1, 9, 1_000] {
                assert_eq!(passed(&mask, list(&form).as_bytes().chunks(size)), list("***"), "{form}");
            }
        }
    }

    #[test]
    fn an_event_is_passed_on_as_a_whole() {
        let (mask, body) = (mask(), request());
        let mut relay = Relay::new(&mask, &body, None);
        relay.open();
        let mut add = |bytes: &'static str| {
            relay.add(Bytes::from_static(bytes.as_bytes()));
            let passed = relay.take(Told::Answer).map(|event| match event {
                Event::Bytes { bytes, .. } => String::from_utf8(bytes.to_vec()).expect("UTF-8"),
                other => panic!("{other:?}"),
            });
            passed.collect::<String>()
        };
        assert_eq!(add("event: a\ndata: 1\n"), "");
        assert_eq!(add("\nevent: b\r\ndata: 2\r\n\r"), "event: a\ndata: 1\n\n");
        assert_eq!(add("\n: a comment\n"), "event: b\r\ndata: 2\r\n\r\n");
        assert_eq!(add("\n\ndata: 3"), ": a comment\n\n\n");
        relay.end(true);
        assert_eq!(relay.take(Told::Answer).count(), 0);
    }

    #[test]
    fn a_line_without_an_end_is_passed_on_in_bounded_memory() {
        let mask = mask();
        let body = request();
        let mut relay = Relay::new(&mask, &body, None);
        for _ in 0..100 {
            relay.add(Bytes::from(vec![b'x'; 100_000]));
            assert!(relay.undecided.len() <= LONGEST_PART + 100_000);
        }
        relay.end(false);
        assert_eq!(relay.held.iter().map(Bytes::len).sum::<usize>(), 10_000_000);
        let mut filter = UsageFilter::default();
        let passed: usize = (0..40).map(|_| filter.push(&[b'x'; 100_000]).len()).sum();
        assert_eq!(passed + filter.finish().len(), 4_000_000);
        assert!(filter.event.capacity() < 1_000_000);
    }

    #[test]
    fn what_differs_in_the_text_of_an_answer_has_one_envelope() {
        let of = |line: &str| {
            let mut out = Vec::new();
            envelope(line.as_bytes(), &mut out);
            String::from_utf8(out).expect("UTF-8")
        };
        let line = |id: &str, text: &str, n: u32| {
            format!("data: {{\"id\":\"{id}\",\"delta\":{{\"content\":\"{text}\"}},\"n\":{n}}}")
        };
        assert_eq!(of(&line("a", "one", 1)), of(&line("a", "a \\\" quote", 23)));
        assert_ne!(of(&line("a", "one", 1)), of(&line("b", "one", 1)));
        assert_eq!(of("data: {\"content\":\"cut"), of("data: {\"content\":\"more"));
    }
}
