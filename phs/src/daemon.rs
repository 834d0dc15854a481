//! Runs cycle after cycle, as the schedule says, until a signal says stop. A failure is logged and the cycle is tried
//! again; only a state that cannot be continued from ends the daemon.
//! Neighbours: [`schedule`] says when, `read::watch` wakes, `cycle::job` runs a cycle, `heartbeat` shows the
//! tenant that this process runs, [`status`] reports.

pub mod confirm;
mod heartbeat;
pub mod metrics;
pub mod requests;
pub mod schedule;
pub mod status;
pub mod wake;

use self::heartbeat::Heartbeats;
use self::schedule::{Ended, Schedule, Work};
use self::status::{Board, Status, act};
use self::wake::Wake;
use crate::config::Config;
use crate::cycle;
use crate::cycle::job::{self, Done, Job, Kept};
use crate::error::PhsError;
use crate::mirror::{Mirror, StateError};
use crate::progress::{Lines, Witness};
use crate::read::watch::{Seen, watch};
use crate::stop::Stop;
use landbridge_agent::backoff::chance;
use landbridge_agent::{NodeChoice, ProcessKey};
use landbridge_wire::problem::Who;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tracing::{error, info, warn};

/// Interval at which the status file is written and systemd's watchdog is notified.
const REPORT: Duration = Duration::from_secs(1);
/// A cycle that has made no progress for this long hangs: the watchdog is no longer notified, and systemd restarts the
/// daemon. No single wait of a cycle is longer (the longest is 15 minutes, for one order to a DC).
const HANGS: Duration = Duration::from_secs(20 * 60);
/// The longest sleep between two looks, so that a confirmation of removals takes effect within a second.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// What the daemon is started with.
#[derive(Debug)]
pub struct Daemon<'a> {
    /// The file that the configuration came from, to read it again.
    pub config_file: &'a Path,
    /// The configuration.
    pub config: Config,
    /// Runs the sockets to the tenant.
    pub runtime: &'a Handle,
    /// Ends the daemon.
    pub stop: &'a Stop,
    /// Wakes the daemon.
    pub wake: &'a Arc<Wake>,
    /// The clock: seconds since 1970.
    pub now: fn() -> i64,
}

impl Daemon<'_> {
    /// Runs until `stop`, or until a state that cannot be continued from.
    pub fn run(self) -> Result<(), PhsError> {
        let mut running = Running::start(self)?;
        let ended = running.run_cycles();
        running.end();
        ended
    }
}

/// A daemon that runs: its connections, its schedule, and what it reports.
struct Running<'a> {
    daemon: Daemon<'a>,
    mirror: Mirror,
    process: Arc<ProcessKey>,
    /// The tenant's nodes, and the one in use.
    nodes: Arc<NodeChoice>,
    board: Arc<Board>,
    schedule: Schedule,
    /// Ends the thread that writes the status, and the metrics.
    reporting: Stop,
    /// Ends the thread that watches a DC.
    watching: Stop,
    /// Ends the heartbeats.
    beating: Stop,
    /// Connections that are kept from one cycle to the next.
    kept: Kept,
    /// The DC that the last cycle read.
    last_read: Option<String>,
}

impl<'a> Running<'a> {
    fn start(daemon: Daemon<'a>) -> Result<Self, PhsError> {
        let Daemon { config, runtime, now, .. } = &daemon;
        // 1. What must be there: the identity and the state.
        let identity = job::identity(config)?;
        let mirror = Mirror::open(&config.state_directory)?;
        // 2. The status, and the schedule, which counts from the last full compare.
        let process = Arc::new(ProcessKey::generate()?);
        let nodes = Arc::new(NodeChoice::new(&config.state_directory));
        nodes.follow(&identity);
        let compared_at = cycle::compared_at(&mirror)?;
        let started_at = now();
        let status = Status {
            started_at,
            process: std::process::id(),
            instance: process.name(),
            agent: identity.agent,
            domain: identity.domain,
            certificate_ends: identity.not_after,
            poll_seconds: config.schedule.poll.as_secs(),
            staging: config.staging,
            compared_at,
            ..Status::default()
        };
        let board = Arc::new(Board::new(&config.state_directory, status));
        board.flaws(&mirror)?;
        let compared = compared_at
            .and_then(|at| u64::try_from(started_at.saturating_sub(at)).ok())
            .map(Duration::from_secs);
        let mut schedule = Schedule::new(config.schedule.rules(), compared, Instant::now());
        schedule.set_ending(next_end(&mirror, started_at)?);
        // 3. The threads that report and watch, and the heartbeats.
        let reporting = Stop::new();
        if let Some(address) = config.metrics.listen {
            metrics::serve(runtime, address, board.clone(), reporting.clone(), *now)?;
        }
        report(board.clone(), nodes.clone(), reporting.clone(), *now)?;
        let watching = start_watch(&daemon, &board, None)?;
        let beating = start_heartbeats(&daemon, &board, &process, &nodes);
        info!(domain = config.directory.domain, staging = config.staging, "started");
        Ok(Self {
            daemon,
            mirror,
            process,
            nodes,
            board,
            schedule,
            reporting,
            watching,
            beating,
            kept: Kept::default(),
            last_read: None,
        })
    }

