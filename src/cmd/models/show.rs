//! `llm models show`: the data of one model, and its price at every gateway that has it.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::Lists;
use crate::catalog::{Catalogue, Source};
use crate::cli::{ListFormat, ModelsShowArgs};
use crate::cmd::{Context, process};
use crate::config::{Gateway, Said, nearest};
use crate::error::{Error, Failure, FailureKind};
use crate::gateway::Client;
use crate::pricing::{Identity, Pricing};
use crate::record::CostOrigin;
use crate::report::models::{self, Listing, Offer, Shown};
use crate::report::term;
use crate::run::{Notices, findings, tell_refused};
use crate::secret::{AtHand, Found};

pub(super) fn run(context: &Context, args: &ModelsShowArgs) -> Result<u8, Error> {
    let (named, id) = match args.id.split_once("::") {
        Some((gateway, id)) => (Some(gateway.trim()), id.trim()),
        None => (args.to.gateway.as_deref(), args.id.trim()),
    };
    let (offered, unfetched) = match named {
        Some(name) => (of_one_gateway(context, name, args)?, Vec::new()),
        None => of_all_gateways(context, args)?,
    };
    let shown = shown(context, id, &offered);
    let mut unfetched = grouped(unfetched);
    if shown.listings.is_empty() && (named.is_some() || shown.list_price.is_none()) {
        // A list that was fetched before stands for one that could not be fetched now, and a name that is nearly right was meant.
        let is_missing = |name: &String| offered.iter().all(|(gateway, _)| gateway.name != *name);
        let missing = unfetched
            .iter()
            .position(|(names, _)| names.iter().any(is_missing))
            .filter(|_| suggestion(id, &offered).is_none());
        let first = missing.map(|first| unfetched.remove(first));
        tell_unfetched(context, &unfetched);
        return Err(first.map_or_else(|| not_found(context, id, named, &offered), |first| maybe_unfetched(id, first)));
    }
    tell_unfetched(context, &unfetched);
    if shown.listings.is_empty() {
        context.notice(&format!("no gateway's list that is known here has {id}; this is what its maker asks for it"));
    }
    let out = &context.terminal.stdout;
    term::print(match args.output.format {
        ListFormat::Text => models::one(&shown, out),
        ListFormat::Json => models::one_json(&shown, out),
        ListFormat::Csv => models::one_csv(&shown),
    })?;
    Ok(0)
}

/// Gateways with their lists.
type Offered = Vec<(Gateway, Catalogue)>;

/// Gateways whose list could not be fetched, and why.
type Unfetched = Vec<(String, Failure)>;

fn of_one_gateway(context: &Context, name: &str, args: &ModelsShowArgs) -> Result<Offered, Error> {
    let (gateway, demo) = context.preparation().gateway(name)?;
    let lists = Lists::new(context, args.refresh, demo.is_some());
    let catalogue = lists.of(&gateway, args.to.key.as_deref())?;
    let offered = vec![(gateway, catalogue)];
    show_notices(context, &lists, &offered);
    Ok(offered)
}

/// The lists of every gateway that is set up here, or whose list was fetched before. Keyrings and key commands are asked
/// for keys only with `--refresh`, and for a default gateway whose list was never fetched: they may need the user, who
/// only wants to see a model.
fn of_all_gateways(context: &Context, args: &ModelsShowArgs) -> Result<(Offered, Unfetched), Error> {
    let default = context.resolver(None).default_gateway().ok();
    if default.as_deref() == Some("demo") {
        return Ok((of_one_gateway(context, "demo", args)?, Vec::new()));
    }
    let lists = Lists::new(context, args.refresh, false);
    let (mut offered, mut to_fetch, mut never_fetched) = (Vec::new(), Vec::new(), Vec::new());
    for name in context.settings.gateway_names().filter(|name| *name != "demo") {
        let gateway = context.settings.gateway(name)?;
        match list_source(&lists, &gateway, args, default.as_deref() == Some(name)) {
            ListSource::Kept(kept) => offered.extend(kept.map(|kept| (gateway, kept))),
            ListSource::Fetch { kept, key } => to_fetch.push(ToFetch { gateway, kept, key }),
            ListSource::NeverFetched => never_fetched.push(name),
        }
    }
    if !to_fetch.is_empty() {
        context.preparation().tell_llm_api_key_is_unused();
    }
    report_never_fetched(context, &never_fetched);
    let (fetched, mut unfetched) = fetch_all(&lists, to_fetch)?;
    offered.extend(fetched);
    // The default gateway comes first, so that its data about the model are shown.
    let place = |name: &str| (default.as_deref() != Some(name), name.to_owned());
    offered.sort_by_key(|(gateway, _)| place(&gateway.name));
    unfetched.sort_by_key(|(name, _)| place(name));
    show_notices(context, &lists, &offered);
    Ok((offered, unfetched))
}

