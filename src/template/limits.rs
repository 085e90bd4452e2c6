//! What a template may take: instructions, memory, and the work of its filters.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, ErrorKind, Output, State, Value, escape_formatter, filters, functions, tests};

use super::operators::{CHOSEN, COMPARED, LISTED, MULTIPLIED, PRINTED, WEIGHED};
use super::size::{Size, list_printed, printed, printed_in_lines, weight};

/// The most instructions that rendering takes: enough for every line of a long text, and an end to endless loops.
const FUEL: u64 = 5_000_000;

/// The most that a template may make, in bytes: the whole output, all values that are put into it or into a `{% set %}`
/// block, and what one call of a filter makes.
pub(super) const LARGEST: usize = 16 << 20;

/// The most that the filters of one text may take and make together, in bytes. An instruction with a filter can take as long as
/// its values are large, so that instructions alone are no bound of time.
pub(super) const MOST_WORK: usize = 1 << 30;

/// The most that the filters and operators of one text may make together, in bytes: all of it may be kept in variables.
pub(super) const MOST_MADE: usize = 256 << 20;

/// The longest time in which a text must be made. What it takes to go through long texts is not counted otherwise.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

/// The longest time of the trial that finds wrong names before there are values.
pub(super) const LONGEST_TRIAL: Duration = Duration::from_secs(1);

/// The work of looking at an item of a list, in bytes.
const ITEM: usize = 8;

/// What a text may still take.
#[derive(Debug)]
pub(super) struct Left {
    /// The bytes of its values.
    bytes: AtomicUsize,
    /// The bytes that its filters take and make.
    work: AtomicUsize,
    /// The bytes that its filters make.
    made: AtomicUsize,
    /// When it must be made.
    until: Mutex<Instant>,
}

impl Left {
    pub(super) fn new() -> Arc<Self> {
        Self::until(Instant::now() + LONGEST)
    }

    pub(super) fn of_trial() -> Arc<Self> {
        Self::until(Instant::now() + LONGEST_TRIAL)
    }

    pub(super) fn until(until: Instant) -> Arc<Self> {
        let [bytes, work, made] = [LARGEST, MOST_WORK, MOST_MADE].map(AtomicUsize::new);
        Arc::new(Self { bytes, work, made, until: Mutex::new(until) })
    }

    pub(super) fn renew(&self) {
        self.bytes.store(LARGEST, Ordering::Relaxed);
        self.work.store(MOST_WORK, Ordering::Relaxed);
        self.made.store(MOST_MADE, Ordering::Relaxed);
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + LONGEST;
    }

