//! `llm template`: lists, shows, makes, changes and removes the templates of the config.

use std::io::{self, IsTerminal};

use toml_edit::{DocumentMut, Item, Table};

use super::change::{change, sound};
use super::{Context, editor};
use crate::cli::{TemplateCommand, TextOrJson};
use crate::config::{ConfigEdit, find_template, line_without_place};
use crate::error::Error;
use crate::report::templates::{self as report, Listed};
use crate::report::term::print;
use crate::resolve::PromptTemplate;
use crate::run::Notices;
use crate::words;

pub(super) fn run(context: &Context, command: &TemplateCommand) -> Result<u8, Error> {
    match command {
        TemplateCommand::List { output } => list(context, output.format)?,
        TemplateCommand::Show { name, output } => show(context, name, output.format)?,
        TemplateCommand::New { name, prompt, system, model, description } => {
            let texts = [
                ("description", description.as_deref()),
                ("model", model.as_deref()),
                ("system", system.as_deref()),
                ("prompt", prompt.as_deref()),
            ];
            new(context, name, &texts)?;
        }
        TemplateCommand::Edit { name } => edit(context, name)?,
        TemplateCommand::Rm { name } => rm(context, name)?,
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

/// What the editor shows of a template that is new. The prompt is the only line that is no comment.
const NEW: &str = r#"# A template: save and close to keep it. `llm ask --template NAME` uses it.
# prompt and system are texts in which {{ input }} stands for the input, and {{ anything }} for the value of --var anything=…

[template.NAME]
# description = "What it is for"
# model = "MODEL"
# system = "You are …"
prompt = """
{{ input }}"""
# vars = { tone = "calm" }
# temperature = 0.2
# max_tokens = 500
"#;

/// Makes a template of these texts, or of what the user writes in the editor where there are none.
fn new(context: &Context, name: &str, texts: &[(&str, Option<&str>)]) -> Result<(), Error> {
    if context.settings.templates.contains_key(name) {
        return Err(Error::usage_hint(
            format!("template `{name}` exists already"),
            format!("`llm template edit {name}` changes it"),
        ));
    }
    let path = if texts.iter().all(|(_, text)| text.is_none()) {
        let header = format!("[template.{}]", toml_edit::Key::new(name).display_repr());
        // A line break in the name would end the comment.
        let text = NEW.replacen("NAME", &words::on_one_line(name), 1).replace("[template.NAME]", &header);
        in_editor(context, name, &text)?
    } else {
        let mut table = Table::new();
        for (key, text) in texts {
            table.extend(text.map(|text| (*key, toml_edit::value(text))));
        }
        change(&context.settings.env, &format!("template `{name}`"), |edit| edit.set_table(&key(name), table))?.into()
    };
    if let Some(path) = path {
        context.notice(&format!("`llm ask --template {name}` uses it from now on ({})", path.display()));
    }
    Ok(())
}

fn edit(context: &Context, name: &str) -> Result<(), Error> {
    find_template(name, &context.settings.templates)?;
    let text = ConfigEdit::open(&context.settings.env)?.table(&key(name)).ok_or_else(|| {
        let message = format!("template `{name}` has no table [template.{name}] of its own in the config file");
        Error::config_hint(message, "`llm config edit` opens the file")
    })?;
    if let Some(path) = in_editor(context, name, &text)? {
        context.notice(&format!("changed template {name} in {}", path.display()));
    }
    Ok(())
}

fn rm(context: &Context, name: &str) -> Result<(), Error> {
    find_template(name, &context.settings.templates)?;
    let path = change(&context.settings.env, &format!("template `{name}` removed"), |edit| {
        edit.remove(&key(name));
        Ok(())
    })?;
    context.notice(&format!("removed template {name} from {}", path.display()));
    Ok(())
}

/// Lets the user change this text of a template, and writes what comes of it into the config file. A text that makes no sense
/// is opened again where there is a terminal. Returns the path of the config file, or `None` where nothing was changed.
fn in_editor(context: &Context, name: &str, text: &str) -> Result<Option<std::path::PathBuf>, Error> {
    let env = &context.settings.env;
    let mut current = text.to_owned();
    loop {
        let edited = editor::edited(env, &current, ".toml")?;
        if edited == current {
            context.notice("nothing was changed");
            return Ok(None);
        }
        let mut edit = ConfigEdit::begin(env)?;
        let put = table_of(&edited, name).and_then(|table| edit.set_table(&key(name), table));
        match put.and_then(|()| sound(&edit, env, &format!("template `{name}`"))) {
            Ok(()) => {
                edit.save()?;
                return Ok(Some(edit.path().to_owned()));
            }
            // What the user has written is not lost: the editor shows it again.
            Err(error) if io::stdin().is_terminal() && context.terminal.stderr.tty => {
                context.urgent(&format!("{error}; the editor opens again, and closing it without a change gives up"));
                current = edited;
            }
            Err(error) => return Err(error),
        }
    }
}

fn key(name: &str) -> [String; 2] {
    ["template".to_owned(), name.to_owned()]
}

/// The table of the template in a text of the editor.
fn table_of(text: &str, name: &str) -> Result<Table, Error> {
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let at = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        let line = at.or_else(|| line_without_place(text, error.message())).unwrap_or(1);
        Error::config(format!("line {line}: {}", error.message()))
    })?;
    let table = document.get("template").and_then(|templates| templates.get(name)).and_then(Item::as_table);
    let templates = document.get("template").and_then(Item::as_table);
    let alone = document.len() == 1 && templates.is_some_and(|templates| templates.len() == 1);
    match table {
        Some(table) if alone => Ok(table.clone()),
        _ => Err(Error::config_hint(
            format!("the text has to have the table [template.{name}] and no other"),
            "`llm config edit` opens the whole file",
        )),
    }
}
