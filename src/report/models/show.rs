//! All about one model: what it is, and what it costs at every gateway that has it, against its maker's own price.

use std::time::SystemTime;

use super::{Offer, both_modalities, date, features, thousands, tokens};
use crate::money::Usd;
use crate::rates::{Rates, Tariff};
use crate::record::CostOrigin;
use crate::report::format::{UNKNOWN, or_unknown};
use crate::report::grid::{Column, Grid};
use crate::report::rates::per_million;
use crate::report::term::{Output, Text};
use crate::report::{escape, wrap};

/// From this width of the page on, every price has a column of its own.
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
    /// The one that was meant first.
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
            // Only to be shown: no money comes of it. Four decimals are a hundredth of a percent.
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

/// For people: what it is, then a line a gateway.
pub fn one(shown: &Shown, out: &Output) -> Text {
    let mut page = out.style.bold(escape::line(&shown.id)) + "\n";
    let label_width = "longest answer".len();
    for (label, value) in facts(shown).into_iter().filter_map(|(label, value)| Some((label, value?))) {
        let room = out.columns.saturating_sub(label_width + 4).max(20);
        for (n, line) in wrap::wrap(&escape::line(&value), room).iter().enumerate() {
            let label = wrap::pad(if n == 0 { label } else { "" }, label_width);
            page += Text::from("  ") + out.style.dim(label) + "  " + line.as_str() + "\n";
        }
    }
    page + "\n" + prices(shown, out)
}

/// What the first listing says; the others are the same model.
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
    for listing in shown.listings.iter().filter(|listing| listing.offer.model.price_varies) {
        let servers = listing.offer.model.deployments.unwrap_or_default();
        let gateway = &listing.gateway;
        facts.push(("", Some(format!("{gateway}: the price differs between the {servers} deployments of this name"))));
    }
    facts
}

fn prices(shown: &Shown, out: &Output) -> Text {
    let wide = !out.tty || out.columns >= WIDE;
    let mut columns = vec![Column::left("gateway").wraps(8), Column::left("model").wraps(16)];
    if wide {
        columns.push(Column::right("context"));
    }
    columns.extend([Column::right("$/M in"), Column::right("$/M out")]);
    if wide {
        columns.extend(["$/M cache read", "$/M cache write", "$/M thought", "$ a request"].map(Column::right));
    }
    columns.extend([Column::right("against list").wraps(8), Column::left("price from")]);
    let mut grid = Grid::new(columns);
    let tariffs = shown.listings.iter().filter_map(|listing| Some(&listing.offer.quote.as_ref()?.tariff));
    // A column of which nothing is known is left out.
    let any = tariffs.chain(&shown.list_price).fold(Rates::default(), |any, tariff| Rates {
        cache_read: any.cache_read.or(tariff.base.cache_read),
        cache_write: any.cache_write.or(tariff.base.cache_write),
        reasoning: any.reasoning.or(tariff.base.reasoning),
        request: any.request.or(tariff.base.request),
        ..any
    });
    let mut row = |names: [String; 2], context: Option<u64>, rates: &Rates, against: String, origin: String| {
        let mut cells = names.to_vec();
        let price = |rate| or_unknown(per_million(rate), |usd| usd.to_string());
        if wide {
            cells.push(or_unknown(context, tokens));
        }
        cells.extend([price(rates.input), price(rates.output)]);
        if wide {
            for (rate, any) in [
                (per_million(rates.cache_read), any.cache_read),
                (per_million(rates.cache_write), any.cache_write),
                (per_million(rates.reasoning), any.reasoning),
                (rates.request, any.request),
            ] {
                cells.push(any.map_or_else(String::new, |_| or_unknown(rate, |usd| usd.to_string())));
            }
        }
        cells.extend([against, origin]);
        grid.row(cells);
    };
    let mut below = String::new();
    let mut rows = |names: [String; 2], context, tariff: &Tariff, against: String, origin: String| {
        let gateway = names[0].clone();
        let steps = tariff.steps.iter().map(|step| (format!(" above {} in", tokens(step.above)), also(&step.rates)));
        let mut last = String::new();
        for (above, also) in std::iter::once((String::new(), also(&tariff.base))).chain(steps).filter(|_| !wide) {
            if also != last {
                let line = format!("{} {}{above}: {also}", names[0], names[1]);
                let lines = wrap::wrap(&escape::line(&line), out.columns.saturating_sub(3).max(20));
                below.extend(
                    lines.iter().enumerate().map(|(n, line)| format!("{}{line}\n", if n == 0 { " " } else { "   " })),
                );
            }
            last = also;
        }
        row(names, context, &tariff.base, against, origin);
        for step in &tariff.steps {
            let above = format!("above {} in", tokens(step.above));
            row([gateway.clone(), above], context, &step.rates, String::new(), String::new());
        }
    };
    for listing in &shown.listings {
        let against = shown.list_price.as_ref().map_or([None; 2], |list| listing.against(list));
        let unknown = Tariff::default();
        let tariff = listing.offer.quote.as_ref().map_or(&unknown, |quote| &quote.tariff);
        let model = &listing.offer.model;
        let names = [listing.gateway.clone(), model.id.clone()];
        rows(names, model.context, tariff, difference(against), listing.origin());
    }
    if let Some(list) = &shown.list_price {
        let names = ["list price".to_owned(), shown.maker.clone().unwrap_or_default()];
        rows(names, None, list, String::new(), CostOrigin::Table.as_str().to_owned());
    }
    // A pipe is as wide as it needs to be.
    let columns = if out.tty { out.columns } else { usize::from(u16::MAX) };
    grid.render(&Output { columns, ..*out }) + below.as_str()
}

