//! Whether an image is seen.

use super::{Answer, Check, Question, Verdict, has_in_order, no, prompt, unknown, yes};
use crate::chat::{self, ImageSource, Part, Request};

/// A PNG in base64 of four upright bands of the same width: yellow, blue, red, green. One guess in 24 is right.
const BANDS: &str = "iVBORw0KGgoAAAANSUhEUgAAAPAAAAA8CAMAAABvocdvAAAADFBMVEXw0gAUPNzcFBQAljKpUeVEAAAAV0lEQVR42u3PMQEAMAwD\
    oKz173kO+uQFBySFV5jCFiIsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCx8+Tet\
    VGHIgE5cAAAAAElFTkSuQmCC";

pub(crate) fn request() -> Request {
    let source = ImageSource::Data { media_type: "image/png".to_owned(), base64: BANDS.to_owned() };
    let mut request = prompt("Which four colours has this picture, from left to right? Answer with four plain words.");
    request.messages[0].parts.insert(0, Part::Image(chat::Image { source, detail: None }));
    request
}

pub(super) struct Image;

impl Check for Image {
    fn questions(&self) -> &'static [Question] {
        &[Question::Image]
    }

    fn sent(&self) -> &'static str {
        "a picture of four coloured bands, and the question which they are"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        if answer.text.trim().is_empty() {
            unknown(answer.said())
        } else if has_in_order(&answer.text, &["yellow", "blue", "red", "green"]) {
            yes(answer.said())
        } else {
            no(answer.said())
        }
    }
}
