//! `llm config`: where the settings are, what they are, and whether they make sense.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{Context, explain};
use crate::cli::ConfigCommand;
use crate::config::{Alias, Auth, Env, Gateway, PriceList, Said, Settings, Step, TEMPLATE};
use crate::error::Error;
use crate::report::term::print;
use crate::secret::without_keys;
use crate::{pipeline, private};

/// Runs without [`Settings`] where it can: a config that does not parse must still be found and mended.
pub(super) fn run(
    command: &ConfigCommand,
    env: Env,
    settings: impl FnOnce(Env) -> Result<Context, Error>,
) -> Result<u8, Error> {
    match command {
        ConfigCommand::Path => print(format!("{}\n", path(&env)?).into())?,
        ConfigCommand::Show { route: None, .. } => print(show(&settings(env)?.settings)?.into())?,
        ConfigCommand::Show { route: Some(name), gateway } => {
            let context = settings(env)?;
            print(explain::route(&context, name, gateway.as_deref())?.into())?;
        }
        ConfigCommand::Check => {
            let context = settings(env)?;
            pipeline::check(&context.settings)?;
            let path =
                context.settings.config_path.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
            let found =
                if context.settings.config_found { "makes sense" } else { "is not there; the presets make sense" };
            print(format!("{path} {found}\n").into())?;
        }
        ConfigCommand::Edit => {
            let path = path(&env)?;
            if !Path::new(&path).exists() {
                init(&path, false)?;
            }
            edit(&env, &path)?;
            pipeline::check(&settings(env)?.settings)?;
        }
        ConfigCommand::Init { force } => {
            let path = path(&env)?;
            init(&path, *force)?;
            print(format!("{path}\n").into())?;
        }
    }
    Ok(0)
}

fn path(env: &Env) -> Result<String, Error> {
    let path = Settings::config_path(env).ok_or_else(|| {
        Error::config_hint("there is no home directory to keep a config file in", "LLM_CONFIG names a file anywhere")
    })?;
    Ok(path.display().to_string())
}

fn init(path: &str, replace: bool) -> Result<(), Error> {
    let fails = |source| Error::Output { target: path.to_owned(), source };
    let file = Path::new(path);
    if let Some(directory) = file.parent() {
        private::create_dir(directory).map_err(fails)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(replace).create_new(!replace);
    // It may come to hold headers that are secret.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::usage_hint(format!("{path} exists already"), "`llm config edit` opens it; --force replaces it")
        }
        _ => fails(error),
    })?;
    std::io::Write::write_all(&mut file, TEMPLATE.as_bytes()).map_err(fails)
}

