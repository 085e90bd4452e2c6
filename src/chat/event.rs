//! What arrives while an answer is being made.

use serde::{Deserialize, Serialize};

use super::{TokenLogprob, Usage};

/// One decoded piece of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// The answer begins: the gateway's id for it and the model it says is answering, where it says so.
    Start { id: Option<String>, model: Option<String> },
    /// A piece of the answer's text; never empty.
    TextDelta(String),
    /// The log-probabilities of tokens, mostly those of the piece of text that comes next; never empty.
    Logprobs(Vec<TokenLogprob>),
    /// A piece of what the model thinks; never empty.
    ReasoningDelta(String),
    /// The signature (or encrypted form) of the reasoning so far, to be sent back on the next turn.
    ReasoningSignature(String),
    /// A tool call begins. `index` counts the tool calls of this answer from 0.
    ToolCallStart { index: usize, id: String, name: String },
    /// A piece of that tool call's arguments (JSON text).
    ToolCallDelta { index: usize, arguments: String },
    /// What has been used so far: cumulative, so a later report wins, field by field.
    Usage(Usage),
    /// The wire said why the answer ended. Without this an answer is not complete.
    Finish(FinishReason),
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The answer is whole, or a stop text was met.
    Stop,
    /// The token limit or the context window was reached: the answer is cut short.
    Length,
    /// The model wants tools to be run.
    ToolCalls,
    /// A filter or a refusal ended it.
    ContentFilter,
    /// Anything else that the gateway says, as it says it.
    #[serde(untagged)]
    Other(String),
}

impl FinishReason {
    /// The word used in records and tables.
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
