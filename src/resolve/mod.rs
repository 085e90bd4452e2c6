//! Makes calls from names: finds the models that a name stands for, their gateways, and the order in which they are asked.

mod data;
mod template;

pub(crate) use data::LookedUp;
pub(crate) use template::{Filled, PromptTemplate, TEMPLATE_TAG, check_templates};

use std::sync::Arc;
use std::time::Duration;

use crate::call::{Call, Caller, Choice, Limits, Role};
use crate::chat::Request;
use crate::config::Settings;
use crate::error::Error;
use crate::route::{self, NamedRoute, Names};
use crate::schema::Schema;
use crate::secret::KeyFile;

/// Resolves the names of one command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolver<'a> {
    settings: &'a Settings,
    /// The gateway that a flag names. It is used for model names without a gateway.
    gateway: Option<&'a str>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(settings: &'a Settings, gateway: Option<&'a str>) -> Self {
        Self { settings, gateway }
    }

    /// The models of a model's name or of an alias.
    ///
    /// # Errors
    /// The name is empty, or there is no gateway for it.
    pub(crate) fn model(&self, name: &str) -> Result<NamedRoute, Error> {
        self.names(|names| names.model(name.trim()))
    }

    /// The models of a task.
    ///
    /// # Errors
    /// There is no such task, or no gateway for its model.
    pub(crate) fn task(&self, name: &str) -> Result<NamedRoute, Error> {
        self.names(|names| names.task(name.trim()))
    }

    /// The models of an alias, a task or a model, whichever has this name first in this order.
    ///
    /// # Errors
    /// As for [`Resolver::model`].
    pub(crate) fn any(&self, name: &str) -> Result<NamedRoute, Error> {
        self.names(|names| names.any(name))
    }

    /// The models of a set of the config.
    ///
    /// # Errors
    /// There is no such set, or it is empty.
    pub(crate) fn set(&self, name: &str) -> Result<Vec<NamedRoute>, Error> {
        route::models_of_set(name, &self.settings.sets)?.iter().map(|model| self.model(model)).collect()
    }

    /// The models that the settings name for the default gateway; empty where they name none.
    ///
    /// # Errors
    /// There is no default gateway.
    pub(crate) fn models_of_gateway(&self) -> Result<Vec<NamedRoute>, Error> {
        let gateway = self.settings.gateway(&self.default_gateway()?)?;
        gateway.models.iter().map(|name| self.model(name)).collect()
    }

    /// The model for a command that names none: the default of the settings, else the gateway's first model. If a flag
    /// names a gateway, the gateway's first model comes before the default of the settings.
    ///
    /// # Errors
    /// No model is named anywhere.
    pub(crate) fn default_model(&self) -> Result<NamedRoute, Error> {
        let named = self.settings.model.as_ref().map(|(model, _)| self.any(model));
        let named = named.or_else(|| self.settings.tasks.contains_key("default").then(|| self.task("default")));
        if self.gateway.is_none()
            && let Some(named) = named
        {
            return named;
        }
        let gateway = self.settings.gateway(&self.default_gateway()?)?;
        match (gateway.models.first(), named) {
            (Some(model), _) => self.model(model),
            (None, Some(named)) => named,
            (None, None) => Err(Error::usage_hint(
                "which model?",
                "name one with -m, LLM_MODEL, or model in the config file; `llm models` lists them",
            )),
        }
    }

    /// The gateways for which a key is saved, or is in the environment.
    pub(crate) fn gateways_with_keys(&self) -> Vec<String> {
        let mut names = gateways_with_saved_keys(self.settings);
        names.extend(self.settings.gateways_with_key_in_env().map(str::to_owned));
        names
    }

    /// The gateway for model names without one.
    ///
    /// # Errors
    /// Neither a flag, nor the settings, nor a saved key determines it.
    pub(crate) fn default_gateway(&self) -> Result<String, Error> {
        let mut unreadable = None;
        let found = self.settings.default_gateway(self.gateway, || {
            saved_gateways(self.settings).unwrap_or_else(|error| {
                unreadable = Some(error);
                Vec::new()
            })
        });
        match unreadable {
            Some(error) if found.is_err() => Err(error),
            _ => found,
        }
    }

    fn names<T>(&self, find: impl FnOnce(&Names<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let default_gateway = || self.default_gateway();
        find(&Names { aliases: &self.settings.aliases, tasks: &self.settings.tasks, default_gateway: &default_gateway })
    }
}

/// As [`saved_gateways`]. An unreadable file of keys is reported where its key is needed.
fn gateways_with_saved_keys(settings: &Settings) -> Vec<String> {
    saved_gateways(settings).unwrap_or_default()
}

/// The gateways for which keys are saved.
///
/// # Errors
/// The file of keys cannot be read.
fn saved_gateways(settings: &Settings) -> Result<Vec<String>, Error> {
    let Some(data) = &settings.dirs.data else { return Ok(Vec::new()) };
    let saved = KeyFile::in_dir(data).list()?;
    let mut names: Vec<String> = saved.into_iter().map(|saved| saved.gateway).collect();
    names.dedup();
    Ok(names)
}

/// Everything about the calls of a command except the models that they go to.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallTemplate {
    pub(crate) request: Arc<Request>,
    /// The schema that answers must follow.
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) role: Role,
    /// The number of further tries, if the user sets it.
    pub(crate) retries: Option<u32>,
    /// The longest time that a call may take, if the user sets it.
    pub(crate) timeout: Option<Duration>,
    /// The models that are tried after all models of a call's own route have failed.
    pub(crate) fallback: Vec<NamedRoute>,
}

impl CallTemplate {
    /// One call for each of these names, in order.
    ///
    /// # Errors
    /// The gateway of a name is not configured.
    pub(crate) fn calls<'n>(
        &self,
        settings: &Settings,
        names: impl IntoIterator<Item = &'n NamedRoute>,
    ) -> Result<Vec<Call>, Error> {
        let data = LookedUp::new(settings, &self.request);
        names.into_iter().enumerate().map(|(index, asked)| self.call(settings, &data, index, asked)).collect()
    }

    /// One call. `data` has the figures for its request.
    ///
    /// # Errors
    /// The gateway of the name is not configured.
    pub(crate) fn call(
        &self,
        settings: &Settings,
        data: &LookedUp<'_>,
        index: usize,
        asked: &NamedRoute,
    ) -> Result<Call, Error> {
        let routes = std::iter::once(asked).chain(&self.fallback);
        let choices: Vec<Choice> = routes.flat_map(|asked| asked.route.choices(data)).collect();
        let timeout = match self.timeout {
            Some(timeout) => timeout,
            None => settings.gateway(&choices[0].target.gateway)?.timeouts.total,
        };
        Ok(Call {
            caller: Arc::clone(&self.caller),
            role: self.role,
            task: asked.task.clone(),
            schema: self.schema.clone(),
            limits: Limits { retries: self.retries, bounded: false, timeout },
            ..Call::new(index, asked.name.clone(), choices, Arc::clone(&self.request))
        })
    }
}
