//! The text of `llm config show --route`: the models of a name, and the reasons for their order.

use super::format;
use super::term::Text;
use crate::call::Choice;
use crate::route::{NamedRoute, OrderReason, Route};
use crate::words;

/// The targets of a name in their order, each with the reason for its place. Costs are those of an answer of `output` tokens.
pub fn text(named: &NamedRoute, choices: &[(Choice, OrderReason)], output: u64) -> Text {
    let mut text = String::new();
    if let Some(task) = &named.task {
        text.push_str(&format!("task {task} → {}\n", named.name));
    }
    match &named.route {
        Route::Model(_) => text.push_str(&format!("{} is a model\n", named.name)),
        Route::Alias(name, alias, _) => text.push_str(&format!("{name} is an alias, {}\n", alias.strategy.as_str())),
    }
    let names: Vec<String> = choices.iter().map(|(choice, _)| choice.target.to_string()).collect();
    let width = names.iter().map(String::len).max().unwrap_or_default();
    for (place, ((choice, order_reason), name)) in choices.iter().zip(&names).enumerate() {
        let is_last = place + 1 == choices.len();
        let notes: Vec<String> = reason(*order_reason, output).into_iter().chain(limits(choice, is_last)).collect();
        let line = format!("{:>3}. {name:<width$}  {}", place + 1, notes.join("; "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.into()
}

fn reason(reason: OrderReason, output: u64) -> Option<String> {
    match reason {
        OrderReason::AsWritten => None,
        OrderReason::Cost(Some(cost)) => {
            Some(format!("~{cost} for {} of answer", format::count(output, "token", "tokens")))
        }
        OrderReason::Cost(None) => Some("price unknown".into()),
        OrderReason::FirstToken(Some(time)) => Some(format!("first token usually after {}", format::duration(time))),
        OrderReason::FirstToken(None) => Some("speed unknown: tried first now and then".into()),
        OrderReason::Share(share) => Some(format!("first in {:.0} % of calls", share * 100.0)),
    }
}

/// How long and how often this target is tried, where the config sets it.
fn limits(choice: &Choice, is_last: bool) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(choice.timeout.map(|time| format!("{} a try", words::limit(time))));
    notes.extend(choice.retries.map(|tries| match tries {
        0 => "no retry".to_owned(),
        tries => format::count(tries.into(), "retry", "retries"),
    }));
    notes.extend(
        choice
            .hedge
            .filter(|_| !is_last)
            .map(|time| format!("the next one starts as well after {}", words::limit(time))),
    );
    notes
}
