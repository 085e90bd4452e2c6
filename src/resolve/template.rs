//! Makes requests from the templates of the config.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use serde_json::Value;

use crate::chat::Request;
use crate::config::{INPUT, SchemaSource, Settings, Template, find_template};
use crate::error::Error;
use crate::input::{self, Accept};
use crate::schema::Schema;
use crate::template::{self, BadTemplate};

/// The size limit of a file with a schema, in bytes.
const LARGEST_SCHEMA: u64 = 16 << 20;

/// The name of the tag that holds the template's name.
pub(crate) const TEMPLATE_TAG: &str = "template";

/// A template of the config that was compiled and whose schema was read. It can be filled in any number of times.
#[derive(Debug, Clone)]
pub(crate) struct PromptTemplate {
    pub(crate) name: String,
    pub(crate) settings: Template,
    pub(crate) schema: Option<Arc<Schema>>,
    /// The names that prompt and system prompt use, [`INPUT`] among them.
    needs: BTreeSet<String>,
}

/// The texts of a template with all values in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filled {
    pub(crate) system: Option<String>,
    pub(crate) prompt: String,
}

impl PromptTemplate {
    /// The template of this name.
    ///
    /// # Errors
    /// There is no such template, it cannot be compiled, or its schema cannot be read.
    pub(crate) fn load(settings: &Settings, name: &str) -> Result<Self, Error> {
        let template = find_template(name, &settings.templates)?;
        let path = settings.config_name();
        let texts =
            [("prompt", &template.prompt, template.prompt_line), ("system", &template.system, template.system_line)];
        let mut needs = BTreeSet::new();
        for (what, text, line) in texts {
            let Some(text) = text else { continue };
            let used = template::needs(text);
            needs.extend(
                used.map_err(|error| Error::config(format!("{path}:{line}: template `{name}`: its {what}: {error}")))?,
            );
        }
        // `{% set input = input | trim %}` uses the input, although it is not reported as needed.
        let mentions_input = |text: &&String| template::mentions(text).contains(INPUT);
        if template.prompt.is_none() || template.prompt.iter().chain(&template.system).any(|text| mentions_input(&text))
        {
            needs.insert(INPUT.to_owned());
        }
        let of_schema = format!("{path}:{}: template `{name}`: its schema", template.schema_line);
        let schema = template.schema.as_ref().map(|source| schema(settings, &of_schema, source)).transpose()?;
        Ok(Self { name: name.to_owned(), settings: template.clone(), schema: schema.map(Arc::new), needs })
    }

    /// Whether it cannot be filled in without input. Input that it does not use stands below its prompt.
    pub(crate) fn needs_input(&self) -> bool {
        self.needs.contains(INPUT)
    }

    /// The names of its variables, without the input: those that it uses, and those that have a default.
    pub(crate) fn variables(&self) -> BTreeSet<&str> {
        let used = self.needs.iter().filter(|name| *name != INPUT);
        used.chain(self.settings.vars.keys()).map(String::as_str).collect()
    }

