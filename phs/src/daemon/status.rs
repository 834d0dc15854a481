//! The status of the running daemon. [`landbridge_agent::status`] reads and writes the file.

use crate::cycle::job::Done;
use crate::daemon::requests::{RequestCount, Requests};
use crate::error::PhsError;
use crate::mirror::{Flaw, FlawCounts, Mirror};
use crate::read::pull;
use crate::read::watch::Seen;
use landbridge_agent::error::must_act;
use landbridge_agent::status;
use landbridge_wire::problem::Who;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Limit on flaws, and on accounts without an NT hash, that the status names; all are counted.
const NAMED: usize = 100;
/// Polls without a complete cycle before the daemon counts as unhealthy.
const MISSED: i64 = 3;

/// The status. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// When this was written.
    pub written_at: i64,
    /// When the process started.
    pub started_at: i64,
    /// The process.
    pub process: u32,
    /// The name of the process, which follows from its key.
    pub instance: Uuid,
    /// The agent.
    pub agent: Uuid,
    /// The domain.
    pub domain: String,
    /// When the certificate ends.
    pub certificate_ends: i64,
    /// A cycle begins at least this often, in seconds.
    pub poll_seconds: u64,
    /// The DC that is watched for changes.
    pub watching: Option<String>,
    /// Why no DC is watched.
    pub blind: Option<String>,
    /// When the running cycle began, if one runs.
    pub cycle_since: Option<i64>,
    /// When a cycle last made progress.
    pub moved_on_at: i64,
    /// When the tenant last answered a heartbeat. None: no heartbeat was answered yet, or none is sent.
    #[serde(default)]
    pub heartbeat_at: Option<i64>,
    /// The URLs of the tenant's nodes, in the order in which they are tried. Requests go to the first.
    #[serde(default)]
    pub nodes: Vec<String>,
    /// The last complete cycle.
    pub complete: Option<Complete>,
    /// When the last full compare ended.
    pub compared_at: Option<i64>,
    /// Complete cycles since the start.
    pub cycles: u64,
    /// Records that the tenant stored since the start.
    pub records_sent: u64,
    /// Digests among them.
    pub digests_sent: u64,
    /// Failed cycles since the last complete one.
    pub failed_in_a_row: u64,
    /// Why the last cycle failed, if it did.
    pub trouble: Option<Trouble>,
    /// Replication requests that were sent to DCs.
    #[serde(default)]
    pub replication_requests: RequestCount,
    /// `staging = true`: nothing is sent.
    #[serde(default)]
    pub staging: bool,
    /// Accounts that left the scope and are held back until an administrator confirms.
    #[serde(default)]
    pub held: u64,
    /// Accounts in the cloud with a name that an account that is not carried also has, at the end of the last full
    /// compare. Such a name signs nobody in.
    #[serde(default)]
    pub ambiguous: u64,
    /// Passwords that the tenant holds with fewer iterations than the profile has, and that wait to be derived again.
    #[serde(default)]
    pub digests_left: u64,
    /// DCs that were turned back to an earlier state, and are no longer read.
    #[serde(default)]
    pub distrusted: Vec<String>,
    /// How many objects are in quarantine.
    pub quarantined: u64,
    /// How many attributes and links are left out of objects that are carried.
    #[serde(default)]
    pub left_out: u64,
    /// The first of both, for a person to mend.
    #[serde(default)]
    pub flaws: Vec<Flaw>,
    /// Enabled people in the cloud whose password is carried and of whom the directory has no NT hash.
    #[serde(default)]
    pub without_hash: u64,
    /// The first of them by name.
    #[serde(default)]
    pub without_hash_names: Vec<String>,
    /// What else an administrator should look at, at the end of the last complete cycle.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// How the daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Nobody needs to look.
    Healthy,
    /// Cycles complete, and something in the directory or the configuration is to be mended.
    Warn(String),
    /// A person should look now.
    Unhealthy(String),
}

/// A complete cycle: the tenant has acknowledged all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complete {
    /// When it ended.
    pub at: i64,
    /// How long it took.
    pub milliseconds: u64,
    /// `incremental` or `full`.
    pub mode: String,
    /// The DC that was read.
    pub controller: String,
    /// Objects that the DC sent.
    pub read: u64,
    /// Records sent to the tenant.
    pub records_sent: u64,
    /// Links sent to the tenant.
    #[serde(default)]
    pub links_sent: u64,
    /// Digests among them.
    pub digests_sent: u64,
}

