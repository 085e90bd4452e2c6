//! Masks the gateway's secrets in the words of a model: its text, its reasoning, the arguments of its tool calls and the
//! log-probabilities of its tokens. For clients of a server, who are others than the owner of the key. At a terminal, the words of
//! a model are the user's own and stay as they are. Signatures are no words: the owner gets none with a secret in it either.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::json_text::{Unescaped, start_of_escape, unescaped};
use super::mask::{LONG, MASK, Mask, SHORTEST_PART};
use crate::adapter::signature;
use crate::chat::{StreamEvent, TokenLogprob};

/// The words of one answer on their way. A secret is found where it is spelled as it is, also if it comes in many pieces. Only
/// what may be its beginning is held back.
pub(super) struct Words<'a> {
    /// `None` where no words are masked.
    mask: Option<&'a Mask>,
    /// Masks signatures, which are no words.
    signatures: &'a Mask,
    /// The ends of the words of each kind that may be the beginning of a secret. Pieces of other kinds may come between two
    /// pieces of one.
    tails: Vec<Tail>,
    /// Tokens that may be the beginning of a secret.
    tokens: Vec<TokenLogprob>,
    is_split: bool,
    /// Whether a secret was masked.
    has_masked: bool,
    /// Whether the reasoning held a secret. Its signatures may hold parts of it again.
    has_masked_reasoning: bool,
    /// What signatures hold that may be the beginning of a secret, by field.
    signed: BTreeMap<String, String>,
}

/// The end of the words of one kind.
struct Tail {
    kind: Kind,
    text: String,
    /// How many letters of a secret it holds. Escapes make it longer.
    letters: usize,
    /// How many bytes of it were handed on: fewer than tell anything of a secret.
    sent: usize,
}

/// What a piece belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
    /// The arguments of the tool call with this position.
    Arguments(usize),
}

impl Kind {
    fn event(self, text: String) -> StreamEvent {
        match self {
            Self::Text => StreamEvent::TextDelta(text),
            Self::Reasoning => StreamEvent::ReasoningDelta(text),
            Self::Arguments(index) => StreamEvent::ToolCallDelta { index, arguments: text },
        }
    }

    /// Where what stands at this place of these words begins: in arguments, an escape is one with the letters that it takes.
    fn start(self, words: &str, place: usize) -> usize {
        match self {
            Self::Arguments(_) => start_of_escape(words, place),
            Self::Text | Self::Reasoning => place,
        }
    }

    /// What these words mean: arguments are JSON, in which a letter may be escaped. `None` where none is.
    fn unescaped(self, words: &str) -> Option<Unescaped> {
        matches!(self, Self::Arguments(_)).then(|| unescaped(words)).flatten()
    }
}

impl<'a> Words<'a> {
    /// The words of an answer, for the owner of the key or for clients of a server.
    pub(super) fn new(mask: &'a Mask, is_served: bool) -> Self {
        Self {
            mask: Some(mask).filter(|mask| is_served && mask.has_exact()),
            signatures: mask,
            tails: Vec::new(),
            tokens: Vec::new(),
            is_split: false,
            has_masked: false,
            has_masked_reasoning: false,
            signed: BTreeMap::new(),
        }
    }

    /// Whether a secret came in several pieces, or the words ended within one.
    pub(super) fn is_split(&self) -> bool {
        self.is_split
    }

    /// Whether the words held a secret, or ended within one.
    pub(super) fn has_masked(&self) -> bool {
        self.has_masked
    }

    /// Whether the words so far end with what tells something of a secret, unless they go on otherwise.
    pub(super) fn is_open(&self) -> bool {
        self.tails.iter().any(|tail| tail.letters >= SHORTEST_PART)
    }

