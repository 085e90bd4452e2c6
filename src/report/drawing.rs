//! Lines that a thread draws again and again in the same place of the terminal on stderr.
//!
//! indicatif's `MultiProgress` (0.18.6) breaks two of our promises, so this draws by itself. In its `draw_to_term`,
//! - rows are not parted by line breaks: each is filled with spaces up to the width of the terminal, by the sum of the
//!   widths of its characters. A terminal that draws a joined emoji (👩‍👩‍👧) as one picture gets too few spaces, and the next
//!   row begins in this one;
//! - as many rows are removed as were drawn. A terminal that has become narrower since has broken rows in two, and
//!   what was not counted stays.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::thread::{self, Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::control_echo::ControlEchoOff;
use super::live_lines::{LiveLines, Row, Wait};
use super::term::{self, Output, Stderr, Style};
use crate::call::RunEvent;

/// How often lines are drawn. Events do not draw, so a token costs next to nothing.
const TICK: Duration = Duration::from_millis(100);

/// The name of the thread that draws.
const THREAD: &str = "live lines";

/// Lines that follow a run.
pub(super) trait Rows: fmt::Debug + Send {
    /// Takes in one event of the run.
    fn apply(&mut self, event: &RunEvent);

    /// The lines as of `now` (since the run began), none wider than `columns`, at most `rows` of them.
    fn rows(&self, now: Duration, columns: usize, rows: usize, style: Style) -> Vec<Row>;
}

/// Live lines on stderr, from the first tick until this is dropped. They leave nothing behind.
#[derive(Debug)]
pub(super) struct Drawing {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    _echo: Option<ControlEchoOff>,
}

#[derive(Debug)]
struct Shared {
    run: Mutex<Run>,
    /// Held while anything is written to the terminal, so that nothing else is written meanwhile.
    screen: Mutex<Drawn>,
    /// Nothing is drawn or erased any more.
    over: AtomicBool,
    ended: Condvar,
    stderr: Output,
}

/// The lines that are being drawn.
static CURRENT: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

/// Removes the lines that are being drawn, for good: what is printed next stays on the terminal as it is. For the report of a
/// bug, which may happen in any thread: it does not wait for ever for one that is drawing, because that may be this one.
pub(super) fn stop() {
    /// A thread that draws is done far sooner, unless the terminal takes nothing.
    const PATIENCE: Duration = Duration::from_secs(2);
    let Some(shared) = CURRENT.try_lock().ok().and_then(|current| current.upgrade()) else { return };
    if shared.over.swap(true, Ordering::SeqCst) {
        return;
    }
    let is_drawing = thread::current().name() == Some(THREAD);
    let end = Instant::now() + if is_drawing { Duration::ZERO } else { PATIENCE };
    loop {
        match shared.screen.try_lock() {
            Ok(mut screen) => {
                shared.erase(&mut screen);
                return;
            }
            Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(Duration::from_millis(1)),
            Err(_) => return,
        }
    }
}

#[derive(Debug)]
struct Run {
    lines: Box<dyn Rows>,
    /// The instant from which the run's events count.
    began: Option<Instant>,
}

