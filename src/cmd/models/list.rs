//! `llm models`: lists the gateway's models, with prices, filtered by flags.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::Lists;
use crate::catalog::{Catalogue, Feature};
use crate::cli::{ListFormat, ModelSort, ModelsListArgs};
use crate::cmd::Context;
use crate::config::{Gateway, nearest};
use crate::error::Error;
use crate::money::Usd;
use crate::pricing::Pricing;
use crate::report::format;
use crate::report::models::{self, Offer};
use crate::report::rates::per_million;
use crate::report::term;
use crate::run::Notices;

pub(super) fn run(context: &Context, args: &ModelsListArgs) -> Result<u8, Error> {
    let query = Query::new(args)?;
    let name = context.resolver(args.to.gateway.as_deref()).default_gateway()?;
    let (gateway, demo) = context.preparation().gateway(&name)?;
    let lists = Lists::new(context, args.refresh, demo.is_some());
    let catalogue = lists.of(&gateway, args.to.key.as_deref())?;
    for note in &catalogue.notes {
        context.notice(note);
    }
    let ids: Vec<String> = catalogue.models.iter().map(|model| model.id.clone()).collect();
    let (total, age) = (catalogue.models.len(), lists.age(&catalogue));
    let fetched_at = catalogue.fetched_at;
    let (offers, notes) = query.select(priced(context, &gateway, catalogue));
    for note in notes {
        context.notice(&note);
    }
    context.notice(&format!(
        "{}: {} of {}, {age}",
        gateway.name,
        offers.len(),
        format::count(total as u64, "model", "models")
    ));
    let out = &context.terminal.stdout;
    term::print(match args.output.format {
        ListFormat::Text => models::text(&offers, out),
        ListFormat::Json => models::list_json(&gateway.name, fetched_at, &offers, out),
        ListFormat::Csv => models::csv(&offers),
    })?;
    if offers.is_empty() && total > 0 {
        context.notice(&none_fits(&args.text, &ids));
        return Ok(1);
    }
    Ok(0)
}

/// What a user can do where no model fits.
fn none_fits(text: &[String], ids: &[String]) -> String {
    let near = match text {
        [word] => nearest(word, ids.iter().flat_map(|id| [id.as_str(), id.rsplit('/').next().unwrap_or(id)])),
        _ => None,
    };
    match near {
        Some(near) => format!("no model fits; did you mean `{near}`?"),
        None => "no model fits; `llm models` without flags lists all, --refresh asks the gateway again".to_owned(),
    }
}

/// Every model with its price, from the source that comes first (see [`Pricing`]).
fn priced(context: &Context, gateway: &Gateway, catalogue: Catalogue) -> Vec<Offer> {
    let settings = &context.settings;
    let pricing =
        Pricing::new(&settings.prices, settings.dirs.cache.clone()).with_list(&gateway.name, catalogue.prices());
    if let Some(thread) = pricing.prepare(catalogue.models.iter().map(|model| (gateway, model.id.as_str()))) {
        // The result does not matter: a price that the thread did not find is looked up when it is needed.
        let _ = thread.join();
    }
    let models = catalogue.models.into_iter();
    models.map(|model| Offer { quote: pricing.quote(gateway, &model.id), model }).collect()
}

/// The filters and the order that the flags set.
#[derive(Debug, Default)]
struct Query {
    /// Texts that must all be in the id or the name; in lower case.
    words: Vec<String>,
    supports: BTreeSet<Feature>,
    /// The highest price of input and of output, per million tokens.
    max_price: Option<Usd>,
    /// The smallest context, in tokens.
    min_context: Option<u64>,
    sort: Option<ModelSort>,
}

impl Query {
    fn new(args: &ModelsListArgs) -> Result<Self, Error> {
        if args.text.first().is_some_and(|word| word == "show") {
            return Err(Error::usage_hint("flags of `show` stand after it", "`llm models show ID -g GATEWAY`"));
        }
        Ok(Self {
            words: args.text.iter().map(|word| word.to_lowercase()).collect(),
            supports: args.supports.iter().map(|word| feature(word)).collect::<Result<_, _>>()?,
            max_price: args.max_price.as_deref().map(price).transpose()?,
            min_context: args.min_context.as_deref().map(tokens).transpose()?,
            sort: Some(args.sort),
        })
    }

