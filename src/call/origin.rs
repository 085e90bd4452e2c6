//! Where signed reasoning comes from. A client of a server that is answered in another wire format sends it back whoever is asked next,
//! and no vendor takes what another one has signed: each signature that is translated gets a mark of its model.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Target;
use crate::chat::{Message, Part, Request};

/// What a mark begins with. A mark is of as many letters of base64 as stand for whole bytes, because some clients decode signatures.
const MARK: &str = "llm0";
const LENGTH: usize = 16;

fn mark_of(target: &Target) -> String {
    let hash = Sha256::digest(target.to_string());
    let digits: String = hash.iter().take((LENGTH - MARK.len()) / 2).map(|byte| format!("{byte:02x}")).collect();
    format!("{MARK}{digits}")
}

/// The signature with the mark of the model that it comes from.
pub(crate) fn marked(target: &Target, signature: &str) -> String {
    mark_of(target) + signature
}

/// The mark of a signature, and the rest.
fn split(signature: &str) -> Option<(&str, &str)> {
    let (mark, rest) = signature.split_at_checked(LENGTH)?;
    let is_mark = mark.strip_prefix(MARK)?.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_mark.then_some((mark, rest))
}

fn signatures(message: &Message) -> impl Iterator<Item = &str> {
    message.parts.iter().filter_map(|part| match part {
        Part::Reasoning { signature, .. } => signature.as_deref(),
        _ => None,
    })
}

/// Whether a signature of the request has a mark, so that its vendor alone can read it, and only without the mark.
pub(crate) fn has_marks(request: &Request) -> bool {
    request.messages.iter().flat_map(signatures).any(|signature| split(signature).is_some())
}

/// The request with the reasoning that comes from this model, without marks. What has no mark came in the client's own wire format,
/// and so from another vendor. The first signature of a message says where all of it comes from.
pub(super) fn for_target(request: &Arc<Request>, target: &Target) -> Arc<Request> {
    if request.messages.iter().all(|message| signatures(message).next().is_none()) {
        return Arc::clone(request);
    }
    let (mut own, mark) = (Request::clone(request), mark_of(target));
    for message in &mut own.messages {
        let is_own = signatures(message).next().and_then(split).is_some_and(|(first, _)| first == mark);
        message.parts.retain_mut(|part| {
            let Part::Reasoning { signature: Some(signature), .. } = part else { return true };
            if let Some((_, rest)) = split(signature) {
                *signature = rest.to_owned();
            }
            is_own
        });
    }
    Arc::new(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Role;

    #[test]
    fn reasoning_goes_back_to_where_it_comes_from_alone() {
        let target = |model: &str| Target { gateway: "g".into(), model: model.into() };
        let thought = |signature: &str| Part::Reasoning { text: "T".into(), signature: Some(signature.into()) };
        let turn = |parts: Vec<Part>| Message { role: Role::Assistant, parts };
        let (mine, foreign) = (marked(&target("a"), "S1"), marked(&target("b"), "S3"));
        assert!(mine.len() == 18 && mine.starts_with("llm0") && mine.ends_with("S1"), "{mine}");
        let text = || Part::Text("hi".into());
        let messages = vec![
            turn(vec![thought(&mine), thought("S2"), text()]),
            turn(vec![thought(&foreign), text()]),
            turn(vec![thought("S4"), text()]),
        ];
        let request = Arc::new(Request { messages, ..Request::default() });
        let sent = for_target(&request, &target("a"));
        let left = [turn(vec![thought("S1"), thought("S2"), text()]), turn(vec![text()]), turn(vec![text()])];
        assert_eq!(sent.messages, left);
        assert!(has_marks(&request) && !has_marks(&sent));
        let plain = Arc::new(Request { messages: vec![Message::text(Role::User, "hi")], ..Request::default() });
        assert!(Arc::ptr_eq(&for_target(&plain, &target("a")), &plain));
    }
}
