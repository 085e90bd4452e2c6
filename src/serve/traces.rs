//! Sends the spans of calls to a collector of OpenTelemetry, in groups. A collector that is slow or gone holds up nobody: what
//! does not fit into the queue, or cannot be sent, is counted and lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::Server;
use crate::chat::{Request, ResponseFormat};
use crate::config::{Env, Otel};
use crate::error::Failure;
use crate::gateway::Collector;
use crate::ledger::Row;
use crate::report::otel::document;

/// The calls that wait at most.
const QUEUE: usize = 4096;

/// The calls of one document at most.
const GROUP: usize = 512;

/// How long a document waits for further calls.
const GATHER: Duration = Duration::from_millis(500);

/// The waits between the tries of one document.
const WAITS: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];

/// A call, and the id of the span that called it, if another program has told it.
type Traced = (Row, Option<String>);

/// Where calls go that are to be traced.
pub(super) struct Traces {
    queue: mpsc::Sender<Traced>,
}

impl Traces {
    /// The sending end, and what has to run for it.
    ///
    /// # Errors
    /// The collector's headers cannot be sent, or a proxy variable holds no address.
    pub(super) fn new(otel: &Otel, env: &Env) -> Result<(Self, Sender), Failure> {
        let collector = Collector::new(otel.clone(), env)?;
        let (queue, calls) = mpsc::channel(QUEUE);
        Ok((Self { queue }, Sender { collector, calls }))
    }

    /// Hands over a call, of this request, and the id of the span that called it. Returns `false` where there is no room.
    pub(super) fn add(&self, row: &Row, request: &Request, parent: Option<String>) -> bool {
        let Ok(place) = self.queue.try_reserve() else { return false };
        place.send((without_texts(row, request), parent));
        true
    }
}

/// A call without its texts, which spans do not have: those of thousands of calls would fill the memory.
fn without_texts(row: &Row, request: &Request) -> Row {
    let settings = Request {
        messages: Vec::new(),
        tools: Vec::new(),
        response_format: request.response_format.as_ref().map(|_| ResponseFormat::JsonObject),
        extra: serde_json::Map::new(),
        stop: request.stop.clone(),
        reasoning_effort: request.reasoning_effort.clone(),
        tool_choice: None,
        ..*request
    };
    let mut row = Row { answer: None, ..row.clone() };
    // Where no texts are kept, the settings are not, either.
    row.request.body = row.request.body.and_then(|_| serde_json::to_string(&settings).ok());
    row
}

/// The end that sends.
pub(super) struct Sender {
    collector: Collector,
    calls: mpsc::Receiver<Traced>,
}

impl Sender {
    /// Sends until no more calls can come.
    pub(super) async fn run(mut self, server: Arc<Server>) {
        let mut group = Vec::new();
        while self.calls.recv_many(&mut group, GROUP).await > 0 {
            let more = async { while group.len() < GROUP && self.calls.recv_many(&mut group, GROUP).await > 0 {} };
            // The group is complete when the time is over, or when it is full.
            let _ = timeout(GATHER, more).await;
            if self.send(&group).await.is_err() {
                server.metrics.unsent(group.len());
            }
            group.clear();
        }
    }

    async fn send(&self, group: &[Traced]) -> Result<(), Failure> {
        let text = document(group.iter().map(|(row, parent)| (row, parent.as_deref())));
        for wait in WAITS {
            match self.collector.send(text.clone()).await {
                Err(failure) if failure.is_transient() => sleep(wait).await,
                sent => return sent,
            }
        }
        self.collector.send(text).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::row;

    #[test]
    fn what_waits_for_a_collector_says_the_same_and_holds_no_texts() {
        let request = Request {
            max_tokens: Some(7),
            temperature: Some(0.5),
            top_p: Some(0.25),
            seed: Some(3),
            stop: vec!["end".to_owned()],
            response_format: Some(ResponseFormat::JsonSchema {
                name: "n".to_owned(),
                schema: serde_json::json!({"description": "LONG"}),
                strict: None,
            }),
            ..serde_json::from_str(row("1", true).request.body.as_deref().expect("a body")).expect("a request")
        };
        let mut whole = row("1", true);
        whole.request.body = serde_json::to_string(&request).ok();
        let light = without_texts(&whole, &request);
        let spans = |row: &Row| document(std::iter::once((row, None)));
        assert_eq!(spans(&light), spans(&whole));
        assert!(
            spans(&light).contains("gen_ai.request.stop_sequences") && spans(&light).contains("gen_ai.output.type")
        );
        let held = serde_json::to_string(&light).expect("JSON");
        let texts = [&whole.answer.as_ref().expect("an answer").text, "LONG"];
        assert!(texts.iter().all(|text| !held.contains(&**text)), "{held}");
        let bare = row("2", false);
        assert_eq!(without_texts(&bare, &request).request.body, bare.request.body);
    }
}
