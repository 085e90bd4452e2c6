//! Prepares the pipelines of the config to be run: checks their prompts, and finds the steps that each step needs.

mod schedule;

pub use schedule::{BadStep, PipelineSchedule};

use std::collections::BTreeMap;

use crate::config::{INPUT, Pipeline, Settings, Step, Template, find_pipeline, nearest};
use crate::error::Error;
use crate::resolve::PromptTemplate;
use crate::template;

/// A step, with the values that its prompt uses.
#[derive(Debug, Clone)]
pub struct ResolvedStep {
    pub step: Step,
    /// The template of the config that it fills in.
    pub(crate) template: Option<PromptTemplate>,
    /// Whether its prompt uses the input that the user gave.
    pub uses_input: bool,
    /// The indexes of the steps whose answers its prompt uses, in ascending order. All of them are lower than its own.
    pub needs: Vec<usize>,
}

impl ResolvedStep {
    /// The model that it names, by itself or by its template.
    pub fn model(&self) -> Option<&str> {
        let own = self.step.model.as_deref();
        own.or_else(|| self.settings().filter(|_| self.step.task.is_none())?.model.as_deref())
    }

    /// The task that it names instead of a model.
    pub fn task(&self) -> Option<&str> {
        let own = self.step.task.as_deref();
        own.or_else(|| self.settings().filter(|_| self.step.model.is_none())?.task.as_deref())
    }

    /// The settings of its template.
    pub(crate) fn settings(&self) -> Option<&Template> {
        self.template.as_ref().map(|template| &template.settings)
    }

    /// The text that is its prompt, or the input of its template; `None` where the template uses no input.
    fn prompt(&self) -> Option<&str> {
        let needs_input = self.template.as_ref().is_some_and(PromptTemplate::needs_input);
        self.step.prompt.as_deref().or(needs_input.then_some(THE_INPUT))
    }
}

/// The input of a template for which a step has no prompt.
const THE_INPUT: &str = "{{ input }}";

/// The steps of a pipeline of the config.
///
/// # Errors
/// There is no such pipeline, or a prompt of it cannot be made.
pub fn load(settings: &Settings, name: &str) -> Result<Vec<ResolvedStep>, Error> {
    let pipeline = find_pipeline(name, &settings.pipelines)?;
    resolve(name, pipeline, &settings.config_name(), |name| PromptTemplate::load(settings, name))
}

/// Checks the prompts of all pipelines. Only some commands do it, because every template has to be compiled.
///
/// # Errors
/// A prompt cannot be made.
pub fn check(settings: &Settings) -> Result<(), Error> {
    settings.pipelines.keys().try_for_each(|name| load(settings, name).map(drop))
}

/// Finds what the texts of each step use. `path` is the path of the config file, for messages.
fn resolve(
    name: &str,
    pipeline: &Pipeline,
    path: &str,
    template: impl Fn(&str) -> Result<PromptTemplate, Error>,
) -> Result<Vec<ResolvedStep>, Error> {
    let places: BTreeMap<&str, usize> =
        pipeline.steps.iter().enumerate().map(|(place, step)| (step.name.as_str(), place)).collect();
    let mut resolved = Vec::with_capacity(pipeline.steps.len());
    for (place, step) in pipeline.steps.iter().enumerate() {
        let of = format!("{path}:{}: step `{}` of pipeline `{name}`", step.prompt_line, step.name);
        let template = step.template.as_deref().map(&template).transpose()?;
        if let Some(template) = &template {
            check_vars(&of, step, template)?;
        }
        let mut found = ResolvedStep { step: step.clone(), template, uses_input: false, needs: Vec::new() };
        let prompt = found.prompt().map(|text| ("its prompt".to_owned(), text.to_owned()));
        let vars = step.vars.iter().map(|(name, text)| (format!("its variable `{name}`"), text.clone()));
        for (what, text) in prompt.into_iter().chain(vars) {
            let about = format!("{of}: {what}");
            let needed = template::needs(&text).map_err(|error| Error::config(format!("{about}: {error}")))?;
            for variable in needed.iter().filter(|variable| *variable != INPUT) {
                found.needs.push(earlier(&about, variable, place, pipeline, &places)?);
            }
            // `{% set draft = draft | trim %}` needs the answer of `draft`, although a template that sets a variable does
            // not report it as needed. A step that is only mentioned is waited for as well, which does no harm.
            let mentioned = template::mentions(&text);
            let is_mentioned = |(name, at): &(&&str, &usize)| **at < place && mentioned.contains(**name);
            found.needs.extend(places.iter().filter(is_mentioned).map(|(_, at)| *at));
            found.uses_input |= needed.contains(INPUT) || mentioned.contains(INPUT);
        }
        found.needs.sort_unstable();
        found.needs.dedup();
        resolved.push(found);
    }
    Ok(resolved)
}

