//! How a sign-in ends: accepted, refused for one of many reasons, or undecided.
//! Neighbours: the sign-in makes verdicts; [`Why`] is for the audit log alone, [`Disclosable`] may reach the
//! application.

use crate::account_state::{Disclosable, State};
use crate::relay::NoAnswer;
use uuid::Uuid;

/// The most bytes of a password that is looked at. AD accepts 256 characters, which are at most 1,024 bytes of UTF-8.
pub const MAX_PASSWORD: usize = 1024;

/// The person behind an accepted sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// objectGUID. With the domain's SID it is the key of a person: names move, these two do not.
    pub object: Uuid,
    /// userPrincipalName, if there is one. For display only.
    pub user: Option<String>,
    /// sAMAccountName, if it has arrived.
    pub sam: Option<String>,
    /// displayName, if there is one.
    pub display_name: Option<String>,
    /// DNS name of the domain.
    pub domain: String,
    /// SID of the domain.
    pub domain_sid: String,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is this person's password, and AD would let the person in now.
    Accepted(Person),
    /// No.
    Refused {
        /// What may be disclosed beyond the refusal; only ever after the right password.
        disclosed: Option<Disclosable>,
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
    /// Not a form of name that signs in, or too long.
    BadName,
    /// Empty, or too long.
    BadPassword,
    /// No account has that name.
    UnknownName,
    /// More than one account has it.
    AmbiguousName,
    /// The application serves another domain.
    OtherDomain,
    /// The smart lockout refuses every password of this account from this known source.
    LockedOut,
    /// An administrator blocked the account.
    Blocked,
    /// The smart lockout refuses every password of this account from unknown sources.
    UnknownSourcesLocked,
    /// No digest has arrived.
    NoDigest,
    /// The sign-in policy of its domain or group is to refuse.
    NotAdmitted,
    /// No wrong password of this account may reach AD: its password settings object leaves no room.
    NoRoom,
    /// The digest cannot be opened: a seal key is missing, or another program wrote to the database.
    DigestUnreadable,
    /// Not the password.
    WrongPassword,
    /// The password is right, and AD would not let the account in; or AD itself says so.
    State(State),
    /// No agent was asked: this state of the account, as it has replicated, excludes every password.
    Vetoed(State),
    /// No agent was asked: the tenant knows no SID of its domain for the account, and agents bind by the SID.
    NoSid,
    /// Privileged by its attributes or by phs, in a domain that was added without `--allow-privileged`.
    Privileged,
    /// AD's budget for this account is spent, and no digest can stand in for it.
    HeldBack,
    /// AD's budget for this account is spent, and the password is not that of the digest.
    DigestDiffers,
    /// The directory refused this password lately. It is not tried there again.
    RefusedBefore,
    /// A canary: an account that is only used to try agents.
    Canary,
    /// AD: not from this workstation.
    Workstation,
    /// AD: a restriction of the account or of its logon type.
    Restricted,
    /// AD: a code that is not known here.
    UnknownCode(u32),
    /// The password is right, and the account is not assigned to the application.
    NotAssigned,
    /// The agent found that the account's SID and its objectGUID belong to two accounts, and gave no verdict.
    OtherAccount,
}

/// What a refusal does to the lockout's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It counts as a wrong password.
    Wrong,
    /// Nothing: the password was right, or was not tried.
    Nothing,
}

/// The number that counts refusals of one reason, beside the metric that counts them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedAs {
    /// No number of its own.
    Nothing,
    /// Names that more than one account holds.
    AmbiguousName,
    /// Refused by the smart lockout.
    LockedOut,
    /// The same, because the account's unknown sources share one counter.
    UnknownSourcesLocked,
    /// A digest that cannot be opened: the operator must look.
    UnreadableDigest,
    /// Something about the account, or AD's answer, is not known.
    UnknownState,
}

/// What follows from a reason.
struct Traits {
    /// In the audit log and in the metrics.
    name: &'static str,
    effect: Effect,
    /// It derives on the digest road, and its time is a sample of what such a refusal takes.
    sampled: bool,
    counted: CountedAs,
}

impl Why {
    /// The one table of reasons. To add a reason, add a row.
    fn traits(self) -> Traits {
        use CountedAs::{AmbiguousName, LockedOut, UnknownSourcesLocked, UnknownState, UnreadableDigest};
        use Effect::{Nothing, Wrong};
        let row = |name, effect, sampled, counted| Traits { name, effect, sampled, counted };
        match self {
            Self::BadName => row("bad-name", Nothing, false, CountedAs::Nothing),
            Self::BadPassword => row("bad-password", Nothing, false, CountedAs::Nothing),
            Self::UnknownName => row("unknown-name", Wrong, true, CountedAs::Nothing),
            Self::AmbiguousName => row("ambiguous-name", Wrong, true, AmbiguousName),
            Self::OtherDomain => row("other-domain", Wrong, false, CountedAs::Nothing),
            Self::LockedOut => row("locked-out", Nothing, false, LockedOut),
            Self::Blocked => row("blocked", Wrong, true, CountedAs::Nothing),
            Self::UnknownSourcesLocked => row("unknown-sources-locked", Nothing, false, UnknownSourcesLocked),
            Self::NoDigest => row("no-digest", Wrong, true, CountedAs::Nothing),
            Self::NotAdmitted => row("not-admitted", Wrong, true, CountedAs::Nothing),
            Self::NoRoom => row("no-room-in-directory", Nothing, false, CountedAs::Nothing),
            Self::DigestUnreadable => row("digest-unreadable", Nothing, false, UnreadableDigest),
            Self::WrongPassword => row("wrong-password", Wrong, true, CountedAs::Nothing),
            Self::State(state @ State::Unknown(_)) => row(state.as_str(), Nothing, false, UnknownState),
            Self::State(state) => row(state.as_str(), Nothing, false, CountedAs::Nothing),
            Self::Vetoed(state) => row(state.as_str(), Wrong, true, CountedAs::Nothing),
            Self::NoSid => row("no-sid", Wrong, true, UnknownState),
            Self::Privileged => row("privileged", Wrong, true, CountedAs::Nothing),
            Self::HeldBack => row("held-back", Nothing, false, CountedAs::Nothing),
            Self::DigestDiffers => row("digest-differs", Wrong, true, CountedAs::Nothing),
            Self::RefusedBefore => row("refused-before", Nothing, false, CountedAs::Nothing),
            Self::Canary => row("canary-account", Nothing, false, CountedAs::Nothing),
            Self::Workstation => row("workstation", Nothing, false, CountedAs::Nothing),
            Self::Restricted => row("restricted", Nothing, false, CountedAs::Nothing),
            // A directory that gives no reason may mean a wrong password, every time.
            Self::UnknownCode(_) => row("unknown-code", Wrong, false, UnknownState),
            Self::NotAssigned => row("not-assigned", Nothing, false, CountedAs::Nothing),
            Self::OtherAccount => row("other-account", Nothing, false, UnknownState),
        }
    }

    /// In the audit log and in the metrics.
    pub fn as_str(self) -> &'static str {
        self.traits().name
    }

    /// What it does to the lockout's counters.
    pub fn effect(self) -> Effect {
        self.traits().effect
    }

    /// Whether it derives on the digest road, so that its time is a sample of what such a refusal takes.
    pub fn is_sampled(self) -> bool {
        self.traits().sampled
    }

    /// The number that counts it.
    pub fn counted_as(self) -> CountedAs {
        self.traits().counted
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
