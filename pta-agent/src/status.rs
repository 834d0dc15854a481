//! The status of the running agent. [`landbridge_agent::status`] reads and writes the file.

use crate::directory::{ChangeSwitch, ChangesStopped, ControllerHealth, LockoutPolicy};
use landbridge_agent::status;
use landbridge_wire::change::ChangeOutcome;
use landbridge_wire::signin::{Decline, DirectoryVerdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// What the administrator must know of a tenant that sends no SIDs.
pub const OLDER_TENANT: &str = "the tenant is older than this agent and names accounts by objectGUID alone: a \
                                Windows domain controller refuses such binds, so upgrade the tenant";

/// The status.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Status {
    /// Seconds since 1970 when this was written.
    pub written_at: i64,
    /// Seconds since 1970 when the process started.
    pub started_at: i64,
    /// The name of the process, which follows from its key.
    pub instance: Uuid,
    /// The agent.
    pub agent: Uuid,
    /// The domain.
    pub domain: String,
    /// The fingerprint of its key, as `agents list` at the tenant shows it. The command `status` fills it in.
    #[serde(default)]
    pub key: String,
    /// When the certificate ends: seconds since 1970.
    pub certificate_ends: i64,
    /// The connections to the tenant, by their number.
    pub links: BTreeMap<u64, LinkStatus>,
    /// Why there is no connection, if there is none.
    pub trouble: Option<String>,
    /// The nodes of the tenant to which the agent connects, by their URLs.
    #[serde(default)]
    pub nodes: BTreeMap<String, NodeStatus>,
    /// Answers by verdict, and declined sign-ins by reason, since the start.
    pub answers: BTreeMap<String, u64>,
    /// AD's lockout policy as it was last read; none: no ordinary account has signed in yet.
    #[serde(default)]
    pub lockout: Option<LockoutPolicy>,
    /// Right passwords of protected accounts that were answered as wrong ones, since the start.
    #[serde(default)]
    pub withheld: u64,
    /// Binds whose name a domain controller knew no account for (57), since the start. Those of canaries count.
    #[serde(default)]
    pub unknown_names: u64,
    /// The domain controllers.
    pub controllers: Vec<ControllerStatus>,
    /// Changes of password.
    #[serde(default)]
    pub changes: ChangeStatus,
}

/// Changes of password, and how many there were since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeStatus {
    /// Whether the configuration switches them on.
    pub configured: bool,
    /// Why the agent has stopped them until its next start. None: it has not.
    pub stopped: Option<ChangesStopped>,
    /// Passwords that were changed.
    pub changed: u64,
    /// Changes that were refused because of the old password or the state of the account.
    pub old_refused: u64,
    /// Changes that were refused because of the new password.
    pub new_refused: u64,
    /// Changes of which it is not known whether they were made.
    pub not_known: u64,
}

impl ChangeStatus {
    /// Copies whether changes are switched on, and why they were stopped.
    pub fn copy_switch(&mut self, switch: &ChangeSwitch) {
        self.configured = switch.is_configured();
        self.stopped = switch.stopped().cloned();
    }
}

/// A connection to the tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The node.
    pub node: String,
    /// Seconds since 1970.
    pub since: i64,
    /// Whether the tenant sends no SIDs, as one of version 0.1: [`OLDER_TENANT`].
    #[serde(default)]
    pub older: bool,
}

/// A node of the tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Whether a connection to it is open.
    pub connected: bool,
    /// Why the last attempt failed, or the last connection ended. None: none did since it was last connected.
    pub trouble: Option<String>,
}

/// A domain controller.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ControllerStatus {
    /// Its name.
    pub name: String,
    /// The address at which it was last reached.
    pub address: Option<String>,
    /// Whether it can be used.
    pub healthy: bool,
    /// Why it cannot be used.
    pub why: Option<String>,
}

impl From<ControllerHealth> for ControllerStatus {
    fn from(health: ControllerHealth) -> Self {
        let ControllerHealth { name, address, healthy, why, .. } = health;
        Self { name, address, healthy, why }
    }
}

/// The status while it changes.
#[derive(Debug)]
pub struct Board {
    state_directory: PathBuf,
    status: Mutex<Status>,
}

