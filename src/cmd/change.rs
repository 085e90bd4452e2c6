//! Changes to the config file by commands. A change that would make the file invalid is not written.

use std::path::PathBuf;

use super::config::check;
use crate::config::{ConfigEdit, Env};
use crate::error::Error;

/// Changes the config file, and returns its path. `what` is the change as messages name it, such as `model = "x"`.
///
/// # Errors
/// The change is not possible or makes no sense, or the file cannot be read or written. Then nothing was changed.
pub(super) fn change(
    env: &Env,
    what: &str,
    change: impl FnOnce(&mut ConfigEdit) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let mut edit = ConfigEdit::begin(env)?;
    change(&mut edit)?;
    sound(&edit, env, what)?;
    edit.save()?;
    Ok(edit.path().to_owned())
}

/// Whether the changed file makes sense. Where the file made sense before, the error is the change's; else it is that of the
/// file.
///
/// # Errors
/// It makes no sense.
pub(super) fn sound(edit: &ConfigEdit, env: &Env, what: &str) -> Result<(), Error> {
    let Err(error) = edit.settings(env).and_then(|settings| check(&settings)) else { return Ok(()) };
    // Its line is that of the file as it is.
    edit.settings_before(env).and_then(|settings| check(&settings))?;
    Err(match error {
        Error::Config { message, cause, hint } => {
            // The line is that of a file which is not written.
            let prefix = format!("{}:", edit.path().display());
            let message = message.strip_prefix(&prefix).map_or(message.as_str(), |rest| {
                rest.split_once(": ").filter(|(line, _)| line.bytes().all(|b| b.is_ascii_digit())).map_or(rest, |r| r.1)
            });
            let message = format!("{what} is not possible: {}", message.trim_start());
            Error::Config { message, cause, hint: hint.or_else(|| Some(UNCHANGED.to_owned())) }
        }
        other => other,
    })
}

const UNCHANGED: &str = "the config file was not changed";
