//! A world: the relay, the agents, the links between them, the directory, and what must hold at every moment.

use super::agent::{Agent, Conduct, Conn};
use super::dice::Dice;
use landbridge_crypto::secret::Password;
use landbridge_pta_agent::session::{Session, Settled};
use landbridge_tenant_rules::model::Principal;
use landbridge_tenant_rules::relay::{
    AgentAnswer, Alarm, Event, Facts, Link, NoAnswer, Output, PATIENCE, Relay,
};
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::frame;
use landbridge_wire::signin::{
    BY_SID, Decline, DirectoryVerdict, FromAgent, FromTenant, Hello, MAX_MESSAGE, SignInRequest,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Until then people sign in and things happen; after it all comes to rest.
pub(super) const BUSY: Duration = Duration::from_secs(40);
const END: Duration = Duration::from_secs(70);
/// So many milliseconds a message is on its way at most.
pub(super) const LATEST: u64 = 2_500;

#[derive(Clone)]
pub(super) enum Happening {
    ToAgent(u64, Vec<u8>),
    ToTenant(u64, Vec<u8>),
    AgentLost(u64),
    TenantLost(u64),
    Outcome { conn: u64, request: Uuid, outcome: Settled },
    Ask,
    Trouble,
    Thaw(usize),
    Start(usize),
    Dial(usize, u64),
    Approve(usize),
}

/// A sign-in.
pub(super) struct Ticket {
    object: Uuid,
    truth: DirectoryVerdict,
    password: Arc<Password>,
    domain: i64,
    asked: Duration,
    deliveries: Vec<Uuid>,
    answered: bool,
    tried: u32,
    pub(super) binds: u32,
    /// Verdicts that were made with the envelope's key, and by whom.
    pub(super) said: Vec<(Uuid, DirectoryVerdict)>,
}

pub(super) struct Request {
    pub(super) conn: u64,
    pub(super) opened: bool,
    declined: bool,
    /// Declined because of the agent's own bound, without a bind.
    at_bound: bool,
}

/// What happened in a world, or in many.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) asked: u64,
    pub(super) valid: u64,
    pub(super) no: u64,
    pub(super) without: BTreeMap<String, u64>,
    pub(super) opened: u64,
    pub(super) not_opened: u64,
    pub(super) babbled: u64,
    pub(super) troubles: BTreeMap<&'static str, u64>,
    pub(super) counted: BTreeMap<String, u64>,
    pub(super) closed: BTreeMap<String, u64>,
    pub(super) alarms: BTreeMap<String, u64>,
    /// Of all that was said, in order.
    pub(super) trace: u64,
}

impl Told {
    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.asked, other.asked),
            (&mut self.valid, other.valid),
            (&mut self.no, other.no),
            (&mut self.opened, other.opened),
            (&mut self.not_opened, other.not_opened),
            (&mut self.babbled, other.babbled),
        ] {
            *mine += theirs;
        }
        for (kind, count) in &other.troubles {
            *self.troubles.entry(kind).or_default() += count;
        }
        for (mine, theirs) in [
            (&mut self.without, &other.without),
            (&mut self.counted, &other.counted),
            (&mut self.closed, &other.closed),
            (&mut self.alarms, &other.alarms),
        ] {
            for (kind, count) in theirs {
                *mine.entry(kind.clone()).or_default() += count;
            }
        }
    }

    pub(super) fn is_eventful(&self) {
        assert!(self.asked > 5_000 && self.valid > 1_000 && self.no > 1_000 && self.not_opened > 20);
        for event in [
            Event::Redelivered,
            Event::Stray,
            Event::Forged,
            Event::CanarySent,
            Event::CanaryRefused,
            Event::CanaryAccepted,
        ] {
            assert!(self.counted.contains_key(&format!("{event:?}")), "{event:?} never happened");
        }
        for alarm in [Alarm::CanaryAccepted, Alarm::TwoInstances] {
            assert!(self.alarms.contains_key(&format!("{alarm:?}")), "{alarm:?} never happened");
        }
        for why in [
            NoAnswer::NoAgent,
            NoAnswer::Busy,
            NoAnswer::NoDirectory,
            NoAnswer::Lost,
            NoAnswer::TooLate,
            NoAnswer::AtBound,
            NoAnswer::OtherAccount,
        ] {
            assert!(self.without.contains_key(&format!("{why:?}")), "{why:?} never happened");
        }
    }
}

