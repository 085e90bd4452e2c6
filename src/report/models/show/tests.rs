//! One model at several gateways, at the widths that pages have.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::catalog::ModelInfo;
use crate::pricing::Quote;
use crate::rates::Step;
use crate::report::wrap;

fn rates(input: &str, output: &str) -> Rates {
    let rate = |text: &str| text.parse::<Usd>().ok().map(Usd::per_million);
    Rates { input: rate(input), output: rate(output), cache_read: rate("0.3"), ..Rates::default() }
}

fn listing(gateway: &str, model: ModelInfo, price: Option<(Tariff, CostOrigin)>, markup: Option<u32>) -> Listing {
    let quote = price.map(|(tariff, origin)| Quote { tariff, origin });
    let fetched_at = UNIX_EPOCH + Duration::from_secs(1_795_176_000);
    Listing { gateway: gateway.into(), offer: Offer { model, quote, probed: None }, markup, fetched_at }
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
