//! The vocabulary of a conversation, whatever the wire format: requests, events, answers, usage. Pure data, no IO.

#![warn(missing_docs)]

mod event;
mod logprob;
mod media;
mod nesting;
mod request;
mod response;
mod usage;

pub use event::{FinishReason, StreamEvent};
pub use logprob::{Alternative, TokenLogprob};
pub use media::{MediaKind, begins_as_picture, decode_base64, picture_type};
pub use nesting::{JsonStrings, MOST_VALUES, Nesting, check_values};
pub use request::{Audio, File, Image, ImageSource, Message, Part, Request, ResponseFormat, Role, Tool, ToolChoice};
pub use response::{Calls, Response, ToolCall};
pub use usage::{Surcharge, Usage};
