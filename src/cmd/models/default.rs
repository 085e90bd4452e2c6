//! `llm models default`: the model that is asked where none is named.

use std::time::SystemTime;

use crate::catalog;
use crate::cmd::Context;
use crate::cmd::change::change;
use crate::config::{Said, nearest};
use crate::error::Error;
use crate::report::term::print;
use crate::route::Route;
use crate::run::Notices;

pub(super) fn run(context: &Context, name: Option<&str>) -> Result<u8, Error> {
    match name.map(str::trim) {
        None => show(context)?,
        Some(name) => set(context, name)?,
    }
    Ok(0)
}

fn show(context: &Context) -> Result<(), Error> {
    let asked = context.resolver(None).default_model()?;
    let said = match &context.settings.model {
        Some((_, Said::Environment(variable))) => format!("{variable} says so"),
        Some(_) => "the config file says so".to_owned(),
        None => "it is the first model of the gateway, or the task `default`".to_owned(),
    };
    context.detail(&said);
    print(format!("{}\n", asked.name).into())
}

fn set(context: &Context, name: &str) -> Result<(), Error> {
    let settings = &context.settings;
    let asked = context.resolver(None).any(name)?;
    if let Route::Model(target) = &asked.route {
        settings.gateway(&target.gateway)?;
    }
    let path =
        change(&settings.env, &format!("model = \"{name}\""), |edit| edit.set(&["model".to_owned()], name.into()))?;
    context.notice(&format!("{name} is asked where no model is named, from now on ({})", path.display()));
    if let Some((other, Said::Environment(variable))) = &settings.model {
        context.urgent(&format!("{variable} is set and comes first: {other}"));
    }
    if let Route::Model(target) = &asked.route
        && let Ok(gateway) = settings.gateway(&target.gateway)
        && let Some(kept) =
            settings.dirs.cache.as_deref().and_then(|dir| catalog::cached(&gateway, dir, SystemTime::now()))
        && kept.find(&target.model).is_none()
    {
        let near = nearest(&target.model, kept.models.iter().map(|model| model.id.as_str()));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        context.urgent(&format!("the list of {} has no model {}{near}", target.gateway, target.model));
    }
    Ok(())
}
