//! What goes wrong between an agent and its tenant, and who must act.
//! Neighbours: every file of this crate returns it; both agents wrap it.

use crate::key::FileError;
use landbridge_wire::enroll::NotAToken;
use landbridge_wire::frame::FrameError;
use landbridge_wire::problem::{Problem, ProblemCode, Who};
use std::path::PathBuf;
use std::time::Duration;

/// A certificate that a server presented and that the tenant's CA did not issue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is for \"{subject}\", issued by \"{issuer}\"")]
pub struct Foreign {
    /// The subject of the certificate.
    pub subject: String,
    /// Its issuer: with TLS inspection the name of the inspecting device.
    pub issuer: String,
}

/// What went wrong. No text holds a secret or repeats what the other end sent, except the names in a certificate that
/// was presented.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A local file or directory cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no identity yet.
    #[error("{}: this machine is not enrolled: run `enroll` with a token of the tenant's `token create`", .0.display())]
    NotEnrolled(PathBuf),
    /// There is an identity already.
    #[error("{}: this machine is enrolled already, as agent {agent}: add `--replace` to give that identity up", directory.display())]
    AlreadyEnrolled {
        /// Where the identity is.
        directory: PathBuf,
        /// The agent's id.
        agent: uuid::Uuid,
    },
    /// The stored identity is damaged.
    #[error("{}: the stored identity is damaged ({why}): enroll again with `--replace`", path.display())]
    DamagedIdentity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The text is no token.
    #[error(transparent)]
    Token(#[from] NotAToken),
    /// The tenant's address is no usable URL.
    #[error("`{0}` is not a tenant's URL: it must read https://host:port")]
    Url(String),
    /// No connection.
    #[error("cannot reach the tenant at {host}: {why}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system reports, in words.
        why: String,
    },
    /// The proxy makes no connection to the tenant, or is configured wrongly.
    #[error("the proxy {proxy}: {why}")]
    Proxy {
        /// Host and port.
        proxy: String,
        /// What its answer means, or what is wrong.
        why: String,
        /// Whether it may pass without anybody acting: a proxy that is silent, restarts, or does not reach the tenant.
        passes: bool,
    },
    /// The connection was made, and no answer came.
    #[error("the tenant at {host} did not answer within {} s", limit.as_secs())]
    Timeout {
        /// Host and port.
        host: String,
        /// The limit on waiting.
        limit: Duration,
    },
    /// The server's certificate is not from the tenant's CA.
    #[error(
        "{host} showed a certificate that the tenant did not issue: {foreign}. \
         Something inspects TLS on the way (exclude this host from inspection), or this is another tenant"
    )]
    ForeignCertificate {
        /// Host and port.
        host: String,
        /// The certificate that was presented.
        foreign: Foreign,
    },
    /// The server's certificate is the tenant's, but not valid for this name or time.
    #[error("the certificate of {host} does not hold: {why}")]
    BadCertificate {
        /// Host and port.
        host: String,
        /// Name, time or encoding.
        why: String,
    },
    /// TLS failed for another reason.
    #[error("no TLS session with {host}: {why}")]
    Tls {
        /// Host and port.
        host: String,
        /// What is wrong and what to do, in words.
        why: String,
    },
    /// This agent's certificate ended too long ago for a renewal.
    #[error(
        "this agent's certificate ended {days} days ago, too long for a renewal: enroll again with `--replace`"
    )]
    CertificateOver {
        /// Days since its end.
        days: i64,
    },
    /// The tenant refused the request.
    #[error("the tenant refused: {0}")]
    Refused(#[from] Problem),
    /// Something answered that is not a tenant.
    #[error(
        "{host} answered with HTTP status {status} and no landbridge message: a proxy or another server stands there"
    )]
    NotATenant {
        /// Host and port.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is over the limit.
    #[error("the answer of {host} is over the bound of {bound} bytes")]
    AnswerTooLong {
        /// Host and port.
        host: String,
        /// The limit.
        bound: usize,
    },
    /// A frame cannot be written or read.
    #[error("the exchange with the tenant failed: {0}")]
    Frame(#[from] FrameError),
    /// The tenant's answer does not fit the request.
    #[error("the tenant's answer does not fit: {0}")]
    Unfit(&'static str),
    /// A key or a certificate request could not be made.
    #[error("cannot make a key: {0}")]
    Key(String),
}

/// Who must act, as a sentence for the administrator of an agent's machine.
pub fn must_act(who: Who) -> &'static str {
    match who {
        Who::AgentOperator => "the administrator of this machine must act",
        Who::DirectoryOperator => "the administrator of the directory must act",
        Who::TenantOperator => "the administrator of the tenant must act",
        Who::Nobody => "nobody must act: run it again later",
        Who::Developers => "this is a defect: please report it",
    }
}

impl AgentError {
    /// Who must act.
    pub fn who(&self) -> Who {
        match self {
            Self::File(_)
            | Self::NotEnrolled(_)
            | Self::AlreadyEnrolled { .. }
            | Self::DamagedIdentity { .. }
            | Self::Token(_)
            | Self::Url(_)
            | Self::ForeignCertificate { .. }
            | Self::BadCertificate { .. }
            | Self::CertificateOver { .. }
            | Self::Proxy { passes: false, .. }
            | Self::NotATenant { .. } => Who::AgentOperator,
            Self::Proxy { passes: true, .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Tls { .. } => Who::Nobody,
            Self::Refused(problem) => problem.code.who(),
            Self::Frame(FrameError::Version(_)) => Who::AgentOperator,
            Self::Frame(
                FrameError::Truncated { .. }
                | FrameError::Trailing(_)
                | FrameError::TooLong(_)
                | FrameError::NotAFrame
                | FrameError::Malformed { .. },
            )
            | Self::AnswerTooLong { .. }
            | Self::Unfit(_)
            | Self::Key(_) => Who::Developers,
        }
    }

    /// Whether the same request may succeed a little later without anybody acting.
    pub fn passes_by_itself(&self) -> bool {
        match self.who() {
            Who::Nobody => true,
            Who::AgentOperator | Who::DirectoryOperator | Who::TenantOperator | Who::Developers => false,
        }
    }

    /// Whether the tenant answered that it is at a limit, or that its database fails.
    pub fn is_busy(&self) -> bool {
        let busy = [ProblemCode::Overloaded, ProblemCode::StorageFailed];
        matches!(self, Self::Refused(problem) if busy.contains(&problem.code))
    }

    /// Whether the same request may succeed at another node of the tenant: this one was not reached, or what answered
    /// did not prove to be a node.
    pub fn is_of_one_node(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::ForeignCertificate { .. }
            | Self::BadCertificate { .. }
            | Self::Tls { .. }
            | Self::NotATenant { .. }
            | Self::AnswerTooLong { .. }
            | Self::Proxy { passes: true, .. } => true,
            Self::File(_)
            | Self::NotEnrolled(_)
            | Self::AlreadyEnrolled { .. }
            | Self::DamagedIdentity { .. }
            | Self::Token(_)
            | Self::Url(_)
            | Self::CertificateOver { .. }
            | Self::Proxy { passes: false, .. }
            | Self::Refused(_)
            | Self::Frame(_)
            | Self::Unfit(_)
            | Self::Key(_) => false,
        }
    }

    /// Why there is no connection, without the host's name; of any other error all its words.
    pub(crate) fn reason(&self) -> String {
        if let Self::Unreachable { why, .. } = self { why.clone() } else { self.to_string() }
    }

    /// When to try again, if the tenant said so.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Refused(problem) = self {
            problem.retry_after_seconds.map(|s| Duration::from_secs(s.into()))
        } else {
            None
        }
    }
}
