//! A stream in the form of one JSON list, whose items are read as soon as they are complete.

use super::sse::{Frame, FrameError, MAX_EVENT};
use crate::chat::JsonStrings;

/// Cuts a JSON list, which may arrive in any pieces, into its items.
///
/// After each [`push`](Self::push), [`next`](Self::next) is called until it gives `None`. An item that is not valid
/// JSON is given as it is; its reader decides what that means.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// Bytes that were not given yet; those before `start` are done with.
    buffer: Vec<u8>,
    start: usize,
    /// The bytes of the item at `start` before this position were looked at.
    searched: usize,
    /// How many brackets are open, including that of the list.
    depth: usize,
    strings: JsonStrings,
    ended: bool,
}

impl Items {
    /// Adds bytes that arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.ended {
            return;
        }
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the list is closed, so that what follows does not belong to it.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// The next item that is complete, if there is one.
    pub(super) fn next(&mut self) -> Option<Result<Frame<'_>, FrameError>> {
        while !self.ended && self.searched < self.buffer.len() {
            let byte = self.buffer[self.searched];
            self.searched += 1;
            if let Some(item) = self.step(byte) {
                let (from, to) = item;
                self.start = self.searched;
                if !self.buffer[from..to].trim_ascii().is_empty() {
                    return Some(frame(&self.buffer[from..to]));
                }
            }
            if self.searched - self.start > MAX_EVENT {
                *self = Self { ended: true, ..Self::default() };
                return Some(Err(FrameError::TooLarge));
            }
        }
        None
    }

    /// Reads one byte. Returns the range of an item where the byte ends one.
    fn step(&mut self, byte: u8) -> Option<(usize, usize)> {
        if self.strings.holds(byte) {
            return None;
        }
        let before = (self.start, self.searched - 1);
        match byte {
            b'[' | b'{' => {
                self.depth += 1;
                // The bracket of the list itself, and whatever stands before it, is no item.
                return (self.depth == 1).then_some((self.searched, self.searched));
            }
            b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                self.ended = self.depth == 0;
                return match self.depth {
                    0 => Some(before),
                    1 => Some((self.start, self.searched)),
                    _ => None,
                };
            }
            b',' if self.depth == 1 => return Some(before),
            _ => {}
        }
        None
    }
}

fn frame(item: &[u8]) -> Result<Frame<'_>, FrameError> {
    let data = str::from_utf8(item).map_err(|_| FrameError::NotUtf8)?;
    Ok(Frame { event: "", data: data.trim() })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Owned = Result<String, FrameError>;

    fn items<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Owned>, bool) {
        let mut items = Items::default();
        let mut given = Vec::new();
        for piece in pieces {
            items.push(piece);
            while let Some(item) = items.next() {
                given.push(item.map(|frame| frame.data.to_owned()));
            }
        }
        (given, items.ended())
    }

    #[track_caller]
    fn holds(list: &str, expected: &[&str], ended: bool) {
        let expected: Vec<Owned> = expected.iter().map(|item| Ok((*item).to_owned())).collect();
        assert_eq!(items([list.as_bytes()]), (expected.clone(), ended), "{list}");
        assert_eq!(items(list.as_bytes().chunks(1)), (expected, ended), "{list} byte by byte");
    }

    #[test]
    fn items_are_cut_where_they_end() {
        holds("[]", &[], true);
        holds(" [ {\"a\": [1, {}]}\n,\r\n{\"b\": 2}\n]\n", &["{\"a\": [1, {}]}", "{\"b\": 2}"], true);
        holds(r#"[{"a": "]}\"[,"},{"b":"\\"}] {"c":1}"#, &[r#"{"a": "]}\"[,"}"#, r#"{"b":"\\"}"#], true);
        holds("[1, \"a,b\", [2], null]", &["1", "\"a,b\"", "[2]", "null"], true);
        holds("[,, {} {}", &["{}", "{}"], false);
    }

    #[test]
    fn an_item_is_given_before_the_list_goes_on() {
        holds("[{\"a\":1}", &["{\"a\":1}"], false);
        holds("[{\"a\":1}\n,\n{\"b\"", &["{\"a\":1}"], false);
    }

    #[test]
    fn bytes_that_are_not_utf8_cost_one_item() {
        let (given, _) = items([&b"[{\"a\":\"\xff\"},{}]"[..]]);
        assert_eq!(given, [Err(FrameError::NotUtf8), Ok("{}".to_owned())]);
    }

    #[test]
    fn an_endless_item_is_an_error_and_takes_no_memory() {
        let mut items = Items::default();
        items.push(b"[{\"a\":\"");
        let piece = vec![b'x'; 64 << 10];
        let mut errors = 0;
        for _ in 0..1000 {
            items.push(&piece);
            errors += usize::from(items.next() == Some(Err(FrameError::TooLarge)));
            assert!(items.buffer.capacity() <= 4 * MAX_EVENT);
        }
        assert_eq!((errors, items.next()), (1, None));
    }
}
