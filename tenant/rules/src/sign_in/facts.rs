//! What is known when a sign-in takes its next step.
//! Neighbours: the crate `store` reads [`Facts`] in one snapshot; the crate `core` adds [`Memory`] and [`Holds`].

use crate::account_state::{Account, State, veto};
use crate::lockout::{AdBudget, Spent, Standing, Tries};
use crate::model::{Attributes, Policy, SigninPolicy};
use crate::relay::NoAnswer;
use crate::verdict::Why;
use std::time::Duration;
use uuid::Uuid;

/// What a sign-in is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An account, by its objectGUID.
    Account(Uuid),
    /// A name that signs nobody in, under a pseudonym.
    Stranger(Uuid),
}

impl Subject {
    /// The objectGUID or the pseudonym.
    pub fn id(self) -> Uuid {
        match self {
            Self::Account(id) | Self::Stranger(id) => id,
        }
    }

    /// The objectGUID of the account, if it is one.
    pub fn account(self) -> Option<Uuid> {
        match self {
            Self::Account(id) => Some(id),
            Self::Stranger(_) => None,
        }
    }
}

/// All that is known about a sign-in at one moment.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What the sign-in is counted for.
    pub subject: Subject,
    /// Why the name signs nobody in; none: it is the account's.
    pub nobody: Option<Why>,
    /// The domain that the name is of, or would be of; none: there is no domain at all.
    pub domain: Option<DomainFacts>,
    /// The account; none: the name signs nobody in.
    pub account: Option<AccountFacts>,
    /// What is known of the source of the sign-in.
    pub source: SourceFacts,
    /// The bad passwords that may have reached AD. For a name that nobody has: those that would have, if it were an
    /// account's.
    pub spent: Option<Spent>,
}

impl Facts {
    /// Why no password signs in, whatever the account's digest or a domain controller says of it: nobody has the
    /// name, or the account is blocked, or privileged without permission. Where agents decide, also because its state
    /// excludes every password, or because its SID is not known, by which agents bind; on the digest road the state is
    /// judged after the password, so that the person can be told. None: the account may sign in. `now` is in seconds
    /// since 1970.
    pub(super) fn shut_out(&self, now: i64) -> Option<Why> {
        let Some(account) = &self.account else { return Some(self.nobody.unwrap_or(Why::UnknownName)) };
        if account.blocked {
            return Some(Why::Blocked);
        }
        if account.privileged {
            return Some(Why::Privileged);
        }
        let asks_agents = self.domain.as_ref().is_some_and(|domain| domain.policy.asks_agents());
        if !asks_agents {
            return None;
        }
        let without_sid = account.rid.is_none().then_some(Why::NoSid);
        veto(&account.as_known(), now).map(Why::Vetoed).or(without_sid)
    }
}

/// What is known of the source of a sign-in.
#[derive(Debug, Clone)]
pub struct SourceFacts {
    /// Whether it is known for this account and this caller.
    pub standing: Standing,
    /// When its last noted success was, in seconds since 1970; none: none is stored.
    pub seen_at: Option<i64>,
    /// The counter that holds for it, as stored: its own while it is known, otherwise that of all unknown sources.
    pub counter: Option<Tries>,
    /// The same counter in memory: what was counted while the database could not be written.
    pub in_memory: Option<Tries>,
}

impl SourceFacts {
    /// An unknown source without a counter.
    pub const UNKNOWN: Self =
        Self { standing: Standing::Unknown, seen_at: None, counter: None, in_memory: None };
}

/// What is known of the domain of a name.
#[derive(Debug, Clone)]
pub struct DomainFacts {
    /// Its row.
    pub id: i64,
    /// Its DNS name.
    pub dns_name: String,
    /// Its SID.
    pub sid: String,
    /// How this name signs in: as its account does, or as one of the domain's accounts does.
    pub policy: SigninPolicy,
    /// The bad passwords that AD's own lockout leaves to the outside for this name.
    pub budget: AdBudget,
    /// Whether that budget is the domain's, and so everybody's.
    pub budget_is_domains: bool,
}

/// What is known of an account.
#[derive(Debug, Clone)]
pub struct AccountFacts {
    /// Whether it is present: not deleted, out of scope or privileged.
    pub present: bool,
    /// Member of Protected Users.
    pub protected_user: bool,
    /// Privileged, in a domain without permission for privileged accounts.
    pub privileged: bool,
    /// Its attributes.
    pub attributes: Attributes,
    /// The password and lockout policy that holds for it.
    pub password_policy: Policy,
    /// Its digest.
    pub digest: DigestFact,
    /// Whether the digest is as new as the newest password of which anything has arrived.
    pub digest_is_current: bool,
    /// The relative id in its SID; none: its SID is not known, or not one of its domain.
    pub rid: Option<u32>,
    /// Whether agents are tried with it.
    pub canary: bool,
    /// Whether it is assigned to the calling application. One that is not is refused, and nothing of its state is
    /// disclosed.
    pub assigned: bool,
    /// Whether an administrator blocked it. It is then refused on every road, like a name that nobody has.
    pub blocked: bool,
}

impl AccountFacts {
    /// Why no agent is asked about this account, whatever the password. None: one may be asked.
    pub fn never_asked_about(&self) -> Option<Why> {
        if !self.present {
            return Some(Why::UnknownName);
        }
        if self.canary {
            return Some(Why::Canary);
        }
        if self.blocked {
            return Some(Why::Blocked);
        }
        if self.privileged {
            return Some(Why::Privileged);
        }
        self.protected_user.then_some(Why::Vetoed(State::ProtectedUser))
    }

    /// What its state is computed from.
    pub(super) fn as_known(&self) -> Account<'_> {
        Account::known(&self.attributes, &self.password_policy, self.protected_user)
    }
}

/// What is known of an account's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestFact {
    /// None has arrived.
    Absent,
    /// It cannot be opened: a seal key is missing, or somebody wrote to the database.
    Unreadable,
    /// It can be verified against.
    Readable,
}

/// What the process remembers about a sign-in, beside the database.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// The directory refused this very password lately, or would have if the name were an account's, and the account's
    /// password has not changed since.
    pub refused_before: bool,
    /// More charges wait for a database that can be written than memory allows.
    pub too_many_unwritten: bool,
    /// Why no agent of the domain could be asked now; none: one could.
    pub unable: Option<NoAnswer>,
    /// How the last sign-in of the domain ended to which no connected agent had an answer.
    pub silence: Option<Silence>,
}

/// The last sign-in of a domain to which no agent had an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Why there was none.
    pub why: NoAnswer,
    /// How long that took.
    pub took: Duration,
}

/// What the caller holds while it asks for the next step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holds {
    /// The subject's turn among the sign-ins that agents decide.
    pub turn: bool,
    /// A place in the queue for derivations, which is also the subject's turn there.
    pub place: bool,
    /// It has waited long enough for questions of other nodes.
    pub waited: bool,
}
