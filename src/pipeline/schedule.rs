//! The schedule of a pipeline: a step is made when everything that it builds on is answered, and skipped if one of those is
//! not.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Wired;
use crate::call::{Call, Role as CallRole};
use crate::chat::{Message, Part, Request, Role};
use crate::config::INPUT;
use crate::error::{Failure, FailureKind};
use crate::record::{Record, Status};
use crate::run::{Schedule, Step};
use crate::template::{self, BadTemplate};

/// The steps of one run of a pipeline.
#[derive(Debug)]
pub struct PipelineSchedule {
    prompts: Prompts,
    /// By step, the calls that are not yet made or skipped.
    waiting: Vec<Option<Call>>,
    /// By step, why it gave no answer that others can build on.
    failed: BTreeMap<usize, &'static str>,
}

/// Makes the requests of the steps.
#[derive(Debug)]
struct Prompts {
    steps: Vec<Wired>,
    /// The request as the flags describe it; its last message is the user's input.
    base: Arc<Request>,
    /// What was attached to the input, for the steps that use it.
    attachments: Vec<Part>,
    /// By name: the input, and every answer that is there.
    values: BTreeMap<String, String>,
}

/// The place of a step, and what is wrong with its prompt.
pub type BadStep = (usize, BadTemplate);

impl PipelineSchedule {
    /// The schedule of these steps, one call for each. `base` is the request as `llm ask` would send it.
    ///
    /// # Errors
    /// A prompt that builds on no other step cannot be made.
    pub fn new(steps: Vec<Wired>, mut calls: Vec<Call>, base: &Arc<Request>) -> Result<Self, BadStep> {
        let prompts = Prompts::new(steps, base);
        for (place, call) in calls.iter_mut().enumerate() {
            call.role = CallRole::Step;
            call.label = Some(prompts.steps[place].step.name.clone());
            // A schema is for the last step, as is the form that asks for it.
            if place + 1 < prompts.steps.len() {
                call.schema = None;
            }
            let is_first = prompts.steps[place].needs.is_empty();
            let prompt = is_first.then(|| prompts.prompt(place)).transpose().map_err(|error| (place, error))?;
            call.request = Arc::new(prompts.request(place, prompt));
        }
        Ok(Self { prompts, waiting: calls.into_iter().map(Some).collect(), failed: BTreeMap::new() })
    }

    /// The input that the user gave.
    pub fn input(&self) -> &str {
        self.prompts.values.get(INPUT).map_or("", String::as_str)
    }

    /// The calls that are not made yet, in order. The request of a call that waits for others has no prompt.
    pub fn calls(&self) -> Vec<Call> {
        self.waiting.iter().flatten().cloned().collect()
    }

    /// The calls with their requests as far as they can be known before the run: the name of a step stands for its answer.
    ///
    /// # Errors
    /// A prompt cannot be made.
    pub fn planned_calls(mut self) -> Result<Vec<Call>, BadStep> {
        for wired in &self.prompts.steps {
            self.prompts.values.insert(wired.step.name.clone(), format!("{{{{ {} }}}}", wired.step.name));
        }
        let mut calls = self.calls();
        for (place, call) in calls.iter_mut().enumerate() {
            let prompt = self.prompts.prompt(place).map_err(|error| (place, error))?;
            call.request = Arc::new(self.prompts.request(place, Some(prompt)));
        }
        Ok(calls)
    }

