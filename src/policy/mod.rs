//! The policies: each is a [`Service`] around another [`Service`], and their order is a type. They hold no state of one
//! command, so that a server can use one stack for all of its clients.

mod adjust;
pub mod budget;
pub mod cache;
mod fallback;
mod hedge;
mod rate;
mod retry;
#[cfg(test)]
mod testing;

use std::sync::Arc;

pub use adjust::{Adjust, Apis};
pub use budget::{Admit, Spend, SpendingLimits};
pub use cache::{Answers, Cache};
pub use fallback::{Fallback, Lacks, Windows};
pub use rate::{Limiters, Throttle};
pub use retry::Retry;

use crate::call::Service;

/// All policies, outermost first. Another model is asked after every try of the one before. A cached answer costs nothing,
/// so no budget refuses it. A call that waits for its next try does not count as running. A request that the model refuses
/// is adjusted before it counts as a try. Money is reserved for the final body, directly before it is sent.
pub type Stack<S> = Fallback<Cache<Admit<Retry<Throttle<Adjust<Spend<S>>>>>>>;

/// The settings of the policies. By default only those policies act that need no settings.
pub struct Policies {
    /// The context windows of models.
    pub windows: Windows,
    /// What models are known to lack.
    pub lacks: Lacks,
    /// The wire formats of models.
    pub apis: Apis,
    /// The rates that gateways allow.
    pub limiters: Limiters,
    /// The answer cache; `None` where it is not used.
    pub answers: Option<Arc<Answers>>,
    /// The limits of cost; `None` where there are none.
    pub spending: Option<Arc<SpendingLimits>>,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            windows: Box::new(|_| None),
            lacks: Box::new(|_, _| None),
            apis: Box::new(|_| None),
            limiters: Limiters::default(),
            answers: None,
            spending: None,
        }
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
    let retry = Retry::new(Throttle::new(Adjust::new(spend).speaking(policies.apis), policies.limiters));
    Fallback::new(Cache::new(Admit::new(retry, policies.spending), policies.answers), policies.windows)
        .avoiding(policies.lacks)
}
