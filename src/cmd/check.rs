//! `llm usage --check`: compares the ledger with the amounts that gateways report.

use jiff::Timestamp;

use super::{Context, calls, process};
use crate::catalog::{self, Statement};
use crate::cli::{UsageArgs, UsageFormat};
use crate::config::Gateway;
use crate::error::Error;
use crate::gateway::Client;
use crate::ledger::{Calls, Filter};
use crate::money::Usd;
use crate::pricing;
use crate::report::error;
use crate::report::reconciliation::{self, Account, Line};
use crate::report::term::say;
use crate::run::key_name;
use crate::secret::{AtHand, KeyFile};

pub(super) fn run(context: &Context, args: &UsageArgs) -> Result<u8, Error> {
    if matches!(args.output.format, UsageFormat::Markdown | UsageFormat::Html) {
        return Err(Error::usage_hint("--check has no such form", "it can be text, json or csv"));
    }
    let destination = context.destination(args.out.path.as_deref(), None)?;
    let (accounts, mut errors) = accounts(context, args)?;
    if accounts.len() == 1
        && let Some(error) = errors.pop()
    {
        return Err(error);
    }
    let out = destination.output();
    destination.write(match args.output.format {
        UsageFormat::Json => reconciliation::json(&accounts, &out),
        UsageFormat::Csv => reconciliation::csv(&accounts),
        _ => reconciliation::text(&accounts, &out),
    })?;
    tell_hints(context, &errors);
    // A gateway that does not tell amounts is not asked.
    let asked = accounts.iter().filter(|account| !matches!(account.result, Ok(None)));
    Ok(exit_code(&errors, asked.count()))
}

/// What each gateway says of each of its keys, and why some could not be asked.
fn accounts(context: &Context, args: &UsageArgs) -> Result<(Vec<Account>, Vec<Error>), Error> {
    let gateways = gateways(context, args.filter.gateway.as_deref())?;
    let recorded = calls::shared(context)?;
    let (mut accounts, mut errors) = (Vec::new(), Vec::new());
    for gateway in &gateways {
        let chosen = args.filter.key.as_deref();
        for key in keys(context, gateway, chosen) {
            let (name, result) = match statement(context, gateway, key.as_deref()) {
                Ok((name, Some(statement))) => {
                    let lines = compare(recorded.as_deref(), gateway, (name.as_deref(), key.is_none()), &statement)?;
                    (name, Ok(Some((statement, lines))))
                }
                Ok((name, None)) => (name, Ok(None)),
                Err(error) => (key, Err(error)),
            };
            let result = result.map_err(|error| {
                let message = error.cause().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
                errors.push(error);
                message
            });
            accounts.push(Account { gateway: gateway.name.clone(), key: name, result });
        }
    }
    Ok((accounts, errors))
}

/// Shows each thing that can be done about the errors once.
fn tell_hints(context: &Context, errors: &[Error]) {
    let mut hints: Vec<String> = Vec::new();
    for hint in errors.iter().filter_map(Error::hint) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    if !context.quiet {
        say(error::hints(&hints, &context.terminal.stderr));
    }
}

/// 8 if some of so many accounts could be asked, and others not. Where none could, the code of the errors, if they have the same one.
fn exit_code(errors: &[Error], accounts: usize) -> u8 {
    match errors {
        [] => 0,
        _ if errors.len() < accounts => 8,
        [first, others @ ..] if others.iter().all(|error| error.exit_code() == first.exit_code()) => first.exit_code(),
        _ => 1,
    }
}

/// The gateway that is named, or else all that have a key.
fn gateways(context: &Context, named: Option<&str>) -> Result<Vec<Gateway>, Error> {
    let settings = &context.settings;
    if let Some(name) = named {
        return Ok(vec![settings.only_gateway(name)?]);
    }
    let all = settings.gateway_names().map(|name| settings.gateway(name)).collect::<Result<Vec<_>, _>>()?;
    let with_key =
        |gateway: &Gateway| matches!(context.preparation().key_at_hand(gateway), AtHand::Key(_) | AtHand::Elsewhere);
    let found: Vec<Gateway> = all.into_iter().filter(with_key).collect();
    if found.is_empty() {
        // The default gateway is asked, so that the user gets its error: that no gateway is set up, or that it has no key.
        return Ok(vec![settings.only_gateway(&context.resolver(None).default_gateway()?)?]);
    }
    context.preparation().tell_llm_api_key_is_unused();
    Ok(found)
}

/// The keys to ask about: the key `chosen` by a flag, or else the usual key (`None`) and the keys that were saved under
/// other names.
fn keys(context: &Context, gateway: &Gateway, chosen: Option<&str>) -> Vec<Option<String>> {
    if let Some(chosen) = chosen {
        return vec![Some(chosen.to_owned())];
    }
    let mut keys = vec![None];
    if gateway.accounts().is_some()
        && let Some(data) = &context.settings.dirs.data
    {
        let usual = gateway.key.name.as_deref().unwrap_or("default");
        // An unreadable key file is not reported here, because the lookup of the usual key reports it.
        let saved = KeyFile::in_dir(data).list().unwrap_or_default();
        let others = saved.into_iter().filter(|saved| saved.gateway == gateway.name && saved.name != usual);
        keys.extend(others.map(|saved| Some(saved.name)));
    }
    keys
}

/// The key's name in the ledger, and the amounts that the gateway reports for the key. For a gateway that reports no
/// amounts, no key is looked for and no request is sent.
///
/// # Errors
/// There is no key, or the gateway cannot be reached or refuses the key.
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

/// For each period of the gateway's statement, the ledger's sum of the same time and key. A server uses the usual key of a
/// gateway, so its calls belong to that one.
fn compare(
    recorded: Option<&dyn Calls>,
    gateway: &Gateway,
    (key, is_usual): (Option<&str>, bool),
    statement: &Statement,
) -> Result<Vec<Line>, Error> {
    let now = Timestamp::now();
    let line = |spent: &catalog::Spent| {
        let began = spent.since.or_else(|| Some(spent.period.window(now)?.began));
        let filter = Filter {
            gateway: Some(gateway.name.clone()),
            key: key.map(str::to_owned),
            or_served: is_usual,
            since_ms: began.map(Timestamp::as_millisecond),
            ..Filter::default()
        };
        let found = recorded.map(|calls| calls.usage(&filter, &[], pricing::maker)).transpose()?;
        let total = found.map(|usage| usage.total).unwrap_or_default();
        let mut cost = total.cost;
        if total.calls == 0 {
            // Without calls the cost is known: it is zero.
            cost.usd = Some(Usd::ZERO);
        }
        let began = began.filter(|began| *began > Timestamp::UNIX_EPOCH);
        Ok(Line { period: spent.period, began, gateway_says: spent.usd, ledger: cost, calls: total.calls })
    };
    statement.spent.iter().map(line).collect()
}
