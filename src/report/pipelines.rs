//! The pipelines of the config, and the steps of one, which have not run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::grid::{Column, Grid};
use super::json::document;
use super::term::{Output, Text};
use crate::config::{Pipeline, Step};
use crate::pipeline::ResolvedStep;

fn names(pipeline: &Pipeline) -> Vec<&str> {
    pipeline.steps.iter().map(|step| step.name.as_str()).collect()
}

/// A line for each pipeline, with the names of its steps.
pub fn list(pipelines: &BTreeMap<String, Pipeline>, out: &Output) -> Text {
    let mut grid = Grid::new(vec![Column::left("pipeline").wraps(16), Column::left("steps").wraps(20)]);
    for (name, pipeline) in pipelines {
        grid.row(vec![name.clone(), names(pipeline).join(", ")]);
    }
    grid.render(out)
}

/// A JSON array of the pipelines.
pub fn list_json(pipelines: &BTreeMap<String, Pipeline>, out: &Output) -> Text {
    let entry = |(name, pipeline)| json!({ "pipeline": name, "steps": names(pipeline) });
    document(&pipelines.iter().map(entry).collect::<Vec<Value>>(), out)
}

/// A line for each step, which stands beside the names of the steps that it needs.
pub fn steps(steps: &[(&ResolvedStep, Vec<String>)], out: &Output) -> Text {
    let columns = [Column::left("step"), Column::left("model").wraps(16), Column::left("builds on").wraps(16)];
    let mut grid = Grid::new(columns.to_vec());
    for (resolved, needs) in steps {
        let step = &resolved.step;
        let model = match (resolved.model(), resolved.task()) {
            (Some(model), _) => model.to_owned(),
            (None, Some(task)) => format!("task {task}"),
            (None, None) => "the default".to_owned(),
        };
        let input = resolved.uses_input.then_some("input");
        let needs: Vec<&str> = input.into_iter().chain(needs.iter().map(String::as_str)).collect();
        grid.row(vec![step.name.clone(), model, needs.join(", ")]);
    }
    grid.render(out)
}

/// The steps of this pipeline as JSON.
pub fn steps_json(pipeline: &str, steps: &[(&ResolvedStep, Vec<String>)], out: &Output) -> Text {
    let step = |(resolved, needs): &(&ResolvedStep, Vec<String>)| {
        let Step { name, prompt, system, max_tokens, temperature, template, vars, .. } = &resolved.step;
        json!({
            "step": name, "model": resolved.model(), "task": resolved.task(), "needs": needs, "input": resolved.uses_input,
            "prompt": prompt, "system": system, "max_tokens": max_tokens, "temperature": temperature,
            "template": template, "vars": vars,
        })
    };
    document(&json!({ "pipeline": pipeline, "steps": steps.iter().map(step).collect::<Vec<Value>>() }), out)
}