pub(super) struct World {
    base: Instant,
    pub(super) now: Duration,
    pub(super) dice: Dice,
    /// Nothing goes wrong in it, so everybody must be answered.
    pub(super) calm: bool,
    pub(super) relay: Relay,
    pub(super) tenant: Uuid,
    pub(super) drained: bool,
    pub(super) agents: Vec<Agent>,
    pub(super) conns: BTreeMap<u64, Conn>,
    next_conn: u64,
    ahead: BTreeMap<(Duration, u64), Happening>,
    sequence: u64,
    pub(super) tickets: BTreeMap<u64, Ticket>,
    pub(super) objects: BTreeMap<Uuid, u64>,
    pub(super) requests: HashMap<Uuid, Request>,
    /// The requests in the order in which they were made.
    pub(super) order: Vec<Uuid>,
    /// Every ask as it went, for who wants to send it again.
    pub(super) wire: Vec<(u64, Vec<u8>)>,
    pub(super) alarmed: BTreeSet<Uuid>,
    pub(super) told: Told,
    domains: i64,
}

impl World {
    pub(super) const NODE: &'static str = "https://tenant.example.com:8443";

    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let calm = seed.is_multiple_of(8);
        let tenant = Uuid::from_u128(7);
        let mut relay = Relay::new(tenant, vec![Self::NODE.to_owned()], seed);
        let domains = if dice.happens(500) { 1 } else { 3 };
        let mut agents = vec![];
        for domain in 1..=domains {
            let named = dice.happens(500);
            relay.canaries(
                domain,
                if named {
                    vec![account(Uuid::from_u128(0xca)), account(Uuid::from_u128(0xcb))]
                } else {
                    vec![]
                },
            );
            for _ in 0..dice.between(1, 3) {
                let conduct = match dice.between(0, 9) {
                    _ if calm => Conduct::Honest,
                    0 => Conduct::LyingYes,
                    1 => Conduct::LyingForger,
                    2 => Conduct::LyingBabbler,
                    3 => Conduct::LyingMute,
                    _ => Conduct::Honest,
                };
                let id = Uuid::from_u128(0xa00 + u128::try_from(agents.len()).unwrap());
                agents.push(Agent::new(id, domain, conduct, &mut dice));
            }
        }
        let mut world = Self {
            base: Instant::now(),
            now: Duration::ZERO,
            dice,
            calm,
            relay,
            tenant,
            drained: false,
            agents,
            conns: BTreeMap::new(),
            next_conn: 0,
            ahead: BTreeMap::new(),
            sequence: 0,
            tickets: BTreeMap::new(),
            objects: BTreeMap::new(),
            requests: HashMap::new(),
            order: vec![],
            wire: vec![],
            alarmed: BTreeSet::new(),
            told: Told::default(),
            domains,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for agent in 0..self.agents.len() {
            self.soon(0, 300, Happening::Start(agent));
        }
        let mut at = Duration::from_secs(1);
        // Some come one by one, some all at once.
        while at < BUSY {
            for _ in 0..(if self.dice.happens(20) && !self.calm { 40 } else { 1 }) {
                self.later(at, Happening::Ask);
            }
            at += self.dice.milliseconds(50, 900);
        }
        at = Duration::from_secs(1);
        while at < BUSY && !self.calm {
            self.later(at, Happening::Trouble);
            at += self.dice.milliseconds(100, 3_000);
        }
    }

    pub(super) fn sid(domain: i64) -> String {
        format!("S-1-5-21-1-2-{domain}")
    }

    pub(super) fn instant(&self) -> Instant {
        self.base + self.now
    }

    pub(super) fn later(&mut self, wait: Duration, what: Happening) {
        self.at(self.now + wait, what);
    }

    fn at(&mut self, at: Duration, what: Happening) {
        self.sequence += 1;
        self.ahead.insert((at, self.sequence), what);
    }

    pub(super) fn soon(&mut self, low: u64, high: u64, what: Happening) {
        let wait = self.dice.milliseconds(low, high);
        self.later(wait, what);
    }

    pub(super) fn trouble(&mut self, kind: &'static str) {
        *self.told.troubles.entry(kind).or_default() += 1;
    }

    /// What the directory says.
    pub(super) fn directory(&self, object: Uuid, password: &str) -> DirectoryVerdict {
        match self.objects.get(&object) {
            Some(_) if password == format!("right {object}") => self.state_of(object),
            _ => DirectoryVerdict::Wrong,
        }
    }

