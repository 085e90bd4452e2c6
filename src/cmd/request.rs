//! From arguments to a request and its calls: what `ask` and `compare` share.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Context;
use super::facts::Facts;
use crate::attachment;
use crate::call::{Call, Choice, Limits};
use crate::chat::{Message, Part, Request, ResponseFormat, Role};
use crate::cli::PromptArgs;
use crate::config::{Settings, parse_duration};
use crate::error::Error;
use crate::money::Usd;
use crate::prompt;
use crate::report;
use crate::report::term::say;
use crate::route::{Asked, Names};
use crate::schema::Schema;
use crate::secret;
use crate::tool_file;

/// Everything about a command's calls but where they go.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The prompt as it was put together, for reports.
    pub(super) prompt: String,
    pub(super) request: Request,
    /// What answers must follow.
    pub(super) schema: Option<Arc<Schema>>,
    pub(super) tags: BTreeMap<String, String>,
    retries: Option<u32>,
    timeout: Option<Duration>,
    /// Where a call goes when every choice of its own has failed.
    fallback: Vec<Asked>,
}

/// Reads all that the arguments name. Nothing is sent yet.
pub(super) fn prepare(context: &Context, args: &PromptArgs) -> Result<Prepared, Error> {
    prepare_with(context, args, || {
        prompt::read(args.prompt.as_deref(), args.no_stdin, |text| {
            say(report::error::notice(text, &context.terminal.stderr));
        })
    })
}

/// As [`prepare`], with a prompt from elsewhere.
pub(super) fn prepare_with(
    context: &Context,
    args: &PromptArgs,
    prompt: impl FnOnce() -> Result<String, Error>,
) -> Result<Prepared, Error> {
    // What can be wrong without any input is found before input is waited for.
    let timeout = args.timeout.as_deref().map(parse_duration).transpose();
    let timeout = timeout.map_err(|error| Error::usage(format!("--timeout: {error}")))?;
    let tags = tags(args)?;
    args.max_cost.as_deref().map(max_cost).transpose()?;
    let mut extra = parameters(&args.param)?;
    check_sampling(args)?;
    let stream = match extra.remove("stream") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(stream)) => stream,
        Some(_) => return Err(Error::usage("-p stream takes true or false")),
    };
    let fallback = with_names(context, args.to.gateway.as_deref(), |names| {
        args.fallback.iter().map(|name| names.model(name)).collect::<Result<_, _>>()
    })?;
    let schema = args.schema.as_deref().map(|path| read_as(path, Schema::parse)).transpose()?;
    let tools = args.tools.as_deref().map(|path| read_as(path, tool_file::parse)).transpose()?;
    let system = args.system.as_deref().map(system).transpose()?;
    let attachments = args.file.iter().map(|path| attachment::read(path)).collect::<Result<Vec<_>, _>>()?;
    let prompt = prompt()?;
    let mut messages = Vec::new();
    messages.extend(system.map(|text| Message::text(Role::System, text)));
    messages.push(Message { role: Role::User, parts: parts(attachments, &prompt) });
    let request = Request {
        messages,
        max_tokens: args.max_tokens,
        temperature: args.temperature,
        top_p: args.top_p,
        stop: args.stop.clone(),
        seed: args.seed,
        logprobs: args.logprobs,
        reasoning_effort: args.effort.clone(),
        tools: tools.unwrap_or_default(),
        response_format: schema.as_ref().map(Schema::response_format),
        stream,
        extra,
        tool_choice: None,
    };
    Ok(Prepared { prompt, request, schema: schema.map(Arc::new), tags, retries: args.retries, timeout, fallback })
}

impl Prepared {
    /// A request that was made before.
    pub(super) fn again(prompt: String, request: Request, tags: BTreeMap<String, String>) -> Self {
        // A schema that was asked for then holds for the answers now.
        let schema = match &request.response_format {
            Some(ResponseFormat::JsonSchema { schema, .. }) => Schema::parse(&schema.to_string()).ok().map(Arc::new),
            _ => None,
        };
        Self { prompt, request, schema, tags, retries: None, timeout: None, fallback: Vec::new() }
    }

    /// The calls to these models, in order.
    pub(super) fn calls(&self, context: &Context, models: &[&Asked]) -> Result<Vec<Call>, Error> {
        let facts = Facts::new(context, &self.request);
        let request = Arc::new(self.request.clone());
        let mut calls = Vec::with_capacity(models.len());
        for (index, asked) in models.iter().enumerate() {
            let routes = std::iter::once(*asked).chain(&self.fallback);
            let choices: Vec<Choice> = routes.flat_map(|asked| asked.route.choices(&facts)).collect();
            let first = &choices[0].target;
            let timeout = match self.timeout {
                Some(timeout) => timeout,
                None => context.settings.gateway(&first.gateway)?.timeouts.total,
            };
            calls.push(Call {
                task: asked.task.clone(),
                limits: Limits { retries: self.retries, bounded: false, timeout },
                ..Call::new(index, asked.name.clone(), choices, Arc::clone(&request))
            });
        }
        Ok(calls)
    }
}

