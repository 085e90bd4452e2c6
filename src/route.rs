//! Finds the models that an alias or a task stands for, and the order in which they are tried. Does no IO.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::call::{Choice, Target};
use crate::config::{Alias, Strategy, nearest};
use crate::error::Error;
use crate::money::Usd;

/// The share of calls in which [`Strategy::Fastest`] tries a model first whose speed is not known, so that it becomes
/// known.
const EXPLORATION_RATE: f64 = 0.1;

/// The aliases and tasks of the config. Every other name is that of a model.
pub struct Names<'a> {
    pub aliases: &'a BTreeMap<String, Alias>,
    pub tasks: &'a BTreeMap<String, String>,
    /// The gateway of a model's name that has none. It is called only for such a name.
    pub default_gateway: &'a dyn Fn() -> Result<String, Error>,
}

impl std::fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("aliases", self.aliases).field("tasks", self.tasks).finish_non_exhaustive()
    }
}

/// A name that the user gave, with the models that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRoute {
    /// The model or alias.
    pub name: String,
    /// The task, if the user named a task; `name` is then the task's model or alias.
    pub task: Option<String>,
    pub route: Route,
}

/// The models that a name stands for. Their order is not yet decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Model(Target),
    /// The alias with its name, and the route of each of its models.
    Alias(String, Box<Alias>, Vec<Route>),
}

/// The figures of models by which strategies decide their order.
pub trait RouteData {
    /// The expected cost of this call with that model; `None` where its price is not known.
    fn cost(&self, target: &Target) -> Option<Usd>;
    /// The median time to the first token of that model; `None` where it has not been measured.
    fn first_token(&self, target: &Target) -> Option<Duration>;
    /// A random number in 0..1.
    fn random(&self) -> f64;
}

/// The reason for the position of a model in the order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OrderReason {
    /// It has this position in the config.
    AsWritten,
    /// Its expected cost.
    Cost(Option<Usd>),
    /// Its usual time to the first token.
    FirstToken(Option<Duration>),
    /// The share of calls in which it comes first, from 0 to 1.
    Share(f64),
}

impl Names<'_> {
    /// The route of a model or alias.
    ///
    /// # Errors
    /// The name is empty, or it names no gateway and there is no default gateway.
    pub fn model(&self, name: &str) -> Result<NamedRoute, Error> {
        Ok(NamedRoute { name: name.to_owned(), task: None, route: self.route(name)? })
    }

    /// The route of a task.
    ///
    /// # Errors
    /// There is no such task, or the errors of [`Names::model`] for its model.
    pub fn task(&self, task: &str) -> Result<NamedRoute, Error> {
        let Some(name) = self.tasks.get(task) else {
            let message = format!("no task is called `{task}`");
            return Err(match nearest(task, self.tasks.keys().map(String::as_str)) {
                Some(near) => Error::config_hint(message, format!("did you mean `{near}`?")),
                None if self.tasks.is_empty() => Error::config_hint(
                    message,
                    "tasks are lines such as coding = \"MODEL\" under [task] in the config file",
                ),
                None => {
                    let known: Vec<&str> = self.tasks.keys().map(String::as_str).collect();
                    Error::config_hint(message, format!("known tasks: {}", known.join(", ")))
                }
            });
        };
        Ok(NamedRoute { name: name.clone(), task: Some(task.to_owned()), route: self.route(name)? })
    }

    /// The route of an alias, a task or a model, whichever has this name first in this order.
    ///
    /// # Errors
    /// As for [`Names::model`].
    pub fn any(&self, name: &str) -> Result<NamedRoute, Error> {
        let is_task = !self.aliases.contains_key(name) && self.tasks.contains_key(name);
        if is_task { self.task(name) } else { self.model(name) }
    }

    /// No alias contains itself, because loading the config refuses such an alias.
    fn route(&self, name: &str) -> Result<Route, Error> {
        let name = name.trim();
        let Some(alias) = self.aliases.get(name) else {
            return target(name, self.default_gateway).map(Route::Model);
        };
        let members = alias.models.iter().map(|model| self.route(model)).collect::<Result<_, _>>()?;
        Ok(Route::Alias(name.to_owned(), Box::new(alias.clone()), members))
    }
}

/// `GATEWAY::MODEL`, or a model of the default gateway.
fn target(name: &str, default_gateway: impl FnOnce() -> Result<String, Error>) -> Result<Target, Error> {
    let (gateway, model) = match name.split_once("::") {
        Some((gateway, model)) => (gateway.trim().to_owned(), model.trim()),
        None => (default_gateway()?, name.trim()),
    };
    if model.is_empty() || gateway.is_empty() {
        return Err(Error::usage(format!("`{name}` does not name a model")));
    }
    Ok(Target { gateway, model: model.to_owned() })
}

impl NamedRoute {
    /// The name, the task, and the aliases that stand for the models.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.task.iter().map(String::as_str).chain([&*self.name]).collect();
        self.route.add_aliases(&mut names);
        names
    }
}

