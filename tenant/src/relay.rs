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

use crate::instances::{Heard, Instances};
use canary::Canaries;
use chance::Chance;
use deliver::{Delivery, For, Ticket};
use landbridge_crypto::envelope::EnvelopePublic;
use landbridge_crypto::secret::Password;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::signin::{FromAgent, FromTenant, Hello, Verdict};
use line::Line;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A sign-in is answered within this, by a verdict or without one.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The most links of one agent.
const LINKS_PER_AGENT: usize = 16;
/// The most sign-ins at a time.
const TICKETS: usize = 4096;
/// So many durations of recent refusals are kept for each domain.
const SAMPLES: usize = 32;

/// A connection's number, given by the caller and never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub u64);

/// What the certificate says that was shown on a link.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The agent.
    pub agent: Uuid,
    /// The row of its domain.
    pub domain: i64,
    /// SID of its domain.
    pub domain_sid: String,
    /// The certificate's serial number, without leading zeros.
    pub serial: Vec<u8>,
    /// What passwords are sealed to.
    pub key: EnvelopePublic,
    /// The certificate's end.
    pub until: Instant,
}

/// What the caller is to do.
#[derive(Debug)]
pub enum Output {
    /// Send this.
    Send {
        /// Over this link.
        link: Link,
        /// This.
        message: FromTenant,
    },
    /// Close it; the relay has forgotten it.
    Close {
        /// The link.
        link: Link,
        /// Why, for the log.
        why: Closed,
    },
    /// A sign-in is over.
    Answered {
        /// Which.
        ticket: u64,
        /// How.
        asked: Asked,
    },
    /// A person must look at this agent. Its links are closed already.
    Alarm {
        /// The agent.
        agent: Uuid,
        /// What it did.
        alarm: Alarm,
        /// How long ago it last answered a canary as it should; none: never.
        trusted: Option<Duration>,
    },
    /// An agent said who it is.
    Introduced {
        /// Over this link.
        link: Link,
        /// The agent.
        agent: Uuid,
        /// Its process.
        instance: Uuid,
        /// Program and version.
        software: String,
    },
    /// For the metrics.
    Counted(Event),
}

/// Why a link is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It did not introduce itself in time.
    NoHello,
    /// Nothing was heard for too long.
    Silent,
    /// It broke the protocol.
    Breach(&'static str),
    /// It has as many links as it may have, or the tenant has.
    TooMany,
    /// Its certificate is over.
    CertificateOver,
    /// It was revoked or quarantined.
    Cut,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// An ask went to an agent.
    Delivered,
    /// An ask went to a second agent.
    Redelivered,
    /// A verdict for a delivery that nobody waits for: late, doubled, or made up.
    Stray,
    /// A verdict with a tag that does not fit, or over another link than was asked.
    Forged,
    /// A canary went to an agent.
    CanarySent,
    /// A canary was refused, as it must be.
    CanaryRefused,
    /// A canary was accepted.
    CanaryAccepted,
}

/// How a sign-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// What the directory said, or why it said nothing.
    pub outcome: Result<Verdict, NoAnswer>,
    /// The agent that answered.
    pub agent: Option<Uuid>,
    /// So many binds may have reached the directory, which counts bad passwords.
    pub tried: u32,
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoAnswer {
    /// No agent of the domain is connected.
    #[error("no agent of the domain is connected")]
    NoAgent,
    /// All of them have as much in hand as they take.
    #[error("all agents of the domain are busy")]
    Busy,
    /// The agents reach no domain controller.
    #[error("the agents reach no domain controller")]
    NoDirectory,
    /// The agents that were asked are gone.
    #[error("the agents that were asked are gone")]
    Lost,
    /// No answer came in time.
    #[error("no answer came in time")]
    TooLate,
}

/// Why a person must look at an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// It said yes to a password that is nobody's.
    CanaryAccepted,
    /// It is heard from two processes at once.
    TwoInstances,
}

/// An agent, as it is listed.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView {
    /// The agent.
    pub agent: Uuid,
    /// The row of its domain.
    pub domain: i64,
    /// Its links.
    pub links: usize,
    /// What it has in hand.
    pub in_hand: usize,
}

