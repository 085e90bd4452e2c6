//! Answers in one piece. They are read as a stream of one frame, so that each format has one decoder.

use super::stream::after_a_part;
use super::{DecodeError, Decoder, error_body, sse, surrogates, tool_calls, verdict};
use crate::chat::{Calls, FinishReason, Response};
use crate::error::{Failure, FailureKind};

/// An answer in one piece, as far as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// All that came of it.
    pub response: Response,
    /// The failure that the gateway reports beside a part of the answer.
    pub failure: Option<Failure>,
}

impl Whole {
    /// Whether the answer is complete.
    ///
    /// # Errors
    /// The gateway reported a failure beside it, or its end means that something is missing (see [`verdict::complete`]).
    pub fn complete(&self) -> Result<(), Failure> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => verdict::complete(self.response.finish.as_ref(), self.response.calls()),
        }
    }
}

/// How a whole answer of a format ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// With its JSON: some gateways give no finish reason.
    Closed,
    /// With a finish reason. Without one, the model has not come to its end.
    Told,
}

/// The answer in a body of a format whose answers end so.
pub(super) fn decode(decoder: &mut dyn Decoder, body: &[u8], ends: Ends) -> Result<Whole, DecodeError> {
    let body = body.strip_prefix(sse::BOM).unwrap_or(body);
    let data = str::from_utf8(body).map_err(|_| DecodeError::Malformed("the answer is not valid UTF-8".into()))?;
    let mut events = Vec::new();
    let decoded = decoder.decode(&sse::Frame { event: "", data: &surrogates::mended(data.trim()) }, &mut events);
    let mut response: Response = events.into_iter().collect();
    let is_empty = response.text.is_empty() && response.reasoning.is_empty() && response.tool_calls.is_empty();
    // A count of zero cannot be right beside an answer: the gateway does not count.
    response.usage.output = response.usage.output.filter(|count| *count > 0 || response.calls() == Calls::Nothing);
    tool_calls::bounded(response.tool_calls.len()).map_err(|failure| failure.with_usage(response.usage))?;
    match decoded {
        Ok(_) => {}
        Err(DecodeError::Failed(failure)) => {
            let failure = failure.with_usage(response.usage);
            return match is_empty {
                true => Err(failure.into()),
                false => Ok(Whole { response, failure: Some(after_a_part(failure)) }),
            };
        }
        Err(malformed) => return Err(error_body::refusal(body).map_or(malformed, Into::into)),
    }
    if response.finish.is_none() {
        if is_empty {
            // What has no form here is for clients that know it.
            let nothing = || match (response.calls(), DecodeError::Empty(Box::new(response.usage))) {
                (Calls::Nothing, empty) => empty,
                (_, empty) => DecodeError::Malformed(empty.to_string()),
            };
            return Err(error_body::refusal(body).map_or_else(nothing, Into::into));
        }
        if ends == Ends::Told {
            let failure = Failure::new(FailureKind::Truncated, "the gateway does not say that the answer is complete");
            return Ok(Whole { response, failure: Some(failure) });
        }
        let calls_tools = !response.tool_calls.is_empty();
        response.finish = Some(if calls_tools { FinishReason::ToolCalls } else { FinishReason::Stop });
    }
    if response.finish.as_ref().is_some_and(verdict::sounds_whole) {
        let calls = response.tool_calls.iter_mut().filter(|call| call.arguments.trim().is_empty());
        calls.for_each(|call| call.arguments = "{}".to_owned());
    }
    Ok(Whole { response, failure: None })
}
