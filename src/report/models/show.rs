//! All about one model: what it is, and what it costs at every gateway that has it, against its maker's own price.

use std::time::SystemTime;

use super::{Offer, both_modalities, date, features, tokens};
use crate::money::Usd;
use crate::probe::{Feature, Value};
use crate::rates::{Rates, Tariff};
use crate::record::CostOrigin;
use crate::report::escape;
use crate::report::format::{UNKNOWN, or_unknown, thousands};
use crate::report::grid::{self, Column, Grid};
use crate::report::rates::per_million;
use crate::report::term::{Output, Text};

/// On a page of at least so many cells, every price has a column of its own.
const WIDE: usize = 130;

/// What a gateway says of the model, and what it costs there.
#[derive(Debug, Clone)]
pub struct Listing {
    pub gateway: String,
    pub offer: Offer,
    /// How much of the price is the config's markup, in millionths on top; `None` where it has none.
    pub markup: Option<u32>,
    /// When the gateway was last asked for its list.
    pub fetched_at: SystemTime,
}

/// One model.
#[derive(Debug, Clone)]
pub struct Shown {
    /// As it was asked for.
    pub id: String,
    pub maker: Option<String>,
    /// What its maker sells it for, where the built-in table knows.
    pub list_price: Option<Tariff>,
    /// All gateways that list the model, beginning with the one that is most likely meant.
    pub listings: Vec<Listing>,
}

impl Listing {
    pub(super) fn rates(&self) -> Rates {
        self.offer.rates()
    }

    /// `gateway`, `table + 5.5 %`, `config`.
    fn origin(&self) -> String {
        match (self.offer.origin(), self.markup) {
            (None, _) => UNKNOWN.to_owned(),
            (Some(origin), Some(markup)) => format!("{} {}", origin.as_str(), percent(f64::from(markup) / 1e6)),
            (Some(origin), None) => origin.as_str().to_owned(),
        }
    }

    /// How much more input and output cost here than by `list`, as parts of it; `None` where either price is unknown or
    /// nothing is charged by the list.
    pub(super) fn against(&self, list: &Tariff) -> [Option<f64>; 2] {
        let rates = self.rates();
        let more = |here: Option<Usd>, there: Option<Usd>| {
            let (here, there) = (here?.picos() as f64, there?.picos() as f64);
            // The ratio is shown only: no amount is computed from it. Four decimals are a hundredth of a percent.
            (there > 0.0).then(|| ((here / there - 1.0) * 10_000.0).round() / 10_000.0)
        };
        [more(rates.input, list.base.input), more(rates.output, list.base.output)]
    }
}

