//! How a sign-in ends: accepted, refused for one of many reasons, or undecided.
//! Neighbours: the sign-in makes verdicts; [`Why`] is for the audit log alone, [`Disclosable`] may reach the application.

use crate::account_state::{Disclosable, State};
use crate::relay::NoAnswer;
use uuid::Uuid;

/// The most bytes of a password that is looked at; AD takes 256 characters.
pub const MAX_PASSWORD: usize = 1024;

/// The person behind an accepted sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// objectGUID: the only thing to know a person by.
    pub object: Uuid,
    /// userPrincipalName, if there is one.
    pub user: Option<String>,
    /// sAMAccountName, if it was told.
    pub sam: Option<String>,
    /// displayName, if there is one.
    pub display_name: Option<String>,
    /// DNS name of the domain.
    pub domain: String,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is this person's password, and AD would let the person in now.
    Accepted(Person),
    /// No.
    Refused {
        /// What the outside may be told beyond no; only ever after the right password.
        told: Option<Disclosable>,
        /// Why, for the audit log alone.
        why: Why,
        /// The account, if the name was one's; for the audit log alone.
        object: Option<Uuid>,
    },
    /// Nothing was decided.
    Unavailable(Unavailable),
}

/// Why nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Every core and the queue are full: try again.
    #[error("all cores and the queue are full")]
    Overloaded,
    /// The database fails: the operator acts.
    #[error("the database fails")]
    Storage,
    /// Agents have no verdict.
    #[error("{0}")]
    NoAnswer(NoAnswer),
    /// The domain's lockout policy leaves no room for wrong passwords from outside: the operator acts.
    #[error("the domain's lockout policy leaves no room for sign-ins by agents")]
    NoRoomInDirectory,
}

/// The true reason of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No form of name that signs in, or far too long.
    BadName,
    /// Empty, or far too long.
    BadPassword,
    /// Nobody has that name.
    UnknownName,
    /// More than one account has it.
    AmbiguousName,
    /// The application serves another domain.
    OtherDomain,
    /// The smart lockout listens to nobody for this account, or not from this source.
    LockedOut,
    /// No digest has arrived.
    NoDigest,
    /// The sign-in policy of its domain or group is to refuse.
    NotAdmitted,
    /// No wrong password of this account may reach AD: its password settings object leaves no room.
    NoRoom,
    /// The digest cannot be opened: a seal key is missing, or somebody wrote to the database.
    DigestUnreadable,
    /// Not the password.
    WrongPassword,
    /// The password is right, and AD would not let the account in; or AD itself says so.
    State(State),
    /// One more wrong password could lock the account in AD.
    HeldBack,
    /// The directory refused this password a moment ago, and is not asked again.
    RefusedBefore,
    /// An account that agents are tried with.
    Canary,
    /// AD: not from this workstation.
    Workstation,
    /// AD: a restriction of the account or of its logon type.
    Restricted,
    /// AD: a code that is not known here.
    UnknownCode(u32),
}

impl Why {
    /// For the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadName => "bad-name",
            Self::BadPassword => "bad-password",
            Self::UnknownName => "unknown-name",
            Self::AmbiguousName => "ambiguous-name",
            Self::OtherDomain => "other-domain",
            Self::LockedOut => "locked-out",
            Self::NoDigest => "no-digest",
            Self::NotAdmitted => "not-admitted",
            Self::NoRoom => "no-room-in-directory",
            Self::DigestUnreadable => "digest-unreadable",
            Self::WrongPassword => "wrong-password",
            Self::State(state) => state.as_str(),
            Self::HeldBack => "held-back",
            Self::RefusedBefore => "refused-before",
            Self::Canary => "canary-account",
            Self::Workstation => "workstation",
            Self::Restricted => "restricted",
            Self::UnknownCode(_) => "unknown-code",
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
