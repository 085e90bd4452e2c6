//! `llm config show --route`: where a name leads, and why in that order.

use super::Context;
use crate::chat::Request;
use crate::config::nearest;
use crate::error::Error;
use crate::report;
use crate::report::term::Text;
use crate::resolve::LookedUp;
use crate::route::Route;

/// The route of a task, an alias or a model; `gateway` is for names that do not say one.
pub(super) fn route(context: &Context, name: &str, gateway: Option<&str>) -> Result<Text, Error> {
    let settings = &context.settings;
    let is_alias = settings.aliases.contains_key(name);
    if let Some(models) = settings.sets.get(name).filter(|_| !is_alias && !settings.tasks.contains_key(name)) {
        return Ok(format!("{name} is a set, for `llm compare --set {name}`: {}\n", models.join(", ")).into());
    }
    // What the config gives a name is meant before a model that may be called so.
    let asked = context.resolver(gateway).any(name)?;
    let data = LookedUp::new(settings, &Request::default());
    let choices = asked.route.explained(&data);
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
