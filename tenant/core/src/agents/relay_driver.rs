//! The agents' connections: the clock and the sockets under the relay.
//! Before it on the road: `signin` asks. After it: the agents. Not here: which agent is asked, and what its answer
//! is worth (`relay`); whether it may connect (`admit`).

use crate::clock::stopped;
use crate::numbers::Numbers;
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::relay::{
    AgentAnswer, AgentView, Alarm, Event, Facts, Link, NoAnswer, Output, Relay,
};
use landbridge_wire::signin::{FromAgent, FromTenant};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use uuid::Uuid;

/// So many messages wait for an agent that reads slowly; with more it is not reading.
const OUTGOING: usize = 512;
/// So many alarms wait to be written down.
const ALARMS: usize = 1024;
/// When the tenant stops, sign-ins in an agent's hand have so long.
const STOP_TIME: Duration = Duration::from_secs(11);
/// The driver looks at least this often.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// An agent did what a person must look at.
#[derive(Debug, Clone, Copy)]
pub struct RaisedAlarm {
    pub(super) agent: Uuid,
    pub(super) alarm: Alarm,
    pub(super) trusted: Option<Duration>,
}

/// The agents' connections.
pub struct RelayDriver {
    state: Mutex<State>,
    /// The driver is to look again, earlier than it meant to.
    wake: Notify,
    alarms: mpsc::Sender<RaisedAlarm>,
    numbers: Arc<Numbers>,
}

struct State {
    relay: Relay,
    links: HashMap<Link, LinkTask>,
    waiting: HashMap<u64, oneshot::Sender<AgentAnswer>>,
    next: u64,
    wakes_at: Instant,
    introduced: HashMap<Uuid, (Uuid, String)>,
}

/// The way to a link's task: what it sends, and that it is to end at once, whatever waits.
struct LinkTask {
    sender: mpsc::Sender<FromTenant>,
    closed: Arc<Notify>,
}

impl std::fmt::Debug for RelayDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayDriver").finish_non_exhaustive()
    }
}

impl RelayDriver {
    /// Nobody is connected yet. What comes out of the second is to be given to [`alarms`].
    pub fn new(tenant: Uuid, url: &str, numbers: Arc<Numbers>) -> (Arc<Self>, mpsc::Receiver<RaisedAlarm>) {
        let seed = u64::from_be_bytes(Uuid::new_v4().into_bytes().first_chunk().copied().unwrap_or_default());
        let (alarms, raised) = mpsc::channel(ALARMS);
        let state = State {
            relay: Relay::new(tenant, vec![url.to_owned()], seed),
            links: HashMap::new(),
            waiting: HashMap::new(),
            next: 0,
            wakes_at: Instant::now(),
            introduced: HashMap::new(),
        };
        let driver = Self { state: Mutex::new(state), wake: Notify::new(), alarms, numbers };
        (Arc::new(driver), raised)
    }

    /// Asks an agent of the domain whether this is the account's password.
    pub async fn ask(&self, domain: i64, object: Uuid, password: Arc<Password>) -> AgentAnswer {
        let (answer, answered) = oneshot::channel();
        self.drive(|state, now| {
            state.next += 1;
            state.waiting.insert(state.next, answer);
            state.relay.submit(state.next, domain, object, password, now);
        });
        // The relay answers every ticket; this end is dropped with the tenant alone.
        answered.await.unwrap_or(AgentAnswer { outcome: Err(NoAnswer::Lost), agent: None, tried: 1 })
    }

    /// How long one of the last refusals of this domain took.
    pub fn typical_delay(&self, domain: i64) -> Option<Duration> {
        let mut chance = [0; 8];
        aws_lc_rs::rand::fill(&mut chance).ok()?;
        self.lock().relay.typical_delay(domain, u64::from_be_bytes(chance))
    }

    /// Why no agent of this domain could be asked now; none: one could.
    pub fn unable(&self, domain: i64) -> Option<NoAnswer> {
        self.lock().relay.unable(domain, Instant::now())
    }

    /// Whether an upload comes from the one process that its agent is. If not, the alarm is raised.
    pub fn is_one_process(&self, agent: Uuid, instance: Uuid) -> bool {
        self.drive(|state, now| state.relay.is_one_process(agent, instance, now))
    }

    /// An administrator looked into an agent: what was held against it is forgotten.
    pub fn trust_again(&self, agent: Uuid) {
        self.drive(|state, _| state.relay.forget_instances(agent));
    }

    /// An agent was revoked or is quarantined: its links are closed, and what is in its hand is asked elsewhere.
    pub fn cut(&self, agent: Uuid) {
        self.drive(|state, now| state.relay.cut(agent, now));
    }

