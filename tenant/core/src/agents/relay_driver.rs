//! The agents' connections: the clock and the sockets under the relay.
//! Before it on the road: `signin` asks. After it: the agents. Not here: which agent is asked, and what its answer
//! is worth (`relay`); whether it may connect (`admit`).

use crate::clock::stopped;
use crate::numbers::Numbers;
use crate::sign_ins::{AnswerOnItsWay, AskAgents};
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::relay::{AgentView, Alarm, Asked, Event, Facts, Link, NoAnswer, Output, Relay};
use landbridge_wire::signin::{FromAgent, FromTenant};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use uuid::Uuid;

/// So many messages wait for an agent that reads slowly; with more it is not reading.
const WAITING: usize = 512;
/// So many alarms wait to be written down.
const ALARMS: usize = 1024;
/// When the tenant stops, sign-ins in an agent's hand have so long.
const STOPPING: Duration = Duration::from_secs(11);
/// The driver looks at least this often.
const LONGEST: Duration = Duration::from_secs(60);

/// An agent did what a person must look at.
#[derive(Debug, Clone, Copy)]
pub struct Raised {
    pub(super) agent: Uuid,
    pub(super) alarm: Alarm,
    pub(super) trusted: Option<Duration>,
}

/// The agents' connections.
pub struct RelayDriver {
    held: Mutex<Held>,
    /// The driver is to look again, earlier than it meant to.
    earlier: Notify,
    alarms: mpsc::Sender<Raised>,
    numbers: Arc<Numbers>,
}

struct Held {
    relay: Relay,
    links: HashMap<Link, Way>,
    waiting: HashMap<u64, oneshot::Sender<Asked>>,
    next: u64,
    looking_at: Instant,
    introduced: HashMap<Uuid, (Uuid, String)>,
}

/// The way to a link's task: what it sends, and that it is to end at once, whatever waits.
struct Way {
    sender: mpsc::Sender<FromTenant>,
    closed: Arc<Notify>,
}

impl AskAgents for RelayDriver {
    fn unable(&self, domain: i64) -> Option<NoAnswer> {
        self.held().relay.unable(domain, Instant::now())
    }

    fn typical_delay(&self, domain: i64) -> Option<Duration> {
        let mut chance = [0; 8];
        aws_lc_rs::rand::fill(&mut chance).ok()?;
        self.held().relay.usual(domain, u64::from_be_bytes(chance))
    }

    fn ask(self: Arc<Self>, domain: i64, object: Uuid, password: Arc<Password>) -> AnswerOnItsWay {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.with(|held, now| {
                held.next += 1;
                held.waiting.insert(held.next, answer);
                held.relay.ask(held.next, domain, object, password, now);
            });
            // The relay answers every ticket; this end is dropped with the tenant alone.
            answered.await.unwrap_or(Asked { outcome: Err(NoAnswer::Lost), agent: None, tried: 1 })
        })
    }
}

impl std::fmt::Debug for RelayDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayDriver").finish_non_exhaustive()
    }
}

impl RelayDriver {
    /// Nobody is connected yet. What comes out of the second is to be given to [`alarms`].
    pub fn new(tenant: Uuid, url: &str, numbers: Arc<Numbers>) -> (Arc<Self>, mpsc::Receiver<Raised>) {
        let seed = u64::from_be_bytes(Uuid::new_v4().into_bytes().first_chunk().copied().unwrap_or_default());
        let (alarms, raised) = mpsc::channel(ALARMS);
        let held = Held {
            relay: Relay::new(tenant, vec![url.to_owned()], seed),
            links: HashMap::new(),
            waiting: HashMap::new(),
            next: 0,
            looking_at: Instant::now(),
            introduced: HashMap::new(),
        };
        let driver = Self { held: Mutex::new(held), earlier: Notify::new(), alarms, numbers };
        (Arc::new(driver), raised)
    }

    /// Whether an upload comes from the one process that its agent is. If not, the alarm is raised.
    pub fn is_one_process(&self, agent: Uuid, instance: Uuid) -> bool {
        self.with(|held, now| held.relay.is_one_process(agent, instance, now))
    }

    /// An administrator looked into an agent: what was held against it is forgotten.
    pub fn trust_again(&self, agent: Uuid) {
        self.with(|held, _| held.relay.forget_instances(agent));
    }

    /// An agent was revoked or is quarantined: its links are closed, and what is in its hand is asked elsewhere.
    pub fn cut(&self, agent: Uuid) {
        self.with(|held, now| held.relay.cut(agent, now));
    }