    /// Its texts with these values in them; `vars` that it does not use do no harm. The input is put in without its last
    /// line break.
    ///
    /// # Errors
    /// A value is missing, or the text cannot be made of these values.
    pub(crate) fn fill(&self, vars: &BTreeMap<String, String>, input: Option<&str>) -> Result<Filled, Error> {
        let input =
            input.map(|text| text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)));
        let mut values = self.settings.vars.clone();
        values.extend(vars.iter().map(|(name, value)| (name.clone(), value.clone())));
        values.remove(INPUT);
        values.extend(input.map(|input| (INPUT.to_owned(), input.to_owned())));
        self.check_complete(&values)?;
        let render = |what: &str, text: &str| {
            template::render(text, &values).map_err(|error: BadTemplate| {
                Error::usage(format!("template `{}` cannot be filled in: its {what}: {error}", self.name))
            })
        };
        let system = self.settings.system.as_deref().map(|text| render("system", text)).transpose()?;
        let prompt = self.settings.prompt.as_deref().map(|text| render("prompt", text)).transpose()?;
        let prompt = match (prompt, input) {
            (Some(prompt), Some(input)) if !self.needs_input() && !input.trim().is_empty() => {
                format!("{prompt}\n\n{input}")
            }
            (Some(prompt), _) => prompt,
            (None, input) => input.unwrap_or_default().to_owned(),
        };
        if prompt.trim().is_empty() {
            return Err(Error::usage(format!("template `{}` makes an empty prompt of these values", self.name)));
        }
        Ok(Filled { system, prompt })
    }

    fn check_complete(&self, values: &BTreeMap<String, String>) -> Result<(), Error> {
        let missing: Vec<&str> =
            self.needs.iter().filter(|name| !values.contains_key(*name)).map(String::as_str).collect();
        if missing.contains(&INPUT) {
            let message = format!("template `{}` needs input", self.name);
            return Err(Error::usage_hint(message, "give it as an argument, or pipe it in"));
        }
        let Some(first) = missing.first() else { return Ok(()) };
        let names = missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message = format!("template `{}` needs a value for {names}", self.name);
        Err(Error::usage_hint(message, format!("--var {first}=VALUE gives it; vars in the template holds defaults")))
    }

    /// Puts its parameters into a request wherever that has none of its own, and asks for its schema.
    pub(crate) fn complete(&self, request: &mut Request) {
        let Template { max_tokens, temperature, top_p, stop, seed, effort, params, .. } = &self.settings;
        request.max_tokens = request.max_tokens.or(*max_tokens);
        request.temperature = request.temperature.or(*temperature);
        request.top_p = request.top_p.or(*top_p);
        request.seed = request.seed.or(*seed);
        if request.stop.is_empty() {
            request.stop.clone_from(stop);
        }
        if request.reasoning_effort.is_none() {
            request.reasoning_effort.clone_from(effort);
        }
        if request.response_format.is_none() {
            request.response_format = self.schema.as_deref().map(Schema::response_format);
        }
        for (name, value) in params {
            match (name.as_str(), value) {
                ("stream", value) => request.stream = value != &Value::Bool(false),
                (name, value) if !request.extra.contains_key(name) => {
                    _ = request.extra.insert(name.to_owned(), value.clone())
                }
                _ => {}
            }
        }
    }
}

/// Checks the templates of the config: they are compiled, and their schemas are read.
///
/// # Errors
/// The first mistake.
pub(crate) fn check_templates(settings: &Settings) -> Result<(), Error> {
    settings.templates.keys().try_for_each(|name| PromptTemplate::load(settings, name).map(drop))
}