    /// The accounts that agents of this domain are tried with.
    pub fn set_canaries(&self, domain: i64, objects: Vec<Uuid>) {
        self.drive(|state, _| state.relay.canaries(domain, objects));
    }

    /// The agents that are connected.
    pub fn agents(&self) -> Vec<AgentView> {
        self.lock().relay.agents()
    }

    /// The clock under the relay, until `stop` says true and nothing is in an agent's hand.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ends = None;
        loop {
            let due = {
                let mut state = self.lock();
                let due = state.relay.poll_timeout().unwrap_or_else(|| Instant::now() + MAX_SLEEP);
                state.wakes_at = due;
                due
            };
            let due = ends.map_or(due, |ends: Instant| due.min(ends));
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                () = self.wake.notified() => {}
                () = stopped(&mut stop), if ends.is_none() => {
                    ends = Some(Instant::now() + STOP_TIME);
                    self.drive(|state, now| state.relay.drain(now));
                }
            }
            self.drive(|state, now| {
                if state.relay.poll_timeout().is_some_and(|due| due <= now) {
                    state.relay.timeout(now);
                }
            });
            if let Some(ends) = ends {
                let mut state = self.lock();
                if state.relay.is_idle() || Instant::now() >= ends {
                    // The agents' links end when nobody can send to them.
                    state.links.clear();
                    state.waiting.clear();
                    return;
                }
            }
        }
    }

    pub(super) fn enter(&self, facts: Facts) -> (Link, mpsc::Receiver<FromTenant>, Arc<Notify>) {
        let (sender, receiver) = mpsc::channel(OUTGOING);
        let closed = Arc::new(Notify::new());
        let link = self.drive(|state, now| {
            state.next += 1;
            let link = Link(state.next);
            state.links.insert(link, LinkTask { sender, closed: closed.clone() });
            state.relay.connected(link, facts, now);
            link
        });
        (link, receiver, closed)
    }

    pub(super) fn receive(&self, link: Link, message: FromAgent) {
        self.drive(|state, now| state.relay.receive(link, message, now));
    }

    pub(super) fn leave(&self, link: Link) {
        self.drive(|state, now| {
            state.links.remove(&link);
            state.relay.lost(link, now);
        });
    }

    /// Tells the relay something, and does what it wants done.
    fn drive<R>(&self, step: impl FnOnce(&mut State, Instant) -> R) -> R {
        let now = Instant::now();
        let mut state = self.lock();
        let result = step(&mut state, now);
        while let Some(output) = state.relay.poll_output() {
            self.carry_out(&mut state, output, now);
        }
        let earlier = state.relay.poll_timeout().is_some_and(|due| due < state.wakes_at);
        drop(state);
        if earlier {
            self.wake.notify_one();
        }
        result
    }

    fn carry_out(&self, state: &mut State, output: Output, now: Instant) {
        match output {
            Output::Send { link, message } => {
                let sent = state.links.get(&link).is_some_and(|task| task.sender.try_send(message).is_ok());
                if !sent {
                    // It does not read what it is sent: as good as gone.
                    if let Some(task) = state.links.remove(&link) {
                        task.closed.notify_one();
                    }
                    state.relay.lost(link, now);
                }
            }
            Output::Close { link, why } => {
                tracing::info!(link = link.0, ?why, "an agent's connection is closed");
                if let Some(task) = state.links.remove(&link) {
                    task.closed.notify_one();
                }
            }
            Output::Answered { ticket, answer } => {
                self.numbers.metrics.count_agent_answer(&answer.outcome);
                if let Some(waiting) = state.waiting.remove(&ticket) {
                    // Whoever asked may have gone.
                    let _ = waiting.send(answer);
                }
            }
            Output::Alarm { agent, alarm, trusted } => {
                if self.alarms.try_send(RaisedAlarm { agent, alarm, trusted }).is_err() {
                    tracing::error!(%agent, ?alarm, "an alarm could not be written down: too many wait");
                }
            }
            Output::Introduced { link, agent, instance, software } => {
                tracing::info!(link = link.0, %agent, %instance, software, "an agent is connected");
                state.introduced.insert(agent, (instance, software));
            }
            Output::Counted(event) => {
                self.numbers
                    .metrics
                    .agents
                    .get_or_create(&vec![("event", event_label(event).to_owned())])
                    .inc();
            }
        }
    }

    /// The agents that introduced themselves since this was last asked: agent, process, software.
    pub(super) fn drain_introduced(&self) -> Vec<(Uuid, (Uuid, String))> {
        self.lock().introduced.drain().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn event_label(event: Event) -> &'static str {
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
