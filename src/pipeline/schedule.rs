//! The schedule of a pipeline. A step is sent when all steps that it needs are answered, and skipped if one of them has
//! failed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ResolvedStep;
use crate::call::{Call, Role as CallRole};
use crate::chat::{Message, Part, Request, Role};
use crate::config::INPUT;
use crate::error::{Failure, FailureKind};
use crate::record::{Record, Status};
use crate::resolve::{Filled, TEMPLATE_TAG};
use crate::run::{Schedule, Step};
use crate::template;

/// The steps of one run of a pipeline.
#[derive(Debug)]
pub struct PipelineSchedule {
    prompts: Prompts,
    /// By index of the step, the calls that are not yet made or skipped.
    waiting: Vec<Option<Call>>,
    /// By index of the step, why it has no answer that other steps can use.
    failed: BTreeMap<usize, &'static str>,
}

/// As many bytes of prompts are kept from the beginning to the end of a run. Those that are longer together are made again when
/// they are sent.
const MOST_KEPT: usize = 64 << 20;

/// Makes the requests of the steps.
#[derive(Debug)]
struct Prompts {
    steps: Vec<ResolvedStep>,
    /// The request as the flags describe it; its last message is the user's input.
    base: Arc<Request>,
    /// What was attached to the input, for the steps that use it.
    attachments: Vec<Part>,
    /// By name: the input, and every answer that has arrived.
    values: BTreeMap<String, String>,
}

/// The index of a step, and the error of its prompt.
pub type BadStep = (usize, String);

impl PipelineSchedule {
    /// The schedule of these steps, one call for each. `base` is the request as `llm ask` would send it.
    ///
    /// # Errors
    /// The prompt of a step that needs no other step cannot be made.
    pub fn new(steps: Vec<ResolvedStep>, mut calls: Vec<Call>, base: &Arc<Request>) -> Result<Self, BadStep> {
        let prompts = Prompts::new(steps, base);
        let mut kept = 0;
        for (place, call) in calls.iter_mut().enumerate() {
            call.role = CallRole::Step;
            call.label = Some(prompts.steps[place].step.name.clone());
            // The schema of the flags, and the response format that asks for it, apply to the last step only.
            if place + 1 < prompts.steps.len() {
                call.schema = None;
            }
            if let Some(template) = &prompts.steps[place].template {
                call.schema = call.schema.take().or_else(|| template.schema.clone());
                Arc::make_mut(&mut call.caller).tags.insert(TEMPLATE_TAG.to_owned(), template.name.clone());
            }
            let is_first = prompts.steps[place].needs.is_empty();
            let prompt = is_first.then(|| prompts.texts(place)).transpose().map_err(|error| (place, error))?;
            kept += prompt.as_ref().map_or(0, |texts| texts.prompt.len());
            let prompt = prompt.filter(|_| kept <= MOST_KEPT);
            call.request = Arc::new(prompts.request(place, prompt));
        }
        Ok(Self { prompts, waiting: calls.into_iter().map(Some).collect(), failed: BTreeMap::new() })
    }

    /// The input that the user gave.
    pub fn input(&self) -> &str {
        self.prompts.values.get(INPUT).map_or("", String::as_str)
    }

    /// The calls that are not made yet, in order. The request of a call that waits for others has no prompt, nor has one that would
    /// take too much memory.
    pub fn calls(&self) -> Vec<Call> {
        self.waiting.iter().flatten().cloned().collect()
    }

    /// The calls with their requests as far as they can be known before the run: the name of a step stands for its answer.
    ///
    /// # Errors
    /// A prompt cannot be made.
    pub fn planned_calls(mut self) -> Result<Vec<Call>, BadStep> {
        for resolved in &self.prompts.steps {
            let name = &resolved.step.name;
            self.prompts.values.insert(name.clone(), format!("{{{{ {name} }}}}"));
        }
        let mut calls = self.calls();
        for (place, call) in calls.iter_mut().enumerate() {
            let prompt = self.prompts.texts(place).map_err(|error| (place, error))?;
            call.request = Arc::new(self.prompts.request(place, Some(prompt)));
        }
        Ok(calls)
    }

    /// Decides about a step that waits. Returns `None` while a step that it needs has not ended.
    fn decide(&self, place: usize) -> Option<Decision> {
        let needs = &self.prompts.steps[place].needs;
        if let Some((need, why)) = needs.iter().find_map(|need| Some((need, self.failed.get(need)?))) {
            let name = &self.prompts.steps[*need].step.name;
            return Some(Err(Failure::new(FailureKind::Skipped, format!("not sent: step `{name}` {why}"))));
        }
        let is_answered = |need: &usize| self.prompts.values.contains_key(&self.prompts.steps[*need].step.name);
        if !needs.iter().all(is_answered) {
            return None;
        }
        let invalid = |message: String| Failure::new(FailureKind::InvalidRequest, message);
        Some(match self.prompts.texts(place) {
            Ok(texts) if !needs.is_empty() && texts.prompt.trim().is_empty() => {
                Err(invalid("its prompt is empty".into()))
            }
            Ok(texts) => Ok(self.prompts.request(place, Some(texts))),
            Err(error) => Err(invalid(format!("its prompt cannot be made: {error}"))),
        })
    }
}