    fn end(&self) {
        self.beating.raise();
        self.watching.raise();
        self.reporting.raise();
        info!("stopped");
        self.board.ended();
    }

    fn run_cycles(&mut self) -> Result<(), PhsError> {
        while !self.daemon.stop.is_raised() {
            self.board.moves_on();
            self.apply_wake_reasons()?;
            let Some(work) = self.schedule.begin(Instant::now()) else {
                let wait = self.schedule.due().saturating_duration_since(Instant::now());
                std::thread::park_timeout(wait.min(LONGEST_SLEEP));
                continue;
            };
            match self.run_cycle(work) {
                Ok(done) => self.completed(done)?,
                Err(why) => match after(&why) {
                    AfterFailure::Again(how) => self.schedule.ended(how, false, Instant::now(), chance()),
                    AfterFailure::Stopped => return Ok(()),
                    AfterFailure::End => return Err(why),
                },
            }
        }
        Ok(())
    }

    /// Acts on everything that woke the daemon.
    fn apply_wake_reasons(&mut self) -> Result<(), PhsError> {
        let wake = self.daemon.wake;
        // 1. SIGHUP: with another configuration every connection may be to the wrong place.
        if wake.is_reload() && self.reload() {
            self.watch_again(None)?;
            self.beating.raise();
            self.beating = start_heartbeats(&self.daemon, &self.board, &self.process, &self.nodes);
            (self.kept, self.last_read) = (Kept::default(), None);
        }
        // 2. The DC that is read does not answer: the next cycle, at once, reads another.
        if let Some(controller) = wake.lost_controller() {
            self.kept.leave(&controller);
            self.schedule.hurry();
        }
        // 3. A change at the DC, or an administrator's confirmation.
        if wake.has_moved() {
            self.schedule.moved(Instant::now());
        }
        if confirm::waiting(&self.daemon.config.state_directory, (self.daemon.now)()).is_some() {
            self.schedule.hurry();
        }
        Ok(())
    }

    /// Plans the next cycle after a complete one.
    fn completed(&mut self, done: Done) -> Result<(), PhsError> {
        let brought = done.counts.changed || done.counts.has_sent();
        let how = Ended::Complete { brought };
        self.schedule.ended(how, done.counts.mode == "full", Instant::now(), chance());
        self.schedule.set_ending(next_end(&self.mirror, (self.daemon.now)())?);
        if done.counts.unfinished {
            self.schedule.hurry();
        }
        // Watch the DC that is read: what another DC commits does not say when this one has it.
        if self.last_read.as_ref() != Some(&done.controller) {
            self.schedule.other_controller();
            if !self.board.is_watching(&done.controller) {
                self.watch_again(Some(done.controller.clone()))?;
            }
            self.last_read = Some(done.controller);
        }
        Ok(())
    }

    fn watch_again(&mut self, read: Option<String>) -> Result<(), PhsError> {
        self.watching.raise();
        self.watching = start_watch(&self.daemon, &self.board, read)?;
        Ok(())
    }

