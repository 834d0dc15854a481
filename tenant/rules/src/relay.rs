//! The relay: which agent answers a sign-in, and what happens when it does not. Pure: no socket and no clock. The
//! time is an argument, and so is the seed of the random choices.
//!
//! A sign-in is a ticket. Its password is sealed to one agent and delivered over one of the agent's links. A delivery
//! that is lost or declined is repeated once, to another agent if there is one, inside the ticket's deadline. An agent
//! that declines because of its own bound for the account has sent no bind, so the next agent is asked as well. A
//! verdict counts only if it arrives over the link of the delivery, before the deadline, with the tag that only the
//! opener of the envelope can compute. Each ticket is answered exactly once.
//!
//! A change of password is a ticket as well. Its delivery is repeated only if the agent declined it, or if it was never
//! sent: otherwise the password may have been changed.
//! Neighbours: `relay_driver` in the tenant's core submits tickets and owns the clock; the agents' door has the
//! sockets; at their other end is pta-agent's `session`.

mod canary;
mod chance;
mod deliver;
mod line;
mod release;
mod terms;
mod ticket;

pub use terms::{AgentAnswer, AgentView, Alarm, Closed, Event, Facts, Link, NoAnswer, Output, PATIENCE};
pub use ticket::PasswordPair;

use crate::instances::{Instances, NotedProcess};
use crate::model::Principal;
use canary::Canaries;
use chance::Chance;
use landbridge_crypto::secret::Password;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::change::ChangeOutcome;
use landbridge_wire::nodes::{NodeUrls, node_urls};
use landbridge_wire::signin::{
    AT_BOUND, BY_SID, DirectoryVerdict, FromAgent, FromTenant, Hello, NodesChanged,
};
use line::RelayLine;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use ticket::{Delivery, Task, Ticket};
use uuid::Uuid;

/// Limit on the links of one agent: two for each of its 8 possible connections, old and new, at a reconnect.
const LINKS_PER_AGENT: usize = 16;
/// Limit on links of all agents. Each costs a socket and its buffers at the tenant.
const LINKS: usize = 4096;
/// Limit on waiting tickets. Each holds a password in memory for at most [`PATIENCE`].
const TICKETS: usize = 4096;
/// Durations of recent refusals that are kept for each domain: enough for a spread, few enough to follow changes.
const SAMPLES: usize = 32;

/// The links, tickets and deliveries of all agents, and the output that the caller has not fetched yet.
#[derive(Debug)]
pub struct Relay {
    tenant: Uuid,
    nodes: NodeUrls,
    chance: Chance,
    lines: BTreeMap<Link, RelayLine>,
    tickets: HashMap<u64, Ticket>,
    deliveries: HashMap<Uuid, Delivery>,
    /// Deliveries so far. Numbers them in their order, which their random ids do not show.
    delivered: u64,
    instances: Instances,
    canaries: Canaries,
    alarmed: HashSet<Uuid>,
    refusals: HashMap<i64, VecDeque<Duration>>,
    draining: bool,
    output: VecDeque<Output>,
}

impl Relay {
    /// A relay without links for this tenant, whose nodes are at these URLs: see [`Self::set_nodes`].
    pub fn new(tenant: Uuid, nodes: Vec<String>, seed: u64) -> Self {
        Self {
            tenant,
            nodes: node_urls(nodes),
            chance: Chance::new(seed),
            lines: BTreeMap::new(),
            tickets: HashMap::new(),
            deliveries: HashMap::new(),
            delivered: 0,
            instances: Instances::default(),
            canaries: Canaries::default(),
            alarmed: HashSet::new(),
            refusals: HashMap::new(),
            draining: false,
            output: VecDeque::new(),
        }
    }

    /// Adds a link of an agent that was admitted. A link over a limit, or of an agent with an alarm, is closed.
    pub fn connected(&mut self, link: Link, facts: Facts, now: Instant) {
        let of_agent = self.lines.values().filter(|line| line.facts.agent == facts.agent).count();
        if self.alarmed.contains(&facts.agent) {
            return self.output.push_back(Output::Close { link, why: Closed::Cut });
        }
        if of_agent >= LINKS_PER_AGENT || self.lines.len() >= LINKS {
            return self.output.push_back(Output::Close { link, why: Closed::TooMany });
        }
        self.lines.insert(link, RelayLine::new(facts, now));
    }