/// The relay.
#[derive(Debug)]
pub struct Relay {
    tenant: Uuid,
    nodes: List<Text<512>, 16>,
    chance: Chance,
    lines: BTreeMap<Link, Line>,
    tickets: HashMap<u64, Ticket>,
    deliveries: HashMap<Uuid, Delivery>,
    instances: Instances,
    canaries: Canaries,
    alarmed: HashSet<Uuid>,
    refusals: HashMap<i64, VecDeque<Duration>>,
    draining: bool,
    output: VecDeque<Output>,
}

impl Relay {
    /// The relay of this tenant, whose nodes are at these URLs.
    pub fn new(tenant: Uuid, nodes: &[String], seed: u64) -> Self {
        let nodes = nodes.iter().take(16).filter_map(|node| Text::new(node.as_str()).ok()).collect();
        Self {
            tenant,
            nodes: List::new(nodes).unwrap_or_default(),
            chance: Chance::new(seed),
            lines: BTreeMap::new(),
            tickets: HashMap::new(),
            deliveries: HashMap::new(),
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
        if of_agent >= LINKS_PER_AGENT {
            return self.output.push_back(Output::Close { link, why: Closed::TooMany });
        }
        self.lines.insert(link, Line::new(facts, now));
    }

    /// Takes what an agent said.
    pub fn heard(&mut self, link: Link, message: FromAgent, now: Instant) {
        let Some(line) = self.lines.get_mut(&link) else { return };
        line.heard = now;
        if line.welcomed.is_none() {
            return match message {
                FromAgent::Hello(hello) => self.introduced(link, hello, now),
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
            FromAgent::Answer(answer) => self.answered(link, &answer, now),
            FromAgent::Declined(declined) => self.declined(link, declined, now),
            FromAgent::Heartbeat(_) => {
                let (agent, instance) = (line.facts.agent, line.instance);
                self.is_one_process(agent, instance, now);
            }
            FromAgent::Drain => line.draining = true,
            FromAgent::Unknown => {}
        }
    }

    /// A link is gone.
    pub fn lost(&mut self, link: Link, now: Instant) {
        if self.lines.remove(&link).is_some() {
            self.bereaved(link, now);
        }
    }

    /// Asks whether this is the account's password. The answer comes as [`Output::Answered`].
    pub fn ask(&mut self, ticket: u64, domain: i64, object: Uuid, password: Arc<Password>, now: Instant) {
        if self.tickets.len() >= TICKETS {
            let asked = Asked { outcome: Err(NoAnswer::Busy), agent: None, tried: 0 };
            return self.output.push_back(Output::Answered { ticket, asked });
        }
        self.tickets.insert(ticket, Ticket::new(domain, object, password, now));
        self.deliver(ticket, now);
    }

    /// Closes all links of an agent: it was revoked or quarantined.
    pub fn cut(&mut self, agent: Uuid, now: Instant) {
        for link in self.links_of(agent) {
            self.close(link, Closed::Cut, now);
        }
        self.canaries.forget(agent);
    }

    /// The tenant stops: no more asks, and the agents may go elsewhere when nothing is in their hand.
    pub fn drain(&mut self, _now: Instant) {
        self.draining = true;
        let welcomed = self.lines.iter().filter(|(_, line)| line.welcomed.is_some());
        let sends = welcomed.map(|(link, _)| Output::Send { link: *link, message: FromTenant::Drain });
        self.output.extend(sends);
    }

    /// The accounts that agents of this domain are tried with.
    pub fn canaries(&mut self, domain: i64, objects: Vec<Uuid>) {
        self.canaries.name(domain, objects);
    }

    /// An administrator looked into an agent: what was held against it is forgotten.
    pub fn trust_again(&mut self, agent: Uuid) {
        self.alarmed.remove(&agent);
        self.instances.forget(agent);
    }

    /// Whether an upload's process fits what is known of its agent. An alarm is raised if not.
    pub fn is_one_process(&mut self, agent: Uuid, instance: Uuid, now: Instant) -> bool {
        match self.instances.heard(agent, instance, now) {
            Heard::Same | Heard::New => true,
            Heard::Two => {
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
        let lines = self.lines.values().map(Line::due);
        let deliveries = self.deliveries.values().map(|delivery| delivery.by);
        let canaries = self.canaries.due(self.lines.values().filter(|line| line.welcomed.is_some()));
        lines.chain(deliveries).chain(canaries).min()
    }

    /// Does what time asks for.
    pub fn timeout(&mut self, now: Instant) {
        let over: Vec<(Link, Closed)> =
            self.lines.iter().filter_map(|(link, line)| Some((*link, line.over(now)?))).collect();
        for (link, why) in over {
            self.close(link, why, now);
        }
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
            let view = views.entry(agent).or_insert(AgentView { agent, domain, links: 0, in_hand: 0 });
            view.links += 1;
            view.in_hand += line.in_hand;
        }
        views.into_values().collect()
    }

    /// How long one of the last refusals of this domain took, picked by `chance`; none: there was none.
    pub fn usual(&self, domain: i64, chance: u64) -> Option<Duration> {
        let samples = self.refusals.get(&domain)?;
        let at = chance.checked_rem(u64::try_from(samples.len()).ok()?)?;
        samples.get(usize::try_from(at).ok()?).copied()
    }

    /// Whether nothing is in anybody's hand.
    pub fn is_idle(&self) -> bool {
        self.tickets.is_empty()
    }

    fn introduced(&mut self, link: Link, hello: Hello, now: Instant) {
        let Some(line) = self.lines.get_mut(&link) else { return };
        let agent = line.facts.agent;
        let Hello { instance, software, .. } = &hello;
        let (instance, software) = (*instance, software.as_str().to_owned());
        line.welcome(&hello, now);
        let welcome = landbridge_wire::signin::Welcome { nodes: self.nodes.clone() };
        self.output.push_back(Output::Send { link, message: FromTenant::Welcome(welcome) });
        self.output.push_back(Output::Introduced { link, agent, instance, software });
        if self.draining {
            self.output.push_back(Output::Send { link, message: FromTenant::Drain });
        }
        self.canaries.begin(agent, now);
        self.is_one_process(agent, instance, now);
        self.release_canaries(now);
    }

    fn alarm(&mut self, agent: Uuid, alarm: Alarm, now: Instant) {
        if self.alarmed.insert(agent) {
            let trusted = self.canaries.trusted(agent, now);
            self.output.push_back(Output::Alarm { agent, alarm, trusted });
        }
        self.cut(agent, now);
    }

    fn close(&mut self, link: Link, why: Closed, now: Instant) {
        if self.lines.remove(&link).is_some() {
            self.output.push_back(Output::Close { link, why });
            self.bereaved(link, now);
        }
    }

    /// What was in the hand of a link that is gone.
    fn bereaved(&mut self, link: Link, now: Instant) {
        let mut lost: Vec<Uuid> =
            self.deliveries.iter().filter(|(_, d)| d.link == link).map(|(request, _)| *request).collect();
        lost.sort_unstable();
        for request in lost {
            if let Some(Delivery { purpose: For::Ticket(ticket), .. }) = self.deliveries.remove(&request) {
                self.missed(ticket, NoAnswer::Lost, true, now);
            }
        }
    }

    fn links_of(&self, agent: Uuid) -> Vec<Link> {
        self.lines.iter().filter(|(_, line)| line.facts.agent == agent).map(|(link, _)| *link).collect()
    }

    fn note_refusal(&mut self, domain: i64, took: Duration) {
        let samples = self.refusals.entry(domain).or_default();
        samples.push_back(took);
        if samples.len() > SAMPLES {
            samples.pop_front();
        }
    }

    /// The verdict that a caller sees, told once.
    fn over(&mut self, ticket: u64, outcome: Result<Verdict, NoAnswer>, agent: Option<Uuid>) {
        if let Some(done) = self.tickets.remove(&ticket) {
            let asked = Asked { outcome, agent, tried: done.tried };
            self.output.push_back(Output::Answered { ticket, asked });
        }
    }
}

#[cfg(test)]
mod tests;
