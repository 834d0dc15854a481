//! The rule in simulated time: 10,000 days of honest restarts raise no alarm, and a copy of the identity raises one
//! within 10 s. Messages travel as TCP carries them: in an interrupted network each is repeated after growing waits, so
//! a message may arrive a minute after its process has ended.
//!
//! Only the minutes around an incident are simulated. Between them the present process alone is heard, which changes
//! nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use crate::instances::{Instances, NotedProcess, OVERLAP};
use std::time::{Duration, Instant};
use uuid::Uuid;

const AGENT: Uuid = Uuid::from_u128(1);
const DAYS: u32 = 10_000;
const DAY: f64 = 86_400.0;

/// xorshift64: choices that come again with the seed.
struct Dice(u64);

impl Dice {
    /// Prints its seed, which LANDBRIDGE_SEED repeats.
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let seed = std::env::var("LANDBRIDGE_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = seed.unwrap_or(u64::try_from(now % u128::from(u64::MAX)).unwrap()) | 1;
        println!("LANDBRIDGE_SEED={seed}");
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Seconds between these two.
    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * ((self.roll() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.roll() % most
    }

    fn name(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.roll(), self.roll())
    }
}

/// Times in seconds during which something does not work.
type Gaps = Vec<(f64, f64)>;

fn end_of_gap(gaps: &Gaps, at: f64) -> Option<f64> {
    gaps.iter().find(|(from, to)| (*from..*to).contains(&at)).map(|(_, to)| *to)
}

/// The way between agent and tenant.
struct World {
    /// The network is interrupted.
    breaks: Gaps,
    /// The tenant's process does not run: a stopped machine, or a disk that hangs.
    pauses: Gaps,
    latency: f64,
}

impl World {
    /// When a packet that is sent then arrives: TCP repeats it after 0.2 s, 0.6 s, 1.4 s, and so on.
    fn arrival(&self, sent: f64) -> f64 {
        let mut wait = 0.2;
        let mut at = sent;
        while end_of_gap(&self.breaks, at).is_some() {
            at += wait;
            wait *= 2.0;
        }
        at + self.latency
    }

    /// When the tenant reads a packet that is sent then.
    fn read(&self, sent: f64) -> f64 {
        let arrival = self.arrival(sent);
        end_of_gap(&self.pauses, arrival).unwrap_or(arrival)
    }

    /// When the tenant has accepted a connection that a process requests from then on, if it lives long enough: after
    /// the first attempt in whose time the network and the tenant work.
    fn connected(&self, mut from: f64, ends: f64, every: f64) -> Option<f64> {
        while from < ends {
            let accepted = self.read(from);
            if accepted < from + every {
                return Some(accepted);
            }
            from += every;
        }
        None
    }
}

/// A message as the tenant sees it: who sent it, when its sender was certainly alive, and when it is noted.
struct Message {
    name: Uuid,
    alive_at: f64,
    noted: f64,
}

/// A process from its start to its end.
#[derive(Clone, Copy)]
struct Process {
    name: Uuid,
    starts: f64,
    ends: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Phs,
    Pta,
}

impl Role {
    fn messages(self, process: Process, world: &World, dice: &mut Dice) -> Vec<Message> {
        match self {
            Self::Phs => {
                let mut all = requests(process, world, || 3.0);
                // A cycle has a connection of its own, with gaps of up to two minutes. So has a renewal, by the same
                // process.
                all.extend(requests(process, world, || dice.between(0.05, 120.0)));
                all
            }
            Self::Pta => [0.0, 0.1].into_iter().flat_map(|later| link(process, world, later)).collect(),
        }
    }

