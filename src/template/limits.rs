//! What a template may take: instructions, memory, and the work of its filters.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, ErrorKind, Output, State, Value, escape_formatter, filters, tests};

use super::operators::WEIGHED;

/// The most instructions that rendering takes: enough for every line of a long text, and an end to endless loops.
const FUEL: u64 = 5_000_000;

/// The most that a template may make, in bytes: the whole output, all values that are put into it or into a `{% set %}`
/// block, and what one call of a filter makes.
const LARGEST: usize = 16 << 20;

/// The most that the filters of one text may take and make together, in bytes. An instruction with a filter can take as long as
/// its values are large, so that instructions alone are no bound of time.
const MOST_WORK: usize = 1 << 30;

/// What a text may still take.
#[derive(Debug)]
pub(super) struct Left {
    /// The bytes of its values.
    bytes: AtomicUsize,
    /// The bytes that its filters take and make.
    work: AtomicUsize,
}

impl Left {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(LARGEST), work: AtomicUsize::new(MOST_WORK) })
    }

    pub(super) fn renew(&self) {
        self.bytes.store(LARGEST, Ordering::Relaxed);
        self.work.store(MOST_WORK, Ordering::Relaxed);
    }

    /// Takes what something makes, and what it reads for that.
    fn take_work(&self, what: &str, made: usize, read: usize) -> Result<(), minijinja::Error> {
        if made > LARGEST {
            return Err(too_large(&format!("what {what} makes")));
        }
        if !Self::take(&self.work, made.saturating_add(read)) {
            let message = "its filters and operators take too long: their values are too large or too many";
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, message));
        }
        Ok(())
    }

    /// Takes so much. Returns whether there was as much.
    pub(super) fn take(left: &AtomicUsize, size: usize) -> bool {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(size)).is_ok()
    }
}

/// Keeps a template from taking all memory, by mistakes such as `{{ draft | indent(2000000000) }}`.
pub(super) fn limit(environment: &mut Environment<'_>, template: &str, left: Arc<Left>) {
    // A block that is captured is not counted by `Bounded`. Each instruction adds one piece of the template to it at most.
    let captures = ["endset", "endfilter"].iter().any(|end| template.contains(end));
    let fuel = if captures { FUEL.min((4 * LARGEST / template.len().max(1)) as u64) } else { FUEL };
    environment.set_fuel(Some(fuel));
    // Without it, no variable outlives one turn of a loop, so no loop can double a text in each turn.
    environment.remove_global("namespace");
    // It prints all variables with `\"` for `"`, so a variable with what it made doubles.
    environment.remove_global("debug");
    let printing = Arc::clone(&left);
    environment.set_formatter(move |out: &mut Output, state: &mut State, value: &Value| {
        if !Left::take(&printing.bytes, printed(value)) {
            return Err(too_large("the text"));
        }
        if value.is_none() {
            // The null of a row is no text, and a model would take `none` for one.
            let message = "a value is null; `{{ x or '' }}` leaves it out";
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, message));
        }
        escape_formatter(out, state, value)
    });
    for (name, filter) in costly_filters() {
        let left = Arc::clone(&left);
        environment.add_filter(name, move |state: &mut State, arguments: Rest<ValueOrKwargs>| {
            let arguments = arguments.into_values();
            let taken: usize = arguments.iter().map(weight).sum();
            left.take_work(&format!("`{name}`"), size_of_result(name, &arguments), taken)?;
            filter.call(state, &arguments)
        });
    }
    for (name, test) in [("lower", tests::is_lower as fn(&Value) -> bool), ("upper", tests::is_upper)] {
        let left = Arc::clone(&left);
        environment.add_test(name, move |value: Value| {
            left.take_work(&format!("`{name}`"), 0, weight(&value)).map(|()| test(&value))
        });
    }
    environment.add_filter(WEIGHED, move |made: Value| left.take_work("an operator", weight(&made), 0).map(|()| made));
}

/// The filters that take longer for a larger value.
fn costly_filters() -> impl Iterator<Item = (&'static str, Value)> {
    [
        ("batch", Value::from_function(filters::batch)),
        ("capitalize", Value::from_function(filters::capitalize)),
        ("dictsort", Value::from_function(filters::dictsort)),
        ("e", Value::from_function(filters::escape)),
        ("escape", Value::from_function(filters::escape)),
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
        ("safe", Value::from_function(filters::safe)),
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
        "string" | "pprint" | "safe" => printed(value),
        // `'` becomes `&#x27;`.
        "e" | "escape" => match value.as_str() {
            Some(text) => text.len().saturating_add(5 * text.matches(['<', '>', '&', '"', '\'', '/']).count()),
            None => printed(value).saturating_mul(6),
        },
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
pub(super) struct Bounded(pub(super) Vec<u8>);

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
