//! Cycle after cycle, when the schedule says so, until somebody wishes to stop. A failure is written down and tried again;
//! only a state that cannot be gone on with ends it.
//! Neighbours: [`schedule`] says when, `read::watch` wakes, `cycle::job` does it, [`status`] tells.

pub mod confirm;
pub mod metrics;
pub mod schedule;
pub mod status;

use self::schedule::{Ended, Schedule, Work};
use self::status::{Board, Status, act};
use crate::config::Config;
use crate::cycle;
use crate::cycle::job::{self, Done, Job, Kept};
use crate::error::{PhsError, Who};
use crate::mirror::{Mirror, StateError};
use crate::progress::{Lines, Witness};
use crate::read::watch::{Seen, watch};
use crate::stop::Stop;
use landbridge_agent::backoff::chance;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tracing::{error, info, warn};
use uuid::Uuid;

/// The status is written, and systemd hears of us, this often.
const REPORT: Duration = Duration::from_secs(1);
/// Nothing that a cycle waits for takes longer: whoever stands so long hangs, and systemd starts us anew.
const HANGS: Duration = Duration::from_secs(20 * 60);
/// The longest sleep: a yes to removals waits no longer.
const LONGEST: Duration = Duration::from_secs(1);

/// What wakes the daemon, from any thread.
#[derive(Debug)]
pub struct Wake {
    moved: AtomicBool,
    reload: AtomicBool,
    lost: Mutex<Option<String>>,
    thread: Thread,
}

impl Wake {
    /// Wakes this thread, which is to run the daemon.
    pub fn this_thread() -> Arc<Self> {
        let thread = std::thread::current();
        let (moved, reload) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { moved, reload, lost: Mutex::new(None), thread })
    }

    /// The configuration is to be read again.
    pub fn reload(&self) {
        self.reload.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }

    /// A DC has moved.
    pub fn moved(&self) {
        self.moved.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }

    /// This DC does not answer any more.
    fn lost(&self, controller: String) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(controller);
        self.thread.unpark();
    }

    /// The DC that stopped answering since this was asked last.
    fn take_lost(&self) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// There is something to look at: the wish to stop, say.
    pub fn up(&self) {
        self.thread.unpark();
    }
}

/// Everything that the daemon works with.
#[derive(Debug)]
pub struct Daemon<'a> {
    /// The file that the configuration came from.
    pub config_file: &'a Path,
    /// The configuration.
    pub config: Config,
    /// Sockets to the tenant live here.
    pub runtime: &'a Handle,
    /// Ends it.
    pub stop: &'a Stop,
    /// Wakes it.
    pub wake: &'a Arc<Wake>,
    /// The clock: seconds since 1970.
    pub now: fn() -> i64,
}

