//! One connection's conversation with one node of the tenant: introduces the agent, answers heartbeats, hands out
//! each ask once and in time, sends its outcome back. Pure: no socket and no clock, time is an argument.
//!
//! Not here: what an ask means. [`super::unseal`] opens it, [`super::directory`] tries it; [`super::link`] carries bytes
//! and calls this.

mod seen;

use landbridge_wire::bounded::Blob;
use landbridge_wire::signin::{
    Answer, Ask, Decline, Declined, FromAgent, FromTenant, Heartbeat, Hello, MAX_IN_HAND, SILENCE, Verdict,
};
use seen::{First, Seen};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The tenant's welcome comes within this.
const WELCOME: Duration = Duration::from_secs(5);
/// The tenant closes a drained connection when it has no more asks on it; if it does not, we do after this.
const LINGER: Duration = Duration::from_secs(1);
/// What the connection's clock may be thought to lag more with each heartbeat: clocks drift by less, and a pile of
/// old heartbeats that is read at once must not make old asks young.
const DRIFT: Duration = Duration::from_millis(10);
/// After a wish to drain, what is in hand has so long.
const DRAINING: Duration = Duration::from_secs(12);
/// An ask whose deadline is further away than this is not one of ours.
const LONGEST: Duration = Duration::from_secs(60);

/// What the caller is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Send(FromAgent),
    /// The tenant took the connection; these are its nodes.
    Welcomed(Vec<String>),
    /// Open it, try it, and say how it went with [`Session::settled`], before `by`.
    Validate {
        /// What is asked.
        ask: Box<Ask>,
        /// Nobody waits any longer then.
        by: Instant,
    },
    /// Close the connection; nothing comes after this.
    Close(Closing),
}

/// How an ask ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The directory spoke.
    Verdict {
        /// What it said.
        verdict: Verdict,
        /// The envelope's tag over it.
        tag: [u8; 32],
    },
    /// It did not.
    Declined {
        /// Why.
        why: Decline,
        /// Whether a bind may have reached it.
        tried: bool,
    },
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Nothing was heard for too long.
    Silent,
    /// We wished to drain, and nothing is in hand any more, or its time is over.
    Drained,
    /// The tenant did not introduce itself.
    NotWelcomed,
    /// The tenant stops; what was in hand is answered.
    TenantDrains,
    /// The tenant broke the protocol.
    Breach(&'static str),
}

/// One connection's conversation.
#[derive(Debug)]
pub struct Session {
    began: Instant,
    heard: Instant,
    capacity: usize,
    /// What the own clock shows more than the connection's; none before the welcome.
    ahead: Option<Duration>,
    /// What the latest heartbeat of the tenant said.
    beat: u64,
    in_hand: BTreeMap<Uuid, Instant>,
    seen: Seen,
    /// Since when nothing more is taken, and who wished it.
    draining: Option<(Instant, Closing)>,
    closed: bool,
    output: VecDeque<Output>,
}

impl Session {
    /// A connection that was just made. The hello goes out first.
    pub fn new(hello: Hello, now: Instant) -> Self {
        let capacity = usize::from(hello.capacity.clamp(1, MAX_IN_HAND));
        Self {
            began: now,
            heard: now,
            capacity,
            ahead: None,
            beat: 0,
            in_hand: BTreeMap::new(),
            seen: Seen::default(),
            draining: None,
            closed: false,
            output: VecDeque::from([Output::Send(FromAgent::Hello(hello))]),
        }
    }

    /// Takes what the tenant said.
    pub fn heard(&mut self, message: FromTenant, now: Instant) {
        if self.closed {
            return;
        }
        if let Some(why) = self.silent(now) {
            // The tenant has given this connection up as well: what still comes over it is old.
            return self.close(why);
        }
        self.heard = self.heard.max(now);
        match message {
            FromTenant::Welcome(welcome) if self.ahead.is_none() => {
                self.ahead = Some(now.saturating_duration_since(self.began));
                let nodes = welcome.nodes.into_vec().into_iter().map(|node| node.as_str().to_owned());
                self.output.push_back(Output::Welcomed(nodes.collect()));
            }
            FromTenant::Welcome(_) => self.close(Closing::Breach("a second welcome")),
            FromTenant::Unknown => {}
            FromTenant::Ask(_) | FromTenant::Heartbeat(_) | FromTenant::Drain if self.ahead.is_none() => {
                self.close(Closing::Breach("something before the welcome"));
            }
            FromTenant::Ask(ask) => self.asked(ask, now),
            FromTenant::Heartbeat(beat) => self.beat(beat, now),
            FromTenant::Drain => {
                self.draining.get_or_insert((now, Closing::TenantDrains));
                self.finish(now);
            }
        }
    }

