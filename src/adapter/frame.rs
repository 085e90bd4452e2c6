//! What every decoder begins with: the JSON of a frame, or the failure that it tells of.

use serde::Deserialize;

use super::lenient::Text;
use super::sse::Frame;
use super::{DecodeError, error_body};

impl<'a> Frame<'a> {
    /// Whether the frame is named an error, whatever it holds.
    pub(super) fn is_error(&self) -> bool {
        self.event == "error"
    }

    /// The type of an event in formats that have them: as its JSON says, else as the frame is named.
    pub(super) fn kind<'k>(&'k self, said: &'k Text<'_>) -> &'k str {
        if said.is_empty() { self.event } else { said }
    }

    /// The JSON in the frame.
    ///
    /// # Errors
    /// It is not `what` the format says; or the failure, where that is what the frame is named.
    pub(super) fn json<T: Deserialize<'a>>(&self, what: &str) -> Result<T, DecodeError> {
        serde_json::from_str(self.data).map_err(|error| match self.is_error() {
            true => self.failure(),
            false => DecodeError::Malformed(format!("it is not {what}: {error}")),
        })
    }

    /// The failure that the frame tells of.
    pub(super) fn failure(&self) -> DecodeError {
        error_body::decode(200, self.data.as_bytes()).into()
    }
}
