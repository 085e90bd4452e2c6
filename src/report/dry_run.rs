//! Requests that are shown instead of sent (`--dry-run`).

use std::collections::BTreeMap;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::term::Text;
use crate::money::Usd;

/// What would be sent, without secrets, and what it might cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The model as it was asked for.
    pub model: String,
    pub url: String,
    /// Secret values are masked already.
    pub headers: Vec<(String, String)>,
    pub body: Value,
    /// How many tokens the input has, estimated from the length of its text.
    pub input_tokens: u64,
    /// What that input costs; `None` where the price is not known.
    pub input_cost: Option<Usd>,
    /// The longest answer that the request allows, if it sets a limit, and what the input and that answer cost together.
    pub max_tokens: Option<u64>,
    pub max_cost: Option<Usd>,
}

impl Planned {
    /// The request in the form of HTTP/1.1, with the estimate in a comment below it.
    pub fn to_text(&self) -> Text {
        let mut text = format!("POST {}\n", self.url);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\n"));
        }
        // A JSON value can always be written.
        let body = serde_json::to_string_pretty(&self.body).unwrap_or_default();
        text.push_str(&format!("\n{body}\n\n# about {} input tokens: {}", self.input_tokens, cost(self.input_cost)));
        if let Some(max) = self.max_tokens {
            text.push_str(&format!("; with {max} output tokens: {}", cost(self.max_cost)));
        }
        text.push('\n');
        text.into()
    }
}

/// The document of several requests that were not sent.
#[derive(Debug, Serialize)]
pub struct Requests<'a> {
    pub requests: &'a [Planned],
}

impl Serialize for Planned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Estimate {
            input_tokens: u64,
            input_usd: Option<Usd>,
            max_tokens: Option<u64>,
            max_usd: Option<Usd>,
        }
        let headers: BTreeMap<&str, &str> = self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let estimate = Estimate {
            input_tokens: self.input_tokens,
            input_usd: self.input_cost,
            max_tokens: self.max_tokens,
            max_usd: self.max_cost,
        };
        let mut object = serializer.serialize_struct("Planned", 6)?;
        object.serialize_field("model", &self.model)?;
        object.serialize_field("method", "POST")?;
        object.serialize_field("url", &self.url)?;
        object.serialize_field("headers", &headers)?;
        object.serialize_field("body", &self.body)?;
        object.serialize_field("estimate", &estimate)?;
        object.end()
    }
}

fn cost(cost: Option<Usd>) -> String {
    cost.map_or_else(|| "price unknown".to_owned(), |cost| format!("~{cost}"))
}
