//! The messages of one connection with one node of the tenant: introduces the agent, answers heartbeats, hands out each
//! sign-in once and in time, returns its outcome. Pure: no socket and no clock; time is an argument.
//!
//! Not here: the content of a sign-in. [`super::unseal`] opens it, [`super::directory`] tries it; [`super::link`]
//! carries bytes and calls this.

mod seen;

use landbridge_wire::bounded::Blob;
use landbridge_wire::change::{ChangeAnswer, ChangeOutcome, ChangeRequest};
use landbridge_wire::nodes::texts;
use landbridge_wire::signin::{
    AT_BOUND, Answer, BY_SID, Decline, Declined, DirectoryVerdict, FromAgent, FromTenant, Heartbeat, Hello,
    MAX_IN_HAND, SILENCE, SignInRequest,
};
use seen::{First, Seen};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Limit on the tenant's welcome.
const WELCOME: Duration = Duration::from_secs(5);
/// The tenant closes a drained connection once no sign-in is open on it. If it does not, the agent closes it after
/// this.
const LINGER: Duration = Duration::from_secs(1);
/// How much the estimate of the connection's clock may fall back with each heartbeat. Clocks drift by less, and a
/// series of old heartbeats that is read at once must not make old sign-ins appear new.
const DRIFT: Duration = Duration::from_millis(10);
/// Limit on open sign-ins after a drain was requested.
const DRAINING: Duration = Duration::from_secs(12);
/// A deadline further away than this breaks the protocol: the tenant sends none.
const LONGEST: Duration = Duration::from_secs(60);

/// What the caller must do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Send(FromAgent),
    /// The tenant accepted the connection.
    Welcomed {
        /// Its nodes.
        nodes: Vec<String>,
        /// Whether it sends accounts' SIDs. One of version 0.1 does not.
        by_sid: bool,
    },
    /// The tenant has other nodes now.
    Nodes(Vec<String>),
    /// Open the envelope, try the password, and pass the outcome to [`Session::settled`] before `by`.
    Validate {
        /// The sign-in.
        sign_in: Box<SignInRequest>,
        /// The deadline: the tenant does not wait longer.
        by: Instant,
    },
    /// Open the envelope, change the password, and pass the outcome to [`Session::settled`] before `by`.
    Change {
        /// The change.
        change: Box<ChangeRequest>,
        /// The deadline.
        by: Instant,
    },
    /// Close the connection; nothing comes after this.
    Close(Closing),
}

/// The outcome of a sign-in, or of a change of password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The directory answered.
    Verdict {
        /// The answer.
        verdict: DirectoryVerdict,
        /// The envelope's tag over it.
        tag: [u8; 32],
    },
    /// A change of password reached a domain controller.
    Changed {
        /// What came of it.
        outcome: ChangeOutcome,
        /// The envelope's tag over it.
        tag: [u8; 32],
    },
    /// There is no answer.
    Declined {
        /// Why.
        why: Decline,
        /// Whether a bind may have reached a domain controller.
        tried: bool,
    },
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Nothing was received for too long.
    Silent,
    /// The agent requested the drain, and no sign-in is open any more, or their time is over.
    Drained,
    /// The tenant did not introduce itself.
    NotWelcomed,
    /// The tenant stops; open sign-ins were answered.
    TenantDrains,
    /// The tenant broke the protocol.
    Breach(&'static str),
}

/// The state of one connection.
#[derive(Debug)]
pub struct Session {
    began: Instant,
    heard: Instant,
    capacity: usize,
    /// How far the agent's clock is ahead of the connection's; none before the welcome.
    ahead: Option<Duration>,
    /// Whether the tenant understands [`Decline::AtBound`].
    knows_at_bound: bool,
    /// Whether it sends SIDs, and understands [`Decline::OtherAccount`].
    by_sid: bool,
    /// The time in the tenant's latest heartbeat.
    beat: u64,
    in_hand: BTreeMap<Uuid, Instant>,
    seen: Seen,
    /// Since when no sign-in is accepted, and which end requested that.
    draining: Option<(Instant, Closing)>,
    closed: bool,
    output: VecDeque<Output>,
}

impl Session {
    /// A new connection. The hello is sent first.
    pub fn new(hello: Hello, now: Instant) -> Self {
        let capacity = usize::from(hello.capacity.clamp(1, MAX_IN_HAND));
        Self {
            began: now,
            heard: now,
            capacity,
            ahead: None,
            knows_at_bound: false,
            by_sid: false,
            beat: 0,
            in_hand: BTreeMap::new(),
            seen: Seen::default(),
            draining: None,
            closed: false,
            output: VecDeque::from([Output::Send(FromAgent::Hello(hello))]),
        }
    }

