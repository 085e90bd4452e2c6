//! Templates of prompts: what they need, and their text with it filled in. A value is data; nothing in it is a template.

mod limits;
mod operators;
mod size;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

use self::limits::{Bounded, Left, limit};

/// The longest expression or statement, in words and signs, without its texts. Each may be a level, which takes a kilobyte of
/// the stack.
const LONGEST_TAG: usize = 1_000;

/// So many times a template may say `elif`.
const MOST_BRANCHES: usize = 250;

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTemplate(String);

/// The environment of a template that may take as much as `left` says. Prompts are no markup, so nothing is escaped, and a missing
/// variable is an error rather than an empty text.
fn limited<'t>(template: &'t str, left: &Arc<Left>) -> Environment<'t> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    limit(&mut environment, template, Arc::clone(left));
    environment
}

/// A template that is compiled once and rendered for many rows of data.
#[derive(Debug)]
pub struct Template<'t> {
    source: &'t str,
    environment: Environment<'t>,
    /// What the text of the present row may still take.
    left: Arc<Left>,
}

impl<'t> Template<'t> {
    const NAME: &'static str = "row";

    /// Compiles the template.
    ///
    /// # Errors
    /// It has a mistake that does not depend on the data: of syntax, or the name of a filter that does not exist.
    pub fn new(source: &'t str) -> Result<Self, BadTemplate> {
        check_depth(source)?;
        let left = Left::of_trial();
        let mut environment = limited(source, &left);
        operators::weigh(source)
            .and_then(|weighed| environment.add_template_owned(Self::NAME, weighed))
            .map_err(|error| explain(&error, source))?;
        let template = Self { source, environment, left };
        match template.try_render(Value::from(Serde(BTreeMap::<String, String>::new()))) {
            Err(error) if is_unknown_name(&error) => Err(explain(&error, source)),
            _ => Ok(template),
        }
    }

    /// The names of the fields that the template uses; of `{{ user.name }}`, the name is `user`.
    pub fn fields(&self) -> BTreeSet<String> {
        let functions: BTreeSet<&str> = self.environment.globals().map(|(name, _)| name).collect();
        let compiled = self.environment.get_template(Self::NAME);
        let used = compiled.map(|compiled| compiled.undeclared_variables(false)).unwrap_or_default();
        used.into_iter().filter(|name| !functions.contains(name.as_str())).collect()
    }

    /// The text for one row of data.
    ///
    /// # Errors
    /// A field that the template uses is missing, or a filter does not fit its value.
    pub fn render(&self, fields: &serde_json::Map<String, serde_json::Value>) -> Result<String, BadTemplate> {
        self.left.renew();
        self.try_render(Value::from(Serde(fields)))
            .map_err(|error| explain(&error, self.source))
            .and_then(|bytes| String::from_utf8(bytes).map_err(|error| BadTemplate(error.to_string())))
    }

    fn try_render(&self, values: Value) -> Result<Vec<u8>, minijinja::Error> {
        let mut text = Bounded::default();
        let template = self.environment.get_template(Self::NAME)?;
        guarded(|| template.render_captured_to(values, &mut text).map(drop))?;
        Ok(text.0)
    }
}

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is rendering a template, so that a panic is an error of that template.
pub(crate) fn is_guarded() -> bool {
    IS_GUARDED.get()
}

/// Renders a template. Where the engine panics over what is in it, that is an error like others: another row may have nothing of
/// that kind.
fn guarded<T>(render: impl FnOnce() -> Result<T, minijinja::Error>) -> Result<T, minijinja::Error> {
    let was_guarded = IS_GUARDED.replace(true);
    let rendered = catch_unwind(AssertUnwindSafe(render));
    IS_GUARDED.set(was_guarded);
    rendered.unwrap_or_else(|_| {
        let message = "templates cannot do this with these values";
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
    })
}

/// Whether a template names a filter, a test or a function that does not exist.
fn is_unknown_name(error: &minijinja::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction)
}

/// Names that no variable can have because templates use them for something else. The names of functions are the others.
const RESERVED: [&str; 19] = [
    "and", "elif", "else", "endfor", "endif", "false", "False", "for", "if", "in", "is", "loop", "none", "None", "not",
    "or", "self", "true", "True",
];

/// Whether this has the form of a variable's name: letters, digits and `_`, no digit first.
pub fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a variable can have this name, which then means nothing else in a template.
pub fn is_variable(name: &str) -> bool {
    let is_function = || Environment::new().globals().any(|(function, _)| function == name);
    is_name(name) && !RESERVED.contains(&name) && !is_function()
}

