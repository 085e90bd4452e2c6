//! `llm usage --check`: the ledger against what the gateways say was spent.

use jiff::Timestamp;

use super::{Context, calls, process};
use crate::catalog::{self, Statement};
use crate::cli::{UsageArgs, UsageFormat};
use crate::config::Gateway;
use crate::error::Error;
use crate::gateway::Client;
use crate::ledger::{self, Filter, Store};
use crate::money::Usd;
use crate::pricing;
use crate::report::destination::Destination;
use crate::report::reconciliation::{self, Account, Line};
use crate::run::key_name;
use crate::secret::{AtHand, KeyFile};

pub(super) fn run(context: &Context, args: &UsageArgs) -> Result<u8, Error> {
    if matches!(args.output.format, UsageFormat::Markdown | UsageFormat::Html) {
        return Err(Error::usage_hint("--check has no such form", "it can be text, json or csv"));
    }
    let destination = Destination::new(args.out.path.as_deref(), context.terminal.stdout)?;
    let gateways = gateways(context, args.filter.gateway.as_deref())?;
    let store = calls::store(context)?;
    let (mut accounts, mut first_error) = (Vec::new(), None);
    for gateway in &gateways {
        let chosen = args.filter.key.as_deref();
        for key in keys(context, gateway, chosen) {
            let (name, result) = match statement(context, gateway, key.as_deref()) {
                Ok((name, Some(statement))) => {
                    let lines = compare(store.as_ref(), gateway, name.as_deref(), &statement)?;
                    (name, Ok(Some((statement, lines))))
                }
                Ok((name, None)) => (name, Ok(None)),
                Err(error) => (key, Err(error)),
            };
            let result = result.map_err(|error| {
                let message = error.cause().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
                first_error.get_or_insert(error);
                message
            });
            accounts.push(Account { gateway: gateway.name.clone(), key: name, result });
        }
    }
    if let Some(error) = first_error.take_if(|_| accounts.iter().all(|account| account.result.is_err())) {
        return Err(error);
    }
    let out = destination.output();
    destination.write(match args.output.format {
        UsageFormat::Json => reconciliation::json(&accounts, &out),
        UsageFormat::Csv => reconciliation::csv(&accounts),
        _ => reconciliation::text(&accounts, &out),
    })?;
    // Some of several could not be asked.
    Ok(if first_error.is_some() { 8 } else { 0 })
}

/// The gateway that is named, or all that have a key.
fn gateways(context: &Context, named: Option<&str>) -> Result<Vec<Gateway>, Error> {
    let settings = &context.settings;
    if let Some(name) = named {
        return Ok(vec![settings.gateway(name)?]);
    }
    let all = settings.gateway_names().map(|name| settings.gateway(name)).collect::<Result<Vec<_>, _>>()?;
    let with_key =
        |gateway: &Gateway| matches!(context.preparation().key_at_hand(gateway), AtHand::Key(_) | AtHand::Elsewhere);
    let found: Vec<Gateway> = all.into_iter().filter(with_key).collect();
    if found.is_empty() {
        // Its errors say what to do; a default gateway without a key says so itself.
        return Ok(vec![settings.gateway(&context.resolver(None).default_gateway()?)?]);
    }
    Ok(found)
}

/// The keys to ask about: the usual one, which has no name here, and those that were saved under other names.
fn keys(context: &Context, gateway: &Gateway, chosen: Option<&str>) -> Vec<Option<String>> {
    if let Some(chosen) = chosen {
        return vec![Some(chosen.to_owned())];
    }
    let mut keys = vec![None];
    if gateway.accounts().is_some()
        && let Some(data) = &context.settings.dirs.data
    {
        let usual = gateway.key.name.as_deref().unwrap_or("default");
        // A key file that cannot be read is reported when the usual key is looked for in it.
        let saved = KeyFile::in_dir(data).list().unwrap_or_default();
        let others = saved.into_iter().filter(|saved| saved.gateway == gateway.name && saved.name != usual);
        keys.extend(others.map(|saved| Some(saved.name)));
    }
    keys
}

/// What the gateway says of a key, and what the ledger calls the key. A gateway that has nothing to say is asked for
/// nothing, and no key is looked for.
fn statement(
    context: &Context,
    gateway: &Gateway,
    key: Option<&str>,
) -> Result<(Option<String>, Option<Statement>), Error> {
    if gateway.accounts().is_none() {
        return Ok((key.map(str::to_owned), None));
    }
    let found = context.preparation().key(gateway, key)?;
    let name = found.as_ref().map(|found| key_name(gateway, key, &found.source));
    let client = context.preparation().with_key(Client::new(gateway.clone(), &context.settings.env)?, Ok(found))?;
    let statement = process::runtime()?.block_on(catalog::statement(gateway, &client))?;
    Ok((name, statement))
}

/// The ledger's sums over the stretches of time that the gateway speaks of, for the same key.
fn compare(
    store: Option<&Store>,
    gateway: &Gateway,
    key: Option<&str>,
    statement: &Statement,
) -> Result<Vec<Line>, Error> {
    let now = Timestamp::now();
    let line = |spent: &catalog::Spent| {
        let began = spent.since.or_else(|| Some(spent.period.window(now)?.began));
        let filter = Filter {
            gateway: Some(gateway.name.clone()),
            key: key.map(str::to_owned),
            since_ms: began.map(Timestamp::as_millisecond),
            ..Filter::default()
        };
        let found = store.map(|store| ledger::usage(store, &filter, &[], pricing::maker)).transpose()?;
        let total = found.map(|usage| usage.total).unwrap_or_default();
        let mut cost = total.cost;
        if total.calls == 0 {
            // Nothing recorded is nothing spent, which is known.
            cost.usd = Some(Usd::ZERO);
        }
        let began = began.filter(|began| *began > Timestamp::UNIX_EPOCH);
        Ok(Line { period: spent.period, began, gateway_says: spent.usd, ledger: cost, calls: total.calls })
    };
    statement.spent.iter().map(line).collect()
}
