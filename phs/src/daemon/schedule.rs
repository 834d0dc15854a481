//! When the next cycle begins. Pure: time and chance are arguments.
//!
//! One cycle at a time. It begins at once when a DC has committed a change, but at most twice a second; otherwise
//! when the poll is due. After a failure that passes by itself it is tried soon, and later each time. After one that
//! a person must repair it is tried at the next poll, and later each time, so that a DC that refuses is not contacted
//! all day.
//! Neighbours: `read::watch` notices the change; `daemon` calls this and runs the cycle.

use landbridge_agent::backoff::Backoff;
use std::time::{Duration, Instant};

/// Least time from the beginning of one cycle to that of the next.
const GAP: Duration = Duration::from_millis(500);
/// First and longest wait after failures that pass by themselves.
const SOON: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The longest wait after a failure that a person must repair.
const LATEST: Duration = Duration::from_secs(30 * 60);

/// `[schedule]` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A cycle begins at least this often.
    pub poll: Duration,
    /// A full compare begins this often; none: only when it is necessary.
    pub full: Option<Duration>,
}

/// The cycle that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It reads what changed.
    Changes,
    /// It compares everything.
    All,
}

/// How a cycle ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The tenant has everything.
    Complete,
    /// It failed, and the cause passes by itself.
    Soon,
    /// It failed, and a person must act.
    Later,
}

/// When the next cycle begins.
#[derive(Debug)]
pub struct Schedule {
    rules: Rules,
    next: Instant,
    full_at: Option<Instant>,
    moved: bool,
    /// No cycle begins before this.
    earliest: Instant,
    /// After a failure: only time counts then, not changes at a DC.
    failing: Option<(Ended, Backoff)>,
}

impl Schedule {
    /// The first cycle is due at once. `compared`: how long ago the last full compare was, if that is known.
    pub fn new(rules: Rules, compared: Option<Duration>, now: Instant) -> Self {
        let left = |every: Duration| compared.map_or(every, |ago| every.saturating_sub(ago));
        let full_at = rules.full.map(|every| now + left(every));
        Self { rules, next: now, full_at, moved: false, earliest: now, failing: None }
    }

    /// The configuration changed: a cycle is due at once.
    pub fn set(&mut self, rules: Rules, now: Instant) {
        self.full_at = rules.full.map(|every| self.full_at.map_or(now + every, |at| at.min(now + every)));
        self.rules = rules;
        self.failing = None;
        self.next = now;
    }

    /// A DC has committed a change.
    pub fn moved(&mut self) {
        self.moved = true;
    }

    /// When the next cycle begins, as far as is known.
    pub fn due(&self) -> Instant {
        if self.failing.is_some() {
            return self.next;
        }
        let timer = self.full_at.map_or(self.next, |full| full.min(self.next));
        if self.moved { self.earliest.min(timer) } else { timer }
    }

    /// The cycle that begins now, if one does.
    pub fn begin(&mut self, now: Instant) -> Option<Work> {
        if now < self.due() {
            return None;
        }
        self.moved = false;
        self.earliest = now + GAP;
        Some(if self.full_at.is_some_and(|at| at <= now) { Work::All } else { Work::Changes })
    }

    /// A cycle ended. `compared`: it was a full compare.
    pub fn ended(&mut self, how: Ended, compared: bool, now: Instant, chance: f64) {
        let (first, longest) = match how {
            Ended::Complete => {
                self.failing = None;
                self.next = now + self.rules.poll;
                if compared {
                    self.full_at = self.rules.full.map(|every| now + every);
                }
                return;
            }
            Ended::Soon => SOON,
            Ended::Later => (self.rules.poll, LATEST.max(self.rules.poll)),
        };
        let (_, backoff) = match &mut self.failing {
            Some(failing) if failing.0 == how => failing,
            failing => failing.insert((how, Backoff::new(first, longest, u32::MAX))),
        };
        self.next = now + backoff.wait(chance, None).unwrap_or(longest);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const POLL: Duration = Duration::from_secs(120);
    const DAY: Duration = Duration::from_secs(86_400);

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn schedule(now: Instant) -> Schedule {
        Schedule::new(Rules { poll: POLL, full: Some(DAY) }, None, now)
    }

    #[test]
    fn the_first_cycle_begins_at_once_and_the_next_with_the_poll() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        assert_eq!(schedule.begin(now), Some(Work::Changes));
        schedule.ended(Ended::Complete, true, now + second(3), 1.0);
        assert_eq!(schedule.due(), now + second(123));
        assert_eq!(schedule.begin(now + second(122)), None);
        assert_eq!(schedule.begin(now + second(123)), Some(Work::Changes));
    }

    #[test]
    fn a_dc_that_moves_all_the_time_is_read_twice_a_second() {
        let mut now = Instant::now();
        let mut schedule = schedule(now);
        let mut cycles = 0;
        for _ in 0..1000 {
            schedule.moved();
            if schedule.begin(now).is_some() {
                cycles += 1;
                schedule.ended(Ended::Complete, false, now, 0.0);
            }
            now += Duration::from_millis(10);
        }
        assert_eq!(cycles, 20);
    }

    #[test]
    fn all_is_compared_when_its_time_has_come_also_after_a_restart() {
        let now = Instant::now();
        let mut schedule = Schedule::new(Rules { poll: POLL, full: Some(DAY) }, Some(DAY - second(60)), now);
        assert_eq!(schedule.begin(now), Some(Work::Changes));
        schedule.ended(Ended::Complete, false, now, 0.0);
        assert_eq!(schedule.due(), now + second(60));
        assert_eq!(schedule.begin(now + second(60)), Some(Work::All));
        schedule.ended(Ended::Complete, true, now + second(61), 0.0);
        assert_eq!(schedule.due(), now + second(181));
        assert_eq!(schedule.begin(now + second(181)), Some(Work::Changes));
    }

    #[test]
    fn where_it_is_not_known_when_all_was_compared_it_is_one_period_later() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        schedule.begin(now).unwrap();
        schedule.ended(Ended::Complete, false, now + DAY - second(10), 1.0);
        assert_eq!(schedule.due(), now + DAY);
        assert_eq!(schedule.begin(now + DAY), Some(Work::All));
    }

    #[test]
    fn what_passes_by_itself_is_tried_soon_and_later_each_time_whatever_the_dc_says() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        let mut waits = Vec::new();
        let mut at = now;
        for _ in 0..7 {
            assert!(schedule.begin(at).is_some());
            schedule.ended(Ended::Soon, false, at, 1.0);
            schedule.moved();
            waits.push((schedule.due() - at).as_secs());
            at = schedule.due();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        schedule.begin(at).unwrap();
        schedule.ended(Ended::Complete, false, at, 1.0);
        assert_eq!(schedule.due(), at + POLL);
    }

    #[test]
    fn what_somebody_must_mend_waits_for_the_poll_and_longer_each_time() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        let mut waits = Vec::new();
        let mut at = now;
        for _ in 0..6 {
            schedule.begin(at).unwrap();
            schedule.ended(Ended::Later, false, at, 1.0);
            schedule.moved();
            waits.push((schedule.due() - at).as_secs());
            at = schedule.due();
        }
        assert_eq!(waits, [120, 240, 480, 960, 1800, 1800]);
        // A changed configuration is tried at once.
        schedule.set(Rules { poll: POLL, full: None }, at);
        assert_eq!(schedule.begin(at), Some(Work::Changes));
    }
}