/// Does something with the names of the config; `gateway` is for those that do not say.
pub(super) fn with_names<T>(
    context: &Context,
    gateway: Option<&str>,
    then: impl FnOnce(&Names<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let settings = &context.settings;
    let default_gateway = || default_gateway(context, gateway);
    then(&Names { aliases: &settings.aliases, tasks: &settings.tasks, default_gateway: &default_gateway })
}

/// The model where none is named: that of the settings, or the first of the gateway that a flag names.
pub(super) fn usual_model(context: &Context, names: &Names<'_>, gateway: Option<&str>) -> Result<Asked, Error> {
    let settings = &context.settings;
    let usual = settings.model.as_ref().map(|(model, _)| names.default(model));
    let usual = usual.or_else(|| settings.tasks.contains_key("default").then(|| names.task("default")));
    // A gateway that is named has its own idea of what is usual.
    if gateway.is_none()
        && let Some(usual) = usual
    {
        return usual;
    }
    let gateway = settings.gateway(&default_gateway(context, gateway)?)?;
    match (gateway.models.first(), usual) {
        (Some(model), _) => names.model(model),
        (None, Some(usual)) => usual,
        (None, None) => Err(Error::usage_hint(
            "which model?",
            "name one with -m, LLM_MODEL, or model in the config file; `llm models` lists them",
        )),
    }
}

/// The gateway for names that do not say.
pub(super) fn default_gateway(context: &Context, flag: Option<&str>) -> Result<String, Error> {
    context.settings.default_gateway(flag, || saved_gateways(&context.settings))
}

/// The gateways that have a saved key.
fn saved_gateways(settings: &Settings) -> Vec<String> {
    let Some(data) = &settings.dirs.data else { return Vec::new() };
    // A key file that cannot be read is reported when its key is needed.
    let saved = secret::KeyFile::in_dir(data).list().unwrap_or_default();
    let mut names: Vec<String> = saved.into_iter().map(|saved| saved.gateway).collect();
    names.dedup();
    names
}

fn system(text: &str) -> Result<String, Error> {
    match text.strip_prefix('@') {
        Some(path) => {
            fs::read_to_string(path).map_err(|source| Error::usage(format!("--system: cannot read {path}: {source}")))
        }
        None => Ok(text.to_owned()),
    }
}

/// The attachments, then the prompt. Texts are joined, since not every gateway takes several.
fn parts(attachments: Vec<Part>, prompt: &str) -> Vec<Part> {
    let mut texts = Vec::new();
    let mut parts = Vec::new();
    for attachment in attachments {
        match attachment {
            Part::Text(text) => texts.push(text),
            other => parts.push(other),
        }
    }
    texts.push(prompt.to_owned());
    parts.push(Part::Text(texts.join("\n\n")));
    parts
}

/// Reads a file that is to be understood.
fn read_as<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Input { path: path.into(), source })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    parse(text).map_err(|error| Error::usage(format!("{}: {error}", path.display())))
}

/// The amount of `--max-cost`.
pub(super) fn max_cost(text: &str) -> Result<Usd, Error> {
    let amount = text.trim_start_matches('$').parse().ok().filter(|amount| *amount >= Usd::ZERO);
    amount.ok_or_else(|| Error::usage(format!("--max-cost takes US dollars such as 0.05, not `{text}`")))
}

/// What costs are attributed to.
pub(super) fn tags(args: &PromptArgs) -> Result<BTreeMap<String, String>, Error> {
    args.tag.iter().map(|tag| key_value(tag, "--tag", "KEY=VALUE")).collect()
}

fn check_sampling(args: &PromptArgs) -> Result<(), Error> {
    for (flag, value) in [("--temperature", args.temperature), ("--top-p", args.top_p)] {
        if value.is_some_and(|value| !value.is_finite()) {
            return Err(Error::usage(format!("{flag} takes a number")));
        }
    }
    Ok(())
}

fn parameters(params: &[String]) -> Result<Map<String, Value>, Error> {
    let mut fields = Map::new();
    for param in params {
        let (name, value) = key_value(param, "-p", "KEY=JSON")?;
        // What is not JSON is meant as text: -p user=ann.
        let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
        fields.insert(name, value);
    }
    Ok(fields)
}

fn key_value(text: &str, flag: &str, form: &str) -> Result<(String, String), Error> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err(Error::usage(format!("{flag} takes {form}, not `{text}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_json_or_else_text() {
        let given = ["top_k=40", "user=ann", "o={\"a\":[1]}", "e=", "x=a=b"].map(str::to_owned);
        let expected = json!({"top_k": 40, "user": "ann", "o": {"a": [1]}, "e": "", "x": "a=b"});
        assert_eq!(Value::Object(parameters(&given).expect("good")), expected);
        assert_eq!(parameters(&["=1".to_owned()]).expect_err("no name").exit_code(), 2);
        assert_eq!(parameters(&["top_k".to_owned()]).expect_err("no value").exit_code(), 2);
    }

    #[test]
    fn texts_are_one_part_and_come_last() {
        let image =
            Part::File(crate::chat::File { name: None, media_type: "application/pdf".into(), base64: String::new() });
        let parts = parts(vec![Part::Text("a".into()), image.clone()], "b");
        assert_eq!(parts, [image, Part::Text("a\n\nb".into())]);
    }
}
