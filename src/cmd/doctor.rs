//! `llm doctor`: checks the set-up, and says how to correct what does not work.

use std::fs;
use std::path::Path;
use std::time::Instant;

use secrecy::ExposeSecret;
use url::Url;

use super::{Context, config as config_command, count_models};
use crate::cli::{DoctorArgs, TextOrJson};
use crate::config::{Settings, SharedStore};
use crate::error::Error;
use crate::gateway::has_secret_headers;
use crate::ledger::Store;
use crate::private::{self, Exposure};
use crate::report::checks::{Check, Outcome};
use crate::report::format;
use crate::report::term::{Terminal, print};
use crate::report::{checks, json};
use crate::secret::looks_like_key;

/// Runs all checks and prints their results. A config that cannot be loaded is reported as a failed check.
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

/// Makes every check and adds its result to `found`. Returns the exit code of the first that failed, or 0.
fn all(context: &Context, args: &DoctorArgs, found: &mut Vec<Check>) -> Result<u8, Error> {
    let settings = &context.settings;
    let (config, config_code) = match config_command::check(settings) {
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

/// Checks the gateway's settings, its key, and whether it answers, and stops at the first failure, because each check needs
/// the one before it. Returns the exit code of the failure, or 0.
fn gateway(context: &Context, name: &str, key_name: Option<&str>, found: &mut Vec<Check>) -> Result<u8, Error> {
    let (gateway, demo) = match context.preparation().gateway(name) {
        Ok(gateway) => gateway,
        Err(error) => {
            found.push(Check::failed("gateway", &error));
            return Ok(error.exit_code());
        }
    };
    let address = if demo.is_some() { "the built-in demo".to_owned() } else { gateway.base_url.to_string() };
    found.push(Check::good("gateway", format!("{name}: {address} ({})", gateway.api.as_str())));
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
        Err(error @ Error::Signalled(_)) => Err(error),
        Err(error) => {
            found.push(failed_answer(&error));
            Ok(error.exit_code())
        }
    }
}

/// The result for a gateway that did not answer. An error whose hint is to run `llm doctor` gets another hint.
fn failed_answer(error: &Error) -> Check {
    let check = Check::failed("answers", error);
    let suggests_doctor = check.hint.as_deref().is_some_and(|hint| hint.contains("llm doctor"));
    if !suggests_doctor {
        return check;
    }
    let hint = "is the gateway's base_url right? `llm config show` shows it, and where it was set";
    Check { hint: Some(hint.into()), ..check }
}

fn config(settings: &Settings) -> Check {
    match &settings.config_path {
        Some(path) if settings.config_found && shows_secrets(settings, path) => Check {
            name: "config",
            outcome: Outcome::Warning,
            detail: format!("{} holds a secret, and other users may read it", without_home(path)),
            hint: Some(format!("chmod 600 {}", without_home(path))),
        },
        Some(path) if settings.config_found => match private::exposed(path) {
            Some((place, why)) => exposed("config", &place, why),
            None => Check::good("config", without_home(path)),
        },
        Some(path) if settings.is_config_out_of_reach() => Check {
            name: "config",
            outcome: Outcome::Warning,
            detail: format!("presets alone; {} cannot be looked at: permission denied", without_home(path)),
            hint: Some("a directory on the way to it may not be entered; LLM_CONFIG names another file".into()),
        },
        Some(path) => Check::good("config", format!("presets alone; {} is not there", without_home(path))),
        None => Check {
            name: "config",
            outcome: Outcome::Warning,
            detail: "no home directory to keep a config file in".into(),
            hint: Some("LLM_CONFIG names a file anywhere".into()),
        },
    }
}

fn exposed(name: &'static str, place: &Path, why: Exposure) -> Check {
    let place = without_home(place);
    Check { name, outcome: Outcome::Warning, detail: format!("{place} {why}"), hint: why.remedy(&place) }
}

/// Whether other users may read the config file and find secrets in it: in headers, in the address of a database, or as a word of
/// a command.
fn shows_secrets(settings: &Settings, path: &Path) -> bool {
    if !fs::metadata(path).is_ok_and(|file| private::others_may_read(&file)) {
        return false;
    }
    let gateways: Vec<_> = settings.gateway_names().filter_map(|name| settings.gateway(name).ok()).collect();
    let mut words = gateways.iter().flat_map(|gateway| gateway.key.command.iter().flatten());
    let store = settings.store.as_ref().filter(|_| settings.env.get("LLM_STORE_URL").is_none());
    let has_password = |store: &SharedStore| {
        Url::parse(store.url.expose_secret()).is_ok_and(|url| {
            url.password().is_some() || url.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("password"))
        })
    };
    gateways.iter().any(has_secret_headers)
        || words.any(|word| word.split_whitespace().any(looks_like_key))
        || settings.otel.as_ref().is_some_and(|otel| !otel.headers.is_empty())
        || store.is_some_and(has_password)
}

/// Checks whether files can be written in a directory, and whether the ledger in it can be read.
fn directory(name: &'static str, path: Option<&Path>) -> Check {
    let warning = |detail: String| Check {
        name,
        outcome: Outcome::Warning,
        detail,
        hint: Some("LLM_DATA_DIR names a directory that can be written to".into()),
    };
    let Some(path) = path else { return warning("no home directory to keep files in".into()) };
    if let Some((place, why)) = private::exposed_dir(path).ok().flatten() {
        return exposed(name, &place, why);
    }
    // A missing directory is made when it is first needed, so its nearest existing parent is tested.
    let Some(nearest) = path.ancestors().find(|path| path.exists()) else { return warning(without_home(path)) };
    match tempfile::Builder::new().prefix(".llm-").tempfile_in(nearest) {
        Ok(file) => {
            drop(file);
            if let Err(error) = Store::open_to_read(path) {
                return Check { hint: error.hint(), ..warning(homeless(&error.sentence())) };
            }
            let state = if fs::exists(path).unwrap_or(false) { "" } else { " (made when first needed)" };
            Check::good(name, format!("{}{state}", without_home(path)))
        }
        Err(error) => warning(format!("{} cannot be written to: {error}", without_home(path))),
    }
}

fn terminal(terminal: &Terminal) -> Check {
    let out = &terminal.stdout;
    let kind = if out.tty { "a terminal" } else { "not a terminal" };
    let color = if out.style.on { "color" } else { "no color" };
    Check::good("terminal", format!("stdout is {kind}, {} columns, {color}", out.columns))
}

/// The path with `~` for the home directory, so that the output can be published without the user's name.
fn without_home(path: &Path) -> String {
    match dirs::home_dir().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) => Path::new("~").join(rest).display().to_string(),
        None => path.display().to_string(),
    }
}

/// The text with `~` for the home directory.
fn homeless(text: &str) -> String {
    match dirs::home_dir().as_deref().and_then(Path::to_str).filter(|home| home.len() > 1) {
        Some(home) => text.replace(home, "~"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Failure, FailureKind};

    #[test]
    fn a_gateway_that_does_not_answer_gets_a_hint_other_than_llm_doctor() {
        for kind in [FailureKind::Network, FailureKind::NotFound, FailureKind::Protocol] {
            let hint = failed_answer(&Failure::new(kind, "no").into()).hint.expect("advice");
            assert!(hint.contains("llm config show"), "{hint}");
        }
        let advised = Failure::new(FailureKind::Network, "no").with_advice("start it");
        assert_eq!(failed_answer(&advised.into()).hint.as_deref(), Some("start it"));
    }
}
