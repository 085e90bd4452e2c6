//! The settings that are in force, in the form of a config file.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use serde_json::Value;
use toml_edit::Key;

use super::escape;
use super::term::Text;
use crate::adapter::mask_keys;
use crate::config::{Alias, Auth, Gateway, PriceList, Said, SchemaSource, Settings, Step, Template};
use crate::error::Error;
use crate::money::Usd;

/// The whole file, with what looks like a key masked: it is shown to others. Comments say where a setting comes from.
///
/// # Errors
///
/// [`Error::Config`] where a gateway lacks its address.
pub fn show(settings: &Settings) -> Result<Text, Error> {
    in_force(settings).map(|text| Text::from(mask_keys(&text).as_ref()))
}

/// The same as a string, which is TOML.
///
/// # Errors
///
/// [`Error::Config`] where a gateway lacks its address.
pub fn in_force(settings: &Settings) -> Result<String, Error> {
    let mut file = File::default();
    general(&mut file, settings);
    for name in settings.gateway_names() {
        gateway(&mut file, &settings.gateway(name)?, settings.gateway_said(name));
    }
    if !settings.sets.is_empty() {
        file.table("set", "");
        settings.sets.iter().for_each(|(name, models)| file.value(&key(name), list(models)));
    }
    file.table("cache", "");
    file.value("enabled", settings.cache.enabled);
    file.text("ttl", &span(settings.cache.ttl));
    file.text("max_size", &size(settings.cache.max_size));
    for budget in &settings.budgets {
        file.0.push('\n');
        file.comment(&format!("budget of {}", budget.describe()));
    }
    if !settings.allow.is_empty() {
        file.table("allow", "");
        settings.allow.iter().for_each(|(name, models)| file.value(&key(name), list(models)));
    }
    settings.aliases.iter().for_each(|(name, alias)| self::alias(&mut file, name, alias));
    if !settings.tasks.is_empty() {
        file.table("task", "");
        settings.tasks.iter().for_each(|(name, model)| file.text(&key(name), model));
    }
    for (name, pipeline) in &settings.pipelines {
        pipeline.steps.iter().for_each(|step| self::step(&mut file, name, step));
    }
    settings.templates.iter().for_each(|(name, template)| self::template_table(&mut file, name, template));
    for (model, price) in &settings.prices {
        file.table(&format!("price.{}", key(model)), "");
        for (name, rate) in [
            ("input", price.input),
            ("output", price.output),
            ("cache_read", price.cache_read),
            ("cache_write", price.cache_write),
            ("reasoning", price.reasoning),
            ("request", price.request),
        ] {
            file.value_if(name, rate.map(Usd::to_decimal));
        }
    }
    Ok(file.0)
}

/// A config file that is being written.
#[derive(Default)]
struct File(String);

impl File {
    /// Begins a table, with this comment beside its name.
    fn table(&mut self, name: &str, comment: &str) {
        self.0.push_str(&format!("\n[{name}]{comment}\n"));
    }

    /// A line that says something about the file. A name or a path in it may hold line breaks, which would end the comment.
    fn comment(&mut self, text: &str) {
        self.0.push_str(&format!("# {}\n", escape::line(text)));
    }

    fn value(&mut self, key: &str, value: impl Display) {
        self.0.push_str(&format!("{key} = {value}\n"));
    }

    fn value_if(&mut self, key: &str, value: Option<impl Display>) {
        value.into_iter().for_each(|value| self.value(key, value));
    }

    fn text(&mut self, key: &str, text: &str) {
        self.value(key, quoted(text));
    }

    fn text_if(&mut self, key: &str, text: Option<impl AsRef<str>>) {
        text.into_iter().for_each(|text| self.text(key, text.as_ref()));
    }
}

/// The settings that stand above all tables.
fn general(file: &mut File, settings: &Settings) {
    let path = settings.config_path.as_ref().map(|path| path.display());
    file.comment(&match path {
        Some(path) if settings.config_found => format!("config file: {path}"),
        Some(path) => format!("config file: {path} (not there)"),
        None => "config file: none, for lack of a home directory".to_owned(),
    });
    if let Some((name, said)) = settings.default_gateway_said() {
        file.value("default_gateway", quoted(name) + &who(said));
    }
    if let Some((model, said)) = &settings.model {
        file.value("model", quoted(model) + &who(*said));
    }
    file.text("log", settings.log.as_str());
    file.text("render", settings.render.as_str());
    file.text_if("keyring_timeout", settings.keyring_timeout.map(seconds));
}

fn gateway(file: &mut File, gateway: &Gateway, said: Said) {
    file.table(&format!("gateway.{}", key(&gateway.name)), &who(said));
    file.text_if("base_url", Some(gateway.base_url.as_str()).filter(|_| gateway.name != "demo"));
    file.text("api", gateway.api.as_str());
    for (model, api) in &gateway.model_api {
        file.text(&format!("model_api.{}", key(model)), api.as_str());
    }
    file.text(
        "auth",
        match gateway.auth {
            Auth::Required => "required",
            Auth::Optional => "optional",
            Auth::None => "none",
        },
    );
    let unless_empty = |texts: &[String]| (!texts.is_empty()).then(|| list(texts));
    file.value_if("key_env", unless_empty(&gateway.key.env));
    file.text_if("key_name", gateway.key.name.as_ref());
    file.value_if("key_command", gateway.key.command.as_deref().map(list));
    for name in gateway.headers.keys() {
        file.text(&format!("headers.{}", key(name)), "***");
    }
    file.text_if("price_provider", gateway.price_provider.as_ref());
    file.text_if("price_list", (gateway.price_list != PriceList::default()).then(|| gateway.price_list.as_str()));
    let is_open = !gateway.base_url.is_https() && !gateway.base_url.is_loopback();
    file.value_if("allow_http", is_open.then_some(true));
    file.text_if("ca_file", gateway.ca_file.as_ref().map(|path| path.display().to_string()));
    file.value_if("max_concurrency", gateway.rate.max_concurrency);
    file.value_if("requests_per_minute", gateway.rate.requests_per_minute);
    file.value_if("markup", gateway.markup.map(|millionths| f64::from(millionths) / 1e6));
    file.value_if("models", unless_empty(&gateway.models));
    let limits = &gateway.timeouts;
    let limits = [
        ("connect", limits.connect),
        ("first_token", limits.first_token),
        ("idle", limits.idle),
        ("total", limits.total),
    ];
    let limits = limits.map(|(name, limit)| format!("{name} = {}", quoted(&seconds(limit))));
    file.value("timeouts", format!("{{ {} }}", limits.join(", ")));
}

