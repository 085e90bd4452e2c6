//! Aliases and tasks: names of the config that lead to models.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::file::duration;
use super::names::{nearest, suggestion};
use super::source::Problem;

/// `[alias.NAME]`: a stable name for models that can stand in for each other.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// Models, `GATEWAY::MODEL` or further aliases; never empty.
    pub models: Vec<String>,
    #[serde(default)]
    pub strategy: Strategy,
    /// For [`Strategy::Balanced`]: how often each model comes first, relative to the others; one for each model.
    pub weights: Option<Vec<u32>>,
    /// The most retries of one model after a failure that may pass, a timeout included.
    pub retries: Option<u32>,
    /// The longest time that one try may take before the first piece of its answer, and between two pieces.
    #[serde(default, deserialize_with = "duration")]
    pub timeout: Option<Duration>,
    /// The time without a first piece after which the next model starts as well.
    #[serde(default, deserialize_with = "duration")]
    pub hedge: Option<Duration>,
}

/// In which order an alias tries its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// As written.
    #[default]
    Ordered,
    /// By the price of the tokens that the call is expected to take; models without a known price last.
    Cheapest,
    /// By the median time to the first token in the ledger; models that it does not know are tried now and then.
    Fastest,
    /// At random, by weight.
    Balanced,
}

impl Strategy {
    /// The word used in configs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Cheapest => "cheapest",
            Self::Fastest => "fastest",
            Self::Balanced => "balanced",
        }
    }
}

/// Finds aliases and tasks that lead to no model, so that a typing error is reported before anything is sent.
pub(super) fn check<'a>(
    aliases: &BTreeMap<String, Alias>,
    tasks: &BTreeMap<String, String>,
    gateways: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Problem> {
    let mut counted = BTreeMap::new();
    for (name, alias) in aliases {
        check_alias(name, alias, gateways.clone()).map_err(|problem| problem.about(&format!("alias `{name}`")))?;
        count_models(aliases, &mut vec![name], &mut counted)?;
    }
    for (task, model) in tasks {
        check_name(model, ["task", task], gateways.clone())
            .map_err(|problem| problem.about(&format!("task `{task}`")))?;
    }
    Ok(())
}

fn check_alias<'a>(name: &str, alias: &Alias, gateways: impl Iterator<Item = &'a str> + Clone) -> Result<(), Problem> {
    if name.contains("::") || name.trim().is_empty() {
        return Err(Problem::at(["alias", name], "`::` separates gateway and model, so it cannot name an alias"));
    }
    if alias.models.is_empty() {
        return Err(Problem::at(["alias", name, "models"], "it has no models"));
    }
    let weights_are = |what: &str| Err(Problem::at(["alias", name, "weights"], what));
    match (&alias.weights, alias.strategy) {
        (None, _) => {}
        (Some(_), strategy) if strategy != Strategy::Balanced => {
            return weights_are("weights are for strategy = \"balanced\"");
        }
        (Some(weights), _) if weights.len() != alias.models.len() => {
            return weights_are("it needs one weight for each model");
        }
        (Some(weights), _) if weights.iter().all(|weight| *weight == 0) => {
            return weights_are("all of its weights are 0");
        }
        (Some(_), _) => {}
    }
    for (index, model) in alias.models.iter().enumerate() {
        check_name(model, ["alias", name, "models", &index.to_string()], gateways.clone())?;
    }
    Ok(())
}

/// Checks a name of the config that leads to a model and stands under `key`. A name without `::` may be any model of the
/// default gateway; one with it must name a gateway that is known.
pub(super) fn check_name<'a, const N: usize>(
    name: &str,
    key: [&str; N],
    gateways: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Problem> {
    let (gateway, model) = name.split_once("::").map_or((None, name), |(gateway, model)| (Some(gateway.trim()), model));
    if model.trim().is_empty() {
        return Err(Problem::at(key, format!("`{name}` does not name a model")));
    }
    match gateway {
        Some(gateway) if !gateways.clone().any(|known| known == gateway) => {
            let problem = Problem::at(key, format!("no gateway is called `{gateway}`"));
            Err(problem.hint(match nearest(gateway, gateways.clone()) {
                Some(near) => format!("did you mean `{near}::{model}`?"),
                None => suggestion(gateway, gateways, "known gateways"),
            }))
        }
        _ => Ok(()),
    }
}

/// The most models that an alias may stand for, with those of the aliases in it.
const MOST_MODELS: usize = 1_000;

/// The most aliases that may stand in each other.
const DEEPEST: usize = 100;

