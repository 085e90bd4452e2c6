//! The settings in force: environment over config file over presets.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::base_url;
use super::budget::Budget;
use super::file::{self, GatewayTable};
use super::names::suggestion;
use super::pipeline::Pipeline;
use super::routing::Alias;
use super::source::{Problem, Source, brief};
use super::template::Template;
use super::{
    Auth, BaseUrl, CacheSettings, Dirs, Env, Gateway, KeyRules, KeySource, LogLevel, ModelPrice, Otel, Rate, Render,
    SharedStore,
};
use crate::error::Error;

mod check;

const PRESETS: &str = include_str!("../presets.toml");

/// What `llm config init` writes.
pub const TEMPLATE: &str = include_str!("../config_template.toml");

/// The variable for a key that does not say which gateway it is for.
pub const LLM_API_KEY: &str = "LLM_API_KEY";

const DAY: Duration = Duration::from_secs(86_400);

/// The gateway that `LLM_BASE_URL` alone describes.
const ENV_GATEWAY: &str = "env";

/// Everything that environment, config file and presets say. Built once, passed by reference.
#[derive(Debug)]
pub struct Settings {
    pub env: Env,
    pub dirs: Dirs,
    /// Where the config file is or would be; `None` where there is no home directory.
    pub config_path: Option<PathBuf>,
    /// Whether that file exists.
    pub config_found: bool,
    /// Model to use where none is named, and who says so.
    pub model: Option<(String, Said)>,
    /// What the ledger keeps.
    pub log: LogLevel,
    /// How answers in Markdown are shown.
    pub render: Render,
    /// Named lists of models.
    pub sets: BTreeMap<String, Vec<String>>,
    /// Names for models that can stand in for each other.
    pub aliases: BTreeMap<String, Alias>,
    /// Kinds of work, and the model or alias that each goes to.
    pub tasks: BTreeMap<String, String>,
    /// Prompts that build on each other's answers.
    pub pipelines: BTreeMap<String, Pipeline>,
    /// Requests with places to fill in.
    pub templates: BTreeMap<String, Template>,
    pub cache: CacheSettings,
    pub budgets: Vec<Budget>,
    /// The models that a key may be used for, by its name.
    pub allow: BTreeMap<String, Vec<String>>,
    /// Rules for the keys of a server's clients, by name.
    pub key_classes: BTreeMap<String, KeyRules>,
    /// Where `llm serve` sends traces, if anywhere.
    pub otel: Option<Otel>,
    /// The database that servers share; `None` where they use the data directory.
    pub store: Option<SharedStore>,
    /// Prices by model name, USD per million tokens.
    pub prices: BTreeMap<String, ModelPrice>,
    /// How long to wait for the keyring; `None` is the built-in limit.
    pub keyring_timeout: Option<Duration>,
    default_gateway: Option<(String, Said)>,
    /// The gateway that `LLM_API_KEY` was used for where nobody says which it is for.
    first_user_of_llm_api_key: OnceLock<String>,
    gateways: BTreeMap<String, GatewayTable>,
    /// Names of the gateways that the config file has a table for.
    in_file: Vec<String>,
}

/// Who says what a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Environment(&'static str),
    File,
    Preset,
}

impl Settings {
    /// Reads the config file that the environment points to. A file that is named but missing is an error; one that
    /// is not there at its usual place is not. Files in the working directory are never read.
    pub fn load(env: Env) -> Result<Self, Error> {
        let config_path = Self::config_path(&env);
        let source = match &config_path {
            Some(path) => Source::read(path, env.path("LLM_CONFIG").is_some())?,
            None => None,
        };
        let mut settings = Self::from_source(env, source.as_ref().unwrap_or(&Source::default()))?;
        settings.config_path = config_path;
        settings.config_found = source.is_some();
        Ok(settings)
    }

    /// Whether nobody can tell if there is a config file, because a directory on the way to it may not be entered.
    pub fn is_config_out_of_reach(&self) -> bool {
        let denied =
            |path: &PathBuf| fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        !self.config_found && self.config_path.as_ref().is_some_and(denied)
    }

    /// Where the config file is or would be; `None` where there is no home directory.
    pub fn config_path(env: &Env) -> Option<PathBuf> {
        let usual = || Some(env.dir_or("XDG_CONFIG_HOME", dirs::config_dir)?.join("llm").join("config.toml"));
        env.path("LLM_CONFIG").or_else(usual)
    }

    /// The settings that a config file with this text would give, whether the file is there or not.
    ///
    /// # Errors
    /// They make no sense.
    pub fn from_text(env: Env, path: &Path, text: &str) -> Result<Self, Error> {
        let mut settings = Self::from_source(env, &Source::new(path, text))?;
        settings.config_path = Some(path.to_owned());
        settings.config_found = true;
        Ok(settings)
    }