impl Board {
    /// A board that writes its status under this state directory.
    pub fn new(state_directory: &Path, status: Status) -> Self {
        Self { state_directory: state_directory.to_owned(), status: Mutex::new(status) }
    }

    /// Changes the status.
    pub fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status());
    }

    /// Counts an answer.
    pub fn answered(&self, verdict: DirectoryVerdict) {
        let words = match verdict {
            DirectoryVerdict::Valid => "the password is right",
            DirectoryVerdict::Wrong => "the password is wrong, or there is no such account",
            DirectoryVerdict::LogonHours => "not at this hour",
            DirectoryVerdict::Workstation => "from certain machines only",
            DirectoryVerdict::PasswordExpired => "the password has expired",
            DirectoryVerdict::Disabled => "the account is disabled",
            DirectoryVerdict::AccountExpired => "the account has expired",
            DirectoryVerdict::MustChange => "the password must be changed first",
            DirectoryVerdict::Locked => "the account is locked",
            DirectoryVerdict::Restricted => "the account is restricted",
            DirectoryVerdict::Unknown(code) => {
                return self.count(format!("a code that is not known here: {code:x}"));
            }
        };
        self.count(words.to_owned());
    }

    /// Counts a change of password by its outcome.
    pub fn changed(&self, outcome: &ChangeOutcome) {
        let changes = &mut self.status().changes;
        let count = match outcome {
            ChangeOutcome::Changed { .. } => &mut changes.changed,
            ChangeOutcome::OldRefused(_) => &mut changes.old_refused,
            ChangeOutcome::NewRefused(_) => &mut changes.new_refused,
            ChangeOutcome::NotKnown => &mut changes.not_known,
        };
        *count += 1;
    }

    /// Counts a sign-in, or a change of password, that was not answered.
    pub fn declined(&self, why: Decline) {
        self.count(format!(
            "not answered: {}",
            match why {
                Decline::NoDirectory => "no domain controller can be reached, or the connection broke",
                Decline::Overloaded => "more at once than this agent takes",
                Decline::Draining => "this agent was stopping",
                Decline::TooLate => "the time was over",
                Decline::Unopened => "the envelope does not open here, or was opened before",
                Decline::AtBound => "one more wrong password could lock the account in AD",
                Decline::OtherAccount =>
                    "the tenant named another account than the SID's, or none of this domain",
                Decline::ChangesNoPasswords => "a change of password, which this agent makes no longer",
            }
        ));
    }

    /// Counts an event by its name. At most 64 names are kept, since codes of the directory are among them.
    fn count(&self, name: String) {
        let mut status = self.status();
        if status.answers.len() < 64 || status.answers.contains_key(&name) {
            *status.answers.entry(name).or_default() += 1;
        }
    }

    /// Sets the nodes to which the agent connects.
    pub fn set_nodes(&self, nodes: &[String]) {
        let mut status = self.status();
        status.nodes.retain(|node, _| nodes.contains(node));
        for node in nodes {
            status.nodes.entry(node.clone()).or_default();
        }
    }

    /// A connection of this number is welcomed.
    pub fn connected(&self, number: u64, link: LinkStatus) {
        let mut status = self.status();
        status.trouble = None;
        if let Some(node) = status.nodes.get_mut(&link.node) {
            node.trouble = None;
        }
        status.links.insert(number, link);
    }

    /// There is no connection to this node.
    pub fn not_connected(&self, node: &str, why: String) {
        let mut status = self.status();
        if let Some(node) = status.nodes.get_mut(node) {
            node.trouble = Some(why.clone());
        }
        status.trouble = Some(why);
    }

    /// How many connections there are.
    pub fn links(&self) -> usize {
        self.status().links.len()
    }

    /// Writes the status file.
    pub fn write(&self, now: i64) {
        let status = {
            let mut status = self.status();
            status.written_at = now;
            let Status { nodes, links, .. } = &mut *status;
            for (url, node) in nodes {
                node.connected = links.values().any(|link| link.node == *url);
            }
            status.clone()
        };
        if let Err(why) = status::write(&self.state_directory, &status) {
            tracing::warn!(%why, "the status cannot be written");
        }
    }

    /// Removes the status file: the process ends.
    pub fn remove(&self) {
        status::remove(&self.state_directory);
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
