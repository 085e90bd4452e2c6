//! `--judge` and `--criteria`, as `compare` and `batch` have them.

use super::Context;
use super::request::{self, text_or_file};
use crate::call::{Call, Role};
use crate::cli::GatewayArgs;
use crate::error::Error;
use crate::judge::DEFAULT_CRITERIA;
use crate::resolve::CallTemplate;

/// A call like those of each judge. `template` says who makes them, and with which limits.
///
/// # Errors
/// There is no such model.
pub(super) fn calls(
    context: &Context,
    to: &GatewayArgs,
    names: &[String],
    template: CallTemplate,
) -> Result<Vec<Call>, Error> {
    let resolver = context.resolver(to.gateway.as_deref());
    let judges = names.iter().map(|name| resolver.model(name)).collect::<Result<Vec<_>, _>>()?;
    CallTemplate { role: Role::Judge, ..template }.calls(&context.settings, &judges)
}

/// What answers are judged by. `timeout` is the text of `--timeout`.
///
/// # Errors
/// The file with it cannot be read.
pub(super) fn criteria(flag: Option<&str>, timeout: Option<&str>) -> Result<String, Error> {
    let Some(text) = flag else { return Ok(DEFAULT_CRITERIA.to_owned()) };
    text_or_file("--criteria", text, request::timeout(timeout)?)
}

/// No judge is left for this model.
pub(super) fn none_for(model: &str, hint: &str) -> Error {
    Error::usage_hint(format!("no judge may judge {model}, because it is its own model"), hint)
}