/// `+5.5 %`, `−100 %`, `±0 %`.
fn percent(part: f64) -> String {
    let text = format!("{:.1}", part.abs() * 100.0);
    let sign = if text == "0.0" {
        "±"
    } else if part < 0.0 {
        "−"
    } else {
        "+"
    };
    format!("{sign}{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn difference(against: [Option<f64>; 2]) -> String {
    let [input, output] = against.map(|part| or_unknown(part, percent));
    if input == output { input } else { format!("{input} in, {output} out") }
}

/// A text for people: what the model is, and a line for each gateway.
pub fn one(shown: &Shown, out: &Output) -> Text {
    let mut page = out.style.bold(escape::line(&shown.id)) + "\n";
    let facts = facts(shown).into_iter().filter_map(|(name, value)| Some((name, escape::line(&value?).into_owned())));
    page += grid::pairs(facts, "longest answer".len(), out);
    page + "\n" + prices(shown, out)
}

/// What is known of the model. The first gateway says it, since all list the same model.
fn facts(shown: &Shown) -> Vec<(&'static str, Option<String>)> {
    let mut facts = vec![];
    if let Some(listing) = shown.listings.first() {
        let model = &listing.offer.model;
        let exact = |count: Option<u64>| {
            Some(or_unknown(count, |count| {
                format!("{} {}", thousands(count), if count == 1 { "token" } else { "tokens" })
            }))
        };
        let nothing = |words: String| if words.is_empty() { "nothing special".into() } else { words };
        facts.extend([
            ("name", model.name.clone()),
            ("made by", Some(or_unknown(shown.maker.clone(), |maker| maker))),
            ("context", exact(model.context)),
            ("longest answer", exact(model.max_output)),
            ("modalities", Some(both_modalities(model))),
            ("supports", Some(or_unknown(features(model), nothing))),
            (
                "parameters",
                Some(or_unknown(model.parameters.as_ref(), |names| {
                    nothing(names.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
                })),
            ),
            ("created", model.created.and_then(date).map(|date| date[..10].to_owned())),
            ("expires", model.expires.clone()),
        ]);
    } else {
        facts.push(("made by", Some(or_unknown(shown.maker.clone(), |maker| maker))));
    }
    facts.extend(shown.listings.iter().flat_map(probed));
    for listing in shown.listings.iter().filter(|listing| listing.offer.model.price_varies) {
        let servers = listing.offer.model.deployments.unwrap_or_default();
        let gateway = &listing.gateway;
        facts.push(("", Some(format!("{gateway}: the price differs between the {servers} deployments of this name"))));
    }
    facts
}

/// What `llm probe` found out about the model at one gateway, and when.
fn probed(listing: &Listing) -> Vec<(&'static str, Option<String>)> {
    let Some(kept) = &listing.offer.probed else { return Vec::new() };
    let parts = [(Value::Yes, "has"), (Value::No, "lacks"), (Value::Unknown, "not known")].map(|(value, word)| {
        let features: Vec<&str> = kept.with(value).map(Feature::as_str).collect();
        (!features.is_empty()).then(|| format!("{word} {}", features.join(" ")))
    });
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let context = kept.context.map_or_else(String::new, |tokens| format!("; accepts {} tokens", thousands(tokens)));
    let text = format!("{} on {}: {}{context}", listing.gateway, kept.date(), parts.join("; "));
    vec![("probed", Some(text))]
}

/// A line for each gateway and each step of its price, and one for the maker's own price.
fn prices(shown: &Shown, out: &Output) -> Text {
    let mut prices = Prices::new(shown, out);
    let unknown = Tariff::default();
    for listing in &shown.listings {
        let against = shown.list_price.as_ref().map_or([None; 2], |list| listing.against(list));
        let tariff = listing.offer.quote.as_ref().map_or(&unknown, |quote| &quote.tariff);
        let model = &listing.offer.model;
        let names = [&listing.gateway, &model.id];
        prices.tariff(names, model.context, tariff, [difference(against), listing.origin()]);
    }
    if let Some(list) = &shown.list_price {
        let names = [&"list price".to_owned(), &shown.maker.clone().unwrap_or_default()];
        prices.tariff(names, None, list, [String::new(), CostOrigin::Table.as_str().to_owned()]);
    }
    // Output to a pipe has no greatest width.
    let columns = if out.tty { out.columns } else { usize::from(u16::MAX) };
    prices.grid.render(&Output { columns, ..*out }) + prices.below.as_str()
}

/// The table of prices while it is made.
struct Prices<'a> {
    out: &'a Output,
    /// Whether every price has a column of its own. If not, the rarer ones stand below the table.
    is_wide: bool,
    /// Which of the rarer prices are known at any gateway.
    known: [bool; 4],
    grid: Grid,
    below: String,
}

impl<'a> Prices<'a> {
    fn new(shown: &Shown, out: &'a Output) -> Self {
        let is_wide = !out.tty || out.columns >= WIDE;
        let mut columns = vec![Column::left("gateway").wraps(8), Column::left("model").wraps(16)];
        if is_wide {
            columns.push(Column::right("context"));
        }
        columns.extend([Column::right("$/M in"), Column::right("$/M out")]);
        if is_wide {
            columns.extend(["$/M cache read", "$/M cache write", "$/M thought", "$ a request"].map(Column::right));
        }
        columns.extend([Column::right("against list").wraps(8), Column::left("price from")]);
        let quotes = shown.listings.iter().filter_map(|listing| listing.offer.quote.as_ref());
        let tariffs = quotes.map(|quote| &quote.tariff).chain(&shown.list_price);
        let known = tariffs.fold([false; 4], |mut known, tariff| {
            known.iter_mut().zip(rarer(&tariff.base)).for_each(|(known, price)| *known |= price.is_some());
            known
        });
        Self { out, is_wide, known, grid: Grid::new(columns), below: String::new() }
    }

    /// All rows of one price: of short prompts, and of each step. `rest` are the last two columns.
    fn tariff(&mut self, names: [&String; 2], context: Option<u64>, tariff: &Tariff, rest: [String; 2]) {
        if !self.is_wide {
            self.rarer_below(names, tariff);
        }
        self.row(names, context, &tariff.base, rest);
        for step in &tariff.steps {
            let above = format!("above {} in", tokens(step.above));
            self.row([names[0], &above], context, &step.rates, Default::default());
        }
    }

    fn row(&mut self, names: [&String; 2], context: Option<u64>, rates: &Rates, rest: [String; 2]) {
        let price = |usd: Option<Usd>| or_unknown(usd, |usd| usd.to_string());
        let mut cells = names.map(String::clone).to_vec();
        if self.is_wide {
            cells.push(or_unknown(context, tokens));
        }
        cells.extend([rates.input, rates.output].map(|rate| price(per_million(rate))));
        if self.is_wide {
            // A column of which nothing is known stays empty, and so is left out.
            let rarer = rarer(rates).into_iter().zip(self.known);
            cells.extend(rarer.map(|(usd, is_known)| if is_known { price(usd) } else { String::new() }));
        }
        cells.extend(rest);
        self.grid.row(cells);
    }

    /// The rarer prices in words, where they differ from those of the step before.
    fn rarer_below(&mut self, names: [&String; 2], tariff: &Tariff) {
        let steps = tariff.steps.iter().map(|step| (format!(" above {} in", tokens(step.above)), &step.rates));
        let mut last = String::new();
        for (above, rates) in std::iter::once((String::new(), &tariff.base)).chain(steps) {
            let words = ["read from cache", "written to cache", "thought", "a request"];
            let parts = rarer(rates).into_iter().zip(words).filter_map(|(usd, what)| Some(format!("{} {what}", usd?)));
            let also = parts.collect::<Vec<_>>().join(", ");
            if also != last {
                let text = format!("{} {}{above}: {also}", names[0], names[1]);
                self.below.push_str(&grid::remark(&text, self.out));
            }
            last = also;
        }
    }
}

/// The prices that not every model has: of tokens read from a cache, written to it and thought, per million; and of a
/// request.
fn rarer(rates: &Rates) -> [Option<Usd>; 4] {
    let tokens = [rates.cache_read, rates.cache_write, rates.reasoning].map(per_million);
    [tokens[0], tokens[1], tokens[2], rates.request]
}

#[cfg(test)]
pub(super) mod tests;
