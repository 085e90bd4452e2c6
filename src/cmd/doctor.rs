//! `llm doctor`: what works, and what to do about what does not.

use std::fs;
use std::path::Path;
use std::time::Instant;

use super::ready;
use super::{Context, request};
use crate::cli::{DoctorArgs, TextOrJson};
use crate::config::Settings;
use crate::error::Error;
use crate::report::checks::{Check, Outcome};
use crate::report::term::print;
use crate::report::{checks, json};

pub(super) fn run(context: &Context, args: &DoctorArgs) -> Result<u8, Error> {
    let settings = &context.settings;
    let mut found = vec![config(settings), directory("data", settings.dirs.data.as_deref()), terminal(context)];
    let mut code = 0;
    match request::default_gateway(context, args.to.gateway.as_deref()) {
        Ok(name) => code = gateway(context, &name, args.to.key.as_deref(), &mut found)?,
        Err(error) => {
            code = error.exit_code().max(code);
            found.push(Check::failed("gateway", &error));
        }
    }
    let out = &context.terminal.stdout;
    print(match args.output.format {
        TextOrJson::Text => checks::text(&found, out),
        TextOrJson::Json => json::document(&found, out),
    })?;
    Ok(code)
}

/// Checks the gateway in the order in which a call would need things; what comes after a failure is not tried.
fn gateway(context: &Context, name: &str, key_name: Option<&str>, found: &mut Vec<Check>) -> Result<u8, Error> {
    let (gateway, demo) = match ready::gateway(context, name) {
        Ok(gateway) => gateway,
        Err(error) => {
            found.push(Check::failed("gateway", &error));
            return Ok(error.exit_code());
        }
    };
    let said = if demo.is_some() { "the built-in demo".to_owned() } else { gateway.base_url.to_string() };
    found.push(Check::good("gateway", format!("{name}: {said} ({})", gateway.api.as_str())));
    let key = match context.key(&gateway, key_name) {
        Ok(key) => key,
        Err(error) => {
            found.push(Check::failed("key", &error));
            return Ok(error.exit_code());
        }
    };
    found.push(match &key {
        Some(key) => Check::good("key", format!("{} from {}", key.key.hint(), key.source)),
        None => Check::good("key", "none, and none is needed".to_owned()),
    });
    let began = Instant::now();
    match ready::lists(context, &gateway, key) {
        Ok(count) => {
            let took = began.elapsed().as_millis();
            found.push(Check::good("answers", format!("lists {count} models, in {took} ms with connection set-up")));
            Ok(0)
        }
        Err(error) => {
            found.push(Check::failed("answers", &error));
            Ok(error.exit_code())
        }
    }
}

fn config(settings: &Settings) -> Check {
    match &settings.config_path {
        Some(path) if settings.config_found => Check::good("config", short(path)),
        Some(path) => Check::good("config", format!("presets alone; {} is not there", short(path))),
        None => Check {
            name: "config",
            outcome: Outcome::Warning,
            detail: "no home directory to keep a config file in".into(),
            hint: Some("LLM_CONFIG names a file anywhere".into()),
        },
    }
}

/// Whether files can be kept there.
fn directory(name: &'static str, path: Option<&Path>) -> Check {
    let warning = |detail: String| Check {
        name,
        outcome: Outcome::Warning,
        detail,
        hint: Some("LLM_DATA_DIR names a directory that can be written to".into()),
    };
    let Some(path) = path else { return warning("no home directory to keep files in".into()) };
    // The nearest directory that exists says whether the rest can be made.
    let Some(nearest) = path.ancestors().find(|path| path.exists()) else { return warning(short(path)) };
    match tempfile::Builder::new().prefix(".llm-").tempfile_in(nearest) {
        Ok(file) => {
            drop(file);
            let state = if fs::exists(path).unwrap_or(false) { "" } else { " (made when first needed)" };
            Check::good(name, format!("{}{state}", short(path)))
        }
        Err(error) => warning(format!("{} cannot be written to: {error}", short(path))),
    }
}

fn terminal(context: &Context) -> Check {
    let out = &context.terminal.stdout;
    let kind = if out.tty { "a terminal" } else { "not a terminal" };
    let color = if out.style.on { "color" } else { "no color" };
    Check::good("terminal", format!("stdout is {kind}, {} columns, {color}", out.columns))
}

/// A path without the name of who lives there, so that the output can be shown to others.
fn short(path: &Path) -> String {
    match dirs::home_dir().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) => Path::new("~").join(rest).display().to_string(),
        None => path.display().to_string(),
    }
}
