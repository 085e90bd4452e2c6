//! Tool calls that arrive in pieces. Servers mark the pieces by number, by id, or not at all.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Text, maybe, whole};
use super::missing;
use crate::chat::StreamEvent;
use crate::error::{Failure, FailureKind};

/// The most tool calls of an answer. A model asks for a few at once.
pub(super) const MOST: usize = 1024;

/// Whether an answer may have so many tool calls. Streams and whole answers share this rule.
///
/// # Errors
/// `Truncated` where they are too many.
pub(super) fn bounded(count: usize) -> Result<(), Failure> {
    if count <= MOST {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Truncated, format!("the answer has more than {MOST} tool calls")).maybe_billed())
}

/// One entry of `tool_calls`: a whole call or a piece of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Piece<'a> {
    #[serde(deserialize_with = "whole")]
    index: Option<u64>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, deserialize_with = "maybe")]
    function: Option<Function<'a>>,
    #[serde(borrow)]
    pub(super) extra_content: Option<&'a RawValue>,
    /// In the place of a function: a tool whose input is any text.
    #[serde(borrow)]
    custom: Option<&'a RawValue>,
}

impl<'a> Piece<'a> {
    /// The only call of an answer.
    pub(super) fn of_function(function: Function<'a>) -> Self {
        Self { index: Some(0), function: Some(function), ..Self::default() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    /// JSON text; some gateways send the JSON itself.
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// The tool calls of one answer.
#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    calls: Vec<Call>,
    held: usize,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: String,
    /// Its position among the calls that were reported; `None` while its name is unknown.
    told: Option<usize>,
    /// Arguments that came before the name.
    waiting: String,
}

impl ToolCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether so many calls have come that the answer is given up. Each further one would be compared with all of them.
    fn are_too_many(&self) -> bool {
        bounded(self.calls.len()).is_err()
    }

    /// About how many bytes have been kept of calls: their ids, and what came before their names.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Adds a whole call, which is no piece of another one, although some servers give all calls of a function one id.
    pub(super) fn take_whole(&mut self, piece: Piece<'_>, events: &mut Vec<StreamEvent>) {
        if self.are_too_many() {
            return;
        }
        let is_known = self.calls.iter().any(|call| *call.id == *piece.id);
        let id = if is_known { Text::default() } else { piece.id };
        let before = self.calls.len();
        self.take(Piece { index: Some(before as u64), id, ..piece }, events);
    }

    /// Adds a piece of a call.
    pub(super) fn take(&mut self, piece: Piece<'_>, events: &mut Vec<StreamEvent>) {
        if self.are_too_many() {
            return;
        }
        if piece.custom.is_some() {
            events.push(StreamEvent::Missing(missing::OTHER_CALL));
            return;
        }
        let function = piece.function.unwrap_or_default();
        let at = self.find(piece.index, &piece.id, &function.name).unwrap_or_else(|| {
            let id = piece.id.0.into_owned();
            self.held += size_of::<Call>() + id.len();
            self.calls.push(Call { index: piece.index, id, told: None, waiting: String::new() });
            self.calls.len() - 1
        });
        if self.calls[at].told.is_none() && !function.name.is_empty() {
            self.tell(at, function.name.0.into_owned(), events);
        }
        let Some(arguments) = function.arguments.map(arguments).filter(|arguments| !arguments.is_empty()) else {
            return;
        };
        let call = &mut self.calls[at];
        match call.told {
            Some(index) => events.push(StreamEvent::ToolCallDelta { index, arguments: arguments.into_owned() }),
            None => {
                self.held += arguments.len();
                call.waiting.push_str(&arguments);
            }
        }
    }

    /// Reports the calls whose name never came.
    pub(super) fn end(&mut self, events: &mut Vec<StreamEvent>) {
        for at in 0..self.calls.len() {
            if self.calls[at].told.is_none() {
                self.tell(at, String::new(), events);
            }
        }
    }

    fn tell(&mut self, at: usize, name: String, events: &mut Vec<StreamEvent>) {
        let index = self.calls.iter().filter(|call| call.told.is_some()).count();
        let call = &mut self.calls[at];
        call.told = Some(index);
        events.push(StreamEvent::ToolCallStart { index, id: call.id.clone(), name });
        let waiting = std::mem::take(&mut call.waiting);
        if !waiting.is_empty() {
            events.push(StreamEvent::ToolCallDelta { index, arguments: waiting });
        }
    }

    /// The known call to which a piece belongs: by number, else by id, else the last one, unless a name begins another.
    fn find(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        if let Some(index) = index {
            // Some servers give every call the number 0, so that another id with a name is another call.
            let at = self.calls.iter().rposition(|call| call.index == Some(index))?;
            let is_other = !id.is_empty() && !name.is_empty() && self.calls[at].id != id;
            return (!is_other).then_some(at);
        }
        if !id.is_empty() {
            return self.calls.iter().position(|call| call.id == id);
        }
        if !name.is_empty() {
            return None;
        }
        self.calls.len().checked_sub(1)
    }
}

pub(super) fn arguments(raw: &RawValue) -> Cow<'_, str> {
    match raw.get() {
        "null" => Cow::Borrowed(""),
        json if json.starts_with('"') => serde_json::from_str::<Text<'_>>(json).unwrap_or_default().0,
        json => Cow::Borrowed(json),
    }
}
