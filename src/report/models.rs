//! A gateway's models: as a list, as all about one, as JSON and as CSV.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::format::{UNKNOWN, or_unknown};
use super::grid::{Column, Grid};
use super::term::Output;
use super::{csv, escape, json, wrap};
use crate::catalog::{Feature, ModelInfo};
use crate::money::Usd;
use crate::pricing::Quote;
use crate::rates::Rates;
use crate::record::CostOrigin;

/// The names of the columns of CSV; new ones are only ever added at the end.
const HEADINGS: [&str; 12] = [
    "id",
    "name",
    "context",
    "max_output",
    "input_modalities",
    "output_modalities",
    "supports",
    "input_usd_per_million",
    "output_usd_per_million",
    "price_origin",
    "created",
    "expires",
];

/// A model and what it costs here.
#[derive(Debug, Clone)]
pub struct Offer {
    pub model: ModelInfo,
    pub quote: Option<Quote>,
}

impl Offer {
    /// The rates of a short prompt; unknown ones where there is no price.
    pub fn rates(&self) -> Rates {
        self.quote.as_ref().map(|quote| quote.tariff.base).unwrap_or_default()
    }

    fn origin(&self) -> Option<CostOrigin> {
        self.quote.as_ref().map(|quote| quote.origin)
    }
}

/// US dollars per million tokens.
pub fn per_million(rate: Option<Usd>) -> Option<Usd> {
    rate?.times(1_000_000)
}

/// One line a model. Modalities are left out where the page is too narrow for them; nothing else ever is, and no line is
/// broken.
pub fn text(offers: &[Offer], out: &Output) -> String {
    let whole = list(offers, out, true);
    let fits = |page: &str| page.lines().next().is_none_or(|line| wrap::width(line) <= out.columns);
    if !out.tty || fits(&list(offers, &Output { style: Output::plain(1).style, ..*out }, true)) {
        return whole;
    }
    list(offers, out, false)
}

fn list(offers: &[Offer], out: &Output, modalities: bool) -> String {
    let mut columns = vec![Column::left("model"), Column::right("context")];
    if modalities {
        columns.push(Column::left("modalities"));
    }
    columns.extend([Column::right("$/M in"), Column::right("$/M out"), Column::left("price from")]);
    let mut grid = Grid::new(columns);
    for offer in offers {
        let rates = offer.rates();
        let mut cells = vec![offer.model.id.clone(), or_unknown(offer.model.context, tokens)];
        if modalities {
            cells.push(both_modalities(&offer.model));
        }
        let price = |rate| or_unknown(per_million(rate), |usd| usd.to_string());
        let origin = or_unknown(offer.origin(), |origin| origin.as_str().to_owned());
        cells.extend([price(rates.input), price(rates.output), origin]);
        grid.row(cells);
    }
    grid.render(&Output { columns: usize::from(u16::MAX), ..*out })
}