    /// Takes what something makes, and what it reads for that.
    pub(super) fn take_work(&self, what: &str, made: usize, read: usize) -> Result<(), minijinja::Error> {
        if made > LARGEST {
            return Err(too_large(what));
        }
        let is_late = Instant::now() > *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if is_late || !Self::take(&self.work, made.saturating_add(read)) {
            let message = "its filters and operators take too long: their values are too large or too many";
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, message));
        }
        self.take_memory(made)
    }

    /// Takes the memory of what something made.
    fn take_memory(&self, made: usize) -> Result<(), minijinja::Error> {
        if Self::take(&self.made, made) {
            return Ok(());
        }
        let message = format!("its filters and operators make more than {} MiB together", MOST_MADE >> 20);
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
    }

    /// Takes the memory of what a filter has made, as far as it is not in the `size` that was counted before.
    fn take_result(&self, name: &str, makes: &str, size: usize, made: &Value) -> Result<(), minijinja::Error> {
        // The keys of a sorted list are no part of it.
        let is_counted = size > 0 && name != "sort" || GIVES_AN_ITEM.contains(&name);
        self.take_memory(match made.as_str() {
            Some(text) if !is_counted => text.len(),
            Some(_) => 0,
            None if MAKES_NO_MORE.contains(&name) && is_counted => 0,
            // A list may have room for twice its items.
            None if MAKES_NO_MORE.contains(&name) => made.len().unwrap_or(0).saturating_mul(2 * size_of::<Value>()),
            // What is in a list may be more than what was in the values.
            None if made.as_object().is_some() => {
                let size = self.look_at(makes, made)?;
                // The items of a text that was split were counted before they were made.
                if SPLITS.contains(&name) { size.text } else { size.of_items() }
            }
            None => 0,
        })
    }

    /// Takes the work of looking at all that is in a value. Fails for one that holds more than a value may.
    fn look_at(&self, what: &str, value: &Value) -> Result<Size, minijinja::Error> {
        let size = Size::of(value).ok_or_else(|| too_large(what))?;
        self.take_work(what, 0, ITEM * size.items).map(|()| size)
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
    for (name, filter, work) in costly_filters() {
        let (left, makes) = (Arc::clone(&left), format!("what `{name}` makes"));
        environment.add_filter(name, move |state: &mut State, arguments: Rest<ValueOrKwargs>| {
            let arguments = arguments.into_values();
            let mut taken: usize = arguments.iter().map(weight).sum();
            let size = work.size_of_result(name, &arguments);
            if matches!(work, Work::Compares) {
                let sizes: Result<Vec<Size>, _> =
                    arguments.iter().map(|argument| left.look_at("a value", argument)).collect();
                taken = taken.max(sizes?.into_iter().map(Size::to_compare).fold(0, usize::saturating_add));
            }
            if name == "sum" {
                taken = taken.saturating_add(arguments.first().map_or(0, work_of_sum));
            }
            left.take_work(&makes, size, taken)?;
            if name == "chain" {
                // What is no list would be an item that cannot be compared with others.
                arguments.iter().try_for_each(|list| list.try_iter().map(drop))?;
            }
            let made = filter.call(state, &arguments)?;
            left.take_result(name, &makes, size, &made)?;
            Ok(made)
        });
    }
    for (name, test, takes) in costly_tests() {
        let (left, reads) = (Arc::clone(&left), format!("what `{name}` reads"));
        environment.add_test(name, move |state: &mut State, arguments: Rest<ValueOrKwargs>| {
            let arguments = arguments.into_values();
            for argument in &arguments {
                left.look_at("a value", argument)?;
                let (made, read) = takes(argument);
                left.take_work(&reads, made, read)?;
            }
            test.call(state, &arguments).map(|holds| holds.is_true())
        });
    }
    let (dict, merging) = (Value::from_function(functions::dict), Arc::clone(&left));
    environment.add_function("dict", move |state: &mut State, arguments: Rest<ValueOrKwargs>| {
        let made = dict.call(state, &arguments.into_values())?;
        merging.look_at("what `dict` makes", &made).map(|_| made)
    });
    weigh_operators(environment, left);
}

/// The filters that `operators.rs` puts into templates.
fn weigh_operators(environment: &mut Environment<'_>, left: Arc<Left>) {
    let (listing, comparing, printing) = (Arc::clone(&left), Arc::clone(&left), Arc::clone(&left));
    environment.add_filter(LISTED, move |made: Value| listing.look_at("a list", &made).map(|_| made));
    environment.add_filter(COMPARED, move |value: Value| comparing.look_at("a value", &value).map(|_| value));
    let multiplying = Arc::clone(&left);
    environment.add_filter(MULTIPLIED, move |factor: Value| {
        if factor.is_tuple() {
            let message = "a tuple cannot be multiplied here; `[…]` makes a list";
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, message));
        }
        multiplying.look_at("a value", &factor).map(|_| factor)
    });
    environment.add_filter(CHOSEN, |choices: Value| match choices.len() {
        None | Some(0) => {
            let message = "`cycle` needs something to choose from";
            Err(minijinja::Error::new(ErrorKind::MissingArgument, message))
        }
        Some(_) => Ok(choices),
    });
    environment.add_filter(PRINTED, move |value: Value| {
        printing.take_work("what an operator makes", list_printed(&value), 0).map(|()| value)
    });
    environment.add_filter(WEIGHED, move |made: Value| {
        let makes = "what an operator makes";
        left.look_at(makes, &made)?;
        left.take_work(makes, weight(&made), 0).map(|()| made)
    });
}

/// What takes the time of a filter.
#[derive(Clone, Copy)]
enum Work {
    /// It goes through the items, and does not look at what is in them.
    Items,
    /// It compares items.
    Compares,
    /// It makes texts of its arguments, whatever they are.
    Prints,
}

/// The filters that leave items out or order them, so that what they make is no larger than their value.
const MAKES_NO_MORE: [&str; 10] =
    ["dictsort", "last", "list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"];

/// The filters whose result is one of the items that they are given.
const GIVES_AN_ITEM: [&str; 3] = ["last", "max", "min"];

/// The filters that make a list of new texts.
const SPLITS: [&str; 2] = ["lines", "split"];

