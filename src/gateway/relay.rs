//! Hands the bytes of an answer on to a client that speaks the gateway's wire format.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::mask::Mask;
use crate::adapter::ClientBody;
use crate::call::Event;

/// The bytes of one answer on their way. They are held back until the answer has begun: before that, a failure can still be
/// answered by another try or another model.
pub(super) struct Relay<'a> {
    mask: &'a Mask,
    content_type: Option<Arc<str>>,
    /// Leaves out the usage that the client did not ask for.
    usage: Option<UsageFilter>,
    /// The end of what has come, which may be the beginning of a secret.
    undecided: Vec<u8>,
    held: Vec<Bytes>,
    is_open: bool,
}

impl<'a> Relay<'a> {
    pub(super) fn new(mask: &'a Mask, body: &ClientBody, content_type: Option<&str>) -> Self {
        Self {
            mask,
            content_type: content_type.map(Arc::from),
            usage: body.hides_usage().then(UsageFilter::default),
            undecided: Vec::new(),
            held: Vec::new(),
            is_open: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// From now on, nothing is held back.
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

    /// The events that hand on what is held, once nothing is held back any more. `is_failure` says that these bytes report a
    /// failure.
    pub(super) fn take(&mut self, is_failure: bool) -> impl Iterator<Item = Event> {
        let held = if self.is_open { std::mem::take(&mut self.held) } else { Vec::new() };
        let content_type = &mut self.content_type;
        held.into_iter().map(move |bytes| Event::Bytes { bytes, content_type: content_type.take(), is_failure })
    }

    /// Takes in that nothing more comes.
    pub(super) fn end(&mut self) {
        let rest = self.usage.as_mut().map(UsageFilter::finish).unwrap_or_default();
        let rest = self.masked(rest.into());
        self.held.push(rest);
        // What was undecided is the whole of what there is, so it is no secret.
        self.held.push(std::mem::take(&mut self.undecided).into());
        self.held.retain(|bytes| !bytes.is_empty());
    }

    /// The bytes without the gateway's secrets. An end that may be the beginning of one is kept for the next time.
    fn masked(&mut self, bytes: Bytes) -> Bytes {
        if self.mask.is_empty() {
            return bytes;
        }
        let joined = match self.undecided.is_empty() {
            true => bytes,
            false => [std::mem::take(&mut self.undecided), bytes.to_vec()].concat().into(),
        };
        let joined = self.mask.exactly(joined);
        let open = self.mask.open_at_end(&joined);
        self.undecided.extend_from_slice(&joined[joined.len() - open..]);
        joined.slice(..joined.len() - open)
    }
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

impl UsageFilter {
    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut passed = Vec::with_capacity(bytes.len() + self.event.len());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_new_line = self.event.is_empty() || self.event.ends_with(b"\n");
            self.event.extend_from_slice(line);
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

    #[test]
    fn a_secret_is_masked_however_the_bytes_are_cut() {
        let gateway = crate::secret::testing::gateway("g");
        let mask = Mask::new(&gateway, Some(&"sk-0123456789abcdef".into()));
        let text = "data: sk-0123456789abcdef and sk-01234567 and sk-0123456789abcdefsk-0";
        let shown = text.replace("sk-0123456789abcdef", "***");
        let body = ClientBody::read(
            crate::adapter::Api::Anthropic,
            crate::adapter::Operation::Generate,
            "messages",
            Bytes::from_static(b"{\"model\":\"m\"}"),
        );
        let body = body.expect("a request");
        for cut in 0..=text.len() {
            let mut relay = Relay::new(&mask, &body, None);
            relay.add(Bytes::copy_from_slice(&text.as_bytes()[..cut]));
            relay.add(Bytes::copy_from_slice(&text.as_bytes()[cut..]));
            let mut passed = relay.held.concat();
            passed.extend_from_slice(&relay.undecided);
            assert_eq!(String::from_utf8(passed).expect("UTF-8"), shown, "cut at {cut}");
        }
    }
}
