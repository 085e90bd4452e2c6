//! From names to models: what an alias or a task stands for, and in which order its models are tried. Pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::call::{Choice, Target};
use crate::config::{Alias, Strategy, nearest};
use crate::error::Error;
use crate::money::Usd;

/// How often [`Strategy::Fastest`] lets a model go first of which it does not know how fast it is.
const EXPLORATION_RATE: f64 = 0.1;

/// The names that the config defines, and the gateway of all others.
pub struct Names<'a> {
    pub aliases: &'a BTreeMap<String, Alias>,
    pub tasks: &'a BTreeMap<String, String>,
    /// Only asked where a name does not say.
    pub default_gateway: &'a dyn Fn() -> Result<String, Error>,
}

impl std::fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("aliases", self.aliases).field("tasks", self.tasks).finish_non_exhaustive()
    }
}

/// A name as it was asked for, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The model or alias.
    pub name: String,
    /// The task that led to it, if one did.
    pub task: Option<String>,
    pub route: Route,
}

/// Where a name leads: all of its models, their order not yet decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Model(Target),
    /// The alias with its name, and where each of its models leads.
    Alias(String, Box<Alias>, Vec<Route>),
}

/// What is known about models when their order is decided.
pub trait RouteData {
    /// What this call is expected to cost there.
    fn cost(&self, target: &Target) -> Option<Usd>;
    /// The median time to the first token there.
    fn first_token(&self, target: &Target) -> Option<Duration>;
    /// A random number in 0..1.
    fn random(&self) -> f64;
}

/// Why a choice stands where it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Why {
    /// It is written there.
    Written,
    /// Its expected cost.
    Cost(Option<Usd>),
    /// Its usual time to the first token.
    FirstToken(Option<Duration>),
    /// The share of calls in which it comes first.
    Share(f64),
}

impl Names<'_> {
    /// Where a model or alias leads.
    pub fn model(&self, name: &str) -> Result<Asked, Error> {
        Ok(Asked { name: name.to_owned(), task: None, route: self.route(name)? })
    }

    /// Where a task leads.
    pub fn task(&self, task: &str) -> Result<Asked, Error> {
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
        Ok(Asked { name: name.clone(), task: Some(task.to_owned()), route: self.route(name)? })
    }

    /// Where the config's default leads, which may name a task as well.
    pub fn default(&self, name: &str) -> Result<Asked, Error> {
        let is_task = !self.aliases.contains_key(name) && self.tasks.contains_key(name);
        if is_task { self.task(name) } else { self.model(name) }
    }

    /// The config has been checked, so no alias leads back to itself.
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

impl Route {
    /// Its models in the order in which they are to be tried.
    pub fn choices(&self, data: &dyn RouteData) -> Vec<Choice> {
        self.explained(data).into_iter().map(|(choice, _)| choice).collect()
    }