impl Daemon<'_> {
    /// Runs until `stop`, or until it cannot go on.
    pub fn run(mut self) -> Result<(), PhsError> {
        let identity = job::identity(&self.config)?;
        let mirror = Mirror::open(&self.config.state_directory)?;
        let instance = Uuid::new_v4();
        let compared_at = cycle::compared_at(&mirror)?;
        let started_at = (self.now)();
        let board = Arc::new(Board::new(
            &self.config.state_directory,
            Status {
                started_at,
                process: std::process::id(),
                instance,
                agent: identity.agent,
                domain: identity.domain,
                certificate_ends: identity.not_after,
                poll_seconds: self.config.schedule.poll.as_secs(),
                staging: self.config.staging,
                compared_at,
                ..Status::default()
            },
        ));
        let compared = compared_at
            .and_then(|at| u64::try_from(started_at.saturating_sub(at)).ok())
            .map(Duration::from_secs);
        let mut schedule = Schedule::new(self.config.schedule.rules(), compared, Instant::now());
        let reporting = Stop::new();
        if let Some(address) = self.config.metrics.listen {
            metrics::serve(self.runtime, address, board.clone(), reporting.clone(), self.now)?;
        }
        report(board.clone(), reporting.clone(), self.now)?;
        let mut watching = self.watch(&board, None)?;
        let mut kept = Kept::default();
        let mut read = None;
        info!(domain = self.config.directory.domain, staging = self.config.staging, "started");
        let ended = loop {
            if self.stop.is_raised() {
                break Ok(());
            }
            board.moves_on();
            if self.wake.reload.swap(false, Ordering::SeqCst) && self.reload(&mut schedule, &board) {
                watching.raise();
                watching = self.watch(&board, None)?;
                (kept, read) = (Kept::default(), None);
            }
            if let Some(controller) = self.wake.take_lost() {
                kept.leave(&controller);
                schedule.moved();
            }
            if self.wake.moved.swap(false, Ordering::SeqCst)
                || confirm::waiting(&self.config.state_directory, (self.now)()).is_some()
            {
                schedule.moved();
            }
            let Some(work) = schedule.begin(Instant::now()) else {
                let wait = schedule.due().saturating_duration_since(Instant::now());
                std::thread::park_timeout(wait.min(LONGEST));
                continue;
            };
            match self.cycle(work, &mirror, &board, instance, &mut kept) {
                Ok(done) => {
                    schedule.ended(Ended::Complete, done.counts.mode == "full", Instant::now(), chance());
                    if done.counts.unfinished {
                        schedule.moved();
                    }
                    // What another DC commits says nothing of when this one has it.
                    if read.as_ref() != Some(&done.controller) {
                        if !board.is_watching(&done.controller) {
                            watching.raise();
                            watching = self.watch(&board, Some(done.controller.clone()))?;
                        }
                        read = Some(done.controller);
                    }
                }
                Err(why) => match next(&why) {
                    Next::Again(how) => schedule.ended(how, false, Instant::now(), chance()),
                    Next::Stopped => break Ok(()),
                    Next::End => break Err(why),
                },
            }
        };
        watching.raise();
        reporting.raise();
        info!("stopped");
        board.ended();
        ended
    }

    /// One cycle.
    fn cycle(
        &self,
        work: Work,
        mirror: &Mirror,
        board: &Board,
        instance: Uuid,
        kept: &mut Kept,
    ) -> Result<Done, PhsError> {
        let began = Instant::now();
        let yes = confirm::waiting(&self.config.state_directory, (self.now)());
        board.begun((self.now)());
        let witness = Pulse { lines: Lines::new(Duration::from_secs(5)), board };
        let job = Job {
            config: &self.config,
            mirror,
            runtime: self.runtime,
            stop: self.stop,
            witness: &witness,
            instance,
            full: work == Work::All,
            dry_run: false,
            confirmed: yes.map(|yes| yes.accounts),
            now: (self.now)(),
        };
        let done = match job.run(kept).and_then(|done| board.quarantine(mirror).map(|()| done)) {
            Ok(done) => done,
            Err(why) => {
                board.failed(&why, (self.now)());
                if !matches!(why, PhsError::Interrupted) {
                    warn!(%why, who = act(&why), "a cycle failed");
                }
                return Err(why);
            }
        };
        if let Some(yes) = yes {
            confirm::done(&self.config.state_directory, yes);
        }
        board.complete(&done, began.elapsed(), (self.now)());
        let counts = &done.counts;
        if counts.held > 0 {
            warn!(
                accounts = counts.held,
                "accounts left the scope and are held back until somebody has looked"
            );
        }
        let sent = counts.records_sent > 0 || counts.links_sent > 0 || counts.policy_sent;
        if sent && !self.config.staging {
            info!(
                mode = counts.mode,
                controller = done.controller,
                read = counts.read,
                records = counts.records_sent,
                links = counts.links_sent,
                digests = counts.digests_sent,
                removed = counts.removed,
                milliseconds = began.elapsed().as_millis(),
                "the tenant has what changed"
            );
        }
        Ok(done)
    }

    /// Reads the configuration again; whether it is another one now. One that is wrong changes nothing.
    fn reload(&mut self, schedule: &mut Schedule, board: &Board) -> bool {
        match Config::load(self.config_file) {
            Ok(config) if config.state_directory != self.config.state_directory => {
                error!("`state_directory` cannot change while the daemon runs: the old configuration stays");
                false
            }
            Ok(config) => {
                info!("the configuration was read again");
                if config.metrics.listen != self.config.metrics.listen {
                    warn!("another [metrics] listen takes effect when the daemon is started anew");
                }
                self.config = config;
                let staging = self.config.staging;
                board.change(|status| status.staging = staging);
                schedule.set(self.config.schedule.rules(), Instant::now());
                let poll = self.config.schedule.poll.as_secs();
                board.change(|status| status.poll_seconds = poll);
                true
            }
            Err(why) => {
                error!(%why, "the configuration is wrong: the old one stays");
                false
            }
        }
    }

    /// Starts the watch; it ends with what is given back.
    fn watch(&self, board: &Arc<Board>, read: Option<String>) -> Result<Stop, PhsError> {
        let stop = Stop::new();
        if !self.config.schedule.watch {
            board.seen(Seen::Blind("`watch = false`".to_owned()));
            return Ok(stop);
        }
        let directory = self.config.directory.clone();
        let (ends, wake, board) = (stop.clone(), self.wake.clone(), board.clone());
        let watching = move || {
            watch(&directory, read.as_deref(), &ends, |seen| match seen {
                Seen::Moved => wake.moved(),
                Seen::Lost(controller) => wake.lost(controller),
                Seen::Watching(_) | Seen::Blind(_) => board.seen(seen),
            });
        };
        thread("watch", watching)?;
        Ok(stop)
    }
}

