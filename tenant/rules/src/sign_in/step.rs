//! What a sign-in does next, and what a decision leaves to be done.
//! Neighbours: [`super::SignIn`] chooses; the crate `core` does it.

use crate::lockout::{RefusedAt, Tries};
use crate::verdict::Verdict;
use std::time::Duration;
use uuid::Uuid;

/// The next step of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Wait for the subject's turn, read the facts again, and call [`super::SignIn::next`] again.
    WaitForTurn,
    /// Wait for a place in the queue for derivations, read the facts again, and call [`super::SignIn::next`] again.
    WaitForPlace,
    /// Verify the password, and call [`super::SignIn::derived`].
    Derive(Against),
    /// Ask an agent, read the facts again, and call [`super::SignIn::answered`].
    AskAgent {
        /// The row of the domain.
        domain: i64,
        /// The account.
        object: Uuid,
    },
    /// It is decided.
    Done(Box<Decision>),
}

/// What a password is verified against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// The account's digest.
    Digest,
    /// A digest that no password fits, of the usual cost of this domain; none: of the highest cost.
    Decoy(Option<i64>),
}

/// A sign-in that is decided, and what must be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// What decided.
    pub by: DecidedBy,
    /// What becomes of the lockout's counters.
    pub settle: Settle,
    /// How long the verdict is held back, so that its time tells nothing.
    pub wait: Wait,
}

/// What decided, for the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// The tenant, by digest or before an agent was asked.
    Tenant,
    /// A domain controller, asked by an agent.
    Agent,
    /// The tenant by digest, because no agent could answer.
    DigestInstead,
}

impl DecidedBy {
    /// As it is added to the outcome in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "",
            Self::Agent => ", by agent",
            Self::DigestInstead => ", by digest for want of an agent",
        }
    }
}

/// What becomes of the lockout's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// Nothing.
    Nothing,
    /// A wrong password is counted, unless it is one of the last wrong ones again.
    Wrong(RefusedAt),
    /// The password was right: what its source had tried is forgiven.
    Right,
}

/// What becomes of the count of bad passwords that may have reached AD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Nothing.
    Nothing,
    /// AD has reset its own count, and so does the tenant.
    Clear,
    /// This count holds from now on.
    Put(Tries),
}

/// How long a verdict is held back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wait {
    /// What it must look like.
    pub like: Like,
    /// And this much longer: as long as the last sign-in of the domain without an answer took.
    pub silence: Duration,
}

/// What a verdict must look like by its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Like {
    /// It may leave at once.
    #[default]
    Nothing,
    /// One of the domain's last refusals that derived.
    Derivation,
    /// One of the last refusals by an agent of the domain in this row.
    Agent(i64),
}

/// What an agent's answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What becomes of AD's budget. It is written with the decision, or before the digest decides instead.
    pub charge: Charge,
    /// The next step.
    pub step: Step,
}