/// A panic elsewhere leaves a state that can still be shown and removed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drawing {
    /// Draws these lines.
    ///
    /// # Errors
    ///
    /// No thread can be had.
    pub(super) fn start(lines: Box<dyn Rows>, stderr: Output) -> io::Result<Self> {
        Self::of(Run { lines, began: None }, stderr, Some(ControlEchoOff::new()))
    }

    /// The line of a single call, whose time begins now.
    ///
    /// # Errors
    ///
    /// No thread can be had.
    pub(super) fn of_one_call(label: String, stderr: Output) -> io::Result<Self> {
        let lines = Box::new(LiveLines::of_one(label));
        Self::of(Run { lines, began: Some(Instant::now()) }, stderr, Some(ControlEchoOff::new()))
    }

    /// A line that says what is waited for, and how long already. The terminal still shows `^C`: where nothing listens for
    /// signals, Ctrl-C ends the process, which could not turn it on again.
    ///
    /// # Errors
    ///
    /// No thread can be had.
    pub(super) fn of_wait(text: String, stderr: Output) -> io::Result<Self> {
        Self::of(Run { lines: Box::new(Wait(text)), began: Some(Instant::now()) }, stderr, None)
    }

    fn of(run: Run, stderr: Output, echo: Option<ControlEchoOff>) -> io::Result<Self> {
        let over = AtomicBool::new(false);
        let shared =
            Arc::new(Shared { run: Mutex::new(run), screen: Mutex::default(), over, ended: Condvar::new(), stderr });
        *lock(&CURRENT) = Arc::downgrade(&shared);
        let drawn = Arc::clone(&shared);
        let thread = Builder::new().name(THREAD.into()).spawn(move || drawn.draw_until_over())?;
        Ok(Self { shared, thread: Some(thread), _echo: echo })
    }

    /// Takes in what has happened since. The next tick shows it.
    pub(super) fn apply(&self, events: &[RunEvent]) {
        let mut run = lock(&self.shared.run);
        for event in events {
            run.began.get_or_insert_with(|| {
                let now = Instant::now();
                now.checked_sub(event.at).unwrap_or(now)
            });
            run.lines.apply(event);
        }
    }

    /// Does something that prints while the lines are removed.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        let mut screen = lock(&self.shared.screen);
        let was_drawn = !self.shared.is_over() && self.shared.erase(&mut screen);
        let printed = print();
        if was_drawn && !self.shared.is_over() {
            self.shared.draw(&mut screen);
        }
        printed
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        let mut screen = lock(&self.shared.screen);
        if !self.shared.over.swap(true, Ordering::SeqCst) {
            self.shared.erase(&mut screen);
        }
        drop(screen);
        self.shared.ended.notify_all();
        // A panic of the thread has been reported when it happened.
        _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn draw_until_over(&self) {
        let mut screen = lock(&self.screen);
        loop {
            let waited = self.ended.wait_timeout_while(screen, TICK, |_| !self.is_over());
            screen = waited.unwrap_or_else(PoisonError::into_inner).0;
            if self.is_over() {
                return;
            }
            self.draw(&mut screen);
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn draw(&self, screen: &mut Drawn) {
        let (columns, height) = self.size();
        // One row is left for what stands above, and one for a line that wraps against expectation.
        let height = height.saturating_sub(2).max(1);
        let run = lock(&self.run);
        let now = run.began.map_or(Duration::ZERO, |began| began.elapsed());
        let rows = run.lines.rows(now, columns, height, self.stderr.style);
        // The terminal may be slow. Events are taken in meanwhile.
        drop(run);
        write(&screen.replace(&rows, columns));
    }

    /// Returns whether any lines were there.
    fn erase(&self, screen: &mut Drawn) -> bool {
        let erasing = screen.erase(self.size().0);
        write(&erasing);
        !erasing.is_empty()
    }

    /// Columns and rows of the terminal now.
    fn size(&self) -> (usize, usize) {
        term::size_of_stderr().unwrap_or((self.stderr.columns, self.stderr.rows))
    }
}

/// Writes text that is escaped, and the sequences of this file. What the terminal does not take is not drawn.
pub(super) fn write(frame: &str) {
    _ = Stderr::new().write_all(frame.as_bytes());
}

/// What stands on the terminal: the width of each line in cells. The cursor stands at the start of the last line.
#[derive(Debug, Default)]
pub(super) struct Drawn(Vec<usize>);

impl Drawn {
    /// What draws these lines over those that stand on a terminal of `columns` now.
    pub(super) fn replace(&mut self, rows: &[Row], columns: usize) -> String {
        let mut frame = self.to_start(columns);
        for (n, row) in rows.iter().enumerate() {
            frame.push_str(if n == 0 { "" } else { "\r\n" });
            frame.push_str(&row.text.shown(true));
            frame.push_str(ERASE_LINE);
        }
        frame.push_str(ERASE_BELOW);
        frame.push('\r');
        self.0 = rows.iter().map(|row| row.cells).collect();
        frame
    }

    /// What removes all lines; empty where there are none. The cursor is left where the first line began.
    pub(super) fn erase(&mut self, columns: usize) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let erasing = self.to_start(columns) + ERASE_BELOW;
        self.0.clear();
        erasing
    }

    /// Moves the cursor to the start of the first line. Where a line is now wider than the terminal, the terminal has
    /// broken it into several rows: nearly all terminals do.
    fn to_start(&self, columns: usize) -> String {
        let before_last = self.0.split_last().map_or(&[][..], |(_, lines)| lines);
        let rows: usize = before_last.iter().map(|cells| cells.div_ceil(columns.max(1)).max(1)).sum();
        // Zero would move by one row.
        if rows == 0 { "\r".to_owned() } else { format!("\r\x1b[{rows}A") }
    }
}

/// From the cursor to the end of its row.
const ERASE_LINE: &str = "\x1b[K";
/// From the cursor to the end of the screen.
const ERASE_BELOW: &str = "\x1b[J";

#[cfg(test)]
mod tests;
