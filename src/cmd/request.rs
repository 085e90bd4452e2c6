//! Makes a request from arguments, for all commands that send a prompt.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Context, attach, editor};
use crate::call::{Caller, CostLimit, Role as CallRole};
use crate::chat::{Message, Part, Request, ResponseFormat, Role};
use crate::cli::{ChosenTemplate, OneModelArgs, PromptArgs};
use crate::config::{INPUT, is_reserved, nearest, parse_duration};
use crate::error::Error;
use crate::input::{self, Accept};
use crate::money::Usd;
use crate::prompt;
use crate::report::destination::Destination;
use crate::resolve::{CallTemplate, Filled, PromptTemplate, Resolver, TEMPLATE_TAG};
use crate::route::NamedRoute;
use crate::run::Notices;
use crate::schema::Schema;
use crate::tool_file;

/// The size limit of a file with a system prompt, a schema or tools, in bytes.
const LARGEST_TEXT: u64 = 16 << 20;

/// A prompt, and everything that its calls need except the models.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The prompt, with stdin inserted, for reports.
    pub(super) prompt: String,
    pub(super) calls: CallTemplate,
}

/// The template that the flags name, with the values that they give.
#[derive(Debug)]
pub(super) struct Chosen {
    template: PromptTemplate,
    vars: BTreeMap<String, String>,
}

impl Chosen {
    /// The template of these flags, if they name one.
    ///
    /// # Errors
    /// There is no such template, it makes no sense, or it has no variable of a name that was given.
    pub(super) fn of(context: &Context, args: &ChosenTemplate) -> Result<Option<Self>, Error> {
        let Some(name) = &args.name else { return Ok(None) };
        let template = PromptTemplate::load(&context.settings, name)?;
        let vars: BTreeMap<_, _> =
            args.var.iter().map(|var| key_value(var, "--var", "NAME=VALUE")).collect::<Result<_, _>>()?;
        let known = template.variables();
        if let Some(unknown) = vars.keys().find(|var| !known.contains(var.as_str())) {
            let message = format!("template `{name}` has no variable `{unknown}`");
            return Err(match nearest(unknown, known.iter().copied()) {
                _ if unknown == INPUT => Error::usage_hint(message, "the prompt and stdin are its input"),
                Some(near) => Error::usage_hint(message, format!("did you mean `{near}`?")),
                None if known.is_empty() => Error::usage(message),
                None => {
                    let known = known.into_iter().collect::<Vec<_>>().join(", ");
                    Error::usage_hint(message, format!("its variables: {known}"))
                }
            });
        }
        Ok(Some(Self { template, vars }))
    }

    /// The template.
    pub(super) fn template(&self) -> &PromptTemplate {
        &self.template
    }

    /// Its texts with this input.
    ///
    /// # Errors
    /// A value is missing, or the text cannot be made of these values.
    pub(super) fn fill(&self, input: &str) -> Result<Filled, Error> {
        self.template.fill(&self.vars, Some(input))
    }

