//! An answer: what its stream events come to.

use serde::{Deserialize, Serialize};

use super::{FinishReason, Nesting, StreamEvent, TokenLogprob, Usage};

/// An answer as far as it has arrived. It is the fold of its [`StreamEvent`]s.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Response {
    /// The gateway's id for the answer.
    pub id: Option<String>,
    /// The model that answered, as the gateway names it.
    pub model: Option<String>,
    /// The text of the answer, without reasoning.
    pub text: String,
    /// The log-probabilities of the tokens of the text, in order; empty where the gateway gave none.
    pub logprobs: Vec<TokenLogprob>,
    /// The reasoning that the gateway showed.
    pub reasoning: String,
    /// The signature of the reasoning, which is sent back on the next turn.
    pub reasoning_signature: Option<String>,
    /// The calls of functions that the model asks for, in order.
    pub tool_calls: Vec<ToolCall>,
    /// What came of the answer that has no form here, such as a picture; of several such parts, the last.
    pub missing: Option<&'static str>,
    /// The tokens that were used, as far as the gateway said.
    pub usage: Usage,
    /// Why the answer ended; `None` until the gateway says so.
    pub finish: Option<FinishReason>,
}

/// A function call that the model asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The id under which the result is sent back.
    pub id: String,
    /// The name of the function.
    pub name: String,
    /// JSON text as it came, or `{}` where nothing did. It may be cut short, and then be empty.
    pub arguments: String,
}

/// What came of an answer, as far as its end is judged by it: calls of tools above all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// Neither words nor calls came.
    Nothing,
    /// Words came, and no calls.
    None,
    /// Nothing but what has no form here, which may be a call.
    Formless,
    /// The arguments of all of them have come to their end.
    Whole,
    /// The arguments of a call break off.
    Cut,
}

impl Response {
    /// Whether a model has worked for this answer and its final usage is not known. Counts that come before the finish reason
    /// are not final, since they still grow.
    pub fn bill_is_open(&self) -> bool {
        let is_silent = self.text.is_empty() && self.reasoning.is_empty() && self.tool_calls.is_empty();
        let is_untouched = is_silent && self.usage.is_unknown() && self.finish.is_none();
        let is_final = self.finish.is_some() && !self.usage.is_unknown();
        !is_untouched && !is_final && self.usage.cost.is_none()
    }

    /// The calls of tools that came with it, also of tools whose calls have no form here.
    pub fn calls(&self) -> Calls {
        let is_cut = |call: &ToolCall| {
            let mut nesting = Nesting::default();
            nesting.push(&call.arguments);
            nesting.is_open()
        };
        match () {
            () if self.tool_calls.iter().any(is_cut) => Calls::Cut,
            () if !self.tool_calls.is_empty() => Calls::Whole,
            () if self.missing.is_some() => Calls::Formless,
            () if self.is_empty() => Calls::Nothing,
            () => Calls::None,
        }
    }

    /// Whether nothing of an answer has come.
    fn is_empty(&self) -> bool {
        let has_none = self.reasoning_signature.is_none() && self.logprobs.is_empty();
        self.text.is_empty() && self.reasoning.is_empty() && has_none
    }

    /// Adds one event to the answer.
    pub fn apply(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::Start { id, model } => {
                if id.is_some() {
                    self.id.clone_from(id);
                }
                if model.is_some() {
                    self.model.clone_from(model);
                }
            }
            StreamEvent::TextDelta(text) => self.text.push_str(text),
            StreamEvent::Logprobs(tokens) => self.logprobs.extend_from_slice(tokens),
            StreamEvent::ReasoningDelta(text) => self.reasoning.push_str(text),
            StreamEvent::ReasoningSignature(signature) => {
                self.reasoning_signature.get_or_insert_default().push_str(signature);
            }
            StreamEvent::ToolCallStart { id, name, .. } => {
                self.tool_calls.push(ToolCall { id: id.clone(), name: name.clone(), arguments: String::new() });
            }
            StreamEvent::ToolCallDelta { index, arguments } => {
                if let Some(call) = self.tool_calls.get_mut(*index) {
                    call.arguments.push_str(arguments);
                }
            }
            StreamEvent::Missing(what) => self.missing = Some(what),
            StreamEvent::Usage(usage) => self.usage.update(usage),
            StreamEvent::Finish(reason) => self.finish = Some(reason.clone()),
        }
    }

    /// The events that come to this answer, one for each part of it, as a server streams an answer that it has as a whole.
    pub fn into_events(self) -> Vec<StreamEvent> {
        let mut events = vec![StreamEvent::Start { id: self.id, model: self.model }];
        if !self.reasoning.is_empty() {
            events.push(StreamEvent::ReasoningDelta(self.reasoning));
        }
        events.extend(self.reasoning_signature.map(StreamEvent::ReasoningSignature));
        if !self.logprobs.is_empty() {
            events.push(StreamEvent::Logprobs(self.logprobs));
        }
        if !self.text.is_empty() {
            events.push(StreamEvent::TextDelta(self.text));
        }
        for (index, call) in self.tool_calls.into_iter().enumerate() {
            events.push(StreamEvent::ToolCallStart { index, id: call.id, name: call.name });
            if !call.arguments.is_empty() {
                events.push(StreamEvent::ToolCallDelta { index, arguments: call.arguments });
            }
        }
        events.extend(self.missing.map(StreamEvent::Missing));
        if self.usage != Usage::default() {
            events.push(StreamEvent::Usage(self.usage));
        }
        events.extend(self.finish.map(StreamEvent::Finish));
        events
    }
}

impl FromIterator<StreamEvent> for Response {
    fn from_iter<I: IntoIterator<Item = StreamEvent>>(events: I) -> Self {
        let mut response = Self::default();
        for event in events {
            response.apply(&event);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_fold_of_its_events() {
        let response = Response {
            id: Some("r1".into()),
            model: Some("m".into()),
            text: "héllo".into(),
            logprobs: vec![TokenLogprob { token: "héllo".into(), logprob: -0.5, top: Vec::new() }],
            reasoning: "hm".into(),
            reasoning_signature: Some("sig".into()),
            tool_calls: vec![ToolCall { id: "c".into(), name: "f".into(), arguments: "{}".into() }],
            missing: Some("a picture"),
            usage: Usage { input: Some(3), ..Usage::default() },
            finish: Some(FinishReason::ToolCalls),
        };
        assert_eq!(response.clone().into_events().into_iter().collect::<Response>(), response);
    }

    #[test]
    fn later_usage_wins_field_by_field() {
        let events = [
            StreamEvent::Usage(Usage { input: Some(10), output: Some(1), ..Usage::default() }),
            StreamEvent::Usage(Usage { output: Some(7), ..Usage::default() }),
        ];
        let response: Response = events.into_iter().collect();
        assert_eq!(response.usage, Usage { input: Some(10), output: Some(7), ..Usage::default() });
    }
}
