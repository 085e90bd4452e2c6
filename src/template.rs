//! Templates of prompts: what they need, and their text with it filled in. A value is data; nothing in it is a template.

use std::collections::{BTreeMap, BTreeSet};

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Rest, Serde, ValueOrKwargs};
use minijinja::{
    AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter, filters,
};

/// The most instructions that rendering takes: enough for every line of a long text, and an end to endless loops.
const FUEL: u64 = 5_000_000;

/// The most that a template may make, in bytes: the whole output, all values that are put into it or into a `{% set %}`
/// block, and what one call of a filter makes.
const LARGEST: usize = 16 << 20;

/// The most that the filters of one text may take and make together, in bytes. An instruction with a filter can take as long as
/// its values are large, so that instructions alone are no bound of time.
const MOST_WORK: usize = 1 << 30;

/// The longest expression or statement, in words and signs, without its texts. Each may be a level, which takes a kilobyte of
/// the stack.
const LONGEST_TAG: usize = 1_000;

/// So many times a template may say `elif`.
const MOST_BRANCHES: usize = 250;

/// What a text may still take.
#[derive(Debug)]
struct Left {
    /// The bytes of its values.
    bytes: AtomicUsize,
    /// The bytes that its filters take and make.
    work: AtomicUsize,
}

impl Left {
    fn new() -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(LARGEST), work: AtomicUsize::new(MOST_WORK) })
    }

    fn renew(&self) {
        self.bytes.store(LARGEST, Ordering::Relaxed);
        self.work.store(MOST_WORK, Ordering::Relaxed);
    }

    /// Takes so much. Returns whether there was as much.
    fn take(left: &AtomicUsize, size: usize) -> bool {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(size)).is_ok()
    }
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTemplate(String);

/// Prompts are no markup, so nothing is escaped, and a missing variable is an error rather than an empty text.
fn environment(template: &str) -> Environment<'_> {
    limited(template, &Left::new())
}

/// The environment of a template that may take as much as `left` says.
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
        let left = Left::new();
        let mut environment = limited(source, &left);
        environment.add_template(Self::NAME, source).map_err(|error| explain(&error, source))?;
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
        self.environment.get_template(Self::NAME)?.render_captured_to(values, &mut text)?;
        Ok(text.0)
    }
}

/// Whether a template names a filter, a test or a function that does not exist.
fn is_unknown_name(error: &minijinja::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction)
}

/// Keeps a template from taking all memory, by mistakes such as `{{ draft | indent(2000000000) }}`.
fn limit(environment: &mut Environment<'_>, template: &str, left: Arc<Left>) {
    // A block that is captured is not counted by `Bounded`. Each instruction adds one piece of the template to it at most.
    let captures = ["endset", "endfilter"].iter().any(|end| template.contains(end));
    let fuel = if captures { FUEL.min((4 * LARGEST / template.len().max(1)) as u64) } else { FUEL };
    environment.set_fuel(Some(fuel));
    // Without it, no variable outlives one turn of a loop, so no loop can double a text in each turn.
    environment.remove_global("namespace");
    let printing = Arc::clone(&left);
    environment.set_formatter(move |out: &mut Output, state: &mut State, value: &Value| {
        if !Left::take(&printing.bytes, printed(value)) {
            return Err(too_large("the text"));
        }
        escape_formatter(out, state, value)
    });
    for (name, filter) in costly_filters() {
        let left = Arc::clone(&left);
        environment.add_filter(name, move |state: &mut State, arguments: Rest<ValueOrKwargs>| {
            let arguments = arguments.into_values();
            let made = size_of_result(name, &arguments);
            if made > LARGEST {
                return Err(too_large(&format!("what `{name}` makes")));
            }
            let taken: usize = arguments.iter().map(weight).sum();
            if !Left::take(&left.work, made.saturating_add(taken)) {
                let message = "its filters take too long: their values are too large or too many";
                return Err(minijinja::Error::new(ErrorKind::InvalidOperation, message));
            }
            filter.call(state, &arguments)
        });
    }
}

