//! What the strategies of aliases go by: prices, and how fast models have been.

use std::cell::OnceCell;
use std::time::Duration;

use super::{Context, ready};
use crate::call::Target;
use crate::chat::{Request, Usage};
use crate::ledger::{self, Store};
use crate::money::Usd;
use crate::pricing::{Pricing, estimate};
use crate::route;

/// Facts about one request, looked up when they are first asked for: most commands never do.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    context: &'a Context,
    expected: Usage,
    pricing: OnceCell<Pricing>,
    ledger: OnceCell<Option<Store>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(context: &'a Context, request: &Request) -> Self {
        Self { context, expected: estimate::expected(request), pricing: OnceCell::new(), ledger: OnceCell::new() }
    }

    /// The tokens that costs are computed for.
    pub(super) fn expected(&self) -> &Usage {
        &self.expected
    }
}

impl route::Facts for Facts<'_> {
    fn cost(&self, target: &Target) -> Option<Usd> {
        let gateway = self.context.settings.gateway(&target.gateway).ok()?;
        let pricing = self.pricing.get_or_init(|| ready::pricing(self.context, target.gateway == "demo"));
        pricing.quote(&gateway, &target.model)?.cost(&self.expected).map(|cost| cost.usd)
    }

    fn first_token(&self, target: &Target) -> Option<Duration> {
        let open = || Store::open_to_read(self.context.settings.dirs.data.as_deref()?).ok().flatten();
        // A ledger that cannot be read knows nothing; who records will say what is wrong with it.
        let store = self.ledger.get_or_init(open).as_ref()?;
        ledger::median_first_token(store, &target.gateway, &target.model).ok().flatten()
    }

    fn chance(&self) -> f64 {
        fastrand::f64()
    }
}