    fn state_of(&self, object: Uuid) -> DirectoryVerdict {
        match object.as_u128() % 11 {
            0 => DirectoryVerdict::Disabled,
            1 => DirectoryVerdict::Unknown(0x8009_030c),
            _ => DirectoryVerdict::Valid,
        }
    }

    /// Lives to the end, and looks whether anything is left.
    pub(super) fn lived(mut self) -> Told {
        while self.step() {}
        for ticket in self.tickets.values() {
            assert!(ticket.answered, "a sign-in was never answered");
            assert!(ticket.binds <= ticket.tried, "{} binds, {} told", ticket.binds, ticket.tried);
        }
        assert!(self.relay.is_idle());
        for conn in self.conns.values() {
            // A canary may be under way, at every moment.
            assert!(conn.session.as_ref().map_or(0, Session::in_hand) <= 2, "left in an agent's hand");
            assert!(
                !conn.held || conn.until > self.now - Duration::from_secs(15),
                "a link outlives its certificate"
            );
        }
        assert!(self.relay.agents().iter().all(|agent| agent.in_hand <= 2));
        let held: Vec<u64> = self.conns.iter().filter(|(_, c)| c.held).map(|(number, _)| *number).collect();
        for number in held {
            self.relay.lost(Link(number), self.instant());
        }
        assert_eq!(self.relay.poll_timeout(), None, "something is left in the relay");
        assert!(self.relay.poll_output().is_none() && self.relay.agents().is_empty());
        self.told
    }