/// Refuses values that the template does not use, and a template that lacks one.
fn check_vars(of: &str, step: &Step, template: &PromptTemplate) -> Result<(), Error> {
    let known = template.variables();
    if let Some(unknown) = step.vars.keys().find(|name| !known.contains(name.as_str())) {
        let message = format!("{of}: template `{}` has no variable `{unknown}`", template.name);
        return Err(match nearest(unknown, known.iter().copied()) {
            Some(near) => Error::config_hint(message, format!("did you mean `{near}`?")),
            None => Error::config(message),
        });
    }
    let is_missing = |name: &&&str| !step.vars.contains_key(**name) && !template.settings.vars.contains_key(**name);
    match known.iter().find(is_missing) {
        Some(missing) => Err(Error::config_hint(
            format!("{of}: template `{}` needs a value for `{missing}`", template.name),
            format!("vars = {{ {missing} = \"…\" }} in the step gives it"),
        )),
        None => Ok(()),
    }
}

/// The index of the earlier step that is called like this variable.
fn earlier(
    about: &str,
    variable: &str,
    place: usize,
    pipeline: &Pipeline,
    places: &BTreeMap<&str, usize>,
) -> Result<usize, Error> {
    match places.get(variable) {
        Some(earlier) if *earlier < place => Ok(*earlier),
        Some(same) if *same == place => Err(Error::config(format!("{about} uses its own answer"))),
        Some(_) => Err(Error::config_hint(
            format!("{about} uses `{variable}`, which comes after it"),
            "a step can use the answers of those before it",
        )),
        None => {
            let message = format!("{about} uses `{variable}`, which is no step");
            let known = std::iter::once(INPUT).chain(pipeline.steps[..place].iter().map(|step| step.name.as_str()));
            Err(match nearest(variable, known.clone()) {
                Some(near) => Error::config_hint(message, format!("did you mean `{near}`?")),
                None => Error::config_hint(message, format!("known here: {}", known.collect::<Vec<_>>().join(", "))),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipeline of these names and prompts, one a line from line 3 on.
    fn pipeline(steps: &[(&str, &str)]) -> Result<Vec<ResolvedStep>, Error> {
        let step = |(place, (name, prompt)): (usize, &(&str, &str))| Step {
            name: (*name).into(),
            prompt: Some((*prompt).into()),
            prompt_line: 3 + place,
            ..Step::default()
        };
        let pipeline = Pipeline { steps: steps.iter().enumerate().map(step).collect() };
        resolve("p", &pipeline, "c.toml", |name| panic!("no step has the template {name}"))
    }

    #[test]
    fn a_step_builds_on_what_its_prompt_uses() {
        let steps = pipeline(&[
            ("draft", "Summarise:\n{{ input }}"),
            ("title", "A title:\n{{ input }}"),
            ("refine", "{{ draft }}\n---\n{{ input }}"),
            ("all", "{{ title }}: {{ refine }}{{ draft | trim }}"),
        ])
        .expect("good");
        let needs: Vec<_> = steps.iter().map(|step| (step.uses_input, step.needs.clone())).collect();
        assert_eq!(needs, [(true, vec![]), (true, vec![]), (true, vec![0]), (false, vec![0, 1, 2])]);
    }

    #[test]
    fn a_step_waits_for_an_answer_that_it_puts_in_other_words_under_the_same_name() {
        for prompt in [
            "{% set draft = draft | trim %}{{ draft }}",
            "{% with draft = draft | trim %}{{ draft }}{% endwith %}",
            "{% for draft in draft | lines %}{{ draft }}{% endfor %}",
        ] {
            let steps = pipeline(&[("other", "x"), ("draft", "y"), ("refine", prompt)]).expect("good");
            assert_eq!(steps[2].needs, [1], "{prompt}");
        }
        assert!(pipeline(&[("a", "{% set input = input | trim %}{{ input }}")]).expect("good")[0].uses_input);
    }

    #[test]
    fn what_is_no_earlier_step_is_named_with_its_line_and_the_nearest() {
        for (second, message, hint) in [
            ("{{ drfat }}", "its prompt uses `drfat`, which is no step", Some("did you mean `draft`?")),
            ("{{ zzz }}", "its prompt uses `zzz`, which is no step", Some("known here: input, draft")),
            (
                "{{ check }}",
                "its prompt uses `check`, which comes after it",
                Some("a step can use the answers of those before it"),
            ),
            ("{{ refine }}", "its prompt uses its own answer", None),
            ("{{ draft.text }}", "its prompt: `draft` is a text: it has no `text`", None),
        ] {
            let error = pipeline(&[("draft", "x"), ("refine", second), ("check", "y")]).expect_err(second);
            assert_eq!(error.to_string(), format!("c.toml:4: step `refine` of pipeline `p`: {message}"));
            assert_eq!((error.hint().as_deref(), error.exit_code()), (hint, 3));
        }
        assert!(pipeline(&[("draft", "{{ input")]).expect_err("open").to_string().contains("its prompt: syntax error"));
    }
}
