//! Prepares the pipelines of the config to be run: checks their prompts, and finds the steps that each step needs.

mod schedule;

pub use schedule::{BadStep, PipelineSchedule};

use std::collections::BTreeMap;

use crate::config::{INPUT, Pipeline, Settings, Step, find_pipeline, nearest};
use crate::error::Error;
use crate::template;

/// A step, with the values that its prompt uses.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedStep {
    pub step: Step,
    /// Whether its prompt uses the input that the user gave.
    pub uses_input: bool,
    /// The indexes of the steps whose answers its prompt uses, in ascending order. All of them are lower than its own.
    pub needs: Vec<usize>,
}

/// The steps of a pipeline of the config.
///
/// # Errors
/// There is no such pipeline, or a prompt of it cannot be made.
pub fn load(settings: &Settings, name: &str) -> Result<Vec<ResolvedStep>, Error> {
    resolve(name, find_pipeline(name, &settings.pipelines)?, &settings.config_name())
}

/// Checks the prompts of all pipelines. Only some commands do it, because every template has to be compiled.
///
/// # Errors
/// A prompt cannot be made.
pub fn check(settings: &Settings) -> Result<(), Error> {
    settings.pipelines.keys().try_for_each(|name| load(settings, name).map(drop))
}

/// Finds what the prompt of each step uses. `path` is the path of the config file, for messages.
fn resolve(name: &str, pipeline: &Pipeline, path: &str) -> Result<Vec<ResolvedStep>, Error> {
    let places: BTreeMap<&str, usize> =
        pipeline.steps.iter().enumerate().map(|(place, step)| (step.name.as_str(), place)).collect();
    let mut resolved = Vec::with_capacity(pipeline.steps.len());
    for (place, step) in pipeline.steps.iter().enumerate() {
        let of = format!("{path}:{}: step `{}` of pipeline `{name}`", step.prompt_line, step.name);
        let needed =
            template::needs(&step.prompt).map_err(|error| Error::config(format!("{of}: its prompt: {error}")))?;
        let mut needs = Vec::new();
        for variable in needed.iter().filter(|variable| *variable != INPUT) {
            match places.get(variable.as_str()) {
                Some(earlier) if *earlier < place => needs.push(*earlier),
                Some(same) if *same == place => {
                    return Err(Error::config(format!("{of}: its prompt uses its own answer")));
                }
                Some(_) => {
                    let message = format!("{of}: its prompt uses `{variable}`, which comes after it");
                    return Err(Error::config_hint(message, "a step can use the answers of those before it"));
                }
                None => {
                    let message = format!("{of}: its prompt uses `{variable}`, which is no step");
                    let known: Vec<&str> = pipeline.steps[..place].iter().map(|step| step.name.as_str()).collect();
                    let known = std::iter::once(INPUT).chain(known);
                    return Err(match nearest(variable, known.clone()) {
                        Some(near) => Error::config_hint(message, format!("did you mean `{near}`?")),
                        None => {
                            Error::config_hint(message, format!("known here: {}", known.collect::<Vec<_>>().join(", ")))
                        }
                    });
                }
            }
        }
        // `{% set draft = draft | trim %}` needs the answer of `draft`, although a template that sets a variable does not
        // report it as needed. A step that is only mentioned is waited for as well, which does no harm.
        let mentioned = template::mentions(&step.prompt);
        needs.extend(places.iter().filter(|(name, at)| **at < place && mentioned.contains(**name)).map(|(_, at)| *at));
        needs.sort_unstable();
        needs.dedup();
        resolved.push(ResolvedStep {
            step: step.clone(),
            uses_input: needed.contains(INPUT) || mentioned.contains(INPUT),
            needs,
        });
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipeline of these names and prompts, one a line from line 3 on.
    fn pipeline(steps: &[(&str, &str)]) -> Result<Vec<ResolvedStep>, Error> {
        let step = |(place, (name, prompt)): (usize, &(&str, &str))| Step {
            name: (*name).into(),
            model: None,
            task: None,
            prompt: (*prompt).into(),
            system: None,
            max_tokens: None,
            temperature: None,
            prompt_line: 3 + place,
        };
        resolve("p", &Pipeline { steps: steps.iter().enumerate().map(step).collect() }, "c.toml")
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
