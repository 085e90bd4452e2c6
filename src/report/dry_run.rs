//! A request that was not sent.

use serde_json::{Value, json};

use super::term::Output;
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
    /// An estimate from the length of the text.
    pub input_tokens: u64,
    /// What that input costs; `None` where the price is not known.
    pub input_cost: Option<Usd>,
    /// The bound of the answer, if there is one, and what input and longest answer cost together.
    pub max_tokens: Option<u64>,
    pub max_cost: Option<Usd>,
}

impl Planned {
    /// As HTTP would have it, with the estimate as a comment.
    pub fn to_text(&self, out: &Output) -> String {
        let mut text = format!("POST {}\n", self.url);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\n"));
        }
        // A JSON value always has a text.
        let body = serde_json::to_string_pretty(&self.body).unwrap_or_default();
        text.push_str(&format!("\n{body}\n\n# about {} input tokens: {}", self.input_tokens, cost(self.input_cost)));
        if let Some(max) = self.max_tokens {
            text.push_str(&format!("; with {max} output tokens: {}", cost(self.max_cost)));
        }
        text.push('\n');
        out.show(&text).into_owned()
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let headers: serde_json::Map<_, _> =
            self.headers.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
        json!({
            "model": self.model,
            "method": "POST",
            "url": self.url,
            "headers": headers,
            "body": self.body,
            "estimate": {
                "input_tokens": self.input_tokens,
                "input_usd": self.input_cost,
                "max_tokens": self.max_tokens,
                "max_usd": self.max_cost,
            },
        })
    }
}

fn cost(cost: Option<Usd>) -> String {
    cost.map_or_else(|| "price unknown".to_owned(), |cost| format!("~{cost}"))
}
