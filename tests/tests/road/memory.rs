//! The memory of phs does not grow with the number of accounts.

use crate::stage::{Road, shared_domain};

/// Runs of each size; the middle one counts.
const RUNS: usize = 3;

#[test]
fn peak_memory_for_two_thousand_users_is_that_for_five_hundred() {
    let peak = |users: u32| {
        let road = Road::new(shared_domain(users), "entra");
        let mut peaks: Vec<u64> = (0..RUNS)
            .map(|_| {
                let summary = road.phs.once(&["--full"]).unwrap().expect_code(0).json();
                summary["peak_memory_kib"].as_u64().unwrap()
            })
            .collect();
        // The first run derives and sends every digest; the others find them there.
        let first = peaks[0];
        peaks.sort_unstable();
        (first, peaks[RUNS / 2])
    };
    let (few, many) = (peak(500), peak(2000));
    println!("peak memory, KiB (first run, median of N = {RUNS}): 500 users {few:?}, 2000 users {many:?}");
    assert!(many.0 * 10 <= few.0 * 11, "first run: {few:?} KiB for 500, {many:?} KiB for 2000");
    assert!(many.1 * 10 <= few.1 * 11, "later runs: {few:?} KiB for 500, {many:?} KiB for 2000");
}
