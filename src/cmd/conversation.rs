//! Recorded calls taken up again: what was said so far, as messages.

use std::sync::Arc;

use super::{Context, calls, log};
use crate::call::{Call, Target};
use crate::chat::{Message, Part, Request, Role};
use crate::error::Error;
use crate::ledger::{self, Row, Store, Turn};

/// A conversation up to its last call, oldest first; never empty.
#[derive(Debug)]
pub(super) struct Conversation {
    rows: Vec<Row>,
}

impl Conversation {
    /// The conversation that this call belongs to, up to it.
    pub(super) fn up_to(store: &Store, row: Row) -> Result<Self, Error> {
        let mut rows = vec![row];
        while let Some(parent) = rows.last().and_then(|row| row.parent.clone()) {
            let found = ledger::find_like(store, &parent)?.calls().into_iter().find(|row| row.id == parent);
            let Some(row) = found else {
                return Err(Error::usage_hint(
                    format!("the conversation cannot be taken up: its call {parent} was deleted"),
                    "`llm log show ID --conversation` shows what is left of it",
                ));
            };
            rows.push(row);
        }
        rows.reverse();
        match rows.iter().find(|row| row.request.body.is_none() || row.answer.is_none()) {
            Some(row) => Err(Error::usage_hint(
                format!("the conversation cannot be taken up: of call {} only metadata was kept", row.id),
                "--log full, or `log = \"full\"` in the config, keeps prompts and answers",
            )),
            None => Ok(Self { rows }),
        }
    }

    fn last(&self) -> &Row {
        &self.rows[self.rows.len() - 1]
    }

    /// The model that answered last, as one would ask for it again.
    pub(super) fn model(&self) -> String {
        let last = self.last();
        let tried = last.attempts.last();
        match tried {
            // What was asked for was the model itself, at a gateway that need not be the usual one.
            Some(tried) if tried.model == last.asked => format!("{}::{}", tried.gateway, tried.model),
            _ => last.asked.clone(),
        }
    }

    /// Puts what was said so far into calls that go on from there; their place in the conversation.
    pub(super) fn recall(&self, calls: &mut [Call]) -> Result<Turn, Error> {
        let mut inherited = 0;
        for call in calls {
            let said = self.messages(call.target())?;
            inherited = said.len();
            Arc::make_mut(&mut call.request).messages.splice(0..0, said);
        }
        let last = self.last();
        let conversation = last.conversation.clone().unwrap_or_else(|| last.id.clone());
        Ok(Turn { conversation, parent: last.id.clone(), inherited })
    }

    /// What was said so far, for this target. What a model thought is its own: only the one that did is told again, as
    /// some vendors demand.
    fn messages(&self, target: &Target) -> Result<Vec<Message>, Error> {
        let mut messages = Vec::new();
        for row in &self.rows {
            messages.extend(request(row)?.messages);
            let Some(answer) = &row.answer else { continue };
            let mut parts = Vec::new();
            let own =
                row.attempts.last().is_some_and(|last| last.gateway == target.gateway && last.model == target.model);
            if own && answer.signature.is_some() {
                parts.push(Part::Reasoning { text: answer.reasoning.clone(), signature: answer.signature.clone() });
            }
            if !answer.text.is_empty() {
                parts.push(Part::Text(answer.text.clone()));
            }
            parts.extend(answer.tool_calls.iter().cloned().map(Part::ToolCall));
            if !parts.is_empty() {
                messages.push(Message { role: Role::Assistant, parts });
            }
        }
        Ok(messages)
    }
}

/// The unified request of a recorded call, without what it inherited.
pub(super) fn request(row: &Row) -> Result<Request, Error> {
    row.request.request().ok_or_else(|| {
        Error::usage_hint(
            format!("the prompt of call {} was not kept", row.id),
            "--log full, or `log = \"full\"` in the config, keeps prompts and answers",
        )
    })
}

/// The ledger, where there must be one.
pub(super) fn store(context: &Context) -> Result<Store, Error> {
    calls::store(context)?.ok_or_else(|| Error::usage("there is no recorded call to take up"))
}

/// What `-c` says. Its value may be an id or, as in `llm ask -c "and why?"`, the prompt: an id is one that a recorded
/// call has.
pub(super) fn named(store: &Store, value: &str, prompt_given: bool) -> Result<Option<Row>, Error> {
    let mut rows = if value.len() >= 4 { ledger::find_like(store, value)?.calls() } else { Vec::new() };
    match rows.len() {
        1 => Ok(rows.pop()),
        0 if !prompt_given => Ok(None),
        0 => Err(Error::usage_hint(format!("no recorded call has an id like {value}"), "`llm log` lists them")),
        _ => Err(log::several(value, &rows)),
    }
}

/// The last call of `ask` that was answered.
pub(super) fn last(store: &Store) -> Result<Row, Error> {
    ledger::last_answered(store, "ask")?.ok_or_else(|| {
        Error::usage_hint("there is no conversation to continue", "`llm log` lists calls; -c ID continues one of them")
    })
}
