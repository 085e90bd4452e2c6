//! `llm alias`: lists, shows, sets and removes the aliases of the config.

use toml_edit::{Array, Value};

use super::Context;
use super::change::change;
use crate::cli::{AliasCommand, AliasStrategy, TextOrJson};
use crate::config::{Alias, Strategy, nearest};
use crate::error::Error;
use crate::report::aliases as report;
use crate::report::term::print;
use crate::run::Notices;

pub(super) fn run(context: &Context, command: &AliasCommand) -> Result<u8, Error> {
    match command {
        AliasCommand::List { output } => list(context, output.format)?,
        AliasCommand::Show { name, output } => show(context, name, output.format)?,
        AliasCommand::Set { name, models, strategy } => set(context, name, models, *strategy)?,
        AliasCommand::Rm { name } => rm(context, name)?,
    }
    Ok(0)
}

fn list(context: &Context, output: TextOrJson) -> Result<(), Error> {
    let aliases = &context.settings.aliases;
    if aliases.is_empty() {
        context.notice("there are no aliases; `llm alias set NAME MODEL` makes one");
    }
    let out = &context.terminal.stdout;
    print(match output {
        TextOrJson::Text => report::list(aliases, out),
        TextOrJson::Json => report::list_json(aliases, out),
    })
}

fn show(context: &Context, name: &str, output: TextOrJson) -> Result<(), Error> {
    let alias = find(context, name)?;
    print(match output {
        TextOrJson::Text => report::one(name, alias),
        TextOrJson::Json => report::one_json(name, alias, &context.terminal.stdout),
    })
}

fn find<'a>(context: &'a Context, name: &str) -> Result<&'a Alias, Error> {
    let aliases = &context.settings.aliases;
    aliases.get(name).ok_or_else(|| {
        let message = format!("no alias is called `{name}`");
        let hint = match nearest(name, aliases.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("`llm alias set {name} MODEL` makes one; `llm alias list` lists them"),
        };
        Error::config_hint(message, hint)
    })
}

/// The models replace those that an alias of this name has; its other settings stay.
fn set(context: &Context, name: &str, models: &[String], strategy: Option<AliasStrategy>) -> Result<(), Error> {
    let key = |last: &str| ["alias", name, last].map(str::to_owned);
    let list: Array = models.iter().map(|model| model.trim()).collect();
    let what = format!("alias `{name}`");
    let path = change(&context.settings.env, &what, |edit| {
        edit.set(&key("models"), Value::Array(list))?;
        match strategy {
            Some(strategy) => edit.set(&key("strategy"), word(strategy).into()),
            None => Ok(()),
        }
    })?;
    let models = models.join(", ");
    context.notice(&format!("`-m {name}` stands for {models} from now on ({})", path.display()));
    Ok(())
}

fn word(strategy: AliasStrategy) -> &'static str {
    let strategy = match strategy {
        AliasStrategy::Ordered => Strategy::Ordered,
        AliasStrategy::Cheapest => Strategy::Cheapest,
        AliasStrategy::Fastest => Strategy::Fastest,
        AliasStrategy::Balanced => Strategy::Balanced,
    };
    strategy.as_str()
}

fn rm(context: &Context, name: &str) -> Result<(), Error> {
    find(context, name)?;
    let path = change(&context.settings.env, &format!("alias `{name}` removed"), |edit| {
        edit.remove(&["alias", name].map(str::to_owned));
        Ok(())
    })?;
    context.notice(&format!("removed the alias {name} from {}", path.display()));
    Ok(())
}
