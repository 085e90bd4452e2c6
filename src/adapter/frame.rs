//! The first step of every decoder: the JSON of a frame, or the failure that the frame reports.

use serde::Deserialize;

use super::lenient::Text;
use super::sse::Frame;
use super::{DecodeError, error_body};

impl<'a> Frame<'a> {
    /// Whether the name of the event is `error`.
    pub(super) fn is_error(&self) -> bool {
        self.event == "error"
    }

    /// The type of an event: the one that its JSON names, or else the name of the event.
    pub(super) fn kind<'k>(&'k self, said: &'k Text<'_>) -> &'k str {
        if said.is_empty() { self.event } else { said }
    }

    /// The JSON in the frame.
    ///
    /// # Errors
    /// The data is not `what` the format demands. Where the event is named `error`, the error is the failure in it.
    pub(super) fn json<T: Deserialize<'a>>(&self, what: &str) -> Result<T, DecodeError> {
        serde_json::from_str(self.data).map_err(|error| match self.is_error() {
            true => self.failure(),
            false => DecodeError::Malformed(format!("it is not {what}: {error}")),
        })
    }

    /// The failure that the frame reports.
    pub(super) fn failure(&self) -> DecodeError {
        error_body::decode(200, self.data.as_bytes()).into()
    }
}
