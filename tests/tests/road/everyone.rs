//! Every password of a domain is verified at the tenant, and every wrong one refused.

use crate::stage::{Road, shared_domain};
use landbridge_tests::lab::{Try, person};

#[test]
fn two_thousand_people_sign_in_with_their_own_password_and_with_no_other() {
    let road = Road::new(shared_domain(2000), "entra");
    let summary = road.once();
    assert_eq!(summary["mode"], "full");
    assert!(summary["digests_sent"].as_u64().unwrap() >= 2000, "{summary}");
    assert_eq!(summary["digests_sent"], summary["digests_derived"], "{summary}");
    assert_eq!(summary["refused"], 0, "{summary}");
    assert_eq!(summary["quarantined"], 0, "{summary}");
    road.assert_everybody_gets_in();
    road.assert_nobody_else_gets_in();

    let again = road.once();
    assert_eq!(again["mode"], "incremental");
    for nothing in ["uploads", "records_sent", "digests_derived", "digests_sent"] {
        assert_eq!(again[nothing], 0, "{again}");
    }
    let full = road.phs.once(&["--full"]).unwrap().expect_code(0).json();
    assert_eq!(full["mode"], "full");
    assert_eq!(full["digests_derived"], 0, "a digest that the tenant holds is never derived again: {full}");
    road.assert_nothing_was_derived_twice();
    println!(
        "N = 2000 right and 2000 wrong, entra: sync {} s, then incremental {} s",
        summary["seconds"], again["seconds"]
    );
}

#[test]
fn fifty_people_sign_in_with_strong_digests() {
    let road = Road::new(shared_domain(50), "strong");
    let summary = road.once();
    assert!(summary["digests_sent"].as_u64().unwrap() >= 50, "{summary}");
    road.assert_everybody_gets_in();
    road.assert_nobody_else_gets_in();
    println!("N = 50 right and 50 wrong, strong: sync {} s", summary["seconds"]);
}

#[test]
fn a_person_signs_in_under_every_name_and_under_no_other() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    for index in [0, 7, 23] {
        let who = person(index);
        let netbios = format!("CORP\\{}", who.sam);
        for name in [who.upn.clone(), who.upn.to_uppercase(), netbios.clone(), netbios.to_lowercase()] {
            let answer = road.app.sign_in(&Try::from(index, &name, &who.password)).unwrap();
            assert!(answer.accepted(), "{name}: {answer:?}");
        }
        let blank = who.upn.replace('@', " @");
        for name in [format!("OTHER\\{}", who.sam), format!("{}@example.com", who.sam), blank] {
            let answer = road.app.sign_in(&Try::from(index, &name, &who.password)).unwrap();
            assert!(answer.refused(), "{name}: {answer:?}");
        }
    }
}
