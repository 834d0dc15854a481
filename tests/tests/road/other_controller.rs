//! Two DCs of one domain, read in turn: never by the other's cookie, never back in time, and what two administrators do
//! at both of them.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::second::SECOND;
use landbridge_tests::lab::{PhsSettings, TenantSettings, person};
use rustix::process::Signal;
use std::time::Instant;

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
    let both = first.clone().then(SECOND, second.address());
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

#[test]
fn when_the_first_dc_dies_the_daemon_reads_the_next_long_before_the_poll() {
    let domain = own_domain(50);
    let second = domain.join_second().unwrap();
    let settings = PhsSettings::for_domain(&domain, "entra").then(SECOND, second.address());
    let road = Road::with(domain.clone(), &settings, &TenantSettings::default());
    let mut daemon = road.phs.run_daemon().unwrap();
    let who = person(4);
    second.replicate().unwrap();
    domain.kill_controller().unwrap();
    let since = Instant::now();
    second.set_password(&who.sam, "set at the second 4").unwrap();
    // The poll is at 120 s.
    let at_second = || road.sign_in(&who.upn, "set at the second 4").accepted();
    wait_until("the second DC to be read", 30, at_second, || daemon.said()).unwrap();
    println!("from the death of the first DC to a password of the second in force: {:?}", since.elapsed());
    // The status is written once a second.
    let named = || road.phs.run(&["status"], None).is_ok_and(|said| said.stdout.contains(SECOND));
    wait_until("the second DC in the status", 10, named, || daemon.said()).unwrap();
    daemon.signal(Signal::TERM);
    daemon.finish(20).unwrap().expect_code(0);
}

#[test]
fn a_dc_that_hangs_is_left_for_the_next_long_before_the_poll() {
    let domain = own_domain(50);
    let second = domain.join_second().unwrap();
    let settings = PhsSettings::for_domain(&domain, "entra").then(SECOND, second.address());
    let road = Road::with(domain.clone(), &settings, &TenantSettings::default());
    let mut daemon = road.phs.run_daemon().unwrap();
    let (who, next) = (person(4), person(5));
    domain.set_password(&who.sam, "set at the first 4").unwrap();
    let everybody = || road.sign_in(&who.upn, "set at the first 4").accepted();
    wait_until("the first DC to be read", 30, everybody, || daemon.said()).unwrap();
    second.replicate().unwrap();

    domain.freeze_controller(true);
    let since = Instant::now();
    second.set_password(&next.sam, "set at the second 5").unwrap();
    let at_second = || road.sign_in(&next.upn, "set at the second 5").accepted();
    // The poll is at 120 s, and a question that was asked of a hanging DC is given up after 30 s.
    wait_until("the second DC to be read", 20, at_second, || daemon.said()).unwrap();
    println!("from the first DC's last answer to a password of the second in force: {:?}", since.elapsed());
    let said = daemon.said();
    assert!(said.contains("this domain controller tells of nothing any more"), "{said}");
    assert!(!said.contains("a cycle failed"), "{said}");
    domain.freeze_controller(false);
    daemon.signal(Signal::TERM);
    daemon.finish(20).unwrap().expect_code(0);
}

#[test]
fn two_objects_in_conflict_sign_nobody_in_under_the_name_that_both_want_and_are_reported() {
    let domain = own_domain(50);
    let second = domain.join_second().unwrap();
    let (one, other) = (person(1), person(2));
    // Each DC sees no harm in it; the one that hears of both renames the loser's RDN to `...\0ACNF:<GUID>`.
    domain.rename(&one.sam, "wanted").unwrap();
    second.rename(&other.sam, "wanted").unwrap();
    second.replicate().unwrap();
    let at_second = PhsSettings::for_domain(&domain, "entra");
    let at_second = PhsSettings { controller: SECOND.into(), address: Some(second.address()), ..at_second };
    let road = Road::with(domain.clone(), &at_second, &TenantSettings::default());
    road.once();
    let ask = "SELECT count(*) FROM objects WHERE rdn LIKE '%CNF:%'";
    let state = rusqlite::Connection::open(road.phs.database()).unwrap();
    assert_eq!(state.query_row(ask, [], |row| row.get::<_, i64>(0)).unwrap(), 1, "no conflict was made");
    for who in [&one, &other] {
        road.assert_out("wanted@corp.example.com", &who.password);
        road.assert_out("CORP\\wanted", &who.password);
        road.assert_out(&who.upn, &who.password);
    }
    assert!(road.tenant.metric("landbridge_names_ambiguous_total").unwrap() >= Some(2.0));
    let shown = road.tenant.run(&["users", "show", "wanted@corp.example.com"], None).unwrap().expect_code(0);
    assert!(shown.stdout.starts_with("More than one account"), "{shown}");
    road.assert_in(&person(3).upn, &person(3).password);
}

#[test]
fn a_read_only_dc_is_refused_by_name_and_another_is_used() {
    let domain = own_domain(50);
    let read_only = domain.join_read_only().unwrap();
    let first = PhsSettings::for_domain(&domain, "entra");
    let alone =
        PhsSettings { controller: SECOND.into(), address: Some(read_only.address()), ..first.clone() };
    let road = Road::with(domain.clone(), &alone, &TenantSettings::default());
    let said = road.phs.once(&[]).unwrap().expect_code(4);
    assert!(said.stderr.contains(SECOND) && said.stderr.contains("read-only"), "{said}");
    let said = road.phs.run(&["check"], None).unwrap().expect_code(4);
    assert!(said.stdout.contains("FAIL  controller") && said.stdout.contains("read-only"), "{said}");
    let both = PhsSettings { before: vec![(SECOND.to_owned(), read_only.address())], ..first };
    road.phs.configure(&both).unwrap();
    road.once();
    road.assert_everybody_gets_in();
}