    /// Processes a message of an agent.
    pub fn receive(&mut self, link: Link, message: FromAgent, now: Instant) {
        // 1. A message on a known link proves that the agent is alive. Too many messages are a breach.
        let Some(line) = self.lines.get_mut(&link) else { return };
        line.last_message = now;
        if !line.allows_message() {
            return self.close(link, Closed::Breach("more messages than allowed"), now);
        }
        // 2. The first known message must be the hello.
        if line.welcomed.is_none() {
            return match message {
                FromAgent::Hello(hello) => self.receive_hello(link, hello, now),
                FromAgent::Unknown => {}
                FromAgent::Answer(_)
                | FromAgent::Changed(_)
                | FromAgent::Declined(_)
                | FromAgent::Heartbeat(_)
                | FromAgent::Drain => {
                    self.close(link, Closed::Breach("something before the hello"), now);
                }
            };
        }
        // 3. Every later message shows that its process is alive: a heartbeat since the tenant sent it.
        if let FromAgent::Heartbeat(beat) = &message {
            line.note_beat(*beat, now);
        }
        if !self.note_link(link, now) {
            return;
        }
        let Some(line) = self.lines.get_mut(&link) else { return };
        match message {
            FromAgent::Hello(_) => self.close(link, Closed::Breach("a second hello"), now),
            FromAgent::Answer(answer) => self.receive_answer(link, &answer, now),
            FromAgent::Changed(answer) => self.receive_changed(link, *answer, now),
            FromAgent::Declined(declined) => self.receive_declined(link, declined, now),
            FromAgent::Drain => {
                line.draining = true;
                self.close_if_drained(link, now);
            }
            FromAgent::Heartbeat(_) | FromAgent::Unknown => {}
        }
    }

    /// Removes a link whose connection has ended.
    pub fn lost(&mut self, link: Link, now: Instant) {
        self.remove(vec![(link, None)], now);
    }

    /// Submits a ticket: whether this is the account's password. The answer follows as [`Output::Answered`]. A delivery
    /// that may have reached a DC is repeated only while that makes no more than `binds` of them.
    pub fn submit(
        &mut self,
        ticket: u64,
        domain: i64,
        principal: Principal,
        password: Arc<Password>,
        binds: u32,
        now: Instant,
    ) {
        self.admit(ticket, Ticket::new(domain, principal, Task::SignIn(password), binds, now), now);
    }

    /// Submits a ticket: the change of the account's password. The answer follows as [`Output::ChangeAnswered`]. A
    /// delivery is repeated once, and only if the password was certainly not changed by it.
    pub fn submit_change(
        &mut self,
        ticket: u64,
        domain: i64,
        principal: Principal,
        change: PasswordPair,
        now: Instant,
    ) {
        self.admit(ticket, Ticket::new(domain, principal, Task::Change(change), 1, now), now);
    }

    fn admit(&mut self, ticket: u64, waiting: Ticket, now: Instant) {
        if self.tickets.len() >= TICKETS || self.tickets.contains_key(&ticket) {
            return self.output.push_back(waiting.unanswered(ticket, NoAnswer::Busy));
        }
        self.tickets.insert(ticket, waiting);
        self.deliver(ticket, now);
    }

    /// Closes all links of an agent that was revoked or quarantined.
    pub fn cut(&mut self, agent: Uuid, now: Instant) {
        let links = self.lines.iter().filter(|(_, line)| line.facts.agent == agent);
        let links = links.map(|(link, _)| (*link, Some(Closed::Cut))).collect();
        self.remove(links, now);
    }

    /// Stops deliveries, because the tenant stops. Each agent is sent a drain message, and may disconnect when it has
    /// answered its deliveries.
    pub fn drain(&mut self, _now: Instant) {
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        let welcomed = self.lines.iter().filter(|(_, line)| line.welcomed.is_some());
        let sends = welcomed.map(|(link, _)| Output::Send { link: *link, message: FromTenant::Drain });
        self.output.extend(sends);
    }

    /// Sets the URLs of the tenant's nodes, 16 at most. If they are others than before, each agent that was welcomed is
    /// sent the new list. An empty list is not a change: agents would not act on it.
    pub fn set_nodes(&mut self, nodes: Vec<String>) {
        let nodes = node_urls(nodes);
        if nodes.is_empty() || nodes == self.nodes {
            return;
        }
        self.nodes = nodes;
        let welcomed = self.lines.iter().filter(|(_, line)| line.welcomed.is_some());
        let message = || FromTenant::Nodes(NodesChanged { nodes: self.nodes.clone() });
        let sends = welcomed.map(|(link, _)| Output::Send { link: *link, message: message() });
        self.output.extend(sends);
    }

