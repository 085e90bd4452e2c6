//! `llm models show`: all about one model, and what it costs at every gateway that has it.

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
use crate::run::Notices;
use crate::secret::AtHand;

pub(super) fn run(context: &Context, args: &ModelsShowArgs) -> Result<u8, Error> {
    let (named, id) = match args.id.split_once("::") {
        Some((gateway, id)) => (Some(gateway.trim()), id.trim()),
        None => (args.to.gateway.as_deref(), args.id.trim()),
    };
    let offered = match named {
        Some(name) => one(context, name, args)?,
        None => everywhere(context, args)?,
    };
    let shown = shown(context, id, &offered);
    if shown.listings.is_empty() && (named.is_some() || shown.list_price.is_none()) {
        return Err(not_found(context, id, named, &offered));
    }
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

fn one(context: &Context, name: &str, args: &ModelsShowArgs) -> Result<Offered, Error> {
    let (gateway, demo) = context.preparation().gateway(name)?;
    let lists = Lists::new(context, args.refresh, demo.is_some());
    let catalogue = lists.of(&gateway, args.to.key.as_deref())?;
    tell(context, &lists, &gateway, &catalogue);
    Ok(vec![(gateway, catalogue)])
}

/// Every gateway that is set up here or whose list is kept. Keyrings and commands are asked for keys only where the user
/// wants fresh lists, and once for the default gateway's, as `llm models` does: this is but a look.
fn everywhere(context: &Context, args: &ModelsShowArgs) -> Result<Offered, Error> {
    let settings = &context.settings;
    let lists = Lists::new(context, args.refresh, false);
    let default = context.resolver(None).default_gateway().ok();
    if default.as_deref() == Some("demo") {
        return one(context, "demo", args);
    }
    let (mut offered, mut to_fetch, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for name in settings.gateway_names().filter(|name| *name != "demo") {
        let gateway = settings.gateway(name)?;
        let kept = lists.kept(&gateway);
        if let Some(kept) = kept.as_ref().filter(|kept| lists.suffices(kept)) {
            offered.push((gateway, kept.clone()));
            continue;
        }
        let is_default = default.as_deref() == Some(name);
        let is_wanted = settings.gateway_said(name) == Said::File || is_default;
        let key = match context.preparation().key_at_hand(&gateway) {
            AtHand::Key(found) => Some(found),
            AtHand::NotNeeded if is_wanted || kept.is_some() => None,
            AtHand::Elsewhere if args.refresh || (is_default && kept.is_none()) => {
                match context.preparation().key(&gateway, args.to.key.as_deref()) {
                    Ok(found) => found,
                    Err(error) => {
                        context.notice(&format!("{name}: {error}"));
                        offered.extend(kept.map(|kept| (gateway, kept)));
                        continue;
                    }
                }
            }
            AtHand::Elsewhere if kept.is_none() => {
                unknown.push(name);
                continue;
            }
            AtHand::Elsewhere | AtHand::NotNeeded | AtHand::Missing => {
                offered.extend(kept.map(|kept| (gateway, kept)));
                continue;
            }
        };
        to_fetch.push((gateway, kept, key));
    }
    match unknown.as_slice() {
        [] => {}
        [name] => {
            context.notice(&format!("{name}: its list was never fetched; --refresh asks for it, and for its key"))
        }
        names => {
            let names = names.join(", ");
            context.notice(&format!(
                "{names}: their lists were never fetched; --refresh asks for them, and for their keys"
            ));
        }
    }
    let clients = to_fetch.into_iter().map(|(gateway, kept, key)| {
        let client = Client::new(gateway.clone(), &settings.env);
        (client.and_then(|client| context.preparation().with_key(client, Ok(key))), gateway, kept)
    });
    let fetched = join_all(clients.map(async |(client, gateway, kept)| match client {
        Ok(client) => (lists.fetch(&client).await, gateway, kept),
        Err(failure) => (Err(failure), gateway, kept),
    }));
    for (result, gateway, kept) in process::runtime()?.block_on(fetched) {
        match result {
            Ok(catalogue) => offered.push((gateway, catalogue)),
            Err(failure) => {
                context.notice(&format!("{}: its list could not be fetched: {failure}", gateway.name));
                offered.extend(kept.map(|kept| (gateway, kept)));
            }
        }
    }
    // The default gateway's word on what the model is comes first.
    offered.sort_by_key(|(gateway, _)| (default.as_deref() != Some(&gateway.name), gateway.name.clone()));
    for (gateway, catalogue) in &offered {
        tell(context, &lists, gateway, catalogue);
    }
    Ok(offered)
}

/// Tells what there is to say about a list: what went wrong, and its age.
fn tell(context: &Context, lists: &Lists<'_>, gateway: &Gateway, catalogue: &Catalogue) {
    for note in &catalogue.notes {
        context.notice(&format!("{}: {note}", gateway.name));
    }
    if catalogue.source != Source::Gateway {
        context.notice(&format!("{}: list {}", gateway.name, lists.age(catalogue)));
    }
}

/// The model wherever it is offered; where its name is exactly the one asked for, first.
fn shown(context: &Context, id: &str, offered: &Offered) -> Shown {
    let identity = Identity::of(id);
    let settings = &context.settings;
    let mut pricing = Pricing::new(&settings.prices, settings.dirs.cache.clone());
    for (gateway, catalogue) in offered {
        pricing = pricing.with_list(&gateway.name, catalogue.prices());
    }
    let mut listings = Vec::new();
    for (gateway, catalogue) in offered {
        let same = |model: &str| model == id || identity.is_called(model);
        for model in catalogue.models.iter().filter(|model| same(&model.id)) {
            let quote = pricing.quote(gateway, &model.id);
            // What the config says a model costs is what it costs.
            let is_list = quote.as_ref().is_some_and(|quote| quote.origin != CostOrigin::Config);
            listings.push(Listing {
                gateway: gateway.name.clone(),
                offer: Offer { model: model.clone(), quote },
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
    let message = match named {
        Some(name) => format!("{name} lists no model {id}"),
        None => format!("no gateway's list that is known here has a model {id}"),
    };
    let failure = Failure::new(FailureKind::NotFound, message);
    // One name at two gateways is one suggestion.
    let names: BTreeSet<&str> =
        offered.iter().flat_map(|(_, catalogue)| &catalogue.models).map(|model| model.id.as_str()).collect();
    Error::from(match nearest(id, names) {
        Some(near) => failure.with_advice(format!("did you mean {near}?")),
        None => failure.with_advice("`llm models TEXT` searches a gateway's list"),
    })
}