/// The filters that take longer for a larger value.
fn costly_filters() -> impl Iterator<Item = (&'static str, Value)> {
    [
        ("batch", Value::from_function(filters::batch)),
        ("capitalize", Value::from_function(filters::capitalize)),
        ("dictsort", Value::from_function(filters::dictsort)),
        ("format", Value::from_function(filters::format)),
        ("groupby", Value::from_function(filters::groupby)),
        ("indent", Value::from_function(filters::indent)),
        ("items", Value::from_function(filters::items)),
        ("join", Value::from_function(filters::join)),
        ("last", Value::from_function(filters::last)),
        ("length", Value::from_function(filters::length)),
        ("count", Value::from_function(filters::length)),
        ("lines", Value::from_function(filters::lines)),
        ("list", Value::from_function(filters::list)),
        ("lower", Value::from_function(filters::lower)),
        ("map", Value::from_function(filters::map)),
        ("max", Value::from_function(filters::max)),
        ("min", Value::from_function(filters::min)),
        ("pprint", Value::from_function(filters::pprint)),
        ("reject", Value::from_function(filters::reject)),
        ("rejectattr", Value::from_function(filters::rejectattr)),
        ("replace", Value::from_function(filters::replace)),
        ("reverse", Value::from_function(filters::reverse)),
        ("select", Value::from_function(filters::select)),
        ("selectattr", Value::from_function(filters::selectattr)),
        ("slice", Value::from_function(filters::slice)),
        ("sort", Value::from_function(filters::sort)),
        ("split", Value::from_function(filters::split)),
        ("string", Value::from_function(filters::string)),
        ("sum", Value::from_function(filters::sum)),
        ("title", Value::from_function(filters::title)),
        ("trim", Value::from_function(filters::trim)),
        ("unique", Value::from_function(filters::unique)),
        ("upper", Value::from_function(filters::upper)),
    ]
    .into_iter()
}

/// The bytes of a text, or of the items of a list without what is in them.
fn weight(value: &Value) -> usize {
    match value.as_str() {
        Some(text) => text.len(),
        None => value.len().unwrap_or(0).saturating_mul(size_of::<Value>()),
    }
}

fn too_large(what: &str) -> minijinja::Error {
    let message = format!("{what} would be larger than {} MiB", LARGEST >> 20);
    minijinja::Error::new(ErrorKind::InvalidOperation, message)
}

/// The most bytes that a filter makes of these arguments, the first of which is the value.
fn size_of_result(filter: &str, arguments: &[Value]) -> usize {
    let Some((value, others)) = arguments.split_first() else { return 0 };
    let text = value.as_str().unwrap_or_default();
    // Widths and counts, which may also be named arguments.
    let named = others.iter().filter(|argument| argument.is_kwargs()).flat_map(|named| {
        let names = named.try_iter().into_iter().flatten();
        names.filter_map(|name| named.get_item(&name).ok()).collect::<Vec<_>>()
    });
    let count = || others.iter().cloned().chain(named).filter_map(|value| value.as_usize()).max().unwrap_or(0);
    let items = || value.len().unwrap_or(0).saturating_mul(size_of::<Value>());
    match filter {
        "batch" | "slice" => items().saturating_add(count().saturating_mul(size_of::<Value>())),
        "list" => items(),
        "indent" => (text.lines().count() + 1).saturating_mul(count()).saturating_add(text.len()),
        "format" => {
            let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
            let widths: Vec<usize> = numbers.map(|number| number.parse().unwrap_or(usize::MAX)).collect();
            let given = if text.contains('*') { count() } else { 0 };
            widths.into_iter().fold(given, usize::saturating_add)
        }
        "replace" => {
            let [from, to] =
                [others.first(), others.get(1)].map(|text| text.and_then(Value::as_str).unwrap_or_default());
            text.matches(from).count().saturating_mul(to.len()).saturating_add(text.len())
        }
        "join" => {
            let separator = others.first().map_or(0, printed);
            printed(value).saturating_add(value.len().unwrap_or(0).saturating_mul(separator))
        }
        "string" | "pprint" => printed(value),
        // They make no more than they take.
        _ => 0,
    }
}

