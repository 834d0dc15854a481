//! What is known when a sign-in takes its next step.
//! Neighbours: the crate `store` reads [`Facts`] in one snapshot; the crate `core` adds [`Memory`] and [`Holds`].

use crate::lockout::{AdBudget, Tries};
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
    /// The counters of the smart lockout that hold for this subject and source.
    pub counters: Counters,
}

impl Facts {
    /// Why no password signs in, whatever the account's digest or a domain controller says of it: nobody has the
    /// name, or the account is blocked. None: the account may sign in.
    pub(super) fn shut_out(&self) -> Option<Why> {
        match &self.account {
            None => Some(self.nobody.unwrap_or(Why::UnknownName)),
            Some(account) => account.blocked.then_some(Why::Blocked),
        }
    }
}

/// The counters of the smart lockout.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// Of the account and this source, as stored.
    pub own: Option<Tries>,
    /// Of the account over all sources, as stored.
    pub all: Option<Tries>,
    /// Those that the process counts in memory: of names that nobody has, and of accounts while the database cannot
    /// be written.
    pub in_memory: Vec<Tries>,
}

/// What is known of the domain of a name.
#[derive(Debug, Clone)]
pub struct DomainFacts {
    /// Its row.
    pub id: i64,
    /// Its DNS name.
    pub dns_name: String,
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
    /// Its attributes.
    pub attributes: Attributes,
    /// The password and lockout policy that holds for it.
    pub password_policy: Policy,
    /// Its digest.
    pub digest: DigestFact,
    /// Whether agents are tried with it.
    pub canary: bool,
    /// Whether an administrator blocked it. It is then refused on every road, like a name that nobody has.
    pub blocked: bool,
    /// The bad passwords that may have reached AD.
    pub spent: Option<Tries>,
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
    /// The directory refused this very password lately, and the account's password has not changed since.
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
}