/// The filters that take longer for a larger value.
fn costly_filters() -> impl Iterator<Item = (&'static str, Value, Work)> {
    [
        ("batch", Value::from_function(filters::batch), Work::Items),
        ("chain", Value::from_function(filters::chain), Work::Items),
        ("capitalize", Value::from_function(filters::capitalize), Work::Prints),
        ("dictsort", Value::from_function(filters::dictsort), Work::Compares),
        ("e", Value::from_function(filters::escape), Work::Items),
        ("escape", Value::from_function(filters::escape), Work::Items),
        ("float", Value::from_function(filters::float), Work::Items),
        ("format", Value::from_function(filters::format), Work::Items),
        ("groupby", Value::from_function(filters::groupby), Work::Compares),
        ("indent", Value::from_function(filters::indent), Work::Prints),
        ("int", Value::from_function(filters::int), Work::Items),
        ("items", Value::from_function(filters::items), Work::Items),
        ("join", Value::from_function(filters::join), Work::Items),
        ("last", Value::from_function(filters::last), Work::Items),
        ("length", Value::from_function(filters::length), Work::Items),
        ("count", Value::from_function(filters::length), Work::Items),
        ("lines", Value::from_function(filters::lines), Work::Prints),
        ("list", Value::from_function(filters::list), Work::Items),
        ("lower", Value::from_function(filters::lower), Work::Prints),
        ("map", Value::from_function(filters::map), Work::Items),
        ("max", Value::from_function(filters::max), Work::Compares),
        ("min", Value::from_function(filters::min), Work::Compares),
        ("pprint", Value::from_function(filters::pprint), Work::Items),
        ("reject", Value::from_function(filters::reject), Work::Items),
        ("rejectattr", Value::from_function(filters::rejectattr), Work::Items),
        ("replace", Value::from_function(filters::replace), Work::Prints),
        ("reverse", Value::from_function(filters::reverse), Work::Items),
        ("safe", Value::from_function(filters::safe), Work::Items),
        ("select", Value::from_function(filters::select), Work::Items),
        ("selectattr", Value::from_function(filters::selectattr), Work::Items),
        ("slice", Value::from_function(filters::slice), Work::Items),
        ("sort", Value::from_function(filters::sort), Work::Compares),
        ("split", Value::from_function(filters::split), Work::Prints),
        ("string", Value::from_function(filters::string), Work::Items),
        ("sum", Value::from_function(filters::sum), Work::Compares),
        ("title", Value::from_function(filters::title), Work::Prints),
        ("trim", Value::from_function(filters::trim), Work::Prints),
        ("unique", Value::from_function(filters::unique), Work::Compares),
        ("upper", Value::from_function(filters::upper), Work::Prints),
        ("zip", Value::from_function(filters::zip), Work::Items),
    ]
    .into_iter()
}

/// The bytes that a test makes of an argument, and those that it reads.
type Takes = fn(&Value) -> (usize, usize);

/// The tests that take longer for a larger value. Comparing two texts counts as a step, as it does with operators.
fn costly_tests() -> impl Iterator<Item = (&'static str, Value, Takes)> {
    let takes: [Takes; 3] = [|_| (0, 0), |value| (list_printed(value), 0), |value| (0, weight(value))];
    let [compares, prints, reads] = takes;
    [
        (&["eq", "equalto", "=="][..], Value::from_function(tests::is_eq), compares),
        (&["ne", "!="], Value::from_function(tests::is_ne), compares),
        (&["lt", "lessthan", "<"], Value::from_function(tests::is_lt), compares),
        (&["le", "<="], Value::from_function(tests::is_le), compares),
        (&["gt", "greaterthan", ">"], Value::from_function(tests::is_gt), compares),
        (&["ge", ">="], Value::from_function(tests::is_ge), compares),
        (&["in"], Value::from_function(tests::is_in), prints),
        (&["startingwith"], Value::from_function(tests::is_startingwith), prints),
        (&["endingwith"], Value::from_function(tests::is_endingwith), prints),
        (&["lower"], Value::from_function(tests::is_lower), reads),
        (&["upper"], Value::from_function(tests::is_upper), reads),
    ]
    .into_iter()
    .flat_map(|(names, test, takes): (&'static [&'static str], _, _)| {
        names.iter().map(move |name| (*name, Value::clone(&test), takes))
    })
}

