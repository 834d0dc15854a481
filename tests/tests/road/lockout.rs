//! What a guesser sees: the smart lockout, and that all refusals look alike and take alike.

use crate::stage::{Road, own_domain, shared_domain};
use landbridge_tests::lab::PhsSettings;
use landbridge_tests::lab::{TenantSettings, Try, person};
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
fn a_guesser_is_locked_out_from_one_source_and_the_owner_elsewhere_is_not() {
    let (road, who) = (road(), person(1));
    let derivations = || road.tenant.metric("landbridge_derivations_total").unwrap().unwrap();
    let guess = |guess: u32| Try::from(77, &who.upn, &format!("guess {guess}"));
    for number in 0..5 {
        assert!(road.app.sign_in(&guess(number)).unwrap().refused());
    }
    let before = derivations();
    let names = [who.upn.clone(), format!("CORP\\{}", who.sam), who.upn.to_uppercase()];
    for name in &names {
        // Right at last, under every name, and too late.
        let answer = road.app.sign_in(&Try::from(77, name, &who.password)).unwrap();
        assert!(answer.refused(), "{answer:?}");
    }
    assert_eq!(derivations(), before, "a locked-out guess costs no derivation");
    assert!(road.app.sign_in(&Try::from(78, &who.upn, &who.password)).unwrap().accepted());
    // And a restart of the tenant forgets nothing of it.
    road.tenant.kill();
    road.tenant.serve().unwrap();
    assert!(road.app.sign_in(&Try::from(77, &who.upn, &who.password)).unwrap().refused());
    assert!(road.app.sign_in(&Try::from(78, &who.upn, &who.password)).unwrap().accepted());
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
fn unknown_wrong_disabled_blocked_and_locked_look_the_same_in_words_and_in_time() {
    let domain = own_domain(50);
    let [wrong, disabled, locked, blocked]: [_; 4] = [person(3), person(4), person(5), person(6)];
    domain.set_enabled(&disabled.sam, false).unwrap();
    let settings = PhsSettings::for_domain(&domain, "entra");
    let tenant = TenantSettings { lockout_threshold: 1, ..TenantSettings::default() };
    let road = Road::with(domain, &settings, &tenant);
    road.once();
    road.app.sign_in(&Try::from(0, &locked.upn, "one is enough")).unwrap();
    road.tenant.run(&["users", "block", &blocked.upn], None).unwrap().expect_code(0);
    let cases = [
        ("unknown", "nobody@corp.example.com", "whatever"),
        ("wrong", &wrong.upn, "not this one"),
        ("disabled", &disabled.upn, &disabled.password),
        ("blocked", &blocked.upn, &blocked.password),
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
        let answer = road.app.sign_in(&Try::from(200 + at, &wrong.upn, &wrong.password)).unwrap();
        assert!(answer.accepted(), "{answer:?}");
        answer.took
    });
    assert!(took.min().unwrap() < GRID, "a success waits for nothing");
}
