//! What a guesser sees: the smart lockout, and that all refusals look alike and take alike.

use crate::stage::{Road, own_domain, shared_domain};
use landbridge_tests::lab::PhsSettings;
use landbridge_tests::lab::trial::size;
use landbridge_tests::lab::{Application, TenantSettings, Try, person};
use std::time::Duration;

const GRID: Duration = Duration::from_millis(250);
/// Of each kind; a loaded machine answers late, never early, so the quickest shows the tenant's own time.
const TRIES: u32 = 4;
/// TLS handshake and scheduling.
const LATE: Duration = Duration::from_millis(100);

fn road() -> Road {
    let domain = shared_domain(50);
    let settings = PhsSettings::for_domain(&domain, "entra");
    let tenant = TenantSettings { lockout_threshold: 5, ..TenantSettings::default() };
    let road = Road::with(domain, &settings, &tenant);
    road.once();
    road
}

#[test]
fn guesses_from_anywhere_lock_unknown_sources_out_and_the_owner_at_a_known_one_is_not() {
    let (road, who) = (road(), person(1));
    let derivations = || road.tenant.metric("landbridge_derivations_total").unwrap().unwrap();
    let sign_in =
        |from: u32, name: &str, password: &str| road.app.sign_in(&Try::from(from, name, password)).unwrap();
    let home = 78;
    assert!(sign_in(home, &who.upn, &who.password).accepted());
    for number in 0..5 {
        assert!(sign_in(100 + number, &who.upn, &format!("guess {number}")).refused());
    }
    let before = derivations();
    let names = [who.upn.clone(), format!("CORP\\{}", who.sam), who.upn.to_uppercase()];
    for name in &names {
        // Right at last, under every name, and too late.
        let answer = sign_in(77, name, &who.password);
        assert!(answer.refused(), "{answer:?}");
    }
    assert_eq!(derivations(), before, "a locked-out guess costs no derivation");
    assert!(sign_in(home, &who.upn, &who.password).accepted());
    // What one application knows of places opens nothing at another.
    let other = Application::of(&road.tenant, "other").unwrap();
    assert!(other.sign_in(&Try::from(home, &who.upn, &who.password)).unwrap().refused());
    // And a restart of the tenant forgets nothing of it.
    road.tenant.kill();
    road.tenant.serve().unwrap();
    assert!(sign_in(77, &who.upn, &who.password).refused());
    assert!(sign_in(home, &who.upn, &who.password).accepted());
}

#[test]
fn twenty_thousand_guesses_from_everywhere_keep_no_owner_at_a_known_source_out() {
    let road = road();
    let (guesses, people) = size((400, 8), (20_000, 40));
    let home = |n: u32| Try::from(0x80_0000 + n, &person(n).upn, &person(n).password);
    let owners: Vec<_> = (0..people).map(home).collect();
    let everybody_gets_in =
        || road.app.sign_all_in(&owners, 8).unwrap().iter().all(|answer| answer.accepted());
    assert!(everybody_gets_in());
    let derivations = || road.tenant.metric("landbridge_derivations_total").unwrap().unwrap();
    let before = derivations();
    let tries: Vec<_> =
        (0..guesses).map(|n| Try::from(n, &person(n % people).upn, &format!("guess {n}"))).collect();
    let answers = road.app.sign_all_in(&tries, 32).unwrap();
    assert!(answers.iter().all(|answer| answer.refused()));
    assert_eq!(derivations() - before, f64::from(people * 5), "no more than their counters allow");
    assert!(everybody_gets_in());
}

#[test]
fn one_wrong_password_tried_again_and_again_counts_once() {
    let (road, who) = (road(), person(2));
    for _ in 0..12 {
        assert!(
            road.app.sign_in(&Try::from(5, &who.upn, "an old one, still in my phone")).unwrap().refused()
        );
    }
    assert!(road.app.sign_in(&Try::from(5, &who.upn, &who.password)).unwrap().accepted());
}

#[test]
fn unknown_wrong_disabled_blocked_unassigned_and_locked_look_the_same_in_words_and_in_time() {
    let domain = own_domain(50);
    let [wrong, disabled, locked, blocked, right, unassigned]: [_; 6] =
        [person(3), person(4), person(5), person(7), person(6), person(8)];
    domain.set_enabled(&disabled.sam, false).unwrap();
    domain.create_group("Assigned").unwrap();
    let assigned: Vec<String> =
        [&wrong, &disabled, &locked, &blocked, &right].iter().map(|who| who.sam.clone()).collect();
    domain.set_members("Assigned", &assigned, true).unwrap();
    let settings = PhsSettings::for_domain(&domain, "entra");
    let tenant = TenantSettings { lockout_threshold: 1, ..TenantSettings::default() };
    let road = Road::with(domain, &settings, &tenant);
    road.once();
    road.tenant.run(&["apps", "assign", "road", "--group", "Assigned"], None).unwrap().expect_code(0);
    road.app.sign_in(&Try::from(0, &locked.upn, "one is enough")).unwrap();
    road.tenant.run(&["users", "block", &blocked.upn], None).unwrap().expect_code(0);
    let cases = [
        ("unknown", "nobody@corp.example.com", "whatever"),
        ("wrong", &wrong.upn, "not this one"),
        ("disabled", &disabled.upn, &disabled.password),
        ("blocked", &blocked.upn, &blocked.password),
        ("not assigned", &unassigned.upn, &unassigned.password),
        ("locked", &locked.upn, &locked.password),
    ];
    for (number, (what, user, password)) in (0..).zip(cases) {
        let quickest = (0..TRIES).map(|at| {
            let source = if what == "locked" { 0 } else { 100 + number * TRIES + at };
            let answer = road.app.sign_in(&Try::from(source, user, password)).unwrap();
            assert!(answer.refused(), "{what}: {answer:?}");
            assert!(answer.took >= GRID, "{what} took {:?}", answer.took);
            answer.took
        });
        let quickest = quickest.min().unwrap();
        assert!(quickest < GRID + LATE, "{what} took {quickest:?} at best");
    }
    let took = (0..TRIES).map(|at| {
        let answer = road.app.sign_in(&Try::from(200 + at, &right.upn, &right.password)).unwrap();
        assert!(answer.accepted(), "{answer:?}");
        answer.took
    });
    assert!(took.min().unwrap() < GRID, "a success waits for nothing");
}