/// Where a gateway's list comes from.
enum ListSource {
    /// The list that was fetched before is used, if there is one.
    Kept(Option<Catalogue>),
    /// The list is fetched with this key, if the gateway needs one; if that fails, `kept` is used.
    Fetch { kept: Option<Catalogue>, key: Result<Option<Found>, Error> },
    /// There is no list, and fetching it would mean to ask a keyring or a command for the key.
    NeverFetched,
}

fn list_source(lists: &Lists<'_>, gateway: &Gateway, args: &ModelsShowArgs, is_default: bool) -> ListSource {
    let context = lists.context;
    let kept = lists.kept(gateway);
    if kept.as_ref().is_some_and(|kept| lists.suffices(kept)) {
        return ListSource::Kept(kept);
    }
    let is_set_up = is_default || context.settings.gateway_said(&gateway.name) == Said::File;
    match context.preparation().key_at_hand(gateway) {
        AtHand::Key(found) => ListSource::Fetch { kept, key: Ok(Some(found)) },
        AtHand::NotNeeded if is_set_up || kept.is_some() => ListSource::Fetch { kept, key: Ok(None) },
        AtHand::Elsewhere if args.refresh || (is_default && kept.is_none()) => {
            let key = context.preparation().key(gateway, args.to.key.as_deref());
            ListSource::Fetch { kept, key }
        }
        AtHand::Elsewhere if kept.is_none() => ListSource::NeverFetched,
        AtHand::Elsewhere | AtHand::NotNeeded | AtHand::Missing => ListSource::Kept(kept),
    }
}

fn report_never_fetched(context: &Context, names: &[&str]) {
    match names {
        [] => {}
        [name] => {
            context.notice(&format!("{name}: its list was never fetched; --refresh asks for it, and for its key"));
        }
        names => {
            let names = names.join(", ");
            context.notice(&format!(
                "{names}: their lists were never fetched; --refresh asks for them, and for their keys"
            ));
        }
    }
}

/// A list to fetch, with the one that was fetched before.
struct ToFetch {
    gateway: Gateway,
    kept: Option<Catalogue>,
    key: Result<Option<Found>, Error>,
}

/// Fetches these lists at once. Where a list cannot be fetched, the one that was fetched before is used.
fn fetch_all(lists: &Lists<'_>, to_fetch: Vec<ToFetch>) -> Result<(Offered, Unfetched), Error> {
    let context = lists.context;
    let clients = to_fetch.into_iter().map(|ToFetch { gateway, kept, key }| {
        let client = Client::new(gateway.clone(), &context.settings.env);
        (client.and_then(|client| context.preparation().with_key(client, key)), gateway, kept)
    });
    let fetched = join_all(clients.map(async |(client, gateway, kept)| match client {
        Ok(client) => (lists.fetch(&client).await, gateway, kept),
        Err(failure) => (Err(failure), gateway, kept),
    }));
    let (mut offered, mut unfetched) = (Offered::new(), Unfetched::new());
    for (result, gateway, kept) in process::runtime()?.block_on(fetched) {
        match result {
            Ok(catalogue) => offered.push((gateway, catalogue)),
            Err(failure) => {
                unfetched.push((gateway.name.clone(), failure));
                offered.extend(kept.map(|kept| (gateway, kept)));
            }
        }
    }
    Ok((offered, unfetched))
}

/// What went wrong, each with the names of all gateways at which it did.
fn grouped(unfetched: Unfetched) -> Vec<(Vec<String>, Failure)> {
    let mut groups: Vec<(Vec<String>, Failure)> = Vec::new();
    for (gateway, failure) in unfetched {
        let is_same = |known: &Failure| known.kind == failure.kind && known.message == failure.message;
        let Some((names, known)) = groups.iter_mut().find(|(_, known)| is_same(known)) else {
            groups.push((vec![gateway], failure));
            continue;
        };
        names.push(gateway);
        if known.advice != failure.advice {
            known.advice = Some("`llm doctor -g GATEWAY` says for each what can be done".into());
        }
    }
    groups
}

fn tell_unfetched(context: &Context, unfetched: &[(Vec<String>, Failure)]) {
    for (gateways, failure) in unfetched {
        let what = if gateways.len() > 1 { "their lists" } else { "the list" };
        context.notice(&format!("{}: {what} could not be fetched: {}", gateways.join(", "), failure.with_its_advice()));
    }
}

