//! Forty agents, sign-ins at a steady rate, an agent killed every two seconds. The DC is the oracle: of every answer,
//! and of how many bad passwords reached it.

use crate::stage::Stage;
use landbridge_tests::lab::trial::{Draw, seed, size};
use landbridge_tests::lab::{Try, person};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const USERS: u32 = 2000;
const AGENTS: usize = 40;
/// Who signs in: so many at once, each with a pause between, so that the rate is steady.
const AT_ONCE: u32 = 8;
const PAUSE: Duration = Duration::from_millis(150);

#[derive(Default)]
struct Seen {
    right: u32,
    wrong: BTreeMap<u32, u32>,
    amiss: Vec<String>,
    slowest: Duration,
}

#[test]
fn forty_agents_of_which_one_dies_every_two_seconds_lose_no_sign_in_and_answer_none_wrongly() {
    let seed = seed();
    let lasts = Duration::from_secs(size(20, 120));
    // A threshold that nobody reaches, so that the DC counts and locks nobody.
    let stage = Stage::prepared(USERS, AGENTS, "pta", |domain| {
        domain.set_policy(serde_json::json!({"lockoutThreshold": "900"})).unwrap();
    });
    let (stop, seen) = (AtomicBool::new(false), Mutex::new(Seen::default()));
    let (stage, stop, seen) = (&stage, &stop, &seen);
    let mut kills = 0;
    std::thread::scope(|scope| {
        for worker in 0..AT_ONCE {
            scope.spawn(move || sign_in(stage, worker, seed, stop, seen));
        }
        let mut draw = Draw::new(seed);
        let until = Instant::now() + lasts;
        while Instant::now() < until {
            let agent = &stage.agents[draw.below(AGENTS)];
            agent.kill();
            kills += 1;
            agent.run().unwrap();
            std::thread::sleep(Duration::from_secs(2));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let wrong: u32 = seen.wrong.values().sum();
    println!(
        "seed {seed}: {AGENTS} agents, {kills} kills in {lasts:?}, {} right and {wrong} wrong sign-ins over {USERS} users, \
         slowest {:?}",
        seen.right, seen.slowest
    );
    assert!(seen.amiss.is_empty(), "{:#?}", seen.amiss);
    assert!(seen.right > 100 && wrong > 10 && kills >= 8);
    // What the DC counted, for those whose last try was a wrong one; a right one resets it.
    let mut extra = 0;
    for (index, tried) in &seen.wrong {
        let counted = stage.domain.bad_passwords(&person(*index).sam).unwrap();
        assert!(counted <= 2 * tried, "user {index}: {tried} wrong sign-ins, {counted} bad passwords in AD");
        extra += counted.saturating_sub(*tried);
    }
    println!("{extra} bad passwords more in AD than wrong sign-ins, over {} users", seen.wrong.len());
}

fn sign_in(stage: &Stage, worker: u32, seed: u64, stop: &AtomicBool, seen: &Mutex<Seen>) {
    let mut draw = Draw::new(seed ^ u64::from(worker + 1));
    while !stop.load(Ordering::Relaxed) {
        // Each worker has people of its own; the last hundred only ever mistype.
        let mine = u32::try_from(draw.below(usize::try_from(USERS / AT_ONCE).unwrap())).unwrap();
        let who = person(mine * AT_ONCE + worker);
        let mistypes = draw.below(10) == 0 || who.index >= USERS - 200;
        let password =
            if mistypes { format!("mistyped {}", draw.below(1 << 30)) } else { who.password.clone() };
        if mistypes && who.index < USERS - 200 {
            continue;
        }
        let answer = stage.app.sign_in(&Try::from(draw.below(1 << 24) as u32, &who.upn, &password)).unwrap();
        let mut seen = seen.lock().unwrap();
        seen.slowest = seen.slowest.max(answer.took);
        if mistypes {
            *seen.wrong.entry(who.index).or_default() += 1;
        } else {
            seen.right += 1;
        }
        if if mistypes { !answer.refused() } else { !answer.accepted() } {
            seen.amiss.push(format!("{}: {} {}", who.sam, answer.status, answer.body));
        }
        drop(seen);
        std::thread::sleep(PAUSE);
    }
}
