//! The simulated agents: honest ones, and those that lie, each in its way.

use super::dice::Dice;
use super::world::{Happening, World};
use landbridge_crypto::envelope::{About, Envelope, EnvelopeKey, VerdictKey};
use landbridge_pta_agent::session::{Output, Session, Settled};
use landbridge_wire::bounded::Text;
use landbridge_wire::signin::{Decline, DirectoryVerdict, FromAgent, SignInRequest};
use std::rc::Rc;
use std::time::Duration;
use uuid::Uuid;

/// How an agent behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Conduct {
    Honest,
    /// Says yes to everything, with the tag that it can make.
    LyingYes,
    /// Says yes with the tag of a no.
    LyingForger,
    /// Says what it was not asked, besides what it was.
    LyingBabbler,
    /// Answers heartbeats and nothing else.
    LyingMute,
}

/// An identity and the process that has it.
pub(super) struct Agent {
    pub(super) id: Uuid,
    pub(super) domain: i64,
    pub(super) conduct: Conduct,
    /// Counts the processes; none while it is down.
    pub(super) process: u64,
    pub(super) up: bool,
    pub(super) instance: Uuid,
    pub(super) frozen: Option<Duration>,
    /// What waits for a frozen process.
    pub(super) backlog: Vec<Happening>,
    pub(super) key: Rc<EnvelopeKey>,
    pub(super) serial: Vec<u8>,
    pub(super) until: Duration,
    /// No certificate of it opens anything.
    pub(super) banned: bool,
    /// Since when somebody else has its identity too.
    pub(super) cloned: Option<Duration>,
    /// Of version 0.1: accepts no SID.
    pub(super) old: bool,
}

/// One connection, both ends of it.
pub(super) struct Conn {
    pub(super) agent: usize,
    pub(super) process: u64,
    pub(super) name: Uuid,
    pub(super) key: Rc<EnvelopeKey>,
    pub(super) serial: Vec<u8>,
    pub(super) until: Duration,
    pub(super) began: Duration,
    pub(super) capacity: usize,
    pub(super) session: Option<Session>,
    /// The relay has it.
    pub(super) held: bool,
    pub(super) draining: bool,
    /// Nothing comes through any more, and nobody is told.
    pub(super) hole: bool,
    pub(super) last_out: Duration,
    pub(super) last_back: Duration,
    /// A message over it was reordered or it was tampered with: what is promised of sound links is not of this one.
    pub(super) unsound: bool,
}

impl Conn {
    fn open(&self, world: &World, ask: &SignInRequest) -> Option<(String, VerdictKey)> {
        let agent = &world.agents[self.agent];
        let about = About {
            request: ask.request.into_bytes(),
            connection: self.name.into_bytes(),
            agent: agent.id.into_bytes(),
            serial: &self.serial,
            tenant: world.tenant.into_bytes(),
            domain_sid: &World::sid(agent.domain),
            object: ask.object.into_bytes(),
            sid: ask.sid.as_ref().map(Text::as_str),
            due: ask.due,
        };
        let encapsulated = ask.encapsulated.as_bytes().try_into().ok()?;
        let envelope = Envelope { encapsulated, sealed: ask.sealed.as_bytes().to_vec() };
        let (password, key) = self.key.open(&about, &envelope).ok()?;
        Some((password.lend(str::to_owned), key))
    }
}

impl World {
    /// Does what a session wants done.
    pub(super) fn session_outputs(&mut self, number: u64) {
        while let Some(output) = self.conns.get_mut(&number).and_then(|c| c.session.as_mut()?.poll_output()) {
            match output {
                Output::Send(message) => self.send_back(number, &message),
                Output::Welcomed { nodes, by_sid } => {
                    assert_eq!((&nodes[..], by_sid), (&[World::NODE.to_owned()][..], true))
                }
                Output::Validate { sign_in, by } => {
                    assert!(by > self.instant(), "something to validate whose time is over");
                    self.validate(number, &sign_in, by);
                }
                Output::Nodes(_) => panic!("no node is added in these worlds"),
                Output::Change { .. } => panic!("no password is changed in these worlds"),
                Output::Close(_) => self.agent_closes(number),
            }
        }
        let Some(conn) = self.conns.get(&number) else { return };
        let in_hand = conn.session.as_ref().map_or(0, Session::in_hand);
        assert!(in_hand <= conn.capacity, "more in hand than was promised");
    }

