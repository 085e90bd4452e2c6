//! The vocabulary: what a conversation is made of, whatever the wire format. Pure data, no IO.

mod event;
mod logprob;
mod request;
mod response;
mod usage;

pub use event::{FinishReason, StreamEvent};
pub use logprob::{Alternative, TokenLogprob};
pub use request::{Audio, File, Image, ImageSource, Message, Part, Request, ResponseFormat, Role, Tool, ToolChoice};
pub use response::{Response, ToolCall};
pub use usage::Usage;
