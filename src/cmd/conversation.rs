//! Continues recorded conversations: turns recorded calls into messages.

use std::sync::Arc;

use super::{Context, calls, log};
use crate::call::{Call, Target};
use crate::chat::{Message, Part, Request, Role};
use crate::error::Error;
use crate::ledger::{self, Row, Store, Turn};

/// The calls of a conversation, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    rows: Vec<Row>,
}

impl Conversation {
    /// The conversation of this call, up to and with this call.
    ///
    /// # Errors
    /// One of its calls was deleted or recorded without texts, or the ledger cannot be read.
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

    pub(super) fn last(&self) -> Option<&Row> {
        self.rows.last()
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Adds a call that continues the conversation.
    pub(super) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Takes away the last call, which the ledger keeps.
    pub(super) fn pop(&mut self) -> Option<Row> {
        self.rows.pop()
    }

    /// The name by which the last call's model is asked again; `None` where there is no call.
    pub(super) fn model(&self) -> Option<String> {
        self.last().map(name_to_ask_again)
    }

    /// Inserts the messages of the conversation before those of these calls. Returns the calls' position in the conversation,
    /// `None` where they begin one.
    ///
    /// # Errors
    /// A prompt was not recorded.
    pub(super) fn prepend_to(&self, calls: &mut [Call]) -> Result<Option<Turn>, Error> {
        let Some(last) = self.last() else { return Ok(None) };
        let mut inherited = 0;
        for call in calls {
            let messages = self.messages(call.target())?;
            inherited = messages.len();
            Arc::make_mut(&mut call.request).messages.splice(0..0, messages);
        }
        let conversation = last.conversation.clone().unwrap_or_else(|| last.id.clone());
        Ok(Some(Turn { conversation, parent: last.id.clone(), inherited }))
    }

    /// The messages of the conversation, for this target. Signed reasoning is included only if this target produced it: some
    /// vendors require their own reasoning back, and others cannot read it.
    fn messages(&self, target: &Target) -> Result<Vec<Message>, Error> {
        let mut messages = Vec::new();
        for row in &self.rows {
            messages.extend(request(row)?.messages);
            let Some(answer) = &row.answer else { continue };
            let mut parts = Vec::new();
            let is_own =
                row.attempts.last().is_some_and(|last| last.gateway == target.gateway && last.model == target.model);
            if is_own && answer.signature.is_some() {
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

/// The name by which the model of a recorded call is asked again. A model that was asked by its own name gets its gateway
/// in front, because that gateway need not be the default one.
pub(super) fn name_to_ask_again(row: &Row) -> String {
    match row.attempts.last() {
        Some(last) if last.model == row.asked => format!("{}::{}", last.gateway, last.model),
        _ => row.asked.clone(),
    }
}

/// The request of a recorded call, without the messages of the conversation before it.
///
/// # Errors
/// The prompt was not recorded.
pub(super) fn request(row: &Row) -> Result<Request, Error> {
    row.request.request().ok_or_else(|| {
        Error::usage_hint(
            format!("the prompt of call {} was not kept", row.id),
            "--log full, or `log = \"full\"` in the config, keeps prompts and answers",
        )
    })
}

/// Opens the ledger for a command that cannot work without one.
///
/// # Errors
/// Nothing has been recorded yet, or the ledger cannot be read.
pub(super) fn store(context: &Context) -> Result<Store, Error> {
    calls::store(context)?.ok_or_else(|| Error::usage("there is no recorded call to take up"))
}

/// The call that the value of `-c` names. The value may also be the prompt, as in `llm ask -c "and why?"`: without another
/// prompt, a value that no recorded call has as its id is the prompt, and `None` is returned.
///
/// # Errors
/// Several calls may be meant, or none is although the prompt was given too, or the ledger cannot be read.
pub(super) fn named(store: &Store, value: &str, prompt_given: bool) -> Result<Option<Row>, Error> {
    let mut rows = if value.len() >= 4 { ledger::find_like(store, value)?.calls() } else { Vec::new() };
    match rows.len() {
        1 => Ok(rows.pop()),
        0 if !prompt_given => Ok(None),
        0 => Err(Error::usage_hint(format!("no recorded call has an id like {value}"), "`llm log` lists them")),
        _ => Err(log::several(value, &rows)),
    }
}

/// The last call of these commands that was answered.
///
/// # Errors
/// There is none, or the ledger cannot be read.
pub(super) fn last(store: &Store, commands: &[&str]) -> Result<Row, Error> {
    let found = commands.iter().map(|command| ledger::last_answered(store, command));
    let rows = found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
    rows.max_by_key(|row| row.at_ms).ok_or_else(|| {
        Error::usage_hint("there is no conversation to continue", "`llm log` lists calls; -c ID continues one of them")
    })
}
