//! The words in which the relay and its caller speak: what it is told, what it wants done, how a sign-in ends.

use landbridge_crypto::envelope::EnvelopePublic;
use landbridge_wire::signin::{FromTenant, Verdict};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A connection's number, given by the caller and never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub u64);

/// What the certificate says that was shown on a link.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The agent.
    pub agent: Uuid,
    /// The row of its domain.
    pub domain: i64,
    /// SID of its domain.
    pub domain_sid: String,
    /// The certificate's serial number, without leading zeros.
    pub serial: Vec<u8>,
    /// What passwords are sealed to.
    pub key: EnvelopePublic,
    /// The certificate's end.
    pub until: Instant,
}

/// What the caller is to do.
#[derive(Debug)]
pub enum Output {
    /// Send this.
    Send {
        /// Over this link.
        link: Link,
        /// This.
        message: FromTenant,
    },
    /// Close it; the relay has forgotten it.
    Close {
        /// The link.
        link: Link,
        /// Why, for the log.
        why: Closed,
    },
    /// A sign-in is over.
    Answered {
        /// Which.
        ticket: u64,
        /// How.
        answer: AgentAnswer,
    },
    /// A person must look at this agent. Its links are closed already.
    Alarm {
        /// The agent.
        agent: Uuid,
        /// What it did.
        alarm: Alarm,
        /// How long ago it last answered a canary as it should; none: never.
        trusted: Option<Duration>,
    },
    /// An agent said who it is.
    Introduced {
        /// Over this link.
        link: Link,
        /// The agent.
        agent: Uuid,
        /// Its process.
        instance: Uuid,
        /// Program and version.
        software: String,
    },
    /// For the metrics.
    Counted(Event),
}

/// Why a link is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It did not introduce itself in time.
    NoHello,
    /// Nothing was heard for too long.
    Silent,
    /// It broke the protocol.
    Breach(&'static str),
    /// It has as many links as it may have, or the tenant has.
    TooMany,
    /// Its certificate is over.
    CertificateOver,
    /// It was revoked or quarantined.
    Cut,
    /// The agent asked for no more, and nothing is in its hand.
    Drained,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// An ask went to an agent.
    Delivered,
    /// An ask went to a second agent.
    Redelivered,
    /// A verdict for a delivery that nobody waits for: late, doubled, or made up.
    Stray,
    /// A verdict with a tag that does not fit, or over another link than was asked.
    Forged,
    /// A canary went to an agent.
    CanarySent,
    /// A canary was refused, as it must be.
    CanaryRefused,
    /// A canary was accepted.
    CanaryAccepted,
}

/// How a sign-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentAnswer {
    /// What the directory said, or why it said nothing.
    pub outcome: Result<Verdict, NoAnswer>,
    /// The agent that answered.
    pub agent: Option<Uuid>,
    /// So many binds may have reached the directory, which counts bad passwords.
    pub tried: u32,
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoAnswer {
    /// No agent of the domain is connected.
    #[error("no agent of the domain is connected")]
    NoAgent,
    /// All of them have as much in hand as they take.
    #[error("all agents of the domain are busy")]
    Busy,
    /// The agents reach no domain controller.
    #[error("the agents reach no domain controller")]
    NoDirectory,
    /// The agents that were asked are gone.
    #[error("the agents that were asked are gone")]
    Lost,
    /// No answer came in time.
    #[error("no answer came in time")]
    TooLate,
}

impl NoAnswer {
    /// In the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAgent => "no-agent",
            Self::Busy => "agents-busy",
            Self::NoDirectory => "no-directory",
            Self::Lost => "agents-lost",
            Self::TooLate => "too-late",
        }
    }
}

/// Why a person must look at an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// It said yes to a password that is nobody's.
    CanaryAccepted,
    /// It is heard from two processes at once.
    TwoInstances,
}

impl Alarm {
    /// For the audit log and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CanaryAccepted => "accepted a password that is nobody's",
            Self::TwoInstances => "is heard from two processes at once",
        }
    }
}

/// An agent, as it is listed.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView {
    /// The agent.
    pub agent: Uuid,
    /// The row of its domain.
    pub domain: i64,
    /// Its links.
    pub links: usize,
    /// What it has in hand.
    pub in_hand: usize,
    /// How long it takes to answer, smoothed: the longest of its links.
    pub latency: Duration,
}
