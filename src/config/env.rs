//! The environment, read once.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

/// The environment of the process, or of a test. It holds keys, so it cannot be printed.
#[derive(Clone, Default)]
pub struct Env {
    vars: HashMap<String, String>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}

impl Env {
    /// The environment of this process. Variables that are not UTF-8 are as good as not set: all we look for are text.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn of_process() -> Self {
        let vars =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { vars: vars.collect() }
    }

    /// An environment that holds just these variables.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self { vars: pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    /// The variable's value; one that is set but empty counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// As [`Env::get`], as an absolute path: a relative one is ignored, as the XDG specification asks.
    pub(super) fn dir(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// The proxy variable in force for a URL scheme, by name.
    pub fn proxy_variable(&self, https: bool) -> Option<&'static str> {
        let names: [&'static str; 4] = if https {
            ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        } else {
            ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        };
        names.into_iter().find(|name| self.get(name).is_some())
    }
}
