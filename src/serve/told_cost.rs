//! The costs that clients are told in the words of another wire format: only those that this server itself believes.

use std::sync::Arc;

use super::loaded_config::LoadedConfig;
use crate::call::{Call, Event, Target};
use crate::chat::{StreamEvent, Usage};
use crate::money::Usd;

/// What is known of the answer by which its cost is judged.
pub(super) struct ToldCost {
    loaded: Arc<LoadedConfig>,
    target: Target,
    answered: Option<String>,
    usage: Usage,
}

impl ToldCost {
    pub(super) fn new(loaded: Arc<LoadedConfig>, call: &Call) -> Self {
        Self { loaded, target: call.target().clone(), answered: None, usage: Usage::default() }
    }

    /// Takes a cost of zero out of this event, unless the model is known to be free. Gateways report it for models whose price they
    /// do not know.
    pub(super) fn check(&mut self, event: &mut Event) {
        match event {
            Event::Attempt { target } | Event::Cached { target } => {
                self.target.clone_from(target);
                (self.answered, self.usage) = (None, Usage::default());
            }
            Event::Stream(StreamEvent::Start { model: Some(model), .. }) => self.answered = Some(model.clone()),
            Event::Stream(StreamEvent::Usage(usage)) => {
                self.usage.update(usage);
                usage.cost = usage.cost.filter(|cost| self.believes(*cost));
            }
            _ => {}
        }
    }

    fn believes(&self, cost: Usd) -> bool {
        let prepared = &self.loaded.prepared;
        let Some(gateway) = prepared.gateways().get(&self.target.gateway) else { return cost > Usd::ZERO };
        prepared.pricing().believes(gateway, &self.target.model, self.answered.as_deref(), &self.usage, cost)
    }
}