    /// As [`Route::choices`], and why each stands where it does.
    pub fn explained(&self, data: &dyn RouteData) -> Vec<(Choice, Why)> {
        let (alias, members) = match self {
            Self::Model(target) => return vec![(target.clone().into(), Why::Written)],
            Self::Alias(_, alias, members) => (alias, members),
        };
        let mut groups: Vec<Vec<(Choice, Why)>> = members.iter().map(|member| member.explained(data)).collect();
        match alias.strategy {
            Strategy::Ordered => {}
            Strategy::Cheapest => by(&mut groups, |target| data.cost(target), Why::Cost),
            Strategy::Fastest => {
                by(&mut groups, |target| data.first_token(target), Why::FirstToken);
                let unknown = groups.iter().position(|group| matches!(group[0].1, Why::FirstToken(None)));
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
        // An alias within this one has the closer word.
        for (choice, _) in &mut choices {
            choice.retries = choice.retries.or(alias.retries);
            choice.timeout = choice.timeout.or(alias.timeout);
            choice.hedge = choice.hedge.or(alias.hedge);
        }
        choices
    }

    /// Every model that it may lead to.
    pub fn targets(&self) -> Vec<&Target> {
        match self {
            Self::Model(target) => vec![target],
            Self::Alias(_, _, members) => members.iter().flat_map(Route::targets).collect(),
        }
    }
}

/// Sorts by a figure of each group's first model, the least first and what is not known last, and says so of that
/// model.
fn by<T: Ord + Copy>(
    groups: &mut [Vec<(Choice, Why)>],
    figure: impl Fn(&Target) -> Option<T>,
    why: impl Fn(Option<T>) -> Why,
) {
    groups.sort_by_cached_key(|group| {
        let figure = figure(&group[0].0.target);
        (figure.is_none(), figure)
    });
    for (choice, said) in groups.iter_mut().filter_map(|group| group.first_mut()) {
        *said = why(figure(&choice.target));
    }
}

/// Draws one group after the other by weight.
fn shuffled_by_weight(
    mut groups: Vec<Vec<(Choice, Why)>>,
    weights: Option<&[u32]>,
    data: &dyn RouteData,
) -> Vec<Vec<(Choice, Why)>> {
    let mut weights: Vec<f64> = match weights {
        Some(weights) => weights.iter().map(|weight| f64::from(*weight)).collect(),
        None => vec![1.0; groups.len()],
    };
    let total: f64 = weights.iter().sum();
    for (group, weight) in groups.iter_mut().zip(&weights) {
        group[0].1 = Why::Share(weight / total);
    }
    let mut drawn = Vec::with_capacity(groups.len());
    while !groups.is_empty() {
        let mut lot = data.random() * weights.iter().sum::<f64>();
        // Rounding may leave a rest beyond the last; what has weight 0 is only drawn when nothing else is left.
        let hit = weights.iter().position(|weight| {
            lot -= weight;
            lot < 0.0
        });
        let heaviest = || weights.iter().enumerate().max_by(|a, b| a.1.partial_cmp(b.1).unwrap_or(Ordering::Equal));
        let at = hit.or_else(|| heaviest().map(|(at, _)| at)).unwrap_or(0);
        weights.remove(at);
        drawn.push(groups.remove(at));
    }
    drawn
}

/// The models of a named list of the config.
pub fn set<'a>(name: &str, sets: &'a BTreeMap<String, Vec<String>>) -> Result<&'a [String], Error> {
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
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Costs and times by model, and chances in turn.
    #[derive(Default)]
    struct Known {
        costs: BTreeMap<&'static str, i64>,
        times: BTreeMap<&'static str, u64>,
        chances: RefCell<Vec<f64>>,
    }

    impl RouteData for Known {
        fn cost(&self, target: &Target) -> Option<Usd> {
            self.costs.get(&*target.model).copied().map(Usd::from_picos)
        }

        fn first_token(&self, target: &Target) -> Option<Duration> {
            self.times.get(&*target.model).copied().map(Duration::from_millis)
        }

        fn random(&self) -> f64 {
            self.chances.borrow_mut().pop().unwrap_or(0.5)
        }
    }

    fn aliases(text: &str) -> BTreeMap<String, Alias> {
        toml::from_str(text).expect("valid aliases")
    }

    fn house() -> Result<String, Error> {
        Ok("house".into())
    }

    fn order(text: &str, name: &str, data: &Known) -> Vec<String> {
        let aliases = aliases(text);
        let names = Names { aliases: &aliases, tasks: &BTreeMap::new(), default_gateway: &house };
        let route = names.model(name).expect("a known name").route;
        route.choices(data).into_iter().map(|choice| choice.target.model).collect()
    }

    #[test]
    fn a_name_leads_to_its_gateway_or_the_default_one() {
        let at = |gateway: &str, model: &str| Target { gateway: gateway.into(), model: model.into() };
        assert_eq!(target("openai/gpt-5", house).expect("good"), at("house", "openai/gpt-5"));
        assert_eq!(target("corp::gpt-5", || unreachable!()).expect("good"), at("corp", "gpt-5"));
        assert_eq!(target("corp::a::b", || unreachable!()).expect("good"), at("corp", "a::b"));
        for name in ["", " ", "corp::", "::gpt"] {
            assert_eq!(target(name, house).expect_err(name).exit_code(), 2);
        }
    }

    #[test]
    fn an_alias_leads_to_its_models_with_its_patience() {
        let aliases = aliases("[a]\nmodels = [\"x\", \"corp::y\"]\nretries = 1\ntimeout = \"30s\"\nhedge = \"800ms\"");
        let names = Names { aliases: &aliases, tasks: &BTreeMap::new(), default_gateway: &house };
        let choice = |gateway: &str, model: &str| Choice {
            target: Target { gateway: gateway.into(), model: model.into() },
            retries: Some(1),
            timeout: Some(Duration::from_secs(30)),
            hedge: Some(Duration::from_millis(800)),
        };
        let choices = names.model("a").expect("known").route.choices(&Known::default());
        assert_eq!(choices, [choice("house", "x"), choice("corp", "y")]);
    }