/// What adding up costs: it copies what was added before with each item.
fn work_of_sum(items: &Value) -> usize {
    let all = Size::of(items).map_or(usize::MAX, |size| size.to_compare().saturating_sub(weight(items)));
    items.len().unwrap_or(0).saturating_mul(all)
}

fn too_large(what: &str) -> minijinja::Error {
    let message = format!("{what} would be larger than {} MiB", LARGEST >> 20);
    minijinja::Error::new(ErrorKind::InvalidOperation, message)
}

impl Work {
    /// The most bytes that a filter makes of these arguments, the first of which is the value.
    fn size_of_result(self, filter: &str, arguments: &[Value]) -> usize {
        let texts = match self {
            Self::Prints => arguments.iter().map(list_printed).fold(0, usize::saturating_add),
            Self::Items | Self::Compares => 0,
        };
        // A list that is too large is not made a text of to look at it.
        if texts > LARGEST { texts } else { texts.saturating_add(size_of_result(filter, arguments)) }
    }
}

/// The text of an argument, which a filter makes where it is none.
fn as_text(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| Cow::from(value.to_string()), Cow::from)
}

/// The most bytes that a filter makes of these arguments, the first of which is the value.
pub(super) fn size_of_result(filter: &str, arguments: &[Value]) -> usize {
    let Some((value, others)) = arguments.split_first() else { return 0 };
    // Widths and counts, which may also be named arguments.
    let named = others.iter().filter(|argument| argument.is_kwargs()).flat_map(|named| {
        let names = named.try_iter().into_iter().flatten();
        names.filter_map(|name| named.get_item(&name).ok()).collect::<Vec<_>>()
    });
    let attributes = || named.clone().filter_map(|value| Some(value.as_str()?.split(',').count())).max().unwrap_or(0);
    let count = || others.iter().cloned().chain(named.clone()).filter_map(|value| value.as_usize()).max().unwrap_or(0);
    let pieces = |pieces: usize| pieces.saturating_mul(size_of::<Value>());
    let items = || pieces(value.len().unwrap_or(0));
    match filter {
        "lines" => pieces(as_text(value).lines().count()),
        "split" => {
            let separator = others.first().filter(|separator| !separator.is_none()).map(as_text);
            let most = others.get(1).and_then(Value::as_usize).map_or(usize::MAX, |most| most.saturating_add(1));
            pieces(match separator {
                Some(separator) => as_text(value).split(separator.as_ref()).take(most).count(),
                None => as_text(value).split_whitespace().take(most).count(),
            })
        }
        "batch" | "slice" => items().saturating_add(pieces(count())),
        "list" => items(),
        // The keys of all items are kept, one for each attribute.
        "sort" if attributes() > 0 => items().saturating_mul(attributes()),
        // Each character of a text becomes an item.
        "groupby" | "map" | "reject" | "rejectattr" | "select" | "selectattr" | "sort" | "unique" | "zip"
            if value.as_str().is_some() =>
        {
            items()
        }
        "indent" => {
            let text = as_text(value);
            (text.lines().count() + 1).saturating_mul(count()).saturating_add(text.len())
        }
        "format" => {
            let text = value.as_str().unwrap_or_default();
            let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
            let widths: Vec<usize> = numbers.map(|number| number.parse().unwrap_or(usize::MAX)).collect();
            let given = if text.contains('*') { count() } else { 0 };
            // Each place of the text may name the same value of a map.
            let is_map = others.first().is_some_and(|value| value.kind() == ValueKind::Map);
            let often = if is_map { text.matches('%').count() } else { 1 };
            let texts = others.iter().map(|value| printed(value).saturating_mul(often));
            widths.into_iter().chain(texts).fold(given.saturating_add(text.len()), usize::saturating_add)
        }
        "replace" => {
            let [text, from, to] =
                [Some(value), others.first(), others.get(1)].map(|text| text.map_or("".into(), as_text));
            text.matches(from.as_ref()).count().saturating_mul(to.len()).saturating_add(text.len())
        }
        "join" => {
            let separator = others.first().map_or(0, printed);
            printed(value).saturating_add(value.len().unwrap_or(0).saturating_mul(separator))
        }
        "string" | "safe" => printed(value),
        "pprint" => printed_in_lines(value),
        // `'` becomes `&#x27;`.
        "e" | "escape" => match value.as_str() {
            Some(text) => text.len().saturating_add(5 * text.matches(['<', '>', '&', '"', '\'', '/']).count()),
            None => printed(value).saturating_mul(6),
        },
        // They make no more than they take.
        _ => 0,
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
