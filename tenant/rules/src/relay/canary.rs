//! Trials of the agents: a password that is nobody's, for an account that nobody uses. An agent that says yes to it
//! says yes to everything. It finds an unconditional yes and no more.

use super::deliver::Purpose;
use super::{Event, Link, Output, PATIENCE, Relay};
use landbridge_crypto::secret::{Password, Secret};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Each agent is tried this often at most,
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
/// and at least this much later, so that the time of a trial cannot be foreseen.
const SPREAD_MILLISECONDS: usize = 15_000;
/// When an agent's hands are full, it is tried this much later.
const RETRY_WHEN_BUSY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Canaries {
    /// Accounts that are named for this, by domain, and which comes next.
    named: BTreeMap<i64, (Vec<Uuid>, usize)>,
    /// When each agent that is there is tried next.
    next: BTreeMap<Uuid, Instant>,
    /// When each last refused one, as it should: also those that are not there now.
    refused: BTreeMap<Uuid, Instant>,
}

impl Canaries {
    pub(super) fn set_accounts(&mut self, domain: i64, objects: Vec<Uuid>) {
        if objects.is_empty() {
            self.named.remove(&domain);
        } else {
            self.named.insert(domain, (objects, 0));
        }
    }

    /// An agent is tried as soon as it is there, and every time that it comes back.
    pub(super) fn begin(&mut self, agent: Uuid, reconnected: bool, now: Instant) {
        let next = self.next.entry(agent).or_insert(now);
        if reconnected {
            *next = now;
        }
    }

    pub(super) fn forget(&mut self, agent: Uuid) {
        self.next.remove(&agent);
    }

    pub(super) fn note_refusal(&mut self, agent: Uuid, now: Instant) {
        self.refused.insert(agent, now);
    }

    /// How long ago this agent refused one, as it should.
    pub(super) fn since_refusal(&self, agent: Uuid, now: Instant) -> Option<Duration> {
        let refused = self.refused.get(&agent)?;
        Some(now.saturating_duration_since(*refused))
    }

    /// When the next trial is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next.values().min().copied()
    }

    /// The next account of a domain, or an objectGUID that no account has.
    fn account(&mut self, domain: i64) -> Uuid {
        let Some((objects, next)) = self.named.get_mut(&domain) else { return Uuid::new_v4() };
        *next = next.wrapping_add(1);
        let at = next.checked_rem(objects.len());
        at.and_then(|at| objects.get(at)).copied().unwrap_or_else(Uuid::new_v4)
    }
}

impl Relay {
    /// Tries every agent whose time has come, over one of its links.
    pub(super) fn release_canaries(&mut self, now: Instant) {
        if self.draining {
            return;
        }
        let due: Vec<Uuid> =
            self.canaries.next.iter().filter(|(_, next)| now >= **next).map(|(agent, _)| *agent).collect();
        for agent in due {
            let links: Vec<(Link, i64, bool)> = self
                .lines
                .iter()
                .filter(|(_, line)| line.facts.agent == agent && line.accepts_deliveries(now))
                .map(|(link, line)| (*link, line.facts.domain, line.has_capacity()))
                .collect();
            let free: Vec<_> = links.iter().filter(|(_, _, room)| *room).collect();
            let pick = self.chance.below(free.len());
            let wait = match free.get(pick) {
                Some((link, domain, _)) => {
                    let (link, object) = (*link, self.canaries.account(*domain));
                    if self.send(link, Purpose::Canary, object, &random_password(), now + PATIENCE, now) {
                        self.output.push_back(Output::Counted(Event::CanarySent));
                    }
                    let spread = u64::try_from(self.chance.below(SPREAD_MILLISECONDS)).unwrap_or(0);
                    SHORTEST_INTERVAL + Duration::from_millis(spread)
                }
                None if links.is_empty() => {
                    // Tried again when it is back, before anybody's password goes there.
                    self.canaries.forget(agent);
                    continue;
                }
                None => RETRY_WHEN_BUSY,
            };
            self.canaries.next.insert(agent, now + wait);
        }
    }
}

/// A password that is nobody's.
fn random_password() -> Password {
    use base64::Engine as _;
    let random = Secret::<18>::random();
    Password::new(random.lend(|bytes| base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)))
}