/// What keeps cycles from being complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When the first of the failed cycles failed.
    pub since: i64,
    /// The error.
    pub what: String,
    /// Who must act.
    pub who: String,
}

impl Status {
    /// Whether the process that wrote the status still runs, as far as can be seen.
    pub fn is_alive(&self, now: i64) -> bool {
        status::is_fresh(self.written_at, now) && Path::new("/proc").join(self.process.to_string()).exists()
    }

    /// Seconds since the last complete cycle; before the first one, seconds since the start.
    pub fn staleness(&self, now: i64) -> i64 {
        let since = self.complete.as_ref().map_or(self.started_at, |complete| complete.at);
        now.saturating_sub(since).max(0)
    }

    /// Why a person should look at the daemon; none if it is healthy. A long cycle that makes progress is healthy.
    pub fn unhealthy(&self, now: i64) -> Option<String> {
        let patience = MISSED.saturating_mul(i64::try_from(self.poll_seconds).unwrap_or(i64::MAX));
        let stale = self.staleness(now);
        // Progress since the cycle began, with a second for rounding: one failing attempt after the other is none.
        let moves_on = self.cycle_since.is_some_and(|since| self.moved_on_at > since.saturating_add(1))
            && now.saturating_sub(self.moved_on_at) <= patience;
        if stale <= patience || moves_on {
            return self.needs_attention();
        }
        let why = self.trouble.as_ref().map_or("", |trouble| &trouble.what);
        Some(format!("no complete cycle for {stale} s; {why}").trim_end_matches("; ").to_owned())
    }

    /// How the daemon is. As long as anything is to be mended it is not [`Health::Healthy`].
    pub fn health(&self, now: i64) -> Health {
        match (self.unhealthy(now), self.warning()) {
            (Some(why), _) => Health::Unhealthy(why),
            (None, Some(why)) => Health::Warn(why),
            (None, None) => Health::Healthy,
        }
    }

    /// What is to be mended although all else is well.
    fn warning(&self) -> Option<String> {
        let mut all = self.warnings.clone();
        if self.quarantined > 0 {
            all.push(format!("{} objects of the directory are in quarantine", self.quarantined));
        }
        if self.left_out > 0 {
            all.push(format!("{} attributes or links of the directory are left out", self.left_out));
        }
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// What needs a person although cycles complete.
    fn needs_attention(&self) -> Option<String> {
        if self.held > 0 {
            return Some(format!(
                "{} accounts left the scope and are held back: look at them (`once --dry-run`), then `once \
                 --confirm-removals {}`",
                self.held, self.held
            ));
        }
        (!self.distrusted.is_empty()).then(|| {
            let names = self.distrusted.join(", ");
            format!("{names} was turned back to an earlier state (USN rollback) and is no longer read: restore it by AD's own means, or take it out of service")
        })
    }
}

/// The status while it changes, and when the daemon last made progress.
#[derive(Debug)]
pub struct Board {
    state_directory: PathBuf,
    status: Mutex<Status>,
    moved_on: Mutex<Instant>,
    requests: Mutex<Requests>,
}

impl Board {
    /// A board that writes its status under this state directory.
    pub fn new(state_directory: &Path, status: Status) -> Self {
        let (status, moved_on) = (Mutex::new(status), Mutex::new(Instant::now()));
        let requests = Mutex::new(Requests::default());
        Self { state_directory: state_directory.to_owned(), status, moved_on, requests }
    }

