//! What a sign-in does next, and what a decision leaves to be done.
//! Neighbours: [`super::SignIn`] chooses; the crate `core` does it.

use crate::lockout::{AdBudget, RefusedAt, Standing};
use crate::model::Principal;
use crate::verdict::Verdict;
use std::time::Duration;

/// The next step of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Wait for the subject's turn, read the facts again, and call [`super::SignIn::next`] again.
    WaitForTurn,
    /// Wait a moment for the answer to a question about the subject that another node has under way, read the facts again,
    /// and call [`super::SignIn::next`] again.
    WaitForQuestion,
    /// Wait for a place in the queue for derivations, read the facts again, and call [`super::SignIn::next`] again.
    WaitForPlace,
    /// Verify the password, and call [`super::SignIn::derived`].
    Derive(Against),
    /// Verify the password, because AD's budget is spent, and call [`super::SignIn::compared`].
    Compare(Against),
    /// Ask an agent, read the facts again, and call [`super::SignIn::answered`].
    AskAgent(Question),
    /// It is decided.
    Done(Box<Decision>),
}

/// What an agent is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The row of the domain.
    pub domain: i64,
    /// The account.
    pub account: Principal,
    /// Limit on the binds of this sign-in that may reach AD: what AD's budget has room for.
    pub binds: u32,
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
    /// What becomes of AD's budget.
    pub charge: Charge,
    /// How long the verdict is held back, so that its time tells nothing.
    pub wait: Wait,
}

impl Decision {
    /// Whether it is made up to look like an agent's refusal, and is charged like one.
    pub fn pretends_question(&self) -> bool {
        self.by == DecidedBy::Tenant && matches!(self.charge, Charge::Add { .. })
    }
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
    /// The password was right, and the account is not let in: what its known source had tried is forgiven.
    Right,
    /// The account is let in: the same, and its source becomes known. At this time, in seconds since 1970.
    LetIn(i64),
}

/// What becomes of the count of bad passwords that may have reached AD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Nothing.
    Nothing,
    /// AD accepted the password, and has reset its own count: [`AdBudget::after_success`].
    Accepted {
        /// The budget that was charged before.
        budget: AdBudget,
        /// Seconds since 1970.
        at: i64,
    },
    /// Bad passwords may have been added to AD's count.
    Add {
        /// The budget that is charged.
        budget: AdBudget,
        /// The standing of the source that tried them.
        standing: Standing,
        /// Their number.
        more: u32,
        /// When, in seconds since 1970.
        at: i64,
    },
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
    /// The same, after one of the domain's last refusals that derived: AD's budget is spent.
    ComparisonAndAgent(i64),
}

/// What an agent's answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What becomes of AD's budget. It is written with the decision, or before the digest decides instead.
    pub charge: Charge,
    /// The next step.
    pub step: Step,
}
