//! Reads a list of models, in any of the known shapes.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use url::form_urlencoded::byte_serialize;

use super::ModelInfo;
use super::lenient::{Maybe, Record};
use super::price::Unit;
use super::row::Row;
use crate::error::{Failure, FailureKind};

/// The most models of a list that are read, on all its pages. Lists of gateways have a few thousand.
pub(super) const MOST_MODELS: usize = 20_000;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) models: Vec<ModelInfo>,
    /// Rows that name no model.
    pub(super) skipped: usize,
    /// Rows after the first [`MOST_MODELS`], which are not read.
    pub(super) beyond: usize,
    /// The query that asks for the next page.
    pub(super) next: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    data: Maybe<Rows>,
    models: Maybe<Rows>,
    has_more: Maybe<bool>,
    last_id: Maybe<String>,
    #[serde(rename = "nextPageToken")]
    next_page_token: Maybe<String>,
}

/// The rows of a page, each still as text.
#[derive(Debug, Default)]
struct Rows {
    first: Vec<Box<RawValue>>,
    beyond: usize,
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Rows;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows, A::Error> {
                let mut rows = Rows::default();
                while rows.first.len() < MOST_MODELS
                    && let Some(row) = list.next_element()?
                {
                    rows.first.push(row);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    rows.beyond += 1;
                }
                Ok(rows)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Reads a list in the shape of OpenAI (and Anthropic, OpenRouter, Mistral, llama.cpp, …: `data`), of Gemini and Ollama
/// (`models`) or of Together (a bare array).
///
/// # Errors
/// It is not JSON, has no models, or names none of them.
pub(super) fn parse(body: &[u8]) -> Result<Page, Failure> {
    let body = match serde_json::from_slice::<Rows>(body) {
        Ok(rows) => Body { data: Maybe(Some(rows)), ..Body::default() },
        Err(_) => serde_json::from_slice::<Body>(body).map_err(|error| {
            Failure::new(FailureKind::Protocol, "the gateway's list of models is not JSON")
                .with_cause(error.to_string())
        })?,
    };
    // llama.cpp sends the same models in both fields.
    let Some(Rows { first: rows, beyond }) = body.data.0.or(body.models.0) else {
        return Err(Failure::new(FailureKind::Protocol, "the gateway's list of models has no models in it"));
    };
    let rows: Vec<Row> =
        rows.iter().map(|row| serde_json::from_str::<Record<Row>>(row.get()).unwrap_or_default().0).collect();
    let unit = Unit::of(rows.iter().filter_map(Row::pricing));
    let total = rows.len();
    let mut models: Vec<ModelInfo> = rows.into_iter().filter_map(|row| row.into_model(unit)).collect();
    let skipped = total - models.len();
    if models.is_empty() && skipped > 0 {
        return Err(Failure::new(FailureKind::Protocol, "the gateway's list of models names none of them"));
    }
    let mut seen = BTreeSet::new();
    models.retain(|model| seen.insert(model.id.clone()));
    let encoded = |cursor: &str| byte_serialize(cursor.as_bytes()).collect::<String>();
    let next = match (body.next_page_token.0, body.has_more.0, body.last_id.0) {
        (Some(token), ..) if !token.is_empty() => Some(format!("pageSize=1000&pageToken={}", encoded(&token))),
        (_, Some(true), Some(last)) => Some(format!("limit=1000&after_id={}", encoded(&last))),
        _ => None,
    };
    Ok(Page { models, skipped, beyond, next })
}

#[cfg(test)]
mod tests;
