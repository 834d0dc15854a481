//! Which agent answers a sign-in, and what happens when it does not. Pure: no socket and no clock; time is an
//! argument, and so is the seed of its choices.
//!
//! A sign-in is a ticket. It is sealed to one agent and delivered over one of its links; a delivery that is lost or
//! declined is made once more, to another agent if there is one, inside the ticket's deadline. A verdict counts when
//! it comes over the link that was asked, for a delivery that waits for it, with the tag that only the envelope's
//! opener can make. Each ticket is answered exactly once.
//! Before it on the road: `signin`. After it: `attend`, which has the sockets, and at their other end the agent's
//! `session`.

mod canary;
mod chance;
mod deliver;
mod line;
mod terms;

pub use terms::{AgentAnswer, AgentView, Alarm, Closed, Event, Facts, Link, NoAnswer, Output};

use crate::instances::{Instances, NotedProcess};
use canary::Canaries;
use chance::Chance;
use deliver::{Delivery, Ticket};
use landbridge_crypto::secret::Password;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::signin::{FromAgent, FromTenant, Hello, Verdict};
use line::RelayLine;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A sign-in is answered within this, by a verdict or without one.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The most links of one agent.
const LINKS_PER_AGENT: usize = 16;
/// The most links.
const LINKS: usize = 4096;
/// The most sign-ins at a time.
const TICKETS: usize = 4096;
/// So many durations of recent refusals are kept for each domain.
const SAMPLES: usize = 32;

/// The relay.
#[derive(Debug)]
pub struct Relay {
    tenant: Uuid,
    nodes: List<Text<512>, 16>,
    chance: Chance,
    lines: BTreeMap<Link, RelayLine>,
    tickets: HashMap<u64, Ticket>,
    deliveries: HashMap<Uuid, Delivery>,
    /// So many deliveries were made: their order, which their random names do not give.
    delivered: u64,
    instances: Instances,
    canaries: Canaries,
    alarmed: HashSet<Uuid>,
    refusals: HashMap<i64, VecDeque<Duration>>,
    draining: bool,
    output: VecDeque<Output>,
}

