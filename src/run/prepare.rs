//! Prepares gateways for calls: finds their settings, builds their clients, reads their keys, starts the demo gateway, and
//! wraps the clients in the policies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::probed;
use crate::call::{Call, Target};
use crate::catalog;
use crate::config::{Auth, BaseUrl, Gateway, LLM_API_KEY, Settings};
use crate::demo::{self, Demo};
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::{Client, Gateways};
use crate::money::Usd;
use crate::policy::budget::BudgetStore;
use crate::policy::cache::{Answers, Store};
use crate::policy::{self, Apis, Limiters, Policies, SpendingLimits, Stack, Windows};
use crate::pricing::Pricing;
use crate::record::{Record, Timing};
use crate::secret::{self, AtHand, Found, Lookup, Pending, Stores};

/// Shows messages to the user while gateways are prepared.
pub(crate) trait Notices {
    /// A message that is hidden by `--quiet`.
    fn notice(&self, text: &str);
    /// A message that requires the user to act, such as a keyring that waits to be unlocked. It is always shown.
    fn urgent(&self, text: &str);
    /// A message that is shown with `--verbose` only.
    fn detail(&self, text: &str);
    /// Says what is waited for until the value that is returned is dropped. Where that cannot be shown, this is a message as
    /// by [`Notices::urgent`].
    fn waiting(&self, text: &str) -> ShownWait;
}

/// Shows what is waited for, as long as it lives.
pub(crate) type ShownWait = Option<Box<dyn std::any::Any>>;

/// The settings and key stores from which gateways are prepared.
pub(crate) struct Preparation<'a> {
    pub(crate) settings: &'a Settings,
    /// Where keys are looked for.
    pub(crate) stores: Stores,
    pub(crate) notices: &'a dyn Notices,
}

/// The options of a command for its gateways, which win over the settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct PrepareOptions {
    /// The name of the key to use.
    pub(crate) key: Option<String>,
    /// Whether the answer cache is used; `None` leaves it to the settings.
    pub(crate) cached: Option<bool>,
}

/// What gateways are made of.
struct Parts {
    gateways: BTreeMap<String, Gateway>,
    demo: Option<Demo>,
    clients: Clients,
    answers: Option<Arc<Answers>>,
    /// Where the sums of budgets are kept.
    store: Option<Arc<dyn BudgetStore>>,
    /// Whether anything limits what calls may cost or which models they may use.
    is_limited: bool,
}

/// The keys that a server has used at each gateway, by its name; the newest is the last. A gateway may repeat a key that was
/// replaced while an answer was on its way, or long after that.
type UsedKeys = BTreeMap<String, Vec<SecretString>>;

/// As many keys of one gateway are known to a server: more would slow the search for them.
const MOST_USED_KEYS: usize = 8;

/// The clients of gateways.
struct Clients {
    gateways: Gateways,
    /// By gateway, the name of its key.
    key_names: BTreeMap<String, String>,
    used: UsedKeys,
}

/// Gateways to which calls can be sent, wrapped in all policies. A command makes one for its calls; a server holds one for
/// all of its clients, until its settings change.
pub(crate) struct PreparedGateways {
    pub(crate) service: Arc<Stack<Gateways>>,
    /// The settings of each gateway, by name.
    gateways: BTreeMap<String, Gateway>,
    pricing: Arc<Pricing>,
    /// By gateway, the name of the key that is used there, or of the variable that holds it.
    pub(crate) keys: BTreeMap<String, String>,
    used_keys: UsedKeys,
    /// What limits the spending of calls, where anything does.
    spending: Option<Arc<SpendingLimits>>,
    /// What runs at the gateways.
    limiters: Limiters,
    /// Whether the calls are results of a Batch API, which has prices of its own and no latency of single calls.
    pub(crate) are_batches: bool,
    /// Whether there is a client for each gateway. Where the cache answers all calls, none is made.
    pub(crate) is_whole: bool,
    /// The demo gateway runs as long as this value lives.
    _demo: Option<Demo>,
}

