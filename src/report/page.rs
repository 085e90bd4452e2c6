//! Web pages: a template filled with values. A page loads nothing and runs nothing.
//!
//! A template prints every value through one function that escapes it. So no text of a model, a gateway or a user can
//! become markup, whatever a template does with it.

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error as TemplateError, Output, State, UndefinedBehavior, Value};
use serde::Serialize;

use super::escape;
use super::term::Text;
use crate::error::Error;

/// The source of a page: the head and the style that all pages share, and the rest from a file below `html/`.
macro_rules! source {
    ($rest:literal) => {
        concat!(include_str!("html/head.html"), include_str!("html/page.css"), include_str!($rest))
    };
    // For a file in a folder of this one.
    (up $rest:literal) => {
        concat!(
            include_str!("../html/head.html"),
            include_str!("../html/page.css"),
            include_str!(concat!("../", $rest))
        )
    };
}
pub(super) use source;

/// The page that a template makes of these values.
///
/// # Errors
///
/// [`Error::Output`] if the template asks for a value that is not there.
pub(super) fn render(source: &str, values: impl Serialize) -> Result<Text, Error> {
    let failed = |error| Error::Output { target: "the page".into(), source: io::Error::other(error) };
    let rendered = environment().and_then(|environment| environment.render_str(source, Serde(values)));
    rendered.map(Text::from).map_err(failed)
}

/// Made for each page, since most commands make none.
fn environment<'a>() -> Result<Environment<'a>, TemplateError> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    environment.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(escaped);
    Ok(environment)
}

/// Prints a value. The usual formatter leaves text alone that is marked as safe; this one does not. It also shows
/// characters that reorder or hide text.
fn escaped(out: &mut Output, _: &mut State, value: &Value) -> Result<(), TemplateError> {
    let text = value.as_str().map_or_else(|| escape::html(&value.to_string()), escape::html);
    Ok(out.write_str(&text)?)
}

#[cfg(test)]
mod tests {
    use super::super::samples::HOSTILE;
    use super::*;

    fn shown(template: &str, text: &str) -> String {
        render(template, serde_json::json!({ "text": text, "texts": [text] })).expect(template).to_string()
    }

    #[test]
    fn no_value_is_markup_whatever_the_template_does_with_it() {
        for text in [
            "</script><script>alert(1)</script>",
            "\"><img src=x onerror='alert(1)'>",
            "javascript:alert('1')",
            "</title></style><!-- ]]>",
            "{{ 7 * 7 }}{% raw %}<b>",
            HOSTILE,
        ] {
            let inert = escape::html(text);
            assert!(!inert.contains(['<', '>', '"', '\'']), "{inert}");
            for template in [
                "{{ text }}",
                "{{ text | safe }}",
                "{% autoescape false %}{{ text }}{% endautoescape %}",
                "{% for text in texts %}{{ text }}{% endfor %}",
                "{{ texts[0] ~ '' }}",
            ] {
                assert_eq!(shown(template, text), inert, "{template}");
            }
            assert!(!shown("{{ texts }}", text).contains(['<', '>', '"']), "{text}");
        }
    }

    #[test]
    fn what_a_template_lacks_is_an_error_and_no_empty_place() {
        let error = render("{{ title }}", serde_json::json!({})).expect_err("no title");
        assert_eq!(error.to_string(), "cannot write the page");
    }
}