/// `200k`, `1.05M`: short enough for a column. The exact number is in every other form of the list.
fn tokens(count: u64) -> String {
    let scaled = |unit: u64, letter: char| {
        let hundredths = (count + unit / 200) / (unit / 100);
        let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        format!("{}{letter}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match count {
        0..1_000 => count.to_string(),
        1_000..10_000 => scaled(1_000, 'k'),
        10_000..999_500 => format!("{}k", (count + 500) / 1000),
        _ => scaled(1_000_000, 'M'),
    }
}

/// `text+image`, and `→ image` where what comes out is not just text.
fn both_modalities(model: &ModelInfo) -> String {
    let (input, output) = (joined(&model.input_modalities), joined(&model.output_modalities));
    match (input.as_str(), output.as_str()) {
        ("", "") => UNKNOWN.into(),
        (_, "" | "text") => input,
        _ => format!("{input} → {output}").trim_start().to_owned(),
    }
}

/// Text first: it is what most have, and the others say what is special.
fn joined(modalities: &BTreeSet<String>) -> String {
    let (text, others): (Vec<&str>, Vec<&str>) =
        modalities.iter().map(String::as_str).partition(|word| *word == "text");
    [text, others].concat().join("+")
}

fn features(model: &ModelInfo) -> Option<String> {
    Some(model.supports.as_ref()?.iter().map(|feature| feature.as_str()).collect::<Vec<_>>().join(" "))
}

/// All about one model.
pub fn one(offer: &Offer, out: &Output) -> String {
    let model = &offer.model;
    let grouped = |count: Option<u64>| or_unknown(count, |count| format!("{} tokens", thousands(count)));
    let mut lines = vec![
        ("name", model.name.clone()),
        ("context", Some(grouped(model.context))),
        ("longest answer", Some(grouped(model.max_output))),
        ("modalities", Some(both_modalities(model))),
        (
            "supports",
            Some(or_unknown(features(model), |words| if words.is_empty() { "nothing special".into() } else { words })),
        ),
        (
            "price",
            Some(or_unknown(offer.quote.as_ref(), |quote| {
                format!("{}; from {}", price(&quote.tariff.base), quote.origin.as_str())
            })),
        ),
    ];
    for step in offer.quote.iter().flat_map(|quote| &quote.tariff.steps) {
        lines.push(("", Some(format!("above {} tokens of prompt: {}", thousands(step.above), price(&step.rates)))));
    }
    if model.price_varies {
        let servers = model.deployments.unwrap_or_default();
        lines.push((
            "",
            Some(format!("the gateway's own price differs between the {servers} deployments of this name")),
        ));
    }
    lines.push(("created", model.created.and_then(date).map(|date| date[..10].to_owned())));
    lines.push(("expires", model.expires.clone()));
    let mut page = format!("{}\n", out.style.bold(escape::line(&model.id)));
    for (label, value) in lines.into_iter().filter_map(|(label, value)| Some((label, value?))) {
        page.push_str(&format!(
            "  {}  {}\n",
            out.style.dim(wrap::pad(label, "longest answer".len())),
            escape::line(&value)
        ));
    }
    page
}

/// `$3.00 in, $15.00 out, $0.30 cached, … per million tokens`.
fn price(rates: &Rates) -> String {
    let part = |rate, what: &str| per_million(rate).map(|usd| format!("{usd} {what}"));
    let parts: Vec<String> = [
        Some(part(rates.input, "in").unwrap_or_else(|| format!("{UNKNOWN} in"))),
        Some(part(rates.output, "out").unwrap_or_else(|| format!("{UNKNOWN} out"))),
        part(rates.cache_read, "read from cache"),
        part(rates.cache_write, "written to cache"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let request = rates.request.map_or(String::new(), |usd| format!(", and {usd} per request"));
    format!("{} per million tokens{request}", parts.join(", "))
}

fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// RFC 3339 in UTC.
fn date(seconds: u64) -> Option<String> {
    Some(jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?.to_string())
}

#[derive(Serialize)]
struct ListJson<'a> {
    gateway: &'a str,
    fetched_at: Option<String>,
    models: Vec<OfferJson<'a>>,
}

#[derive(Serialize)]
struct OfferJson<'a> {
    id: &'a str,
    name: Option<&'a str>,
    context: Option<u64>,
    max_output: Option<u64>,
    input_modalities: &'a BTreeSet<String>,
    output_modalities: &'a BTreeSet<String>,
    supports: Option<&'a BTreeSet<Feature>>,
    price: Option<PriceJson>,
    price_varies: bool,
    deployments: Option<u32>,
    created: Option<String>,
    expires: Option<&'a str>,
}

#[derive(Serialize)]
struct PriceJson {
    origin: CostOrigin,
    #[serde(flatten)]
    rates: RatesJson,
    steps: Vec<StepJson>,
}

/// US dollars per million tokens, and per request.
#[derive(Serialize)]
struct RatesJson {
    input: Option<Usd>,
    output: Option<Usd>,
    cache_read: Option<Usd>,
    cache_write: Option<Usd>,
    request: Option<Usd>,
}

#[derive(Serialize)]
struct StepJson {
    above_input_tokens: u64,
    #[serde(flatten)]
    rates: RatesJson,
}

impl From<&Rates> for RatesJson {
    fn from(rates: &Rates) -> Self {
        Self {
            input: per_million(rates.input),
            output: per_million(rates.output),
            cache_read: per_million(rates.cache_read),
            cache_write: per_million(rates.cache_write),
            request: rates.request,
        }
    }
}

impl<'a> From<&'a Offer> for OfferJson<'a> {
    fn from(Offer { model, quote }: &'a Offer) -> Self {
        let price = quote.as_ref().map(|quote| PriceJson {
            origin: quote.origin,
            rates: (&quote.tariff.base).into(),
            steps: quote
                .tariff
                .steps
                .iter()
                .map(|step| StepJson { above_input_tokens: step.above, rates: (&step.rates).into() })
                .collect(),
        });
        Self {
            id: &model.id,
            name: model.name.as_deref(),
            context: model.context,
            max_output: model.max_output,
            input_modalities: &model.input_modalities,
            output_modalities: &model.output_modalities,
            supports: model.supports.as_ref(),
            price,
            price_varies: model.price_varies,
            deployments: model.deployments,
            created: model.created.and_then(date),
            expires: model.expires.as_deref(),
        }
    }
}

