//! Whether a PDF is read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Answer, Check, Question, Verdict, has_in_order, no, prompt, unknown, yes};
use crate::chat::{File, Part, Request};

/// A page with one sentence, which says that the password is “marmalade”.
const DOCUMENT: &[u8] = include_bytes!("password.pdf");

pub(crate) fn request() -> Request {
    let mut request = prompt("What is the password in this document? Answer with that one word.");
    let file = File {
        name: Some("password.pdf".to_owned()),
        media_type: "application/pdf".to_owned(),
        base64: BASE64.encode(DOCUMENT),
    };
    request.messages[0].parts.insert(0, Part::File(file));
    request
}

pub(super) struct Pdf;

impl Check for Pdf {
    fn questions(&self) -> &'static [Question] {
        &[Question::Pdf]
    }

    fn sent(&self) -> &'static str {
        "a PDF with a password, and the question which it is"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        if answer.text.trim().is_empty() {
            unknown(answer.said())
        } else if has_in_order(&answer.text, &["marmalade"]) {
            yes(answer.said())
        } else {
            no(answer.said())
        }
    }
}
