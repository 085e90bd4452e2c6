//! The schedule of a batch: rows become calls within a window, and no further row is taken once the batch is to stop.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use super::feed::{Asked, Fed, Feed, Next, RowInfo};
use super::limit::Limit;
use super::line::FellBack;
use tokio::sync::Notify;

use crate::call::Call;
use crate::error::{Error, Failure, FailureKind};
use crate::record::Record;
use crate::run::{Schedule, Step};

/// Why a batch takes no further rows.
#[derive(Debug)]
pub enum StopReason {
    /// A signal of this number.
    Signal(i32),
    /// Another process has cancelled the job.
    Cancelled,
    /// The output cannot be written.
    Output(io::Error),
    /// The data set cannot be read any further.
    Input(io::Error),
    /// Every further call to this model, as it was asked for, would fail like this one.
    Call(String, Failure),
    /// A row cannot be used or has failed, and the user wants to stop then.
    Row(String),
}

/// What the parts of a running batch tell each other.
#[derive(Debug, Default)]
pub struct Control {
    is_stopping: AtomicBool,
    reason: Mutex<Option<StopReason>>,
    running: AtomicUsize,
    limit: AtomicUsize,
    held: AtomicUsize,
    stopped: Notify,
}

impl Control {
    /// No further row is taken from now on. The first reason is kept.
    pub fn stop(&self, reason: StopReason) {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        self.is_stopping.store(true, Ordering::SeqCst);
        self.stopped.notify_one();
    }

    /// Whether no further row is taken.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// Takes the reason why the batch has stopped, if it has.
    pub fn take_reason(&self) -> Option<StopReason> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether a signal has stopped the batch.
    pub fn is_signalled(&self) -> bool {
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*reason, Some(StopReason::Signal(_)))
    }

    /// Whether another process has cancelled the batch.
    pub fn is_cancelled(&self) -> bool {
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*reason, Some(StopReason::Cancelled))
    }

    /// So many bytes of a line wait for the lines of earlier rows from now on.
    pub fn hold(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes do not wait any more.
    pub fn release(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How many bytes of lines wait for those of earlier rows.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// How many calls run now, and how many may run.
    pub fn calls(&self) -> (usize, usize) {
        (self.running.load(Ordering::Relaxed), self.limit.load(Ordering::Relaxed))
    }
}

/// What a row and a model take: one call, or the calls of a pipeline.
#[expect(missing_debug_implementations, reason = "a schedule has no form in which it could be shown")]
pub enum Work {
    Call(Box<Call>),
    Steps(Box<dyn Schedule>),
}

/// Makes the calls of a row.
pub trait Maker {
    /// What there is to do for this row and the model of this place.
    ///
    /// # Errors
    /// No call can be made, whatever the row.
    fn make(&mut self, info: &RowInfo, asked: Asked, place: usize) -> Result<Work, Error>;
    /// A call that stands for a row that cannot be used.
    fn unusable(&mut self, place: usize) -> Call;
}

/// One row with one model, from its first call to its line.
#[derive(Debug)]
pub struct Open {
    pub info: Arc<RowInfo>,
    /// The place of the model.
    pub place: usize,
    /// The records of its calls, by step.
    pub records: BTreeMap<usize, Record>,
    /// How many records it gets.
    pub calls: usize,
    /// What of them other models gave than those that were asked first.
    pub fallbacks: Vec<FellBack>,
    /// Whether another model was turned to for its answer.
    pub has_fallen_back: bool,
}

/// The rows that are being asked, by slot.
pub type OpenRows = Rc<RefCell<HashMap<usize, Open>>>;

/// A row and model that waits for its turn.
struct Planned {
    info: Arc<RowInfo>,
    place: usize,
    asked: Result<Asked, String>,
}

/// See the module.
pub struct BatchSchedule<'a> {
    feed: Feed,
    maker: Box<dyn Maker + 'a>,
    control: Arc<Control>,
    limit: Limit,
    models: usize,
    /// How many calls a row and model take.
    width: usize,
    planned: VecDeque<Planned>,
    /// By slot, the pipelines that are under way.
    pipelines: BTreeMap<usize, Box<dyn Schedule>>,
    open: OpenRows,
    /// By index, which call it was by order of beginning.
    running: HashMap<usize, u64>,
    begun: u64,
    /// The most rows that may be open; more than the calls that run where lines are held back for their order.
    window: usize,
    /// Whether so many lines wait, for the reader or for that of an earlier row, that no further row is taken.
    is_held: Box<dyn Fn() -> bool + 'a>,
    is_over: bool,
}

