//! What stops phs, who must act, and the exit status that says so.
//! Neighbours: every file of this crate returns it; `main` prints it.

use crate::config::ConfigError;
use crate::mirror::StateError;
use crate::read::pull::PullError;
use landbridge_agent::AgentError;
use landbridge_drsr::drs::sid::Sid;
use landbridge_drsr::{Error as DrsrError, Responsible};
use landbridge_wire::frame::FrameError;
use landbridge_wire::problem::Who;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What went wrong. Texts never hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum PhsError {
    /// The configuration or a file that it names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The identity, the way to the tenant, or the tenant.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The DC or the way to it.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The state database.
    #[error(transparent)]
    State(#[from] StateError),
    /// The identity is for another domain than the configured one.
    #[error(
        "this machine is enrolled for the domain {enrolled}, but [directory] names {configured}: correct the configuration, or \
         run `landbridge-phs enroll --replace` with a token for {configured}"
    )]
    OtherDomain {
        /// In the identity.
        enrolled: String,
        /// In the configuration.
        configured: String,
    },
    /// The DC does not hold the domain that the identity is for.
    #[error(
        "the DC does not hold the domain with the SID {sid} that this machine was enrolled for: the tenant's `domains add` was given another SID, or the domain was made anew. Add it with the right SID, after `landbridge-tenant domains remove`, and enrol again"
    )]
    OtherSid {
        /// In the identity.
        sid: String,
    },
    /// The tenant's database was replaced while a cycle ran.
    #[error("the tenant's database was replaced during the cycle: the next one compares in full")]
    TenantReplaced,
    /// The tenant stored the last page and did not acknowledge its cursor.
    #[error("the tenant did not acknowledge the end of the cycle")]
    NotAcknowledged,
    /// An entry of the scope.
    #[error("[scope] {list} names {dn}, which the domain does not hold: is it spelt as in the directory?")]
    NoSuchEntry {
        /// The key of its list.
        list: &'static str,
        /// Its distinguished name.
        dn: String,
    },
    /// An entry of the scope names an object that its list cannot have.
    #[error("[scope] {list} names {dn}, which {why}")]
    WrongEntry {
        /// The key of its list.
        list: &'static str,
        /// Its distinguished name.
        dn: String,
        /// What the object is, and what to do.
        why: &'static str,
    },
    /// The rights at the domain's head are unknown.
    #[error(
        "the security descriptor of the domain's head cannot be read: {0}. Without it, it is unknown which accounts must \
         be held back"
    )]
    HeadUnreadable(&'static str),
    /// The DC does not hold the account that phs reads with.
    #[error(
        "the directory names no account {0}, which phs reads with: is [directory] account its sAMAccountName?"
    )]
    AccountUnknown(String),
    /// An entry of `[privileged] also`.
    #[error("[privileged] also names {0}, which the domain does not hold: correct it, or take it out")]
    NoSuchGroup(Sid),
    /// A group whose members are held back cannot be read, or one of its links.
    #[error(
        "{group} is one whose members are held back, and it cannot be read: {why}. Repair it in the directory; until \
         then nothing is sent"
    )]
    GroupUnreadable {
        /// The group.
        group: String,
        /// Why.
        why: String,
    },
    /// One entry of the descriptor of the domain's head holds back a large part of the scope.
    #[error(
        "at the domain's head {trustee} has {rights}. So {held} of the {scope} accounts of the scope can read or set \
         every password of the domain, and none of them may sign in outside. Take that entry away in the directory; or \
         accept it with `once --confirm-removals {held}`"
    )]
    WideEntry {
        /// The account or group.
        trustee: String,
        /// Its rights.
        rights: String,
        /// Accounts that it holds back.
        held: u64,
        /// Accounts of the scope.
        scope: u64,
    },
    /// `explain`, and no such object is known.
    #[error(
        "{0}: no object of that name, GUID or SID is known here; after a change in the directory, wait for a cycle"
    )]
    NoSuchObject(String),
    /// `status`, and no daemon runs.
    #[error("no landbridge-phs runs on {}: `landbridge-phs run`, or its unit, starts one", .0.display())]
    NotRunning(PathBuf),
    /// `[metrics] listen` cannot be bound.
    #[error("[metrics] listen = \"{address}\": {why}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The system's error.
        why: std::io::Error,
    },
    /// SIGINT or SIGTERM.
    #[error("stopped by a signal: what the tenant has stays there, and the next run goes on from it")]
    Interrupted,
    /// A defect of this program.
    #[error("defect: {0}")]
    Defect(&'static str),
}

