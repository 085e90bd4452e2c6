//! The start of an answer: its id and its model. What is told first counts, whatever a gateway says later.

use crate::chat::StreamEvent;

/// Which of the two were reported.
#[derive(Debug, Default)]
pub(super) struct Start {
    has_id: bool,
    has_model: bool,
}

impl Start {
    /// Adds an event where the id or the model is told for the first time. An empty text says nothing.
    pub(super) fn take(&mut self, id: &str, model: &str, events: &mut Vec<StreamEvent>) {
        let (id, model) = (first(&mut self.has_id, id), first(&mut self.has_model, model));
        if id.is_some() || model.is_some() {
            events.push(StreamEvent::Start { id, model });
        }
    }
}

fn first(is_known: &mut bool, said: &str) -> Option<String> {
    if *is_known || said.is_empty() {
        return None;
    }
    *is_known = true;
    Some(said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_first_counts() {
        let start = |id: Option<&str>, model: Option<&str>| StreamEvent::Start {
            id: id.map(str::to_owned),
            model: model.map(str::to_owned),
        };
        let mut events = Vec::new();
        let mut known = Start::default();
        for (id, model) in [("", ""), ("a", ""), ("a", "m"), ("a", "m"), ("", ""), ("b", "n")] {
            known.take(id, model, &mut events);
        }
        assert_eq!(events, [start(Some("a"), None), start(None, Some("m"))]);
    }
}
