//! Pipelines: prompts that build on each other's answers. Their templates are checked where they are compiled.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::names::suggestion;
use super::routing::check_name;
use super::source::Problem;
use super::template::{self, Template};
use crate::error::Error;
use crate::template::{is_name, is_variable};

/// The variable of a prompt that holds what the user gave.
pub const INPUT: &str = "input";

/// `[pipeline.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// In the order in which they are written: each may build on those before it. Never empty.
    pub steps: Vec<Step>,
}

/// One call of a pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// The variable that holds its answer in later prompts has this name too.
    pub name: String,
    /// Model, alias or `GATEWAY::MODEL`; without it and without a task, what `llm ask` would use.
    pub model: Option<String>,
    /// Kind of work, which `[task]` routes to a model or alias.
    pub task: Option<String>,
    /// A name of `[template]`, which is filled in with `prompt` as its input and with `vars`.
    pub template: Option<String>,
    /// The values of its variables, each a template over the same names as `prompt`.
    pub vars: BTreeMap<String, String>,
    /// A template over [`INPUT`] and the names of earlier steps; only a step with a template of the config may have none.
    pub prompt: Option<String>,
    /// The system prompt, as it stands.
    pub system: Option<String>,
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    /// The line of the config file in which its prompt begins, or its name where it has none, from 1.
    pub prompt_line: usize,
}

/// [`Pipeline`] as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PipelineTable {
    steps: Vec<StepTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTable {
    name: Spanned<String>,
    model: Option<String>,
    task: Option<String>,
    template: Option<String>,
    #[serde(default)]
    vars: BTreeMap<String, String>,
    prompt: Option<Spanned<String>>,
    system: Option<String>,
    max_tokens: Option<u64>,
    temperature: Option<f64>,
}

impl PipelineTable {
    /// `line` says in which line a byte of the config file is.
    pub(super) fn placed(self, line: impl Fn(usize) -> usize) -> Pipeline {
        let step = |table: StepTable| Step {
            prompt_line: line(table.prompt.as_ref().unwrap_or(&table.name).span().start),
            name: table.name.into_inner(),
            model: table.model,
            task: table.task,
            template: table.template,
            vars: table.vars,
            prompt: table.prompt.map(Spanned::into_inner),
            system: table.system,
            max_tokens: table.max_tokens,
            temperature: table.temperature,
        };
        Pipeline { steps: self.steps.into_iter().map(step).collect() }
    }
}

/// The pipeline of this name.
pub fn find<'a>(name: &str, pipelines: &'a BTreeMap<String, Pipeline>) -> Result<&'a Pipeline, Error> {
    pipelines.get(name).ok_or_else(|| {
        let hint = if pipelines.is_empty() {
            "pipelines are tables such as [pipeline.NAME] in the config file".to_owned()
        } else {
            suggestion(name, pipelines.keys().map(String::as_str), "known pipelines")
        };
        Error::config_hint(format!("no pipeline is called `{name}`"), hint)
    })
}

/// Finds pipelines that cannot be run whatever their prompts say.
pub(super) fn check<'a>(
    pipelines: &BTreeMap<String, Pipeline>,
    templates: &BTreeMap<String, Template>,
    tasks: &BTreeMap<String, String>,
    gateways: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Problem> {
    for (name, pipeline) in pipelines {
        if pipeline.steps.is_empty() {
            return Err(Problem::at(["pipeline", name, "steps"], format!("pipeline `{name}` has no steps")));
        }
        for (index, step) in pipeline.steps.iter().enumerate() {
            let checked = check_step(step, &pipeline.steps[..index], tasks, gateways.clone());
            checked.and_then(|()| check_texts(step, templates)).map_err(|problem| {
                let problem = problem.below(["pipeline", name, "steps", &index.to_string()]);
                problem.about(&format!("step `{}` of pipeline `{name}`", step.name))
            })?;
        }
    }
    Ok(())
}

fn check_step<'a>(
    step: &Step,
    earlier: &[Step],
    tasks: &BTreeMap<String, String>,
    gateways: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Problem> {
    let wrong = |name: &str, what: &str| Problem::at([name], what);
    if !is_name(&step.name) {
        let hint = "later steps mean its answer by its name: letters, digits and `_`, no digit first";
        return Err(wrong("name", "that cannot name a step").hint(hint));
    }
    if step.name == INPUT || !is_variable(&step.name) {
        return Err(wrong("name", "that name means something else in a prompt"));
    }
    if earlier.iter().any(|earlier| earlier.name == step.name) {
        return Err(wrong("name", "another step has this name"));
    }
    match (&step.model, &step.task) {
        (Some(_), Some(_)) => return Err(wrong("task", "it has a model and a task; one of them decides")),
        (Some(model), None) => check_name(model, ["model"], gateways)?,
        (None, Some(task)) if !tasks.contains_key(task) => {
            let hint = if tasks.is_empty() {
                "tasks are lines under [task] in the config file".to_owned()
            } else {
                suggestion(task, tasks.keys().map(String::as_str), "known tasks")
            };
            return Err(wrong("task", &format!("no task is called `{task}`")).hint(hint));
        }
        (None, _) => {}
    }
    if step.max_tokens == Some(0) {
        return Err(wrong("max_tokens", "max_tokens takes a whole number, 1 or more"));
    }
    if step.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
        return Err(wrong("temperature", "temperature takes a number from 0 to 2"));
    }
    Ok(())
}

