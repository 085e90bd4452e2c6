//! Whether an image is seen.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Answer, Check, Question, Verdict, has_in_order, no, prompt, unknown, yes};
use crate::chat::{self, ImageSource, Part, Request};

/// Four upright bands of the same width: yellow, blue, red, green. One guess in 24 is right.
const BANDS: &[u8] = include_bytes!("bands.png");

pub(crate) fn request() -> Request {
    let source = ImageSource::Data { media_type: "image/png".to_owned(), base64: BASE64.encode(BANDS) };
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
