//! The onion: each policy is a [`Service`] around a [`Service`], and their order is a type.

mod adjust;
mod fallback;
mod retry;
#[cfg(test)]
mod testing;

use std::future::Future;

pub use adjust::Adjust;
pub use fallback::{Fallback, Windows};
pub use retry::Retry;

use crate::call::{Call, Events};
use crate::error::Failure;

/// Gets a call answered. What arrives goes to `events`; the result says whether the answer is complete.
pub trait Service: Send + Sync {
    fn call(&self, call: &Call, events: &Events) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// The policies in force, outermost first: the next model only after every try of the one before, and a request that the
/// model refuses is adjusted before it counts as a try.
pub type Stack<S> = Fallback<Retry<Adjust<S>>>;

/// What the policies go by. The default has none but those that need no settings.
pub struct Policies {
    /// How many tokens a model takes.
    pub windows: Windows,
}

impl Default for Policies {
    fn default() -> Self {
        Self { windows: Box::new(|_| None) }
    }
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policies").finish_non_exhaustive()
    }
}

/// Puts the policies around a gateway.
pub fn stack<S: Service>(inner: S, policies: Policies) -> Stack<S> {
    Fallback::new(Retry::new(Adjust::new(inner)), policies.windows)
}

/// A service may be shared.
impl<S: Service> Service for std::sync::Arc<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        S::call(self, call, events).await
    }
}
