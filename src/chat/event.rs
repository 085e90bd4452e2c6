//! The events of an answer that arrives piece by piece.

use serde::{Deserialize, Serialize};

use super::{TokenLogprob, Usage};
use crate::words::shortened;

/// The longest reason for the end of an answer that is kept, in characters. It stands in messages and in the ledger.
const LONGEST_REASON: usize = 256;

/// One decoded piece of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// The answer begins, or more is known of its beginning.
    Start {
        /// The gateway's id for the answer; `None` where this event does not tell it.
        id: Option<String>,
        /// The model that answers, as the gateway names it; `None` where this event does not tell it.
        model: Option<String>,
    },
    /// A piece of the answer's text; never empty.
    TextDelta(String),
    /// The log-probabilities of tokens, mostly of those in the next piece of text; never empty.
    Logprobs(Vec<TokenLogprob>),
    /// A piece of the model's reasoning; never empty.
    ReasoningDelta(String),
    /// The signature (or encrypted form) of the reasoning so far, to be sent back on the next turn.
    ReasoningSignature(String),
    /// A tool call begins.
    ToolCallStart {
        /// The position of the call among the tool calls of this answer, from 0.
        index: usize,
        /// The id under which the result of the call is sent back.
        id: String,
        /// The name of the function.
        name: String,
    },
    /// A piece of the arguments of a tool call.
    ToolCallDelta {
        /// The position of the call, as its start gave it.
        index: usize,
        /// A piece of JSON text.
        arguments: String,
    },
    /// A part of the answer came that has no form here: what it is, as in "a picture".
    Missing(&'static str),
    /// The tokens that were used so far. Counts are cumulative, so that a later event replaces an earlier one field by field.
    Usage(Usage),
    /// The gateway said why the answer ended. An answer without this event is not complete.
    Finish(FinishReason),
}

impl StreamEvent {
    /// Whether it is a piece of an answer that users see.
    pub fn is_output(&self) -> bool {
        matches!(self, Self::TextDelta(_) | Self::ReasoningDelta(_) | Self::ToolCallStart { .. })
    }
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model came to its end, or to a stop text.
    Stop,
    /// The token limit or the context window was reached: the answer is cut short.
    Length,
    /// The model waits for the results of tool calls.
    ToolCalls,
    /// A filter or a refusal ended the answer.
    ContentFilter,
    /// Any other reason, in the gateway's own word: see [`FinishReason::other`].
    #[serde(untagged)]
    Other(String),
}

impl FinishReason {
    /// The reason that a gateway means by this word. OpenAI's and Anthropic's formats have gateways with words of their own.
    pub fn of_word(word: &str) -> Self {
        match &*word.to_ascii_lowercase() {
            "stop" | "eos" | "eos_token" | "end" | "end_turn" | "stop_sequence" | "complete" | "completed" => {
                Self::Stop
            }
            "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => Self::Length,
            "tool_calls" | "tool_call" | "function_call" | "function_calls" | "tool_use" => Self::ToolCalls,
            "content_filter"
            | "content_filtered"
            | "refusal"
            | "safety"
            | "sensitive"
            | "moderation"
            | "guardrail"
            | "guardrail_intervened"
            | "prohibited_content"
            | "recitation"
            | "blocklist"
            | "spii" => Self::ContentFilter,
            _ => Self::other(word),
        }
    }

    /// A reason that only the gateway knows. A text that is too long for a word is cut.
    pub fn other(word: &str) -> Self {
        Self::Other(shortened(word, LONGEST_REASON).into_owned())
    }

    /// The word for the reason in records and tables.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other(other) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_gateways_for_the_same_end_are_known() {
        for (word, expected) in [
            ("TOOL_CALLS", FinishReason::ToolCalls),
            ("tool_call", FinishReason::ToolCalls),
            ("Completed", FinishReason::Stop),
            ("MAX_TOKENS", FinishReason::Length),
            ("SAFETY", FinishReason::ContentFilter),
            ("guardrail_intervened", FinishReason::ContentFilter),
            ("Cancelled", FinishReason::Other("Cancelled".into())),
        ] {
            assert_eq!(FinishReason::of_word(word), expected);
        }
    }
}
