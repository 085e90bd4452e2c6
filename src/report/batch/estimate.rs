//! What a batch would send, cost and take.

use std::time::Duration;

use serde_json::json;

use crate::money::Usd;
use crate::report::dry_run::Planned;
use crate::report::format;
use crate::report::grid::{Column, Grid};
use crate::report::json as documents;
use crate::report::term::{Output, Text};

/// The most bad rows that are named.
const NAMED: usize = 5;

/// The estimate of a batch.
#[derive(Debug)]
pub struct Estimate<'a> {
    /// The rows that are asked.
    pub rows: u64,
    /// Why rows cannot be asked.
    pub bad: &'a [String],
    pub models: Vec<ModelEstimate>,
    /// How many calls run at once.
    pub concurrency: usize,
}

/// The estimate for one model.
#[derive(Debug)]
pub struct ModelEstimate {
    pub model: String,
    pub calls: u64,
    pub input_tokens: u64,
    /// What it costs with answers of usual length; `None` where the price is not known.
    pub usual: Option<Usd>,
    /// What it costs with the longest answers that are allowed; `None` where nothing limits them.
    pub most: Option<Usd>,
    /// How long it takes, by the last answers of the model; `None` where there are none.
    pub time: Option<Duration>,
}

/// The first requests, and a table.
pub fn estimate_text(requests: &[Planned], estimate: &Estimate<'_>, out: &Output) -> Text {
    let mut grid = Grid::new(vec![
        Column::left("model").wraps(16),
        Column::right("calls"),
        Column::right("input tokens"),
        Column::right("cost"),
        Column::right("at most"),
        Column::right("time"),
    ]);
    let cost = |usd: Option<Usd>| format::or_unknown(usd, |usd| format!("~{usd}"));
    for model in &estimate.models {
        grid.row(vec![
            model.model.clone(),
            format::thousands(model.calls),
            format!("~{}", format::thousands(model.input_tokens)),
            cost(model.usual),
            model.most.map_or_else(String::new, |usd| format!("~{usd}")),
            format::or_unknown(model.time, format::duration),
        ]);
    }
    let mut text = Text::join(requests.iter().map(Planned::to_text), "\n");
    text += "\n";
    text += grid.render(out);
    for bad in estimate.bad.iter().take(NAMED) {
        text += Text::from(format!(" cannot be asked: {bad}\n"));
    }
    if estimate.bad.len() > NAMED {
        text += Text::from(format!(" and {} rows more\n", estimate.bad.len() - NAMED));
    }
    text + format!(
        " {} rows, {} at once; costs are for answers of usual length, times for those that the ledger has\n",
        format::thousands(estimate.rows),
        estimate.concurrency
    )
    .as_str()
}

/// The same as one JSON document.
pub fn estimate_json(requests: &[Planned], estimate: &Estimate<'_>, out: &Output) -> Text {
    let models: Vec<_> = estimate
        .models
        .iter()
        .map(|model| {
            json!({
                "model": model.model, "calls": model.calls, "input_tokens": model.input_tokens,
                "usual_usd": model.usual, "max_usd": model.most,
                "seconds": model.time.map(|time| time.as_secs_f64()),
            })
        })
        .collect();
    documents::document(
        &json!({
            "requests": requests, "rows": estimate.rows, "bad_rows": estimate.bad, "models": models,
            "concurrency": estimate.concurrency,
        }),
        out,
    )
}