/// The list as `{"gateway", "fetched_at", "models": […]}`, prices in US dollars per million tokens.
pub fn list_json(gateway: &str, fetched_at: SystemTime, offers: &[Offer], out: &Output) -> String {
    let fetched_at = fetched_at.duration_since(UNIX_EPOCH).ok().and_then(|since| date(since.as_secs()));
    json::document(&ListJson { gateway, fetched_at, models: offers.iter().map(Into::into).collect() }, out)
}

/// One model as in the list.
pub fn one_json(offer: &Offer, out: &Output) -> String {
    json::document(&OfferJson::from(offer), out)
}

/// One row a model.
pub fn csv(offers: &[Offer]) -> String {
    let rows = offers.iter().map(|offer| {
        let (model, rates) = (&offer.model, offer.rates());
        let count = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
        let price = |rate| per_million(rate).map_or_else(String::new, Usd::to_decimal);
        [
            model.id.clone(),
            model.name.clone().unwrap_or_default(),
            count(model.context),
            count(model.max_output),
            joined(&model.input_modalities),
            joined(&model.output_modalities),
            features(model).unwrap_or_default(),
            price(rates.input),
            price(rates.output),
            offer.origin().map_or_else(String::new, |origin| origin.as_str().to_owned()),
            model.created.and_then(date).unwrap_or_default(),
            model.expires.clone().unwrap_or_default(),
        ]
    });
    csv::table(&HEADINGS, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::{Step, Tariff};

    fn words(text: &str) -> BTreeSet<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn rates(input: &str, output: &str) -> Rates {
        let rate = |text: &str| text.parse::<Usd>().ok().map(Usd::per_million);
        Rates { input: rate(input), output: rate(output), ..Rates::default() }
    }

    fn offers() -> Vec<Offer> {
        let known = ModelInfo {
            id: "acme/large-and-long-of-name".into(),
            name: Some("Acme: Large".into()),
            context: Some(1_048_576),
            max_output: Some(65_536),
            input_modalities: words("image text file"),
            output_modalities: words("text"),
            supports: Some(BTreeSet::from([Feature::Tools, Feature::Json])),
            created: Some(1_700_000_000),
            expires: Some("2027-01-31".into()),
            ..ModelInfo::default()
        };
        let tariff = Tariff {
            base: Rates { cache_read: rates("0.3", "").input, ..rates("3", "15") },
            steps: vec![Step { above: 200_000, rates: rates("6", "22.5") }],
        };
        let paints = ModelInfo {
            id: "acme/paints".into(),
            context: Some(32_768),
            input_modalities: words("text"),
            output_modalities: words("image"),
            ..ModelInfo::default()
        };
        let silent =
            ModelInfo { id: "own\u{1b}[31m".into(), price_varies: true, deployments: Some(2), ..ModelInfo::default() };
        vec![
            Offer { model: known, quote: Some(Quote { tariff, origin: CostOrigin::Gateway }) },
            Offer { model: paints, quote: Some(Quote { tariff: rates("0.05", "").into(), origin: CostOrigin::Table }) },
            Offer { model: silent, quote: None },
        ]
    }

    #[test]
    fn a_list_has_one_line_a_model() {
        insta::assert_snapshot!(text(&offers(), &Output::plain(20)), @r"
         model                        context  modalities       $/M in  $/M out  price from
         acme/large-and-long-of-name    1.05M  text+file+image   $3.00   $15.00  gateway
         acme/paints                      33k  text → image      $0.05        –  table
         own␛[31m                           –  –                     –        –  –
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_no_modalities_and_whole_names() {
        insta::assert_snapshot!(text(&offers(), &Output::terminal(70)), @r"
         model                        context  $/M in  $/M out  price from
         acme/large-and-long-of-name    1.05M   $3.00   $15.00  gateway
         acme/paints                      33k   $0.05        –  table
         own␛[31m                           –       –        –  –
        ");
        assert!(text(&offers(), &Output::terminal(90)).contains("modalities"));
        assert!(text(&offers(), &Output::terminal(20)).contains("acme/large-and-long-of-name "));
    }

    #[test]
    fn all_about_one() {
        insta::assert_snapshot!(one(&offers()[0], &Output::plain(80)), @r"
        acme/large-and-long-of-name
          name            Acme: Large
          context         1,048,576 tokens
          longest answer  65,536 tokens
          modalities      text+file+image
          supports        tools json
          price           $3.00 in, $15.00 out, $0.30 read from cache per million tokens; from gateway
                          above 200,000 tokens of prompt: $6.00 in, $22.50 out per million tokens
          created         2023-11-14
          expires         2027-01-31
        ");
        insta::assert_snapshot!(one(&offers()[2], &Output::terminal(80)), @r"
        own␛[31m
          context         –
          longest answer  –
          modalities      –
          supports        –
          price           –
                          the gateway's own price differs between the 2 deployments of this name
        ");
    }

    #[test]
    fn json_has_exact_prices_per_million() {
        let at = UNIX_EPOCH + std::time::Duration::from_secs(1_795_176_000);
        insta::assert_snapshot!(list_json("corp", at, &offers()[..2], &Output::plain(80)), @r#"{"gateway":"corp","fetched_at":"2026-11-20T12:00:00Z","models":[{"id":"acme/large-and-long-of-name","name":"Acme: Large","context":1048576,"max_output":65536,"input_modalities":["file","image","text"],"output_modalities":["text"],"supports":["tools","json"],"price":{"origin":"gateway","input":3,"output":15,"cache_read":0.3,"cache_write":null,"request":null,"steps":[{"above_input_tokens":200000,"input":6,"output":22.5,"cache_read":null,"cache_write":null,"request":null}]},"price_varies":false,"deployments":null,"created":"2023-11-14T22:13:20Z","expires":"2027-01-31"},{"id":"acme/paints","name":null,"context":32768,"max_output":null,"input_modalities":["text"],"output_modalities":["image"],"supports":null,"price":{"origin":"table","input":0.05,"output":null,"cache_read":null,"cache_write":null,"request":null,"steps":[]},"price_varies":false,"deployments":null,"created":null,"expires":null}]}"#);
    }

    #[test]
    fn csv_has_one_row_a_model() {
        insta::assert_snapshot!(csv(&offers()[..2]), @r"
        id,name,context,max_output,input_modalities,output_modalities,supports,input_usd_per_million,output_usd_per_million,price_origin,created,expires
        acme/large-and-long-of-name,Acme: Large,1048576,65536,text+file+image,text,tools json,3,15,gateway,2023-11-14T22:13:20Z,2027-01-31
        acme/paints,,32768,,text,image,,0.05,,table,,
        ");
    }

    #[test]
    fn token_counts_are_short() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (2048, "2.05k"),
            (8192, "8.19k"),
            (32_768, "33k"),
            (128_000, "128k"),
            (999_499, "999k"),
            (999_500, "1M"),
            (1_048_576, "1.05M"),
            (10_000_000, "10M"),
        ] {
            assert_eq!(tokens(count), text, "{count}");
        }
    }
}
