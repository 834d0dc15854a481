//! Runs the relay: gives it the time and the messages of agents, and carries out its outputs.
//! Before it: [`crate::sign_ins`] submits passwords. After it: the agents' WebSockets. The relay itself
//! ([`landbridge_tenant_rules::relay`]) chooses the agent and judges its answer; it has no socket and no clock.

use crate::clock::stopped;
use crate::lock::lock;
use crate::numbers::Numbers;
use crate::sign_ins::{AnswerOnItsWay, AskAgents};
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::instances::NotedProcess;
use landbridge_tenant_rules::model::Principal;
use landbridge_tenant_rules::relay::{
    AgentAnswer, AgentView, Alarm, Event, Facts, Link, NoAnswer, Output, PasswordPair, Relay,
};
use landbridge_wire::change::ChangeOutcome;
use landbridge_wire::nodes::NodeUrls;
use landbridge_wire::signin::{FromAgent, FromTenant};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use uuid::Uuid;

/// Limit on messages that wait for one agent. An agent that is so far behind does not read, and its link is closed.
const OUTGOING: usize = 512;
/// Limit on alarms that wait to be stored. Each quarantines one agent, so more means that the database fails.
const ALARMS: usize = 1024;
/// Time that agents have to answer their sign-ins when the tenant stops: a little more than the patience of a sign-in.
const STOP_TIME: Duration = Duration::from_secs(11);
/// Limit on the sleep of the clock. The relay normally names an earlier time.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// An alarm about an agent, which quarantines it.
#[derive(Debug, Clone, Copy)]
pub struct RaisedAlarm {
    pub(super) agent: Uuid,
    pub(super) alarm: Alarm,
    /// Time since the agent last refused a canary; none: it never did.
    pub(super) trusted: Option<Duration>,
}

/// The relay with its clock and its connections.
pub struct RelayDriver {
    state: Mutex<State>,
    /// Wakes the clock when the relay has to act earlier than planned.
    wake: Notify,
    alarms: mpsc::Sender<RaisedAlarm>,
    numbers: Arc<Numbers>,
}

struct State {
    relay: Relay,
    links: HashMap<Link, LinkTask>,
    /// The sign-ins that wait for an answer, by ticket.
    waiting: HashMap<u64, oneshot::Sender<AgentAnswer>>,
    /// The changes of password that wait for an answer, by ticket.
    changing: HashMap<u64, oneshot::Sender<AgentAnswer<ChangeOutcome>>>,
    /// The last number that a link or a ticket received.
    next: u64,
    /// The time at which the clock wakes next.
    wakes_at: Instant,
    /// Agents that connected since the last [`RelayDriver::drain_introduced`]: the process, and when it was alive.
    introduced: HashMap<Uuid, (Uuid, Instant)>,
}

/// The task that serves a link: the queue of its messages, and a signal to end at once.
struct LinkTask {
    sender: mpsc::Sender<FromTenant>,
    closed: Arc<Notify>,
}

impl AskAgents for RelayDriver {
    fn unable(&self, domain: i64) -> Option<NoAnswer> {
        self.lock().relay.unable(domain, Instant::now())
    }

    fn typical_delay(&self, domain: i64) -> Option<Duration> {
        let mut chance = [0; 8];
        aws_lc_rs::rand::fill(&mut chance).ok()?;
        self.lock().relay.typical_delay(domain, u64::from_be_bytes(chance))
    }

    fn ask(
        self: Arc<Self>,
        domain: i64,
        account: Principal,
        password: Arc<Password>,
        binds: u32,
    ) -> AnswerOnItsWay {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.drive(|state, now| {
                state.next += 1;
                state.waiting.insert(state.next, answer);
                state.relay.submit(state.next, domain, account, password, binds, now);
            });
            // The relay answers every ticket. The sender is dropped without an answer only when the tenant stops.
            answered.await.unwrap_or(AgentAnswer { outcome: Err(NoAnswer::Lost), agent: None, tried: 1 })
        })
    }

    fn changes_passwords(&self, domain: i64) -> bool {
        self.lock().relay.changes_passwords(domain, Instant::now())
    }

    fn change(
        self: Arc<Self>,
        domain: i64,
        account: Principal,
        change: PasswordPair,
    ) -> AnswerOnItsWay<ChangeOutcome> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.drive(|state, now| {
                state.next += 1;
                state.changing.insert(state.next, answer);
                state.relay.submit_change(state.next, domain, account, change, now);
            });
            // As for a sign-in: the tenant stops.
            let outcome = Ok(ChangeOutcome::NotKnown);
            answered.await.unwrap_or(AgentAnswer { outcome, agent: None, tried: 1 })
        })
    }
}

