//! A simulation of sign-ins that pass limits and servers in line. It goes from event to event: an arrival, or the end of a
//! service. Times are whole nanoseconds, and chance comes from a seed, so a simulation can be repeated.
//!
//! Every queue is first come, first served. A sign-in keeps its place at a limit until it leaves the line, and a server for
//! its service alone. Where the wait at a limit is too long, or its queue is full, the sign-in is refused.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

/// A time since the begin, or a duration.
pub(super) type Nanoseconds = u64;

pub(super) const SECOND: Nanoseconds = 1_000_000_000;

pub(super) fn nanoseconds(seconds: f64) -> Nanoseconds {
    (seconds * SECOND as f64) as Nanoseconds
}

/// Chance from a seed: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Above 0 and at most 1, each as likely.
    pub(super) fn share(&mut self) -> f64 {
        ((self.roll() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Exponentially distributed around this mean.
    fn exponential(&mut self, mean: f64) -> f64 {
        -self.share().ln() * mean
    }
}

/// Arrivals that do not depend on each other, at this mean rate, until this time.
pub(super) fn independent_arrivals(
    per_second: f64,
    until: Nanoseconds,
    mut dice: Dice,
) -> impl Iterator<Item = Nanoseconds> {
    let mut now = 0.0;
    std::iter::from_fn(move || {
        now += dice.exponential(1.0 / per_second);
        Some(nanoseconds(now)).filter(|now| *now < until)
    })
}

/// A limit on the sign-ins that have passed it and have not left the line.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    /// The reason of a refusal here. Unused at a limit that never refuses: without an end of its queue and of the wait.
    pub(super) refusal: &'static str,
    pub(super) places: usize,
    /// Limit on sign-ins that wait for a place.
    pub(super) waiting: usize,
    /// The longest wait for a place. None: there is no limit.
    pub(super) patience: Option<Nanoseconds>,
}

/// Servers of one kind, with one queue before them.
#[derive(Debug, Clone)]
pub(super) struct Station {
    pub(super) name: &'static str,
    pub(super) servers: usize,
    /// Mean time of a service.
    pub(super) service: Nanoseconds,
    /// Whether each service has that time. Otherwise they are exponentially distributed.
    pub(super) is_constant: bool,
}

/// What a sign-in passes, in order.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Limit(Limit),
    Station(Station),
}

/// The outcome of the sign-ins that arrived in the time that counts.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    /// Number of them.
    pub(super) arrived: usize,
    /// For each station, the share of its servers' time in which they serve, in the time that counts.
    pub(super) in_use: Vec<(&'static str, f64)>,
    /// For each limit that can refuse, the share of sign-ins that it refuses.
    pub(super) refused: Vec<(&'static str, f64)>,
    /// For each other sign-in, the time from its arrival until it leaves the line, the shortest first.
    pub(super) times: Vec<Nanoseconds>,
}

impl Outcome {
    /// The time within which this share of the sign-ins leave the line, in milliseconds. Not a number if all are refused.
    pub(super) fn milliseconds(&self, share: f64) -> f64 {
        let at = (self.times.len().saturating_sub(1) as f64 * share) as usize;
        self.times.get(at).map_or(f64::NAN, |time| *time as f64 * 1e3 / SECOND as f64)
    }
}

/// A sign-in in the queue of a step.
#[derive(Clone, Copy)]
struct Waiting {
    /// When it arrived in the line, and at this step.
    arrived: Nanoseconds,
    since: Nanoseconds,
}

/// One step at the current time.
#[derive(Default)]
struct State {
    /// Places or servers in use.
    used: usize,
    queue: VecDeque<Waiting>,
    /// Of the sign-ins that count, how many were refused.
    refused: usize,
    /// The part of the time that counts in which servers serve, the sum over all servers.
    served: Nanoseconds,
}

struct Simulation<'a> {
    line: &'a [Step],
    states: Vec<State>,
    dice: Dice,
    counted: Range<Nanoseconds>,
    /// For each service its end, its step, and the arrival of its sign-in.
    ends: BinaryHeap<Reverse<(Nanoseconds, usize, Nanoseconds)>>,
    /// Sign-ins that go on at a step now, by their arrivals.
    moving: VecDeque<(usize, Nanoseconds)>,
    arrived: usize,
    times: Vec<Nanoseconds>,
}

/// Simulates the line until all of these sign-ins, which arrive in the order of time, have left it or are refused. What
/// arrives or is served within `counted` counts.
pub(super) fn simulate(
    line: &[Step],
    arrivals: impl IntoIterator<Item = Nanoseconds>,
    counted: Range<Nanoseconds>,
    dice: Dice,
) -> Outcome {
    let mut simulation = Simulation {
        line,
        states: line.iter().map(|_| State::default()).collect(),
        dice,
        counted,
        ends: BinaryHeap::new(),
        moving: VecDeque::new(),
        arrived: 0,
        times: Vec::new(),
    };
    let mut arrivals = arrivals.into_iter().peekable();
    loop {
        // 1. The next event.
        let end = simulation.ends.peek().map(|Reverse((time, ..))| *time);
        let now = if let Some(arrival) = arrivals.next_if(|arrival| end.is_none_or(|end| *arrival < end)) {
            simulation.arrived += usize::from(simulation.counted.contains(&arrival));
            simulation.moving.push_back((0, arrival));
            arrival
        } else if let Some(Reverse((end, at, arrived))) = simulation.ends.pop() {
            simulation.end_service(at, arrived, end);
            end
        } else {
            return simulation.outcome();
        };
        // 2. What follows from it at once.
        while let Some((at, arrived)) = simulation.moving.pop_front() {
            simulation.advance(at, arrived, now);
        }
    }
}