fn alias(file: &mut File, name: &str, alias: &Alias) {
    file.table(&format!("alias.{}", key(name)), "");
    file.value("models", list(&alias.models));
    file.text("strategy", alias.strategy.as_str());
    file.value_if("weights", alias.weights.as_ref().map(|weights| format!("{weights:?}")));
    file.value_if("retries", alias.retries);
    file.text_if("timeout", alias.timeout.map(seconds));
    file.text_if("hedge", alias.hedge.map(seconds));
}

/// One alias as a config file has it.
pub fn one_alias(name: &str, alias: &Alias) -> Text {
    let mut file = File::default();
    self::alias(&mut file, name, alias);
    Text::from(file.0.trim_start_matches('\n'))
}

fn step(file: &mut File, pipeline: &str, step: &Step) {
    file.table(&format!("[pipeline.{}.steps]", key(pipeline)), "");
    file.text("name", &step.name);
    file.text_if("model", step.model.as_ref());
    file.text_if("task", step.task.as_ref());
    file.text_if("template", step.template.as_ref());
    vars(file, &step.vars);
    file.text_if("prompt", step.prompt.as_ref());
    file.text_if("system", step.system.as_ref());
    file.value_if("max_tokens", step.max_tokens);
    file.value_if("temperature", step.temperature.map(|temperature| format!("{temperature:?}")));
}

fn vars(file: &mut File, vars: &BTreeMap<String, String>) {
    if !vars.is_empty() {
        let vars = vars.iter().map(|(name, value)| format!("{} = {}", key(name), quoted(value)));
        file.value("vars", format!("{{ {} }}", vars.collect::<Vec<_>>().join(", ")));
    }
}

/// One template as a config file has it.
pub fn template(name: &str, template: &Template) -> Text {
    let mut file = File::default();
    template_table(&mut file, name, template);
    Text::from(file.0.trim_start_matches('\n'))
}

fn template_table(file: &mut File, name: &str, template: &Template) {
    file.table(&format!("template.{}", key(name)), "");
    file.text_if("description", template.description.as_ref());
    file.text_if("model", template.model.as_ref());
    file.text_if("task", template.task.as_ref());
    file.text_if("system", template.system.as_ref());
    file.text_if("prompt", template.prompt.as_ref());
    vars(file, &template.vars);
    file.value_if("max_tokens", template.max_tokens);
    file.value_if("temperature", template.temperature.map(|temperature| format!("{temperature:?}")));
    file.value_if("top_p", template.top_p.map(|top_p| format!("{top_p:?}")));
    file.value_if("stop", (!template.stop.is_empty()).then(|| list(&template.stop)));
    file.value_if("seed", template.seed);
    file.text_if("effort", template.effort.as_ref());
    for (name, value) in &template.params {
        file.value(&format!("params.{}", key(name)), inline(value));
    }
    match &template.schema {
        Some(SchemaSource::File(path)) => file.text("schema", &path.display().to_string()),
        Some(SchemaSource::Inline(schema)) => file.value("schema", inline(schema)),
        None => {}
    }
}

/// The value in TOML, which has no null: a key without a value is left out.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields: Vec<_> = fields.map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
            if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
        }
        Value::Array(values) => format!("[{}]", values.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs_f64())
}

/// The comment that says where a setting comes from.
fn who(said: Said) -> String {
    match said {
        Said::Environment(name) => format!("  # environment: {name}"),
        Said::File => "  # config file".to_owned(),
        Said::Preset => "  # preset".to_owned(),
    }
}

/// A span of time in the largest unit that it is a whole number of.
fn span(time: Duration) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let whole = |(seconds, _): &&(u64, &str)| time.subsec_nanos() == 0 && time.as_secs().is_multiple_of(*seconds);
    match units.iter().find(whole) {
        Some((seconds, unit)) => format!("{}{unit}", time.as_secs() / seconds),
        None => format!("{}s", time.as_secs_f64()),
    }
}

/// A size in the largest unit that it is a whole number of.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// The text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// The text as a TOML key, which has quotes only where it needs them. Unlike a string, it never takes several lines.
fn key(text: &str) -> String {
    Key::new(text).display_repr().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_are_shown_as_people_write_them() {
        let spans = [604_800.0, 7_200.0, 90.0, 0.5].map(|seconds| span(Duration::from_secs_f64(seconds)));
        assert_eq!(spans, ["7d", "2h", "90s", "0.5s"]);
        assert_eq!([256 << 20, 1 << 30, 3 << 10, 1_000, 0].map(size), ["256MiB", "1GiB", "3KiB", "1000", "0"]);
    }
}
