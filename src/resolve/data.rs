//! Looks up the figures that the strategies of aliases need: prices, and the times that models took before.

use std::cell::OnceCell;
use std::time::Duration;

use crate::call::Target;
use crate::chat::{Request, Usage};
use crate::config::Settings;
use crate::ledger::{self, Store};
use crate::money::Usd;
use crate::pricing::{Pricing, estimate};
use crate::route::RouteData;
use crate::run::pricing;

/// Prices and times for one request. Each is looked up when it is first needed; most commands need none.
#[derive(Debug)]
pub(crate) struct LookedUp<'a> {
    settings: &'a Settings,
    expected: Usage,
    pricing: OnceCell<Pricing>,
    ledger: OnceCell<Option<Store>>,
}

impl<'a> LookedUp<'a> {
    pub(crate) fn new(settings: &'a Settings, request: &Request) -> Self {
        Self { settings, expected: estimate::expected(request, ""), pricing: OnceCell::new(), ledger: OnceCell::new() }
    }

    /// The figures are for this request from now on. What was looked up is kept.
    pub(crate) fn expect(&mut self, request: &Request) {
        self.expected = estimate::expected(request, "");
    }

    /// The tokens that costs are computed for.
    pub(crate) fn expected(&self) -> &Usage {
        &self.expected
    }
}

impl RouteData for LookedUp<'_> {
    fn cost(&self, target: &Target) -> Option<Usd> {
        let gateway = self.settings.gateway(&target.gateway).ok()?;
        let pricing = self.pricing.get_or_init(|| pricing(self.settings, target.gateway == "demo"));
        pricing.quote(&gateway, &target.model)?.cost(&self.expected).map(|cost| cost.usd)
    }

    fn first_token(&self, target: &Target) -> Option<Duration> {
        let open = || Store::open_to_read(self.settings.dirs.data.as_deref()?).ok().flatten();
        // A ledger that cannot be read counts as empty here; the command that records says what is wrong with it.
        let store = self.ledger.get_or_init(open).as_ref()?;
        ledger::median_first_token(store, &target.gateway, &target.model).ok().flatten()
    }

    fn random(&self) -> f64 {
        fastrand::f64()
    }
}
