//! `llm config`: shows, creates, edits and checks the settings.

use std::fs;
use std::path::Path;

use super::change::change;
use super::{Context, editor, explain, shared};
use crate::cli::ConfigCommand;
use crate::config::{ConfigEdit, Env, Settings, TEMPLATE, parse_key, write_config};
use crate::error::Error;
use crate::report;
use crate::report::term::print;
use crate::resolve::check_templates;
use crate::run::Notices;
use crate::secret::looks_like_key;
use crate::{pipeline, prompt};

/// Loads [`Settings`] only where a subcommand needs them, so that `path`, `edit` and `init` work with a config file that
/// cannot be parsed.
pub(super) fn run(
    command: &ConfigCommand,
    env: Env,
    settings: impl FnOnce(Env) -> Result<Context, Error>,
) -> Result<u8, Error> {
    match command {
        ConfigCommand::Path => print(format!("{}\n", path(&env)?).into())?,
        ConfigCommand::Show { route: None, .. } => print(report::config::show(&settings(env)?.settings)?)?,
        ConfigCommand::Show { route: Some(name), gateway } => {
            let context = settings(env)?;
            print(explain::route(&context, name, gateway.as_deref())?)?;
        }
        ConfigCommand::Check => {
            let context = settings(env)?;
            check(&context.settings)?;
            let path =
                context.settings.config_path.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
            let found = match context.settings.config_found {
                true => "makes sense",
                false if context.settings.is_config_out_of_reach() => "cannot be looked at; the presets make sense",
                false => "is not there; the presets make sense",
            };
            print(format!("{path} {found}\n").into())?;
        }
        ConfigCommand::Get { key } => return get(&settings(env)?, key),
        ConfigCommand::Set { key, value } => set(&settings(env)?, key, value)?,
        ConfigCommand::Unset { key } => return unset(&settings(env)?, key),
        ConfigCommand::Edit => {
            let path = path(&env)?;
            if !Path::new(&path).exists() {
                init(&path, false)?;
            }
            editor::open(&env, Path::new(&path))?;
            check(&settings(env)?.settings)?;
        }
        ConfigCommand::Init { force } => {
            let path = path(&env)?;
            init(&path, *force)?;
            print(format!("{path}\n").into())?;
        }
    }
    Ok(0)
}

/// Checks also what other commands read only where they use it: the prompts of pipelines and templates, schemas, and the address
/// of the database of `[store]`.
///
/// # Errors
/// The first mistake.
pub(super) fn check(settings: &Settings) -> Result<(), Error> {
    pipeline::check(settings)?;
    check_templates(settings)?;
    shared::check(settings)
}

fn path(env: &Env) -> Result<String, Error> {
    let path = Settings::config_path(env).ok_or_else(|| Error::no_home("a config file", "LLM_CONFIG"))?;
    Ok(path.display().to_string())
}

fn init(path: &str, replace: bool) -> Result<(), Error> {
    if !replace && fs::symlink_metadata(path).is_ok() {
        let hint = "`llm config edit` opens it; --force replaces it";
        return Err(Error::usage_hint(format!("{path} exists already"), hint));
    }
    write_config(Path::new(path), TEMPLATE, replace)
}

/// Prints a setting that is in force: a text as it is, everything else as TOML. Returns 1 where it is not set.
fn get(context: &Context, key: &str) -> Result<u8, Error> {
    let parts = parse_key(key)?;
    let text = report::config::in_force(&context.settings)?;
    let in_force: toml::Table = toml::from_str(&text).map_err(|error| Error::config(error.to_string()))?;
    let value = match value_at(in_force, &parts) {
        // Budgets, classes of keys and what servers share are set by the file alone, and so is what they leave out.
        None => value_at(shown_file(context)?, &parts),
        value => value,
    };
    let Some(value) = value else {
        context.notice(&format!("{key} is not set"));
        return Ok(1);
    };
    print(match value {
        toml::Value::String(text) => format!("{text}\n").into(),
        toml::Value::Table(table) => table.to_string().into(),
        value => format!("{value}\n").into(),
    })?;
    Ok(0)
}

fn value_at(table: toml::Table, key: &[String]) -> Option<toml::Value> {
    key.iter().try_fold(toml::Value::Table(table), |value, part| match value {
        toml::Value::Table(mut table) => table.remove(part),
        _ => None,
    })
}

/// The values in the file, without the texts that may hold a key or a password: those of headers, and the addresses of a database and
/// a collector.
fn shown_file(context: &Context) -> Result<toml::Table, Error> {
    const SECRET: [[&str; 2]; 3] = [["store", "url"], ["otel", "endpoint"], ["otel", "headers"]];
    let mut table = ConfigEdit::open(&context.settings.env)?.values()?;
    for [name, field] in SECRET {
        match table.get_mut(name).and_then(|table| table.get_mut(field)) {
            Some(toml::Value::Table(texts)) => texts.iter_mut().for_each(|(_, text)| *text = "***".into()),
            // Only with a password, an address has this sign.
            Some(toml::Value::String(text)) if text.contains('@') || name == "store" => "***".clone_into(text),
            _ => {}
        }
    }
    Ok(table)
}

/// The longest value that is set, in bytes.
const LARGEST_VALUE: usize = 1 << 20;

/// Sets a value. What is written like a number, a list or another TOML value is one where the setting takes it; else it is
/// a text.
fn set(context: &Context, key: &str, value: &str) -> Result<(), Error> {
    let env = &context.settings.env;
    let parts = parse_key(key)?;
    let value = match value {
        "-" => prompt::read(None, false, |text| context.urgent(text))?.trim_end_matches(['\n', '\r']).to_owned(),
        value if looks_like_key(value) => {
            return Err(Error::usage_hint(
                "that looks like a key, and other users can see a command line",
                "`llm key set GATEWAY` keeps keys; a value `-` is read from stdin",
            ));
        }
        value => value.to_owned(),
    };
    if value.len() > LARGEST_VALUE {
        return Err(Error::usage(format!("a value may have {} MiB at most", LARGEST_VALUE >> 20)));
    }
    let what = format!("{key} = {value}");
    let typed = value.parse::<toml_edit::Value>().ok().filter(|value| !value.is_datetime());
    let text = toml_edit::Value::from(value.as_str());
    let attempt = |value: toml_edit::Value| change(env, &what, |edit| edit.set(&parts, value));
    let path = match typed {
        None => attempt(text)?,
        Some(typed) => attempt(typed).or_else(|error| attempt(text).map_err(|_| error))?,
    };
    context.notice(&format!("{} has it from now on", path.display()));
    Ok(())
}

fn unset(context: &Context, key: &str) -> Result<u8, Error> {
    let parts = parse_key(key)?;
    let mut removed = false;
    let path = change(&context.settings.env, &format!("{key} removed"), |edit| {
        removed = edit.remove(&parts);
        Ok(())
    })?;
    if !removed {
        context.notice(&format!("{} does not set {key}", path.display()));
    }
    Ok(u8::from(!removed))
}