/// While no row is taken because of lines that wait, it is looked for so often.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl fmt::Debug for BatchSchedule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchSchedule").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl<'a> BatchSchedule<'a> {
    /// A schedule of these rows for `models` models, each of which takes `width` calls. So many rows are open at most as
    /// `window` says.
    pub fn new(
        feed: Feed,
        maker: Box<dyn Maker + 'a>,
        control: Arc<Control>,
        limit: Limit,
        (models, width): (usize, usize),
        window: usize,
    ) -> Self {
        control.limit.store(limit.now(), Ordering::Relaxed);
        Self {
            feed,
            maker,
            control,
            limit,
            models,
            width,
            planned: VecDeque::new(),
            pipelines: BTreeMap::new(),
            open: OpenRows::default(),
            running: HashMap::new(),
            begun: 0,
            window,
            is_held: Box::new(|| false),
            is_over: false,
        }
    }

    /// Takes no further row while this says that too many lines wait.
    pub fn held_while(self, is_held: impl Fn() -> bool + 'a) -> Self {
        Self { is_held: Box::new(is_held), ..self }
    }

    /// The rows that are being asked. Whoever writes their lines removes them.
    pub fn open_rows(&self) -> OpenRows {
        Rc::clone(&self.open)
    }

    fn slot(&self, row: u64, place: usize) -> usize {
        usize::try_from(row - 1).unwrap_or(usize::MAX / self.models / self.width) * self.models + place
    }

    /// The next step of a pipeline that is under way.
    fn next_step(&mut self) -> Option<Step> {
        let width = self.width;
        let mut over = Vec::new();
        let mut found = None;
        for (slot, pipeline) in &mut self.pipelines {
            match pipeline.next() {
                Some(step) => {
                    found = Some(moved(step, slot * width));
                    break;
                }
                None if !self.open.borrow().contains_key(slot) => over.push(*slot),
                None => {}
            }
        }
        over.iter().for_each(|slot| drop(self.pipelines.remove(slot)));
        found
    }

    /// The first step of the next row, or why there is none.
    fn next_row(&mut self) -> Option<Step> {
        loop {
            if let Some(planned) = self.planned.pop_front() {
                if let Some(step) = self.begin(planned) {
                    return Some(step);
                }
                continue;
            }
            if self.open.borrow().len() >= self.window {
                return None;
            }
            match self.feed.take() {
                Next::Row(fed) => {
                    let Fed { info, asked, models } = *fed;
                    let info = Arc::new(info);
                    let plan = |place| Planned { info: Arc::clone(&info), place, asked: asked.clone() };
                    self.planned.extend(models.into_iter().map(plan));
                }
                Next::Later => return None,
                Next::Over => {
                    self.is_over = true;
                    return None;
                }
                Next::Broken(error) => {
                    self.is_over = true;
                    self.control.stop(StopReason::Input(error));
                    return None;
                }
            }
        }
    }

    fn begin(&mut self, planned: Planned) -> Option<Step> {
        let Planned { info, place, asked } = planned;
        let slot = self.slot(info.number, place);
        let calls = if asked.is_ok() { self.width } else { 1 };
        let open = Open {
            info: Arc::clone(&info),
            place,
            records: BTreeMap::new(),
            calls,
            fallbacks: Vec::new(),
            has_fallen_back: false,
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(why) => {
                let failure = Failure::new(FailureKind::InvalidRequest, format!("line {}: {why}", info.line));
                // It has one record, which is that of the last step.
                let mut call = self.maker.unusable(place);
                call.index = slot * self.width + self.width - 1;
                self.open.borrow_mut().insert(slot, open);
                return Some(Step::Skip(call, failure.with_advice("--on-error stop ends a batch at a bad row")));
            }
        };
        match self.maker.make(&info, asked, place) {
            Ok(Work::Call(mut call)) => {
                call.index = slot * self.width;
                self.open.borrow_mut().insert(slot, open);
                Some(Step::Call(*call))
            }
            Ok(Work::Steps(mut steps)) => {
                let first = steps.next();
                self.open.borrow_mut().insert(slot, open);
                self.pipelines.insert(slot, steps);
                first.map(|step| moved(step, slot * self.width))
            }
            Err(error) => {
                self.control.stop(StopReason::Row(error.to_string()));
                None
            }
        }
    }
}

