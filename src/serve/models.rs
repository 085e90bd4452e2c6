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
use crate::config::{Gateway, model_fits};
use crate::http::{self, json_body, not_found};
use crate::{demo, pricing};

/// One name that clients can use.
pub(super) struct Listed {
    /// In OpenAI's form.
    row: Value,
    /// The aliases that it stands for.
    names: Vec<String>,
    /// The models that it stands for.
    targets: Vec<Target>,
}

/// The list, or one model of it, in the wire format of the client.
pub(super) fn respond(loaded: &LoadedConfig, client: &Client, api: Api, id: Option<&str>) -> Response {
    let listed = loaded.models.get_or_init(|| listed(loaded));
    let permitted = listed.iter().filter(|listed| may_use(client, listed)).map(|listed| &listed.row);
    match id {
        None => json_body(http::models::list(api, &permitted.cloned().collect::<Vec<_>>()).to_string()),
        Some(id) => match permitted.into_iter().find(|row| row["id"] == id) {
            Some(row) => json_body(http::models::model(api, row).to_string()),
            None => refused(api, &not_found(format!("there is no model `{id}`"))),
        },
    }
}

fn may_use(client: &Client, listed: &Listed) -> bool {
    let name = listed.row["id"].as_str().unwrap_or_default();
    let fits = |patterns: &[String], name: &str| patterns.iter().any(|pattern| model_fits(pattern, name));
    let caller = &client.caller;
    let allow = caller.allow.as_deref();
    let may_use = |target: &Target| {
        allow.is_none_or(|allow| fits(allow, name) || fits(allow, &target.model)) && caller.refused(target).is_none()
    };
    let is_refused = listed.names.iter().map(String::as_str).chain([name]).any(|name| caller.is_refused(name));
    !is_refused && listed.targets.iter().any(may_use)
}

fn listed(loaded: &LoadedConfig) -> Vec<Listed> {
    let settings = &loaded.settings;
    let mut all = Vec::new();
    let tasks = settings.tasks.keys().filter(|task| !settings.aliases.contains_key(*task));
    for (name, kind) in settings.aliases.keys().map(|name| (name, "alias")).chain(tasks.map(|name| (name, "task"))) {
        let Ok(named) = loaded.route(name) else { continue };
        let targets: Vec<Target> = named.route.targets().into_iter().cloned().collect();
        let models: Vec<&str> = targets.iter().map(|target| &*target.model).collect();
        let row =
            json!({"id": name, "object": "model", "created": 0, "owned_by": kind, "description": models.join(", ")});
        all.push(Listed { row, names: named.names().into_iter().map(str::to_owned).collect(), targets });
    }
    let default = loaded.default_gateway();
    let is_default = |gateway: &&Gateway| Some(&*gateway.name) == default;
    let gateways = loaded.prepared.gateways().values();
    for gateway in gateways.clone().filter(is_default).chain(gateways.filter(|gateway| !is_default(gateway))) {
        let prefix = if is_default(&gateway) { String::new() } else { format!("{}::", gateway.name) };
        for mut row in rows(loaded, gateway) {
            let model = row["id"].as_str().unwrap_or_default().to_owned();
            row["id"] = format!("{prefix}{model}").into();
            let target = Target { gateway: gateway.name.clone(), model };
            all.push(Listed { row, names: Vec::new(), targets: vec![target] });
        }
    }
    all
}

/// The models of a gateway, as far as its list was fetched or the config names them.
fn rows(loaded: &LoadedConfig, gateway: &Gateway) -> Vec<Value> {
    if gateway.name == "demo" {
        let list = serde_json::from_slice(&demo::model_list()).unwrap_or_default();
        return match list {
            Value::Object(mut list) => match list.remove("data") {
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
