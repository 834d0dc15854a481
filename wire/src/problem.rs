//! How the tenant refuses a request of an agent: what is wrong, and who must act.
//! Sent as a frame in the body of every HTTP response that is not 200.

use crate::bounded::Text;
use serde::{Deserialize, Serialize};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    /// The kind of refusal, for the program.
    pub code: ProblemCode,
    /// What happened and what to do, for a person. Holds no secret and nothing that the client sent.
    pub detail: Text<512>,
    /// Try again after this many seconds, if that makes sense.
    #[serde(default)]
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// A refusal that another attempt does not change.
    pub fn new(code: ProblemCode, detail: &str) -> Self {
        Self { code, detail: Text::cut(detail), retry_after_seconds: None }
    }
}

/// Who must act after an error. Shared by all programs: this is the only type of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The administrator of the agent's machine.
    AgentOperator,
    /// The administrator of the directory. No problem that the tenant reports names this one.
    DirectoryOperator,
    /// The administrator of the tenant.
    TenantOperator,
    /// Nobody has to act: the same request may succeed later.
    Nobody,
    /// The developers: one of the two programs broke the protocol.
    Developers,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// The token is not one of this tenant's.
    TokenUnknown,
    /// The token has expired.
    TokenExpired,
    /// The token was redeemed before.
    TokenUsed,
    /// The token was made for the other role.
    TokenWrongRole,
    /// The certificate request cannot be used.
    BadRequestForCertificate,
    /// No usable client certificate.
    CertificateRequired,
    /// The client certificate has expired; only renewal accepts it.
    CertificateExpired,
    /// The agent was revoked.
    AgentRevoked,
    /// The agent waits for `agents approve`.
    AgentNotApproved,
    /// The proof of the agent's process does not hold, or names another process than the message. An agent of version
    /// 0.1 sends no proof, so it never receives this code, which it does not know.
    ProcessNotProven,
    /// The certificate is for another role.
    WrongRole,
    /// The agent replicates another domain than the one it was enrolled for.
    WrongDomain,
    /// Another phs writes for this domain.
    SecondWriter,
    /// A full compare would remove more accounts than its phs allows.
    RemovalsHeld,
    /// The frame or message is malformed.
    Malformed,
    /// The frame is of another version, or the agent is too old: it does not prove its process.
    UnsupportedVersion,
    /// The body is over the limit.
    TooLarge,
    /// The tenant is at a limit; try again.
    Overloaded,
    /// The tenant's disk or database fails.
    StorageFailed,
    /// The tenant failed in a way it should not.
    Internal,
    /// No such path.
    NotFound,
}

impl std::fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

impl ProblemCode {
    /// Who must act.
    pub fn who(self) -> Who {
        match self {
            Self::TokenUnknown | Self::TokenExpired | Self::TokenUsed | Self::TokenWrongRole => {
                Who::AgentOperator
            }
            Self::CertificateRequired
            | Self::CertificateExpired
            | Self::ProcessNotProven
            | Self::WrongRole
            | Self::WrongDomain => Who::AgentOperator,
            Self::AgentRevoked | Self::AgentNotApproved | Self::SecondWriter | Self::StorageFailed => {
                Who::TenantOperator
            }
            Self::UnsupportedVersion | Self::RemovalsHeld => Who::AgentOperator,
            Self::Overloaded => Who::Nobody,
            Self::BadRequestForCertificate
            | Self::Malformed
            | Self::TooLarge
            | Self::Internal
            | Self::NotFound => Who::Developers,
        }
    }

    /// The HTTP status that carries it.
    pub fn http_status(self) -> u16 {
        match self {
            Self::TokenUnknown
            | Self::TokenExpired
            | Self::TokenUsed
            | Self::TokenWrongRole
            | Self::CertificateRequired
            | Self::CertificateExpired
            | Self::ProcessNotProven => 401,
            Self::AgentRevoked | Self::AgentNotApproved | Self::WrongRole | Self::WrongDomain => 403,
            Self::NotFound => 404,
            Self::SecondWriter | Self::RemovalsHeld => 409,
            Self::TooLarge => 413,
            Self::BadRequestForCertificate | Self::Malformed | Self::UnsupportedVersion => 400,
            Self::Overloaded | Self::StorageFailed => 503,
            Self::Internal => 500,
        }
    }
}
