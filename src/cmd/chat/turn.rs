//! One turn of a chat: the prompt goes to one model, or to several of which the user chooses one.

use std::io::Write;
use std::sync::Arc;

use jiff::Timestamp;

use super::input::{Input, Line, NOT_TEXT};
use super::{Chat, is_empty};
use crate::call::{Call, RunEvent};
use crate::chat::{Message, Part, Role};
use crate::cli::CompareFormat;
use crate::cmd::conversation::{self, Conversation};
use crate::cmd::live::{Live, progress};
use crate::cmd::run::{Ending, RunOptions, View};
use crate::cmd::{Context, compare};
use crate::error::Error;
use crate::ledger::{Circumstances, Row, Turn};
use crate::record::{Record, Status};
use crate::report::answer::{Answer, AnswerOptions};
use crate::report::columns::Layout;
use crate::report::term::{Stderr, Text, print};
use crate::report::{self, Comparison};
use crate::run::{Calls, Notices, Outcome, Reporter};

/// The signal of Ctrl-C.
const SIGINT: i32 = 2;

/// The last prompt of a conversation.
pub(super) fn last_prompt(conversation: &Conversation) -> Option<Message> {
    let request = conversation::request(conversation.last()?).ok()?;
    request.messages.into_iter().rev().find(|message| message.role == Role::User)
}

/// The system prompt that went with a call.
pub(super) fn system_of(row: &Row) -> Option<String> {
    let request = conversation::request(row).ok()?;
    let system = request.messages.into_iter().find(|message| message.role == Role::System)?;
    system.parts.into_iter().find_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    })
}

