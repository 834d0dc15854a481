//! The state of one link: its age, its deliveries, its message allowance, whether its agent responds.
//! Neighbours: [`super::Relay`] has one for each link; [`super::deliver`] compares them.

use super::{Closed, Facts};
use landbridge_wire::change::CHANGE_PASSWORD;
use landbridge_wire::signin::{BY_SID, HEARTBEAT, Heartbeat, Hello, MAX_IN_HAND, SILENCE};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Limit on the time before an agent's hello. It sends one immediately, so 5 s allows for a slow network.
const HELLO: Duration = Duration::from_secs(5);
/// How long an agent that reached no DC comes after the others: short, so that it is tried again soon after it has
/// recovered.
const NO_DIRECTORY_PAUSE: Duration = Duration::from_secs(1);
/// Messages that an agent may send before the first heartbeat: its hello, and what a newer version adds.
const MESSAGES_AT_START: u32 = 16;
/// Messages that an agent may send for each delivery: one answer, and one more that is too late.
const MESSAGES_PER_DELIVERY: u32 = 2;
/// Messages that an agent may send for each heartbeat: the heartbeat back, pings, and what a newer version adds.
const MESSAGES_PER_HEARTBEAT: u32 = 8;
/// Limit on the allowance: twice what a full load of deliveries gives, so that a quiet agent cannot save up a flood.
const MAX_ALLOWED_MESSAGES: u32 = 2 * MAX_IN_HAND as u32 * MESSAGES_PER_DELIVERY;
/// Seconds that an agent is assumed to need before it has answered anything: a bind on a local network.
const FIRST_LATENCY: f64 = 0.005;

/// One link of an agent.
#[derive(Debug)]
pub(super) struct RelayLine {
    pub(super) facts: Facts,
    began: Instant,
    /// When the hello arrived, which is the zero of the connection's clock. None: before the hello.
    pub(super) welcomed: Option<Instant>,
    pub(super) last_message: Instant,
    /// A time at which the agent was certainly alive: when the link began, or when the tenant sent the last heartbeat
    /// that the agent has returned.
    pub(super) alive_at: Instant,
    next_beat: Instant,
    pub(super) connection: Uuid,
    pub(super) instance: Uuid,
    capacity: usize,
    /// Whether the agent accepts the account's SID beside its objectGUID. One of version 0.1 does not.
    pub(super) by_sid: bool,
    /// Whether the agent changes passwords.
    pub(super) changes_passwords: bool,
    /// Messages that the agent may still send. Each message to the agent adds some, so that no agent keeps the tenant
    /// busy.
    allowed: u32,
    pub(super) in_hand: usize,
    latency: f64,
    pub(super) draining: bool,
    /// When the agent last reached no DC.
    no_directory_at: Option<Instant>,
}

impl RelayLine {
    /// A link before its hello.
    pub(super) fn new(facts: Facts, now: Instant) -> Self {
        Self {
            facts,
            began: now,
            welcomed: None,
            last_message: now,
            alive_at: now,
            next_beat: now,
            connection: Uuid::nil(),
            instance: Uuid::nil(),
            capacity: 0,
            by_sid: false,
            changes_passwords: false,
            allowed: MESSAGES_AT_START,
            in_hand: 0,
            latency: FIRST_LATENCY,
            draining: false,
            no_directory_at: None,
        }
    }

    /// Stores the facts of the agent's hello and starts the heartbeats.
    pub(super) fn welcome(&mut self, hello: &Hello, now: Instant) {
        self.welcomed = Some(now);
        self.next_beat = now + Duration::from_millis(HEARTBEAT);
        self.connection = hello.connection;
        self.instance = hello.instance;
        self.capacity = usize::from(hello.capacity.clamp(1, MAX_IN_HAND));
        let has = |ability| hello.abilities.as_slice().iter().any(|name| name.as_str() == ability);
        self.by_sid = has(BY_SID);
        self.changes_passwords = has(CHANGE_PASSWORD);
    }

