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
            call.request = Arc::new(self.request(place, prompt));
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
            call.request = Arc::new(self.request(place, Some(prompt)));
        }
        Ok(())
    }

    fn prompt(&self, place: usize) -> Result<String, BadTemplate> {
        template::render(&self.steps[place].step.prompt, &self.values)
    }

    /// What a flag says wins over the config.
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
                call.request = Arc::new(self.request(call.index, Some(prompt)));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::call::{Event, RunEvent, Target};
    use crate::chat::{FinishReason, StreamEvent};
    use crate::config::Step;
    use crate::record::Recorder;

    fn step(name: &str, prompt: &str, input: bool, needs: &[usize]) -> Wired {
        let step = Step {
            name: name.into(),
            model: None,
            task: None,
            prompt: prompt.into(),
            system: None,
            max_tokens: None,
            temperature: None,
            line: 1,
            prompt_line: 1,
        };
        Wired { step, input, needs: needs.to_vec() }
    }

    /// `a` and `b` can be made at once, `c` needs both, `d` needs `c`.
    fn diamond() -> (Steps, Vec<Call>) {
        let steps = vec![
            step("a", "A {{ input }}", true, &[]),
            step("b", "B", false, &[]),
            step("c", "{{ a }}+{{ b }}", false, &[0, 1]),
            step("d", "{{ c }}", false, &[2]),
        ];
        let target = Target { gateway: "g".into(), model: "m".into() };
        let request = Arc::new(Request::default());
        let call = |index| Call::new(index, "m", vec![target.clone().into()], Arc::clone(&request));
        let file =
            Part::File(crate::chat::File { name: None, media_type: "application/pdf".into(), base64: String::new() });
        let parts = vec![file, Part::Text("in".into())];
        let base = Request { messages: vec![Message { role: Role::User, parts }], ..Request::default() };
        let mut calls: Vec<Call> = (0..4).map(call).collect();
        let mut steps = Steps::new(steps, base);
        steps.give(&mut calls).expect("good prompts");
        (steps, calls)
    }

    /// The record of this call with this answer; without one it failed.
    fn record(call: &Call, answer: Option<&str>) -> Record {
        let mut recorder = Recorder::new("run", call, BTreeMap::new());
        let mut tell = |event| recorder.event(&RunEvent { call: call.index, at: Duration::ZERO, event });
        match answer {
            Some(text) => {
                tell(Event::Stream(StreamEvent::TextDelta(text.into())));
                tell(Event::Stream(StreamEvent::Finish(FinishReason::Stop)));
                tell(Event::Done(Ok(())));
            }
            None => tell(Event::Done(Err(Failure::new(FailureKind::Unavailable, "down")))),
        }
        recorder.finish(Duration::ZERO)
    }

    fn parts(call: &Call) -> Vec<Part> {
        call.request.messages.iter().flat_map(|message| message.parts.clone()).collect()
    }

    #[test]
    fn what_waits_has_no_prompt_and_what_is_attached_goes_with_the_input() {
        let (steps, calls) = diamond();
        assert_eq!([0, 1, 2, 3].map(|call| steps.waits(call)), [false, false, true, true]);
        assert_eq!(parts(&calls[0]).last(), Some(&Part::Text("A in".into())));
        assert_eq!((parts(&calls[0]).len(), parts(&calls[1])), (2, vec![Part::Text("B".into())]));
        assert_eq!(parts(&calls[2]), []);
    }

    #[test]
    fn a_step_is_made_once_and_only_when_all_that_it_needs_is_answered() {
        let (mut steps, calls) = diamond();
        assert!(steps.after(1, &record(&calls[1], Some("{{ a }}"))).is_empty());
        let decided = steps.after(0, &record(&calls[0], Some("x")));
        let [Next::Make(call)] = decided.as_slice() else { panic!("{decided:?}") };
        assert_eq!((call.index, parts(call)), (2, vec![Part::Text("x+{{ a }}".into())]));
        assert!(steps.after(0, &record(&calls[0], Some("x"))).is_empty());
    }

    #[test]
    fn what_needs_a_failed_step_is_dropped_once_with_the_reason() {
        let (mut steps, calls) = diamond();
        let reasons = |decided: Vec<Next>| -> Vec<(usize, String)> {
            let reason = |next| match next {
                Next::Drop(call, why) => (call, why.message),
                Next::Make(call) => panic!("{call:?}"),
            };
            decided.into_iter().map(reason).collect()
        };
        let failed = reasons(steps.after(0, &record(&calls[0], None)));
        assert_eq!(failed, [(2, "not sent: step `a` failed".to_owned())]);
        assert_eq!(reasons(steps.after(1, &record(&calls[1], None))), []);
    }

    #[test]
    fn a_prompt_that_turns_out_empty_is_not_sent() {
        let (mut steps, calls) = diamond();
        steps.after(0, &record(&calls[0], Some("x")));
        steps.after(1, &record(&calls[1], Some("x")));
        let decided = steps.after(2, &record(&calls[2], Some(" ")));
        assert!(
            matches!(decided.as_slice(), [Next::Drop(3, why)] if why.message == "its prompt is empty"),
            "{decided:?}"
        );
    }
}
