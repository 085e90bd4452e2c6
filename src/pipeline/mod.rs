//! Pipelines of the config, ready to be run: their prompts checked, and what each step builds on.

mod schedule;

pub use schedule::{BadStep, PipelineSchedule};

use std::collections::BTreeMap;

use crate::config::{INPUT, Pipeline, Settings, Step, find_pipeline, nearest};
use crate::error::Error;
use crate::template;

/// A step, and what its prompt builds on.
#[derive(Debug, Clone, PartialEq)]
pub struct Wired {
    pub step: Step,
    /// Whether it uses what the user gave.
    pub input: bool,
    /// The places of the steps whose answers it uses, in order; all of them before its own.
    pub needs: Vec<usize>,
}

/// The steps of a pipeline of the config.
pub fn load(settings: &Settings, name: &str) -> Result<Vec<Wired>, Error> {
    wire(name, find_pipeline(name, &settings.pipelines)?, &settings.config_name())
}

/// Finds prompts that cannot be made. Left to those who ask for it, since every template has to be compiled.
pub fn check(settings: &Settings) -> Result<(), Error> {
    settings.pipelines.keys().try_for_each(|name| load(settings, name).map(drop))
}

/// `path` is the config file's, for messages.
fn wire(name: &str, pipeline: &Pipeline, path: &str) -> Result<Vec<Wired>, Error> {
    let places: BTreeMap<&str, usize> =
        pipeline.steps.iter().enumerate().map(|(place, step)| (step.name.as_str(), place)).collect();
    let mut wired = Vec::with_capacity(pipeline.steps.len());
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
        // `{% set draft = draft | trim %}` needs the draft, too. To wait for one too many does no harm.
        let mentioned = template::mentions(&step.prompt);
        needs.extend(places.iter().filter(|(name, at)| **at < place && mentioned.contains(**name)).map(|(_, at)| *at));
        needs.sort_unstable();
        needs.dedup();
        wired.push(Wired { step: step.clone(), input: needed.contains(INPUT) || mentioned.contains(INPUT), needs });
    }
    Ok(wired)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipeline of these names and prompts, one a line from line 3 on.
    fn pipeline(steps: &[(&str, &str)]) -> Result<Vec<Wired>, Error> {
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
        wire("p", &Pipeline { steps: steps.iter().enumerate().map(step).collect() }, "c.toml")
    }

    #[test]
    fn a_step_builds_on_what_its_prompt_uses() {
        let wired = pipeline(&[
            ("draft", "Summarise:\n{{ input }}"),
            ("title", "A title:\n{{ input }}"),
            ("refine", "{{ draft }}\n---\n{{ input }}"),
            ("all", "{{ title }}: {{ refine }}{{ draft | trim }}"),
        ])
        .expect("good");
        let needs: Vec<_> = wired.iter().map(|wired| (wired.input, wired.needs.clone())).collect();
        assert_eq!(needs, [(true, vec![]), (true, vec![]), (true, vec![0]), (false, vec![0, 1, 2])]);
    }

    #[test]
    fn a_step_waits_for_an_answer_that_it_puts_in_other_words_under_the_same_name() {
        for prompt in [
            "{% set draft = draft | trim %}{{ draft }}",
            "{% with draft = draft | trim %}{{ draft }}{% endwith %}",
            "{% for draft in draft | lines %}{{ draft }}{% endfor %}",
        ] {
            let wired = pipeline(&[("other", "x"), ("draft", "y"), ("refine", prompt)]).expect("good");
            assert_eq!(wired[2].needs, [1], "{prompt}");
        }
        assert!(pipeline(&[("a", "{% set input = input | trim %}{{ input }}")]).expect("good")[0].input);
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
