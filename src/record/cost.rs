//! The cost of one call and of several, with its source.

use std::ops::Add;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use super::Record;
use crate::money::Usd;

/// What a call cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// The amount in US dollars.
    pub usd: Usd,
    /// Where the amount comes from.
    pub origin: CostOrigin,
    /// Whether the amount is a lower bound, shown with `≥`: an attempt of unknown cost may have been billed as well, or the answer
    /// tells of something that the price does not cover.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

impl Cost {
    /// A cost that nothing is missing from.
    pub fn new(usd: Usd, origin: CostOrigin) -> Self {
        Self { usd, origin, partial: false }
    }
}

/// The cost of both. Its origin is the worse one.
impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            usd: self.usd + other.usd,
            origin: self.origin.max(other.origin),
            partial: self.partial || other.partial,
        }
    }
}

/// Where a cost comes from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostOrigin {
    /// The gateway reported the cost of the answer.
    Reported,
    /// Computed from a price in the config.
    Config,
    /// Computed from the gateway's own price list.
    Gateway,
    /// Computed from the built-in table of list prices.
    Table,
}

impl CostOrigin {
    /// Whether the amount is computed from prices instead of reported by the gateway; shown with `~`.
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

/// The exact cost of several records, as far as it is known. In JSON its sum is that of [`TotalCost::known`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TotalCost {
    /// The sum of the known costs in US dollars; `None` where none is known. To show it, see [`TotalCost::known`].
    pub usd: Option<Usd>,
    /// The number of records whose cost is not known or partial. Unless it is 0, the sum is a lower bound (`≥`).
    pub unknown: usize,
    /// Whether any part of the sum is computed instead of reported (`~`).
    pub computed: bool,
}

/// A sum of amounts, unless nothing but zeros is known of it, and so many others are not: that it is more than nothing says nothing.
pub fn known(sum: Usd, unknown: u64) -> Option<Usd> {
    Some(sum).filter(|sum| *sum != Usd::ZERO || unknown == 0)
}

impl TotalCost {
    /// The sum as users are told it; `None` where nothing but zeros is known of it, and others are not.
    pub fn known(&self) -> Option<Usd> {
        known(self.usd?, self.unknown as u64)
    }
}

impl Serialize for TotalCost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("TotalCost", 3)?;
        object.serialize_field("usd", &self.known())?;
        object.serialize_field("unknown", &self.unknown)?;
        object.serialize_field("computed", &self.computed)?;
        object.end()
    }
}

impl Add for TotalCost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let usd = match (self.usd, other.usd) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        Self { usd, unknown: self.unknown + other.unknown, computed: self.computed || other.computed }
    }
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
