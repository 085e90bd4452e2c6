//! Templates of requests: a prompt with places to fill in, and the settings that belong to it. Their prompts are checked
//! where they are compiled.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use super::names::suggestion;
use super::pipeline::INPUT;
use super::routing::check_name;
use super::source::Problem;
use crate::adapter::{is_same_field, names_other_model};
use crate::error::Error;
use crate::template;

/// The fields of a request body that hold the prompt and the model.
const RESERVED_FIELDS: [&str; 5] = ["model", "messages", "input", "contents", "prompt"];

/// Whether parameters cannot set this field, because budgets, allow-lists and the ledger use the prompt and the model that a
/// command or a template names.
pub fn is_reserved(field: &str) -> bool {
    names_other_model(field) || RESERVED_FIELDS.iter().any(|reserved| is_same_field(reserved, field))
}

/// `[template.NAME]`: a request with places to fill in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Template {
    /// One line that says what it is for.
    pub description: Option<String>,
    /// A template over [`INPUT`] and variables. Without it, the prompt is the input.
    pub prompt: Option<String>,
    /// The system prompt, a template over the same names.
    pub system: Option<String>,
    /// Model, alias or `GATEWAY::MODEL`.
    pub model: Option<String>,
    /// Kind of work, which `[task]` routes to a model or alias.
    pub task: Option<String>,
    /// What variables are where nobody gives a value.
    pub vars: BTreeMap<String, String>,
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub stop: Vec<String>,
    pub seed: Option<i64>,
    pub effort: Option<String>,
    /// Further fields of the request body.
    pub params: BTreeMap<String, Value>,
    /// The JSON Schema that answers must follow.
    pub schema: Option<SchemaSource>,
    /// The lines of the config file in which its prompt, its system prompt and its schema begin, from 1.
    pub prompt_line: usize,
    pub system_line: usize,
    pub schema_line: usize,
}

/// Where a template's schema is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum SchemaSource {
    /// A file; a relative path starts at the config file.
    File(PathBuf),
    /// In the config itself.
    Inline(Value),
}

/// [`Template`] as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateTable {
    description: Option<String>,
    prompt: Option<Spanned<String>>,
    system: Option<Spanned<String>>,
    model: Option<String>,
    task: Option<String>,
    #[serde(default)]
    vars: BTreeMap<String, String>,
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    #[serde(default)]
    stop: Vec<String>,
    seed: Option<i64>,
    effort: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    schema: Option<Spanned<SchemaSource>>,
}

impl TemplateTable {
    /// `line` says in which line a byte of the config file is.
    pub(super) fn placed(self, line: impl Fn(usize) -> usize) -> Template {
        let at = |text: &Option<Spanned<String>>| text.as_ref().map_or(0, |text| line(text.span().start));
        let schema_line = self.schema.as_ref().map_or(0, |schema| line(schema.span().start));
        Template {
            prompt_line: at(&self.prompt),
            system_line: at(&self.system),
            schema_line,
            description: self.description,
            prompt: self.prompt.map(Spanned::into_inner),
            system: self.system.map(Spanned::into_inner),
            model: self.model,
            task: self.task,
            vars: self.vars,
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            top_p: self.top_p,
            stop: self.stop,
            seed: self.seed,
            effort: self.effort,
            params: self.params,
            schema: self.schema.map(Spanned::into_inner),
        }
    }
}

/// The template of this name.
///
/// # Errors
/// There is none; the hint names the nearest, or all.
pub fn find<'a>(name: &str, templates: &'a BTreeMap<String, Template>) -> Result<&'a Template, Error> {
    templates.get(name).ok_or_else(|| {
        let hint = if templates.is_empty() {
            "`llm template new NAME` makes one; it is a table [template.NAME] in the config file".to_owned()
        } else {
            suggestion(name, templates.keys().map(String::as_str), "known templates")
        };
        Error::config_hint(format!("no template is called `{name}`"), hint)
    })
}

/// Finds templates that cannot be used whatever their prompts say.
pub(super) fn check<'a>(
    templates: &BTreeMap<String, Template>,
    tasks: &BTreeMap<String, String>,
    gateways: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Problem> {
    for (name, template) in templates {
        check_one(template, tasks, gateways.clone())
            .map_err(|problem| problem.below(["template", name]).about(&format!("template `{name}`")))?;
    }
    Ok(())
}

