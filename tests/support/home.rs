//! A fresh home: an empty directory and an environment in which nothing of the user's can be found.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use super::process::Run;
use super::{Gateway, KEY, canary};

/// The binary under test.
pub const LLM: &str = env!("CARGO_BIN_EXE_llm");

/// Searched for the key of the tests and removed with everything in it, once the home and all its processes are dropped.
#[derive(Debug)]
pub struct Home {
    directory: Arc<Directory>,
    environment: Vec<(OsString, OsString)>,
}

/// The directory of a home. Its processes keep it as well, so that what they write last is searched too.
#[derive(Debug)]
pub struct Directory {
    directory: tempfile::TempDir,
    /// The files that may hold the key, by their path below the home.
    exceptions: Mutex<Vec<String>>,
}

impl Directory {
    #[track_caller]
    fn search(&self) {
        let exceptions = self.exceptions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        canary::search(self.directory.path(), &exceptions);
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A test that has failed already says why.
        if !std::thread::panicking() {
            self.search();
        }
    }
}

impl Home {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("llm-home-").tempdir().expect("a temporary directory");
        let root = directory.path().to_owned();
        // `key set --store file` keeps keys in this file, which is the place for them.
        let exceptions = Mutex::new(vec!["data/keys.toml".to_owned()]);
        let directory = Arc::new(Directory { directory, exceptions });
        let mut home = Self { directory, environment: Vec::new() };
        for (name, below) in [
            ("HOME", ""),
            ("USERPROFILE", ""),
            ("APPDATA", "config"),
            ("LOCALAPPDATA", "cache"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_DATA_HOME", "share"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_RUNTIME_DIR", "run"),
            ("LLM_DATA_DIR", "data"),
            ("TMPDIR", "tmp"),
        ] {
            let path = root.join(below);
            std::fs::create_dir_all(&path).expect("a directory of the home");
            home = home.env(name, path);
        }
        // No session bus, so no keyring: neither the user's nor one that starts by itself.
        let no_bus = format!("unix:path={}", root.join("run/no-bus").display());
        home = home.env("DBUS_SESSION_BUS_ADDRESS", no_bus);
        home = home.env("TZ", "UTC");
        // Where programs are; on Windows also what sockets need to start.
        for inherited in ["PATH", "SystemRoot", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(inherited) {
                home = home.env(inherited, value);
            }
        }
        home
    }

    /// A home whose default gateway is this one, with a key and a model.
    pub fn with(gateway: &Gateway) -> Self {
        Self::new().env("LLM_BASE_URL", gateway.base_url()).env("LLM_API_KEY", KEY).env("LLM_MODEL", "test-model")
    }

    /// Sets a variable for every process of this home.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.retain(|(other, _)| other != name.as_ref());
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Removes a variable.
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.retain(|(other, _)| other != OsStr::new(name));
        self
    }

    pub fn path(&self) -> &Path {
        self.directory.directory.path()
    }

    /// Exempts a file from the search for the key, by its path below the home: the test itself writes the key there, or has it written.
    pub fn may_hold_the_key(&self, file: &str) {
        self.directory.exceptions.lock().unwrap_or_else(PoisonError::into_inner).push(file.to_owned());
    }

    /// Writes a file below the home and gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a file has a directory")).expect("the file's directory");
        std::fs::write(&path, content).expect("a file of the home");
        path
    }

    /// Writes a program of the shell and gives its path.
    #[cfg(unix)]
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name, format!("#!/bin/sh\n{text}\n"));
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, executable).expect("ours");
        path
    }

    /// Writes the config file and points `LLM_CONFIG` to it.
    pub fn config(self, toml: &str) -> Self {
        let path = self.file("llm.toml", toml);
        self.env("LLM_CONFIG", path)
    }

    /// `llm` with these arguments.
    pub fn llm<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        let mut command = Command::new(LLM);
        command.args(arguments);
        self.run(command)
    }

    /// What stands before a command so that permissions hold for it, which do not stop root. `None` where another user cannot run ours:
    /// below a directory that only root may enter.
    #[cfg(target_os = "linux")]
    pub fn as_other_user(&self) -> Option<&'static str> {
        const OTHER: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups";
        let other = if rustix::process::geteuid().is_root() { OTHER } else { "" };
        let can_run = self.shell(&format!("{other} test -x \"$llm\"")).output().code() == Some(0);
        can_run.then_some(other)
    }

    /// A shell script, in which `$llm` is the binary.
    #[cfg(unix)]
    pub fn shell(&self, script: &str) -> Run {
        let mut command = Command::new("bash");
        command.args(["-c", script]).env("llm", LLM);
        self.run(command)
    }

    fn run(&self, mut command: Command) -> Run {
        let script: Vec<_> = command.get_envs().map(|(k, v)| (k.to_owned(), v.map(OsStr::to_owned))).collect();
        command.env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.envs(script.into_iter().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.path());
        Run::new(command, Arc::clone(&self.directory))
    }

    /// Where calls are recorded.
    pub fn ledger(&self) -> PathBuf {
        self.path().join("data/ledger.db")
    }

    /// The recorded calls, newest first.
    #[track_caller]
    pub fn log(&self) -> Vec<serde_json::Value> {
        let outcome = self.llm(["log", "-n", "0", "-o", "json"]).output();
        outcome.exits(0);
        outcome.json().as_array().expect("a list").clone()
    }

    /// Fails the test if a file of the home holds the key already; at its end every home is searched.
    #[track_caller]
    pub fn holds_no_key(&self) {
        self.directory.search();
    }

    /// Whether any file of the home holds this text.
    pub fn holds(&self, text: &str) -> bool {
        let found = |path: &PathBuf| {
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(text.len()).any(|part| part == text.as_bytes())
        };
        self.files().iter().any(found)
    }

    /// Every file below the home, for searching what was left behind.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut directories = vec![self.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).expect("a directory of the home") {
                let path = entry.expect("an entry of the home").path();
                if path.is_dir() && !path.is_symlink() { directories.push(path) } else { found.push(path) }
            }
        }
        found
    }
}
