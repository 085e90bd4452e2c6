//! `[store]`: the database that servers on several machines share.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::Env;
use super::source::Source;

/// Where the database is.
#[derive(Debug, Clone)]
pub struct SharedStore {
    /// Its address, `postgres://USER@HOST/DATABASE`. It may hold a password, so it is never shown.
    pub url: SecretString,
    /// A file with the certificates of those who may have signed the server's, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Who says the address: file and line of the config, or the variable. Messages about it begin with this.
    pub said: String,
}

impl SharedStore {
    /// The store of the environment, else that of the config file. The certificates are those of the file for both.
    pub(super) fn of(env: &Env, table: Option<StoreTable>, source: &Source) -> Option<Self> {
        const VARIABLE: &str = "LLM_STORE_URL";
        let (url, ca_file) = table.map_or((None, None), |table| (Some(table.url), table.ca_file));
        let in_file = |url: Spanned<Secret>| (source.place(Some(source.line(url.span().start))), url.into_inner().0);
        let in_env = env.get(VARIABLE).map(|url| (VARIABLE.to_owned(), url.into()));
        let (said, url) = in_env.or_else(|| url.map(in_file))?;
        Some(Self { url, ca_file: ca_file.map(|path| source.beside(&path)), said })
    }
}

/// The table as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreTable {
    url: Spanned<Secret>,
    #[serde(default)]
    ca_file: Option<PathBuf>,
}

/// A text that may hold a password.
#[derive(Debug)]
struct Secret(SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}