impl PhsError {
    /// Who must act.
    pub fn who(&self) -> Who {
        match self {
            Self::Config(_)
            | Self::State(_)
            | Self::OtherDomain { .. }
            | Self::NoSuchEntry { .. }
            | Self::WrongEntry { .. }
            | Self::AccountUnknown(_)
            | Self::NoSuchGroup(_)
            | Self::NoSuchObject(_)
            | Self::NotRunning(_)
            | Self::Listen { .. } => Who::AgentOperator,
            Self::HeadUnreadable(_) | Self::GroupUnreadable { .. } | Self::WideEntry { .. } => {
                Who::DirectoryOperator
            }
            Self::OtherSid { .. } => Who::TenantOperator,
            Self::Agent(error) => error.who(),
            Self::Pull(error) => match error.who() {
                Responsible::Operator => Who::AgentOperator,
                Responsible::DirectoryOperator | Responsible::OtherEnd => Who::DirectoryOperator,
                Responsible::Nobody => Who::Nobody,
                Responsible::Developers => Who::Developers,
            },
            Self::TenantReplaced | Self::Interrupted => Who::Nobody,
            Self::NotAcknowledged | Self::Defect(_) => Who::Developers,
        }
    }

    /// The exit status, as `--help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::OtherDomain { .. }
            | Self::NoSuchEntry { .. }
            | Self::WrongEntry { .. }
            | Self::AccountUnknown(_)
            | Self::NoSuchGroup(_)
            | Self::NoSuchObject(_)
            | Self::NotRunning(_)
            | Self::Listen { .. } => 3,
            Self::OtherSid { .. }
            | Self::HeadUnreadable(_)
            | Self::GroupUnreadable { .. }
            | Self::WideEntry { .. } => 4,
            Self::Pull(PullError::UnusableAttribute { .. }) => 3,
            Self::Pull(error) if unreachable(error) => 5,
            Self::Pull(PullError::Over { .. }) => 1,
            Self::Pull(_) => 4,
            Self::Agent(error) => agent_exit_code(error),
            Self::TenantReplaced => 7,
            Self::NotAcknowledged => 6,
            Self::State(StateError::Directory(_) | StateError::Busy { .. }) => 3,
            Self::State(_) => 8,
            Self::Interrupted => 9,
            Self::Defect(_) => 1,
        }
    }
}

fn unreachable(error: &PullError) -> bool {
    error.is_unreachable() || matches!(error, PullError::Directory { error: DrsrError::Busy { .. }, .. })
}

fn agent_exit_code(error: &AgentError) -> u8 {
    match error {
        AgentError::File(_)
        | AgentError::NotEnrolled(_)
        | AgentError::AlreadyEnrolled { .. }
        | AgentError::DamagedIdentity { .. }
        | AgentError::CertificateOver { .. }
        | AgentError::Token(_)
        | AgentError::Url(_) => 3,
        AgentError::Unreachable { .. }
        | AgentError::Timeout { .. }
        | AgentError::ForeignCertificate { .. }
        | AgentError::BadCertificate { .. }
        | AgentError::Proxy { .. }
        | AgentError::NotATenant { .. }
        | AgentError::Tls { .. } => 7,
        AgentError::Refused(problem) => match problem.code.who() {
            Who::Nobody => 7,
            Who::AgentOperator | Who::DirectoryOperator | Who::TenantOperator | Who::Developers => 6,
        },
        AgentError::AnswerTooLong { .. } | AgentError::Unfit(_) => 6,
        AgentError::Frame(FrameError::Version(_)) => 6,
        AgentError::Frame(
            FrameError::Truncated { .. }
            | FrameError::Trailing(_)
            | FrameError::TooLong(_)
            | FrameError::NotAFrame
            | FrameError::Malformed { .. },
        )
        | AgentError::Key(_) => 1,
    }
}