    /// The model that the template names, by itself or by a task.
    ///
    /// # Errors
    /// There is no such model or task.
    pub(super) fn model(&self, resolver: &Resolver<'_>) -> Result<Option<NamedRoute>, Error> {
        let settings = &self.template.settings;
        match (&settings.model, &settings.task) {
            (Some(model), _) => resolver.model(model).map(Some),
            (None, Some(task)) => resolver.task(task).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// The model that the flags name, or the template; `None` where neither does.
///
/// # Errors
/// There is no such model or task.
pub(super) fn named_model(
    resolver: &Resolver<'_>,
    args: &OneModelArgs,
    chosen: Option<&Chosen>,
) -> Result<Option<NamedRoute>, Error> {
    match (&args.model, &args.task) {
        (Some(model), _) => resolver.model(model).map(Some),
        (None, Some(task)) => resolver.task(task).map(Some),
        (None, None) => Ok(chosen.map(|chosen| chosen.model(resolver)).transpose()?.flatten()),
    }
}

/// Reads everything that the arguments name, including stdin. Sends nothing.
///
/// # Errors
/// An argument is invalid, or a file or stdin cannot be read.
pub(super) fn prepare(context: &Context, args: &PromptArgs) -> Result<Prepared, Error> {
    prepare_with(context, args, || {
        let typed = typed(context, args)?;
        prompt::read(typed.as_deref(), leaves_stdin(args), |text| context.urgent(text))
    })
}

/// The prompt of the command line, or what the user makes of it in the editor.
fn typed(context: &Context, args: &PromptArgs) -> Result<Option<String>, Error> {
    if !args.edit {
        let is_missing = args.prompt.as_deref().is_none_or(|prompt| prompt == "-");
        return match args.file.iter().any(|path| path == "-") {
            true if is_missing => Err(Error::usage("-f - takes stdin, so the prompt has to be an argument")),
            _ => Ok(args.prompt.clone()),
        };
    }
    let before = args.prompt.as_deref().filter(|prompt| *prompt != "-").unwrap_or_default();
    let text = editor::edited(&context.settings.env, before, ".md")?;
    if text.trim().is_empty() {
        return Err(Error::usage("nothing was written in the editor, so nothing is sent"));
    }
    Ok(Some(text.trim_end().to_owned()))
}

/// Whether stdin is no part of the prompt, by a flag or because it is attached.
fn leaves_stdin(args: &PromptArgs) -> bool {
    args.no_stdin || args.file.iter().any(|path| path == "-")
}

/// The same as [`prepare`], with the prompt as the input of a template where one is chosen.
///
/// # Errors
/// As for [`prepare`], and where the template cannot be filled in.
pub(super) fn prepare_chosen(context: &Context, args: &PromptArgs, chosen: Option<&Chosen>) -> Result<Prepared, Error> {
    let Some(Chosen { template, vars }) = chosen else { return prepare(context, args) };
    let texts = || {
        let notice = |text: &str| context.urgent(text);
        let typed = typed(context, args)?;
        let input = prompt::read_if_any(typed.as_deref(), leaves_stdin(args), template.needs_input(), notice)?;
        template.fill(vars, input.as_deref())
    };
    assemble(context, args, Some(template), texts)
}

/// The same as [`prepare`], with the prompt that `prompt` returns.
///
/// # Errors
/// As for [`prepare`], and those of `prompt`.
pub(super) fn prepare_with(
    context: &Context,
    args: &PromptArgs,
    prompt: impl FnOnce() -> Result<String, Error>,
) -> Result<Prepared, Error> {
    assemble(context, args, None, || prompt().map(|prompt| Filled { system: None, prompt }))
}

/// The request of a batch without its prompt, with the settings of a template where one is chosen.
///
/// # Errors
/// As for [`prepare`].
pub(super) fn prepare_base(
    context: &Context,
    args: &PromptArgs,
    template: Option<&PromptTemplate>,
) -> Result<CallTemplate, Error> {
    let nothing = || Ok(Filled { system: None, prompt: String::new() });
    assemble(context, args, template, nothing).map(|prepared| prepared.calls)
}

/// Puts together the request and what belongs to it. What flags say wins over what the template says.
fn assemble(
    context: &Context,
    args: &PromptArgs,
    template: Option<&PromptTemplate>,
    texts: impl FnOnce() -> Result<Filled, Error>,
) -> Result<Prepared, Error> {
    // The arguments are checked before stdin is read, so that the user gets their errors without waiting for input.
    let timeout = timeout(args.timeout.as_deref())?;
    let caller = caller(args, template)?;
    let mut extra = parameters(&args.param)?;
    let stream_parameter = extra.shift_remove("stream");
    let stream_said = args.no_stream || stream_parameter.is_some();
    let stream = stream(args.no_stream, stream_parameter)?;
    let resolver = Resolver::new(&context.settings, args.to.gateway.as_deref());
    let fallback = args.fallback.iter().map(|name| resolver.model(name)).collect::<Result<_, _>>()?;
    let schema = args.schema.as_deref().map(|path| read_as(path, timeout, Schema::parse)).transpose()?.map(Arc::new);
    let schema = schema.or_else(|| template.and_then(|template| template.schema.clone()));
    let tools = args.tools.as_deref().map(|path| read_as(path, timeout, tool_file::parse)).transpose()?;
    let system = args.system.as_deref().map(|text| text_or_file("--system", text, timeout)).transpose()?;
    let attachments = attach::read(context, args)?;
    let texts = texts()?;
    let mut messages = Vec::new();
    messages.extend(system.or(texts.system).map(|text| Message::text(Role::System, text)));
    messages.push(Message { role: Role::User, parts: parts(attachments, &texts.prompt) });
    let mut request = Request {
        messages,
        max_tokens: args.max_tokens,
        temperature: args.temperature,
        top_p: args.top_p,
        stop: args.stop.clone(),
        seed: args.seed,
        logprobs: args.logprobs,
        reasoning_effort: args.effort.clone(),
        tools: tools.unwrap_or_default(),
        response_format: schema.as_deref().map(Schema::response_format),
        stream,
        extra,
        ..Request::default()
    };
    if let Some(template) = template {
        template.complete(&mut request);
        request.stream = if stream_said { stream } else { request.stream };
    }
    let calls = CallTemplate {
        request: Arc::new(request),
        schema,
        caller: Arc::new(caller),
        role: CallRole::Answer,
        retries: args.retries,
        timeout,
        fallback,
    };
    Ok(Prepared { prompt: texts.prompt, calls })
}

/// Where the output goes. `--timeout` also limits how long the reader of a pipe is waited for.
///
/// # Errors
/// It cannot be written.
pub(super) fn destination(context: &Context, args: &PromptArgs) -> Result<Destination, Error> {
    let limit = timeout(args.timeout.as_deref())?;
    context.destination(args.out.path.as_deref(), limit)
}

/// The duration of `--timeout`.
pub(super) fn timeout(text: Option<&str>) -> Result<Option<Duration>, Error> {
    let timeout = text.map(parse_duration).transpose();
    timeout.map_err(|error| Error::usage(format!("--timeout: {error}")))
}

/// Whether a stream is asked for: `--no-stream`, and `-p stream=…` where it is given.
fn stream(no_stream: bool, parameter: Option<Value>) -> Result<bool, Error> {
    match parameter {
        None => Ok(!no_stream),
        // As for every field, it is left out.
        Some(Value::Null) => Ok(false),
        Some(Value::Bool(true)) if no_stream => {
            Err(Error::usage("--no-stream and -p stream=true contradict each other"))
        }
        Some(Value::Bool(stream)) => Ok(stream),
        Some(_) => Err(Error::usage("-p stream takes true or false")),
    }
}

/// The user of the command line, with the tags and limits of the flags. The name of the template is a tag too.
fn caller(args: &PromptArgs, template: Option<&PromptTemplate>) -> Result<Caller, Error> {
    let max_cost = args.max_cost.as_deref().map(max_cost).transpose()?;
    let mut tags: BTreeMap<_, _> =
        args.tag.iter().map(|tag| key_value(tag, "--tag", "KEY=VALUE")).collect::<Result<_, _>>()?;
    if let Some(template) = template {
        if tags.contains_key(TEMPLATE_TAG) {
            return Err(Error::usage(format!("--tag {TEMPLATE_TAG} is reserved: --template sets it")));
        }
        tags.insert(TEMPLATE_TAG.to_owned(), template.name.clone());
    }
    Ok(Caller {
        tags,
        max_cost: max_cost.map(|most| Arc::new(CostLimit::new(most))),
        allow_unpriced: args.allow_unpriced,
        ..Caller::default()
    })
}

/// The template for calls that repeat a recorded request. Answers are checked against the schema of that request.
pub(super) fn again(request: Request, tags: BTreeMap<String, String>) -> CallTemplate {
    let schema = match &request.response_format {
        Some(ResponseFormat::JsonSchema { schema, .. }) => Schema::parse(&schema.to_string()).ok().map(Arc::new),
        _ => None,
    };
    let caller = Arc::new(Caller { tags, ..Caller::default() });
    CallTemplate { request: Arc::new(request), schema, caller, ..CallTemplate::default() }
}

/// The text of a flag, which may be `@FILE`. The writer of a pipe is waited for so long; `None` is without an end.
///
/// # Errors
/// The file cannot be read.
pub(super) fn text_or_file(flag: &str, text: &str, patience: Option<Duration>) -> Result<String, Error> {
    match text.strip_prefix('@') {
        Some(path) => {
            input::read_text(Path::new(path), LARGEST_TEXT, Accept::FilesAndPipes(patience)).map_err(|source| {
                match source.kind() {
                    io::ErrorKind::TimedOut => Error::unreadable(Path::new(path), source),
                    _ => Error::usage(format!("{flag}: cannot read {path}: {source}")),
                }
            })
        }
        None => Ok(text.to_owned()),
    }
}

/// The attachments, then the prompt. Texts are joined to one, because some gateways accept only one text in a message.
pub(super) fn parts(attachments: Vec<Part>, prompt: &str) -> Vec<Part> {
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

/// Reads and parses a file.
fn read_as<T>(
    path: &Path,
    patience: Option<Duration>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, Error> {
    let text = input::read_text(path, LARGEST_TEXT, Accept::FilesAndPipes(patience))
        .map_err(|source| Error::unreadable(path, source))?;
    parse(&text).map_err(|error| Error::usage(format!("{}: {error}", path.display())))
}

/// The amount of `--max-cost`.
pub(super) fn max_cost(text: &str) -> Result<Usd, Error> {
    let amount = text.trim_start_matches('$').parse().ok().filter(|amount| *amount >= Usd::ZERO);
    amount
        .ok_or_else(|| Error::usage(format!("--max-cost takes US dollars such as 0.05, at most 9223372, not `{text}`")))
}

fn parameters(params: &[String]) -> Result<Map<String, Value>, Error> {
    let mut fields = Map::new();
    for param in params {
        let (name, value) = key_value(param, "-p", "KEY=JSON")?;
        if is_reserved(&name) {
            let message = format!("-p cannot set `{name}`: it would change what is sent, and to whom, past all limits");
            return Err(Error::usage_hint(
                message,
                "-m, --fallback, -s and the prompt say what is asked of which model",
            ));
        }
        // A value that is not JSON is a text: -p user=ann.
        let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
        fields.insert(name, value);
    }
    Ok(fields)
}

pub(super) fn key_value(text: &str, flag: &str, form: &str) -> Result<(String, String), Error> {
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
