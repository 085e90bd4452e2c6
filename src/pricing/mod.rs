//! What answers cost: what the gateway reports, else by the prices of the config, of the gateway's own list or of the
//! built-in table; unknown where none of them has a price.

mod archive;
mod document;
pub mod estimate;
mod identity;
mod media;
mod names;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::SystemTime;

use estimate::MostInput;
pub use identity::{Identity, maker};
use names::{Names, says_free};
use table::Seller;

use crate::catalog;
use crate::chat::{Surcharge, Usage};
use crate::config::{Gateway, ModelPrice};
use crate::money::Usd;
use crate::pattern;
use crate::rates::{Rates, Tariff};
use crate::record::{Attempt, Cost, CostOrigin, Record, Status};

/// The prices of all models at all gateways, as far as they are known.
///
/// A gateway's [`markup`](Gateway::markup) is added to list prices: its own and those of the table. It is not added to
/// prices of the config, which are what the user pays, nor to costs that the gateway reports, which are what it charges.
#[derive(Debug)]
pub struct Pricing {
    /// By model, or by a name with `*`.
    config: BTreeMap<String, Rates>,
    /// By gateway. A list that was not given to [`Pricing::with_list`] is read from the catalogue's file when it is first
    /// needed.
    lists: Mutex<BTreeMap<String, Arc<PriceList>>>,
    cache_dir: Option<PathBuf>,
}

/// A gateway's own prices by model.
type PriceList = BTreeMap<String, Tariff>;

/// The price of a model, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub tariff: Tariff,
    /// Never [`CostOrigin::Reported`].
    pub origin: CostOrigin,
}

impl Quote {
    /// What `usage` would cost. Returns `None` where a count or a rate that this takes is unknown.
    pub fn cost(&self, usage: &Usage) -> Option<Cost> {
        let partial = !self.covers(usage.surcharge);
        Some(Cost { partial, ..Cost::new(self.tariff.cost(usage)?, self.origin) })
    }

    /// Whether this price is all that is billed. Prices of the config are what the user pays for tokens, in whatever tier.
    fn covers(&self, surcharge: Option<Surcharge>) -> bool {
        match surcharge {
            None => true,
            Some(Surcharge::Tier) => self.origin == CostOrigin::Config,
            Some(Surcharge::Parts) => false,
        }
    }

    /// The most that this much input and output may cost: all output may be reasoning, or none of it.
    pub fn most(&self, usage: &Usage) -> Option<Cost> {
        let with = |reasoning| self.cost(&Usage { reasoning, ..*usage });
        Some(std::cmp::max_by_key(with(Some(0))?, with(usage.output)?, |cost| cost.usd))
    }

    /// The most that may be billed for a request with no more input than this and so much output; the largest amount where it is
    /// more than that.
    pub fn bound(&self, input: MostInput, output: u64) -> Option<Usd> {
        let dearest = self.tariff.clone().with_dearest_input(input.mark);
        // A shorter prompt costs more where the price of longer ones is lower.
        let ends = self.tariff.steps.iter().map(|step| step.above).filter(|end| *end < input.tokens);
        let all = ends.chain([input.tokens]).map(|tokens| {
            let usage = Usage { input: Some(tokens), output: Some(output), ..Usage::default() };
            let with = |reasoning| dearest.cost_at_most(&Usage { reasoning, ..usage });
            Some(with(Some(0))?.max(with(usage.output)?))
        });
        all.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// What is certain of the cost where it is not known how much output there is, or how much of it is reasoning.
    fn least(&self, usage: &Usage) -> Option<Cost> {
        let output = usage.output.or(Some(0));
        let with = |reasoning| self.cost(&Usage { output, reasoning, ..*usage });
        let least = std::cmp::min_by_key(with(Some(0))?, with(output)?, |cost| cost.usd);
        Some(Cost { partial: true, ..least })
    }

    fn bill(&self, usage: &Usage) -> Option<Bill> {
        let whole = self.cost(usage);
        let cost = whole.or_else(|| self.least(usage))?;
        Some(Bill { cost, rates: Some(*self.tariff.at(usage.input?)), is_whole: whole.is_some() })
    }
}

/// What an answer cost, and by which rates, where it was computed.
#[derive(Debug, Clone, Copy)]
struct Bill {
    cost: Cost,
    rates: Option<Rates>,
    /// Whether all counts that the price takes are known.
    is_whole: bool,
}

/// Prices in the config are per million tokens.
impl From<&ModelPrice> for Rates {
    fn from(price: &ModelPrice) -> Self {
        let per_token = |price: Option<Usd>| price.map(Usd::per_million);
        Self {
            input: per_token(price.input),
            output: per_token(price.output),
            cache_read: per_token(price.cache_read),
            cache_write: per_token(price.cache_write),
            reasoning: per_token(price.reasoning),
            request: price.request,
        }
    }
}

impl Pricing {
    /// `prices` are the config's; `cache_dir` is where fetched model lists lie.
    pub fn new(prices: &BTreeMap<String, ModelPrice>, cache_dir: Option<PathBuf>) -> Self {
        Self {
            config: prices.iter().map(|(model, price)| (model.clone(), price.into())).collect(),
            lists: Mutex::default(),
            cache_dir,
        }
    }

