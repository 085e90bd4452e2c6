//! What a server makes of the config: its gateways with their keys and policies. It is made anew when the config changes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::models::Listed;
use crate::call::{Choice, Target};
use crate::chat::{Request, Usage};
use crate::config::Settings;
use crate::error::{Error, Failure};
use crate::http::not_found;
use crate::ledger::{self, Store};
use crate::money::Usd;
use crate::policy::budget::BudgetStore;
use crate::pricing::estimate;
use crate::resolve::Resolver;
use crate::route::{NamedRoute, RouteData};
use crate::run::{Notices, Preparation, PreparedGateways};
use crate::secret::Stores;

/// The settings, and what was prepared by them.
pub(crate) struct LoadedConfig {
    pub(super) settings: Settings,
    pub(super) prepared: Arc<PreparedGateways>,
    /// The gateway of models that are named without one.
    default_gateway: Option<String>,
    first_token: FirstToken,
    /// The list of models, once it was asked for.
    pub(super) models: OnceLock<Vec<Listed>>,
}

impl std::fmt::Debug for LoadedConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedConfig").field("default_gateway", &self.default_gateway).finish_non_exhaustive()
    }
}

impl LoadedConfig {
    /// Prepares every gateway that the config or its aliases name, the default one, and those that a key is saved for.
    /// `gateway` is the value of a flag, for models that are named without one; `before` is what this one replaces.
    ///
    /// # Errors
    /// A gateway is not configured, or the demo gateway cannot be started.
    pub(crate) fn new(
        settings: Settings,
        gateway: Option<&str>,
        stores: Stores,
        notices: &dyn Notices,
        (budgets, first_token): (Arc<dyn BudgetStore>, FirstToken),
        before: Option<&Self>,
    ) -> Result<Self, Error> {
        let resolver = Resolver::new(&settings, gateway);
        let default_gateway = resolver.default_gateway();
        let mut names: BTreeSet<String> = settings.gateways_in_use().map(str::to_owned).collect();
        names.extend(default_gateway.as_ref().ok().cloned());
        names.extend(resolver.gateways_with_keys());
        for name in settings.aliases.keys().chain(settings.tasks.keys()) {
            let routes = resolver.any(name).ok().map(|named| named.route);
            names.extend(routes.iter().flat_map(|route| route.targets()).map(|target| target.gateway.clone()));
        }
        if names.is_empty() {
            default_gateway?;
            return Err(Error::config("no gateway is set up yet"));
        }
        let prepared = Preparation { settings: &settings, stores, notices }.prepare_all(
            &names,
            Some(budgets),
            before.map(|before| &*before.prepared),
        )?;
        let default_gateway = default_gateway.ok();
        Ok(Self { prepared: Arc::new(prepared), default_gateway, settings, first_token, models: OnceLock::new() })
    }

    /// The gateway of models that are named without one.
    pub(super) fn default_gateway(&self) -> Option<&str> {
        self.default_gateway.as_deref()
    }

    /// The names of the gateways.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = &str> {
        self.prepared.gateways().keys().map(String::as_str)
    }

    /// The models that a name stands for.
    ///
    /// # Errors
    /// There is no gateway for one of them.
    pub(super) fn route(&self, name: &str) -> Result<NamedRoute, Failure> {
        let resolver = Resolver::new(&self.settings, self.default_gateway.as_deref());
        let named = resolver.any(name).map_err(|error| {
            let failure = not_found(format!("there is no model `{name}` here: {error}"));
            Failure { param: Some("model".to_owned()), ..failure }
        })?;
        let is_missing = |target: &&Target| !self.prepared.gateways().contains_key(&target.gateway);
        match named.route.targets().into_iter().find(is_missing) {
            Some(target) => {
                let failure = not_found(format!("there is no gateway `{}` here", target.gateway));
                Err(Failure { param: Some("model".to_owned()), ..failure })
            }
            None => Ok(named),
        }
    }

    /// The models of a route in the order in which they are asked for this request.
    pub(super) fn choices(&self, named: &NamedRoute, request: &Request) -> Vec<Choice> {
        named.route.choices(&Figures { loaded: self, expected: estimate::expected(request, "") })
    }

    /// How long a call to this gateway may take.
    pub(super) fn timeout(&self, gateway: &str) -> Duration {
        self.prepared.gateways().get(gateway).map_or(Duration::from_secs(600), |gateway| gateway.timeouts.total)
    }
}

/// The figures by which aliases decide, for one request.
struct Figures<'a> {
    loaded: &'a LoadedConfig,
    expected: Usage,
}

impl RouteData for Figures<'_> {
    fn cost(&self, target: &Target) -> Option<Usd> {
        let gateway = self.loaded.prepared.gateways().get(&target.gateway)?;
        let quote = self.loaded.prepared.pricing().quote(gateway, &target.model)?;
        quote.cost(&self.expected).map(|cost| cost.usd)
    }

    fn first_token(&self, target: &Target) -> Option<Duration> {
        (self.loaded.first_token)(target)
    }

    fn random(&self) -> f64 {
        fastrand::f64()
    }
}

/// How fast a model has begun to answer lately, as far as that is known.
pub(crate) type FirstToken = Arc<dyn Fn(&Target) -> Option<Duration> + Send + Sync>;

/// How fast models were, by the ledger of a directory. Each is looked up once in a while.
pub(crate) struct Speeds {
    dir: Option<std::path::PathBuf>,
    known: Mutex<HashMap<Target, (Instant, Option<Duration>)>>,
}

impl Speeds {
    /// How long a figure is used.
    const FRESH: Duration = Duration::from_secs(30);
    /// When there are more, all are looked up again.
    const MOST: usize = 1_000;

    pub(crate) fn new(dir: Option<std::path::PathBuf>) -> Self {
        Self { dir, known: Mutex::default() }
    }

    pub(crate) fn of(&self, target: &Target) -> Option<Duration> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, speed)) = known.get(target).filter(|(at, _)| at.elapsed() < Self::FRESH) {
            return *speed;
        }
        let store = self.dir.as_deref().and_then(|dir| Store::open_to_read(dir).ok().flatten());
        let median = |store: &Store| ledger::median_first_token(store, &target.gateway, &target.model).ok().flatten();
        let speed = store.as_ref().and_then(median);
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(target.clone(), (Instant::now(), speed));
        speed
    }
}
