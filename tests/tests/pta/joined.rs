//! Session and relay joined in memory: one seed is one world, with a clock of its own, in which links die, agents
//! are killed, frozen, restarted, renewed, revoked and lie, and messages are doubled, delayed, reordered and replayed.
//! Every message is written and read as it is on the wire, every password is sealed and opened.
//! Not here: sockets, programs, a directory (the model below is one that knows every password).
//!
//! `LANDBRIDGE_SEED=n` lives through one world again; `LANDBRIDGE_SOAK=1` through ten times as many.

mod agent;
mod dice;
mod troubles;
mod world;

use landbridge_tests::lab::trial;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;
use world::{Told, World};

/// How many worlds, from which seed on.
fn worlds() -> (u64, u64) {
    match (trial::given_seed(), trial::is_whole()) {
        (Some(seed), _) => (seed, 1),
        // Other worlds each time.
        (None, true) => (trial::seed().wrapping_mul(10_000), 2_000),
        (None, false) => (1, 200),
    }
}

#[test]
fn whatever_happens_each_sign_in_is_answered_once_in_time_and_never_yes_by_mistake() {
    let (first, count) = worlds();
    println!("{count} worlds from seed {first}");
    let began = Instant::now();
    let mut all = Told::default();
    for seed in first..first + count {
        match catch_unwind(AssertUnwindSafe(|| World::of(seed).lived())) {
            Ok(told) => all.add(&told),
            Err(panic) => {
                println!("seed {seed} fails: LANDBRIDGE_SEED={seed} lives through it again");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{all:#?} in {:?}", began.elapsed());
    if count >= 200 {
        // A simulation in which nothing happens proves nothing.
        all.is_eventful();
    }
}

#[test]
fn a_seed_gives_the_same_world_again() {
    for seed in 1..=10 {
        let (one, other) = (World::of(seed).lived(), World::of(seed).lived());
        assert_eq!(one, other, "seed {seed}");
    }
}