    /// Changes the status.
    pub fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut held(&self.status));
    }

    /// Notes progress.
    pub fn moves_on(&self) {
        *held(&self.moved_on) = Instant::now();
    }

    /// Notes how many replication requests were sent by now.
    pub fn count_requests(&self, now: i64) {
        let count = held(&self.requests).count(now, pull::requests());
        self.change(|status| status.replication_requests = count);
    }

    /// Time since the last progress.
    pub fn stands(&self) -> Duration {
        held(&self.moved_on).elapsed()
    }

    /// Notes what the watch found.
    pub fn seen(&self, seen: Seen) {
        self.change(|status| match seen {
            // The watch looks for another DC.
            Seen::Moved | Seen::Lost(_) => {}
            Seen::Watching(controller) => (status.watching, status.blind) = (Some(controller), None),
            Seen::Blind(why) => (status.watching, status.blind) = (None, Some(why)),
        });
    }

    /// Whether this is the DC that is watched.
    pub fn is_watching(&self, controller: &str) -> bool {
        held(&self.status).watching.as_deref() == Some(controller)
    }

    /// A cycle begins.
    pub fn begun(&self, now: i64) {
        self.change(|status| status.cycle_since = Some(now));
    }

    /// A cycle is complete.
    pub fn complete(&self, done: &Done, took: Duration, now: i64) {
        let Done { counts, controller, distrusted, certificate_ends } = done;
        self.change(|status| {
            status.cycle_since = None;
            status.cycles += 1;
            // While staging, the counts say what would be sent.
            if !status.staging {
                status.records_sent += counts.records_sent;
                status.digests_sent += counts.digests_sent;
            }
            (status.failed_in_a_row, status.trouble) = (0, None);
            status.certificate_ends = *certificate_ends;
            status.held = counts.held;
            status.ambiguous = counts.ambiguous;
            status.digests_left = counts.digests_left;
            status.without_hash = counts.without_hash;
            status.warnings.clone_from(&counts.warnings);
            status.distrusted.clone_from(distrusted);
            if counts.mode == "full" {
                status.compared_at = Some(now);
            }
            status.complete = Some(Complete {
                at: now,
                milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                mode: counts.mode.to_owned(),
                controller: controller.clone(),
                read: counts.read,
                records_sent: counts.records_sent,
                links_sent: counts.links_sent,
                digests_sent: counts.digests_sent,
            });
        });
    }

    /// A cycle failed.
    pub fn failed(&self, error: &PhsError, now: i64) {
        let (what, who) = (error.to_string(), act(error));
        self.change(|status| {
            status.cycle_since = None;
            status.failed_in_a_row += 1;
            let since = status.trouble.as_ref().map_or(now, |trouble| trouble.since);
            status.trouble = Some(Trouble { since, what, who });
        });
    }

    /// Reads from the mirror what is to be mended. Returns how many flaws there are more than before.
    pub fn flaws(&self, mirror: &Mirror) -> Result<u64, PhsError> {
        let FlawCounts { quarantined, left_out } = mirror.count_flaws()?;
        let (flaws, names) = (mirror.flaws(NAMED)?, mirror.without_hash(NAMED)?);
        let mut more = 0;
        self.change(|status| {
            more = (quarantined + left_out).saturating_sub(status.quarantined + status.left_out);
            (status.quarantined, status.left_out) = (quarantined, left_out);
            (status.flaws, status.without_hash_names) = (flaws, names);
        });
        Ok(more)
    }

    /// A copy of the status, as of now.
    pub fn snapshot(&self, now: i64) -> Status {
        let stands = i64::try_from(self.stands().as_secs()).unwrap_or(i64::MAX);
        let mut status = held(&self.status);
        status.written_at = now;
        status.moved_on_at = now.saturating_sub(stands);
        status.clone()
    }

    /// Writes the status file.
    pub fn write(&self, now: i64) {
        self.put(&self.snapshot(now));
    }

    /// The process ends. The file stays, marked as not running.
    pub fn ended(&self) {
        self.put(&Status { written_at: 0, ..held(&self.status).clone() });
    }

    fn put(&self, status: &Status) {
        if let Err(why) = status::write(&self.state_directory, status) {
            tracing::warn!(%why, "the status cannot be written");
        }
    }
}