    pub(super) fn from_source(env: Env, source: &Source) -> Result<Self, Error> {
        Self::checked(env, source).map_err(brief)
    }

    fn checked(env: Env, source: &Source) -> Result<Self, Error> {
        let file = file::parse(source)?;
        let in_file: Vec<String> = file.gateway.keys().cloned().collect();
        let mut gateways = gateway_tables(file.gateway, source)?;
        let mut default_gateway = file.default_gateway.map(|name| (name, Said::File));
        if let Some(name) = env.get("LLM_GATEWAY") {
            default_gateway = Some((name.to_owned(), Said::Environment("LLM_GATEWAY")));
        }
        if let Some(url) = env.get("LLM_BASE_URL") {
            let default = default_gateway.as_ref().and_then(|(name, _)| gateways.get(name));
            gateways.insert(ENV_GATEWAY.to_owned(), env_gateway(url, default));
            default_gateway = Some((ENV_GATEWAY.to_owned(), Said::Environment("LLM_BASE_URL")));
        }
        let model = match env.get("LLM_MODEL") {
            Some(model) => Some((model.to_owned(), Said::Environment("LLM_MODEL"))),
            None => file.model.map(|model| (model, Said::File)),
        };
        let settings = Self {
            dirs: dirs_of(&env)?,
            store: SharedStore::of(&env, file.store, source),
            env,
            config_path: None,
            config_found: false,
            model,
            log: file.log.unwrap_or_default(),
            render: file.render.unwrap_or_default(),
            sets: file.set,
            budgets: file.budgets,
            allow: file.allow,
            key_classes: file.key_class,
            otel: file.otel,
            cache: CacheSettings {
                enabled: file.cache.enabled.unwrap_or(false),
                ttl: file.cache.ttl.unwrap_or(DAY * 7),
                max_size: file.cache.max_size.unwrap_or(256 << 20),
            },
            aliases: file.alias,
            tasks: file.task,
            pipelines: file.pipelines,
            templates: file.templates,
            prices: file.price.into_iter().map(|(model, price)| (model, price.into())).collect(),
            keyring_timeout: file.keyring_timeout,
            default_gateway,
            first_user_of_llm_api_key: OnceLock::new(),
            gateways,
            in_file,
        };
        settings.check(source)?;
        Ok(settings)
    }

    /// The config file as messages name it.
    pub fn config_name(&self) -> String {
        self.config_path.as_deref().map_or_else(|| "the config".to_owned(), |path| path.display().to_string())
    }

    /// The one gateway that the command uses, complete and checked. It may use `LLM_API_KEY` where nobody says which gateway that
    /// is for; after this, no other one may.
    ///
    /// # Errors
    /// As for [`Settings::gateway`].
    pub fn only_gateway(&self, name: &str) -> Result<Gateway, Error> {
        let gateway = self.gateway(name)?;
        if gateway.auth == Auth::None || self.owner_of_llm_api_key().is_some() {
            return Ok(gateway);
        }
        // Only the first one is kept.
        let _ = self.first_user_of_llm_api_key.set(name.to_owned());
        self.gateway(name)
    }

    /// The gateway of this name, complete and checked.
    pub fn gateway(&self, name: &str) -> Result<Gateway, Error> {
        if !self.gateways.contains_key(name) {
            return Err(self.unknown(name, []).into());
        }
        self.complete(name).map_err(|problem| match self.gateway_said(name) {
            Said::Environment(variable) => problem.about(variable).into(),
            Said::File | Said::Preset => problem.about(&format!("gateway `{name}`")).into(),
        })
    }

    fn unknown<const N: usize>(&self, name: &str, key: [&str; N]) -> Problem {
        let problem = Problem::at(key, format!("no gateway is called `{name}`"));
        problem.hint(suggestion(name, self.gateway_names(), "known gateways"))
    }