    /// Takes the outcome of an ask. One that comes too late, or was never asked, goes nowhere.
    pub fn settled(&mut self, request: Uuid, outcome: Settled, now: Instant) {
        if self.closed {
            return;
        }
        let Some(by) = self.in_hand.remove(&request) else { return };
        if now < by {
            self.send(match outcome {
                Settled::Verdict { verdict, tag } => match Blob::new(tag) {
                    Ok(tag) => FromAgent::Answer(Answer { request, verdict, tag }),
                    Err(_) => return,
                },
                Settled::Declined { why, tried } => FromAgent::Declined(Declined { request, why, tried }),
            });
        }
        self.finish(now);
    }

    /// Asks for nothing more; what is in hand is answered, then the connection closes.
    pub fn drain(&mut self, now: Instant) {
        if self.closed || self.draining.is_some() {
            return;
        }
        self.draining = Some((now, Closing::Drained));
        if self.ahead.is_some() {
            self.send(FromAgent::Drain);
        }
        self.finish(now);
    }

    /// What the caller is to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// When [`Self::timeout`] is to be called; none: never.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let drained = self.draining.map(|draining| self.drained_at(draining));
        let late = self.in_hand.values().min().copied();
        [Some(self.dead_at().0), drained, late].into_iter().flatten().min()
    }

    /// Does what time asks for.
    pub fn timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        // Nobody waits for these any more. The bind may go on; its outcome will go nowhere.
        self.in_hand.retain(|_, by| now < *by);
        match self.silent(now) {
            Some(why) => self.close(why),
            None => self.finish(now),
        }
    }

    /// How many asks are out.
    pub fn in_hand(&self) -> usize {
        self.in_hand.len()
    }

    fn asked(&mut self, ask: Box<Ask>, now: Instant) {
        let request = ask.request;
        let no = |why| FromAgent::Declined(Declined { request, why, tried: false });
        let ahead = self.ahead.unwrap_or_default();
        let by =
            Duration::from_millis(ask.due).checked_add(ahead).and_then(|due| self.began.checked_add(due));
        let Some(by) = by.filter(|by| *by <= now + LONGEST) else {
            return self.close(Closing::Breach("a deadline far away"));
        };
        match self.seen.first(request, by, now) {
            First::Yes => {}
            // The outcome of the first one is what counts; a word about this one would be taken for it.
            First::No => return,
            First::Full => return self.send(no(Decline::Overloaded)),
        }
        if now >= by {
            return self.send(no(Decline::TooLate));
        }
        if self.draining.is_some() {
            return self.send(no(Decline::Draining));
        }
        if self.in_hand.len() >= self.capacity {
            return self.send(no(Decline::Overloaded));
        }
        self.in_hand.insert(request, by);
        self.output.push_back(Output::Validate { ask, by });
    }

    /// Sends a heartbeat back, and sets the connection's clock by it.
    fn beat(&mut self, beat: Heartbeat, now: Instant) {
        if beat.at > self.beat {
            self.beat = beat.at;
            let own = now.saturating_duration_since(self.began);
            let ahead = own.saturating_sub(Duration::from_millis(beat.at));
            self.ahead = self.ahead.map(|before| ahead.min(before + DRIFT));
        }
        self.send(FromAgent::Heartbeat(beat));
    }

    /// When the connection is dead unless something is heard before, and why.
    fn dead_at(&self) -> (Instant, Closing) {
        match self.ahead {
            None => (self.began + WELCOME, Closing::NotWelcomed),
            Some(_) => (self.heard + Duration::from_millis(SILENCE), Closing::Silent),
        }
    }

    fn silent(&self, now: Instant) -> Option<Closing> {
        let (at, why) = self.dead_at();
        (now >= at).then_some(why)
    }

    /// When a draining connection closes, if nothing else happens. The tenant says Drain after its last ask; our own
    /// Drain may cross an ask on its way.
    fn drained_at(&self, (since, why): (Instant, Closing)) -> Instant {
        match (self.in_hand.is_empty(), why) {
            (false, _) => since + DRAINING,
            (true, Closing::Drained) if self.ahead.is_some() => since + LINGER,
            (true, _) => since,
        }
    }

    /// Closes if it was to be drained and is.
    fn finish(&mut self, now: Instant) {
        if let Some(draining) = self.draining
            && now >= self.drained_at(draining)
        {
            self.close(draining.1);
        }
    }

    fn send(&mut self, message: FromAgent) {
        self.output.push_back(Output::Send(message));
    }

    fn close(&mut self, why: Closing) {
        self.closed = true;
        self.in_hand.clear();
        self.output.push_back(Output::Close(why));
    }
}

#[cfg(test)]
mod tests;