/// Counts the models for which the last alias of `path` stands, and the aliases that stand in each other there; `path` holds those
/// that lead to it. Each alias is counted once, and what was found is kept in `counted`.
///
/// # Errors
/// The alias leads back to one of `path`, stands for too many models, or is too deep within others.
fn count_models<'a>(
    aliases: &'a BTreeMap<String, Alias>,
    path: &mut Vec<&'a str>,
    counted: &mut BTreeMap<&'a str, (usize, usize)>,
) -> Result<(usize, usize), Problem> {
    let Some((name, alias)) = path.last().and_then(|name| aliases.get_key_value(*name)) else { return Ok((1, 0)) };
    if let Some(known) = counted.get(name.as_str()) {
        return Ok(*known);
    }
    let wrong = |what: String| Problem::at(["alias", name, "models"], what);
    let too_deep = || wrong(format!("more than {DEEPEST} aliases stand in each other at alias `{name}`"));
    if path.len() > DEEPEST {
        return Err(too_deep());
    }
    let (mut count, mut depth) = (0, 0);
    for model in &alias.models {
        let model = model.trim();
        if path.contains(&model) {
            let way: Vec<String> = path.iter().chain([&model]).map(|name| format!("`{name}`")).collect();
            let problem = wrong(format!("alias {} leads back to itself", way.join(" → ")));
            return Err(problem.hint(format!("if the model `{model}` is meant, write GATEWAY::{model}")));
        }
        path.push(model);
        let (models, deep) = count_models(aliases, path, counted)?;
        (count, depth) = (count + models, depth.max(deep));
        path.pop();
    }
    depth += 1;
    if depth > DEEPEST {
        return Err(too_deep());
    }
    if count > MOST_MODELS {
        return Err(wrong(format!("alias `{name}` stands for more than {MOST_MODELS} models")));
    }
    counted.insert(name, (count, depth));
    Ok((count, depth))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::source::Source;
    use super::*;
    use crate::error::Error;

    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        alias: BTreeMap<String, Alias>,
        #[serde(default)]
        task: BTreeMap<String, String>,
    }

    fn checked(text: &str) -> Result<(), Error> {
        let source = Source::new(Path::new("c.toml"), text);
        let file: File = source.parse()?;
        let gateways = ["corp", "openrouter"].into_iter();
        check(&file.alias, &file.task, gateways).map_err(|problem| source.error(problem))
    }

    #[test]
    fn aliases_and_tasks_that_make_sense_are_taken() {
        for text in [
            "[alias.a]\nmodels = [\"m\", \"corp::n\", \"b\"]\n[alias.b]\nmodels = [\"m\"]\n[task]\ndefault = \"a\"",
            "[alias.a]\nmodels = [\"b\", \"b\"]\n[alias.b]\nmodels = [\"m\"]",
            "[alias.a]\nmodels = [\"x\", \"y\"]\nstrategy = \"balanced\"\nweights = [3, 0]",
            "[alias.m]\nmodels = [\"corp::m\"]\nretries = 0\ntimeout = \"30s\"\nhedge = \"800ms\"",
        ] {
            checked(text).expect(text);
        }
    }

    #[test]
    fn aliases_and_tasks_that_lead_nowhere_are_refused() {
        for text in [
            "[alias.a]\nmodels = []",
            "[alias.a]\nmodels = [\"\"]",
            "[alias.a]\nmodels = [\"corp::\"]",
            "[alias.\"a::b\"]\nmodels = [\"m\"]",
            "[alias.a]\nmodels = [\"m\"]\nweights = [1]",
            "[alias.a]\nmodels = [\"m\"]\nstrategy = \"balanced\"\nweights = [1, 2]",
            "[alias.a]\nmodels = [\"m\"]\nstrategy = \"balanced\"\nweights = [0]",
            "[task]\ncoding = \"\"",
            "[task]\ncoding = \"nowhere::m\"",
        ] {
            assert_eq!(checked(text).expect_err(text).exit_code(), 3, "{text}");
        }
    }

    #[test]
    fn a_gateway_that_is_not_known_is_answered_with_the_nearest() {
        let error = checked("[alias.a]\nmodels = [\"opnrouter::m\"]").expect_err("unknown");
        assert_eq!(error.hint().as_deref(), Some("did you mean `openrouter::m`?"));
    }

    #[test]
    fn aliases_of_aliases_are_checked_once_each_and_have_a_bound() {
        let doubling = |levels: usize| {
            let alias = |level: usize| {
                let next = if level + 1 == levels { "m".to_owned() } else { format!("a{}", level + 1) };
                format!("[alias.a{level}]\nmodels = [\"{next}\", \"{next}\"]\n")
            };
            (0..levels).map(alias).collect::<String>()
        };
        checked(&doubling(9)).expect("512 models");
        let error = checked(&doubling(60)).expect_err("2^60 models").to_string();
        assert!(error.contains("alias `a50` stands for more than 1000 models"), "{error}");
        // Each leads to the next, and to the one before.
        for to in [1, -1] {
            let alias = |n: i32| format!("[alias.b{n:05}]\nmodels = [\"b{:05}\"]\n", n + to);
            let error = checked(&(1..5_000).map(alias).collect::<String>()).expect_err("too deep").to_string();
            assert!(error.contains("more than 100 aliases stand in each other"), "{error}");
        }
    }

    #[test]
    fn a_circle_is_shown_whole() {
        let error = checked("[alias.a]\nmodels = [\"m\", \"b\"]\n[alias.b]\nmodels = [\"a\"]").expect_err("a circle");
        assert_eq!(error.to_string(), "c.toml:4: alias `a` → `b` → `a` leads back to itself");
        let error = checked("[alias.m]\nmodels = [\"m\"]").expect_err("a circle of one");
        assert_eq!(error.hint().as_deref(), Some("if the model `m` is meant, write GATEWAY::m"));
    }
}
