//! `llm config show --route`: the models of a name, their order, and the reasons for it.

use super::Context;
use crate::chat::Request;
use crate::config::nearest;
use crate::error::Error;
use crate::report;
use crate::report::term::Text;
use crate::resolve::LookedUp;
use crate::route::Route;

/// The route of a task, an alias or a model; `gateway` is used for model names without one.
///
/// # Errors
/// There is no gateway for the name.
pub(super) fn route(context: &Context, name: &str, gateway: Option<&str>) -> Result<Text, Error> {
    let settings = &context.settings;
    let is_alias = settings.aliases.contains_key(name);
    if let Some(models) = settings.sets.get(name).filter(|_| !is_alias && !settings.tasks.contains_key(name)) {
        return Ok(format!("{name} is a set, for `llm compare --set {name}`: {}\n", models.join(", ")).into());
    }
    // A name of the config wins over a model of the same name.
    let asked = context.resolver(gateway).any(name)?;
    let data = LookedUp::new(settings, &Request::default());
    let choices = asked.route.choices_with_reasons(&data);
    let mut text = report::route::text(&asked, &choices, data.expected().output.unwrap_or_default());
    if let Route::Model(target) = &asked.route
        && target.model == name
    {
        let known = settings.aliases.keys().chain(settings.tasks.keys()).chain(settings.sets.keys());
        if let Some(near) = nearest(name, known.map(String::as_str)) {
            text += &format!("no alias, task or set has this name; did you mean `{near}`?\n");
        }
    }
    Ok(text)
}
