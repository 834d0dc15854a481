//! When the next cycle begins. Pure: time and chance are arguments.
//!
//! One cycle at a time. It begins at once when a DC has committed a change, but at most twice a second; otherwise
//! when the poll is due, or a membership ends by itself. The number by which a DC shows that it has committed something
//! moves for much that is not replicated: on a busy Windows DC all the time. So after cycles that brought nothing the
//! next change waits longer. After a failure that passes by itself it is tried soon, and later each time. After one that
//! a person must repair it is tried at the next poll, and later each time, so that a DC that refuses is not contacted
//! all day.
//! Neighbours: `read::watch` notices the change; `daemon` calls this and runs the cycle.

use landbridge_agent::backoff::Backoff;
use std::time::{Duration, Instant};

/// Least time from the beginning of one cycle to that of the next.
const GAP: Duration = Duration::from_millis(500);
/// The same after cycles in a row that a change at the DC began and that brought nothing: after the first, after the
/// second, and after each further one. One such change does not delay the next; a DC that moves all day is read four
/// times a minute.
const GAPS_OF_EMPTY: [Duration; 3] = [GAP, Duration::from_secs(5), LONGEST_GAP];
/// The last of these. A DC without a change for this long is not busy, and the row begins again.
const LONGEST_GAP: Duration = Duration::from_secs(15);
/// First and longest wait after failures that pass by themselves.
const SOON: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The longest wait after a failure that a person must repair.
const LATEST: Duration = Duration::from_secs(30 * 60);

/// `[schedule]` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A cycle begins at least this often.
    pub poll: Duration,
    /// Least time between the beginnings of two cycles that changes at the DC, or ends of memberships, begin.
    pub least: Duration,
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
    /// The tenant has everything. `brought`: the DC sent changes, or the tenant received something.
    Complete {
        /// Whether the cycle was of use.
        brought: bool,
    },
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
    /// When the last cycle began.
    began: Option<Instant>,
    /// A DC has committed a change since then.
    moved: bool,
    /// A cycle is due whatever the ones before brought.
    urgent: bool,
    /// When the next membership ends by itself.
    ending: Option<Instant>,
    /// The last cycle began because of a change alone.
    by_change: bool,
    /// How many such cycles in a row brought nothing.
    empty: usize,
    /// After a failure: only time counts then, not changes at a DC.
    failing: Option<(Ended, Backoff)>,
}

impl Schedule {
    /// The first cycle is due at once. `compared`: how long ago the last full compare was, if that is known.
    pub fn new(rules: Rules, compared: Option<Duration>, now: Instant) -> Self {
        let left = |every: Duration| compared.map_or(every, |ago| every.saturating_sub(ago));
        let full_at = rules.full.map(|every| now + left(every));
        Self {
            rules,
            next: now,
            full_at,
            began: None,
            moved: false,
            urgent: false,
            ending: None,
            by_change: false,
            empty: 0,
            failing: None,
        }
    }

    /// The configuration changed: a cycle is due at once.
    pub fn set(&mut self, rules: Rules, now: Instant) {
        self.full_at = rules.full.map(|every| self.full_at.map_or(now + every, |at| at.min(now + every)));
        self.rules = rules;
        self.failing = None;
        self.empty = 0;
        self.next = now;
    }

    /// A DC has committed a change.
    pub fn moved(&mut self, now: Instant) {
        if !self.moved && self.began.is_none_or(|began| now >= began + LONGEST_GAP) {
            self.empty = 0;
        }
        self.moved = true;
    }

    /// Another DC was read: what moved the one before says nothing about this one.
    pub fn other_controller(&mut self) {
        self.empty = 0;
    }

    /// A cycle is due that no row of empty ones delays: more is known to wait, or an administrator has confirmed.
    pub fn hurry(&mut self) {
        self.urgent = true;
    }

    /// When the next membership ends by itself; none: none does.
    pub fn set_ending(&mut self, at: Option<Instant>) {
        self.ending = at;
    }

    /// When the next cycle begins, as far as is known.
    pub fn due(&self) -> Instant {
        if self.failing.is_some() {
            return self.next;
        }
        let after = |gap: Duration| self.began.map_or(self.next, |began| began + gap);
        let least = GAP.max(self.rules.least);
        let row = self.empty.checked_sub(1).map_or(GAP, |at| *GAPS_OF_EMPTY.get(at).unwrap_or(&LONGEST_GAP));
        let urgent = self.urgent.then(|| after(GAP));
        let moved = self.moved.then(|| after(row.max(least)));
        let ending = self.ending.map(|ending| ending.max(after(least)));
        [urgent, moved, ending].into_iter().flatten().fold(self.timer(), Instant::min)
    }