fn check_one<'a>(
    template: &Template,
    tasks: &BTreeMap<String, String>,
    gateways: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Problem> {
    let wrong = |key: &str, what: &str| Err(Problem::at([key], what));
    match (&template.model, &template.task) {
        (Some(_), Some(_)) => return wrong("task", "it has a model and a task; one of them decides"),
        (Some(model), None) => check_name(model, ["model"], gateways)?,
        (None, Some(task)) if !tasks.contains_key(task) => {
            let problem = Problem::at(["task"], format!("no task is called `{task}`"));
            return Err(problem.hint(suggestion(task, tasks.keys().map(String::as_str), "known tasks")));
        }
        (None, _) => {}
    }
    if template.max_tokens == Some(0) {
        return wrong("max_tokens", "max_tokens takes a whole number, 1 or more");
    }
    if template.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
        return wrong("temperature", "temperature takes a number from 0 to 2");
    }
    if template.top_p.is_some_and(|top_p| !(0.0..=1.0).contains(&top_p)) {
        return wrong("top_p", "top_p takes a number from 0 to 1");
    }
    if template.stop.iter().any(String::is_empty) {
        return wrong("stop", "stop takes texts that are not empty");
    }
    for name in template.vars.keys() {
        if name == INPUT {
            return Err(Problem::at(["vars", name], "`input` is what the user gives, so it is no variable"));
        }
        if !template::is_variable(name) {
            let problem = Problem::at(["vars", name], format!("`{name}` cannot name a variable"));
            return Err(problem.hint("letters, digits and `_`, no digit first"));
        }
    }
    if let Some(name) = template.params.keys().find(|name| is_reserved(name)) {
        let message = format!("params cannot set `{name}`: it would change what is sent, and to whom, past all limits");
        return Err(Problem::at(["params", name], message));
    }
    if template.params.get("stream").is_some_and(|stream| !stream.is_boolean()) {
        return Err(Problem::at(["params", "stream"], "stream takes true or false"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::super::file;
    use super::super::source::Source;
    use super::*;

    fn checked(table: &str) -> Result<Template, Error> {
        let text = format!("[template.t]\n{table}\n");
        let source = Source::new(Path::new("c.toml"), &text);
        let mut file = file::parse(&source)?;
        let tasks = BTreeMap::from([("coding".to_owned(), "m".to_owned())]);
        check(&file.templates, &tasks, ["corp"].into_iter()).map_err(|problem| source.error(problem))?;
        Ok(file.templates.remove("t").expect("the template"))
    }

    #[test]
    fn a_template_says_all_that_a_request_can() {
        let template = checked(
            "description = \"d\"\nprompt = \"\"\"\nx\"\"\"\nsystem = \"s\"\nmodel = \"corp::m\"\nvars = { lang = \"en\" }\n\
             max_tokens = 5\ntemperature = 0.5\ntop_p = 1\nstop = [\"a\"]\nseed = -1\neffort = \"low\"\n\
             params = { top_k = 40, o = { a = [1] } }\nschema = { type = \"object\" }",
        )
        .expect("good");
        assert_eq!((template.prompt.as_deref(), template.prompt_line), (Some("x"), 3));
        assert_eq!((template.system.as_deref(), template.system_line), (Some("s"), 5));
        assert_eq!(template.schema_line, 15);
        assert_eq!(template.params["o"], json!({ "a": [1] }));
        assert_eq!(template.schema, Some(SchemaSource::Inline(json!({ "type": "object" }))));
        let file = checked("schema = \"x.json\"").expect("good").schema;
        assert_eq!(file, Some(SchemaSource::File("x.json".into())));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_line() {
        for (table, message) in [
            ("max_tokens = 0", "max_tokens takes a whole number, 1 or more"),
            ("temperature = 2.5", "temperature takes a number from 0 to 2"),
            ("top_p = 1.5", "top_p takes a number from 0 to 1"),
            ("stop = [\"\"]", "stop takes texts that are not empty"),
            ("model = \"crop::m\"", "no gateway is called `crop`"),
            ("model = \"\"", "`` does not name a model"),
            ("task = \"codign\"", "no task is called `codign`"),
            ("vars = { input = \"x\" }", "`input` is what the user gives"),
            ("vars = { a-b = \"x\" }", "`a-b` cannot name a variable"),
            ("vars = { for = \"x\" }", "`for` cannot name a variable"),
            ("params = { model = \"x\" }", "params cannot set `model`"),
            ("params = { stream = 1 }", "stream takes true or false"),
            ("params = { messages = [] }", "params cannot set `messages`"),
            ("params = { Model = \"x\" }", "params cannot set `Model`"),
        ] {
            let error = checked(table).expect_err(table);
            assert_eq!(error.exit_code(), 3);
            let text = error.to_string();
            assert!(text.starts_with("c.toml:2: template `t`: ") && text.contains(message), "{text}");
        }
        let both = checked("task = \"coding\"\nmodel = \"m\"").expect_err("both").to_string();
        assert!(both.contains("a model and a task"), "{both}");
        let unknown = checked("promt = \"x\"").expect_err("unknown");
        assert_eq!(unknown.hint().as_deref(), Some("did you mean `prompt`?"));
    }
}
