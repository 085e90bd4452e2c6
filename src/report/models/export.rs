//! All about one model, as JSON and as CSV.

use serde::Serialize;

use super::list::{HEADINGS, cells};
use super::{Listing, OfferJson, Shown, moment};
use crate::report::rates::{RATE_HEADINGS, RatesJson, TariffJson};
use crate::report::term::{Output, Text};
use crate::report::{csv, json};

/// The first listing, in the form of the list of models, and then all of them.
#[derive(Serialize)]
struct ShownJson<'a> {
    #[serde(flatten)]
    model: Option<OfferJson<'a>>,
    maker: Option<&'a str>,
    list_price: Option<TariffJson>,
    gateways: Vec<ListingJson<'a>>,
}

#[derive(Serialize)]
struct ListingJson<'a> {
    gateway: &'a str,
    fetched_at: Option<String>,
    /// The part that the config adds to the price, which is included in it.
    markup: Option<f64>,
    against_list: AgainstJson,
    #[serde(flatten)]
    model: OfferJson<'a>,
}

/// Parts of the list price: 0.055 is 5.5 % more.
#[derive(Serialize)]
struct AgainstJson {
    input: Option<f64>,
    output: Option<f64>,
}

/// A JSON object. Prices are in US dollars per million tokens.
pub fn one_json(shown: &Shown, out: &Output) -> Text {
    let listing = |listing: &'_ Listing| {
        let [input, output] = shown.list_price.as_ref().map_or([None; 2], |list| listing.against(list));
        (moment(listing.fetched_at), AgainstJson { input, output })
    };
    let gateways = shown.listings.iter().map(|one| {
        let (fetched_at, against_list) = listing(one);
        let markup = one.markup.map(|markup| f64::from(markup) / 1e6);
        ListingJson { gateway: &one.gateway, fetched_at, markup, against_list, model: (&one.offer).into() }
    });
    let document = ShownJson {
        model: shown.listings.first().map(|listing| (&listing.offer).into()),
        maker: shown.maker.as_deref(),
        list_price: shown.list_price.as_ref().map(Into::into),
        gateways: gateways.collect(),
    };
    json::document(&document, out)
}

/// A row for each gateway: its name, the columns of the list of models, and the other prices.
pub fn one_csv(shown: &Shown) -> Text {
    let more = ["markup", "list_input_usd_per_million", "list_output_usd_per_million", "input_against_list"];
    let headings: Vec<&str> = std::iter::once("gateway")
        .chain(HEADINGS)
        .chain(RATE_HEADINGS[2..].iter().copied())
        .chain(more)
        .chain(["output_against_list", "parameters"])
        .collect();
    let list = shown.list_price.as_ref().map(|list| list.base).unwrap_or_default();
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
    let rows = shown.listings.iter().map(|listing| {
        let mut row = vec![listing.gateway.clone()];
        row.extend(cells(&listing.offer));
        row.extend(RatesJson::from(&listing.rates()).cells().into_iter().skip(2));
        row.push(number(listing.markup.map(|markup| f64::from(markup) / 1e6)));
        row.extend(RatesJson::from(&list).cells().into_iter().take(2));
        row.extend(shown.list_price.as_ref().map_or([None; 2], |list| listing.against(list)).map(number));
        let parameters = listing.offer.model.parameters.iter().flatten().map(String::as_str);
        row.push(parameters.collect::<Vec<_>>().join(" "));
        row
    });
    csv::table(&headings, rows)
}

#[cfg(test)]
mod tests {
    use super::super::show::tests::shown;
    use super::*;

    #[test]
    fn csv_has_one_row_a_gateway() {
        let two = Shown { listings: shown().listings[..2].to_vec(), ..shown() };
        insta::assert_snapshot!(one_csv(&two), @r"
        gateway,id,name,context,max_output,input_modalities,output_modalities,supports,input_usd_per_million,output_usd_per_million,price_origin,created,expires,cache_read_usd_per_million,cache_write_usd_per_million,reasoning_usd_per_million,request_usd,markup,list_input_usd_per_million,list_output_usd_per_million,input_against_list,output_against_list,parameters
        router,acme/large-4.5,Acme: Large,200000,,,,,3.165,15.825,table,2023-11-14T22:13:20Z,,0.3165,,,,0.055,3,15,0.055,0.055,seed tools
        corp,large-4-5-20250929,,,,,,,3.3,15,gateway,,,0.3,,,,,3,15,0.1,0,
        ");
    }
}