    /// The models that pass the filters, in order, and notices about models that were left out because a figure is unknown.
    fn select(&self, mut offers: Vec<Offer>) -> (Vec<Offer>, Vec<String>) {
        offers.retain(|offer| self.has_words(offer));
        let mut notes = Vec::new();
        let mut keep = |reason: &str, test: &dyn Fn(&Offer) -> Option<bool>| {
            let unknown = offers.iter().filter(|offer| test(offer).is_none()).count();
            offers.retain(|offer| test(offer) == Some(true));
            if unknown > 0 {
                notes.push(format!("{unknown} left out: {reason}"));
            }
        };
        if !self.supports.is_empty() {
            keep("the gateway does not say what they support", &|offer| {
                let can: Vec<Option<bool>> = self.supports.iter().map(|feature| offer.model.can(*feature)).collect();
                // A model without one of the features is left out, even if others are unknown.
                if can.contains(&Some(false)) {
                    Some(false)
                } else {
                    can.into_iter().all(|can| can.is_some()).then_some(true)
                }
            });
        }
        if let Some(min) = self.min_context {
            keep("the gateway does not say how large their context is", &|offer| Some(offer.model.context? >= min));
        }
        if let Some(max) = self.max_price {
            keep("their price is unknown", &|offer| {
                let rates = offer.rates();
                Some(per_million(rates.input)? <= max && per_million(rates.output)? <= max)
            });
        }
        let by_name = |offer: &Offer| offer.model.id.to_lowercase();
        match self.sort {
            Some(ModelSort::Price) => offers.sort_by_key(|offer| {
                let rates = offer.rates();
                let both = rates.input.zip(rates.output).map(|(input, output)| input + output);
                (both.is_none(), both, by_name(offer))
            }),
            Some(ModelSort::Context) => offers.sort_by_key(|offer| (Reverse(offer.model.context), by_name(offer))),
            Some(ModelSort::Name) | None => offers.sort_by_key(by_name),
        }
        (offers, notes)
    }

    fn has_words(&self, offer: &Offer) -> bool {
        let id = offer.model.id.to_lowercase();
        let name = offer.model.name.as_deref().unwrap_or_default().to_lowercase();
        self.words.iter().all(|word| id.contains(word) || name.contains(word))
    }
}

fn feature(word: &str) -> Result<Feature, Error> {
    let word = word.trim().to_lowercase();
    Feature::named(&word).ok_or_else(|| {
        let known = Feature::ALL.map(Feature::as_str);
        let hint = match nearest(&word, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", known.join(", ")),
        };
        Error::usage_hint(format!("--supports: no feature is called {word}"), hint)
    })
}

fn price(text: &str) -> Result<Usd, Error> {
    let price = text.trim().trim_start_matches('$').parse().ok().filter(|price| *price >= Usd::ZERO);
    price.ok_or_else(|| {
        Error::usage_hint(
            format!("--max-price: {text} is not a price"),
            "US dollars per million tokens: --max-price 2.50",
        )
    })
}

