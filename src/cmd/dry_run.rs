//! `--dry-run`: shows the requests that would be sent, and what they might cost. It looks for no key and sends nothing.

use serde_json::Value;

use super::Context;
use crate::call::Call;
use crate::chat::Usage;
use crate::config::Gateway;
use crate::error::Error;
use crate::gateway;
use crate::pricing::{Pricing, Quote, estimate};
use crate::report;
use crate::report::destination::Destination;
use crate::report::dry_run::{Planned, Requests};
use crate::report::term::Text;
use crate::run::pricing;

/// Writes the requests of these calls: as one JSON document if `json`, else as text.
///
/// # Errors
/// A gateway is not configured, or the output cannot be written.
pub(super) fn run(context: &Context, calls: &[Call], json: bool, destination: Destination) -> Result<u8, Error> {
    let planned = planned(context, calls)?;
    let text = if json {
        report::json::document(&Requests { requests: &planned }, &destination.output())
    } else {
        Text::join(planned.iter().map(Planned::to_text), "\n")
    };
    destination.write(text)?;
    Ok(0)
}

/// The requests of these calls.
///
/// # Errors
/// A gateway is not configured.
pub(super) fn planned(context: &Context, calls: &[Call]) -> Result<Vec<Planned>, Error> {
    let (gateways, demo) = context.preparation().gateways(calls.iter().map(Call::target))?;
    let pricing = pricing(&context.settings, demo.is_some());
    calls.iter().map(|call| plan(call, &gateways[&call.target().gateway], &pricing)).collect()
}

fn plan(call: &Call, gateway: &Gateway, pricing: &Pricing) -> Result<Planned, Error> {
    let api = gateway.api_of(&call.target().model);
    let wire = api.adapter().encode_request(&call.target().model, &call.request);
    let input = estimate::input_tokens(&call.request, &call.target().model);
    let quote = pricing.quote(gateway, &call.target().model);
    let cost = |output: u64| {
        let usage = Usage { input: Some(input), output: Some(output), ..Usage::default() };
        quote.as_ref().and_then(|quote: &Quote| quote.most(&usage)).map(|cost| cost.usd)
    };
    Ok(Planned {
        model: call.asked.clone(),
        url: gateway.base_url.endpoints(api, &wire.path).next().unwrap_or_default(),
        headers: gateway::redacted_headers(gateway, call)?,
        // Every adapter encodes JSON, so the default is never used.
        body: serde_json::from_slice(&wire.body).unwrap_or(Value::Null),
        input_tokens: input,
        input_cost: cost(0),
        max_tokens: call.request.max_tokens,
        max_cost: call.request.max_tokens.and_then(cost),
    })
}
