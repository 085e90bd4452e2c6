//! Answers that come whole: read as a stream of one frame, so that no format is decoded in two ways.

use super::{DecodeError, Decoder, sse};
use crate::chat::{FinishReason, Response};

/// The answer in the body. One that gives no reason for its end has ended all the same: its JSON is closed.
pub(super) fn decode(decoder: &mut dyn Decoder, body: &[u8]) -> Result<Response, DecodeError> {
    let body = body.strip_prefix(sse::BOM).unwrap_or(body);
    let data = str::from_utf8(body).map_err(|_| DecodeError::Malformed("the answer is not valid UTF-8".into()))?;
    let mut events = Vec::new();
    decoder.decode(&sse::Frame { event: "", data: data.trim() }, &mut events)?;
    let mut response: Response = events.into_iter().collect();
    if response.finish.is_none() {
        if response.text.is_empty() && response.reasoning.is_empty() && response.tool_calls.is_empty() {
            return Err(DecodeError::Malformed("there is no answer in the body".into()));
        }
        let calls_tools = !response.tool_calls.is_empty();
        response.finish = Some(if calls_tools { FinishReason::ToolCalls } else { FinishReason::Stop });
    }
    Ok(response)
}