impl Route {
    fn add_aliases<'a>(&'a self, names: &mut Vec<&'a str>) {
        if let Self::Alias(name, _, members) = self {
            names.push(name);
            members.iter().for_each(|member| member.add_aliases(names));
        }
    }

    /// The models in the order in which they are tried.
    pub fn choices(&self, data: &dyn RouteData) -> Vec<Choice> {
        self.choices_with_reasons(data).into_iter().map(|(choice, _)| choice).collect()
    }

    /// The same as [`Route::choices`], each with the reason for its position.
    pub fn choices_with_reasons(&self, data: &dyn RouteData) -> Vec<(Choice, OrderReason)> {
        let (alias, members) = match self {
            Self::Model(target) => return vec![(target.clone().into(), OrderReason::AsWritten)],
            Self::Alias(_, alias, members) => (alias, members),
        };
        let mut groups: Vec<Vec<(Choice, OrderReason)>> =
            members.iter().map(|member| member.choices_with_reasons(data)).collect();
        match alias.strategy {
            Strategy::Ordered => {}
            Strategy::Cheapest => sort_groups_by(&mut groups, |target| data.cost(target), OrderReason::Cost),
            Strategy::Fastest => {
                sort_groups_by(&mut groups, |target| data.first_token(target), OrderReason::FirstToken);
                let unknown = groups.iter().position(|group| matches!(group[0].1, OrderReason::FirstToken(None)));
                if let Some(unknown) = unknown
                    && unknown > 0
                    && data.random() < EXPLORATION_RATE
                {
                    groups[..=unknown].rotate_right(1);
                }
            }
            Strategy::Balanced => groups = shuffled_by_weight(groups, alias.weights.as_deref(), data),
        }
        let mut choices: Vec<_> = groups.into_iter().flatten().collect();
        // The settings of an alias within this one win over those of this one.
        for (choice, _) in &mut choices {
            choice.retries = choice.retries.or(alias.retries);
            choice.timeout = choice.timeout.or(alias.timeout);
            choice.hedge = choice.hedge.or(alias.hedge);
        }
        choices
    }

    /// All models of the route, in the order of the config.
    pub fn targets(&self) -> Vec<&Target> {
        match self {
            Self::Model(target) => vec![target],
            Self::Alias(_, _, members) => members.iter().flat_map(Route::targets).collect(),
        }
    }
}

/// Sorts groups by a figure of their first model: the smallest first, unknown figures last. The figure becomes the
/// reason of that model's position.
fn sort_groups_by<T: Ord + Copy>(
    groups: &mut [Vec<(Choice, OrderReason)>],
    figure: impl Fn(&Target) -> Option<T>,
    to_reason: impl Fn(Option<T>) -> OrderReason,
) {
    groups.sort_by_cached_key(|group| {
        let figure = figure(&group[0].0.target);
        (figure.is_none(), figure)
    });
    for (choice, reason) in groups.iter_mut().filter_map(|group| group.first_mut()) {
        *reason = to_reason(figure(&choice.target));
    }
}

/// Orders the groups at random: the chance of each to be the next one is its share of the remaining weights.
fn shuffled_by_weight(
    mut groups: Vec<Vec<(Choice, OrderReason)>>,
    weights: Option<&[u32]>,
    data: &dyn RouteData,
) -> Vec<Vec<(Choice, OrderReason)>> {
    let mut weights: Vec<f64> = match weights {
        Some(weights) => weights.iter().map(|weight| f64::from(*weight)).collect(),
        None => vec![1.0; groups.len()],
    };
    let total: f64 = weights.iter().sum();
    for (group, weight) in groups.iter_mut().zip(&weights) {
        group[0].1 = OrderReason::Share(weight / total);
    }
    let mut drawn = Vec::with_capacity(groups.len());
    while !groups.is_empty() {
        let mut remaining = data.random() * weights.iter().sum::<f64>();
        // Because of rounding, `remaining` may stay at 0 or above after the last weight; then the heaviest group is taken.
        // A group of weight 0 comes only after all others.
        let hit = weights.iter().position(|weight| {
            remaining -= weight;
            remaining < 0.0
        });
        let heaviest = || weights.iter().enumerate().max_by(|a, b| a.1.partial_cmp(b.1).unwrap_or(Ordering::Equal));
        let at = hit.or_else(|| heaviest().map(|(at, _)| at)).unwrap_or(0);
        weights.remove(at);
        drawn.push(groups.remove(at));
    }
    drawn
}

/// The models of a set of the config.
///
/// # Errors
/// There is no such set, or it is empty.
pub fn models_of_set<'a>(name: &str, sets: &'a BTreeMap<String, Vec<String>>) -> Result<&'a [String], Error> {
    match sets.get(name) {
        Some(models) if !models.is_empty() => Ok(models),
        Some(_) => Err(Error::config(format!("the set `{name}` is empty"))),
        None => {
            let message = format!("no set is called `{name}`");
            Err(match nearest(name, sets.keys().map(String::as_str)) {
                Some(near) => Error::config_hint(message, format!("did you mean `{near}`?")),
                None if !sets.is_empty() => {
                    let known: Vec<&str> = sets.keys().map(String::as_str).collect();
                    Error::config_hint(message, format!("known sets: {}", known.join(", ")))
                }
                None => Error::config_hint(message, "sets are lists of models under [set] in the config file"),
            })
        }
    }
}

#[cfg(test)]
mod tests;