    fn timer(&self) -> Instant {
        self.full_at.map_or(self.next, |full| full.min(self.next))
    }

    /// The cycle that begins now, if one does.
    pub fn begin(&mut self, now: Instant) -> Option<Work> {
        if now < self.due() {
            return None;
        }
        self.by_change = self.moved && !self.urgent && now < self.timer();
        (self.moved, self.urgent, self.began) = (false, false, Some(now));
        Some(if self.full_at.is_some_and(|at| at <= now) { Work::All } else { Work::Changes })
    }

    /// A cycle ended. `compared`: it was a full compare.
    pub fn ended(&mut self, how: Ended, compared: bool, now: Instant, chance: f64) {
        let (first, longest) = match how {
            Ended::Complete { brought } => {
                self.failing = None;
                self.next = now + self.rules.poll;
                if compared {
                    self.full_at = self.rules.full.map(|every| now + every);
                }
                // A cycle that the timer began says nothing about what moves the DC.
                self.empty = match (brought, self.by_change) {
                    (true, _) => 0,
                    (false, true) => self.empty + 1,
                    (false, false) => self.empty,
                };
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

    const RULES: Rules = Rules { poll: POLL, least: Duration::ZERO, full: Some(DAY) };
    const USEFUL: Ended = Ended::Complete { brought: true };
    const EMPTY: Ended = Ended::Complete { brought: false };

    fn schedule(now: Instant) -> Schedule {
        Schedule::new(RULES, None, now)
    }

    /// A domain controller whose number moves with every look, twice a second, and of which every so many cycles bring
    /// something. Returns the waits from the beginning of one cycle to that of the next, in milliseconds.
    fn waits(rules: Rules, seconds: u64, useful: impl Fn(usize) -> bool) -> Vec<u128> {
        let begin = Instant::now();
        let mut schedule = Schedule::new(rules, None, begin);
        let mut cycles: Vec<Instant> = Vec::new();
        for look in 0..2 * seconds {
            let now = begin + Duration::from_millis(500 * look);
            schedule.moved(now);
            if schedule.begin(now).is_some() {
                let brought = useful(cycles.len());
                cycles.push(now);
                schedule.ended(Ended::Complete { brought }, false, now, 0.0);
            }
        }
        cycles.windows(2).filter_map(|two| Some((*two.last()? - *two.first()?).as_millis())).collect()
    }

    #[test]
    fn the_first_cycle_begins_at_once_and_the_next_with_the_poll() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        assert_eq!(schedule.begin(now), Some(Work::Changes));
        schedule.ended(USEFUL, true, now + second(3), 1.0);
        assert_eq!(schedule.due(), now + second(123));
        assert_eq!(schedule.begin(now + second(122)), None);
        assert_eq!(schedule.begin(now + second(123)), Some(Work::Changes));
    }

    #[test]
    fn a_dc_that_changes_all_the_time_is_read_twice_a_second() {
        let waits = waits(RULES, 10, |_| true);
        assert_eq!(waits, [500; 19]);
    }

    #[test]
    fn a_dc_that_moves_all_the_time_for_nothing_is_read_four_times_a_minute() {
        // The first cycle is not by a change.
        let waits = waits(RULES, 3600, |_| false);
        assert_eq!(waits.get(..4), Some(&[500, 500, 5_000, 15_000][..]));
        assert!(waits.iter().skip(3).all(|wait| *wait == 15_000), "{waits:?}");
        assert_eq!(waits.len() + 1, 243, "in an hour");
    }

    #[test]
    fn after_a_cycle_that_brought_something_the_next_change_is_read_at_once_again() {
        let waits = waits(RULES, 120, |cycle| cycle == 6);
        let expected = [500, 500, 5_000, 15_000, 15_000, 15_000, 500, 500, 5_000, 15_000];
        assert_eq!(waits.get(..10), Some(&expected[..]));
    }

    #[test]
    fn the_configured_least_time_holds_for_changes_and_ends_of_memberships_and_not_for_an_administrator() {
        let rules = Rules { least: second(20), ..RULES };
        for useful in [true, false] {
            assert!(waits(rules, 600, |_| useful).iter().all(|wait| *wait == 20_000));
        }
        let now = Instant::now();
        let mut schedule = Schedule::new(rules, None, now);
        schedule.begin(now).unwrap();
        schedule.ended(USEFUL, false, now, 0.0);
        schedule.set_ending(Some(now + second(3)));
        assert_eq!(schedule.due(), now + second(20));
        schedule.hurry();
        assert_eq!(schedule.due(), now + GAP);
    }

    #[test]
    fn the_first_change_after_a_quiet_time_is_read_at_once_and_the_next_soon() {
        let mut now = Instant::now();
        let mut schedule = schedule(now);
        schedule.begin(now).unwrap();
        schedule.ended(EMPTY, false, now, 0.0);
        // Busy: the row is at its end.
        for _ in 0..6 {
            schedule.moved(now);
            now = schedule.due();
            schedule.begin(now).unwrap();
            schedule.ended(EMPTY, false, now, 0.0);
        }
        schedule.moved(now);
        assert_eq!(schedule.due(), now + second(15));
        now = schedule.due();
        schedule.begin(now).unwrap();
        schedule.ended(EMPTY, false, now, 0.0);
        // Quiet for as long as the longest wait.
        now += second(15);
        schedule.moved(now);
        assert_eq!(schedule.begin(now), Some(Work::Changes));
        schedule.ended(EMPTY, false, now, 0.0);
        schedule.moved(now);
        assert_eq!(schedule.due(), now + GAP);
    }

    #[test]
    fn the_first_change_at_another_dc_is_read_at_once_however_busy_the_one_before_was() {
        let mut now = Instant::now();
        let mut schedule = schedule(now);
        for _ in 0..6 {
            schedule.begin(now).unwrap();
            schedule.ended(EMPTY, false, now, 0.0);
            schedule.moved(now);
            now = schedule.due();
        }
        schedule.begin(now).unwrap();
        schedule.ended(EMPTY, false, now, 0.0);
        schedule.other_controller();
        schedule.moved(now);
        assert_eq!(schedule.due(), now + GAP);
    }

    #[test]
    fn the_timer_neither_waits_for_a_row_of_empty_cycles_nor_makes_one() {
        let mut now = Instant::now();
        let mut schedule = Schedule::new(Rules { poll: second(5), ..RULES }, None, now);
        for _ in 0..20 {
            schedule.begin(now).unwrap();
            schedule.ended(EMPTY, false, now, 0.0);
            assert_eq!(schedule.due(), now + second(5));
            now = schedule.due();
        }
        let since = now - second(1);
        schedule.moved(since);
        assert!(schedule.begin(since).is_some(), "a second before the next poll");
    }

    #[test]
    fn a_membership_that_ends_begins_a_cycle_also_when_nothing_else_does() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        schedule.begin(now).unwrap();
        schedule.ended(EMPTY, false, now, 0.0);
        schedule.set_ending(Some(now + second(42)));
        assert_eq!((schedule.due(), schedule.begin(now + second(41))), (now + second(42), None));
        assert_eq!(schedule.begin(now + second(42)), Some(Work::Changes));
        schedule.ended(USEFUL, false, now + second(42), 0.0);
        schedule.set_ending(None);
        assert_eq!(schedule.due(), now + second(162));
        // While cycles fail, only time counts.
        schedule.begin(now + second(162)).unwrap();
        schedule.ended(Ended::Later, false, now + second(162), 1.0);
        schedule.set_ending(Some(now + second(163)));
        assert_eq!(schedule.due(), now + second(282));
    }

    #[test]
    fn all_is_compared_when_its_time_has_come_also_after_a_restart() {
        let now = Instant::now();
        let mut schedule = Schedule::new(RULES, Some(DAY - second(60)), now);
        assert_eq!(schedule.begin(now), Some(Work::Changes));
        schedule.ended(USEFUL, false, now, 0.0);
        assert_eq!(schedule.due(), now + second(60));
        assert_eq!(schedule.begin(now + second(60)), Some(Work::All));
        schedule.ended(USEFUL, true, now + second(61), 0.0);
        assert_eq!(schedule.due(), now + second(181));
        assert_eq!(schedule.begin(now + second(181)), Some(Work::Changes));
    }

    #[test]
    fn where_it_is_not_known_when_all_was_compared_it_is_one_period_later() {
        let now = Instant::now();
        let mut schedule = schedule(now);
        schedule.begin(now).unwrap();
        schedule.ended(USEFUL, false, now + DAY - second(10), 1.0);
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
            schedule.moved(at);
            waits.push((schedule.due() - at).as_secs());
            at = schedule.due();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        schedule.begin(at).unwrap();
        schedule.ended(USEFUL, false, at, 1.0);
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
            schedule.moved(at);
            waits.push((schedule.due() - at).as_secs());
            at = schedule.due();
        }
        assert_eq!(waits, [120, 240, 480, 960, 1800, 1800]);
        // A changed configuration is tried at once.
        schedule.set(Rules { full: None, ..RULES }, at);
        assert_eq!(schedule.begin(at), Some(Work::Changes));
    }
}
