//! `--dry-run`: the requests that would be sent, and what they might cost. No key is looked for, nothing is sent.

use serde_json::{Value, json};

use super::Context;
use super::ready;
use crate::call::Call;
use crate::chat::Usage;
use crate::config::Gateway;
use crate::error::Error;
use crate::pricing::{Pricing, Quote, estimate};
use crate::report::dry_run::Planned;
use crate::report::{self, term};

/// Prints the requests of these calls; as one JSON document if `json`.
pub(super) fn run(context: &Context, calls: &[Call], json: bool) -> Result<u8, Error> {
    let (gateways, demo) = ready::gateways(context, calls.iter().map(Call::target))?;
    let pricing = ready::pricing(context, demo.is_some());
    let mut planned = Vec::new();
    for call in calls {
        let gateway = &gateways[&call.target().gateway];
        planned.push(plan(call, gateway, &pricing));
    }
    let out = &context.terminal.stdout;
    let text = if json {
        let requests: Vec<Value> = planned.iter().map(Planned::to_json).collect();
        report::json::document(&json!({ "requests": requests }), out)
    } else {
        planned.iter().map(|planned| planned.to_text(out)).collect::<Vec<_>>().join("\n")
    };
    term::print(text)?;
    Ok(0)
}

fn plan(call: &Call, gateway: &Gateway, pricing: &Pricing) -> Planned {
    let adapter = gateway.api.adapter();
    let wire = adapter.encode_request(&call.request);
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if gateway.auth != crate::config::Auth::None {
        let (name, value) = adapter.auth_header("***");
        headers.push((name.to_owned(), value));
    }
    headers.extend(wire.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    // What a header of the config holds may be secret.
    headers.extend(gateway.headers.keys().map(|name| (name.to_lowercase(), "***".to_owned())));
    let input = estimate::input_tokens(&call.request);
    let quote = pricing.quote(gateway, &call.target().model);
    let cost = |output: u64| {
        let usage = Usage { input: Some(input), output: Some(output), ..Usage::default() };
        quote.as_ref().and_then(|quote: &Quote| quote.cost(&usage)).map(|cost| cost.usd)
    };
    Planned {
        model: call.asked.clone(),
        url: gateway.base_url.join(&wire.path),
        headers,
        // What we encode is JSON.
        body: serde_json::from_slice(&wire.body).unwrap_or(Value::Null),
        input_tokens: input,
        input_cost: cost(0),
        max_tokens: call.request.max_tokens,
        max_cost: call.request.max_tokens.and_then(cost),
    }
}
