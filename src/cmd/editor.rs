//! The user's editor, in which files and texts are changed.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitStatus;

use crate::child::without_keys;
use crate::config::{Env, Settings};
use crate::error::Error;
use crate::input::{self, Accept};

/// The most that an edited text may be, in bytes.
const LARGEST_TEXT: u64 = 16 << 20;

/// Opens the file in the user's editor, and waits until that has ended. Keys are removed from the editor's environment.
///
/// # Errors
/// The editor cannot be run, or says that it failed.
pub(super) fn open(env: &Env, path: &Path) -> Result<(), Error> {
    run(env, path).map_err(|failed| failed.error(Some(path)))
}

/// An editor that failed.
struct Failed {
    program: String,
    /// How it ended, or why the system could not start it.
    ended: io::Result<ExitStatus>,
}

impl Failed {
    /// `file` is what the user has written, where that is still there.
    fn error(self, file: Option<&Path>) -> Error {
        let Self { program, ended } = self;
        let cause = match ended {
            Ok(status) => status.to_string(),
            Err(error) => match Error::no_process(&format!("the editor `{program}` cannot be started"), &error) {
                Some(shortage) => return shortage,
                None => error.to_string(),
            },
        };
        let file = file.map(|path| format!("; the file is {}", path.display())).unwrap_or_default();
        Error::Config {
            message: format!("the editor `{program}` failed"),
            cause: Some(cause),
            hint: Some(format!("VISUAL or EDITOR names another{file}")),
        }
    }
}

fn run(env: &Env, path: &Path) -> Result<(), Failed> {
    let editor = env.get("VISUAL").or_else(|| env.get("EDITOR")).unwrap_or("vi");
    // The variable may contain arguments, as in `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let mut process = without_keys(program, &Settings::key_variables_of(env));
    process.args(words).arg(path);
    // Where stdin is a pipe with a part of the prompt, the editor reads from the terminal.
    #[cfg(unix)]
    if !std::io::IsTerminal::is_terminal(&std::io::stdin())
        && let Ok(terminal) = std::fs::File::open("/dev/tty")
    {
        process.stdin(terminal);
    }
    match process.status() {
        Ok(status) if status.success() => Ok(()),
        ended => Err(Failed { program: program.to_owned(), ended }),
    }
}

/// The text as the user leaves it in the editor. It is in a file that only this user can read, and that is removed
/// afterwards, unless the editor failed and has changed it. `suffix` is the end of the file's name, such as `.md`, by which editors know the language.
///
/// # Errors
/// The file cannot be written or read, or the editor failed.
pub(super) fn edited(env: &Env, text: &str, suffix: &str) -> Result<String, Error> {
    let fails = |source| Error::Output { target: "a file for the editor".to_owned(), source };
    let mut file = tempfile::Builder::new().prefix("llm-").suffix(suffix).tempfile().map_err(fails)?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(fails)?;
    // An editor may put a new file in its place, so the path is kept and not the open file.
    let path = file.into_temp_path();
    if let Err(failed) = run(env, &path) {
        // What cannot be read may be too large, and is changed as well.
        let is_changed = match input::read(&path, LARGEST_TEXT, Accept::Files) {
            Ok(now) => now != text.as_bytes(),
            Err(error) => !input::is_absent(&path, &error),
        };
        let kept = if is_changed { path.keep().ok() } else { None };
        return Err(failed.error(kept.as_deref()));
    }
    input::read_text(&path, LARGEST_TEXT, Accept::Files)
        .map_err(|source| Error::Input { path: path.to_path_buf(), source })
}
