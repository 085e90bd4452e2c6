//! Gateways made ready for a run: keys found, clients built, the demo gateway started.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::cache;
use super::{Context, process, request};
use crate::call::{Call, Caller, CostLimit, Target};
use crate::catalog;
use crate::cli::PromptArgs;
use crate::config::{Auth, BaseUrl, Gateway, LLM_API_KEY};
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::{Client, Gateways};
use crate::ledger::LedgerWriter;
use crate::money::Usd;
use crate::policy::budget::{BudgetStore, SqliteBudgets};
use crate::policy::{Policies, SpendingLimits, Windows};
use crate::pricing::Pricing;
use crate::report::error::notice;
use crate::report::term::say;
use crate::secret::{self, Found, Lookup, Pending};
use crate::serve::demo::{self, Demo};

/// What the flags of a command say about how its gateways are used.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// The name of the key to use.
    pub(super) key: Option<String>,
    /// Whether to use the cache of answers; `None` leaves it to the config.
    pub(super) cached: Option<bool>,
    /// What the run may cost at most.
    pub(super) max_cost: Option<Usd>,
    /// Whether models of unknown price may be used where money is limited.
    pub(super) allow_unpriced: bool,
    /// What costs are attributed to.
    pub(super) tags: BTreeMap<String, String>,
}

impl Wishes {
    pub(super) fn new(args: &PromptArgs) -> Result<Self, Error> {
        Ok(Self {
            key: args.to.key.clone(),
            cached: args.cached(),
            max_cost: args.max_cost.as_deref().map(request::max_cost).transpose()?,
            allow_unpriced: args.allow_unpriced,
            tags: request::tags(args)?,
        })
    }
}

/// What a run needs of its gateways.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) service: Arc<Gateways>,
    /// The settings of each gateway by name.
    pub(super) gateways: BTreeMap<String, Gateway>,
    pub(super) pricing: Arc<Pricing>,
    /// By gateway, which of the user's keys is used there: its name, or the variable that it is in.
    pub(super) keys: BTreeMap<String, String>,
    pub(super) policies: Policies,
    /// Who makes the calls of the run.
    pub(super) caller: Arc<Caller>,
    /// Where budgets are kept, if any apply.
    pub(super) ledger: Option<LedgerWriter>,
    /// Kept running as long as this is.
    _demo: Option<Demo>,
}

/// The settings of every gateway that these targets lead to. The demo gateway is started if it is among them.
pub(super) fn gateways<'a>(
    context: &Context,
    targets: impl IntoIterator<Item = &'a Target>,
) -> Result<(BTreeMap<String, Gateway>, Option<Demo>), Error> {
    let mut gateways = BTreeMap::new();
    let mut running = None;
    for target in targets {
        if gateways.contains_key(&target.gateway) {
            continue;
        }
        let mut gateway = context.settings.gateway(&target.gateway)?;
        if gateway.name == "demo" {
            let demo = Demo::start()?;
            gateway.base_url =
                BaseUrl::parse(&demo.base_url(), false).map_err(|error| Error::config(error.to_string()))?;
            running = Some(demo);
            context.notice("this is the demo gateway: its answers come from the prompt, not from a model");
        }
        gateways.insert(target.gateway.clone(), gateway);
    }
    let want_a_key = gateways.values().filter(|gateway| gateway.auth != Auth::None).count();
    if want_a_key > 1 && context.settings.owner_of_llm_api_key().is_none() {
        // Nobody says which of them it is for, so it is for none.
        for gateway in gateways.values_mut() {
            gateway.key.env.retain(|name| name != LLM_API_KEY);
        }
        if context.settings.env.get(LLM_API_KEY).is_some() {
            context.notice("LLM_API_KEY is not used: LLM_GATEWAY or default_gateway says which gateway it is for");
        }
    }
    Ok((gateways, running))
}

/// The settings of one gateway, by its name; see [`gateways`].
pub(super) fn gateway(context: &Context, name: &str) -> Result<(Gateway, Option<Demo>), Error> {
    let target = Target { gateway: name.to_owned(), model: String::new() };
    let (mut gateways, demo) = gateways(context, [&target])?;
    let gateway = gateways.remove(name).map_or_else(|| context.settings.gateway(name), Ok)?;
    Ok((gateway, demo))
}

