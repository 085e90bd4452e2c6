//! Finds mistakes of the settings that show only where several of them are seen together.

use super::{Said, Settings};
use crate::config::source::{Problem, Source};
use crate::config::{budget, model_pattern, pipeline, routing, template};
use crate::error::Error;

impl Settings {
    /// Finds mistakes in everything that the file says, used or not, so that a typing error is reported at once.
    pub(super) fn check(&self, source: &Source) -> Result<(), Error> {
        let in_source = |problem| source.error(problem);
        for name in &self.in_file {
            self.complete(name).map_err(|problem| in_source(problem.about(&format!("gateway `{name}`"))))?;
        }
        if let Some((name, said)) = &self.default_gateway {
            match said {
                _ if self.gateways.contains_key(name) => drop(self.gateway(name)?),
                Said::Environment(variable) => return Err(self.unknown(name, []).about(variable).into()),
                Said::File | Said::Preset => return Err(in_source(self.unknown(name, ["default_gateway"]))),
            }
        }
        let gateways: Vec<&str> = self.gateway_names().collect();
        let gateways = gateways.iter().copied();
        budget::check(&self.budgets, gateways.clone(), &self.aliases, &self.tasks, &source.name())?;
        routing::check(&self.aliases, &self.tasks, gateways.clone()).map_err(in_source)?;
        self.check_models(gateways.clone()).map_err(in_source)?;
        self.check_patterns().map_err(in_source)?;
        pipeline::check(&self.pipelines, &self.templates, &self.tasks, gateways.clone()).map_err(in_source)?;
        template::check(&self.templates, &self.tasks, gateways).map_err(in_source)
    }

    /// Finds models of gateways that are not known: the default one, those of sets, and those of gateways.
    fn check_models<'a>(&self, known: impl Iterator<Item = &'a str> + Clone) -> Result<(), Problem> {
        if let Some((model, Said::File)) = &self.model {
            routing::check_name(model, ["model"], known.clone())?;
        }
        for (name, models) in &self.sets {
            if models.is_empty() {
                return Err(Problem::at(["set", name], format!("the set `{name}` is empty")));
            }
            for (index, model) in models.iter().enumerate() {
                routing::check_name(model, ["set", name, &index.to_string()], known.clone())?;
            }
        }
        for name in &self.in_file {
            let models = self.gateways.get(name).and_then(|gateway| gateway.models.as_deref());
            for (index, model) in models.unwrap_or_default().iter().enumerate() {
                routing::check_name(model, ["gateway", name, "models", &index.to_string()], known.clone())?;
            }
        }
        Ok(())
    }

    /// Finds lists of models that limit nothing because of their spelling.
    fn check_patterns(&self) -> Result<(), Problem> {
        for key in self.allow.keys() {
            if !model_pattern::is_possible_key(key) {
                return Err(Problem::at(["allow", key], format!("no key can be called `{}`", key.escape_debug())));
            }
        }
        for (class, rules) in &self.key_classes {
            let lists = [("models", rules.models.as_deref().unwrap_or_default()), ("refuse", &rules.refuse)];
            for (list, pattern) in lists.iter().flat_map(|(list, patterns)| patterns.iter().map(move |one| (list, one)))
            {
                self.check_pattern(pattern).map_err(|why| Problem::at(["key_class", class, list], why))?;
            }
        }
        Ok(())
    }

    fn check_pattern(&self, pattern: &str) -> Result<(), String> {
        let gateways: Vec<&str> = self.gateway_names().collect();
        model_pattern::check(pattern, gateways.into_iter())
    }
}
