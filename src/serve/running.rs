//! A call that runs for a client: its events go to the client as its answer, and its record to the ledger.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{mpsc, oneshot};

use super::answer::{Answer, set_header};
use super::limits::Taken;
use super::line::Place;
use super::loaded_config::LoadedConfig;
use super::request::Asked;
use super::told_cost::ToldCost;
use super::traceparent::Trace;
use super::{Server, refusal};
use crate::call::Call;
use crate::error::{Failure, FailureKind, RefusedKey};
use crate::http::json_body;
use crate::policy::budget::is_store_lost;
use crate::record::Record;
use crate::run::Single;

/// How many pieces of an answer may wait for a client that reads slowly. When there are more, the gateway has to wait.
const WAITING: usize = 4;

/// A longer piece goes to the client in parts of so many bytes, of which only some wait as well.
const LONGEST_PIECE: usize = 64 * 1024;

/// A request that may run.
pub(super) struct Asking {
    pub(super) loaded: Arc<LoadedConfig>,
    pub(super) asked: Asked,
    pub(super) call: Call,
    /// What it took from the rates of its client.
    pub(super) taken: Taken,
    /// Its place among those that run.
    pub(super) place: Place,
}

/// Runs a call and returns its answer. The call goes on by itself: if the client leaves, it is stopped and recorded.
pub(super) async fn respond(server: &Arc<Server>, mut asking: Asking, headers: &HeaderMap) -> Response {
    let trace = Trace::of(headers);
    asking.call.trace = Some(trace.onward(&asking.call.id).into());
    let (id, api) = (asking.call.id.clone(), asking.asked.api);
    let (sender, head) = oneshot::channel();
    let told_cost = ToldCost::new(Arc::clone(&asking.loaded), &asking.call);
    let single = Single::start(Arc::clone(&asking.loaded.prepared), trace.run.clone(), asking.call);
    let answer = Answer::new(asking.asked, single.call());
    let running = Running {
        server: Arc::clone(server),
        answer,
        told_cost,
        head: Some(sender),
        body: None,
        taken: asking.taken,
        parent: trace.parent,
    };
    let place = asking.place;
    server.tasks.spawn(async move {
        running.run(single).await;
        drop(place);
    });
    match head.await {
        Ok(response) => response,
        Err(_) => {
            let failure = Failure::new(FailureKind::ServerError, "the call broke off").with_status(500);
            refusal::respond(api, &failure, &id)
        }
    }
}

/// Whether another key may help. Without one there is none to read again.
fn is_refused_key(failure: &Failure) -> bool {
    failure.kind == FailureKind::Auth && failure.status == Some(401) && failure.refused_key == RefusedKey::Sent
}

/// A call that runs for a client.
struct Running {
    server: Arc<Server>,
    answer: Answer,
    told_cost: ToldCost,
    /// Where the beginning of the answer goes; `None` once it has gone.
    head: Option<oneshot::Sender<Response>>,
    /// Where the rest of a stream goes.
    body: Option<mpsc::Sender<Bytes>>,
    taken: Taken,
    /// The span of the client, if it has told one.
    parent: Option<String>,
}