/// The prices that not every model has, in words.
fn also(rates: &Rates) -> String {
    let parts = [
        (per_million(rates.cache_read), "read from cache"),
        (per_million(rates.cache_write), "written to cache"),
        (per_million(rates.reasoning), "thought"),
        (rates.request, "a request"),
    ];
    let words = parts.into_iter().filter_map(|(price, what)| Some(format!("{} {what}", price?)));
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::catalog::ModelInfo;
    use crate::pricing::Quote;
    use crate::rates::Step;

    fn rates(input: &str, output: &str) -> Rates {
        let rate = |text: &str| text.parse::<Usd>().ok().map(Usd::per_million);
        Rates { input: rate(input), output: rate(output), cache_read: rate("0.3"), ..Rates::default() }
    }

    fn listing(gateway: &str, model: ModelInfo, price: Option<(Tariff, CostOrigin)>, markup: Option<u32>) -> Listing {
        let quote = price.map(|(tariff, origin)| Quote { tariff, origin });
        let fetched_at = UNIX_EPOCH + Duration::from_secs(1_795_176_000);
        Listing { gateway: gateway.into(), offer: Offer { model, quote }, markup, fetched_at }
    }

    pub(in crate::report::models) fn shown() -> Shown {
        let list = Tariff { base: rates("3", "15"), steps: vec![Step { above: 200_000, rates: rates("6", "22.5") }] };
        let model = ModelInfo {
            id: "acme/large-4.5".into(),
            name: Some("Acme: Large".into()),
            context: Some(200_000),
            parameters: Some(BTreeSet::from(["seed".into(), "tools".into()])),
            created: Some(1_700_000_000),
            ..ModelInfo::default()
        };
        let dated = ModelInfo { id: "large-4-5-20250929".into(), ..ModelInfo::default() };
        let silent =
            ModelInfo { id: "own\u{1b}[31m".into(), price_varies: true, deployments: Some(2), ..ModelInfo::default() };
        Shown {
            id: "large-4-5".into(),
            maker: Some("acme".into()),
            list_price: Some(list.clone()),
            listings: vec![
                listing("router", model, Some((list.with_markup(55_000), CostOrigin::Table)), Some(55_000)),
                listing("corp", dated, Some((rates("3.3", "15").into(), CostOrigin::Gateway)), None),
                listing("own", silent, None, Some(10_000)),
            ],
        }
    }

    #[test]
    fn a_wide_page_has_every_price_in_a_column() {
        insta::assert_snapshot!(one(&shown(), &Output::terminal(160)), @r"
        large-4-5
          name            Acme: Large
          made by         acme
          context         200,000 tokens
          longest answer  –
          modalities      –
          supports        –
          parameters      seed tools
          created         2023-11-14
                          own: the price differs between the 2 deployments of this name

         gateway     model               context  $/M in  $/M out  $/M cache read        against list  price from
         router      acme/large-4.5         200k   $3.17   $15.83          $0.317              +5.5 %  table +5.5 %
         router      above 200k in          200k   $6.33   $23.74          $0.317
         corp        large-4-5-20250929        –   $3.30   $15.00           $0.30  +10 % in, ±0 % out  gateway
         own         own␛[31m                  –       –        –               –                   –  –
         list price  acme                      –   $3.00   $15.00           $0.30                      table
         list price  above 200k in             –   $6.00   $22.50           $0.30
        ");
    }

    #[test]
    fn a_narrow_page_has_the_rarer_prices_in_words() {
        insta::assert_snapshot!(one(&shown(), &Output::terminal(80)), @r"
        large-4-5
          name            Acme: Large
          made by         acme
          context         200,000 tokens
          longest answer  –
          modalities      –
          supports        –
          parameters      seed tools
          created         2023-11-14
                          own: the price differs between the 2 deployments of this name

         gateway     model               $/M in  $/M out      against list  price from
         router      acme/large-4.5       $3.17   $15.83            +5.5 %  table +5.5 %
         router      above 200k in        $6.33   $23.74
         corp        large-4-5-20250929   $3.30   $15.00    +10 % in, ±0 %  gateway
                                                                       out
         own         own␛[31m                 –        –                 –  –
         list price  acme                 $3.00   $15.00                    table
         list price  above 200k in        $6.00   $22.50
         router acme/large-4.5: $0.317 read from cache
         corp large-4-5-20250929: $0.30 read from cache
         list price acme: $0.30 read from cache
        ");
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for columns in [40, 60, 80, 100, 120, 160] {
            let page = one(&shown(), &Output::terminal(columns));
            let widest = page.shown(false).lines().map(|line| wrap::width(&strip(line))).max();
            assert!(widest.is_some_and(|widest| widest <= columns), "{columns}\n{page}");
        }
    }

    /// Without what colors a line.
    fn strip(line: &str) -> String {
        line.split('\u{1b}')
            .map(|part| part.split_once('m').filter(|_| part.starts_with('[')).map_or(part, |(_, rest)| rest))
            .collect()
    }

    #[test]
    fn a_model_that_nobody_lists_has_its_list_price() {
        let alone = Shown { listings: Vec::new(), ..shown() };
        insta::assert_snapshot!(one(&alone, &Output::plain(80)), @r"
        large-4-5
          made by         acme

         gateway     model          context  $/M in  $/M out  $/M cache read  price from
         list price  acme                 –   $3.00   $15.00           $0.30  table
         list price  above 200k in        –   $6.00   $22.50           $0.30
        ");
    }

    #[test]
    fn differences_are_signed_and_rounded() {
        for (part, text) in
            [(0.0, "±0 %"), (0.055, "+5.5 %"), (-1.0, "−100 %"), (0.0004, "±0 %"), (1.0, "+100 %"), (-0.125, "−12.5 %")]
        {
            assert_eq!(percent(part), text);
        }
        assert_eq!(difference([Some(0.1), Some(0.1)]), "+10 %");
        assert_eq!(difference([None, Some(0.1)]), "– in, +10 % out");
    }
}