/// Makes every gateway of these calls ready that will be needed: what is in the cache takes neither key nor network.
/// One without a key does not hold up the others: its calls fail with the reason.
pub(super) fn ready(context: &Context, calls: &[Call], wishes: Wishes) -> Result<Ready, Error> {
    let chosen_key = wishes.key.as_deref();
    let (gateways, demo) = gateways(context, calls.iter().flat_map(Call::targets))?;
    let answers = cache::answers(context, wishes.cached, chosen_key, &gateways);
    let open = calls.iter().filter(|call| answers.as_ref().is_none_or(|answers| !answers.find(call)));
    let needed: BTreeSet<&str> = open.flat_map(Call::targets).map(|target| target.gateway.as_str()).collect();
    let settings = &context.settings;
    let stores = context.stores();
    let key_variables = settings.key_variables();
    let lookup = Lookup { env: &settings.env, key_variables: &key_variables, stores: &stores };
    // The keyring is read while the clients are built.
    let pending: Vec<(&Gateway, Pending)> = needed
        .iter()
        .map(|name| &gateways[*name])
        .map(|gateway| (gateway, lookup.start(gateway, chosen_key)))
        .collect();
    let mut service = Gateways::default();
    let mut keys = BTreeMap::new();
    for (gateway, pending) in pending {
        let client = Client::new(gateway.clone(), &settings.env)
            .map(|client| client.remembering(settings.dirs.cache.as_deref()));
        let key = pending.wait(&mut |text| say(notice(text, &context.terminal.stderr)));
        if let Ok(Some(found)) = &key {
            keys.insert(gateway.name.clone(), key_name(gateway, chosen_key, &found.source));
        }
        service.add(&gateway.name, client.and_then(|client| with_key(context, client, key)));
    }
    let pricing = Arc::new(pricing(context, demo.is_some()));
    let caller = Arc::new(Caller {
        tags: wishes.tags,
        max_cost: wishes.max_cost.map(|most| Arc::new(CostLimit::new(most))),
        allow_unpriced: wishes.allow_unpriced,
        ..Caller::default()
    });
    let ledger = settings.dirs.data.as_deref().filter(|_| !settings.budgets.is_empty()).map(LedgerWriter::new);
    let store = ledger.clone().map(|ledger| Arc::new(SqliteBudgets::new(ledger)) as Arc<dyn BudgetStore>);
    let is_limited = caller.max_cost.is_some() || !settings.budgets.is_empty() || !settings.allow.is_empty();
    let spending = is_limited.then(|| SpendingLimits {
        budgets: settings.budgets.clone(),
        allow: settings.allow.clone(),
        gateways: gateways.clone(),
        keys: keys.clone(),
        pricing: Arc::clone(&pricing),
        store,
    });
    let policies = Policies {
        windows: windows(context, &gateways),
        answers,
        spending: spending.map(Arc::new),
        rates: gateways.iter().map(|(name, gateway)| (name.clone(), gateway.rate)).collect(),
    };
    Ok(Ready { service: Arc::new(service), gateways, pricing, keys, policies, caller, ledger, _demo: demo })
}

/// What the ledger calls a key.
pub(super) fn key_name(gateway: &Gateway, chosen: Option<&str>, source: &secret::Source) -> String {
    match source {
        secret::Source::Environment { name } => name.clone(),
        secret::Source::Command { .. } => "key_command".to_owned(),
        secret::Source::Keyring { .. } | secret::Source::File { .. } => secret::Slot::of(gateway, chosen).name,
    }
}

/// How many tokens models take, by the lists that were fetched at any time; read when first asked.
fn windows(context: &Context, gateways: &BTreeMap<String, Gateway>) -> Windows {
    let (gateways, cache) = (gateways.clone(), context.settings.dirs.cache.clone());
    Box::new(move |target| {
        let list = catalog::cached(gateways.get(&target.gateway)?, cache.as_deref()?, SystemTime::now())?;
        list.find(&target.model)?.context
    })
}

/// What is known of prices; the demo gateway's own list need not be asked for.
pub(super) fn pricing(context: &Context, demo: bool) -> Pricing {
    let pricing = Pricing::new(&context.settings.prices, context.settings.dirs.cache.clone());
    if demo { pricing.with_list("demo", demo::prices()) } else { pricing }
}

pub(super) fn with_key(
    context: &Context,
    client: Client,
    key: Result<Option<Found>, Error>,
) -> Result<Client, Failure> {
    match key {
        Ok(None) => Ok(client),
        Ok(Some(found)) => {
            if let Some(text) = found.cleaned.notice() {
                context.notice(&text);
            }
            if context.verbose {
                context.notice(&format!("{}: key {} from {}", client.config().name, found.key.hint(), found.source));
            }
            client.with_key(found.key.expose().to_owned().into())
        }
        Err(error) => {
            let mut failure = Failure::new(FailureKind::NoKey, error.to_string());
            failure.cause = error.cause();
            failure.advice = error.hint();
            Err(failure)
        }
    }
}

/// Asks the gateway for its models, which shows that it is there and takes the key; how many there are.
pub(super) fn lists(context: &Context, gateway: &Gateway, key: Option<Found>) -> Result<usize, Error> {
    let client = with_key(context, Client::new(gateway.clone(), &context.settings.env)?, Ok(key))?;
    let list = process::runtime()?.block_on(catalog::load(gateway, &client, None, true, SystemTime::now()))?;
    Ok(list.models.len())
}
