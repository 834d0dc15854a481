//! Sends a canary to each agent that is due.
//! Neighbours: [`super::canary`] has the accounts and the times; [`super::deliver`] sends a canary like a person's
//! ticket and receives its verdict.

use super::ticket::{Purpose, Task};
use super::{Event, Link, Output, PATIENCE, Relay};
use landbridge_crypto::secret::{Password, Secret};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The shortest time between two canaries of an agent. Each costs the DC a bind.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
/// Milliseconds of random delay added to [`SHORTEST_INTERVAL`], so that an agent cannot predict its next canary.
const SPREAD_MILLISECONDS: usize = 15_000;
/// The wait before the next canary when all links of an agent are at capacity.
const RETRY_WHEN_BUSY: Duration = Duration::from_secs(1);

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
                    let (link, account) = (*link, self.canaries.account(*domain, agent));
                    let task = Task::SignIn(Arc::new(random_password()));
                    if self.send(link, Purpose::Canary, account, &task, now + PATIENCE, now) {
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