    /// What can be done with a step that waits: nothing while what it builds on is under way.
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
        Some(match self.prompts.prompt(place) {
            Ok(prompt) if !needs.is_empty() && prompt.trim().is_empty() => Err(invalid("its prompt is empty".into())),
            Ok(prompt) => Ok(self.prompts.request(place, Some(prompt))),
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
    fn new(steps: Vec<Wired>, base: &Arc<Request>) -> Self {
        let mut attachments = base.messages.last().map(|message| message.parts.clone()).unwrap_or_default();
        // The prompt, with all texts that were attached, is the last part.
        let input = match attachments.pop() {
            Some(Part::Text(text)) => text,
            _ => String::new(),
        };
        let values = BTreeMap::from([(INPUT.to_owned(), input)]);
        Self { steps, base: Arc::clone(base), attachments, values }
    }

    fn prompt(&self, place: usize) -> Result<String, BadTemplate> {
        template::render(&self.steps[place].step.prompt, &self.values)
    }

    /// The request of a step. What a flag says comes before the config.
    fn request(&self, place: usize, prompt: Option<String>) -> Request {
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
            messages,
            max_tokens: self.base.max_tokens.or(step.max_tokens),
            temperature: self.base.temperature.or(step.temperature),
            // The form of an answer is asked for of the last step only.
            response_format: self.base.response_format.clone().filter(|_| is_last),
            tools: if is_last { self.base.tools.clone() } else { Vec::new() },
            ..(*self.base).clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::call::{Event, RunEvent, Target};
    use crate::chat::{FinishReason, StreamEvent};
    use crate::config::Step as ConfigStep;
    use crate::record::Recorder;

    fn step(name: &str, prompt: &str, input: bool, needs: &[usize]) -> Wired {
        let step = ConfigStep {
            name: name.into(),
            model: None,
            task: None,
            prompt: prompt.into(),
            system: None,
            max_tokens: None,
            temperature: None,
            prompt_line: 1,
        };
        Wired { step, input, needs: needs.to_vec() }
    }

    /// The calls `a` and `b` need no other, `c` needs both, `d` needs `c`.
    fn diamond() -> PipelineSchedule {
        let steps = vec![
            step("a", "A {{ input }}", true, &[]),
            step("b", "B", false, &[]),
            step("c", "{{ a }}+{{ b }}", false, &[0, 1]),
            step("d", "{{ c }}", false, &[2]),
        ];
        let target = Target { gateway: "g".into(), model: "m".into() };
        let call = |index| Call::new(index, "m", vec![target.clone().into()], Arc::default());
        let file =
            Part::File(crate::chat::File { name: None, media_type: "application/pdf".into(), base64: String::new() });
        let parts = vec![file, Part::Text("in".into())];
        let base = Request { messages: vec![Message { role: Role::User, parts }], ..Request::default() };
        PipelineSchedule::new(steps, (0..4).map(call).collect(), &Arc::new(base)).expect("good prompts")
    }

    /// What the schedule gives now: for each call its index, and the last part of its prompt or why it is skipped.
    fn given(schedule: &mut PipelineSchedule) -> Vec<(usize, String)> {
        let mut given = Vec::new();
        while let Some(step) = schedule.next() {
            given.push(match step {
                Step::Call(call) => match parts(&call).pop() {
                    Some(Part::Text(text)) => (call.index, text),
                    other => panic!("{other:?}"),
                },
                Step::Skip(call, why) => {
                    let index = call.index;
                    end(schedule, index, &Err(why.clone()));
                    (index, why.message)
                }
            });
        }
        given
    }

    /// Ends the call with this answer or failure.
    fn end(schedule: &mut PipelineSchedule, index: usize, end: &Result<&str, Failure>) {
        let target = Target { gateway: "g".into(), model: "m".into() };
        let call = Call::new(index, "m", vec![target.into()], Arc::default());
        let mut recorder = Recorder::new("run", &call, Duration::ZERO);
        let mut tell = |event| recorder.event(&RunEvent { call: call.index, at: Duration::ZERO, event });
        match end {
            Ok(text) => {
                tell(Event::Stream(StreamEvent::TextDelta((*text).into())));
                tell(Event::Stream(StreamEvent::Finish(FinishReason::Stop)));
                tell(Event::Done(Ok(())));
            }
            Err(failure) => tell(Event::Done(Err(failure.clone()))),
        }
        schedule.ended(&call, &recorder.finish(Duration::ZERO));
    }

    fn down() -> Result<&'static str, Failure> {
        Err(Failure::new(FailureKind::Unavailable, "down"))
    }

    fn parts(call: &Call) -> Vec<Part> {
        call.request.messages.iter().flat_map(|message| message.parts.clone()).collect()
    }

    #[test]
    fn a_call_that_waits_has_no_prompt_and_attachments_go_with_the_input() {
        let calls = diamond().calls();
        assert_eq!(parts(&calls[0]).last(), Some(&Part::Text("A in".into())));
        assert_eq!((parts(&calls[0]).len(), parts(&calls[1])), (2, vec![Part::Text("B".into())]));
        assert_eq!(parts(&calls[2]), []);
        assert_eq!(calls[2].tags()["step"], "c");
    }

    #[test]
    fn a_step_is_made_once_and_only_when_all_that_it_needs_is_answered() {
        let mut schedule = diamond();
        assert_eq!(given(&mut schedule), [(0, "A in".to_owned()), (1, "B".to_owned())]);
        end(&mut schedule, 1, &Ok("{{ a }}"));
        assert_eq!(given(&mut schedule), []);
        end(&mut schedule, 0, &Ok("x"));
        assert_eq!(given(&mut schedule), [(2, "x+{{ a }}".to_owned())]);
        assert_eq!(given(&mut schedule), []);
    }

    #[test]
    fn a_step_that_needs_a_failed_one_is_skipped_once_with_the_reason() {
        let mut schedule = diamond();
        given(&mut schedule);
        end(&mut schedule, 0, &down());
        let skipped = [(2, "not sent: step `a` failed"), (3, "not sent: step `c` was not sent")];
        assert_eq!(given(&mut schedule), skipped.map(|(index, why)| (index, why.to_owned())));
        end(&mut schedule, 1, &down());
        assert_eq!(given(&mut schedule), []);
    }

    #[test]
    fn a_prompt_that_turns_out_empty_is_not_sent() {
        let mut schedule = diamond();
        given(&mut schedule);
        end(&mut schedule, 0, &Ok("x"));
        end(&mut schedule, 1, &Ok("x"));
        given(&mut schedule);
        end(&mut schedule, 2, &Ok(" "));
        assert_eq!(given(&mut schedule), [(3, "its prompt is empty".to_owned())]);
    }

    #[test]
    fn the_calls_of_a_stopped_run_that_were_not_made_are_skipped() {
        let mut schedule = diamond();
        given(&mut schedule);
        let abandoned: Vec<_> = schedule
            .abandon()
            .into_iter()
            .map(|step| match step {
                Step::Skip(call, why) => (call.index, why.kind),
                Step::Call(call) => panic!("{call:?}"),
            })
            .collect();
        assert_eq!(abandoned, [(2, FailureKind::Skipped), (3, FailureKind::Skipped)]);
        assert_eq!(given(&mut schedule), []);
    }
}
