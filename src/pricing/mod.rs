//! What answers cost: as the gateway reports it, else from the config, the gateway's own price list or the built-in
//! table of list prices, else unknown.

pub mod estimate;
mod identity;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::SystemTime;

pub use identity::{Identity, maker};
use table::Seller;

use crate::catalog;
use crate::chat::Usage;
use crate::config::{Gateway, ModelPrice};
use crate::money::Usd;
use crate::pattern;
use crate::rates::{Rates, Tariff};
use crate::record::{Attempt, Cost, CostOrigin, Record, Status};

/// The prices of all models at all gateways, as far as they are known.
///
/// A gateway's [`markup`](Gateway::markup) is on top of list prices, its own and the table's. Prices in the config are
/// the user's word, and what a gateway reports is what it charges; neither is changed.
#[derive(Debug)]
pub struct Pricing {
    /// By model, or by a name with `*`.
    config: BTreeMap<String, Rates>,
    /// By gateway. Those that no one handed in are read from the catalogue's files when first needed.
    lists: Mutex<BTreeMap<String, Arc<PriceList>>>,
    cache_dir: Option<PathBuf>,
}

/// A gateway's own prices by model.
type PriceList = BTreeMap<String, Tariff>;

/// The price of a model, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub tariff: Tariff,
    /// Never [`CostOrigin::Reported`].
    pub origin: CostOrigin,
}

impl Quote {
    /// What `usage` would cost; `None` where a count or rate that it takes is unknown.
    pub fn cost(&self, usage: &Usage) -> Option<Cost> {
        Some(Cost::new(self.tariff.cost(usage)?, self.origin))
    }

    /// The most that so much input and output may cost, however much of the output is thought.
    pub fn most(&self, usage: &Usage) -> Option<Cost> {
        let thinking = |reasoning| self.cost(&Usage { reasoning, ..*usage });
        Some(std::cmp::max_by_key(thinking(Some(0))?, thinking(usage.output)?, |cost| cost.usd))
    }

    fn bill(&self, usage: &Usage) -> Option<Bill> {
        Some(Bill { cost: self.cost(usage)?, rates: Some(*self.tariff.at(usage.input?)) })
    }
}

/// What an answer cost, and by which rates if it was computed.
#[derive(Debug, Clone, Copy)]
struct Bill {
    cost: Cost,
    rates: Option<Rates>,
}

