//! The start of an answer: its id and its model, which are reported once and again where they change.

use crate::chat::StreamEvent;

/// The id and the model that were reported last; empty while unknown.
#[derive(Debug, Default)]
pub(super) struct Start {
    id: String,
    model: String,
}

impl Start {
    /// Adds an event where the id or the model is new. An empty text says nothing.
    pub(super) fn take(&mut self, id: &str, model: &str, events: &mut Vec<StreamEvent>) {
        let (id, model) = (news(&mut self.id, id), news(&mut self.model, model));
        if id.is_some() || model.is_some() {
            events.push(StreamEvent::Start { id, model });
        }
    }
}

fn news(known: &mut String, said: &str) -> Option<String> {
    if said.is_empty() || known == said {
        return None;
    }
    known.clear();
    known.push_str(said);
    Some(said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_told_again() {
        let start = |id: Option<&str>, model: Option<&str>| StreamEvent::Start {
            id: id.map(str::to_owned),
            model: model.map(str::to_owned),
        };
        let mut events = Vec::new();
        let mut known = Start::default();
        for (id, model) in [("", ""), ("a", ""), ("a", "m"), ("a", "m"), ("", ""), ("b", "m")] {
            known.take(id, model, &mut events);
        }
        assert_eq!(events, [start(Some("a"), None), start(None, Some("m")), start(Some("b"), None)]);
    }
}