    /// Notes a heartbeat that the agent returned. An agent that returns an older one appears less alive than it is,
    /// which helps nobody: a link whose process was superseded is then closed as late.
    pub(super) fn note_beat(&mut self, beat: Heartbeat, now: Instant) {
        let sent = self.welcomed.and_then(|zero| zero.checked_add(Duration::from_millis(beat.at)));
        if let Some(sent) = sent.filter(|sent| *sent <= now) {
            self.alive_at = self.alive_at.max(sent);
        }
    }

    /// Subtracts one message from the allowance. False: the agent sends more than it may.
    pub(super) fn allows_message(&mut self) -> bool {
        let left = self.allowed.checked_sub(1);
        self.allowed = left.unwrap_or(0);
        left.is_some()
    }

    /// Adds to the message allowance.
    fn allow(&mut self, more: u32) {
        self.allowed = self.allowed.saturating_add(more).min(MAX_ALLOWED_MESSAGES);
    }

    /// Notes that a delivery was sent over the link, and allows the agent to answer it.
    pub(super) fn note_delivery(&mut self) {
        self.in_hand += 1;
        self.allow(MESSAGES_PER_DELIVERY);
    }

    /// Whether deliveries may be sent over the link, if it has capacity.
    pub(super) fn accepts_deliveries(&self, now: Instant) -> bool {
        self.welcomed.is_some() && !self.draining && now < self.facts.until
    }

    /// Whether the agent is likely to answer: no heartbeat is missing, and it did not decline just now because it
    /// reached no DC. An agent that declines is quick, and would be preferred for its latency.
    pub(super) fn is_responsive(&self, now: Instant) -> bool {
        now < self.last_message + Duration::from_millis(HEARTBEAT + HEARTBEAT / 2)
            && self.no_directory_at.is_none_or(|since| now >= since + NO_DIRECTORY_PAUSE)
    }

    /// Notes that the agent reached no DC.
    pub(super) fn note_no_directory(&mut self, now: Instant) {
        self.no_directory_at = Some(now);
    }

    /// Whether the agent can have one more delivery.
    pub(super) fn has_capacity(&self) -> bool {
        self.in_hand < self.capacity
    }

    /// About how long one more delivery would take on this link, in seconds. The link with the smaller weight is
    /// chosen.
    pub(super) fn weight(&self) -> f64 {
        let ahead = u32::try_from(self.in_hand.saturating_add(1)).unwrap_or(u32::MAX);
        self.latency * f64::from(ahead)
    }

    /// Adds a measured time to the smoothed latency.
    pub(super) fn note_latency(&mut self, time: Duration) {
        self.latency = (self.latency * 7.0 + time.as_secs_f64().clamp(0.0001, 10.0)) / 8.0;
    }

    /// The smoothed latency.
    pub(super) fn latency(&self) -> Duration {
        Duration::from_secs_f64(self.latency)
    }

    /// A time on the connection's clock: milliseconds since the hello.
    pub(super) fn clock(&self, at: Instant) -> u64 {
        let since = self.welcomed.map_or(Duration::ZERO, |zero| at.saturating_duration_since(zero));
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The heartbeat to send at `now`, if one is due.
    pub(super) fn beat(&mut self, now: Instant) -> Option<Heartbeat> {
        if self.welcomed.is_none() || now < self.next_beat {
            return None;
        }
        self.next_beat = now + Duration::from_millis(HEARTBEAT);
        self.allow(MESSAGES_PER_HEARTBEAT);
        Some(Heartbeat { at: self.clock(now) })
    }

    /// The reason to close the link at `now`, if there is one.
    pub(super) fn closing_reason(&self, now: Instant) -> Option<Closed> {
        if self.welcomed.is_none() {
            return (now >= self.began + HELLO).then_some(Closed::NoHello);
        }
        if now >= self.last_message + Duration::from_millis(SILENCE) {
            return Some(Closed::Silent);
        }
        (now >= self.facts.until && self.in_hand == 0).then_some(Closed::CertificateOver)
    }

    /// When the link next needs a heartbeat or must be closed.
    pub(super) fn due(&self) -> Instant {
        if self.welcomed.is_none() {
            return self.began + HELLO;
        }
        // A certificate's end is noticed with the next heartbeat.
        self.next_beat.min(self.last_message + Duration::from_millis(SILENCE))
    }
}