/// The names that stand in the expressions and statements of a template, used there or not: also those that it both uses
/// and sets, which [`needs`] takes for its own.
pub fn mentions(template: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    read(template, |tag| names.extend(tag.names.iter().copied()));
    names
}

/// An expression or a statement of a template.
#[derive(Default)]
struct Tag<'a> {
    /// How many words and other characters it has, without texts and spaces.
    parts: usize,
    /// Its names and keywords, in order.
    names: Vec<&'a str>,
}

/// Calls `each` with every expression and statement.
fn read<'a>(template: &'a str, mut each: impl FnMut(&Tag<'a>)) {
    let mut rest = template;
    while let Some((_, inside)) = rest.split_once('{') {
        rest = match inside.chars().next() {
            Some('#') => inside.split_once("#}").map_or("", |(_, after)| after),
            Some('{' | '%') => {
                let (tag, after) = tag(&inside[1..]);
                each(&tag);
                after
            }
            _ => inside,
        };
    }
}

/// The expression or statement that begins here, and what follows it.
fn tag(inside: &str) -> (Tag<'_>, &str) {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut tag = Tag::default();
    let mut rest = inside;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '}' | '%' if rest[1..].starts_with('}') => return (tag, &rest[2..]),
            '"' | '\'' => text_length(rest, first),
            _ if is_part(first) => {
                let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                tag.names.push(&rest[..length]);
                tag.parts += 1;
                length
            }
            _ => {
                tag.parts += usize::from(!first.is_whitespace());
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    (tag, rest)
}

/// Fails for a template that is nested so deep that reading it would take more memory than a thread has for it: each operator
/// and each `elif` is a level.
fn check_depth(template: &str) -> Result<(), BadTemplate> {
    let (mut longest, mut branches) = (0, 0);
    read(template, |tag| {
        longest = longest.max(tag.parts);
        branches += usize::from(tag.names.first() == Some(&"elif"));
    });
    let why = match (longest > LONGEST_TAG, branches > MOST_BRANCHES) {
        (true, _) => format!("an expression has more than {LONGEST_TAG} words and signs"),
        (_, true) => format!("it has more than {MOST_BRANCHES} times `elif`"),
        (false, false) => return Ok(()),
    };
    Err(BadTemplate(why))
}

/// How many bytes the quoted text is long with which this begins.
fn text_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(place, _)| place + 1)
}

/// The variables that a template uses. Fails for one that makes no sense, whatever their values.
pub fn needs(template: &str) -> Result<BTreeSet<String>, BadTemplate> {
    check_depth(template)?;
    let weighed = operators::weigh(template).map_err(|error| explain(&error, template))?;
    let environment = limited(&weighed, &Left::of_trial());
    let compiled = environment.template_from_str(&weighed).map_err(|error| explain(&error, template))?;
    let functions: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
    let mut needed = BTreeSet::new();
    for name in compiled.undeclared_variables(true) {
        match name.split_once('.') {
            Some((text, field)) => return Err(BadTemplate(format!("`{text}` is a text: it has no `{field}`"))),
            None if functions.contains(name.as_str()) => {}
            None => _ = needed.insert(name),
        }
    }
    // Names of filters are looked up only when they are used. Whatever else goes wrong here depends on the values.
    let values = Value::from_pairs(needed.iter().map(|name| (name.as_str(), "text")));
    match guarded(|| compiled.render_captured_to(values, Bounded::default())) {
        Err(error) if is_unknown_name(&error) => Err(explain(&error, template)),
        _ => Ok(needed),
    }
}

/// The text of a template with these values in it.
pub fn render(template: &str, values: &BTreeMap<String, String>) -> Result<String, BadTemplate> {
    check_depth(template)?;
    let values = Value::from_pairs(values.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let mut text = Bounded::default();
    let weighed = operators::weigh(template).map_err(|error| explain(&error, template))?;
    let environment = limited(&weighed, &Left::new());
    let rendered = environment
        .template_from_str(&weighed)
        .and_then(|compiled| guarded(|| compiled.render_captured_to(values, &mut text).map(drop)));
    rendered.map_err(|error| explain(&error, template))?;
    String::from_utf8(text.0).map_err(|error| BadTemplate(error.to_string()))
}

fn explain(error: &minijinja::Error, template: &str) -> BadTemplate {
    let mut text = error.kind().to_string();
    // A failure of the writer is the source of the error.
    let source = std::error::Error::source(error).map(ToString::to_string);
    if let Some(detail) = source.as_deref().or(error.detail()) {
        text.push_str(": ");
        text.push_str(detail);
    }
    if let Some(line) = error.line().filter(|_| template.trim_end().contains('\n')) {
        text.push_str(&format!(" (in its line {line})"));
    }
    BadTemplate(text)
}

#[cfg(test)]
mod tests;