/// The config quotes per million tokens.
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

    /// Takes these as the gateway's own prices, instead of those in the catalogue's file.
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

    /// The price of a model at a gateway, for estimates and lists. May decode the table.
    pub fn quote(&self, gateway: &Gateway, model: &str) -> Option<Quote> {
        self.in_config(&[model]).or_else(|| self.in_list(gateway, model)).or_else(|| in_table(gateway, model))
    }

    /// Puts into a finished record what the call cost, all attempts together; what the gateway reported must be in it
    /// already. Once per record.
    pub fn price(&self, record: &mut Record, gateway: &Gateway) {
        let asked = record.attempts.last().map_or(&record.model, |attempt| &attempt.model).clone();
        let answered = record.answered_by.clone().unwrap_or_else(|| asked.clone());
        let names = Names::new(&asked, &answered);
        if record.cached {
            record.cost = Some(Cost::new(Usd::ZERO, CostOrigin::Reported));
            record.saved = record.saved.or_else(|| Some(self.computed(gateway, &names, &record.usage)?.cost));
            return;
        }
        let answer = match record.cost {
            Some(cost) if self.is_believable(cost.usd, gateway, &names, &record.usage) => {
                Some(Bill { cost, rates: None })
            }
            _ => self.computed(gateway, &names, &record.usage),
        };
        record.rates = answer.and_then(|bill| bill.rates);
        let answer = answer.map(|bill| bill.cost);
        let (last, earlier) = match record.attempts.split_last_mut() {
            Some((last, earlier)) => (Some(last), earlier.iter().filter_map(|attempt| attempt.cost).sum()),
            None => (None, Usd::ZERO),
        };
        let came_to_nothing = record.status == Status::Failed && record.usage.is_unknown();
        record.cost = match answer {
            Some(cost) => Some(Cost { usd: cost.usd + earlier, ..cost }),
            None if came_to_nothing && earlier > Usd::ZERO => Some(Cost::new(earlier, CostOrigin::Reported)),
            None => None,
        };
        // What was told before the end of an answer that was stopped or broke off is not all that it took.
        let is_final = record.finish_reason.is_some();
        let is_told = |last: &Attempt, cost: Cost| {
            cost.origin == CostOrigin::Reported || last.error.as_ref().is_none_or(|error| !error.maybe_billed)
        };
        if let (Some(last), Some(cost)) = (last, answer)
            && (is_final || is_told(last, cost))
        {
            last.cost = Some(cost.usd);
        }
        let partial = record.maybe_billed() > 0;
        if let Some(cost) = &mut record.cost {
            cost.partial = partial;
        }
    }

    /// What one answer cost: what the gateway `reported`, where that can be believed, else by its usage.
    pub fn of_answer(
        &self,
        gateway: &Gateway,
        asked: &str,
        answered: Option<&str>,
        usage: &Usage,
        reported: Option<Usd>,
    ) -> Option<Usd> {
        let names = Names::new(asked, answered.unwrap_or(asked));
        let believed = reported.filter(|cost| self.is_believable(*cost, gateway, &names, usage));
        believed.or_else(|| Some(self.computed(gateway, &names, usage)?.cost.usd))
    }

    /// Gateways report 0 for models whose price they do not know, so a zero counts only where something else says that
    /// the model is free.
    fn is_believable(&self, reported: Usd, gateway: &Gateway, names: &Names<'_>, usage: &Usage) -> bool {
        let listed_as_free = || {
            let quote = self.listed(gateway, names, usage);
            quote.is_some_and(|bill| bill.cost.usd == Usd::ZERO)
        };
        reported > Usd::ZERO || (reported == Usd::ZERO && (names.say_free() || listed_as_free()))
    }

    /// The table knows models by the names that everybody uses. If it does not know what answered, no other name is
    /// tried: the list price of what was asked for would be a guess.
    fn computed(&self, gateway: &Gateway, names: &Names<'_>, usage: &Usage) -> Option<Bill> {
        let bill = |quote: Option<Quote>| quote.and_then(|quote| quote.bill(usage));
        self.listed(gateway, names, usage)
            .or_else(|| bill(in_table(gateway, names.answered)))
            .or_else(|| bill(in_table(gateway, names.same()?)))
    }

    /// The cost by the config or the gateway's own list.
    ///
    /// What answered is priced, not what was asked for: a gateway may put another model in its place. A name that
    /// neither the config nor the list has is an upstream's name for what was asked for, though, and the gateway charges
    /// by its own.
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

    /// The closest of the config's prices for any of these names.
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
            Some(list.prices().collect())
        };
        Arc::clone(lists.entry(gateway.name.clone()).or_insert_with(|| Arc::new(read().unwrap_or_default())))
    }
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

/// Whether a model's name says that it costs nothing, which is OpenRouter's way.
pub(crate) fn says_free(model: &str) -> bool {
    model.ends_with(":free")
}

/// The names of the model that a call asked for and got.
struct Names<'a> {
    asked: &'a str,
    answered: &'a str,
}

impl<'a> Names<'a> {
    /// A variant (`:free`, `:nitro`) is billed as what was asked for, even where the answer just names the model.
    fn new(asked: &'a str, answered: &'a str) -> Self {
        let is_variant = asked.strip_prefix(answered).is_some_and(|rest| rest.starts_with(':'));
        Self { asked, answered: if is_variant { asked } else { answered } }
    }

    /// What was asked for, if that is what answered: the same but for vendor, punctuation and date of release.
    fn same(&self) -> Option<&'a str> {
        (bare(self.asked) == bare(self.answered)).then_some(self.asked)
    }

    fn say_free(&self) -> bool {
        says_free(self.answered)
    }
}

/// The part of a model's name that its spellings have in common.
fn bare(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model).to_lowercase().replace(['.', '@', '_'], "-");
    let name = name.strip_suffix("-latest").unwrap_or(&name);
    let is_number = |part: &str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = name.split('-').collect();
    let dated = match parts.as_slice() {
        [.., date] if is_number(date, 8) => 1,
        [.., year, month, day] if is_number(year, 4) && is_number(month, 2) && is_number(day, 2) => 3,
        _ => 0,
    };
    parts[..parts.len() - dated].join("-")
}

#[cfg(test)]
mod tests;
