//! `--verbose`: each HTTP request and response of a run, a line each.

use super::format;
use crate::call::{Event, RunEvent};

/// Returns the unescaped line for this event, or None where it has none.
pub fn line(event: &RunEvent) -> Option<String> {
    let at = format::duration(event.at);
    let call = event.call + 1;
    Some(match &event.event {
        Event::Attempt { target } => format!("[{call}] {at}: asking {}::{}", target.gateway, target.model),
        Event::Connected { took } => format!("[{call}] {at}: connected in {}", format::duration(*took)),
        Event::Headers { status, meta } => {
            let mut line = format!("[{call}] {at}: status {status}");
            if let Some(id) = &meta.request_id {
                line.push_str(&format!(", request id {id}"));
            }
            if let Some(retries) = meta.upstream_retries.filter(|retries| *retries > 0) {
                let retries = format::count(retries.into(), "retry", "retries");
                line.push_str(&format!(", {retries} by the gateway"));
            }
            if let Some(fallbacks) = meta.upstream_fallbacks.filter(|fallbacks| *fallbacks > 0) {
                let fallbacks = format::count(fallbacks.into(), "fallback", "fallbacks");
                line.push_str(&format!(", {fallbacks} by the gateway"));
            }
            line
        }
        Event::AttemptFailed { failure } => match &failure.cause {
            Some(cause) => format!("[{call}] {at}: failed: {failure} ({cause})"),
            None => format!("[{call}] {at}: failed: {failure}"),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Meta, Target};
    use std::time::Duration;

    #[test]
    fn requests_and_responses_are_a_line_each() {
        let at = |event| line(&RunEvent { call: 0, at: Duration::from_millis(412), event });
        let target = Target { gateway: "corp".into(), model: "gpt".into() };
        assert_eq!(at(Event::Attempt { target }).as_deref(), Some("[1] 412 ms: asking corp::gpt"));
        let meta = Meta {
            request_id: Some("r-1".into()),
            upstream_retries: Some(2),
            upstream_fallbacks: Some(1),
            ..Meta::default()
        };
        let headers = at(Event::Headers { status: 200, meta });
        assert_eq!(
            headers.as_deref(),
            Some("[1] 412 ms: status 200, request id r-1, 2 retries by the gateway, 1 fallback by the gateway")
        );
        assert_eq!(at(Event::Done(Ok(()))), None);
    }
}
