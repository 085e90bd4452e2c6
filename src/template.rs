//! Templates of prompts: what they need, and their text with it filled in. A value is data; nothing in it is a template.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

/// Steps that rendering may take: enough for every line of a long text, and an end for what would take for ever.
const FUEL: u64 = 5_000_000;

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTemplate(String);

/// Escapes nothing, since prompts are no markup; nothing that is missing passes for an empty text.
fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment
}

/// Whether every template knows a function by this name, so that it can be no variable.
pub fn is_function(name: &str) -> bool {
    environment().globals().any(|(function, _)| function == name)
}

/// The names that stand in the expressions and statements of a template, used there or not: also those that it both uses
/// and sets, which [`needs`] takes for its own.
pub fn mentions(template: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut rest = template;
    while let Some(open) = rest.find("{{").into_iter().chain(rest.find("{%")).chain(rest.find("{#")).min() {
        let comment = rest[open..].starts_with("{#");
        let inside = &rest[open + 2..];
        rest = if comment {
            inside.split_once("#}").map_or("", |(_, after)| after)
        } else {
            mentioned(inside, &mut names)
        };
    }
    names
}

/// Collects the names up to the end of an expression or a statement; what follows it.
fn mentioned<'a>(inside: &'a str, names: &mut BTreeSet<&'a str>) -> &'a str {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = inside;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '}' | '%' if rest[1..].starts_with('}') => return &rest[2..],
            '"' | '\'' => text_length(rest, first),
            _ if is_part(first) => {
                let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                names.insert(&rest[..length]);
                length
            }
            _ => first.len_utf8(),
        };
        rest = &rest[length..];
    }
    rest
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
    let environment = environment();
    let compiled = environment.template_from_str(template).map_err(|error| explain(&error, template))?;
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
    match compiled.render(values) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction
            ) =>
        {
            Err(explain(&error, template))
        }
        _ => Ok(needed),
    }
}

/// The text of a template with these values in it.
pub fn render(template: &str, values: &BTreeMap<String, String>) -> Result<String, BadTemplate> {
    let values = Value::from_pairs(values.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let rendered = environment().template_from_str(template).and_then(|compiled| compiled.render(values));
    rendered.map_err(|error| explain(&error, template))
}

fn explain(error: &minijinja::Error, template: &str) -> BadTemplate {
    let mut text = error.kind().to_string();
    if let Some(detail) = error.detail() {
        text.push_str(": ");
        text.push_str(detail);
    }
    if let Some(line) = error.line().filter(|_| template.trim_end().contains('\n')) {
        text.push_str(&format!(" (in its line {line})"));
    }
    BadTemplate(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn needed(template: &str) -> Vec<String> {
        needs(template).expect(template).into_iter().collect()
    }

    fn wrong(template: &str) -> String {
        needs(template).expect_err(template).to_string()
    }

    #[test]
    fn a_template_needs_what_it_uses_and_does_not_set_itself() {
        assert_eq!(needed("{{ draft }}\n---\n{{ input }}{{ draft | trim }}"), ["draft", "input"]);
        assert_eq!(needed("{% for line in input | lines %}{{ loop.index }} {{ line }}{% endfor %}"), ["input"]);
        assert_eq!(needed("{% set x = a %}{{ x }}{% if b %}{{ c }}{% endif %}{{ range(3) }}"), ["a", "b", "c"]);
        assert_eq!(needed("{# {{ no }} #}{% raw %}{{ no }}{% endraw %}"), [""; 0]);
    }

    #[test]
    fn a_template_mentions_what_it_sets_from_itself_and_nothing_of_its_texts() {
        let mentioned = |template| mentions(template).into_iter().collect::<Vec<_>>();
        assert_eq!(mentioned("{% set draft = draft | trim %}{{ draft }}"), ["draft", "set", "trim"]);
        assert_eq!(mentioned("plain {{ 'no }} \\' no' ~ a_1 }} plain {# {{ no }} #}{{- \"é\" ~b-}} c"), ["a_1", "b"]);
        assert_eq!(mentioned("{% if {'a': x}['a'] %}{{ {} }} { c } {{ y"), ["if", "x", "y"]);
    }

    #[test]
    fn what_makes_no_sense_is_found_without_values() {
        assert!(wrong("{{ draft").starts_with("syntax error: "), "{}", wrong("{{ draft"));
        assert!(wrong("a\n{% if %}\n").ends_with("(in its line 2)"));
        assert_eq!(wrong("{{ draft.text }}"), "`draft` is a text: it has no `text`");
        assert!(wrong("{{ draft | sumarize }}").contains("sumarize"));
        assert!(wrong("{% include 'other' %}").contains("include"), "{}", wrong("{% include 'other' %}"));
    }

    #[test]
    fn a_value_is_never_rendered_or_escaped() {
        let given = values(&[("draft", "{{ input }} {% raw %} <b>&\"\n"), ("input", "secret")]);
        assert_eq!(render("[{{ draft }}]", &given).expect("good"), "[{{ input }} {% raw %} <b>&\"\n]");
    }

    #[test]
    fn what_is_missing_is_an_error_and_no_empty_text() {
        assert!(render("{{ draft }}", &values(&[])).is_err());
        assert!(render("{% if draft %}{% endif %}", &values(&[])).is_err());
        assert!(render("{{ (input | lines)[7] }}", &values(&[("input", "one")])).is_err());
    }

    #[test]
    fn rendering_comes_to_an_end() {
        let nested = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}";
        assert!(render(nested, &values(&[])).expect_err("too much").to_string().contains("fuel"));
    }
}
