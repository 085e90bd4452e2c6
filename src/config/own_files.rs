//! The files of `llm` itself, which hold keys, prompts and answers: no command writes its output over them, and none attaches them.

use std::path::{Path, PathBuf};

use super::Settings;

/// The names of such files in the data directory, or with what they begin.
const NAMES: [&str; 6] = ["keys.", "ledger", "chat_history", "calls-", "shared-calls-", "refused-"];

impl Settings {
    /// Whether this is a file of `llm` itself, or would be if it were there, wherever the path leads.
    pub fn is_own_file(&self, path: &Path) -> bool {
        let Some(path) = resolved(path) else { return false };
        if self.config_path.as_deref().and_then(resolved).is_some_and(|config| config == path) {
            return true;
        }
        let directory = self.dirs.data.as_deref().and_then(|directory| directory.canonicalize().ok());
        let is_in_data = directory.is_some_and(|directory| path.parent() == Some(&directory));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        is_in_data && NAMES.iter().any(|own| name.starts_with(own))
    }
}

/// The path without links; also of a file that is not there, if its directory is.
fn resolved(path: &Path) -> Option<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Some(path);
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(directory.canonicalize().ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;
    use crate::config::source::Source;

    #[test]
    fn the_files_of_llm_are_known_wherever_a_path_leads() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        std::fs::create_dir(&data).expect("made");
        std::fs::write(data.join("keys.toml"), "").expect("written");
        let mut settings = Settings::from_source(Env::default(), &Source::default()).expect("settings");
        settings.dirs.data = Some(data.clone());
        settings.config_path = Some(dir.path().join("config.toml"));
        #[cfg(unix)]
        std::os::unix::fs::symlink(data.join("keys.toml"), dir.path().join("harmless.txt")).expect("linked");
        let own = |name: &str| settings.is_own_file(&dir.path().join(name));
        for name in [
            "config.toml",
            "data/keys.toml",
            "data/ledger.db",
            "data/ledger.db-wal",
            "data/../data/chat_history",
            "data/shared-calls-1.jsonl",
        ] {
            assert!(own(name), "{name}");
        }
        assert_eq!(own("harmless.txt"), cfg!(unix));
        for name in ["keys.toml", "data/answers.md", "data/none/keys.toml", "data"] {
            assert!(!own(name), "{name}");
        }
    }
}
