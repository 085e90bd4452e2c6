//! The course of a pipeline: a step is made when all that it builds on is answered, and never if one of them is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::call::Call;
use crate::chat::{Message, Part, Request, Role};
use crate::cmd::drive::{Course, Next};
use crate::config::INPUT;
use crate::error::{Failure, FailureKind};
use crate::pipeline::Wired;
use crate::record::{Record, Status};
use crate::template::{self, BadTemplate};

/// What the steps of a pipeline share, and what is answered so far.
#[derive(Debug)]
pub(super) struct Steps {
    steps: Vec<Wired>,
    /// What the flags say of every request; its messages are the user's input.
    base: Request,
    /// By name: the input, and every answer that is there.
    values: BTreeMap<String, String>,
    /// What was attached to the input, for the steps that use it.
    attachments: Vec<Part>,
    /// By place, the calls that wait.
    waiting: Vec<Option<Call>>,
}

impl Steps {
    /// `base` is the request as `llm ask` would send it.
    pub(super) fn new(steps: Vec<Wired>, base: Request) -> Self {
        let mut attachments = base.messages.last().map(|message| message.parts.clone()).unwrap_or_default();
        // The prompt, with all texts that were attached, is the last part.
        let input = match attachments.pop() {
            Some(Part::Text(text)) => text,
            _ => String::new(),
        };
        let values = BTreeMap::from([(INPUT.to_owned(), input)]);
        let waiting = steps.iter().map(|_| None).collect();
        Self { steps, base, values, attachments, waiting }
    }

    /// What the user gave.
    pub(super) fn input(&self) -> &str {
        self.values.get(INPUT).map_or("", String::as_str)
    }

    /// Gives the calls of all steps, in order, their requests. One that waits gets its prompt when it can be made; until
    /// then its request has none, so that it is none that was ever answered.
    pub(super) fn give(&mut self, calls: &mut [Call]) -> Result<(), (usize, BadTemplate)> {
        for (place, call) in calls.iter_mut().enumerate() {
            let prompt = match self.steps[place].needs.as_slice() {
                [] => Some(self.prompt(place).map_err(|error| (place, error))?),
                _ => None,
            };
            call.request = Arc::new(self.request(place, &call.request.model, prompt));
        }
        for (call, (waiting, wired)) in calls.iter().zip(self.waiting.iter_mut().zip(&self.steps)) {
            *waiting = (!wired.needs.is_empty()).then(|| call.clone());
        }
        Ok(())
    }

    /// Gives the calls their requests as far as they can be known: in the place of an answer stands its name.
    pub(super) fn sketch(&mut self, calls: &mut [Call]) -> Result<(), (usize, BadTemplate)> {
        for wired in &self.steps {
            self.values.insert(wired.step.name.clone(), format!("{{{{ {} }}}}", wired.step.name));
        }
        for (place, call) in calls.iter_mut().enumerate() {
            let prompt = self.prompt(place).map_err(|error| (place, error))?;
            call.request = Arc::new(self.request(place, &call.request.model, Some(prompt)));
        }
        Ok(())
    }

    fn prompt(&self, place: usize) -> Result<String, BadTemplate> {
        template::render(&self.steps[place].step.prompt, &self.values)
    }

    /// What a flag says wins over the config.
    fn request(&self, place: usize, model: &str, prompt: Option<String>) -> Request {
        let Wired { step, input, .. } = &self.steps[place];
        let is_last = place + 1 == self.steps.len();
        let of_flag = self.base.messages.iter().find(|message| message.role == Role::System).cloned();
        let system = of_flag.or_else(|| step.system.clone().map(|text| Message::text(Role::System, text)));
        let mut messages: Vec<Message> = system.into_iter().collect();
        if let Some(prompt) = prompt {
            let mut parts = if *input { self.attachments.clone() } else { Vec::new() };
            parts.push(Part::Text(prompt));
            messages.push(Message { role: Role::User, parts });
        }
        Request {
            model: model.to_owned(),
            messages,
            max_tokens: self.base.max_tokens.or(step.max_tokens),
            temperature: self.base.temperature.or(step.temperature),
            // What the answer must look like is said of the one that is asked for.
            response_format: self.base.response_format.clone().filter(|_| is_last),
            tools: if is_last { self.base.tools.clone() } else { Vec::new() },
            ..self.base.clone()
        }
    }

    /// The call of a step whose needs are met, or why there can be none.
    fn decide(&mut self, mut call: Call) -> Next {
        let failure = match self.prompt(call.index) {
            Ok(prompt) if prompt.trim().is_empty() => "its prompt is empty".to_owned(),
            Ok(prompt) => {
                call.request = Arc::new(self.request(call.index, &call.request.model, Some(prompt)));
                return Next::Make(call);
            }
            Err(error) => format!("its prompt cannot be made: {error}"),
        };
        Next::Drop(call.index, Failure::new(FailureKind::InvalidRequest, failure))
    }
}

impl Course for Steps {
    fn waits(&self, call: usize) -> bool {
        !self.steps[call].needs.is_empty()
    }

    fn after(&mut self, call: usize, record: &Record) -> Vec<Next> {
        let name = &self.steps[call].step.name;
        let why = match record.status {
            Status::Ok => None,
            Status::Failed => Some("failed"),
            // What is cut short is not fed on as if it were whole.
            Status::Truncated => Some("was cut short"),
            Status::Interrupted => Some("was interrupted"),
            Status::Refused | Status::Skipped => Some("was not sent"),
        };
        let why = why.map(|why| format!("not sent: step `{name}` {why}"));
        if why.is_none() {
            self.values.insert(name.clone(), record.text.clone());
        }
        let mut decided = Vec::new();
        for place in 0..self.steps.len() {
            let needs = &self.steps[place].needs;
            let is_met = |need: &usize| self.values.contains_key(&self.steps[*need].step.name);
            if !needs.contains(&call) || (why.is_none() && !needs.iter().all(is_met)) {
                continue;
            }
            // A step that was decided on does not wait any more.
            let Some(waiting) = self.waiting[place].take() else { continue };
            decided.push(match &why {
                Some(why) => Next::Drop(place, Failure::new(FailureKind::Skipped, why)),
                None => self.decide(waiting),
            });
        }
        decided
    }

    fn tag(&self, call: usize) -> (String, String) {
        (super::run::STEP.to_owned(), self.steps[call].step.name.clone())
    }
}
