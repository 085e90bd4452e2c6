//! Server-sent events, by the WHATWG rules, on bytes.

use memchr::memchr2;

/// The longest line and the longest event that is read, in bytes. Real events stay far below; whatever is longer is
/// not a stream of answers, and must not fill the memory.
pub const MAX_EVENT: usize = 4 << 20;

/// The byte order mark that a text may begin with.
pub const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `event:` field; empty where the server named none.
    pub event: &'a str,
    /// The `data:` lines, joined with newlines.
    pub data: &'a str,
}

/// Why a frame could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame is skipped; those after it may be good.
    #[error("an event is not valid UTF-8")]
    NotUtf8,
    /// The end of the stream as far as this parser goes: it takes in nothing more.
    #[error("an event is longer than {} MiB", MAX_EVENT >> 20)]
    TooLarge,
}

/// Cuts a stream of bytes, which may arrive in any pieces, into frames.
///
/// After each [`push`](Self::push), call [`next`](Self::next) until it gives `None`. Comments, `id:` and `retry:` are
/// dropped. Only CR, LF and CRLF end a line.
#[derive(Debug, Default)]
pub struct Parser {
    /// Bytes not yet taken apart; those before `start` are spent.
    buffer: Vec<u8>,
    start: usize,
    /// How far the unfinished line at `start` has been searched for its end.
    searched: usize,
    began: bool,
    /// The line before ended in CR: a LF at `start` belongs to it.
    after_cr: bool,
    event: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The frame in `event` and `data` was handed out.
    spent: bool,
    failed: bool,
}