/// `what` it is stands before an error.
fn schema(settings: &Settings, what: &str, source: &SchemaSource) -> Result<Schema, Error> {
    let wrong = |error: String| Error::config(format!("{what}: {error}"));
    match source {
        SchemaSource::Inline(value) => Schema::parse(&value.to_string()).map_err(wrong),
        SchemaSource::File(path) => {
            let path = settings.beside_config(path);
            let unreadable = |error: io::Error| {
                let message = format!("cannot read {}", path.display());
                Error::shortage(&message, &error).unwrap_or_else(|| wrong(format!("{message}: {error}")))
            };
            let text = input::read_text(&path, LARGEST_SCHEMA, Accept::Files).map_err(unreadable)?;
            Schema::parse(&text).map_err(|error| wrong(format!("{}: {error}", path.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ResponseFormat;
    use crate::config::Env;
    use serde_json::json;

    fn loaded(template: Template) -> Result<PromptTemplate, Error> {
        let mut settings = Settings::load(Env::from_pairs([("XDG_CONFIG_HOME", "/nowhere")])).expect("presets");
        settings.templates.insert("t".to_owned(), template);
        PromptTemplate::load(&settings, "t")
    }

    fn template(prompt: &str) -> Template {
        Template { prompt: Some(prompt.to_owned()), ..Template::default() }
    }

    fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn filled(
        template: Template,
        pairs: &[(&str, &str)],
        input: Option<&str>,
    ) -> Result<(Option<String>, String), Error> {
        let filled = loaded(template).expect("good").fill(&vars(pairs), input)?;
        Ok((filled.system, filled.prompt))
    }

    #[test]
    fn values_and_input_are_put_in_and_input_without_its_last_line_break() {
        let prompt = Template { vars: vars(&[("lang", "English")]), ..template("To {{ lang }}: {{ input }}!") };
        assert_eq!(filled(prompt.clone(), &[], Some("salut\n")).expect("filled").1, "To English: salut!");
        assert_eq!(filled(prompt, &[("lang", "Thai")], Some("a\n\n")).expect("filled").1, "To Thai: a\n!");
        let system = Template { system: Some("Speak {{ lang }}.".into()), ..Template::default() };
        let both = filled(system, &[("lang", "Thai")], Some("hi")).expect("filled");
        assert_eq!(both, (Some("Speak Thai.".to_owned()), "hi".to_owned()));
    }

    #[test]
    fn input_that_the_prompt_does_not_name_stands_below_it() {
        assert_eq!(filled(template("Write."), &[], Some("diff\n")).expect("filled").1, "Write.\n\ndiff");
        for nothing in [None, Some(""), Some(" \n")] {
            assert_eq!(filled(template("Write."), &[], nothing).expect("filled").1, "Write.");
        }
    }

    #[test]
    fn a_value_is_data_and_never_read_as_a_template() {
        let text = "{{ secret }}{% raw %}";
        assert_eq!(filled(template("[{{ a }}]"), &[("a", text)], None).expect("filled").1, format!("[{text}]"));
        assert_eq!(
            filled(template("[{{ input }}]"), &[("input", "no")], Some(text)).expect("filled").1,
            format!("[{text}]")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = filled(template("{{ a }}{{ b }}{{ c }}"), &[("b", "x")], None).expect_err("missing");
        assert_eq!(error.to_string(), "template `t` needs a value for `a`, `c`");
        assert!(error.hint().expect("a hint").starts_with("--var a=VALUE"));
        for needs_input in
            [template("{{ input }}"), template("{% set input = input | trim %}{{ input }}"), Template::default()]
        {
            let error = filled(needs_input, &[], None).expect_err("missing").to_string();
            assert_eq!(error, "template `t` needs input");
        }
        assert!(
            filled(template("{{ a }}"), &[("a", " ")], None).expect_err("empty").to_string().contains("empty prompt")
        );
    }

    #[test]
    fn a_template_that_makes_no_sense_is_refused_with_its_line() {
        let error = loaded(Template { prompt_line: 7, ..template("{{ a") }).expect_err("open");
        assert!(error.to_string().contains(":7: template `t`: its prompt: syntax error"), "{error}");
        let schema = Some(SchemaSource::Inline(json!({ "type": "objekt" })));
        let error = loaded(Template { schema, schema_line: 9, ..Template::default() }).expect_err("schema");
        assert!(error.to_string().contains(":9: template `t`: its schema: "), "{error}");
        let schema = Some(SchemaSource::File("/nowhere/x.json".into()));
        assert!(
            loaded(Template { schema, ..Template::default() }).expect_err("file").to_string().contains("cannot read")
        );
    }

    #[test]
    fn a_request_has_the_parameters_of_the_template_where_it_has_none_itself() {
        let template = Template {
            max_tokens: Some(7),
            temperature: Some(0.5),
            stop: vec!["a".into()],
            params: BTreeMap::from([("top_k".into(), json!(40)), ("stream".into(), json!(false))]),
            schema: Some(SchemaSource::Inline(json!({ "type": "object" }))),
            ..template("{{ input }}")
        };
        let loaded = loaded(template).expect("good");
        let mut request = Request { stream: true, ..Request::default() };
        loaded.complete(&mut request);
        assert_eq!((request.max_tokens, request.temperature, request.stream), (Some(7), Some(0.5), false));
        assert_eq!((request.stop, request.extra.get("top_k")), (vec!["a".to_owned()], Some(&json!(40))));
        assert!(matches!(request.response_format, Some(ResponseFormat::JsonSchema { .. })));
        let mut own = Request { max_tokens: Some(1), stop: vec!["b".into()], ..Request::default() };
        own.extra.insert("top_k".into(), json!(1));
        loaded.complete(&mut own);
        assert_eq!(
            (own.max_tokens, own.stop, own.extra.get("top_k")),
            (Some(1), vec!["b".to_owned()], Some(&json!(1)))
        );
    }
}
