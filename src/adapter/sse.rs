//! Server-sent events, read from bytes by the WHATWG rules.

use memchr::memchr2;

/// The longest line and the longest event that is read, in bytes. Real events are far shorter; anything longer is no
/// stream of answers, and must not fill the memory.
pub const MAX_EVENT: usize = 4 << 20;

/// The byte order mark of UTF-8, which may stand before a text.
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
    /// The frame is skipped. The frames after it may be good.
    #[error("an event is not valid UTF-8")]
    NotUtf8,
    /// The parser reads nothing more of this stream.
    #[error("an event is longer than {} MiB", MAX_EVENT >> 20)]
    TooLarge,
}

/// Cuts a stream of bytes, which may arrive in any pieces, into frames.
///
/// After each [`push`](Self::push), [`next`](Self::next) is called until it gives `None`. Comments, `id:` and `retry:`
/// are dropped. Only CR, LF and CRLF end a line.
#[derive(Debug, Default)]
pub struct Parser {
    /// Bytes that were not read yet; those before `start` are done with.
    buffer: Vec<u8>,
    start: usize,
    /// The bytes of the unfinished line at `start` before this position hold no end of a line.
    searched: usize,
    began: bool,
    /// The line before ended with CR, so that a LF at `start` belongs to it.
    after_cr: bool,
    event: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The frame in `event` and `data` was handed out.
    spent: bool,
    failed: bool,
}

impl Parser {
    /// A parser to which nothing has arrived.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that arrived.
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

    /// The last frame of a stream that ended without the blank line which should close it.
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

    /// Drops a byte order mark at the start of the stream. Returns whether enough has come to decide on it.
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
mod tests;
