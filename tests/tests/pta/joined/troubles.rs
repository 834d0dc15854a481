//! What goes wrong in a world.

use super::agent::{Agent, Conduct};
use super::world::{BUSY, Happening, LATEST, World};
use landbridge_crypto::envelope::EnvelopeKey;
use landbridge_tenant_rules::relay::Link;
use std::rc::Rc;
use std::time::Duration;
use uuid::Uuid;

/// A frozen agent is given up after this: three seconds of silence, counted from the last message that it had sent
/// before and that was on its way for at most [`LATEST`], and a moment.
const GIVEN_UP: Duration = Duration::from_millis(3_000 + LATEST + 50);

impl World {
    pub(super) fn something_goes_wrong(&mut self) {
        let roll = self.dice.roll();
        let all: Vec<usize> = (0..self.agents.len()).collect();
        let agent = *self.dice.one_of(&all).unwrap();
        let open: Vec<u64> =
            self.conns.iter().filter(|(_, c)| c.session.is_some()).map(|(n, _)| *n).collect();
        let conn = self.dice.one_of(&open).copied();
        match (self.dice.between(0, 99), conn) {
            (0..=11, _) => self.kill(agent),
            (12..=27, _) => self.freeze(agent),
            (28..=37, Some(conn)) => self.drain_conn(conn),
            (38..=45, _) => self.renew(agent),
            (46..=51, Some(conn)) => {
                self.trouble("black hole");
                self.conns.get_mut(&conn).unwrap().hole = true;
            }
            (52..=59, Some(conn)) => {
                self.trouble("link broken");
                self.breaks(conn);
            }
            (60..=74, Some(conn)) => self.replay(conn),
            (75..=92, _) => self.babble(roll),
            (93, _) => self.revoke(agent),
            (94..=95, _) => self.clone_identity(agent),
            (96, _) if self.now > BUSY * 3 / 4 => self.drain_tenant(),
            (97..=98, Some(conn)) => self.strange(conn),
            _ => {}
        }
    }

    pub(super) fn start(&mut self, index: usize) {
        let process = self.agents[index].process + 1;
        let instance = Uuid::from_u128(u128::from(self.dice.roll()));
        let agent = &mut self.agents[index];
        if agent.up {
            return;
        }
        agent.up = true;
        agent.process = process;
        agent.instance = instance;
        for _ in 0..2 {
            self.soon(1, 200, Happening::Dial(index, process));
        }
    }

    fn kill(&mut self, index: usize) {
        if !self.agents[index].up || self.agents[index].frozen.is_some() {
            return;
        }
        self.trouble("agent killed");
        self.agents[index].up = false;
        // A machine without power closes nothing.
        let power = self.dice.happens(300);
        let its: Vec<u64> = self.conns_of(index);
        for number in its {
            let conn = self.conns.get_mut(&number).unwrap();
            conn.session = None;
            if power {
                conn.hole = true;
            } else {
                let wait = conn.last_back.saturating_sub(self.now) + Duration::from_millis(1);
                self.later(wait, Happening::TenantLost(number));
            }
        }
        self.soon(300, 8_000, Happening::Start(index));
    }

    fn freeze(&mut self, index: usize) {
        if self.agents[index].frozen.is_some() || !self.agents[index].up {
            return;
        }
        self.trouble("agent frozen");
        self.agents[index].frozen = Some(self.now);
        self.soon(200, 9_000, Happening::Thaw(index));
    }

    pub(super) fn thaw(&mut self, index: usize) {
        let Some(since) = self.agents[index].frozen.take() else { return };
        if self.now >= since + GIVEN_UP {
            for number in self.conns_of(index) {
                let conn = &self.conns[&number];
                // One that was still dialled while it was frozen has its own time.
                let given_up = !conn.held || conn.began + GIVEN_UP > since;
                assert!(given_up, "a link of an agent that was frozen for {:?}", self.now - since);
            }
        }
        for happening in std::mem::take(&mut self.agents[index].backlog) {
            self.later(Duration::ZERO, happening);
        }
    }

    fn conns_of(&self, index: usize) -> Vec<u64> {
        let its = self.conns.iter().filter(|(_, c)| c.agent == index && c.session.is_some());
        its.map(|(number, _)| *number).collect()
    }

