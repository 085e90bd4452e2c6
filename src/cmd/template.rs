//! `llm template`: lists and shows the templates of the config.

use super::Context;
use crate::cli::{TemplateCommand, TextOrJson};
use crate::error::Error;
use crate::report::templates::{self as report, Listed};
use crate::report::term::print;
use crate::resolve::PromptTemplate;
use crate::run::Notices;

pub(super) fn run(context: &Context, command: &TemplateCommand) -> Result<u8, Error> {
    match command {
        TemplateCommand::List { output } => list(context, output.format)?,
        TemplateCommand::Show { name, output } => show(context, name, output.format)?,
    }
    Ok(0)
}

fn list(context: &Context, output: TextOrJson) -> Result<(), Error> {
    let settings = &context.settings;
    if settings.templates.is_empty() {
        context.notice("the config file has no [template.NAME]; `llm template new NAME` makes one");
    }
    let names = settings.templates.keys();
    let templates = names.map(|name| PromptTemplate::load(settings, name)).collect::<Result<Vec<_>, _>>()?;
    let listed: Vec<Listed<'_>> = templates.iter().map(listed).collect();
    let out = &context.terminal.stdout;
    print(match output {
        TextOrJson::Text => report::list(&listed, out),
        TextOrJson::Json => report::list_json(&listed, out),
    })
}

fn show(context: &Context, name: &str, output: TextOrJson) -> Result<(), Error> {
    let template = PromptTemplate::load(&context.settings, name)?;
    print(match output {
        TextOrJson::Text => report::one(&listed(&template)),
        TextOrJson::Json => report::one_json(&listed(&template), &context.terminal.stdout),
    })
}

fn listed(template: &PromptTemplate) -> Listed<'_> {
    let default = |name: &str| template.settings.vars.get(name).map(String::as_str);
    Listed {
        name: &template.name,
        template: &template.settings,
        needs_input: template.needs_input(),
        variables: template.variables().into_iter().map(|name| (name, default(name))).collect(),
    }
}
