//! The models that are known without a request: those of the config and of cached lists.

use std::io::IsTerminal;
use std::time::SystemTime;

use super::Lists;
use crate::catalog;
use crate::cli::{GatewayArgs, PICK};
use crate::cmd::Context;
use crate::cmd::at_prompt::at_prompt;
use crate::config::Settings;
use crate::error::Error;
use crate::ledger::DEMO;
use crate::report::picker::{self, Choice};

/// The signal of Ctrl-C.
const SIGINT: i32 = 2;

/// Aliases, and the models of the config and of all lists that are cached. A model of another gateway than `default` has the
/// name of its gateway before it.
pub(in crate::cmd) fn known(settings: &Settings, default: Option<&str>) -> Vec<Choice> {
    let alias = |(name, models): (&String, String)| Choice { name: name.clone(), about: models };
    let aliases = settings.aliases.iter().map(|(name, alias)| (name, alias.models.join(", ")));
    let mut found: Vec<Choice> = aliases.map(alias).collect();
    for name in settings.gateway_names() {
        let Ok(gateway) = settings.gateway(name) else { continue };
        let kept = settings.dirs.cache.as_deref().and_then(|dir| catalog::cached(&gateway, dir, SystemTime::now()));
        let listed = kept.into_iter().flat_map(|kept| kept.models.into_iter().map(|model| model.id));
        let is_default = default == Some(name);
        let about = if is_default { name } else { "" };
        found.extend(gateway.models.iter().cloned().chain(listed).map(|model| Choice {
            name: if is_default { model } else { format!("{name}::{model}") },
            about: about.to_owned(),
        }));
    }
    found
}

/// The name that `-m` gives; where it stands alone, the one that the person at the terminal chooses.
///
/// # Errors
/// There is no terminal, no model is known, or the person chooses none.
pub(in crate::cmd) fn chosen(
    context: &Context,
    to: &GatewayArgs,
    model: Option<String>,
) -> Result<Option<String>, Error> {
    if model.as_deref() != Some(PICK) {
        return Ok(model);
    }
    if !context.terminal.live || !std::io::stdin().is_terminal() {
        let hint = "-m NAME names one; `llm models` lists them; on a terminal, -m alone lets you choose";
        return Err(Error::usage_hint("-m needs the name of a model", hint));
    }
    let resolver = context.resolver(to.gateway.as_deref());
    let default = resolver.default_gateway().ok();
    let mut models = known(&context.settings, default.as_deref());
    if to.gateway.is_some() {
        let other =
            |choice: &Choice| choice.name.split_once("::").is_some_and(|(name, _)| default.as_deref() != Some(name));
        models.retain(|choice| !other(choice));
    }
    // The demo gateway is part of this program, so its list is at hand.
    if default.as_deref() == Some(DEMO) {
        let (gateway, _running) = context.preparation().gateway(DEMO)?;
        let list = Lists::new(context, false, true).of(&gateway, None)?;
        models.extend(list.models.into_iter().map(|model| Choice { name: model.id, about: DEMO.to_owned() }));
    }
    if models.is_empty() {
        let hint = "`llm models` asks the gateway for its list, which is then kept";
        return Err(Error::usage_hint("no model is known to choose from", hint));
    }
    let failed = |error: std::io::Error| Error::system("no key can be read", &error);
    match at_prompt("\n", || picker::pick(&models, "model", &context.terminal.stderr)).map_err(failed)? {
        Some(place) => Ok(Some(models.swap_remove(place).name)),
        None => Err(Error::Signalled(SIGINT)),
    }
}