impl Simulation<'_> {
    /// A sign-in reaches a step, or the end of the line.
    fn advance(&mut self, at: usize, arrived: Nanoseconds, now: Nanoseconds) {
        let waiting = Waiting { arrived, since: now };
        match self.line.get(at) {
            None => {
                if self.counted.contains(&arrived) {
                    self.times.push(now - arrived);
                }
                self.free_places(at, now);
            }
            Some(Step::Limit(limit)) => {
                // Sign-ins that have waited too long leave the queue first.
                self.admit(at, now);
                let state = &mut self.states[at];
                if state.used < limit.places {
                    state.used += 1;
                    self.moving.push_back((at + 1, arrived));
                } else if state.queue.len() < limit.waiting {
                    state.queue.push_back(waiting);
                } else {
                    self.refuse(at, arrived, now);
                }
            }
            Some(Step::Station(station)) => {
                if self.states[at].used < station.servers {
                    self.begin_service(at, station, arrived, now);
                } else {
                    self.states[at].queue.push_back(waiting);
                }
            }
        }
    }

    fn begin_service(&mut self, at: usize, station: &Station, arrived: Nanoseconds, now: Nanoseconds) {
        let service = if station.is_constant {
            station.service
        } else {
            self.dice.exponential(station.service as f64) as Nanoseconds
        };
        let end = now + service;
        let state = &mut self.states[at];
        state.used += 1;
        state.served += end.min(self.counted.end).saturating_sub(now.max(self.counted.start));
        self.ends.push(Reverse((end, at, arrived)));
    }

    /// A server has served this sign-in, and begins with the next one.
    fn end_service(&mut self, at: usize, arrived: Nanoseconds, now: Nanoseconds) {
        self.moving.push_back((at + 1, arrived));
        let state = &mut self.states[at];
        state.used -= 1;
        let next = state.queue.pop_front();
        if let (Some(next), Some(Step::Station(station))) = (next, self.line.get(at)) {
            self.begin_service(at, station, next.arrived, now);
        }
    }

    /// Refuses the sign-ins that have waited too long at this limit, and admits others while there are places.
    fn admit(&mut self, at: usize, now: Nanoseconds) {
        let Some(Step::Limit(limit)) = self.line.get(at) else { return };
        while let Some(Waiting { arrived, since }) = self.states[at].queue.front().copied() {
            let is_late = limit.patience.is_some_and(|patience| now - since >= patience);
            let state = &mut self.states[at];
            if !is_late && state.used >= limit.places {
                return;
            }
            state.queue.pop_front();
            if is_late {
                self.refuse(at, arrived, now);
            } else {
                state.used += 1;
                self.moving.push_back((at + 1, arrived));
            }
        }
    }

    /// The limit at this step refuses a sign-in, which has no place there.
    fn refuse(&mut self, at: usize, arrived: Nanoseconds, now: Nanoseconds) {
        self.states[at].refused += usize::from(self.counted.contains(&arrived));
        self.free_places(at, now);
    }

    /// A sign-in gives back its places at all limits before this step.
    fn free_places(&mut self, before: usize, now: Nanoseconds) {
        for at in (0..before).rev() {
            if let Some(Step::Limit(_)) = self.line.get(at) {
                self.states[at].used -= 1;
                self.admit(at, now);
            }
        }
    }

    fn outcome(mut self) -> Outcome {
        self.times.sort_unstable();
        let (mut in_use, mut refused) = (Vec::new(), Vec::new());
        let time = (self.counted.end - self.counted.start) as f64;
        for (step, state) in self.line.iter().zip(&self.states) {
            match step {
                Step::Station(Station { name, servers, .. }) => {
                    in_use.push((*name, state.served as f64 / (time * *servers as f64)));
                }
                Step::Limit(limit) if limit.patience.is_some() || limit.waiting < usize::MAX => {
                    refused.push((limit.refusal, state.refused as f64 / self.arrived as f64));
                }
                Step::Limit(_) => {}
            }
        }
        Outcome { arrived: self.arrived, in_use, refused, times: self.times }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SERVICE: Nanoseconds = SECOND / 100;
    const PATIENCE: Nanoseconds = SECOND / 2;

    fn station(servers: usize, is_constant: bool) -> Step {
        Step::Station(Station { name: "server", servers, service: SERVICE, is_constant })
    }

    fn limit(places: usize, waiting: usize, patience: Option<Nanoseconds>) -> Step {
        Step::Limit(Limit { refusal: "full", places, waiting, patience })
    }

    /// Simulates arrivals at this share of what one server can serve, for so many seconds.
    fn with_load(load: f64, line: &[Step], seconds: u64) -> Outcome {
        let until = seconds * SECOND;
        let arrivals = independent_arrivals(load * (SECOND / SERVICE) as f64, until, Dice::new(1));
        simulate(line, arrivals, 0..until, Dice::new(2))
    }

    /// The mean wait in services.
    fn wait(outcome: &Outcome) -> f64 {
        let sum: Nanoseconds = outcome.times.iter().sum();
        sum as f64 / outcome.times.len() as f64 / SERVICE as f64 - 1.0
    }

    fn is_near(value: f64, expected: f64, tolerance: f64) -> bool {
        (value - expected).abs() <= tolerance * expected
    }

    #[test]
    fn one_server_has_the_mean_wait_of_queueing_theory() {
        for load in [0.5, 0.8] {
            // M/D/1 and M/M/1, by Pollaczek and Khinchine.
            for (is_constant, expected) in [(true, load / (2.0 * (1.0 - load))), (false, load / (1.0 - load))]
            {
                let outcome = with_load(load, &[station(1, is_constant)], 5_000);
                let wait = wait(&outcome);
                assert!(is_near(wait, expected, 0.05), "load {load}: {wait} instead of {expected}");
                assert!(is_near(outcome.in_use[0].1, load, 0.01), "{:?}", outcome.in_use);
            }
        }
    }

    #[test]
    fn two_servers_with_one_queue_have_the_mean_wait_of_queueing_theory() {
        // M/M/2 at 80 % of both, by Erlang's formula: the load squared, divided by one minus that.
        let outcome = with_load(1.6, &[station(2, false)], 5_000);
        let (wait, expected) = (wait(&outcome), 0.64 / 0.36);
        assert!(is_near(wait, expected, 0.05), "{wait} instead of {expected}");
        assert!(is_near(outcome.in_use[0].1, 0.8, 0.01), "{:?}", outcome.in_use);
    }

    #[test]
    fn with_more_than_one_server_can_serve_the_rest_is_refused() {
        let lines = [
            // The queue is full before a wait is too long.
            [limit(1, 10, Some(PATIENCE)), station(1, true)],
            // A wait is too long before the queue is full.
            [limit(1, 1_000_000, Some(PATIENCE)), station(1, true)],
            // The wait is at the station.
            [limit(20, 0, None), station(1, true)],
        ];
        for (line, longest) in lines.iter().zip([12, 52, 21]) {
            for load in [1.25, 2.0, 5.0] {
                let outcome = with_load(load, line, 1_000);
                let (_, refused) = outcome.refused[0];
                let expected = 1.0 - 1.0 / load;
                assert!(is_near(refused, expected, 0.03), "load {load}: {refused} instead of {expected}");
                assert!(
                    *outcome.times.last().unwrap() <= longest * SERVICE,
                    "{load}: {:?}",
                    outcome.times.last()
                );
                let all = outcome.times.len() as f64 / outcome.arrived as f64 + refused;
                assert!(is_near(all, 1.0, 1e-9), "not all have left or were refused: {all}");
            }
        }
    }

    #[test]
    fn after_a_busy_time_all_places_and_servers_are_free_again() {
        let inner = [limit(4, 2, Some(SERVICE / 2)), station(2, true), station(3, true)];
        let line = [&[limit(5, 0, None), limit(5, usize::MAX, None)], &inner[..]].concat();
        let busy = || independent_arrivals(500.0, 100 * SECOND, Dice::new(3));
        // A long time after the others ten arrive at once: more than there are places.
        let burst = [200 * SECOND; 10];
        let with =
            |arrivals: Vec<Nanoseconds>| simulate(&line, arrivals, 200 * SECOND..300 * SECOND, Dice::new(4));
        let outcome = with(busy().chain(burst).collect());
        assert_eq!(outcome, with(burst.to_vec()));
        assert!(outcome.refused.iter().all(|(_, share)| *share > 0.0), "{:?}", outcome.refused);
    }

    #[test]
    fn only_a_part_of_the_time_counts() {
        let counted = 2 * SECOND..4 * SECOND;
        let arrivals = [SECOND, 2 * SECOND - SERVICE / 2, 3 * SECOND, 4 * SECOND - SERVICE / 4, 5 * SECOND];
        let outcome = simulate(&[station(1, true)], arrivals, counted, Dice::new(5));
        assert_eq!((outcome.arrived, &outcome.times[..]), (2, &[SERVICE, SERVICE][..]));
        // A half, a whole and a quarter of a service.
        assert!(is_near(outcome.in_use[0].1, 1.75 * SERVICE as f64 / (2 * SECOND) as f64, 1e-9));
    }

    #[test]
    fn a_seed_has_one_outcome() {
        let line = [limit(3, 5, Some(PATIENCE)), station(2, false)];
        assert_eq!(with_load(2.5, &line, 100), with_load(2.5, &line, 100));
    }
}