    /// The URLs of the tenant's nodes, as agents learn them.
    pub fn nodes(&self) -> &NodeUrls {
        &self.nodes
    }

    /// Sets the canary accounts of a domain, with which its agents are tried.
    pub fn canaries(&mut self, domain: i64, accounts: Vec<Principal>) {
        self.canaries.set_accounts(domain, accounts);
    }

    /// Deletes the alarm and the known processes of an agent that an administrator has approved again.
    pub fn forget_instances(&mut self, agent: Uuid) {
        self.alarmed.remove(&agent);
        self.instances.forget(agent);
    }

    /// Notes the process of a message, which was certainly alive at `alive_at`. A second process of the agent raises an
    /// alarm. While the alarm lasts, every process is refused.
    pub fn note_process(
        &mut self,
        agent: Uuid,
        instance: Uuid,
        alive_at: Instant,
        now: Instant,
    ) -> NotedProcess {
        if self.alarmed.contains(&agent) {
            return NotedProcess::Second;
        }
        let noted = self.instances.note_process(agent, instance, alive_at, now);
        if noted == NotedProcess::Second {
            self.alarm(agent, Alarm::TwoInstances, now);
        }
        noted
    }

    /// The next thing for the caller to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// The time at which to call [`Self::timeout`]. None: there is nothing to wait for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let lines = self.lines.values().map(RelayLine::due);
        let canaries = self.canaries.due().filter(|_| !self.draining);
        lines.chain(self.first_due()).chain(canaries).min()
    }

    /// Does what is due at `now`: heartbeats, canaries, links and deliveries that have timed out.
    pub fn timeout(&mut self, now: Instant) {
        let over =
            self.lines.iter().filter_map(|(link, line)| Some((*link, Some(line.closing_reason(now)?))));
        self.remove(over.collect(), now);
        for (link, line) in &mut self.lines {
            if let Some(beat) = line.beat(now) {
                self.output.push_back(Output::Send { link: *link, message: FromTenant::Heartbeat(beat) });
            }
        }
        self.expire(now);
        self.release_canaries(now);
    }

    /// The agents that have a link and have sent a hello.
    pub fn agents(&self) -> Vec<AgentView> {
        let mut views: BTreeMap<Uuid, AgentView> = BTreeMap::new();
        for line in self.lines.values().filter(|line| line.welcomed.is_some()) {
            let Facts { agent, domain, .. } = line.facts;
            let none = AgentView { agent, domain, links: 0, in_hand: 0, latency: Duration::ZERO };
            let view = views.entry(agent).or_insert(none);
            view.links += 1;
            view.in_hand += line.in_hand;
            view.latency = view.latency.max(line.latency());
        }
        views.into_values().collect()
    }

    /// The duration of one recent refusal of this domain, chosen by `chance`. None: there was no refusal.
    pub fn typical_delay(&self, domain: i64, chance: u64) -> Option<Duration> {
        let samples = self.refusals.get(&domain)?;
        let at = chance.checked_rem(u64::try_from(samples.len()).ok()?)?;
        samples.get(usize::try_from(at).ok()?).copied()
    }

    /// The reason why a ticket of this domain could not be delivered now. None: it could.
    pub fn unable(&self, domain: i64, now: Instant) -> Option<NoAnswer> {
        let mut of_domain = self
            .lines
            .values()
            .filter(|line| line.facts.domain == domain && line.accepts_deliveries(now))
            .peekable();
        if self.draining || of_domain.peek().is_none() {
            return Some(NoAnswer::NoAgent);
        }
        (!of_domain.any(RelayLine::has_capacity)).then_some(NoAnswer::Busy)
    }

    /// Whether an agent of this domain is connected that changes passwords.
    pub fn changes_passwords(&self, domain: i64, now: Instant) -> bool {
        let changes = |line: &RelayLine| line.changes_passwords && line.accepts_deliveries(now);
        !self.draining && self.lines.values().any(|line| line.facts.domain == domain && changes(line))
    }

    /// Whether no ticket waits.
    pub fn is_idle(&self) -> bool {
        self.tickets.is_empty()
    }

    /// Answers an agent's hello with the welcome. From now on the link receives deliveries.
    fn receive_hello(&mut self, link: Link, hello: Hello, now: Instant) {
        // 1. Whether this is the agent's first link is known only before the link itself counts.
        let Some(agent) = self.lines.get(&link).map(|line| line.facts.agent) else { return };
        let first = !self.lines.values().any(|line| line.facts.agent == agent && line.welcomed.is_some());
        let Some(line) = self.lines.get_mut(&link) else { return };
        let Hello { instance, software, .. } = &hello;
        let (instance, software) = (*instance, software.as_str().to_owned());
        // 2. The welcome, and a drain if the tenant stops.
        line.welcome(&hello, now);
        let alive_at = line.alive_at;
        let abilities = [AT_BOUND, BY_SID].into_iter().filter_map(|name| Text::new(name).ok()).collect();
        let abilities = List::new(abilities).unwrap_or_default();
        let welcome = landbridge_wire::signin::Welcome { nodes: self.nodes.clone(), abilities };
        self.output.push_back(Output::Send { link, message: FromTenant::Welcome(welcome) });
        self.output.push_back(Output::Introduced { link, agent, instance, alive_at, software });
        if self.draining {
            self.output.push_back(Output::Send { link, message: FromTenant::Drain });
        }
        // 3. A new agent is tried with a canary before it receives a password.
        self.canaries.begin(agent, first, now);
        self.note_link(link, now);
        self.release_canaries(now);
    }

    /// Notes the process of a link's message. False: the link is closed, because its process is not the agent's only
    /// one.
    fn note_link(&mut self, link: Link, now: Instant) -> bool {
        let Some(line) = self.lines.get(&link) else { return false };
        let (agent, instance, alive_at) = (line.facts.agent, line.instance, line.alive_at);
        match self.note_process(agent, instance, alive_at, now) {
            NotedProcess::Accepted => true,
            NotedProcess::Late => {
                self.close(link, Closed::Superseded, now);
                false
            }
            // The alarm has closed all links of the agent.
            NotedProcess::Second => false,
        }
    }

    /// Raises an alarm about an agent, once, and closes all its links.
    fn alarm(&mut self, agent: Uuid, alarm: Alarm, now: Instant) {
        if self.alarmed.insert(agent) {
            let trusted = self.canaries.since_refusal(agent, now);
            self.output.push_back(Output::Alarm { agent, alarm, trusted });
        }
        self.cut(agent, now);
    }

    fn close(&mut self, link: Link, why: Closed, now: Instant) {
        self.remove(vec![(link, Some(why))], now);
    }

    fn close_if_drained(&mut self, link: Link, now: Instant) {
        if self.lines.get(&link).is_some_and(|line| line.draining && line.in_hand == 0) {
            self.close(link, Closed::Drained, now);
        }
    }

    /// Removes links, and closes those that have a reason. All links are removed before their deliveries are
    /// repeated, so that no delivery is repeated over a link that is about to be removed.
    fn remove(&mut self, links: Vec<(Link, Option<Closed>)>, now: Instant) {
        let mut gone = Vec::with_capacity(links.len());
        for (link, why) in links {
            let Some(line) = self.lines.remove(&link) else { continue };
            if let Some(why) = why {
                self.output.push_back(Output::Close { link, why });
            }
            let agent = line.facts.agent;
            if !self.lines.values().any(|line| line.facts.agent == agent) {
                self.canaries.forget(agent);
            }
            gone.push(link);
        }
        if !gone.is_empty() {
            self.redeliver_lost(&gone, now);
        }
    }

    fn note_refusal(&mut self, domain: i64, took: Duration) {
        let samples = self.refusals.entry(domain).or_default();
        samples.push_back(took);
        if samples.len() > SAMPLES {
            samples.pop_front();
        }
    }

    /// Ends a ticket without an answer of an agent. A ticket that has ended before has no second answer.
    fn fail(&mut self, ticket: u64, why: NoAnswer) {
        if let Some(done) = self.tickets.remove(&ticket) {
            self.output.push_back(done.unanswered(ticket, why));
        }
    }

    /// Ends a sign-in with an agent's verdict.
    fn finish(&mut self, ticket: u64, verdict: DirectoryVerdict, agent: Uuid) {
        if let Some(done) = self.tickets.remove(&ticket) {
            let answer = AgentAnswer { outcome: Ok(verdict), agent: Some(agent), tried: done.tried };
            self.output.push_back(Output::Answered { ticket, answer });
        }
    }

    /// Ends a change of password with the outcome that an agent sent, or that follows from its silence.
    fn finish_change(&mut self, ticket: u64, outcome: ChangeOutcome, agent: Option<Uuid>) {
        if let Some(done) = self.tickets.remove(&ticket) {
            let answer = AgentAnswer { outcome: Ok(outcome), agent, tried: done.tried };
            self.output.push_back(Output::ChangeAnswered { ticket, answer });
        }
    }
}

#[cfg(test)]
mod tests;