    /// The gateway of this name, with a default in place of what its table leaves out.
    fn complete(&self, name: &str) -> Result<Gateway, Problem> {
        let table = self.gateways.get(name).ok_or_else(|| self.unknown(name, []))?;
        let wrong = |key: &str, what: String| Problem::at(["gateway", name, key], what);
        let base_url = match &table.base_url {
            Some(url) => BaseUrl::parse(url, table.allow_http == Some(true)),
            // The demo gateway has no address until it runs.
            None if name == "demo" => BaseUrl::parse("http://127.0.0.1:0/v1", false),
            None => return Err(wrong("base_url", "it has no base_url".into())),
        };
        let base_url = base_url.map_err(|error| wrong("base_url", error.to_string()))?;
        let markup = match table.markup {
            None => None,
            Some(share) if (0.0..=100.0).contains(&share) => Some((share * 1_000_000.0).round() as u32),
            Some(share) => return Err(wrong("markup", format!("markup = {share} is not a share such as 0.055"))),
        };
        let auth = table.auth.unwrap_or(if base_url.is_loopback() { Auth::Optional } else { Auth::Required });
        let has_llm_api_key = auth != Auth::None && self.owner_of_llm_api_key() == Some(name);
        let key = KeySource::of(table, has_llm_api_key).map_err(|problem| problem.below(["gateway", name]))?;
        Ok(Gateway {
            name: name.to_owned(),
            base_url,
            api: table.api.unwrap_or_default(),
            model_api: table.model_api.clone().unwrap_or_default(),
            auth,
            key,
            headers: table.headers.clone().unwrap_or_default(),
            ca_file: table.ca_file.as_ref().map(|path| self.beside_config(path)),
            timeouts: table.timeouts.unwrap_or_default().into(),
            rate: Rate { max_concurrency: table.max_concurrency, requests_per_minute: table.requests_per_minute },
            markup,
            models: table.models.clone().unwrap_or_default(),
            price_list: table.price_list.unwrap_or_default(),
            price_provider: table.price_provider.clone(),
        })
    }

    /// The gateway that `LLM_API_KEY` is for: the default one, or the only one that the config file describes. Where nobody says
    /// which, it is for the [one gateway](Self::only_gateway) that the command uses first; `None` before. A key must not reach a
    /// gateway that it was not meant for.
    pub fn owner_of_llm_api_key(&self) -> Option<&str> {
        self.said_owner_of_llm_api_key().or_else(|| self.first_user_of_llm_api_key.get().map(String::as_str))
    }

    /// The same as far as the settings say it.
    pub fn said_owner_of_llm_api_key(&self) -> Option<&str> {
        let only = || if let [only] = self.in_file.as_slice() { Some(only.as_str()) } else { None };
        self.default_gateway.as_ref().map(|(name, _)| name.as_str()).or_else(only)
    }

    /// The gateway to use where a name does not say: the flag, the environment, the config file, the one gateway of
    /// the config file, the one with a saved key, the one with a key in the environment. `saved` gives the names of
    /// gateways with a saved key, and is only asked if need be.
    pub fn default_gateway(&self, flag: Option<&str>, saved: impl FnOnce() -> Vec<String>) -> Result<String, Error> {
        if let Some(name) = flag {
            return Ok(name.to_owned());
        }
        if let Some((name, _)) = &self.default_gateway {
            return Ok(name.clone());
        }
        let in_env = || self.gateways_with_key_in_env().map(str::to_owned).collect::<Vec<_>>();
        let only = |candidates: Vec<String>| match candidates.as_slice() {
            [] => None,
            [one] => Some(Ok(one.clone())),
            several => Some(Err(Error::config_hint(
                format!("which gateway? There are {}", several.join(", ")),
                "name one with -g, LLM_GATEWAY, or default_gateway in the config file",
            ))),
        };
        // Saved keys are looked for only where the file says nothing.
        if let Some(found) = only(self.in_file.clone()).or_else(|| only(saved())).or_else(|| only(in_env())) {
            return found;
        }
        Err(Error::config_hint(
            "no gateway is set up yet",
            "`llm key set openrouter` saves the key of a gateway (any of: openrouter, litellm, openai, …); LLM_BASE_URL and \
             LLM_API_KEY name one without saving anything; or try `llm compare -g demo \"PROMPT\"`, which needs neither key \
             nor network",
        ))
    }

    /// The gateways that the config file describes, in order.
    pub fn gateways_in_use(&self) -> impl Iterator<Item = &str> {
        self.in_file.iter().map(String::as_str)
    }

    /// The gateways for which a variable of the environment holds a key.
    pub fn gateways_with_key_in_env(&self) -> impl Iterator<Item = &str> {
        let has_key = |table: &GatewayTable| table.key_env.iter().flatten().any(|name| self.env.get(name).is_some());
        self.gateways.iter().filter(move |(_, table)| has_key(table)).map(|(name, _)| name.as_str())
    }

    /// Who says which gateway is the default, if anybody does.
    pub fn default_gateway_said(&self) -> Option<(&str, Said)> {
        self.default_gateway.as_ref().map(|(name, said)| (name.as_str(), *said))
    }

    /// The names of all gateways, presets included.
    pub fn gateway_names(&self) -> impl Iterator<Item = &str> {
        self.gateways.keys().map(String::as_str)
    }

