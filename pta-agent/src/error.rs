//! What stops the agent, who must act, and the exit status that says so.

use crate::directory::TrustError;
use landbridge_agent::AgentError;
use landbridge_agent::config::ConfigError;
use landbridge_wire::problem::Who;
use std::path::PathBuf;

/// What went wrong. Texts never hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum PtaError {
    /// The configuration or a file that it names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The settings by which domain controllers are trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The identity, the way to the tenant, or the tenant.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The identity is for another domain than the configured one.
    #[error(
        "this machine is enrolled for the domain {enrolled}, but [directory] names {configured}: correct the configuration, or \
         run `landbridge-pta-agent enroll --replace` with a token for {configured}"
    )]
    OtherDomain {
        /// In the identity.
        enrolled: String,
        /// In the configuration.
        configured: String,
    },
    /// The identity is not a pta-agent's.
    #[error(
        "the identity in the state directory is not a pta-agent's: give each program a state_directory of its own"
    )]
    NotPta,
    /// Another process runs on this state directory.
    #[error(
        "{}: another landbridge-pta-agent runs on this state directory: stop it, or give this one a state_directory of its own",
        .0.display()
    )]
    Running(PathBuf),
    /// `status`, and no agent runs.
    #[error(
        "no landbridge-pta-agent runs on this state directory: `landbridge-pta-agent run`, or its unit, starts one"
    )]
    NotRunning,
    /// `check --as`, and no password could be read.
    #[error("no password can be read from standard input: {0}")]
    Password(std::io::Error),
    /// A defect of this program.
    #[error("defect: {0}")]
    Defect(&'static str),
}

impl PtaError {
    /// Who must act.
    pub fn who(&self) -> Who {
        match self {
            Self::Config(_)
            | Self::Trust(_)
            | Self::OtherDomain { .. }
            | Self::NotPta
            | Self::Running(_)
            | Self::NotRunning
            | Self::Password(_) => Who::AgentOperator,
            Self::Agent(error) => error.who(),
            Self::Defect(_) => Who::Developers,
        }
    }

    /// The exit status.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Trust(_)
            | Self::OtherDomain { .. }
            | Self::NotPta
            | Self::Running(_)
            | Self::NotRunning
            | Self::Password(_) => 3,
            Self::Agent(error) => of_agent(error),
            Self::Defect(_) => 1,
        }
    }
}

/// The exit status for what went wrong on the way to the tenant.
pub(crate) fn of_agent(error: &AgentError) -> u8 {
    match error {
        AgentError::File(_)
        | AgentError::NotEnrolled(_)
        | AgentError::AlreadyEnrolled { .. }
        | AgentError::DamagedIdentity { .. }
        | AgentError::Token(_)
        | AgentError::Url(_)
        | AgentError::CertificateOver { .. } => 3,
        AgentError::Refused(_) => 6,
        AgentError::Unreachable { .. }
        | AgentError::Proxy { .. }
        | AgentError::Timeout { .. }
        | AgentError::ForeignCertificate { .. }
        | AgentError::BadCertificate { .. }
        | AgentError::Tls { .. }
        | AgentError::NotATenant { .. }
        | AgentError::AnswerTooLong { .. } => 7,
        AgentError::Frame(_) | AgentError::Unfit(_) | AgentError::Key(_) => 1,
    }
}
