//! Which features a request needs, and which of them a model was found not to have.

use super::kept::Kept;
use super::{Feature, Value};
use crate::chat::{Part, Request, ResponseFormat};

/// The features without which a model cannot answer this request as it is meant. What a model may ignore without harm,
/// such as the limit of its answer, is not among them.
pub fn needed(request: &Request) -> Vec<Feature> {
    let mut needed = Vec::new();
    let parts = || request.messages.iter().flat_map(|message| &message.parts);
    let has_pdf = |part: &Part| matches!(part, Part::File(file) if file.media_type == "application/pdf");
    let schema = matches!(request.response_format, Some(ResponseFormat::JsonSchema { .. }));
    for (feature, is_needed) in [
        (Feature::Stop, !request.stop.is_empty()),
        (Feature::Seed, request.seed.is_some()),
        (Feature::Tools, !request.tools.is_empty()),
        (Feature::JsonSchema, schema),
        (Feature::Image, parts().any(|part| matches!(part, Part::Image(_)))),
        (Feature::Pdf, parts().any(has_pdf)),
        (Feature::Logprobs, request.logprobs.is_some()),
    ] {
        if is_needed {
            needed.push(feature);
        }
    }
    needed
}

/// The features that the request needs and that the model was found not to have, with the dates of the findings.
pub fn lacking<'k>(request: &Request, kept: &'k Kept) -> Vec<(Feature, &'k str)> {
    let lacks = |feature: &Feature| {
        let found = kept.findings.get(feature)?;
        (found.finding.value == Value::No).then(|| (*feature, found.date()))
    };
    needed(request).iter().filter_map(lacks).collect()
}
