//! The environment, read once.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

/// The environment of the process, or of a test. It holds keys, so it cannot be printed.
#[derive(Clone, Default)]
pub struct Env {
    vars: HashMap<String, OsString>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}

impl Env {
    /// The environment of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn of_process() -> Self {
        let vars = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { vars: vars.collect() }
    }

    /// An environment that holds just these variables.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self { vars: pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect() }
    }

    /// The variable's value; one that is set but empty, or not UTF-8, counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.set(name)?.to_str()
    }

    /// The variable's value as a path, which need not be UTF-8; one that is set but empty counts as not set.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.set(name).map(PathBuf::from)
    }

    /// As [`Env::path`], if it is absolute: a relative one is ignored, as the XDG specification asks.
    pub(super) fn dir(&self, name: &str) -> Option<PathBuf> {
        self.path(name).filter(|path| path.is_absolute())
    }

    /// The same, and where that says nothing, the directory that the system names. One below a home directory that is relative is
    /// ignored as well: what is in the working directory decides nothing.
    pub(super) fn dir_or(&self, name: &str, usual: fn() -> Option<PathBuf>) -> Option<PathBuf> {
        self.dir(name).or_else(usual).filter(|path| path.is_absolute())
    }

    /// Whether the variable is set, and empty. Libraries that read it may take that for a value.
    pub fn is_empty(&self, name: &str) -> bool {
        self.vars.get(name).is_some_and(|value| value.is_empty())
    }

    fn set(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The variables that may hold a key: those that are `named` so, those that are called so (`LLM_…KEY…`), those whose value
    /// is that of another or begins as the keys of many gateways do, and that of the store, which may hold a password.
    pub(super) fn key_variables<'a>(&self, named: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut names: Vec<String> = named.map(str::to_owned).collect();
        let keys: Vec<&OsStr> = names.iter().filter_map(|name| self.set(name)).collect();
        let holds_key = |name: &str, value: &OsString| {
            let text = value.to_str().map(str::trim_start);
            let bare = text.map(|text| text.strip_prefix("Bearer ").unwrap_or(text));
            name.starts_with("LLM_") && name.contains("KEY")
                || name == "LLM_STORE_URL"
                || bare.is_some_and(|bare| bare.starts_with("sk-") || keys.contains(&OsStr::new(bare)))
                || keys.contains(&value.as_os_str())
        };
        let others = self.vars.iter().filter(|(name, value)| holds_key(name, value)).map(|(name, _)| name.clone());
        let others: Vec<String> = others.collect();
        names.extend(others);
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The proxy variable in force for a URL scheme, by name. As for curl, small letters come first.
    pub fn proxy_variable(&self, https: bool) -> Option<&'static str> {
        let names: [&'static str; 4] = if https {
            ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        } else {
            ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        };
        // A program that a web server runs has a header of its client in this variable.
        let is_safe = |name: &&str| *name != "HTTP_PROXY" || self.get("REQUEST_METHOD").is_none();
        names.into_iter().filter(is_safe).find(|name| self.get(name).is_some())
    }
}
