//! The aliases of the config.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::config;
use super::grid::{Column, Grid};
use super::json::document;
use super::term::{Output, Text};
use crate::config::Alias;

/// A line for each alias.
pub fn list(aliases: &BTreeMap<String, Alias>, out: &Output) -> Text {
    let columns = [Column::left("alias").wraps(16), Column::left("models").wraps(20), Column::left("strategy")];
    let mut grid = Grid::new(columns.to_vec());
    for (name, alias) in aliases {
        grid.row(vec![name.clone(), alias.models.join(", "), alias.strategy.as_str().to_owned()]);
    }
    grid.render(out)
}

/// A JSON array of the aliases.
pub fn list_json(aliases: &BTreeMap<String, Alias>, out: &Output) -> Text {
    document(&aliases.iter().map(|(name, alias)| value(name, alias)).collect::<Vec<_>>(), out)
}

/// The alias as the config file has it.
pub fn one(name: &str, alias: &Alias) -> Text {
    config::one_alias(name, alias)
}

/// The alias as JSON.
pub fn one_json(name: &str, alias: &Alias, out: &Output) -> Text {
    document(&value(name, alias), out)
}

fn value(name: &str, alias: &Alias) -> Value {
    let Alias { models, strategy, weights, retries, timeout, hedge } = alias;
    json!({
        "alias": name, "models": models, "strategy": strategy.as_str(), "weights": weights, "retries": retries,
        "timeout_s": timeout.map(|time| time.as_secs_f64()), "hedge_s": hedge.map(|time| time.as_secs_f64()),
    })
}