impl Chat<'_> {
    /// Sends a prompt, shows the answer, and makes both part of the conversation.
    pub(super) fn send(&mut self, message: Message, input: &mut Input) -> Result<(), Error> {
        if message.parts.iter().all(is_empty) {
            return Err(Error::usage("the prompt is empty"));
        }
        self.last = Some(message.clone());
        let several = std::mem::take(&mut self.several);
        let names = if several.is_empty() { vec![self.asked.clone()] } else { several };
        let mut template = self.template.clone();
        let request = Arc::make_mut(&mut template.request);
        request.messages = self.system.clone().map(|text| Message::text(Role::System, text)).into_iter().collect();
        request.messages.push(message);
        let mut calls = template.calls(&self.context.settings, &names)?;
        let turn = self.conversation.prepend_to(&mut calls)?;
        let options = RunOptions { turn: turn.clone(), ..RunOptions::new(self.context, "chat", &self.args.prompt) };
        let records =
            if let [_] = names.as_slice() { self.ask(&calls, &options)? } else { self.compare(&calls, &options)? };
        self.records.extend(records.iter().cloned());
        let goes_on = match records.len() {
            0 | 1 => 0,
            _ => choose(self.context, &records, input)?,
        };
        let Some((record, call)) = records.get(goes_on).zip(calls.get(goes_on)) else { return Ok(()) };
        if record.text.is_empty() && record.tool_calls.is_empty() {
            self.context.notice("there is no answer, so the turn is no part of the conversation; /retry asks again");
            return Ok(());
        }
        if records.len() > 1 {
            self.asked = names[goes_on].clone();
        }
        self.system = None;
        self.conversation.push(row(record.clone(), call, turn.as_ref()));
        Ok(())
    }

    /// Asks one model, and shows its answer as it comes.
    fn ask(&mut self, calls: &[Call], options: &RunOptions) -> Result<Vec<Record>, Error> {
        let terminal = self.context.terminal.now();
        let answer_options =
            AnswerOptions { quiet: self.context.quiet, stats: false, reasoning: self.args.show_reasoning };
        let mut answer = Answer::streamed(&terminal, answer_options);
        if let (Some(terminal), Some(call)) = (self.context.live_terminal(), calls.first()) {
            answer = answer.with_live_line(&call.asked, terminal.stderr);
        }
        let mut view = Streamed { answer, record: None };
        let ended = self.session.run(calls, &mut Calls::from(calls.to_vec()), options, &mut view);
        self.note_end(ended)?;
        Ok(view.record.into_iter().collect())
    }

    /// Asks several models at once, and shows their answers when all have come.
    fn compare(&mut self, calls: &[Call], options: &RunOptions) -> Result<Vec<Record>, Error> {
        let labels = report::unique(calls.iter().map(|call| call.asked.as_str()));
        let mut view = Collected { live: Live::new(progress(self.context, labels), None), records: Vec::new() };
        let options = RunOptions { concurrency: calls.len(), ..options.clone() };
        let ended = self.session.run(calls, &mut Calls::from(calls.to_vec()), &options, &mut view);
        let records = view.records;
        let out = self.context.terminal.now().stdout;
        let comparison = Comparison::new("", "", &records);
        print(compare::text(&comparison, CompareFormat::Text, Layout::Auto, &out)?)?;
        self.note_end(ended)?;
        Ok(records)
    }

    /// Ctrl-C stops an answer and not the chat.
    fn note_end(&mut self, ended: Result<u8, Error>) -> Result<(), Error> {
        match ended {
            Ok(0) => Ok(()),
            Ok(code) => {
                self.code = code;
                Ok(())
            }
            Err(Error::Signalled(SIGINT)) if self.is_typed => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Asks the user whose answer goes on. Without an answer, it is the first complete one.
fn choose(context: &Context, records: &[Record], input: &mut Input) -> Result<usize, Error> {
    let labels = report::unique(records.iter().map(|record| record.model.as_str()));
    let first = records.iter().position(|record| record.status == Status::Ok).unwrap_or(0);
    if !input.is_terminal() {
        context.notice(&format!("{} goes on", labels[first]));
        return Ok(first);
    }
    let list: Vec<String> = labels.iter().enumerate().map(|(n, label)| format!("{} {label}", n + 1)).collect();
    print(Text::from(format!("whose answer goes on? {}\n", list.join(" · "))))?;
    loop {
        let prompt = report::chat::plain_prompt(&format!("[{}] ", first + 1));
        let chosen = match input.next(&prompt)? {
            Line::Text(text) => text.trim().to_owned(),
            Line::Interrupted | Line::End => String::new(),
            Line::NotText => {
                context.urgent(NOT_TEXT);
                continue;
            }
        };
        let number = chosen.parse().ok().and_then(|number: usize| number.checked_sub(1));
        let found = number.filter(|n| *n < labels.len()).or_else(|| labels.iter().position(|label| *label == chosen));
        match found {
            _ if chosen.is_empty() => return Ok(first),
            Some(found) => return Ok(found),
            None => context.notice(&format!("a number from 1 to {}, or a name", labels.len())),
        }
    }
}

/// The call as the ledger would keep it, whatever it keeps: the chat needs the texts.
fn row(record: Record, call: &Call, turn: Option<&Turn>) -> Row {
    let about = Circumstances {
        command: "chat",
        place: call.index,
        at: Timestamp::now(),
        key: None,
        task: call.task.as_deref(),
        request: &call.request,
        turn,
        texts: true,
    };
    Row::new(record, &about)
}

/// Shows one answer as it comes.
struct Streamed {
    answer: Answer<Box<dyn Write>, Stderr>,
    record: Option<Record>,
}

impl Reporter for Streamed {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.answer.batch(events)
    }

    fn ended(&mut self, _: &Call, record: Record) -> Result<(), Error> {
        self.answer.finish(&record)?;
        self.record = Some(record);
        Ok(())
    }
}

impl View for Streamed {
    fn finish(&mut self, outcome: &Outcome, _: &mut Ending<'_>) -> Result<u8, Error> {
        Ok(outcome.exit_code.code())
    }
}

/// Collects answers.
struct Collected<'a> {
    live: Live<'a>,
    records: Vec<Record>,
}

impl Reporter for Collected<'_> {
    fn events(&mut self, events: &[RunEvent]) -> Result<(), Error> {
        self.live.events(events)
    }

    fn ended(&mut self, call: &Call, record: Record) -> Result<(), Error> {
        self.live.ended(call, record)
    }
}

impl View for Collected<'_> {
    fn finish(&mut self, outcome: &Outcome, _: &mut Ending<'_>) -> Result<u8, Error> {
        self.records = self.live.finish();
        Ok(outcome.exit_code.code())
    }
}
