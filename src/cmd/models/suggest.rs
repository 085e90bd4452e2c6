//! Models to choose from, for a user who has a gateway and has not said which model to ask.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use super::Lists;
use crate::catalog::{Catalogue, ModelInfo};
use crate::cli::GatewayArgs;
use crate::cmd::{Context, process};
use crate::error::Error;
use crate::gateway::Client;
use crate::pricing::maker;
use crate::report::format::count;
use crate::resolve::Resolver;

/// How many models are named.
const NAMED: usize = 5;

/// How long a user who forgot to name a model waits for the gateway's list.
const PATIENCE: Duration = Duration::from_secs(5);

/// The error that no model is named, with models of the gateway to choose from. The list is the cached one; only where
/// `ask_gateway` says so and none is cached, the gateway is asked.
pub(in crate::cmd) fn with_models(context: &Context, to: &GatewayArgs, ask_gateway: bool, error: Error) -> Error {
    let list = list(context, to, ask_gateway);
    let Some((gateway, catalogue)) = list.filter(|(_, catalogue)| !catalogue.models.is_empty()) else { return error };
    let names = choice(&catalogue.models);
    let Some(first) = names.first() else { return error };
    let all = count(catalogue.models.len() as u64, "model", "models");
    let hint = format!(
        "{gateway} has {all}, such as {}; -m names one, `llm models default {first}` keeps one, `llm models` lists all",
        names.join(", ")
    );
    Error::usage_hint(error.to_string(), hint)
}

fn list(context: &Context, to: &GatewayArgs, ask_gateway: bool) -> Option<(String, Catalogue)> {
    let name = Resolver::new(&context.settings, to.gateway.as_deref()).default_gateway().ok()?;
    let gateway = context.settings.only_gateway(&name).ok()?;
    let lists = Lists::new(context, false, name == "demo");
    if let Some(kept) = lists.kept(&gateway) {
        return Some((name, kept));
    }
    let key = context.preparation().key(&gateway, to.key.as_deref()).ok().filter(|_| ask_gateway)?;
    let client = Client::new(gateway, &context.settings.env).ok()?;
    let client = context.preparation().with_key(client, Ok(key)).ok()?;
    let fetched =
        process::runtime().ok()?.block_on(async { tokio::time::timeout(PATIENCE, lists.fetch(&client)).await });
    Some((name, fetched.ok()?.ok()?))
}

/// The newest text model of each maker, the newest of these first, as far as makers are known.
fn choice(models: &[ModelInfo]) -> Vec<&str> {
    let answers_in_text = |model: &&ModelInfo| {
        (model.output_modalities.is_empty() || model.output_modalities.contains("text")) && model.expires.is_none()
    };
    let mut models: Vec<(Option<String>, &ModelInfo)> =
        models.iter().filter(answers_in_text).map(|model| (maker(&model.id), model)).collect();
    models.sort_by_key(|(maker, model)| (maker.is_none(), Reverse(model.created)));
    let mut makers = BTreeSet::new();
    models.retain(|(maker, _)| maker.is_none() || makers.insert(maker.clone()));
    models.iter().take(NAMED).map(|(_, model)| model.id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_maker_comes_first_and_images_never() {
        let model = |id: &str, created| ModelInfo { id: id.into(), created: Some(created), ..ModelInfo::default() };
        let image = ModelInfo { output_modalities: BTreeSet::from(["image".into()]), ..model("openai/image", 9) };
        let models = [
            model("openai/gpt-4o", 1),
            model("openai/gpt-5", 3),
            image,
            model("anthropic/claude-sonnet-4.6", 5),
            model("strange", 8),
        ];
        assert_eq!(choice(&models), ["anthropic/claude-sonnet-4.6", "openai/gpt-5", "strange"]);
        assert!(choice(&[]).is_empty());
    }
}