    fn step(&mut self) -> bool {
        let event = self.ahead.keys().next().map(|(at, _)| *at);
        let relay = self.relay.poll_timeout().map(|at| at.saturating_duration_since(self.base));
        let session = self
            .conns
            .iter()
            .filter(|(_, conn)| self.agents[conn.agent].frozen.is_none())
            .filter_map(|(number, conn)| {
                let at = conn.session.as_ref()?.poll_timeout()?;
                Some((at.saturating_duration_since(self.base), *number))
            })
            .min();
        let next = [event, relay, session.map(|(at, _)| at)].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next < END) else { return false };
        // A clock that is asked to ring in the past rings now.
        self.now = self.now.max(next);
        let now = self.instant();
        if relay.is_some_and(|at| at <= self.now) {
            self.relay.timeout(now);
            self.relay_outputs();
            assert!(
                self.relay.poll_timeout().is_none_or(|at| at > now),
                "the relay's clock rings without end"
            );
        } else if let Some((_, number)) = session.filter(|(at, _)| *at <= self.now) {
            self.conns.get_mut(&number).unwrap().session.as_mut().unwrap().timeout(now);
            self.session_outputs(number);
            let session = self.conns[&number].session.as_ref();
            let again = session.and_then(Session::poll_timeout);
            assert!(again.is_none_or(|at| at > now), "a session's clock rings without end");
        } else if let Some((_, happening)) = self.ahead.pop_first() {
            self.happens(happening);
        }
        true
    }

    fn happens(&mut self, happening: Happening) {
        if let Some(agent) = self.concerns(&happening)
            && self.agents[agent].frozen.is_some()
        {
            return self.agents[agent].backlog.push(happening);
        }
        let now = self.instant();
        match happening {
            Happening::ToAgent(number, bytes) => self.arrives_at_agent(number, &bytes),
            Happening::ToTenant(number, bytes) => self.arrives_at_tenant(number, &bytes),
            Happening::AgentLost(number) => self.agent_closes(number),
            Happening::TenantLost(number) => {
                if let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.held) {
                    conn.held = false;
                    self.relay.lost(Link(number), now);
                    self.relay_outputs();
                }
            }
            Happening::Outcome { conn, request, outcome } => {
                if let Some(session) = self.conns.get_mut(&conn).and_then(|c| c.session.as_mut()) {
                    session.settled(request, outcome, now);
                    self.session_outputs(conn);
                }
            }
            Happening::Ask => self.ask(),
            Happening::Trouble => self.something_goes_wrong(),
            Happening::Thaw(agent) => self.thaw(agent),
            Happening::Start(agent) => self.start(agent),
            Happening::Dial(agent, process) => self.dial(agent, process),
            Happening::Approve(agent) => self.approve(agent),
        }
    }

    /// The process that must run for this to happen.
    fn concerns(&self, happening: &Happening) -> Option<usize> {
        match happening {
            Happening::ToAgent(number, _)
            | Happening::AgentLost(number)
            | Happening::Outcome { conn: number, .. } => Some(self.conns.get(number)?.agent),
            Happening::Dial(agent, _) => Some(*agent),
            Happening::ToTenant(..)
            | Happening::TenantLost(_)
            | Happening::Ask
            | Happening::Trouble
            | Happening::Thaw(_)
            | Happening::Start(_)
            | Happening::Approve(_) => None,
        }
    }

    fn ask(&mut self) {
        let number = u64::try_from(self.tickets.len()).unwrap();
        let object = Uuid::from_u128((0x0b << 96) + u128::from(number) * 7);
        let right = self.dice.happens(500);
        let text = if right { format!("right {object}") } else { format!("wrong {number}") };
        self.objects.insert(object, number);
        let truth = self.directory(object, &text);
        let password = Arc::new(Password::new(text));
        let domain = i64::try_from(self.dice.between(1, u64::try_from(self.domains).unwrap())).unwrap();
        let ticket = Ticket {
            object,
            truth,
            password: password.clone(),
            domain,
            asked: self.now,
            deliveries: vec![],
            answered: false,
            tried: 0,
            binds: 0,
            said: vec![],
        };
        self.tickets.insert(number, ticket);
        self.told.asked += 1;
        self.relay.submit(number, domain, account(object), password, 2, self.instant());
        self.relay_outputs();
    }

    fn arrives_at_agent(&mut self, number: u64, bytes: &[u8]) {
        let message: FromTenant = frame::decode(bytes).expect("what the tenant sends can be read");
        let now = self.instant();
        let Some(session) = self.conns.get_mut(&number).and_then(|conn| conn.session.as_mut()) else {
            return;
        };
        session.heard(message, now);
        self.session_outputs(number);
    }

    fn arrives_at_tenant(&mut self, number: u64, bytes: &[u8]) {
        let message: FromAgent = frame::decode(bytes).expect("what the agent sends can be read");
        let now = self.instant();
        if !self.conns.get(&number).is_some_and(|conn| conn.held) {
            return;
        }
        if let FromAgent::Declined(declined) = &message
            && let Some(request) = self.requests.get_mut(&declined.request)
            && request.conn == number
        {
            request.declined = true;
            request.at_bound = declined.why == Decline::AtBound && !declined.tried;
        }
        self.relay.receive(Link(number), message, now);
        let most = 16 + 4 * (self.tickets.values().filter(|t| !t.answered).count() + self.conns.len());
        assert!(self.relay_outputs() <= most, "one message, and no end of consequences");
    }

    /// Does what the relay wants done.
    pub(super) fn relay_outputs(&mut self) -> usize {
        let mut count = 0;
        while let Some(output) = self.relay.poll_output() {
            count += 1;
            match output {
                Output::Send { link: Link(number), message } => {
                    if let FromTenant::SignIn(ask) = &message {
                        self.delivered(number, ask);
                    }
                    self.send_out(number, &message);
                }
                Output::Close { link: Link(number), why } => {
                    *self.told.closed.entry(format!("{why:?}")).or_default() += 1;
                    let conn = self.conns.get_mut(&number).unwrap();
                    conn.held = false;
                    let at = conn.last_out.max(self.now) + Duration::from_millis(1);
                    self.at(at, Happening::AgentLost(number));
                }
                Output::Answered { ticket, answer } => self.answered(ticket, &answer),
                Output::ChangeAnswered { .. } => panic!("no password is changed in these worlds"),
                Output::Alarm { agent, alarm, .. } => self.alarm(agent, alarm),
                Output::Introduced { link: Link(number), agent, instance, software, .. } => {
                    let of = &self.agents[self.conns[&number].agent];
                    assert_eq!((agent, software.as_str()), (of.id, "agent 1"));
                    assert!(instance == of.instance || self.conns[&number].process != of.process);
                }
                Output::Counted(event) => *self.told.counted.entry(format!("{event:?}")).or_default() += 1,
            }
        }
        count
    }

    fn delivered(&mut self, number: u64, ask: &SignInRequest) {
        let (request, object) = (ask.request, ask.object);
        let conn = &self.conns[&number];
        assert_eq!(ask.sid.is_none(), self.agents[conn.agent].old, "each agent in the form that it knows");
        assert!(conn.held && self.now < conn.until && !self.drained, "asked over a link that is over");
        let domain = self.agents[conn.agent].domain;
        let known = self
            .requests
            .insert(request, Request { conn: number, opened: false, declined: false, at_bound: false });
        assert!(known.is_none(), "a request's name is used twice");
        self.order.push(request);
        let capacity: usize = self.conns.values().filter(|c| c.held).map(|c| c.capacity).sum();
        assert!(self.relay.agents().iter().map(|agent| agent.in_hand).sum::<usize>() <= capacity);
        let sid = ask.sid.as_ref().map(Text::as_str);
        let Some(ticket) = self.objects.get(&object).and_then(|ticket| self.tickets.get_mut(ticket)) else {
            return;
        };
        let whole = format!("{}-{}", Self::sid(domain), account(object).rid);
        assert!(sid.is_none_or(|sid| sid == whole), "{sid:?} and not {whole}");
        assert_eq!(ticket.domain, domain, "asked of another domain's agent");
        assert!(!ticket.answered && self.now < ticket.asked + PATIENCE);
        if let Some(before) = ticket.deliveries.last() {
            let before = &self.requests[before];
            let lost = !self.conns[&before.conn].held;
            assert!(before.declined || lost, "asked again while the first may still answer");
        }
        ticket.deliveries.push(request);
        let at_bound = ticket.deliveries.iter().filter(|one| self.requests[one].at_bound).count();
        assert!(ticket.deliveries.len() - at_bound <= 2, "asked a third time");
    }

    fn answered(&mut self, number: u64, asked: &AgentAnswer) {
        let ticket = self.tickets.get_mut(&number).expect("an answer that nobody waits for");
        assert!(!std::mem::replace(&mut ticket.answered, true), "answered twice");
        ticket.tried = asked.tried;
        assert!(self.now <= ticket.asked + PATIENCE, "answered too late");
        assert!(usize::try_from(asked.tried).unwrap() <= ticket.deliveries.len());
        assert_eq!(
            Arc::strong_count(&ticket.password),
            1,
            "the relay keeps a password that it needs no more"
        );
        assert!(asked.outcome.is_err() || self.now < ticket.asked + PATIENCE);
        match asked.outcome {
            Ok(verdict) => {
                let agent = asked.agent.expect("somebody said it");
                assert!(ticket.said.contains(&(agent, verdict)), "{verdict:?}, which {agent} never said");
                let conducts = self.agents.iter().filter(|a| a.id == agent).map(|a| a.conduct);
                if conducts.into_iter().all(|conduct| conduct != Conduct::LyingYes) {
                    assert_eq!(verdict, ticket.truth, "of {}", ticket.object);
                }
                let count =
                    if verdict == DirectoryVerdict::Valid { &mut self.told.valid } else { &mut self.told.no };
                *count += 1;
            }
            Err(why) => {
                assert!(!self.calm, "{why} in a calm world");
                *self.told.without.entry(format!("{why:?}")).or_default() += 1;
            }
        }
        let said = format!(
            "{} {number} {:?} {:?} {}",
            self.now.as_micros(),
            asked.outcome,
            asked.agent,
            asked.tried
        );
        for byte in said.bytes() {
            self.told.trace = (self.told.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn alarm(&mut self, agent: Uuid, alarm: Alarm) {
        *self.told.alarms.entry(format!("{alarm:?}")).or_default() += 1;
        assert!(self.alarmed.insert(agent), "one alarm is raised twice");
        for of in self.agents.iter_mut().filter(|of| of.id == agent) {
            of.banned = true;
            match alarm {
                Alarm::CanaryAccepted => assert_eq!(of.conduct, Conduct::LyingYes),
                Alarm::TwoInstances => assert!(of.cloned.is_some(), "one process is taken for two"),
            }
        }
    }

    fn send_out(&mut self, number: u64, message: &FromTenant) {
        let bytes = framed(message);
        if matches!(message, FromTenant::SignIn(_)) {
            self.wire.push((number, bytes.clone()));
        }
        let Some(at) = self.arrival(number, true) else { return };
        if self.dice.happens(if self.calm { 0 } else { 5 }) {
            self.at(at, Happening::ToAgent(number, bytes.clone()));
        }
        self.at(at, Happening::ToAgent(number, bytes));
    }

    pub(super) fn send_back(&mut self, number: u64, message: &FromAgent) {
        let bytes = framed(message);
        let Some(at) = self.arrival(number, false) else { return };
        if self.dice.happens(if self.calm { 0 } else { 5 }) {
            self.at(at, Happening::ToTenant(number, bytes.clone()));
        }
        self.at(at, Happening::ToTenant(number, bytes));
    }

    /// When a message arrives: after those before it, but for what goes wrong. None: never.
    fn arrival(&mut self, number: u64, out: bool) -> Option<Duration> {
        let mut delay = self.dice.milliseconds(1, 20);
        let (lost, reordered) = (!self.calm && self.dice.happens(1), !self.calm && self.dice.happens(3));
        if !self.calm && self.dice.happens(5) {
            delay = self.dice.milliseconds(100, LATEST);
        }
        let at = self.now + delay;
        let conn = self.conns.get_mut(&number)?;
        if conn.hole {
            return None;
        }
        if lost {
            self.breaks(number);
            return None;
        }
        let last = if out { &mut conn.last_out } else { &mut conn.last_back };
        if reordered {
            conn.unsound = true;
            return Some(at);
        }
        *last = at.max(*last + Duration::from_micros(1));
        Some(*last)
    }

    /// A link breaks, and both ends are told.
    pub(super) fn breaks(&mut self, number: u64) {
        self.conns.get_mut(&number).unwrap().hole = true;
        self.soon(1, 100, Happening::AgentLost(number));
        self.soon(1, 100, Happening::TenantLost(number));
    }

    /// The agent's end is closed, by itself or by the other.
    pub(super) fn agent_closes(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if conn.session.take().is_none() {
            return;
        }
        let (agent, process, draining) = (conn.agent, conn.process, conn.draining);
        if !conn.hole {
            let at = conn.last_back.max(self.now) + Duration::from_millis(1);
            self.at(at, Happening::TenantLost(number));
        }
        if !draining {
            self.soon(100, 1_500, Happening::Dial(agent, process));
        }
    }

    fn dial(&mut self, index: usize, process: u64) {
        let agent = &self.agents[index];
        let mine = self.conns.values().filter(|c| c.agent == index && c.process == process);
        let open = mine.filter(|c| c.session.is_some() && !c.draining).count();
        if !agent.up || agent.process != process || open >= 2 || self.drained {
            return;
        }
        if agent.banned || self.now >= agent.until {
            // Not admitted. Who is out of time renews: not in this world.
            return self.soon(1_000, 2_000, Happening::Dial(index, process));
        }
        let number = self.next_conn;
        self.next_conn += 1;
        let name = Uuid::from_u128(0xc << 100 | u128::from(number));
        let capacity = u16::try_from(self.dice.between(if self.calm { 64 } else { 1 }, 64)).unwrap();
        let (id, domain, instance, until) = (agent.id, agent.domain, agent.instance, agent.until);
        let (key, serial) = (agent.key.clone(), agent.serial.clone());
        let abilities = if agent.old { vec![] } else { vec![Text::new(BY_SID).unwrap()] };
        let (software, abilities) = (Text::new("agent 1").unwrap(), List::new(abilities).unwrap());
        let hello = Hello { connection: name, instance, software, capacity, abilities };
        let facts = Facts {
            agent: id,
            domain,
            domain_sid: Self::sid(domain),
            serial: serial.clone(),
            key: key.public(),
            until: self.base + until,
        };
        let now = self.now;
        let session = Some(Session::new(hello, self.instant()));
        let conn = Conn {
            agent: index,
            process,
            name,
            key,
            serial,
            until,
            began: now,
            capacity: usize::from(capacity),
            session,
            held: true,
            draining: false,
            hole: false,
            last_out: now,
            last_back: now,
            unsound: false,
        };
        self.conns.insert(number, conn);
        self.relay.connected(Link(number), facts, self.instant());
        self.relay_outputs();
        self.session_outputs(number);
    }
}

/// The account of this objectGUID.
fn account(object: Uuid) -> Principal {
    Principal { object, rid: 1_000 + u32::try_from(object.as_u128() % 0xffff).unwrap() }
}

fn framed<T: Serialize>(message: &T) -> Vec<u8> {
    let bytes = frame::encode(message).unwrap();
    assert!(bytes.len() <= MAX_MESSAGE);
    bytes.to_vec()
}
