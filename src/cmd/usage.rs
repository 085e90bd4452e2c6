//! `llm usage`: shows what was used, what it cost, and which costs could be avoided; or what is left of budgets.

use jiff::Timestamp;

use super::{Context, calls, check, shared};
use crate::cli::{UsageArgs, UsageFormat};
use crate::config::nearest;
use crate::error::Error;
use crate::ledger::{self, Dimension, Filter, Preferences, Usage};
use crate::pricing;
use crate::report::usage_html::Period;
use crate::report::wins::{self, Wins};
use crate::report::{budgets, usage, usage_html};
use crate::run::Notices;

pub(super) fn run(context: &Context, args: &UsageArgs) -> Result<u8, Error> {
    if args.budgets {
        return balances(context, args);
    }
    if args.check {
        return check::run(context, args);
    }
    if args.by.iter().any(|word| word.trim() == WINS) {
        return wins(context, args);
    }
    let by = args.by.iter().map(|word| dimension(word.trim())).collect::<Result<Vec<_>, _>>()?;
    let mut filter = calls::filter(&args.filter)?;
    filter.without_demo = filter.gateway.as_deref() != Some(ledger::DEMO);
    let period = Period {
        since_ms: filter.since_ms,
        before_ms: filter.before_ms,
        now_ms: jiff::Timestamp::now().as_millisecond(),
    };
    let destination = context.destination(args.out.path.as_deref(), None)?;
    let found = match calls::shared(context)? {
        Some(calls) => {
            let found = calls.usage(&filter, &by, pricing::maker)?;
            if found.total.calls == 0 {
                let demo = calls.count(&Filter { without_demo: false, ..filter })?;
                context.notice(match demo {
                    0 => "no recorded call fits",
                    _ => "no recorded call fits but those of the demo gateway; -g demo shows them",
                });
            }
            found
        }
        None => Usage::default(),
    };
    let out = destination.output();
    let text = match args.output.format {
        UsageFormat::Text => usage::text(&found, &by, &out),
        UsageFormat::Json => usage::json(&found, &by, &out),
        UsageFormat::Csv => usage::csv(&found, &by),
        UsageFormat::Markdown => usage::markdown(&found, &by),
        UsageFormat::Html => usage_html::page(&found, &by, period)?,
    };
    destination.write(text)?;
    Ok(0)
}

/// `--by wins` asks for preferences instead of costs.
const WINS: &str = "wins";

fn wins(context: &Context, args: &UsageArgs) -> Result<u8, Error> {
    let others: Vec<&str> = args.by.iter().map(|word| word.trim()).filter(|word| *word != WINS).collect();
    let by_task = match others[..] {
        [] => false,
        ["task"] => true,
        _ => return Err(Error::usage_hint("wins are counted in all or by task", "--by wins or --by wins,task")),
    };
    let mut filter = calls::filter(&args.filter)?;
    filter.without_demo = filter.gateway.as_deref() != Some(ledger::DEMO);
    let destination = context.destination(args.out.path.as_deref(), None)?;
    let store = calls::store(context)?;
    let preferences = |filter: &Filter| match &store {
        Some(store) => ledger::preferences(store, filter),
        None => Ok(Preferences::default()),
    };
    let found = Wins::new(&preferences(&filter)?, by_task);
    if found.is_empty() {
        let demo = preferences(&Filter { without_demo: false, ..filter })?;
        context.notice(match Wins::new(&demo, by_task).is_empty() {
            true => "there are no votes yet: `llm compare --vote` takes one, and --judge asks a model",
            false => "there are no votes but those on answers of the demo gateway; -g demo shows them",
        });
    }
    let out = destination.output();
    let text = match args.output.format {
        UsageFormat::Text => wins::text(&found, &out),
        UsageFormat::Json => wins::json(&found, &out),
        UsageFormat::Csv => wins::csv(&found),
        UsageFormat::Markdown => wins::markdown(&found),
        UsageFormat::Html => {
            return Err(Error::usage_hint("--by wins has no such form", "it can be text, json, csv or markdown"));
        }
    };
    destination.write(text)?;
    Ok(0)
}

fn balances(context: &Context, args: &UsageArgs) -> Result<u8, Error> {
    let destination = context.destination(args.out.path.as_deref(), None)?;
    let (settings, now) = (&context.settings, Timestamp::now());
    let of_keys = shared::budgets_of_keys(settings, now)?;
    if settings.budgets.is_empty() && of_keys.is_empty() {
        context.notice("no budget is set; [[budget]] in the config sets one, and --budget one of a key of `llm serve`");
    }
    let found = budgets::Balances {
        of_config: shared::balances(settings, &settings.budgets, now)?,
        of_keys: shared::balances(settings, &of_keys, now)?,
    };
    let out = destination.output();
    let text = match args.output.format {
        UsageFormat::Text => budgets::text(&found, unknown_costs(context, &found)?, &out),
        UsageFormat::Json => budgets::json(&found, &out),
        UsageFormat::Csv => budgets::csv(&found),
        UsageFormat::Markdown | UsageFormat::Html => {
            return Err(Error::usage_hint("--budgets has no such form", "it can be text, json or csv"));
        }
    };
    destination.write(text)?;
    Ok(0)
}

/// How many calls since the earliest window of these budgets began have a cost that is not known, or not in full.
fn unknown_costs(context: &Context, balances: &budgets::Balances) -> Result<usize, Error> {
    let windows = balances.of_config.iter().chain(&balances.of_keys).map(|balance| balance.window.began);
    let Some(began) = windows.min() else { return Ok(0) };
    let Some(calls) = calls::shared_or_own(context)? else { return Ok(0) };
    let filter = Filter { since_ms: Some(began.as_millisecond()), without_demo: true, ..Filter::default() };
    Ok(calls.usage(&filter, &[], pricing::maker)?.total.cost.unknown)
}

fn dimension(word: &str) -> Result<Dimension, Error> {
    const KNOWN: [&str; 8] = ["model", "gateway", "provider", "key", "task", "day", "status", WINS];
    Dimension::named(word).ok_or_else(|| {
        let hint = match nearest(word, KNOWN) {
            _ if word == "tag" => "name the tag: tag:NAME".to_owned(),
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}, tag:NAME", KNOWN.join(", ")),
        };
        Error::usage_hint(format!("--by: there is no {word} to group by"), hint)
    })
}
