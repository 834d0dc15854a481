//! A sign-in on its way to an agent and back, over the WebSocket that the agent dialled (`GET /v1/agent`).
//! Each message is one [`crate::frame`] in one binary WebSocket message of at most [`MAX_MESSAGE`] bytes.
//!
//! The order: the agent sends [`Hello`], the tenant [`Welcome`]; then each sends what it has. Kinds of message and
//! fields that a newer version adds for the connection are ignored. A [`SignInRequest`] or [`Answer`] with anything
//! unknown in it is refused, since the unknown part might change its meaning. Times are milliseconds on the
//! connection's clock, which is the tenant's and starts with its [`Welcome`].

use crate::bounded::{Blob, List, Text};
use crate::change::{ChangeAnswer, ChangeRequest};
pub use crate::directory_verdict::DirectoryVerdict;
use crate::nodes::NodeUrls;
use landbridge_crypto::envelope::MAX_SEALED;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Limit on the bytes of one message, including its frame.
pub const MAX_MESSAGE: usize = 16 * 1024;
/// The path at which the agent connects.
pub const PATH: &str = "/v1/agent";
/// Interval at which each side sends a heartbeat, in milliseconds.
pub const HEARTBEAT: u64 = 1_000;
/// A side from which nothing was received for this long counts as dead, in milliseconds: three missed heartbeats.
pub const SILENCE: u64 = 3_000;
/// Limit on open sign-ins on one connection, whatever capacity the agent announces.
pub const MAX_IN_HAND: u16 = 256;
/// Name in [`Welcome::abilities`]: the tenant understands [`Decline::AtBound`]. To a tenant that does not send it, the
/// agent declines with [`Decline::Overloaded`], after which the tenant asks another agent as well.
pub const AT_BOUND: &str = "at-bound";
/// Name in [`Hello::abilities`]: the agent accepts [`SignInRequest::sid`]. Name in [`Welcome::abilities`]: the tenant
/// sends it to such agents, and understands [`Decline::OtherAccount`]. Without it on both sides a sign-in names the
/// account by objectGUID alone, as in version 0.1.
pub const BY_SID: &str = "by-sid";

/// A message of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromAgent {
    /// The first message.
    Hello(Hello),
    /// The directory's verdict.
    Answer(Answer),
    /// What came of a change of password.
    Changed(Box<ChangeAnswer>),
    /// There is no verdict, and no change of password; why.
    Declined(Declined),
    /// The sender is alive.
    Heartbeat(Heartbeat),
    /// The agent accepts no further sign-ins on this connection, and answers the open ones.
    Drain,
    /// A kind of message of a newer agent: ignored.
    #[serde(other)]
    Unknown,
}

/// A message of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromTenant {
    /// The first message.
    Welcome(Welcome),
    /// A sign-in to be tried at the directory.
    #[serde(rename = "ask")]
    SignIn(Box<SignInRequest>),
    /// A change of password. Sent to an agent with the ability [`crate::change::CHANGE_PASSWORD`] only.
    Change(Box<ChangeRequest>),
    /// The sender is alive.
    Heartbeat(Heartbeat),
    /// The tenant has other nodes now. An agent of before this message ignores it.
    Nodes(NodesChanged),
    /// The tenant is about to stop: connect to another node, or to this one again in a moment.
    Drain,
    /// A kind of message of a newer tenant: ignored.
    #[serde(other)]
    Unknown,
}

/// The agent introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// A random name of this connection. Every envelope sent over it authenticates this name, so that nothing can be
    /// replayed over another connection.
    pub connection: Uuid,
    /// A random name of this process.
    pub instance: Uuid,
    /// Program and version, for the administrator's list.
    pub software: Text<64>,
    /// How many open sign-ins it accepts on this connection: 1 to [`MAX_IN_HAND`].
    pub capacity: u16,
    /// Names of what this agent understands beyond version 0.1, such as [`BY_SID`]. A tenant of version 0.1 ignores the
    /// field, and an agent of version 0.1 does not send it.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub abilities: List<Text<32>, 16>,
}

/// The tenant accepts the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// `https://host:port` of every node of the tenant; the agent connects to each.
    pub nodes: NodeUrls,
    /// Names of what this tenant understands beyond version 0.1, such as [`AT_BOUND`]. An agent of version 0.1 ignores
    /// the field, and a tenant of version 0.1 does not send it.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub abilities: List<Text<32>, 16>,
}

/// The nodes of the tenant have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodesChanged {
    /// `https://host:port` of every node of the tenant, in place of the list before.
    pub nodes: NodeUrls,
}

/// One side is alive. The agent returns every heartbeat of the tenant unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// When the tenant sent it, on the connection's clock.
    pub at: u64,
}

/// Asks whether a password is the account's. What the envelope is about is in its authenticated part
/// ([`landbridge_crypto::envelope::About`]); the agent's own names come from its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// Random name of this delivery. A delivery is opened once.
    pub request: Uuid,
    /// objectGUID of the account.
    pub object: Uuid,
    /// objectSid of the account, `S-1-5-21-…`, by which the agent binds. Sent to an agent with the ability [`BY_SID`]
    /// only; one of version 0.1 refuses the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Text<64>>,
    /// The deadline, on the connection's clock: the tenant does not wait longer.
    pub due: u64,
    /// HPKE's `enc`.
    pub encapsulated: Blob<32>,
    /// The sealed password.
    pub sealed: Blob<MAX_SEALED>,
}

/// The directory's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The sign-in that this answers.
    pub request: Uuid,
    /// The verdict.
    pub verdict: DirectoryVerdict,
    /// HMAC-SHA256 under the envelope's verdict key over [`DirectoryVerdict::authenticated`].
    pub tag: Blob<32>,
}

/// No verdict, or no change of password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declined {
    /// The sign-in or the change of password that this answers. A change was not made.
    pub request: Uuid,
    /// Why.
    pub why: Decline,
    /// Whether a bind may have reached a domain controller, which may have counted a bad password.
    pub tried: bool,
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decline {
    /// No domain controller can be reached, or the connection broke.
    NoDirectory,
    /// More sign-ins than the capacity that the agent announced.
    Overloaded,
    /// The agent is stopping.
    Draining,
    /// Its deadline passed before a domain controller was asked or had answered.
    TooLate,
    /// The envelope does not open here, or was opened before.
    Unopened,
    /// One more bad password could lock the account in AD: the agent has used up its own share of failed binds.
    /// Sent to a tenant with the ability [`AT_BOUND`] only.
    AtBound,
    /// The request's SID is malformed or of another domain, or the account that has it has another objectGUID than the
    /// request. Sent to a tenant with the ability [`BY_SID`] only; one without it receives [`Decline::Unopened`].
    OtherAccount,
    /// The agent changes no passwords, or does so no longer. Sent in answer to a change of password only, so a tenant
    /// that knows no such changes does not receive it.
    ChangesNoPasswords,
}