/// Parses a number of tokens: `200000`, `200k` or `1m`.
fn tokens(text: &str) -> Result<u64, Error> {
    let lower = text.trim().to_lowercase();
    let (digits, unit) = match lower.strip_suffix(['k', 'm']) {
        Some(digits) if lower.ends_with('k') => (digits, 1_000),
        Some(digits) => (digits, 1_000_000),
        None => (lower.as_str(), 1),
    };
    let count = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
    count.ok_or_else(|| {
        Error::usage_hint(format!("--min-context: {text} is not a number of tokens"), "--min-context 200k, or 200000")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelInfo;
    use crate::pricing::Quote;
    use crate::rates::Rates;
    use crate::record::CostOrigin;

    fn offer(id: &str, context: Option<u64>, price: Option<(&str, &str)>, supports: Option<&[Feature]>) -> Offer {
        let rate = |text: &str| text.parse::<Usd>().ok().map(Usd::per_million);
        let rates = price.map(|(input, output)| Rates { input: rate(input), output: rate(output), ..Rates::default() });
        Offer {
            model: ModelInfo {
                id: id.into(),
                name: Some(format!("The {id}")),
                context,
                supports: supports.map(|features| features.iter().copied().collect()),
                ..ModelInfo::default()
            },
            quote: rates.map(|rates| Quote { tariff: rates.into(), origin: CostOrigin::Gateway }),
        }
    }

    fn offers() -> Vec<Offer> {
        vec![
            offer("b/large", Some(1_000_000), Some(("3", "15")), Some(&[Feature::Tools, Feature::Vision])),
            offer("a/Small", Some(128_000), Some(("0.15", "0.6")), Some(&[Feature::Tools])),
            offer("c/silent", None, None, None),
            offer("d/free", Some(8_000), Some(("0", "0")), Some(&[])),
        ]
    }

    fn selected(query: &Query) -> (Vec<String>, Vec<String>) {
        let (offers, notes) = query.select(offers());
        (offers.into_iter().map(|offer| offer.model.id).collect(), notes)
    }

    fn ids(query: &Query) -> Vec<String> {
        selected(query).0
    }

    #[test]
    fn models_are_found_by_any_part_of_their_names() {
        let words =
            |words: &[&str]| Query { words: words.iter().map(|word| (*word).into()).collect(), ..Query::default() };
        assert_eq!(ids(&words(&["small"])), ["a/Small"]);
        assert_eq!(ids(&words(&["the", "l"])), ["a/Small", "b/large", "c/silent"]);
        assert_eq!(ids(&words(&["small", "large"])), Vec::<String>::new());
    }

    #[test]
    fn models_with_unknown_figures_are_left_out_with_a_notice() {
        let tools = Query { supports: BTreeSet::from([Feature::Tools]), ..Query::default() };
        assert_eq!(
            selected(&tools),
            (
                vec!["a/Small".into(), "b/large".into()],
                vec!["1 left out: the gateway does not say what they support".into()],
            )
        );
        let both = Query { supports: BTreeSet::from([Feature::Tools, Feature::Vision]), ..Query::default() };
        assert_eq!(ids(&both), ["b/large"]);
        let large = Query { min_context: Some(128_000), ..Query::default() };
        assert_eq!(ids(&large), ["a/Small", "b/large"]);
        let cheap = Query { max_price: "0.6".parse().ok(), ..Query::default() };
        assert_eq!(
            selected(&cheap),
            (vec!["a/Small".into(), "d/free".into()], vec!["1 left out: their price is unknown".into()])
        );
        let cheaper = Query { max_price: "0.5".parse().ok(), ..Query::default() };
        assert_eq!(ids(&cheaper), ["d/free"], "output counts, too");
    }

    #[test]
    fn what_is_unknown_comes_last() {
        let sorted = |sort| ids(&Query { sort: Some(sort), ..Query::default() });
        assert_eq!(sorted(ModelSort::Name), ["a/Small", "b/large", "c/silent", "d/free"]);
        assert_eq!(sorted(ModelSort::Price), ["d/free", "a/Small", "b/large", "c/silent"]);
        assert_eq!(sorted(ModelSort::Context), ["b/large", "a/Small", "d/free", "c/silent"]);
    }

    #[test]
    fn flags_are_checked() {
        assert_eq!(tokens("128k").ok(), Some(128_000));
        assert_eq!(tokens("1M").ok(), Some(1_000_000));
        assert_eq!(tokens(" 8192 ").ok(), Some(8_192));
        for bad in ["", "k", "1.5k", "-1", "128 000", "99999999999999999999"] {
            assert!(tokens(bad).is_err(), "{bad}");
        }
        assert_eq!(price("$2.50").ok().map(Usd::to_decimal).as_deref(), Some("2.5"));
        assert!(price("-1").is_err() && price("cheap").is_err());
        assert_eq!(feature(" Tools").ok(), Some(Feature::Tools));
        assert_eq!(feature("tool").expect_err("unknown").hint().as_deref(), Some("did you mean tools?"));
    }
}
