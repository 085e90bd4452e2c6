//! `llm doctor`: what works, and what to do about what does not.

use std::fs;
use std::path::Path;
use std::time::Instant;

use super::{Context, count_models};
use crate::cli::{DoctorArgs, TextOrJson};
use crate::config::Settings;
use crate::error::Error;
use crate::pipeline;
use crate::report::checks::{Check, Outcome};
use crate::report::format;
use crate::report::term::{Terminal, print};
use crate::report::{checks, json};

/// The context is an error where the config makes no sense, which is a finding like any other.
pub(super) fn run(context: Result<Context, Error>, args: &DoctorArgs, terminal: &Terminal) -> Result<u8, Error> {
    let mut found = Vec::new();
    let code = match context {
        Ok(context) => all(&context, args, &mut found)?,
        Err(error) => {
            found.extend([Check::failed("config", &error), self::terminal(terminal)]);
            error.exit_code()
        }
    };
    let out = &terminal.stdout;
    print(match args.output.format {
        TextOrJson::Text => checks::text(&found, out),
        TextOrJson::Json => json::document(&found, out),
    })?;
    Ok(code)
}

/// Makes every check; the exit code of the first that failed.
fn all(context: &Context, args: &DoctorArgs, found: &mut Vec<Check>) -> Result<u8, Error> {
    let settings = &context.settings;
    let (config, config_code) = match pipeline::check(settings) {
        Ok(()) => (config(settings), 0),
        Err(error) => (Check::failed("config", &error), error.exit_code()),
    };
    found.extend([config, directory("data", settings.dirs.data.as_deref()), terminal(&context.terminal)]);
    let code = match context.resolver(args.to.gateway.as_deref()).default_gateway() {
        Ok(name) => gateway(context, &name, args.to.key.as_deref(), found)?,
        Err(error) => {
            found.push(Check::failed("gateway", &error));
            error.exit_code()
        }
    };
    Ok(if config_code == 0 { code } else { config_code })
}

/// Checks the gateway in the order in which a call would need things; what comes after a failure is not tried.
fn gateway(context: &Context, name: &str, key_name: Option<&str>, found: &mut Vec<Check>) -> Result<u8, Error> {
    let (gateway, demo) = match context.preparation().gateway(name) {
        Ok(gateway) => gateway,
        Err(error) => {
            found.push(Check::failed("gateway", &error));
            return Ok(error.exit_code());
        }
    };
    let said = if demo.is_some() { "the built-in demo".to_owned() } else { gateway.base_url.to_string() };
    found.push(Check::good("gateway", format!("{name}: {said} ({})", gateway.api.as_str())));
    let key = match context.preparation().key(&gateway, key_name) {
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
    match count_models(context, &gateway, key) {
        Ok(count) => {
            let took = began.elapsed().as_millis();
            found.push(Check::good(
                "answers",
                format!(
                    "lists {}, in {took} ms with connection set-up",
                    format::count(count as u64, "model", "models")
                ),
            ));
            Ok(0)
        }
        Err(error) => {
            found.push(unanswered(&error));
            Ok(error.exit_code())
        }
    }
}

/// Much of the usual advice is to ask the doctor.
fn unanswered(error: &Error) -> Check {
    let check = Check::failed("answers", error);
    let sends_here = check.hint.as_deref().is_some_and(|hint| hint.contains("llm doctor"));
    if !sends_here {
        return check;
    }
    let hint = "is the gateway's base_url right? `llm config show` shows it, and where it was set";
    Check { hint: Some(hint.into()), ..check }
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

fn terminal(terminal: &Terminal) -> Check {
    let out = &terminal.stdout;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Failure, FailureKind};

    #[test]
    fn a_gateway_that_does_not_answer_comes_with_advice_that_leads_on() {
        for kind in [FailureKind::Network, FailureKind::NotFound, FailureKind::Protocol] {
            let hint = unanswered(&Failure::new(kind, "no").into()).hint.expect("advice");
            assert!(hint.contains("llm config show"), "{hint}");
        }
        let advised = Failure::new(FailureKind::Network, "no").with_advice("start it");
        assert_eq!(unanswered(&advised.into()).hint.as_deref(), Some("start it"));
    }
}