/// Shows the notices about lists: what went wrong when they were read, and their age.
fn show_notices(context: &Context, lists: &Lists<'_>, offered: &Offered) {
    let mut wrong = Remarks::default();
    for (gateway, catalogue) in offered {
        catalogue.notes.iter().for_each(|note| wrong.add(note.clone(), &gateway.name));
    }
    wrong.tell(context);
    let kept: Vec<_> = offered.iter().filter(|(_, catalogue)| catalogue.source != Source::Gateway).collect();
    let oldest = kept.iter().map(|(_, catalogue)| catalogue).min_by_key(|catalogue| catalogue.fetched_at);
    if let Some(oldest) = oldest {
        let names: Vec<&str> = kept.iter().map(|(gateway, _)| &*gateway.name).collect();
        let which = if names.len() > 1 { "oldest list" } else { "list" };
        context.notice(&format!("{}: {which} {}", names.join(", "), lists.age(oldest)));
    }
}

/// What is said of gateways, each text once with the names of all of which it is true.
#[derive(Default)]
struct Remarks(Vec<(String, Vec<String>)>);

impl Remarks {
    fn add(&mut self, text: String, gateway: &str) {
        match self.0.iter_mut().find(|(known, _)| *known == text) {
            Some((_, names)) => names.push(gateway.to_owned()),
            None => self.0.push((text, vec![gateway.to_owned()])),
        }
    }

    fn tell(self, context: &Context) {
        for (text, names) in self.0 {
            context.notice(&format!("{}: {text}", names.join(", ")));
        }
    }
}

/// The model at every gateway that has it. Gateways where its name is exactly `id` come first.
fn shown(context: &Context, id: &str, offered: &Offered) -> Shown {
    let identity = Identity::of(id);
    let settings = &context.settings;
    let mut pricing = Pricing::new(&settings.prices, settings.dirs.cache.clone());
    for (gateway, catalogue) in offered {
        pricing = pricing.with_list(&gateway.name, catalogue.prices());
    }
    let mut listings = Vec::new();
    for (gateway, catalogue) in offered {
        let probed = findings(settings, &gateway.name);
        let same = |model: &str| model == id || identity.is_called(model);
        for model in catalogue.models.iter().filter(|model| same(&model.id)) {
            if let Some(found) = &probed {
                tell_refused(found, &model.id, context);
            }
            let quote = pricing.quote(gateway, &model.id);
            // The markup applies to list prices, not to a price of the config.
            let is_list = quote.as_ref().is_some_and(|quote| quote.origin != CostOrigin::Config);
            listings.push(Listing {
                gateway: gateway.name.clone(),
                offer: Offer {
                    model: model.clone(),
                    quote,
                    probed: probed.as_ref().and_then(|found| found.of(&model.id)),
                },
                markup: gateway.markup.filter(|_| is_list),
                fetched_at: catalogue.fetched_at,
            });
        }
    }
    listings.sort_by_key(|listing| listing.offer.model.id != id);
    let list_price = identity.list_price();
    Shown { id: id.to_owned(), maker: identity.maker, list_price, listings }
}

fn not_found(context: &Context, id: &str, named: Option<&str>, offered: &Offered) -> Error {
    if offered.is_empty()
        && let Err(error) = context.resolver(None).default_gateway()
    {
        return error;
    }
    let message = named.map_or_else(|| in_no_list(id), |name| format!("{name} lists no model {id}"));
    let failure = Failure::new(FailureKind::NotFound, message);
    Error::from(match suggestion(id, offered) {
        Some(near) => failure.with_advice(format!("did you mean {near}?")),
        None => failure.with_advice("`llm models TEXT` searches a gateway's list"),
    })
}

/// The model whose name is nearly this one. A name that two gateways have is suggested once.
fn suggestion<'o>(id: &str, offered: &'o Offered) -> Option<&'o str> {
    let names: BTreeSet<&str> =
        offered.iter().flat_map(|(_, catalogue)| &catalogue.models).map(|model| model.id.as_str()).collect();
    nearest(id, names)
}

fn in_no_list(id: &str) -> String {
    format!("no gateway's list that is known here has a model {id}")
}

/// The error where the model may be in lists that could not be fetched.
fn maybe_unfetched(id: &str, (gateways, failure): (Vec<String>, Failure)) -> Error {
    let what = if gateways.len() > 1 { "the lists" } else { "the list" };
    let gateways = gateways.join(", ");
    let message = format!("{}; {what} of {gateways} could not be fetched: {}", in_no_list(id), failure.message);
    Error::from(Failure { message, ..failure })
}