fn check_texts(step: &Step, templates: &BTreeMap<String, Template>) -> Result<(), Problem> {
    let wrong = |name: &str, what: &str| Err(Problem::at([name], what));
    match (&step.template, &step.prompt) {
        (_, Some(prompt)) if prompt.trim().is_empty() => return wrong("prompt", "its prompt is empty"),
        (None, None) => return wrong("name", "it has neither a prompt nor a template"),
        (Some(name), _) => {
            if let Err(error) = template::find(name, templates) {
                let problem = Problem::at(["template"], error.to_string());
                return Err(match error.hint() {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                });
            }
        }
        (None, Some(_)) if !step.vars.is_empty() => {
            return wrong("vars", "vars are values for a template, and the step has none");
        }
        (None, Some(_)) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file;
    use super::super::source::Source;
    use super::*;

    fn templates() -> BTreeMap<String, Template> {
        BTreeMap::from([("short".to_owned(), Template::default())])
    }

    fn checked(steps: &str) -> Result<BTreeMap<String, Pipeline>, Error> {
        let text = format!("[pipeline.p]\nsteps = [\n{steps}]\n");
        let source = Source::new(Path::new("c.toml"), &text);
        let file = file::parse(&source)?;
        let tasks = BTreeMap::from([("coding".to_owned(), "m".to_owned())]);
        check(&file.pipelines, &templates(), &tasks, ["corp"].into_iter()).map_err(|problem| source.error(problem))?;
        Ok(file.pipelines)
    }

    #[test]
    fn steps_know_their_lines() {
        let text =
            "{ name = \"a\", prompt = \"x\" },\n{ name = \"b_2\", model = \"corp::m\", prompt = \"\"\"\ny\"\"\" },\n";
        let pipelines = checked(text).expect("good");
        let lines: Vec<_> = pipelines["p"].steps.iter().map(|step| step.prompt_line).collect();
        assert_eq!(lines, [3, 4]);
        assert_eq!(pipelines["p"].steps[1].prompt.as_deref(), Some("y"));
        let text = "{ name = \"a\", template = \"short\",\nvars = { x = \"1\" } },\n";
        assert_eq!(checked(text).expect("good")["p"].steps[0].prompt_line, 3);
    }

    #[test]
    fn steps_that_cannot_be_meant_are_refused_with_their_line() {
        for (step, message) in [
            ("{ name = \"a-b\", prompt = \"x\" }", "that cannot name a step"),
            ("{ name = \"2a\", prompt = \"x\" }", "that cannot name a step"),
            ("{ name = \"\", prompt = \"x\" }", "that cannot name a step"),
            ("{ name = \"input\", prompt = \"x\" }", "that name means something else in a prompt"),
            ("{ name = \"loop\", prompt = \"x\" }", "that name means something else in a prompt"),
            ("{ name = \"range\", prompt = \"x\" }", "that name means something else in a prompt"),
            ("{ name = \"dict\", prompt = \"x\" }", "that name means something else in a prompt"),
            ("{ name = \"debug\", prompt = \"x\" }", "that name means something else in a prompt"),
            ("{ name = \"namespace\", prompt = \"x\" }", "that name means something else in a prompt"),
            ("{ name = \"first\", prompt = \"x\" }", "another step has this name"),
            ("{ name = \"a\", prompt = \" \" }", "its prompt is empty"),
            ("{ name = \"a\", template = \"short\", prompt = \"\" }", "its prompt is empty"),
            ("{ name = \"a\" }", "it has neither a prompt nor a template"),
            ("{ name = \"a\", template = \"shrot\" }", "no template is called `shrot`"),
            ("{ name = \"a\", prompt = \"x\", vars = { y = \"z\" } }", "vars are values for a template"),
            ("{ name = \"a\", prompt = \"x\", temperature = 2.5 }", "temperature takes a number from 0 to 2"),
            ("{ name = \"a\", prompt = \"x\", max_tokens = 0 }", "max_tokens takes a whole number, 1 or more"),
            ("{ name = \"a\", prompt = \"x\", model = \"\" }", "`` does not name a model"),
            ("{ name = \"a\", prompt = \"x\", model = \"crop::m\" }", "no gateway is called `crop`"),
            ("{ name = \"a\", prompt = \"x\", model = \"m\", task = \"coding\" }", "it has a model and a task"),
            ("{ name = \"a\", prompt = \"x\", task = \"codign\" }", "no task is called `codign`"),
        ] {
            let error = checked(&format!("{{ name = \"first\", prompt = \"x\" }},\n{step},\n")).expect_err(step);
            assert_eq!(error.exit_code(), 3);
            let text = error.to_string();
            assert!(text.starts_with("c.toml:4: step ") && text.contains(message), "{text}");
        }
        assert_eq!(checked("").expect_err("nothing to do").to_string(), "c.toml:2: pipeline `p` has no steps");
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_named_like_all_others() {
        let error = checked("{ name = \"a\", promt = \"x\" },\n").expect_err("unknown");
        assert_eq!(
            (error.to_string().as_str(), error.hint().as_deref()),
            ("c.toml:3: unknown key `promt`", Some("did you mean `prompt`?"))
        );
        assert!(checked("{ name = \"a\", prompt = \"x\", temperature = nan },\n").is_err());
    }

    #[test]
    fn an_unknown_pipeline_is_answered_with_the_nearest() {
        let pipelines = checked("{ name = \"a\", prompt = \"x\" },\n").expect("good");
        let pipelines = BTreeMap::from([("summary".to_owned(), pipelines["p"].clone())]);
        assert_eq!(find("sumary", &pipelines).expect_err("unknown").hint().as_deref(), Some("did you mean `summary`?"));
        assert_eq!(find("zzz", &pipelines).expect_err("unknown").hint().as_deref(), Some("known pipelines: summary"));
        assert_eq!(find("zzz", &BTreeMap::new()).expect_err("unknown").exit_code(), 3);
    }
}
