//! What `llm probe` found out about models, for routing and for lists.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use super::Notices;
use crate::call::Target;
use crate::config::{Gateway, Settings};
use crate::policy::Lacks;
use crate::probe::kept::{Findings, Kept};
use crate::probe::{lacking, needed};

/// The findings about the models of a gateway; `None` where there is no directory for them.
pub(crate) fn findings(settings: &Settings, gateway: &str) -> Option<Findings> {
    // The settings have the same address each time; the demo gateway runs on another port each time.
    let base_url = settings.gateway(gateway).ok()?.base_url;
    Some(Findings::new(settings.dirs.data.as_deref()?, gateway, base_url.as_str()))
}

/// What is said where the findings about this model are not read, because others could have put them there.
pub(crate) fn tell_refused(found: &Findings, model: &str, notices: &dyn Notices) {
    if let Some(why) = found.refused(model) {
        notices.notice(&format!("what `llm probe` found about {model} is not read: {why}"));
    }
}

/// As [`tell_refused`], of all models of this gateway.
pub(crate) fn tell_all_refused(found: &Findings, gateway: &str, notices: &dyn Notices) {
    for why in found.all_refused() {
        notices.notice(&format!("what `llm probe` found about models of {gateway} is not read: {why}"));
    }
}

/// What models of these gateways were found not to do. A file is read when a request first needs a feature of its model.
pub(super) fn lacks(settings: &Settings, gateways: &BTreeMap<String, Gateway>) -> Lacks {
    let findings: BTreeMap<String, Findings> =
        gateways.keys().filter_map(|name| Some((name.clone(), findings(settings, name)?))).collect();
    let read: Mutex<HashMap<Target, Option<Kept>>> = Mutex::default();
    Box::new(move |target, request| {
        if needed(request).is_empty() {
            return None;
        }
        let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = read.entry(target.clone()).or_insert_with(|| findings.get(&target.gateway)?.of(&target.model));
        let lacking = lacking(request, kept.as_ref()?);
        let date = lacking.first()?.1;
        let features: Vec<&str> = lacking.iter().map(|(feature, _)| feature.as_str()).collect();
        Some(format!("llm probe found on {date} that it lacks {}", features.join(", ")))
    })
}