impl Relay {
    /// The relay of this tenant, whose nodes are at these URLs.
    pub fn new(tenant: Uuid, nodes: Vec<String>, seed: u64) -> Self {
        let nodes = nodes.into_iter().filter_map(|node| Text::new(node).ok()).take(16).collect();
        Self {
            tenant,
            nodes: List::new(nodes).unwrap_or_default(),
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

    /// A link was made; `admit` let it in.
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

    /// Takes what an agent said.
    pub fn receive(&mut self, link: Link, message: FromAgent, now: Instant) {
        let Some(line) = self.lines.get_mut(&link) else { return };
        line.last_message = now;
        if !line.allows_message() {
            return self.close(link, Closed::Breach("more messages than it may say"), now);
        }
        if line.welcomed.is_none() {
            return match message {
                FromAgent::Hello(hello) => self.receive_hello(link, hello, now),
                FromAgent::Unknown => {}
                FromAgent::Answer(_)
                | FromAgent::Declined(_)
                | FromAgent::Heartbeat(_)
                | FromAgent::Drain => {
                    self.close(link, Closed::Breach("something before the hello"), now);
                }
            };
        }
        match message {
            FromAgent::Hello(_) => self.close(link, Closed::Breach("a second hello"), now),
            FromAgent::Answer(answer) => self.receive_answer(link, &answer, now),
            FromAgent::Declined(declined) => self.receive_declined(link, declined, now),
            FromAgent::Heartbeat(_) => {
                let (agent, instance) = (line.facts.agent, line.instance);
                self.is_one_process(agent, instance, now);
            }
            FromAgent::Drain => {
                line.draining = true;
                self.close_if_drained(link, now);
            }
            FromAgent::Unknown => {}
        }
    }

    /// A link is gone.
    pub fn lost(&mut self, link: Link, now: Instant) {
        self.remove(vec![(link, None)], now);
    }

    /// Asks whether this is the account's password. The answer comes as [`Output::Answered`].
    pub fn submit(&mut self, ticket: u64, domain: i64, object: Uuid, password: Arc<Password>, now: Instant) {
        if self.tickets.len() >= TICKETS || self.tickets.contains_key(&ticket) {
            let answer = AgentAnswer { outcome: Err(NoAnswer::Busy), agent: None, tried: 0 };
            return self.output.push_back(Output::Answered { ticket, answer });
        }
        self.tickets.insert(ticket, Ticket::new(domain, object, password, now));
        self.deliver(ticket, now);
    }

    /// Closes all links of an agent: it was revoked or quarantined.
    pub fn cut(&mut self, agent: Uuid, now: Instant) {
        let links = self.lines.iter().filter(|(_, line)| line.facts.agent == agent);
        let links = links.map(|(link, _)| (*link, Some(Closed::Cut))).collect();
        self.remove(links, now);
    }

    /// The tenant stops: no more asks, and the agents may go elsewhere when nothing is in their hand.
    pub fn drain(&mut self, _now: Instant) {
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        let welcomed = self.lines.iter().filter(|(_, line)| line.welcomed.is_some());
        let sends = welcomed.map(|(link, _)| Output::Send { link: *link, message: FromTenant::Drain });
        self.output.extend(sends);
    }

    /// The accounts that agents of this domain are tried with.
    pub fn canaries(&mut self, domain: i64, objects: Vec<Uuid>) {
        self.canaries.set_accounts(domain, objects);
    }

    /// An administrator looked into an agent and approved it: its processes, and the alarm about them, are forgotten.
    pub fn forget_instances(&mut self, agent: Uuid) {
        self.alarmed.remove(&agent);
        self.instances.forget(agent);
    }

    /// Whether an upload's process fits what is known of its agent. An alarm is raised if not.
    pub fn is_one_process(&mut self, agent: Uuid, instance: Uuid, now: Instant) -> bool {
        match self.instances.note_process(agent, instance, now) {
            NotedProcess::Known | NotedProcess::New => true,
            NotedProcess::Two => {
                self.alarm(agent, Alarm::TwoInstances, now);
                false
            }
        }
    }

    /// What the caller is to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// When [`Self::timeout`] is to be called; none: never.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let lines = self.lines.values().map(RelayLine::due);
        let canaries = self.canaries.due().filter(|_| !self.draining);
        lines.chain(self.first_due()).chain(canaries).min()
    }

    /// Does what time asks for.
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

    /// The agents that have a link.
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

    /// How long one of the last refusals of this domain took, picked by `chance`; none: there was none.
    pub fn typical_delay(&self, domain: i64, chance: u64) -> Option<Duration> {
        let samples = self.refusals.get(&domain)?;
        let at = chance.checked_rem(u64::try_from(samples.len()).ok()?)?;
        samples.get(usize::try_from(at).ok()?).copied()
    }

    /// Why a sign-in of this domain could not be delivered now; none: it could.
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

    /// Whether no sign-in waits.
    pub fn is_idle(&self) -> bool {
        self.tickets.is_empty()
    }

    fn receive_hello(&mut self, link: Link, hello: Hello, now: Instant) {
        let Some(agent) = self.lines.get(&link).map(|line| line.facts.agent) else { return };
        let first = !self.lines.values().any(|line| line.facts.agent == agent && line.welcomed.is_some());
        let Some(line) = self.lines.get_mut(&link) else { return };
        let Hello { instance, software, .. } = &hello;
        let (instance, software) = (*instance, software.as_str().to_owned());
        line.welcome(&hello, now);
        let welcome = landbridge_wire::signin::Welcome { nodes: self.nodes.clone() };
        self.output.push_back(Output::Send { link, message: FromTenant::Welcome(welcome) });
        self.output.push_back(Output::Introduced { link, agent, instance, software });
        if self.draining {
            self.output.push_back(Output::Send { link, message: FromTenant::Drain });
        }
        self.canaries.begin(agent, first, now);
        self.is_one_process(agent, instance, now);
        self.release_canaries(now);
    }

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

    /// Forgets links, and closes those that are not gone by themselves. First all of them, then what was in their
    /// hands is asked elsewhere: else it might be asked over the next one that goes.
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

    /// The verdict that a caller sees, told once.
    fn finish(&mut self, ticket: u64, outcome: Result<Verdict, NoAnswer>, agent: Option<Uuid>) {
        if let Some(done) = self.tickets.remove(&ticket) {
            let answer = AgentAnswer { outcome, agent, tried: done.tried };
            self.output.push_back(Output::Answered { ticket, answer });
        }
    }
}

#[cfg(test)]
mod tests;