/// The request of a step, or why it is not sent.
type Decision = Result<Request, Failure>;

impl Schedule for PipelineSchedule {
    fn next(&mut self) -> Option<Step> {
        for place in 0..self.waiting.len() {
            if self.waiting[place].is_none() {
                continue;
            }
            let Some(decision) = self.decide(place) else { continue };
            let mut call = self.waiting[place].take()?;
            return Some(match decision {
                Ok(request) => {
                    call.request = Arc::new(request);
                    Step::Call(call)
                }
                Err(failure) => Step::Skip(call, failure),
            });
        }
        None
    }

    fn ended(&mut self, call: &Call, record: &Record) {
        let why = match record.status {
            Status::Ok => {
                let name = self.prompts.steps[call.index].step.name.clone();
                self.prompts.values.insert(name, record.text.clone());
                return;
            }
            Status::Failed => "failed",
            // A part of an answer is not passed on as if it were whole.
            Status::Truncated => "was cut short",
            Status::Interrupted => "was interrupted",
            Status::Refused | Status::Skipped => "was not sent",
        };
        self.failed.insert(call.index, why);
    }

    fn abandon(&mut self) -> Vec<Step> {
        let why = || Failure::new(FailureKind::Skipped, "not sent: the run was stopped before");
        self.waiting.iter_mut().filter_map(Option::take).map(|call| Step::Skip(call, why())).collect()
    }
}

impl Prompts {
    fn new(steps: Vec<ResolvedStep>, base: &Arc<Request>) -> Self {
        let mut attachments = base.messages.last().map(|message| message.parts.clone()).unwrap_or_default();
        // The prompt, with all texts that were attached, is the last part.
        let input = match attachments.pop() {
            Some(Part::Text(text)) => text,
            _ => String::new(),
        };
        let values = BTreeMap::from([(INPUT.to_owned(), input)]);
        Self { steps, base: Arc::clone(base), attachments, values }
    }

    /// The texts of a step with the values that are known.
    fn texts(&self, place: usize) -> Result<Filled, String> {
        let resolved = &self.steps[place];
        let step = &resolved.step;
        let made = |text: &str| template::render(text, &self.values).map_err(|error| error.to_string());
        let prompt = resolved.prompt().map(made).transpose()?;
        let Some(template) = &resolved.template else {
            return Ok(Filled { system: step.system.clone(), prompt: prompt.unwrap_or_default() });
        };
        let vars = step.vars.iter().map(|(name, text)| Ok((name.clone(), made(text)?)));
        let vars = vars.collect::<Result<BTreeMap<_, _>, String>>()?;
        let filled = template.fill(&vars, prompt.as_deref()).map_err(|error| error.to_string())?;
        Ok(Filled { system: step.system.clone().or(filled.system), ..filled })
    }

    /// The request of a step. Flags win over the step, and the step over its template.
    fn request(&self, place: usize, texts: Option<Filled>) -> Request {
        let ResolvedStep { step, uses_input, template, .. } = &self.steps[place];
        let is_last = place + 1 == self.steps.len();
        let of_flag = self.base.messages.iter().find(|message| message.role == Role::System).cloned();
        let (of_step, prompt) = texts.map_or((step.system.clone(), None), |texts| (texts.system, Some(texts.prompt)));
        let system = of_flag.or_else(|| of_step.map(|text| Message::text(Role::System, text)));
        let mut messages: Vec<Message> = system.into_iter().collect();
        if let Some(prompt) = prompt {
            let mut parts = if *uses_input { self.attachments.clone() } else { Vec::new() };
            parts.push(Part::Text(prompt));
            messages.push(Message { role: Role::User, parts });
        }
        let mut request = Request {
            messages,
            max_tokens: self.base.max_tokens.or(step.max_tokens),
            temperature: self.base.temperature.or(step.temperature),
            // Only the last step is asked for a form of its answer.
            response_format: self.base.response_format.clone().filter(|_| is_last),
            tools: if is_last { self.base.tools.clone() } else { Vec::new() },
            ..(*self.base).clone()
        };
        if let Some(template) = template {
            template.complete(&mut request);
            // The flags may say that there is no stream.
            request.stream &= self.base.stream;
        }
        request
    }
}

#[cfg(test)]
mod tests;
