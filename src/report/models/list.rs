//! The models of a gateway as a list: for people, as JSON and as CSV.

use std::time::SystemTime;

use serde::Serialize;

use super::{Offer, OfferJson, both_modalities, date, features, joined, moment, tokens};
use crate::money::Usd;
use crate::report::format::or_unknown;
use crate::report::grid::{Column, Grid};
use crate::report::live_lines::short_names;
use crate::report::rates::per_million;
use crate::report::term::{Output, Text};
use crate::report::{csv, escape, json, wrap};

/// The names of the columns of CSV. New columns are added at the end only, since scripts may read them by position.
pub(super) const HEADINGS: [&str; 12] = [
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

/// The fewest cells to which an id is shortened.
const SHORTEST_ID: usize = 16;

/// A line for each model, which is never broken. Where a terminal is too narrow, the modalities are left out, then where the
/// prices are from, then the middle of ids that are too long. Elsewhere nothing is left out.
pub fn text(offers: &[Offer], out: &Output) -> Text {
    let details = [(true, true), (false, true), (false, false)];
    let plain = Output { style: Output::plain(1).style, ..*out };
    let ids: Vec<_> = offers.iter().map(|offer| escape::line(&offer.model.id)).collect();
    let too_wide = |details: &(bool, bool)| {
        let page = list(offers, &ids, &plain, *details);
        page.shown(false).lines().map(wrap::width).max().unwrap_or(0).saturating_sub(out.columns)
    };
    match details.into_iter().find(|details| !out.tty || too_wide(details) == 0) {
        Some(details) => list(offers, &ids, out, details),
        None => {
            let details = (false, false);
            let longest = ids.iter().map(|id| wrap::width(id)).max().unwrap_or(0);
            let room = longest.saturating_sub(too_wide(&details)).max(SHORTEST_ID);
            list(offers, &short_names(&ids, room), out, details)
        }
    }
}

fn list(offers: &[Offer], ids: &[impl AsRef<str>], out: &Output, (modalities, origins): (bool, bool)) -> Text {
    let mut columns = vec![Column::left("model"), Column::right("context")];
    if modalities {
        columns.push(Column::left("modalities"));
    }
    columns.extend([Column::right("$/M in"), Column::right("$/M out")]);
    if origins {
        columns.push(Column::left("price from"));
    }
    let mut grid = Grid::new(columns);
    for (offer, id) in offers.iter().zip(ids) {
        let rates = offer.rates();
        let mut cells = vec![id.as_ref().to_owned(), or_unknown(offer.model.context, tokens)];
        if modalities {
            cells.push(both_modalities(&offer.model));
        }
        let price = |rate| or_unknown(per_million(rate), |usd| usd.to_string());
        let origin = or_unknown(offer.origin(), |origin| origin.as_str().to_owned());
        cells.extend([price(rates.input), price(rates.output)]);
        if origins {
            cells.push(origin);
        }
        grid.row(cells);
    }
    grid.render(&Output { columns: usize::from(u16::MAX), ..*out })
}

#[derive(Serialize)]
struct ListJson<'a> {
    gateway: &'a str,
    fetched_at: Option<String>,
    models: Vec<OfferJson<'a>>,
}

/// The list as `{"gateway", "fetched_at", "models": […]}`, prices in US dollars per million tokens.
pub fn list_json(gateway: &str, fetched_at: SystemTime, offers: &[Offer], out: &Output) -> Text {
    let models = offers.iter().map(Into::into).collect();
    json::document(&ListJson { gateway, fetched_at: moment(fetched_at), models }, out)
}

/// A row for each model.
pub fn csv(offers: &[Offer]) -> Text {
    csv::table(&HEADINGS, offers.iter().map(cells))
}

