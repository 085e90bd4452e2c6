//! `llm config show --route`: where a name leads, and why in that order.

use std::time::Duration;

use super::Context;
use crate::call::Choice;
use crate::chat::Request;
use crate::config::nearest;
use crate::error::Error;
use crate::report::format;
use crate::resolve::LookedUp;
use crate::route::{Asked, Route, Why};

/// The route of a task, an alias or a model, for people; `gateway` is for names that do not say.
pub(super) fn route(context: &Context, name: &str, gateway: Option<&str>) -> Result<String, Error> {
    let settings = &context.settings;
    let is_alias = settings.aliases.contains_key(name);
    if let Some(models) = settings.sets.get(name).filter(|_| !is_alias && !settings.tasks.contains_key(name)) {
        return Ok(format!("{name} is a set, for `llm compare --set {name}`: {}\n", models.join(", ")));
    }
    // What the config gives a name is meant before a model that may be called so.
    let asked = context.resolver(gateway).any(name)?;
    let data = LookedUp::new(settings, &Request::default());
    let mut text = explain(&asked, &asked.route.explained(&data), data.expected().output.unwrap_or_default());
    if let Route::Model(target) = &asked.route
        && target.model == name
    {
        let known = settings.aliases.keys().chain(settings.tasks.keys()).chain(settings.sets.keys());
        if let Some(near) = nearest(name, known.map(String::as_str)) {
            text.push_str(&format!("no alias, task or set has this name; did you mean `{near}`?\n"));
        }
    }
    Ok(text)
}

fn explain(asked: &Asked, choices: &[(Choice, Why)], output: u64) -> String {
    let mut text = String::new();
    if let Some(task) = &asked.task {
        text.push_str(&format!("task {task} → {}\n", asked.name));
    }
    match &asked.route {
        Route::Model(_) => text.push_str(&format!("{} is a model\n", asked.name)),
        Route::Alias(name, alias, _) => text.push_str(&format!("{name} is an alias, {}\n", alias.strategy.as_str())),
    }
    let names: Vec<String> = choices.iter().map(|(choice, _)| choice.target.to_string()).collect();
    let width = names.iter().map(String::len).max().unwrap_or_default();
    for (place, ((choice, why), name)) in choices.iter().zip(&names).enumerate() {
        let is_last = place + 1 == choices.len();
        let notes: Vec<String> = reason(*why, output).into_iter().chain(patience(choice, is_last)).collect();
        let line = format!("{:>3}. {name:<width$}  {}", place + 1, notes.join("; "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn reason(why: Why, output: u64) -> Option<String> {
    match why {
        Why::Written => None,
        Why::Cost(Some(cost)) => Some(format!("~{cost} for {output} tokens of answer")),
        Why::Cost(None) => Some("price unknown".into()),
        Why::FirstToken(Some(time)) => Some(format!("first token usually after {}", format::duration(time))),
        Why::FirstToken(None) => Some("speed unknown: tried first now and then".into()),
        Why::Share(share) => Some(format!("first in {:.0} % of calls", share * 100.0)),
    }
}

fn patience(choice: &Choice, is_last: bool) -> Vec<String> {
    let seconds = |time: Duration| format!("{} s", time.as_secs_f64());
    let mut notes = Vec::new();
    notes.extend(choice.timeout.map(|time| format!("{} a try", seconds(time))));
    notes.extend(choice.retries.map(|tries| match tries {
        0 => "no retry".to_owned(),
        1 => "1 retry".to_owned(),
        tries => format!("{tries} retries"),
    }));
    notes.extend(
        choice.hedge.filter(|_| !is_last).map(|time| format!("the next one starts as well after {}", seconds(time))),
    );
    notes
}