    fn validate(&mut self, number: u64, ask: &SignInRequest, by: std::time::Instant) {
        let conn = &self.conns[&number];
        let (agent, conduct) = (conn.agent, self.agents[conn.agent].conduct);
        let Some((password, key)) = conn.open(self, ask) else {
            self.told.not_opened += 1;
            let outcome = Settled::Declined { why: Decline::Unopened, tried: false };
            return self.soon(1, 3, Happening::Outcome { conn: number, request: ask.request, outcome });
        };
        let asked_over = self.requests.get_mut(&ask.request).expect("an ask that the relay never made opens");
        assert_eq!(asked_over.conn, number, "an envelope opens on another connection");
        assert!(!std::mem::replace(&mut asked_over.opened, true), "a delivery is opened twice");
        self.told.opened += 1;
        let truth = self.directory(ask.object, &password);
        let ticket = self.objects.get(&ask.object).copied();
        let (outcome, wait) = match conduct {
            Conduct::Honest | Conduct::LyingBabbler => self.ask_directory(ask, truth, ticket, &key, by),
            Conduct::LyingYes => {
                (tagged(DirectoryVerdict::Valid, ask.request, &key), Duration::from_millis(4))
            }
            Conduct::LyingForger => {
                let Settled::Verdict { tag, .. } = tagged(truth, ask.request, &key) else { unreachable!() };
                let verdict = if truth == DirectoryVerdict::Valid {
                    DirectoryVerdict::Wrong
                } else {
                    DirectoryVerdict::Valid
                };
                (Settled::Verdict { verdict, tag }, Duration::from_millis(4))
            }
            Conduct::LyingMute => return,
        };
        if let (Some(ticket), Settled::Verdict { verdict, .. }) = (ticket, &outcome)
            && conduct != Conduct::LyingForger
        {
            let id = self.agents[agent].id;
            self.tickets.get_mut(&ticket).unwrap().said.push((id, *verdict));
        }
        self.later(wait, Happening::Outcome { conn: number, request: ask.request, outcome });
    }

    /// What an honest agent does: one bind, never after its time.
    fn ask_directory(
        &mut self,
        ask: &SignInRequest,
        truth: DirectoryVerdict,
        ticket: Option<u64>,
        key: &VerdictKey,
        by: std::time::Instant,
    ) -> (Settled, Duration) {
        let stormy = !self.calm;
        let wait = match self.dice.between(0, 99) {
            0 | 1 if stormy => self.dice.milliseconds(2_000, 12_000),
            2..=9 => self.dice.milliseconds(100, 900),
            _ => self.dice.milliseconds(3, 40),
        };
        if stormy && self.dice.happens(40) {
            return (Settled::Declined { why: Decline::NoDirectory, tried: false }, wait);
        }
        if stormy && self.dice.happens(10) {
            let tried = self.dice.happens(500);
            if let Some(ticket) = ticket.filter(|_| tried) {
                self.tickets.get_mut(&ticket).unwrap().binds += 1;
            }
            return (Settled::Declined { why: Decline::OtherAccount, tried }, wait);
        }
        if stormy && self.dice.happens(40) {
            return (Settled::Declined { why: Decline::AtBound, tried: false }, Duration::from_millis(1));
        }
        if let Some(ticket) = ticket {
            self.tickets.get_mut(&ticket).unwrap().binds += 1;
        }
        if self.instant() + wait >= by {
            return (Settled::Declined { why: Decline::TooLate, tried: true }, by - self.instant());
        }
        if stormy && self.dice.happens(20) {
            return (Settled::Declined { why: Decline::NoDirectory, tried: true }, wait);
        }
        (tagged(truth, ask.request, key), wait)
    }

    /// A babbler says what it was not asked: about others' requests, twice, too early, twice hello.
    pub(super) fn babble(&mut self, dice: u64) {
        // A process that is frozen says nothing, lies included.
        let lying = |conn: &Conn| {
            let agent = &self.agents[conn.agent];
            agent.conduct == Conduct::LyingBabbler && agent.frozen.is_none()
        };
        let numbers: Vec<u64> =
            self.conns.iter().filter(|(_, c)| c.session.is_some() && lying(c)).map(|(n, _)| *n).collect();
        let (Some(number), Some(request)) =
            (self.dice.one_of(&numbers).copied(), self.dice.one_of(&self.order).copied())
        else {
            return;
        };
        // A word about its own is its own affair: it could as well have said it in the first place.
        let of_others = self.requests[&request].conn != number;
        let tag = landbridge_wire::bounded::Blob::new([7; 32]).unwrap();
        let verdict = DirectoryVerdict::Valid;
        let message = match dice % 5 {
            0 | 1 if of_others => FromAgent::Declined(landbridge_wire::signin::Declined {
                request,
                why: Decline::NoDirectory,
                tried: false,
            }),
            2 => FromAgent::Drain,
            3 => FromAgent::Unknown,
            _ => FromAgent::Answer(landbridge_wire::signin::Answer { request, verdict, tag }),
        };
        self.told.babbled += 1;
        if message != FromAgent::Unknown {
            self.send_back(number, &message);
        }
    }
}

fn tagged(verdict: DirectoryVerdict, request: Uuid, key: &VerdictKey) -> Settled {
    Settled::Verdict { verdict, tag: key.tag(&verdict.authenticated(request)) }
}

impl Agent {
    pub(super) fn new(id: Uuid, domain: i64, conduct: Conduct, dice: &mut Dice) -> Self {
        Self {
            id,
            domain,
            conduct,
            process: 0,
            up: false,
            instance: Uuid::from_u128(u128::from(dice.roll())),
            frozen: None,
            backlog: vec![],
            key: Rc::new(EnvelopeKey::generate()),
            serial: vec![1],
            until: Duration::from_secs(1000),
            banned: false,
            cloned: None,
            old: dice.happens(300),
        }
    }
}