impl Running {
    async fn run(mut self, mut single: Single) {
        let mut batch = Vec::new();
        let server = Arc::clone(&self.server);
        let mut is_stopped = false;
        loop {
            let more = tokio::select! {
                biased;
                more = single.next(&mut batch) => more,
                // A client that leaves stops the call at once. From an answer that has told its end, only its usage and its
                // cost are still to come: they are read for the record, also where a client leaves as soon as it has the end.
                () = self.left(), if self.answer.finish.is_none() => break,
                () = server.stopped() => {
                    is_stopped = true;
                    break;
                }
            };
            for mut event in batch.drain(..) {
                self.told_cost.check(&mut event.event);
                self.answer.take(event);
            }
            let is_taken = self.send().await || self.answer.finish.is_some();
            if !is_taken || !more {
                break;
            }
        }
        if self.answer.failed.as_ref().is_some_and(is_store_lost) {
            self.server.note_store(true);
        }
        if self.answer.failed.as_ref().is_some_and(is_refused_key) {
            self.server.refused_key.send_replace(self.answer.target.gateway.clone());
        }
        let ended = single.end().await;
        self.taken.settle(&ended.record);
        self.server.metrics.ended(ended.call.caller.key.as_deref().unwrap_or_default(), &ended.record);
        if let Some(recording) = &self.server.stores.recording {
            let mut row = ended.row(recording);
            if row.attempts.is_empty() && row.error.is_some() {
                // A request that was never sent costs its client nothing, so that many of them would fill the disk.
                row.request.body = None;
            }
            if let Some(traces) = self.server.traces()
                && !traces.add(&row, &ended.call.request, self.parent.clone())
            {
                self.server.metrics.unsent(1);
            }
            // A client that has its whole answer finds it in the ledger, whatever becomes of this server.
            recording.ledger.record(row).await;
        }
        if is_stopped {
            self.break_off();
        }
        self.finish(&ended.record);
    }

    /// Tells the client of a stream that has begun that the server was stopped. One that reads nothing is not waited for.
    fn break_off(&mut self) {
        if self.head.is_none() && !self.answer.is_over {
            self.answer.end(Err(Failure::new(FailureKind::Interrupted, "the server was stopped")));
            if let Some(body) = &self.body {
                let _ = body.try_send(Bytes::from(std::mem::take(&mut self.answer.ready)));
            }
        }
    }

    /// Ready when the client has left.
    async fn left(&mut self) {
        match (&mut self.head, &self.body) {
            (Some(head), _) => head.closed().await,
            (None, Some(body)) => body.closed().await,
            (None, None) => std::future::pending().await,
        }
    }

    /// Sends what is ready of a stream. Returns `false` where the client has left.
    async fn send(&mut self) -> bool {
        if !self.answer.streams() || !self.answer.has_begun || self.answer.ready.is_empty() {
            return true;
        }
        let mut bytes = Bytes::from(std::mem::take(&mut self.answer.ready));
        let Some(head) = self.head.take() else {
            let Some(body) = &self.body else { return false };
            while !bytes.is_empty() {
                let piece = bytes.split_to(bytes.len().min(LONGEST_PIECE));
                if body.send(piece).await.is_err() {
                    return false;
                }
            }
            return true;
        };
        let (sender, receiver) = mpsc::channel(WAITING);
        let rest = stream::unfold((Some(bytes), receiver), |(first, mut receiver)| async move {
            let bytes = match first {
                Some(bytes) => bytes,
                None => receiver.recv().await?,
            };
            Some((Ok::<_, std::convert::Infallible>(bytes), (None, receiver)))
        });
        let mut response = Response::new(Body::from_stream(rest));
        let headers = response.headers_mut();
        set_header(headers, CONTENT_TYPE.as_str(), self.answer.content_type());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        self.answer.tell(headers, &self.taken);
        self.body = Some(sender);
        head.send(response).is_ok()
    }

    /// Sends the whole of an answer that is no stream, or the reason why there is none.
    fn finish(&mut self, record: &Record) {
        let Some(head) = self.head.take() else { return };
        let mut response = match self.answer.whole() {
            Ok((content_type, body)) => {
                let mut response = json_body(body);
                set_header(response.headers_mut(), CONTENT_TYPE.as_str(), &content_type);
                response
            }
            Err(failure) => refusal::as_it_is(self.answer.asked.api, &self.answer.told(&failure), &self.answer.call),
        };
        let headers = response.headers_mut();
        self.answer.tell(headers, &self.taken);
        if let Some(cost) = record.cost.filter(|cost| !cost.partial) {
            set_header(headers, "x-llm-cost-usd", &cost.usd.to_decimal());
        }
        // A client that has left gets nothing.
        let _ = head.send(response);
    }
}