    /// The environment variables that may hold a key, which no program that this one runs may see: those of all
    /// gateways, and those that hold a key by their name or value.
    pub fn key_variables(&self) -> Vec<String> {
        key_variables(&self.env, self.gateways.values())
    }

    /// As [`Settings::key_variables`], also where the config file makes no sense. Then every variable counts whose name
    /// stands in quotes in it, because one of them may be in a `key_env`.
    pub fn key_variables_of(env: &Env) -> Vec<String> {
        let source = Self::config_path(env).and_then(|path| Source::read(&path, false).ok().flatten());
        let source = source.unwrap_or_default();
        match gateway_tables(file::parse(&source).unwrap_or_default().gateway, &source) {
            Ok(tables) if file::parse(&source).is_ok() => key_variables(env, tables.values()),
            _ => {
                let mut names = key_variables(env, presets().unwrap_or_default().values());
                names.extend(source.quoted().filter(|name| env.get(name).is_some()).map(str::to_owned));
                names
            }
        }
    }

    /// Who describes this gateway.
    pub fn gateway_said(&self, name: &str) -> Said {
        if name == ENV_GATEWAY && self.env.get("LLM_BASE_URL").is_some() {
            Said::Environment("LLM_BASE_URL")
        } else if self.in_file.iter().any(|known| known == name) {
            Said::File
        } else {
            Said::Preset
        }
    }

    /// A path of the config file; a relative one starts at the directory of that file.
    pub fn beside_config(&self, path: &Path) -> PathBuf {
        match self.config_path.as_deref().and_then(Path::parent) {
            Some(dir) => dir.join(path),
            None => path.to_owned(),
        }
    }
}

/// The presets that are compiled in.
fn presets() -> Result<BTreeMap<String, GatewayTable>, Error> {
    file::parse(&Source::new(Path::new("presets.toml"), PRESETS)).map(|file| file.gateway)
}

/// The presets, with the tables of the config file over them.
fn gateway_tables(
    in_file: BTreeMap<String, GatewayTable>,
    source: &Source,
) -> Result<BTreeMap<String, GatewayTable>, Error> {
    let mut gateways = presets()?;
    for (name, table) in in_file {
        if name.contains("::") || name.is_empty() {
            let message = format!("`{name}` cannot name a gateway: `::` separates gateway and model");
            return Err(source.error(Problem::at(["gateway", &name], message)));
        }
        let table = table.without_endpoint().map_err(|(said, api)| {
            let (said, api) = (said.as_str(), api.as_str());
            let message = format!("gateway `{name}`: its api is {said}, but its base_url is an endpoint of {api}");
            let problem = Problem::at(["gateway", &name, "base_url"], message);
            source.error(problem.hint("leave the end of the URL away, or the api"))
        })?;
        let preset = gateways.remove(&name).unwrap_or_default();
        gateways.insert(name, preset.overridden_by(table));
    }
    Ok(gateways)
}

/// The gateway of `LLM_BASE_URL`. It speaks what the default gateway of the config does; the key and the headers of that
/// one are for its own address.
fn env_gateway(url: &str, default: Option<&GatewayTable>) -> GatewayTable {
    let default = default.cloned().unwrap_or_default();
    let (base_url, api) = match base_url::endpoint(url) {
        Some((base, api)) => (base, Some(api)),
        None => (url, default.api),
    };
    GatewayTable {
        base_url: Some(base_url.to_owned()),
        api,
        model_api: default.model_api,
        price_list: default.price_list,
        timeouts: default.timeouts,
        ..GatewayTable::default()
    }
}

fn dirs_of(env: &Env) -> Result<Dirs, Error> {
    if let Some(relative) = env.path("LLM_DATA_DIR").filter(|path| path.is_relative()) {
        return Err(Error::config(format!("LLM_DATA_DIR takes an absolute path, not `{}`", relative.display())));
    }
    let llm = |dir: PathBuf| dir.join("llm");
    Ok(match env.dir("LLM_DATA_DIR") {
        Some(data) => Dirs { cache: Some(data.join("cache")), data: Some(data) },
        None => Dirs {
            data: env.dir_or("XDG_DATA_HOME", dirs::data_dir).map(llm),
            cache: env.dir_or("XDG_CACHE_HOME", dirs::cache_dir).map(llm),
        },
    })
}

fn key_variables<'a>(env: &Env, gateways: impl Iterator<Item = &'a GatewayTable>) -> Vec<String> {
    let named = gateways.flat_map(|table| table.key_env.iter().flatten()).map(String::as_str);
    env.key_variables(named.chain([LLM_API_KEY]))
}

#[cfg(test)]
mod tests;
