//! The memory of phs does not grow with the number of accounts.

use crate::stage::{Road, shared_domain};
use landbridge_tests::lab::trial::is_whole;
use landbridge_tests::lab::{Domain, PhsSettings, Population, person};
use std::sync::Arc;

/// Runs of each size; the middle one counts.
const RUNS: usize = 3;

/// KiB: of the first run, which derives and sends every digest, and the median of all, which find them there.
fn peak(road: &Road) -> (u64, u64) {
    let mut peaks: Vec<u64> = (0..RUNS)
        .map(|_| {
            let summary = road.phs.once(&["--full"]).unwrap().expect_code(0).json();
            summary["peak_memory_kib"].as_u64().unwrap()
        })
        .collect();
    let first = peaks[0];
    peaks.sort_unstable();
    (first, peaks[RUNS / 2])
}

#[track_caller]
fn assert_flat(few: (u64, u64), many: (u64, u64)) {
    assert!(many.0 * 10 <= few.0 * 11, "first run: {few:?} KiB for the few, {many:?} KiB for the many");
    assert!(many.1 * 10 <= few.1 * 11, "later runs: {few:?} KiB for the few, {many:?} KiB for the many");
}

#[test]
fn peak_memory_for_two_thousand_users_is_that_for_five_hundred() {
    let [few, many] = [500, 2000].map(|users| peak(&Road::new(shared_domain(users), "entra")));
    println!("peak memory, KiB (first run, median of N = {RUNS}): 500 users {few:?}, 2000 users {many:?}");
    assert_flat(few, many);
}

/// In `make soak` alone: to make the domain takes ten minutes.
#[test]
fn twenty_thousand_users_in_two_hundred_groups_cost_no_more_memory_and_an_idle_cycle_a_handful_of_calls() {
    if !is_whole() {
        return println!("not tried: LANDBRIDGE_SOAK=1 tries it");
    }
    // As many groups as the many have: what differs is the number of accounts.
    let few = Arc::new(Domain::start(Population::in_groups(2_000, 200)).unwrap());
    let few = peak(&Road::new(few, "entra"));
    let domain = Arc::new(Domain::start(Population::in_groups(20_000, 200)).unwrap());
    let settings = PhsSettings { level: "debug", ..PhsSettings::for_domain(&domain, "entra") };
    let road = Road::with(domain, &settings, &Default::default());
    let first = road.once();
    assert!(first["digests_sent"].as_u64().unwrap() >= 20_000, "{first}");
    println!("first sync of 20,000 users in 200 groups: {first}");
    let idle: Vec<_> = (0..RUNS).map(|_| road.phs.once(&[]).unwrap().expect_code(0)).collect();
    for cycle in &idle {
        let summary = cycle.json();
        assert_eq!((&summary["mode"], &summary["uploads"]), (&"incremental".into(), &0.into()), "{summary}");
        // What went out to the DC, call by call; each is one answer to be waited for.
        let asked: Vec<&str> =
            cycle.stderr.lines().filter(|line| line.contains("the domain controller was asked")).collect();
        let value_of = |line: &&str, name: &str| -> Option<String> {
            Some(line.split(name).nth(1)?.split(' ').next()?.trim_matches('"').to_owned())
        };
        let sent: u32 =
            asked.iter().map(|line| value_of(line, "sent=").unwrap().parse::<u32>().unwrap()).sum();
        let kinds: Vec<_> = asked.iter().map(|line| value_of(line, "what=").unwrap()).collect();
        println!("an idle cycle: {} s, {sent} PDUs to the DC for {kinds:?}", summary["seconds"]);
        // A connection and a look at the DC, a second connection for the descriptor of the domain's head, and the changes.
        assert!(kinds.len() <= 5 && sent <= 16, "{asked:#?}");
    }
    // One member more of a large group is one link here too.
    let five_thousand: Vec<String> = (0..5_000).map(|n| person(n).sam).collect();
    road.domain.create_group("Five thousand").unwrap();
    road.domain.set_members("Five thousand", &five_thousand, true).unwrap();
    let all = road.once();
    assert_eq!((&all["records_sent"], &all["links_sent"]), (&1.into(), &5_000.into()), "{all}");
    road.domain.set_member("Five thousand", &person(5_000).sam, true).unwrap();
    let one = road.once();
    assert_eq!((&one["records_sent"], &one["links_sent"]), (&0.into(), &1.into()), "{one}");
    println!("a group of 5,000: {} s; one member more: {} s", all["seconds"], one["seconds"]);
    let mut peaks = vec![first["peak_memory_kib"].as_u64().unwrap()];
    let (_, later) = peak(&road);
    peaks.push(later);
    println!(
        "peak memory, KiB (first run, median of N = {RUNS}): 2000 users in 200 groups {few:?}, 20,000 {peaks:?}"
    );
    assert_flat(few, (peaks[0], peaks[1]));
    road.assert_everybody_gets_in();
}
