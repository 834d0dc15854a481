//! A sign-in on its way to an agent and back, over the WebSocket that the agent dialled (`GET /v1/agent`).
//! Each message is one [`crate::frame`] in one binary WebSocket message of at most [`MAX_MESSAGE`] bytes.
//!
//! The order: the agent says [`Hello`], the tenant [`Welcome`]; then each says what it has to say. Kinds of
//! message and fields that a newer peer adds to the conversation about the connection are passed over;
//! an [`Ask`] or [`Answer`] with anything unknown in it is refused, since it might mean something else by it.
//! Times are milliseconds on the connection's clock, which is the tenant's and starts with its [`Welcome`].

use crate::bounded::{Blob, List, Text};
use landbridge_crypto::envelope::MAX_SEALED;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most bytes of one message, frame and all.
pub const MAX_MESSAGE: usize = 16 * 1024;
/// Where the agent connects.
pub const PATH: &str = "/v1/agent";
/// Each side is heard this often, in milliseconds.
pub const HEARTBEAT: u64 = 1_000;
/// A side that was not heard for so long is dead, in milliseconds.
pub const SILENCE: u64 = 3_000;
/// The most asks in an agent's hand on one connection, whatever it says it can take.
pub const MAX_IN_HAND: u16 = 256;

/// What an agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromAgent {
    /// First.
    Hello(Hello),
    /// What the directory said.
    Answer(Answer),
    /// Nothing was said; why.
    Declined(Declined),
    /// I am alive.
    Heartbeat(Heartbeat),
    /// Ask me nothing more on this connection; what is in my hand I answer.
    Drain,
    /// A kind of message of a newer agent: passed over.
    #[serde(other)]
    Unknown,
}

/// What a tenant says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromTenant {
    /// First.
    Welcome(Welcome),
    /// Is this the password?
    Ask(Box<Ask>),
    /// I am alive.
    Heartbeat(Heartbeat),
    /// I am about to stop: connect elsewhere, or here again in a moment.
    Drain,
    /// A kind of message of a newer tenant: passed over.
    #[serde(other)]
    Unknown,
}

/// The agent introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// A random name of this connection; stands in what every envelope over it is about, so that nothing can be
    /// replayed over another one.
    pub connection: Uuid,
    /// A random name of this process.
    pub instance: Uuid,
    /// Program and version, for the administrator's list.
    pub software: Text<64>,
    /// How many asks it takes at a time on this connection: 1 to [`MAX_IN_HAND`].
    pub capacity: u16,
}

/// The tenant takes the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// `https://host:port` of every node of the tenant; the agent connects to each.
    pub nodes: List<Text<512>, 16>,
}

/// One side is alive. The agent sends every heartbeat of the tenant back as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// When the tenant sent it, on the connection's clock.
    pub at: u64,
}

/// Whether a password is the account's. What it is about is in the envelope's authenticated part
/// ([`landbridge_crypto::envelope::About`]); the agent's own names come from its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// This delivery; a delivery is opened once.
    pub request: Uuid,
    /// objectGUID of the account.
    pub object: Uuid,
    /// After this nobody waits for the answer: on the connection's clock.
    pub due: u64,
    /// HPKE's `enc`.
    pub encapsulated: Blob<32>,
    /// The sealed password.
    pub sealed: Blob<MAX_SEALED>,
}

/// What the directory said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Which ask.
    pub request: Uuid,
    /// What it said.
    pub verdict: Verdict,
    /// HMAC-SHA256 under the envelope's verdict key over [`Verdict::authenticated`].
    pub tag: Blob<32>,
}

/// What a domain controller said to a bind (`docs/design/protocol-facts.md`; Windows: `System error codes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The bind succeeded.
    Valid,
    /// 52e, 525: not the password, or no such account.
    Wrong,
    /// 530: not at this hour.
    LogonHours,
    /// 531: not from this workstation.
    Workstation,
    /// 532: the password is too old.
    PasswordExpired,
    /// 533: the account is disabled.
    Disabled,
    /// 701: the account's time is over.
    AccountExpired,
    /// 773: the password must be changed first.
    MustChange,
    /// 775: the account is locked.
    Locked,
    /// 52f, 569: a restriction of the account or of its logon type.
    Restricted,
    /// Anything else: the code, which nobody has taught us; refused.
    Unknown(u32),
}

impl Verdict {
    /// What the tag is over: request, and the verdict as two numbers.
    pub fn authenticated(self, request: Uuid) -> [u8; 24] {
        let (kind, code): (u32, u32) = match self {
            Self::Valid => (1, 0),
            Self::Wrong => (2, 0),
            Self::LogonHours => (3, 0),
            Self::Workstation => (4, 0),
            Self::PasswordExpired => (5, 0),
            Self::Disabled => (6, 0),
            Self::AccountExpired => (7, 0),
            Self::MustChange => (8, 0),
            Self::Locked => (9, 0),
            Self::Restricted => (10, 0),
            Self::Unknown(code) => (11, code),
        };
        let mut bytes = [0; 24];
        let parts = request.into_bytes().into_iter().chain(kind.to_be_bytes()).chain(code.to_be_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }
}

/// No verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declined {
    /// Which ask.
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
    /// No domain controller can be reached, or it broke off.
    NoDirectory,
    /// Over the capacity that was told.
    Overloaded,
    /// The agent is stopping.
    Draining,
    /// Its deadline passed before a domain controller was asked or had answered.
    TooLate,
    /// The envelope does not open here, or was opened before.
    Unopened,
}
