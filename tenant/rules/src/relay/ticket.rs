//! A sign-in or a change of password that waits in the relay, and an envelope that is on its way, as data.
//! Neighbours: [`super::Relay`] keeps them, [`super::deliver`] moves them.

use super::terms::{AgentAnswer, Link, NoAnswer, Output, PATIENCE};
use crate::model::Principal;
use landbridge_crypto::envelope::VerdictKey;
use landbridge_crypto::secret::Password;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// What an agent is to do.
#[derive(Debug, Clone)]
pub(super) enum Task {
    /// Try this password.
    SignIn(Arc<Password>),
    /// Change the password.
    Change(PasswordPair),
}

/// A change of password. The envelope of a delivery holds both passwords.
#[derive(Debug, Clone)]
pub struct PasswordPair {
    /// sAMAccountName of the account.
    pub account: String,
    /// The password of before.
    pub old: Arc<Password>,
    /// The new one.
    pub new: Arc<Password>,
}

/// A sign-in or a change of password that waits for its answer.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) domain: i64,
    pub(super) principal: Principal,
    pub(super) task: Task,
    pub(super) deadline: Instant,
    /// The links of its deliveries.
    pub(super) links: Vec<Link>,
    /// The agents of its deliveries.
    pub(super) agents: Vec<Uuid>,
    /// Limit on the binds that may reach a DC.
    pub(super) binds: u32,
    /// The agents that declined because of their own bound. None of them is asked again for this ticket.
    pub(super) at_bound: Vec<Uuid>,
    /// Binds that may have reached a DC.
    pub(super) tried: u32,
    /// Why the last delivery failed.
    pub(super) missed: Option<NoAnswer>,
}

impl Ticket {
    /// A ticket without a delivery, whose deadline is [`PATIENCE`] after `now`.
    pub(super) fn new(domain: i64, principal: Principal, task: Task, binds: u32, now: Instant) -> Self {
        let deadline = now + PATIENCE;
        Self {
            domain,
            principal,
            task,
            deadline,
            links: vec![],
            agents: vec![],
            at_bound: vec![],
            binds,
            tried: 0,
            missed: None,
        }
    }

    /// The output that ends it without an answer of an agent.
    pub(super) fn unanswered(&self, ticket: u64, why: NoAnswer) -> Output {
        let tried = self.tried;
        match self.task {
            Task::SignIn(_) => {
                Output::Answered { ticket, answer: AgentAnswer { outcome: Err(why), agent: None, tried } }
            }
            Task::Change(_) => Output::ChangeAnswered {
                ticket,
                answer: AgentAnswer { outcome: Err(why), agent: None, tried },
            },
        }
    }
}

/// An envelope that was sent and has no verdict yet.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) link: Link,
    pub(super) purpose: Purpose,
    /// Its number in the order of sending. Deliveries that are lost together are repeated in this order.
    pub(super) number: u64,
    pub(super) key: VerdictKey,
    pub(super) sent: Instant,
    pub(super) deadline: Instant,
}

/// The purpose of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A person's sign-in.
    SignIn(u64),
    /// A person's change of password.
    Change(u64),
    /// A canary.
    Canary,
}