impl PreparedGateways {
    /// Adds the cost of a call to its record, as far as it is known.
    pub(crate) fn price(&self, record: &mut Record) {
        let Some(gateway) = self.gateways.get(&record.gateway) else { return };
        self.pricing.price(record, &self.gateways);
        if self.are_batches {
            record.timing = Timing::default();
            if halves_batch_prices(gateway)
                && let Some(cost) = record.cost.as_mut().filter(|cost| cost.origin.is_computed())
            {
                cost.usd = Usd::from_picos(cost.usd.picos() / 2);
                record.rates = None;
            }
        }
    }

    /// Counts in the budgets what a call has cost that was handed over in a batch, past the policies.
    pub(crate) fn count(&self, call: &Call, record: &Record) {
        if let Some(spending) = self.spending.as_ref().filter(|_| record.cost.is_some() || !record.cost_nothing()) {
            spending.count(call, record.cost);
        }
    }

    /// The settings of each gateway, by name.
    pub(crate) fn gateways(&self) -> &BTreeMap<String, Gateway> {
        &self.gateways
    }

    /// The prices of models.
    pub(crate) fn pricing(&self) -> &Pricing {
        &self.pricing
    }

    /// Starts to look up the prices of these models, on a thread of its own.
    pub(crate) fn prepare_prices(&self, targets: &[Target]) {
        self.pricing
            .prepare(targets.iter().filter_map(|target| Some((self.gateways.get(&target.gateway)?, &*target.model))));
    }
}

/// Whether this gateway is known to take half of its prices for batches: OpenAI, Anthropic and Google themselves say so.
pub(crate) fn halves_batch_prices(gateway: &Gateway) -> bool {
    const ORIGINS: [&str; 3] = [
        "https://api.openai.com:443",
        "https://api.anthropic.com:443",
        "https://generativelanguage.googleapis.com:443",
    ];
    gateway.name == "demo" || ORIGINS.contains(&gateway.base_url.origin().as_str())
}