/// Who must act, as a sentence. A daemon tries again by itself.
pub fn act(error: &PhsError) -> String {
    match error.who() {
        Who::Nobody => "nobody must act: it is tried again".to_owned(),
        who @ (Who::AgentOperator | Who::DirectoryOperator | Who::TenantOperator | Who::Developers) => {
            must_act(who).to_owned()
        }
    }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn accounts_with_a_name_of_one_that_is_not_carried_are_in_the_status_and_no_reason_to_be_unwell() {
        let board = Board::new(Path::new("/nonexistent"), Status { poll_seconds: 120, ..Status::default() });
        let done = Done {
            counts: crate::cycle::Counts { ambiguous: 3, ..Default::default() },
            controller: "dc1.corp.example.com".to_owned(),
            distrusted: Vec::new(),
            certificate_ends: 0,
        };
        board.complete(&done, Duration::ZERO, 1_000);
        let status = board.snapshot(1_000);
        assert_eq!((status.ambiguous, status.unhealthy(1_000)), (3, None));
    }

    #[test]
    fn what_is_to_be_mended_warns_as_long_as_it_is_there_and_what_is_worse_comes_first() {
        let mut status = Status { started_at: 1_000, poll_seconds: 120, ..Status::default() };
        assert_eq!(status.health(1_000), Health::Healthy);
        let warns = |status: &Status, says: &str| {
            let health = status.health(1_000);
            assert!(matches!(&health, Health::Warn(why) if why.contains(says)), "{says}: {health:?}");
        };
        status.left_out = 1;
        warns(&status, "1 attributes or links");
        status.quarantined = 9;
        warns(&status, "9 objects of the directory are in quarantine; 1 attributes");
        (status.left_out, status.quarantined) = (0, 0);
        status.warnings = vec!["nobody is carried: why".to_owned()];
        warns(&status, "nobody is carried");
        status.held = 3;
        assert!(matches!(status.health(1_000), Health::Unhealthy(why) if why.contains("held back")));
        (status.held, status.warnings) = (0, vec![]);
        status.without_hash = 3;
        assert_eq!(status.health(1_000), Health::Healthy, "some accounts never had a password");
    }

    #[test]
    fn a_list_of_flaws_that_grows_is_noticed_once() {
        let directory = crate::mirror::tests::directory();
        let mirror = Mirror::open(directory.path()).unwrap();
        let board = Board::new(Path::new("/nonexistent"), Status::default());
        let named = crate::mirror::Named::default();
        mirror.quarantine(Uuid::from_u128(1), named, "", "it has no name", 1).unwrap();
        assert_eq!((board.flaws(&mirror).unwrap(), board.flaws(&mirror).unwrap()), (1, 0));
        mirror.leave_out(Uuid::from_u128(2), named, "title", "is odd", 1).unwrap();
        mirror.leave_out(Uuid::from_u128(2), named, "mail", "is odd", 1).unwrap();
        assert_eq!(board.flaws(&mirror).unwrap(), 2);
        mirror.release(Uuid::from_u128(1)).unwrap();
        assert_eq!(board.flaws(&mirror).unwrap(), 0);
        let status = board.snapshot(5);
        assert_eq!((status.quarantined, status.left_out, status.flaws.len()), (0, 2, 2));
    }

    #[test]
    fn three_missed_polls_are_unhealthy_and_a_long_cycle_that_moves_on_is_not() {
        let mut status = Status { started_at: 1_000, poll_seconds: 120, ..Status::default() };
        assert_eq!(status.unhealthy(1_360), None);
        assert!(status.unhealthy(1_361).is_some(), "never a complete cycle");
        status.complete = Some(Complete { at: 2_000, ..Complete::default() });
        assert_eq!((status.staleness(2_300), status.unhealthy(2_360)), (300, None));
        let trouble = Trouble { since: 2_100, what: "the DC is gone".to_owned(), who: String::new() };
        status.trouble = Some(trouble);
        assert_eq!(status.unhealthy(2_361).unwrap(), "no complete cycle for 361 s; the DC is gone");
        (status.cycle_since, status.moved_on_at) = (Some(2_001), 9_000);
        assert_eq!(status.unhealthy(9_100), None);
        assert!(status.unhealthy(9_361).is_some(), "no progress");
        (status.cycle_since, status.held) = (None, 612);
        assert!(status.unhealthy(2_300).unwrap().contains("--confirm-removals 612"));
        (status.held, status.distrusted) = (0, vec!["dc1.corp.example.com".to_owned()]);
        assert!(status.unhealthy(2_300).unwrap().contains("USN rollback"));
        status.distrusted.clear();
        (status.cycle_since, status.moved_on_at) = (Some(9_360), 9_361);
        assert!(status.unhealthy(9_361).is_some(), "another try has just begun");
        // A clock that was set back.
        assert_eq!(status.staleness(0), 0);
    }
}
