//! `llm models`: lists the gateway's models, with prices, filtered by flags.

use std::cmp::Reverse;

use super::Lists;
use crate::catalog::{Catalogue, Feature as Listed, ModelInfo};
use crate::cli::{ListFormat, ModelSort, ModelsListArgs};
use crate::cmd::Context;
use crate::config::{Gateway, nearest};
use crate::error::Error;
use crate::money::Usd;
use crate::pricing::Pricing;
use crate::probe::Feature;
use crate::report::format;
use crate::report::models::{self, Offer};
use crate::report::rates::per_million;
use crate::report::term;
use crate::run::{Notices, findings, tell_all_refused};

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
    let probed = findings(settings, &gateway.name);
    if let Some(found) = &probed {
        tell_all_refused(found, &gateway.name, context);
    }
    let offer = |model: ModelInfo| Offer {
        quote: pricing.quote(gateway, &model.id),
        probed: probed.as_ref().and_then(|found| found.of(&model.id)),
        model,
    };
    catalogue.models.into_iter().map(offer).collect()
}

/// The filters and the order that the flags set.
#[derive(Debug, Default)]
struct Query {
    /// Texts that must all be in the id or the name; in lower case.
    words: Vec<String>,
    supports: Vec<Wanted>,
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
            keep("the gateway does not say what they support; `llm probe` finds it out", &|offer| {
                let can: Vec<Option<bool>> = self.supports.iter().map(|wanted| wanted.is_in(offer)).collect();
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

/// A feature that models have to have: as the gateway lists it, as a probe finds it, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    listed: Option<Listed>,
    probed: Option<Feature>,
}

impl Wanted {
    /// Whether the model has it; `None` where neither a probe nor the gateway's list says. What a probe found counts more.
    fn is_in(self, offer: &Offer) -> Option<bool> {
        let found = offer.probed.as_ref().zip(self.probed).and_then(|(kept, feature)| kept.has(feature));
        found.or_else(|| offer.model.can(self.listed?))
    }
}

impl From<Listed> for Wanted {
    fn from(listed: Listed) -> Self {
        let probed = match listed {
            Listed::Tools => Some(Feature::Tools),
            Listed::Vision => Some(Feature::Image),
            Listed::Json => Some(Feature::JsonSchema),
            Listed::Reasoning => Some(Feature::Reasoning),
            Listed::Audio => None,
        };
        Self { listed: Some(listed), probed }
    }
}

fn feature(word: &str) -> Result<Wanted, Error> {
    let word = word.trim().to_lowercase();
    if let Some(listed) = Listed::named(&word) {
        return Ok(listed.into());
    }
    if let Some(probed) = Feature::named(&word) {
        let listed = Listed::ALL.into_iter().find(|listed| Wanted::from(*listed).probed == Some(probed));
        return Ok(Wanted { listed, probed: Some(probed) });
    }
    let known: Vec<&str> =
        Listed::ALL.into_iter().map(Listed::as_str).chain(Feature::ALL.into_iter().map(Feature::as_str)).collect();
    let hint = match nearest(&word, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known are {}", known.join(", ")),
    };
    Err(Error::usage_hint(format!("--supports: no feature is called {word}"), hint))
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
    use crate::pricing::Quote;
    use crate::probe::kept::Kept;
    use crate::rates::Rates;
    use crate::record::CostOrigin;

    fn offer(id: &str, context: Option<u64>, price: Option<(&str, &str)>, supports: Option<&[Listed]>) -> Offer {
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
            probed: None,
        }
    }

    fn offers() -> Vec<Offer> {
        vec![
            offer("b/large", Some(1_000_000), Some(("3", "15")), Some(&[Listed::Tools, Listed::Vision])),
            offer("a/Small", Some(128_000), Some(("0.15", "0.6")), Some(&[Listed::Tools])),
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
        let tools = Query { supports: vec![Listed::Tools.into()], ..Query::default() };
        assert_eq!(
            selected(&tools),
            (
                vec!["a/Small".into(), "b/large".into()],
                vec!["1 left out: the gateway does not say what they support; `llm probe` finds it out".into()],
            )
        );
        let both = Query { supports: vec![Listed::Tools.into(), Listed::Vision.into()], ..Query::default() };
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
    fn what_a_probe_found_counts_more_than_the_list() {
        let probed = |features: &str| -> Option<Kept> {
            let kept = format!(r#"{{"layout":1,"base_url":"u","model":"m","context":null,"findings":{{{features}}}}}"#);
            serde_json::from_str(&kept).ok()
        };
        let found =
            |value: &str| format!(r#"{{"value":"{value}","sent":"","received":"","at":"2026-11-20T00:00:00Z"}}"#);
        let mut offers = offers();
        offers[0].probed = probed(&format!(r#""tools":{},"stop":{}"#, found("no"), found("yes")));
        offers[1].probed = probed(&format!(r#""tools":{},"stop":{}"#, found("unknown"), found("no")));
        assert!(offers[1].probed.is_some());
        let names = |word: &str| {
            let query = Query { supports: vec![feature(word).expect(word)], ..Query::default() };
            query.select(offers.clone()).0.into_iter().map(|offer| offer.model.id).collect::<Vec<_>>()
        };
        assert_eq!(names("tools"), ["a/Small"]);
        assert_eq!(names("stop"), ["b/large"]);
        assert_eq!(names("image"), ["b/large"], "by the list, where no probe asked");
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
        assert_eq!(feature(" Tools").ok(), Some(Listed::Tools.into()));
        let stop = Wanted { listed: None, probed: Some(Feature::Stop) };
        assert_eq!(feature("stop").ok(), Some(stop));
        assert_eq!(feature("tool").expect_err("unknown").hint().as_deref(), Some("did you mean tools?"));
    }
}