/// The row of a model in CSV, by [`HEADINGS`].
pub(super) fn cells(offer: &Offer) -> [String; HEADINGS.len()] {
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
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::catalog::{Feature, ModelInfo};
    use crate::pricing::Quote;
    use crate::rates::Rates;
    use crate::rates::{Step, Tariff};
    use crate::record::CostOrigin;

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
            Offer { model: known, quote: Some(Quote { tariff, origin: CostOrigin::Gateway }), probed: None },
            Offer {
                model: paints,
                quote: Some(Quote { tariff: rates("0.05", "").into(), origin: CostOrigin::Table }),
                probed: None,
            },
            Offer { model: silent, quote: None, probed: None },
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
    fn a_narrow_terminal_gets_no_modalities_and_names_without_their_middle() {
        insta::assert_snapshot!(text(&offers(), &Output::terminal(70)), @r"
         model                        context  $/M in  $/M out  price from
         acme/large-and-long-of-name    1.05M   $3.00   $15.00  gateway
         acme/paints                      33k   $0.05        –  table
         own␛[31m                           –       –        –  –
        ");
        assert!(text(&offers(), &Output::terminal(90)).to_string().contains("modalities"));
        let narrow = text(&offers(), &Output::terminal(60)).to_string();
        assert!(narrow.contains("$/M out") && !narrow.contains("price from"), "{narrow}");
        insta::assert_snapshot!(text(&offers(), &Output::terminal(48)), @r"
         model                  context  $/M in  $/M out
         acme/large…ng-of-name    1.05M   $3.00   $15.00
         acme/paints                33k   $0.05        –
         own␛[31m                     –       –        –
        ");
        let mut long = offers();
        for (offer, id) in long.iter_mut().zip(["a", "b"]) {
            offer.model.id = format!("vendor/{}{id}", "x".repeat(150));
        }
        for columns in [80, 60, 50] {
            let page = text(&long, &Output::terminal(columns)).to_string();
            assert!(page.lines().all(|line| wrap::width(line) <= columns), "{page}");
            assert!(
                page.contains(" vendor/xx") && page.contains("…") && page.contains("xxa ") && page.contains("xxb ")
            );
        }
        assert!(text(&long, &Output::plain(80)).to_string().contains(&long[0].model.id), "a pipe gets whole names");
    }

    #[test]
    fn json_has_exact_prices_per_million() {
        let at = UNIX_EPOCH + std::time::Duration::from_secs(1_795_176_000);
        insta::assert_snapshot!(list_json("corp", at, &offers()[..2], &Output::plain(80)), @r#"{"gateway":"corp","fetched_at":"2026-11-20T12:00:00Z","models":[{"id":"acme/large-and-long-of-name","name":"Acme: Large","context":1048576,"max_output":65536,"input_modalities":["file","image","text"],"output_modalities":["text"],"supports":["tools","json"],"price":{"origin":"gateway","input":3,"output":15,"cache_read":0.3,"cache_write":null,"request":null,"reasoning":null,"steps":[{"above_input_tokens":200000,"input":6,"output":22.5,"cache_read":null,"cache_write":null,"request":null,"reasoning":null}]},"price_varies":false,"deployments":null,"created":"2023-11-14T22:13:20Z","expires":"2027-01-31","parameters":null,"probed":null},{"id":"acme/paints","name":null,"context":32768,"max_output":null,"input_modalities":["text"],"output_modalities":["image"],"supports":null,"price":{"origin":"table","input":0.05,"output":null,"cache_read":null,"cache_write":null,"request":null,"reasoning":null,"steps":[]},"price_varies":false,"deployments":null,"created":null,"expires":null,"parameters":null,"probed":null}]}"#);
    }

    #[test]
    fn csv_has_one_row_a_model() {
        insta::assert_snapshot!(csv(&offers()[..2]), @r"
        id,name,context,max_output,input_modalities,output_modalities,supports,input_usd_per_million,output_usd_per_million,price_origin,created,expires
        acme/large-and-long-of-name,Acme: Large,1048576,65536,text+file+image,text,tools json,3,15,gateway,2023-11-14T22:13:20Z,2027-01-31
        acme/paints,,32768,,text,image,,0.05,,table,,
        ");
    }
}
