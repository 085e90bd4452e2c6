//! One call of a server, from its start to its record.

use std::sync::Arc;

use jiff::Timestamp;

use super::{PreparedGateways, Recording, completed};
use crate::call::{Call, RunEvent};
use crate::engine::Engine;
use crate::ledger::Row;
use crate::record::{Record, Recorder};

/// A call that runs, and its record as it grows. Dropping the value stops the call and loses the record.
pub(crate) struct Single {
    began: Timestamp,
    call: Arc<Call>,
    prepared: Arc<PreparedGateways>,
    engine: Engine,
    recorder: Recorder,
    /// Events that have arrived and are not in the record yet.
    arrived: Vec<RunEvent>,
}

impl Single {
    /// Starts a call of this run at these gateways. Must be called inside a tokio runtime.
    pub(crate) fn start(prepared: Arc<PreparedGateways>, run: String, call: Call) -> Self {
        let call = Arc::new(call);
        let mut engine = Engine::new();
        let recorder = Recorder::new(&run, &call, engine.elapsed());
        engine.start(&prepared.service, Arc::clone(&call));
        Self { began: Timestamp::now(), call, prepared, engine, recorder, arrived: Vec::new() }
    }

    /// The call.
    pub(crate) fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// Waits for events and appends all that have arrived to `batch`. Returns `false` when the call is over. If the future is
    /// dropped, no event is lost.
    pub(crate) async fn next(&mut self, batch: &mut Vec<RunEvent>) -> bool {
        let more = self.engine.next(&mut self.arrived).await;
        self.arrived.iter().for_each(|event| self.recorder.event(event));
        batch.append(&mut self.arrived);
        more
    }

    /// Stops the call if it still runs, and returns its record.
    pub(crate) async fn end(mut self) -> Ended {
        let now = self.engine.elapsed();
        self.engine.stop(&mut self.arrived).await;
        self.arrived.iter().for_each(|event| self.recorder.event(event));
        let record = completed(&self.call, self.recorder, now, Some(&self.prepared));
        Ended { record, call: self.call, over: self.began + now }
    }
}

/// The end of a call.
pub(crate) struct Ended {
    pub(crate) record: Record,
    pub(crate) call: Arc<Call>,
    /// When it was over.
    over: Timestamp,
}

impl Ended {
    /// What the ledger keeps of it.
    pub(crate) fn row(&self, recording: &Recording) -> Row {
        recording.row(&self.call, &self.record, self.over)
    }
}
