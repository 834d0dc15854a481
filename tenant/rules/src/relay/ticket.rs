//! A sign-in that waits in the relay, and an envelope that is on its way, as data.
//! Neighbours: [`super::Relay`] keeps them, [`super::deliver`] moves them.

use super::terms::{Link, NoAnswer, PATIENCE};
use crate::model::Principal;
use landbridge_crypto::envelope::VerdictKey;
use landbridge_crypto::secret::Password;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// A sign-in that waits for its verdict.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) domain: i64,
    pub(super) principal: Principal,
    pub(super) password: Arc<Password>,
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
    pub(super) fn new(
        domain: i64,
        principal: Principal,
        password: Arc<Password>,
        binds: u32,
        now: Instant,
    ) -> Self {
        let deadline = now + PATIENCE;
        Self {
            domain,
            principal,
            password,
            deadline,
            links: vec![],
            agents: vec![],
            at_bound: vec![],
            binds,
            tried: 0,
            missed: None,
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
    Ticket(u64),
    /// A canary.
    Canary,
}