    /// Seconds from the end of a process to the start of the next one.
    fn restart(self, dice: &mut Dice) -> f64 {
        match (self, dice.below(3)) {
            // By hand, or by systemd after an upgrade.
            (_, 0) => dice.between(0.05, 1.0),
            // After a crash: RestartSec of the units.
            (Self::Phs, _) => 5.0,
            (Self::Pta, _) => 1.0,
        }
    }
}

/// The requests of a phs on one connection after the other. It sends a request when the one before it was answered, and
/// connects again if that takes 5 s.
fn requests(process: Process, world: &World, mut every: impl FnMut() -> f64) -> Vec<Message> {
    let mut all = Vec::new();
    let mut from = process.starts;
    while let Some(accepted) = world.connected(from, process.ends, 5.0) {
        let (mut alive_at, mut sends) = (accepted, world.arrival(accepted));
        loop {
            if sends >= process.ends {
                return all;
            }
            let noted = world.read(sends);
            all.push(Message { name: process.name, alive_at, noted });
            let answered = world.arrival(noted);
            if answered > sends + 5.0 {
                from = sends + 5.0;
                break;
            }
            alive_at = noted;
            sends = (sends + every()).max(answered);
        }
    }
    all
}

/// The messages of one WebSocket after the other of a pta-agent: a hello, and each of the tenant's heartbeats back.
/// Both sides give up after 3 s of silence.
fn link(process: Process, world: &World, later: f64) -> Vec<Message> {
    let mut all = Vec::new();
    let mut from = process.starts + later;
    while let Some(accepted) = world.connected(from, process.ends, 3.0) {
        // 1. The hello.
        let says = world.arrival(accepted);
        if says >= process.ends {
            return all;
        }
        let mut heard = world.read(says);
        if heard <= accepted + 5.0 {
            all.push(Message { name: process.name, alive_at: accepted, noted: heard });
        }
        // 2. Heartbeats, in order, until one side was silent for too long.
        let mut beat = heard + 1.0;
        let mut received = says;
        loop {
            let sent = end_of_gap(&world.pauses, beat).unwrap_or(beat);
            let back = world.arrival(sent).max(received);
            if back >= process.ends {
                return all;
            }
            let noted = world.read(back).max(heard);
            if back > received + 3.0 || noted > heard + 3.0 {
                from = back.min(received + 3.0) + 0.1;
                break;
            }
            all.push(Message { name: process.name, alive_at: sent, noted });
            (received, heard, beat) = (back, noted, sent + 1.0);
        }
    }
    all
}

/// Notes all messages in their order. Returns how many were late; the error is when the alarm was raised.
fn note_all(instances: &mut Instances, zero: Instant, mut all: Vec<Message>) -> Result<u32, f64> {
    all.sort_by(|a, b| a.noted.total_cmp(&b.noted));
    let instant = |at: f64| zero + Duration::from_secs_f64(at);
    let mut late = 0;
    for Message { name, alive_at, noted } in all {
        match instances.note_process(AGENT, name, instant(alive_at), instant(noted)) {
            NotedProcess::Accepted => {}
            NotedProcess::Late => late += 1,
            NotedProcess::Second => return Err(noted),
        }
    }
    Ok(late)
}

/// What happens to an honest agent at this time: processes that follow each other, in a world with gaps.
fn incident(role: Role, at: f64, running: Uuid, dice: &mut Dice) -> (World, Vec<Process>) {
    let mut world = World { breaks: Vec::new(), pauses: Vec::new(), latency: dice.between(0.0002, 0.15) };
    let gap = |dice: &mut Dice| {
        let from = at + dice.between(-5.0, 20.0);
        (from, from + dice.between(0.1, 90.0))
    };
    // 1. The network, the tenant, both, or neither.
    if dice.below(2) == 0 {
        world.breaks.push(gap(dice));
    }
    if dice.below(4) == 0 {
        world.pauses.push(gap(dice));
    }
    // 2. The process ends once, or crashes several times; or nothing happens to it.
    let mut processes = vec![Process { name: running, starts: at - 30.0, ends: at }];
    for _ in 0..[0, 1, 1, 1, 4][usize::try_from(dice.below(5)).unwrap()] {
        let starts = processes.last().unwrap().ends + role.restart(dice);
        let ends = starts + dice.between(0.0, 30.0);
        processes.push(Process { name: dice.name(), starts, ends });
    }
    // 3. The last one runs on.
    processes.last_mut().unwrap().ends = at + 300.0;
    (world, processes)
}

#[test]
fn ten_thousand_days_of_restarts_crashes_interruptions_and_pauses_raise_no_alarm() {
    let (mut dice, zero) = (Dice::new(), Instant::now());
    for role in [Role::Phs, Role::Pta] {
        let (mut instances, mut running) = (Instances::default(), dice.name());
        let (mut processes, mut late) = (0, 0);
        for day in 0..DAYS {
            for part in 0..2 {
                let at =
                    DAY * (f64::from(day) + f64::from(part) / 2.0) + dice.between(100.0, DAY / 2.0 - 400.0);
                let (world, lives) = incident(role, at, running, &mut dice);
                running = lives.last().unwrap().name;
                processes += lives.len();
                let all = lives.iter().flat_map(|life| role.messages(*life, &world, &mut dice)).collect();
                let noted = note_all(&mut instances, zero, all);
                late += noted.unwrap_or_else(|at| panic!("{role:?}: an alarm on day {day}, at {at}"));
            }
        }
        println!("{role:?}: {processes} processes in {DAYS} days, {late} late messages refused");
        assert!(processes > 20_000);
        // A pta-agent's link ends after 3 s of silence, so that its messages are never so late.
        assert_eq!(late > 100, role == Role::Phs, "{role:?}: {late}");
    }
}

/// What the holder of a copied identity does.
#[derive(Debug, Clone, Copy)]
enum Copy {
    RenamesEvery4Seconds,
    TakesTurns,
    RotatesAsFastAsItCan,
    NeverRenames,
}

impl Copy {
    /// Its messages from `at` on, for a minute.
    fn messages(self, at: f64, dice: &mut Dice) -> Vec<Message> {
        let (every, rename) = match self {
            Self::RenamesEvery4Seconds => (1.0, 4.0),
            Self::TakesTurns => (dice.between(2.0, 7.0), dice.between(0.0, 7.0)),
            Self::RotatesAsFastAsItCan => (0.005, 0.0),
            Self::NeverRenames => (dice.between(0.1, 3.0), f64::INFINITY),
        };
        let (mut all, mut now, mut named) = (Vec::new(), at, at);
        let mut name = dice.name();
        while now < at + 60.0 {
            if now - named >= rename {
                (name, named) = (dice.name(), now);
            }
            all.push(Message { name, alive_at: now, noted: now });
            now += every;
        }
        all
    }
}

#[test]
fn a_copy_of_the_identity_is_found_within_ten_seconds_whatever_it_calls_itself() {
    let (mut dice, zero) = (Dice::new(), Instant::now());
    for role in [Role::Phs, Role::Pta] {
        for copy in
            [Copy::RenamesEvery4Seconds, Copy::TakesTurns, Copy::RotatesAsFastAsItCan, Copy::NeverRenames]
        {
            let mut longest: f64 = 0.0;
            for run in 0..500 {
                let latency = dice.between(0.0002, 0.15);
                let world = World { breaks: Vec::new(), pauses: Vec::new(), latency };
                let real = Process { name: dice.name(), starts: 10.0, ends: 200.0 };
                let begins = dice.between(60.0, 120.0);
                let mut all = role.messages(real, &world, &mut dice);
                all.extend(copy.messages(begins, &mut dice));
                let noted = note_all(&mut Instances::default(), zero, all);
                let found = noted.expect_err(&format!("{role:?}, {copy:?}, run {run}: no alarm"));
                longest = longest.max(found - begins);
            }
            println!("{role:?}, {copy:?}: found after {longest:.2} s at most");
            assert!(longest < 10.0, "{role:?}, {copy:?}: {longest}");
        }
    }
}

#[test]
fn a_copy_that_was_alone_is_found_when_the_agent_is_started_and_it_goes_on() {
    let (mut dice, zero) = (Dice::new(), Instant::now());
    for role in [Role::Phs, Role::Pta] {
        for copy in [Copy::RenamesEvery4Seconds, Copy::TakesTurns, Copy::NeverRenames] {
            for run in 0..500 {
                let world = World { breaks: Vec::new(), pauses: Vec::new(), latency: 0.01 };
                let real = Process { name: dice.name(), starts: 90.0, ends: 200.0 };
                let mut all = role.messages(real, &world, &mut dice);
                all.extend(copy.messages(60.0, &mut dice));
                let found = note_all(&mut Instances::default(), zero, all);
                let found = found.expect_err(&format!("{role:?}, {copy:?}, run {run}: no alarm"));
                // After the overlap the copy is silent for 7 s at most. Then it is heard under its old name, or
                // supersedes the agent, which is heard after the overlap.
                let latest = 90.0 + OVERLAP.as_secs_f64() + 7.0 + OVERLAP.as_secs_f64() + 4.0;
                assert!((90.0..latest).contains(&found), "{role:?}, {copy:?}, run {run}: {found}");
            }
        }
    }
}
