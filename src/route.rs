//! From names to targets. Pure.

use std::collections::BTreeMap;

use crate::call::Target;
use crate::config::nearest;
use crate::error::Error;

/// Where a model name leads: `GATEWAY::MODEL`, or a model of the default gateway. `default_gateway` is only asked where
/// the name does not say.
pub fn target(name: &str, default_gateway: impl FnOnce() -> Result<String, Error>) -> Result<Target, Error> {
    let (gateway, model) = match name.split_once("::") {
        Some((gateway, model)) => (gateway.trim().to_owned(), model.trim()),
        None => (default_gateway()?, name.trim()),
    };
    if model.is_empty() || gateway.is_empty() {
        return Err(Error::usage(format!("`{name}` does not name a model")));
    }
    Ok(Target { gateway, model: model.to_owned() })
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
                None => Error::config_hint(message, "sets are lists of models under [set] in the config file"),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_gateway_or_the_default_one() {
        let default = || Ok("house".to_owned());
        let at = |gateway: &str, model: &str| Target { gateway: gateway.into(), model: model.into() };
        assert_eq!(target("openai/gpt-5", default).expect("good"), at("house", "openai/gpt-5"));
        assert_eq!(target("corp::gpt-5", || unreachable!()).expect("good"), at("corp", "gpt-5"));
        assert_eq!(target("corp::a::b", || unreachable!()).expect("good"), at("corp", "a::b"));
        for name in ["", " ", "corp::", "::gpt"] {
            assert_eq!(target(name, default).expect_err(name).exit_code(), 2);
        }
    }

    #[test]
    fn an_unknown_set_names_the_nearest() {
        let sets = BTreeMap::from([("frontier".to_owned(), vec!["a".to_owned()]), ("none".to_owned(), Vec::new())]);
        assert_eq!(set("frontier", &sets).expect("good"), ["a"]);
        assert_eq!(set("frontir", &sets).expect_err("unknown").hint().as_deref(), Some("did you mean `frontier`?"));
        assert_eq!(set("none", &sets).expect_err("empty").exit_code(), 3);
    }
}
