//! A profile with more iterations than the digests that the tenant holds: what is derived again, and when.

use super::*;

/// Three accounts at a tenant that holds their digests, which were derived with `entra`.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.cycle(two_pages()).unwrap();
    bench.cloud.again = vec![guid(1100), guid(1101), guid(1102)];
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
    bench
}

fn mode(bench: &mut Bench) -> &'static str {
    bench.cycle(two_pages()).unwrap().mode
}

#[test]
fn a_higher_profile_compares_all_by_itself_and_derives_a_bounded_number_in_each_cycle() {
    let mut bench = bench();
    (bench.profile, bench.again_at_most) = (Profile::Strong, 2);
    let counts = bench.cycle(two_pages()).unwrap();
    let seen = (counts.mode, counts.digests_again, counts.digests_left, counts.unfinished);
    assert_eq!(seen, ("full", 2, 1, true));
    // No password of these tests opens, so what was to be derived is in quarantine.
    assert_eq!(counts.quarantined, 2);
    assert_eq!(bench.cloud.erased, [guid(1100), guid(1101)]);
    // The next cycle continues, and the one after that is like any other.
    bench.cloud.again = vec![guid(1102)];
    let counts = bench.cycle(two_pages()).unwrap();
    let seen = (counts.mode, counts.digests_again, counts.digests_left, counts.unfinished);
    assert_eq!(seen, ("full", 1, 0, false));
    bench.cloud.again.clear();
    let counts = bench.cycle(last(0..0, 4)).unwrap();
    assert_eq!((counts.mode, counts.digests_left), ("incremental", 0));
}

#[test]
fn a_compare_that_breaks_is_begun_again_until_nothing_is_left() {
    let mut bench = bench();
    bench.profile = Profile::Strong;
    bench.cloud.breaks_after = Some(bench.cloud.uploads.len());
    bench.cycle(two_pages()).unwrap_err();
    bench.cloud.breaks_after = None;
    assert_eq!(mode(&mut bench), "full");
    bench.cloud.again.clear();
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
}

#[test]
fn a_lower_profile_compares_nothing_and_the_higher_one_after_it_compares_again() {
    let mut bench = bench();
    let mut modes = Vec::new();
    for profile in [Profile::Strong, Profile::Strong, Profile::Entra, Profile::Entra, Profile::Strong] {
        bench.profile = profile;
        bench.cloud.again.clear();
        modes.push(mode(&mut bench));
    }
    assert_eq!(modes, ["full", "incremental", "incremental", "incremental", "full"]);
}

#[test]
fn what_was_left_is_not_reported_for_ever_after_the_profile_is_lowered() {
    let mut bench = bench();
    (bench.profile, bench.again_at_most) = (Profile::Strong, 1);
    assert_eq!(bench.cycle(two_pages()).unwrap().digests_left, 2);
    bench.profile = Profile::Entra;
    bench.cloud.again.clear();
    bench.cycle(last(0..0, 4)).unwrap();
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().digests_left, 0);
}

#[test]
fn a_tenant_of_an_older_level_is_not_asked_and_is_once_it_is_upgraded() {
    let mut bench = Bench::new();
    bench.cloud.level = 1;
    bench.cycle(two_pages()).unwrap();
    bench.profile = Profile::Strong;
    let counts = bench.cycle(last(0..0, 4)).unwrap();
    assert_eq!((counts.mode, counts.digests_again), ("incremental", 0));
    bench.cloud.level = LEVEL;
    bench.cloud.again = vec![guid(1101)];
    let counts = bench.cycle(two_pages()).unwrap();
    assert_eq!((counts.mode, counts.digests_again), ("full", 1));
    bench.cloud.again.clear();
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
}

#[test]
fn a_new_phs_with_a_lost_state_derives_again_what_the_tenant_holds_with_fewer_iterations() {
    let mut bench = Bench::new();
    bench.profile = Profile::Strong;
    bench.cloud.again = vec![guid(1101)];
    let counts = bench.cycle(two_pages()).unwrap();
    assert_eq!((counts.mode, counts.digests_again, counts.digests_left), ("full", 1, 0));
    bench.cloud.again.clear();
    assert_eq!(bench.cycle(last(0..0, 4)).unwrap().mode, "incremental");
}
