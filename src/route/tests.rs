use super::*;
use std::cell::RefCell;

/// Costs and times by model, and the random numbers to return, the last one first.
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

fn default_gateway() -> Result<String, Error> {
    Ok("default".into())
}

fn order(text: &str, name: &str, data: &Known) -> Vec<String> {
    let aliases = aliases(text);
    let names = Names { aliases: &aliases, tasks: &BTreeMap::new(), default_gateway: &default_gateway };
    let route = names.model(name).expect("a known name").route;
    route.choices(data).into_iter().map(|choice| choice.target.model).collect()
}

#[test]
fn a_name_without_a_gateway_is_at_the_default_one() {
    let at = |gateway: &str, model: &str| Target { gateway: gateway.into(), model: model.into() };
    assert_eq!(target("openai/gpt-5", default_gateway).expect("good"), at("default", "openai/gpt-5"));
    assert_eq!(target("corp::gpt-5", || unreachable!()).expect("good"), at("corp", "gpt-5"));
    assert_eq!(target("corp::a::b", || unreachable!()).expect("good"), at("corp", "a::b"));
    for name in ["", " ", "corp::", "::gpt"] {
        assert_eq!(target(name, default_gateway).expect_err(name).exit_code(), 2);
    }
}

#[test]
fn the_models_of_an_alias_have_its_limits() {
    let aliases = aliases("[a]\nmodels = [\"x\", \"corp::y\"]\nretries = 1\ntimeout = \"30s\"\nhedge = \"800ms\"");
    let names = Names { aliases: &aliases, tasks: &BTreeMap::new(), default_gateway: &default_gateway };
    let choice = |gateway: &str, model: &str| Choice {
        target: Target { gateway: gateway.into(), model: model.into() },
        retries: Some(1),
        timeout: Some(Duration::from_secs(30)),
        hedge: Some(Duration::from_millis(800)),
        passes: false,
    };
    let choices = names.model("a").expect("known").route.choices(&Known::default());
    assert_eq!(choices, [choice("default", "x"), choice("corp", "y")]);
}

#[test]
fn an_alias_within_an_alias_keeps_its_own_settings() {
    let aliases = aliases("[a]\nmodels = [\"b\", \"z\"]\nretries = 1\n[b]\nmodels = [\"x\"]\nretries = 5");
    let names = Names { aliases: &aliases, tasks: &BTreeMap::new(), default_gateway: &default_gateway };
    let choices = names.model("a").expect("known").route.choices(&Known::default());
    let retries: Vec<_> = choices.iter().map(|choice| (&*choice.target.model, choice.retries)).collect();
    assert_eq!(retries, [("x", Some(5)), ("z", Some(1))]);
}

#[test]
fn a_task_stands_for_its_model_and_is_kept_in_the_route() {
    let aliases = aliases("[a]\nmodels = [\"x\"]");
    let tasks = BTreeMap::from([("coding", "a"), ("talk", "m")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let names = Names { aliases: &aliases, tasks: &tasks, default_gateway: &default_gateway };
    let asked = names.task("coding").expect("known");
    assert_eq!((&*asked.name, asked.task.as_deref()), ("a", Some("coding")));
    assert_eq!(names.any("talk").expect("a task").task.as_deref(), Some("talk"));
    assert_eq!(names.any("a").expect("an alias").task, None);
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
fn groups_are_ordered_at_random_by_weight() {
    let config = "[all]\nmodels = [\"a\", \"b\", \"c\"]\nstrategy = \"balanced\"\nweights = [3, 1, 0]";
    let data = |chance| Known { chances: RefCell::new(vec![chance]), ..Known::default() };
    for (chance, first) in [(0.0, "a"), (0.74, "a"), (0.76, "b"), (0.999, "b")] {
        let order = order(config, "all", &data(chance));
        assert_eq!((&*order[0], order.len()), (first, 3), "{chance}");
        assert_eq!(order[2], "c", "a model of weight 0 comes last");
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
    assert_eq!(models_of_set("frontier", &sets).expect("good"), ["a"]);
    assert_eq!(
        models_of_set("frontir", &sets).expect_err("unknown").hint().as_deref(),
        Some("did you mean `frontier`?")
    );
    assert_eq!(models_of_set("none", &sets).expect_err("empty").exit_code(), 3);
}