    /// Uses these as the gateway's own prices, instead of those in the catalogue's file.
    pub fn with_list(self, gateway: &str, prices: impl IntoIterator<Item = (String, Tariff)>) -> Self {
        let list = Arc::new(prices.into_iter().collect());
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).insert(gateway.to_owned(), list);
        self
    }

    /// Looks up in the background what the table says of these models, as far as it is needed: call this when the
    /// requests go out, and the table will have been read when the answers are there. The thread need not be waited for.
    pub fn prepare<'a>(&self, models: impl IntoIterator<Item = (&'a Gateway, &'a str)>) -> Option<JoinHandle<()>> {
        let needed: Vec<(Seller, String)> = models
            .into_iter()
            .filter(|(gateway, model)| self.in_config(&[model]).is_none() && self.in_list(gateway, model).is_none())
            .map(|(gateway, model)| (Seller::of(gateway), model.to_owned()))
            .filter(|(seller, _)| *seller != Seller::Nobody)
            .collect();
        if needed.is_empty() {
            return None;
        }
        let look_up = move || {
            for (seller, model) in &needed {
                table::find(seller, model);
            }
        };
        // Where no thread can be had, the table is read when a price is asked for.
        std::thread::Builder::new().name("prices".into()).spawn(look_up).ok()
    }

    /// The price of a model at a gateway, for estimates and lists. May read the table.
    pub fn quote(&self, gateway: &Gateway, model: &str) -> Option<Quote> {
        self.in_config(&[model]).or_else(|| self.in_list(gateway, model)).or_else(|| in_table(gateway, model))
    }

    /// Puts into a finished record what the call cost, all attempts together. What the gateway reported must be in it
    /// already. To be called once for each record: a second time would count earlier attempts twice.
    ///
    /// `gateways` has the settings of each gateway by its name.
    pub fn price(&self, record: &mut Record, gateways: &BTreeMap<String, Gateway>) {
        let Some(gateway) = gateways.get(&record.gateway) else { return };
        let origin_of_earlier = self.price_earlier(record, gateways);
        let asked = record.attempts.last().map_or(&record.model, |attempt| &attempt.model).clone();
        let answered = record.answered_by.clone().unwrap_or_else(|| asked.clone());
        let names = Names::new(&asked, &answered);
        if record.cached {
            record.cost = Some(Cost::new(Usd::ZERO, CostOrigin::Reported));
            let is_believable = |saved: &Cost| self.is_believable(saved.usd, gateway, &names, &record.usage);
            record.saved = record.saved.filter(is_believable);
            record.saved = record.saved.or_else(|| Some(self.computed(gateway, &names, &record.usage)?.cost));
            record.saved = record.saved.filter(says_something);
            return;
        }
        let answer = match record.cost {
            Some(cost) if self.is_believable(cost.usd, gateway, &names, &record.usage) => {
                Some(Bill { cost, rates: None, is_whole: true })
            }
            _ => self.computed(gateway, &names, &record.usage),
        };
        record.rates = answer.and_then(|bill| bill.rates);
        let answer = answer.map(|bill| bill.cost);
        // Usage that came before an answer was stopped or broke off is not all of its usage, and prices of tokens may not be all.
        let told_with_failure = |last: &Attempt| last.error.as_ref().is_some_and(|error| error.usage.is_some());
        let is_final = record.finish_reason.is_some() || record.attempts.last().is_some_and(told_with_failure);
        let (last, earlier) = match record.attempts.split_last_mut() {
            Some((last, earlier)) => (Some(last), earlier.iter().filter_map(|attempt| attempt.cost).sum()),
            None => (None, Usd::ZERO),
        };
        let came_to_nothing = record.status == Status::Failed && record.usage.is_unknown();
        record.cost = match answer {
            Some(cost) => Some(Cost { usd: cost.usd + earlier, origin: cost.origin.max(origin_of_earlier), ..cost }),
            None if came_to_nothing && earlier > Usd::ZERO => Some(Cost::new(earlier, origin_of_earlier)),
            None => None,
        };
        let is_told = |last: &Attempt, cost: Cost| {
            cost.origin == CostOrigin::Reported || last.error.as_ref().is_none_or(|error| !error.maybe_billed)
        };
        if let (Some(last), Some(cost)) = (last, answer)
            && !cost.partial
            && (is_final || is_told(last, cost))
        {
            last.cost = Some(cost.usd);
        }
        let partial = record.maybe_billed() > 0;
        if let Some(cost) = &mut record.cost {
            cost.partial |= partial;
        }
        record.cost = record.cost.filter(says_something);
        record.rates = record.rates.filter(|_| record.cost.is_some());
    }

    /// Finds what the attempts before the last one cost that told what they took, and failed all the same. Returns where the
    /// amounts come from.
    fn price_earlier(&self, record: &mut Record, gateways: &BTreeMap<String, Gateway>) -> CostOrigin {
        let mut origin = CostOrigin::Reported;
        let Some((_, earlier)) = record.attempts.split_last_mut() else { return origin };
        for attempt in earlier.iter_mut().filter(|attempt| attempt.cost.is_none()) {
            let Some(error) = attempt.error.as_mut() else { continue };
            let Some(usage) = error.usage.as_deref() else { continue };
            let gateway = gateways.get(&attempt.gateway);
            let cost = gateway.and_then(|gateway| self.of_answer(gateway, &attempt.model, None, usage, None));
            match cost.filter(|cost| !cost.partial) {
                Some(cost) => {
                    attempt.cost = Some(cost.usd);
                    origin = origin.max(cost.origin);
                }
                None => error.maybe_billed = true,
            }
        }
        origin
    }

    /// What one answer cost: what the gateway `reported` where that is credible, else what its usage costs. Returns `None`
    /// where neither is known.
    pub fn of_answer(
        &self,
        gateway: &Gateway,
        asked: &str,
        answered: Option<&str>,
        usage: &Usage,
        reported: Option<Usd>,
    ) -> Option<Cost> {
        let names = Names::new(asked, answered.unwrap_or(asked));
        let believed = reported.filter(|cost| self.is_believable(*cost, gateway, &names, usage));
        let believed = believed.map(|usd| Cost::new(usd, CostOrigin::Reported));
        believed.or_else(|| Some(self.computed(gateway, &names, usage)?.cost))
    }

    /// Whether a cost that a gateway reported of an answer is credible.
    pub fn believes(
        &self,
        gateway: &Gateway,
        asked: &str,
        answered: Option<&str>,
        usage: &Usage,
        reported: Usd,
    ) -> bool {
        self.is_believable(reported, gateway, &Names::new(asked, answered.unwrap_or(asked)), usage)
    }

    /// Whether a reported cost is credible. Gateways report 0 for models whose price they do not know, so 0 is believed
    /// only where the model's name, the config or the gateway's list says that it is free.
    fn is_believable(&self, reported: Usd, gateway: &Gateway, names: &Names<'_>, usage: &Usage) -> bool {
        let listed_as_free = || {
            let quote = self.listed(gateway, names, usage);
            quote.is_some_and(|bill| bill.is_whole && bill.cost.usd == Usd::ZERO)
        };
        reported > Usd::ZERO || (reported == Usd::ZERO && (names.say_free() || listed_as_free()))
    }

    /// The cost by prices. Where no price is known for the model that answered, the table's price of the model that was
    /// asked for is used only if both are the same model; else it would be a guess.
    fn computed(&self, gateway: &Gateway, names: &Names<'_>, usage: &Usage) -> Option<Bill> {
        let bill = |quote: Option<Quote>| quote.and_then(|quote| quote.bill(usage));
        self.listed(gateway, names, usage)
            .or_else(|| bill(in_table(gateway, names.answered)))
            .or_else(|| bill(in_table(gateway, names.same()?)))
    }

    /// The cost by the config or the gateway's own list.
    ///
    /// The model that answered is priced, since a gateway may have put it in the place of the one that was asked for. A
    /// name that neither the config nor the list has is an upstream provider's name for what was asked for: then the
    /// price of what was asked for holds.
    fn listed(&self, gateway: &Gateway, names: &Names<'_>, usage: &Usage) -> Option<Bill> {
        let bill = |quote: Option<Quote>| quote.and_then(|quote| quote.bill(usage));
        let exactly = |model: &str| Some(config_quote(*self.config.get(model)?));
        bill(exactly(names.answered))
            .or_else(|| bill(exactly(names.same()?)))
            .or_else(|| bill(names.same().and_then(|asked| self.in_config(&[names.answered, asked]))))
            .or_else(|| bill(self.in_list(gateway, names.answered)))
            .or_else(|| bill(self.in_config(&[names.answered, names.asked])))
            .or_else(|| bill(self.in_list(gateway, names.asked)))
    }

    /// The price of the config whose pattern describes one of these names most precisely.
    fn in_config(&self, names: &[&str]) -> Option<Quote> {
        let fits = |pattern: &str| names.iter().any(|name| pattern::matches(pattern, name));
        let candidates = self.config.iter().filter(|(pattern, _)| fits(pattern));
        let (_, rates) = candidates.max_by_key(|(pattern, _)| pattern::precision(pattern))?;
        Some(config_quote(*rates))
    }

    fn in_list(&self, gateway: &Gateway, model: &str) -> Option<Quote> {
        let list = self.list(gateway);
        let tariff = list.get(model)?.clone();
        Some(Quote { tariff: with_markup(tariff, gateway), origin: CostOrigin::Gateway })
    }

    fn list(&self, gateway: &Gateway) -> Arc<PriceList> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || {
            let list = catalog::cached(gateway, self.cache_dir.as_deref()?, SystemTime::now())?;
            Some(list.prices_of_text().collect())
        };
        Arc::clone(lists.entry(gateway.name.clone()).or_insert_with(|| Arc::new(read().unwrap_or_default())))
    }
}

/// That a cost is no less than nothing is true of every cost.
fn says_something(cost: &Cost) -> bool {
    !cost.partial || cost.usd > Usd::ZERO
}

fn in_table(gateway: &Gateway, model: &str) -> Option<Quote> {
    let tariff = table::find(&Seller::of(gateway), model)?.tariff(SystemTime::now(), says_free(model))?;
    Some(Quote { tariff: with_markup(tariff, gateway), origin: CostOrigin::Table })
}

fn config_quote(rates: Rates) -> Quote {
    Quote { tariff: rates.into(), origin: CostOrigin::Config }
}

fn with_markup(tariff: Tariff, gateway: &Gateway) -> Tariff {
    gateway.markup.map_or(tariff.clone(), |markup| tariff.with_markup(markup))
}

#[cfg(test)]
mod tests;
