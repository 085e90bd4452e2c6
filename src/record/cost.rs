//! What calls cost, one by one and together, and who says so.

use serde::{Deserialize, Serialize};

use super::Record;
use crate::money::Usd;

/// What a call cost, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    pub usd: Usd,
    pub origin: CostOrigin,
    /// Whether it is a lower bound (`≥`): an attempt that nobody told the price of may have been billed as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

impl Cost {
    /// All that there is to pay.
    pub fn new(usd: Usd, origin: CostOrigin) -> Self {
        Self { usd, origin, partial: false }
    }
}

/// Where a cost comes from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostOrigin {
    /// The gateway said what the answer cost.
    Reported,
    /// Computed from a price in the config.
    Config,
    /// Computed from the gateway's own price list.
    Gateway,
    /// Computed from the built-in table of list prices.
    Table,
}

impl CostOrigin {
    /// Whether the amount is computed rather than said by the gateway; shown with `~`.
    pub fn is_computed(self) -> bool {
        self != Self::Reported
    }

    /// The word used in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Config => "config",
            Self::Gateway => "gateway",
            Self::Table => "table",
        }
    }
}

/// Exact cost of several records, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TotalCost {
    /// The sum of what is known; `None` where nothing is.
    pub usd: Option<Usd>,
    /// How many records have a cost that is not known, or not all of it; the sum is then a lower bound (`≥`).
    pub unknown: usize,
    /// Whether any part of the sum is computed rather than reported (`~`).
    pub computed: bool,
}

impl<'a> FromIterator<&'a Record> for TotalCost {
    fn from_iter<I: IntoIterator<Item = &'a Record>>(records: I) -> Self {
        let mut total = Self::default();
        for record in records {
            match record.cost {
                Some(cost) => {
                    *total.usd.get_or_insert(Usd::ZERO) += cost.usd;
                    total.computed |= cost.origin.is_computed();
                    total.unknown += usize::from(cost.partial);
                }
                None if record.cost_nothing() => {}
                None => total.unknown += 1,
            }
        }
        total
    }
}
