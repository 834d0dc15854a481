//! Backups that were put back, at either end: noticed, and made good or refused, never believed.

use crate::stage::{Road, own_domain, shared_domain};
use landbridge_tests::lab::program::wait_until;
use landbridge_tests::lab::second::SECOND;
use landbridge_tests::lab::{PhsSettings, TenantSettings, person};
use rustix::process::Signal;
use std::fs;

#[test]
fn a_tenant_restored_from_a_backup_is_compared_in_full_and_misses_nothing() {
    let domain = own_domain(50);
    let road = Road::new(domain.clone(), "entra");
    let who = person(1);
    road.once();
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("tenant.db");
    let live = rusqlite::Connection::open(road.tenant.database()).unwrap();
    live.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(live);
    for round in 0..2 {
        domain.set_password(&who.sam, &format!("after the backup {round}")).unwrap();
        road.once();
    }
    road.assert_in(&who.upn, "after the backup 1");
    road.tenant.stop().unwrap().expect_code(0);
    for name in ["tenant.db", "tenant.db-wal", "tenant.db-shm"] {
        let _ = fs::remove_file(road.tenant.data_directory().join(name));
    }
    fs::copy(&backup, road.tenant.database()).unwrap();
    fs::set_permissions(road.tenant.database(), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    road.tenant.serve().unwrap();
    road.assert_in(&who.upn, &who.password);
    let summary = road.once();
    assert_eq!(summary["mode"], "full", "{summary}");
    assert_eq!(summary["digests_derived"], 1, "{summary}");
    road.assert_in(&who.upn, "after the backup 1");
    road.assert_out(&who.upn, &who.password);
    assert_eq!(road.once()["mode"], "incremental");
}

#[test]
fn a_state_that_is_put_back_or_lost_costs_a_full_compare_and_no_derivation() {
    let domain = own_domain(50);
    let road = Road::new(domain.clone(), "entra");
    let who = person(2);
    road.once();
    let old = fs::read(road.phs.database()).unwrap();
    for round in 0..3 {
        domain.set_password(&who.sam, &format!("round {round}")).unwrap();
        road.once();
    }
    fs::write(road.phs.database(), old).unwrap();
    let summary = road.once();
    assert_eq!((&summary["mode"], &summary["digests_derived"]), (&"full".into(), &0.into()), "{summary}");
    road.assert_in(&who.upn, "round 2");
    fs::remove_file(road.phs.database()).unwrap();
    let summary = road.once();
    assert_eq!((&summary["mode"], &summary["digests_derived"]), (&"full".into(), &0.into()), "{summary}");
    road.assert_in(&who.upn, "round 2");
}

#[test]
fn a_dc_whose_databases_were_put_back_is_not_believed() {
    let domain = own_domain(50);
    let road = Road::new(domain.clone(), "entra");
    let backup = tempfile::tempdir().unwrap();
    let who = person(3);
    road.once();
    domain.kill_controller().unwrap();
    domain.copy_databases(backup.path(), false).unwrap();
    domain.start_controller().unwrap();
    domain.set_password(&who.sam, "set after the backup").unwrap();
    road.once();
    road.assert_in(&who.upn, "set after the backup");
    domain.kill_controller().unwrap();
    domain.copy_databases(backup.path(), true).unwrap();
    domain.start_controller().unwrap();
    let finished = road.phs.once(&[]).unwrap().expect_code(4);
    for what in ["dc1.corp.example.com", "USN rollback", "must act"] {
        assert!(finished.stderr.contains(what), "does not say `{what}`: {finished}");
    }
    // What the tenant has is newer than what this DC says, and stays.
    road.assert_in(&who.upn, "set after the backup");
    road.assert_out(&who.upn, &who.password);
}

#[test]
fn a_dc_that_was_turned_back_is_left_for_another_and_all_is_compared_through_that() {
    let domain = own_domain(50);
    let second = domain.join_second().unwrap();
    let settings = PhsSettings::for_domain(&domain, "entra").then(SECOND, second.address());
    let road = Road::with(domain.clone(), &settings, &TenantSettings::default());
    let backup = tempfile::tempdir().unwrap();
    let who = person(3);
    domain.kill_controller().unwrap();
    domain.copy_databases(backup.path(), false).unwrap();
    domain.start_controller().unwrap();
    domain.set_password(&who.sam, "set after the backup").unwrap();
    second.replicate().unwrap();
    let mut daemon = road.phs.run_daemon().unwrap();
    road.assert_in(&who.upn, "set after the backup");
    domain.kill_controller().unwrap();
    domain.copy_databases(backup.path(), true).unwrap();
    domain.start_controller().unwrap();
    daemon.signal(Signal::HUP);
    let status = || road.phs.run(&["status", "--json"], None);
    // And that is not well.
    let left = || {
        let said = status().ok().filter(|said| said.code == Some(10)).map(|said| said.json());
        said.is_some_and(|said| said["complete"]["controller"] == SECOND && said["distrusted"][0].is_string())
    };
    // While the first was down the second was read already: what counts is what is read when the first is back.
    let compared = || {
        let log = daemon.said();
        let since = log.split_once("comparing everything through another").map_or("", |(_, since)| since);
        since.lines().any(|line| line.contains("mode=\"full\"") && line.contains(SECOND))
    };
    wait_until("a full compare through the second DC", 60, compared, || daemon.said()).unwrap();
    wait_until("the second DC in the status", 60, left, || daemon.said()).unwrap();
    let said = status().unwrap().expect_code(10);
    assert!(said.json()["why"].as_str().unwrap().contains("dc1.corp.example.com was turned back"), "{said}");
    // What was written before is still in force, and what is written at the second DC comes.
    road.assert_in(&who.upn, "set after the backup");
    second.set_password(&who.sam, "set at the second").unwrap();
    let comes = || road.sign_in(&who.upn, "set at the second").accepted();
    wait_until("the password of the second DC", 60, comes, || daemon.said()).unwrap();
    daemon.signal(Signal::TERM);
    daemon.finish(20).unwrap().expect_code(0);

    // A restart does not believe it again; a new invocation id does.
    let said = road.phs.once(&[]).unwrap().expect_code(0);
    assert!(said.stderr.contains("dc1.corp.example.com was turned back"), "{said}");
    domain.kill_controller().unwrap();
    domain.set_new_invocation_id().unwrap();
    domain.start_controller().unwrap();
    let mut daemon = road.phs.run_daemon().unwrap();
    let believed =
        || status().is_ok_and(|said| said.json()["complete"]["controller"] == "dc1.corp.example.com");
    wait_until("trust in the first DC again", 60, believed, || daemon.said()).unwrap();
    status().unwrap().expect_code(0);
    daemon.signal(Signal::TERM);
    daemon.finish(20).unwrap().expect_code(0);
}

#[test]
fn a_dc_that_was_restored_as_it_should_is_compared_in_full_without_a_gap() {
    let domain = own_domain(50);
    let road = Road::new(domain.clone(), "entra");
    let who = person(4);
    road.once();
    domain.kill_controller().unwrap();
    domain.set_new_invocation_id().unwrap();
    domain.start_controller().unwrap();
    domain.set_password(&who.sam, "set after the restore").unwrap();
    let summary = road.once();
    assert_eq!(summary["mode"], "full", "{summary}");
    assert_eq!(summary["digests_derived"], 1, "{summary}");
    road.assert_in(&who.upn, "set after the restore");
    road.assert_out(&who.upn, &who.password);
    assert_eq!(road.once()["mode"], "incremental");
}

#[test]
fn another_domain_under_the_same_name_is_not_written_over_the_first() {
    let road = Road::new(shared_domain(50), "entra");
    road.once();
    // Another forest with the same names, as a test system would be.
    let other = own_domain(500);
    let settings = landbridge_tests::lab::PhsSettings::for_domain(&other, "entra");
    road.phs.configure(&settings).unwrap();
    let finished = road.phs.once(&[]).unwrap().expect_code(4);
    assert!(finished.stderr.contains("SID"), "{finished}");
    road.assert_everybody_gets_in();
}