impl Preparation<'_> {
    /// The settings of every gateway of these targets. The demo gateway is started if it is one of them, and runs as long
    /// as the value that is returned.
    ///
    /// # Errors
    /// A gateway is not configured, or the demo gateway cannot be started.
    pub(crate) fn gateways<'t>(
        &self,
        targets: impl IntoIterator<Item = &'t Target>,
    ) -> Result<(BTreeMap<String, Gateway>, Option<Demo>), Error> {
        let names: BTreeSet<&str> = targets.into_iter().map(|target| &*target.gateway).collect();
        let mut gateways = BTreeMap::new();
        let mut running = None;
        for name in &names {
            let mut gateway = self.settings.gateway(name)?;
            if gateway.name == "demo" {
                let demo = Demo::start()?;
                gateway.base_url =
                    BaseUrl::parse(&demo.base_url(), false).map_err(|error| Error::config(error.to_string()))?;
                running = Some(demo);
                self.notices.notice("this is the demo gateway: its answers come from the prompt, not from a model");
            }
            gateways.insert((*name).to_owned(), gateway);
        }
        self.give_llm_api_key(&mut gateways)?;
        Ok((gateways, running))
    }

    /// `LLM_API_KEY` belongs to one gateway. If the settings do not say to which, and the command uses several, none of them
    /// gets it, so that the key is not sent to the wrong one.
    fn give_llm_api_key(&self, gateways: &mut BTreeMap<String, Gateway>) -> Result<(), Error> {
        let mut with_key = gateways.values_mut().filter(|gateway| gateway.auth != Auth::None);
        let (Some(one), another) = (with_key.next(), with_key.next()) else { return Ok(()) };
        let owner = self.settings.owner_of_llm_api_key();
        if owner.is_none() && another.is_none() {
            one.key = self.settings.only_gateway(&one.name)?.key;
            return Ok(());
        }
        if !owner.is_some_and(|owner| gateways.contains_key(owner)) {
            self.tell_llm_api_key_is_unused();
        }
        Ok(())
    }

    /// Says that none of several gateways gets `LLM_API_KEY`, unless the settings say which gateway it is for.
    pub(crate) fn tell_llm_api_key_is_unused(&self) {
        if self.settings.said_owner_of_llm_api_key().is_none() && self.settings.env.get(LLM_API_KEY).is_some() {
            self.notices.notice("LLM_API_KEY is not used: LLM_GATEWAY or default_gateway says which gateway it is for");
        }
    }

    /// The settings of one gateway, as [`Preparation::gateways`] finds them.
    ///
    /// # Errors
    /// As for [`Preparation::gateways`].
    pub(crate) fn gateway(&self, name: &str) -> Result<(Gateway, Option<Demo>), Error> {
        let target = Target { gateway: name.to_owned(), model: String::new() };
        let (mut gateways, demo) = self.gateways([&target])?;
        let gateway = gateways.remove(name).map_or_else(|| self.settings.gateway(name), Ok)?;
        Ok((gateway, demo))
    }

    /// Prepares every gateway that these calls need. Calls that the cache answers need no key and no network. If the key of a
    /// gateway cannot be found, its calls fail with the reason, and the other gateways are prepared all the same. Sums of
    /// budgets are kept in `store`.
    ///
    /// # Errors
    /// As for [`Preparation::gateways`].
    pub(crate) fn prepare(
        &self,
        calls: &[Call],
        options: &PrepareOptions,
        store: Option<Arc<dyn BudgetStore>>,
    ) -> Result<PreparedGateways, Error> {
        let chosen_key = options.key.as_deref();
        let (gateways, demo) = self.gateways(calls.iter().flat_map(Call::targets))?;
        self.tell_refused_lists(&gateways);
        self.tell_refused_findings(calls.iter().flat_map(Call::targets).map(by_name).collect());
        let answers = self.answers(options, &gateways);
        let uncached = calls.iter().filter(|call| answers.as_ref().is_none_or(|answers| !answers.find(call)));
        let needed: BTreeSet<&str> = uncached.flat_map(Call::targets).map(|target| target.gateway.as_str()).collect();
        let clients = self.clients(needed.iter().map(|name| &gateways[*name]), chosen_key, UsedKeys::new())?;
        let has_limit = calls.iter().any(|call| call.caller.max_cost.is_some() || !call.caller.budgets.is_empty());
        let is_limited = has_limit || !self.settings.budgets.is_empty() || !self.settings.allow.is_empty();
        let is_whole = gateways.keys().all(|name| needed.contains(&**name));
        let prepared = self.assemble(Parts { gateways, demo, clients, answers, store, is_limited }, None);
        Ok(PreparedGateways { is_whole, ..prepared })
    }

    /// Prepares gateways by name for calls that are not known yet, as a server needs them: every call may have limits of its
    /// own. Sums of budgets are kept in `store`; `before` is what was prepared by earlier settings.
    ///
    /// # Errors
    /// As for [`Preparation::gateways`].
    pub(crate) fn prepare_all(
        &self,
        names: &BTreeSet<String>,
        store: Option<Arc<dyn BudgetStore>>,
        before: Option<&PreparedGateways>,
    ) -> Result<PreparedGateways, Error> {
        let targets: Vec<Target> =
            names.iter().map(|name| Target { gateway: name.clone(), model: String::new() }).collect();
        let (gateways, demo) = self.gateways(&targets)?;
        self.tell_refused_lists(&gateways);
        gateways.keys().for_each(|name| self.tell_all_refused_findings(name));
        let answers = self.answers(&PrepareOptions::default(), &gateways);
        let used = before.map(|before| before.used_keys.clone()).unwrap_or_default();
        let clients = self.clients(gateways.values(), None, used)?;
        Ok(self.assemble(Parts { gateways, demo, clients, answers, store, is_limited: true }, before))
    }

    /// Says which lists of models, with their prices, are not read, because others could have put them there.
    fn tell_refused_lists(&self, gateways: &BTreeMap<String, Gateway>) {
        let cache = self.settings.dirs.cache.as_deref();
        for gateway in gateways.values() {
            if let Some(why) = cache.and_then(|cache| catalog::refused(gateway, cache)) {
                let name = &gateway.name;
                self.notices.notice(&format!("the list of models of {name}, with its prices, is not read: {why}"));
            }
        }
    }

    /// Says which findings about these models are not read, for the same reason.
    fn tell_refused_findings(&self, targets: BTreeSet<(&str, &str)>) {
        for (gateway, model) in targets {
            if let Some(found) = probed::findings(self.settings, gateway) {
                probed::tell_refused(&found, model, self.notices);
            }
        }
    }

    /// Says that findings about models of this gateway are not read, where it is not known which of them will be asked.
    fn tell_all_refused_findings(&self, gateway: &str) {
        if let Some(found) = probed::findings(self.settings, gateway) {
            probed::tell_all_refused(&found, gateway, self.notices);
        }
    }

    /// Puts the policies around the clients. What the policies know of gateways is taken over from `before`.
    fn assemble(&self, parts: Parts, before: Option<&PreparedGateways>) -> PreparedGateways {
        let Parts { gateways, demo, clients, answers, store, is_limited } = parts;
        let Clients { gateways: clients, key_names: keys, used: used_keys } = clients;
        let pricing = Arc::new(pricing(self.settings, demo.is_some()));
        let spending = is_limited.then(|| {
            Arc::new(SpendingLimits {
                budgets: self.settings.budgets.clone(),
                allow: self.settings.allow.clone(),
                gateways: gateways.clone(),
                keys: keys.clone(),
                pricing: Arc::clone(&pricing),
                store,
            })
        });
        let rates: BTreeMap<_, _> = gateways.iter().map(|(name, gateway)| (name.clone(), gateway.rate)).collect();
        let limiters = match before {
            Some(before) => Limiters::from(rates).after(&before.limiters),
            None => rates.into(),
        };
        let policies = Policies {
            windows: context_windows(&gateways, self.settings.dirs.cache.as_deref()),
            lacks: probed::lacks(self.settings, &gateways),
            apis: apis(&gateways),
            answers,
            spending: spending.clone(),
            limiters: limiters.clone(),
        };
        let service = Arc::new(policy::stack(clients, policies));
        PreparedGateways {
            service,
            gateways,
            pricing,
            keys,
            used_keys,
            spending,
            limiters,
            are_batches: false,
            is_whole: true,
            _demo: demo,
        }
    }

    /// The clients of these gateways. Keys are read while clients are built. Keys that were used before are masked as well.
    ///
    /// # Errors
    /// The system lacks what it takes to look for a key: that is no fault of the gateway's.
    fn clients<'g>(
        &self,
        gateways: impl Iterator<Item = &'g Gateway>,
        chosen_key: Option<&str>,
        mut used: UsedKeys,
    ) -> Result<Clients, Error> {
        let pending: Vec<(&Gateway, Pending)> =
            self.lookup(|lookup| gateways.map(|gateway| (gateway, lookup.start(gateway, chosen_key))).collect());
        let mut clients = Gateways::default();
        let mut key_names = BTreeMap::new();
        for (gateway, pending) in pending {
            let client = Client::new(gateway.clone(), &self.settings.env);
            let key = match self.wait_for(pending) {
                Err(shortage @ Error::System { .. }) => return Err(shortage),
                key => key,
            };
            if let Ok(Some(found)) = &key {
                key_names.insert(gateway.name.clone(), key_name(gateway, chosen_key, &found.source));
            }
            let before = used.entry(gateway.name.clone()).or_default();
            let now: Option<SecretString> =
                key.as_ref().ok().and_then(Option::as_ref).map(|found| found.key.expose().to_owned().into());
            let client = client.and_then(|client| self.with_key(client, key));
            clients.add(&gateway.name, client.map(|client| client.masking(before)));
            if let Some(now) = now {
                before.retain(|known| known.expose_secret() != now.expose_secret());
                before.push(now);
            }
            before.drain(..before.len().saturating_sub(MOST_USED_KEYS));
        }
        Ok(Clients { gateways: clients, key_names, used })
    }

    /// The key of a gateway, from the usual sources in their order.
    ///
    /// # Errors
    /// The gateway needs a key and none can be read.
    pub(crate) fn key(&self, gateway: &Gateway, chosen: Option<&str>) -> Result<Option<Found>, Error> {
        self.wait_for(self.lookup(|lookup| lookup.start(gateway, chosen)))
    }

    fn wait_for(&self, pending: Pending) -> Result<Option<Found>, Error> {
        if pending.may_use_terminal() {
            return pending.wait(&mut |text| self.notices.urgent(text));
        }
        let mut shown = None;
        pending.wait(&mut |text| shown = self.notices.waiting(text))
    }

    /// What is known about a gateway's key without asking the keyring or running a command.
    pub(crate) fn key_at_hand(&self, gateway: &Gateway) -> AtHand {
        self.lookup(|lookup| lookup.at_hand(gateway))
    }

    fn lookup<T>(&self, ask: impl FnOnce(&Lookup<'_>) -> T) -> T {
        let key_variables = self.settings.key_variables();
        ask(&Lookup { env: &self.settings.env, key_variables: &key_variables, stores: &self.stores })
    }

    /// Adds the key to the client.
    ///
    /// # Errors
    /// No key was found, or it cannot be sent.
    pub(crate) fn with_key(&self, client: Client, key: Result<Option<Found>, Error>) -> Result<Client, Failure> {
        match key {
            Ok(None) => Ok(client),
            Ok(Some(found)) => {
                let name = &client.config().name;
                found.notices(name).iter().for_each(|text| self.notices.notice(text));
                self.notices.detail(&format!("{name}: key {} from {}", found.key.hint(), found.source));
                client.with_key(found.key.expose().to_owned().into(), found.if_refused)
            }
            Err(error) => {
                let mut failure = Failure::new(FailureKind::NoKey, error.to_string());
                failure.cause = error.cause();
                failure.advice = error.hint().map(Into::into);
                Err(failure)
            }
        }
    }

    /// The cached answers for calls to these gateways, if the cache is to be used.
    fn answers(&self, options: &PrepareOptions, gateways: &BTreeMap<String, Gateway>) -> Option<Arc<Answers>> {
        let wanted = options.cached.unwrap_or(self.settings.cache.enabled);
        let store = wanted.then(|| answer_store(self.settings)).flatten()?;
        let scoped = |(name, gateway): (&String, &Gateway)| {
            (name.clone(), (gateway.clone(), self.key_scope(gateway, options.key.as_deref())))
        };
        Some(Arc::new(Answers::new(store, gateways.iter().map(scoped).collect())))
    }

    /// A text that differs for different keys of a gateway: the name of a saved key, the command that prints the key, or the
    /// hash of a key in the environment. It is found without asking the keyring or running a command.
    fn key_scope(&self, gateway: &Gateway, chosen: Option<&str>) -> String {
        let in_env = || gateway.key.env.iter().find_map(|name| self.settings.env.get(name));
        match (chosen, in_env(), &gateway.key.command) {
            (Some(name), _, _) => format!("name {name}"),
            (None, Some(key), _) => format!("env {:x?}", Sha256::digest(key)),
            (None, None, Some(command)) => format!("command {command:?}"),
            (None, None, None) => format!("name {}", gateway.key.name.as_deref().unwrap_or("default")),
        }
    }
}