/// A step with its index in the run.
fn moved(step: Step, by: usize) -> Step {
    let at = |mut call: Call| {
        call.index += by;
        call
    };
    match step {
        Step::Call(call) => Step::Call(at(call)),
        Step::Skip(call, failure) => Step::Skip(at(call), failure),
    }
}

impl Schedule for BatchSchedule<'_> {
    fn next(&mut self) -> Option<Step> {
        if self.running.len() >= self.limit.now() {
            return None;
        }
        let step = match self.next_step() {
            Some(step) => Some(step),
            None if self.control.is_stopping() || (self.is_held)() => None,
            None => self.next_row(),
        };
        if let Some(Step::Call(call)) = &step {
            self.running.insert(call.index, self.begun);
            self.begun += 1;
        }
        self.control.running.store(self.running.len(), Ordering::Relaxed);
        step
    }

    fn ended(&mut self, call: &Call, record: &Record) {
        if let Some(nth) = self.running.remove(&call.index) {
            self.limit.ended(record, nth, self.begun);
            self.control.limit.store(self.limit.now(), Ordering::Relaxed);
            self.control.running.store(self.running.len(), Ordering::Relaxed);
        }
        if let Some(pipeline) = self.pipelines.get_mut(&(call.index / self.width)) {
            let call = Call { index: call.index % self.width, ..call.clone() };
            pipeline.ended(&call, record);
        }
    }

    fn is_waiting(&self) -> bool {
        let has_room = self.running.len() < self.limit.now() && self.open.borrow().len() < self.window;
        has_room && !self.is_over && !self.control.is_stopping()
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        let is_held = (self.is_held)();
        Box::pin(async move {
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN), if is_held => {}
                () = self.feed.changed(), if !is_held => {}
                () = self.control.stopped.notified() => {}
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::batch::feed::{Recipe, Selection};
    use crate::batch::rows::Rows;
    use crate::call::Target;

    struct Asking;

    fn call() -> Call {
        let target = Target { gateway: "g".into(), model: "m".into() };
        Call::new(0, "m", vec![target.into()], Arc::default())
    }

    impl Maker for Asking {
        fn make(&mut self, _: &RowInfo, _: Asked, _: usize) -> Result<Work, Error> {
            Ok(Work::Call(Box::new(call())))
        }

        fn unusable(&mut self, _: usize) -> Call {
            call()
        }
    }

    fn feed(directory: &TempDir) -> Feed {
        let path = directory.path().join("rows.txt");
        std::fs::write(&path, "one\ntwo\n").expect("a data set");
        let rows = Rows::open(Path::new(&path), None).expect("rows");
        Feed::start(rows, Recipe::default(), Selection::default(), Arc::default(), 1).expect("a thread")
    }

    #[tokio::test]
    async fn no_row_is_taken_while_the_reader_of_the_lines_is_behind() {
        let directory = TempDir::new().expect("a directory");
        let is_behind = Cell::new(false);
        let control = Arc::new(Control::default());
        let limit = Limit::new(Some(9), 9);
        let schedule = BatchSchedule::new(feed(&directory), Box::new(Asking), control, limit, (1, 1), usize::MAX);
        let mut schedule = schedule.held_while(|| is_behind.get());
        schedule.changed().await;
        assert!(matches!(schedule.next(), Some(Step::Call(_))), "the first row");
        is_behind.set(true);
        schedule.changed().await;
        assert!(schedule.next().is_none() && schedule.is_waiting(), "the second row waits");
        is_behind.set(false);
        schedule.changed().await;
        assert!(matches!(schedule.next(), Some(Step::Call(_))), "the reader has caught up");
    }
}
