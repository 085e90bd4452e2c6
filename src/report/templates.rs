//! The templates of the config, which have not been filled in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::config;
use super::escape;
use super::grid::{Column, Grid};
use super::json::document;
use super::term::{Output, Text};
use crate::config::{SchemaSource, Template};

/// A template, with what it needs.
#[derive(Debug, Clone)]
pub struct Listed<'a> {
    pub name: &'a str,
    pub template: &'a Template,
    /// Whether it cannot be filled in without input.
    pub needs_input: bool,
    /// Its variables and their defaults.
    pub variables: BTreeMap<&'a str, Option<&'a str>>,
}

impl Listed<'_> {
    fn leads_to(&self) -> String {
        match (&self.template.model, &self.template.task) {
            (Some(model), _) => model.clone(),
            (None, Some(task)) => format!("task {task}"),
            (None, None) => String::new(),
        }
    }

    /// `lang, tone=calm`: those with a default have it behind them.
    fn variables(&self) -> String {
        let one = |(name, default): (&&str, &Option<&str>)| match default {
            Some(default) => format!("{name}={default}"),
            None => (*name).to_owned(),
        };
        self.variables.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// A line for each template.
pub fn list(templates: &[Listed<'_>], out: &Output) -> Text {
    let mut grid = Grid::new(vec![
        Column::left("template").wraps(16),
        Column::left("model").wraps(16),
        Column::left("variables").wraps(16),
        Column::left("description").wraps(20),
    ]);
    for listed in templates {
        let description = listed.template.description.clone().unwrap_or_default();
        grid.row(vec![listed.name.to_owned(), listed.leads_to(), listed.variables(), description]);
    }
    grid.render(out)
}

/// A JSON array of the templates.
pub fn list_json(templates: &[Listed<'_>], out: &Output) -> Text {
    document(&templates.iter().map(value).collect::<Vec<_>>(), out)
}

/// The template as the config file has it, and below it how it is used.
pub fn one(listed: &Listed<'_>) -> Text {
    let values = listed.variables.iter().filter(|(_, default)| default.is_none());
    let vars: String = values.map(|(name, _)| format!(" --var {name}=…")).collect();
    let input = if listed.needs_input { " INPUT" } else { "" };
    let usage = format!("\n# llm ask --template {}{vars}{input}\n", escape::line(listed.name));
    config::template(listed.name, listed.template) + usage.as_str()
}

/// The template as JSON.
pub fn one_json(listed: &Listed<'_>, out: &Output) -> Text {
    document(&value(listed), out)
}

fn value(listed: &Listed<'_>) -> Value {
    let Template {
        description,
        prompt,
        system,
        model,
        task,
        vars: _,
        max_tokens,
        temperature,
        top_p,
        stop,
        seed,
        effort,
        params,
        schema,
        prompt_line: _,
        system_line: _,
        schema_line: _,
    } = listed.template;
    let schema = schema.as_ref().map(|schema| match schema {
        SchemaSource::File(path) => json!(path.display().to_string()),
        SchemaSource::Inline(schema) => schema.clone(),
    });
    json!({
        "template": listed.name, "description": description, "model": model, "task": task, "prompt": prompt,
        "system": system, "needs_input": listed.needs_input, "variables": listed.variables,
        "max_tokens": max_tokens, "temperature": temperature, "top_p": top_p, "stop": stop, "seed": seed,
        "effort": effort, "params": params, "schema": schema,
    })
}
