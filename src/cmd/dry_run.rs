//! `--dry-run`: the requests that would be sent, and what they might cost. No key is looked for, nothing is sent.

use serde_json::Value;

use super::Context;
use super::output::Destination;
use crate::call::Call;
use crate::chat::Usage;
use crate::config::{Auth, Gateway};
use crate::error::Error;
use crate::pricing::{Pricing, Quote, estimate};
use crate::report;
use crate::report::dry_run::{Planned, Requests};
use crate::run::pricing;

/// Writes the requests of these calls; as one JSON document if `json`.
pub(super) fn run(context: &Context, calls: &[Call], json: bool, destination: Destination) -> Result<u8, Error> {
    let planned = planned(context, calls)?;
    let out = &destination.output();
    let text = if json {
        report::json::document(&Requests { requests: &planned }, out)
    } else {
        planned.iter().map(|planned| planned.to_text(out)).collect::<Vec<_>>().join("\n")
    };
    destination.write(text.as_bytes())?;
    Ok(0)
}

/// The requests of these calls.
pub(super) fn planned(context: &Context, calls: &[Call]) -> Result<Vec<Planned>, Error> {
    let (gateways, demo) = context.preparation().gateways(calls.iter().map(Call::target))?;
    let pricing = pricing(&context.settings, demo.is_some());
    Ok(calls.iter().map(|call| plan(call, &gateways[&call.target().gateway], &pricing)).collect())
}

fn plan(call: &Call, gateway: &Gateway, pricing: &Pricing) -> Planned {
    let api = gateway.api_of(&call.target().model);
    let adapter = api.adapter();
    let wire = adapter.encode_request(&call.target().model, &call.request);
    let accept = if call.request.stream { "text/event-stream" } else { "application/json" };
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("accept".to_owned(), accept.to_owned()),
        ("idempotency-key".to_owned(), call.idempotency_key.clone()),
    ];
    // Whether a gateway that can do without a key gets one is only known when keys are looked for.
    if gateway.auth == Auth::Required {
        headers.extend(adapter.auth_headers("***").into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    headers.extend(adapter.headers().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    // What a header of the config holds may be secret.
    headers.extend(gateway.headers.keys().map(|name| (name.to_lowercase(), "***".to_owned())));
    let input = estimate::input_tokens(&call.request);
    let quote = pricing.quote(gateway, &call.target().model);
    let cost = |output: u64| {
        let usage = Usage { input: Some(input), output: Some(output), ..Usage::default() };
        quote.as_ref().and_then(|quote: &Quote| quote.most(&usage)).map(|cost| cost.usd)
    };
    Planned {
        model: call.asked.clone(),
        url: gateway.base_url.places(api, &wire.path).next().unwrap_or_default(),
        headers,
        // What we encode is JSON.
        body: serde_json::from_slice(&wire.body).unwrap_or(Value::Null),
        input_tokens: input,
        input_cost: cost(0),
        max_tokens: call.request.max_tokens,
        max_cost: call.request.max_tokens.and_then(cost),
    }
}