/// How many bytes the value is as a text; more than [`LARGEST`] where it is larger.
fn printed(value: &Value) -> usize {
    struct Count(usize);
    impl fmt::Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            if self.0 > LARGEST { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut count = Count(0);
    match value.as_str() {
        Some(text) => text.len(),
        // Each item takes a byte and a comma at least. The list is not printed, since that would not end at the limit.
        None if value.len().is_some_and(|items| items > LARGEST / 2) => LARGEST + 1,
        // The error is the writer's own, and the count says what it means.
        None => write!(count, "{value}").map_or(LARGEST + 1, |()| count.0),
    }
}

/// The output of a template, which fails beyond [`LARGEST`].
#[derive(Default)]
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST {
            return Err(io::Error::other(format!("the text would be larger than {} MiB", LARGEST >> 20)));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
    let environment = environment(template);
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
    match compiled.render_captured_to(values, Bounded::default()) {
        Err(error) if is_unknown_name(&error) => Err(explain(&error, template)),
        _ => Ok(needed),
    }
}

/// The text of a template with these values in it.
pub fn render(template: &str, values: &BTreeMap<String, String>) -> Result<String, BadTemplate> {
    check_depth(template)?;
    let values = Value::from_pairs(values.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let mut text = Bounded::default();
    let environment = environment(template);
    let rendered = environment
        .template_from_str(template)
        .and_then(|compiled| compiled.render_captured_to(values, &mut text).map(drop));
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
    fn what_would_take_all_memory_is_refused_at_once() {
        let began = std::time::Instant::now();
        let long = "word\n".repeat(1 << 18);
        let given = values(&[("input", &long)]);
        for template in [
            "{{ input | indent(2000000000) }}",
            "{{ input | indent(width=2000000000) }}",
            "{{ '%999999999s' | format('x') }}",
            "{{ '%*s' | format(999999999, 'x') }}",
            "{{ 'a' * 1000000000 }}",
            "{{ 'a' * 99999999 }}",
            "{{ ['a'] * 99999999 }}",
            "{{ (['a'] * 99999999) | list }}",
            "{{ (['a'] * 99999999) | string }}",
            "{{ (['a' * 9999999] * 9999999) | join(',') }}",
            "{{ [1] | slice(999999999) | list }}",
            "{{ [1] | batch(999999999, 'x') | list }}",
            "{{ range(1000000000) }}",
            "{{ input | replace('', input) }}",
            "{% for i in range(99999) %}{{ input }}{% endfor %}",
            "{% set all %}{% for i in range(99999) %}{{ input }}{% endfor %}{% endset %}{{ all }}",
            "{% filter upper %}{% for i in range(99999) %}{{ input }}{% endfor %}{% endfilter %}",
            "{% set n = namespace(x=input) %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        ] {
            let error = render(template, &given).expect_err(template).to_string();
            let said = ["larger than 16 MiB", "too large", "too many", "unknown function"];
            assert!(said.iter().any(|said| error.contains(said)), "{template}: {error}");
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
    }

    #[test]
    fn what_is_nested_too_deep_to_be_read_is_refused() {
        for (start, part, end) in [
            ("{{ ", "not ", "1 }}"),
            ("{{ ", "-", "1 }}"),
            ("{{ a", ".b", " }}"),
            ("{{ a", "|upper", " }}"),
            ("{{ a", "[0]", " }}"),
            ("{{ 1", "+1", " }}"),
            ("{{ \"}}\"", " ~ 1", " }}"),
            ("{% if 0 %}", "{% elif 0 %}", "{% endif %}"),
        ] {
            let template = |times| format!("{start}{}{end}", part.repeat(times));
            assert!(wrong(&template(20_000)).contains("more than"), "{part}");
            assert!(Template::new(&template(20_000)).is_err(), "{part}");
            // As much as is not refused fits into the memory of a thread.
            let most = if part.starts_with("{%") { MOST_BRANCHES } else { LONGEST_TAG / part.trim().len() - 4 };
            drop(needs(&template(most)));
        }
        let long = "x".repeat(10_000);
        assert_eq!(render(&format!("{{{{ \"{long}\" }}}}"), &values(&[])).expect("a text"), long);
    }

    #[test]
    fn what_fits_is_rendered_as_ever() {
        let given = values(&[("input", "a\nb")]);
        for (template, text) in [
            ("{{ input | indent(2, first=true) }}", "  a\n  b"),
            ("{{ '%5.1f%s' | format(2, input) }}", "  2.0a\nb"),
            ("{{ input | replace('a', 'xx') }}", "xx\nb"),
            ("{{ input | lines | join(', ') }}", "a, b"),
            ("{{ [1, 2, 3] | batch(2) | list }}", "[[1, 2], [3]]"),
            ("{% set all %}<{{ input }}>{% endset %}{{ all | string }}", "<a\nb>"),
        ] {
            assert_eq!(render(template, &given).expect(template), text);
        }
    }

    #[test]
    fn filters_of_large_values_come_to_an_end() {
        let long = "word\n".repeat(1 << 16);
        for filters in ["(range(100000) | list) | length", "range(100000) | sort | first", "input | upper | length"] {
            let template = format!("{{% for i in range(100000) %}}{{{{ {filters} }}}}{{% endfor %}}");
            let error = render(&template, &values(&[("input", &long)])).expect_err(&template).to_string();
            assert!(error.contains("its filters take too long"), "{template}: {error}");
        }
        let often = "{% for line in input | lines %}{{ line | trim | upper }}{% endfor %}{{ input | lines | length }}";
        let template = Template::new(often).expect("good");
        let row = serde_json::json!({"input": long}).as_object().cloned().expect("an object");
        for _ in 0..3 {
            assert!(template.render(&row).expect("within the bounds").ends_with("WORD65536"));
        }
    }

    #[test]
    fn rendering_comes_to_an_end() {
        let nested = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}";
        assert!(render(nested, &values(&[])).expect_err("too much").to_string().contains("fuel"));
    }
}