    #[test]
    fn an_alias_within_an_alias_keeps_its_own_word() {
        let aliases = aliases("[a]\nmodels = [\"b\", \"z\"]\nretries = 1\n[b]\nmodels = [\"x\"]\nretries = 5");
        let names = Names { aliases: &aliases, tasks: &BTreeMap::new(), default_gateway: &house };
        let choices = names.model("a").expect("known").route.choices(&Known::default());
        let retries: Vec<_> = choices.iter().map(|choice| (&*choice.target.model, choice.retries)).collect();
        assert_eq!(retries, [("x", Some(5)), ("z", Some(1))]);
    }

    #[test]
    fn a_task_leads_to_its_model_and_is_remembered() {
        let aliases = aliases("[a]\nmodels = [\"x\"]");
        let tasks = BTreeMap::from([("coding", "a"), ("talk", "m")].map(|(a, b)| (a.to_owned(), b.to_owned())));
        let names = Names { aliases: &aliases, tasks: &tasks, default_gateway: &house };
        let asked = names.task("coding").expect("known");
        assert_eq!((&*asked.name, asked.task.as_deref()), ("a", Some("coding")));
        assert_eq!(names.default("talk").expect("a task").task.as_deref(), Some("talk"));
        assert_eq!(names.default("a").expect("an alias").task, None);
        assert_eq!(names.model("talk").expect("a model of that name").task, None);
        let error = names.task("codng").expect_err("unknown");
        assert_eq!((error.exit_code(), error.hint().as_deref()), (3, Some("did you mean `coding`?")));
    }

    #[test]
    fn the_cheapest_comes_first_and_the_unknown_last() {
        let data = Known { costs: BTreeMap::from([("b", 7), ("c", 3)]), ..Known::default() };
        let config = "[all]\nmodels = [\"a\", \"b\", \"c\", \"d\"]\nstrategy = \"cheapest\"";
        assert_eq!(order(config, "all", &data), ["c", "b", "a", "d"]);
    }

    #[test]
    fn the_fastest_comes_first_and_an_unknown_one_now_and_then() {
        let config = "[all]\nmodels = [\"a\", \"b\", \"c\", \"d\"]\nstrategy = \"fastest\"";
        let data = |chance| Known {
            times: BTreeMap::from([("b", 700), ("d", 300)]),
            chances: RefCell::new(vec![chance]),
            ..Known::default()
        };
        assert_eq!(order(config, "all", &data(0.5)), ["d", "b", "a", "c"]);
        assert_eq!(order(config, "all", &data(0.05)), ["a", "d", "b", "c"]);
        assert_eq!(order(config, "all", &Known::default()), ["a", "b", "c", "d"]);
    }

    #[test]
    fn lots_are_drawn_by_weight() {
        let config = "[all]\nmodels = [\"a\", \"b\", \"c\"]\nstrategy = \"balanced\"\nweights = [3, 1, 0]";
        let data = |chance| Known { chances: RefCell::new(vec![chance]), ..Known::default() };
        for (chance, first) in [(0.0, "a"), (0.74, "a"), (0.76, "b"), (0.999, "b")] {
            let order = order(config, "all", &data(chance));
            assert_eq!((&*order[0], order.len()), (first, 3), "{chance}");
            assert_eq!(order[2], "c", "what has no weight is for the end");
        }
    }

    #[test]
    fn an_alias_within_a_sorted_one_counts_by_its_first_model() {
        let data = Known { costs: BTreeMap::from([("x", 5), ("y", 1), ("z", 3)]), ..Known::default() };
        let config = "[all]\nmodels = [\"b\", \"z\"]\nstrategy = \"cheapest\"\n[b]\nmodels = [\"x\", \"y\"]";
        assert_eq!(order(config, "all", &data), ["z", "x", "y"]);
    }

    #[test]
    fn an_unknown_set_names_the_nearest() {
        let sets = BTreeMap::from([("frontier".to_owned(), vec!["a".to_owned()]), ("none".to_owned(), Vec::new())]);
        assert_eq!(set("frontier", &sets).expect("good"), ["a"]);
        assert_eq!(set("frontir", &sets).expect_err("unknown").hint().as_deref(), Some("did you mean `frontier`?"));
        assert_eq!(set("none", &sets).expect_err("empty").exit_code(), 3);
    }
}
