//! Canaries: sign-ins with a random password for an account that no person uses. An agent that accepts one accepts every
//! password. A canary detects an agent that accepts always, and no subtler fault.
//! Neighbours: [`super::deliver`] sends a canary like a person's ticket and receives its verdict.

use super::deliver::Purpose;
use super::{Event, Link, Output, PATIENCE, Relay};
use landbridge_crypto::secret::{Password, Secret};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The shortest time between two canaries of an agent. Each costs the DC a bind.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
/// Milliseconds of random delay added to [`SHORTEST_INTERVAL`], so that an agent cannot predict its next canary.
const SPREAD_MILLISECONDS: usize = 15_000;
/// The wait before the next canary when all links of an agent are at capacity.
const RETRY_WHEN_BUSY: Duration = Duration::from_secs(1);

/// The canary accounts, and when each agent is tried.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    /// The canary accounts of each domain, and the number of the next one.
    named: BTreeMap<i64, (Vec<Uuid>, usize)>,
    /// When each connected agent is tried next.
    next: BTreeMap<Uuid, Instant>,
    /// When each agent last refused a canary, as it should. Agents that are not connected now are kept.
    refused: BTreeMap<Uuid, Instant>,
}

impl Canaries {
    /// Replaces the canary accounts of a domain.
    pub(super) fn set_accounts(&mut self, domain: i64, objects: Vec<Uuid>) {
        if objects.is_empty() {
            self.named.remove(&domain);
        } else {
            self.named.insert(domain, (objects, 0));
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

    /// The next canary account of a domain. Without one: a random objectGUID, which no account has.
    fn account(&mut self, domain: i64) -> Uuid {
        let Some((objects, next)) = self.named.get_mut(&domain) else { return Uuid::new_v4() };
        *next = next.wrapping_add(1);
        let at = next.checked_rem(objects.len());
        at.and_then(|at| objects.get(at)).copied().unwrap_or_else(Uuid::new_v4)
    }
}

impl Relay {
    /// Sends a canary to every agent that is due, over one of its links.
    pub(super) fn release_canaries(&mut self, now: Instant) {
        if self.draining {
            return;
        }
        // 1. The agents whose time has come.
        let due: Vec<Uuid> =
            self.canaries.next.iter().filter(|(_, next)| now >= **next).map(|(agent, _)| *agent).collect();
        for agent in due {
            // 2. A link with capacity, by chance.
            let links: Vec<(Link, i64, bool)> = self
                .lines
                .iter()
                .filter(|(_, line)| line.facts.agent == agent && line.accepts_deliveries(now))
                .map(|(link, line)| (*link, line.facts.domain, line.has_capacity()))
                .collect();
            let free: Vec<_> = links.iter().filter(|(_, _, room)| *room).collect();
            let pick = self.chance.below(free.len());
            // 3. The canary, and the time of the next one.
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
                    // A canary is sent when the agent connects again, before it receives a password.
                    self.canaries.forget(agent);
                    continue;
                }
                None => RETRY_WHEN_BUSY,
            };
            self.canaries.next.insert(agent, now + wait);
        }
    }
}

/// A password of 144 random bits, which no account has.
fn random_password() -> Password {
    use base64::Engine as _;
    let random = Secret::<18>::random();
    Password::new(random.lend(|bytes| base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)))
}