    /// Runs one cycle, and reports how it ended.
    fn run_cycle(&mut self, work: Work) -> Result<Done, PhsError> {
        let Daemon { config, runtime, stop, now, .. } = &self.daemon;
        let (board, mirror) = (&*self.board, &self.mirror);
        let began = Instant::now();
        // 1. Run it, with the confirmation that waits, if there is one.
        let confirmation = confirm::waiting(&config.state_directory, now());
        board.begun(now());
        let witness = Pulse { lines: Lines::new(Duration::from_secs(5)), board };
        let job = Job {
            config,
            mirror,
            runtime,
            stop,
            witness: &witness,
            process: &self.process,
            nodes: &self.nodes,
            full: work == Work::All,
            dry_run: false,
            confirmed: confirmation.map(|confirmation| confirmation.accounts),
            now: now(),
        };
        let done = job.run(&mut self.kept).and_then(|done| Ok((board.flaws(mirror)?, done)));
        let (more_flaws, done) = match done {
            Ok(done) => done,
            Err(why) => {
                board.failed(&why, now());
                if !matches!(why, PhsError::Interrupted) {
                    warn!(%why, who = act(&why), "a cycle failed");
                }
                return Err(why);
            }
        };
        // 2. The confirmation holds for one complete cycle.
        if let Some(confirmation) = confirmation {
            confirm::done(&config.state_directory, confirmation);
        }
        // 3. Report.
        board.complete(&done, began.elapsed(), now());
        let counts = &done.counts;
        if counts.held > 0 {
            warn!(
                accounts = counts.held,
                "accounts left the scope and are held back until an administrator confirms their removal"
            );
        }
        if more_flaws > 0 {
            warn!(
                more = more_flaws,
                "objects of the directory cannot be read or carried as they are: `status` names them"
            );
        }
        if counts.has_sent() && !config.staging {
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

    /// Reads the configuration again. Returns whether it is in use now; one with an error changes nothing.
    fn reload(&mut self) -> bool {
        let old = &self.daemon.config;
        match Config::load(self.daemon.config_file) {
            Ok(config) if config.state_directory != old.state_directory => {
                error!("`state_directory` cannot change while the daemon runs: the old configuration stays");
                false
            }
            Ok(config) => {
                info!("the configuration was read again");
                if config.metrics.listen != old.metrics.listen {
                    warn!("the change of [metrics] listen takes effect when the daemon is restarted");
                }
                let (staging, poll) = (config.staging, config.schedule.poll.as_secs());
                self.board.change(|status| (status.staging, status.poll_seconds) = (staging, poll));
                self.schedule.set(config.schedule.rules(), Instant::now());
                self.daemon.config = config;
                true
            }
            Err(why) => {
                error!(%why, "the configuration is wrong: the old one stays");
                false
            }
        }
    }
}

/// Starts the thread that watches a DC: `read`, if it answers, or the first that does. Raise what is returned to end
/// it.
fn start_watch(daemon: &Daemon<'_>, board: &Arc<Board>, read: Option<String>) -> Result<Stop, PhsError> {
    let stop = Stop::new();
    if !daemon.config.schedule.watch {
        board.seen(Seen::Blind("`watch = false`".to_owned()));
        return Ok(stop);
    }
    let directory = daemon.config.directory.clone();
    let (ends, wake, board) = (stop.clone(), daemon.wake.clone(), board.clone());
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

/// Starts the heartbeats. While staging, nothing is sent. Raise what is returned to end them.
fn start_heartbeats(
    daemon: &Daemon<'_>,
    board: &Arc<Board>,
    process: &Arc<ProcessKey>,
    nodes: &Arc<NodeChoice>,
) -> Stop {
    let Daemon { config, runtime, now, .. } = daemon;
    board.change(|status| status.heartbeat_at = None);
    if config.staging {
        return Stop::new();
    }
    let heartbeats = Heartbeats {
        state_directory: config.state_directory.clone(),
        proxy: config.tenant.clone(),
        process: process.clone(),
        nodes: nodes.clone(),
        board: board.clone(),
        now: *now,
    };
    heartbeats.start(runtime)
}

/// When the next membership ends by itself; none: none does, or none that a clock can tell. `now`: seconds since 1970.
fn next_end(mirror: &Mirror, now: i64) -> Result<Option<Instant>, StateError> {
    let left = mirror.next_end()?.map(|until| u64::try_from(until.saturating_sub(now)).unwrap_or(0));
    Ok(left.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds))))
}

/// What the daemon does after a failed cycle.
enum AfterFailure {
    Again(Ended),
    Stopped,
    End,
}

fn after(error: &PhsError) -> AfterFailure {
    match error {
        PhsError::Interrupted => AfterFailure::Stopped,
        // Waiting does not help, and continuing is not safe.
        PhsError::State(
            StateError::Corrupt { .. }
            | StateError::Newer { .. }
            | StateError::Busy { .. }
            | StateError::Directory(_),
        ) => AfterFailure::End,
        PhsError::State(
            StateError::DiskFull { .. } | StateError::Denied { .. } | StateError::Failed { .. },
        )
        | PhsError::Config(_)
        | PhsError::OtherDomain { .. }
        | PhsError::OtherSid { .. }
        | PhsError::NoSuchEntry { .. }
        | PhsError::WrongEntry { .. }
        | PhsError::HeadUnreadable(_)
        | PhsError::AccountUnknown(_)
        | PhsError::NoSuchGroup(_)
        | PhsError::GroupUnreadable { .. }
        | PhsError::WideEntry { .. }
        | PhsError::NoSuchObject(_)
        | PhsError::NotRunning(_)
        | PhsError::Listen { .. }
        | PhsError::NotAcknowledged
        | PhsError::Defect(_) => AfterFailure::Again(Ended::Later),
        PhsError::TenantReplaced => AfterFailure::Again(Ended::Soon),
        PhsError::Agent(_) | PhsError::Pull(_) => AfterFailure::Again(match error.who() {
            Who::Nobody => Ended::Soon,
            Who::AgentOperator | Who::DirectoryOperator | Who::TenantOperator | Who::Developers => {
                Ended::Later
            }
        }),
    }
}

/// Notes on the board that a cycle makes progress, and logs it every few seconds.
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

/// Starts the thread that writes the status file and, unless the cycle hangs, notifies systemd's watchdog.
fn report(board: Arc<Board>, nodes: Arc<NodeChoice>, stop: Stop, now: fn() -> i64) -> Result<(), PhsError> {
    let reporting = move || {
        let notify = |states: &[sd_notify::NotifyState<'_>]| {
            let _ = sd_notify::notify(states);
        };
        notify(&[sd_notify::NotifyState::Ready]);
        while !stop.is_raised() {
            board.count_requests(now());
            board.change(|status| status.nodes = nodes.all());
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
