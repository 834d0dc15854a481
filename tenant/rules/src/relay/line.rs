//! One link: since when, how much is in its hand, whether it is alive.

use super::{Closed, Facts};
use landbridge_wire::signin::{HEARTBEAT, Heartbeat, Hello, MAX_IN_HAND, SILENCE};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// An agent introduces itself within this.
const HELLO: Duration = Duration::from_secs(5);
/// An agent without a directory is asked last for so long.
const NO_DIRECTORY_PAUSE: Duration = Duration::from_secs(1);
/// So many messages an agent may say unasked before the first heartbeat: its hello, and what a newer one adds.
const MESSAGES_AT_START: u32 = 16;
/// An ask may be answered once, and once again too late.
const MESSAGES_PER_DELIVERY: u32 = 2;
/// A heartbeat is sent back; the rest is for pings, and for messages that a newer agent adds.
const MESSAGES_PER_HEARTBEAT: u32 = 8;
/// What was not said is not saved up beyond this.
const MAX_ALLOWED_MESSAGES: u32 = 2 * MAX_IN_HAND as u32 * MESSAGES_PER_DELIVERY;
/// What an agent is thought to take before it has answered anything, in seconds.
const FIRST_LATENCY: f64 = 0.005;

#[derive(Debug)]
pub(super) struct RelayLine {
    pub(super) facts: Facts,
    began: Instant,
    /// The zero of the connection's clock; none before the hello.
    pub(super) welcomed: Option<Instant>,
    pub(super) last_message: Instant,
    next_beat: Instant,
    pub(super) connection: Uuid,
    pub(super) instance: Uuid,
    capacity: usize,
    /// So many messages it may still say: each that is sent to it allows some, so that none can keep the tenant busy.
    allowed: u32,
    pub(super) in_hand: usize,
    latency: f64,
    pub(super) draining: bool,
    /// When it last had no directory.
    no_directory_at: Option<Instant>,
}

impl RelayLine {
    pub(super) fn new(facts: Facts, now: Instant) -> Self {
        Self {
            facts,
            began: now,
            welcomed: None,
            last_message: now,
            next_beat: now,
            connection: Uuid::nil(),
            instance: Uuid::nil(),
            capacity: 0,
            allowed: MESSAGES_AT_START,
            in_hand: 0,
            latency: FIRST_LATENCY,
            draining: false,
            no_directory_at: None,
        }
    }

    pub(super) fn welcome(&mut self, hello: &Hello, now: Instant) {
        self.welcomed = Some(now);
        self.next_beat = now + Duration::from_millis(HEARTBEAT);
        self.connection = hello.connection;
        self.instance = hello.instance;
        self.capacity = usize::from(hello.capacity.clamp(1, MAX_IN_HAND));
    }

    /// Takes one message off what it may say; false: it says more than it may.
    pub(super) fn allows_message(&mut self) -> bool {
        let left = self.allowed.checked_sub(1);
        self.allowed = left.unwrap_or(0);
        left.is_some()
    }

    fn allow(&mut self, more: u32) {
        self.allowed = self.allowed.saturating_add(more).min(MAX_ALLOWED_MESSAGES);
    }

    /// Something was asked over it.
    pub(super) fn note_delivery(&mut self) {
        self.in_hand += 1;
        self.allow(MESSAGES_PER_DELIVERY);
    }

    /// Whether it takes asks at all, however much is in its hand.
    pub(super) fn accepts_deliveries(&self, now: Instant) -> bool {
        self.welcomed.is_some() && !self.draining && now < self.facts.until
    }

    /// Whether it can be hoped to answer: no heartbeat is missing, and it did not just say that it has no directory.
    /// Such an agent declines quickly and would look like the best one.
    pub(super) fn is_responsive(&self, now: Instant) -> bool {
        now < self.last_message + Duration::from_millis(HEARTBEAT + HEARTBEAT / 2)
            && self.no_directory_at.is_none_or(|since| now >= since + NO_DIRECTORY_PAUSE)
    }

    pub(super) fn note_no_directory(&mut self, now: Instant) {
        self.no_directory_at = Some(now);
    }

    pub(super) fn has_capacity(&self) -> bool {
        self.in_hand < self.capacity
    }

    /// How long one more would take here, about: what is compared when two links are weighed.
    pub(super) fn weight(&self) -> f64 {
        let ahead = u32::try_from(self.in_hand.saturating_add(1)).unwrap_or(u32::MAX);
        self.latency * f64::from(ahead)
    }

    pub(super) fn note_latency(&mut self, time: Duration) {
        self.latency = (self.latency * 7.0 + time.as_secs_f64().clamp(0.0001, 10.0)) / 8.0;
    }

    pub(super) fn latency(&self) -> Duration {
        Duration::from_secs_f64(self.latency)
    }

    /// The connection's clock, in milliseconds.
    pub(super) fn clock(&self, at: Instant) -> u64 {
        let since = self.welcomed.map_or(Duration::ZERO, |zero| at.saturating_duration_since(zero));
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn beat(&mut self, now: Instant) -> Option<Heartbeat> {
        if self.welcomed.is_none() || now < self.next_beat {
            return None;
        }
        self.next_beat = now + Duration::from_millis(HEARTBEAT);
        self.allow(MESSAGES_PER_HEARTBEAT);
        Some(Heartbeat { at: self.clock(now) })
    }

    /// Why it is over at `now`, if it is.
    pub(super) fn closing_reason(&self, now: Instant) -> Option<Closed> {
        if self.welcomed.is_none() {
            return (now >= self.began + HELLO).then_some(Closed::NoHello);
        }
        if now >= self.last_message + Duration::from_millis(SILENCE) {
            return Some(Closed::Silent);
        }
        (now >= self.facts.until && self.in_hand == 0).then_some(Closed::CertificateOver)
    }

    /// When there is something to do for it.
    pub(super) fn due(&self) -> Instant {
        if self.welcomed.is_none() {
            return self.began + HELLO;
        }
        // A certificate's end is noticed with the next heartbeat.
        self.next_beat.min(self.last_message + Duration::from_millis(SILENCE))
    }
}