    /// Takes in an event and hands on what can be told by now.
    pub(super) fn push(&mut self, event: StreamEvent, each: &mut impl FnMut(StreamEvent)) {
        if let StreamEvent::ReasoningSignature(signature) = event {
            // Without one that holds a secret, the vendor thinks anew.
            if !self.signs_secret(&signature) && !self.has_masked_reasoning {
                each(StreamEvent::ReasoningSignature(signature));
            }
            return;
        }
        let Some(mask) = self.mask else { return each(event) };
        match event {
            StreamEvent::TextDelta(text) => self.add(mask, Kind::Text, &text, each),
            StreamEvent::ReasoningDelta(text) => self.add(mask, Kind::Reasoning, &text, each),
            StreamEvent::ToolCallDelta { index, arguments } => {
                self.add(mask, Kind::Arguments(index), &arguments, each);
            }
            StreamEvent::Logprobs(tokens) => self.add_tokens(mask, tokens, each),
            // These come between the pieces of a text.
            StreamEvent::Start { .. }
            | StreamEvent::Missing(_)
            | StreamEvent::Usage(_)
            | StreamEvent::ToolCallStart { .. }
            | StreamEvent::ReasoningSignature(_) => each(event),
            StreamEvent::Finish(_) => {
                self.flush(each);
                each(event);
            }
        }
    }

    /// Hands on what was held back, as nothing more comes of it.
    pub(super) fn flush(&mut self, each: &mut impl FnMut(StreamEvent)) {
        self.flush_tokens(each);
        for Tail { kind, text, letters, sent } in self.tails.drain(..) {
            let is_secret = letters >= LONG;
            self.is_split |= is_secret;
            self.has_masked |= is_secret;
            let rest = if is_secret { MASK } else { &text[sent..] };
            if !rest.is_empty() {
                each(kind.event(rest.to_owned()));
            }
        }
    }

    /// Whether a signature holds a secret, or a part of one, alone or together with those before it.
    fn signs_secret(&mut self, signature: &str) -> bool {
        let mask = self.signatures;
        if !mask.has_exact() {
            return false;
        }
        let (bare, json) = signature::split(signature);
        let mut strings = vec![(String::new(), bare.to_owned())];
        collect(json, "", &mut strings);
        strings.into_iter().fold(false, |is_secret, (field, string)| {
            let known = self.signed.entry(field).or_default();
            known.push_str(&string);
            let open = mask.open_at_end(known.as_bytes());
            let is_found = open >= SHORTEST_PART || mask.find_exact(known.as_bytes()).next().is_some();
            let rest = known.len() - open;
            known.drain(..rest);
            is_secret || is_found
        })
    }

    fn add(&mut self, mask: &Mask, kind: Kind, text: &str, each: &mut impl FnMut(StreamEvent)) {
        if text.is_empty() {
            return each(kind.event(String::new()));
        }
        let tail = self.tails.iter().position(|tail| tail.kind == kind).map(|place| self.tails.swap_remove(place));
        let (mut whole, mut at) = tail.map_or_else(Default::default, |tail| (tail.text, tail.sent));
        let before = whole.len();
        whole.push_str(text);
        let read = kind.unescaped(&whole);
        let spelled = mask.find_exact(whole.as_bytes()).map(|found| kind.start(&whole, found.start)..found.end);
        let mut secrets: Vec<Range<usize>> = spelled.collect();
        if let Some(read) = &read {
            let meant = mask.find_exact(read.text.as_bytes());
            secrets.extend(meant.map(|found| read.place(found.start)..read.place(found.end)));
        }
        secrets.sort_unstable_by_key(|found| found.start);
        let mut said = String::new();
        let mut searched = 0;
        for found in secrets {
            if searched > found.start {
                at = at.max(found.end);
                searched = searched.max(found.end);
                continue;
            }
            self.is_split |= found.start < before;
            self.has_masked = true;
            self.has_masked_reasoning |= kind == Kind::Reasoning;
            said.push_str(whole.get(at..found.start).unwrap_or_default());
            said.push_str(MASK);
            (at, searched) = (found.end, found.end);
        }
        let mut letters = mask.open_at_end(&whole.as_bytes()[searched..]);
        let mut tail = kind.start(&whole, whole.len() - letters);
        let mut cut = 0;
        if let Some(read) = &read {
            let meant = mask.open_at_end(&read.text.as_bytes()[read.text_at(searched)..]);
            tail = tail.min(read.place(read.text.len() - meant));
            letters = letters.max(meant);
            cut = read.cut;
        }
        let tail = tail.max(searched);
        // A mask behind a part of an escape would be no JSON.
        let until = if letters < SHORTEST_PART { whole.len() - cut } else { tail }.max(at);
        said.push_str(&whole[at..until]);
        if tail < whole.len() {
            let sent = until.saturating_sub(tail);
            self.tails.push(Tail { kind, text: whole[tail..].to_owned(), letters, sent });
        }
        if !said.is_empty() {
            each(kind.event(said));
        }
    }

