//! An enrolled agent: a phs or a pta-agent.

use landbridge_wire::enroll::Role;
use uuid::Uuid;

/// What an agent may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentState {
    /// Enrolled. An administrator must approve it before it may work.
    Pending,
    /// May work.
    Approved,
    /// Ended for good.
    Revoked,
    /// Stopped by an alarm until an administrator has looked into it.
    Quarantined,
}

impl AgentState {
    const ALL: [Self; 4] = [Self::Pending, Self::Approved, Self::Revoked, Self::Quarantined];

    /// The text that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Revoked => "revoked",
            Self::Quarantined => "quarantined",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A process of an agent, as nodes tell each other of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeardProcess {
    /// Its name.
    pub name: Uuid,
    /// When it was certainly alive, in milliseconds since 1970 by the clock of the database.
    pub alive_at: i64,
}

/// An agent, with the names of its domain. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its id.
    pub id: Uuid,
    /// The row of its domain.
    pub domain: i64,
    /// DNS name of its domain.
    pub domain_name: String,
    /// SID of its domain.
    pub domain_sid: String,
    /// What it was enrolled for.
    pub role: Role,
    /// What it may do.
    pub state: AgentState,
    /// Program and version that the agent sent.
    pub software: String,
    /// Host name that the agent sent.
    pub host: String,
    /// Serial number of its newest certificate, without leading zeros.
    pub serial: Vec<u8>,
    /// Serial number of the certificate with which the newest one was requested. Both are accepted.
    pub serial_before: Option<Vec<u8>>,
    /// The end of its newest certificate.
    pub not_after: i64,
    /// When a request or a connection of the agent was last noted.
    pub seen_at: Option<i64>,
    /// The newest process that said hello, by whatever node; none: none has a name.
    pub heard: Option<HeardProcess>,
    /// When it was enrolled.
    pub enrolled_at: i64,
    /// The network address that it enrolled from; none: it enrolled before the tenant noted addresses.
    pub enrolled_from: Option<String>,
    /// Fingerprint of its newest certificate's key; none: it has not renewed since the tenant notes fingerprints.
    pub key_fingerprint: Option<String>,
    /// When one of its processes first proved a key of its own; none: it never did, as an agent of version 0.1.
    pub proved_at: Option<i64>,
}

/// An agent to be stored at its enrolment.
#[derive(Debug)]
pub struct NewAgent<'a> {
    /// Its id.
    pub id: Uuid,
    /// The row of its domain.
    pub domain: i64,
    /// What it is enrolled for.
    pub role: Role,
    /// Its first state.
    pub state: AgentState,
    /// Program and version that the agent sent.
    pub software: &'a str,
    /// Host name that the agent sent.
    pub host: &'a str,
    /// Serial number of its certificate, without leading zeros.
    pub serial: &'a [u8],
    /// The end of its certificate: seconds since 1970.
    pub not_after: i64,
    /// The network address that it enrolls from.
    pub enrolled_from: &'a str,
    /// Fingerprint of its certificate's key.
    pub key_fingerprint: &'a str,
}

/// The phs of an upload, from its certificate and its enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    /// The agent.
    pub agent: Uuid,
    /// The row of the domain that it was enrolled for.
    pub domain: i64,
}

impl Writer {
    /// The agent's name in the audit log.
    pub fn actor(&self) -> String {
        format!("agent {}", self.agent)
    }
}

/// Reads a role in the form that certificates and the database have.
pub fn role_from(text: &str) -> Option<Role> {
    [Role::Phs, Role::Pta].into_iter().find(|role| role.to_string() == text)
}