    fn drain_conn(&mut self, number: u64) {
        let now = self.instant();
        let conn = self.conns.get_mut(&number).unwrap();
        let (agent, process) = (conn.agent, conn.process);
        if self.agents[agent].frozen.is_some() {
            return;
        }
        conn.draining = true;
        conn.session.as_mut().unwrap().drain(now);
        self.trouble("connection drained");
        self.session_outputs(number);
        self.soon(1, 300, Happening::Dial(agent, process));
    }

    fn renew(&mut self, index: usize) {
        let agent = &mut self.agents[index];
        if agent.frozen.is_some() || !agent.up {
            return;
        }
        agent.key = Rc::new(EnvelopeKey::generate());
        agent.serial[0] = agent.serial[0].wrapping_add(1);
        // Some certificates are soon over.
        let life = self.dice.between(5, 40);
        let agent = &mut self.agents[index];
        agent.until =
            self.now + if life < 20 { Duration::from_secs(life) } else { Duration::from_secs(1000) };
        self.trouble("agent renewed");
        let its = self.conns_of(index);
        for number in its {
            self.drain_conn(number);
        }
    }

    /// An old ask comes once more, over its connection or another one.
    fn replay(&mut self, onto: u64) {
        if self.wire.is_empty() {
            return;
        }
        let recent = self.wire.len().saturating_sub(20);
        let Some((from, bytes)) = self.dice.one_of(&self.wire[recent..]).cloned() else { return };
        let onto = if self.dice.happens(500) { from } else { onto };
        self.trouble("ask replayed");
        self.soon(0, 200, Happening::ToAgent(onto, bytes));
    }

    fn revoke(&mut self, index: usize) {
        self.trouble("agent revoked");
        let id = self.agents[index].id;
        for agent in self.agents.iter_mut().filter(|agent| agent.id == id) {
            agent.banned = true;
        }
        self.relay.cut(id, self.instant());
        self.relay_outputs();
        if self.dice.happens(700) {
            self.soon(2_000, 6_000, Happening::Approve(index));
        }
    }

    /// An administrator looked, mended it, and lets it in again.
    pub(super) fn approve(&mut self, index: usize) {
        let id = self.agents[index].id;
        if self.agents.iter().any(|agent| agent.id == id && agent.cloned.is_some()) {
            return;
        }
        self.alarmed.remove(&id);
        self.agents[index].banned = false;
        self.relay.forget_instances(id);
    }

    /// Somebody else has the identity, and uses it.
    fn clone_identity(&mut self, index: usize) {
        if self.agents[index].cloned.is_some() {
            return;
        }
        self.trouble("identity cloned");
        let (id, domain) = (self.agents[index].id, self.agents[index].domain);
        self.agents[index].cloned = Some(self.now);
        let mut clone = Agent::new(id, domain, self.agents[index].conduct, &mut self.dice);
        clone.key = self.agents[index].key.clone();
        clone.serial = self.agents[index].serial.clone();
        clone.banned = self.agents[index].banned;
        clone.cloned = Some(self.now);
        self.agents.push(clone);
        self.soon(1, 500, Happening::Start(self.agents.len() - 1));
    }

    fn drain_tenant(&mut self) {
        self.trouble("tenant drained");
        self.relay.drain(self.instant());
        self.relay_outputs();
        self.drained = true;
    }

    /// Messages of a version to come, and those that break the order.
    fn strange(&mut self, number: u64) {
        self.trouble("strange message");
        let text: &[u8] = br#"{"say":"forecast","weather":"fine"}"#;
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        let bytes = [b"LB\x01\x00", &length[..], text].concat();
        self.soon(1, 5, Happening::ToAgent(number, bytes.clone()));
        self.soon(1, 5, Happening::ToTenant(number, bytes));
        if self.agents[self.conns[&number].agent].conduct != Conduct::Honest {
            // A second hello: the link is over.
            let hello = landbridge_wire::signin::Hello {
                connection: Uuid::nil(),
                instance: Uuid::nil(),
                software: landbridge_wire::bounded::Text::default(),
                capacity: 0,
                abilities: landbridge_wire::bounded::List::default(),
            };
            let hello = landbridge_wire::signin::FromAgent::Hello(hello);
            self.send_back(number, &hello);
        }
        let _ = Link(number);
    }
}