    fn add_tokens(&mut self, mask: &Mask, mut tokens: Vec<TokenLogprob>, each: &mut impl FnMut(StreamEvent)) {
        for token in &mut tokens {
            token.top.retain(|other| mask.find_exact(other.token.as_bytes()).next().is_none());
        }
        self.tokens.append(&mut tokens);
        let joined = joined(&self.tokens);
        let secrets: Vec<Range<usize>> = mask.find_exact(joined.as_bytes()).collect();
        let searched = secrets.last().map_or(0, |last| last.end);
        let decided = joined.len() - mask.open_at_end(&joined.as_bytes()[searched..]);
        let mut end = 0;
        let is_decided = |token: &&TokenLogprob| {
            end += token.token.len();
            end <= decided
        };
        let count = self.tokens.iter().take_while(is_decided).count();
        hide(&mut self.tokens, &joined, &secrets);
        let rest = self.tokens.split_off(count);
        let said = std::mem::replace(&mut self.tokens, rest);
        if !said.is_empty() {
            each(StreamEvent::Logprobs(said));
        }
    }

    fn flush_tokens(&mut self, each: &mut impl FnMut(StreamEvent)) {
        let Some(mask) = self.mask.filter(|_| !self.tokens.is_empty()) else { return };
        let mut tokens = std::mem::take(&mut self.tokens);
        let joined = joined(&tokens);
        let open = mask.open_at_end(joined.as_bytes());
        if open >= LONG {
            hide(&mut tokens, &joined, std::slice::from_ref(&(joined.len() - open..joined.len())));
        }
        each(StreamEvent::Logprobs(tokens));
    }
}

/// All texts in this JSON, with the field that each is in.
fn collect(json: Option<Value>, field: &str, strings: &mut Vec<(String, String)>) {
    match json {
        Some(Value::String(text)) => strings.push((field.to_owned(), text)),
        Some(Value::Array(items)) => items.into_iter().for_each(|item| collect(Some(item), field, strings)),
        Some(Value::Object(fields)) => {
            fields.into_iter().for_each(|(field, value)| collect(Some(value), &field, strings));
        }
        _ => {}
    }
}

fn joined(tokens: &[TokenLogprob]) -> String {
    tokens.iter().map(|token| &*token.token).collect()
}

/// Hides these parts of the text of all tokens, which is `joined`. Of a token in them, the alternatives are left out as well.
fn hide(tokens: &mut [TokenLogprob], joined: &str, secrets: &[Range<usize>]) {
    let mut end = 0;
    for token in tokens {
        let own = end..end + token.token.len();
        end = own.end;
        let (mut text, mut at) = (String::new(), own.start);
        for secret in secrets.iter().filter(|secret| secret.start < own.end && own.start < secret.end) {
            text.push_str(joined.get(at..secret.start).unwrap_or_default());
            if own.contains(&secret.start) {
                text.push_str(MASK);
            }
            at = secret.end.min(own.end);
            token.top.clear();
        }
        if at > own.start {
            text.push_str(joined.get(at..own.end).unwrap_or_default());
            token.token = text;
        }
    }
}

#[cfg(test)]
mod tests;