    /// Processes a message of the tenant.
    pub fn heard(&mut self, message: FromTenant, now: Instant) {
        if self.closed {
            return;
        }
        if let Some(why) = self.silent(now) {
            // The tenant has given up this connection as well: what still arrives over it is old.
            return self.close(why);
        }
        self.heard = self.heard.max(now);
        match message {
            FromTenant::Welcome(welcome) if self.ahead.is_none() => {
                self.ahead = Some(now.saturating_duration_since(self.began));
                let knows =
                    |ability| welcome.abilities.as_slice().iter().any(|name| name.as_str() == ability);
                (self.knows_at_bound, self.by_sid) = (knows(AT_BOUND), knows(BY_SID));
                let (nodes, by_sid) = (texts(&welcome.nodes).map(str::to_owned).collect(), self.by_sid);
                self.output.push_back(Output::Welcomed { nodes, by_sid });
            }
            FromTenant::Welcome(_) => self.close(Closing::Breach("a second welcome")),
            FromTenant::Unknown => {}
            FromTenant::SignIn(_)
            | FromTenant::Change(_)
            | FromTenant::Heartbeat(_)
            | FromTenant::Nodes(_)
            | FromTenant::Drain
                if self.ahead.is_none() =>
            {
                self.close(Closing::Breach("something before the welcome"));
            }
            FromTenant::SignIn(sign_in) => {
                let (request, due) = (sign_in.request, sign_in.due);
                self.received(request, due, |by| Output::Validate { sign_in, by }, now);
            }
            FromTenant::Change(change) => {
                let (request, due) = (change.request, change.due);
                self.received(request, due, |by| Output::Change { change, by }, now);
            }
            FromTenant::Heartbeat(beat) => self.beat(beat, now),
            FromTenant::Nodes(changed) => {
                self.output.push_back(Output::Nodes(texts(&changed.nodes).map(str::to_owned).collect()))
            }
            FromTenant::Drain => {
                self.draining.get_or_insert((now, Closing::TenantDrains));
                self.finish(now);
            }
        }
    }

    /// Sends the outcome of a sign-in. One that is too late, or unknown, is dropped.
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
                Settled::Changed { outcome, tag } => match Blob::new(tag) {
                    Ok(tag) => FromAgent::Changed(Box::new(ChangeAnswer { request, outcome, tag })),
                    Err(_) => return,
                },
                Settled::Declined { why, tried } => {
                    // A tenant of version 0.1 does not know these words. It asks another agent after this one as well.
                    let why = if why == Decline::AtBound && !self.knows_at_bound {
                        Decline::Overloaded
                    } else if why == Decline::OtherAccount && !self.by_sid {
                        Decline::Unopened
                    } else {
                        why
                    };
                    FromAgent::Declined(Declined { request, why, tried })
                }
            });
        }
        self.finish(now);
    }

    /// Accepts no further sign-ins; answers the open ones, then closes the connection.
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

    /// When [`Self::timeout`] must be called; none if never.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let drained = self.draining.map(|draining| self.drained_at(draining));
        let late = self.in_hand.values().min().copied();
        [Some(self.dead_at().0), drained, late].into_iter().flatten().min()
    }

    /// Drops sign-ins whose time is over, and closes a silent or drained connection.
    pub fn timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        // The tenant no longer waits for these. A bind may still run; its outcome will be dropped.
        self.in_hand.retain(|_, by| now < *by);
        match self.silent(now) {
            Some(why) => self.close(why),
            None => self.finish(now),
        }
    }

    /// How many sign-ins are open.
    pub fn in_hand(&self) -> usize {
        self.in_hand.len()
    }

    /// Hands out a request once, and in time.
    fn received(&mut self, request: Uuid, due: u64, output: impl FnOnce(Instant) -> Output, now: Instant) {
        let no = |why| FromAgent::Declined(Declined { request, why, tried: false });
        let ahead = self.ahead.unwrap_or_default();
        let by = Duration::from_millis(due).checked_add(ahead).and_then(|due| self.began.checked_add(due));
        let Some(by) = by.filter(|by| *by <= now + LONGEST) else {
            return self.close(Closing::Breach("a deadline far away"));
        };
        match self.seen.first(request, by, now) {
            First::Yes => {}
            // The outcome of the first delivery counts. An answer to this one would be taken for it.
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
        self.output.push_back(output(by));
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

    /// When the connection counts as dead unless something is received before, and why.
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

    /// When a draining connection closes, if nothing else happens. The tenant sends Drain after its last sign-in. The
    /// agent's own Drain may cross a sign-in on its way.
    fn drained_at(&self, (since, why): (Instant, Closing)) -> Instant {
        match (self.in_hand.is_empty(), why) {
            (false, _) => since + DRAINING,
            (true, Closing::Drained) if self.ahead.is_some() => since + LINGER,
            (true, _) => since,
        }
    }

    /// Closes the connection if it was to be drained and is.
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