/// Opens the file in the user's editor, which does not get to see any key.
fn edit(env: &Env, path: &str) -> Result<(), Error> {
    let editor = env.get("VISUAL").or_else(|| env.get("EDITOR")).unwrap_or("vi");
    // Editors are given with arguments: `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let mut process = without_keys(program, &Settings::key_variables_of(env));
    process.args(words).arg(path);
    let fails = |cause: String| Error::Config {
        message: format!("the editor `{program}` did not do it"),
        cause: Some(cause),
        hint: Some(format!("VISUAL or EDITOR names another; the file is {path}")),
    };
    let status = process.status().map_err(|error| fails(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(fails(status.to_string())) }
}

/// The settings in force, as a config file that would give them; who says what is in comments.
fn show(settings: &Settings) -> Result<String, Error> {
    let mut text = String::new();
    match &settings.config_path {
        Some(path) if settings.config_found => text.push_str(&format!("# config file: {}\n", path.display())),
        Some(path) => text.push_str(&format!("# config file: {} (not there)\n", path.display())),
        None => text.push_str("# config file: none, for lack of a home directory\n"),
    }
    if let Some((name, said)) = settings.default_gateway_said() {
        text.push_str(&format!("default_gateway = {}  # {}\n", quoted(name), who(said)));
    }
    if let Some((model, said)) = &settings.model {
        text.push_str(&format!("model = {}  # {}\n", quoted(model), who(*said)));
    }
    text.push_str(&format!("log = \"{}\"\n", settings.log.as_str()));
    if let Some(limit) = settings.keyring_timeout {
        text.push_str(&format!("keyring_timeout = \"{}s\"\n", limit.as_secs_f64()));
    }
    for name in settings.gateway_names() {
        text.push('\n');
        text.push_str(&gateway(&settings.gateway(name)?, settings.gateway_said(name)));
    }
    if !settings.sets.is_empty() {
        text.push_str("\n[set]\n");
        for (name, models) in &settings.sets {
            text.push_str(&format!("{} = {}\n", key(name), list(models)));
        }
    }
    let cache = &settings.cache;
    text.push_str(&format!(
        "\n[cache]\nenabled = {}\nttl = \"{}\"\nmax_size = \"{}\"\n",
        cache.enabled,
        span(cache.ttl),
        size(cache.max_size)
    ));
    for budget in &settings.budgets {
        text.push_str(&format!("\n# budget of {}\n", budget.describe()));
    }
    for (name, alias) in &settings.aliases {
        text.push('\n');
        text.push_str(&self::alias(name, alias));
    }
    if !settings.tasks.is_empty() {
        text.push_str("\n[task]\n");
        for (name, model) in &settings.tasks {
            text.push_str(&format!("{} = {}\n", key(name), quoted(model)));
        }
    }
    for (name, pipeline) in &settings.pipelines {
        text.extend(pipeline.steps.iter().map(|step| self::step(name, step)));
    }
    for (model, price) in &settings.prices {
        text.push_str(&format!("\n[price.{}]\n", quoted(model)));
        let rates = [
            ("input", price.input),
            ("output", price.output),
            ("cache_read", price.cache_read),
            ("cache_write", price.cache_write),
            ("reasoning", price.reasoning),
            ("request", price.request),
        ];
        for (name, rate) in rates {
            if let Some(rate) = rate {
                text.push_str(&format!("{name} = {}\n", rate.to_decimal()));
            }
        }
    }
    Ok(text)
}

fn gateway(gateway: &Gateway, said: Said) -> String {
    let mut text = format!("[gateway.{}]  # {}\n", key(&gateway.name), who(said));
    if gateway.name != "demo" {
        text.push_str(&format!("base_url = {}\n", quoted(gateway.base_url.as_str())));
    }
    text.push_str(&format!("api = {}\n", quoted(gateway.api.as_str())));
    for (model, api) in &gateway.model_api {
        text.push_str(&format!("model_api.{} = {}\n", key(model), quoted(api.as_str())));
    }
    let auth = match gateway.auth {
        Auth::Required => "required",
        Auth::Optional => "optional",
        Auth::None => "none",
    };
    text.push_str(&format!("auth = \"{auth}\"\n"));
    if !gateway.key.env.is_empty() {
        text.push_str(&format!("key_env = {}\n", list(&gateway.key.env)));
    }
    if let Some(name) = &gateway.key.name {
        text.push_str(&format!("key_name = {}\n", quoted(name)));
    }
    if let Some(command) = &gateway.key.command {
        text.push_str(&format!("key_command = {}\n", list(command)));
    }
    for name in gateway.headers.keys() {
        text.push_str(&format!("headers.{} = \"***\"\n", key(name)));
    }
    if let Some(provider) = &gateway.price_provider {
        text.push_str(&format!("price_provider = {}\n", quoted(provider)));
    }
    if gateway.price_list != PriceList::default() {
        text.push_str(&format!("price_list = {}\n", quoted(gateway.price_list.as_str())));
    }
    if !gateway.base_url.is_https() && !gateway.base_url.is_loopback() {
        text.push_str("allow_http = true\n");
    }
    if let Some(path) = &gateway.ca_file {
        text.push_str(&format!("ca_file = {}\n", quoted(&path.display().to_string())));
    }
    let rate = &gateway.rate;
    for (name, limit) in [("max_concurrency", rate.max_concurrency), ("requests_per_minute", rate.requests_per_minute)]
    {
        if let Some(limit) = limit {
            text.push_str(&format!("{name} = {limit}\n"));
        }
    }
    if let Some(markup) = gateway.markup {
        text.push_str(&format!("markup = {}\n", f64::from(markup) / 1_000_000.0));
    }
    if !gateway.models.is_empty() {
        text.push_str(&format!("models = {}\n", list(&gateway.models)));
    }
    let limits = &gateway.timeouts;
    text.push_str(&format!(
        "timeouts = {{ connect = \"{}s\", first_token = \"{}s\", idle = \"{}s\", total = \"{}s\" }}\n",
        limits.connect.as_secs_f64(),
        limits.first_token.as_secs_f64(),
        limits.idle.as_secs_f64(),
        limits.total.as_secs_f64()
    ));
    text
}

fn alias(name: &str, alias: &Alias) -> String {
    let mut text = format!("[alias.{}]\nmodels = {}\n", key(name), list(&alias.models));
    text.push_str(&format!("strategy = \"{}\"\n", alias.strategy.as_str()));
    if let Some(weights) = &alias.weights {
        text.push_str(&format!("weights = {weights:?}\n"));
    }
    if let Some(retries) = alias.retries {
        text.push_str(&format!("retries = {retries}\n"));
    }
    for (name, time) in [("timeout", alias.timeout), ("hedge", alias.hedge)] {
        if let Some(time) = time {
            text.push_str(&format!("{name} = \"{}s\"\n", time.as_secs_f64()));
        }
    }
    text
}

fn step(pipeline: &str, step: &Step) -> String {
    let mut text = format!("\n[[pipeline.{}.steps]]\nname = {}\n", key(pipeline), quoted(&step.name));
    let texts = [
        ("model", step.model.as_ref()),
        ("task", step.task.as_ref()),
        ("prompt", Some(&step.prompt)),
        ("system", step.system.as_ref()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            text.push_str(&format!("{name} = {}\n", quoted(value)));
        }
    }
    if let Some(limit) = step.max_tokens {
        text.push_str(&format!("max_tokens = {limit}\n"));
    }
    if let Some(temperature) = step.temperature {
        text.push_str(&format!("temperature = {temperature:?}\n"));
    }
    text
}

fn who(said: Said) -> String {
    match said {
        Said::Environment(name) => format!("environment: {name}"),
        Said::File => "config file".to_owned(),
        Said::Preset => "preset".to_owned(),
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

/// A text as TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// A key as TOML: bare where it may be.
fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if bare { text.to_owned() } else { quoted(text) }
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
