//! Two DCs of one domain, read in turn: never by the other's cookie, never back in time.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::second::SECOND;
use landbridge_tests::lab::{PhsSettings, person};

#[test]
fn another_dc_goes_on_where_the_first_left_and_one_that_lags_takes_nothing_back() {
    let domain = own_domain(50);
    let road = Road::new(domain.clone(), "entra");
    let who = person(1);
    let all = road.once()["read"].as_u64().unwrap();
    let second = domain.join_second().unwrap();
    let first = PhsSettings::for_domain(&domain, "entra");
    let other = PhsSettings { controller: SECOND.into(), address: Some(second.address()), ..first.clone() };

    domain.set_password(&who.sam, "set at the first").unwrap();
    second.replicate().unwrap();
    road.phs.configure(&other).unwrap();
    let summary = road.once();
    assert_eq!(summary["mode"], "incremental", "{summary}");
    assert_eq!(summary["digests_derived"], 1, "{summary}");
    assert!(summary["read"].as_u64().unwrap() < all / 2, "{all} objects were read before: {summary}");
    road.assert_in(&who.upn, "set at the first");
    assert_eq!(road.once()["uploads"], 0);

    // The second has not heard of this one.
    domain.set_password(&who.sam, "known at the first alone").unwrap();
    road.phs.configure(&first).unwrap();
    road.once();
    road.assert_in(&who.upn, "known at the first alone");
    road.phs.configure(&other).unwrap();
    let summary = road.once();
    assert_eq!(summary["mode"], "incremental", "{summary}");
    road.assert_in(&who.upn, "known at the first alone");
    road.assert_out(&who.upn, "set at the first");

    // And when the first is gone, the second serves.
    domain.kill_controller().unwrap();
    let both = PhsSettings { before: vec![(first.controller.clone(), domain.address())], ..other };
    road.phs.configure(&both).unwrap();
    road.once();
    road.assert_in(&who.upn, "known at the first alone");
    road.assert_nothing_was_derived_twice();
}

#[test]
fn a_dc_with_replication_disabled_is_named_and_another_is_used() {
    let domain = own_domain(50);
    let second = domain.join_second().unwrap();
    let first = PhsSettings::for_domain(&domain, "entra");
    let both = PhsSettings {
        before: vec![(first.controller.clone(), domain.address())],
        controller: SECOND.into(),
        address: Some(second.address()),
        ..first.clone()
    };
    let road = Road::new(domain.clone(), "entra");
    domain.set_outbound_replication(false).unwrap();
    // Alone it is refused by its name, and the directory's administrator must act.
    let said = road.phs.once(&[]).unwrap().expect_code(4);
    assert!(said.stderr.contains("dc1.corp.example.com") && said.stderr.contains("disabled"), "{said}");
    let said = road.phs.run(&["check"], None).unwrap().expect_code(4);
    assert!(said.stdout.contains("FAIL  controller") && said.stdout.contains("disabled"), "{said}");
    // Beside another it is passed over.
    road.phs.configure(&both).unwrap();
    let said = road.phs.once(&[]).unwrap().expect_code(0);
    assert!(said.stderr.contains("does not serve") && said.stderr.contains("disabled"), "{said}");
    road.assert_everybody_gets_in();
    domain.set_outbound_replication(true).unwrap();
    road.phs.configure(&first).unwrap();
    road.once();
}