impl Parser {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame that is complete, if there is one.
    #[expect(clippy::should_implement_trait, reason = "a frame borrows from the parser, which an iterator cannot say")]
    pub fn next(&mut self) -> Option<Result<Frame<'_>, FrameError>> {
        self.forget_spent_frame();
        if self.failed || !self.skip_bom() {
            return None;
        }
        loop {
            if self.after_cr && self.start < self.buffer.len() {
                self.after_cr = false;
                if self.buffer[self.start] == b'\n' {
                    self.start += 1;
                }
            }
            self.searched = self.searched.max(self.start);
            let Some(found) = memchr2(b'\n', b'\r', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                return self.check_size(self.searched - self.start).err().map(Err);
            };
            let end = self.searched + found;
            let line = self.start..end;
            self.after_cr = self.buffer[end] == b'\r';
            self.start = end + 1;
            self.searched = self.start;
            if let Err(error) = self.check_size(line.len()) {
                return Some(Err(error));
            }
            if line.is_empty() {
                if self.has_data {
                    return Some(self.frame());
                }
                self.event.clear();
            } else {
                self.field(line.start, line.end);
                if let Err(error) = self.check_size(self.data.len()) {
                    return Some(Err(error));
                }
            }
        }
    }

    /// The last frame of a stream that ended without the blank line that should close it.
    pub fn finish(&mut self) -> Option<Result<Frame<'_>, FrameError>> {
        self.forget_spent_frame();
        if self.failed {
            return None;
        }
        if self.start < self.buffer.len() {
            self.field(self.start, self.buffer.len());
            self.start = self.buffer.len();
        }
        self.has_data.then(|| self.frame())
    }

    fn forget_spent_frame(&mut self) {
        if std::mem::take(&mut self.spent) {
            self.event.clear();
            self.data.clear();
            self.has_data = false;
        }
    }

    /// Whether the start of the stream is past any byte order mark.
    fn skip_bom(&mut self) -> bool {
        if !self.began {
            if self.buffer.len() < BOM.len() && BOM.starts_with(&self.buffer) {
                return false;
            }
            if self.buffer.starts_with(BOM) {
                self.start = BOM.len();
            }
            self.began = true;
        }
        true
    }

    fn check_size(&mut self, size: usize) -> Result<(), FrameError> {
        if size <= MAX_EVENT {
            return Ok(());
        }
        *self = Self { failed: true, ..Self::default() };
        Err(FrameError::TooLarge)
    }

    fn field(&mut self, start: usize, end: usize) {
        let line = &self.buffer[start..end];
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.has_data = true;
            }
            b"event" => {
                self.event.clear();
                self.event.extend_from_slice(value);
            }
            _ => {}
        }
    }

    fn frame(&mut self) -> Result<Frame<'_>, FrameError> {
        self.spent = true;
        match (str::from_utf8(&self.event), str::from_utf8(&self.data)) {
            (Ok(event), Ok(data)) => Ok(Frame { event, data }),
            _ => Err(FrameError::NotUtf8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Owned = Result<(String, String), FrameError>;

    fn owned(frame: Result<Frame<'_>, FrameError>) -> Owned {
        frame.map(|frame| (frame.event.to_owned(), frame.data.to_owned()))
    }

    fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
        let mut parser = Parser::new();
        let mut frames = Vec::new();
        for piece in pieces {
            parser.push(piece);
            while let Some(frame) = parser.next() {
                frames.push(owned(frame));
            }
        }
        frames.extend(parser.finish().map(owned));
        assert_eq!(parser.finish(), None, "a frame is handed out once");
        frames
    }

    fn data(text: &str) -> Vec<String> {
        parse([text.as_bytes()]).into_iter().map(|frame| frame.expect("a good frame").1).collect()
    }

    #[test]
    fn lines_end_in_lf_crlf_or_cr() {
        for text in ["data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r"] {
            assert_eq!(data(text), ["a", "b"], "{text:?}");
        }
        assert_eq!(data("data: a\r\n\ndata: b\n\r\n"), ["a", "b"]);
    }

    #[test]
    fn nothing_else_ends_a_line() {
        assert_eq!(data("data: a\u{85}b\u{2028}c\u{b}d\u{c}e\n\n"), ["a\u{85}b\u{2028}c\u{b}d\u{c}e"]);
    }

    #[test]
    fn fields_follow_the_standard() {
        assert_eq!(data("data:no space\n\ndata:  two\n\n"), ["no space", " two"]);
        assert_eq!(data("data: a\ndata\ndata: b\n\n"), ["a\n\nb"]);
        assert_eq!(data(": comment\nid: 1\nretry: 5\nother: x\ndata: a\n\n: ping\n\n"), ["a"]);
        assert_eq!(data("\u{feff}data: a\n\n"), ["a"]);
        assert_eq!(
            parse([&b"event: one\ndata: a\n\ndata: b\n\nevent: lost\n\ndata: c\n\n"[..]]),
            [("one", "a"), ("", "b"), ("", "c")].map(|(event, data)| Ok((event.into(), data.into())))
        );
    }

    #[test]
    fn the_last_event_needs_no_blank_line() {
        assert_eq!(data("data: a\n\ndata: b"), ["a", "b"]);
        assert_eq!(data("data: a\n\ndata: b\n"), ["a", "b"]);
        assert_eq!(data("data: a\n\n: bye"), ["a"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_cost_one_frame() {
        let frames = parse([&b"data: a\n\ndata: \xff\n\ndata: c\n\n"[..]]);
        assert_eq!(
            frames,
            [Ok((String::new(), "a".into())), Err(FrameError::NotUtf8), Ok((String::new(), "c".into()))]
        );
    }

    #[test]
    fn an_endless_line_is_an_error_and_takes_no_memory() {
        let mut parser = Parser::new();
        parser.push(b"data: ");
        let piece = vec![b'x'; 64 << 10];
        let mut errors = 0;
        for _ in 0..1000 {
            parser.push(&piece);
            errors += usize::from(parser.next() == Some(Err(FrameError::TooLarge)));
            assert!(parser.buffer.capacity() <= 4 * MAX_EVENT);
        }
        assert_eq!((errors, parser.next()), (1, None));
        assert_eq!(parser.finish(), None);
    }

    #[test]
    fn an_event_of_endless_lines_is_an_error() {
        let mut parser = Parser::new();
        let line = [b"data: ".as_slice(), &vec![b'x'; 1 << 20], b"\n"].concat();
        let results: Vec<_> = (0..6)
            .filter_map(|_| {
                parser.push(&line);
                parser.next().map(owned)
            })
            .collect();
        assert_eq!(results, [Err(FrameError::TooLarge)]);
    }

    proptest! {
        #[test]
        fn any_cut_of_the_bytes_reads_alike(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "data: x", "data:", "data", "event: e", ": c", "id: 1", "é😀\u{2028}", "\u{feff}", " ",
                    "\n", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n",
                ]),
                0..40,
            ),
            cuts in prop::collection::vec(1usize..7, 1..30),
        ) {
            let bytes = parts.concat().into_bytes();
            let mut pieces = Vec::new();
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = later;
            }
            prop_assert_eq!(parse(pieces), parse([&bytes[..]]));
        }
    }
}
