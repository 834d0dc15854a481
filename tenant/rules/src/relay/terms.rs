//! The types between the relay and its caller: facts of a link, things to do, answers to tickets, alarms.
//! Neighbours: [`super::Relay`] makes the outputs; `relay_driver` in the tenant's core acts on them.

use landbridge_crypto::envelope::EnvelopePublic;
use landbridge_wire::change::ChangeOutcome;
use landbridge_wire::signin::{DirectoryVerdict, FromTenant};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Limit on the duration of a ticket. A bind takes milliseconds, so this covers a slow DC and one repetition.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A connection's number. The caller chooses it and uses it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub u64);

/// The facts about an agent from the certificate of its link.
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
    /// The key that passwords are sealed to.
    pub key: EnvelopePublic,
    /// The end of the certificate.
    pub until: Instant,
}

/// A thing for the caller to do.
#[derive(Debug)]
pub enum Output {
    /// Send a message.
    Send {
        /// The link to send it over.
        link: Link,
        /// The message.
        message: FromTenant,
    },
    /// Close a link. The relay has removed it.
    Close {
        /// The link.
        link: Link,
        /// The reason, for the log.
        why: Closed,
    },
    /// A ticket of a sign-in has ended.
    Answered {
        /// The ticket.
        ticket: u64,
        /// The answer.
        answer: AgentAnswer,
    },
    /// A ticket of a change of password has ended.
    ChangeAnswered {
        /// The ticket.
        ticket: u64,
        /// The answer. An error: the password was certainly not changed.
        answer: AgentAnswer<ChangeOutcome>,
    },
    /// A person must look at an agent. Its links are closed already.
    Alarm {
        /// The agent.
        agent: Uuid,
        /// The reason.
        alarm: Alarm,
        /// Time since the agent last refused a canary, as it should. None: it never did.
        trusted: Option<Duration>,
    },
    /// An agent sent its hello.
    Introduced {
        /// The link of the hello.
        link: Link,
        /// The agent.
        agent: Uuid,
        /// Its process.
        instance: Uuid,
        /// A time at which that was certainly alive.
        alive_at: Instant,
        /// Program and version.
        software: String,
    },
    /// Count an event for the metrics.
    Counted(Event),
}

/// The reason why a link is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// No hello arrived in time.
    NoHello,
    /// No message arrived for too long.
    Silent,
    /// The agent broke the protocol, in this way.
    Breach(&'static str),
    /// The agent or the tenant has the most links allowed.
    TooMany,
    /// The agent's certificate has ended.
    CertificateOver,
    /// The agent was revoked or quarantined.
    Cut,
    /// The agent drains and has answered all its deliveries.
    Drained,
    /// The agent's process was superseded by another one, and may have ended since.
    Superseded,
}

/// An event that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A ticket was delivered to an agent.
    Delivered,
    /// A ticket was delivered a second time.
    Redelivered,
    /// A verdict arrived for no waiting delivery: it was late, repeated or invented.
    Stray,
    /// A verdict arrived with a wrong tag, or over another link than its delivery.
    Forged,
    /// A canary was sent to an agent.
    CanarySent,
    /// A canary was refused, as it should be.
    CanaryRefused,
    /// A canary was accepted.
    CanaryAccepted,
}

/// The answer to a ticket: of a sign-in, or with [`ChangeOutcome`] of a change of password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentAnswer<Outcome = DirectoryVerdict> {
    /// The DC's verdict or the outcome of the change, or the reason why there is none.
    pub outcome: Result<Outcome, NoAnswer>,
    /// The agent that sent it.
    pub agent: Option<Uuid>,
    /// Binds that may have reached a DC, each of which it may have counted as a bad password.
    pub tried: u32,
}

/// The reason why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoAnswer {
    /// No agent of the domain is connected.
    #[error("no agent of the domain is connected")]
    NoAgent,
    /// All agents of the domain are at capacity.
    #[error("all agents of the domain are busy")]
    Busy,
    /// The agents reach no domain controller.
    #[error("the agents reach no domain controller")]
    NoDirectory,
    /// The agents disconnected before they answered.
    #[error("the agents that were asked are gone")]
    Lost,
    /// No answer came in time.
    #[error("no answer came in time")]
    TooLate,
    /// Each agent has used up its own share of bad passwords for the account.
    #[error("one more bad password could lock the account, by the agents' own bounds")]
    AtBound,
    /// At the domain controller the account's SID and its objectGUID are not those of one account.
    #[error("the account's SID and objectGUID belong to two accounts at the domain controller")]
    OtherAccount,
}

impl NoAnswer {
    /// The text in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAgent => "no-agent",
            Self::Busy => "agents-busy",
            Self::NoDirectory => "no-directory",
            Self::Lost => "agents-lost",
            Self::TooLate => "too-late",
            Self::AtBound => "agents-at-bound",
            Self::OtherAccount => "other-account",
        }
    }
}

/// The reason why a person must look at an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// The agent accepted a canary.
    CanaryAccepted,
    /// Two processes use the agent's identity.
    TwoInstances,
}

impl Alarm {
    /// The text in the audit log and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CanaryAccepted => "accepted a password that is nobody's",
            Self::TwoInstances => "is heard from two processes at once",
        }
    }
}

/// An agent in a list of connected agents.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView {
    /// The agent.
    pub agent: Uuid,
    /// The row of its domain.
    pub domain: i64,
    /// Number of its links.
    pub links: usize,
    /// Deliveries without a verdict.
    pub in_hand: usize,
    /// Its smoothed latency: the greatest of its links.
    pub latency: Duration,
}
