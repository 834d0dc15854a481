//! Ten minutes in the life of a domain (25 seconds in the short form): everything that can be done to people is done at
//! random, while phs, tenant and DC are killed at random; then tenant and domain agree exactly.

mod agreement;
mod deeds;

use crate::stage::{Road, own_domain};
use deeds::Book;
use landbridge_tests::lab::program::Running;
use landbridge_tests::lab::trial::{Draw, seed, size};
use landbridge_tests::lab::{PhsSettings, TenantSettings};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So many deeds a second, as far as the DC can.
const PACE: Duration = Duration::from_millis(100);
/// The longest time between two kills, and for which a program stays dead.
const LIVES: usize = 5_000;
const DEAD: usize = 2_000;

/// Kills one program after the other and starts it again, until `until`. Gives the daemon that runs then.
fn kill_at_random(
    road: &Road,
    mut draw: Draw,
    until: Instant,
    mut daemon: Running,
) -> (Running, BTreeMap<&'static str, u32>) {
    let mut kills = BTreeMap::new();
    let mut pause = |most: usize| {
        let pause = Duration::from_millis(u64::try_from(draw.below(most)).unwrap());
        std::thread::sleep(pause.min(until.saturating_duration_since(Instant::now())));
        draw.below(10)
    };
    // Each of them once before chance decides.
    let mut first = vec!["phs", "tenant", "DC"];
    while Instant::now() < until {
        let chance = pause(LIVES);
        let victim = first.pop().unwrap_or(match chance {
            0..5 => "phs",
            5..8 => "tenant",
            _ => "DC",
        });
        assert!(!daemon.has_ended(), "the daemon ended by itself: {}", daemon.said());
        *kills.entry(victim).or_default() += 1;
        match victim {
            "phs" => {
                daemon.kill();
                pause(DEAD);
                daemon = road.phs.start(&["run"], None).unwrap();
            }
            "tenant" => {
                road.tenant.kill();
                pause(DEAD);
                road.tenant.serve().unwrap();
            }
            _ => {
                road.domain.kill_controller().unwrap();
                pause(DEAD);
                road.domain.start_controller().unwrap();
            }
        }
    }
    (daemon, kills)
}

/// Waits until the daemon has done a whole cycle that began after this was called.
#[track_caller]
fn wait_for_a_cycle(road: &Road, daemon: &Running) {
    let cycles = || {
        let said = road.phs.run(&["status", "--json"], None).unwrap();
        (said.code == Some(0)).then(|| said.json()["cycles"].as_u64()).flatten()
    };
    let end = Instant::now() + Duration::from_secs(120);
    let mut first = None;
    loop {
        let now = cycles();
        first = first.or(now);
        // The one that runs now may have begun before.
        if first.zip(now).is_some_and(|(first, now)| now >= first + 2) {
            return;
        }
        assert!(Instant::now() < end, "no complete cycle: {}", daemon.said());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn after_random_changes_and_kills_tenant_and_domain_agree_exactly() {
    let seed = seed();
    println!("seed {seed}");
    let domain = own_domain(size(50, 250));
    let schedule = "poll_seconds = 5";
    let settings = PhsSettings { schedule, ..PhsSettings::for_domain(&domain, "entra") };
    // Old passwords are tried from everywhere, account by account and round by round: no lock may hide a difference.
    let tenant = TenantSettings { lockout_threshold: 1_000, ..TenantSettings::default() };
    let road = Road::with(domain.clone(), &settings, &tenant);
    let mut book = Book::open(&domain, Draw::new(seed));
    let daemon = road.phs.run_daemon().unwrap();
    let until = Instant::now() + Duration::from_secs(size(25, 600));
    let (daemon, kills) = std::thread::scope(|scope| {
        let killing = scope.spawn(|| kill_at_random(&road, Draw::new(!seed), until, daemon));
        let mut next = Instant::now();
        while Instant::now() < until {
            book.do_something();
            next = (next + PACE).max(Instant::now());
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        killing.join().unwrap()
    });
    wait_for_a_cycle(&road, &daemon);
    let (wrong, tried) = agreement::differences(&road, &book);
    let deeds: u32 = book.done.values().sum();
    println!(
        "N = {deeds} changes ({:?}), of which {} failed; kills {kills:?}; {} people; then {} sign-ins that must be \
         accepted, {} that must be refused",
        book.done,
        book.failed.len(),
        book.people.len(),
        tried.accepted,
        tried.refused,
    );
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
    // A deed may fail with the DC that is killed under it, and no other.
    assert!(book.failed.len() <= usize::try_from(kills["DC"]).unwrap(), "{:#?}", book.failed);
}