    /// The accounts that agents of this domain are tried with.
    pub fn canaries(&self, domain: i64, objects: Vec<Uuid>) {
        self.with(|held, _| held.relay.canaries(domain, objects));
    }

    /// The agents that are connected.
    pub fn agents(&self) -> Vec<AgentView> {
        self.held().relay.agents()
    }

    /// The clock under the relay, until `stop` says true and nothing is in an agent's hand.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ends = None;
        loop {
            let due = {
                let mut held = self.held();
                let due = held.relay.poll_timeout().unwrap_or_else(|| Instant::now() + LONGEST);
                held.looking_at = due;
                due
            };
            let due = ends.map_or(due, |ends: Instant| due.min(ends));
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                () = self.earlier.notified() => {}
                () = stopped(&mut stop), if ends.is_none() => {
                    ends = Some(Instant::now() + STOPPING);
                    self.with(|held, now| held.relay.drain(now));
                }
            }
            self.with(|held, now| {
                if held.relay.poll_timeout().is_some_and(|due| due <= now) {
                    held.relay.timeout(now);
                }
            });
            if let Some(ends) = ends {
                let mut held = self.held();
                if held.relay.is_idle() || Instant::now() >= ends {
                    // The agents' links end when nobody can send to them.
                    held.links.clear();
                    held.waiting.clear();
                    return;
                }
            }
        }
    }

    pub(super) fn enter(&self, facts: Facts) -> (Link, mpsc::Receiver<FromTenant>, Arc<Notify>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let closed = Arc::new(Notify::new());
        let link = self.with(|held, now| {
            held.next += 1;
            let link = Link(held.next);
            held.links.insert(link, Way { sender, closed: closed.clone() });
            held.relay.connected(link, facts, now);
            link
        });
        (link, receiver, closed)
    }

    pub(super) fn receive(&self, link: Link, message: FromAgent) {
        self.with(|held, now| held.relay.heard(link, message, now));
    }

    pub(super) fn leave(&self, link: Link) {
        self.with(|held, now| {
            held.links.remove(&link);
            held.relay.lost(link, now);
        });
    }

    /// Tells the relay something, and does what it wants done.
    fn with<R>(&self, tell: impl FnOnce(&mut Held, Instant) -> R) -> R {
        let now = Instant::now();
        let mut held = self.held();
        let told = tell(&mut held, now);
        while let Some(output) = held.relay.poll_output() {
            self.act(&mut held, output, now);
        }
        let earlier = held.relay.poll_timeout().is_some_and(|due| due < held.looking_at);
        drop(held);
        if earlier {
            self.earlier.notify_one();
        }
        told
    }

    fn act(&self, held: &mut Held, output: Output, now: Instant) {
        match output {
            Output::Send { link, message } => {
                let sent = held.links.get(&link).is_some_and(|way| way.sender.try_send(message).is_ok());
                if !sent {
                    // It does not read what it is sent: as good as gone.
                    if let Some(way) = held.links.remove(&link) {
                        way.closed.notify_one();
                    }
                    held.relay.lost(link, now);
                }
            }
            Output::Close { link, why } => {
                tracing::info!(link = link.0, ?why, "an agent's connection is closed");
                if let Some(way) = held.links.remove(&link) {
                    way.closed.notify_one();
                }
            }
            Output::Answered { ticket, asked } => {
                self.numbers.metrics.asked(&asked.outcome);
                if let Some(waiting) = held.waiting.remove(&ticket) {
                    // Whoever asked may have gone.
                    let _ = waiting.send(asked);
                }
            }
            Output::Alarm { agent, alarm, trusted } => {
                if self.alarms.try_send(Raised { agent, alarm, trusted }).is_err() {
                    tracing::error!(%agent, ?alarm, "an alarm could not be written down: too many wait");
                }
            }
            Output::Introduced { link, agent, instance, software } => {
                tracing::info!(link = link.0, %agent, %instance, software, "an agent is connected");
                held.introduced.insert(agent, (instance, software));
            }
            Output::Counted(event) => {
                self.numbers.metrics.agents.get_or_create(&vec![("event", name(event).to_owned())]).inc();
            }
        }
    }

    /// The agents that introduced themselves since this was last asked: agent, process, software.
    pub(super) fn introduced(&self) -> Vec<(Uuid, (Uuid, String))> {
        self.held().introduced.drain().collect()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(event: Event) -> &'static str {
    match event {
        Event::Delivered => "delivered",
        Event::Redelivered => "redelivered",
        Event::Stray => "stray",
        Event::Forged => "forged",
        Event::CanarySent => "canary-sent",
        Event::CanaryRefused => "canary-refused",
        Event::CanaryAccepted => "canary-accepted",
    }
}