/// What comes after a failure.
enum Next {
    Again(Ended),
    Stopped,
    End,
}

fn next(error: &PhsError) -> Next {
    match error {
        PhsError::Interrupted => Next::Stopped,
        // Nothing that time mends, and nothing that is safe to go on with.
        PhsError::State(
            StateError::Corrupt { .. }
            | StateError::Newer { .. }
            | StateError::Busy { .. }
            | StateError::Directory(_),
        ) => Next::End,
        PhsError::State(
            StateError::DiskFull { .. } | StateError::Denied { .. } | StateError::Failed { .. },
        )
        | PhsError::Config(_)
        | PhsError::OtherDomain { .. }
        | PhsError::OtherSid { .. }
        | PhsError::NoSuchEntry(_)
        | PhsError::TenantOlder
        | PhsError::NoSuchObject(_)
        | PhsError::NotRunning(_)
        | PhsError::Listen { .. }
        | PhsError::NotAcknowledged
        | PhsError::Defect(_) => Next::Again(Ended::Later),
        PhsError::TenantReplaced => Next::Again(Ended::Soon),
        PhsError::Agent(_) | PhsError::Pull(_) => Next::Again(match error.who() {
            Who::Nobody => Ended::Soon,
            Who::Operator | Who::DirectoryOperator | Who::TenantOperator | Who::Developers => Ended::Later,
        }),
    }
}

/// Tells the board that a cycle moves on, and the log now and then.
struct Pulse<'a> {
    lines: Lines,
    board: &'a Board,
}

impl Witness for Pulse<'_> {
    fn total(&self, objects: u64) {
        self.board.moves_on();
        self.lines.total(objects);
    }

    fn read(&self, objects: u64) {
        self.board.moves_on();
        self.lines.read(objects);
    }

    fn derived(&self) {
        self.board.moves_on();
        self.lines.derived();
    }

    fn sent(&self, records: u64) {
        self.board.moves_on();
        self.lines.sent(records);
    }
}

/// Writes the status and tells systemd that we live, while we do not hang.
fn report(board: Arc<Board>, stop: Stop, now: fn() -> i64) -> Result<(), PhsError> {
    let reporting = move || {
        let notify = |states: &[sd_notify::NotifyState<'_>]| {
            let _ = sd_notify::notify(states);
        };
        notify(&[sd_notify::NotifyState::Ready]);
        while !stop.is_raised() {
            board.write(now());
            if board.stands() < HANGS {
                notify(&[sd_notify::NotifyState::Watchdog]);
            }
            std::thread::sleep(REPORT);
        }
    };
    thread("report", reporting)
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), PhsError> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map(drop).map_err(|_| PhsError::Defect("the system gives no threads"))
}
