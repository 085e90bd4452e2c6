//! The settings in force: environment over config file over presets.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::base_url;
use super::budget::{self, Budget};
use super::file::{self, ConfigFile, GatewayTable, TimeoutTable};
use super::pipeline::{self, Pipeline};
use super::routing::{self, Alias};
use super::{
    Auth, BaseUrl, CacheSettings, Dirs, Env, Gateway, KeySource, LogLevel, ModelPrice, Rate, Timeouts, nearest,
};
use crate::error::Error;

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
    /// Named lists of models.
    pub sets: BTreeMap<String, Vec<String>>,
    /// Names for models that can stand in for each other.
    pub aliases: BTreeMap<String, Alias>,
    /// Kinds of work, and the model or alias that each goes to.
    pub tasks: BTreeMap<String, String>,
    /// Prompts that build on each other's answers.
    pub pipelines: BTreeMap<String, Pipeline>,
    pub cache: CacheSettings,
    pub budgets: Vec<Budget>,
    /// The models that a key may be used for, by its name.
    pub allow: BTreeMap<String, Vec<String>>,
    /// Prices by model name, USD per million tokens.
    pub prices: BTreeMap<String, ModelPrice>,
    /// How long to wait for the keyring; `None` is the built-in limit.
    pub keyring_timeout: Option<Duration>,
    default_gateway: Option<(String, Said)>,
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
        let text = match &config_path {
            Some(path) => read_config(path, env.path("LLM_CONFIG").is_some())?,
            None => None,
        };
        let config_found = text.is_some();
        let file = match (&text, &config_path) {
            (Some(text), Some(path)) => file::parse(text, path)?,
            _ => ConfigFile::default(),
        };
        let mut settings = Self::merge(env, file)?;
        settings.config_path = config_path;
        settings.config_found = config_found;
        settings.check()?;
        Ok(settings)
    }

    /// Where the config file is or would be; `None` where there is no home directory.
    pub fn config_path(env: &Env) -> Option<PathBuf> {
        let usual = || Some(env.dir("XDG_CONFIG_HOME").or_else(dirs::config_dir)?.join("llm").join("config.toml"));
        env.path("LLM_CONFIG").or_else(usual)
    }

    fn merge(env: Env, file: ConfigFile) -> Result<Self, Error> {
        let presets = file::parse(PRESETS, Path::new("presets.toml"))?;
        let in_file: Vec<String> = file.gateway.keys().cloned().collect();
        let mut gateways = presets.gateway;
        for (name, table) in file.gateway {
            if name.contains("::") || name.is_empty() {
                return Err(Error::config(format!("`{name}` cannot name a gateway: `::` separates gateway and model")));
            }
            let table = table.without_endpoint().map_err(|(said, api)| {
                let (said, api) = (said.as_str(), api.as_str());
                Error::config_hint(
                    format!("gateway `{name}`: its api is {said}, but its base_url is an endpoint of {api}"),
                    "leave the end of the URL away, or the api",
                )
            })?;
            let preset = gateways.remove(&name).unwrap_or_default();
            gateways.insert(name, preset.overridden_by(table));
        }
        let mut default_gateway = file.default_gateway.map(|name| (name, Said::File));
        if let Some(name) = env.get("LLM_GATEWAY") {
            default_gateway = Some((name.to_owned(), Said::Environment("LLM_GATEWAY")));
        }
        if let Some(url) = env.get("LLM_BASE_URL") {
            // What a gateway of the config speaks is taken over; its key and headers are for its own address.
            let named = default_gateway.as_ref().and_then(|(name, _)| gateways.get(name)).cloned().unwrap_or_default();
            let (base_url, api) = match base_url::endpoint(url) {
                Some((base, api)) => (base, Some(api)),
                None => (url, named.api),
            };
            let table = GatewayTable {
                base_url: Some(base_url.to_owned()),
                api,
                model_api: named.model_api,
                price_list: named.price_list,
                timeouts: named.timeouts,
                ..GatewayTable::default()
            };
            gateways.insert(ENV_GATEWAY.to_owned(), table);
            default_gateway = Some((ENV_GATEWAY.to_owned(), Said::Environment("LLM_BASE_URL")));
        }
        let model = match env.get("LLM_MODEL") {
            Some(model) => Some((model.to_owned(), Said::Environment("LLM_MODEL"))),
            None => file.model.map(|model| (model, Said::File)),
        };
        let llm = |dir: PathBuf| dir.join("llm");
        if let Some(relative) = env.path("LLM_DATA_DIR").filter(|path| path.is_relative()) {
            return Err(Error::config(format!("LLM_DATA_DIR takes an absolute path, not `{}`", relative.display())));
        }
        let data = env.dir("LLM_DATA_DIR").or_else(|| env.dir("XDG_DATA_HOME").or_else(dirs::data_dir).map(llm));
        let cache = match env.dir("LLM_DATA_DIR") {
            Some(data) => Some(data.join("cache")),
            None => env.dir("XDG_CACHE_HOME").or_else(dirs::cache_dir).map(llm),
        };
        Ok(Self {
            env,
            dirs: Dirs { data, cache },
            config_path: None,
            config_found: false,
            model,
            log: file.log.unwrap_or_default(),
            sets: file.set,
            budgets: file.budgets,
            allow: file.allow,
            cache: CacheSettings {
                enabled: file.cache.enabled.unwrap_or(false),
                ttl: file.cache.ttl.unwrap_or(DAY * 7),
                max_size: file.cache.max_size.unwrap_or(256 << 20),
            },
            aliases: file.alias,
            tasks: file.task,
            pipelines: file.pipelines,
            prices: file.price.into_iter().map(|(model, price)| (model, price.into())).collect(),
            keyring_timeout: file.keyring_timeout,
            default_gateway,
            gateways,
            in_file,
        })
    }

    /// Finds what is wrong with gateways that nobody asked for yet, so that a typing error shows at once.
    fn check(&self) -> Result<(), Error> {
        for name in &self.in_file {
            self.gateway(name)?;
        }
        if let Some((name, _)) = &self.default_gateway {
            self.gateway(name)?;
        }
        let gateways: Vec<&str> = self.gateway_names().collect();
        budget::check(&self.budgets, gateways.iter().copied(), &self.config_name())?;
        routing::check(&self.aliases, &self.tasks, gateways.iter().copied())?;
        pipeline::check(&self.pipelines, &self.tasks, gateways.iter().copied(), &self.config_name())
    }

    /// The config file as messages name it.
    pub fn config_name(&self) -> String {
        self.config_path.as_deref().map_or_else(|| "the config".to_owned(), |path| path.display().to_string())
    }

    /// The gateway of this name, complete and checked.
    pub fn gateway(&self, name: &str) -> Result<Gateway, Error> {
        let Some(table) = self.gateways.get(name) else {
            let hint = match nearest(name, self.gateway_names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known gateways: {}", self.gateway_names().collect::<Vec<_>>().join(", ")),
            };
            return Err(Error::config_hint(format!("no gateway is called `{name}`"), hint));
        };
        let wrong = |what: String| Error::config(format!("gateway `{name}`: {what}"));
        let base_url = match &table.base_url {
            Some(url) => {
                BaseUrl::parse(url, table.allow_http == Some(true)).map_err(|error| match self.gateway_said(name) {
                    Said::Environment(variable) => Error::config(format!("{variable}: {error}")),
                    Said::File | Said::Preset => wrong(error.to_string()),
                })?
            }
            // The demo gateway has no address until it runs.
            None if name == "demo" => {
                BaseUrl::parse("http://127.0.0.1:0/v1", false).map_err(|error| wrong(error.to_string()))?
            }
            None => return Err(wrong("it has no base_url".into())),
        };
        if table.key_command.as_ref().is_some_and(Vec::is_empty) {
            return Err(wrong("key_command names no program".into()));
        }
        let markup = match table.markup {
            None => None,
            Some(share) if (-1.0..=100.0).contains(&share) && share >= 0.0 => {
                Some((share * 1_000_000.0).round() as u32)
            }
            Some(share) => return Err(wrong(format!("markup = {share} is not a share such as 0.055"))),
        };
        let auth = table.auth.unwrap_or(if base_url.is_loopback() { Auth::Optional } else { Auth::Required });
        let mut key_env: Vec<String> = table.key_env.clone().unwrap_or_default();
        if auth != Auth::None && self.owner_of_llm_api_key().is_none_or(|owner| owner == name) {
            key_env.insert(0, LLM_API_KEY.to_owned());
        }
        let TimeoutTable { connect, first_token, idle, total } = table.timeouts.unwrap_or_default();
        let usual = Timeouts::default();
        Ok(Gateway {
            name: name.to_owned(),
            api: table.api.unwrap_or_default(),
            model_api: table.model_api.clone().unwrap_or_default(),
            auth,
            key: KeySource { env: key_env, command: table.key_command.clone(), name: table.key_name.clone() },
            headers: table.headers.clone().unwrap_or_default(),
            ca_file: table.ca_file.as_ref().map(|path| self.beside_config(path)),
            timeouts: Timeouts {
                connect: connect.unwrap_or(usual.connect),
                first_token: first_token.unwrap_or(usual.first_token),
                idle: idle.unwrap_or(usual.idle),
                total: total.unwrap_or(usual.total),
            },
            rate: Rate { max_concurrency: table.max_concurrency, requests_per_minute: table.requests_per_minute },
            markup,
            models: table.models.clone().unwrap_or_default(),
            price_list: table.price_list.unwrap_or_default(),
            price_provider: table.price_provider.clone(),
            base_url,
        })
    }

    /// The gateway that `LLM_API_KEY` is for: the default one, or the only one that the config file describes. Where
    /// nobody says which (`None`), it is for the one gateway that a command is told to use: a key must not reach a
    /// gateway that it was not meant for.
    pub fn owner_of_llm_api_key(&self) -> Option<&str> {
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
        let in_env = || {
            let has_key =
                |table: &GatewayTable| table.key_env.iter().flatten().any(|name| self.env.get(name).is_some());
            self.gateways.iter().filter(|(_, table)| has_key(table)).map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        for candidates in [self.in_file.clone(), saved(), in_env()] {
            match candidates.as_slice() {
                [] => {}
                [one] => return Ok(one.clone()),
                several => {
                    return Err(Error::config_hint(
                        format!("which gateway? There are {}", several.join(", ")),
                        "name one with -g, LLM_GATEWAY, or default_gateway in the config file",
                    ));
                }
            }
        }
        Err(Error::config_hint(
            "no gateway is set up yet",
            "`llm key set openrouter` saves the key of a gateway (any of: openrouter, litellm, openai, …); LLM_BASE_URL and \
             LLM_API_KEY name one without saving anything; or try `llm compare -g demo \"PROMPT\"`, which needs neither key \
             nor network",
        ))
    }

    /// Who says which gateway is the default, if anybody does.
    pub fn default_gateway_said(&self) -> Option<(&str, Said)> {
        self.default_gateway.as_ref().map(|(name, said)| (name.as_str(), *said))
    }

    /// The names of all gateways, presets included.
    pub fn gateway_names(&self) -> impl Iterator<Item = &str> {
        self.gateways.keys().map(String::as_str)
    }

    /// Every environment variable that may hold a key, for programs that must not see one.
    pub fn key_variables(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.gateways.values().flat_map(|table| table.key_env.iter().flatten()).cloned().collect();
        names.push("LLM_API_KEY".to_owned());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// As [`Settings::key_variables`], of the presets alone: what is known without a config file.
    pub fn key_variables_of_presets() -> Vec<String> {
        // The presets are compiled in, and a test parses them.
        let presets = file::parse(PRESETS, Path::new("presets.toml")).unwrap_or_default();
        let named = presets.gateway.into_values().flat_map(|table| table.key_env.unwrap_or_default());
        named.chain(["LLM_API_KEY".to_owned()]).collect()
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

    fn beside_config(&self, path: &Path) -> PathBuf {
        match self.config_path.as_deref().and_then(Path::parent) {
            Some(dir) => dir.join(path),
            None => path.to_owned(),
        }
    }
}

fn read_config(path: &Path, must_exist: bool) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => Ok(None),
        Err(error) => Err(Error::Config {
            message: format!("cannot read the config file {}", path.display()),
            cause: Some(error.to_string()),
            hint: must_exist.then(|| "LLM_CONFIG names this file".to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Api;

    fn settings(env: &[(&str, &str)], config: &str) -> Result<Settings, Error> {
        let file = file::parse(config, Path::new("config.toml"))?;
        let settings = Settings::merge(Env::from_pairs(env.iter().copied()), file)?;
        settings.check()?;
        Ok(settings)
    }

    #[test]
    fn every_preset_is_complete() {
        let settings = settings(&[], "").expect("good presets");
        for name in settings.gateway_names().collect::<Vec<_>>() {
            settings.gateway(name).expect(name);
        }
    }

    #[test]
    fn a_config_overrides_a_preset_field_by_field() {
        let settings = settings(&[], "[gateway.openrouter]\nkey_name = \"team-a\"\nmarkup = 0.055\n").expect("good");
        let gateway = settings.gateway("openrouter").expect("known");
        assert_eq!(gateway.base_url.as_str(), "https://openrouter.ai/api/v1");
        assert_eq!(gateway.key.name.as_deref(), Some("team-a"));
        assert_eq!(gateway.markup, Some(55_000));
        assert!(gateway.key.env.contains(&"OPENROUTER_API_KEY".to_owned()));
    }

    #[test]
    fn a_preset_that_moves_to_another_address_loses_its_key_variable() {
        let config = "[gateway.openai]\nbase_url = \"https://evil.example/v1\"\n";
        let settings = settings(&[("LLM_GATEWAY", "openrouter")], config).expect("good");
        assert_eq!(settings.gateway("openai").expect("known").key.env, Vec::<String>::new());
    }

    #[test]
    fn nothing_that_may_be_secret_can_be_printed() {
        let config = "[gateway.corp]\nbase_url = \"https://c/v1\"\nheaders = { X-Key = \"CANARY\" }\n\
                      key_command = [\"echo\", \"CANARY\"]\n";
        let settings = settings(&[("LLM_API_KEY", "CANARY")], config).expect("good");
        let gateway = settings.gateway("corp").expect("known");
        assert!(!format!("{settings:?} {gateway:?}").contains("CANARY"));
    }

    #[test]
    fn a_base_url_alone_is_enough() {
        let settings = settings(&[("LLM_BASE_URL", "http://127.0.0.1:9/v1")], "").expect("good");
        let name = settings.default_gateway(None, Vec::new).expect("a default");
        let gateway = settings.gateway(&name).expect("known");
        assert_eq!((name.as_str(), gateway.auth), ("env", Auth::Optional));
        assert_eq!(gateway.key.env, ["LLM_API_KEY"]);
    }

    #[test]
    fn the_pasted_url_of_an_endpoint_says_base_and_api() {
        let config = "[gateway.anthropic]\nbase_url = \"https://corp.example/v1/chat/completions\"\n";
        let settings = settings(&[("LLM_BASE_URL", "https://corp.example/v1/messages")], config).expect("good");
        for (name, api) in [("env", Api::Anthropic), ("anthropic", Api::OpenaiChat)] {
            let gateway = settings.gateway(name).expect("known");
            assert_eq!((gateway.base_url.as_str(), gateway.api), ("https://corp.example/v1", api), "{name}");
        }
    }

    #[test]
    fn an_api_may_be_set_for_some_models() {
        let config = "[gateway.openrouter.model_api]\n\"*\" = \"openai-responses\"\n\"anthropic/*\" = \"anthropic\"\n";
        let settings = settings(&[], config).expect("good");
        let gateway = settings.gateway("openrouter").expect("known");
        assert_eq!(gateway.api_of("anthropic/claude-opus-5-5"), Api::Anthropic);
        assert_eq!(gateway.api_of("openai/gpt-6-sol"), Api::OpenaiResponses);
        assert_eq!(settings.gateway("openai").expect("known").api_of("gpt-6-sol"), Api::OpenaiChat);
    }

    #[test]
    fn llm_api_key_is_for_the_default_gateway_alone() {
        let settings = settings(&[("LLM_API_KEY", "k"), ("LLM_GATEWAY", "openrouter")], "").expect("good");
        let has = |name| settings.gateway(name).expect("known").key.env.contains(&"LLM_API_KEY".to_owned());
        assert!(has("openrouter"));
        assert!(!has("openai"));
    }

    #[test]
    fn llm_api_key_is_for_the_only_gateway_of_the_config_file() {
        let settings =
            settings(&[("LLM_API_KEY", "k")], "[gateway.corp]\nbase_url = \"https://c/v1\"\n").expect("good");
        assert_eq!(settings.owner_of_llm_api_key(), Some("corp"));
        assert!(!settings.gateway("openai").expect("known").key.env.contains(&LLM_API_KEY.to_owned()));
    }

    #[test]
    fn the_default_gateway_is_the_one_that_is_meant() {
        let none = Vec::new;
        let plain =
            |env: &[(&str, &str)], config: &str| settings(env, config).expect("good").default_gateway(None, none);
        assert_eq!(plain(&[("LLM_GATEWAY", "openai")], "default_gateway = \"litellm\"").expect("env"), "openai");
        assert_eq!(plain(&[], "default_gateway = \"litellm\"").expect("file"), "litellm");
        assert_eq!(plain(&[], "[gateway.corp]\nbase_url = \"https://c/v1\"").expect("the only one"), "corp");
        assert_eq!(plain(&[("OPENAI_API_KEY", "k")], "").expect("key in the environment"), "openai");
        let saved = || vec!["deepseek".to_owned()];
        assert_eq!(settings(&[], "").expect("good").default_gateway(None, saved).expect("saved key"), "deepseek");
        assert_eq!(plain(&[], "").expect_err("none").exit_code(), 3);
        assert!(plain(&[("OPENAI_API_KEY", "k"), ("DEEPSEEK_API_KEY", "k")], "").is_err());
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        for config in [
            "default_gateway = \"nope\"",
            "[gateway.corp]\nmodels = []",
            "[gateway.corp]\nbase_url = \"http://corp.example/v1\"",
            "[gateway.corp]\nbase_url = \"https://u:p@corp.example/v1\"",
            "[gateway.corp]\nbase_url = \"https://corp.example/v1\"\nkey_command = []",
            "[gateway.corp]\nbase_url = \"https://corp.example/v1\"\nmarkup = -1",
            "[gateway.corp]\nbase_url = \"https://corp.example/v1/messages\"\napi = \"gemini\"",
            "[gateway.\"a::b\"]\nbase_url = \"https://corp.example/v1\"",
        ] {
            assert_eq!(settings(&[], config).expect_err(config).exit_code(), 3, "{config}");
        }
        let error = settings(&[("LLM_GATEWAY", "opnrouter")], "").expect_err("unknown");
        assert_eq!(error.hint().as_deref(), Some("did you mean `openrouter`?"));
    }
}