impl std::fmt::Debug for RelayDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayDriver").finish_non_exhaustive()
    }
}

impl RelayDriver {
    /// Creates a relay without agents. The alarms of the second value go to [`super::quarantine`].
    pub fn new(tenant: Uuid, url: &str, numbers: Arc<Numbers>) -> (Arc<Self>, mpsc::Receiver<RaisedAlarm>) {
        let seed = u64::from_be_bytes(Uuid::new_v4().into_bytes().first_chunk().copied().unwrap_or_default());
        let (alarms, raised) = mpsc::channel(ALARMS);
        let state = State {
            relay: Relay::new(tenant, vec![url.to_owned()], seed),
            links: HashMap::new(),
            waiting: HashMap::new(),
            changing: HashMap::new(),
            next: 0,
            wakes_at: Instant::now(),
            introduced: HashMap::new(),
        };
        let driver = Self { state: Mutex::new(state), wake: Notify::new(), alarms, numbers };
        (Arc::new(driver), raised)
    }

    /// Notes the process of a request of this agent, which was certainly alive at `alive_at`. A second process raises
    /// an alarm.
    pub fn note_process(&self, agent: Uuid, instance: Uuid, alive_at: Instant) -> NotedProcess {
        self.drive(|state, now| state.relay.note_process(agent, instance, alive_at, now))
    }

    /// Forgets the processes of an agent, after an administrator approved it.
    pub fn trust_again(&self, agent: Uuid) {
        self.drive(|state, _| state.relay.forget_instances(agent));
    }

    /// Closes the links of an agent that is revoked or quarantined. Other agents receive the sign-ins that it holds.
    pub fn cut(&self, agent: Uuid) {
        self.drive(|state, now| state.relay.cut(agent, now));
    }

    /// Whether no agent that verifies passwords of this domain is connected here.
    pub fn is_without_agent(&self, domain: i64) -> bool {
        self.lock().relay.unable(domain, Instant::now()) == Some(NoAnswer::NoAgent)
    }

    /// Sets the canaries of a domain.
    pub fn set_canaries(&self, domain: i64, accounts: Vec<Principal>) {
        self.drive(|state, _| state.relay.canaries(domain, accounts));
    }

    /// Sets the URLs of the tenant's nodes. If they are others than before, the connected agents are sent them; agents
    /// that enrol, renew, connect or begin a cycle later receive them as well.
    pub fn set_nodes(&self, nodes: Vec<String>) {
        self.drive(|state, _| state.relay.set_nodes(nodes));
    }

    /// The URLs of the tenant's nodes, as agents learn them.
    pub fn nodes(&self) -> NodeUrls {
        self.lock().relay.nodes().clone()
    }

    /// The connected agents.
    pub fn agents(&self) -> Vec<AgentView> {
        self.lock().relay.agents()
    }

    /// Runs the relay's clock until `stop` is set, and then until agents hold no sign-in, for at most 11 s.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ends = None;
        loop {
            // 1. Sleep until the relay has to act.
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
            // 2. Let the relay act.
            self.drive(|state, now| {
                if state.relay.poll_timeout().is_some_and(|due| due <= now) {
                    state.relay.timeout(now);
                }
            });
            // 3. After `stop`: end when no agent holds a sign-in, or when the time is over.
            if let Some(ends) = ends {
                let mut state = self.lock();
                if state.relay.is_idle() || Instant::now() >= ends {
                    // A link's task ends when the sender of its queue is dropped.
                    state.links.clear();
                    state.waiting.clear();
                    state.changing.clear();
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

    /// Runs one step on the relay and carries out the outputs that follow from it.
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
                    // The queue is full or its task has ended: the agent counts as lost.
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
                    // The receiver is gone when the sign-in was given up.
                    let _ = waiting.send(answer);
                }
            }
            Output::ChangeAnswered { ticket, answer } => {
                self.numbers.metrics.count_change(&answer.outcome);
                if let Some(waiting) = state.changing.remove(&ticket) {
                    let _ = waiting.send(answer);
                }
            }
            Output::Alarm { agent, alarm, trusted } => {
                if self.alarms.try_send(RaisedAlarm { agent, alarm, trusted }).is_err() {
                    tracing::error!(%agent, ?alarm, "an alarm could not be stored: too many wait");
                }
            }
            Output::Introduced { link, agent, instance, alive_at, software } => {
                tracing::info!(link = link.0, %agent, %instance, software, "an agent is connected");
                state.introduced.insert(agent, (instance, alive_at));
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

    /// Returns and forgets the agents that connected since the last call: the agent, its process, and a time at which that
    /// was certainly alive.
    pub(super) fn drain_introduced(&self) -> Vec<(Uuid, (Uuid, Instant))> {
        self.lock().introduced.drain().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
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
