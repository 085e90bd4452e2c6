//! What requests are expected to cost, said before they are sent.

use super::Context;
use crate::adapter::OutputBound;
use crate::call::{Call, CostLimit};
use crate::chat::Usage;
use crate::error::{Error, Failure, FailureKind};
use crate::money::Usd;
use crate::pricing::estimate::{input_tokens, most_input};
use crate::report::format;
use crate::run::{Notices, pricing};

/// The output tokens that a short answer is expected to have.
const SHORT_ANSWER: u64 = 100;

/// What calls are expected to cost together. Calls of unknown price are not in the sums.
#[derive(Debug, Default)]
pub(super) struct Estimate {
    requests: u64,
    unpriced: u64,
    expected: Usd,
    /// `None` where the length of an answer is not limited, or a field may cost more than its tokens.
    most: Option<Usd>,
}

impl Estimate {
    /// The estimate of these calls with short answers, each made so many times.
    ///
    /// # Errors
    /// A gateway is not configured.
    pub(super) fn new<'c>(context: &Context, calls: impl IntoIterator<Item = (&'c Call, u64)>) -> Result<Self, Error> {
        let (mut demo, mut plain) = (None, None);
        let mut sum = Self { most: Some(Usd::ZERO), ..Self::default() };
        for (call, times) in calls {
            let target = call.target();
            let gateway = context.settings.gateway(&target.gateway)?;
            // The prices of the demo gateway are known without its list.
            let is_demo = target.gateway == "demo";
            let prices = if is_demo { &mut demo } else { &mut plain };
            let prices = prices.get_or_insert_with(|| pricing(&context.settings, is_demo));
            sum.requests += times;
            let Some(quote) = prices.quote(&gateway, &target.model) else {
                sum.unpriced += times;
                continue;
            };
            let adapter = gateway.api_of(&target.model).adapter();
            let wire = adapter.encode_request(&target.model, &call.request);
            let OutputBound { max_tokens, answers, .. } = adapter.output_bound(&wire);
            let usage = |input, output| Usage { input: Some(input), output: Some(output), ..Usage::default() };
            let expected =
                usage(input_tokens(&call.request, &target.model), max_tokens.unwrap_or(SHORT_ANSWER).min(SHORT_ANSWER));
            // Half a price, such as that of the input alone, tells no cost.
            let cost = quote.cost(&Usage { reasoning: Some(0), ..expected });
            let Some(cost) = cost.and_then(|cost| cost.usd.times(times)) else {
                sum.unpriced += times;
                continue;
            };
            sum.expected += cost;
            let is_bounded = adapter.unpriced_field(&wire).is_none();
            let most = max_tokens.zip(answers).filter(|_| is_bounded).and_then(|(tokens, answers)| {
                let input = most_input(&call.request, &wire.body, &target.model);
                quote.bound(input, tokens.saturating_mul(u64::from(answers)))?.times(times)
            });
            sum.most = sum.most.zip(most).map(|(sum, most)| sum + most);
        }
        Ok(sum)
    }

    /// Says what the calls are expected to cost.
    ///
    /// # Errors
    /// It is more than the limit.
    pub(super) fn say(&self, context: &Context, limit: Option<&CostLimit>) -> Result<(), Error> {
        context.notice(&self.text());
        match limit {
            Some(limit) if self.expected > limit.most => {
                let message = format!("this is expected to cost {}, and --max-cost is {}", self.expected, limit.most);
                let failure = Failure::new(FailureKind::Refused, message);
                Err(failure.with_advice("fewer models or requests cost less").into())
            }
            _ => Ok(()),
        }
    }

    fn text(&self) -> String {
        let requests = format::count(self.requests, "request", "requests");
        if self.unpriced == self.requests {
            return format!("{requests} of unknown price");
        }
        let most = self.most.map_or_else(String::new, |most| format!(", at most {most}"));
        let unpriced = match self.unpriced {
            0 => String::new(),
            count => format!(", besides {count} of unknown price"),
        };
        format!("{requests}: about {}{most}{unpriced}", self.expected)
    }
}
