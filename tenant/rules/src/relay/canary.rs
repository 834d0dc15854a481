//! Canaries: sign-ins with a random password for an account that no person uses. An agent that accepts one accepts
//! every password. A canary detects an agent that accepts always, and no subtler fault.
//! Neighbours: [`super::release`] sends them when they are due.

use crate::model::Principal;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The canary accounts, and when each agent is tried.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    /// The canary accounts of each domain, and the number of the next one.
    named: BTreeMap<i64, (Vec<Principal>, usize)>,
    /// When each connected agent is tried next.
    pub(super) next: BTreeMap<Uuid, Instant>,
    /// When each agent last refused a canary, as it should. Agents that are not connected now are kept.
    refused: BTreeMap<Uuid, Instant>,
    /// Agents that declined their last canary because of their own bound: the next one is for a random object.
    at_bound: BTreeSet<Uuid>,
}

impl Canaries {
    /// Replaces the canary accounts of a domain.
    pub(super) fn set_accounts(&mut self, domain: i64, accounts: Vec<Principal>) {
        if accounts.is_empty() {
            self.named.remove(&domain);
        } else {
            self.named.insert(domain, (accounts, 0));
        }
    }

    /// Schedules an agent's first canary, as soon as it connects and each time it connects again.
    pub(super) fn begin(&mut self, agent: Uuid, reconnected: bool, now: Instant) {
        let next = self.next.entry(agent).or_insert(now);
        if reconnected {
            *next = now;
        }
    }

    /// Ends the canaries of an agent that is not connected.
    pub(super) fn forget(&mut self, agent: Uuid) {
        self.next.remove(&agent);
        self.at_bound.remove(&agent);
    }

    /// Notes that an agent did not try its canary because of its own bound. A canary account has as many
    /// failed binds as any other; what matters is that some canary reaches a DC.
    pub(super) fn note_at_bound(&mut self, agent: Uuid) {
        self.at_bound.insert(agent);
    }

    /// Notes that an agent refused a canary.
    pub(super) fn note_refusal(&mut self, agent: Uuid, now: Instant) {
        self.refused.insert(agent, now);
    }

    /// Time since this agent last refused a canary. None: it never did.
    pub(super) fn since_refusal(&self, agent: Uuid, now: Instant) -> Option<Duration> {
        let refused = self.refused.get(&agent)?;
        Some(now.saturating_duration_since(*refused))
    }

    /// When the next canary is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next.values().min().copied()
    }

    /// The next canary account of a domain for this agent. Without one, and after one that the agent did not try:
    /// random names, which no account has.
    pub(super) fn account(&mut self, domain: i64, agent: Uuid) -> Principal {
        if self.at_bound.remove(&agent) {
            return Principal::nobody();
        }
        let Some((accounts, next)) = self.named.get_mut(&domain) else { return Principal::nobody() };
        *next = next.wrapping_add(1);
        let at = next.checked_rem(accounts.len());
        at.and_then(|at| accounts.get(at)).copied().unwrap_or_else(Principal::nobody)
    }
}