/// The names of the gateway and the model.
fn by_name(target: &Target) -> (&str, &str) {
    (&target.gateway, &target.model)
}

/// The sources of prices by these settings. The prices of the demo gateway are known without a request.
pub(crate) fn pricing(settings: &Settings, demo_runs: bool) -> Pricing {
    let pricing = Pricing::new(&settings.prices, settings.dirs.cache.clone());
    if demo_runs { pricing.with_list("demo", demo::prices()) } else { pricing }
}

/// The file cache of answers; `None` where there is no directory for it.
pub(crate) fn answer_store(settings: &Settings) -> Option<Store> {
    let dir = settings.dirs.cache.as_ref()?.join("answers");
    Some(Store::new(dir, settings.cache.ttl, settings.cache.max_size))
}

/// The name under which budgets and the ledger know a key.
pub(crate) fn key_name(gateway: &Gateway, chosen: Option<&str>, source: &secret::Source) -> String {
    match source {
        secret::Source::Environment { name } => name.clone(),
        secret::Source::Command { .. } => "key_command".to_owned(),
        secret::Source::Keyring { .. } | secret::Source::File { .. } => secret::Slot::of(gateway, chosen).name,
    }
}

/// Looks up the wire formats of models.
fn apis(gateways: &BTreeMap<String, Gateway>) -> Apis {
    let gateways = gateways.clone();
    Box::new(move |target| Some(gateways.get(&target.gateway)?.api_of(&target.model)))
}

/// Looks up the context windows of models, in tokens, in the cached lists of their gateways. A list is read only when it is
/// needed.
fn context_windows(gateways: &BTreeMap<String, Gateway>, cache: Option<&Path>) -> Windows {
    let (gateways, cache) = (gateways.clone(), cache.map(Path::to_owned));
    Box::new(move |target| {
        let list = catalog::cached(gateways.get(&target.gateway)?, cache.as_deref()?, SystemTime::now())?;
        list.find(&target.model)?.context
    })
}
