//! `llm config`: shows, creates, edits and checks the settings.

use std::fs;
use std::path::Path;

use super::{Context, explain};
use crate::child::without_keys;
use crate::cli::ConfigCommand;
use crate::config::{Env, Settings, TEMPLATE};
use crate::error::Error;
use crate::report;
use crate::report::term::print;
use crate::resolve::check_templates;
use crate::{pipeline, private};

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
            let found =
                if context.settings.config_found { "makes sense" } else { "is not there; the presets make sense" };
            print(format!("{path} {found}\n").into())?;
        }
        ConfigCommand::Edit => {
            let path = path(&env)?;
            if !Path::new(&path).exists() {
                init(&path, false)?;
            }
            edit(&env, &path)?;
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

/// Checks also what other commands read only where they use it: the prompts of pipelines and templates, and schemas.
///
/// # Errors
/// The first mistake.
pub(super) fn check(settings: &Settings) -> Result<(), Error> {
    pipeline::check(settings)?;
    check_templates(settings)
}

fn path(env: &Env) -> Result<String, Error> {
    let path = Settings::config_path(env).ok_or_else(|| {
        Error::config_hint("there is no home directory to keep a config file in", "LLM_CONFIG names a file anywhere")
    })?;
    Ok(path.display().to_string())
}

fn init(path: &str, replace: bool) -> Result<(), Error> {
    let fails = |source| Error::Output { target: path.to_owned(), source };
    let file = Path::new(path);
    if let Some(directory) = file.parent() {
        private::create_dir(directory).map_err(fails)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(replace).create_new(!replace);
    // Only this user may read the file, because users put secret headers into it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::usage_hint(format!("{path} exists already"), "`llm config edit` opens it; --force replaces it")
        }
        _ => fails(error),
    })?;
    std::io::Write::write_all(&mut file, TEMPLATE.as_bytes()).map_err(fails)
}

/// Opens the file in the user's editor. Keys are removed from the editor's environment.
fn edit(env: &Env, path: &str) -> Result<(), Error> {
    let editor = env.get("VISUAL").or_else(|| env.get("EDITOR")).unwrap_or("vi");
    // The variable may contain arguments, as in `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let mut process = without_keys(program, &Settings::key_variables_of(env));
    process.args(words).arg(path);
    let fails = |cause: String| Error::Config {
        message: format!("the editor `{program}` failed"),
        cause: Some(cause),
        hint: Some(format!("VISUAL or EDITOR names another; the file is {path}")),
    };
    let status = process.status().map_err(|error| fails(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(fails(status.to_string())) }
}
