//! Progress of a cycle: a bar on a terminal, a log line every few seconds elsewhere. Log lines are written above the
//! bar.
//! Neighbours: `cycle` calls a `Witness`, `command::once` and `daemon` choose which.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::info;

/// Receives the progress of a cycle.
pub trait Witness: Sync {
    /// The approximate number of objects in the domain, as the DC reports it.
    fn total(&self, objects: u64);
    /// This number of further objects was processed.
    fn read(&self, objects: u64);
    /// One further digest was derived.
    fn derived(&self);
    /// This number of further records was sent.
    fn sent(&self, records: u64);
}

/// Ignores all progress.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Witness for Silent {
    fn total(&self, _: u64) {}
    fn read(&self, _: u64) {}
    fn derived(&self) {}
    fn sent(&self, _: u64) {}
}

/// The terminal on which bars are drawn. Log lines must be written through it.
#[derive(Debug, Clone)]
pub struct Screen(MultiProgress);

impl Screen {
    /// Standard error.
    pub fn new() -> Self {
        Self(MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)))
    }

    /// A writer for log lines.
    pub fn writer(&self) -> LogWriter {
        LogWriter(self.0.clone())
    }

    /// A bar for one cycle.
    pub fn bar(&self) -> Bar {
        let bar = self.0.add(ProgressBar::no_length());
        let style = "{spinner} {pos}/{len} objects [{bar:30}] {elapsed_precise}  {msg}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        let zero = || AtomicU64::new(0);
        Bar { bar, ahead: zero(), derived: zero(), sent: zero() }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes a log line above the bars.
#[derive(Debug)]
pub struct LogWriter(MultiProgress);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A progress bar; vanishes when dropped.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    /// Objects of the present page that the bar has counted already, by their derivation.
    ahead: AtomicU64,
    derived: AtomicU64,
    sent: AtomicU64,
}

impl Bar {
    fn say(&self) {
        let (derived, sent) = (self.derived.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed));
        self.bar.set_message(format!("{derived} digests derived, {sent} records sent"));
    }
}

impl Witness for Bar {
    fn total(&self, objects: u64) {
        self.bar.set_length(objects.max(self.bar.position()));
    }

    fn read(&self, objects: u64) {
        self.bar.inc(objects.saturating_sub(self.ahead.swap(0, Ordering::Relaxed)));
        let position = self.bar.position();
        if self.bar.length().is_some_and(|length| length < position) {
            self.bar.set_length(position);
        }
    }

    /// Derivations take nearly all of the time: the bar moves with them, not only with whole pages.
    fn derived(&self) {
        self.bar.inc(1);
        self.ahead.fetch_add(1, Ordering::Relaxed);
        self.derived.fetch_add(1, Ordering::Relaxed);
        self.say();
    }

    fn sent(&self, records: u64) {
        self.sent.fetch_add(records, Ordering::Relaxed);
        self.say();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A log line at intervals.
#[derive(Debug)]
pub struct Lines {
    every: Duration,
    last: Mutex<Instant>,
    read: AtomicU64,
    derived: AtomicU64,
    sent: AtomicU64,
}

impl Lines {
    /// At most one line per `every`.
    pub fn new(every: Duration) -> Self {
        let zero = || AtomicU64::new(0);
        Self { every, last: Mutex::new(Instant::now()), read: zero(), derived: zero(), sent: zero() }
    }

    fn say(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= self.every {
            *last = Instant::now();
            let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
            info!(
                read = load(&self.read),
                derived = load(&self.derived),
                sent = load(&self.sent),
                "synchronising"
            );
        }
    }
}

impl Witness for Lines {
    fn total(&self, _: u64) {}

    fn read(&self, objects: u64) {
        self.read.fetch_add(objects, Ordering::Relaxed);
        self.say();
    }

    fn derived(&self) {
        self.derived.fetch_add(1, Ordering::Relaxed);
        self.say();
    }

    fn sent(&self, records: u64) {
        self.sent.fetch_add(records, Ordering::Relaxed);
        self.say();
    }
}
