//! What a client may ask for: aliases and tasks first, then the models of each gateway.

use std::time::SystemTime;

use axum::response::Response;
use serde_json::{Value, json};

use super::front::refused;
use super::keys::Client;
use super::loaded_config::LoadedConfig;
use crate::adapter::Api;
use crate::call::Target;
use crate::catalog;
use crate::config::{Gateway, Settings, model_fits, name_fits, name_may_fit};
use crate::http::{self, json_body, not_found};
use crate::{demo, pricing};

/// One name that clients can use.
pub(super) struct Listed {
    /// In OpenAI's form.
    row: Value,
    /// The task and the aliases that it is.
    names: Vec<String>,
    /// The models that it stands for.
    models: Vec<Target>,
}

/// The list, or one model of it, in the wire format of the client.
pub(super) fn respond(loaded: &LoadedConfig, client: &Client, api: Api, id: Option<&str>) -> Response {
    let listed = loaded.models.get_or_init(|| listed(loaded));
    let permitted = listed.iter().filter(|listed| may_use(&loaded.settings, client, listed)).map(|listed| &listed.row);
    match id {
        None => json_body(http::models::list(api, &permitted.cloned().collect::<Vec<_>>()).to_string()),
        Some(id) => match permitted.into_iter().find(|row| row["id"] == id) {
            Some(row) => json_body(http::models::model(api, row).to_string()),
            None => refused(api, &not_found(format!("there is no model `{id}`"))),
        },
    }
}

fn may_use(settings: &Settings, client: &Client, listed: &Listed) -> bool {
    let name = listed.row["id"].as_str().unwrap_or_default();
    let is_refused = listed.names.iter().any(|name| client.caller.is_refused(name));
    !is_refused && listed.models.iter().any(|target| may_use_for(settings, client, name, target))
}

/// Whether a client may be answered by this model where it has asked for this name. Whoever may use an alias may use its
/// models.
pub(super) fn may_use_for(settings: &Settings, client: &Client, asked: &str, target: &Target) -> bool {
    let Target { gateway, model } = target;
    // The name of an alias does not stand for models of this name elsewhere.
    let is_other_alias = |pattern: &String| {
        let alias = settings.aliases.get(pattern);
        alias.is_some_and(|alias| !alias.models.iter().any(|named| name_may_fit(pattern, named)))
    };
    let is_allowed = |pattern: &String| {
        name_fits(pattern, asked) || (model_fits(pattern, gateway, model) && !is_other_alias(pattern))
    };
    client.caller.allow.as_ref().is_none_or(|allow| allow.iter().any(is_allowed))
        && client.caller.refused(target).is_none()
}

fn listed(loaded: &LoadedConfig) -> Vec<Listed> {
    let settings = &loaded.settings;
    let mut all = Vec::new();
    let tasks = settings.tasks.keys().filter(|task| !settings.aliases.contains_key(*task));
    for (name, kind) in settings.aliases.keys().map(|name| (name, "alias")).chain(tasks.map(|name| (name, "task"))) {
        let Ok(named) = loaded.route(name) else { continue };
        let targets = named.route.targets();
        let models: Vec<&str> = targets.iter().map(|target| &*target.model).collect();
        let row =
            json!({"id": name, "object": "model", "created": 0, "owned_by": kind, "description": models.join(", ")});
        let names = named.names().into_iter().map(str::to_owned).collect();
        all.push(Listed { row, names, models: targets.into_iter().cloned().collect() });
    }
    let default = loaded.default_gateway();
    let is_default = |gateway: &&Gateway| Some(&*gateway.name) == default;
    let gateways = loaded.prepared.gateways().values();
    for gateway in gateways.clone().filter(is_default).chain(gateways.filter(|gateway| !is_default(gateway))) {
        let prefix = if is_default(&gateway) { String::new() } else { format!("{}::", gateway.name) };
        for mut row in rows(loaded, gateway) {
            let model = row["id"].as_str().unwrap_or_default().to_owned();
            row["id"] = format!("{prefix}{model}").into();
            all.push(Listed { row, names: Vec::new(), models: vec![Target { gateway: gateway.name.clone(), model }] });
        }
    }
    all
}

/// The models of a gateway, as far as its list was fetched or the config names them.
fn rows(loaded: &LoadedConfig, gateway: &Gateway) -> Vec<Value> {
    if gateway.name == "demo" {
        let list = serde_json::from_slice(&demo::model_list()).unwrap_or_default();
        return match list {
            Value::Object(mut list) => match list.shift_remove("data") {
                Some(Value::Array(rows)) => rows,
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
    }
    let dir = loaded.settings.dirs.cache.as_deref();
    let catalogue = dir.and_then(|dir| catalog::cached(gateway, dir, SystemTime::now()));
    let fetched = catalogue.map(|catalogue| catalogue.models).unwrap_or_default();
    let mut rows: Vec<Value> = Vec::new();
    for model in &gateway.models {
        if !fetched.iter().any(|fetched| fetched.id == *model) {
            rows.push(row(loaded, gateway, model, None));
        }
    }
    rows.extend(fetched.iter().map(|model| row(loaded, gateway, &model.id, model.context)));
    rows
}

fn row(loaded: &LoadedConfig, gateway: &Gateway, model: &str, context: Option<u64>) -> Value {
    let mut row = json!({"id": model, "object": "model", "created": 0, "owned_by": gateway.name});
    if let Some(context) = context {
        row["context_length"] = context.into();
    }
    let rates = loaded.prepared.pricing().quote(gateway, model).map(|quote: pricing::Quote| quote.tariff.base);
    if let Some((input, output)) = rates.and_then(|rates| rates.input.zip(rates.output)) {
        // As OpenRouter writes prices: US dollars per token, as texts.
        row["pricing"] = json!({"prompt": input.to_decimal(), "completion": output.to_decimal()});
    }
    row
}
