//! The onion: each policy is a [`Service`] around a [`Service`], and their order is a type.

mod adjust;
pub mod budget;
pub mod cache;
mod fallback;
mod hedge;
mod rate;
mod retry;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use adjust::Adjust;
pub use budget::{Admit, Spend, SpendingLimits};
pub use cache::{Answers, Cache};
pub use fallback::{Fallback, Windows};
pub use rate::Throttle;
pub use retry::Retry;

use crate::call::Service;
use crate::config::Rate;

/// The policies in force, outermost first: the next model only after every try of the one before, a cached answer is free
/// and always allowed, no place in the queue is kept while a try waits for the next, a request that the model refuses is
/// adjusted before it counts as a try, and money is reserved for the final request in the moment before it is sent.
pub type Stack<S> = Fallback<Cache<Admit<Retry<Throttle<Adjust<Spend<S>>>>>>>;

/// What the policies go by. The default has none but those that need no settings.
pub struct Policies {
    /// How many tokens a model takes.
    pub windows: Windows,
    /// How fast each gateway may be asked.
    pub rates: BTreeMap<String, Rate>,
    /// Answers that were given before; `None` where they are not wanted.
    pub answers: Option<Arc<Answers>>,
    /// What may be spent; `None` where nothing is limited.
    pub spending: Option<Arc<SpendingLimits>>,
}

impl Default for Policies {
    fn default() -> Self {
        Self { windows: Box::new(|_| None), rates: BTreeMap::new(), answers: None, spending: None }
    }
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policies").finish_non_exhaustive()
    }
}

/// Puts the policies around a gateway.
pub fn stack<S: Service>(inner: S, policies: Policies) -> Stack<S> {
    let spend = Spend::new(inner, policies.spending.clone());
    let retry = Retry::new(Throttle::new(Adjust::new(spend), policies.rates));
    Fallback::new(Cache::new(Admit::new(retry, policies.spending), policies.answers), policies.windows)
}
